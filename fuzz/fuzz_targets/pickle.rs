//! A pickle: what is read is a tree of plain values, and no larger than the file explains.
//!
//! ```text
//! input    the file
//! ```

#![no_main]

use libfuzzer_sys::fuzz_target;
use savedmodel::numpy::{ArrayText, PickledValue};
use savedmodel::store::Blob;

/// What `PickledValue::read` promises: 64 MiB, and 16 times the file.
fn limit(file: &[u8]) -> u64 {
    (64 << 20) + 16 * file.len() as u64
}

fuzz_target!(|file: &[u8]| {
    let shared = file.to_vec();
    let ranged = Blob::ranged(file.len() as u64, move |offset, out: &mut [u8]| {
        let start = offset as usize;
        out.copy_from_slice(&shared[start..start + out.len()]);
        Ok(())
    });
    let value = PickledValue::read(&Blob::from_bytes(file.to_vec()));
    match (value, PickledValue::read(&ranged)) {
        (Ok(value), Ok(other)) => {
            // Numbers that are no numbers are not equal to themselves.
            let mut size = 0;
            let mut again = 0;
            walk(&value, 0, &mut size);
            walk(&other, 0, &mut again);
            assert_eq!(size, again);
            assert!(size <= limit(file), "{size}");
        }
        (Err(error), Err(other)) => {
            assert_eq!(error.to_string(), other.to_string());
            assert!(error.offset().is_some_and(|at| at <= file.len() as u64));
            assert!(!error.to_string().contains(char::is_control), "{error:?}");
        }
        other => panic!("{other:?}"),
    }
});

/// Adds up what a value takes.
fn walk(value: &PickledValue, depth: usize, size: &mut u64) {
    assert!(depth <= 128);
    *size += size_of::<PickledValue>() as u64;
    match value {
        PickledValue::List(values) | PickledValue::Tuple(values) => {
            for value in values {
                walk(value, depth + 1, size);
            }
        }
        PickledValue::Dict(entries) => {
            for (key, value) in entries {
                walk(key, depth + 1, size);
                walk(value, depth + 1, size);
            }
        }
        PickledValue::Str(text) => *size += text.len() as u64,
        PickledValue::Array(tensor) if tensor.elements() < 10_000 => {
            assert!(!ArrayText::new(tensor).unwrap().to_string().is_empty());
        }
        _ => {}
    }
}
