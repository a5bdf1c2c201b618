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
//! | `partitioned_variable` | [`PartitionedVariable`]: a variable in slices |
//! | `saver` | the nodes that save and restore variables |
//! | `known_shape` | what is known of the shapes of results |
//!
//! Any op of TensorFlow is added by its name, with [`GraphBuilder::op`]. For those that networks are made
//! of [`GraphBuilder`] has methods:
//!
//! | part | methods |
//! |---|---|
//! | `math` | arithmetic, comparisons, logic: [`add`](GraphBuilder::add), [`less`](GraphBuilder::less), [`matmul`](GraphBuilder::matmul), [`cast`](GraphBuilder::cast), [`select`](GraphBuilder::select) |
//! | `reduction` | [`reduce_sum`](GraphBuilder::reduce_sum) and the like, [`argmax`](GraphBuilder::argmax), [`top_k`](GraphBuilder::top_k) |
//! | `array` | [`reshape`](GraphBuilder::reshape), [`concat`](GraphBuilder::concat), [`split`](GraphBuilder::split), [`transpose`](GraphBuilder::transpose), [`stack`](GraphBuilder::stack) |
//! | `indexing` | [`strided_slice`](GraphBuilder::strided_slice), [`gather`](GraphBuilder::gather) |
//! | `nn` | [`relu`](GraphBuilder::relu) and the like, [`layer_norm`](GraphBuilder::layer_norm), [`embedding_lookup`](GraphBuilder::embedding_lookup), [`attention`](GraphBuilder::attention) |
//! | `convolution` | [`conv2d`](GraphBuilder::conv2d), [`max_pool`](GraphBuilder::max_pool) |
//! | `string` | [`string_join`](GraphBuilder::string_join), [`regex_replace`](GraphBuilder::regex_replace) |
//! | `lookup` | [`vocabulary_table`](GraphBuilder::vocabulary_table), [`hash_table`](GraphBuilder::hash_table) |
//! | `parsing` | [`parse_example`](GraphBuilder::parse_example) |

mod array;
mod attr;
mod builder;
mod control_flow;
mod convolution;
mod function;
mod indexing;
mod known_shape;
mod lookup;
mod math;
mod name;
mod nn;
mod op_builder;
mod output;
mod parsing;
mod partitioned_variable;
mod reduction;
mod saver;
mod string;
mod variable;

pub use attr::Attr;
pub use builder::GraphBuilder;
pub use convolution::Padding;
pub use function::Function;
pub use indexing::Index;
pub use lookup::{LookupTable, OutOfVocabulary};
pub use op_builder::OpBuilder;
pub use output::{Operation, Output};
pub use parsing::{ParsedExample, RaggedOutput, SparseOutput};
pub use partitioned_variable::{PartitionedVariable, SaveSliceInfo};
pub use saver::SavedVariable;
pub use variable::Variable;
