use std::io::Write;
use std::path::{Path, PathBuf};

use savedmodel::bundle::{Recovery, recover};
use serde::Serialize;

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::json;
use crate::merge::{index_of, prefix_of};
use crate::text::Escaped;

/// `savedmodel recover`.
pub(crate) fn run(args: &args::Recover, out: &mut impl Write) -> Result<Outcome, Failure> {
    let prefix = prefix_meant(&args.prefix)?;
    let (outcome, set_aside) = match recover(&prefix)? {
        Recovery::Restored => ("restored", Vec::new()),
        Recovery::InPlace { set_aside } => ("in_place", set_aside),
        _ if index_of(&prefix).exists() => ("in_place", Vec::new()),
        _ => ("nothing", Vec::new()),
    };
    let document = Document {
        prefix: prefix.to_string_lossy().into_owned(),
        outcome,
        set_aside: set_aside
            .iter()
            .map(|path| path.to_string_lossy().into_owned())
            .collect(),
    };
    match args.json {
        true => json::document(out, "recover", 1, &document)?,
        false => write(out, &document)?,
    }
    Ok(match outcome {
        "nothing" => Outcome::Damaged(format!(
            "{}: there is no bundle, and none is set aside",
            prefix.display()
        )),
        _ => Outcome::Sound,
    })
}

/// What `savedmodel recover --json` prints.
#[derive(Serialize)]
struct Document {
    prefix: String,
    outcome: &'static str,
    set_aside: Vec<String>,
}

/// Returns the prefix that a path means. There may be no index to find it by.
fn prefix_meant(path: &Path) -> Result<PathBuf, Failure> {
    if path.is_dir() && !index_of(path).exists() {
        let variables = path.join("variables");
        return match variables.is_dir() {
            true => Ok(variables.join("variables")),
            false => Err(Failure::Usage(
                format!(
                    "{}: a directory that is no SavedModel's (name the prefix of the bundle, as in {})",
                    path.display(),
                    path.join("ckpt-1").display()
                )
                .into(),
            )),
        };
    }
    // What is set aside has a name that begins with that of the index.
    let name = path.file_name().and_then(|name| name.to_str());
    Ok(
        match name.and_then(|name| name.split_once(".index.set-aside-")) {
            Some((prefix, _)) => path.with_file_name(prefix),
            None => prefix_of(path),
        },
    )
}

fn write(out: &mut impl Write, document: &Document) -> std::io::Result<()> {
    let prefix = Escaped(document.prefix.as_bytes());
    match document.outcome {
        "restored" => writeln!(out, "{prefix}: put back; replacing it had been cut short")?,
        "in_place" if document.set_aside.is_empty() => {
            writeln!(out, "{prefix}: in place, and none is set aside")?;
        }
        "in_place" => {
            writeln!(
                out,
                "{prefix}: in place, and newer than the one set aside, whose files can be removed:"
            )?;
            for path in &document.set_aside {
                writeln!(out, "  {}", Escaped(path.as_bytes()))?;
            }
        }
        _ => {}
    }
    Ok(())
}
