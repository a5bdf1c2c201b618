//! Bodies of requests to TensorFlow Serving's REST interface, by the rules of
//! `tensorflow_serving/util/json_tensor.cc`.

use std::fmt::Write;

use super::sample_input::{SampleInput, SampleValues};
use crate::error::{Error, Result};
use crate::example::{Example, Feature};
use crate::tensor::{DType, Tensor};

/// Writes the body of a `:predict` request: by rows where all inputs have a first dimension in
/// common and `answers_rows` says that outputs can be as many rows, else by columns.
pub(super) fn predict_body(
    signature: &str,
    inputs: &[SampleInput],
    answers_rows: impl Fn(u64) -> bool,
) -> Result<String> {
    for input in inputs {
        check(input).map_err(|error| error.for_key(input.name.as_bytes()))?;
    }
    let mut body = format!("{{\"signature_name\": {}, ", Text(signature));
    match rows(inputs).filter(|rows| answers_rows(*rows)) {
        Some(rows) => {
            body += "\"instances\": [";
            for row in 0..rows {
                body += if row == 0 { "" } else { ", " };
                write_inputs(&mut body, inputs, |body, input| {
                    let size = input.shape[1..].iter().product::<u64>();
                    write_nested(body, input, &input.shape[1..], row * size)
                })?;
            }
            body += "]}";
        }
        None => {
            body += "\"inputs\": ";
            write_inputs(&mut body, inputs, |body, input| {
                write_nested(body, input, &input.shape, 0)
            })?;
            body += "}";
        }
    }
    Ok(body)
}

/// Writes the body of a `:classify` or `:regress` request.
pub(super) fn examples_body(signature: &str, example: &Example, count: u64) -> String {
    let text = example_object(example);
    let examples = vec![text; count as usize].join(", ");
    format!(
        "{{\"signature_name\": {}, \"examples\": [{examples}]}}",
        Text(signature)
    )
}

/// Writes an example as the REST interface takes it: an object of lists.
pub(super) fn example_object(example: &Example) -> String {
    let mut out = String::from("{");
    for (i, (name, feature)) in example.features().enumerate() {
        out += if i == 0 { "" } else { ", " };
        let _ = write!(out, "{}: ", Text(name));
        write_feature(&mut out, feature);
    }
    out + "}"
}

pub(super) fn write_feature(out: &mut String, feature: &Feature) {
    let values: Vec<String> = match feature {
        Feature::Unset => Vec::new(),
        Feature::Bytes(values) => values.iter().map(|value| string(value, false)).collect(),
        Feature::Float(values) => values.iter().map(float).collect(),
        Feature::Int64(values) => values.iter().map(i64::to_string).collect(),
    };
    *out += &match &values[..] {
        [value] => value.clone(),
        values => format!("[{}]", values.join(", ")),
    };
}

/// Refuses what the REST interface cannot carry.
fn check(input: &SampleInput) -> Result<()> {
    let has_json = matches!(
        input.dtype,
        DType::FLOAT
            | DType::DOUBLE
            | DType::INT8
            | DType::INT16
            | DType::INT32
            | DType::INT64
            | DType::UINT8
            | DType::UINT32
            | DType::UINT64
            | DType::BOOL
            | DType::STRING
    );
    if !has_json {
        let dtype = input.dtype;
        return Err(Error::unsupported(format!(
            "TensorFlow Serving takes no {dtype} in JSON"
        )));
    }
    // Of [2, 0, 3] JSON shows [[], []], which is read as [2, 0].
    if let Some(zero) = input.shape.iter().position(|dim| *dim == 0)
        && zero + 1 < input.shape.len()
    {
        return Err(Error::unsupported(
            "JSON cannot show a shape with an empty dimension before others",
        ));
    }
    Ok(())
}

/// Returns how many rows all inputs have.
fn rows(inputs: &[SampleInput]) -> Option<u64> {
    let first = *inputs.first()?.shape.first()?;
    let same = inputs
        .iter()
        .all(|input| input.shape.first() == Some(&first));
    (same && first > 0).then_some(first)
}

/// Writes the only input as it is, more by their names.
fn write_inputs(
    body: &mut String,
    inputs: &[SampleInput],
    mut write: impl FnMut(&mut String, &SampleInput) -> Result<()>,
) -> Result<()> {
    if let [only] = inputs {
        return write(body, only);
    }
    *body += "{";
    for (i, input) in inputs.iter().enumerate() {
        *body += if i == 0 { "" } else { ", " };
        let _ = write!(body, "{}: ", Text(&input.name));
        write(body, input)?;
    }
    *body += "}";
    Ok(())
}

/// Writes elements as lists in lists. A shape has at most 254 dimensions.
fn write_nested(body: &mut String, input: &SampleInput, shape: &[u64], first: u64) -> Result<()> {
    let Some((size, inner)) = shape.split_first() else {
        *body += &element(input, first)?;
        return Ok(());
    };
    let step = inner.iter().product::<u64>();
    *body += "[";
    for i in 0..*size {
        *body += if i == 0 { "" } else { ", " };
        write_nested(body, input, inner, first + i * step)?;
    }
    *body += "]";
    Ok(())
}

fn element(input: &SampleInput, index: u64) -> Result<String> {
    // What is called so is binary by the conventions of TensorFlow Serving.
    let is_binary = input.name.ends_with("_bytes");
    match &input.values {
        SampleValues::Examples(example) => Ok(string(example, true)),
        SampleValues::Default(tensor) => default_element(tensor, index as usize, is_binary),
        SampleValues::Zeros => Ok(match input.dtype {
            DType::FLOAT | DType::DOUBLE => "0.0".to_owned(),
            DType::BOOL => "false".to_owned(),
            DType::STRING => string(b"", is_binary),
            _ => "0".to_owned(),
        }),
    }
}

fn default_element(tensor: &Tensor, index: usize, is_binary: bool) -> Result<String> {
    if let Some(strings) = tensor.strings() {
        return Ok(string(strings.get(index).unwrap_or_default(), is_binary));
    }
    macro_rules! at {
        ($element:ty) => {
            tensor
                .values::<$element>()?
                .get(index)
                .copied()
                .unwrap_or_default()
        };
    }
    Ok(match tensor.dtype() {
        DType::FLOAT => float(&at!(f32)),
        DType::DOUBLE => float(&at!(f64)),
        DType::BOOL => at!(bool).to_string(),
        DType::INT8 => at!(i8).to_string(),
        DType::INT16 => at!(i16).to_string(),
        DType::INT32 => at!(i32).to_string(),
        DType::INT64 => at!(i64).to_string(),
        DType::UINT8 => at!(u8).to_string(),
        DType::UINT32 => at!(u32).to_string(),
        _ => at!(u64).to_string(),
    })
}

/// Writes the shortest digits; what is not finite by the names that the REST interface has for it.
fn float(value: &impl std::fmt::Debug) -> String {
    match format!("{value:?}").as_str() {
        "inf" => "Infinity".to_owned(),
        "-inf" => "-Infinity".to_owned(),
        text => text.to_owned(),
    }
}

fn string(value: &[u8], is_binary: bool) -> String {
    match std::str::from_utf8(value) {
        Ok(text) if !is_binary => Text(text).to_string(),
        _ => format!("{{\"b64\": \"{}\"}}", base64(value)),
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            text.push(match i <= three.len() {
                true => char::from(DIGITS[(bits >> (18 - 6 * i)) as usize & 63]),
                false => '=',
            });
        }
    }
    text
}

/// A text in JSON's quotes.
pub(super) struct Text<'a>(pub(super) &'a str);

impl std::fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                // Also what a terminal could act on: JSON may escape anything.
                c if c.is_control() || is_direction(c) => write!(f, "\\u{:04x}", c as u32)?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(name: &str, dtype: DType, shape: &[u64], values: SampleValues) -> SampleInput {
        SampleInput {
            name: name.to_owned(),
            dtype,
            shape: shape.to_vec(),
            values,
            has_default: false,
        }
    }

    #[test]
    fn rows_where_there_is_a_common_batch_and_columns_elsewhere() {
        let zeros = |name, dtype, shape| input(name, dtype, shape, SampleValues::Zeros);
        let x = || zeros("x", DType::FLOAT, &[2, 2]);
        for (inputs, body) in [
            (vec![x()], "\"instances\": [[0.0, 0.0], [0.0, 0.0]]"),
            (
                vec![x(), zeros("n\"", DType::INT32, &[2])],
                "\"instances\": [{\"x\": [0.0, 0.0], \"n\\\"\": 0}, {\"x\": [0.0, 0.0], \"n\\\"\": 0}]",
            ),
            (
                vec![x(), zeros("on", DType::BOOL, &[])],
                "\"inputs\": {\"x\": [[0.0, 0.0], [0.0, 0.0]], \"on\": false}",
            ),
            (vec![zeros("s", DType::STRING, &[])], "\"inputs\": \"\""),
            (vec![zeros("e", DType::INT64, &[0])], "\"inputs\": []"),
            (
                vec![zeros("image_bytes", DType::STRING, &[1])],
                "\"instances\": [{\"b64\": \"\"}]",
            ),
        ] {
            let expected = format!("{{\"signature_name\": \"f\", {body}}}");
            assert_eq!(predict_body("f", &inputs, |_| true).unwrap(), expected);
        }
    }

    #[test]
    fn columns_where_outputs_are_no_rows() {
        let inputs = [input("x", DType::FLOAT, &[2], SampleValues::Zeros)];
        assert_eq!(
            predict_body("f", &inputs, |rows| rows == 3).unwrap(),
            "{\"signature_name\": \"f\", \"inputs\": [0.0, 0.0]}"
        );
    }

    #[test]
    fn defaults_are_written_with_their_values() {
        let tensor = Tensor::from_slice([3], &[0.1f32, 1e-8, f32::INFINITY]).unwrap();
        let inputs = [input(
            "x",
            DType::FLOAT,
            &[3],
            SampleValues::Default(tensor),
        )];
        assert_eq!(
            predict_body("f", &inputs, |_| true).unwrap(),
            "{\"signature_name\": \"f\", \"instances\": [0.1, 1e-8, Infinity]}"
        );
    }

    #[test]
    fn what_json_cannot_carry_is_refused() {
        for (dtype, shape) in [(DType::HALF, &[1][..]), (DType::FLOAT, &[1, 0, 2])] {
            let input = input("x", dtype, shape, SampleValues::Zeros);
            let error = predict_body("f", &[input], |_| true).unwrap_err();
            assert!(error.to_string().starts_with("key `x`: "), "{error}");
        }
    }

    #[test]
    fn bytes_are_base64() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"\xff\xfe\xfd\xfc", "//79/A=="),
        ] {
            assert_eq!(base64(bytes), text);
        }
    }
}
