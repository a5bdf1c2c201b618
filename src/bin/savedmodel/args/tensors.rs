//! Arguments of the commands for tensors and their bundles.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use savedmodel::TensorSlice;
use savedmodel::numpy::StringForm;

use super::EXIT_CODES;

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

    /// Only these tensors; `*` in a key stands for any text and `?` for any character, and
    /// `/.ATTRIBUTES/VARIABLE_VALUE` at its end can be left out
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

    /// Take a slice of the one tensor that KEY selects, for --values and --stats: START,LENGTH or -
    /// for each dimension, with colons between, as in 0,2:-
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
    #[value(alias = "fixed-width")]
    Fixed,
    /// Python objects, which np.load takes with allow_pickle=True
    Objects,
}

impl From<Strings> for StringForm {
    fn from(strings: Strings) -> Self {
        match strings {
            Strings::Fixed => StringForm::FixedWidth,
            Strings::Objects => StringForm::Objects,
        }
    }
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

const EXAMPLES: &str = "\
Examples:
  savedmodel variables my_model
  savedmodel variables checkpoints/ckpt-7 '*/kernel/*' --stats
  savedmodel variables my_model dense/bias/.ATTRIBUTES/VARIABLE_VALUE --values
  savedmodel variables my_model embedding --values --slice 0,2:-
  savedmodel variables my_model 'dense*' --extract arrays
  savedmodel variables my_model --json | jq '.tensors[].key'
  savedmodel variables my_model --verify";
