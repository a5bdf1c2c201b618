//! What Python, numpy and TensorFlow make of expressions: `tests/vectors/expressions.jsonl`, which
//! `tests/interop/expressions.py` prints.

use savedmodel::{DType, PartialShape};
use serde_json::Value as Json;

use super::expression::{DEFAULT_SEED, Elements, Grammar, Value, array_of, parse_inputs};
use super::feed::{Target, feed};

fn cases(kind: &str) -> Vec<(String, Json)> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/expressions.jsonl"
    );
    let text = std::fs::read_to_string(path).unwrap();
    let cases = text.lines().filter_map(|line| {
        let case: Json = serde_json::from_str(line).unwrap();
        let text = case.get(kind)?.as_str()?.to_owned();
        Some((text, case))
    });
    cases.collect()
}

/// A literal has no `;` but to be refused, which would cut it in two before it is read.
fn parsed(text: &str, grammar: Grammar) -> Result<Value, String> {
    let inputs = parse_inputs(&format!("x={text}"), grammar, DEFAULT_SEED);
    let mut inputs = inputs.map_err(|failure| failure.to_string())?;
    Ok(inputs.remove(0).1)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn assert_none(differences: &[String]) {
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn literals_are_those_of_python() {
    let mut differences = Vec::new();
    let cases = cases("literal");
    assert!(cases.len() > 250, "{}", cases.len());
    for (text, case) in cases.iter().filter(|(text, _)| !text.contains(';')) {
        let theirs = case.get("repr").and_then(Json::as_str).map(str::to_owned);
        let ours = parsed(text, Grammar::Stock).ok().map(|value| value.repr());
        if ours != theirs {
            differences.push(format!("{text:?}: {ours:?}, Python has {theirs:?}"));
        }
        // What Python takes, our own grammar takes too, and makes the same of it.
        let more = parsed(text, Grammar::Ours).map(|value| value.repr());
        if theirs.is_some() && more.as_ref().ok() != theirs.as_ref() {
            differences.push(format!("{text:?} in our grammar: {more:?}, not {theirs:?}"));
        }
    }
    assert_none(&differences);
}

#[test]
fn values_are_fed_as_tensorflow_feeds_them() {
    let mut differences = Vec::new();
    let cases = cases("feed");
    assert!(cases.len() > 400, "{}", cases.len());
    for (text, case) in &cases {
        let shape = match case.get("dims").and_then(Json::as_array) {
            None => PartialShape::UNKNOWN,
            Some(dims) => {
                let dims: Vec<Option<u64>> = dims.iter().map(Json::as_u64).collect();
                PartialShape::new(&dims).unwrap()
            }
        };
        let target = Target {
            name: case["name"].as_str().unwrap(),
            dtype: case["target"].as_str().unwrap().parse().unwrap(),
            shape: &shape,
        };
        let value = parsed(text, Grammar::Stock).unwrap();
        let ours = match feed(&value, &target, Grammar::Stock) {
            Ok(tensor) => {
                let bytes = tensor.bytes().map(hex);
                let strings = tensor
                    .strings()
                    .map(|all| all.iter().map(hex).collect::<Vec<_>>());
                let dims = tensor.shape().dims();
                serde_json::json!([dims, bytes, strings]).to_string()
            }
            Err(failure) => failure.to_string(),
        };
        let theirs = match case.get("error").and_then(Json::as_str) {
            Some(error) => error
                .trim_start_matches("Graph execution error:\n\n")
                .to_owned(),
            None => serde_json::json!([case["shape"], case.get("bytes"), case.get("strings")])
                .to_string(),
        };
        if ours != theirs {
            let target = target.dtype;
            differences.push(format!(
                "{text} to {target}: {ours}, TensorFlow has {theirs}"
            ));
        }
    }
    assert_none(&differences);
}

#[test]
fn expressions_are_those_of_numpy() {
    let mut differences = Vec::new();
    let cases = cases("expression");
    assert!(cases.len() > 200, "{}", cases.len());
    for (text, case) in &cases {
        let value = parsed(text, Grammar::Ours);
        let (ours, theirs) = match (&value, case.get("repr").and_then(Json::as_str)) {
            (Ok(value), Some(theirs)) => (value.repr(), theirs.to_owned()),
            (Ok(value), None) if case.get("error").is_none() => {
                // Scalars of numpy come as Python's where nothing is lost by that.
                (shown(value), theirs_shown(case))
            }
            (Ok(value), None) => (value.repr(), case["error"].to_string()),
            (Err(_), _) if case.get("error").is_some() => continue,
            (Err(message), _) => (message.clone(), case.to_string()),
        };
        if ours != theirs {
            differences.push(format!("{text}: {ours}, numpy has {theirs}"));
        }
    }
    assert_none(&differences);
}

fn shown(value: &Value) -> String {
    let array = array_of(value).unwrap();
    let elements = array.elements().clone();
    let texts = match &elements {
        Elements::Texts(texts) => Some(texts.clone()),
        _ => None,
    };
    let bytes = elements.dtype().and_then(|_| {
        let tensor = elements.into_tensor(array.shape()).unwrap();
        tensor.bytes().map(hex)
    });
    serde_json::json!([array.type_name(), array.shape(), bytes, texts]).to_string()
}

fn theirs_shown(case: &Json) -> String {
    let parts = [&case["dtype"], &case["shape"]];
    serde_json::json!([parts[0], parts[1], case.get("bytes"), case.get("texts")]).to_string()
}

#[test]
fn our_persona_refuses_what_would_become_another_number() {
    let shape = PartialShape::UNKNOWN;
    let fed = |text: &str, dtype: DType| {
        let value = parsed(text, Grammar::Ours).unwrap();
        let target = Target {
            name: "x:0",
            dtype,
            shape: &shape,
        };
        feed(&value, &target, Grammar::Ours).map_err(|failure| failure.to_string())
    };
    for (text, dtype, message) in [
        (
            "[[1, 3000000000]]",
            DType::INT32,
            "x:0 (int32): 3000000000 at [0, 1] does not fit; .astype(\"int32\") on an array wraps it",
        ),
        (
            "[1.7]",
            DType::INT32,
            "x:0 (int32): 1.7 at [0] is no integer of this type; .astype(\"int32\") on an array cuts it off",
        ),
        (
            "np.array([1, 2.5], dtype=object)",
            DType::INT32,
            "x:0 (int32): 2.5 at [1] is no integer of this type; .astype(\"int32\") on an array cuts it off",
        ),
        (
            "-1",
            DType::UINT8,
            "x:0 (uint8): -1 does not fit; .astype(\"uint8\") on an array wraps it",
        ),
        (
            "70000.0",
            DType::HALF,
            "x:0 (float16): 70000.0 is beyond the largest of this type",
        ),
        (
            "[0, 1, -1e39]",
            DType::BFLOAT16,
            "x:0 (bfloat16): -1e+39 at [2] is beyond the largest of this type",
        ),
        (
            "[0, 1e39j]",
            DType::COMPLEX64,
            "x:0 (complex64): 1e+39j at [1] is beyond the largest of this type",
        ),
        (
            "np.array([7, 10**5])",
            DType::HALF,
            "x:0 (float16): 100000 at [1] is beyond the largest of this type",
        ),
        (
            "[1, 2j]",
            DType::FLOAT,
            "x:0 (float32): 2j at [1] is no real number",
        ),
        (
            "['a']",
            DType::BOOL,
            "x:0 (bool): a string is true whatever it says; write True or False",
        ),
        (
            "['a']",
            DType::FLOAT,
            "x:0 (float32): could not convert string to float: 'a'",
        ),
        (
            "[1]",
            DType::STRING,
            "x:0 (string): Unsupported object type int: it takes strings",
        ),
    ] {
        assert_eq!(fed(text, dtype).unwrap_err(), message, "{text}");
    }
    for (text, dtype) in [
        ("np.array([300]).astype('uint8')", DType::UINT8),
        ("[1.0, 2]", DType::INT32),
        ("16777217", DType::FLOAT),
        ("['1.5', None]", DType::FLOAT),
        ("np.ones((2, 2))", DType::INT8),
        ("np.inf", DType::HALF),
        ("[1+0j]", DType::FLOAT),
        ("[0.1]", DType::BFLOAT16),
        ("2", DType::BOOL),
    ] {
        assert_eq!(fed(text, dtype).unwrap().dtype(), dtype, "{text}");
    }
}
