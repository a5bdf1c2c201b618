//! Makes the models, starts the sides, and compares.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::compare::{Clock, Line, compare};
use crate::harness::peer::{self, Peer};
use crate::harness::side::Side;
use crate::harness::{self, DataDirectory, PYTHON, Result, meter};

/// The constants of a model: how many, and how many MiB each.
const LARGE: (u32, u32) = (12, 256);
/// As much as one `saved_model.pb` holds.
const BINARY: (u32, u32) = (7, 256);

/// Gigabytes are read and written in each.
const MOST_ROUNDS: usize = 3;

const MERGE: &str = "3 GiB of constants";
const WRITE: &str = "write 1.75 GiB";

pub(crate) fn run(wanted: impl Fn(&str) -> bool) -> Result<()> {
    let rounds = harness::rounds()?.min(MOST_ROUNDS);
    let data = DataDirectory::new("chunked-bench")?;
    let mut ours = Side::start(Command::new(env::current_exe()?).arg(meter::FLAG))?;
    println!("\nmedians of {rounds} rounds; ratio = the first line's time / this library's\n");
    if wanted(MERGE) {
        merge(&mut ours, data.path(), rounds)?;
    }
    if wanted(WRITE) {
        write(&mut ours, data.path(), rounds)?;
    }
    Ok(())
}

fn merge(ours: &mut Side, data: &Path, rounds: usize) -> Result<()> {
    let model = data.join("large");
    let bytes = make(ours, "make", &model, LARGE)?;
    let mut tensorflow = match env::var(PYTHON) {
        Ok(python) => {
            let program = peer::build(&python, data)?;
            Some(Side::start(Peer::Plain.command(&program))?)
        }
        Err(_) => None,
    };
    let line = |name: &str, clock, bar, peak| Line {
        name: name.to_owned(),
        clock,
        bar,
        peak: Some(peak),
    };
    let mib = bytes as f64 / (1 << 20) as f64;
    let lines = [
        line("signatures, 1 thread", Clock::Cpu, 500.0, 8.0),
        line("merge, 1 thread", Clock::Cpu, 2.0, 1.1 * mib),
        line("merge, wall", Clock::Wall, 2.0, 1.1 * mib),
    ];
    let commands = ["signatures", "merge", "merge"];
    compare(
        MERGE,
        "TensorFlow Merger::Read",
        &lines,
        rounds,
        &mut || {
            let prefix = model.join("saved_model");
            let peer = tensorflow.as_mut();
            peer.map(|peer| peer.measure(&format!("cpb {}", prefix.display())))
                .transpose()
        },
        &mut |i| ours.measure(&format!("{} {}", commands[i], model.display())),
    )?;
    fs::remove_dir_all(model)?;
    Ok(())
}

/// There is nobody else who writes such files: they are compared with `saved_model.pb`.
fn write(ours: &mut Side, data: &Path, rounds: usize) -> Result<()> {
    let (split, binary) = (data.join("split"), data.join("binary"));
    make(ours, "hold", &split, BINARY)?;
    let lines = [Line {
        name: "saved_model.cpb, wall".to_owned(),
        clock: Clock::Wall,
        // No more than 1.1 times the time.
        bar: 1.0 / 1.1,
        peak: Some(16.0),
    }];
    let ours = std::cell::RefCell::new(ours);
    let measure = |command: &str, directory: &Path| {
        // Space that an old file takes is given back outside of the measurement.
        let _ = fs::remove_dir_all(directory);
        ours.borrow_mut()
            .measure(&format!("{command} {}", directory.display()))
    };
    compare(
        WRITE,
        "saved_model.pb, ours",
        &lines,
        rounds,
        &mut || measure("write_pb", &binary).map(Some),
        &mut |_| measure("write_cpb", &split),
    )?;
    for directory in [split, binary] {
        let _ = fs::remove_dir_all(directory);
    }
    Ok(())
}

/// Has our side make a model; returns how long it is.
fn make(ours: &mut Side, command: &str, model: &Path, constants: (u32, u32)) -> Result<u64> {
    let (count, size) = constants;
    let answer = ours.ask(&format!("{command} {} {count} {size}", model.display()))?;
    answer["n"]
        .as_u64()
        .ok_or_else(|| "a model without a length".into())
}
