use crate::error::{Error, ErrorKind, Result};
use crate::wire::varint;

/// Puts a block together, entry by entry; the mirror of [`Block`](super::block::Block).
///
/// `BlockBuilder` in `tensorflow/core/lib/io/block_builder.cc`.
#[derive(Debug)]
pub(crate) struct BlockBuilder {
    entries: Vec<u8>,
    /// Where each run of entries starts.
    restarts: Vec<u32>,
    /// How many entries a run has.
    interval: u32,
    /// Entries since the last restart.
    in_run: u32,
    last_key: Vec<u8>,
}

impl BlockBuilder {
    pub(crate) fn new(interval: u32) -> Self {
        BlockBuilder {
            entries: Vec::new(),
            restarts: vec![0],
            interval,
            in_run: 0,
            last_key: Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns how long the block would be now.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() + 4 * self.restarts.len() + 4
    }

    /// Appends an entry. The caller sees to the order of keys.
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        // A length and the start of a run have 32 bits.
        let size = self.entries.len() as u64 + key.len() as u64 + value.len() as u64;
        if size > MAX_ENTRIES {
            return Err(Error::new(ErrorKind::TooLarge {
                what: "a table block with this entry".to_owned(),
                size,
                limit: MAX_ENTRIES,
            })
            .for_key(key));
        }
        let shared = if self.in_run < self.interval {
            shared_len(&self.last_key, key)
        } else {
            self.restarts.push(self.entries.len() as u32);
            self.in_run = 0;
            0
        };
        let own = &key[shared..];
        varint::write_u64(&mut self.entries, shared as u64);
        varint::write_u64(&mut self.entries, own.len() as u64);
        varint::write_u64(&mut self.entries, value.len() as u64);
        self.entries.extend_from_slice(own);
        self.entries.extend_from_slice(value);
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(own);
        self.in_run += 1;
        Ok(())
    }

    /// Appends the restarts and returns the whole block; [`clear`](Self::clear) starts the next.
    pub(crate) fn finish(&mut self) -> &[u8] {
        for restart in &self.restarts {
            self.entries.extend_from_slice(&restart.to_le_bytes());
        }
        let count = self.restarts.len() as u32;
        self.entries.extend_from_slice(&count.to_le_bytes());
        &self.entries
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.restarts.clear();
        self.restarts.push(0);
        self.in_run = 0;
        self.last_key.clear();
    }
}

/// Returns how many bytes two keys share at their beginning.
#[inline]
pub(crate) fn shared_len(a: &[u8], b: &[u8]) -> usize {
    let words = |bytes: &[u8], at| {
        let word = bytes.get(at..)?.first_chunk()?;
        Some(u64::from_le_bytes(*word))
    };
    let mut len = 0;
    while let (Some(x), Some(y)) = (words(a, len), words(b, len)) {
        if x != y {
            return len + (x ^ y).trailing_zeros() as usize / 8;
        }
        len += 8;
    }
    let tail = a[len..].iter().zip(&b[len..]);
    len + tail.take_while(|(x, y)| x == y).count()
}

/// Leaves room for the lengths of entries below the 32 bits of a restart.
const MAX_ENTRIES: u64 = u32::MAX as u64 - (1 << 20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_keys_share_is_counted() {
        for len in 0..40 {
            let a = vec![b'a'; len];
            assert_eq!(shared_len(&a, &a), len);
            for end in 0..len {
                let mut b = a.clone();
                b[end] = 0xe1;
                assert_eq!(shared_len(&a, &b), end);
                assert_eq!(shared_len(&a[..end], &a), end);
            }
        }
    }

    #[test]
    fn runs_share_the_beginnings_of_keys() {
        let mut block = BlockBuilder::new(2);
        for (key, value) in [("abc", "1"), ("abd", ""), ("ac", "23")] {
            block.add(key.as_bytes(), value.as_bytes()).unwrap();
        }
        let expected = [
            0, 3, 1, b'a', b'b', b'c', b'1', // abc = 1
            2, 1, 0, b'd', // abd = (empty)
            0, 2, 2, b'a', b'c', b'2', b'3', // ac = 23, starts run 1
            0, 0, 0, 0, // run 0
            11, 0, 0, 0, // run 1
            2, 0, 0, 0, // runs
        ];
        assert_eq!(block.len(), expected.len());
        assert_eq!(block.finish(), expected);
        block.clear();
        assert!(block.is_empty());
        assert_eq!(block.finish(), [0, 0, 0, 0, 1, 0, 0, 0]);
    }
}
