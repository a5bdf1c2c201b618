use std::path::Path;

use super::entry::BundleEntry;
use super::key::read_piece_key;
use super::pending_entries::SortedEntries;
use super::raw_entry::RawEntry;
use crate::error::{Error, Result};
use crate::table;
use crate::tensor::{Shape, TensorSlice};

/// Entries in the order of their keys, from which an index is made.
pub(crate) trait EntrySource {
    /// Returns the key and the encoded entry at the position.
    fn current(&self) -> Option<(&[u8], &[u8])>;

    fn advance(&mut self) -> Result<()>;

    /// Adds where the entry at the position is from.
    fn in_source(&self, error: Error) -> Error;

    /// Says where entries are from, as in "it is also in …".
    fn name(&self) -> String;
}

impl EntrySource for SortedEntries {
    #[inline]
    fn current(&self) -> Option<(&[u8], &[u8])> {
        self.current()
    }

    #[inline]
    fn advance(&mut self) -> Result<()> {
        self.advance();
        Ok(())
    }

    fn in_source(&self, error: Error) -> Error {
        error
    }

    fn name(&self) -> String {
        "another shard".to_owned()
    }
}

/// The entries of an index that was written, its header passed over.
pub(crate) struct IndexEntries<'t> {
    cursor: table::Cursor<'t>,
    path: &'t Path,
}

impl<'t> IndexEntries<'t> {
    pub(crate) fn new(table: &'t table::Reader, path: &'t Path) -> Result<Self> {
        let cursor = table.cursor();
        let mut entries = IndexEntries { cursor, path };
        entries.advance()?;
        if entries.cursor.is_on_empty_key() {
            entries.advance()?;
        }
        Ok(entries)
    }
}

impl EntrySource for IndexEntries<'_> {
    #[inline]
    fn current(&self) -> Option<(&[u8], &[u8])> {
        self.cursor.current()
    }

    #[inline]
    fn advance(&mut self) -> Result<()> {
        self.cursor
            .advance()
            .map_err(|error| error.in_file(self.path))
    }

    fn in_source(&self, error: Error) -> Error {
        error.shifted(self.cursor.offset()).in_file(self.path)
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// The numbers that the shards of a source have in the merged bundle.
#[derive(Debug, Default)]
pub(crate) struct ShardNumbers {
    /// Before and after, in the order of those before.
    numbers: Vec<(i32, u32)>,
}

impl ShardNumbers {
    pub(crate) fn new(mut numbers: Vec<(i32, u32)>) -> Self {
        numbers.sort_unstable();
        ShardNumbers { numbers }
    }

    #[inline]
    fn number(&self, shard_id: i32) -> Result<u32> {
        let number = match *self.numbers {
            [(before, after)] if before == shard_id => Some(after),
            _ => {
                let found = self.numbers.binary_search_by_key(&shard_id, |(id, _)| *id);
                found.ok().map(|at| self.numbers[at].1)
            }
        };
        number.ok_or_else(|| {
            Error::malformed(format!(
                "the entry is in shard {shard_id}, which the bundle does not have"
            ))
        })
    }
}

/// Walks the entries of all sources in the order of their keys, each with its new shard number.
///
/// The slices of a tensor that is partitioned in several sources become one list. No more than one
/// entry is in memory.
///
/// # Errors
///
/// `InvalidArgument` if two sources have an entry under the same key, other than of a partitioned
/// tensor of the same dtype and shape and other slices; `Malformed` for an entry that is none; and
/// what `put` says.
pub(crate) fn merge<S: EntrySource>(
    sources: &mut [S],
    shards: &[ShardNumbers],
    mut put: impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<()> {
    let mut queue = Queue::new(sources);
    let mut value = Vec::new();
    while let Some(first) = queue.first() {
        if queue.has_key_once(sources) {
            let source = &mut sources[first];
            if let Some((key, entry)) = source.current() {
                let entry = renumbered(entry, &shards[first], &mut value);
                match entry {
                    Ok(()) => put(key, &value)?,
                    Err(error) => return Err(source.in_source(error).for_key(key)),
                }
            }
            queue.advance(sources)?;
        } else {
            let key = sources[first]
                .current()
                .map_or_else(Vec::new, |(key, _)| key.to_vec());
            union(&mut queue, sources, shards, &key, &mut value)
                .map_err(|error| error.for_key(&key))?;
            put(&key, &value)?;
        }
    }
    Ok(())
}

/// Puts the entry with the new number of its shard in `value`.
#[inline]
fn renumbered(entry: &[u8], shards: &ShardNumbers, value: &mut Vec<u8>) -> Result<()> {
    let entry = RawEntry::read(entry)?;
    value.clear();
    entry.write_with_shard(shards.number(entry.shard_id())?, value)
}

/// Makes one entry of those that several sources have under a key, and goes on behind them.
fn union<S: EntrySource>(
    queue: &mut Queue,
    sources: &mut [S],
    shards: &[ShardNumbers],
    key: &[u8],
    value: &mut Vec<u8>,
) -> Result<()> {
    let mut whole: Option<(BundleEntry, String)> = None;
    while let Some(first) = queue.first() {
        let source = &sources[first];
        let Some((_, bytes)) = source.current().filter(|(other, _)| *other == key) else {
            break;
        };
        let entry = RawEntry::read(bytes).map_err(|error| source.in_source(error))?;
        let decoded = entry.decode().map_err(|error| source.in_source(error))?;
        match &mut whole {
            None => {
                renumbered(bytes, &shards[first], value)
                    .map_err(|error| source.in_source(error))?;
                whole = Some((decoded, source.name()));
            }
            Some((whole, name)) => {
                check_union(key, whole, &decoded, name).map_err(|error| source.in_source(error))?;
                entry.write_slices(value)?;
                for slice in decoded.slices() {
                    whole.push_slice(slice.clone());
                }
            }
        }
        queue.advance(sources)?;
    }
    Ok(())
}

/// Proves that the pieces under one entry can be those of the tensor under another.
fn check_union(key: &[u8], whole: &BundleEntry, other: &BundleEntry, name: &str) -> Result<()> {
    if !whole.is_partitioned() || !other.is_partitioned() {
        let what = match read_piece_key(key) {
            Some((_, slice)) => format!("slice `{slice}` of a tensor"),
            None => "a tensor".to_owned(),
        };
        return Err(Error::invalid_argument(format!(
            "{what} of that name is also in {name}"
        )));
    }
    if (whole.dtype(), whole.shape()) != (other.dtype(), other.shape()) {
        return Err(Error::invalid_argument(format!(
            "the pieces here are of a {} tensor of shape {}, and those in {name} of a {} tensor of shape {}",
            other.dtype(),
            other.shape(),
            whole.dtype(),
            whole.shape()
        )));
    }
    match overlapping(whole.slices(), other.slices(), whole.shape()) {
        Some((theirs, here)) => Err(Error::invalid_argument(format!(
            "slice `{here}` overlaps slice `{theirs}`, which is in {name}"
        ))),
        None => Ok(()),
    }
}

/// From so many comparisons on it is left to the reader to find an overlap.
const MAX_COMPARISONS: usize = 1 << 24;

fn overlapping<'s>(
    some: &'s [TensorSlice],
    others: &'s [TensorSlice],
    shape: &Shape,
) -> Option<(&'s TensorSlice, &'s TensorSlice)> {
    if some.len().saturating_mul(others.len()) > MAX_COMPARISONS {
        return None;
    }
    let boxes: Vec<_> = some.iter().map(|slice| slice.resolve(shape).ok()).collect();
    others.iter().find_map(|other| {
        let region = other.resolve(shape).ok()?;
        let overlaps = |of: &Option<Vec<(u64, u64)>>| {
            let of = of.as_ref();
            of.is_some_and(|of| crate::tensor::intersect(of, &region).is_some())
        };
        let found = boxes.iter().position(overlaps)?;
        Some((&some[found], other))
    })
}

/// The sources that have an entry left, as a heap: that with the lowest key is first, and of those
/// with the same key the first of them.
struct Queue(Vec<usize>);

impl Queue {
    fn new<S: EntrySource>(sources: &[S]) -> Self {
        let is_left = |&source: &usize| sources[source].current().is_some();
        let mut queue = Queue((0..sources.len()).filter(is_left).collect());
        for at in (0..queue.0.len() / 2).rev() {
            queue.sift_down(at, sources);
        }
        queue
    }

    #[inline]
    fn first(&self) -> Option<usize> {
        self.0.first().copied()
    }

    /// Says whether only the first source has an entry under the lowest key.
    #[inline]
    fn has_key_once<S: EntrySource>(&self, sources: &[S]) -> bool {
        let key = |at: usize| {
            let source = *self.0.get(at)?;
            sources[source].current().map(|(key, _)| key)
        };
        let first = key(0);
        // One with the same key is right below it.
        (1..3).all(|at| self.0.len() <= at || key(at) != first)
    }

    /// Goes on to the next entry of the first source.
    #[inline]
    fn advance<S: EntrySource>(&mut self, sources: &mut [S]) -> Result<()> {
        let Some(&first) = self.0.first() else {
            return Ok(());
        };
        sources[first].advance()?;
        if sources[first].current().is_none() {
            self.0.swap_remove(0);
        }
        if self.0.len() > 1 {
            self.sift_down(0, sources);
        }
        Ok(())
    }

    fn sift_down<S: EntrySource>(&mut self, mut at: usize, sources: &[S]) {
        let order = |source: usize| (sources[source].current().map(|(key, _)| key), source);
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.0.len() && order(self.0[child]) < order(self.0[least]) {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.0.swap(at, least);
            at = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::pending_entries::PendingEntries;
    use crate::tensor::DType;

    fn insert(pending: &mut PendingEntries, key: &str, entry: &BundleEntry) {
        let new = pending.new_key(key.as_bytes()).unwrap();
        pending
            .insert(key.as_bytes(), new, &entry.encode())
            .unwrap();
    }

    fn source(entries: &[(&str, BundleEntry)]) -> SortedEntries {
        let mut pending = PendingEntries::default();
        for (key, entry) in entries {
            insert(&mut pending, key, entry);
        }
        pending.into_sorted()
    }

    fn stored(offset: u64) -> BundleEntry {
        BundleEntry::stored(DType::FLOAT, Shape::SCALAR, offset, 4, 1)
    }

    fn partitioned(dtype: DType, dims: &[u64], slices: &[&str]) -> BundleEntry {
        let mut entry = BundleEntry::partitioned(dtype, Shape::new(dims).unwrap());
        for slice in slices {
            entry.push_slice(slice.parse().unwrap());
        }
        entry
    }

    fn merged(mut sources: Vec<SortedEntries>) -> Result<Vec<(String, BundleEntry)>> {
        let shards: Vec<_> = (0..sources.len() as u32)
            .map(|i| ShardNumbers::new(vec![(0, i)]))
            .collect();
        let mut all = Vec::new();
        merge(&mut sources, &shards, |key, value| {
            all.push((
                String::from_utf8_lossy(key).into_owned(),
                BundleEntry::decode(value)?,
            ));
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn entries_of_many_sources_are_in_the_order_of_their_keys() {
        for count in 1..9u64 {
            let sources = (0..count).map(|source| {
                let mut entries = PendingEntries::default();
                for i in (source..100).step_by(count as usize) {
                    insert(&mut entries, &format!("{i:03}"), &stored(i));
                }
                entries.into_sorted()
            });
            let all = merged(sources.collect()).unwrap();
            assert_eq!(all.len(), 100);
            for (i, (key, entry)) in (0..).zip(all) {
                assert_eq!(key, format!("{i:03}"));
                assert_eq!(
                    (entry.offset(), entry.shard_id()),
                    (i, (i % count as i64) as i32)
                );
            }
        }
        assert_eq!(merged(Vec::new()).unwrap(), []);
    }

    #[test]
    fn slices_are_united() {
        let one = |slices: &[&str]| partitioned(DType::HALF, &[9], slices);
        let all = merged(vec![
            source(&[("a", stored(0))]),
            source(&[("v", one(&["3,3"]))]),
            source(&[("v", one(&["6,2", "0,3"])), ("w", stored(1))]),
            source(&[("v", one(&["8,1"]))]),
        ]);
        let all = all.unwrap();
        let slices: Vec<String> = all[1].1.slices().iter().map(ToString::to_string).collect();
        assert_eq!(slices, ["3,3", "6,2", "0,3", "8,1"]);
        assert_eq!(all[1].1.shard_id(), 1);
        assert_eq!((&*all[2].0, all[2].1.shard_id()), ("w", 2));
    }

    #[test]
    fn what_cannot_be_united_is_refused() {
        let one = || partitioned(DType::HALF, &[9], &["3,3"]);
        for (other, says) in [
            (stored(0), "a tensor of that name is also in another shard"),
            (
                partitioned(DType::FLOAT, &[9], &["0,3"]),
                "of a float32 tensor of shape [9]",
            ),
            (
                partitioned(DType::HALF, &[8], &["0,3"]),
                "of a float16 tensor of shape [8]",
            ),
            (
                partitioned(DType::HALF, &[9], &["0,4"]),
                "slice `0,4` overlaps slice `3,3`",
            ),
        ] {
            let error = merged(vec![source(&[("v", one())]), source(&[("v", other)])]);
            let error = error.unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            assert_eq!(error.key(), Some(&b"v"[..]));
        }
    }
}
