use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::header::Header;
use super::options::read_header;
use super::prefix::{Files, Mark, Part, Prefix};
use super::publication::in_file;
use crate::error::Result;
use crate::store::{LocalStore, Mapping, Moves, Store, disk, platform};
use crate::table;

/// The files that a new bundle replaces: where they are and where they are set aside.
#[derive(Debug, Default)]
pub(crate) struct Replaced {
    /// Place and name aside of the index, if it is to be moved, and of shards.
    pub(crate) index: Option<(PathBuf, PathBuf)>,
    pub(crate) shards: Vec<(PathBuf, PathBuf)>,
    /// What is aside once all is moved, the index first.
    aside: Vec<PathBuf>,
    has_index: bool,
    /// What belongs to no bundle: it goes when the new one is there.
    left_over: Vec<PathBuf>,
}

impl Replaced {
    /// Finds what a bundle of the parts `new` replaces.
    ///
    /// That is the bundle in place: its index and the shards this names, and what else has the name
    /// of a new file. If the index cannot be read it is all shards. If there is no index, the bundle
    /// that a crash left set aside is meant, and setting it aside is completed: files of it that are
    /// in place follow, and other shards are of the bundle that never came to be.
    pub(crate) fn among<'a>(
        prefix: &Prefix,
        files: &Files,
        new: impl Iterator<Item = &'a Part>,
    ) -> Self {
        let new: BTreeSet<&Part> = new.collect();
        let mut left_over = Vec::new();
        for (mark, parts) in &files.set_aside {
            // Removing them was cut short: the index is first to go, and last to come back.
            if parts.first() != Some(&Part::Index) {
                left_over.extend(parts.iter().map(|part| prefix.aside(part, *mark)));
            }
        }
        let continued = files.latest_aside().filter(|_| !files.has_index());
        let (mark, mut aside) = match continued {
            Some(mark) => (mark, files.set_aside[&mark].clone()),
            None => (files.next_mark(), Vec::new()),
        };
        let index = match continued {
            Some(mark) => Some(prefix.aside(&Part::Index, mark)),
            None if files.has_index() => Some(prefix.place(&Part::Index)),
            None => None,
        };
        let named = index.as_deref().and_then(shard_count);
        let mut replaced = Replaced {
            has_index: index.is_some(),
            ..Replaced::default()
        };
        for part in &files.in_place {
            let place = prefix.place(part);
            let is_new = new.contains(part);
            if continued.is_some_and(|mark| never_came_to_be(part, files, mark, named)) {
                left_over.extend((!is_new).then_some(place));
            } else if is_new || part.is_named(named) {
                let to = prefix.aside(part, mark);
                match part {
                    Part::Index => replaced.index = Some((place, to)),
                    Part::Shard { .. } => replaced.shards.push((place, to)),
                }
                aside.push(part.clone());
            }
        }
        replaced.aside = aside.iter().map(|part| prefix.aside(part, mark)).collect();
        replaced.left_over = left_over;
        replaced
    }

    /// Returns where the index is once all is moved.
    pub(crate) fn aside_index(&self) -> Option<&Path> {
        self.aside
            .first()
            .map(PathBuf::as_path)
            .filter(|_| self.has_index)
    }

    /// Removes what was set aside, and what was left over before.
    pub(crate) fn remove(self) -> Result<()> {
        let mut failed = None;
        for (number, path) in self.aside.iter().chain(&self.left_over).enumerate() {
            let Err(error) = disk::remove(path) else {
                continue;
            };
            let error = in_file(path)(error);
            failed.get_or_insert(error);
            // Shards without their index would be of no use to anybody.
            if number == 0 && self.has_index {
                break;
            }
        }
        match failed {
            None => Ok(()),
            Some(error) => Err(error.remedy(
                "the new bundle is in place and complete: remove this file, which is of the bundle it replaced",
            )),
        }
    }
}

/// What [`recover`] found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recovery {
    /// No bundle of that prefix is set aside.
    Nothing,
    /// The bundle that was set aside is in its place again.
    Restored,
    /// A bundle is in place, and nothing was changed. The one set aside is older: its files can be
    /// removed.
    InPlace {
        /// The files that are set aside.
        set_aside: Vec<PathBuf>,
    },
}

/// Puts the bundle of that prefix back that was set aside, if replacing it was cut short.
///
/// [`Existing::Replace`](super::Existing::Replace) sets the files of the old bundle aside before
/// the new ones come: `ckpt-1.index` as `ckpt-1.index.set-aside-0-4711`, and its shards alike. A
/// process that dies in that moment leaves neither bundle in place, and the old one complete. Files
/// move back one by one, the index last, so this can be cut short and called again as well.
/// Replacing once more needs no recovery. Of several that are set aside it is the latest.
///
/// ```
/// use savedmodel::bundle::{Recovery, recover};
/// use savedmodel::{BundleReader, BundleWriter, Tensor};
///
/// # let directory = std::env::temp_dir().join(format!("savedmodel-recover-{}", std::process::id()));
/// let prefix = directory.join("ckpt-1");
/// let mut bundle = BundleWriter::create(&prefix)?;
/// bundle.add("step", &Tensor::scalar(7i64))?;
/// bundle.finish()?;
/// assert_eq!(recover(&prefix)?, Recovery::Nothing);
///
/// // What a crash leaves that comes while the bundle is replaced:
/// let aside = directory.join("ckpt-1.index.set-aside-0-4711");
/// std::fs::rename(directory.join("ckpt-1.index"), &aside)?;
/// let error = BundleReader::open(&prefix).unwrap_err();
/// assert!(error.help().unwrap().contains("set-aside"));
///
/// assert_eq!(recover(&prefix)?, Recovery::Restored);
/// assert_eq!(*BundleReader::open(&prefix)?.tensor("step")?.values::<i64>()?, [7]);
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// `InvalidArgument` if the prefix ends with no name, and `Io` as the system has it: what is set
/// aside is not lost then.
pub fn recover(prefix: impl AsRef<Path>) -> Result<Recovery> {
    let prefix = Prefix::new(prefix.as_ref())?;
    let _turn = platform::lock_directory(prefix.directory());
    let files = prefix.files()?;
    if files.has_index() {
        let set_aside: Vec<PathBuf> = files
            .set_aside
            .iter()
            .flat_map(|(mark, parts)| parts.iter().map(|part| prefix.aside(part, *mark)))
            .collect();
        return Ok(match set_aside.is_empty() {
            true => Recovery::Nothing,
            false => Recovery::InPlace { set_aside },
        });
    }
    let Some(mark) = files.latest_aside() else {
        return Ok(Recovery::Nothing);
    };
    let in_directory = in_file(prefix.directory());
    let mut moves = Moves::new(vec![prefix.directory().to_owned()]);
    // What led here may have waited for nothing.
    moves.settle().map_err(&in_directory)?;
    let named = shard_count(&prefix.aside(&Part::Index, mark));
    // While no index could name them.
    for part in &files.in_place {
        if never_came_to_be(part, &files, mark, named) {
            let place = prefix.place(part);
            disk::remove(&place).map_err(in_file(&place))?;
        }
    }
    // From the back: the index comes first.
    for part in files.set_aside[&mark].iter().rev() {
        if *part == Part::Index {
            moves.settle().map_err(&in_directory)?;
        }
        let aside = prefix.aside(part, mark);
        // Over a shard of the bundle that never came to be.
        let moved = moves.rename(&aside, &prefix.place(part));
        moved.map_err(in_file(&aside))?;
    }
    moves.settle().map_err(in_directory)?;
    Ok(Recovery::Restored)
}

/// Says whether a shard that is in place without an index is of a bundle that was cut short in
/// replacing the one set aside, of which the index names so many shards.
fn never_came_to_be(part: &Part, files: &Files, mark: Mark, named: Option<u64>) -> bool {
    // Of several that are set aside, an older one may have shards in place.
    let is_only = files.bundles_aside() == 1;
    files.set_aside[&mark].contains(part) || is_only && !part.is_named(named)
}

/// Returns how many shards an index names; `None` if it cannot be read.
fn shard_count(index: &Path) -> Option<u64> {
    let name = index.file_name()?.to_str()?;
    let store = LocalStore::new(disk::parent_of(index)).with_mapping(Mapping::Never);
    let table = table::Reader::new(store.open(name).ok()?).ok()?;
    let Header { num_shards, .. } = read_header(&table).ok()?;
    Some(num_shards.into())
}
