use std::fmt::Write;

/// Appends bytes as Python's `repr` shows them: `b'text'`.
pub(super) fn write(out: &mut String, bytes: &[u8]) {
    let quote = match bytes.contains(&b'\'') && !bytes.contains(&b'"') {
        true => b'"',
        false => b'\'',
    };
    out.extend(['b', quote.into()]);
    for &byte in bytes {
        match byte {
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\\' => out.push_str("\\\\"),
            _ if byte == quote => out.extend(['\\', quote.into()]),
            b' '..=b'~' => out.push(byte.into()),
            // A `String` takes whatever is written to it.
            _ => drop(write!(out, "\\x{byte:02x}")),
        }
    }
    out.push(quote.into());
}
