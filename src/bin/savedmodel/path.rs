use std::path::{Path, PathBuf};

use savedmodel::bundle::locate_bundle;
use savedmodel::model::{Located, ModelLocation, locate, locate_model};
use savedmodel::{Result, SavedModel};

use crate::complain;

/// Opens the model that a path means; says which version was taken if there are several.
pub(crate) fn model(path: &Path) -> Result<SavedModel> {
    let location = locate_model(path)?;
    tell_version(path, &location);
    location.open()
}

/// Returns the prefix of the bundle that a path means, that of a model's variables too.
pub(crate) fn bundle(path: &Path) -> Result<PathBuf> {
    match locate(path)? {
        Located::Checkpoint(prefix) => Ok(prefix),
        Located::Model(location) => {
            tell_version(path, &location);
            locate_bundle(&location.directory)
        }
    }
}

/// Says on standard error which version was taken.
pub(crate) fn tell_version(path: &Path, location: &ModelLocation) {
    if let Some(version) = &location.version {
        complain(&format!(
            "taking version {}, the highest of {} in {}",
            version.number,
            version.of,
            path.display()
        ));
    }
}
