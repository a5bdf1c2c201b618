use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};

/// The file `checkpoint` in a directory of checkpoints: which there are and which is the latest.
///
/// `CheckpointState` in `tensorflow/python/training/checkpoint_state.proto`, as text. Paths are as
/// they stand in the file: relative to its directory, or absolute.
///
/// ```
/// use savedmodel::bundle::CheckpointState;
///
/// let state = CheckpointState::parse(
///     "model_checkpoint_path: \"ckpt-4\"\nall_model_checkpoint_paths: \"ckpt-4\"\n",
/// )?;
/// assert_eq!(state.model_checkpoint_path, "ckpt-4");
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CheckpointState {
    /// The prefix of the latest checkpoint.
    pub model_checkpoint_path: String,
    /// The prefixes of all checkpoints that are kept, the oldest first, the latest among them.
    pub all_model_checkpoint_paths: Vec<String>,
    /// When each of them was saved, in seconds since 1970; empty or as many as there are paths.
    pub all_model_checkpoint_timestamps: Vec<f64>,
    /// When the last one that is kept for good was saved, in seconds since 1970.
    pub last_preserved_timestamp: Option<f64>,
}

/// A file of a longer text is no list of checkpoints.
const MAX_LEN: u64 = 16 << 20;

impl CheckpointState {
    /// Reads the file `checkpoint` of a directory; `None` if there is none.
    ///
    /// # Errors
    ///
    /// `Malformed` with the offset if the file is something else, `Io` if it cannot be read.
    pub fn read(directory: impl AsRef<Path>) -> Result<Option<Self>> {
        let path = directory.as_ref().join("checkpoint");
        let in_file = |error: Error| error.in_file(&path);
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.len() > MAX_LEN => {
                return Err(in_file(Error::malformed(format!(
                    "a list of checkpoints of {} bytes",
                    metadata.len()
                ))));
            }
            Ok(metadata) if metadata.is_file() => {}
            _ => return Ok(None),
        }
        let bytes = std::fs::read(&path).map_err(|error| in_file(error.into()))?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            in_file(Error::malformed("the text is not UTF-8").at(error.valid_up_to() as u64))
        })?;
        Self::parse(text).map(Some).map_err(in_file)
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    ///
    /// `Malformed` with the offset.
    pub fn parse(text: &str) -> Result<Self> {
        let mut state = CheckpointState::default();
        let mut parser = Parser { text, position: 0 };
        while let Some((start, name)) = parser.field_name()? {
            match name {
                "model_checkpoint_path" => state.model_checkpoint_path = parser.string()?,
                "all_model_checkpoint_paths" => {
                    state.all_model_checkpoint_paths.push(parser.string()?);
                }
                "all_model_checkpoint_timestamps" => {
                    state.all_model_checkpoint_timestamps.push(parser.number()?);
                }
                "last_preserved_timestamp" => {
                    state.last_preserved_timestamp = Some(parser.number()?);
                }
                _ => {
                    return Err(Error::malformed(format!(
                        "a list of checkpoints has no field `{name}`"
                    ))
                    .at(start as u64));
                }
            }
        }
        Ok(state)
    }
}

/// Returns the prefix of the latest checkpoint in a directory, as its `checkpoint` file says;
/// `None` without such a file.
///
/// An absolute path, as TensorFlow 1 wrote, is taken to mean a file of that name in the directory
/// itself if there is one: checkpoints are often moved. `tf.train.latest_checkpoint` follows any.
///
/// # Errors
///
/// What [`CheckpointState::read`] answers, and `InvalidArgument` if the path leads out of the
/// directory: open that checkpoint by its own name.
pub fn latest_checkpoint(directory: impl AsRef<Path>) -> Result<Option<PathBuf>> {
    let directory = directory.as_ref();
    let Some(state) = CheckpointState::read(directory)? else {
        return Ok(None);
    };
    let path = Path::new(&state.model_checkpoint_path);
    let Some(name) = path.file_name() else {
        return Ok(None);
    };
    let inside = path
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if inside {
        return Ok(Some(directory.join(path)));
    }
    let mut index = name.to_owned();
    index.push(".index");
    if directory.join(index).is_file() {
        return Ok(Some(directory.join(name)));
    }
    Err(Error::invalid_argument(format!(
        "the latest checkpoint, {:?}, is not in this directory",
        state.model_checkpoint_path
    ))
    .in_file(directory.join("checkpoint"))
    .remedy("name the checkpoint itself"))
}

/// The part of protobuf's text format that four scalar fields need.
struct Parser<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    fn fault(&self, what: &str) -> Error {
        Error::malformed(what).at(self.position as u64)
    }

    fn skip_space(&mut self) {
        loop {
            let trimmed = self.rest().trim_ascii_start();
            self.position = self.text.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            self.position += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    /// Reads a field's name and the colon behind it; returns where it starts. `None` at the end.
    fn field_name(&mut self) -> Result<Option<(usize, &'a str)>> {
        self.skip_space();
        if self.rest().starts_with([',', ';']) {
            self.position += 1;
            self.skip_space();
        }
        if self.rest().is_empty() {
            return Ok(None);
        }
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let name = &rest[..end];
        let after = rest[end..].trim_ascii_start();
        if name.is_empty() || !after.starts_with(':') {
            return Err(self.fault("this is no list of checkpoints: no `name: value`"));
        }
        let start = self.position;
        self.position = self.text.len() - after.len() + 1;
        self.skip_space();
        Ok(Some((start, name)))
    }

    fn number(&mut self) -> Result<f64> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| c.is_ascii_whitespace() || matches!(c, ',' | ';' | '#'))
            .unwrap_or(rest.len());
        let number = rest[..end].trim_end_matches(['f', 'F']);
        let number = number.parse().map_err(|_| self.fault("not a number"))?;
        self.position += end;
        Ok(number)
    }

    /// Reads one quoted string, or several in a row, which are one.
    fn string(&mut self) -> Result<String> {
        let mut bytes = Vec::new();
        let mut quote = self.quote();
        if quote.is_none() {
            return Err(self.fault("not a quoted string"));
        }
        while let Some(mark) = quote {
            self.position += 1;
            self.quoted(mark, &mut bytes)?;
            let end = self.position;
            self.skip_space();
            quote = self.quote();
            if quote.is_none() {
                self.position = end;
            }
        }
        String::from_utf8(bytes).map_err(|_| self.fault("a path that is not UTF-8"))
    }

    fn quote(&self) -> Option<char> {
        self.rest()
            .chars()
            .next()
            .filter(|c| matches!(c, '"' | '\''))
    }

    /// Reads up to the closing mark and over it.
    fn quoted(&mut self, mark: char, out: &mut Vec<u8>) -> Result<()> {
        loop {
            let c = self.next_char()?;
            match c {
                _ if c == mark => return Ok(()),
                '\n' => return Err(self.fault("a string goes beyond its line")),
                '\\' => self.escape(out)?,
                _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let c = self.next_char()?;
        let byte = match c {
            'n' => b'\n',
            't' => b'\t',
            'r' => b'\r',
            'a' => 0x07,
            'b' => 0x08,
            'f' => 0x0c,
            'v' => 0x0b,
            '\\' | '\'' | '"' | '?' => c as u8,
            'x' | 'X' => self.digits(16, 2)?,
            '0'..='7' => {
                self.position -= 1;
                self.digits(8, 3)?
            }
            _ => return Err(self.fault("no such escape in a string")),
        };
        out.push(byte);
        Ok(())
    }

    fn digits(&mut self, radix: u32, most: usize) -> Result<u8> {
        let digits = self
            .rest()
            .chars()
            .take(most)
            .take_while(|c| c.is_digit(radix));
        let len = digits.count();
        let value = u32::from_str_radix(&self.rest()[..len], radix).ok();
        let byte = value.and_then(|value| u8::try_from(value).ok());
        let byte = byte.ok_or_else(|| self.fault("no byte of that number"))?;
        self.position += len;
        Ok(byte)
    }

    fn next_char(&mut self) -> Result<char> {
        let c = self
            .rest()
            .chars()
            .next()
            .ok_or_else(|| self.fault("a string has no end"))?;
        self.position += c.len_utf8();
        Ok(c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tensorflow_writes() {
        let state = CheckpointState::parse(
            "model_checkpoint_path: \"ckpt-4\"\n\
             all_model_checkpoint_paths: \"ckpt-3\"\n\
             all_model_checkpoint_paths: \"ckpt-4\"\n\
             all_model_checkpoint_timestamps: 1785200000.25\n\
             all_model_checkpoint_timestamps: 1.7852e+09\n\
             last_preserved_timestamp: 1785199999\n",
        )
        .unwrap();
        assert_eq!(state.model_checkpoint_path, "ckpt-4");
        assert_eq!(state.all_model_checkpoint_paths, ["ckpt-3", "ckpt-4"]);
        assert_eq!(
            state.all_model_checkpoint_timestamps,
            [1785200000.25, 1785200000.0]
        );
        assert_eq!(state.last_preserved_timestamp, Some(1785199999.0));
    }

    #[test]
    fn what_the_text_format_allows() {
        let path = |text: &str| CheckpointState::parse(text).unwrap().model_checkpoint_path;
        assert_eq!(
            path("# a comment\nmodel_checkpoint_path : 'a\\'b' \"c\" # and another"),
            "a'bc"
        );
        assert_eq!(
            path("model_checkpoint_path: \"gr\\303\\266\\xc3\\x9fe\\n\""),
            "größe\n"
        );
        assert_eq!(
            path("model_checkpoint_path:\"a\", last_preserved_timestamp:1;"),
            "a"
        );
        assert_eq!(path(""), "");
    }

    #[test]
    fn what_is_no_list_of_checkpoints() {
        for (text, offset) in [
            ("<html>", 0),
            ("model_checkpoint_path \"a\"", 0),
            ("model_checkpoint_path: a", 23),
            ("model_checkpoint_path: \"a", 25),
            ("model_checkpoint_path: \"a\\q\"", 27),
            ("model_checkpoint_path: \"\\777\"", 25),
            ("model_checkpoint_path: \"\\xff\"", 29),
            ("last_preserved_timestamp: soon", 26),
            ("other: 1", 0),
        ] {
            let error = CheckpointState::parse(text).unwrap_err();
            assert_eq!(error.offset(), Some(offset), "{text}");
        }
    }
}
