//! Measures in turns, and prints what came of it.

use super::Result;

/// What counts: processor time for one thread, time on the clock for several.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    Cpu,
    Wall,
}

/// What is printed, and promised, of one of our lines.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) clock: Clock,
    /// How many times as fast as the peer it has to be; 0 where nothing was promised.
    pub(crate) bar: f64,
    /// In MiB.
    pub(crate) peak: Option<f64>,
}

#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
    /// In MiB.
    pub(crate) peak: f64,
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

/// Measures the peer, if there is one.
pub(crate) type MeasurePeer<'a> = &'a mut dyn FnMut() -> Result<Option<Sample>>;
/// Measures the line of that index.
pub(crate) type MeasureLine<'a> = &'a mut dyn FnMut(usize) -> Result<Sample>;

/// Each round measures the peer, every line, every line backwards and the peer again, so that what
/// drifts in the machine falls on all of them.
pub(crate) fn compare(
    title: &str,
    peer_name: &str,
    lines: &[Line],
    rounds: usize,
    peer: MeasurePeer<'_>,
    ours: MeasureLine<'_>,
) -> Result<()> {
    let mut peers = Vec::new();
    let mut rows: Vec<Vec<Sample>> = lines.iter().map(|_| Vec::new()).collect();
    // The first round fills caches and is not kept.
    for round in 0..=rounds {
        let before = peer()?;
        let mut there = Vec::new();
        for i in 0..lines.len() {
            there.push(ours(i)?);
        }
        let mut back = Vec::new();
        for i in (0..lines.len()).rev() {
            back.push(ours(i)?);
        }
        let after = peer()?;
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
    print(title, peer_name, lines, &peers, &rows);
    Ok(())
}

fn print(title: &str, peer_name: &str, lines: &[Line], peers: &[Sample], rows: &[Vec<Sample>]) {
    println!(
        "{title:<28} {:>9} {:>9} {:>9} {:>8} {:>7}",
        "cpu s", "wall s", "peak MiB", "ratio", "bar"
    );
    let print_line = |name: &str, samples: &[Sample], rest: String| {
        println!(
            "  {name:<26} {:>9} {:>9} {:>9.1} {rest}",
            seconds(median(samples.iter().map(|sample| sample.cpu))),
            seconds(median(samples.iter().map(|sample| sample.wall))),
            median(samples.iter().map(|sample| sample.peak)),
        );
    };
    if !peers.is_empty() {
        print_line(peer_name, peers, String::new());
    }
    for (line, samples) in lines.iter().zip(rows) {
        let ratio = median(
            peers
                .iter()
                .zip(samples)
                .map(|(peer, sample)| peer.seconds(line.clock) / sample.seconds(line.clock)),
        );
        let mut verdict = String::new();
        if !peers.is_empty() {
            verdict = format!("{ratio:>8.2}");
            if line.bar > 0.0 {
                verdict += &format!(" {:>7.2}", line.bar);
                if ratio < line.bar {
                    verdict += "  MISSED";
                }
            }
        }
        let peak = median(samples.iter().map(|sample| sample.peak));
        if line.peak.is_some_and(|limit| peak > limit) {
            verdict += "  PEAK MISSED";
        }
        print_line(&line.name, samples, verdict);
    }
    println!();
}

pub(crate) fn seconds(value: f64) -> String {
    match value < 0.01 {
        true => format!("{value:.6}"),
        false => format!("{value:.4}"),
    }
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[len / 2],
        len => (values[len / 2 - 1] + values[len / 2]) / 2.0,
    }
}
