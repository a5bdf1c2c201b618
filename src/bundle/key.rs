use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use crate::error::Printable;
use crate::tensor::{Extent, TensorSlice};
use crate::wire::ordered_code;

/// The name of a tensor in a bundle: any bytes, nearly always UTF-8.
///
/// Shown with [`Display`](fmt::Display) it is the text, with invisible characters and bytes that are
/// no text escaped, so that it is safe on a terminal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<[u8]>);

impl Key {
    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the text, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl From<&[u8]> for Key {
    fn from(bytes: &[u8]) -> Self {
        Key(bytes.into())
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Key(text.as_bytes().into())
    }
}

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq<str> for Key {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other.as_bytes()
    }
}

impl PartialEq<&str> for Key {
    fn eq(&self, other: &&str) -> bool {
        *self.0 == *other.as_bytes()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&Printable(&self.0).to_string())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// Returns the key under which one piece of a partitioned tensor stands
/// (`EncodeTensorNameSlice` in `tensorflow/core/util/saved_tensor_slice_util.cc`).
pub(crate) fn piece_key(name: &[u8], slice: &TensorSlice) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len() + 8 + 4 * slice.rank());
    ordered_code::write_unsigned(&mut key, 0);
    ordered_code::write_string(&mut key, name);
    ordered_code::write_unsigned(&mut key, slice.rank() as u64);
    for extent in slice.extents() {
        let (start, length) = match *extent {
            Extent::Full => (0, -1),
            // Beyond `i64` no piece can be stored, so none will be found there.
            Extent::Range { start, length } => (
                start.try_into().unwrap_or(i64::MAX),
                length.try_into().unwrap_or(i64::MAX),
            ),
        };
        ordered_code::write_signed(&mut key, start);
        ordered_code::write_signed(&mut key, length);
    }
    key
}

/// Returns the name of the partitioned tensor and the slice, if a key has the form of a piece's.
pub(crate) fn read_piece_key(key: &[u8]) -> Option<(Vec<u8>, TensorSlice)> {
    let (0, rest) = ordered_code::read_unsigned(key)? else {
        return None;
    };
    let (name, rest) = ordered_code::read_string(rest)?;
    let (rank, mut rest) = ordered_code::read_unsigned(rest)?;
    let mut extents = Vec::new();
    for _ in 0..rank {
        let (start, after) = ordered_code::read_signed(rest)?;
        let (length, after) = ordered_code::read_signed(after)?;
        rest = after;
        extents.push(match length {
            -1 => Extent::Full,
            _ => Extent::Range {
                start: start.try_into().ok()?,
                length: length.try_into().ok()?,
            },
        });
    }
    rest.is_empty().then(|| (name, TensorSlice::new(extents)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_pieces() {
        for (name, slice, hex) in [
            ("v", "0,2:-", "0076000101028082807f"),
            ("a/b", "64,300:0,1", "00612f6200010102c040c12c8081"),
            ("w", "-:5,8192", "007700010102807f85e02000"),
            ("s", "", "0073000100"),
        ] {
            let slice: TensorSlice = slice.parse().unwrap();
            let key = piece_key(name.as_bytes(), &slice);
            let shown: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(shown, hex);
            assert_eq!(
                read_piece_key(&key),
                Some((name.as_bytes().to_vec(), slice))
            );
        }
        for key in [
            &b"v"[..],
            b"",
            b"\0",
            b"\0v\0\x01\x01\x01\x80",
            b"\0v\0\x01\x01\x01\x80\x82x",
        ] {
            assert_eq!(read_piece_key(key), None, "{key:?}");
        }
    }

    #[test]
    fn keys_are_shown_safely() {
        assert_eq!(
            Key::from("größe/\u{1b}[31m\n").to_string(),
            "größe/\\u{1b}[31m\\n"
        );
        assert_eq!(Key::from(&b"a\xff\0"[..]).to_string(), "a\\xff\\0");
        assert_eq!(format!("{:>4}|", Key::from("ab")), "  ab|");
    }
}
