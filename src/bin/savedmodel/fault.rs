use std::borrow::Cow;
use std::io::{self, Write};

use savedmodel::{Error, ErrorKind};
use serde::Serialize;

use crate::json;
use crate::text::Escaped;

/// A name as documents have it: if it is no text, escaped and with its bytes beside it.
#[derive(Serialize)]
pub(crate) struct KeyText<'a> {
    key: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_bytes: Option<String>,
}

impl<'a> KeyText<'a> {
    pub(crate) fn of(key: &'a [u8]) -> Self {
        match std::str::from_utf8(key) {
            Ok(text) => KeyText {
                key: text.into(),
                key_bytes: None,
            },
            Err(_) => KeyText {
                key: Escaped(key).to_string().into(),
                key_bytes: Some(key.iter().map(|byte| format!("{byte:02x}")).collect()),
            },
        }
    }

    /// Writes the members, without the braces of an object.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(b"\"key\": ")?;
        json::string(out, &self.key)?;
        match &self.key_bytes {
            Some(hex) => write!(out, ", \"key_bytes\": \"{hex}\""),
            None => Ok(()),
        }
    }
}

/// What is wrong, as documents have it.
#[derive(Serialize)]
pub(crate) struct Fault<'a> {
    kind: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(flatten)]
    key: Option<KeyText<'a>>,
}

impl<'a> Fault<'a> {
    pub(crate) fn of(error: &'a Error) -> Self {
        Fault {
            kind: kind(error),
            message: error.kind().to_string(),
            path: error.path().map(|path| path.to_string_lossy().into_owned()),
            offset: error.offset(),
            key: error.key().map(KeyText::of),
        }
    }
}

/// Returns the word that documents have for the kind of an error.
pub(crate) fn kind(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::Io { .. } => "io",
        ErrorKind::NotFound { .. } => "not_found",
        ErrorKind::Malformed { .. } => "malformed",
        ErrorKind::ChecksumMismatch { .. } => "checksum_mismatch",
        ErrorKind::Unsupported { .. } => "unsupported",
        ErrorKind::InvalidArgument { .. } => "invalid_argument",
        ErrorKind::TooLarge { .. } => "too_large",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_no_text_come_with_their_bytes() {
        for (key, expected) in [
            (&b"a/\"b\""[..], r#""key": "a/\"b\"""#),
            (b"a\n\x01", r#""key": "a\n\u0001""#),
            (b"a\xff\n", r#""key": "a\\xff\\n", "key_bytes": "61ff0a""#),
        ] {
            let mut out = Vec::new();
            KeyText::of(key).write(&mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
