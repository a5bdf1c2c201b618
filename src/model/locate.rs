use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::load::{self, Format};
use super::saved_model::{SavedModel, SavedModelOptions};
use crate::bundle::locate_bundle;
use crate::error::{Error, Result};

/// What a path leads to: a model, or a checkpoint outside of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// A SavedModel.
    Model(ModelLocation),
    /// The prefix of a tensor bundle, which [`BundleReader::open`](crate::BundleReader::open) takes.
    Checkpoint(PathBuf),
}

/// Where a model lies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelLocation {
    /// The model's directory.
    pub directory: PathBuf,
    /// Which of the directory's model files was named, if one was.
    pub format: Option<Format>,
    /// Which version it is, if a directory of versions was named.
    pub version: Option<ModelVersion>,
}

/// One of the versions in a base directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelVersion {
    /// The number that is the name of its directory.
    pub number: u64,
    /// How many versions there are.
    pub of: usize,
}

/// Finds out what a path means: a model's directory, its `saved_model.pb` or `saved_model.pbtxt`, a
/// base directory with a directory for each version, or a checkpoint in one of the forms that
/// [`locate_bundle`] takes.
///
/// Versions are directories whose names are numbers. The highest is taken, as TensorFlow Serving
/// does (`tensorflow_serving/sources/storage_path/file_system_storage_path_source.cc`), also if there
/// is no model in it.
///
/// A path that leads nowhere is answered as it is, for opening it says what is wrong.
///
/// ```
/// use savedmodel::model::{Located, locate};
///
/// let Located::Model(location) = locate("tests/fixtures/module/saved_model.pb")? else {
///     panic!("it is a model");
/// };
/// assert!(location.directory.ends_with("module"));
/// assert!(matches!(locate("tests/fixtures/ckpt_manager")?, Located::Checkpoint(_)));
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// # Errors
///
/// What [`locate_bundle`] answers for a directory of checkpoints; `NotFound` if the highest version
/// has no model; `Io` if a directory cannot be read.
pub fn locate(path: impl AsRef<Path>) -> Result<Located> {
    let path = path.as_ref();
    if path.is_dir() {
        return locate_in(path);
    }
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    if let Some((_, format)) = load::MODEL_FILES.iter().find(|(file, _)| *file == name)
        && path.is_file()
    {
        return Ok(model(directory_of(path), *format));
    }
    if name == STATE && path.is_file() {
        return locate_bundle(directory_of(path)).map(Located::Checkpoint);
    }
    let prefix = match name.strip_suffix(".meta") {
        // What TensorFlow 1 writes beside a checkpoint.
        Some(prefix) if path.is_file() => path.with_file_name(prefix),
        _ => locate_bundle(path)?,
    };
    // A checkpoint of TensorFlow's first format is one file, which opening refuses by name.
    let is_v1 = || {
        let beside = [&*format!("{name}.meta"), STATE];
        let mut beside = beside.iter().map(|file| path.with_file_name(file));
        path.is_file() && beside.any(|file| file.is_file())
    };
    let is_prefix = prefix.as_path() != path || is_start_of_files(path) || is_v1();
    Ok(match is_prefix {
        true => Located::Checkpoint(prefix),
        false => model(path, None),
    })
}

/// Finds the model that a path means, as [`locate`] does.
///
/// # Errors
///
/// What [`locate`] answers; `InvalidArgument` for a checkpoint.
pub fn locate_model(path: impl AsRef<Path>) -> Result<ModelLocation> {
    match locate(path)? {
        Located::Model(location) => Ok(location),
        Located::Checkpoint(prefix) => Err(Error::invalid_argument(
            "a checkpoint has variables alone, and no signatures, graph or functions",
        )
        .in_file(prefix)
        .remedy("name the directory of a SavedModel")),
    }
}

impl ModelLocation {
    /// Opens the model.
    ///
    /// # Errors
    ///
    /// As for [`SavedModel::open`].
    pub fn open(&self) -> Result<SavedModel> {
        self.open_with(SavedModel::options())
    }

    /// Opens the model with options.
    ///
    /// # Errors
    ///
    /// As for [`SavedModel::open`].
    pub fn open_with(&self, options: SavedModelOptions) -> Result<SavedModel> {
        match self.format {
            Some(format) => options.format(format).open(&self.directory),
            None => options.open(&self.directory),
        }
    }
}

/// The file that names the latest of several checkpoints.
const STATE: &str = "checkpoint";

fn model(directory: &Path, format: Option<Format>) -> Located {
    Located::Model(ModelLocation {
        directory: directory.to_owned(),
        format,
        version: None,
    })
}

fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn locate_in(directory: &Path) -> Result<Located> {
    if has_model(directory) {
        return Ok(model(directory, None));
    }
    let (mut versions, mut has_bundle) = (Vec::new(), false);
    for entry in fs::read_dir(directory).map_err(|error| unreadable(error, directory))? {
        let entry = entry.map_err(|error| unreadable(error, directory))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            continue;
        };
        if let Some(number) = version_of(name)
            && entry.path().is_dir()
        {
            versions.push((number, name.to_owned()));
        }
        has_bundle |= name == STATE || name.ends_with(".index");
    }
    if has_bundle || versions.is_empty() {
        let is_variables = directory.join("variables/variables.index").is_file();
        return match has_bundle || is_variables {
            true => locate_bundle(directory).map(Located::Checkpoint),
            false => Ok(model(directory, None)),
        };
    }
    versions.sort_unstable();
    let of = versions.len();
    let Some((number, name)) = versions.pop() else {
        return Ok(model(directory, None));
    };
    let chosen = directory.join(name);
    if !has_model(&chosen) {
        let error = Error::not_found("SavedModel in the highest version").in_file(&chosen);
        let other = versions
            .iter()
            .rev()
            .find(|(_, name)| has_model(&directory.join(name)));
        return Err(match other {
            Some((_, name)) => error.remedy(format!(
                "TensorFlow Serving takes the highest number too; there is a model in `{name}`"
            )),
            None => error,
        });
    }
    Ok(Located::Model(ModelLocation {
        directory: chosen,
        format: None,
        version: Some(ModelVersion { number, of }),
    }))
}

fn unreadable(error: io::Error, directory: &Path) -> Error {
    Error::from(error).in_file(directory)
}

/// Says whether a directory holds one of the files that are a model.
pub(crate) fn has_model(directory: &Path) -> bool {
    load::MODEL_FILES
        .iter()
        .any(|(file, _)| directory.join(file).is_file())
}

/// Returns the version that a directory's name stands for: a number of 63 bits.
fn version_of(name: &str) -> Option<u64> {
    let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let number = name.parse::<i64>().ok().filter(|_| is_number)?;
    u64::try_from(number).ok()
}

/// Says whether files beside have names that begin with the path's: those of a checkpoint.
fn is_start_of_files(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(OsStr::to_str) else {
        return false;
    };
    if path.exists() {
        return false;
    }
    let files = fs::read_dir(directory_of(path));
    files.is_ok_and(|files| {
        files.flatten().any(|file| {
            let file = file.file_name();
            let rest = file.to_str().and_then(|file| file.strip_prefix(name));
            rest.is_some_and(|rest| {
                rest == ".index" || rest.starts_with(".data-") || rest.starts_with("-00000-of-")
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_alone() {
        for (name, version) in [
            ("1", Some(1)),
            ("00000123", Some(123)),
            ("1699999999", Some(1_699_999_999)),
            ("temp-1699999999", None),
            ("+1", None),
            ("-1", None),
            ("1.0", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(version_of(name), version, "{name}");
        }
    }
}
