use std::fmt;

use super::number::Number;
use super::type_text::{TypeText, dims_of};
use crate::error::Printable;
use crate::object_graph::{StructuredValue, TensorSpec, TypeSpec, TypeSpecClass};
use crate::tensor::{DType, Tensor};

/// The types of a function's arguments or results, nested as they were in Python; values where
/// arguments are no tensors.
///
/// Shown it is near to Python: `(float32[?, 3], {'training': False})`.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Structure {
    /// Python's `None`.
    None,
    /// A boolean.
    Bool {
        /// Which.
        value: bool,
    },
    /// An integer.
    Int {
        /// Which.
        value: i64,
    },
    /// A float.
    Float {
        /// Which.
        value: Number,
    },
    /// A text.
    String {
        /// Which.
        value: String,
    },
    /// A `tf.DType`.
    #[cfg_attr(feature = "serde", serde(rename = "dtype"))]
    DType {
        /// Which.
        #[cfg_attr(
            feature = "serde",
            serde(serialize_with = "super::type_text::serialize_dtype")
        )]
        dtype: DType,
    },
    /// A `tf.TensorShape`.
    Shape {
        /// The dimensions, `None` for an unknown one; `None` if their number is unknown.
        shape: Option<Vec<Option<i64>>>,
    },
    /// A tensor to be given or returned: `tf.TensorSpec`, with or without bounds.
    Tensor {
        /// The argument's name, if it has one.
        name: Option<String>,
        /// The element type.
        #[cfg_attr(
            feature = "serde",
            serde(serialize_with = "super::type_text::serialize_dtype")
        )]
        dtype: DType,
        /// The dimensions, `None` for an unknown one; `None` if their number is unknown.
        shape: Option<Vec<Option<i64>>>,
    },
    /// A value made of several tensors: `tf.TypeSpec`.
    TypeSpec {
        /// The Python class, as `RaggedTensorSpec`.
        class: String,
        /// What the class keeps of the type: of a ragged tensor its shape, dtype, ragged rank and
        /// the dtype of its row splits.
        state: Box<Structure>,
    },
    /// A list.
    List {
        /// Its elements.
        elements: Vec<Structure>,
    },
    /// A tuple.
    Tuple {
        /// Its elements.
        elements: Vec<Structure>,
    },
    /// A dict.
    Dict {
        /// Its values, ascending by key.
        entries: Vec<NamedStructure>,
    },
    /// A `collections.namedtuple`.
    NamedTuple {
        /// The name of its Python class.
        class: String,
        /// Its values in order.
        entries: Vec<NamedStructure>,
    },
    /// A constant: a tensor or NumPy array whose elements have to be equal in a call.
    Constant {
        /// The element type.
        #[cfg_attr(
            feature = "serde",
            serde(serialize_with = "super::type_text::serialize_dtype")
        )]
        dtype: DType,
        /// The dimensions.
        shape: Vec<u64>,
    },
}

/// One value of a dict or named tuple.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct NamedStructure {
    /// The key or the field's name.
    pub name: String,
    /// The value.
    pub value: Structure,
}

impl Structure {
    /// Makes the report of a value.
    pub fn of(value: &StructuredValue) -> Structure {
        let all = |values: &[StructuredValue]| values.iter().map(Structure::of).collect();
        match value {
            StructuredValue::None => Structure::None,
            StructuredValue::Float(value) => Structure::Float {
                value: Number(*value),
            },
            StructuredValue::Int(value) => Structure::Int { value: *value },
            StructuredValue::String(value) => Structure::String {
                value: value.clone(),
            },
            StructuredValue::Bool(value) => Structure::Bool { value: *value },
            StructuredValue::TensorShape(shape) => Structure::Shape {
                shape: dims_of(shape),
            },
            StructuredValue::DType(dtype) => Structure::DType { dtype: *dtype },
            StructuredValue::TensorSpec(spec) => tensor(spec),
            StructuredValue::BoundedTensorSpec(bounded) => tensor(&bounded.spec),
            StructuredValue::TypeSpec(spec) => Structure::TypeSpec {
                class: class_of(spec).to_owned(),
                state: Box::new(Structure::of(&spec.state)),
            },
            StructuredValue::List(elements) => Structure::List {
                elements: all(elements),
            },
            StructuredValue::Tuple(elements) => Structure::Tuple {
                elements: all(elements),
            },
            StructuredValue::Dict(_) => {
                let entries = value.sorted_entries().unwrap_or_default();
                Structure::Dict {
                    entries: named(entries.into_iter()),
                }
            }
            StructuredValue::NamedTuple(tuple) => Structure::NamedTuple {
                class: tuple.name.clone(),
                entries: named(tuple.fields.iter().map(|(name, value)| (&**name, value))),
            },
            StructuredValue::Tensor(constant) | StructuredValue::Numpy(constant) => {
                of_constant(constant)
            }
        }
    }
}

fn tensor(spec: &TensorSpec) -> Structure {
    Structure::Tensor {
        name: spec.name.clone(),
        dtype: spec.dtype,
        shape: dims_of(&spec.shape),
    }
}

fn of_constant(tensor: &Tensor) -> Structure {
    Structure::Constant {
        dtype: tensor.dtype(),
        shape: tensor.shape().dims().to_vec(),
    }
}

fn named<'a>(entries: impl Iterator<Item = (&'a str, &'a StructuredValue)>) -> Vec<NamedStructure> {
    entries
        .map(|(name, value)| NamedStructure {
            name: name.to_owned(),
            value: Structure::of(value),
        })
        .collect()
}

/// Returns the name of the class; classes of modules have one of their own.
fn class_of(spec: &TypeSpec) -> &str {
    match spec.class {
        TypeSpecClass::REGISTERED | TypeSpecClass::EXTENSION_TYPE => &spec.class_name,
        class => class.name().unwrap_or(&spec.class_name),
    }
}

impl fmt::Display for Structure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Structure::None => f.write_str("None"),
            Structure::Bool { value: true } => f.write_str("True"),
            Structure::Bool { value: false } => f.write_str("False"),
            Structure::Int { value } => write!(f, "{value}"),
            Structure::Float { value } => write!(f, "{value}"),
            Structure::String { value } => write!(f, "'{}'", Printable(value)),
            Structure::DType { dtype } => write!(f, "{dtype}"),
            Structure::Shape { shape } => {
                let text = TypeText(DType::FLOAT, shape.as_deref()).to_string();
                f.write_str(text.trim_start_matches(|c| c != '['))
            }
            Structure::Tensor { name, dtype, shape } => {
                if let Some(name) = name {
                    write!(f, "{}: ", Printable(name))?;
                }
                write!(f, "{}", TypeText(*dtype, shape.as_deref()))
            }
            Structure::TypeSpec { class, state } => write_type_spec(f, class, state),
            Structure::List { elements } => write_elements(f, "[", elements, "]"),
            Structure::Tuple { elements } if elements.len() == 1 => {
                write_elements(f, "(", elements, ",)")
            }
            Structure::Tuple { elements } => write_elements(f, "(", elements, ")"),
            Structure::Dict { entries } => {
                f.write_str("{")?;
                for (i, entry) in entries.iter().enumerate() {
                    let separator = if i == 0 { "" } else { ", " };
                    let name = Printable(&entry.name);
                    write!(f, "{separator}'{name}': {}", entry.value)?;
                }
                f.write_str("}")
            }
            Structure::NamedTuple { class, entries } => {
                write!(f, "{}(", Printable(class))?;
                for (i, entry) in entries.iter().enumerate() {
                    let separator = if i == 0 { "" } else { ", " };
                    write!(f, "{separator}{}={}", Printable(&entry.name), entry.value)?;
                }
                f.write_str(")")
            }
            Structure::Constant { dtype, shape } => {
                write!(f, "constant {dtype}{shape:?}")
            }
        }
    }
}

fn write_elements(
    f: &mut fmt::Formatter<'_>,
    open: &str,
    elements: &[Structure],
    close: &str,
) -> fmt::Result {
    f.write_str(open)?;
    for (i, element) in elements.iter().enumerate() {
        let separator = if i == 0 { "" } else { ", " };
        write!(f, "{separator}{element}")?;
    }
    f.write_str(close)
}

/// Writes the types that most models have as tensors with a word before.
fn write_type_spec(f: &mut fmt::Formatter<'_>, class: &str, state: &Structure) -> fmt::Result {
    let parts = match state {
        Structure::Tuple { elements } => &elements[..],
        _ => &[],
    };
    let word = match class {
        "RaggedTensorSpec" => "ragged ",
        "SparseTensorSpec" => "sparse ",
        "IndexedSlicesSpec" => "indexed slices ",
        "VariableSpec" => "variable ",
        _ => "",
    };
    match parts {
        [Structure::Shape { shape }, Structure::DType { dtype }, ..] if !word.is_empty() => {
            write!(f, "{word}{}", TypeText(*dtype, shape.as_deref()))
        }
        _ => write!(f, "{}{state}", Printable(class)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::PartialShape;

    fn spec(name: Option<&str>) -> StructuredValue {
        StructuredValue::TensorSpec(TensorSpec {
            name: name.map(str::to_owned),
            shape: PartialShape::new(&[None, Some(3)]).unwrap(),
            dtype: DType::FLOAT,
        })
    }

    #[test]
    fn structures_read_like_python() {
        let shape = StructuredValue::TensorShape(PartialShape::new(&[Some(2), None]).unwrap());
        let dict = StructuredValue::Dict(vec![
            ("training".to_owned(), StructuredValue::Bool(false)),
            ("mask".to_owned(), StructuredValue::None),
        ]);
        let ragged = |class| {
            StructuredValue::TypeSpec(Box::new(TypeSpec {
                class,
                class_name: "my.Spec".to_owned(),
                state: StructuredValue::Tuple(vec![
                    shape.clone(),
                    StructuredValue::DType(DType::STRING),
                    StructuredValue::Int(1),
                ]),
                num_flat_components: 2,
            }))
        };
        for (value, text) in [
            (spec(None), "float32[?, 3]"),
            (spec(Some("x")), "x: float32[?, 3]"),
            (shape.clone(), "[2, ?]"),
            (dict.clone(), "{'mask': None, 'training': False}"),
            (
                StructuredValue::Tuple(vec![StructuredValue::Tuple(vec![spec(None)]), dict]),
                "((float32[?, 3],), {'mask': None, 'training': False})",
            ),
            (ragged(TypeSpecClass::RAGGED_TENSOR), "ragged string[2, ?]"),
            (
                ragged(TypeSpecClass::REGISTERED),
                "my.Spec([2, ?], string, 1)",
            ),
            (
                StructuredValue::List(vec![StructuredValue::Float(0.5)]),
                "[0.5]",
            ),
        ] {
            assert_eq!(Structure::of(&value).to_string(), text);
        }
    }
}
