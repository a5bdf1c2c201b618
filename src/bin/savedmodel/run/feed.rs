//! From values and arrays to the tensor that an input takes, as `Session.run` feeds it
//! (`tensorflow/python/client/session.py`, `tensorflow/python/util/numpy_compat.py`).

use savedmodel::{DType, PartialShape, Tensor};

use super::expression::{
    Array, CastError, Elements, Grammar, Value, array_of, cast, first_loss, objects_of, tuple,
};
use crate::failure::Failure;

/// What is fed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// As the graph calls it: `x:0`.
    pub(crate) name: &'a str,
    pub(crate) dtype: DType,
    pub(crate) shape: &'a PartialShape,
}

/// Makes the tensor that a value becomes when it is fed.
///
/// Under [`Grammar::Stock`] as numpy 2 has it: an array of the type that the value has by itself,
/// then a cast as C's, which wraps and cuts off. Under [`Grammar::Ours`] a number that would become
/// another is refused; rounding to the nearest float is not that.
///
/// # Errors
///
/// In the words of TensorFlow and numpy: values that make no array, that are no numbers, or whose
/// shape is not the target's.
pub(crate) fn feed(
    value: &Value,
    target: &Target<'_>,
    grammar: Grammar,
) -> Result<Tensor, Failure> {
    let refused = |error: CastError| refused(target, grammar, error.to_string());
    if grammar == Grammar::Stock {
        check_single(value, target)?;
    }
    let array = match target.dtype {
        DType::STRING => objects_of(value),
        // Bools and the types of `ml_dtypes` are no numbers to numpy: texts are true if there are any.
        _ => array_of(value).map_err(refused)?,
    };
    feed_array(array, target, grammar)
}

/// Does the same with a tensor that was read from a file. One of the target's dtype is shared.
///
/// # Errors
///
/// As [`feed`].
pub(crate) fn feed_tensor(
    tensor: &Tensor,
    target: &Target<'_>,
    grammar: Grammar,
) -> Result<Tensor, Failure> {
    if tensor.dtype() == target.dtype {
        check_shape(tensor.shape().dims(), target, grammar)?;
        return Ok(tensor.clone());
    }
    feed_array(Array::of_tensor(tensor)?, target, grammar)
}

fn feed_array(array: Array, target: &Target<'_>, grammar: Grammar) -> Result<Tensor, Failure> {
    let elements = array.elements();
    if target.dtype == DType::STRING {
        check_shape(array.shape(), target, grammar)?;
        let tensor = match elements.dtype() {
            None => elements.clone().into_tensor(array.shape()),
            Some(_) => {
                let kind = elements.value(0).type_name();
                Err(Failure::Usage(
                    format!("Unsupported object type {kind}").into(),
                ))
            }
        };
        return tensor.map_err(|failure| match grammar {
            Grammar::Stock => failure,
            Grammar::Ours => refused(target, grammar, format!("{failure}: it takes strings")),
        });
    }
    if target.dtype.size().is_none() {
        return Err(refused(
            target,
            grammar,
            "no values can be written for this type".to_owned(),
        ));
    }
    if grammar == Grammar::Ours {
        check_losses(&array, target)?;
    }
    let elements = cast(elements, target.dtype)
        .map_err(|error| refused(target, grammar, error.to_string()))?;
    check_shape(array.shape(), target, grammar)?;
    elements.into_tensor(array.shape())
}

/// Says what is wrong, in the stock persona without more words than TensorFlow has.
fn refused(target: &Target<'_>, grammar: Grammar, what: String) -> Failure {
    Failure::Usage(match grammar {
        Grammar::Stock => what.into(),
        Grammar::Ours => format!("{} ({}): {what}", target.name, target.dtype).into(),
    })
}

/// Refuses a single integer that the target has not.
fn check_single(value: &Value, target: &Target<'_>) -> Result<(), Failure> {
    let integer = match value {
        Value::Int(value) => *value,
        Value::Bool(value) => (*value).into(),
        _ => return Ok(()),
    };
    let is_same = match target.dtype {
        DType::STRING => false,
        dtype => {
            let array = array_of(value).ok();
            let cast = array.and_then(|array| cast(array.elements(), dtype).ok());
            match cast.map(|elements| elements.value(0)) {
                Some(Value::Bool(cast)) => i128::from(cast) == integer,
                Some(Value::Int(cast)) => cast == integer,
                Some(Value::Float(cast) | Value::Complex([cast, _])) => {
                    cast == integer as f64 && (cast.abs() >= 1.7e38 || cast as i128 == integer)
                }
                _ => true,
            }
        }
    };
    if is_same {
        return Ok(());
    }
    Err(Failure::Usage(
        format!(
            "Type of feed value {} with type <class '{}'> is not compatible with Tensor type {}. \
             Try explicitly setting the type of the feed tensor to a larger type (e.g. int64).",
            value.str(),
            value.type_name(),
            numpy_class(target.dtype)
        )
        .into(),
    ))
}

/// Returns how Python shows the type that numpy has for a dtype.
fn numpy_class(dtype: DType) -> String {
    match dtype {
        DType::STRING => "<class 'object'>".to_owned(),
        DType::BOOL => "<class 'numpy.bool'>".to_owned(),
        _ if savedmodel::numpy::is_void(dtype) => format!("<class 'ml_dtypes.{dtype}'>"),
        _ => format!("<class 'numpy.{dtype}'>"),
    }
}

/// Refuses numbers that would become others.
fn check_losses(array: &Array, target: &Target<'_>) -> Result<(), Failure> {
    let elements = array.elements();
    let dtype = target.dtype;
    let texts = || (0..elements.len()).map(|index| elements.value(index));
    let is_text = |value: &Value| matches!(value, Value::Str(_) | Value::Bytes(_));
    if dtype == DType::BOOL && elements.dtype().is_none() && texts().any(|value| is_text(&value)) {
        return Err(refused(
            target,
            Grammar::Ours,
            "a string would be true whatever it says; write True or False".to_owned(),
        ));
    }
    let Some((index, value)) = first_loss(elements, dtype) else {
        return Ok(());
    };
    let place = match array.shape().is_empty() {
        true => String::new(),
        false => format!("{value} at {}: ", position(index, array.shape())),
    };
    let what = match elements {
        Elements::Ints(..) => "does not fit",
        Elements::Complexes(..) => "has an imaginary part or does not fit",
        Elements::Floats(..) if dtype.is_floating() || dtype.is_complex() => {
            "is beyond what the type holds"
        }
        _ => "is no integer that fits",
    };
    Err(refused(
        target,
        Grammar::Ours,
        format!("{place}{value} {what}; to cut or wrap it, write .astype(\"{dtype}\") on an array"),
    ))
}

/// Returns where an element is: `[0, 2]`.
fn position(index: usize, shape: &[u64]) -> String {
    let mut rest = index as u64;
    let mut place: Vec<String> = shape
        .iter()
        .rev()
        .map(|dim| {
            let here = rest % (*dim).max(1);
            rest /= (*dim).max(1);
            here.to_string()
        })
        .collect();
    place.reverse();
    format!("[{}]", place.join(", "))
}

fn check_shape(shape: &[u64], target: &Target<'_>, grammar: Grammar) -> Result<(), Failure> {
    let fits = target.shape.dims().is_none_or(|dims| {
        dims.len() == shape.len()
            && dims
                .iter()
                .zip(shape)
                .all(|(dim, size)| dim.is_none_or(|dim| dim == *size))
    });
    if fits {
        return Ok(());
    }
    let advice = match grammar {
        Grammar::Stock => "",
        Grammar::Ours => advice(shape, target),
    };
    Err(Failure::Usage(
        format!(
            "Cannot feed value of shape {} for Tensor {}, which has shape {}{advice}",
            tuple(shape),
            target.name,
            crate::python::shape_str(target.shape)
        )
        .into(),
    ))
}

/// Says how many brackets are missing, which is the usual reason.
fn advice(shape: &[u64], target: &Target<'_>) -> &'static str {
    match target.shape.rank() {
        Some(rank) if rank == shape.len() + 1 => " (one more pair of brackets makes it a batch)",
        Some(rank) if rank < shape.len() => " (there are more brackets than dimensions)",
        _ => "",
    }
}
