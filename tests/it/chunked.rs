//! Split models: the files of TensorFlow's splitter and of Riegeli's writers, and odd ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost::Message as _;
use savedmodel::chunked::{
    ChunkKind, ChunkedProto, OtherForms, Small, SplitOptions, Written, write_binary,
};
use savedmodel::model::{Format, SavedModelOptions};
use savedmodel::proto::attr_value::Value as AttrKind;
use savedmodel::proto::node_def::AttrEntry;
use savedmodel::proto::{self, NodeDef, TensorProto};
use savedmodel::store::{Blob, Mapping, MemoryStore, Store};
use savedmodel::wire::{Message, Value as Wire};
use savedmodel::{Bytes, ErrorKind, MetaGraph, Result, SavedModel, Tensor};
use serde_json::Value;

use crate::fixtures::files_below;
use crate::records::scratch;
use crate::tensorflow;

const SAVED_MODEL: &str = "tensorflow.SavedModel";

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/chunked")
}

fn expected() -> Value {
    let text = fs::read_to_string(vectors().join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn open(bytes: impl Into<Bytes>) -> Result<ChunkedProto> {
    ChunkedProto::open(Blob::from_bytes(bytes))
}

fn merge(bytes: impl Into<Bytes>) -> Result<Bytes> {
    open(bytes)?.merge(SAVED_MODEL)
}

/// The message with the fields of each number sorted, at every depth: what does not depend on the
/// order of maps.
fn unordered(bytes: &[u8]) -> BTreeMap<u32, Vec<String>> {
    let mut fields: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for field in Message::new(bytes).fields() {
        let field = field.unwrap();
        let shown = match field.value() {
            Wire::Bytes(inner) => {
                let is_message = Message::new(inner).fields().all(|field| field.is_ok());
                match is_message {
                    true => format!("{:?}", unordered(inner)),
                    false => format!("{inner:x?}"),
                }
            }
            other => format!("{other:?}"),
        };
        fields.entry(field.number()).or_default().push(shown);
    }
    fields.values_mut().for_each(|values| values.sort());
    fields
}

/// Names of all nodes, in order.
fn nodes(model: &proto::SavedModel) -> Vec<String> {
    let graphs = model.meta_graphs.iter().flat_map(|graph| &graph.graph_def);
    graphs
        .flat_map(|graph| {
            let functions = graph.library.iter().flat_map(|library| &library.function);
            let inside = functions.flat_map(|function| &function.node_def);
            graph
                .node
                .iter()
                .chain(inside)
                .map(|node| node.name.clone())
        })
        .collect()
}

/// Compares models but for the order in which maps are written.
#[track_caller]
fn assert_same(found: &[u8], expected: &[u8]) {
    let decode = |bytes| proto::SavedModel::decode(bytes).unwrap();
    assert_eq!(nodes(&decode(found)), nodes(&decode(expected)));
    // Written anew: a message may stand in pieces.
    let encode = |bytes| decode(bytes).encode_to_vec();
    assert_eq!(unordered(&encode(found)), unordered(&encode(expected)));
}

#[test]
fn models_of_the_splitter_merge_to_what_was_split() {
    let mut compared = 0;
    for (name, row) in expected()["models"].as_object().unwrap() {
        let bytes = fs::read(vectors().join("models").join(name).join("saved_model.cpb")).unwrap();
        let file = open(bytes).unwrap();
        let chunks: Vec<Value> = file
            .metadata()
            .chunks
            .iter()
            .map(|info| {
                let kind = if info.kind == ChunkKind::Message {
                    1
                } else {
                    2
                };
                [kind, info.size, info.offset].into()
            })
            .collect();
        assert_eq!(Value::from(chunks), row["chunks"], "{name}");
        let merged = file.merge(SAVED_MODEL).unwrap();
        let model = proto::SavedModel::decode(merged.clone()).unwrap();
        assert_eq!(model.encoded_len() as u64, row["merged_length"], "{name}");
        let stem = name.rsplit_once('_').unwrap().0;
        if let Ok(unsplit) = fs::read(vectors().join(format!("unsplit/{stem}.pb"))) {
            assert_same(&merged, &unsplit);
            compared += 1;
        }
    }
    assert_eq!(compared, 3);
}

#[test]
fn other_options_of_the_writer_are_read_or_refused_by_name() {
    let unsplit = fs::read(vectors().join("unsplit/tf1_novar.pb")).unwrap();
    for (name, row) in expected()["options"].as_object().unwrap() {
        let bytes = fs::read(vectors().join("options").join(name).join("saved_model.cpb")).unwrap();
        let reason = match &name[..] {
            "zstd" => Some("Zstd"),
            name if name.starts_with("transpose") => Some("transposed"),
            _ => None,
        };
        if let Some(reason) = reason {
            let error = merge(bytes).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Unsupported { .. }),
                "{name}: {error}"
            );
            assert!(error.to_string().contains(reason), "{name}: {error}");
            continue;
        }
        let file = open(bytes).unwrap();
        // The last record is the metadata.
        let chunks = row["records"].as_array().unwrap();
        for (i, record) in chunks.iter().take(chunks.len() - 1).enumerate() {
            let info = file.metadata().chunks[i];
            assert_eq!(
                [info.offset, info.size],
                [&record[0], &record[1]].map(|n| n.as_u64().unwrap())
            );
            assert_eq!(
                file.chunk(i as u64).unwrap().len() as u64,
                info.size,
                "{name}"
            );
        }
        assert_same(&file.merge(SAVED_MODEL).unwrap(), &unsplit);
    }
}

#[test]
fn odd_files_are_merged_as_tensorflow_does_or_are_errors() {
    let table = expected();
    let rows = table["edge"].as_object().unwrap();
    let unsplit = fs::read(vectors().join("unsplit/tf1_novar.pb")).unwrap();
    let plain = &rows["plain"]["merged_fingerprint64"];
    for (name, row) in rows {
        let bytes = fs::read(vectors().join(format!("edge/{name}.cpb"))).unwrap();
        // What TensorFlow takes for good although something is wrong with it.
        let refused = ["offset_hole", "offset_zero", "size_wrong", "trunc_half"];
        let is_fine = row["tensorflow"] == "ok" && !refused.contains(&&name[..]);
        match merge(bytes) {
            // It crashes there, and there is nothing wrong.
            Ok(merged) if name == "repeated_string" => {
                proto::SavedModel::decode(merged).unwrap();
            }
            Ok(merged) => {
                assert!(is_fine, "{name} is merged");
                let model = proto::SavedModel::decode(merged.clone()).unwrap();
                assert_eq!(model.encoded_len() as u64, row["merged_length"], "{name}");
                if row["merged_fingerprint64"] == *plain {
                    assert_same(&merged, &unsplit);
                }
            }
            Err(error) => {
                assert!(!is_fine, "{name}: {error}");
                let malformed = matches!(error.kind(), ErrorKind::Malformed { .. });
                assert!(malformed, "{name}: {error}");
            }
        }
    }
}

fn model(name: &str) -> PathBuf {
    vectors().join("models").join(name)
}

#[test]
fn split_models_open_as_all_others() {
    for (name, mapping) in [("nested_1000", Mapping::Auto), ("tf1_1000", Mapping::Never)] {
        let model = SavedModel::options()
            .mapping(mapping)
            .open(model(name))
            .unwrap();
        assert_eq!(model.format(), Format::Chunked);
        let graph = model.meta_graph(["serve"]).unwrap();
        let signature = graph.signature("serving_default").unwrap();
        assert!(!signature.outputs.is_empty());
        assert!(graph.graph().ops().unwrap().values().sum::<u64>() > 10);
        let decoded = model.to_proto().unwrap();
        assert_eq!(graph.to_proto().unwrap(), decoded.meta_graphs[0]);
        let shared = graph.bytes().unwrap();
        assert!(
            model
                .bytes()
                .unwrap()
                .as_ptr_range()
                .contains(&shared.as_ptr())
        );
        let names: Vec<String> = graph
            .graph()
            .nodes()
            .map(|node| node.unwrap().name().to_owned())
            .collect();
        assert_eq!(names[..], nodes(&decoded)[..names.len()]);
        assert_eq!(
            graph.object_graph().unwrap().is_some(),
            name == "nested_1000"
        );
        assert!(model.fingerprint().unwrap().is_some());
    }
}

#[test]
fn signatures_of_a_split_model_need_no_chunk_of_its_graph() {
    let path = vectors().join("options/uncompressed_chunk_size100/saved_model.cpb");
    let mut bytes = fs::read(path).unwrap();
    let file = open(bytes.clone()).unwrap();
    let at = file.chunk(2).unwrap();
    let at = bytes
        .windows(at.len())
        .position(|window| window == at)
        .unwrap();
    bytes[at] ^= 1;
    let mut store = MemoryStore::new();
    store.insert("m/saved_model.cpb", bytes);
    let model = SavedModel::open_in(Arc::new(store), "m").unwrap();
    let graph = model.meta_graphs().next().unwrap().unwrap();
    graph.signatures().unwrap();
    for error in [
        graph.graph().nodes().next().unwrap().err(),
        graph.graph().ops().err(),
        model.bytes().err(),
        graph.to_proto().err(),
    ] {
        let error = error.unwrap();
        assert!(
            matches!(error.kind(), ErrorKind::Malformed { .. }),
            "{error}"
        );
        assert_eq!(
            error.path(),
            Some(Path::new("m/saved_model.cpb")),
            "{error}"
        );
        assert!(
            error.to_string().contains("hash") && error.offset().is_some(),
            "{error}"
        );
    }
}

#[test]
fn one_of_several_forms_can_be_chosen() {
    let mut store = MemoryStore::new();
    let pb = fs::read(vectors().join("unsplit/nosig.pb")).unwrap();
    store.insert("m/saved_model.pb", pb);
    let cpb = fs::read(model("nosig_500").join("saved_model.cpb")).unwrap();
    store.insert("m/saved_model.cpb", cpb);
    let store: Arc<dyn Store> = Arc::new(store);
    let open = |options: SavedModelOptions| options.open_in(Arc::clone(&store), "m");
    let first = open(SavedModel::options()).unwrap();
    assert_eq!(first.format(), Format::Binary);
    assert_eq!(first.other_formats().unwrap(), [Format::Chunked]);
    let chosen = open(SavedModel::options().format(Format::Chunked)).unwrap();
    assert_eq!(chosen.format(), Format::Chunked);
    assert_eq!(chosen.other_formats().unwrap(), [Format::Binary]);
    assert_same(chosen.bytes().unwrap(), first.bytes().unwrap());
    let error = open(SavedModel::options().format(Format::Text)).unwrap_err();
    assert!(
        error.to_string().contains("`saved_model.pbtxt` not found"),
        "{error}"
    );
}

#[test]
fn what_a_split_model_may_become_is_limited() {
    let bytes = fs::read(model("manyfuncs_4000").join("saved_model.cpb")).unwrap();
    let within = |limit| {
        ChunkedProto::open_within(Blob::from_bytes(bytes.clone()), limit)?.merge(SAVED_MODEL)
    };
    assert!(within(50_000).is_ok());
    for limit in [0, 10_000, 43_000] {
        let error = within(limit).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::TooLarge { .. }),
            "{error}"
        );
    }
}

/// All models of the tests in binary form.
fn unsplit() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut models = files_below(&root, &|name| name == "saved_model.pb");
    models.extend(files_below(&vectors(), &|name| name.ends_with("nested.pb")));
    assert!(models.len() > 20);
    models
}

/// The model with the elements of all constants in the form in which this crate writes them.
fn normal(mut model: proto::SavedModel) -> proto::SavedModel {
    let graphs = model
        .meta_graphs
        .iter_mut()
        .flat_map(|graph| &mut graph.graph_def);
    for graph in graphs {
        let functions = graph
            .library
            .iter_mut()
            .flat_map(|library| &mut library.function);
        let inside = functions.flat_map(|function| &mut function.node_def);
        for attr in graph
            .node
            .iter_mut()
            .chain(inside)
            .flat_map(|node| &mut node.attr)
        {
            let value = attr.value.as_mut().and_then(|value| value.value.as_mut());
            if let Some(AttrKind::Tensor(tensor)) = value
                && let Ok(elements) = Tensor::from_proto(tensor)
            {
                **tensor = elements.to_proto().unwrap();
            }
        }
    }
    model
}

fn split(model: &[u8], max_size: u64, directory: &Path) -> Written {
    SplitOptions::new()
        .max_size(max_size)
        .write(model, directory)
        .unwrap()
}

#[test]
fn what_is_split_merges_to_the_same_model() {
    let directory = scratch("chunked_split");
    for path in unsplit() {
        let bytes = fs::read(&path).unwrap();
        // Some are damaged on purpose.
        let Ok(decoded) = proto::SavedModel::decode(&bytes[..]) else {
            continue;
        };
        let mut counts = Vec::new();
        for max_size in [
            bytes.len() as u64 + 1,
            bytes.len() as u64,
            20_000,
            3000,
            700,
        ] {
            let options = SplitOptions::new().max_size(max_size);
            match options.write(&bytes, &directory) {
                Ok(Written::NotNeeded) => assert!((bytes.len() as u64) < max_size),
                Ok(Written::Split { chunks, bytes: len }) => {
                    counts.push(chunks);
                    let file = directory.join("saved_model.cpb");
                    assert_eq!(fs::metadata(&file).unwrap().len(), len);
                    let split = SavedModel::open(&directory).unwrap();
                    let merged = split.to_proto().unwrap();
                    // As bytes: there are values that are not equal to themselves.
                    let encode = |model| normal(model).encode_to_vec();
                    assert!(
                        encode(merged) == encode(decoded.clone()),
                        "{path:?}, {max_size}"
                    );
                    let (ours, theirs) = (
                        split.meta_graphs(),
                        SavedModel::open(path.parent().unwrap()),
                    );
                    if let Ok(theirs) = theirs {
                        for (ours, theirs) in ours.zip(theirs.meta_graphs()) {
                            let keys = |graph: savedmodel::Result<MetaGraph<'_>>| {
                                graph.unwrap().signature_keys().ok()
                            };
                            assert_eq!(keys(ours), keys(theirs));
                        }
                    }
                }
                // Nodes that are no constants may be too large.
                Err(error) => {
                    assert!(
                        matches!(error.kind(), ErrorKind::Unsupported { .. }),
                        "{error}"
                    );
                    assert!(
                        error.to_string().contains("only Const can be split"),
                        "{error}"
                    );
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(counts.is_sorted(), "{path:?}: {counts:?}");
    }
}

/// A graph with constants of every form, in the graph and in a function.
fn constants() -> proto::SavedModel {
    let node = |name: &str, tensor: TensorProto| {
        let attr = |key: &str, value| AttrEntry {
            key: Some(key.to_owned()),
            value: Some(proto::AttrValue { value: Some(value) }),
        };
        NodeDef {
            name: name.to_owned(),
            op: "Const".to_owned(),
            attr: vec![
                attr("dtype", AttrKind::Type(tensor.dtype)),
                attr("value", AttrKind::Tensor(Box::new(tensor))),
            ],
            ..NodeDef::default()
        }
    };
    let shape = |size| {
        let mut shape = proto::TensorShapeProto::default();
        shape.dim.push(proto::tensor_shape_proto::Dim {
            size,
            name: String::new(),
        });
        Some(shape)
    };
    let floats: Vec<f32> = (0..2000).map(|i| i as f32 / 8.0).collect();
    let strings: Vec<Bytes> = (0..500).map(|i| "long".repeat(i % 50).into()).collect();
    let nodes = vec![
        node(
            "content",
            Tensor::from_slice([2000], &floats)
                .unwrap()
                .to_proto()
                .unwrap(),
        ),
        node(
            "values",
            TensorProto {
                dtype: 1,
                tensor_shape: shape(2000),
                version_number: 7,
                float_val: floats,
                ..TensorProto::default()
            },
        ),
        node("small", Tensor::scalar(1f32).to_proto().unwrap()),
        node(
            "strings",
            TensorProto {
                dtype: 7,
                tensor_shape: shape(500),
                string_val: strings,
                ..TensorProto::default()
            },
        ),
    ];
    let function = proto::FunctionDef {
        node_def: nodes.clone(),
        ..proto::FunctionDef::default()
    };
    let graph = proto::GraphDef {
        node: nodes,
        library: Some(proto::FunctionDefLibrary {
            function: vec![function],
            ..Default::default()
        }),
        ..proto::GraphDef::default()
    };
    proto::SavedModel {
        saved_model_schema_version: 1,
        meta_graphs: vec![proto::MetaGraphDef {
            graph_def: Some(graph),
            ..Default::default()
        }],
    }
}

#[test]
fn elements_of_constants_go_to_chunks_of_their_own() {
    let directory = scratch("chunked_constants");
    let model = constants();
    let written = split(&model.encode_to_vec(), 4000, &directory);
    assert!(
        matches!(written, Written::Split { chunks: 7.., .. }),
        "{written:?}"
    );
    let blob = Blob::from_bytes(fs::read(directory.join("saved_model.cpb")).unwrap());
    let file = ChunkedProto::open(blob).unwrap();
    let kinds = file.metadata().chunks.iter().map(|info| info.kind);
    assert_eq!(kinds.filter(|kind| *kind == ChunkKind::Bytes).count(), 6);
    let merged = proto::SavedModel::decode(file.merge(SAVED_MODEL).unwrap()).unwrap();
    let graph = |model: &proto::SavedModel| model.meta_graphs[0].graph_def.clone().unwrap();
    let tensors = |nodes: &[NodeDef]| -> Vec<(String, Tensor, i32)> {
        let tensor = |node: &NodeDef| match &node.attr[1].value.as_ref().unwrap().value {
            Some(AttrKind::Tensor(tensor)) => (
                node.name.clone(),
                Tensor::from_proto(tensor).unwrap(),
                tensor.version_number,
            ),
            other => panic!("{other:?}"),
        };
        nodes.iter().map(tensor).collect()
    };
    let expected = tensors(&graph(&model).node);
    assert_eq!(tensors(&graph(&merged).node), expected);
    let function = &graph(&merged).library.unwrap().function[0];
    assert_eq!(tensors(&function.node_def), expected);
}

/// A string in `string_val` has one length before it; as elements it has that of its own beside that
/// of all.
#[test]
fn a_string_that_was_split_off_comes_back_in_another_form() {
    let directory = scratch("chunked_string");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let bytes = fs::read(fixtures.join("keras3_saved/saved_model.pb")).unwrap();
    let written = split(&bytes, 3000, &directory);
    assert!(matches!(written, Written::Split { .. }), "{written:?}");
    let merged = SavedModel::open(&directory).unwrap();
    let merged = merged.bytes().unwrap();
    assert_eq!(merged.len(), bytes.len() + 2);

    let decode = |bytes: &[u8]| proto::SavedModel::decode(bytes).unwrap();
    let (mut expected, merged) = (decode(&bytes), decode(merged));
    let graph = expected.meta_graphs[0].graph_def.as_mut().unwrap();
    let mut changed = 0;
    let merged_graph = merged.meta_graphs[0].graph_def.as_ref().unwrap();
    for (node, found) in graph.node.iter_mut().zip(&merged_graph.node) {
        for (attr, found) in node.attr.iter_mut().zip(&found.attr) {
            let kind = |attr: &AttrEntry| attr.value.clone().and_then(|value| value.value);
            if let (Some(AttrKind::Tensor(a)), Some(AttrKind::Tensor(b))) =
                (kind(attr), kind(found))
                && a != b
            {
                assert_eq!((a.string_val.len(), b.string_val.len()), (1, 0));
                assert_eq!(b.tensor_content.len(), a.string_val[0].len() + 2);
                assert_eq!(
                    Tensor::from_proto(&a).unwrap(),
                    Tensor::from_proto(&b).unwrap()
                );
                *attr = found.clone();
                changed += 1;
            }
        }
    }
    assert_eq!(changed, 1);
    assert_same(&merged.encode_to_vec(), &expected.encode_to_vec());
}

#[test]
fn model_files_of_other_forms_are_not_overlooked() {
    let directory = scratch("chunked_forms");
    let model = fs::read(vectors().join("unsplit/nested.pb")).unwrap();
    let options = SplitOptions::new().max_size(2000);
    write_binary(&model, &directory, OtherForms::Refuse).unwrap();
    assert_eq!(fs::read(directory.join("saved_model.pb")).unwrap(), model);

    let error = options.write(&model, &directory).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::InvalidArgument { .. }),
        "{error}"
    );
    assert_eq!(error.path(), Some(&*directory.join("saved_model.pb")));
    assert!(!directory.join("saved_model.cpb").exists());

    let keep = options.clone().other_forms(OtherForms::Keep);
    keep.write(&model, &directory).unwrap();
    let kept = SavedModel::open(&directory).unwrap();
    assert_eq!(kept.other_formats().unwrap(), [Format::Chunked]);
    assert!(write_binary(&model, &directory, OtherForms::Refuse).is_err());

    // The model that is written may be the one that lies there.
    let remove = options.other_forms(OtherForms::Remove);
    remove.write(kept.bytes().unwrap(), &directory).unwrap();
    let split = SavedModel::open(&directory).unwrap();
    assert_eq!(split.format(), Format::Chunked);
    write_binary(split.bytes().unwrap(), &directory, OtherForms::Remove).unwrap();
    let names: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["saved_model.pb"]);
    assert_same(
        SavedModel::open(&directory).unwrap().bytes().unwrap(),
        &model,
    );

    let small = SplitOptions::new()
        .small(Small::Write)
        .other_forms(OtherForms::Remove);
    let written = small.write(&model, &directory).unwrap();
    assert!(matches!(written, Written::Split { chunks: 1, .. }));
    assert_eq!(
        SavedModel::open(&directory).unwrap().bytes().unwrap(),
        &model[..]
    );
}

#[test]
fn what_cannot_be_split_is_named() {
    let directory = scratch("chunked_unsplittable");
    let mut model = constants();
    let graph = model.meta_graphs[0].graph_def.as_mut().unwrap();
    graph.node[0].op = "Placeholder".to_owned();
    let error = SplitOptions::new()
        .max_size(4000)
        .write(&model.encode_to_vec(), &directory)
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Unsupported { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("`content` has 8"), "{error}");
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
}

#[test]
fn interop_tensorflows_merger_makes_the_same_of_split_models() {
    let directory = scratch("chunked_interop");
    let (models, build) = (directory.join("models"), directory.join("build"));
    let mut count = 0;
    let mut add = |bytes: &[u8]| {
        let model = models.join(count.to_string());
        fs::create_dir_all(&model).unwrap();
        fs::write(model.join("saved_model.cpb"), bytes).unwrap();
        fs::write(model.join("merged.pb"), merge(bytes.to_vec()).unwrap()).unwrap();
        count += 1;
    };
    // Files of TensorFlow, and those that are odd but sound.
    for name in ["models", "options", "edge"] {
        for path in files_below(&vectors().join(name), &|name| name.ends_with(".cpb")) {
            let bytes = fs::read(&path).unwrap();
            if !path.ends_with("repeated_string.cpb") && merge(bytes.clone()).is_ok() {
                add(&bytes);
            }
        }
    }
    // Files of ours.
    let ours = directory.join("ours");
    let unsplit = unsplit().into_iter().map(|path| fs::read(path).unwrap());
    for bytes in unsplit.chain([constants().encode_to_vec()]) {
        for max_size in [20_000, 4000, 1500] {
            let options = SplitOptions::new().max_size(max_size);
            if let Ok(Written::Split { .. }) = options.write(&bytes, &ours)
                && proto::SavedModel::decode(&bytes[..]).is_ok()
            {
                add(&fs::read(ours.join("saved_model.cpb")).unwrap());
            }
        }
    }
    let Some(answer) = tensorflow::run("merge_split_models.py", &[&build, &models]) else {
        return;
    };
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["faults"], serde_json::json!([]));
    assert_eq!(answer["same"], count);
    assert!(count > 60, "{count}");
}
