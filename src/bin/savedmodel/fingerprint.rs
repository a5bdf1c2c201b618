use std::io::{self, Write};

use savedmodel::fingerprint::{FingerprintVerification, HashComparison, HashVerdict};
use savedmodel::inspect::FingerprintReport;
use savedmodel::model::locate_model;
use savedmodel::{Error, ErrorKind, Fingerprint};
use serde::Serialize;

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::table::{Align, Table};
use crate::text::Escaped;
use crate::{json, path};

/// `savedmodel fingerprint`.
pub(crate) fn run(args: &args::Fingerprint, out: &mut impl Write) -> Result<Outcome, Failure> {
    let location = locate_model(&args.path)?;
    path::tell_version(&args.path, &location);
    let directory = &location.directory;
    let file = directory.join(FILE);
    let stored = match Fingerprint::read(directory) {
        Err(error) if args.overwrite && matches!(error.kind(), ErrorKind::Malformed { .. }) => None,
        stored => stored?,
    };
    let mut document = Document {
        path: directory.to_string_lossy().into_owned(),
        stored: stored.as_ref().map(Print::of),
        computed: None,
        verification: None,
        written: false,
    };
    if args.compute || args.write {
        let computed = Fingerprint::compute(directory)?;
        let is_there = stored.as_ref() == Some(&computed);
        if args.write && !is_there {
            if stored.is_some() && !args.overwrite {
                return Err(Failure::Usage(
                    format!(
                        "{}: the hashes in it are not those of the model (--verify says which \
                         differ, --overwrite replaces the file)",
                        file.display()
                    )
                    .into(),
                ));
            }
            computed.write(directory)?;
            document.written = true;
        }
        document.computed = Some(Print::of(&computed));
        match args.json {
            true => json::document(out, "fingerprint", 1, &document)?,
            false => {
                write_hashes(out, &computed)?;
                if args.write {
                    let what = match is_there {
                        true => "has these hashes already",
                        false => "written",
                    };
                    let file = file.to_string_lossy();
                    writeln!(out, "\n{}: {what}", Escaped(file.as_bytes()))?;
                }
            }
        }
        return Ok(Outcome::Sound);
    }
    let Some(stored) = stored else {
        // Opening says what is wrong if there is not even a model.
        location.open()?;
        return Err(missing(directory));
    };
    if !args.verify {
        match args.json {
            true => json::document(out, "fingerprint", 1, &document)?,
            false => write_hashes(out, &stored)?,
        }
        return Ok(Outcome::Sound);
    }
    let found = Fingerprint::verify(directory)?;
    let outcome = outcome(&found);
    let written = match args.json {
        true => {
            document.verification = Some(VerificationDocument::of(&found));
            json::document(out, "fingerprint", 1, &document)
        }
        false => write_verification(out, &found),
    };
    // Who does not read on still wants the exit code.
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(outcome),
    }
}

const FILE: &str = "fingerprint.pb";

fn missing(directory: &std::path::Path) -> Failure {
    // Comparing with it makes the error of the file that is not there.
    let error = Fingerprint::verify(directory).err();
    let error = error.unwrap_or_else(|| Error::from(io::Error::from(io::ErrorKind::NotFound)));
    let advice = "--compute shows what TensorFlow 2.21 would write, --write writes it";
    Failure::Advised(error, advice.into())
}

fn outcome(found: &FingerprintVerification) -> Outcome {
    let different = found
        .hashes
        .iter()
        .filter(|hash| hash.verdict == HashVerdict::Different)
        .count();
    match (different, found.is_verified()) {
        (0, true) => Outcome::Sound,
        (0, false) => Outcome::Damaged("no hash can be compared".to_owned()),
        (different, _) => Outcome::Damaged(match different {
            1 => "1 hash differs: the model or its fingerprint was changed".to_owned(),
            _ => format!("{different} hashes differ: the model or its fingerprint was changed"),
        }),
    }
}

fn write_hashes<W: Write>(out: &mut W, fingerprint: &Fingerprint) -> io::Result<()> {
    let mut rows: Vec<[String; 2]> = fingerprint
        .hashes()
        .map(|(name, hash)| [name.to_owned(), hash.to_string()])
        .into();
    rows.push(["producer".to_owned(), producer(fingerprint.producer)]);
    if !fingerprint.uuid.is_empty() {
        let uuid = Escaped(fingerprint.uuid.as_bytes()).to_string();
        rows.push(["uuid".to_owned(), uuid]);
    }
    rows.push(["singleprint".to_owned(), fingerprint.singleprint()]);
    let mut table = Table::new([("", Align::Left), ("", Align::Left)]);
    rows.iter().for_each(|row| table.measure(row));
    rows.iter().try_for_each(|row| table.write(out, row))
}

/// Says who writes a number there.
fn producer(number: i32) -> String {
    let who = match number {
        0 => "TensorFlow 2.11",
        1 => "TensorFlow 2.12 to 2.20",
        2 => "a model in chunks",
        4 => "TensorFlow 2.21",
        5 => "TensorFlow 2.21, of a model that is text: no hashes",
        _ => return number.to_string(),
    };
    format!("{number} ({who})")
}

fn verdict(hash: &HashComparison) -> &'static str {
    match hash.verdict {
        HashVerdict::Equal => "equal",
        HashVerdict::Different => "different",
        HashVerdict::NotComparable => "not_comparable",
    }
}

fn write_verification<W: Write>(out: &mut W, found: &FingerprintVerification) -> io::Result<()> {
    let rows: Vec<[String; 4]> = found
        .hashes
        .iter()
        .map(|hash| {
            let mut text = verdict(hash).replace('_', " ");
            if let Some(note) = hash.note {
                text.push_str(": ");
                text.push_str(note);
            }
            let computed = match hash.computed {
                Some(computed) => computed.to_string(),
                None => "-".to_owned(),
            };
            [
                hash.name.to_owned(),
                hash.stored.to_string(),
                computed,
                text,
            ]
        })
        .collect();
    let mut table = Table::new([
        ("hash", Align::Left),
        ("stored", Align::Right),
        ("computed", Align::Right),
        ("", Align::Left),
    ]);
    rows.iter().for_each(|row| table.measure(row));
    table.write_titles(out)?;
    rows.iter().try_for_each(|row| table.write(out, row))?;
    let equal = found
        .hashes
        .iter()
        .filter(|hash| hash.verdict == HashVerdict::Equal);
    let equal = match equal.count() {
        1 => "1 hash".to_owned(),
        equal => format!("{equal} hashes"),
    };
    let file = match &found.model_file {
        Some(file) => format!(", of {file}"),
        None => String::new(),
    };
    writeln!(
        out,
        "\n{equal} equal{file}; producer {}: {}",
        producer(found.producer),
        verdict_of(found).replace('_', " ")
    )
}

fn verdict_of(found: &FingerprintVerification) -> &'static str {
    match (found.is_different(), found.is_verified()) {
        (true, _) => "different",
        (false, true) => "verified",
        (false, false) => "not_comparable",
    }
}

/// What `savedmodel fingerprint --json` prints.
#[derive(Serialize)]
struct Document {
    path: String,
    stored: Option<Print>,
    #[serde(skip_serializing_if = "Option::is_none")]
    computed: Option<Print>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<VerificationDocument>,
    written: bool,
}

#[derive(Serialize)]
struct Print {
    #[serde(flatten)]
    report: FingerprintReport,
    singleprint: String,
}

impl Print {
    fn of(fingerprint: &Fingerprint) -> Self {
        Print {
            report: FingerprintReport::of(fingerprint),
            singleprint: fingerprint.singleprint(),
        }
    }
}

#[derive(Serialize)]
struct VerificationDocument {
    verdict: &'static str,
    model_file: Option<String>,
    hashes: Vec<HashDocument>,
}

#[derive(Serialize)]
struct HashDocument {
    name: &'static str,
    stored: String,
    computed: Option<String>,
    verdict: &'static str,
    note: Option<&'static str>,
}

impl VerificationDocument {
    fn of(found: &FingerprintVerification) -> Self {
        let hashes = found.hashes.iter().map(|hash| HashDocument {
            name: hash.name,
            stored: hash.stored.to_string(),
            computed: hash.computed.map(|computed| computed.to_string()),
            verdict: verdict(hash),
            note: hash.note,
        });
        VerificationDocument {
            verdict: verdict_of(found),
            model_file: found.model_file.clone(),
            hashes: hashes.collect(),
        }
    }
}
