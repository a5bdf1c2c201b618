use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{Blob, Store, platform, refuse_name, stays_inside};
use crate::error::{Error, Result};

/// A file up to this size is read rather than mapped: a map costs two system calls and a page
/// fault, and counts against the number of maps a process may have.
const SMALL: u64 = 64 << 10;

/// Says whether [`LocalStore`] maps files into memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mapping {
    /// Maps files of more than 64 KiB where the system can; reads smaller ones at once.
    #[default]
    Auto,
    /// Never maps: ranges are read when asked for. For files that somebody may cut short while
    /// they are open, which kills a process that has them mapped (`SIGBUS`).
    Never,
}

/// A directory of the local file system. Names are relative to it and cannot leave it.
///
/// Symbolic links inside the directory are followed, as TensorFlow does.
///
/// A mapped file must not be changed while it is open: tensors are views of it. Writing beside
/// and renaming, as this crate and most programs do, is safe.
#[derive(Clone, Debug)]
pub struct LocalStore {
    directory: PathBuf,
    mapping: Mapping,
}

impl LocalStore {
    /// Makes a store of that directory; nothing is opened yet.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        LocalStore {
            directory: directory.into(),
            mapping: Mapping::Auto,
        }
    }

    /// Sets whether files are mapped.
    pub fn with_mapping(mut self, mapping: Mapping) -> Self {
        self.mapping = mapping;
        self
    }

    /// Makes a store of the directory that a file lies in; returns it with the file's name.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the path ends with no name in Unicode.
    pub(crate) fn of_file(path: &Path) -> Result<(Self, &str)> {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(
                Error::invalid_argument("the path ends with no name in Unicode").in_file(path),
            );
        };
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        Ok((LocalStore::new(directory), name))
    }

    /// Returns the directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Store for LocalStore {
    fn open(&self, name: &str) -> io::Result<Blob> {
        if !stays_inside(name) {
            return Err(refuse_name(name));
        }
        let path = self.directory.join(name);
        // Asked before opening, which would wait forever for the writer of a named pipe.
        if !fs::metadata(&path)?.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        if len <= SMALL {
            let mut bytes = vec![0; len as usize];
            platform::read_at(&file, 0, &mut bytes)?;
            return Ok(Blob::from_bytes(bytes));
        }
        let map = match self.mapping {
            Mapping::Auto => platform::map(&file)?,
            Mapping::Never => None,
        };
        let read = move |offset, out: &mut [u8]| platform::read_at(&file, offset, out);
        Ok(match map {
            Some(bytes) => Blob::mapped(bytes, read),
            None => Blob::ranged(len, read),
        })
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        if !directory.is_empty() && !stays_inside(directory) {
            return Err(refuse_name(directory));
        }
        let mut names = Vec::new();
        let mut path = self.directory.join(directory);
        if path.as_os_str().is_empty() {
            path.push(".");
        }
        for entry in fs::read_dir(path)? {
            // A name that is no Unicode cannot be one that TensorFlow wrote.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn display(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::platform::TestDirectory;

    #[test]
    fn large_and_small_files_read_the_same_mapped_or_not() {
        let directory = TestDirectory::new("local_store_日本");
        let large: Vec<u8> = (0..SMALL + 100).map(|i| (i / 7) as u8).collect();
        fs::write(directory.path().join("größe"), &large).unwrap();
        fs::write(directory.path().join("small"), b"abc").unwrap();
        fs::write(directory.path().join("empty"), b"").unwrap();
        for mapping in [Mapping::Auto, Mapping::Never] {
            let store = LocalStore::new(directory.path()).with_mapping(mapping);
            let blob = store.open("größe").unwrap();
            assert_eq!(blob.len(), large.len() as u64);
            assert_eq!(blob.read(65000, 600).unwrap(), large[65000..65600]);
            assert_eq!(store.open("small").unwrap().read(1, 2).unwrap(), b"bc"[..]);
            assert!(store.open("empty").unwrap().is_empty());
            assert_eq!(store.list("").unwrap(), ["empty", "größe", "small"]);
            if mapping == Mapping::Never {
                assert!(blob.bytes().is_none());
            }
        }
    }

    #[test]
    fn names_that_leave_the_directory_are_refused() {
        let directory = TestDirectory::new("local_store_escape");
        let store = LocalStore::new(directory.path().join("inside"));
        fs::create_dir(directory.path().join("inside")).unwrap();
        fs::write(directory.path().join("outside"), b"secret").unwrap();
        let absolute = directory.path().join("outside");
        for name in ["../outside", absolute.to_str().unwrap(), "a/../../outside"] {
            assert_eq!(
                store.open(name).unwrap_err().kind(),
                io::ErrorKind::InvalidInput
            );
            assert_eq!(
                store.list(name).unwrap_err().kind(),
                io::ErrorKind::InvalidInput
            );
        }
        assert_eq!(
            store.open("none").unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        assert!(store.open("inside").is_err());
    }

    #[test]
    fn a_directory_is_no_file() {
        let directory = TestDirectory::new("local_store_directory");
        fs::create_dir(directory.path().join("variables.index")).unwrap();
        let error = LocalStore::new(directory.path())
            .open("variables.index")
            .unwrap_err();
        assert_ne!(error.kind(), io::ErrorKind::NotFound);
    }
}
