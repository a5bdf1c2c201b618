use std::io::{self, Seek, Write};
use std::thread;

use super::block::{BLOCK, BLOCK_HEADER, BlockHeader, Hash, after, byte_at, chunk_end};
use super::chunk::{ChunkHeader, kind};
use super::page_writer::PageWriter;
use crate::wire::varint;

/// From this size on, a chunk's data is hashed while it is written.
const LARGE: u64 = 8 << 20;

/// Writes records into uncompressed simple chunks.
///
/// Records are gathered in a chunk while they take no more than `batch` bytes, as Riegeli counts
/// them: eight more than each has. With 0 every record has a chunk of its own.
pub(in crate::chunked) struct RecordWriter<W> {
    out: PageWriter<W>,
    /// How long the file is with what is not written yet.
    len: u64,
    batch: u64,
    gathered: Gathered,
}

/// Records of a chunk that is not closed yet.
#[derive(Default)]
struct Gathered {
    sizes: Vec<u8>,
    values: Vec<u8>,
    records: u64,
}

impl Gathered {
    fn clear(&mut self) {
        self.sizes.clear();
        self.values.clear();
        self.records = 0;
    }

    fn counted(&self) -> u64 {
        counted(self.values.len() as u64) + 8 * self.records.saturating_sub(1)
    }
}

fn counted(len: u64) -> u64 {
    len.saturating_add(8)
}

impl<W: Write + Seek> RecordWriter<W> {
    pub(in crate::chunked) fn new(out: W, batch: u64) -> io::Result<Self> {
        let mut writer = RecordWriter {
            out: PageWriter::new(out),
            len: 0,
            batch,
            gathered: Gathered::default(),
        };
        writer.write_chunk(kind::SIGNATURE, 0, &[], &[])?;
        Ok(writer)
    }

    /// Writes a record that is the parts joined; returns its position.
    pub(in crate::chunked) fn add(&mut self, parts: &[&[u8]]) -> io::Result<u64> {
        let len: u64 = parts.iter().map(|part| part.len() as u64).sum();
        if self.gathered.records > 0 && self.gathered.counted() + counted(len) > self.batch {
            self.close_chunk()?;
        }
        let position = self.len + self.gathered.records;
        if counted(len) > self.batch {
            let mut size = Vec::new();
            varint::write_u64(&mut size, len);
            self.write_records(1, &size, parts)?;
            return Ok(position);
        }
        varint::write_u64(&mut self.gathered.sizes, len);
        for part in parts {
            self.gathered.values.extend_from_slice(part);
        }
        self.gathered.records += 1;
        if self.gathered.counted() + counted(0) > self.batch {
            self.close_chunk()?;
        }
        Ok(position)
    }

    /// Writes what is gathered; returns the file and its length.
    pub(in crate::chunked) fn finish(mut self) -> io::Result<(W, u64)> {
        self.close_chunk()?;
        Ok((self.out.finish()?, self.len))
    }

    fn close_chunk(&mut self) -> io::Result<()> {
        if self.gathered.records > 0 {
            let mut gathered = std::mem::take(&mut self.gathered);
            self.write_records(gathered.records, &gathered.sizes, &[&gathered.values])?;
            // The memory is for the next chunk.
            gathered.clear();
            self.gathered = gathered;
        }
        Ok(())
    }

    fn write_records(&mut self, records: u64, sizes: &[u8], parts: &[&[u8]]) -> io::Result<()> {
        // The compression, none, and the length of the sizes.
        let mut head = vec![0];
        varint::write_u64(&mut head, sizes.len() as u64);
        head.extend_from_slice(sizes);
        self.write_chunk(kind::SIMPLE, records, &head, parts)
    }

    fn write_chunk(
        &mut self,
        kind: u8,
        records: u64,
        head: &[u8],
        parts: &[&[u8]],
    ) -> io::Result<()> {
        let values: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let data_size = values + head.len() as u64;
        let too_large = || io::Error::from(io::ErrorKind::FileTooLarge);
        let size = data_size + ChunkHeader::LEN as u64;
        let mut chunk = ChunkHeader {
            begin: self.len,
            end: chunk_end(self.len, size, records).ok_or_else(too_large)?,
            kind,
            data_size,
            data_hash: 0,
            records,
            decoded_size: if records > 0 { values } else { 0 },
        };
        let data: Vec<&[u8]> = [&[head], parts].concat();
        if data_size < LARGE {
            chunk.data_hash = hash_of(&data);
            self.append(&chunk, &data)?;
        } else {
            chunk.data_hash = self.append_and_hash(&chunk, &data)?;
            self.patch(&chunk)?;
        }
        self.len = chunk.end;
        Ok(())
    }

    /// Appends a chunk as it stands in the file.
    fn append(&mut self, chunk: &ChunkHeader, data: &[&[u8]]) -> io::Result<()> {
        let header = chunk.encode();
        let headers = block_headers(chunk);
        let zeros = padding(chunk);
        let parts = [&[&header[..]], data, &[&zeros]].concat();
        let slices = Slices::new(chunk, &headers, &parts);
        self.out.append(slices, chunk.end)
    }

    /// Appends a large chunk, its header's hash still wrong; returns the hash.
    fn append_and_hash(&mut self, chunk: &ChunkHeader, data: &[&[u8]]) -> io::Result<u64> {
        thread::scope(|scope| {
            // The system copies while another processor hashes.
            let hash = thread::Builder::new().spawn_scoped(scope, || hash_of(data));
            self.append(chunk, data)?;
            Ok(match hash.map(|hash| hash.join()) {
                Ok(Ok(hash)) => hash,
                _ => hash_of(data),
            })
        })
    }

    /// Puts a chunk's header in place, around the block header that may interrupt it.
    fn patch(&mut self, chunk: &ChunkHeader) -> io::Result<()> {
        let header = chunk.encode();
        let start = byte_at(chunk.begin, 0).unwrap_or(u64::MAX);
        let in_block = (BLOCK - start % BLOCK).min(header.len() as u64);
        let (now, rest) = header.split_at(in_block as usize);
        self.out.patch(start, now)?;
        self.out.patch(start + in_block + BLOCK_HEADER, rest)
    }
}

fn hash_of(data: &[&[u8]]) -> u64 {
    let mut hash = Hash::new();
    data.iter().for_each(|part| hash.append(part));
    hash.finish()
}

/// Returns the zeros that a chunk ends with.
fn padding(chunk: &ChunkHeader) -> Vec<u8> {
    let size = chunk.data_size + ChunkHeader::LEN as u64;
    let len = chunk.end - after(chunk.begin, size).unwrap_or(chunk.end);
    vec![0; len as usize]
}

/// Returns the headers of all blocks that begin in a chunk.
fn block_headers(chunk: &ChunkHeader) -> Vec<[u8; BlockHeader::LEN]> {
    let first = chunk.begin.next_multiple_of(BLOCK);
    let header = |block: u64| BlockHeader {
        previous_chunk: block - chunk.begin,
        next_chunk: chunk.end - block,
    };
    let blocks = (first..chunk.end).step_by(BLOCK as usize);
    blocks.map(|block| header(block).encode()).collect()
}

/// A chunk as it stands in the file: its parts, interrupted by the headers of blocks, up to its
/// end.
struct Slices<'a> {
    headers: std::slice::Iter<'a, [u8; BlockHeader::LEN]>,
    parts: &'a [&'a [u8]],
    position: u64,
    end: u64,
    /// How much of the first part is done.
    done: usize,
}

impl<'a> Slices<'a> {
    fn new(
        chunk: &ChunkHeader,
        headers: &'a [[u8; BlockHeader::LEN]],
        parts: &'a [&'a [u8]],
    ) -> Self {
        Slices {
            headers: headers.iter(),
            parts,
            position: chunk.begin,
            end: chunk.end,
            done: 0,
        }
    }
}

impl<'a> Iterator for Slices<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.position >= self.end {
            return None;
        }
        if self.position.is_multiple_of(BLOCK) {
            let header = self.headers.next()?;
            self.position += BLOCK_HEADER;
            return Some(header);
        }
        while self.parts.first()?.len() == self.done {
            self.parts = &self.parts[1..];
            self.done = 0;
        }
        let left = &self.parts.first()?[self.done..];
        let room = (BLOCK - self.position % BLOCK).min(self.end - self.position);
        let len = (left.len() as u64).min(room) as usize;
        self.done += len;
        self.position += len as u64;
        Some(&left[..len])
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use sha2::{Digest, Sha256};

    use super::*;

    /// The numbers of the list that a row has under a key.
    fn list(row: &str, key: &str) -> Vec<u64> {
        let list = row.split_once(&format!("\"{key}\": [")).unwrap().1;
        let numbers = list.split_once(']').unwrap().0.split(", ");
        numbers.filter_map(|number| number.parse().ok()).collect()
    }

    #[test]
    fn files_are_those_of_riegelis_own_writer() {
        let expected = include_str!("../../../tests/vectors/chunked/expected.json");
        let rows = expected
            .lines()
            .filter(|row| row.starts_with("{\"record_sizes"));
        let mut count = 0;
        for row in rows {
            let mut writer = RecordWriter::new(Cursor::new(Vec::new()), 0).unwrap();
            let sizes = list(row, "record_sizes").into_iter().enumerate();
            let positions: Vec<u64> = sizes
                .map(|(seed, size)| {
                    let byte = |i| (i * 131 + 7 + seed) as u8;
                    let record: Vec<u8> = (0..size as usize).map(byte).collect();
                    // In two parts, as messages come.
                    let (head, tail) = record.split_at(size as usize / 3);
                    writer.add(&[head, tail]).unwrap()
                })
                .collect();
            assert_eq!(positions, list(row, "positions"));
            let (bytes, len) = writer.finish().unwrap();
            let bytes = bytes.into_inner();
            assert_eq!(bytes.len() as u64, len);
            let digest = Sha256::digest(&bytes);
            let sum: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(row.contains(&sum), "{row}");
            count += 1;
        }
        assert_eq!(count, 45);
    }

    #[test]
    fn records_are_gathered_as_riegeli_counts_them() {
        let mut writer = RecordWriter::new(Cursor::new(Vec::new()), 100).unwrap();
        // 20 + 28 + 8 = 56, then 48 more would be 104.
        let positions: Vec<u64> = [12, 20, 0, 40, 92, 93, 1]
            .iter()
            .map(|len| writer.add(&[&vec![7; *len]]).unwrap())
            .collect();
        let first = 64 + 40 + 2 + 3 + 32;
        let second = first + 40 + 2 + 1 + 40;
        assert_eq!(positions[..4], [64, 65, 66, first]);
        assert_eq!(positions[4], second);
        // A record that fills a chunk closes it, one that is larger has its own.
        assert_eq!(positions[5], second + 40 + 2 + 1 + 92);
        assert_eq!(positions[6], positions[5] + 40 + 2 + 1 + 93);
        assert_eq!(writer.finish().unwrap().1, positions[6] + 44);
    }
}
