use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;

use super::key_order;
use crate::error::{Error, Result};
use crate::store::platform::Buffer;
use crate::wire::varint;

/// The encoded entries of a bundle under construction, in any order of keys.
///
/// ```text
/// chunk    key length, value length, key, value | key length, …      records, one behind the other
/// records  where each starts
/// table    the number of each record, by the hash of its key
/// ```
///
/// So a million entries are a few pieces of memory, each used to the end and never moved. While
/// keys come in ascending order there is no table: a key above the last one is new.
#[derive(Default)]
pub(crate) struct PendingEntries {
    chunks: Vec<Chunk>,
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

/// Memory for records, and how much of it is used.
struct Chunk {
    bytes: Buffer,
    len: usize,
}

/// How much memory is taken at once, first and in the end: in huge pages, which random access needs
/// more than anything.
const FIRST_CHUNK: usize = 64 << 10;
const LAST_CHUNK: usize = 8 << 20;

/// A record's place, and its number in the table, have 32 bits.
const MAX_RECORD: usize = 1 << 31;
const MAX_RECORDS: usize = (1 << 31) - 1;

/// A key that is not among the entries, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewKey {
    is_highest: bool,
    hash: Option<u64>,
}

impl PendingEntries {
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns what [`insert`](Self::insert) wants to know of a key that has no entry; `None` if it
    /// has one.
    #[inline]
    pub(crate) fn new_key(&self, key: &[u8]) -> Option<NewKey> {
        let is_highest = self.highest.is_none_or(|highest| key > self.key(highest));
        let hash = self.table.as_ref().map(|table| table.hash(key));
        let is_there = match (&self.table, hash) {
            _ if is_highest => false,
            (Some(table), Some(hash)) => table
                .numbers(hash)
                .any(|number| self.key(self.records[number as usize]) == key),
            // Ascending so far.
            _ => {
                let keys = self
                    .records
                    .binary_search_by(|&place| self.key(place).cmp(key));
                keys.is_ok()
            }
        };
        (!is_there).then_some(NewKey { is_highest, hash })
    }

    /// Adds an entry under a new key; nothing was added since that was found.
    pub(crate) fn insert(&mut self, key: &[u8], new: NewKey, value: &[u8]) -> Result<()> {
        let place = self.append(key, value)?;
        let number = self.records.len() as u32;
        match &mut self.table {
            Some(table) if !table.is_full() => {
                table.insert(new.hash.unwrap_or_else(|| table.hash(key)), number);
            }
            None if new.is_highest => {}
            _ => {
                let mut table = Table::with_room_for(self.records.len() + 1)?;
                for (number, &place) in (0..).zip(&self.records) {
                    table.insert(table.hash(self.key(place)), number);
                }
                table.insert(table.hash(key), number);
                self.table = Some(table);
            }
        }
        if new.is_highest {
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
        if !self.chunks.last().is_some_and(|chunk| chunk.has_room(len)) {
            let usual = (FIRST_CHUNK << self.chunks.len().min(16)).min(LAST_CHUNK);
            self.chunks.push(Chunk {
                bytes: Buffer::new(len.max(usual) as u64)?,
                len: 0,
            });
        }
        let number = self.chunks.len() - 1;
        let chunk = &mut self.chunks[number];
        let place = Place {
            chunk: number as u32,
            at: chunk.len as u32,
        };
        chunk.push(key, value);
        Ok(place)
    }

    fn key(&self, place: Place) -> &[u8] {
        record(&self.chunks, place).0
    }
}

impl Chunk {
    fn has_room(&self, len: usize) -> bool {
        self.bytes.len() - self.len >= len
    }

    /// Appends a record, for which there is room.
    fn push(&mut self, key: &[u8], value: &[u8]) {
        let mut at = self.len;
        let rest = &mut self.bytes[..];
        for len in [key.len(), value.len()] {
            let mut len = len;
            while len >= 0x80 {
                rest[at] = len as u8 | 0x80;
                len >>= 7;
                at += 1;
            }
            rest[at] = len as u8;
            at += 1;
        }
        rest[at..at + key.len()].copy_from_slice(key);
        at += key.len();
        rest[at..at + value.len()].copy_from_slice(value);
        self.len = at + value.len();
    }
}

/// Returns the key and the value of a record.
#[inline]
fn record(chunks: &[Chunk], place: Place) -> (&[u8], &[u8]) {
    let rest = &chunks[place.chunk as usize].bytes[place.at as usize..];
    let (key_len, a) = varint::read_u64(rest).unwrap_or_default();
    let (value_len, b) = varint::read_u64(&rest[a..]).unwrap_or_default();
    let (key, rest) = rest[a + b..].split_at(key_len as usize);
    (key, &rest[..value_len as usize])
}

/// The entries of a bundle in the order of their keys, with a position in them.
pub(crate) struct SortedEntries {
    chunks: Vec<Chunk>,
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
struct Table {
    /// For each slot a byte of the hash, 0 where it is empty: so few that a look at a slot of a new
    /// key, which is empty, is nearly always a look into the cache.
    tags: Vec<u8>,
    /// For each slot the number of a record, four bytes.
    numbers: Buffer,
    used: usize,
    seeds: [u64; 2],
}

impl Table {
    fn with_room_for(records: usize) -> io::Result<Self> {
        let slots = (2 * records).next_power_of_two().max(256);
        let random = RandomState::new();
        Ok(Table {
            tags: vec![0; slots],
            numbers: Buffer::new(4 * slots as u64)?,
            used: 0,
            seeds: [random.hash_one(0), random.hash_one(1)],
        })
    }

    fn is_full(&self) -> bool {
        2 * self.used >= self.tags.len()
    }

    /// Returns a number that nobody who does not know the seeds can make the same for many keys.
    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        let [mut hash, seed] = self.seeds;
        let mut words = key.chunks_exact(8);
        for word in &mut words {
            let word = word
                .first_chunk()
                .map_or(0, |word| u64::from_le_bytes(*word));
            hash = folded(hash ^ word, seed);
        }
        let mut last = [0; 8];
        last[..words.remainder().len()].copy_from_slice(words.remainder());
        let last = u64::from_le_bytes(last) ^ (key.len() as u64).rotate_left(56);
        folded(folded(hash ^ last, seed), self.seeds[0])
    }

    /// Iterates over the numbers of records that may have a key of that hash.
    #[inline]
    fn numbers(&self, hash: u64) -> impl Iterator<Item = u32> {
        let mask = self.tags.len() - 1;
        let tag = tag(hash);
        let slots = (0..self.tags.len()).map(move |i| (hash as usize + i) & mask);
        slots
            .take_while(|&slot| self.tags[slot] != 0)
            .filter(move |&slot| self.tags[slot] == tag)
            .filter_map(|slot| {
                let number = self.numbers.get(4 * slot..)?.first_chunk()?;
                Some(u32::from_le_bytes(*number))
            })
    }

    fn insert(&mut self, hash: u64, number: u32) {
        let mask = self.tags.len() - 1;
        let mut slot = hash as usize & mask;
        while self.tags[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        self.tags[slot] = tag(hash);
        self.numbers[4 * slot..4 * slot + 4].copy_from_slice(&number.to_le_bytes());
        self.used += 1;
    }
}

/// Returns the byte of a hash that stands for it; the slot comes from the other end.
fn tag(hash: u64) -> u8 {
    ((hash >> 56) as u8).max(1)
}

/// Multiplies, and folds the upper half of the product into the lower one.
fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b | 1);
    (product >> 64) as u64 ^ product as u64
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

    fn insert(entries: &mut PendingEntries, key: &[u8], value: &[u8]) {
        let new = entries.new_key(key).unwrap();
        entries.insert(key, new, value).unwrap();
    }

    #[test]
    fn entries_come_back_in_the_order_of_their_keys() {
        for step in [1, 7919, 20_000 - 1] {
            let mut entries = PendingEntries::default();
            for i in 0..20_000u32 {
                let number = i * step % 20_000;
                let key = format!("model/block_{number:05}/kernel");
                insert(&mut entries, key.as_bytes(), &number.to_le_bytes());
                assert!(entries.new_key(key.as_bytes()).is_none());
                assert!(entries.new_key(b"model/block_00000/kernel").is_none());
                assert!(entries.new_key(b"model/block_00000/kernel/").is_some());
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
        let large = vec![b'x'; 3 * FIRST_CHUNK];
        insert(&mut entries, b"b", &large);
        insert(&mut entries, &large, b"");
        insert(&mut entries, b"a", b"1");
        assert!(entries.new_key(&large).is_none() && entries.new_key(b"c").is_some());
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
