use std::io::Write;

use savedmodel::inspect::SignatureReport;
use savedmodel::{MetaGraph, Result, SavedModel};
use serde::Serialize;

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::json;

/// What `savedmodel show --json` prints.
#[derive(Serialize)]
struct Document {
    path: String,
    meta_graphs: Vec<Shown>,
}

/// One meta graph, as far as was asked.
#[derive(Serialize)]
struct Shown {
    tags: Vec<String>,
    signatures: Vec<SignatureReport>,
}

pub(super) fn write(
    args: &args::Show,
    model: &SavedModel,
    meta_graphs: &[MetaGraph<'_>],
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let shown = meta_graphs.iter().map(|graph| read(args, *graph));
    let document = Document {
        path: model.path().to_string_lossy().into_owned(),
        meta_graphs: shown.collect::<Result<_>>()?,
    };
    json::document(out, "show", 1, &document)?;
    Ok(Outcome::Sound)
}

fn read(args: &args::Show, meta_graph: MetaGraph<'_>) -> Result<Shown> {
    let signatures = match &args.signature {
        Some(key) => vec![SignatureReport::of(key, &meta_graph.signature(key)?)],
        None => {
            let signatures = meta_graph.signatures()?;
            let reports = signatures
                .iter()
                .map(|(key, signature)| SignatureReport::of(key, signature));
            reports.collect()
        }
    };
    Ok(Shown {
        tags: meta_graph.tags()?.into_iter().map(str::to_owned).collect(),
        signatures,
    })
}
