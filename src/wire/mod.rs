//! Protobuf messages as raw ranges of bytes, and the primitives every file of a SavedModel shares.
//!
//! A [`Message`] is a view of encoded bytes. Its [`fields`](Message::fields) are found one tag at a
//! time and nothing inside them is decoded until somebody asks, so that looking up one signature
//! in a file of half a gigabyte touches a few hundred bytes. Every [`Field`] knows its
//! [`raw`](Field::raw) bytes, tag included; written one after the other they are the message again,
//! bit for bit, which decoding into structs and encoding them cannot promise (unknown fields, the
//! order of maps and explicit defaults would be lost).
//!
//! ```
//! use savedmodel::wire::{Message, Value};
//!
//! //          field 1 = 7   field 2 = "hi"
//! let bytes = [0x08, 0x07,  0x12, 0x02, b'h', b'i'];
//! for field in Message::new(&bytes).fields() {
//!     let field = field?;
//!     match (field.number(), field.value()) {
//!         (1, Value::Varint(number)) => assert_eq!(number, 7),
//!         (2, Value::Bytes(text)) => assert_eq!(text, b"hi"),
//!         _ => {} // an unknown field, or a known one of another wire type
//!     }
//! }
//! # Ok::<(), savedmodel::Error>(())
//! ```

pub(crate) mod crc;
pub(crate) mod descriptor;
pub(crate) mod merged;
mod message;
pub(crate) mod ordered_code;
pub(crate) mod varint;

pub use message::{Field, Fields, Message, Value};
