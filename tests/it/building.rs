//! Models that were built here, run by TensorFlow.

use std::path::Path;

use prost::Message;
use savedmodel::builder::{
    MetaGraphBuilder, SavedModelBuilder, SavedModelBuilderOptions, SplitProto, constants,
};
use savedmodel::bundle::Durability;
use savedmodel::chunked::ChunkedProto;
use savedmodel::graph::{Function, GraphBuilder};
use savedmodel::store::Blob;
use savedmodel::wire::{self, MapOrder};
use savedmodel::{
    DType, Error, ErrorKind, PartialShape, Result, SavedModel, Shape, Signature, Tensor, proto,
};
use serde_json::{Value as Json, json};

use crate::scratch::Scratch;
use crate::tensorflow;

fn builder(directory: impl AsRef<Path>) -> SavedModelBuilder {
    let options = SavedModelBuilder::options().durability(Durability::None);
    options.uuid("7").create(directory).unwrap()
}

fn batch_of(columns: u64) -> PartialShape {
    PartialShape::new(&[None, Some(columns)]).unwrap()
}

/// `relu(x w + b)`, with a branch and a loop behind it.
fn network(directory: &Path) -> Result<()> {
    network_by(builder(directory)).map(drop)
}

fn network_by(mut builder: SavedModelBuilder) -> Result<std::path::PathBuf> {
    let unary = |name: &str, op: &str| -> Result<Function> {
        let mut body = GraphBuilder::function();
        let x = body.argument("x", DType::FLOAT, PartialShape::UNKNOWN)?;
        let y = body.op(op).input(&x).output()?;
        body.into_function(name, [("y", &y)])
    };
    let mut below = GraphBuilder::function();
    let i = below.argument("i", DType::INT32, PartialShape::UNKNOWN)?;
    below.argument("x", DType::FLOAT, PartialShape::UNKNOWN)?;
    let three = below.constant("three", &Tensor::scalar(3i32))?;
    let less = below.op("Less").input(&i).input(&three).output()?;
    let below = below.into_function("below_three", [("less", &less)])?;
    let mut body = GraphBuilder::function();
    let i = body.argument("i", DType::INT32, PartialShape::UNKNOWN)?;
    let x = body.argument("x", DType::FLOAT, PartialShape::UNKNOWN)?;
    let one = body.constant("one", &Tensor::scalar(1i32))?;
    let next = body.op("AddV2").input(&i).input(&one).output()?;
    let twice = body.op("AddV2").input(&x).input(&x).output()?;
    let body = body.into_function("double", [("i", &next), ("x", &twice)])?;

    let mut graph = GraphBuilder::new();
    let x = graph.placeholder("x", DType::FLOAT, batch_of(3))?;
    let w = graph.variable("dense/kernel", DType::FLOAT, Shape::new(&[3, 2])?)?;
    let b = graph.variable("dense/bias", DType::FLOAT, Shape::new(&[2])?)?;
    let (kernel, bias) = (graph.read(&w)?, graph.read(&b)?);
    let product = graph.op("MatMul").input(&x).input(&kernel).output()?;
    let sum = graph.op("BiasAdd").input(&product).input(&bias).output()?;
    let y = graph
        .op("Relu")
        .name("y")
        .input(&sum)
        .output()?
        .with_shape(batch_of(2));

    let size = graph.op("Size").input(&x).output()?;
    let six = graph.constant("six", &Tensor::scalar(6i32))?;
    let is_long = graph.op("GreaterEqual").input(&size).input(&six).output()?;
    let (negate, keep) = (unary("negate", "Neg")?, unary("keep", "Identity")?);
    let branch = graph
        .if_then_else(&is_long, &negate, &keep, [&y])?
        .output()?;
    let zero = graph.constant("zero", &Tensor::scalar(0i32))?;
    let looped = graph.while_loop(&below, &body, [&zero, &y])?;

    let outputs = [
        ("y", &y),
        ("branch", &branch),
        ("looped", &looped.outputs()[1]),
    ];
    let signature = Signature::predict([("x", &x)], outputs)?;
    let meta_graph = MetaGraphBuilder::new(graph, [constants::SERVING]);
    builder.add_meta_graph_and_variables(
        meta_graph.signature(constants::DEFAULT_SERVING_SIGNATURE_DEF_KEY, signature),
        [
            (
                "dense/kernel",
                Tensor::from_slice([3, 2], &[1f32, -1., 0.5, 2., 0., 1.])?,
            ),
            ("dense/bias", Tensor::from_slice([2], &[0.25f32, -0.5])?),
        ],
    )?;
    builder.save()
}

/// Words to numbers, by a vocabulary file.
fn vocabulary(directory: &Path, file: &Path) -> Result<()> {
    let mut graph = GraphBuilder::new();
    let words = graph.placeholder("words", DType::STRING, PartialShape::new(&[None])?)?;
    let path = graph.asset(file)?;
    let table = graph
        .op("HashTableV2")
        .name("table")
        .attr("key_dtype", DType::STRING)
        .attr("value_dtype", DType::INT64)
        .attr("shared_name", "vocabulary")
        .output()?;
    let filled = graph
        .op("InitializeTableFromTextFileV2")
        .input(&table)
        .input(&path)
        .attr("key_index", -2)
        .attr("value_index", -1)
        .build()?;
    graph.initialize_with(&filled)?;
    let none = graph.constant("none", &Tensor::scalar(-1i64))?;
    let find = graph.op("LookupTableFindV2").input(&table).input(&words);
    let ids = find.input(&none).output()?;
    let signature = Signature::predict([("words", &words)], [("ids", &ids)])?;
    let mut builder = builder(directory);
    let meta_graph = MetaGraphBuilder::new(graph, [constants::SERVING]);
    let meta_graph = meta_graph
        .signature("serving_default", signature)
        .strip_default_attrs();
    builder.add_meta_graph_and_variables(meta_graph, Vec::<(String, Tensor)>::new())?;
    builder.save()?;
    Ok(())
}

/// `a x` and `a x + b`, under tags of their own.
fn two_meta_graphs(directory: &Path) -> Result<()> {
    let line = |with_offset: bool| -> Result<(GraphBuilder, Signature)> {
        let mut graph = GraphBuilder::new();
        let x = graph.placeholder("x", DType::FLOAT, PartialShape::new(&[None])?)?;
        let a = graph.variable("a", DType::FLOAT, Shape::SCALAR)?;
        let value = graph.read(&a)?;
        let mut y = graph.op("Mul").input(&x).input(&value).output()?;
        if with_offset {
            let b = graph.variable("b", DType::FLOAT, Shape::SCALAR)?;
            let value = graph.read(&b)?;
            y = graph.op("Add").input(&y).input(&value).output()?;
        }
        let signature = Signature::predict([("x", &x)], [("y", &y)])?;
        Ok((graph, signature))
    };
    let mut builder = builder(directory);
    let (graph, signature) = line(true)?;
    let meta_graph = MetaGraphBuilder::new(graph, ["serve"]).signature("line", signature);
    let values = [("a", Tensor::scalar(2f32)), ("b", Tensor::scalar(0.5f32))];
    builder.add_meta_graph_and_variables(meta_graph, values)?;
    let (graph, signature) = line(false)?;
    let meta_graph = MetaGraphBuilder::new(graph, ["serve", "gpu"]).signature("line", signature);
    builder.add_meta_graph(meta_graph)?;
    builder.save()?;
    Ok(())
}

#[test]
fn interop_built_models_run_by_every_route() {
    let scratch = Scratch::new("building");
    let path = |name: &str| scratch.path().join(name);
    network(&path("network")).unwrap();
    let words = path("words.txt");
    std::fs::write(&words, "zero\none\ntwo\n").unwrap();
    vocabulary(&path("vocabulary"), &words).unwrap();
    std::fs::remove_file(words).unwrap();
    two_meta_graphs(&path("two")).unwrap();

    let x = json!({"dtype": "float32", "values": [[1., 2., 3.], [-1., 0., 1.]]});
    let line = json!({"dtype": "float32", "values": [1., 4.]});
    let cases = json!([
        {"model": path("network"), "tags": ["serve"], "signature": "serving_default", "inputs": {"x": x}},
        {"model": path("vocabulary"), "tags": ["serve"], "signature": "serving_default",
         "inputs": {"words": {"dtype": "string", "values": ["two", "ten", "zero"]}}},
        {"model": path("two"), "tags": ["serve"], "signature": "line", "inputs": {"x": line}},
        {"model": path("two"), "tags": ["gpu", "serve"], "signature": "line", "inputs": {"x": line}},
    ]);
    let expected = [
        json!({"y": [[2.25, 5.5], [0.0, 1.5]], "branch": [[-2.25, -5.5], [-0.0, -1.5]],
               "looped": [[18.0, 44.0], [0.0, 12.0]]}),
        json!({"ids": [2, -1, 0]}),
        json!({"y": [2.5, 8.5]}),
        json!({"y": [2.0, 8.0]}),
    ];
    let file = path("cases.json");
    std::fs::write(&file, cases.to_string()).unwrap();
    let Some(answers) = tensorflow::run("run_routes.py", &[&file]) else {
        return;
    };
    let answers: Json = serde_json::from_slice(&answers).unwrap();
    for (answer, expected) in answers.as_array().unwrap().iter().zip(&expected) {
        for route in ["capi", "v1", "v2", "cli"] {
            assert_eq!(answer[route], *expected, "{route}");
        }
    }
}

/// The bytes of the model, what says who wrote it left out, maps in one order.
fn without_writer(mut model: proto::SavedModel) -> Vec<u8> {
    for meta_graph in &mut model.meta_graphs {
        let info = meta_graph.meta_info_def.as_mut().unwrap();
        info.tensorflow_version.clear();
        info.tensorflow_git_version.clear();
    }
    let encoded = model.encode_to_vec();
    let canonical = wire::Canonical::new(&encoded, "tensorflow.SavedModel", MapOrder::Cpp);
    canonical.unwrap().to_vec()
}

/// Builds a model of what TensorFlow's builder was given.
fn build_as_told(case: &Path, theirs: &SavedModel) -> SavedModel {
    let read = |name: &str| std::fs::read(case.join(name)).unwrap();
    let graph = proto::GraphDef::decode(&read("graph.pb")[..]).unwrap();
    let rest = proto::MetaGraphDef::decode(&read("rest.pb")[..]).unwrap();
    let arguments: Json = serde_json::from_slice(&read("arguments.json")).unwrap();
    let tags = arguments["tags"].as_array().unwrap().iter();
    let tags = tags.map(|tag| tag.as_str().unwrap());
    let mut meta_graph = MetaGraphBuilder::from_graph_def(graph, tags);
    for entry in rest.signature_def {
        let signature = Signature::from_proto(entry.value.unwrap());
        meta_graph = meta_graph.signature(&entry.key.unwrap(), signature);
    }
    for entry in rest.collection_def {
        meta_graph = meta_graph.collection(&entry.key.unwrap(), entry.value.unwrap());
    }
    if let Some(saver) = rest.saver_def {
        meta_graph = meta_graph.saver(saver);
    }
    for asset in arguments["assets"].as_array().unwrap() {
        meta_graph = meta_graph.asset(asset[0].as_str().unwrap(), asset[1].as_str().unwrap());
    }
    if let Some(main_op) = arguments["main_op"].as_str() {
        meta_graph = meta_graph.main_op_named(main_op);
    }
    if arguments["clear_devices"] == true {
        meta_graph = meta_graph.clear_devices();
    }
    if arguments["strip_default_attrs"] == true {
        meta_graph = meta_graph.strip_default_attrs();
    }
    let values = match theirs.has_variables().unwrap() {
        true => theirs.variables().unwrap().read_all().unwrap(),
        false => Vec::new(),
    };
    let values = values
        .iter()
        .map(|(key, value)| (key.as_str().unwrap(), value.clone()));
    let mut builder = builder(case.join("ours"));
    builder
        .add_meta_graph_and_variables(meta_graph, values)
        .unwrap();
    SavedModel::open(builder.save().unwrap()).unwrap()
}

#[test]
fn interop_the_same_graph_gives_the_meta_graph_of_tensorflows_builder() {
    let scratch = Scratch::new("v1");
    if tensorflow::run("build_v1.py", &[scratch.path()]).is_none() {
        return;
    }
    let mut compared = 0;
    for entry in std::fs::read_dir(scratch.path()).unwrap() {
        let case = entry.unwrap().path();
        let theirs = SavedModel::open(case.join("model")).unwrap();
        let ours = build_as_told(&case, &theirs).to_proto().unwrap();
        let theirs = theirs.to_proto().unwrap();
        let ops = |model: &proto::SavedModel| {
            let info = model.meta_graphs[0].meta_info_def.clone().unwrap();
            info.stripped_op_list
        };
        assert_eq!(ops(&ours), ops(&theirs), "{case:?}");
        let text = |model| {
            let bytes = without_writer(model);
            savedmodel::text::print(bytes, "tensorflow.SavedModel").unwrap()
        };
        let (ours, theirs) = (text(ours), text(theirs));
        let lines = ours.lines().zip(theirs.lines());
        let differs = lines.enumerate().find(|(_, (a, b))| a != b);
        assert!(ours == theirs, "{case:?}: {differs:?}");
        compared += 1;
    }
    assert_eq!(compared, 16);
}

#[test]
fn a_built_model_is_one_that_is_read() {
    let scratch = Scratch::new("built");
    let directory = scratch.path().join("models/network/1");
    network(&directory).unwrap();
    let model = SavedModel::open(&directory).unwrap();
    let meta_graph = model.meta_graph(["serve"]).unwrap();
    let signature = meta_graph.signature("serving_default").unwrap();
    assert_eq!(
        signature.to_string(),
        "(x: float32 [?, 3] x:0) -> (branch: float32 <unknown> StatelessIf:0, looped: float32 \
         <unknown> StatelessWhile:1, y: float32 [?, 2] y:0)"
    );
    assert_eq!(model.fingerprint().unwrap().unwrap().uuid, "7");
    let found = savedmodel::Fingerprint::verify(&directory).unwrap();
    assert!(found.is_verified(), "{found:?}");
    assert!(model.variables().unwrap().verify().unwrap().is_sound());

    // The same description gives the same bytes.
    let again = scratch.path().join("again");
    network(&again).unwrap();
    for file in [
        "saved_model.pb",
        "fingerprint.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    ] {
        let read = |model: &Path| std::fs::read(model.join(file)).unwrap();
        assert!(read(&directory) == read(&again), "{file}");
    }
    let names = std::fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(names, 2, "nothing is left beside them");
}

fn build_with(directory: &Path, options: SavedModelBuilderOptions) -> Result<std::path::PathBuf> {
    let options = options.durability(Durability::None).uuid("7");
    network_by(options.create(directory)?)
}

#[test]
fn a_program_is_split_where_it_may_be() {
    let scratch = Scratch::new("split-program");
    let path = |name: &str| scratch.path().join(name);
    let forms = |model: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(model).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names
            .filter(|name| name.starts_with("saved_model"))
            .collect();
        names.sort();
        names
    };
    let options = SavedModelBuilder::options;
    let whole = build_with(&path("whole"), options()).unwrap();
    let when_too_large = || options().split_proto(SplitProto::WhenTooLarge);
    let small = build_with(&path("small"), when_too_large()).unwrap();
    assert_eq!(forms(&small), ["saved_model.pb"]);
    let read = |model: &Path, file: &str| std::fs::read(model.join(file)).unwrap();
    for file in ["saved_model.pb", "fingerprint.pb"] {
        assert!(read(&small, file) == read(&whole, file), "{file}");
    }
    for (name, split, least) in [
        ("split", when_too_large().max_proto_size(2000), 4),
        ("always", options().split_proto(SplitProto::Always), 1),
    ] {
        let model = build_with(&path(name), split.clone()).unwrap();
        assert_eq!(forms(&model), ["saved_model.cpb"]);
        let bytes = read(&model, "saved_model.cpb");
        let file = ChunkedProto::open(Blob::from_bytes(bytes)).unwrap();
        assert!(file.metadata().chunks.len() >= least, "{name}");
        let opened = SavedModel::open(&model).unwrap();
        let in_order = |model: &SavedModel| {
            let bytes = model.bytes().unwrap();
            let canonical = wire::Canonical::new(bytes, "tensorflow.SavedModel", MapOrder::Cpp);
            canonical.unwrap().to_vec()
        };
        let expected = SavedModel::open(&whole).unwrap();
        assert!(in_order(&opened) == in_order(&expected), "{name}");
        assert!(opened.variables().unwrap().verify().unwrap().is_sound());
        // The fingerprint is that of a split model.
        let fingerprint = opened.fingerprint().unwrap().unwrap();
        assert_eq!((&*fingerprint.uuid, fingerprint.producer), ("7", 2));
        let verified = savedmodel::Fingerprint::verify(&model).unwrap();
        assert!(verified.is_verified(), "{verified:?}");
        let again = path("again").join(name);
        build_with(&again, split).unwrap();
        for file in ["saved_model.cpb", "fingerprint.pb"] {
            assert!(read(&again, file) == read(&model, file), "{file}");
        }
    }

    let as_text = options().split_proto(SplitProto::Always).as_text(true);
    refused(build_with(&path("text"), as_text), "text is never split");
    let text = when_too_large().as_text(true).max_proto_size(100);
    assert_eq!(
        forms(&build_with(&path("text"), text).unwrap()),
        ["saved_model.pbtxt"]
    );
    let unsplittable = when_too_large().max_proto_size(150);
    let error = refused(
        build_with(&path("nodes"), unsplittable),
        "only Const can be split",
    );
    assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }));
    assert!(!path("nodes").exists());
}

#[test]
fn interop_tensorflow_merges_a_split_program_to_the_whole_one() {
    let scratch = Scratch::new("split-interop");
    let path = |name: &str| scratch.path().join(name);
    let options = SavedModelBuilder::options;
    let whole = build_with(&path("whole"), options()).unwrap();
    let sizes = [1000, 2000, 5000];
    for size in sizes {
        let split = options()
            .split_proto(SplitProto::Always)
            .max_proto_size(size);
        let model = build_with(&path("models").join(size.to_string()), split).unwrap();
        std::fs::copy(whole.join("saved_model.pb"), model.join("merged.pb")).unwrap();
    }
    let arguments: [&Path; 2] = [&path("build"), &path("models")];
    let Some(answer) = tensorflow::run("merge_split_models.py", &arguments) else {
        return;
    };
    let answer: Json = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer, json!({"same": sizes.len(), "faults": []}));
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>, why: &str) -> Error {
    let error = result.unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
    error
}

#[test]
fn what_no_loader_would_take_is_refused() {
    let scratch = Scratch::new("refused");
    let graph = || -> (GraphBuilder, Signature) {
        let mut graph = GraphBuilder::new();
        let x = graph.placeholder("x", DType::FLOAT, batch_of(1)).unwrap();
        let w = graph.variable("w", DType::FLOAT, Shape::SCALAR).unwrap();
        let value = graph.read(&w).unwrap();
        let y = graph.op("Mul").input(&x).input(&value).output().unwrap();
        let signature = Signature::predict([("x", &x)], [("y", &y)]).unwrap();
        (graph, signature)
    };
    let meta_graph = |tags: &[&str]| {
        let (graph, signature) = graph();
        let meta_graph = MetaGraphBuilder::new(graph, tags.iter().copied());
        meta_graph.signature("serving_default", signature)
    };
    let value = || Tensor::scalar(1f32);
    let mut builder = builder(scratch.path().join("model"));

    let error = refused(
        builder.add_meta_graph(meta_graph(&["serve"])),
        "with its variables",
    );
    assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }));
    let mut add = |meta_graph: MetaGraphBuilder, values: Vec<(&str, Tensor)>, why: &str| {
        refused(
            builder.add_meta_graph_and_variables(meta_graph, values),
            why,
        )
    };
    let error = add(meta_graph(&["serve"]), vec![], "has no value");
    assert_eq!(error.key(), Some(&b"w"[..]));
    add(
        meta_graph(&["serve"]),
        vec![("w", Tensor::scalar(1i32))],
        "is float32 [], and the value int32 []",
    );
    add(
        meta_graph(&["serve"]),
        vec![("w", value()), ("w", value())],
        "two values",
    );
    add(
        meta_graph(&["serve"]),
        vec![("w", value()), ("v", value())],
        "variable for the value",
    );

    let (x, signature) = graph();
    let mut wrong = signature.clone();
    let info = wrong.inputs["x"].clone();
    wrong.inputs.insert(
        "z".to_owned(),
        savedmodel::TensorInfo::new("z:0", DType::FLOAT, &batch_of(1)),
    );
    add(
        MetaGraphBuilder::new(x, ["serve"]).signature("s", wrong),
        vec![("w", value())],
        "`z:0`",
    );
    let mut wrong = signature.clone();
    wrong.inputs.insert(
        "x".to_owned(),
        savedmodel::TensorInfo::new("x:0", DType::HALF, &batch_of(1)),
    );
    add(
        MetaGraphBuilder::new(graph().0, ["serve"]).signature("s", wrong),
        vec![("w", value())],
        "is of float16, and the tensor `x:0` of float32",
    );
    let mut wrong = signature.clone();
    wrong.inputs.insert(
        "x".to_owned(),
        savedmodel::TensorInfo::new("x", info.dtype, &batch_of(1)),
    );
    add(
        MetaGraphBuilder::new(graph().0, ["serve"]).signature("s", wrong),
        vec![("w", value())],
        "ends with no output",
    );
    let reserved = MetaGraphBuilder::new(graph().0, ["serve"]);
    add(
        reserved.signature("__saved_model_init_op", signature),
        vec![("w", value())],
        "TensorFlow's own",
    );
    let (mut with_asset, _) = graph();
    with_asset
        .asset(scratch.path().join("missing.txt"))
        .unwrap();
    add(
        MetaGraphBuilder::new(with_asset, ["serve"]),
        vec![("w", value())],
        "missing.txt",
    );

    builder
        .add_meta_graph_and_variables(meta_graph(&["serve"]), [("w", value())])
        .unwrap();
    let again = builder.add_meta_graph_and_variables(meta_graph(&["gpu"]), [("w", value())]);
    refused(again, "were saved before");
    refused(builder.add_meta_graph(meta_graph(&["serve"])), "already");
    let mut other = GraphBuilder::new();
    other.variable("v", DType::FLOAT, Shape::SCALAR).unwrap();
    refused(
        builder.add_meta_graph(MetaGraphBuilder::new(other, ["gpu"])),
        "was not saved",
    );
    for name in ["../x", "/x", "", "a/../../x"] {
        refused(builder.add_extra_asset(name, "x"), "leads out");
    }
    builder.save().unwrap();
    let occupied = SavedModelBuilder::new(scratch.path().join("model"));
    refused(occupied, "something already");
    refused(
        SavedModelBuilder::new(scratch.path().join("empty"))
            .unwrap()
            .save(),
        "a model has",
    );
    let left: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
