//! Integration tests.

mod answers;
mod building;
mod casts;
#[cfg(unix)]
mod checkpoint_states;
mod chunked;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod cli_comfort;
mod cli_convert;
#[cfg(feature = "cli")]
mod cli_fingerprint;
mod cli_overview;
#[cfg(feature = "cli")]
mod cli_tensors;
mod copies;
mod corrupt;
#[cfg(feature = "cli")]
mod documents;
mod example_models;
mod examples;
mod exchange;
mod fingerprints;
mod fixtures;
mod forge;
mod forge_chunks;
#[cfg(feature = "cli")]
mod goldens;
mod graph_ops;
mod hostile_chunks;
mod hostile_models;
#[cfg(feature = "cli")]
mod inspection;
mod interop;
mod layers;
mod merging;
mod model;
#[cfg(feature = "npz")]
mod npz;
mod numpy;
mod object_graph;
mod object_models;
mod object_trees;
mod op_facts;
mod overview;
mod printing;
mod proto;
mod random;
mod records;
mod replacing;
#[cfg(feature = "safetensors")]
mod safetensors;
mod salvage;
#[cfg(feature = "cli")]
mod scanning;
mod scratch;
mod serving;
mod split_sums;
mod streaming;
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
