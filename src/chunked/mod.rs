//! Split models: the program in chunks, in `saved_model.cpb`.
//!
//! A protobuf message cannot be longer than 2 GiB. So TensorFlow's `proto_splitter` cuts a larger
//! program into chunks, each a message or the bytes of one field, and writes them as the records of
//! a Riegeli file. The last record says how they make the whole:
//!
//! ```text
//! record 0   chunk 0: the SavedModel, less what was cut off
//! record 1   chunk 1: nodes of its graph
//! record 2   chunk 2: the elements of one constant
//! record 3   ChunkMetadata:
//!              chunks   0: 5102 bytes at 64    1: 1073741810 bytes at 5210    2: …
//!              message  chunk 0
//!                       meta_graphs[0].graph_def: chunk 1
//!                       meta_graphs[0].graph_def.node[5].attr["value"].tensor.tensor_content: chunk 2
//! ```
//!
//! **Open-source TensorFlow neither writes nor loads such files**; Google's internal builds do.
//! Its `Merger`, in the libraries of the Python package, reads them, and reads what is written
//! here.
//!
//! [`SavedModel::open`](crate::SavedModel::open) reads a split model as any other. [`ChunkedProto`]
//! is the file itself, [`SplitOptions`] writes one, [`write_binary`] makes one file of it again.
//!
//! What TensorFlow's reader trusts is checked here: that chunks exist, are where the metadata says
//! and as long, that paths lead where the schema has fields, that the file ends with its last
//! record. Records may be stored as they are, or compressed with Brotli, TensorFlow's default, or
//! Snappy; Zstd and transposed chunks are refused by name.

mod constant;
mod contents;
mod file;
mod layout;
mod list;
mod metadata;
mod order;
mod outline;
mod plan;
mod riegeli;
mod rope;
mod scalar;
mod split;
mod write;

pub use file::ChunkedProto;
pub use metadata::{
    ChunkInfo, ChunkKind, ChunkMetadata, ChunkedField, ChunkedMessage, FieldIndex, MapKey,
};
pub use write::{OtherForms, Small, SplitOptions, Written, write_binary};
