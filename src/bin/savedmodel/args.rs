use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use savedmodel::{DType, TensorSlice, model, numpy};

use crate::convert::{ByteSize, Rename};
use crate::run::Run;

use crate::terminal::When;

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

    /// Makes one bundle of several
    Merge(Merge),

    /// Copies what is intact of a damaged bundle, and lists what was lost
    Salvage(Salvage),

    /// Puts a bundle back that was set aside when replacing it was cut short
    Recover(Recover),

    /// Shows, verifies or writes the fingerprint of a model
    Fingerprint(Fingerprint),
    /// Writes a model with its program in another form, or tensors in another format
    Convert(Box<Convert>),
    Run(Box<Run>),
    /// Looks for what a model can do besides computing: files, network, other code
    Scan(Scan),

    /// Lists the versions of a model as TensorFlow Serving sees them, and removes old ones
    Versions(Versions),

    /// Prints the JSON Schema of what --json prints
    #[command(after_help = EXIT_CODES)]
    Schema,

    /// Prints a script that completes commands and options in a shell
    Completions(Completions),

    /// Prints the manual as a man page
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

/// Looks for what a model can do besides computing: files, network, other code.
///
/// Every node is looked at, those of all functions included, and for each finding the way to it is
/// shown, from the op that runs at loading, a signature or an object. Nothing is run. What runs as the
/// model is loaded counts more, and what nothing leads to counts less. Called as `savedmodel compat
/// scan`, it prints what TensorFlow's saved_model_cli prints.
#[derive(Args)]
#[command(after_help = SCAN_EXIT_CODES)]
#[command(after_long_help = format!("{SCAN_POLICY}\n\n{SCAN_EXIT_CODES}"))]
pub(crate) struct Scan {
    /// The SavedModel: its directory, its model file or a base directory with versions
    pub(crate) path: PathBuf,

    /// The meta graph with exactly these tags, commas between them [default: all]
    #[arg(long, value_name = "TAGS")]
    pub(crate) tag_set: Option<String>,

    /// Read rules from this file; those of the command line are added
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,

    /// Refuse a model with a finding of this severity or a worse one: info, low, medium, high,
    /// critical, or none for never [default: the policy's, or high]
    #[arg(long, value_name = "SEVERITY")]
    pub(crate) fail_on: Option<String>,

    /// Refuse a model with this op or capability wherever it stands; more than one with commas
    /// between
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) deny: Vec<String>,

    /// Do not count findings of this op or capability
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) allow: Vec<String>,

    /// Print JSON, of the schema savedmodel.scan/1
    #[arg(long, conflicts_with = "sarif")]
    pub(crate) json: bool,

    /// Print SARIF 2.1.0, as code scanners write it
    #[arg(long)]
    pub(crate) sarif: bool,
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

    /// Write each tensor as an array of numpy to DIR/KEY.npy. What cannot be in a file's name is
    /// written as % and two hexadecimal digits, and no key leads out of DIR
    #[arg(long, value_name = "DIR", conflicts_with_all = ["values", "stats", "slice", "verify"])]
    pub(crate) extract: Option<PathBuf>,

    /// With --extract, how strings are written
    #[arg(
        long,
        value_name = "FORM",
        requires = "extract",
        default_value = "fixed"
    )]
    pub(crate) strings: Strings,

    /// With --extract, replace files that are there
    #[arg(long, requires = "extract")]
    pub(crate) overwrite: bool,

    /// Work on so many threads [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,

    /// Print JSON, of the schema savedmodel.variables/1; with --extract savedmodel.extraction/1
    #[arg(long)]
    pub(crate) json: bool,
}

/// How strings are written in arrays of numpy.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Strings {
    /// All as wide as the longest, numpy's `S`; refused if one ends with a zero byte
    Fixed,
    /// Python objects, which np.load takes with allow_pickle=True
    Objects,
}

/// Makes one bundle of several: the shards of all, with one index.
///
/// Data files get another name and are not copied, where the file system can do that. The bundles
/// that were merged are removed when the new one is in place, unless they are to be kept.
#[derive(Args)]
#[command(after_help = MERGE_EXIT_CODES)]
pub(crate) struct Merge {
    /// The bundles' prefixes, or their index files
    #[arg(value_name = "PREFIX", required = true)]
    pub(crate) inputs: Vec<PathBuf>,

    /// The prefix of the merged bundle
    #[arg(long, value_name = "PREFIX")]
    pub(crate) into: PathBuf,

    /// Let the bundles that are merged stay
    #[arg(long)]
    pub(crate) keep_inputs: bool,

    /// Pass over prefixes without an index
    #[arg(long)]
    pub(crate) allow_missing: bool,

    /// Replace a bundle that is there
    #[arg(long)]
    pub(crate) replace: bool,

    /// Do not wait until the files are on the disk
    #[arg(long)]
    pub(crate) no_sync: bool,

    /// Print JSON, of the schema savedmodel.merge/1
    #[arg(long)]
    pub(crate) json: bool,
}

/// Copies what is intact of a damaged bundle, and lists what was lost.
///
/// A tensor is intact if its entry in the index is, and its bytes have the checksum they were written
/// with. What is damaged is not touched; the copy is made even if it lacks something.
#[derive(Args)]
#[command(after_help = SALVAGE_EXIT_CODES)]
pub(crate) struct Salvage {
    /// A SavedModel or a checkpoint, as `variables` takes it
    pub(crate) path: PathBuf,

    /// The prefix of the copy
    pub(crate) out: PathBuf,

    /// Replace a bundle that is there
    #[arg(long)]
    pub(crate) replace: bool,

    /// Do not wait until the files are on the disk
    #[arg(long)]
    pub(crate) no_sync: bool,

    /// Print JSON, of the schema savedmodel.salvage/1
    #[arg(long)]
    pub(crate) json: bool,
}

/// Puts a bundle back that was set aside when replacing it was cut short.
///
/// A bundle that is replaced is set aside before, as `PREFIX.index.set-aside-0-4711`. If there is no
/// bundle in place, it comes back; otherwise nothing is changed.
#[derive(Args)]
#[command(after_help = RECOVER_EXIT_CODES)]
pub(crate) struct Recover {
    /// The bundle's prefix, or the directory of the SavedModel whose variables it is
    pub(crate) prefix: PathBuf,

    /// Print JSON, of the schema savedmodel.recover/1
    #[arg(long)]
    pub(crate) json: bool,
}

/// Shows, verifies or writes the fingerprint of a model.
///
/// Without further options the file fingerprint.pb is shown, and the singleprint: the four hashes
/// that stay the same when a model is saved again.
#[derive(Args)]
#[command(after_help = FINGERPRINT_EXIT_CODES)]
pub(crate) struct Fingerprint {
    /// The SavedModel: its directory, its model file or a base directory with versions
    pub(crate) path: PathBuf,

    /// Compute the hashes and compare each with that of the file
    #[arg(long, conflicts_with_all = ["compute", "write"])]
    pub(crate) verify: bool,

    /// Show what TensorFlow 2.21 would write, whether there is a file or not
    #[arg(long)]
    pub(crate) compute: bool,

    /// Write that to fingerprint.pb, unless the hashes in it are those already
    #[arg(long)]
    pub(crate) write: bool,

    /// With --write, replace a file with other hashes
    #[arg(long, requires = "write")]
    pub(crate) overwrite: bool,

    /// Print JSON, of the schema savedmodel.fingerprint/1
    #[arg(long)]
    pub(crate) json: bool,
}

const MERGE_EXIT_CODES: &str = "\
Exit codes:
  0  the merged bundle is in place
  1  a bundle is damaged or missing, or cannot be read or written; those to be merged are as they were
  2  they cannot be merged, or there is a bundle already";

const SALVAGE_EXIT_CODES: &str = "\
Exit codes:
  0  nothing was lost
  1  something was, and the copy has the rest; or nothing could be read, or written
  2  the command line asks for something that cannot be, or there is a bundle already";

const RECOVER_EXIT_CODES: &str = "\
Exit codes:
  0  a bundle is in place
  1  there is none, and none is set aside; or it cannot be put back
  2  the command line asks for something that cannot be";

const FINGERPRINT_EXIT_CODES: &str = "\
Exit codes:
  0  all is well; with --verify, at least one hash can be compared and none differs
  1  with --verify, a hash differs or none can be compared; something is damaged or missing
  2  the command line asks for something that cannot be, or fingerprint.pb has other hashes";
/// Writes a model with its program in another form, or tensors in another format.
///
/// A model is copied with all its files, or converted where it lies if OUT is IN; only the program
/// changes, and it means the same. Tensors are those of a model, a checkpoint, a .safetensors file or
/// its index, or an .npz file. What is written appears whole or not at all.
#[derive(Args)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{CONVERT_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Convert {
    /// What is read: a model, a checkpoint as `variables` takes it, or a file of tensors
    #[arg(value_name = "IN")]
    pub(crate) source: PathBuf,

    /// What is written: a model's directory or its saved_model.pb, .pbtxt or .cpb, a checkpoint's
    /// prefix, a .safetensors or an .npz file
    #[arg(value_name = "OUT")]
    pub(crate) target: PathBuf,

    /// Write this [default: what OUT ends in; a checkpoint, if IN is a .safetensors or .npz file]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) to: Option<ConvertTo>,

    /// Only tensors whose key is like this; `*` stands for any text and `?` for any character
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<OsString>,

    /// No tensors whose key is like this
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<OsString>,

    /// Keys that begin with FROM begin with TO instead; with `*` in both, keys like FROM become TO.
    /// Several rules apply one after the other
    #[arg(long, value_name = "FROM=TO")]
    pub(crate) rename: Vec<Rename>,

    /// Write tensors of floating-point numbers as this
    #[arg(long, value_name = "DTYPE")]
    pub(crate) cast: Option<CastTo>,

    /// Begin another file when one has so many bytes, as in 5GB; of --to cpb, a chunk
    #[arg(long, visible_alias = "max-shard-size", value_name = "SIZE")]
    pub(crate) max_file_size: Option<ByteSize>,

    /// Put this into the metadata of a .safetensors file
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub(crate) metadata: Vec<(String, String)>,

    /// Write strings to an .npz file so [default: fixed-width]
    #[arg(long, value_name = "FORM")]
    pub(crate) strings: Option<NpzStrings>,

    /// Leave out tensors of dtypes that the format does not have
    #[arg(long)]
    pub(crate) skip_unsupported: bool,

    /// Read the program in this form, if a model has several
    #[arg(long, value_name = "FORM")]
    pub(crate) format: Option<ProgramForm>,

    /// Leave out fields that this program does not know and that a .pbtxt cannot hold
    #[arg(long)]
    pub(crate) drop_unknown_fields: bool,

    /// Replace what is there: the files, a whole model, or in its own directory its other forms
    #[arg(long)]
    pub(crate) overwrite: bool,

    /// Do not wait until files are on the disk; .npz files are always waited for
    #[arg(long)]
    pub(crate) no_sync: bool,

    /// Print JSON, of the schema savedmodel.convert/1, or savedmodel.convert_model/1 for a model
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `convert` can write.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConvertTo {
    /// A model with saved_model.pb
    Pb,
    /// A model with saved_model.pbtxt
    Pbtxt,
    /// A model with saved_model.cpb, which open-source TensorFlow cannot load
    Cpb,
    /// A checkpoint
    Bundle,
    /// A .safetensors file
    Safetensors,
    /// An .npz file of numpy
    Npz,
}

/// A form of the program.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgramForm {
    Pb,
    Pbtxt,
    Cpb,
}

impl From<ProgramForm> for model::Format {
    fn from(form: ProgramForm) -> Self {
        match form {
            ProgramForm::Pb => model::Format::Binary,
            ProgramForm::Pbtxt => model::Format::Text,
            ProgramForm::Cpb => model::Format::Chunked,
        }
    }
}

/// A floating-point dtype.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CastTo {
    F16,
    Bf16,
    F32,
    F64,
}

impl From<CastTo> for DType {
    fn from(to: CastTo) -> Self {
        match to {
            CastTo::F16 => DType::HALF,
            CastTo::Bf16 => DType::BFLOAT16,
            CastTo::F32 => DType::FLOAT,
            CastTo::F64 => DType::DOUBLE,
        }
    }
}

/// How an .npz file has strings.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NpzStrings {
    /// As byte strings of one width
    FixedWidth,
    /// As Python objects, for which np.load wants allow_pickle=True
    Objects,
}

impl From<NpzStrings> for numpy::StringForm {
    fn from(strings: NpzStrings) -> Self {
        match strings {
            NpzStrings::FixedWidth => numpy::StringForm::FixedWidth,
            NpzStrings::Objects => numpy::StringForm::Objects,
        }
    }
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err("it has the form KEY=VALUE".to_owned()),
    }
}

const CONVERT_EXAMPLES: &str = "\
Examples:
  savedmodel convert my_model as_text --to pbtxt
  savedmodel convert my_model my_model/saved_model.pb
  savedmodel convert my_model weights.safetensors --skip-unsupported --cast bf16 \\
    --rename '*/.ATTRIBUTES/VARIABLE_VALUE=*' --metadata format=tf
  savedmodel convert weights.safetensors checkpoints/ckpt-1
  savedmodel convert checkpoints/ckpt-7 kernels.npz --include '*/kernel/*'";

const EXIT_CODES: &str = "\
Exit codes:
  0  all is well; also when the reader of the output closes it early
  1  something is damaged or missing, or cannot be read or written
  2  the command line asks for something that cannot be";

const SCAN_EXIT_CODES: &str = "\
Exit codes:
  0  the model is not refused
  1  it is, or it cannot be read
  2  the command line or the policy asks for something that cannot be";

const SCAN_POLICY: &str = "\
A policy has one rule a line, and comments behind #:
  fail-on SEVERITY   as --fail-on
  deny NAME          as --deny
  allow NAME         as --allow
NAME is an op, TensorFlow's or another, or one of these capabilities:
  file-read vocabulary-read checkpoint-io file-write directory-list network python-callback custom-op
  embedded-program kill-or-stall process-configuration debug print untrusted-decoding keras-lambda
  asset-escape unreadable denied-op
A rule about an op goes before one about its capability, and denying before allowing.

Examples:
  savedmodel scan my_model --fail-on medium
  savedmodel scan my_model --allow file-read --deny PyFunc
  savedmodel scan my_model --policy models.policy --sarif > scan.sarif";

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
  savedmodel variables my_model 'dense*' --extract arrays
  savedmodel variables my_model --json | jq '.tensors[].key'
  savedmodel variables my_model --verify";
