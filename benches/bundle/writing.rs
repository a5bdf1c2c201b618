//! Writing beside TensorFlow's `BundleWriter` and `MergeBundles`, and beside safetensors.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::compare::{Clock, Line, compare};
use crate::harness::peer::{self, Peer};
use crate::harness::side::Side;
use crate::harness::{self, DataDirectory, PYTHON, Result};

/// With this argument the bench is the side that writes.
pub(crate) const FLAG: &str = "--writing-side";

struct Group {
    name: &'static str,
    /// The tensors: a case of the peer's generator, and of ours.
    case: char,
    /// A command of the peer.
    command: &'static str,
    rows: &'static [Row],
}

struct Row {
    name: &'static str,
    /// A command of `writing_side`, and what follows the prefix.
    command: &'static str,
    arguments: &'static str,
    clock: Clock,
    /// How many times as fast as the peer it has to be; 0 where nothing was promised.
    bar: f64,
    /// In MiB over the start.
    peak: Option<f64>,
}

const fn row(name: &'static str, command: &'static str, arguments: &'static str) -> Row {
    Row {
        name,
        command,
        arguments,
        clock: Clock::Wall,
        bar: 0.0,
        peak: None,
    }
}

const fn promised(command: &'static str, bar: f64, peak: Option<f64>) -> Row {
    Row {
        clock: Clock::Cpu,
        bar,
        peak,
        ..row("1 thread", command, "1 none")
    }
}

const SYNC: Row = row("1 thread, synced, wall", "write", "1 sync");
const SAFETENSORS: Row = Row {
    clock: Clock::Cpu,
    ..row("safetensors, 1 thread", "safetensors", "")
};

const GROUPS: &[Group] = &[
    Group {
        name: "write 16 x 64 MiB",
        case: 'a',
        command: "write",
        rows: &[
            promised("write", 1.7, Some(16.0)),
            row("1 thread, wall", "write", "1 none"),
            row("2 threads sum, wall", "write", "2 none"),
            Row {
                bar: 4.5,
                peak: Some(16.0),
                ..row("2 shards, wall", "shards", "2 none")
            },
            row("1 MiB at a time, wall", "stream", "1 none"),
            SYNC,
            SAFETENSORS,
            row("safetensors, wall", "safetensors", ""),
        ],
    },
    Group {
        name: "write 100,000 x 1 KiB",
        case: 'b',
        command: "write",
        rows: &[
            promised("write", 2.5, None),
            row("2 shards, wall", "shards", "2 none"),
            SYNC,
            SAFETENSORS,
        ],
    },
    Group {
        name: "write 1,000,000 x 8 B",
        case: 'c',
        command: "write",
        rows: &[
            promised("write", 3.5, Some(180.0)),
            row("2 shards, wall", "shards", "2 none"),
            SYNC,
        ],
    },
    Group {
        name: "write 1,000,000 strings",
        case: 'd',
        command: "write",
        rows: &[promised("write", 2.8, None), SYNC],
    },
    Group {
        name: "merge 2 shards, 1,000,000",
        case: 'c',
        command: "merge",
        rows: &[
            promised("merge", 3.0, None),
            row("1 thread, synced, wall", "merge", "1 sync"),
        ],
    },
];

/// A whole model of the tensors of case `a`, beside the bundle of them alone.
const MODEL: &str = "model of 16 x 64 MiB";

const MODEL_ROWS: &[Row] = &[
    Row {
        // A model may cost a fifth more than its bundle.
        bar: 1.0 / 1.2,
        peak: Some(16.0),
        ..row("1 MiB at a time, wall", "model", "1 none")
    },
    Row {
        clock: Clock::Cpu,
        bar: 1.0 / 1.2,
        ..row("1 MiB at a time", "model", "1 none")
    },
    row("synced, wall", "model", "1 sync"),
];

/// Compares this library with itself: no peer is needed.
pub(crate) fn run_models(wanted: impl Fn(&str) -> bool) -> Result<()> {
    if !wanted(MODEL) {
        return Ok(());
    }
    let rounds = harness::rounds()?;
    let data = DataDirectory::new("bundle-bench-model")?;
    println!("\nmedians of {rounds} rounds; ratio = the bundle's time / the model's\n");
    let executable = env::current_exe()?;
    let start = || -> Result<Side> {
        let mut side = Side::start(Command::new(&executable).arg(FLAG))?;
        side.ask("gen a")?;
        Ok(side)
    };
    let (mut bundle, mut model) = (start()?, start()?);
    let prefix = data.path().join("out");
    let lines: Vec<Line> = MODEL_ROWS.iter().map(Row::line).collect();
    compare(
        MODEL,
        "the bundle alone",
        &lines,
        rounds,
        &mut || {
            let sample = bundle.measure(&format!("stream {} 1 none", prefix.display()));
            remove(data.path())?;
            sample.map(Some)
        },
        &mut |i| {
            let Row {
                command, arguments, ..
            } = MODEL_ROWS[i];
            let sample = model.measure(&format!("{command} {} {arguments}", prefix.display()));
            remove(data.path())?;
            sample
        },
    )
}

pub(crate) fn run(wanted: impl Fn(&str) -> bool) -> Result<()> {
    let groups: Vec<&Group> = GROUPS.iter().filter(|group| wanted(group.name)).collect();
    if groups.is_empty() {
        return Ok(());
    }
    let rounds = harness::rounds()?;
    let data = DataDirectory::new("bundle-bench-writing")?;
    let peer = match env::var(PYTHON) {
        Ok(python) => Some(peer::build(&python, data.path())?),
        Err(_) => None,
    };
    println!("\nmedians of {rounds} rounds; ratio = TensorFlow's time / this line's\n");
    let ours = env::current_exe()?;
    for group in groups {
        let generate = format!("gen {}", group.case);
        let mut ours = Side::start(Command::new(&ours).arg(FLAG))?;
        ours.ask(&generate)?;
        let mut theirs = match &peer {
            Some(program) => Some(Side::start(Peer::Plain.command(program))?),
            None => None,
        };
        if let Some(theirs) = &mut theirs {
            theirs.ask(&generate)?;
        }
        let prefix = data.path().join("out");
        let lines: Vec<Line> = group.rows.iter().map(Row::line).collect();
        compare(
            group.name,
            &format!("TensorFlow {}", group.command),
            &lines,
            rounds,
            &mut || {
                let Some(peer) = &mut theirs else {
                    return Ok(None);
                };
                let sample = peer.measure(&format!("{} {}", group.command, prefix.display()));
                remove(data.path())?;
                sample.map(Some)
            },
            &mut |i| {
                let Row {
                    command, arguments, ..
                } = group.rows[i];
                let sample = ours.measure(&format!("{command} {} {arguments}", prefix.display()));
                remove(data.path())?;
                sample
            },
        )?;
    }
    Ok(())
}

impl Row {
    fn line(&self) -> Line {
        Line {
            name: self.name.to_owned(),
            clock: self.clock,
            bar: self.bar,
            peak: self.peak,
        }
    }
}

/// Removes what was written: a file in the way of the next one would be measured with it.
fn remove(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("out"))
        {
            match path.is_dir() {
                true => fs::remove_dir_all(path)?,
                false => fs::remove_file(path)?,
            }
        }
    }
    Ok(())
}
