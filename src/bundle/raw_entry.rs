use super::entry::BundleEntry;
use crate::error::{Error, Result};
use crate::wire::{Message, Value, varint};

/// An entry as it stands in an index, of which only the number of the shard is looked at.
///
/// So an entry can be moved to another bundle, where its shard has another number, without decoding
/// it, and what we do not understand in it stays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawEntry<'a> {
    bytes: &'a [u8],
    shard_id: i32,
    /// What stands before the shard's number or its place, and what stands behind; `None` if it is
    /// in several places.
    around: Option<(&'a [u8], &'a [u8])>,
    is_partitioned: bool,
}

/// Fields of `BundleEntryProto`.
const SHARD_ID: u32 = 3;
const SLICES: u32 = 7;
const SHARD_ID_TAG: u8 = 0x18;

impl<'a> RawEntry<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self> {
        match Self::read_usual(bytes) {
            Some(entry) => Ok(entry),
            None => Self::read_any(bytes),
        }
    }

    /// Reads an entry as every writer leaves it: fields in order, none twice, a short shape, no
    /// slices.
    #[inline]
    fn read_usual(bytes: &'a [u8]) -> Option<Self> {
        let [0x08, dtype @ 0..0x80, 0x12, shape_len @ 0..0x80, rest @ ..] = bytes else {
            return None;
        };
        debug_assert!(*dtype < 0x80);
        let after_shape = rest.get(usize::from(*shape_len)..)?;
        let before = &bytes[..bytes.len() - after_shape.len()];
        let (shard_id, after) = match after_shape {
            [SHARD_ID_TAG, rest @ ..] => {
                let (shard_id, len) = varint::read_u64(rest)?;
                (shard_id as i32, &rest[len..])
            }
            _ => (0, after_shape),
        };
        // Offset, size and checksum, each if it is not 0.
        let mut rest = after;
        for tag in [0x20, 0x28] {
            if let [first, value @ ..] = rest
                && *first == tag
            {
                rest = &value[varint::read_u64(value)?.1..];
            }
        }
        matches!(rest, [0x35, _, _, _, _] | []).then_some(RawEntry {
            bytes,
            shard_id,
            around: Some((before, after)),
            is_partitioned: false,
        })
    }

    #[cold]
    fn read_any(bytes: &'a [u8]) -> Result<Self> {
        let (mut shard_id, mut count, mut is_partitioned) = (0, 0, false);
        let mut before_end = 0;
        let mut after_start = None;
        for field in Message::new(bytes).fields() {
            let field = field?;
            let start = field.offset() as usize;
            match (field.number(), field.value()) {
                (SHARD_ID, Value::Varint(value)) => {
                    (shard_id, count) = (value as i32, count + 1);
                    before_end = start;
                    after_start = Some(start + field.raw().len());
                }
                (SLICES, Value::Bytes(_)) => is_partitioned = true,
                (1 | 2, _) if after_start.is_none() => before_end = start + field.raw().len(),
                _ => {}
            }
        }
        let around = (count < 2).then(|| {
            let after = after_start.unwrap_or(before_end);
            (&bytes[..before_end], &bytes[after..])
        });
        Ok(RawEntry {
            bytes,
            shard_id,
            around,
            is_partitioned,
        })
    }

    pub(crate) fn shard_id(&self) -> i32 {
        self.shard_id
    }

    /// Says whether the entry is that of a partitioned tensor as a whole.
    pub(crate) fn is_partitioned(&self) -> bool {
        self.is_partitioned
    }

    /// Appends the entry with another number of its shard.
    pub(crate) fn write_with_shard(&self, shard: u32, out: &mut Vec<u8>) -> Result<()> {
        if i64::from(shard) == i64::from(self.shard_id) {
            out.extend_from_slice(self.bytes);
            return Ok(());
        }
        let Some((before, after)) = self.around else {
            return Err(Error::malformed("the entry names its shard more than once"));
        };
        out.extend_from_slice(before);
        if shard != 0 {
            out.push(SHARD_ID_TAG);
            varint::write_u64(out, shard.into());
        }
        out.extend_from_slice(after);
        Ok(())
    }

    /// Appends the slices of a partitioned tensor as they stand in the entry.
    pub(crate) fn write_slices(&self, out: &mut Vec<u8>) -> Result<()> {
        for field in Message::new(self.bytes).fields() {
            let field = field?;
            if field.number() == SLICES {
                out.extend_from_slice(field.raw());
            }
        }
        Ok(())
    }

    pub(crate) fn decode(&self) -> Result<BundleEntry> {
        BundleEntry::decode(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: [u8; 18] = [
        0x08, 0x01, // FLOAT
        0x12, 0x04, 0x12, 0x02, 0x08, 0x02, // shape [2]
        0x20, 0x07, // offset
        0x28, 0x08, // size
        0x35, 0x3d, 0x33, 0xc8, 0xf4, // checksum
        0x00, // room for the tests
    ];

    fn renumbered(entry: &[u8], shard: u32) -> Vec<u8> {
        let mut out = Vec::new();
        let entry = RawEntry::read(entry).unwrap();
        entry.write_with_shard(shard, &mut out).unwrap();
        out
    }

    #[test]
    fn the_shard_gets_another_number_and_all_else_stays() {
        let plain = &ENTRY[..17];
        let in_300 = [&plain[..8], &[0x18, 0xac, 0x02], &plain[8..]].concat();
        assert_eq!(renumbered(plain, 0), plain);
        assert_eq!(renumbered(plain, 300), in_300);
        assert_eq!(renumbered(&in_300, 300), in_300);
        assert_eq!(renumbered(&in_300, 0), plain);
        assert_eq!(RawEntry::read(&in_300).unwrap().shard_id(), 300);

        // A field of next year, and a slice.
        let more = [
            plain,
            &[0x3a, 0x04, 0x0a, 0x02, 0x10, 0x02, 0x7a, 0x01, 0x05],
        ]
        .concat();
        let more_in_300 = [&more[..8], &[0x18, 0xac, 0x02], &more[8..]].concat();
        assert_eq!(renumbered(&more, 300), more_in_300);
        assert_eq!(renumbered(&more_in_300, 0), more);
        let entry = RawEntry::read(&more).unwrap();
        let mut slices = Vec::new();
        entry.write_slices(&mut slices).unwrap();
        assert!(entry.is_partitioned() && !RawEntry::read(plain).unwrap().is_partitioned());
        assert_eq!(slices, [0x3a, 0x04, 0x0a, 0x02, 0x10, 0x02]);

        // Fields out of order.
        let odd = [&plain[8..], &plain[..8]].concat();
        let odd_in_1 = [&odd[..], &[0x18, 0x01]].concat();
        assert_eq!(renumbered(&odd, 1), odd_in_1);
        assert_eq!(renumbered(&odd_in_1, 0), odd);
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        assert!(RawEntry::read(&ENTRY).is_err());
        assert!(RawEntry::read(&ENTRY[..16]).is_err());
        let twice = [&ENTRY[..17], &[0x18, 0x01, 0x18, 0x02]].concat();
        let entry = RawEntry::read(&twice).unwrap();
        assert_eq!(entry.shard_id(), 2);
        assert!(entry.write_with_shard(0, &mut Vec::new()).is_err());
        assert!(RawEntry::read(&[]).is_ok_and(|entry| entry.shard_id() == 0));
    }
}
