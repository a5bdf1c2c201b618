//! The sorted string table: keys and values in key order, the file format of a bundle's index.
//!
//! ```text
//! data block 0 | trailer … data block n-1 | trailer | metaindex | trailer | index | trailer | footer
//!
//! block     entry … entry, then where each run of entries starts (u32 each), how many runs (u32)
//! entry     shared, non_shared, value_len (varints), key[non_shared], value[value_len]
//! trailer   compression (one byte: 0 none, 1 snappy), masked CRC-32C of block and that byte (u32)
//! footer    place and size of metaindex and index (varints), zeros up to byte 40, magic (u64)
//! ```
//!
//! A key is the first `shared` bytes of the key before it followed by `non_shared` bytes of its
//! own; at the start of a run nothing is shared. The index block holds, for every data block, a key
//! that is not below the block's last and is below the next block's first, with the block's place.
//!
//! [`Reader`] verifies a block's checksum and its whole structure once, when it is first touched,
//! and then hands out slices of it. [`Writer`] writes the bytes that TensorFlow's writer does.
//! Theirs are in `tensorflow/core/lib/io/{table,block,format,table_builder,block_builder}.cc`; the
//! format is LevelDB's with larger blocks.

mod block;
mod block_builder;
mod compression;
mod footer;
mod reader;
mod recovery;
mod writer;

pub(crate) use block_builder::shared_len;
pub(crate) use reader::is_table;
pub use reader::{Cursor, Reader};
pub(crate) use recovery::recover;
pub use writer::Writer;
