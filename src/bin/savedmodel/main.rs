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
//! | `terminal` | colours, and the width of lines |
//! | `progress` | how far work has come |
//! | `completions`, `man` | what shells and the manual know of the command line |
//! | `element` | elements of tensors, as text and as JSON |
//! | `decimal` | numbers in as few digits as tell them apart |
//! | `text` | text that is safe on a terminal |
//! | `json` | JSON, written as it comes |
//! | `run` | signatures, run, and the inputs for them |
//! | `scan` | what a model can do besides computing |
//! | `show` | what a model holds, as the stock tool words it |
//! | `meta_graphs` | which meta graphs are meant |
//! | `ops`, `functions` | what a graph is made of |
//! | `objects` | the objects of a model as a tree |
//! | `convert` | models and tensors in other forms and formats |
//! | `signature` | one signature, and requests to try it |
//! | `merge`, `salvage`, `recover` | bundles, made of others |
//! | `fingerprint` | the identity of a model |
//! | `fault` | what is wrong, as documents have it |
//! | `versions` | versions of a model, for TensorFlow Serving |
//! | `python` | values as Python shows them |
//! | `stock` | the persona of TensorFlow's own tool |

mod args;
mod completions;
mod convert;
mod decimal;
mod element;
mod failure;
mod fault;
mod fingerprint;
mod functions;
mod json;
mod man;
mod merge;
mod meta_graphs;
mod objects;
mod ops;
mod overview;
mod path;
mod progress;
mod python;
mod recover;
mod run;
mod salvage;
mod scan;
mod show;
mod signature;
mod stock;
mod table;
mod terminal;
mod text;
mod variables;
mod versions;

use std::ffi::{OsStr, OsString};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ErrorKind};
use clap::{ColorChoice, CommandFactory, FromArgMatches, ValueEnum};

use args::{Arguments, Command};
use failure::{Failure, Outcome};
use terminal::{Role, When};

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let called = words.next().map(PathBuf::from);
    if called.is_some_and(|path| path.file_stem() == Some(STOCK_NAME.as_ref())) {
        return stock::main(words);
    }
    if words.next().is_some_and(|word| word == "compat") {
        return stock::main(words);
    }
    let words = options_behind(std::env::args_os().collect());
    let arguments = match parse(&words) {
        Ok(arguments) => arguments,
        Err(error) => {
            let word = words.get(1).cloned().unwrap_or_default();
            if error.use_stderr()
                && let Err(failure) = check_command(&error, &word)
            {
                complain(&failure.to_string());
                return failure.exit_code();
            }
            // Help, too, comes as an error; where it goes to may be closed.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    terminal::set_up(arguments.display.color, arguments.display.quiet);
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let Some(command) = arguments.into_command() else {
        // Without any argument there was help instead.
        complain("PATH or a command is missing; `savedmodel --help` tells of them");
        return ExitCode::from(2);
    };
    let listing = command.listing();
    let result = match command {
        Command::Overview(overview) => overview::run(&overview, &mut out),
        Command::Variables(variables) => variables::run(&variables, &mut out),
        Command::Show(show) => show::run(&show, &mut out),
        Command::Ops(args) => ops::run(&args, &mut out),
        Command::Objects(args) => objects::run(&args, &mut out),
        Command::Functions(args) => functions::run(&args, &mut out),
        Command::Signature(args) => signature::run(&args, &mut out),
        Command::Merge(args) => merge::run(&args, &mut out),
        Command::Salvage(args) => salvage::run(&args, &mut out),
        Command::Recover(args) => recover::run(&args, &mut out),
        Command::Fingerprint(args) => fingerprint::run(&args, &mut out),
        Command::Convert(args) => convert::run(&args, &mut out),
        Command::Run(args) => run::run(&args, &mut out),
        Command::Scan(args) => scan::run(&args, &mut out),
        Command::Versions(args) => versions::run(&args, &mut out),
        Command::Schema => out
            .write_all(SCHEMA.as_bytes())
            .map(|()| Outcome::Sound)
            .map_err(Failure::from),
        Command::Completions(args) => completions::run(&args, &mut out),
        Command::Man(args) => man::run(&args, &mut out),
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
            let mut message = failure.to_string();
            if let Failure::Model(error) = &failure {
                message += &path::beside(error).unwrap_or_default();
                message += listing.filter(|_| path::is_far_off(error)).unwrap_or("");
            }
            complain(&message);
            failure.exit_code()
        }
    }
}

fn parse(words: &[OsString]) -> Result<Arguments, clap::Error> {
    let color = color_of(words);
    terminal::set_colors(color);
    let mut command = Arguments::command().color(match color {
        When::Auto => ColorChoice::Auto,
        When::Always => ColorChoice::Always,
        When::Never => ColorChoice::Never,
    });
    let matches = command.try_get_matches_from_mut(words)?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Answers an error if a word is nearly a command, or stands in the place of one and is none.
fn check_command(error: &clap::Error, word: &OsStr) -> Result<(), Failure> {
    path::check_command(word.as_ref())?;
    let of_subcommand = error.get(ContextKind::InvalidSubcommand).is_some();
    let has_more = matches!(error.kind(), ErrorKind::ArgumentConflict if of_subcommand)
        || matches!(
            error.kind(),
            ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand
        );
    let is_named = Arguments::command().find_subcommand(word).is_some() || word == "compat";
    match word.to_str() {
        Some(text)
            if has_more
                && !is_named
                && !text.starts_with('-')
                && !std::path::Path::new(word).exists() =>
        {
            Err(path::no_command(text))
        }
        _ => Ok(()),
    }
}

/// Finds out what `--color` says before all else is understood: errors have colours too.
fn color_of(words: &[OsString]) -> When {
    let options = words.iter().take_while(|word| *word != "--");
    let texts: Vec<&str> = options.map(|word| word.to_str().unwrap_or("")).collect();
    let said = texts.iter().enumerate().find_map(|(i, text)| {
        let behind = text.strip_prefix("--color")?;
        match behind.strip_prefix('=') {
            Some(said) => Some(said),
            None if behind.is_empty() => texts.get(i + 1).copied(),
            None => None,
        }
    });
    said.and_then(|said| When::from_str(said, false).ok())
        .unwrap_or(When::Auto)
}

/// Moves the options that all commands have from before the command to behind it, as a command is
/// none behind other options.
fn options_behind(mut words: Vec<OsString>) -> Vec<OsString> {
    let mut count = 0;
    loop {
        let word = words.get(1 + count).and_then(|word| word.to_str());
        count += match word {
            Some("--color") => 2,
            Some("--quiet" | "-q") => 1,
            Some(word) if word.starts_with("--color=") => 1,
            _ => break,
        };
    }
    if let Some(options) = words.get_mut(1..=1 + count) {
        options.rotate_right(1);
    }
    words
}

/// Describes every document that `--json` prints, in JSON Schema.
const SCHEMA: &str = include_str!("schema.json");

/// Under this name the binary is TensorFlow's own tool.
const STOCK_NAME: &str = "saved_model_cli";

/// Writes one line to standard error, about what is wrong.
fn complain(message: &str) {
    say(Role::Error, message);
}

/// Writes one line to standard error, about what is well but should be known.
fn remark(message: &str) {
    if !terminal::is_quiet() {
        say(Role::Note, message);
    }
}

fn say(role: Role, message: &str) {
    let _ = writeln!(
        io::stderr(),
        "{} {}",
        terminal::paint_error(role, "savedmodel:"),
        text::Escaped(message.as_bytes())
    );
}
