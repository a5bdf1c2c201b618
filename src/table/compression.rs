//! Blocks compressed with snappy. The only file that speaks to the `snap` crate.

use prost::bytes::Bytes;

use crate::error::{Error, Result};

/// What one byte of snappy input can grow to: its longest copy, 64 bytes, takes three.
const MAX_EXPANSION: usize = 22;

/// Returns the block's contents from what is stored and the compression byte of its trailer.
pub(crate) fn decompress(stored: Bytes, compression: u8) -> Result<Bytes> {
    match compression {
        0 => Ok(stored),
        1 => {
            let len = snap::raw::decompress_len(&stored).map_err(corrupted)?;
            if len > stored.len().saturating_mul(MAX_EXPANSION) {
                return Err(Error::malformed(format!(
                    "a compressed block of {} bytes claims to hold {len}",
                    stored.len()
                )));
            }
            let contents = snap::raw::Decoder::new()
                .decompress_vec(&stored)
                .map_err(corrupted)?;
            Ok(contents.into())
        }
        _ => Err(Error::unsupported(format!(
            "compression {compression} of a table block is not known; TensorFlow has 0 (none) and 1 (snappy)"
        ))),
    }
}

fn corrupted(error: snap::Error) -> Error {
    Error::malformed(format!("corrupted compressed block: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn compressed_blocks_come_back() {
        let contents = b"variable ".repeat(5000);
        let stored = snap::raw::Encoder::new().compress_vec(&contents).unwrap();
        assert_eq!(decompress(stored.into(), 1).unwrap(), contents);
        assert_eq!(
            decompress(Bytes::from_static(b"abc"), 0).unwrap(),
            b"abc"[..]
        );
    }

    #[test]
    fn bombs_and_damage_are_refused() {
        // 0xffffffff7f: five bytes that promise 4 GiB.
        for stored in [
            &[0xff, 0xff, 0xff, 0xff, 0x0f, 0][..],
            &[0x05, 0x00],
            &[],
            &[0x80],
        ] {
            let error = decompress(Bytes::copy_from_slice(stored), 1).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Malformed { .. }),
                "{stored:x?}"
            );
        }
        let error = decompress(Bytes::from_static(b"abc"), 2).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }));
    }
}
