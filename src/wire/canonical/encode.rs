use std::ops::Range;

use super::entries::{KEY, Key, VALUE, compare, find_key, whole_entry};
use super::field::{Cursor, FIXED32, FIXED64, LENGTH, RawField, VARINT, write_minimal};
use super::rope::{Rope, Space, Span, check_len, write_header};
use super::scalar::{
    accepts, check_string, is_default, is_normal, normal, packed_is_normal, packed_len, wire_type,
    write_packed,
};
use super::scan::{Child, Form, form};
use super::{MAX_DEPTH, MapOrder};
use crate::error::{Error, Result};
use crate::wire::descriptor::{Field, Message, Rule};
use crate::wire::varint;

/// Brings messages into the form C++ writes, as a [`Rope`] of what they are made of.
///
/// A message that is in this form already costs a look and stays one range of the input. What is
/// not is put together from the largest ranges that are.
pub(crate) struct Encoder<'a> {
    pub(super) space: Space<'a>,
    pub(super) order: MapOrder,
    pub(super) rope: Rope,
    /// The fields of all messages that are being put in order, the outermost first.
    runs: Vec<Run>,
    /// The entries of all maps that are being put in order.
    entries: Vec<Entry>,
    /// The messages in all messages whose fields are in order.
    pub(super) children: Vec<Child>,
    /// Every message in here is as it would be written. The one behind its end is not.
    pub(super) proven: Span,
}

/// Fields in a row that have the same number.
#[derive(Clone, Copy)]
struct Run {
    /// [`UNKNOWN`] for those the schema does not have.
    number: u32,
    span: Span,
}

/// Behind all field numbers.
const UNKNOWN: u32 = u32::MAX - 1;
/// Of a member of a oneof that another one has cleared.
const CLEARED: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Entry {
    key: Key,
    raw: RawField,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is as it would be written, and nothing was put in the rope.
    Same,
    /// The rope has it, and it is so long.
    Made(u64),
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(space: Space<'a>, order: MapOrder) -> Self {
        Encoder {
            space,
            order,
            rope: Rope::default(),
            runs: Vec::new(),
            entries: Vec::new(),
            children: Vec::new(),
            proven: Span { start: 0, end: 0 },
        }
    }

    /// Encodes the message that its parts merged are, in place of what was encoded before; returns
    /// its length.
    pub(crate) fn encode(&mut self, parts: &[Span], message: &'static Message) -> Result<u64> {
        self.rope.clear();
        self.runs.clear();
        self.entries.clear();
        self.children.clear();
        self.proven = Span { start: 0, end: 0 };
        let len = match (self.message(parts, message, 0)?, parts) {
            (Outcome::Made(len), _) => len,
            (Outcome::Same, [part]) => {
                self.rope.raw(self.space, *part);
                part.len()
            }
            (Outcome::Same, _) => 0,
        };
        check_len(len)?;
        Ok(len)
    }

    /// Walks the bytes of what was encoded last.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.rope.pieces(self.space)
    }

    pub(super) fn message(
        &mut self,
        parts: &[Span],
        message: &'static Message,
        depth: usize,
    ) -> Result<Outcome> {
        if depth > MAX_DEPTH {
            let error = Error::malformed("messages nest too deep");
            return Err(match parts.first() {
                Some(part) => error.at(u64::from(part.start)),
                None => error,
            });
        }
        if message.is_map_entry {
            return self.entry(parts, message, depth).map(Outcome::Made);
        }
        if let [span] = *parts {
            if self.is_final(span, message, depth) {
                return Ok(Outcome::Same);
            }
            let first = self.children.len();
            let (space, order) = (self.space, self.order);
            let form = form(space, span, message, order, depth, &mut self.children)?;
            let outcome = match form {
                Form::Ordered => Some(self.ordered(span, first)),
                Form::Shuffled if self.sort_entries(first) => Some(self.shuffled(span, first)),
                Form::Shuffled | Form::Disordered => None,
            };
            self.children.truncate(first);
            if let Some(outcome) = outcome {
                return outcome;
            }
        }
        self.rearranged(parts, message, depth).map(Outcome::Made)
    }

    /// Encodes a message whose fields are in any order, or that is in parts.
    fn rearranged(
        &mut self,
        parts: &[Span],
        message: &'static Message,
        depth: usize,
    ) -> Result<u64> {
        let first = self.runs.len();
        let mut has_oneofs = false;
        for &part in parts {
            let mut fields = Cursor::new(self.space, part, depth);
            let mut is_new = true;
            while let Some(raw) = fields.next()? {
                let known = message.field(raw.number);
                let known = known.filter(|field| accepts(field, raw.wire_type));
                has_oneofs |= known.is_some_and(|field| field.oneof.is_some());
                let number = known.map_or(UNKNOWN, |field| field.number);
                match self.runs[first..].last_mut() {
                    Some(run) if run.number == number && !is_new => {
                        run.span.end = raw.span.end;
                    }
                    _ => self.runs.push(Run {
                        number,
                        span: raw.span,
                    }),
                }
                is_new = false;
            }
        }
        if has_oneofs {
            self.clear_members(first, message);
        }
        self.runs[first..].sort_by_key(|run| run.number);

        let mut len = 0;
        let mut start = first;
        while let Some(&run) = self.runs.get(start) {
            let same = self.runs[start..].iter();
            let end = start + same.take_while(|other| other.number == run.number).count();
            len += match run.number {
                UNKNOWN => self.unknown(start..end, depth)?,
                number => match message.field(number) {
                    Some(field) => self.field(start..end, field, message, depth)?,
                    // Cleared: nothing remains, but it must be sound.
                    None => {
                        self.check_cleared(start..end, message, depth)?;
                        0
                    }
                },
            };
            start = end;
        }
        self.runs.truncate(first);
        Ok(len)
    }

    /// Marks members of oneofs that others, which come later, have cleared.
    fn clear_members(&mut self, first: usize, message: &'static Message) {
        for oneof in 0..message.oneofs.len() {
            let mut last = None;
            let mut is_cleared = false;
            for run in self.runs[first..].iter_mut().rev() {
                let field = message.field(run.number);
                if field.and_then(|field| field.oneof).map(usize::from) != Some(oneof) {
                    continue;
                }
                is_cleared |= *last.get_or_insert(run.number) != run.number;
                if is_cleared {
                    run.number = CLEARED;
                }
            }
        }
    }

    /// Walks the fields of several runs.
    fn each(
        &mut self,
        runs: Range<usize>,
        depth: usize,
        mut take: impl FnMut(&mut Self, RawField) -> Result<()>,
    ) -> Result<()> {
        for index in runs {
            let Some(&run) = self.runs.get(index) else {
                break;
            };
            let mut fields = Cursor::new(self.space, run.span, depth);
            while let Some(raw) = fields.next()? {
                take(self, raw)?;
            }
        }
        Ok(())
    }

    /// Proves that a message is sound of which nothing remains.
    fn check(&mut self, span: Span, message: &'static Message, depth: usize) -> Result<()> {
        // Keeps what is made from being joined to what stays.
        let slot = self.rope.reserve(1);
        self.message(&[span], message, depth)?;
        self.rope.truncate(slot);
        Ok(())
    }

    fn check_cleared(
        &mut self,
        runs: Range<usize>,
        message: &'static Message,
        depth: usize,
    ) -> Result<()> {
        self.each(runs, depth, |encoder, raw| {
            let Some(field) = message.field(raw.number) else {
                return Ok(());
            };
            if let Some(inner) = field.kind.message() {
                encoder.check(raw.body(), inner, depth + 1)?;
            }
            check_string(encoder.space, message, field, &raw)
        })
    }

    fn unknown(&mut self, runs: Range<usize>, depth: usize) -> Result<u64> {
        let mut len = 0;
        self.each(runs, depth, |encoder, raw| {
            len += match raw.minimal {
                true => encoder.raw(raw.span),
                false => {
                    let bytes = encoder.space.get(raw.span);
                    encoder.rope.make(|out| write_minimal(bytes, out))
                }
            };
            Ok(())
        })?;
        Ok(len)
    }

    fn raw(&mut self, span: Span) -> u64 {
        self.rope.raw(self.space, span);
        span.len()
    }

    /// Encodes all occurrences of one field of the schema.
    fn field(
        &mut self,
        runs: Range<usize>,
        field: &'static Field,
        message: &'static Message,
        depth: usize,
    ) -> Result<u64> {
        let inner = field.kind.message();
        match (field.rule, inner) {
            (Rule::Packed, _) => self.packed(runs, field, depth),
            (Rule::Repeated, Some(inner)) if inner.is_map_entry => {
                self.map(runs, field.number, inner, depth)
            }
            (Rule::Repeated, _) => {
                let mut len = 0;
                self.each(runs, depth, |encoder, raw| {
                    check_string(encoder.space, message, field, &raw)?;
                    len += match inner {
                        Some(inner) => {
                            encoder.child(field.number, Some(&raw), &[raw.body()], inner, depth)?
                        }
                        None if raw.wire_type != wire_type(field.kind) => {
                            encoder.unpacked(field, &raw)?
                        }
                        None => encoder.scalar(field, &raw),
                    };
                    Ok(())
                })?;
                Ok(len)
            }
            (_, Some(inner)) => self.singular_message(runs, field, inner, depth),
            (_, None) => {
                let mut last = None;
                self.each(runs, depth, |encoder, raw| {
                    last = Some(raw);
                    check_string(encoder.space, message, field, &raw)
                })?;
                Ok(match last {
                    Some(raw)
                        if field.rule == Rule::Explicit
                            || !is_default(self.space, field.kind, &raw) =>
                    {
                        self.scalar(field, &raw)
                    }
                    _ => 0,
                })
            }
        }
    }

    fn singular_message(
        &mut self,
        runs: Range<usize>,
        field: &'static Field,
        inner: &'static Message,
        depth: usize,
    ) -> Result<u64> {
        let mut only = None;
        let mut parts = Vec::new();
        self.each(runs, depth, |_, raw| {
            match only {
                None => only = Some(raw),
                Some(first) => {
                    if parts.is_empty() {
                        parts.push(RawField::body(&first));
                    }
                    parts.push(raw.body());
                }
            }
            Ok(())
        })?;
        match only {
            Some(raw) if parts.is_empty() => {
                self.child(field.number, Some(&raw), &[raw.body()], inner, depth)
            }
            _ => self.child(field.number, None, &parts, inner, depth),
        }
    }

    /// Encodes a message in a field. `raw` is the field, if the message has one part.
    fn child(
        &mut self,
        number: u32,
        raw: Option<&RawField>,
        parts: &[Span],
        inner: &'static Message,
        depth: usize,
    ) -> Result<u64> {
        let slot = self.rope.reserve(1);
        match self.message(parts, inner, depth + 1)? {
            Outcome::Made(len) => Ok(self.rope.set_header(slot, number, len) + len),
            Outcome::Same => match raw {
                Some(raw) if raw.minimal => {
                    self.rope.truncate(slot);
                    Ok(self.raw(raw.span))
                }
                _ => {
                    let body = parts.first().copied().unwrap_or(Span { start: 0, end: 0 });
                    Ok(self.rope.set_header(slot, number, body.len()) + self.raw(body))
                }
            },
        }
    }

    /// Encodes one value that is no message.
    fn scalar(&mut self, field: &Field, raw: &RawField) -> u64 {
        if is_normal(field.kind, raw) {
            return self.raw(raw.span);
        }
        let tag = u64::from(field.number) << 3 | u64::from(raw.wire_type);
        let body = raw.body();
        let header = self.rope.make(|out| {
            varint::write_u64(out, tag);
            match raw.wire_type {
                VARINT => varint::write_u64(out, normal(field.kind, raw.value)),
                LENGTH => varint::write_u64(out, body.len()),
                _ => {}
            }
        });
        match raw.wire_type {
            VARINT => header,
            _ => header + self.raw(body),
        }
    }

    fn packed(&mut self, runs: Range<usize>, field: &Field, depth: usize) -> Result<u64> {
        let kind = field.kind;
        let mut body_len = 0;
        self.each(runs.clone(), depth, |encoder, raw| {
            body_len += match raw.wire_type {
                LENGTH => packed_len(encoder.space, kind, raw.body())?,
                VARINT => varint::len_u64(normal(kind, raw.value)) as u64,
                _ => raw.body().len(),
            };
            Ok(())
        })?;
        if body_len == 0 {
            return Ok(0);
        }
        let mut len = self
            .rope
            .make(|out| write_header(out, field.number, body_len));
        self.each(runs, depth, |encoder, raw| {
            let body = raw.body();
            len += match raw.wire_type {
                VARINT => encoder
                    .rope
                    .make(|out| varint::write_u64(out, normal(kind, raw.value))),
                LENGTH if !packed_is_normal(encoder.space, kind, body)? => {
                    let bytes = encoder.space.get(body);
                    encoder.rope.make(|out| {
                        write_packed(bytes, kind, |value| varint::write_u64(out, value));
                    })
                }
                _ => encoder.raw(body),
            };
            Ok(())
        })?;
        Ok(len)
    }

    /// Encodes packed values of a field that is not packed, each as a field of its own.
    fn unpacked(&mut self, field: &Field, raw: &RawField) -> Result<u64> {
        packed_len(self.space, field.kind, raw.body())?;
        let wire = wire_type(field.kind);
        let tag = u64::from(field.number) << 3 | u64::from(wire);
        let bytes = self.space.get(raw.body());
        Ok(self.rope.make(|out| match wire {
            FIXED32 | FIXED64 => {
                for value in bytes.chunks_exact(if wire == FIXED32 { 4 } else { 8 }) {
                    varint::write_u64(out, tag);
                    out.extend_from_slice(value);
                }
            }
            _ => write_packed(bytes, field.kind, |value| {
                varint::write_u64(out, tag);
                varint::write_u64(out, value);
            }),
        }))
    }

    /// Encodes the entries of a map in their order; of those with one key the last stays.
    fn map(
        &mut self,
        runs: Range<usize>,
        number: u32,
        entry: &'static Message,
        depth: usize,
    ) -> Result<u64> {
        let first = self.entries.len();
        self.each(runs, depth, |encoder, raw| {
            let key = find_key(encoder.space, raw.body(), entry, encoder.order, depth)?;
            encoder.entries.push(Entry { key, raw });
            Ok(())
        })?;
        let (space, order) = (self.space, self.order);
        let entries = self.entries.get_mut(first..).unwrap_or_default();
        if !entries.is_sorted_by(|a, b| compare(space, order, a.key, b.key).is_lt()) {
            entries.sort_by(|a, b| compare(space, order, a.key, b.key));
        }
        let mut len = 0;
        let end = self.entries.len();
        for index in first..end {
            let Some(&Entry { key, raw }) = self.entries.get(index) else {
                break;
            };
            let next = self.entries.get(index + 1).filter(|_| index + 1 < end);
            let is_overwritten =
                next.is_some_and(|next| compare(space, order, key, next.key).is_eq());
            if is_overwritten {
                self.check(raw.body(), entry, depth + 1)?;
                continue;
            }
            let whole = self.whole_child(&raw, entry, depth)?;
            len += match whole {
                Some(len) => len,
                None => self.child(number, None, &[raw.body()], entry, depth)?,
            };
        }
        self.entries.truncate(first);
        Ok(len)
    }

    /// Encodes an entry that is as C++ writes it, but for a message that is its value.
    fn whole_child(
        &mut self,
        raw: &RawField,
        entry: &'static Message,
        depth: usize,
    ) -> Result<Option<u64>> {
        let whole = match raw.minimal {
            true => whole_entry(self.space, raw.body(), entry, self.order, depth)?,
            false => None,
        };
        let Some(whole) = whole else {
            return Ok(None);
        };
        let child = Child::of_entry(raw, entry, &whole, depth);
        let (mut from, mut len) = (raw.span.start, raw.span.len());
        self.child_in_place(child, &mut from, &mut len)?;
        self.rope.raw(
            self.space,
            Span {
                start: from,
                end: raw.span.end,
            },
        );
        Ok(Some(len))
    }

    /// Encodes the inside of a map entry: key and value, always, and nothing else.
    fn entry(&mut self, parts: &[Span], entry: &'static Message, depth: usize) -> Result<u64> {
        let (mut key, mut value, mut values) = (None, None, Vec::new());
        for &part in parts {
            let mut fields = Cursor::new(self.space, part, depth);
            while let Some(raw) = fields.next()? {
                let field = entry.field(raw.number);
                let Some(field) = field.filter(|field| accepts(field, raw.wire_type)) else {
                    continue;
                };
                check_string(self.space, entry, field, &raw)?;
                match raw.number {
                    KEY => key = Some(raw),
                    _ => {
                        value = Some(raw);
                        values.push(raw.body());
                    }
                }
            }
        }
        let mut len = 0;
        for (number, raw) in [(KEY, key), (VALUE, value)] {
            let Some(field) = entry.field(number) else {
                continue;
            };
            len += match (field.kind.message(), raw) {
                (Some(inner), Some(raw)) => {
                    let raw = (values.len() == 1).then_some(&raw);
                    self.child(number, raw, &values, inner, depth)?
                }
                (None, Some(raw)) => self.scalar(field, &raw),
                (_, None) => self.default(field),
            };
        }
        Ok(len)
    }

    fn default(&mut self, field: &Field) -> u64 {
        let wire = wire_type(field.kind);
        self.rope.make(|out| {
            varint::write_u64(out, u64::from(field.number) << 3 | u64::from(wire));
            let zeros = match wire {
                FIXED64 => 8,
                FIXED32 => 4,
                _ => 1,
            };
            out.extend(std::iter::repeat_n(0, zeros));
        })
    }
}
