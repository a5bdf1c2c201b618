//! Integration tests.

mod answers;
mod fixtures;
mod proto;
mod tensor_protos;
mod vectors;
