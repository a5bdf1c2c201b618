//! Tensors: element types, shapes, slices and the values themselves.
//!
//! A [`Tensor`] is a [`DType`], a [`Shape`] and reference-counted bytes. The three are proven to
//! agree when it is made, so nothing that reads it later can fail for their sake. Bytes of
//! fixed-size elements are row-major and little-endian whatever the machine, as in a tensor
//! bundle; element types narrower than a byte take one byte each, also as there.
//!
//! ```text
//! dtype ──┐                    ┌── Dense     bytes: element 0, element 1, …   FLOAT, INT64, …
//! shape ──┼── Tensor ── data ──┼── Strings   ends + bytes, see `Strings`      STRING
//! data  ──┘                    └── Opaque    one message per element          VARIANT, RESOURCE
//! ```
//!
//! | part | holds |
//! |---|---|
//! | `dtype` | [`DType`], TensorFlow's `DataType` numbers with their names and sizes |
//! | `shape` | [`Shape`] and [`PartialShape`] |
//! | `slice` | [`TensorSlice`], a box cut from a tensor, and copying between such boxes |
//! | `strings` | [`Strings`], the elements of a string tensor in one arena |
//! | `element` | [`Element`], the Rust types that elements are read and written as |
//! | `tensor` | [`Tensor`] |
//! | `view` | [`TensorView`], the same with borrowed bytes |
//! | `tensor_proto` | a tensor from a `TensorProto`, and back |
//! | `numeric` | elements of every numeric dtype as `f64`, and small floating-point formats back |
//! | `statistics` | [`Statistics`], the range and moments of a tensor's values |

mod dtype;
mod element;
mod float_format;
mod numeric;
mod shape;
mod slice;
mod statistics;
mod strings;
#[expect(
    clippy::module_inception,
    reason = "the floor is named for its main type"
)]
mod tensor;
mod tensor_proto;
mod view;

pub use dtype::DType;
pub use element::Element;
pub(crate) use numeric::{Decode, decoder, round_to_half};
pub use shape::{Dimension, PartialShape, Shape};
pub use slice::{Extent, TensorSlice};
pub(crate) use slice::{Runs, copy_region, intersect};
pub use statistics::Statistics;
pub use strings::Strings;
pub use tensor::Tensor;
pub(crate) use tensor_proto::Repeats;
pub use view::TensorView;
