//! Split models that may be larger than one message can be: what TensorFlow's Merger makes of them,
//! compared tensor by tensor.

use std::fs;
use std::path::Path;

use prost::Message as _;
use savedmodel::chunked::{SplitOptions, Written};
use savedmodel::proto::attr_value::Value as AttrKind;
use savedmodel::proto::node_def::AttrEntry;
use savedmodel::proto::{self, NodeDef};
use savedmodel::wire::{Canonical, MapOrder};
use savedmodel::{Bytes, SavedModel, Tensor};
use serde_json::{Value, json};

use crate::scratch::Scratch;
use crate::tensorflow;

/// A constant, with elements that no other one has.
fn constant(name: &str, seed: u64, bytes: usize) -> NodeDef {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let elements: Vec<u64> = (0..bytes / 8)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        })
        .collect();
    let shape = [elements.len() as i64];
    let tensor = Tensor::from_slice(shape, &elements).unwrap().to_proto();
    drop(elements);
    let attr = |key: &str, value| AttrEntry {
        key: Some(key.to_owned()),
        value: Some(proto::AttrValue { value: Some(value) }),
    };
    NodeDef {
        name: name.to_owned(),
        op: "Const".to_owned(),
        attr: vec![
            attr("dtype", AttrKind::Type(23)),
            attr("value", AttrKind::Tensor(Box::new(tensor.unwrap()))),
        ],
        ..NodeDef::default()
    }
}

/// A graph with constants of so many bytes, the second list in a function.
fn model(in_graph: &[usize], in_function: &[usize]) -> proto::SavedModel {
    let nodes = |sizes: &[usize], first: u64| -> Vec<NodeDef> {
        let each = sizes.iter().zip(first..);
        let each = each.map(|(&size, seed)| constant(&format!("constant_{seed}"), seed, size));
        each.collect()
    };
    let function = proto::FunctionDef {
        signature: Some(proto::OpDef {
            name: "tables".to_owned(),
            ..proto::OpDef::default()
        }),
        node_def: nodes(in_function, 100),
        ..proto::FunctionDef::default()
    };
    let graph = proto::GraphDef {
        node: nodes(in_graph, 1),
        library: Some(proto::FunctionDefLibrary {
            function: vec![function],
            ..Default::default()
        }),
        ..proto::GraphDef::default()
    };
    proto::SavedModel {
        saved_model_schema_version: 1,
        meta_graphs: vec![proto::MetaGraphDef {
            graph_def: Some(graph),
            ..Default::default()
        }],
    }
}

/// Sums as `cpb_sum` of `benches/tf_peer` has them: the length, every tensor by itself, and all that
/// is left without their elements.
fn sums(mut model: proto::SavedModel) -> Value {
    let bytes = model.encoded_len();
    let (mut count, mut tensors) = (0, Vec::new());
    let mut take = |path: &str, nodes: &mut Vec<NodeDef>| {
        for node in nodes {
            count += 1;
            for attr in &mut node.attr {
                let value = attr.value.as_mut().and_then(|value| value.value.as_mut());
                if let Some(AttrKind::Tensor(tensor)) = value
                    && !tensor.tensor_content.is_empty()
                {
                    let content = std::mem::take(&mut tensor.tensor_content);
                    let name = format!("{path}{}:{}", node.name, attr.key());
                    tensors.push(json!([name, content.len(), crc32c::crc32c(&content)]));
                }
            }
        }
    };
    for graph in model
        .meta_graphs
        .iter_mut()
        .flat_map(|meta_graph| &mut meta_graph.graph_def)
    {
        take("", &mut graph.node);
        for function in graph
            .library
            .iter_mut()
            .flat_map(|library| &mut library.function)
        {
            let name = function
                .signature
                .as_ref()
                .map_or("", |signature| &signature.name);
            take(&format!("{name}/"), &mut function.node_def);
        }
    }
    let rest = model.encode_to_vec();
    let rest = Canonical::new(&rest, "tensorflow.SavedModel", MapOrder::Cpp).unwrap();
    let rest = rest.to_vec();
    json!({
        "bytes": bytes,
        "nodes": count,
        "tensors": tensors,
        "rest": [rest.len(), crc32c::crc32c(&rest)],
    })
}

/// Splits a model, and has both merge it. `root` is a directory for the model and for the peer, which
/// is built once.
fn compare(root: &Path, model: proto::SavedModel, options: &SplitOptions, least_chunks: usize) {
    let (directory, build) = (root.join("model"), root.join("build"));
    let bytes = Bytes::from(model.encode_to_vec());
    let written = options.write(&bytes, &directory).unwrap();
    assert!(
        matches!(written, Written::Split { chunks, .. } if chunks >= least_chunks),
        "{written:?}"
    );
    drop(bytes);
    let expected = sums(model);
    assert!(expected["tensors"].as_array().unwrap().len() > 3);

    let merged = SavedModel::open(&directory).unwrap();
    let merged = proto::SavedModel::decode(merged.bytes().unwrap().clone()).unwrap();
    assert_eq!(sums(merged), expected);

    fs::create_dir_all(&build).unwrap();
    let arguments: [&Path; 3] = [&build, &directory, Path::new("--sum")];
    let Some(answer) = tensorflow::run("merge_split_models.py", &arguments) else {
        return;
    };
    let mut answer: Value = serde_json::from_slice(&answer).unwrap();
    println!("{answer}");
    let answer = answer.as_object_mut().unwrap();
    answer.retain(|key, _| expected.get(key).is_some());
    assert_eq!(Value::Object(answer.clone()), expected);
}

#[test]
fn interop_tensorflow_merges_every_tensor_that_was_split_off() {
    let options = SplitOptions::new().max_size(100_000);
    let sizes = [80_000, 24, 40_000, 120_000, 8];
    let scratch = Scratch::new("split-sums");
    let root = scratch.path();
    compare(root, model(&sizes, &[60_000, 16, 101_000]), &options, 6);
    compare(root, model(&[], &sizes), &options, 3);
    compare(root, model(&sizes, &[]), &options, 3);
}

/// Takes 3 GB of disk, 9 GB of memory and some minutes.
#[test]
#[ignore = "larger than 2 GiB"]
fn interop_tensorflow_merges_what_no_other_file_can_hold() {
    let large = 400 << 20;
    let model = model(&[large, large, 800, large, large], &[large, 80, large]);
    assert!(model.encoded_len() > 1 << 31);
    let scratch = Scratch::new("split-sums-large");
    // Less than a constant, so that each is split off.
    let options = SplitOptions::new().max_size(300 << 20);
    compare(scratch.path(), model, &options, 7);
}
