//! Models that TensorFlow wrote against what TensorFlow's own messages say of them, and bad input.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost::Message;
use savedmodel::model::{Encoding, Format, MarkedOp, Node, OpPlace, SignatureKind};
use savedmodel::proto::collection_def::Kind;
use savedmodel::proto::meta_graph_def::{CollectionDefEntry, SignatureDefEntry};
use savedmodel::proto::{self, CollectionDef};
use savedmodel::store::MemoryStore;
use savedmodel::{ErrorKind, MetaGraph, SavedModel, Signature, TensorInfo};
use serde_json::{Value, json};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn fixture(name: &str) -> PathBuf {
    tests().join("fixtures").join(name)
}

fn open(name: &str) -> SavedModel {
    SavedModel::open(fixture(name)).unwrap()
}

#[test]
fn every_model_reads_as_tensorflow_reads_it() {
    let text = fs::read_to_string(fixture("expected_models.json")).unwrap();
    let expected: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    assert!(expected.len() > 50);
    for (name, expected) in expected {
        let model = SavedModel::open(tests().join(&name));
        if expected.is_null() {
            let refused = model.and_then(|model| model.to_proto());
            let error = refused.expect_err(&name);
            assert!(
                matches!(error.kind(), ErrorKind::Malformed { .. }),
                "{error}"
            );
            continue;
        }
        // A difference in one part is found quicker than in the whole.
        let actual = describe(&model.expect(&name));
        for (key, expected) in expected.as_object().unwrap() {
            if key != "meta_graphs" {
                assert_eq!(&actual[key], expected, "{name}: {key}");
            }
        }
        let graphs = |value: &Value| value["meta_graphs"].as_array().unwrap().clone();
        assert_eq!(graphs(&actual).len(), graphs(&expected).len(), "{name}");
        for (actual, expected) in graphs(&actual).iter().zip(graphs(&expected)) {
            for (key, expected) in expected.as_object().unwrap() {
                assert_eq!(&actual[key], expected, "{name}: {key}");
            }
        }
    }
}

/// Says of a model what `tests/interop/dump_models.py` says.
fn describe(model: &SavedModel) -> Value {
    let fingerprint = model.fingerprint().unwrap().map(|stored| {
        json!({
            "saved_model_checksum": stored.saved_model_checksum.to_string(),
            "uuid": stored.uuid,
            "producer": stored.producer,
        })
    });
    let graphs: Vec<Value> = model
        .meta_graphs()
        .map(|graph| describe_meta_graph(graph.unwrap()))
        .collect();
    json!({
        "format": if model.format() == Format::Binary { "binary" } else { "text" },
        "schema_version": model.schema_version().unwrap(),
        "variables": model.has_variables().unwrap(),
        "debug_info": model.has_debug_info().unwrap(),
        "keras_metadata": model.keras_metadata().unwrap().is_some(),
        "assets_extra": model.assets_extra().unwrap(),
        "fingerprint": fingerprint,
        "meta_graphs": graphs,
    })
}

fn describe_meta_graph(graph: MetaGraph<'_>) -> Value {
    let signatures = graph.signatures().unwrap();
    let keys: Vec<&String> = signatures.keys().collect();
    assert_eq!(
        keys,
        graph.signature_keys().unwrap().iter().collect::<Vec<_>>()
    );
    let ops = graph.stripped_op_list().unwrap().op;
    let assets: Vec<Value> = graph
        .assets()
        .unwrap()
        .iter()
        .map(|asset| json!({"tensor_name": asset.tensor_name, "filename": asset.filename}))
        .collect();
    let collections: BTreeMap<String, Value> = graph
        .collections()
        .unwrap()
        .into_iter()
        .map(|(key, collection)| (key, describe_collection(&collection)))
        .collect();
    let program = graph.graph();
    let versions = program.versions().unwrap();
    let functions: Vec<&str> = program.functions().map(|f| f.unwrap().name()).collect();
    let objects = graph.object_graph_bytes().unwrap();
    assert_eq!(graph.has_object_graph().unwrap(), objects.is_some());
    json!({
        "tags": graph.tags().unwrap(),
        "tensorflow_version": graph.tensorflow_version().unwrap(),
        "tensorflow_git_version": graph.tensorflow_git_version().unwrap(),
        "stripped_default_attrs": graph.stripped_default_attrs().unwrap(),
        "stripped_op_list": ops.iter().map(|op| op.name.as_str()).collect::<Vec<_>>(),
        "function_aliases": graph.function_aliases().unwrap(),
        "signatures": signatures
            .iter()
            .map(|(key, signature)| (key.clone(), describe_signature(signature)))
            .collect::<BTreeMap<_, _>>(),
        "assets": assets,
        "collections": collections,
        "init_op": graph.init_op().unwrap().map(describe_op),
        "train_op": graph.train_op().unwrap().map(describe_op),
        "saver_restore_op": graph.saver_def().unwrap().map(|saver| saver.restore_op_name),
        "producer": versions.producer,
        "min_consumer": versions.min_consumer,
        "nodes": program.nodes().count(),
        "functions": functions,
        "gradients": program.gradients().unwrap().len(),
        "registered_gradients": program.registered_gradients().unwrap().len(),
        "ops": program.ops().unwrap(),
        "graph_fnv": digest(graph),
        "object_graph_nodes": objects
            .map(|bytes| proto::SavedObjectGraph::decode(bytes).unwrap().nodes.len()),
    })
}

fn describe_signature(signature: &Signature) -> Value {
    let infos = |infos: &BTreeMap<String, TensorInfo>| -> BTreeMap<String, Value> {
        infos
            .iter()
            .map(|(key, info)| (key.clone(), describe_info(info)))
            .collect()
    };
    let defaults: BTreeMap<&String, Value> = signature
        .defaults
        .keys()
        .map(|key| {
            let tensor = signature.default_value(key).unwrap().unwrap();
            let value = json!({
                "dtype": tensor.dtype().proto_name(),
                "shape": tensor.shape().dims(),
                "data_hex": tensor.bytes().map(hex),
            });
            (key, value)
        })
        .collect();
    assert_eq!(
        Signature::from_proto(proto::SignatureDef::decode(signature.raw().clone()).unwrap()),
        Signature::from_proto(signature.to_proto()),
    );
    json!({
        "inputs": infos(&signature.inputs),
        "outputs": infos(&signature.outputs),
        "method_name": signature.method_name,
        "defaults": defaults,
        "kind": signature.kind().map(|kind| match kind {
            SignatureKind::Predict => "predict",
            SignatureKind::Classify => "classify",
            _ => "regress",
        }),
    })
}

fn describe_info(info: &TensorInfo) -> Value {
    let mut value = json!({
        "encoding": null,
        "dtype": info.dtype.proto_name(),
        "shape": info.stored_dims(),
    });
    match &info.encoding {
        Encoding::Name(name) => {
            value["encoding"] = json!("name");
            value["name"] = json!(name);
        }
        Encoding::CooSparse {
            values,
            indices,
            dense_shape,
        } => {
            value["encoding"] = json!("coo_sparse");
            value["sparse"] = json!([values, indices, dense_shape]);
        }
        Encoding::Composite {
            type_spec,
            components,
        } => {
            let class = type_spec.as_ref().map(|spec| {
                let known = proto::type_spec_proto::TypeSpecClass::try_from(spec.type_spec_class);
                known.unwrap() as i32
            });
            value["encoding"] = json!("composite_tensor");
            value["type_spec"] = json!(class);
            value["components"] = components.iter().map(describe_info).collect();
        }
        _ => {}
    }
    value
}

fn describe_collection(collection: &CollectionDef) -> Value {
    let (kind, count) = match &collection.kind {
        None => return json!({"kind": null, "count": 0}),
        Some(Kind::NodeList(list)) => ("node_list", list.value.len()),
        Some(Kind::BytesList(list)) => ("bytes_list", list.value.len()),
        Some(Kind::Int64List(list)) => ("int64_list", list.value.len()),
        Some(Kind::FloatList(list)) => ("float_list", list.value.len()),
        Some(Kind::AnyList(list)) => ("any_list", list.value.len()),
    };
    json!({"kind": kind, "count": count})
}

fn describe_op(op: MarkedOp) -> Value {
    let place = match op.place {
        OpPlace::Signature => "signature",
        OpPlace::MainOp => "saved_model_main_op",
        OpPlace::LegacyInitOp => "legacy_init_op",
        _ => "saved_model_train_op",
    };
    json!({"place": place, "name": op.name})
}

fn digest(graph: MetaGraph<'_>) -> String {
    let graph = graph.graph();
    let mut digest = Digest(0xcbf2_9ce4_8422_2325);
    graph.nodes().for_each(|node| digest.node(node.unwrap()));
    for function in graph.functions() {
        let function = function.unwrap();
        digest.put(function.name());
        digest.keys(function.attrs().map(|attr| attr.unwrap().0));
        for pairs in [function.ret().unwrap(), function.control_ret().unwrap()] {
            for (key, value) in pairs {
                digest.put(key);
                digest.put(value);
            }
        }
        function.nodes().for_each(|node| digest.node(node.unwrap()));
    }
    format!("{:016x}", digest.0)
}

/// FNV-1a over what every node and function says of itself.
struct Digest(u64);

impl Digest {
    fn put(&mut self, text: &str) {
        for byte in text.bytes().chain([0]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn keys<'a>(&mut self, keys: impl Iterator<Item = &'a str>) {
        let mut keys: Vec<&str> = keys.collect();
        keys.sort_unstable();
        keys.into_iter().for_each(|key| self.put(key));
    }

    fn node(&mut self, node: Node<'_>) {
        for text in [node.name(), node.op(), node.device()] {
            self.put(text);
        }
        node.inputs().for_each(|input| self.put(input));
        self.keys(node.attrs().map(|attr| attr.unwrap().0));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn tags_are_a_set_and_the_error_names_the_sets_there_are() {
    let model = open("v1_builder");
    for tags in [&["serve", "gpu"][..], &["gpu", "serve", "gpu"]] {
        let graph = model.meta_graph(tags).unwrap();
        assert_eq!(graph.tags().unwrap(), ["serve", "gpu"]);
    }
    let error = model.meta_graph(["gpu\x1b[2J"]).unwrap_err();
    let path = model.model_path().display();
    assert_eq!(
        error.to_string(),
        format!(
            "{path}: meta graph with the tags {{gpu\\u{{1b}}[2J}} not found \
             (the model has {{serve}}, {{serve, gpu}})"
        )
    );
    assert!(model.meta_graph::<&str>([]).is_err());
}

#[test]
fn names_that_are_not_there_bring_those_that_are() {
    let model = open("keras3_saved");
    let graph = model.meta_graph(["serve"]).unwrap();
    let error = graph.signature("serving_defualt").unwrap_err();
    assert!(
        error.to_string().ends_with(
            "key `serving_defualt`: signature not found; did you mean `serving_default`?"
        ),
        "{error}"
    );
    let node = graph.graph().nodes().next().unwrap().unwrap();
    assert_eq!(graph.graph().node(node.name()).unwrap().op(), node.op());
    let function = graph.graph().functions().last().unwrap().unwrap();
    let found = graph.graph().function(function.name()).unwrap();
    assert_eq!(found.signature().unwrap().name, function.name());
    assert!(graph.graph().node("no such").is_err());
    assert!(graph.graph().function("no such").is_err());
}

#[test]
fn singular_messages_in_pieces_are_merged() {
    let (whole, pieces) = (open("model_parts/v2"), open("model_parts/twice"));
    let graph = |model: &SavedModel| {
        let graph = model.meta_graph(["serve"]).unwrap();
        let mut proto = graph.to_proto().unwrap();
        proto.signature_def.clear();
        (
            describe_meta_graph(graph),
            graph.graph().to_proto().unwrap(),
            proto,
        )
    };
    assert_eq!(graph(&whole), graph(&pieces));
}

#[test]
fn attributes_are_decoded_one_by_one() {
    let model = open("keras3_saved");
    let graph = model.meta_graph(["serve"]).unwrap().graph();
    for node in graph.nodes() {
        let node = node.unwrap();
        let whole = node.to_proto().unwrap();
        assert_eq!((node.name(), node.op()), (&*whole.name, &*whole.op));
        assert_eq!(node.inputs().collect::<Vec<_>>(), whole.input);
        let attrs: Vec<_> = node.attrs().collect::<Result<_, _>>().unwrap();
        assert_eq!(attrs.len(), whole.attr.len());
        for entry in whole.attr {
            assert_eq!(node.attr(entry.key()).unwrap(), entry.value);
        }
        assert_eq!(node.attr("no such").unwrap(), None);
    }
}

#[test]
fn variables_and_assets_are_read_through_the_model() {
    let model = open("vocabulary");
    let assets = model.meta_graph(["serve"]).unwrap().assets().unwrap();
    let expected = fs::read(fixture("vocabulary/assets/vocab.txt")).unwrap();
    assert_eq!(assets[0].read(&model).unwrap(), expected);
    assert!(std::ptr::eq(
        model.variables().unwrap(),
        model.variables().unwrap()
    ));

    let model = open("v1_no_variables");
    assert!(!model.has_variables().unwrap());
    let error = model.variables().unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotFound { .. }),
        "{error}"
    );
}

/// Puts a model file into a store of its own.
fn in_memory(file: &str, bytes: &[u8]) -> savedmodel::Result<SavedModel> {
    let store: MemoryStore = [(format!("m/{file}"), bytes.to_vec())]
        .into_iter()
        .collect();
    SavedModel::open_in(Arc::new(store), "m/")
}

fn in_binary(proto: &proto::SavedModel) -> SavedModel {
    in_memory("saved_model.pb", &proto.encode_to_vec()).unwrap()
}

#[test]
fn what_is_missing_is_named() {
    let error = SavedModel::open("no/such/model").unwrap_err();
    assert_eq!(error.to_string(), "no/such/model: directory not found");

    let error = SavedModel::open(tests().join("cli-goldens")).unwrap_err();
    assert!(error.to_string().contains("`saved_model.pb`"), "{error}");
    let error = SavedModel::open(tests().join("cli-goldens/models")).unwrap_err();
    assert!(error.help().unwrap().contains("`custom_op`, "), "{error}");
    let error = SavedModel::open(fixture("ckpt_saver")).unwrap_err();
    assert!(error.help().unwrap().contains("BundleReader"), "{error}");
    let error = SavedModel::open(fixture("keras3_saved/saved_model.pb")).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::InvalidArgument { .. }),
        "{error}"
    );
    assert_eq!(error.help(), Some("open the directory it lies in"));

    let error = in_memory("saved_model.cpb", b"").unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Malformed { .. }),
        "{error}"
    );
    assert!(in_memory("something", b"").is_err());
}

#[test]
fn files_of_another_kind_are_called_by_it() {
    for (bytes, kind) in [
        (
            &b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"[..],
            "Git LFS",
        ),
        (b"<!DOCTYPE html><html>", "HTML"),
        (
            b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0\x04\0\x10\0\0\0\0\0",
            "HDF5",
        ),
        (b"PK\x03\x04\x14\0\0\0", "zip"),
    ] {
        let refused = in_memory("saved_model.pb", bytes).and_then(|model| model.to_proto());
        let error = refused.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Malformed { .. }),
            "{error}"
        );
        assert!(error.help().unwrap().contains(kind), "{error}");
    }
}

#[test]
fn other_messages_under_the_name_are_called_by_theirs() {
    let graph = open("keras3_saved")
        .to_proto()
        .unwrap()
        .meta_graphs
        .remove(0);
    let frozen = proto::GraphDef {
        library: None,
        ..graph.graph_def.clone().unwrap()
    };
    // TensorFlow takes it for a model without meta graphs.
    let model = in_memory("saved_model.pb", &frozen.encode_to_vec()).unwrap();
    assert!(model.seems_to_be().unwrap().contains("GraphDef"));
    let error = model.meta_graph(["serve"]).unwrap_err();
    assert!(error.help().unwrap().contains("bare GraphDef"), "{error}");

    let model = in_memory("saved_model.pb", &graph.encode_to_vec()).unwrap();
    assert!(model.seems_to_be().unwrap().contains("MetaGraphDef"));
    let error = model.meta_graph(["serve"]).unwrap_err();
    assert!(error.help().unwrap().contains("MetaGraphDef"), "{error}");

    for name in ["keras3_saved", "tf115_loop", "model_parts/twice"] {
        assert_eq!(open(name).seems_to_be(), None);
    }
    let empty = in_memory("saved_model.pb", b"").unwrap();
    assert_eq!(empty.meta_graphs().count(), 0);
    let error = empty.meta_graph(["serve"]).unwrap_err();
    assert_eq!(error.help(), Some("the file is empty"));
}

/// Asks for everything a model can be asked for; answers do not matter.
fn exercise(model: &SavedModel) {
    let _ = (
        model.schema_version(),
        model.seems_to_be(),
        model.to_proto(),
    );
    for graph in model.meta_graphs().flatten() {
        let _ = (
            graph.tags(),
            graph.tensorflow_version(),
            graph.signature_keys(),
        );
        let _ = (
            graph.stripped_op_list(),
            graph.function_aliases(),
            graph.any_info(),
        );
        for signature in graph.signatures().into_iter().flatten() {
            let _ = (signature.1.to_string(), signature.1.kind());
            for key in signature.1.defaults.keys() {
                let _ = signature.1.default_value(key);
            }
        }
        let _ = (graph.assets(), graph.collections(), graph.saver_def());
        let _ = (
            graph.init_op(),
            graph.train_op(),
            graph.object_graph_bytes(),
        );
        let program = graph.graph();
        let _ = (program.ops(), program.versions(), program.gradients());
        let functions = program.functions().flatten();
        let bodies = functions.flat_map(|function| {
            let _ = (function.signature(), function.ret(), function.control_ret());
            function.nodes()
        });
        for node in program.nodes().chain(bodies).flatten() {
            let _ = (
                node.inputs().count(),
                node.attrs().count(),
                format!("{node:?}"),
            );
        }
    }
}

#[test]
fn a_file_cut_or_changed_anywhere_is_an_error_or_another_model() {
    let bytes = fs::read(fixture("v1_no_variables/saved_model.pb")).unwrap();
    for len in 0..bytes.len() {
        if let Ok(model) = in_memory("saved_model.pb", &bytes[..len]) {
            assert!(
                len <= 2,
                "cut at {len}: the meta graph is longer than the file"
            );
            exercise(&model);
        }
    }
    let bytes = fs::read(fixture("model_parts/v2/saved_model.pb")).unwrap();
    for at in (0..bytes.len()).step_by(61) {
        for bit in [0x01, 0x08, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            if let Ok(model) = in_memory("saved_model.pb", &changed) {
                exercise(&model);
            }
        }
    }
}

#[test]
fn absurd_nesting_is_refused() {
    let mut info = Vec::new();
    for _ in 0..20_000 {
        let mut outer = vec![0x2a]; // composite_tensor
        prost::encoding::encode_varint(inner_len(&info), &mut outer);
        outer.push(0x12); // components
        prost::encoding::encode_varint(info.len() as u64, &mut outer);
        outer.extend_from_slice(&info);
        info = outer;
    }
    let mut signature = vec![0x0a, 0x01, b'x', 0x12]; // key, value
    prost::encoding::encode_varint(info.len() as u64, &mut signature);
    signature.extend(info);
    let wrap = |field: u8, bytes: Vec<u8>| {
        let mut outer = vec![field << 3 | 2];
        prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
        outer.extend(bytes);
        outer
    };
    let def = wrap(1, signature); // inputs
    let entry = [vec![0x0a, 0x01, b's'], wrap(2, def)].concat();
    let model = wrap(2, wrap(5, entry)); // meta_graphs, signature_def
    let model = in_memory("saved_model.pb", &model).unwrap();
    let graph = model.meta_graph::<&str>([]).unwrap();
    assert_eq!(graph.signature_keys().unwrap(), ["s"]);
    let error = graph.signature("s").unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Malformed { .. }),
        "{error}"
    );
}

fn inner_len(info: &[u8]) -> u64 {
    (1 + prost::encoding::encoded_len_varint(info.len() as u64) + info.len()) as u64
}

#[test]
fn shapes_no_tensor_has_do_not_keep_a_signature_from_being_shown() {
    let info = proto::TensorInfo {
        dtype: 1,
        tensor_shape: Some(proto::TensorShapeProto {
            dim: [-7, 1 << 62, 1 << 62]
                .map(|size| proto::tensor_shape_proto::Dim {
                    size,
                    ..Default::default()
                })
                .into(),
            unknown_rank: false,
        }),
        ..Default::default()
    };
    let info = TensorInfo::from_proto(info);
    assert!(info.shape().is_err());
    assert_eq!(info.stored_dims(), Some(vec![-7, 1 << 62, 1 << 62]));
    assert_eq!(
        info.to_string(),
        "float32 [-7, 4611686018427387904, 4611686018427387904]"
    );
}

#[test]
fn marked_ops_are_refused_as_tensorflow_refuses_them() {
    let with = |signatures: &[&str], collections: &[(&str, &[&str])]| {
        let mut model = proto::SavedModel::default();
        model.meta_graphs.push(proto::MetaGraphDef {
            signature_def: signatures
                .iter()
                .map(|key| SignatureDefEntry {
                    key: Some((*key).to_owned()),
                    value: None,
                })
                .collect(),
            collection_def: collections
                .iter()
                .map(|(key, names)| CollectionDefEntry {
                    key: Some((*key).to_owned()),
                    value: Some(CollectionDef {
                        kind: Some(Kind::NodeList(proto::collection_def::NodeList {
                            value: names.iter().map(|name| (*name).to_owned()).collect(),
                        })),
                    }),
                })
                .collect(),
            ..Default::default()
        });
        let model = in_binary(&model);
        let graph = model.meta_graphs().next().unwrap().unwrap();
        graph.init_op()
    };
    assert_eq!(with(&[], &[]).unwrap(), None);
    assert!(with(&["__saved_model_init_op"], &[]).is_err());
    assert!(
        with(
            &[],
            &[
                ("saved_model_main_op", &["a", "b"]),
                ("legacy_init_op", &["c"])
            ]
        )
        .is_err()
    );
    let op = with(
        &[],
        &[("saved_model_main_op", &["a"]), ("legacy_init_op", &["c"])],
    );
    assert_eq!(op.unwrap().unwrap().place, OpPlace::MainOp);
    let op = with(&[], &[("legacy_init_op", &["c"])]).unwrap().unwrap();
    assert_eq!((op.place, &*op.name), (OpPlace::LegacyInitOp, "c"));
}

#[test]
fn assets_that_lead_elsewhere_are_not_read() {
    for filename in ["../../secret", "/etc/passwd", ""] {
        let mut model = proto::SavedModel::default();
        model.meta_graphs.push(proto::MetaGraphDef {
            asset_file_def: vec![proto::AssetFileDef {
                filename: filename.to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        });
        let model = in_binary(&model);
        let graph = model.meta_graphs().next().unwrap().unwrap();
        let asset = &graph.assets().unwrap()[0];
        assert_eq!(asset.filename, filename);
        let error = asset.read(&model).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Malformed { .. }),
            "{error}"
        );
    }
}

#[test]
fn a_model_is_shared_by_threads() {
    fn is_shared<T: Send + Sync>(_: &T) {}
    let model = open("v1_builder");
    is_shared(&model);
    let graph = model.meta_graph(["serve"]).unwrap();
    is_shared(&graph);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                assert!(model.variables().unwrap().num_shards() > 0);
                assert_eq!(graph.signatures().unwrap().len(), 2);
            });
        }
    });
}
