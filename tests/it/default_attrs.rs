//! Attrs at their default: stripped of every graph in the tests, as TensorFlow strips them.

use std::path::{Path, PathBuf};

use prost::Message;
use savedmodel::builder::{MetaGraphBuilder, SavedModelBuilder};
use savedmodel::bundle::Durability;
use savedmodel::proto::meta_graph_def::MetaInfoDef;
use savedmodel::proto::node_def::AttrEntry;
use savedmodel::wire::{Canonical, MapOrder};
use savedmodel::{SavedModel, Tensor, op, proto};

use crate::scratch::Scratch;
use crate::tensorflow;

/// Every directory below `directory` that is a model, of any form, and can be read.
fn models(directory: &Path, found: &mut Vec<(PathBuf, proto::SavedModel)>) {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut directories: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    directories.sort();
    for directory in directories {
        match SavedModel::open(&directory).and_then(|model| model.to_proto()) {
            Ok(model) => found.push((directory, model)),
            Err(_) => models(&directory, found),
        }
    }
}

/// Has the builder strip a graph; what remains is what TensorFlow says of a stripped one.
fn strip(graph: proto::GraphDef, directory: &Path) -> proto::MetaGraphDef {
    let meta_graph = MetaGraphBuilder::from_graph_def(graph, ["serve"]).strip_default_attrs();
    let options = SavedModelBuilder::options().durability(Durability::None);
    let mut builder = options.create(directory).unwrap();
    builder
        .add_meta_graph_and_variables(meta_graph, Vec::<(String, Tensor)>::new())
        .unwrap();
    let model = SavedModel::open(builder.save().unwrap()).unwrap();
    let meta_graph = model.to_proto().unwrap().meta_graphs.remove(0);
    let info = meta_graph.meta_info_def.unwrap();
    proto::MetaGraphDef {
        meta_info_def: Some(MetaInfoDef {
            stripped_op_list: info.stripped_op_list,
            stripped_default_attrs: info.stripped_default_attrs,
            ..MetaInfoDef::default()
        }),
        graph_def: meta_graph.graph_def,
        ..proto::MetaGraphDef::default()
    }
}

fn canonical(bytes: &[u8]) -> Vec<u8> {
    let canonical = Canonical::new(bytes, "tensorflow.MetaGraphDef", MapOrder::Cpp);
    canonical.unwrap().to_vec()
}

fn attrs(graph: &proto::GraphDef) -> usize {
    let functions = graph.library.iter().flat_map(|library| &library.function);
    let nodes = functions.flat_map(|function| &function.node_def);
    nodes.chain(&graph.node).map(|node| node.attr.len()).sum()
}

/// The graph with all defaults written out, most of which a graph that was saved as an object lacks.
fn with_defaults(mut graph: proto::GraphDef) -> proto::GraphDef {
    let functions = graph.library.iter_mut().flat_map(|it| &mut it.function);
    let nodes = functions.flat_map(|function| &mut function.node_def);
    for node in nodes.chain(&mut graph.node) {
        let attrs = op::find(&node.op).into_iter().flat_map(|op| op.attrs());
        for attr in attrs {
            let is_there = node
                .attr
                .iter()
                .any(|it| it.key.as_deref() == Some(attr.name()));
            if let (false, Some(value)) = (is_there, attr.default()) {
                let key = Some(attr.name().to_owned());
                let value = Some(value);
                node.attr.push(AttrEntry { key, value });
            }
        }
    }
    graph
}

#[test]
fn interop_graphs_are_stripped_of_default_attrs_as_by_tensorflow() {
    let scratch = Scratch::new("default-attrs");
    let mut found = Vec::new();
    models(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"),
        &mut found,
    );
    let graphs: Vec<(&Path, proto::GraphDef)> = found
        .iter()
        .flat_map(|(directory, model)| {
            let graphs = model.meta_graphs.iter();
            let graphs = graphs.filter_map(|it| it.graph_def.clone());
            graphs.flat_map(|graph| {
                [
                    (&**directory, graph.clone()),
                    (directory, with_defaults(graph)),
                ]
            })
        })
        .collect();
    for (number, (_, graph)) in graphs.iter().enumerate() {
        let file = scratch.path().join(format!("{number}.graph"));
        std::fs::write(file, graph.encode_to_vec()).unwrap();
    }
    let Some(count) = tensorflow::run("strip_default_attrs.py", &[scratch.path()]) else {
        return;
    };
    let count: usize = String::from_utf8(count).unwrap().trim().parse().unwrap();
    assert_eq!(count, graphs.len());
    assert!(count > 140, "{count}");
    let (mut stripped, mut kept) = (0, 0);
    for (number, (directory, graph)) in graphs.iter().enumerate() {
        let theirs = std::fs::read(scratch.path().join(format!("{number}.stripped"))).unwrap();
        let ours = strip(graph.clone(), &scratch.path().join(number.to_string()));
        let left = attrs(ours.graph_def.as_ref().unwrap());
        (stripped, kept) = (stripped + attrs(graph) - left, kept + left);
        let [ours, theirs] = [&ours.encode_to_vec(), &theirs].map(|bytes| canonical(bytes));
        if ours != theirs {
            let [ours, theirs] = [ours, theirs]
                .map(|bytes| savedmodel::text::print(bytes, "tensorflow.MetaGraphDef").unwrap());
            let mut lines = ours.lines().zip(theirs.lines()).enumerate();
            let differs = lines.find(|(_, (a, b))| a != b);
            panic!("{}: {differs:?}", directory.display());
        }
    }
    assert!(stripped > 3_000 && kept > 10_000, "{stripped} of {kept}");
}
