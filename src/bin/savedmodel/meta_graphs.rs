use std::io::{self, Write};

use savedmodel::{MetaGraph, Result, SavedModel};
use serde::Serialize;

use crate::show;
use crate::text::Escaped;

/// What a command reports of one meta graph.
#[derive(Serialize)]
pub(crate) struct OfMetaGraph<R> {
    /// The tags by which it is found.
    pub(crate) tags: Vec<String>,
    #[serde(flatten)]
    pub(crate) report: R,
}

/// What a command reports of a model.
#[derive(Serialize)]
pub(crate) struct OfModel<R> {
    path: String,
    pub(crate) meta_graphs: Vec<OfMetaGraph<R>>,
}

impl<R> OfModel<R> {
    /// Reports on the meta graph of these tags, or on all.
    pub(crate) fn read(
        model: &SavedModel,
        tag_set: Option<&str>,
        mut report: impl FnMut(MetaGraph<'_>) -> Result<R>,
    ) -> Result<Self> {
        let meta_graphs = match tag_set {
            Some(tags) => vec![show::tagged(model, tags)?],
            None => model.meta_graphs().collect::<Result<Vec<_>>>()?,
        };
        if meta_graphs.is_empty() {
            // The answer says what the file is instead.
            show::tagged(model, "")?;
        }
        let reports = meta_graphs.into_iter().map(|meta_graph| {
            Ok(OfMetaGraph {
                tags: meta_graph.tags()?.into_iter().map(str::to_owned).collect(),
                report: report(meta_graph)?,
            })
        });
        Ok(OfModel {
            path: model.path().to_string_lossy().into_owned(),
            meta_graphs: reports.collect::<Result<_>>()?,
        })
    }

    /// Writes each report as text; with the tags before it if there are several.
    pub(crate) fn write<W: Write>(
        &self,
        out: &mut W,
        mut write: impl FnMut(&mut W, &R) -> io::Result<()>,
    ) -> io::Result<()> {
        for (index, of) in self.meta_graphs.iter().enumerate() {
            if self.meta_graphs.len() > 1 {
                if index > 0 {
                    writeln!(out)?;
                }
                let tags = of.tags.join(", ");
                writeln!(out, "meta graph '{}'", Escaped(tags.as_bytes()))?;
            }
            write(out, &of.report)?;
        }
        Ok(())
    }
}
