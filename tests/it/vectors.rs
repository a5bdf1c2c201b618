//! The vectors under `tests/vectors`: bundles that TensorFlow wrote, what is in them, and malformed
//! bundles with what TensorFlow made of them.

use std::path::PathBuf;
use std::sync::Arc;

use savedmodel::bundle::{Checksums, Key};
use savedmodel::store::{Blob, Mapping, MemoryStore, Store};
use savedmodel::{BundleReader, Error, ErrorKind, Result, Tensor, TensorSlice};
use serde_json::Value;

fn vectors() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors"))
}

fn json(name: &str) -> Value {
    let text = std::fs::read_to_string(vectors().join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap().as_bytes();
    let digit = |digit: u8| (digit as char).to_digit(16).unwrap() as u8;
    text.chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

fn u64s(list: &Value) -> Vec<u64> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_u64().unwrap())
        .collect()
}

/// Compares a tensor with the row-major little-endian bytes or the strings it should have.
fn assert_values(tensor: &Tensor, expected: &Value, context: &str) {
    assert_eq!(tensor.shape().dims(), u64s(&expected["shape"]), "{context}");
    if let Some(data) = expected.get("data_hex") {
        assert_eq!(tensor.bytes().unwrap(), unhex(data), "{context}");
    } else {
        let strings: Vec<Vec<u8>> = expected["strings_hex"]
            .as_array()
            .unwrap()
            .iter()
            .map(unhex)
            .collect();
        let read: Vec<&[u8]> = tensor.strings().unwrap().iter().collect();
        assert_eq!(read, strings, "{context}");
    }
}

#[test]
fn every_bundle_reads_as_expected_by_every_route() {
    let expected = json("expected.json");
    let mut tensors = 0;
    for (name, bundle) in expected.as_object().unwrap() {
        if name.contains("not stored") {
            continue;
        }
        let prefix = vectors().join("bundles").join(name).join("b");
        for mapping in [Mapping::Auto, Mapping::Never] {
            let reader = BundleReader::options()
                .mapping(mapping)
                .open(&prefix)
                .unwrap();
            assert_eq!(
                u64::from(reader.num_shards()),
                bundle["num_shards"].as_u64().unwrap()
            );
            let endianness = format!("{:?}", reader.endianness()).to_uppercase();
            assert_eq!(endianness, bundle["endianness"].as_str().unwrap());

            let mut cursor = reader.cursor();
            let mut keys = Vec::new();
            while let Some((key, _)) = cursor.next_entry().unwrap() {
                keys.push(key.to_vec());
            }
            assert_eq!(
                keys.len() as u64,
                bundle["keys"].as_u64().unwrap(),
                "{name}"
            );
            let listing = reader.listing().unwrap();
            assert_eq!(listing.iter().map(|(key, _)| key).collect::<Vec<_>>(), keys);

            // Every entry as it stands in the index, with the bytes its shard has for it.
            let big = endianness == "BIG";
            for entry in bundle
                .get("entries")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let key = unhex(&entry["key_hex"]);
                let context = format!("{name}, {}", key.escape_ascii());
                assert!(keys.contains(&key), "{context}");
                let read = reader.entry(&key).unwrap();
                assert_eq!(
                    i64::from(read.dtype().number()),
                    entry["dtype"],
                    "{context}"
                );
                assert_eq!(read.shape().dims(), u64s(&entry["shape"]), "{context}");
                if let Some(slices) = entry.get("slices") {
                    let shown: Vec<String> =
                        read.slices().iter().map(TensorSlice::to_string).collect();
                    assert_eq!(shown.len(), slices.as_array().unwrap().len(), "{context}");
                    continue;
                }
                assert_eq!(i64::from(read.shard_id()), entry["shard"], "{context}");
                assert_eq!(
                    read.offset(),
                    entry["offset"].as_i64().unwrap(),
                    "{context}"
                );
                assert_eq!(read.size(), entry["size"].as_i64().unwrap(), "{context}");
                let at = listing.search(&key).unwrap();
                assert_eq!(listing.get(at).unwrap().1.unwrap(), read);
                if big {
                    continue; // `reads` has what its values are
                }
                let tensor = reader.tensor(&key).unwrap();
                if entry.get("data_hex").is_some() || entry.get("strings_hex").is_some() {
                    assert_values(&tensor, entry, &context);
                }
                assert_eq!(reader.read(&key).unwrap(), tensor, "{context}");
                if let Some(bytes) = tensor.bytes() {
                    let mut out = vec![0xaa; bytes.len()];
                    reader.read_into(&key, &mut out).unwrap();
                    assert_eq!(out, bytes, "{context}");
                }
                tensors += 1;
            }

            // What TensorFlow's RestoreV2 gave for whole tensors and slices.
            for read in bundle
                .get("reads")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let key = read["key"].as_str().unwrap();
                let text = read["shape_and_slice"].as_str().unwrap();
                let context = format!("{name}, {key}, {text:?}");
                let tensor = match TensorSlice::parse_shape_and_slice(text).unwrap() {
                    Some((_, slice)) => reader.slice(key, &slice).unwrap(),
                    None => {
                        let tensor = reader.tensor(key).unwrap();
                        assert_eq!(reader.read(key).unwrap(), tensor, "{context}");
                        if let Some(bytes) = tensor.bytes() {
                            let mut out = vec![0; bytes.len()];
                            reader.read_into(key, &mut out).unwrap();
                            assert_eq!(out, bytes, "{context}");
                        }
                        tensor
                    }
                };
                assert_values(&tensor, read, &context);
                tensors += 1;
            }

            let all = reader.read_all().unwrap();
            assert_eq!(all.len(), reader.entries().count());
            for (key, tensor) in all {
                assert_eq!(tensor, reader.tensor(&key).unwrap(), "{name}, {key}");
            }
            let verification = reader.verify().unwrap();
            assert!(verification.is_sound(), "{name}: {verification:?}");
            assert!(verification.remarks.is_empty(), "{name}: {verification:?}");
        }
    }
    assert!(tensors > 100, "{tensors} tensors were compared");
}

/// One malformed bundle of `corrupt.json`, in memory.
fn corrupt_store(case: &Value) -> MemoryStore {
    let mut store = MemoryStore::new();
    store.insert("b.index", unhex(&case["index_hex"]));
    for (suffix, data) in case["files"].as_object().unwrap() {
        store.insert(format!("b.{suffix}"), unhex(data));
    }
    store
}

/// Everything a reader can be asked of a bundle; the first fault ends it.
fn read_everything(store: Arc<dyn Store>) -> Result<Vec<(Key, Tensor)>> {
    let reader = BundleReader::open_in(store, "b")?;
    let mut tensors = Vec::new();
    for item in reader.entries() {
        let (key, entry) = item?;
        let tensor = reader.tensor(&key)?;
        assert_eq!(reader.tensor_of(&key, &entry)?, tensor);
        tensors.push((key, tensor));
    }
    let mut cursor = reader.cursor();
    while let Some((key, entry)) = cursor.next_entry()? {
        reader.tensor_of(key, &entry)?;
    }
    Ok(tensors)
}

#[test]
fn malformed_bundles_answer_as_expected() {
    let cases = json("corrupt.json");
    let cases = cases["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 110);
    let mut unexpected = Vec::new();
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let expect = case["expect"].as_str().unwrap();
        let store = Arc::new(corrupt_store(case));
        let result = read_everything(store.clone());
        let as_expected = match (&result, expect) {
            (Ok(_), "ok" | "ok or corrupt (strict)") => true,
            (Err(error), _) => matches!(
                (error.kind(), expect),
                (
                    ErrorKind::Malformed { .. } | ErrorKind::ChecksumMismatch { .. },
                    "corrupt"
                ) | (ErrorKind::NotFound { .. }, "missing shard")
                    | (
                        ErrorKind::Unsupported { .. },
                        "version"
                            | "unsupported dtype"
                            | "unsupported rank"
                            | "unsupported endianness"
                            | "unsupported compression"
                    )
            ),
            _ => false,
        };
        if !as_expected {
            unexpected.push(format!("{name}: expected {expect}, got {result:?}"));
        }
        // What TensorFlow returns without an error, we return too, and equal.
        if let Ok(tensors) = &result {
            for row in case["tensorflow"].as_array().unwrap() {
                let key = unhex(&row["key_hex"]);
                let (Some("OK"), Some(data)) = (row["status"].as_str(), row.get("value_hex"))
                else {
                    continue;
                };
                if let Some((_, tensor)) = tensors.iter().find(|(k, _)| k.as_bytes() == key)
                    && let Some(bytes) = tensor.bytes()
                {
                    assert_eq!(bytes, unhex(data), "{name}");
                }
            }
        }
        // The other routes agree, and nothing panics.
        if let Ok(reader) = BundleReader::open_in(store, "b") {
            let sound = reader.verify().is_ok_and(|found| found.is_sound());
            if result.is_err() {
                assert!(!sound, "{name}: verify finds nothing");
            }
            assert_eq!(reader.read_all().is_ok(), result.is_ok(), "{name}");
            for (key, entry) in reader.entries().flatten() {
                match reader.pieces(&key, &entry) {
                    Ok(pieces) => assert_eq!(pieces.len(), entry.slices().len(), "{name}"),
                    Err(_) => assert!(reader.tensor_of(&key, &entry).is_err(), "{name}"),
                }
            }
        }
    }
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
}

fn flip_base() -> (Vec<u8>, Vec<u8>) {
    let directory = vectors().join("bundles/flip_base");
    (
        std::fs::read(directory.join("b.index")).unwrap(),
        std::fs::read(directory.join("b.data-00000-of-00001")).unwrap(),
    )
}

fn read_pair(index: Vec<u8>, data: Vec<u8>, checksums: Checksums) -> Result<Vec<(Key, Tensor)>> {
    let store: MemoryStore = [("b.index", index), ("b.data-00000-of-00001", data)]
        .into_iter()
        .collect();
    let reader = BundleReader::options()
        .checksums(checksums)
        .open_in(Arc::new(store), "b")?;
    let mut tensors = Vec::new();
    for item in reader.entries() {
        let (key, _) = item?;
        let tensor = reader.tensor(&key)?;
        tensors.push((key, tensor));
    }
    Ok(tensors)
}

/// Whether TensorFlow notices the change of a byte, as `corrupt.json` says.
fn tensorflow_detects(flips: &Value, file: &str, xor: u8, byte: usize) -> bool {
    let row = flips.as_array().unwrap().iter().find(|row| {
        row["file"] == file
            && row["xor"] == xor
            && row["bytes"].as_array().unwrap().iter().any(|range| {
                let range = u64s(range);
                (range[0]..=range[1]).contains(&(byte as u64))
            })
    });
    row.unwrap_or_else(|| panic!("{file} {xor:#x} {byte}"))["tensorflow"] != "undetected"
}

#[test]
fn every_flipped_byte_that_tensorflow_detects_is_detected() {
    let flips = &json("corrupt.json")["flips_of_flip_base"];
    let (index, data) = flip_base();
    let sound = read_pair(index.clone(), data.clone(), Checksums::Verify).unwrap();
    let mut found_by_tensorflow = 0;
    for (file, bytes) in [("index", &index), ("data", &data)] {
        for byte in 0..bytes.len() {
            for xor in [0xff, 0x80, 0x01] {
                let mut changed = bytes.clone();
                changed[byte] ^= xor;
                let (index, data) = match file {
                    "index" => (changed, data.clone()),
                    _ => (index.clone(), changed),
                };
                let result = read_pair(index.clone(), data.clone(), Checksums::Verify);
                if tensorflow_detects(flips, file, xor, byte) {
                    found_by_tensorflow += 1;
                    assert!(result.is_err(), "{file}, byte {byte}, xor {xor:#x}");
                } else {
                    assert!(
                        result.is_err() || result.unwrap() == sound,
                        "{file}, byte {byte}"
                    );
                }
                // Without checksums the rest must hold too.
                let _ = read_pair(index, data, Checksums::Skip);
            }
        }
    }
    assert!(found_by_tensorflow > 500, "{found_by_tensorflow}");
}

#[test]
fn verify_finds_what_reading_has_no_use_for() {
    let (index, data) = flip_base();
    for byte in (155..168).chain(194..228) {
        let mut changed = index.clone();
        changed[byte] ^= 0xff;
        let store: MemoryStore = [
            ("b.index", changed),
            ("b.data-00000-of-00001", data.clone()),
        ]
        .into_iter()
        .collect();
        let reader = BundleReader::open_in(Arc::new(store), "b").unwrap();
        assert!(!reader.verify().unwrap().is_sound(), "byte {byte}");
    }
}

#[test]
fn every_truncation_is_an_error() {
    let (index, data) = flip_base();
    for len in 0..index.len() {
        assert!(read_pair(index[..len].to_vec(), data.clone(), Checksums::Verify).is_err());
    }
    for len in 0..data.len() {
        let error: Error =
            read_pair(index.clone(), data[..len].to_vec(), Checksums::Verify).unwrap_err();
        assert!(error.path().is_some() && error.key().is_some(), "{error}");
    }
}

#[test]
fn ranges_are_enough() {
    let (index, data) = flip_base();
    let sound = read_pair(index.clone(), data.clone(), Checksums::Verify).unwrap();

    #[derive(Debug)]
    struct Ranges(Vec<u8>, Vec<u8>);
    impl Store for Ranges {
        fn open(&self, name: &str) -> std::io::Result<Blob> {
            let bytes = match name {
                "b.index" => self.0.clone(),
                "b.data-00000-of-00001" => self.1.clone(),
                _ => return Err(std::io::ErrorKind::NotFound.into()),
            };
            Ok(Blob::ranged(bytes.len() as u64, move |offset, out| {
                out.copy_from_slice(&bytes[offset as usize..][..out.len()]);
                Ok(())
            }))
        }
        fn list(&self, _: &str) -> std::io::Result<Vec<String>> {
            Ok(Vec::new())
        }
    }
    let read = read_everything(Arc::new(Ranges(index, data))).unwrap();
    assert_eq!(read, sound);
}
