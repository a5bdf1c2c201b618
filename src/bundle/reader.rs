use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost::bytes::Bytes;

use super::assemble::{self, Assembly};
use super::cursor::{Cursor, Entries, is_piece};
use super::entry::{BundleEntry, Kind, Place};
use super::header::{Endianness, Header};
use super::key::Key;
use super::listing::Listing;
use super::locate;
use super::options::BundleOptions;
use super::payload::Payload;
use super::shard::Shards;
use super::verify::{self, Verification};
use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;
use crate::store::platform::{self, Buffer};
use crate::table;
use crate::tensor::{Tensor, TensorSlice};
use crate::wire::crc;

/// Reads a tensor bundle: the `variables/` of a SavedModel, or a checkpoint.
///
/// Opening reads the footer, the index block and the header of the index; nothing else, and no
/// shard. Every tensor's checksum is verified each time it is read, unless
/// [told not to](BundleOptions::checksums). There are three routes to a tensor's bytes:
///
/// | route | copies | memory |
/// |---|---|---|
/// | [`tensor`](Self::tensor) | none, if the shard is mapped | the page cache |
/// | [`read_into`](Self::read_into) | one, to where the caller wants it | the caller's |
/// | [`read`](Self::read) | one | fresh, in huge pages if it is large |
///
/// A reader can be shared by threads.
///
/// ```
/// # let prefix = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/bundles/all_dtypes/b");
/// use savedmodel::BundleReader;
///
/// let bundle = BundleReader::open(prefix)?;
/// for item in bundle.entries() {
///     let (key, entry) = item?;
///     println!("{key}: {} {}", entry.dtype(), entry.shape());
/// }
/// assert_eq!(*bundle.tensor("DT_INT32")?.values::<i32>()?, [1, -2, 2147483647]);
/// # Ok::<(), savedmodel::Error>(())
/// ```
pub struct BundleReader {
    table: table::Reader,
    header: Header,
    shards: Shards,
    /// How messages call the index file.
    index_path: PathBuf,
}

impl BundleReader {
    pub(crate) fn new(
        table: table::Reader,
        header: Header,
        shards: Shards,
        index_path: PathBuf,
    ) -> Self {
        BundleReader {
            table,
            header,
            shards,
            index_path,
        }
    }

    /// Opens the bundle of a prefix: `model/variables/variables`, `checkpoints/ckpt-7`.
    ///
    /// [`locate_bundle`](super::locate_bundle) finds the prefix in a directory.
    ///
    /// # Errors
    ///
    /// `NotFound` without an index file; `Unsupported` for a checkpoint of TensorFlow's first format
    /// and for versions this crate does not know; `Malformed` or `ChecksumMismatch` for a damaged
    /// index and for what is no index at all, with what it seems to be.
    pub fn open(prefix: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(prefix)
    }

    /// Opens the bundle of a prefix in a store: memory, an archive, a remote one.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn open_in(store: Arc<dyn Store>, prefix: &str) -> Result<Self> {
        Self::options().open_in(store, prefix)
    }

    /// Returns the options with which [`open`](Self::open) works, to be changed.
    pub fn options() -> BundleOptions {
        BundleOptions::default()
    }

    /// Returns how many shards the bundle has. Some may be missing; that shows when they are needed.
    pub fn num_shards(&self) -> u32 {
        self.header.num_shards
    }

    /// Returns the order of the bytes of each number in the shards. Tensors that are read are in
    /// order for this machine whatever it is.
    pub fn endianness(&self) -> Endianness {
        self.header.endianness
    }

    /// Returns the version of the format that the bundle was written in; 1 for all so far.
    pub fn version(&self) -> i32 {
        self.header.producer
    }

    /// Returns the path of the index file, as errors show it.
    pub fn index_path(&self) -> &Path {
        &self.index_path
    }

    /// Walks all tensors in key order. A partitioned tensor appears once, whole.
    ///
    /// # Errors
    ///
    /// An entry that cannot be read is one error and the walk goes on behind it; a damaged block of
    /// the index ends the walk after its error.
    pub fn entries(&self) -> Entries<'_> {
        Entries::new(self)
    }

    /// Starts a walk over everything in the index except its header, in key order, the pieces of
    /// partitioned tensors too. Quicker than [`entries`](Self::entries): names are not copied.
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor::new(self)
    }

    /// Reads all names and entries into memory.
    ///
    /// # Errors
    ///
    /// `Malformed` or `ChecksumMismatch` for a damaged index; `TooLarge` if the names are
    /// absurdly longer than the index that holds them.
    pub fn listing(&self) -> Result<Listing> {
        Listing::read(&self.table).map_err(|error| self.in_index(error))
    }

    /// Looks a tensor's entry up.
    ///
    /// # Errors
    ///
    /// `NotFound`, with the names that come closest, if there is none; `Malformed` or
    /// `ChecksumMismatch` if the part of the index that would hold it is damaged.
    pub fn entry(&self, key: impl AsRef<[u8]>) -> Result<BundleEntry> {
        let key = key.as_ref();
        match self.stored_entry(key) {
            Ok(Some(entry)) => Ok(entry),
            Ok(None) => Err(self.in_index(self.no_such_tensor(key))),
            Err(error) => Err(self.in_index(error.for_key(key))),
        }
    }

    /// Says whether there is a tensor of that name.
    ///
    /// # Errors
    ///
    /// As for [`entry`](Self::entry), but for `NotFound`.
    pub fn contains(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        let key = key.as_ref();
        let found = self.stored_entry(key);
        Ok(found
            .map_err(|error| self.in_index(error.for_key(key)))?
            .is_some())
    }

    /// Returns the entries of the pieces that a partitioned tensor was saved in, in the order of
    /// its [slices](BundleEntry::slices); none for any other tensor.
    ///
    /// Proves all that the index alone can prove of either kind, without a look at a shard: that
    /// dtype, shape and size agree, that the shard exists by its number, that the pieces are there
    /// and make up the whole.
    ///
    /// # Errors
    ///
    /// `Malformed` if the entry cannot be that of a tensor; `Unsupported` for a dtype that cannot
    /// be stored.
    pub fn pieces(&self, key: impl AsRef<[u8]>, entry: &BundleEntry) -> Result<Vec<BundleEntry>> {
        let key = key.as_ref();
        let pieces = match entry.is_partitioned() {
            true => assemble::pieces(self, key, entry),
            false => entry.place(&self.header).map(|_| Vec::new()),
        };
        pieces.map_err(|error| self.for_tensor(error, key))
    }

    /// Returns a tensor. If the shard is mapped or in memory, the tensor is a view of it: nothing is
    /// copied and the file stays mapped as long as the tensor lives. Otherwise it is read.
    ///
    /// Copied all the same are partitioned tensors, variants, and numbers of a big-endian bundle.
    ///
    /// # Errors
    ///
    /// What [`entry`](Self::entry) answers; `NotFound` for a missing shard; `Malformed` if entry,
    /// shard and payload contradict each other; `ChecksumMismatch`; `Unsupported` for a dtype that
    /// cannot be stored.
    pub fn tensor(&self, key: impl AsRef<[u8]>) -> Result<Tensor> {
        let key = key.as_ref();
        self.tensor_of(key, &self.entry(key)?)
    }

    /// Returns the tensor of an entry that a walk or a lookup of this bundle gave, without looking
    /// it up again; otherwise as [`tensor`](Self::tensor).
    ///
    /// # Errors
    ///
    /// As for [`tensor`](Self::tensor).
    pub fn tensor_of(&self, key: impl AsRef<[u8]>, entry: &BundleEntry) -> Result<Tensor> {
        self.any_tensor_of(key.as_ref(), entry)
    }

    fn any_tensor_of(&self, key: &[u8], entry: &BundleEntry) -> Result<Tensor> {
        let tensor = match entry.is_partitioned() {
            true => self.assemble(key, entry, &TensorSlice::full(entry.shape().rank())),
            false => match entry.place(&self.header) {
                Ok(place) => self.stored_tensor(entry, place),
                Err(error) => Err(error),
            },
        };
        match tensor {
            Err(error) => Err(self.for_tensor(error, key)),
            tensor => tensor,
        }
    }

    /// Returns a tensor in memory of its own, which no change of the file can reach.
    ///
    /// # Errors
    ///
    /// As for [`tensor`](Self::tensor).
    pub fn read(&self, key: impl AsRef<[u8]>) -> Result<Tensor> {
        let key = key.as_ref();
        self.read_of(key, &self.entry(key)?)
    }

    /// Returns the tensor of an entry in memory of its own, without looking it up again.
    ///
    /// # Errors
    ///
    /// As for [`tensor`](Self::tensor).
    pub fn read_of(&self, key: impl AsRef<[u8]>, entry: &BundleEntry) -> Result<Tensor> {
        let key = key.as_ref();
        let tensor = match entry.is_partitioned() {
            true => {
                let whole = TensorSlice::full(entry.shape().rank());
                Assembly::plan(self, key, entry, &whole).and_then(Assembly::into_owned_tensor)
            }
            false => entry.place(&self.header).and_then(|place| {
                let payload = self.shards.copy(place)?;
                self.tensor_from(entry, place, payload)
            }),
        };
        tensor.map_err(|error| self.for_tensor(error, key))
    }

    /// Reads a tensor of fixed-size elements into the caller's memory, row-major and little-endian.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if `out` is not as long as the tensor or its elements have no fixed size;
    /// otherwise as for [`tensor`](Self::tensor). What `out` holds after an error is undefined.
    pub fn read_into(&self, key: impl AsRef<[u8]>, out: &mut [u8]) -> Result<()> {
        let key = key.as_ref();
        let entry = self.entry(key)?;
        self.read_entry_into(key, &entry, out)
            .map_err(|error| self.for_tensor(error, key))
    }

    fn read_entry_into(&self, key: &[u8], entry: &BundleEntry, out: &mut [u8]) -> Result<()> {
        let Some(element_size) = entry.dtype().size() else {
            return Err(Error::invalid_argument(format!(
                "{} elements have no fixed size",
                entry.dtype()
            )));
        };
        let expected = entry.shape().elements().checked_mul(element_size as u64);
        if expected != Some(out.len() as u64) {
            return Err(Error::invalid_argument(format!(
                "a {} tensor of shape {} does not fit {} bytes",
                entry.dtype(),
                entry.shape(),
                out.len()
            )));
        }
        if entry.is_partitioned() {
            let whole = TensorSlice::full(entry.shape().rank());
            Assembly::plan(self, key, entry, &whole)?.copy_into(out)?;
        } else {
            let place = entry.place(&self.header)?;
            assemble::read_into(self, entry, place, out)?;
        }
        match entry.dtype() {
            crate::tensor::DType::BOOL if out.iter().any(|&byte| byte > 1) => {
                Err(Error::malformed("a boolean is neither 0 nor 1"))
            }
            _ => Ok(()),
        }
    }

    /// Returns a slice of a tensor. Of a partitioned one only the pieces that have some of it are
    /// read; any other is read, its checksum verified, and cut.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the slice does not lie in the tensor's shape; otherwise as for
    /// [`tensor`](Self::tensor).
    pub fn slice(&self, key: impl AsRef<[u8]>, slice: &TensorSlice) -> Result<Tensor> {
        let key = key.as_ref();
        let entry = self.entry(key)?;
        let tensor = match entry.is_partitioned() {
            true => self.assemble(key, &entry, slice),
            false => self.tensor_of(key, &entry)?.slice(slice),
        };
        tensor.map_err(|error| self.for_tensor(error, key))
    }

    /// Reads all tensors into memory of their own, in the order of the files; returns them in key
    /// order. Small tensors that are neighbours in a shard share a block of memory, which lives as
    /// long as one of them.
    ///
    /// # Errors
    ///
    /// The first fault of any tensor, as for [`tensor`](Self::tensor); `TooLarge` if tensors overlap
    /// in their shards so much that they take many times as much memory.
    pub fn read_all(&self) -> Result<Vec<(Key, Tensor)>> {
        // The index is walked twice: to keep a million names and entries takes longer.
        let (mut count, mut small) = (0, Vec::new());
        self.for_each_tensor(|key, entry| {
            if !entry.is_partitioned() {
                let place = entry.place(&self.header);
                let place = place.map_err(|error| self.for_tensor(error, key))?;
                if self.is_small(place) {
                    small.push(Small {
                        offset: place.offset,
                        shard: place.shard,
                        size: place.size as u32,
                        dense: matches!(place.kind, Kind::Dense { .. }),
                        index: count,
                    });
                }
            }
            count += 1;
            Ok(())
        })?;
        if !small.is_sorted_by_key(Small::order) {
            small.sort_unstable_by_key(Small::order);
        }
        let mut spans = Vec::new();
        let mut shares = vec![Share::NONE; count];
        let mut rest = &small[..];
        while let Some(first) = rest.first() {
            let (mut end, mut count) = (first.offset, 0);
            for tensor in rest {
                let reaches = end.max(tensor.offset + u64::from(tensor.size));
                if tensor.shard != first.shard
                    || tensor.offset > end + MAX_GAP
                    || reaches - first.offset > MAX_SPAN
                {
                    break;
                }
                (end, count) = (reaches, count + 1);
            }
            let (span, others) = rest.split_at(count);
            let bytes = self.read_span(first, end)?;
            for tensor in span {
                shares[tensor.index] = self.share_of(&bytes, spans.len(), first, tensor);
            }
            spans.push(bytes);
            rest = others;
        }
        drop(small);
        let mut total = 0;
        let mut tensors = platform::reserve(count);
        self.for_each_tensor(|key, entry| {
            let share = shares.get(tensors.len()).unwrap_or(&Share::NONE);
            let tensor = match self.shared_bytes(&spans, share, entry) {
                Some(bytes) => entry
                    .place(&self.header)
                    .and_then(|place| self.tensor_from(entry, place, (bytes, share.crc)))
                    .map_err(|error| self.for_tensor(error, key))?,
                None => self.read_of(key, entry)?,
            };
            self.add_to(&mut total, &tensor)?;
            tensors.push((key.into(), tensor));
            Ok(())
        })?;
        Ok(tensors)
    }

    /// Does something with every entry but those of pieces, in key order.
    fn for_each_tensor(
        &self,
        mut work: impl FnMut(&[u8], &BundleEntry) -> Result<()>,
    ) -> Result<()> {
        let mut partitioned = None;
        let mut cursor = self.cursor();
        while let Some((key, entry)) = cursor.next_entry()? {
            if !is_piece(self, key, &mut partitioned) {
                work(key, &entry)?;
            }
        }
        Ok(())
    }

    /// Returns the bytes of a tensor that were read along with its neighbours.
    fn shared_bytes(&self, spans: &[Bytes], share: &Share, entry: &BundleEntry) -> Option<Bytes> {
        let span = spans.get(share.span as usize)?;
        let start = share.start as usize;
        // A file that someone writes to need not say what it did the first time.
        let end = start.checked_add(usize::try_from(entry.size()).ok()?)?;
        (end <= span.len()).then(|| span.slice(start..end))
    }

    /// Adds the memory of a tensor to that of all before it, which must not become many times that of
    /// the shards.
    pub(crate) fn add_to(&self, total: &mut u64, tensor: &Tensor) -> Result<()> {
        let ends = tensor
            .strings()
            .or(tensor.opaque())
            .map_or(0, |strings| strings.len() * 8);
        *total += tensor.byte_len() + ends as u64;
        self.shards
            .check_total(*total)
            .map_err(|error| self.in_index(error))
    }

    /// Says whether a tensor is read along with its neighbours.
    fn is_small(&self, place: Place) -> bool {
        (1..=MAX_SMALL).contains(&place.size)
            && match (
                place.offset.checked_add(place.size),
                self.shards.open(place.shard),
            ) {
                (Some(end), Ok(shard)) => end <= shard.len(),
                _ => false,
            }
    }

    fn read_span(&self, first: &Small, end: u64) -> Result<Bytes> {
        let blob = self.shards.open(first.shard)?;
        let mut buffer = Buffer::new(end - first.offset)?;
        blob.read_into(first.offset, &mut buffer)
            .map_err(|error| error.in_file(self.shards.path(first.shard)))?;
        Ok(buffer.into_bytes())
    }

    /// Says where a tensor is in a span that begins with `first`, and sums its bytes while the
    /// processor has them at hand.
    fn share_of(&self, bytes: &Bytes, span: usize, first: &Small, tensor: &Small) -> Share {
        // Every place of a span lies between its ends.
        let start = (tensor.offset - first.offset) as usize;
        let crc = match tensor.dense && self.shards.verifies() {
            true => crc::crc32c(&bytes[start..start + tensor.size as usize]),
            false => 0,
        };
        Share {
            // An index with so many entries that this overflows would take 100 GB.
            span: span as u32,
            start: start as u32,
            crc,
        }
    }

    /// Reads everything and checks it: every block of the index, every tensor's place and checksum,
    /// that the pieces of partitioned tensors cover them. Works on all threads.
    ///
    /// # Errors
    ///
    /// Only what keeps the index from being read; faults of single tensors are in the result.
    pub fn verify(&self) -> Result<Verification> {
        self.verify_with(|_, _| {})
    }

    /// Checks as [`verify`](Self::verify) does, and calls `progress` as it goes on, from any thread: with
    /// how many bytes of tensors were compared with their checksums so far, and how many there are.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// # use savedmodel::BundleReader;
    ///
    /// let bundle = BundleReader::open("tests/fixtures/two_shards/variables/variables")?;
    /// let last = AtomicU64::new(0);
    /// let found = bundle.verify_with(|done, total| {
    ///     assert!(done <= total);
    ///     last.fetch_max(done, Ordering::Relaxed);
    /// })?;
    /// assert_eq!(last.into_inner(), found.bytes);
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`verify`](Self::verify).
    pub fn verify_with(&self, progress: impl Fn(u64, u64) + Sync) -> Result<Verification> {
        verify::verify(self, progress).map_err(|error| self.in_index(error))
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    pub(crate) fn shards(&self) -> &Shards {
        &self.shards
    }

    pub(crate) fn table(&self) -> &table::Reader {
        &self.table
    }

    /// Looks up an entry or the entry of a piece.
    pub(crate) fn stored_entry(&self, key: &[u8]) -> Result<Option<BundleEntry>> {
        if key.is_empty() {
            return Ok(None);
        }
        match self.table.find(key)? {
            Some((value, offset)) => BundleEntry::decode(&value)
                .map(Some)
                .map_err(|error| error.shifted(offset)),
            None => Ok(None),
        }
    }

    /// Reads the tensor of an entry that has bytes of its own.
    #[inline]
    pub(crate) fn stored_tensor(&self, entry: &BundleEntry, place: Place) -> Result<Tensor> {
        let payload = self.shards.share(place)?;
        self.tensor_from(entry, place, payload)
    }

    #[inline]
    fn tensor_from(
        &self,
        entry: &BundleEntry,
        place: Place,
        (bytes, crc): (Bytes, u32),
    ) -> Result<Tensor> {
        if let Kind::Dense { .. } = place.kind {
            // Bytes that are not what was written cannot be trusted to be a tensor either.
            self.shards.compare(entry.crc32c(), crc, place)?;
            if self.header.endianness == Endianness::Little {
                return match Tensor::from_bytes(entry.dtype(), entry.shape(), bytes) {
                    Err(error) => Err(self.in_shard(error, place)),
                    tensor => tensor,
                };
            }
        }
        let payload = Payload {
            entry,
            bytes,
            crc,
            endianness: self.header.endianness,
        };
        let (tensor, crc) = payload
            .into_tensor(place.kind, self.shards.verifies())
            .map_err(|error| self.in_shard(error, place))?;
        self.shards.compare(entry.crc32c(), crc, place)?;
        Ok(tensor)
    }

    #[cold]
    fn in_shard(&self, error: Error, place: Place) -> Error {
        self.shards
            .in_shard(error.shifted(place.offset), place.shard)
    }

    fn assemble(&self, key: &[u8], entry: &BundleEntry, slice: &TensorSlice) -> Result<Tensor> {
        Assembly::plan(self, key, entry, slice)?.into_tensor()
    }

    pub(crate) fn in_index(&self, error: Error) -> Error {
        error.in_file(&self.index_path)
    }

    /// Adds the tensor's name; what is said of no file is said of its entry in the index.
    pub(crate) fn for_tensor(&self, error: Error, key: &[u8]) -> Error {
        self.in_index(error.for_key(key))
    }

    #[cold]
    fn no_such_tensor(&self, key: &[u8]) -> Error {
        Error::new(ErrorKind::NotFound {
            what: "tensor".to_owned(),
            near: locate::near_keys(self, key),
        })
        .for_key(key)
    }
}

/// A tensor that is read along with its neighbours.
struct Small {
    offset: u64,
    shard: u32,
    size: u32,
    /// Whether its checksum is that of the bytes as they stand.
    dense: bool,
    index: usize,
}

impl Small {
    fn order(&self) -> u128 {
        u128::from(self.shard) << 64 | u128::from(self.offset)
    }
}

/// Where a small tensor is in the block it shares with its neighbours.
#[derive(Clone, Copy)]
struct Share {
    span: u32,
    start: u32,
    crc: u32,
}

impl Share {
    const NONE: Share = Share {
        span: u32::MAX,
        start: 0,
        crc: 0,
    };
}

/// Tensors up to this size are read along with their neighbours.
const MAX_SMALL: u64 = 256 << 10;
/// So many bytes that belong to none of them are read between two neighbours.
const MAX_GAP: u64 = 4 << 10;
/// So many bytes are read at once.
const MAX_SPAN: u64 = 8 << 20;

impl fmt::Debug for BundleReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BundleReader")
            .field("index", &self.index_path)
            .field("num_shards", &self.header.num_shards)
            .field("endianness", &self.header.endianness)
            .finish_non_exhaustive()
    }
}
