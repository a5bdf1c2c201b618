//! The tensor bundle: an index and shards, in which TensorFlow keeps a model's or a checkpoint's
//! tensors.
//!
//! ```text
//! variables.index                  a sorted string table
//!     ""                           → header: number of shards, byte order, version
//!     layer/kernel                 → entry: dtype, shape, shard, offset, size, checksum
//!     embedding                    → entry of a partitioned tensor: dtype, full shape, slices
//!     \0 embedding slice           → entry of one piece of it
//! variables.data-00000-of-00002    shard 0: bytes of tensors, one behind the other
//! variables.data-00001-of-00002    shard 1
//! ```
//!
//! Everything before the numbers is the bundle's prefix, `variables` here. Tensors stand in a shard
//! without padding in the order in which they were saved; the index is in key order. TensorFlow's
//! own reader and writer are in `tensorflow/core/util/tensor_bundle/tensor_bundle.cc`.
//!
//! | part | holds |
//! |---|---|
//! | `reader` | [`BundleReader`]: lists, looks up and reads |
//! | `options` | [`BundleOptions`]: how a bundle is opened |
//! | `cursor` | [`Cursor`] and [`Entries`]: walks over the index |
//! | `writer` | [`BundleWriter`]: writes a bundle |
//! | `writer_options` | [`BundleWriterOptions`]: how it is written |
//! | `pending_entries` | the entries of a bundle under construction |
//! | `key_order` | sorting by keys that have much in common |
//! | `streamed` | tensors that come as streams of bytes |
//! | `copy` | tensors of another bundle, copied |
//! | `values` | what a tensor is made of: a view, a reader, a function that writes |
//! | `tensor_sink` | what such a function writes to |
//! | `split` | tensors too large for a shard, cut into pieces |
//! | `merge` | [`merge_bundles`]: several bundles become one |
//! | `index_file` | the index as a file |
//! | `index_merge` | an index from the entries of several sources |
//! | `raw_entry` | an entry whose shard gets another number |
//! | `publication` | a bundle's finished files, put in place together |
//! | `prefix` | the names of a bundle's files, and which of them there are |
//! | `set_aside` | [`recover`]: what is replaced, and how it comes back after a crash |
//! | `header` | the entry under the empty key |
//! | `entry` | [`BundleEntry`], and the proof that its numbers agree |
//! | `key` | [`Key`], and the keys of the pieces of partitioned tensors |
//! | `shard` | the data files, and bytes out of them with their checksum verified |
//! | `shard_writer` | a data file under construction, counted and summed |
//! | `payload` | bytes as stored ↔ tensors: strings, variants, byte order |
//! | `parallel` | work on several threads |
//! | `assemble` | partitioned tensors put together again |
//! | `listing` | [`Listing`]: all names and entries in memory |
//! | `salvage` | [`Salvage`]: what is intact of a damaged bundle, copied out |
//! | `verify` | [`Verification`]: everything read and checked |
//! | `locate` | from what a user names (directory, prefix, file) to a bundle |
//! | `checkpoint_state` | [`CheckpointState`]: the file `checkpoint`, which names the latest |

mod assemble;
mod checkpoint_state;
mod copy;
mod cursor;
mod entry;
#[cfg(test)]
mod faults;
mod header;
mod index_file;
mod index_merge;
mod key;
mod key_order;
mod listing;
mod locate;
mod merge;
mod options;
mod parallel;
mod payload;
mod pending_entries;
mod prefix;
mod publication;
mod raw_entry;
mod reader;
mod salvage;
mod set_aside;
mod shard;
mod shard_writer;
mod split;
mod streamed;
mod tensor_sink;
mod values;
mod verify;
mod writer;
mod writer_options;

pub use checkpoint_state::{CheckpointPaths, CheckpointState, latest_checkpoint};
pub use cursor::{Cursor, Entries};
pub use entry::BundleEntry;
pub use header::Endianness;
pub use key::Key;
pub use listing::Listing;
pub(crate) use locate::foreign_kind;
pub use locate::locate_bundle;
pub use merge::{Inputs, MergeOptions, merge_bundles, part_prefix};
pub use options::BundleOptions;
pub use reader::BundleReader;
pub use salvage::{Loss, Salvage, salvage, salvage_in};
pub use set_aside::{Recovery, recover};
pub use shard::Checksums;
pub(crate) use split::can_be_cut;
pub use verify::Verification;
pub use writer::BundleWriter;
pub use writer_options::{BundleWriterOptions, Durability, Existing};
