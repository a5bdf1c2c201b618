use std::io::{self, Write};

use savedmodel::bundle::{Endianness, Verification};
use savedmodel::{BundleEntry, Error, Tensor};

use super::selection::Selection;
use super::statistics::{Summary, is_whole};
use super::variable::Variable;
use super::{Request, Totals};
use crate::element;
use crate::failure::{Failure, Outcome};
use crate::fault::{self, KeyText};
use crate::json;

/// Names the form of the document. What is added keeps it; what changes or goes needs another.
const SCHEMA: &str = "savedmodel.variables/1";

pub(super) fn write(
    request: &Request<'_>,
    selection: &Selection<'_>,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let mut totals = Totals::default();
    write_head(request, out)?;
    out.write_all(b",\n\"tensors\": [")?;
    let index_fault = selection.for_each(|variable| {
        let separator = if totals.tensors > 0 { ",\n" } else { "\n" };
        out.write_all(separator.as_bytes())?;
        let readable = write_variable(request, variable, out)?;
        totals.add(variable, readable);
        Ok::<_, Failure>(())
    })?;
    write!(
        out,
        "\n],\n\"totals\": {{\"tensors\": {}, \"elements\": {}, \"bytes\": {}, \"unreadable\": {}}}",
        totals.tensors, totals.elements, totals.bytes, totals.unreadable
    )?;
    if let Some(error) = &index_fault {
        out.write_all(b",\n\"index_error\": ")?;
        write_error(out, error)?;
    }
    out.write_all(b"\n}\n")?;
    totals.outcome(index_fault)
}

pub(super) fn write_verification(
    request: &Request<'_>,
    found: &Verification,
    seconds: f64,
    out: &mut impl Write,
) -> io::Result<()> {
    write_head(request, out)?;
    write!(
        out,
        ",\n\"verification\": {{\"sound\": {}, \"tensors\": {}, \"bytes\": {}, \"seconds\": {seconds:?}",
        found.is_sound(),
        found.tensors,
        found.bytes
    )?;
    for (name, errors) in [("faults", &found.faults), ("remarks", &found.remarks)] {
        write!(out, ",\n\"{name}\": ")?;
        json::list(out, errors, |out, error| write_error(out, error))?;
    }
    out.write_all(b"}\n}\n")
}

fn write_head(request: &Request<'_>, out: &mut impl Write) -> io::Result<()> {
    let bundle = request.bundle;
    write!(out, "{{\"schema\": \"{SCHEMA}\",\n\"index\": ")?;
    json::string(out, &bundle.index_path().to_string_lossy())?;
    let endianness = match bundle.endianness() {
        Endianness::Little => "little",
        Endianness::Big => "big",
    };
    write!(
        out,
        ",\n\"shards\": {},\n\"endianness\": \"{endianness}\",\n\"version\": {}",
        bundle.num_shards(),
        bundle.version()
    )
}

/// Writes one tensor; says whether it could be read as far as was asked.
fn write_variable(
    request: &Request<'_>,
    variable: &Variable,
    out: &mut impl Write,
) -> Result<bool, Failure> {
    out.write_all(b"{")?;
    KeyText::of(&variable.key).write(out)?;
    if let Some(entry) = &variable.entry {
        write!(
            out,
            ", \"dtype\": \"{}\", \"shape\": {}, \"elements\": {}",
            entry.dtype(),
            entry.shape(),
            entry.shape().elements()
        )?;
        match entry.is_partitioned() {
            false => write_place(out, entry)?,
            true => {
                write!(out, ", \"bytes\": {}, \"slices\": ", variable.bytes())?;
                // Without their entries if those are damaged.
                let slices = entry.slices().iter().enumerate();
                json::list(out, slices, |out, (i, slice)| {
                    write!(out, "{{\"slice\": \"{slice}\"")?;
                    if let Some(piece) = variable.pieces.get(i) {
                        write_place(out, piece)?;
                    }
                    out.write_all(b"}")
                })?;
            }
        }
    }
    let mut fault = None;
    if variable.fault.is_none() && (request.args.values || request.args.stats) {
        match request.read(variable) {
            Ok(tensor) => write_contents(request, &tensor, out)?,
            Err(error) => fault = Some(error),
        }
    }
    let fault = variable.fault.as_ref().or(fault.as_ref());
    if let Some(error) = fault {
        out.write_all(b", \"error\": ")?;
        write_error(out, error)?;
    }
    out.write_all(b"}")?;
    Ok(fault.is_none())
}

/// Writes numbers as they are stored, so that what is wrong with them can be seen.
fn write_place(out: &mut impl Write, entry: &BundleEntry) -> io::Result<()> {
    write!(
        out,
        ", \"bytes\": {}, \"shard\": {}, \"offset\": {}, \"crc32c\": \"{:08x}\"",
        entry.size(),
        entry.shard_id(),
        entry.offset(),
        entry.crc32c()
    )
}

fn write_contents(
    request: &Request<'_>,
    tensor: &Tensor,
    out: &mut impl Write,
) -> Result<(), Failure> {
    if let Some(slice) = &request.args.slice {
        write!(
            out,
            ", \"slice\": \"{slice}\", \"slice_shape\": {}",
            tensor.shape()
        )?;
    }
    if request.args.stats {
        write_summary(tensor, out)?;
    }
    if request.args.values {
        let shown = match request.args.limit {
            0 => tensor.elements(),
            limit => limit.min(tensor.elements()),
        };
        out.write_all(b", \"values\": [")?;
        element::for_each::<Failure>(tensor, shown, |index, element| {
            if index > 0 {
                out.write_all(b", ")?;
            }
            Ok(element.write_json(out)?)
        })?;
        let truncated = shown < tensor.elements();
        write!(out, "], \"truncated\": {truncated}")?;
    }
    Ok(())
}

fn write_summary(tensor: &Tensor, out: &mut impl Write) -> io::Result<()> {
    match Summary::of(tensor) {
        Summary::Numbers(statistics) => {
            write!(out, ", \"statistics\": {{\"count\": {}", statistics.count)?;
            let whole = is_whole(tensor.dtype());
            for (name, value, whole) in [
                ("min", statistics.min, whole),
                ("max", statistics.max, whole),
                ("mean", statistics.mean, false),
                ("std", statistics.standard_deviation, false),
            ] {
                write!(out, ", \"{name}\": ")?;
                match value {
                    // Beyond 2^53 statistics are rounded.
                    Some(value) if whole && value.abs() < 9007199254740992.0 => {
                        write!(out, "{value}")?;
                    }
                    value => json::optional_float(out, value)?,
                }
            }
            write!(
                out,
                ", \"zeros\": {}, \"nan\": {}, \"positive_infinite\": {}, \"negative_infinite\": {}}}",
                statistics.zeros,
                statistics.nan,
                statistics.positive_infinite,
                statistics.negative_infinite
            )
        }
        Summary::Strings(lengths) => {
            let number = |value: Option<u64>| value.map_or("null".to_owned(), |v| v.to_string());
            write!(
                out,
                ", \"statistics\": {{\"count\": {}, \"empty\": {}, \"bytes\": {}, \"min_length\": {}, \"max_length\": {}}}",
                lengths.count,
                lengths.empty,
                lengths.bytes,
                number(lengths.min),
                number(lengths.max)
            )
        }
        Summary::Opaque => out.write_all(b", \"statistics\": null"),
    }
}

fn write_error(out: &mut impl Write, error: &Error) -> io::Result<()> {
    write!(out, "{{\"kind\": \"{}\", \"message\": ", fault::kind(error))?;
    json::string(out, &error.kind().to_string())?;
    if let Some(path) = error.path() {
        out.write_all(b", \"path\": ")?;
        json::string(out, &path.to_string_lossy())?;
    }
    if let Some(offset) = error.offset() {
        write!(out, ", \"offset\": {offset}")?;
    }
    if let Some(key) = error.key() {
        out.write_all(b", ")?;
        KeyText::of(key).write(out)?;
    }
    out.write_all(b"}")
}
