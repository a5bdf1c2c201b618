//! This library's side: one command per line in, one JSON object per line out, as the peer does.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::io::{self, BufRead, Write};
use std::time::Instant;

use memmap2::{Advice, MmapMut};
use rustix::time::{ClockId, clock_gettime};
use savedmodel::{BundleReader, Tensor};

pub(crate) const FLAG: &str = "--side";

pub(crate) fn serve() -> Result<(), Box<dyn Error>> {
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["quit"] => break,
            ["warm", mib] => {
                drop(touched(mib.parse::<usize>()? << 20)?);
                answer(r#"{"op":"warm"}"#)?;
            }
            [command, prefix, threads, ref rest @ ..] => {
                answer(&measure(command, prefix, threads.parse()?, rest)?)?;
            }
            _ => return Err(format!("what is `{line}`?").into()),
        }
    }
    Ok(())
}

fn answer(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn measure(
    command: &str,
    prefix: &str,
    threads: usize,
    arguments: &[&str],
) -> Result<String, Box<dyn Error>> {
    let mut memory = match command {
        "into" => Some(touched(fs::metadata(shard(prefix))?.len() as usize)?),
        _ => None,
    };
    let names = match arguments {
        [count, total] => random_names(count.parse()?, total.parse()?),
        _ => Vec::new(),
    };
    let start = Start::now()?;
    let mut options = BundleReader::options();
    if threads > 0 {
        options = options.threads(threads);
    }
    let bundle = options.open(prefix)?;
    match command {
        "read" | "view" => {
            let mut tensors = Vec::new();
            let mut cursor = bundle.cursor();
            while let Some((key, entry)) = cursor.next_entry()? {
                tensors.push(match command {
                    "read" => bundle.read_of(key, &entry)?,
                    _ => bundle.tensor_of(key, &entry)?,
                });
            }
            start.report(black_box(tensors).len())
        }
        "into" => {
            let mut rest = memory.as_deref_mut().unwrap_or_default();
            let mut count = 0;
            let mut cursor = bundle.cursor();
            while let Some((key, entry)) = cursor.next_entry()? {
                let (tensor, others) = rest.split_at_mut(entry.size() as usize);
                bundle.read_into(key, tensor)?;
                (rest, count) = (others, count + 1);
            }
            start.report(count)
        }
        "all" => start.report(black_box(bundle.read_all()?).len()),
        "walk" => {
            let (mut count, mut sum) = (0, 0);
            let mut cursor = bundle.cursor();
            while let Some((key, entry)) = cursor.next_entry()? {
                sum += entry.shape().elements() + key.len() as u64;
                count += 1;
            }
            black_box(sum);
            start.report(count)
        }
        "entries" => {
            let entries = bundle.entries().collect::<savedmodel::Result<Vec<_>>>()?;
            start.report(black_box(entries).len())
        }
        "listing" => {
            let listing = bundle.listing()?;
            let mut sum = 0;
            for (key, entry) in listing.iter() {
                sum += entry?.shape().elements() + key.len() as u64;
            }
            black_box(sum);
            start.report(listing.len())
        }
        "lookup" => {
            let mut count = 0;
            for name in &names {
                let tensor: Tensor = bundle.read(name)?;
                count += usize::from(black_box(tensor).bytes().is_some());
            }
            start.report(count)
        }
        _ => Err(format!("what is `{command}`?").into()),
    }
}

fn shard(prefix: &str) -> String {
    format!("{prefix}.data-00000-of-00001")
}

/// Names as the peer's generator makes them.
fn random_names(count: usize, total: u64) -> Vec<String> {
    let mut x = 88_172_645_463_325_252u64;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x % total
    };
    (0..count)
        .map(|_| {
            let i = next();
            format!(
                "model/block_{}/layer_with_weights-{}/kernel/.ATTRIBUTES/VARIABLE_VALUE",
                i / 100,
                i % 100
            )
        })
        .collect()
}

/// Memory in huge pages, every one of them there.
fn touched(len: usize) -> io::Result<MmapMut> {
    let mut map = MmapMut::map_anon(len)?;
    map.advise(Advice::HugePage)?;
    map.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    Ok(map)
}

struct Start {
    wall: Instant,
    cpu: f64,
    base_kb: u64,
}

impl Start {
    fn now() -> io::Result<Self> {
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

    fn report(&self, count: usize) -> Result<String, Box<dyn Error>> {
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
