use std::collections::BTreeSet;
use std::io::Write;

use savedmodel::MetaGraph;

use super::flags::Flags;
use super::{Failure, find_meta_graph, open, split_trimmed_tags};
use crate::python;
use crate::show::stock_ops;

/// What the stock tool looks for unless told otherwise.
const DENYLIST: [&str; 3] = ["PrintV2", "ReadFile", "WriteFile"];

pub(super) fn run(flags: &Flags, out: &mut impl Write) -> Result<(), Failure> {
    let model = open(flags.text("dir").unwrap_or_default())?;
    let denylist: BTreeSet<&str> = match flags.text("op_denylist") {
        None | Some("") => DENYLIST.into_iter().collect(),
        Some(list) => list
            .split(',')
            .map(str::trim)
            .filter(|op| !op.is_empty())
            .collect(),
    };
    match flags.text("tag_set") {
        None | Some("") => {
            for meta_graph in model.meta_graphs() {
                scan(meta_graph?, &denylist, out)?;
            }
        }
        Some(tag_set) => {
            let tags = split_trimmed_tags(tag_set)?;
            let meta_graph = find_meta_graph(&model, &tags, &tags.join(","))?;
            scan(meta_graph, &denylist, out)?;
        }
    }
    Ok(())
}

fn scan(
    meta_graph: MetaGraph<'_>,
    denylist: &BTreeSet<&str>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let ops = stock_ops(meta_graph)?;
    let found: Vec<&str> = ops.intersection(denylist).copied().collect();
    let tags = python::list_repr(meta_graph.tags()?);
    // The word `default` stands there whatever the list is.
    match found.is_empty() {
        true => writeln!(
            out,
            "MetaGraph with tag set {tags} does not contain the default denylisted ops: {}",
            python::set_repr(denylist)
        )?,
        false => writeln!(
            out,
            "MetaGraph with tag set {tags} contains the following denylisted ops: {}",
            python::set_repr(found)
        )?,
    }
    Ok(())
}
