//! Integration tests.

mod answers;
#[cfg(feature = "cli")]
mod cli;
mod corrupt;
mod examples;
mod fixtures;
mod forge;
#[cfg(feature = "cli")]
mod goldens;
mod hostile_models;
mod interop;
mod layers;
mod model;
#[cfg(feature = "npz")]
mod npz;
mod numpy;
mod object_graph;
mod op_facts;
mod proto;
mod records;
#[cfg(feature = "safetensors")]
mod safetensors;
mod tensor_protos;
#[cfg(any(feature = "npz", feature = "safetensors"))]
mod tensor_sets;
mod tensorflow;
mod text;
mod vectors;
mod writing;
