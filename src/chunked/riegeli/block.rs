//! Blocks: what stands at every multiple of 65,536 bytes, and the arithmetic around it. The only
//! file that speaks to the `highway` crate.

use highway::{HighwayHash, HighwayHasher, Key};

use crate::error::{Error, Result};

pub(super) const BLOCK: u64 = 1 << 16;
pub(super) const BLOCK_HEADER: u64 = 24;
/// What a block has room for.
const USABLE: u64 = BLOCK - BLOCK_HEADER;

/// HighwayHash-64 under Riegeli's key, which spells `Riegeli/records\n`.
#[derive(Clone, Debug)]
pub(super) struct Hash(HighwayHasher);

impl Hash {
    pub(super) fn new() -> Self {
        const KEY: [u64; 2] = [0x2f69_6c65_6765_6952, 0x0a73_6472_6f63_6572];
        Hash(HighwayHasher::new(Key([KEY[0], KEY[1], KEY[0], KEY[1]])))
    }

    pub(super) fn of(bytes: &[u8]) -> u64 {
        let mut hash = Hash::new();
        hash.append(bytes);
        hash.finish()
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.0.append(bytes);
    }

    pub(super) fn finish(self) -> u64 {
        self.0.finalize64()
    }
}

/// The header of a block: how it lies to the chunk that it interrupts, or with which it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockHeader {
    /// From the chunk's begin to that of the block.
    pub(super) previous_chunk: u64,
    /// From the block's begin to the end of the chunk.
    pub(super) next_chunk: u64,
}

impl BlockHeader {
    pub(super) const LEN: usize = BLOCK_HEADER as usize;

    /// Reads the header of the block at byte `begin`.
    pub(super) fn decode(bytes: &[u8; Self::LEN], begin: u64) -> Result<Self> {
        let (hash, rest) = bytes.split_at(8);
        if Hash::of(rest) != number(hash) {
            return Err(Error::malformed("a block's header does not have its hash")
                .at(begin)
                .remedy(DAMAGED));
        }
        Ok(BlockHeader {
            previous_chunk: number(&rest[..8]),
            next_chunk: number(&rest[8..]),
        })
    }

    pub(super) fn encode(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[8..16].copy_from_slice(&self.previous_chunk.to_le_bytes());
        bytes[16..].copy_from_slice(&self.next_chunk.to_le_bytes());
        let hash = Hash::of(&bytes[8..]);
        bytes[..8].copy_from_slice(&hash.to_le_bytes());
        bytes
    }
}

pub(super) const DAMAGED: &str =
    "the bytes changed after they were written: copy the file again from its source";

/// Reads a little-endian number of at most eight bytes.
pub(super) fn number(bytes: &[u8]) -> u64 {
    let mut eight = [0; 8];
    for (to, from) in eight.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_le_bytes(eight)
}

/// Says whether a chunk can begin here: not inside a block's header, nor directly behind it.
pub(super) fn may_begin(position: u64) -> bool {
    !(1..=BLOCK_HEADER).contains(&(position % BLOCK))
}

/// Returns where what begins at `begin` has had `size` bytes, headers of blocks not counted.
/// `None` beyond 64 bits.
pub(super) fn after(begin: u64, size: u64) -> Option<u64> {
    let headers = size.checked_add((begin % BLOCK + USABLE - 1) % BLOCK)? / USABLE;
    begin
        .checked_add(size)?
        .checked_add(headers.checked_mul(BLOCK_HEADER)?)
}

/// Returns the place of the byte that has `size` bytes before it.
pub(super) fn byte_at(begin: u64, size: u64) -> Option<u64> {
    let position = after(begin, size)?;
    match position % BLOCK {
        0 => position.checked_add(BLOCK_HEADER),
        _ => Some(position),
    }
}

/// Returns where a chunk ends whose header and data have `size` bytes together. Every record has a
/// position of its own before the end, and the next chunk may begin there.
pub(super) fn chunk_end(begin: u64, size: u64, records: u64) -> Option<u64> {
    let last = begin.checked_add(records)?;
    let left = (BLOCK - last % BLOCK) % BLOCK;
    let padded = last.checked_add(left.saturating_sub(USABLE - 1))?;
    Some(after(begin, size)?.max(padded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_signature() {
        // What every file begins with, from Riegeli's own description.
        let first = BlockHeader {
            previous_chunk: 0,
            next_chunk: 64,
        };
        let bytes = first.encode();
        assert_eq!(number(&bytes[..8]), 0x3f4a_880d_d170_af83);
        assert_eq!(BlockHeader::decode(&bytes, 0).unwrap(), first);
        assert_eq!(Hash::of(b""), 0x72c3_b1e9_c013_9fe1);
        let mut damaged = bytes;
        damaged[20] ^= 1;
        assert_eq!(
            BlockHeader::decode(&damaged, 65536).unwrap_err().offset(),
            Some(65536)
        );
    }

    #[test]
    fn places_skip_the_headers_of_blocks() {
        assert_eq!(after(0, 40), Some(64));
        assert_eq!((after(64, 0), byte_at(64, 0)), (Some(64), Some(64)));
        // 65,472 bytes fit the rest of the first block.
        assert_eq!(after(64, 65_472), Some(65_536));
        assert_eq!(byte_at(64, 65_472), Some(65_560));
        assert_eq!(after(64, 65_473), Some(65_561));
        assert_eq!(byte_at(65_536, 0), Some(65_560));
        assert_eq!(after(64, u64::MAX), None);
    }

    #[test]
    fn ends_leave_room_for_positions() {
        assert_eq!(chunk_end(64, 43, 1), Some(107));
        // So many empty records compress to nothing: zeros follow.
        assert_eq!(chunk_end(64, 45, 1000), Some(1064));
        assert_eq!(chunk_end(64, 45, 65_472 + 1), Some(65_536 + 25));
        assert!(may_begin(chunk_end(64, 45, 65_472 + 10).unwrap()));
        assert_eq!(chunk_end(64, 45, u64::MAX - 63), None);
        assert!(may_begin(65_536) && !may_begin(65_537) && !may_begin(65_560));
        assert!(may_begin(65_561));
    }
}
