//! Hostile split models: each is one clear error, quickly, or what it says.

use std::time::{Duration, Instant};

use savedmodel::chunked::ChunkedProto;
use savedmodel::store::Blob;
use savedmodel::{Bytes, Error, ErrorKind, Result};

use crate::forge_chunks::{File, field, integer, message, place, split, varint};

fn merge(bytes: Vec<u8>) -> Result<Bytes> {
    let start = Instant::now();
    let merged = ChunkedProto::open(Blob::from_bytes(bytes))
        .and_then(|file| file.merge("tensorflow.SavedModel"));
    // Generous: what is looked for takes minutes.
    assert!(start.elapsed() < Duration::from_secs(20));
    merged
}

#[track_caller]
fn assert_malformed(bytes: Vec<u8>, words: &str) -> Error {
    let error = merge(bytes).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Malformed { .. }),
        "{error}"
    );
    assert!(error.to_string().contains(words), "{error}");
    error
}

/// The model of an empty meta graph with an empty graph of two nodes.
fn model() -> Vec<u8> {
    let graph = [field(1, b""), field(1, b"")].concat();
    field(2, &field(2, &graph))
}

#[test]
fn what_is_forged_is_read() {
    let root = model();
    let bytes = split(&[&root], &message(Some(0), &[]));
    assert_eq!(merge(bytes).unwrap(), root);
    // Records across blocks.
    let long = field(9999, &vec![7; 200_000]);
    let name = field(1, b"name");
    let nodes = [
        place(&[2, -1, 2, 1, -2], &message(Some(2), &[])),
        place(&[], &message(Some(1), &[])),
    ];
    let bytes = split(&[&root, &long, &name], &message(Some(0), &nodes));
    let graph = [field(1, b""), field(1, &name)].concat();
    let expected = [field(2, &field(2, &graph)), long].concat();
    assert_eq!(merge(bytes).unwrap(), expected);
}

#[test]
fn chunks_and_paths_that_lead_nowhere_are_refused() {
    let root = model();
    let with = |fields: &[Vec<u8>]| split(&[&root, b""], &message(Some(0), fields));
    let leaf = |path: &[i64]| place(path, &message(Some(1), &[]));
    assert_malformed(
        split(&[&root], &message(Some(1), &[])),
        "chunk 1 is referred to",
    );
    assert_malformed(
        split(&[&root], &message(Some(u64::MAX), &[])),
        "is referred to",
    );
    assert_malformed(split(&[&root], &[]), "what the message is");
    assert_malformed(with(&[leaf(&[3])]), "field 3 of tensorflow.SavedModel");
    assert_malformed(with(&[leaf(&[2])]), "`meta_graphs`");
    assert_malformed(
        with(&[leaf(&[2, -3])]),
        "element 2 of `meta_graphs`, which has 1",
    );
    assert_malformed(with(&[leaf(&[2, i64::MIN])]), "which has 1");
    assert_malformed(with(&[leaf(&[-1])]), "without a field");
    assert_malformed(with(&[leaf(&[2, -1, -1])]), "without a field");
    assert_malformed(with(&[leaf(&[2, -1, 2, -1])]), "`graph_def`");
    assert_malformed(with(&[leaf(&[2, -1, 5, -1])]), "`signature_def`");
    assert_malformed(with(&[leaf(&[2, -1, 2]), leaf(&[2, 2])]), "disagree");
    // A number, from a chunk that is none.
    assert_malformed(with(&[leaf(&[1])]), "no such number");
    // A string that another path leads through.
    assert_malformed(with(&[leaf(&[2, -1, 1, 1, 1])]), "`meta_graph_version`");
    let nothing = place(&[2, -1, 1, 1], &[]);
    assert_malformed(with(&[nothing]), "no chunk");
}

#[test]
fn sizes_and_positions_must_be_those_of_the_records() {
    let root = model();
    let forge = |size: u64, position: u64| {
        let mut file = File::new();
        assert_eq!(file.record(&root), 64);
        let info = [integer(1, 1), integer(2, size), integer(3, position)].concat();
        file.record(&[field(2, &info), field(3, &message(Some(0), &[]))].concat());
        file.0
    };
    let len = root.len() as u64;
    assert!(merge(forge(len, 64)).is_ok());
    for size in [0, len - 1, len + 1, 1 << 40, u64::MAX] {
        assert_malformed(forge(size, 64), "a chunk should have");
    }
    for position in [0, 63, 65, 100, 1 << 40, u64::MAX] {
        assert_malformed(forge(len, position), "no record is at position");
    }
}

#[test]
fn chunks_that_are_no_messages_are_refused_wherever_they_go() {
    let root = model();
    // Cut: what follows would become a part of it.
    for cut in [&[0x12, 0x05, 0x00][..], &[0x0b], &[0x08], &[0x00], &[0x0c]] {
        let words = "not the message it should be";
        assert_malformed(split(&[cut], &message(Some(0), &[])), words);
        let fields = [place(&[2, -1, 2], &message(Some(1), &[]))];
        assert_malformed(split(&[&root, cut], &message(Some(0), &fields)), words);
        let deeper = place(&[2, -1, 2, 1, -1], &message(Some(1), &[]));
        assert_malformed(
            split(
                &[&root, cut],
                &message(Some(0), &[fields[0].clone(), deeper]),
            ),
            words,
        );
    }
}

#[test]
fn depth_and_numbers_take_no_time() {
    let root = model();
    let mut nested = Vec::new();
    for _ in 0..200 {
        nested = message(None, &[place(&[], &nested)]);
    }
    assert_malformed(split(&[&root], &nested), "too deep");
    // Through attributes of functions of attributes, as deep as the schema goes: forever.
    let mut path = vec![2, -1, 2, 1, -1];
    path.extend([5, 1].repeat(500));
    assert_malformed(
        split(
            &[&root],
            &message(Some(0), &[place(&path, &message(Some(0), &[]))]),
        ),
        "`attr`",
    );
    // The same chunk a hundred thousand times.
    let big = field(9999, &vec![0; 10_000]);
    let fields = vec![place(&[2, -1, 2], &message(Some(1), &[])); 100_000];
    let bytes = split(&[&root, &big], &message(Some(0), &fields));
    let file = ChunkedProto::open_within(Blob::from_bytes(bytes), 100 << 20).unwrap();
    let error = file.merge("tensorflow.SavedModel").unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::TooLarge { .. }),
        "{error}"
    );
    // A hundred thousand paths through a list as long, from behind.
    let nodes: Vec<u8> = (0..100_000).flat_map(|_| field(1, b"")).collect();
    let fields: Vec<Vec<u8>> = (1..=100_000)
        .rev()
        .map(|i| place(&[2, -1, 2, 1, -i], &message(Some(2), &[])))
        .collect();
    let root = field(2, &field(2, b""));
    let graph = place(&[2, -1, 2], &message(Some(1), &[]));
    let fields = [&[graph][..], &fields].concat();
    let name = field(1, b"n");
    let merged = merge(split(&[&root, &nodes, &name], &message(Some(0), &fields))).unwrap();
    assert!(merged.len() > 500_000);
}

#[test]
fn records_that_promise_more_than_they_have_are_refused() {
    let metadata = |size: u64| {
        let info = [integer(1, 1), integer(2, size), integer(3, 64)].concat();
        [field(2, &info), field(3, &message(Some(0), &[]))].concat()
    };
    for compression in [b's', b'b'] {
        for claim in [1 << 30, u64::MAX >> 1, 100] {
            let sizes = varint(claim);
            let packed = match compression {
                b's' => snap::raw::Encoder::new().compress_vec(&sizes).unwrap(),
                _ => sizes.clone(),
            };
            let sizes = [varint(sizes.len() as u64), packed].concat();
            let values = [varint(claim), vec![0x55; 50]].concat();
            let data = [
                &[compression][..],
                &varint(sizes.len() as u64),
                &sizes,
                &values,
            ]
            .concat();
            let mut file = File::new();
            file.chunk(b'r', 1, claim, &data);
            file.record(&metadata(claim));
            let error = merge(file.0).unwrap_err();
            let kind = matches!(
                error.kind(),
                ErrorKind::Malformed { .. } | ErrorKind::TooLarge { .. }
            );
            assert!(kind, "{error}");
        }
    }
    // Counts and lengths that do not agree, not compressed.
    for (records, decoded, data) in [
        (2, 5, &[0, 1, 5, 1, 2, 3, 4, 5][..]),
        (1, 6, &[0, 1, 5, 1, 2, 3, 4, 5]),
        (1, 5, &[0, 1, 5, 1, 2, 3, 4]),
        (1, 4, &[0, 1, 4, 1, 2, 3, 4, 5]),
        (1, 5, &[0, 200, 5]),
        (1, 5, &[0]),
        (1, 0, &[]),
        (1 << 50, 0, &[0, 0]),
    ] {
        let mut file = File::new();
        file.chunk(b'r', records, decoded, data);
        file.record(&metadata(decoded));
        assert!(merge(file.0).is_err(), "{data:?}");
    }
}
