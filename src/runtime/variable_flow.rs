//! Which variables a graph gives values and which it reads: through calls, identities and control
//! flow, in its own nodes and in those of functions.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::rc::Rc;

use super::call_graph::called_functions;
use super::soundness::node_of;
use crate::error::Result;
use crate::model::{Function, Graph, MetaGraph, Node};

/// The variables that a run of some nodes touches, or the arguments that a function does.
pub(super) struct Flow<K> {
    pub(super) reads: BTreeSet<K>,
    pub(super) assigns: BTreeSet<K>,
}

impl<K> Default for Flow<K> {
    fn default() -> Self {
        Flow {
            reads: BTreeSet::new(),
            assigns: BTreeSet::new(),
        }
    }
}

/// A graph and its functions by name.
pub(super) struct VariableFlow<'m> {
    nodes: HashMap<&'m str, Node<'m>>,
    functions: HashMap<&'m str, Function<'m>>,
    /// What functions do to their arguments, by number.
    flows: RefCell<HashMap<&'m str, Rc<Flow<usize>>>>,
}

/// Functions may nest so deep here; below, all is assumed to be well.
const MAX_DEPTH: usize = 200;

impl<'m> VariableFlow<'m> {
    pub(super) fn read(graph: Graph<'m>) -> Result<Self> {
        let nodes = graph
            .nodes()
            .map(|node| node.map(|node| (node.name(), node)));
        let functions = graph.functions();
        let functions = functions.map(|it| it.map(|function| (function.name(), function)));
        Ok(VariableFlow {
            nodes: nodes.collect::<Result<_>>()?,
            functions: functions.collect::<Result<_>>()?,
            flows: RefCell::default(),
        })
    }

    /// Returns the signatures that read variables which neither the op that restores nor the one
    /// that initializes gives a value, with the names of the variables' nodes.
    ///
    /// `restores` says whether there is anything to restore from.
    pub(super) fn unassigned(
        &self,
        meta_graph: MetaGraph<'m>,
        restores: bool,
    ) -> Result<BTreeMap<String, Vec<String>>> {
        let mut loading = Vec::new();
        if restores && let Some(saver) = meta_graph.saver_def()? {
            loading.push(saver.restore_op_name);
        }
        loading.extend(meta_graph.init_op()?.map(|op| op.name));
        let assigned = self.run(loading.iter().map(String::as_str))?.assigns;
        let mut unassigned = BTreeMap::new();
        for (key, signature) in meta_graph.signatures()? {
            if key.starts_with("__saved_model_") {
                continue;
            }
            let outputs = signature.outputs.values();
            let flow = self.run(outputs.flat_map(|info| info.tensor_names()))?;
            let mut variables = flow.reads;
            variables.retain(|name| !assigned.contains(name) && !flow.assigns.contains(name));
            if !variables.is_empty() {
                let names = variables.into_iter().map(str::to_owned);
                unassigned.insert(key, names.collect());
            }
        }
        Ok(unassigned)
    }

    /// Follows all that runs for these tensors or nodes.
    fn run<'a>(&self, tensors: impl Iterator<Item = &'a str>) -> Result<Flow<&'m str>> {
        let mut flow = Flow::default();
        let mut left: Vec<Node<'m>> = tensors.filter_map(|name| self.node(name)).collect();
        let mut seen: HashSet<&str> = left.iter().map(|node| node.name()).collect();
        while let Some(node) = left.pop() {
            self.consume(&node, &|input| self.variable(input), 0, &mut flow)?;
            for input in node.inputs().filter_map(|input| self.node(input)) {
                if seen.insert(input.name()) {
                    left.push(input);
                }
            }
        }
        Ok(flow)
    }

    fn node(&self, tensor: &str) -> Option<Node<'m>> {
        self.nodes.get(node_of(tensor)).copied()
    }

    /// Returns the node of the variable whose handle a tensor is.
    pub(super) fn variable(&self, tensor: &str) -> Option<&'m str> {
        let node = through_identities(&self.nodes, tensor)?;
        is_variable(node.op()).then(|| node.name())
    }

    /// Notes what a node does to the variables among its inputs.
    fn consume<K: Ord + Copy + Hash>(
        &self,
        node: &Node<'m>,
        variable: &dyn Fn(&str) -> Option<K>,
        depth: usize,
        flow: &mut Flow<K>,
    ) -> Result<()> {
        let inputs = node.inputs().filter(|input| !input.starts_with('^'));
        let inputs: Vec<Option<K>> = inputs.map(variable).collect();
        if inputs.iter().all(Option::is_none) {
            return Ok(());
        }
        let known = |skipped: usize| inputs.iter().skip(skipped).flatten().copied();
        let skipped = match node.op() {
            "AssignVariableOp" | "Assign" => {
                flow.assigns.extend(inputs.first().copied().flatten());
                flow.reads.extend(known(1));
                return Ok(());
            }
            // A handle that is passed on; what it is passed to counts. Of an old variable this is
            // the value already.
            "Identity" if !self.is_reference(node) => return Ok(()),
            "VarIsInitializedOp" | "IsVariableInitialized" | "DestroyResourceOp" => return Ok(()),
            "PartitionedCall" | "StatefulPartitionedCall" | "While" | "StatelessWhile" => 0,
            "If" | "StatelessIf" | "Case" | "StatelessCase" => 1,
            op if self.functions.contains_key(op) => 0,
            _ => {
                flow.reads.extend(known(0));
                return Ok(());
            }
        };
        let mut called = called_functions(node)?;
        called.push(node.op());
        for function in called.iter().filter_map(|name| self.functions.get(name)) {
            let callee = self.function(*function, depth + 1)?;
            let pick = |numbers: &BTreeSet<usize>| -> Vec<K> {
                let places = numbers.iter().map(|number| number + skipped);
                places.filter_map(|place| *inputs.get(place)?).collect()
            };
            flow.reads.extend(pick(&callee.reads));
            flow.assigns.extend(pick(&callee.assigns));
        }
        Ok(())
    }

    /// Says whether an `Identity` of the graph takes an old variable, which is read there.
    fn is_reference(&self, node: &Node<'m>) -> bool {
        let input = node.inputs().next().and_then(|input| self.node(input));
        input.is_some_and(|input| matches!(input.op(), "VariableV2" | "Variable"))
    }

    fn function(&self, function: Function<'m>, depth: usize) -> Result<Rc<Flow<usize>>> {
        if let Some(flow) = self.flows.borrow().get(function.name()) {
            return Ok(Rc::clone(flow));
        }
        let signature = function.signature()?;
        let arguments = signature.input_arg.iter();
        let arguments: HashMap<&str, usize> = arguments.map(|arg| &*arg.name).zip(0..).collect();
        let mut flow = Flow::default();
        if depth > MAX_DEPTH {
            flow.assigns.extend(arguments.into_values());
            return Ok(Rc::new(flow));
        }
        let nodes: Vec<Node<'m>> = function.nodes().collect::<Result<_>>()?;
        let by_name = nodes.iter().map(|node| (node.name(), *node)).collect();
        let argument = |input: &str| match arguments.get(node_of(input)) {
            Some(number) => Some(*number),
            None => {
                // To the first node that is no identity; its input may be an argument.
                let last = last_identity(&by_name, input)?;
                let input = last.inputs().next()?;
                arguments.get(node_of(input)).copied()
            }
        };
        for node in &nodes {
            self.consume(node, &argument, depth, &mut flow)?;
        }
        let flow = Rc::new(flow);
        let mut flows = self.flows.borrow_mut();
        flows.insert(function.name(), Rc::clone(&flow));
        Ok(flow)
    }
}

pub(super) fn is_variable(op: &str) -> bool {
    matches!(op, "VarHandleOp" | "VariableV2" | "Variable")
}

/// Returns the node that a tensor comes from, identities left out.
fn through_identities<'m>(nodes: &HashMap<&str, Node<'m>>, tensor: &str) -> Option<Node<'m>> {
    match last_identity(nodes, tensor) {
        Some(last) => nodes.get(node_of(last.inputs().next()?)).copied(),
        None => nodes.get(node_of(tensor)).copied(),
    }
}

/// Returns the first of a chain of identities that ends with the tensor.
fn last_identity<'m>(nodes: &HashMap<&str, Node<'m>>, tensor: &str) -> Option<Node<'m>> {
    let mut last = None;
    let mut name = node_of(tensor);
    // A circle of identities is no graph that can run.
    for _ in 0..=nodes.len() {
        match nodes.get(name) {
            Some(node) if node.op() == "Identity" => {
                last = Some(*node);
                name = node_of(node.inputs().next()?);
            }
            _ => return last,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::SavedModel;
    use crate::model::MetaGraph;

    use super::*;

    fn unassigned(fixture: &str, restores: bool) -> BTreeMap<String, Vec<String>> {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/");
        let model = SavedModel::open(format!("{directory}{fixture}")).unwrap();
        let meta_graph: MetaGraph<'_> = model.meta_graph(["serve"]).unwrap();
        let flow = VariableFlow::read(meta_graph.graph()).unwrap();
        flow.unassigned(meta_graph, restores).unwrap()
    }

    #[test]
    fn variables_that_are_restored_have_values() {
        for fixture in [
            "fixtures/module",           // by a function
            "fixtures/keras3_export",    // the same
            "fixtures/v1_builder",       // by nodes
            "fixtures/v1_partitioned",   // in pieces
            "fixtures/tf115_classifier", // old variables
            "cli-goldens/models/estimator_dnn_regressor",
        ] {
            assert_eq!(unassigned(fixture, true), BTreeMap::new(), "{fixture}");
            assert_ne!(unassigned(fixture, false), BTreeMap::new(), "{fixture}");
        }
    }

    #[test]
    fn keras_3_reads_others_than_it_restores() {
        let found = unassigned("fixtures/keras3_saved", true);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["serving_default"]);
        assert!(found["serving_default"].len() >= 2, "{found:?}");
    }
}
