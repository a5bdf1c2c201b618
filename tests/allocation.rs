//! How much memory hostile bundles make a reader take: no more than a multiple of their files.
//!
//! A test binary of its own with one test, because the allocator counts for all threads.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use savedmodel::BundleReader;
use savedmodel::store::MemoryStore;

#[path = "it/forge.rs"]
mod forge;

use forge::{
    Block, Bundle, Entry, Slice, Table, block, field, header, masked_crc, piece_key, string_payload,
};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grow(by: usize) {
    let now = NOW.fetch_add(by, Ordering::Relaxed) + by;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: every call is passed on to the system's allocator as it came.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        grow(size);
        // SAFETY: as above.
        let moved = unsafe { System.realloc(pointer, layout, size) };
        let gone = if moved.is_null() { size } else { layout.size() };
        NOW.fetch_sub(gone, Ordering::Relaxed);
        moved
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Returns the most memory that was held during the work beyond what was held before it.
fn peak(work: impl FnOnce()) -> usize {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    work();
    PEAK.load(Ordering::Relaxed) - before
}

type Route = (&'static str, fn(&BundleReader));

const ROUTES: [Route; 5] = [
    ("entries", |bundle| {
        bundle.entries().for_each(drop);
    }),
    ("listing", |bundle| drop(bundle.listing())),
    ("tensor", |bundle| {
        for (key, entry) in bundle.entries().filter_map(Result::ok).take(100) {
            drop(bundle.tensor_of(&key, &entry));
            drop(bundle.read_of(&key, &entry));
            drop(bundle.tensor(&key));
        }
    }),
    ("read_all", |bundle| drop(bundle.read_all())),
    ("verify", |bundle| drop(bundle.verify())),
];

/// What all files may grow to; the constant part is for messages and threads.
fn check(name: &str, bundle: &Bundle, index: Vec<u8>) {
    let size = index.len() + bundle.shards.iter().map(Vec::len).sum::<usize>();
    let limit = 64 * size + (1 << 20);
    let store: Arc<MemoryStore> = Arc::new(bundle.store_with(index));
    let opened = peak(|| drop(BundleReader::open_in(store.clone(), "b")));
    assert!(opened <= limit, "{name}, open: {opened} of {limit}");
    let Ok(bundle) = BundleReader::open_in(store, "b") else {
        return;
    };
    for (route, work) in ROUTES {
        // A fault is a message of its own for each entry, of which the smallest has four bytes.
        let limit = limit * if route == "verify" { 2 } else { 1 };
        let taken = peak(|| work(&bundle));
        assert!(
            taken <= limit,
            "{name}, {route}: {taken} bytes for {size}, limit {limit}"
        );
    }
}

fn check_bundle(name: &str, bundle: &Bundle) {
    check(name, bundle, bundle.index());
}

fn one_entry(entry: Entry, shard: &[u8]) -> Bundle {
    let mut bundle = Bundle::of_shards([shard.to_vec()]);
    bundle.entry("x", &entry);
    bundle
}

#[test]
fn memory_is_bounded_by_the_files() {
    // Sizes and counts of which nothing is there.
    for dtype in [1, 7, 10, 18, 21] {
        for dims in [
            vec![1 << 40],
            vec![i64::MAX],
            vec![1 << 20],
            vec![0, 1 << 40],
        ] {
            for size in [0, 4, 1 << 20, 1 << 40, i64::MAX] {
                let entry = Entry {
                    dtype,
                    dims: dims.clone(),
                    size,
                    ..Entry::default()
                };
                check_bundle("claims", &one_entry(entry, &[0; 100]));
            }
        }
    }
    // Lengths of strings that are not there.
    for shard in [vec![0xff; 2000], vec![0x7f; 2000], vec![0; 2000]] {
        for dims in [1990, 1996, 1] {
            let entry = Entry {
                dtype: 7,
                dims: vec![dims],
                size: 2000,
                ..Entry::default()
            };
            check_bundle("lengths", &one_entry(entry, &shard));
        }
    }
    // Many tensors of the same bytes.
    let (payload, crc) = string_payload(&vec![&b""[..]; 50_000]);
    let strings = Entry {
        dtype: 7,
        dims: vec![50_000],
        size: payload.len() as i64,
        crc,
        ..Entry::default()
    };
    let zeros = vec![0; 300_000];
    let bytes = Entry {
        dtype: 4,
        dims: vec![300_000],
        size: 300_000,
        crc: masked_crc(&zeros),
        ..Entry::default()
    };
    for (shard, entry) in [(payload, strings), (zeros, bytes)] {
        let mut bundle = Bundle::of_shards([shard]);
        for i in 0..2000 {
            bundle.entry(format!("{i:04}"), &entry);
        }
        check_bundle("the same bytes", &bundle);
    }
    // Pieces of the same bytes; strings in pieces, whose elements lie apart until all are read.
    for dtype in [4, 7] {
        let (payload, crc) = string_payload(&[&b""[..]; 196]);
        let entry = Entry {
            dtype,
            dims: vec![if dtype == 4 { 200 } else { 196 }],
            size: 200,
            crc: if dtype == 4 {
                masked_crc(&payload)
            } else {
                crc
            },
            ..Entry::default()
        };
        for apart in [false, true] {
            let mut bundle = Bundle::of_shards([payload.clone()]);
            let mut slices = Vec::new();
            for i in 0..1000 {
                let length = entry.dims[0];
                let slice: Slice = vec![Some((i * length, length))];
                let mut entry = entry.clone();
                if apart {
                    entry.offset = bundle.shards[0].len() as i64;
                    bundle.shards[0].extend(&payload);
                }
                bundle.entry(piece_key(b"v", &slice), &entry);
                slices.push(slice);
            }
            let whole = Entry {
                dtype,
                dims: vec![1000 * entry.dims[0]],
                slices,
                ..Entry::default()
            };
            bundle.entry("v", &whole);
            check_bundle("pieces", &bundle);
        }
    }
    // A slice list that takes two bytes for each of its slices or dimensions.
    for slices in [vec![vec![]; 50_000], vec![vec![None; 50_000]]] {
        let entry = Entry {
            dtype: 1,
            slices,
            ..Entry::default()
        };
        check_bundle("slices", &one_entry(entry, &[]));
    }
    let rank = Entry {
        dtype: 1,
        dims: vec![0; 50_000],
        ..Entry::default()
    };
    check_bundle("rank", &one_entry(rank, &[]));

    // The smallest entries, keys that share nearly all of their bytes, the smallest blocks.
    let nobody = Bundle::default();
    let first = || (Vec::new(), header(1));
    for value in [vec![], field(1, 1), vec![0xff]] {
        let names = (0..30_000u32).map(|i| (i.to_be_bytes()[1..].to_vec(), value.clone()));
        let mut table = Table::default();
        table.data(b"\x02", &block([first()].into_iter().chain(names), 16), 0);
        check("small entries", &nobody, table.finish());
    }
    for length in [100, 5000, 200_000] {
        let mut shared = Block::default();
        shared.restart();
        shared.raw(0, &vec![b'a'; length], b"");
        for i in 0..250u8 {
            shared.raw(length as u32, &[i], b"");
        }
        let shared = shared.finish();
        let packed = snap::raw::Encoder::new().compress_vec(&shared).unwrap();
        for (contents, compression) in [(&shared, 0), (&packed, 1)] {
            let mut table = Table::default();
            table.data(b"", &block([first()], 16), 0);
            table.data(b"b", contents, compression);
            check("shared prefixes", &nobody, table.finish());
            let mut table = Table::default();
            table.put(&block([first()], 16), 0);
            let index = table.finish_with(contents, compression);
            check("shared prefixes in the index", &nobody, index);
        }
    }
    let mut table = Table::default();
    table.data(b"", &block([first()], 16), 0);
    for i in 0..30_000u32 {
        table.data(&i.to_be_bytes()[1..], &Block::default().finish(), 0);
    }
    check("empty blocks", &nobody, table.finish());

    // Compressed blocks that claim to be large, and one that is as large as they can be.
    let bomb = [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0; 200]].concat();
    let zeros = snap::raw::Encoder::new()
        .compress_vec(&vec![0; 1 << 20])
        .unwrap();
    for contents in [&bomb, &zeros] {
        let mut table = Table::default();
        table.data(b"", &block([first()], 16), 0);
        table.data(b"b", contents, 1);
        check("compressed", &nobody, table.finish());
        let mut table = Table::default();
        table.put(&block([first()], 16), 0);
        check("compressed index", &nobody, table.finish_with(contents, 1));
    }
}
