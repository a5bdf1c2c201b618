//! Text of a message, and encoded messages to be printed, the first byte saying of which.

#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use savedmodel::{proto, text};

fuzz_target!(|input: &[u8]| {
    let Some((&mode, text)) = input.split_first() else {
        return;
    };
    if mode >= 128 {
        return print(text);
    }
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
            // Strings of proto2 hold any bytes, and prost's do not.
            assert!(T::decode(&bytes[..]).is_ok() || message == "tensorflow.GraphDebugInfo");
            let printed = text::print(&bytes, message).unwrap();
            let again = text::parse(&printed, message).unwrap();
            assert_eq!(text::print(&again, message).unwrap(), printed);
        }
        Err(error) => assert!(error.offset().is_some_and(|at| at <= text.len() as u64)),
    }
}

fn print(encoded: &[u8]) {
    let mut printed = Vec::new();
    let printer = text::Printer::new("tensorflow.SavedModel").unwrap();
    let printer = printer.unknown_fields(text::UnknownFields::Drop);
    match printer.print(encoded, &mut printed) {
        Ok(()) => {
            let bytes = text::parse(&printed, "tensorflow.SavedModel").unwrap();
            let again = text::print(&bytes, "tensorflow.SavedModel").unwrap();
            assert_eq!(again.as_bytes(), printed);
        }
        Err(error) => assert!(error.offset().is_some_and(|at| at <= encoded.len() as u64)),
    }
}
