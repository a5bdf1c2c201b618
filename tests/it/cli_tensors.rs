//! The commands that write tensors: `variables --extract`, `merge`, `salvage`, `recover`.
//!
//! Texts are compared with the files under `tests/golden/tensors`; with `UPDATE_GOLDEN` in the
//! environment they are written instead. Each test works in a directory of its own, so that paths in
//! texts are the same everywhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use savedmodel::numpy::NpyReader;
use savedmodel::{BundleReader, BundleWriter, Tensor};
use serde_json::Value;

use crate::documents::Documents;
use crate::fixtures::fixtures;
use crate::scratch::Scratch;
use crate::tensorflow;
use crate::writing::{bundles, names};

/// Runs the tool in a directory: exit code, output, errors.
pub(crate) fn run(directory: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_savedmodel"))
        .current_dir(directory)
        .args(args)
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// Runs a command with `--json`; what it prints must be as the schema says, and no looser.
pub(crate) fn run_json(directory: &Path, args: &[&str]) -> (i32, Value) {
    let (code, out, err) = run(directory, &[args, &["--json"]].concat());
    let document: Value =
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{args:?}: {error}: {out}{err}"));
    let documents = Documents::new();
    assert_eq!(documents.fault(&document), None, "{args:?}: {out}");
    let loose = documents.looseness(&document);
    assert!(loose.is_empty(), "{args:?}: {loose:#?}");
    (code, document)
}

/// Compares all that a run answered with the file of that name.
pub(crate) fn assert_golden(name: &str, (code, out, err): (i32, String, String)) {
    let text = format!("{out}{err}exit code {code}\n");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
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

pub(crate) fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let place = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy_all(&path, &place),
            false => drop(fs::copy(&path, place).unwrap()),
        }
    }
}

/// A directory with copies of fixtures.
fn with_fixtures(test: &str, copied: &[&str]) -> Scratch {
    let scratch = Scratch::new(test);
    for name in copied {
        copy_all(&fixtures().join(name), &scratch.path().join(name));
    }
    scratch
}

pub(crate) fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 0x40;
    fs::write(file, bytes).unwrap();
}

fn tensors(prefix: &Path) -> BTreeMap<Vec<u8>, Tensor> {
    let bundle = BundleReader::open(prefix).unwrap();
    let entries = bundle.entries().map(|item| {
        let (key, entry) = item.unwrap();
        (key.to_vec(), bundle.read_of(&key, &entry).unwrap())
    });
    entries.collect()
}

fn bundle(prefix: PathBuf, tensors: &[(&str, Tensor)]) {
    let mut bundle = BundleWriter::create(prefix).unwrap();
    for (key, tensor) in tensors {
        bundle.add(key, tensor).unwrap();
    }
    bundle.finish().unwrap();
}

#[test]
fn texts_are_as_they_were() {
    let scratch = with_fixtures("tensors-golden", &["two_shards", "sharded_by_size"]);
    let here = scratch.path();
    let golden = |name: &str, args: &[&str]| {
        assert_golden(&format!("tensors/{name}"), run(here, args));
    };
    golden(
        "extract",
        &["variables", "sharded_by_size", "--extract", "arrays"],
    );
    golden(
        "extract_again",
        &["variables", "sharded_by_size", "--extract", "arrays"],
    );
    flip(
        &here.join("two_shards/variables/variables.data-00000-of-00002"),
        5,
    );
    golden(
        "extract_damaged",
        &["variables", "two_shards", "--extract", "damaged"],
    );
    golden("salvage", &["salvage", "two_shards", "rescued/ckpt"]);
    golden("salvage_again", &["salvage", "two_shards", "rescued/ckpt"]);
    golden(
        "salvage_into_itself",
        &[
            "salvage",
            "two_shards",
            "two_shards/variables/variables",
            "--replace",
        ],
    );
    for (name, value) in [("a", 1f32), ("b", 2.)] {
        bundle(
            here.join(format!("part-{name}")),
            &[(name, Tensor::scalar(value))],
        );
    }
    golden(
        "merge_missing",
        &["merge", "part-a", "part-b", "part-c", "--into", "ckpt-1"],
    );
    golden(
        "merge_kept",
        &[
            "merge",
            "part-a.index",
            "part-b.index",
            "part-c",
            "--into",
            "ckpt-1",
            "--allow-missing",
            "--keep-inputs",
        ],
    );
    golden(
        "merge_again",
        &["merge", "part-a", "part-b", "--into", "ckpt-1"],
    );
    golden(
        "merge_same_key",
        &["merge", "part-a", "ckpt-1", "--into", "ckpt-2"],
    );
    golden("recover_in_place", &["recover", "ckpt-1"]);
    golden("recover_nothing", &["recover", "ckpt-3"]);
    fs::rename(
        here.join("ckpt-1.index"),
        here.join("ckpt-1.index.set-aside-0-4711"),
    )
    .unwrap();
    golden("recover_restored", &["recover", "ckpt-1"]);
    fs::copy(
        here.join("ckpt-1.index"),
        here.join("ckpt-1.index.set-aside-0-4711"),
    )
    .unwrap();
    golden("recover_older", &["recover", "ckpt-1.index"]);
}

#[test]
fn extracted_files_hold_the_tensors() {
    for name in ["all_dtypes", "shapes", "v1_partitioned", "strings"] {
        let scratch = with_fixtures("extract", &[name]);
        let prefix = savedmodel::bundle::locate_bundle(scratch.path().join(name)).unwrap();
        let (code, document) = run_json(scratch.path(), &["variables", name, "--extract", "out"]);
        let mut refused = 0;
        for (key, tensor) in tensors(&prefix) {
            let key = String::from_utf8(key).unwrap();
            let rows = document["tensors"].as_array().unwrap();
            let row = rows.iter().find(|row| row["key"] == *key).unwrap();
            let Some(file) = row["file"].as_str() else {
                assert!(row["error"]["message"].is_string(), "{row}");
                refused += 1;
                continue;
            };
            let path = scratch.path().join("out").join(file);
            assert_eq!(row["bytes"], fs::metadata(&path).unwrap().len());
            let mut array = NpyReader::open(&path).unwrap();
            if key == "_CHECKPOINTABLE_OBJECT_GRAPH" {
                let expected = tensor.strings().unwrap().bytes().to_vec();
                assert_eq!(array.tensor().unwrap().bytes().unwrap(), expected);
                continue;
            }
            if array.dtype().is_none() {
                assert!(row["note"].as_str().unwrap().contains("ml_dtypes"));
                array = array.with_void_dtype(tensor.dtype()).unwrap();
            }
            assert!(array.tensor().unwrap() == tensor, "{name}: {key}");
        }
        assert_eq!(document["totals"]["failed"], refused, "{name}");
        assert_eq!(code, i32::from(refused > 0), "{name}: {document}");
    }
}

#[test]
fn hostile_keys_stay_in_the_directory() {
    let scratch = Scratch::new("extract-hostile");
    let here = scratch.path();
    let long = "x".repeat(300);
    let mut keys = vec![
        "../escaped",
        "../../escaped",
        "/escaped",
        "a/../../../escaped",
        "C:\\escaped",
        "a//b",
        "w",
        "W",
        "w.npy/x",
        "nul",
        "a\nb",
        &*long,
    ];
    keys.sort_unstable();
    let all: Vec<(&str, Tensor)> = (keys.iter().zip(0i64..))
        .map(|(key, value)| (*key, Tensor::scalar(value)))
        .collect();
    bundle(here.join("inside/b"), &all);
    let (code, document) = run_json(
        &here.join("inside"),
        &["variables", "b", "--extract", "out"],
    );
    assert_eq!(code, 1);
    assert_eq!(
        document["totals"],
        serde_json::json!({"written": 11, "bytes": 11 * 136, "failed": 1})
    );
    assert_eq!(names(here), ["inside"]);
    let inside = names(&here.join("inside"));
    assert_eq!(inside, ["b.data-00000-of-00001", "b.index", "out"]);
    let mut files = Vec::new();
    for (row, (key, tensor)) in document["tensors"].as_array().unwrap().iter().zip(&all) {
        assert_eq!(row["key"], **key);
        let Some(file) = row["file"].as_str() else {
            assert_eq!(**key, *long);
            continue;
        };
        let array = NpyReader::open(here.join("inside/out").join(file)).unwrap();
        assert!(array.tensor().unwrap() == *tensor, "{key}");
        files.push(file.to_lowercase());
    }
    files.sort_unstable();
    files.dedup();
    assert_eq!(files.len(), 11);
}

#[cfg(unix)]
#[test]
fn a_link_in_the_directory_is_not_followed() {
    let scratch = Scratch::new("extract-link");
    let here = scratch.path();
    bundle(here.join("b"), &[("a/x", Tensor::scalar(1i32))]);
    fs::create_dir_all(here.join("out")).unwrap();
    fs::create_dir_all(here.join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(here.join("elsewhere"), here.join("out/a")).unwrap();
    let args = ["variables", "b", "--extract", "out", "--overwrite"];
    let (code, _, err) = run(here, &args);
    assert_eq!(code, 2);
    assert!(err.contains("symbolic link"), "{err}");
    assert_eq!(names(&here.join("elsewhere")).len(), 0);
}

#[test]
fn strings_are_written_as_asked() {
    let scratch = Scratch::new("extract-strings");
    let here = scratch.path();
    let words = Tensor::from_strings([2], ["a\0", "bc"]).unwrap();
    bundle(
        here.join("b"),
        &[("words", words), ("x", Tensor::scalar(1i32))],
    );
    let (code, out, _) = run(here, &["variables", "b", "--extract", "out"]);
    assert_eq!(code, 1);
    assert!(
        out.contains("ends with a zero byte") && out.contains("--strings objects"),
        "{out}"
    );
    assert_eq!(names(&here.join("out")), ["x.npy"]);
    let args = [
        "variables",
        "b",
        "words",
        "--extract",
        "out",
        "--strings",
        "objects",
    ];
    let (code, document) = run_json(here, &args);
    assert_eq!((code, &document["totals"]["written"]), (0, &1.into()));
    let file = fs::read(here.join("out/words.npy")).unwrap();
    assert!(file.windows(4).any(|part| part == b"'|O'"));
    for usage in [
        &["variables", "b", "--overwrite"][..],
        &["variables", "b", "--strings", "objects"],
        &["variables", "b", "--extract", "out", "--values"],
    ] {
        assert_eq!(run(here, usage).0, 2, "{usage:?}");
    }
}

#[test]
fn what_is_merged_is_all_there() {
    let scratch = Scratch::new("merge");
    let here = scratch.path();
    copy_all(&bundles().join("two_shards"), here);
    bundle(here.join("more"), &[("more", Tensor::scalar(7i64))]);
    let expected = tensors(&here.join("b"));
    let args = ["merge", "b", "more", "gone", "--into", "all/ckpt-1"];
    let (code, _, err) = run(here, &args);
    assert_eq!(code, 1, "{err}");
    let args = [&args[..], &["--allow-missing", "--no-sync"]].concat();
    let (code, document) = run_json(here, &args);
    assert_eq!(code, 0);
    let merged = tensors(&here.join("all/ckpt-1"));
    assert_eq!(document["tensors"], merged.len());
    assert_eq!(document["shards"], 3);
    let there: Vec<bool> = (document["inputs"].as_array().unwrap().iter())
        .map(|input| input["merged"].as_bool().unwrap())
        .collect();
    assert_eq!(there, [true, true, false]);
    assert!(expected.iter().all(|(key, tensor)| merged[key] == *tensor));
    assert_eq!(merged.len(), expected.len() + 1);
    // All that is left is what was merged.
    let left: Vec<String> = names(here);
    assert!(left.iter().all(|name| name.starts_with("all")), "{left:?}");
    bundle(here.join("other"), &[("other", Tensor::scalar(7i64))]);
    let args = ["merge", "other", "--into", "all/ckpt-1"];
    assert_eq!(run(here, &args).0, 2);
    let (code, document) = run_json(here, &[&args[..], &["--replace", "--keep-inputs"]].concat());
    assert_eq!((code, &document["tensors"]), (0, &1.into()));
    assert!(here.join("other.index").exists());
}

#[test]
fn salvage_saves_all_but_what_it_lists() {
    let scratch = with_fixtures("salvage", &["two_shards", "sharded_by_size"]);
    let here = scratch.path();
    let expected = tensors(&here.join("two_shards/variables/variables"));
    let (code, document) = run_json(here, &["salvage", "two_shards", "sound", "--no-sync"]);
    assert_eq!((code, &document["losses"]), (0, &serde_json::json!([])));
    assert_eq!(tensors(&here.join("sound")), expected);

    flip(
        &here.join("two_shards/variables/variables.data-00000-of-00002"),
        5,
    );
    let (code, document) = run_json(here, &["salvage", "two_shards", "rest", "--no-sync"]);
    assert_eq!(code, 1);
    let losses = document["losses"].as_array().unwrap();
    assert_eq!(losses.len(), 1);
    let key = losses[0]["key"].as_str().unwrap();
    assert_eq!(
        (&losses[0]["shard"], &losses[0]["start"], &losses[0]["end"]),
        (&0.into(), &4.into(), &16.into())
    );
    assert_eq!(losses[0]["error"]["kind"], "checksum_mismatch");
    let mut rest = expected.clone();
    rest.remove(key.as_bytes()).unwrap();
    assert_eq!(tensors(&here.join("rest")), rest);

    // A piece of a partitioned tensor, and a shard that is gone.
    let expected = tensors(&here.join("sharded_by_size/variables/variables"));
    fs::remove_file(here.join("sharded_by_size/variables/variables.data-00003-of-00006")).unwrap();
    let (code, document) = run_json(here, &["salvage", "sharded_by_size", "pieces"]);
    assert_eq!(code, 1);
    let losses = document["losses"].as_array().unwrap();
    assert!(losses.iter().all(|loss| loss["shard"] == 3), "{losses:?}");
    assert!(losses.iter().all(|loss| loss["slice"].is_string()));
    let rest = tensors(&here.join("pieces"));
    for (key, tensor) in &expected {
        let key_text = std::str::from_utf8(key).unwrap();
        let is_lost = losses.iter().any(|loss| loss["key"] == key_text);
        assert_eq!(rest.get(key), (!is_lost).then_some(tensor), "{key_text}");
    }

    // The index itself: only what it says is lost.
    flip(&here.join("two_shards/variables/variables.index"), 40);
    let (code, document) = run_json(here, &["salvage", "two_shards", "nothing"]);
    assert_eq!(code, 1);
    assert_eq!(document["tensors"], 0);
    assert!(document["losses"][0]["between"].is_object(), "{document}");
    assert_eq!(run(here, &["salvage", "nowhere", "copy"]).0, 1);
    assert_eq!(run(here, &["salvage", "sound", "two_shards"]).0, 2);
    assert!(!here.join("copy.index").exists());
}

#[test]
fn a_bundle_set_aside_comes_back() {
    let scratch = with_fixtures("recover", &["two_shards"]);
    let here = scratch.path();
    let prefix = here.join("two_shards/variables/variables");
    let expected = tensors(&prefix);
    let variables = here.join("two_shards/variables");
    for name in names(&variables) {
        let aside = variables.join(format!("{name}.set-aside-0-4711"));
        fs::rename(variables.join(name), aside).unwrap();
    }
    let (code, document) = run_json(here, &["recover", "two_shards"]);
    assert_eq!((code, &document["outcome"]), (0, &"restored".into()));
    assert_eq!(tensors(&prefix), expected);
    fs::copy(
        variables.join("variables.index"),
        variables.join("variables.index.set-aside-0-4711"),
    )
    .unwrap();
    let aside = "two_shards/variables/variables.index.set-aside-0-4711";
    let (code, document) = run_json(here, &["recover", aside]);
    assert_eq!((code, &document["outcome"]), (0, &"in_place".into()));
    assert_eq!(document["set_aside"], serde_json::json!([aside]));
    let (code, document) = run_json(here, &["recover", "nowhere"]);
    assert_eq!((code, &document["outcome"]), (1, &"nothing".into()));
    fs::create_dir(here.join("empty")).unwrap();
    assert_eq!(run(here, &["recover", "empty"]).0, 2);
}

#[test]
fn interop_extracted_arrays_are_what_restore_gives() {
    let scratch = Scratch::new("extract-interop");
    let here = scratch.path();
    let (mut written, mut files) = (0, Vec::new());
    for name in [
        "all_dtypes",
        "shapes",
        "v1_partitioned",
        "strings",
        "two_shards",
        "keras3_saved",
    ] {
        let path = fixtures().join(name);
        for form in ["fixed", "objects"] {
            let out = here.join(format!("{name}-{form}"));
            let args = [
                "variables",
                path.to_str().unwrap(),
                "--extract",
                out.to_str().unwrap(),
                "--strings",
                form,
            ];
            let (_, document) = run_json(here, &args);
            written += document["totals"]["written"].as_u64().unwrap();
            let file = here.join(format!("{name}-{form}.json"));
            fs::write(&file, document.to_string()).unwrap();
            files.push(file);
        }
    }
    assert!(written > 250, "{written}");
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    if let Some(printed) = tensorflow::run("extracted_arrays.py", &files) {
        let compared = String::from_utf8(printed).unwrap();
        assert_eq!(compared.trim(), written.to_string());
    }
}

#[test]
fn interop_tensorflow_reads_what_was_merged_and_salvaged() {
    let scratch = with_fixtures("tensors-interop", &["two_shards", "keras3_ckpt"]);
    let here = scratch.path();
    let whole = fixtures().join("two_shards/variables/variables");
    let read = |expected: &Path, prefix: &str, missing: &str| {
        let prefix = here.join(prefix);
        let arguments = [expected, &prefix, Path::new(missing)];
        let printed = tensorflow::run("compare_bundles.py", &arguments)?;
        Some(String::from_utf8(printed).unwrap().trim().to_owned())
    };
    flip(
        &here.join("two_shards/variables/variables.data-00000-of-00002"),
        5,
    );
    let (code, document) = run_json(here, &["salvage", "two_shards", "rest"]);
    assert_eq!(code, 1);
    let lost = serde_json::json!([document["losses"][0]["key"]]).to_string();
    let Some(compared) = read(&whole, "rest", &lost) else {
        return;
    };
    assert_eq!(compared, "5");

    // The parts of it, each a bundle, and together again.
    let expected = tensors(&whole);
    for (i, (key, tensor)) in expected.iter().enumerate() {
        let key = std::str::from_utf8(key).unwrap();
        bundle(here.join(format!("part-{i}")), &[(key, tensor.clone())]);
    }
    let parts: Vec<String> = (0..expected.len()).map(|i| format!("part-{i}")).collect();
    let mut args = vec!["merge", "--into", "merged"];
    args.extend(parts.iter().map(String::as_str));
    assert_eq!(run(here, &args).0, 0);
    assert_eq!(read(&whole, "merged", "[]").unwrap(), "6");
}
