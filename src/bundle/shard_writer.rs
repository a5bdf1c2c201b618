use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::store::PendingFile;
use crate::wire::crc;

/// What small tensors are gathered in, and the most that is summed before it is written.
const BUFFER: usize = 1 << 20;

/// From this size on, space for a tensor is reserved before it is written.
const LARGE: u64 = 8 << 20;

/// A data file under construction: counts what is written and sums it.
#[derive(Debug)]
pub(crate) struct ShardWriter {
    target: BufWriter<PendingFile>,
    len: u64,
    crc: u32,
}

impl ShardWriter {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(ShardWriter {
            target: BufWriter::with_capacity(BUFFER, PendingFile::create(path)?),
            len: 0,
            crc: 0,
        })
    }

    /// Returns how many bytes were written.
    pub(crate) fn len(&self) -> u64 {
        self.len
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
        // Pieces, so that what was summed is still near when it is written.
        for piece in bytes.chunks(BUFFER) {
            self.sum(piece);
            self.write_unsummed(piece)?;
        }
        Ok(())
    }

    pub(crate) fn write_unsummed(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.target.write_all(bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Writes zeros up to a multiple of `alignment`.
    pub(crate) fn pad(&mut self, alignment: u64) -> io::Result<()> {
        const ZEROS: [u8; 4096] = [0; 4096];
        let mut missing = match self.len % alignment {
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
            true => self.target.get_ref().preallocate(self.len + bytes),
            false => Ok(()),
        }
    }

    /// Writes what is gathered; returns the file.
    pub(crate) fn finish(self) -> io::Result<PendingFile> {
        self.target
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
    }
}
