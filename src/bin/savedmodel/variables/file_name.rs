//! Keys are any bytes, and come from a file that may be hostile. A key's parts between slashes
//! become directories; what a file system, any of the common ones, could take for something else is
//! written as `%` and two hexadecimal digits, so that nothing leads out of the directory and no two
//! keys to one file.

use std::collections::HashMap;
use std::fmt::Write;

/// So many bytes a part may have: 255 are common, and a file that is not complete has a longer name.
const LONGEST_PART: usize = 200;

/// Returns the file of each key as the parts of its path; why there is none if a part is too long.
///
/// Of keys whose files some systems would take for one, as `a/W` and `a/w`, capital letters are
/// written as numbers.
pub(super) fn files<'k>(
    keys: impl Iterator<Item = &'k [u8]> + Clone,
) -> Vec<Result<Vec<String>, String>> {
    let mut counts: HashMap<String, u32> = HashMap::new();
    let folded = |key: &[u8]| file(key, false).join("/").to_lowercase();
    for key in keys.clone() {
        *counts.entry(folded(key)).or_default() += 1;
    }
    keys.map(|key| {
        let is_shared = counts.get(&folded(key)).is_some_and(|count| *count > 1);
        let parts = file(key, is_shared);
        match parts.iter().map(String::len).max() {
            Some(length) if length > LONGEST_PART => Err(format!(
                "a part of the name takes {length} bytes as the name of a file, where {LONGEST_PART} are allowed"
            )),
            _ => Ok(parts),
        }
    })
    .collect()
}

fn file(key: &[u8], without_capitals: bool) -> Vec<String> {
    let mut parts: Vec<String> = key
        .split(|byte| *byte == b'/')
        .map(|part| encode(part, without_capitals))
        .collect();
    let last = parts.pop().unwrap_or_default();
    for part in &mut parts {
        // Where another key has its file.
        if let Some(at) = part.len().checked_sub(ENDING.len())
            && part.is_char_boundary(at)
            && part[at..].eq_ignore_ascii_case(ENDING)
        {
            part.replace_range(at..at + 1, "%2E");
        }
    }
    parts.push(last + ENDING);
    parts
}

const ENDING: &str = ".npy";

/// Names that are devices on Windows, with any ending.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

fn encode(part: &[u8], without_capitals: bool) -> String {
    // Not what anything else becomes: a `%` has digits behind it.
    if part.is_empty() {
        return "%".to_owned();
    }
    let mut name = String::with_capacity(part.len());
    let is_device = is_device(part);
    let mut at = 0;
    for chunk in part.utf8_chunks() {
        for c in chunk.valid().chars() {
            let is_last = at + c.len_utf8() == part.len();
            let is_odd = c.is_control()
                || is_direction(c)
                || matches!(c, '%' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
                || is_last && matches!(c, '.' | ' ')
                || at == 0 && is_device
                || without_capitals && c.is_uppercase();
            match is_odd {
                true => escape(&mut name, c.encode_utf8(&mut [0; 4]).as_bytes()),
                false => name.push(c),
            }
            at += c.len_utf8();
        }
        escape(&mut name, chunk.invalid());
        at += chunk.invalid().len();
    }
    name
}

fn escape(name: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(name, "%{byte:02X}");
    }
}

/// Says whether a character turns the direction of writing.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_device(part: &[u8]) -> bool {
    let stem = part.split(|byte| *byte == b'.').next().unwrap_or_default();
    let stem = String::from_utf8_lossy(stem).trim_end().to_lowercase();
    let is_port = || {
        let number = stem
            .strip_prefix("com")
            .or_else(|| stem.strip_prefix("lpt"));
        number.is_some_and(|number| {
            let mut digits = number.chars();
            matches!(digits.next(), Some('0'..='9' | '¹' | '²' | '³')) && digits.next().is_none()
        })
    };
    DEVICES.contains(&&*stem) || is_port()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(key: &[u8]) -> String {
        let mut all = files(std::iter::once(key));
        all.remove(0).unwrap().join("/")
    }

    #[test]
    fn nothing_leads_out_of_the_directory() {
        for (key, expected) in [
            (
                &b"dense/kernel/.ATTRIBUTES/VARIABLE_VALUE"[..],
                "dense/kernel/.ATTRIBUTES/VARIABLE_VALUE.npy",
            ),
            (b"../../etc/passwd", ".%2E/.%2E/etc/passwd.npy"),
            (b"..", ".%2E.npy"),
            (b"a/./b", "a/%2E/b.npy"),
            (b"/etc/passwd", "%/etc/passwd.npy"),
            (b"a//b/", "a/%/b/%.npy"),
            (b"C:\\x", "C%3A%5Cx.npy"),
            (b"..\\x", "..%5Cx.npy"),
            (b"a\0b\nc", "a%00b%0Ac.npy"),
            (b"50%", "50%25.npy"),
            (b"\xff\xc3", "%FF%C3.npy"),
            ("模型/é ".as_bytes(), "模型/é%20.npy"),
            ("a\u{202e}b".as_bytes(), "a%E2%80%AEb.npy"),
            (b"nul/COM1.x/con ", "%6Eul/%43OM1.x/%63on%20.npy"),
            (b"a.NPY/b", "a%2ENPY/b.npy"),
            (b"console/com10", "console/com10.npy"),
        ] {
            assert_eq!(path(key), expected);
        }
    }

    #[test]
    fn no_two_keys_lead_to_one_file() {
        // Every key of up to three of these.
        let letters = [
            &b"a"[..],
            b"A",
            b"/",
            b".",
            b"%",
            b"2",
            b"E",
            b".npy",
            b"\xff",
            b"\0",
            "é".as_bytes(),
        ];
        let mut keys: Vec<Vec<u8>> = vec![Vec::new()];
        for length in 0..3 {
            let longest: Vec<_> = keys
                .iter()
                .rev()
                .take(11usize.pow(length))
                .cloned()
                .collect();
            for key in longest {
                keys.extend(letters.map(|letter| [&key[..], letter].concat()));
            }
        }
        let files = files(keys.iter().map(|key| &key[..]));
        let paths: Vec<String> = files
            .into_iter()
            .map(|file| file.unwrap().join("/").to_lowercase())
            .collect();
        let mut seen = HashMap::new();
        for (key, path) in keys.iter().zip(&paths) {
            if let Some(other) = seen.insert(path, key) {
                assert_eq!(other, key, "{path}");
            }
            for part in path.split('/') {
                assert!(!part.is_empty() && part != "." && part != "..", "{path}");
            }
        }
        // Nor one key's file to another's directory.
        for path in &paths {
            for (at, _) in path.match_indices('/') {
                assert!(!seen.contains_key(&path[..at].to_owned()), "{path}");
            }
        }
    }

    #[test]
    fn capitals_are_written_out_where_they_matter() {
        let keys = [&b"a/W"[..], b"a/w", b"B/W"];
        let found: Vec<String> = files(keys.into_iter())
            .into_iter()
            .map(|file| file.unwrap().join("/"))
            .collect();
        assert_eq!(found, ["a/%57.npy", "a/w.npy", "B/W.npy"]);
    }

    #[test]
    fn names_that_are_too_long_are_refused() {
        let long = [b'x'; 500];
        let error = files([&long[..], b"x"].into_iter());
        assert!(error[0].as_ref().unwrap_err().contains("504"), "{error:?}");
        assert!(error[1].is_ok());
    }
}
