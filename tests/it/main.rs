//! Integration tests.

mod proto;
