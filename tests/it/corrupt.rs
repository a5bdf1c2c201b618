//! Hostile bundles: forged with right checksums, or another kind of file altogether. Each is one
//! clear error, quickly, whatever it claims to be.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use savedmodel::bundle::{CheckpointState, Checksums, locate_bundle};
use savedmodel::store::{Blob, Mapping, MemoryStore};
use savedmodel::{BundleReader, Error, ErrorKind, Result, table};

use crate::forge::{
    self, Block, Bundle, Entry, Slice, Table, block, field, header, masked_crc, piece_key,
    string_payload,
};

fn open(store: MemoryStore) -> Result<BundleReader> {
    BundleReader::open_in(Arc::new(store), "b")
}

fn open_index(index: Vec<u8>) -> Result<BundleReader> {
    open(Bundle::default().store_with(index))
}

/// Everything a reader can be asked; `verify` must agree with reading.
#[track_caller]
fn read_everything(store: MemoryStore) -> Result<usize> {
    let bundle = open(store)?;
    let mut first = Ok(0);
    for item in bundle.entries() {
        let read = item.and_then(|(key, entry)| {
            let tensor = bundle.tensor_of(&key, &entry);
            assert_eq!(
                bundle.read_of(&key, &entry).ok(),
                tensor.as_ref().ok().cloned()
            );
            tensor
        });
        first = match (first, read) {
            (Ok(count), Ok(_)) => Ok(count + 1),
            (Ok(_), Err(error)) | (Err(error), _) => Err(error),
        };
    }
    let _ = bundle
        .listing()
        .map(|listing| listing.iter().filter(|(_, entry)| entry.is_ok()).count());
    let found = bundle.verify();
    if let Err(error) = &first {
        assert!(!found.is_ok_and(|found| found.is_sound()), "{error}");
        assert!(bundle.read_all().is_err(), "{error}");
    } else {
        // Beyond reading it may only mind what reading has no use for.
        assert!(found?.faults.iter().all(|fault| fault.key().is_none()));
    }
    first
}

#[track_caller]
fn refused(store: MemoryStore) -> Error {
    let error = read_everything(store).unwrap_err();
    assert!(error.path().is_some(), "{error}");
    error
}

#[track_caller]
fn assert_malformed(error: &Error) {
    let malformed = matches!(error.kind(), ErrorKind::Malformed { .. });
    assert!(malformed, "{error}");
}

#[track_caller]
fn quickly<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    // Generous: what is looked for takes minutes.
    assert!(start.elapsed() < Duration::from_secs(20));
    result
}

/// A float tensor of two elements beside an entry that says what it is told to say.
fn with_entry(entry: Entry) -> Bundle {
    let mut bundle = Bundle::default();
    bundle.dense("good", 1, &[2], &[0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0]);
    bundle.entry("bad", &entry);
    bundle
}

#[test]
fn forged_bundles_are_sound_where_they_are_honest() {
    let mut bundle = Bundle::default();
    bundle.dense("a", 1, &[2], &[0; 8]);
    bundle.dense("b", 10, &[3], &[0, 1, 1]);
    assert_eq!(read_everything(bundle.store()).unwrap(), 2);
}

#[test]
fn entries_that_cannot_be() {
    let float = Entry {
        dtype: 1,
        dims: vec![2],
        size: 8,
        crc: masked_crc(&[0; 8]),
        ..Entry::default()
    };
    let with = |change: fn(&mut Entry)| {
        let mut entry = float.clone();
        change(&mut entry);
        entry
    };
    let malformed = [
        with(|entry| entry.offset = -1),
        with(|entry| entry.offset = 1),
        with(|entry| entry.offset = i64::MAX),
        with(|entry| entry.offset = i64::MAX - 7),
        with(|entry| entry.offset = i64::MIN),
        with(|entry| entry.size = -8),
        with(|entry| entry.size = i64::MAX),
        with(|entry| entry.size = i64::MIN),
        with(|entry| entry.size = 7),
        with(|entry| entry.size = 0),
        with(|entry| entry.shard = -1),
        with(|entry| entry.shard = 1),
        with(|entry| entry.shard = i32::MAX.into()),
        with(|entry| entry.dims = vec![-2]),
        with(|entry| entry.dims = vec![i64::MAX]),
        with(|entry| entry.dims = vec![i64::MIN]),
        with(|entry| entry.dims = vec![1 << 40, 1 << 40, 0]),
        with(|entry| entry.dims = vec![1 << 62]),
        with(|entry| entry.dims = vec![(1 << 62) + 2]),
        with(|entry| {
            entry.dims = vec![1 << 61];
            entry.size = i64::MIN;
        }),
        // Strings and variants, whose elements have at least one and five bytes.
        with(|entry| entry.dtype = 7),
        with(|entry| {
            entry.dtype = 7;
            entry.dims = vec![i64::MAX];
        }),
        with(|entry| entry.dtype = 21),
        with(|entry| {
            entry.dtype = 21;
            entry.dims = vec![i64::MAX];
            entry.size = i64::MAX;
        }),
    ];
    for entry in malformed {
        let bundle = with_entry(entry.clone());
        let error = refused(bundle.store());
        assert_malformed(&error);
        assert_eq!(error.key(), Some(&b"bad"[..]), "{error}");
        assert!(error.to_string().contains("key `bad`"), "{error}");
        // The tensor beside it is none the worse.
        let bundle = open(bundle.store()).unwrap();
        assert_eq!(
            *bundle.tensor("good").unwrap().values::<f32>().unwrap(),
            [1.5, -2.0]
        );
    }
    for dtype in [0, 20, 34, 99, 100, 101, i32::MAX.into(), i32::MIN.into()] {
        let mut entry = float.clone();
        entry.dtype = dtype;
        let bundle = with_entry(entry);
        let error = refused(bundle.store());
        assert!(
            matches!(error.kind(), ErrorKind::Unsupported { .. }),
            "{error}"
        );
        // But it is listed.
        let entry = open(bundle.store()).unwrap().entry("bad").unwrap();
        assert_eq!(i64::from(entry.dtype().number()), dtype);
    }
}

#[test]
fn ranks_at_the_limit() {
    for (rank, fine) in [(254, true), (255, false), (100_000, false)] {
        let bundle = with_entry(Entry {
            dtype: 1,
            dims: vec![1; rank],
            size: 4,
            crc: masked_crc(&[0, 0, 0xc0, 0x3f]),
            ..Entry::default()
        });
        match read_everything(bundle.store()) {
            Ok(2) => assert!(fine),
            result => {
                let error = result.unwrap_err();
                assert!(!fine && error.to_string().len() < 500, "{error}");
                assert!(
                    matches!(error.kind(), ErrorKind::Unsupported { .. }),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn offsets_in_messages_are_of_the_file() {
    let mut bundle = Bundle::default();
    bundle.entries.insert(b"k".to_vec(), vec![0x08, 0x01, 0xff]);
    let index = bundle.index();
    let place = index
        .windows(3)
        .position(|bytes| bytes == [0x08, 0x01, 0xff]);
    let bundle = open(bundle.store()).unwrap();
    let by_name = bundle.entry("k").unwrap_err();
    let by_walk = bundle.entries().next().unwrap().unwrap_err();
    assert_eq!(by_name.offset(), place.map(|place| place as u64 + 2));
    assert_eq!(by_walk.offset(), by_name.offset());
    assert!(by_name.to_string().starts_with("b.index: at byte "));
    let listing = bundle.listing().unwrap();
    let listed = listing.get(0).unwrap().1.unwrap_err();
    assert_eq!((listed.offset(), listed.key()), (None, Some(&b"k"[..])));
}

#[test]
fn many_shards_of_which_few_are_there() {
    for count in [i64::from(i32::MAX), 0, -1, 1 << 32] {
        let mut bundle = Bundle::default();
        bundle.dense("x", 1, &[1], &[0; 4]);
        bundle.entries.insert(Vec::new(), header(count));
        let error = refused(bundle.store());
        match count {
            0x7fff_ffff => {
                let not_found = matches!(error.kind(), ErrorKind::NotFound { .. });
                assert!(not_found, "{error}");
                assert_eq!(
                    error.path(),
                    Some(Path::new("b.data-00000-of-2147483647")),
                    "{error}"
                );
                assert_eq!(error.key(), Some(&b"x"[..]));
            }
            _ => assert_malformed(&error),
        }
    }
}

/// A float tensor of `elements`, cut into pieces of one element each.
fn cut_up(elements: i64) -> Bundle {
    let mut bundle = Bundle::default();
    let mut slices = Vec::new();
    for i in 0..elements {
        let slice: Slice = vec![Some((i, 1))];
        bundle.dense(piece_key(b"v", &slice), 1, &[1], &(i as f32).to_le_bytes());
        slices.push(slice);
    }
    bundle.entry(
        "v",
        &Entry {
            dtype: 1,
            dims: vec![elements],
            slices,
            ..Entry::default()
        },
    );
    bundle
}

#[test]
fn a_hundred_thousand_pieces_are_put_together_quickly() {
    let bundle = open(cut_up(100_000).store()).unwrap();
    let tensor = quickly(|| bundle.tensor("v")).unwrap();
    assert!(
        (0..100_000).eq(tensor
            .values::<f32>()
            .unwrap()
            .iter()
            .map(|value| *value as i32))
    );
    assert_eq!(quickly(|| bundle.read_all()).unwrap().len(), 1);
    assert!(quickly(|| bundle.verify()).unwrap().is_sound());
}

#[test]
fn pieces_that_do_not_make_up_the_tensor() {
    let whole = |dims: &[i64], slices: Vec<Slice>| Entry {
        dtype: 1,
        dims: dims.to_vec(),
        slices,
        ..Entry::default()
    };
    let part = |start, length| vec![Some((start, length))];
    for slices in [
        vec![part(0, 1), part(0, 1)],
        vec![part(0, 1), part(1, 1), part(1, 1)],
        vec![part(0, 1), part(1, 1), vec![None]],
        vec![part(0, 1)],
        vec![part(0, 1), part(2, 1)],
        vec![part(0, 1), part(1, 2)],
        vec![part(0, 1), part(1, i64::MAX)],
        vec![part(0, 1), part(i64::MAX, 1)],
        vec![part(0, 1), part(i64::MAX, i64::MAX)],
        vec![part(0, 1), part(1, 0)],
        vec![part(0, 1), part(-1, 1)],
        vec![part(0, 1), vec![Some((1, 1)), None]],
        vec![vec![]],
        vec![vec![None; 255]],
        vec![vec![None; 100_000]],
        vec![vec![None]; 100_000],
        vec![part(0, 1); 100_000],
    ] {
        let mut bundle = cut_up(2);
        bundle.entry("v", &whole(&[2], slices.clone()));
        let store = bundle.store();
        let error = quickly(|| refused(store));
        assert_malformed(&error);
        assert_eq!(error.key(), Some(&b"v"[..]), "{error}");
        assert!(error.to_string().len() < 500, "{error}");
    }
    // Pieces of another dtype or shape than the whole, and pieces that are in pieces.
    let slice = part(0, 1);
    for entry in [
        Entry {
            dtype: 3,
            dims: vec![1],
            size: 4,
            ..Entry::default()
        },
        Entry {
            dtype: 1,
            dims: vec![2],
            size: 8,
            ..Entry::default()
        },
        whole(&[1], vec![part(0, 1)]),
    ] {
        let mut bundle = cut_up(2);
        bundle.entry(piece_key(b"v", &slice), &entry);
        assert!(read_everything(bundle.store()).is_err());
    }
    // No elements need no pieces, but a slice to be partitioned at all.
    let mut bundle = cut_up(2);
    bundle.entry("z", &whole(&[0, 1 << 40], vec![vec![None, None]]));
    assert_eq!(read_everything(bundle.store()).unwrap(), 2);
}

#[test]
fn pieces_of_the_same_bytes_do_not_make_a_large_tensor() {
    let mut bundle = Bundle::of_shards([vec![7; 200]]);
    let entry = Entry {
        dtype: 4,
        dims: vec![200],
        size: 200,
        crc: masked_crc(&[7; 200]),
        ..Entry::default()
    };
    let mut slices = Vec::new();
    for i in 0..5000 {
        let slice: Slice = vec![Some((i * 200, 200))];
        bundle.entry(piece_key(b"v", &slice), &entry);
        slices.push(slice);
    }
    let whole = Entry {
        dtype: 4,
        dims: vec![1_000_000],
        slices,
        ..Entry::default()
    };
    bundle.entry("v", &whole);
    let error = refused(bundle.store());
    assert_malformed(&error);
    assert_eq!(error.key(), Some(&b"v"[..]), "{error}");
}

#[test]
fn strings_in_pieces() {
    let mut bundle = Bundle::default();
    let mut slices = Vec::new();
    for (i, strings) in [[&b"a"[..], b"bcd"], [b"", b"\xff\0"]].iter().enumerate() {
        let slice: Slice = vec![None, Some((i as i64, 1))];
        let (payload, crc) = string_payload(strings);
        let entry = Entry {
            dtype: 7,
            dims: vec![2, 1],
            offset: bundle.shards[0].len() as i64,
            size: payload.len() as i64,
            crc,
            ..Entry::default()
        };
        bundle.shards[0].extend(payload);
        bundle.entry(piece_key(b"s", &slice), &entry);
        slices.push(slice);
    }
    let whole = Entry {
        dtype: 7,
        dims: vec![2, 2],
        slices,
        ..Entry::default()
    };
    bundle.entry("s", &whole);
    let tensor = open(bundle.store()).unwrap().tensor("s").unwrap();
    let strings: Vec<&[u8]> = tensor.strings().unwrap().iter().collect();
    assert_eq!(strings, [&b"a"[..], b"", b"bcd", b"\xff\0"]);
    assert_eq!(read_everything(bundle.store()).unwrap(), 1);
}

#[test]
fn a_partitioned_boolean_is_checked_by_every_route() {
    let mut bundle = Bundle::default();
    let slices: Vec<Slice> = vec![vec![Some((0, 1))], vec![Some((1, 1))]];
    for (slice, value) in slices.iter().zip([1, 2]) {
        bundle.dense(piece_key(b"v", slice), 10, &[1], &[value]);
    }
    let whole = Entry {
        dtype: 10,
        dims: vec![2],
        slices,
        ..Entry::default()
    };
    bundle.entry("v", &whole);
    let bundle = open(bundle.store()).unwrap();
    assert_malformed(&bundle.tensor("v").unwrap_err());
    assert_malformed(&bundle.read("v").unwrap_err());
    assert_malformed(&bundle.read_into("v", &mut [0; 2]).unwrap_err());
}

#[test]
fn lying_lengths_of_strings() {
    let (payload, crc) = string_payload(&[b"abc", b"de"]);
    let mut payloads = Vec::new();
    for (position, byte) in [(0, 4), (0, 0xff), (1, 0), (1, 0x80), (2, 0), (6, b'x')] {
        let mut changed = payload.clone();
        changed[position] = byte;
        payloads.push(changed);
    }
    payloads.push([&[0xff; 9][..], &[1, 0], &payload].concat());
    payloads.push(payload[..payload.len() - 1].to_vec());
    payloads.push([&payload[..], b"x"].concat());
    for payload in payloads {
        for checksums in [Checksums::Verify, Checksums::Skip] {
            let mut bundle = Bundle::default();
            let entry = Entry {
                dtype: 7,
                dims: vec![2],
                size: payload.len() as i64,
                crc,
                ..Entry::default()
            };
            bundle.shards[0] = payload.clone();
            bundle.entry("s", &entry);
            let bundle = BundleReader::options()
                .checksums(checksums)
                .open_in(Arc::new(bundle.store()), "b")
                .unwrap();
            match bundle.tensor("s") {
                Ok(tensor) => {
                    assert_eq!(checksums, Checksums::Skip);
                    assert_eq!(tensor.byte_len(), 5);
                }
                Err(error) => {
                    assert_eq!(error.path(), Some(Path::new("b.data-00000-of-00001")));
                    assert!(error.offset().is_some() && error.key().is_some(), "{error}");
                }
            }
        }
    }
}

#[test]
fn overlapping_entries_are_read_and_remarked_upon() {
    let mut bundle = Bundle::default();
    bundle.dense("a", 4, &[4], &[1, 2, 3, 4]);
    let entry = Entry {
        dtype: 4,
        dims: vec![2],
        offset: 1,
        size: 2,
        crc: masked_crc(&[2, 3]),
        ..Entry::default()
    };
    bundle.entry("b", &entry);
    assert_eq!(read_everything(bundle.store()).unwrap(), 2);
    let found = open(bundle.store()).unwrap().verify().unwrap();
    assert_eq!(found.remarks.len(), 1);
    let remark = &found.remarks[0];
    assert_eq!(
        (remark.key(), remark.offset()),
        (Some(&b"b"[..]), Some(1)),
        "{remark}"
    );
    assert_eq!(
        open(bundle.store()).unwrap().read_all().unwrap()[1]
            .1
            .bytes(),
        Some(&[2, 3][..])
    );
}

/// As many tensors as asked for, all of them the whole shard.
fn pile(count: usize, shard: Vec<u8>, entry: &Entry) -> Bundle {
    let mut bundle = Bundle::of_shards([shard]);
    for i in 0..count {
        bundle.entry(format!("{i:06}"), entry);
    }
    bundle
}

#[test]
fn tensors_that_all_are_the_same_bytes() {
    let zeros = vec![0; 300 << 10];
    let bytes = Entry {
        dtype: 4,
        dims: vec![300 << 10],
        size: 300 << 10,
        crc: masked_crc(&zeros),
        ..Entry::default()
    };
    let few = pile(30, zeros.clone(), &bytes);
    assert_eq!(quickly(|| read_everything(few.store())).unwrap(), 30);
    let empty = vec![&b""[..]; 20_000];
    let (payload, crc) = string_payload(&empty);
    let strings = Entry {
        dtype: 7,
        dims: vec![20_000],
        size: payload.len() as i64,
        crc,
        ..Entry::default()
    };
    for (shard, entry) in [(zeros, bytes), (payload, strings)] {
        let bundle = open(pile(20_000, shard, &entry).store()).unwrap();
        assert!(bundle.tensor("019999").is_ok());
        let error = quickly(|| bundle.read_all()).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::TooLarge { .. }),
            "{error}"
        );
        assert!(error.path().is_some());
        let found = quickly(|| bundle.verify()).unwrap();
        assert!(!found.is_sound());
        assert_eq!((found.tensors, found.remarks.len()), (20_000, 1000));
    }
}

#[test]
fn sizes_that_add_up_to_more_than_there_are_numbers() {
    let entry = Entry {
        dtype: 7,
        size: i64::MAX,
        ..Entry::default()
    };
    let error = refused(pile(4, vec![0; 10], &entry).store());
    assert_malformed(&error);
}

#[test]
fn odd_names() {
    let names: [&[u8]; 9] = [
        b"\0",
        b"a\0b",
        b"\xff\xfe",
        b"\0v\0\x01\x01\x01\x80\x81", // as a piece of `v`, which is not partitioned
        b"\0w\0\x01\0",               // as a piece of `w`, which is not there
        b"\0\0\xff\0\x01\x01\x01\x80\x81",
        b"v",
        b"\n\x1b[31m",
        "größe".as_bytes(),
    ];
    let mut bundle = Bundle::default();
    for name in names {
        bundle.dense(name, 4, &[1], name.get(..1).unwrap());
    }
    assert_eq!(read_everything(bundle.store()).unwrap(), names.len());
    let bundle = open(bundle.store()).unwrap();
    for name in names {
        let tensor = bundle.tensor(name).unwrap();
        assert_eq!(tensor.bytes(), Some(&name[..1]));
    }
    let error = bundle.tensor(b"a\0c\x1b\xff").unwrap_err();
    let shown = error.to_string();
    assert!(shown.contains(r"a\0c\u{1b}\xff"), "{shown}");
    assert!(!shown.contains(char::is_control), "{shown}");
    let not_found = |name: &str| {
        let error = bundle.tensor(name).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotFound { .. }));
    };
    // The empty name is the header's.
    not_found("");
    not_found("absent");
}

#[test]
fn files_of_another_kind() {
    let kinds: [(&[u8], &str); 8] = [
        (b"<!DOCTYPE html><html><body>404</body></html>", "HTML"),
        (b"\n<html>Not found", "HTML"),
        (b"<?xml version=\"1.0\"?><Error/>", "XML"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "LFS",
        ),
        (b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0", "HDF5"),
        (b"PK\x03\x04\x14\0\0\0", "zip"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
        (b"", ""),
    ];
    for (bytes, name) in kinds {
        for len in [0, 100, 5000] {
            let mut file = bytes.to_vec();
            file.resize(file.len().max(if bytes.is_empty() { 0 } else { len }), b' ');
            let error = open_index(file.clone()).unwrap_err();
            assert_malformed(&error);
            assert_eq!(error.path(), Some(Path::new("b.index")));
            assert!(error.to_string().contains(name), "{error}");

            // In the place of a shard, shorter and longer than what is expected there.
            for (dtype, size) in [(1, 4), (1, 4096), (7, 4), (7, 4096)] {
                let entry = Entry {
                    dtype,
                    dims: vec![if dtype == 1 { size / 4 } else { 0 }],
                    size,
                    ..Entry::default()
                };
                let mut bundle = Bundle::of_shards([file.clone()]);
                bundle.entry("k", &entry);
                let error = refused(bundle.store());
                assert_eq!(error.path(), Some(Path::new("b.data-00000-of-00001")));
                assert_eq!(error.key(), Some(&b"k"[..]));
                assert!(error.offset().is_some(), "{error}");
                assert!(error.to_string().contains(name), "{error}");
            }
        }
    }
}

/// A directory that a test has to itself.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("savedmodel-corrupt-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Directory(path)
    }

    fn write(&self, bundle: &Bundle) {
        std::fs::write(self.0.join("b.index"), bundle.index()).unwrap();
        std::fs::write(self.shard(), &bundle.shards[0]).unwrap();
    }

    fn shard(&self) -> PathBuf {
        self.0.join("b.data-00000-of-00001")
    }

    fn prefix(&self) -> PathBuf {
        self.0.join("b")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn directories_and_pipes_in_the_place_of_files() {
    let directory = Directory::new("places");
    std::fs::create_dir(directory.0.join("b.index")).unwrap();
    let error = BundleReader::open(directory.prefix()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io { .. }), "{error}");
    assert_eq!(error.path(), Some(&*directory.0.join("b.index")));
    std::fs::remove_dir(directory.0.join("b.index")).unwrap();

    let bundle = cut_up(2);
    directory.write(&bundle);
    std::fs::remove_file(directory.shard()).unwrap();
    let reader = BundleReader::open(directory.prefix()).unwrap();
    let error = reader.tensor("v").unwrap_err();
    let not_found = matches!(error.kind(), ErrorKind::NotFound { .. });
    assert!(not_found, "{error}");
    std::fs::create_dir(directory.shard()).unwrap();
    let error = reader.tensor("v").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io { .. }), "{error}");
    assert_eq!(error.path(), Some(&*directory.shard()));
    assert_eq!(error.key(), Some(&b"v"[..]));

    #[cfg(unix)]
    {
        std::fs::remove_dir(directory.shard()).unwrap();
        std::fs::remove_file(directory.0.join("b.index")).unwrap();
        for place in [directory.0.join("b.index"), directory.0.join("checkpoint")] {
            let made = std::process::Command::new("mkfifo").arg(&place).status();
            assert!(made.unwrap().success());
        }
        let error = quickly(|| BundleReader::open(directory.prefix())).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Io { .. }), "{error}");
        assert_eq!(
            quickly(|| CheckpointState::read(&directory.0)).unwrap(),
            None
        );
        let _ = quickly(|| locate_bundle(&directory.0));
    }
}

#[test]
fn a_bundle_that_changes_while_it_is_open() {
    let mut bundle = Bundle::default();
    bundle.dense("a", 4, &[100_000], &[7; 100_000]);
    let directory = Directory::new("changes");
    directory.write(&bundle);
    let reader = BundleReader::options()
        .mapping(Mapping::Never)
        .open(directory.prefix())
        .unwrap();
    assert!(reader.tensor("a").is_ok());
    std::fs::write(directory.shard(), [8; 100_000]).unwrap();
    let error = reader.tensor("a").unwrap_err();
    let mismatch = matches!(error.kind(), ErrorKind::ChecksumMismatch { .. });
    assert!(mismatch, "{error}");
    std::fs::write(directory.shard(), [7; 70_000]).unwrap();
    for error in [
        reader.tensor("a").unwrap_err(),
        reader.read_into("a", &mut [0; 100_000]).unwrap_err(),
    ] {
        assert!(matches!(error.kind(), ErrorKind::Io { .. }), "{error}");
        assert_eq!(error.path(), Some(&*directory.shard()));
        assert!(error.offset().is_some() && error.key().is_some(), "{error}");
    }
    assert!(reader.read_all().is_err());
    assert!(!reader.verify().unwrap().is_sound());
}

fn open_table(bytes: Vec<u8>) -> Result<table::Reader> {
    table::Reader::new(Blob::from_bytes(bytes))
}

#[test]
fn block_handles_that_overlap_or_lead_out() {
    let data = block([("", header(1)), ("x", field(1, 1))], 16);
    let end = data.len() as u64 + 5;
    for handles in [
        vec![(0, end - 5), (0, end - 5)],
        vec![(0, end - 5), (end - 1, 8)],
        vec![(u64::MAX, 1)],
        vec![(0, u64::MAX)],
        vec![(u64::MAX, u64::MAX)],
        vec![(0, u64::MAX - 4)],
        vec![(0, 1 << 62)],
        vec![(end, 1000)],
    ] {
        let mut table = Table::default();
        table.put(&data, 0);
        for (i, (offset, size)) in handles.into_iter().enumerate() {
            let handle = [forge::varint(offset), forge::varint(size)].concat();
            table.index.push((vec![b'x' + i as u8], handle));
        }
        let error = open_index(table.finish()).unwrap_err();
        assert_malformed(&error);
        assert!(
            error.path().is_some() && error.offset().is_some(),
            "{error}"
        );
    }
    // The same of the footer.
    for handles in [[0, 8, u64::MAX, 1], [0, 8, 0, u64::MAX], [0, 8, 1 << 40, 8]] {
        let mut table = Table::default();
        table.data(b"x", &data, 0);
        let mut bytes = table.finish();
        let start = bytes.len() - 48;
        let mut footer = handles.map(forge::varint).concat();
        footer.resize(40, 0);
        bytes[start..start + 40].copy_from_slice(&footer);
        assert_malformed(&open_index(bytes).unwrap_err());
    }
}

#[test]
fn compressed_bombs_in_every_position() {
    let data = block([("", header(1))], 16);
    let bomb = [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0; 200]].concat();
    let nested = {
        let inner = snap::raw::Encoder::new()
            .compress_vec(&vec![0; 1 << 20])
            .unwrap();
        snap::raw::Encoder::new().compress_vec(&inner).unwrap()
    };
    for bad in [&bomb, &nested] {
        let mut as_data = Table::default();
        as_data.data(b"x", bad, 1);
        let mut as_index = Table::default();
        as_index.put(&data, 0);
        for bytes in [as_data.finish(), as_index.finish_with(bad, 1)] {
            let error = open_index(bytes).unwrap_err();
            assert_malformed(&error);
            assert!(
                error.path().is_some() && error.offset().is_some(),
                "{error}"
            );
        }
    }
    // A block of another kind of compression is not damaged, but cannot be read either.
    let mut table = Table::default();
    table.data(b"x", &data, 4);
    let error = open_index(table.finish()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }));
}

#[test]
fn keys_that_share_a_long_prefix() {
    let mut long = Block::default();
    long.restart();
    let name = vec![b'a'; 100_000];
    long.raw(0, &name, b"");
    for i in 0..200u8 {
        long.raw(100_000, &[i], b"");
    }
    let long = long.finish();
    let mut as_data = Table::default();
    as_data.data(b"", &block([("", header(1))], 16), 0);
    as_data.data(b"b", &long, 0);
    let bundle = open_index(as_data.finish()).unwrap();
    for error in [
        bundle.listing().unwrap_err(),
        bundle
            .entries()
            .find_map(|item| match item {
                Err(error) if matches!(error.kind(), ErrorKind::TooLarge { .. }) => Some(error),
                _ => None,
            })
            .unwrap(),
        bundle.entry("aa").unwrap_err(),
        bundle.read_all().unwrap_err(),
    ] {
        assert!(error.path().is_some(), "{error}");
    }
    assert!(!bundle.verify().unwrap().is_sound());
    let mut as_index = Table::default();
    as_index.put(&block([("", header(1))], 16), 0);
    assert!(open_index(as_index.finish_with(&long, 0)).is_err());
}

#[test]
fn a_run_without_end() {
    // Lookups walk a run; a hundred thousand pieces in one would be looked up for hours.
    let bundle = cut_up(20_000);
    let mut run = Block::default();
    run.restart();
    for (key, value) in &bundle.entries {
        run.add(key, value);
    }
    let mut table = Table::default();
    table.data(b"w", &run.finish(), 0);
    let bundle = open(bundle.store_with(table.finish())).unwrap();
    let error = quickly(|| bundle.tensor("v")).unwrap_err();
    let too_large = matches!(error.kind(), ErrorKind::TooLarge { .. });
    assert!(too_large && error.offset().is_some(), "{error}");
    assert!(quickly(|| bundle.read_all()).is_err());
    // The 256 before the limit are named.
    assert_eq!(
        quickly(|| bundle.entries().filter(Result::is_ok).count()),
        255
    );
}

#[test]
fn lookups_in_a_bad_block_read_it_once() {
    // Each key looks like a piece of a tensor that a large block behind would have, which has a
    // fault at its end.
    let pieces: Vec<Vec<u8>> = (0..20_000)
        .map(|i| piece_key(format!("{i:05}").as_bytes(), &[None]))
        .collect();
    let value = Entry {
        dtype: 1,
        ..Entry::default()
    }
    .encode();
    let mut names = Block::default();
    for i in 0..20_000 {
        if i % 16 == 0 {
            names.restart();
        }
        names.add(format!("{i:05}").as_bytes(), &value);
    }
    names.raw(100, b"", b"");
    let mut table = Table::default();
    let first = [(Vec::new(), header(1))].into_iter();
    let entries = first.chain(pieces.iter().map(|key| (key.clone(), value.clone())));
    table.data(b"\x01", &block(entries, 16), 0);
    table.data(b"a", &names.finish(), 0);
    let bundle = open_index(table.finish()).unwrap();
    let mut listed = 0;
    let last = quickly(|| {
        bundle.entries().fold(None, |_, item| {
            listed += 1;
            Some(item)
        })
    });
    assert_eq!(listed, 40_001);
    assert_malformed(&last.unwrap().unwrap_err());
}

#[test]
fn many_empty_blocks() {
    let empty = Block::default().finish();
    let mut table = Table::default();
    table.data(b"", &block([("", header(1))], 16), 0);
    for i in 0..100_000u32 {
        table.data(&[&[1][..], &i.to_be_bytes()].concat(), &empty, 0);
    }
    let bundle = quickly(|| open_index(table.finish())).unwrap();
    assert_eq!(quickly(|| bundle.entries().count()), 0);
    assert!(quickly(|| bundle.verify()).unwrap().is_sound());
    assert!(!bundle.contains("x").unwrap());
    // A table without any entries is no bundle.
    let mut nothing = Table::default();
    nothing.data(b"x", &empty, 0);
    assert_malformed(&open_index(nothing.finish()).unwrap_err());
    assert_malformed(&open_index(Table::default().finish()).unwrap_err());
    assert!(
        open_table(Table::default().finish())
            .unwrap()
            .verify()
            .is_ok()
    );
}

#[test]
fn names_are_compared_with_long_ones_in_a_bearable_time() {
    let mut bundle = Bundle::default();
    for i in 0..300 {
        let name = [&format!("{i:03}").into_bytes()[..], &[b'n'; 8000]].concat();
        bundle.dense(name, 4, &[1], &[0]);
    }
    let bundle = open(bundle.store()).unwrap();
    let error = quickly(|| bundle.tensor([b'n'; 7000])).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotFound { .. }));
}

/// xorshift64, so that every run tries the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => {
                let from = random.below(other.len());
                let len = random.below((other.len() - from).min(64));
                bytes.splice(at..at, other[from..from + len].iter().copied());
            }
            2 => {
                let end = (at + random.below(16)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => {
                let interesting = [0, 1, 0x7f, 0x80, 0xff][random.below(5)];
                let end = (at + 1 + random.below(9)).min(bytes.len());
                bytes[at..end].fill(interesting);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
}

#[test]
fn random_changes_are_refused_or_harmless() {
    let vectors = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/bundles"
    ));
    let mut pairs = Vec::new();
    for directory in std::fs::read_dir(vectors).unwrap() {
        let directory = directory.unwrap().path();
        let shards = if directory.ends_with("two_shards") {
            2
        } else {
            1
        };
        let read = |name: String| std::fs::read(directory.join(name)).unwrap();
        let index = read("b.index".to_owned());
        let shards = (0..shards).map(|i| read(format!("b.data-{i:05}-of-{shards:05}")));
        pairs.push((index, shards.collect::<Vec<_>>()));
    }
    pairs.sort();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let start = Instant::now();
    let (mut refusals, mut tried) = (0, 0);
    while tried < 4000 && start.elapsed() < Duration::from_secs(3) {
        let (index, shards) = &pairs[random.below(pairs.len())];
        // Large indexes are slow to try and no other than small ones.
        if index.len() > 8192 && random.below(16) > 0 {
            continue;
        }
        let (mut index, mut shards) = (index.clone(), shards.clone());
        let other = &pairs[random.below(pairs.len())];
        if random.below(8) == 0 {
            let shard = random.below(shards.len());
            mutate(&mut random, &mut shards[shard], &other.1[0]);
        } else {
            // The index lies before the footer; damage there is found soon and teaches little.
            mutate(&mut random, &mut index, &other.0);
            forge::reseal(&mut index);
        }
        tried += 1;
        let store = Bundle::of_shards(shards).store_with(index);
        refusals += usize::from(read_everything(store).is_err());
    }
    assert!(tried > 100, "{tried}");
    assert!(refusals > tried / 4, "{refusals} of {tried}");
}
