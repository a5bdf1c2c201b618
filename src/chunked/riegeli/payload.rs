use std::io::{self, Read};

use super::block::{BLOCK, BlockHeader, DAMAGED, Hash, byte_at};
use super::chunk::ChunkHeader;
use crate::error::{Error, Result};
use crate::store::Blob;

/// So much of a file is read at once; hashed and copied while it is near.
const WINDOW: u64 = 1 << 18;

/// The bytes of a chunk, one after the other: headers of blocks are checked and left out, data is
/// hashed.
pub(in crate::chunked) struct Payload {
    blob: Blob,
    chunk: ChunkHeader,
    /// What has been read of the file, from byte `start` on.
    window: Vec<u8>,
    start: u64,
    /// Where the next byte is.
    position: u64,
    /// How many bytes of data are left.
    left: u64,
    hash: Hash,
    /// The error behind an `io::Error` that `read` answered.
    fault: Option<Error>,
}

impl Payload {
    /// Starts at the data of a chunk whose end was found within the blob.
    pub(super) fn new(blob: Blob, chunk: ChunkHeader) -> Result<Self> {
        let position = byte_at(chunk.begin, ChunkHeader::LEN as u64).unwrap_or(u64::MAX);
        Ok(Payload {
            blob,
            chunk,
            window: Vec::new(),
            start: position,
            position,
            left: chunk.data_size,
            hash: Hash::new(),
            fault: None,
        })
    }

    /// Returns how many bytes of data are left.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Returns the next bytes, at most `len`; none at the end.
    pub(super) fn next_piece(&mut self, len: usize) -> Result<&[u8]> {
        if self.left == 0 || len == 0 {
            return Ok(&[]);
        }
        if self.position.is_multiple_of(BLOCK) {
            self.pass_block_header()?;
        }
        self.fill(1)?;
        let in_block = BLOCK - self.position % BLOCK;
        let from = (self.position - self.start) as usize;
        let there = (self.window.len() - from) as u64;
        let len = (len as u64).min(in_block).min(there).min(self.left);
        self.position += len;
        self.left -= len;
        let piece = &self.window[from..from + len as usize];
        self.hash.append(piece);
        Ok(piece)
    }

    pub(super) fn read_exact(&mut self, mut out: &mut [u8]) -> Result<()> {
        while !out.is_empty() {
            let piece = self.next_piece(out.len())?;
            if piece.is_empty() {
                return Err(self.cut());
            }
            let (now, rest) = out.split_at_mut(piece.len());
            now.copy_from_slice(piece);
            out = rest;
        }
        Ok(())
    }

    pub(super) fn skip(&mut self, mut len: u64) -> Result<()> {
        while len > 0 {
            let piece = self.next_piece(usize::try_from(len).unwrap_or(usize::MAX))?;
            if piece.is_empty() {
                return Err(self.cut());
            }
            len -= piece.len() as u64;
        }
        Ok(())
    }

    /// Reads what is left and compares the hash of all data.
    pub(super) fn finish(mut self) -> Result<()> {
        self.skip(self.left)?;
        if self.hash.finish() != self.chunk.data_hash {
            return Err(
                Error::malformed("the data of a chunk of records does not have its hash")
                    .at(self.chunk.begin)
                    .remedy(DAMAGED),
            );
        }
        Ok(())
    }

    /// Returns the error for data that ends too early.
    pub(super) fn cut(&self) -> Error {
        Error::malformed("a chunk's data ends before its records do").at(self.chunk.begin)
    }

    /// Returns what `read` could not say.
    pub(super) fn take_fault(&mut self) -> Option<Error> {
        self.fault.take()
    }

    fn pass_block_header(&mut self) -> Result<()> {
        self.fill(BlockHeader::LEN)?;
        let from = (self.position - self.start) as usize;
        let bytes = self.window.get(from..).and_then(|rest| rest.first_chunk());
        let header = match bytes {
            Some(bytes) => BlockHeader::decode(bytes, self.position)?,
            None => return Err(self.cut()),
        };
        let expected = BlockHeader {
            previous_chunk: self.position - self.chunk.begin,
            next_chunk: self.chunk.end - self.position,
        };
        if header != expected {
            return Err(Error::malformed(
                "a block's header does not lie as it says in the chunk around it",
            )
            .at(self.position));
        }
        self.position += BlockHeader::LEN as u64;
        Ok(())
    }

    /// Sees to it that `len` bytes of the file are in the window.
    fn fill(&mut self, len: usize) -> Result<()> {
        if self.start + self.window.len() as u64 >= self.position + len as u64 {
            return Ok(());
        }
        // To the end of a block, so that few reads cross one.
        let end = (self.position + WINDOW).next_multiple_of(BLOCK);
        let end = end.min(self.chunk.end).min(self.blob.len());
        let len = end.saturating_sub(self.position);
        self.window.resize(len as usize, 0);
        self.start = self.position;
        self.blob.read_into(self.position, &mut self.window)
    }
}

impl Read for Payload {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.next_piece(out.len()) {
            Ok(piece) => {
                let len = piece.len();
                out[..len].copy_from_slice(piece);
                Ok(len)
            }
            Err(error) => {
                self.fault = Some(error);
                Err(io::ErrorKind::Other.into())
            }
        }
    }
}
