//! Writing, compared with the files under `tests/vectors` that TensorFlow wrote.

use std::path::{Path, PathBuf};

use savedmodel::store::{Blob, LocalStore, Store};
use savedmodel::table;
use serde_json::Value;

fn bundles() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/bundles"
    ))
}

fn expected() -> Value {
    let text = std::fs::read_to_string(bundles().with_file_name("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The entries of a table, written again.
fn copy_table(directory: &Path, block_size: usize) -> Vec<u8> {
    let reader = table::Reader::new(LocalStore::new(directory).open("b.index").unwrap()).unwrap();
    let mut writer = table::Writer::new(Vec::new()).with_block_size(block_size);
    let mut cursor = reader.cursor();
    while let Some((key, value)) = cursor.next_entry().unwrap() {
        writer.add(key, value).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn tables_are_those_of_tensorflow() {
    let mut compared = 0;
    for (name, _) in expected().as_object().unwrap() {
        let block_size = match name.as_str() {
            "blocks_1k" => 1024,
            "blocks_4k_snappy" | "many_7000 (not stored)" => continue,
            _ => 262_144,
        };
        let directory = bundles().join(name);
        let stored = std::fs::read(directory.join("b.index")).unwrap();
        assert!(copy_table(&directory, block_size) == stored, "{name}");
        compared += 1;
    }
    assert_eq!(compared, 11);
    // The compressed one has the same entries as another, which is not.
    assert!(
        copy_table(&bundles().join("blocks_4k_snappy"), 262_144)
            == copy_table(&bundles().join("many_500"), 262_144)
    );
    let table = copy_table(&bundles().join("blocks_4k_snappy"), 4096);
    assert!(
        table::Reader::new(Blob::from_bytes(table))
            .unwrap()
            .blocks()
            > 5
    );
}
