use std::path::Path;

use super::writer::BundleWriter;
use crate::error::Result;

/// Says whether a finished bundle survives a crash of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// When [`BundleWriter::finish`] returns, the new bundle is on the disk. If the machine crashes
    /// before, one bundle is there complete: the new one, or the old one, in place or set aside
    /// where [`recover`](super::recover) finds it. Costs a sync of each file, and three or four of
    /// the directory.
    #[default]
    Sync,
    /// The system writes when it likes, as with TensorFlow's writer. A process that dies still
    /// leaves one bundle complete; a machine that crashes may leave any mixture.
    None,
}

/// Says what happens to a bundle that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Existing {
    /// It stays, and writing is refused: when an index or any data file of the prefix is there, or a
    /// bundle that is set aside, both as the bundle is begun and as it is finished.
    #[default]
    Refuse,
    /// It is replaced when the new bundle is finished, and a crash loses neither: its index, and then
    /// the data files that this names, are set aside under names like `ckpt-1.index.set-aside-0-4711`
    /// which no reader looks for; the new data files come, then the new index; and what was set
    /// aside is removed. Of an index that cannot be read, all data files of the prefix are replaced.
    ///
    /// What a crash leaves is the old bundle, the new one, or the old one set aside, and never parts
    /// of both. From the last, [`recover`](super::recover) puts the old one back, and a writer with
    /// this option goes on. Where an operation fails, the old bundle is put back at once.
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
