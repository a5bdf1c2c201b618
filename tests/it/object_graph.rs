//! Object graphs of all models and checkpoints here against `expected_objects.json`: what
//! TensorFlow makes of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use prost::Message as _;
use savedmodel::model::SavedModel;
use savedmodel::object_graph::{
    CheckpointGraph, ConcreteFunction, FunctionSpec, JitCompile, Object, ObjectGraph, ObjectKind,
    StructuredValue, TensorSpec, Variable,
};
use savedmodel::proto::saved_object::Kind;
use savedmodel::proto::{SavedObject, SavedObjectGraph, SavedVariable};
use savedmodel::{BundleReader, Bytes, ErrorKind, PartialShape, Tensor};
use serde_json::{Value, json};

use crate::tensorflow;

const EXPECTED: &str = "tests/fixtures/expected_objects.json";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn expected() -> Vec<Value> {
    let text = fs::read_to_string(root().join(EXPECTED)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The object graph of a directory with one meta graph, still encoded.
fn object_graph_def(directory: &Path) -> Bytes {
    let model = SavedModel::open(directory).unwrap();
    let meta_graph = model.meta_graphs().next().unwrap().unwrap();
    meta_graph.object_graph_bytes().unwrap().unwrap()
}

fn open(directory: &Path) -> ObjectGraph {
    let graph = ObjectGraph::decode(&object_graph_def(directory)).unwrap();
    match BundleReader::open(directory.join("variables/variables")) {
        Ok(bundle) => graph.with_checkpoint(&bundle).unwrap(),
        Err(error) => {
            assert!(
                matches!(error.kind(), ErrorKind::NotFound { .. }),
                "{error}"
            );
            graph
        }
    }
}

/// Compares things that have names, and says which ones differ.
#[derive(Default)]
struct Comparison {
    compared: BTreeMap<&'static str, usize>,
    faults: Vec<String>,
}

impl Comparison {
    fn equal(&mut self, what: &'static str, of: &str, ours: Value, theirs: &Value) {
        *self.compared.entry(what).or_default() += 1;
        if ours != *theirs {
            let fault = format!("{what} of {of}:\n   ours {ours}\n theirs {theirs}");
            self.faults.push(fault);
        }
    }
}

#[test]
fn models_are_as_tensorflow_loads_them() {
    let mut comparison = Comparison::default();
    for row in expected().iter().filter(|row| row.get("model").is_some()) {
        let name = row["model"].as_str().unwrap();
        let directory = root().join("tests").join(name);
        let graph = open(&directory);
        assert_eq!(graph.faults(), [], "{name}");
        if row.get("refused_without_variables").is_none() {
            *comparison.compared.entry("models").or_default() += 1;
            compare_model(&mut comparison, name, &graph, row);
            compare_values(&mut comparison, &directory, &graph, row);
        } else {
            compare_messages(&mut comparison, name, &graph, row);
        }
    }
    println!("{:#?}", comparison.compared);
    assert!(
        comparison.faults.is_empty(),
        "{}",
        comparison.faults.join("\n")
    );
    assert!(comparison.compared["values"] > 100);
}

fn compare_model(comparison: &mut Comparison, name: &str, graph: &ObjectGraph, row: &Value) {
    let rows = row["objects"].as_array().unwrap();
    let restored = row.get("refused").is_none();
    assert_eq!(graph.len(), rows.len(), "{name}");
    let pretty = model_names(graph);
    for ((object, row), pretty) in graph.objects().zip(rows).zip(pretty) {
        let of = format!("{name}, {object:?}");
        compare_object(comparison, &of, object, row, restored);
        comparison.equal("TensorFlow's own name", &of, pretty.into(), &row["pretty"]);
    }
    for (attribute, ours) in [
        (
            "trainable_variables",
            ids(graph.trainable_variables().iter().map(Variable::object)),
        ),
        (
            "regularization_losses",
            ids(graph.regularization_losses().into_iter()),
        ),
        (
            "variables",
            ids(graph
                .root()
                .child("variables")
                .into_iter()
                .flat_map(Object::elements)),
        ),
    ] {
        if let Some(theirs) = row.get(attribute) {
            comparison.equal(
                "list of the root",
                &format!("{name}, {attribute}"),
                ours,
                theirs,
            );
        }
    }
    let signatures = graph.signatures().map(|(key, function)| {
        let object = function.object().id();
        let function = function.concrete_function().unwrap();
        let signature = json!({
            "object": object,
            "inputs": structure(&inputs(&function).elements().unwrap()[1]),
            "outputs": structure(&function.output_signature().unwrap().unwrap()),
        });
        (key.to_owned(), signature)
    });
    let signatures: serde_json::Map<_, _> = signatures.collect();
    let theirs = row.get("signatures").cloned().unwrap_or_else(|| json!({}));
    comparison.equal("signatures", name, signatures.into(), &theirs);

    let functions = row["concrete_functions"].as_object().unwrap();
    let names: Vec<_> = graph.concrete_function_names().collect();
    assert_eq!(names, functions.keys().collect::<Vec<_>>(), "{name}");
    for (function_name, row) in functions {
        let function = graph.concrete_function(function_name).unwrap();
        let of = format!("{name}, {function_name}");
        let captures = ids(function.bound_inputs().map(Result::unwrap));
        comparison.equal("captures", &of, captures, &row["captures"]);
        comparison.equal("inputs", &of, structure(&inputs(&function)), &row["inputs"]);
        let outputs = function.output_signature().unwrap().unwrap();
        comparison.equal("outputs", &of, structure(&outputs), &row["outputs"]);
    }
    let functions = graph.objects().filter_map(|object| {
        let names = object.function()?.concrete_function_names();
        Some((object.id().to_string(), names.collect::<Value>()))
    });
    let functions: serde_json::Map<_, _> = functions.collect();
    comparison.equal("functions", name, functions.into(), &row["functions"]);
}

/// Of a model that TensorFlow does not load its printer of object graphs has to do.
fn compare_messages(comparison: &mut Comparison, name: &str, graph: &ObjectGraph, row: &Value) {
    let rows = row["messages"].as_array().unwrap();
    assert_eq!(graph.len(), rows.len(), "{name}");
    for ((object, row), pretty) in graph.objects().zip(rows).zip(model_names(graph)) {
        let slots = object.slot_variables();
        let slots = slots.map(|it| json!([it.slot_name, it.original.id(), it.variable.id()]));
        let ours = json!({
            "pretty": pretty,
            "kind": object.kind().name(),
            "keys": object.checkpoint_keys(),
            "slots": slots.collect::<Vec<_>>(),
        });
        comparison.equal("messages", &format!("{name}, {object:?}"), ours, row);
    }
}

fn model_names(graph: &ObjectGraph) -> Vec<Option<String>> {
    let slots = graph.slot_variables().map(|slot| {
        let ids = (slot.optimizer.id(), slot.original.id(), slot.variable.id());
        (slot.slot_name, ids)
    });
    let paths = graph.objects().map(|object| object.path());
    pretty_names(paths.map(|path| path.map(|path| path.names())), slots)
}

fn compare_object(
    comparison: &mut Comparison,
    of: &str,
    object: Object<'_>,
    row: &Value,
    restored: bool,
) {
    let names: Vec<_> = object.paths().map(|path| path.to_string()).collect();
    for name in &names {
        assert_eq!(object.graph().object(name).unwrap(), object);
    }
    for path in object.paths() {
        assert_eq!(object.graph().object(&path.to_key()).unwrap(), object);
    }
    comparison.equal("paths", of, names.into(), &row["paths"]);
    comparison.equal("kind", of, object.kind().name().into(), &row["kind"]);
    if restored {
        let keys = row.get("keys").cloned().unwrap_or_else(|| json!([]));
        comparison.equal("keys", of, json!(object.checkpoint_keys()), &keys);
    }
    match object.kind() {
        ObjectKind::Variable(variable) => {
            let ours = json!({
                "name": variable.name(),
                "dtype": variable.dtype().name(),
                "shape": shape(variable.shape()),
                "trainable": variable.trainable(),
                "synchronization": variable.synchronization().name(),
                "aggregation": variable.aggregation().name(),
            });
            comparison.equal("variable", of, ours.clone(), &pick(row, &ours));
        }
        ObjectKind::Function(function) => {
            let ours = function_spec(&function.function_spec().unwrap());
            comparison.equal("function spec", of, ours.clone(), &pick(row, &ours));
        }
        ObjectKind::BareConcreteFunction(function) => {
            let ours = json!({
                "argument_keywords": function.argument_keywords().collect::<Vec<_>>(),
                "allowed_positional_arguments": function.allowed_positional_arguments(),
            });
            comparison.equal("bare function", of, ours.clone(), &pick(row, &ours));
        }
        _ => {}
    }
}

/// Reads each variable under the key found for it, and compares with what TensorFlow restored.
fn compare_values(comparison: &mut Comparison, directory: &Path, graph: &ObjectGraph, row: &Value) {
    for (variable, row) in graph.variables().map(|variable| {
        let id = variable.object().id();
        (variable, &row["objects"][id])
    }) {
        if let Some(value) = row.get("value") {
            let bundle = BundleReader::open(directory.join("variables/variables")).unwrap();
            let key = variable.checkpoint_key().unwrap();
            let tensor = bundle.tensor(key).unwrap();
            comparison.equal("values", key, ends(&tensor), value);
            assert!(variable.shape().is_compatible_with(tensor.shape()));
            assert_eq!(graph.variable(key).unwrap().object(), variable.object());
        }
    }
}

#[test]
fn slot_variables_of_a_model_are_found() {
    let directory = root().join("tests/fixtures/keras2_saved_slots");
    let graph = open(&directory);
    let bundle = BundleReader::open(directory.join("variables/variables")).unwrap();
    let mut slots = Vec::new();
    for slot in graph.slot_variables() {
        let variable = slot.variable.variable().unwrap();
        let key = variable.checkpoint_key().unwrap();
        let path = slot.original.path().unwrap();
        assert_eq!(graph.variable(key).unwrap().object(), slot.variable);
        assert!(
            variable
                .shape()
                .is_compatible_with(bundle.tensor(key).unwrap().shape())
        );
        slots.push(format!("{} of {path}: {key}", slot.slot_name));
    }
    let key = |name: &str, slot: &str| {
        format!(
            "{slot} of root.dense.{name}: \
             dense/{name}/.OPTIMIZER_SLOT/optimizer/{slot}/.ATTRIBUTES/VARIABLE_VALUE"
        )
    };
    slots.sort();
    let expected = ["m", "v"].map(|slot| ["bias", "kernel"].map(|name| key(name, slot)));
    assert_eq!(slots, expected.concat());

    // What TensorFlow 2.12 has in `optimizer.get_slot(..)` after loading this model; 2.21 without
    // Keras 2 refuses it.
    for (slot, name, values) in [
        ("m", "bias", &[0.86000025, 1.8100004][..]),
        ("v", "bias", &[0.041784465, 0.18270765]),
        (
            "m",
            "kernel",
            &[0.88000023, 0.6900002, 1.7350004, 2.7800007],
        ),
        (
            "v",
            "kernel",
            &[0.043464445, 0.026873657, 0.16962032, 0.4318267],
        ),
    ] {
        let key = format!("dense/{name}/.OPTIMIZER_SLOT/optimizer/{slot}");
        let variable = graph.variable(&key).unwrap();
        let tensor = bundle.tensor(variable.checkpoint_key().unwrap()).unwrap();
        assert_eq!(*tensor.values::<f32>().unwrap(), *values, "{key}");
    }

    let trainable = graph.trainable_variables();
    let trainable: Vec<_> = trainable
        .iter()
        .map(|it| it.path().unwrap().to_string())
        .collect();
    assert_eq!(trainable, ["root.dense.kernel", "root.dense.bias"]);
}

#[test]
fn checkpoints_are_as_tensorflow_sees_them() {
    let mut comparison = Comparison::default();
    let mut slots = 0;
    for row in expected() {
        let Some(name) = row.get("checkpoint").and_then(Value::as_str) else {
            continue;
        };
        let bundle = BundleReader::open(root().join("tests").join(name)).unwrap();
        let graph = CheckpointGraph::read(&bundle).unwrap();
        let rows = row["objects"].as_array().unwrap();
        assert_eq!(graph.len(), rows.len(), "{name}");
        let pretty = pretty_names(
            graph
                .objects()
                .map(|object| object.path().map(|path| path.names())),
            graph.slot_variables().map(|slot| {
                let ids = (slot.optimizer.id(), slot.original.id(), slot.variable.id());
                (slot.slot_name, ids)
            }),
        );
        for ((object, row), pretty) in graph.objects().zip(rows).zip(pretty) {
            let of = format!("{name}, {object:?}");
            let children = object.children().map(|(name, child)| (name, child.id()));
            let ours = json!({
                "pretty": pretty,
                "children": children.collect::<BTreeMap<_, _>>(),
                "keys": object
                    .attributes()
                    .map(|it| json!([it.name, it.full_name, it.checkpoint_key]))
                    .collect::<Vec<_>>(),
                "slots": object
                    .slot_variables()
                    .map(|slot| json!([slot.slot_name, slot.original.id(), slot.variable.id()]))
                    .collect::<Vec<_>>(),
            });
            comparison.equal("checkpoint objects", &of, ours, row);
            for path in object.paths() {
                assert_eq!(graph.object(&path.to_string()).unwrap(), object);
                assert_eq!(graph.object(&path.to_key()).unwrap(), object);
            }
            for attribute in object.attributes() {
                assert!(bundle.contains(attribute.checkpoint_key).unwrap());
            }
        }
        for slot in graph.slot_variables() {
            assert_eq!(
                slot.expected_key().as_deref(),
                slot.variable.checkpoint_key()
            );
            slots += 1;
        }
    }
    println!("{:#?}, {slots} slot variables", comparison.compared);
    assert!(
        comparison.faults.is_empty(),
        "{}",
        comparison.faults.join("\n")
    );
    assert_eq!(slots, 8);
}

#[test]
fn interop_stored_objects_are_those_of_tensorflow() {
    let directories = [
        &*root().join("tests"),
        Path::new("fixtures"),
        Path::new("cli-goldens/models"),
    ];
    let Some(now) = tensorflow::run("dump_objects.py", &directories) else {
        return;
    };
    let stored = fs::read(root().join(EXPECTED)).unwrap();
    assert!(now == stored, "{EXPECTED} is out of date");
}

#[test]
fn without_a_graph_in_the_bundle_names_are_keys() {
    let variable = |name: &str| SavedObject {
        kind: Some(Kind::Variable(SavedVariable {
            name: name.to_owned(),
            dtype: 3,
            ..Default::default()
        })),
        ..Default::default()
    };
    let nodes = vec![
        SavedObject::default(),
        variable("DT_INT32"),
        variable("other"),
    ];
    let graph = SavedObjectGraph {
        nodes,
        ..Default::default()
    };
    let bundle = BundleReader::open(root().join("tests/vectors/bundles/all_dtypes/b")).unwrap();
    let graph = ObjectGraph::decode(&graph.encode_to_vec().into()).unwrap();
    let graph = graph.with_checkpoint(&bundle).unwrap();

    assert!(graph.checkpoint().is_none());
    let keys: Vec<_> = graph.variables().map(|it| it.checkpoint_key()).collect();
    assert_eq!(keys, [Some("DT_INT32"), None]);
    let error = CheckpointGraph::read(&bundle).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotFound { .. }),
        "{error}"
    );
}

#[test]
fn a_path_that_leads_nowhere_says_where_it_ends() {
    let graph = open(&root().join("tests/fixtures/module"));
    for (path, message) in [
        (
            "layers[2].w",
            "object `layers[2].w`: `2` of object 1 (has `0`, `1`) not found",
        ),
        (
            "root.shared.w.x",
            "`x` of object 19 (has no children) not found",
        ),
        (
            "w/.OPTIMIZER_SLOT/optimizer/m",
            "object `w`: `w` of object 0 (has `layers`, `by_name`, `pair`, `counts`, `wave`, \
             `wide`, `nothing`, `shared` and others) not found",
        ),
        ("layers", "object `layers` is no variable but user_object"),
    ] {
        let error = graph.variable(path).unwrap_err().to_string();
        assert!(error.contains(message), "{path}: {error}");
    }
}

/// Whatever one byte is turned into, everything that can be asked is answered.
#[test]
fn damage_is_an_error_or_another_graph() {
    let directory = root().join("tests/fixtures/no_variables");
    let bundle = BundleReader::open(directory.join("variables/variables")).unwrap();
    let original = object_graph_def(&directory);
    let mut refused = 0;
    for position in 0..original.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = original.to_vec();
            bytes[position] ^= flip;
            match ObjectGraph::decode(&Bytes::from(bytes)) {
                Ok(graph) => ask_everything(&graph.with_checkpoint(&bundle).unwrap()),
                Err(error) => {
                    assert!(
                        matches!(error.kind(), ErrorKind::Malformed { .. }),
                        "{error}"
                    );
                    refused += 1;
                }
            }
        }
        let cut = ObjectGraph::decode(&original.slice(..position));
        cut.iter().for_each(ask_everything);
    }
    println!("{refused} refused");
}

fn ask_everything(graph: &ObjectGraph) {
    let mut text = format!("{:?}", graph.faults());
    for object in graph.objects() {
        text += &format!(
            "{object:?} {:?} {:?}",
            object.kind(),
            object.registered_name()
        );
        for (name, other) in object.children().chain(object.dependencies()) {
            text += &format!("{name} {other:?} {:?}", object.child(name));
        }
        for path in object.paths() {
            text += &format!(
                "{path} {} {:?}",
                path.to_key(),
                graph.object(&path.to_string())
            );
        }
        if let Some(function) = object.function() {
            text += &format!("{:?}", function.function_spec());
        }
        let slots: Vec<_> = object.slot_variables().collect();
        let saveables: Vec<_> = object.saveable_objects().collect();
        text += &format!("{slots:?} {saveables:?} {:?}", object.checkpoint_keys());
    }
    for name in graph.concrete_function_names() {
        if let Ok(function) = graph.concrete_function(name) {
            let inputs: Vec<_> = function.bound_inputs().collect();
            text += &format!("{inputs:?} {:?}", function.output_signature());
            if let Ok(Some(value)) = function.canonicalized_input_signature() {
                text += &format!("{:?}", value.flatten());
            }
        }
    }
    let variables = graph.trainable_variables();
    text += &format!("{variables:?} {:?}", graph.regularization_losses());
    assert!(!text.is_empty());
}

/// The names that `ObjectGraphProtoPrettyPrinter` of `tensorflow/python/checkpoint/checkpoint.py`
/// gives.
fn pretty_names<'g>(
    paths: impl Iterator<Item = Option<Vec<&'g str>>>,
    slots: impl Iterator<Item = (&'g str, (usize, usize, usize))>,
) -> Vec<Option<String>> {
    let mut names: Vec<_> = paths
        .map(|names| {
            let mut all = vec!["(root)"];
            all.extend(names?);
            Some(all.join("."))
        })
        .collect();
    for (slot_name, (optimizer, original, variable)) in slots {
        let (optimizer, original) = (names[optimizer].as_ref(), names[original].as_ref());
        let (optimizer, original) = (optimizer.unwrap(), original.unwrap());
        names[variable] = Some(format!("{optimizer}'s state '{slot_name}' for {original}"));
    }
    names
}

/// The members of a row that `ours` has too.
fn pick(row: &Value, ours: &Value) -> Value {
    let members = ours.as_object().unwrap().keys();
    let members = members.map(|key| (key.clone(), row[key].clone()));
    Value::Object(members.collect())
}

fn ids<'g>(objects: impl Iterator<Item = Object<'g>>) -> Value {
    objects.map(Object::id).collect()
}

fn inputs(function: &ConcreteFunction<'_>) -> StructuredValue {
    function.canonicalized_input_signature().unwrap().unwrap()
}

fn function_spec(spec: &FunctionSpec) -> Value {
    let full = &spec.fullargspec;
    let tuple = |values: &Vec<_>| structure(&StructuredValue::Tuple(values.clone()));
    let dict = |entries: &Vec<_>| structure(&StructuredValue::Dict(entries.clone()));
    json!({
        "args": full.args,
        "varargs": full.varargs,
        "varkw": full.varkw,
        "defaults": full.defaults.as_ref().map(tuple),
        "kwonlyargs": full.kwonlyargs,
        "kwonlydefaults": full.kwonlydefaults.as_ref().map(dict),
        "input_signature": spec.input_signature.as_ref().map(structure),
        "jit_compile": match spec.jit_compile {
            JitCompile::Default => None,
            JitCompile::On => Some(true),
            JitCompile::Off => Some(false),
        },
    })
}

/// A value as `dump_objects.py` writes it.
fn structure(value: &StructuredValue) -> Value {
    let all = |values: &[StructuredValue]| values.iter().map(structure).collect::<Vec<_>>();
    match value {
        StructuredValue::None => Value::Null,
        StructuredValue::Float(value) => json!({ "float": format!("{:016x}", value.to_bits()) }),
        StructuredValue::Int(value) => json!(value),
        StructuredValue::String(text) => json!(text),
        StructuredValue::Bool(value) => json!(value),
        StructuredValue::TensorShape(value) => json!({ "shape": shape(value) }),
        StructuredValue::DType(dtype) => json!({ "dtype": dtype.name() }),
        StructuredValue::TensorSpec(spec) => json!({ "spec": tensor_spec(spec) }),
        StructuredValue::BoundedTensorSpec(bounded) => {
            let mut parts = tensor_spec(&bounded.spec);
            parts.extend([&bounded.minimum, &bounded.maximum].map(numbers));
            json!({ "bounded": parts })
        }
        StructuredValue::TypeSpec(spec) => {
            let name = spec.class.name().unwrap_or(&spec.class_name);
            json!({ "type": name, "state": structure(&spec.state) })
        }
        StructuredValue::List(values) => all(values).into(),
        StructuredValue::Tuple(values) => json!({ "tuple": all(values) }),
        StructuredValue::Dict(_) => {
            let entries = value.sorted_entries().unwrap().into_iter();
            let entries = entries.map(|(key, value)| (key.to_owned(), structure(value)));
            json!({ "dict": entries.collect::<serde_json::Map<_, _>>() })
        }
        StructuredValue::NamedTuple(tuple) => {
            let fields = tuple.fields.iter();
            let fields = fields.map(|(name, value)| json!([name, structure(value)]));
            json!({ "named": tuple.name, "fields": fields.collect::<Vec<_>>() })
        }
        StructuredValue::Tensor(tensor) => {
            json!({ "tensor": [tensor.dtype().name(), tensor.shape().dims()] })
        }
        StructuredValue::Numpy(array) => {
            json!({ "numpy": [array.dtype().name(), array.shape().dims()] })
        }
        other => panic!("no JSON form for {other:?}"),
    }
}

fn tensor_spec(spec: &TensorSpec) -> Vec<Value> {
    vec![
        json!(spec.name),
        json!(spec.dtype.name()),
        shape(&spec.shape),
    ]
}

fn numbers(tensor: &Tensor) -> Value {
    let numbers = tensor.values::<f32>().unwrap();
    match tensor.shape().is_scalar() {
        true => json!(numbers[0]),
        false => json!(numbers),
    }
}

fn shape(shape: &PartialShape) -> Value {
    shape.dims().map_or(Value::Null, |dims| json!(dims))
}

/// The first and the last bytes of a value, or its first strings.
fn ends(tensor: &Tensor) -> Value {
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    if let Some(strings) = tensor.strings() {
        return strings.iter().take(4).map(hex).collect();
    }
    let bytes = tensor.bytes().unwrap();
    match bytes.len() {
        0..=32 => hex(bytes).into(),
        len => format!("{}..{}", hex(&bytes[..16]), hex(&bytes[len - 16..])).into(),
    }
}
