/// A floating-point format of at most 16 bits: sign, exponent and mantissa, highest bit first.
///
/// The 8-bit and 4-bit formats are those of `ml_dtypes`, which TensorFlow uses
/// (`tensorflow/core/platform/float8.h`, `ml_dtypes/include/float8.h`, `mxfloat.h`).
#[derive(Clone, Copy)]
pub(super) struct FloatFormat {
    exponent_bits: u32,
    mantissa_bits: u32,
    bias: i32,
    specials: Specials,
}

/// Which codes are not finite numbers, and what takes the place of values that are too large.
#[derive(Clone, Copy, PartialEq)]
enum Specials {
    /// The largest exponent is infinity and NaN. Too large becomes infinity.
    Ieee,
    /// All ones is NaN; there is no infinity (`fn`). Too large becomes NaN.
    Fn,
    /// The code of negative zero is the only NaN; there is no infinity (`fnuz`). Too large becomes
    /// NaN.
    Fnuz,
    /// Every code is a finite number. Too large becomes the largest, NaN a zero.
    None,
}

pub(super) const HALF: FloatFormat = FloatFormat::new(5, 10, 15, Specials::Ieee);
pub(super) const BFLOAT16: FloatFormat = FloatFormat::new(8, 7, 127, Specials::Ieee);
pub(super) const E5M2: FloatFormat = FloatFormat::new(5, 2, 15, Specials::Ieee);
pub(super) const E4M3FN: FloatFormat = FloatFormat::new(4, 3, 7, Specials::Fn);
pub(super) const E4M3FNUZ: FloatFormat = FloatFormat::new(4, 3, 8, Specials::Fnuz);
pub(super) const E4M3B11FNUZ: FloatFormat = FloatFormat::new(4, 3, 11, Specials::Fnuz);
pub(super) const E5M2FNUZ: FloatFormat = FloatFormat::new(5, 2, 16, Specials::Fnuz);
pub(super) const E2M1FN: FloatFormat = FloatFormat::new(2, 1, 1, Specials::None);

impl FloatFormat {
    const fn new(exponent_bits: u32, mantissa_bits: u32, bias: i32, specials: Specials) -> Self {
        FloatFormat {
            exponent_bits,
            mantissa_bits,
            bias,
            specials,
        }
    }

    /// Returns the exact value of a code, of which bits above the sign are ignored.
    pub(super) const fn decode(self, code: u16) -> f64 {
        let magnitude = code & self.magnitude_mask();
        let negative = code & self.sign_bit() != 0;
        let special = match self.specials {
            Specials::Ieee if magnitude == self.infinity() => {
                return if negative {
                    f64::NEG_INFINITY
                } else {
                    f64::INFINITY
                };
            }
            Specials::Ieee => magnitude > self.infinity(),
            Specials::Fn => magnitude == self.magnitude_mask(),
            Specials::Fnuz => magnitude == 0 && negative,
            Specials::None => false,
        };
        if special {
            return f64::NAN;
        }
        let exponent = (magnitude >> self.mantissa_bits) as i32;
        let fraction = magnitude & ((1 << self.mantissa_bits) - 1);
        let (significand, exponent) = match exponent {
            0 => (fraction, 1),
            _ => (fraction | 1 << self.mantissa_bits, exponent),
        };
        let scale = power_of_two(exponent - self.bias - self.mantissa_bits as i32);
        let value = significand as f64 * scale;
        if negative { -value } else { value }
    }

    /// Returns the code nearest to a value, the even one of two.
    ///
    /// What exceeds the largest finite value when rounded, and NaN, become what [`Specials`] says,
    /// as in `ml_dtypes`.
    pub(super) const fn encode(self, value: f64) -> u16 {
        let bits = value.to_bits();
        let sign = if bits >> 63 == 1 { self.sign_bit() } else { 0 };
        if value.is_nan() {
            return match self.specials {
                Specials::Ieee => sign | self.infinity() | 1 << (self.mantissa_bits - 1),
                Specials::Fn => sign | self.magnitude_mask(),
                Specials::Fnuz => self.sign_bit(),
                Specials::None => sign ^ self.sign_bit(),
            };
        }
        let magnitude = self.encode_magnitude(bits & (u64::MAX >> 1));
        if magnitude > self.largest() as u64 {
            return match self.specials {
                Specials::Ieee => sign | self.infinity(),
                Specials::Fn => sign | self.magnitude_mask(),
                Specials::Fnuz => self.sign_bit(),
                Specials::None => sign | self.largest(),
            };
        }
        match (magnitude, self.specials) {
            (0, Specials::Fnuz) => 0,
            _ => sign | magnitude as u16,
        }
    }

    /// Rounds the bits of a non-negative `f64` to a code, as if the exponent had no upper bound.
    ///
    /// Codes ascend with the values they stand for, so a carry out of the mantissa needs no care.
    const fn encode_magnitude(self, bits: u64) -> u64 {
        const FRACTION: u64 = (1 << F64_FRACTION_BITS) - 1;
        let exponent = (bits >> F64_FRACTION_BITS) as i32 - F64_BIAS + self.bias;
        let dropped = F64_FRACTION_BITS - self.mantissa_bits;
        if exponent >= 1 {
            round(
                (exponent as u64) << F64_FRACTION_BITS | bits & FRACTION,
                dropped,
            )
        } else {
            // A subnormal `f64` is not told apart: it is zero in every format here.
            let below = (1 - exponent) as u32;
            round(1 << F64_FRACTION_BITS | bits & FRACTION, dropped + below)
        }
    }

    pub(super) const fn table(self) -> [f64; 256] {
        let mut table = [0.0; 256];
        let mut code = 0;
        while code < table.len() {
            table[code] = self.decode(code as u16);
            code += 1;
        }
        table
    }

    const fn sign_bit(self) -> u16 {
        1 << (self.exponent_bits + self.mantissa_bits)
    }

    const fn magnitude_mask(self) -> u16 {
        self.sign_bit() - 1
    }

    /// The code of infinity in an IEEE format.
    const fn infinity(self) -> u16 {
        self.magnitude_mask() & !((1 << self.mantissa_bits) - 1)
    }

    /// The code of the largest finite value.
    const fn largest(self) -> u16 {
        match self.specials {
            Specials::Ieee => self.infinity() - 1,
            Specials::Fn => self.magnitude_mask() - 1,
            Specials::Fnuz | Specials::None => self.magnitude_mask(),
        }
    }
}

const F64_FRACTION_BITS: u32 = 52;
const F64_BIAS: i32 = 1023;

/// Exact for exponents of normal numbers.
const fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + F64_BIAS) as u64) << F64_FRACTION_BITS)
}

/// Drops the low bits, rounding to the nearest and of two to the even one.
const fn round(bits: u64, dropped: u32) -> u64 {
    if dropped > 63 {
        return 0;
    }
    let (kept, rest, half) = (
        bits >> dropped,
        bits & ((1 << dropped) - 1),
        1 << (dropped - 1),
    );
    if rest > half || rest == half && kept & 1 == 1 {
        kept + 1
    } else {
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::DType;

    const FORMATS: [(DType, FloatFormat); 8] = [
        (DType::HALF, HALF),
        (DType::BFLOAT16, BFLOAT16),
        (DType::FLOAT8_E5M2, E5M2),
        (DType::FLOAT8_E4M3FN, E4M3FN),
        (DType::FLOAT8_E4M3FNUZ, E4M3FNUZ),
        (DType::FLOAT8_E4M3B11FNUZ, E4M3B11FNUZ),
        (DType::FLOAT8_E5M2FNUZ, E5M2FNUZ),
        (DType::FLOAT4_E2M1FN, E2M1FN),
    ];

    /// Walks each format's finite values: every one, the middle between it and the next, and the
    /// nearest `f64` on either side of the middle.
    #[test]
    fn encoding_takes_the_nearest() {
        for (dtype, format) in FORMATS {
            for code in 0..format.largest() {
                let (low, high) = (format.decode(code), format.decode(code + 1));
                let middle = (low + high) / 2.0;
                let even = code + (code & 1);
                assert_eq!(format.encode(low), code, "{dtype} {low}");
                assert_eq!(format.encode(middle), even, "{dtype} {middle}");
                assert_eq!(format.encode(middle.next_down()), code, "{dtype}");
                assert_eq!(format.encode(middle.next_up()), code + 1, "{dtype}");
                let sign = match (even, format.specials) {
                    (0, Specials::Fnuz) => 0,
                    _ => format.sign_bit(),
                };
                assert_eq!(format.encode(-middle), even | sign, "{dtype} {middle}");
            }
            assert_eq!(
                format.encode(format.decode(format.largest())),
                format.largest()
            );
            assert_eq!(format.encode(f64::from_bits(1)), 0);
        }
    }
}
