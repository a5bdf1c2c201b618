use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::hash::BuildHasher;
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::disk;

/// A file that is written beside the place it is for, and moved there when it is complete.
///
/// Dropped before, it is removed. Its name ends as TensorFlow's own unfinished files do, in
/// `.tempstate` and a random number.
#[derive(Debug)]
pub(crate) struct PendingFile {
    /// While it is open: a bundle can have more shards than a process may have open files.
    file: Option<File>,
    path: PathBuf,
    /// Whether it stays where it is when this is dropped.
    stays: bool,
}

impl PendingFile {
    /// Creates a file beside the place it is for, with a name that begins as `target` does.
    pub(crate) fn create(target: &Path) -> io::Result<Self> {
        for attempt in 0.. {
            let path = pending_path(target);
            match disk::create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => {}
                file => {
                    return Ok(PendingFile {
                        file: Some(file?),
                        path,
                        stays: false,
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
        for _ in 0..100 {
            let path = pending_path(target);
            match disk::link(&source, &path) {
                Ok(()) => {
                    return Ok(PendingFile {
                        file: None,
                        path,
                        stays: false,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(_) => break,
            }
        }
        let mut copy = Self::create(target)?;
        io::copy(&mut File::open(&source)?, &mut copy)?;
        copy.close();
        Ok(copy)
    }

    /// Returns where the file is until it is moved.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Ends writing.
    pub(crate) fn close(&mut self) {
        self.file = None;
    }

    fn open_file(&self) -> io::Result<&File> {
        let closed = || io::Error::other("the file is complete");
        self.file.as_ref().ok_or_else(closed)
    }

    /// Reserves space up to that length, which is not changed.
    pub(crate) fn preallocate(&self, len: u64) -> io::Result<()> {
        disk::preallocate(self.open_file()?, &self.path, len)
    }

    /// Takes everything behind the first `len` bytes away; what is written next follows them.
    pub(crate) fn truncate(&mut self, len: u64) -> io::Result<()> {
        let mut file = self.open_file()?;
        disk::truncate(file, &self.path, len)?;
        file.seek(SeekFrom::Start(len))?;
        Ok(())
    }

    /// Waits until the bytes are on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        if let Some(file) = &self.file {
            return disk::sync(file, &self.path);
        }
        // Some systems sync only what is open for writing, which not every file can be.
        let writable = OpenOptions::new().write(true).open(&self.path);
        let file = writable.or_else(|_| File::open(&self.path))?;
        disk::sync(&file, &self.path)
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

/// Returns a name that begins as `target` does and that nobody else has.
fn pending_path(target: &Path) -> PathBuf {
    let mut path = OsString::from(target);
    path.push(format!(".tempstate{}", random_number()));
    path.into()
}

/// Returns a number that no other call returns, in this process or another: each `RandomState` has
/// keys of its own.
pub(crate) fn random_number() -> u64 {
    RandomState::new().hash_one(0)
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        disk::write(self.open_file()?, &self.path, bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        // Faults are for single writes.
        if cfg!(test) {
            let first = slices.iter().find(|slice| !slice.is_empty());
            return self.write(first.map_or(&[], |slice| slice));
        }
        self.open_file()?.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open_file()?.flush()
    }
}

impl Seek for PendingFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.open_file()?.seek(to)
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
