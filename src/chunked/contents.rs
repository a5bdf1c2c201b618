use std::sync::Arc;

use prost::bytes::Bytes;

use super::riegeli::{ChunkHeader, RecordReader, Values};
use crate::error::{Error, Result};
use crate::store::platform::Buffer;
use crate::wire::varint;

/// Memory is taken and given back in pieces of this size.
const SEGMENT: u64 = 4 << 20;
/// So much of a record in the file is looked at at once.
const WINDOW: u64 = 64 << 10;
/// The longest tag with the longest length.
const HEADER: usize = 16;
/// How deep groups may nest, as in protobuf's own readers.
const MAX_GROUPS: usize = 100;

/// All records of a Riegeli chunk in memory.
pub(super) struct Held {
    segments: Vec<Bytes>,
    /// Where each record ends.
    ends: Vec<u64>,
}

impl Held {
    pub(super) fn read(mut values: Values, header: &ChunkHeader) -> Result<Self> {
        let mut ends = Vec::new();
        ends.extend(values.lengths().scan(0, |end, len| {
            *end += len;
            Some(*end)
        }));
        let mut segments = Vec::new();
        while values.position() < header.decoded_size {
            let len = (header.decoded_size - values.position()).min(SEGMENT);
            let mut segment = Buffer::new(len)?;
            values.read_exact(&mut segment)?;
            segments.push(segment.into_bytes());
        }
        values.finish()?;
        Ok(Held { segments, ends })
    }

    /// Returns the length of all records.
    pub(super) fn len(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Returns where a record begins, and its length.
    pub(super) fn record(&self, index: u64, header: &ChunkHeader) -> Result<(u64, u64)> {
        let at = index as usize;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before));
        match self.ends.get(at) {
            Some(end) => {
                let start = start.copied().unwrap_or(0);
                Ok((start, end - start))
            }
            None => Err(Error::malformed("a chunk has no record of that index").at(header.begin)),
        }
    }

    /// Fills `out` from byte `start` on, which must be within.
    pub(super) fn copy(&self, mut start: u64, mut out: &mut [u8]) {
        while !out.is_empty() {
            let Some(segment) = self.segments.get((start / SEGMENT) as usize) else {
                return;
            };
            let rest = segment.get((start % SEGMENT) as usize..).unwrap_or(&[]);
            let len = rest.len().min(out.len());
            if len == 0 {
                return;
            }
            let (now, later) = out.split_at_mut(len);
            now.copy_from_slice(&rest[..len]);
            out = later;
            start += len as u64;
        }
    }

    /// Gives back the memory of all bytes before `start`.
    pub(super) fn release(&mut self, start: u64) {
        let count = ((start / SEGMENT) as usize).min(self.segments.len());
        let done = self.segments[..count].iter_mut().rev();
        for segment in done.take_while(|segment| !segment.is_empty()) {
            *segment = Bytes::new();
        }
    }
}

/// A chunk to be looked into.
#[derive(Clone)]
pub(super) enum Contents {
    /// In memory.
    Held {
        values: Arc<Held>,
        start: u64,
        len: u64,
    },
    /// In the file, not compressed, from byte `start` of the Riegeli chunk's data on.
    Stored {
        header: ChunkHeader,
        start: u64,
        len: u64,
    },
}

impl Contents {
    fn len(&self) -> u64 {
        match self {
            Contents::Held { len, .. } | Contents::Stored { len, .. } => *len,
        }
    }

    /// Fills `out` from byte `at` on, which must be within.
    pub(super) fn copy(&self, records: &RecordReader, at: u64, out: &mut [u8]) -> Result<()> {
        match self {
            Contents::Held { values, start, .. } => {
                values.copy(start + at, out);
                Ok(())
            }
            Contents::Stored { header, start, .. } => records.peek(header, start + at, out),
        }
    }
}

/// A field found in a chunk; places count from the chunk's begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldAt {
    pub(super) number: u32,
    pub(super) wire_type: u8,
    pub(super) start: u64,
    /// Where the value begins, behind its length if it has one.
    pub(super) value: u64,
    pub(super) end: u64,
    /// The value itself, if that is a varint.
    pub(super) varint: u64,
}

/// The walk over the fields of a message, or of several in a row, that lies in a chunk.
pub(super) struct Walk<'a> {
    contents: &'a Contents,
    records: &'a RecordReader,
    position: u64,
    end: u64,
    window: Vec<u8>,
    window_start: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        contents: &'a Contents,
        records: &'a RecordReader,
        start: u64,
        end: u64,
    ) -> Self {
        Walk {
            contents,
            records,
            position: start,
            end: end.min(contents.len()),
            window: Vec::new(),
            window_start: 0,
        }
    }

    pub(super) fn next_field(&mut self) -> Result<Option<FieldAt>> {
        if self.position >= self.end {
            return Ok(None);
        }
        let field = self.field(self.position)?;
        let field = match field.wire_type {
            3 => self.group(field)?,
            4 => return Err(invalid()),
            _ => field,
        };
        self.position = field.end;
        Ok(Some(field))
    }

    /// Finds the end of a group whose tag was read.
    fn group(&mut self, group: FieldAt) -> Result<FieldAt> {
        let mut open = vec![group.number];
        let mut position = group.value;
        while let Some(innermost) = open.last() {
            if position >= self.end || open.len() > MAX_GROUPS {
                return Err(invalid());
            }
            let field = self.field(position)?;
            match field.wire_type {
                3 => open.push(field.number),
                4 if field.number != *innermost => return Err(invalid()),
                4 => {
                    open.pop();
                }
                _ => {}
            }
            position = field.end;
        }
        Ok(FieldAt {
            end: position,
            ..group
        })
    }

    fn field(&mut self, start: u64) -> Result<FieldAt> {
        let mut bytes = [0; HEADER];
        let len = self.look(start, &mut bytes)?;
        let bytes = &bytes[..len];
        let (tag, header) = varint::read_u32(bytes).ok_or_else(invalid)?;
        let (number, wire_type) = (tag >> 3, (tag & 7) as u8);
        if number == 0 {
            return Err(invalid());
        }
        let body = &bytes[header..];
        let value = start + header as u64;
        let mut field = FieldAt {
            number,
            wire_type,
            start,
            value,
            end: value,
            varint: 0,
        };
        match wire_type {
            0 => {
                let (value, len) = varint::read_u64(body).ok_or_else(invalid)?;
                field.varint = value;
                field.end += len as u64;
            }
            1 => field.end += 8,
            2 => {
                let (len, header) = varint::read_u64(body).ok_or_else(invalid)?;
                field.value += header as u64;
                field.end = field.value.checked_add(len).ok_or_else(invalid)?;
            }
            3 | 4 => {}
            5 => field.end += 4,
            _ => return Err(invalid()),
        }
        match field.end <= self.end {
            true => Ok(field),
            false => Err(invalid()),
        }
    }

    /// Copies what lies at a place, as much as there is.
    fn look(&mut self, at: u64, out: &mut [u8]) -> Result<usize> {
        let len = (self.end - at).min(out.len() as u64);
        let out = &mut out[..len as usize];
        if let Contents::Held { values, start, .. } = self.contents {
            values.copy(start + at, out);
            return Ok(out.len());
        }
        let window_end = self.window_start + self.window.len() as u64;
        if at < self.window_start || at + len > window_end {
            self.window_start = at;
            self.window.resize((self.end - at).min(WINDOW) as usize, 0);
            self.contents.copy(self.records, at, &mut self.window)?;
        }
        let from = (at - self.window_start) as usize;
        out.copy_from_slice(&self.window[from..from + out.len()]);
        Ok(out.len())
    }
}

fn invalid() -> Error {
    Error::malformed("a chunk is not the message it should be")
}
