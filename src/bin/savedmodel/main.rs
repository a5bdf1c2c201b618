//! The command line tool.
//!
//! | part | holds |
//! |---|---|
//! | `args` | the command line |
//! | `failure` | what ends a command early, and its exit code |
//! | `overview` | a model or a checkpoint at a glance |
//! | `path` | from PATH to what is opened |
//! | `variables` | `savedmodel variables` |
//! | `table` | text in columns |
//! | `element` | elements of tensors, as text and as JSON |
//! | `decimal` | numbers in as few digits as tell them apart |
//! | `text` | text that is safe on a terminal |
//! | `json` | JSON, written as it comes |
//! | `show` | what a model holds, as the stock tool words it |
//! | `meta_graphs` | which meta graphs are meant |
//! | `ops`, `functions` | what a graph is made of |
//! | `objects` | the objects of a model as a tree |
//! | `signature` | one signature, and requests to try it |
//! | `versions` | versions of a model, for TensorFlow Serving |
//! | `python` | values as Python shows them |
//! | `stock` | the persona of TensorFlow's own tool |

mod args;
mod decimal;
mod element;
mod failure;
mod functions;
mod json;
mod meta_graphs;
mod objects;
mod ops;
mod overview;
mod path;
mod python;
mod show;
mod signature;
mod stock;
mod table;
mod text;
mod variables;
mod versions;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use failure::{Failure, Outcome};

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let called = words.next().map(PathBuf::from);
    if called.is_some_and(|path| path.file_stem() == Some(STOCK_NAME.as_ref())) {
        return stock::main(words);
    }
    if words.next().is_some_and(|word| word == "compat") {
        return stock::main(words);
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let word = std::env::args_os().nth(1).unwrap_or_default();
            if error.use_stderr()
                && let Err(failure) = path::check_command(word.as_ref())
            {
                complain(&failure.to_string());
                return failure.exit_code();
            }
            // Help, too, comes as an error; where it goes to may be closed.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let Some(command) = arguments.into_command() else {
        // Without any argument there was help instead.
        return ExitCode::from(2);
    };
    let result = match command {
        Command::Overview(overview) => overview::run(&overview, &mut out),
        Command::Variables(variables) => variables::run(&variables, &mut out),
        Command::Show(show) => show::run(&show, &mut out),
        Command::Ops(args) => ops::run(&args, &mut out),
        Command::Objects(args) => objects::run(&args, &mut out),
        Command::Functions(args) => functions::run(&args, &mut out),
        Command::Signature(args) => signature::run(&args, &mut out),
        Command::Versions(args) => versions::run(&args, &mut out),
        Command::Schema => out
            .write_all(SCHEMA.as_bytes())
            .map(|()| Outcome::Sound)
            .map_err(Failure::from),
    };
    let result = result.and_then(|outcome| {
        out.flush()?;
        Ok(outcome)
    });
    match result {
        Ok(Outcome::Sound) => ExitCode::SUCCESS,
        Ok(Outcome::Damaged(what)) => {
            complain(&what);
            ExitCode::from(1)
        }
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            // What was found before comes before.
            let _ = out.flush();
            complain(&failure.to_string());
            failure.exit_code()
        }
    }
}

/// Describes every document that `--json` prints, in JSON Schema.
const SCHEMA: &str = include_str!("schema.json");

/// Under this name the binary is TensorFlow's own tool.
const STOCK_NAME: &str = "saved_model_cli";

/// Writes one line to standard error.
fn complain(message: &str) {
    let _ = writeln!(
        io::stderr(),
        "savedmodel: {}",
        text::Escaped(message.as_bytes())
    );
}
