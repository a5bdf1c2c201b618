//! Integration tests.

mod answers;
#[cfg(unix)]
mod checkpoint_states;
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
mod merging;
mod model;
mod object_graph;
mod op_facts;
mod proto;
mod random;
mod records;
mod replacing;
mod streaming;
mod tensor_protos;
mod tensorflow;
mod text;
mod vectors;
mod writing;
