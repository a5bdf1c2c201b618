//! The object graph of a TensorFlow 2 model: which Python objects were saved, what they are called
//! and how their functions are called.

mod structured_value;

pub use structured_value::{
    BoundedTensorSpec, NamedTuple, StructuredValue, TensorSpec, TypeSpec, TypeSpecClass,
};
