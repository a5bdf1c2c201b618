//! Described objects against the checkpoints that TensorFlow writes of such objects
//! (`tests/interop/object_trees.py`).

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost::Message;
use savedmodel::bundle::{Existing, latest_checkpoint};
use savedmodel::object_graph::{CheckpointGraph, Child, DescribedVariable, ObjectTree};
use savedmodel::proto::TrackableObjectGraph;
use savedmodel::proto::trackable_object_graph::{TrackableObject, trackable_object};
use savedmodel::proto::well_known::BoolValue;
use savedmodel::{
    BundleReader, BundleWriter, DType, ErrorKind, PartialShape, Shape, Tensor, TensorSlice,
};
use serde_json::Value;

use crate::answers::unhex;
use crate::fixtures::{files_below, fixtures};
use crate::forge;
use crate::tensorflow;

fn vectors() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/object_trees"
    ))
}

/// An empty directory for one test's files. It stays until the next run, to look at.
fn work_directory(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("trees_{test}"));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn tensor(row: &Value) -> Tensor {
    let shape: Vec<u64> = rows(&row["shape"])
        .iter()
        .map(|size| size.as_u64().unwrap())
        .collect();
    let shape = Shape::new(&shape).unwrap();
    if row["dtype"] == "string" {
        return Tensor::from_strings(shape, rows(&row["strings"]).iter().map(unhex)).unwrap();
    }
    let dtype = DType::known().find(|dtype| row["dtype"] == *dtype.name());
    Tensor::from_bytes(dtype.unwrap(), shape, unhex(&row["hex"])).unwrap()
}

fn child(row: &Value) -> Child {
    match row["kind"].as_str().unwrap() {
        "module" => Child::Module,
        "list" => Child::List,
        "dict" => Child::Dict,
        "tuple" => Child::Tuple,
        "named_tuple" => Child::NamedTuple,
        "variable" => {
            let name = row["full_name"].as_str().unwrap();
            DescribedVariable::new(tensor(&row["value"]))
                .named(name)
                .into()
        }
        "python_state" => Child::PythonState(unhex(&row["state"]).into()),
        "table" => Child::Table {
            keys: tensor(&row["keys"]),
            values: tensor(&row["values"]),
        },
        kind => panic!("{kind}"),
    }
}

/// Describes the objects of a `tree.json`.
fn describe(objects: &[Value]) -> ObjectTree {
    let mut tree = ObjectTree::with_root(child(&objects[0])).unwrap();
    let mut known = HashMap::from([(0, tree.root())]);
    let mut left = vec![0];
    while let Some(number) = left.pop() {
        let (parent, row) = (known[&number], &objects[number]);
        for edge in rows(&row["children"]) {
            let (name, number) = (
                edge[0].as_str().unwrap(),
                edge[1].as_u64().unwrap() as usize,
            );
            // The tree adds the indices of a named tuple itself.
            if row["kind"] == "named_tuple" && name.parse::<u32>().is_ok() {
                continue;
            }
            let what = match known.get(&number) {
                Some(&object) => Child::Existing(object),
                None => {
                    left.push(number);
                    child(&objects[number])
                }
            };
            known.insert(number, tree.track(parent, name, what).unwrap());
        }
        for attribute in rows(&row["attributes"]) {
            let name = attribute[0].as_str().unwrap();
            tree.set_attribute(parent, name, tensor(&attribute[1]))
                .unwrap();
        }
    }
    for (number, row) in objects.iter().enumerate() {
        for slot in rows(&row["slots"]) {
            let [original, variable] = [&slot[1], &slot[2]].map(|id| id.as_u64().unwrap() as usize);
            let name = slot[0].as_str().unwrap();
            let variable = child(&objects[variable]);
            tree.add_slot(known[&number], name, known[&original], variable)
                .unwrap();
        }
    }
    tree
}

/// The files of two bundles of one shard that differ.
fn different(ours: &Path, theirs: &Path) -> Vec<String> {
    let with = |prefix: &Path, ending: &str| PathBuf::from(format!("{}{ending}", prefix.display()));
    [".index", ".data-00000-of-00001"]
        .into_iter()
        .filter(|ending| {
            fs::read(with(ours, ending)).unwrap() != fs::read(with(theirs, ending)).unwrap()
        })
        .map(|ending| with(theirs, ending).display().to_string())
        .collect()
}

/// Writes what is in the directories of `from` to those of `to`, and compares; returns how many
/// cases there were, and what differed.
fn write_all(from: &Path, to: &Path) -> (usize, Vec<String>) {
    let (mut cases, mut faults) = (0, Vec::new());
    for case in files_below(from, &|name| name == "tree.json") {
        let name = case.parent().unwrap().file_name().unwrap();
        let row: Value = serde_json::from_slice(&fs::read(&case).unwrap()).unwrap();
        let mut tree = describe(rows(&row["objects"]));
        let ours = to.join(name).join("ours/ckpt");
        let saves = row["saves"].as_u64().unwrap();
        if saves == 0 {
            tree.write(&ours).unwrap();
            faults.extend(different(&ours, &case.with_file_name("ckpt")));
        }
        for number in 1..=saves {
            let written = tree.save(&ours).unwrap();
            assert_eq!(
                written,
                PathBuf::from(format!("{}-{number}", ours.display()))
            );
            let theirs = case.with_file_name(format!("ckpt-{number}"));
            faults.extend(different(&written, &theirs));
        }
        if saves > 0 {
            let latest = latest_checkpoint(ours.parent().unwrap()).unwrap();
            assert_eq!(
                latest,
                Some(PathBuf::from(format!("{}-{saves}", ours.display())))
            );
            let theirs = fs::read_to_string(case.with_file_name("checkpoint"));
            let state = fs::read_to_string(ours.with_file_name("checkpoint")).unwrap();
            assert_eq!(state, theirs.unwrap());
        }
        cases += 1;
    }
    (cases, faults)
}

#[test]
fn described_trees_are_written_byte_for_byte_as_tensorflow_writes_such_objects() {
    let directory = work_directory("described");
    let (cases, faults) = write_all(&vectors(), &directory);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(cases >= 19, "{cases}");
}

#[test]
fn trees_that_are_read_are_written_byte_for_byte_again() {
    let directory = work_directory("again");
    let mut indices = files_below(&vectors(), &|name| name.ends_with(".index"));
    indices.extend(files_below(&fixtures(), &|name| name.ends_with(".index")));
    let (mut bytes, mut graphs) = (0, 0);
    for index in indices {
        let theirs = index.with_extension("");
        // Those of TensorFlow 1, and its older format.
        let Ok(bundle) = BundleReader::open(&theirs) else {
            continue;
        };
        let Ok(graph) = bundle.tensor(CheckpointGraph::KEY) else {
            let error = ObjectTree::read(&bundle).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::NotFound { .. }),
                "{error}"
            );
            continue;
        };
        let tree = ObjectTree::read(&bundle).unwrap();
        if bundle.num_shards() == 1 {
            let ours = directory.join(format!("{bytes}"));
            tree.write(&ours).unwrap();
            assert_eq!(different(&ours, &theirs), Vec::<String>::new());
            bytes += 1;
        } else {
            let serialized = tree.serialize().unwrap();
            assert_eq!(
                Some(serialized.object_graph()),
                graph.strings().unwrap().get(0),
                "{}",
                theirs.display()
            );
            assert_eq!(serialized.tensors().len() + 1, bundle.entries().count());
            graphs += 1;
        }
    }
    assert!(bytes >= 35 && graphs >= 2, "{bytes}, {graphs}");
}

#[test]
fn interop_tensorflow_writes_the_same_and_restores_what_is_written() {
    let directory = work_directory("interop");
    if tensorflow::run("object_trees.py", &[Path::new("make"), &directory]).is_none() {
        return;
    }
    let (cases, faults) = write_all(&directory, &directory);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for stored in files_below(&vectors(), &|_| true) {
        let now = directory.join(stored.strip_prefix(vectors()).unwrap());
        let same = fs::read(&now).unwrap() == fs::read(&stored).unwrap();
        assert!(same, "{} is out of date", stored.display());
    }
    let restored = tensorflow::run("object_trees.py", &[Path::new("restore"), &directory]);
    let restored = String::from_utf8(restored.unwrap()).unwrap();
    assert_eq!(restored.lines().count(), cases);
    assert!(cases >= 50, "{cases}");
}

fn counted(shape: &[u64]) -> Tensor {
    let shape = Shape::new(shape).unwrap();
    let values: Vec<f32> = (0..shape.elements()).map(|value| value as f32).collect();
    Tensor::from_slice(shape, &values).unwrap()
}

/// A checkpoint as TensorFlow 1 has it: keys are names of variables, large ones are in pieces.
fn write_by_name(prefix: &Path) {
    let mut bundle = BundleWriter::create(prefix).unwrap();
    let embedding = counted(&[5, 2]);
    for piece in ["0,3:0,2", "3,2:0,2"] {
        let piece: TensorSlice = piece.parse().unwrap();
        let rows = embedding.slice(&piece).unwrap();
        bundle
            .add_slice("embedding", embedding.shape(), &piece, &rows)
            .unwrap();
    }
    bundle.add("global_step", &Tensor::scalar(7i64)).unwrap();
    bundle.add("layer/bias", &counted(&[3])).unwrap();
    bundle.add("layer/kernel", &counted(&[2, 3])).unwrap();
    let names = Tensor::from_strings([2], ["hello", "wo"]).unwrap();
    bundle.add("names", &names).unwrap();
    bundle.finish().unwrap();
}

#[test]
fn interop_checkpoints_by_name_are_restored_as_tensorflow_1_does() {
    let prefix = work_directory("by_name").join("model.ckpt-7");
    write_by_name(&prefix);
    let Some(routes) = tensorflow::run("restore_by_name.py", &[&prefix]) else {
        return;
    };
    let routes = String::from_utf8(routes).unwrap();
    assert_eq!(
        routes.lines().collect::<Vec<_>>(),
        [
            "Saver.restore 5",
            "init_from_checkpoint 5",
            "load_checkpoint 5"
        ]
    );
    let again = prefix.with_file_name("model.ckpt-7-again");
    assert_eq!(different(&prefix, &again), Vec::<String>::new());
}

#[test]
fn a_value_that_is_changed_is_all_that_changes() {
    let directory = work_directory("changed");
    let theirs = BundleReader::open(vectors().join("slots/ckpt")).unwrap();
    let mut tree = ObjectTree::read(&theirs).unwrap();
    let w = tree.object("net.deep.w").unwrap();
    assert_eq!(
        tree.value(w).unwrap(),
        &theirs
            .tensor("net/deep/w/.ATTRIBUTES/VARIABLE_VALUE")
            .unwrap()
    );
    let value = Tensor::from_slice([2], &[0.5f32, -0.5]).unwrap();
    tree.set_value(w, value.clone()).unwrap();
    tree.write(directory.join("ours")).unwrap();
    let ours = BundleReader::open(directory.join("ours")).unwrap();
    let mut changed = Vec::new();
    for ((key, ours), (_, theirs)) in ours
        .read_all()
        .unwrap()
        .iter()
        .zip(theirs.read_all().unwrap())
    {
        if *ours != theirs {
            assert_eq!(*ours, value);
            changed.push(key.to_string());
        }
    }
    assert_eq!(changed, ["net/deep/w/.ATTRIBUTES/VARIABLE_VALUE"]);
}

#[test]
fn a_tree_that_was_read_can_grow() {
    let theirs = BundleReader::open(vectors().join("slots/ckpt")).unwrap();
    let mut tree = ObjectTree::read(&theirs).unwrap();
    let count = tree.len();
    let head = tree.track(tree.root(), "head", Child::Module).unwrap();
    let w = tree.track(head, "w", Tensor::scalar(1f32)).unwrap();
    let optimizer = tree.object("opt").unwrap();
    tree.add_slot(optimizer, "v", w, Tensor::scalar(2f32))
        .unwrap();
    let error = tree
        .add_slot(optimizer, "v", w, Tensor::scalar(2f32))
        .unwrap_err();
    assert!(error.to_string().contains("already"), "{error}");
    assert_eq!(tree.len(), count + 3);

    let serialized = tree.serialize().unwrap();
    let graph = CheckpointGraph::decode(&serialized.object_graph().to_vec().into()).unwrap();
    assert_eq!(graph.len(), count + 3);
    let key = "head/w/.OPTIMIZER_SLOT/opt/v/.ATTRIBUTES/VARIABLE_VALUE";
    let slot = graph
        .slot_variables()
        .find(|slot| slot.variable.checkpoint_key() == Some(key));
    assert_eq!(slot.unwrap().original, graph.object("head.w").unwrap());
    let old = CheckpointGraph::read(&theirs).unwrap();
    for slot in old.slot_variables() {
        let key = slot.variable.checkpoint_key();
        let found = graph
            .slot_variables()
            .find(|slot| slot.variable.checkpoint_key() == key);
        assert_eq!(found.unwrap().expected_key().as_deref(), key);
    }
}

fn message(error: savedmodel::Error) -> String {
    assert!(
        matches!(error.kind(), ErrorKind::InvalidArgument { .. }),
        "{error}"
    );
    error.to_string()
}

#[test]
fn what_a_tree_holds_can_be_looked_at() {
    let theirs = BundleReader::open(vectors().join("tables/ckpt")).unwrap();
    let mut tree = ObjectTree::read(&theirs).unwrap();
    let table = tree.object("net/table").unwrap();
    let keys = tree.attribute(table, "table-keys").unwrap();
    assert_eq!(keys.strings().unwrap().get(0), Some(&b"a"[..]));
    assert_eq!(
        (tree.attribute(table, "table"), tree.value(table)),
        (None, None)
    );
    let two = Tensor::from_slice([1], &[2i64]).unwrap();
    tree.set_attribute(table, "table-values", two.clone())
        .unwrap();
    let serialized = tree.serialize().unwrap();
    let mut tensors = serialized.tensors();
    let changed = tensors.find(|(key, _)| **key == *"net/table/.ATTRIBUTES/table-values");
    assert_eq!(changed.unwrap().1, &two);

    let theirs = BundleReader::open(vectors().join("slots/ckpt")).unwrap();
    let tree = ObjectTree::read(&theirs).unwrap();
    let slots: Vec<_> = tree.slots(tree.object("opt").unwrap()).collect();
    assert_eq!(slots.len(), 4);
    assert_eq!(
        (slots[0].0, slots[0].1),
        ("v", tree.object("net.z").unwrap())
    );
    assert!(tree.value(slots[0].2).is_some());
    let error = tree.object("net.zz").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`zz` of object 1 (has `deep`, `z`"),
        "{error}"
    );
}

#[test]
fn what_is_no_tree_is_refused_where_it_is_described() {
    let mut tree = ObjectTree::new();
    let root = tree.root();
    let scalar = || Tensor::scalar(1f32);
    let w = tree.track(root, "w", scalar()).unwrap();
    let list = tree.track(root, "list", Child::List).unwrap();
    tree.track(list, "3", scalar()).unwrap();
    let last = tree.append(list, w).unwrap();
    assert_eq!(last, w);
    let names: Vec<&str> = tree.children(list).map(|(name, _)| name).collect();
    assert_eq!(names, ["3", "4"]);
    let point = tree.track(root, "point", Child::NamedTuple).unwrap();
    let slot = tree.add_slot(root, "m", w, scalar()).unwrap();
    let count = tree.len();

    let table = |keys: &[u64], values: &[u64]| Child::Table {
        keys: counted(keys),
        values: counted(values),
    };
    let mut other = ObjectTree::new();
    let stranger = other.track(other.root(), "x", scalar()).unwrap();
    let elsewhere = "of another tree";
    for (error, expected) in [
        (tree.track(root, "", Child::Module), "without a name"),
        (
            tree.track(root, "w", Child::Module),
            "has a child `w` already",
        ),
        (
            tree.track(w, "x", Child::Module),
            "a variable, which holds no objects",
        ),
        (tree.track(root, "a.ATTRIBUTES", w), "cannot restore them"),
        (
            tree.track(list, "x", Child::Module),
            "whose next index is 5",
        ),
        (
            tree.track(list, "4", Child::Module),
            "whose next index is 5",
        ),
        (
            tree.track(list, "05", Child::Module),
            "whose next index is 5",
        ),
        (tree.append(root, Child::Module), "only lists and tuples"),
        (
            tree.track(point, "0", Child::Module),
            "counts its fields itself",
        ),
        (tree.track(root, "slot", slot), "belongs to its optimizer"),
        (tree.track(root, "x", stranger), elsewhere),
        (tree.track(stranger, "x", w), elsewhere),
        (
            tree.track(root, "t", table(&[2], &[3])),
            "keys of shape [2] and values of shape [3]",
        ),
        (
            tree.track(root, "t", table(&[], &[])),
            "keys of shape [] and",
        ),
        (tree.add_slot(root, "", w, scalar()), "it has no name"),
        (tree.add_slot(root, "m", w, scalar()), "already"),
        (
            tree.add_slot(root, "v", list, scalar()),
            "what it is kept for is no variable",
        ),
        (
            tree.add_slot(root, "v", w, list),
            "what is kept is no variable",
        ),
        (
            tree.add_slot(root, "v", w, Child::Module),
            "what is kept is no variable",
        ),
        (
            tree.add_slot(root, "v", w, w),
            "is tracked, or in another slot",
        ),
        (
            tree.add_slot(root, "v", w, slot),
            "is tracked, or in another slot",
        ),
        (tree.add_slot(stranger, "v", w, scalar()), elsewhere),
    ] {
        let error = message(error.unwrap_err());
        assert!(error.contains(expected), "{error}, but: {expected}");
    }
    for (error, expected) in [
        (tree.set_value(list, scalar()), "only a variable"),
        (
            tree.set_value(w, Tensor::scalar(1i64)),
            "a value of int64 [] for a variable of float32 []",
        ),
        (
            tree.set_value(w, counted(&[1])),
            "a value of float32 [1] for",
        ),
        (
            tree.set_attribute(list, "a/b", scalar()),
            "cannot restore them",
        ),
        (tree.set_attribute(list, "", scalar()), "needs a name"),
        (
            tree.set_attribute(w, "VARIABLE_VALUE", scalar()),
            "is the value of a variable",
        ),
        (tree.set_attribute(stranger, "a", scalar()), elsewhere),
    ] {
        let error = message(error.unwrap_err());
        assert!(error.contains(expected), "{error}, but: {expected}");
    }
    assert_eq!(tree.len(), count, "something was added nevertheless");
    assert_eq!(tree.serialize().unwrap().tensors().len(), 3);
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is() {
    let mut tree = ObjectTree::new();
    let shape = PartialShape::new(&[None, Some(2)]).unwrap();
    let w = DescribedVariable::without_value(DType::FLOAT, shape);
    let w = tree.track(tree.root(), "w", w).unwrap();
    let error = message(tree.serialize().unwrap_err());
    assert!(
        error.contains("w/.ATTRIBUTES/VARIABLE_VALUE`: the variable has no value"),
        "{error}"
    );
    let directory = work_directory("refused");
    message(tree.write(directory.join("ckpt")).unwrap_err());
    message(tree.save(directory.join("ckpt")).unwrap_err());
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    let counter = tree.save_counter().unwrap();
    assert_eq!(tree.value(counter), Some(&Tensor::scalar(0i64)));

    tree.set_value(w, counted(&[3, 2])).unwrap();
    assert!(
        tree.save(directory.join("ckpt"))
            .unwrap()
            .ends_with("ckpt-1")
    );
    // One that is there is not replaced, and the counter stays.
    tree.set_value(counter, Tensor::scalar(0i64)).unwrap();
    message(tree.save(directory.join("ckpt")).unwrap_err());
    assert_eq!(tree.value(counter), Some(&Tensor::scalar(0i64)));
    tree.set_value(counter, Tensor::scalar(i64::MAX)).unwrap();
    message(tree.save(directory.join("ckpt")).unwrap_err());

    let mut tree = ObjectTree::new();
    tree.track(tree.root(), "save_counter", Child::List)
        .unwrap();
    let error = message(tree.save(directory.join("ckpt")).unwrap_err());
    assert!(error.contains("save_counter"), "{error}");
}

#[test]
fn depth_and_cycles_are_no_danger() {
    let mut tree = ObjectTree::new();
    let mut inner = tree.root();
    for _ in 0..100_000 {
        let next = tree.track(inner, "n", Child::Module).unwrap();
        tree.track(next, "up", inner).unwrap();
        inner = next;
    }
    tree.track(inner, "top", tree.root()).unwrap();
    tree.track(inner, "w", Tensor::scalar(1f32)).unwrap();
    let serialized = tree.serialize().unwrap();
    let (key, _) = serialized.tensors().next().unwrap();
    assert_eq!(key.len(), 200_000 + "w/.ATTRIBUTES/VARIABLE_VALUE".len());
    let graph = TrackableObjectGraph::decode(serialized.object_graph()).unwrap();
    assert!(
        graph
            .nodes
            .iter()
            .all(|node| node.has_checkpoint_values == Some(BoolValue { value: true }))
    );
}

/// Writes a bundle with that object graph and these tensors, and reads it as a tree.
fn read_forged(test: &str, graph: &[u8], keys: &[&str]) -> savedmodel::Result<ObjectTree> {
    let prefix = work_directory(test).join("forged");
    let mut bundle = BundleWriter::create(&prefix)?;
    for key in keys {
        bundle.add(key, &Tensor::scalar(1f32))?;
    }
    bundle.add(
        CheckpointGraph::KEY,
        &Tensor::from_strings(Shape::SCALAR, [graph])?,
    )?;
    bundle.finish()?;
    ObjectTree::read(&BundleReader::open(&prefix)?)
}

fn value(key: &str) -> trackable_object::SerializedTensor {
    trackable_object::SerializedTensor {
        name: "VARIABLE_VALUE".to_owned(),
        full_name: String::new(),
        checkpoint_key: key.to_owned(),
    }
}

fn edge(name: &str, node_id: i32) -> trackable_object::ObjectReference {
    trackable_object::ObjectReference {
        node_id,
        local_name: name.to_owned(),
    }
}

#[test]
fn graphs_that_name_what_is_not_there_are_refused() {
    let root = |child: i32| TrackableObject {
        children: vec![edge("w", child)],
        ..Default::default()
    };
    let variable = |key: &str| TrackableObject {
        attributes: vec![value(key)],
        ..Default::default()
    };
    let slots = |original: i32| TrackableObject {
        slot_variables: vec![trackable_object::SlotVariableReference {
            original_variable_node_id: original,
            slot_name: "m".to_owned(),
            slot_variable_node_id: 1,
        }],
        ..Default::default()
    };
    for (nodes, expected) in [
        (vec![], "an object graph of 0 objects"),
        (
            vec![root(1)],
            "object 0 leads to object 1, but there are 1 objects",
        ),
        (vec![root(-1)], "object 0 leads to object -1"),
        (vec![slots(7), variable("a")], "object 0 leads to object 7"),
        (
            vec![root(1), variable("b")],
            "a variable's value is not in the bundle",
        ),
        (
            vec![root(1), variable("a"), variable("a")],
            "two values of objects have this key",
        ),
        (
            vec![variable("_CHECKPOINTABLE_OBJECT_GRAPH")],
            "two values of objects have this key",
        ),
    ] {
        let graph = TrackableObjectGraph { nodes }.encode_to_vec();
        let error = read_forged("graphs", &graph, &["a"]).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Malformed { .. }),
            "{error}"
        );
        assert!(
            error.to_string().contains(expected),
            "{error}, but: {expected}"
        );
    }
    assert!(read_forged("graphs", b"\x0a\x05", &[]).is_err());
}

#[test]
fn what_no_schema_of_ours_has_stays() {
    // Field 9 in each message, field 12 in the graph, an object that nothing leads to, a tensor that
    // belongs to none, and objects in an order that TensorFlow would not have.
    let unknown = b"\x4a\x01x";
    let nested = |number: u8, message: Vec<u8>, more: &[u8]| {
        let mut field = vec![number << 3 | 2, (message.len() + more.len()) as u8];
        field.extend(message);
        field.extend_from_slice(more);
        field
    };
    let saver = savedmodel::proto::RegisteredSaver {
        name: "Custom.saver".to_owned(),
        object_name: "b".to_owned(),
    };
    let root = [
        nested(1, edge("b", 2).encode_to_vec(), unknown),
        nested(4, saver.encode_to_vec(), unknown),
        nested(5, vec![8, 1], b""),
    ];
    let lonely = [
        nested(2, value("lonely").encode_to_vec(), unknown),
        nested(5, vec![8, 1], b""),
    ];
    let b = [
        nested(2, value("b").encode_to_vec(), b""),
        nested(5, vec![8, 1], b""),
    ];
    let graph = [
        nested(1, root.concat(), unknown),
        nested(1, lonely.concat(), b""),
        nested(1, b.concat(), unknown),
        b"\x62\x01y".to_vec(),
    ]
    .concat();
    let keys = ["other", "lonely", "b"];
    let tree = read_forged("unknown", &graph, &keys).unwrap();
    let serialized = tree.serialize().unwrap();
    let numbered = [
        nested(
            1,
            [
                nested(1, edge("b", 1).encode_to_vec(), unknown),
                root[1..].concat(),
            ]
            .concat(),
            unknown,
        ),
        nested(1, b.concat(), unknown),
        nested(1, lonely.concat(), b""),
        b"\x62\x01y".to_vec(),
    ]
    .concat();
    assert_eq!(serialized.object_graph(), numbered);
    let keys: Vec<String> = serialized
        .tensors()
        .map(|(key, _)| key.to_string())
        .collect();
    assert_eq!(keys, ["b", "lonely", "other"]);
}

#[test]
fn a_bundle_may_hold_more_than_the_tree() {
    let prefix = work_directory("more").join("ckpt");
    let mut tree = ObjectTree::new();
    tree.track(tree.root(), "w", Tensor::scalar(1f32)).unwrap();
    let mut bundle = BundleWriter::options()
        .existing(Existing::Replace)
        .create(&prefix)
        .unwrap();
    bundle.add("extra", &Tensor::scalar(2f32)).unwrap();
    tree.write_into(&mut bundle).unwrap();
    bundle.finish().unwrap();
    let bundle = BundleReader::open(&prefix).unwrap();
    let keys: Vec<String> = bundle
        .entries()
        .map(|item| item.unwrap().0.to_string())
        .collect();
    assert_eq!(
        keys,
        [
            CheckpointGraph::KEY,
            "extra",
            "w/.ATTRIBUTES/VARIABLE_VALUE"
        ]
    );
    assert_eq!(
        ObjectTree::read(&bundle)
            .unwrap()
            .serialize()
            .unwrap()
            .tensors()
            .len(),
        2
    );
}

#[test]
fn a_pile_of_the_same_bytes_is_not_read_without_end() {
    let zeros = vec![0; 300 << 10];
    let graph = TrackableObjectGraph {
        nodes: vec![TrackableObject::default()],
    };
    let (payload, crc) = forge::string_payload(&[&graph.encode_to_vec()]);
    let object_graph = forge::Entry {
        dtype: 7,
        shard: 1,
        size: payload.len() as i64,
        crc,
        ..Default::default()
    };
    let entry = forge::Entry {
        dtype: 4,
        dims: vec![300 << 10],
        size: 300 << 10,
        crc: forge::masked_crc(&zeros),
        ..Default::default()
    };
    let mut bundle = forge::Bundle::of_shards([zeros, payload]);
    bundle.entry(CheckpointGraph::KEY, &object_graph);
    for number in 0..20_000 {
        bundle.entry(format!("{number:06}"), &entry);
    }
    let bundle = BundleReader::open_in(Arc::new(bundle.store()), "b").unwrap();
    let error = ObjectTree::read(&bundle).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::TooLarge { .. }),
        "{error}"
    );
}

#[test]
fn a_damaged_graph_is_an_error_or_another_tree() {
    let theirs = BundleReader::open(vectors().join("momentum/ckpt")).unwrap();
    let mut bundle = forge::Bundle::default();
    for (key, tensor) in theirs.read_all().unwrap() {
        if let Some(bytes) = tensor.bytes() {
            let dims: Vec<i64> = tensor
                .shape()
                .dims()
                .iter()
                .map(|&dim| dim as i64)
                .collect();
            bundle.dense(&key, tensor.dtype().number().into(), &dims, bytes);
        }
    }
    let graph = ObjectTree::read(&theirs).unwrap();
    let graph = graph.serialize().unwrap().object_graph().to_vec();
    bundle.shards.push(Vec::new());
    bundle.entries.insert(Vec::new(), forge::header(2));
    let (mut read, mut refused) = (0, 0);
    for place in 0..graph.len() {
        for change in [0x01, 0x08, 0x80, 0xff] {
            let mut damaged = graph.clone();
            damaged[place] ^= change;
            if change == 0xff {
                damaged.truncate(place);
            }
            let (payload, crc) = forge::string_payload(&[&damaged]);
            let entry = forge::Entry {
                dtype: 7,
                shard: 1,
                size: payload.len() as i64,
                crc,
                ..Default::default()
            };
            bundle.entry(CheckpointGraph::KEY, &entry);
            bundle.shards[1] = payload;
            let bundle = BundleReader::open_in(Arc::new(bundle.store()), "b").unwrap();
            let Ok(tree) = ObjectTree::read(&bundle) else {
                refused += 1;
                continue;
            };
            // What was read can be written, all of it.
            let serialized = tree.serialize().unwrap();
            assert_eq!(serialized.tensors().len() + 1, bundle.entries().count());
            let again = CheckpointGraph::decode(&serialized.object_graph().to_vec().into());
            assert_eq!(again.unwrap().len(), tree.len());
            read += 1;
        }
    }
    assert!(read > 500 && refused > 500, "{read}, {refused}");
}

#[test]
fn slots_of_objects_that_nothing_leads_to_stay() {
    let slot = |variable: i32| trackable_object::SlotVariableReference {
        original_variable_node_id: 0,
        slot_name: "m".to_owned(),
        slot_variable_node_id: variable,
    };
    // A slot variable that has slots, and an object apart that has one.
    let nodes = vec![
        TrackableObject {
            slot_variables: vec![slot(1)],
            ..Default::default()
        },
        TrackableObject {
            slot_variables: vec![slot(2)],
            ..Default::default()
        },
        TrackableObject::default(),
        TrackableObject {
            slot_variables: vec![slot(2), slot(1)],
            ..Default::default()
        },
    ];
    let graph = TrackableObjectGraph { nodes }.encode_to_vec();
    let tree = read_forged("apart", &graph, &[]).unwrap();
    let serialized = tree.serialize().unwrap();
    let graph = TrackableObjectGraph::decode(serialized.object_graph()).unwrap();
    let slots: Vec<Vec<i32>> = graph
        .nodes
        .iter()
        .map(|node| {
            let slots = node.slot_variables.iter();
            slots.map(|slot| slot.slot_variable_node_id).collect()
        })
        .collect();
    assert_eq!(slots, [vec![1], vec![2], vec![], vec![2, 1]]);
}
