use std::collections::BTreeSet;
use std::io::{self, Write};

use savedmodel::SavedModel;
use savedmodel::scan::{Capability, Finding, ScanReport, Severity, Verdict};
use serde_json::{Value, json};

/// Writes the findings as SARIF 2.1.0, which code scanners exchange: a rule for each capability, a
/// result for each finding.
pub(super) fn write(
    out: &mut impl Write,
    model: &SavedModel,
    report: &ScanReport,
) -> io::Result<()> {
    let found: BTreeSet<Capability> = report
        .findings
        .iter()
        .map(|finding| finding.capability)
        .collect();
    let rules: Vec<Value> = found.iter().copied().map(rule).collect();
    let file = model.model_path().file_name().unwrap_or_default();
    let file = encoded(&file.to_string_lossy());
    let results: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| result(finding, &file, &found))
        .collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "savedmodel",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": { "MODEL": {
                "description": { "text": "The directory of the SavedModel." },
            }},
            "artifacts": [{ "location": { "uri": file, "uriBaseId": "MODEL" } }],
            "results": results,
            "properties": {
                "nodes": report.nodes,
                "omitted": report.omitted,
                "refused": report.refused,
            },
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn rule(capability: Capability) -> Value {
    json!({
        "id": capability.name(),
        "shortDescription": { "text": capability.description() },
        "defaultConfiguration": { "level": level(capability.severity()) },
        "properties": { "tags": ["security"], "security-severity": score(capability.severity()) },
    })
}

fn result(finding: &Finding, file: &str, rules: &BTreeSet<Capability>) -> Value {
    let index = rules.iter().position(|rule| *rule == finding.capability);
    let is_keras = finding.tags.is_none() && finding.capability == Capability::KerasLambda;
    let uri = match is_keras {
        true => "keras_metadata.pb",
        false => file,
    };
    let full = match &finding.function {
        Some(function) => format!("{function}/{}", finding.name),
        None => finding.name.clone(),
    };
    let mut text = format!("{}: {}", finding.message, finding.place());
    if !finding.arguments.is_empty() {
        text += &format!(" with {:?}", finding.arguments);
    }
    let mut result = json!({
        "ruleId": finding.capability.name(),
        "ruleIndex": index,
        "level": level(finding.severity),
        "message": { "text": text },
        "locations": [{
            "physicalLocation": { "artifactLocation": { "uri": uri, "uriBaseId": "MODEL" } },
            "logicalLocations": [{
                "name": finding.name,
                "fullyQualifiedName": full,
                "kind": match finding.op {
                    Some(_) => "node",
                    None => "object",
                },
            }],
        }],
        "properties": {
            "severity": finding.severity.name(),
            "security-severity": score(finding.severity),
            "tags": finding.tags,
            "op": finding.op,
            "arguments": finding.arguments,
        },
    });
    if finding.tags.is_none()
        && let Some(properties) = result["properties"].as_object_mut()
    {
        // In a bag of properties, tags are a list.
        properties.remove("tags");
    }
    if finding.verdict == Verdict::Allowed {
        result["suppressions"] = json!([{
            "kind": "external",
            "justification": "The policy allows it.",
        }]);
    }
    result
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info | Severity::Low => "note",
        Severity::Medium => "warning",
        Severity::High | Severity::Critical => "error",
    }
}

/// The scale on which code scanners sort: that of CVSS.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "0.0",
        Severity::Low => "2.0",
        Severity::Medium => "5.0",
        Severity::High => "8.0",
        Severity::Critical => "9.5",
    }
}

/// Encodes a name as a part of a URI.
fn encoded(name: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    name.bytes()
        .map(|byte| match is_plain(&byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}
