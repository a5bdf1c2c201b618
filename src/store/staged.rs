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

    /// Moves the directory where `move_it` finds a place for it, which it returns.
    pub(crate) fn publish_by(
        mut self,
        move_it: impl FnOnce(&Path) -> Result<PathBuf>,
    ) -> Result<PathBuf> {
        self.settle()?;
        let place = move_it(&self.path)?;
        self.moved = true;
        self.settle_parents()?;
        Ok(place)
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::store::faults::{Fault, Faults};
    use crate::store::platform::TestDirectory;

    fn write(target: &Path) -> Result<()> {
        let staged = StagedDirectory::create(target, true)?;
        staged.write("variables/data", |out| Ok(out.write_all(b"new data")?))?;
        staged.write("program", |out| Ok(out.write_all(b"new")?))?;
        staged.replace()
    }

    /// What is there: nothing, the old directory, or the new one, whole.
    fn found(target: &Path) -> Option<&'static str> {
        let program = fs::read(target.join("program")).ok()?;
        match &program[..] {
            b"old" => Some("old"),
            _ => {
                assert_eq!(program, b"new");
                assert_eq!(
                    fs::read(target.join("variables/data")).unwrap(),
                    b"new data"
                );
                Some("new")
            }
        }
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn a_fault_leaves_the_old_directory_or_the_new_one() {
        let (mut old, mut new) = (0, 0);
        for at in 0.. {
            for kind in [
                Fault::Fail(at, io::ErrorKind::StorageFull),
                Fault::FailFrom(at, io::ErrorKind::Other),
            ] {
                let directory = TestDirectory::in_memory("staged");
                let target = directory.path().join("model");
                fs::create_dir(&target).unwrap();
                fs::write(target.join("program"), "old").unwrap();
                let faults = Faults::below(directory.path(), kind);
                let result = write(&target);
                let tried = faults.tried();
                drop(faults);
                let names = names(directory.path());
                if tried <= at {
                    result.unwrap();
                    assert_eq!((found(&target), names.len()), (Some("new"), 1));
                    assert!(old > 10 && new > 0, "{old}, {new}");
                    return;
                }
                let is_gone = matches!(kind, Fault::FailFrom(..));
                match found(&target) {
                    Some("old") => old += 1,
                    Some(_) => new += 1,
                    // Between two renames the disk went away.
                    None => {
                        let aside = names
                            .iter()
                            .find(|name| name.starts_with("replaced-model."));
                        let aside = directory.path().join(aside.unwrap());
                        assert!(is_gone && found(&aside) == Some("old"), "{names:?}");
                        let error = result.as_ref().unwrap_err().to_string();
                        assert!(error.contains("move it back"), "{error}");
                    }
                }
                // A pending file that cannot be removed is no reason to fail.
                assert!(
                    result.is_err() || found(&target) == Some("new"),
                    "{at}: {names:?}"
                );
                if !is_gone && found(&target) == Some("old") {
                    assert_eq!(names.len(), 1, "{at}: {names:?}");
                }
            }
        }
    }

    #[test]
    fn a_directory_that_is_not_published_goes_away() {
        let directory = TestDirectory::new("staged_dropped");
        let target = directory.path().join("a/model");
        let staged = StagedDirectory::create(&target, false).unwrap();
        staged.write("b/c", |out| Ok(out.write_all(b"1")?)).unwrap();
        assert_eq!(names(&directory.path().join("a")).len(), 1);
        drop(staged);
        assert_eq!(names(&directory.path().join("a")).len(), 0);
        let staged = StagedDirectory::create(&target, false).unwrap();
        fs::create_dir_all(target.join("in the way")).unwrap();
        assert!(staged.publish().is_err());
        assert_eq!(names(&target), ["in the way"]);
        assert!(StagedDirectory::create(Path::new("/"), false).is_err());
    }
}
