use std::io;
use std::path::{Path, PathBuf};

use super::prefix::{Files, Part, Prefix};
use super::set_aside::Replaced;
use super::writer_options::{Durability, Existing};
use crate::error::{Error, Printable, Result};
use crate::store::{Moves, PendingFile, Stuck, disk, platform};

/// A bundle on its way to its place: the finished files of one prefix, which become visible
/// together.
///
/// [`new`](Self::new) makes sure that the prefix is free before anything is written,
/// [`shard`](Self::shard) takes the data files in their order, and [`publish`](Self::publish) puts
/// all in place. Dropped before, the files are removed.
///
/// # What a crash leaves
///
/// The index is what makes a bundle: without one, no reader looks at its shards. So it is the first
/// to leave and the last to come, and its absence covers all that happens between:
///
/// ```text
/// 1  files are synced      else a name could come to stand for bytes that never arrived
/// 2  old index → aside     else an index could name shards that have left, or new ones
///    directory synced      (also where there is no index: its absence may be news to the disk)
/// 3  old shards → aside    else a new shard could take the name of an old one that has no other
///    directory synced
/// 4  new shards → places   else the index could name shards that never came
///    directory synced
/// 5  new index → place     the new bundle is there
///    directory synced      else the old one could be gone and the new one not there
/// 6  old files removed     index first: a set of shards without one is known to be left over
/// ```
///
/// Until 2 the old bundle is there, from 5 on the new one, and between them none, with the old one
/// set aside under names that end in `.set-aside-` and two numbers. Of a bundle that was being set
/// aside, what has not left its place is where it was: a shard whose name stands aside as well is a
/// new one. So the old bundle is complete at each moment, and [`recover`](super::recover) puts it
/// back, as does taking back the moves one by one where an operation fails.
#[derive(Debug)]
pub(crate) struct Publication {
    prefix: Prefix,
    existing: Existing,
    durability: Durability,
    /// Directories that got an entry for a directory that was made for this bundle.
    grown: Vec<PathBuf>,
    shards: Vec<PendingFile>,
}

impl Publication {
    /// Prepares the publication of a bundle under that prefix. Missing directories are made.
    pub(crate) fn new(prefix: &Path, existing: Existing, durability: Durability) -> Result<Self> {
        let mut publication = Publication {
            prefix: Prefix::new(prefix)?,
            existing,
            durability,
            grown: Vec::new(),
            shards: Vec::new(),
        };
        publication.admitted()?;
        let directory = publication.prefix.directory();
        publication.grown = disk::create_directories(directory).map_err(in_file(directory))?;
        Ok(publication)
    }

    /// Returns the place of the index.
    pub(crate) fn index_path(&self) -> PathBuf {
        self.prefix.place(&Part::Index)
    }

    /// Returns the place of a data file. While the number of shards is not known, any will do to
    /// create its [`PendingFile`]: publishing gives it the right name.
    pub(crate) fn shard_path(&self, shard: usize, count: usize) -> PathBuf {
        self.prefix.place(&shard_part(shard, count))
    }

    /// Takes the next data file: shard 0 comes first.
    pub(crate) fn shard(&mut self, file: PendingFile) {
        self.shards.push(file);
    }

    /// Takes what another publication of the same prefix prepared, and nothing of its shards.
    pub(crate) fn join(&mut self, other: Publication) {
        self.grown.extend(other.grown);
    }

    /// Puts the files in place.
    ///
    /// # Errors
    ///
    /// `Io` as the system has it, and `InvalidArgument` if a file came to be in the way. The files
    /// are removed then, and what was there is there again; where even that fails, the error says
    /// where it is. If removing the replaced files is what fails, the new bundle is in place.
    pub(crate) fn publish(mut self, index: PendingFile) -> Result<()> {
        let shards = std::mem::take(&mut self.shards);
        let count = shards.len();
        let mut new: Vec<(PendingFile, Part)> = shards
            .into_iter()
            .enumerate()
            .map(|(shard, file)| (file, shard_part(shard, count)))
            .collect();
        new.push((index, Part::Index));
        if self.durability == Durability::Sync {
            for (file, part) in &new {
                file.sync().map_err(in_file(&self.prefix.place(part)))?;
            }
        }
        let _turn = platform::lock_directory(self.prefix.directory());
        let files = self.admitted()?;
        let parts = new.iter().map(|(_, part)| part);
        let old = match self.existing {
            Existing::Refuse => Replaced::default(),
            Existing::Replace => Replaced::among(&self.prefix, &files, parts),
        };
        let mut moves = Moves::new(match self.durability {
            Durability::Sync => vec![self.prefix.directory().to_owned()],
            Durability::None => Vec::new(),
        });
        if let Err(error) = self.exchange(&old, &new, &mut moves) {
            return Err(match moves.take_back() {
                Ok(()) => error,
                Err(stuck) => self.left_behind(error, stuck, &old),
            });
        }
        for (file, _) in new {
            file.keep();
        }
        old.remove()
    }

    fn exchange(
        &self,
        old: &Replaced,
        new: &[(PendingFile, Part)],
        moves: &mut Moves,
    ) -> Result<()> {
        let in_directory = in_file(self.prefix.directory());
        if let Some((from, to)) = &old.index {
            moves.rename(from, to).map_err(in_file(from))?;
        }
        // Also what others did here and did not wait for: that there is no index must be true on
        // the disk.
        moves.settle().map_err(&in_directory)?;
        for (from, to) in &old.shards {
            moves.rename(from, to).map_err(in_file(from))?;
        }
        moves.settle().map_err(&in_directory)?;
        for (file, part) in new {
            if *part == Part::Index {
                moves.settle().map_err(&in_directory)?;
            }
            let place = self.prefix.place(part);
            moves.rename(file.path(), &place).map_err(in_file(&place))?;
        }
        moves.settle().map_err(&in_directory)?;
        if self.durability == Durability::Sync {
            for directory in &self.grown {
                disk::sync_directory(directory).map_err(in_file(directory))?;
            }
        }
        Ok(())
    }

    /// Looks at what is there, and refuses it where it is not to be replaced.
    fn admitted(&self) -> Result<Files> {
        let files = self.prefix.files()?;
        if self.existing == Existing::Replace {
            return Ok(files);
        }
        if let Some(mark) = files.latest_aside()
            && !files.has_index()
        {
            return Err(Error::invalid_argument(
                "there is a bundle already, set aside when replacing it was cut short",
            )
            .in_file(self.prefix.aside(&Part::Index, mark))
            .remedy("put it back with `bundle::recover`, or ask for `Existing::Replace`"));
        }
        match files.in_place.first() {
            None => Ok(files),
            Some(part) => Err(Error::invalid_argument("there is a file already")
                .in_file(self.prefix.place(part))
                .remedy("choose another prefix, or ask for `Existing::Replace`")),
        }
    }

    /// Says where everything is after neither publishing nor taking it back went through.
    fn left_behind(&self, error: Error, stuck: Stuck, old: &Replaced) -> Error {
        let show = |path: &Path| Printable(&*path.to_string_lossy()).to_string();
        let stuck = format!(
            "moving `{}` back to `{}` failed too: {}",
            show(&stuck.path),
            show(&stuck.back),
            stuck.error
        );
        let index = old.aside_index().filter(|path| path.exists()).map(show);
        error.better_remedy(match index {
            Some(index) if self.index_path().exists() => format!(
                "{stuck}; the new bundle is in place, and the one it replaces set aside as `{index}`"
            ),
            Some(index) => format!(
                "{stuck}; the bundle that was there is set aside as `{index}`: put it back with `bundle::recover`"
            ),
            None => stuck,
        })
    }
}

fn shard_part(shard: usize, count: usize) -> Part {
    Part::Shard {
        shard: shard as u64,
        count: count as u64,
    }
}

/// Returns what makes the system's word an error of that file.
pub(super) fn in_file(path: &Path) -> impl Fn(io::Error) -> Error {
    move |error| Error::from(error).in_file(path)
}
