//! Casts to floating-point dtypes, beside those of numpy and `ml_dtypes`.

use std::fs;
use std::path::Path;

use savedmodel::{DType, Tensor};

use crate::records::scratch;
use crate::tensor_sets::Random;

/// Every exponent with mantissas at the edges of all formats, and numbers that look random.
fn singles() -> Vec<f32> {
    let mut random = Random::new(9);
    let mut all = Vec::new();
    for high in 0..1u32 << 16 {
        let bits = high << 16;
        all.extend([
            bits,
            bits | 1,
            bits | 0x7fff,
            bits | 0x8000,
            bits | 0x8001,
            bits | 0xffff,
        ]);
        all.push(bits | random.next() as u32 & 0xffff);
    }
    all.into_iter().map(f32::from_bits).collect()
}

fn doubles() -> Vec<f64> {
    let mut random = Random::new(10);
    let near = |value: f32| {
        let value = f64::from(value);
        [value, value.next_up(), value.next_down()]
    };
    let mut all: Vec<f64> = singles().into_iter().step_by(5).flat_map(near).collect();
    all.extend((0..50_000).map(|_| f64::from_bits(random.next())));
    all
}

/// Compares a cast with a file; NaN is NaN, whatever its bits.
fn differences(cast: &Tensor, file: &Path) -> usize {
    let theirs = Tensor::from_bytes(cast.dtype(), cast.shape(), fs::read(file).unwrap()).unwrap();
    let size = cast.dtype().size().unwrap();
    let bits = |tensor: &Tensor| tensor.bytes().unwrap().to_vec();
    let (ours_bits, theirs_bits) = (bits(cast), bits(&theirs));
    let values = cast.to_f64s().unwrap().zip(theirs.to_f64s().unwrap());
    values
        .zip(ours_bits.chunks(size).zip(theirs_bits.chunks(size)))
        .filter(|((one, other), (ours, theirs))| {
            !(one.is_nan() && other.is_nan()) && ours != theirs
        })
        .count()
}

#[test]
fn interop_casts_are_those_of_numpy() {
    let directory = scratch("casts");
    let (singles, doubles) = (singles(), doubles());
    let tensors = [
        (
            "f32",
            Tensor::from_slice([singles.len()], &singles).unwrap(),
        ),
        (
            "f64",
            Tensor::from_slice([doubles.len()], &doubles).unwrap(),
        ),
    ];
    for (name, tensor) in &tensors {
        fs::write(directory.join(name), tensor.bytes().unwrap()).unwrap();
    }
    if crate::tensorflow::run("cast.py", &[&directory]).is_none() {
        return;
    }
    let mut compared = 0;
    for (name, tensor) in &tensors {
        for dtype in DType::known().filter(|dtype| dtype.is_floating()) {
            let file = directory.join(format!("{name}.{dtype}"));
            if file.exists() {
                let cast = tensor.cast(dtype).unwrap();
                assert_eq!(differences(&cast, &file), 0, "{name} to {dtype}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 13);
}
