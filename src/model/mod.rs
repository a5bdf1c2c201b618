//! A SavedModel as a whole: its meta graphs, their signatures, graphs, assets and collections.
//!
//! ```text
//! resnet50/1/
//!     saved_model.pb        → SavedModel → MetaGraph (one for each set of tags)
//!                                            ├── Signature → TensorInfo   what can be run
//!                                            ├── Graph → Node, Function   the program
//!                                            ├── Asset                    files it reads
//!                                            └── collections, saver, versions, object graph
//!     variables/variables.* → BundleReader   the variables' values
//!     assets/               files that the graph reads
//!     assets.extra/         files for the serving system
//!     fingerprint.pb        hashes of the parts
//! ```
//!
//! Everything is a view of the model file's bytes, and decoded when somebody asks for it:
//! listing the signatures of a model of half a gigabyte reads a few pages of the file. What has
//! been decoded is owned, what has not borrows from the [`SavedModel`]. A model stored as text
//! (`saved_model.pbtxt`) is brought into the binary form first and is the same from there on.
//!
//! TensorFlow's own loader is in `tensorflow/cc/saved_model/loader.cc`; the messages are those of
//! `tensorflow/core/protobuf/meta_graph.proto`.
//!
//! | part | holds |
//! |---|---|
//! | `saved_model` | [`SavedModel`]: the directory, its meta graphs, and the files beside them |
//! | `copy` | [`ModelCopy`]: a model written again, its program in another form |
//! | `load` | which file is the model, and what it is if it is none |
//! | `locate` | [`locate`]: from what a user names to a model or a checkpoint |
//! | `meta_graph` | [`MetaGraph`] |
//! | `signature`, `tensor_info` | [`Signature`] and its [`TensorInfo`]s |
//! | `component` | [`Component`]: one tensor of those that they are made of |
//! | `graph` | [`Graph`], [`Node`], [`Function`] |
//! | `marked_op` | [`MarkedOp`]: the op to run after loading, the op to train |
//! | `asset` | [`Asset`] |
//! | `view` | messages not decoded yet, with the file in their errors |

mod asset;
mod component;
mod copy;
mod graph;
mod load;
mod locate;
mod marked_op;
mod meta_graph;
mod saved_model;
mod signature;
mod tensor_info;
mod view;

pub use asset::Asset;
pub use component::Component;
pub use copy::{CopiedModel, CopyProgress, ModelCopy};
pub use graph::{Function, Graph, Node};
pub use load::Format;
pub(crate) use locate::has_model;
pub use locate::{Located, ModelLocation, ModelVersion, locate, locate_model};
pub use marked_op::{MarkedOp, OpPlace};
pub use meta_graph::MetaGraph;
pub use saved_model::{SavedModel, SavedModelOptions};
pub use signature::{Signature, SignatureKind};
pub use tensor_info::{Encoding, TensorInfo};
