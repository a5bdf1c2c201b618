use std::borrow::Cow;
use std::fmt::{self, Write};
use std::ops::Add;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Shows text with what a terminal could act on escaped: control characters, marks that turn the
/// direction of writing, and bytes that are no text.
pub(crate) struct Escaped<'a>(pub(crate) &'a [u8]);

/// Shows text as [`Escaped`] does, in quotes, so that it can be told where it ends.
pub(crate) struct Quoted<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(f, self.0, &[])
    }
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write_escaped(f, self.0, &['"', '\\'])?;
        f.write_char('"')
    }
}

fn write_escaped(f: &mut fmt::Formatter<'_>, bytes: &[u8], also: &[char]) -> fmt::Result {
    // Nearly all names are such, and nothing in them is to be looked for.
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !also.contains(&char::from(*byte));
    if bytes.iter().all(is_plain)
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return f.write_str(text);
    }
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.find(|c| is_unsafe(c) || also.contains(&c)) {
            let (plain, found) = rest.split_at(at);
            f.write_str(plain)?;
            let mut chars = found.chars();
            match chars.next() {
                Some(c @ '\0'..='\x7f') if !matches!(c, '\t' | '\r' | '\n' | '"' | '\\') => {
                    write!(f, "\\x{:02x}", c as u32)?;
                }
                Some(c) => write!(f, "{}", c.escape_default())?,
                None => {}
            }
            rest = chars.as_str();
        }
        f.write_str(rest)?;
        for byte in chunk.invalid() {
            write!(f, "\\x{byte:02x}")?;
        }
    }
    Ok(())
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns how many columns of a terminal a text takes.
pub(crate) fn width(text: &str) -> usize {
    match text.is_ascii() {
        true => text.len(),
        false => text.width(),
    }
}

/// How most keys of variables end, and so the first that goes.
const VALUE_OF_VARIABLE: &str = "/.ATTRIBUTES/VARIABLE_VALUE";

/// Cuts a text that takes more than so many columns: a sentence at its end, a name in its middle, as
/// names differ at both ends.
pub(crate) fn elided(text: &str, room: usize) -> Cow<'_, str> {
    if width(text) <= room {
        return text.into();
    }
    if let Some(stem) = text.strip_suffix(VALUE_OF_VARIABLE) {
        return elided(stem, room.saturating_sub(2))
            .into_owned()
            .add("/…")
            .into();
    }
    let room = room.saturating_sub(1);
    let tail = match text.contains(' ') {
        true => 0,
        false => room / 2,
    };
    // Returns how many bytes fit into the columns.
    let fitting = |chars: &mut dyn Iterator<Item = char>, mut columns: usize| {
        let mut bytes = 0;
        for c in chars {
            match columns.checked_sub(c.width().unwrap_or(0)) {
                Some(left) => columns = left,
                None => break,
            }
            bytes += c.len_utf8();
        }
        bytes
    };
    let head = fitting(&mut text.chars(), room - tail);
    let tail = fitting(&mut text.chars().rev(), tail);
    format!("{}…{}", &text[..head], &text[text.len() - tail..]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut() {
        for (text, room, cut) in [
            ("layer/kernel", 12, "layer/kernel"),
            ("layer/kernel", 7, "lay…nel"),
            ("in one place", 7, "in one…"),
            ("模型模型模型", 6, "模…型"),
            ("layer/w/.ATTRIBUTES/VARIABLE_VALUE", 20, "layer/w/…"),
            ("layer/w/.ATTRIBUTES/VARIABLE_VALUE", 7, "la…/w/…"),
            ("layer", 1, "…"),
            ("layer", 0, "…"),
        ] {
            assert_eq!(elided(text, room), cut);
        }
    }

    #[test]
    fn nothing_reaches_the_terminal_raw() {
        let text = b"a\"\\\n\x1b[31m\xc2\x85\xe2\x80\xae\xff\xf0\x9f\xa6\x80\0";
        assert_eq!(
            Quoted(text).to_string(),
            "\"a\\\"\\\\\\n\\x1b[31m\\u{85}\\u{202e}\\xff🦀\\x00\""
        );
        assert_eq!(Escaped(b"C:\\\"x\"\r").to_string(), "C:\\\"x\"\\r");
    }

    #[test]
    fn width_is_in_columns() {
        assert_eq!(
            (width("kernel"), width("模型"), width("e\u{301}")),
            (6, 4, 1)
        );
    }
}
