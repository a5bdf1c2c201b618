//! The messages of TensorFlow's schema, generated from `protos/` by [prost].
//!
//! Messages of package `tensorflow` are here; those of other packages are in the modules
//! [`serving`] (requests in warm-up logs), [`proto_splitter`] (chunked models), [`error`],
//! [`keras`] and [`well_known`]. The other modules are each named after a message and hold its
//! nested messages and oneofs: `NodeDef` has [`node_def`].
//!
//! All types here, and so the methods of the [`Message`] trait that decode and encode them, move
//! with prost's major version.
//!
//! # Maps are lists of entries
//!
//! A map field is a `Vec` of its entries in the order of the file, because TensorFlow's writers
//! disagree on that order and a hash map would lose it. It is the same on the wire, and the
//! fastest form to decode. The entry of a field `attr` is `AttrEntry`, in the module of the
//! field's message:
//!
//! ```
//! use savedmodel::proto::{AttrValue, NodeDef, attr_value::Value, node_def::AttrEntry};
//!
//! let entry = AttrEntry {
//!     key: Some("N".to_owned()),
//!     value: Some(AttrValue { value: Some(Value::I(2)) }),
//! };
//! let node = NodeDef { attr: vec![entry], ..Default::default() };
//!
//! let count = node.attr.iter().rfind(|entry| entry.key() == "N");
//! assert_eq!(count.unwrap().value, Some(AttrValue { value: Some(Value::I(2)) }));
//! ```
//!
//! `None` means that the entry leaves out its key or value, which stands for the default one;
//! TensorFlow writes both always, so write `Some(0)` and not `None`. A file may name a key twice:
//! both entries are in the list, and protobuf says that the last one counts.
//!
//! # Decoding and encoding is not lossless
//!
//! Fields this schema does not know are lost, a field left at its default is not written even if
//! the file held it, and a oneof is written where its lowest field number stands, so in
//! [`TensorInfo`] `composite_tensor` (5) comes before `dtype` (2). Whatever must keep the bytes
//! of a file works on the raw fields instead (module `wire` of this crate).
//!

// Generated code brings no documentation, and lints are about code that people write.
#[allow(missing_docs, unreachable_pub, clippy::all, rustdoc::all)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/messages.rs"));
}

/// The trait with `encode_to_vec` and `decode`, so that users need no prost of their own.
pub use prost::Message;

/// The well-known types the schema refers to.
pub use generated::google::protobuf as well_known;
pub use generated::tensorflow::*;
/// `keras_metadata.pb`, which Keras 2 wrote beside `saved_model.pb`.
pub use generated::third_party::tensorflow::python::keras::protobuf as keras;

#[cfg(test)]
mod tests {
    use std::mem::size_of;

    use prost::Message;

    use super::function_def::ArgAttrEntry;
    use super::*;

    #[test]
    fn entries_keep_order_and_default_keys() {
        let function = [
            0x3a, 0x04, // arg_attr, 4 bytes
            0x08, 0x02, // key 2
            0x12, 0x00, // value, empty
            0x3a, 0x04, // arg_attr, 4 bytes
            0x08, 0x00, // key 0, the default
            0x12, 0x00, // value, empty
            0x3a, 0x02, // arg_attr, 2 bytes
            0x12, 0x00, // no key, value, empty
        ];

        let decoded = FunctionDef::decode(&function[..]).unwrap();
        let keys: Vec<_> = decoded.arg_attr.iter().map(|entry| entry.key).collect();
        assert_eq!(keys, [Some(2), Some(0), None]);
        assert_eq!(decoded.encode_to_vec(), function);
    }

    #[test]
    fn entries_keep_default_values() {
        let function = [
            0x22, 0x05, // ret, 5 bytes
            0x0a, 0x01, b'y', // key "y"
            0x12, 0x00, // value "", the default
            0x22, 0x03, // ret, 3 bytes
            0x0a, 0x01, b'y', // key "y" again, no value
        ];

        let decoded = FunctionDef::decode(&function[..]).unwrap();
        let values: Vec<_> = decoded
            .ret
            .iter()
            .map(|entry| entry.value.as_deref())
            .collect();
        assert_eq!(values, [Some(""), None]);
        assert_eq!(decoded.encode_to_vec(), function);
    }

    #[test]
    fn oneof_moves_to_its_lowest_tag() {
        let file_order = [
            0x10, 0x01, // dtype DT_FLOAT
            0x2a, 0x00, // composite_tensor, empty
        ];
        let prost_order = [0x2a, 0x00, 0x10, 0x01];

        let decoded = TensorInfo::decode(&file_order[..]).unwrap();
        assert_eq!(decoded.encode_to_vec(), prost_order);
    }

    #[test]
    fn unknown_field_is_lost() {
        let bytes = [
            0x08, 0x01, // saved_model_schema_version 1
            0x98, 0x06, 0x05, // field 99, which the schema does not have
        ];

        let decoded = SavedModel::decode(&bytes[..]).unwrap();
        assert_eq!(decoded.encode_to_vec(), bytes[..2]);
    }

    #[test]
    fn bytes_are_slices_of_the_input() {
        let input = prost::bytes::Bytes::from_static(&[
            0x22, 0x02, // tensor_content, 2 bytes
            0xaa, 0xbb,
        ]);

        let decoded = TensorProto::decode(input.clone()).unwrap();
        assert_eq!(decoded.tensor_content.as_ptr(), input[2..].as_ptr());
    }

    #[test]
    fn frequent_messages_are_small() {
        assert!(size_of::<AttrValue>() <= 40);
        assert!(size_of::<NodeDef>() <= 224);
        assert!(size_of::<ArgAttrEntry>() <= 32);
        assert!(size_of::<StructuredValue>() <= 64);
        assert!(size_of::<SavedObject>() <= 320);
    }
}
