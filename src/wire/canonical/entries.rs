use std::cmp::Ordering;

use super::MapOrder;
use super::field::{Cursor, LENGTH, RawField, read_length};
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
    /// The first eight bytes, filled up so that most keys are told apart by them, and all of them.
    Text(u64, Span),
    /// Brought into the order of unsigned numbers.
    Number(u64),
}

/// An entry that consists of its key and its value and nothing else.
pub(super) struct WholeEntry {
    pub(super) key: Key,
    /// The value from its tag on.
    pub(super) value: Span,
    /// The value without tag and length.
    pub(super) body: Span,
}

/// Reads an entry that is as C++ writes it, but for the inside of a message that is its value.
#[inline]
pub(super) fn whole_entry(
    space: Space<'_>,
    span: Span,
    entry: &'static Message,
    order: MapOrder,
    depth: usize,
) -> Result<Option<WholeEntry>> {
    match short_entry(space.get(span), span, entry, order) {
        Some(whole) => Ok(Some(whole)),
        None => any_entry(space, span, entry, order, depth),
    }
}

/// Reads the entry that most are: a short string of ASCII, and a message.
#[inline]
fn short_entry(
    bytes: &[u8],
    span: Span,
    entry: &'static Message,
    order: MapOrder,
) -> Option<WholeEntry> {
    const KEY_TAG: u8 = (KEY as u8) << 3 | LENGTH;
    const VALUE_TAG: u8 = (VALUE as u8) << 3 | LENGTH;
    let [key, value] = entry.fields else {
        return None;
    };
    let (Kind::String, Kind::Message(_)) = (key.kind, value.kind) else {
        return None;
    };
    let &[KEY_TAG, key_len @ 0..0x80, ref rest @ ..] = bytes else {
        return None;
    };
    let (key, rest) = rest.split_at_checked(usize::from(key_len))?;
    let &[VALUE_TAG, ref after @ ..] = rest else {
        return None;
    };
    let (len, digits) = read_length(after).ok()?;
    let is_minimal = digits == 1 || after.get(digits - 1).is_some_and(|&last| last != 0);
    if !is_minimal || digits + len != after.len() || !key.is_ascii() {
        return None;
    }
    let value = Span {
        start: span.end - rest.len() as u32,
        end: span.end,
    };
    let key_span = Span {
        start: span.start + 2,
        end: value.start,
    };
    Some(WholeEntry {
        key: Key::Text(prefix(key, order), key_span),
        value,
        body: Span {
            start: span.end - len as u32,
            end: span.end,
        },
    })
}

fn any_entry(
    space: Space<'_>,
    span: Span,
    entry: &'static Message,
    order: MapOrder,
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
        key: key_of(space, entry, order, &key),
        value: value.span,
        body: value.body(),
    }))
}

/// Reads the key of any entry; the last one counts.
pub(super) fn find_key(
    space: Space<'_>,
    span: Span,
    entry: &'static Message,
    order: MapOrder,
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
        (Some(raw), _) => key_of(space, entry, order, &raw),
        (None, Some(Kind::String)) => Key::Text(prefix(b"", order), Span { start: 0, end: 0 }),
        (None, Some(kind)) => Key::Number(sortable(kind, 0)),
        (None, None) => Key::Number(0),
    })
}

fn key_of(space: Space<'_>, entry: &Message, order: MapOrder, raw: &RawField) -> Key {
    let Some(kind) = entry.field(KEY).map(|field| field.kind) else {
        return Key::Number(0);
    };
    if kind == Kind::String {
        return Key::Text(prefix(space.get(raw.body()), order), raw.body());
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

/// The first bytes of a key as a number that is ordered as they are, with the end of the key where
/// it belongs: before all bytes, or behind them.
#[inline]
fn prefix(key: &[u8], order: MapOrder) -> u64 {
    let mut bytes = match order {
        MapOrder::Cpp => [0; 8],
        MapOrder::Python => [0xff; 8],
    };
    match key.first_chunk() {
        Some(first) => bytes = *first,
        None => {
            for (byte, &of_key) in bytes.iter_mut().zip(key) {
                *byte = of_key;
            }
        }
    }
    u64::from_be_bytes(bytes)
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
        (Key::Text(first, a), Key::Text(second, b), _) => match first.cmp(&second) {
            Ordering::Equal => compare_bytes(space.get(a), space.get(b), order),
            other => other,
        },
        // A map has keys of one kind.
        (Key::Number(_), Key::Text(..), _) => Ordering::Less,
        (Key::Text(..), Key::Number(_), _) => Ordering::Greater,
    }
}

fn compare_bytes(a: &[u8], b: &[u8], order: MapOrder) -> Ordering {
    match order {
        MapOrder::Cpp => a.cmp(b),
        MapOrder::Python => {
            let shared = a.len().min(b.len());
            // The end of a key comes after all bytes.
            a[..shared].cmp(&b[..shared]).then(b.len().cmp(&a.len()))
        }
    }
}
