//! Arguments of the commands that look at models.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::EXIT_CODES;

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

    /// List the objects whose name, path or kind is like this; `*` stands for any text, `?` for any
    /// character. The exit code is 1 if there is none
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

const FINGERPRINT_EXIT_CODES: &str = "\
Exit codes:
  0  all is well; with --verify, at least one hash can be compared and none differs
  1  with --verify, a hash differs or none can be compared; something is damaged or missing
  2  the command line asks for something that cannot be, or fingerprint.pb has other hashes";

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

const SIGNATURE_EXAMPLES: &str = "\
Examples:
  savedmodel signature my_model
  savedmodel signature my_model serving_default --json | jq -r .rest
  savedmodel signature my_model --sample rest --batch 4 |
    curl -d @- http://localhost:8501/v1/models/my_model:predict";
