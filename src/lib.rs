//! Reads TensorFlow's SavedModel format in pure Rust.

#[allow(dead_code)] // until the floors above it stand
mod error;
pub mod proto;
#[allow(dead_code)] // until the floors above it stand
pub mod store;
#[allow(dead_code)] // until the floors above it stand
pub mod table;
#[allow(dead_code)] // until the floors above it stand
mod tensor;
#[allow(dead_code)] // until the floors above it stand
pub mod wire;

pub use error::{Error, ErrorKind, Result};
pub use prost::bytes::Bytes;
pub use tensor::{
    DType, Dimension, Element, Extent, PartialShape, Shape, Statistics, Strings, Tensor,
    TensorSlice,
};
