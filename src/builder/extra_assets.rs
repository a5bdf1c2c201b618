use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use super::constants::EXTRA_ASSETS_DIRECTORY;
use crate::error::{Error, Result};

/// Files for the serving system, by their names in `assets.extra`.
#[derive(Debug, Default)]
pub(super) struct ExtraAssets(Vec<(String, Content)>);

/// What is in such a file.
#[derive(Debug)]
pub(super) enum Content {
    /// What is in the file of that path.
    File(PathBuf),
    Bytes(Vec<u8>),
}

impl ExtraAssets {
    pub(super) fn add(&mut self, name: &str, content: Content) -> Result<()> {
        if !crate::store::stays_inside(name) {
            let what = format!("the name {name:?} leads out of `{EXTRA_ASSETS_DIRECTORY}`");
            return Err(Error::invalid_argument(what));
        }
        if self.0.iter().any(|(there, _)| there == name) {
            let what = format!("`{EXTRA_ASSETS_DIRECTORY}` has a file {name:?} already");
            return Err(Error::invalid_argument(what));
        }
        self.0.push((name.to_owned(), content));
        Ok(())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Content)> {
        self.0.iter().map(|(name, content)| (&**name, content))
    }
}

impl Content {
    pub(super) fn write_to(&self, out: &mut impl Write) -> Result<()> {
        match self {
            Content::Bytes(bytes) => Ok(out.write_all(bytes)?),
            Content::File(path) => {
                let in_file = |error| Error::from(error).in_file(path);
                let mut source = File::open(path).map_err(in_file)?;
                io::copy(&mut source, out).map_err(in_file)?;
                Ok(())
            }
        }
    }
}
