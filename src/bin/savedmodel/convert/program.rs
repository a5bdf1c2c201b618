use std::io::Write;
use std::path::Path;

use savedmodel::bundle::{Durability, Existing};
use savedmodel::chunked::OtherForms;
use savedmodel::model::{Format, ModelCopy, locate_model};
use savedmodel::text::UnknownFields;
use savedmodel::{Error, ErrorKind, SavedModel};
use serde::Serialize;

use super::{refuse_options, target};
use crate::args;
use crate::failure::{Failure, Outcome};
use crate::progress::Progress;
use crate::text::Escaped;
use crate::variables::counted;
use crate::{json, path};

/// Writes a model, its program in that form.
pub(super) fn run(
    args: &args::Convert,
    directory: &Path,
    format: Format,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let tensors_only = [
        ("--include", !args.include.is_empty()),
        ("--exclude", !args.exclude.is_empty()),
        ("--rename", !args.rename.is_empty()),
        ("--cast", args.cast.is_some()),
        ("--metadata", !args.metadata.is_empty()),
        ("--skip-unsupported", args.skip_unsupported),
        ("--strings", args.strings.is_some()),
    ];
    refuse_options(&tensors_only, "a model")?;
    if args.max_file_size.is_some() && format != Format::Chunked {
        let what = "--max-file-size of a model is for --to cpb, whose chunks it limits";
        return Err(Failure::Usage(what.into()));
    }
    if target::is_tensor_file(&args.source) {
        let what = "these are tensors without a program: a model cannot be made of them";
        return Err(Failure::Usage(what.into()));
    }
    let location = locate_model(&args.source)?;
    path::tell_version(&args.source, &location);
    let chosen = args.format.map(Format::from).or(location.format);
    let model = match chosen {
        Some(format) => SavedModel::options()
            .format(format)
            .open(&location.directory)?,
        None => location.open()?,
    };
    if chosen.is_none() {
        path::tell_forms(&model, "--format chooses another");
    }
    let progress = Progress::new("copying", 0);
    let mut copy = ModelCopy::new(&model)
        .format(format)
        .unknown_fields(match args.drop_unknown_fields {
            true => UnknownFields::Drop,
            false => UnknownFields::Refuse,
        })
        .durability(match args.no_sync {
            true => Durability::None,
            false => Durability::Sync,
        })
        .existing(match args.overwrite {
            true => Existing::Replace,
            false => Existing::Refuse,
        })
        .other_forms(match args.overwrite {
            true => OtherForms::Remove,
            false => OtherForms::Refuse,
        })
        .on_progress(|it| progress.set(it.done, it.total));
    if let Some(size) = args.max_file_size {
        copy = copy.max_chunk_size(size.0);
    }
    let copied = copy.write(directory);
    drop(progress);
    let copied = copied.map_err(|error| explain(error, args))?;
    let report = Report {
        source: model.model_path().to_string_lossy().into_owned(),
        target: copied.program.to_string_lossy().into_owned(),
        from: word(model.format()),
        to: word(copied.format),
        unchanged: model.format() == copied.format,
        program_bytes: copied.program_bytes,
        files: copied.files,
        file_bytes: copied.file_bytes,
        left_out: copied.left_out.iter().map(|it| it.file_name()).collect(),
    };
    match args.json {
        true => json::document(out, "convert_model", 1, &report)?,
        false => write_text(&report, out)?,
    }
    Ok(Outcome::Sound)
}

fn write_text(report: &Report, out: &mut impl Write) -> std::io::Result<()> {
    write!(
        out,
        "{}: {} bytes{}",
        Escaped(report.target.as_bytes()),
        report.program_bytes,
        if report.unchanged {
            " as they were"
        } else {
            ""
        }
    )?;
    match report.files {
        0 => writeln!(out),
        files => writeln!(
            out,
            ", and {} of {} bytes",
            counted(files, "other file"),
            report.file_bytes
        ),
    }
}

/// Adds the option that helps.
fn explain(error: Error, args: &args::Convert) -> Failure {
    let option = match error.kind() {
        ErrorKind::Unsupported { .. } if error.to_string().contains("is unknown") => {
            "--drop-unknown-fields leaves such fields out"
        }
        ErrorKind::InvalidArgument { .. }
            if !args.overwrite && error.to_string().contains("something already") =>
        {
            "--overwrite replaces a model"
        }
        ErrorKind::InvalidArgument { .. }
            if !args.overwrite && error.to_string().contains("in this form, too") =>
        {
            "--overwrite removes it"
        }
        ErrorKind::TooLarge { .. } if error.to_string().contains("in one message") => {
            "--to cpb has no such limit"
        }
        _ => return error.into(),
    };
    Failure::Explained(error, option.into())
}

fn word(format: Format) -> &'static str {
    match format {
        Format::Text => "pbtxt",
        Format::Chunked => "cpb",
        _ => "pb",
    }
}

#[derive(Serialize)]
struct Report {
    source: String,
    target: String,
    from: &'static str,
    to: &'static str,
    unchanged: bool,
    program_bytes: u64,
    files: u64,
    file_bytes: u64,
    left_out: Vec<&'static str>,
}
