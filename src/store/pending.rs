use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::hash::BuildHasher;
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A file that is written beside the place it is for, and moved there when it is complete.
///
/// Dropped before, it is removed. Its name ends as TensorFlow's own unfinished files do, in
/// `.tempstate` and a random number.
#[derive(Debug)]
pub(crate) struct PendingFile {
    file: File,
    path: PathBuf,
    target: PathBuf,
    /// Whether it has been moved.
    in_place: bool,
}

impl PendingFile {
    /// Creates the file that is to be `target`.
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
                        target: target.to_owned(),
                        in_place: false,
                    });
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Moves the file to its place, over what is there.
    pub(crate) fn move_into_place(mut self) -> io::Result<()> {
        fs::rename(&self.path, &self.target)?;
        self.in_place = true;
        Ok(())
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.file.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for PendingFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
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
        one.move_into_place().unwrap();
        drop(two);
        assert_eq!(fs::read(&target).unwrap(), b"after");
        assert_eq!(names(), 1);
    }
}
