use std::cmp::Ordering;

use super::MapOrder;
use super::field::{Cursor, RawField};
use super::rope::{Space, Span};
use super::scalar::{accepts, check_string, is_normal, normal};
use crate::error::Result;
use crate::wire::descriptor::{Kind, Message};

/// The fields of every map entry.
pub(super) const KEY: u32 = 1;
pub(super) const VALUE: u32 = 2;

/// The key of a map entry.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key {
    Text(Span),
    /// Brought into the order of unsigned numbers.
    Number(u64),
}

/// An entry that consists of its key and its value and nothing else.
pub(super) struct WholeEntry {
    pub(super) key: Key,
    pub(super) value: RawField,
}

/// Reads an entry that is as C++ writes it, but for the inside of a message that is its value.
#[inline]
pub(super) fn whole_entry(
    space: Space<'_>,
    span: Span,
    entry: &'static Message,
    depth: usize,
) -> Result<Option<WholeEntry>> {
    let mut fields = Cursor::new(space, span, depth);
    let mut whole = |number: u32| -> Result<Option<RawField>> {
        let Some(raw) = fields.next()? else {
            return Ok(None);
        };
        let Some(field) = entry.field(number) else {
            return Ok(None);
        };
        if raw.number != number || !accepts(field, raw.wire_type) || !is_normal(field.kind, &raw) {
            return Ok(None);
        }
        check_string(space, entry, field, &raw)?;
        Ok(Some(raw))
    };
    let (Some(key), Some(value)) = (whole(KEY)?, whole(VALUE)?) else {
        return Ok(None);
    };
    Ok(fields.is_at_end().then(|| WholeEntry {
        key: key_of(space, entry, &key),
        value,
    }))
}

/// Reads the key of any entry; the last one counts.
pub(super) fn find_key(
    space: Space<'_>,
    span: Span,
    entry: &'static Message,
    depth: usize,
) -> Result<Key> {
    let mut fields = Cursor::new(space, span, depth);
    let mut found = None;
    while let Some(raw) = fields.next()? {
        let is_key = |kind: &Message| {
            let field = kind.field(KEY);
            field.is_some_and(|field| accepts(field, raw.wire_type))
        };
        if raw.number == KEY && is_key(entry) {
            found = Some(raw);
        }
    }
    Ok(match (found, entry.field(KEY).map(|field| field.kind)) {
        (Some(raw), _) => key_of(space, entry, &raw),
        (None, Some(Kind::String)) => Key::Text(Span { start: 0, end: 0 }),
        (None, Some(kind)) => Key::Number(sortable(kind, 0)),
        (None, None) => Key::Number(0),
    })
}

fn key_of(space: Space<'_>, entry: &Message, raw: &RawField) -> Key {
    let Some(kind) = entry.field(KEY).map(|field| field.kind) else {
        return Key::Number(0);
    };
    if kind == Kind::String {
        return Key::Text(raw.body());
    }
    let value = raw.varint().unwrap_or_else(|| {
        let bytes = space.get(raw.body());
        match (bytes.first_chunk(), bytes.first_chunk()) {
            (Some(bytes), _) => u64::from_le_bytes(*bytes),
            (None, Some(bytes)) => u64::from(u32::from_le_bytes(*bytes)),
            (None, None) => 0,
        }
    });
    Key::Number(sortable(kind, value))
}

/// A number as the wire has it → one that is ordered without a sign.
fn sortable(kind: Kind, value: u64) -> u64 {
    const SIGN: u64 = 1 << 63;
    let value = normal(kind, value);
    match kind {
        Kind::Int32 | Kind::Int64 | Kind::Sfixed64 => value ^ SIGN,
        Kind::Sfixed32 => i64::from(value as i32) as u64 ^ SIGN,
        Kind::Sint32 | Kind::Sint64 => (value >> 1 ^ (value & 1).wrapping_neg()) ^ SIGN,
        _ => value,
    }
}

/// Says which of two keys of one map is written first.
#[inline]
pub(super) fn compare(space: Space<'_>, order: MapOrder, a: Key, b: Key) -> Ordering {
    match (a, b, order) {
        (Key::Number(a), Key::Number(b), MapOrder::Cpp) => a.cmp(&b),
        (Key::Number(a), Key::Number(b), MapOrder::Python) => b.cmp(&a),
        (Key::Text(a), Key::Text(b), MapOrder::Cpp) => space.get(a).cmp(space.get(b)),
        (Key::Text(a), Key::Text(b), MapOrder::Python) => {
            let (a, b) = (space.get(a), space.get(b));
            let shared = a.len().min(b.len());
            // The end of a key comes after all bytes.
            a[..shared].cmp(&b[..shared]).then(b.len().cmp(&a.len()))
        }
        // A map has keys of one kind.
        (Key::Number(_), Key::Text(_), _) => Ordering::Less,
        (Key::Text(_), Key::Number(_), _) => Ordering::Greater,
    }
}
