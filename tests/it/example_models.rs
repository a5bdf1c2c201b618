//! The models of `examples/`: built here, run by TensorFlow.

use std::path::{Path, PathBuf};

use savedmodel::example::Example;
use savedmodel::{SavedModel, Signature, op};
use serde_json::{Value as Json, json};

use crate::object_models::tf2_module;
use crate::scratch::Scratch;
use crate::tensorflow;

/// Takes examples in, which are programs of their own.
macro_rules! examples {
    ($($(#[$cfg:meta])* $name:ident $path:literal;)*) => {$(
        $(#[$cfg])*
        #[path = $path]
        #[allow(dead_code, unreachable_pub, reason = "it is a program of its own too")]
        mod $name;
    )*};
}

examples! {
    #[cfg(feature = "safetensors")]
    cnn "../../examples/cnn.rs";
    half_plus_two "../../examples/half_plus_two.rs";
    #[cfg(feature = "safetensors")]
    mlp "../../examples/mlp.rs";
    multi_head "../../examples/multi_head.rs";
    text_model "../../examples/text_model.rs";
    transformer "../../examples/transformer.rs";
    two_meta_graphs "../../examples/two_meta_graphs.rs";
}

type Build = fn(&Path) -> savedmodel::Result<()>;

const EXAMPLES: &[(&str, Build)] = &[
    #[cfg(feature = "safetensors")]
    ("cnn", cnn::build),
    ("half_plus_two", half_plus_two::build),
    #[cfg(feature = "safetensors")]
    ("mlp", mlp::build),
    ("multi_head", multi_head::build),
    ("text_model", text_model::build),
    ("tf2_module", tf2_module::write),
    ("transformer", transformer::build),
    ("two_meta_graphs", two_meta_graphs::build),
];

fn build_all(scratch: &Scratch) {
    for (name, build) in EXAMPLES {
        build(&model(scratch, name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

fn model(scratch: &Scratch, name: &str) -> PathBuf {
    scratch.path().join(name).join("1")
}

fn floats(count: usize) -> Vec<f32> {
    let at = |i: usize| (i * 29 % 41) as f32 / 16.0 - 1.25;
    (0..count).map(at).collect()
}

fn rows<T: Clone>(values: &[T], width: usize) -> Vec<Vec<T>> {
    values.chunks(width).map(<[T]>::to_vec).collect()
}

fn serialized<const N: usize>(examples: [Example; N]) -> Json {
    let hex = examples.map(|example| {
        let bytes = example.to_bytes();
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    });
    json!({"dtype": "bytes", "values": hex.to_vec()})
}

/// Signatures, with tags and what is fed.
fn cases() -> Vec<(&'static str, Vec<&'static str>, &'static str, Json)> {
    let serve = || vec!["serve"];
    let number = |x: f32| Example::new().with("x", [x]);
    let numbers = || serialized([number(1.0), number(-2.5).with("x2", [4f32])]);
    let float = |values: Json| json!({"dtype": "float32", "values": values});
    let x = || float(json!([[1.0], [-3.0]]));
    let customers = || {
        let of = |values: [f32; 3]| Example::new().with("customer", values);
        serialized([of([0.5, -1.0, 2.0]), of([0.0, 0.25, -0.5])])
    };
    let customer = || float(json!([[0.5, -1.0, 2.0], [0.0, 0.25, -0.5]]));
    let review = |text: &str| Example::new().with("text", [text]);
    let reviews = || {
        let best = review("Very good film!").with("stars", [5f32]);
        serialized([best, review("NOT good, boring plot."), review("")])
    };
    let texts = json!(["a bad film", "good"]);
    let vocabulary: Vec<&str> = include_str!("../../examples/words.txt")
        .lines()
        .chain(["nowhere"])
        .collect();
    let pixels = rows(&rows(&rows(&floats(2 * 144), 1), 12), 12);
    let images = rows(&rows(&rows(&floats(36), 3), 2), 3);
    let mut cases = vec![
        (
            "half_plus_two",
            serve(),
            "serving_default",
            json!({"x": x()}),
        ),
        (
            "half_plus_two",
            serve(),
            "regress_x_to_y",
            json!({"inputs": numbers()}),
        ),
        (
            "half_plus_two",
            serve(),
            "regress_x_to_y2",
            json!({"inputs": numbers()}),
        ),
        (
            "half_plus_two",
            serve(),
            "regress_x2_to_y3",
            json!({"inputs": x()}),
        ),
        (
            "half_plus_two",
            serve(),
            "classify_x_to_y",
            json!({"inputs": numbers()}),
        ),
        (
            "half_plus_two",
            serve(),
            "classify_x2_to_y3",
            json!({"inputs": x()}),
        ),
        (
            "text_model",
            serve(),
            "regress",
            json!({"inputs": reviews()}),
        ),
        (
            "text_model",
            serve(),
            "classify",
            json!({"inputs": reviews()}),
        ),
        (
            "text_model",
            serve(),
            "serving_default",
            json!({"text": {"dtype": "string", "values": texts}, "stars": float(json!([1.0, 4.0]))}),
        ),
        (
            "two_meta_graphs",
            serve(),
            "serving_default",
            json!({"images": float(json!(images))}),
        ),
        (
            "two_meta_graphs",
            vec!["gpu", "serve"],
            "serving_default",
            json!({"images": float(json!(images))}),
        ),
        (
            "multi_head",
            serve(),
            "serving_default",
            json!({"inputs": customers()}),
        ),
        (
            "multi_head",
            serve(),
            "sales",
            json!({"inputs": customers()}),
        ),
        (
            "multi_head",
            serve(),
            "churn",
            json!({"inputs": customers()}),
        ),
        (
            "tf2_module",
            serve(),
            "serving_default",
            json!({"words": {"dtype": "string", "values": vocabulary}}),
        ),
        (
            "transformer",
            serve(),
            "serving_default",
            json!({"tokens": {"dtype": "int64", "values": [[0, 3, 10, 7, 1, 1], [5, 4, 3, 2, 1, 0]]}}),
        ),
        (
            "mlp",
            serve(),
            "serving_default",
            json!({"x": float(json!(rows(&floats(12), 4)))}),
        ),
        (
            "cnn",
            serve(),
            "serving_default",
            json!({"images": float(json!(pixels))}),
        ),
    ];
    for key in ["sales/predict", "churn/predict", "predict"] {
        let fed = json!({"examples": customers()});
        cases.push(("multi_head", serve(), key, fed));
    }
    for key in ["raw:sales/predict", "raw:churn/predict", "raw:predict"] {
        let fed = json!({"customer": customer()});
        cases.push(("multi_head", serve(), key, fed));
    }
    cases.retain(|(name, ..)| EXAMPLES.iter().any(|(there, _)| there == name));
    cases
}

type Run = fn(&str, &[&Path]) -> Option<Vec<u8>>;

/// Builds the examples and runs all signatures of some by every route into TensorFlow. With the C API among
/// the routes, those that can be converted to TensorFlow Lite are too.
fn run_examples(scratch: &Scratch, run: Run, routes: usize, is_run: fn(&Path) -> bool) {
    build_all(scratch);
    let cases = cases();
    // Every signature of every meta graph is run.
    for (name, _) in EXAMPLES {
        let model = SavedModel::open(model(scratch, name)).unwrap();
        for meta_graph in model.meta_graphs() {
            let meta_graph = meta_graph.unwrap();
            let tags = meta_graph.tags().unwrap();
            let signatures = meta_graph.signatures().unwrap();
            let called = signatures.keys().filter(|key| !key.starts_with("__"));
            for key in called {
                let is_run = cases
                    .iter()
                    .any(|case| case.0 == *name && case.2 == key && case.1.len() == tags.len());
                assert!(is_run, "{name}: {key} of {tags:?}");
            }
        }
    }
    let mut compared = 0;
    let cases = cases.iter().filter(|it| is_run(&model(scratch, it.0)));
    let documents = cases.map(|(name, tags, signature, inputs)| {
        let lite = routes == 4 && matches!(*name, "mlp" | "cnn");
        compared += routes + usize::from(lite);
        json!({"example": name, "model": model(scratch, name), "tags": tags,
               "signature": signature, "inputs": inputs, "lite": lite})
    });
    let documents = Json::from(documents.collect::<Vec<_>>());
    let file = scratch.path().join("cases.json");
    std::fs::write(&file, documents.to_string()).unwrap();
    let Some(answer) = run("example_models.py", &[&file]) else {
        return;
    };
    let answer: Json = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["faults"], json!([]), "{:#}", answer["faults"]);
    assert_eq!(answer["compared"], json!(compared));
}

#[test]
fn interop_examples_run_by_every_route() {
    let scratch = Scratch::new("example-models");
    run_examples(&scratch, tensorflow::run, 4, |_| true);
}

#[test]
fn interop_examples_run_in_an_older_release_by_every_route() {
    let scratch = Scratch::new("example-models-older");
    run_examples(&scratch, tensorflow::run_older, 4, |_| true);
}

/// Says whether TensorFlow 1.15 has all ops of a model.
fn is_of_tensorflow_1(directory: &Path) -> bool {
    let model = SavedModel::open(directory).unwrap().to_proto().unwrap();
    let mut graphs = model
        .meta_graphs
        .iter()
        .filter_map(|it| it.graph_def.as_ref());
    graphs.all(|graph| {
        let functions = graph.library.iter().flat_map(|library| &library.function);
        let nodes = functions.flat_map(|function| &function.node_def);
        nodes.chain(&graph.node).all(|node| {
            // Of the library's functions, called as ops are, nothing is known.
            op::find(&node.op).is_none_or(|op| op.since().is_none_or(|it| it.name() == "1.15"))
        })
    })
}

/// TensorFlow 1 has neither objects nor the C API in a library of its own, and not all ops.
#[test]
fn interop_examples_run_in_tensorflow_1() {
    let scratch = Scratch::new("example-models-1");
    run_examples(&scratch, tensorflow::run_first, 2, is_of_tensorflow_1);
    let are_there = EXAMPLES
        .iter()
        .filter(|(name, _)| is_of_tensorflow_1(&model(&scratch, name)));
    let expected: &[&str] = match cfg!(feature = "safetensors") {
        true => &["cnn", "mlp", "tf2_module", "transformer", "two_meta_graphs"],
        false => &["tf2_module", "transformer", "two_meta_graphs"],
    };
    // The others parse examples, by an op of 2.1.
    assert_eq!(are_there.map(|it| it.0).collect::<Vec<_>>(), expected);
}

#[cfg(feature = "cli")]
#[test]
fn interop_the_stock_tool_shows_of_examples_what_ours_shows() {
    use crate::object_models::in_order;

    let scratch = Scratch::new("example-models-shown");
    build_all(&scratch);
    let directories: Vec<_> = EXAMPLES.iter().map(|it| model(&scratch, it.0)).collect();
    let arguments: Vec<&Path> = directories.iter().map(PathBuf::as_path).collect();
    let Some(answer) = tensorflow::run("show_models.py", &arguments) else {
        return;
    };
    let answer: Json = serde_json::from_slice(&answer).unwrap();
    for directory in &directories {
        let shown = std::process::Command::new(env!("CARGO_BIN_EXE_savedmodel"))
            .args(["compat", "show", "--all", "--dir"])
            .arg(directory)
            .output()
            .unwrap();
        let lines = |text: &str| -> Vec<String> { text.lines().map(in_order).collect() };
        let ours = lines(&String::from_utf8(shown.stdout).unwrap());
        let theirs = lines(answer[directory.to_str().unwrap()].as_str().unwrap());
        assert!(ours.len() > 10, "{ours:?}");
        assert_eq!(ours, theirs, "{}", directory.display());
    }
}

#[test]
fn examples_leave_a_whole_model_and_what_it_was_made_of() {
    let scratch = Scratch::new("examples");
    build_all(&scratch);
    for (name, build) in EXAMPLES {
        let directory = model(&scratch, name);
        let model = SavedModel::open(&directory).unwrap();
        assert!(
            model.variables().unwrap().verify().unwrap().is_sound(),
            "{name}"
        );
        let again = build(&directory).unwrap_err();
        assert!(
            again.to_string().contains("something already"),
            "{name}: {again}"
        );
        let mut left: Vec<_> = std::fs::read_dir(scratch.path().join(name))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let expected: &[&str] = match *name {
            "mlp" | "cnn" => &["1", "1.safetensors"],
            _ => &["1"],
        };
        assert_eq!(left, expected, "{name}");
    }
}

#[test]
fn half_plus_two_has_the_signatures_of_tensorflow() {
    let scratch = Scratch::new("half-plus-two");
    let ours = scratch.path().join("1");
    half_plus_two::build(&ours).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let theirs = root.join("tests/cli-goldens/models/half_plus_two");
    let [ours, theirs] = [ours, theirs].map(|directory| {
        let model = SavedModel::open(directory).unwrap();
        let signatures = model.meta_graph(["serve"]).unwrap().signatures().unwrap();
        let signatures = signatures
            .into_iter()
            .map(|(key, signature)| (key.to_string(), signature));
        signatures.collect::<Vec<(String, Signature)>>()
    });
    assert_eq!(ours.len(), 6);
    assert_eq!(ours, theirs);
}
