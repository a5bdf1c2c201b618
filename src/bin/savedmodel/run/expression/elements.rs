use savedmodel::{DType, Tensor};

use super::Value;
use crate::failure::Failure;

/// The elements of an array, all of one type.
///
/// Numbers are kept in the widest type of their kind, so that each kind of arithmetic is written
/// once; values are always such as their dtype has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Elements {
    /// Integers and truth values; those of UINT64 as the same bits.
    Ints(DType, Vec<i64>),
    Floats(DType, Vec<f64>),
    Complexes(DType, Vec<[f64; 2]>),
    /// numpy's `U`.
    Texts(Vec<String>),
    /// numpy's `S`.
    Strings(Vec<Vec<u8>>),
    /// numpy's `O`.
    Objects(Vec<Value>),
}

impl Elements {
    pub(super) fn of_tensor(tensor: &Tensor) -> Result<Elements, Failure> {
        let dtype = tensor.dtype();
        if let Some(strings) = tensor.strings() {
            return Ok(Elements::Strings(
                strings.iter().map(<[u8]>::to_vec).collect(),
            ));
        }
        if let Ok(values) = tensor.values::<i64>() {
            return Ok(Elements::Ints(dtype, values.into_owned()));
        }
        if let Ok(values) = tensor.values::<u64>() {
            let values = values.iter().map(|value| *value as i64).collect();
            return Ok(Elements::Ints(dtype, values));
        }
        if let Ok(values) = tensor.values::<[f64; 2]>() {
            return Ok(Elements::Complexes(dtype, values.into_owned()));
        }
        if let Ok(values) = tensor.values::<[f32; 2]>() {
            let values = values.iter().map(|parts| parts.map(f64::from)).collect();
            return Ok(Elements::Complexes(dtype, values));
        }
        let values = tensor.to_f64s()?;
        Ok(match dtype.is_floating() {
            true => Elements::Floats(dtype, values.collect()),
            false => Elements::Ints(dtype, values.map(|value| value as i64).collect()),
        })
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Elements::Ints(_, values) => values.len(),
            Elements::Floats(_, values) => values.len(),
            Elements::Complexes(_, values) => values.len(),
            Elements::Texts(values) => values.len(),
            Elements::Strings(values) => values.len(),
            Elements::Objects(values) => values.len(),
        }
    }

    /// Returns the type, if elements are numbers.
    pub(crate) fn dtype(&self) -> Option<DType> {
        match self {
            Elements::Ints(dtype, _)
            | Elements::Floats(dtype, _)
            | Elements::Complexes(dtype, _) => Some(*dtype),
            _ => None,
        }
    }

    pub(crate) fn type_name(&self) -> String {
        match self {
            Elements::Texts(_) => "str".to_owned(),
            Elements::Strings(_) => "bytes".to_owned(),
            Elements::Objects(_) => "object".to_owned(),
            numbers => numbers
                .dtype()
                .map_or_else(String::new, |dtype| dtype.name().into_owned()),
        }
    }

    /// Returns an element as a value of Python.
    pub(crate) fn value(&self, index: usize) -> Value {
        let value = match self {
            Elements::Ints(DType::BOOL, values) => values.get(index).map(|v| Value::Bool(*v != 0)),
            Elements::Ints(dtype, values) => {
                values.get(index).map(|v| Value::Int(widened(*dtype, *v)))
            }
            Elements::Floats(_, values) => values.get(index).map(|v| Value::Float(*v)),
            Elements::Complexes(_, values) => values.get(index).map(|v| Value::Complex(*v)),
            Elements::Texts(values) => values.get(index).cloned().map(Value::Str),
            Elements::Strings(values) => values.get(index).cloned().map(Value::Bytes),
            Elements::Objects(values) => values.get(index).cloned(),
        };
        value.unwrap_or(Value::None)
    }

    /// Returns the elements at these indices.
    pub(super) fn picked(&self, indices: &[usize]) -> Elements {
        fn pick<T: Clone>(values: &[T], indices: &[usize]) -> Vec<T> {
            indices
                .iter()
                .filter_map(|index| values.get(*index).cloned())
                .collect()
        }
        match self {
            Elements::Ints(dtype, values) => Elements::Ints(*dtype, pick(values, indices)),
            Elements::Floats(dtype, values) => Elements::Floats(*dtype, pick(values, indices)),
            Elements::Complexes(dtype, values) => {
                Elements::Complexes(*dtype, pick(values, indices))
            }
            Elements::Texts(values) => Elements::Texts(pick(values, indices)),
            Elements::Strings(values) => Elements::Strings(pick(values, indices)),
            Elements::Objects(values) => Elements::Objects(pick(values, indices)),
        }
    }

    /// Makes a tensor of these elements in that shape. Texts become UTF-8; of objects, all must be
    /// strings.
    pub(crate) fn into_tensor(self, shape: &[u64]) -> Result<Tensor, Failure> {
        Ok(match self {
            Elements::Ints(dtype, values) => match dtype {
                DType::BOOL => {
                    let values: Vec<bool> = values.iter().map(|value| *value != 0).collect();
                    Tensor::from_slice(shape, &values)?
                }
                DType::INT64 => Tensor::from_slice(shape, &values)?,
                DType::UINT64 => Tensor::from_slice(shape, &narrow(&values, |v| v as u64))?,
                DType::INT32 | DType::QINT32 => {
                    Tensor::from_slice_as(dtype, shape, &narrow(&values, |v| v as i32))?
                }
                DType::UINT32 => Tensor::from_slice(shape, &narrow(&values, |v| v as u32))?,
                DType::INT16 | DType::QINT16 => {
                    Tensor::from_slice_as(dtype, shape, &narrow(&values, |v| v as i16))?
                }
                DType::UINT16 | DType::QUINT16 => {
                    Tensor::from_slice_as(dtype, shape, &narrow(&values, |v| v as u16))?
                }
                DType::INT8 | DType::QINT8 | DType::INT4 | DType::INT2 => {
                    Tensor::from_slice_as(dtype, shape, &narrow(&values, |v| v as i8))?
                }
                _ => Tensor::from_slice_as(dtype, shape, &narrow(&values, |v| v as u8))?,
            },
            Elements::Floats(dtype, values) => Tensor::from_slice(shape, &values)?.cast(dtype)?,
            Elements::Complexes(DType::COMPLEX64, values) => {
                let values: Vec<[f32; 2]> = values.iter().map(|v| v.map(|v| v as f32)).collect();
                Tensor::from_slice(shape, &values)?
            }
            Elements::Complexes(_, values) => Tensor::from_slice(shape, &values)?,
            Elements::Texts(values) => Tensor::from_strings(shape, values)?,
            Elements::Strings(values) => Tensor::from_strings(shape, values)?,
            Elements::Objects(values) => {
                let strings: Result<Vec<Vec<u8>>, Failure> = values
                    .into_iter()
                    .map(|value| match value {
                        Value::Str(text) => Ok(text.into_bytes()),
                        Value::Bytes(bytes) => Ok(bytes),
                        // TensorFlow's words (`tensorflow/python/lib/core/ndarray_tensor.cc`).
                        other => Err(Failure::Usage(
                            format!("Unsupported object type {}", other.type_name()).into(),
                        )),
                    })
                    .collect();
                Tensor::from_strings(shape, strings?)?
            }
        })
    }
}

fn narrow<T>(values: &[i64], convert: impl Fn(i64) -> T) -> Vec<T> {
    values.iter().map(|value| convert(*value)).collect()
}

/// Returns the integer that is kept as these bits.
pub(crate) fn widened(dtype: DType, value: i64) -> i128 {
    match dtype {
        DType::UINT64 => i128::from(value as u64),
        _ => i128::from(value),
    }
}

/// Returns how an integer is kept that has been cut to the bits of a dtype, as C does it.
pub(crate) fn wrapped(dtype: DType, value: i128) -> i64 {
    match dtype {
        DType::BOOL => i64::from(value != 0),
        DType::INT64 | DType::UINT64 => value as i64,
        DType::INT32 | DType::QINT32 => (value as i32).into(),
        DType::UINT32 => (value as u32).into(),
        DType::INT16 | DType::QINT16 => (value as i16).into(),
        DType::UINT16 | DType::QUINT16 => (value as u16).into(),
        DType::INT8 | DType::QINT8 => (value as i8).into(),
        DType::INT4 => ((value as i8) << 4 >> 4).into(),
        DType::INT2 => ((value as i8) << 6 >> 6).into(),
        DType::UINT4 => (value as i64) & 0x0f,
        DType::UINT2 => (value as i64) & 0x03,
        _ => (value as u8).into(),
    }
}

/// Returns the number nearest to a value that a floating-point dtype has.
pub(crate) fn rounded(dtype: DType, values: Vec<f64>) -> Vec<f64> {
    match dtype {
        DType::DOUBLE => values,
        DType::FLOAT => values
            .into_iter()
            .map(|value| f64::from(value as f32))
            .collect(),
        // Of as many values as there are, a vector is always a tensor.
        _ => match Tensor::from_slice([values.len()], &values).and_then(|all| all.cast(dtype)) {
            Ok(cast) => cast.to_f64s().map(Iterator::collect).unwrap_or_default(),
            Err(_) => values,
        },
    }
}
