//! What differs from one operating system to the next: mapping, positioned reads, huge pages,
//! preallocation, sync and locks of directories, renames to names that nobody has.
//!
//! `native` does it as well as the system can, `portable` with the standard library alone. The
//! compiler setting `--cfg savedmodel_portable` forces the portable one everywhere; the unit tests
//! here run both.

mod buffer;
#[cfg(any(savedmodel_portable, test, not(unix)))]
mod portable;
#[cfg(all(unix, any(not(savedmodel_portable), test)))]
mod unix;

#[cfg(any(savedmodel_portable, not(unix)))]
use portable as native;
#[cfg(all(unix, not(savedmodel_portable)))]
use unix as native;

pub(crate) use buffer::{Buffer, reserve};
pub(crate) use native::{lock_directory, map, preallocate, read_at, rename_new, sync_directory};

#[cfg(test)]
pub(crate) use tests::TestDirectory;

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io;
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A directory that a test has to itself, removed with what is in it.
    pub(crate) struct TestDirectory(PathBuf);

    impl TestDirectory {
        pub(crate) fn new(name: &str) -> Self {
            Self::below(&std::env::temp_dir(), name)
        }

        /// In memory, where the system has a directory there: for tests of many small files.
        pub(crate) fn in_memory(name: &str) -> Self {
            match Path::new("/dev/shm") {
                shared if shared.is_dir() => Self::below(shared, name),
                _ => Self::new(name),
            }
        }

        fn below(parent: &Path, name: &str) -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let unique = format!("savedmodel-{}-{count}-{name}", std::process::id());
            let path = parent.join(unique);
            fs::create_dir(&path).unwrap();
            TestDirectory(path)
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for TestDirectory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    type Map = fn(&File) -> io::Result<Option<prost::bytes::Bytes>>;
    type ReadAt = fn(&File, u64, &mut [u8]) -> io::Result<()>;
    type Preallocate = fn(&File, u64) -> io::Result<()>;
    type SyncDirectory = fn(&Path) -> io::Result<()>;

    fn exercise(map: Map, read_at: ReadAt, preallocate: Preallocate, sync: SyncDirectory) {
        let directory = TestDirectory::new("platform");
        let path = directory.path().join("f");
        let bytes: Vec<u8> = (0..10_000).map(|i| (i % 251) as u8).collect();
        fs::write(&path, &bytes).unwrap();
        let file = File::open(&path).unwrap();
        if let Some(mapped) = map(&file).unwrap() {
            assert_eq!(mapped, bytes);
        }
        let mut out = [0; 300];
        read_at(&file, 9000, &mut out).unwrap();
        read_at(&file, 5000, &mut out).unwrap();
        assert_eq!(out, bytes[5000..5300]);
        let error = read_at(&file, 9900, &mut out).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);

        let new = File::create(directory.path().join("g")).unwrap();
        preallocate(&new, 1 << 20).unwrap();
        assert_eq!(
            new.metadata().unwrap().len(),
            0,
            "space is reserved, the length is not"
        );
        sync(directory.path()).unwrap();
    }

    fn advice_changes_nothing(advise: fn(usize, usize)) {
        const HUGE: usize = 2 << 20;
        let bytes = vec![7u8; 3 * HUGE];
        advise(bytes.as_ptr().addr().next_multiple_of(HUGE), HUGE);
        assert!(bytes.iter().all(|&byte| byte == 7));
        // Memory that is nobody's.
        advise(HUGE << 20, HUGE);
    }

    #[test]
    fn portable_calls() {
        exercise(
            portable::map,
            portable::read_at,
            portable::preallocate,
            portable::sync_directory,
        );
        advice_changes_nothing(portable::advise_huge);
    }

    #[test]
    fn a_new_name_is_nobodys() {
        for rename in [portable::rename_new, rename_new] {
            let directory = TestDirectory::new("rename-new");
            let name = |name: &str| directory.path().join(name);
            for taken in ["mine", "theirs", "empty"] {
                fs::create_dir(name(taken)).unwrap();
            }
            fs::write(name("theirs/f"), "x").unwrap();
            fs::write(name("file"), "x").unwrap();
            for taken in ["theirs", "empty", "file"] {
                let error = rename(&name("mine"), &name(taken)).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{taken}");
            }
            rename(&name("mine"), &name("new")).unwrap();
            assert!(name("new").is_dir() && !name("mine").exists());
            let error = rename(&name("mine"), &name("newer")).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn a_locked_directory_is_waited_for() {
        assert!(portable::lock_directory(Path::new(".")).is_none());
        let directory = TestDirectory::new("lock");
        let Some(mine) = lock_directory(directory.path()) else {
            return;
        };
        let (send, receive) = std::sync::mpsc::channel();
        let path = directory.path().to_owned();
        let other = std::thread::spawn(move || {
            let theirs = lock_directory(&path);
            send.send(theirs.is_some()).unwrap();
        });
        let waited = receive.recv_timeout(std::time::Duration::from_millis(50));
        assert!(waited.is_err(), "it was locked twice");
        drop(mine);
        assert!(receive.recv().unwrap());
        other.join().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn unix_calls() {
        exercise(
            unix::map,
            unix::read_at,
            unix::preallocate,
            unix::sync_directory,
        );
        advice_changes_nothing(unix::advise_huge);
    }
}
