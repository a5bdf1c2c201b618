use std::io::Write;

use savedmodel::Tensor;

use super::listing::write_key;
use super::selection::Selection;
use super::statistics::Summary;
use super::{Request, Totals};
use crate::element;
use crate::failure::{Failure, Outcome};
use crate::text::{Escaped, width};

/// Lines are broken behind so many columns.
const LINE: usize = 100;

/// So many bytes are shown of a string, unless all is to be shown.
const MAX_STRING: usize = 200;

pub(super) fn write(
    request: &Request<'_>,
    selection: Selection<'_>,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let (mut variables, index_fault) = selection.into_variables();
    let mut totals = Totals::default();
    for (i, variable) in variables.iter_mut().enumerate() {
        if i > 0 {
            writeln!(out)?;
        }
        let mut key = String::new();
        write_key(&mut key, &variable.key);
        write!(out, "{key}")?;
        if let Some(entry) = &variable.entry {
            write!(out, "  {} {}", entry.dtype(), entry.shape())?;
        }
        match variable.read(request) {
            Some(tensor) => {
                if let Some(slice) = &request.args.slice {
                    write!(out, ", slice {slice} {}", tensor.shape())?;
                }
                writeln!(out)?;
                if request.args.stats {
                    write_summary(&tensor, out)?;
                }
                write_values(&tensor, request.args.limit, out)?;
            }
            None => {
                let reason = variable.reason(request.bundle).unwrap_or_default();
                writeln!(out, "  unreadable: {}", Escaped(reason.as_bytes()))?;
            }
        }
        totals.add(variable, variable.fault.is_none());
    }
    totals.outcome(index_fault)
}

fn write_summary(tensor: &Tensor, out: &mut impl Write) -> Result<(), Failure> {
    let titles = ["min", "max", "mean", "std", "zeros", "nan", "inf", ""];
    let cells = Summary::of(tensor).cells(tensor.dtype());
    let said: Vec<String> = titles
        .iter()
        .zip(&cells)
        .filter(|(_, cell)| !cell.is_empty())
        .map(|(title, cell)| format!("{title} {cell}").trim_start().to_owned())
        .collect();
    if !said.is_empty() {
        writeln!(out, "{}", said.join(", "))?;
    }
    Ok(())
}

/// Writes elements in brackets, one pair for each dimension.
fn write_values(tensor: &Tensor, limit: u64, out: &mut impl Write) -> Result<(), Failure> {
    let elements = tensor.elements();
    let (shown, max_string) = match limit {
        0 => (elements, usize::MAX),
        limit => (elements.min(limit), MAX_STRING),
    };
    if elements == 0 {
        writeln!(out, "[]")?;
        return Ok(());
    }
    let mut brackets = Brackets::new(tensor.shape().dims());
    element::for_each::<Failure>(tensor, shown, |index, element| {
        brackets.write(index, &element.to_text(max_string), out)
    })?;
    if shown < elements {
        write!(out, ", ...")?;
    }
    for _ in 0..brackets.open {
        write!(out, "]")?;
    }
    writeln!(out)?;
    if shown < elements {
        writeln!(
            out,
            "({shown} of {elements} elements shown; --limit 0 shows all)"
        )?;
    }
    Ok(())
}

/// Where in the brackets of a tensor the writing is.
struct Brackets {
    /// The elements in one step of each dimension but the last, outermost first, and of all.
    strides: Vec<u64>,
    open: usize,
    column: usize,
}

impl Brackets {
    fn new(dims: &[u64]) -> Self {
        // There are elements, so no product of dimensions exceeds their number.
        let strides = (0..dims.len())
            .map(|at| dims[at..].iter().product())
            .collect();
        Brackets {
            strides,
            open: 0,
            column: 0,
        }
    }

    fn write(&mut self, index: u64, text: &str, out: &mut impl Write) -> Result<(), Failure> {
        let starting = self
            .strides
            .iter()
            .filter(|stride| index.is_multiple_of(**stride))
            .count();
        let depth = self.strides.len();
        if index > 0 {
            for _ in 0..starting {
                write!(out, "]")?;
            }
            write!(out, ",")?;
            let too_long = self.column + 2 + width(text) > LINE;
            if starting > 0 || too_long {
                // A blank line for each dimension beyond the second, as numpy has it.
                for _ in 0..starting.max(1) {
                    writeln!(out)?;
                }
                self.column = depth - starting;
                write!(out, "{:1$}", "", self.column)?;
            } else {
                write!(out, " ")?;
                self.column += 2;
            }
        }
        for _ in 0..starting {
            write!(out, "[")?;
        }
        self.column += starting + width(text);
        self.open = depth;
        write!(out, "{text}")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<const N: usize>(dims: [u64; N], count: i32, limit: u64) -> String {
        let values: Vec<i32> = (0..count).collect();
        let tensor = Tensor::from_slice(dims, &values).unwrap();
        let mut out = Vec::new();
        assert!(write_values(&tensor, limit, &mut out).is_ok());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn brackets() {
        assert_eq!(text([], 1, 0), "0\n");
        assert_eq!(text([3], 3, 0), "[0, 1, 2]\n");
        assert_eq!(text([2, 0], 0, 0), "[]\n");
        assert_eq!(text([2, 2], 4, 0), "[[0, 1],\n [2, 3]]\n");
        assert_eq!(
            text([2, 2, 1], 4, 4),
            "[[[0],\n  [1]],\n\n [[2],\n  [3]]]\n"
        );
        assert_eq!(
            text([2, 2], 4, 3),
            "[[0, 1],\n [2, ...]]\n(3 of 4 elements shown; --limit 0 shows all)\n"
        );
    }

    #[test]
    fn long_rows_are_broken() {
        let text = text([1, 100], 100, 0);
        assert!(text.lines().all(|line| line.len() <= LINE + 2), "{text}");
        assert!(
            text.lines().skip(1).all(|line| line.starts_with("  ")),
            "{text}"
        );
    }
}
