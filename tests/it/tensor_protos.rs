//! `TensorProto`s against `tests/fixtures/tensor_protos.json`: what TensorFlow reads from them and
//! writes for the same values.
//!
//! Two readers of TensorFlow judge a proto: `tf.make_ndarray` in Python and `Tensor::FromProto` in
//! C++. `Tensor::from_proto` has the rules of the second, so where they differ its answer counts:
//! it takes values too many, integers out of range and dtypes that the first has not heard of.

use prost::Message;
use savedmodel::proto::TensorProto;
use savedmodel::{ErrorKind, Tensor};
use serde_json::Value;

use crate::answers::{difference, hex, unhex};
use crate::fixtures::{assert_none, fixtures};

/// Cases that `tf.make_ndarray` reads and the C++ parser refuses, as we do.
const READ_BY_PYTHON_ONLY: [(&str, &str); 2] = [
    ("bool/content 2", "a truth value is 0 or 1"),
    (
        "float/dimension -1 content",
        "numpy infers a dimension of -1 from the number of bytes; a shape has none",
    ),
];

/// Cases for which the file has an error although the C++ parser reads them, as we do.
const READ_BUT_NOT_SHOWN: [(&str, &str); 2] = [
    ("dtype resource", "only the view as a numpy array fails"),
    ("dtype variant", "only the view as a numpy array fails"),
];

fn cases() -> Vec<Value> {
    let text = std::fs::read_to_string(fixtures().join("tensor_protos.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Joins the answer of the C++ parser with what the case says of itself.
fn answer(case: &Value) -> Option<Value> {
    let parsed = &case["parse"];
    if parsed == "same" {
        return Some(case.clone());
    }
    if parsed.get("error").is_some() {
        return None;
    }
    let mut answer = parsed.clone();
    answer["dtype"] = case["dtype"].clone();
    Some(answer)
}

#[test]
fn protos_read_as_in_tensorflow() {
    let cases = cases();
    let mut faults = Vec::new();
    let (mut equal, mut refused, mut not_shown, mut python_only) = (0, 0, 0, 0);
    for case in cases.iter().filter(|case| case.get("proto_hex").is_some()) {
        let name = case["name"].as_str().unwrap();
        let is_in = |list: &[(&str, &str)]| list.iter().any(|(listed, _)| *listed == name);
        let proto = TensorProto::decode(&unhex(&case["proto_hex"])[..]).unwrap();
        let expected = answer(case);
        if expected.is_none() && case.get("error").is_none() {
            assert!(is_in(&READ_BY_PYTHON_ONLY), "{name}");
            python_only += 1;
        }
        match (Tensor::from_proto(&proto), expected) {
            (Ok(tensor), Some(expected)) => {
                equal += 1;
                let fault = difference(&tensor, &expected);
                faults.extend(fault.map(|fault| format!("{name}: {fault}")));
            }
            (Ok(_), None) if is_in(&READ_BUT_NOT_SHOWN) => not_shown += 1,
            (Ok(tensor), None) => {
                faults.push(format!("{name}: we read {tensor:?}, TensorFlow refuses"));
            }
            (Err(error), Some(_)) => faults.push(format!("{name}: {error}")),
            (Err(error), None) => {
                refused += 1;
                let is_right = matches!(
                    error.kind(),
                    ErrorKind::Malformed { .. } | ErrorKind::Unsupported { .. }
                );
                if !is_right {
                    faults.push(format!("{name}: {error}"));
                }
            }
        }
    }
    assert_none(&faults);
    assert_eq!((equal, refused), (478, 97));
    assert_eq!(not_shown, READ_BUT_NOT_SHOWN.len());
    assert_eq!(python_only, READ_BY_PYTHON_ONLY.len());
}

#[test]
fn tensors_are_written_as_in_tensorflow() {
    let cases = cases();
    let mut faults = Vec::new();
    let (mut compared, mut python_only) = (0, 0);
    for case in &cases {
        let Some(theirs) = case.get("make_tensor_proto_hex") else {
            continue;
        };
        let name = case["name"].as_str().unwrap();
        if READ_BY_PYTHON_ONLY
            .iter()
            .any(|(listed, _)| *listed == name)
        {
            python_only += 1;
            continue;
        }
        let proto = TensorProto::decode(&unhex(&case["proto_hex"])[..]).unwrap();
        let tensor = Tensor::from_proto(&proto).unwrap();
        let again = tensor.to_proto().unwrap();
        compared += 1;
        let ours = hex(&again.encode_to_vec());
        if *theirs != *ours {
            faults.push(format!("{name}: {ours}, TensorFlow writes {theirs}"));
        }
        let fault = difference(&Tensor::from_proto(&again).unwrap(), case);
        faults.extend(fault.map(|fault| format!("{name}, read again: {fault}")));
    }
    assert_none(&faults);
    assert_eq!((compared, python_only), (419, READ_BY_PYTHON_ONLY.len()));
}
