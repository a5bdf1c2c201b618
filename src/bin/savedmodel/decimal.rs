use savedmodel::{DType, Result, Tensor};

/// Shows a number as JSON and Rust do, in the fewest digits that read back as the same number.
pub(crate) fn shortest(value: f64) -> String {
    format!("{value:?}")
}

/// Shows a number in six digits, for a column that eyes compare.
pub(crate) fn brief(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if !value.is_finite() {
        return format!("{value}");
    }
    // Common, and quicker than to round.
    if value.abs() < 1e6 && value == value.trunc() {
        return format!("{}", value as i64);
    }
    let rounded = format!("{value:.5e}");
    let Some((digits, exponent)) = rounded.split_once('e') else {
        return rounded;
    };
    let short = digits.trim_end_matches('0').trim_end_matches('.');
    let (sign, digits) = match short.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", short),
    };
    // As C's %g decides it.
    match exponent.parse::<i32>() {
        Ok(exponent @ -4..=-1) => {
            let zeros = &"000"[..(-1 - exponent) as usize];
            format!("{sign}0.{zeros}{}", digits.replace('.', ""))
        }
        Ok(exponent @ 0..=5) => {
            let mut digits = digits.replace('.', "");
            let whole = exponent as usize + 1;
            while digits.len() < whole {
                digits.push('0');
            }
            match digits.split_at(whole) {
                (whole, "") => format!("{sign}{whole}"),
                (whole, part) => format!("{sign}{whole}.{part}"),
            }
        }
        _ => format!("{short}e{exponent}"),
    }
}

/// Shows a count of bytes in the largest binary unit of which there is one.
pub(crate) fn binary_size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut size = bytes as f64;
    let mut unit = "bytes";
    for larger in units {
        // 1023.95 would be rounded to 1024.0.
        if size < 1023.95 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    match unit {
        "bytes" => format!("{bytes} bytes"),
        _ => format!("{size:.1} {unit}"),
    }
}

/// The values of a floating-point dtype of at most 16 bits, with which numbers are found that have
/// few digits and still no other value of the dtype nearer.
pub(crate) struct Neighbours(Vec<f64>);

impl Neighbours {
    /// Returns nothing for a dtype that is no floating-point one, or a larger one.
    pub(crate) fn new(dtype: DType) -> Result<Option<Self>> {
        let bytes: Vec<u8> = match dtype.size() {
            Some(1) => (0..=u8::MAX).collect(),
            Some(2) => (0..=u16::MAX).flat_map(u16::to_le_bytes).collect(),
            _ => return Ok(None),
        };
        if !dtype.is_floating() {
            return Ok(None);
        }
        let count = bytes.len() / dtype.size().unwrap_or(1);
        let tensor = Tensor::from_bytes(dtype, [count as u64], bytes)?;
        let mut values: Vec<f64> = tensor.to_f64s()?.filter(|v| v.is_finite()).collect();
        values.sort_unstable_by(f64::total_cmp);
        values.dedup();
        Ok(Some(Neighbours(values)))
    }

    /// Returns the number of fewest digits that rounds to this value of the dtype.
    pub(crate) fn shorten(&self, value: f64) -> f64 {
        if value == 0.0 || !value.is_finite() {
            return value;
        }
        let at = self.0.partition_point(|other| *other < value);
        let neighbour = |at: Option<usize>| at.and_then(|at| self.0.get(at).copied());
        // Only infinity is beyond an end of the range, and it is as far off as another step.
        let below = neighbour(at.checked_sub(1));
        let above = neighbour(Some(at + 1));
        let step = match (below, above) {
            (Some(below), Some(above)) => (value - below, above - value),
            (Some(below), None) => (value - below, value - below),
            (None, Some(above)) => (above - value, above - value),
            (None, None) => return value,
        };
        let range = value - step.0 / 2.0..value + step.1 / 2.0;
        (0..17)
            .filter_map(|digits| format!("{value:.digits$e}").parse().ok())
            .find(|short| range.start < *short && range.contains(short))
            .unwrap_or(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits() {
        for (value, text) in [
            (-0.0, "0"),
            (1.0, "1"),
            (-0.1f32 as f64, "-0.1"),
            (123456.7, "123457"),
            (-1234.5, "-1234.5"),
            (-300000.0, "-300000"),
            (299999.99, "300000"),
            (0.0999999999, "0.1"),
            (999999.7, "1e6"),
            (0.00012345678, "0.000123457"),
            (0.000012345678, "1.23457e-5"),
            (-2.5e20, "-2.5e20"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(brief(value), text);
        }
    }

    #[test]
    fn binary_sizes() {
        assert_eq!(binary_size(0), "0 bytes");
        assert_eq!(binary_size(1023), "1023 bytes");
        assert_eq!(binary_size(1024), "1.0 KiB");
        assert_eq!(binary_size((1 << 20) - 1), "1.0 MiB");
        assert_eq!(binary_size(u64::MAX), "16.0 EiB");
    }

    #[test]
    fn every_small_float_reads_back() {
        for dtype in DType::known().filter(|dtype| dtype.is_floating()) {
            let Some(neighbours) = Neighbours::new(dtype).unwrap() else {
                continue;
            };
            let short: Vec<f64> = neighbours
                .0
                .iter()
                .map(|value| neighbours.shorten(*value))
                .collect();
            let shape = [short.len() as u64];
            let back = Tensor::from_slice(shape, &short)
                .unwrap()
                .cast(dtype)
                .unwrap();
            assert!(
                back.to_f64s().unwrap().eq(neighbours.0.iter().copied()),
                "{dtype}"
            );
        }
        let half = Neighbours::new(DType::HALF).unwrap().unwrap();
        assert_eq!(half.shorten(0.0999755859375), 0.1);
        assert_eq!(half.shorten(65504.0), 65500.0);
    }
}
