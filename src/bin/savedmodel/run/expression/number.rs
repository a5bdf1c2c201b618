use super::Value;

/// Reads a number at the beginning of a text, with its length, in all forms of Python
/// (`Parser/tokenizer.c`); integers up to 2^127.
pub(super) fn read(text: &str) -> Result<(usize, Value), String> {
    let (length, value) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => radix(text, 16)?,
        [b'0', b'o' | b'O', ..] => radix(text, 8)?,
        [b'0', b'b' | b'B', ..] => radix(text, 2)?,
        _ => decimal(text)?,
    };
    let behind = text.get(length..).and_then(|behind| behind.chars().next());
    match behind {
        Some(c) if c.is_alphanumeric() || c == '_' => {
            Err(format!("a number with `{c}` right behind it"))
        }
        _ => Ok((length, value)),
    }
}

fn radix(text: &str, radix: u32) -> Result<(usize, Value), String> {
    let mut length = 2;
    let mut value = 0i128;
    let bytes = text.as_bytes();
    loop {
        let skip = usize::from(bytes.get(length) == Some(&b'_'));
        let digit = bytes.get(length + skip).copied().map(char::from);
        let Some(digit) = digit.and_then(|digit| digit.to_digit(radix)) else {
            break;
        };
        length += skip + 1;
        value = value
            .checked_mul(radix.into())
            .and_then(|value| value.checked_add(digit.into()))
            .ok_or_else(too_large)?;
    }
    match length {
        2 => Err(format!("no digits of base {radix}")),
        _ => Ok((length, Value::Int(value))),
    }
}

fn too_large() -> String {
    "an integer of more than 127 bits".to_owned()
}

fn decimal(text: &str) -> Result<(usize, Value), String> {
    let bytes = text.as_bytes();
    let whole = digits(bytes, 0);
    let mut length = whole;
    let mut is_float = false;
    if bytes.get(length) == Some(&b'.') {
        is_float = true;
        length = digits(bytes, length + 1);
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let start = length + 1 + sign;
        let end = digits(bytes, start);
        if end == start {
            return Err("an exponent without digits".to_owned());
        }
        is_float = true;
        length = end;
    }
    let plain: String = text.chars().take(length).filter(|c| *c != '_').collect();
    if matches!(bytes.get(length), Some(b'j' | b'J')) {
        return Ok((length + 1, Value::Complex([0.0, float(&plain)?])));
    }
    if is_float {
        return Ok((length, Value::Float(float(&plain)?)));
    }
    if plain.len() > 1 && plain.starts_with('0') && plain.bytes().any(|digit| digit != b'0') {
        return Err("an integer with zeros before it; one of base 8 begins with 0o".to_owned());
    }
    plain
        .parse()
        .map(|value| (length, Value::Int(value)))
        .map_err(|_| too_large())
}

fn float(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

/// Returns where digits, which may have one `_` between two, end.
fn digits(bytes: &[u8], start: usize) -> usize {
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut at = start;
    while is_digit(at) || (at > start && bytes.get(at) == Some(&b'_') && is_digit(at + 1)) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_all_forms() {
        for (text, value) in [
            ("0", Value::Int(0)),
            ("00_0", Value::Int(0)),
            ("1_000", Value::Int(1000)),
            ("0x_fF", Value::Int(255)),
            ("0o17", Value::Int(15)),
            ("0b1_1", Value::Int(3)),
            ("1.", Value::Float(1.0)),
            (".5", Value::Float(0.5)),
            ("1_0.0_5e-1_0", Value::Float(10.05e-10)),
            ("007.5", Value::Float(7.5)),
            ("1e999", Value::Float(f64::INFINITY)),
            ("2j", Value::Complex([0.0, 2.0])),
            ("08J", Value::Complex([0.0, 8.0])),
            ("1.5e1j", Value::Complex([0.0, 15.0])),
        ] {
            assert_eq!(read(text), Ok((text.len(), value)), "{text}");
        }
        assert_eq!(read("1,2").unwrap().0, 1);
        assert_eq!(read("1.2.3").unwrap().0, 3);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "01",
            "1__0",
            "1_",
            "0x",
            "0x_",
            "0b2",
            "0o8",
            "1e",
            "1e+",
            "1a",
            "1.e",
            "0xg",
            "1_a",
            "99999999999999999999999999999999999999999",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
