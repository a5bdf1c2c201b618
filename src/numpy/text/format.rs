use std::fmt::Write;

use super::complex::ComplexFormat;
use super::elements::{Elements, Integers};
use super::float::FloatFormat;
use super::grid::Grid;

/// How the elements of an array are shown, so that they stand in columns. It depends on those that
/// are shown, and on no others.
pub(super) enum Format {
    Unaligned,
    /// Integers of so many characters.
    Width(usize),
    Float(FloatFormat),
    Complex(ComplexFormat),
}

impl Format {
    pub(super) fn new(elements: &Elements<'_>, grid: &Grid) -> Format {
        match elements {
            Elements::Bools(_)
            | Elements::Narrow(_)
            | Elements::SmallFloats(_)
            | Elements::Strings(_) => Format::Unaligned,
            Elements::Integers(integers) | Elements::Quantized(integers) => {
                Format::Width(width(integers, grid))
            }
            Elements::Floats(reals, precision) => {
                Format::Float(FloatFormat::new(*precision, false, |each| {
                    grid.for_each_shown(|index| each(reals.get(index)));
                }))
            }
            Elements::Complex(reals, precision) => {
                let part = |part: usize| {
                    FloatFormat::new(*precision, part == 1, |each| {
                        grid.for_each_shown(|index| each(reals.pair(index)[part]));
                    })
                };
                Format::Complex(ComplexFormat {
                    real: part(0),
                    imaginary: part(1),
                })
            }
        }
    }

    /// Appends an element.
    pub(super) fn write(&self, elements: &Elements<'_>, index: usize, out: &mut String) {
        match (self, elements) {
            (Format::Width(width), Elements::Integers(integers)) => {
                // A `String` takes whatever is written to it.
                let _ = write!(out, "{:>width$}", integers.get(index));
            }
            (Format::Width(width), Elements::Quantized(integers)) => {
                let _ = write!(out, "({:>width$},)", integers.get(index));
            }
            (Format::Float(format), Elements::Floats(reals, _)) => {
                format.write(out, reals.get(index));
            }
            (Format::Complex(format), Elements::Complex(reals, _)) => {
                format.write(out, reals.pair(index));
            }
            _ => elements.write_unaligned(out, index),
        }
    }
}

fn width(integers: &Integers<'_>, grid: &Grid) -> usize {
    let mut range: Option<(i128, i128)> = None;
    grid.for_each_shown(|index| {
        let value = integers.get(index);
        let (min, max) = range.unwrap_or((value, value));
        range = Some((min.min(value), max.max(value)));
    });
    let (min, max) = range.unwrap_or_default();
    min.to_string().len().max(max.to_string().len())
}
