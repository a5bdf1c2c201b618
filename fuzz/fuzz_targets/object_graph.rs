//! The objects of a model, and those of a checkpoint that they are restored from.
//!
//! ```text
//! input    length of the first (u24, little-endian), SavedObjectGraph, TrackableObjectGraph
//! ```

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use savedmodel::object_graph::{CheckpointGraph, Object, ObjectGraph, ObjectKind};
use savedmodel::{BundleReader, Bytes};

#[path = "../../tests/it/forge.rs"]
mod forge;

/// A path is as long as the graph is deep, so that the paths of all objects are its square.
const MAX_PATHS: usize = 200;

fuzz_target!(|input: &[u8]| {
    let Some((&[a, b, c], rest)) = input.split_first_chunk::<3>() else {
        return;
    };
    let length = u32::from_le_bytes([a, b, c, 0]) as usize;
    let (model, checkpoint) = rest.split_at(length.min(rest.len()));
    if let Ok(graph) = CheckpointGraph::decode(&Bytes::copy_from_slice(checkpoint)) {
        let _ = graph
            .slot_variables()
            .take(MAX_PATHS)
            .map(|it| it.expected_key())
            .count();
        for object in graph.objects().take(MAX_PATHS) {
            if let Some(path) = object.path() {
                // Of two children with one name the last is found, so this need not lead back.
                let _ = graph.object(&path.to_key());
            }
            let _ = format!("{object:?}");
            let _ = object.children().count() + object.attributes().count();
        }
    }
    let model = match ObjectGraph::decode(&Bytes::copy_from_slice(model)) {
        Ok(model) => model,
        Err(error) => return assert!(!error.to_string().contains(unsafe_to_print)),
    };
    let mut bundle = forge::Bundle::default();
    let (payload, crc) = forge::string_payload(&[checkpoint]);
    let entry = forge::Entry {
        dtype: 7,
        size: payload.len() as i64,
        crc,
        ..Default::default()
    };
    bundle.shards[0] = payload;
    bundle.entry(CheckpointGraph::KEY, &entry);
    let bundle = BundleReader::open_in(Arc::new(bundle.store()), "b").unwrap();
    let faults = model.faults();
    for fault in &faults {
        assert!(!fault.to_string().contains(unsafe_to_print), "{fault:?}");
    }
    ask(&model);
    match model.with_checkpoint(&bundle) {
        Ok(model) => ask(&model),
        Err(error) => assert!(error.path().is_some() && error.key().is_some(), "{error}"),
    }
});

fn unsafe_to_print(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn ask(model: &ObjectGraph) {
    let _ = model.trainable_variables().len() + model.regularization_losses().len();
    let _ = model.slot_variables().count() + model.signatures().count() + model.paths().count();
    for variable in model.variables() {
        let _ = (
            variable.checkpoint_key(),
            variable.components().count(),
            format!("{}", variable.shape()),
        );
    }
    for object in model.objects() {
        ask_object(object, object.id() < MAX_PATHS);
    }
    for name in model.concrete_function_names() {
        let Ok(function) = model.concrete_function(name) else {
            continue;
        };
        let _ = function.bound_inputs().flatten().count();
        for value in [
            function.canonicalized_input_signature(),
            function.output_signature(),
        ] {
            if let Ok(Some(value)) = value {
                let _ = value.flatten().len();
                let _ = format!("{value:?}").len();
            }
        }
    }
    for path in [
        "",
        "root",
        "a",
        "root.a[0]['b']",
        "a/b..c/.S",
        "\u{1b}",
        "a/.ATTRIBUTES/b",
    ] {
        let Err(error) = model.object(path) else {
            continue;
        };
        assert!(!error.to_string().contains(unsafe_to_print), "{error:?}");
    }
}

fn ask_object(object: Object<'_>, paths: bool) {
    let _ = object.children().count() + object.elements().count() + object.dependencies().count();
    let _ = object.slot_variables().count() + object.saveable_objects().count();
    let _ = (object.checkpoint_keys(), object.serialized_user_proto());
    match object.kind() {
        ObjectKind::Function(function) => {
            let _ = function.function_spec();
            let _ = function.concrete_functions().flatten().count();
        }
        ObjectKind::BareConcreteFunction(function) => {
            let _ = (function.function_spec(), function.concrete_function());
        }
        _ => {}
    }
    if !paths {
        return;
    }
    for path in object.paths().chain(object.path()).take(8) {
        let shown = path.to_string();
        assert!(!shown.contains(unsafe_to_print), "{shown:?}");
        // Where two children have one name, the name is the last one's.
        let found = object.graph().object(&shown);
        assert!(found.is_ok() || found.is_err_and(|error| !error.to_string().is_empty()));
    }
}
