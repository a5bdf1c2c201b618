//! Tensors that come to a writer as streams of bytes.

use std::io::{Read, Write};

use super::payload;
use super::shard_writer::ReadFailure;
use super::tensor_sink::{SinkFailure, TensorSink};
use super::values::{Values, WriteBytes, read_error};
use super::writer::BundleWriter;
use crate::error::{Error, ErrorKind, Result};
use crate::tensor::{DType, Shape};

impl BundleWriter {
    /// Writes a tensor whose values `write` writes, in the form that [`add_from_reader`](Self::add_from_reader)
    /// reads: what is computed piece by piece need not be in memory as a whole.
    ///
    /// ```
    /// # use savedmodel::{BundleReader, BundleWriter, DType};
    /// # let directory = std::env::temp_dir().join(format!("savedmodel-with-{}", std::process::id()));
    /// # let prefix = directory.join("ckpt-1");
    /// # let mut bundle = BundleWriter::create(&prefix)?;
    /// bundle.add_with("range", DType::INT64, [1000], |out| {
    ///     for i in 0..1000i64 {
    ///         out.write_all(&i.to_le_bytes())?;
    ///     }
    ///     Ok(())
    /// })?;
    /// # bundle.finish()?;
    /// # let range = BundleReader::open(&prefix)?.tensor("range")?;
    /// # assert_eq!(range.values::<i64>()?[999], 999);
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What `write` answers; otherwise as for [`add_from_reader`](Self::add_from_reader), after which
    /// the bundle can go on. A tensor that comes so is never cut, whatever the
    /// [maximum size](super::BundleWriterOptions::max_shard_size) of shards is.
    pub fn add_with(
        &mut self,
        key: impl AsRef<[u8]>,
        dtype: DType,
        shape: impl TryInto<Shape, Error: Into<Error>>,
        write: impl FnOnce(&mut dyn Write) -> Result<()>,
    ) -> Result<()> {
        let key = key.as_ref();
        let shape = shape
            .try_into()
            .map_err(|error| error.into().for_key(key))?;
        self.add_whole(key, Values::Written(dtype, shape, Box::new(write)))
    }

    /// Writes a reader's bytes; returns their checksum, which may have to be a certain one. If they
    /// are at fault, none stay.
    pub(super) fn copy_from(
        &mut self,
        reader: &mut dyn Read,
        dtype: DType,
        shape: &Shape,
        offset: u64,
        expected: Option<u32>,
    ) -> Result<u32> {
        let size = self.stream_len(dtype, shape)?;
        let fault = match payload::copy(reader, size, dtype == DType::BOOL, &mut self.data) {
            Ok(crc) if expected.is_none_or(|expected| expected == crc) => return Ok(crc),
            Ok(crc) => Error::new(ErrorKind::ChecksumMismatch {
                what: format!("the tensor's {size} bytes"),
                stored: expected.unwrap_or_default(),
                computed: crc,
            }),
            Err(ReadFailure::File(error)) => return Err(self.in_data(error)),
            Err(failure) => read_error(failure, size, dtype),
        };
        self.take_back(offset)?;
        Err(fault)
    }

    /// Has bytes written; returns their checksum. If they are at fault, none stay.
    pub(super) fn take_from(
        &mut self,
        write: Box<WriteBytes<'_>>,
        dtype: DType,
        shape: &Shape,
        offset: u64,
    ) -> Result<u32> {
        let size = self.stream_len(dtype, shape)?;
        let reserved = self.data.reserve(size);
        reserved.map_err(|error| self.in_data(error))?;
        let mut sink = TensorSink::new(&mut self.data, size, dtype == DType::BOOL);
        let result = write(&mut sink);
        let fault = match (sink.finish(), result) {
            (Err(SinkFailure::File(error)), _) => return Err(self.in_data(error)),
            (Ok(crc), Ok(())) => return Ok(crc),
            (Ok(_) | Err(SinkFailure::Short(_)), Err(error)) => error,
            (Err(failure), _) => failure.into_error(size, dtype),
        };
        self.take_back(offset)?;
        Err(fault)
    }

    /// Returns how many bytes a tensor has that comes as a stream of them.
    fn stream_len(&mut self, dtype: DType, shape: &Shape) -> Result<u64> {
        let fault = match dtype.size() {
            None => Error::unsupported(format!(
                "{dtype} elements have no fixed size in bytes, so a stream cannot have them"
            )),
            Some(size) => match shape.elements().checked_mul(size as u64) {
                Some(len) => return Ok(len),
                None => Error::invalid_argument(format!(
                    "a {dtype} tensor of shape {shape} is larger than any file"
                )),
            },
        };
        self.failed = false;
        Err(fault)
    }

    /// Removes everything behind `offset`, so that the bundle can go on.
    fn take_back(&mut self, offset: u64) -> Result<()> {
        let truncated = self.data.truncate(offset);
        truncated.map_err(|error| self.in_data(error))?;
        self.failed = false;
        Ok(())
    }
}
