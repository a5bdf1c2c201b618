use crate::error::{Error, Printable};

/// What is wrong with a text, before its place is put into words.
#[derive(Debug)]
pub(super) struct Fault {
    offset: usize,
    what: String,
    shows_line: bool,
}

/// Longer lines are cut where an error shows them: a whole file may be one line.
const MAX_SHOWN: usize = 120;

impl Fault {
    /// A fault at a byte.
    pub(super) fn new(offset: usize, what: impl Into<String>) -> Self {
        Fault {
            offset,
            what: what.into(),
            shows_line: false,
        }
    }

    /// Makes the message begin with the line it happened in.
    pub(super) fn showing_line(mut self) -> Self {
        self.shows_line = true;
        self
    }

    /// Says line, column and fault in the words of Python's parser, whose messages TensorFlow's
    /// command line tool prints.
    pub(super) fn in_text(self, text: &str) -> Error {
        let before = &text.as_bytes()[..self.offset];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let start = before
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |i| i + 1);
        let column = 1 + text[start..self.offset].chars().count();

        let place = format!("{line}:{column} : ");
        let what = if self.shows_line {
            let shown = match text.get(self.offset..) {
                None | Some("") => "",
                Some(_) => text[start..].lines().next().unwrap_or_default(),
            };
            format!("{place}'{}': {}", excerpt(shown), self.what)
        } else {
            format!("{place}{}", self.what)
        };
        // Line and name are as the text has them.
        Error::malformed(Printable(&what).to_string()).at(self.offset as u64)
    }
}

/// Cuts a text that stands in an error message.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
