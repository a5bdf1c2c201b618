//! Starts the two sides, makes the data, and compares.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::rows::{Clock, GROUPS, Group, Row};
use super::side;

/// How the peer is started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Plain,
    /// With its pool of memory, which oneDNN switches on: what an earlier restore freed is not
    /// fresh for the next one. A process that restores once never sees the gain.
    Pooled,
    /// With TensorFlow's cache of index blocks, which is off by default, holding all of them.
    BlockCache,
}

const PYTHON: &str = "SAVEDMODEL_TF_PYTHON";
const DIRECTORY: &str = "SAVEDMODEL_BENCH_DIR";
const ROUNDS: &str = "SAVEDMODEL_BENCH_ROUNDS";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

pub(crate) fn run(wanted: impl Fn(&str) -> bool) -> Result<()> {
    let groups: Vec<&Group> = GROUPS.iter().filter(|group| wanted(group.name)).collect();
    let rounds: usize = env::var(ROUNDS).map_or(Ok(7), |rounds| rounds.parse())?;
    let data = Data::new()?;
    let peer = match env::var(PYTHON) {
        Ok(python) => Some(build_peer(&python, &data.directory)?),
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
        let mut ours = Side::start(Command::new(&ours).arg(side::FLAG))?;
        let mut theirs = match &peer {
            Some(program) => Some(Side::start(group.peer.command(program))?),
            None => None,
        };
        compare(
            group,
            &data.prefix(group.case),
            rounds,
            &mut ours,
            theirs.as_mut(),
        )?;
    }
    Ok(())
}

impl Peer {
    fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let (pool, cache) = match self {
            Peer::Plain => ("0", "0"),
            Peer::Pooled => ("1", "0"),
            Peer::BlockCache => ("0", "512"),
        };
        command
            .env("TF_ENABLE_ONEDNN_OPTS", pool)
            .env("TF_TABLE_INDEX_CACHE_SIZE_IN_MB", cache)
            // It logs before it reads its log level.
            .stderr(Stdio::null());
        command
    }
}

fn build_peer(python: &str, directory: &Path) -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/tf_peer/build_peer.sh");
    let status = Command::new("sh")
        .arg(script)
        .args([python.as_ref(), directory.as_os_str()])
        .stdout(Stdio::null())
        .status()?;
    match status.success() {
        true => Ok(directory.join("tf_peer")),
        false => Err("the peer could not be built".into()),
    }
}

/// The bundles that are read. Removed at the end unless the caller named the directory.
struct Data {
    directory: PathBuf,
    keep: bool,
}

impl Data {
    fn new() -> Result<Self> {
        let (directory, keep) = match env::var_os(DIRECTORY) {
            Some(directory) => (directory.into(), true),
            None => (
                Path::new(env!("CARGO_TARGET_TMPDIR")).join("bundle-bench"),
                false,
            ),
        };
        fs::create_dir_all(&directory)?;
        Ok(Data { directory, keep })
    }

    fn prefix(&self, case: char) -> String {
        self.directory
            .join(format!("case_{case}"))
            .display()
            .to_string()
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

impl Drop for Data {
    fn drop(&mut self) {
        if !self.keep {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// A process that does what it is told.
struct Side {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Side {
    fn start(mut command: impl std::borrow::BorrowMut<Command>) -> Result<Self> {
        let mut child = command
            .borrow_mut()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a side without pipes".into());
        };
        Ok(Side {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    fn ask(&mut self, command: &str) -> Result<Value> {
        writeln!(self.input, "{command}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let value: Value = serde_json::from_str(&line)
            .map_err(|error| format!("`{command}` was answered `{line}`: {error}"))?;
        match value.get("error") {
            Some(error) => Err(format!("`{command}` failed: {error}").into()),
            None => Ok(value),
        }
    }

    fn measure(&mut self, command: &str) -> Result<Sample> {
        // More than any row takes: a host that took memory back gives it again now, at its leisure.
        self.ask("warm 1536")?;
        let value = self.ask(command)?;
        let number = |key: &str| {
            value[key]
                .as_f64()
                .ok_or_else(|| format!("`{command}` was answered without {key}"))
        };
        Ok(Sample {
            wall: number("s")?,
            cpu: number("user")? + number("sys")?,
            peak: (number("peak_kb")? - number("base_kb")?) / 1024.0,
        })
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        let _ = writeln!(self.input, "quit");
        let _ = self.child.wait();
    }
}

#[derive(Clone, Copy)]
struct Sample {
    wall: f64,
    cpu: f64,
    peak: f64,
}

impl Sample {
    fn seconds(self, clock: Clock) -> f64 {
        match clock {
            Clock::Cpu => self.cpu,
            Clock::Wall => self.wall,
        }
    }

    fn mean(self, other: Self) -> Self {
        Sample {
            wall: (self.wall + other.wall) / 2.0,
            cpu: (self.cpu + other.cpu) / 2.0,
            peak: self.peak.max(other.peak),
        }
    }
}

/// Each round measures the peer, every row, every row backwards and the peer again, so that what
/// drifts in the machine falls on all of them.
fn compare(
    group: &Group,
    prefix: &str,
    rounds: usize,
    ours: &mut Side,
    mut theirs: Option<&mut Side>,
) -> Result<()> {
    let their_command = format!("{} {prefix} {}", group.command, group.arguments);
    let our_command = |row: &Row| {
        format!(
            "{} {prefix} {} {}",
            row.command, row.threads, group.arguments
        )
    };
    let mut peers = Vec::new();
    let mut rows: Vec<Vec<Sample>> = group.rows.iter().map(|_| Vec::new()).collect();
    // The first round fills caches and is not kept.
    for round in 0..=rounds {
        let mut ask_peer = || {
            let peer = theirs.as_mut();
            peer.map(|peer| peer.measure(&their_command)).transpose()
        };
        let before = ask_peer()?;
        let mut there = Vec::new();
        for row in group.rows {
            there.push(ours.measure(&our_command(row))?);
        }
        let mut back = Vec::new();
        for row in group.rows.iter().rev() {
            back.push(ours.measure(&our_command(row))?);
        }
        let after = ask_peer()?;
        if round == 0 {
            continue;
        }
        if let (Some(before), Some(after)) = (before, after) {
            peers.push(before.mean(after));
        }
        for (i, (there, back)) in there.into_iter().zip(back.into_iter().rev()).enumerate() {
            rows[i].push(there.mean(back));
        }
    }
    print(group, &peers, &rows);
    Ok(())
}

fn print(group: &Group, peers: &[Sample], rows: &[Vec<Sample>]) {
    println!(
        "{:<28} {:>9} {:>9} {:>9} {:>8} {:>7}",
        group.name, "cpu s", "wall s", "peak MiB", "ratio", "bar"
    );
    let line = |name: String, samples: &[Sample], rest: String| {
        println!(
            "  {name:<26} {:>9.4} {:>9.4} {:>9.1} {rest}",
            median(samples.iter().map(|sample| sample.cpu)),
            median(samples.iter().map(|sample| sample.wall)),
            median(samples.iter().map(|sample| sample.peak)),
        );
    };
    if !peers.is_empty() {
        line(
            format!("TensorFlow {}", group.command),
            peers,
            String::new(),
        );
    }
    for (row, samples) in group.rows.iter().zip(rows) {
        let clock = row.clock();
        let ratio = median(
            peers
                .iter()
                .zip(samples)
                .map(|(peer, sample)| peer.seconds(clock) / sample.seconds(clock)),
        );
        let mut verdict = String::new();
        if !peers.is_empty() {
            verdict = format!("{ratio:>8.2}");
            if row.bar > 0.0 {
                verdict += &format!(" {:>7.2}", row.bar);
                if ratio < row.bar {
                    verdict += "  MISSED";
                }
            }
        }
        let peak = median(samples.iter().map(|sample| sample.peak));
        if row.peak.is_some_and(|limit| peak > limit) {
            verdict += "  PEAK MISSED";
        }
        let threads = match row.clock() {
            Clock::Cpu => "1 thread",
            Clock::Wall => "wall",
        };
        line(format!("{}, {threads}", row.command), samples, verdict);
    }
    println!();
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[len / 2],
        len => (values[len / 2 - 1] + values[len / 2]) / 2.0,
    }
}
