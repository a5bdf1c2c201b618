//! Ordered code: numbers and strings written so that their bytes sort as their values do.
//!
//! The keys under which the pieces of a partitioned tensor stand in the index are made of it
//! (TensorFlow: `tensorflow/core/lib/strings/ordered_code.cc`, `util/saved_tensor_slice_util.cc`).

/// Appends an unsigned number: how many bytes it needs, then those, the most significant first.
pub(crate) fn write_unsigned(out: &mut Vec<u8>, value: u64) {
    let zeros = value.leading_zeros() as usize / 8;
    out.push(8 - zeros as u8);
    out.extend_from_slice(&value.to_be_bytes()[zeros..]);
}

/// Appends a string: 00 and ff are escaped, 00 01 ends it.
pub(crate) fn write_string(out: &mut Vec<u8>, string: &[u8]) {
    for &byte in string {
        match byte {
            0x00 => out.extend_from_slice(&[0x00, 0xff]),
            0xff => out.extend_from_slice(&[0xff, 0x00]),
            _ => out.push(byte),
        }
    }
    out.extend_from_slice(&[0x00, 0x01]);
}

/// Appends a signed number in as few bytes as hold it with its length bits.
pub(crate) fn write_signed(out: &mut Vec<u8>, value: i64) {
    let magnitude = if value < 0 { !value } else { value };
    let len = (64 - magnitude.leading_zeros() as usize) / 7 + 1;
    // The top `len` bits of the `len` bytes are flipped: they are the sign and the length.
    let bits = i128::from(value) ^ (((1i128 << len) - 1) << (7 * len));
    out.extend_from_slice(&bits.to_be_bytes()[16 - len..]);
}

/// Reads an unsigned number; returns it and what follows.
pub(crate) fn read_unsigned(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&len, rest) = bytes.split_first()?;
    if len > 8 {
        return None;
    }
    let (number, rest) = rest.split_at_checked(len.into())?;
    let value = number
        .iter()
        .fold(0, |value, &byte| (value << 8) | u64::from(byte));
    Some((value, rest))
}

/// Reads a string; returns it and what follows.
pub(crate) fn read_string(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut string = Vec::new();
    let mut rest = bytes;
    loop {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            0x00 | 0xff => {
                let (&escape, after) = rest.split_first()?;
                rest = after;
                match (byte, escape) {
                    (0x00, 0x01) => return Some((string, rest)),
                    (0x00, 0xff) | (0xff, 0x00) => string.push(byte),
                    _ => return None,
                }
            }
            _ => string.push(byte),
        }
    }
}

/// Reads a signed number; returns it and what follows.
pub(crate) fn read_signed(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let first = *bytes.first()?;
    let negative = first < 0x80;
    let flip = if negative { 0xff } else { 0x00 };
    let len = match (first ^ flip).leading_ones() as usize {
        8 => match (*bytes.get(1)? ^ flip).leading_ones() as usize {
            more @ 0..=2 => 8 + more,
            _ => return None,
        },
        len => len,
    };
    let (number, rest) = bytes.split_at_checked(len)?;
    let mut bits: i128 = if negative { -1 } else { 0 };
    for &byte in number {
        bits = (bits << 8) | i128::from(byte);
    }
    let value = bits ^ (((1i128 << len) - 1) << (7 * len));
    Some((i64::try_from(value).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        out.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn unsigned_numbers() {
        for (value, expected) in [
            (0, "00"),
            (1, "0101"),
            (127, "017f"),
            (256, "020100"),
            (1 << 32, "050100000000"),
            (u64::MAX, "08ffffffffffffffff"),
        ] {
            assert_eq!(hex(|out| write_unsigned(out, value)), expected);
            let mut out = Vec::new();
            write_unsigned(&mut out, value);
            assert_eq!(read_unsigned(&out), Some((value, &[][..])));
        }
        assert_eq!(read_unsigned(&[9, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(read_unsigned(&[2, 0]), None);
    }

    #[test]
    fn signed_numbers() {
        for (value, expected) in [
            (0, "80"),
            (1, "81"),
            (63, "bf"),
            (64, "c040"),
            (128, "c080"),
            (300, "c12c"),
            (8191, "dfff"),
            (8192, "e02000"),
            (65535, "e0ffff"),
            (1048576, "f0100000"),
            (1 << 34, "fc0400000000"),
            (1 << 48, "ff01000000000000"),
            (1 << 55, "ff8080000000000000"),
            (1 << 62, "ffc04000000000000000"),
            (i64::MAX, "ffc07fffffffffffffff"),
            (-1, "7f"),
            (-64, "40"),
            (-65, "3fbf"),
            (-8192, "2000"),
            (-8193, "1fdfff"),
            (i64::MIN, "003f8000000000000000"),
        ] {
            assert_eq!(hex(|out| write_signed(out, value)), expected, "{value}");
            let mut out = Vec::new();
            write_signed(&mut out, value);
            assert_eq!(read_signed(&out), Some((value, &[][..])), "{value}");
        }
    }

    #[test]
    fn signed_numbers_sort_as_their_bytes() {
        let mut values: Vec<i64> = (0..64)
            .flat_map(|bit| [1 << bit, !(1 << bit), (1i64 << bit).wrapping_sub(1)])
            .collect();
        values.sort_unstable();
        values.dedup();
        let keys: Vec<Vec<u8>> = values
            .iter()
            .map(|&value| {
                let mut out = Vec::new();
                write_signed(&mut out, value);
                out
            })
            .collect();
        assert!(keys.is_sorted());
    }

    #[test]
    fn strings() {
        let mut out = Vec::new();
        write_string(&mut out, b"a\0b\xff");
        assert_eq!(out, b"a\0\xffb\xff\0\0\x01");
        out.push(7);
        assert_eq!(read_string(&out), Some((b"a\0b\xff".to_vec(), &[7][..])));
        assert_eq!(read_string(b"abc"), None);
        assert_eq!(read_string(b"abc\0"), None);
        assert_eq!(read_string(b"abc\0\x02"), None);
    }

    #[test]
    fn damaged_numbers_are_refused() {
        for bytes in [
            &[][..],
            &[0xc0],
            &[0x3f],
            &[0xff],
            &[0xff, 0xe0],
            &[0x00, 0x00],
        ] {
            assert_eq!(read_signed(bytes), None, "{bytes:x?}");
        }
    }
}
