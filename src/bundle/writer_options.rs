use std::path::Path;

use super::writer::BundleWriter;
use crate::error::Result;

/// Says whether a finished bundle survives a crash of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// All files and their directory are on the disk when [`BundleWriter::finish`] returns.
    #[default]
    Sync,
    /// The system writes them when it likes, as with TensorFlow's writer.
    None,
}

/// Says what happens to a bundle that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Existing {
    /// It stays, and writing is refused.
    #[default]
    Refuse,
    /// Its index and the data file of the same name are replaced when the new bundle is finished.
    /// Between the two there is a moment without a sound bundle. Other shards that it had stay,
    /// and no reader looks at them.
    Replace,
}

/// How a bundle is written; [`BundleWriter::options`] gives the defaults.
#[derive(Clone, Debug)]
pub struct BundleWriterOptions {
    pub(super) alignment: u64,
    pub(super) block_size: usize,
    pub(super) max_shard_size: Option<u64>,
    pub(super) threads: usize,
    pub(super) durability: Durability,
    pub(super) existing: Existing,
}

/// What TensorFlow's indexes have (`table::Options::block_size`).
pub(super) const BLOCK_SIZE: usize = 262_144;

impl Default for BundleWriterOptions {
    fn default() -> Self {
        BundleWriterOptions {
            alignment: 1,
            block_size: BLOCK_SIZE,
            max_shard_size: None,
            threads: 1,
            durability: Durability::default(),
            existing: Existing::default(),
        }
    }
}

impl BundleWriterOptions {
    /// Sets of how many bytes the place of every tensor in the data file is a multiple. Zeros fill
    /// the gaps. Default: 1, no gaps, as in all checkpoints of TensorFlow.
    pub fn alignment(mut self, bytes: u64) -> Self {
        self.alignment = bytes.max(1);
        self
    }

    /// Sets how many bytes a block of the index has at least, unless it is the last. Every reader
    /// takes any. Default: 262,144, as in all checkpoints of TensorFlow; with less, looking one
    /// tensor up reads less of the file.
    pub fn block_size(mut self, bytes: usize) -> Self {
        self.block_size = bytes;
        self
    }

    /// Sets how many bytes a data file may have. Default: any number.
    ///
    /// A tensor that would make it longer begins another shard. One that is longer than that by
    /// itself is cut along its first dimension, or along more where a row is still too long, and
    /// becomes a partitioned tensor, which readers put together. Not cut, and so alone in a longer
    /// file, are tensors of dtypes that TensorFlow's reader cannot put together (STRING, HALF and
    /// UINT16 among them), scalars, and pieces that were added as such.
    ///
    /// TensorFlow's `tf.train.experimental.MaxShardSizePolicy` fills every shard to the last byte,
    /// for which it cuts tensors that it cannot read again.
    pub fn max_shard_size(mut self, bytes: u64) -> Self {
        self.max_shard_size = Some(bytes.max(1));
        self
    }

    /// Sets how many threads may work on a tensor of 64 MiB or more. Default: 1. All that they can
    /// help with is its checksum, which on a recent processor is a tenth of the work at most;
    /// [several shards](BundleWriter::finish_together) help more.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Sets whether the finished bundle survives a crash. Default: [`Durability::Sync`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets what happens to a bundle that is there. Default: [`Existing::Refuse`].
    pub fn existing(mut self, existing: Existing) -> Self {
        self.existing = existing;
        self
    }

    /// Begins the bundle of that prefix, as [`BundleWriter::create`] does.
    ///
    /// # Errors
    ///
    /// As for [`BundleWriter::create`].
    pub fn create(self, prefix: impl AsRef<Path>) -> Result<BundleWriter> {
        BundleWriter::begin(self, prefix.as_ref())
    }
}
