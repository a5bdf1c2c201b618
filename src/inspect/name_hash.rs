use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

/// A map by names of a graph: there are as many look-ups as nodes, and names are long.
pub(super) type NameMap<'m, V> = HashMap<&'m [u8], V, NameHash>;

/// Hashes names eight bytes at a time, from a start that differs from map to map, so that no file can
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
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(self.factor);
        self.state = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for NameHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.mix(u64::from_le_bytes(last) ^ (bytes.len() as u64) << 56);
    }

    #[inline]
    fn write_usize(&mut self, length: usize) {
        self.mix(length as u64);
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
