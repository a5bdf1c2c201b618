//! Integration tests.

mod answers;
mod chunked;
#[cfg(feature = "cli")]
mod cli;
mod corrupt;
mod examples;
mod fixtures;
mod forge;
mod forge_chunks;
#[cfg(feature = "cli")]
mod goldens;
mod hostile_chunks;
mod hostile_models;
mod interop;
mod layers;
mod model;
mod object_graph;
mod op_facts;
mod proto;
mod records;
mod tensor_protos;
mod tensorflow;
mod text;
mod vectors;
mod writing;
