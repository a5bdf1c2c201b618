use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use savedmodel::numpy::{NpyOptions, is_void, save_npy, supports};
use savedmodel::{DType, Error, ErrorKind, Tensor};
use serde::Serialize;

use super::file_name;
use super::listing::write_key;
use super::selection::Selection;
use super::variable::Variable;
use super::{Request, counted};
use crate::decimal::binary_size;
use crate::failure::{Failure, Outcome};
use crate::fault::{Fault, KeyText};
use crate::json;
use crate::table::{Align, Table};
use crate::text::Escaped;

/// Under this key stands a message, the objects of a checkpoint.
const OBJECT_GRAPH: &[u8] = b"_CHECKPOINTABLE_OBJECT_GRAPH";

/// Writes each tensor that is wanted to a file below the directory.
pub(super) fn run(
    request: &Request<'_>,
    selection: Selection<'_>,
    directory: &Path,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let (variables, index_fault) = selection.into_variables();
    let files = file_name::files(variables.iter().map(|variable| variable.key.as_bytes()));
    check_places(directory, &files, request.args.overwrite)?;
    let options = NpyOptions::default()
        .overwrite(request.args.overwrite)
        .strings(request.args.strings.into());
    let mut extracted = Vec::with_capacity(variables.len());
    for (variable, file) in variables.into_iter().zip(files) {
        extracted.push(extract(request, variable, file, directory, &options)?);
    }
    let totals = Totals {
        written: extracted.iter().filter(|one| one.bytes.is_some()).count() as u64,
        bytes: extracted.iter().filter_map(|one| one.bytes).sum(),
        failed: extracted.iter().filter(|one| one.bytes.is_none()).count() as u64,
    };
    match request.args.json {
        true => {
            let document = Document {
                index: request.bundle.index_path().to_string_lossy().into_owned(),
                directory: directory.to_string_lossy().into_owned(),
                tensors: extracted.iter().map(Extracted::document).collect(),
                totals: &totals,
                index_error: index_fault.as_ref().map(Fault::of),
            };
            json::document(out, "extraction", 1, &document)?;
        }
        false => write(out, directory, &extracted, &totals)?,
    }
    match (index_fault, totals.failed) {
        (Some(error), _) => Err(error.into()),
        (None, 0) => Ok(Outcome::Sound),
        (None, failed) => Ok(Outcome::Damaged(format!(
            "{failed} of {} not written",
            counted(extracted.len() as u64, "tensor")
        ))),
    }
}

/// Refuses to begin if a file is in the way, or a link that leads out of the directory.
fn check_places(
    directory: &Path,
    files: &[Result<Vec<String>, String>],
    overwrite: bool,
) -> Result<(), Failure> {
    let mut seen = HashSet::new();
    let (mut first, mut in_the_way) = (None, 0u64);
    for parts in files.iter().flatten() {
        let mut path = directory.to_owned();
        let (file, above) = match parts.split_last() {
            Some(split) => split,
            None => continue,
        };
        for part in above {
            path.push(part);
            let is_link = || {
                path.symlink_metadata()
                    .is_ok_and(|found| found.is_symlink())
            };
            if seen.insert(path.clone()) && is_link() {
                return Err(Failure::Usage(
                    format!(
                        "{}: a symbolic link, which may lead out of {} (remove it, or extract to \
                         another directory)",
                        path.display(),
                        directory.display()
                    )
                    .into(),
                ));
            }
        }
        path.push(file);
        if !overwrite && path.symlink_metadata().is_ok() {
            in_the_way += 1;
            first.get_or_insert(path);
        }
    }
    match first {
        Some(path) => Err(Failure::Usage(
            format!(
                "{}: {} there already, and nothing was written (--overwrite replaces them)",
                path.display(),
                match in_the_way {
                    1 => "the file is".to_owned(),
                    _ => format!("this and {} are", counted(in_the_way - 1, "more file")),
                }
            )
            .into(),
        )),
        None => Ok(()),
    }
}

/// What became of a tensor.
struct Extracted {
    variable: Variable,
    /// Its file, relative to the directory, with `/` between the parts.
    file: Option<String>,
    /// The length of the file, if it was written.
    bytes: Option<u64>,
    /// Why it was not, besides what is wrong with the tensor.
    refusal: Option<String>,
    /// What who reads the file should know.
    note: Option<String>,
}

fn extract(
    request: &Request<'_>,
    variable: Variable,
    file: Result<Vec<String>, String>,
    directory: &Path,
    options: &NpyOptions,
) -> Result<Extracted, Failure> {
    let (parts, refusal) = match file {
        Ok(parts) => (Some(parts), None),
        Err(why) => (None, Some(why)),
    };
    let dtype = variable.entry.as_ref().map(|entry| entry.dtype());
    let unsupported = dtype
        .filter(|dtype| !supports(*dtype))
        .map(|dtype| format!("numpy has no arrays of {dtype} elements"));
    let mut extracted = Extracted {
        file: parts.as_ref().map(|parts| parts.join("/")),
        bytes: None,
        refusal: refusal.or(unsupported),
        note: None,
        variable,
    };
    let Some(parts) = parts.filter(|_| extracted.refusal.is_none()) else {
        return Ok(extracted);
    };
    let Some(tensor) = extracted.variable.read(request) else {
        return Ok(extracted);
    };
    let (tensor, note) = presentable(&extracted.variable.key, tensor)?;
    let mut path: PathBuf = directory.to_owned();
    path.extend(parts);
    match save_npy(&path, &tensor, options) {
        Ok(bytes) => {
            extracted.bytes = Some(bytes);
            extracted.note = note;
        }
        // The next file would fail as well.
        Err(error) if is_of_the_machine(&error) => return Err(error.into()),
        Err(error) => extracted.refusal = Some(reason(&error)),
    }
    Ok(extracted)
}

fn is_of_the_machine(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Io { .. } | ErrorKind::NotFound { .. }
    )
}

/// Says why a tensor cannot be an array, in options of the command.
fn reason(error: &Error) -> String {
    let advice = match error.help() {
        Some(help) if help.contains("StringForm::Objects") => {
            " (--strings objects writes strings of any kind)"
        }
        _ => "",
    };
    format!("{}{advice}", error.kind())
}

/// Returns the tensor as it is written, and what numpy does not say of it.
fn presentable(key: &[u8], tensor: Tensor) -> Result<(Tensor, Option<String>), Failure> {
    if key == OBJECT_GRAPH
        && let Some([message]) = tensor.strings().map(|strings| [strings.bytes()])
        && tensor.elements() == 1
    {
        let bytes = Tensor::from_bytes(DType::UINT8, [message.len() as u64], message.to_vec())?;
        let note = "the bytes of a TrackableObjectGraph message";
        return Ok((bytes, Some(note.to_owned())));
    }
    let dtype = tensor.dtype();
    let note =
        is_void(dtype).then(|| format!("numpy has no {dtype}: array.view(ml_dtypes.{dtype})"));
    Ok((tensor, note))
}

impl Extracted {
    /// Returns why there is no file.
    fn reason(&self) -> Option<String> {
        let fault = || self.variable.fault.as_ref().map(|fault| fault.to_string());
        self.refusal.clone().or_else(fault)
    }

    fn document(&self) -> TensorDocument<'_> {
        TensorDocument {
            key: KeyText::of(&self.variable.key),
            dtype: (self.variable.entry.as_ref()).map(|entry| entry.dtype().to_string()),
            shape: (self.variable.entry.as_ref()).map(|entry| entry.shape().dims().to_vec()),
            file: self.file.as_deref().filter(|_| self.bytes.is_some()),
            bytes: self.bytes,
            note: self.note.as_deref(),
            error: match (self.bytes, &self.variable.fault) {
                (Some(_), _) => None,
                (None, Some(fault)) if self.refusal.is_none() => {
                    Some(ErrorDocument::Fault(Fault::of(fault)))
                }
                _ => self.reason().map(|message| ErrorDocument::Refusal {
                    kind: "unsupported",
                    message,
                }),
            },
        }
    }
}

fn write(
    out: &mut impl Write,
    directory: &Path,
    extracted: &[Extracted],
    totals: &Totals,
) -> Result<(), Failure> {
    let mut table = Table::new([
        ("key", Align::Left),
        ("dtype", Align::Left),
        ("shape", Align::Left),
        ("file", Align::Left),
    ]);
    let rows: Vec<[String; 5]> = extracted.iter().map(cells).collect();
    rows.iter().for_each(|row| table.measure(row));
    table.write_titles(out)?;
    for row in &rows {
        table.write(out, row)?;
    }
    write!(
        out,
        "\n{} written to {}, {} bytes",
        counted(totals.written, "tensor"),
        Escaped(directory.to_string_lossy().as_bytes()),
        totals.bytes
    )?;
    if totals.bytes >= 1024 {
        write!(out, " ({})", binary_size(totals.bytes))?;
    }
    if totals.failed > 0 {
        write!(out, "; {} not written", totals.failed)?;
    }
    writeln!(out)?;
    Ok(())
}

fn cells(one: &Extracted) -> [String; 5] {
    let mut cells: [String; 5] = Default::default();
    let [key, dtype, shape, file, note] = &mut cells;
    write_key(key, &one.variable.key);
    if let Some(entry) = &one.variable.entry {
        *dtype = entry.dtype().to_string();
        *shape = entry.shape().to_string();
    }
    match one.bytes {
        Some(_) => {
            *file = one.file.clone().unwrap_or_default();
            *note = one.note.clone().unwrap_or_default();
        }
        None => {
            let reason = one.reason().unwrap_or_default();
            *note = format!("not written: {}", Escaped(reason.as_bytes()));
        }
    }
    cells
}

/// What `savedmodel variables --extract --json` prints.
#[derive(Serialize)]
struct Document<'a> {
    index: String,
    directory: String,
    tensors: Vec<TensorDocument<'a>>,
    totals: &'a Totals,
    #[serde(skip_serializing_if = "Option::is_none")]
    index_error: Option<Fault<'a>>,
}

#[derive(Serialize)]
struct Totals {
    written: u64,
    bytes: u64,
    failed: u64,
}

#[derive(Serialize)]
struct TensorDocument<'a> {
    #[serde(flatten)]
    key: KeyText<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dtype: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shape: Option<Vec<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorDocument<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ErrorDocument<'a> {
    Fault(Fault<'a>),
    Refusal { kind: &'static str, message: String },
}
