use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::in_file;
use super::version_naming::free_timestamp;
use crate::error::{Error, Result};
use crate::model::has_model;

/// The versions of a model in its base directory, as TensorFlow Serving sees them.
///
/// A version is what lies in the base directory under a name that is a number: an integer of 64 bits
/// with any zeros in front. Nothing else is looked at, so that a file of that name, or a directory
/// without a model, is a version that fails to load: [`ServableVersion::fault`] says so. Of two names
/// of one number the one that sorts later counts. In TensorFlow Serving:
/// `tensorflow_serving/sources/storage_path/file_system_storage_path_source.cc`.
///
/// ```
/// use savedmodel::serving::ModelVersions;
///
/// # let base = std::env::temp_dir().join(format!("savedmodel-versions-{}", std::process::id()));
/// for name in ["1", "0002", "temp-1700000000"] {
///     std::fs::create_dir_all(base.join(name))?;
/// }
/// let versions = ModelVersions::read(&base)?;
/// let numbers: Vec<i64> = versions.versions().iter().map(|version| version.number).collect();
/// assert_eq!(numbers, [1, 2]);
/// assert_eq!(versions.ignored().len(), 1);
/// # std::fs::remove_dir_all(base)?;
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelVersions {
    base: PathBuf,
    versions: Vec<ServableVersion>,
    ignored: Vec<IgnoredEntry>,
}

/// One version of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServableVersion {
    /// The number.
    pub number: i64,
    /// Where it lies; the name may have zeros in front of the number.
    pub path: PathBuf,
    /// Why it will not load, if that can be seen from outside.
    pub fault: Option<VersionFault>,
}

/// Why a version does not load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VersionFault {
    /// Something else than a directory has the name.
    NotADirectory,
    /// The directory holds no `saved_model.pb`, `saved_model.pbtxt` or `saved_model.cpb`.
    NoModel,
}

/// Something in a base directory that TensorFlow Serving does not look at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IgnoredEntry {
    /// Where it lies.
    pub path: PathBuf,
    /// Why it is ignored.
    pub reason: IgnoredReason,
}

/// Why something in a base directory is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IgnoredReason {
    /// A version that was never completed, or one that is being removed: `temp-…`.
    Unfinished,
    /// The name is no number.
    NotANumber,
    /// The name is a number of more than 64 bits.
    TooLarge,
    /// Another name, which sorts later, is the same number.
    SameNumber(
        /// The number.
        i64,
    ),
}

/// What names of directories begin with that are not to be versions yet.
pub(super) const UNFINISHED: &str = "temp-";

impl ModelVersions {
    /// Looks at what is in a base directory. What changes there later does not show.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such directory, `Io` if it cannot be read.
    pub fn read(base: impl AsRef<Path>) -> Result<Self> {
        let base = base.as_ref();
        let mut names: Vec<OsString> = Vec::new();
        for entry in fs::read_dir(base).map_err(in_file(base))? {
            names.push(entry.map_err(in_file(base))?.file_name());
        }
        names.sort();
        let (mut by_number, mut ignored) = (BTreeMap::new(), Vec::new());
        for name in names {
            let path = base.join(&name);
            match name.to_str().map_or(Name::Other, Name::parse) {
                Name::Number(number) => {
                    if let Some(before) = by_number.insert(number, path) {
                        let reason = IgnoredReason::SameNumber(number);
                        ignored.push(IgnoredEntry {
                            path: before,
                            reason,
                        });
                    }
                }
                Name::TooLarge => ignored.push(IgnoredEntry {
                    path,
                    reason: IgnoredReason::TooLarge,
                }),
                Name::Other => {
                    let is_unfinished = name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes());
                    let reason = match is_unfinished {
                        true => IgnoredReason::Unfinished,
                        false => IgnoredReason::NotANumber,
                    };
                    ignored.push(IgnoredEntry { path, reason });
                }
            }
        }
        let versions = by_number.into_iter().map(|(number, path)| ServableVersion {
            number,
            fault: fault_of(&path),
            path,
        });
        ignored.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(ModelVersions {
            base: base.to_owned(),
            versions: versions.collect(),
            ignored,
        })
    }

    /// Returns the base directory.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Returns the versions, ascending by number.
    pub fn versions(&self) -> &[ServableVersion] {
        &self.versions
    }

    /// Returns what is ignored, ascending by path.
    pub fn ignored(&self) -> &[IgnoredEntry] {
        &self.ignored
    }

    /// Returns the version of the highest number, which TensorFlow Serving takes unless it is told
    /// otherwise, also if it will not load.
    pub fn latest(&self) -> Option<&ServableVersion> {
        self.versions.last()
    }

    /// Returns the number behind the highest one, 1 where there is none.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is no higher one.
    pub fn next_version(&self) -> Result<i64> {
        let highest = self.latest().map_or(0, |version| version.number.max(0));
        highest.checked_add(1).ok_or_else(|| {
            Error::invalid_argument("the highest version has the highest number there is")
                .in_file(&self.base)
                .remedy("give it a lower one: its directory can be renamed")
        })
    }

    /// Returns the seconds since 1970, as Estimator numbers what it exports
    /// (`tensorflow/python/saved_model/model_utils/export_utils.py`). While there is a version of that
    /// number it waits for the next second, nine times at most.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if all ten numbers are taken.
    pub fn timestamp_version(&self) -> Result<i64> {
        free_timestamp(self)
    }

    pub(super) fn has(&self, number: i64) -> bool {
        let find = |version: &ServableVersion| version.number.cmp(&number);
        self.versions.binary_search_by(find).is_ok()
    }
}

/// What a name in a base directory is to TensorFlow Serving.
#[derive(Debug, PartialEq, Eq)]
enum Name {
    Number(i64),
    TooLarge,
    Other,
}

impl Name {
    /// Reads a name as `absl::SimpleAtoi` does: blanks around and a sign are no harm.
    fn parse(name: &str) -> Self {
        let text = name.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) => Name::Number(number),
            Err(_) if are_digits && !digits.is_empty() => Name::TooLarge,
            Err(_) => Name::Other,
        }
    }
}

pub(super) fn fault_of(path: &Path) -> Option<VersionFault> {
    match (path.is_dir(), has_model(path)) {
        (false, _) => Some(VersionFault::NotADirectory),
        (true, false) => Some(VersionFault::NoModel),
        (true, true) => None,
    }
}

impl fmt::Display for VersionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            VersionFault::NotADirectory => "not a directory",
            VersionFault::NoModel => "no model in it",
        })
    }
}

impl fmt::Display for IgnoredReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IgnoredReason::Unfinished => f.write_str("unfinished"),
            IgnoredReason::NotANumber => f.write_str("no number"),
            IgnoredReason::TooLarge => f.write_str("a number of more than 64 bits"),
            IgnoredReason::SameNumber(number) => {
                write!(f, "version {number} has another name, which sorts later")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::platform::TestDirectory;

    #[test]
    fn names_are_numbers_as_serving_reads_them() {
        for (name, what) in [
            ("1", Name::Number(1)),
            ("00000123", Name::Number(123)),
            ("-1", Name::Number(-1)),
            ("+7", Name::Number(7)),
            (" 8\t", Name::Number(8)),
            ("9223372036854775807", Name::Number(i64::MAX)),
            ("9223372036854775808", Name::TooLarge),
            ("-9999999999999999999", Name::TooLarge),
            ("1.0", Name::Other),
            ("v1", Name::Other),
            ("1 2", Name::Other),
            ("--1", Name::Other),
            ("٣", Name::Other),
            ("-", Name::Other),
            ("", Name::Other),
        ] {
            assert_eq!(Name::parse(name), what, "{name:?}");
        }
    }

    #[test]
    fn a_listing_says_what_serving_takes_and_what_it_ignores() {
        let directory = TestDirectory::new("versions");
        let base = directory.path();
        for name in ["1", "5", "005", "temp-9", "notes", "99999999999999999999"] {
            fs::create_dir(base.join(name)).unwrap();
        }
        fs::write(base.join("1/saved_model.pb"), "").unwrap();
        fs::write(base.join("7"), "").unwrap();
        let versions = ModelVersions::read(base).unwrap();
        let listed = versions.versions().iter();
        let listed = listed.map(|it| (it.number, it.path.file_name().unwrap(), it.fault));
        assert_eq!(
            listed.collect::<Vec<_>>(),
            [
                (1, "1".as_ref(), None),
                (5, "5".as_ref(), Some(VersionFault::NoModel)),
                (7, "7".as_ref(), Some(VersionFault::NotADirectory)),
            ]
        );
        let ignored = versions.ignored().iter();
        let ignored = ignored.map(|it| (it.path.file_name().unwrap(), it.reason));
        assert_eq!(
            ignored.collect::<Vec<_>>(),
            [
                ("005".as_ref(), IgnoredReason::SameNumber(5)),
                ("99999999999999999999".as_ref(), IgnoredReason::TooLarge),
                ("notes".as_ref(), IgnoredReason::NotANumber),
                ("temp-9".as_ref(), IgnoredReason::Unfinished),
            ]
        );
        assert_eq!(versions.next_version().unwrap(), 8);
        assert!(versions.has(5) && !versions.has(6));
    }

    #[test]
    fn the_first_version_is_1_and_the_last_has_none_behind() {
        let directory = TestDirectory::new("versions");
        let next = || {
            ModelVersions::read(directory.path())
                .unwrap()
                .next_version()
        };
        assert_eq!(next().unwrap(), 1);
        fs::create_dir(directory.path().join("-4")).unwrap();
        assert_eq!(next().unwrap(), 1);
        fs::create_dir(directory.path().join(i64::MAX.to_string())).unwrap();
        assert!(next().is_err());
        assert!(ModelVersions::read(directory.path().join("none")).is_err());
    }
}
