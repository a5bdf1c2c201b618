//! Descriptions that no loader would take: refused with a reason, before anything is published.

use std::path::Path;

use savedmodel::builder::{MetaGraphBuilder, SavedModelBuilder};
use savedmodel::bundle::Durability;
use savedmodel::graph::{GraphBuilder, SavedVariable};
use savedmodel::model::Encoding;
use savedmodel::proto::collection_def::{Kind, NodeList};
use savedmodel::proto::{CollectionDef, SaverDef};
use savedmodel::{DType, PartialShape, Result, Shape, Signature, Tensor, TensorInfo};

use crate::scratch::Scratch;

fn builder(directory: impl AsRef<Path>) -> SavedModelBuilder {
    let options = SavedModelBuilder::options().durability(Durability::None);
    options.create(directory).unwrap()
}

/// `x w`, with the nodes that save and restore `w`.
fn graph() -> (GraphBuilder, SaverDef) {
    let mut graph = GraphBuilder::new();
    let x = graph.placeholder("x", DType::FLOAT, PartialShape::UNKNOWN);
    let w = graph.variable("w", DType::FLOAT, Shape::new(&[2]).unwrap());
    let value = graph.read(w.as_ref().unwrap()).unwrap();
    let y = graph.op("Mul").name("y").input(&x.unwrap()).input(&value);
    y.build().unwrap();
    let saver = graph.saver(&[SavedVariable::named(&w.unwrap())]).unwrap();
    (graph, saver)
}

fn given() -> MetaGraphBuilder {
    let (graph, saver) = graph();
    MetaGraphBuilder::from_graph_def(graph.to_graph_def(), ["serve"]).saver(saver)
}

fn built() -> MetaGraphBuilder {
    MetaGraphBuilder::new(graph().0, ["serve"])
}

fn value() -> Tensor {
    Tensor::from_slice([2], &[1f32, 2.]).unwrap()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>, why: &str) {
    let error = result.unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
}

/// A signature from `input` to the tensor `y`.
fn signature(input: TensorInfo) -> Signature {
    let y = TensorInfo::new("y:0", DType::FLOAT, &PartialShape::UNKNOWN);
    Signature::predict([("x", input)], [("y", y)]).unwrap()
}

#[test]
fn values_and_variables_that_do_not_fit_are_refused() {
    let scratch = Scratch::new("refused-values");
    let mut builder = builder(scratch.path().join("model"));
    let mut add = |meta_graph: MetaGraphBuilder, values: &[(&str, Tensor)], why: &str| {
        refused(
            builder.add_meta_graph_and_variables(meta_graph, values.iter().cloned()),
            why,
        );
    };
    let whole = || Tensor::from_slice([2], &[1i32, 2]).unwrap();
    let long = || Tensor::from_slice([3], &[1f32, 2., 3.]).unwrap();
    add(built(), &[], "no value");
    add(
        built(),
        &[("w", long())],
        "is float32 [2], and the value float32 [3]",
    );
    add(built(), &[("w", whole())], "and the value int32 [2]");
    add(
        built(),
        &[("w", value()), ("v", value())],
        "variable for the value",
    );
    add(built(), &[("w", value()), ("w", value())], "two values");
    // Of a graph that was given, what its saver restores is known.
    add(given(), &[], "restores a variable that has no value");
    add(
        given(),
        &[("v", value())],
        "restores a variable that has no value",
    );
    add(
        given(),
        &[("w", whole())],
        "restores a variable of float32, and its value is of int32",
    );
    builder
        .add_meta_graph_and_variables(given(), [("w", value())])
        .unwrap();
    let again = builder.add_meta_graph_and_variables(given(), [("w", value())]);
    refused(again, "were saved before");
    let mut other = GraphBuilder::new();
    let v = other
        .variable("v", DType::FLOAT, Shape::new(&[2]).unwrap())
        .unwrap();
    let saver = other.saver(&[SavedVariable::named(&v)]).unwrap();
    let other = MetaGraphBuilder::from_graph_def(other.to_graph_def(), ["gpu"]).saver(saver);
    refused(
        builder.add_meta_graph(other),
        "restores a variable that has no value",
    );
    builder.save().unwrap();
}

#[test]
fn tags_that_are_there_in_any_order_are_refused() {
    let scratch = Scratch::new("refused-tags");
    let mut builder = builder(scratch.path().join("model"));
    let empty = |tags: &[&str]| MetaGraphBuilder::new(GraphBuilder::new(), tags.iter().copied());
    refused(
        builder.add_meta_graph(empty(&["serve"])),
        "is added with its",
    );
    let none = || Vec::<(&str, Tensor)>::new();
    builder
        .add_meta_graph_and_variables(empty(&["serve", "gpu"]), none())
        .unwrap();
    for tags in [&["gpu", "serve"][..], &["gpu", "gpu", "serve"]] {
        refused(builder.add_meta_graph(empty(tags)), "already");
    }
    builder.add_meta_graph(empty(&["serve"])).unwrap();
    builder.save().unwrap();
}

#[test]
fn signatures_and_ops_that_the_graph_does_not_have_are_refused() {
    let scratch = Scratch::new("refused-signatures");
    let mut builder = builder(scratch.path().join("model"));
    let mut add = |meta_graph: MetaGraphBuilder, why: &str| {
        refused(
            builder.add_meta_graph_and_variables(meta_graph, [("w", value())]),
            why,
        );
    };
    let float = |name: &str| signature(TensorInfo::new(name, DType::FLOAT, &PartialShape::UNKNOWN));
    let named = |name: &str, dtype| TensorInfo::new(name, dtype, &PartialShape::UNKNOWN);
    for meta_graph in [built, given] {
        for (signature, why) in [
            (float("z:0"), "tensor `z:0`, which is input `x`"),
            (float("x:1"), "the node has 1 outputs"),
            (float("x:-1"), "tensor `x:-1`"),
            (float("x"), "ends with no output"),
            (float("^x:0"), "tensor `^x:0`"),
            (
                signature(named("x:0", DType::INT64)),
                "is of int64, and the tensor `x:0` of float32",
            ),
            (signature(named("x:0", DType::INVALID)), "has no dtype"),
            (signature(TensorInfo::default()), "says of no tensor"),
        ] {
            add(meta_graph().signature("s", signature), why);
        }
    }
    let mut sparse = named("", DType::FLOAT);
    sparse.encoding = Encoding::CooSparse {
        values: "x:0".to_owned(),
        indices: "i:0".to_owned(),
        dense_shape: "x:0".to_owned(),
    };
    add(given().signature("s", signature(sparse.clone())), "`i:0`");
    let mut composite = TensorInfo::default();
    composite.encoding = Encoding::Composite {
        type_spec: None,
        components: vec![named("x:0", DType::FLOAT), sparse],
    };
    add(given().signature("s", signature(composite)), "`i:0`");

    add(given().main_op_named("init"), "the main op `init`");
    let list = Kind::NodeList(NodeList {
        value: vec!["y".to_owned()],
    });
    let main_op = CollectionDef { kind: Some(list) };
    for name in ["legacy_init_op", "saved_model_main_op"] {
        let twice = given().main_op_named("y").collection(name, main_op.clone());
        add(twice, "to be run already");
    }
    let (_, saver) = graph();
    for (change, why) in [
        (
            (|saver| saver.filename_tensor_name.push('9')) as fn(&mut SaverDef),
            "the saver's file name",
        ),
        (
            |saver| saver.save_tensor_name.clear(),
            "the saver's save tensor",
        ),
        (
            |saver| saver.restore_op_name.push_str(":0"),
            "the saver's restore op",
        ),
    ] {
        let mut saver = saver.clone();
        change(&mut saver);
        add(given().saver(saver), why);
    }
    drop(builder);
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn assets_that_are_no_files_are_refused() {
    let scratch = Scratch::new("refused-assets");
    let mut builder = builder(scratch.path().join("model"));
    let words = scratch.path().join("words.txt");
    std::fs::write(&words, "one\n").unwrap();
    for path in ["..", "/", ""] {
        refused(GraphBuilder::new().asset(path), "whose name is Unicode");
    }
    let mut add = |meta_graph: MetaGraphBuilder, why: &str| {
        refused(
            builder.add_meta_graph_and_variables(meta_graph, [("w", value())]),
            why,
        );
    };
    for path in [
        scratch.path().to_owned(),
        scratch.path().join("missing"),
        scratch.path().join("words.txt/.."),
        "/".into(),
    ] {
        add(given().asset("x:0", &path), "asset not found");
    }
    add(given().asset("z:0", &words), "tensor `z:0`");
    add(
        given().asset("x:0", &words).asset("x:0", &words),
        "stands for two assets",
    );
    builder
        .add_meta_graph_and_variables(given().asset("x:0", &words), [("w", value())])
        .unwrap();
    for name in ["../x", "/x", "a/../../x", "", "."] {
        refused(builder.add_extra_asset(name, &words), "leads out");
    }
    builder
        .add_extra_asset("notes", scratch.path().join("missing"))
        .unwrap();
    refused(builder.add_extra_asset("notes", &words), "already");
    refused(builder.save(), "missing");
    let left = std::fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(left, 1, "the vocabulary is, and no model");
}
