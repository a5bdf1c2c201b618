use crate::wire::{Field, Value, varint};

/// Bytes of the model that is cut, by where they stand in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) len: u64,
}

impl Span {
    /// Returns where a field stands, its tag included. Its message must count from the model's start.
    #[inline]
    pub(super) fn of(field: &Field<'_>) -> Self {
        Span {
            start: field.offset(),
            len: field.raw().len() as u64,
        }
    }

    /// Returns where the value of a length-delimited field stands; that is nowhere for others.
    pub(super) fn of_value(field: &Field<'_>) -> Self {
        let Value::Bytes(value) = field.value() else {
            return Span::default();
        };
        let header = field.raw().len() - value.len();
        Span {
            start: field.offset() + header as u64,
            len: value.len() as u64,
        }
    }

    pub(super) fn get(self, model: &[u8]) -> &[u8] {
        let end = self.start.saturating_add(self.len);
        model
            .get(self.start as usize..end as usize)
            .unwrap_or_default()
    }
}

/// A message put together from parts of the model and a few bytes of its own; nothing is copied, and
/// what is together in the model is one part.
#[derive(Clone, Debug, Default)]
pub(super) struct Rope {
    parts: Vec<Part>,
    len: u64,
}

#[derive(Clone, Debug)]
enum Part {
    Model(Span),
    Made(Vec<u8>),
}

impl Rope {
    pub(super) fn new(span: Span) -> Self {
        let mut rope = Rope::default();
        rope.push(span);
        rope
    }

    pub(super) fn made(bytes: Vec<u8>) -> Self {
        Rope {
            len: bytes.len() as u64,
            parts: vec![Part::Made(bytes)],
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Appends bytes of the model.
    #[inline]
    pub(super) fn push(&mut self, span: Span) {
        self.len += span.len;
        match self.parts.last_mut() {
            Some(Part::Model(last)) if last.start + last.len == span.start => last.len += span.len,
            _ if span.len == 0 => {}
            _ => self.parts.push(Part::Model(span)),
        }
    }

    /// Appends a length-delimited field.
    pub(super) fn push_field(&mut self, number: u32, value: Rope) {
        let mut header = Vec::with_capacity(12);
        varint::write_u64(&mut header, u64::from(number) << 3 | 2);
        varint::write_u64(&mut header, value.len);
        self.len += header.len() as u64;
        match self.parts.last_mut() {
            Some(Part::Made(last)) => last.extend_from_slice(&header),
            _ => self.parts.push(Part::Made(header)),
        }
        self.append(value);
    }

    /// Appends all of another.
    pub(super) fn append(&mut self, other: Rope) {
        self.len += other.len;
        self.parts.extend(other.parts);
    }

    pub(super) fn parts<'s>(&'s self, model: &'s [u8]) -> Vec<&'s [u8]> {
        let bytes = |part: &'s Part| match part {
            Part::Model(span) => span.get(model),
            Part::Made(bytes) => bytes,
        };
        self.parts.iter().map(bytes).collect()
    }
}

/// Returns how long a length-delimited field is.
#[inline]
pub(super) fn field_len(number: u32, len: u64) -> u64 {
    let header = varint::len_u64(u64::from(number) << 3) + varint::len_u64(len);
    len.saturating_add(header as u64)
}
