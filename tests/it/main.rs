//! Integration tests.

mod answers;
mod array_text;
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
mod default_attrs;
#[cfg(feature = "cli")]
mod documents;
mod example_models;
mod examples;
mod exchange;
mod export_outputs;
mod expressions;
mod fingerprints;
mod fixtures;
mod forge;
mod forge_chunks;
mod function_aliases;
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
mod partitioned_variables;
mod pickles;
mod printing;
mod proto;
mod random;
#[cfg(all(unix, feature = "cli"))]
mod readme;
mod records;
mod refused_models;
mod replacing;
#[cfg(feature = "cli")]
mod running;
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
#[cfg(feature = "safetensors")]
mod variable_values;
mod vectors;
mod writing;
