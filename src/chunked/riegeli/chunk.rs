use super::block::{DAMAGED, Hash, chunk_end, number};
use crate::error::{Error, Result};

/// The header of a chunk, and where the chunk lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chunked) struct ChunkHeader {
    pub(in crate::chunked) begin: u64,
    /// Where the next chunk begins.
    pub(in crate::chunked) end: u64,
    pub(in crate::chunked) kind: u8,
    /// Without headers of blocks and the zeros at the end.
    pub(in crate::chunked) data_size: u64,
    pub(in crate::chunked) data_hash: u64,
    pub(in crate::chunked) records: u64,
    /// The lengths of all records together.
    pub(in crate::chunked) decoded_size: u64,
}

/// The kinds of chunks.
pub(super) mod kind {
    pub(crate) const SIGNATURE: u8 = b's';
    pub(crate) const METADATA: u8 = b'm';
    pub(crate) const PADDING: u8 = b'p';
    pub(crate) const SIMPLE: u8 = b'r';
    pub(crate) const TRANSPOSED: u8 = b't';
}

impl ChunkHeader {
    pub(super) const LEN: usize = 40;

    /// The chunk that every file begins with.
    pub(super) fn signature() -> Self {
        ChunkHeader {
            begin: 0,
            end: 64,
            kind: kind::SIGNATURE,
            data_size: 0,
            data_hash: Hash::of(b""),
            records: 0,
            decoded_size: 0,
        }
    }

    /// Reads the header of the chunk that begins at byte `begin`.
    pub(super) fn decode(bytes: &[u8; Self::LEN], begin: u64) -> Result<Self> {
        let (hash, rest) = bytes.split_at(8);
        if Hash::of(rest) != number(hash) {
            return Err(Error::malformed("a chunk's header does not have its hash")
                .at(begin)
                .remedy(DAMAGED));
        }
        let data_size = number(&rest[..8]);
        let records = number(&rest[17..24]);
        let end = data_size
            .checked_add(Self::LEN as u64)
            .and_then(|size| chunk_end(begin, size, records))
            .ok_or_else(|| Error::malformed("a chunk's size is absurd").at(begin))?;
        Ok(ChunkHeader {
            begin,
            end,
            kind: rest[16],
            data_size,
            data_hash: number(&rest[8..16]),
            records,
            decoded_size: number(&rest[24..]),
        })
    }

    pub(super) fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[8..16].copy_from_slice(&self.data_size.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.data_hash.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.records.to_le_bytes());
        // The number of records has seven bytes, behind the kind's one.
        bytes.copy_within(24..31, 25);
        bytes[24] = self.kind;
        bytes[32..].copy_from_slice(&self.decoded_size.to_le_bytes());
        let hash = Hash::of(&bytes[8..]);
        bytes[..8].copy_from_slice(&hash.to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_known() {
        let bytes = ChunkHeader::signature().encode();
        let expected = [
            0x91, 0xba, 0xc2, 0x3c, 0x92, 0x87, 0xe1, 0xa9, // hash
            0, 0, 0, 0, 0, 0, 0, 0, // data size
            0xe1, 0x9f, 0x13, 0xc0, 0xe9, 0xb1, 0xc3, 0x72, // data hash
            b's', 0, 0, 0, 0, 0, 0, 0, // type, number of records
            0, 0, 0, 0, 0, 0, 0, 0, // size of values
        ];
        assert_eq!(bytes, expected);
        assert_eq!(
            ChunkHeader::decode(&bytes, 0).unwrap(),
            ChunkHeader::signature()
        );
    }

    #[test]
    fn what_is_written_is_read_and_damage_is_seen() {
        let header = ChunkHeader {
            begin: 64,
            end: 64 + 0x1234_5678,
            kind: kind::SIMPLE,
            data_size: 77,
            data_hash: 99,
            records: 0x1234_5678,
            decoded_size: 1 << 40,
        };
        let bytes = header.encode();
        assert_eq!(ChunkHeader::decode(&bytes, 64).unwrap(), header);
        for i in 0..bytes.len() {
            let mut damaged = bytes;
            damaged[i] ^= 0x10;
            let error = ChunkHeader::decode(&damaged, 64).unwrap_err();
            assert_eq!(error.offset(), Some(64));
        }
        let absurd = ChunkHeader {
            data_size: u64::MAX - 50,
            ..header
        };
        assert!(ChunkHeader::decode(&absurd.encode(), 64).is_err());
    }
}
