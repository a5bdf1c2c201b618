//! Models of TensorFlow 2 that were built here, loaded by TensorFlow.

use std::path::{Path, PathBuf};
use std::process::Command;

use savedmodel::builder::{
    MetaGraphBuilder, ModelObject, ObjectModelBuilder, SavedModelBuilder, StaticTable, Trace,
};
use savedmodel::bundle::Durability;
use savedmodel::graph::{Function, GraphBuilder, Output, Variable};
use savedmodel::object_graph::{
    Child, DescribedVariable, FullArgSpec, ObjectTree, StructuredValue, TensorSpec, Trackable,
    TypeSpec, TypeSpecClass,
};
use savedmodel::{DType, Error, Fingerprint, PartialShape, Result, SavedModel, Shape, Tensor};
use serde_json::{Value as Json, json};

use crate::scratch::Scratch;
use crate::tensorflow;

#[path = "../../examples/tf2_module.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is a program of its own")]
pub(crate) mod tf2_module;

fn write(model: ObjectModelBuilder, directory: &Path) -> Result<PathBuf> {
    let options = SavedModelBuilder::options().durability(Durability::None);
    let mut builder = options.uuid("7").create(directory)?;
    builder.add_object_model(model)?;
    builder.save()
}

fn batch_of(columns: u64) -> PartialShape {
    PartialShape::new(&[None, Some(columns)]).unwrap()
}

fn floats(shape: PartialShape, name: &str) -> StructuredValue {
    TensorSpec::new(DType::FLOAT, shape).named(name).into()
}

/// Takes a variable as an argument, and reads it.
fn read(body: &mut GraphBuilder, name: &str, dims: &[u64]) -> Result<Output> {
    let handle = body.argument(name, DType::RESOURCE, PartialShape::UNKNOWN)?;
    let variable = Variable::from_handle(&handle, DType::FLOAT, Shape::new(dims)?)?;
    body.read(&variable)
}

/// `times (x w + b)`
fn affine(name: &str, times: f32) -> Result<Function> {
    let mut body = GraphBuilder::function();
    let x = body.argument("x", DType::FLOAT, batch_of(2))?;
    let (w, b) = (read(&mut body, "w", &[2, 2])?, read(&mut body, "b", &[2])?);
    let product = body.op("MatMul").input(&x).input(&w).output()?;
    let sum = body.op("AddV2").input(&product).input(&b).output()?;
    let times = body.constant("times", &Tensor::scalar(times))?;
    let y = body.op("Mul").input(&sum).input(&times).output()?;
    body.into_function(name, [("y", &y.with_shape(batch_of(2)))])
}

/// A module with everything that one can have.
fn module(words: &Path) -> Result<ObjectModelBuilder> {
    let mut tree = ObjectTree::new();
    let root = tree.root();
    let variable = |name: &str, value: Tensor| DescribedVariable::new(value).named(name);
    let w = Tensor::from_slice([2, 2], &[1f32, 2., 3., 4.])?;
    let w = tree.track(root, "w", variable("w", w))?;
    let b = Tensor::from_slice([2], &[0.5f32, -0.5])?;
    let b = tree.track(root, "b", variable("b", b))?;
    let counter = variable("counter", Tensor::scalar(7i64)).trainable(false);
    let counter = tree.track(root, "counter", counter)?;
    let layers = tree.track(root, "layers", Child::List)?;
    for i in 0..2 {
        let layer = tree.append(layers, Child::Module)?;
        tree.track(layer, "scale", Tensor::scalar(i as f32))?;
    }
    let config = tree.track(root, "config", Child::Dict)?;
    tree.track(config, "weights", w)?;
    tree.track(config, "a/b.c d", Tensor::scalar(4f32))?;
    let pair = tree.track(root, "pair", Child::Tuple)?;
    tree.append(pair, b)?;
    tree.append(pair, Child::Module)?;
    for (name, of) in [
        ("trainable_variables", &[w, b][..]),
        ("variables", &[w, b, counter]),
    ] {
        let list = tree.track(root, name, Child::List)?;
        for &variable in of {
            tree.append(list, variable)?;
        }
    }
    let losses = tree.track(root, "regularization_losses", Child::List)?;

    let mut model = ObjectModelBuilder::new(tree)?;
    let x = floats(batch_of(2), "x");
    let trace = |name: &str, times: f32, training: bool| -> Result<Trace> {
        let trace = Trace::new(&affine(name, times)?).capture(w).capture(b);
        Ok(trace.arguments([x.clone(), training.into()]))
    };
    model.function_with_spec(
        root,
        "__call__",
        FullArgSpec::new(["x", "training"]).defaults([false.into()]),
        [trace("call", 1., false)?, trace("call_training", 2., true)?],
    )?;
    let mut body = GraphBuilder::function();
    let value = read(&mut body, "w", &[2, 2])?;
    let loss = body.op("L2Loss").input(&value).output()?;
    let loss = body.into_function("l2", [("loss", &loss.with_shape(Shape::SCALAR.into()))])?;
    model.function(losses, "0", [Trace::new(&loss).capture(w)])?;
    model.function(root, "count", [Trace::new(&count()?).capture(counter)])?;
    let structured = Trace::new(&structured()?)
        .arguments([StructuredValue::dict([
            ("right", floats(PartialShape::new(&[None])?, "right")),
            (
                "left",
                StructuredValue::List(vec![floats(PartialShape::new(&[None])?, "first")]),
            ),
        ])])
        .keyword(
            "factor",
            TensorSpec::new(DType::FLOAT, Shape::SCALAR).named("factor"),
        )
        .capture(Tensor::scalar(100f32))
        .returns(StructuredValue::dict([
            ("sum", floats(PartialShape::new(&[None])?, "sum")),
            (
                "difference",
                floats(PartialShape::new(&[None])?, "difference"),
            ),
        ]));
    model.function_with_spec(
        root,
        "combine",
        FullArgSpec::new(["inputs"]).keyword_only("factor", None),
        [structured],
    )?;
    tables(&mut model, root, words)?;
    model.signature("serving_default", "call")?;
    model.signature("combine", "combine")?;
    model.signature("lookup", "lookup")?;
    model.signature("path", "path")?;
    Ok(model)
}

/// Adds one to a counter, and returns it.
fn count() -> Result<Function> {
    let mut body = GraphBuilder::function();
    let handle = body.argument("counter", DType::RESOURCE, PartialShape::UNKNOWN)?;
    let one = body.constant("one", &Tensor::scalar(1i64))?;
    let add = body.op("AssignAddVariableOp").input(&handle).input(&one);
    let add = add.build()?;
    let read = body.op("ReadVariableOp").input(&handle);
    let value = read.attr("dtype", DType::INT64).control(&add).output()?;
    body.into_function("count", [("value", &value)])
}

/// Sum and difference of vectors, times a factor, plus what is captured.
fn structured() -> Result<Function> {
    let mut body = GraphBuilder::function();
    let vector = PartialShape::new(&[None])?;
    let left = body.argument("left", DType::FLOAT, vector.clone())?;
    let right = body.argument("right", DType::FLOAT, vector)?;
    let factor = body.argument("factor", DType::FLOAT, Shape::SCALAR.into())?;
    let offset = body.argument("offset", DType::FLOAT, Shape::SCALAR.into())?;
    let mut results = Vec::new();
    for op in ["Sub", "AddV2"] {
        let result = body.op(op).input(&left).input(&right).output()?;
        let result = body.op("Mul").input(&result).input(&factor).output()?;
        results.push(body.op("AddV2").input(&result).input(&offset).output()?);
    }
    body.into_function(
        "combine",
        [("difference", &results[0]), ("sum", &results[1])],
    )
}

fn tables(model: &mut ObjectModelBuilder, root: Trackable, words: &Path) -> Result<()> {
    let vocabulary = model.asset(words)?;
    model.attach(root, "vocabulary", vocabulary)?;
    let ids = model.table(StaticTable::vocabulary(vocabulary))?;
    model.attach(root, "ids", ids)?;
    let prices = StaticTable::tensors(
        Tensor::from_strings(Shape::new(&[2])?, ["one", "two"])?,
        Tensor::from_slice([2], &[1.5f32, 2.5])?,
    )?;
    let prices = model.table(prices)?;
    model.attach(root, "prices", prices)?;

    let mut body = GraphBuilder::function();
    let words = body.argument("words", DType::STRING, PartialShape::new(&[None])?)?;
    let mut found = Vec::new();
    for (table, default) in [
        ("ids", Tensor::scalar(-1i64)),
        ("prices", Tensor::scalar(0f32)),
    ] {
        let handle = body.argument(table, DType::RESOURCE, PartialShape::UNKNOWN)?;
        let default = body.constant("default", &default)?;
        let find = body.op("LookupTableFindV2").input(&handle).input(&words);
        let values = find.input(&default).output()?;
        found.push(values.with_shape(PartialShape::new(&[None])?));
    }
    let prefix = body.argument("prefix", DType::STRING, Shape::SCALAR.into())?;
    let tags = body.op("StringJoin").inputs([&prefix, &words]).output()?;
    let outputs = [("ids", &found[0]), ("prices", &found[1]), ("tags", &tags)];
    let lookup = body.into_function("lookup", outputs)?;
    let vector = || PartialShape::new(&[None]);
    let lookup = Trace::new(&lookup)
        .capture(ids)
        .capture(prices)
        .capture(Tensor::from_strings(Shape::SCALAR, ["word:"])?)
        .returns(StructuredValue::dict([
            ("ids", TensorSpec::new(DType::INT64, vector()?).into()),
            ("prices", floats(vector()?, "prices")),
            ("tags", TensorSpec::new(DType::STRING, vector()?).into()),
        ]));
    model.function(root, "lookup", [lookup])?;

    let mut body = GraphBuilder::function();
    let path = body.argument("path", DType::STRING, Shape::SCALAR.into())?;
    let file = body.op("ReadFile").input(&path).output()?;
    let file = file.with_shape(Shape::SCALAR.into());
    let path = body.into_function("path", [("content", &file)])?;
    let path = Trace::new(&path).capture(vocabulary);
    model.function(root, "read_vocabulary", [path])?;
    Ok(())
}

/// Two dense layers with a ReLU between them, as a converter for small devices takes it.
fn perceptron() -> Result<ObjectModelBuilder> {
    let mut tree = ObjectTree::new();
    let root = tree.root();
    let w1 = Tensor::from_slice(
        [3, 4],
        &(0..12).map(|i| i as f32 / 8. - 0.5).collect::<Vec<_>>(),
    )?;
    let w1 = tree.track(root, "w1", w1)?;
    let w2 = Tensor::from_slice(
        [4, 2],
        &(0..8).map(|i| 1. - i as f32 / 4.).collect::<Vec<_>>(),
    )?;
    let w2 = tree.track(root, "w2", w2)?;
    let mut body = GraphBuilder::function();
    let x = body.argument("x", DType::FLOAT, batch_of(3))?;
    let w1_value = read(&mut body, "w1", &[3, 4])?;
    let w2_value = read(&mut body, "w2", &[4, 2])?;
    let hidden = body.op("MatMul").input(&x).input(&w1_value).output()?;
    let hidden = body.op("Relu").input(&hidden).output()?;
    let y = body.op("MatMul").input(&hidden).input(&w2_value).output()?;
    let call = body.into_function("call", [("y", &y.with_shape(batch_of(2)))])?;
    let mut model = ObjectModelBuilder::new(tree)?;
    model.function(
        root,
        "__call__",
        [Trace::new(&call).capture(w1).capture(w2)],
    )?;
    model.signature("serving_default", "call")?;
    Ok(model)
}

/// A tree with all kinds of objects, and functions with arguments and results of unusual kinds.
fn oddities() -> Result<ObjectModelBuilder> {
    let mut tree = ObjectTree::new();
    let root = tree.root();
    let w = tree.track(root, "w", Tensor::scalar(2f32))?;
    let optimizer = tree.track(root, "optimizer", Child::Module)?;
    tree.track(optimizer, "iterations", Tensor::scalar(3i64))?;
    tree.add_slot(optimizer, "m", w, Tensor::scalar(0.25f32))?;
    let point = tree.track(root, "point", Child::NamedTuple)?;
    tree.track(point, "x", Tensor::scalar(1f32))?;
    tree.track(root, "state", Child::PythonState(vec![1, 2, 3].into()))?;
    let any = DescribedVariable::new(Tensor::from_slice([1], &[1f32])?);
    let any = any.shape(PartialShape::new(&[None])?).named("a b");
    let any = tree.track(root, "any", any)?;
    let mut model = ObjectModelBuilder::new(tree)?;

    let mut body = GraphBuilder::function();
    let x = body.argument("x", DType::FLOAT, PartialShape::UNKNOWN)?;
    let handle = body.argument("any", DType::RESOURCE, PartialShape::UNKNOWN)?;
    let variable = Variable::from_handle(&handle, DType::FLOAT, Shape::new(&[1])?)?;
    body.assign(&variable, &x)?;
    let assign = body.into_function("assign", [])?;
    model.function(root, "assign", [Trace::new(&assign).capture(any)])?;

    let mut body = GraphBuilder::function();
    let values = body.argument("values", DType::FLOAT, PartialShape::new(&[None])?)?;
    let splits = body.argument("splits", DType::INT64, PartialShape::new(&[None])?)?;
    let twice = body.op("AddV2").input(&values).input(&values).output()?;
    let twice = body.into_function("twice", [("values", &twice), ("splits", &splits)])?;
    let ragged = StructuredValue::from(TypeSpec {
        class: TypeSpecClass::RAGGED_TENSOR,
        class_name: "RaggedTensorSpec".to_owned(),
        state: StructuredValue::Tuple(vec![
            StructuredValue::TensorShape(PartialShape::new(&[None, None])?),
            StructuredValue::DType(DType::FLOAT),
            StructuredValue::Int(1),
            StructuredValue::DType(DType::INT64),
        ]),
        num_flat_components: 2,
    });
    let twice = Trace::new(&twice)
        .arguments([ragged.clone()])
        .returns(ragged);
    model.function_with_spec(root, "twice", FullArgSpec::new(["ragged"]), [twice])?;
    Ok(model)
}

/// A function and a signature, and no variables.
fn no_variables() -> Result<ObjectModelBuilder> {
    let tree = ObjectTree::new();
    let root = tree.root();
    let mut model = ObjectModelBuilder::new(tree)?;
    let mut body = GraphBuilder::function();
    let x = body.argument("x", DType::FLOAT, PartialShape::UNKNOWN)?;
    let y = body.op("Neg").input(&x).output()?;
    let negate = body.into_function("__inference_negate_77", [("y", &y)])?;
    model.function(root, "negate", [Trace::new(&negate)])?;
    model.signature("serving_default", negate.name())?;
    Ok(model)
}

/// A vocabulary below `scratch`, and the models.
fn write_models(scratch: &Scratch) -> [PathBuf; 2] {
    let words = scratch.path().join("words.txt");
    std::fs::write(&words, "zero\none\ntwo\n").unwrap();
    let directories = ["module", "perceptron"].map(|name| scratch.path().join(name));
    write(module(&words).unwrap(), &directories[0]).unwrap();
    write(perceptron().unwrap(), &directories[1]).unwrap();
    std::fs::remove_file(words).unwrap();
    directories
}

/// For comparisons with what Python prints, where a set, and a dict that was a map, comes in another
/// order each time.
pub(crate) fn in_order(line: &str) -> String {
    match line.split_once('{') {
        Some((start, set)) => {
            let mut words: Vec<&str> = set.split([' ', ',', '}']).collect();
            words.sort_unstable();
            format!("{start}{{{}", words.join(" "))
        }
        None => line.to_owned(),
    }
}

type Run = fn(&str, &[&Path]) -> Option<Vec<u8>>;

#[test]
fn interop_tensorflow_loads_what_was_described() {
    load(&Scratch::new("object-models"), tensorflow::run);
}

#[test]
fn interop_an_older_release_loads_what_was_described() {
    load(&Scratch::new("object-models-older"), tensorflow::run_older);
}

fn load(scratch: &Scratch, run: Run) {
    let [module, perceptron] = write_models(scratch);
    let example = scratch.path().join("example");
    tf2_module::write(&example).unwrap();
    let odd = scratch.path().join("oddities");
    write(oddities().unwrap(), &odd).unwrap();
    let arguments: [&Path; 4] = [&module, &perceptron, &example, &odd];
    let Some(answer) = run("load_objects.py", &arguments) else {
        return;
    };
    let answer: Json = serde_json::from_slice(&answer).unwrap();
    let failed: Vec<_> = answer["failed"].as_array().unwrap().iter().collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(answer["passed"], 33);

    let shown = Command::new(env!("CARGO_BIN_EXE_savedmodel"))
        .args(["compat", "show", "--all", "--dir"])
        .arg(&module)
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let lines = |text: &str| -> Vec<String> { text.lines().map(in_order).collect() };
    assert_eq!(lines(&shown), lines(answer["show"].as_str().unwrap()));
}

#[test]
fn interop_signatures_of_objects_run_by_every_route() {
    run_signatures(&Scratch::new("object-model-routes"), tensorflow::run);
}

#[test]
fn interop_signatures_of_objects_run_in_an_older_release_by_every_route() {
    let scratch = Scratch::new("object-model-routes-older");
    run_signatures(&scratch, tensorflow::run_older);
}

fn run_signatures(scratch: &Scratch, run: Run) {
    let [module, perceptron] = write_models(scratch);
    let x = json!({"dtype": "float32", "values": [[1., 1.], [0., 2.]]});
    let vector = |values: [f32; 2]| json!({"dtype": "float32", "values": values});
    let case = |model: &Path, signature: &str, inputs: Json| json!({"model": model, "tags": ["serve"], "signature": signature, "inputs": inputs});
    let constant = scratch.path().join("no-variables");
    write(no_variables().unwrap(), &constant).unwrap();
    let cases = json!([
        case(&constant, "serving_default", json!({"x": x})),
        case(&module, "serving_default", json!({"x": x})),
        case(
            &module,
            "combine",
            json!({
                "first": vector([1., 2.]), "right": vector([10., 20.]),
                "factor": {"dtype": "float32", "values": 2.},
            })
        ),
        case(
            &module,
            "lookup",
            json!({"words": {"dtype": "string", "values": ["two", "ten", "zero"]}})
        ),
        case(
            &perceptron,
            "serving_default",
            json!({"x": {"dtype": "float32", "values": [[1., 2., 3.]]}})
        ),
    ]);
    let expected = [
        json!({"output_0": [[-1., -1.], [-0., -2.]]}),
        json!({"output_0": [[4.5, 5.5], [6.5, 7.5]]}),
        json!({"sum": [122.0, 144.0], "difference": [82.0, 64.0]}),
        json!({"ids": [2, -1, 0], "prices": [2.5, 0.0, 0.0],
               "tags": ["word:two", "word:ten", "word:zero"]}),
        json!({"output_0": [[0.25, -1.875]]}),
    ];
    let file = scratch.path().join("cases.json");
    std::fs::write(&file, cases.to_string()).unwrap();
    let Some(answers) = run("run_routes.py", &[&file]) else {
        return;
    };
    let answers: Json = serde_json::from_slice(&answers).unwrap();
    assert_eq!(answers.as_array().unwrap().len(), expected.len());
    for (answer, expected) in answers.as_array().unwrap().iter().zip(&expected) {
        for route in ["capi", "v1", "v2", "cli"] {
            assert_eq!(answer[route], *expected, "{route}");
        }
    }
}

#[test]
fn what_was_described_is_what_is_read() {
    let scratch = Scratch::new("object-model-read");
    let [directory, _] = write_models(&scratch);
    let model = SavedModel::open(&directory).unwrap();
    let meta_graph = model.meta_graph(["serve"]).unwrap();
    let objects = meta_graph.object_graph().unwrap().unwrap();
    let objects = objects.with_checkpoint(model.variables().unwrap()).unwrap();
    assert!(objects.faults().is_empty(), "{:?}", objects.faults());
    let variables: Vec<String> = objects
        .variables()
        .map(|variable| {
            format!(
                "{} {}",
                variable.path().unwrap(),
                variable.checkpoint_key().unwrap()
            )
        })
        .collect();
    assert_eq!(
        variables,
        [
            "root.w w/.ATTRIBUTES/VARIABLE_VALUE",
            "root.b b/.ATTRIBUTES/VARIABLE_VALUE",
            "root.counter counter/.ATTRIBUTES/VARIABLE_VALUE",
            "root.config['a/b.c d'] config/a.Sb..c d/.ATTRIBUTES/VARIABLE_VALUE",
            "root.layers[0].scale layers/0/scale/.ATTRIBUTES/VARIABLE_VALUE",
            "root.layers[1].scale layers/1/scale/.ATTRIBUTES/VARIABLE_VALUE",
        ]
    );
    let trainable: Vec<_> = objects.trainable_variables();
    assert_eq!(trainable.len(), 2);
    assert_eq!(objects.regularization_losses().len(), 1);
    let signatures: Vec<_> = objects
        .signatures()
        .map(|(key, _)| key.to_owned())
        .collect();
    assert_eq!(signatures, ["combine", "lookup", "path", "serving_default"]);
    assert_eq!(
        meta_graph.signature("combine").unwrap().to_string(),
        "(factor: float32 [] combine_factor:0, first: float32 [?] combine_first:0, right: float32 [?] \
         combine_right:0) -> (difference: float32 [?] PartitionedCall:0, sum: float32 [?] PartitionedCall:1)"
    );
    let assets: Vec<_> = meta_graph.assets().unwrap();
    assert_eq!(assets.len(), 1);
    assert_eq!(
        std::fs::read_to_string(directory.join("assets/words.txt")).unwrap(),
        "zero\none\ntwo\n"
    );
    let found = Fingerprint::verify(&directory).unwrap();
    assert!(found.is_verified(), "{found:?}");
    let bytes = std::fs::read(directory.join("saved_model.pb")).unwrap();
    let name = scratch.path().to_str().unwrap().as_bytes();
    assert!(
        !bytes.windows(name.len()).any(|window| window == name),
        "the model tells where it was made"
    );

    // The same description gives the same bytes.
    let other = Scratch::new("object-model-again");
    let [again, _] = write_models(&other);
    for file in [
        "saved_model.pb",
        "fingerprint.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    ] {
        let read = |model: &Path| std::fs::read(model.join(file)).unwrap();
        assert!(read(&directory) == read(&again), "{file}");
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>, why: &str) -> Error {
    let error = result.unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
    error
}

#[test]
fn what_tensorflow_could_not_load_is_refused() {
    let scratch = Scratch::new("object-model-refused");
    let mut tree = ObjectTree::new();
    let root = tree.root();
    let w = Tensor::from_slice([2, 2], &[0f32; 4]).unwrap();
    let w = tree.track(root, "w", w).unwrap();
    let b = tree
        .track(root, "b", Tensor::from_slice([2], &[0f32; 2]).unwrap())
        .unwrap();
    let module = tree.track(root, "module", Child::Module).unwrap();
    let mut other = ObjectTree::new();
    let stranger = other
        .track(other.root(), "v", Tensor::scalar(0f32))
        .unwrap();
    let mut foreign = ObjectModelBuilder::new(other).unwrap();
    let foreign: ModelObject = foreign.constant(Tensor::scalar(0f32)).unwrap();

    let mut model = ObjectModelBuilder::new(tree).unwrap();
    let call = || Trace::new(&affine("call", 1.).unwrap());
    let bound = || call().capture(w).capture(b);
    let mut refuse = |name: &str, traces: Vec<Trace>, why: &str| {
        refused(model.function(root, name, traces), why);
    };
    refuse(
        "f",
        vec![call().capture(stranger).capture(b)],
        "of another tree",
    );
    refuse(
        "f",
        vec![call().capture(foreign).capture(b)],
        "of another model",
    );
    refuse("f", vec![call().capture(module).capture(b)], "no variable");
    refuse(
        "f",
        vec![bound().capture(b).capture(b)],
        "3 arguments, and 4 captures",
    );
    refuse(
        "f",
        vec![call().capture(w).capture(Tensor::scalar(0f32))],
        "`b` is of resource",
    );
    let x = || floats(batch_of(2), "x");
    refuse(
        "f",
        vec![bound().arguments([x(), x()])],
        "the structure has 2 tensors",
    );
    let wrong = TensorSpec::new(DType::HALF, batch_of(2)).into();
    refuse(
        "f",
        vec![bound().arguments([wrong])],
        "float16 in the structure",
    );
    refuse(
        "f",
        vec![bound().returns(StructuredValue::None)],
        "of what it returns",
    );
    refuse(
        "f",
        vec![bound().keyword("k", 1i64).keyword("k", 2i64)],
        "comes twice",
    );
    refuse("f", vec![bound(), bound()], "another function `call`");
    refuse("f", vec![], "without traces");
    for name in ["", "signatures"] {
        refuse(name, vec![bound()], "can be called");
    }
    refuse("module", vec![bound()], "has a `module` already");
    refused(model.function(w, "f", [bound()]), "attribute of a variable");
    refused(model.function(stranger, "f", [bound()]), "of another tree");
    refused(model.attach(root, "c", foreign), "of another model");
    let two = || FullArgSpec::new(["x", "training"]);
    refused(
        model.function_with_spec(root, "f", two(), [bound()]),
        "1 arguments, and there are 2 parameters (x, training)",
    );
    refused(
        model.function_with_spec(
            root,
            "f",
            FullArgSpec::new(["x"]),
            [bound().keyword("k", true)],
        ),
        "no parameter takes `k`",
    );
    refused(
        model.function_with_spec(
            root,
            "f",
            FullArgSpec::new(["x"]).keyword_only("k", None),
            [bound()],
        ),
        "nothing for the keyword `k`",
    );

    refused(model.signature("s", "call"), "function `call`");
    let function = model.function(root, "f", [bound()]).unwrap();
    refused(model.signature("s", "cal"), "did you mean");
    refused(model.signature("__saved_model_init_op", "call"), "reserves");
    model.signature("s", "call").unwrap();
    refused(model.signature("s", "call"), "already");
    refused(model.function(module, "g", [bound()]), "`attach`");
    model.attach(module, "g", function).unwrap();
    refused(model.attach(module, "g", function), "has a `g` already");
    let capturing = Trace::new(&count().unwrap()).capture(function);
    refused(
        model.function(root, "g", [capturing]),
        "function cannot be captured",
    );

    refused(model.asset(scratch.path().join("missing")), "missing");
    refused(
        model.table(StaticTable::vocabulary(function)),
        "is no asset",
    );
    let column = (DType::STRING, StaticTable::LINE_NUMBER);
    let line = (DType::STRING, StaticTable::WHOLE_LINE);
    refused(
        StaticTable::text_file(function, line, column, "\t"),
        "values are column -1",
    );
    let keys = Tensor::from_slice([2], &[1i64, 2]).unwrap();
    refused(
        StaticTable::tensors(keys, Tensor::scalar(1i64)),
        "one length",
    );

    let directory = scratch.path().join("model");
    let mut builder = SavedModelBuilder::new(&directory).unwrap();
    builder.add_object_model(model).unwrap();
    let second = ObjectModelBuilder::new(ObjectTree::new()).unwrap();
    refused(builder.add_object_model(second), "one meta graph");
    let second = MetaGraphBuilder::new(GraphBuilder::new(), ["gpu"]);
    refused(builder.add_meta_graph(second), "one meta graph");
    drop(builder);
    let mut valueless = ObjectTree::new();
    let variable = DescribedVariable::without_value(DType::FLOAT, Shape::SCALAR);
    valueless.track(valueless.root(), "v", variable).unwrap();
    let valueless = ObjectModelBuilder::new(valueless).unwrap();
    refused(valueless.save(&directory), "no value");
    let mut lost = ObjectModelBuilder::new(ObjectTree::new()).unwrap();
    let keys = || Tensor::from_slice([1], &[1i64]).unwrap();
    lost.table(StaticTable::tensors(keys(), keys()).unwrap())
        .unwrap();
    refused(lost.save(&directory), "no object has the table");
    let list = ObjectTree::with_root(Child::List).unwrap();
    refused(ObjectModelBuilder::new(list), "is a module");
    let left: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
