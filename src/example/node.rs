use std::cell::RefCell;
use std::collections::HashMap;

use crate::error::{Error, Printable, Result};
use crate::op::{self, OpFacts};
use crate::proto::attr_value::{ListValue, Value};
use crate::proto::{AttrValue, NodeDef, TensorProto};
use crate::tensor::{Repeats, Shape, Tensor};

/// How many nodes are followed from an input to a constant: more than any exporter puts there,
/// and an end to graphs that are cycles.
const MAX_HOPS: usize = 64;

/// The nodes of a graph, or of a function's body, by name.
pub(super) struct Scope<'a> {
    nodes: HashMap<&'a str, &'a NodeDef>,
    /// Constants that were read: as many inputs as a file likes may be the same one.
    constants: RefCell<HashMap<&'a str, Tensor>>,
    repeats: &'a Repeats,
}

impl<'a> Scope<'a> {
    pub(super) fn new(nodes: &[&'a NodeDef], repeats: &'a Repeats) -> Scope<'a> {
        Scope {
            nodes: nodes.iter().map(|node| (&*node.name, *node)).collect(),
            constants: RefCell::default(),
            repeats,
        }
    }

    /// Returns the constant that `input` is, through nodes that pass values on; `None` if the graph
    /// computes it.
    fn constant(&self, input: &str) -> Result<Option<Tensor>> {
        let mut input = input;
        let mut shape = None;
        for _ in 0..MAX_HOPS {
            // `node`, `node:0` in a graph and `node:output:0` in a function.
            let name = input.split(':').next().unwrap_or(input);
            let Some(node) = self.nodes.get(name) else {
                return Ok(None);
            };
            match &*node.op {
                "Const" => {
                    let tensor = self.read(node)?;
                    return Ok(match shape {
                        Some(shape) => tensor.and_then(|tensor| tensor.reshape(&shape).ok()),
                        None => tensor,
                    });
                }
                "Identity" | "StopGradient" | "GuaranteeConst" | "EnsureShape" | "Snapshot" => {}
                "Reshape" => {
                    let Some(new) = self.shape(node)? else {
                        return Ok(None);
                    };
                    // The last in the chain, the first that is met, decides.
                    shape.get_or_insert(new);
                }
                _ => return Ok(None),
            }
            let Some(next) = data_inputs(node).next() else {
                return Ok(None);
            };
            input = next;
        }
        Ok(None)
    }

    /// Returns the value of a Const node; `None` for one that nobody wrote down.
    fn read(&self, node: &'a NodeDef) -> Result<Option<Tensor>> {
        if let Some(tensor) = self.constants.borrow().get(&*node.name) {
            return Ok(Some(tensor.clone()));
        }
        let Some(Value::Tensor(proto)) = value(node, "value") else {
            return Err(Error::malformed(format!(
                "Const node `{}` has no value",
                Printable(&node.name)
            )));
        };
        if repeats_much(proto)? {
            return Ok(None);
        }
        let tensor = Tensor::from_proto_within(proto, self.repeats)
            .map_err(|error| error.for_key(node.name.as_bytes()))?;
        let mut constants = self.constants.borrow_mut();
        constants.insert(&node.name, tensor.clone());
        Ok(Some(tensor))
    }

    /// Returns the shape that a Reshape node gives, if it is spelt out there.
    fn shape(&self, reshape: &NodeDef) -> Result<Option<Shape>> {
        let Some(input) = data_inputs(reshape).nth(1) else {
            return Ok(None);
        };
        // Not through a Reshape in turn, so that this cannot call itself for ever.
        let name = input.split(':').next().unwrap_or(input);
        let Some(node) = self.nodes.get(name).filter(|node| node.op == "Const") else {
            return Ok(None);
        };
        let Some(tensor) = self.constant(&node.name)? else {
            return Ok(None);
        };
        let dims: Vec<i64> = match (tensor.values::<i32>(), tensor.values::<i64>()) {
            (Ok(dims), _) => dims.iter().map(|dim| i64::from(*dim)).collect(),
            (_, Ok(dims)) => dims.into_owned(),
            _ => return Ok(None),
        };
        Ok(Shape::try_from(dims).ok())
    }
}

/// A node that parses examples, whose parts are asked for by the names its op gives them, be they
/// inputs or attrs.
pub(super) struct ParsingNode<'a> {
    pub(super) node: &'a NodeDef,
    op: OpFacts,
    scope: &'a Scope<'a>,
}

/// Says whether nodes of that op parse examples.
pub(super) fn parses_examples(op: &str) -> bool {
    matches!(
        op,
        "ParseExample"
            | "ParseExampleV2"
            | "ParseSingleExample"
            | "ParseSequenceExample"
            | "ParseSequenceExampleV2"
            | "ParseSingleSequenceExample"
            | "ParseExampleDataset"
            | "ParseExampleDatasetV2"
    )
}

impl<'a> ParsingNode<'a> {
    pub(super) fn new(node: &'a NodeDef, scope: &'a Scope<'a>) -> Option<Self> {
        let op = op::find(&node.op)?;
        Some(ParsingNode { node, op, scope })
    }

    /// Returns the inputs of that name; none if the op has no such input.
    pub(super) fn inputs(&self, name: &str) -> Result<Vec<&'a str>> {
        let range = self
            .op
            .input_range(name, |name| attr(self.node, name))
            .map_err(|error| self.named(error))?;
        let Some(range) = range else {
            return Ok(Vec::new());
        };
        let inputs: Vec<&str> = data_inputs(self.node).collect();
        let (Ok(start), Ok(end)) = (usize::try_from(range.start), usize::try_from(range.end))
        else {
            return Err(self.too_few(name));
        };
        match inputs.get(start..end) {
            Some(inputs) => Ok(inputs.to_vec()),
            None => Err(self.too_few(name)),
        }
    }

    /// Returns the constant that an input is; `None` if the graph computes it.
    pub(super) fn constant(&self, input: &str) -> Result<Option<Tensor>> {
        self.scope
            .constant(input)
            .map_err(|error| self.named(error))
    }

    /// Returns the strings of the attr, or of all the inputs, of that name; empty if the op has
    /// neither.
    pub(super) fn strings(&self, name: &str) -> Result<Vec<String>> {
        if self.op.attr(name).is_some() {
            let strings = self.list(name).s;
            return strings.iter().map(|key| self.text(key)).collect();
        }
        let mut strings = Vec::new();
        for input in self.inputs(name)? {
            let Some(tensor) = self.constant(input)? else {
                return Err(self.named(Error::unsupported(format!(
                    "{name} are computed by `{}`, not constants of the graph",
                    Printable(input)
                ))));
            };
            let Some(keys) = tensor.strings() else {
                let what = format!("{name} are {}, not strings", tensor.dtype());
                return Err(self.fault(what));
            };
            for key in keys.iter() {
                strings.push(self.text(key)?);
            }
        }
        Ok(strings)
    }

    /// Returns the list in that attr, or in its default; empty if there is none.
    pub(super) fn list(&self, name: &str) -> ListValue {
        let default = || self.op.attr(name)?.default()?.value;
        match value(self.node, name).cloned().or_else(default) {
            Some(Value::List(list)) => *list,
            _ => ListValue::default(),
        }
    }

    pub(super) fn has_input(&self, name: &str) -> bool {
        self.op.inputs().any(|input| input.name() == name)
    }

    pub(super) fn fault(&self, what: String) -> Error {
        self.named(Error::malformed(what))
    }

    fn named(&self, error: Error) -> Error {
        error.for_key(self.node.name.as_bytes())
    }

    fn too_few(&self, name: &str) -> Error {
        self.fault(format!(
            "{} inputs are too few for `{name}` of op {}",
            data_inputs(self.node).count(),
            self.node.op
        ))
    }

    fn text(&self, key: &[u8]) -> Result<String> {
        match std::str::from_utf8(key) {
            Ok(key) => Ok(key.to_owned()),
            Err(_) => Err(self.fault(format!(
                "feature name `{}` is not UTF-8, and no example can have it",
                Printable(key)
            ))),
        }
    }
}

/// Says whether a few values stand for so many elements that nobody wrote them down: no names of
/// features, and no default of a feature that an example could spell out.
fn repeats_much(proto: &TensorProto) -> Result<bool> {
    const MUCH: u64 = 1 << 20;
    let shape = match &proto.tensor_shape {
        Some(shape) => Shape::from_proto(shape)?,
        None => Shape::SCALAR,
    };
    Ok(proto.tensor_content.is_empty() && shape.elements() > MUCH)
}

fn data_inputs(node: &NodeDef) -> impl Iterator<Item = &str> {
    node.input
        .iter()
        .map(String::as_str)
        .filter(|input| !input.starts_with('^'))
}

fn attr<'a>(node: &'a NodeDef, name: &str) -> Option<&'a AttrValue> {
    let entry = node.attr.iter().rfind(|entry| entry.key() == name)?;
    entry.value.as_ref()
}

fn value<'a>(node: &'a NodeDef, name: &str) -> Option<&'a Value> {
    attr(node, name)?.value.as_ref()
}
