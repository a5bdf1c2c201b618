use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::scenario::Directory;
use crate::store::faults::Done;
use crate::store::platform::TestDirectory;

/// A directory on a disk that keeps what was synced. Of what was not, a crash takes bytes of files
/// always, and creations, renames and removals as it likes, the earlier ones or the later ones.
#[derive(Default)]
struct LossyDisk {
    files: Vec<File>,
    /// Names as programs see them, and as they are on the disk; a number is a file's.
    seen: Names,
    kept: Names,
    /// What was done to names since the directory was synced.
    changes: Vec<Change>,
}

type Names = BTreeMap<String, usize>;

#[derive(Default)]
struct File {
    written: Vec<u8>,
    kept: Vec<u8>,
}

/// A name that goes and one that comes, in one step.
#[derive(Clone)]
struct Change {
    gone: Option<String>,
    come: Option<(String, usize)>,
}

impl Change {
    fn apply(&self, names: &mut Names) {
        if let Some(name) = &self.gone {
            names.remove(name);
        }
        if let Some((name, file)) = &self.come {
            names.insert(name.clone(), *file);
        }
    }
}

impl LossyDisk {
    fn of(directory: &Path) -> Self {
        let mut disk = LossyDisk::default();
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            disk.seen.insert(name_of(&path), disk.files.len());
            disk.files.push(File {
                written: bytes.clone(),
                kept: bytes,
            });
        }
        disk.kept = disk.seen.clone();
        disk
    }

    fn apply(&mut self, done: &Done) {
        match done {
            Done::Create(path) => {
                let come = Some((name_of(path), self.files.len()));
                self.files.push(File::default());
                self.change(Change { gone: None, come });
            }
            Done::Write(path, bytes) => self.file(path).written.extend(bytes),
            Done::Sync(path) => {
                let file = self.file(path);
                file.kept = file.written.clone();
            }
            Done::Rename { from, to } => {
                let come = Some((name_of(to), self.seen[&name_of(from)]));
                let gone = Some(name_of(from));
                self.change(Change { gone, come });
            }
            Done::Link { from, to } => {
                let come = Some((name_of(to), self.seen[&name_of(from)]));
                self.change(Change { gone: None, come });
            }
            Done::Truncate(path, len) => self.file(path).written.truncate(*len as usize),
            Done::Remove(path) => {
                let gone = Some(name_of(path));
                self.change(Change { gone, come: None });
            }
            Done::SyncDirectory(_) => {
                self.changes.clear();
                self.kept = self.seen.clone();
            }
            Done::CreateDirectories(_) | Done::Preallocate(_) => {}
        }
    }

    fn file(&mut self, path: &Path) -> &mut File {
        &mut self.files[self.seen[&name_of(path)]]
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.changes.push(change);
    }

    /// Returns every set of files that a crash may leave now.
    fn after_a_crash(&self) -> BTreeSet<BTreeMap<String, Vec<u8>>> {
        assert!(self.changes.len() < 16);
        let chosen = 0..1u32 << self.changes.len();
        let states = chosen.map(|chosen| {
            let mut names = self.kept.clone();
            for (number, change) in self.changes.iter().enumerate() {
                if chosen >> number & 1 == 1 {
                    change.apply(&mut names);
                }
            }
            let bytes = |(name, file): (String, usize)| (name, self.files[file].kept.clone());
            names.into_iter().map(bytes).collect()
        });
        states.collect()
    }
}

/// Returns directories as a crash may leave them that comes after some of the operations, at least
/// `first` of them, each with their number.
pub(super) fn states_after_a_crash(
    before: &Path,
    done: &[Done],
    first: usize,
) -> Vec<(usize, Directory)> {
    let mut disk = LossyDisk::of(before);
    let mut known = BTreeSet::new();
    let mut states = Vec::new();
    for count in 0..=done.len() {
        if let Some(last) = count.checked_sub(1) {
            disk.apply(&done[last]);
        }
        if count < first {
            continue;
        }
        for files in disk.after_a_crash() {
            // What is promised at the end is more.
            if !known.insert(files.clone()) && count < done.len() {
                continue;
            }
            let directory = Directory(TestDirectory::in_memory("lossy"));
            for (name, bytes) in files {
                fs::write(directory.path().join(name), bytes).unwrap();
            }
            states.push((count, directory));
        }
    }
    states
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_rename_that_was_not_synced_may_be_lost_and_bytes_always_are() {
    let before = Directory(TestDirectory::in_memory("lossy"));
    fs::write(before.path().join("old"), "bytes").unwrap();
    let path = |name: &str| before.path().join(name);
    let done = [
        Done::Create(path("new")),
        Done::Write(path("new"), b"more".into()),
        Done::Rename {
            from: path("new"),
            to: path("old"),
        },
    ];
    let states: BTreeSet<Vec<(String, usize)>> = states_after_a_crash(before.path(), &done, 0)
        .iter()
        .map(|(_, state)| {
            let length = |name: String| {
                let length = fs::read(state.path().join(&name)).unwrap().len();
                (name, length)
            };
            state.names().into_iter().map(length).collect()
        })
        .collect();
    let expected = [
        vec![("old".to_owned(), 5)],
        vec![("new".to_owned(), 0), ("old".to_owned(), 5)],
        vec![("old".to_owned(), 0)],
    ];
    assert_eq!(states, BTreeSet::from(expected));
}
