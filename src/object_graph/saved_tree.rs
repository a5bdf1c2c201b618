use std::path::{Path, PathBuf};

use super::object_tree::ObjectTree;
use crate::bundle::{BundleWriter, CheckpointState};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

impl ObjectTree {
    /// Writes a checkpoint of that prefix, as `tf.train.Checkpoint.write`: no number is added. For
    /// another durability, or to replace one, use [`write_into`](Self::write_into).
    ///
    /// # Errors
    ///
    /// As for [`serialize`](Self::serialize), [`BundleWriter::create`], [`BundleWriter::add`] and
    /// [`BundleWriter::finish`].
    pub fn write(&self, prefix: impl AsRef<Path>) -> Result<()> {
        // What cannot be written is to leave no trace.
        let serialized = self.serialize()?;
        let mut bundle = BundleWriter::create(prefix)?;
        serialized.write_into(&mut bundle)?;
        bundle.finish()
    }

    /// Writes the next checkpoint of a prefix, as `tf.train.Checkpoint.save`: the
    /// [save counter](Self::save_counter) goes up by one, and its value is added to the name; the file
    /// `checkpoint` beside it names it as the latest, and as the only one. Returns the prefix that
    /// was written: `ckpt-1`, `ckpt-2`.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write); and `InvalidArgument` if `save_counter` of the root is no
    /// INT64 scalar, or the prefix ends with no name in Unicode. The counter is as before then, and
    /// nothing was written. As for [`CheckpointState::write`] once the checkpoint is there.
    pub fn save(&mut self, prefix: impl AsRef<Path>) -> Result<PathBuf> {
        let counter = self.save_counter()?;
        let value = self
            .value(counter)
            .and_then(|value| match value.shape().is_scalar() {
                true => value.as_slice::<i64>()?.first().copied(),
                false => None,
            });
        let Some((before, number)) = value.and_then(|value| Some((value, value.checked_add(1)?)))
        else {
            return Err(Error::invalid_argument(
                "the root's child `save_counter` is no variable of INT64 and shape [] that can go up",
            ));
        };
        let prefix = prefix.as_ref();
        let Some(name) = prefix.file_name().and_then(|name| name.to_str()) else {
            return Err(Error::invalid_argument(
                "the prefix of a checkpoint ends with a name in Unicode, as in `checkpoints/ckpt`",
            )
            .in_file(prefix));
        };
        let name = format!("{name}-{number}");
        let path = prefix.with_file_name(&name);
        self.set_value(counter, Tensor::scalar(number))?;
        if let Err(error) = self.write(&path) {
            self.set_value(counter, Tensor::scalar(before))?;
            return Err(error);
        }
        let mut state = CheckpointState::default();
        state.model_checkpoint_path.clone_from(&name);
        state.all_model_checkpoint_paths.push(name);
        state.write(path.parent().unwrap_or(Path::new("")))?;
        Ok(path)
    }
}
