//! Integration tests.

mod answers;
mod fixtures;
mod interop;
mod layers;
mod proto;
mod tensor_protos;
mod vectors;
