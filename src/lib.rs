//! Reads TensorFlow's SavedModel format in pure Rust.

#[allow(dead_code)] // until the floors above it stand
mod error;
mod tensor;

pub use error::{Error, ErrorKind, Result};
pub use prost::bytes::Bytes;
pub use tensor::{
    DType, Dimension, Element, Extent, PartialShape, Shape, Statistics, Strings, Tensor,
    TensorSlice,
};
