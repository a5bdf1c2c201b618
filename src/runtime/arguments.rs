//! Arguments of a Python function: bound to its parameters, and matched with those of its traces.

use crate::error::{Error, Printable, Result};
use crate::object_graph::{FullArgSpec, StructuredValue, TensorSpec, TypeSpec};
use crate::tensor::{DType, Shape, Tensor};

/// Arguments by position and by keyword.
pub(super) type Arguments = (Vec<StructuredValue>, Vec<(String, StructuredValue)>);

/// Brings arguments into the form that traces have: those of named parameters by position, defaults
/// filled in (`tensorflow/core/function/polymorphism/function_type.py`).
pub(super) fn bind(spec: &FullArgSpec, (given, keywords): Arguments) -> Result<Arguments> {
    let mut positional: Vec<Option<StructuredValue>> = given.into_iter().map(Some).collect();
    if positional.len() > spec.args.len() && spec.varargs.is_none() {
        return Err(Error::invalid_argument(format!(
            "{} arguments by position for a function of {}",
            positional.len(),
            spec.args.len()
        )));
    }
    positional.resize(positional.len().max(spec.args.len()), None);
    let mut named = Vec::new();
    for (name, value) in keywords {
        let fault =
            |what: &str| Error::invalid_argument(format!("argument `{}` {what}", Printable(&name)));
        if let Some(place) = spec.args.iter().position(|arg| *arg == name) {
            if positional[place].replace(value).is_some() {
                return Err(fault("is given twice"));
            }
        } else if !spec.kwonlyargs.contains(&name) && spec.varkw.is_none() {
            return Err(fault("is none of the function's"));
        } else if named.iter().any(|(known, _)| *known == name) {
            return Err(fault("is given twice"));
        } else {
            named.push((name, value));
        }
    }
    let defaults = spec.defaults.as_deref().unwrap_or_default();
    let first = spec.args.len().saturating_sub(defaults.len());
    for (value, default) in positional[..spec.args.len()][first..]
        .iter_mut()
        .zip(defaults)
    {
        value.get_or_insert_with(|| default.clone());
    }
    for (name, default) in spec.kwonlydefaults.iter().flatten() {
        if named.iter().all(|(known, _)| known != name) {
            named.push((name.clone(), default.clone()));
        }
    }
    let missing =
        |name: &str| Error::invalid_argument(format!("argument `{}` is missing", Printable(name)));
    let positional = positional.into_iter().enumerate();
    let positional = positional.map(|(place, value)| {
        value.ok_or_else(|| missing(spec.args.get(place).map_or("", String::as_str)))
    });
    let positional = positional.collect::<Result<_>>()?;
    for name in &spec.kwonlyargs {
        if named.iter().all(|(known, _)| known != name) {
            return Err(missing(name));
        }
    }
    Ok((positional, named))
}

/// Whether Python numbers may stand for tensors, as in Python's second attempt.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Conversion {
    Forbidden,
    Allowed,
}

/// Compares a value with what a trace expects, and adds the tensors in it to `tensors` in the order
/// of the function's arguments. Answers false if they do not match.
pub(super) fn matches(
    expected: &StructuredValue,
    given: &StructuredValue,
    conversion: Conversion,
    tensors: &mut Vec<Tensor>,
) -> bool {
    use StructuredValue as V;
    match (expected, given) {
        (V::TensorSpec(spec), _) => match_tensor(spec, given, conversion, tensors),
        (V::BoundedTensorSpec(spec), _) => match_tensor(&spec.spec, given, conversion, tensors),
        (V::TypeSpec(spec), _) => match_components(spec, given, tensors),
        (V::List(expected) | V::Tuple(expected), V::List(given) | V::Tuple(given)) => {
            match_all(expected, given.iter(), conversion, tensors)
        }
        (V::NamedTuple(expected), V::NamedTuple(given)) => {
            let names = |tuple: &[(String, V)]| -> Vec<String> {
                tuple.iter().map(|(name, _)| name.clone()).collect()
            };
            names(&expected.fields) == names(&given.fields)
                && expected
                    .fields
                    .iter()
                    .zip(&given.fields)
                    .all(|((_, expected), (_, given))| {
                        matches(expected, given, conversion, tensors)
                    })
        }
        (V::Dict(expected), V::Dict(given)) => match_entries(expected, given, conversion, tensors),
        _ => number(expected)
            .zip(number(given))
            .map_or_else(|| expected == given, |(expected, given)| expected == given),
    }
}

fn match_all<'a>(
    expected: &[StructuredValue],
    given: impl ExactSizeIterator<Item = &'a StructuredValue>,
    conversion: Conversion,
    tensors: &mut Vec<Tensor>,
) -> bool {
    expected.len() == given.len()
        && expected
            .iter()
            .zip(given)
            .all(|(expected, given)| matches(expected, given, conversion, tensors))
}

pub(super) fn match_entries(
    expected: &[(String, StructuredValue)],
    given: &[(String, StructuredValue)],
    conversion: Conversion,
    tensors: &mut Vec<Tensor>,
) -> bool {
    let mut expected: Vec<_> = expected.iter().collect();
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    expected.len() == given.len()
        && expected.into_iter().all(|(name, expected)| {
            let given = given.iter().find(|(known, _)| known == name);
            given.is_some_and(|(_, given)| matches(expected, given, conversion, tensors))
        })
}

fn match_tensor(
    spec: &TensorSpec,
    given: &StructuredValue,
    conversion: Conversion,
    tensors: &mut Vec<Tensor>,
) -> bool {
    let tensor = match given {
        StructuredValue::Tensor(tensor) | StructuredValue::Numpy(tensor) => Some(tensor.clone()),
        _ if conversion == Conversion::Allowed => to_tensor(given, spec.dtype),
        _ => None,
    };
    match tensor {
        Some(tensor)
            if tensor.dtype() == spec.dtype && spec.shape.is_compatible_with(tensor.shape()) =>
        {
            tensors.push(tensor);
            true
        }
        _ => false,
    }
}

/// A value that is made of several tensors is given as a list of those.
fn match_components(spec: &TypeSpec, given: &StructuredValue, tensors: &mut Vec<Tensor>) -> bool {
    let Some(components) = given.elements() else {
        return false;
    };
    let found = components.iter().map(|component| match component {
        StructuredValue::Tensor(tensor) | StructuredValue::Numpy(tensor) => Some(tensor.clone()),
        _ => None,
    });
    let found: Option<Vec<Tensor>> = found.collect();
    let count = usize::try_from(spec.num_flat_components).unwrap_or(0);
    match found {
        Some(found) if count == 0 || count == found.len() => {
            tensors.extend(found);
            true
        }
        _ => false,
    }
}

/// Makes a scalar of a Python value, as `tf.convert_to_tensor` does with that dtype in mind.
fn to_tensor(value: &StructuredValue, dtype: DType) -> Option<Tensor> {
    use StructuredValue as V;
    Some(match (value, dtype) {
        (V::Bool(value), DType::BOOL) => Tensor::scalar(*value),
        (V::Int(value), DType::INT64) => Tensor::scalar(*value),
        (V::Int(value), DType::INT32) => Tensor::scalar(i32::try_from(*value).ok()?),
        (V::Int(value), DType::UINT8) => Tensor::scalar(u8::try_from(*value).ok()?),
        (V::Int(value), DType::FLOAT) => Tensor::scalar(*value as f32),
        (V::Int(value), DType::DOUBLE) => Tensor::scalar(*value as f64),
        (V::Float(value), DType::FLOAT) => Tensor::scalar(*value as f32),
        (V::Float(value), DType::DOUBLE) => Tensor::scalar(*value),
        (V::String(text), DType::STRING) => Tensor::from_strings(Shape::SCALAR, [text]).ok()?,
        _ => return None,
    })
}

/// To Python, `1`, `1.0` and `True` are equal.
fn number(value: &StructuredValue) -> Option<f64> {
    match value {
        StructuredValue::Bool(value) => Some(u8::from(*value).into()),
        StructuredValue::Int(value) => Some(*value as f64),
        StructuredValue::Float(value) => Some(*value),
        _ => None,
    }
}

/// Puts tensors into the structure that a function returns; `None` if there are more or fewer.
pub(super) fn pack(
    structure: &StructuredValue,
    tensors: &mut impl Iterator<Item = Tensor>,
) -> Option<StructuredValue> {
    use StructuredValue as V;
    Some(match structure {
        V::TensorSpec(_) | V::BoundedTensorSpec(_) => V::Tensor(tensors.next()?),
        V::TypeSpec(spec) => {
            let count = usize::try_from(spec.num_flat_components).ok()?;
            let components = (0..count).map(|_| tensors.next().map(V::Tensor));
            V::List(components.collect::<Option<_>>()?)
        }
        V::List(elements) => V::List(pack_all(elements, tensors)?),
        V::Tuple(elements) => V::Tuple(pack_all(elements, tensors)?),
        V::NamedTuple(tuple) => {
            let mut tuple = tuple.clone();
            for (_, value) in &mut tuple.fields {
                *value = pack(value, tensors)?;
            }
            V::NamedTuple(tuple)
        }
        V::Dict(entries) => {
            let mut entries = entries.clone();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            for (_, value) in &mut entries {
                *value = pack(value, tensors)?;
            }
            V::Dict(entries)
        }
        other => other.clone(),
    })
}

fn pack_all(
    elements: &[StructuredValue],
    tensors: &mut impl Iterator<Item = Tensor>,
) -> Option<Vec<StructuredValue>> {
    elements
        .iter()
        .map(|element| pack(element, tensors))
        .collect()
}

/// Shows a value in few words: of a tensor, dtype and shape.
pub(super) fn describe(value: &StructuredValue) -> String {
    use StructuredValue as V;
    let list = |elements: &[V]| {
        let elements: Vec<String> = elements.iter().map(describe).collect();
        elements.join(", ")
    };
    match value {
        V::None => "None".to_owned(),
        V::Bool(true) => "True".to_owned(),
        V::Bool(false) => "False".to_owned(),
        V::Int(value) => value.to_string(),
        V::Float(value) => format!("{value:?}"),
        V::String(text) => format!("{text:?}"),
        V::DType(dtype) => dtype.to_string(),
        V::TensorShape(shape) => shape.to_string(),
        V::TensorSpec(spec) => {
            let name = spec.name.as_ref().map(|name| format!("{name}: "));
            format!("{}{} {}", name.unwrap_or_default(), spec.dtype, spec.shape)
        }
        V::BoundedTensorSpec(spec) => describe(&V::TensorSpec(spec.spec.clone())),
        V::TypeSpec(spec) => match &*spec.class_name {
            "" => format!("{} tensors", spec.num_flat_components),
            name => format!("{name} of {} tensors", spec.num_flat_components),
        },
        V::Tensor(tensor) | V::Numpy(tensor) => {
            format!("{} {}", tensor.dtype(), tensor.shape())
        }
        V::List(elements) => format!("[{}]", list(elements)),
        V::Tuple(elements) => format!("({})", list(elements)),
        V::Dict(entries) => format!("{{{}}}", describe_entries(entries)),
        V::NamedTuple(tuple) => format!("{}({})", tuple.name, describe_entries(&tuple.fields)),
    }
}

/// Shows names and values.
pub(super) fn describe_entries(entries: &[(String, StructuredValue)]) -> String {
    let entries = entries.iter();
    let entries: Vec<String> = entries
        .map(|(name, value)| format!("{name}={}", describe(value)))
        .collect();
    entries.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::PartialShape;

    fn spec(args: &[&str], defaults: &[StructuredValue]) -> FullArgSpec {
        FullArgSpec {
            args: args.iter().map(|name| (*name).to_owned()).collect(),
            varargs: None,
            varkw: None,
            defaults: Some(defaults.to_vec()),
            kwonlyargs: vec!["last".to_owned()],
            kwonlydefaults: Some(vec![("last".to_owned(), StructuredValue::None)]),
        }
    }

    fn tensor_spec(dims: &[i64]) -> StructuredValue {
        StructuredValue::TensorSpec(TensorSpec {
            name: None,
            shape: PartialShape::try_from(dims).unwrap(),
            dtype: DType::FLOAT,
        })
    }

    #[test]
    fn arguments_are_bound_as_in_python() {
        let spec = spec(&["x", "training"], &[false.into()]);
        let named = |name: &str, value| vec![(name.to_owned(), value)];
        let none = || named("last", StructuredValue::None);
        for (given, expected) in [
            (
                (vec![1.into()], vec![]),
                (vec![1.into(), false.into()], none()),
            ),
            (
                (vec![1.into()], named("training", true.into())),
                (vec![1.into(), true.into()], none()),
            ),
            (
                (vec![], named("x", 2.into())),
                (vec![2.into(), false.into()], none()),
            ),
            (
                (vec![1.into(), 2.into()], named("last", 3.into())),
                (vec![1.into(), 2.into()], named("last", 3.into())),
            ),
        ] as [(Arguments, Arguments); 4]
        {
            assert_eq!(bind(&spec, given).unwrap(), expected);
        }
        for given in [
            (vec![], vec![]),
            (vec![1.into(); 3], vec![]),
            (vec![1.into()], named("x", 1.into())),
            (vec![1.into()], named("y", 1.into())),
        ] {
            assert!(bind(&spec, given).is_err());
        }
    }

    #[test]
    fn tensors_come_in_the_order_of_flattened_structures() {
        let one = || Tensor::from_slice([1], &[1f32]).unwrap();
        let two = || Tensor::from_slice([2], &[2f32, 2.]).unwrap();
        let entry = |name: &str, value| (name.to_owned(), value);
        let expected = StructuredValue::Tuple(vec![
            StructuredValue::Dict(vec![
                entry("b", tensor_spec(&[1])),
                entry("a", tensor_spec(&[-1])),
            ]),
            1.into(),
        ]);
        let given = |flag: StructuredValue| {
            StructuredValue::Tuple(vec![
                StructuredValue::Dict(vec![entry("b", one().into()), entry("a", two().into())]),
                flag,
            ])
        };
        let mut tensors = Vec::new();
        assert!(matches(
            &expected,
            &given(true.into()),
            Conversion::Forbidden,
            &mut tensors
        ));
        assert_eq!(tensors, [two(), one()]);
        assert!(!matches(
            &expected,
            &given(2.into()),
            Conversion::Allowed,
            &mut Vec::new()
        ));

        let packed = pack(&expected, &mut tensors.into_iter()).unwrap();
        assert_eq!(packed.flatten()[0].as_tensor(), Some(&two()));
        assert!(pack(&expected, &mut [one()].into_iter()).is_none());
    }

    #[test]
    fn numbers_become_tensors_in_the_second_attempt_alone() {
        let scalar = tensor_spec(&[]);
        let attempt = |conversion, value: StructuredValue| {
            let mut tensors = Vec::new();
            matches(&scalar, &value, conversion, &mut tensors).then(|| tensors.remove(0))
        };
        assert_eq!(attempt(Conversion::Forbidden, 1.into()), None);
        assert_eq!(
            attempt(Conversion::Allowed, 1.into()),
            Some(Tensor::scalar(1f32))
        );
        assert_eq!(attempt(Conversion::Allowed, "1".into()), None);
    }

    #[test]
    fn values_are_described_in_few_words() {
        let value = StructuredValue::Tuple(vec![tensor_spec(&[-1, 3]), "a\n".into(), true.into()]);
        assert_eq!(describe(&value), "(float32 [?, 3], \"a\\n\", True)");
    }
}
