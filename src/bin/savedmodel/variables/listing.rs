use std::fmt::Write as _;
use std::io::Write;

use savedmodel::bundle::Endianness;
use savedmodel::{BundleReader, Error};

use super::selection::Selection;
use super::variable::Variable;
use super::{Request, Totals, counted};
use crate::decimal::binary_size;
use crate::failure::{Failure, Outcome};
use crate::table::{Align, Table};
use crate::text::Escaped;

pub(super) fn write(
    request: &Request<'_>,
    selection: &Selection<'_>,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let mut table = Table::new([
        ("key", Align::Left),
        ("dtype", Align::Left),
        ("shape", Align::Left),
        ("bytes", Align::Right),
        ("shard", Align::Left),
    ]);
    let mut cells = Cells::default();
    // Walking twice is quicker than keeping a million rows.
    selection.for_each(|variable| {
        table.measure(cells.fill(request.bundle, variable));
        Ok::<_, Failure>(())
    })?;
    table.write_titles(out)?;
    let mut totals = Totals::default();
    let index_fault = selection.for_each(|variable| {
        totals.add(variable, variable.fault.is_none());
        table
            .write(out, cells.fill(request.bundle, variable))
            .map_err(Failure::from)
    })?;
    write_totals(request.bundle, &totals, index_fault.as_ref(), out)?;
    totals.outcome(index_fault)
}

fn write_totals(
    bundle: &BundleReader,
    totals: &Totals,
    index_fault: Option<&Error>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    write!(
        out,
        "\n{}, {}, {} bytes",
        counted(totals.tensors, "tensor"),
        counted(totals.elements, "element"),
        totals.bytes
    )?;
    if totals.bytes >= 1024 {
        write!(out, " ({})", binary_size(totals.bytes))?;
    }
    write!(out, ", {}", counted(bundle.num_shards().into(), "shard"))?;
    if bundle.endianness() == Endianness::Big {
        write!(out, ", big-endian")?;
    }
    if totals.unreadable > 0 {
        write!(out, "; {} unreadable", totals.unreadable)?;
    }
    if index_fault.is_some() {
        write!(out, "; the index is damaged, there may be more")?;
    }
    writeln!(out)?;
    Ok(())
}

/// The cells of one row, whose memory serves the next too.
#[derive(Default)]
pub(super) struct Cells([String; 6]);

impl Cells {
    pub(super) fn fill(&mut self, bundle: &BundleReader, variable: &Variable) -> &[String] {
        self.0.iter_mut().for_each(String::clear);
        let [key, dtype, shape, bytes, shard, note] = &mut self.0;
        write_key(key, &variable.key);
        if let Some(entry) = &variable.entry {
            dtype.push_str(&entry.dtype().name());
            let _ = write!(shape, "{}", entry.shape());
            match (entry.is_partitioned(), variable.fault.is_some()) {
                // As stored, so that what is wrong with them can be seen.
                (false, _) => {
                    let _ = write!(bytes, "{}", entry.size());
                    let _ = write!(shard, "{}", entry.shard_id());
                }
                (true, false) => {
                    let _ = write!(bytes, "{}", variable.bytes());
                    write_shards(shard, variable);
                }
                (true, true) => {}
            }
        }
        if let Some(reason) = variable.reason(bundle) {
            let _ = write!(note, "unreadable: {}", Escaped(reason.as_bytes()));
        }
        &self.0
    }
}

/// Writes a name; most have nothing to escape, which is found out quickly.
pub(super) fn write_key(cell: &mut String, key: &[u8]) {
    match std::str::from_utf8(key) {
        Ok(text) if key.iter().all(|byte| matches!(byte, b' '..=b'~')) => cell.push_str(text),
        _ => {
            let _ = write!(cell, "{}", Escaped(key));
        }
    }
}

/// Writes the shards of a partitioned tensor, neighbours drawn together: `0-3, 7 (5 pieces)`.
fn write_shards(cell: &mut String, variable: &Variable) {
    let mut shards: Vec<i32> = variable
        .pieces
        .iter()
        .map(|piece| piece.shard_id())
        .collect();
    shards.sort_unstable();
    shards.dedup();
    for (i, run) in shards.chunk_by(|a, b| a + 1 == *b).enumerate() {
        if i > 0 {
            cell.push_str(", ");
        }
        let _ = match run {
            [first, .., last] => write!(cell, "{first}-{last}"),
            _ => write!(cell, "{}", run[0]),
        };
    }
    let _ = write!(
        cell,
        " ({})",
        counted(variable.pieces.len() as u64, "piece")
    );
}
