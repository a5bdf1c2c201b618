//! `savedmodel scan`.

mod sarif;

use std::collections::BTreeMap;
use std::io::Write;

use savedmodel::scan::{Finding, Policy, ScanReport, Severity, Verdict};
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::text::{Escaped, Quoted};
use crate::variables::counted;
use crate::{args, json, path, show};

pub(crate) fn run(args: &args::Scan, out: &mut impl Write) -> Result<Outcome, Failure> {
    let policy = policy(args)?;
    let model = path::model(&args.path)?;
    let report = match &args.tag_set {
        Some(tags) => ScanReport::of_meta_graphs(&model, [show::tagged(&model, tags)?], &policy)?,
        None => ScanReport::of(&model, &policy)?,
    };
    if args.sarif {
        sarif::write(out, &model, &report)?;
    } else if args.json {
        #[derive(Serialize)]
        struct Scanned<'r> {
            path: String,
            #[serde(flatten)]
            report: &'r ScanReport,
        }
        let path = model.path().to_string_lossy().into_owned();
        let report = &report;
        json::document(out, "scan", 1, &Scanned { path, report })?;
    } else {
        write_text(out, &report)?;
    }
    Ok(match report.refused {
        true => Outcome::Damaged(refusal(&report)),
        false => Outcome::Sound,
    })
}

fn policy(args: &args::Scan) -> Result<Policy, Failure> {
    let usage = |error: savedmodel::Error| Failure::Usage(error.to_string().into());
    let mut policy = match &args.policy {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::Usage(format!("{}: {error}", path.display()).into()))?;
            Policy::parse(&text)
                .map_err(|error| Failure::Usage(format!("{}: {error}", path.display()).into()))?
        }
        None => Policy::default(),
    };
    match args.fail_on.as_deref() {
        None => {}
        Some("none") => policy.set_fail_on(None),
        Some(severity) => policy.set_fail_on(Some(severity.parse().map_err(usage)?)),
    }
    for name in &args.deny {
        policy.deny(name).map_err(usage)?;
    }
    for name in &args.allow {
        policy.allow(name).map_err(usage)?;
    }
    Ok(policy)
}

fn refusal(report: &ScanReport) -> String {
    let findings = report.findings.iter();
    let denied = findings.filter(|finding| finding.verdict == Verdict::Denied);
    let denied = denied.count() as u64;
    let gate = report.fail_on.map(|from| {
        let counts = report.counts.iter().skip(from as usize);
        (from, counts.sum::<u64>())
    });
    match gate {
        Some((from, count)) if count > denied => {
            let worse = match from {
                Severity::Critical => "",
                _ => " or worse",
            };
            format!("refused: {} {from}{worse}", counted(count, "finding"))
        }
        _ => format!("refused: {} denied", counted(denied, "finding")),
    }
}

fn write_text<W: Write>(out: &mut W, report: &ScanReport) -> Result<(), Failure> {
    // What is worth knowing is summed up below.
    let is_shown = |finding: &&Finding| {
        finding.verdict != Verdict::Allowed && finding.severity > Severity::Info
    };
    for finding in report.findings.iter().filter(is_shown) {
        let denied = match finding.verdict {
            Verdict::Denied => ", denied",
            _ => "",
        };
        writeln!(
            out,
            "{}: {}{denied}: {}",
            finding.severity,
            finding.capability,
            Escaped(finding.message.as_bytes())
        )?;
        writeln!(out, "    {}", Escaped(finding.place().as_bytes()))?;
        if !finding.arguments.is_empty() {
            let arguments = finding.arguments.iter();
            let arguments: Vec<String> = arguments
                .map(|argument| Quoted(argument.as_bytes()).to_string())
                .collect();
            writeln!(out, "    with {}", arguments.join(", "))?;
        }
    }
    write_summed_up(out, "info", report, |finding| {
        finding.verdict != Verdict::Allowed && finding.severity == Severity::Info
    })?;
    write_summed_up(out, "allowed", report, |finding| {
        finding.verdict == Verdict::Allowed
    })?;
    if report.omitted > 0 {
        writeln!(out, "{} more are not listed", report.omitted)?;
    }
    let counts = Severity::ALL.iter().zip(report.counts).rev();
    let counts: Vec<String> = counts
        .filter(|(_, count)| *count > 0)
        .map(|(severity, count)| format!("{count} {severity}"))
        .collect();
    let found = match counts.is_empty() {
        true => "nothing found".to_owned(),
        false => counts.join(", "),
    };
    writeln!(out, "{found}; {} looked at", counted(report.nodes, "node"))?;
    Ok(())
}

/// Writes a line for each capability: which ops, and how often.
fn write_summed_up<W: Write>(
    out: &mut W,
    title: &str,
    report: &ScanReport,
    is_meant: impl Fn(&Finding) -> bool,
) -> Result<(), Failure> {
    let mut capabilities: BTreeMap<_, BTreeMap<&str, u64>> = BTreeMap::new();
    for finding in report.findings.iter().filter(|finding| is_meant(finding)) {
        let ops = capabilities.entry(finding.capability).or_default();
        let what = finding.op.as_deref().unwrap_or(&finding.name);
        *ops.entry(what).or_default() += 1;
    }
    for (capability, ops) in capabilities {
        let more = ops.len().saturating_sub(SHOWN);
        let mut ops: Vec<String> = ops
            .into_iter()
            .take(SHOWN)
            .map(|(op, count)| match count {
                1 => Escaped(op.as_bytes()).to_string(),
                _ => format!("{} ({count})", Escaped(op.as_bytes())),
            })
            .collect();
        if more > 0 {
            ops.push(format!("{more} more"));
        }
        writeln!(out, "{title}: {capability}: {}", ops.join(", "))?;
    }
    Ok(())
}

/// So many ops are named for a capability.
const SHOWN: usize = 10;
