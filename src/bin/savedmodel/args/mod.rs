//! What the command line takes.

mod convert;
mod models;
mod tensors;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::run::Run;
use crate::terminal::When;

pub(crate) use convert::{Convert, ConvertTo};
pub(crate) use models::{
    Fingerprint, Functions, Objects, Ops, Overview, Sample, Scan, Show, Signature, Versions,
};
pub(crate) use tensors::{Merge, Recover, Salvage, Strings, Variables};

/// Looks into TensorFlow SavedModels and checkpoints; needs no TensorFlow.
#[derive(Parser)]
#[command(name = "savedmodel", version, after_help = EXIT_CODES)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) overview: Option<Overview>,

    #[command(flatten)]
    pub(crate) display: Display,
}

/// How output looks, whatever the command.
#[derive(Args)]
pub(crate) struct Display {
    /// Colour output and errors
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    #[arg(hide_possible_values = true, long_help = COLOR)]
    pub(crate) color: When,

    /// Say nothing but errors on standard error: neither progress nor remarks
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

const COLOR: &str = "\
Colour output and errors: auto (on a terminal, unless NO_COLOR is set; elsewhere if CLICOLOR_FORCE \
is), always or never";

impl Arguments {
    /// Returns the command, which is the overview if none is named.
    pub(crate) fn into_command(self) -> Option<Command> {
        self.command.or(self.overview.map(Command::Overview))
    }
}

/// What to do; what help says of a command stands at its arguments.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Shows a model or a checkpoint at a glance; so does PATH without a command
    Overview(Overview),
    Variables(Variables),
    Show(Show),
    Ops(Ops),
    Objects(Objects),
    Functions(Functions),
    Signature(Signature),
    Merge(Merge),
    Salvage(Salvage),
    Recover(Recover),
    Fingerprint(Fingerprint),
    Convert(Box<Convert>),
    Run(Box<Run>),
    Scan(Scan),
    Versions(Versions),
    /// Prints the JSON Schema of what --json prints
    #[command(after_help = EXIT_CODES)]
    Schema,
    Completions(Completions),
    Man(Man),
}

impl Command {
    /// Says how the names that the command takes are listed.
    pub(crate) fn listing(&self) -> Option<&'static str> {
        Some(match self {
            Command::Variables(_) => " (`savedmodel variables PATH` lists them)",
            Command::Ops(_) => " (`savedmodel ops PATH` lists all ops)",
            Command::Functions(_) => " (`savedmodel functions PATH` lists them)",
            Command::Show(_) | Command::Signature(_) | Command::Run(_) => {
                " (`savedmodel PATH` lists the signatures)"
            }
            _ => return None,
        })
    }
}

/// Prints a script that completes commands and options in a shell.
#[derive(Args)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{COMPLETIONS_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}

/// Prints the manual as a man page.
#[derive(Args)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{MAN_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Man {
    /// The page of this command [default: that of the whole tool]
    pub(crate) command: Option<String>,

    /// Write the pages of the tool and of all commands into this directory, which is made if need be
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(crate) output_dir: Option<PathBuf>,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  all is well; also when the reader of the output closes it early
  1  something is damaged or missing, or cannot be read or written
  2  the command line asks for something that cannot be";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  savedmodel completions bash > ~/.local/share/bash-completion/completions/savedmodel
  savedmodel completions zsh > \"${fpath[1]}/_savedmodel\"
  savedmodel completions fish > ~/.config/fish/completions/savedmodel.fish
  savedmodel completions powershell >> $PROFILE";

const MAN_EXAMPLES: &str = "\
Examples:
  savedmodel man | man -l -
  savedmodel man ops | man -l -
  savedmodel man --output-dir ~/.local/share/man/man1";
