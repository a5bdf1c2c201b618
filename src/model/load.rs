use std::io;
use std::path::{Path, PathBuf};

use prost::bytes::Bytes;

use super::view::{Source, Split};
use crate::bundle::foreign_kind;
use crate::chunked::ChunkedProto;
use crate::error::{Error, ErrorKind, Printable, Result};
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
    /// `saved_model.cpb`: the binary form in chunks. TensorFlow's open-source builds cannot load
    /// it.
    Chunked,
}

impl Format {
    /// All of them, in the order in which they are tried.
    const ALL: [Format; 3] = [Format::Binary, Format::Text, Format::Chunked];

    /// Returns the name of the model file.
    pub fn file_name(self) -> &'static str {
        match self {
            Format::Binary => BINARY,
            Format::Text => TEXT,
            Format::Chunked => CHUNKED,
        }
    }
}

const BINARY: &str = "saved_model.pb";
const TEXT: &str = "saved_model.pbtxt";
const CHUNKED: &str = "saved_model.cpb";

/// The files that make a directory a model, in the order in which they win, with the forms that
/// can be asked for.
pub(crate) const MODEL_FILES: [(&str, Option<Format>); 3] = [
    (BINARY, Some(Format::Binary)),
    (TEXT, Some(Format::Text)),
    (CHUNKED, Some(Format::Chunked)),
];

/// How a model file is opened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LoadOptions {
    /// The only form that is looked for.
    pub(crate) format: Option<Format>,
    /// How much a chunked one may be merged to.
    pub(crate) merge_limit: Option<u64>,
}

/// Opens the model file of a directory. The binary one wins over the text, as in
/// `tensorflow/cc/saved_model/reader.cc`; the chunked one is last.
pub(crate) fn open(store: &dyn Store, directory: &str, options: LoadOptions) -> Result<Source> {
    for format in Format::ALL {
        if options.format.is_some_and(|wanted| wanted != format) {
            continue;
        }
        let name = join(directory, format.file_name());
        let path = store.display(&name);
        let Some(blob) = open_if_there(store, &name)? else {
            continue;
        };
        return Source::read(&blob, path.clone(), format, options).map_err(|error| {
            let error = error.in_file(&path);
            match foreign_kind(&blob) {
                Some(kind) => error.remedy(kind),
                None if matches!(error.kind(), ErrorKind::Malformed { .. })
                    && format == Format::Binary =>
                {
                    error.remedy(
                        "it is cut short, damaged or no SavedModel: copy it again from its source",
                    )
                }
                None => error,
            }
        });
    }
    Err(match options.format {
        Some(format) => Error::not_found(format!("`{}`", format.file_name())),
        None => no_model(store, directory),
    })
}

/// Returns the forms of a model that there are besides the one that was opened.
pub(crate) fn others(store: &dyn Store, directory: &str, opened: Format) -> Result<Vec<Format>> {
    let mut others = Vec::new();
    for format in Format::ALL {
        let name = join(directory, format.file_name());
        if format != opened && open_if_there(store, &name)?.is_some() {
            others.push(format);
        }
    }
    Ok(others)
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

impl Source {
    fn read(blob: &Blob, path: PathBuf, format: Format, options: LoadOptions) -> Result<Self> {
        let mut split = None;
        let bytes = match format {
            Format::Binary => blob.read(0, blob.len())?,
            Format::Text => read_text(&blob.read(0, blob.len())?)?,
            Format::Chunked => {
                let file = match options.merge_limit {
                    Some(limit) => ChunkedProto::open_within(blob.clone(), limit)?,
                    None => ChunkedProto::open(blob.clone())?,
                };
                let outline = file.metadata().message.without_graphs();
                let bytes = file.merge_message(&outline, SAVED_MODEL)?;
                if outline != file.metadata().message {
                    split = Some(Split::new(file));
                }
                bytes
            }
        };
        // A file that is cut, or none of this kind, mostly shows here; the meta graphs are jumped
        // over.
        for field in Message::new(&bytes).fields() {
            field?;
        }
        Ok(Source {
            bytes,
            path,
            format,
            split,
        })
    }
}

/// The message that every model file holds.
pub(super) const SAVED_MODEL: &str = "tensorflow.SavedModel";

/// Brings the text form into the binary one.
fn read_text(text: &[u8]) -> Result<Bytes> {
    Ok(text::parse(text, SAVED_MODEL)?.into())
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
    let error = Error::not_found(format!("SavedModel (`{BINARY}`, `{TEXT}` or `{CHUNKED}`)"));
    let mut models: Vec<&String> = names
        .iter()
        .filter(|name| {
            let child = join(directory, name);
            [BINARY, TEXT, CHUNKED].iter().any(|file| {
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
