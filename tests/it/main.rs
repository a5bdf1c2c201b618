//! Integration tests.

mod op_facts;
#[cfg(feature = "cli")]
mod cli;
mod proto;
mod tensorflow;
mod vectors;
