use super::decimal::Precision;
use super::float::{FloatFormat, special, write_part};

/// Appends a complex number as a scalar is shown: `(1+2j)`, `2j`.
pub(super) fn write_scalar(out: &mut String, [real, imaginary]: [f64; 2], precision: Precision) {
    if real == 0.0 && real.is_sign_positive() {
        write_part(out, imaginary, precision);
        out.push('j');
        return;
    }
    out.push('(');
    write_part(out, real, precision);
    if imaginary.is_nan() || imaginary.is_sign_positive() {
        out.push('+');
    }
    match imaginary.is_finite() {
        true => write_part(out, imaginary, precision),
        false => out.push_str(special(imaginary)),
    }
    out.push_str("j)");
}

/// How all complex numbers of an array are shown.
#[derive(Debug)]
pub(super) struct ComplexFormat {
    pub(super) real: FloatFormat,
    pub(super) imaginary: FloatFormat,
}

impl ComplexFormat {
    pub(super) fn write(&self, out: &mut String, [real, imaginary]: [f64; 2]) {
        self.real.write(out, real);
        self.imaginary.write(out, imaginary);
        // Blanks that fill the fraction stand behind the letter.
        let end = out.trim_end_matches(' ').len();
        out.insert(end, 'j');
    }
}
