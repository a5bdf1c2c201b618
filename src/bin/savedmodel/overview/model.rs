use std::io::{self, Write};

use savedmodel::inspect::{FingerprintReport, MetaGraphReport, ModelOverview, SignatureReport};

use super::page::{counted, line, oddities, parameters, size, tensors};

/// So many signatures of a meta graph are shown with inputs and outputs; of more the names alone.
const MAX_SIGNATURES: usize = 12;

/// Inputs or outputs stand in one line up to so many columns.
const MAX_TENSORS: usize = 80;

pub(super) fn write(overview: &ModelOverview, out: &mut impl Write) -> io::Result<()> {
    let form = if overview.is_text { ", as text" } else { "" };
    line(out, "model", &format!("{}{form}", overview.path))?;
    if let Some(writer) = &overview.writer {
        let version = match (&*writer.tensorflow_version, writer.producer) {
            ("", 0) => "an unknown version of TensorFlow".to_owned(),
            ("", producer) => format!("TensorFlow of graph version {producer}"),
            (version, _) => format!("TensorFlow {version}"),
        };
        let git = match &*writer.tensorflow_git_version {
            "" | "unknown" => String::new(),
            git => format!(" ({git})"),
        };
        line(out, "written by", &format!("{version}{git}"))?;
        let evidence = match writer.evidence.is_empty() {
            true => String::new(),
            false => format!(": {}", writer.evidence.join("; ")),
        };
        let title = writer.framework.title();
        line(out, "saved from", &format!("{title}{evidence}"))?;
    }
    for meta_graph in &overview.meta_graphs {
        write_meta_graph(meta_graph, out)?;
    }
    if let Some(of) = &overview.parameters {
        parameters(out, of)?;
    }
    match &overview.variables {
        Some(of) => tensors(out, of)?,
        None => line(out, "variables", "none")?,
    }
    line(out, "files", &files(overview))?;
    if let Some(fingerprint) = &overview.fingerprint {
        write_fingerprint(fingerprint, out)?;
    }
    oddities(out, &overview.oddities)
}

fn files(overview: &ModelOverview) -> String {
    let files = &overview.files;
    let mut text = format!(
        "program {}, variables {}",
        size(files.program),
        size(files.variables)
    );
    for (name, count, bytes) in [
        ("assets", files.asset_files, files.assets),
        ("assets.extra", files.assets_extra_files, files.assets_extra),
    ] {
        if count > 0 {
            text += &format!(", {name} {} in {}", size(bytes), counted(count, "file"));
        }
    }
    text
}

fn write_meta_graph(report: &MetaGraphReport, out: &mut impl Write) -> io::Result<()> {
    let tags = match report.tags.is_empty() {
        true => "(none)".to_owned(),
        false => report.tags.join(", "),
    };
    line(out, "tags", &tags)?;
    let (shown, others) = report
        .signatures
        .split_at(report.signatures.len().min(MAX_SIGNATURES));
    for (i, signature) in shown.iter().enumerate() {
        let label = if i == 0 { "signatures" } else { "" };
        write_signature(label, signature, out)?;
    }
    if !others.is_empty() {
        let keys: Vec<&str> = others.iter().map(|it| &*it.key).collect();
        line(out, "", &format!("and {}: {}", keys.len(), keys.join(", ")))?;
    }
    let mut text = counted(report.nodes, "node");
    if report.functions > 0 {
        text += &format!(
            ", {} with {}",
            counted(report.functions, "function"),
            counted(report.function_nodes, "node")
        );
    }
    text += &format!(", {}", counted(report.ops, "op"));
    if report.constant_bytes >= 1 << 20 {
        text += &format!(", {} of constants", size(report.constant_bytes));
    }
    if let Some(objects) = report.objects {
        text += &format!("; {}", counted(objects, "object"));
    }
    line(out, "graph", &text)
}

fn write_signature(
    label: &str,
    signature: &SignatureReport,
    out: &mut impl Write,
) -> io::Result<()> {
    line(out, label, &signature.key)?;
    for (arrow, tensors) in [("in ", &signature.inputs), ("out", &signature.outputs)] {
        let texts: Vec<String> = tensors.iter().map(ToString::to_string).collect();
        let joined = match &texts[..] {
            [] => "nothing".to_owned(),
            texts => texts.join(", "),
        };
        if joined.len() <= MAX_TENSORS {
            line(out, "", &format!("  {arrow}  {joined}"))?;
            continue;
        }
        for (i, text) in texts.iter().enumerate() {
            let arrow = if i == 0 { arrow } else { "   " };
            line(out, "", &format!("  {arrow}  {text}"))?;
        }
    }
    Ok(())
}

fn write_fingerprint(fingerprint: &FingerprintReport, out: &mut impl Write) -> io::Result<()> {
    let text = format!("model {}", fingerprint.saved_model_checksum);
    line(out, "fingerprint", &text)?;
    for (name, hash) in [
        ("graph", &fingerprint.graph_def_program_hash),
        ("signatures", &fingerprint.signature_def_hash),
        ("objects", &fingerprint.saved_object_graph_hash),
        ("variables", &fingerprint.checkpoint_hash),
        ("uuid", &fingerprint.uuid),
    ] {
        if !hash.is_empty() {
            line(out, "", &format!("{name} {hash}"))?;
        }
    }
    Ok(())
}
