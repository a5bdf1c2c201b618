use crate::tensor::numeric::{Decode, decoder, magnitude_decoder};
use crate::tensor::{DType, Tensor};

/// Describes the values of a numeric tensor: range, mean, deviation and special values.
///
/// `min`, `max`, `mean` and `standard_deviation` are of the finite values alone, and `None` if
/// there is none; the deviation is that of the population. They are computed in `f64`, so INT64 and
/// UINT64 values beyond 2^53 are rounded. A complex number counts by its magnitude, BOOL as 0 and
/// 1, a quantized element as its integer.
///
/// ```
/// use savedmodel::Tensor;
///
/// let tensor = Tensor::from_slice([4], &[1f32, 3.0, 0.0, f32::NAN])?;
/// let statistics = tensor.statistics().expect("a numeric tensor");
/// assert_eq!((statistics.min, statistics.max), (Some(0.0), Some(3.0)));
/// assert_eq!((statistics.zeros, statistics.nan), (1, 1));
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Statistics {
    /// The number of elements, finite or not.
    pub count: u64,
    /// The smallest finite value.
    pub min: Option<f64>,
    /// The largest finite value.
    pub max: Option<f64>,
    /// The mean of the finite values.
    pub mean: Option<f64>,
    /// The square root of the mean squared distance of the finite values from their mean.
    pub standard_deviation: Option<f64>,
    /// The number of values equal to zero, of either sign.
    pub zeros: u64,
    /// The number of values that are not a number.
    pub nan: u64,
    /// The number of values that are positive infinity.
    pub positive_infinite: u64,
    /// The number of values that are negative infinity.
    pub negative_infinite: u64,
}

impl Tensor {
    /// Returns the statistics of the values, or `None` if elements are not numbers. Reads all of
    /// the bytes once.
    pub fn statistics(&self) -> Option<Statistics> {
        let (bytes, decode) = (self.bytes()?, number_decoder(self.dtype())?);
        let size = self.dtype().size()?;
        let mut block = [0.0; BLOCK];
        let mut total = Accumulator::default();
        for bytes in bytes.chunks(BLOCK * size) {
            let values = &mut block[..bytes.len() / size];
            decode(bytes, values);
            total.add(values);
        }
        Some(total.finish())
    }
}

fn number_decoder(dtype: DType) -> Option<Decode> {
    decoder(dtype).or_else(|| magnitude_decoder(dtype))
}

/// Values handled at a time: few enough that all passes over them stay in the first cache.
const BLOCK: usize = 1024;

/// Sums kept side by side, so that additions need not wait for each other.
const LANES: usize = 8;

/// What is known of the blocks so far.
#[derive(Default)]
struct Accumulator {
    counts: Statistics,
    finite: u64,
    moments: Option<Moments>,
}

/// Range, mean and summed squared distance from the mean of some finite values.
#[derive(Clone, Copy)]
struct Moments {
    min: f64,
    max: f64,
    mean: f64,
    squares: f64,
}

impl Accumulator {
    /// Adds a block, whose values may be reordered.
    fn add(&mut self, values: &mut [f64]) {
        self.counts.count += values.len() as u64;
        let finite = match values
            .iter()
            .fold(true, |all, value| all & value.is_finite())
        {
            true => values.len(),
            false => self.set_aside_specials(values),
        };
        let values = &values[..finite];
        if values.is_empty() {
            return;
        }
        let moments = Moments::of(values);
        // A block without a zero between its ends has none, which spares most a look.
        if moments.min <= 0.0 && moments.max >= 0.0 {
            self.counts.zeros += values
                .iter()
                .map(|value| u64::from(*value == 0.0))
                .sum::<u64>();
        }
        self.moments = Some(match self.moments {
            None => moments,
            Some(before) => before.merge(self.finite as f64, moments, finite as f64),
        });
        self.finite += finite as u64;
    }

    /// Counts the values that are not finite, moves the others to the front and returns how many
    /// these are.
    fn set_aside_specials(&mut self, values: &mut [f64]) -> usize {
        let mut finite = 0;
        for index in 0..values.len() {
            let value = values[index];
            if value.is_nan() {
                self.counts.nan += 1;
            } else if value == f64::INFINITY {
                self.counts.positive_infinite += 1;
            } else if value == f64::NEG_INFINITY {
                self.counts.negative_infinite += 1;
            } else {
                values[finite] = value;
                finite += 1;
            }
        }
        finite
    }

    fn finish(self) -> Statistics {
        let moments = self.moments;
        Statistics {
            min: moments.map(|moments| moments.min),
            max: moments.map(|moments| moments.max),
            mean: moments.map(|moments| moments.mean),
            standard_deviation: moments
                .map(|moments| (moments.squares / self.finite as f64).sqrt()),
            ..self.counts
        }
    }
}

impl Moments {
    fn of(values: &[f64]) -> Moments {
        let (lanes, rest) = values.as_chunks::<LANES>();
        let mut sums = [0.0; LANES];
        let mut mins = [f64::INFINITY; LANES];
        let mut maxs = [f64::NEG_INFINITY; LANES];
        for chunk in lanes {
            for lane in 0..LANES {
                sums[lane] += chunk[lane];
                mins[lane] = lesser(mins[lane], chunk[lane]);
                maxs[lane] = greater(maxs[lane], chunk[lane]);
            }
        }
        let sum: f64 = sums.iter().chain(rest).sum();
        let mean = sum / values.len() as f64;
        Moments {
            min: mins.iter().chain(rest).copied().fold(f64::INFINITY, lesser),
            max: maxs
                .iter()
                .chain(rest)
                .copied()
                .fold(f64::NEG_INFINITY, greater),
            mean,
            squares: squares_around(mean, values),
        }
    }

    /// Combines the moments of two sets of values with their sizes, by the formula of Chan, Golub
    /// and LeVeque, which unlike a sum of squares loses no digits to a large mean.
    fn merge(self, count: f64, other: Moments, other_count: f64) -> Moments {
        let total = count + other_count;
        let distance = other.mean - self.mean;
        Moments {
            min: lesser(self.min, other.min),
            max: greater(self.max, other.max),
            mean: self.mean + distance * (other_count / total),
            squares: self.squares
                + other.squares
                + distance * distance * (count * (other_count / total)),
        }
    }
}

fn squares_around(mean: f64, values: &[f64]) -> f64 {
    let (lanes, rest) = values.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in lanes {
        for lane in 0..LANES {
            let distance = chunk[lane] - mean;
            sums[lane] += distance * distance;
        }
    }
    let rest = rest.iter().map(|value| (value - mean) * (value - mean));
    sums.into_iter().chain(rest).sum()
}

/// One instruction where `f64::min` is several, because no value here is NaN.
fn lesser(left: f64, right: f64) -> f64 {
    if right < left { right } else { left }
}

fn greater(left: f64, right: f64) -> f64 {
    if right > left { right } else { left }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_tensors_by_hand() {
        let statistics = Tensor::from_slice([4], &[2i32, 4, 4, 6])
            .unwrap()
            .statistics()
            .unwrap();
        assert_eq!((statistics.min, statistics.max), (Some(2.0), Some(6.0)));
        assert_eq!(statistics.mean, Some(4.0));
        assert_eq!(statistics.standard_deviation, Some(2f64.sqrt()));
        let bools = Tensor::from_slice([4], &[true, false, true, true]).unwrap();
        assert_eq!(bools.statistics().unwrap().mean, Some(0.75));
        let complex = Tensor::from_slice([2], &[[3f32, 4.0], [0.0, 0.0]]).unwrap();
        let statistics = complex.statistics().unwrap();
        assert_eq!((statistics.max, statistics.zeros), (Some(5.0), 1));
    }

    #[test]
    fn special_values_are_counted_and_left_out() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        let values = [nan, -0.0, inf, 1.0, -inf, inf, 0.0, nan, nan, 3.0];
        let statistics = Tensor::from_slice([10], &values)
            .unwrap()
            .statistics()
            .unwrap();
        let expected = Statistics {
            count: 10,
            min: Some(0.0),
            max: Some(3.0),
            mean: Some(1.0),
            standard_deviation: Some(1.5f64.sqrt()),
            zeros: 2,
            nan: 3,
            positive_infinite: 2,
            negative_infinite: 1,
        };
        assert_eq!(statistics, expected);
    }

    #[test]
    fn nothing_finite_has_no_range() {
        let empty = Tensor::from_slice::<f32>([0], &[])
            .unwrap()
            .statistics()
            .unwrap();
        assert_eq!(empty, Statistics::default());
        let statistics = Tensor::scalar(f64::NAN).statistics().unwrap();
        assert_eq!(
            (statistics.count, statistics.nan, statistics.mean),
            (1, 1, None)
        );
        assert_eq!(Tensor::from_strings([1], ["1"]).unwrap().statistics(), None);
    }

    #[test]
    fn many_blocks_agree_with_two_passes() {
        let mut state = 1u64;
        let values: Vec<f64> = (0..10_007)
            .map(|_| {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                1e9 + (state >> 40) as f64 / 1e6
            })
            .collect();
        let offsets: f64 = values.iter().map(|value| value - 1e9).sum();
        let mean = 1e9 + offsets / values.len() as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (squares / values.len() as f64).sqrt();
        let statistics = Tensor::from_slice([values.len()], &values)
            .unwrap()
            .statistics()
            .unwrap();
        assert!((statistics.mean.unwrap() - mean).abs() < 1e-6);
        assert!((statistics.standard_deviation.unwrap() / deviation - 1.0).abs() < 1e-9);
        let min = values.iter().copied().fold(f64::INFINITY, f64::min);
        assert_eq!(statistics.min, Some(min));
    }
}
