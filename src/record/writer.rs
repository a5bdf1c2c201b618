use std::io::{self, Write};

use crate::wire::crc;

/// Writes a TFRecord file, record by record.
///
/// Each record is a few small writes, so give it a [`BufWriter`](io::BufWriter) if the target is a
/// file.
#[derive(Debug)]
pub struct RecordWriter<W> {
    target: W,
}

impl<W: Write> RecordWriter<W> {
    /// Writes records to `target`, the first one where it stands now.
    pub fn new(target: W) -> Self {
        RecordWriter { target }
    }

    /// Writes one record.
    ///
    /// # Errors
    ///
    /// What the target says. It may hold a part of the record then.
    pub fn write(&mut self, data: &[u8]) -> io::Result<()> {
        let length = (data.len() as u64).to_le_bytes();
        self.target.write_all(&length)?;
        self.target.write_all(&checksum(&length))?;
        self.target.write_all(data)?;
        self.target.write_all(&checksum(data))
    }

    /// Hands everything written to where it goes.
    ///
    /// # Errors
    ///
    /// What the target says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }

    /// Returns the target, not flushed.
    pub fn into_inner(self) -> W {
        self.target
    }
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    crc::mask(crc::crc32c(bytes)).to_le_bytes()
}
