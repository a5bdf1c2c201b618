//! Text of a message, the first byte saying of which.

#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use savedmodel::{proto, text};

fuzz_target!(|input: &[u8]| {
    let Some((&mode, text)) = input.split_first() else {
        return;
    };
    match mode % 6 {
        0 => check::<proto::SavedModel>(text, "tensorflow.SavedModel"),
        1 => check::<proto::NodeDef>(text, "tensorflow.NodeDef"),
        2 => check::<proto::TensorProto>(text, "tensorflow.TensorProto"),
        3 => check::<proto::CollectionDef>(text, "tensorflow.CollectionDef"),
        4 => check::<proto::GraphDebugInfo>(text, "tensorflow.GraphDebugInfo"),
        _ => check::<proto::FunctionDef>(text, "tensorflow.FunctionDef"),
    }
});

fn check<T: Message + Default>(text: &[u8], message: &str) {
    match text::parse(text, message) {
        Ok(bytes) => {
            // A value, a separator: two characters that are eight bytes. A field of its own: `a{`
            // and `}` with a complete entry of a map in it.
            assert!(bytes.len() <= 16 + 8 * text.len());
            T::decode(&bytes[..]).unwrap();
        }
        Err(error) => assert!(error.offset().is_some_and(|at| at <= text.len() as u64)),
    }
}
