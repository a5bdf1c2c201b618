//! Integration tests.

#[cfg(feature = "cli")]
mod cli;
mod corrupt;
mod forge;
mod answers;
mod fixtures;
mod interop;
mod layers;
mod proto;
mod tensor_protos;
mod examples;
mod op_facts;
mod proto;
mod records;
mod tensorflow;
mod vectors;
