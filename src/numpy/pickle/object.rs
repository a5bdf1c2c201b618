use prost::bytes::Bytes;

use super::array::ElementType;
use super::global::Global;
use crate::tensor::{Shape, Tensor};

/// What opcodes work on. A copy of a container is the same container.
#[derive(Clone, Debug)]
pub(super) enum Object {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Text),
    Bytes(Bytes),
    Global(Global),
    Tensor(Box<Tensor>),
    /// The place of one that can still change, or that holds others.
    Node(usize),
}

/// A text: bytes that are UTF-8.
#[derive(Clone, Debug)]
pub(super) struct Text(Bytes);

impl Text {
    /// Returns nothing for bytes that are no UTF-8.
    pub(super) fn new(bytes: Bytes) -> Option<Text> {
        std::str::from_utf8(&bytes).ok()?;
        Some(Text(bytes))
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> Bytes {
        self.0.clone()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text(text.into())
    }
}

#[derive(Debug)]
pub(super) enum Node {
    List(Vec<Object>),
    Tuple(Vec<Object>),
    Dict(Vec<(Object, Object)>),
    ElementType(ElementType),
    /// An array; nothing until its state is set.
    Array(Option<Tensor>),
    /// An array of what is in a list, that at this place.
    Objects(Shape, usize),
}

impl Object {
    /// Says in an error what the object is.
    pub(super) fn kind(&self, nodes: &[Node]) -> &'static str {
        match self {
            Object::None => "None",
            Object::Bool(_) => "a bool",
            Object::Int(_) => "an int",
            Object::Float(_) => "a float",
            Object::Str(_) => "a text",
            Object::Bytes(_) => "bytes",
            Object::Global(_) => "a function or a class",
            Object::Tensor(_) => "an array",
            Object::Node(place) => match nodes.get(*place) {
                Some(Node::List(_)) => "a list",
                Some(Node::Tuple(_)) => "a tuple",
                Some(Node::Dict(_)) => "a dict",
                Some(Node::ElementType(_)) => "a dtype",
                Some(Node::Array(_) | Node::Objects(..)) => "an array",
                None => "nothing",
            },
        }
    }
}
