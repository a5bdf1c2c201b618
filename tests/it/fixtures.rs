//! The bundles under `tests/fixtures` against `expected_bundles.json`: what TensorFlow reads from
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use savedmodel::bundle::{CheckpointState, Key, Verification, latest_checkpoint, locate_bundle};
use savedmodel::store::Mapping;
use savedmodel::{BundleReader, ErrorKind, Extent, Shape, Tensor, TensorSlice};
use serde_json::Value;

use crate::answers::{difference, unhex};

pub(crate) fn fixtures() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"))
}

/// The rows of `dump_bundles.py` by bundle.
pub(crate) fn by_bundle(rows: &Value) -> BTreeMap<&str, Vec<&Value>> {
    let mut bundles = BTreeMap::<_, Vec<_>>::new();
    for row in rows.as_array().unwrap() {
        let name = row["bundle"].as_str().unwrap();
        bundles.entry(name).or_default().push(row);
    }
    bundles
}

fn expected() -> Value {
    let text = fs::read_to_string(fixtures().join("expected_bundles.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A box from the middle of a tensor, of at least one element if it has any.
fn middle(shape: &Shape) -> TensorSlice {
    let extents: Vec<Extent> = shape
        .dims()
        .iter()
        .map(|&size| Extent::Range {
            start: size / 3,
            length: size.div_ceil(2),
        })
        .collect();
    TensorSlice::new(extents)
}

/// Compares one tensor by every route; returns what differs.
pub(crate) fn check_row(reader: &BundleReader, row: &Value) -> Vec<String> {
    let key = unhex(&row["key_hex"]);
    let mut faults = Vec::new();
    let mut note = |route: &str, fault: String| {
        faults.push(format!("{}, {route}: {fault}", key.escape_ascii()));
    };
    let tensor = match reader.tensor(&key) {
        Ok(tensor) => tensor,
        Err(error) => {
            note("tensor", error.to_string());
            return faults;
        }
    };
    if let Some(fault) = difference(&tensor, row) {
        note("tensor", fault);
    }
    let entry = reader.entry(&key).unwrap();
    if (entry.dtype(), entry.shape()) != (tensor.dtype(), tensor.shape()) {
        note("entry", format!("{} {}", entry.dtype(), entry.shape()));
    }
    let mut same = |route: &str, other: savedmodel::Result<Tensor>, expected: &Tensor| match other {
        Ok(other) if other == *expected => {}
        Ok(other) => note(route, format!("{other:?} is not {expected:?}")),
        Err(error) => note(route, error.to_string()),
    };
    same("read", reader.read(&key), &tensor);
    same("tensor_of", reader.tensor_of(&key, &entry), &tensor);
    let part = middle(tensor.shape());
    let cut = tensor.slice(&part).unwrap();
    same(&format!("slice {part}"), reader.slice(&key, &part), &cut);
    let whole = TensorSlice::full(tensor.shape().rank());
    same("slice of all", reader.slice(&key, &whole), &tensor);
    let mut out = vec![0xaa; tensor.byte_len() as usize];
    let read = reader.read_into(&key, &mut out);
    match (tensor.bytes(), read) {
        (Some(bytes), Ok(())) if out == bytes => {}
        (None, Err(error)) if matches!(error.kind(), ErrorKind::InvalidArgument { .. }) => {}
        (_, read) => note("read_into", format!("{read:?}")),
    }
    faults
}

/// Compares the names in a bundle, in both directions, and what `read_all` and `verify` say.
pub(crate) fn check_bundle(reader: &BundleReader, rows: &[&Value]) -> Vec<String> {
    let mut faults = Vec::new();
    let theirs: BTreeSet<Vec<u8>> = rows.iter().map(|row| unhex(&row["key_hex"])).collect();
    let ours = reader.entries().map(|item| item.unwrap().0.to_vec());
    let ours: BTreeSet<Vec<u8>> = ours.collect();
    for (key, who) in ours
        .difference(&theirs)
        .map(|key| (key, "TensorFlow does not have it"))
        .chain(theirs.difference(&ours).map(|key| (key, "we miss it")))
    {
        faults.push(format!("{}: {who}", key.escape_ascii()));
    }
    faults.extend(rows.iter().flat_map(|row| check_row(reader, row)));

    let all: BTreeMap<Key, Tensor> = reader.read_all().unwrap().into_iter().collect();
    if all.len() != theirs.len() {
        faults.push(format!("read_all gives {} tensors", all.len()));
    }
    for row in rows {
        let key = unhex(&row["key_hex"]);
        match all.get(&key[..]) {
            Some(tensor) => faults.extend(
                difference(tensor, row)
                    .map(|fault| format!("{}, read_all: {fault}", key.escape_ascii())),
            ),
            None => faults.push(format!("{}: not in read_all", key.escape_ascii())),
        }
    }
    let verification = reader.verify().unwrap();
    let Verification {
        tensors, remarks, ..
    } = &verification;
    if !verification.is_sound() || *tensors != theirs.len() as u64 || !remarks.is_empty() {
        faults.push(format!("{verification:?}"));
    }
    faults
}

pub(crate) fn assert_none(faults: &[String]) {
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

/// All files below a directory whose names end so, as paths relative to it.
pub(crate) fn files_below(directory: &Path, is_wanted: &dyn Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(inside) = directories.pop() {
        for file in fs::read_dir(inside).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if is_wanted(path.file_name().unwrap().to_str().unwrap()) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_bundle_has_what_tensorflow_reads_by_every_route() {
    let expected = expected();
    let mut faults = Vec::new();
    let (mut bundles, mut tensors) = (0, 0);
    for (name, rows) in by_bundle(&expected) {
        let prefix = fixtures().join(name);
        if rows[0]["format"] == "v1" {
            let error = BundleReader::open(&prefix).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Unsupported { .. }),
                "{error}"
            );
            assert!(error.to_string().contains("V1"), "{error}");
            assert!(error.help().is_some());
            continue;
        }
        for mapping in [Mapping::Auto, Mapping::Never] {
            let reader = BundleReader::options().mapping(mapping).open(&prefix);
            let found = check_bundle(&reader.unwrap(), &rows);
            faults.extend(found.iter().map(|f| format!("{name}, {mapping:?}: {f}")));
        }
        bundles += 1;
        tensors += rows.len();
    }
    assert_none(&faults);
    assert!(bundles >= 31 && tensors >= 326, "{bundles}, {tensors}");
}

#[test]
fn no_bundle_is_left_out() {
    let expected = expected();
    let mut named: Vec<PathBuf> = by_bundle(&expected)
        .into_iter()
        .filter(|(_, rows)| rows[0]["format"] == "v2")
        .map(|(name, _)| fixtures().join(format!("{name}.index")))
        .collect();
    named.sort();
    assert_eq!(
        files_below(&fixtures(), &|name| name.ends_with(".index")),
        named
    );
}

#[test]
fn models_lead_to_their_bundles() {
    let models = files_below(&fixtures(), &|name| name.starts_with("saved_model.pb"));
    let (mut with, mut without) = (0, Vec::new());
    for model in &models {
        let directory = model.parent().unwrap();
        let prefix = directory.join("variables/variables");
        if !prefix.with_extension("index").is_file() {
            let error = locate_bundle(directory).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::NotFound { .. }),
                "{error}"
            );
            without.push(directory.strip_prefix(fixtures()).unwrap().to_owned());
            continue;
        }
        let mut ways = vec![
            directory.to_owned(),
            directory.join("variables"),
            prefix.clone(),
        ];
        ways.extend(files_below(&directory.join("variables"), &|_| true));
        for way in &ways {
            assert_eq!(locate_bundle(way).unwrap(), prefix, "{}", way.display());
            BundleReader::open(locate_bundle(way).unwrap()).unwrap();
        }
        with += 1;
    }
    assert!(with >= 20, "{with}");
    assert!(without.contains(&PathBuf::from("v1_no_variables")));
}

#[test]
fn directories_of_checkpoints_lead_to_the_latest() {
    let states = files_below(&fixtures(), &|name| name == "checkpoint");
    let mut seen = Vec::new();
    for state in &states {
        let directory = state.parent().unwrap();
        let name = directory.file_name().unwrap().to_str().unwrap();
        let state = CheckpointState::read(directory).unwrap().unwrap();
        let latest = latest_checkpoint(directory).unwrap().unwrap();
        assert_eq!(latest, directory.join(&state.model_checkpoint_path));
        assert_eq!(locate_bundle(directory).unwrap(), latest);
        assert_eq!(
            state.all_model_checkpoint_paths.last(),
            Some(&state.model_checkpoint_path)
        );
        for path in &state.all_model_checkpoint_paths {
            let opened = BundleReader::open(directory.join(path));
            assert_eq!(opened.is_ok(), name != "ckpt_v1_format", "{name}/{path}");
        }
        let paths = state.all_model_checkpoint_paths.join(" ");
        seen.push(format!("{name}: {paths}"));
    }
    assert_eq!(
        seen,
        [
            "ckpt_manager: ckpt-1 ckpt-2",
            "ckpt_saver: model.ckpt-7",
            "ckpt_v1_format: model.ckpt-7",
            "keras2_optimizer: ckpt-1",
            "keras2_slots: ckpt-1",
            "tf115_ckpt: model.ckpt-1 model.ckpt-2",
        ]
    );

    let managed = CheckpointState::read(fixtures().join("ckpt_manager"));
    let managed = managed.unwrap().unwrap();
    assert_eq!(
        managed.all_model_checkpoint_timestamps,
        [1700000000.5, 1700000000.5]
    );
    assert_eq!(managed.last_preserved_timestamp, Some(1699999999.5));

    let none = fixtures().join("all_dtypes");
    assert_eq!(CheckpointState::read(&none).unwrap(), None);
    assert_eq!(latest_checkpoint(&none).unwrap(), None);
    assert_eq!(locate_bundle(&none).unwrap(), none.join("b"));
}

#[test]
fn paths_need_not_be_ascii() {
    let prefix = locate_bundle(fixtures().join("non_ascii/模型 é")).unwrap();
    let reader = BundleReader::open(prefix).unwrap();
    let path = reader.index_path().to_str().unwrap();
    assert!(path.ends_with("模型 é/variables/variables.index"), "{path}");
    let error = reader.tensor("größe").unwrap_err();
    assert!(error.to_string().contains("模型 é"), "{error}");
}
