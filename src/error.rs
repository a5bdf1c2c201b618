use std::convert::Infallible;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Says what is wrong, in which file, at which byte and for which tensor or key.
///
/// The floors of the crate each add what they know: the table reader knows the byte offset, the
/// bundle reader the tensor's key, the store the file. What was said first, closest to the fault,
/// stays. An `Error` is one pointer wide.
///
/// ```
/// # use savedmodel::{BundleReader, ErrorKind};
/// let error = BundleReader::open("no/such/variables").unwrap_err();
/// assert!(matches!(error.kind(), ErrorKind::NotFound { .. }));
/// assert!(error.to_string().starts_with("no/such/variables.index: "));
/// ```
pub struct Error(Box<Context>);

struct Context {
    kind: ErrorKind,
    path: Option<PathBuf>,
    offset: Option<u64>,
    key: Option<Box<[u8]>>,
    remedy: Option<String>,
}

/// What went wrong, split by who has to act on it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system, or the caller's own store, refused an operation.
    #[error("{source}")]
    Io {
        /// What the operating system said.
        source: io::Error,
    },
    /// A file, key or other named thing does not exist.
    #[error("{what} not found{}", Near(.near))]
    NotFound {
        /// What was looked for.
        what: String,
        /// Names that exist and look alike, best first; empty where none does.
        near: Vec<String>,
    },
    /// The bytes of a file contradict the format.
    #[error("{what}")]
    Malformed {
        /// What the format requires and what was found instead.
        what: String,
    },
    /// Bytes do not have the checksum that is stored for them. Both values are unmasked.
    #[error("checksum mismatch in {what}: stored {stored:#010x}, computed {computed:#010x}")]
    ChecksumMismatch {
        /// What the checksum covers.
        what: String,
        /// The CRC-32C in the file, with its masking undone.
        stored: u32,
        /// The CRC-32C of the bytes that are there.
        computed: u32,
    },
    /// The file is of a kind or version, or needs an operation, that this crate does not have.
    #[error("{what}")]
    Unsupported {
        /// What is not supported.
        what: String,
    },
    /// The caller asked for something that cannot be.
    #[error("{what}")]
    InvalidArgument {
        /// Which argument, and why not.
        what: String,
    },
    /// TensorFlow's library, which runs models, refused (feature `tf-runtime`).
    #[error("TensorFlow says {}: {}", code_name(*.code), Lines(.message))]
    Runtime {
        /// The number of its status, as in `tensorflow/c/tf_status.h`: 3 is `INVALID_ARGUMENT`.
        code: i32,
        /// What it says, in one or several lines.
        message: String,
    },
    /// A limit that keeps hostile files from taking the machine's memory was reached.
    #[error("{what}: {size} exceeds the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size.
        size: u64,
        /// The largest that is accepted.
        limit: u64,
    },
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Error(Box::new(Context {
            kind,
            path: None,
            offset: None,
            key: None,
            remedy: None,
        }))
    }

    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Error::new(ErrorKind::Malformed { what: what.into() })
    }

    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Error::new(ErrorKind::Unsupported { what: what.into() })
    }

    pub(crate) fn invalid_argument(what: impl Into<String>) -> Self {
        Error::new(ErrorKind::InvalidArgument { what: what.into() })
    }

    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Error::new(ErrorKind::NotFound {
            what: what.into(),
            near: Vec::new(),
        })
    }

    /// Says that nothing is called `wanted`, and which of `names` look like it.
    pub(crate) fn not_found_among(
        what: impl Into<String>,
        wanted: &str,
        names: impl IntoIterator<Item = String>,
    ) -> Self {
        Error::new(ErrorKind::NotFound {
            what: what.into(),
            near: nearest(wanted, names, ""),
        })
    }

    /// Adds the byte offset in the file, unless a lower floor knew it better.
    pub(crate) fn at(mut self, offset: u64) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// Makes an offset that counts from `start` of a part count from the start of the whole.
    pub(crate) fn shifted(mut self, start: u64) -> Self {
        self.0.offset = Some(self.0.offset.unwrap_or(0).saturating_add(start));
        self
    }

    /// Adds the tensor or table key, unless a lower floor knew it better.
    pub(crate) fn for_key(mut self, key: &[u8]) -> Self {
        self.0.key.get_or_insert_with(|| key.into());
        self
    }

    /// Adds the file, unless a lower floor knew it better.
    pub(crate) fn in_file(mut self, path: impl AsRef<Path>) -> Self {
        self.0.path.get_or_insert_with(|| path.as_ref().to_owned());
        self
    }

    /// Adds what the user can do about it, unless a lower floor knew it better.
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy.get_or_insert_with(|| remedy.into());
        self
    }

    /// Adds what the user can do about it, in place of what a floor said that knew less.
    pub(crate) fn better_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// Returns the same error once more; `None` for one that the next try may not meet.
    pub(crate) fn again(&self) -> Option<Self> {
        let kind = match &self.0.kind {
            ErrorKind::Malformed { what } => ErrorKind::Malformed { what: what.clone() },
            ErrorKind::Unsupported { what } => ErrorKind::Unsupported { what: what.clone() },
            ErrorKind::ChecksumMismatch {
                what,
                stored,
                computed,
            } => ErrorKind::ChecksumMismatch {
                what: what.clone(),
                stored: *stored,
                computed: *computed,
            },
            ErrorKind::TooLarge { what, size, limit } => ErrorKind::TooLarge {
                what: what.clone(),
                size: *size,
                limit: *limit,
            },
            ErrorKind::Io { .. }
            | ErrorKind::NotFound { .. }
            | ErrorKind::InvalidArgument { .. }
            | ErrorKind::Runtime { .. } => return None,
        };
        Some(Error(Box::new(Context {
            kind,
            path: self.0.path.clone(),
            offset: self.0.offset,
            key: self.0.key.clone(),
            remedy: self.0.remedy.clone(),
        })))
    }

    /// Takes the byte offset away, where what it counts from is not known.
    pub(crate) fn without_offset(mut self) -> Self {
        self.0.offset = None;
        self
    }

    /// Returns what went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Returns the file it went wrong in, if it concerns one.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Returns the byte offset in [`path`](Self::path), if it concerns one place.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// Returns the tensor key concerned. Keys are arbitrary bytes.
    pub fn key(&self) -> Option<&[u8]> {
        self.0.key.as_deref()
    }

    /// Returns what can be done about it, where that is not plain from the message.
    pub fn help(&self) -> Option<&str> {
        self.0.remedy.as_deref().or(match self.0.kind {
            ErrorKind::ChecksumMismatch { .. } => Some(
                "the bytes changed after they were written: copy the file again from its source",
            ),
            _ => None,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.0.path {
            write!(f, "{}: ", Printable(&*path.to_string_lossy()))?;
        }
        if let Some(offset) = self.0.offset {
            write!(f, "at byte {offset}: ")?;
        }
        if let Some(key) = &self.0.key {
            write!(f, "key `{}`: ", Printable(key))?;
        }
        write!(f, "{}", self.0.kind)?;
        match self.help() {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// Shows the message: it is what `fn main() -> Result<()>` prints.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.kind {
            ErrorKind::Io { source } => Some(source),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        // One of ours may come through a reader.
        let source = match source.downcast::<Error>() {
            Ok(error) => return error,
            Err(source) => source,
        };
        Error::new(match source.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound {
                what: "file".to_owned(),
                near: Vec::new(),
            },
            _ => ErrorKind::Io { source },
        })
    }
}

/// Lets an argument that is already of the wanted type stand where a conversion may fail.
impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Shows the near names of a `NotFound` as a question.
struct Near<'a>(&'a [String]);

impl fmt::Display for Near<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            [names @ .., last] => {
                f.write_str("; did you mean ")?;
                for name in names {
                    write!(f, "`{}`, ", Printable(name))?;
                }
                write!(f, "`{}`?", Printable(last))
            }
        }
    }
}

/// Returns the name of a status code, one of those of gRPC.
fn code_name(code: i32) -> &'static str {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    let name = usize::try_from(code).ok().and_then(|code| NAMES.get(code));
    name.copied().unwrap_or("an unknown code")
}

/// Shows a text of several lines as such, each of them escaped as [`Printable`] does.
struct Lines<'a>(&'a str);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, line) in self.0.trim_end().split('\n').enumerate() {
            let separator = if i == 0 { "" } else { "\n  " };
            write!(f, "{separator}{}", Printable(line))?;
        }
        Ok(())
    }
}

/// Shows text from a file with its control and other invisible characters escaped, because they
/// can rewrite what a terminal shows, and with bytes that are no text escaped.
pub(crate) struct Printable<'a, T: ?Sized>(pub(crate) &'a T);

impl<T: AsRef<[u8]> + ?Sized> fmt::Display for Printable<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.as_ref().utf8_chunks() {
            // Quotes and backslashes are harmless, and common in names.
            for part in chunk.valid().split_inclusive(['\'', '"', '\\']) {
                let text = part.trim_end_matches(['\'', '"', '\\']);
                write!(f, "{}{}", text.escape_debug(), &part[text.len()..])?;
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// So many near names are told.
pub(crate) const MAX_NEAR: usize = 3;
/// Comparing two names takes as many steps as the product of their lengths; a search takes so many.
const MAX_STEPS: usize = 500_000_000;
/// How alike two names must be, from 0 (not at all) to 1 (equal).
const ALIKE: f64 = 0.8;

/// Returns the names that come closest to one that is not there, best first. People leave out the
/// beginning of names with slashes, and `ending`.
pub(crate) fn nearest(
    wanted: &str,
    names: impl IntoIterator<Item = String>,
    ending: &str,
) -> Vec<String> {
    let mut steps = MAX_STEPS;
    let mut scored: Vec<(f64, String)> = names
        .into_iter()
        .filter_map(|name| {
            let stem = name.strip_suffix(ending).unwrap_or(&name);
            let last = stem.rsplit('/').next().unwrap_or(stem);
            let score = if stem.ends_with(wanted) && !wanted.is_empty() {
                1.0
            } else {
                steps = steps.checked_sub(3 * name.len().saturating_mul(wanted.len()))?;
                [&name, stem, last]
                    .map(|part| strsim::jaro_winkler(part, wanted))
                    .into_iter()
                    .fold(0.0, f64::max)
            };
            (score >= ALIKE).then_some((score, name))
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored.truncate(MAX_NEAR);
    scored.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_files_cannot_steer_a_terminal() {
        assert_eq!(
            Printable("größe 模型 \x1b[2J\u{202e}'\"\\").to_string(),
            "größe 模型 \\u{1b}[2J\\u{202e}'\"\\"
        );
        let error = Error::not_found("file").in_file("a\nb");
        assert_eq!(error.to_string(), "a\\nb: file not found");
        // Marks that belong to the letter before them, as in Thai or Hindi, are none of that.
        assert_eq!(Printable("ที่ e\u{301}").to_string(), "ที่ e\u{301}");
    }

    #[test]
    fn keys_are_shown_as_text() {
        let error = Error::malformed("bad entry");
        let shown = error
            .for_key(b"\xe6\xa8\xa1\xe5\x9e\x8b/\xff\x1b")
            .to_string();
        assert_eq!(shown, "key `模型/\\xff\\u{1b}`: bad entry");
    }

    #[test]
    fn the_innermost_context_stays() {
        let error = Error::malformed("bad block")
            .at(7)
            .at(9)
            .for_key(b"w")
            .for_key(b"x")
            .in_file("a.index")
            .in_file("b.index");
        assert_eq!(error.to_string(), "a.index: at byte 7: key `w`: bad block");
    }

    #[test]
    fn offsets_shift_from_part_to_whole() {
        assert_eq!(Error::malformed("x").at(7).shifted(100).offset(), Some(107));
        assert_eq!(Error::malformed("x").shifted(100).offset(), Some(100));
    }

    #[test]
    fn near_names_become_a_question() {
        let error = Error::new(ErrorKind::NotFound {
            what: "tensor".into(),
            near: vec!["kernel".into(), "bias".into()],
        })
        .for_key(b"kernal\0");
        assert_eq!(
            error.to_string(),
            "key `kernal\\0`: tensor not found; did you mean `kernel`, `bias`?"
        );
    }

    #[test]
    fn what_tensorflow_says_keeps_its_lines() {
        let error = Error::new(ErrorKind::Runtime {
            code: 3,
            message: "bad\x1b[2J input\n\t [[node]]\n".to_owned(),
        });
        assert_eq!(
            error.to_string(),
            "TensorFlow says INVALID_ARGUMENT: bad\\u{1b}[2J input\n  \\t [[node]]"
        );
        assert_eq!(
            (code_name(17), code_name(-1)),
            ("an unknown code", "an unknown code")
        );
    }

    #[test]
    fn an_error_is_one_word() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
