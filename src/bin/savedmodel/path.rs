use std::path::{Component, Path, PathBuf};

use clap::CommandFactory;
use savedmodel::bundle::locate_bundle;
use savedmodel::model::{Located, ModelLocation, locate, locate_model};
use savedmodel::{Error, ErrorKind, SavedModel};

use crate::args::Arguments;
use crate::failure::Failure;
use crate::remark;

/// Answers an error if a word that was taken for a path leads nowhere and is nearly a command.
pub(crate) fn check_command(word: &Path) -> Result<(), Failure> {
    let Some(text) = word.to_str().filter(|_| !word.exists()) else {
        return Ok(());
    };
    match near_command(text) {
        Some(name) => Err(Failure::Usage(
            format!("there is neither a command nor a file `{text}`: did you mean `{name}`?")
                .into(),
        )),
        None => Ok(()),
    }
}

/// Makes the answer to a word that stands where a command should, and is none.
pub(crate) fn no_command(word: &str) -> Failure {
    let said = match near_command(word) {
        Some(name) => format!("there is no command `{word}`: did you mean `{name}`?"),
        None => format!(
            "there is no command `{word}`: there are {}",
            commands().join(", ")
        ),
    };
    Failure::Usage(said.into())
}

fn near_command(word: &str) -> Option<String> {
    /// So many letters may differ.
    const FAR: usize = 2;
    let distances = commands().into_iter().map(|name| {
        let distance = strsim::damerau_levenshtein(&name, word);
        (distance, name)
    });
    let (_, name) = distances
        .min()
        .filter(|(distance, _)| (1..=FAR).contains(distance))?;
    Some(name)
}

/// Returns the names of all commands, that of the stock tool's persona too.
fn commands() -> Vec<String> {
    let command = Arguments::command();
    let names = command.get_subcommands().map(|command| command.get_name());
    names.chain(["compat"]).map(str::to_owned).collect()
}

/// Says of a path that leads nowhere what there is beside it, as far as the error does not know.
pub(crate) fn beside(error: &Error) -> Option<String> {
    match error.kind() {
        ErrorKind::NotFound { near, .. } if near.is_empty() && error.key().is_none() => {}
        _ => return None,
    }
    let path = error.path().filter(|path| !path.exists())?;
    let file = path.with_extension("");
    if path.extension().is_some_and(|it| it == "index") && file.symlink_metadata().is_ok() {
        return Some(format!(
            " (there is `{}`, which belongs to no bundle)",
            file.display()
        ));
    }
    let directory = path
        .ancestors()
        .skip(1)
        .find(|above| listed(above).is_dir())?;
    let Some(Component::Normal(missing)) = path.strip_prefix(directory).ok()?.components().next()
    else {
        return None;
    };
    let missing = missing.to_str()?;
    let shown = |name: &str| directory.join(name).display().to_string();
    // Names that were looked for have the endings of files.
    let word = missing.strip_suffix(".index").unwrap_or(missing);
    let names = std::fs::read_dir(listed(directory))
        .ok()?
        .take(MAX_SEARCHED);
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    // Of a checkpoint's files people name the prefix.
    let names = names.map(|name| match name.rsplit_once('.') {
        Some((prefix, "index" | "meta")) => prefix.to_owned(),
        Some((prefix, end)) if end.starts_with("data-") => prefix.to_owned(),
        _ => name,
    });
    let scores = names.map(|name| (strsim::jaro_winkler(&name, word), name));
    let near = scores
        .filter(|(score, name)| *score >= ALIKE && name != word)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(&a.1)));
    match near {
        Some((_, name)) => Some(format!("; did you mean `{}`?", shown(&name))),
        None if directory.join(missing) != path => {
            Some(format!(" (there is no `{}`)", shown(missing)))
        }
        None => Some(format!(
            " (there is no `{}`; `savedmodel --help` says what PATH can be)",
            shown(word)
        )),
    }
}

/// Returns those of `names` that come closest to one that is not there, best first.
pub(crate) fn near_names<'n>(
    wanted: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Vec<&'n str> {
    /// Short names are alike from this similarity on.
    const ALIKE: f64 = 0.8;
    /// So many are told.
    const SHOWN: usize = 3;
    let scores = names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(name, wanted), name));
    let mut near: Vec<(f64, &str)> = scores.filter(|(score, _)| *score >= ALIKE).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.truncate(SHOWN);
    near.into_iter().map(|(_, name)| name).collect()
}

/// Says whether an error is about a name that is not there and is like no other.
pub(crate) fn is_far_off(error: &Error) -> bool {
    let has_no_near = |near: &Vec<String>| near.is_empty();
    error.key().is_some()
        && matches!(error.kind(), ErrorKind::NotFound { near, .. } if has_no_near(near))
}

/// A search for near names looks at so many.
const MAX_SEARCHED: usize = 10_000;
/// Names are alike from this similarity on.
const ALIKE: f64 = 0.85;

/// Returns a directory by a path that can be opened.
fn listed(directory: &Path) -> &Path {
    match directory.as_os_str().is_empty() {
        true => Path::new("."),
        false => directory,
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
        remark(&format!(
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
        remark(&format!(
            "taking version {}, the highest of {} in {}",
            version.number,
            version.of,
            path.display()
        ));
    }
}
