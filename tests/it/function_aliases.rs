//! Function aliases and debug information, as TensorFlow saves and loads them.

use std::path::Path;

use prost::Message;
use savedmodel::builder::{ObjectModelBuilder, SavedModelBuilder, Trace};
use savedmodel::bundle::Durability;
use savedmodel::graph::{Function, GraphBuilder, Variable};
use savedmodel::object_graph::ObjectTree;
use savedmodel::{DType, ErrorKind, PartialShape, Result, SavedModel, Shape, Tensor, proto};
use serde_json::{Value as Json, json};

use crate::scratch::Scratch;
use crate::tensorflow;

/// `op(x, w)` of a scalar, which is cast to float.
fn function(name: &str, op: &str, dtype: DType) -> Result<Function> {
    let mut body = GraphBuilder::function();
    let x = body.argument("x", dtype, Shape::SCALAR.into())?;
    let handle = body.argument("w", DType::RESOURCE, PartialShape::UNKNOWN)?;
    let w = body.read(&Variable::from_handle(
        &handle,
        DType::FLOAT,
        Shape::SCALAR,
    )?)?;
    let x = body.cast(&x, DType::FLOAT)?;
    let y = body.op(op).input(&x).input(&w).output()?;
    body.into_function(name, [("y", &y.with_shape(Shape::SCALAR.into()))])
}

fn module() -> Result<ObjectModelBuilder> {
    let mut tree = ObjectTree::new();
    let root = tree.root();
    let w = tree.track(root, "w", Tensor::scalar(2f32))?;
    let mut model = ObjectModelBuilder::new(tree)?;
    let traces = [
        Trace::new(&function("times", "Mul", DType::FLOAT)?).capture(w),
        Trace::new(&function("times_int", "Mul", DType::INT32)?).capture(w),
    ];
    let times = model.function(root, "times", traces)?;
    let half = function("half", "RealDiv", DType::FLOAT)?;
    model.function(root, "half", [Trace::new(&half).capture(w)])?;
    model.function_alias("product", times)?;
    model.concrete_function_alias("quotient", "half")?;
    model.signature("serving_default", "half")?;
    Ok(model)
}

fn builder(directory: &Path) -> SavedModelBuilder {
    let options = SavedModelBuilder::options().durability(Durability::None);
    options.uuid("7").create(directory).unwrap()
}

#[test]
fn aliases_are_in_the_model_under_the_names_of_its_functions() {
    let scratch = Scratch::new("aliases");
    let mut model = module().unwrap();
    let error = model.concrete_function_alias("other", "times").unwrap_err();
    assert!(
        error.to_string().contains("alias `product` already"),
        "{error}"
    );
    let error = model.concrete_function_alias("other", "time").unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotFound { .. }),
        "{error}"
    );
    let constant = model.constant(Tensor::scalar(1f32)).unwrap();
    let error = model.function_alias("other", constant).unwrap_err();
    assert!(error.to_string().contains("only functions"), "{error}");
    let root = model.tree().root();
    model.attach(root, "function_aliases", constant).unwrap();
    let mut refused = builder(&scratch.path().join("refused"));
    let error = refused.add_object_model(model).unwrap_err();
    assert!(
        error.to_string().contains("where TensorFlow puts aliases"),
        "{error}"
    );
    drop(refused);

    let directory = scratch.path().join("model");
    let mut builder = builder(&directory);
    builder.add_object_model(module().unwrap()).unwrap();
    builder.save().unwrap();
    let model = SavedModel::open(directory).unwrap();
    let proto = model.to_proto().unwrap();
    let info = proto.meta_graphs[0].meta_info_def.as_ref().unwrap();
    let library = proto.meta_graphs[0]
        .graph_def
        .as_ref()
        .unwrap()
        .library
        .as_ref()
        .unwrap();
    let mut found = Vec::new();
    for entry in &info.function_aliases {
        let is_it = |it: &&proto::FunctionDef| it.signature.as_ref().unwrap().name == entry.key();
        assert_eq!(library.function.iter().filter(is_it).count(), 1);
        found.push((
            entry.key().trim_end_matches(char::is_numeric),
            entry.value(),
        ));
    }
    found.sort();
    assert_eq!(
        found,
        [
            ("__inference_half_", "quotient"),
            ("__inference_times_", "product"),
            ("__inference_times_int_", "product"),
        ]
    );
}

#[test]
fn debug_info_is_checked_and_kept_as_it_is() {
    let scratch = Scratch::new("debug-info");
    let directory = scratch.path().join("model");
    let mut builder = builder(&directory);
    builder.add_object_model(module().unwrap()).unwrap();
    let error = builder.add_debug_info_bytes([0xff; 3]).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Malformed { .. }),
        "{error}"
    );
    let missing = scratch.path().join("missing.pb");
    let error = builder.add_debug_info_file(&missing).unwrap_err();
    assert_eq!(error.path(), Some(&*missing));
    // A file name, and a field of next year.
    let bytes = b"\x0a\x04a.py\xfa\x01\x01x";
    let file = scratch.path().join("info.pb");
    std::fs::write(&file, bytes).unwrap();
    builder.add_debug_info_file(&file).unwrap();
    let twice = builder.add_debug_info(&proto::GraphDebugInfo::default());
    assert!(
        twice
            .unwrap_err()
            .to_string()
            .contains("debug info already")
    );
    let written = builder
        .save()
        .unwrap()
        .join("debug/saved_model_debug_info.pb");
    assert_eq!(std::fs::read(written).unwrap(), bytes);
}

#[test]
fn interop_aliases_and_debug_info_are_those_of_tensorflow() {
    let scratch = Scratch::new("aliases-interop");
    let path = |name: &str| scratch.path().join(name);
    let arguments: [&Path; 2] = [Path::new("save"), &path("theirs")];
    let Some(answer) = tensorflow::run("function_aliases.py", &arguments) else {
        return;
    };
    let counts: Json = serde_json::from_slice(&answer).unwrap();
    // It names functions, too, that it then does not write.
    let names = |counts: &Json| {
        counts
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&counts), ["product", "quotient"]);

    let debug_info = "debug/saved_model_debug_info.pb";
    let theirs = std::fs::read(path("theirs").join(debug_info)).unwrap();
    let info = proto::GraphDebugInfo::decode(&theirs[..]).unwrap();
    assert!(info.traces_by_id.len() > 1 && info.name_to_trace_id.len() > 3);
    let mut builder = builder(&path("ours"));
    builder.add_object_model(module().unwrap()).unwrap();
    builder.add_debug_info(&info).unwrap();
    builder.save().unwrap();
    assert!(std::fs::read(path("ours").join(debug_info)).unwrap() == theirs);

    let arguments: [&Path; 2] = [Path::new("load"), &path("ours")];
    let answer = tensorflow::run("function_aliases.py", &arguments).unwrap();
    let answer: Json = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["counts"], json!({"product": 2, "quotient": 1}));
    assert_eq!(
        answer["values"],
        json!({"product": [6.0], "quotient": [1.5]})
    );
    assert_eq!(names(&answer["again"]), ["product", "quotient"]);
}
