//! Integration tests.

mod examples;
mod op_facts;
mod proto;
mod records;
mod tensorflow;
mod vectors;
