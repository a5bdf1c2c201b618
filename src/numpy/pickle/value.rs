use std::path::Path;

use prost::bytes::Bytes;

use super::machine::Machine;
use crate::error::{Error, Result};
use crate::store::{Blob, LocalStore, Store};
use crate::tensor::{Shape, Tensor};

/// A value that Python pickled: numbers, texts, containers of them, and arrays of numpy.
///
/// Pickles of protocols 0 to 5 are read, those of numpy 1 and 2, without Python: nothing is called
/// that a pickle names. What numpy's arrays, types and scalars are made of is understood, and every
/// other name refused.
///
/// | Python | value |
/// |---|---|
/// | `None`, `bool`, `float` | [`None`](Self::None), [`Bool`](Self::Bool), [`Float`](Self::Float) |
/// | `int` of at most 128 bits | [`Int`](Self::Int) |
/// | `str`; a string of Python 2 that is ASCII | [`Str`](Self::Str) |
/// | `bytes`, `bytearray`; any other string of Python 2 | [`Bytes`](Self::Bytes) |
/// | `list`, `tuple`, `dict` | [`List`](Self::List), [`Tuple`](Self::Tuple), [`Dict`](Self::Dict) |
/// | arrays and scalars of numpy, `complex` | [`Array`](Self::Array) |
/// | arrays of any other objects | [`Objects`](Self::Objects) |
///
/// Arrays have the dtypes of [`NpyReader`](crate::numpy::NpyReader), and those of `ml_dtypes`, which
/// pickles name; those of texts, byte strings and objects that are such become STRING.
///
/// ```
/// use savedmodel::numpy::PickledValue;
/// use savedmodel::store::Blob;
///
/// // pickle.dumps({"x": [1, 2.5, None]}, protocol=2)
/// let pickle = b"\x80\x02}q\x00X\x01\x00\x00\x00xq\x01]q\x02(K\x01G@\x04\0\0\0\0\0\0Nes.";
/// let value = PickledValue::read(&Blob::from_bytes(&pickle[..]))?;
/// let PickledValue::List(list) = value.get("x").unwrap() else { panic!() };
/// assert_eq!(list[..2], [PickledValue::Int(1), PickledValue::Float(2.5)]);
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PickledValue {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A number.
    Float(f64),
    /// A text.
    Str(String),
    /// Bytes, which are those of the file where they can be.
    Bytes(Bytes),
    /// A list.
    List(Vec<PickledValue>),
    /// A tuple.
    Tuple(Vec<PickledValue>),
    /// A dict, in the order of the file. A key may be there twice: [`get`](Self::get) finds the later
    /// one, as Python does.
    Dict(Vec<(PickledValue, PickledValue)>),
    /// An array, or a scalar of numpy, which has no dimensions. Elements are those of the file where
    /// that has them in row-major order, little-endian, from protocol 3 on.
    Array(Tensor),
    /// An array of Python objects that are not all texts and byte strings, in row-major order.
    Objects {
        /// The shape.
        shape: Shape,
        /// As many values as it has.
        elements: Vec<PickledValue>,
    },
}

impl PickledValue {
    /// Reads the first pickle of a file.
    ///
    /// # Errors
    ///
    /// `NotFound` and `Io` as the system has them, and what [`read`](Self::read) answers.
    pub fn open(path: impl AsRef<Path>) -> Result<PickledValue> {
        let path = path.as_ref();
        let in_file = |error: Error| error.in_file(path);
        let (store, name) = LocalStore::of_file(path)?;
        let blob = store.open(name).map_err(|error| in_file(error.into()))?;
        PickledValue::read(&blob).map_err(in_file)
    }

    /// Reads the pickle that begins with a blob's first byte. Bytes behind it are not looked at.
    ///
    /// # Errors
    ///
    /// `Unsupported` for names, objects and types other than those above, for containers that contain
    /// themselves or nest deeper than 128, and for whole numbers beyond 128 bits; `Malformed` for what
    /// is no pickle; `TooLarge` if values that are meant many times would take more than 64 MiB and 32
    /// times the file; `Io` if reading fails.
    pub fn read(blob: &Blob) -> Result<PickledValue> {
        Machine::new(blob.read(0, blob.len())?).run()
    }

    /// Says in an error what the value is.
    pub(in crate::numpy) fn kind(&self) -> &'static str {
        match self {
            PickledValue::None => "None",
            PickledValue::Bool(_) => "a bool",
            PickledValue::Int(_) => "an int",
            PickledValue::Float(_) => "a float",
            PickledValue::Str(_) => "a text",
            PickledValue::Bytes(_) => "bytes",
            PickledValue::List(_) => "a list",
            PickledValue::Tuple(_) => "a tuple",
            PickledValue::Dict(_) => "a dict",
            PickledValue::Array(_) | PickledValue::Objects { .. } => "an array",
        }
    }

    /// Returns the value under a key of a dict; `None` if this is none or has no such key.
    pub fn get(&self, key: &str) -> Option<&PickledValue> {
        let PickledValue::Dict(entries) = self else {
            return None;
        };
        let is_key = |other: &PickledValue| matches!(other, PickledValue::Str(text) if text == key);
        let found = entries.iter().rev().find(|(other, _)| is_key(other));
        found.map(|(_, value)| value)
    }
}
