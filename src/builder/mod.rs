//! Building SavedModels: from a graph and values to a directory that TensorFlow loads.
//!
//! | part | holds |
//! |---|---|
//! | `saved_model` | [`SavedModelBuilder`]: the directory, written beside its place and moved there |
//! | `meta_graph` | [`MetaGraphBuilder`]: one program for one set of tags |
//! | `signature` | the signatures of TensorFlow's helpers |
//! | `default_attrs` | attrs at their default, stripped |
//! | `trained_variables` | the collections by which loaders know a graph's variables |
//! | `asset_names` | names of assets that are told apart |
//! | `extra_assets` | files for the serving system |
//! | `constants` | the names that TensorFlow reserves |

mod asset_names;
pub mod constants;
mod default_attrs;
mod extra_assets;
mod meta_graph;
mod saved_model;
mod signature;
mod trained_variables;

pub use meta_graph::MetaGraphBuilder;
pub use saved_model::{SavedModelBuilder, SavedModelBuilderOptions};
