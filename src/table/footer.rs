use crate::error::{Error, Result};
use crate::store::Blob;
use crate::wire::varint;

/// Where a block stands in the file and how long it is, its trailer not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockHandle {
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

impl BlockHandle {
    /// Reads a handle; returns it and its length in bytes.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(Self, usize)> {
        let (offset, offset_len) = varint::read_u64(bytes)?;
        let (size, size_len) = varint::read_u64(&bytes[offset_len..])?;
        Some((BlockHandle { offset, size }, offset_len + size_len))
    }

    /// Appends the handle.
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        varint::write_u64(out, self.offset);
        varint::write_u64(out, self.size);
    }

    /// Returns where the block and its trailer end, if that is a number.
    pub(crate) fn end(self) -> Option<u64> {
        self.offset.checked_add(self.size)?.checked_add(TRAILER_LEN)
    }
}

/// The compression byte and the checksum behind every block.
pub(crate) const TRAILER_LEN: u64 = 5;

/// The last 48 bytes of a table: where its metaindex and its index are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) metaindex: BlockHandle,
    pub(crate) index: BlockHandle,
    /// Whether the bytes between the handles and the magic number are zero, as every writer
    /// leaves them.
    pub(crate) padding_is_zero: bool,
}

impl Footer {
    pub(crate) const LEN: u64 = 48;
    pub(crate) const MAGIC: u64 = 0xdb47_7524_8b80_fb57;

    /// Reads the footer of a table file.
    pub(crate) fn read(file: &Blob) -> Result<Self> {
        let Some(start) = file.len().checked_sub(Self::LEN) else {
            return Err(Error::malformed(format!(
                "{} bytes are too few for a sorted string table, whose footer alone has {}",
                file.len(),
                Self::LEN
            )));
        };
        let mut bytes = [0; Self::LEN as usize];
        file.read_into(start, &mut bytes)?;
        Self::decode(&bytes).map_err(|error| error.shifted(start))
    }

    fn decode(bytes: &[u8; Self::LEN as usize]) -> Result<Self> {
        let (handles, magic) = bytes.split_at(40);
        if magic != Self::MAGIC.to_le_bytes() {
            return Err(Error::malformed(
                "the file does not end with the magic number of a sorted string table",
            )
            .at(40)
            .remedy("it is another kind of file, or bytes are missing or added at its end"));
        }
        let bad_handle = |at| Error::malformed("bad block handle in the footer").at(at);
        let (metaindex, len) = BlockHandle::decode(handles).ok_or_else(|| bad_handle(0))?;
        let (index, index_len) =
            BlockHandle::decode(&handles[len..]).ok_or_else(|| bad_handle(len as u64))?;
        let padding = &handles[len + index_len..];
        Ok(Footer {
            metaindex,
            index,
            padding_is_zero: padding.iter().all(|&byte| byte == 0),
        })
    }

    /// Returns the footer of a table whose metaindex and index are there, padded with zeros.
    pub(crate) fn encode(metaindex: BlockHandle, index: BlockHandle) -> [u8; Self::LEN as usize] {
        let mut handles = Vec::with_capacity(40);
        metaindex.encode(&mut handles);
        index.encode(&mut handles);
        let mut footer = [0; Self::LEN as usize];
        footer[..handles.len()].copy_from_slice(&handles);
        footer[40..].copy_from_slice(&Self::MAGIC.to_le_bytes());
        footer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn footer() -> [u8; 48] {
        let mut bytes = [0; 48];
        bytes[..6].copy_from_slice(&[
            0x9b, 0x01, 0x08, // metaindex: offset 155, size 8
            0xa8, 0x01, 0x0f, // index: offset 168, size 15
        ]);
        bytes[40..].copy_from_slice(&[0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]);
        bytes
    }

    #[test]
    fn a_real_footer() {
        let expected = Footer {
            metaindex: BlockHandle {
                offset: 155,
                size: 8,
            },
            index: BlockHandle {
                offset: 168,
                size: 15,
            },
            padding_is_zero: true,
        };
        assert_eq!(Footer::decode(&footer()).unwrap(), expected);
        assert_eq!(Footer::encode(expected.metaindex, expected.index), footer());
        let mut padded = footer();
        padded[39] = 1;
        assert!(!Footer::decode(&padded).unwrap().padding_is_zero);
    }

    #[test]
    fn damage_is_named() {
        let mut magic = footer();
        magic[47] ^= 1;
        assert_eq!(Footer::decode(&magic).unwrap_err().offset(), Some(40));
        let mut endless = footer();
        endless[..40].fill(0xff);
        assert_eq!(Footer::decode(&endless).unwrap_err().offset(), Some(0));
        let mut second = footer();
        second[3..14].fill(0xff);
        assert_eq!(Footer::decode(&second).unwrap_err().offset(), Some(3));
        assert!(Footer::read(&Blob::from_bytes(vec![0; 47])).is_err());
    }
}
