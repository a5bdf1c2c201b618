use std::collections::HashSet;

use crate::op;
use crate::proto::{GraphDef, NodeDef};

/// Removes attrs that are at the default of their op, in the graph and in the bodies of functions:
/// `strip_graph_default_valued_attrs` in `tensorflow/python/framework/meta_graph.py`.
///
/// Nodes that call a function by its name, and those of ops that TensorFlow 2.21 does not have, keep all.
pub(super) fn strip(graph: &mut GraphDef) {
    let functions = graph.library.iter_mut().flat_map(|it| &mut it.function);
    let functions: Vec<_> = functions.collect();
    let names: HashSet<String> = functions
        .iter()
        .filter_map(|function| Some(function.signature.as_ref()?.name.clone()))
        .collect();
    for node in functions.into_iter().flat_map(|it| &mut it.node_def) {
        strip_node(node, &names);
    }
    for node in &mut graph.node {
        strip_node(node, &names);
    }
}

fn strip_node(node: &mut NodeDef, functions: &HashSet<String>) {
    if functions.contains(&node.op) {
        return;
    }
    let Some(facts) = op::find(&node.op) else {
        return;
    };
    node.attr.retain(|entry| {
        let key = entry.key.as_deref().unwrap_or_default();
        let default = facts.attr(key).and_then(|attr| attr.default());
        default.is_none() || entry.value != default
    });
}
