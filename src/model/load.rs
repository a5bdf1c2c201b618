use std::io;
use std::path::Path;

use prost::bytes::Bytes;

use super::view::Source;
use crate::bundle::foreign_kind;
use crate::error::{Error, Printable, Result};
use crate::store::{Blob, LocalStore, Store};
use crate::text;
use crate::wire::{Message, Value};

/// In which form a model file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// `saved_model.pb`: protobuf's binary form.
    Binary,
    /// `saved_model.pbtxt`: protobuf's text form.
    Text,
}

const BINARY: &str = "saved_model.pb";
const TEXT: &str = "saved_model.pbtxt";
const CHUNKED: &str = "saved_model.cpb";

/// The files that make a directory a model, in the order in which they win, with the forms that
/// can be asked for.
pub(crate) const MODEL_FILES: [(&str, Option<Format>); 3] = [
    (BINARY, Some(Format::Binary)),
    (TEXT, Some(Format::Text)),
    (CHUNKED, None),
];

/// Opens the model file of a directory. The binary one wins over the text, as in
/// `tensorflow/cc/saved_model/reader.cc`, unless one form alone is wanted.
pub(crate) fn open(store: &dyn Store, directory: &str, only: Option<Format>) -> Result<Source> {
    for (file, format) in [(BINARY, Format::Binary), (TEXT, Format::Text)] {
        if only.is_some_and(|only| only != format) {
            continue;
        }
        let name = join(directory, file);
        let path = store.display(&name);
        let Some(blob) = open_if_there(store, &name)? else {
            continue;
        };
        let bytes = read(&blob, format).map_err(|error| {
            let error = error.in_file(&path);
            match foreign_kind(&blob) {
                Some(kind) => error.remedy(kind),
                None => error,
            }
        })?;
        return Ok(Source {
            bytes,
            path,
            format,
        });
    }
    let chunked = join(directory, CHUNKED);
    match open_if_there(store, &chunked)? {
        Some(_) => Err(Error::unsupported(
            "a model split into chunks (`saved_model.cpb`) cannot be read yet",
        )
        .in_file(store.display(&chunked))),
        None => Err(no_model(store, directory)),
    }
}

/// Returns the name of what lies in a directory; the root's is empty.
pub(crate) fn join(directory: &str, name: &str) -> String {
    match directory {
        "" => name.to_owned(),
        directory => format!("{directory}/{name}"),
    }
}

/// Opens an object; `None` if there is none.
pub(crate) fn open_if_there(store: &dyn Store, name: &str) -> Result<Option<Blob>> {
    match store.open(name) {
        Ok(blob) => Ok(Some(blob)),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(Error::from(error).in_file(store.display(name))),
    }
}

pub(crate) fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn read(blob: &Blob, format: Format) -> Result<Bytes> {
    let bytes = blob.read(0, blob.len())?;
    let bytes = match format {
        Format::Binary => bytes,
        Format::Text => read_text(&bytes)?,
    };
    // A file that is cut, or none of this kind, mostly shows here; the meta graphs are jumped over.
    for field in Message::new(&bytes).fields() {
        field?;
    }
    Ok(bytes)
}

/// Brings the text form into the binary one.
fn read_text(text: &[u8]) -> Result<Bytes> {
    Ok(text::parse(text, "tensorflow.SavedModel")?.into())
}

/// Says what there is in place of a model.
fn no_model(store: &dyn Store, directory: &str) -> Error {
    let names = match store.list(directory) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Error::not_found("directory");
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Error::invalid_argument("a SavedModel is a directory, and this is a file");
        }
        Err(error) => return error.into(),
    };
    let error = Error::not_found(format!("SavedModel (`{BINARY}` or `{TEXT}`)"));
    let mut models: Vec<&String> = names
        .iter()
        .filter(|name| {
            let child = join(directory, name);
            [BINARY, TEXT].iter().any(|file| {
                let file = join(&child, file);
                matches!(open_if_there(store, &file), Ok(Some(_)))
            })
        })
        .take(MAX_NAMED + 1)
        .collect();
    if models.is_empty() {
        return match names.iter().any(|name| name.ends_with(".index")) {
            true => error.remedy("there are checkpoints: `BundleReader` reads them"),
            false if names.iter().any(|name| name == "variables") => {
                error.remedy("there are only variables: `BundleReader` reads them")
            }
            false => error,
        };
    }
    let more = models.len() > MAX_NAMED;
    models.truncate(MAX_NAMED);
    let list: Vec<String> = models
        .iter()
        .map(|name| format!("`{}`", Printable(name)))
        .collect();
    error.remedy(format!(
        "there are models in the directories {}{}",
        list.join(", "),
        if more { ", …" } else { "" }
    ))
}

const MAX_NAMED: usize = 5;

/// Says what a file is that was named in place of a model's directory.
pub(crate) fn explain_file(path: &Path, error: Error) -> Error {
    let name = path.file_name().and_then(|name| name.to_str());
    let remedy = match name {
        Some(BINARY | TEXT | CHUNKED) => Some("open the directory it lies in"),
        Some(name) if name.ends_with(".keras") => {
            Some("it is a Keras file: load it with Keras and call `model.export`")
        }
        Some(name) => {
            let store = LocalStore::new(path.parent().unwrap_or(Path::new("")));
            let blob = store.open(name).ok();
            blob.as_ref().and_then(foreign_kind)
        }
        None => None,
    };
    match remedy {
        Some(remedy) => error.remedy(remedy),
        None => error,
    }
}

/// Says what a file holds that no `SavedModel` message does, if it looks like another of
/// TensorFlow's messages. Its parser reads some of them as a model without meta graphs.
pub(crate) fn foreign_message(model: Message<'_>) -> Option<&'static str> {
    const GRAPH_DEF: &str =
        "it looks like a bare GraphDef, a frozen graph, and not like a SavedModel";
    const META_GRAPH_DEF: &str = "it looks like a bare MetaGraphDef, the `.meta` file of a checkpoint, and not like a SavedModel";
    // The schema version of a SavedModel, an integer.
    let first = model.fields().flatten().find(|field| field.number() == 1)?;
    let Value::Bytes(bytes) = first.value() else {
        return None;
    };
    // A node's op is an identifier; the op list in the same place of a MetaInfoDef never is.
    let op = Message::new(bytes).last(2).ok()?;
    match op.map(|field| field.value()) {
        Some(Value::Bytes(op)) if !op.is_empty() && op.iter().all(is_identifier) => Some(GRAPH_DEF),
        _ if Message::new(bytes).fields().all(|field| field.is_ok()) => Some(META_GRAPH_DEF),
        _ => None,
    }
}

fn is_identifier(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'>' | b'.' | b'/' | b'-')
}
