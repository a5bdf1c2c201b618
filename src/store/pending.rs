use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that is written beside the place it is for, and moved there when it is complete.
///
/// Dropped before, it is removed. Its name ends as TensorFlow's own unfinished files do, in
/// `.tempstate` and a random number.
#[derive(Debug)]
pub(crate) struct PendingFile {
    file: File,
    path: PathBuf,
    /// Whether it has been moved.
    in_place: bool,
}

impl PendingFile {
    /// Creates a file beside the place it is for, with a name that begins as `target` does.
    pub(crate) fn create(target: &Path) -> io::Result<Self> {
        for attempt in 0.. {
            // Each `RandomState` has keys of its own.
            let number = RandomState::new().hash_one(attempt);
            let mut path = OsString::from(target);
            path.push(format!(".tempstate{number}"));
            let path = PathBuf::from(path);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => {}
                file => {
                    return Ok(PendingFile {
                        file: file?,
                        path,
                        in_place: false,
                    });
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Makes another name of a finished file, or a copy of it where the file system has no such names,
    /// so that it can be moved to a place and stays where it is as well.
    pub(crate) fn link(source: &Path, target: &Path) -> io::Result<Self> {
        // Not a name of a symbolic link, which would lead elsewhere from another directory.
        let source = fs::canonicalize(source)?;
        let mut file = File::open(&source)?;
        for attempt in 0..100 {
            let mut path = OsString::from(target);
            path.push(format!(
                ".tempstate{}",
                RandomState::new().hash_one(attempt)
            ));
            let path = PathBuf::from(path);
            match fs::hard_link(&source, &path) {
                Ok(()) => {
                    return Ok(PendingFile {
                        file,
                        path,
                        in_place: false,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(_) => break,
            }
        }
        let copy = Self::create(target)?;
        io::copy(&mut file, &mut &copy.file)?;
        Ok(copy)
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Moves the file to its place, over what is there.
    pub(crate) fn move_to(mut self, place: &Path) -> io::Result<()> {
        fs::rename(&self.path, place)?;
        self.in_place = true;
        Ok(())
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if !self.in_place {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::platform::TestDirectory;

    #[test]
    fn nothing_is_in_place_before_it_is_moved() {
        let directory = TestDirectory::new("pending");
        let target = directory.path().join("größe");
        let names = || fs::read_dir(directory.path()).unwrap().count();

        drop(PendingFile::create(&target).unwrap());
        assert_eq!(names(), 0);

        fs::write(&target, b"before").unwrap();
        let mut one = PendingFile::create(&target).unwrap();
        let two = PendingFile::create(&target).unwrap();
        one.write_all(b"after").unwrap();
        assert_eq!(names(), 3);
        assert_eq!(fs::read(&target).unwrap(), b"before");
        one.move_to(&target).unwrap();
        drop(two);
        assert_eq!(fs::read(&target).unwrap(), b"after");
        assert_eq!(names(), 1);
    }

    #[test]
    fn another_name_comes_and_goes_without_the_file() {
        let directory = TestDirectory::new("linked");
        let (source, target) = (directory.path().join("a"), directory.path().join("b"));
        fs::write(&source, b"bytes").unwrap();
        drop(PendingFile::link(&source, &target).unwrap());
        PendingFile::link(&source, &target)
            .unwrap()
            .move_to(&target)
            .unwrap();
        assert_eq!(fs::read(&source).unwrap(), b"bytes");
        assert_eq!(fs::read(&target).unwrap(), b"bytes");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
        assert!(PendingFile::link(&directory.path().join("c"), &target).is_err());
    }
}
