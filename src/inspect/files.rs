use std::collections::BTreeSet;
use std::io;

use super::oddity::{Oddity, OddityCode, counted};
use crate::error::{Error, Result};
use crate::model::{MetaGraph, SavedModel};
use crate::store::Store;

/// How many bytes the files of a model take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FilesReport {
    /// The model file: the program.
    pub program: u64,
    /// The index and the data files of the variables.
    pub variables: u64,
    /// The files in `assets`.
    pub assets: u64,
    /// How many files there are in `assets`.
    pub asset_files: u64,
    /// The files in `assets.extra`.
    pub assets_extra: u64,
    /// How many files there are in `assets.extra`.
    pub assets_extra_files: u64,
}

const MODEL_FILES: [&str; 3] = ["saved_model.pb", "saved_model.pbtxt", "saved_model.cpb"];
const ASSETS: &str = "assets";
const VARIABLES: &str = "variables";

/// The files of a model, looked at where they lie.
pub(super) struct Files<'m> {
    store: &'m dyn Store,
    directory: &'m str,
}

impl<'m> Files<'m> {
    pub(super) fn of(model: &'m SavedModel) -> Self {
        let (store, directory) = model.store();
        Files {
            store: &**store,
            directory,
        }
    }

    fn name(&self, inside: &str) -> String {
        match (self.directory, inside) {
            ("", inside) => inside.to_owned(),
            (directory, "") => directory.to_owned(),
            (directory, inside) => format!("{directory}/{inside}"),
        }
    }

    /// Returns the names in a directory; none if there is none.
    pub(super) fn list(&self, inside: &str) -> Result<Vec<String>> {
        let name = self.name(inside);
        match self.store.list(&name) {
            Ok(names) => Ok(names),
            Err(error) if is_absence(&error) => Ok(Vec::new()),
            Err(error) => Err(Error::from(error).in_file(self.store.display(&name))),
        }
    }

    /// Returns the length of a file, or `None` if there is none.
    pub(super) fn len(&self, inside: &str) -> Option<u64> {
        let blob = self.store.open(&self.name(inside)).ok()?;
        Some(blob.len())
    }

    /// Counts files and bytes.
    pub(super) fn report(&self, model: &SavedModel) -> Result<FilesReport> {
        let sum = |files: &[String], folder: &str| -> (u64, u64) {
            let lens = files
                .iter()
                .filter_map(|file| self.len(&format!("{folder}/{file}")));
            lens.fold((0, 0), |(count, bytes), len| (count + 1, bytes + len))
        };
        let own = model
            .model_path()
            .file_name()
            .and_then(|name| name.to_str());
        let variables: Vec<String> = self
            .list(VARIABLES)?
            .into_iter()
            .filter(|name| is_bundle_file(name))
            .collect();
        let (_, bytes) = sum(&variables, VARIABLES);
        let (asset_files, assets) = sum(&self.list(ASSETS)?, ASSETS);
        // More files than are listed are not counted.
        let extra = model.assets_extra().unwrap_or_default();
        let extra_bytes = extra.iter().filter_map(|file| self.len(file)).sum();
        Ok(FilesReport {
            program: own.and_then(|name| self.len(name)).unwrap_or(0),
            variables: bytes,
            assets,
            asset_files,
            assets_extra: extra_bytes,
            assets_extra_files: extra.len() as u64,
        })
    }

    /// Looks for files that should not be there.
    pub(super) fn oddities(&self, model: &SavedModel) -> Result<Vec<Oddity>> {
        let mut oddities = Vec::new();
        let names = self.list("")?;
        let doors: Vec<&str> = MODEL_FILES
            .into_iter()
            .filter(|file| names.iter().any(|name| name == file))
            .collect();
        if doors.len() > 1 {
            let read = model
                .model_path()
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            oddities.push(Oddity::about(
                OddityCode::SeveralModelFiles,
                doors,
                |count| {
                    format!("{} lie in the directory; `{read}` is read here, and TensorFlow takes `saved_model.pb` first", counted(count, "model file"))
                },
                "keep one of them: they may hold different models",
            ));
        }
        let mut left: Vec<String> = names
            .iter()
            .filter(|name| name.starts_with("saved_model.pb.tmp") || is_leftover(name))
            .cloned()
            .collect();
        let variables = self.list(VARIABLES)?;
        left.extend(leftovers(&variables).map(|name| format!("{VARIABLES}/{name}")));
        oddities.extend(of_leftovers(left));
        Ok(oddities)
    }

    /// Looks for assets that cannot be read.
    pub(super) fn asset_oddities(&self, meta_graphs: &[MetaGraph<'_>]) -> Result<Vec<Oddity>> {
        let mut missing = BTreeSet::new();
        for meta_graph in meta_graphs {
            for asset in meta_graph.assets()? {
                let is_there = asset.path().is_ok_and(|path| self.len(&path).is_some());
                if !is_there {
                    missing.insert(asset.filename);
                }
            }
        }
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![Oddity::about(
            OddityCode::AssetMissing,
            missing,
            |count| {
                format!(
                    "{} that the graph reads when it is loaded cannot be read in `assets`",
                    counted(count, "file")
                )
            },
            "copy the directory `assets` again, with its names as they are",
        )])
    }
}

/// Makes the oddity of files that a save left.
pub(super) fn of_leftovers(files: Vec<String>) -> Option<Oddity> {
    (!files.is_empty()).then(|| {
        Oddity::about(
            OddityCode::LeftoverFiles,
            files,
            |count| {
                format!(
                    "{} of a save that was not finished, or of an earlier one, {} left",
                    counted(count, "file"),
                    if count == 1 { "is" } else { "are" }
                )
            },
            "delete them once no save is running: nothing reads them",
        )
    })
}

fn is_bundle_file(name: &str) -> bool {
    name.ends_with(".index") || name.contains(".data-")
}

/// Says whether a name is one that a save gives while it is running, or to what it replaces.
fn is_leftover(name: &str) -> bool {
    let after = |mark: &str| name.rsplit_once(mark).map(|(_, rest)| rest);
    let is_number = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
    after(".tempstate").is_some_and(is_number) || name.contains(".set-aside-")
}

/// Picks the names, of those in a directory of bundles, that no bundle there has: unfinished files,
/// files that were set aside, directories of a sharded save, and shards of which an index has
/// another number.
pub(super) fn leftovers(names: &[String]) -> impl Iterator<Item = &String> {
    names.iter().filter(|name| {
        let is_parts = name.ends_with("_temp") && {
            let prefix = name.trim_end_matches("_temp");
            names.iter().any(|other| {
                other
                    .strip_prefix(prefix)
                    .is_some_and(|rest| rest == ".index" || rest.starts_with(".data-"))
            })
        };
        is_leftover(name) || is_parts || name.as_str() == "variables_temp"
    })
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_saves_leave_is_told_from_what_they_make() {
        let names: Vec<String> = [
            "variables.data-00000-of-00001",
            "variables.index",
            "variables.index.tempstate1234",
            "variables.index.set-aside-0-4711",
            "variables_temp",
            "variables.tempstate",
            "notes.txt",
        ]
        .map(str::to_owned)
        .to_vec();
        let left: Vec<&String> = leftovers(&names).collect();
        assert_eq!(
            left,
            [
                "variables.index.tempstate1234",
                "variables.index.set-aside-0-4711",
                "variables_temp"
            ]
        );
    }
}
