//! A message, the first byte saying of which and in which order; a model and its fingerprint.

#![no_main]

use libfuzzer_sys::fuzz_target;
use savedmodel::Fingerprint;
use savedmodel::fingerprint::FingerprintRelease;
use savedmodel::wire::{Canonical, MapOrder, means_the_same};

const MESSAGES: [&str; 6] = [
    "tensorflow.SavedModel",
    "tensorflow.GraphDef",
    "tensorflow.NodeDef",
    "tensorflow.SavedObjectGraph",
    "tensorflow.GraphDebugInfo",
    "tensorflow.SignatureDef",
];

fuzz_target!(|input: &[u8]| {
    let Some((&mode, bytes)) = input.split_first() else {
        return;
    };
    let message = MESSAGES[usize::from(mode >> 1) % MESSAGES.len()];
    let orders = match mode & 1 {
        0 => [MapOrder::Cpp, MapOrder::Python],
        _ => [MapOrder::Python, MapOrder::Cpp],
    };
    match Canonical::new(bytes, message, orders[0]) {
        Ok(canonical) => {
            let first = canonical.to_vec();
            assert_eq!(first.len() as u64, canonical.len());
            // Entries of maps get a key and a value, numbers all their bits.
            assert!(first.len() <= 16 + 8 * bytes.len());
            let same = Canonical::new(&first, message, orders[0]).unwrap();
            assert!(same == canonical && same.pieces().count() <= 1);
            let other = Canonical::new(&first, message, orders[1]).unwrap().to_vec();
            let back = Canonical::new(&other, message, orders[0]).unwrap();
            assert!(back == canonical);
            assert!(means_the_same(bytes, &other, message).unwrap());
        }
        Err(error) => assert!(error.offset().is_none_or(|at| at <= bytes.len() as u64)),
    }

    let computed = Fingerprint::of(bytes, FingerprintRelease::V2_11);
    let later = Fingerprint::of(bytes, FingerprintRelease::V2_21);
    assert_eq!(computed.is_ok(), later.is_ok());
    if let (Ok(canonical), Ok(later)) = (
        Canonical::new(bytes, MESSAGES[0], MapOrder::Python),
        &later,
    ) {
        let again = Fingerprint::of(&canonical.to_vec(), FingerprintRelease::V2_21);
        assert_eq!(again.unwrap(), *later);
    }
    if let Ok(stored) = Fingerprint::decode(bytes) {
        let again = Fingerprint::decode(&stored.encode()).unwrap();
        assert_eq!(stored, again);
        assert_eq!(stored.encode(), again.encode());
    }
});
