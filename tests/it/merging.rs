//! Bundles of several shards, written together, merged, or cut by size.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use savedmodel::bundle::{Durability, Existing, Inputs, MergeOptions, merge_bundles, part_prefix};
use savedmodel::{BundleReader, BundleWriter, DType, ErrorKind, Shape, Tensor};
use serde_json::json;

use crate::random::{Added, Numbers, TensorSet, stored_dtypes};
use crate::tensorflow;
use crate::writing::{add_all, bundles, different, names, rows_of, work_directory};

fn options() -> MergeOptions {
    MergeOptions::default().durability(Durability::None)
}

fn writer(prefix: &Path) -> BundleWriter {
    BundleWriter::options()
        .durability(Durability::None)
        .create(prefix)
        .unwrap()
}

/// All files below a directory, by name.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |name: String| {
        let bytes = fs::read(directory.join(&name)).unwrap();
        (name, bytes)
    };
    names(directory).into_iter().map(read).collect()
}

/// What is in one shard of a bundle, in the order in which its data file has it.
fn in_shard(reader: &BundleReader, shard: i32) -> Vec<Added> {
    let mut all = Vec::new();
    for item in reader.entries() {
        let (key, entry) = item.unwrap();
        let slices = entry.slices().iter();
        for (slice, piece) in slices.zip(reader.pieces(&key, &entry).unwrap()) {
            let tensor = reader.slice(&key, slice).unwrap();
            let slice = Some((entry.shape().clone(), slice.clone()));
            all.push((piece, key.clone(), slice, tensor));
        }
        if !entry.is_partitioned() {
            let tensor = reader.tensor(&key).unwrap();
            all.push((entry, key, None, tensor));
        }
    }
    all.retain(|(entry, ..)| entry.shard_id() == shard);
    all.sort_by_key(|(entry, ..)| (entry.offset(), entry.size()));
    let added = all.into_iter().map(|(_, key, piece, tensor)| Added {
        key: key.to_vec(),
        piece,
        tensor,
    });
    added.collect()
}

#[test]
fn a_merged_bundle_is_that_of_tensorflow() {
    let directory = work_directory("a_merged_bundle_is_that_of_tensorflow");
    let expected = contents(&bundles().join("two_shards"));
    let reader = BundleReader::open(bundles().join("two_shards/b")).unwrap();
    let merged = directory.join("merged");
    let parts = [0, 1].map(|i| part_prefix(merged.join("b"), i, 2));
    let together = [0, 1].map(|shard| {
        let added = in_shard(&reader, shard as i32);
        let mut part = writer(&parts[shard]);
        add_all(&mut part, &added);
        part.finish().unwrap();
        let mut part = writer(&directory.join("together/b"));
        add_all(&mut part, &added);
        part
    });
    merge_bundles(&parts, merged.join("b"), &options()).unwrap();
    assert_eq!(
        names(&merged),
        ["b.data-00000-of-00002", "b.data-00001-of-00002", "b.index"]
    );
    assert!(contents(&merged) == expected);

    BundleWriter::finish_together(together).unwrap();
    assert!(contents(&directory.join("together")) == expected);
}

#[test]
fn however_a_set_is_split_the_bundle_has_all_of_it() {
    let directory = work_directory("however_a_set_is_split");
    let dtypes = stored_dtypes(&[DType::VARIANT]);
    for seed in 1..=30 {
        let set = TensorSet::new(seed, &dtypes);
        let mut numbers = Numbers::new(seed);
        let count = 1 + numbers.below(6) as usize;
        let split: Vec<Vec<Added>> = {
            let mut split = vec![Vec::new(); count];
            for added in &set.added {
                split[numbers.below(count as u64) as usize].push(added.clone());
            }
            split
        };
        // On threads, which are finished together.
        let together = directory.join(format!("{seed}/together"));
        let writers = thread::scope(|scope| {
            let start = |added| {
                let together = &together;
                scope.spawn(move || {
                    let mut writer = writer(together);
                    add_all(&mut writer, added);
                    writer
                })
            };
            let threads: Vec<_> = split.iter().map(|added| start(added)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect::<Vec<_>>()
        });
        BundleWriter::finish_together(writers).unwrap();
        set.check(&together, &format!("seed {seed}, {count} shards"));
        // Each as a bundle of its own, merged in two steps.
        let merged = directory.join(format!("{seed}/merged"));
        let parts: Vec<PathBuf> = (0..count).map(|i| part_prefix(&merged, i, count)).collect();
        for (part, added) in parts.iter().zip(&split) {
            let mut writer = writer(part);
            add_all(&mut writer, added);
            writer.finish().unwrap();
        }
        let some = 1 + numbers.below(count as u64) as usize;
        let half = directory.join(format!("{seed}/half"));
        merge_bundles(&parts[..some], &half, &options()).unwrap();
        let rest = [&[half][..], &parts[some..]].concat();
        merge_bundles(rest, &merged, &options()).unwrap();
        set.check(&merged, &format!("seed {seed}, merged from {count}"));
        assert!(
            fs::read(merged.with_extension("index")).unwrap()
                == fs::read(together.with_extension("index")).unwrap()
                || some > 1,
            "seed {seed}"
        );
        let left = names(&directory.join(format!("{seed}")));
        assert!(
            left.iter()
                .all(|name| name.starts_with("together") || name.starts_with("merged."))
        );
        // By one that cuts.
        let limit = [1, 7, 100, 1000, 100_000][seed as usize % 5];
        let limited = directory.join(format!("{seed}/limited"));
        let mut writer = BundleWriter::options()
            .durability(Durability::None)
            .max_shard_size(limit.max(40))
            .create(&limited)
            .unwrap();
        if set
            .tensors
            .values()
            .all(|tensor| tensor.byte_len() < 100 * limit.max(40))
        {
            add_all(&mut writer, &set.added);
            writer.finish().unwrap();
            set.check(&limited, &format!("seed {seed}, up to {limit} bytes"));
        }
    }
}

#[test]
fn shards_are_no_longer_than_they_may_be() {
    let directory = work_directory("shards_are_no_longer");
    let floats = Tensor::from_slice([10, 10], &[1f32; 100]).unwrap();
    let halves = Tensor::from_bytes(DType::HALF, [60], vec![0; 120]).unwrap();
    let strings = Tensor::from_strings([2], ["a".repeat(60), "b".repeat(60)]).unwrap();
    for alignment in [1, 16] {
        let prefix = directory.join(format!("{alignment}"));
        let mut writer = BundleWriter::options()
            .max_shard_size(100)
            .alignment(alignment)
            .create(&prefix)
            .unwrap();
        for i in 0..5i64 {
            let tensor = Tensor::from_slice([5], &[i; 5]).unwrap();
            writer.add(format!("small/{i}"), &tensor).unwrap();
        }
        writer.add("floats", &floats).unwrap();
        let bytes = floats.bytes().unwrap();
        writer
            .add_from_reader("stream", DType::FLOAT, [10, 10], bytes)
            .unwrap();
        writer.add("halves", &halves).unwrap();
        writer.add("strings", &strings).unwrap();
        writer.add("last", &Tensor::scalar(1u8)).unwrap();
        writer.finish().unwrap();

        let reader = BundleReader::open(&prefix).unwrap();
        assert!(reader.verify().unwrap().is_sound());
        assert_eq!(reader.tensor("floats").unwrap(), floats);
        assert_eq!(reader.tensor("stream").unwrap(), floats);
        assert_eq!(reader.tensor("halves").unwrap(), halves);
        assert_eq!(reader.tensor("strings").unwrap(), strings);
        let pieces = reader.entry("floats").unwrap();
        let slices: Vec<String> = pieces.slices().iter().map(ToString::to_string).collect();
        assert_eq!(
            slices,
            ["0,2:0,10", "2,2:0,10", "4,2:0,10", "6,2:0,10", "8,2:0,10"]
        );
        assert!(!reader.entry("halves").unwrap().is_partitioned());
        let mut lengths: Vec<u64> = (0..reader.num_shards())
            .map(|i| {
                let name = format!("{alignment}.data-{i:05}-of-{:05}", reader.num_shards());
                fs::metadata(directory.join(name)).unwrap().len()
            })
            .collect();
        lengths.sort_unstable();
        let [rest @ .., _, _] = &lengths[..] else {
            panic!("{lengths:?}");
        };
        // Two that TensorFlow could not put together.
        assert!(
            rest.iter().all(|length| (1..=100).contains(length)),
            "{lengths:?}"
        );
        assert!(lengths.len() >= 14);
    }
}

#[test]
fn a_bundle_may_have_more_shards_than_files_can_be_open() {
    let directory = work_directory("more_shards_than_files");
    let prefix = directory.join("b");
    let mut writer = BundleWriter::options()
        .durability(Durability::None)
        .max_shard_size(1)
        .create(&prefix)
        .unwrap();
    for i in 0..5000u32 {
        let tensor = Tensor::from_slice([1], &[i as u8]).unwrap();
        writer.add(format!("{i:04}"), &tensor).unwrap();
    }
    writer.finish().unwrap();
    let merged = directory.join("merged");
    merge_bundles([&prefix], &merged, &options()).unwrap();
    let reader = BundleReader::open(&merged).unwrap();
    assert_eq!(reader.num_shards(), 5000);
    assert!(reader.verify().unwrap().is_sound());
    assert_eq!(
        *reader.tensor("4999").unwrap().values::<u8>().unwrap(),
        [4999u32 as u8]
    );
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn what_cannot_be_merged_stays_as_it_is() {
    let directory = work_directory("what_cannot_be_merged");
    let part = |name: &str, add: &dyn Fn(&mut BundleWriter)| {
        let mut writer = writer(&directory.join(name));
        add(&mut writer);
        writer.finish().unwrap();
    };
    let four = Shape::new(&[4]).unwrap();
    let ints = Tensor::from_slice([2], &[1i32, 2]).unwrap();
    let floats = Tensor::from_slice([2], &[1f32, 2.]).unwrap();
    let slice = |text: &str| text.parse().unwrap();
    part("one", &|bundle| {
        bundle.add("a", &ints).unwrap();
        bundle.add_slice("v", &four, &slice("0,2"), &ints).unwrap();
    });
    part("whole", &|bundle| bundle.add("v", &ints).unwrap());
    part("twice", &|bundle| bundle.add("a", &floats).unwrap());
    part("floats", &|bundle| {
        bundle
            .add_slice("v", &four, &slice("2,2"), &floats)
            .unwrap();
    });
    part("again", &|bundle| {
        bundle.add_slice("v", &four, &slice("0,2"), &ints).unwrap();
    });
    part("over", &|bundle| {
        bundle.add_slice("v", &four, &slice("1,2"), &ints).unwrap();
    });
    part("lost", &|bundle| bundle.add("z", &ints).unwrap());
    fs::remove_file(directory.join("lost.data-00000-of-00001")).unwrap();
    fs::create_dir(directory.join("endian")).unwrap();
    for name in ["b.index", "b.data-00000-of-00001"] {
        let from = bundles().join("big_endian").join(name);
        fs::copy(from, directory.join(format!("big{}", &name[1..]))).unwrap();
    }
    let before = contents_of_files(&directory);
    for (inputs, says) in [
        (&["one", "whole"][..], "a tensor of that name is also in"),
        (&["one", "twice"], "a tensor of that name is also in"),
        (&["one", "floats"], "of a float32 tensor of shape [4]"),
        (
            &["one", "again"],
            "slice `0,2` of a tensor of that name is also in",
        ),
        (&["one", "over"], "slice `1,2` overlaps slice `0,2`"),
        (&["one", "lost"], "copy the data files along with the index"),
        (&["one", "none"], "allow_missing_files"),
        (&["one", "one"], "merged with itself"),
        (&["one", "big"], "another byte order or version"),
        (&[], "there is no bundle"),
    ] {
        let inputs = inputs.iter().map(|name| directory.join(name));
        let error = merge_bundles(inputs, directory.join("merged"), &options()).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(contents_of_files(&directory) == before, "{says}");
    }
    let merge = |inputs: &[&str], to: &str, options: &MergeOptions| {
        let inputs = inputs.iter().map(|name| directory.join(name));
        merge_bundles(inputs, directory.join(to), options)
    };
    let error = merge(&["one", "lost"], "twice", &options()).unwrap_err();
    assert!(
        error.to_string().contains("there is a file already"),
        "{error}"
    );
    let error = merge(&["none"], "merged", &options().allow_missing_files(true)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }));
    assert!(contents_of_files(&directory) == before);

    // Missing ones are passed over if they may be.
    let keep = options().allow_missing_files(true).inputs(Inputs::Keep);
    merge(&["none", "one"], "merged", &keep).unwrap();
    assert_eq!(
        BundleReader::open(directory.join("merged"))
            .unwrap()
            .num_shards(),
        1
    );
    let mut after = contents_of_files(&directory);
    after.retain(|name, _| !name.starts_with("merged."));
    assert!(after == before);
}

fn contents_of_files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let is_file = |name: &String| directory.join(name).is_file();
    let read = |name: String| {
        let bytes = fs::read(directory.join(&name)).unwrap();
        (name, bytes)
    };
    names(directory)
        .into_iter()
        .filter(is_file)
        .map(read)
        .collect()
}

#[test]
fn a_bundle_can_be_merged_into_one_of_its_inputs() {
    let directory = work_directory("merged_into_an_input");
    let prefixes = ["a", "b", "empty"].map(|name| directory.join(name));
    for (i, prefix) in prefixes.iter().enumerate() {
        let mut writer = writer(prefix);
        if i < 2 {
            writer
                .add(format!("{i}"), &Tensor::scalar(i as i32))
                .unwrap();
        }
        writer.finish().unwrap();
    }
    merge_bundles(&prefixes, &prefixes[0], &options()).unwrap_err();
    merge_bundles(
        &prefixes,
        &prefixes[0],
        &options().existing(Existing::Replace),
    )
    .unwrap();
    let reader = BundleReader::open(&prefixes[0]).unwrap();
    assert_eq!(reader.num_shards(), 2, "the one without tensors makes none");
    for i in 0..2 {
        let tensor = reader.tensor(format!("{i}")).unwrap();
        assert_eq!(tensor, Tensor::scalar(i));
    }
    assert_eq!(
        names(&directory),
        ["a.data-00000-of-00002", "a.data-00001-of-00002", "a.index"]
    );
    // One alone, and one without tensors.
    merge_bundles([&prefixes[0]], &prefixes[1], &options()).unwrap();
    writer(&prefixes[2]).finish().unwrap();
    merge_bundles([&prefixes[2]], &prefixes[0], &options()).unwrap();
    assert_eq!(
        BundleReader::open(&prefixes[0]).unwrap().entries().count(),
        0
    );
    assert_eq!(
        BundleReader::open(&prefixes[1]).unwrap().entries().count(),
        2
    );
    assert_eq!(names(&directory).len(), 5);
}

#[test]
fn writers_that_do_not_belong_together_are_refused() {
    let directory = work_directory("writers_that_do_not_belong_together");
    let (a, b) = (directory.join("a"), directory.join("b"));
    let error = BundleWriter::finish_together([writer(&a), writer(&b)]).unwrap_err();
    assert!(
        error.to_string().contains("index of another bundle"),
        "{error}"
    );
    assert!(BundleWriter::finish_together([]).is_err());
    let same = [0, 1].map(|i| {
        let mut writer = writer(&a);
        writer.add("same", &Tensor::scalar(i)).unwrap();
        writer
    });
    let error = BundleWriter::finish_together(same).unwrap_err();
    assert_eq!(error.key(), Some(&b"same"[..]));
    assert!(
        error.to_string().contains("is also in another shard"),
        "{error}"
    );
    assert_eq!(names(&directory), [""; 0]);
}

#[test]
fn interop_tensorflow_merges_to_the_same() {
    let directory = work_directory("interop_tensorflow_merges_to_the_same");
    let mut merges = Vec::new();
    for seed in 1..=60 {
        let set = TensorSet::new(1000 + seed, &stored_dtypes(&[]));
        let mut numbers = Numbers::new(seed);
        let count = 1 + numbers.below(5) as usize;
        if set.added.len() < count {
            continue;
        }
        let prefixes = |by: &str| -> Vec<PathBuf> {
            let merged = directory.join(by).join(format!("{seed}"));
            (0..count).map(|i| part_prefix(&merged, i, count)).collect()
        };
        let (ours, theirs) = (prefixes("ours"), prefixes("theirs"));
        let mut writers: Vec<[BundleWriter; 2]> = ours
            .iter()
            .zip(&theirs)
            .map(|(ours, theirs)| [writer(ours), writer(theirs)])
            .collect();
        for (i, added) in set.added.iter().enumerate() {
            // One that stays empty TensorFlow cannot read again.
            let to = if i < count {
                i
            } else {
                numbers.below(count as u64) as usize
            };
            for writer in &mut writers[to] {
                added.add_to(writer).unwrap();
            }
        }
        for writer in writers.into_iter().flatten() {
            writer.finish().unwrap();
        }
        // The first two first, so that bundles of several shards are merged too.
        let steps = |parts: &[PathBuf], by: &str| {
            let (half, merged) = (
                directory.join(by).join(format!("{seed}_half")),
                directory.join(by).join(format!("{seed}")),
            );
            match parts {
                [a, b, c, rest @ ..] if seed % 2 == 0 => {
                    let rest = [&[c.clone(), half.clone()][..], rest].concat();
                    vec![(vec![a.clone(), b.clone()], half), (rest, merged)]
                }
                _ => vec![(parts.to_vec(), merged)],
            }
        };
        for (inputs, to) in steps(&ours, "ours") {
            merge_bundles(inputs, to, &options()).unwrap();
        }
        merges.extend(
            steps(&theirs, "theirs")
                .into_iter()
                .map(|(inputs, to)| json!({"inputs": inputs, "to": to})),
        );
        set.check(
            &directory.join("ours").join(format!("{seed}")),
            &format!("seed {seed}"),
        );
    }
    let list = directory.join("merges.json");
    fs::write(&list, json!(merges).to_string()).unwrap();
    if tensorflow::run("merge_bundles.py", &[&list]).is_none() {
        return;
    }
    let (ours, theirs) = (
        contents(&directory.join("ours")),
        contents(&directory.join("theirs")),
    );
    assert!(ours.len() > 150, "{}", ours.len());
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        theirs.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in &ours {
        assert!(*bytes == theirs[name], "{name}");
    }
}

#[test]
fn interop_tensorflow_reads_every_shard() {
    let directory = work_directory("interop_tensorflow_reads_every_shard");
    for seed in 2001..=2006 {
        let set = TensorSet::new(seed, &stored_dtypes(&[]));
        let (sharded, alone) = (
            directory.join(format!("{seed}")),
            directory.join(format!("{seed}_alone")),
        );
        let mut writers: Vec<BundleWriter> = (0..3).map(|_| writer(&sharded)).collect();
        for (i, added) in set.added.iter().enumerate() {
            added.add_to(&mut writers[i % 3]).unwrap();
        }
        BundleWriter::finish_together(writers).unwrap();
        let mut one = writer(&alone);
        add_all(&mut one, &set.added);
        one.finish().unwrap();
        let list = directory.join(format!("{seed}.json"));
        fs::write(&list, json!(rows_of(&set.added)).to_string()).unwrap();
        let out = directory.join(format!("{seed}_by_tensorflow"));
        if tensorflow::run("resave_bundle.py", &[&sharded, &list, &out]).is_none() {
            return;
        }
        let differ = different(&alone, &out);
        assert!(differ.is_empty(), "{differ:?}");
    }
}
