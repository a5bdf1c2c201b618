//! This library's side.

use std::error::Error;
use std::fs;
use std::hint::black_box;

use savedmodel::{BundleReader, Tensor};

use crate::harness::meter::{self, Start, touched};

pub(crate) fn serve() -> Result<(), Box<dyn Error>> {
    meter::serve(|words| match words[..] {
        [command, prefix, threads, ref rest @ ..] => {
            measure(command, prefix, threads.parse()?, rest)
        }
        _ => Err(format!("what is `{}`?", words.join(" ")).into()),
    })
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
