//! Reads TensorFlow's SavedModel format in pure Rust, without TensorFlow.
//!
//! A SavedModel is a directory: the program in `saved_model.pb`, the variables in a
//! [tensor bundle](bundle) under `variables/`, assets, a fingerprint. A checkpoint is a tensor bundle
//! alone. This version reads both and writes checkpoints.
//!
//! ```
//! use savedmodel::SavedModel;
//!
//! let model = SavedModel::open("tests/fixtures/keras3_saved")?;
//! for (key, signature) in model.meta_graph(["serve"])?.signatures()? {
//!     println!("{key}: {signature}");
//! }
//! let kernel = model.variables()?.tensor("_operations/1/_kernel/.ATTRIBUTES/VARIABLE_VALUE")?;
//! assert_eq!(kernel.shape().dims(), [4, 6]);
//! println!("{:?}", kernel.values::<f32>()?.first());
//! # Ok::<(), savedmodel::Error>(())
//! ```
//!
//! | what | where |
//! |---|---|
//! | a model: meta graphs, signatures, graph, assets | [`SavedModel`], [`model`] |
//! | variables and checkpoints | [`BundleReader`], [`BundleWriter`], [`bundle`] |
//! | tensors | [`Tensor`], [`DType`], [`Shape`], [`TensorSlice`], [`Strings`] |
//! | objects, their names, functions | [`object_graph`] |
//! | where bytes come from | [`store`] |
//! | TFRecord files | [`record`] |
//! | `tf.Example`, and what a model expects in them | [`example`] |
//! | the ops of TensorFlow: inputs, outputs, attrs | [`op`] |
//! | protobuf messages, lazy and lossless | [`wire`] |
//! | protobuf messages, decoded | [`proto`] |
//! | the index's file format | [`table`] |
//! | text format, as in `saved_model.pbtxt` | [`text`] |
//!
//! Files may be damaged or hostile: every function that reads them answers an [`Error`] that names
//! the file, the byte and the tensor, and takes no more memory than the file explains.
//!
//! # Features
//!
//! `cli` builds the command line tool `savedmodel`. The library is the same with and without.
//! `tf-runtime` adds the module `runtime`, which runs models through an installed TensorFlow.

pub mod bundle;
mod error;
pub mod example;
pub mod model;
pub mod object_graph;
pub mod op;
pub mod proto;
pub mod record;
#[cfg(feature = "tf-runtime")]
pub mod runtime;
pub mod store;
pub mod table;
mod tensor;
pub mod text;
pub mod wire;

pub use bundle::{BundleEntry, BundleReader, BundleWriter};
pub use error::{Error, ErrorKind, Result};
pub use model::{MetaGraph, SavedModel, Signature, TensorInfo};
pub use prost::bytes::Bytes;
pub use tensor::{
    DType, Dimension, Element, Extent, PartialShape, Shape, Statistics, Strings, Tensor,
    TensorSlice,
};

/// The examples of the README, so that they are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// What may be shared by threads, and sent to them, must stay so: it would be a breaking change.
#[cfg(test)]
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<SavedModel>();
    shared::<MetaGraph<'_>>();
    shared::<Signature>();
    shared::<BundleReader>();
    shared::<Tensor>();
    shared::<Error>();
    shared::<object_graph::ObjectGraph>();
    shared::<object_graph::CheckpointGraph>();
    shared::<table::Reader>();
    shared::<store::Blob>();
    #[cfg(feature = "tf-runtime")]
    {
        shared::<runtime::Runtime>();
        shared::<runtime::SavedModelBundle>();
        shared::<runtime::SignatureRunner>();
        shared::<runtime::RestoredFunction<'_>>();
    }
};
