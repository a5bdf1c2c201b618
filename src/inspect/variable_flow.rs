use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::program::Program;
use super::raw_node::{RESTORE, RawNode, node_of};
use crate::error::Result;
use crate::wire::{Message, Value};

/// Which variables the nodes of a graph assign and use: those of the main graph, with what the
/// functions that they call do to variables given to them.
///
/// TensorFlow's C++ loader runs the restore op and the init op
/// (`tensorflow/cc/saved_model/loader.cc`). A variable that neither assigns is not initialized, and a
/// signature that uses it fails when it is called. The Python loader goes by objects and may work all
/// the same.
pub(super) struct VariableFlow<'p, 'm> {
    program: &'p Program<'m>,
    /// By number of a node of the main graph: the variable that its first output is.
    variables: HashMap<usize, Option<&'m [u8]>>,
    /// By function: which of its arguments it assigns.
    assigned: HashMap<usize, Rc<BTreeSet<usize>>>,
    /// The functions on the way from a target.
    reached: HashSet<usize>,
}

/// What is found on the way back from nodes to all that they need.
#[derive(Default)]
pub(super) struct Reached<'m> {
    /// By number of a node: whether it is one of them.
    nodes: Vec<bool>,
    /// Where those of them stand that read tensors from a bundle.
    restores: HashSet<u64>,
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

impl<'p, 'm> VariableFlow<'p, 'm> {
    /// Makes one of a program that has its nodes by name.
    pub(super) fn new(program: &'p Program<'m>) -> Self {
        VariableFlow {
            program,
            variables: HashMap::new(),
            assigned: HashMap::new(),
            reached: HashSet::new(),
        }
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
        let nodes = &self.program.nodes;
        let mut reached = Reached {
            nodes: vec![false; nodes.len()],
            ..Reached::default()
        };
        let targets = targets.into_iter();
        let mut open: Vec<usize> = targets
            .filter_map(|target| nodes.find(node_of(target)))
            .collect();
        let mut inputs = Vec::new();
        while let Some(number) = open.pop() {
            if std::mem::replace(&mut reached.nodes[number], true) {
                continue;
            }
            let message = nodes.node(number);
            let node = RawNode::read(message)?;
            inputs.clear();
            node.each_input(|input| inputs.push(input))?;
            if is_variable(node.op) {
                reached.variables.insert(shared_name(&node)?);
            }
            if node.op == RESTORE {
                reached.restores.insert(message.start());
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
            let found = inputs.iter().filter_map(|input| nodes.find(node_of(input)));
            open.extend(found.filter(|number| !reached.nodes[*number]));
        }
        Ok(reached)
    }

    /// Returns the keys of the bundle that are read by nodes on the way from targets walked so far,
    /// and by all.
    pub(super) fn restored_keys(&self, reached: &Reached<'m>) -> Result<(Keys<'m>, Keys<'m>)> {
        let mut all = self.program.keys.clone();
        let functions = self.program.function_keys.iter();
        let called = functions.filter(|(function, _)| self.reached.contains(function));
        let mut run: Keys<'m> = called.flat_map(|(_, keys)| keys).copied().collect();
        // Nodes may share a constant, which is read once then.
        let mut seen = HashSet::new();
        for restore in &self.program.restores {
            let is_run = reached.restores.contains(&restore.at);
            let Some(constant) = restore.keys.and_then(|name| self.node(name)) else {
                continue;
            };
            if !seen.insert((constant.start(), is_run)) {
                continue;
            }
            for key in RawNode::read(constant)?.strings()? {
                all.insert(key);
                if is_run {
                    run.insert(key);
                }
            }
        }
        Ok((run, all))
    }

    /// Returns the node of the main graph of that name.
    fn node(&self, name: &[u8]) -> Option<Message<'m>> {
        let nodes = &self.program.nodes;
        Some(nodes.node(nodes.find(name)?))
    }

    /// Returns the variable that an input of a main graph's node is, passed on or not.
    fn variable_of(&mut self, input: &[u8]) -> Result<Option<&'m [u8]>> {
        let Some(first) = self.program.nodes.find(node_of(input)) else {
            return Ok(None);
        };
        if let Some(known) = self.variables.get(&first) {
            return Ok(*known);
        }
        let variable = self.find_variable(first)?;
        self.variables.insert(first, variable);
        Ok(variable)
    }

    fn find_variable(&self, mut number: usize) -> Result<Option<&'m [u8]>> {
        let nodes = &self.program.nodes;
        for _ in 0..MAX_ALIASES {
            let node = RawNode::read(nodes.node(number))?;
            if is_variable(node.op) {
                return shared_name(&node).map(Some);
            }
            if !is_alias(node.op) {
                return Ok(None);
            }
            let inputs = node.inputs()?;
            match inputs.first().and_then(|it| nodes.find(node_of(it))) {
                Some(input) => number = input,
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
        let mut functions = match self.program.find(node.op) {
            Some(function) => vec![function],
            None if is_call(node.op) => {
                let names = node.functions()?.into_iter();
                names.filter_map(|it| self.program.find(it)).collect()
            }
            None => return Ok(Vec::new()),
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
    fn assigned_arguments(&mut self, index: usize, depth: usize) -> Result<Rc<BTreeSet<usize>>> {
        self.reached.insert(index);
        if let Some(known) = self.assigned.get(&index) {
            return Ok(Rc::clone(known));
        }
        let function = self.program.functions[index].message;
        let arguments = arguments(function)?;
        let Some(depth) = depth.checked_sub(1) else {
            let all: Rc<BTreeSet<usize>> = Rc::new((0..arguments.len()).collect());
            self.assigned.insert(index, Rc::clone(&all));
            return Ok(all);
        };
        // A function that calls itself assigns what it assigns elsewhere.
        self.assigned.insert(index, Rc::default());
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
        self.assigned.insert(index, Rc::clone(&assigned));
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::SavedModel;
    use crate::proto::NodeDef;
    use crate::proto::attr_value::Value;

    fn shared_name(node: &NodeDef) -> &[u8] {
        let attr = node
            .attr
            .iter()
            .find(|attr| attr.key.as_deref() == Some("shared_name"));
        match attr.and_then(|attr| attr.value.as_ref()?.value.as_ref()) {
            Some(Value::S(name)) if !name.is_empty() => name,
            _ => node.name.as_bytes(),
        }
    }

    /// Walks back from the targets in a decoded graph.
    fn variables<'g>(nodes: &'g [NodeDef], targets: &[String]) -> BTreeSet<&'g [u8]> {
        let by_name: BTreeMap<&str, &NodeDef> =
            nodes.iter().map(|node| (&*node.name, node)).collect();
        let mut open: Vec<&str> = targets.iter().map(String::as_str).collect();
        let (mut seen, mut variables) = (BTreeSet::new(), BTreeSet::new());
        while let Some(tensor) = open.pop() {
            let name = tensor.trim_start_matches('^').split(':').next().unwrap();
            if let Some(node) = by_name.get(name)
                && seen.insert(name)
            {
                if ["VarHandleOp", "VariableV2", "Variable"].contains(&&*node.op) {
                    variables.insert(shared_name(node));
                }
                open.extend(node.input.iter().map(String::as_str));
            }
        }
        variables
    }

    #[test]
    fn signatures_use_the_variables_that_a_decoded_graph_leads_to() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let mut used = 0;
        for entry in std::fs::read_dir(fixtures).unwrap() {
            let Ok(model) = SavedModel::open(entry.unwrap().path()) else {
                continue;
            };
            for meta_graph in model.meta_graphs().map(Result::unwrap) {
                let decoded = meta_graph.graph().to_proto().unwrap();
                let program = Program::with_nodes(meta_graph.graph()).unwrap();
                let mut flow = VariableFlow::new(&program);
                for signature in meta_graph.signatures().unwrap().values() {
                    let outputs = signature.outputs.values();
                    let outputs: Vec<String> = outputs
                        .flat_map(|it| it.tensor_names())
                        .map(|name| name.to_owned())
                        .collect();
                    let reached = flow
                        .reach(outputs.iter().map(String::as_bytes), false)
                        .unwrap();
                    assert_eq!(reached.variables, variables(&decoded.node, &outputs));
                    used += reached.variables.len();
                }
            }
        }
        assert!(used > 10);
    }
}
