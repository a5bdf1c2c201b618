use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use super::disk;
use super::moves::Moves;
use super::pending::{PendingFile, random_number};
use crate::error::{Error, Result};

/// A directory that is written beside the place it is for, and moved there when it is complete.
///
/// Dropped before, it is removed with what is in it.
#[derive(Debug)]
pub(crate) struct StagedDirectory {
    path: PathBuf,
    target: PathBuf,
    /// The directories above that get entries.
    parents: Vec<PathBuf>,
    /// Whether the disk is waited for.
    sync: bool,
    moved: bool,
}

impl StagedDirectory {
    /// Begins the directory that is to be at `target`. Missing directories above are made.
    pub(crate) fn create(target: &Path, sync: bool) -> Result<Self> {
        let Some(name) = target.file_name() else {
            let what = "a model's directory has a name";
            return Err(Error::invalid_argument(what).in_file(target));
        };
        let parent = disk::parent_of(target);
        let mut parents = disk::create_directories(parent).map_err(in_file(parent))?;
        parents.push(parent.to_owned());
        for attempt in 0.. {
            // No name like this is a version's number.
            let path = parent.join(unique("temp-", name));
            match disk::create_directory(&path) {
                Ok(()) => {
                    return Ok(StagedDirectory {
                        path,
                        target: target.to_owned(),
                        parents,
                        sync,
                        moved: false,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => {}
                Err(error) => return Err(in_file(&path)(error)),
            }
        }
        Err(Error::from(io::Error::from(io::ErrorKind::AlreadyExists)).in_file(target))
    }

    /// Returns where the directory is until it is moved.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file of the directory; `inside` is relative to it. Directories are made.
    pub(crate) fn write(
        &self,
        inside: impl AsRef<Path>,
        content: impl FnOnce(&mut BufWriter<PendingFile>) -> Result<()>,
    ) -> Result<u64> {
        let path = self.path.join(inside);
        let parent = disk::parent_of(&path);
        disk::create_directories(parent).map_err(in_file(parent))?;
        write_file(&path, self.sync, content)
    }

    /// Moves the directory to its place, which must be free or an empty directory.
    pub(crate) fn publish(mut self) -> Result<()> {
        self.settle()?;
        refuse_occupied(&self.target)?;
        if self.target.exists() {
            // Not every system moves a directory over an empty one.
            disk::remove_directory(&self.target).map_err(in_file(&self.target))?;
        }
        disk::rename(&self.path, &self.target).map_err(in_file(&self.target))?;
        self.moved = true;
        self.settle_parents()
    }

    /// Moves the directory to its place; the one that is there is moved aside before and removed after.
    /// In between it has a name that begins with `replaced-`, and has it still after a crash.
    pub(crate) fn replace(mut self) -> Result<()> {
        if refuse_occupied(&self.target).is_ok() {
            return self.publish();
        }
        self.settle()?;
        let parent = disk::parent_of(&self.target);
        let name = self.target.file_name().unwrap_or_default();
        let aside = parent.join(unique("replaced-", name));
        let mut moves = Moves::new(match self.sync {
            true => vec![parent.to_owned()],
            false => Vec::new(),
        });
        let moved = moves
            .rename(&self.target, &aside)
            .and_then(|()| moves.rename(&self.path, &self.target));
        if let Err(error) = moved {
            let error = in_file(&self.target)(error);
            return Err(match moves.take_back() {
                Ok(()) => error,
                Err(stuck) => error.remedy(format!(
                    "what was there is in `{}` now: move it back to `{}`",
                    stuck.path.display(),
                    stuck.back.display()
                )),
            });
        }
        self.moved = true;
        self.settle_parents()?;
        disk::remove_tree(&aside).map_err(in_file(&aside))
    }

    /// Waits for all directories in it.
    fn settle(&self) -> Result<()> {
        match self.sync {
            true => sync_directories(&self.path),
            false => Ok(()),
        }
    }

    fn settle_parents(&self) -> Result<()> {
        let parents = self.parents.iter().filter(|_| self.sync);
        for parent in parents {
            disk::sync_directory(parent).map_err(in_file(parent))?;
        }
        Ok(())
    }
}

impl Drop for StagedDirectory {
    fn drop(&mut self) {
        if !self.moved {
            let _ = disk::remove_tree(&self.path);
        }
    }
}

/// Writes a file beside its place and moves it there, over what is there; returns how long it is.
pub(crate) fn write_file(
    path: &Path,
    sync: bool,
    content: impl FnOnce(&mut BufWriter<PendingFile>) -> Result<()>,
) -> Result<u64> {
    let file = PendingFile::create(path).map_err(in_file(path))?;
    let mut out = BufWriter::with_capacity(1 << 18, file);
    content(&mut out).map_err(|error| error.in_file(path))?;
    let file = out
        .into_inner()
        .map_err(|error| in_file(path)(error.into_error()))?;
    if sync {
        file.sync().map_err(in_file(path))?;
    }
    let len = fs::metadata(file.path()).map_err(in_file(path))?.len();
    file.move_to(path).map_err(in_file(path))?;
    Ok(len)
}

/// Refuses a place where there is something that a directory would take the place of.
pub(crate) fn refuse_occupied(target: &Path) -> Result<()> {
    let is_free = match fs::read_dir(target) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound && target.symlink_metadata().is_err(),
    };
    match is_free {
        true => Ok(()),
        false => Err(Error::invalid_argument("there is something already")
            .in_file(target)
            .remedy("a model is written to a new or an empty directory")),
    }
}

/// Returns what makes the system's word an error of that file.
pub(crate) fn in_file(path: &Path) -> impl Fn(io::Error) -> Error {
    move |error| Error::from(error).in_file(path)
}

/// Returns a name that nobody else has.
fn unique(begin: &str, name: &OsStr) -> OsString {
    let mut unique = OsString::from(begin);
    unique.push(name);
    unique.push(format!(".{}", random_number()));
    unique
}

fn sync_directories(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory).map_err(in_file(directory))? {
        let path = entry.map_err(in_file(directory))?.path();
        if path.is_dir() {
            sync_directories(&path)?;
        }
    }
    disk::sync_directory(directory).map_err(in_file(directory))
}
