//! From values and arrays to the tensor that an input takes, as `Session.run` feeds it
//! (`tensorflow/python/client/session.py`, `tensorflow/python/util/numpy_compat.py`).

use savedmodel::numpy::is_void;
use savedmodel::{DType, PartialShape, Tensor};

use super::expression::{
    Array, CastError, Elements, Grammar, Loss, Value, array_of, cast, first_loss, leaves_of,
    objects_of, tuple,
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
    let refused = |error: CastError| refused(target, grammar, worded(&error, grammar));
    if grammar == Grammar::Stock {
        check_single(value, target)?;
    }
    let array = match target.dtype {
        DType::STRING => objects_of(value),
        // Not numbers to numpy: every value of Python becomes one by itself.
        dtype if grammar == Grammar::Stock && (dtype == DType::BOOL || is_void(dtype)) => {
            leaves_of(value).map_err(refused)?
        }
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
            Some(_) if elements.len() == 0 => {
                Elements::Strings(Vec::new()).into_tensor(array.shape())
            }
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
        .map_err(|error| refused(target, grammar, worded(&error, grammar)))?;
    check_shape(array.shape(), target, grammar)?;
    elements.into_tensor(array.shape())
}

fn worded(error: &CastError, grammar: Grammar) -> String {
    match grammar {
        Grammar::Stock => error.to_string(),
        Grammar::Ours => error.text(),
    }
}

/// Says what is wrong, in the stock persona without more words than TensorFlow has.
fn refused(target: &Target<'_>, grammar: Grammar, what: String) -> Failure {
    Failure::Usage(match grammar {
        Grammar::Stock => what.into(),
        Grammar::Ours => format!("{} ({}): {what}", target.name, target.dtype).into(),
    })
}

/// Refuses a single integer that an integer target has not. Floats are compared as numpy does, after
/// rounding, and so are never refused.
fn check_single(value: &Value, target: &Target<'_>) -> Result<(), Failure> {
    let integer = match value {
        Value::Int(value) => *value,
        Value::Bool(value) => (*value).into(),
        _ => return Ok(()),
    };
    let is_long = i64::try_from(integer).is_ok();
    if !is_long && target.dtype == DType::BOOL {
        return Err(Failure::Usage(
            "Python int too large to convert to C long".into(),
        ));
    }
    let array = array_of(value).ok();
    let kept = array.and_then(|array| cast(array.elements(), target.dtype).ok());
    let is_same = match kept.map(|elements| elements.value(0)) {
        _ if target.dtype == DType::STRING => false,
        Some(Value::Bool(kept)) => i128::from(kept) == integer,
        Some(Value::Int(kept)) => kept == integer,
        // Beyond the largest of a type without infinity.
        Some(Value::Float(kept)) => !kept.is_nan() || !is_long,
        _ => true,
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
        _ if is_void(dtype) => format!("<class 'ml_dtypes.{dtype}'>"),
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
            "a string is true whatever it says; write True or False".to_owned(),
        ));
    }
    // Objects are cast as Python casts them, one by one; what is lost is what an array of them loses.
    let numbers = match elements {
        Elements::Objects(values) => array_of(&Value::List(values.clone())).ok(),
        _ => None,
    };
    let numbers = numbers.filter(|numbers| numbers.shape().len() == 1);
    let elements = numbers.as_ref().map_or(elements, Array::elements);
    let Some((index, loss)) = first_loss(elements, dtype) else {
        return Ok(());
    };
    let value = elements.value(index).repr();
    let place = match array.shape().is_empty() {
        true => String::new(),
        false => format!(" at {}", position(index, array.shape())),
    };
    let what = match loss {
        Loss::Wraps => format!("does not fit; .astype(\"{dtype}\") on an array wraps it"),
        Loss::Truncates => {
            format!("is no integer of this type; .astype(\"{dtype}\") on an array cuts it off")
        }
        Loss::Overflows => "is beyond the largest of this type".to_owned(),
        Loss::BecomesReal => "is no real number".to_owned(),
    };
    Err(refused(
        target,
        Grammar::Ours,
        format!("{value}{place} {what}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(tensor: &Tensor, dtype: DType, grammar: Grammar) -> Result<Tensor, String> {
        let target = Target {
            name: "x:0",
            dtype,
            shape: &PartialShape::try_from([-1]).unwrap(),
        };
        feed_tensor(tensor, &target, grammar).map_err(|failure| failure.to_string())
    }

    #[test]
    fn arrays_of_files_are_cast() {
        let doubles = Tensor::from_slice([2], &[0.1f64, -3.7]).unwrap();
        let floats = fed(&doubles, DType::FLOAT, Grammar::Ours).unwrap();
        assert_eq!(*floats.values::<f32>().unwrap(), [0.1, -3.7]);
        let integers = fed(&doubles, DType::INT32, Grammar::Stock).unwrap();
        assert_eq!(*integers.values::<i32>().unwrap(), [0, -3]);
        assert_eq!(
            fed(&doubles, DType::INT32, Grammar::Ours).unwrap_err(),
            "x:0 (int32): 0.1 at [0] is no integer of this type; .astype(\"int32\") on an array cuts it off"
        );
        let texts = Tensor::from_strings([2], ["1.5", " 2"]).unwrap();
        let floats = fed(&texts, DType::FLOAT, Grammar::Stock).unwrap();
        assert_eq!(*floats.values::<f32>().unwrap(), [1.5, 2.0]);
        let same = fed(&texts, DType::STRING, Grammar::Ours).unwrap();
        assert_eq!(
            same.strings().unwrap().bytes().as_ptr(),
            texts.strings().unwrap().bytes().as_ptr()
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let matrix = Tensor::from_slice([1, 2], &[1f32, 2.0]).unwrap();
        let message = "Cannot feed value of shape (1, 2) for Tensor x:0, which has shape (None,)";
        assert_eq!(
            fed(&matrix, DType::FLOAT, Grammar::Stock).unwrap_err(),
            message
        );
        assert_eq!(
            fed(&matrix, DType::FLOAT, Grammar::Ours).unwrap_err(),
            format!("{message} (there are more brackets than dimensions)")
        );
        let numbers = Tensor::from_slice([1], &[1f32]).unwrap();
        assert_eq!(
            fed(&numbers, DType::STRING, Grammar::Stock).unwrap_err(),
            "Unsupported object type float"
        );
        let nothing = Tensor::from_slice::<f32>([0], &[]).unwrap();
        assert!(fed(&nothing, DType::STRING, Grammar::Stock).is_ok());
        assert!(fed(&numbers, DType::VARIANT, Grammar::Ours).is_err());
    }

    #[test]
    fn quantized_and_narrow_targets_take_integers() {
        let value = Value::List(vec![Value::Int(-1), Value::Int(7)]);
        for dtype in [DType::QINT8, DType::QINT32, DType::INT4, DType::INT8] {
            let shape = PartialShape::UNKNOWN;
            let target = Target {
                name: "x:0",
                dtype,
                shape: &shape,
            };
            let tensor =
                feed(&value, &target, Grammar::Ours).unwrap_or_else(|failure| panic!("{failure}"));
            assert_eq!(tensor.dtype(), dtype);
            assert_eq!(tensor.to_f64s().unwrap().collect::<Vec<_>>(), [-1.0, 7.0]);
        }
    }
}
