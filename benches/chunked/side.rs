//! This library's side.

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::path::Path;

use prost::Message;
use savedmodel::chunked::{OtherForms, SplitOptions, write_binary};
use savedmodel::proto::attr_value::Value;
use savedmodel::proto::meta_graph_def::SignatureDefEntry;
use savedmodel::proto::node_def::AttrEntry;
use savedmodel::proto::{self, AttrValue, NodeDef, SignatureDef, TensorInfo};
use savedmodel::{SavedModel, Tensor};

use crate::harness::meter::{self, Start};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

pub(crate) fn serve() -> Result<()> {
    let mut held = Vec::new();
    meter::serve(move |words| match words[..] {
        ["make", directory, count, size] => {
            let model = model(count.parse()?, size.parse()?)?;
            // As TensorFlow's splitter does for such a model, whatever its size.
            let options = SplitOptions::new().max_size((1 << 31) - 500);
            options.write(&model, directory)?;
            File::open(Path::new(directory).join("saved_model.cpb"))?.sync_all()?;
            Ok(format!(r#"{{"n":{}}}"#, model.len()))
        }
        ["hold", count, size] => {
            held = model(count.parse()?, size.parse()?)?;
            Ok(format!(r#"{{"n":{}}}"#, held.len()))
        }
        ["hold_nodes", count] => {
            held = model_of((0..count.parse()?).map(addition).collect());
            Ok(format!(r#"{{"n":{}}}"#, held.len()))
        }
        ["write_cpb", max_size, directory] => {
            let options = SplitOptions::new().max_size(max_size.parse()?);
            let start = Start::now()?;
            options.write(&held, directory)?;
            start.report(held.len())
        }
        ["write_pb", directory] => {
            let start = Start::now()?;
            write_binary(&held, directory, OtherForms::Refuse)?;
            start.report(held.len())
        }
        [command, directory] => measure(command, directory),
        _ => Err(format!("what is `{}`?", words.join(" ")).into()),
    })
}

/// A model of `count` constants of `size` MiB.
fn model(count: u64, size: u64) -> Result<Vec<u8>> {
    let mut state = 1u64;
    let mut node = Vec::new();
    for i in 0..count {
        let elements: Vec<u64> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        })
        .take((size << 20) as usize / 8)
        .collect();
        let tensor = Tensor::from_slice([elements.len() as i64], &elements)?.to_proto()?;
        node.push(NodeDef {
            name: format!("constant_{i}"),
            op: "Const".to_owned(),
            attr: vec![
                attr("dtype", Value::Type(tensor.dtype)),
                attr("value", Value::Tensor(Box::new(tensor))),
            ],
            ..NodeDef::default()
        });
    }
    Ok(model_of(node))
}

/// A small node, as graphs have most.
fn addition(i: u64) -> NodeDef {
    NodeDef {
        name: format!("model/layer_{}/dense/BiasAdd_{i}", i / 100),
        op: "AddV2".to_owned(),
        input: vec![
            format!("model/layer_{}/x", i / 100),
            format!("model/layer_{}/read", i / 100),
        ],
        attr: vec![attr("T", Value::Type(1))],
        ..NodeDef::default()
    }
}

fn attr(key: &str, value: Value) -> AttrEntry {
    AttrEntry {
        key: Some(key.to_owned()),
        value: Some(AttrValue { value: Some(value) }),
    }
}

fn model_of(node: Vec<NodeDef>) -> Vec<u8> {
    let mut signature = SignatureDef::default();
    signature.outputs.push(proto::signature_def::OutputsEntry {
        key: Some("y".to_owned()),
        value: Some(TensorInfo {
            dtype: 23,
            encoding: Some(proto::tensor_info::Encoding::Name(
                "constant_0:0".to_owned(),
            )),
            ..TensorInfo::default()
        }),
    });
    let meta_graph = proto::MetaGraphDef {
        graph_def: Some(proto::GraphDef {
            node,
            ..Default::default()
        }),
        signature_def: vec![SignatureDefEntry {
            key: Some("serving_default".to_owned()),
            value: Some(signature),
        }],
        ..Default::default()
    };
    let model = proto::SavedModel {
        saved_model_schema_version: 1,
        meta_graphs: vec![meta_graph],
    };
    model.encode_to_vec()
}

fn measure(command: &str, directory: &str) -> Result<String> {
    let start = Start::now()?;
    match command {
        "signatures" => {
            let model = SavedModel::open(directory)?;
            let mut count = 0;
            for meta_graph in model.meta_graphs() {
                count += black_box(meta_graph?.signatures()?).len();
            }
            start.report(count)
        }
        "merge" => {
            let model = SavedModel::open(directory)?;
            let count = black_box(model.bytes()?).len();
            start.report(count)
        }
        _ => Err(format!("what is `{command}`?").into()),
    }
}
