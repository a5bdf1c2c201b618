//! Integration tests.

mod answers;
mod fixtures;
mod interop;
mod proto;
mod tensor_protos;
mod vectors;
