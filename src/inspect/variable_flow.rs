use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::graph_scan::GraphScan;
use super::name_hash::NameMap;
use super::raw_node::{RawNode, node_of};
use crate::error::Result;
use crate::wire::{Message, Value};

/// Which variables the nodes of a graph assign and use: those of the main graph, with what the
/// functions that they call do to variables given to them.
///
/// TensorFlow's C++ loader runs the restore op and the init op
/// (`tensorflow/cc/saved_model/loader.cc`). A variable that neither assigns is not initialized, and a
/// signature that uses it fails when it is called. The Python loader goes by objects and may work all
/// the same.
pub(super) struct VariableFlow<'s, 'm> {
    scan: &'s GraphScan<'m>,
    nodes: NameMap<'m, Message<'m>>,
    /// By node of the main graph: the variable that its first output is.
    variables: NameMap<'m, Option<&'m [u8]>>,
    /// By function: which of its arguments it assigns.
    assigned: HashMap<&'m [u8], Rc<BTreeSet<usize>>>,
    /// The functions on the way from a target.
    reached: HashSet<&'m [u8]>,
}

/// What is found on the way back from nodes to all that they need.
#[derive(Default)]
pub(super) struct Reached<'m> {
    /// The nodes.
    pub(super) nodes: HashSet<&'m [u8]>,
    /// The variables that are assigned, by their shared names.
    pub(super) assigned: BTreeSet<&'m [u8]>,
    /// The variables there are, by their shared names.
    pub(super) variables: BTreeSet<&'m [u8]>,
}

/// Keys of a bundle.
type Keys<'m> = BTreeSet<&'m [u8]>;

/// How many calls of functions may stand one in the other; what is deeper counts as assigning
/// everything.
const MAX_DEPTH: usize = 64;
/// How many nodes may pass a variable on.
const MAX_ALIASES: usize = 64;

impl<'s, 'm> VariableFlow<'s, 'm> {
    pub(super) fn new(scan: &'s GraphScan<'m>) -> Result<Self> {
        let mut nodes = NameMap::default();
        nodes.reserve(scan.nodes.len());
        for message in &scan.nodes {
            nodes.insert(RawNode::read(*message)?.name, *message);
        }
        Ok(VariableFlow {
            scan,
            nodes,
            variables: NameMap::default(),
            assigned: HashMap::new(),
            reached: HashSet::new(),
        })
    }

    /// Says whether the main graph has a node of that name.
    pub(super) fn has_node(&self, name: &[u8]) -> bool {
        self.nodes.contains_key(name)
    }

    /// Walks back from `targets`, names of nodes or tensors, to what they need.
    ///
    /// What is assigned on the way is only looked for if `assignments` says so: calls are followed
    /// into functions for it.
    pub(super) fn reach<'a>(
        &mut self,
        targets: impl IntoIterator<Item = &'a [u8]>,
        assignments: bool,
    ) -> Result<Reached<'m>> {
        let mut reached = Reached::default();
        let mut open = Vec::new();
        for target in targets {
            if let Some((name, _)) = self.nodes.get_key_value(node_of(target)) {
                open.push(*name);
            }
        }
        while let Some(name) = open.pop() {
            let Some(message) = self.nodes.get(name) else {
                continue;
            };
            if !reached.nodes.insert(name) {
                continue;
            }
            let node = RawNode::read(*message)?;
            let inputs = node.inputs()?;
            if is_variable(node.op) {
                reached.variables.insert(shared_name(&node)?);
            }
            let places = match assignments {
                true => self.assigned_inputs(&node, inputs.len(), MAX_DEPTH)?,
                false => Vec::new(),
            };
            for place in places {
                if let Some(input) = inputs.get(place)
                    && let Some(variable) = self.variable_of(input)?
                {
                    reached.assigned.insert(variable);
                }
            }
            open.extend(inputs.into_iter().map(node_of));
        }
        Ok(reached)
    }

    /// Returns the keys of the bundle that are read by nodes on the way from targets walked so far,
    /// and by all.
    pub(super) fn restored_keys(&self, reached: &Reached<'m>) -> Result<(Keys<'m>, Keys<'m>)> {
        let (mut run, mut all) = (BTreeSet::new(), BTreeSet::new());
        // Nodes may share a constant, which is read once then.
        let mut seen = HashSet::new();
        // Those of one function stand together.
        let mut inside: Option<(u64, NameMap<'m, Message<'m>>)> = None;
        for restore in &self.scan.found.restores {
            let node = RawNode::read(restore.node)?;
            let Some(names) = node.inputs()?.get(1).map(|input| node_of(input)) else {
                continue;
            };
            let (constant, is_run) = match restore.function {
                None => (self.nodes.get(names), reached.nodes.contains(node.name)),
                Some(function) => {
                    let place = function.start();
                    if inside.as_ref().is_none_or(|(known, _)| *known != place) {
                        inside = Some((place, nodes_of(function)?));
                    }
                    let name = function_name(function)?;
                    let constant = inside.as_ref().and_then(|(_, nodes)| nodes.get(names));
                    (
                        constant,
                        name.is_some_and(|name| self.reached.contains(name)),
                    )
                }
            };
            let Some(constant) = constant else {
                continue;
            };
            if !seen.insert((constant.start(), is_run)) {
                continue;
            }
            for key in RawNode::read(*constant)?.strings()? {
                all.insert(key);
                if is_run {
                    run.insert(key);
                }
            }
        }
        Ok((run, all))
    }

    /// Returns the variable that an input of a main graph's node is, passed on or not.
    fn variable_of(&mut self, input: &'m [u8]) -> Result<Option<&'m [u8]>> {
        let first = node_of(input);
        if let Some(known) = self.variables.get(first) {
            return Ok(*known);
        }
        let variable = self.find_variable(first)?;
        self.variables.insert(first, variable);
        Ok(variable)
    }

    fn find_variable(&self, mut name: &'m [u8]) -> Result<Option<&'m [u8]>> {
        for _ in 0..MAX_ALIASES {
            let Some(message) = self.nodes.get(name) else {
                return Ok(None);
            };
            let node = RawNode::read(*message)?;
            if is_variable(node.op) {
                return shared_name(&node).map(Some);
            }
            if !is_alias(node.op) {
                return Ok(None);
            }
            match node.inputs()?.first() {
                Some(input) => name = node_of(input),
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Returns the places of a node's inputs, so many of them, that it assigns if they are variables.
    fn assigned_inputs(
        &mut self,
        node: &RawNode<'m>,
        inputs: usize,
        depth: usize,
    ) -> Result<Vec<usize>> {
        if is_assignment(node.op) {
            return Ok(vec![0]);
        }
        let mut functions = match self.scan.functions.contains_key(node.op) {
            true => vec![node.op],
            false if is_call(node.op) => node.functions()?,
            false => return Ok(Vec::new()),
        };
        functions.sort_unstable();
        functions.dedup();
        // What is decided by comes before the arguments.
        let before = match node.op {
            b"If" | b"StatelessIf" | b"Case" | b"StatelessCase" => 1,
            _ => 0,
        };
        let mut places = Vec::new();
        for function in functions {
            let arguments = self.assigned_arguments(function, depth)?;
            let given = arguments.range(..inputs);
            places.extend(given.map(|argument| argument + before));
        }
        Ok(places)
    }

    /// Returns which of its arguments a function assigns.
    fn assigned_arguments(&mut self, name: &'m [u8], depth: usize) -> Result<Rc<BTreeSet<usize>>> {
        self.reached.insert(name);
        if let Some(known) = self.assigned.get(name) {
            return Ok(Rc::clone(known));
        }
        let Some(function) = self.scan.functions.get(name).copied() else {
            return Ok(Rc::default());
        };
        let arguments = arguments(function)?;
        let Some(depth) = depth.checked_sub(1) else {
            let all: Rc<BTreeSet<usize>> = Rc::new((0..arguments.len()).collect());
            self.assigned.insert(name, Rc::clone(&all));
            return Ok(all);
        };
        // A function that calls itself assigns what it assigns elsewhere.
        self.assigned.insert(name, Rc::default());
        let mut sources: HashMap<&[u8], usize> = arguments
            .iter()
            .enumerate()
            .map(|(place, name)| (*name, place))
            .collect();
        let mut assigned = BTreeSet::new();
        for message in body(function) {
            let node = RawNode::read(message?)?;
            if is_alias(node.op)
                && let Some(input) = node.inputs()?.first()
                && let Some(place) = sources.get(node_of(input)).copied()
            {
                sources.insert(node.name, place);
            }
            let inputs = node.inputs()?;
            let places = self.assigned_inputs(&node, inputs.len(), depth)?;
            let given = places.iter().filter_map(|place| inputs.get(*place));
            assigned.extend(given.filter_map(|input| sources.get(node_of(input))));
        }
        let assigned = Rc::new(assigned);
        self.assigned.insert(name, Rc::clone(&assigned));
        Ok(assigned)
    }
}

fn is_variable(op: &[u8]) -> bool {
    matches!(op, b"VarHandleOp" | b"VariableV2" | b"Variable")
}

fn is_alias(op: &[u8]) -> bool {
    matches!(
        op,
        b"Identity" | b"RefIdentity" | b"Enter" | b"RefEnter" | b"Switch" | b"RefSwitch"
    )
}

fn is_assignment(op: &[u8]) -> bool {
    matches!(op, b"AssignVariableOp" | b"Assign")
}

/// Says whether the op calls functions with its own inputs as arguments.
fn is_call(op: &[u8]) -> bool {
    matches!(
        op,
        b"PartitionedCall"
            | b"StatefulPartitionedCall"
            | b"If"
            | b"StatelessIf"
            | b"Case"
            | b"StatelessCase"
            | b"While"
            | b"StatelessWhile"
            | b"TPUPartitionedCall"
            | b"BatchFunction"
    )
}

/// Returns the name by which a session knows a variable.
fn shared_name<'m>(node: &RawNode<'m>) -> Result<&'m [u8]> {
    let shared = match node.attr(b"shared_name")? {
        Some(value) => value.bytes()?,
        None => None,
    };
    Ok(shared.filter(|name| !name.is_empty()).unwrap_or(node.name))
}

/// Returns the nodes of a `FunctionDef` by name.
fn nodes_of<'m>(function: Message<'m>) -> Result<NameMap<'m, Message<'m>>> {
    let mut nodes = NameMap::default();
    for node in body(function) {
        let node = node?;
        nodes.insert(RawNode::read(node)?.name, node);
    }
    Ok(nodes)
}

/// Walks the nodes of a `FunctionDef`.
fn body<'m>(function: Message<'m>) -> impl Iterator<Item = Result<Message<'m>>> {
    function.fields().filter_map(|field| match field {
        Ok(field) if field.number() == 3 => field.message().map(Ok),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

fn signature<'m>(function: Message<'m>) -> Result<Option<Message<'m>>> {
    Ok(function.last(1)?.and_then(|field| field.message()))
}

fn function_name<'m>(function: Message<'m>) -> Result<Option<&'m [u8]>> {
    let Some(signature) = signature(function)? else {
        return Ok(None);
    };
    Ok(match signature.last(1)?.map(|field| field.value()) {
        Some(Value::Bytes(name)) => Some(name),
        _ => None,
    })
}

/// Returns the names of the arguments, `input_arg` of the `OpDef` that is a function's signature.
fn arguments<'m>(function: Message<'m>) -> Result<Vec<&'m [u8]>> {
    let mut names = Vec::new();
    let Some(signature) = signature(function)? else {
        return Ok(names);
    };
    for field in signature.fields() {
        let field = field?;
        if field.number() == 2
            && let Some(argument) = field.message()
        {
            let name = argument.last(1)?.map(|field| field.value());
            names.push(match name {
                Some(Value::Bytes(name)) => name,
                _ => &b""[..],
            });
        }
    }
    Ok(names)
}
