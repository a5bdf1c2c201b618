//! Protobuf's text format, in which `saved_model.pbtxt`, graph definitions and the file
//! `checkpoint` are written.
//!
//! [`parse`] turns text into the bytes of the binary format, for any message of the schema, and
//! [`print()`] those bytes into text; [`proto`](crate::proto) decodes them:
//!
//! ```
//! use prost::Message;
//! use savedmodel::{proto, text};
//!
//! let bytes = text::parse("node { name: 'x' op: 'NoOp' }", "tensorflow.GraphDef")?;
//! let graph = proto::GraphDef::decode(&bytes[..]).expect("canonical bytes");
//! assert_eq!(graph.node[0].name, "x");
//! # Ok::<(), savedmodel::Error>(())
//! ```

mod encoder;
mod fault;
mod lexer;
mod number;
mod parser;
mod printer;

pub(crate) use number::general;
pub use parser::parse;
pub use printer::{Printer, UnknownFields, print};

/// How deep messages may nest. Readers of the binary format stop there.
const MAX_DEPTH: usize = 100;
