use crate::error::{Error, Result};
use crate::wire::{Message, Value, varint};

/// The order of the bytes of each number in a bundle's shards.
///
/// Only the tensors' elements follow it; index and protobuf messages are little-endian always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endianness {
    /// The least significant byte first.
    Little,
    /// The most significant byte first: the bundle was saved on a machine of that kind.
    Big,
}

/// `BundleHeaderProto`, the entry under the empty key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) num_shards: u32,
    pub(crate) endianness: Endianness,
    pub(crate) producer: i32,
}

/// The version of the format that this reader knows, `kTensorBundleVersion` in
/// `tensorflow/core/util/tensor_bundle/tensor_bundle.cc`, and the oldest it still reads.
const VERSION: i32 = 1;
const MIN_PRODUCER: i32 = 0;

impl Header {
    /// What stands before the number of shards.
    pub(crate) const NUM_SHARDS_TAG: u8 = 0x08;

    /// The header of a bundle as this crate writes it.
    pub(crate) const WRITTEN: Header = Header {
        num_shards: 1,
        endianness: Endianness::Little,
        producer: VERSION,
    };

    /// Returns the bytes that TensorFlow writes for such a header.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![Self::NUM_SHARDS_TAG];
        varint::write_u64(&mut out, self.num_shards.into());
        if self.endianness == Endianness::Big {
            out.extend_from_slice(&[0x10, 0x01]);
        }
        let mut version = Vec::new();
        if self.producer != 0 {
            version.push(0x08);
            varint::write_u64(&mut version, i64::from(self.producer) as u64);
        }
        out.extend_from_slice(&[0x1a, version.len() as u8]);
        out.extend_from_slice(&version);
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let (mut num_shards, mut endianness) = (0, 0);
        let (mut producer, mut min_consumer, mut bad_consumers) = (0, 0, Vec::new());
        for field in Message::new(bytes).fields() {
            let field = field?;
            match (field.number(), field.value()) {
                // Truncation is how protobuf reads a 32-bit field.
                (1, Value::Varint(value)) => num_shards = value as i32,
                (2, Value::Varint(value)) => endianness = value as i32,
                (3, Value::Bytes(version)) => {
                    for field in Message::new(version).fields() {
                        let field = field?;
                        match (field.number(), field.value()) {
                            (1, Value::Varint(value)) => producer = value as i32,
                            (2, Value::Varint(value)) => min_consumer = value as i32,
                            (3, Value::Varint(value)) => bad_consumers.push(value as i32),
                            (3, Value::Bytes(packed)) => read_packed(packed, &mut bad_consumers)?,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if min_consumer > VERSION {
            return Err(Error::unsupported(format!(
                "the bundle asks for readers of version {min_consumer} or later, this one knows {VERSION}"
            )));
        }
        if producer < MIN_PRODUCER {
            return Err(Error::unsupported(format!(
                "the bundle was written by version {producer}, the oldest that can be read is {MIN_PRODUCER}"
            )));
        }
        if bad_consumers.contains(&VERSION) {
            return Err(Error::unsupported(format!(
                "the bundle refuses readers of version {VERSION}, which this one is"
            )));
        }
        Ok(Header {
            num_shards: match u32::try_from(num_shards) {
                Ok(count @ 1..) => count,
                _ => {
                    return Err(Error::malformed(format!(
                        "the header says there are {num_shards} shards"
                    )));
                }
            },
            endianness: match endianness {
                0 => Endianness::Little,
                1 => Endianness::Big,
                _ => {
                    return Err(Error::malformed(format!(
                        "the header says byte order {endianness}, which is neither 0 (little) nor 1 (big)"
                    )));
                }
            },
            producer,
        })
    }
}

fn read_packed(mut packed: &[u8], out: &mut Vec<i32>) -> Result<()> {
    while !packed.is_empty() {
        let Some((value, len)) = varint::read_u64(packed) else {
            return Err(Error::malformed("bad packed varint in the header"));
        };
        out.push(value as i32);
        packed = &packed[len..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_header() {
        let bytes = [
            0x08, 0x02, // num_shards 2
            0x10, 0x01, // BIG
            0x1a, 0x02, 0x08, 0x01, // version { producer 1 }
        ];
        let expected = Header {
            num_shards: 2,
            endianness: Endianness::Big,
            producer: 1,
        };
        assert_eq!(Header::decode(&bytes).unwrap(), expected);
        assert_eq!(expected.encode(), bytes);
        assert_eq!(
            Header::WRITTEN.encode(),
            [0x08, 0x01, 0x1a, 0x02, 0x08, 0x01]
        );
    }

    #[test]
    fn versions_are_minded() {
        for (version, ok) in [
            (&[0x08, 0x07][..], true),          // a later producer
            (&[], true),                        // none
            (&[0x10, 0x02], false),             // min_consumer 2
            (&[0x18, 0x01], false),             // bad_consumers 1
            (&[0x1a, 0x02, 0x05, 0x01], false), // bad_consumers 5, 1, packed
            (&[0x1a, 0x02, 0x05, 0x02], true),  // bad_consumers 5, 2, packed
            (
                &[
                    0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
                ],
                false,
            ), // -1
        ] {
            let bytes = [&[0x08, 0x01, 0x1a, version.len() as u8], version].concat();
            assert_eq!(Header::decode(&bytes).is_ok(), ok, "{version:x?}");
        }
    }

    #[test]
    fn impossible_headers() {
        for bytes in [&[][..], &[0x08, 0x00], &[0x08, 0x01, 0x10, 0x02], &[0xff]] {
            assert!(Header::decode(bytes).is_err(), "{bytes:x?}");
        }
    }
}
