use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Which file of `assets` each source becomes, in all meta graphs of a model.
///
/// A name that another file has gets a number, unless both have the same content:
/// `get_asset_filename_to_add` in `tensorflow/python/saved_model/builder_impl.py`. Other than there one
/// name never stands for two files of different meta graphs.
#[derive(Debug, Default)]
pub(super) struct AssetNames {
    sources: BTreeMap<String, PathBuf>,
    given: HashMap<PathBuf, String>,
}

impl AssetNames {
    /// Returns the name for a source.
    pub(super) fn name(&mut self, source: &Path) -> Result<String> {
        if let Some(name) = self.given.get(source) {
            return Ok(name.clone());
        }
        let base = source.file_name().and_then(|name| name.to_str());
        let Some(base) = base.filter(|_| source.is_file()) else {
            return Err(Error::not_found("asset").in_file(source));
        };
        let mut name = base.to_owned();
        let mut number = 0;
        while let Some(there) = self.sources.get(&name) {
            if same_content(there, source)? {
                break;
            }
            number += 1;
            name = format!("{base}_{number}");
        }
        let entry = self.sources.entry(name.clone());
        entry.or_insert_with(|| source.to_owned());
        self.given.insert(source.to_owned(), name.clone());
        Ok(name)
    }

    /// Walks the names and the files to be copied under them.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.sources.iter().map(|(name, path)| (&**name, &**path))
    }
}

fn same_content(a: &Path, b: &Path) -> Result<bool> {
    let open = |path: &Path| -> Result<(fs::File, u64)> {
        let open = || {
            let file = fs::File::open(path)?;
            let len = file.metadata()?.len();
            Ok((file, len))
        };
        open().map_err(|error: std::io::Error| Error::from(error).in_file(path))
    };
    let ((mut a_file, a_len), (mut b_file, b_len)) = (open(a)?, open(b)?);
    if a_len != b_len {
        return Ok(false);
    }
    let (mut a_piece, mut b_piece) = (Vec::new(), Vec::new());
    loop {
        for (file, piece, path) in [
            (&mut a_file, &mut a_piece, a),
            (&mut b_file, &mut b_piece, b),
        ] {
            piece.clear();
            file.take(1 << 20)
                .read_to_end(piece)
                .map_err(|error| Error::from(error).in_file(path))?;
        }
        if a_piece != b_piece {
            return Ok(false);
        }
        if a_piece.is_empty() {
            return Ok(true);
        }
    }
}
