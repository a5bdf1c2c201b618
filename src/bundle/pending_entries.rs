use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use super::key_order;
use crate::error::{Error, Result};
use crate::wire::varint;

/// The encoded entries of a bundle under construction, in any order of keys.
///
/// ```text
/// chunk    key length, value length, key, value | key length, …      records, one behind the other
/// records  where each starts
/// table    hash and number of each record, by hash
/// ```
///
/// So a million entries are a few hundred pieces of memory, each used to the end and never moved.
/// While keys come in ascending order there is no table: a key above the last one is new.
#[derive(Debug, Default)]
pub(crate) struct PendingEntries {
    chunks: Vec<Vec<u8>>,
    records: Vec<Place>,
    /// Where the highest key is.
    highest: Option<Place>,
    table: Option<Table>,
}

/// Where a record starts: the chunk, and the byte in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    chunk: u32,
    at: u32,
}

/// How much memory is taken at once.
const CHUNK: usize = 1 << 20;

/// A record's place, and its number in the table, have 32 bits.
const MAX_RECORD: usize = 1 << 31;
const MAX_RECORDS: usize = (1 << 31) - 1;

impl PendingEntries {
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Says whether there is an entry under that key.
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        match (&self.table, self.highest) {
            (_, None) => false,
            (_, Some(highest)) if key > self.key(highest) => false,
            (Some(table), _) => table.find(key, |number| self.key(self.records[number])),
            // Ascending so far.
            (None, Some(_)) => self
                .records
                .binary_search_by(|&place| self.key(place).cmp(key))
                .is_ok(),
        }
    }

    /// Adds an entry under a key that is not there.
    pub(crate) fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let place = self.append(key, value)?;
        let is_highest = self.highest.is_none_or(|highest| key > self.key(highest));
        if !is_highest && self.table.is_none() {
            let mut table = Table::with_room_for(self.records.len());
            for (number, &place) in self.records.iter().enumerate() {
                table.insert(self.key(place), number);
            }
            self.table = Some(table);
        }
        if let Some(table) = &mut self.table {
            table.insert(key, self.records.len());
        }
        if is_highest {
            self.highest = Some(place);
        }
        self.records.push(place);
        Ok(())
    }

    /// Puts the entries in the order of their keys.
    pub(crate) fn into_sorted(mut self) -> SortedEntries {
        // Only keys out of order made one.
        if self.table.take().is_some() {
            let mut records = std::mem::take(&mut self.records);
            key_order::sort(&mut records, |place| self.key(place));
            self.records = records;
        }
        SortedEntries {
            chunks: self.chunks,
            records: self.records,
            next: 0,
        }
    }

    fn append(&mut self, key: &[u8], value: &[u8]) -> Result<Place> {
        let len = 20 + key.len() + value.len();
        if len > MAX_RECORD || self.records.len() == MAX_RECORDS {
            return Err(Error::invalid_argument(
                "the entry is too large for an index, or has too many before it",
            )
            .for_key(key));
        }
        let has_room = |chunk: &Vec<u8>| chunk.capacity() - chunk.len() >= len;
        if !self.chunks.last().is_some_and(has_room) {
            self.chunks.push(Vec::with_capacity(len.max(CHUNK)));
        }
        let number = self.chunks.len() - 1;
        let chunk = &mut self.chunks[number];
        let place = Place {
            chunk: number as u32,
            at: chunk.len() as u32,
        };
        varint::write_u64(chunk, key.len() as u64);
        varint::write_u64(chunk, value.len() as u64);
        chunk.extend_from_slice(key);
        chunk.extend_from_slice(value);
        Ok(place)
    }

    fn key(&self, place: Place) -> &[u8] {
        record(&self.chunks, place).0
    }
}

/// Returns the key and the value of a record.
#[inline]
fn record(chunks: &[Vec<u8>], place: Place) -> (&[u8], &[u8]) {
    let rest = &chunks[place.chunk as usize][place.at as usize..];
    let (key_len, a) = varint::read_u64(rest).unwrap_or_default();
    let (value_len, b) = varint::read_u64(&rest[a..]).unwrap_or_default();
    let (key, rest) = rest[a + b..].split_at(key_len as usize);
    (key, &rest[..value_len as usize])
}

/// The entries of a bundle in the order of their keys, with a position in them.
#[derive(Debug)]
pub(crate) struct SortedEntries {
    chunks: Vec<Vec<u8>>,
    records: Vec<Place>,
    next: usize,
}

impl SortedEntries {
    /// Returns the key and the value of the entry at the position.
    #[inline]
    pub(crate) fn current(&self) -> Option<(&[u8], &[u8])> {
        let place = self.records.get(self.next)?;
        Some(record(&self.chunks, *place))
    }

    pub(crate) fn advance(&mut self) {
        self.next += 1;
    }
}

/// The numbers of records by the hash of their keys: open addressing.
#[derive(Debug)]
struct Table {
    /// The upper half of the hash, and the number plus one; 0 where there is none. As many as a
    /// power of two.
    slots: Vec<u64>,
    used: usize,
    hasher: RandomState,
}

impl Table {
    fn with_room_for(records: usize) -> Self {
        Table {
            slots: vec![0; (2 * records).next_power_of_two().max(64)],
            used: 0,
            hasher: RandomState::new(),
        }
    }

    fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key) & !u64::from(u32::MAX)
    }

    /// Says whether one of the numbers under the hash of `key` is that of a record with this key.
    fn find<'k>(&self, key: &[u8], key_of: impl Fn(usize) -> &'k [u8]) -> bool {
        let hash = self.hash(key);
        let mut at = self.home(hash);
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return false;
            }
            let number = (slot as u32 - 1) as usize;
            if slot >> 32 == hash >> 32 && key_of(number) == key {
                return true;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    fn insert(&mut self, key: &[u8], number: usize) {
        if 3 * self.used >= 2 * self.slots.len() {
            let slots = vec![0; 2 * self.slots.len()];
            for slot in std::mem::replace(&mut self.slots, slots) {
                if slot != 0 {
                    self.put(slot);
                }
            }
        }
        self.put(self.hash(key) | (number as u64 + 1));
        self.used += 1;
    }

    fn put(&mut self, slot: u64) {
        let mut at = self.home(slot);
        while self.slots[at] != 0 {
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.slots[at] = slot;
    }

    /// Returns where the search for a hash begins: its highest bits.
    fn home(&self, hash: u64) -> usize {
        (hash >> (64 - self.slots.len().trailing_zeros())) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut entries: SortedEntries) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut all = Vec::new();
        while let Some((key, value)) = entries.current() {
            all.push((key.to_vec(), value.to_vec()));
            entries.advance();
        }
        all
    }

    #[test]
    fn entries_come_back_in_the_order_of_their_keys() {
        for step in [1, 7919, 20_000 - 1] {
            let mut entries = PendingEntries::default();
            for i in 0..20_000u32 {
                let number = i * step % 20_000;
                let key = format!("model/block_{number:05}/kernel");
                assert!(!entries.contains(key.as_bytes()));
                entries
                    .insert(key.as_bytes(), &number.to_le_bytes())
                    .unwrap();
                assert!(entries.contains(key.as_bytes()));
                assert!(entries.contains(b"model/block_00000/kernel"));
                assert!(!entries.contains(b"model/block_00000/kernel/"));
            }
            assert_eq!(
                (entries.len(), entries.table.is_some()),
                (20_000, step != 1)
            );
            for (i, (key, value)) in all(entries.into_sorted()).into_iter().enumerate() {
                assert_eq!(key, format!("model/block_{i:05}/kernel").into_bytes());
                assert_eq!(value, (i as u32).to_le_bytes());
            }
        }
    }

    #[test]
    fn entries_larger_than_a_chunk_have_one_of_their_own() {
        let mut entries = PendingEntries::default();
        let large = vec![b'x'; 3 * CHUNK];
        entries.insert(b"b", &large).unwrap();
        entries.insert(&large, b"").unwrap();
        entries.insert(b"a", b"1").unwrap();
        assert!(entries.contains(&large) && !entries.contains(b"c"));
        assert_eq!(
            all(entries.into_sorted()),
            [
                (b"a".to_vec(), b"1".to_vec()),
                (b"b".to_vec(), large.clone()),
                (large, Vec::new())
            ]
        );
        assert_eq!(all(PendingEntries::default().into_sorted()), []);
    }
}
