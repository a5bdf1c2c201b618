//! TFRecord files: byte strings one behind the other, each with its length and checksums.
//!
//! TensorFlow keeps training data in them, and TensorFlow Serving the requests that warm a model up
//! (`assets.extra/tf_serving_warmup_requests`). A record is
//!
//! ```text
//! length              u64, little-endian
//! checksum of length  u32, masked CRC-32C of the 8 bytes above
//! data                `length` bytes
//! checksum of data    u32, masked CRC-32C
//! ```
//!
//! and nothing stands before, between or after records. The format is that of
//! `tensorflow/core/lib/io/record_reader.cc` and `record_writer.cc`, without compression.
//!
//! ```
//! use savedmodel::record::{RecordReader, RecordWriter};
//! use savedmodel::store::Blob;
//!
//! let mut writer = RecordWriter::new(Vec::new());
//! writer.write(b"first")?;
//! writer.write(b"")?;
//! let file = writer.into_inner();
//!
//! let records = RecordReader::new(Blob::from_bytes(file)).collect::<Result<Vec<_>, _>>()?;
//! assert_eq!(records.len(), 2);
//! assert_eq!(records[0].data()[..], *b"first");
//! # Ok::<(), savedmodel::Error>(())
//! ```

mod reader;
mod writer;

pub use reader::{Record, RecordReader};
pub use writer::RecordWriter;

/// Length and its checksum.
const HEADER: u64 = 12;
/// Checksum of the data.
const FOOTER: u64 = 4;
