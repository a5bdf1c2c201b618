//! Riegeli/records files, the part of the format that split models use: simple chunks, read
//! uncompressed or compressed with Brotli or Snappy, written uncompressed.
//!
//! ```text
//! byte 0       65,536       131,072
//! ├────────────┼────────────┼────────        blocks; each begins with a header of 24 bytes:
//! │B│S│ chunk │B│  chunk    │B│ …            its hash, how far back the chunk it interrupts begins,
//!                                            how far on that chunk ends
//! chunk = hash, data size, data hash, type, number of records, size of their values (40 bytes)
//!         data: compression │ length of sizes │ sizes: varints │ values: the records, joined
//!         zeros, so that each record has a byte of its own as its number
//! S     = the first chunk, which is the same in every file: its signature
//! ```
//!
//! A record's number, its *position*, is where its chunk begins plus its index there. All hashes
//! are HighwayHash-64 (`riegeli/records/README.md` of the Riegeli project).

mod block;
mod chunk;
mod compression;
mod page_writer;
mod payload;
mod reader;
mod values;
mod writer;

pub(super) use chunk::ChunkHeader;
pub(super) use reader::RecordReader;
pub(super) use values::Values;
pub(super) use writer::RecordWriter;
