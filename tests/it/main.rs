//! Integration tests.

mod answers;
mod building;
#[cfg(feature = "cli")]
mod cli;
mod corrupt;
mod examples;
mod fingerprints;
mod fixtures;
mod forge;
#[cfg(feature = "cli")]
mod goldens;
mod hostile_models;
mod interop;
mod layers;
mod model;
mod object_graph;
mod object_trees;
mod op_facts;
mod printing;
mod proto;
mod records;
mod salvage;
mod scratch;
mod tensor_protos;
mod tensorflow;
mod text;
mod vectors;
mod writing;
