use std::path::{Path, PathBuf};
use std::str;
use std::sync::{Mutex, OnceLock, PoisonError};

use prost::bytes::Bytes;

use super::Format;
use super::load::SAVED_MODEL;
use crate::chunked::ChunkedProto;
use crate::error::{Error, Result};
use crate::wire::merged::{self, Merged};
use crate::wire::{Message, Value};

/// The one message all views of a model look at, and the file it came from.
pub(crate) struct Source {
    /// The message; of a split model without the chunks of its graphs.
    pub(crate) bytes: Bytes,
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
    /// Present where `bytes` is not everything.
    pub(crate) split: Option<Split>,
}

/// A model in chunks of which some have not been read yet.
pub(crate) struct Split {
    file: ChunkedProto,
    /// The message with all chunks, once it was asked for.
    whole: OnceLock<Bytes>,
    /// Held while it is made, so that it is made once.
    making: Mutex<()>,
}

impl Split {
    pub(crate) fn new(file: ChunkedProto) -> Self {
        Split {
            file,
            whole: OnceLock::new(),
            making: Mutex::new(()),
        }
    }

    fn whole(&self) -> Result<&Bytes> {
        if let Some(whole) = self.whole.get() {
            return Ok(whole);
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(whole) = self.whole.get() {
            return Ok(whole);
        }
        let whole = self.file.merge(SAVED_MODEL)?;
        Ok(self.whole.get_or_init(|| whole))
    }
}

impl Source {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::new(&self.bytes)
    }

    /// Returns all of the message. Of a split model the chunks of graphs are read now.
    pub(crate) fn whole(&self) -> Result<&Bytes> {
        match &self.split {
            Some(split) => split.whole().map_err(|error| error.in_file(&self.path)),
            None => Ok(&self.bytes),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the file to an error. Offsets count in the binary form, which of a text or of chunks
    /// the user does not have; those in the file of chunks were added already.
    pub(crate) fn fault(&self, error: Error) -> Error {
        match self.format {
            Format::Binary => error.in_file(&self.path),
            Format::Chunked if error.path().is_some() => error,
            Format::Text | Format::Chunked => error.without_offset().in_file(&self.path),
        }
    }

    /// Returns a share of the message that a part of it lies in.
    fn share(&self, part: &[u8]) -> Bytes {
        let whole = self.split.as_ref().and_then(|split| split.whole.get());
        let is_within = |bytes: &&Bytes| bytes.as_ptr_range().contains(&part.as_ptr());
        match [Some(&self.bytes), whole]
            .into_iter()
            .flatten()
            .find(is_within)
        {
            Some(bytes) => bytes.slice_ref(part),
            None => Bytes::copy_from_slice(part),
        }
    }
}

/// A singular message of the model, all its occurrences merged, that is not decoded yet.
///
/// Errors of its functions have the file and the byte.
#[derive(Clone, Copy)]
pub(crate) struct View<'m> {
    pub(crate) source: &'m Source,
    merged: Merged<'m>,
}

impl<'m> View<'m> {
    pub(crate) fn new(source: &'m Source, message: Message<'m>) -> Self {
        View {
            source,
            merged: Merged::new(message),
        }
    }

    /// Returns the message at the start of the path.
    pub(crate) fn root(self) -> Message<'m> {
        self.merged.root()
    }

    pub(crate) fn child(self, number: u32) -> Self {
        View {
            merged: self.merged.child(number),
            ..self
        }
    }

    pub(crate) fn fault(self, error: Error) -> Error {
        self.source.fault(error)
    }

    pub(crate) fn exists(self) -> Result<bool> {
        Ok(!self.parts()?.is_empty())
    }

    /// Returns the messages that are merged; none if the field is absent.
    pub(crate) fn parts(self) -> Result<Vec<Message<'m>>> {
        self.merged.parts().map_err(|error| self.fault(error))
    }

    /// Walks the messages of a repeated field.
    pub(crate) fn elements(
        self,
        number: u32,
    ) -> impl Iterator<Item = Result<Message<'m>>> + use<'m> {
        merged::messages(self.merged.fields(), number)
            .map(move |message| message.map_err(|error| self.fault(error)))
    }

    /// Walks the entries of a map whose keys are strings, in the order of the file. Of entries with
    /// one key the last counts.
    pub(crate) fn entries(
        self,
        number: u32,
    ) -> impl Iterator<Item = Result<(&'m str, View<'m>)>> + use<'m> {
        self.elements(number).map(move |entry| {
            let entry = View::new(self.source, entry?);
            Ok((entry.string(KEY)?, entry.child(VALUE)))
        })
    }

    /// Looks a map's value up.
    pub(crate) fn value(self, number: u32, key: &str) -> Result<Option<View<'m>>> {
        let mut found = None;
        for entry in self.elements(number) {
            let entry = View::new(self.source, entry?);
            let stored = entry.last_bytes(KEY)?.map_or(&b""[..], |(key, _)| key);
            if stored == key.as_bytes() {
                found = Some(entry.child(VALUE));
            }
        }
        Ok(found)
    }

    /// Walks the values of a repeated string field.
    pub(crate) fn strings(self, number: u32) -> impl Iterator<Item = Result<&'m str>> + use<'m> {
        self.merged.fields().filter_map(move |field| {
            let field = match field {
                Ok(field) if field.number() == number => field,
                Ok(_) => return None,
                Err(error) => return Some(Err(self.fault(error))),
            };
            match field.value() {
                Value::Bytes(bytes) => {
                    Some(read_str(bytes, field.offset()).map_err(|error| self.fault(error)))
                }
                _ => None,
            }
        })
    }

    /// Returns a string field; empty where there is none.
    pub(crate) fn string(self, number: u32) -> Result<&'m str> {
        match self.last_bytes(number)? {
            Some((bytes, offset)) => read_str(bytes, offset).map_err(|error| self.fault(error)),
            None => Ok(""),
        }
    }

    /// Returns a boolean field; false where there is none.
    pub(crate) fn boolean(self, number: u32) -> Result<bool> {
        Ok(self.integer(number)? != 0)
    }

    /// Returns an integer field; 0 where there is none.
    pub(crate) fn integer(self, number: u32) -> Result<i64> {
        let value = self.merged.last_varint(number);
        Ok(value.map_err(|error| self.fault(error))? as i64)
    }

    /// Returns the encoded bytes: a share of the model's, unless parts had to be merged.
    pub(crate) fn bytes(self) -> Result<Option<Bytes>> {
        let parts = self.parts()?;
        Ok((!parts.is_empty()).then(|| self.shared(&parts)))
    }

    /// Returns the bytes of all parts.
    fn shared(self, parts: &[Message<'m>]) -> Bytes {
        match parts {
            [part] => self.source.share(part.bytes()),
            _ => {
                let bytes = parts.iter().flat_map(|part| part.bytes());
                bytes.copied().collect()
            }
        }
    }

    /// Decodes the message, if it is there.
    pub(crate) fn decode<M: prost::Message + Default>(self) -> Result<Option<M>> {
        let parts = self.parts()?;
        let Some(first) = parts.first() else {
            return Ok(None);
        };
        // What is in a small one is sooner copied than counted.
        let decoded = match parts.len() == 1 && first.bytes().len() < SMALL {
            true => M::decode(first.bytes()),
            false => M::decode(self.shared(&parts)),
        };
        decoded.map(Some).map_err(|error| {
            let error = Error::malformed(error.to_string());
            self.fault(error.at(first.start()))
        })
    }

    fn last_bytes(self, number: u32) -> Result<Option<(&'m [u8], u64)>> {
        let last = self.merged.last_bytes(number);
        last.map_err(|error| self.fault(error))
    }
}

const SMALL: usize = 16 << 10;

/// The fields of every map entry.
const KEY: u32 = 1;
const VALUE: u32 = 2;

/// Reads a string as strictly as TensorFlow's parser.
pub(crate) fn read_str(bytes: &[u8], offset: u64) -> Result<&str> {
    str::from_utf8(bytes).map_err(|_| {
        Error::malformed(format!(
            "the string `{}` is not UTF-8",
            bytes[..bytes.len().min(64)].escape_ascii()
        ))
        .at(offset)
    })
}
