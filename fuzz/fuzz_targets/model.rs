//! A directory: the model file and what may lie beside it, each asked for all it has.
//!
//! ```text
//! input    mode (u8), then files: which (u8), length (u24, little-endian), bytes
//! mode     1: the first file is all of the input, and the model file
//! ```

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use prost::Message;
use savedmodel::inspect::{FunctionLibrary, ModelOverview, OpCensus};
use savedmodel::model::{Function, Graph, Node};
use savedmodel::store::MemoryStore;
use savedmodel::{Error, MetaGraph, SavedModel, op, proto};

const FILES: [&str; 8] = [
    "saved_model.pb",
    "saved_model.pbtxt",
    "saved_model.cpb",
    "fingerprint.pb",
    "keras_metadata.pb",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
    "assets/vocab.txt",
];

fuzz_target!(|input: &[u8]| {
    let Some((&mode, mut rest)) = input.split_first() else {
        return;
    };
    let mut store = MemoryStore::new();
    if mode & 1 != 0 {
        store.insert(FILES[0], rest.to_vec());
    } else {
        while let Some((&[which, a, b, c], after)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes([a, b, c, 0]) as usize;
            let (file, after) = after.split_at(length.min(after.len()));
            store.insert(FILES[usize::from(which) % FILES.len()], file.to_vec());
            rest = after;
        }
    }
    let model = match SavedModel::open_in(Arc::new(store), "") {
        Ok(model) => model,
        Err(error) => return check(&error),
    };
    let _ = model.has_variables().and_then(|_| model.has_debug_info());
    for error in [
        model.variables().err(),
        model.fingerprint().err(),
        model.keras_metadata().err(),
        model.assets_extra().err(),
        model.meta_graph(["no", "such\u{1b}"]).err(),
    ] {
        error.iter().for_each(check);
    }
    ModelOverview::of(&model).err().iter().for_each(check);
    model.schema_version().unwrap();
    let mut faults = 0;
    let mut count = 0;
    for meta_graph in model.meta_graphs() {
        faults += ask(&model, meta_graph.unwrap());
        count += 1;
    }
    match model.to_proto() {
        Ok(whole) => {
            assert_eq!(whole.meta_graphs.len(), count);
            // Marks that TensorFlow refuses are the only faults of a message that decodes.
            if faults == 0 {
                for (proto, view) in whole.meta_graphs.iter().zip(model.meta_graphs()) {
                    agree(proto, view.unwrap());
                }
            }
        }
        Err(error) => check(&error),
    }
});

/// What every message must be: of a file, and safe to print.
fn check(error: &Error) {
    let shown = error.to_string();
    assert!(error.path().is_some(), "{shown}");
    assert!(!shown.contains(unsafe_to_print), "{shown:?}");
}

fn unsafe_to_print(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Asks a meta graph for everything; returns how many answers were errors.
fn ask(model: &SavedModel, meta_graph: MetaGraph<'_>) -> usize {
    let mut faults = 0;
    let mut take = |error: Option<Error>| {
        if let Some(error) = error {
            check(&error);
            faults += 1;
        }
    };
    take(meta_graph.tags().err());
    take(meta_graph.tensorflow_version().err());
    take(meta_graph.tensorflow_git_version().err());
    take(meta_graph.meta_graph_version().err());
    take(meta_graph.stripped_default_attrs().err());
    take(meta_graph.stripped_op_list().err());
    take(meta_graph.function_aliases().err());
    take(meta_graph.any_info().err());
    take(meta_graph.saver_def().err());
    take(meta_graph.init_op().err());
    take(meta_graph.train_op().err());
    take(meta_graph.object_graph_bytes().err());
    take(meta_graph.collections().err());
    take(meta_graph.bytes().err());
    take(FunctionLibrary::of(meta_graph).err());
    match OpCensus::of(meta_graph) {
        Ok(census) => {
            let ops = meta_graph.graph().ops().unwrap();
            let counted = census.ops.iter();
            assert!(counted.map(|op| (&*op.op, op.in_graph + op.in_functions)).eq(ops));
        }
        Err(error) => take(Some(error)),
    }
    take(meta_graph.to_proto().err());
    match meta_graph.signatures() {
        Ok(signatures) => {
            assert!(signatures.keys().eq(&meta_graph.signature_keys().unwrap()));
            for (key, signature) in signatures.iter().take(100) {
                assert!(!signature.to_string().contains(unsafe_to_print));
                assert_eq!(meta_graph.signature(key).unwrap(), *signature);
            }
            let absent = meta_graph.signature("no such\u{202e}");
            absent.err().iter().for_each(check);
        }
        Err(error) => take(Some(error)),
    }
    match meta_graph.assets() {
        Ok(assets) => {
            for asset in assets.iter().take(100) {
                if let Ok(path) = asset.path() {
                    let mut parts = path.split('/');
                    assert_eq!(parts.next(), Some("assets"));
                    assert!(parts.all(|part| !matches!(part, "" | "." | "..")));
                    assert!(!path.contains('\0'));
                }
                asset.read(model).err().iter().for_each(check);
            }
        }
        Err(error) => take(Some(error)),
    }
    let graph = meta_graph.graph();
    faults + ask_graph(graph)
}

fn ask_graph(graph: Graph<'_>) -> usize {
    let mut faults = 0;
    let mut take = |error: Option<Error>| {
        if let Some(error) = error {
            check(&error);
            faults += 1;
        }
    };
    take(graph.versions().err());
    take(graph.gradients().err());
    take(graph.registered_gradients().err());
    take(graph.to_proto().err());
    take(graph.ops().err());
    graph.node("no such\u{1b}").err().iter().for_each(check);
    graph.function("no such\u{1b}").err().iter().for_each(check);
    for (i, node) in graph.nodes().enumerate() {
        match node {
            Ok(node) => take(ask_node(node, i < 1000)),
            Err(error) => take(Some(error)),
        }
    }
    for function in graph.functions() {
        match function {
            Ok(function) => ask_function(function, &mut take),
            Err(error) => take(Some(error)),
        }
    }
    faults
}

fn ask_function(function: Function<'_>, take: &mut impl FnMut(Option<Error>)) {
    take(function.signature().err());
    take(function.ret().err());
    take(function.control_ret().err());
    take(function.attr("_name").err());
    take(function.to_proto().err());
    assert!(!format!("{function:?}").contains(unsafe_to_print));
    function.attrs().for_each(|attr| take(attr.err()));
    for (i, node) in function.nodes().enumerate() {
        match node {
            Ok(node) => take(ask_node(node, i < 1000)),
            Err(error) => take(Some(error)),
        }
    }
}

fn ask_node(node: Node<'_>, names: bool) -> Option<Error> {
    assert!(!names || !format!("{node:?}").contains(unsafe_to_print));
    let mut attrs = Vec::new();
    for attr in node.attrs() {
        match attr {
            Ok(attr) => attrs.push(attr),
            Err(error) => return Some(error),
        }
    }
    for (name, _) in attrs.iter().rev().take(16) {
        let found = node.attr(name).unwrap();
        let last = attrs.iter().rfind(|(other, _)| other == name).unwrap();
        // Not by `==`, to which a NaN is no other.
        assert_eq!(found.unwrap().encode_to_vec(), last.1.encode_to_vec());
    }
    if let Some(facts) = op::find(node.op()) {
        let attr = |name: &str| {
            let found = attrs.iter().rfind(|(other, _)| *other == name);
            found.map(|(_, value)| value)
        };
        let _ = facts.output_count(attr);
        for input in facts.inputs() {
            let _ = facts.input_range(input.name(), attr);
        }
    }
    match node.to_proto() {
        Ok(proto) => {
            assert!(proto.input.iter().eq(node.inputs()));
            assert_eq!(
                (proto.name.as_str(), proto.op.as_str()),
                (node.name(), node.op())
            );
            None
        }
        Err(error) => Some(error),
    }
}

fn agree(proto: &proto::MetaGraphDef, view: MetaGraph<'_>) {
    let info = proto.meta_info_def.clone().unwrap_or_default();
    assert_eq!(view.tags().unwrap(), info.tags);
    assert_eq!(view.tensorflow_version().unwrap(), info.tensorflow_version);
    let graph = proto.graph_def.clone().unwrap_or_default();
    assert_eq!(view.graph().nodes().count(), graph.node.len());
    let library = graph.library.unwrap_or_default();
    assert_eq!(view.graph().functions().count(), library.function.len());
    assert_eq!(
        view.has_object_graph().unwrap(),
        proto.object_graph_def.is_some()
    );
}
