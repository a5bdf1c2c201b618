use super::descr::Descr;
use super::literal::Literal;
use crate::error::{Error, ErrorKind, Result};
use crate::tensor::Shape;

pub(super) const MAGIC: [u8; 6] = *b"\x93NUMPY";
/// Magic, version and the length of the longest kind of header.
pub(super) const LONGEST_PREAMBLE: usize = 12;
/// numpy reads 10,000 bytes unless told otherwise; a shape of 254 dimensions takes 5,000.
const MAX_HEADER: u64 = 64 << 10;
/// The elements begin at a multiple of this.
const ALIGNMENT: usize = 64;
/// numpy leaves room for the outermost dimension to grow to so many digits.
const GROWTH_DIGITS: usize = 21;

/// What stands before the elements.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Header {
    pub(super) descr: Descr,
    /// The `descr` as Python shows it.
    pub(super) descr_text: String,
    /// Whether the first index varies fastest.
    pub(super) fortran_order: bool,
    pub(super) shape: Shape,
}

/// Where the header's text begins and ends: what the first bytes of a file say.
///
/// # Errors
///
/// `Malformed` if they are not those of such a file, `Unsupported` for a version that this crate
/// does not know, `TooLarge` for an absurd header.
pub(super) fn text_range(start: &[u8]) -> Result<(usize, usize)> {
    if !start.starts_with(&MAGIC) {
        return Err(Error::malformed("not a numpy file: it does not begin with \\x93NUMPY").at(0));
    }
    let (text, length) = match start[MAGIC.len()..] {
        [1, 0, a, b, ..] => (10, u32::from(u16::from_le_bytes([a, b]))),
        [2 | 3, 0, a, b, c, d, ..] => (12, u32::from_le_bytes([a, b, c, d])),
        [1..=3, 0, ..] | [] | [_] => {
            return Err(Error::malformed("the file ends in its first bytes").at(start.len() as u64));
        }
        [major, minor, ..] => {
            return Err(Error::unsupported(format!(
                "version {major}.{minor} of numpy's format, where 1.0, 2.0 and 3.0 are known"
            ))
            .at(MAGIC.len() as u64));
        }
    };
    if u64::from(length) > MAX_HEADER {
        return Err(Error::new(ErrorKind::TooLarge {
            what: "the header of an array".to_owned(),
            size: length.into(),
            limit: MAX_HEADER,
        })
        .at(8));
    }
    Ok((text, text + length as usize))
}

impl Header {
    /// Reads the header's text. Offsets in errors count from its start.
    pub(super) fn parse(text: &[u8]) -> Result<Header> {
        // Latin-1 in the earlier versions, UTF-8 in the last: in either, what is not ASCII can only
        // be in the name of a structure's field, of which we read none. Bytes stay where they are.
        let ascii = |byte: &u8| {
            if byte.is_ascii() {
                char::from(*byte)
            } else {
                '?'
            }
        };
        let text: String = text.iter().map(ascii).collect();
        let Literal::Dict(parts) = Literal::parse(&text)? else {
            return Err(Error::malformed("the array's header is no dict").at(0));
        };
        let part = |name: &str| {
            let found = parts.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value).ok_or_else(|| {
                Error::malformed(format!("the array's header has no `{name}`")).at(0)
            })
        };
        let descr = part("descr")?;
        let Literal::Boolean(fortran_order) = *part("fortran_order")? else {
            return Err(Error::malformed("`fortran_order` is neither True nor False").at(0));
        };
        let shape = shape(part("shape")?).map_err(|error| error.at(0))?;
        if parts.len() != 3 {
            return Err(Error::malformed("the array's header has more than three keys").at(0));
        }
        Ok(Header {
            descr: Descr::parse(descr).map_err(|error| error.at(0))?,
            descr_text: match descr {
                Literal::Text(text) => text.clone(),
                other => other.repr(),
            },
            fortran_order,
            shape,
        })
    }

    /// Returns the bytes of all elements in the file; `None` where they are not of one size.
    pub(super) fn payload_len(&self) -> Result<Option<u64>> {
        let Some(size) = self.descr.item_size() else {
            return Ok(None);
        };
        match self.shape.elements().checked_mul(size as u64) {
            Some(length) => Ok(Some(length)),
            None => Err(Error::malformed(format!(
                "an array of shape {} and elements of {size} bytes is longer than any file",
                self.shape
            ))),
        }
    }
}

fn shape(literal: &Literal) -> Result<Shape> {
    let bad = || Error::malformed("`shape` is not a tuple of numbers");
    let Literal::Tuple(dims) = literal else {
        return Err(bad());
    };
    let dims = dims
        .iter()
        .map(|dim| match dim {
            Literal::Integer(dim) => i64::try_from(*dim).map_err(|_| bad()),
            _ => Err(bad()),
        })
        .collect::<Result<Vec<i64>>>()?;
    Shape::stored(&dims)
}

/// Returns everything before the elements of a row-major array, as `np.save` writes it; `descr` is
/// Python's text of it.
pub(super) fn encode(descr: &str, shape: &Shape) -> Vec<u8> {
    let dims: Vec<String> = shape.dims().iter().map(u64::to_string).collect();
    let tuple = match &dims[..] {
        [one] => format!("({one},)"),
        dims => format!("({})", dims.join(", ")),
    };
    let mut text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {tuple}, }}");
    if let Some(first) = dims.first() {
        text.extend(std::iter::repeat_n(' ', GROWTH_DIGITS - first.len()));
    }
    let unpadded = MAGIC.len() + 4 + text.len() + 1;
    // A whole unit where nothing is missing.
    let padding = ALIGNMENT - unpadded % ALIGNMENT;
    text.extend(std::iter::repeat_n(' ', padding));
    text.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    // 254 dimensions of 20 digits are far from the end of 16 bits.
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::descr::ByteOrder;
    use super::*;
    use crate::tensor::DType;

    #[test]
    fn a_header_byte_by_byte() {
        let bytes = encode("'<f4'", &Shape::new(&[2, 3]).unwrap());
        let mut expected = b"\x93NUMPY\x01\x00".to_vec(); // magic, version
        expected.extend([0x76, 0]); // 118 bytes of text
        expected.extend(b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }");
        expected.resize(127, b' ');
        expected.push(b'\n');
        assert_eq!(bytes, expected);
        assert_eq!(text_range(&bytes).unwrap(), (10, 128));
        let header = Header::parse(&bytes[10..]).unwrap();
        assert_eq!(header.descr_text, "<f4");
        let order = ByteOrder::Little;
        let dtype = DType::FLOAT;
        assert_eq!(header.descr, Descr::Numbers { dtype, order });
        assert_eq!(header.shape.dims(), [2, 3]);
        assert_eq!(header.payload_len().unwrap(), Some(24));
    }

    #[test]
    fn other_versions_have_longer_lengths() {
        assert_eq!(
            text_range(b"\x93NUMPY\x02\x00\x10\x00\x00\x00").unwrap(),
            (12, 28)
        );
        assert_eq!(
            text_range(b"\x93NUMPY\x03\x00\x00\x01\x00\x00").unwrap(),
            (12, 268)
        );
        for (start, message) in [
            (&b"\x93NUMP"[..], "at byte 0: not a numpy file"),
            (b"PK\x03\x04\x14\0\0\0\0\0", "at byte 0: not a numpy file"),
            (b"\x93NUMPY", "at byte 6: the file ends"),
            (b"\x93NUMPY\x01\x00\x10", "at byte 9: the file ends"),
            (b"\x93NUMPY\x02\x00\x10\x00", "at byte 10: the file ends"),
            (b"\x93NUMPY\x04\x00\x10\x00", "at byte 6: version 4.0"),
            (b"\x93NUMPY\x01\x01\x10\x00", "at byte 6: version 1.1"),
            (
                b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
                "at byte 8: the header",
            ),
        ] {
            let error = text_range(start).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn what_is_not_ascii_moves_no_offset() {
        let text = b"{'descr': [('\xff\xfe', '<f4')], 'fortran_order': False, 'shape': (1,)}";
        let header = Header::parse(text).unwrap();
        assert_eq!(header.descr_text, "[('??', '<f4')]");
        let error = Header::parse(b"{'\xff\xff\xff\xff': !}").unwrap_err();
        assert_eq!(error.offset(), Some(9));
    }

    #[test]
    fn a_header_has_three_parts() {
        for text in [
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': '<f4', 'shape': (1,)}",
            "{'fortran_order': False, 'shape': (1,)}",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': 1}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}",
            "('<f4', False, (1,))",
        ] {
            let error = Header::parse(text.as_bytes()).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Malformed { .. }),
                "{text}"
            );
        }
    }
}
