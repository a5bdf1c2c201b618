use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::store::{disk, random_number};

/// What the files of a bundle have in common: a directory, and a name to begin with.
#[derive(Clone, Debug)]
pub(crate) struct Prefix {
    directory: PathBuf,
    name: String,
}

/// What a file of a bundle is, as the end of its name says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Index,
    Shard { shard: u64, count: u64 },
}

/// A mark at the end of the names of files that were set aside together. They compare as they came
/// into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    /// One more than that of any mark that was there.
    sequence: u64,
    /// Two writers that do not see each other have marks of their own.
    random: u64,
}

/// The files of one prefix, as they were found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// The index first, if there is one.
    pub(crate) in_place: Vec<Part>,
    /// What stands aside, the latest last.
    pub(crate) set_aside: BTreeMap<Mark, Vec<Part>>,
    /// A directory that has the name of a file.
    directory: Option<PathBuf>,
}

const SET_ASIDE: &str = ".set-aside-";

impl Prefix {
    pub(crate) fn new(prefix: &Path) -> Result<Self> {
        let Some(name) = prefix.file_name().and_then(|name| name.to_str()) else {
            return Err(Error::invalid_argument(
                "a bundle's prefix ends with a name in Unicode, as in `variables/variables`",
            )
            .in_file(prefix));
        };
        Ok(Prefix {
            directory: disk::parent_of(prefix).to_owned(),
            name: name.to_owned(),
        })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the place of a file.
    pub(crate) fn place(&self, part: &Part) -> PathBuf {
        self.directory.join(part.name(&self.name))
    }

    /// Returns where a file is when it is set aside.
    pub(crate) fn aside(&self, part: &Part, mark: Mark) -> PathBuf {
        let Mark { sequence, random } = mark;
        let name = part.name(&self.name);
        self.directory
            .join(format!("{name}{SET_ASIDE}{sequence}-{random}"))
    }

    /// Looks which files there are.
    pub(crate) fn files(&self) -> Result<Files> {
        let mut files = Files::default();
        let in_directory = |error| Error::from(error).in_file(&self.directory);
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
            entries => entries.map_err(in_directory)?,
        };
        for entry in entries {
            let entry = entry.map_err(in_directory)?;
            let name = entry.file_name();
            let Some((part, mark)) = name.to_str().and_then(|name| read(name, &self.name)) else {
                continue;
            };
            if entry.file_type().map_err(in_directory)?.is_dir() {
                files.directory = Some(entry.path());
            }
            match mark {
                None => files.in_place.push(part),
                Some(mark) => files.set_aside.entry(mark).or_default().push(part),
            }
        }
        files.in_place.sort_unstable();
        files.set_aside.values_mut().for_each(|parts| parts.sort());
        match &files.directory {
            Some(directory) => Err(Error::invalid_argument(
                "a directory has the name of a bundle's file",
            )
            .in_file(directory)),
            None => Ok(files),
        }
    }
}

impl Part {
    fn name(&self, prefix: &str) -> String {
        match self {
            Part::Index => format!("{prefix}.index"),
            Part::Shard { shard, count } => format!("{prefix}.data-{shard:05}-of-{count:05}"),
        }
    }

    /// Says whether it belongs to a bundle of so many shards, or of nobody knows how many.
    pub(crate) fn is_named(&self, shards: Option<u64>) -> bool {
        match (self, shards) {
            (Part::Index, _) | (_, None) => true,
            (Part::Shard { shard, count }, Some(shards)) => *count == shards && *shard < shards,
        }
    }
}

impl Files {
    pub(crate) fn has_index(&self) -> bool {
        self.in_place.first() == Some(&Part::Index)
    }

    /// Returns the mark of the bundle that was set aside last, and still is.
    pub(crate) fn latest_aside(&self) -> Option<Mark> {
        self.marks_aside().last()
    }

    /// Returns how many bundles are set aside.
    pub(crate) fn bundles_aside(&self) -> usize {
        self.marks_aside().count()
    }

    fn marks_aside(&self) -> impl Iterator<Item = Mark> {
        let with_index = |parts: &[Part]| parts.first() == Some(&Part::Index);
        let sets = self.set_aside.iter();
        sets.filter_map(move |(mark, parts)| with_index(parts).then_some(*mark))
    }

    /// Returns a mark that comes behind all others.
    pub(crate) fn next_mark(&self) -> Mark {
        let last = self.set_aside.last_key_value();
        Mark {
            sequence: last.map_or(0, |(mark, _)| mark.sequence.saturating_add(1)),
            random: random_number(),
        }
    }
}

/// Reads the name of a file of the bundle `prefix`; `None` for any other.
fn read(name: &str, prefix: &str) -> Option<(Part, Option<Mark>)> {
    let rest = name.strip_prefix(prefix)?.strip_prefix('.')?;
    let (part, mark) = match rest.split_once(SET_ASIDE) {
        None => (rest, None),
        Some((part, mark)) => {
            let (sequence, random) = mark.split_once('-')?;
            let mark = Mark {
                sequence: sequence.parse().ok()?,
                random: random.parse().ok()?,
            };
            (part, Some(mark))
        }
    };
    let part = match part.strip_prefix("data-") {
        None if part == "index" => Part::Index,
        None => return None,
        Some(numbers) => {
            let (shard, count) = numbers.split_once("-of-")?;
            Part::Shard {
                shard: shard.parse().ok()?,
                count: count.parse().ok()?,
            }
        }
    };
    // Numbers can be written in several ways, and these files have one.
    let written = match mark {
        None => part.name(prefix),
        Some(Mark { sequence, random }) => {
            format!("{}{SET_ASIDE}{sequence}-{random}", part.name(prefix))
        }
    };
    (written == name).then_some((part, mark))
}

/// Says whether a file of that name is the index of some bundle that was set aside.
pub(crate) fn is_index_aside(name: &str) -> bool {
    let index = format!(".index{SET_ASIDE}");
    let prefix = name.rsplit_once(&index).map(|(prefix, _)| prefix);
    prefix.is_some_and(|prefix| read(name, prefix).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let prefix = Prefix::new(Path::new("d/a.b-1")).unwrap();
        let mark = Mark {
            sequence: 3,
            random: u64::MAX,
        };
        let parts = [
            Part::Index,
            Part::Shard { shard: 1, count: 2 },
            Part::Shard {
                shard: 123_456,
                count: 200_000,
            },
        ];
        for part in parts {
            for (path, mark) in [
                (prefix.place(&part), None),
                (prefix.aside(&part, mark), Some(mark)),
            ] {
                let name = path.file_name().unwrap().to_str().unwrap();
                assert_eq!(read(name, "a.b-1"), Some((part.clone(), mark)));
                assert_eq!(read(name, "a.b"), None);
                assert_eq!(
                    is_index_aside(name),
                    part == Part::Index && mark.is_some(),
                    "{name}"
                );
            }
        }
        assert_eq!(
            prefix.aside(&Part::Shard { shard: 0, count: 1 }, mark),
            Path::new("d/a.b-1.data-00000-of-00001.set-aside-3-18446744073709551615")
        );
    }

    #[test]
    fn names_of_other_files_are_none_of_a_bundle() {
        for name in [
            "b",
            "b.",
            "b.indexes",
            "b.index.set-aside-1",
            "b.index.set-aside-1-x",
            "b.index.set-aside-01-2",
            "b.index.tempstate1",
            "b.data-0-of-1",
            "b.data-00000-of-00001x",
            "b.data-00000-of-00001.tempstate77",
            "b.data-+0000-of-00001",
            "bb.index",
        ] {
            assert_eq!(read(name, "b"), None, "{name}");
        }
    }
}
