use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use savedmodel::TensorSlice;

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
}

impl Arguments {
    /// Returns the command, which is the overview if none is named.
    pub(crate) fn into_command(self) -> Option<Command> {
        self.command.or(self.overview.map(Command::Overview))
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Shows a model or a checkpoint at a glance; so does PATH without a command
    Overview(Overview),

    /// Lists, shows and verifies the tensors of a model or a checkpoint
    Variables(Variables),

    /// Shows tag sets, signatures, ops and functions of a model
    Show(Show),

    /// Prints the JSON Schema of what --json prints
    Schema,
}

/// Shows a model or a checkpoint at a glance: who wrote it, what it offers, how large it is, and what
/// is odd.
#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Overview {
    /// A SavedModel's directory or its saved_model.pb, a directory with a directory for each version
    /// (the highest is taken), or a checkpoint
    pub(crate) path: PathBuf,

    /// Print JSON, of the schema savedmodel.overview/1
    #[arg(long)]
    pub(crate) json: bool,
}

/// Shows tag sets, signatures, ops and functions of a model.
///
/// The words are those of TensorFlow's saved_model_cli; without further options, the tag sets. Called
/// as `savedmodel compat show`, or under the name saved_model_cli, it takes that tool's arguments and
/// prints what it prints, byte for byte.
#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Show {
    /// The SavedModel's directory or its saved_model.pb, or a directory with a directory for each
    /// version, of which the highest is taken
    pub(crate) path: PathBuf,

    /// Everything: signatures, ops and functions of all meta graphs, and what they parse in examples
    #[arg(long, conflicts_with_all = ["tag_set", "signature", "ops"])]
    pub(crate) all: bool,

    /// The meta graph with exactly these tags, commas between them [default: the only one]
    #[arg(long, value_name = "TAGS")]
    pub(crate) tag_set: Option<String>,

    /// The inputs and outputs of this signature
    #[arg(long, value_name = "KEY")]
    pub(crate) signature: Option<String>,

    /// The ops of the meta graph and of the functions it calls
    #[arg(long)]
    pub(crate) ops: bool,

    /// Print JSON, of the schema savedmodel.show/1
    #[arg(long)]
    pub(crate) json: bool,
}

/// Lists, shows and verifies the tensors of a model or a checkpoint.
///
/// Without further options the tensors are listed, from the index alone: no data file is read.
#[derive(Args)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Variables {
    /// A SavedModel's directory or its saved_model.pb, a directory with a directory for each version
    /// (the highest is taken), a directory of checkpoints (its `checkpoint` file says which is the
    /// latest), a prefix as in `ckpt-7`, or an index or data file
    pub(crate) path: PathBuf,

    /// Only these tensors; `*` in a key stands for any text and `?` for any character
    #[arg(value_name = "KEY")]
    pub(crate) keys: Vec<OsString>,

    /// Show the values
    #[arg(long)]
    pub(crate) values: bool,

    /// Show the range, mean and deviation of finite values, and count zeros, NaN and infinities; of
    /// complex numbers the magnitude, of strings the length
    #[arg(long)]
    pub(crate) stats: bool,

    /// Show so many elements of each tensor, 0 for all; strings in text are cut short unless it is 0
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "values")]
    pub(crate) limit: u64,

    /// Take a slice of the one tensor that KEY selects, for --values and --stats: START,LENGTH or - for each dimension, with
    /// colons between, as in 0,2:-
    #[arg(
        long,
        value_name = "SLICE",
        requires = "keys",
        conflicts_with = "verify"
    )]
    #[arg(allow_hyphen_values = true)]
    pub(crate) slice: Option<TensorSlice>,

    /// Read everything and check it: every block of the index, every tensor's checksum
    #[arg(long, conflicts_with_all = ["keys", "values", "stats", "unverified"])]
    pub(crate) verify: bool,

    /// Do not compare tensors with their checksums when reading values
    #[arg(long)]
    pub(crate) unverified: bool,

    /// Work on so many threads [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,

    /// Print JSON, of the schema savedmodel.variables/1
    #[arg(long)]
    pub(crate) json: bool,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  all is well; also when the reader of the output closes it early
  1  something is damaged or missing, or cannot be read or written
  2  the command line asks for something that cannot be";

const EXAMPLES: &str = "\
Examples:
  savedmodel variables my_model
  savedmodel variables checkpoints/ckpt-7 '*/kernel/*' --stats
  savedmodel variables my_model dense/bias/.ATTRIBUTES/VARIABLE_VALUE --values
  savedmodel variables my_model embedding --values --slice 0,2:-
  savedmodel variables my_model --json | jq '.tensors[].key'
  savedmodel variables my_model --verify";
