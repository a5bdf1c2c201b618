//! This library's side.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;

use savedmodel::{Fingerprint, SavedModel, text};

use crate::harness::meter::{self, Start};

pub(crate) fn serve() -> Result<(), Box<dyn Error>> {
    meter::serve(|words| match words[..] {
        [command, directory] => measure(command, directory),
        _ => Err(format!("what is `{}`?", words.join(" ")).into()),
    })
}

fn measure(command: &str, directory: &str) -> Result<String, Box<dyn Error>> {
    if let "parse" | "print" = command {
        return measure_text(command, directory);
    }
    let start = Start::now()?;
    if command == "fingerprint" {
        black_box(Fingerprint::compute(directory)?);
        return start.report(1);
    }
    let model = SavedModel::open(directory)?;
    match command {
        "open" => {
            let mut count = 0;
            for meta_graph in model.meta_graphs() {
                count += black_box(meta_graph?.signatures()?).len();
            }
            start.report(count)
        }
        "ops" => {
            let mut count = 0;
            for meta_graph in model.meta_graphs() {
                let meta_graph = meta_graph?;
                black_box(meta_graph.signatures()?);
                count += black_box(meta_graph.graph().ops()?).len();
            }
            start.report(count)
        }
        "decode" => {
            // Freeing it is no part of this, on either side.
            let decoded = black_box(model.to_proto()?);
            start.report(decoded.meta_graphs.len())
        }
        _ => Err(format!("what is `{command}`?").into()),
    }
}

/// Prints the program, and reads what was printed; one of the two is measured.
fn measure_text(command: &str, directory: &str) -> Result<String, Box<dyn Error>> {
    const SAVED_MODEL: &str = "tensorflow.SavedModel";
    let bytes = std::fs::read(Path::new(directory).join("saved_model.pb"))?;
    if command == "print" {
        let start = Start::now()?;
        return start.report(black_box(text::print(&bytes, SAVED_MODEL)?).len());
    }
    let printed = text::print(&bytes, SAVED_MODEL)?;
    let start = Start::now()?;
    start.report(black_box(text::parse(&printed, SAVED_MODEL)?).len())
}
