use std::io::Write;

use prost::Message;
use savedmodel::proto::SavedObjectGraph;
use savedmodel::{MetaGraph, SavedModel};

use super::flags::Flags;
use super::{Failure, find_meta_graph, open, split_tags, split_trimmed_tags};
use crate::show::concrete_functions::{self, NotListed, Strictness};
use crate::show::library::Library;
use crate::show::text;

pub(super) fn run(flags: &Flags, out: &mut impl Write) -> Result<(), Failure> {
    let model = open(flags.text("dir").unwrap_or_default())?;
    if flags.switch("all") {
        return all(&model, out);
    }
    let Some(tag_set) = flags.text("tag_set") else {
        if flags.switch("list_ops") {
            writeln!(
                out,
                "--list_ops must be paired with a tag-set or with --all."
            )?;
        }
        return tag_sets(&model, out);
    };
    if flags.switch("list_ops") {
        let tags = split_trimmed_tags(tag_set)?;
        let meta_graph = find_meta_graph(&model, &tags, &tags.join(","))?;
        ops(meta_graph, out)?;
    }
    match flags.text("signature_def") {
        None => {
            let meta_graph = find_meta_graph(&model, &split_tags(tag_set), tag_set)?;
            let keys = meta_graph.signature_keys()?;
            text::write_signature_keys(out, keys.iter().map(String::as_str))?;
        }
        Some(key) => {
            let tags = split_trimmed_tags(tag_set)?;
            let meta_graph = find_meta_graph(&model, &tags, &tags.join(","))?;
            let signatures = meta_graph.signatures()?;
            match signatures.get(key) {
                Some(signature) => text::write_signature(out, signature, "")?,
                None => {
                    let keys: Vec<&str> = signatures.keys().map(String::as_str).collect();
                    return Err(Failure::Message(format!(
                        "Could not find signature \"{key}\". Please choose from: {}",
                        keys.join(", ")
                    )));
                }
            }
        }
    }
    Ok(())
}

fn tag_sets(model: &SavedModel, out: &mut impl Write) -> Result<(), Failure> {
    let mut sets = Vec::new();
    for meta_graph in model.meta_graphs() {
        sets.push(meta_graph?.tags()?);
    }
    Ok(text::write_tag_sets(out, sets)?)
}

fn ops(meta_graph: MetaGraph<'_>, out: &mut impl Write) -> Result<(), Failure> {
    let graph = meta_graph.graph();
    let ops = Library::read(graph)?.ops(graph)?;
    Ok(text::write_ops(out, &meta_graph.tags()?, &ops)?)
}

fn all(model: &SavedModel, out: &mut impl Write) -> Result<(), Failure> {
    let mut meta_graphs = Vec::new();
    for meta_graph in model.meta_graphs() {
        let meta_graph = meta_graph?;
        meta_graphs.push((meta_graph.tags()?, meta_graph));
    }
    meta_graphs.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut objects = None;
    for (tags, meta_graph) in &meta_graphs {
        write!(
            out,
            "\nMetaGraphDef with tag-set: '{}' contains the following SignatureDefs:\n",
            tags.join(", ")
        )?;
        for (key, signature) in meta_graph.signatures()? {
            write!(out, "\nsignature_def['{key}']:\n")?;
            text::write_signature(out, &signature, "  ")?;
        }
        let graph = meta_graph.graph();
        let library = Library::read(graph)?;
        text::write_ops(out, tags, &library.ops(graph)?)?;
        if let Some(bytes) = meta_graph.object_graph_bytes()? {
            objects = Some((bytes, library));
        }
    }
    let Some((objects, library)) = objects else {
        return Ok(());
    };
    out.write_all(b"\nConcrete Functions:")?;
    // TensorFlow takes a model of several meta graphs for one of its first version, without objects.
    let listed = match meta_graphs.len() {
        1 => match SavedObjectGraph::decode(objects) {
            Ok(objects) => concrete_functions::list(&objects, &library, Strictness::Stock),
            Err(_) => Err(NotListed::Unknown),
        },
        _ => Err(NotListed::Unknown),
    };
    match listed {
        Ok(listed) => concrete_functions::write(out, &listed)?,
        Err(reason) => writeln!(out, "{}", reason.text())?,
    }
    Ok(())
}
