//! Base-128 varints: seven bits a byte, the least significant first, the high bit says "more".

/// Reads a varint of at most ten bytes; returns it and its length in bytes.
///
/// Longer encodings of small numbers are accepted, as TensorFlow does. A tenth byte that carries
/// bits beyond the 64th is refused.
#[inline(always)]
pub(crate) fn read_u64(bytes: &[u8]) -> Option<(u64, usize)> {
    match bytes {
        [a @ 0..0x80, ..] => Some((u64::from(*a), 1)),
        [a, b @ 0..0x80, ..] => Some((u64::from(a & 0x7f) | u64::from(*b) << 7, 2)),
        _ => read_long(bytes),
    }
}

/// Reads a varint whose value must fit 32 bits; returns it and its length in bytes.
#[inline]
pub(crate) fn read_u32(bytes: &[u8]) -> Option<(u32, usize)> {
    let (value, len) = read_u64(bytes)?;
    Some((u32::try_from(value).ok()?, len))
}

/// Appends the shortest encoding of `value`.
#[inline]
pub(crate) fn write_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Returns how many bytes [`write_u64`] appends.
#[inline]
pub(crate) fn len_u64(value: u64) -> usize {
    // Seven bits a byte; zero takes one.
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn read_long(bytes: &[u8]) -> Option<(u64, usize)> {
    if let Some(chunk) = bytes.first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let ends = !word & 0x8080_8080_8080_8080;
        if ends != 0 {
            let len = ends.trailing_zeros() as usize / 8 + 1;
            // The groups of seven bits up to the first end, drawn together by halves.
            let word = word & (ends ^ (ends - 1)) & 0x7f7f_7f7f_7f7f_7f7f;
            let word = (word & 0x007f_007f_007f_007f) | (word & 0x7f00_7f00_7f00_7f00) >> 1;
            let word = (word & 0x0000_3fff_0000_3fff) | (word & 0x3fff_0000_3fff_0000) >> 2;
            let word = (word & 0x0000_0000_0fff_ffff) | (word & 0x0fff_ffff_0000_0000) >> 4;
            return Some((word, len));
        }
    }
    let mut value = 0;
    for (i, &byte) in bytes.iter().take(10).enumerate() {
        if i == 9 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Some((value, i + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_lengths() {
        for (bytes, value) in [
            (&[0x00][..], 0),
            (&[0x7f], 127),
            (&[0x80, 0x01], 128),
            (&[0xac, 0x02], 300),
            (&[0x80, 0x80, 0x80, 0x80, 0x10], 1 << 32),
            (&[0x80, 0x00], 0),               // not minimal
            (&[0xe4, 0x80, 0x80, 0x00], 100), // not minimal
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
                u64::MAX,
            ),
        ] {
            assert_eq!(read_u64(bytes), Some((value, bytes.len())), "{bytes:x?}");
            let mut longer = bytes.to_vec();
            longer.push(0xff);
            assert_eq!(
                read_u64(&longer),
                Some((value, bytes.len())),
                "{bytes:x?} and more"
            );
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for shift in 0..64 {
            for value in [1 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                let mut out = vec![7];
                write_u64(&mut out, value);
                assert_eq!(read_u64(&out[1..]), Some((value, out.len() - 1)));
                assert_eq!(len_u64(value), out.len() - 1);
            }
        }
    }

    #[test]
    fn what_is_no_varint() {
        assert_eq!(read_u64(&[]), None);
        assert_eq!(read_u64(&[0x80]), None);
        assert_eq!(read_u64(&[0xff; 9]), None);
        assert_eq!(read_u64(&[0xff; 11]), None);
        let mut overflow = [0xff; 10];
        overflow[9] = 0x02;
        assert_eq!(read_u64(&overflow), None);
        assert_eq!(read_u32(&[0x80, 0x80, 0x80, 0x80, 0x10]), None);
        assert_eq!(
            read_u32(&[0xff, 0xff, 0xff, 0xff, 0x0f]),
            Some((u32::MAX, 5))
        );
    }
}
