//! Integration tests.

mod answers;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod cli_overview;
mod corrupt;
#[cfg(feature = "cli")]
mod documents;
mod examples;
mod fixtures;
mod forge;
#[cfg(feature = "cli")]
mod goldens;
mod hostile_models;
#[cfg(feature = "cli")]
mod inspection;
mod interop;
mod layers;
mod model;
mod object_graph;
mod op_facts;
mod overview;
mod proto;
mod records;
mod tensor_protos;
mod tensorflow;
mod text;
mod vectors;
mod writing;
