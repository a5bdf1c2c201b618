use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use prost::Message;

use crate::error::{Error, Result};
use crate::store::{PendingFile, platform};
use crate::{proto, text};

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

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
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
            Err(error) if !is_absence(&error) => return Err(in_file(error.into())),
            _ => return Ok(None),
        }
        let bytes = std::fs::read(&path).map_err(|error| in_file(error.into()))?;
        Self::parse(bytes).map(Some).map_err(in_file)
    }

    /// Writes the file `checkpoint` of a directory, in place of one that is there: beside it, synced,
    /// and then moved.
    ///
    /// ```
    /// use savedmodel::bundle::{CheckpointState, latest_checkpoint};
    ///
    /// # let directory = std::env::temp_dir().join(format!("savedmodel-state-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// let mut state = CheckpointState::default();
    /// state.model_checkpoint_path = "ckpt-4".to_owned();
    /// state.all_model_checkpoint_paths = vec!["ckpt-3".to_owned(), "ckpt-4".to_owned()];
    /// state.write(&directory)?;
    /// assert_eq!(latest_checkpoint(&directory)?, Some(directory.join("ckpt-4")));
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Io` and `NotFound` as the system has them.
    pub fn write(&self, directory: impl AsRef<Path>) -> Result<()> {
        let path = directory.as_ref().join("checkpoint");
        let write = || -> io::Result<()> {
            let mut file = PendingFile::create(&path)?;
            file.write_all(self.to_text().as_bytes())?;
            file.file().sync_all()?;
            file.move_into_place()?;
            platform::sync_directory(match directory.as_ref() {
                directory if directory == Path::new("") => Path::new("."),
                directory => directory,
            })
        };
        write().map_err(|error| Error::from(error).in_file(&path))
    }

    /// Returns the text of such a file, as Python's `text_format` has it.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut put = |name: &str, value: String| text += &format!("{name}: {value}\n");
        put("model_checkpoint_path", quoted(&self.model_checkpoint_path));
        for path in &self.all_model_checkpoint_paths {
            put("all_model_checkpoint_paths", quoted(path));
        }
        for timestamp in &self.all_model_checkpoint_timestamps {
            put("all_model_checkpoint_timestamps", format!("{timestamp:?}"));
        }
        if let Some(last) = self.last_preserved_timestamp {
            put("last_preserved_timestamp", format!("{last:?}"));
        }
        text
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    ///
    /// `Malformed` with the offset.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self> {
        let bytes = text::parse(text, "tensorflow.CheckpointState")?;
        let state = proto::CheckpointState::decode(&bytes[..])
            .map_err(|error| Error::malformed(error.to_string()))?;
        let last = state.last_preserved_timestamp;
        Ok(CheckpointState {
            model_checkpoint_path: state.model_checkpoint_path,
            all_model_checkpoint_paths: state.all_model_checkpoint_paths,
            all_model_checkpoint_timestamps: state.all_model_checkpoint_timestamps,
            last_preserved_timestamp: Some(last).filter(|&last| last != 0.0),
        })
    }
}

/// A text in double quotes, with control characters of ASCII as octal numbers.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '\'' | '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted += "\\n",
            '\r' => quoted += "\\r",
            '\t' => quoted += "\\t",
            '\0'..' ' | '\x7f' => quoted += &format!("\\{:03o}", c as u32),
            c => quoted.push(c),
        }
    }
    quoted + "\""
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
    fn what_is_written_is_what_python_writes() {
        let mut state = CheckpointState {
            model_checkpoint_path: "größe 模型'\"\\\n\t\r\u{1}\u{7f}\u{200b}\u{1b}1".to_owned(),
            all_model_checkpoint_timestamps: vec![1700000000.5, 1700000000.0, 0.1],
            last_preserved_timestamp: Some(5.0),
            ..Default::default()
        };
        assert_eq!(
            state.to_text(),
            "model_checkpoint_path: \"größe 模型\\'\\\"\\\\\\n\\t\\r\\001\\177\u{200b}\\0331\"\n\
             all_model_checkpoint_timestamps: 1700000000.5\n\
             all_model_checkpoint_timestamps: 1700000000.0\n\
             all_model_checkpoint_timestamps: 0.1\n\
             last_preserved_timestamp: 5.0\n"
        );
        state.all_model_checkpoint_timestamps = vec![1e16, 1e-5, f64::MAX];
        assert_eq!(CheckpointState::parse(state.to_text()).unwrap(), state);
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
            ("model_checkpoint_path \"a\"", 22),
            ("model_checkpoint_path: a", 23),
            ("model_checkpoint_path: \"a", 23),
            ("model_checkpoint_path: \"a\\q\"", 23),
            ("model_checkpoint_path: \"\\777\"", 23),
            ("model_checkpoint_path: \"\\xff\"", 23),
            ("last_preserved_timestamp: soon", 26),
            ("other: 1", 0),
        ] {
            let error = CheckpointState::parse(text).unwrap_err();
            assert_eq!(error.offset(), Some(offset), "{text}");
        }
    }
}
