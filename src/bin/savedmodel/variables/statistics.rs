use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::thread;

use savedmodel::{DType, Statistics, Strings, Tensor};

use super::listing::write_key;
use super::selection::Selection;
use super::variable::Variable;
use super::{Request, Totals, counted};
use crate::decimal::brief;
use crate::failure::{Failure, Outcome};
use crate::progress::Progress;
use crate::table::{Align, Table};
use crate::text::Escaped;

/// What the values of a tensor are like.
pub(super) enum Summary {
    Numbers(Statistics),
    Strings(Lengths),
    /// Elements are neither.
    Opaque,
}

/// How long the elements of a STRING tensor are.
#[derive(Default)]
pub(super) struct Lengths {
    pub(super) count: u64,
    pub(super) empty: u64,
    pub(super) bytes: u64,
    pub(super) min: Option<u64>,
    pub(super) max: Option<u64>,
}

impl Summary {
    pub(super) fn of(tensor: &Tensor) -> Self {
        match (tensor.statistics(), tensor.strings()) {
            (Some(statistics), _) => Summary::Numbers(statistics),
            (None, Some(strings)) => Summary::Strings(Lengths::of(strings)),
            (None, None) => Summary::Opaque,
        }
    }

    /// Returns min, max, mean, standard deviation, zeros, NaN, infinities and a note.
    pub(super) fn cells(&self, dtype: DType) -> [String; 8] {
        match self {
            Summary::Numbers(statistics) => {
                let real = |value: Option<f64>| value.map(brief).unwrap_or_default();
                let end = |value: Option<f64>| match value {
                    // Beyond 2^53 statistics are rounded.
                    Some(whole) if is_whole(dtype) && whole.abs() < 9007199254740992.0 => {
                        format!("{whole}")
                    }
                    value => real(value),
                };
                [
                    end(statistics.min),
                    end(statistics.max),
                    real(statistics.mean),
                    real(statistics.standard_deviation),
                    statistics.zeros.to_string(),
                    statistics.nan.to_string(),
                    infinities(statistics),
                    String::new(),
                ]
            }
            Summary::Strings(lengths) => {
                let range = match (lengths.min, lengths.max) {
                    (Some(min), Some(max)) if min == max => format!(" of {}", counted(max, "byte")),
                    (Some(min), Some(max)) => format!(" of {min} to {max} bytes"),
                    _ => String::new(),
                };
                let empty = match lengths.empty {
                    0 => String::new(),
                    empty => format!(", {empty} empty"),
                };
                let note = format!("{}{range}{empty}", counted(lengths.count, "string"));
                [const { String::new() }; 7]
                    .into_iter()
                    .chain([note])
                    .collect::<Vec<_>>()
                    .try_into()
                    .unwrap_or_default()
            }
            Summary::Opaque => Default::default(),
        }
    }
}

impl Lengths {
    fn of(strings: &Strings) -> Self {
        let mut lengths = Lengths::default();
        for len in strings.iter().map(|string| string.len() as u64) {
            lengths.count += 1;
            lengths.empty += u64::from(len == 0);
            lengths.bytes += len;
            lengths.min = Some(lengths.min.map_or(len, |min| min.min(len)));
            lengths.max = Some(lengths.max.map_or(len, |max| max.max(len)));
        }
        lengths
    }
}

pub(super) fn is_whole(dtype: DType) -> bool {
    dtype.is_integer() || dtype.is_quantized() || dtype == DType::BOOL
}

fn infinities(statistics: &Statistics) -> String {
    match (statistics.positive_infinite, statistics.negative_infinite) {
        (0, 0) => "0".to_owned(),
        (positive, 0) => format!("+{positive}"),
        (0, negative) => format!("-{negative}"),
        (positive, negative) => format!("+{positive} -{negative}"),
    }
}

pub(super) fn write(
    request: &Request<'_>,
    selection: Selection<'_>,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let (mut variables, index_fault) = selection.into_variables();
    let summaries = summaries(request, &mut variables);
    let rows = || variables.iter().zip(&summaries);
    let mut table = Table::new([
        ("key", Align::Left),
        ("dtype", Align::Left),
        ("shape", Align::Left),
        ("min", Align::Right),
        ("max", Align::Right),
        ("mean", Align::Right),
        ("std", Align::Right),
        ("zeros", Align::Right),
        ("nan", Align::Right),
        ("inf", Align::Right),
    ]);
    for (variable, summary) in rows() {
        table.measure(&cells(request, variable, summary.as_ref()));
    }
    table.write_titles(out)?;
    let mut totals = Totals::default();
    for (variable, summary) in rows() {
        table.write(out, &cells(request, variable, summary.as_ref()))?;
        totals.add(variable, summary.is_some());
    }
    totals.outcome(index_fault)
}

/// Reads all tensors, on all threads, and notes the faults that come up.
fn summaries(request: &Request<'_>, variables: &mut [Variable]) -> Vec<Option<Summary>> {
    /// Tensors that a thread takes at a time.
    const PART: usize = 64;
    let threads = match request.args.threads {
        Some(threads) => threads.into(),
        None => thread::available_parallelism().map_or(1, usize::from),
    };
    let bytes = variables
        .iter()
        .map(Variable::bytes)
        .fold(0, u64::saturating_add);
    let mut summaries: Vec<Option<Summary>> = Vec::new();
    summaries.resize_with(variables.len(), || None);
    // Single large tensors must not wait for each other.
    let part = (variables.len() / threads / 8).clamp(1, PART);
    let count = variables.len().div_ceil(part);
    let parts = variables.chunks_mut(part).zip(summaries.chunks_mut(part));
    let parts = Mutex::new(parts);
    let progress = Progress::new("reading", bytes);
    let run = || {
        loop {
            let part = parts.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((variables, summaries)) = part else {
                break;
            };
            for (variable, summary) in variables.iter_mut().zip(summaries) {
                *summary = variable.read(request).as_ref().map(Summary::of);
                progress.add(variable.bytes());
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(count) {
            if thread::Builder::new().spawn_scoped(scope, run).is_err() {
                break;
            }
        }
        run();
    });
    summaries
}

/// Returns the cells of a row.
fn cells(request: &Request<'_>, variable: &Variable, summary: Option<&Summary>) -> Vec<String> {
    let mut key = String::new();
    write_key(&mut key, &variable.key);
    let mut cells = vec![key, String::new(), String::new()];
    if let Some(entry) = &variable.entry {
        cells[1] = entry.dtype().name().into_owned();
        cells[2] = match request
            .args
            .slice
            .as_ref()
            .map(|slice| slice.shape_in(entry.shape()))
        {
            Some(Ok(shape)) => shape.to_string(),
            _ => entry.shape().to_string(),
        };
    }
    match (summary, &variable.entry) {
        (Some(summary), Some(entry)) => cells.extend(summary.cells(entry.dtype())),
        _ => {
            cells.extend([const { String::new() }; 7]);
            let reason = variable.reason(request.bundle).unwrap_or_default();
            cells.push(format!("unreadable: {}", Escaped(reason.as_bytes())));
        }
    }
    cells
}
