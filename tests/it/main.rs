//! Integration tests.

mod answers;
mod building;
#[cfg(unix)]
mod checkpoint_states;
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
mod merging;
mod model;
mod object_graph;
mod object_trees;
mod op_facts;
mod printing;
mod proto;
mod random;
mod records;
mod replacing;
mod salvage;
mod scratch;
mod streaming;
mod tensor_protos;
mod tensorflow;
mod text;
mod vectors;
mod writing;
