//! Reads TensorFlow's SavedModel format in pure Rust.

pub mod bundle;
mod error;
pub mod proto;
pub mod store;
pub mod table;
mod tensor;
pub mod wire;

pub use bundle::{BundleEntry, BundleReader};
pub use error::{Error, ErrorKind, Result};
pub use prost::bytes::Bytes;
pub use tensor::{
    DType, Dimension, Element, Extent, PartialShape, Shape, Statistics, Strings, Tensor,
    TensorSlice,
};
