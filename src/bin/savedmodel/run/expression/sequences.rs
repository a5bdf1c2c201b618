use savedmodel::DType;

use super::Value;
use super::arguments::{Arguments, ElementType, element_type, integer, required, value};
use super::array::Array;
use super::cast::{float_of, python_int};
use super::elements::{Elements, rounded, wrapped};
use super::functions::{Context, MAX_ELEMENTS, converted, natural};
use super::promotion::promoted;

/// Makes the list of what Python's `range` counts.
pub(super) fn range(values: &[Value], context: &mut Context) -> Result<Value, String> {
    let numbers: Vec<i128> = values.iter().map(integer).collect::<Result<_, _>>()?;
    let (start, stop, step) = match numbers[..] {
        [stop] => (0, stop, 1),
        [start, stop] => (start, stop, 1),
        [start, stop, step] => (start, stop, step),
        _ => {
            return Err(format!(
                "range takes 1 to 3 arguments, not {}",
                numbers.len()
            ));
        }
    };
    let length = length(start, stop, step)?;
    context.charge(length.saturating_mul(8))?;
    let values = (0..i128::from(length)).map(|index| Value::Int(start + index * step));
    Ok(Value::List(values.collect()))
}

/// Returns how many numbers a range has.
fn length(start: i128, stop: i128, step: i128) -> Result<u64, String> {
    let apart = stop
        .checked_sub(start)
        .ok_or_else(|| "a range that is too long".to_owned())?;
    let length = match step {
        0 => return Err("range() arg 3 must not be zero".to_owned()),
        _ if apart.signum() != step.signum() => 0,
        _ => (apart.unsigned_abs() - 1) / step.unsigned_abs() + 1,
    };
    Ok(u64::try_from(length).unwrap_or(u64::MAX))
}

/// Does what `np.arange` does; its floats are those that numpy gets by adding up.
pub(super) fn arange(arguments: Arguments, context: &mut Context) -> Result<Value, String> {
    let [one, two, step, dtype] =
        arguments.bind("np.arange", ["start", "stop", "step", "dtype"])?;
    let (start, stop) = match (value(one)?, value(two)?) {
        (Some(stop), None | Some(Value::None)) => (Value::Int(0), stop),
        (start, Some(stop)) => (start.unwrap_or(Value::Int(0)), stop),
        (None, None) => return Err("np.arange needs a `stop`".to_owned()),
    };
    let step = value(step)?.unwrap_or(Value::Int(1));
    let dtype = element_type(dtype)?;
    let number = |value: &Value| match natural(value)? {
        array if array.elements().len() == 1 && array.dtype().is_some() => Ok(array),
        _ => Err("np.arange takes numbers".to_owned()),
    };
    let (start, stop, step) = (number(&start)?, number(&stop)?, number(&step)?);
    let all = [&start, &stop, &step];
    let common = all
        .iter()
        .filter_map(|array| array.dtype())
        .reduce(promoted)
        .unwrap_or(DType::INT64);
    let common = if common == DType::BOOL {
        DType::INT64
    } else {
        common
    };
    let dtype = match dtype {
        None => common,
        Some(ElementType::Number(dtype)) if dtype != DType::BOOL && !dtype.is_complex() => dtype,
        Some(_) => return Err("np.arange makes numbers".to_owned()),
    };
    if common.is_complex() {
        return Err("np.arange takes real numbers".to_owned());
    }
    let [start, stop, step] = all.map(|array| array.elements().value(0));
    let text = |error: super::CastError| error.to_string();
    let length = match common.is_floating() {
        false => length(integer(&start)?, integer(&stop)?, integer(&step)?)?,
        true => {
            let [start, stop, step] = [&start, &stop, &step].map(|v| float_of(v).map_err(text));
            let length = ((stop? - start?) / step?).ceil();
            match length {
                length if length.is_nan() || length > MAX_ELEMENTS as f64 => {
                    return Err("np.arange of too many elements".to_owned());
                }
                length => length as u64,
            }
        }
    };
    let total = context.charge_shape(&[length])?;
    let elements = match dtype.is_floating() {
        // As numpy does it: the first two are computed, the others follow from their difference.
        true => {
            let (start, step) = (
                float_of(&start).map_err(text)?,
                float_of(&step).map_err(text)?,
            );
            let first = rounded_one(dtype, start);
            let second = rounded_one(dtype, start + step);
            let delta = rounded_one(dtype, second - first);
            let values = (0..total).map(|index| match index {
                0 => first,
                1 => second,
                _ => rounded_one(dtype, first + rounded_one(dtype, index as f64 * delta)),
            });
            Elements::Floats(dtype, values.collect())
        }
        false => {
            let first = python_int(&start).map_err(text)?;
            let second = match common.is_floating() {
                true => python_int(&Value::Float(
                    float_of(&start).map_err(text)? + float_of(&step).map_err(text)?,
                )),
                false => python_int(&step).map(|step| first.wrapping_add(step)),
            }
            .map_err(text)?;
            let delta = second.wrapping_sub(first);
            let values = (0..total as i128)
                .map(|index| wrapped(dtype, first.wrapping_add(index.wrapping_mul(delta))));
            Elements::Ints(dtype, values.collect())
        }
    };
    Array::new(vec![length], elements)
        .map(Value::Array)
        .ok_or_else(String::new)
}

fn rounded_one(dtype: DType, value: f64) -> f64 {
    match dtype {
        DType::DOUBLE => value,
        _ => rounded(dtype, vec![value])
            .first()
            .copied()
            .unwrap_or(value),
    }
}

/// Does what `np.linspace` does between two numbers.
pub(super) fn linspace(arguments: Arguments, context: &mut Context) -> Result<Value, String> {
    let [start, stop, num, endpoint, dtype] =
        arguments.bind("np.linspace", ["start", "stop", "num", "endpoint", "dtype"])?;
    let number = |value: &Value| match value {
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
            float_of(value).map_err(|error| error.to_string())
        }
        Value::Array(array) if array.shape().is_empty() => {
            float_of(&array.elements().value(0)).map_err(|error| error.to_string())
        }
        other => Err(format!(
            "np.linspace takes numbers, not '{}'",
            other.type_name()
        )),
    };
    let (start, stop) = (required(start, "start")?, required(stop, "stop")?);
    let (start, stop) = (number(&start)?, number(&stop)?);
    let num = value(num)?.map_or(Ok(50), |num| integer(&num))?;
    let num = u64::try_from(num)
        .map_err(|_| format!("Number of samples, {num}, must be non-negative."))?;
    let endpoint = value(endpoint)?.is_none_or(|endpoint| endpoint.truth());
    let dtype = element_type(dtype)?;
    let total = context.charge_shape(&[num])?;
    let parts = if endpoint {
        num as f64 - 1.0
    } else {
        num as f64
    };
    let delta = stop - start;
    let step = delta / parts;
    let at = |index: usize| {
        let index = index as f64;
        let along = match parts > 0.0 {
            true if step == 0.0 => index / parts * delta,
            true => index * step,
            false => index * delta,
        };
        along + start
    };
    let mut values: Vec<f64> = (0..total).map(at).collect();
    if let Some(last) = values.last_mut().filter(|_| endpoint && num > 1) {
        *last = stop;
    }
    if matches!(dtype, Some(ElementType::Number(dtype)) if dtype.is_integer()) {
        values.iter_mut().for_each(|value| *value = value.floor());
    }
    let array = Array::new(vec![num], Elements::Floats(DType::DOUBLE, values));
    let array = array.ok_or_else(String::new)?;
    match dtype {
        Some(dtype) => converted(array, dtype).map(Value::Array),
        None => Ok(Value::Array(array)),
    }
}
