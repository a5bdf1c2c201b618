use std::path::Path;

use super::saved_model::SavedModelBuilder;
use crate::bundle::Durability;
use crate::error::Result;
use crate::serving::VersionNaming;
use crate::store::{StagedDirectory, refuse_occupied};

/// How a SavedModel is written; [`SavedModelBuilder::options`] gives the defaults.
#[derive(Clone, Debug, Default)]
pub struct SavedModelBuilderOptions {
    pub(super) durability: Durability,
    pub(super) as_text: bool,
    pub(super) uuid: Option<String>,
    pub(super) split_proto: SplitProto,
    pub(super) max_proto_size: Option<u64>,
}

/// Says whether the program is split into chunks, `saved_model.cpb`.
///
/// **Open-source TensorFlow cannot load a split model**, in no release so far, and so TensorFlow
/// Serving cannot: their loaders do not look for the file. Google's internal builds can, programs that
/// link TensorFlow's `Merger` can, and [`SavedModel::open`](crate::SavedModel::open).
///
/// It is the counterpart of `experimental_image_format` of `tf.saved_model.SaveOptions`, which
/// open-source TensorFlow refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SplitProto {
    /// Never: a program of 2 GiB or more is refused.
    #[default]
    Never,
    /// From the [largest size](SavedModelBuilderOptions::max_proto_size) on, where there is no other
    /// form; a smaller program is written as `saved_model.pb`, which all can load.
    WhenTooLarge,
    /// Always; a small program is one chunk.
    Always,
}

impl SavedModelBuilderOptions {
    /// Sets whether the model survives a crash of the machine. Default: [`Durability::Sync`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Writes the program as text, `saved_model.pbtxt`, which has no fingerprint. Default: not.
    pub fn as_text(mut self, as_text: bool) -> Self {
        self.as_text = as_text;
        self
    }

    /// Sets the `uuid` of the fingerprint, with which the same description gives the same bytes.
    /// Default: a random one.
    pub fn uuid(mut self, uuid: impl Into<String>) -> Self {
        self.uuid = Some(uuid.into());
        self
    }

    /// Sets whether the program is written in chunks, which **open-source TensorFlow cannot load**.
    /// Default: [`SplitProto::Never`].
    pub fn split_proto(mut self, split_proto: SplitProto) -> Self {
        self.split_proto = split_proto;
        self
    }

    /// Sets from how many bytes on a program is split, and each of its parts, as
    /// [`SplitOptions::max_size`](crate::chunked::SplitOptions::max_size) does. Default: 2^31 - 500,
    /// as in TensorFlow.
    pub fn max_proto_size(mut self, bytes: u64) -> Self {
        self.max_proto_size = Some(bytes);
        self
    }

    /// Begins the model of a directory, as [`SavedModelBuilder::new`] does.
    ///
    /// # Errors
    ///
    /// As for [`SavedModelBuilder::new`].
    pub fn create(self, directory: impl AsRef<Path>) -> Result<SavedModelBuilder> {
        let target = directory.as_ref().to_owned();
        refuse_occupied(&target)?;
        let staged = StagedDirectory::create(&target, self.durability == Durability::Sync)?;
        Ok(SavedModelBuilder::begin(self, target, None, staged))
    }

    /// Begins a new version of the model in a base directory, as
    /// [`SavedModelBuilder::next_version`] does, with a number of either kind.
    ///
    /// # Errors
    ///
    /// `Io` as the system has it.
    pub fn create_version(
        self,
        base: impl AsRef<Path>,
        naming: VersionNaming,
    ) -> Result<SavedModelBuilder> {
        let base = base.as_ref().to_owned();
        let staged =
            StagedDirectory::create(&base.join("version"), self.durability == Durability::Sync)?;
        Ok(SavedModelBuilder::begin(self, base, Some(naming), staged))
    }
}
