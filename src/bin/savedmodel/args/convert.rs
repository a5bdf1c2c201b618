//! Arguments of `convert`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use savedmodel::{DType, model};

use super::{EXIT_CODES, Strings};
use crate::convert::{ByteSize, Rename};

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

    /// Write strings to an .npz file so [default: fixed]
    #[arg(long, value_name = "FORM")]
    pub(crate) strings: Option<Strings>,

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

    /// Do not wait until files are on the disk
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
