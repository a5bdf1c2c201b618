use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::disk;

/// A file that is written beside the place it is for, and moved there when it is complete.
///
/// Dropped before, it is removed. Its name ends as TensorFlow's own unfinished files do, in
/// `.tempstate` and a random number.
#[derive(Debug)]
pub(crate) struct PendingFile {
    file: File,
    path: PathBuf,
    /// Whether it stays where it is when this is dropped.
    stays: bool,
}

impl PendingFile {
    /// Creates a file beside the place it is for, with a name that begins as `target` does.
    pub(crate) fn create(target: &Path) -> io::Result<Self> {
        for attempt in 0.. {
            let mut path = OsString::from(target);
            path.push(format!(".tempstate{}", random_number()));
            let path = PathBuf::from(path);
            match disk::create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => {}
                file => {
                    return Ok(PendingFile {
                        file: file?,
                        path,
                        stays: false,
                    });
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Takes a finished file that has a name of its own, which it keeps unless it is moved.
    #[allow(dead_code, reason = "merging bundles moves their data files")]
    pub(crate) fn adopt(path: &Path) -> io::Result<Self> {
        Ok(PendingFile {
            // Some systems sync only what is open for writing.
            file: OpenOptions::new().write(true).open(path)?,
            path: path.to_owned(),
            stays: true,
        })
    }

    /// Returns where the file is until it is moved.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reserves space up to that length, which is not changed.
    pub(crate) fn preallocate(&self, len: u64) -> io::Result<()> {
        disk::preallocate(&self.file, &self.path, len)
    }

    /// Waits until the bytes are on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        disk::sync(&self.file, &self.path)
    }

    /// Moves the file to its place, over what is there.
    pub(crate) fn move_to(self, place: &Path) -> io::Result<()> {
        disk::rename(&self.path, place)?;
        self.keep();
        Ok(())
    }

    /// Lets the file be, wherever it was moved.
    pub(crate) fn keep(mut self) {
        self.stays = true;
    }
}

/// Returns a number that no other call returns, in this process or another: each `RandomState` has
/// keys of its own.
pub(crate) fn random_number() -> u64 {
    RandomState::new().hash_one(0)
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        disk::write(&self.file, &self.path, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if !self.stays {
            let _ = disk::remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

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
    fn a_file_with_a_name_of_its_own_keeps_it() {
        let directory = TestDirectory::new("adopted");
        let (one, two) = (directory.path().join("one"), directory.path().join("two"));
        fs::write(&one, b"bytes").unwrap();
        drop(PendingFile::adopt(&one).unwrap());
        PendingFile::adopt(&one).unwrap().move_to(&two).unwrap();
        assert_eq!(fs::read(&two).unwrap(), b"bytes");
        assert!(!one.exists());
    }
}
