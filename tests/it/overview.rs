//! What is told of models and checkpoints at a glance, and what is found odd.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use prost::Message;
use savedmodel::builder::ObjectModelBuilder;
use savedmodel::bundle::locate_bundle;
use savedmodel::inspect::{CheckpointOverview, Framework, ModelOverview, OddityCode, Severity};
use savedmodel::model::{Located, locate, locate_model};
use savedmodel::object_graph::{Child, DescribedVariable, ObjectTree};
use savedmodel::store::MemoryStore;
use savedmodel::{BundleReader, BundleWriter, ErrorKind, SavedModel, Tensor, proto};
use serde_json::Value;

use crate::fixtures::{assert_none, files_below, fixtures};
use crate::tensorflow;

/// A copy of a fixture that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn empty(name: &str) -> Self {
        let name = format!("savedmodel-overview-{name}-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        Scratch(directory)
    }

    fn copy(name: &str, fixture: &str) -> Self {
        let scratch = Scratch::empty(name);
        copy(&fixtures().join(fixture), &scratch.0);
        scratch
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn edit(&self, edit: impl FnOnce(&mut proto::SavedModel)) {
        let path = self.file("saved_model.pb");
        let mut model = proto::SavedModel::decode(&*fs::read(&path).unwrap()).unwrap();
        edit(&mut model);
        fs::write(path, model.encode_to_vec()).unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn copy(from: &Path, to: &Path) {
    for path in files_below(from, &|_| true) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(path, target).unwrap();
    }
}

fn overview(path: &Path) -> ModelOverview {
    ModelOverview::of(&SavedModel::open(path).unwrap()).unwrap()
}

fn codes(path: &Path) -> BTreeSet<OddityCode> {
    let overview = overview(path);
    overview.oddities.iter().map(|oddity| oddity.code).collect()
}

fn graph(model: &mut proto::SavedModel) -> &mut proto::GraphDef {
    model.meta_graphs[0].graph_def.as_mut().unwrap()
}

/// A fixture, the damage done to it, and what is odd then that was not before.
type Case = (OddityCode, &'static str, fn(&Scratch));

const CASES: &[Case] = &[
    (OddityCode::ForeignMessage, "no_variables", |model| {
        let node = proto::NodeDef {
            name: "x".to_owned(),
            op: "Placeholder".to_owned(),
            ..Default::default()
        };
        let graph = proto::GraphDef {
            node: vec![node],
            ..Default::default()
        };
        fs::write(model.file("saved_model.pb"), graph.encode_to_vec()).unwrap();
    }),
    (OddityCode::NoMetaGraphs, "no_variables", |model| {
        fs::write(model.file("saved_model.pb"), b"").unwrap();
    }),
    (OddityCode::VariablesMissing, "module", |model| {
        fs::remove_dir_all(model.file("variables")).unwrap();
    }),
    (OddityCode::VariablesMissing, "v1_partitioned", |model| {
        fs::remove_dir_all(model.file("variables")).unwrap();
    }),
    (OddityCode::ShardsMissing, "two_shards", |model| {
        fs::remove_file(model.file("variables/variables.data-00001-of-00002")).unwrap();
    }),
    (OddityCode::VariablesUnreadable, "two_shards", |model| {
        fs::write(model.file("variables/variables.index"), [0; 100]).unwrap();
    }),
    (OddityCode::KeysMissing, "module", |model| {
        copy(
            &fixtures().join("structures/variables"),
            &model.file("variables"),
        );
    }),
    (OddityCode::UnrestoredVariables, "v1_partitioned", |model| {
        // The restore op no longer waits for the assignments.
        model.edit(|model| {
            let saver = model.meta_graphs[0].saver_def.clone().unwrap();
            for node in &mut graph(model).node {
                if node.name == saver.restore_op_name {
                    node.input.clear();
                }
            }
        });
    }),
    (OddityCode::UnrestoredVariables, "module", |model| {
        model.edit(|model| model.meta_graphs[0].saver_def = None);
    }),
    (OddityCode::AssetMissing, "vocabulary", |model| {
        fs::remove_file(model.file("assets/vocab.txt")).unwrap();
    }),
    (OddityCode::SignatureTensorMissing, "module", |model| {
        model.edit(|model| {
            let signature = &mut model.meta_graphs[0].signature_def[0];
            let output = signature.value.as_mut().unwrap().outputs[0].value.as_mut();
            output.unwrap().encoding =
                Some(proto::tensor_info::Encoding::Name("gone:0".to_owned()));
        });
    }),
    (OddityCode::FunctionMissing, "module", |model| {
        model.edit(|model| {
            graph(model).library.as_mut().unwrap().function.pop();
        });
    }),
    (OddityCode::ObjectGraphFault, "module", |model| {
        model.edit(|model| {
            let objects = model.meta_graphs[0].object_graph_def.as_mut().unwrap();
            objects.nodes[0].children[0].node_id = 9999;
        });
    }),
    (OddityCode::NoSignatures, "module", |model| {
        model.edit(|model| model.meta_graphs[0].signature_def.clear());
    }),
    (OddityCode::DuplicateTags, "v1_builder", |model| {
        model.edit(|model| {
            let first = model.meta_graphs[0].clone();
            model.meta_graphs.push(first);
        });
    }),
    (OddityCode::SeveralModelFiles, "v1_builder", |model| {
        let text = fixtures().join("v1_builder_text/saved_model.pbtxt");
        fs::copy(text, model.file("saved_model.pbtxt")).unwrap();
    }),
    (OddityCode::CustomOps, "v1_builder", |model| {
        model.edit(|model| graph(model).node[0].op = "MyOwnOp".to_owned());
    }),
    (OddityCode::PythonCallback, "v1_builder", |model| {
        model.edit(|model| graph(model).node[0].op = "EagerPyFunc".to_owned());
    }),
    (OddityCode::UnreadVariables, "v1_builder", |model| {
        model.edit(|model| {
            model.meta_graphs.remove(0);
        });
    }),
    (OddityCode::AbsolutePath, "v1_builder", |model| {
        model.edit(|model| {
            let tensor = proto::TensorProto {
                dtype: 7,
                string_val: vec![b"/home/me/words.txt".to_vec().into()],
                ..Default::default()
            };
            let value = proto::AttrValue {
                value: Some(proto::attr_value::Value::Tensor(Box::new(tensor))),
            };
            graph(model).node.push(proto::NodeDef {
                name: "path".to_owned(),
                op: "Const".to_owned(),
                attr: vec![proto::node_def::AttrEntry {
                    key: Some("value".to_owned()),
                    value: Some(value),
                }],
                ..Default::default()
            });
        });
    }),
    (OddityCode::LeftoverFiles, "module", |model| {
        for name in [
            "saved_model.pb.tmp0123456789abcdef",
            "variables/variables.index.tempstate42",
            "variables/variables.index.set-aside-0-4711",
        ] {
            fs::write(model.file(name), b"x").unwrap();
        }
    }),
    (OddityCode::FingerprintUnreadable, "module", |model| {
        fs::write(model.file("fingerprint.pb"), b"\x08").unwrap();
    }),
];

#[test]
fn each_damage_is_told_by_its_code() {
    let mut faults = Vec::new();
    for (i, (code, fixture, damage)) in CASES.iter().enumerate() {
        let before = codes(&fixtures().join(fixture));
        assert!(!before.contains(code), "{fixture}");
        let model = Scratch::copy(&format!("{code}-{i}"), fixture);
        assert_eq!(codes(&model.0), before, "{fixture}");
        damage(&model);
        let overview = overview(&model.0);
        let Some(oddity) = overview.oddities.iter().find(|it| it.code == *code) else {
            let found: Vec<_> = overview.oddities.iter().map(ToString::to_string).collect();
            faults.push(format!("{code} of {fixture}: found {found:?}"));
            continue;
        };
        assert_eq!(oddity.severity, code.severity());
        assert!(oddity.count > 0 && !oddity.remedy.is_empty(), "{oddity}");
        assert!(!oddity.message.ends_with('.'), "{oddity}");
    }
    assert_none(&faults);
}

/// Fixtures as TensorFlow made them.
const ODD: &[(&str, &[OddityCode])] = &[
    ("estimator", &[OddityCode::AbsolutePath]),
    ("keras2_saved", &[OddityCode::OptimizerState]),
    ("keras2_saved_slots", &[OddityCode::OptimizerState]),
    ("keras3_export", &[OddityCode::DoubledVariables]),
    (
        "keras3_saved",
        &[OddityCode::UnrestoredVariables, OddityCode::OptimizerState],
    ),
    ("module", &[]),
    ("mutable_table", &[]),
    ("no_variables", &[]),
    ("structures", &[]),
    ("tf115_classifier", &[OddityCode::AbsolutePath]),
    ("tf115_estimator", &[]),
    ("tf115_loop", &[]),
    ("two_shards", &[]),
    ("v1_builder", &[]),
    ("v1_builder_text", &[]),
    ("v1_no_variables", &[]),
    ("v1_partitioned", &[]),
    ("vocabulary", &[OddityCode::AbsolutePath]),
];

#[test]
fn nothing_is_odd_about_sound_models() {
    for (fixture, expected) in ODD {
        let found: Vec<OddityCode> = codes(&fixtures().join(fixture)).into_iter().collect();
        assert_eq!(found, *expected, "{fixture}");
    }
    // Every code is told of something.
    let told: BTreeSet<OddityCode> = CASES
        .iter()
        .map(|(code, ..)| *code)
        .chain(ODD.iter().flat_map(|(_, codes)| codes.iter().copied()))
        .collect();
    assert!(told.iter().eq(OddityCode::ALL), "{told:?}");
}

#[test]
fn a_remark_counts_all_and_shows_examples() {
    let overview = overview(&fixtures().join("keras3_saved"));
    let worst = &overview.oddities[0];
    assert_eq!(worst.code, OddityCode::UnrestoredVariables);
    assert_eq!((worst.severity, worst.count), (Severity::Error, 8));
    assert_eq!(worst.examples[0], "classes/bias");
    let note = &overview.oddities[1];
    assert_eq!((note.count, note.examples.len()), (14, 10));
}

#[test]
fn who_wrote_a_model_is_told_by_what_is_in_it() {
    for (fixture, version, framework) in [
        ("keras3_saved", "2.21.0", Framework::Keras3),
        ("keras3_export", "2.21.0", Framework::Keras3Export),
        ("keras2_saved", "2.12.1", Framework::Keras2),
        ("module", "2.21.0", Framework::Tensorflow2),
        ("tf115_estimator", "1.15.5", Framework::Estimator),
        ("estimator", "2.12.1", Framework::Estimator),
        ("tf115_loop", "1.15.5", Framework::Tensorflow1),
        ("v1_builder_text", "2.21.0", Framework::Tensorflow1),
    ] {
        let overview = overview(&fixtures().join(fixture));
        let writer = overview.writer.unwrap();
        assert_eq!(writer.tensorflow_version, version, "{fixture}");
        assert_eq!(writer.framework, framework, "{fixture}");
        assert!(!writer.evidence.is_empty(), "{fixture}");
    }
}

#[test]
fn parameters_are_counted_once_and_without_optimizers() {
    // (4·6 + 6) + 4·6 of the normalization + (6·3 + 3), and two of a seed in an export.
    for (fixture, total, trainable, optimizer, metrics) in [
        ("keras3_saved", 75, Some(63), 128, 0),
        ("keras3_export", 77, Some(63), 0, 0),
        ("keras2_saved", 43, Some(43), 2, 2),
        ("tf115_classifier", 15, Some(15), 0, 0),
        ("mutable_table", 0, Some(0), 0, 0),
        ("vocabulary", 0, Some(0), 0, 0),
    ] {
        let overview = overview(&fixtures().join(fixture));
        let of = overview.parameters.unwrap();
        assert_eq!(
            (of.total, of.trainable, of.optimizer, of.metrics),
            (total, trainable, optimizer, metrics),
            "{fixture}"
        );
    }
}

#[test]
fn variables_that_are_alike_are_not_one_stored_twice() {
    let scratch = Scratch::empty("alike");
    let mut tree = ObjectTree::new();
    let root = tree.root();
    let layers = tree.track(root, "layers", Child::List).unwrap();
    for name in ["0", "1"] {
        let zeros = Tensor::from_slice([3], &[0f32; 3]).unwrap();
        let variable = DescribedVariable::new(zeros).named("Variable");
        tree.track(layers, name, variable).unwrap();
    }
    let path = scratch.file("model");
    ObjectModelBuilder::new(tree).unwrap().save(&path).unwrap();
    let overview = overview(&path);
    assert_eq!(overview.parameters.unwrap().total, 6);
    let codes: Vec<_> = overview.oddities.iter().map(|it| it.code).collect();
    assert_eq!(codes, [OddityCode::NoSignatures]);
}

#[test]
fn what_optimizers_of_tensorflow_1_keep_is_told_by_its_name() {
    let scratch = Scratch::empty("slots-by-name");
    let path = scratch.file("model.ckpt-1");
    let mut bundle = BundleWriter::create(&path).unwrap();
    for (key, elements) in [
        ("Adam", 5),
        ("beta1_power", 1),
        ("beta2_power", 1),
        ("w", 3),
        ("w/Adam", 3),
        ("w/Adam_1", 3),
        ("w/Momentum", 7),
        ("w/adam_v", 3),
        ("w/kernel", 3),
    ] {
        let tensor = Tensor::from_slice([elements], &vec![0f32; elements as usize]).unwrap();
        bundle.add(key, &tensor).unwrap();
    }
    bundle.finish().unwrap();
    let bundle = BundleReader::open(&path).unwrap();
    let parameters = CheckpointOverview::of(&bundle).unwrap().parameters;
    // Adam, w, one of another size than w, and the kernel.
    assert_eq!((parameters.total, parameters.optimizer), (18, 11));
}

#[test]
fn a_model_of_tf_keras_in_tensorflow_1_is_none_of_an_estimator() {
    let model = Scratch::copy("keras-1", "tf115_estimator");
    fs::create_dir_all(model.file("assets")).unwrap();
    fs::write(model.file("assets/saved_model.json"), "{}").unwrap();
    let writer = overview(&model.0).writer.unwrap();
    assert_eq!(writer.framework, Framework::Keras2, "{:?}", writer.evidence);
}

#[test]
fn a_directory_of_a_checkpoint_of_the_first_format_says_so() {
    let scratch = Scratch::empty("first-format");
    let fixture = files_below(&fixtures().join("ckpt_v1_format"), &|_| true);
    let table = fixture
        .iter()
        .max_by_key(|it| fs::metadata(it).unwrap().len());
    fs::copy(table.unwrap(), scratch.file("m")).unwrap();
    let state =
        "model_checkpoint_path: \"/elsewhere/m\"\nall_model_checkpoint_paths: \"/elsewhere/m\"\n";
    fs::write(scratch.file("checkpoint"), state).unwrap();
    let prefix = locate_bundle(&scratch.0).unwrap();
    let error = BundleReader::open(prefix).unwrap_err();
    assert!(error.to_string().contains("first format (V1)"), "{error}");
}

#[test]
fn checkpoints_say_how_they_were_saved() {
    let of = |prefix: &str| {
        let bundle = BundleReader::open(fixtures().join(prefix)).unwrap();
        CheckpointOverview::of(&bundle).unwrap()
    };
    let objects = of("keras2_slots/ckpt-1");
    assert!(objects.is_object_based && !objects.has_meta);
    assert_eq!((objects.slot_variables, objects.save_counter), (8, Some(1)));
    assert_eq!(
        (objects.parameters.total, objects.parameters.optimizer),
        (43, 91)
    );
    assert!(objects.oddities.is_empty());

    let names = of("ckpt_saver/model.ckpt-7");
    assert!(!names.is_object_based);
    assert_eq!((names.objects, names.save_counter), (None, None));
    assert_eq!(names.latest.as_deref(), Some("model.ckpt-7"));
    let sum: u64 = names.tensors.dtypes.iter().map(|it| it.bytes).sum();
    assert_eq!(sum, names.tensors.bytes);
    assert!(names.tensors.dtypes.len() > 1 && names.tensors.largest.len() == 5);
    assert!(names.file_bytes > names.tensors.bytes);
}

#[test]
fn an_unfinished_checkpoint_is_told() {
    let scratch = Scratch::copy("unfinished", "ckpt_manager");
    fs::write(scratch.file("ckpt-5.index.tempstate77"), b"x").unwrap();
    let bundle = BundleReader::open(scratch.file("ckpt-2")).unwrap();
    let overview = CheckpointOverview::of(&bundle).unwrap();
    let codes: Vec<OddityCode> = overview.oddities.iter().map(|it| it.code).collect();
    assert_eq!(codes, [OddityCode::LeftoverFiles]);
}

#[test]
fn paths_of_every_kind_lead_to_a_model() {
    let scratch = Scratch::empty("versions");
    for version in ["2", "00010", "9", "temp-11"] {
        copy(&fixtures().join("structures"), &scratch.file(version));
    }
    fs::write(scratch.file("12"), b"a file is no version").unwrap();
    let location = locate_model(&scratch.0).unwrap();
    assert_eq!(location.directory, scratch.file("00010"));
    let version = location.version.clone().unwrap();
    assert_eq!((version.number, version.of), (10, 3));
    assert!(location.open().is_ok());

    // Serving takes the highest, whatever is in it.
    fs::create_dir(scratch.file("11")).unwrap();
    let error = locate_model(&scratch.0).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotFound { .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("there is a model in `00010`"),
        "{error}"
    );

    let both = Scratch::copy("both", "v1_builder");
    let text = both.file("saved_model.pbtxt");
    fs::copy(fixtures().join("v1_builder_text/saved_model.pbtxt"), &text).unwrap();
    for name in ["saved_model.pb", "saved_model.pbtxt"] {
        let location = locate_model(both.file(name)).unwrap();
        let model = location.open().unwrap();
        assert_eq!(model.model_path(), both.file(name));
    }
}

#[test]
fn paths_of_every_kind_lead_to_a_checkpoint() {
    let fixtures = fixtures();
    for (path, prefix) in [
        ("ckpt_manager", "ckpt_manager/ckpt-2"),
        ("ckpt_manager/checkpoint", "ckpt_manager/ckpt-2"),
        ("ckpt_manager/ckpt-2.index", "ckpt_manager/ckpt-2"),
        ("ckpt_manager/ckpt-1", "ckpt_manager/ckpt-1"),
        ("module/variables", "module/variables/variables"),
        ("ckpt_v1_format/model.ckpt-7", "ckpt_v1_format/model.ckpt-7"),
    ] {
        let located = locate(fixtures.join(path)).unwrap();
        assert_eq!(
            located,
            Located::Checkpoint(fixtures.join(prefix)),
            "{path}"
        );
        let error = locate_model(fixtures.join(path)).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::InvalidArgument { .. }),
            "{error}"
        );
    }
    for path in ["nowhere", "module/fingerprint.pb", "make"] {
        let located = locate(fixtures.join(path)).unwrap();
        assert!(matches!(located, Located::Model(_)), "{path}");
    }
}

fn in_memory(bytes: Vec<u8>) -> savedmodel::Result<SavedModel> {
    let mut store = MemoryStore::new();
    store.insert("m/saved_model.pb", bytes);
    SavedModel::open_in(Arc::new(store), "m")
}

#[test]
fn damaged_programs_are_errors_or_other_models() {
    for fixture in ["v1_builder", "module", "model_parts/v2"] {
        let bytes = fs::read(fixtures().join(fixture).join("saved_model.pb")).unwrap();
        let mut read = 0;
        for at in (0..bytes.len()).step_by(211) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            for damaged in [flipped, bytes[..at].to_vec()] {
                let overview = in_memory(damaged).and_then(|model| ModelOverview::of(&model));
                match overview {
                    Ok(_) => read += 1,
                    Err(error) => assert!(error.to_string().len() < 1000, "{error}"),
                }
            }
        }
        assert!(read > 10, "{fixture}: {read}");
    }
}

fn node(name: String, op: &str, input: &[&str]) -> proto::NodeDef {
    proto::NodeDef {
        name,
        op: op.to_owned(),
        input: input.iter().map(|input| (*input).to_owned()).collect(),
        ..Default::default()
    }
}

fn attr(key: &str, value: proto::attr_value::Value) -> proto::node_def::AttrEntry {
    proto::node_def::AttrEntry {
        key: Some(key.to_owned()),
        value: Some(proto::AttrValue { value: Some(value) }),
    }
}

fn call(name: &str, function: String) -> proto::NodeDef {
    let function = proto::NameAttrList {
        name: function,
        ..Default::default()
    };
    let mut node = node(name.to_owned(), "PartitionedCall", &["v"]);
    node.attr = vec![attr(
        "f",
        proto::attr_value::Value::Func(Box::new(function)),
    )];
    node
}

fn function(name: String, body: proto::NodeDef) -> proto::FunctionDef {
    let argument = proto::op_def::ArgDef {
        name: "v".to_owned(),
        ..Default::default()
    };
    let signature = proto::OpDef {
        name,
        input_arg: vec![argument],
        ..Default::default()
    };
    proto::FunctionDef {
        signature: Some(signature),
        node_def: vec![body],
        ..Default::default()
    }
}

/// What hostile graphs make of little: all this would take minutes if it were followed blindly.
#[test]
fn shared_constants_and_deep_calls_cost_what_the_file_costs() {
    const MANY: usize = 20_000;
    let keys = proto::TensorProto {
        dtype: 7,
        string_val: vec![b"key".to_vec().into(); MANY],
        ..Default::default()
    };
    let mut constant = node("keys".to_owned(), "Const", &[]);
    constant.attr = vec![attr(
        "value",
        proto::attr_value::Value::Tensor(Box::new(keys)),
    )];
    let mut nodes = vec![
        constant,
        node("v".to_owned(), "VarHandleOp", &[]),
        call("restore", "f0".to_owned()),
    ];
    nodes.extend((0..MANY).map(|i| node(format!("r{i}"), "RestoreV2", &["x", "keys"])));
    nodes.extend((0..MANY).map(|i| node(format!("a{i}"), "AssignVariableOp", &["v", "x"])));
    let chain = (0..MANY).map(|i| {
        let next = call("next", format!("f{}", (i + 1) % MANY));
        function(format!("f{i}"), next)
    });
    let library = proto::FunctionDefLibrary {
        function: chain.collect(),
        ..Default::default()
    };
    let saver = proto::SaverDef {
        restore_op_name: "restore".to_owned(),
        ..Default::default()
    };
    let model = proto::SavedModel {
        meta_graphs: vec![proto::MetaGraphDef {
            graph_def: Some(proto::GraphDef {
                node: nodes,
                library: Some(library),
                ..Default::default()
            }),
            saver_def: Some(saver),
            ..Default::default()
        }],
        ..Default::default()
    };
    let model = in_memory(model.encode_to_vec()).unwrap();
    let start = Instant::now();
    let overview = ModelOverview::of(&model).unwrap();
    assert!(start.elapsed() < Duration::from_secs(20));
    let codes: Vec<OddityCode> = overview.oddities.iter().map(|it| it.code).collect();
    assert_eq!(
        codes,
        [OddityCode::VariablesMissing, OddityCode::NoSignatures]
    );
}

/// What is said to fail fails in TensorFlow, and nothing else does for that reason; and both count
/// the same parameters.
#[test]
fn unrestored_variables_are_those_that_fail_in_tensorflow_interop() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut models = Vec::new();
    for folder in ["fixtures", "cli-goldens/models"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.join("variables/variables.index").is_file() {
                models.push(path);
            }
        }
    }
    models.sort();
    let paths: Vec<&Path> = models.iter().map(PathBuf::as_path).collect();
    let Some(text) = tensorflow::run("run_signatures.py", &paths) else {
        return;
    };
    let answers: BTreeMap<String, Value> = serde_json::from_slice(&text).unwrap();
    let (mut faults, mut failing, mut running, mut counted) = (Vec::new(), 0, 0, 0);
    for path in &models {
        let answer = &answers[path.to_str().unwrap()];
        let outcomes: Vec<&str> = answer["signatures"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|graph| graph.as_object().unwrap().values())
            .filter_map(Value::as_str)
            .collect();
        let overview = overview(path);
        let told = overview
            .oddities
            .iter()
            .any(|it| it.code == OddityCode::UnrestoredVariables);
        let fails = outcomes.contains(&"uninitialized");
        failing += usize::from(fails);
        running += usize::from(outcomes.contains(&"runs"));
        if told != fails {
            faults.push(format!("{}: told {told}, {outcomes:?}", path.display()));
        }
        let trainable = overview.parameters.unwrap().trainable;
        if let (Some(ours), Some(theirs)) = (trainable, answer["trainable"].as_u64()) {
            counted += 1;
            if ours != theirs {
                faults.push(format!(
                    "{}: {ours} trainable, not {theirs}",
                    path.display()
                ));
            }
        }
    }
    assert_none(&faults);
    assert!(
        failing >= 2 && running >= 15 && counted >= 5,
        "{failing} fail, {running} run, {counted} counted"
    );
}
