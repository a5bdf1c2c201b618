use std::path::PathBuf;

use super::element_type::{ElementType, unpack};
use super::header::{Header, Stored};
use crate::error::{Error, Result};
use crate::store::Blob;
use crate::tensor::{DType, Tensor};

/// One file whose header was read.
#[derive(Debug)]
pub(super) struct File {
    pub(super) header: Header,
    blob: Blob,
    /// Where the data begins.
    start: u64,
    /// How messages call the file.
    pub(super) path: PathBuf,
}

impl File {
    pub(super) fn open(blob: Blob, path: PathBuf) -> Result<Self> {
        let (header, start) = Header::read(&blob).map_err(|error| error.in_file(&path))?;
        Ok(File {
            header,
            blob,
            start,
            path,
        })
    }

    /// Reads a tensor of this file: a view where the bytes are there.
    pub(super) fn tensor(&self, stored: &Stored) -> Result<Tensor> {
        let Some((element, dtype)) = element_of(stored) else {
            return Err(Error::unsupported(format!(
                "TensorFlow has no dtype for elements of type `{}`",
                stored.element_type
            )));
        };
        let place = self.start + stored.range.start;
        let bytes = self
            .blob
            .read(place, stored.range.end - stored.range.start)?;
        let tensor = match element.bits {
            4 => Tensor::from_bytes(dtype, &stored.shape, unpack(&bytes)),
            _ => Tensor::from_bytes(dtype, &stored.shape, bytes),
        };
        tensor.map_err(|error| error.at(place))
    }
}

/// Returns the type of a tensor's elements, if TensorFlow has it.
pub(super) fn element_of(stored: &Stored) -> Option<(&'static ElementType, DType)> {
    let element = ElementType::named(&stored.element_type)?;
    Some((element, element.dtype?))
}
