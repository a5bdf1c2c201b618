//! Integration tests.

mod op_facts;
mod proto;
mod tensorflow;
mod vectors;
