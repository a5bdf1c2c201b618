//! Damaged bundles: what is intact is copied, and all else is named.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use savedmodel::bundle::{self, Durability, Loss, Salvage};
use savedmodel::store::MemoryStore;
use savedmodel::{BundleReader, BundleWriter, ErrorKind, Tensor};

use crate::fixtures::fixtures;
use crate::scratch::Scratch;

/// Salvages a bundle; returns what was found and what is in the copy.
fn salvage(prefix: &Path) -> (Salvage, BTreeMap<Vec<u8>, Tensor>) {
    let scratch = Scratch::new("salvage");
    let copy = scratch.path().join("copy");
    let mut into = BundleWriter::options()
        .durability(Durability::None)
        .create(&copy)
        .unwrap();
    let found = bundle::salvage(prefix, &mut into).unwrap();
    into.finish().unwrap();
    let tensors = tensors(&copy);
    assert_eq!(found.tensors, tensors.len() as u64);
    assert_eq!(
        found.bytes,
        tensors.values().map(Tensor::byte_len).sum::<u64>()
    );
    assert_eq!(found.is_complete(), found.losses.is_empty());
    (found, tensors)
}

fn tensors(prefix: &Path) -> BTreeMap<Vec<u8>, Tensor> {
    let bundle = BundleReader::open(prefix).unwrap();
    let entries = bundle.entries().map(|item| {
        let (key, entry) = item.unwrap();
        (key.to_vec(), bundle.read_of(&key, &entry).unwrap())
    });
    entries.collect()
}

/// A bundle with several blocks in its index, a partitioned tensor, strings and numbers.
fn write(prefix: &Path) {
    let mut bundle = BundleWriter::options()
        .durability(Durability::None)
        .create(prefix)
        .unwrap();
    let whole = savedmodel::Shape::new(&[6]).unwrap();
    for i in 0..3i64 {
        let slice = format!("{},2", 2 * i).parse().unwrap();
        let part = Tensor::from_slice([2], &[i, -i]).unwrap();
        bundle.add_slice("part", &whole, &slice, &part).unwrap();
    }
    for i in 0..40u8 {
        let values: Vec<f32> = (0..i).map(f32::from).collect();
        let tensor = Tensor::from_slice([u64::from(i)], &values).unwrap();
        bundle.add(format!("dense/{i:02}"), &tensor).unwrap();
    }
    let words = Tensor::from_strings([3], ["salvage", "", "me"]).unwrap();
    bundle.add("words", &words).unwrap();
    bundle.finish().unwrap();
}

#[test]
fn of_a_sound_bundle_everything_is_copied() {
    for name in ["all_dtypes", "strings", "shapes", "two_shards"] {
        let directory = fixtures().join(name);
        let Ok(prefix) = bundle::locate_bundle(&directory) else {
            panic!("{name}");
        };
        let (found, copied) = salvage(&prefix);
        assert!(found.is_complete() && !found.header_lost, "{found:?}");
        assert_eq!(copied, tensors(&prefix), "{name}");
    }
}

#[test]
fn a_flipped_byte_costs_what_it_belongs_to() {
    let scratch = Scratch::new("salvage-flips");
    let prefix = scratch.path().join("b");
    write(&prefix);
    let whole = tensors(&prefix);
    let shard = scratch.path().join("b.data-00000-of-00001");
    let bytes = std::fs::read(&shard).unwrap();
    for at in (0..bytes.len()).step_by(11) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&shard, &damaged).unwrap();
        let (found, copied) = salvage(&prefix);
        let [
            Loss {
                key: Some(key),
                range,
                shard: Some(0),
                slice,
                error,
                ..
            },
        ] = &found.losses[..]
        else {
            panic!("{at}: {:?}", found.losses);
        };
        assert!(range.contains(&(at as u64)), "{at}: {found:?}");
        assert_eq!(slice.is_some(), *key == "part");
        assert!(!matches!(error.kind(), ErrorKind::Io { .. }));
        let mut expected = whole.clone();
        assert!(expected.remove(key.as_bytes()).is_some());
        assert_eq!(copied, expected);
    }
}

#[test]
fn a_damaged_index_costs_no_more_than_the_damaged_block() {
    let scratch = Scratch::new("salvage-index");
    let prefix = scratch.path().join("b");
    write(&prefix);
    let whole = tensors(&prefix);
    let index = scratch.path().join("b.index");
    let bytes = std::fs::read(&index).unwrap();
    // All entries are in one block here, and three more parts follow it.
    let mut saved_all = 0;
    let end = bytes.len() - 150;
    for at in (0..end).step_by(9).chain(end..bytes.len()) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&index, &damaged).unwrap();
        let (found, copied) = salvage(&prefix);
        // The footer's padding and the metaindex block are of no use to anybody.
        if copied == whole {
            saved_all += 1;
            assert!(
                found
                    .losses
                    .iter()
                    .all(|loss| loss.key.is_none() && loss.between.is_none())
            );
        } else {
            assert!(copied.is_empty() && found.header_lost, "{at}");
            let lost = &found.losses[0];
            assert!(lost.shard.is_none() && lost.range.contains(&(at as u64)));
            assert!(matches!(lost.between, Some((None, None))));
        }
    }
    assert!(saved_all > 60, "{saved_all}");

    for cut in (0..bytes.len()).step_by(7) {
        std::fs::write(&index, &bytes[..cut]).unwrap();
        let (found, copied) = salvage(&prefix);
        assert!(copied == whole || copied.is_empty());
        assert!(!found.is_complete());
    }
}

#[test]
fn a_missing_shard_costs_its_tensors() {
    let source = fixtures().join("two_shards");
    let prefix = bundle::locate_bundle(&source).unwrap();
    let name = prefix.file_name().unwrap().to_str().unwrap();
    let scratch = Scratch::new("salvage-shard");
    for shard in [0, 1] {
        let copied = scratch.path().join(shard.to_string());
        std::fs::create_dir(&copied).unwrap();
        for file in [
            format!("{name}.index"),
            format!("{name}.data-{shard:05}-of-00002"),
        ] {
            std::fs::copy(prefix.with_file_name(&file), copied.join(&file)).unwrap();
        }
        let (found, kept) = salvage(&copied.join(name));
        let whole = tensors(&prefix);
        assert!(!kept.is_empty() && !found.losses.is_empty());
        let mut lost: Vec<_> = found
            .losses
            .iter()
            .map(|loss| loss.key.clone().unwrap())
            .collect();
        lost.dedup();
        assert_eq!(kept.len() + lost.len(), whole.len());
        for loss in &found.losses {
            assert_eq!(loss.shard, Some(1 - shard));
            assert!(matches!(loss.error.kind(), ErrorKind::NotFound { .. }));
            let shown = loss.to_string();
            assert!(
                shown.contains(&format!("data-{:05}-of-00002", 1 - shard)),
                "{shown}"
            );
        }
        assert!(kept.iter().all(|(key, tensor)| whole[key] == *tensor));
    }
}

#[test]
fn without_a_header_data_files_say_how_many_shards_there_are() {
    let scratch = Scratch::new("salvage-header");
    let mut into = BundleWriter::create(scratch.path().join("x")).unwrap();
    let mut salvage = |files: &[&str]| {
        let mut store = MemoryStore::new();
        for file in files {
            store.insert(*file, vec![1; 100]);
        }
        bundle::salvage_in(Arc::new(store), "b", &mut into)
    };
    let found = salvage(&["b.index", "b.data-00000-of-00002"]).unwrap();
    assert!(found.header_lost && found.tensors == 0);
    let error = salvage(&["b.index", "b.data-00000-of-00002", "b.data-00000-of-00001"]);
    assert!(error.unwrap_err().to_string().contains("several"));
    let error = salvage(&["b.index", "c.data-00000-of-00001"]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotFound { .. }));
    assert!(salvage(&["c.index"]).is_err());
}
