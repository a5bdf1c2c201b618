//! Integration tests.

#[cfg(feature = "cli")]
mod cli;
mod model;
mod proto;
mod vectors;
