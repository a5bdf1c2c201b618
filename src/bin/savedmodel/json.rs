use std::io::{self, Write};

/// Writes a string with its quotes.
pub(crate) fn string(out: &mut impl Write, text: &str) -> io::Result<()> {
    serde_json::to_writer(out, text).map_err(io::Error::from)
}

/// Writes a floating-point number; what JSON has no number for as a string.
pub(crate) fn float(out: &mut impl Write, value: f64) -> io::Result<()> {
    match special(value) {
        Some(name) => write!(out, "\"{name}\""),
        None => write!(out, "{value:?}"),
    }
}

/// Returns the name of a value that is not finite.
pub(crate) fn special(value: f64) -> Option<&'static str> {
    match value {
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        _ if value.is_nan() => Some("NaN"),
        _ => None,
    }
}

/// Writes a floating-point number, or `null` where there is none.
pub(crate) fn optional_float(out: &mut impl Write, value: Option<f64>) -> io::Result<()> {
    match value {
        Some(value) => float(out, value),
        None => out.write_all(b"null"),
    }
}

/// Writes bytes as a string of hexadecimal digits.
pub(crate) fn hex(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(b"\"")?;
    for byte in bytes {
        write!(out, "{byte:02x}")?;
    }
    out.write_all(b"\"")
}

/// Writes a list of what `item` writes.
pub(crate) fn list<W: Write, T>(
    out: &mut W,
    items: impl IntoIterator<Item = T>,
    mut item: impl FnMut(&mut W, T) -> io::Result<()>,
) -> io::Result<()> {
    out.write_all(b"[")?;
    for (i, value) in items.into_iter().enumerate() {
        if i > 0 {
            out.write_all(b", ")?;
        }
        item(out, value)?;
    }
    out.write_all(b"]")
}
