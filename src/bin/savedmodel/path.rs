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

/// Opens the model that a path means; says which version was taken if there are several, and which
/// form of the program.
pub(crate) fn model(path: &Path) -> savedmodel::Result<SavedModel> {
    open(path, &locate_model(path)?)
}

/// Opens the model that a path was found to mean, as [`model`] does.
pub(crate) fn open(path: &Path, location: &ModelLocation) -> savedmodel::Result<SavedModel> {
    tell_version(path, location);
    let model = location.open()?;
    if location.format.is_none() {
        tell_forms(&model, "name the other one to read it");
    }
    Ok(model)
}

/// Says on standard error which program was taken, if the model has it in several forms.
pub(crate) fn tell_forms(model: &SavedModel, remedy: &str) {
    let others = model.other_formats().unwrap_or_default();
    let names: Vec<&str> = others.iter().map(|it| it.file_name()).collect();
    if !names.is_empty() {
        complain(&format!(
            "warning: taking {}, and not {}: {remedy}",
            model.model_path().display(),
            names.join(" or ")
        ));
    }
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
