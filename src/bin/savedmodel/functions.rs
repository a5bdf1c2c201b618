use std::io::{self, Write};

use savedmodel::inspect::{FunctionArgument, FunctionBody, FunctionLibrary, FunctionReport, Reach};
use savedmodel::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::meta_graphs::OfModel;
use crate::table::{Align, Table};
use crate::text::Escaped;
use crate::variables::counted;
use crate::{json, path};

/// `savedmodel functions`.
pub(crate) fn run(args: &args::Functions, out: &mut impl Write) -> Result<Outcome, Failure> {
    let model = path::model(&args.path)?;
    let tag_set = args.tag_set.as_deref();
    let Some(name) = &args.function else {
        let report = OfModel::read(&model, tag_set, FunctionLibrary::of)?;
        match args.json {
            true => json::document(out, "functions", 1, &report)?,
            false => report.write(out, write_library)?,
        }
        return Ok(Outcome::Sound);
    };
    let mut missing: Option<Error> = None;
    let mut report = OfModel::read(&model, tag_set, |meta_graph| {
        let body = match FunctionBody::of(meta_graph, name) {
            // It may be in another.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound { .. }) => {
                missing = Some(error);
                None
            }
            body => Some(body?),
        };
        Ok(Found { body })
    })?;
    report.meta_graphs.retain(|of| of.report.body.is_some());
    if let Some(error) = missing
        && report.meta_graphs.is_empty()
    {
        return Err(error.into());
    }
    match args.json {
        true => json::document(out, "function", 1, &report)?,
        false => report.write(out, |out, found| match &found.body {
            Some(body) => write_body(out, body),
            None => Ok(()),
        })?,
    }
    Ok(Outcome::Sound)
}

/// A function that was asked for by name, where a meta graph has it.
#[derive(Serialize)]
struct Found {
    #[serde(flatten)]
    body: Option<FunctionBody>,
}

fn write_library<W: Write>(out: &mut W, library: &FunctionLibrary) -> io::Result<()> {
    for function in &library.functions {
        write_function(out, function)?;
    }
    writeln!(
        out,
        "{}{} with {}, {} bytes{}",
        if library.functions.is_empty() {
            ""
        } else {
            "\n"
        },
        counted(library.functions.len() as u64, "function"),
        counted(library.nodes, "node"),
        library.bytes,
        match library.unreached_functions {
            0 => String::new(),
            unreached => format!("; nothing calls {unreached} of them"),
        }
    )
}

fn write_function<W: Write>(out: &mut W, function: &FunctionReport) -> io::Result<()> {
    writeln!(
        out,
        "{}({}) -> ({})",
        Escaped(function.name.as_bytes()),
        arguments(&function.arguments),
        arguments(&function.results)
    )?;
    writeln!(
        out,
        "    {}, {} bytes{}{}",
        counted(function.nodes, "node"),
        function.bytes,
        if function.stateful { ", stateful" } else { "" },
        match function.reach {
            Reach::Nothing => ", never called",
            Reach::Objects => ", called from Python alone",
            Reach::Gradients => ", called in training alone",
            _ => "",
        }
    )?;
    let mut callers = Vec::new();
    if function.called_by_graph {
        callers.push("the graph".to_owned());
    }
    callers.extend(escaped(&function.called_by));
    for (what, names) in [
        ("object", escaped(&function.objects)),
        ("called by", callers),
        ("calls", escaped(&function.calls)),
        ("gradient", escaped(&function.gradients)),
    ] {
        if !names.is_empty() {
            writeln!(out, "    {what}: {}", first(&names))?;
        }
    }
    Ok(())
}

fn arguments(arguments: &[FunctionArgument]) -> String {
    let arguments: Vec<String> = arguments
        .iter()
        .map(|argument| {
            let text = format!("{}: {}", argument.name, argument.type_text);
            Escaped(text.as_bytes()).to_string()
        })
        .collect();
    first(&arguments)
}

fn escaped(names: &[String]) -> Vec<String> {
    names
        .iter()
        .map(|name| Escaped(name.as_bytes()).to_string())
        .collect()
}

/// So many arguments, callers and so on are named; `--json` has all.
const SHOWN: usize = 8;

fn first(names: &[String]) -> String {
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn write_body<W: Write>(out: &mut W, body: &FunctionBody) -> io::Result<()> {
    write_function(out, &body.function)?;
    writeln!(out)?;
    let mut table = Table::new([
        ("node", Align::Left),
        ("op", Align::Left),
        ("inputs", Align::Left),
    ]);
    let nodes = body.nodes.iter().map(|node| {
        let mut inputs = first(&escaped(&node.inputs));
        if !node.device.is_empty() {
            inputs = format!("{inputs} on {}", Escaped(node.device.as_bytes()));
        }
        let [name, op] = [&node.name, &node.op].map(|text| Escaped(text.as_bytes()).to_string());
        [name, op, inputs]
    });
    let returns = body.returns.iter().map(|it| {
        let [result, output] =
            [&it.result, &it.output].map(|text| Escaped(text.as_bytes()).to_string());
        [result, "return".to_owned(), output]
    });
    let rows: Vec<[String; 3]> = nodes.chain(returns).collect();
    rows.iter().for_each(|row| table.measure(row));
    table.write_titles(out)?;
    for row in &rows {
        table.write(out, row)?;
    }
    Ok(())
}
