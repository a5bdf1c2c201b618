use std::io::Write;
use std::path::Path;

use savedmodel::bundle::{Durability, Existing};
use savedmodel::exchange::{Conversion, Converted, Format, TensorSource, open_source};
use savedmodel::numpy::StringForm;
use savedmodel::safetensors::SafetensorsWriter;
use savedmodel::{BundleWriter, ErrorKind};
use serde::Serialize;

use super::{refuse_options, target};
use crate::args;
use crate::failure::{Failure, Outcome};
use crate::progress::Progress;
use crate::text::Escaped;
use crate::variables::{counted, matches};
use crate::{complain, json, path};

/// Where a checkpoint of objects describes them.
const OBJECT_GRAPH: &[u8] = b"_CHECKPOINTABLE_OBJECT_GRAPH";
/// So many tensors are named that cannot be written.
const MAX_NAMED: usize = 5;

/// Writes tensors in that format.
pub(super) fn run(
    args: &args::Convert,
    target: &Path,
    format: Format,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let models_only = [
        ("--drop-unknown-fields", args.drop_unknown_fields),
        ("--format", args.format.is_some()),
    ];
    refuse_options(&models_only, "no model")?;
    let of_others = [
        (
            "--metadata",
            !args.metadata.is_empty() && format != Format::Safetensors,
        ),
        (
            "--max-file-size",
            args.max_file_size.is_some() && format == Format::Npz,
        ),
        ("--strings", args.strings.is_some() && format != Format::Npz),
    ];
    refuse_options(&of_others, &format.to_string())?;

    let source = open(&args.source)?;
    let progress = Progress::new("converting", 0);
    let mut conversion = Conversion::new(&*source)?;
    let is_selected = select(&mut conversion, args)?;
    let left_out = conversion.leave_out(format);
    if !args.skip_unsupported && !left_out.is_empty() {
        return Err(refusal(&left_out, format));
    }
    let is_renamed = rename(&mut conversion, args)?;
    if let Some(dtype) = args.cast {
        conversion.cast(dtype.into())?;
    }
    if format == Format::Bundle
        && (is_selected || is_renamed || args.cast.is_some())
        && conversion
            .tensors()
            .iter()
            .any(|it| it.key().as_bytes() == OBJECT_GRAPH)
    {
        complain(
            "warning: the description of objects, _CHECKPOINTABLE_OBJECT_GRAPH, is copied as it is \
             and names tensors as they were: --exclude it if objects are not restored from this",
        );
    }
    conversion.on_progress(|it| progress.set(it.done, it.total));
    let written = write(&mut conversion, args, target, format);
    let tensors: Vec<Written> = conversion.tensors().iter().map(Written::of).collect();
    drop(conversion);
    drop(progress);
    written.map_err(|error| {
        let is_there = error.to_string().contains("already");
        match error.kind() {
            ErrorKind::InvalidArgument { .. } if is_there && !args.overwrite => {
                Failure::Explained(error, "--overwrite replaces it".into())
            }
            _ if error
                .help()
                .is_some_and(|it| it.contains("StringForm::Objects")) =>
            {
                let option =
                    "--strings objects writes strings of any kind, --exclude leaves it out";
                Failure::Explained(error, option.into())
            }
            _ => error.into(),
        }
    })?;
    let report = Report {
        source: args.source.to_string_lossy().into_owned(),
        target: target.to_string_lossy().into_owned(),
        format: match format {
            Format::Safetensors => "safetensors",
            Format::Npz => "npz",
            _ => "bundle",
        },
        bytes: tensors.iter().map(|it| it.bytes).sum(),
        left_out: left_out.iter().map(LeftOut::of).collect(),
        tensors,
    };
    match args.json {
        true => json::document(out, "convert", 1, &report)?,
        false => write_text(&report, format, out)?,
    }
    Ok(Outcome::Sound)
}

fn open(path: &Path) -> savedmodel::Result<Box<dyn TensorSource>> {
    let of_torch = ["model.safetensors", "model.safetensors.index.json"];
    let has_other = of_torch.iter().any(|file| path.join(file).is_file());
    match target::is_tensor_file(path) || has_other {
        true => open_source(path),
        false => open_source(path::bundle(path)?),
    }
}

/// Keeps the tensors that are asked for; says whether some were not.
fn select(conversion: &mut Conversion<'_>, args: &args::Convert) -> Result<bool, Failure> {
    let before = conversion.tensors().len();
    let is_like = |pattern: &std::ffi::OsString, tensor: &Converted| {
        let (pattern, key) = (pattern.as_encoded_bytes(), tensor.key().as_bytes());
        pattern == key || matches(pattern, key)
    };
    for pattern in &args.include {
        if !conversion.tensors().iter().any(|it| is_like(pattern, it)) {
            let what = format!("no tensor is like --include {}", pattern.to_string_lossy());
            return Err(Failure::Usage(what.into()));
        }
    }
    conversion.retain(|tensor| {
        let is_in = |patterns: &[std::ffi::OsString]| patterns.iter().any(|it| is_like(it, tensor));
        (args.include.is_empty() || is_in(&args.include)) && !is_in(&args.exclude)
    });
    if before > 0 && conversion.tensors().is_empty() {
        return Err(Failure::Usage("--exclude leaves no tensor".into()));
    }
    Ok(conversion.tensors().len() < before)
}

/// Gives tensors the names that the rules say, one rule after the other; says whether one changed.
fn rename(conversion: &mut Conversion<'_>, args: &args::Convert) -> Result<bool, Failure> {
    let mut is_used = vec![false; args.rename.len()];
    let mut is_renamed = false;
    conversion.rename(|tensor| {
        let mut name = tensor.key().as_bytes().to_vec();
        for (rule, is_used) in args.rename.iter().zip(&mut is_used) {
            if let Some(renamed) = rule.apply(&name) {
                name = renamed;
                *is_used = true;
            }
        }
        is_renamed |= name != tensor.key().as_bytes();
        name
    })?;
    let mut rules = args.rename.iter().zip(&is_used);
    match rules.find(|(_, is_used)| !**is_used) {
        Some((rule, _)) => {
            let what = format!("no tensor has a name for --rename {rule}");
            Err(Failure::Usage(what.into()))
        }
        None => Ok(is_renamed),
    }
}

fn write(
    conversion: &mut Conversion<'_>,
    args: &args::Convert,
    target: &Path,
    format: Format,
) -> savedmodel::Result<()> {
    let existing = match args.overwrite {
        true => Existing::Replace,
        false => Existing::Refuse,
    };
    let durability = match args.no_sync {
        true => Durability::None,
        false => Durability::Sync,
    };
    match format {
        Format::Safetensors => {
            let mut writer = SafetensorsWriter::new()
                .existing(existing)
                .durability(durability);
            for (key, value) in &args.metadata {
                writer = writer.metadata(key, value);
            }
            if let Some(size) = args.max_file_size {
                writer = writer.max_file_bytes(size.0);
            }
            conversion.write_safetensors(target, writer)
        }
        Format::Npz => {
            let strings = args.strings.map_or(StringForm::default(), StringForm::from);
            conversion.write_npz(target, strings, existing, durability)
        }
        _ => {
            let mut options = BundleWriter::options()
                .existing(existing)
                .durability(durability);
            if let Some(size) = args.max_file_size {
                options = options.max_shard_size(size.0);
            }
            conversion.write_bundle(target, options)
        }
    }
}

fn refusal(left_out: &[Converted], format: Format) -> Failure {
    let named = left_out.iter().take(MAX_NAMED).map(|tensor| {
        let key = Escaped(tensor.key().as_bytes()).to_string();
        format!("{key} ({})", tensor.stored_type())
    });
    let named: Vec<String> = named.collect();
    let more = match left_out.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Failure::Usage(
        format!(
            "{format} cannot hold {}{more}: --skip-unsupported leaves what it cannot hold out, --exclude what you name",
            named.join(", ")
        )
        .into(),
    )
}

fn write_text(report: &Report, format: Format, out: &mut impl Write) -> std::io::Result<()> {
    for tensor in &report.left_out {
        writeln!(
            out,
            "left out, for {format} cannot hold it: {} ({})",
            Escaped(tensor.key.as_bytes()),
            Escaped(tensor.stored_type.as_bytes())
        )?;
    }
    writeln!(
        out,
        "{}: {}, {} bytes",
        Escaped(report.target.as_bytes()),
        counted(report.tensors.len() as u64, "tensor"),
        report.bytes
    )
}

#[derive(Serialize)]
struct Report {
    source: String,
    target: String,
    format: &'static str,
    bytes: u64,
    tensors: Vec<Written>,
    left_out: Vec<LeftOut>,
}

#[derive(Serialize)]
struct Written {
    key: String,
    source_key: String,
    dtype: String,
    stored_type: String,
    shape: Vec<u64>,
    bytes: u64,
}

impl Written {
    fn of(tensor: &Converted) -> Self {
        Written {
            key: tensor.key().to_string(),
            source_key: tensor.source_key().to_string(),
            dtype: tensor.dtype().map_or_else(String::new, |it| it.to_string()),
            stored_type: tensor.stored_type().to_owned(),
            shape: tensor.shape().dims().to_vec(),
            bytes: tensor.byte_len(),
        }
    }
}

#[derive(Serialize)]
struct LeftOut {
    key: String,
    stored_type: String,
    shape: Vec<u64>,
}

impl LeftOut {
    fn of(tensor: &Converted) -> Self {
        LeftOut {
            key: tensor.source_key().to_string(),
            stored_type: tensor.stored_type().to_owned(),
            shape: tensor.shape().dims().to_vec(),
        }
    }
}
