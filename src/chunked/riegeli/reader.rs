use std::sync::Mutex;

use super::block::{BLOCK, BlockHeader, byte_at, may_begin};
use super::chunk::{ChunkHeader, kind};
use super::values::Values;
use crate::error::{Error, Result};
use crate::store::Blob;
use crate::wire::varint;

/// Finds records by their position, and the last one.
///
/// Nothing is kept of the file but where the last chunk was found.
pub(in crate::chunked) struct RecordReader {
    blob: Blob,
    /// How much one chunk may decompress to.
    limit: u64,
    /// The chunk found last: the next one wanted mostly is the same or follows.
    near: Mutex<ChunkHeader>,
}

impl RecordReader {
    /// Checks how the file begins.
    pub(in crate::chunked) fn open(blob: Blob, limit: u64) -> Result<Self> {
        if blob.is_empty() {
            return Err(Error::malformed("the file is empty"));
        }
        let reader = RecordReader {
            blob,
            limit,
            near: Mutex::new(ChunkHeader::signature()),
        };
        let first = BlockHeader {
            previous_chunk: 0,
            next_chunk: 64,
        };
        let mut begin = [0; BlockHeader::LEN + ChunkHeader::LEN];
        let there = begin.len().min(reader.blob.len() as usize);
        reader.blob.read_into(0, &mut begin[..there])?;
        let (block, chunk) = begin.split_at(BlockHeader::LEN);
        if chunk != ChunkHeader::signature().encode() || block != first.encode() {
            return Err(Error::malformed("the file does not begin as files of records do").at(0));
        }
        Ok(reader)
    }

    /// Returns the length of the file.
    pub(in crate::chunked) fn len(&self) -> u64 {
        self.blob.len()
    }

    /// Finds the chunk and the index in it of the record at a position.
    pub(in crate::chunked) fn find(&self, position: u64) -> Result<(ChunkHeader, u64)> {
        let outside = || Error::malformed(format!("no record is at position {position}"));
        if position >= self.blob.len() {
            return Err(outside());
        }
        let near = *self.near();
        let from = match near.begin <= position && position < near.end {
            true => near,
            false => self.header(self.start_before(position, &near)?)?,
        };
        let mut chunk = from;
        while position >= chunk.end {
            if chunk.end >= self.blob.len() {
                return Err(outside());
            }
            chunk = self.header(chunk.end)?;
        }
        *self.near() = chunk;
        match position - chunk.begin {
            index if index < chunk.records => Ok((chunk, index)),
            _ => Err(outside().at(chunk.begin)),
        }
    }

    /// Finds the last chunk that has records, which must end where the file does or be followed
    /// only by chunks without.
    pub(in crate::chunked) fn last(&self) -> Result<(ChunkHeader, u64)> {
        let len = self.blob.len();
        let mut end = len;
        while end > 0 {
            let begin = self.start_before(end - 1, &ChunkHeader::signature())?;
            let (mut position, mut last) = (begin, None);
            while position < end {
                let chunk = self.header(position)?;
                if chunk.records > 0 {
                    last = Some(chunk);
                }
                position = chunk.end;
            }
            if let Some(chunk) = last {
                return Ok((chunk, chunk.records - 1));
            }
            end = begin;
        }
        Err(Error::malformed("the file has no records"))
    }

    /// Starts to read the records of a chunk.
    pub(in crate::chunked) fn values(&self, chunk: ChunkHeader) -> Result<Values> {
        Values::new(self.blob.clone(), chunk, self.limit)
    }

    /// Fills `out` with bytes of a chunk's data, from byte `offset` of it on. They are not hashed.
    pub(in crate::chunked) fn peek(
        &self,
        chunk: &ChunkHeader,
        mut offset: u64,
        mut out: &mut [u8],
    ) -> Result<()> {
        while !out.is_empty() {
            let size = offset.checked_add(ChunkHeader::LEN as u64);
            let position = size
                .and_then(|size| byte_at(chunk.begin, size))
                .unwrap_or(u64::MAX);
            let piece = (BLOCK - position % BLOCK).min(out.len() as u64);
            let (now, rest) = out.split_at_mut(piece as usize);
            self.blob.read_into(position, now)?;
            out = rest;
            offset += piece;
        }
        Ok(())
    }

    /// Returns from which byte of its data on a chunk's records lie as they are; `None` if they do
    /// not.
    pub(in crate::chunked) fn stored_at(&self, chunk: &ChunkHeader) -> Result<Option<u64>> {
        let mut head = [0; 11];
        let there = chunk.data_size.min(head.len() as u64) as usize;
        self.peek(chunk, 0, &mut head[..there])?;
        let start = match head[..there] {
            [0, ref rest @ ..] if chunk.kind == kind::SIMPLE => {
                varint::read_u64(rest).and_then(|(sizes, len)| sizes.checked_add(1 + len as u64))
            }
            _ => None,
        };
        let values = |start: &u64| start.checked_add(chunk.decoded_size) == Some(chunk.data_size);
        Ok(start.filter(values))
    }

    fn near(&self) -> std::sync::MutexGuard<'_, ChunkHeader> {
        let guard = self.near.lock();
        guard.unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Returns where a chunk begins that is not after `position`, and near it.
    fn start_before(&self, position: u64, near: &ChunkHeader) -> Result<u64> {
        let block = position / BLOCK * BLOCK;
        // What was found last is nearer than the chunk that the block interrupts.
        if near.begin <= position && near.begin >= block {
            return Ok(near.begin);
        }
        if block == 0 {
            return Ok(0);
        }
        let mut bytes = [0; BlockHeader::LEN];
        self.blob.read_into(block, &mut bytes)?;
        let header = BlockHeader::decode(&bytes, block)?;
        let begin = block.checked_sub(header.previous_chunk);
        let end = block.checked_add(header.next_chunk);
        match (begin, end) {
            (Some(_), Some(end)) if end <= position && may_begin(end) => Ok(end),
            (Some(begin), Some(_)) if may_begin(begin) => Ok(begin),
            _ => {
                Err(Error::malformed("a block's header points where no chunk can begin").at(block))
            }
        }
    }

    /// Reads the header of the chunk that begins at `begin`, and proves that it ends in the file.
    fn header(&self, begin: u64) -> Result<ChunkHeader> {
        let mut bytes = [0; ChunkHeader::LEN];
        self.read_header(begin, &mut bytes).map_err(|error| {
            error.remedy("the file is cut short: copy it again from its source")
        })?;
        let chunk = ChunkHeader::decode(&bytes, begin)?;
        if chunk.end > self.blob.len() {
            return Err(Error::malformed(format!(
                "a chunk should end at byte {}, but the file ends at byte {}",
                chunk.end,
                self.blob.len()
            ))
            .at(begin)
            .remedy("the file is cut short: copy it again from its source"));
        }
        let has_none = matches!(chunk.kind, kind::SIGNATURE | kind::METADATA | kind::PADDING);
        if has_none && chunk.records > 0 {
            return Err(
                Error::malformed("a chunk of a type without records says it has some").at(begin),
            );
        }
        Ok(chunk)
    }

    fn read_header(&self, begin: u64, bytes: &mut [u8; ChunkHeader::LEN]) -> Result<()> {
        let start = byte_at(begin, 0).unwrap_or(u64::MAX);
        let in_block = (BLOCK - start % BLOCK).min(bytes.len() as u64);
        let (now, rest) = bytes.split_at_mut(in_block as usize);
        self.blob.read_into(start, now)?;
        match rest {
            [] => Ok(()),
            rest => self
                .blob
                .read_into(start + in_block + BlockHeader::LEN as u64, rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::chunked::riegeli::RecordWriter;

    /// Byte `i` of record `s` is `i * 131 + 7 + s`.
    fn record(len: usize, seed: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 131 + 7 + seed) as u8).collect()
    }

    fn file(lengths: &[usize], batch: u64) -> (Vec<u8>, Vec<u64>) {
        let mut writer = RecordWriter::new(Cursor::new(Vec::new()), batch).unwrap();
        let add = |(seed, len): (usize, &usize)| writer.add(&[&record(*len, seed)]).unwrap();
        let positions = lengths.iter().enumerate().map(add).collect();
        (writer.finish().unwrap().0.into_inner(), positions)
    }

    fn read(reader: &RecordReader, position: u64) -> Result<Vec<u8>> {
        let (chunk, index) = reader.find(position)?;
        let mut values = reader.values(chunk)?;
        let (start, len) = values.place(index)?;
        values.skip_to(start)?;
        let mut out = vec![0; len as usize];
        values.read_exact(&mut out)?;
        values.finish()?;
        Ok(out)
    }

    #[test]
    fn large_records_have_their_hash_wherever_their_chunk_begins() {
        // The chunk of the large one begins near the end of a block, and of a page of the cache.
        let before = (1 << 16) - 64 - 40 - 5;
        for (batch, len) in [(0, before - 20), (0, before - 40), (0, (2 << 20) - 900)] {
            let lengths = [len, 9 << 20, 7];
            let (bytes, positions) = file(&lengths, batch);
            let reader = RecordReader::open(Blob::from_bytes(bytes), 1 << 20).unwrap();
            for (i, position) in positions.into_iter().enumerate() {
                let found = read(&reader, position).unwrap();
                assert!(found == record(lengths[i], i), "{len}, {i}");
            }
        }
    }

    #[test]
    fn what_is_written_is_found_by_position() {
        let lengths = [
            0, 5, 65_360, 70_000, 1, 0, 0, 200_000, 131_072, 3, 65_428, 10,
        ];
        for batch in [0, 100, 1 << 20] {
            let (bytes, positions) = file(&lengths, batch);
            let reader = RecordReader::open(Blob::from_bytes(bytes), 1 << 20).unwrap();
            // Forth, and back, where what was found last is of no use.
            for i in (0..lengths.len()).chain((0..lengths.len()).rev()) {
                let found = read(&reader, positions[i]).unwrap();
                assert!(found == record(lengths[i], i), "{i}, {batch}");
            }
            let (chunk, index) = reader.last().unwrap();
            assert_eq!(chunk.begin + index, positions[lengths.len() - 1]);
            assert!(reader.find(0).is_err());
            assert!(reader.find(positions[11] + 1).is_err());
            assert!(reader.find(u64::MAX).is_err());
        }
    }

    #[test]
    fn every_damaged_byte_is_seen() {
        let (bytes, positions) = file(&[5, 70_000, 0, 9], 0);
        let whole = |bytes: Vec<u8>| -> Result<()> {
            let reader = RecordReader::open(Blob::from_bytes(bytes), 1 << 20)?;
            reader.last()?;
            positions
                .iter()
                .try_for_each(|p| read(&reader, *p).map(drop))
        };
        whole(bytes.clone()).unwrap();
        let near_block = 65_500..65_600;
        for at in (0..250)
            .chain(near_block)
            .chain(bytes.len() - 200..bytes.len())
        {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            let error = whole(damaged).unwrap_err();
            assert!(error.offset().is_some(), "byte {at}: {error}");
        }
        for len in [0, 1, 63, 64, 65, 200, 65_540, bytes.len() - 1] {
            assert!(whole(bytes[..len].to_vec()).is_err(), "{len}");
        }
        for more in [&[0u8; 200][..], b"x"] {
            assert!(whole([&bytes[..], more].concat()).is_err());
        }
    }

    #[test]
    fn many_empty_records_have_positions_of_their_own() {
        let (bytes, positions) = file(&[0; 3000], 1 << 20);
        assert!(positions.is_sorted_by(|a, b| a < b));
        assert!(bytes.len() > 3000);
        let reader = RecordReader::open(Blob::from_bytes(bytes), 1 << 20).unwrap();
        assert!(
            positions
                .iter()
                .all(|p| read(&reader, *p).unwrap().is_empty())
        );
    }

    #[test]
    fn a_file_of_no_records_is_said_to_be_one() {
        let (bytes, _) = file(&[], 0);
        assert_eq!(bytes.len(), 64);
        let reader = RecordReader::open(Blob::from_bytes(bytes), 0).unwrap();
        assert!(
            reader
                .last()
                .unwrap_err()
                .to_string()
                .contains("no records")
        );
    }
}
