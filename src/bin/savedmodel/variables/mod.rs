//! `savedmodel variables`.
//!
//! | part | holds |
//! |---|---|
//! | `selection` | which tensors are wanted |
//! | `variable` | one tensor as the index describes it |
//! | `listing` | the table of tensors |
//! | `document` | the same, statistics and values as JSON |
//! | `values` | values in brackets |
//! | `statistics` | ranges and counts |
//! | `verification` | everything checked |
//! | `extraction` | tensors to files of numpy |
//! | `file_name` | what these files are called |

mod document;
mod extraction;
mod file_name;
mod listing;
mod selection;
mod statistics;
mod values;
mod variable;
mod verification;

use std::io::Write;

use savedmodel::bundle::Checksums;
use savedmodel::{BundleReader, Error, Result, Tensor};

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::path;
use selection::Selection;
pub(crate) use selection::matches;
use variable::Variable;

pub(crate) fn run(args: &args::Variables, out: &mut impl Write) -> Result<Outcome, Failure> {
    let prefix = path::bundle(&args.path)?;
    let mut options = BundleReader::options().checksums(match args.unverified {
        true => Checksums::Skip,
        false => Checksums::Verify,
    });
    if let Some(threads) = args.threads {
        options = options.threads(threads.into());
    }
    let request = Request {
        bundle: &options.open(prefix)?,
        args,
    };
    if args.verify {
        return verification::run(&request, out);
    }
    let selection = Selection::new(request.bundle, &args.keys)?;
    if let Some(slice) = &args.slice {
        let Some(variable) = selection.only() else {
            return Err(Failure::Usage(
                "--slice can be taken of one tensor only".into(),
            ));
        };
        if !args.values && !args.stats {
            return Err(Failure::Usage("--slice needs --values or --stats".into()));
        }
        if let Some(entry) = &variable.entry {
            slice.resolve(entry.shape())?;
        }
    }
    if let Some(directory) = &args.extract {
        return extraction::run(&request, selection, directory, out);
    }
    match (args.json, args.values, args.stats) {
        (true, ..) => document::write(&request, &selection, out),
        (_, true, _) => values::write(&request, selection, out),
        (_, _, true) => statistics::write(&request, selection, out),
        _ => listing::write(&request, &selection, out),
    }
}

/// What is asked of which bundle.
struct Request<'r> {
    bundle: &'r BundleReader,
    args: &'r args::Variables,
}

impl Request<'_> {
    /// Reads a tensor, or the slice of it that is wanted.
    fn read(&self, variable: &Variable) -> Result<Tensor, Error> {
        match &self.args.slice {
            Some(slice) => self.bundle.slice(&variable.key, slice),
            None => match &variable.entry {
                Some(entry) => self.bundle.tensor_of(&variable.key, entry),
                None => self.bundle.tensor(&variable.key),
            },
        }
    }
}

/// Counts what a command has met.
#[derive(Default)]
struct Totals {
    tensors: u64,
    elements: u64,
    bytes: u64,
    unreadable: u64,
}

impl Totals {
    fn add(&mut self, variable: &Variable, readable: bool) {
        self.tensors += 1;
        match readable {
            false => self.unreadable += 1,
            true => {
                self.elements = self.elements.saturating_add(variable.elements());
                self.bytes = self.bytes.saturating_add(variable.bytes());
            }
        }
    }

    /// Sums up, with what ended the walk through the index before its end.
    fn outcome(&self, index_fault: Option<Error>) -> Result<Outcome, Failure> {
        match (index_fault, self.unreadable) {
            (Some(error), _) => Err(error.into()),
            (None, 0) => Ok(Outcome::Sound),
            (None, unreadable) => Ok(Outcome::Damaged(format!(
                "{unreadable} of {} cannot be read",
                counted(self.tensors, "tensor")
            ))),
        }
    }
}

pub(crate) fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}
