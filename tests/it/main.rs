//! Integration tests.

#[cfg(feature = "cli")]
mod cli;
mod proto;
mod vectors;
