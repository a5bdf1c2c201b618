use std::io::{self, Read};

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

use crate::error::{Error, ErrorKind, Result};
use crate::store::Blob;
use crate::wire::crc::Crc32;

/// Packed bytes are fetched in pieces of this length.
const PIECE: u64 = 64 << 10;

/// One file of an archive.
#[derive(Debug)]
pub(crate) struct Member {
    packed: Blob,
    /// Where they are in the archive.
    place: u64,
    size: u64,
    crc: u32,
    is_deflated: bool,
}

impl Member {
    pub(super) fn new(packed: Blob, place: u64, size: u64, crc: u32, is_deflated: bool) -> Self {
        Member {
            packed,
            place,
            size,
            crc,
            is_deflated,
        }
    }

    /// Returns where the packed bytes are in the archive.
    pub(crate) fn place(&self) -> u64 {
        self.place
    }

    /// Returns the bytes where they lie, not verified, if they are not compressed.
    pub(crate) fn stored(&self) -> Option<&Blob> {
        (!self.is_deflated).then_some(&self.packed)
    }

    /// Compares the checksum of bytes that are not compressed.
    ///
    /// # Errors
    ///
    /// `ChecksumMismatch`, and what reading answers.
    pub(crate) fn verify_stored(&self) -> Result<()> {
        let mut sum = Crc32::new();
        let mut at = 0;
        while at < self.packed.len() {
            let piece = self.packed.read(at, PIECE.min(self.packed.len() - at))?;
            sum.update(&piece);
            at += piece.len() as u64;
        }
        self.compare(sum.value())
    }

    fn compare(&self, computed: u32) -> Result<()> {
        match computed == self.crc {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::ChecksumMismatch {
                what: format!("a member of {} bytes", self.size),
                stored: self.crc,
                computed,
            })
            .at(self.place)),
        }
    }

    /// Reads the unpacked bytes from the first on.
    pub(crate) fn reader(self) -> MemberReader {
        MemberReader {
            state: self
                .is_deflated
                .then(|| InflateState::new_boxed(DataFormat::Raw)),
            sum: Crc32::new(),
            fetched: 0,
            input: Vec::new(),
            used: 0,
            done: 0,
            member: self,
        }
    }
}

/// The unpacked bytes of a member. The end is not reached, but an error, if they are not what went
/// into the archive.
pub(crate) struct MemberReader {
    member: Member,
    state: Option<Box<InflateState>>,
    sum: Crc32,
    /// Packed bytes that were fetched, of which `input[used..]` are not unpacked yet.
    fetched: u64,
    input: Vec<u8>,
    used: usize,
    /// Unpacked bytes that were handed out.
    done: u64,
}

impl Read for MemberReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = self.member.size - self.done;
        if left == 0 {
            self.check_end()?;
            return Ok(0);
        }
        let length = usize::try_from(left).map_or(out.len(), |left| left.min(out.len()));
        let out = &mut out[..length];
        if out.is_empty() {
            return Ok(0);
        }
        let count = match self.state {
            None => {
                let read = self.member.packed.read_into(self.done, out);
                read.map_err(io::Error::other)?;
                out.len()
            }
            Some(_) => self.unpack(out)?,
        };
        self.sum.update(&out[..count]);
        self.done += count as u64;
        Ok(count)
    }
}

impl MemberReader {
    /// Unpacks at least one byte.
    fn unpack(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            self.fetch()?;
            let Some(state) = &mut self.state else {
                return Ok(0);
            };
            let step = inflate(state, &self.input[self.used..], out, MZFlush::None);
            self.used += step.bytes_consumed;
            match step.status {
                _ if step.bytes_written > 0 => return Ok(step.bytes_written),
                Ok(MZStatus::StreamEnd) => {
                    return Err(self.fault("the member ends before its size is reached"));
                }
                Ok(_) | Err(MZError::Buf) if self.has_more() => {}
                Ok(_) | Err(MZError::Buf) => {
                    return Err(self.fault("the compressed bytes of the member are cut short"));
                }
                Err(_) => return Err(self.fault("the member's bytes are no deflate stream")),
            }
        }
    }

    fn has_more(&self) -> bool {
        self.used < self.input.len() || self.fetched < self.member.packed.len()
    }

    fn fetch(&mut self) -> io::Result<()> {
        if self.used < self.input.len() {
            return Ok(());
        }
        let length = PIECE.min(self.member.packed.len() - self.fetched);
        self.input.resize(length as usize, 0);
        self.used = 0;
        let read = self.member.packed.read_into(self.fetched, &mut self.input);
        read.map_err(io::Error::other)?;
        self.fetched += length;
        Ok(())
    }

    fn check_end(&self) -> io::Result<()> {
        self.member
            .compare(self.sum.value())
            .map_err(io::Error::other)
    }

    fn fault(&self, what: &str) -> io::Error {
        io::Error::other(Error::malformed(what).at(self.member.place))
    }
}
