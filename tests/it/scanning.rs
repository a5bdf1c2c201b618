//! What models can do besides computing: the report, and `savedmodel scan`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prost::Message;
use savedmodel::builder::{MetaGraphBuilder, SavedModelBuilder, constants};
use savedmodel::bundle::Durability;
use savedmodel::graph::{Function, GraphBuilder, Output};
use savedmodel::proto::attr_value::Value as AttrKind;
use savedmodel::proto::meta_graph_def::{MetaInfoDef, SignatureDefEntry};
use savedmodel::proto::{
    self, AttrValue, FunctionDef, FunctionDefLibrary, GraphDef, MetaGraphDef, NameAttrList,
    NodeDef, OpDef, SignatureDef, TensorInfo,
};
use savedmodel::scan::{Capability, EntryKind, Finding, Policy, ScanReport, Severity, Verdict};
use savedmodel::store::MemoryStore;
use savedmodel::{DType, PartialShape, Result, SavedModel, Shape, Signature, Tensor};
use serde_json::Value;

use crate::fixtures::assert_none;
use crate::scratch::Scratch;

fn tests() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))
}

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

fn scan(path: impl AsRef<Path>) -> ScanReport {
    let model = SavedModel::open(path).unwrap();
    ScanReport::of(&model, &Policy::default()).unwrap()
}

fn text(value: &str) -> Tensor {
    Tensor::from_strings(Shape::new(&[]).unwrap(), [value]).unwrap()
}

/// Saves `y = x` and whatever else the graph has.
fn save(directory: &Path, mut graph: GraphBuilder, result: Option<Output>) -> Result<()> {
    let x = graph.placeholder("x", DType::FLOAT, PartialShape::UNKNOWN)?;
    let y = match result {
        Some(y) => y,
        None => graph.op("Identity").name("y").input(&x).output()?,
    };
    let signature = Signature::predict([("x", &x)], [("y", &y)])?;
    let options = SavedModelBuilder::options().durability(Durability::None);
    let mut builder = options.uuid("7").create(directory)?;
    let meta_graph = MetaGraphBuilder::new(graph, [constants::SERVING]);
    builder.add_meta_graph_and_variables(
        meta_graph.signature(constants::DEFAULT_SERVING_SIGNATURE_DEF_KEY, signature),
        Vec::<(String, Tensor)>::new(),
    )?;
    builder.save()?;
    Ok(())
}

/// A function that writes `filename`, which is given to it, and one around it.
fn hidden_writer() -> Result<Function> {
    let mut inner = GraphBuilder::function();
    let filename = inner.argument("filename", DType::STRING, PartialShape::UNKNOWN)?;
    let contents = inner.constant("contents", &text("boo"))?;
    inner
        .op("WriteFile")
        .name("w")
        .input(&filename)
        .input(&contents)
        .build()?;
    let inner = inner.into_function("inner", [("filename", &filename)])?;
    let mut outer = GraphBuilder::function();
    let filename = outer.argument("path", DType::STRING, PartialShape::UNKNOWN)?;
    let called = outer.call(&inner, [&filename])?.outputs()[0].clone();
    outer.into_function("outer", [("path", &called)])
}

#[test]
fn a_file_write_two_functions_deep_behind_the_init_op_is_found_with_its_way() {
    let scratch = Scratch::new("scan");
    let directory = scratch.path().join("model");
    let mut graph = GraphBuilder::new();
    let path = graph
        .constant("path", &text("/nonexistent/a\u{1b}[31m"))
        .unwrap();
    let call = graph.call(&hidden_writer().unwrap(), [&path]).unwrap();
    graph.initialize_with(&call).unwrap();
    save(&directory, graph, None).unwrap();

    let report = scan(&directory);
    assert!(report.refused);
    let finding = &report.findings[0];
    assert_eq!(finding.capability, Capability::FileWrite);
    assert_eq!(finding.severity, Severity::Critical);
    assert_eq!(finding.reached_from[0], EntryKind::InitOp);
    let path = finding.path.as_ref().unwrap();
    let steps: Vec<&str> = path
        .steps
        .iter()
        .map(|step| step.function.as_str())
        .collect();
    assert_eq!(steps, ["outer", "inner"]);
    assert!(
        finding
            .place()
            .ends_with(" → outer → inner → WriteFile node w")
    );
    assert_eq!(finding.arguments, ["/nonexistent/a\u{1b}[31m"]);

    let (code, out, err) = run(&["scan", directory.to_str().unwrap()]);
    assert_eq!(code, 1, "{err}");
    assert!(
        out.contains("critical: file-write: WriteFile writes a file\n    init op "),
        "{out}"
    );
    assert!(out.contains(r#"with "/nonexistent/a\x1b[31m""#), "{out}");
    assert!(!out.contains('\u{1b}'));
    assert_eq!(err, "savedmodel: refused: 1 finding high or worse\n");
}

/// A graph whose signature runs the saver's op, and the same graph with a signature that does not.
#[test]
fn savers_are_silent_until_a_signature_leads_to_them() {
    let save_op = |graph: &mut GraphBuilder| -> Result<Output> {
        let prefix = graph.constant("prefix", &text("/nonexistent/ckpt"))?;
        let names = Tensor::from_strings(Shape::new(&[1])?, ["w"])?;
        let slices = Tensor::from_strings(Shape::new(&[1])?, [""])?;
        let (names, slices) = (graph.constant("n", &names)?, graph.constant("s", &slices)?);
        let value = graph.constant("value", &Tensor::scalar(1f32))?;
        let save = graph
            .op("SaveV2")
            .name("steal")
            .input(&prefix)
            .input(&names)
            .input(&slices)
            .inputs([&value])
            .build()?;
        graph
            .op("Identity")
            .name("y")
            .input(&value)
            .control(&save)
            .output()
    };
    let scratch = Scratch::new("scan");
    let (led, silent) = (scratch.path().join("led"), scratch.path().join("silent"));
    let mut graph = GraphBuilder::new();
    let y = save_op(&mut graph).unwrap();
    save(&led, graph, Some(y)).unwrap();
    let mut graph = GraphBuilder::new();
    save_op(&mut graph).unwrap();
    save(&silent, graph, None).unwrap();

    let report = scan(&led);
    let found: Vec<(Severity, String)> = report
        .findings
        .iter()
        .map(|finding| (finding.severity, finding.place()))
        .collect();
    assert_eq!(
        found,
        [(
            Severity::Medium,
            "signature serving_default → SaveV2 node steal".to_owned()
        )]
    );
    assert_eq!(report.findings[0].arguments, ["/nonexistent/ckpt"]);
    // It stands there, and nothing needs it.
    let report = scan(&silent);
    let severities = report.findings.iter().map(|finding| finding.severity);
    assert!(severities.eq([Severity::Info]), "{:?}", report.findings);
}

fn models_below(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![tests().join(folder)];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false if path.file_stem().is_some_and(|stem| stem == "saved_model") => {
                    found.push(directory.clone());
                }
                false => {}
            }
        }
    }
    found.sort();
    found
}

#[test]
fn nothing_above_info_is_found_in_clean_models() {
    let mut models = models_below("fixtures");
    models.extend(models_below("cli-goldens/models"));
    assert!(models.len() > 50, "{}", models.len());
    let mut faults = Vec::new();
    for path in models {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let is_meant = ["file_ops", "hidden_ops_only"].contains(&name.as_str());
        let is_custom = name.starts_with("custom_op");
        let report = scan(&path);
        for finding in &report.findings {
            let is_custom = is_custom && finding.capability == Capability::CustomOp;
            if finding.severity > Severity::Info && !is_meant && !is_custom {
                faults.push(format!("{name}: {finding:?}"));
            }
        }
        if is_meant != report.refused {
            faults.push(format!("{name}: refused is {}", report.refused));
        }
    }
    assert_none(&faults);
}

#[test]
fn what_the_stock_tool_misses_is_found() {
    let report = scan(tests().join("cli-goldens/models/file_ops"));
    let find = |op: &str, entry: EntryKind| -> &Finding {
        let mut findings = report.findings.iter();
        let is_meant = |finding: &&Finding| {
            finding.op.as_deref() == Some(op)
                && finding
                    .path
                    .as_ref()
                    .is_some_and(|path| path.entry == entry)
        };
        findings.find(is_meant).unwrap_or_else(|| panic!("{op}"))
    };
    assert_eq!(
        find("ReadFile", EntryKind::Signature).severity,
        Severity::High
    );
    assert_eq!(
        find("MatchingFiles", EntryKind::Signature).capability,
        Capability::DirectoryList
    );
    assert_eq!(find("PrintV2", EntryKind::Object).severity, Severity::Low);
    assert_eq!(
        find("WriteFile", EntryKind::Object)
            .path
            .as_ref()
            .unwrap()
            .entry_name,
        "root.write"
    );
    let hidden = find("WriteFile", EntryKind::Signature);
    assert!(
        hidden.place().contains(" → body while_body_"),
        "{}",
        hidden.place()
    );
    assert_eq!(hidden.arguments, ["/nonexistent/never"]);
}

#[test]
fn gates_are_set_by_options_and_by_a_policy() {
    let scratch = Scratch::new("scan");
    let policy = scratch.path().join("policy");
    let policy = policy.to_str().unwrap();
    std::fs::write(policy, "# ours\nfail-on low\nallow custom-op\n").unwrap();
    let (clean, custom) = ("fixtures/keras3_saved", "cli-goldens/models/custom_op");
    let files = "cli-goldens/models/file_ops";
    for (args, code, message) in [
        (&[clean, "--fail-on", "info"][..], 0, ""),
        (&[clean, "--deny", "MatMul"], 1, "denied"),
        (&[custom], 0, ""),
        (
            &[custom, "--fail-on", "medium"],
            1,
            "1 finding medium or worse",
        ),
        (&[custom, "--policy", policy], 0, ""),
        (
            &[custom, "--policy", policy, "--deny", "MyVendorScale"],
            1,
            "refused",
        ),
        (&[files], 1, "4 findings high or worse"),
        (&[files, "--fail-on", "critical"], 0, ""),
        (&[files, "--fail-on", "none", "--deny", "network"], 0, ""),
        (
            &[files, "--fail-on", "none", "--deny", "PrintV2"],
            1,
            "1 finding denied",
        ),
        (
            &[files, "--allow", "file-read,file-write,directory-list"],
            0,
            "",
        ),
        (
            &[files, "--fail-on", "worst"],
            2,
            "there is no severity `worst`",
        ),
        (
            &[files, "--deny", "file-wirte"],
            2,
            "neither an op nor a capability",
        ),
        (&[files, "--policy", "no/such"], 2, "no/such"),
        (&[files, "--json", "--sarif"], 2, "cannot be used with"),
        (&["no/such"], 1, "no/such"),
    ] {
        let (found, _, err) = run(&[&["scan"], args].concat());
        assert_eq!(found, code, "{args:?}: {err}");
        assert!(err.contains(message), "{args:?}: {err}");
    }
    let (_, out, _) = run(&["scan", files, "--allow", "WriteFile"]);
    assert!(
        out.contains("allowed: file-write: WriteFile (2)\n"),
        "{out}"
    );
}

#[test]
fn sarif_names_rules_places_and_what_is_allowed() {
    let args = [
        "scan",
        "cli-goldens/models/file_ops",
        "--sarif",
        "--allow",
        "PrintV2",
    ];
    let (code, out, _) = run(&args);
    assert_eq!(code, 1);
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["version"], "2.1.0");
    let run = &document["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 5);
    for result in results {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let location = &result["locations"][0];
        let file = &location["physicalLocation"]["artifactLocation"];
        assert_eq!(file["uri"], "saved_model.pb");
        let name = location["logicalLocations"][0]["fullyQualifiedName"].as_str();
        assert!(name.is_some_and(|name| name.contains('/')));
        let is_allowed = result["ruleId"] == "print";
        assert_eq!(result["suppressions"].is_array(), is_allowed);
        let level = if is_allowed { "note" } else { "error" };
        assert_eq!(result["level"], level);
    }
}

// Forged messages, for what no builder makes.

fn node(name: &str, op: &str, input: &[&str], attrs: Vec<(&str, AttrKind)>) -> NodeDef {
    NodeDef {
        name: name.to_owned(),
        op: op.to_owned(),
        input: input.iter().map(|input| (*input).to_owned()).collect(),
        attr: attrs
            .into_iter()
            .map(|(key, value)| proto::node_def::AttrEntry {
                key: Some(key.to_owned()),
                value: Some(AttrValue { value: Some(value) }),
            })
            .collect(),
        ..Default::default()
    }
}

fn calls(function: &str) -> AttrKind {
    AttrKind::Func(Box::new(NameAttrList {
        name: function.to_owned(),
        ..Default::default()
    }))
}

fn function(name: &str, node_def: Vec<NodeDef>) -> FunctionDef {
    FunctionDef {
        signature: Some(OpDef {
            name: name.to_owned(),
            ..Default::default()
        }),
        node_def,
        ..Default::default()
    }
}

/// A model whose signature fetches the node `y`.
fn forged(nodes: Vec<NodeDef>, functions: Vec<FunctionDef>) -> MetaGraphDef {
    let output = TensorInfo {
        encoding: Some(proto::tensor_info::Encoding::Name("y:0".to_owned())),
        ..Default::default()
    };
    MetaGraphDef {
        meta_info_def: Some(MetaInfoDef {
            tags: vec!["serve".to_owned()],
            ..Default::default()
        }),
        graph_def: Some(GraphDef {
            node: nodes,
            library: Some(FunctionDefLibrary {
                function: functions,
                ..Default::default()
            }),
            ..Default::default()
        }),
        signature_def: vec![SignatureDefEntry {
            key: Some("serving_default".to_owned()),
            value: Some(SignatureDef {
                outputs: vec![proto::signature_def::OutputsEntry {
                    key: Some("y".to_owned()),
                    value: Some(output),
                }],
                ..Default::default()
            }),
        }],
        ..Default::default()
    }
}

fn scan_forged(meta_graph: MetaGraphDef, files: &[(&str, Vec<u8>)]) -> ScanReport {
    let proto = proto::SavedModel {
        saved_model_schema_version: 1,
        meta_graphs: vec![meta_graph],
    };
    let mut store = MemoryStore::new();
    store.insert("m/saved_model.pb".to_owned(), proto.encode_to_vec());
    for (name, bytes) in files {
        store.insert(format!("m/{name}"), bytes.clone());
    }
    let model = SavedModel::open_in(Arc::new(store), "m").unwrap();
    ScanReport::of(&model, &Policy::default()).unwrap()
}

#[test]
fn functions_are_followed_wherever_they_are_named_and_cycles_end() {
    let writer = |name: &str| node(name, "PyFunc", &[], vec![]);
    let report = scan_forged(
        forged(
            vec![
                node("y", "Identity", &["^map", "^case"], vec![]),
                node("map", "MapDataset", &[], vec![("f", calls("mapped"))]),
                node(
                    "case",
                    "Case",
                    &[],
                    vec![(
                        "branches",
                        AttrKind::List(Box::new(proto::attr_value::ListValue {
                            func: vec![NameAttrList {
                                name: "ring_a".to_owned(),
                                ..Default::default()
                            }],
                            ..Default::default()
                        })),
                    )],
                ),
            ],
            vec![
                function("mapped", vec![writer("m")]),
                function("ring_a", vec![node("b", "ring_b", &[], vec![])]),
                function(
                    "ring_b",
                    vec![
                        writer("r"),
                        node("a", "PartitionedCall", &[], vec![("f", calls("ring_a"))]),
                    ],
                ),
                function("dead", vec![writer("d")]),
            ],
        ),
        &[],
    );
    let found: Vec<(Severity, String)> = report
        .findings
        .iter()
        .map(|finding| (finding.severity, finding.place()))
        .collect();
    let place = |severity, place: &str| (severity, place.to_owned());
    assert_eq!(
        found,
        [
            place(
                Severity::Medium,
                "signature serving_default → dataset function mapped → PyFunc node m"
            ),
            place(
                Severity::Medium,
                "signature serving_default → branch ring_a → ring_b → PyFunc node r"
            ),
            place(
                Severity::Low,
                "function dead, which nothing calls → PyFunc node d"
            ),
        ]
    );
}

#[test]
fn long_chains_and_many_findings_take_linear_time() {
    const MANY: usize = 30_000;
    let mut nodes = vec![node("y", "f0", &["n0"], vec![])];
    let functions = (0..MANY).map(|i| {
        let mut body = vec![node("w", "WriteFile", &["name", "name"], vec![])];
        if i + 1 < MANY {
            body.push(node("c", &format!("f{}", i + 1), &[], vec![]));
        }
        function(&format!("f{i}"), body)
    });
    let functions: Vec<FunctionDef> = functions.collect();
    for i in 0..MANY {
        nodes.push(node(
            &format!("n{i}"),
            "ReadFile",
            &[&format!("n{}", i + 1)],
            vec![],
        ));
    }
    let start = Instant::now();
    let report = scan_forged(forged(nodes, functions), &[]);
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(report.counts[Severity::High as usize], 2 * MANY as u64);
    assert_eq!(report.findings.len(), ScanReport::MAX_FINDINGS);
    assert_eq!(report.omitted as usize, 2 * MANY - ScanReport::MAX_FINDINGS);
    let longest = report
        .findings
        .iter()
        .filter_map(|finding| finding.path.as_ref());
    let longest = longest.map(|path| path.steps.len()).max();
    assert!(longest.unwrap() <= 32);
}

#[test]
fn attrs_and_paths_say_what_an_op_does() {
    let bytes = |text: &str| AttrKind::S(text.as_bytes().to_vec().into());
    let constant = |name: &str, text: &str| {
        let value = proto::TensorProto {
            dtype: 7,
            tensor_shape: Some(proto::TensorShapeProto::default()),
            string_val: vec![text.as_bytes().to_vec().into()],
            ..Default::default()
        };
        node(
            name,
            "Const",
            &[],
            vec![("value", AttrKind::Tensor(Box::new(value)))],
        )
    };
    let urls = AttrKind::List(Box::new(proto::attr_value::ListValue {
        s: vec![b"grpc://evil:1".to_vec().into()],
        ..Default::default()
    }));
    for (nodes, expected) in [
        (
            vec![node(
                "y",
                "PrintV2",
                &[],
                vec![("output_stream", bytes("file:///x"))],
            )],
            &[(Capability::FileWrite, Severity::High)][..],
        ),
        (
            vec![node("y", "PrintV2", &[], vec![])],
            &[(Capability::Print, Severity::Low)],
        ),
        (
            vec![node(
                "y",
                "DebugIdentityV3",
                &[],
                vec![("debug_urls", urls)],
            )],
            &[(Capability::Network, Severity::High)],
        ),
        (
            vec![
                constant("a", "gs:"),
                constant("b", "//bucket"),
                node("j", "StringJoin", &["a", "b"], vec![]),
                node("y", "ReadFile", &["j"], vec![]),
            ],
            &[
                (Capability::FileRead, Severity::High),
                (Capability::Network, Severity::High),
            ],
        ),
        (
            vec![
                constant("empty", ""),
                node("y", "CacheDatasetV2", &["x", "empty"], vec![]),
            ],
            &[],
        ),
        (
            vec![
                constant("file", "/x"),
                node("y", "CacheDatasetV2", &["x", "file"], vec![]),
            ],
            &[(Capability::FileWrite, Severity::High)],
        ),
        (
            vec![
                constant("file", "/etc/passwd"),
                node("y", "InitializeTableFromTextFileV2", &["x", "file"], vec![]),
            ],
            &[(Capability::VocabularyRead, Severity::High)],
        ),
        (
            vec![
                node("y", "NoOp", &[], vec![]),
                node("a", "Abort", &[], vec![]),
            ],
            &[(Capability::KillOrStall, Severity::Medium)],
        ),
    ] {
        let shown = format!("{:?}", nodes.last().map(|node| &node.op));
        let report = scan_forged(forged(nodes, Vec::new()), &[]);
        let found = report.findings.iter();
        let found: Vec<_> = found
            .map(|finding| (finding.capability, finding.severity))
            .collect();
        assert_eq!(found, expected, "{shown}");
    }
}

#[test]
fn lambda_layers_and_assets_that_lead_out_are_found() {
    let metadata = proto::keras::SavedMetadata {
        nodes: ["root", "root.layer-1"]
            .map(|path| proto::keras::SavedObject {
                node_path: path.to_owned(),
                metadata: r#"{"class_name": "Lambda", "config": {"function_type": "lambda"}}"#
                    .to_owned(),
                ..Default::default()
            })
            .to_vec(),
    };
    let mut meta_graph = forged(vec![node("y", "NoOp", &[], vec![])], Vec::new());
    meta_graph.asset_file_def.push(proto::AssetFileDef {
        filename: "../../etc/passwd".to_owned(),
        ..Default::default()
    });
    let report = scan_forged(
        meta_graph,
        &[("keras_metadata.pb", metadata.encode_to_vec())],
    );
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.capability, finding.severity, finding.name.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (Capability::KerasLambda, Severity::High, "root.layer-1"),
            (Capability::AssetEscape, Severity::High, "../../etc/passwd"),
        ]
    );
    assert!(
        report
            .findings
            .iter()
            .all(|finding| finding.verdict == Verdict::Open)
    );
}

#[test]
fn what_needs_tensorflow_itself_says_what_to_use_instead() {
    let model = [
        "--dir",
        "cli-goldens/models/half_plus_two",
        "--tag_set",
        "serve",
    ];
    for (command, part) in [
        (
            &["convert", "tensorrt", "--output_dir", "x"][..],
            "tf.experimental.tensorrt",
        ),
        (
            &["freeze_model", "--output_prefix", "x"],
            "convert_variables_to_constants_v2",
        ),
        (&["aot_compile_cpu", "--cpp_class", "A"], "jit_compile=True"),
        (
            &["run", "--signature_def", "s", "--worker", "h:1"],
            "TensorFlow Serving",
        ),
        (
            &["run", "--signature_def", "s", "--init_tpu"],
            "initialize_tpu_system",
        ),
        (
            &["run", "--signature_def", "s", "--use_tfrt"],
            "leave the flag out",
        ),
        (
            &["run", "--signature_def", "s", "--tf_debug"],
            "enable_dump_debug_info",
        ),
    ] {
        let (code, out, err) = run(&[&["compat"], command, &model[..]].concat());
        assert_eq!(
            (code, out.as_str(), err.lines().count()),
            (1, "", 1),
            "{err}"
        );
        assert!(err.contains(part), "{command:?}: {err}");
    }
}
