//! Integration tests.

mod proto;
mod vectors;
