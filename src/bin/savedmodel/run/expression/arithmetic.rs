use savedmodel::DType;

use super::array::{Array, count, indices, strides};
use super::cast::cast;
use super::elements::{Elements, rounded, widened, wrapped};
use super::natural::{array_of, tuple};
use super::promotion::{promoted, promoted_with};
use super::{Value, python_arithmetic};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Floor,
    Remainder,
    Power,
}

/// Computes `left operator right` with what Python and numpy make of the types. `charge` is told how
/// many elements there will be.
pub(super) fn binary(
    operator: Operator,
    left: Value,
    right: Value,
    charge: &mut dyn FnMut(u64) -> Result<(), String>,
) -> Result<Value, String> {
    if let Some(result) = python_arithmetic::numbers(operator, &left, &right) {
        return result;
    }
    let (left, right) = match (operator, left, right) {
        (Operator::Multiply, sequence, Value::Int(times))
        | (Operator::Multiply, Value::Int(times), sequence)
            if is_sequence(&sequence) =>
        {
            return repeated(sequence, times, charge);
        }
        // A scalar of numpy is a number here, not an array.
        (
            Operator::Multiply,
            sequence @ (Value::List(_) | Value::Tuple(_)),
            Value::Array(scalar),
        )
        | (
            Operator::Multiply,
            Value::Array(scalar),
            sequence @ (Value::List(_) | Value::Tuple(_)),
        ) if scalar.shape().is_empty() => {
            let Value::Int(times) = scalar.elements().value(0) else {
                return Err(format!(
                    "can't multiply sequence by non-int of type 'numpy.{}'",
                    scalar.type_name()
                ));
            };
            return repeated(sequence, times, charge);
        }
        (Operator::Add, Value::List(mut one), Value::List(other)) => {
            one.extend(other);
            return Ok(Value::List(one));
        }
        (Operator::Add, Value::Tuple(mut one), Value::Tuple(other)) => {
            one.extend(other);
            return Ok(Value::Tuple(one));
        }
        (Operator::Add, Value::Str(one), Value::Str(other)) => return Ok(Value::Str(one + &other)),
        (Operator::Add, Value::Bytes(mut one), Value::Bytes(other)) => {
            one.extend(other);
            return Ok(Value::Bytes(one));
        }
        (_, left, right) => (left, right),
    };
    if !matches!(left, Value::Array(_)) && !matches!(right, Value::Array(_)) {
        return Err(format!(
            "unsupported operand types for {}: '{}' and '{}'",
            operator.mark(),
            left.type_name(),
            right.type_name()
        ));
    }
    arrays(operator, &left, &right, charge).map(Value::Array)
}

/// Computes `-value`.
pub(super) fn negated(value: Value) -> Result<Value, String> {
    let negative = |elements: &Elements| match elements {
        Elements::Ints(DType::BOOL, _) => None,
        Elements::Ints(dtype, values) => Some(Elements::Ints(
            *dtype,
            values
                .iter()
                .map(|value| wrapped(*dtype, -widened(*dtype, *value)))
                .collect(),
        )),
        Elements::Floats(dtype, values) => Some(Elements::Floats(
            *dtype,
            values.iter().map(|value| -value).collect(),
        )),
        Elements::Complexes(dtype, values) => Some(Elements::Complexes(
            *dtype,
            values.iter().map(|parts| parts.map(|part| -part)).collect(),
        )),
        _ => None,
    };
    match value {
        Value::Bool(value) => Ok(Value::Int(-i128::from(value))),
        Value::Int(value) => value
            .checked_neg()
            .map(Value::Int)
            .ok_or_else(|| "an integer of more than 127 bits".to_owned()),
        Value::Float(value) => Ok(Value::Float(-value)),
        Value::Complex(parts) => Ok(Value::Complex(parts.map(|part| -part))),
        Value::Array(array) => negative(array.elements())
            .and_then(|elements| Array::new(array.shape().to_vec(), elements))
            .map(Value::Array)
            .ok_or_else(|| format!("an array of {} has no negative", array.type_name())),
        other => Err(format!(
            "bad operand type for unary -: '{}'",
            other.type_name()
        )),
    }
}

fn is_sequence(value: &Value) -> bool {
    matches!(
        value,
        Value::List(_) | Value::Tuple(_) | Value::Str(_) | Value::Bytes(_)
    )
}

fn repeated(
    sequence: Value,
    times: i128,
    charge: &mut dyn FnMut(u64) -> Result<(), String>,
) -> Result<Value, String> {
    let times = u64::try_from(times.max(0)).unwrap_or(u64::MAX);
    charge(size(&sequence).saturating_mul(times))?;
    let times = times as usize;
    fn cycled(elements: Vec<Value>, times: usize) -> Vec<Value> {
        let length = elements.len() * times;
        elements.into_iter().cycle().take(length).collect()
    }
    Ok(match sequence {
        Value::List(elements) => Value::List(cycled(elements, times)),
        Value::Tuple(elements) => Value::Tuple(cycled(elements, times)),
        Value::Str(text) => Value::Str(text.repeat(times)),
        Value::Bytes(bytes) => Value::Bytes(bytes.repeat(times)),
        other => other,
    })
}

/// Returns how much a value holds: elements, and bytes of strings, in all depths. One of a list
/// counts for several of an array, as it takes so much more memory.
pub(super) fn size(value: &Value) -> u64 {
    const ELEMENT: u64 = 8;
    let all = |elements: &[Value]| elements.iter().map(|element| ELEMENT + size(element)).sum();
    match value {
        Value::Str(text) => text.len() as u64,
        Value::Bytes(bytes) => bytes.len() as u64,
        Value::List(elements) | Value::Tuple(elements) | Value::Set(elements) => all(elements),
        Value::Dict(entries) => entries
            .iter()
            .map(|(key, value)| 2 * ELEMENT + size(key) + size(value))
            .sum(),
        Value::Array(array) => match array.elements() {
            Elements::Texts(texts) => texts.iter().map(|text| ELEMENT + text.len() as u64).sum(),
            Elements::Strings(all) => all.iter().map(|bytes| ELEMENT + bytes.len() as u64).sum(),
            Elements::Objects(values) => all(values),
            numbers => numbers.len() as u64,
        },
        _ => 0,
    }
}

fn arrays(
    operator: Operator,
    left: &Value,
    right: &Value,
    charge: &mut dyn FnMut(u64) -> Result<(), String>,
) -> Result<Array, String> {
    let dtype = match (weak(left), weak(right)) {
        (None, Some(weak)) => promoted_with(number_type(left)?, weak),
        (Some(weak), None) => promoted_with(number_type(right)?, weak),
        _ => Some(promoted(number_type(left)?, number_type(right)?)),
    };
    let dtype = operator
        .computes_in(dtype.ok_or_else(|| {
            format!("{} takes no '{}' here", operator.mark(), right.type_name())
        })?)?;
    let (left, right) = (operand(left, dtype)?, operand(right, dtype)?);
    let shape = broadcast(left.shape(), right.shape())?;
    let total = count(&shape).ok_or_else(|| "the result has too many elements".to_owned())?;
    charge(total)?;
    let left = expanded(left, &shape);
    let right = expanded(right, &shape);
    let elements = operator.compute(dtype, &left, &right, total as usize)?;
    Array::new(shape, elements).ok_or_else(|| "the shapes do not go together".to_owned())
}

/// Returns a value if it is a number of Python, whose type gives way to an array's.
fn weak(value: &Value) -> Option<&Value> {
    matches!(
        value,
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Complex(_)
    )
    .then_some(value)
}

fn number_type(value: &Value) -> Result<DType, String> {
    let array = array_of(value).map_err(|error| error.to_string())?;
    array
        .dtype()
        .ok_or_else(|| format!("no arithmetic with an array of {}", array.type_name()))
}

fn operand(value: &Value, dtype: DType) -> Result<Array, String> {
    let error = |error: super::CastError| error.to_string();
    if let Value::Int(value) = value
        && !dtype.is_floating()
        && !dtype.is_complex()
        && widened(dtype, wrapped(dtype, *value)) != *value
    {
        return Err(format!("Python integer {value} out of bounds for {dtype}"));
    }
    let array = array_of(value).map_err(error)?;
    let elements = cast(array.elements(), dtype).map_err(error)?;
    Array::new(array.shape().to_vec(), elements).ok_or_else(String::new)
}

/// Returns the shape that both shapes become: dimensions from the last on, those of one element
/// as large as the other's.
pub(super) fn broadcast(one: &[u64], other: &[u64]) -> Result<Vec<u64>, String> {
    let rank = one.len().max(other.len());
    let dim = |shape: &[u64], index: usize| {
        (index + shape.len())
            .checked_sub(rank)
            .and_then(|index| shape.get(index).copied())
            .unwrap_or(1)
    };
    (0..rank)
        .map(|index| match (dim(one, index), dim(other, index)) {
            (1, size) | (size, 1) => Ok(size),
            (size, same) if size == same => Ok(size),
            _ => Err(format!(
                "operands could not be broadcast together with shapes {} {}",
                tuple(one),
                tuple(other)
            )),
        })
        .collect()
}

/// Returns the elements of an array broadcast to a shape; a single one stays single.
pub(super) fn expanded(array: Array, shape: &[u64]) -> Elements {
    if array.shape() == shape || array.elements().len() == 1 {
        return array.into_elements();
    }
    let lead = shape.len() - array.shape().len();
    let own = strides(array.shape());
    let strides: Vec<u64> = (0..shape.len())
        .map(|index| match index.checked_sub(lead) {
            Some(index) if array.shape()[index] != 1 => own[index],
            _ => 0,
        })
        .collect();
    array.elements().picked(&indices(shape, &strides))
}

impl Operator {
    fn mark(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Floor => "//",
            Operator::Remainder => "%",
            Operator::Power => "**",
        }
    }

    /// Returns the type that numpy computes in, where the operands together have `dtype`.
    fn computes_in(self, dtype: DType) -> Result<DType, String> {
        let is_integer = !dtype.is_floating() && !dtype.is_complex();
        match self {
            Operator::Divide if is_integer => Ok(DType::DOUBLE),
            Operator::Subtract if dtype == DType::BOOL => {
                Err("numpy boolean subtract, the `-` operator, is not supported".to_owned())
            }
            Operator::Floor | Operator::Remainder | Operator::Power if dtype == DType::BOOL => {
                Ok(DType::INT8)
            }
            Operator::Floor | Operator::Remainder | Operator::Power if dtype.is_complex() => Err(
                format!("{} of complex numbers is not supported", self.mark()),
            ),
            _ => Ok(dtype),
        }
    }

    fn compute(
        self,
        dtype: DType,
        left: &Elements,
        right: &Elements,
        count: usize,
    ) -> Result<Elements, String> {
        /// Returns an element; a single one stands for all.
        fn at<T: Copy + Default>(values: &[T], index: usize) -> T {
            let index = if values.len() == 1 { 0 } else { index };
            values.get(index).copied().unwrap_or_default()
        }
        match (left, right) {
            (Elements::Ints(_, left), Elements::Ints(_, right)) => {
                let compute = |index| {
                    let left = widened(dtype, at(left, index));
                    let right = widened(dtype, at(right, index));
                    self.integers(left, right)
                        .map(|value| wrapped(dtype, value))
                };
                let values: Result<Vec<i64>, String> = (0..count).map(compute).collect();
                Ok(Elements::Ints(dtype, values?))
            }
            (Elements::Floats(_, left), Elements::Floats(_, right)) => {
                // numpy computes the types of 16 bits and less in 32.
                let round = |value: f64| match dtype {
                    DType::DOUBLE => value,
                    _ => f64::from(value as f32),
                };
                let values = (0..count).map(|index| {
                    let (left, right) = (at(left, index), at(right, index));
                    match (self, dtype) {
                        (Operator::Power, DType::DOUBLE) => power(left, right),
                        (Operator::Power, _) => power_of_single(left as f32, right as f32).into(),
                        _ => round(self.floats(left, right, round)),
                    }
                });
                Ok(Elements::Floats(dtype, rounded(dtype, values.collect())))
            }
            (Elements::Complexes(_, left), Elements::Complexes(_, right)) => {
                let values: Result<Vec<[f64; 2]>, String> = (0..count)
                    .map(|index| self.complexes(at(left, index), at(right, index)))
                    .collect();
                Ok(Elements::Complexes(
                    dtype,
                    match dtype {
                        DType::COMPLEX64 => values?
                            .into_iter()
                            .map(|parts| parts.map(|part| f64::from(part as f32)))
                            .collect(),
                        _ => values?,
                    },
                ))
            }
            _ => Err("no arithmetic with these".to_owned()),
        }
    }

    /// Computes with numpy's integers, which wrap and of which division by zero makes 0.
    fn integers(self, left: i128, right: i128) -> Result<i128, String> {
        Ok(match self {
            Operator::Add => left.wrapping_add(right),
            Operator::Subtract => left.wrapping_sub(right),
            Operator::Multiply => left.wrapping_mul(right),
            Operator::Floor | Operator::Remainder if right == 0 => 0,
            Operator::Floor => {
                left / right - i128::from(left % right != 0 && (left < 0) != (right < 0))
            }
            Operator::Remainder => match left % right {
                rest if rest != 0 && (rest < 0) != (right < 0) => rest + right,
                rest => rest,
            },
            Operator::Power if right < 0 => {
                return Err("Integers to negative integer powers are not allowed.".to_owned());
            }
            Operator::Power => {
                // The low 64 bits are those of the product whatever the sign.
                let (mut base, mut exponent, mut product) = (left as u64, right as u64, 1u64);
                while exponent > 0 {
                    if exponent & 1 == 1 {
                        product = product.wrapping_mul(base);
                    }
                    base = base.wrapping_mul(base);
                    exponent >>= 1;
                }
                product.into()
            }
            Operator::Divide => 0,
        })
    }

    /// Computes with floats, every step rounded.
    pub(super) fn floats(self, left: f64, right: f64, round: impl Fn(f64) -> f64) -> f64 {
        match self {
            Operator::Add => left + right,
            Operator::Subtract => left - right,
            Operator::Multiply => left * right,
            Operator::Divide => left / right,
            Operator::Power => power(left, right),
            Operator::Floor if right == 0.0 => left / right,
            Operator::Floor => {
                let rest = left % right;
                let mut quotient = round(round(left - rest) / right);
                if rest != 0.0 && (right < 0.0) != (rest < 0.0) {
                    quotient = round(quotient - 1.0);
                }
                if quotient == 0.0 {
                    return 0f64.copysign(left / right);
                }
                let floor = quotient.floor();
                match round(quotient - floor) > 0.5 {
                    true => round(floor + 1.0),
                    false => floor,
                }
            }
            Operator::Remainder => {
                let rest = left % right;
                if right == 0.0 || rest.is_nan() {
                    rest
                } else if rest == 0.0 {
                    0f64.copysign(right)
                } else if (right < 0.0) != (rest < 0.0) {
                    round(rest + right)
                } else {
                    rest
                }
            }
        }
    }

    pub(super) fn complexes(self, left: [f64; 2], right: [f64; 2]) -> Result<[f64; 2], String> {
        let ([a, b], [c, d]) = (left, right);
        Ok(match self {
            Operator::Add => [a + c, b + d],
            Operator::Subtract => [a - c, b - d],
            Operator::Multiply => [a * c - b * d, a * d + b * c],
            // After Smith, as Python and numpy do.
            Operator::Divide if c.abs() >= d.abs() => {
                if c == 0.0 && d == 0.0 {
                    return Ok([a / c.abs(), b / c.abs()]);
                }
                let ratio = d / c;
                let scale = 1.0 / (c + d * ratio);
                [(a + b * ratio) * scale, (b - a * ratio) * scale]
            }
            Operator::Divide => {
                let ratio = c / d;
                let scale = 1.0 / (c * ratio + d);
                [(a * ratio + b) * scale, (b * ratio - a) * scale]
            }
            _ => {
                return Err(format!(
                    "{} of complex numbers is not supported",
                    self.mark()
                ));
            }
        })
    }
}

/// Raises to a power; those that numpy does not leave to the C library come first.
fn power(base: f64, exponent: f64) -> f64 {
    match exponent {
        2.0 => base * base,
        0.5 => base.sqrt(),
        -1.0 => 1.0 / base,
        _ => base.powf(exponent),
    }
}

fn power_of_single(base: f32, exponent: f32) -> f32 {
    match exponent {
        2.0 => base * base,
        0.5 => base.sqrt(),
        -1.0 => 1.0 / base,
        _ => base.powf(exponent),
    }
}
