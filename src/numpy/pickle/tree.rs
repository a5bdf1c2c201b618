use super::array::check_count;
use super::budget::Budget;
use super::object::{Node, Object};
use super::value::PickledValue;
use crate::error::{Error, Result};

/// How deep containers may nest.
const MAX_DEPTH: usize = 128;

/// Makes values of objects. What is meant several times becomes several values.
pub(super) struct Tree<'n> {
    nodes: &'n [Node],
    budget: &'n mut Budget,
    /// The containers around the object that is looked at.
    path: Vec<usize>,
    /// Those that were values before: others have what stands in the pickle for them alone.
    seen: Vec<bool>,
    /// How many of those on the path were.
    copies: usize,
}

impl<'n> Tree<'n> {
    pub(super) fn new(nodes: &'n [Node], budget: &'n mut Budget) -> Self {
        Tree {
            nodes,
            budget,
            path: Vec::new(),
            seen: vec![false; nodes.len()],
            copies: 0,
        }
    }

    pub(super) fn value(&mut self, object: &Object) -> Result<PickledValue> {
        if self.copies > 0 {
            self.budget.charge(size_of::<PickledValue>() as u64)?;
        }
        Ok(match object {
            Object::None => PickledValue::None,
            Object::Bool(value) => PickledValue::Bool(*value),
            Object::Int(value) => PickledValue::Int(*value),
            Object::Float(value) => PickledValue::Float(*value),
            Object::Str(text) => {
                self.budget.charge(text.as_bytes().len() as u64)?;
                PickledValue::Str(text.as_str().to_owned())
            }
            Object::Bytes(bytes) => PickledValue::Bytes(bytes.clone()),
            Object::Tensor(tensor) => PickledValue::Array(tensor.as_ref().clone()),
            Object::Node(place) => return self.node(*place, object),
            Object::Global(_) => return Err(self.refusal(object)),
        })
    }

    fn node(&mut self, place: usize, object: &Object) -> Result<PickledValue> {
        if self.path.contains(&place) {
            return Err(Error::unsupported(format!(
                "{} contains itself",
                object.kind(self.nodes)
            )));
        }
        if self.path.len() >= MAX_DEPTH {
            return Err(Error::unsupported(format!(
                "containers nest deeper than {MAX_DEPTH}"
            )));
        }
        self.path.push(place);
        let is_copy = self
            .seen
            .get_mut(place)
            .is_some_and(|seen| std::mem::replace(seen, true));
        self.copies += usize::from(is_copy);
        let value = match self.nodes.get(place) {
            Some(Node::List(elements)) => PickledValue::List(self.values(elements)?),
            Some(Node::Tuple(elements)) => PickledValue::Tuple(self.values(elements)?),
            Some(Node::Dict(entries)) => {
                let mut values = Vec::new();
                for (key, value) in entries {
                    values.push((self.value(key)?, self.value(value)?));
                }
                PickledValue::Dict(values)
            }
            Some(Node::Array(Some(tensor))) => PickledValue::Array(tensor.clone()),
            Some(Node::Objects(shape, list)) => {
                let elements = match self.nodes.get(*list) {
                    Some(Node::List(elements)) => elements,
                    _ => return Err(self.refusal(object)),
                };
                // The list may have grown since.
                check_count(shape, elements.len())?;
                PickledValue::Objects {
                    shape: shape.clone(),
                    elements: self.values(elements)?,
                }
            }
            Some(Node::Array(None)) => {
                return Err(Error::malformed("an array of which nothing is said"));
            }
            Some(Node::ElementType(_)) | None => return Err(self.refusal(object)),
        };
        self.path.pop();
        self.copies -= usize::from(is_copy);
        Ok(value)
    }

    fn values(&mut self, elements: &[Object]) -> Result<Vec<PickledValue>> {
        elements.iter().map(|element| self.value(element)).collect()
    }

    fn refusal(&self, object: &Object) -> Error {
        Error::unsupported(format!(
            "{} is no value to be read",
            object.kind(self.nodes)
        ))
    }
}
