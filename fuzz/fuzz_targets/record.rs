//! A TFRecord file: from memory and by ranges; what is read is written again as it was.
//!
//! ```text
//! input    mode (u8), file
//! mode     1: put the checksums right; 2: each record is an example, or a sequence of them
//! ```

#![no_main]

use libfuzzer_sys::fuzz_target;
use savedmodel::example::{Example, SequenceExample};
use savedmodel::record::{RecordReader, RecordWriter};
use savedmodel::store::Blob;

#[path = "../../tests/it/forge.rs"]
mod forge;

fuzz_target!(|input: &[u8]| {
    let Some((&mode, file)) = input.split_first() else {
        return;
    };
    let mut file = file.to_vec();
    if mode & 1 != 0 {
        seal(&mut file);
    }
    let length = file.len();
    let shared = file.clone();
    let ranged = Blob::ranged(length as u64, move |offset, out: &mut [u8]| {
        let start = offset as usize;
        out.copy_from_slice(&shared[start..start + out.len()]);
        Ok(())
    });
    let mut writer = RecordWriter::new(Vec::new());
    let mut other = RecordReader::new(ranged);
    let mut end = 0;
    for record in RecordReader::new(Blob::from_bytes(file.clone())) {
        let again = other.next().unwrap();
        match record {
            Ok(record) => {
                assert_eq!(record, again.unwrap());
                assert_eq!(record.offset(), end);
                end += record.data().len() as u64 + 16;
                writer.write(record.data()).unwrap();
                if mode & 2 != 0 {
                    examples(record.data());
                }
            }
            Err(error) => {
                assert!(
                    error
                        .offset()
                        .is_some_and(|at| at >= end && at <= length as u64)
                );
                assert_eq!(error.to_string(), again.unwrap_err().to_string());
            }
        }
    }
    assert!(other.next().is_none());
    assert!(file.starts_with(&writer.into_inner()));
});

/// Puts the checksums right of as many records as there are.
fn seal(file: &mut [u8]) {
    let mut start = 0;
    while let Some(header) = file.get_mut(start..start + 12) {
        let length = u64::from_le_bytes(*header.first_chunk().unwrap());
        let check = forge::masked_crc(&header[..8]).to_le_bytes();
        header[8..].copy_from_slice(&check);
        start += 12;
        let Some(end) = usize::try_from(length)
            .ok()
            .and_then(|it| start.checked_add(it))
        else {
            return;
        };
        if end.checked_add(4).is_none_or(|end| end > file.len()) {
            return;
        }
        let check = forge::masked_crc(&file[start..end]).to_le_bytes();
        file[end..end + 4].copy_from_slice(&check);
        start = end + 4;
    }
}

fn examples(data: &[u8]) {
    if let Ok(example) = Example::from_bytes(data) {
        let bytes = example.to_bytes();
        assert_eq!(Example::from_bytes(&bytes).unwrap().to_bytes(), bytes);
    }
    if let Ok(example) = SequenceExample::from_bytes(data) {
        let bytes = example.to_bytes();
        assert_eq!(
            SequenceExample::from_bytes(&bytes).unwrap().to_bytes(),
            bytes
        );
    }
}
