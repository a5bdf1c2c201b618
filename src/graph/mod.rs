//! Graphs, built node by node: what a SavedModel computes.
//!
//! | part | holds |
//! |---|---|
//! | `builder` | [`GraphBuilder`]: nodes, names, scopes, the function library |
//! | `op_builder` | [`OpBuilder`]: one node, checked against the op's registration |
//! | `output` | [`Output`] and [`Operation`]: tensors and nodes that are there |
//! | `attr` | [`Attr`]: the values of attrs |
//! | `name` | which names nodes may have, and which they get |
//! | `function` | [`Function`]: bodies with arguments, and calls of them |
//! | `control_flow` | branches and loops, through functions |
//! | `variable` | [`Variable`]: reading and assigning |
//! | `saver` | the nodes that save and restore variables |

mod attr;
mod builder;
mod control_flow;
mod function;
mod name;
mod op_builder;
mod output;
mod saver;
mod variable;

pub use attr::Attr;
pub use builder::GraphBuilder;
pub use function::Function;
pub use op_builder::OpBuilder;
pub use output::{Operation, Output};
pub use saver::SavedVariable;
pub use variable::Variable;
