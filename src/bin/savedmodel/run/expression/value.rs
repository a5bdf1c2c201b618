use std::collections::HashMap;

use super::Array;
use crate::python::{bool_repr, bytes_repr, float_repr, text_repr};

/// What an expression is: a value of Python or an array of numpy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    None,
    Ellipsis,
    Bool(bool),
    /// Python's integers have no end; ours end at 127 bits.
    Int(i128),
    Float(f64),
    /// Real and imaginary part.
    Complex([f64; 2]),
    Str(String),
    Bytes(Vec<u8>),
    /// A list, or a range, which serves as one.
    List(Vec<Value>),
    Tuple(Vec<Value>),
    Set(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    /// An array, or a scalar of numpy, which serves as one without dimensions.
    Array(Array),
}

impl Value {
    /// Makes a dict or a set of what stands between braces, keys with values or alone. Of equal keys
    /// the last value counts, in the place of the first.
    pub(super) fn of_braces(entries: Vec<(Value, Option<Value>)>) -> Result<Value, String> {
        let is_set = entries.first().is_some_and(|(_, value)| value.is_none());
        let mut places = HashMap::new();
        let mut dict: Vec<(Value, Value)> = Vec::new();
        for (key, value) in entries {
            if value.is_none() != is_set {
                return Err("a dict and a set in one".to_owned());
            }
            let text = key
                .key()
                .ok_or_else(|| format!("unhashable type: '{}'", key.type_name()))?;
            let place = *places.entry(text).or_insert(dict.len());
            let value = value.unwrap_or(Value::None);
            match dict.get_mut(place) {
                Some((_, slot)) => *slot = value,
                None => dict.push((key, value)),
            }
        }
        Ok(match is_set {
            true => Value::Set(dict.into_iter().map(|(key, _)| key).collect()),
            false => Value::Dict(dict),
        })
    }

    /// Joins string literals that stand beside each other.
    pub(super) fn beside(self, other: Value) -> Result<Value, String> {
        match (self, other) {
            (Value::Str(one), Value::Str(other)) => Ok(Value::Str(one + &other)),
            (Value::Bytes(mut one), Value::Bytes(other)) => {
                one.extend(other);
                Ok(Value::Bytes(one))
            }
            (Value::Str(_), Value::Bytes(_)) | (Value::Bytes(_), Value::Str(_)) => {
                Err("bytes beside a string".to_owned())
            }
            _ => Err("two values without anything between them".to_owned()),
        }
    }

    /// Returns the name of the type in Python, which shows types as `<class 'NAME'>`.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Value::None => "NoneType",
            Value::Ellipsis => "ellipsis",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Complex(_) => "complex",
            Value::Str(_) => "str",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "list",
            Value::Tuple(_) => "tuple",
            Value::Set(_) => "set",
            Value::Dict(_) => "dict",
            Value::Array(_) => "numpy.ndarray",
        }
    }

    /// Returns `str(value)`.
    pub(crate) fn str(&self) -> String {
        match self {
            Value::Str(text) => text.clone(),
            other => other.repr(),
        }
    }

    /// Returns `repr(value)`; of an array, what it is made of.
    pub(crate) fn repr(&self) -> String {
        match self {
            Value::None => "None".to_owned(),
            Value::Ellipsis => "Ellipsis".to_owned(),
            Value::Bool(value) => bool_repr(*value).to_owned(),
            Value::Int(value) => value.to_string(),
            Value::Float(value) => float_repr(*value),
            Value::Complex(parts) => complex_repr(*parts),
            Value::Str(text) => text_repr(text),
            Value::Bytes(bytes) => bytes_repr(bytes),
            Value::List(elements) => format!("[{}]", joined(elements)),
            Value::Tuple(elements) => match &elements[..] {
                [only] => format!("({},)", only.repr()),
                _ => format!("({})", joined(elements)),
            },
            Value::Set(elements) if elements.is_empty() => "set()".to_owned(),
            Value::Set(elements) => format!("{{{}}}", joined(elements)),
            Value::Dict(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| format!("{}: {}", key.repr(), value.repr()));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
            Value::Array(array) => {
                let dims: Vec<String> = array.shape().iter().map(u64::to_string).collect();
                format!("an array {}[{}]", array.type_name(), dims.join(", "))
            }
        }
    }

    /// Returns what tells keys of a dict and elements of a set apart: numbers that are equal are one
    /// key. `None` for what cannot be a key.
    pub(super) fn key(&self) -> Option<String> {
        Some(match self {
            Value::Bool(value) => i128::from(*value).to_string(),
            Value::Float(value) if value.fract() == 0.0 && value.abs() < 1e30 => {
                (*value as i128).to_string()
            }
            Value::Complex([value, 0.0]) => Value::Float(*value).key()?,
            Value::List(_) | Value::Set(_) | Value::Dict(_) | Value::Array(_) => return None,
            Value::Tuple(elements) => {
                let keys: Option<Vec<String>> = elements.iter().map(Value::key).collect();
                format!("({})", keys?.join(","))
            }
            other => other.repr(),
        })
    }

    /// Returns what `bool(value)` is.
    pub(crate) fn truth(&self) -> bool {
        match self {
            Value::None => false,
            Value::Ellipsis => true,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Complex(parts) => *parts != [0.0, 0.0],
            Value::Str(text) => !text.is_empty(),
            Value::Bytes(bytes) => !bytes.is_empty(),
            Value::List(elements) | Value::Tuple(elements) | Value::Set(elements) => {
                !elements.is_empty()
            }
            Value::Dict(entries) => !entries.is_empty(),
            Value::Array(array) => {
                (0..array.elements().len()).any(|index| array.elements().value(index).truth())
            }
        }
    }
}

fn joined(elements: &[Value]) -> String {
    elements
        .iter()
        .map(Value::repr)
        .collect::<Vec<_>>()
        .join(", ")
}

fn complex_repr([real, imaginary]: [f64; 2]) -> String {
    let part = |value: f64| {
        let text = float_repr(value);
        text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
    };
    let imaginary = part(imaginary);
    if real == 0.0 && real.is_sign_positive() {
        return format!("{imaginary}j");
    }
    let sign = if imaginary.starts_with('-') { "" } else { "+" };
    format!("({}{sign}{imaginary}j)", part(real))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_python_shows_them() {
        use Value::*;
        for (value, text) in [
            (Complex([0.0, 2.0]), "2j"),
            (Complex([-0.0, -2.0]), "(-0-2j)"),
            (Complex([1.5, f64::NAN]), "(1.5+nanj)"),
            (Tuple(vec![Int(1)]), "(1,)"),
            (Set(vec![]), "set()"),
            (
                Dict(vec![(Str("x".into()), List(vec![Float(1.0), None]))]),
                "{'x': [1.0, None]}",
            ),
            (Bytes(vec![255]), r"b'\xff'"),
            (Ellipsis, "Ellipsis"),
        ] {
            assert_eq!(value.repr(), text);
        }
        assert_eq!(Str("a'b".into()).str(), "a'b");
    }

    #[test]
    fn equal_numbers_are_one_key() {
        let keys = [
            Value::Int(1),
            Value::Bool(true),
            Value::Float(1.0),
            Value::Complex([1.0, 0.0]),
        ];
        assert!(keys.iter().all(|key| key.key().as_deref() == Some("1")));
        assert_eq!(Value::Tuple(vec![Value::List(vec![])]).key(), None);
        assert_ne!(Value::Str("1".into()).key(), Value::Int(1).key());
    }
}
