//! Tensors that look random and are always the same.

use std::collections::BTreeMap;
use std::path::Path;

use savedmodel::{BundleReader, BundleWriter, DType, Extent, Shape, Tensor, TensorSlice};

/// A tensor, or a piece of one, as it is added to a bundle.
#[derive(Clone)]
pub(crate) struct Added {
    pub(crate) key: Vec<u8>,
    pub(crate) piece: Option<(Shape, TensorSlice)>,
    pub(crate) tensor: Tensor,
}

impl Added {
    pub(crate) fn add_to(&self, bundle: &mut BundleWriter) -> savedmodel::Result<()> {
        match &self.piece {
            None => bundle.add(&self.key, &self.tensor),
            Some((shape, slice)) => bundle.add_slice(&self.key, shape, slice, &self.tensor),
        }
    }
}

/// A set of tensors: each as a whole under its key, and all as they are added.
pub(crate) struct TensorSet {
    pub(crate) tensors: BTreeMap<Vec<u8>, Tensor>,
    pub(crate) added: Vec<Added>,
}

impl TensorSet {
    pub(crate) fn new(seed: u64, dtypes: &[DType]) -> Self {
        let mut numbers = Numbers::new(seed);
        let (mut tensors, mut added) = (BTreeMap::new(), Vec::new());
        for _ in 0..numbers.below(60) {
            let key = numbers.key();
            if tensors.contains_key(&key) {
                continue;
            }
            let shape = numbers.shape();
            let tensor = match numbers.below(20) {
                0 => numbers.tensor(&[DType::FLOAT], Shape::new(&[300_000]).unwrap()),
                _ => numbers.tensor(dtypes, shape),
            };
            let first = tensor.shape().dims().first();
            if first.is_some_and(|dim| (2..1000).contains(dim)) && numbers.below(3) == 0 {
                for (slice, piece) in pieces(&tensor, &mut numbers) {
                    added.push(Added {
                        key: key.clone(),
                        piece: Some((tensor.shape().clone(), slice)),
                        tensor: piece,
                    });
                }
            } else {
                added.push(Added {
                    key: key.clone(),
                    piece: None,
                    tensor: tensor.clone(),
                });
            }
            tensors.insert(key, tensor);
        }
        TensorSet { tensors, added }
    }

    /// Compares a bundle with the set.
    pub(crate) fn check(&self, prefix: &Path, what: &str) {
        let reader = BundleReader::open(prefix).unwrap();
        let verification = reader.verify().unwrap();
        assert!(verification.is_sound(), "{what}: {verification:?}");
        assert!(verification.remarks.is_empty(), "{what}: {verification:?}");
        assert_eq!(reader.entries().count(), self.tensors.len(), "{what}");
        for (key, tensor) in &self.tensors {
            let found = reader.tensor(key).unwrap();
            assert_eq!(found, *tensor, "{what}, {}", key.escape_ascii());
        }
    }
}

/// Numbers that look random and are always the same (xorshift).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn bytes(&mut self, len: u64) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    pub(crate) fn shape(&mut self) -> Shape {
        let rank = self.below(5);
        let dims: Vec<u64> = (0..rank).map(|_| self.below(5)).collect();
        Shape::new(&dims).unwrap()
    }

    pub(crate) fn key(&mut self) -> Vec<u8> {
        let len = 1 + self.below(40);
        let bytes = self.bytes(len);
        // Few different bytes, so that keys share their beginnings.
        let few = [b'a', b'b', b'/', 0xff, 0xfe, 0];
        let mut key = vec![b'a' + self.below(3) as u8];
        key.extend(bytes.iter().map(|byte| few[usize::from(*byte) % 6]));
        key
    }

    pub(crate) fn tensor(&mut self, dtypes: &[DType], shape: Shape) -> Tensor {
        let elements = shape.elements();
        let dtype = dtypes[self.below(dtypes.len() as u64) as usize];
        let Some(size) = dtype.size() else {
            let strings: Vec<Vec<u8>> = (0..elements)
                .map(|_| {
                    let len = [0, 1, 5, 127, 128, 300][self.below(6) as usize];
                    self.bytes(len)
                })
                .collect();
            return match dtype {
                DType::STRING => Tensor::from_strings(shape, strings).unwrap(),
                _ => Tensor::from_opaque(dtype, shape, strings.into_iter().collect()).unwrap(),
            };
        };
        let mut bytes = self.bytes(elements * size as u64);
        let mask = match dtype.bits() {
            _ if dtype == DType::BOOL => 1,
            Some(bits @ 0..8) => (1 << bits) - 1,
            _ => 0xff,
        };
        bytes.iter_mut().for_each(|byte| *byte &= mask);
        Tensor::from_bytes(dtype, shape, bytes).unwrap()
    }
}

/// A tensor cut along its first dimension.
pub(crate) fn pieces(tensor: &Tensor, numbers: &mut Numbers) -> Vec<(TensorSlice, Tensor)> {
    let mut start = 0;
    let mut pieces = Vec::new();
    let dims = tensor.shape().dims();
    while start < dims[0] {
        let length = 1 + numbers.below(dims[0] - start);
        let mut extents = vec![Extent::Full; dims.len()];
        extents[0] = Extent::Range { start, length };
        let slice = TensorSlice::new(extents);
        pieces.push((slice.clone(), tensor.slice(&slice).unwrap()));
        start += length;
    }
    pieces
}

/// Every dtype that bundles store, of which TensorFlow reads only those variants that it knows.
pub(crate) fn stored_dtypes(variants: &[DType]) -> Vec<DType> {
    let plain = DType::known().filter(|dtype| dtype.size().is_some() || *dtype == DType::STRING);
    plain.chain(variants.iter().copied()).collect()
}
