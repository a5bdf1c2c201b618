use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use savedmodel::{DType, Statistics, Strings, Tensor};

use super::listing::write_key;
use super::selection::Selection;
use super::variable::Variable;
use super::{Request, Totals, counted};
use crate::decimal::brief;
use crate::failure::{Failure, Outcome};
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
                    (Some(min), Some(max)) if min == max => format!(" of {max} bytes"),
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
    let rows = rows(request, &mut variables);
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
    rows.iter().for_each(|row| table.measure(row));
    table.write_titles(out)?;
    for row in &rows {
        table.write(out, row)?;
    }
    let mut totals = Totals::default();
    for variable in &variables {
        totals.add(variable, variable.fault.is_none());
    }
    totals.outcome(index_fault)
}

/// Reads all tensors, on all threads, and notes the faults that come up.
fn rows(request: &Request<'_>, variables: &mut [Variable]) -> Vec<Vec<String>> {
    let threads = match request.args.threads {
        Some(threads) => threads.into(),
        None => thread::available_parallelism().map_or(1, usize::from),
    };
    let count = variables.len();
    let next = AtomicUsize::new(0);
    let work: Vec<Mutex<(&mut Variable, Vec<String>)>> = variables
        .iter_mut()
        .map(|variable| Mutex::new((variable, Vec::new())))
        .collect();
    let run = || {
        while let Some(job) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut job = job.lock().unwrap_or_else(PoisonError::into_inner);
            let (variable, cells) = &mut *job;
            *cells = row(request, variable);
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
    work.into_iter()
        .map(|job| job.into_inner().unwrap_or_else(PoisonError::into_inner).1)
        .collect()
}

fn row(request: &Request<'_>, variable: &mut Variable) -> Vec<String> {
    let mut key = String::new();
    write_key(&mut key, &variable.key);
    let mut cells = vec![key];
    let read = variable.read(request);
    match (&read, &variable.entry) {
        (Some(tensor), _) => cells.extend([
            tensor.dtype().name().into_owned(),
            tensor.shape().to_string(),
        ]),
        (None, Some(entry)) => {
            cells.extend([entry.dtype().name().into_owned(), entry.shape().to_string()])
        }
        (None, None) => cells.extend([String::new(), String::new()]),
    }
    match read {
        Some(tensor) => cells.extend(Summary::of(&tensor).cells(tensor.dtype())),
        None => {
            cells.extend([const { String::new() }; 7]);
            let reason = variable.reason(request.bundle).unwrap_or_default();
            cells.push(format!("unreadable: {}", Escaped(reason.as_bytes())));
        }
    }
    cells
}
