use std::path::Path;

use crate::bundle::{BundleReader, Key, locate_bundle};
use crate::error::{Error, ErrorKind, Result};
#[cfg(feature = "npz")]
use crate::numpy::NpzReader;
#[cfg(feature = "safetensors")]
use crate::safetensors::SafetensorsReader;
use crate::tensor::{DType, Shape, Tensor};

/// Something that has tensors under names, gives a list of them, and each when asked.
pub trait TensorSource: Send + Sync {
    /// Lists all tensors, in the order of their keys. No elements are read.
    ///
    /// # Errors
    ///
    /// What reading the list answers. A tensor that is there and cannot be had is no error.
    fn list(&self) -> Result<Vec<SourceTensor>>;

    /// Reads a tensor, a view where that can be.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none of that key, otherwise what reading it answers.
    fn tensor(&self, key: &[u8]) -> Result<Tensor>;
}

/// What a source says of one of its tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceTensor {
    /// The name.
    pub key: Key,
    /// The dtype; `None` if the source has the tensor as something that TensorFlow has not.
    pub dtype: Option<DType>,
    /// The type of the elements in the words of the source: `float32`, `F32`, `<f4`.
    pub stored_type: String,
    /// The shape.
    pub shape: Shape,
}

impl TensorSource for BundleReader {
    fn list(&self) -> Result<Vec<SourceTensor>> {
        self.entries()
            .map(|entry| {
                let (key, entry) = entry?;
                Ok(SourceTensor {
                    key,
                    dtype: Some(entry.dtype()).filter(|dtype| dtype.is_known()),
                    stored_type: entry.dtype().to_string(),
                    shape: entry.shape().clone(),
                })
            })
            .collect()
    }

    fn tensor(&self, key: &[u8]) -> Result<Tensor> {
        BundleReader::tensor(self, key)
    }
}

#[cfg(feature = "safetensors")]
impl TensorSource for SafetensorsReader {
    fn list(&self) -> Result<Vec<SourceTensor>> {
        let tensors = self.tensors().map(|info| SourceTensor {
            key: info.name().into(),
            dtype: info.dtype(),
            stored_type: info.element_type().to_owned(),
            shape: info.shape().clone(),
        });
        Ok(tensors.collect())
    }

    fn tensor(&self, key: &[u8]) -> Result<Tensor> {
        SafetensorsReader::tensor(self, name_of(key)?)
    }
}

#[cfg(feature = "npz")]
impl TensorSource for NpzReader {
    fn list(&self) -> Result<Vec<SourceTensor>> {
        self.names()
            .map(|name| {
                let info = self.info(name)?;
                Ok(SourceTensor {
                    key: name.into(),
                    dtype: info.dtype,
                    stored_type: info.descr,
                    shape: info.shape,
                })
            })
            .collect()
    }

    fn tensor(&self, key: &[u8]) -> Result<Tensor> {
        NpzReader::tensor(self, name_of(key)?)
    }
}

#[cfg(any(feature = "npz", feature = "safetensors"))]
fn name_of(key: &[u8]) -> Result<&str> {
    std::str::from_utf8(key).map_err(|_| Error::not_found("tensor").for_key(key))
}

/// Opens what a path means: a `.safetensors` file or its `.index.json`, a `.npz` file, and whatever
/// [`locate_bundle`] takes; a directory without a bundle may have a `model.safetensors`.
///
/// # Errors
///
/// `Unsupported` for a format whose feature this build has not, and what opening answers.
pub fn open_source(path: impl AsRef<Path>) -> Result<Box<dyn TensorSource>> {
    let path = path.as_ref();
    let ends_with = |end: &str| path.to_str().is_some_and(|path| path.ends_with(end));
    if ends_with(".npz") && path.is_file() {
        return open_npz(path);
    }
    if (ends_with(".safetensors") || ends_with(".safetensors.index.json")) && path.is_file() {
        return open_safetensors(path);
    }
    let bundle = locate_bundle(path).and_then(BundleReader::open);
    if let Err(error) = &bundle
        && matches!(error.kind(), ErrorKind::NotFound { .. })
        && ["", ".index.json"]
            .iter()
            .any(|end| path.join(format!("model.safetensors{end}")).is_file())
    {
        return open_safetensors(path);
    }
    Ok(Box::new(bundle?))
}

#[cfg(feature = "npz")]
fn open_npz(path: &Path) -> Result<Box<dyn TensorSource>> {
    Ok(Box::new(NpzReader::open(path)?))
}

#[cfg(not(feature = "npz"))]
fn open_npz(path: &Path) -> Result<Box<dyn TensorSource>> {
    Err(without("npz").in_file(path))
}

#[cfg(feature = "safetensors")]
fn open_safetensors(path: &Path) -> Result<Box<dyn TensorSource>> {
    Ok(Box::new(SafetensorsReader::open(path)?))
}

#[cfg(not(feature = "safetensors"))]
fn open_safetensors(path: &Path) -> Result<Box<dyn TensorSource>> {
    Err(without("safetensors").in_file(path))
}

#[cfg(not(all(feature = "npz", feature = "safetensors")))]
fn without(feature: &str) -> Error {
    Error::unsupported(format!(
        "this build was made without the feature `{feature}`"
    ))
}
