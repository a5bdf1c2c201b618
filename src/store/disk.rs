//! Every operation by which this crate changes a disk.
//!
//! All writing goes through here, so that tests can let each operation fail, cut it short or end
//! the process at it (`faults`, which exists in unit tests only).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[cfg(test)]
use super::faults::{self, Operation};
use super::platform;

/// Creates a file that must not exist, for writing.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    #[cfg(test)]
    faults::before(Operation::Create(path))?;
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Creates a directory and those above it that are missing. Returns the directories that got a new
/// entry: what they hold is to be synced for the new ones to survive a crash.
pub(crate) fn create_directories(path: &Path) -> io::Result<Vec<PathBuf>> {
    let missing = path
        .ancestors()
        .take_while(|path| *path != Path::new("") && !path.exists());
    let grown = missing.map(|path| parent_of(path).to_owned()).collect();
    #[cfg(test)]
    faults::before(Operation::CreateDirectories(path))?;
    fs::create_dir_all(path)?;
    Ok(grown)
}

/// Creates a directory that must not be there yet.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    #[cfg(test)]
    faults::before(Operation::CreateDirectories(path))?;
    fs::create_dir(path)
}

/// Returns the directory that a file or directory lies in.
pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Writes to the file of that name, as [`Write::write`] does.
pub(crate) fn write(mut file: &File, path: &Path, bytes: &[u8]) -> io::Result<usize> {
    #[cfg(test)]
    let bytes = faults::before_write(path, bytes)?;
    #[cfg(not(test))]
    let _ = path;
    file.write(bytes)
}

/// Reserves space for the file of that name, as [`platform::preallocate`] does.
pub(crate) fn preallocate(file: &File, path: &Path, len: u64) -> io::Result<()> {
    #[cfg(test)]
    faults::before(Operation::Preallocate(path))?;
    #[cfg(not(test))]
    let _ = path;
    platform::preallocate(file, len)
}

/// Waits until the file's bytes are on the disk.
pub(crate) fn sync(file: &File, path: &Path) -> io::Result<()> {
    #[cfg(test)]
    faults::before(Operation::Sync(path))?;
    #[cfg(not(test))]
    let _ = path;
    file.sync_all()
}

/// Waits until the directory's entries are on the disk: what was created, renamed and removed in
/// it.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    #[cfg(test)]
    faults::before(Operation::SyncDirectory(path))?;
    platform::sync_directory(path)
}

/// Gives a file or directory another name, that of another file included.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(test)]
    faults::before(Operation::Rename { from, to })?;
    fs::rename(from, to)
}

/// Gives a file or directory a name that nobody has: `AlreadyExists` if somebody does.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(test)]
    faults::before(Operation::Rename { from, to })?;
    platform::rename_new(from, to)
}

/// Gives a file another name beside the one it has; no file may have it.
pub(crate) fn link(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(test)]
    faults::before(Operation::Link { from, to })?;
    fs::hard_link(from, to)
}

/// Takes everything behind the first `len` bytes from the file of that name.
pub(crate) fn truncate(file: &File, path: &Path, len: u64) -> io::Result<()> {
    #[cfg(test)]
    faults::before(Operation::Truncate(path, len))?;
    #[cfg(not(test))]
    let _ = path;
    file.set_len(len)
}

/// Removes a directory, which must be empty.
pub(crate) fn remove_directory(path: &Path) -> io::Result<()> {
    #[cfg(test)]
    faults::before(Operation::Remove(path))?;
    fs::remove_dir(path)
}

/// Removes a directory with all that is in it; of a symbolic link the link alone.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    #[cfg(test)]
    faults::before(Operation::Remove(path))?;
    fs::remove_dir_all(path)
}

/// Removes a file.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    #[cfg(test)]
    faults::before(Operation::Remove(path))?;
    fs::remove_file(path)
}
