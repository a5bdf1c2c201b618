use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

use prost::Message;

use super::publication::in_file;
use crate::error::{Error, Result};
use crate::store::{PendingFile, disk};
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
///
/// After saving a checkpoint, [`update`](Self::update) makes it the latest.
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

/// How [`CheckpointState::update`] writes paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckpointPaths {
    /// Relative to the directory of the file, so that the directory can be moved, as
    /// `tf.train.CheckpointManager` writes them.
    #[default]
    Relative,
    /// Absolute ones as they are, as `tf.compat.v1.train.Saver` and
    /// `tf.compat.v1.train.update_checkpoint_state` write them.
    AsGiven,
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
    /// Makes the state of a directory with that checkpoint alone.
    pub fn new(model_checkpoint_path: impl Into<String>) -> Self {
        let model_checkpoint_path = model_checkpoint_path.into();
        CheckpointState {
            all_model_checkpoint_paths: vec![model_checkpoint_path.clone()],
            model_checkpoint_path,
            ..CheckpointState::default()
        }
    }

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

    /// Writes the file `checkpoint` of a directory, with paths as prefixes are given to a program:
    /// absolute, or relative to where it runs.
    ///
    /// The rules are those of TensorFlow (`update_checkpoint_state_internal` in
    /// `tensorflow/python/checkpoint/checkpoint_management.py`), and the file is the same, byte for
    /// byte: the latest checkpoint becomes the last of all if it is not; where `save_dir` is
    /// relative, so become relative paths, to it; where it is absolute, relative paths are taken to
    /// be relative to it already. Unlike there, an absolute path below a relative `save_dir` is
    /// made relative to it once, and not twice.
    ///
    /// ```
    /// use savedmodel::bundle::{CheckpointPaths, CheckpointState, latest_checkpoint};
    ///
    /// # let directory = std::env::temp_dir().join(format!("savedmodel-state-{}", std::process::id()));
    /// # std::fs::create_dir(&directory)?;
    /// let prefix = directory.join("ckpt-1");
    /// // … `BundleWriter::create(&prefix)`, and so on …
    /// CheckpointState::new(prefix.to_str().unwrap()).update(&directory, CheckpointPaths::Relative)?;
    ///
    /// assert_eq!(
    ///     std::fs::read_to_string(directory.join("checkpoint"))?,
    ///     "model_checkpoint_path: \"ckpt-1\"\nall_model_checkpoint_paths: \"ckpt-1\"\n"
    /// );
    /// assert_eq!(latest_checkpoint(&directory)?, Some(prefix));
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is no latest checkpoint, if it has the name of the file itself, or
    /// if timestamps are not as many as paths; and those of [`write`](Self::write).
    pub fn update(mut self, save_dir: impl AsRef<Path>, paths: CheckpointPaths) -> Result<()> {
        let save_dir = save_dir.as_ref();
        let refuse =
            |what: String| Err(Error::invalid_argument(what).in_file(save_dir.join("checkpoint")));
        if self.model_checkpoint_path.is_empty() {
            return refuse("a list of checkpoints names the latest".to_owned());
        }
        let relative = |path: &str| {
            relative_to(save_dir, Path::new(path))
                .map_err(|error| error.in_file(save_dir.join("checkpoint")))
        };
        let latest = std::iter::once(&mut self.model_checkpoint_path);
        let mut is_absolute = Vec::new();
        for path in latest.chain(&mut self.all_model_checkpoint_paths) {
            is_absolute.push(Path::new(path).is_absolute());
            if paths == CheckpointPaths::Relative && Path::new(path).is_absolute() {
                *path = relative(path)?;
            }
        }
        if self.all_model_checkpoint_paths.last() != Some(&self.model_checkpoint_path) {
            let latest = self.model_checkpoint_path.clone();
            self.all_model_checkpoint_paths.push(latest);
            is_absolute.extend(is_absolute.first().copied());
        }
        let count = self.all_model_checkpoint_paths.len();
        let timestamps = self.all_model_checkpoint_timestamps.len();
        if timestamps != 0 && timestamps != count {
            return refuse(format!("{timestamps} timestamps for {count} checkpoints"));
        }
        let latest = std::iter::once(&mut self.model_checkpoint_path);
        let all = latest.chain(&mut self.all_model_checkpoint_paths);
        for (path, is_absolute) in all.zip(is_absolute) {
            if !is_absolute && !save_dir.is_absolute() {
                *path = relative(path)?;
            }
        }
        if save_dir.join("checkpoint") == Path::new(&self.model_checkpoint_path) {
            return refuse("a checkpoint cannot have the name of the list".to_owned());
        }
        self.write(save_dir)
    }

    /// Writes the file `checkpoint` of a directory as it is, over the one that is there.
    ///
    /// It is written beside its place, synced and renamed, so that a reader, or a machine after a
    /// crash, has either the old one or the new one.
    ///
    /// # Errors
    ///
    /// `Malformed` if there is a file that is no such list, or has a field that this crate does not
    /// know: it is not overwritten. `Io` as the system has it.
    pub fn write(&self, directory: impl AsRef<Path>) -> Result<()> {
        let directory = directory.as_ref();
        Self::read(directory).map_err(|error| {
            error.remedy("it would be overwritten: move it out of the way if it is not needed")
        })?;
        let path = directory.join("checkpoint");
        let directory = disk::parent_of(&path);
        let mut file = PendingFile::create(&path).map_err(in_file(&path))?;
        file.write_all(self.to_text().as_bytes())
            .and_then(|()| file.sync())
            .map_err(in_file(&path))?;
        file.move_to(&path).map_err(in_file(&path))?;
        disk::sync_directory(directory).map_err(in_file(directory))
    }

    /// Returns the text of the file, as TensorFlow writes it.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let paths = self.all_model_checkpoint_paths.iter();
        let paths = paths.map(|path| ("all_model_checkpoint_paths", path));
        let latest = ("model_checkpoint_path", &self.model_checkpoint_path);
        let is_said = |(name, path): &(&str, &String)| *name != latest.0 || !path.is_empty();
        for (name, path) in std::iter::once(latest).filter(is_said).chain(paths) {
            text.push_str(name);
            text.push_str(": \"");
            push_escaped(&mut text, path);
            text.push_str("\"\n");
        }
        let times = self.all_model_checkpoint_timestamps.iter();
        let times = times.map(|time| ("all_model_checkpoint_timestamps", *time));
        // A protobuf field at its default is not there; minus zero is none.
        let last = self
            .last_preserved_timestamp
            .filter(|last| last.to_bits() != 0);
        let last = last.map(|last| ("last_preserved_timestamp", last));
        for (name, time) in times.chain(last) {
            text.push_str(name);
            text.push_str(": ");
            push_number(&mut text, time);
            text.push('\n');
        }
        text
    }
}

/// Escapes text as Python's `text_format` does: characters beyond ASCII stay as they are.
fn push_escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '"' | '\'' | '\\' => out.extend(['\\', c]),
            '\0'..' ' | '\x7f' => {
                let _ = write!(out, "\\{:03o}", u32::from(c)); // a string takes all
            }
            _ => out.push(c),
        }
    }
}

/// Writes a number as Python's `str` does: in as few digits as tell it apart, with an exponent below
/// -4 and from 16 on.
fn push_number(out: &mut String, number: f64) {
    let text = format!("{number:e}");
    let shown = match text.split_once('e').map(|(digits, e)| (digits, e.parse())) {
        Some((_, Ok(-4..16))) => format!("{number:?}"),
        Some((digits, Ok(exponent))) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", i32::abs(exponent))
        }
        _ => text.to_lowercase(),
    };
    out.push_str(&shown);
}

/// Returns the path from a directory to another path, by their names alone, as Python's
/// `os.path.relpath` does.
fn relative_to(directory: &Path, path: &Path) -> Result<String> {
    let parts = |path: &Path| -> Result<Vec<PathBuf>> {
        let path = match path.as_os_str().is_empty() {
            true => Path::new("."),
            false => path,
        };
        let mut parts: Vec<PathBuf> = Vec::new();
        for part in std::path::absolute(path)?.components() {
            match part {
                Component::CurDir => {}
                // Above the root is the root.
                Component::ParentDir if parts.len() <= 1 => {}
                Component::ParentDir => drop(parts.pop()),
                part => parts.push(Path::new(&part).to_owned()),
            }
        }
        Ok(parts)
    };
    let (from, to) = (parts(directory)?, parts(path)?);
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    if shared == 0 {
        return Err(Error::invalid_argument(format!(
            "no relative path leads to the checkpoint {path:?}"
        )));
    }
    let up = from[shared..].iter().map(|_| Path::new(".."));
    let relative: PathBuf = up
        .chain(to[shared..].iter().map(PathBuf::as_path))
        .collect();
    match relative.into_os_string().into_string() {
        Ok(relative) if relative.is_empty() => Ok(".".to_owned()),
        Ok(relative) => Ok(relative),
        Err(_) => Err(Error::invalid_argument(
            "the path to the checkpoint is not Unicode",
        )),
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
    // One of the first format has no index: opening it says so.
    if directory.join(index).is_file() || directory.join(name).is_file() {
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
    fn numbers_are_written_as_python_shows_them() {
        for (number, shown) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1785200000.25, "1785200000.25"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (9999999999999998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (1.25e300, "1.25e+300"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            let mut text = String::new();
            push_number(&mut text, number);
            assert_eq!(text, shown);
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let state = CheckpointState {
            model_checkpoint_path: "größe \"'\\\t\r\n\0\x1f\x7f 模型".to_owned(),
            all_model_checkpoint_paths: vec![String::new(), "b".to_owned()],
            all_model_checkpoint_timestamps: vec![0.0, 1e-300],
            last_preserved_timestamp: Some(1e22),
        };
        let text = state.to_text();
        assert!(text.contains("\\000\\037\\177"), "{text}");
        assert_eq!(CheckpointState::parse(&text).unwrap(), state);
        assert_eq!(CheckpointState::default().to_text(), "");
    }

    #[test]
    fn paths_are_relative_by_their_names() {
        for (directory, path, relative) in [
            ("/a/b", "/a/b/c", "c"),
            ("/a/b", "/a/c/d", "../c/d"),
            ("/a/b", "/a/b", "."),
            ("/", "/a/../../b", "b"),
            ("x", "x/y", "y"),
            ("x/./z/..", "y", "../y"),
            ("", "y", "y"),
        ] {
            let found = relative_to(Path::new(directory), Path::new(path)).unwrap();
            assert_eq!(Path::new(&found), Path::new(relative), "{directory} {path}");
        }
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
