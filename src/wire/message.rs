use std::fmt;

use super::varint;
use crate::error::{Error, Result};

/// How deep groups may nest, as in protobuf's own readers.
const MAX_DEPTH: usize = 100;

/// A protobuf message that is still encoded: a borrowed view of its bytes.
///
/// Making one costs nothing and checks nothing; errors appear when the damaged field is reached.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    start: u64,
}

impl<'a> Message<'a> {
    /// Views `bytes` as a message. Errors count offsets from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Message { bytes, start: 0 }
    }

    /// Views `bytes`, which stand at byte `start` of their file, as a message.
    pub fn at(bytes: &'a [u8], start: u64) -> Self {
        Message { bytes, start }
    }

    /// Returns the encoded bytes.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the offset of the message's first byte, counted as told to [`at`](Self::at).
    pub fn start(self) -> u64 {
        self.start
    }

    /// Walks the fields in the order of the file, one tag at a time.
    ///
    /// Repeated fields and repeated occurrences of singular ones all appear: for a singular scalar
    /// the last counts, singular messages are merged.
    ///
    /// # Errors
    ///
    /// The walk ends with one `Malformed` at the first byte that is no field: an impossible tag, a
    /// varint beyond 64 bits, a length beyond the message, a group without its end.
    pub fn fields(self) -> Fields<'a> {
        Fields {
            message: self,
            position: 0,
        }
    }

    /// Returns the last field of that number, which for a singular scalar is the one that counts.
    ///
    /// # Errors
    ///
    /// As for [`fields`](Self::fields).
    pub fn last(self, number: u32) -> Result<Option<Field<'a>>> {
        let mut last = None;
        for field in self.fields() {
            let field = field?;
            if field.number == number {
                last = Some(field);
            }
        }
        Ok(last)
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} bytes at {})", self.bytes.len(), self.start)
    }
}

/// One field of a message: its number, its value and the bytes it was read from.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    number: u32,
    value: Value<'a>,
    raw: &'a [u8],
    offset: u64,
}

impl<'a> Field<'a> {
    /// Returns the field number, 1 to 2^29 - 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Returns the value as its wire type shows it.
    pub fn value(&self) -> Value<'a> {
        self.value
    }

    /// Returns the field as it stands in the message, from its tag to its last byte.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Returns the offset of the tag, counted as the message counts.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the value as a message in itself, if its wire type can hold one.
    pub fn message(&self) -> Option<Message<'a>> {
        match self.value {
            Value::Bytes(bytes) => {
                let header = self.raw.len() - bytes.len();
                Some(Message::at(bytes, self.offset + header as u64))
            }
            Value::Group(message) => Some(message),
            _ => None,
        }
    }
}

/// A field's value by wire type; what it means is for the schema to say.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Wire type 0: integers, enums and booleans. Negative ones are sign-extended to 64 bits.
    Varint(u64),
    /// Wire type 1: `fixed64`, `sfixed64`, `double`.
    Fixed64(u64),
    /// Wire type 2: strings, bytes, messages and packed repeated scalars.
    Bytes(&'a [u8]),
    /// Wire types 3 and 4: the fields between the start and the end of a group.
    Group(Message<'a>),
    /// Wire type 5: `fixed32`, `sfixed32`, `float`.
    Fixed32(u32),
}

/// The walk over a message's fields; ends after the first error.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    message: Message<'a>,
    position: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.message.bytes;
        let rest = bytes.get(self.position..)?;
        // Nearly all fields of most messages: bytes, and a tag of one byte.
        if let Some(tag @ 0x08..0x80) = rest.first()
            && tag & 7 == 2
            && let Some((len, header)) = varint::read_u64(&rest[1..])
            && let Some(end) = (len as usize).checked_add(1 + header)
            && let Some(raw) = rest.get(..end)
        {
            let offset = self.message.start + self.position as u64;
            self.position += end;
            return Some(Ok(Field {
                number: u32::from(tag >> 3),
                value: Value::Bytes(&raw[1 + header..]),
                raw,
                offset,
            }));
        }
        self.next_of_any_kind()
    }
}

impl<'a> Fields<'a> {
    fn next_of_any_kind(&mut self) -> Option<Result<Field<'a>>> {
        let rest = self.message.bytes.get(self.position..)?;
        if rest.is_empty() {
            return None;
        }
        let offset = self.message.start + self.position as u64;
        match read_field(rest, offset) {
            Ok(field) => {
                self.position += field.raw.len();
                Some(Ok(field))
            }
            Err(fault) => {
                self.position = self.message.bytes.len();
                Some(Err(Error::malformed(fault).at(offset)))
            }
        }
    }
}

/// Reads the field that `bytes` begin with.
#[inline]
fn read_field(bytes: &[u8], offset: u64) -> Result<Field<'_>, &'static str> {
    let (number, wire_type, tag) = read_tag(bytes)?;
    let body = &bytes[tag..];
    let (value, len) = match wire_type {
        0 => {
            let (value, len) =
                varint::read_u64(body).ok_or("varint of a field is cut or too long")?;
            (Value::Varint(value), len)
        }
        1 => (
            Value::Fixed64(u64::from_le_bytes(*body.first_chunk().ok_or(CUT)?)),
            8,
        ),
        2 => {
            let (len, header) =
                varint::read_u64(body).ok_or("length of a field is cut or too long")?;
            let end = usize::try_from(len)
                .ok()
                .and_then(|len| len.checked_add(header))
                .ok_or(CUT)?;
            (Value::Bytes(body.get(header..end).ok_or(CUT)?), end)
        }
        3 => {
            let (inside, len) = read_group(body, number)?;
            let start = offset + tag as u64;
            (Value::Group(Message::at(&body[..inside], start)), len)
        }
        5 => (
            Value::Fixed32(u32::from_le_bytes(*body.first_chunk().ok_or(CUT)?)),
            4,
        ),
        4 => return Err("a group ends that did not begin"),
        _ => return Err("protobuf has no such wire type"),
    };
    Ok(Field {
        number,
        value,
        raw: &bytes[..tag + len],
        offset,
    })
}

const CUT: &str = "a field is longer than the message it stands in";

#[inline]
fn read_tag(bytes: &[u8]) -> Result<(u32, u8, usize), &'static str> {
    let (tag, len) = varint::read_u32(bytes).ok_or("field tag is cut or too large")?;
    match tag >> 3 {
        0 => Err("field number 0 does not exist"),
        number => Ok((number, (tag & 7) as u8, len)),
    }
}

/// Finds the end of the group of that number; returns the length of its fields, then that with
/// the closing tag. A loop, not recursion, so that depth costs no stack.
fn read_group(bytes: &[u8], number: u32) -> Result<(usize, usize), &'static str> {
    let mut open = vec![number];
    let mut position = 0;
    while let Some(&innermost) = open.last() {
        let rest = &bytes[position..];
        let (number, wire_type, tag) = read_tag(rest)?;
        match wire_type {
            3 if open.len() == MAX_DEPTH => return Err("groups nest too deep"),
            3 => {
                open.push(number);
                position += tag;
            }
            4 if number != innermost => return Err("a group ends that did not begin"),
            4 => {
                open.pop();
                if open.is_empty() {
                    return Ok((position, position + tag));
                }
                position += tag;
            }
            _ => position += read_field(rest, 0)?.raw.len(),
        }
    }
    Err("a group has no end")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bytes: &[u8]) -> Result<Vec<Field<'_>>> {
        Message::new(bytes).fields().collect()
    }

    #[test]
    fn every_wire_type() {
        let bytes = [
            0x08, 0x96, 0x01, // 1: varint 150
            0x11, 1, 0, 0, 0, 0, 0, 0, 0, // 2: fixed64 1
            0x1a, 0x02, b'h', b'i', // 3: bytes "hi"
            0x23, 0x08, 0x01, 0x2b, 0x2c, 0x24, // 4: group { 1: 1, 5: group {} }
            0x35, 2, 0, 0, 0, // 6: fixed32 2
        ];
        let all = fields(&bytes).unwrap();
        assert_eq!(
            all.iter().map(Field::number).collect::<Vec<_>>(),
            [1, 2, 3, 4, 6]
        );
        assert_eq!(
            all.iter().map(Field::offset).collect::<Vec<_>>(),
            [0, 3, 12, 16, 22]
        );
        assert!(matches!(all[0].value(), Value::Varint(150)));
        assert!(matches!(all[1].value(), Value::Fixed64(1)));
        assert!(matches!(all[2].value(), Value::Bytes(b"hi")));
        assert_eq!(all[3].message().unwrap().bytes(), [0x08, 0x01, 0x2b, 0x2c]);
        assert_eq!(all[3].message().unwrap().start(), 17);
        assert!(matches!(all[4].value(), Value::Fixed32(2)));
        assert_eq!(
            all.iter().flat_map(Field::raw).copied().collect::<Vec<_>>(),
            bytes
        );
    }

    #[test]
    fn nested_messages_count_offsets_in_the_file() {
        let bytes = [0x0a, 0x02, 0x10, 0x05];
        let outer = Message::at(&bytes, 100).last(1).unwrap().unwrap();
        let inner = outer.message().unwrap();
        assert_eq!(
            (inner.start(), inner.last(2).unwrap().unwrap().offset()),
            (102, 102)
        );
    }

    #[test]
    fn the_last_of_a_singular_field_counts() {
        let field = Message::new(&[0x08, 1, 0x10, 9, 0x08, 2])
            .last(1)
            .unwrap()
            .unwrap();
        assert!(matches!(field.value(), Value::Varint(2)));
        assert!(Message::new(&[0x08, 1]).last(2).unwrap().is_none());
    }

    #[test]
    fn damage_is_one_error_at_its_byte() {
        for (bytes, offset) in [
            (&[0x08][..], 0),                  // varint cut
            (&[0x08, 0x01, 0x12, 0x05, 0], 2), // length beyond the end
            (
                &[
                    0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
                ],
                0,
            ), // 2^64 - 1
            (&[0x09, 1, 2, 3], 0),             // fixed64 cut
            (&[0x0d, 1, 2], 0),                // fixed32 cut
            (&[0x00], 0),                      // field number 0
            (&[0x0e], 0),                      // wire type 6
            (&[0x08, 0x01, 0x0c], 2),          // end of no group
            (&[0x0b, 0x14], 0),                // end of another group
            (&[0x0b, 0x08, 0x01], 0),          // group without end
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0x01], 0), // tag beyond 32 bits
        ] {
            let faults: Vec<_> = Message::new(bytes)
                .fields()
                .filter_map(Result::err)
                .collect();
            assert_eq!(faults.len(), 1, "{bytes:x?}");
            assert_eq!(faults[0].offset(), Some(offset), "{bytes:x?}");
        }
        let deep = [0x0b; 1000];
        assert!(fields(&deep).is_err());
    }
}
