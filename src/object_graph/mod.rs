//! The object graph of a TensorFlow 2 model or checkpoint: which Python objects were saved, under
//! which names, and how their functions are called.
//!
//! ```text
//! saved_model.pb                                    variables/variables
//!   object_graph_def: SavedObjectGraph                _CHECKPOINTABLE_OBJECT_GRAPH
//!     object 0, the root ── layers ─→ object 1          object 0 ── layers ─→ object 1
//!     object 1, a list   ── 0 ──────→ object 2          object 1 ── 0 ──────→ object 2
//!     object 2           ── w ──────→ object 3          object 2 ── w ──────→ object 3
//!     object 3, a variable: float32 [3, 4]              object 3: VARIABLE_VALUE is under
//!     concrete_functions: name → signature                        layers/0/w/.ATTRIBUTES/VARIABLE_VALUE
//! ```
//!
//! The left one is an [`ObjectGraph`]: kinds of objects, functions, but no keys. The right one is a
//! [`CheckpointGraph`]: keys, but no kinds. [`ObjectGraph::with_checkpoint`] matches them by the
//! names of their edges. A checkpoint outside of a model has the right one alone.
//!
//! # Writing
//!
//! A checkpoint of TensorFlow 2 is written of an [`ObjectTree`], in which a program describes the
//! objects. One of TensorFlow 1 needs no objects: its keys are the names of variables.
//!
//! | to be read by | write |
//! |---|---|
//! | `tf.train.Checkpoint.restore` | [`ObjectTree::save`], [`ObjectTree::write`] |
//! | `tf.compat.v1.train.Saver.restore`, `init_from_checkpoint` | `bundle.add("layer/kernel", &tensor)?`, and [`add_slice`](crate::BundleWriter::add_slice) for each piece of a partitioned variable |
//! | both | [`ObjectTree::write_into`] beside the other keys in one [`BundleWriter`](crate::BundleWriter) |
//!
//! | part | holds |
//! |---|---|
//! | `graph` | [`ObjectGraph`] |
//! | `object` | [`Object`] and [`ObjectKind`] |
//! | `path` | [`ObjectPath`]: names of objects, and objects by name |
//! | `variable` | [`Variable`], [`SlotVariable`] |
//! | `function` | [`Function`], [`ConcreteFunction`], [`FunctionSpec`] |
//! | `structured_value` | [`StructuredValue`]: types of arguments and results |
//! | `checkpoint` | [`CheckpointGraph`], and what of it belongs to which object |
//! | `fault` | [`Fault`]: what keeps TensorFlow from loading the objects |
//! | `object_tree` | [`ObjectTree`]: objects as a program describes them, to be written |
//! | `tracking` | what is put into one, and what is refused |
//! | `described_object` | [`Child`]: an object to be, and how it is kept |
//! | `described_variable` | [`DescribedVariable`]: a variable to be |
//! | `stored_tree` | an [`ObjectTree`] of a checkpoint that is there |
//! | `serialized_tree` | [`SerializedTree`]: numbers, keys, and the message |
//! | `saved_objects` | an [`ObjectTree`] as the objects of a model |
//! | `described_value` | values and parameters of functions to be |
//! | `saved_tree` | a checkpoint of its own, numbered as `tf.train.Checkpoint.save` does |

mod checkpoint;
mod described_object;
mod described_value;
mod described_variable;
mod fault;
mod function;
mod graph;
mod object;
mod object_tree;
mod path;
mod saved_objects;
mod saved_tree;
mod serialized_tree;
mod stored_tree;
mod structured_value;
mod tracking;
mod variable;

pub use checkpoint::{
    CheckpointAttribute, CheckpointGraph, CheckpointObject, CheckpointSlotVariable,
};
pub use described_object::Child;
pub use described_variable::DescribedVariable;
pub use fault::{Fault, FaultKind};
pub use function::{
    BareConcreteFunction, ConcreteFunction, FullArgSpec, Function, FunctionSpec, JitCompile,
};
pub use graph::ObjectGraph;
pub use object::{Object, ObjectKind, Saveable, UserObject};
pub use object_tree::{ObjectTree, Trackable};
pub use path::ObjectPath;
pub(crate) use saved_objects::{SavedObjects, user_object};
pub use serialized_tree::SerializedTree;
pub(crate) use serialized_tree::{TreeValue, TreeValues};
pub use structured_value::{
    BoundedTensorSpec, NamedTuple, StructuredValue, TensorSpec, TypeSpec, TypeSpecClass,
};
pub use variable::{SlotVariable, Variable, VariableAggregation, VariableSynchronization};

/// The names of Python classes that TensorFlow revives as such; any other becomes a generic object.
pub mod identifier {
    /// An object of a class that TensorFlow knows nothing about.
    pub const GENERIC: &str = "_generic_user_object";
    /// The map of signatures.
    pub const SIGNATURE_MAP: &str = "signature_map";
    /// A list.
    pub const LIST: &str = "trackable_list_wrapper";
    /// A dict.
    pub const DICT: &str = "trackable_dict_wrapper";
    /// A tuple.
    pub const TUPLE: &str = "trackable_tuple_wrapper";
    /// An optimizer of Keras 2, which has slot variables.
    pub const OPTIMIZER: &str = "optimizer";
}
