//! Tensors as numpy prints them.

use std::fs;
use std::path::Path;

use savedmodel::numpy::ArrayText;
use savedmodel::{DType, Tensor};
use serde_json::Value;

use crate::answers::unhex;

/// Makes the tensor of a case and says how its text differs.
fn check(case: &str) -> Option<String> {
    let case: Value = serde_json::from_str(case).unwrap();
    let dtype: DType = case["dtype"].as_str().unwrap().parse().unwrap();
    let dims: Vec<u64> = match case["shape"].as_array() {
        Some(dims) => dims.iter().map(|dim| dim.as_u64().unwrap()).collect(),
        None => Vec::new(),
    };
    let tensor = match case["items"].as_array() {
        Some(items) => Tensor::from_strings(dims, items.iter().map(unhex)),
        None => Tensor::from_bytes(dtype, dims, unhex(&case["bytes"])),
    };
    let tensor = tensor.unwrap();
    let text = ArrayText::new(&tensor).unwrap();
    let texts = [
        (text.to_string(), &case["text"]),
        (text.repr().to_string(), &case["repr"]),
    ];
    texts.into_iter().find_map(|(text, expected)| {
        // The stored cases have no `repr`.
        let expected = expected.as_str().unwrap_or(&text);
        (text != expected)
            .then(|| format!("{dtype} {}\n{text}\nis not\n{expected}", tensor.shape()))
    })
}

fn check_all(cases: &str) -> usize {
    let faults: Vec<String> = cases.lines().filter_map(check).collect();
    let count = faults.len();
    let first: Vec<String> = faults.into_iter().take(10).collect();
    assert!(first.is_empty(), "{count} differ:\n{}", first.join("\n"));
    cases.lines().count()
}

#[test]
fn the_stored_texts_of_numpy_are_ours() {
    let path = "tests/cli-goldens/data/numpy_str.jsonl";
    let cases = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    assert_eq!(check_all(&cases), 610);
}

#[test]
fn interop_texts_of_random_arrays_are_those_of_numpy() {
    if let Some(cases) = crate::tensorflow::run("array_texts.py", &[]) {
        let cases = String::from_utf8(cases).unwrap();
        assert!(check_all(&cases) > 5000);
    }
}
