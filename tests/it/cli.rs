//! The command line tool, as a process.
//!
//! Texts are compared with the files under `tests/golden`; with `UPDATE_GOLDEN` in the environment
//! they are written instead.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use savedmodel::bundle::locate_bundle;
use savedmodel::{BundleReader, DType, Tensor};
use serde_json::Value;

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn command(args: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_savedmodel"));
    // Relative paths, so that messages are the same everywhere.
    command.current_dir(root().join("tests"));
    command.arg("variables").args(args);
    command
}

/// What a run answered: exit code, output, errors.
fn run(args: &[impl AsRef<OsStr>]) -> (i32, String, String) {
    let output = command(args).output().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn run_well(args: &[impl AsRef<OsStr>]) -> String {
    let (code, out, err) = run(args);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    out
}

fn run_json(args: &[&str]) -> Value {
    serde_json::from_str(&run_well(&[args, &["--json"]].concat())).unwrap()
}

/// A directory that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("savedmodel-cli-{name}-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        Scratch(directory)
    }

    /// Makes a bundle of prefix `b` there.
    fn bundle(name: &str, index: &[u8], data: Option<&[u8]>) -> Self {
        let scratch = Scratch::new(name);
        std::fs::write(scratch.0.join("b.index"), index).unwrap();
        if let Some(data) = data {
            std::fs::write(scratch.0.join("b.data-00000-of-00001"), data).unwrap();
        }
        scratch
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn assert_golden(name: &str, text: &str) {
    let path = root().join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(path).unwrap().replace("\r\n", "\n");
    assert!(
        golden == text,
        "{name} should be:\n{golden}\nbut is:\n{text}"
    );
}

#[test]
fn listings_and_values_are_as_they_were() {
    for (name, args) in [
        ("two_shards", &["fixtures/two_shards"][..]),
        ("sharded_by_size", &["fixtures/sharded_by_size"]),
        ("v1_partitioned", &["fixtures/v1_partitioned"]),
        ("non_ascii", &["fixtures/non_ascii/模型 é"]),
        ("ckpt_manager", &["fixtures/ckpt_manager"]),
        ("mutable_table", &["fixtures/mutable_table"]),
        ("tf115_estimator", &["fixtures/tf115_estimator/variables"]),
        ("big_endian", &["vectors/bundles/big_endian/b.index"]),
        (
            "big_endian_values",
            &["vectors/bundles/big_endian", "--values"],
        ),
        ("all_dtypes", &["fixtures/all_dtypes/b"]),
        ("all_dtypes_values", &["fixtures/all_dtypes/b", "--values"]),
        ("all_dtypes_stats", &["fixtures/all_dtypes/b", "--stats"]),
        ("strings_values", &["vectors/bundles/strings", "--values"]),
        (
            "shapes_values",
            &["fixtures/shapes", "--values", "--stats", "--limit", "20"],
        ),
        (
            "two_shards_stats",
            &["fixtures/two_shards", "--stats", "--threads", "2"],
        ),
        (
            "two_shards_json",
            &["fixtures/two_shards", "--json", "--stats", "--values"],
        ),
        (
            "v1_partitioned_json",
            &["fixtures/v1_partitioned", "--json"],
        ),
    ] {
        assert_golden(&format!("variables/{name}.txt"), &run_well(args));
    }
}

#[test]
fn json_is_what_the_library_says() {
    let fixtures = root().join("tests/fixtures");
    let mut tensors = 0;
    for directory in std::fs::read_dir(fixtures).unwrap() {
        let path = directory.unwrap().path();
        let Some(bundle) = locate_bundle(&path)
            .ok()
            .and_then(|p| BundleReader::open(p).ok())
        else {
            continue;
        };
        let document = run_json(&[path.to_str().unwrap()]);
        assert_eq!(document["schema"], "savedmodel.variables/1");
        assert_eq!(document["shards"], bundle.num_shards());
        let listed = document["tensors"].as_array().unwrap();
        let entries: Vec<_> = bundle.entries().map(Result::unwrap).collect();
        assert_eq!(listed.len(), entries.len(), "{}", path.display());
        for (row, (key, entry)) in listed.iter().zip(&entries) {
            assert_eq!(row["key"].as_str(), key.as_str());
            assert_eq!(row["dtype"], *entry.dtype().name());
            assert_eq!(row["shape"], serde_json::json!(entry.shape().dims()));
            assert_eq!(row["elements"], entry.shape().elements());
            if entry.is_partitioned() {
                let slices = row["slices"].as_array().unwrap();
                let pieces = bundle.pieces(key, entry).unwrap();
                assert_eq!(slices.len(), pieces.len());
                for (slice, piece) in slices.iter().zip(&pieces) {
                    assert_eq!(slice["offset"], piece.offset());
                    assert_eq!(slice["shard"], piece.shard_id());
                }
                let bytes: i64 = pieces.iter().map(|piece| piece.size()).sum();
                assert_eq!(row["bytes"], bytes);
            } else {
                assert_eq!(row["bytes"], entry.size());
                assert_eq!(row["shard"], entry.shard_id());
            }
        }
        assert_eq!(document["totals"]["tensors"], entries.len());
        tensors += entries.len();
    }
    assert!(tensors > 250, "{tensors}");
}

/// Reads an element of a JSON document, or of TensorFlow's answers, back into the dtype.
fn to_f64(value: &Value) -> f64 {
    match value {
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::String(text) => text.to_lowercase().parse().unwrap(),
        _ => value.as_f64().unwrap(),
    }
}

#[test]
fn values_of_every_dtype_are_tensorflows() {
    let text = std::fs::read_to_string(root().join("tests/vectors/expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let document = run_json(&["vectors/bundles/all_dtypes", "--values"]);
    let mut compared = 0;
    for entry in expected["all_dtypes"]["entries"].as_array().unwrap() {
        let key = &entry["key"];
        let row = document["tensors"].as_array().unwrap();
        let row = row.iter().find(|row| row["key"] == *key).unwrap();
        let Some(values) = entry["values"].as_array() else {
            continue;
        };
        let shown = row["values"].as_array().unwrap();
        assert_eq!(shown.len(), values.len());
        let dtype: DType = row["dtype"].as_str().unwrap().parse().unwrap();
        for (shown, value) in shown.iter().zip(values) {
            let parts = |value: &Value| -> Vec<f64> {
                match value {
                    Value::Array(parts) => parts.iter().map(to_f64).collect(),
                    _ => vec![to_f64(value)],
                }
            };
            // Digits that tell a value apart in its own dtype are not those of the same `f64`.
            let round = |parts: Vec<f64>| {
                let target = match dtype {
                    DType::COMPLEX64 => DType::FLOAT,
                    _ if dtype.is_floating() => dtype,
                    _ => return parts.iter().map(|part| part.to_bits()).collect::<Vec<_>>(),
                };
                let tensor = Tensor::from_slice([parts.len() as u64], &parts).unwrap();
                let tensor = tensor.cast(target).unwrap();
                tensor
                    .to_f64s()
                    .unwrap()
                    .map(|value| if value.is_nan() { 0 } else { value.to_bits() })
                    .collect()
            };
            match (shown.is_i64() || shown.is_u64(), value.is_number()) {
                (true, true) => assert_eq!(shown, value, "{key}"),
                _ => assert_eq!(round(parts(shown)), round(parts(value)), "{key}"),
            }
        }
        compared += 1;
    }
    assert_eq!(compared, 30);
    let strings = document["tensors"].as_array().unwrap();
    let strings = strings
        .iter()
        .find(|row| row["key"] == "DT_STRING")
        .unwrap();
    assert_eq!(
        strings["values"],
        serde_json::json!(["", "a", {"hex": "ff0062"}])
    );
}

#[test]
fn keys_select() {
    let list = |keys: &[&str]| -> Vec<String> {
        let document = run_json(&[&["fixtures/all_dtypes"], keys].concat());
        let rows = document["tensors"].as_array().unwrap();
        rows.iter()
            .map(|row| row["key"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(list(&["DT_INT8", "DT_BOOL"]), ["DT_BOOL", "DT_INT8"]);
    assert_eq!(
        list(&["DT_INT?", "DT_INT8/*", "DT_INT8"]),
        [
            "DT_INT2",
            "DT_INT4",
            "DT_INT8",
            "DT_INT8/none",
            "DT_INT8/scalar"
        ]
    );
    for key in ["DT_INT9", "DT_INT9*"] {
        let (code, out, err) = run(&["fixtures/all_dtypes", "DT_INT8", key]);
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.starts_with("savedmodel: "), "{err}");
        assert!(
            err.contains(&format!("key `{key}`: tensor not found")),
            "{err}"
        );
        assert!(err.contains("did you mean `DT_INT"), "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }
}

#[test]
fn near_names_are_found_by_any_part() {
    for (key, near) in [
        ("moving_maen", "model/_operations/2/moving_mean/"),
        (
            "_operations/2/moving_mean",
            "model/_operations/2/moving_mean/",
        ),
        (
            "optimizer/iterations/.ATTRIBUTES/VARIABLE_VALUE",
            "optimizer/_iterations/",
        ),
    ] {
        let (code, _, err) = run(&["fixtures/keras3_ckpt", key]);
        assert_eq!(code, 1);
        assert!(err.contains(&format!("did you mean `{near}")), "{err}");
    }
}

#[test]
fn variables_are_found_without_the_ending_of_their_keys() {
    for (key, found) in [
        ("model/_operations/2/moving_mean", 1),
        ("*/2/moving_*", 2),
        ("*/2/moving_*/VARIABLE_VALUE", 2),
    ] {
        let (code, out, err) = run(&["fixtures/keras3_ckpt", key]);
        assert_eq!((code, &*err), (0, ""), "{key}");
        assert!(out.contains(&format!("{found} tensor")), "{key}: {out}");
    }
}

#[test]
fn slices() {
    let args = |slice| {
        [
            "vectors/bundles/sliced",
            "v",
            "--json",
            "--values",
            "--slice",
            slice,
        ]
    };
    let prefix = locate_bundle(root().join("tests/vectors/bundles/sliced")).unwrap();
    let bundle = BundleReader::open(prefix).unwrap();
    let (key, entry) = bundle
        .entries()
        .map(Result::unwrap)
        .find(|(_, e)| e.shape().rank() == 2)
        .unwrap();
    let key = key.to_string();
    let dims = entry.shape().dims();
    let slice = format!("-:{},1", dims[1] - 1);
    let tensor = bundle.slice(&key, &slice.parse().unwrap()).unwrap();
    let mut given = args(&slice);
    given[1] = &key;
    let document: Value = serde_json::from_str(&run_well(&given)).unwrap();
    let row = &document["tensors"][0];
    assert_eq!(row["slice"], slice);
    assert_eq!(row["slice_shape"], serde_json::json!([dims[0], 1]));
    let shown: Vec<f64> = row["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(to_f64)
        .collect();
    assert_eq!(shown, tensor.to_f64s().unwrap().collect::<Vec<_>>());

    let beyond = format!("-:{},1", dims[1]);
    for (slice, code) in [(beyond.as_str(), 2), ("0,x", 2), ("-", 2)] {
        let mut given = args(slice);
        given[1] = &key;
        assert_eq!(run(&given).0, code, "{slice}");
    }
}

#[test]
fn usage_is_explained() {
    for args in [
        &["--frob"][..],
        &[],
        &["fixtures/shapes", "--verify", "--values"],
        &["fixtures/shapes", "--slice", "-"],
        &["fixtures/shapes", "*", "--values", "--slice", "-"],
        &["fixtures/shapes", "--threads", "0"],
    ] {
        let (code, out, err) = run(args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
        assert!(!err.is_empty());
    }
    let help = run_well(&["--help"]);
    assert!(
        help.contains("Examples:") && help.contains("Exit codes:"),
        "{help}"
    );
}

#[test]
fn what_is_no_bundle_is_said() {
    for (path, message) in [
        ("fixtures/ckpt_v1_format", "first format (V1)"),
        (
            "fixtures/v1_no_variables",
            "without `variables/variables.index`",
        ),
        ("fixtures/nowhere", "not found"),
        ("fixtures/ckpt_manager/ckpt-9", "did you mean `ckpt-1`"),
        ("it/main.rs", "main.rs"),
    ] {
        let (code, out, err) = run(&[path, "--json"]);
        assert_eq!((code, out.as_str()), (1, ""), "{path}: {err}");
        assert!(err.contains(message), "{path}: {err}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }
}

fn flip_base() -> (Vec<u8>, Vec<u8>) {
    let directory = root().join("tests/vectors/bundles/flip_base");
    (
        std::fs::read(directory.join("b.index")).unwrap(),
        std::fs::read(directory.join("b.data-00000-of-00001")).unwrap(),
    )
}

#[test]
fn a_flipped_byte_is_found_when_values_are_read() {
    let (index, mut data) = flip_base();
    *data.last_mut().unwrap() ^= 1;
    let scratch = Scratch::bundle("flip", &index, Some(&data));
    let path = scratch.0.to_str().unwrap();

    run_well(&[path]); // the index is sound
    let (code, out, err) = run(&[path, "--verify"]);
    assert_eq!((code, err.as_str()), (1, "savedmodel: 1 fault found\n"));
    assert!(
        out.starts_with("fault: ") && out.contains("checksum mismatch"),
        "{out}"
    );
    assert!(out.contains("b.data-00000-of-00001: at byte"), "{out}");
    assert!(out.trim_end().ends_with("1 fault"), "{out}");

    let (code, out, _) = run(&[path, "--verify", "--json"]);
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &document["verification"]["sound"]),
        (1, &Value::Bool(false))
    );
    assert_eq!(
        document["verification"]["faults"][0]["kind"],
        "checksum_mismatch"
    );

    for more in ["--values", "--stats"] {
        let (code, out, err) = run(&[path, more]);
        assert_eq!(code, 1);
        assert!(
            out.contains("unreadable: ") && out.contains("checksum mismatch"),
            "{out}"
        );
        assert!(err.contains("1 of "), "{err}");
        let (code, out, _) = run(&[path, more, "--json"]);
        let document: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &document["totals"]["unreadable"]), (1, &1.into()));
        run_well(&[path, more, "--unverified"]);
    }
}

#[test]
fn a_missing_shard_is_no_matter_for_the_listing() {
    let (index, _) = flip_base();
    let scratch = Scratch::bundle("missing", &index, None);
    let path = scratch.0.to_str().unwrap();
    run_well(&[path]);
    run_well(&[path, "--json"]);
    for more in ["--verify", "--stats", "--values"] {
        let (code, out, _) = run(&[path, more]);
        assert_eq!(code, 1, "{out}");
        assert!(out.contains("b.data-00000-of-00001"), "{out}");
    }
}

/// Every malformed bundle: the listing never fails silently, and no more than one line is said of it.
#[test]
fn malformed_bundles_are_listed_as_far_as_they_can_be() {
    let text = std::fs::read_to_string(root().join("tests/vectors/corrupt.json")).unwrap();
    let cases: Value = serde_json::from_str(&text).unwrap();
    let unhex = |text: &Value| -> Vec<u8> {
        let text = text.as_str().unwrap();
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(byte).collect()
    };
    let mut marked = 0;
    for case in cases["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let scratch = Scratch::bundle("malformed", &unhex(&case["index_hex"]), None);
        for (suffix, data) in case["files"].as_object().unwrap() {
            std::fs::write(scratch.0.join(format!("b.{suffix}")), unhex(data)).unwrap();
        }
        let path = scratch.0.join("b");
        let path = path.to_str().unwrap();
        let sound = case["expect"].as_str().unwrap().starts_with("ok");
        for args in [
            &[path][..],
            &[path, "--json"],
            &[path, "--stats"],
            &[path, "--verify"],
        ] {
            let (code, out, err) = run(args);
            assert!((0..=1).contains(&code), "{name}: {err}");
            assert_eq!(err.lines().count() as i32, code, "{name}: {err}");
            let raw = |c: char| c.is_control() && c != '\n';
            assert!(
                !out.contains(raw) && !err.trim_end().contains(char::is_control),
                "{name}"
            );
            if args.last() == Some(&"--json") && !out.is_empty() {
                let document: Value = serde_json::from_str(&out).unwrap();
                assert_eq!(document["schema"], "savedmodel.variables/1");
            }
            if args.len() == 1 && out.contains("unreadable: ") {
                assert_eq!(code, 1, "{name}");
                marked += 1;
            }
            if sound && args.len() == 1 {
                assert_eq!(code, 0, "{name}: {out}{err}");
            }
        }
    }
    assert!(marked > 20, "{marked} listings have marks");
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let mut child = command(&["vectors/bundles/many_500", "--values", "--stats"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn every_kind_of_path_finds_the_bundle() {
    let directory = Path::new("fixtures/non_ascii/模型 é");
    let whole = run_well(&[directory]);
    for inside in [
        "variables",
        "variables/variables",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    ] {
        assert_eq!(run_well(&[directory.join(inside)]), whole, "{inside}");
    }
}
