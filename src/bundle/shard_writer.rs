use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;

use crate::store::PendingFile;
use crate::wire::crc;

/// What small tensors are gathered in, and the most that is taken from a reader at once.
const BUFFER: usize = 1 << 20;

/// From this size on, bytes are written from where they are.
const DIRECT: usize = 256 << 10;

/// What is summed at once: it is still near when it is written. Less than that would leave the file
/// in smaller pages of the cache, which take longer to map.
const PIECE: usize = 1 << 20;

/// From this size on, space for a tensor is reserved before it is written.
const LARGE: u64 = 8 << 20;

/// From this size on, several threads sum a tensor.
const PARALLEL: usize = 64 << 20;

/// What one of them sums at a time.
const PART: usize = 8 << 20;

/// A data file under construction: counts what is written and sums it.
#[derive(Debug)]
pub(crate) struct ShardWriter {
    file: PendingFile,
    /// What is not written yet.
    buffer: Vec<u8>,
    /// How long the file is without the buffer.
    written: u64,
    crc: u32,
    threads: usize,
}

/// Why a reader's bytes could not become a tensor.
#[derive(Debug)]
pub(crate) enum ReadFailure {
    /// What the reader said.
    Reader(io::Error),
    /// The reader ended after so many bytes.
    Short(u64),
    /// The reader has more.
    Long,
    /// A byte of a boolean, at that place, is neither 0 nor 1.
    BadBool(u64, u8),
    /// What the data file said.
    File(io::Error),
}

impl ShardWriter {
    pub(crate) fn create(path: &Path, threads: usize) -> io::Result<Self> {
        Ok(ShardWriter {
            file: PendingFile::create(path)?,
            buffer: Vec::new(),
            written: 0,
            crc: 0,
            threads,
        })
    }

    /// Returns how many bytes were written.
    pub(crate) fn len(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Returns the checksum of what was summed since the last start.
    pub(crate) fn crc(&self) -> u32 {
        self.crc
    }

    /// Starts a sum that goes on from `crc`.
    pub(crate) fn start_sum(&mut self, crc: u32) {
        self.crc = crc;
    }

    /// Sums bytes that are not written.
    pub(crate) fn sum(&mut self, bytes: &[u8]) {
        self.crc = crc::extend(self.crc, bytes);
    }

    /// Writes and sums.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() < DIRECT {
            self.sum(bytes);
            return self.write_unsummed(bytes);
        }
        self.flush()?;
        if bytes.len() >= PARALLEL && self.threads > 1 {
            return self.write_summed_by_all(bytes);
        }
        for piece in bytes.chunks(PIECE) {
            self.sum(piece);
            self.write_to_file(piece)?;
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn write_unsummed(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.capacity() - self.buffer.len() < bytes.len() {
            self.flush()?;
            if bytes.len() >= DIRECT {
                return self.write_to_file(bytes);
            }
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes and sums so many bytes from a reader, which must have no more.
    pub(crate) fn write_from(
        &mut self,
        reader: &mut dyn Read,
        size: u64,
        is_bool: bool,
    ) -> Result<(), ReadFailure> {
        let mut piece = vec![0; size.min(BUFFER as u64) as usize];
        let mut done = 0;
        while done < size {
            let wanted = (size - done).min(piece.len() as u64) as usize;
            let piece = &mut piece[..wanted];
            let len = fill(reader, piece).map_err(ReadFailure::Reader)?;
            if len < wanted {
                return Err(ReadFailure::Short(done + len as u64));
            }
            if is_bool && let Some(at) = piece.iter().position(|byte| *byte > 1) {
                return Err(ReadFailure::BadBool(done + at as u64, piece[at]));
            }
            self.write(piece).map_err(ReadFailure::File)?;
            done += len as u64;
        }
        Self::check_end(reader)
    }

    /// Proves that a reader has no more.
    pub(crate) fn check_end(reader: &mut dyn Read) -> Result<(), ReadFailure> {
        match fill(reader, &mut [0]).map_err(ReadFailure::Reader)? {
            0 => Ok(()),
            _ => Err(ReadFailure::Long),
        }
    }

    /// Takes everything behind the first `len` bytes back.
    pub(crate) fn truncate(&mut self, len: u64) -> io::Result<()> {
        match len.checked_sub(self.written) {
            Some(kept) => self.buffer.truncate(kept as usize),
            None => {
                self.buffer.clear();
                self.file.truncate(len)?;
                self.written = len;
            }
        }
        Ok(())
    }

    /// Writes zeros up to a multiple of `alignment`.
    pub(crate) fn pad(&mut self, alignment: u64) -> io::Result<()> {
        const ZEROS: [u8; 4096] = [0; 4096];
        let mut missing = match self.len() % alignment {
            0 => 0,
            over => alignment - over,
        };
        while missing > 0 {
            let piece = missing.min(ZEROS.len() as u64);
            self.write_unsummed(&ZEROS[..piece as usize])?;
            missing -= piece;
        }
        Ok(())
    }

    /// Reserves space for so many bytes more, if they are many: a full disk is found at once, and
    /// the file lies in few pieces.
    pub(crate) fn reserve(&mut self, bytes: u64) -> io::Result<()> {
        match bytes >= LARGE {
            true => self.file.preallocate(self.len() + bytes),
            false => Ok(()),
        }
    }

    /// Writes what is gathered; returns the file.
    pub(crate) fn finish(mut self) -> io::Result<PendingFile> {
        self.flush()?;
        Ok(self.file)
    }

    /// Writes what is gathered, and makes room for as much again.
    fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.file.write_all(&self.buffer)?;
            self.written += self.buffer.len() as u64;
            self.buffer.clear();
        }
        // Not before it is needed: a shard may have large tensors alone.
        self.buffer.reserve_exact(BUFFER);
        Ok(())
    }

    fn write_to_file(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Writes while other threads sum. One file takes no more from two threads than from one, so
    /// that is all that they can help with.
    fn write_summed_by_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let parts: Vec<&[u8]> = bytes.chunks(PART).collect();
        let sums: Vec<AtomicU32> = parts.iter().map(|_| AtomicU32::new(0)).collect();
        let next = AtomicUsize::new(0);
        let sum = || {
            while let Some((part, sum)) = {
                let i = next.fetch_add(1, Ordering::Relaxed);
                parts.get(i).zip(sums.get(i))
            } {
                sum.store(crc::crc32c(part), Ordering::Relaxed);
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.threads.min(parts.len()) {
                if thread::Builder::new().spawn_scoped(scope, sum).is_err() {
                    break;
                }
            }
            let written = self.write_to_file(bytes);
            // What they have not come to, or all of it where there are none.
            sum();
            written
        })?;
        for (part, sum) in parts.iter().zip(sums) {
            self.crc = crc::combine(self.crc, sum.into_inner(), part.len() as u64);
        }
        Ok(())
    }
}

/// Reads until the piece is full or the reader ends; returns how much there was.
fn fill(reader: &mut dyn Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < piece.len() {
        match reader.read(&mut piece[len..]) {
            Ok(0) => break,
            Ok(more) => len += more.min(piece.len() - len),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::platform::TestDirectory;

    fn numbers(len: usize) -> Vec<u8> {
        (0..len).map(|i| ((i * i) >> 7) as u8).collect()
    }

    #[test]
    fn every_way_to_write_counts_and_sums() {
        let directory = TestDirectory::new("shard_writer");
        let path = directory.path().join("shard");
        for threads in [1, 3] {
            let mut shard = ShardWriter::create(&path, threads).unwrap();
            let mut expected = Vec::new();
            for len in [
                0,
                1,
                1000,
                DIRECT - 1,
                DIRECT,
                BUFFER - 1,
                5,
                PARALLEL + 77,
                1,
            ] {
                let bytes = numbers(len);
                shard.reserve(len as u64).unwrap();
                shard.start_sum(0);
                shard.write(&bytes).unwrap();
                assert_eq!(shard.crc(), crc::crc32c(&bytes), "{len} bytes");
                expected.extend(&bytes);
                let offset = shard.len();
                shard.start_sum(0);
                let mut reader = &bytes[..];
                shard.write_from(&mut reader, len as u64, false).unwrap();
                assert_eq!(shard.crc(), crc::crc32c(&bytes), "{len} bytes");
                match len % 2 {
                    0 => shard.truncate(offset).unwrap(),
                    _ => expected.extend(&bytes),
                }
                shard.pad(64).unwrap();
                expected.resize(expected.len().next_multiple_of(64), 0);
                assert_eq!(shard.len(), expected.len() as u64);
            }
            shard.finish().unwrap().move_to(&path).unwrap();
            assert!(fs::read(&path).unwrap() == expected);
        }
    }

    #[test]
    fn a_reader_has_as_many_bytes_as_were_said() {
        let directory = TestDirectory::new("shard_writer_readers");
        let mut shard = ShardWriter::create(&directory.path().join("shard"), 1).unwrap();
        let mut read = |len: usize, size, is_bool| {
            let bytes = numbers(len);
            shard.write_from(&mut &bytes[..], size, is_bool)
        };
        let large = BUFFER + 10;
        assert!(matches!(read(9, 10, false), Err(ReadFailure::Short(9))));
        assert!(
            matches!(read(large, 10 + large as u64, false), Err(ReadFailure::Short(n)) if n == large as u64)
        );
        assert!(matches!(read(11, 10, false), Err(ReadFailure::Long)));
        assert!(matches!(read(1, 0, false), Err(ReadFailure::Long)));
        assert!(matches!(
            read(100, 100, true),
            Err(ReadFailure::BadBool(16, 2))
        ));
    }
}
