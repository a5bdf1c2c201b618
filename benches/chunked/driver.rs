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

/// Small ones: 100 MB.
const NODES: u32 = 900_000;
/// What is touched before, in MiB: more than a file takes in the page cache.
const WARM: u32 = 2048;

/// Gigabytes are read and written in each.
const MOST_ROUNDS: usize = 3;

const MERGE: &str = "3 GiB of constants";
const WRITE: &str = "write 1.75 GiB";
const WRITE_NODES: &str = "write 100 MB of nodes";

pub(crate) fn run(wanted: impl Fn(&str) -> bool) -> Result<()> {
    let rounds = harness::rounds()?.min(MOST_ROUNDS);
    let data = DataDirectory::new("chunked-bench")?;
    let mut ours = Side::start(Command::new(env::current_exe()?).arg(meter::FLAG))?;
    println!("\nmedians of {rounds} rounds; ratio = the first line's time / this library's\n");
    if wanted(MERGE) {
        merge(&mut ours, data.path(), rounds)?;
    }
    if wanted(WRITE) {
        let (count, size) = BINARY;
        let writing = Writing {
            title: WRITE,
            hold: format!("hold {count} {size}"),
            // Less than the default, so that there is something to split.
            max_size: 1 << 30,
            bars: [1.0 / 2.0, 1.0 / 1.1],
            peak: 16.0,
        };
        writing.measure(&mut ours, data.path(), rounds)?;
    }
    if wanted(WRITE_NODES) {
        let writing = Writing {
            title: WRITE_NODES,
            hold: format!("hold_nodes {NODES}"),
            max_size: 10_000_000,
            bars: [1.0 / 5.0, 1.0 / 3.0],
            peak: 40.0,
        };
        writing.measure(&mut ours, data.path(), rounds)?;
    }
    Ok(())
}

fn merge(ours: &mut Side, data: &Path, rounds: usize) -> Result<()> {
    let model = data.join("large");
    let (count, size) = LARGE;
    let answer = ours.ask(&format!("make {} {count} {size}", model.display()))?;
    let bytes = answer["n"].as_u64().ok_or("a model without a length")?;
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

/// A model that is written split. There is nobody else who writes such files: they are compared with
/// `saved_model.pb`.
struct Writing {
    title: &'static str,
    /// Has our side make the model.
    hold: String,
    max_size: u64,
    /// For processor time, and for time on the clock.
    bars: [f64; 2],
    /// In MiB.
    peak: f64,
}

impl Writing {
    fn measure(&self, ours: &mut Side, data: &Path, rounds: usize) -> Result<()> {
        ours.ask(&self.hold)?;
        let lines = [Clock::Cpu, Clock::Wall].map(|clock| Line {
            name: match clock {
                Clock::Cpu => "saved_model.cpb, cpu".to_owned(),
                Clock::Wall => "saved_model.cpb, wall".to_owned(),
            },
            clock,
            bar: self.bars[usize::from(clock == Clock::Wall)],
            peak: Some(self.peak),
        });
        let (split, binary) = (data.join("split"), data.join("binary"));
        let ours = std::cell::RefCell::new(ours);
        let measure = |command: String, directory: &Path| {
            // Space that an old file takes is given back outside of the measurement.
            let _ = fs::remove_dir_all(directory);
            let mut ours = ours.borrow_mut();
            ours.ask(&format!("warm {WARM}"))?;
            ours.measure(&format!("{command} {}", directory.display()))
        };
        compare(
            self.title,
            "saved_model.pb, ours",
            &lines,
            rounds,
            &mut || measure("write_pb".to_owned(), &binary).map(Some),
            &mut |_| measure(format!("write_cpb {}", self.max_size), &split),
        )?;
        for directory in [split, binary] {
            let _ = fs::remove_dir_all(directory);
        }
        Ok(())
    }
}
