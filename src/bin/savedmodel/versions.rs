use std::io::{self, Write};
use std::path::Path;

use savedmodel::serving::{ModelVersions, ServableVersion};
use serde::Serialize;

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::json;
use crate::table::{Align, Table};
use crate::text::Escaped;

/// `savedmodel versions`.
pub(crate) fn run(args: &args::Versions, out: &mut impl Write) -> Result<Outcome, Failure> {
    let mut versions = ModelVersions::read(&args.base)?;
    let removed = match args.prune {
        Some(keep) => versions.prune(usize::from(keep))?,
        None => Vec::new(),
    };
    match args.json {
        true => json::document(out, "versions", 1, &Document::of(&versions, &removed))?,
        false => write(out, &versions, &removed)?,
    }
    Ok(outcome(&versions))
}

fn outcome(versions: &ModelVersions) -> Outcome {
    match versions.latest() {
        None => Outcome::Damaged("there is no version to serve".to_owned()),
        Some(ServableVersion {
            number,
            fault: Some(fault),
            ..
        }) => Outcome::Damaged(format!("version {number} will not load: {fault}")),
        Some(_) => Outcome::Sound,
    }
}

/// What `savedmodel versions --json` prints.
#[derive(Serialize)]
struct Document {
    path: String,
    served: Option<i64>,
    versions: Vec<Version>,
    ignored: Vec<Ignored>,
    removed: Vec<Version>,
}

#[derive(Serialize)]
struct Version {
    number: i64,
    name: String,
    fault: Option<String>,
}

#[derive(Serialize)]
struct Ignored {
    name: String,
    reason: String,
}

impl Document {
    fn of(versions: &ModelVersions, removed: &[ServableVersion]) -> Self {
        Document {
            path: versions.base().to_string_lossy().into_owned(),
            served: versions.latest().map(|version| version.number),
            versions: versions.versions().iter().map(Version::of).collect(),
            ignored: versions
                .ignored()
                .iter()
                .map(|entry| Ignored {
                    name: name_of(&entry.path),
                    reason: entry.reason.to_string(),
                })
                .collect(),
            removed: removed.iter().map(Version::of).collect(),
        }
    }
}

impl Version {
    fn of(version: &ServableVersion) -> Self {
        Version {
            number: version.number,
            name: name_of(&version.path),
            fault: version.fault.map(|fault| fault.to_string()),
        }
    }
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn write(
    out: &mut impl Write,
    versions: &ModelVersions,
    removed: &[ServableVersion],
) -> io::Result<()> {
    let mut table = Table::new([
        ("version", Align::Right),
        ("name", Align::Left),
        ("", Align::Left),
    ]);
    let row = |number: String, path: &Path, note: String| {
        [number, Escaped(name_of(path).as_bytes()).to_string(), note]
    };
    let served = versions.latest().map(|version| version.number);
    let mut rows = Vec::new();
    for version in versions.versions().iter().rev() {
        let is_served = (Some(version.number) == served).then(|| "served".to_owned());
        let fault = version.fault.map(|fault| format!("will not load: {fault}"));
        let notes: Vec<String> = is_served.into_iter().chain(fault).collect();
        rows.push(row(
            version.number.to_string(),
            &version.path,
            notes.join(", "),
        ));
    }
    for entry in versions.ignored() {
        let note = format!("ignored: {}", entry.reason);
        rows.push(row(String::new(), &entry.path, note));
    }
    for version in removed {
        let number = version.number.to_string();
        rows.push(row(number, &version.path, "removed".to_owned()));
    }
    rows.iter().for_each(|row| table.measure(row));
    table.write_titles(out)?;
    for row in &rows {
        table.write(out, row)?;
    }
    Ok(())
}
