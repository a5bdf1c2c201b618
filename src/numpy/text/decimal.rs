use crate::tensor::{DType, round_to_half};

/// The floating-point types that numpy has itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Precision {
    Half,
    Single,
    Double,
}

impl Precision {
    /// Returns the type of real numbers of a dtype, or of the parts of complex ones.
    pub(super) fn of(dtype: DType) -> Option<Precision> {
        Some(match dtype {
            DType::HALF => Precision::Half,
            DType::FLOAT | DType::COMPLEX64 => Precision::Single,
            DType::DOUBLE | DType::COMPLEX128 => Precision::Double,
            _ => return None,
        })
    }

    /// Returns the number of this type that is nearest to another.
    pub(super) fn round(self, value: f64) -> f64 {
        match self {
            Precision::Half => round_to_half(value),
            Precision::Single => f64::from(value as f32),
            Precision::Double => value,
        }
    }

    /// Reads a number as one of this type.
    fn parse(self, text: &str) -> Option<f64> {
        match self {
            // A decimal number of few digits is between two of `f64` only where those are alike to a
            // half.
            Precision::Half => text.parse().ok().map(round_to_half),
            Precision::Single => text.parse::<f32>().ok().map(f64::from),
            Precision::Double => text.parse().ok(),
        }
    }
}

/// Decimal digits of a number that is not negative: `d.ddd` times a power of ten.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decimal {
    digits: String,
    exponent: i32,
}

impl Decimal {
    /// Returns the fewest digits that read back as the number in this precision; of several such, those
    /// nearest to it, of two the even ones.
    pub(super) fn shortest(value: f64, precision: Precision) -> Decimal {
        let reads_back = |text: &str| precision.parse(text) == Some(value);
        let short = match precision {
            Precision::Half => (0..=HALF_DIGITS)
                .flat_map(|fraction| {
                    // The half below a power of two is nearer than the one above it.
                    let nearest = format!("{value:.fraction$e}");
                    let above = Decimal::parse(&nearest).successor();
                    [nearest, above]
                })
                .find(|text| reads_back(text))
                .unwrap_or_else(|| format!("{value:e}")),
            Precision::Single => format!("{:e}", value as f32),
            Precision::Double => format!("{value:e}"),
        };
        let short = Decimal::parse(&short).trimmed();
        // The formatter of the standard library goes up where it is halfway.
        let fraction = short.digits.len() - 1;
        let nearest = format!("{value:.fraction$e}");
        match reads_back(&nearest) {
            true => Decimal::parse(&nearest),
            false => short,
        }
    }

    /// Returns the number rounded to so many digits behind the first, all of them.
    pub(super) fn scientific(value: f64, fraction: usize) -> Decimal {
        Decimal::parse(&format!("{value:.fraction$e}"))
    }

    /// Reads what the standard library writes with an exponent.
    fn parse(text: &str) -> Decimal {
        let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
        Decimal {
            digits: digits.replace('.', ""),
            exponent: exponent.parse().unwrap_or(0),
        }
    }

    /// Returns the text of the next number of as many digits.
    fn successor(&self) -> String {
        let digits: u64 = self.digits.parse().unwrap_or(0);
        let next = (digits + 1).to_string();
        let carry = (next.len() - self.digits.len()) as i32;
        let (first, rest) = next.split_at(1);
        format!("{first}.{rest}e{}", self.exponent + carry)
    }

    /// Takes zeros from the end.
    pub(super) fn trimmed(mut self) -> Decimal {
        let used = self.digits.trim_end_matches('0').len().max(1);
        self.digits.truncate(used);
        self
    }

    pub(super) fn exponent(&self) -> i32 {
        self.exponent
    }

    /// Returns the first digit and those behind it.
    pub(super) fn mantissa(&self) -> (&str, &str) {
        self.digits.split_at(1)
    }

    /// Returns the digits before the point and behind it, where there is no exponent.
    pub(super) fn positional(&self) -> (String, String) {
        let digits = &self.digits;
        let Ok(exponent) = usize::try_from(self.exponent) else {
            let zeros = self.exponent.unsigned_abs() as usize - 1;
            return ("0".to_owned(), format!("{:0<zeros$}{digits}", ""));
        };
        let whole = exponent + 1;
        match digits.split_at_checked(whole) {
            Some((whole, fraction)) => (whole.to_owned(), fraction.to_owned()),
            None => (format!("{digits:0<whole$}"), String::new()),
        }
    }
}

/// Behind the first digit, these are enough to tell any two halves apart.
const HALF_DIGITS: usize = 4;
