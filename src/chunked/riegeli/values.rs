use super::chunk::{ChunkHeader, kind};
use super::compression::{self, Brotli, Compression};
use super::payload::Payload;
use crate::error::{Error, ErrorKind, Result};
use crate::store::Blob;
use crate::store::platform::Buffer;
use crate::wire::varint;

/// The records of one chunk, read one after the other.
pub(in crate::chunked) struct Values {
    chunk: ChunkHeader,
    /// The varints of the records' lengths.
    sizes: Vec<u8>,
    source: Source,
    /// How many bytes of records were read.
    position: u64,
}

enum Source {
    Stored(Payload),
    Brotli(Box<Brotli>),
    /// Decompressed at once: Snappy has no other way.
    Whole(Buffer, Payload),
}

impl Values {
    /// Starts at the first record of a chunk. No more than `limit` bytes are decompressed.
    pub(super) fn new(blob: Blob, chunk: ChunkHeader, limit: u64) -> Result<Self> {
        match chunk.kind {
            kind::SIMPLE => {}
            kind::TRANSPOSED => {
                return Err(Error::unsupported("records in a transposed chunk")
                    .at(chunk.begin)
                    .remedy("write the file without the Riegeli option `transpose`"));
            }
            other => {
                return Err(Error::unsupported(format!(
                    "a chunk of the type `{}`, of which nothing is known, has records",
                    char::from(other).escape_default()
                ))
                .at(chunk.begin));
            }
        }
        let mut payload = Payload::new(blob, chunk)?;
        let read = Values::read_sizes(&mut payload, &chunk, limit);
        let (compression, sizes) = read.map_err(|error| error.at(chunk.begin))?;
        let source = Values::source(payload, &chunk, compression, limit);
        Ok(Values {
            chunk,
            sizes,
            source: source.map_err(|error| error.at(chunk.begin))?,
            position: 0,
        })
    }

    fn read_sizes(
        payload: &mut Payload,
        chunk: &ChunkHeader,
        limit: u64,
    ) -> Result<(Compression, Vec<u8>)> {
        let mut byte = [0];
        payload.read_exact(&mut byte)?;
        let compression = Compression::decode(byte[0])?;
        let stored = read_varint(payload)?;
        if stored > payload.left() {
            return Err(payload.cut());
        }
        let mut sizes = vec![0; stored as usize];
        payload.read_exact(&mut sizes)?;
        if compression != Compression::None {
            sizes = decompress(compression, &sizes, limit)?;
        }
        let (mut rest, mut count, mut sum) = (&sizes[..], 0u64, 0u64);
        while let Some((size, len)) = varint::read_u64(rest) {
            rest = &rest[len..];
            count += 1;
            sum = sum.saturating_add(size);
        }
        if !rest.is_empty() || count != chunk.records || sum != chunk.decoded_size {
            return Err(Error::malformed(
                "the lengths of a chunk's records are not those that its header says",
            ));
        }
        Ok((compression, sizes))
    }

    fn source(
        mut payload: Payload,
        chunk: &ChunkHeader,
        compression: Compression,
        limit: u64,
    ) -> Result<Source> {
        let len = match compression {
            Compression::None => payload.left(),
            // The parts of a chunk without values may be left out altogether.
            _ if payload.left() == 0 => 0,
            _ => read_varint(&mut payload)?,
        };
        if len != chunk.decoded_size {
            return Err(Error::malformed(format!(
                "a chunk has records of {} bytes, but {len} bytes of them",
                chunk.decoded_size
            )));
        }
        Ok(match compression {
            Compression::None => Source::Stored(payload),
            _ if len == 0 => Source::Stored(payload),
            _ if len > limit => return Err(too_large(len, limit)),
            Compression::Brotli => Source::Brotli(Box::new(Brotli::new(payload))),
            Compression::Snappy => {
                let mut stored = Buffer::new(payload.left())?;
                payload.read_exact(&mut stored)?;
                Source::Whole(compression::snappy(&stored, len)?, payload)
            }
        })
    }

    /// Returns where a record begins among the bytes of all, and how long it is.
    pub(in crate::chunked) fn place(&self, index: u64) -> Result<(u64, u64)> {
        let (mut rest, mut start) = (&self.sizes[..], 0);
        for _ in 0..index {
            let (size, len) = varint::read_u64(rest).unwrap_or((0, 0));
            rest = &rest[len..];
            start += size;
        }
        match varint::read_u64(rest) {
            Some((size, _)) => Ok((start, size)),
            None => {
                Err(Error::malformed("a chunk has no record of that index").at(self.chunk.begin))
            }
        }
    }

    /// Walks the lengths of the records.
    pub(in crate::chunked) fn lengths(&self) -> impl Iterator<Item = u64> {
        let mut rest = &self.sizes[..];
        std::iter::from_fn(move || {
            let (size, len) = varint::read_u64(rest)?;
            rest = &rest[len..];
            Some(size)
        })
    }

    /// Returns how many bytes of records were read or skipped.
    pub(in crate::chunked) fn position(&self) -> u64 {
        self.position
    }

    /// Reads on.
    pub(in crate::chunked) fn read_exact(&mut self, out: &mut [u8]) -> Result<()> {
        let start = self.position;
        let read = match &mut self.source {
            Source::Stored(payload) => payload.read_exact(out),
            Source::Brotli(brotli) => brotli.read_exact(out),
            Source::Whole(values, _) => {
                let bytes = values
                    .get(start as usize..)
                    .and_then(|rest| rest.get(..out.len()));
                bytes
                    .map(|bytes| out.copy_from_slice(bytes))
                    .ok_or_else(|| Error::malformed("a chunk's data ends before its records do"))
            }
        };
        read.map_err(|error| error.at(self.chunk.begin))?;
        self.position += out.len() as u64;
        Ok(())
    }

    /// Goes on to byte `position` of all records.
    pub(in crate::chunked) fn skip_to(&mut self, position: u64) -> Result<()> {
        let mut len = position.saturating_sub(self.position);
        match &mut self.source {
            Source::Stored(payload) => payload.skip(len)?,
            Source::Whole(..) => {}
            Source::Brotli(_) => {
                let mut scratch = [0; 16 << 10];
                while len > 0 {
                    let piece = len.min(scratch.len() as u64) as usize;
                    self.read_exact(&mut scratch[..piece])?;
                    len -= piece as u64;
                }
                return Ok(());
            }
        }
        self.position += len;
        Ok(())
    }

    /// Reads what is left, proves that it is all there is, and compares the hash.
    pub(in crate::chunked) fn finish(mut self) -> Result<()> {
        self.skip_to(self.chunk.decoded_size)?;
        match self.source {
            Source::Stored(payload) | Source::Whole(_, payload) => payload.finish(),
            Source::Brotli(brotli) => {
                let payload = brotli
                    .finish()
                    .map_err(|error| error.at(self.chunk.begin))?;
                payload.finish()
            }
        }
    }
}

fn read_varint(payload: &mut Payload) -> Result<u64> {
    let (mut bytes, mut len) = ([0; 10], 0);
    while len < bytes.len() {
        payload.read_exact(&mut bytes[len..=len])?;
        len += 1;
        if bytes[len - 1] < 0x80 {
            break;
        }
    }
    match varint::read_u64(&bytes[..len]) {
        Some((value, _)) => Ok(value),
        None => Err(Error::malformed("a length in a chunk is too large")),
    }
}

/// Decompresses lengths, which begin with how long they are.
fn decompress(compression: Compression, stored: &[u8], limit: u64) -> Result<Vec<u8>> {
    if stored.is_empty() {
        return Ok(Vec::new());
    }
    let Some((len, header)) = varint::read_u64(stored) else {
        return Err(Error::malformed("a length in a chunk is too large"));
    };
    if len > limit {
        return Err(too_large(len, limit));
    }
    match compression {
        _ if len == 0 => Ok(Vec::new()),
        Compression::Snappy => Ok(compression::snappy(&stored[header..], len)?.to_vec()),
        _ => compression::brotli(&stored[header..], len),
    }
}

fn too_large(size: u64, limit: u64) -> Error {
    Error::new(ErrorKind::TooLarge {
        what: "what records decompress to".to_owned(),
        size,
        limit,
    })
}
