//! This library's side: takes commands and answers as the peer does, and measures itself.

use std::error::Error;
use std::fs;
use std::io::{self, BufRead, Write};
use std::time::Instant;

use memmap2::{Advice, MmapMut};
use rustix::time::{ClockId, clock_gettime};

/// With this argument a bench is the side that is measured.
pub(crate) const FLAG: &str = "--side";

/// One command per line in, one JSON object per line out.
pub(crate) fn serve(
    mut measure: impl FnMut(&[&str]) -> Result<String, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["quit"] => break,
            ["warm", mib] => {
                drop(touched(mib.parse::<usize>()? << 20)?);
                answer(r#"{"op":"warm"}"#)?;
            }
            _ => answer(&measure(&words)?)?,
        }
    }
    Ok(())
}

fn answer(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Memory in huge pages, every one of them there.
pub(crate) fn touched(len: usize) -> io::Result<MmapMut> {
    let mut map = MmapMut::map_anon(len)?;
    map.advise(Advice::HugePage)?;
    map.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    Ok(map)
}

/// The start of a measurement.
pub(crate) struct Start {
    wall: Instant,
    cpu: f64,
    base_kb: u64,
}

impl Start {
    pub(crate) fn now() -> io::Result<Self> {
        // What was freed goes back first, or the peak would not rise again.
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        #[allow(unsafe_code)]
        // SAFETY: takes a number and touches only memory that is free.
        unsafe {
            libc::malloc_trim(0);
        }
        fs::write("/proc/self/clear_refs", "5")?;
        let base_kb = status_kb("VmRSS:")?;
        Ok(Start {
            cpu: cpu_seconds(),
            wall: Instant::now(),
            base_kb,
        })
    }

    pub(crate) fn report(&self, count: usize) -> Result<String, Box<dyn Error>> {
        let (wall, cpu) = (self.wall.elapsed().as_secs_f64(), cpu_seconds() - self.cpu);
        Ok(format!(
            r#"{{"s":{wall:.6},"user":{cpu:.6},"sys":0,"peak_kb":{},"base_kb":{},"n":{count}}}"#,
            status_kb("VmHWM:")?,
            self.base_kb
        ))
    }
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn status_kb(key: &str) -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let value = status.lines().find_map(|line| line.strip_prefix(key));
    let digits = value.and_then(|value| value.split_whitespace().next());
    Ok(digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_default())
}
