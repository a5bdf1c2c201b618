//! Starts the two sides, makes the data, and compares.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::rows::{GROUPS, Group, Row};
use crate::harness::compare::{Clock, Line, compare};
use crate::harness::peer::{self, Peer};
use crate::harness::side::Side;
use crate::harness::{self, DIRECTORY, DataDirectory, PYTHON, Result, meter};

pub(crate) fn run(wanted: impl Fn(&str) -> bool) -> Result<()> {
    let groups: Vec<&Group> = GROUPS.iter().filter(|group| wanted(group.name)).collect();
    if groups.is_empty() {
        return Ok(());
    }
    let rounds = harness::rounds()?;
    let data = Data(DataDirectory::new("bundle-bench")?);
    let peer = match env::var(PYTHON) {
        Ok(python) => Some(peer::build(&python, data.0.path())?),
        Err(_) => None,
    };
    if peer.is_none() {
        println!("\n*** {PYTHON} is not set: TensorFlow is not measured, there are no ratios ***");
    }
    let ours = env::current_exe()?;
    println!("\nmedians of {rounds} rounds; ratio = TensorFlow's time / this library's\n");
    let mut made = None;
    for group in groups {
        // Only now: a kernel that ages memory cuts the page cache of an idle file into small pages,
        // and a map of those takes three times as long to read.
        if made != Some(group.case) {
            data.make(group.case, peer.as_deref())?;
            made = Some(group.case);
        }
        let mut ours = Side::start(Command::new(&ours).arg(meter::FLAG))?;
        let mut theirs = match &peer {
            Some(program) => Some(Side::start(group.peer.command(program))?),
            None => None,
        };
        let prefix = data.prefix(group.case);
        let their_command = format!("{} {prefix} {}", group.command, group.arguments);
        let lines: Vec<Line> = group.rows.iter().map(Row::line).collect();
        compare(
            group.name,
            &format!("TensorFlow {}", group.command),
            &lines,
            rounds,
            &mut || {
                let peer = theirs.as_mut();
                peer.map(|peer| peer.measure(&their_command)).transpose()
            },
            &mut |i| {
                let (command, threads) = (group.rows[i].command, group.rows[i].threads);
                ours.measure(&format!("{command} {prefix} {threads} {}", group.arguments))
            },
        )?;
    }
    Ok(())
}

impl Row {
    fn line(&self) -> Line {
        let threads = match self.clock() {
            Clock::Cpu => "1 thread",
            Clock::Wall => "wall",
        };
        Line {
            name: format!("{}, {threads}", self.command),
            clock: self.clock(),
            bar: self.bar,
            peak: self.peak,
        }
    }
}

/// The bundles that are read.
struct Data(DataDirectory);

impl Data {
    fn prefix(&self, case: char) -> String {
        let path = self.0.path().join(format!("case_{case}"));
        path.display().to_string()
    }

    fn make(&self, case: char, peer: Option<&Path>) -> Result<()> {
        let prefix = self.prefix(case);
        let Some(peer) = peer else {
            return match fs::exists(format!("{prefix}.index"))? {
                true => Ok(()),
                false => Err(format!(
                    "there is no data: run once with {PYTHON} and {DIRECTORY} set, which keeps it"
                )
                .into()),
            };
        };
        let mut writer = Side::start(Peer::Plain.command(peer))?;
        writer.ask(&format!("gen {case}"))?;
        writer.ask(&format!("write {prefix}"))?;
        // Pages on their way to the disk would be in the way of the measurement.
        for suffix in ["index", "data-00000-of-00001"] {
            fs::File::open(format!("{prefix}.{suffix}"))?.sync_all()?;
        }
        Ok(())
    }
}
