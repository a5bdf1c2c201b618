use std::path::{Path, PathBuf};

use clap::CommandFactory;
use savedmodel::SavedModel;
use savedmodel::bundle::locate_bundle;
use savedmodel::model::{Located, ModelLocation, locate, locate_model};

use crate::args::Arguments;
use crate::complain;
use crate::failure::Failure;

/// Answers an error if a word that was taken for a path leads nowhere and is nearly a command.
pub(crate) fn check_command(word: &Path) -> Result<(), Failure> {
    /// So many letters may differ.
    const FAR: usize = 2;
    let Some(text) = word.to_str().filter(|_| !word.exists()) else {
        return Ok(());
    };
    let command = Arguments::command();
    let names = command.get_subcommands().map(|command| command.get_name());
    let distances = names.map(|name| (strsim::damerau_levenshtein(name, text), name));
    match distances.min() {
        Some((1..=FAR, name)) => Err(Failure::Usage(
            format!("there is neither a command nor a file `{text}`: did you mean `{name}`?")
                .into(),
        )),
        _ => Ok(()),
    }
}

/// Opens the model that a path means; says which version was taken if there are several.
pub(crate) fn model(path: &Path) -> savedmodel::Result<SavedModel> {
    let location = locate_model(path)?;
    tell_version(path, &location);
    location.open()
}

/// Returns the prefix of the bundle that a path means, that of a model's variables too.
pub(crate) fn bundle(path: &Path) -> savedmodel::Result<PathBuf> {
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
