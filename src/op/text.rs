//! The language of the table's columns. It is that of TensorFlow's op registrations
//! (`tensorflow/core/framework/op_def_builder.h`), where they have a word for it:
//!
//! ```text
//! op         name ⇥ inputs ⇥ outputs ⇥ flags { ⇥ attr }
//! inputs     arg, arg, …                      outputs likewise; flags apart by a blank
//! arg        name: [Ref(] [number attr *] dtype or attr [)] [~ full type]
//! attr       name: type [>= minimum] [= default]
//! type       int · type · list(shape) · … or, where not all values are allowed,
//!            {float, half} · {"SAME", "VALID"} · numbertype · list({…}) · list(numbertype)
//! default    1 · 0.5 · true · "text" · float · [2, ?] · ? · [1, 2] · uint8[4]{255, 0, 0, 255}
//! full type  TFT_NAME[(attr)][[full type,full type,…]]
//! ```
//!
//! The table is part of the crate and a test reads every line of it, so its reader needs no errors:
//! what cannot be is a mistake in this crate.

use crate::proto::attr_value::{ListValue, Value};
use crate::proto::full_type_def::Attr;
use crate::proto::{AttrValue, FullTypeDef, FullTypeId, TensorProto, TensorShapeProto};
use crate::tensor::{DType, PartialShape};

/// The parts of an attr's text.
pub(super) struct AttrText {
    pub(super) type_name: &'static str,
    /// What stands between the braces, or a word for it.
    pub(super) allowed: Option<&'static str>,
    pub(super) minimum: Option<i64>,
    pub(super) default: Option<&'static str>,
}

/// Each type with that of lists of it.
const TYPES: [(&str, &str); 9] = [
    ("string", "list(string)"),
    ("int", "list(int)"),
    ("float", "list(float)"),
    ("bool", "list(bool)"),
    ("type", "list(type)"),
    ("shape", "list(shape)"),
    ("tensor", "list(tensor)"),
    ("func", "list(func)"),
    ("placeholder", "list(placeholder)"),
];

/// Sets of types that registrations call by a name.
const NAMED_SETS: [(&str, &str); 3] = [
    (
        "numbertype",
        "float, double, int32, uint8, int16, int8, complex64, int64, qint8, quint8, qint32, \
         bfloat16, qint16, quint16, uint16, complex128, half, uint32, uint64",
    ),
    (
        "realnumbertype",
        "float, double, int32, uint8, int16, int8, int64, bfloat16, uint16, half, uint32, uint64",
    ),
    ("quantizedtype", "qint8, quint8, qint32, qint16, quint16"),
];

pub(super) fn attr(spec: &'static str) -> AttrText {
    // No text of an allowed value contains what separates the parts.
    let (spec, default) = match spec.split_once(" = ") {
        Some((spec, default)) => (spec, Some(default)),
        None => (spec, None),
    };
    let (spec, minimum) = match spec.split_once(" >= ") {
        Some((spec, minimum)) => (spec, minimum.parse().ok()),
        None => (spec, None),
    };
    let element = spec
        .strip_prefix("list(")
        .and_then(|spec| spec.strip_suffix(')'));
    let is_list = element.is_some();
    let element = element.unwrap_or(spec);
    let braced = element
        .strip_prefix('{')
        .and_then(|set| set.strip_suffix('}'));
    let named = NAMED_SETS.iter().find(|(name, _)| *name == element);
    let allowed = braced.or(named.map(|(_, set)| *set));
    let base = match allowed {
        Some(set) if set.starts_with('"') => "string",
        Some(_) => "type",
        None => element,
    };
    let (one, list) = *TYPES
        .iter()
        .find(|(name, _)| *name == base)
        .unwrap_or_else(|| panic!("no type of an attr: {spec}"));
    AttrText {
        type_name: if is_list { list } else { one },
        allowed,
        minimum,
        default,
    }
}

pub(super) fn dtype(name: &str) -> DType {
    name.parse().unwrap_or_else(|_| panic!("no dtype: {name}"))
}

pub(super) fn allowed_values(set: &str) -> AttrValue {
    let element = if set.starts_with('"') {
        "string"
    } else {
        "type"
    };
    let value = Some(Value::List(Box::new(list(element, set))));
    AttrValue { value }
}

pub(super) fn value(type_name: &str, text: &str) -> AttrValue {
    let element = type_name
        .strip_prefix("list(")
        .and_then(|name| name.strip_suffix(')'));
    let value = match (element, type_name) {
        (Some(element), _) => Value::List(Box::new(list(element, inside(text, '[', ']')))),
        (None, "string") => Value::S(string(text).into()),
        (None, "int") => Value::I(number(text)),
        (None, "float") => Value::F(number(text)),
        (None, "bool") => Value::B(number(text)),
        (None, "type") => Value::Type(dtype(text).number()),
        (None, "shape") => Value::Shape(Box::new(shape(text))),
        (None, "tensor") => Value::Tensor(Box::new(tensor(text))),
        (None, _) => panic!("no default of type {type_name} is known: {text}"),
    };
    AttrValue { value: Some(value) }
}

fn list(element: &str, text: &str) -> ListValue {
    let mut list = ListValue::default();
    for text in elements(text) {
        match element {
            "string" => list.s.push(string(text).into()),
            "int" => list.i.push(number(text)),
            "float" => list.f.push(number(text)),
            "bool" => list.b.push(number(text)),
            "type" => list.r#type.push(dtype(text).number()),
            "shape" => list.shape.push(shape(text)),
            "tensor" => list.tensor.push(tensor(text)),
            _ => panic!("no list of {element} is known: {text}"),
        }
    }
    list
}

/// Cuts at the commas that stand in no brackets; no string of the table has one of these in it.
fn elements(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    text.split(move |c| {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim_start)
    .filter(|element| !element.is_empty())
}

fn inside(text: &str, open: char, close: char) -> &str {
    text.strip_prefix(open)
        .and_then(|text| text.strip_suffix(close))
        .unwrap_or_else(|| panic!("not in {open}{close}: {text}"))
}

fn string(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = inside(text, '"', '"').bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next() {
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(other) => other,
                None => panic!("an escape without a letter: {text}"),
            },
            byte => byte,
        });
    }
    bytes
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse()
        .unwrap_or_else(|_| panic!("no number or truth value: {text}"))
}

fn shape(text: &str) -> TensorShapeProto {
    if text == "?" {
        return PartialShape::UNKNOWN.to_proto();
    }
    let dims: Vec<Option<u64>> = elements(inside(text, '[', ']'))
        .map(|dim| (dim != "?").then(|| number(dim)))
        .collect();
    PartialShape::new(&dims)
        .unwrap_or_else(|error| panic!("no shape: {text}: {error}"))
        .to_proto()
}

fn tensor(text: &str) -> TensorProto {
    let split = |at| text.find(at).map(|at| text.split_at(at));
    let (Some((name, _)), Some((head, values))) = (split('['), split('{')) else {
        panic!("no tensor: {text}");
    };
    TensorProto {
        dtype: dtype(name).number(),
        tensor_shape: Some(shape(&head[name.len()..])),
        int_val: elements(inside(values, '{', '}')).map(number).collect(),
        ..Default::default()
    }
}

pub(super) fn full_type(text: &str) -> FullTypeDef {
    let (head, args) = match text.split_once('[') {
        Some((head, args)) => (head, args.strip_suffix(']').unwrap_or(args)),
        None => (text, ""),
    };
    let (name, attr) = match head.split_once('(') {
        Some((name, attr)) => (name, attr.strip_suffix(')')),
        None => (head, None),
    };
    let id = FullTypeId::from_str_name(name).unwrap_or_else(|| panic!("no full type: {text}"));
    FullTypeDef {
        type_id: id.into(),
        args: elements(args).map(full_type).collect(),
        attr: attr.map(|attr| Attr::S(attr.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attrs_fall_into_parts() {
        let parts = |spec| {
            let attr = attr(spec);
            (attr.type_name, attr.allowed, attr.minimum, attr.default)
        };
        assert_eq!(parts("int"), ("int", None, None, None));
        assert_eq!(parts("int >= -1 = 2"), ("int", None, Some(-1), Some("2")));
        assert_eq!(
            parts("list({int32, string}) >= 1"),
            ("list(type)", Some("int32, string"), Some(1), None)
        );
        assert_eq!(
            parts(r#"{"a", "b"} = "a""#),
            ("string", Some(r#""a", "b""#), None, Some(r#""a""#))
        );
        assert_eq!(
            parts("list(quantizedtype)").1,
            Some("qint8, quint8, qint32, qint16, quint16")
        );
    }

    #[test]
    fn values_of_every_kind() {
        let value = |type_name, text| value(type_name, text).value.unwrap();
        assert_eq!(value("float", "1e-05"), Value::F(1e-5));
        assert_eq!(value("string", r#""\n\"\\""#), Value::S("\n\"\\".into()));
        assert_eq!(value("type", "half"), Value::Type(19));
        assert_eq!(value("bool", "true"), Value::B(true));
        let Value::Shape(shape) = value("shape", "[2, ?]") else {
            panic!("not a shape");
        };
        assert_eq!(
            PartialShape::from_proto(&shape).unwrap().to_string(),
            "[2, ?]"
        );
        let Value::List(list) = value("list(shape)", "[[], [1, 2], ?]") else {
            panic!("not a list");
        };
        assert_eq!(list.shape.len(), 3);
        assert!(list.shape[2].unknown_rank);
        let Value::Tensor(tensor) = value("tensor", "uint8[4]{255, 0, 0, 255}") else {
            panic!("not a tensor");
        };
        assert_eq!(tensor.int_val, [255, 0, 0, 255]);
        assert_eq!(value("list(func)", "[]"), Value::List(Box::default()));
    }

    #[test]
    fn full_types_nest() {
        let full_type = full_type("TFT_PRODUCT[TFT_TENSOR[TFT_VAR(T)],TFT_ANY]");
        assert_eq!(full_type.type_id(), FullTypeId::TftProduct);
        let [tensor, any] = &full_type.args[..] else {
            panic!("not two");
        };
        assert_eq!(tensor.args[0].attr, Some(Attr::S("T".into())));
        assert_eq!(any.type_id(), FullTypeId::TftAny);
    }
}
