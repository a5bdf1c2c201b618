use super::MAX_DEPTH;
use super::rope::{Space, Span};
use crate::error::{Error, Result};
use crate::wire::varint;

pub(super) const VARINT: u8 = 0;
pub(super) const FIXED64: u8 = 1;
pub(super) const LENGTH: u8 = 2;
pub(super) const GROUP: u8 = 3;
pub(super) const END_GROUP: u8 = 4;
pub(super) const FIXED32: u8 = 5;

/// A field as it stands in the input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawField {
    pub(crate) number: u32,
    pub(super) wire_type: u8,
    /// From the tag on.
    pub(crate) span: Span,
    /// Where the value begins, after the tag and the length.
    pub(super) body: u32,
    /// Of a varint.
    pub(super) value: u64,
    /// Whether no varint in tag, length and value is longer than it must be.
    pub(super) minimal: bool,
}

impl RawField {
    pub(crate) fn body(&self) -> Span {
        Span {
            start: self.body,
            end: self.span.end,
        }
    }

    /// The bytes of a field that has a length: a string, bytes, a message, packed scalars.
    pub(crate) fn length_delimited(&self) -> Option<Span> {
        (self.wire_type == LENGTH).then(|| self.body())
    }

    pub(crate) fn is_fixed32(&self) -> bool {
        self.wire_type == FIXED32
    }

    /// The value of an integer, an enum or a boolean.
    pub(crate) fn varint(&self) -> Option<u64> {
        (self.wire_type == VARINT).then_some(self.value)
    }
}

/// Walks the fields of a message as the parser of C++ does, which is more lenient with varints than
/// the format: bits beyond the 64th, or the 32nd of a tag, are dropped.
///
/// READ in `google/protobuf/parse_context.h` and `wire_format.cc`.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    start: u32,
    at: usize,
    /// How deep the message stands, for the groups in it.
    depth: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(space: Space<'a>, span: Span, depth: usize) -> Self {
        Cursor {
            bytes: space.get(span),
            start: span.start,
            at: 0,
            depth,
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(crate) fn next(&mut self) -> Result<Option<RawField>> {
        self.next_here()
    }

    /// The same, to stand in the caller's own loop: a field then stays in registers.
    #[inline(always)]
    pub(super) fn next_here(&mut self) -> Result<Option<RawField>> {
        if self.is_at_end() {
            return Ok(None);
        }
        match self.read() {
            Ok(field) => Ok(Some(field)),
            Err(fault) => {
                let offset = u64::from(self.start) + self.at as u64;
                Err(Error::malformed(fault).at(offset))
            }
        }
    }

    #[inline(always)]
    fn read(&mut self) -> Result<RawField, &'static str> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (tag, tag_len) = read_tag(rest)?;
        let (number, wire_type) = (tag >> 3, (tag & 7) as u8);
        let mut minimal = is_minimal(rest, tag_len);
        let after = rest.get(tag_len..).unwrap_or_default();
        let mut value = 0;
        let mut header = 0;
        let body_len = match wire_type {
            VARINT => {
                let (read, len) =
                    read_varint(after).ok_or("varint of a field is cut or too long")?;
                value = read;
                minimal &= is_minimal(after, len) && (len < 10 || after.get(9) == Some(&1));
                len
            }
            FIXED64 => 8,
            FIXED32 => 4,
            LENGTH => {
                let (len, digits) = read_length(after)?;
                minimal &= is_minimal(after, digits);
                header = digits;
                len
            }
            GROUP => {
                let (len, is_minimal) = read_group(after, number, self.depth)?;
                minimal &= is_minimal;
                len
            }
            END_GROUP => return Err("a group ends that did not begin"),
            _ => return Err("protobuf has no such wire type"),
        };
        let len = header.checked_add(body_len).ok_or(CUT)?;
        if len > after.len() {
            return Err(CUT);
        }
        // The whole is shorter than 2^31 bytes.
        let start = self.start + self.at as u32;
        let body = start + (tag_len + header) as u32;
        self.at += tag_len + len;
        Ok(RawField {
            number,
            wire_type,
            span: Span {
                start,
                end: body + body_len as u32,
            },
            body,
            value,
            minimal,
        })
    }
}

const CUT: &str = "a field is longer than the message it stands in";

/// Whether the varint of that length that `bytes` begin with has no digits too many.
#[inline]
fn is_minimal(bytes: &[u8], len: usize) -> bool {
    len == 1 || bytes.get(len - 1).is_some_and(|&last| last != 0)
}

#[inline]
fn read_tag(bytes: &[u8]) -> Result<(u32, usize), &'static str> {
    let (tag, len) = match bytes {
        [tag @ 8..0x80, ..] => return Ok((u32::from(*tag), 1)),
        _ => read_varint(bytes).ok_or("field tag is cut or too large")?,
    };
    let tag = tag as u32;
    match len {
        1..=5 if tag >> 3 != 0 => Ok((tag, len)),
        1..=5 => Err("field number 0 does not exist"),
        _ => Err("field tag is cut or too large"),
    }
}

#[inline]
pub(super) fn read_length(bytes: &[u8]) -> Result<(usize, usize), &'static str> {
    match bytes {
        [len @ 0..0x80, ..] => Ok((usize::from(*len), 1)),
        _ => match read_varint(bytes) {
            Some((len, digits @ 1..=5)) if len <= i32::MAX as u64 => Ok((len as usize, digits)),
            _ => Err("length of a field is cut or too long"),
        },
    }
}

/// Reads a varint of at most ten bytes.
#[inline]
pub(super) fn read_varint(bytes: &[u8]) -> Option<(u64, usize)> {
    varint::read_u64(bytes).or_else(|| {
        let digits = bytes.first_chunk::<10>()?;
        let is_whole = digits[..9].iter().all(|&digit| digit >= 0x80) && digits[9] < 0x80;
        let value = digits
            .iter()
            .rev()
            .fold(0_u64, |value, &digit| value << 7 | u64::from(digit & 0x7f));
        is_whole.then_some((value, 10))
    })
}

/// Finds the end of the group of that number; returns its length with the closing tag, and whether
/// all varints in it are as short as they can be.
fn read_group(bytes: &[u8], number: u32, depth: usize) -> Result<(usize, bool), &'static str> {
    let mut open = vec![number];
    let mut minimal = true;
    let mut at = 0;
    while let Some(&innermost) = open.last() {
        if depth + open.len() > MAX_DEPTH {
            return Err("groups nest too deep");
        }
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Err("a group has no end");
        }
        let (tag, tag_len) = read_tag(rest)?;
        minimal &= is_minimal(rest, tag_len);
        at += tag_len;
        let after = rest.get(tag_len..).unwrap_or_default();
        let len = match (tag & 7) as u8 {
            GROUP => {
                open.push(tag >> 3);
                0
            }
            END_GROUP if tag >> 3 != innermost => return Err("a group ends that did not begin"),
            END_GROUP => {
                open.pop();
                0
            }
            VARINT => {
                let (_, len) = read_varint(after).ok_or("varint of a field is cut or too long")?;
                minimal &= is_minimal(after, len) && (len < 10 || after.get(9) == Some(&1));
                len
            }
            FIXED64 => 8,
            FIXED32 => 4,
            LENGTH => {
                let (len, digits) = read_length(after)?;
                minimal &= is_minimal(after, digits);
                digits.checked_add(len).ok_or(CUT)?
            }
            _ => return Err("protobuf has no such wire type"),
        };
        if len > after.len() {
            return Err(CUT);
        }
        at += len;
    }
    Ok((at, minimal))
}

/// Writes an unknown field, or several, with varints as short as they can be. The bytes have been
/// walked before, so that whatever is wrong with them ends the walk.
pub(super) fn write_minimal(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Ok((tag, tag_len)) = read_tag(rest) {
        varint::write_u64(out, u64::from(tag));
        rest = rest.get(tag_len..).unwrap_or_default();
        let len = match (tag & 7) as u8 {
            VARINT => {
                let Some((value, len)) = read_varint(rest) else {
                    return;
                };
                varint::write_u64(out, value);
                rest = rest.get(len..).unwrap_or_default();
                0
            }
            FIXED64 => 8,
            FIXED32 => 4,
            LENGTH => {
                let Ok((len, digits)) = read_length(rest) else {
                    return;
                };
                varint::write_u64(out, len as u64);
                rest = rest.get(digits..).unwrap_or_default();
                len
            }
            _ => 0,
        };
        let (body, after) = rest.split_at(len.min(rest.len()));
        out.extend_from_slice(body);
        rest = after;
    }
}
