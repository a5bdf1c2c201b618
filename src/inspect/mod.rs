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
//! | `concrete_function` | [`ConcreteFunctionReport`], [`Parameters`]: how functions are called |
//! | `example_input` | which parsing of examples an input leads to |
//! | `function_library` | [`FunctionLibrary`], [`FunctionBody`]: functions, and who calls which |
//! | `number` | [`Number`]: a float, also where JSON has none |
//! | `object_layout` | which object stands where in a tree |
//! | `object_tree` | [`ObjectTree`]: the objects of a model or a checkpoint |
//! | `op_census` | [`OpCensus`]: how many nodes of each op, where, and who has the op |
//! | `program` | the walk over a graph and its library that both are made of |
//! | `sample_request` | [`SampleRequest`]: what TensorFlow Serving can be asked |
//! | `sample_input`, `sample_json`, `sample_text` | its values, and how they are written |
//! | `signature` | [`SignatureReport`]: what can be run |
//! | `structure` | [`Structure`]: the types of a function's arguments and results |
//! | `type_text` | [`TypeText`]: `float32[?, 224, 224, 3]` |

mod concrete_function;
mod example_input;
mod function_library;
mod number;
mod object_layout;
mod object_tree;
mod op_census;
mod program;
mod sample_input;
mod sample_json;
mod sample_request;
mod sample_text;
mod signature;
mod structure;
mod type_text;

pub use concrete_function::{ConcreteFunctionReport, Parameters};
pub use function_library::{
    FunctionArgument, FunctionBody, FunctionLibrary, FunctionNode, FunctionReport, FunctionReturn,
};
pub use number::Number;
pub use object_tree::{ObjectDetail, ObjectEntry, ObjectTree, ObjectTreeOptions, StoredAttribute};
pub use op_census::{OpCensus, OpCount, OpLocation, OpOrigin, locate_op};
pub use program::Reach;
pub use sample_request::{InputExample, SampleOptions, SampleRequest};
pub use signature::{SignatureEncoding, SignatureReport, SignatureTensor};
pub use structure::{NamedStructure, Structure};
pub use type_text::TypeText;
