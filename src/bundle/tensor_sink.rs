use std::io::{self, Write};

use super::shard_writer::ShardWriter;
use crate::error::Error;
use crate::tensor::DType;

/// Takes the bytes of one tensor, as many as it has and no more.
pub(crate) struct TensorSink<'w> {
    data: &'w mut ShardWriter,
    size: u64,
    taken: u64,
    is_bool: bool,
    failure: Option<SinkFailure>,
}

/// Why what was written could not become a tensor.
#[derive(Debug)]
pub(crate) enum SinkFailure {
    /// So many bytes were written, and no more.
    Short(u64),
    /// More was written than the tensor has.
    Long,
    /// A byte of a boolean, at that place, is neither 0 nor 1.
    BadBool(u64, u8),
    /// What the data file said.
    File(io::Error),
}

impl<'w> TensorSink<'w> {
    /// Begins a tensor of so many bytes.
    pub(crate) fn new(data: &'w mut ShardWriter, size: u64, is_bool: bool) -> Self {
        data.start_sum(0);
        TensorSink {
            data,
            size,
            taken: 0,
            is_bool,
            failure: None,
        }
    }

    /// Returns the checksum of the bytes.
    pub(crate) fn finish(self) -> Result<u32, SinkFailure> {
        match self.failure {
            Some(failure) => Err(failure),
            None if self.taken < self.size => Err(SinkFailure::Short(self.taken)),
            None => Ok(self.data.crc()),
        }
    }

    /// Notes what went wrong, and says it to whoever writes.
    fn fail(&mut self, failure: SinkFailure) -> io::Error {
        let error = match &failure {
            SinkFailure::File(error) => io::Error::new(error.kind(), error.to_string()),
            SinkFailure::Short(_) | SinkFailure::Long => {
                io::Error::new(io::ErrorKind::WriteZero, "the tensor has no more bytes")
            }
            SinkFailure::BadBool(..) => {
                io::Error::new(io::ErrorKind::InvalidData, "a boolean is neither 0 nor 1")
            }
        };
        self.failure.get_or_insert(failure);
        error
    }
}

impl Write for TensorSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.size - self.taken {
            return Err(self.fail(SinkFailure::Long));
        }
        if self.is_bool
            && let Some((at, byte)) = bytes.iter().enumerate().find(|(_, byte)| **byte > 1)
        {
            let at = self.taken + at as u64;
            return Err(self.fail(SinkFailure::BadBool(at, *byte)));
        }
        if let Err(error) = self.data.write(bytes) {
            return Err(self.fail(SinkFailure::File(error)));
        }
        self.taken += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkFailure {
    pub(crate) fn into_error(self, size: u64, dtype: DType) -> Error {
        match self {
            SinkFailure::File(error) => Error::from(error),
            SinkFailure::Short(len) => {
                Error::invalid_argument(format!("{len} of the tensor's {size} bytes were written"))
            }
            SinkFailure::Long => {
                Error::invalid_argument(format!("more than the tensor's {size} bytes were written"))
            }
            SinkFailure::BadBool(at, byte) => Error::malformed(format!(
                "element {at} of a {dtype} tensor is {byte:#04x}, neither 0 nor 1"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{BundleReader, BundleWriter};
    use crate::error::{ErrorKind, Result};
    use crate::store::platform::TestDirectory;
    use crate::tensor::Tensor;

    type Write<'w> = &'w dyn Fn(&mut dyn io::Write) -> Result<()>;

    #[test]
    fn what_is_written_is_the_tensor_and_faults_leave_nothing() {
        let directory = TestDirectory::new("tensor-sink");
        let prefix = directory.path().join("b");
        let mut bundle = BundleWriter::create(&prefix).unwrap();
        bundle.add("a", &Tensor::scalar(1i32)).unwrap();
        let piecemeal = |out: &mut dyn io::Write| -> Result<()> {
            for piece in (0..200_000u32)
                .flat_map(u32::to_le_bytes)
                .collect::<Vec<_>>()
                .chunks(70_001)
            {
                out.write_all(piece)?;
            }
            Ok(out.flush()?)
        };
        let ignoring = |out: &mut dyn io::Write| -> Result<()> {
            let _ = out.write_all(&[0; 9]);
            Ok(())
        };
        let faults: [(DType, u64, Write<'_>, &str); 6] = [
            (
                DType::INT32,
                200_001,
                &piecemeal,
                "800000 of the tensor's 800004 bytes",
            ),
            (
                DType::INT32,
                199_999,
                &piecemeal,
                "more than the tensor's 799996 bytes",
            ),
            (DType::INT32, 2, &ignoring, "more than the tensor's 8 bytes"),
            (
                DType::BOOL,
                3,
                &|out| Ok(out.write_all(&[0, 1, 2])?),
                "element 2 of a bool tensor",
            ),
            (DType::STRING, 1, &piecemeal, "no fixed size"),
            (
                DType::INT32,
                2,
                &|_| Err(Error::unsupported("nothing to say")),
                "nothing to say",
            ),
        ];
        for (dtype, elements, write, why) in faults {
            let error = bundle.add_with("x", dtype, [elements], write).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert_eq!(error.key(), Some(&b"x"[..]));
            assert!(!matches!(error.kind(), ErrorKind::Io { .. }), "{error}");
        }
        bundle
            .add_with("x", DType::INT32, [200_000], piecemeal)
            .unwrap();
        bundle
            .add_with("none", DType::INT32, [0], |_| Ok(()))
            .unwrap();
        bundle.finish().unwrap();
        let bundle = BundleReader::open(&prefix).unwrap();
        assert_eq!(
            bundle.tensor("x").unwrap().values::<i32>().unwrap()[199_999],
            199_999
        );
        assert_eq!(bundle.entry("none").unwrap().offset(), 800_004);
    }
}
