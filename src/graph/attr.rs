use prost::bytes::Bytes;

use super::function::Function;
use crate::error::Result;
use crate::proto::attr_value::{ListValue, Value};
use crate::proto::{AttrValue, NameAttrList};
use crate::tensor::{DType, PartialShape, Shape, Tensor};

/// The value of a node's attr (`tensorflow/core/framework/attr_value.proto`).
///
/// It is made from what it holds: `true`, `3i64`, `0.5f32`, `"SAME"`, a [`DType`], a
/// [`PartialShape`], a [`Function`], and from arrays and vectors of those.
///
/// ```
/// use savedmodel::graph::Attr;
/// use savedmodel::{DType, Tensor};
///
/// let strides = Attr::from([1i64, 2, 2, 1]);
/// let dtype = Attr::from(DType::FLOAT);
/// let value = Attr::tensor(&Tensor::scalar(3i32))?;
/// # let _ = (strides, dtype, value);
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Attr(AttrValue);

impl Attr {
    /// Makes an attr of a tensor, as `Const` has it.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a dtype that a `TensorProto` cannot hold.
    pub fn tensor(tensor: &Tensor) -> Result<Attr> {
        Ok(Attr::of(Value::Tensor(Box::new(tensor.to_proto()?))))
    }

    /// Makes an attr of a message.
    pub fn from_proto(value: AttrValue) -> Attr {
        Attr(value)
    }

    /// Returns the message.
    pub fn to_proto(&self) -> AttrValue {
        self.0.clone()
    }

    pub(super) fn into_proto(self) -> AttrValue {
        self.0
    }

    pub(super) fn value(&self) -> Option<&Value> {
        self.0.value.as_ref()
    }

    /// The name of a function that may not be there yet.
    pub(super) fn function_named(name: &str) -> Attr {
        Attr::of(Value::Func(Box::new(NameAttrList {
            name: name.to_owned(),
            attr: Vec::new(),
        })))
    }

    /// Returns what kind of value it is, in the words of the op registry; an empty list is of
    /// every kind.
    pub(super) fn kind(&self) -> Kind {
        match self.value() {
            None => Kind::Scalar("nothing"),
            Some(Value::S(_)) => Kind::Scalar("string"),
            Some(Value::I(_)) => Kind::Scalar("int"),
            Some(Value::F(_)) => Kind::Scalar("float"),
            Some(Value::B(_)) => Kind::Scalar("bool"),
            Some(Value::Type(_)) => Kind::Scalar("type"),
            Some(Value::Shape(_)) => Kind::Scalar("shape"),
            Some(Value::Tensor(_)) => Kind::Scalar("tensor"),
            Some(Value::Func(_)) => Kind::Scalar("func"),
            Some(Value::Placeholder(_)) => Kind::Scalar("placeholder"),
            Some(Value::List(list)) => list_kind(list),
        }
    }

    /// Returns the elements of a list, or the one value, as scalars.
    pub(super) fn elements(&self) -> Vec<Value> {
        match self.value() {
            None => Vec::new(),
            Some(Value::List(list)) => {
                let ListValue {
                    s,
                    i,
                    f,
                    b,
                    r#type,
                    shape: _,
                    tensor: _,
                    func: _,
                } = &**list;
                let strings = s.iter().cloned().map(Value::S);
                let types = r#type.iter().copied().map(Value::Type);
                strings
                    .chain(i.iter().copied().map(Value::I))
                    .chain(f.iter().copied().map(Value::F))
                    .chain(b.iter().copied().map(Value::B))
                    .chain(types)
                    .collect()
            }
            Some(value) => vec![value.clone()],
        }
    }

    /// Returns how many elements a list has.
    pub(super) fn list_len(&self) -> Option<usize> {
        match self.value() {
            Some(Value::List(list)) => Some(
                list.s.len()
                    + list.i.len()
                    + list.f.len()
                    + list.b.len()
                    + list.r#type.len()
                    + list.shape.len()
                    + list.tensor.len()
                    + list.func.len(),
            ),
            _ => None,
        }
    }

    fn of(value: Value) -> Attr {
        Attr(AttrValue { value: Some(value) })
    }

    fn list(list: ListValue) -> Attr {
        Attr::of(Value::List(Box::new(list)))
    }
}

/// What an attr holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar(&'static str),
    List(&'static str),
    EmptyList,
    /// Elements of several kinds: of no use to any op.
    MixedList,
}

impl Kind {
    /// Whether an op that declares `type_name`, as in `int` or `list(shape)`, takes it.
    pub(super) fn fits(self, type_name: &str) -> bool {
        let element = type_name
            .strip_prefix("list(")
            .and_then(|rest| rest.strip_suffix(')'));
        match (self, element) {
            (Kind::Scalar(kind), None) => kind == type_name,
            (Kind::List(kind), Some(element)) => kind == element,
            (Kind::EmptyList, Some(_)) => true,
            _ => false,
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Kind::Scalar(kind) => f.write_str(kind),
            Kind::List(kind) => write!(f, "list({kind})"),
            Kind::EmptyList => f.write_str("empty list"),
            Kind::MixedList => f.write_str("list of several kinds"),
        }
    }
}

fn list_kind(list: &ListValue) -> Kind {
    let kinds = [
        ("string", list.s.len()),
        ("int", list.i.len()),
        ("float", list.f.len()),
        ("bool", list.b.len()),
        ("type", list.r#type.len()),
        ("shape", list.shape.len()),
        ("tensor", list.tensor.len()),
        ("func", list.func.len()),
    ];
    let mut filled = kinds.iter().filter(|(_, len)| *len > 0);
    match (filled.next(), filled.next()) {
        (None, _) => Kind::EmptyList,
        (Some((kind, _)), None) => Kind::List(kind),
        (Some(_), Some(_)) => Kind::MixedList,
    }
}

/// Writes `From` for a type and for arrays, slices and vectors of it.
macro_rules! attr_from {
    ($($type:ty, $value:ident, $list:ident, $convert:expr;)*) => {$(
        impl From<$type> for Attr {
            fn from(value: $type) -> Attr {
                Attr::of(Value::$value($convert(value)))
            }
        }

        impl<const N: usize> From<[$type; N]> for Attr {
            fn from(values: [$type; N]) -> Attr {
                values.into_iter().collect::<Vec<_>>().into()
            }
        }

        impl From<Vec<$type>> for Attr {
            fn from(values: Vec<$type>) -> Attr {
                Attr::list(ListValue {
                    $list: values.into_iter().map($convert).collect(),
                    ..ListValue::default()
                })
            }
        }
    )*};
}

attr_from! {
    bool, B, b, |value: bool| value;
    i64, I, i, |value: i64| value;
    f32, F, f, |value: f32| value;
    &str, S, s, |value: &str| Bytes::copy_from_slice(value.as_bytes());
    &[u8], S, s, |value: &[u8]| Bytes::copy_from_slice(value);
    String, S, s, |value: String| Bytes::from(value);
    DType, Type, r#type, |value: DType| value.number();
}

impl From<i32> for Attr {
    fn from(value: i32) -> Attr {
        i64::from(value).into()
    }
}

impl From<PartialShape> for Attr {
    fn from(shape: PartialShape) -> Attr {
        Attr::of(Value::Shape(Box::new(shape.to_proto())))
    }
}

impl From<&PartialShape> for Attr {
    fn from(shape: &PartialShape) -> Attr {
        Attr::of(Value::Shape(Box::new(shape.to_proto())))
    }
}

impl From<&Shape> for Attr {
    fn from(shape: &Shape) -> Attr {
        Attr::of(Value::Shape(Box::new(shape.to_proto())))
    }
}

impl From<Vec<PartialShape>> for Attr {
    fn from(shapes: Vec<PartialShape>) -> Attr {
        Attr::list(ListValue {
            shape: shapes.iter().map(PartialShape::to_proto).collect(),
            ..ListValue::default()
        })
    }
}

impl From<Vec<&Function>> for Attr {
    fn from(functions: Vec<&Function>) -> Attr {
        let named = |function: &&Function| NameAttrList {
            name: function.name().to_owned(),
            attr: Vec::new(),
        };
        Attr::list(ListValue {
            func: functions.iter().map(named).collect(),
            ..ListValue::default()
        })
    }
}

impl From<&Function> for Attr {
    fn from(function: &Function) -> Attr {
        Attr::function_named(function.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_those_of_the_registry() {
        for (attr, type_name) in [
            (Attr::from(true), "bool"),
            (3i64.into(), "int"),
            (3.into(), "int"),
            (0.5f32.into(), "float"),
            ("SAME".into(), "string"),
            (DType::HALF.into(), "type"),
            (PartialShape::UNKNOWN.into(), "shape"),
            (Attr::tensor(&Tensor::scalar(1f32)).unwrap(), "tensor"),
            (Attr::function_named("f"), "func"),
            ([1i64, 2].into(), "list(int)"),
            (vec!["a", "b"].into(), "list(string)"),
            (vec![DType::HALF].into(), "list(type)"),
        ] {
            assert!(attr.kind().fits(type_name), "{attr:?}");
            assert!(!attr.kind().fits("list(tensor)"), "{attr:?}");
            assert_eq!(attr.kind().to_string(), type_name);
        }
        let empty = Attr::from(Vec::<i64>::new());
        assert!(empty.kind().fits("list(shape)") && !empty.kind().fits("int"));
        assert_eq!(empty.list_len(), Some(0));
        assert_eq!(Attr::from([1i64, 2]).elements().len(), 2);
    }
}
