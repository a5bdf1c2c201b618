//! Integration tests.

mod corrupt;
mod forge;
mod proto;
mod vectors;
