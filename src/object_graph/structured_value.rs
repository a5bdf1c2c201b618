use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;

use crate::error::{Error, Printable, Result};
use crate::proto::structured_value::Kind;
use crate::proto::{self, BoundedTensorSpecProto, TensorShapeProto, TensorSpecProto};
use crate::tensor::{DType, PartialShape, Repeats, Tensor};

/// How deep values may nest. Files cannot get there: protobuf stops at 100 messages, and a value
/// inside another is at least two.
const MAX_DEPTH: usize = 100;

/// How many bytes the tensors of a value may take beyond those that the file has. TensorFlow writes
/// all elements out; a thousand functions of a few bytes each must not fill the memory.
const MAX_REPEATED: u64 = 64 << 10;

/// What a value that is being decoded may still have in it.
#[derive(Clone, Copy)]
struct Limits<'a> {
    depth: usize,
    repeats: &'a Repeats,
}

/// A Python value as saved functions have it: the arguments and results of a function, defaults,
/// types of tensors, nested in lists, tuples and dicts.
///
/// TensorFlow writes and reads it in `tensorflow/python/saved_model/nested_structure_coder.py`; the
/// variants are those of the message `StructuredValue` in `struct.proto`.
///
/// ```
/// use savedmodel::object_graph::{StructuredValue, TensorSpec};
/// use savedmodel::{DType, PartialShape};
///
/// let x = StructuredValue::TensorSpec(TensorSpec {
///     name: Some("x".to_owned()),
///     shape: PartialShape::try_from([None, Some(3)])?,
///     dtype: DType::FLOAT,
/// });
/// let arguments = StructuredValue::Dict(vec![
///     ("y".to_owned(), StructuredValue::Bool(true)),
///     ("x".to_owned(), x.clone()),
/// ]);
/// assert_eq!(arguments.get("x"), Some(&x));
/// assert_eq!(arguments.flatten(), [&x, &StructuredValue::Bool(true)]);
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StructuredValue {
    /// Python's `None`.
    None,
    /// A float.
    Float(f64),
    /// An integer of at most 64 bits.
    Int(i64),
    /// A text.
    String(String),
    /// A boolean.
    Bool(bool),
    /// A `tf.TensorShape`.
    TensorShape(PartialShape),
    /// A `tf.DType`.
    DType(DType),
    /// A `tf.TensorSpec`: a tensor argument or result.
    TensorSpec(TensorSpec),
    /// A tensor whose elements lie between bounds.
    BoundedTensorSpec(Box<BoundedTensorSpec>),
    /// A `tf.TypeSpec` of something made of several tensors: ragged, sparse, a dataset and so on.
    TypeSpec(Box<TypeSpec>),
    /// A list.
    List(Vec<StructuredValue>),
    /// A tuple without names.
    Tuple(Vec<StructuredValue>),
    /// A dict in the order of the file, which is no order that TensorFlow promises. Keys are unique.
    Dict(Vec<(String, StructuredValue)>),
    /// A `collections.namedtuple`.
    NamedTuple(NamedTuple),
    /// A constant tensor.
    Tensor(Tensor),
    /// A NumPy array.
    Numpy(Tensor),
}

/// A tensor by its type: `tf.TensorSpec`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorSpec {
    /// The argument's name, if it has one.
    pub name: Option<String>,
    /// The shape.
    pub shape: PartialShape,
    /// The element type.
    pub dtype: DType,
}

/// A tensor by its type and the range of its elements.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundedTensorSpec {
    /// Name, shape and element type.
    pub spec: TensorSpec,
    /// The least value of each element, or one for all of them.
    pub minimum: Tensor,
    /// The greatest value of each element, or one for all of them.
    pub maximum: Tensor,
}

/// The type of a value made of several tensors: `tf.TypeSpec`.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeSpec {
    /// Which Python class it is.
    pub class: TypeSpecClass,
    /// The name of the Python class; for [`REGISTERED`](TypeSpecClass::REGISTERED) ones the name it
    /// is registered under. Empty in old files.
    pub class_name: String,
    /// What the class stores, nearly always a tuple: of a ragged tensor's shape, dtype, ragged rank
    /// and the dtype of its row splits.
    pub state: StructuredValue,
    /// How many tensors the value is made of; 0 in old files.
    pub num_flat_components: i32,
}

/// A Python class of type specs: a number of `TypeSpecProto.TypeSpecClass`, known or not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeSpecClass(pub i32);

/// A `collections.namedtuple`: a tuple whose elements have names.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTuple {
    /// The name of the Python class.
    pub name: String,
    /// Names and values in order.
    pub fields: Vec<(String, StructuredValue)>,
}

impl StructuredValue {
    /// Reads the message.
    ///
    /// # Errors
    ///
    /// `Malformed` if a value is of no kind, as TensorFlow too finds, a shape or tensor in it is
    /// invalid, or values nest deeper than 100; what [`Tensor::from_proto`] answers, `TooLarge`
    /// from 64 KiB of repeated elements on.
    pub fn from_proto(proto: &proto::StructuredValue) -> Result<StructuredValue> {
        let limits = Limits {
            depth: MAX_DEPTH,
            repeats: &Repeats::up_to(MAX_REPEATED),
        };
        decode(proto, limits)
    }

    /// Returns the value of a dict's key or of a named tuple's field.
    pub fn get(&self, name: &str) -> Option<&StructuredValue> {
        let fields = match self {
            StructuredValue::Dict(fields) => fields,
            StructuredValue::NamedTuple(tuple) => &tuple.fields,
            _ => return None,
        };
        let (_, value) = fields.iter().find(|(field, _)| field == name)?;
        Some(value)
    }

    /// Returns the elements of a list or tuple. A named tuple's are in
    /// [`fields`](NamedTuple::fields).
    pub fn elements(&self) -> Option<&[StructuredValue]> {
        match self {
            StructuredValue::List(elements) | StructuredValue::Tuple(elements) => Some(elements),
            _ => None,
        }
    }

    /// Returns a dict's entries sorted by key, the order in which TensorFlow flattens it.
    pub fn sorted_entries(&self) -> Option<Vec<(&str, &StructuredValue)>> {
        let StructuredValue::Dict(entries) = self else {
            return None;
        };
        let mut sorted: Vec<_> = entries
            .iter()
            .map(|(key, value)| (key.as_str(), value))
            .collect();
        sorted.sort_by_key(|(key, _)| *key);
        Some(sorted)
    }

    /// Returns the tensor, if it is one, NumPy's too.
    pub fn as_tensor(&self) -> Option<&Tensor> {
        match self {
            StructuredValue::Tensor(tensor) | StructuredValue::Numpy(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// Returns the text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            StructuredValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the values that are no list, tuple or dict, in the order of `tf.nest.flatten`: lists
    /// and tuples as they stand, dicts by sorted key. A type spec is one value, whatever the number
    /// of tensors it is made of.
    pub fn flatten(&self) -> Vec<&StructuredValue> {
        let mut leaves = Vec::new();
        self.flatten_into(&mut leaves);
        leaves
    }

    fn flatten_into<'a>(&'a self, leaves: &mut Vec<&'a StructuredValue>) {
        match self {
            StructuredValue::List(elements) | StructuredValue::Tuple(elements) => {
                for element in elements {
                    element.flatten_into(leaves);
                }
            }
            StructuredValue::NamedTuple(tuple) => {
                for (_, value) in &tuple.fields {
                    value.flatten_into(leaves);
                }
            }
            StructuredValue::Dict(_) => {
                for (_, value) in self.sorted_entries().unwrap_or_default() {
                    value.flatten_into(leaves);
                }
            }
            _ => leaves.push(self),
        }
    }
}

impl From<Tensor> for StructuredValue {
    fn from(tensor: Tensor) -> Self {
        StructuredValue::Tensor(tensor)
    }
}

impl From<bool> for StructuredValue {
    fn from(value: bool) -> Self {
        StructuredValue::Bool(value)
    }
}

impl From<i64> for StructuredValue {
    fn from(value: i64) -> Self {
        StructuredValue::Int(value)
    }
}

/// For literals, which are `i32` unless something else is said.
impl From<i32> for StructuredValue {
    fn from(value: i32) -> Self {
        StructuredValue::Int(value.into())
    }
}

impl From<f64> for StructuredValue {
    fn from(value: f64) -> Self {
        StructuredValue::Float(value)
    }
}

impl From<&str> for StructuredValue {
    fn from(text: &str) -> Self {
        StructuredValue::String(text.to_owned())
    }
}

impl TensorSpec {
    fn from_parts(name: &str, shape: Option<&TensorShapeProto>, dtype: i32) -> Result<TensorSpec> {
        Ok(TensorSpec {
            name: (!name.is_empty()).then(|| name.to_owned()),
            shape: decode_shape(shape)?,
            dtype: DType::from_number(dtype),
        })
    }
}

impl TypeSpecClass {
    /// `tf.SparseTensorSpec`.
    pub const SPARSE_TENSOR: TypeSpecClass = TypeSpecClass(1);
    /// `tf.IndexedSlicesSpec`.
    pub const INDEXED_SLICES: TypeSpecClass = TypeSpecClass(2);
    /// `tf.RaggedTensorSpec`.
    pub const RAGGED_TENSOR: TypeSpecClass = TypeSpecClass(3);
    /// `tf.TensorArraySpec`.
    pub const TENSOR_ARRAY: TypeSpecClass = TypeSpecClass(4);
    /// `tf.data.DatasetSpec`.
    pub const DATASET: TypeSpecClass = TypeSpecClass(5);
    /// The iterator of a dataset.
    pub const ITERATOR: TypeSpecClass = TypeSpecClass(6);
    /// `tf.OptionalSpec`.
    pub const OPTIONAL: TypeSpecClass = TypeSpecClass(7);
    /// A value on each replica of a distribution strategy.
    pub const PER_REPLICA: TypeSpecClass = TypeSpecClass(8);
    /// A `tf.Variable` as an argument.
    pub const VARIABLE: TypeSpecClass = TypeSpecClass(9);
    /// The partition of a ragged dimension.
    pub const ROW_PARTITION: TypeSpecClass = TypeSpecClass(10);
    /// A class that some Python module registers under [`TypeSpec::class_name`].
    pub const REGISTERED: TypeSpecClass = TypeSpecClass(12);
    /// A `tf.experimental.ExtensionType`.
    pub const EXTENSION_TYPE: TypeSpecClass = TypeSpecClass(13);

    /// Returns the name of the Python class, if the number is one of a class of TensorFlow.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            TypeSpecClass::SPARSE_TENSOR => "SparseTensorSpec",
            TypeSpecClass::INDEXED_SLICES => "IndexedSlicesSpec",
            TypeSpecClass::RAGGED_TENSOR => "RaggedTensorSpec",
            TypeSpecClass::TENSOR_ARRAY => "TensorArraySpec",
            TypeSpecClass::DATASET => "DatasetSpec",
            TypeSpecClass::ITERATOR => "IteratorSpec",
            TypeSpecClass::OPTIONAL => "OptionalSpec",
            TypeSpecClass::PER_REPLICA => "PerReplicaSpec",
            TypeSpecClass::VARIABLE => "VariableSpec",
            TypeSpecClass::ROW_PARTITION => "RowPartitionSpec",
            _ => return None,
        })
    }
}

impl fmt::Debug for TypeSpecClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "TypeSpecClass({})", self.0),
        }
    }
}

fn decode(proto: &proto::StructuredValue, limits: Limits<'_>) -> Result<StructuredValue> {
    let Some(depth) = limits.depth.checked_sub(1) else {
        return Err(Error::malformed(format!(
            "structured values nest deeper than {MAX_DEPTH}"
        )));
    };
    let limits = Limits { depth, ..limits };
    let Some(kind) = &proto.kind else {
        return Err(Error::malformed(
            "a structured value is of no kind, or of one that this schema does not have",
        ));
    };
    Ok(match kind {
        Kind::NoneValue(_) => StructuredValue::None,
        Kind::Float64Value(value) => StructuredValue::Float(*value),
        Kind::Int64Value(value) => StructuredValue::Int(*value),
        Kind::StringValue(text) => StructuredValue::String(text.clone()),
        Kind::BoolValue(value) => StructuredValue::Bool(*value),
        Kind::TensorShapeValue(shape) => StructuredValue::TensorShape(decode_shape(Some(shape))?),
        Kind::TensorDtypeValue(dtype) => StructuredValue::DType(DType::from_number(*dtype)),
        Kind::TensorSpecValue(spec) => StructuredValue::TensorSpec(decode_tensor_spec(spec)?),
        Kind::TypeSpecValue(spec) => {
            StructuredValue::TypeSpec(Box::new(decode_type_spec(spec, limits)?))
        }
        Kind::BoundedTensorSpecValue(spec) => StructuredValue::BoundedTensorSpec(Box::new(
            decode_bounded_tensor_spec(spec, limits.repeats)?,
        )),
        Kind::ListValue(list) => StructuredValue::List(decode_elements(&list.values, limits)?),
        Kind::TupleValue(tuple) => StructuredValue::Tuple(decode_elements(&tuple.values, limits)?),
        Kind::DictValue(dict) => StructuredValue::Dict(decode_dict(dict, limits)?),
        Kind::NamedTupleValue(tuple) => {
            StructuredValue::NamedTuple(decode_named_tuple(tuple, limits)?)
        }
        Kind::TensorValue(tensor) => {
            StructuredValue::Tensor(Tensor::from_proto_within(tensor, limits.repeats)?)
        }
        Kind::NumpyValue(array) => {
            StructuredValue::Numpy(Tensor::from_proto_within(array, limits.repeats)?)
        }
    })
}

/// A message that is absent counts as an empty one, and an empty shape is a scalar's.
fn decode_shape(shape: Option<&TensorShapeProto>) -> Result<PartialShape> {
    match shape {
        Some(shape) => PartialShape::from_proto(shape),
        None => PartialShape::from_proto(&TensorShapeProto::default()),
    }
}

fn decode_tensor_spec(spec: &TensorSpecProto) -> Result<TensorSpec> {
    TensorSpec::from_parts(&spec.name, spec.shape.as_ref(), spec.dtype)
}

fn decode_bounded_tensor_spec(
    spec: &BoundedTensorSpecProto,
    repeats: &Repeats,
) -> Result<BoundedTensorSpec> {
    let bound = |tensor: &Option<proto::TensorProto>, which: &str| match tensor {
        Some(tensor) => Tensor::from_proto_within(tensor, repeats),
        None => Err(Error::malformed(format!(
            "a bounded tensor spec has no {which}"
        ))),
    };
    Ok(BoundedTensorSpec {
        spec: TensorSpec::from_parts(&spec.name, spec.shape.as_ref(), spec.dtype)?,
        minimum: bound(&spec.minimum, "minimum")?,
        maximum: bound(&spec.maximum, "maximum")?,
    })
}

fn decode_type_spec(spec: &proto::TypeSpecProto, limits: Limits<'_>) -> Result<TypeSpec> {
    let Some(state) = &spec.type_state else {
        return Err(Error::malformed(format!(
            "the type spec `{}` has no state",
            Printable(&spec.type_spec_class_name)
        )));
    };
    Ok(TypeSpec {
        class: TypeSpecClass(spec.type_spec_class),
        class_name: spec.type_spec_class_name.clone(),
        state: decode(state, limits)?,
        num_flat_components: spec.num_flat_components,
    })
}

fn decode_elements(
    values: &[proto::StructuredValue],
    limits: Limits<'_>,
) -> Result<Vec<StructuredValue>> {
    values.iter().map(|value| decode(value, limits)).collect()
}

fn decode_dict(
    dict: &proto::DictValue,
    limits: Limits<'_>,
) -> Result<Vec<(String, StructuredValue)>> {
    let absent = proto::StructuredValue::default();
    let mut entries: Vec<(String, StructuredValue)> = Vec::with_capacity(dict.fields.len());
    let mut places = HashMap::with_capacity(dict.fields.len());
    for field in &dict.fields {
        let value = decode(field.value.as_ref().unwrap_or(&absent), limits)?;
        let place = *places.entry(field.key()).or_insert(entries.len());
        match place.cmp(&entries.len()) {
            Ordering::Less => entries[place].1 = value,
            _ => entries.push((field.key().to_owned(), value)),
        }
    }
    Ok(entries)
}

fn decode_named_tuple(tuple: &proto::NamedTupleValue, limits: Limits<'_>) -> Result<NamedTuple> {
    let absent = proto::StructuredValue::default();
    let fields = tuple
        .values
        .iter()
        .map(|pair| {
            let value = decode(pair.value.as_ref().unwrap_or(&absent), limits)?;
            Ok((pair.key.clone(), value))
        })
        .collect::<Result<_>>()?;
    Ok(NamedTuple {
        name: tuple.name.clone(),
        fields,
    })
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    fn read(bytes: &[u8]) -> Result<StructuredValue> {
        StructuredValue::from_proto(&proto::StructuredValue::decode(bytes).unwrap())
    }

    #[test]
    fn few_bytes_do_not_become_many_tensors() {
        let zeros = |count| proto::StructuredValue {
            kind: Some(Kind::TensorValue(Box::new(proto::TensorProto {
                dtype: DType::FLOAT.number(),
                tensor_shape: Some(PartialShape::new(&[Some(count)]).unwrap().to_proto()),
                ..Default::default()
            }))),
        };
        let list = |values| proto::StructuredValue {
            kind: Some(Kind::ListValue(proto::ListValue { values })),
        };
        let read = |values| StructuredValue::from_proto(&list(values));
        assert!(read(vec![zeros(8 << 10), zeros(8 << 10)]).is_ok());
        let error = read(vec![zeros(8 << 10); 3]).unwrap_err();
        assert!(
            matches!(error.kind(), crate::ErrorKind::TooLarge { .. }),
            "{error}"
        );
    }

    #[test]
    fn integers_are_zigzag() {
        let bytes = [0x60, 0x03]; // int64_value, zigzag of -2
        assert_eq!(read(&bytes).unwrap(), StructuredValue::Int(-2));
    }

    #[test]
    fn a_dict_keeps_its_order_and_the_last_of_equal_keys() {
        let bytes = [
            0xaa, 0x03, 23, // dict_value, 23 bytes
            0x0a, 7, 0x0a, 1, b'b', 0x12, 2, 0x60, 2, // "b": 1
            0x0a, 3, 0x0a, 1, b'a', // "a" without value
            0x0a, 7, 0x0a, 1, b'b', 0x12, 2, 0x60, 4, // "b": 2
        ];
        assert!(read(&bytes).is_err(), "a value of no kind");

        let mut dict = bytes.to_vec();
        dict.splice(12..17, [0x0a, 7, 0x0a, 1, b'a', 0x12, 2, 0x0a, 0]); // "a": None
        dict[2] += 4;
        let dict = read(&dict).unwrap();
        let [one, two] = [StructuredValue::None, StructuredValue::Int(2)];
        assert_eq!(
            dict,
            StructuredValue::Dict(vec![
                ("b".to_owned(), two.clone()),
                ("a".to_owned(), one.clone())
            ])
        );
        assert_eq!(dict.flatten(), [&one, &two]);
    }

    #[test]
    fn depth_is_limited() {
        let mut value = proto::StructuredValue {
            kind: Some(Kind::BoolValue(true)),
        };
        for _ in 0..MAX_DEPTH - 1 {
            value = proto::StructuredValue {
                kind: Some(Kind::TupleValue(proto::TupleValue {
                    values: vec![value],
                })),
            };
        }
        assert!(StructuredValue::from_proto(&value).is_ok());
        let value = proto::StructuredValue {
            kind: Some(Kind::ListValue(proto::ListValue {
                values: vec![value],
            })),
        };
        let error = StructuredValue::from_proto(&value).unwrap_err();
        assert!(error.to_string().contains("deeper than 100"), "{error}");
    }
}
