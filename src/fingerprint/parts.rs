//! Parts of messages that have not been decoded, merged where a file has them in pieces.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::wire::canonical::{Cursor, Space, Span};

/// Finds the messages in field `number` of a message, which may be in parts itself.
pub(super) fn messages(space: Space<'_>, parents: &[Span], number: u32) -> Result<Vec<Span>> {
    let mut found = Vec::new();
    each(space, parents, number, |body| found.push(body))?;
    Ok(found)
}

fn each(space: Space<'_>, parents: &[Span], number: u32, mut take: impl FnMut(Span)) -> Result<()> {
    for &parent in parents {
        let mut fields = Cursor::new(space, parent, 0);
        while let Some(field) = fields.next()? {
            if field.number == number
                && let Some(body) = field.length_delimited()
            {
                take(body);
            }
        }
    }
    Ok(())
}

/// Finds the last string or bytes in field `number`; empty if there are none.
pub(super) fn string<'a>(space: Space<'a>, parents: &[Span], number: u32) -> Result<&'a [u8]> {
    let mut last = None;
    each(space, parents, number, |body| last = Some(body))?;
    Ok(last.map(|span| space.get(span)).unwrap_or_default())
}

/// Finds the entries of a map of messages by strings, ascending by key. Of entries with one key the
/// last counts.
pub(super) fn map<'a>(
    space: Space<'a>,
    parents: &[Span],
    number: u32,
) -> Result<BTreeMap<&'a [u8], Vec<Span>>> {
    let mut entries = BTreeMap::new();
    for entry in messages(space, parents, number)? {
        let (key, value) = (string(space, &[entry], 1)?, messages(space, &[entry], 2)?);
        entries.insert(key, value);
    }
    Ok(entries)
}
