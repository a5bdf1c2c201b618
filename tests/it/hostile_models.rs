//! Hostile models: directories that lack what they need or hold something else, messages forged to
//! be deep, many, cyclic or unprintable. Each is one clear error or a named fault, quickly.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prost::Message;
use savedmodel::example::ParsingSpec;
use savedmodel::inspect::{FunctionLibrary, ModelOverview, OpCensus};
use savedmodel::object_graph::{FaultKind, ObjectGraph, StructuredValue};
use savedmodel::proto::meta_graph_def::{MetaInfoDef, SignatureDefEntry};
use savedmodel::proto::{self, GraphDef, MetaGraphDef, NodeDef, SavedObject, SavedObjectGraph};
use savedmodel::store::MemoryStore;
use savedmodel::{Error, ErrorKind, Result, SavedModel};

const FILE: &str = "saved_model.pb";

fn in_memory(bytes: impl Into<Vec<u8>>) -> Result<SavedModel> {
    let mut store = MemoryStore::new();
    store.insert(format!("m/{FILE}"), bytes.into());
    SavedModel::open_in(Arc::new(store), "m")
}

fn model(meta_graphs: Vec<MetaGraphDef>) -> SavedModel {
    let proto = proto::SavedModel {
        saved_model_schema_version: 1,
        meta_graphs,
    };
    in_memory(proto.encode_to_vec()).unwrap()
}

fn tagged(tags: &[&str]) -> MetaGraphDef {
    MetaGraphDef {
        meta_info_def: Some(MetaInfoDef {
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn with_graph(node: Vec<NodeDef>) -> MetaGraphDef {
    MetaGraphDef {
        graph_def: Some(GraphDef {
            node,
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn node(name: &str, op: &str, input: &[&str]) -> NodeDef {
    NodeDef {
        name: name.to_owned(),
        op: op.to_owned(),
        input: input.iter().map(|input| (*input).to_owned()).collect(),
        ..Default::default()
    }
}

/// A length-delimited field.
fn wrap(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut outer = vec![number << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
    outer.extend(bytes);
    outer
}

#[track_caller]
fn quickly<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    // Generous: what is looked for takes minutes.
    assert!(start.elapsed() < Duration::from_secs(20));
    result
}

#[track_caller]
fn assert_printable(shown: &str) {
    let steers =
        |c: char| c.is_control() || matches!(c, '\u{200e}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!shown.contains(steers), "{shown:?}");
}

/// Malformed, in the model file, at some byte, in few words.
#[track_caller]
fn assert_located(error: &Error) {
    assert!(
        matches!(error.kind(), ErrorKind::Malformed { .. }),
        "{error}"
    );
    assert_eq!(error.path(), Some(Path::new("m/saved_model.pb")), "{error}");
    let shown = error.to_string();
    let place = format!("m/saved_model.pb: at byte {}: ", error.offset().unwrap());
    assert!(shown.starts_with(&place), "{shown}");
    assert!(shown.len() < 600, "{shown}");
    assert_printable(&shown);
}

/// Asks for everything; returns the first error.
fn ask_everything(model: &SavedModel) -> Option<Error> {
    let mut errors = vec![
        model.schema_version().err(),
        model.to_proto().err(),
        ModelOverview::of(model).err(),
    ];
    for graph in model.meta_graphs() {
        let graph = match graph {
            Ok(graph) => graph,
            Err(error) => return Some(error),
        };
        errors.extend([
            graph.tags().err(),
            graph.tensorflow_version().err(),
            graph.stripped_op_list().err(),
            graph.function_aliases().err(),
            graph.any_info().err(),
            graph.signatures().err(),
            graph.assets().err(),
            graph.collections().err(),
            graph.saver_def().err(),
            graph.init_op().err(),
            graph.train_op().err(),
            graph.to_proto().err(),
            OpCensus::of(graph).err(),
            FunctionLibrary::of(graph).err(),
        ]);
        let program = graph.graph();
        errors.extend([
            program.ops().err(),
            program.versions().err(),
            program.gradients().err(),
            program.to_proto().err(),
        ]);
        for node in program.nodes() {
            match node {
                Ok(node) => errors.extend(node.attrs().map(Result::err)),
                Err(error) => errors.push(Some(error)),
            }
        }
        for function in program.functions() {
            match function {
                Ok(function) => {
                    errors.extend([function.signature().err(), function.ret().err()]);
                    for node in function.nodes() {
                        match node {
                            Ok(node) => errors.extend(node.attrs().map(Result::err)),
                            Err(error) => errors.push(Some(error)),
                        }
                    }
                }
                Err(error) => errors.push(Some(error)),
            }
        }
        match graph.object_graph_bytes() {
            Ok(Some(bytes)) => {
                if let Ok(objects) = ObjectGraph::decode(&bytes) {
                    for fault in objects.faults() {
                        assert_printable(&fault.to_string());
                    }
                }
            }
            Ok(None) => {}
            Err(error) => errors.push(Some(error)),
        }
    }
    errors.into_iter().flatten().next()
}

#[test]
fn directories_without_a_model() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for (directory, what) in [
        ("no_such", "directory not found"),
        ("keras3_ckpt", "saved_model.pb"),
    ] {
        let directory = fixtures.join(directory);
        let error = SavedModel::open(&directory).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::NotFound { .. }),
            "{error}"
        );
        assert_eq!(error.path(), Some(&*directory));
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn a_missing_directory_of_variables_shows_when_they_are_asked_for() {
    let model = model(vec![tagged(&["serve"])]);
    assert!(!model.has_variables().unwrap());
    let error = model.variables().unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotFound { .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .starts_with("m/variables/variables.index: "),
        "{error}"
    );
}

#[test]
fn a_bare_graph_under_the_name() {
    let graph = GraphDef {
        node: vec![node("x", "Placeholder", &[]), node("y", "Neg", &["x"])],
        ..Default::default()
    };
    let model = in_memory(graph.encode_to_vec()).unwrap();
    assert!(
        model
            .seems_to_be()
            .is_some_and(|kind| kind.contains("GraphDef"))
    );
    let error = model.meta_graph(["serve"]).unwrap_err();
    assert!(error.to_string().contains("GraphDef"), "{error}");
    assert!(error.path().is_some());
}

#[test]
fn every_byte_of_a_small_model_cut_and_flipped() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1_no_variables");
    let bytes = std::fs::read(path.join(FILE)).unwrap();
    let check = |bytes: &[u8]| match in_memory(bytes) {
        Ok(model) => {
            if let Some(error) = ask_everything(&model) {
                assert!(error.path().is_some(), "{error}");
                assert_printable(&error.to_string());
            }
        }
        Err(error) => assert_located(&error),
    };
    let step = (bytes.len() / 2000).max(1);
    for length in 0..bytes.len() {
        check(&bytes[..length]);
    }
    for at in (0..bytes.len()).step_by(step) {
        let mut changed = bytes.clone();
        for mask in [0x01, 0x02, 0x08, 0x80, 0xff] {
            changed[at] = bytes[at] ^ mask;
            check(&changed);
        }
    }
}

#[test]
fn nesting_to_any_depth_costs_an_error() {
    // The way to a message that can hold itself, and the way from it to the next.
    let cases: [(&str, &[u8], &[u8]); 4] = [
        // A node's attribute: list, func, attribute.
        ("attribute", &[2, 1, 5, 2], &[10, 2, 2]),
        // A function's full type: its arguments.
        ("full type", &[2, 2, 1, 1, 2, 7], &[2]),
        // The object graph: the result of a function, lists in lists.
        ("structured value", &[7, 2, 2, 4], &[51, 1]),
        ("composite", &[5, 2, 1, 2], &[5, 2]),
    ];
    for (name, way, step) in cases {
        for depth in [110, 10_000] {
            let mut bytes = Vec::new();
            for _ in 0..depth {
                for number in step.iter().rev() {
                    bytes = match number {
                        51 => {
                            let mut outer = vec![0x9a, 0x03];
                            prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
                            outer.extend(&bytes);
                            outer
                        }
                        number => wrap(*number, &bytes),
                    };
                }
            }
            for number in way.iter().rev() {
                bytes = wrap(*number, &bytes);
            }
            let model = in_memory(wrap(2, &bytes)).unwrap();
            let error = model.to_proto().unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Malformed { .. }),
                "{name}: {error}"
            );
            assert!(ask_everything(&model).is_some(), "{name}");
        }
    }
    // Groups, which no message of TensorFlow has, one in the other and not closed.
    for group in [
        vec![0x0b; 50_000],
        vec![0x0c; 3],
        [vec![0x0b; 200], vec![0x0c; 200]].concat(),
    ] {
        for bytes in [group.clone(), wrap(2, &group)] {
            quickly(|| match in_memory(bytes) {
                Ok(model) => assert!(ask_everything(&model).is_none_or(|it| it.path().is_some())),
                Err(error) => assert_located(&error),
            });
        }
    }
}

#[test]
fn lengths_and_counts_that_are_not_there() {
    for length in [5u64, 1 << 31, 1 << 40, u64::MAX] {
        let mut bytes = vec![0x08, 0x01, 0x12];
        prost::encoding::encode_varint(length, &mut bytes);
        bytes.extend([0; 3]);
        let error = in_memory(bytes).unwrap_err();
        assert_located(&error);
        assert_eq!(error.offset(), Some(2));
        // Inside of a meta graph it is met when the meta graph is read.
        let mut graph = vec![0x12];
        prost::encoding::encode_varint(length, &mut graph);
        let model = in_memory(wrap(2, &graph)).unwrap();
        let graph = model.meta_graphs().next().unwrap().unwrap();
        let error = graph.graph().ops().unwrap_err();
        assert_located(&error);
        assert_eq!(error.offset(), Some(2));
    }
}

#[test]
fn many_meta_graphs() {
    let model = quickly(|| model(vec![tagged(&["a", "b"]); 100_000]));
    assert_eq!(model.meta_graphs().count(), 100_000);
    assert!(model.meta_graph(["b", "a", "a"]).is_ok());
    let error = quickly(|| model.meta_graph(["c"])).unwrap_err();
    assert!(
        error.to_string().len() < 600,
        "{} bytes",
        error.to_string().len()
    );
}

#[test]
fn of_two_map_entries_the_last_counts() {
    let entry = |method: &str| SignatureDefEntry {
        key: Some("s".to_owned()),
        value: Some(proto::SignatureDef {
            method_name: method.to_owned(),
            ..Default::default()
        }),
    };
    let mut graph = tagged(&[]);
    graph.signature_def = vec![entry("first"), entry("last")];
    let model = model(vec![graph]);
    let graph = model.meta_graph::<&str>([]).unwrap();
    assert_eq!(graph.signature_keys().unwrap(), ["s"]);
    assert_eq!(graph.signature("s").unwrap().method_name, "last");
    assert_eq!(graph.signatures().unwrap()["s"].method_name, "last");
}

#[test]
fn cycles_of_nodes_and_functions_are_read_like_others() {
    let mut graph = with_graph(vec![
        node("a", "Identity", &["b:0"]),
        node("b", "Identity", &["a:0"]),
        node("p", "ParseExampleV2", &["p", "p", "a", "b", "a"]),
        node("f", "f", &["f"]),
    ]);
    let function = |name: &str, calls: &str| proto::FunctionDef {
        signature: Some(proto::OpDef {
            name: name.to_owned(),
            ..Default::default()
        }),
        node_def: vec![node("call", calls, &["call"])],
        ..Default::default()
    };
    let program = graph.graph_def.as_mut().unwrap();
    program.library = Some(proto::FunctionDefLibrary {
        function: vec![function("f", "g"), function("g", "f"), function("f", "f")],
        ..Default::default()
    });
    let program = program.clone();
    let model = model(vec![graph]);
    assert!(ask_everything(&model).is_none());
    let graph = model.meta_graph::<&str>([]).unwrap().graph();
    assert_eq!(graph.ops().unwrap()["f"], 3);
    assert_eq!(graph.function("f").unwrap().nodes().count(), 1);
    let library = program.library.unwrap().function;
    let error = quickly(|| ParsingSpec::find(&program.node, &library)).unwrap_err();
    assert!(error.key().is_some(), "{error}");
}

fn object(children: &[(&str, i32)]) -> SavedObject {
    SavedObject {
        children: children
            .iter()
            .map(|(name, node_id)| {
                proto::trackable_object_graph::trackable_object::ObjectReference {
                    node_id: *node_id,
                    local_name: (*name).to_owned(),
                }
            })
            .collect(),
        kind: Some(proto::saved_object::Kind::UserObject(Default::default())),
        ..Default::default()
    }
}

fn objects(nodes: Vec<SavedObject>, functions: Vec<(&str, Vec<i32>)>) -> ObjectGraph {
    let graph = SavedObjectGraph {
        nodes,
        concrete_functions: functions
            .into_iter()
            .map(
                |(name, bound_inputs)| proto::saved_object_graph::ConcreteFunctionsEntry {
                    key: Some(name.to_owned()),
                    value: Some(proto::SavedConcreteFunction {
                        bound_inputs,
                        ..Default::default()
                    }),
                },
            )
            .collect(),
    };
    ObjectGraph::decode(&graph.encode_to_vec().into()).unwrap()
}

#[test]
fn objects_that_do_not_exist_or_hold_each_other() {
    for node_id in [2, -1, i32::MAX, i32::MIN] {
        let graph = objects(
            vec![
                object(&[("a", 1), ("b\u{1b}", node_id)]),
                object(&[("up", 0)]),
            ],
            vec![],
        );
        let faults = graph.faults();
        assert_eq!(faults.len(), 1);
        assert_eq!(
            (faults[0].kind, faults[0].object),
            (FaultKind::NoSuchObject, Some(0))
        );
        assert!(faults[0].to_string().contains(&node_id.to_string()));
        assert_printable(&faults[0].to_string());
        assert_eq!(graph.object("a.up.a.up").unwrap().id(), 0);
        let error = graph.object("root['b\\x1b']").unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Malformed { .. }),
            "{error}"
        );
        assert_printable(&error.to_string());
    }
}

#[test]
fn a_long_name_is_not_told_for_each_of_many_captures() {
    let name = "f".repeat(100_000);
    let graph = objects(vec![object(&[])], vec![(&name, vec![7; 100_000])]);
    let faults = quickly(|| graph.faults());
    assert!(faults.len() < 100, "{}", faults.len());
    assert!(
        faults
            .iter()
            .any(|fault| fault.kind == FaultKind::NoSuchObject)
    );
}

#[test]
fn paths_with_invisible_characters_lead_to_their_objects() {
    for name in [
        "\u{202e}x",
        "a\u{1b}[2J",
        "\u{85}",
        "\u{e0041}",
        "größe 模型",
        "\u{200b}",
    ] {
        let graph = objects(vec![object(&[(name, 1)]), object(&[])], vec![]);
        let shown = graph.get(1).unwrap().path().unwrap().to_string();
        assert_printable(&shown);
        assert_eq!(graph.object(&shown).unwrap().id(), 1, "{shown}");
    }
}

#[test]
fn few_bytes_that_stand_for_many_values() {
    let tensor = proto::TensorProto {
        dtype: 1,
        tensor_shape: Some(proto::TensorShapeProto {
            dim: vec![proto::tensor_shape_proto::Dim {
                size: 1 << 23,
                ..Default::default()
            }],
            ..Default::default()
        }),
        float_val: vec![1.0],
        ..Default::default()
    };
    let value = |kind| proto::StructuredValue { kind: Some(kind) };
    let one = value(proto::structured_value::Kind::TensorValue(Box::new(tensor)));
    let list = value(proto::structured_value::Kind::ListValue(proto::ListValue {
        values: vec![one; 1000],
    }));
    let error = quickly(|| StructuredValue::from_proto(&list)).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::TooLarge { .. }),
        "{error}"
    );
}

#[test]
fn nodes_that_share_a_constant() {
    let attr = |key: &str, value| proto::node_def::AttrEntry {
        key: Some(key.to_owned()),
        value: Some(proto::AttrValue { value: Some(value) }),
    };
    let keys = proto::TensorProto {
        dtype: 7,
        tensor_shape: Some(proto::TensorShapeProto {
            dim: vec![proto::tensor_shape_proto::Dim {
                size: 20_000,
                ..Default::default()
            }],
            ..Default::default()
        }),
        string_val: vec![savedmodel::Bytes::from_static(b"k\x1b"); 20_000],
        ..Default::default()
    };
    let mut constant = node("keys", "Const", &[]);
    constant.attr = vec![attr(
        "value",
        proto::attr_value::Value::Tensor(Box::new(keys)),
    )];
    let mut parse = node(
        "p\u{1b}",
        "ParseExampleV2",
        &["x", "keys", "keys", "keys", "keys"],
    );
    let types = proto::attr_value::ListValue {
        r#type: vec![1; 20_000],
        ..Default::default()
    };
    parse.attr = vec![
        attr("num_sparse", proto::attr_value::Value::I(20_000)),
        attr(
            "sparse_types",
            proto::attr_value::Value::List(Box::new(types)),
        ),
    ];
    let mut nodes = vec![constant];
    nodes.extend(vec![parse; 400]);
    let error = quickly(|| ParsingSpec::find(&nodes, [])).unwrap_err();
    assert_printable(&error.to_string());
    assert!(error.to_string().len() < 2000);
}

#[test]
fn assets_stay_in_the_directory() {
    let names = [
        "../x",
        "a/../../x",
        "..",
        ".",
        "/etc/passwd",
        "//x",
        "",
        "a\0b",
        "\u{1b}/..",
        "\u{202e}/../x",
    ];
    for name in names {
        let mut graph = tagged(&[]);
        graph.asset_file_def = vec![proto::AssetFileDef {
            filename: name.to_owned(),
            ..Default::default()
        }];
        let model = model(vec![graph]);
        let assets = model.meta_graph::<&str>([]).unwrap().assets().unwrap();
        let error = assets[0].read(&model).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Malformed { .. }),
            "{error}"
        );
        assert_eq!(error.path(), Some(model.model_path()), "{error}");
        assert_printable(&error.to_string());
    }
    // A backslash is a letter of a name, but where it is a separator.
    let mut graph = tagged(&[]);
    graph.asset_file_def = vec![proto::AssetFileDef {
        filename: "..\\..\\x".to_owned(),
        ..Default::default()
    }];
    let model = model(vec![graph]);
    let assets = model.meta_graph::<&str>([]).unwrap().assets().unwrap();
    assert_eq!(assets[0].path().is_ok(), !cfg!(windows));
    assert!(assets[0].read(&model).is_err());
}

#[test]
fn no_message_passes_on_what_steers_a_terminal() {
    let evil = "\u{1b}]0;x\u{7}\u{1b}[2J\u{9b}1m\u{202e}\u{2066}\u{200f}\u{2028}\r\n\0";
    let mut graph = with_graph(vec![node(evil, evil, &[evil])]);
    graph.meta_info_def = tagged(&[evil]).meta_info_def;
    graph.signature_def = vec![SignatureDefEntry {
        key: Some(evil.to_owned()),
        value: Some(proto::SignatureDef {
            inputs: vec![proto::signature_def::InputsEntry {
                key: Some(evil.to_owned()),
                value: Some(proto::TensorInfo {
                    encoding: Some(proto::tensor_info::Encoding::Name(evil.to_owned())),
                    ..Default::default()
                }),
            }],
            ..Default::default()
        }),
    }];
    let model = model(vec![graph]);
    let graph = model.meta_graph([evil]).unwrap();
    let near = format!("{evil}x");
    let program = graph.graph();
    for error in [
        model.meta_graph(["serve"]).unwrap_err(),
        model.meta_graph([&near]).unwrap_err(),
        graph.signature(&near).unwrap_err(),
        graph.signature("x").unwrap_err(),
        program.node(&near).unwrap_err(),
        program.function(evil).unwrap_err(),
        SavedModel::open(format!("/no/such/{}", evil.trim_end_matches('\0'))).unwrap_err(),
    ] {
        assert!(
            matches!(error.kind(), ErrorKind::NotFound { .. }),
            "{error}"
        );
        assert_printable(&error.to_string());
        assert_printable(&format!("{error:?}"));
    }
    for (_, signature) in graph.signatures().unwrap() {
        assert_printable(&signature.to_string());
    }
    for node in program.nodes() {
        assert_printable(&format!("{:?}", node.unwrap()));
    }
    // A string that is no UTF-8, and a text whose error quotes it.
    let model = in_memory(wrap(2, &wrap(1, &wrap(4, b"\x1b[2J\xff")))).unwrap();
    assert_located(
        &model
            .meta_graphs()
            .next()
            .unwrap()
            .unwrap()
            .tags()
            .unwrap_err(),
    );
    for text in [
        format!("meta_graphs {{ {evil} }}"),
        format!("\"{evil}\""),
        format!("a: '{evil}'"),
    ] {
        let error = savedmodel::text::parse(&text, "tensorflow.SavedModel").unwrap_err();
        assert_printable(&error.to_string());
    }
}

#[test]
fn a_record_file_cut_inside_its_first_length_says_where() {
    for bytes in [&b"\x1f\x8b\x08"[..], b"\x78\x9c", b"\x01"] {
        let blob = savedmodel::store::Blob::from_bytes(bytes);
        let error = savedmodel::record::RecordReader::new(blob)
            .next()
            .unwrap()
            .unwrap_err();
        assert_eq!(error.offset(), Some(0), "{error}");
    }
}

/// A file of a few megabytes whose objects stand in one long row, and have long names.
#[test]
fn a_long_row_of_objects_makes_no_endless_report() {
    use savedmodel::inspect::{FunctionLibrary, ObjectTree};
    use savedmodel::proto::trackable_object_graph::trackable_object::ObjectReference;
    let count = 60_000;
    let nodes = (0..count).map(|id| SavedObject {
        children: vec![ObjectReference {
            node_id: (id + 1) % count,
            local_name: "x".repeat(if id == 0 { 1 << 20 } else { 1 }),
        }],
        ..Default::default()
    });
    let start = Instant::now();
    let model = model(vec![MetaGraphDef {
        object_graph_def: Some(SavedObjectGraph {
            nodes: nodes.collect(),
            ..Default::default()
        }),
        ..Default::default()
    }]);
    let tree = ObjectTree::of_model(&model).unwrap();
    assert_eq!(tree.entries.len(), count as usize + 1);
    let names: usize = tree
        .entries
        .iter()
        .filter_map(|it| it.path.as_ref())
        .map(String::len)
        .sum();
    assert!(names <= 64 << 20, "{names}");
    let meta_graph = model.meta_graphs().next().unwrap().unwrap();
    assert!(
        FunctionLibrary::of(meta_graph)
            .unwrap()
            .functions
            .is_empty()
    );
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
}

/// One function with a name of a megabyte calls thousands, and has nodes of thousands of ops.
#[test]
fn a_long_name_is_not_repeated_at_each_reference() {
    use savedmodel::inspect::{FunctionLibrary, OpCensus, locate_op};
    use savedmodel::proto::{FunctionDef, FunctionDefLibrary, OpDef};
    let count = 5_000;
    let function = |name: String, node_def: Vec<NodeDef>| FunctionDef {
        signature: Some(OpDef {
            name,
            ..Default::default()
        }),
        node_def,
        ..Default::default()
    };
    let callees = (0..count).map(|i| function(format!("f{i}"), Vec::new()));
    let calls = (0..count).map(|i| node(&format!("n{i}"), &format!("f{i}"), &[]));
    let ops = (0..count).map(|i| node(&format!("o{i}"), &format!("Own{i}"), &[]));
    let caller = function("x".repeat(1 << 20), calls.chain(ops).collect());
    let mut meta_graph = with_graph(Vec::new());
    meta_graph.graph_def.as_mut().unwrap().library = Some(FunctionDefLibrary {
        function: callees.chain([caller]).collect(),
        ..Default::default()
    });
    let model = model(vec![meta_graph]);
    let meta_graph = model.meta_graphs().next().unwrap().unwrap();
    let library = FunctionLibrary::of(meta_graph).unwrap();
    assert_eq!(library.unreached_functions, count + 1);
    let callers = library.functions.iter().flat_map(|it| &it.called_by);
    assert!(callers.map(String::len).sum::<usize>() < 8 << 20);
    let census = OpCensus::of(meta_graph).unwrap();
    assert_eq!(census.ops.len() as u64, 2 * count);
    let places = census.ops.iter().flat_map(|op| &op.first_functions);
    assert!(places.map(String::len).sum::<usize>() < 16 << 20);
    let found = locate_op(meta_graph.graph(), "Own7").unwrap();
    assert!(found[0].function.as_ref().unwrap().len() < 2000);
    let error = locate_op(meta_graph.graph(), "Own").unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotFound { .. }),
        "{error}"
    );
}

#[test]
fn a_sample_is_no_larger_than_its_limit() {
    use savedmodel::inspect::SampleOptions;
    use savedmodel::{DType, PartialShape, Signature, TensorInfo};
    let mut meta_graph = with_graph(Vec::new());
    let shape = PartialShape::try_from([-1, 1 << 30, 1 << 9]).unwrap();
    let signature = Signature::new(
        [("x".to_owned(), TensorInfo::new("x:0", DType::FLOAT, &shape))],
        [],
        "tensorflow/serving/predict",
    );
    meta_graph.signature_def.push(SignatureDefEntry {
        key: Some("f".to_owned()),
        value: Some(signature.to_proto()),
    });
    let model = model(vec![meta_graph]);
    let meta_graph = model.meta_graphs().next().unwrap().unwrap();
    let sample = SampleOptions::new("m")
        .batch(u64::MAX)
        .of(meta_graph, "f")
        .unwrap();
    assert_eq!((sample.rest, sample.grpc), (None, None));
    let obstacle = sample.rest_obstacle.unwrap();
    assert!(obstacle.contains("exceeds the limit"), "{obstacle}");
}
