//! Integration tests.

mod proto;
mod text;
mod vectors;
