//! What this crate reads and writes against a TensorFlow that runs now.
//!
//! Needs the environment variable `SAVEDMODEL_TF_PYTHON` to name a Python that has
//! `tests/interop/requirements.txt`; without it every test here passes after saying that it was
//! skipped. Random bundles come from the seed in `SAVEDMODEL_TF_SEED`, or always the same one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use prost::Message;
use savedmodel::store::Mapping;
use savedmodel::{BundleReader, DType, Tensor, TensorSlice, text};
use serde_json::{Value, json};

use crate::answers::{difference, hex, unhex};
use crate::fixtures::{assert_none, by_bundle, check_bundle, files_below, fixtures};
use crate::text::sorted;

const PYTHON: &str = "SAVEDMODEL_TF_PYTHON";

struct TensorFlow(PathBuf);

impl TensorFlow {
    /// `None` where there is none, which is said so that it cannot be overlooked: what is written
    /// to the handle itself is shown even for tests that pass.
    fn find(test: &str) -> Option<Self> {
        match env::var_os(PYTHON).filter(|python| !python.is_empty()) {
            Some(python) => Some(TensorFlow(python.into())),
            None => {
                let mut stderr = std::io::stderr().lock();
                let _ = writeln!(
                    stderr,
                    "SKIPPED: no TensorFlow, {PYTHON} is not set: interop::{test} compares nothing"
                );
                None
            }
        }
    }

    /// Runs a script of this repository and returns what it printed.
    fn run(&self, script: &str, args: &[&OsStr]) -> String {
        let output = Command::new(&self.0)
            .arg(root().join(script))
            .args(args)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONIOENCODING", "utf-8")
            .output()
            .unwrap_or_else(|error| panic!("{PYTHON}={}: {error}", self.0.display()));
        assert!(
            output.status.success(),
            "{script}: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn dump(&self, directory: &Path) -> String {
        let args = [directory.as_os_str(), "--array".as_ref()];
        self.run("tests/interop/dump_bundles.py", &args)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An empty directory for one test's files. It stays until the next run, to look at.
fn work_directory(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// Compares all bundles below a directory with the rows; returns how many tensors those are.
fn compare(directory: &Path, rows: &Value) -> usize {
    let bundles = by_bundle(rows);
    let mut faults = Vec::new();
    let mut compared = 0;
    let indices = files_below(directory, &|name| name.ends_with(".index"));
    assert!(!indices.is_empty());
    for index in &indices {
        let prefix = index.with_extension("");
        let name = prefix.strip_prefix(directory).unwrap().to_str().unwrap();
        let rows = bundles.get(name).cloned().unwrap_or_default();
        for mapping in [Mapping::Auto, Mapping::Never] {
            let reader = BundleReader::options().mapping(mapping).open(&prefix);
            let found = check_bundle(&reader.unwrap(), &rows);
            faults.extend(found.iter().map(|f| format!("{name}, {mapping:?}: {f}")));
        }
        compared += rows.len();
    }
    assert_none(&faults);
    compared
}

/// What TensorFlow itself refuses to read, with how often.
fn refusals<'a>(rows: impl Iterator<Item = &'a Value>) -> BTreeMap<&'a str, usize> {
    let mut refusals = BTreeMap::new();
    for answer in rows.filter_map(|row| row["tensorflow_says"].as_str()) {
        *refusals.entry(answer).or_default() += 1;
    }
    refusals
}

#[test]
fn stored_answers_on_fixtures_are_those_of_tensorflow() {
    let test = "stored_answers_on_fixtures_are_those_of_tensorflow";
    let Some(tensorflow) = TensorFlow::find(test) else {
        return;
    };
    let now = tensorflow.dump(&fixtures());
    let stored = fs::read_to_string(fixtures().join("expected_bundles.json")).unwrap();
    assert!(now == stored, "expected_bundles.json is out of date");
    let rows = serde_json::from_str(&now).unwrap();
    println!("{} tensors", compare(&fixtures(), &rows));
}

#[test]
fn vectors_read_as_in_tensorflow() {
    let Some(tensorflow) = TensorFlow::find("vectors_read_as_in_tensorflow") else {
        return;
    };
    let directory = root().join("tests/vectors/bundles");
    let rows: Value = serde_json::from_str(&tensorflow.dump(&directory)).unwrap();
    let refused = refusals(rows.as_array().unwrap().iter());
    assert_eq!(refused, BTreeMap::from([("Dtype half not supported.", 1)]));
    println!("{} tensors", compare(&directory, &rows));
}

#[test]
fn random_bundles_read_as_in_tensorflow() {
    let Some(tensorflow) = TensorFlow::find("random_bundles_read_as_in_tensorflow") else {
        return;
    };
    let directory = work_directory("random_bundles");
    let seed = env::var("SAVEDMODEL_TF_SEED").unwrap_or_else(|_| "1".to_owned());
    let args = [directory.as_os_str(), seed.as_ref()];
    tensorflow.run("tests/interop/random_bundles.py", &args);
    let rows = fs::read_to_string(directory.join("rows.json")).unwrap();
    let rows: Value = serde_json::from_str(&rows).unwrap();
    let tensors = compare(&directory, &rows["tensors"]);

    let mut faults = Vec::new();
    let mut readers = BTreeMap::new();
    let reads = rows["reads"].as_array().unwrap();
    for row in reads {
        let name = row["bundle"].as_str().unwrap();
        let reader = readers
            .entry(name)
            .or_insert_with(|| BundleReader::open(directory.join(name)).unwrap());
        let key = unhex(&row["key_hex"]);
        let text = row["shape_and_slice"].as_str().unwrap();
        let (_, slice) = TensorSlice::parse_shape_and_slice(text).unwrap().unwrap();
        let fault = match reader.slice(&key, &slice) {
            Ok(part) => difference(&part, row),
            Err(error) => Some(error.to_string()),
        };
        faults.extend(fault.map(|fault| format!("{name}, {}: {fault}", key.escape_ascii())));
    }
    assert_none(&faults);
    let all = rows["tensors"].as_array().unwrap().iter().chain(reads);
    println!(
        "{tensors} tensors, {} parts; TensorFlow refuses {:#?}",
        reads.len(),
        refusals(all)
    );
}

#[test]
fn stored_tensor_protos_are_those_of_tensorflow() {
    let test = "stored_tensor_protos_are_those_of_tensorflow";
    let Some(tensorflow) = TensorFlow::find(test) else {
        return;
    };
    let now = tensorflow.run("tests/interop/dump_tensor_protos.py", &[]);
    let stored = fs::read_to_string(fixtures().join("tensor_protos.json")).unwrap();
    assert!(now == stored, "tensor_protos.json is out of date");
}

#[test]
fn stored_answers_on_models_are_those_of_tensorflow() {
    let test = "stored_answers_on_models_are_those_of_tensorflow";
    let Some(tensorflow) = TensorFlow::find(test) else {
        return;
    };
    let directory = root().join("tests");
    let now = tensorflow.run("tests/interop/dump_models.py", &[directory.as_os_str()]);
    let stored = fs::read_to_string(fixtures().join("expected_models.json")).unwrap();
    assert!(now == stored, "expected_models.json is out of date");
}

#[test]
fn stored_text_cases_are_those_of_tensorflow() {
    let Some(tensorflow) = TensorFlow::find("stored_text_cases_are_those_of_tensorflow") else {
        return;
    };
    let now = tensorflow.run("tests/interop/dump_text_cases.py", &[]);
    let stored = fs::read_to_string(fixtures().join("text_cases.json")).unwrap();
    assert!(now == stored, "text_cases.json is out of date");
}

#[test]
fn models_that_python_prints_are_the_models() {
    let Some(tensorflow) = TensorFlow::find("models_that_python_prints_are_the_models") else {
        return;
    };
    let tests = root().join("tests");
    let script = "tests/interop/dump_text_cases.py";
    let lines = tensorflow.run(script, &["--models".as_ref(), tests.as_os_str()]);
    let mut texts = 0;
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let ours = text::parse(case["text"].as_str().unwrap(), "tensorflow.SavedModel");
        let name = format!("{} {}", case["path"], case["kind"]);
        if case["hex"].is_string() {
            let ours = ours.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(sorted(&ours) == sorted(&unhex(&case["hex"])), "{name}");
        } else {
            let error = ours.expect_err(&name).kind().to_string();
            assert_eq!(Some(&error[..]), case["error"].as_str(), "{name}");
        }
        texts += 1;
    }
    assert!(texts > 30, "{texts}");
}

#[test]
fn the_schema_is_that_of_tensorflow() {
    let Some(tensorflow) = TensorFlow::find("the_schema_is_that_of_tensorflow") else {
        return;
    };
    let said = tensorflow.run("protos/print_from_descriptors.py", &["--verify".as_ref()]);
    println!("{said}");
}

#[test]
fn tensorflow_reads_our_tensor_protos() {
    let Some(tensorflow) = TensorFlow::find("tensorflow_reads_our_tensor_protos") else {
        return;
    };
    let cases: Vec<Value> = tensors().iter().map(case).collect();
    let file = work_directory("tensor_protos").join("cases.json");
    fs::write(&file, Value::from(cases).to_string()).unwrap();
    let compared = tensorflow.run("tests/interop/check_tensor_protos.py", &[file.as_os_str()]);
    // Two readers each, but for three dtypes in five shapes, which only C++ reads.
    assert_eq!(compared.trim(), (31 * 9 * 2 - 3 * 5).to_string());
}

fn case(tensor: &Tensor) -> Value {
    let mut case = json!({
        "proto_hex": hex(&tensor.to_proto().unwrap().encode_to_vec()),
        "dtype": tensor.dtype().number(),
        "shape": tensor.shape().dims(),
    });
    match (tensor.bytes(), tensor.strings()) {
        (Some(bytes), _) => case["data_hex"] = hex(bytes).into(),
        (_, Some(strings)) => case["elements_hex"] = strings.iter().map(hex).collect(),
        _ => unreachable!("neither numbers nor strings"),
    }
    case
}

/// Tensors of every dtype that a Python value can have, of every form that `to_proto` tells apart.
fn tensors() -> Vec<Tensor> {
    let shapes: [&[u64]; 9] = [
        &[],
        &[0],
        &[1],
        &[1, 1],
        &[2, 0, 3],
        &[3],
        &[2, 3],
        &[300],
        &[2, 1, 2, 1, 2, 1, 2, 1],
    ];
    let mut tensors = Vec::new();
    for (dtype, shape) in DType::known().flat_map(|dtype| shapes.map(|shape| (dtype, shape))) {
        let elements = shape.iter().product::<u64>() as usize;
        let Some(size) = dtype.size() else {
            if dtype == DType::STRING {
                let strings = (0..elements).map(|i| vec![b'\xff'.wrapping_add(i as u8); i % 5]);
                tensors.push(Tensor::from_strings(shape, strings).unwrap());
            }
            continue;
        };
        let low_bits = match dtype {
            DType::BOOL => 1,
            _ => (1u32 << dtype.bits().unwrap().min(8)).wrapping_sub(1) as u8,
        };
        // The last byte of an element stays below what makes NaN of a number, whose payload Python
        // does not keep.
        let bytes: Vec<u8> = (0..elements * size)
            .map(|i| {
                (i * 37 + 11) as u8 & low_bits & if i % size == size - 1 { 0xbf } else { 0xff }
            })
            .collect();
        tensors.push(Tensor::from_bytes(dtype, shape, bytes).unwrap());
    }
    tensors
}
