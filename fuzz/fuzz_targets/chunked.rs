//! A split model: the file as it is, or metadata and chunks that are put into a sound file of
//! records first.

#![no_main]

use libfuzzer_sys::fuzz_target;
use savedmodel::chunked::ChunkedProto;
use savedmodel::store::Blob;
use savedmodel::wire::Message;

#[path = "../../tests/it/forge_chunks.rs"]
#[allow(dead_code)]
mod forge_chunks;

/// Far below what may be allocated at once.
const LIMIT: u64 = 8 << 20;

fuzz_target!(|input: &[u8]| {
    let Some((mode, rest)) = input.split_first() else {
        return;
    };
    let bytes = match mode & 1 {
        0 => rest.to_vec(),
        _ => forge(rest),
    };
    let copy = bytes.clone();
    let memory = open(Blob::from_bytes(bytes));
    let ranged = open(Blob::ranged(copy.len() as u64, move |offset, out| {
        out.copy_from_slice(&copy[offset as usize..][..out.len()]);
        Ok(())
    }));
    assert_eq!(memory, ranged);
    if let Ok(merged) = memory {
        assert!(Message::new(&merged).fields().all(|field| field.is_ok()));
    }
});

fn open(blob: Blob) -> Result<Vec<u8>, String> {
    let read = || {
        let file = ChunkedProto::open_within(blob, LIMIT)?;
        for index in 0..file.metadata().chunks.len().min(100) {
            if let Ok(chunk) = file.chunk(index as u64) {
                assert_eq!(chunk.len() as u64, file.metadata().chunks[index].size);
            }
        }
        let outline = file.metadata().message.without_graphs();
        let outline = file.merge_message(&outline, "tensorflow.SavedModel");
        let merged = file.merge("tensorflow.SavedModel")?;
        assert!(outline.is_ok_and(|outline| outline.len() <= merged.len()));
        Ok::<_, savedmodel::Error>(merged.to_vec())
    };
    read().map_err(|error| error.to_string())
}

/// Chunks, each behind a byte for its length, the last of them the `ChunkedMessage`.
fn forge(mut rest: &[u8]) -> Vec<u8> {
    let mut parts = Vec::new();
    while let Some((len, more)) = rest.split_first() {
        let (part, more) = more.split_at(usize::from(*len).min(more.len()));
        parts.push(part);
        rest = more;
    }
    let message = parts.pop().unwrap_or_default();
    forge_chunks::split(&parts, message)
}
