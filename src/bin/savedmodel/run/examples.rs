//! `--input_examples`: dicts to serialized `tf.Example` messages, as the stock tool makes them
//! (`tensorflow/python/tools/saved_model_cli.py`).

use prost::bytes::Bytes;
use savedmodel::example::{Example, Feature, ParsingSpec};
use savedmodel::{DType, Tensor};

use super::expression::{Grammar, Value, parse_inputs};
use crate::failure::Failure;

/// The examples for one input.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ExampleList {
    pub(crate) examples: Vec<Example>,
}

/// Reads `key=[{feature: [values], ...}, ...]`.
///
/// # Errors
///
/// As [`parse_inputs`], and in the words of the stock tool and of what it is made with: values that
/// are no lists of dicts, features that are no lists, are empty, or have values of several kinds.
pub(crate) fn parse_examples(
    text: &str,
    grammar: Grammar,
    seed: u64,
) -> Result<Vec<(String, ExampleList)>, Failure> {
    let inputs = parse_inputs(text, grammar, seed)?;
    let lists = inputs.into_iter().map(|(key, value)| {
        let list = list_of(&value, grammar).map_err(|what| {
            Failure::Usage(match grammar {
                Grammar::Stock => what.into(),
                Grammar::Ours => format!("input {key}: {what}").into(),
            })
        })?;
        Ok((key, list))
    });
    lists.collect()
}

fn list_of(value: &Value, grammar: Grammar) -> Result<ExampleList, String> {
    let Value::List(dicts) = value else {
        return Err(format!(
            "tf.Example input must be a list of dictionaries, but \"{}\" is <class '{}'>",
            value.str(),
            value.type_name()
        ));
    };
    let examples = dicts.iter().map(|dict| {
        let Value::Dict(entries) = dict else {
            let kind = dict.type_name();
            return Err(match grammar {
                Grammar::Stock => format!("'{kind}' object has no attribute 'items'"),
                Grammar::Ours => format!(
                    "an example is a dict of features, such as {{\"x\": [1.0]}}, and {} is a {kind}",
                    dict.repr()
                ),
            });
        };
        let mut example = Example::new();
        for (name, values) in entries {
            let feature = feature(name, values, grammar)?;
            let name = match name {
                Value::Str(name) => name.clone(),
                // Protobuf takes the bytes of a text for one.
                Value::Bytes(name) => String::from_utf8(name.clone())
                    .map_err(|_| "the name of a feature is no UTF-8".to_owned())?,
                other => {
                    return Err(match grammar {
                        Grammar::Stock => "bad argument type for built-in operation".to_owned(),
                        Grammar::Ours => format!(
                            "the name of a feature is a string, and {} is a {}",
                            other.repr(),
                            other.type_name()
                        ),
                    });
                }
            };
            example.insert(name, feature);
        }
        Ok(example)
    });
    Ok(ExampleList {
        examples: examples.collect::<Result<_, _>>()?,
    })
}

/// Makes a feature of the kind that the first value has.
fn feature(name: &Value, values: &Value, grammar: Grammar) -> Result<Feature, String> {
    let values = match (values, grammar) {
        (Value::List(values), _) => values.clone(),
        // A vector of numpy is as good as a list; the stock grammar has none.
        (Value::Array(array), Grammar::Ours) if array.shape().len() == 1 => {
            (0..array.elements().len())
                .map(|index| array.elements().value(index))
                .collect()
        }
        (other, _) => {
            return Err(format!(
                "feature value must be a list, but {}: \"{}\" is <class '{}'>",
                name.str(),
                other.str(),
                other.type_name()
            ));
        }
    };
    let in_feature = |what: String| match grammar {
        Grammar::Stock => what,
        Grammar::Ours => format!("feature {}: {what}", name.repr()),
    };
    let Some(first) = values.first() else {
        return match grammar {
            Grammar::Stock => Err("list index out of range".to_owned()),
            // Without values there is no kind, and parsing takes it for a feature that is missing.
            Grammar::Ours => Ok(Feature::Unset),
        };
    };
    // Ours looks at all values, so that an integer among floats is one, and bytes among texts.
    let is_float = |value: &Value| matches!(value, Value::Float(_));
    let feature = match first {
        Value::Float(_) => floats(&values),
        Value::Int(_) if grammar == Grammar::Ours && values.iter().any(is_float) => floats(&values),
        Value::Str(_) => values
            .iter()
            .map(|value| match (value, grammar) {
                (Value::Str(text), _) => Ok(Bytes::copy_from_slice(text.as_bytes())),
                (Value::Bytes(bytes), Grammar::Ours) => Ok(Bytes::copy_from_slice(bytes)),
                (other, _) => Err(format!(
                    "'{}' object has no attribute 'encode'",
                    other.type_name()
                )),
            })
            .collect::<Result<_, _>>()
            .map(Feature::Bytes),
        Value::Bytes(_) => values
            .iter()
            .map(|value| match (value, grammar) {
                (Value::Bytes(bytes), _) => Ok(Bytes::copy_from_slice(bytes)),
                (Value::Str(text), Grammar::Ours) => Ok(Bytes::copy_from_slice(text.as_bytes())),
                (other, _) => Err(format!("expected bytes, {} found", other.type_name())),
            })
            .collect::<Result<_, _>>()
            .map(Feature::Bytes),
        Value::Int(_) | Value::Bool(_) => values
            .iter()
            .map(integer)
            .collect::<Result<_, _>>()
            .map(Feature::Int64),
        other => Err(format!(
            "Type <class '{}'> for value {} is not supported for tf.train.Feature.",
            other.type_name(),
            other.str()
        )),
    };
    feature.map_err(in_feature)
}

fn floats(values: &[Value]) -> Result<Feature, String> {
    let floats: Result<Vec<f32>, String> = values.iter().map(float).collect();
    floats.map(Feature::Float)
}

fn float(value: &Value) -> Result<f32, String> {
    match value {
        Value::Bool(value) => Ok(f32::from(u8::from(*value))),
        Value::Int(value) => Ok(*value as f64 as f32),
        Value::Float(value) => Ok(*value as f32),
        other => Err(format!("must be real number, not {}", other.type_name())),
    }
}

fn integer(value: &Value) -> Result<i64, String> {
    match value {
        Value::Bool(value) => Ok((*value).into()),
        Value::Int(value) => {
            i64::try_from(*value).map_err(|_| format!("Value out of range: {value}"))
        }
        other => Err(format!(
            "'{}' object cannot be interpreted as an integer",
            other.type_name()
        )),
    }
}

impl ExampleList {
    /// Fits the examples to what a graph takes out of them: integers become floats where it takes
    /// floats, whole floats become integers where it takes integers. Returns the names of features
    /// that were converted.
    ///
    /// # Errors
    ///
    /// What parsing would refuse: features that are missing, of another type or of a wrong number of
    /// values.
    pub(crate) fn fit(&mut self, spec: &ParsingSpec) -> Result<Vec<String>, Failure> {
        let mut converted = Vec::new();
        for example in &mut self.examples {
            for wanted in spec.features() {
                let Some(feature) = example.feature(wanted.key()) else {
                    continue;
                };
                if let Some(fitting) = fitting(feature, wanted.dtype()) {
                    example.insert(wanted.key(), fitting);
                    if !converted.iter().any(|name| name == wanted.key()) {
                        converted.push(wanted.key().to_owned());
                    }
                }
            }
        }
        for (index, example) in self.examples.iter().enumerate() {
            spec.check(example)
                .map_err(|error| Failure::Usage(format!("example {index}: {error}").into()))?;
        }
        Ok(converted)
    }

    /// Makes the vector of serialized examples that an input takes.
    ///
    /// # Errors
    ///
    /// None for as many examples as memory can hold.
    pub(crate) fn to_tensor(&self) -> Result<Tensor, Failure> {
        let serialized = self.examples.iter().map(Example::to_bytes);
        Ok(Tensor::from_strings([self.examples.len()], serialized)?)
    }
}

/// Returns the same numbers as another kind of feature, if they need to be and can be without loss
/// but for rounding to the nearest float.
fn fitting(feature: &Feature, dtype: DType) -> Option<Feature> {
    match (feature, dtype) {
        (Feature::Int64(values), DType::FLOAT) => Some(Feature::Float(
            values.iter().map(|value| *value as f32).collect(),
        )),
        (Feature::Float(values), DType::INT64) => values
            .iter()
            .map(|value| {
                let integer = *value as i64;
                (integer as f32 == *value && integer != i64::MAX).then_some(integer)
            })
            .collect::<Option<_>>()
            .map(Feature::Int64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, grammar: Grammar) -> Result<ExampleList, String> {
        let mut inputs = parse_examples(text, grammar, 0).map_err(|failure| failure.to_string())?;
        Ok(inputs.remove(0).1)
    }

    fn only(text: &str, grammar: Grammar) -> Feature {
        let list = parsed(&format!("in=[{{\"x\": {text}}}]"), grammar).unwrap();
        list.examples[0].feature("x").unwrap().clone()
    }

    #[test]
    fn the_first_value_says_the_kind() {
        let stock = |text| only(text, Grammar::Stock);
        assert_eq!(stock("[1.0, 2, True]"), [1f32, 2.0, 1.0].into());
        assert_eq!(stock("[1, True]"), [1i64, 1].into());
        assert_eq!(stock("[True]"), [1i64].into());
        assert_eq!(stock("[\"é\"]"), ["é"].into());
        assert_eq!(stock("[b\"\\xff\"]"), [&b"\xff"[..]].into());
        let ours = |text| only(text, Grammar::Ours);
        assert_eq!(ours("[1, 2.5]"), [1f32, 2.5].into());
        assert_eq!(ours("[\"a\", b\"b\"]"), ["a", "b"].into());
        assert_eq!(ours("np.zeros((3), dtype=int).tolist()"), [0i64; 3].into());
        assert_eq!(ours("np.ones(2)"), [1f32; 2].into());
        assert_eq!(ours("[]"), Feature::Unset);
    }

    #[test]
    fn the_stock_texts() {
        for (text, message) in [
            (
                "i={\"x\":[1.0]}",
                "tf.Example input must be a list of dictionaries, but \"{'x': [1.0]}\" is <class 'dict'>",
            ),
            (
                "i=[{\"x\":1.0}]",
                "feature value must be a list, but x: \"1.0\" is <class 'float'>",
            ),
            (
                "i=[{\"x\":[None]}]",
                "Type <class 'NoneType'> for value None is not supported for tf.train.Feature.",
            ),
            ("i=[{\"x\":[]}]", "list index out of range"),
            ("i=[1]", "'int' object has no attribute 'items'"),
            ("i=[{1:[1]}]", "bad argument type for built-in operation"),
            ("i=[{\"x\":[1.0,\"b\"]}]", "must be real number, not str"),
            (
                "i=[{\"x\":[\"a\",1]}]",
                "'int' object has no attribute 'encode'",
            ),
            ("i=[{\"x\":[b\"a\",\"b\"]}]", "expected bytes, str found"),
            (
                "i=[{\"x\":[1,2.5]}]",
                "'float' object cannot be interpreted as an integer",
            ),
            (
                "i=[{\"x\":[1,2**3]}]",
                "Expression \"[{\"x\":[1,2**3]}]\" is not a valid python literal.",
            ),
            (
                "i=[{\"x\":[99999999999999999999]}]",
                "Value out of range: 99999999999999999999",
            ),
        ] {
            assert_eq!(parsed(text, Grammar::Stock).unwrap_err(), message, "{text}");
        }
        assert_eq!(
            parsed("i=[{\"x\":[1,\"a\"]}]", Grammar::Ours).unwrap_err(),
            "input i: feature 'x': 'str' object cannot be interpreted as an integer"
        );
    }

    #[test]
    fn numbers_fit_what_they_are_meant_as() {
        assert_eq!(
            fitting(&[1i64, -2].into(), DType::FLOAT),
            Some([1f32, -2.0].into())
        );
        assert_eq!(fitting(&[3f32].into(), DType::INT64), Some([3i64].into()));
        assert_eq!(fitting(&[3.5f32].into(), DType::INT64), None);
        assert_eq!(fitting(&[1e30f32].into(), DType::INT64), None);
        assert_eq!(fitting(&[1i64].into(), DType::INT64), None);
    }

    #[test]
    fn examples_become_strings() {
        let list = parsed("i=[{\"x\":[1]},{}]", Grammar::Stock).unwrap();
        let tensor = list.to_tensor().unwrap();
        assert_eq!(
            (tensor.dtype(), tensor.shape().dims()),
            (DType::STRING, &[2][..])
        );
        let strings = tensor.strings().unwrap();
        assert_eq!(Example::from_bytes(&strings[0]).unwrap(), list.examples[0]);
        assert!(strings[1].is_empty());
    }
}
