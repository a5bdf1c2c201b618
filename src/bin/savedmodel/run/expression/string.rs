use super::Value;
use super::fault::{Fault, fault};

/// Reads a string or bytes literal at the beginning of a text, prefix and quotes with it, and its
/// length (`Parser/string_parser.c`).
///
/// Names of characters, `\N{...}`, are not supported: they would take all of Unicode's names.
/// Neither are halves of surrogate pairs, which no tensor can have.
pub(super) fn read(text: &str, prefix: &str) -> Result<(usize, Value), Fault> {
    let (mut is_raw, mut is_bytes) = (false, false);
    match prefix.to_ascii_lowercase().as_str() {
        "" | "u" => {}
        "r" => is_raw = true,
        "b" => is_bytes = true,
        "br" | "rb" => (is_raw, is_bytes) = (true, true),
        "f" | "fr" | "rf" => return Err(fault(0, "a string to be formatted, which is code")),
        _ => return Err(fault(0, format!("`{prefix}` before a string"))),
    }
    let quoted = text.get(prefix.len()..).unwrap_or_default();
    let quote = match quoted.get(..3) {
        Some(triple @ ("'''" | "\"\"\"")) => triple,
        _ => quoted.get(..1).unwrap_or_default(),
    };
    let start = prefix.len() + quote.len();
    let body = text.get(start..).unwrap_or_default();
    let end = end_of(body, quote).ok_or_else(|| fault(0, "a string that does not end"))?;
    let length = start + end + quote.len();
    let body = body.get(..end).unwrap_or_default();
    // As Python has lines of any file.
    let body = match body.contains('\r') {
        true => &body.replace("\r\n", "\n").replace('\r', "\n"),
        false => body,
    };
    if is_bytes && let Some(at) = body.bytes().position(|byte| !byte.is_ascii()) {
        return Err(fault(
            start + at,
            "bytes with a character that is not ASCII; write it as \\xNN",
        ));
    }
    let value = match (is_bytes, is_raw) {
        (false, true) => Value::Str(body.to_owned()),
        (true, true) => Value::Bytes(body.as_bytes().to_vec()),
        (false, false) => Value::Str(text_of(body).map_err(|error| error.shifted(start))?),
        (true, false) => Value::Bytes(bytes_of(body).map_err(|error| error.shifted(start))?),
    };
    Ok((length, value))
}

/// Returns where the closing quote is.
fn end_of(body: &str, quote: &str) -> Option<usize> {
    let bytes = body.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'\n' | b'\r' if quote.len() == 1 => return None,
            _ if bytes.get(at..)?.starts_with(quote.as_bytes()) => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// What a backslash and what follows it stand for.
enum Escape {
    /// Nothing: a line that goes on.
    Nothing,
    Code(u32),
    /// No escape: both characters stay.
    None,
}

/// Reads what follows a backslash, and how many bytes that takes.
fn escape(body: &str, at: usize) -> Result<(usize, Escape), Fault> {
    let bytes = body.as_bytes().get(at..).unwrap_or_default();
    let code = |byte: u8| (1, Escape::Code(byte.into()));
    Ok(match bytes.first() {
        Some(b'\n') => (1, Escape::Nothing),
        Some(b'\\') => code(b'\\'),
        Some(b'\'') => code(b'\''),
        Some(b'"') => code(b'"'),
        Some(b'a') => code(7),
        Some(b'b') => code(8),
        Some(b'f') => code(12),
        Some(b'n') => code(b'\n'),
        Some(b'r') => code(b'\r'),
        Some(b't') => code(b'\t'),
        Some(b'v') => code(11),
        Some(b'0'..=b'7') => {
            let digits = bytes.iter().take(3);
            let digits = digits.take_while(|byte| (b'0'..=b'7').contains(*byte));
            let (mut count, mut value) = (0, 0);
            for digit in digits {
                value = value * 8 + u32::from(digit - b'0');
                count += 1;
            }
            (count, Escape::Code(value))
        }
        Some(b'x') => (3, Escape::Code(hex(bytes, 2, at)?)),
        _ => (0, Escape::None),
    })
}

fn hex(bytes: &[u8], count: usize, at: usize) -> Result<u32, Fault> {
    bytes
        .get(1..=count)
        .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .ok_or_else(|| {
            fault(
                at,
                format!("an escape that takes {count} digits of base 16"),
            )
        })
}

fn text_of(body: &str) -> Result<String, Fault> {
    let mut text = String::with_capacity(body.len());
    let mut at = 0;
    while let Some(c) = body.get(at..).and_then(|rest| rest.chars().next()) {
        at += c.len_utf8();
        if c != '\\' {
            text.push(c);
            continue;
        }
        let bytes = body.as_bytes().get(at..).unwrap_or_default();
        let (length, escape) = match bytes.first() {
            Some(b'u') => (5, Escape::Code(hex(bytes, 4, at)?)),
            Some(b'U') => (9, Escape::Code(hex(bytes, 8, at)?)),
            Some(b'N') => {
                return Err(fault(
                    at,
                    "\\N{...} is not supported: write \\uNNNN instead",
                ));
            }
            _ => escape(body, at)?,
        };
        match escape {
            Escape::Nothing => {}
            Escape::None => text.push('\\'),
            Escape::Code(code) => text.push(
                char::from_u32(code)
                    .ok_or_else(|| fault(at, format!("{code:#x} is no character")))?,
            ),
        }
        at += length;
    }
    Ok(text)
}

fn bytes_of(body: &str) -> Result<Vec<u8>, Fault> {
    let mut all = Vec::with_capacity(body.len());
    let mut at = 0;
    while let Some(&byte) = body.as_bytes().get(at) {
        at += 1;
        if byte != b'\\' {
            all.push(byte);
            continue;
        }
        let (length, escape) = escape(body, at)?;
        match escape {
            Escape::Nothing => {}
            Escape::None => all.push(b'\\'),
            // Beyond 0o377 Python drops the ninth bit.
            Escape::Code(code) => all.push(code as u8),
        }
        at += length;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Value, Fault> {
        let prefix = text.split(['\'', '"']).next().unwrap();
        let (length, value) = read(text, prefix)?;
        assert_eq!(length, text.len(), "{text}");
        Ok(value)
    }

    #[test]
    fn strings_and_their_escapes() {
        for (text, expected) in [
            (r"''", ""),
            (r#""it's""#, "it's"),
            (
                r"'\a\b\f\n\r\t\v\\\'\x41\101\0\u00e9\U0001f600\q'",
                "\x07\x08\x0c\n\r\t\x0b\\'AA\0é😀\\q",
            ),
            (r"R'\n'", "\\n"),
            (r"r'\''", "\\'"),
            ("u'é'", "é"),
            ("'''a'b\n\"'''", "a'b\n\""),
            ("\"\"\"a\r\nb\"\"\"", "a\nb"),
            ("'a\\\nb'", "ab"),
            (r"'\777'", "\u{1ff}"),
        ] {
            assert_eq!(parse(text), Ok(Value::Str(expected.into())), "{text}");
        }
        for (text, expected) in [
            (r"b'\xff\0\u00e9\N{DASH}'", &b"\xff\0\\u00e9\\N{DASH}"[..]),
            (r"rB'\xff'", b"\\xff"),
            (r"b'\777'", b"\xff"),
        ] {
            assert_eq!(parse(text), Ok(Value::Bytes(expected.into())), "{text}");
        }
    }

    #[test]
    fn what_is_no_string_is_refused() {
        for text in [
            "f'{1}'",
            "ub'a'",
            "x'a'",
            "b'é'",
            r"'\x4'",
            r"'\u12'",
            r"'\ud800'",
            r"'\U00110000'",
            r"'\N{DASH}'",
            "'a\nb'",
            "'''a'",
            "'a\\",
        ] {
            let prefix = text.split(['\'', '"']).next().unwrap();
            assert!(read(text, prefix).is_err(), "{text}");
        }
        assert_eq!(read(r"b'ab\xz'", "b").unwrap_err().at, 5);
    }
}
