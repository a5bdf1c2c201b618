//! Values of variables that come from elsewhere, in models that TensorFlow runs.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use savedmodel::builder::{
    MetaGraphBuilder, ObjectModelBuilder, SavedModelBuilder, Trace, VariableValue,
};
use savedmodel::bundle::Durability;
use savedmodel::graph::{GraphBuilder, Variable};
use savedmodel::object_graph::{Child, DescribedVariable, ObjectTree, Trackable};
use savedmodel::safetensors::{SafetensorsReader, SafetensorsWriter};
use savedmodel::{
    BundleReader, BundleWriter, DType, Error, ErrorKind, PartialShape, Result, SavedModel, Shape,
    Signature, Tensor,
};
use serde_json::{Value as Json, json};

use crate::scratch::Scratch;
use crate::tensorflow;

fn builder(directory: &Path) -> SavedModelBuilder {
    let options = SavedModelBuilder::options().durability(Durability::None);
    options.uuid("7").create(directory).unwrap()
}

/// `x table + bias`, with a counter beside.
fn line() -> Result<MetaGraphBuilder> {
    let mut graph = GraphBuilder::new();
    let shape = PartialShape::new(&[None, Some(2)])?;
    let x = graph.placeholder("x", DType::FLOAT, shape)?;
    let w = graph.variable("w", DType::FLOAT, Shape::new(&[2, 3])?)?;
    let b = graph.variable("b", DType::FLOAT, Shape::new(&[3])?)?;
    graph.untrained_variable("count", DType::INT64, Shape::SCALAR)?;
    let (w, b) = (graph.read(&w)?, graph.read(&b)?);
    let product = graph.matmul(&x, &w)?;
    let y = graph.op("AddV2").input(&product).input(&b).output()?;
    let signature = Signature::predict([("x", &x)], [("y", &y)])?;
    Ok(MetaGraphBuilder::new(graph, ["serve"]).signature("serving_default", signature))
}

fn tensors() -> Vec<(&'static str, Tensor)> {
    vec![
        (
            "w",
            Tensor::from_slice([2, 3], &[1f32, 2., 3., 4., 5., 6.]).unwrap(),
        ),
        ("b", Tensor::from_slice([3], &[0.5f32, -0.5, 0.]).unwrap()),
        ("count", Tensor::scalar(7i64)),
    ]
}

fn build<'v>(
    directory: PathBuf,
    values: Vec<(&str, impl Into<VariableValue<'v>>)>,
) -> Result<PathBuf> {
    let mut builder = builder(&directory);
    builder.add_meta_graph_and_variables(line()?, values)?;
    builder.save()
}

fn files(model: &Path) -> Vec<Vec<u8>> {
    let files = [
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    ];
    files
        .map(|file| std::fs::read(model.join(file)).unwrap())
        .into()
}

#[test]
fn wherever_values_come_from_the_model_is_the_same() {
    let scratch = Scratch::new("values");
    let path = |name: &str| scratch.path().join(name);
    let tensors = tensors();
    let expected = build(path("tensors"), tensors.clone()).unwrap();
    let expected = files(&expected);

    let bytes = |tensor: &Tensor| tensor.bytes().unwrap().to_vec();
    let of = |make: &dyn Fn(&str, &Tensor) -> VariableValue<'static>| -> Vec<_> {
        tensors
            .iter()
            .map(|(name, tensor)| (*name, make(name, tensor)))
            .collect()
    };
    let readers = of(&|_, tensor| {
        let reader = io::Cursor::new(bytes(tensor));
        VariableValue::from_reader(tensor.dtype(), tensor.shape().clone(), reader).unwrap()
    });
    let writers = of(&|_, tensor| {
        let bytes = bytes(tensor);
        let write = move |out: &mut dyn Write| -> Result<()> {
            bytes
                .iter()
                .try_for_each(|byte| Ok(out.write_all(&[*byte])?))
        };
        VariableValue::from_writer(tensor.dtype(), tensor.shape().clone(), write).unwrap()
    });
    let functions = of(&|_, tensor| {
        let made = tensor.clone();
        VariableValue::from_fn(tensor.dtype(), tensor.shape().clone(), move || Ok(made)).unwrap()
    });
    for (name, values) in [
        ("readers", readers),
        ("writers", writers),
        ("functions", functions),
    ] {
        assert!(
            files(&build(path(name), values).unwrap()) == expected,
            "{name}"
        );
    }

    // From another bundle, renamed and as it is.
    let mut bundle = BundleWriter::create(path("source")).unwrap();
    for (name, tensor) in &tensors {
        bundle.add(format!("net/{name}"), tensor).unwrap();
    }
    bundle.finish().unwrap();
    let bundle = BundleReader::open(path("source")).unwrap();
    let values = ["w", "b", "count"].map(|name| {
        (
            name,
            VariableValue::from_bundle(&bundle, format!("net/{name}")).unwrap(),
        )
    });
    assert!(files(&build(path("bundle"), values.into()).unwrap()) == expected);
    let model = BundleReader::open(path("tensors/variables/variables")).unwrap();
    let values = VariableValue::all_from_bundle(&model).unwrap();
    let values = values.iter().map(|(key, _)| &**key).collect::<Vec<_>>();
    assert_eq!(values, ["b", "count", "w"]);

    // From a safetensors file, of which one tensor is of another type.
    let file = path("w.safetensors");
    let mut stored = tensors.clone();
    stored[0].1 = stored[0].1.cast(DType::BFLOAT16).unwrap();
    let stored = stored.iter().map(|(name, tensor)| (*name, tensor));
    SafetensorsWriter::new()
        .write_tensors(&file, stored)
        .unwrap();
    let file = SafetensorsReader::open(&file).unwrap();
    let values = ["w", "b", "count"].map(|name| {
        let value = VariableValue::from_safetensors(&file, name).unwrap();
        let dtype = if name == "w" {
            DType::FLOAT
        } else {
            value.dtype()
        };
        (name, value.cast(dtype).unwrap())
    });
    assert!(files(&build(path("safetensors"), values.into()).unwrap()) == expected);
    let all = VariableValue::all_from_safetensors(&file).unwrap();
    let dtypes: Vec<_> = all
        .iter()
        .map(|(name, value)| (&**name, value.dtype()))
        .collect();
    assert_eq!(
        dtypes,
        [
            ("b", DType::FLOAT),
            ("count", DType::INT64),
            ("w", DType::BFLOAT16)
        ]
    );
}

#[track_caller]
fn refused<T>(result: Result<T>, why: &str) -> Error {
    let error = result.err().expect("it is refused");
    assert!(error.to_string().contains(why), "{error}");
    error
}

#[test]
fn values_that_are_not_the_variables_leave_no_model() {
    let scratch = Scratch::new("no-values");
    let path = |name: &str| scratch.path().join(name);
    let float = |shape: [u64; 1], bytes: &'static [u8]| {
        VariableValue::from_reader(DType::FLOAT, shape, bytes).unwrap()
    };
    let with_b = |b: VariableValue<'static>| {
        let mut values: Vec<(&str, VariableValue<'static>)> = Vec::new();
        for (name, tensor) in tensors().into_iter().filter(|(name, _)| *name != "b") {
            values.push((name, tensor.into()));
        }
        values.push(("b", b));
        build(path("model"), values)
    };
    let error = refused(
        with_b(float([4], &[0; 16])),
        "the variable is float32 [3], and the value",
    );
    assert_eq!(error.key(), Some(&b"b"[..]));
    let error = refused(
        with_b(float([3], &[0; 11])),
        "ended after 11 of the tensor's 12 bytes",
    );
    assert_eq!(error.key(), Some(&b"b"[..]));
    refused(
        with_b(float([3], &[0; 13])),
        "more than the tensor's 12 bytes",
    );
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the line is down"))
        }
    }
    let broken = VariableValue::from_reader(DType::FLOAT, [3], Broken).unwrap();
    let error = refused(with_b(broken), "the line is down");
    assert!(matches!(error.kind(), ErrorKind::Io { .. }));
    let written = |len: usize| {
        let write = move |out: &mut dyn Write| Ok(out.write_all(&vec![0; len])?);
        VariableValue::from_writer(DType::FLOAT, [3], write).unwrap()
    };
    refused(
        with_b(written(8)),
        "8 of the tensor's 12 bytes were written",
    );
    refused(
        with_b(written(16)),
        "more than the tensor's 12 bytes were written",
    );
    let other = VariableValue::from_fn(DType::FLOAT, [3], || Ok(Tensor::scalar(1f32))).unwrap();
    let error = refused(with_b(other), "and made one of float32 []");
    assert_eq!(error.key(), Some(&b"b"[..]));
    refused(
        VariableValue::from_reader(DType::STRING, [3], &[][..]),
        "no fixed size",
    );
    refused(written(0).cast(DType::HALF), "are not cast");
    let half = VariableValue::from(Tensor::from_slice([3], &[1i64, 2, 3]).unwrap());
    assert!(with_b(half.cast(DType::FLOAT).unwrap()).is_ok());
    std::fs::remove_dir_all(path("model")).unwrap();

    let mut twice = tensors();
    twice.extend(tensors());
    refused(build(path("model"), twice), "two values");
    refused(
        build(path("model"), tensors()[1..].to_vec()),
        "has no value",
    );
    let left: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn damaged_weights_of_another_bundle_leave_no_model() {
    let scratch = Scratch::new("damaged-values");
    let prefix = scratch.path().join("source");
    let mut bundle = BundleWriter::create(&prefix).unwrap();
    for (name, tensor) in tensors() {
        bundle.add(name, &tensor).unwrap();
    }
    bundle.finish().unwrap();
    let shard = scratch.path().join("source.data-00000-of-00001");
    let mut bytes = std::fs::read(&shard).unwrap();
    bytes[3] ^= 1;
    std::fs::write(&shard, bytes).unwrap();
    let bundle = BundleReader::open(&prefix).unwrap();
    let values = VariableValue::all_from_bundle(&bundle).unwrap();
    let mut model = builder(&scratch.path().join("model"));
    let error = refused(
        model.add_meta_graph_and_variables(line().unwrap(), values),
        "checksum mismatch",
    );
    assert_eq!(error.path(), Some(&*shard));
    // The builder can be given others.
    model
        .add_meta_graph_and_variables(line().unwrap(), tensors())
        .unwrap();
    let model = SavedModel::open(model.save().unwrap()).unwrap();
    assert!(model.variables().unwrap().verify().unwrap().is_sound());
}

/// A module of a table and a scale, whose values are not in the tree.
fn module() -> Result<(ObjectModelBuilder, [Trackable; 2])> {
    let mut tree = ObjectTree::new();
    let root = tree.root();
    let table = DescribedVariable::without_value(DType::FLOAT, Shape::new(&[7, 4])?);
    let net = tree.track(root, "net", Child::Module)?;
    let table = tree.track(net, "table", table.named("table"))?;
    tree.track(root, "step", Tensor::scalar(3i64))?;
    let scale = DescribedVariable::without_value(DType::FLOAT, PartialShape::UNKNOWN);
    let scale = tree.track(root, "scale", scale.named("scale"))?;

    let mut body = GraphBuilder::function();
    let ids = body.argument("ids", DType::INT64, PartialShape::new(&[None])?)?;
    let mut read = |name: &str, shape: Shape| -> Result<_> {
        let handle = body.argument(name, DType::RESOURCE, PartialShape::UNKNOWN)?;
        body.read(&Variable::from_handle(&handle, DType::FLOAT, shape)?)
    };
    let rows = read("table", Shape::new(&[7, 4])?)?;
    let factor = read("scale", Shape::SCALAR)?;
    let rows = body.gather(&rows, &ids, 0)?;
    let y = body.op("Mul").input(&rows).input(&factor).output()?;
    let y = y.with_shape(PartialShape::new(&[None, Some(4)])?);
    let call = body.into_function("call", [("rows", &y)])?;
    let mut model = ObjectModelBuilder::new(tree)?;
    let trace = Trace::new(&call).capture(table).capture(scale);
    model.function(root, "__call__", [trace])?;
    model.signature("serving_default", "call")?;
    Ok((model, [table, scale]))
}

#[test]
fn a_model_of_objects_takes_values_for_its_variables() {
    let scratch = Scratch::new("object-values");
    let path = |name: &str| scratch.path().join(name);
    let values: Vec<f32> = (0..28).map(|i| i as f32).collect();
    let table = Tensor::from_slice([7, 4], &values).unwrap();
    let bytes = table.bytes().unwrap().to_vec();
    let stream = || VariableValue::from_reader(DType::FLOAT, [7, 4], &bytes[..]).unwrap();

    let (model, [table_of, scale]) = module().unwrap();
    let given = [(scale, Tensor::scalar(2f32).into()), (table_of, stream())];
    let model = model.save_with_variables(path("model"), given).unwrap();
    let model = SavedModel::open(model).unwrap();
    let variables = model.variables().unwrap();
    let key = |name: &str| format!("{name}/.ATTRIBUTES/VARIABLE_VALUE");
    assert_eq!(variables.tensor(key("net/table")).unwrap(), table);
    assert_eq!(
        variables.tensor(key("scale")).unwrap(),
        Tensor::scalar(2f32)
    );
    assert_eq!(variables.tensor(key("step")).unwrap(), Tensor::scalar(3i64));
    let refuse = |given: Vec<(usize, VariableValue<'_>)>, why: &str| {
        let (model, variables) = module().unwrap();
        let given = given.into_iter().map(|(i, value)| (variables[i], value));
        let given = given.collect::<Vec<_>>();
        refused(model.save_with_variables(path("refused"), given), why)
    };
    let one = || VariableValue::from(Tensor::scalar(1f32));
    let error = refuse(vec![(1, one())], "the variable has no value");
    assert_eq!(error.key(), Some(key("net/table").as_bytes()));
    refuse(vec![(0, stream()), (1, one()), (1, one())], "two values");
    refuse(
        vec![(0, one()), (1, one())],
        "is float32 [7, 4], and the value float32 []",
    );
    for (name, why) in [(None, "no variable"), (Some("step"), "two values")] {
        let (model, [table, scale]) = module().unwrap();
        let tree = model.tree();
        let object = name.map_or(tree.root(), |name| tree.object(name).unwrap());
        let counter = Tensor::scalar(1i64).into();
        let given = [(table, stream()), (scale, one()), (object, counter)];
        refused(model.save_with_variables(path("refused"), given), why);
    }
    let (_, [table, scale]) = module().unwrap();
    let given = [(table, stream()), (scale, one())];
    let (other, _) = module().unwrap();
    refused(
        other.save_with_variables(path("refused"), given),
        "another tree",
    );
    assert!(!path("refused").exists());
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 1);
}

#[test]
fn interop_models_with_values_from_elsewhere_run_by_every_route() {
    let scratch = Scratch::new("values-interop");
    let path = |name: &str| scratch.path().join(name);
    // A tensor that TensorFlow saved in three pieces, and one that it cannot put together.
    let partitioned = BundleReader::open("tests/fixtures/v1_partitioned/variables/variables");
    let partitioned = partitioned.unwrap();
    let (key, entry) = partitioned
        .entries()
        .map(|item| item.unwrap())
        .find(|(_, entry)| entry.is_partitioned() && entry.slices().len() == 3)
        .unwrap();
    let dims = entry.shape().clone();
    let mut graph = GraphBuilder::new();
    let ids = graph.placeholder("ids", DType::INT64, PartialShape::new(&[None]).unwrap());
    let ids = ids.unwrap();
    let table = graph
        .variable("table", entry.dtype(), dims.clone())
        .unwrap();
    let table = graph.read(&table).unwrap();
    let rows = graph.gather(&table, &ids, 0).unwrap();
    let signature = Signature::predict([("ids", &ids)], [("rows", &rows)]).unwrap();
    let meta_graph = MetaGraphBuilder::new(graph, ["serve"]).signature("rows", signature);
    let mut model = builder(&path("partitioned"));
    let value = VariableValue::from_bundle(&partitioned, &key).unwrap();
    model
        .add_meta_graph_and_variables(meta_graph, [("table", value)])
        .unwrap();
    let model = SavedModel::open(model.save().unwrap()).unwrap();
    let copied = model.variables().unwrap().entry("table").unwrap();
    assert_eq!(copied.slices(), entry.slices());

    let streamed = tensors().into_iter().map(|(name, tensor)| {
        let bytes = tensor.bytes().unwrap().to_vec();
        let reader = io::Cursor::new(bytes);
        (
            name,
            VariableValue::from_reader(tensor.dtype(), tensor.shape().clone(), reader).unwrap(),
        )
    });
    build(path("streamed"), streamed.collect()).unwrap();
    let (module, [table, scale]) = module().unwrap();
    let write = |out: &mut dyn Write| -> Result<()> {
        (0..28).try_for_each(|i| Ok(out.write_all(&(i as f32).to_le_bytes())?))
    };
    let given = [
        (
            table,
            VariableValue::from_writer(DType::FLOAT, [7, 4], write).unwrap(),
        ),
        (scale, Tensor::scalar(0.5f32).into()),
    ];
    module.save_with_variables(path("objects"), given).unwrap();

    let two = json!({"dtype": "int64", "values": [2, 0]});
    let cases = json!([
        {"model": path("partitioned"), "tags": ["serve"], "signature": "rows", "inputs": {"ids": two}},
        {"model": path("streamed"), "tags": ["serve"], "signature": "serving_default",
         "inputs": {"x": {"dtype": "float32", "values": [[1., 2.]]}}},
        {"model": path("objects"), "tags": ["serve"], "signature": "serving_default", "inputs": {"ids": two}},
    ]);
    let row = |i: u64| -> Vec<f32> {
        let table = partitioned.tensor(&key).unwrap();
        let width = dims.dims()[1];
        let values = table.values::<f32>().unwrap();
        values[(i * width) as usize..((i + 1) * width) as usize].to_vec()
    };
    let expected = [
        json!({"rows": [row(2), row(0)]}),
        json!({"y": [[9.5, 11.5, 15.0]]}),
        json!({"output_0": [[4.0, 4.5, 5.0, 5.5], [0.0, 0.5, 1.0, 1.5]]}),
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
