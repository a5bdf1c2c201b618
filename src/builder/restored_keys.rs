use std::collections::{HashMap, HashSet};

use crate::error::{Error, Result};
use crate::proto::attr_value::Value;
use crate::proto::{MetaGraphDef, NodeDef};
use crate::tensor::{DType, Strings, Tensor};

/// Refuses a meta graph whose saver restores what no variable has: every loader would run it, and fail.
/// `dtype_of` says of which type the value under a key is. What functions restore is not looked at.
pub(super) fn check(
    meta_graph: &MetaGraphDef,
    dtype_of: impl Fn(&str) -> Option<DType>,
) -> Result<()> {
    let (Some(graph), Some(saver)) = (&meta_graph.graph_def, &meta_graph.saver_def) else {
        return Ok(());
    };
    let nodes = graph.node.iter().map(|node| (&*node.name, node));
    let nodes: HashMap<&str, &NodeDef> = nodes.collect();
    let mut seen: HashSet<&str> = HashSet::from([&*saver.restore_op_name]);
    let mut open: Vec<&str> = seen.iter().copied().collect();
    while let Some(node) = open.pop().and_then(|name| nodes.get(name)) {
        if node.op == "RestoreV2" {
            check_node(node, &nodes, &dtype_of)?;
        }
        let inputs = node.input.iter().map(|input| producer(input));
        open.extend(inputs.filter(|name| nodes.contains_key(name) && seen.insert(name)));
    }
    Ok(())
}

fn check_node(
    restore: &NodeDef,
    nodes: &HashMap<&str, &NodeDef>,
    dtype_of: &impl Fn(&str) -> Option<DType>,
) -> Result<()> {
    let names = restore.input.get(1).and_then(|it| nodes.get(producer(it)));
    let Some(Value::Tensor(names)) = names.and_then(|node| attr(node, "value")) else {
        return Ok(());
    };
    let dtypes = match attr(restore, "dtypes") {
        Some(Value::List(list)) => &*list.r#type,
        _ => &[],
    };
    let names = Tensor::from_proto(names)?;
    for (place, key) in names
        .strings()
        .into_iter()
        .flat_map(Strings::iter)
        .enumerate()
    {
        let refuse = |what: String| Err(Error::invalid_argument(what).for_key(key));
        let Some(dtype) = std::str::from_utf8(key).ok().and_then(dtype_of) else {
            return refuse(format!(
                "node `{}` restores a variable that has no value",
                restore.name
            ));
        };
        let restored = dtypes.get(place).map(|number| DType::from_number(*number));
        if restored.is_some_and(|restored| restored != dtype) {
            return refuse(format!(
                "node `{}` restores a variable of {}, and its value is of {dtype}",
                restore.name,
                restored.unwrap_or_default()
            ));
        }
    }
    Ok(())
}

/// The node that an input comes from, or that is waited for.
fn producer(input: &str) -> &str {
    let input = input.strip_prefix('^').unwrap_or(input);
    input.rsplit_once(':').map_or(input, |(node, _)| node)
}

fn attr<'n>(node: &'n NodeDef, name: &str) -> Option<&'n Value> {
    let entry = node.attr.iter().find(|it| it.key.as_deref() == Some(name));
    entry?.value.as_ref()?.value.as_ref()
}
