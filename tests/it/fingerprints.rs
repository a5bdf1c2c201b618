//! Fingerprints against those TensorFlow wrote and computes, and messages against the bytes it
//! writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use savedmodel::fingerprint::{
    Fingerprint64, FingerprintRelease, HashVerdict, fingerprint_cat64, fingerprint64,
};
use savedmodel::store::MemoryStore;
use savedmodel::wire::{Canonical, MapOrder, means_the_same};
use savedmodel::{ErrorKind, Fingerprint};
use serde_json::Value;

use crate::answers::unhex;
use crate::fixtures::{assert_none, files_below};
use crate::tensorflow;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn vectors() -> PathBuf {
    tests().join("vectors/fingerprint")
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}

/// The models of one kind with what TensorFlow computes of them.
fn expected(kind: &str) -> BTreeMap<String, Value> {
    let all = json(&vectors().join("expected.json"));
    let of_kind = all[kind].as_object().unwrap();
    of_kind
        .iter()
        .map(|(name, row)| (name.clone(), row.clone()))
        .collect()
}

fn rules(row: &Value) -> FingerprintRelease {
    match row["rules"].as_str() {
        Some("2.11") => FingerprintRelease::V2_11,
        Some("2.12") => FingerprintRelease::V2_12,
        _ => FingerprintRelease::V2_14,
    }
}

/// Compares the hashes that the row has.
fn difference(name: &str, computed: &Fingerprint, row: &Value) -> Vec<String> {
    let rows = computed
        .hashes()
        .into_iter()
        .filter(|(field, _)| !row[field].is_null());
    rows.filter(|(field, hash)| *hash != number(&row[field]))
        .map(|(field, hash)| format!("{name}: {field} is {hash}, not {}", row[field]))
        .collect()
}

/// A model of the vectors in a store, as a directory has it.
fn model_in_memory(name: &str) -> MemoryStore {
    let directory = vectors().join("models").join(name);
    let mut store = MemoryStore::new();
    for (file, inside) in [
        ("model.pb", "saved_model.pb"),
        ("variables.index", "variables/variables.index"),
        ("fingerprint.pb", "fingerprint.pb"),
    ] {
        if let Ok(bytes) = fs::read(directory.join(file)) {
            store.insert(inside, bytes);
        }
    }
    store
}

#[test]
fn hashes_are_those_of_tensorflow() {
    let hashes = json(&vectors().join("hash.json"));
    let pattern = |len: u64| -> Vec<u8> { (0..len).map(|i| (i * 131 + 7) as u8).collect() };
    let rows = hashes["fingerprint64"].as_array().unwrap();
    assert!(rows.len() > 200);
    for row in rows {
        let bytes = pattern(row[0].as_u64().unwrap());
        assert_eq!(
            fingerprint64(&bytes),
            number(&row[1]),
            "{} bytes",
            bytes.len()
        );
        let mut hasher = Fingerprint64::new();
        bytes.chunks(61).for_each(|chunk| hasher.update(chunk));
        assert_eq!(
            hasher.finish(),
            number(&row[1]),
            "{} bytes in pieces",
            bytes.len()
        );
    }
    for row in hashes["cat64"].as_array().unwrap() {
        assert_eq!(
            fingerprint_cat64(number(&row[0]), number(&row[1])),
            number(&row[2])
        );
    }
}

#[test]
fn models_of_every_release_have_the_fingerprint_it_wrote() {
    let mut faults = Vec::new();
    for (name, row) in expected("models") {
        let store = model_in_memory(&name);
        let computed = Fingerprint::compute_in(&store, "", rules(&row)).unwrap();
        faults.extend(difference(&name, &computed, &row));
        assert_eq!(computed.singleprint(), row["singleprint"], "{name}");

        let Some(stored) = Fingerprint::read_in(&store, "").unwrap() else {
            assert!(name.contains("tf1"), "{name}");
            continue;
        };
        faults.extend(difference(&name, &stored, &row));
        assert_eq!(stored.producer, row["producer"], "{name}");
        assert_eq!(stored.uuid, row["uuid"], "{name}");
        let bytes = fs::read(vectors().join("models").join(&name).join("fingerprint.pb")).unwrap();
        assert_eq!(stored.encode(), bytes, "{name}");
        let verification = Fingerprint::verify_in(&store, "").unwrap();
        assert!(verification.is_verified(), "{name}: {verification:?}");
        assert!(
            verification
                .hashes
                .iter()
                .all(|hash| hash.verdict == HashVerdict::Equal)
        );
        let is_nameless = rules(&row) < FingerprintRelease::V2_14;
        assert_eq!(verification.hashes[2].note.is_some(), is_nameless, "{name}");
    }
    assert_none(&faults);
}

#[test]
fn edge_cases_have_the_hashes_of_tensorflow_or_an_error_where_it_has_none() {
    let mut faults = Vec::new();
    let mut refused = 0;
    for kind in ["edge", "hostile"] {
        for (name, row) in expected(kind) {
            let bytes = fs::read(vectors().join(kind).join(&name)).unwrap();
            let computed = Fingerprint::of(&bytes, FingerprintRelease::V2_14);
            match (row["tensorflow"].as_str().unwrap_or("ok"), computed) {
                // Which of two functions it hashes changes from run to run.
                ("ok", Ok(_)) if name == "fn_dup_uid.pb" => {}
                ("ok", Ok(computed)) => faults.extend(difference(&name, &computed, &row)),
                ("ok", Err(error)) => faults.push(format!("{name}: {error}")),
                (answer, Ok(_)) => faults.push(format!("{name}: TensorFlow says {answer}")),
                (answer, Err(error)) => {
                    refused += 1;
                    let is_damage = matches!(error.kind(), ErrorKind::Malformed { .. });
                    let says = error
                        .to_string()
                        .contains("TensorFlow computes no fingerprint");
                    if answer == "crash" && !says || is_damage == says {
                        faults.push(format!("{name}: {error}"));
                    }
                }
            }
        }
    }
    assert_none(&faults);
    assert_eq!(refused, 12);
}

/// All models below a directory of the tests that have a `fingerprint.pb`.
fn with_fingerprint() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in ["fixtures", "cli-goldens"] {
        let files = files_below(&tests().join(directory), &|name| name == "fingerprint.pb");
        found.extend(files.iter().map(|file| file.parent().unwrap().to_owned()));
    }
    found
}

#[test]
fn every_fixture_has_the_fingerprint_that_tensorflow_wrote() {
    let models = with_fingerprint();
    assert!(models.len() >= 37, "{}", models.len());
    let mut faults = Vec::new();
    for model in &models {
        let stored = Fingerprint::read(model).unwrap().unwrap();
        assert_eq!(
            stored.encode(),
            fs::read(model.join("fingerprint.pb")).unwrap()
        );
        let verification = Fingerprint::verify(model).unwrap();
        let name = model.file_name().unwrap().to_str().unwrap();
        for hash in &verification.hashes {
            if hash.verdict != HashVerdict::Equal && !CHANGED.contains(&name) {
                faults.push(format!("{}: {hash:?}", model.display()));
            }
        }
    }
    assert_none(&faults);
}

fn saved_models() -> Vec<PathBuf> {
    let mut found = files_below(&tests(), &|name| name == "saved_model.pb");
    found.retain(|path| !path.ends_with("parse_example/saved_model.pb"));
    found
}

/// Written by TensorFlow and then changed by the script that made them, with whatever encoding the
/// script had.
const CHANGED: [&str; 6] = [
    "custom_op",
    "custom_op_main_graph_only",
    "module_crafted_values",
    "object_graph_two_metagraphs",
    "registered_type_spec",
    "twice",
];

#[test]
fn a_model_encoded_again_has_the_bytes_that_tensorflow_wrote() {
    let mut faults = Vec::new();
    let (mut same, mut unordered) = (0, 0);
    for path in saved_models() {
        let directory = path.parent().unwrap();
        let name = directory.file_name().unwrap().to_str().unwrap();
        if directory.parent().unwrap().ends_with("bad") || CHANGED.contains(&name) {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let encode = |order| Canonical::new(&bytes, "tensorflow.SavedModel", order).unwrap();
        let python = encode(MapOrder::Python);
        assert_eq!(python.to_vec().len() as u64, python.len());
        if name.starts_with("tf115") {
            // Its maps have the order of a hash table; all else must be where it was.
            let mut sorted = [bytes.clone(), python.to_vec()];
            sorted.iter_mut().for_each(|bytes| bytes.sort_unstable());
            assert_eq!(sorted[0], sorted[1], "{name}");
            unordered += 1;
        } else if python.to_vec() != bytes {
            faults.push(path.display().to_string());
        }
        same += 1;
        // From one order to the other and back.
        let cpp = encode(MapOrder::Cpp).to_vec();
        let again = Canonical::new(&cpp, "tensorflow.SavedModel", MapOrder::Python).unwrap();
        assert!(again == python, "{name}");
        assert!(means_the_same(&cpp, &bytes, "tensorflow.SavedModel").unwrap());
    }
    assert_none(&faults);
    assert!(same >= 48 && unordered == 3, "{same}, {unordered}");
    // TensorFlow 2.11 came with a protobuf whose Python had the order of C++.
    let old = fs::read(vectors().join("models/tf2.11_nosig/model.pb")).unwrap();
    let cpp = Canonical::new(&old, "tensorflow.SavedModel", MapOrder::Cpp).unwrap();
    assert_eq!(cpp.to_vec(), old);
    for name in [
        "tf2.12_nosig",
        "tf2.15_nosig",
        "tf2.20_nosig",
        "tf2.21_tf1",
        "tf2.21_table",
    ] {
        let bytes = fs::read(vectors().join("models").join(name).join("model.pb")).unwrap();
        let python = Canonical::new(&bytes, "tensorflow.SavedModel", MapOrder::Python).unwrap();
        assert_eq!(python.to_vec(), bytes, "{name}");
    }
}

const SEED: &str = "SAVEDMODEL_TF_SEED";

/// What `dump_fingerprints.py` prints; `None` where there is no TensorFlow.
fn tensorflow(arguments: &[&str]) -> Option<Value> {
    let arguments: Vec<&Path> = arguments.iter().map(Path::new).collect();
    let printed = tensorflow::run("dump_fingerprints.py", &arguments)?;
    Some(serde_json::from_slice(&printed).unwrap())
}

fn seed() -> String {
    std::env::var(SEED).unwrap_or_else(|_| "1".to_owned())
}

#[test]
fn interop_hashes_are_those_of_tensorflow_for_every_length() {
    let Some(rows) = tensorflow(&["hashes", &seed()]) else {
        return;
    };
    let rows = rows.as_array().unwrap();
    assert!(rows.len() > 1070);
    for row in rows {
        let bytes = unhex(&row["data_hex"]);
        assert_eq!(
            fingerprint64(&bytes),
            number(&row["hash"]),
            "{} bytes",
            bytes.len()
        );
        let mut hasher = Fingerprint64::new();
        bytes.chunks(101).for_each(|chunk| hasher.update(chunk));
        assert_eq!(
            hasher.finish(),
            number(&row["hash"]),
            "{} bytes in pieces",
            bytes.len()
        );
    }
}

#[test]
fn interop_every_model_has_the_fingerprint_tensorflow_computes_now() {
    let root = tests();
    let Some(rows) = tensorflow(&["models", root.to_str().unwrap()]) else {
        return;
    };
    let mut faults = Vec::new();
    let mut equal = 0;
    // Split ones have a test of their own.
    let whole = rows.as_object().unwrap().iter();
    for (name, row) in whole.filter(|(name, _)| !name.starts_with("vectors/chunked")) {
        let computed = Fingerprint::compute(root.join(name));
        match (row["tensorflow"].as_str().unwrap(), computed) {
            ("ok", Ok(computed)) => {
                assert_eq!(computed.producer, row["producer"], "{name}");
                faults.extend(difference(name, &computed, row));
                equal += 1;
            }
            ("ok", Err(error)) => faults.push(format!("{name}: {error}")),
            (answer, Ok(_)) => faults.push(format!("{name}: TensorFlow says {answer}")),
            (_, Err(_)) => {}
        }
    }
    assert_none(&faults);
    assert!(equal >= 55, "{equal}");
}

#[test]
fn interop_hostile_models_have_the_hashes_of_tensorflow_or_no_more_than_it() {
    let directory = vectors();
    let Some(rows) = tensorflow(&["random", &seed(), "700", directory.to_str().unwrap()]) else {
        return;
    };
    let mut faults = Vec::new();
    let mut answers = BTreeMap::<&str, usize>::new();
    for row in rows.as_array().unwrap() {
        let bytes = unhex(&row["data_hex"]);
        let name = row["data_hex"].as_str().unwrap();
        let computed = Fingerprint::of(&bytes, FingerprintRelease::V2_14);
        let answer = row["tensorflow"].as_str().unwrap();
        *answers.entry(answer).or_default() += 1;
        match (answer, computed) {
            ("ok", Ok(_)) => {
                let mut stored = Fingerprint::default();
                stored.producer = 4;
                stored.saved_model_checksum = number(&row["saved_model_checksum"]);
                stored.graph_def_program_hash = number(&row["graph_def_program_hash"]);
                stored.signature_def_hash = number(&row["signature_def_hash"]);
                stored.saved_object_graph_hash = number(&row["saved_object_graph_hash"]);
                let store: MemoryStore = [("saved_model.pb", bytes)].into_iter().collect();
                // What TensorFlow hashes at random cannot be compared, and is said to be so.
                let compared = stored.compare_in(&store, "").unwrap();
                if !compared.is_verified() {
                    faults.push(format!("{name}: {compared:?}"));
                }
            }
            ("ok", Err(error)) => faults.push(format!("{name}: {error}")),
            (answer, Ok(_)) => faults.push(format!("{name}: TensorFlow says {answer}")),
            (_, Err(_)) => {}
        }
    }
    assert_none(&faults);
    assert!(answers["ok"] > 300, "{answers:?}");
}

#[test]
fn split_models_have_the_fingerprint_that_tensorflow_computes() {
    let root = tests().join("vectors/chunked/models");
    let mut faults = Vec::new();
    let files = files_below(&root, &|name| name == "fingerprint.pb");
    assert!(files.len() >= 7);
    for file in &files {
        let model = file.parent().unwrap();
        let stored = Fingerprint::read(model).unwrap().unwrap();
        assert_eq!(stored.producer, 2);
        let computed = Fingerprint::compute(model).unwrap();
        assert_eq!(computed.producer, 2);
        if computed != stored {
            faults.push(format!("{}: {computed}, not {stored}", model.display()));
            continue;
        }
        assert!(Fingerprint::verify(model).unwrap().is_verified());
    }
    assert_none(&faults);
}

#[test]
fn interop_split_models_have_the_fingerprint_tensorflow_computes_now() {
    let root = tests().join("vectors/chunked");
    let Some(rows) = tensorflow(&["models", root.to_str().unwrap()]) else {
        return;
    };
    let mut faults = Vec::new();
    let mut equal = 0;
    for (name, row) in rows.as_object().unwrap() {
        let computed = Fingerprint::compute(root.join(name));
        match (row["tensorflow"].as_str().unwrap(), computed) {
            ("ok", Ok(computed)) => {
                faults.extend(difference(name, &computed, row));
                equal += 1;
            }
            // Records that are stored in a way which our reader does not have.
            ("ok", Err(error)) if matches!(error.kind(), ErrorKind::Unsupported { .. }) => {}
            ("ok", Err(error)) => faults.push(format!("{name}: {error}")),
            (_, _) => {}
        }
    }
    assert_none(&faults);
    assert!(equal >= 12, "{equal}");
}
