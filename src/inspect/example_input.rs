use std::collections::{HashMap, HashSet};

use crate::error::Result;
use crate::example::ParsingSpec;
use crate::model::{Function, Graph, MetaGraph, Node, Signature};
use crate::proto::attr_value::Value;
use crate::tensor::DType;

/// Returns what the graph parses inputs of a signature as, for those that hold serialized examples,
/// in the order of their names.
///
/// ```
/// use savedmodel::SavedModel;
/// use savedmodel::inspect::input_parsing_specs;
///
/// let model = SavedModel::open("tests/cli-goldens/models/parse_example_strings")?;
/// let meta_graph = model.meta_graph(["serve"])?;
/// let specs = input_parsing_specs(meta_graph, &meta_graph.signature("serving_default")?)?;
/// let (input, spec) = &specs[0];
/// assert_eq!(input, "examples");
/// assert!(spec.features().iter().any(|feature| feature.key() == "name"));
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// # Errors
///
/// What [`MetaGraph::parsing_specs`] answers, and `Malformed` for a damaged graph.
pub fn input_parsing_specs(
    meta_graph: MetaGraph<'_>,
    signature: &Signature,
) -> Result<Vec<(String, ParsingSpec)>> {
    let candidates: Vec<(&String, &str)> = signature
        .inputs
        .iter()
        .filter(|(_, info)| info.dtype == DType::STRING)
        .filter_map(|(name, info)| Some((name, info.name()?)))
        .collect();
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let specs = meta_graph.parsing_specs()?;
    let mut found = Vec::new();
    for (input, tensor) in candidates.iter().filter(|_| !specs.is_empty()) {
        if let Some(spec) = spec_of(meta_graph.graph(), &specs, tensor)? {
            found.push(((*input).clone(), spec.clone()));
        }
    }
    Ok(found)
}

/// Finds out what a tensor of a graph is parsed as, if it holds serialized examples: it is followed
/// through nodes that pass it on and through calls of functions to the node that parses it.
fn spec_of<'s>(
    graph: Graph<'_>,
    specs: &'s [ParsingSpec],
    tensor: &str,
) -> Result<Option<&'s ParsingSpec>> {
    let functions: HashMap<&str, Function<'_>> = graph
        .functions()
        .map(|function| function.map(|function| (function.name(), function)))
        .collect::<Result<_>>()?;
    let mut open: Vec<(Option<&str>, String)> = vec![(None, node_of(tensor).to_owned())];
    let mut met = HashSet::new();
    while let Some((scope, name)) = open.pop() {
        if met.len() >= MAX_PLACES || !met.insert((scope, name.clone())) {
            continue;
        }
        let found = specs.iter().find(|spec| {
            let takes = spec
                .serialized()
                .is_some_and(|input| node_of(input) == name);
            takes && spec.function() == scope
        });
        if found.is_some() {
            return Ok(found);
        }
        let mut visit = |node: Node<'_>| -> Result<()> {
            let Some(index) = data_inputs(&node).position(|input| node_of(input) == name) else {
                return Ok(());
            };
            if PASS_ON.contains(&node.op()) {
                open.push((scope, node.name().to_owned()));
            }
            let called = called_function(&node)?;
            if let Some((name, function)) = called.and_then(|name| functions.get_key_value(&*name))
                && let Some(argument) = function.signature()?.input_arg.get(index)
            {
                open.push((Some(name), argument.name.clone()));
            }
            Ok(())
        };
        match scope {
            None => graph.nodes().try_for_each(|node| visit(node?))?,
            Some(scope) => {
                if let Some(function) = functions.get(scope) {
                    function.nodes().try_for_each(|node| visit(node?))?;
                }
            }
        }
    }
    Ok(None)
}

/// A search looks at so many tensors.
const MAX_PLACES: usize = 100;
/// Ops whose output is their input, or its elements in another shape.
const PASS_ON: [&str; 6] = [
    "Identity",
    "PlaceholderWithDefault",
    "Reshape",
    "ExpandDims",
    "Squeeze",
    "EnsureShape",
];

fn data_inputs<'m>(node: &Node<'m>) -> impl Iterator<Item = &'m str> + use<'m> {
    node.inputs().filter(|input| !input.starts_with('^'))
}

/// Returns the node or argument that an input names, whichever of its outputs it is.
fn node_of(input: &str) -> &str {
    input.split(':').next().unwrap_or(input)
}

fn called_function(node: &Node<'_>) -> Result<Option<String>> {
    if !matches!(node.op(), "PartitionedCall" | "StatefulPartitionedCall") {
        return Ok(Some(node.op().to_owned()));
    }
    Ok(match node.attr("f")?.and_then(|attr| attr.value) {
        Some(Value::Func(function)) => Some(function.name),
        _ => None,
    })
}
