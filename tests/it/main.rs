//! Integration tests.

mod answers;
mod casts;
#[cfg(feature = "cli")]
mod cli;
mod corrupt;
mod examples;
mod exchange;
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
#[cfg_attr(
    not(all(feature = "npz", feature = "safetensors")),
    allow(dead_code, reason = "tests of formats that are left out use the rest")
)]
mod tensor_sets;
mod tensorflow;
mod text;
mod vectors;
mod writing;
