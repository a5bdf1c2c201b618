//! Files that are written whole or not at all: beside their places until all are complete.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::bundle::{Durability, Existing};
use crate::error::{Error, Result};
use crate::store::{PendingFile, disk};

/// What small writes are gathered in.
const BUFFER: usize = 1 << 20;
/// From this size on, space is reserved before it is written.
const LARGE: u64 = 8 << 20;

/// One or several files that appear together.
#[derive(Debug)]
pub(crate) struct Output {
    existing: Existing,
    durability: Durability,
    /// Complete files with their places.
    complete: Vec<(PendingFile, PathBuf)>,
    /// Directories whose entries are to survive a crash.
    directories: Vec<PathBuf>,
}

impl Output {
    pub(crate) fn new(existing: Existing, durability: Durability) -> Self {
        Output {
            existing,
            durability,
            complete: Vec::new(),
            directories: Vec::new(),
        }
    }

    /// Writes the file that is to be at `path`, of about so many bytes. Missing directories are made.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is a file already and it is to stay; what `contents` answers; `Io`
    /// as the system has it.
    pub(crate) fn write(
        &mut self,
        path: &Path,
        size: u64,
        contents: impl FnOnce(&mut BufWriter<PendingFile>) -> Result<()>,
    ) -> Result<()> {
        let in_file = |error: io::Error| Error::from(error).in_file(path);
        self.refuse_existing(path)?;
        self.make_directory(path)?;
        let file = PendingFile::create(path).map_err(in_file)?;
        if size >= LARGE {
            file.preallocate(size).map_err(in_file)?;
        }
        let mut file = BufWriter::with_capacity(BUFFER, file);
        contents(&mut file).map_err(|error| error.in_file(path))?;
        file.flush().map_err(in_file)?;
        let file = file
            .into_inner()
            .map_err(|error| in_file(error.into_error()))?;
        if self.durability == Durability::Sync {
            file.sync().map_err(in_file)?;
        }
        self.complete.push((file, path.to_owned()));
        Ok(())
    }

    /// Moves all files to their places, in the order in which they were written.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if a file came to be in the way meanwhile, `Io` as the system has it. Files
    /// that are in place already stay there.
    pub(crate) fn finish(mut self) -> Result<()> {
        for (_, path) in &self.complete {
            self.refuse_existing(path)?;
        }
        for (file, path) in self.complete.drain(..) {
            file.move_to(&path)
                .map_err(|error| Error::from(error).in_file(path))?;
        }
        if self.durability == Durability::Sync {
            for directory in &self.directories {
                disk::sync_directory(directory)
                    .map_err(|error| Error::from(error).in_file(directory))?;
            }
        }
        Ok(())
    }

    fn refuse_existing(&self, path: &Path) -> Result<()> {
        // A link that leads nowhere would be replaced as well.
        if self.existing != Existing::Replace && path.symlink_metadata().is_ok() {
            return Err(Error::invalid_argument("there is a file already")
                .in_file(path)
                .remedy("choose another name, or ask for `Existing::Replace`"));
        }
        Ok(())
    }

    fn make_directory(&mut self, path: &Path) -> Result<()> {
        let directory = disk::parent_of(path);
        let mut directories = disk::create_directories(directory)
            .map_err(|error| Error::from(error).in_file(directory))?;
        directories.push(directory.to_owned());
        for directory in directories {
            if !self.directories.contains(&directory) {
                self.directories.push(directory);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::error::ErrorKind;
    use crate::store::faults::{Done, Fault, Faults};
    use crate::store::platform::TestDirectory;

    fn names(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn files_are_waited_for_unless_that_is_not_wanted() {
        for durability in [Durability::Sync, Durability::None] {
            let directory = TestDirectory::new("output-sync");
            let faults = Faults::below(directory.path(), Fault::None);
            let mut output = Output::new(Existing::Refuse, durability);
            let one = directory.path().join("one");
            output
                .write(&one, 1, |file| Ok(file.write_all(b"1")?))
                .unwrap();
            output.finish().unwrap();
            let is_sync = |done: &Done| matches!(done, Done::Sync(_) | Done::SyncDirectory(_));
            let waited = faults.done().iter().any(is_sync);
            assert_eq!(waited, durability == Durability::Sync);
        }
    }

    #[test]
    fn files_appear_together_or_not_at_all() {
        let directory = TestDirectory::new("output");
        let inside = directory.path().join("new/inside");
        let (one, two) = (inside.join("one"), inside.join("two"));
        let mut output = Output::new(Existing::Refuse, Durability::Sync);
        output
            .write(&one, LARGE, |file| Ok(file.write_all(b"1")?))
            .unwrap();
        let error = output
            .write(&two, 0, |_| Err(Error::invalid_argument("no contents")))
            .unwrap_err();
        assert_eq!(error.path(), Some(&*two));
        assert!(!one.exists());
        drop(output);
        assert_eq!(names(&inside), 0);

        let mut output = Output::new(Existing::Refuse, Durability::Sync);
        for path in [&one, &two] {
            output
                .write(path, 0, |file| Ok(file.write_all(b"12")?))
                .unwrap();
        }
        output.finish().unwrap();
        assert_eq!(
            (fs::read(&one).unwrap(), names(&inside)),
            (b"12".to_vec(), 2)
        );

        let mut output = Output::new(Existing::Refuse, Durability::None);
        let error = output.write(&one, 0, |_| Ok(())).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }));
        let mut output = Output::new(Existing::Replace, Durability::None);
        output.write(&one, 0, |_| Ok(())).unwrap();
        assert_eq!(fs::read(&one).unwrap(), b"12");
        output.finish().unwrap();
        assert_eq!(fs::read(&one).unwrap(), b"");
    }
}
