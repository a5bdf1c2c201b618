//! Bodies of requests to TensorFlow Serving's REST interface
//! (`tensorflow_serving/util/json_tensor.cc`).

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use savedmodel::Bytes;
use savedmodel::example::{Example, Feature};
use serde_json::{Map, Value as Json};

use super::expression::Value;
use crate::failure::Failure;

/// What a body has for inputs.
#[derive(Debug)]
pub(crate) enum Request {
    Named(Vec<(String, Value)>),
    /// Of the only input, whose name need not be said.
    Only(Value),
    Examples(Vec<Example>),
}

/// A body, and the signature it names.
pub(crate) struct Body {
    pub(crate) signature: Option<String>,
    pub(crate) request: Request,
}

impl Body {
    /// Reads a file, or standard input if it is `-`.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let mut text = Vec::new();
        let result = match path == Path::new("-") {
            true => io::stdin().lock().read_to_end(&mut text).map(|_| ()),
            false => fs::read(path).map(|bytes| text = bytes),
        };
        result.map_err(|error| Failure::Missing(format!("{}: {error}", path.display()).into()))?;
        let body = String::from_utf8(text)
            .map_err(|error| error.to_string())
            .and_then(|text| Body::parse(&text));
        body.map_err(|what| Failure::Usage(format!("{}: {what}", path.display()).into()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let json: Json = serde_json::from_str(&with_specials(text))
            .map_err(|error| format!("not JSON: {error}"))?;
        let Json::Object(mut members) = json else {
            return Err("the body of a request is a JSON object".to_owned());
        };
        let signature = match members.remove("signature_name") {
            None => None,
            Some(Json::String(name)) if name.is_empty() => None,
            Some(Json::String(name)) => Some(name),
            Some(_) => return Err("`signature_name` is a string".to_owned()),
        };
        let kinds = ["instances", "inputs", "examples"].map(|kind| members.remove(kind));
        let request = match kinds {
            [Some(Json::Array(rows)), None, None] => instances(rows)?,
            [None, Some(columns), None] => inputs(columns)?,
            [None, None, Some(Json::Array(list))] => {
                let context = match members.remove("context") {
                    None => Map::new(),
                    Some(Json::Object(context)) => context,
                    Some(_) => return Err("`context` is an object of features".to_owned()),
                };
                let list = list.into_iter().map(|one| example(one, &context));
                Request::Examples(list.collect::<Result<_, _>>()?)
            }
            [Some(_), None, None] => return Err("`instances` is a list".to_owned()),
            [None, None, Some(_)] => return Err("`examples` is a list".to_owned()),
            _ => {
                return Err("a request has one of `instances`, `inputs` and `examples`".to_owned());
            }
        };
        match members.keys().next() {
            None => Ok(Body { signature, request }),
            Some(name) => Err(format!("a request has no `{name}`")),
        }
    }
}

/// Rows: of the only input, or objects with a value for each input.
fn instances(rows: Vec<Json>) -> Result<Request, String> {
    let is_named = |row: &Json| matches!(row, Json::Object(members) if !is_value(members));
    let Some(first) = rows.first().filter(|row| is_named(row)) else {
        return Ok(Request::Only(value(Json::Array(rows))?));
    };
    let names: Vec<String> = match first {
        Json::Object(members) => members.keys().cloned().collect(),
        _ => Vec::new(),
    };
    let mut columns: Vec<(String, Vec<Value>)> =
        names.into_iter().map(|name| (name, Vec::new())).collect();
    for (number, row) in rows.into_iter().enumerate() {
        let Json::Object(mut members) = row else {
            return Err(format!("instance {number} is no object, as the first is"));
        };
        for (name, column) in &mut columns {
            let Some(member) = members.remove(name) else {
                return Err(format!(
                    "instance {number} has no `{name}`, as the first has"
                ));
            };
            column.push(value(member)?);
        }
        if let Some(name) = members.keys().next() {
            return Err(format!(
                "instance {number} has `{name}`, which the first has not"
            ));
        }
    }
    let columns = columns.into_iter();
    Ok(Request::Named(
        columns
            .map(|(name, column)| (name, Value::List(column)))
            .collect(),
    ))
}

/// Columns: an object with a value for each input, or the value of the only one.
fn inputs(columns: Json) -> Result<Request, String> {
    match columns {
        Json::Object(members) if !is_value(&members) => {
            let members = members.into_iter();
            let named = members.map(|(name, member)| Ok((name, value(member)?)));
            Ok(Request::Named(named.collect::<Result<_, String>>()?))
        }
        only => Ok(Request::Only(value(only)?)),
    }
}

/// The member of an object that is a byte string.
const BASE64: &str = "b64";
/// That of one that stands here for a number that JSON does not have.
const SPECIAL: &str = "\u{0}number";

fn is_value(members: &Map<String, Json>) -> bool {
    members.len() == 1 && (members.contains_key(BASE64) || members.contains_key(SPECIAL))
}

fn value(json: Json) -> Result<Value, String> {
    Ok(match json {
        Json::Null => return Err("`null` is no value of a tensor".to_owned()),
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => Value::Int(number.into()),
            (_, Some(number), _) => Value::Int(number.into()),
            (.., Some(number)) => Value::Float(number),
            _ => return Err(format!("{number} is too large")),
        },
        Json::String(text) => Value::Str(text),
        Json::Array(elements) => {
            let elements = elements.into_iter().map(value);
            Value::List(elements.collect::<Result<_, _>>()?)
        }
        Json::Object(mut members) => {
            let (base64, special) = (members.remove(BASE64), members.remove(SPECIAL));
            match (base64, special, members.is_empty()) {
                (Some(Json::String(text)), None, true) => Value::Bytes(decode_base64(&text)?),
                (None, Some(Json::String(text)), true) => {
                    Value::Float(text.parse().map_err(|_| "no number".to_owned())?)
                }
                _ => {
                    return Err(
                        "an object in a tensor is a byte string: {\"b64\": \"...\"}".to_owned()
                    );
                }
            }
        }
    })
}

fn example(json: Json, context: &Map<String, Json>) -> Result<Example, String> {
    let Json::Object(features) = json else {
        return Err("an example is an object of features".to_owned());
    };
    let mut example = Example::new();
    let context = context.clone().into_iter();
    for (name, values) in context.chain(features) {
        let values = match values {
            Json::Array(values) => values,
            one => vec![one],
        };
        let values = values.into_iter().map(value);
        let feature = feature(values.collect::<Result<_, _>>()?);
        let feature = feature.map_err(|what| format!("feature `{name}`: {what}"))?;
        example.insert(name, feature);
    }
    Ok(example)
}

/// Of several kinds of values are no features, but whole numbers among others are numbers.
fn feature(values: Vec<Value>) -> Result<Feature, String> {
    let is_text = |value: &Value| matches!(value, Value::Str(_) | Value::Bytes(_));
    let is_whole = |value: &Value| matches!(value, Value::Int(_));
    let of_kind = "it has values of several kinds, or of one that examples have not";
    if values.is_empty() {
        return Ok(Feature::Unset);
    }
    if values.iter().all(is_whole) {
        let numbers = values.into_iter().map(|value| match value {
            Value::Int(number) => i64::try_from(number).map_err(|_| "a number is too large"),
            _ => Err(of_kind),
        });
        return Ok(Feature::Int64(numbers.collect::<Result<_, _>>()?));
    }
    if values.iter().all(is_text) {
        let texts = values.into_iter().map(|value| match value {
            Value::Str(text) => Ok(Bytes::from(text)),
            Value::Bytes(bytes) => Ok(Bytes::from(bytes)),
            _ => Err(of_kind),
        });
        return Ok(Feature::Bytes(texts.collect::<Result<_, _>>()?));
    }
    let numbers = values.into_iter().map(|value| match value {
        Value::Int(number) => Ok(number as f32),
        Value::Float(number) => Ok(number as f32),
        _ => Err(of_kind),
    });
    Ok(Feature::Float(numbers.collect::<Result<_, _>>()?))
}

/// TensorFlow Serving takes, and writes, `NaN` and `Infinity`, which JSON does not have.
fn with_specials(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', 'N', 'I']) {
        let (before, from) = rest.split_at(at);
        out += before;
        let length = match from.as_bytes() {
            [b'"', ..] => string_length(from),
            [b'N', ..] => replace(&mut out, from, "NaN", "NaN"),
            _ if before.ends_with('-') && from.starts_with("Infinity") => {
                out.pop();
                replace(&mut out, from, "Infinity", "-inf")
            }
            _ => replace(&mut out, from, "Infinity", "inf"),
        };
        match length {
            Ok(replaced) => rest = &from[replaced..],
            Err(kept) => {
                out += &from[..kept];
                rest = &from[kept..];
            }
        }
    }
    out + rest
}

/// Returns the length of what was replaced, or else of what is to stay.
fn replace(out: &mut String, from: &str, word: &str, number: &str) -> Result<usize, usize> {
    match from.starts_with(word) {
        true => {
            *out += &format!("{{\"\\u0000number\": \"{number}\"}}");
            Ok(word.len())
        }
        false => Err(1),
    }
}

/// A string stays, up to its end.
fn string_length(from: &str) -> Result<usize, usize> {
    let mut is_escaped = false;
    let end = from.bytes().enumerate().skip(1).find(|(_, byte)| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    });
    Err(end.map_or(from.len(), |(at, _)| at + 1))
}

/// Both alphabets are taken, with padding or without.
fn decode_base64(text: &str) -> Result<Vec<u8>, String> {
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0u32, 0);
    for character in text.bytes() {
        let digit = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return Err("`b64` has what is no Base64".to_owned()),
        };
        (bits, count) = (bits << 6 | u32::from(digit), count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    match count {
        6 => Err("`b64` has what is no Base64".to_owned()),
        _ => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match Body::parse(text) {
            Ok(Body { signature, request }) => {
                let request = match request {
                    Request::Named(values) => {
                        let values = values.iter();
                        let values: Vec<String> = values
                            .map(|(name, value)| format!("{name}={}", value.repr()))
                            .collect();
                        values.join("; ")
                    }
                    Request::Only(value) => value.repr(),
                    Request::Examples(examples) => {
                        let features = examples.iter().flat_map(|example| example.features());
                        let features: Vec<String> = features
                            .map(|(name, feature)| format!("{name}: {feature:?}"))
                            .collect();
                        features.join("; ")
                    }
                };
                signature.map_or(request.clone(), |name| format!("{name}: {request}"))
            }
            Err(what) => what,
        }
    }

    #[test]
    fn rows_and_columns_are_values() {
        for (text, expected) in [
            (
                r#"{"instances": [[1, 2.5], [3, -4]]}"#,
                "[[1, 2.5], [3, -4]]",
            ),
            (
                r#"{"signature_name": "s", "instances": [{"b64": "/_8="}, "ab"]}"#,
                r#"s: [b'\xff\xff', 'ab']"#,
            ),
            (
                r#"{"instances": [{"a": 1, "b": [true]}, {"b": [false], "a": 2}]}"#,
                "a=[1, 2]; b=[[True], [False]]",
            ),
            (
                r#"{"inputs": {"x": 18446744073709551615, "y": "é"}}"#,
                "x=18446744073709551615; y='é'",
            ),
            (
                r#"{"inputs": [1, -Infinity, NaN, Infinity, "NaN \" I"]}"#,
                "[1, -inf, nan, inf, 'NaN \" I']",
            ),
            (r#"{"inputs": {"b64": "YQ"}}"#, "b'a'"),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    #[test]
    fn examples_have_features() {
        let text = r#"{"context": {"c": 1}, "examples": [{"x": [1, 2.5], "t": "a"}]}"#;
        let text = parsed(text);
        for part in [
            "c: Int64([1])",
            "x: Float([1.0, 2.5])",
            "t: Bytes([b\"a\"])",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, part) in [
            ("[1]", "JSON object"),
            ("{", "not JSON"),
            (r#"{"instances": 1}"#, "`instances` is a list"),
            (r#"{"instances": [1], "inputs": 1}"#, "one of"),
            (r#"{}"#, "one of"),
            (r#"{"inputs": 1, "outputs": 1}"#, "no `outputs`"),
            (r#"{"inputs": null}"#, "`null`"),
            (r#"{"inputs": [{"b64": "a"}]}"#, "Base64"),
            (r#"{"inputs": [{"b65": "a"}]}"#, "byte string"),
            (
                r#"{"instances": [{"a": 1}, {"b": 1}]}"#,
                "instance 1 has no `a`",
            ),
            (
                r#"{"instances": [{"a": 1}, {"a": 1, "b": 1}]}"#,
                "instance 1 has `b`",
            ),
            (r#"{"examples": [{"x": [1, "a"]}]}"#, "feature `x`"),
            (r#"{"signature_name": 1, "inputs": 1}"#, "`signature_name`"),
        ] {
            let what = parsed(text);
            assert!(what.contains(part), "{text}: {what}");
        }
    }
}
