use std::collections::HashMap;

use prost::bytes::Bytes;

use super::described_variable::{DescribedVariable, VariableTraits};
use super::object_tree::Trackable;
use super::path::Container;
use crate::error::{Error, Result};
use crate::proto::RegisteredSaver;
use crate::tensor::{Shape, Tensor};

/// What a variable's value is called among the attributes of an object.
pub(super) const VARIABLE_VALUE: &str = "VARIABLE_VALUE";
/// What the state of a `tf.train.experimental.PythonState` is called.
pub(super) const PYTHON_STATE: &str = "py_state";
/// What [`ObjectTree::track`](super::ObjectTree::track) and
/// [`ObjectTree::append`](super::ObjectTree::append) take: an object of the tree, or a new one.
///
/// A [`Trackable`], a [`DescribedVariable`] and a [`Tensor`], of which a variable is made, can
/// stand for it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Child {
    /// An object that is in the tree already.
    Existing(Trackable),
    /// A new object with attributes: a `tf.Module`, a layer, an optimizer.
    Module,
    /// A new list.
    List,
    /// A new dict.
    Dict,
    /// A new tuple.
    Tuple,
    /// A new tuple whose elements have names.
    NamedTuple,
    /// A new variable.
    Variable(Box<DescribedVariable>),
    /// A new `tf.train.experimental.PythonState` that serializes itself as these bytes.
    PythonState(Bytes),
    /// A new `tf.lookup.experimental.MutableHashTable` or `DenseHashTable`: what its `export` gives.
    Table {
        /// The keys, in any order.
        keys: Tensor,
        /// The value of each key.
        values: Tensor,
    },
}

#[derive(Clone)]
pub(super) struct DescribedObject {
    pub(super) kind: Kind,
    pub(super) children: Vec<DescribedReference>,
    pub(super) by_name: HashMap<Box<str>, u32>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) slots: Vec<Slot>,
    pub(super) registered_saver: Option<Box<(RegisteredSaver, Box<[u8]>)>>,
    pub(super) unknown: Box<[u8]>,
    /// Whether it was read, and so stays even if nothing leads to it.
    pub(super) is_stored: bool,
    pub(super) is_tracked: bool,
    pub(super) is_slot: bool,
}

#[derive(Clone)]
pub(super) enum Kind {
    Module,
    List,
    Dict,
    Tuple,
    NamedTuple { fields: u32 },
    Variable(Box<VariableTraits>),
    PythonState,
    Table,
}

#[derive(Clone)]
pub(super) struct DescribedReference {
    pub(super) local_name: Box<str>,
    pub(super) child: u32,
    pub(super) unknown: Box<[u8]>,
}

/// Something that an object serializes itself as.
#[derive(Clone)]
pub(super) struct Attribute {
    pub(super) name: Box<str>,
    pub(super) full_name: Box<str>,
    /// The key that it was read from; without one it follows from the object's path.
    pub(super) key: Option<Box<str>>,
    /// What stands in the bundle: what the key ends with behind the attribute's own, and the value.
    /// Nothing but tables has more than one, and only for a variable the value may be missing.
    pub(super) parts: Vec<(Box<str>, Option<Tensor>)>,
    pub(super) unknown: Box<[u8]>,
}

#[derive(Clone)]
pub(super) struct Slot {
    pub(super) slot_name: Box<str>,
    pub(super) original: u32,
    pub(super) variable: u32,
    pub(super) unknown: Box<[u8]>,
}

impl From<Trackable> for Child {
    fn from(object: Trackable) -> Self {
        Child::Existing(object)
    }
}

impl DescribedObject {
    pub(super) fn new(kind: Kind) -> DescribedObject {
        DescribedObject {
            kind,
            children: Vec::new(),
            by_name: HashMap::new(),
            attributes: Vec::new(),
            slots: Vec::new(),
            registered_saver: None,
            unknown: Box::default(),
            is_stored: false,
            is_tracked: false,
            is_slot: false,
        }
    }

    /// Makes a new object; nothing but a module of one that exists.
    pub(super) fn of(child: Child) -> Result<DescribedObject> {
        Ok(match child {
            Child::Existing(_) | Child::Module => DescribedObject::new(Kind::Module),
            Child::List => DescribedObject::new(Kind::List),
            Child::Dict => DescribedObject::new(Kind::Dict),
            Child::Tuple => DescribedObject::new(Kind::Tuple),
            Child::NamedTuple => DescribedObject::new(Kind::NamedTuple { fields: 0 }),
            Child::Variable(variable) => variable_object(*variable)?,
            Child::PythonState(state) => {
                let state = Tensor::from_strings(Shape::SCALAR, [state])?;
                let mut object = DescribedObject::new(Kind::PythonState);
                let state = Attribute::new(PYTHON_STATE, "", "", Some(state));
                object.attributes.push(state);
                object
            }
            Child::Table { keys, values } => table_object(keys, values)?,
        })
    }

    pub(super) fn is_variable(&self) -> bool {
        matches!(self.kind, Kind::Variable(_))
    }

    pub(super) fn container(&self) -> Container {
        match self.kind {
            Kind::List | Kind::Tuple => Container::List,
            Kind::Dict => Container::Dict,
            _ => Container::Attributes,
        }
    }
}

impl Attribute {
    pub(super) fn new(name: &str, full_name: &str, ending: &str, value: Option<Tensor>) -> Self {
        Attribute {
            name: name.into(),
            full_name: full_name.into(),
            key: None,
            parts: vec![(ending.into(), value)],
            unknown: Box::default(),
        }
    }
}

fn variable_object(variable: DescribedVariable) -> Result<DescribedObject> {
    if let Some(value) = &variable.value {
        check_value(&variable.traits, value)?;
    }
    let mut object = DescribedObject::new(Kind::Variable(Box::new(variable.traits)));
    let full_name = &variable.full_name;
    let value = Attribute::new(VARIABLE_VALUE, full_name, "", variable.value);
    object.attributes.push(value);
    Ok(object)
}

/// Both tensors of a table stand under one attribute, `_LEGACY_SAVEABLE_NAME` of the Python class.
fn table_object(keys: Tensor, values: Tensor) -> Result<DescribedObject> {
    let (counts, dims) = (keys.shape().dims().first(), values.shape().dims().first());
    if counts.is_none() || counts != dims {
        return Err(Error::invalid_argument(format!(
            "a table of keys of shape {} and values of shape {}",
            keys.shape(),
            values.shape()
        ))
        .remedy("the first dimension of both is the number of keys"));
    }
    let mut object = DescribedObject::new(Kind::Table);
    let mut table = Attribute::new("table", "", "-keys", Some(keys));
    table.parts.push(("-values".into(), Some(values)));
    object.attributes.push(table);
    Ok(object)
}

pub(super) fn check_value(traits: &VariableTraits, value: &Tensor) -> Result<()> {
    if value.dtype() == traits.dtype && traits.shape.is_compatible_with(value.shape()) {
        return Ok(());
    }
    Err(Error::invalid_argument(format!(
        "a value of {} {} for a variable of {} {}",
        value.dtype(),
        value.shape(),
        traits.dtype,
        traits.shape
    )))
}
