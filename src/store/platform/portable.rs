//! The calls with the standard library alone.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use prost::bytes::Bytes;

/// Maps nothing: the caller reads ranges instead.
pub(crate) fn map(_file: &File) -> io::Result<Option<Bytes>> {
    Ok(None)
}

/// Advises nothing: the system chooses its pages.
pub(crate) fn advise_huge(_start: usize, _len: usize) {}

/// Fills `out` from `offset` on. A file has one position, so the calls take turns.
pub(crate) fn read_at(mut file: &File, offset: u64, out: &mut [u8]) -> io::Result<()> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(out)
}

/// Reserves nothing: space is found as it is written.
pub(crate) fn preallocate(_file: &File, _len: u64) -> io::Result<()> {
    Ok(())
}

/// Leaves a directory to the system, which has no portable call to sync one.
pub(crate) fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}

/// Gives a file or directory a name that is free. Between the look and the rename somebody may take
/// it; then the system decides, which replaces nothing but an empty directory by a directory.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match to.symlink_metadata() {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::rename(from, to),
        Err(error) => Err(error),
    }
}

/// Locks nothing: a directory is not a file everywhere.
pub(crate) fn lock_directory(_directory: &Path) -> Option<File> {
    None
}
