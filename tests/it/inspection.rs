//! The commands that show what a model is made of: `ops`, `objects`, `functions`, `signature`.
//!
//! Texts are compared with the files under `tests/golden/inspection`; with `UPDATE_GOLDEN` in the
//! environment they are written instead.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use savedmodel::SavedModel;
use serde_json::Value;

use crate::fixtures::{assert_none, files_below};

fn tests() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))
}

/// Runs the tool in `tests`: exit code, output, errors.
fn run(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_savedmodel"))
        .current_dir(tests())
        .args(args)
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn run_well(args: &[&str]) -> String {
    let (code, out, err) = run(args);
    assert_eq!((code, err.as_str()), (0, ""), "{args:?}: {out}");
    out
}

fn run_json(args: &[&str]) -> Value {
    serde_json::from_str(&run_well(&[args, &["--json"]].concat())).unwrap()
}

#[test]
fn texts_are_as_they_were() {
    const MODELS: &str = "cli-goldens/models";
    let model = |name: &str| format!("{MODELS}/{name}");
    let fixture = |name: &str| format!("fixtures/{name}");
    let mut faults = Vec::new();
    for (name, command, path, options) in [
        ("ops_custom", "ops", model("custom_op"), &[][..]),
        ("ops_two_meta_graphs", "ops", model("multi_metagraph"), &[]),
        (
            "ops_one_meta_graph",
            "ops",
            model("multi_metagraph"),
            &["--tag-set", "gpu,serve"],
        ),
        ("ops_tensorflow_1", "ops", fixture("tf115_loop"), &[]),
        (
            "ops_where",
            "ops",
            fixture("keras3_saved"),
            &["--where", "MatMul"],
        ),
        ("objects_module", "objects", fixture("module"), &[]),
        (
            "objects_slots",
            "objects",
            fixture("keras2_saved_slots"),
            &[],
        ),
        (
            "objects_checkpoint",
            "objects",
            fixture("keras2_slots"),
            &[],
        ),
        ("objects_vocabulary", "objects", fixture("vocabulary"), &[]),
        (
            "objects_root_and_depth",
            "objects",
            fixture("module"),
            &["--root", "layers", "--depth", "1"],
        ),
        (
            "objects_filter",
            "objects",
            model("module_arguments"),
            &["--filter", "function"],
        ),
        (
            "objects_traces",
            "objects",
            model("module_polymorphic"),
            &[],
        ),
        (
            "functions_gradients",
            "functions",
            model("gradients_and_control_flow"),
            &[],
        ),
        (
            "functions_one",
            "functions",
            model("gradients_and_control_flow"),
            &["--function", "cond_true_2580"],
        ),
        ("signature_keras", "signature", fixture("keras3_saved"), &[]),
        (
            "signature_classify",
            "signature",
            fixture("tf115_estimator"),
            &["--batch", "2"],
        ),
        (
            "signature_dtypes",
            "signature",
            model("tf1_dtypes"),
            &["dtypes"],
        ),
        (
            "signature_examples",
            "signature",
            model("parse_example_strings"),
            &[],
        ),
        (
            "signature_columns",
            "signature",
            fixture("module"),
            &["bump", "--model-name", "a model"],
        ),
        (
            "sample_rest",
            "signature",
            fixture("keras3_saved"),
            &["--sample", "rest", "--batch", "3"],
        ),
        (
            "sample_examples",
            "signature",
            model("half_plus_two"),
            &["regress_x_to_y", "--sample", "examples"],
        ),
    ] {
        let text = run_well(&[&[command, path.as_str()], options].concat());
        assert!(
            !text.contains(|c: char| c.is_control() && c != '\n'),
            "{name}: {text:?}"
        );
        let golden = tests().join(format!("golden/inspection/{name}.txt"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
            std::fs::write(golden, text).unwrap();
            continue;
        }
        let expected = std::fs::read_to_string(golden)
            .unwrap()
            .replace("\r\n", "\n");
        if expected != text {
            faults.push(format!("{name} should be:\n{expected}\nbut is:\n{text}"));
        }
    }
    assert_none(&faults);
}

/// The directories of all models in `tests`, and how tests call them.
fn models() -> Vec<(String, SavedModel)> {
    let mut models = Vec::new();
    for folder in ["fixtures", "cli-goldens/models"] {
        let files = files_below(&tests().join(folder), &|name| {
            name == "saved_model.pb" || name == "saved_model.pbtxt"
        });
        let directories: BTreeSet<&Path> = files.iter().filter_map(|file| file.parent()).collect();
        for directory in directories {
            let name = directory.strip_prefix(tests()).unwrap();
            let name = name.to_str().unwrap().to_owned();
            models.push((name, SavedModel::open(directory).unwrap()));
        }
    }
    assert!(models.len() > 50, "{}", models.len());
    models
}

#[test]
fn ops_are_counted_as_the_graph_counts_them() {
    for (name, model) in models() {
        let document = run_json(&["ops", &name]);
        let shown = document["meta_graphs"].as_array().unwrap();
        for (meta_graph, shown) in model.meta_graphs().zip(shown) {
            let graph = meta_graph.unwrap().graph();
            let ops = graph.ops().unwrap();
            let listed = shown["ops"].as_array().unwrap();
            let ours: Vec<(&str, u64)> = listed
                .iter()
                .map(|op| {
                    let count = |part: &str| op[part].as_u64().unwrap();
                    (
                        op["op"].as_str().unwrap(),
                        count("in_graph") + count("in_functions"),
                    )
                })
                .collect();
            assert_eq!(ours, ops.into_iter().collect::<Vec<_>>(), "{name}");
            for op in listed.iter().take(3) {
                let op_name = op["op"].as_str().unwrap();
                let tags: Vec<&str> = shown["tags"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|tag| tag.as_str().unwrap())
                    .collect();
                if tags.is_empty() {
                    continue;
                }
                let args = ["ops", &name, "--where", op_name, "--tag-set"];
                let located = run_json(&[&args[..], &[tags.join(",").as_str()]].concat());
                let places = located["meta_graphs"][0]["locations"].as_array().unwrap();
                let in_graph = places.iter().filter(|place| place["function"].is_null());
                assert_eq!(
                    Some(in_graph.count() as u64),
                    op["in_graph"].as_u64(),
                    "{name} {op_name}"
                );
            }
        }
    }
}

#[test]
fn every_function_has_its_nodes_and_its_callers() {
    let mut count = 0;
    for (name, model) in models().into_iter().step_by(4) {
        let document = run_json(&["functions", &name]);
        for (meta_graph, shown) in model
            .meta_graphs()
            .zip(document["meta_graphs"].as_array().unwrap())
        {
            let graph = meta_graph.unwrap().graph();
            let functions = shown["functions"].as_array().unwrap();
            assert_eq!(functions.len(), graph.functions().count(), "{name}");
            for function in functions {
                let function_name = function["name"].as_str().unwrap();
                let own = graph.function(function_name).unwrap();
                let signature = own.signature().unwrap();
                let listed = function["arguments"].as_array().unwrap();
                assert_eq!(listed.len(), signature.input_arg.len(), "{function_name}");
                assert_eq!(
                    function["nodes"].as_u64(),
                    Some(own.nodes().count() as u64),
                    "{function_name}"
                );
                for callee in function["calls"].as_array().unwrap() {
                    let callee = functions.iter().find(|other| other["name"] == *callee);
                    let callers = callee.unwrap()["called_by"].as_array().unwrap();
                    assert!(callers.contains(&function["name"]), "{function_name}");
                }
                let is_called = function["called_by_graph"] == true
                    || !function["called_by"].as_array().unwrap().is_empty()
                    || !function["objects"].as_array().unwrap().is_empty();
                if !is_called {
                    let reach = function["reach"].as_str().unwrap();
                    assert!(["nothing", "gradients"].contains(&reach), "{function_name}");
                }
                count += 1;
            }
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn one_function_is_a_document_of_its_own() {
    let document = run_json(&[
        "functions",
        "cli-goldens/models/gradients_and_control_flow",
        "--function",
        "cond_true_2580",
    ]);
    assert_eq!(document["schema"], "savedmodel.function/1");
    let body = &document["meta_graphs"][0];
    assert_eq!(body["nodes"].as_array().unwrap().len(), 7);
    assert_eq!(
        body["function"]["gradients"][0],
        "__inference_internal_grad_fn_2625"
    );
}

#[test]
fn objects_are_described_once_and_all_of_them() {
    for (name, model) in models() {
        let Some(objects) = model.object_graph().unwrap() else {
            let (code, out, err) = run(&["objects", &name]);
            assert_eq!((code, out.as_str()), (1, ""), "{name}");
            assert!(err.contains("TensorFlow 1"), "{err}");
            continue;
        };
        let document = run_json(&["objects", &name]);
        assert_eq!(document["objects"].as_u64(), Some(objects.len() as u64));
        let mut seen = BTreeSet::new();
        for entry in document["entries"].as_array().unwrap() {
            if entry["detail"].is_null() {
                continue;
            }
            let id = entry["object"].as_u64().unwrap();
            assert!(seen.insert(id), "{name}: {entry}");
            let object = objects.get(id as usize).unwrap();
            let path = object.path().map(|path| path.to_string());
            assert_eq!(entry["path"].as_str(), path.as_deref(), "{name}");
            assert_eq!(entry["detail"]["kind"], object.kind().name(), "{name}");
        }
        let unnamed = document["unnamed"].as_u64().unwrap();
        assert_eq!(seen.len() as u64 + unnamed, objects.len() as u64, "{name}");
    }
}

#[test]
fn what_is_not_there_is_answered_with_names_that_come_close() {
    for (args, code, part) in [
        (
            &["ops", "fixtures/keras3_saved", "--where", "MatMull"][..],
            1,
            "did you mean `MatMul`",
        ),
        (
            &["signature", "fixtures/keras3_saved", "serving_defualt"],
            1,
            "did you mean `serving_default`?",
        ),
        (
            &[
                "functions",
                "cli-goldens/models/gradients_and_control_flow",
                "--function",
                "cond_true_2508",
            ],
            1,
            "did you mean `cond_true_2580`",
        ),
        (
            &["objects", "fixtures/keras2_saved", "--filter", "kernal"],
            1,
            "no object has a name or kind like `kernal`; did you mean `kernel`",
        ),
        (
            &["objects", "fixtures/module", "--filter", "q", "--json"],
            1,
            "`savedmodel objects PATH` shows all",
        ),
        (
            &["signature", "cli-goldens/models/multi_metagraph"],
            2,
            "the model has {train}, {serve, gpu}, {serve}, {tpu, serve, batch}: --tag-set",
        ),
        (
            &["objects", "fixtures/module", "--root", "layers/7"],
            1,
            "(has `0`, `1`)",
        ),
        (
            &[
                "ops",
                "cli-goldens/models/multi_metagraph",
                "--tag-set",
                "gpu",
            ],
            1,
            "serve",
        ),
        (
            &["signature", "cli-goldens/models/multi_metagraph"],
            2,
            "--tag-set",
        ),
        (
            &["signature", "cli-goldens/models/module_multi_signatures"],
            2,
            "name one of add, project",
        ),
        (
            &["signature", "fixtures/keras3_saved", "--batch", "0"],
            2,
            "no instances",
        ),
        (
            &[
                "signature",
                "cli-goldens/models/tf1_dtypes",
                "dtypes",
                "--sample",
                "rest",
            ],
            1,
            "there is no such request",
        ),
        (
            &[
                "signature",
                "fixtures/keras3_saved",
                "--batch",
                "99999999999",
            ],
            0,
            "",
        ),
    ] {
        let (found, out, err) = run(args);
        assert_eq!(found, code, "{args:?}: {out}{err}");
        assert!(err.contains(part), "{args:?}: {err}");
    }
}

/// Models that TensorFlow does not load here, or that want more than zeros; what it says.
const UNFED: &[(&str, &str)] = &[
    ("custom_op", "'MyVendorScale'"),
    // An empty name is that of no file.
    ("file_ops", "NotFoundError"),
    ("keras2_saved_slots", "add_slot"),
    ("proto", "matching files"),
    // An input holds row splits, of which the signature does not tell.
    ("ragged_sparse_signature", "InvalidArgumentError"),
    ("sharded_by_size", "not supported"),
    ("sharded_strings", "not supported"),
    // Which of them comes first hangs on the order of a set.
    ("tf1_dtypes", "UnliftableError"),
    ("tf1_dtypes", "appears more than once"),
    ("tf1_dtypes", "has a reference type"),
    ("twice", "matching files"),
];

fn is_unfed(model: &str, answer: &str) -> bool {
    let mut unfed = UNFED.iter();
    unfed.any(|(name, part)| *name == model && answer.contains(part))
}

#[test]
fn interop_sample_requests_are_answered_by_the_models() {
    let mut documents = Vec::new();
    for (name, model) in models() {
        for meta_graph in model.meta_graphs() {
            let meta_graph = meta_graph.unwrap();
            let tags = meta_graph.tags().unwrap().join(",");
            for key in meta_graph.signature_keys().unwrap() {
                if key.starts_with("__saved_model") || tags.is_empty() {
                    continue;
                }
                let args = ["signature", &name, &key, "--tag-set", &tags, "--batch", "2"];
                documents.push(run_json(&args));
            }
        }
    }
    for document in &mut documents {
        let path = tests().join(document["path"].as_str().unwrap());
        document["path"] = path.to_str().unwrap().into();
    }
    let file = std::env::temp_dir().join(format!("savedmodel-samples-{}", std::process::id()));
    std::fs::write(&file, serde_json::to_vec(&documents).unwrap()).unwrap();
    let answers = crate::tensorflow::run("check_samples.py", &[&file]);
    let _ = std::fs::remove_file(&file);
    let Some(answers) = answers else { return };
    let answers: Vec<Value> = serde_json::from_slice(&answers).unwrap();
    let (mut faults, mut answered) = (Vec::new(), 0);
    for (document, answer) in documents.iter().zip(&answers) {
        let path = document["path"].as_str().unwrap();
        let model = path.rsplit('/').next().unwrap();
        let key = document["signature"]["key"].as_str().unwrap();
        let outputs = document["signature"]["outputs"].as_array().unwrap();
        let names: Vec<&Value> = outputs.iter().map(|output| &output["name"]).collect();
        for (route, obstacle) in [("rest", "rest_obstacle"), ("grpc", "grpc_obstacle")] {
            match &answer[route] {
                Value::Null if document[obstacle].is_string() => {}
                Value::Array(found) if found.iter().collect::<Vec<_>>() == names => answered += 1,
                Value::String(text) if is_unfed(model, text) => {}
                found => faults.push(format!("{model} {key}, {route}: {found}")),
            }
        }
    }
    assert_none(&faults);
    assert!(answered > 100, "{answered}");
}
