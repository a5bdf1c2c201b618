//! Sets of tensors from a seed, of every dtype that has bytes of its own.

use savedmodel::{DType, Tensor};

/// A generator of numbers that look random (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    fn dims(&mut self) -> Vec<u64> {
        let rank = self.below(5);
        (0..rank)
            .map(|_| [0, 1, 1, 2, 3, 7, 16][self.below(7) as usize])
            .collect()
    }

    fn name(&mut self, number: usize) -> String {
        const PARTS: [&str; 6] = [
            "layer",
            "größe",
            ".ATTRIBUTES",
            "VARIABLE_VALUE",
            "a b",
            "模型\"'",
        ];
        let mut name = format!("{number}");
        for _ in 0..self.below(4) {
            name += "/";
            name += PARTS[self.below(6) as usize];
        }
        name
    }

    /// A tensor whose bytes are all that its dtype can have.
    pub(crate) fn tensor(&mut self, dtype: DType) -> Tensor {
        let dims = self.dims();
        let elements = dims.iter().product::<u64>() as usize;
        let Some(size) = dtype.size() else {
            let strings = (0..elements).map(|_| {
                let length = [0, 1, 5, 300][self.below(4) as usize];
                let mut string = self.bytes(length);
                // What stands at the end of a string of numpy's is lost if it is zero.
                string.extend(self.below(255).checked_sub(100).map(|byte| byte as u8 + 1));
                while string.last() == Some(&0) {
                    string.pop();
                }
                string
            });
            let strings: Vec<Vec<u8>> = strings.collect();
            return Tensor::from_strings(dims, strings).unwrap();
        };
        let mut bytes = self.bytes(elements * size);
        let mask = match (dtype, dtype.bits()) {
            (DType::BOOL, _) => 1,
            (_, Some(bits @ ..8)) => u8::MAX >> (8 - bits),
            _ => u8::MAX,
        };
        for byte in &mut bytes {
            *byte &= mask;
        }
        Tensor::from_bytes(dtype, dims, bytes).unwrap()
    }
}

/// The seeds that tests take.
pub(crate) fn seeds() -> impl Iterator<Item = u64> {
    1..=12
}

/// Up to 40 tensors under names of all kinds.
pub(crate) fn random_tensors(seed: u64) -> Vec<(String, Tensor)> {
    let mut random = Random::new(seed);
    let dtypes: Vec<DType> = DType::known()
        .filter(|dtype| dtype.size().is_some() || *dtype == DType::STRING)
        .collect();
    let count = random.below(40) as usize;
    (0..count)
        .map(|number| {
            let dtype = dtypes[random.below(dtypes.len() as u64) as usize];
            (random.name(number), random.tensor(dtype))
        })
        .collect()
}
