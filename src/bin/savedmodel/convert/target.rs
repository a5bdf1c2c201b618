use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use savedmodel::exchange;
use savedmodel::model::{self, Located, locate};

use crate::args::{Convert, ConvertTo};
use crate::failure::Failure;

/// What is to be written, and where.
pub(crate) enum Target {
    Model {
        directory: PathBuf,
        format: model::Format,
    },
    Tensors {
        path: PathBuf,
        format: exchange::Format,
    },
}

impl Target {
    /// Finds out what the command line asks for: what `--to` says, or what OUT ends in.
    pub(crate) fn of(args: &Convert) -> Result<Target, Failure> {
        let out = &args.target;
        let name = out.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let ends_in = |end: &str| name.len() > end.len() && name.ends_with(end);
        let file = MODEL_FILES.into_iter().find(|it| it.file_name() == name);
        let is_program = [".pb", ".pbtxt", ".cpb"].iter().any(|end| ends_in(end));
        let no_directory = || {
            Err(Failure::Usage(
                "OUT is a model's directory, or a saved_model.pb, .pbtxt or .cpb in it".into(),
            ))
        };
        let to = match args.to {
            Some(to) => to,
            None if let Some(format) = file => to_of(format),
            None if is_program => return no_directory(),
            None if ends_in(".safetensors") || ends_in(".safetensors.index.json") => {
                ConvertTo::Safetensors
            }
            None if ends_in(".npz") => ConvertTo::Npz,
            None if ends_in(".index") || ends_in(".ckpt") => ConvertTo::Bundle,
            None if is_tensor_file(&args.source) => ConvertTo::Bundle,
            None => {
                let what = match locate(&args.source) {
                    Ok(Located::Model(_)) => "pb, pbtxt, cpb, bundle, safetensors or npz",
                    _ => "bundle, safetensors or npz",
                };
                return Err(Failure::Usage(
                    format!("OUT does not say what is to be written: add --to {what}").into(),
                ));
            }
        };
        let format = match to {
            ConvertTo::Pb => model::Format::Binary,
            ConvertTo::Pbtxt => model::Format::Text,
            ConvertTo::Cpb => model::Format::Chunked,
            ConvertTo::Bundle => {
                return Ok(Target::Tensors {
                    path: match ends_in(".index") {
                        true => out.with_extension(""),
                        false => out.clone(),
                    },
                    format: exchange::Format::Bundle,
                });
            }
            ConvertTo::Safetensors | ConvertTo::Npz => {
                // The index is written if there are several files.
                let path = match ends_in(".safetensors.index.json") {
                    true => out.with_extension("").with_extension(""),
                    false => out.clone(),
                };
                return Ok(Target::Tensors {
                    path,
                    format: match to {
                        ConvertTo::Npz => exchange::Format::Npz,
                        _ => exchange::Format::Safetensors,
                    },
                });
            }
        };
        match file {
            Some(named) if named != format => Err(Failure::Usage(
                format!("OUT is a {name}, which is not what --to says").into(),
            )),
            Some(_) => Ok(Target::Model {
                directory: match out.parent() {
                    Some(parent) if parent != Path::new("") => parent.to_owned(),
                    _ => PathBuf::from("."),
                },
                format,
            }),
            None if is_program => no_directory(),
            None => Ok(Target::Model {
                directory: out.clone(),
                format,
            }),
        }
    }
}

const MODEL_FILES: [model::Format; 3] = [
    model::Format::Binary,
    model::Format::Text,
    model::Format::Chunked,
];

fn to_of(format: model::Format) -> ConvertTo {
    match format {
        model::Format::Text => ConvertTo::Pbtxt,
        model::Format::Chunked => ConvertTo::Cpb,
        _ => ConvertTo::Pb,
    }
}

/// Says whether a path is a file of tensors in a format that is not TensorFlow's.
pub(crate) fn is_tensor_file(path: &Path) -> bool {
    let ends = [".safetensors", ".safetensors.index.json", ".npz"];
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    ends.iter().any(|end| name.ends_with(end)) && path.is_file()
}
