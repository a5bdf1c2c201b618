//! What graphs take out of examples, against models of TensorFlow and against TensorFlow running
//! them.

use std::path::{Path, PathBuf};

use prost::Message;
use savedmodel::example::{DefaultValue, Example, Feature, Layout, ParsingSpec};
use savedmodel::proto::{FunctionDef, SavedModel};
use savedmodel::{DType, Tensor};

fn specs(path: impl AsRef<Path>) -> Vec<ParsingSpec> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(path);
    let model = SavedModel::decode(&*std::fs::read(path).unwrap()).unwrap();
    let graph = model.meta_graphs[0].graph_def.as_ref().unwrap();
    let library = graph.library.as_ref();
    let functions = library.map_or(&[][..], |library| &library.function);
    ParsingSpec::find(&graph.node, functions).unwrap()
}

/// The spec in the body of the signature of that name.
fn spec(specs: &[ParsingSpec], signature: &str) -> ParsingSpec {
    let named = |spec: &&ParsingSpec| {
        let function = spec.function().unwrap_or_default();
        let name = function.strip_prefix("__inference_").unwrap_or(function);
        name.trim_end_matches(|c: char| c.is_ascii_digit()) == format!("{signature}_")
    };
    specs.iter().find(named).unwrap().clone()
}

fn lines(spec: &ParsingSpec) -> Vec<String> {
    spec.to_string()
        .lines()
        .skip(1)
        .map(str::to_owned)
        .collect()
}

const BATCH: [&str; 13] = [
    "  counts: int64, sparse",
    "  tags: string, sparse",
    "  image: string [], required",
    "  matrix: int64 [2, 3], required",
    "  name: string [], default \"nobody\"",
    "  optional: int64 [], default 7",
    "  pairs: float32 [?, 2], padding -1.0",
    "  required: float32 [2], required",
    "  scalar: int64 [], required",
    "  steps: int64 [?], padding 0",
    "  weights: float32 [3], default 0.5, … (3 values)",
    "  ragged: float32, ragged",
    "  ragged64: string, ragged",
];

#[test]
fn every_op_that_parses_examples() {
    let specs = specs("vectors/parse_example/saved_model.pb");
    let batch = spec(&specs, "batch");
    assert_eq!(batch.op(), "ParseExampleV2");
    assert_eq!(batch.serialized(), Some("examples"));
    assert!(!batch.takes_sequences());
    assert_eq!(lines(&batch), BATCH);
    assert_eq!(lines(&spec(&specs, "single")), BATCH);

    let feature = |key: &str| {
        let mut features = batch.features().iter();
        features
            .find(|feature| feature.key() == key)
            .unwrap()
            .clone()
    };
    let weights = Tensor::from_slice([3], &[0.5f32, 1.0, 2.0]).unwrap();
    assert_eq!(*feature("weights").default(), DefaultValue::Value(weights));
    assert_eq!(
        *feature("optional").default(),
        DefaultValue::Value(Tensor::scalar(7i64))
    );
    let row_splits = DType::INT64;
    assert_eq!(*feature("ragged64").layout(), Layout::Ragged { row_splits });

    assert_eq!(
        lines(&spec(&specs, "batch_v1")),
        [
            "  a: int64, sparse",
            "  b: string, sparse",
            "  c: float32 [2], required",
            "  d: int64 [], default 3",
        ]
    );
    assert_eq!(
        lines(&spec(&specs, "single_v1")),
        ["  a: string, sparse", "  c: float32 [2], required"]
    );
    let context = [
        "  labels: string, sparse",
        "  id: int64 [], required",
        "  length: float32 [], default 1.5",
    ];
    let sequence = [
        "  list of words: string, sparse",
        "  list of frames: float32 [3], required",
        "  list of perhaps: int64 []",
    ];
    let single = spec(&specs, "single_sequence");
    assert!(single.takes_sequences());
    assert_eq!(lines(&single), [context, sequence].concat());
    let sequences = lines(&spec(&specs, "sequences"));
    assert_eq!(sequences[..6], [context, sequence].concat());
    assert_eq!(sequences[6..], ["  list of subwords: int64, ragged"]);
    assert_eq!(
        lines(&spec(&specs, "sequences_v1")),
        [
            "  id: int64 [], required",
            "  list of w: string, sparse",
            "  list of x: float32 [2], required",
            "  list of y: int64 []",
        ]
    );
}

#[test]
fn a_graph_of_tensorflow_1() {
    let specs = specs("fixtures/tf115_estimator/saved_model.pb");
    assert_eq!(specs.len(), 1);
    assert_eq!(specs[0].function(), None);
    assert_eq!(
        specs[0].to_string(),
        "ParseExample node `ParseExample/ParseExample`\n  x: float32 [2], required"
    );
    assert_eq!(specs[0].serialized(), Some("input_example_tensor"));
    assert!(self::specs("fixtures/module/saved_model.pb").is_empty());
}

#[test]
fn damaged_functions_are_refused_or_read() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/parse_example/saved_model.pb"
    );
    let model = SavedModel::decode(&*std::fs::read(path).unwrap()).unwrap();
    let graph = model.meta_graphs[0].graph_def.as_ref().unwrap();
    let (mut read, mut refused) = (0, 0);
    for function in &graph.library.as_ref().unwrap().function {
        let name = &function.signature.as_ref().unwrap().name;
        let begins = |start| name.starts_with(start);
        if !["__inference_batch_v1", "__inference_sequences_v1"]
            .iter()
            .any(begins)
        {
            continue;
        }
        let whole = function.encode_to_vec();
        for place in 0..whole.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[place] ^= change;
                let Ok(function) = FunctionDef::decode(&*bytes) else {
                    continue;
                };
                match ParsingSpec::find([], [&function]) {
                    Err(_) => refused += 1,
                    Ok(specs) => {
                        read += 1;
                        for spec in specs {
                            let _ = spec.to_string();
                            let _ = spec.placeholder().map(|example| spec.check(&example));
                        }
                    }
                }
            }
        }
    }
    assert!(
        read > 100 && refused > 100,
        "{read} read, {refused} refused"
    );
}

/// Examples a step away from the one that has all that is required.
fn variations(spec: &ParsingSpec) -> Vec<Example> {
    let base = spec.placeholder().unwrap();
    let mut examples = vec![base.clone(), base.clone().with("unheard of", [1i64])];
    for feature in spec.features() {
        let key = feature.key();
        let mut without = base.clone();
        without.remove(key);
        examples.push(without);
        examples.push(base.clone().with(key, Feature::Unset));
        for count in [0, 1, 2, 3, 4, 6] {
            let zeros = [
                Feature::Int64(vec![0; count]),
                Feature::Float(vec![0.0; count]),
                Feature::from(vec!["0"; count]),
            ];
            examples.extend(zeros.map(|zeros| base.clone().with(key, zeros)));
        }
    }
    examples
}

/// Compares what the spec says of examples with what TensorFlow does with them.
fn compare_with_running(model: &Path, signature: &str, spec: &ParsingSpec) {
    let directory = crate::records::scratch(&format!("examples_{signature}"));
    let examples = variations(spec);
    let path = directory.join("examples.tfrecord");
    let bytes: Vec<Vec<u8>> = examples.iter().map(Example::to_bytes).collect();
    crate::records::write(&path, &bytes);
    let arguments = [model, &path, Path::new(signature)];
    let Some(answers) = crate::tensorflow::run("parse_examples.py", &arguments) else {
        return;
    };
    let answers = String::from_utf8(answers).unwrap();
    assert_eq!(answers.lines().count(), examples.len());
    assert_eq!(answers.lines().next(), Some("ok"));
    assert!(answers.contains("\nerror"));
    for (example, answer) in examples.iter().zip(answers.lines()) {
        let check = spec.check(example);
        assert_eq!(
            check.is_ok(),
            answer == "ok",
            "{signature}: {example:?}: {check:?}, TensorFlow: {answer}"
        );
    }
}

#[test]
fn interop_specs_accept_what_tensorflow_accepts() {
    let model = crate::records::scratch("parse_example_model");
    if crate::tensorflow::run("make_parse_example.py", &[&model]).is_none() {
        return;
    }
    let fresh = specs(model.join("saved_model.pb"));
    let committed = specs("vectors/parse_example/saved_model.pb");
    for signature in ["batch", "single", "batch_v1", "single_v1"] {
        let spec = spec(&fresh, signature);
        assert_eq!(lines(&spec), lines(&self::spec(&committed, signature)));
        compare_with_running(&model, signature, &spec);
    }
}

#[test]
fn interop_specs_of_tensorflow_1_accept_what_it_accepts() {
    let model = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tf115_estimator");
    let spec = &specs(model.join("saved_model.pb"))[0];
    compare_with_running(&model, "predict", spec);
}
