//! Values that Python pickled.

use std::path::Path;

use savedmodel::numpy::PickledValue;
use savedmodel::store::Blob;
use savedmodel::{DType, Shape, Tensor};
use serde_json::Value;

use crate::answers::unhex;
use crate::random::Numbers;

fn expected(value: &Value) -> PickledValue {
    let values = |list: &Value| list.as_array().unwrap().iter().map(expected).collect();
    let contents = &value[1];
    match value[0].as_str().unwrap() {
        "none" => PickledValue::None,
        "bool" => PickledValue::Bool(contents.as_bool().unwrap()),
        "int" => PickledValue::Int(contents.as_str().unwrap().parse().unwrap()),
        "float" => {
            let bytes = unhex(contents).try_into().unwrap();
            PickledValue::Float(f64::from_le_bytes(bytes))
        }
        "str" => PickledValue::Str(String::from_utf8(unhex(contents)).unwrap()),
        "bytes" => PickledValue::Bytes(unhex(contents).into()),
        "list" => PickledValue::List(values(contents)),
        "tuple" => PickledValue::Tuple(values(contents)),
        "dict" => {
            let entries = contents.as_array().unwrap().iter();
            let entries = entries.map(|entry| (expected(&entry[0]), expected(&entry[1])));
            PickledValue::Dict(entries.collect())
        }
        "array" => PickledValue::Array(array(value)),
        "objects" => PickledValue::Objects {
            shape: Shape::new(&dims(&value[1])).unwrap(),
            elements: values(&value[2]),
        },
        other => panic!("{other}"),
    }
}

fn dims(value: &Value) -> Vec<u64> {
    let dims = value.as_array().unwrap().iter();
    dims.map(|dim| dim.as_u64().unwrap()).collect()
}

fn array(value: &Value) -> Tensor {
    let dtype: DType = value[1].as_str().unwrap().parse().unwrap();
    let dims = dims(&value[2]);
    let tensor = match value[3].as_array() {
        Some(items) => Tensor::from_strings(dims, items.iter().map(unhex)),
        None => Tensor::from_bytes(dtype, dims, unhex(&value[3])),
    };
    tensor.unwrap()
}

fn check_all(cases: &str) -> usize {
    let faults: Vec<String> = cases
        .lines()
        .filter_map(|case| {
            let case: Value = serde_json::from_str(case).unwrap();
            let pickle = unhex(&case["pickle"]);
            let expected = expected(&case["value"]);
            match PickledValue::read(&Blob::from_bytes(pickle.clone())) {
                Ok(value) if value == expected => None,
                other => Some(format!(
                    "{}\n{other:?}\nis not\n{expected:?}",
                    pickle.escape_ascii()
                )),
            }
        })
        .collect();
    let count = faults.len();
    let first: Vec<String> = faults.into_iter().take(5).collect();
    assert!(first.is_empty(), "{count} differ:\n{}", first.join("\n"));
    cases.lines().count()
}

#[test]
fn stored_pickles_of_both_numpys_are_read() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pickles");
    // The Python of numpy 1 had no protocol 5.
    for (name, count) in [("numpy_1.jsonl", 35), ("numpy_2.jsonl", 42)] {
        let cases = std::fs::read_to_string(directory.join(name)).unwrap();
        assert_eq!(check_all(&cases), count, "{name}");
    }
}

#[test]
fn no_change_of_a_pickle_makes_it_panic() {
    let mut numbers = Numbers::new(1);
    let mut random = |end: usize| numbers.below(end as u64) as usize;
    let is_read = |pickle: &[u8]| PickledValue::read(&Blob::from_bytes(pickle.to_vec())).is_ok();
    let mut readable = 0;
    for case in include_str!("../fixtures/pickles/numpy_2.jsonl").lines() {
        let case: Value = serde_json::from_str(case).unwrap();
        let pickle = unhex(&case["pickle"]);
        for length in 0..pickle.len() {
            assert!(!is_read(&pickle[..length]), "the first {length} of {case}");
        }
        for _ in 0..400 {
            let mut changed = pickle.clone();
            for _ in 0..1 + random(4) {
                let (at, from) = (random(changed.len()), random(pickle.len()));
                match random(3) {
                    0 => changed[at] = random(256) as u8,
                    1 => changed[at] = pickle[from],
                    _ => drop(changed.splice(at..at, pickle[from..].iter().take(9).copied())),
                }
            }
            readable += usize::from(is_read(&changed));
        }
    }
    assert!(readable > 500, "{readable}");
}

#[test]
fn interop_random_values_are_read_at_all_protocols() {
    if let Some(cases) = crate::tensorflow::run("pickled_values.py", &[Path::new("random")]) {
        let cases = String::from_utf8(cases).unwrap();
        assert!(check_all(&cases) > 2500);
    }
}

#[test]
fn arrays_are_views_of_the_file() {
    let cases = include_str!("../fixtures/pickles/numpy_2.jsonl");
    let mut views = 0;
    for case in cases.lines() {
        let case: Value = serde_json::from_str(case).unwrap();
        let blob = Blob::from_bytes(unhex(&case["pickle"]));
        let file = blob.bytes().unwrap().as_ptr_range();
        if let PickledValue::Array(tensor) = PickledValue::read(&blob).unwrap()
            && let Some(bytes) = tensor.bytes()
        {
            views += usize::from(file.contains(&bytes.as_ptr()));
        }
    }
    assert_eq!(views, 3);
}

#[test]
fn errors_name_the_file() {
    let directory = crate::scratch::Scratch::new("pickles");
    let path = directory.path().join("x.pkl");
    std::fs::write(&path, b"cos\nsystem\n(S'ls'\ntR.").unwrap();
    let error = PickledValue::open(&path).unwrap_err();
    assert_eq!((error.path(), error.offset()), (Some(&*path), Some(0)));
    assert!(error.to_string().contains("os.system is not read"));
    let missing = PickledValue::open(directory.path().join("none.pkl")).unwrap_err();
    assert!(matches!(
        missing.kind(),
        savedmodel::ErrorKind::NotFound { .. }
    ));
}
