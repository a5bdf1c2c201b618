//! Writing, compared with the files under `tests/vectors` that TensorFlow wrote.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use savedmodel::bundle::{BundleWriterOptions, Durability, Existing};
use savedmodel::store::{Blob, LocalStore, Store};
use savedmodel::{
    BundleReader, BundleWriter, DType, ErrorKind, Extent, Shape, Strings, Tensor, TensorSlice,
    table,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::answers::{hex, unhex};
use crate::random::{Added, TensorSet, stored_dtypes};
use crate::tensorflow;

pub(crate) fn bundles() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/bundles"
    ))
}

pub(crate) fn expected() -> Value {
    let text = fs::read_to_string(bundles().with_file_name("expected.json")).unwrap();
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
        let stored = fs::read(directory.join("b.index")).unwrap();
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

/// An empty directory for one test's files. It stays until the next run, to look at.
pub(crate) fn work_directory(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What is in a bundle of one shard, in the order in which its data file has it.
pub(crate) fn in_data_order(bundle: &BundleReader) -> Vec<Added> {
    let mut all = Vec::new();
    for item in bundle.entries() {
        let (key, entry) = item.unwrap();
        let whole = entry.shape().clone();
        if !entry.is_partitioned() {
            let tensor = bundle.tensor_of(&key, &entry).unwrap();
            all.push((entry.offset(), entry.size(), key.to_vec(), None, tensor));
            continue;
        }
        let pieces = bundle.pieces(&key, &entry).unwrap();
        for (slice, piece) in entry.slices().iter().zip(pieces) {
            let tensor = bundle.slice(&key, slice).unwrap();
            let slice = Some((whole.clone(), slice.clone()));
            all.push((piece.offset(), piece.size(), key.to_vec(), slice, tensor));
        }
    }
    // One without bytes stands where the one behind it does.
    all.sort_by_key(|(offset, size, ..)| (*offset, *size));
    all.into_iter()
        .map(|(_, _, key, piece, tensor)| Added { key, piece, tensor })
        .collect()
}

pub(crate) fn add_all(bundle: &mut BundleWriter, all: &[Added]) {
    for added in all {
        added.add_to(bundle).unwrap();
    }
}

/// The files of two bundles that differ.
pub(crate) fn different(one: &Path, other: &Path) -> Vec<String> {
    let bytes = |prefix: &Path, suffix: &str| {
        let mut path = prefix.as_os_str().to_owned();
        path.push(suffix);
        fs::read(path).unwrap()
    };
    [".index", ".data-00000-of-00001"]
        .into_iter()
        .filter(|suffix| bytes(one, suffix) != bytes(other, suffix))
        .map(|suffix| format!("{}{suffix}", one.display()))
        .collect()
}

/// What was added to a bundle, as `resave_bundle.py` takes it.
pub(crate) fn rows_of(all: &[Added]) -> Vec<Value> {
    let row = |added: &Added| {
        let part = match &added.piece {
            None => String::new(),
            Some((shape, slice)) => {
                let dims: Vec<String> = shape.dims().iter().map(u64::to_string).collect();
                format!("{} {slice}", dims.join(" "))
            }
        };
        let dtype = added.tensor.dtype().number();
        json!({"key_hex": hex(&added.key), "shape_and_slice": part, "dtype": dtype})
    };
    all.iter().map(row).collect()
}

/// Reads a bundle and writes it again; says which of its files differ.
fn written_again(from: &Path, to: &Path, options: BundleWriterOptions) -> Vec<String> {
    let reader = BundleReader::open(from).unwrap();
    let mut writer = options.durability(Durability::None).create(to).unwrap();
    add_all(&mut writer, &in_data_order(&reader));
    writer.finish().unwrap();
    different(from, to)
}

#[test]
fn bundles_are_those_of_tensorflow() {
    let directory = work_directory("bundles_are_those_of_tensorflow");
    let options = BundleWriter::options;
    let mut compared = 0;
    for (name, _) in expected().as_object().unwrap() {
        let options = match name.as_str() {
            "aligned_16" => options().alignment(16),
            "blocks_1k" => options().block_size(1024),
            // Compared as a merged bundle, by its checksums, and as a table.
            "two_shards" | "many_7000 (not stored)" | "blocks_4k_snappy" => continue,
            // Nobody writes these; the other is compared below.
            // Not written by a TensorFlow, which never ran on such a machine.
            "big_endian" => continue,
            _ => options(),
        };
        let from = bundles().join(name).join("b");
        let differ = written_again(&from, &directory.join(name), options);
        assert!(differ.is_empty(), "{differ:?}");
        compared += 1;
    }
    assert_eq!(compared, 9);
    assert_eq!(names(&directory).len(), 18, "nothing is left over");
}

#[test]
fn an_index_of_several_blocks_is_that_of_tensorflow() {
    let directory = work_directory("an_index_of_several_blocks");
    let mut writer = BundleWriter::create(directory.join("b")).unwrap();
    for i in 0..7000 {
        let key = format!(
            "model/block_{:04}/layer_{:02}/kernel/.ATTRIBUTES/VARIABLE_VALUE",
            i / 8,
            i % 8
        );
        let tensor = Tensor::from_slice([1], &[i]).unwrap();
        writer.add(key, &tensor).unwrap();
    }
    writer.finish().unwrap();
    let index = fs::read(directory.join("b.index")).unwrap();
    let expected = &expected()["many_7000 (not stored)"];
    assert_eq!(json!(index.len()), expected["index_size"]);
    let sum = Sha256::digest(&index);
    let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(json!(sum), expected["index_sha256"]);
}

/// Writes a random bundle; returns what is in it.
fn write_random(prefix: &Path, seed: u64, alignment: u64, dtypes: &[DType]) -> TensorSet {
    let set = TensorSet::new(seed, dtypes);
    let mut writer = BundleWriter::options()
        .alignment(alignment)
        .durability(Durability::None)
        .create(prefix)
        .unwrap();
    add_all(&mut writer, &set.added);
    writer.finish().unwrap();
    set
}

#[test]
fn what_is_written_is_read() {
    let directory = work_directory("what_is_written_is_read");
    for seed in 1..=30 {
        let prefix = directory.join(format!("{seed}"));
        let alignment = [1, 1, 8, 64, 100][seed as usize % 5];
        let dtypes = stored_dtypes(&[DType::VARIANT]);
        let set = write_random(&prefix, seed, alignment, &dtypes);
        set.check(&prefix, &format!("seed {seed}"));
    }
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let directory = work_directory("a_writer_that_is_dropped");
    let mut writer = BundleWriter::create(directory.join("b")).unwrap();
    let large = Tensor::from_slice([3 << 20], &vec![7u8; 3 << 20]).unwrap();
    writer.add("large", &large).unwrap();
    let during = names(&directory);
    assert_eq!(during.len(), 1);
    assert!(during[0].starts_with("b.data-00000-of-00001.tempstate"));
    drop(writer);
    assert_eq!(names(&directory), Vec::<String>::new());
}

#[test]
fn what_exists_stays_unless_it_is_to_be_replaced() {
    let directory = work_directory("what_exists_stays");
    let prefix = directory.join("b");
    let write = |existing, value: i32| {
        let mut writer = BundleWriter::options().existing(existing).create(&prefix)?;
        writer.add("v", &Tensor::scalar(value))?;
        writer.finish()
    };
    let read = || {
        let tensor = BundleReader::open(&prefix).unwrap().tensor("v").unwrap();
        tensor.values::<i32>().unwrap()[0]
    };
    write(Existing::Refuse, 1).unwrap();
    let error = write(Existing::Refuse, 2).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }));
    assert_eq!(error.path(), Some(&*directory.join("b.index")));
    assert_eq!(read(), 1);
    write(Existing::Replace, 3).unwrap();
    assert_eq!(read(), 3);

    // One that comes while another is written.
    let other = directory.join("c");
    let mut late = BundleWriter::create(&other).unwrap();
    late.add("v", &Tensor::scalar(1)).unwrap();
    BundleWriter::create(&other).unwrap().finish().unwrap();
    assert!(late.finish().is_err());
    assert_eq!(BundleReader::open(&other).unwrap().entries().count(), 0);
    assert_eq!(names(&directory).len(), 4, "nothing is left over");
}

#[test]
fn what_cannot_be_is_refused_and_the_rest_written() {
    let directory = work_directory("what_cannot_be");
    let prefix = directory.join("missing/directories/b");
    let mut writer = BundleWriter::create(&prefix).unwrap();
    let one = Tensor::scalar(1i32);
    let two = Tensor::from_slice([2], &[1i32, 2]).unwrap();
    let shape = Shape::new(&[4]).unwrap();
    let slice = |text: &str| text.parse::<TensorSlice>().unwrap();
    writer.add("whole", &one).unwrap();
    writer
        .add_slice("cut", &shape, &slice("0,2"), &two)
        .unwrap();

    let no_length = TensorSlice::new([Extent::Range {
        start: 0,
        length: 0,
    }]);
    let none = Tensor::from_slice::<i32>([0], &[]).unwrap();
    let floats = Tensor::from_slice([2], &[1f32, 2.]).unwrap();
    let five = Shape::new(&[5]).unwrap();
    let two_of_them = slice("2,2");
    for (error, says) in [
        (writer.add("", &one), "empty key"),
        (writer.add("whole", &one), "added before"),
        (writer.add("cut", &one), "added before"),
        (writer.add(b"\0v\0\x01\x01\x01\x80\x82", &one), "piece"),
        (
            writer.add_slice("cut", &shape, &slice("0,2"), &two),
            "slice `0,2` was added before",
        ),
        (
            writer.add_slice("whole", &shape, &two_of_them, &two),
            "added before",
        ),
        (
            writer.add_slice("cut", &shape, &two_of_them, &floats),
            "of dtype float32 and",
        ),
        (
            writer.add_slice("cut", &five, &two_of_them, &two),
            "full shape [5]",
        ),
        (
            writer.add_slice("cut", &shape, &slice("3,2"), &two),
            "reaches beyond",
        ),
        (
            writer.add_slice("cut", &shape, &slice("2,1"), &two),
            "has shape [1]",
        ),
        (
            writer.add_slice("cut", &shape, &no_length, &none),
            "length 0",
        ),
    ] {
        let error = error.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::InvalidArgument { .. }),
            "{error}"
        );
        assert!(error.to_string().contains(says), "{error}");
    }
    let handle: Strings = [b"handle"].into_iter().collect();
    let handle = Tensor::from_opaque(DType::RESOURCE, [1], handle).unwrap();
    let error = writer.add("resource", &handle).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }));

    writer.add_slice("cut", &shape, &two_of_them, &two).unwrap();
    let four = Tensor::from_slice([4], &[1i32, 2, 3, 4]).unwrap();
    writer
        .add_slice("all", &shape, &slice("0,4"), &four)
        .unwrap();
    writer.finish().unwrap();
    let reader = BundleReader::open(&prefix).unwrap();
    assert_eq!(
        *reader.tensor("cut").unwrap().values::<i32>().unwrap(),
        [1, 2, 1, 2]
    );
    assert!(!reader.entry("all").unwrap().is_partitioned());
    assert_eq!(reader.entries().count(), 3);
    assert_eq!(names(prefix.parent().unwrap()).len(), 2);
}

#[test]
fn interop_tensorflow_reads_what_is_written_and_saves_the_same() {
    let directory = work_directory("interop_tensorflow_reads_what_is_written");
    for seed in 101..=106 {
        let prefix = directory.join(format!("{seed}"));
        let set = write_random(&prefix, seed, 1, &stored_dtypes(&[]));
        let rows = rows_of(&in_data_order(&BundleReader::open(&prefix).unwrap()));
        assert!(!rows.is_empty() && !set.tensors.is_empty(), "seed {seed}");
        let list = directory.join(format!("{seed}.json"));
        fs::write(&list, Value::from(rows).to_string()).unwrap();
        let out = directory.join(format!("{seed}_by_tensorflow"));
        let Some(_) = tensorflow::run("resave_bundle.py", &[&prefix, &list, &out]) else {
            return;
        };
        let differ = different(&prefix, &out);
        assert!(differ.is_empty(), "{differ:?}");
    }
}

#[test]
fn interop_what_tensorflow_saves_is_written_the_same() {
    let directory = work_directory("interop_what_tensorflow_saves");
    let theirs = directory.join("theirs");
    fs::create_dir(&theirs).unwrap();
    let seed = std::env::var("SAVEDMODEL_TF_SEED").unwrap_or_else(|_| "1".to_owned());
    let arguments = [&*theirs, Path::new(&seed)];
    if tensorflow::run("random_bundles.py", &arguments).is_none() {
        return;
    }
    let mut compared = 0;
    for name in names(&theirs) {
        let Some(name) = name.strip_suffix(".index") else {
            continue;
        };
        let from = theirs.join(name);
        let to = directory.join("ours").join(name);
        if BundleReader::open(&from).unwrap().num_shards() == 1 {
            let differ = written_again(&from, &to, BundleWriter::options());
            assert!(differ.is_empty(), "{differ:?}");
            compared += 1;
        }
    }
    assert!(compared >= 5, "{compared} bundles were compared");
}

/// Reads one of the rows of `random_sets.py`, with its values.
fn added_of(row: &Value, values: &mut impl Read) -> Added {
    let number = |value: &Value| value.as_u64().unwrap();
    let numbers = |list: &Value| -> Vec<u64> {
        let list = list.as_array().unwrap();
        list.iter().map(number).collect()
    };
    let mut take = |len: u64| {
        let mut bytes = vec![0; len as usize];
        values.read_exact(&mut bytes).unwrap();
        bytes
    };
    let dtype = DType::from_number(number(&row["dtype"]) as i32);
    let shape = Shape::new(&numbers(&row["shape"])).unwrap();
    let tensor = match dtype.size() {
        Some(size) => {
            let bytes = take(shape.elements() * size as u64);
            Tensor::from_bytes(dtype, shape, bytes).unwrap()
        }
        None => {
            let elements: Strings = numbers(&row["lengths"]).into_iter().map(take).collect();
            match dtype {
                DType::STRING => Tensor::from_shared_strings(shape, elements).unwrap(),
                _ => Tensor::from_opaque(dtype, shape, elements).unwrap(),
            }
        }
    };
    let piece = TensorSlice::parse_shape_and_slice(row["slice"].as_str().unwrap()).unwrap();
    Added {
        key: unhex(&row["key_hex"]),
        piece,
        tensor,
    }
}

#[test]
fn interop_a_thousand_sets_are_written_as_tensorflow_writes_them() {
    let directory = work_directory("interop_a_thousand_sets");
    let seed = std::env::var("SAVEDMODEL_TF_SEED").unwrap_or_else(|_| "1".to_owned());
    let count = 1000;
    let arguments = [&*directory, Path::new(&seed), Path::new("1000")];
    if tensorflow::run("random_sets.py", &arguments).is_none() {
        return;
    }
    let sets = fs::read_to_string(directory.join("sets.json")).unwrap();
    let sets: Value = serde_json::from_str(&sets).unwrap();
    let file = fs::File::open(directory.join("values.bin")).unwrap();
    let mut values = BufReader::new(file);
    let (mut tensors, mut pieces, mut dtypes) = (0, 0, BTreeSet::new());
    for (i, rows) in sets.as_array().unwrap().iter().enumerate() {
        let (ours, theirs) = (directory.join("ours"), directory.join(i.to_string()));
        let mut writer = BundleWriter::options()
            .durability(Durability::None)
            .create(&ours)
            .unwrap();
        for row in rows.as_array().unwrap() {
            let added = added_of(row, &mut values);
            added.add_to(&mut writer).unwrap();
            tensors += 1;
            pieces += usize::from(added.piece.is_some());
            dtypes.insert(added.tensor.dtype());
        }
        writer.finish().unwrap();
        let differ = different(&theirs, &ours);
        assert!(differ.is_empty(), "seed {seed}: {differ:?}");
        for prefix in [ours, theirs] {
            for suffix in ["index", "data-00000-of-00001"] {
                fs::remove_file(prefix.with_extension(suffix)).unwrap();
            }
        }
    }
    assert_eq!(sets.as_array().unwrap().len(), count);
    assert_eq!(
        dtypes.len(),
        stored_dtypes(&[DType::VARIANT]).len(),
        "{dtypes:?}"
    );
    println!("{count} sets of {tensors} tensors, {pieces} of them pieces, are the same");
    fs::remove_dir_all(directory).unwrap();
}
