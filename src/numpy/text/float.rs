use std::fmt::Write;

use super::decimal::{Decimal, Precision};

/// Digits behind the point beyond these are not shown in arrays.
const MOST_DIGITS: usize = 8;
/// Smaller numbers have an exponent.
const SMALLEST_POSITIONAL: f64 = 1e-4;
/// Numbers of which one is so many times another have exponents.
const WIDEST_POSITIONAL: f64 = 1000.0;

/// Appends a number as a scalar is shown; `0.1`, `1.0`, `1e-05`.
pub(super) fn write_scalar(out: &mut String, value: f64, precision: Precision) {
    let start = out.len();
    write_part(out, value, precision);
    if value.is_finite() && !out[start..].contains(['.', 'e']) {
        out.push_str(".0");
    }
}

/// Appends a number as parts of a complex scalar are shown: like a scalar, but without a fraction
/// that is 0.
pub(super) fn write_part(out: &mut String, value: f64, precision: Precision) {
    if !value.is_finite() {
        return out.push_str(special(value));
    }
    let limit = match precision {
        Precision::Half => 1e3,
        Precision::Single => 1e6,
        Precision::Double => 1e16,
    };
    if value.is_sign_negative() {
        out.push('-');
    }
    let magnitude = value.abs();
    let decimal = Decimal::shortest(magnitude, precision);
    // A `String` takes whatever is written to it.
    let _ = if magnitude == 0.0 || (SMALLEST_POSITIONAL..limit).contains(&magnitude) {
        let (whole, fraction) = decimal.positional();
        match fraction.is_empty() {
            true => write!(out, "{whole}"),
            false => write!(out, "{whole}.{fraction}"),
        }
    } else {
        let (first, rest) = decimal.mantissa();
        let point = if rest.is_empty() { "" } else { "." };
        let (sign, exponent) = exponent(&decimal);
        write!(out, "{first}{point}{rest}e{sign}{exponent:02}")
    };
}

pub(super) fn special(value: f64) -> &'static str {
    if value.is_nan() {
        "nan"
    } else if value > 0.0 {
        "inf"
    } else {
        "-inf"
    }
}

fn exponent(decimal: &Decimal) -> (char, u32) {
    let exponent = decimal.exponent();
    let sign = if exponent < 0 { '-' } else { '+' };
    (sign, exponent.unsigned_abs())
}

/// How all numbers of an array are shown, so that their points stand below each other.
#[derive(Debug, PartialEq)]
pub(super) struct FloatFormat {
    precision: Precision,
    /// Whether positive numbers have a sign.
    plus: bool,
    /// Characters before the point.
    left: usize,
    notation: Notation,
}

#[derive(Debug, PartialEq)]
enum Notation {
    /// So many characters behind the point.
    Positional { right: usize },
    /// So many digits behind the point, and so many in the exponent.
    Scientific { fraction: usize, exponent: usize },
}

impl FloatFormat {
    /// Makes the format of all numbers that `for_each` calls its argument with, each time the same.
    pub(super) fn new(
        precision: Precision,
        plus: bool,
        for_each: impl Fn(&mut dyn FnMut(f64)),
    ) -> FloatFormat {
        let mut range = Range::default();
        for_each(&mut |value| range.add(value));
        let mut format = FloatFormat {
            precision,
            plus,
            left: 0,
            notation: match range.needs_exponents(precision) {
                true => Notation::Scientific {
                    fraction: 0,
                    exponent: 0,
                },
                false => Notation::Positional { right: 0 },
            },
        };
        for_each(&mut |value| {
            if value.is_finite() {
                format.widen(value);
            }
        });
        if range.has_special {
            let signed = usize::from(plus || range.has_negative_infinity);
            let behind = format.behind();
            let width = ("inf".len() + signed).max("nan".len());
            format.left = format.left.max(width.saturating_sub(behind + 1));
        }
        format
    }

    /// Makes room for a number.
    fn widen(&mut self, value: f64) {
        let sign = usize::from(value.is_sign_negative() || self.plus);
        match &mut self.notation {
            Notation::Positional { right } => {
                let (whole, fraction) = positional(value.abs(), self.precision);
                *right = fraction.len().max(*right);
                self.left = self.left.max(sign + whole.len());
            }
            Notation::Scientific { fraction, exponent } => {
                let decimal = shortest(value.abs(), self.precision);
                *fraction = decimal.mantissa().1.len().max(*fraction);
                let digits = if decimal.exponent().abs() < 100 { 2 } else { 3 };
                *exponent = digits.max(*exponent);
                self.left = self.left.max(sign + 1);
            }
        }
    }

    /// Returns the characters behind the point.
    fn behind(&self) -> usize {
        match self.notation {
            Notation::Positional { right } => right,
            Notation::Scientific { fraction, exponent } => fraction + "e+".len() + exponent,
        }
    }

    /// Appends a number of the array.
    pub(super) fn write(&self, out: &mut String, value: f64) {
        let sign = match (value.is_sign_negative(), self.plus) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        let left = self.left;
        // A `String` takes whatever is written to it.
        let _ = match self.notation {
            _ if !value.is_finite() => {
                let plus = if self.plus && value != f64::NEG_INFINITY {
                    "+"
                } else {
                    ""
                };
                let width = left + 1 + self.behind();
                write!(out, "{:>width$}", format!("{plus}{}", special(value)))
            }
            Notation::Positional { right } => {
                let (whole, fraction) = positional(value.abs(), self.precision);
                write!(
                    out,
                    "{:>left$}.{fraction:<right$}",
                    format!("{sign}{whole}")
                )
            }
            Notation::Scientific {
                fraction,
                exponent: width,
            } => {
                let shortest = Decimal::shortest(value.abs(), self.precision);
                let decimal = match shortest.mantissa().1.len() == fraction {
                    true => shortest,
                    // All digits that are shown are those of the number itself.
                    false => Decimal::scientific(value.abs(), fraction),
                };
                let (first, rest) = decimal.mantissa();
                let (exponent_sign, exponent) = exponent(&decimal);
                write!(
                    out,
                    "{:>left$}.{rest}e{exponent_sign}{exponent:0width$}",
                    format!("{sign}{first}")
                )
            }
        };
    }
}

/// Returns what stands before the point and behind it.
fn positional(magnitude: f64, precision: Precision) -> (String, String) {
    let (whole, fraction) = Decimal::shortest(magnitude, precision).positional();
    if fraction.len() <= MOST_DIGITS {
        return (whole, fraction);
    }
    let rounded = format!("{magnitude:.MOST_DIGITS$}");
    match rounded.trim_end_matches('0').split_once('.') {
        Some((whole, fraction)) => (whole.to_owned(), fraction.to_owned()),
        None => (whole, fraction),
    }
}

/// Returns the fewest digits, cut to as many as are shown.
fn shortest(magnitude: f64, precision: Precision) -> Decimal {
    let decimal = Decimal::shortest(magnitude, precision);
    match decimal.mantissa().1.len() > MOST_DIGITS {
        true => Decimal::scientific(magnitude, MOST_DIGITS).trimmed(),
        false => decimal,
    }
}

/// What the numbers of an array have between them.
#[derive(Default)]
struct Range {
    /// Of numbers that are finite and not 0.
    magnitudes: Option<(f64, f64)>,
    has_special: bool,
    has_negative_infinity: bool,
}

impl Range {
    fn add(&mut self, value: f64) {
        let magnitude = value.abs();
        if !value.is_finite() {
            self.has_special = true;
            self.has_negative_infinity |= value == f64::NEG_INFINITY;
        } else if magnitude != 0.0 {
            let (min, max) = self.magnitudes.unwrap_or((magnitude, magnitude));
            self.magnitudes = Some((min.min(magnitude), max.max(magnitude)));
        }
    }

    /// Says whether the numbers are too large, too small or too far apart to stand without
    /// exponents. numpy computes that in their own precision.
    fn needs_exponents(&self, precision: Precision) -> bool {
        let limit = match precision {
            Precision::Half => 1e3,
            Precision::Single => 1e6,
            Precision::Double => 1e8,
        };
        self.magnitudes.is_some_and(|(min, max)| {
            max >= limit
                || min < precision.round(SMALLEST_POSITIONAL)
                || precision.round(max / min) > WIDEST_POSITIONAL
        })
    }
}
