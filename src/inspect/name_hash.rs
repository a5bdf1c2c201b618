use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

/// A map by names of a graph: there are as many look-ups as nodes, and names are long.
pub(super) type NameMap<'m, V> = HashMap<&'m [u8], V, NameHash>;

/// Names with numbers, in the order in which they were first met.
pub(super) struct NameNumbers<'m> {
    pub(super) names: Vec<&'m [u8]>,
    numbers: NameMap<'m, usize>,
    /// Names met lately, by their ends, and their numbers: most nodes are of few ops.
    recent: [(Ends, usize); RECENT],
}

const RECENT: usize = 256;

impl Default for NameNumbers<'_> {
    fn default() -> Self {
        NameNumbers {
            names: Vec::new(),
            numbers: NameMap::default(),
            recent: [(Ends::default(), usize::MAX); RECENT],
        }
    }
}

impl<'m> NameNumbers<'m> {
    /// Returns the number of a name; that of a new one is how many there were before.
    #[inline]
    pub(super) fn number(&mut self, name: &'m [u8]) -> usize {
        let ends = Ends::of(name);
        let slot = ends.slot();
        let (known, number) = self.recent[slot];
        if known == ends
            && let Some(known) = self.names.get(number)
            && (!ends.leave_some() || *known == name)
        {
            return number;
        }
        let number = *self.numbers.entry(name).or_insert(self.names.len());
        if number == self.names.len() {
            self.names.push(name);
        }
        self.recent[slot] = (ends, number);
        number
    }
}

/// Both ends of a name, and its length: all that there is to tell of a short one.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Ends {
    first: u64,
    last: u64,
    len: usize,
}

impl Ends {
    #[inline]
    fn of(name: &[u8]) -> Self {
        let len = name.len();
        let (first, last) =
            if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
                (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
            } else if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
                (
                    u32::from_le_bytes(*first).into(),
                    u32::from_le_bytes(*last).into(),
                )
            } else {
                // Up to three bytes: the first, the one in the middle, the last.
                let at = |place: usize| name.get(place).copied().map_or(0, u64::from);
                (at(0) | at(len / 2) << 8, at(len.saturating_sub(1)))
            };
        Ends { first, last, len }
    }

    /// Says whether there is more of the name between its ends.
    #[inline]
    fn leave_some(self) -> bool {
        self.len > 16
    }

    /// Returns a place in `recent`.
    #[inline]
    fn slot(self) -> usize {
        let mixed = self.first ^ self.last.rotate_left(17) ^ self.len as u64;
        let word = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (word >> (64 - RECENT.ilog2())) as usize
    }
}

/// Finds numbers by the hashes of their names, which are compared where they are.
#[derive(Default)]
pub(super) struct NameSlots {
    /// Half a hash, and the number and one, or 0 in a free slot, of which there are always some. What
    /// does not fit in its own slot is in the next one that was free.
    slots: Vec<u64>,
}

impl NameSlots {
    /// Makes slots for numbers up to `count`.
    pub(super) fn new(count: usize) -> Self {
        NameSlots {
            slots: vec![0; (count + count / 2 + 1).next_power_of_two()],
        }
    }

    /// Adds a number, which is less than 2^32 - 1. `is_same` tells whether another has its name, and
    /// `is_before` whether it takes the place of that one.
    #[inline]
    pub(super) fn insert(
        &mut self,
        hash: u64,
        new: usize,
        is_same: impl Fn(usize) -> bool,
        is_before: impl Fn(usize) -> bool,
    ) {
        let slot = self.slot(hash, is_same);
        if number(self.slots[slot]).is_none_or(is_before) {
            self.slots[slot] = hash >> 32 << 32 | (new as u64 + 1);
        }
    }

    /// Returns the number for which `is_it`.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        number(self.slots[self.slot(hash, is_it)])
    }

    fn slot(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        while let Some(number) = number(self.slots[slot]) {
            if self.slots[slot] >> 32 == hash >> 32 && is_it(number) {
                break;
            }
            slot = (slot + 1) & mask;
        }
        slot
    }
}

fn number(slot: u64) -> Option<usize> {
    (slot as u32).checked_sub(1).map(|number| number as usize)
}

/// Hashes names sixteen bytes at a time, from a start that differs from map to map, so that no file can
/// be made whose names all meet in one place.
#[derive(Clone)]
pub(super) struct NameHash {
    seed: u64,
    factor: u64,
}

impl Default for NameHash {
    fn default() -> Self {
        let random = RandomState::new();
        NameHash {
            seed: random.hash_one(0),
            factor: random.hash_one(1) | 1,
        }
    }
}

impl BuildHasher for NameHash {
    type Hasher = NameHasher;

    #[inline]
    fn build_hasher(&self) -> NameHasher {
        NameHasher {
            state: self.seed,
            factor: self.factor,
        }
    }
}

pub(super) struct NameHasher {
    state: u64,
    factor: u64,
}

impl NameHasher {
    #[inline]
    fn mix(&mut self, first: u64, last: u64) {
        let product = u128::from(self.state ^ first) * u128::from(self.factor ^ last);
        self.state = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for NameHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((chunk, more)) = rest.split_first_chunk::<16>()
            && !more.is_empty()
        {
            let ends = Ends::of(chunk);
            self.mix(ends.first, ends.last);
            rest = more;
        }
        // Of a longer name the last bytes once more, up to sixteen in all.
        let ends = Ends::of(bytes.last_chunk::<16>().map_or(bytes, |last| last));
        self.mix(ends.first, ends.last ^ (bytes.len() as u64).rotate_right(8));
    }

    #[inline]
    fn write_usize(&mut self, length: usize) {
        self.mix(length as u64, 0);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.state ^ self.state >> 32
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_numbered_as_they_come() {
        let names: Vec<String> = (0..1000).map(|i| format!("op_{}", i % 300)).collect();
        let mut numbers = NameNumbers::default();
        for (i, name) in names.iter().enumerate() {
            assert_eq!(numbers.number(name.as_bytes()), i % 300);
        }
        assert_eq!(numbers.names.len(), 300);
        assert_eq!(numbers.names[7], b"op_7");
        assert_eq!((numbers.number(b""), numbers.number(b"")), (300, 300));
        // Of the same length, with the same ends.
        for (name, number) in [("A", 301), ("B", 302), ("A", 301), ("B", 302)] {
            let name = format!("12345678{name}12345678").leak();
            assert_eq!(numbers.number(name.as_bytes()), number);
        }
    }

    #[test]
    fn numbers_are_found_by_name_and_of_doubles_the_last() {
        let names: Vec<String> = (0..1000).map(|i| format!("n{}", i % 900)).collect();
        let hash = NameHash::default();
        let full = |name: &str| hash.hash_one(name.as_bytes());
        let half = |name: &str| full(name) >> 32 << 32;
        let none = |_: &str| 0;
        let hashes: [&dyn Fn(&str) -> u64; 3] = [&full, &half, &none];
        for hash in hashes {
            let mut slots = NameSlots::new(names.len());
            let find =
                |slots: &NameSlots, name: &str| slots.find(hash(name), |it| names[it] == name);
            for (number, name) in names.iter().enumerate() {
                let is_same = |other: usize| names[other] == *name;
                slots.insert(hash(name), number, is_same, |other| other < number);
            }
            for (name, number) in [("n0", Some(900)), ("n99", Some(999)), ("n100", Some(100))] {
                assert_eq!(find(&slots, name), number);
            }
            assert_eq!(find(&slots, "n900"), None);
        }
        for slots in [NameSlots::default(), NameSlots::new(0)] {
            assert_eq!(slots.find(7, |_| true), None);
        }
    }

    #[test]
    fn every_byte_of_a_name_counts() {
        let hash = NameHash::default();
        let mut hashes = HashSet::new();
        for len in 0..70 {
            let mut name = vec![b'n'; len];
            hashes.insert(hash.hash_one(&name[..]));
            for place in 0..len {
                for byte in [0, b'm', b'o'] {
                    name[place] = byte;
                    hashes.insert(hash.hash_one(&name[..]));
                }
                name[place] = b'n';
            }
        }
        let all: usize = (0..70).map(|len| 1 + 3 * len).sum();
        assert_eq!(hashes.len(), all);
    }

    #[test]
    fn names_that_differ_little_are_apart() {
        let hash = NameHash::default();
        let names = (0..10_000).map(|i| format!("__inference_layer_call_and_return_{i}"));
        let hashes: HashSet<u64> = names.map(|name| hash.hash_one(name.as_bytes())).collect();
        assert_eq!(hashes.len(), 10_000);
        let zeros = [&b""[..], b"\0", b"\0\0", b"\0\0\0\0\0\0\0\0"];
        let hashes: HashSet<u64> = zeros.iter().map(|name| hash.hash_one(name)).collect();
        assert_eq!(hashes.len(), zeros.len());
        assert_ne!(hash.seed, NameHash::default().seed);
    }
}
