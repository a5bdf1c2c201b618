use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::writer_options::{Durability, Existing};
use crate::error::{Error, Result};
use crate::store::{PendingFile, platform};

/// A bundle on its way to its place: the finished files of one prefix, which become visible
/// together.
///
/// [`new`](Self::new) makes sure that the prefix is free before anything is written,
/// [`shard`](Self::shard) takes the data files in their order, and [`publish`](Self::publish) puts
/// all in place, the index last. Dropped before, the files are removed.
#[derive(Debug)]
pub(crate) struct Publication {
    /// The prefix's last part.
    name: String,
    directory: PathBuf,
    existing: Existing,
    durability: Durability,
    /// Directories whose entries are to survive a crash: that of the bundle, and those above the
    /// ones that were made for it.
    directories: Vec<PathBuf>,
    shards: Vec<PendingFile>,
}

impl Publication {
    /// Prepares the publication of a bundle under that prefix. Missing directories are made.
    pub(crate) fn new(prefix: &Path, existing: Existing, durability: Durability) -> Result<Self> {
        let Some(name) = prefix.file_name().and_then(|name| name.to_str()) else {
            return Err(Error::invalid_argument(
                "a bundle's prefix ends with a name in Unicode, as in `variables/variables`",
            )
            .in_file(prefix));
        };
        let directory = match prefix.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let mut publication = Publication {
            name: name.to_owned(),
            directory: directory.to_owned(),
            existing,
            durability,
            directories: vec![directory.to_owned()],
            shards: Vec::new(),
        };
        publication.refuse_existing()?;
        for missing in directory.ancestors().take_while(|path| !path.exists()) {
            let parent = missing.parent().filter(|path| *path != Path::new(""));
            let parent = parent.unwrap_or(Path::new("."));
            publication.directories.push(parent.to_owned());
        }
        fs::create_dir_all(directory).map_err(in_file(directory))?;
        Ok(publication)
    }

    /// Returns the place of the index.
    pub(crate) fn index_path(&self) -> PathBuf {
        self.directory.join(format!("{}.index", self.name))
    }

    /// Returns the place of a data file. While the number of shards is not known, any will do to
    /// create its [`PendingFile`]: publishing gives it the right name.
    pub(crate) fn shard_path(&self, shard: usize, count: usize) -> PathBuf {
        let name = &self.name;
        self.directory
            .join(format!("{name}.data-{shard:05}-of-{count:05}"))
    }

    /// Takes the next data file: shard 0 comes first.
    pub(crate) fn shard(&mut self, file: PendingFile) {
        self.shards.push(file);
    }

    /// Puts the files in place, the index last.
    ///
    /// # Errors
    ///
    /// `Io` as the system has it, and `InvalidArgument` if a file came to be in the way. The files
    /// are removed.
    pub(crate) fn publish(mut self, index: PendingFile) -> Result<()> {
        let shards = std::mem::take(&mut self.shards);
        let paths: Vec<PathBuf> = (0..shards.len())
            .map(|shard| self.shard_path(shard, shards.len()))
            .collect();
        let index_path = self.index_path();
        if self.durability == Durability::Sync {
            for (file, path) in shards.iter().zip(&paths).chain([(&index, &index_path)]) {
                file.file().sync_all().map_err(in_file(path))?;
            }
        }
        self.refuse_existing()?;
        for (moved, (file, path)) in shards.into_iter().zip(&paths).enumerate() {
            if let Err(error) = file.move_to(path) {
                self.take_back(&paths[..moved]);
                return Err(in_file(path)(error));
            }
        }
        if let Err(error) = index.move_to(&index_path) {
            self.take_back(&paths);
            return Err(in_file(&index_path)(error));
        }
        if self.durability == Durability::Sync {
            for directory in &self.directories {
                platform::sync_directory(directory).map_err(in_file(directory))?;
            }
        }
        Ok(())
    }

    fn take_back(&self, paths: &[PathBuf]) {
        if self.existing == Existing::Refuse {
            for path in paths {
                let _ = fs::remove_file(path);
            }
        }
    }

    fn refuse_existing(&self) -> Result<()> {
        if self.existing == Existing::Replace {
            return Ok(());
        }
        for path in [self.index_path(), self.shard_path(0, 1)] {
            // A link that leads nowhere would be replaced as well.
            if path.symlink_metadata().is_ok() {
                return Err(Error::invalid_argument("there is a file already")
                    .in_file(path)
                    .remedy("choose another prefix, or ask for `Existing::Replace`"));
            }
        }
        Ok(())
    }
}

/// Returns what makes the system's word an error of that file.
fn in_file(path: &Path) -> impl Fn(io::Error) -> Error {
    move |error| Error::from(error).in_file(path)
}
