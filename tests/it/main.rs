//! Integration tests.

mod op_facts;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod goldens;
mod proto;
mod tensorflow;
mod vectors;
