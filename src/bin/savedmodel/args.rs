use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
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

    /// Counts the ops of a graph and its functions, and says who has them
    Ops(Ops),

    /// Shows the Python objects of a model or a checkpoint as a tree
    Objects(Objects),

    /// Lists the functions of a graph, what they take and who calls them
    Functions(Functions),

    /// Shows one signature in full, with requests to try it in TensorFlow Serving
    Signature(Signature),

    /// Lists the versions of a model as TensorFlow Serving sees them, and removes old ones
    Versions(Versions),

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

/// Counts the ops of a graph and its functions, and says who has them.
///
/// Ops that are not TensorFlow's are marked, and those that new graphs may not use. The smallest
/// TensorFlow named is a lower bound, made from the ops alone: attrs that were added to an op later
/// may ask for a later one.
#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Ops {
    /// The SavedModel: its directory, its model file or a base directory with versions
    pub(crate) path: PathBuf,

    /// The meta graph with exactly these tags, commas between them [default: all]
    #[arg(long, value_name = "TAGS")]
    pub(crate) tag_set: Option<String>,

    /// Show every node of this op, and the function it stands in
    #[arg(long = "where", value_name = "OP")]
    pub(crate) locate: Option<String>,

    /// Print JSON, of the schema savedmodel.ops/1
    #[arg(long)]
    pub(crate) json: bool,
}

/// Shows the Python objects of a model or a checkpoint as a tree.
///
/// Each object is described where the shortest way from the root leads to it, and referred to where it
/// appears besides. Functions are shown as they can be called; a value behind = is the one for which a
/// function was traced.
#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Objects {
    /// A SavedModel or a checkpoint, as `variables` takes it
    pub(crate) path: PathBuf,

    /// Show no more than so many levels below the root
    #[arg(long, value_name = "N")]
    pub(crate) depth: Option<u32>,

    /// List the objects whose name or kind is like this; `*` stands for any text, `?` for any character
    #[arg(long, value_name = "GLOB")]
    pub(crate) filter: Option<String>,

    /// Begin with this object: root.layers[0], or layers/0
    #[arg(long, value_name = "NAME")]
    pub(crate) root: Option<String>,

    /// Print JSON, of the schema savedmodel.objects/1
    #[arg(long)]
    pub(crate) json: bool,
}

/// Lists the functions of a graph, what they take and who calls them.
///
/// Those that nothing calls are marked: no node of the graph or of another function, no object, and
/// they are no gradient either.
#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Functions {
    /// The SavedModel: its directory, its model file or a base directory with versions
    pub(crate) path: PathBuf,

    /// The meta graph with exactly these tags, commas between them [default: all]
    #[arg(long, value_name = "TAGS")]
    pub(crate) tag_set: Option<String>,

    /// Show this function alone, with its nodes
    #[arg(long, value_name = "NAME")]
    pub(crate) function: Option<String>,

    /// Print JSON, of the schema savedmodel.functions/1
    #[arg(long)]
    pub(crate) json: bool,
}

/// Shows one signature in full, with requests to try it in TensorFlow Serving.
///
/// Numbers in the requests are zero and texts empty, but for inputs of which the signature has a
/// default; what the graph parses as tf.Example holds one with every feature that it looks for.
#[derive(Args)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{SIGNATURE_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Signature {
    /// The SavedModel: its directory, its model file or a base directory with versions
    pub(crate) path: PathBuf,

    /// The signature [default: serving_default, or the only one]
    pub(crate) name: Option<String>,

    /// The meta graph with exactly these tags, commas between them [default: the only one]
    #[arg(long, value_name = "TAGS")]
    pub(crate) tag_set: Option<String>,

    /// Print this part of the sample alone, as it is sent
    #[arg(long, value_name = "PART")]
    pub(crate) sample: Option<Sample>,

    /// Put so many instances into a request
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) batch: u64,

    /// The name under which the model is served [default: that of its directory]
    #[arg(long, value_name = "NAME")]
    pub(crate) model_name: Option<String>,

    /// Print JSON, of the schema savedmodel.signature_sample/1
    #[arg(long, conflicts_with = "sample")]
    pub(crate) json: bool,
}

/// Lists the versions of a model as TensorFlow Serving sees them, and removes old ones.
///
/// The highest number is served, unless the server is told otherwise, also if it will not load: the
/// exit code is 1 then, and without any version. What has no number for a name is ignored.
#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Versions {
    /// The base directory, with a directory for each version
    pub(crate) base: PathBuf,

    /// Remove all below the N highest versions that hold a model
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) prune: Option<u16>,

    /// Print JSON, of the schema savedmodel.versions/1
    #[arg(long)]
    pub(crate) json: bool,
}

/// A part of a sample request.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sample {
    /// The body of a REST request
    Rest,
    /// The gRPC request as protobuf text
    Grpc,
    /// The examples in it, as JSON
    Examples,
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

const SIGNATURE_EXAMPLES: &str = "\
Examples:
  savedmodel signature my_model
  savedmodel signature my_model serving_default --json | jq -r .rest
  savedmodel signature my_model --sample rest --batch 4 |
    curl -d @- http://localhost:8501/v1/models/my_model:predict";

const EXAMPLES: &str = "\
Examples:
  savedmodel variables my_model
  savedmodel variables checkpoints/ckpt-7 '*/kernel/*' --stats
  savedmodel variables my_model dense/bias/.ATTRIBUTES/VARIABLE_VALUE --values
  savedmodel variables my_model embedding --values --slice 0,2:-
  savedmodel variables my_model --json | jq '.tensors[].key'
  savedmodel variables my_model --verify";
