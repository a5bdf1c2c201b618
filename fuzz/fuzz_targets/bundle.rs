//! An index and a shard: opened, listed, read by every route, verified.
//!
//! ```text
//! input    mode (u8), length of the index (u24, little-endian), index, shard
//! mode     1: put the checksums of the index right; 2: do not verify those of tensors
//! ```

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use savedmodel::bundle::Checksums;
use savedmodel::store::{Blob, MemoryStore, Store};
use savedmodel::{BundleReader, TensorSlice};

#[path = "../../tests/it/forge.rs"]
mod forge;

fuzz_target!(|input: &[u8]| {
    let Some((&[mode, a, b, c], rest)) = input.split_first_chunk::<4>() else {
        return;
    };
    let len = u32::from_le_bytes([a, b, c, 0]) as usize;
    let (index, shard) = rest.split_at(len.min(rest.len()));
    let mut index = index.to_vec();
    if mode & 1 != 0 {
        forge::reseal(&mut index);
    }
    let checksums = match mode & 2 {
        0 => Checksums::Verify,
        _ => Checksums::Skip,
    };
    let mut memory = MemoryStore::new();
    memory.insert("b.index", index);
    for name in [
        "b.data-00000-of-00001",
        "b.data-00000-of-00002",
        "b.data-00001-of-00002",
    ] {
        memory.insert(name, shard.to_vec());
    }
    let open = |store: Arc<dyn Store>| {
        BundleReader::options()
            .checksums(checksums)
            .threads(1)
            .open_in(store, "b")
    };
    let Ok(bundle) = open(Arc::new(memory.clone())) else {
        return;
    };
    let ranged = open(Arc::new(Ranges(memory)));

    // The walk gives what stands before the damage of an index; lookups need not find that.
    let sound_index = bundle.listing().is_ok();
    let mut listed = 0;
    let mut refused = None;
    for item in bundle.entries() {
        let (key, entry) = match item {
            Ok(item) => item,
            Err(error) => {
                assert!(error.path().is_some(), "{error}");
                refused = Some(error);
                continue;
            }
        };
        listed += 1;
        let tensor = bundle.tensor_of(&key, &entry);
        match &tensor {
            Ok(tensor) => {
                assert_eq!(bundle.read_of(&key, &entry).unwrap(), *tensor);
                let whole = TensorSlice::full(entry.shape().rank());
                match bundle.slice(&key, &whole) {
                    Ok(slice) => assert!(slice == *tensor || !sound_index),
                    Err(error) => assert!(!sound_index, "{error}"),
                }
                if let Some(bytes) = tensor.bytes() {
                    let mut out = vec![0; bytes.len()];
                    match bundle.read_into(&key, &mut out) {
                        Ok(()) => assert!(out == bytes || !sound_index),
                        Err(error) => assert!(!sound_index, "{error}"),
                    }
                }
            }
            Err(error) => {
                assert!(error.path().is_some() && error.key().is_some(), "{error}");
                assert!(bundle.read_of(&key, &entry).is_err());
                let size = entry.dtype().size().unwrap_or(0) as u64;
                let len = entry.shape().elements().saturating_mul(size);
                if len < 1 << 16 {
                    let read = bundle.read_into(&key, &mut vec![0; len as usize]);
                    assert!(read.is_err() || !sound_index);
                }
            }
        }
        if let Ok(ranged) = &ranged {
            assert_eq!(
                ranged.tensor_of(&key, &entry).ok(),
                tensor.as_ref().ok().cloned()
            );
        }
        refused = refused.or(tensor.err());
    }
    let all = bundle.read_all();
    match &refused {
        None => assert_eq!(all.map_or(0, |all| all.len()), listed),
        Some(error) => assert!(all.is_err(), "{error}"),
    }
    let verification = bundle.verify();
    if let Some(error) = refused {
        assert!(!verification.is_ok_and(|found| found.is_sound()), "{error}");
    }
    if let Ok(listing) = bundle.listing() {
        for i in 0..listing.len() {
            let key = listing.get(i).unwrap().0;
            assert_eq!(listing.search(key), Ok(i));
        }
    }
});

/// The same files, of which only ranges can be read.
#[derive(Debug)]
struct Ranges(MemoryStore);

impl Store for Ranges {
    fn open(&self, name: &str) -> std::io::Result<Blob> {
        let blob = self.0.open(name)?;
        Ok(Blob::ranged(blob.len(), move |offset, out| {
            blob.read_into(offset, out).map_err(std::io::Error::other)
        }))
    }

    fn list(&self, directory: &str) -> std::io::Result<Vec<String>> {
        self.0.list(directory)
    }
}
