use super::fault::{Fault, excerpt};

/// A word of the text, as a range of its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum TokenKind {
    Identifier,
    /// Digits and what stands close to them; whether they are a number is for the reader to say.
    Number,
    /// With its quotation marks, the escapes not yet resolved.
    String,
    /// One character, which is this byte if it is ASCII.
    Symbol(u8),
    End,
}

/// Cuts a text into tokens, as `google/protobuf/io/tokenizer.cc` does.
pub(super) struct Lexer<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Lexer { text, position: 0 }
    }

    pub(super) fn text(&self, token: Token) -> &'a str {
        &self.text[token.start..token.end]
    }

    /// Reads the next token; at the end always `End`.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Token, Fault> {
        self.skip_space();
        let start = self.position;
        let bytes = self.text.as_bytes();
        let Some(&first) = bytes.get(start) else {
            return Ok(Token {
                kind: TokenKind::End,
                start,
                end: start,
            });
        };
        let (kind, end) = match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => (TokenKind::Identifier, self.end_of_word(start)),
            b'0'..=b'9' => (TokenKind::Number, self.end_of_number(start)),
            b'.' if bytes.get(start + 1).is_some_and(u8::is_ascii_digit) => {
                (TokenKind::Number, self.end_of_number(start))
            }
            b'"' | b'\'' => (TokenKind::String, self.end_of_string(start, first)?),
            0..0x80 => (TokenKind::Symbol(first), start + 1),
            0x80.. => {
                let len = self.text[start..].chars().next().map_or(1, char::len_utf8);
                (TokenKind::Symbol(first), start + len)
            }
        };
        self.position = end;
        Ok(Token { kind, start, end })
    }

    #[inline]
    fn skip_space(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.position) {
            match byte {
                b' ' | b'\n' | b'\t' | b'\r' | 0x0b | 0x0c => self.position += 1,
                b'#' => {
                    // C++ ends a comment at a zero byte too, and then refuses that byte.
                    let rest = &bytes[self.position..];
                    let len = rest.iter().position(|byte| matches!(byte, b'\n' | 0));
                    self.position += len.unwrap_or(rest.len());
                }
                _ => return,
            }
        }
    }

    fn end_of_word(&self, start: usize) -> usize {
        let rest = &self.text.as_bytes()[start..];
        let len = rest
            .iter()
            .position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'));
        start + len.unwrap_or(rest.len())
    }

    fn end_of_number(&self, start: usize) -> usize {
        let rest = &self.text.as_bytes()[start..];
        let mut before = 0;
        for (i, &byte) in rest.iter().enumerate() {
            let belongs = match byte {
                b'.' | b'_' => true,
                b'+' | b'-' => matches!(before, b'e' | b'E'),
                _ => byte.is_ascii_alphanumeric(),
            };
            if !belongs {
                return start + i;
            }
            before = byte;
        }
        self.text.len()
    }

    fn end_of_string(&self, start: usize, mark: u8) -> Result<usize, Fault> {
        let bytes = self.text.as_bytes();
        let mut position = start + 1;
        while let Some(&byte) = bytes.get(position) {
            match byte {
                b'\n' | 0 => break,
                _ if byte == mark => return Ok(position + 1),
                // An escaped line end is refused above, an escaped zero byte too.
                b'\\' if !matches!(bytes.get(position + 1), Some(b'\n' | 0)) => position += 2,
                _ => position += 1,
            }
        }
        let shown = excerpt(&self.text[start..position.min(bytes.len())]);
        let what = format!("String missing ending quote: {shown:?}");
        Err(Fault::new(start, what).showing_line())
    }
}

/// Appends what a string token means; refuses escapes that mean nothing.
pub(super) fn unescape(token: &str, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let mut rest = token.get(1..token.len() - 1).unwrap_or_default();
    while let Some(position) = memchr_backslash(rest.as_bytes()) {
        out.extend_from_slice(&rest.as_bytes()[..position]);
        rest = unescape_one(&rest[position + 1..], out)?;
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(())
}

#[inline]
fn memchr_backslash(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| byte == b'\\')
}

/// Resolves the escape whose text follows the backslash; returns what comes after it.
fn unescape_one<'a>(rest: &'a str, out: &mut Vec<u8>) -> Result<&'a str, &'static str> {
    let byte = match rest.as_bytes().first() {
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        Some(b'a') => 0x07,
        Some(b'b') => 0x08,
        Some(b'f') => 0x0c,
        Some(b'v') => 0x0b,
        Some(same @ (b'\\' | b'\'' | b'"' | b'?')) => *same,
        Some(b'x' | b'X') => return number(&rest[1..], 16, 1, 2, out),
        Some(b'0'..=b'7') => return number(rest, 8, 1, 3, out),
        Some(b'u') => return unicode(&rest[1..], 4, out),
        Some(b'U') => return unicode(&rest[1..], 8, out),
        _ => return Err("Invalid escape sequence in string literal."),
    };
    out.push(byte);
    Ok(&rest[1..])
}

fn number<'a>(
    rest: &'a str,
    radix: u32,
    least: usize,
    most: usize,
    out: &mut Vec<u8>,
) -> Result<&'a str, &'static str> {
    let (value, rest) = digits(rest, radix, least, most)?;
    out.push(u8::try_from(value).map_err(|_| "Escape sequence is larger than a byte.")?);
    Ok(rest)
}

fn unicode<'a>(rest: &'a str, len: usize, out: &mut Vec<u8>) -> Result<&'a str, &'static str> {
    let (mut code, mut rest) = digits(rest, 16, len, len)?;
    if let 0xd800..0xdc00 = code
        && let Some(after) = rest.strip_prefix("\\u")
        && let Ok((low @ 0xdc00..0xe000, after)) = digits(after, 16, 4, 4)
    {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        rest = after;
    }
    let c = char::from_u32(code).ok_or("Escape sequence is no Unicode character.")?;
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(rest)
}

fn digits(text: &str, radix: u32, least: usize, most: usize) -> Result<(u32, &str), &'static str> {
    let len = text
        .chars()
        .take(most)
        .take_while(|c| c.is_digit(radix))
        .count();
    if len < least {
        return Err("Expected hex digits for escape sequence.");
    }
    let value = u32::from_str_radix(&text[..len], radix);
    let value = value.map_err(|_| "Escape sequence is too large.")?;
    Ok((value, &text[len..]))
}

/// Reads a number token as an integer; `Err` with the digits if it is one beyond 64 bits.
pub(super) fn integer(token: &str) -> Option<Result<u64, &str>> {
    let (digits, radix) = match token.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&token[2..], 16),
        [b'0', _, ..] => (&token[1..], 8),
        _ => (token, 10),
    };
    let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    is_number.then(|| u64::from_str_radix(digits, radix).map_err(|_| token))
}

/// Reads a number token as a decimal number, which may end in `f`.
pub(super) fn float(token: &str) -> Option<f64> {
    if let [b'0', b'0'..=b'9', ..] = token.as_bytes() {
        return None;
    }
    let digits = token.strip_suffix(['f', 'F']).unwrap_or(token);
    // Rust reads `inf` and `nan` too, but a number token begins with a digit or a point.
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Result<Vec<&str>, Fault> {
        let mut lexer = Lexer::new(text);
        let mut all = Vec::new();
        loop {
            let token = lexer.next()?;
            if token.kind == TokenKind::End {
                return Ok(all);
            }
            all.push(lexer.text(token));
        }
    }

    #[test]
    fn words_numbers_strings_and_signs() {
        assert_eq!(
            tokens("a_1:-1.5e-3f# c\r\n<'x\\'y'\"\">\t[.5,0xfe+1]").unwrap(),
            [
                "a_1", ":", "-", "1.5e-3f", "<", "'x\\'y'", "\"\"", ">", "[", ".5", ",", "0xfe+1",
                "]"
            ]
        );
        assert_eq!(tokens("\u{feff}ö").unwrap(), ["\u{feff}", "ö"]);
        assert_eq!(tokens("# only").unwrap(), [""; 0]);
    }

    #[test]
    fn strings_end_on_their_line() {
        for text in [
            "'", "'a", "'a\n'", "'a\\", "'a\\\n'", "'\0'", "'\\\0'", "'\\'", "\"'",
        ] {
            assert!(tokens(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn escapes() {
        let text = |token: &str| {
            let mut out = Vec::new();
            unescape(token, &mut out).map(|()| out)
        };
        assert_eq!(
            text(r#"'\a\b\f\n\r\t\v\?\\\'\"'"#).unwrap(),
            b"\x07\x08\x0c\n\r\t\x0b?\\'\""
        );
        assert_eq!(
            text(r"'\0\12\1234\x1\x123\X41'").unwrap(),
            b"\0\n\x534\x01\x123A"
        );
        assert_eq!(
            text(r"'\u00f6\U0001f600\ud83d\ude00'").unwrap(),
            "ö😀😀".as_bytes()
        );
        assert_eq!(text("'ö'").unwrap(), "ö".as_bytes());
        for bad in [
            r"'\q'",
            r"'\x'",
            r"'\xg'",
            r"'\8'",
            r"'\777'",
            r"'\u12'",
            r"'\ud800'",
            r"'\U00110000'",
            r"'\ud800\u0041'",
            r"'\uö123'",
            r"'\ö'",
        ] {
            assert!(text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers() {
        for (token, value) in [
            ("0", Some(0)),
            ("17", Some(17)),
            ("017", Some(15)),
            ("0x1F", Some(31)),
            ("00", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("08", None),
            ("0x", None),
            ("0xg", None),
            ("1f", None),
            ("1.0", None),
            ("1_0", None),
            ("0o7", None),
            ("0xe+1", None),
        ] {
            assert_eq!(integer(token).map(Result::unwrap), value, "{token}");
        }
        assert!(integer("18446744073709551616").unwrap().is_err());
        for (token, value) in [
            ("0", Some(0.0)),
            ("1.", Some(1.0)),
            (".5", Some(0.5)),
            ("1f", Some(1.0)),
            ("0.5F", Some(0.5)),
            ("1e3f", Some(1000.0)),
            ("1E+3", Some(1000.0)),
            ("1e400", Some(f64::INFINITY)),
            ("01", None),
            ("0x1", None),
            ("1e", None),
            ("1ff", None),
            ("1.2.3", None),
            ("1_0", None),
        ] {
            assert_eq!(float(token), value, "{token}");
        }
    }
}
