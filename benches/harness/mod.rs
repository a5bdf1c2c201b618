//! What the benches share: sides that are measured in turns, and the table they end in.

pub(crate) mod compare;
pub(crate) mod meter;
pub(crate) mod peer;
pub(crate) mod side;

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

pub(crate) const PYTHON: &str = "SAVEDMODEL_TF_PYTHON";
pub(crate) const DIRECTORY: &str = "SAVEDMODEL_BENCH_DIR";
const ROUNDS: &str = "SAVEDMODEL_BENCH_ROUNDS";

pub(crate) fn rounds() -> Result<usize> {
    Ok(env::var(ROUNDS).map_or(Ok(7), |rounds| rounds.parse())?)
}

/// Where the data goes. Removed at the end unless the caller named the directory.
pub(crate) struct DataDirectory {
    path: PathBuf,
    keep: bool,
}

impl DataDirectory {
    pub(crate) fn new(bench: &str) -> Result<Self> {
        let (path, keep) = match env::var_os(DIRECTORY) {
            Some(path) => (path.into(), true),
            None => (Path::new(env!("CARGO_TARGET_TMPDIR")).join(bench), false),
        };
        fs::create_dir_all(&path)?;
        Ok(DataDirectory { path, keep })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DataDirectory {
    fn drop(&mut self) {
        if !self.keep {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
