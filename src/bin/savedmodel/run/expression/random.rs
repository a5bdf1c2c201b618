/// Random numbers, the same for the same seed on every machine but for the last bits of logarithms:
/// the generator xoshiro256** (Blackman and Vigna, 2018), its state filled by SplitMix64.
///
/// Not numpy's, whose sequences differ: `np.random.seed` and its numbers cannot be had here.
pub(super) struct Random {
    state: [u64; 4],
    /// The second of a pair of normal numbers.
    spare: Option<f64>,
}

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        let mut sum = seed;
        let state = std::array::from_fn(|_| {
            sum = sum.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut bits = sum;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            bits ^ (bits >> 31)
        });
        Random { state, spare: None }
    }

    pub(super) fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// Returns a multiple of 2^-53 from 0 to less than 1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * f64::EPSILON / 2.0
    }

    /// Returns a number of the standard normal distribution, made in pairs after Box and Muller.
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.unit();
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }

    /// Returns an integer below `end`, all equally likely; `None` for 2^64.
    pub(super) fn below(&mut self, end: Option<u64>) -> u64 {
        let Some(end) = end.filter(|end| *end > 0) else {
            return self.bits();
        };
        // Those beyond the last multiple would come too often.
        let last = u64::MAX - (u64::MAX % end + 1) % end;
        loop {
            let bits = self.bits();
            if bits <= last {
                return bits % end;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_the_algorithm() {
        // SplitMix64 of seed 0 is known to begin so.
        let random = Random::new(0);
        assert_eq!(random.state[0], 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.state[1], 0x6e78_9e6a_a1b9_65f4);
        // xoshiro256** of the state 1, 2, 3, 4 is known to begin so.
        let mut random = Random {
            state: [1, 2, 3, 4],
            spare: None,
        };
        let found = [random.bits(), random.bits(), random.bits()];
        assert_eq!(found, [11520, 0, 1_509_978_240]);
    }

    #[test]
    fn numbers_are_spread_as_they_should_be() {
        let mut random = Random::new(7);
        let count = 20_000;
        let units: Vec<f64> = (0..count).map(|_| random.unit()).collect();
        assert!(units.iter().all(|unit| (0.0..1.0).contains(unit)));
        let mean = units.iter().sum::<f64>() / f64::from(count);
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        let normals: Vec<f64> = (0..count).map(|_| random.normal()).collect();
        let mean = normals.iter().sum::<f64>() / f64::from(count);
        let variance = normals.iter().map(|n| n * n).sum::<f64>() / f64::from(count);
        assert!(
            mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05,
            "{mean} {variance}"
        );
        let mut seen = [0; 3];
        for _ in 0..3000 {
            seen[random.below(Some(3)) as usize] += 1;
        }
        assert!(
            seen.iter().all(|count| (900..1100).contains(count)),
            "{seen:?}"
        );
    }
}
