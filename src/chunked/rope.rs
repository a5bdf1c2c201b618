use std::borrow::Cow;

use crate::wire::varint;

/// A message put together from parts of another and a few bytes of its own; nothing is copied.
#[derive(Clone, Debug, Default)]
pub(super) struct Rope<'a> {
    parts: Vec<Cow<'a, [u8]>>,
    len: u64,
}

impl<'a> Rope<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut rope = Rope::default();
        rope.push(bytes);
        rope
    }

    pub(super) fn owned(bytes: Vec<u8>) -> Self {
        Rope {
            len: bytes.len() as u64,
            parts: vec![Cow::Owned(bytes)],
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Appends bytes.
    pub(super) fn push(&mut self, bytes: &'a [u8]) {
        if !bytes.is_empty() {
            self.len += bytes.len() as u64;
            self.parts.push(Cow::Borrowed(bytes));
        }
    }

    /// Appends a length-delimited field.
    pub(super) fn push_field(&mut self, number: u32, value: Rope<'a>) {
        let mut header = Vec::with_capacity(12);
        varint::write_u64(&mut header, u64::from(number) << 3 | 2);
        varint::write_u64(&mut header, value.len);
        self.len += header.len() as u64 + value.len;
        match self.parts.last_mut() {
            Some(Cow::Owned(last)) => last.extend_from_slice(&header),
            _ => self.parts.push(Cow::Owned(header)),
        }
        self.parts.extend(value.parts);
    }

    /// Appends all of it to another.
    pub(super) fn parts_into(self, other: &mut Rope<'a>) {
        other.len += self.len;
        other.parts.extend(self.parts);
    }

    pub(super) fn parts(&self) -> Vec<&[u8]> {
        self.parts.iter().map(|part| &**part).collect()
    }
}

/// Returns how long a length-delimited field is.
pub(super) fn field_len(number: u32, len: u64) -> u64 {
    let header = varint::len_u64(u64::from(number) << 3) + varint::len_u64(len);
    len.saturating_add(header as u64)
}
