//! Building SavedModels: from a graph and values to a directory that TensorFlow loads.
//!
//! | part | holds |
//! |---|---|
//! | `saved_model` | [`SavedModelBuilder`]: the directory, written beside its place and moved there |
//! | `saved_model_options` | [`SavedModelBuilderOptions`]: how it is written |
//! | `program_file` | the file of the program, and the fingerprint |
//! | `meta_graph` | [`MetaGraphBuilder`]: one program for one set of tags |
//! | `object_model` | [`ObjectModelBuilder`]: the objects and functions of a model of TensorFlow 2 |
//! | `trace` | [`Trace`]: how a function of the graph is called, and what it captures |
//! | `parameters` | names and defaults of Python's parameters, and which traces fit them |
//! | `static_table` | [`StaticTable`]: what a table is filled of, and the functions that do |
//! | `function_aliases` | names of functions that stay from save to save |
//! | `object_signature` | signatures of such a model, and the functions that they are |
//! | `object_program` | its main graph, for loaders that know no objects |
//! | `object_nodes` | its objects, as `tf.saved_model.load` finds them |
//! | `signature` | the signatures of TensorFlow's helpers |
//! | `export_output` | [`ExportOutput`]: what a head of a network gives |
//! | `export_outputs` | [`ExportOutputs`]: all of them, as Estimator makes signatures of them |
//! | `declared_variable` | what variables a meta graph declares |
//! | `default_attrs` | attrs at their default, stripped |
//! | `restored_keys` | whether what a graph restores is there |
//! | `trained_variables` | the collections by which loaders know a graph's variables |
//! | `variable_value` | [`VariableValue`]: a tensor, or where its bytes come from |
//! | `variable_values` | values beside the variables that they are for |
//! | `asset_names` | names of assets that are told apart |
//! | `extra_assets` | files for the serving system |
//! | `constants` | the names that TensorFlow reserves |

mod asset_names;
pub mod constants;
mod declared_variable;
mod default_attrs;
mod export_output;
mod export_outputs;
mod extra_assets;
#[cfg(test)]
mod faults;
mod function_aliases;
mod meta_graph;
mod object_model;
mod object_nodes;
mod object_program;
mod object_signature;
mod parameters;
mod program_file;
mod restored_keys;
mod saved_model;
mod saved_model_options;
mod signature;
mod static_table;
mod trace;
mod trained_variables;
mod variable_value;
mod variable_values;

pub use export_output::{
    ClassificationOutput, ExportOutput, PredictOutput, RegressionOutput, SupervisedOutput,
};
pub use export_outputs::{ExportOutputs, ExportedSignatures, ServingInputReceiver};
pub use meta_graph::MetaGraphBuilder;
pub use object_model::{ModelObject, ObjectModelBuilder};
pub use saved_model::SavedModelBuilder;
pub use saved_model_options::{SavedModelBuilderOptions, SplitProto};
pub use static_table::StaticTable;
pub use trace::{Capture, Trace};
pub use variable_value::VariableValue;
