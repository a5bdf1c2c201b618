use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::expression::DEFAULT_SEED;
use crate::args::Strings;

/// Runs a signature of a model, through an installed TensorFlow.
///
/// Inputs come from files, from expressions, from the body of a REST request, or are made up. They
/// are checked against the signature before TensorFlow is looked for, which happens at run time:
/// in SAVEDMODEL_TF_LIB, in the active environment of Python, and where the system keeps libraries.
/// A model is a program, which TensorFlow does not confine: `savedmodel scan` says what it can do.
/// Called as `savedmodel compat run`, it takes the arguments of TensorFlow's saved_model_cli.
#[derive(Args)]
#[command(after_help = EXIT_CODES)]
#[command(after_long_help = format!("{INPUTS}\n\n{EXIT_CODES}"))]
pub(crate) struct Run {
    /// The SavedModel: its directory, its model file or a base directory with versions
    pub(crate) path: PathBuf,

    /// The signature [default: the request's, serving_default, or the only one]
    #[arg(value_name = "SIGNATURE")]
    pub(crate) name: Option<String>,

    /// The signature, as an option
    #[arg(long, value_name = "KEY", conflicts_with = "name")]
    #[arg(aliases = ["signature_def", "signature-def"])]
    pub(crate) signature: Option<String>,

    /// The meta graph with exactly these tags, commas between them [default: the only one]
    #[arg(long, value_name = "TAGS", alias = "tag_set")]
    pub(crate) tag_set: Option<String>,

    /// Take inputs from files: .npy, .npz with the name of an array, or a pickle of numpy's; several
    /// with semicolons between
    #[arg(long, value_name = "KEY=FILE[NAME]")]
    pub(crate) inputs: Vec<String>,

    /// Take inputs from Python literals and what is safe of numpy, as x=np.ones((2,3)); several with
    /// semicolons between
    #[arg(long, value_name = "KEY=EXPR", alias = "input_exprs")]
    pub(crate) input_exprs: Vec<String>,

    /// Take inputs from lists of dicts, each a tf.Example, as examples=[{"age":[30.0]}]
    #[arg(long, value_name = "KEY=LIST", alias = "input_examples")]
    pub(crate) input_examples: Vec<String>,

    /// Take inputs from the body of a REST request to TensorFlow Serving, a file, or - for standard
    /// input
    #[arg(long, value_name = "FILE")]
    pub(crate) request: Option<PathBuf>,

    /// Make up the inputs that are not given
    #[arg(long)]
    pub(crate) random: bool,

    /// Begin making up, and what is random in expressions, from this number
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SEED)]
    pub(crate) seed: u64,

    /// With --random, the first dimension where the signature leaves it open
    #[arg(long, value_name = "N", default_value_t = 1, requires = "random")]
    pub(crate) batch: u64,

    /// With --random, all other dimensions that it leaves open
    #[arg(long, value_name = "N", default_value_t = 1, requires = "random")]
    pub(crate) unknown_dims: u64,

    /// Compute these outputs alone
    #[arg(long, value_name = "KEY")]
    pub(crate) output: Vec<String>,

    /// Write each output to DIR/KEY.npy too
    #[arg(long, value_name = "DIR")]
    pub(crate) outdir: Option<PathBuf>,

    /// With --outdir, replace files that are there
    #[arg(long, requires = "outdir")]
    pub(crate) overwrite: bool,

    /// With --outdir, how strings are written
    #[arg(long, value_name = "FORM", requires = "outdir")]
    #[arg(default_value = "objects")]
    pub(crate) strings: Strings,

    /// Run N times more, and say how long the first call and the others took
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: Option<u32>,

    /// Check the inputs, show what would be fed, and run nothing
    #[arg(long, conflicts_with_all = ["outdir", "repeat"])]
    pub(crate) dry_run: bool,

    /// Give variables that loading leaves without a value, as in models of Keras 3 that were written
    /// by tf.saved_model.save, those of the checkpoint
    #[arg(long)]
    pub(crate) assign_variables: bool,

    /// TensorFlow's library, or a directory with it: a Python package, an unpacked archive for C
    #[arg(long, value_name = "PATH")]
    pub(crate) library: Option<PathBuf>,

    /// Load this library of custom ops before the model
    #[arg(long, value_name = "FILE")]
    pub(crate) op_library: Vec<PathBuf>,

    /// Work on an op with so many threads [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,

    /// Run ops one after the other instead of in a pool, which is faster for small models
    #[arg(long)]
    pub(crate) inline: bool,

    /// Give up a call after so long
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,

    /// Print JSON, of the schema savedmodel.run/1
    #[arg(long)]
    pub(crate) json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0.0);
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| "it is a number above 0".to_owned())
}

const EXIT_CODES: &str = "\
Exit codes:
  0  all is well
  1  something is damaged or missing, TensorFlow among it, or TensorFlow refuses
  2  the command line asks for something that cannot be: the inputs are not those of the signature";

const INPUTS: &str = "\
Expressions know the literals of Python; + - * / // % ** on numbers and arrays; and of numpy
  array asarray zeros ones full empty arange linspace eye identity zeros_like ones_like
  expand_dims reshape random.rand random.randn random.random random.uniform random.normal
  random.randint, names of dtypes, nan inf pi; .astype .reshape .tolist .flatten .T

Examples:
  savedmodel run my_model --input-exprs 'x=[[1.0], [2.5]]'
  savedmodel run my_model --input-exprs 'image=np.zeros((1,224,224,3))' --outdir results
  savedmodel run my_model serving_default --inputs 'x=batch.npz[images];mask=mask.npy'
  savedmodel run my_model --input-examples 'examples=[{\"age\":[30.0],\"city\":[\"Oslo\"]}]'
  savedmodel signature my_model --sample rest | savedmodel run my_model --request - --json
  savedmodel run my_model --random --batch 32 --repeat 1000";
