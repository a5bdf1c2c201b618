//! Integration tests.

#[cfg(feature = "cli")]
mod cli;
mod object_graph;
mod proto;
mod vectors;
