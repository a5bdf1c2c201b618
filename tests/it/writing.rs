//! Writing, compared with the files under `tests/vectors` that TensorFlow wrote.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use savedmodel::bundle::{Durability, Existing};
use savedmodel::store::{Blob, LocalStore, Store};
use savedmodel::{
    BundleReader, BundleWriter, DType, ErrorKind, Extent, Shape, Strings, Tensor, TensorSlice,
    table,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::tensorflow;

fn bundles() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/bundles"
    ))
}

fn expected() -> Value {
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
fn work_directory(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A tensor, or a piece of one, as it was added to a bundle.
struct Added {
    key: Vec<u8>,
    piece: Option<(Shape, TensorSlice)>,
    tensor: Tensor,
}

/// What is in a bundle of one shard, in the order in which its data file has it.
fn in_data_order(bundle: &BundleReader) -> Vec<Added> {
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

fn add_all(bundle: &mut BundleWriter, all: &[Added]) {
    for added in all {
        match &added.piece {
            None => bundle.add(&added.key, &added.tensor).unwrap(),
            Some((shape, slice)) => bundle
                .add_slice(&added.key, shape, slice, &added.tensor)
                .unwrap(),
        }
    }
}

/// The files of two bundles that differ.
fn different(one: &Path, other: &Path) -> Vec<String> {
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

/// Reads a bundle and writes it again; says which of its files differ.
fn written_again(from: &Path, to: &Path, alignment: u64) -> Vec<String> {
    let reader = BundleReader::open(from).unwrap();
    let mut writer = BundleWriter::options()
        .alignment(alignment)
        .durability(Durability::None)
        .create(to)
        .unwrap();
    add_all(&mut writer, &in_data_order(&reader));
    writer.finish().unwrap();
    different(from, to)
}

#[test]
fn bundles_are_those_of_tensorflow() {
    let directory = work_directory("bundles_are_those_of_tensorflow");
    for (name, alignment) in [
        ("all_dtypes", 1),
        ("shapes", 1),
        ("strings", 1),
        ("sliced", 1),
        ("many_500", 1),
        ("aligned_16", 16),
        ("empty", 1),
        ("flip_base", 1),
    ] {
        let differ = written_again(
            &bundles().join(name).join("b"),
            &directory.join(name),
            alignment,
        );
        assert!(differ.is_empty(), "{differ:?}");
    }
    // The index of this one has blocks of 1 KiB, which no bundle of ours has; its data is the same.
    let from = bundles().join("blocks_1k/b");
    let differ = written_again(&from, &directory.join("blocks_1k"), 1);
    assert_eq!(differ, [format!("{}.index", from.display())]);
    assert_eq!(names(&directory).len(), 18, "nothing is left over");
}

#[test]
fn shards_of_a_merged_bundle_are_those_of_tensorflow() {
    let directory = work_directory("shards_of_a_merged_bundle");
    let reader = BundleReader::open(bundles().join("two_shards/b")).unwrap();
    for shard in 0..2 {
        let mut writer = BundleWriter::create(directory.join(format!("{shard}"))).unwrap();
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
        let all: Vec<Added> = all
            .into_iter()
            .map(|(_, key, piece, tensor)| Added {
                key: key.to_vec(),
                piece,
                tensor,
            })
            .collect();
        add_all(&mut writer, &all);
        writer.finish().unwrap();
        let ours = fs::read(directory.join(format!("{shard}.data-00000-of-00001"))).unwrap();
        let theirs = bundles().join(format!("two_shards/b.data-0000{shard}-of-00002"));
        assert!(ours == fs::read(theirs).unwrap(), "shard {shard}");
    }
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

/// Numbers that look random and are always the same (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn bytes(&mut self, len: u64) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    fn shape(&mut self) -> Shape {
        let rank = self.below(5);
        let dims: Vec<u64> = (0..rank).map(|_| self.below(5)).collect();
        Shape::new(&dims).unwrap()
    }

    fn key(&mut self) -> Vec<u8> {
        let len = 1 + self.below(40);
        let bytes = self.bytes(len);
        // Few different bytes, so that keys share their beginnings.
        let few = [b'a', b'b', b'/', 0xff, 0xfe, 0];
        let mut key = vec![b'a' + self.below(3) as u8];
        key.extend(bytes.iter().map(|byte| few[usize::from(*byte) % 6]));
        key
    }

    fn tensor(&mut self, dtypes: &[DType], shape: Shape) -> Tensor {
        let elements = shape.elements();
        let dtype = dtypes[self.below(dtypes.len() as u64) as usize];
        let Some(size) = dtype.size() else {
            let strings: Vec<Vec<u8>> = (0..elements)
                .map(|_| {
                    let len = [0, 1, 5, 127, 128, 300][self.below(6) as usize];
                    self.bytes(len)
                })
                .collect();
            return match dtype {
                DType::STRING => Tensor::from_strings(shape, strings).unwrap(),
                _ => Tensor::from_opaque(dtype, shape, strings.into_iter().collect()).unwrap(),
            };
        };
        let mut bytes = self.bytes(elements * size as u64);
        let mask = match dtype.bits() {
            _ if dtype == DType::BOOL => 1,
            Some(bits @ 0..8) => (1 << bits) - 1,
            _ => 0xff,
        };
        bytes.iter_mut().for_each(|byte| *byte &= mask);
        Tensor::from_bytes(dtype, shape, bytes).unwrap()
    }
}

/// A tensor cut along its first dimension.
fn pieces(tensor: &Tensor, numbers: &mut Numbers) -> Vec<(TensorSlice, Tensor)> {
    let mut start = 0;
    let mut pieces = Vec::new();
    let dims = tensor.shape().dims();
    while start < dims[0] {
        let length = 1 + numbers.below(dims[0] - start);
        let mut extents = vec![Extent::Full; dims.len()];
        extents[0] = Extent::Range { start, length };
        let slice = TensorSlice::new(extents);
        pieces.push((slice.clone(), tensor.slice(&slice).unwrap()));
        start += length;
    }
    pieces
}

/// Every dtype that bundles store, of which TensorFlow reads only those variants that it knows.
fn stored_dtypes(variants: &[DType]) -> Vec<DType> {
    let plain = DType::known().filter(|dtype| dtype.size().is_some() || *dtype == DType::STRING);
    plain.chain(variants.iter().copied()).collect()
}

/// Writes a random bundle; returns what is in it.
fn write_random(
    prefix: &Path,
    seed: u64,
    alignment: u64,
    dtypes: &[DType],
) -> BTreeMap<Vec<u8>, Tensor> {
    let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut writer = BundleWriter::options()
        .alignment(alignment)
        .durability(Durability::None)
        .create(prefix)
        .unwrap();
    let mut all = BTreeMap::new();
    for _ in 0..numbers.below(60) {
        let key = numbers.key();
        if all.contains_key(&key) {
            continue;
        }
        let shape = numbers.shape();
        let tensor = match numbers.below(20) {
            0 => numbers.tensor(&[DType::FLOAT], Shape::new(&[300_000]).unwrap()),
            _ => numbers.tensor(dtypes, shape),
        };
        let first = tensor.shape().dims().first();
        if first.is_some_and(|dim| (2..1000).contains(dim)) && numbers.below(3) == 0 {
            for (slice, piece) in pieces(&tensor, &mut numbers) {
                writer
                    .add_slice(&key, tensor.shape(), &slice, &piece)
                    .unwrap();
            }
        } else {
            writer.add(&key, &tensor).unwrap();
        }
        all.insert(key, tensor);
    }
    writer.finish().unwrap();
    all
}

#[test]
fn what_is_written_is_read() {
    let directory = work_directory("what_is_written_is_read");
    for seed in 1..=30 {
        let prefix = directory.join(format!("{seed}"));
        let alignment = [1, 1, 8, 64, 100][seed as usize % 5];
        let dtypes = stored_dtypes(&[DType::VARIANT]);
        let written = write_random(&prefix, seed, alignment, &dtypes);
        let reader = BundleReader::open(&prefix).unwrap();
        let verification = reader.verify().unwrap();
        assert!(verification.is_sound(), "seed {seed}: {verification:?}");
        assert!(
            verification.remarks.is_empty(),
            "seed {seed}: {verification:?}"
        );
        assert_eq!(reader.entries().count(), written.len(), "seed {seed}");
        for (key, tensor) in &written {
            assert_eq!(
                reader.tensor(key).unwrap(),
                *tensor,
                "seed {seed}, {}",
                key.escape_ascii()
            );
        }
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
        let written = write_random(&prefix, seed, 1, &stored_dtypes(&[]));
        let rows: Vec<Value> = in_data_order(&BundleReader::open(&prefix).unwrap())
            .iter()
            .map(|added| {
                let part = match &added.piece {
                    None => String::new(),
                    Some((shape, slice)) => {
                        let dims: Vec<String> = shape.dims().iter().map(u64::to_string).collect();
                        format!("{} {slice}", dims.join(" "))
                    }
                };
                let key: String = added.key.iter().map(|byte| format!("{byte:02x}")).collect();
                let dtype = added.tensor.dtype().number();
                json!({"key_hex": key, "shape_and_slice": part, "dtype": dtype})
            })
            .collect();
        assert!(!rows.is_empty() && !written.is_empty(), "seed {seed}");
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
        if BundleReader::open(&from).unwrap().num_shards() == 1 {
            let differ = written_again(&from, &directory.join("ours").join(name), 1);
            assert!(differ.is_empty(), "{differ:?}");
            compared += 1;
        }
    }
    assert!(compared >= 5, "{compared} bundles were compared");
}
