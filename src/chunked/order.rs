use std::cmp::Ordering;

use super::metadata::{ChunkedField, FieldIndex};
use crate::error::{Error, Result};

/// Brings fields into the order in which they are merged: a message before what stands in it, lists
/// by index, of equal paths the earlier chunk first. Paths are compared up to the first key of a
/// map; from there on the order is that of the file.
pub(super) fn sorted(fields: &[ChunkedField]) -> Result<Vec<&ChunkedField>> {
    let mut sorted: Vec<&ChunkedField> = fields.iter().collect();
    sorted.sort_by(|a, b| compare(a, b).0);
    // Where two paths disagree there are two neighbours that do.
    match sorted.windows(2).all(|pair| compare(pair[0], pair[1]).1) {
        true => Ok(sorted),
        false => Err(Error::malformed(
            "two paths disagree about whether a field is a list, a map or neither",
        )),
    }
}

/// Returns the order, and whether the paths agree on what their steps are.
fn compare(a: &ChunkedField, b: &ChunkedField) -> (Ordering, bool) {
    for (a, b) in a.field_tag.iter().zip(&b.field_tag) {
        let order = match (a, b) {
            (FieldIndex::Field(a), FieldIndex::Field(b)) => a.cmp(b),
            (FieldIndex::Index(a), FieldIndex::Index(b)) => a.cmp(b),
            (FieldIndex::MapKey(_), FieldIndex::MapKey(_)) => return (Ordering::Equal, true),
            _ => return (rank(a).cmp(&rank(b)), false),
        };
        if order.is_ne() {
            return (order, true);
        }
    }
    let by_length = a.field_tag.len().cmp(&b.field_tag.len());
    let chunk = |field: &ChunkedField| field.message.chunk_index.unwrap_or(0);
    (by_length.then_with(|| chunk(a).cmp(&chunk(b))), true)
}

fn rank(step: &FieldIndex) -> u8 {
    match step {
        FieldIndex::Field(_) => 0,
        FieldIndex::Index(_) => 1,
        FieldIndex::MapKey(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunked::metadata::{ChunkedMessage, MapKey};
    use FieldIndex::{Field, Index};

    fn field(field_tag: Vec<FieldIndex>, index: u64) -> ChunkedField {
        ChunkedField {
            field_tag,
            message: ChunkedMessage {
                chunk_index: Some(index),
                chunked_fields: Vec::new(),
            },
        }
    }

    fn key(text: &str) -> FieldIndex {
        FieldIndex::MapKey(MapKey::String(text.to_owned()))
    }

    #[test]
    fn messages_come_before_what_stands_in_them() {
        let fields = [
            field(vec![Field(2), Index(1)], 0),
            field(vec![Field(2), Index(0), key("b"), Field(9)], 1),
            field(vec![Field(2), Index(0), key("a"), Field(1)], 2),
            field(vec![Field(2), Index(0)], 9),
            field(vec![Field(2), Index(0)], 3),
            field(vec![], 7),
            field(vec![Field(1)], 8),
        ];
        let chunks: Vec<_> = sorted(&fields)
            .unwrap()
            .iter()
            .map(|field| field.message.chunk_index.unwrap())
            .collect();
        assert_eq!(chunks, [7, 8, 3, 9, 1, 2, 0]);
    }

    #[test]
    fn paths_that_disagree_are_refused_wherever_they_stand() {
        let odd = field(vec![Field(2), Field(1)], 0);
        for (before, after) in [(0, 50), (25, 25), (50, 0)] {
            let list = |i| field(vec![Field(2), Index(i)], i);
            let fields: Vec<_> = (0..before)
                .map(list)
                .chain([odd.clone()])
                .chain((0..after).map(list))
                .collect();
            assert!(sorted(&fields).is_err());
        }
        let fields = [
            field(vec![Field(2), Index(0)], 0),
            field(vec![Field(2), key("a")], 0),
        ];
        assert!(sorted(&fields).is_err());
    }
}
