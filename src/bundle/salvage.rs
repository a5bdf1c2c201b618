use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost::bytes::Bytes;

use super::cursor::is_piece;
use super::entry::BundleEntry;
use super::header::Header;
use super::key::{Key, piece_key, read_piece_key};
use super::locate::no_index;
use super::reader::BundleReader;
use super::writer::BundleWriter;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Blob, LocalStore, Mapping, Store};
use crate::table;
use crate::tensor::TensorSlice;

/// What [`salvage`] saved, and what it could not.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Salvage {
    /// How many tensors were copied, a partitioned one counted once.
    pub tensors: u64,
    /// How many bytes of tensors were copied.
    pub bytes: u64,
    /// Whether the header was lost, and the number of shards taken from the names of the data files.
    pub header_lost: bool,
    /// All that was lost: parts of the index first, then tensors in key order.
    pub losses: Vec<Loss>,
}

/// Bytes of a damaged bundle that nobody can trust any more.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loss {
    /// The tensor; `None` where the index is so damaged that the names are lost too.
    pub key: Option<Key>,
    /// Of a partitioned tensor, the piece. Its other pieces are listed only if they are damaged too,
    /// but without this one none of them was copied.
    pub slice: Option<TensorSlice>,
    /// The shard; `None` if it is the index that is damaged.
    pub shard: Option<u32>,
    /// The file.
    pub path: PathBuf,
    /// Which bytes of it.
    pub range: Range<u64>,
    /// Of a lost part of the index: the last key before it and the first one behind. All that was
    /// lost with it was between them.
    pub between: Option<(Option<Key>, Option<Key>)>,
    /// What is wrong with them.
    pub error: Error,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.key, &self.between) {
            (Some(key), _) => write!(f, "`{key}`")?,
            (None, Some((None, None))) => write!(f, "all tensors")?,
            (None, Some((Some(after), None))) => write!(f, "tensors behind `{after}`")?,
            (None, Some((None, Some(before)))) => write!(f, "tensors before `{before}`")?,
            (None, Some((Some(after), Some(before)))) => {
                write!(f, "tensors between `{after}` and `{before}`")?;
            }
            (None, None) => write!(f, "nothing but the end of the index")?,
        }
        if let Some(slice) = &self.slice {
            write!(f, ", slice {slice}")?;
        }
        let Range { start, end } = self.range;
        write!(f, ": bytes {start}..{end} of {}: ", self.path.display())?;
        write!(f, "{}", self.error.kind())
    }
}

/// Copies every intact tensor of a damaged bundle, and says exactly what was lost.
///
/// A tensor is intact if its entry in the index is, if all its bytes are there, and if they have the
/// checksum they were written with. Blocks of the index whose checksum holds are used even where the
/// footer or the block that says where they are is damaged or missing; a shard that is missing costs
/// the tensors in it, and no other. A partitioned tensor is copied in its pieces, all or none. The
/// bundle itself is not touched. `into` is left open: [`finish`](BundleWriter::finish) completes it.
///
/// ```
/// # let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/bundles/all_dtypes");
/// # let directory = std::env::temp_dir().join(format!("savedmodel-salvage-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # for file in ["b.index", "b.data-00000-of-00001"] {
/// #     std::fs::copy(format!("{vectors}/{file}"), directory.join(file))?;
/// # }
/// # let damaged = directory.join("b");
/// # let shard = directory.join("b.data-00000-of-00001");
/// use savedmodel::{BundleWriter, bundle};
///
/// # let mut bytes = std::fs::read(&shard)?;
/// # bytes[0] ^= 1;
/// # std::fs::write(&shard, bytes)?;
/// let mut intact = BundleWriter::create(directory.join("intact"))?;
/// let salvage = bundle::salvage(&damaged, &mut intact)?;
/// intact.finish()?;
/// for loss in &salvage.losses {
///     println!("{loss}");
/// }
/// assert_eq!(salvage.losses.len(), 1);
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// # Errors
///
/// `NotFound` without an index file, or if the header is lost and no data file says how many shards
/// there are; `Io` if the copy cannot be written. What is wrong with tensors is in the result.
pub fn salvage(prefix: impl AsRef<Path>, into: &mut BundleWriter) -> Result<Salvage> {
    let prefix = prefix.as_ref();
    let Some(name) = prefix.file_name().and_then(|name| name.to_str()) else {
        return Err(Error::invalid_argument(
            "a bundle's prefix ends with a name in Unicode, as in `variables/variables`",
        )
        .in_file(prefix));
    };
    let directory = prefix.parent().unwrap_or(Path::new(""));
    // Of a disk that goes bad a mapped page is a signal, and a read one an error.
    let store = LocalStore::new(directory).with_mapping(Mapping::Never);
    salvage_in(Arc::new(store), name, into)
}

/// Copies every intact tensor of a damaged bundle in a store, as [`salvage`] does.
///
/// # Errors
///
/// As for [`salvage`].
pub fn salvage_in(store: Arc<dyn Store>, prefix: &str, into: &mut BundleWriter) -> Result<Salvage> {
    let index_name = format!("{prefix}.index");
    let index_path = store.display(&index_name);
    let in_index = |error: Error| error.in_file(&index_path);
    let index = store
        .open(&index_name)
        .map_err(|error| in_index(no_index(error, &*store, prefix)))?;
    let mut salvage = Salvage::default();
    let (header, entries) = recover_index(&index, &index_path, &mut salvage).map_err(in_index)?;
    let header = match header {
        Some(header) => header,
        None => {
            salvage.header_lost = true;
            Header {
                num_shards: count_shards(&*store, prefix)?,
                ..Header::WRITTEN
            }
        }
    };
    let sound = SoundIndex {
        index: write_table(&header, &entries)?,
        name: index_name,
        store,
    };
    drop(entries);
    let bundle = BundleReader::options().open_in(Arc::new(sound), prefix)?;
    copy(&bundle, &mut salvage, into)?;
    Ok(salvage)
}

/// A value of the index: where it was and what it is.
type Stored = (Vec<u8>, Bytes);

/// Takes what is sound from the index, in key order, and notes what is not.
fn recover_index(
    index: &Blob,
    path: &Path,
    salvage: &mut Salvage,
) -> Result<(Option<Header>, Vec<Stored>)> {
    let mut recovery = table::recover(index)?;
    for (range, error) in recovery.lost {
        let before = recovery.entries.iter().rfind(|entry| entry.2 < range.start);
        let behind = recovery.entries.iter().find(|entry| entry.2 >= range.end);
        let name = |entry: &(Vec<u8>, Bytes, u64)| match read_piece_key(&entry.0) {
            Some((name, _)) => Key::from(&name[..]),
            None => Key::from(&entry.0[..]),
        };
        // What the end of a file says is known, where all blocks before it were found.
        let is_end = range.end == index.len() && behind.is_none() && range.start > 0;
        salvage.losses.push(Loss {
            key: None,
            slice: None,
            shard: None,
            path: path.to_owned(),
            range,
            between: (!is_end || !recovery.complete).then(|| {
                let named = before.filter(|entry| !entry.0.is_empty());
                (named.map(name), behind.map(name))
            }),
            error: error.in_file(path),
        });
    }
    let mut header = None;
    recovery.entries.sort_by(|a, b| a.0.cmp(&b.0));
    recovery.entries.dedup_by(|a, b| a.0 == b.0);
    let mut entries = Vec::with_capacity(recovery.entries.len());
    for (key, value, offset) in recovery.entries {
        let decoded = match key.is_empty() {
            true => Header::decode(&value).map(|found| header = Some(found)),
            false => BundleEntry::decode(&value).map(drop),
        };
        match decoded {
            Ok(()) if key.is_empty() => {}
            Ok(()) => entries.push((key, value)),
            Err(error) => salvage.losses.push(Loss {
                key: (!key.is_empty()).then(|| key[..].into()),
                slice: None,
                shard: None,
                path: path.to_owned(),
                range: offset..offset + value.len() as u64,
                between: None,
                error: error.shifted(offset).for_key(&key).in_file(path),
            }),
        }
    }
    Ok((header, entries))
}

fn write_table(header: &Header, entries: &[Stored]) -> Result<Bytes> {
    let mut table = table::Writer::new(Vec::new());
    table.add(b"", &header.encode())?;
    for (key, value) in entries {
        table.add(key, value)?;
    }
    Ok(table.finish()?.into())
}

/// Finds the number of shards in the names of the data files.
fn count_shards(store: &dyn Store, prefix: &str) -> Result<u32> {
    let (directory, name) = prefix.rsplit_once('/').unwrap_or(("", prefix));
    let mut counts: Vec<u32> = Vec::new();
    for file in store.list(directory)? {
        let numbers = file
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix(".data-"))
            .and_then(|rest| rest.split_once("-of-"));
        if let Some((_, count)) = numbers
            && let Ok(count) = count.parse()
            && count > 0
            && !counts.contains(&count)
        {
            counts.push(count);
        }
    }
    match counts[..] {
        [count] => Ok(count),
        [] => Err(Error::not_found("data file of the bundle").in_file(store.display(prefix))),
        _ => Err(Error::invalid_argument(
            "the header is lost, and there are data files of several bundles of this name",
        )
        .in_file(store.display(prefix))
        .remedy("move those aside that do not belong to it")),
    }
}

/// The bundle's own store, with an index in which everything is sound.
#[derive(Debug)]
struct SoundIndex {
    name: String,
    index: Bytes,
    store: Arc<dyn Store>,
}

impl Store for SoundIndex {
    fn open(&self, name: &str) -> io::Result<Blob> {
        match name == self.name {
            true => Ok(Blob::from_bytes(self.index.clone())),
            false => self.store.open(name),
        }
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        self.store.list(directory)
    }

    fn display(&self, name: &str) -> PathBuf {
        self.store.display(name)
    }
}

fn copy(bundle: &BundleReader, salvage: &mut Salvage, into: &mut BundleWriter) -> Result<()> {
    let mut partitioned = None;
    let mut cursor = bundle.cursor();
    while let Some((key, entry)) = cursor.next_entry()? {
        if is_piece(bundle, key, &mut partitioned) {
            continue;
        }
        let bytes = if let Some((name, slice)) = read_piece_key(key) {
            let error = Error::malformed("the entry of the whole tensor is lost");
            let error = error.for_key(&name).in_file(bundle.index_path());
            salvage.lose(bundle, &name, Some(&slice), &entry, error);
            continue;
        } else if entry.is_partitioned() {
            copy_pieces(bundle, key, &entry, salvage, into)?
        } else {
            match bundle.tensor_of(key, &entry) {
                Ok(tensor) => match into.add(key, &tensor) {
                    Ok(()) => Some(tensor.byte_len()),
                    Err(error) => {
                        salvage.lose(bundle, key, None, &entry, of_tensor(error)?);
                        None
                    }
                },
                Err(error) => {
                    salvage.lose(bundle, key, None, &entry, error);
                    None
                }
            }
        };
        salvage.tensors += u64::from(bytes.is_some());
        salvage.bytes += bytes.unwrap_or(0);
    }
    Ok(())
}

/// Copies the pieces of a partitioned tensor, if all are intact; returns how many bytes they have.
fn copy_pieces(
    bundle: &BundleReader,
    key: &[u8],
    entry: &BundleEntry,
    salvage: &mut Salvage,
    into: &mut BundleWriter,
) -> Result<Option<u64>> {
    let mut pieces = Vec::with_capacity(entry.slices().len());
    let losses = salvage.losses.len();
    for slice in entry.slices() {
        let piece = piece_key(key, slice);
        match bundle.stored_entry(&piece) {
            Ok(Some(found)) => match bundle.tensor_of(&piece, &found) {
                Ok(tensor) => pieces.push((slice, tensor)),
                Err(error) => {
                    salvage.lose(bundle, key, Some(slice), &found, error.for_key(key));
                }
            },
            Ok(None) => {
                let error = Error::malformed("the entry of a piece is lost");
                let error = error.for_key(key).in_file(bundle.index_path());
                salvage.lose(bundle, key, Some(slice), entry, error);
            }
            Err(error) => salvage.lose(bundle, key, Some(slice), entry, error),
        }
    }
    if salvage.losses.len() > losses {
        return Ok(None);
    }
    // That they make up the whole was not proved by reading them one by one.
    if let Err(error) = bundle.pieces(key, entry) {
        salvage.lose(bundle, key, None, entry, error);
        return Ok(None);
    }
    let mut bytes = 0;
    for (slice, tensor) in pieces {
        match into.add_slice(key, entry.shape(), slice, &tensor) {
            Ok(()) => bytes += tensor.byte_len(),
            Err(error) => {
                salvage.lose(bundle, key, Some(slice), entry, of_tensor(error)?);
                return Ok(None);
            }
        }
    }
    Ok(Some(bytes))
}

/// Returns what keeps this tensor from being written; fails if it is the machine that does.
fn of_tensor(error: Error) -> Result<Error> {
    match error.kind() {
        ErrorKind::Io { .. } => Err(error),
        _ => Ok(error),
    }
}

impl Salvage {
    /// Says whether there was nothing to lose.
    pub fn is_complete(&self) -> bool {
        self.losses.is_empty()
    }

    fn lose(
        &mut self,
        bundle: &BundleReader,
        key: &[u8],
        slice: Option<&TensorSlice>,
        entry: &BundleEntry,
        error: Error,
    ) {
        let place = (!entry.is_partitioned())
            .then(|| {
                Some((
                    u32::try_from(entry.shard_id()).ok()?,
                    entry.offset(),
                    entry.size(),
                ))
            })
            .flatten();
        let (shard, path, range) = match place {
            Some((shard, offset, size)) => {
                let start = u64::try_from(offset).unwrap_or(0);
                let end = start.saturating_add(u64::try_from(size).unwrap_or(0));
                (Some(shard), bundle.shards().path(shard), start..end)
            }
            None => (None, bundle.index_path().to_owned(), 0..0),
        };
        self.losses.push(Loss {
            key: Some(key.into()),
            slice: slice.cloned(),
            shard,
            path,
            range,
            between: None,
            error,
        });
    }
}
