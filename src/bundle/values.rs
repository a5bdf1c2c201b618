use std::io::{Read, Write};

use super::shard_writer::ReadFailure;
use super::split;
use crate::error::{Error, Result};
use crate::tensor::{DType, Shape, TensorView};

/// What a tensor is made of.
pub(crate) enum Values<'v> {
    View(TensorView<'v>),
    Reader(DType, Shape, &'v mut dyn Read),
    /// Bytes that another bundle has, which must have this checksum.
    Stored(DType, Shape, &'v mut dyn Read, u32),
    /// Bytes that are written by whoever has them.
    Written(DType, Shape, Box<WriteBytes<'v>>),
}

pub(crate) type WriteBytes<'v> = dyn FnOnce(&mut dyn Write) -> Result<()> + 'v;

impl Values<'_> {
    pub(crate) fn dtype(&self) -> DType {
        match self {
            Values::View(view) => view.dtype(),
            Values::Reader(dtype, ..) | Values::Stored(dtype, ..) | Values::Written(dtype, ..) => {
                *dtype
            }
        }
    }

    pub(crate) fn shape(&self) -> &Shape {
        match self {
            Values::View(view) => view.shape(),
            Values::Reader(_, shape, _)
            | Values::Stored(_, shape, ..)
            | Values::Written(_, shape, _) => shape,
        }
    }

    /// Returns how many bytes of a shard they take; `None` for elements of no fixed size.
    pub(crate) fn dense_len(&self) -> Option<u64> {
        let size = self.dtype().size()? as u64;
        Some(self.shape().elements().saturating_mul(size))
    }

    /// Says whether they can become the pieces of a partitioned tensor.
    pub(crate) fn can_be_cut(&self) -> bool {
        let is_pulled = matches!(self, Values::View(_) | Values::Reader(..));
        is_pulled && split::can_be_cut(self.dtype())
    }
}

/// Says what was wrong with a reader.
pub(crate) fn read_error(failure: ReadFailure, size: u64, dtype: DType) -> Error {
    match failure {
        ReadFailure::Reader(error) | ReadFailure::File(error) => Error::from(error),
        ReadFailure::Short(len) => Error::invalid_argument(format!(
            "the reader ended after {len} of the tensor's {size} bytes"
        )),
        ReadFailure::Long => Error::invalid_argument(format!(
            "the reader has more than the tensor's {size} bytes"
        )),
        ReadFailure::BadBool(at, byte) => Error::malformed(format!(
            "element {at} of a {dtype} tensor is {byte:#04x}, neither 0 nor 1"
        )),
    }
}
