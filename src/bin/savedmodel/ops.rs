use std::io::{self, Write};

use savedmodel::inspect::{OpCensus, OpCount, OpLocation, OpOrigin, locate_op};
use savedmodel::{ErrorKind, Result};
use serde::Serialize;

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::meta_graphs::OfModel;
use crate::table::{Align, Table};
use crate::text::Escaped;
use crate::variables::counted;
use crate::{json, path};

/// `savedmodel ops`.
pub(crate) fn run(args: &args::Ops, out: &mut impl Write) -> Result<Outcome, Failure> {
    let model = path::model(&args.path)?;
    let tag_set = args.tag_set.as_deref();
    let Some(op) = &args.locate else {
        let report = OfModel::read(&model, tag_set, OpCensus::of)?;
        match args.json {
            true => json::document(out, "ops", 1, &report)?,
            false => report.write(out, write_census)?,
        }
        return Ok(Outcome::Sound);
    };
    let mut missing = None;
    let report = OfModel::read(&model, tag_set, |meta_graph| {
        let locations = match locate_op(meta_graph.graph(), op) {
            // It may be in another.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound { .. }) => {
                missing = Some(error);
                Vec::new()
            }
            locations => locations?,
        };
        let op = op.clone();
        Ok(Located { op, locations })
    })?;
    let found = report.meta_graphs.iter();
    if let Some(error) = missing
        && found.map(|of| of.report.locations.len()).sum::<usize>() == 0
    {
        return Err(error.into());
    }
    match args.json {
        true => json::document(out, "ops_where", 1, &report)?,
        false => report.write(out, write_locations)?,
    }
    Ok(Outcome::Sound)
}

/// What `--where` finds.
#[derive(Serialize)]
struct Located {
    op: String,
    locations: Vec<OpLocation>,
}

fn write_census<W: Write>(out: &mut W, census: &OpCensus) -> io::Result<()> {
    let mut ops: Vec<&OpCount> = census.ops.iter().collect();
    ops.sort_by_key(|op| std::cmp::Reverse(op.in_graph.saturating_add(op.in_functions)));
    let mut table = Table::new([
        ("op", Align::Left),
        ("graph", Align::Right),
        ("functions", Align::Right),
        ("since", Align::Left),
        ("", Align::Left),
        ("where", Align::Left),
    ]);
    let rows: Vec<[String; 6]> = ops.iter().map(|op| row(op)).collect();
    rows.iter().for_each(|row| table.measure(row));
    table.write_titles(out)?;
    for row in &rows {
        table.write(out, row)?;
    }
    writeln!(
        out,
        "\n{}; {} in the graph, {} in {}{}",
        counted(census.ops.len() as u64, "op"),
        counted(census.graph_nodes, "node"),
        census.function_nodes,
        counted(census.functions, "function"),
        match census.unreached_functions {
            0 => String::new(),
            unreached => format!(", {unreached} of which nothing calls"),
        }
    )?;
    write_releases(out, census)
}

fn write_releases<W: Write>(out: &mut W, census: &OpCensus) -> io::Result<()> {
    if !census.tensorflow_version.is_empty() {
        let version = Escaped(census.tensorflow_version.as_bytes());
        write!(out, "written by TensorFlow {version}, ")?;
    }
    write!(out, "graph format {}", census.producer)?;
    match census.producer_release {
        Some(release) if release.graph_def_version() == census.producer => {
            writeln!(out, " (that of {release})")?;
        }
        Some(release) => writeln!(out, " (before that of {release})")?,
        None => writeln!(out, " (later than that of all known releases)")?,
    }
    match census.oldest_release {
        Some(release) => {
            let earlier = match release.name() {
                "1.15" => " or an earlier one",
                _ => "",
            };
            write!(out, "needs at least TensorFlow {release}{earlier}")?;
        }
        None => write!(
            out,
            "asks for graph format {}, which no known release has",
            census.min_consumer
        )?,
    }
    match census.custom_ops().count() {
        0 => writeln!(out),
        1 => writeln!(out, ", and what registers 1 custom op"),
        custom => writeln!(out, ", and what registers {custom} custom ops"),
    }
}

fn row(op: &OpCount) -> [String; 6] {
    let mut remarks = Vec::new();
    match op.origin {
        OpOrigin::Custom => remarks.push("custom".to_owned()),
        OpOrigin::Function => remarks.push("function".to_owned()),
        _ => {}
    }
    if let Some(version) = op.deprecated {
        remarks.push(format!("deprecated by graph format {version}"));
    }
    match op.unreached {
        0 => {}
        all if all == op.in_functions && op.in_graph == 0 => remarks.push("never called".into()),
        some => remarks.push(format!("{some} never called")),
    }
    let mut places = Vec::new();
    if !op.first_nodes.is_empty() {
        places.push(first(&op.first_nodes, op.in_graph));
    }
    if !op.first_functions.is_empty() {
        places.push(format!(
            "in {}",
            first(&op.first_functions, op.function_count)
        ));
    }
    [
        Escaped(op.op.as_bytes()).to_string(),
        blank_if_none(op.in_graph),
        blank_if_none(op.in_functions),
        op.since.map(|since| since.to_string()).unwrap_or_default(),
        remarks.join(", "),
        places.join("; "),
    ]
}

/// So many places are named in the table.
const SHOWN: usize = 2;

fn first(names: &[String], count: u64) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| Escaped(name.as_bytes()).to_string())
        .collect();
    match count - shown.len() as u64 {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn blank_if_none(count: u64) -> String {
    match count {
        0 => String::new(),
        count => count.to_string(),
    }
}

fn write_locations<W: Write>(out: &mut W, located: &Located) -> io::Result<()> {
    let mut table = Table::new([
        ("node", Align::Left),
        ("function", Align::Left),
        ("device", Align::Left),
    ]);
    let row = |location: &OpLocation| {
        let function = location.function.as_deref().unwrap_or_default();
        [&location.node, function, &location.device]
            .map(|text| Escaped(text.as_bytes()).to_string())
    };
    located
        .locations
        .iter()
        .for_each(|location| table.measure(&row(location)));
    table.write_titles(out)?;
    for location in &located.locations {
        table.write(out, &row(location))?;
    }
    Ok(())
}
