use std::collections::HashSet;

use crate::wire::descriptor::{Field, Kind, Message, Rule};
use crate::wire::{self, varint};

/// Writes messages as C++ serializes them, whatever the order their fields come in: ascending by
/// number, packed scalars in one field, defaults left out, map entries complete and with distinct
/// keys. Maps keep the order they come in.
pub(super) struct Encoder {
    out: Vec<u8>,
    /// Of all open messages, the outermost first.
    chunks: Vec<Chunk>,
    open: Vec<Open>,
}

/// The bytes of one field, or of several in a row that have the same number; they reach to the
/// next chunk.
#[derive(Clone, Copy)]
struct Chunk {
    field: &'static Field,
    start: usize,
}

struct Open {
    message: &'static Message,
    /// Where its fields begin. The byte before waits for the length.
    body: usize,
    first_chunk: usize,
}

/// A scalar as the wire has it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Bytes(&'a [u8]),
}

impl Encoder {
    pub(super) fn new(message: &'static Message) -> Self {
        Encoder {
            out: Vec::new(),
            chunks: Vec::new(),
            open: vec![Open {
                message,
                body: 0,
                first_chunk: 0,
            }],
        }
    }

    /// Writes a scalar, unless it is a default that goes without saying.
    #[inline]
    pub(super) fn scalar(&mut self, field: &'static Field, value: Scalar<'_>) {
        if field.rule == Rule::Implicit && value.is_default() {
            return;
        }
        if field.rule == Rule::Packed {
            self.start_packed(field);
        } else {
            self.start(field);
            self.tag(field.number, value.wire_type());
        }
        match value {
            Scalar::Varint(value) => varint::write_u64(&mut self.out, value),
            Scalar::Fixed32(value) => self.out.extend_from_slice(&value.to_le_bytes()),
            Scalar::Fixed64(value) => self.out.extend_from_slice(&value.to_le_bytes()),
            Scalar::Bytes(bytes) => {
                varint::write_u64(&mut self.out, bytes.len() as u64);
                self.out.extend_from_slice(bytes);
            }
        }
    }

    /// Begins a message in a field; what follows goes into it until [`close`](Self::close).
    pub(super) fn open(&mut self, field: &'static Field, message: &'static Message) {
        self.start(field);
        self.tag(field.number, LENGTH_DELIMITED);
        self.out.push(0);
        self.open.push(Open {
            message,
            body: self.out.len(),
            first_chunk: self.chunks.len(),
        });
    }

    pub(super) fn close(&mut self) {
        let Some(open) = self.open.pop() else { return };
        self.complete(&open);
        if open.body == 0 {
            return;
        }
        self.write_length(open.body - 1);
        // The value of an `Any` is a message only here, and empty bytes are a default.
        if self.out.len() == open.body
            && let Some(chunk) = self.chunks.last()
            && chunk.field.rule == Rule::Implicit
        {
            self.out.truncate(chunk.start);
            self.chunks.pop();
        }
    }

    /// Closes the outermost message.
    pub(super) fn finish(mut self) -> Vec<u8> {
        while !self.open.is_empty() {
            self.close();
        }
        self.out
    }

    fn start(&mut self, field: &'static Field) {
        if self
            .last_chunk()
            .is_some_and(|last| last.field.number == field.number)
        {
            return;
        }
        self.end_packed();
        self.chunks.push(Chunk {
            field,
            start: self.out.len(),
        });
    }

    fn start_packed(&mut self, field: &'static Field) {
        if self
            .last_chunk()
            .is_none_or(|last| last.field.number != field.number)
        {
            self.start(field);
            self.tag(field.number, LENGTH_DELIMITED);
            self.out.push(0);
        }
    }

    /// Writes the length of the packed field that ends here, if one does.
    fn end_packed(&mut self) {
        if let Some(&Chunk { field, start }) = self.last_chunk()
            && field.rule == Rule::Packed
        {
            self.write_length(start + tag_len(field.number));
        }
    }

    fn last_chunk(&self) -> Option<&Chunk> {
        let first = self.open.last().map_or(0, |open| open.first_chunk);
        self.chunks[first..].last()
    }

    fn tag(&mut self, number: u32, wire_type: u8) {
        varint::write_u64(&mut self.out, u64::from(number << 3 | u32::from(wire_type)));
    }

    /// Puts the length of all that follows the byte at `position` in its place.
    fn write_length(&mut self, position: usize) {
        let body = position + 1;
        let end = self.out.len();
        let len = (end - body) as u64;
        if len < 0x80 {
            self.out[position] = len as u8;
            return;
        }
        let more = varint::len_u64(len) - 1;
        self.out.resize(end + more, 0);
        self.out.copy_within(body..end, body + more);
        let mut length = Vec::with_capacity(more + 1);
        varint::write_u64(&mut length, len);
        self.out[position..=position + more].copy_from_slice(&length);
    }

    /// Makes the fields of a message what they must be before its length is written.
    fn complete(&mut self, open: &Open) {
        // `open` is no longer on the stack, but its chunks are.
        if let Some(&Chunk { field, start }) = self.chunks[open.first_chunk..].last()
            && field.rule == Rule::Packed
        {
            self.write_length(start + tag_len(field.number));
        }
        if open.message.is_map_entry {
            self.complete_entry(open);
        }
        let chunks = &self.chunks[open.first_chunk..];
        if !chunks.is_sorted_by(|a, b| a.field.number < b.field.number) {
            self.sort(open);
        }
        self.drop_overwritten(open);
        self.chunks.truncate(open.first_chunk);
    }

    fn complete_entry(&mut self, open: &Open) {
        for field in open.message.fields {
            let chunks = &self.chunks[open.first_chunk..];
            if chunks
                .iter()
                .any(|chunk| chunk.field.number == field.number)
            {
                continue;
            }
            self.chunks.push(Chunk {
                field,
                start: self.out.len(),
            });
            let default = match field.kind {
                Kind::String | Kind::Bytes | Kind::Message(_) => Scalar::Bytes(b""),
                Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => Scalar::Fixed32(0),
                Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => Scalar::Fixed64(0),
                _ => Scalar::Varint(0),
            };
            self.tag(field.number, default.wire_type());
            match default {
                Scalar::Fixed32(_) => self.out.extend_from_slice(&[0; 4]),
                Scalar::Fixed64(_) => self.out.extend_from_slice(&[0; 8]),
                _ => self.out.push(0),
            }
        }
    }

    /// Puts the chunks of a message in order and unites those of one field.
    fn sort(&mut self, open: &Open) {
        let body = self.out.split_off(open.body);
        let chunks = self.chunks.split_off(open.first_chunk);
        let ends = chunks.iter().skip(1).map(|chunk| chunk.start);
        let ends = ends.chain([open.body + body.len()]);
        let mut ranges: Vec<_> = chunks
            .iter()
            .zip(ends)
            .map(|(chunk, end)| (chunk.field, chunk.start - open.body..end - open.body))
            .collect();
        ranges.sort_by_key(|(field, _)| field.number);

        for same in ranges.chunk_by(|a, b| a.0.number == b.0.number) {
            let field = same[0].0;
            let start = self.out.len();
            self.chunks.push(Chunk { field, start });
            if field.rule != Rule::Packed {
                for (_, range) in same {
                    self.out.extend_from_slice(&body[range.clone()]);
                }
                continue;
            }
            self.tag(field.number, LENGTH_DELIMITED);
            let length = self.out.len();
            self.out.push(0);
            for (_, range) in same {
                let packed = &body[range.clone()][tag_len(field.number)..];
                let header = varint::read_u64(packed).map_or(0, |(_, len)| len);
                self.out.extend_from_slice(&packed[header..]);
            }
            self.write_length(length);
        }
    }

    /// Removes the entries of maps whose key comes again later.
    fn drop_overwritten(&mut self, open: &Open) {
        let mut end = self.out.len();
        // From the last chunk on, so that the starts of those before stay right.
        for i in (open.first_chunk..self.chunks.len()).rev() {
            let Chunk { field, start } = self.chunks[i];
            if field.kind.message().is_some_and(|kind| kind.is_map_entry)
                && let Some(kept) = distinct_entries(&self.out[start..end])
            {
                self.out.splice(start..end, kept);
            }
            end = start;
        }
    }
}

/// Returns the entries of a map without those that are overwritten; `None` if none is.
fn distinct_entries(entries: &[u8]) -> Option<Vec<u8>> {
    let entries: Vec<_> = wire::Message::new(entries)
        .fields()
        .map_while(Result::ok)
        .collect();
    if entries.len() < 2 {
        return None;
    }
    // The key is written first, and always.
    let mut later = HashSet::with_capacity(entries.len());
    let keep: Vec<_> = entries
        .iter()
        .rev()
        .map(|entry| later.insert(key(entry)))
        .collect();
    if later.len() == entries.len() {
        return None;
    }
    let kept = entries
        .iter()
        .zip(keep.iter().rev())
        .filter(|(_, keep)| **keep);
    Some(
        kept.flat_map(|(entry, _)| entry.raw().iter().copied())
            .collect(),
    )
}

fn key<'a>(entry: &wire::Field<'a>) -> Option<&'a [u8]> {
    let first = entry.message()?.fields().next()?.ok()?;
    Some(first.raw())
}

const LENGTH_DELIMITED: u8 = 2;

fn tag_len(number: u32) -> usize {
    varint::len_u64(u64::from(number) << 3)
}

impl Scalar<'_> {
    fn wire_type(self) -> u8 {
        match self {
            Scalar::Varint(_) => 0,
            Scalar::Fixed64(_) => 1,
            Scalar::Bytes(_) => LENGTH_DELIMITED,
            Scalar::Fixed32(_) => 5,
        }
    }

    /// Whether it is the default value; minus zero is not.
    pub(super) fn is_default(self) -> bool {
        match self {
            Scalar::Varint(value) | Scalar::Fixed64(value) => value == 0,
            Scalar::Fixed32(value) => value == 0,
            Scalar::Bytes(bytes) => bytes.is_empty(),
        }
    }
}
