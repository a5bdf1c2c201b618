//! Elements of one type to elements of another, as numpy's `astype` makes them.

use savedmodel::DType;

use super::Value;
use super::elements::{Elements, rounded, widened, wrapped};

/// Why elements cannot become others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CastError {
    what: String,
    /// A value that ends the message.
    value: Option<String>,
    /// The class of numpy that it has as an element of an array.
    class: Option<&'static str>,
}

impl CastError {
    pub(crate) fn plain(what: impl Into<String>) -> CastError {
        CastError {
            what: what.into(),
            value: None,
            class: None,
        }
    }

    fn of(what: &str, value: &Value) -> CastError {
        CastError {
            what: what.to_owned(),
            value: Some(value.repr()),
            class: None,
        }
    }

    /// Returns the message without the words that only numpy needs.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.what, self.value.as_deref().unwrap_or(""))
    }
}

impl std::fmt::Display for CastError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.value, self.class) {
            (Some(value), Some(class)) => write!(f, "{}{class}({value})", self.what),
            _ => f.write_str(&self.text()),
        }
    }
}

/// Converts elements to a dtype as C does: fractions are cut off, integers wrap, what is too large
/// for a float becomes infinity, texts are read as numbers.
///
/// Floats that no integer of the dtype is near become what x86-64 makes of them: 0 or the smallest.
pub(crate) fn cast(elements: &Elements, dtype: DType) -> Result<Elements, CastError> {
    if elements.dtype() == Some(dtype) {
        return Ok(elements.clone());
    }
    match dtype {
        _ if dtype.is_complex() => {
            let values = match elements {
                Elements::Ints(from, values) => values
                    .iter()
                    .map(|value| [widened(*from, *value) as f64, 0.0])
                    .collect(),
                Elements::Floats(_, values) => values.iter().map(|value| [*value, 0.0]).collect(),
                Elements::Complexes(_, values) => values.clone(),
                others => each(others, false, parsed_complex)?,
            };
            Ok(Elements::Complexes(
                dtype,
                match dtype {
                    DType::COMPLEX64 => values
                        .into_iter()
                        .map(|parts| parts.map(|part| f64::from(part as f32)))
                        .collect(),
                    _ => values,
                },
            ))
        }
        _ if dtype.is_floating() => {
            let values = match elements {
                Elements::Ints(from, values) => values
                    .iter()
                    .map(|value| float_near(dtype, widened(*from, *value)))
                    .collect(),
                Elements::Floats(_, values) => values.clone(),
                Elements::Complexes(_, values) => values.iter().map(|parts| parts[0]).collect(),
                Elements::Objects(_) if savedmodel::numpy::is_void(dtype) => {
                    each(elements, false, plain_float_of)?
                }
                others => each(others, false, float_of)?,
            };
            Ok(Elements::Floats(dtype, rounded(dtype, values)))
        }
        DType::BOOL => {
            let truths: Vec<bool> = match elements {
                Elements::Ints(_, values) => values.iter().map(|value| *value != 0).collect(),
                Elements::Floats(_, values) => values.iter().map(|value| *value != 0.0).collect(),
                Elements::Complexes(_, values) => {
                    values.iter().map(|parts| *parts != [0.0; 2]).collect()
                }
                others => (0..others.len())
                    .map(|index| others.value(index).truth())
                    .collect(),
            };
            Ok(Elements::Ints(
                dtype,
                truths.into_iter().map(i64::from).collect(),
            ))
        }
        _ => {
            let values = match elements {
                Elements::Ints(from, values) => values
                    .iter()
                    .map(|value| wrapped(dtype, widened(*from, *value)))
                    .collect(),
                Elements::Floats(_, values) => values
                    .iter()
                    .map(|value| truncated(dtype, *value))
                    .collect(),
                Elements::Complexes(_, values) => values
                    .iter()
                    .map(|parts| truncated(dtype, parts[0]))
                    .collect(),
                others => each(others, true, |value| integer_of(value, dtype))?,
            };
            Ok(Elements::Ints(dtype, values))
        }
    }
}

/// What a cast does to a number besides rounding it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Loss {
    /// An integer loses its high bits.
    Wraps,
    /// A float loses its fraction, or is no number that an integer could be near.
    Truncates,
    /// A float becomes infinity, or what stands in for it.
    Overflows,
    /// An imaginary part is dropped.
    BecomesReal,
}

/// Returns the first element that would silently become another number, and its index.
pub(crate) fn first_loss(elements: &Elements, dtype: DType) -> Option<(usize, Loss)> {
    let to_integer = dtype.is_integer() || dtype.is_quantized();
    let part = match dtype {
        DType::COMPLEX64 => DType::FLOAT,
        DType::COMPLEX128 => DType::DOUBLE,
        dtype => dtype,
    };
    match elements {
        _ if dtype == DType::BOOL => None,
        Elements::Ints(from, values) if to_integer => {
            let wraps = |value: &i64| {
                let value = widened(*from, *value);
                widened(dtype, wrapped(dtype, value)) != value
            };
            values.iter().position(wraps).map(|at| (at, Loss::Wraps))
        }
        Elements::Ints(from, values) => {
            let values = values.iter().map(|value| widened(*from, *value) as f64);
            first_beyond(part, values.collect()).map(|at| (at, Loss::Overflows))
        }
        Elements::Floats(_, values) if to_integer => {
            let changes = |value: &f64| widened(dtype, truncated(dtype, *value)) as f64 != *value;
            values
                .iter()
                .position(changes)
                .map(|at| (at, Loss::Truncates))
        }
        Elements::Floats(_, values) => {
            first_beyond(part, values.clone()).map(|at| (at, Loss::Overflows))
        }
        Elements::Complexes(_, values) if dtype.is_complex() => {
            let parts = values.iter().flatten().copied().collect();
            first_beyond(part, parts).map(|at| (at / 2, Loss::Overflows))
        }
        Elements::Complexes(_, values) => {
            let has_imaginary = |parts: &[f64; 2]| parts[1] != 0.0;
            let reals = || values.iter().map(|parts| parts[0]).collect();
            match values.iter().position(has_imaginary) {
                Some(at) => Some((at, Loss::BecomesReal)),
                None => first_loss(&Elements::Floats(DType::DOUBLE, reals()), dtype),
            }
        }
        _ => None,
    }
}

/// Returns the first finite value that has none near it in a floating-point dtype.
fn first_beyond(dtype: DType, values: Vec<f64>) -> Option<usize> {
    if dtype == DType::DOUBLE {
        return None;
    }
    let nearest = rounded(dtype, values.clone());
    let mut pairs = values.iter().zip(nearest);
    pairs.position(|(value, nearest)| value.is_finite() && !nearest.is_finite())
}

fn each<T>(
    elements: &Elements,
    is_integer: bool,
    convert: impl Fn(&Value) -> Result<T, CastError>,
) -> Result<Vec<T>, CastError> {
    let class = match elements {
        Elements::Texts(_) => Some("np.str_"),
        Elements::Strings(_) => Some("np.bytes_"),
        _ => None,
    };
    // In the words of what reads them.
    let class = class.filter(|class| *class == "np.str_" || !is_integer);
    (0..elements.len())
        .map(|index| convert(&elements.value(index)).map_err(|error| CastError { class, ..error }))
        .collect()
}

/// Returns the float that an integer becomes, which for FLOAT is not rounded twice.
fn float_near(dtype: DType, value: i128) -> f64 {
    match dtype {
        DType::FLOAT => f64::from(value as f32),
        _ => value as f64,
    }
}

/// Cuts off a fraction, and the bits that an integer of the dtype has not.
fn truncated(dtype: DType, value: f64) -> i64 {
    /// 2^63
    const END: f64 = 9_223_372_036_854_775_808.0;
    let long = |value: f64| match (-END..END).contains(&value) {
        true => value as i64,
        false => i64::MIN,
    };
    match dtype {
        DType::INT64 => long(value),
        DType::UINT64 if value >= END => long(value - END) ^ i64::MIN,
        DType::UINT64 => long(value),
        DType::UINT32 => wrapped(dtype, long(value).into()),
        _ => {
            // Through 32 bits, as compilers do.
            let int = match long(value) {
                value if i32::try_from(value).is_ok() => value,
                _ => i32::MIN.into(),
            };
            wrapped(dtype, int.into())
        }
    }
}

fn sequence() -> CastError {
    CastError::plain("setting an array element with a sequence.")
}

/// Returns a number of Python as a float, `None` being NaN and texts being read.
pub(crate) fn float_of(value: &Value) -> Result<f64, CastError> {
    match value {
        Value::None => Ok(f64::NAN),
        Value::Complex(_) => Err(CastError::plain(
            "float() argument must be a string or a real number, not 'complex'".to_owned(),
        )),
        Value::Str(text) => parsed_float(text, value),
        Value::Bytes(bytes) => parsed_float(&String::from_utf8_lossy(bytes), value),
        Value::List(_) | Value::Tuple(_) => Err(sequence()),
        Value::Array(array) if array.elements().len() != 1 => Err(sequence()),
        other => complex_of(other).map(|parts| parts[0]),
    }
}

/// Returns a number of Python as a float for the types of `ml_dtypes`, which take nothing else.
fn plain_float_of(value: &Value) -> Result<f64, CastError> {
    match value {
        Value::Int(value) if i64::try_from(*value).is_err() => {
            Err(CastError::plain("expected number, got int".to_owned()))
        }
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => float_of(value),
        other => Err(CastError::plain(format!(
            "expected number, got {}",
            other.type_name()
        ))),
    }
}

pub(crate) fn complex_of(value: &Value) -> Result<[f64; 2], CastError> {
    Ok([
        match value {
            Value::None => return Ok([f64::NAN; 2]),
            Value::Bool(value) => f64::from(u8::from(*value)),
            Value::Int(value) => *value as f64,
            Value::Float(value) => *value,
            Value::Complex(parts) => return Ok(*parts),
            Value::Str(text) => parsed_float(text, value)?,
            Value::Bytes(bytes) => parsed_float(&String::from_utf8_lossy(bytes), value)?,
            Value::Array(array) if array.elements().len() == 1 => {
                return complex_of(&array.elements().value(0));
            }
            other => {
                return Err(CastError::plain(format!(
                    "float() argument must be a string or a real number, not '{}'",
                    other.type_name()
                )));
            }
        },
        0.0,
    ])
}

/// Returns a value as a complex number, texts being read as Python's `complex` does.
fn parsed_complex(value: &Value) -> Result<[f64; 2], CastError> {
    let read = |text: &str| {
        complex_in(text.trim())
            .ok_or_else(|| CastError::plain("complex() arg is a malformed string"))
    };
    match value {
        Value::Str(text) => read(text),
        Value::Bytes(bytes) => read(&String::from_utf8_lossy(bytes)),
        value => complex_of(value).map_err(|_| {
            CastError::plain(format!("must be real number, not {}", value.type_name()))
        }),
    }
}

/// Reads `1`, `2j` or `(1+2j)`.
fn complex_in(text: &str) -> Option<[f64; 2]> {
    let inner = text
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'));
    let text = inner.unwrap_or(text).trim();
    let number = |text: &str| without_separators(text)?.parse::<f64>().ok();
    let Some(parts) = text.strip_suffix(['j', 'J']) else {
        return number(text).map(|real| [real, 0.0]);
    };
    let imaginary = |text: &str| match text {
        "" | "+" => Some(1.0),
        "-" => Some(-1.0),
        text => number(text),
    };
    let bytes = parts.as_bytes();
    let is_exponent = |at: usize| matches!(bytes.get(at.wrapping_sub(1)), Some(b'e' | b'E'));
    let split = (1..bytes.len())
        .rev()
        .find(|at| matches!(bytes.get(*at), Some(b'+' | b'-')) && !is_exponent(*at));
    match split.and_then(|at| parts.split_at_checked(at)) {
        Some((real, rest)) => Some([number(real)?, imaginary(rest)?]),
        None => imaginary(parts).map(|imaginary| [0.0, imaginary]),
    }
}

fn parsed_float(text: &str, value: &Value) -> Result<f64, CastError> {
    without_separators(text.trim())
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| CastError::of("could not convert string to float: ", value))
}

/// Returns digits without `_`, each of which must be between two.
fn without_separators(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_digit = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(u8::is_ascii_digit)
    };
    let all_between = bytes
        .iter()
        .enumerate()
        .all(|(at, byte)| *byte != b'_' || (is_digit(at.checked_sub(1)) && is_digit(Some(at + 1))));
    all_between.then(|| text.replace('_', ""))
}

/// Returns a value of Python as an integer that must fit the dtype.
fn integer_of(value: &Value, dtype: DType) -> Result<i64, CastError> {
    let integer = python_int(value)?;
    match wrapped(dtype, integer) {
        kept if widened(dtype, kept) == integer => Ok(kept),
        _ if i64::try_from(integer).is_err()
            && (!matches!(dtype, DType::UINT32 | DType::UINT64)
                || u64::try_from(integer).is_err()) =>
        {
            Err(CastError::plain(
                "Python int too large to convert to C long".to_owned(),
            ))
        }
        _ => Err(CastError::plain(format!(
            "Python integer {integer} out of bounds for {dtype}"
        ))),
    }
}

/// Returns what `int(value)` is.
pub(crate) fn python_int(value: &Value) -> Result<i128, CastError> {
    let parsed = |text: &str| {
        let digits = without_separators(text.trim()).filter(|digits| digits.is_ascii());
        digits
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| CastError::of("invalid literal for int() with base 10: ", value))
    };
    match value {
        Value::Bool(value) => Ok((*value).into()),
        Value::Int(value) => Ok(*value),
        Value::Float(value) if value.is_nan() => Err(CastError::plain(
            "cannot convert float NaN to integer".to_owned(),
        )),
        Value::Float(value) if value.abs() < 1.7e38 => Ok(*value as i128),
        Value::Float(value) if value.is_infinite() => Err(CastError::plain(
            "cannot convert float infinity to integer".to_owned(),
        )),
        Value::Float(_) => Err(CastError::plain(
            "Python int too large to convert to C long".to_owned(),
        )),
        Value::Str(text) => parsed(text),
        Value::Bytes(bytes) => parsed(&String::from_utf8_lossy(bytes)),
        Value::Array(array) if array.elements().len() == 1 => {
            python_int(&array.elements().value(0))
        }
        Value::Array(_) => Err(sequence()),
        other => Err(CastError::plain(format!(
            "int() argument must be a string, a bytes-like object or a real number, not '{}'",
            other.type_name()
        ))),
    }
}
