//! TFRecord files and examples, through TensorFlow and back.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use savedmodel::Bytes;
use savedmodel::example::{Example, Feature, SequenceExample};
use savedmodel::record::{Record, RecordReader, RecordWriter};
use savedmodel::store::{LocalStore, Store};

/// A fresh directory for one test.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

pub(crate) fn write(path: &Path, records: &[Vec<u8>]) {
    let mut writer = RecordWriter::new(BufWriter::new(File::create(path).unwrap()));
    for record in records {
        writer.write(record).unwrap();
    }
    writer.flush().unwrap();
}

fn read(directory: &Path, name: &str) -> Vec<Bytes> {
    let blob = LocalStore::new(directory).open(name).unwrap();
    RecordReader::new(blob)
        .map(|record| record.map(Record::into_data))
        .collect::<Result<_, _>>()
        .unwrap()
}

fn examples() -> Vec<Example> {
    vec![
        Example::new(),
        Example::new().with("a", [0i64, -1, i64::MAX, i64::MIN, 300]),
        Example::new()
            .with("z", [0.0f32, -0.0, f32::NAN, f32::INFINITY, 1e-40])
            .with("é", ["", "x", "日本"])
            .with("a\0b", Feature::Unset)
            .with("", Vec::<i64>::new())
            .with("f", Vec::<f32>::new())
            .with("b", Vec::<Vec<u8>>::new())
            .with("bytes", vec![vec![0xff, 0x00], vec![7; 1000]]),
    ]
}

fn sequences() -> Vec<SequenceExample> {
    let mut one = SequenceExample::default();
    one.context.insert("id".into(), [7i64].into());
    one.context.insert("a".into(), Feature::Unset);
    let steps = vec![["to"].into(), Vec::<String>::new().into(), [2.5f32].into()];
    one.feature_lists.insert("words".into(), steps);
    one.feature_lists.insert("none".into(), Vec::new());
    vec![SequenceExample::default(), one]
}

#[test]
fn examples_survive_their_bytes() {
    for example in examples() {
        let bytes = example.to_bytes();
        let again = Example::from_bytes(&bytes).unwrap();
        assert_eq!(again.to_bytes(), bytes);
    }
    for example in sequences() {
        let again = SequenceExample::from_bytes(&example.to_bytes()).unwrap();
        assert_eq!(again, example);
    }
}

#[test]
fn interop_records_and_examples_pass_through_tensorflow_unchanged() {
    let directory = scratch("records");
    let raw = vec![
        b"abcd".to_vec(),
        Vec::new(),
        vec![9; 1 << 20],
        (0..=255).collect(),
    ];
    let examples: Vec<_> = examples().iter().map(Example::to_bytes).collect();
    let sequences: Vec<_> = sequences().iter().map(SequenceExample::to_bytes).collect();
    for (name, records) in [
        ("raw", &raw),
        ("examples", &examples),
        ("sequences", &sequences),
    ] {
        write(&directory.join(format!("{name}.tfrecord")), records);
    }
    if crate::tensorflow::run("copy_records.py", &[&directory]).is_none() {
        return;
    }
    for (name, records) in [
        ("raw", &raw),
        ("examples", &examples),
        ("sequences", &sequences),
    ] {
        assert_eq!(read(&directory, &format!("{name}_copy.tfrecord")), *records);
        let ours = std::fs::read(directory.join(format!("{name}.tfrecord"))).unwrap();
        let theirs = std::fs::read(directory.join(format!("{name}_copy.tfrecord"))).unwrap();
        assert!(ours == theirs, "{name}");
    }
}
