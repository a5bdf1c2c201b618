use prost::bytes::Bytes;

use super::object::{Object, Text};
use crate::error::{Error, Result};

/// The bytes of a pickle, and how far they were read.
pub(super) struct Code {
    bytes: Bytes,
    at: usize,
}

impl Code {
    pub(super) fn new(bytes: Bytes) -> Code {
        Code { bytes, at: 0 }
    }

    /// Returns how many bytes were read.
    pub(super) fn position(&self) -> u64 {
        self.at as u64
    }

    /// Reads so many bytes, which are shared.
    pub(super) fn take(&mut self, length: u64) -> Result<Bytes> {
        let left = self.bytes.len() - self.at;
        match usize::try_from(length) {
            Ok(length) if length <= left => {
                let start = self.at;
                self.at += length;
                Ok(self.bytes.slice(start..self.at))
            }
            _ => Err(Error::malformed(format!(
                "{length} bytes belong here, and {left} are left in the file"
            ))),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let left = self.bytes.get(self.at..).unwrap_or_default();
        let Some(word) = left.first_chunk::<N>() else {
            return Err(Error::malformed("the pickle ends before it says so"));
        };
        self.at += N;
        Ok(*word)
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn f64(&mut self) -> Result<f64> {
        self.array().map(f64::from_be_bytes)
    }

    /// Reads a length of 32 bits with a sign.
    pub(super) fn signed_length(&mut self) -> Result<u64> {
        u64::try_from(self.i32()?).map_err(|_| Error::malformed("a length below 0"))
    }

    /// Reads up to the end of the line, which is not returned.
    pub(super) fn line(&mut self) -> Result<Bytes> {
        let left = self.bytes.get(self.at..).unwrap_or_default();
        match left.iter().position(|byte| *byte == b'\n') {
            Some(length) => {
                let line = self.take(length as u64)?;
                self.at += 1;
                Ok(line)
            }
            None => Err(Error::malformed("a line without an end")),
        }
    }

    /// Reads a line of which a number is made.
    pub(super) fn number<T: std::str::FromStr>(&mut self) -> Result<T> {
        let line = self.line()?;
        let text = std::str::from_utf8(&line).unwrap_or_default().trim();
        text.parse()
            .map_err(|_| Error::malformed(format!("`{}` is no such number", shown(&line))))
    }

    /// Reads a line with a whole number, or a truth value as the first protocols have it.
    pub(super) fn integer_line(&mut self) -> Result<Object> {
        let line = self.line()?;
        let text = std::str::from_utf8(&line).unwrap_or_default().trim();
        match text {
            "00" => return Ok(Object::Bool(false)),
            "01" => return Ok(Object::Bool(true)),
            _ => {}
        }
        let digits = text.strip_suffix('L').unwrap_or(text);
        let unsigned = digits.strip_prefix('-').unwrap_or(digits);
        match digits.parse() {
            Ok(number) => Ok(Object::Int(number)),
            Err(_) if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) => {
                Err(beyond_128_bits())
            }
            Err(_) => Err(Error::malformed(format!(
                "`{}` is no whole number",
                shown(&line)
            ))),
        }
    }

    /// Reads a text of a length that was read.
    pub(super) fn text(&mut self, length: u64) -> Result<Object> {
        Text::new(self.take(length)?)
            .map(Object::Str)
            .ok_or_else(|| Error::malformed("a text that is no Unicode"))
    }
}

/// Reads a whole number: little-endian, with its sign.
pub(super) fn integer(bytes: &[u8]) -> Result<Object> {
    let fill = match bytes.last() {
        Some(0x80..) => u8::MAX,
        _ => 0,
    };
    let (number, rest) = bytes.split_at(bytes.len().min(16));
    let mut word = [fill; 16];
    word[..number.len()].copy_from_slice(number);
    let number = i128::from_le_bytes(word);
    match rest.iter().all(|byte| *byte == fill) && (number < 0) == (fill != 0) {
        true => Ok(Object::Int(number)),
        false => Err(beyond_128_bits()),
    }
}

fn beyond_128_bits() -> Error {
    Error::unsupported("a whole number beyond 128 bits")
}

/// Returns a string of Python 2, which is text where it can be.
pub(super) fn native(bytes: Bytes) -> Object {
    match bytes.is_ascii() {
        true => Text::new(bytes).map_or(Object::None, Object::Str),
        false => Object::Bytes(bytes),
    }
}

/// Reads a string of Python 2 as `repr` showed it.
pub(super) fn quoted(line: &[u8]) -> Result<Bytes> {
    let bad = || Error::malformed(format!("`{}` is no string in quotes", shown(line)));
    let line = line.trim_ascii_end();
    let inner = match line {
        [first @ (b'\'' | b'"'), inner @ .., last] if first == last => inner,
        _ => return Err(bad()),
    };
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let [byte, behind @ ..] = rest {
        rest = behind;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let [escaped, behind @ ..] = rest else {
            return Err(bad());
        };
        rest = behind;
        out.push(match escaped {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'\\' | b'\'' | b'"' => *escaped,
            b'x' => {
                let (code, behind) = hex(rest, 2).ok_or_else(bad)?;
                rest = behind;
                code as u8
            }
            _ => return Err(bad()),
        });
    }
    Ok(out.into())
}

/// Reads a text in Latin-1 with other characters as `\u` and `\U`.
pub(super) fn raw_unicode_escape(line: &[u8]) -> Result<Text> {
    let bad = || Error::malformed("a text that is no Unicode");
    let mut units = Vec::with_capacity(line.len());
    let mut rest = line;
    while let [byte, behind @ ..] = rest {
        let digits = match (byte, behind.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                units.push(u16::from(*byte));
                rest = behind;
                continue;
            }
        };
        let (code, behind) = hex(behind.get(1..).unwrap_or_default(), digits).ok_or_else(bad)?;
        rest = behind;
        match u16::try_from(code) {
            Ok(unit) => units.push(unit),
            Err(_) => {
                let c = char::from_u32(code).ok_or_else(bad)?;
                units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
            }
        }
    }
    // Python 2 wrote characters beyond 16 bits as two halves.
    let text = String::from_utf16(&units).map_err(|_| bad())?;
    Ok(text.into())
}

fn hex(text: &[u8], digits: usize) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(digits)?;
    let code = digits.iter().try_fold(0, |code: u32, digit| {
        Some(code << 4 | char::from(*digit).to_digit(16)?)
    })?;
    Some((code, rest))
}

fn shown(line: &[u8]) -> String {
    line[..line.len().min(40)].escape_ascii().to_string()
}
