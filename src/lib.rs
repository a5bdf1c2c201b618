//! Reads and writes TensorFlow's SavedModel format in pure Rust, without TensorFlow.
//!
//! A SavedModel is a directory: the program in `saved_model.pb`, the variables in a
//! [tensor bundle](bundle) under `variables/`, assets, a fingerprint. A checkpoint is a tensor bundle
//! alone.
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
//! | objects, their names, functions; checkpoints of described objects | [`object_graph`] |
//! | a model's identity: hashes of its parts | [`Fingerprint`], [`mod@fingerprint`] |
//! | tensors | [`Tensor`], [`TensorView`], [`DType`], [`Shape`], [`TensorSlice`], [`Strings`] |
//! | what is in a model, summed up | [`inspect`] |
//! | what a model can do besides computing | [`scan`] |
//! | split models, `saved_model.cpb` | [`chunked`] |
//! | where bytes come from | [`store`] |
//! | models of one's own, built and written | [`builder`] |
//! | graphs, built node by node | [`graph`] |
//! | tensors from one format to another | [`exchange`] |
//! | arrays of numpy | [`numpy`] |
//! | the safetensors format | `safetensors` |
//! | TFRecord files | [`record`] |
//! | `tf.Example`, and what a model expects in them | [`example`] |
//! | what TensorFlow Serving reads: versions, warm-up requests, settings | [`serving`] |
//! | the ops of TensorFlow: inputs, outputs, attrs | [`op`] |
//! | protobuf messages, lazy and lossless | [`wire`] |
//! | protobuf messages, decoded | [`proto`] |
//! | the index's file format | [`table`] |
//! | text format, as in `saved_model.pbtxt` | [`text`] |
//!
//! | to | see |
//! |---|---|
//! | take a weight by its Python name, `layers/0/kernel` | [`ObjectGraph::variable`](object_graph::ObjectGraph::variable) |
//! | walk all variables, or read all | [`BundleReader::entries`], [`BundleReader::read_all`] |
//! | change a model, as the name of an input, and save it | [`SavedModel::to_proto`] |
//! | save it in another form | [`SavedModel::save_as`] |
//! | write a checkpoint, or change one | [`BundleWriter`], [`object_graph::ObjectTree`] |
//! | write a model from scratch | [`builder::SavedModelBuilder`], and `examples/` of the repository |
//! | see what is wrong with a model | [`inspect::ModelOverview`] |
//!
//! Files may be damaged or hostile: every function that reads them answers an [`Error`] that names
//! the file, the byte and the tensor, and takes no more memory than the file explains.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `npz` | several arrays of numpy in a file: `numpy::NpzReader`, `numpy::NpzWriter` |
//! | `safetensors` | the module of that name, and [`exchange`] with that format |
//! | `tf-runtime` | the module `runtime`, which runs models through an installed TensorFlow, as does `savedmodel run` |
//! | `cli` | the command line tool `savedmodel`, with `npz`, `safetensors` and `serde` |
//! | `serde` | reports of [`inspect`] and [`scan`] that can be serialized |
//!
//! None is on by default, and what is there without them is the same with them.

pub mod builder;
pub mod bundle;
pub mod chunked;
mod error;
pub mod example;
pub mod exchange;
pub mod fingerprint;
pub mod graph;
pub mod inspect;
pub mod model;
pub mod numpy;
pub mod object_graph;
pub mod op;
#[cfg(any(feature = "npz", feature = "safetensors"))]
mod output;
pub mod proto;
pub mod record;
#[cfg(feature = "tf-runtime")]
pub mod runtime;
#[cfg(feature = "safetensors")]
pub mod safetensors;
pub mod scan;
pub mod serving;
pub mod store;
pub mod table;
mod tensor;
pub mod text;
pub mod wire;
#[cfg(feature = "npz")]
mod zip;

pub use bundle::{BundleEntry, BundleReader, BundleWriter};
pub use error::{Error, ErrorKind, Result};
pub use fingerprint::Fingerprint;
pub use model::{MetaGraph, SavedModel, Signature, TensorInfo};
pub use prost::bytes::Bytes;
pub use tensor::{
    DType, Dimension, Element, Extent, PartialShape, Shape, Statistics, Strings, Tensor,
    TensorSlice, TensorView,
};

/// The examples of the README, so that they are compiled and run; one needs the feature.
#[cfg(all(doctest, feature = "tf-runtime"))]
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
    shared::<object_graph::ObjectTree>();
    shared::<table::Reader>();
    shared::<store::Blob>();
    shared::<numpy::NpyReader>();
    shared::<Box<dyn exchange::TensorSource>>();
    #[cfg(feature = "tf-runtime")]
    {
        shared::<runtime::Runtime>();
        shared::<runtime::SavedModelBundle>();
        shared::<runtime::SignatureRunner>();
        shared::<runtime::RestoredFunction<'_>>();
    }
};
