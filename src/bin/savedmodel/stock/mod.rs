//! The stock tool's persona: called as `saved_model_cli`, or as `savedmodel compat`, this binary takes
//! the arguments of TensorFlow's own tool and prints what it prints, byte for byte.

mod flags;
mod run;
mod scan;
mod show;

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use crate::failure;
use flags::{Flags, Refusal};
use savedmodel::{Error, ErrorKind, MetaGraph, SavedModel, Signature};

/// What ends a command early.
enum Failure {
    /// What the stock tool says, or its nearest equivalent.
    Message(String),
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Message(error.to_string())
    }
}

impl From<failure::Failure> for Failure {
    fn from(failure: failure::Failure) -> Self {
        match failure {
            failure::Failure::Output(error) => Failure::Output(error),
            other => Failure::Message(other.to_string()),
        }
    }
}

pub(crate) fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<String> = arguments
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let flags = match Flags::parse(&arguments) {
        Ok(flags) => flags,
        Err(Refusal::Help) => return print(HELP),
        Err(Refusal::Version) => return print(concat!(env!("CARGO_PKG_VERSION"), "\n")),
        Err(Refusal::Fault(code, message)) => {
            complain(&message);
            return ExitCode::from(code);
        }
    };
    if let Some(message) = needs_tensorflow(&flags) {
        complain(message);
        return ExitCode::from(1);
    }
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let result = match flags.command.as_str() {
        "show" => show::run(&flags, &mut out),
        "scan" => scan::run(&flags, &mut out),
        // The only other one that is not answered above.
        _ => run::run(&flags, &mut out),
    };
    // What was printed before a fault stays.
    let flushed = out.flush().map_err(Failure::Output);
    match result.and(flushed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(Failure::Output(error)) => {
            complain(&error.to_string());
            ExitCode::from(1)
        }
        Err(Failure::Message(message)) => {
            complain(&message);
            ExitCode::from(1)
        }
    }
}

/// Says what to use instead of what only TensorFlow itself can do.
fn needs_tensorflow(flags: &Flags) -> Option<&'static str> {
    let is_run = flags.command == "run";
    Some(match flags.command.as_str() {
        "convert" => {
            "convert needs TensorRT and a TensorFlow built with it: use tf.experimental.tensorrt.Converter in Python there"
        }
        "freeze_model" => {
            "freeze_model needs TensorFlow's graph optimizer: use convert_variables_to_constants_v2 of tensorflow.python.framework.convert_to_constants in Python"
        }
        "aot_compile_cpu" => {
            "aot_compile_cpu needs TensorFlow's XLA compiler: use the saved_model_cli of TensorFlow, or tf.function(jit_compile=True) to compile when it runs"
        }
        _ if is_run
            && flags
                .text("worker")
                .is_some_and(|worker| !worker.is_empty()) =>
        {
            "--worker needs a TensorFlow session on another machine: run this command there, or ask TensorFlow Serving (`savedmodel signature` prints requests)"
        }
        _ if is_run && flags.switch("init_tpu") => {
            "--init_tpu needs a TPU and a TensorFlow built for it: use tf.tpu.experimental.initialize_tpu_system in Python there"
        }
        _ if is_run && flags.switch("use_tfrt") => {
            "--use_tfrt needs a TensorFlow built with TFRT, which releases are not: leave the flag out"
        }
        _ if is_run && flags.switch("tf_debug") => {
            "--tf_debug needs TensorFlow's debugger: use tf.debugging.experimental.enable_dump_debug_info in Python"
        }
        _ => return None,
    })
}

fn print(text: &str) -> ExitCode {
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "error: {message}");
}

/// Opens a model, with the stock tool's words for what can be wrong.
fn open(directory: &str) -> Result<SavedModel, Failure> {
    SavedModel::open(directory).map_err(|error| {
        let shown = directory.strip_suffix('/').unwrap_or(directory);
        let file = |name: &str| crate::python::bytes_repr(format!("{shown}/{name}").as_bytes());
        match error.kind() {
            ErrorKind::NotFound { .. } => {
                Failure::Message(format!("SavedModel file does not exist at: {directory}"))
            }
            _ if error
                .path()
                .is_some_and(|path| path.extension() == Some("pbtxt".as_ref())) =>
            {
                Failure::Message(format!(
                    "Cannot parse pbtxt file {}: {error}",
                    file("saved_model.pbtxt")
                ))
            }
            ErrorKind::Malformed { .. } => Failure::Message(format!(
                "Cannot parse proto file {}: {error}",
                file("saved_model.pb")
            )),
            _ => error.into(),
        }
    })
}

/// Finds the first meta graph with exactly these tags; `shown` is what the message calls them.
fn find_meta_graph<'m>(
    model: &'m SavedModel,
    tags: &[&str],
    shown: &str,
) -> Result<MetaGraph<'m>, Failure> {
    let wanted: std::collections::BTreeSet<&str> = tags.iter().copied().collect();
    let mut sets = Vec::new();
    for meta_graph in model.meta_graphs() {
        let meta_graph = meta_graph?;
        let tags = meta_graph.tags()?;
        if tags
            .iter()
            .copied()
            .collect::<std::collections::BTreeSet<_>>()
            == wanted
        {
            return Ok(meta_graph);
        }
        sets.push(tags.join(","));
    }
    Err(Failure::Message(format!(
        "MetaGraphDef associated with tag-set {shown} could not be found in the SavedModel. Please use one of the following tag-sets: {}",
        crate::python::list_repr(sets)
    )))
}

/// Finds a signature of a meta graph.
fn find_signature(meta_graph: MetaGraph<'_>, key: &str) -> Result<Signature, Failure> {
    let mut signatures = meta_graph.signatures()?;
    signatures.remove(key).ok_or_else(|| {
        let keys: Vec<&str> = signatures.keys().map(String::as_str).collect();
        Failure::Message(format!(
            "Could not find signature \"{key}\". Please choose from: {}",
            keys.join(", ")
        ))
    })
}

/// Splits a list of tags; the stock tool trims blanks in some places and not in others.
fn split_tags(text: &str) -> Vec<&str> {
    text.split(',').filter(|tag| !tag.is_empty()).collect()
}

fn split_trimmed_tags(text: &str) -> Result<Vec<&str>, Failure> {
    let tags: Vec<&str> = text
        .split(',')
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
        .collect();
    match tags.is_empty() {
        true => Err(Failure::Message(
            "tag_set must contain at least one non-empty item.".to_owned(),
        )),
        false => Ok(tags),
    }
}

const HELP: &str = "\
Looks into TensorFlow SavedModels with the arguments of TensorFlow's own saved_model_cli.

Usage:
  saved_model_cli show --dir DIR [--all]
  saved_model_cli show --dir DIR --tag_set TAGS [--signature_def KEY] [--list_ops]
  saved_model_cli run --dir DIR --tag_set TAGS --signature_def KEY INPUTS
                      [--outdir DIR [--overwrite]]
  saved_model_cli scan --dir DIR [--tag_set TAGS] [--op_denylist OPS]

  --dir DIR            the model's directory
  --tag_set TAGS       a meta graph by its tags, with commas between: serve,gpu
  --signature_def KEY  a signature by its key
  --all                everything: signatures, ops and functions of all meta graphs
  --list_ops           the ops of the meta graph
  --inputs TEXT        inputs from files: KEY=FILE or KEY=FILE[NAME], semicolons between
  --input_exprs TEXT   inputs from Python literals: KEY=LITERAL, semicolons between
  --input_examples TEXT  inputs from tf.Examples: KEY=[{\"FEATURE\": [VALUES]}]
  --outdir DIR         write outputs to DIR/KEY.npy too, with --overwrite also over files
  --op_denylist OPS    look for these ops [default: PrintV2, ReadFile, WriteFile]

Output and exit codes are those of TensorFlow's tool: 0 success, 1 the model cannot be read or run or
has no such tags or signature, 2 the command line is wrong. `savedmodel --help` shows what else there
is. `run` needs an installed TensorFlow, in the active environment or named in SAVEDMODEL_TF_LIB.
";
