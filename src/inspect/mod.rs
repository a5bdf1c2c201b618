//! What a model holds, summed up: for people, and for programs in other languages.
//!
//! Everything here is read with the other modules of this crate and put into plain structs, the
//! *reports*. Their lists are in an order that does not change from run to run, and with the feature
//! `serde` they can be serialized. The command line tool prints them as tables, and as they are with
//! `--json`; its schema (`savedmodel schema`) describes the form they have there.
//!
//! ```
//! use savedmodel::SavedModel;
//! use savedmodel::inspect::SignatureReport;
//!
//! let model = SavedModel::open("tests/fixtures/keras3_saved")?;
//! let signature = model.meta_graph(["serve"])?.signature("serving_default")?;
//! let report = SignatureReport::of("serving_default", &signature);
//! assert_eq!(report.inputs[0].to_string(), "inputs: float32[?, 4]");
//! # Ok::<(), savedmodel::Error>(())
//! ```
//!
//! | part | holds |
//! |---|---|
//! | `absolute_path` | paths of another machine, told from other texts |
//! | `bundle` | [`BundleReport`]: tensors in numbers |
//! | `checkpoint` | [`CheckpointOverview`] |
//! | `concrete_function` | [`ConcreteFunctionReport`], [`Parameters`]: how functions are called |
//! | `example_input` | which parsing of examples an input leads to |
//! | `files` | [`FilesReport`]: sizes, and what a save left behind |
//! | `function_library` | [`FunctionLibrary`], [`FunctionBody`]: functions, and who calls which |
//! | `look` | the look at one meta graph for what is odd |
//! | `model` | [`ModelOverview`] |
//! | `name_hash` | maps by names of nodes and functions, and numbers for names |
//! | `node_index` | nodes by name |
//! | `number` | [`Number`]: a float, also where JSON has none |
//! | `object_layout` | which object stands where in a tree |
//! | `object_tree` | [`ObjectTree`]: the objects of a model or a checkpoint |
//! | `oddity` | [`Oddity`]: what is not as it should be |
//! | `op_census` | [`OpCensus`]: how many nodes of each op, where, and who has the op |
//! | `outline` | what stands beside nodes and functions, and pieces of those for threads |
//! | `parameters` | [`ParametersReport`], and what is stored twice |
//! | `pieces` | work on pieces that are found meanwhile, on several threads |
//! | `program` | a graph and its library, walked once: what reports are made of |
//! | `raw_node` | a node whose fields are found when they are asked for |
//! | `reach` | [`Reach`]: how a function can come to run |
//! | `sample_input`, `sample_json`, `sample_text` | its values, and how they are written |
//! | `sample_request` | [`SampleRequest`]: what TensorFlow Serving can be asked |
//! | `signature` | [`SignatureReport`]: what can be run |
//! | `structure` | [`Structure`]: the types of a function's arguments and results |
//! | `type_text` | [`TypeText`]: `float32[?, 224, 224, 3]` |
//! | `variable_flow` | which variables are restored and which are used |
//! | `walk` | what one thread finds in pieces of a graph |
//! | `writer` | [`WriterReport`]: who wrote a model |

mod absolute_path;
mod bundle;
mod checkpoint;
mod concrete_function;
mod example_input;
mod files;
mod function_library;
mod look;
mod model;
mod name_hash;
mod node_index;
mod number;
mod object_layout;
mod object_tree;
mod oddity;
mod op_census;
mod outline;
mod parameters;
mod pieces;
mod program;
mod raw_node;
mod reach;
mod sample_input;
mod sample_json;
mod sample_request;
mod sample_text;
mod signature;
mod structure;
mod type_text;
mod variable_flow;
mod walk;
mod writer;

pub use bundle::{BundleReport, DTypeReport, StoredTensor};
pub use checkpoint::CheckpointOverview;
pub use concrete_function::{ConcreteFunctionReport, Parameters};
pub use example_input::input_parsing_specs;
pub use files::FilesReport;
pub use function_library::{
    FunctionArgument, FunctionBody, FunctionLibrary, FunctionNode, FunctionReport, FunctionReturn,
};
pub use model::{FingerprintReport, MetaGraphReport, ModelOverview};
pub use number::Number;
pub use object_tree::{ObjectDetail, ObjectEntry, ObjectTree, ObjectTreeOptions, StoredAttribute};
pub use oddity::{Oddity, OddityCode, Severity};
pub use op_census::{OpCensus, OpCount, OpLocation, OpOrigin, locate_op};
pub use parameters::ParametersReport;
pub use reach::Reach;
pub use sample_request::{InputExample, SampleOptions, SampleRequest};
pub use signature::{SignatureEncoding, SignatureReport, SignatureTensor};
pub use structure::{NamedStructure, Structure};
pub use type_text::TypeText;
pub use writer::{Framework, WriterReport};
