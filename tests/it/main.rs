//! Integration tests.

#[cfg(feature = "cli")]
mod cli;
mod corrupt;
mod forge;
mod proto;
mod vectors;
