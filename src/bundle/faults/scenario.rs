use std::fs;
use std::path::Path;

use crate::bundle::{BundleReader, BundleWriter, Durability, Existing, Recovery, recover};
use crate::error::{ErrorKind, Result};
use crate::store::faults::{Done, Fault, Faults};
use crate::store::platform::TestDirectory;
use crate::tensor::Tensor;

/// A bundle of so many shards that is to come, and one that is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    pub(super) old: Option<usize>,
    pub(super) new: usize,
}

pub(super) const SCENARIOS: [Scenario; 6] = [
    Scenario { old: None, new: 1 },
    Scenario {
        old: Some(1),
        new: 1,
    },
    Scenario {
        old: Some(2),
        new: 1,
    },
    Scenario {
        old: Some(1),
        new: 2,
    },
    Scenario {
        old: Some(2),
        new: 2,
    },
    Scenario { old: None, new: 2 },
];

/// What a reader finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// No bundle, and none set aside.
    Nothing,
    Old,
    New,
    /// No bundle, and the old one where it can be put back.
    SetAside,
}

/// What values a bundle has.
#[derive(Clone, Copy)]
enum Generation {
    Old = 1,
    New = 2,
    Later = 3,
}

/// What came of writing the new bundle.
pub(super) struct Run {
    pub(super) directory: Directory,
    pub(super) result: Result<()>,
    pub(super) done: Vec<Done>,
    pub(super) tried: usize,
}

impl Scenario {
    /// Makes a directory with what is there before.
    pub(super) fn directory(self) -> Directory {
        let directory = Directory(TestDirectory::in_memory("faults"));
        if let Some(shards) = self.old {
            let generation = Generation::Old;
            write(directory.path(), shards, generation, Durability::None).unwrap();
        }
        directory
    }

    /// Writes the new bundle.
    pub(super) fn run(self, fault: Fault, durability: Durability) -> Run {
        let directory = self.directory();
        let faults = Faults::below(directory.path(), fault);
        let result = write_new(directory.path(), self.new, durability);
        Run {
            result,
            done: faults.done(),
            tried: faults.tried(),
            directory,
        }
    }

    /// Returns what leaves the old bundle set aside, each ending after another operation.
    pub(super) fn crashed(self, durability: Durability) -> Vec<Run> {
        let mut crashed = Vec::new();
        for at in 0.. {
            let fault = Fault::FailFrom(at, std::io::ErrorKind::Other);
            let run = self.run(fault, durability);
            if run.tried <= at {
                break;
            }
            if self.outcome(&run.directory) == Outcome::SetAside {
                crashed.push(run);
            }
        }
        assert_eq!(crashed.is_empty(), self.old.is_none());
        crashed
    }

    pub(super) fn before(self) -> Outcome {
        match self.old {
            None => Outcome::Nothing,
            Some(_) => Outcome::Old,
        }
    }

    pub(super) fn names_before(self) -> Vec<String> {
        self.old.map_or(Vec::new(), names_of)
    }

    pub(super) fn names_after(self) -> Vec<String> {
        names_of(self.new)
    }

    /// Says what a reader finds, which must be one bundle whole or none, and what recovery makes of
    /// it.
    pub(super) fn outcome(self, directory: &Directory) -> Outcome {
        for name in directory.names() {
            let is_picked_up = name.ends_with(".index") || name.ends_with(['1', '2']);
            let is_set_apart = name.contains(".tempstate") || name.contains(".set-aside-");
            let is_known = [1, 2]
                .iter()
                .any(|&shards| names_of(shards).contains(&name));
            assert!(is_known || is_set_apart || !is_picked_up, "{name}");
        }
        if let Some(outcome) = self.found(directory.path()) {
            return outcome;
        }
        let copy = directory.copy();
        match recover(copy.path().join("b")).unwrap() {
            Recovery::Restored => {
                let restored = self.found(copy.path());
                assert_eq!(restored, Some(Outcome::Old), "{:?}", directory.names());
                Outcome::SetAside
            }
            recovery => {
                assert_eq!(recovery, Recovery::Nothing);
                Outcome::Nothing
            }
        }
    }

    fn found(self, directory: &Path) -> Option<Outcome> {
        let bundle = match BundleReader::open(directory.join("b")) {
            Ok(bundle) => bundle,
            Err(error) => {
                let is_none = matches!(error.kind(), ErrorKind::NotFound { .. });
                assert!(is_none, "{error}");
                return None;
            }
        };
        let is = |shards, generation| {
            bundle.entries().count() == shards
                && (0..shards).all(|shard| {
                    let tensor = bundle.tensor(key(shard));
                    tensor.is_ok_and(|tensor| tensor == values(shard, generation))
                })
        };
        if self.old.is_some_and(|shards| is(shards, Generation::Old)) {
            return Some(Outcome::Old);
        }
        assert!(
            is(self.new, Generation::New),
            "neither old nor new: {self:?}"
        );
        Some(Outcome::New)
    }

    /// Replaces what a crash left, which must leave nothing of it but what nobody can know to be
    /// useless.
    pub(super) fn replace_again(self, directory: &Directory) {
        let in_place = self.found(directory.path());
        for shards in [1, 2] {
            let again = directory.copy();
            let generation = Generation::Later;
            write(again.path(), shards, generation, Durability::None).unwrap();
            let bundle = BundleReader::open(again.path().join("b")).unwrap();
            for shard in 0..shards {
                let tensor = bundle.tensor(key(shard)).unwrap();
                assert!(tensor == values(shard, generation));
            }
            // A bundle that came to be may have been killed before it could remove its predecessor.
            let left: &[&str] = match in_place {
                Some(Outcome::New) => &[".tempstate", ".set-aside-"],
                _ => &[".tempstate"],
            };
            assert_eq!(again.names_without(left), names_of(shards));
        }
    }
}

/// Writes the new bundle over what is there.
pub(super) fn write_new(directory: &Path, shards: usize, durability: Durability) -> Result<()> {
    write(directory, shards, Generation::New, durability)
}

fn key(shard: usize) -> String {
    format!("shard {shard}")
}

fn values(shard: usize, generation: Generation) -> Tensor {
    let length = 20 + 3 * shard + generation as usize;
    let value = 10 * generation as usize + shard;
    Tensor::from_slice([length], &vec![value as f32; length]).unwrap()
}

fn names_of(shards: usize) -> Vec<String> {
    let shard_names = (0..shards).map(|shard| format!("b.data-{shard:05}-of-{shards:05}"));
    shard_names.chain(["b.index".to_owned()]).collect()
}

fn write(
    directory: &Path,
    shards: usize,
    generation: Generation,
    durability: Durability,
) -> Result<()> {
    let prefix = directory.join("b");
    let existing = Existing::Replace;
    let writers = (0..shards).map(|shard| {
        let mut bundle = BundleWriter::options()
            .existing(existing)
            .durability(durability)
            .create(&prefix)?;
        bundle.add(key(shard), &values(shard, generation))?;
        Ok(bundle)
    });
    BundleWriter::finish_together(writers.collect::<Result<Vec<_>>>()?)
}

/// A directory of its own, with few and small files.
pub(super) struct Directory(pub(super) TestDirectory);

impl Directory {
    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(super) fn names_without(&self, marks: &[&str]) -> Vec<String> {
        let mut names = self.names();
        names.retain(|name| !marks.iter().any(|mark| name.contains(mark)));
        names
    }

    pub(super) fn copy(&self) -> Directory {
        let copy = Directory(TestDirectory::in_memory("faults"));
        for name in self.names() {
            fs::copy(self.path().join(&name), copy.path().join(&name)).unwrap();
        }
        copy
    }
}
