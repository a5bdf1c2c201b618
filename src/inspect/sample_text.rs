//! Requests to TensorFlow Serving's gRPC interface in protobuf's text format: `PredictRequest`
//! (`tensorflow_serving/apis/predict.proto`), `ClassificationRequest`, `RegressionRequest`.

use std::fmt::{self, Write};

use super::sample_input::{SampleInput, SampleValues, zero_field};
use crate::example::{Example, Feature};
use crate::tensor::{DType, Tensor};

/// Writes a `PredictRequest`.
pub(super) fn predict_request(model: &str, signature: &str, inputs: &[SampleInput]) -> String {
    let mut text = Lines::default();
    text.model_spec(model, signature);
    for input in inputs {
        text.open("inputs");
        text.line(format_args!("key: {}", Quoted(input.name.as_bytes())));
        text.open("value");
        write_tensor(&mut text, input);
        text.close();
        text.close();
    }
    text.out
}

/// Writes a `ClassificationRequest` or `RegressionRequest`, which are alike.
pub(super) fn examples_request(
    model: &str,
    signature: &str,
    example: &Example,
    count: u64,
) -> String {
    let mut text = Lines::default();
    text.model_spec(model, signature);
    text.open("input");
    text.open("example_list");
    for _ in 0..count {
        text.open("examples");
        text.open("features");
        for (name, feature) in example.features() {
            text.open("feature");
            text.line(format_args!("key: {}", Quoted(name.as_bytes())));
            text.open("value");
            write_feature(&mut text, feature);
            text.close();
            text.close();
        }
        text.close();
        text.close();
    }
    text.close();
    text.close();
    text.out
}

fn write_feature(text: &mut Lines, feature: &Feature) {
    match feature {
        Feature::Unset => {}
        Feature::Bytes(values) => {
            text.open("bytes_list");
            for value in values {
                text.line(format_args!("value: {}", Quoted(value)));
            }
            text.close();
        }
        Feature::Float(values) => {
            text.open("float_list");
            for value in values {
                text.line(format_args!("value: {value:?}"));
            }
            text.close();
        }
        Feature::Int64(values) => {
            text.open("int64_list");
            for value in values {
                text.line(format_args!("value: {value}"));
            }
            text.close();
        }
    }
}

fn write_tensor(text: &mut Lines, input: &SampleInput) {
    if input.has_default {
        text.line(format_args!(
            "# the signature has this value; the input may be left out"
        ));
    }
    text.line(format_args!("dtype: {}", input.dtype.proto_name()));
    text.open("tensor_shape");
    for dim in &input.shape {
        text.line(format_args!("dim {{ size: {dim} }}"));
    }
    text.close();
    if input.elements() == 0 {
        return;
    }
    match &input.values {
        // One value stands for all.
        SampleValues::Zeros => {
            let (field, zero) = zero_field(input.dtype).unwrap_or(("int_val", "0"));
            text.line(format_args!("{field}: {zero}"));
            if input.dtype.is_complex() {
                text.line(format_args!("{field}: {zero}"));
            }
        }
        SampleValues::Examples(example) => {
            text.line(format_args!("string_val: {}", Quoted(example)));
        }
        SampleValues::Default(tensor) => write_values(text, tensor),
    }
}

fn write_values(text: &mut Lines, tensor: &Tensor) {
    if let Some(strings) = tensor.strings() {
        for value in strings.iter() {
            text.line(format_args!("string_val: {}", Quoted(value)));
        }
        return;
    }
    if let (DType::FLOAT, Ok(values)) = (tensor.dtype(), tensor.values::<f32>()) {
        for value in values.iter() {
            text.line(format_args!(
                "float_val: {}",
                Float(f64::from(*value), format!("{value:?}"))
            ));
        }
        return;
    }
    if let (DType::INT64, Ok(values)) = (tensor.dtype(), tensor.values::<i64>()) {
        for value in values.iter() {
            text.line(format_args!("int64_val: {value}"));
        }
        return;
    }
    if let Some(bytes) = tensor.bytes() {
        text.line(format_args!("tensor_content: {}", Quoted(bytes)));
    }
}

/// A float as the text format writes it.
struct Float(f64, String);

impl fmt::Display for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.is_nan() {
            true => f.write_str("nan"),
            false => f.write_str(&self.1),
        }
    }
}

/// Text under construction, two blanks for each brace that is open.
#[derive(Default)]
struct Lines {
    out: String,
    depth: usize,
}

impl Lines {
    fn line(&mut self, text: fmt::Arguments<'_>) {
        let indent = 2 * self.depth;
        let _ = writeln!(self.out, "{:indent$}{text}", "");
    }

    fn open(&mut self, name: &str) {
        self.line(format_args!("{name} {{"));
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.line(format_args!("}}"));
    }

    fn model_spec(&mut self, model: &str, signature: &str) {
        self.open("model_spec");
        self.line(format_args!("name: {}", Quoted(model.as_bytes())));
        self.line(format_args!(
            "signature_name: {}",
            Quoted(signature.as_bytes())
        ));
        self.close();
    }
}

/// Bytes between quotes, as protobuf's text format escapes them.
struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for byte in self.0 {
            match byte {
                b'\n' => f.write_str("\\n")?,
                b'\r' => f.write_str("\\r")?,
                b'\t' => f.write_str("\\t")?,
                b'"' | b'\\' => write!(f, "\\{}", char::from(*byte))?,
                b' '..=b'~' => f.write_char(char::from(*byte))?,
                byte => write!(f, "\\{byte:03o}")?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_line_by_line() {
        let inputs = [SampleInput {
            name: "é\"".to_owned(),
            dtype: DType::COMPLEX64,
            shape: vec![1, 2],
            values: SampleValues::Zeros,
            has_default: true,
        }];
        let expected = [
            "model_spec {",
            "  name: \"m\"",
            "  signature_name: \"f\"",
            "}",
            "inputs {",
            "  key: \"\\303\\251\\\"\"",
            "  value {",
            "    # the signature has this value; the input may be left out",
            "    dtype: DT_COMPLEX64",
            "    tensor_shape {",
            "      dim { size: 1 }",
            "      dim { size: 2 }",
            "    }",
            "    scomplex_val: 0",
            "    scomplex_val: 0",
            "  }",
            "}",
            "",
        ];
        assert_eq!(predict_request("m", "f", &inputs), expected.join("\n"));
    }

    #[test]
    fn defaults_are_written_with_their_values() {
        let of = |tensor: Tensor| {
            let input = SampleInput {
                name: "x".to_owned(),
                dtype: tensor.dtype(),
                shape: tensor.shape().dims().to_vec(),
                values: SampleValues::Default(tensor),
                has_default: false,
            };
            let mut text = Lines::default();
            write_tensor(&mut text, &input);
            text.out.split_once("}\n").unwrap().1.to_owned()
        };
        let floats = Tensor::from_slice([3], &[0.5f32, f32::NAN, f32::NEG_INFINITY]).unwrap();
        let expected = "float_val: 0.5\nfloat_val: nan\nfloat_val: -inf\n";
        assert!(of(floats).ends_with(expected));
        let ints = Tensor::from_slice([2], &[1i16, -1]).unwrap();
        assert!(of(ints).ends_with("tensor_content: \"\\001\\000\\377\\377\"\n"));
    }
}
