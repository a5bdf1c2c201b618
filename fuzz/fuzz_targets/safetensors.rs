//! A safetensors file: from memory and by ranges; what is read is written so that it is read again.
//!
//! ```text
//! input    mode (u8), file
//! mode     0: the file as it is; 1: the header's text and its data, of which the length is put
//!          before; 2: an index, of which the only file has no tensors
//! ```

#![no_main]

use libfuzzer_sys::fuzz_target;
use savedmodel::safetensors::{SafetensorsReader, SafetensorsWriter};
use savedmodel::store::{Blob, MemoryStore};

fuzz_target!(|input: &[u8]| {
    let Some((&mode, file)) = input.split_first() else {
        return;
    };
    match mode % 3 {
        0 => check(file),
        1 => {
            let end = file
                .iter()
                .rposition(|byte| *byte == b'}')
                .map_or(0, |at| at + 1);
            check(&[&(end as u64).to_le_bytes()[..], file].concat());
        }
        _ => index(file),
    }
});

fn check(file: &[u8]) {
    let shared = file.to_vec();
    let ranged = Blob::ranged(file.len() as u64, move |offset, out: &mut [u8]| {
        let start = offset as usize;
        out.copy_from_slice(&shared[start..start + out.len()]);
        Ok(())
    });
    let memory = SafetensorsReader::new(Blob::from_bytes(file.to_vec()));
    let (reader, other) = match (memory, SafetensorsReader::new(ranged)) {
        (Ok(reader), Ok(other)) => (reader, other),
        (Err(error), Err(other)) => {
            assert_eq!(error.to_string(), other.to_string());
            assert!(
                error.offset().is_some_and(|at| at <= file.len() as u64),
                "{error}"
            );
            return;
        }
        other => panic!("{other:?}"),
    };
    let mut writer = SafetensorsWriter::new();
    for (key, value) in reader.metadata() {
        writer = writer.metadata(key, value);
    }
    let mut bytes = 0;
    let mut kept = Vec::new();
    for info in reader.tensors() {
        bytes += info.byte_len();
        match (reader.tensor(info.name()), other.tensor(info.name())) {
            (Ok(tensor), Ok(again)) => {
                assert_eq!(tensor, again);
                assert_eq!(
                    (Some(tensor.dtype()), tensor.shape()),
                    (info.dtype(), info.shape())
                );
                writer
                    .declare(info.name(), tensor.dtype(), tensor.shape())
                    .unwrap();
                kept.push((info.name(), tensor));
            }
            (Err(error), Err(again)) => {
                assert_eq!(error.to_string(), again.to_string());
                assert_eq!(error.key(), Some(info.name().as_bytes()));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(bytes <= file.len() as u64);
    let mut again = Vec::new();
    writer
        .write_to(&mut again, |name| reader.tensor(name))
        .unwrap();
    let again = SafetensorsReader::new(Blob::from_bytes(again)).unwrap();
    assert_eq!(again.metadata(), reader.metadata());
    assert_eq!(again.tensors().count(), kept.len());
    for (name, tensor) in kept {
        assert_eq!(again.tensor(name).unwrap(), tensor);
    }
}

fn index(text: &[u8]) {
    let store: MemoryStore = [
        ("m.safetensors.index.json", text.to_vec()),
        ("a.safetensors", b"\x02\0\0\0\0\0\0\0{}".to_vec()),
    ]
    .into_iter()
    .collect();
    if let Err(error) = SafetensorsReader::open_in(&store, "m.safetensors.index.json") {
        assert!(error.path().is_some());
    }
}
