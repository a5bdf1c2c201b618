//! Reads TensorFlow's SavedModel format in pure Rust.

#[allow(dead_code)] // until the floors above it stand
mod error;
pub mod proto;

pub use error::{Error, ErrorKind, Result};
