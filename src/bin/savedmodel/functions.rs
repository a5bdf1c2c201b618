use std::fmt::{self, Display};
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
        // There may be a million strings in it, and the process is about to end.
        std::mem::forget(report);
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
    let called_by_graph = ["the graph".to_owned()];
    let callers = match function.called_by_graph {
        true => &called_by_graph[..],
        false => &[],
    };
    for (what, first, names) in [
        ("object", &[][..], &function.objects),
        ("called by", callers, &function.called_by),
        ("calls", &[], &function.calls),
        ("gradient", &[], &function.gradients),
    ] {
        let names = first.iter().chain(names);
        if names.clone().next().is_some() {
            let names = names.map(|name| Escaped(name.as_bytes()));
            writeln!(out, "    {what}: {}", First(names))?;
        }
    }
    Ok(())
}

fn arguments(arguments: &[FunctionArgument]) -> impl Display {
    First(arguments.iter().map(|argument| {
        let (name, type_text) = (argument.name.as_bytes(), argument.type_text.as_bytes());
        format!("{}: {}", Escaped(name), Escaped(type_text))
    }))
}

/// So many arguments, callers and so on are named; `--json` has all.
const SHOWN: usize = 8;

/// Shows the first of some things.
struct First<I>(I);

impl<I: Iterator<Item: Display> + Clone> Display for First<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.clone();
        for (i, shown) in rest.by_ref().take(SHOWN).enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            shown.fmt(f)?;
        }
        match rest.count() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
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
        let inputs = node.inputs.iter().map(|name| Escaped(name.as_bytes()));
        let mut inputs = First(inputs).to_string();
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
