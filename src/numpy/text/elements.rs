use std::fmt::Write;

use super::decimal::Precision;
use super::{byte_string, complex, float};
use crate::tensor::{DType, Decode, Element, Strings, Tensor, decoder};
use crate::text::general;

/// C++ prints numbers in so many digits.
const STREAM_DIGITS: usize = 6;

/// The elements of a tensor by their place, each of the kinds that numpy shows differently.
#[derive(Clone, Debug)]
pub(super) enum Elements<'t> {
    Bools(&'t [u8]),
    Integers(Integers<'t>),
    /// Structures of one integer, which TensorFlow makes of quantized types.
    Quantized(Integers<'t>),
    /// Integers narrower than a byte, which numpy has from `ml_dtypes` and does not align.
    Narrow(Integers<'t>),
    Floats(Reals<'t>, Precision),
    /// The types of `ml_dtypes`, printed by C++.
    SmallFloats(Reals<'t>),
    /// Pairs of numbers.
    Complex(Reals<'t>, Precision),
    Strings(&'t Strings),
}

impl<'t> Elements<'t> {
    /// Returns nothing for elements that numpy has no type for.
    pub(super) fn of(tensor: &'t Tensor) -> Option<Elements<'t>> {
        if let Some(strings) = tensor.strings() {
            return Some(Elements::Strings(strings));
        }
        let (dtype, bytes) = (tensor.dtype(), tensor.bytes()?);
        if dtype == DType::BOOL {
            return Some(Elements::Bools(bytes));
        }
        let part = match dtype {
            DType::COMPLEX64 => DType::FLOAT,
            DType::COMPLEX128 => DType::DOUBLE,
            _ => dtype,
        };
        let integers = Integers { dtype, bytes };
        let reals = Reals {
            bytes,
            size: part.size()?,
            decode: decoder(part)?,
        };
        Some(match Precision::of(dtype) {
            Some(precision) if dtype.is_complex() => Elements::Complex(reals, precision),
            Some(precision) => Elements::Floats(reals, precision),
            None if dtype.is_floating() => Elements::SmallFloats(reals),
            None if dtype.is_quantized() => Elements::Quantized(integers),
            None if dtype.is_sub_byte() => Elements::Narrow(integers),
            None => Elements::Integers(integers),
        })
    }

    /// Appends the only element of a tensor without dimensions.
    pub(super) fn write_scalar(&self, out: &mut String) {
        // A `String` takes whatever is written to it.
        let _ = match self {
            Elements::Bools(bytes) => write!(out, "{}", bool_text(bytes, 0)),
            Elements::Integers(integers) => write!(out, "{}", integers.get(0)),
            Elements::Quantized(integers) => write!(out, "({},)", integers.get(0)),
            Elements::Floats(reals, precision) => {
                float::write_scalar(out, reals.get(0), *precision);
                Ok(())
            }
            Elements::Complex(reals, precision) => {
                complex::write_scalar(out, reals.pair(0), *precision);
                Ok(())
            }
            Elements::Narrow(_) | Elements::SmallFloats(_) | Elements::Strings(_) => {
                self.write_unaligned(out, 0);
                Ok(())
            }
        };
    }

    /// Appends an element whose text does not depend on the others.
    pub(super) fn write_unaligned(&self, out: &mut String, index: usize) {
        match self {
            Elements::Bools(bytes) => {
                // A `String` takes whatever is written to it.
                let _ = write!(out, "{:>5}", bool_text(bytes, index));
            }
            Elements::Narrow(integers) => drop(write!(out, "{}", integers.get(index))),
            Elements::SmallFloats(reals) => write_stream(out, reals.get(index)),
            Elements::Strings(strings) => {
                byte_string::write(out, strings.get(index).unwrap_or_default());
            }
            _ => {}
        }
    }
}

fn bool_text(bytes: &[u8], index: usize) -> &'static str {
    match bytes.get(index) {
        Some(0) | None => "False",
        Some(_) => "True",
    }
}

/// Appends a number as a stream of C++ does.
fn write_stream(out: &mut String, value: f64) {
    if !value.is_finite() {
        return out.push_str(float::special(value));
    }
    let fraction = STREAM_DIGITS - 1;
    out.push_str(&general(&format!("{value:.fraction$e}"), STREAM_DIGITS));
}

/// Stored integers.
#[derive(Clone, Debug)]
pub(super) struct Integers<'t> {
    dtype: DType,
    bytes: &'t [u8],
}

impl Integers<'_> {
    pub(super) fn get(&self, index: usize) -> i128 {
        let size = self.dtype.size().unwrap_or(1);
        let mut word = [0; 8];
        if let Some(stored) = self.bytes.get(index * size..(index + 1) * size) {
            word[..size].copy_from_slice(stored);
        }
        // Bits above the value may be in any state.
        let unused = 64 - self.dtype.bits().unwrap_or(64).min(64);
        let word = u64::from_le_bytes(word) << unused;
        match is_signed(self.dtype) {
            true => (word as i64 >> unused).into(),
            false => (word >> unused).into(),
        }
    }
}

fn is_signed(dtype: DType) -> bool {
    i8::reads(dtype) || i16::reads(dtype) || i32::reads(dtype) || i64::reads(dtype)
}

/// Stored floating-point numbers.
#[derive(Clone)]
pub(super) struct Reals<'t> {
    bytes: &'t [u8],
    size: usize,
    decode: Decode,
}

impl Reals<'_> {
    pub(super) fn get(&self, index: usize) -> f64 {
        let mut value = [0.0];
        if let Some(stored) = self.bytes.get(index * self.size..(index + 1) * self.size) {
            (self.decode)(stored, &mut value);
        }
        value[0]
    }

    /// Returns both parts of a complex number.
    pub(super) fn pair(&self, index: usize) -> [f64; 2] {
        [self.get(2 * index), self.get(2 * index + 1)]
    }
}

impl std::fmt::Debug for Reals<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reals({} bytes each)", self.size)
    }
}
