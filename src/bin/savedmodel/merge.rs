use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use savedmodel::bundle::{Durability, Existing, Inputs, MergeOptions, merge_bundles};
use savedmodel::{BundleReader, Error, ErrorKind};
use serde::Serialize;

use crate::args;
use crate::decimal::binary_size;
use crate::failure::{Failure, Outcome};
use crate::json;
use crate::text::Escaped;
use crate::variables::counted;

/// `savedmodel merge`.
pub(crate) fn run(args: &args::Merge, out: &mut impl Write) -> Result<Outcome, Failure> {
    let inputs: Vec<PathBuf> = args.inputs.iter().map(|path| prefix_of(path)).collect();
    refuse_directory(&args.into)?;
    // Afterwards they may be gone.
    let are_there: Vec<bool> = inputs.iter().map(|path| index_of(path).exists()).collect();
    let options = MergeOptions::default()
        .allow_missing_files(args.allow_missing)
        .inputs(match args.keep_inputs {
            true => Inputs::Keep,
            false => Inputs::Remove,
        })
        .existing(existing(args.replace))
        .durability(durability(args.no_sync));
    merge_bundles(&inputs, &args.into, &options)
        .map_err(|error| advise(error, args, &are_there))?;
    let document = Document {
        prefix: args.into.to_string_lossy().into_owned(),
        inputs: (inputs.iter().zip(&are_there))
            .map(|(prefix, merged)| InputDocument {
                prefix: prefix.to_string_lossy().into_owned(),
                merged: *merged,
            })
            .collect(),
        inputs_kept: args.keep_inputs,
        bundle: BundleDocument::of(&args.into)?,
    };
    match args.json {
        true => json::document(out, "merge", 1, &document)?,
        false => {
            for input in document.inputs.iter().filter(|input| !input.merged) {
                let prefix = Escaped(input.prefix.as_bytes());
                writeln!(out, "missing: {prefix}")?;
            }
            let merged = document.inputs.iter().filter(|input| input.merged).count();
            writeln!(
                out,
                "{} merged into {}: {}{}",
                counted(merged as u64, "bundle"),
                Escaped(document.prefix.as_bytes()),
                document.bundle.summary(),
                if args.keep_inputs {
                    "; those merged are kept"
                } else {
                    ""
                }
            )?;
        }
    }
    Ok(Outcome::Sound)
}

/// Says what can be done in options of the command.
fn advise(error: Error, args: &args::Merge, are_there: &[bool]) -> Failure {
    match error.kind() {
        ErrorKind::NotFound { .. } if !args.allow_missing && are_there.contains(&false) => {
            let advice = "--allow-missing merges those that there are";
            Failure::Advised(error, advice.into())
        }
        ErrorKind::InvalidArgument { .. } => in_the_way(error, args.replace),
        _ => error.into(),
    }
}

/// Says what can be done about a bundle that is there, if it is that.
pub(crate) fn in_the_way(error: Error, replace: bool) -> Failure {
    let is_there = error
        .help()
        .is_some_and(|help| help.contains("Existing::Replace"));
    match is_there && !replace {
        true => Failure::Advised(
            error,
            "choose another prefix, or --replace; `savedmodel recover` puts a bundle back that was set aside".into(),
        ),
        false => error.into(),
    }
}

/// Returns the prefix that is meant: a shell's `part-*.index` gives names of index files.
pub(crate) fn prefix_of(path: &Path) -> PathBuf {
    match (path.file_stem(), path.extension()) {
        (Some(stem), Some(extension)) if extension == "index" && !index_of(path).exists() => {
            path.with_file_name(stem)
        }
        _ => path.to_owned(),
    }
}

pub(crate) fn index_of(prefix: &Path) -> PathBuf {
    let mut name: OsString = prefix.into();
    name.push(".index");
    name.into()
}

/// Refuses a directory where a prefix is meant: files would be put beside it.
pub(crate) fn refuse_directory(prefix: &Path) -> Result<(), Failure> {
    match prefix.is_dir() {
        true => Err(Failure::Usage(
            format!(
                "{}: a directory, where a prefix is wanted (name one in it, as in {})",
                prefix.display(),
                prefix.join("ckpt-1").display()
            )
            .into(),
        )),
        false => Ok(()),
    }
}

pub(crate) fn existing(replace: bool) -> Existing {
    match replace {
        true => Existing::Replace,
        false => Existing::Refuse,
    }
}

pub(crate) fn durability(no_sync: bool) -> Durability {
    match no_sync {
        true => Durability::None,
        false => Durability::Sync,
    }
}

/// What `savedmodel merge --json` prints.
#[derive(Serialize)]
struct Document {
    prefix: String,
    inputs: Vec<InputDocument>,
    inputs_kept: bool,
    #[serde(flatten)]
    bundle: BundleDocument,
}

#[derive(Serialize)]
struct InputDocument {
    prefix: String,
    merged: bool,
}

/// A bundle that was written, in numbers.
#[derive(Serialize)]
pub(crate) struct BundleDocument {
    tensors: u64,
    shards: u32,
    data_bytes: u64,
    index_bytes: u64,
}

impl BundleDocument {
    pub(crate) fn of(prefix: &Path) -> savedmodel::Result<Self> {
        let bundle = BundleReader::open(prefix)?;
        let mut tensors = 0;
        for item in bundle.entries() {
            item?;
            tensors += 1;
        }
        let length = |path: PathBuf| fs::metadata(path).map_or(0, |file| file.len());
        let shards = bundle.num_shards();
        let data_bytes = (0..shards).map(|shard| {
            let mut name: OsString = prefix.into();
            name.push(format!(".data-{shard:05}-of-{shards:05}"));
            length(name.into())
        });
        Ok(BundleDocument {
            tensors,
            shards,
            data_bytes: data_bytes.sum(),
            index_bytes: length(index_of(prefix)),
        })
    }

    pub(crate) fn summary(&self) -> String {
        let mut text = format!(
            "{}, {}, {} bytes",
            counted(self.tensors, "tensor"),
            counted(self.shards.into(), "shard"),
            self.data_bytes
        );
        if self.data_bytes >= 1024 {
            text.push_str(&format!(" ({})", binary_size(self.data_bytes)));
        }
        text
    }
}
