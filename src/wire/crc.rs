//! CRC-32C, the checksum of every table block and tensor, and the mask it is stored under.
//!
//! The only file that speaks to the two checksum crates. `crc-fast` folds with AVX-512 where the
//! processor has it, and is the quicker one at every length when a sum begins; to go on with a sum
//! it needs a set-up that a few hundred bytes do not repay, which `crc32c` does without.

use crc_fast::{CrcAlgorithm, Digest};

/// From this length on the set-up of the folding kernel pays.
const LONG: usize = 1024;

/// Returns the checksum of `bytes`.
#[inline]
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// Returns the checksum of what `crc` covers followed by `bytes`.
#[inline]
pub(crate) fn extend(crc: u32, bytes: &[u8]) -> u32 {
    if bytes.len() < LONG {
        crc32c::crc32c_append(crc, bytes)
    } else {
        let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!crc));
        digest.update(bytes);
        digest.finalize() as u32
    }
}

/// Returns the checksum of A followed by B from those of A and B and the length of B.
pub(crate) fn combine(a: u32, b: u32, b_len: u64) -> u32 {
    crc_fast::checksum_combine(CrcAlgorithm::Crc32Iscsi, u64::from(a), u64::from(b), b_len) as u32
}

/// The other CRC-32, that of zip archives (polynomial 0x04c11db7), over bytes that come in pieces.
#[cfg(feature = "npz")]
#[derive(Clone, Debug)]
pub(crate) struct Crc32(Digest);

#[cfg(feature = "npz")]
impl Crc32 {
    pub(crate) fn new() -> Self {
        Crc32(Digest::new(CrcAlgorithm::Crc32IsoHdlc))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn value(&self) -> u32 {
        self.0.finalize() as u32
    }
}

#[cfg(feature = "npz")]
impl Default for Crc32 {
    fn default() -> Self {
        Crc32::new()
    }
}

const MASK_DELTA: u32 = 0xa282_ead8;

/// Turns a checksum into the form in which TensorFlow stores it beside the bytes it covers.
#[inline]
pub(crate) fn mask(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(MASK_DELTA)
}

/// Undoes [`mask`].
#[inline]
pub(crate) fn unmask(masked: u32) -> u32 {
    masked.wrapping_sub(MASK_DELTA).rotate_left(15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "npz")]
    #[test]
    fn the_checksum_of_archives() {
        let mut sum = Crc32::new();
        assert_eq!(sum.value(), 0);
        sum.update(b"1234");
        sum.update(b"56789");
        assert_eq!(sum.value(), 0xcbf4_3926);
    }

    #[test]
    fn known_values() {
        let count: Vec<u8> = (0..32).collect();
        for (bytes, crc, masked) in [
            (&b""[..], 0, 0xa282_ead8),
            (b"a", 0xc1d0_4330, 0x28e4_6e78),
            (b"123456789", 0xe306_9283, 0xc78a_b0e5),
            (&[0; 32], 0x8a91_36aa, 0x0fd7_fffa),
            (&[0xff; 32], 0x62a8_ab43, 0xf909_b029),
            (&count, 0x46dd_794e, 0x951f_7892),
        ] {
            assert_eq!(crc32c(bytes), crc);
            assert_eq!(mask(crc), masked);
            assert_eq!(unmask(masked), crc);
        }
    }

    #[test]
    fn both_kernels_agree_wherever_the_bytes_are_cut() {
        let bytes: Vec<u8> = (0..5000u32).map(|i| ((i * i) >> 3) as u8).collect();
        let whole = crc32c::crc32c(&bytes);
        assert_eq!(crc32c(&bytes), whole);
        for cut in [0, 1, 7, 255, 1023, 1024, 1025, 3000, 4999, 5000] {
            let (a, b) = bytes.split_at(cut);
            assert_eq!(extend(crc32c(a), b), whole, "cut at {cut}");
            assert_eq!(combine(crc32c(a), crc32c(b), b.len() as u64), whole);
        }
    }
}
