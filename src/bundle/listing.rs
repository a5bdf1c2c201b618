use super::entry::BundleEntry;
use crate::error::Result;
use crate::store::platform::Buffer;
use crate::table;

/// All names of a bundle in memory, with their entries, in key order.
///
/// Names and undecoded entries lie one behind the other in a few large blocks, so that a listing of
/// a million tensors takes less memory than their names in `String`s. The pieces of partitioned
/// tensors are among them; [`BundleReader::entries`](super::BundleReader::entries) leaves them out.
///
/// ```no_run
/// let listing = savedmodel::BundleReader::open("model/variables/variables")?.listing()?;
/// println!("{} entries", listing.len());
/// if let Some((key, entry)) = listing.get(0) {
///     println!("{}: {}", key.escape_ascii(), entry?.shape());
/// }
/// # Ok::<(), savedmodel::Error>(())
/// ```
pub struct Listing {
    chunks: Vec<Buffer>,
    records: Vec<Record>,
}

/// Where a name begins; its entry is behind it.
#[derive(Clone, Copy)]
struct Record {
    chunk: u32,
    start: u32,
    key_len: u32,
    value_len: u32,
}

const CHUNK: u64 = 4 << 20;

impl Listing {
    pub(crate) fn read(table: &table::Reader) -> Result<Self> {
        let mut listing = Listing {
            chunks: Vec::new(),
            records: Vec::new(),
        };
        let mut used = 0;
        let mut cursor = table.cursor();
        // The header is no tensor.
        cursor.next_entry()?;
        while let Some((key, value)) = cursor.next_entry()? {
            let len = key.len() + value.len();
            if listing
                .chunks
                .last()
                .is_none_or(|chunk| chunk.len() - used < len)
            {
                let size = table.file_len().min(CHUNK).max(len as u64);
                listing.chunks.push(Buffer::new(size)?);
                used = 0;
            }
            let chunk = listing.chunks.len() - 1;
            let place = &mut listing.chunks[chunk][used..used + len];
            place[..key.len()].copy_from_slice(key);
            place[key.len()..].copy_from_slice(value);
            // A chunk has 4 MiB, or one entry alone, whose lengths the table gives in 32 bits.
            listing.records.push(Record {
                chunk: chunk as u32,
                start: used as u32,
                key_len: key.len() as u32,
                value_len: value.len() as u32,
            });
            used += len;
        }
        Ok(listing)
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Says whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns name and entry number `index` in key order.
    ///
    /// The inner result is `Malformed` if the entry cannot be read.
    pub fn get(&self, index: usize) -> Option<(&[u8], Result<BundleEntry>)> {
        let (key, value) = self.bytes(*self.records.get(index)?);
        Some((key, decode(key, value)))
    }

    /// Finds a name; returns its number.
    ///
    /// # Errors
    ///
    /// With the number it would have, if it is not there.
    pub fn search(&self, key: &[u8]) -> Result<usize, usize> {
        self.records
            .binary_search_by(|record| self.bytes(*record).0.cmp(key))
    }

    /// Returns all names and entries in key order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], Result<BundleEntry>)> {
        self.records.iter().map(|record| {
            let (key, value) = self.bytes(*record);
            (key, decode(key, value))
        })
    }

    fn bytes(&self, record: Record) -> (&[u8], &[u8]) {
        let bytes = &self.chunks[record.chunk as usize][record.start as usize..];
        let (key, rest) = bytes.split_at(record.key_len as usize);
        (key, &rest[..record.value_len as usize])
    }
}

/// Where in the file the entry stood is forgotten; an offset in the entry would pass for that.
fn decode(key: &[u8], value: &[u8]) -> Result<BundleEntry> {
    BundleEntry::decode(value).map_err(|error| error.without_offset().for_key(key))
}

impl std::fmt::Debug for Listing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listing({} entries)", self.records.len())
    }
}
