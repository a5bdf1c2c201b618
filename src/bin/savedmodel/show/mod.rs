//! What a model holds, as text: tag sets, signatures, ops, functions, and what it expects in examples.
//!
//! The words are the stock tool's, for both personas. `savedmodel show` writes names so that they are
//! safe on a terminal, and tells what the stock tool cannot.

mod concrete_functions;
mod document;
mod library;
pub(crate) mod text;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Write;

use savedmodel::{MetaGraph, Result, SavedModel};

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::path;
use crate::text::Escaped;
use concrete_functions::NotListed;
use library::Library;

/// Whose output it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// The stock tool's, to the byte.
    Stock,
    /// Our own.
    Plain,
}

impl Style {
    /// Returns a name from the model as it is written.
    pub(crate) fn name(self, name: &str) -> Cow<'_, str> {
        match self {
            Style::Stock => name.into(),
            Style::Plain => Escaped(name.as_bytes()).to_string().into(),
        }
    }
}

/// `savedmodel show`.
pub(crate) fn run(args: &args::Show, out: &mut impl Write) -> Result<Outcome, Failure> {
    const STYLE: Style = Style::Plain;
    let model = path::model(&args.path)?;
    if args.json {
        let meta_graphs = match &args.tag_set {
            Some(tags) => vec![tagged(&model, tags)?],
            None if args.signature.is_some() => vec![only_meta_graph(&model)?],
            None => model.meta_graphs().collect::<Result<_>>()?,
        };
        return document::write(args, &model, &meta_graphs, out);
    }
    if args.all {
        all(&model, STYLE, out)?;
        return Ok(Outcome::Sound);
    }
    if args.tag_set.is_none() && !args.ops && args.signature.is_none() {
        tag_sets(&model, out)?;
        return Ok(Outcome::Sound);
    }
    let meta_graph = match &args.tag_set {
        Some(tags) => tagged(&model, tags)?,
        None => only_meta_graph(&model)?,
    };
    if args.ops {
        ops(meta_graph, out)?;
    }
    match &args.signature {
        Some(key) => {
            text::write_signature(out, &meta_graph.signature(key)?, "", STYLE)?;
        }
        None if args.ops => {}
        None => text::write_signature_keys(out, &meta_graph.signature_keys()?, STYLE)?,
    }
    Ok(Outcome::Sound)
}

/// Finds the meta graph of tags with commas between them.
pub(crate) fn tagged<'m>(model: &'m SavedModel, tags: &str) -> Result<MetaGraph<'m>> {
    model.meta_graph(tags.split(',').map(str::trim).filter(|t| !t.is_empty()))
}

pub(crate) fn only_meta_graph(model: &SavedModel) -> Result<MetaGraph<'_>, Failure> {
    let mut meta_graphs = model.meta_graphs();
    match (meta_graphs.next(), meta_graphs.next()) {
        (Some(only), None) => Ok(only?),
        (Some(_), _) => {
            // The answer to a set that the model has not names those that it has.
            let sets = match tagged(model, "") {
                Err(error) => error.help().map(str::to_owned),
                Ok(_) => None,
            };
            let sets = sets.unwrap_or_else(|| "the model has several meta graphs".to_owned());
            Err(Failure::Usage(
                format!("{sets}: --tag-set says which is meant").into(),
            ))
        }
        (None, _) => Ok(tagged(model, "")?),
    }
}

/// Writes the tag sets of all meta graphs.
pub(crate) fn tag_sets(model: &SavedModel, out: &mut impl Write) -> Result<(), Failure> {
    let mut sets = Vec::new();
    for meta_graph in model.meta_graphs() {
        sets.push(meta_graph?.tags()?);
    }
    Ok(text::write_tag_sets(out, sets)?)
}

/// Writes the ops of a meta graph.
pub(crate) fn ops(meta_graph: MetaGraph<'_>, out: &mut impl Write) -> Result<(), Failure> {
    let ops = stock_ops(meta_graph)?;
    Ok(text::write_ops(out, &meta_graph.tags()?, &ops)?)
}

/// Returns the ops that the stock tool finds in a meta graph.
pub(crate) fn stock_ops(meta_graph: MetaGraph<'_>) -> Result<BTreeSet<&str>> {
    let graph = meta_graph.graph();
    Library::read(graph)?.ops(graph)
}

/// Writes everything there is to show.
pub(crate) fn all(model: &SavedModel, style: Style, out: &mut impl Write) -> Result<(), Failure> {
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
            style.name(&tags.join(", "))
        )?;
        for (key, signature) in meta_graph.signatures()? {
            write!(out, "\nsignature_def['{}']:\n", style.name(&key))?;
            text::write_signature(out, &signature, "  ", style)?;
        }
        let graph = meta_graph.graph();
        let library = Library::read(graph)?;
        text::write_ops(out, tags, &library.ops(graph)?)?;
        if style == Style::Plain {
            write_parsing_specs(*meta_graph, out)?;
        }
        if meta_graph.has_object_graph()? {
            objects = Some((meta_graph.object_graph(), library));
        }
    }
    let Some((objects, library)) = objects else {
        return Ok(());
    };
    out.write_all(b"\nConcrete Functions:")?;
    let listed = match objects {
        // TensorFlow takes a model of several meta graphs for one of its first version, without
        // objects.
        Ok(_) if style == Style::Stock && meta_graphs.len() > 1 => Err(NotListed::Unknown),
        Ok(Some(objects)) => concrete_functions::list(&objects, &library, style),
        _ => Err(NotListed::Unknown),
    };
    match listed {
        Ok(listed) => {
            concrete_functions::write(out, &listed, style)?;
            if style == Style::Plain && listed.is_empty() {
                writeln!(out)?;
            }
        }
        Err(reason) => writeln!(out, "{}", reason.text())?,
    }
    Ok(())
}

/// Writes what a meta graph takes out of serialized examples.
fn write_parsing_specs(meta_graph: MetaGraph<'_>, out: &mut impl Write) -> Result<(), Failure> {
    for spec in meta_graph.parsing_specs()? {
        write!(
            out,
            "\nThe MetaGraph parses tf.{} at node '{}'",
            match spec.takes_sequences() {
                true => "SequenceExample",
                false => "Example",
            },
            Escaped(spec.node().as_bytes())
        )?;
        if let Some(function) = spec.function() {
            write!(out, " of function '{}'", Escaped(function.as_bytes()))?;
        }
        writeln!(out, ":")?;
        // The first line names the node.
        for line in spec.to_string().lines().skip(1) {
            writeln!(out, "{}", Escaped(line.as_bytes()))?;
        }
    }
    Ok(())
}
