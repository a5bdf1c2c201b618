//! A table: opened, walked, searched. The first byte says whether checksums are put right first.

#![no_main]

use libfuzzer_sys::fuzz_target;
use savedmodel::store::Blob;
use savedmodel::table::Reader;

#[path = "../../tests/it/forge.rs"]
mod forge;

fuzz_target!(|input: &[u8]| {
    let Some((mode, bytes)) = input.split_first() else {
        return;
    };
    let mut bytes = bytes.to_vec();
    if mode & 1 == 1 {
        forge::reseal(&mut bytes);
    }
    let Ok(table) = Reader::new(Blob::from_bytes(bytes)) else {
        return;
    };
    let mut entries = Vec::new();
    let mut cursor = table.cursor();
    let walk = loop {
        match cursor.next_entry() {
            Ok(Some((key, value))) => entries.push((key.to_vec(), value.to_vec())),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    assert!(entries.is_sorted_by(|a, b| a.0 < b.0));
    if table.verify().is_ok() {
        assert!(walk.is_ok());
    }
    if let Err(error) = &walk {
        assert!(error.offset().is_some(), "{error}");
    }
    for (i, (key, value)) in entries.iter().enumerate().take(1000) {
        // Of a damaged table some blocks can be walked up to the damage but not searched, and an
        // index that is wrong about several blocks leads a search astray.
        match table.get(key) {
            Ok(found) => assert!(found.is_some_and(|found| found == *value) || walk.is_err()),
            Err(error) => assert!(walk.is_err(), "{error}"),
        }
        if let Ok(mut cursor) = table.cursor_at(key) {
            for entry in &entries[i..] {
                match cursor.next_entry() {
                    Ok(found) => {
                        let same = found == Some((&entry.0[..], &entry.1[..]));
                        assert!(same || walk.is_err());
                    }
                    Err(error) => {
                        assert!(walk.is_err(), "{error}");
                        break;
                    }
                }
                if i % 16 != 0 {
                    break;
                }
            }
        }
        let mut absent = key.clone();
        absent.push(0);
        if entries.get(i + 1).is_none_or(|next| next.0 != absent)
            && let Ok(found) = table.get(&absent)
        {
            assert!(found.is_none() || walk.is_err());
        }
    }
});
