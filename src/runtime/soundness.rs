//! What TensorFlow does not notice when it loads a model, or does not survive.

use std::collections::{BTreeSet, HashSet};

use super::call_graph::CallGraph;
use crate::error::{Error, Printable, Result};
use crate::model::{MetaGraph, SavedModel};

/// So many faults are told.
const MAX_TOLD: usize = 5;

/// Checks a model before it is handed to TensorFlow.
pub(super) fn check(model: &SavedModel, meta_graph: MetaGraph<'_>, tags: &[String]) -> Result<()> {
    let in_file = |error: Error| error.in_file(model.model_path());
    check_tag_sets(model, tags).map_err(in_file)?;
    check_calls(meta_graph).map_err(in_file)?;
    check_names(meta_graph).map_err(in_file)?;
    check_assets(model, meta_graph)
}

/// TensorFlow takes the first of two, and nobody knows which one is meant.
fn check_tag_sets(model: &SavedModel, tags: &[String]) -> Result<()> {
    let wanted: BTreeSet<&str> = tags.iter().map(String::as_str).collect();
    let mut count = 0;
    for meta_graph in model.meta_graphs() {
        let tags: BTreeSet<&str> = meta_graph?.tags()?.into_iter().collect();
        count += usize::from(tags == wanted);
    }
    match count {
        0 | 1 => Ok(()),
        _ => Err(Error::malformed(format!(
            "{count} meta graphs have the tags {}, and TensorFlow would run the first",
            Printable(&tags.join(", "))
        ))),
    }
}

/// Functions that call each other in a circle through attributes make TensorFlow recurse until the
/// stack ends, and the process with it. Those that nothing calls do no harm.
fn check_calls(meta_graph: MetaGraph<'_>) -> Result<()> {
    let graph = meta_graph.graph();
    match CallGraph::read(graph)?.cycle_below(graph.nodes())? {
        Some(cycle) => Err(circle(&cycle)),
        None => Ok(()),
    }
}

/// Checks a function that nothing in the graph calls, before something does.
pub(super) fn check_function(meta_graph: MetaGraph<'_>, name: &str) -> Result<()> {
    match CallGraph::read(meta_graph.graph())?.cycle_from_function(name) {
        Some(cycle) => Err(circle(&cycle)),
        None => Ok(()),
    }
}

fn circle(functions: &[&str]) -> Error {
    let shown: Vec<&str> = functions.iter().copied().take(MAX_TOLD).collect();
    Error::malformed(format!(
        "the functions {} call each other in a circle",
        Printable(&shown.join(", "))
    ))
    .remedy("TensorFlow would not survive running them")
}

/// Tensors of signatures, and the nodes that restore and initialize.
fn check_names(meta_graph: MetaGraph<'_>) -> Result<()> {
    let mut nodes = HashSet::new();
    for node in meta_graph.graph().nodes() {
        nodes.insert(node?.name());
    }
    let mut faults = Vec::new();
    for (key, signature) in meta_graph.signatures()? {
        for (kind, infos) in [("input", &signature.inputs), ("output", &signature.outputs)] {
            for (name, info) in infos {
                for tensor in info.tensor_names() {
                    if !nodes.contains(node_of(tensor)) {
                        faults.push(format!(
                            "{kind} `{name}` of signature `{key}` is `{tensor}`"
                        ));
                    }
                }
            }
        }
    }
    if let Some(saver) = meta_graph.saver_def()? {
        let names = [
            ("the op that restores", &saver.restore_op_name),
            (
                "the tensor of the bundle's name",
                &saver.filename_tensor_name,
            ),
        ];
        for (what, name) in names {
            if !name.is_empty() && !nodes.contains(node_of(name)) {
                faults.push(format!("{what} is `{name}`"));
            }
        }
    }
    if let Some(op) = meta_graph.init_op()?
        && !nodes.contains(node_of(&op.name))
    {
        faults.push(format!("the op that initializes is `{}`", op.name));
    }
    if faults.is_empty() {
        return Ok(());
    }
    faults.truncate(MAX_TOLD);
    Err(Error::malformed(format!(
        "the graph has no such node: {}",
        Printable(&faults.join("; "))
    )))
}

fn check_assets(model: &SavedModel, meta_graph: MetaGraph<'_>) -> Result<()> {
    for asset in meta_graph.assets()? {
        let path = asset
            .path()
            .map_err(|error| error.in_file(model.model_path()))?;
        let path = model.path().join(path);
        if !path.exists() {
            return Err(Error::not_found("asset").in_file(path));
        }
    }
    Ok(())
}

/// `node:1` and `^node` are of `node`.
pub(super) fn node_of(tensor: &str) -> &str {
    let tensor = tensor.strip_prefix('^').unwrap_or(tensor);
    tensor.split(':').next().unwrap_or(tensor)
}
