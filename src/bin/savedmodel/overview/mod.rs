//! `savedmodel PATH`: a model or a checkpoint at a glance.
//!
//! | part | holds |
//! |---|---|
//! | `model` | the text of a model |
//! | `checkpoint` | the text of a checkpoint |
//! | `page` | a label and lines, and what is odd |

mod checkpoint;
mod model;
mod page;

use std::io::Write;

use savedmodel::BundleReader;
use savedmodel::inspect::{CheckpointOverview, ModelOverview};
use savedmodel::model::{Located, locate};
use serde::Serialize;

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::json;
use crate::path;

/// What `savedmodel PATH --json` prints.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Document<'a> {
    Model(&'a ModelOverview),
    Checkpoint(&'a CheckpointOverview),
}

pub(crate) fn run(args: &args::Overview, out: &mut impl Write) -> Result<Outcome, Failure> {
    path::check_command(&args.path)?;
    match locate(&args.path)? {
        Located::Model(location) => {
            let model = path::open(&args.path, &location)?;
            let overview = ModelOverview::of(&model)?;
            match args.json {
                true => json::document(out, "overview", 1, &Document::Model(&overview))?,
                false => model::write(&overview, out)?,
            }
        }
        Located::Checkpoint(prefix) => {
            let overview = CheckpointOverview::of(&BundleReader::open(prefix)?)?;
            match args.json {
                true => json::document(out, "overview", 1, &Document::Checkpoint(&overview))?,
                false => checkpoint::write(&overview, out)?,
            }
        }
    }
    Ok(Outcome::Sound)
}
