use std::fmt::Write;

/// Appends a `float` in the fewest digits of six and nine that give it back, as C's `%g` has them.
pub(super) fn write_float(out: &mut Vec<u8>, value: f32) {
    if write_special(out, value.into()) {
        return;
    }
    let short = format!("{:.*e}", FLOAT_DIGITS - 1, value);
    if short.parse() == Ok(value) {
        out.extend_from_slice(general(&short, FLOAT_DIGITS).as_bytes());
    } else {
        let digits = FLOAT_DIGITS + 3;
        let long = format!("{:.*e}", digits - 1, value);
        out.extend_from_slice(general(&long, digits).as_bytes());
    }
}

/// Appends a `double` in the fewest digits of 15 and 17 that give it back, as C's `%g` has them.
pub(super) fn write_double(out: &mut Vec<u8>, value: f64) {
    if write_special(out, value) {
        return;
    }
    let short = format!("{:.*e}", DOUBLE_DIGITS - 1, value);
    if short.parse() == Ok(value) {
        out.extend_from_slice(general(&short, DOUBLE_DIGITS).as_bytes());
    } else {
        let digits = DOUBLE_DIGITS + 2;
        let long = format!("{:.*e}", digits - 1, value);
        out.extend_from_slice(general(&long, digits).as_bytes());
    }
}

/// So many decimal digits survive being read as a number and printed again.
const FLOAT_DIGITS: usize = f32::DIGITS as usize;
const DOUBLE_DIGITS: usize = f64::DIGITS as usize;

/// Appends an integer.
pub(super) fn write_integer(out: &mut Vec<u8>, magnitude: u64, negative: bool) {
    let mut digits = [0; 20];
    let mut rest = magnitude;
    let mut start = digits.len();
    for (i, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        start = i;
        if rest == 0 {
            break;
        }
    }
    if negative {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends what has other forms than digits, and whole numbers, which need no search.
fn write_special(out: &mut Vec<u8>, value: f64) -> bool {
    if value.is_nan() {
        out.extend_from_slice(b"nan");
    } else if value.is_infinite() {
        out.extend_from_slice(if value < 0. { b"-inf" } else { b"inf" });
    } else if value.abs() < 1e6 && value.trunc() == value {
        write_integer(out, value.abs() as u64, value.is_sign_negative());
    } else {
        return false;
    }
    true
}

/// Returns a number that Rust printed as `d.ddde-5` the way `%g` would have it with that many digits.
pub(crate) fn general(scientific: &str, digits: usize) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let significant: String = mantissa.chars().filter(|&c| c != '.').collect();
    let significant = significant.trim_end_matches('0');
    let (first, rest) = significant.split_at(significant.len().min(1));

    let mut text = String::with_capacity(32);
    text.push_str(sign);
    if exponent < -4 || exponent >= digits as i32 {
        text.push_str(first);
        if !rest.is_empty() {
            text.push('.');
            text.push_str(rest);
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        // Writing to a string cannot fail.
        let _ = write!(text, "e{sign}{:02}", exponent.unsigned_abs());
    } else if exponent < 0 {
        text.push_str("0.");
        text.extend((exponent..-1).map(|_| '0'));
        text.push_str(significant);
    } else {
        let whole = exponent as usize + 1;
        if significant.len() <= whole {
            text.push_str(significant);
            text.extend((significant.len()..whole).map(|_| '0'));
        } else {
            let (whole, fraction) = significant.split_at(whole);
            text.push_str(whole);
            text.push('.');
            text.push_str(fraction);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(value: f32) -> String {
        let mut out = Vec::new();
        write_float(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    fn double(value: f64) -> String {
        let mut out = Vec::new();
        write_double(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_are_as_upb_prints_them() {
        for (value, text) in [
            (0.1, "0.1"),
            (1. / 3., "0.333333343"),
            (1., "1"),
            (1e10, "1e+10"),
            (-0., "-0"),
            (0., "0"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (-0.00012345, "-0.00012345"),
            (123456789., "123456792"),
            (999999., "999999"),
            (1e6, "1e+06"),
            (1234567., "1234567"),
            (1.5, "1.5"),
            (f32::MAX, "3.40282347e+38"),
            (f32::MIN_POSITIVE, "1.17549435e-38"),
            (1e-45, "1.4013e-45"),
            (f32::INFINITY, "inf"),
            (f32::NEG_INFINITY, "-inf"),
            (f32::NAN, "nan"),
        ] {
            assert_eq!(float(value), text);
        }
        assert_eq!(float(-f32::NAN), "nan");
    }

    #[test]
    fn doubles_are_as_upb_prints_them() {
        for (value, text) in [
            (0.1, "0.1"),
            (1. / 3., "0.33333333333333331"),
            (1e300, "1e+300"),
            (1e15, "1e+15"),
            (1e14, "100000000000000"),
            (5e-324, "4.94065645841247e-324"),
            (123456789012345678., "1.2345678901234568e+17"),
            (1234567.25, "1234567.25"),
            (10000., "10000"),
        ] {
            assert_eq!(double(value), text);
        }
    }

    #[test]
    fn integers_reach_their_ends() {
        for (value, text) in [(0i64, "0"), (-1, "-1"), (i64::MIN, "-9223372036854775808")] {
            let mut out = Vec::new();
            write_integer(&mut out, value.unsigned_abs(), value < 0);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        let mut out = Vec::new();
        write_integer(&mut out, u64::MAX, false);
        assert_eq!(out, b"18446744073709551615");
    }
}
