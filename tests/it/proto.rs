//! Generated messages against files of TensorFlow's writers.

use std::path::Path;

use prost::Message;
use savedmodel::proto::SavedModel;

fn read_fixture() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/proto/saved_model.pb");
    std::fs::read(path).unwrap()
}

#[test]
fn decode_and_encode_keeps_a_file_of_tensorflow() {
    let bytes = read_fixture();
    let model = SavedModel::decode(&bytes[..]).unwrap();
    assert!(model.encode_to_vec() == bytes);
}

#[test]
fn fixture_holds_what_is_hard_to_keep() {
    let model = SavedModel::decode(&read_fixture()[..]).unwrap();
    let graph = &model.meta_graphs[0];

    let library = graph.graph_def.as_ref().unwrap().library.as_ref().unwrap();
    let mut arg_attrs = library
        .function
        .iter()
        .flat_map(|function| &function.arg_attr);
    assert!(arg_attrs.any(|entry| entry.key == Some(0)));

    let objects = graph.object_graph_def.as_ref().unwrap();
    assert!(!objects.concrete_functions.is_empty());
}
