//! From values of Python to arrays, as `numpy.asarray` makes them.

use savedmodel::DType;

use super::Value;
use super::array::{Array, MAX_DIMENSIONS};
use super::cast::{self, CastError};
use super::elements::{Elements, wrapped};
use super::promotion::promoted;

/// Makes the array that numpy makes of a value when no type is asked for
/// (`numpy/_core/src/multiarray/array_coercion.c`).
///
/// # Errors
///
/// numpy's text for lists of unequal lengths.
pub(crate) fn array_of(value: &Value) -> Result<Array, CastError> {
    if let Value::Array(array) = value {
        return Ok(array.clone());
    }
    let mut discovery = Discovery::default();
    discovery.visit(value, 0);
    let shape = discovery.shape()?;
    let mut leaves = Vec::new();
    collect(value, shape.len(), &mut leaves);
    let elements = elements(
        &leaves,
        discovery.kind.unwrap_or(Kind::Number(DType::DOUBLE)),
    )?;
    Array::new(shape, elements).ok_or_else(|| CastError::plain("the lists do not make an array"))
}

/// Makes an array of objects, of lists that are as long as each other: the values as they are, before
/// numpy makes numbers of them. An array is itself.
///
/// # Errors
///
/// As [`array_of`].
pub(crate) fn leaves_of(value: &Value) -> Result<Array, CastError> {
    if let Value::Array(array) = value {
        return Ok(array.clone());
    }
    let mut discovery = Discovery::default();
    discovery.visit(value, 0);
    let shape = discovery.shape()?;
    let mut leaves = Vec::new();
    collect(value, shape.len(), &mut leaves);
    let elements = leaves.into_iter().map(|leaf| leaf.value()).collect();
    Array::new(shape, Elements::Objects(elements))
        .ok_or_else(|| CastError::plain("the lists do not make an array"))
}

/// Makes an array of objects: only lists of equal lengths become dimensions.
pub(crate) fn objects_of(value: &Value) -> Array {
    let mut discovery = Discovery::default();
    discovery.visit(value, 0);
    let mut shape = discovery.shape;
    shape.truncate(discovery.rank.unwrap_or(0));
    let mut leaves = Vec::new();
    collect(value, shape.len(), &mut leaves);
    let elements = leaves.into_iter().map(|leaf| leaf.value()).collect();
    Array::new(shape, Elements::Objects(elements))
        .unwrap_or_else(|| Array::scalar(Elements::Objects(vec![value.clone()])))
}

/// What a type of elements is, before it is known how large they are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Number(DType),
    Strings,
    Texts,
    Objects,
}

impl Kind {
    fn of(value: &Value) -> Kind {
        match value {
            Value::Bool(_) => Kind::Number(DType::BOOL),
            Value::Int(value) if i64::try_from(*value).is_ok() => Kind::Number(DType::INT64),
            Value::Int(value) if u64::try_from(*value).is_ok() => Kind::Number(DType::UINT64),
            Value::Float(_) => Kind::Number(DType::DOUBLE),
            Value::Complex(_) => Kind::Number(DType::COMPLEX128),
            Value::Str(_) => Kind::Texts,
            Value::Bytes(_) => Kind::Strings,
            Value::Array(array) => Kind::of_elements(array.elements()),
            _ => Kind::Objects,
        }
    }

    fn of_elements(elements: &Elements) -> Kind {
        match elements {
            Elements::Texts(_) => Kind::Texts,
            Elements::Strings(_) => Kind::Strings,
            Elements::Objects(_) => Kind::Objects,
            numbers => numbers.dtype().map_or(Kind::Objects, Kind::Number),
        }
    }

    fn with(self, other: Kind) -> Kind {
        match (self, other) {
            (Kind::Number(one), Kind::Number(other)) => Kind::Number(promoted(one, other)),
            (Kind::Objects, _) | (_, Kind::Objects) => Kind::Objects,
            (Kind::Texts, _) | (_, Kind::Texts) => Kind::Texts,
            _ => Kind::Strings,
        }
    }
}

/// What numpy finds out on its first walk.
#[derive(Default)]
struct Discovery {
    shape: Vec<u64>,
    /// How many dimensions all elements agree on; `None` until one has been seen.
    rank: Option<usize>,
    is_ragged: bool,
    is_too_deep: bool,
    kind: Option<Kind>,
}

impl Discovery {
    fn visit(&mut self, value: &Value, depth: usize) {
        match value {
            Value::List(elements) | Value::Tuple(elements) if depth < MAX_DIMENSIONS => {
                if self.agrees(depth, elements.len() as u64) {
                    for element in elements {
                        self.visit(element, depth + 1);
                    }
                    if elements.is_empty() {
                        self.leaf(depth + 1);
                    }
                }
            }
            Value::Array(array) => {
                let dims = array.shape().iter().enumerate();
                let agrees = dims.fold(true, |agrees, (index, dim)| {
                    agrees && self.agrees(depth + index, *dim)
                });
                if agrees {
                    self.leaf(depth + array.shape().len());
                }
                self.add(Kind::of(value));
            }
            _ => {
                self.is_too_deep |= matches!(value, Value::List(_) | Value::Tuple(_));
                self.leaf(depth);
                self.add(Kind::of(value));
            }
        }
    }

    fn add(&mut self, kind: Kind) {
        self.kind = Some(self.kind.map_or(kind, |all| all.with(kind)));
    }

    /// Takes note of a sequence; false if it does not fit those before.
    fn agrees(&mut self, depth: usize, length: u64) -> bool {
        if self.rank.is_some_and(|rank| depth >= rank) {
            self.is_ragged = true;
            return false;
        }
        match self.shape.get(depth) {
            None => self.shape.push(length),
            Some(known) if *known == length => {}
            Some(_) => {
                self.is_ragged = true;
                self.rank = Some(depth);
                return false;
            }
        }
        true
    }

    /// Takes note of what is no sequence.
    fn leaf(&mut self, depth: usize) {
        match self.rank {
            None => self.rank = Some(depth),
            Some(rank) if depth < rank => {
                self.rank = Some(depth);
                self.is_ragged = true;
            }
            Some(_) => {}
        }
    }

    fn shape(&self) -> Result<Vec<u64>, CastError> {
        let rank = self.rank.unwrap_or(0);
        let shape = self.shape.get(..rank).unwrap_or_default().to_vec();
        if self.is_too_deep {
            return Err(CastError::plain(format!(
                "setting an array element with a sequence. The requested array would exceed the \
                 maximum number of dimension of {MAX_DIMENSIONS}."
            )));
        }
        if self.is_ragged {
            return Err(CastError::plain(format!(
                "setting an array element with a sequence. The requested array has an \
                 inhomogeneous shape after {rank} dimensions. The detected shape was {} + \
                 inhomogeneous part.",
                tuple(&shape)
            )));
        }
        Ok(shape)
    }
}

/// Returns a shape as Python shows it: `(2,)`.
pub(crate) fn tuple(shape: &[u64]) -> String {
    match shape {
        [only] => format!("({only},)"),
        _ => {
            let dims: Vec<String> = shape.iter().map(u64::to_string).collect();
            format!("({})", dims.join(", "))
        }
    }
}

enum Leaf<'a> {
    Value(&'a Value),
    Element(&'a Elements, usize),
}

impl Leaf<'_> {
    fn value(&self) -> Value {
        match self {
            Leaf::Value(value) => (*value).clone(),
            Leaf::Element(elements, index) => elements.value(*index),
        }
    }
}

fn collect<'a>(value: &'a Value, rank: usize, leaves: &mut Vec<Leaf<'a>>) {
    match value {
        Value::List(elements) | Value::Tuple(elements) if rank > 0 => {
            for element in elements {
                collect(element, rank - 1, leaves);
            }
        }
        Value::Array(array) if array.shape().len() <= rank => {
            let elements = array.elements();
            leaves.extend((0..elements.len()).map(|index| Leaf::Element(elements, index)));
        }
        _ => leaves.push(Leaf::Value(value)),
    }
}

fn elements(leaves: &[Leaf<'_>], kind: Kind) -> Result<Elements, CastError> {
    let values = leaves.iter().map(Leaf::value);
    Ok(match kind {
        Kind::Objects => Elements::Objects(values.collect()),
        Kind::Texts => Elements::Texts(values.map(text).collect::<Result<_, _>>()?),
        Kind::Strings => Elements::Strings(values.map(bytes).collect()),
        Kind::Number(dtype) if dtype.is_complex() => {
            Elements::Complexes(dtype, values.map(|value| complex(&value)).collect())
        }
        Kind::Number(dtype) if dtype.is_floating() => {
            Elements::Floats(dtype, values.map(|value| complex(&value)[0]).collect())
        }
        Kind::Number(dtype) => {
            let integer = |value: Value| match value {
                Value::Bool(value) => value.into(),
                Value::Int(value) => wrapped(dtype, value),
                _ => 0,
            };
            Elements::Ints(dtype, values.map(integer).collect())
        }
    })
}

fn complex(value: &Value) -> [f64; 2] {
    cast::complex_of(value).unwrap_or_default()
}

/// Returns a text as numpy keeps it: without zeros at its end.
fn text(value: Value) -> Result<String, CastError> {
    let text = match value {
        Value::Bytes(bytes) => match String::from_utf8(bytes) {
            Ok(text) if text.is_ascii() => text,
            _ => return Err(CastError::plain("bytes that are not ASCII among texts")),
        },
        other => other.str(),
    };
    Ok(text.trim_end_matches('\0').to_owned())
}

fn bytes(value: Value) -> Vec<u8> {
    let mut bytes = match value {
        Value::Bytes(bytes) => bytes,
        other => other.str().into_bytes(),
    };
    let end = bytes.iter().rposition(|byte| *byte != 0);
    bytes.truncate(end.map_or(0, |end| end + 1));
    bytes
}
