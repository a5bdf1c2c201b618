//! The command line tool.
//!
//! | part | holds |
//! |---|---|
//! | `args` | the command line |
//! | `failure` | what ends a command early, and its exit code |
//! | `variables` | `savedmodel variables` |
//! | `table` | text in columns |
//! | `element` | elements of tensors, as text and as JSON |
//! | `decimal` | numbers in as few digits as tell them apart |
//! | `text` | text that is safe on a terminal |
//! | `json` | JSON, written as it comes |

mod args;
mod decimal;
mod element;
mod failure;
mod json;
mod table;
mod text;
mod variables;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use failure::{Failure, Outcome};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help, too, comes as an error; where it goes to may be closed.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let result = match &arguments.command {
        Command::Variables(variables) => variables::run(variables, &mut out),
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

/// Writes one line to standard error.
fn complain(message: &str) {
    let _ = writeln!(
        io::stderr(),
        "savedmodel: {}",
        text::Escaped(message.as_bytes())
    );
}
