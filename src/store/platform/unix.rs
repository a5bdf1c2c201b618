//! The calls as Linux and its relatives have them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use memmap2::Mmap;
use prost::bytes::Bytes;

/// Maps a whole file; `None` where the file system cannot.
pub(crate) fn map(file: &File) -> io::Result<Option<Bytes>> {
    // SAFETY: the map is read-only and lives as long as the `Bytes` that own it. That nobody
    // changes the file meanwhile is the contract `LocalStore` states; every reader of the bytes
    // checks each length against the slice it has, so that changed contents cannot lead it astray.
    #[allow(unsafe_code)]
    let map = unsafe { Mmap::map(file) };
    match map {
        Ok(map) => Ok(Some(Bytes::from_owner(map))),
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => Err(error),
        Err(_) => Ok(None),
    }
}

/// Advises huge pages for `len` bytes of memory, which begin and end where pages do.
pub(crate) fn advise_huge(start: usize, len: usize) {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: this advice changes neither contents nor access, whatever the memory is.
        #[allow(unsafe_code)]
        let _ = unsafe {
            rustix::mm::madvise(
                std::ptr::without_provenance_mut(start),
                len,
                rustix::mm::Advice::LinuxHugepage,
            )
        };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, len);
}

/// Fills `out` with the bytes from `offset` on.
pub(crate) fn read_at(file: &File, offset: u64, out: &mut [u8]) -> io::Result<()> {
    file.read_exact_at(out, offset)
}

/// Gives a file or directory a name that is free, in one step where the file system can.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            done => return Ok(done?),
        }
    }
    match to.symlink_metadata() {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::rename(from, to),
        Err(error) => Err(error),
    }
}

/// Reserves space for `len` bytes without changing the file's length; does nothing where the
/// file system cannot.
pub(crate) fn preallocate(file: &File, len: u64) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        match fallocate(file, FallocateFlags::KEEP_SIZE, 0, len) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = (file, len);
        Ok(())
    }
}

/// Makes renames in the directory survive a crash.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Waits until nobody else has the directory locked, and locks it until the file is dropped;
/// `None` where the file system cannot.
pub(crate) fn lock_directory(directory: &Path) -> Option<File> {
    let file = File::open(directory).ok()?;
    file.lock().ok()?;
    Some(file)
}
