use std::io;
use std::path::{Path, PathBuf};

use super::disk;

/// Renames that belong together: when one fails, those before it are taken back.
///
/// Between two that must not change their order on the disk, [`settle`](Self::settle) waits for
/// the first: a system may bring the entries of a directory to the disk in any order.
#[derive(Debug)]
pub(crate) struct Moves {
    /// The directories to sync; none, if nothing is to be waited for.
    directories: Vec<PathBuf>,
    steps: Vec<Step>,
    /// Whether there may be changes that are not on the disk: at the beginning those of others, as
    /// of a process that was killed.
    is_unsettled: bool,
}

#[derive(Debug)]
enum Step {
    Renamed { from: PathBuf, to: PathBuf },
    Settled,
}

/// A rename that could not be taken back, nor those before it.
#[derive(Debug)]
pub(crate) struct Stuck {
    /// The name that the file still has.
    pub(crate) path: PathBuf,
    /// The name that it should have again.
    pub(crate) back: PathBuf,
    pub(crate) error: io::Error,
}

impl Moves {
    /// Begins without a move. All will be in these directories; none are given where nobody is to
    /// wait for the disk.
    pub(crate) fn new(directories: Vec<PathBuf>) -> Self {
        Moves {
            directories,
            steps: Vec::new(),
            is_unsettled: true,
        }
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        disk::rename(from, to)?;
        self.is_unsettled = true;
        self.steps.push(Step::Renamed {
            from: from.to_owned(),
            to: to.to_owned(),
        });
        Ok(())
    }

    /// Waits until all that was done in the directories so far is on the disk.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        if !self.is_unsettled {
            return Ok(());
        }
        // Also if it fails, because some of it may be on the disk then.
        self.steps.push(Step::Settled);
        self.sync()?;
        self.is_unsettled = false;
        Ok(())
    }

    /// Gives all files their names again, the last moved first, and waits for the disk where it was
    /// waited for on the way.
    pub(crate) fn take_back(mut self) -> Result<(), Stuck> {
        if matches!(self.steps.last(), Some(Step::Renamed { .. })) {
            self.steps.push(Step::Settled);
        }
        for step in std::mem::take(&mut self.steps).into_iter().rev() {
            match step {
                Step::Renamed { from, to } => {
                    if let Err(error) = disk::rename(&to, &from) {
                        return Err(Stuck {
                            path: to,
                            back: from,
                            error,
                        });
                    }
                }
                // A disk that does not answer is no reason to leave files where they are.
                Step::Settled => drop(self.sync()),
            }
        }
        drop(self.sync());
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.directories
            .iter()
            .try_for_each(|directory| disk::sync_directory(directory))
    }
}
