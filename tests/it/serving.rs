//! Models published for TensorFlow Serving: versions, warm-up requests, settings.

use std::fs;
use std::path::Path;
use std::process::Command;

use savedmodel::builder::{MetaGraphBuilder, SavedModelBuilder, constants};
use savedmodel::bundle::Durability;
use savedmodel::example::Example;
use savedmodel::graph::GraphBuilder;
use savedmodel::model::SignatureKind;
use savedmodel::serving::{
    ModelServerConfig, ModelVersions, RequestKind, SavedModelConfig, ServedModel, VersionNaming,
    VersionPolicy, WarmupRequests,
};
use savedmodel::{DType, PartialShape, SavedModel, Signature, Tensor};
use serde_json::{Value, json};

use crate::scratch::Scratch;

fn builder(base: &Path, naming: VersionNaming) -> SavedModelBuilder {
    let options = SavedModelBuilder::options().durability(Durability::None);
    options.create_version(base, naming).unwrap()
}

/// Adds `y = -x`, which has no variables.
fn fill(builder: &mut SavedModelBuilder) {
    let mut graph = GraphBuilder::new();
    let shape = PartialShape::new(&[None, Some(2)]).unwrap();
    let x = graph.placeholder("x", DType::FLOAT, shape).unwrap();
    let y = graph.op("Neg").name("y").input(&x).output().unwrap();
    let signature = Signature::predict([("x", &x)], [("y", &y)]).unwrap();
    let meta_graph = MetaGraphBuilder::new(graph, [constants::SERVING])
        .signature(constants::DEFAULT_SERVING_SIGNATURE_DEF_KEY, signature);
    let none: [(&str, Tensor); 0] = [];
    builder
        .add_meta_graph_and_variables(meta_graph, none)
        .unwrap();
}

fn publish(base: &Path, naming: VersionNaming) -> i64 {
    let mut builder = builder(base, naming);
    fill(&mut builder);
    let path = builder.save().unwrap();
    let number = path.file_name().unwrap().to_str().unwrap();
    number.parse().unwrap()
}

fn predict(signature: &str, values: &[f32]) -> WarmupRequests {
    let mut requests = WarmupRequests::new("m");
    let x = Tensor::from_slice([1, values.len() as u64], values).unwrap();
    requests.predict(signature, [("x", x)]).unwrap();
    requests
}

#[test]
fn versions_are_published_one_behind_the_other() {
    let scratch = Scratch::new("publish");
    let base = scratch.path().join("models/m");
    assert_eq!(publish(&base, VersionNaming::Next), 1);
    assert_eq!(publish(&base, VersionNaming::Next), 2);
    // Both begin before one ends.
    let mut first = builder(&base, VersionNaming::Next);
    let mut second = builder(&base, VersionNaming::Next);
    fill(&mut first);
    fill(&mut second);
    let unfinished = ModelVersions::read(&base).unwrap();
    assert_eq!(unfinished.versions().len(), 2);
    assert_eq!(unfinished.ignored().len(), 2);
    assert_eq!(second.save().unwrap(), base.join("3"));
    assert_eq!(first.save().unwrap(), base.join("4"));

    let by_time = publish(&base, VersionNaming::Timestamp);
    let again = publish(&base, VersionNaming::Timestamp);
    assert!(1_700_000_000 < by_time && by_time < again);
    drop(builder(&base, VersionNaming::Next));
    let versions = ModelVersions::read(&base).unwrap();
    let sound = |version: &&savedmodel::serving::ServableVersion| version.fault.is_none();
    assert_eq!(versions.versions().iter().filter(sound).count(), 6);
    assert!(versions.ignored().is_empty());
    SavedModel::open(&versions.latest().unwrap().path).unwrap();
}

#[test]
fn a_model_brings_its_warm_up_requests_and_settings() {
    let scratch = Scratch::new("warm-up");
    let mut builder = builder(scratch.path(), VersionNaming::Next);
    fill(&mut builder);
    let requests = predict("serving_default", &[1., 2.]);
    builder.add_warmup_requests(requests.clone()).unwrap();
    assert!(builder.add_warmup_requests(requests.clone()).is_err());
    let mut config = SavedModelConfig::default();
    config.critical = true;
    builder.add_saved_model_config(&config).unwrap();
    builder.add_extra_asset_bytes("mlmd_uuid", "u").unwrap();
    assert!(builder.add_extra_asset_bytes("../x", "").is_err());
    let path = builder.save().unwrap();

    let read = WarmupRequests::read(&path).unwrap().unwrap();
    assert_eq!(read.requests(), requests.requests());
    assert_eq!(read.requests()[0].kind().unwrap(), RequestKind::Predict);
    assert_eq!(SavedModelConfig::read(&path).unwrap(), Some(config));
    assert_eq!(fs::read(path.join("assets.extra/mlmd_uuid")).unwrap(), b"u");

    let two = predict("", &[0., 0.]);
    two.write(&path).unwrap();
    let read = WarmupRequests::read(&path).unwrap().unwrap();
    assert_eq!(read.requests(), two.requests());
    let model = SavedModel::open(&path).unwrap();
    let signatures = model.meta_graph(["serve"]).unwrap().signatures().unwrap();
    read.check(&signatures).unwrap();
    assert_eq!(WarmupRequests::read(scratch.path()).unwrap(), None);
}

#[test]
fn a_model_that_would_not_warm_up_is_not_published() {
    let scratch = Scratch::new("cold");
    let mut builder = builder(scratch.path(), VersionNaming::Next);
    fill(&mut builder);
    builder
        .add_warmup_requests(predict("serving_default", &[1., 2., 3.]))
        .unwrap();
    let error = builder.save().unwrap_err().to_string();
    assert!(error.contains("warm-up request 0"), "{error}");
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
}

fn run(args: &[&str], directory: &Path) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_savedmodel"))
        .current_dir(directory)
        .arg("versions")
        .args(args)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/versions");
    let path = path.join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        return;
    }
    let golden = fs::read_to_string(path).unwrap().replace("\r\n", "\n");
    assert!(
        golden == text,
        "{name} should be:\n{golden}\nbut is:\n{text}"
    );
}

#[test]
fn the_tool_lists_and_prunes_versions() {
    let scratch = Scratch::new("tool");
    let base = scratch.path().join("m");
    for name in ["1", "2", "02", "3", "12", "temp-13", "notes"] {
        fs::create_dir_all(base.join(name)).unwrap();
        fs::write(base.join(name).join("saved_model.pb"), "").unwrap();
    }
    let run = |args: &[&str]| run(args, scratch.path());
    let (code, text, _) = run(&["m"]);
    assert_eq!(code, 0);
    assert_golden("listed.txt", &text);
    let (code, text, _) = run(&["m", "--prune", "2"]);
    assert_eq!(code, 0);
    assert_golden("pruned.txt", &text);
    let (code, text, _) = run(&["m", "--json"]);
    assert_eq!(code, 0);
    assert_golden("listed.json", &text);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["served"], 12);

    fs::create_dir(base.join("13")).unwrap();
    let (code, text, error) = run(&["m"]);
    assert_eq!(code, 1);
    assert!(error.contains("version 13 will not load"), "{error}");
    assert!(text.contains("served, will not load: no model in it"));
    assert_eq!(run(&["m", "--prune", "0"]).0, 2);
    assert_eq!(run(&["none"]).0, 1);
}

#[test]
fn interop_serving_files_are_read_by_servings_own_messages() {
    let scratch = Scratch::new("serving-files");
    let example = |values: &[f32]| Example::new().with("x", values.to_vec());
    let mut requests = WarmupRequests::new("m");
    let x = Tensor::from_slice([1, 3], &[1f32, 2., 3.]).unwrap();
    let words = Tensor::from_strings([2], [&b"a"[..], b"\xff"]).unwrap();
    requests
        .predict("serving_default", [("x", x), ("words", words)])
        .unwrap();
    let two = || [example(&[1.]), example(&[2., 3.])];
    requests.classify("classify", two()).unwrap();
    requests.regress("regress", two()).unwrap();
    let both = [
        ("classify", SignatureKind::Classify),
        ("regress", SignatureKind::Regress),
    ];
    requests.multi_inference(both, [example(&[4.])]).unwrap();
    let warmup = scratch.path().join("warmup");
    fs::write(&warmup, requests.to_bytes().unwrap()).unwrap();

    let mut config = ModelServerConfig::default();
    let mut model = ServedModel::new("a \"quoted\" name", "/models/\\ä");
    model.policy = VersionPolicy::Specific(vec![1, -5, i64::MAX]);
    model.labels.insert("stable".to_owned(), 1);
    model.labels.insert("canary".to_owned(), i64::MAX);
    config.models.push(model);
    for (name, policy) in [
        ("default", VersionPolicy::Default),
        ("latest", VersionPolicy::Latest(3)),
        ("all", VersionPolicy::All),
    ] {
        let mut model = ServedModel::new(name, format!("s3://bucket/{name}"));
        model.policy = policy;
        config.models.push(model);
    }
    let models = scratch.path().join("models.config");
    fs::write(&models, config.to_text().unwrap()).unwrap();

    let out = scratch.path().join("out");
    fs::create_dir(&out).unwrap();
    let arguments = [&*warmup, &*models, &*out];
    let Some(printed) = crate::tensorflow::run("check_serving_files.py", &arguments) else {
        return;
    };
    let theirs: Value = serde_json::from_slice(&printed).unwrap();
    let theirs = &theirs["model_config_list"]["config"];
    let platform = "tensorflow";
    assert_eq!(
        *theirs,
        json!([
            {
                "name": "a \"quoted\" name",
                "base_path": "/models/\\ä",
                "model_platform": platform,
                "model_version_policy": {
                    "specific": { "versions": ["1", "-5", "9223372036854775807"] }
                },
                "version_labels": { "stable": "1", "canary": "9223372036854775807" },
            },
            { "name": "default", "base_path": "s3://bucket/default", "model_platform": platform },
            {
                "name": "latest",
                "base_path": "s3://bucket/latest",
                "model_platform": platform,
                "model_version_policy": { "latest": { "num_versions": 3 } },
            },
            {
                "name": "all",
                "base_path": "s3://bucket/all",
                "model_platform": platform,
                "model_version_policy": { "all": {} },
            },
        ])
    );
    let again = fs::read(out.join("models.config")).unwrap();
    assert_eq!(ModelServerConfig::from_text(again).unwrap(), config);
    let theirs = fs::read(out.join("requests.tfrecord")).unwrap();
    let theirs = WarmupRequests::from_bytes(theirs).unwrap();
    assert_eq!(theirs.len(), 4);
    for (ours, theirs) in requests.requests().iter().zip(theirs.requests()) {
        assert_eq!(ours.kind().unwrap(), theirs.kind().unwrap());
    }
}
