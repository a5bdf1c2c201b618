//! TensorFlow's answers as rows of JSON, and what a tensor of ours has different.
//!
//! `tests/fixtures/README.md` describes the rows. Differences are collected rather than asserted one
//! by one, so that a single run shows all of them.

use savedmodel::{DType, Tensor};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap().as_bytes();
    let digit = |digit: u8| (digit as char).to_digit(16).unwrap() as u8;
    text.chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

fn unhex_all(list: &Value) -> Vec<Vec<u8>> {
    list.as_array().unwrap().iter().map(unhex).collect()
}

fn u64s(list: &Value) -> Vec<u64> {
    let list = list.as_array().unwrap().iter();
    list.map(|size| size.as_u64().unwrap()).collect()
}

/// Says in what a tensor is not that of a row. What the row leaves out is not compared.
pub(crate) fn difference(tensor: &Tensor, row: &Value) -> Option<String> {
    let differs = |what: &str, ours: &dyn std::fmt::Debug, theirs: &dyn std::fmt::Debug| {
        Some(format!("{what} is {ours:?}, TensorFlow's is {theirs:?}"))
    };
    if let Some(number) = row.get("dtype")
        && number.as_i64() != Some(tensor.dtype().number().into())
    {
        return differs("dtype", &tensor.dtype(), number);
    }
    if let Some(name) = row.get("dtype_name")
        && *name != *tensor.dtype().proto_name()
    {
        return differs("name of the dtype", &tensor.dtype(), name);
    }
    let shape = u64s(&row["shape"]);
    if tensor.shape().dims() != shape {
        return differs("shape", tensor.shape(), &shape);
    }
    if let Some(count) = row.get("count")
        && count.as_u64() != Some(tensor.elements())
    {
        return differs("number of elements", &tensor.elements(), count);
    }
    if let Some(len) = row.get("bytes")
        && len.as_u64() != Some(tensor.byte_len())
    {
        return differs("number of bytes", &tensor.byte_len(), len);
    }
    if let Some(data) = row.get("data_hex") {
        let (ours, theirs) = (tensor.bytes().map(|b| low_bits(tensor, b)), unhex(data));
        if ours != Some(low_bits(tensor, &theirs)) {
            return differs("data", &ours, &theirs);
        }
    }
    if let Some(elements) = row.get("elements_hex") {
        let (ours, theirs) = (elements_of(tensor), unhex_all(elements));
        if ours != theirs {
            return differs("elements", &ours, &theirs);
        }
    }
    if let Some(hash) = row.get("sha256") {
        let ours = sha256(tensor);
        if *hash != *ours {
            return differs("sha256", &ours, hash);
        }
    }
    if let Some(first) = row.get("first").and_then(Value::as_array)
        && let Some(ours) = first_values(tensor, first.len())
    {
        let theirs = match tensor.bytes() {
            Some(_) => first.iter().map(rust_texts).collect(),
            None => first.clone(),
        };
        if ours != theirs {
            return differs("start", &ours, &theirs);
        }
    }
    None
}

/// Bytes of elements narrower than a byte with what TensorFlow leaves undefined cleared.
fn low_bits(tensor: &Tensor, bytes: &[u8]) -> Vec<u8> {
    match tensor.dtype().bits() {
        Some(bits @ 1..8) => bytes.iter().map(|byte| byte & ((1 << bits) - 1)).collect(),
        _ => bytes.to_vec(),
    }
}

fn elements_of(tensor: &Tensor) -> Vec<&[u8]> {
    let elements = tensor.strings().or(tensor.opaque());
    elements.unwrap().iter().collect()
}

/// The hash that the rows have: over stored bytes, or over each element with its length before it.
pub(crate) fn sha256(tensor: &Tensor) -> String {
    let mut hash = Sha256::new();
    match tensor.bytes() {
        Some(bytes) => hash.update(bytes),
        None => {
            for element in elements_of(tensor) {
                hash.update((element.len() as u64).to_le_bytes());
                hash.update(element);
            }
        }
    }
    hex(&hash.finalize())
}

/// The first elements in the form of a row, floating-point ones as the text that Rust has for them.
/// `None` for quantized ones, whose Python values are records.
fn first_values(tensor: &Tensor, count: usize) -> Option<Vec<Value>> {
    let dtype = tensor.dtype();
    if tensor.bytes().is_none() {
        let shown = |element: &&[u8]| Value::from(hex(&element[..element.len().min(24)]));
        let elements = elements_of(tensor);
        return Some(elements.iter().take(count).map(shown).collect());
    }
    let complex = |re: f64, im: f64| Value::from(vec![text(re), text(im)]);
    Some(match dtype {
        DType::BOOL => list(&tensor.values::<bool>().unwrap(), count),
        // Beyond 2^53 a double has not all of them.
        DType::INT64 => list(&tensor.values::<i64>().unwrap(), count),
        DType::UINT64 => list(&tensor.values::<u64>().unwrap(), count),
        DType::COMPLEX64 => {
            let values = tensor.values::<[f32; 2]>().unwrap();
            let values = values.iter().take(count);
            values.map(|v| complex(v[0].into(), v[1].into())).collect()
        }
        DType::COMPLEX128 => {
            let values = tensor.values::<[f64; 2]>().unwrap();
            let values = values.iter().take(count);
            values.map(|v| complex(v[0], v[1])).collect()
        }
        _ if dtype.is_quantized() => return None,
        _ => {
            let values = tensor.to_f64s().unwrap().take(count);
            match dtype.is_integer() {
                true => values.map(|value| Value::from(value as i64)).collect(),
                false => values.map(|value| text(value).into()).collect(),
            }
        }
    })
}

fn list<T: Copy + Into<Value>>(values: &[T], count: usize) -> Vec<Value> {
    values.iter().take(count).map(|&v| v.into()).collect()
}

/// The number as text; NaN has no sign, as in Python.
fn text(value: f64) -> String {
    match value.is_nan() {
        true => "nan".to_owned(),
        false => value.to_string(),
    }
}

/// Python's texts of numbers become Rust's: of two shortest ones the languages choose differently.
fn rust_texts(value: &Value) -> Value {
    match value {
        Value::String(python) => text(python.parse().unwrap()).into(),
        Value::Array(parts) => parts.iter().map(rust_texts).collect(),
        other => other.clone(),
    }
}

#[test]
fn every_part_of_a_row_is_compared() {
    let tensor = Tensor::from_slice([2], &[1f32, f32::NAN]).unwrap();
    let row = serde_json::json!({
        "dtype": 1, "dtype_name": "DT_FLOAT", "shape": [2], "count": 2, "bytes": 8,
        "data_hex": "0000803f0000c07f", "sha256": sha256(&tensor), "first": ["1.0", "nan"],
    });
    assert_eq!(difference(&tensor, &row), None);
    for (part, other) in [
        ("dtype", 2.into()),
        ("dtype_name", "DT_HALF".into()),
        ("shape", vec![1].into()),
        ("count", 1.into()),
        ("bytes", 4.into()),
        ("data_hex", "0000803f0000c0ff".into()),
        ("sha256", "00".into()),
        ("first", vec!["1.0", "-0.0"].into()),
    ] {
        let mut row: Value = row.clone();
        row[part] = other;
        assert!(difference(&tensor, &row).is_some(), "{part}");
    }
}
