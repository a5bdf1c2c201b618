use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prost::bytes::Bytes;

use super::contents::{Contents, Held};
use super::layout::Layout;
use super::metadata::{ChunkMetadata, ChunkedMessage};
use super::plan::Plan;
use super::riegeli::{ChunkHeader, RecordReader};
use crate::error::{Error, ErrorKind, Result};
use crate::store::Blob;
use crate::store::platform::Buffer;
use crate::wire::descriptor;

/// A message in chunks, as `saved_model.cpb` holds one.
///
/// Opening reads the last record, which says how the chunks make the message; the others are read
/// when they are asked for. Errors have the byte, where there is one, and not yet the file.
///
/// ```
/// use savedmodel::chunked::ChunkedProto;
/// use savedmodel::store::Blob;
///
/// let bytes = std::fs::read("tests/vectors/chunked/models/tf1_1000/saved_model.cpb")?;
/// let file = ChunkedProto::open(Blob::from_bytes(bytes))?;
/// assert_eq!(file.metadata().splitter_version, 1);
/// let model = file.merge("tensorflow.SavedModel")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ChunkedProto {
    records: RecordReader,
    metadata: ChunkMetadata,
    limit: u64,
    /// The chunk of small records that was decompressed last, under its begin.
    recent: Mutex<Option<(u64, Arc<Held>)>>,
}

/// What a file of no length may decompress to and be merged to; TensorFlow's programs without
/// constants are smaller.
const BASE_LIMIT: u64 = 64 << 20;
/// How many times its length a file may decompress to. Brotli can do a thousand times better, but
/// not on anything worth keeping.
const MAX_EXPANSION: u64 = 1024;
/// Records that share a chunk of up to this size are kept for the next one asked for.
const KEPT: u64 = 16 << 20;

impl ChunkedProto {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// `Malformed` if it is no file of records, is cut or damaged where it was read, or if its last
    /// record does not say what its chunks are.
    pub fn open(blob: Blob) -> Result<Self> {
        let limit = blob
            .len()
            .saturating_mul(MAX_EXPANSION)
            .saturating_add(BASE_LIMIT);
        ChunkedProto::open_within(blob, limit)
    }

    /// Opens a file whose chunks and message may take up to `limit` bytes. By default that is 64
    /// MiB and 1024 times the file's length.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn open_within(blob: Blob, limit: u64) -> Result<Self> {
        let records = RecordReader::open(blob, limit)?;
        let last = records.last()?;
        let mut file = ChunkedProto {
            records,
            metadata: ChunkMetadata::default(),
            limit,
            recent: Mutex::new(None),
        };
        let metadata = file.record(last, None)?;
        file.metadata = ChunkMetadata::decode(&metadata)
            .map_err(|error| error.without_offset().at(last.0.begin))?;
        if u32::try_from(file.metadata.chunks.len()).is_err() {
            return Err(Error::malformed("the file has too many chunks"));
        }
        Ok(file)
    }

    /// Returns what the last record says.
    pub fn metadata(&self) -> &ChunkMetadata {
        &self.metadata
    }

    /// Reads one chunk.
    ///
    /// # Errors
    ///
    /// `Malformed` if there is no chunk of that index, if it is not where it should be, not as long
    /// as it should be, or damaged; `Unsupported` if it is stored in a way that is not supported;
    /// `TooLarge` beyond the limit; `Io`.
    pub fn chunk(&self, index: u64) -> Result<Bytes> {
        let (id, size) = self.check(Some(index))?;
        self.record(self.place(id)?, Some(size))
    }

    /// Puts the whole message together; `name` is its type, for instance `tensorflow.SavedModel`.
    ///
    /// The rules are those of `Merger` in `tensorflow/tools/proto_splitter/merge.cc`. Every hash is
    /// compared on the way, every chunk that takes part is read, and memory is taken for the
    /// message and little more.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a message that is none of TensorFlow's; `Malformed` where the chunks do
    /// not fit together; what [`chunk`](Self::chunk) answers.
    pub fn merge(&self, name: &str) -> Result<Bytes> {
        self.merge_message(&self.metadata.message, name)
    }

    /// Puts a message together as [`merge`](Self::merge) does, of other chunks than the file says:
    /// those that are of interest.
    ///
    /// # Errors
    ///
    /// As for [`merge`](Self::merge).
    pub fn merge_message(&self, message: &ChunkedMessage, name: &str) -> Result<Bytes> {
        let Some(root) = descriptor::Message::named(name) else {
            return Err(Error::invalid_argument(format!(
                "TensorFlow has no message `{name}`"
            )));
        };
        let mut plan = Plan::new(self, root);
        plan.merge(message)?;
        Layout::new(self, plan)?.fill()
    }

    /// Proves that there is a chunk of that index; returns it with its length.
    pub(super) fn check(&self, index: Option<u64>) -> Result<(u32, u64)> {
        let Some(index) = index else {
            return Err(Error::malformed(
                "a field in a chunk of its own has no chunk",
            ));
        };
        let info = usize::try_from(index)
            .ok()
            .and_then(|i| self.metadata.chunks.get(i));
        match info {
            Some(info) => Ok((index as u32, info.size)),
            None => Err(Error::malformed(format!(
                "chunk {index} is referred to, but there are {}",
                self.metadata.chunks.len()
            ))),
        }
    }

    pub(super) fn size(&self, id: u32) -> u64 {
        self.metadata
            .chunks
            .get(id as usize)
            .map_or(0, |info| info.size)
    }

    pub(super) fn position(&self, id: u32) -> u64 {
        self.metadata
            .chunks
            .get(id as usize)
            .map_or(0, |info| info.offset)
    }

    pub(super) fn records(&self) -> &RecordReader {
        &self.records
    }

    /// Finds the record of a chunk. What can be known of its length without reading is compared.
    pub(super) fn place(&self, id: u32) -> Result<(ChunkHeader, u64)> {
        let (header, index) = self.records.find(self.position(id))?;
        let size = self.size(id);
        match size > header.decoded_size || header.records == 1 && size != header.decoded_size {
            true => Err(wrong_size(size, header.decoded_size).at(header.begin)),
            false => Ok((header, index)),
        }
    }

    /// Refuses what is beyond the limit.
    pub(super) fn check_limit(&self, what: &str, size: u64) -> Result<()> {
        match size > self.limit {
            true => Err(Error::new(ErrorKind::TooLarge {
                what: what.to_owned(),
                size,
                limit: self.limit,
            })
            .remedy(
                "if the file is to be trusted, `ChunkedProto::open_within` takes another limit",
            )),
            false => Ok(()),
        }
    }

    /// Decompresses all records of a Riegeli chunk, or takes them from where they are.
    pub(super) fn hold(&self, header: ChunkHeader) -> Result<Arc<Held>> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((begin, held)) = &*recent
            && *begin == header.begin
        {
            return Ok(Arc::clone(held));
        }
        let held = Arc::new(Held::read(self.records.values(header)?, &header)?);
        if header.records > 1 && header.decoded_size <= KEPT {
            *recent = Some((header.begin, Arc::clone(&held)));
        }
        Ok(held)
    }

    fn record(&self, place: (ChunkHeader, u64), size: Option<u64>) -> Result<Bytes> {
        let (header, index) = place;
        if header.records > 1 && header.decoded_size <= KEPT {
            let held = self.hold(header)?;
            let (start, len) = held.record(index, &header)?;
            expect_size(size, len, &header)?;
            let mut out = vec![0; len as usize];
            held.copy(start, &mut out);
            return Ok(out.into());
        }
        let mut values = self.records.values(header)?;
        let (start, len) = values.place(index)?;
        expect_size(size, len, &header)?;
        values.skip_to(start)?;
        let mut out = Buffer::new(len)?;
        values.read_exact(&mut out)?;
        values.finish()?;
        Ok(out.into_bytes())
    }

    /// Opens a chunk to be looked into.
    pub(super) fn contents(&self, id: u32, held: &mut HashMap<u64, Arc<Held>>) -> Result<Contents> {
        let (header, index) = self.place(id)?;
        if header.records == 1
            && header.decoded_size >= LARGE
            && let Some(start) = self.records.stored_at(&header)?
        {
            let len = header.decoded_size;
            return Ok(Contents::Stored { header, start, len });
        }
        let values = match held.get(&header.begin) {
            Some(values) => Arc::clone(values),
            None => {
                let values = self.hold(header)?;
                held.insert(header.begin, Arc::clone(&values));
                values
            }
        };
        let (start, len) = values.record(index, &header)?;
        expect_size(Some(self.size(id)), len, &header)?;
        Ok(Contents::Held { values, start, len })
    }
}

/// From this size on, a record that is not compressed is looked into where it lies.
const LARGE: u64 = 1 << 20;

pub(super) fn expect_size(size: Option<u64>, len: u64, header: &ChunkHeader) -> Result<()> {
    match size {
        Some(size) if size != len => Err(wrong_size(size, len).at(header.begin)),
        _ => Ok(()),
    }
}

fn wrong_size(size: u64, len: u64) -> Error {
    Error::malformed(format!(
        "a chunk should have {size} bytes, but its record has {len}"
    ))
}

impl fmt::Debug for ChunkedProto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkedProto")
            .field("bytes", &self.records.len())
            .field("chunks", &self.metadata.chunks.len())
            .finish_non_exhaustive()
    }
}
