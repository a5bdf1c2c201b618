use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde::Serialize;

/// How long calls took, in seconds.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Latency {
    /// How many calls there were after the first.
    pub(super) calls: u32,
    /// The first one, in which TensorFlow prepares the graph.
    first: f64,
    mean: f64,
    min: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

impl Latency {
    /// Calls so many times, after a first call that took so long.
    pub(super) fn measure<E>(
        first: Duration,
        calls: u32,
        mut call: impl FnMut() -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut times = Vec::new();
        for _ in 0..calls {
            let start = Instant::now();
            call()?;
            times.push(start.elapsed());
        }
        Ok(Latency::of(first, times))
    }

    fn of(first: Duration, mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let count = times.len();
        // The nearest rank: so many of a hundred calls took no longer.
        let percentile = |percent: usize| {
            let rank = (count * percent).div_ceil(100);
            let time = times.get(rank.saturating_sub(1));
            time.map_or(0.0, Duration::as_secs_f64)
        };
        let total: Duration = times.iter().sum();
        Latency {
            calls: count as u32,
            first: first.as_secs_f64(),
            mean: total.as_secs_f64() / count.max(1) as f64,
            min: percentile(0),
            p50: percentile(50),
            p90: percentile(90),
            p99: percentile(99),
            max: percentile(100),
        }
    }

    pub(super) fn write(&self, load: Duration, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "load        {}", Time(load.as_secs_f64()))?;
        writeln!(out, "first call  {}", Time(self.first))?;
        let calls = match self.calls {
            1 => "1 more call".to_owned(),
            calls => format!("{calls} more calls"),
        };
        writeln!(
            out,
            "{calls}: p50 {}, p90 {}, p99 {}, max {}, min {}, mean {}, {:.0} calls/s",
            Time(self.p50),
            Time(self.p90),
            Time(self.p99),
            Time(self.max),
            Time(self.min),
            Time(self.mean),
            1.0 / self.mean.max(1e-9)
        )
    }
}

/// Seconds, in a unit that leaves no more than three digits before the point.
struct Time(f64);

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (value, unit) = match self.0 {
            time if time < 1e-3 => (time * 1e6, "µs"),
            time if time < 1.0 => (time * 1e3, "ms"),
            time => (time, "s"),
        };
        let digits = match value {
            ..10.0 => 2,
            10.0..100.0 => 1,
            _ => 0,
        };
        write!(f, "{value:.digits$} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_of_calls() {
        let times = (1..=200).rev().map(Duration::from_millis).collect();
        let latency = Latency::of(Duration::from_secs(2), times);
        let seconds = |milliseconds| Duration::from_millis(milliseconds).as_secs_f64();
        assert_eq!(
            latency,
            Latency {
                calls: 200,
                first: 2.0,
                mean: latency.mean,
                min: seconds(1),
                p50: seconds(100),
                p90: seconds(180),
                p99: seconds(198),
                max: seconds(200),
            }
        );
        assert!((latency.mean - 0.1005).abs() < 1e-9, "{latency:?}");
        let one = Latency::of(Duration::ZERO, vec![Duration::from_millis(3)]);
        assert_eq!((one.min, one.p50, one.max), (0.003, 0.003, 0.003));
    }

    #[test]
    fn times_have_three_digits() {
        for (seconds, text) in [
            (0.0000042, "4.20 µs"),
            (0.0123, "12.3 ms"),
            (0.5, "500 ms"),
            (12.0, "12.0 s"),
        ] {
            assert_eq!(Time(seconds).to_string(), text);
        }
    }
}
