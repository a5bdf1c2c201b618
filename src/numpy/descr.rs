use super::literal::Literal;
use crate::error::{Error, Result};
use crate::tensor::DType;

/// How elements stand in a file: what the header's `descr` says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Descr {
    /// Numbers of so many bytes that are read as one, in that order.
    Numbers { dtype: DType, order: ByteOrder },
    /// Byte strings of a fixed width, filled up with zeros.
    Bytes { width: usize },
    /// Texts of so many UTF-32 code units, filled up with zeros.
    Text { width: usize, order: ByteOrder },
    /// Bytes that numpy knows nothing of.
    Void { width: usize },
    /// Python objects, which are a pickle.
    Objects,
    /// What cannot become a tensor, and why.
    Refused { why: &'static str },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

/// Quantized types, as TensorFlow names the only field of their structure in numpy.
const QUANTIZED: [(DType, &str); 5] = [
    (DType::QINT8, "|i1"),
    (DType::QUINT8, "|u1"),
    (DType::QINT16, "<i2"),
    (DType::QUINT16, "<u2"),
    (DType::QINT32, "<i4"),
];

impl Descr {
    /// Understands a `descr`.
    ///
    /// # Errors
    ///
    /// `Malformed` if it is none that numpy writes. Types that numpy has and TensorFlow has not are
    /// [`Descr::Refused`], so that their arrays can be listed.
    pub(super) fn parse(literal: &Literal) -> Result<Descr> {
        match literal {
            Literal::Text(text) => Descr::simple(text)
                .ok_or_else(|| Error::malformed(format!("{} is no type of numpy", literal.repr()))),
            Literal::List(fields) => Ok(Descr::structure(fields)),
            _ => Err(Error::malformed(
                "the array's `descr` is neither a string nor a list",
            )),
        }
    }

    fn simple(text: &str) -> Option<Descr> {
        let (order, code) = match text.split_at_checked(1)? {
            (">", code) => (ByteOrder::Big, code),
            ("<" | "|", code) => (ByteOrder::Little, code),
            ("=", code) if cfg!(target_endian = "big") => (ByteOrder::Big, code),
            ("=", code) => (ByteOrder::Little, code),
            _ => (ByteOrder::Little, text),
        };
        let (kind, size) = code.split_at_checked(1)?;
        if kind == "O" {
            return Some(Descr::Objects);
        }
        if kind == "M" || kind == "m" {
            let why = "TensorFlow has no type of dates and times";
            return Some(Descr::Refused { why });
        }
        if size.is_empty() || size.len() > 10 || !size.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let width: usize = size.parse().ok()?;
        let dtype = match (kind, width) {
            ("S" | "a", _) => return Some(Descr::Bytes { width }),
            ("U", _) => return Some(Descr::Text { width, order }),
            ("V", _) if order == ByteOrder::Little => return Some(Descr::Void { width }),
            ("b", 1) => DType::BOOL,
            ("i", 1) => DType::INT8,
            ("i", 2) => DType::INT16,
            ("i", 4) => DType::INT32,
            ("i", 8) => DType::INT64,
            ("u", 1) => DType::UINT8,
            ("u", 2) => DType::UINT16,
            ("u", 4) => DType::UINT32,
            ("u", 8) => DType::UINT64,
            ("f", 1) => DType::FLOAT8_E5M2,
            ("f", 2) => DType::HALF,
            ("f", 4) => DType::FLOAT,
            ("f", 8) => DType::DOUBLE,
            ("c", 8) => DType::COMPLEX64,
            ("c", 16) => DType::COMPLEX128,
            ("f" | "c", 12 | 16 | 24 | 32) => {
                let why = "TensorFlow has no floating-point numbers beyond 64 bits";
                return Some(Descr::Refused { why });
            }
            _ => return None,
        };
        Some(Descr::Numbers { dtype, order })
    }

    fn structure(fields: &[Literal]) -> Descr {
        let quantized = match fields {
            [Literal::Tuple(field)] => match &field[..] {
                [Literal::Text(name), Literal::Text(kind)] => QUANTIZED.iter().find_map(|it| {
                    let plain = it.1.replace('<', ">");
                    match it.0.name() == *name {
                        true if kind == it.1 => Some((it.0, ByteOrder::Little)),
                        true if *kind == plain => Some((it.0, ByteOrder::Big)),
                        _ => None,
                    }
                }),
                _ => None,
            },
            _ => None,
        };
        match quantized {
            Some((dtype, order)) => Descr::Numbers { dtype, order },
            None => Descr::Refused {
                why: "the elements are structures of several fields",
            },
        }
    }

    /// Returns the bytes of an element in the file; `None` where they are not of one size.
    pub(super) fn item_size(&self) -> Option<usize> {
        match self {
            Descr::Numbers { dtype, .. } => dtype.size(),
            Descr::Bytes { width } | Descr::Void { width } => Some(*width),
            Descr::Text { width, .. } => width.checked_mul(4),
            Descr::Objects | Descr::Refused { .. } => None,
        }
    }
}

/// Returns the `descr` under which elements of a dtype are written, if numpy has one and they are
/// of fixed size.
pub(super) fn written(dtype: DType) -> Option<String> {
    if let Some((_, kind)) = QUANTIZED.iter().find(|(quantized, _)| *quantized == dtype) {
        return Some(format!("[('{dtype}', '{kind}')]"));
    }
    let simple = match dtype {
        DType::BOOL => "|b1",
        DType::INT8 => "|i1",
        DType::INT16 => "<i2",
        DType::INT32 => "<i4",
        DType::INT64 => "<i8",
        DType::UINT8 => "|u1",
        DType::UINT16 => "<u2",
        DType::UINT32 => "<u4",
        DType::UINT64 => "<u8",
        DType::HALF => "<f2",
        DType::FLOAT => "<f4",
        DType::DOUBLE => "<f8",
        DType::COMPLEX64 => "<c8",
        DType::COMPLEX128 => "<c16",
        _ if is_void(dtype) => match dtype.size() {
            Some(1) => "<V1",
            _ => "<V2",
        },
        _ => return None,
    };
    Some(format!("'{simple}'"))
}

/// Says whether numpy has a dtype from the package `ml_dtypes` alone. Files do not name it then: its
/// elements are `V1` or `V2`, bytes that `array.view(ml_dtypes.bfloat16)` makes numbers again.
///
/// ```
/// use savedmodel::{DType, numpy};
///
/// assert!(numpy::is_void(DType::BFLOAT16) && !numpy::is_void(DType::HALF));
/// ```
pub fn is_void(dtype: DType) -> bool {
    match dtype {
        DType::HALF | DType::FLOAT | DType::DOUBLE => false,
        _ => dtype.is_floating() || dtype.is_sub_byte(),
    }
}

/// Refuses a dtype that numpy names.
pub(super) fn check_void(dtype: DType) -> Result<()> {
    match is_void(dtype) {
        true => Ok(()),
        false => Err(Error::invalid_argument(format!(
            "numpy writes {dtype} under its own name, not as `V`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Descr> {
        Descr::parse(&Literal::parse(text).unwrap())
    }

    #[test]
    fn what_is_written_is_understood() {
        let mut void = 0;
        for dtype in DType::known() {
            let fixed = dtype.size().is_some();
            assert_eq!(written(dtype).is_some(), fixed, "{dtype}");
            let Some(text) = written(dtype) else { continue };
            let descr = parse(&text).unwrap();
            assert_eq!(descr.item_size(), dtype.size(), "{dtype}");
            match descr {
                Descr::Numbers { dtype: read, order } => {
                    assert_eq!((read, order), (dtype, ByteOrder::Little));
                }
                Descr::Void { .. } => void += 1,
                other => panic!("{dtype}: {other:?}"),
            }
        }
        assert_eq!(void, 11);
    }

    #[test]
    fn either_byte_order() {
        let numbers = |dtype, order| Descr::Numbers { dtype, order };
        for (text, descr) in [
            ("'>c16'", numbers(DType::COMPLEX128, ByteOrder::Big)),
            ("'=f4'", numbers(DType::FLOAT, ByteOrder::Little)),
            ("'f8'", numbers(DType::DOUBLE, ByteOrder::Little)),
            (
                "[('qint16', '>i2')]",
                numbers(DType::QINT16, ByteOrder::Big),
            ),
            ("'<f1'", numbers(DType::FLOAT8_E5M2, ByteOrder::Little)),
            ("'|S0'", Descr::Bytes { width: 0 }),
        ] {
            if cfg!(target_endian = "little") || !text.contains('=') {
                assert_eq!(parse(text).unwrap(), descr, "{text}");
            }
        }
    }

    #[test]
    fn other_types_are_refused_by_name() {
        for text in ["'<M8[ns]'", "'<f16'", "[('a', '<f4'), ('b', '<i4')]", "[]"] {
            assert!(
                matches!(parse(text).unwrap(), Descr::Refused { .. }),
                "{text}"
            );
        }
        for text in [
            "''",
            "'<'",
            "'<f'",
            "'<f3'",
            "'>V2'",
            "'float32'",
            "'<f+4'",
            "'<S99999999999'",
            "'é4'",
            "4",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
