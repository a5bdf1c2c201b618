//! How the parts of a chunk are compressed. The only file that speaks to the crate
//! `brotli-decompressor`.

use std::io::Read;

use brotli_decompressor::Decompressor;

use super::payload::Payload;
use crate::error::{Error, Result};
use crate::store::platform::Buffer;

/// What a chunk's first byte says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Brotli,
    Snappy,
}

impl Compression {
    pub(super) fn decode(byte: u8) -> Result<Self> {
        match byte {
            0 => Ok(Compression::None),
            b'b' => Ok(Compression::Brotli),
            b's' => Ok(Compression::Snappy),
            b'z' => Err(Error::unsupported("records compressed with Zstd")
                .remedy("write the file with the Riegeli option `brotli` or `uncompressed`")),
            _ => Err(Error::unsupported(format!(
                "compression {byte:#04x} of records is not known"
            ))),
        }
    }
}

/// The data of a payload as it is decompressed.
pub(super) struct Brotli(Decompressor<Payload>);

impl Brotli {
    pub(super) fn new(payload: Payload) -> Self {
        Brotli(Decompressor::new(payload, BUFFER))
    }

    pub(super) fn read_exact(&mut self, out: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while filled < out.len() {
            match self.0.read(&mut out[filled..]) {
                Ok(0) => return Err(corrupted("end too early")),
                Ok(len) => filled += len,
                Err(error) => return Err(self.fault(error)),
            }
        }
        Ok(())
    }

    /// Proves that nothing is left; returns the payload.
    pub(super) fn finish(mut self) -> Result<Payload> {
        match self.0.read(&mut [0]) {
            Ok(0) => Ok(self.0.into_inner()),
            Ok(_) => Err(corrupted("are longer than they say")),
            Err(error) => Err(self.fault(error)),
        }
    }

    fn fault(&mut self, error: std::io::Error) -> Error {
        let fault = self.0.get_mut().take_fault();
        fault.unwrap_or_else(|| corrupted(&error.to_string()))
    }
}

const BUFFER: usize = 64 << 10;

/// Decompresses a part that is held whole and should have `len` bytes. Room is made as they come.
pub(super) fn brotli(stored: &[u8], len: u64) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let reader = Decompressor::new(stored, stored.len().clamp(1, BUFFER));
    let read = reader.take(len.saturating_add(1)).read_to_end(&mut out);
    read.map_err(|error| corrupted(&error.to_string()))?;
    match out.len() as u64 == len {
        true => Ok(out),
        false => Err(corrupted("are not as long as they say")),
    }
}

/// What one byte of snappy input can grow to: its longest copy, 64 bytes, takes three.
const MAX_SNAPPY: u64 = 22;

/// Decompresses a part that is held whole and should have `len` bytes.
pub(super) fn snappy(stored: &[u8], len: u64) -> Result<Buffer> {
    let corrupted = |error: snap::Error| corrupted(&error.to_string());
    let says = snap::raw::decompress_len(stored).map_err(corrupted)?;
    if says as u64 != len || len > (stored.len() as u64).saturating_mul(MAX_SNAPPY) {
        return Err(Error::malformed(
            "compressed records are not as long as they say",
        ));
    }
    let mut out = Buffer::new(len)?;
    let mut decoder = snap::raw::Decoder::new();
    decoder.decompress(stored, &mut out).map_err(corrupted)?;
    Ok(out)
}

fn corrupted(what: &str) -> Error {
    Error::malformed(format!("corrupted compressed records: {what}"))
}
