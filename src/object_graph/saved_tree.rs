use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::object_tree::ObjectTree;
use crate::bundle::BundleWriter;
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
        let mut bundle = BundleWriter::create(prefix)?;
        self.write_into(&mut bundle)?;
        bundle.finish()
    }

    /// Writes the next checkpoint of a prefix, as `tf.train.Checkpoint.save`: the
    /// [save counter](Self::save_counter) goes up by one, and its value is added to the name.
    /// Returns the prefix that was written: `ckpt-1`, `ckpt-2`.
    ///
    /// The file `checkpoint` beside it, which names the latest, is left alone, as `write` of
    /// `tf.train.Checkpoint` does.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write); and `InvalidArgument` if `save_counter` of the root is no
    /// INT64 scalar. The counter is as before then.
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
        let mut path: OsString = prefix.as_ref().into();
        path.push(format!("-{number}"));
        self.set_value(counter, Tensor::scalar(number))?;
        let written = self.write(&path);
        if written.is_err() {
            self.set_value(counter, Tensor::scalar(before))?;
        }
        written.map(|()| path.into())
    }
}
