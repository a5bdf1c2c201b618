//! Bytes as they stand in a shard ↔ tensors.

use std::io::{self, Read};

use prost::bytes::Bytes;

use super::entry::{BundleEntry, Kind};
use super::header::Endianness;
use super::shard_writer::{ReadFailure, ShardWriter};
use crate::error::{Error, ErrorKind, Result};
use crate::tensor::{DType, Shape, Strings, Tensor, TensorView};
use crate::wire::{crc, varint};

/// A tensor's bytes, with what is needed to read them.
pub(crate) struct Payload<'a> {
    pub(crate) entry: &'a BundleEntry,
    pub(crate) bytes: Bytes,
    /// The checksum of `bytes` as they are.
    pub(crate) crc: u32,
    pub(crate) endianness: Endianness,
}

impl Payload<'_> {
    /// Makes the tensor; returns it with the checksum that the entry should have.
    ///
    /// Offsets in errors count from the start of the payload.
    pub(crate) fn into_tensor(self, kind: Kind, verify: bool) -> Result<(Tensor, u32)> {
        let (dtype, shape) = (self.entry.dtype(), self.entry.shape().clone());
        match kind {
            Kind::Dense { element_size } => {
                let bytes = match swap_width(dtype, element_size, self.endianness) {
                    1 => self.bytes,
                    width => swapped(&self.bytes, width),
                };
                Ok((Tensor::from_bytes(dtype, shape, bytes)?, self.crc))
            }
            Kind::Strings => {
                let (strings, crc) =
                    read_strings(&self.bytes, shape.elements(), self.endianness, verify)?;
                Ok((arena_tensor(dtype, shape, strings)?, crc))
            }
            Kind::Variants => {
                if self.endianness == Endianness::Big {
                    return Err(Error::unsupported(
                        "variants of a bundle that was saved on a big-endian machine",
                    ));
                }
                let (variants, crc) = read_variants(&self.bytes, shape.elements(), verify)?;
                Ok((arena_tensor(dtype, shape, variants)?, crc))
            }
        }
    }
}

/// Makes a tensor of elements that have no fixed size.
pub(crate) fn arena_tensor(dtype: DType, shape: Shape, elements: Strings) -> Result<Tensor> {
    match dtype {
        DType::STRING => Tensor::from_shared_strings(shape, elements),
        _ => Tensor::from_opaque(dtype, shape, elements),
    }
}

/// Returns the width of the numbers whose bytes are in the wrong order, or 1.
pub(crate) fn swap_width(dtype: DType, element_size: usize, endianness: Endianness) -> usize {
    match endianness {
        Endianness::Little => 1,
        Endianness::Big if dtype.is_complex() => element_size / 2,
        Endianness::Big => element_size,
    }
}

fn swapped(bytes: &[u8], width: usize) -> Bytes {
    let mut copy = bytes.to_vec();
    swap_in_place(&mut copy, width);
    copy.into()
}

/// Reverses the bytes of each number.
pub(crate) fn swap_in_place(bytes: &mut [u8], width: usize) {
    if width > 1 {
        for number in bytes.chunks_exact_mut(width) {
            number.reverse();
        }
    }
}

/// Reads the lengths, their checksum and the bytes of string elements. Returns them and the
/// checksum over lengths and bytes, which is not that of the payload: a length enters it as a
/// number of four bytes, or of eight if it needs them.
fn read_strings(
    payload: &Bytes,
    elements: u64,
    endianness: Endianness,
    verify: bool,
) -> Result<(Strings, u32)> {
    if payload.is_empty() {
        // What TensorFlow takes for no elements, though it writes four bytes.
        return Ok((Strings::from_parts(Vec::new(), Bytes::new())?, 0));
    }
    // The entry was found to have a byte at least for each element.
    let mut ends = Vec::with_capacity(elements as usize);
    let mut sum = LengthSum::new(endianness);
    let (mut position, mut end) = (0, 0u64);
    for _ in 0..elements {
        let Some((length, len)) = varint::read_u64(&payload[position..]) else {
            return Err(Error::malformed("bad length of a string").at(position as u64));
        };
        position += len;
        end = match end.checked_add(length) {
            Some(end) if end <= payload.len() as u64 => end,
            _ => {
                return Err(Error::malformed(format!(
                    "a string of {length} bytes is longer than what is stored for all of them"
                ))
                .at(position as u64));
            }
        };
        ends.push(end);
        if verify {
            sum.add(length);
        }
    }
    let lengths_crc = sum.finish();
    let Some((stored, bytes)) = payload[position..].split_first_chunk::<4>() else {
        return Err(
            Error::malformed("no place for the checksum of string lengths").at(position as u64),
        );
    };
    if bytes.len() as u64 != end {
        return Err(Error::malformed(format!(
            "strings of {end} bytes in all, but {} bytes are stored for them",
            bytes.len()
        ))
        .at(position as u64 + 4));
    }
    let masked = match endianness {
        Endianness::Little => u32::from_le_bytes(*stored),
        Endianness::Big => u32::from_be_bytes(*stored),
    };
    let mut crc = 0;
    if verify {
        if crc::unmask(masked) != lengths_crc {
            return Err(Error::new(ErrorKind::ChecksumMismatch {
                what: "the lengths of the strings".to_owned(),
                stored: crc::unmask(masked),
                computed: lengths_crc,
            })
            .at(position as u64));
        }
        crc = crc::extend(crc::extend(lengths_crc, stored), bytes);
    }
    let strings = Strings::from_parts(ends, payload.slice(position + 4..))?;
    Ok((strings, crc))
}

/// The checksum of lengths, gathered so that the kernel has more than four bytes at a time.
struct LengthSum {
    endianness: Endianness,
    crc: u32,
    pending: [u8; 4096],
    len: usize,
}

impl LengthSum {
    fn new(endianness: Endianness) -> Self {
        LengthSum {
            endianness,
            crc: 0,
            pending: [0; 4096],
            len: 0,
        }
    }

    #[inline]
    fn add(&mut self, length: u64) {
        if self.len > self.pending.len() - 8 {
            self.flush();
        }
        match (u32::try_from(length), self.endianness) {
            (Ok(short), Endianness::Little) => self.push(short.to_le_bytes()),
            (Ok(short), Endianness::Big) => self.push(short.to_be_bytes()),
            (Err(_), Endianness::Little) => self.push(length.to_le_bytes()),
            (Err(_), Endianness::Big) => self.push(length.to_be_bytes()),
        }
    }

    #[inline]
    fn push<const N: usize>(&mut self, bytes: [u8; N]) {
        self.pending[self.len..self.len + N].copy_from_slice(&bytes);
        self.len += N;
    }

    fn flush(&mut self) {
        self.crc = crc::extend(self.crc, &self.pending[..self.len]);
        self.len = 0;
    }

    fn finish(mut self) -> u32 {
        self.flush();
        self.crc
    }
}

/// Reads variants: each a length, a serialized message and the checksum of all so far, in which a
/// length counts as a number of eight bytes.
fn read_variants(payload: &[u8], elements: u64, verify: bool) -> Result<(Strings, u32)> {
    let (mut ends, mut bytes) = (Vec::with_capacity(elements as usize), Vec::new());
    let mut crc = 0;
    let mut rest = payload;
    let at = |rest: &[u8]| (payload.len() - rest.len()) as u64;
    for element in 0..elements {
        let cut = |rest| {
            Error::malformed(format!("variant {element} is longer than what is stored"))
                .at(at(rest))
        };
        let (length, len) = varint::read_u64(rest).ok_or_else(|| cut(rest))?;
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| len.checked_add(length));
        let message = end
            .and_then(|end| rest.get(len..end))
            .ok_or_else(|| cut(rest))?;
        let (stored, after) = rest[len + message.len()..]
            .split_first_chunk::<4>()
            .ok_or_else(|| cut(rest))?;
        if verify {
            crc = crc::extend(crc::extend(crc, &length.to_le_bytes()), message);
            let expected = crc::unmask(u32::from_le_bytes(*stored));
            if expected != crc {
                return Err(Error::new(ErrorKind::ChecksumMismatch {
                    what: format!("variant {element}"),
                    stored: expected,
                    computed: crc,
                })
                .at(at(rest)));
            }
            crc = crc::extend(crc, stored);
        }
        bytes.extend_from_slice(message);
        ends.push(bytes.len() as u64);
        rest = after;
    }
    if !rest.is_empty() {
        return Err(Error::malformed(format!(
            "{} bytes are stored behind the last variant",
            rest.len()
        ))
        .at(at(rest)));
    }
    Ok((Strings::from_parts(ends, bytes.into())?, crc))
}

/// Writes a tensor's bytes as they stand in a shard; returns their checksum as an entry has it.
///
/// The dtype is one that bundles store.
pub(crate) fn write(tensor: &TensorView<'_>, out: &mut ShardWriter) -> io::Result<u32> {
    out.reserve(tensor.byte_len())?;
    out.start_sum(0);
    if let Some(bytes) = tensor.bytes() {
        out.write(bytes)?;
    } else if let Some(strings) = tensor.strings() {
        write_strings(strings, out)?;
    } else if let Some(variants) = tensor.opaque() {
        write_variants(variants, out)?;
    }
    Ok(out.crc())
}

/// Copies a tensor's bytes from a reader; returns their checksum.
pub(crate) fn copy(
    reader: &mut dyn Read,
    size: u64,
    is_bool: bool,
    out: &mut ShardWriter,
) -> Result<u32, ReadFailure> {
    out.reserve(size).map_err(ReadFailure::File)?;
    out.start_sum(0);
    out.write_from(reader, size, is_bool)?;
    Ok(out.crc())
}

/// Returns how many bytes [`write`] writes.
pub(crate) fn stored_len(tensor: &TensorView<'_>) -> u64 {
    let lengths = |elements: &Strings| -> u64 {
        let lengths = elements.iter().map(|element| element.len() as u64);
        lengths.map(|len| varint::len_u64(len) as u64).sum()
    };
    let around = match (tensor.strings(), tensor.opaque()) {
        (Some(strings), _) => lengths(strings) + 4,
        (_, Some(variants)) => lengths(variants) + 4 * variants.len() as u64,
        _ => 0,
    };
    tensor.byte_len() + around
}

/// The mirror of [`read_strings`].
fn write_strings(strings: &Strings, out: &mut ShardWriter) -> io::Result<()> {
    let mut sum = LengthSum::new(Endianness::Little);
    let mut varint = Vec::with_capacity(10);
    for string in strings.iter() {
        let length = string.len() as u64;
        sum.add(length);
        varint.clear();
        varint::write_u64(&mut varint, length);
        out.write_unsummed(&varint)?;
    }
    let lengths_crc = sum.finish();
    out.start_sum(lengths_crc);
    out.write(&crc::mask(lengths_crc).to_le_bytes())?;
    out.write(strings.bytes())
}

/// The mirror of [`read_variants`].
fn write_variants(variants: &Strings, out: &mut ShardWriter) -> io::Result<()> {
    let mut varint = Vec::with_capacity(10);
    for variant in variants.iter() {
        let length = variant.len() as u64;
        varint.clear();
        varint::write_u64(&mut varint, length);
        out.write_unsummed(&varint)?;
        out.sum(&length.to_le_bytes());
        out.write(variant)?;
        out.write(&crc::mask(out.crc()).to_le_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(payload: &[u8], elements: u64) -> Result<(Vec<Vec<u8>>, u32)> {
        let payload = Bytes::copy_from_slice(payload);
        let (strings, crc) = read_strings(&payload, elements, Endianness::Little, true)?;
        Ok((strings.iter().map(<[u8]>::to_vec).collect(), crc::mask(crc)))
    }

    #[test]
    fn real_string_payloads() {
        let x127 = [&[0x7f, 0x60, 0x50, 0xf7, 0x77][..], &[b'x'; 127]].concat();
        let x128 = [&[0x80, 0x01, 0x67, 0x20, 0x73, 0xa8][..], &[b'x'; 128]].concat();
        type Case<'a> = (&'a [u8], &'a [&'a [u8]], u32);
        let cases: [Case<'_>; 7] = [
            (&[0xd8, 0xea, 0x82, 0xa2], &[], 0x640c_c1f6),
            (&[0x00, 0xa6, 0x7b, 0x11, 0x3a], &[b""], 0xbe07_67bd),
            (b"\x05\xd9\xc6\x9c\x43hello", &[b"hello"], 0x29c0_e0ec),
            (
                b"\x05\x02\xb4\xa1\x05\x7fhellowo",
                &[b"hello", b"wo"],
                0xaab9_b0be,
            ),
            (&x127, &[&[b'x'; 127]], 0xd72f_7e92),
            (&x128, &[&[b'x'; 128]], 0xc8e0_8295),
            (
                b"\x00\x01\x03\xd4\xeb\x08\x25a\xff\x00b",
                &[b"", b"a", b"\xff\0b"],
                0xefb8_6d97,
            ),
        ];
        for (payload, expected, masked) in cases {
            let (values, crc) = strings(payload, expected.len() as u64).unwrap();
            assert_eq!(
                (values, crc),
                (expected.iter().map(|s| s.to_vec()).collect(), masked)
            );
        }
        assert_eq!(strings(&[], 0).unwrap().0, Vec::<Vec<u8>>::new());
    }

    #[test]
    fn many_lengths_are_summed_in_pieces() {
        let count = 5000u64;
        let mut sum = LengthSum::new(Endianness::Little);
        let mut expected = 0;
        for i in 0..count {
            let length = if i % 7 == 0 { i << 32 } else { i };
            sum.add(length);
            expected = match u32::try_from(length) {
                Ok(short) => crc::extend(expected, &short.to_le_bytes()),
                Err(_) => crc::extend(expected, &length.to_le_bytes()),
            };
        }
        assert_eq!(sum.finish(), expected);
    }

    #[test]
    fn damaged_strings_are_refused() {
        for (payload, elements) in [
            (&b"\x05\xd9\xc6\x9c\x43hell"[..], 1), // a byte short
            (b"\x05\xd9\xc6\x9c\x43helloo", 1),    // a byte more
            (b"\x05\xd9\xc6\x9c\x44hello", 1),     // checksum of the lengths
            (b"\x05\xd9\xc6", 1),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01aaaa", 1),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffaaaa", 1),
            (b"\x00\x00", 5),
        ] {
            assert!(strings(payload, elements).is_err(), "{payload:?}");
        }
    }

    #[test]
    fn variants_carry_checksums_of_their_own() {
        let mut payload = vec![2, b'a', b'b'];
        let first = crc::extend(crc::crc32c(&2u64.to_le_bytes()), b"ab");
        payload.extend(crc::mask(first).to_le_bytes());
        let summed = crc::extend(first, &crc::mask(first).to_le_bytes());
        payload.push(0);
        let second = crc::extend(summed, &0u64.to_le_bytes());
        payload.extend(crc::mask(second).to_le_bytes());
        let (variants, crc) = read_variants(&payload, 2, true).unwrap();
        assert_eq!(variants.iter().collect::<Vec<_>>(), [&b"ab"[..], b""]);
        assert_eq!(crc, crc::extend(second, &crc::mask(second).to_le_bytes()));

        assert!(read_variants(&payload, 1, true).is_err());
        for len in 0..payload.len() {
            assert!(read_variants(&payload[..len], 2, true).is_err());
            let mut damaged = payload.clone();
            damaged[len] ^= 1;
            assert!(read_variants(&damaged, 2, true).is_err(), "byte {len}");
        }
        payload[1] = b'c';
        let (unverified, _) = read_variants(&payload, 2, false).unwrap();
        assert_eq!(unverified.get(0), Some(&b"cb"[..]));
    }

    #[test]
    fn the_order_of_bytes() {
        let mut bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        swap_in_place(&mut bytes, 4);
        assert_eq!(bytes, [4, 3, 2, 1, 8, 7, 6, 5]);
        assert_eq!(swap_width(DType::COMPLEX64, 8, Endianness::Big), 4);
        assert_eq!(swap_width(DType::DOUBLE, 8, Endianness::Big), 8);
        assert_eq!(swap_width(DType::DOUBLE, 8, Endianness::Little), 1);
    }
}
