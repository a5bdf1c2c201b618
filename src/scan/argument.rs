use std::collections::HashMap;

use super::call_graph::{CallGraph, NONE, node_name};
use crate::error::Result;
use crate::model::{Asset, Node};
use crate::object_graph::{ObjectGraph, ObjectKind};
use crate::proto::attr_value::Value;
use crate::tensor::Tensor;

/// The texts that an input of a node can have, as far as they can be known without running anything.
#[derive(Debug, Default)]
pub(super) struct Argument {
    /// Constants.
    pub(super) texts: Vec<String>,
    /// Names of assets.
    pub(super) assets: Vec<String>,
    /// It can also be something else.
    pub(super) is_open: bool,
}

/// Follows inputs to the constants that they come from, through calls and captures.
pub(super) struct Arguments<'g, 'm> {
    graph: &'g CallGraph<'m>,
    objects: Option<&'g ObjectGraph>,
    assets: &'g [Asset],
    /// Names of assets by the nodes that are fed with their paths.
    fed: HashMap<&'g str, &'g str>,
    /// The nodes and arguments of functions, by vertex, for those that were asked for.
    bodies: HashMap<u32, Body<'m>>,
    /// For variables, by the name that they share, the nodes that take their handles.
    variables: HashMap<String, Vec<u32>>,
    /// For functions the calls of them.
    callers: HashMap<u32, Vec<u32>>,
    /// Nodes of so many bytes are looked at yet: many findings can lead to the same large one.
    bytes_left: usize,
}

struct Body<'m> {
    nodes: HashMap<&'m str, Node<'m>>,
    arguments: HashMap<String, usize>,
}

/// So many nodes are looked at for an input.
const MAX_STEPS: u32 = 200;
/// Constants of more bytes are no paths.
const MAX_CONSTANT: usize = 1 << 14;
/// All nodes together.
const MAX_BYTES: usize = 1 << 29;

impl<'g, 'm> Arguments<'g, 'm> {
    pub(super) fn new(
        graph: &'g CallGraph<'m>,
        objects: Option<&'g ObjectGraph>,
        assets: &'g [Asset],
    ) -> Result<Self> {
        let mut callers: HashMap<u32, Vec<u32>> = HashMap::new();
        for (i, edge) in graph.edges.iter().enumerate() {
            if edge.to as usize >= graph.nodes.len() {
                callers.entry(edge.to).or_default().push(i as u32);
            }
        }
        let mut variables: HashMap<String, Vec<u32>> = HashMap::new();
        for edge in &graph.edges {
            if let Some(node) = graph.nodes.get(edge.to as usize)
                && node.op() == VARIABLE
                && edge.call == NONE
            {
                let takers = variables.entry(shared_name(*node)?).or_default();
                takers.push(edge.from);
            }
        }
        Ok(Arguments {
            graph,
            objects,
            assets,
            fed: assets
                .iter()
                .map(|asset| (node_name(&asset.tensor_name), asset.filename.as_str()))
                .collect(),
            bodies: HashMap::new(),
            variables,
            callers,
            bytes_left: MAX_BYTES,
        })
    }

    /// Follows the input of that number of a node which is, or is in, `vertex`.
    pub(super) fn of(&mut self, node: Node<'m>, vertex: u32, input: usize) -> Result<Argument> {
        let mut found = Argument::default();
        let mut steps = MAX_STEPS;
        self.input(node, vertex, input, &mut steps, &mut found)?;
        found.texts.sort();
        found.texts.dedup();
        found.assets.sort();
        found.assets.dedup();
        Ok(found)
    }

    fn input(
        &mut self,
        node: Node<'m>,
        vertex: u32,
        input: usize,
        steps: &mut u32,
        found: &mut Argument,
    ) -> Result<()> {
        let mut inputs = node.inputs().filter(|name| !name.starts_with('^'));
        match inputs.nth(input) {
            Some(tensor) => self.tensor(tensor, vertex, steps, found),
            None => {
                found.is_open = true;
                Ok(())
            }
        }
    }

    fn tensor(
        &mut self,
        tensor: &'m str,
        vertex: u32,
        steps: &mut u32,
        found: &mut Argument,
    ) -> Result<()> {
        // Each step takes a frame of the stack, so there are few.
        let Some(left) = steps.checked_sub(1) else {
            found.is_open = true;
            return Ok(());
        };
        *steps = left;
        let is_function = vertex as usize >= self.graph.nodes.len();
        let node = match is_function {
            false => match self.graph.find_node(tensor) {
                Some(index) => Some((self.graph.nodes[index as usize], index)),
                None => None,
            },
            true => {
                let body = self.body(vertex)?;
                if let Some(argument) = body.arguments.get(tensor).copied() {
                    return self.argument(vertex, argument, steps, found);
                }
                body.nodes
                    .get(node_name(tensor))
                    .map(|node| (*node, vertex))
            }
        };
        let Some((node, vertex)) = node else {
            found.is_open = true;
            return Ok(());
        };
        if !is_function && let Some(asset) = self.fed.get(node.name()) {
            found.assets.push((*asset).to_owned());
            return Ok(());
        }
        let Some(left) = self.bytes_left.checked_sub(node.message().bytes().len()) else {
            found.is_open = true;
            return Ok(());
        };
        self.bytes_left = left;
        match node.op() {
            "Const" => self.constant(node, found),
            "Identity" | "Snapshot" | "StopGradient" | "EnsureShape" | "Reshape" | "ExpandDims"
            | "Squeeze" => self.input(node, vertex, 0, steps, found),
            "IdentityN" => {
                let output = tensor.rsplit(':').next().and_then(|text| text.parse().ok());
                self.input(node, vertex, output.unwrap_or(0), steps, found)
            }
            "Pack" => {
                let count = node.inputs().filter(|name| !name.starts_with('^')).count();
                for i in 0..count.min(MAX_STEPS as usize) {
                    self.input(node, vertex, i, steps, found)?;
                }
                Ok(())
            }
            "ReadVariableOp" if !is_function => self.variable(node, vertex, steps, found),
            "StringJoin" => self.join(node, vertex, steps, found),
            _ => {
                found.is_open = true;
                Ok(())
            }
        }
    }

    /// Follows a variable to what is assigned to it: TensorFlow 2 keeps the paths of assets in some.
    fn variable(
        &mut self,
        read: Node<'m>,
        vertex: u32,
        steps: &mut u32,
        found: &mut Argument,
    ) -> Result<()> {
        let handle = read
            .inputs()
            .next()
            .and_then(|name| self.graph.find_node(name));
        let handle = handle.map(|handle| self.graph.nodes[handle as usize]);
        let takers = match handle {
            Some(handle) if handle.op() == VARIABLE => self.variables.get(&shared_name(handle)?),
            _ => None,
        };
        let takers = takers.cloned().unwrap_or_default();
        let mut is_assigned = false;
        for taker in takers {
            let node = self.graph.nodes.get(taker as usize).copied();
            match node.map(|node| (node, node.op())) {
                Some((_, "ReadVariableOp" | "VarIsInitializedOp")) => {}
                Some((node, "AssignVariableOp")) if *steps > 0 => {
                    is_assigned = true;
                    self.input(node, vertex, 1, steps, found)?;
                }
                // It may be given to who assigns something else.
                _ => found.is_open = true,
            }
        }
        found.is_open |= !is_assigned;
        Ok(())
    }

    fn join(
        &mut self,
        node: Node<'m>,
        vertex: u32,
        steps: &mut u32,
        found: &mut Argument,
    ) -> Result<()> {
        let count = node.inputs().filter(|name| !name.starts_with('^')).count();
        let mut parts = Vec::new();
        for i in 0..count.min(MAX_STEPS as usize) {
            let mut part = Argument::default();
            self.input(node, vertex, i, steps, &mut part)?;
            match (&part.texts[..], part.is_open || !part.assets.is_empty()) {
                ([text], false) => parts.push(text.clone()),
                _ => found.is_open = true,
            }
        }
        let separator = match node.attr("separator")?.and_then(|attr| attr.value) {
            Some(Value::S(text)) => String::from_utf8_lossy(&text).into_owned(),
            _ => String::new(),
        };
        found.texts.push(parts.join(&separator));
        Ok(())
    }

    /// Follows an argument of a function to all its callers, and to what objects capture for it.
    fn argument(
        &mut self,
        function: u32,
        argument: usize,
        steps: &mut u32,
        found: &mut Argument,
    ) -> Result<()> {
        let mut known = false;
        let callers = self.callers.get(&function).map_or(0, Vec::len);
        for i in 0..callers {
            known = true;
            if *steps == 0 {
                found.is_open = true;
                return Ok(());
            }
            let edge = self.callers.get(&function).and_then(|edges| edges.get(i));
            let Some(edge) = edge.map(|edge| self.graph.edges[*edge as usize]) else {
                continue;
            };
            let call = match edge.call {
                NONE => None,
                call => self.graph.calls.get(call as usize),
            };
            let Some(call) = call else {
                found.is_open = true;
                continue;
            };
            let before = match call.node.op() {
                "PartitionedCall" | "StatefulPartitionedCall" => Some(0),
                "If" | "StatelessIf" | "Case" | "StatelessCase" => Some(1),
                op if self.graph.find_function(op) == Some(function) => Some(0),
                // Of loops and datasets the arguments change from step to step.
                _ => None,
            };
            match before {
                Some(before) => {
                    self.input(call.node, edge.from, argument + before, steps, found)?;
                }
                None => found.is_open = true,
            }
        }
        known |= self.captured(function, argument, steps, found)?;
        found.is_open |= !known;
        Ok(())
    }

    fn captured(
        &mut self,
        function: u32,
        argument: usize,
        steps: &mut u32,
        found: &mut Argument,
    ) -> Result<bool> {
        let Some(objects) = self.objects else {
            return Ok(false);
        };
        let name = match self.graph.function(function) {
            Some(function) => function.name(),
            None => return Ok(false),
        };
        let Ok(concrete) = objects.concrete_function(name) else {
            return Ok(false);
        };
        let arguments = self.body(function)?.arguments.len();
        let mut bound = concrete.bound_inputs();
        let first = arguments.saturating_sub(bound.len());
        let object = argument.checked_sub(first).and_then(|i| bound.nth(i));
        match object.and_then(Result::ok).map(|object| object.kind()) {
            Some(ObjectKind::Asset {
                asset_file_def_index,
            }) => {
                let index = usize::try_from(asset_file_def_index).ok();
                match index.and_then(|index| self.assets.get(index)) {
                    Some(asset) => found.assets.push(asset.filename.clone()),
                    None => found.is_open = true,
                }
            }
            Some(ObjectKind::Constant { operation }) => match self.graph.find_node(operation) {
                Some(index) if *steps > 0 => {
                    *steps -= 1;
                    let node = self.graph.nodes[index as usize];
                    match node.op() {
                        "Const" => self.constant(node, found)?,
                        _ => found.is_open = true,
                    }
                }
                _ => found.is_open = true,
            },
            _ => found.is_open = true,
        }
        Ok(true)
    }

    fn constant(&mut self, node: Node<'m>, found: &mut Argument) -> Result<()> {
        if node.message().bytes().len() > MAX_CONSTANT {
            found.is_open = true;
            return Ok(());
        }
        let Some(Value::Tensor(proto)) = node.attr("value")?.and_then(|attr| attr.value) else {
            found.is_open = true;
            return Ok(());
        };
        // Few bytes can stand for many elements.
        let dims = proto.tensor_shape.iter().flat_map(|shape| &shape.dim);
        let elements = dims.fold(1i64, |all, dim| all.saturating_mul(dim.size));
        let tensor = (elements <= MAX_ELEMENTS).then(|| Tensor::from_proto(&proto).ok());
        match tensor.flatten().as_ref().and_then(Tensor::strings) {
            Some(strings) => {
                let texts = (0..strings.len()).filter_map(|i| strings.get(i));
                let texts = texts.map(|text| String::from_utf8_lossy(text).into_owned());
                found.texts.extend(texts);
            }
            None => found.is_open = true,
        }
        Ok(())
    }

    fn body(&mut self, vertex: u32) -> Result<&Body<'m>> {
        if !self.bodies.contains_key(&vertex) {
            let mut body = Body {
                nodes: HashMap::new(),
                arguments: HashMap::new(),
            };
            if let Some(function) = self.graph.function(vertex) {
                for node in function.nodes() {
                    let node = node?;
                    body.nodes.insert(node.name(), node);
                }
                for (i, arg) in function.signature()?.input_arg.into_iter().enumerate() {
                    body.arguments.insert(arg.name, i);
                }
            }
            self.bodies.insert(vertex, body);
        }
        Ok(&self.bodies[&vertex])
    }
}

/// The op that makes the handle of a variable.
const VARIABLE: &str = "VarHandleOp";

/// Returns the name that all handles of a variable share.
fn shared_name(handle: Node<'_>) -> Result<String> {
    Ok(
        match handle.attr("shared_name")?.and_then(|attr| attr.value) {
            Some(Value::S(name)) if !name.is_empty() => String::from_utf8_lossy(&name).into_owned(),
            _ => handle.name().to_owned(),
        },
    )
}

/// A constant of more strings is no list of paths.
const MAX_ELEMENTS: i64 = 256;
