//! Variables in slices, in models that TensorFlow runs.

use std::io;
use std::path::Path;

use savedmodel::builder::{MetaGraphBuilder, SavedModelBuilder, VariableValue};
use savedmodel::bundle::Durability;
use savedmodel::graph::GraphBuilder;
use savedmodel::{
    BundleReader, DType, ErrorKind, PartialShape, Result, SavedModel, Shape, Signature, Tensor,
};
use serde_json::{Value as Json, json};

use crate::scratch::Scratch;
use crate::tensorflow;

const FIXTURE: &str = "tests/fixtures/v1_partitioned/variables/variables";

fn builder(directory: &Path) -> SavedModelBuilder {
    let options = SavedModelBuilder::options().durability(Durability::None);
    options.uuid("7").create(directory).unwrap()
}

/// Rows of a table in three slices, and the sum of a matrix in two.
fn model() -> Result<MetaGraphBuilder> {
    let mut graph = GraphBuilder::new();
    let ids = graph.placeholder("ids", DType::INT64, PartialShape::new(&[None])?)?;
    let (table, wide) = graph.scope("emb", |graph| {
        let table =
            graph.partitioned_variable("table", DType::FLOAT, Shape::new(&[7, 2])?, 3, 0)?;
        let wide = Shape::new(&[2, 5])?;
        let wide = graph.untrained_partitioned_variable("wide", DType::INT32, wide, 2, 1)?;
        Ok((table, wide))
    })?;
    let table = graph.read_partitioned(&table)?;
    let rows = graph.gather(&table, &ids, 0)?;
    let wide = graph.read_partitioned(&wide)?;
    let sums = graph.reduce_sum(&wide, &[0], false)?;
    let signature = Signature::predict([("ids", &ids)], [("rows", &rows), ("sums", &sums)])?;
    Ok(MetaGraphBuilder::new(graph, ["serve"]).signature("serving_default", signature))
}

fn table() -> Tensor {
    let values: Vec<f32> = (0..14).map(|i| i as f32).collect();
    Tensor::from_slice([7, 2], &values).unwrap()
}

fn wide() -> Tensor {
    let values: Vec<i32> = (0..10).collect();
    Tensor::from_slice([2, 5], &values).unwrap()
}

fn build<'v>(
    directory: &Path,
    table: impl Into<VariableValue<'v>>,
    wide: impl Into<VariableValue<'v>>,
) -> Result<BundleReader> {
    let mut builder = builder(directory);
    let values = [("emb/table", table.into()), ("emb/wide", wide.into())];
    builder.add_meta_graph_and_variables(model()?, values)?;
    builder.save()?;
    BundleReader::open(directory.join("variables/variables"))
}

fn stream(tensor: &Tensor) -> VariableValue<'static> {
    let reader = io::Cursor::new(tensor.bytes().unwrap().to_vec());
    VariableValue::from_reader(tensor.dtype(), tensor.shape().clone(), reader).unwrap()
}

#[test]
fn a_bundle_has_the_slices_that_tensorflow_makes() {
    let scratch = Scratch::new("partitioned");
    let path = |name: &str| scratch.path().join(name);
    let theirs = BundleReader::open(FIXTURE).unwrap();
    let ours = build(&path("tensors"), table(), wide()).unwrap();
    assert_eq!(ours.entries().count(), 2);
    for key in ["emb/table", "emb/wide"] {
        let (ours_of, theirs_of) = (ours.entry(key).unwrap(), theirs.entry(key).unwrap());
        assert_eq!(ours_of.slices(), theirs_of.slices(), "{key}");
        assert_eq!(ours_of.shape(), theirs_of.shape(), "{key}");
        assert_eq!(
            ours.tensor(key).unwrap(),
            theirs.tensor(key).unwrap(),
            "{key}"
        );
    }

    // However the values come.
    let function = |tensor: Tensor| {
        let (dtype, shape) = (tensor.dtype(), tensor.shape().clone());
        VariableValue::from_fn(dtype, shape, move || Ok(tensor)).unwrap()
    };
    let whole = |key: &str, tensor: &Tensor| {
        let prefix = path(key);
        let mut bundle = savedmodel::BundleWriter::create(&prefix).unwrap();
        bundle.add(key, tensor).unwrap();
        bundle.finish().unwrap();
        BundleReader::open(prefix).unwrap()
    };
    let sources = [whole("table", &table()), whole("wide", &wide())];
    let of = |i: usize, key: &str| VariableValue::from_bundle(&sources[i], key).unwrap();
    let theirs = |key: &str| VariableValue::from_bundle(&theirs, key).unwrap();
    let all = [
        ("functions", function(table()), function(wide())),
        ("streamed", stream(&table()), wide().into()),
        ("whole", of(0, "table"), of(1, "wide")),
        ("partitioned", theirs("emb/table"), theirs("emb/wide")),
    ];
    let data = |model: &str| {
        let name = format!("{model}/variables/variables.data-00000-of-00001");
        std::fs::read(path(&name)).unwrap()
    };
    for (name, table, wide) in all {
        let bundle = build(&path(name), table, wide).unwrap();
        assert!(bundle.verify().unwrap().is_sound(), "{name}");
        assert!(data(name) == data("tensors"), "{name}");
    }
    // Slices along another dimension cannot be taken from a stream.
    let bundle = build(&path("columns"), stream(&table()), stream(&wide())).unwrap();
    assert!(bundle.entry("emb/table").unwrap().is_partitioned());
    assert!(!bundle.entry("emb/wide").unwrap().is_partitioned());
    assert_eq!(bundle.tensor("emb/wide").unwrap(), wide());
}

#[test]
fn partitioned_variables_without_a_value_for_the_whole_are_refused() {
    let scratch = Scratch::new("partitioned-refused");
    let directory = scratch.path().join("model");
    let refused = |table: VariableValue<'static>, why: &str| {
        let error = build(&directory, table, wide()).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(error.key(), Some(&b"emb/table"[..]));
    };
    refused(
        wide().into(),
        "is float32 [7, 2], and the value int32 [2, 5]",
    );
    let bytes = |len: usize| {
        let reader = io::Cursor::new(vec![0; len]);
        VariableValue::from_reader(DType::FLOAT, [7, 2], reader).unwrap()
    };
    refused(bytes(55), "ended after");
    refused(bytes(57), "has more than the tensor's 56 bytes");
    let mut builder = builder(&directory);
    let part = [("emb/table/part_0", Tensor::scalar(1f32))];
    let error = builder.add_meta_graph_and_variables(model().unwrap(), part);
    assert_eq!(error.unwrap_err().key(), Some(&b"emb/table"[..]));

    let mut graph = GraphBuilder::new();
    let shape = Shape::new(&[4]).unwrap();
    graph
        .partitioned_variable("half", DType::HALF, shape, 2, 0)
        .unwrap();
    let value = Tensor::from_slice_as(DType::HALF, [4], &[0u16; 4]).unwrap();
    let half = MetaGraphBuilder::new(graph, ["serve"]);
    let error = builder.add_meta_graph_and_variables(half, [("half", value)]);
    let error = error.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Unsupported { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("cannot restore them"), "{error}");
    drop(builder);
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn interop_partitioned_variables_run_by_every_route_and_are_saved_again() {
    let scratch = Scratch::new("partitioned-interop");
    let path = |name: &str| scratch.path().join(name);
    build(&path("slices"), table(), wide()).unwrap();
    build(&path("streamed"), stream(&table()), stream(&wide())).unwrap();

    // A second graph restores the same tensors, one in other slices and one whole.
    let mut both = builder(&path("both"));
    let values = [("emb/table", table()), ("emb/wide", wide())];
    both.add_meta_graph_and_variables(model().unwrap(), values)
        .unwrap();
    let mut graph = GraphBuilder::new();
    let ids = graph.placeholder("ids", DType::INT64, PartialShape::new(&[None]).unwrap());
    let ids = ids.unwrap();
    let table_of = graph
        .partitioned_variable(
            "emb/table",
            DType::FLOAT,
            Shape::new(&[7, 2]).unwrap(),
            2,
            0,
        )
        .unwrap();
    let wide_of = graph.variable("emb/wide", DType::INT32, Shape::new(&[2, 5]).unwrap());
    let wide_of = graph.read(&wide_of.unwrap()).unwrap();
    let rows = graph.read_partitioned(&table_of).unwrap();
    let rows = graph.gather(&rows, &ids, 0).unwrap();
    let sums = graph.reduce_sum(&wide_of, &[0], false).unwrap();
    let outputs = [("rows", &rows), ("sums", &sums)];
    let signature = Signature::predict([("ids", &ids)], outputs).unwrap();
    let second = MetaGraphBuilder::new(graph, ["serve", "gpu"]);
    both.add_meta_graph(second.signature("serving_default", signature))
        .unwrap();
    both.save().unwrap();
    assert_eq!(
        SavedModel::open(path("both"))
            .unwrap()
            .meta_graphs()
            .count(),
        2
    );

    let case = |model: &str, tags: &[&str]| {
        json!({"model": path(model), "tags": tags, "signature": "serving_default",
               "inputs": {"ids": {"dtype": "int64", "values": [6, 0, 3]}}})
    };
    let cases = json!([
        case("slices", &["serve"]),
        case("streamed", &["serve"]),
        case("both", &["serve"]),
        case("both", &["serve", "gpu"]),
    ]);
    let file = path("cases.json");
    std::fs::write(&file, cases.to_string()).unwrap();
    let Some(answers) = tensorflow::run("run_routes.py", &[&file]) else {
        return;
    };
    let expected = json!({"rows": [[12., 13.], [0., 1.], [6., 7.]], "sums": [5, 7, 9, 11, 13]});
    let answers: Json = serde_json::from_slice(&answers).unwrap();
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 4);
    for (i, answer) in answers.iter().enumerate() {
        for route in ["capi", "v1", "v2", "cli"] {
            assert_eq!(answer[route], expected, "{i} {route}");
        }
    }

    let again = path("again");
    let arguments: [&Path; 2] = [&path("slices"), &again];
    let answer = tensorflow::run("partitioned_variables.py", &arguments).unwrap();
    let answer: Json = serde_json::from_slice(&answer).unwrap();
    assert_eq!(
        answer["variables"],
        json!({"emb/table/part_0": "emb/table 7 2 0,3:0,2", "emb/table/part_1": "emb/table 7 2 3,2:0,2",
               "emb/table/part_2": "emb/table 7 2 5,2:0,2", "emb/wide/part_0": "emb/wide 2 5 0,2:0,3",
               "emb/wide/part_1": "emb/wide 2 5 0,2:3,2"})
    );
    assert_eq!(
        answer["saved"]["emb/wide"],
        json!([[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]])
    );
    // What TensorFlow saved is what was written, byte for byte.
    for suffix in ["index", "data-00000-of-00001"] {
        let ours = std::fs::read(path(&format!("slices/variables/variables.{suffix}"))).unwrap();
        let theirs = std::fs::read(again.with_extension(suffix)).unwrap();
        assert!(ours == theirs, "{suffix}");
    }
}
