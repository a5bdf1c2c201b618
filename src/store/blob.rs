use std::fmt;
use std::io;
use std::sync::Arc;

use prost::bytes::Bytes;

use super::platform::Buffer;
use crate::error::{Error, Result};

/// The bytes of one object: all there, or read range by range. Clones share them.
#[derive(Clone)]
pub struct Blob(Source);

#[derive(Clone)]
enum Source {
    Bytes(Bytes),
    /// The same bytes by both ways.
    Mapped(Bytes, Arc<Ranged>),
    Ranged(Arc<Ranged>),
}

/// From this length on a mapped file is read to where its bytes are wanted, not copied out of the
/// map: that costs no page faults, and the pages do not count as memory of the process.
const LONG: usize = 64 << 10;

struct Ranged {
    len: u64,
    read: Box<ReadRange>,
}

type ReadRange = dyn Fn(u64, &mut [u8]) -> io::Result<()> + Send + Sync;

impl Blob {
    /// Makes a blob of bytes that are in memory, or mapped.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Blob(Source::Bytes(bytes.into()))
    }

    /// Makes a blob of `len` bytes whose ranges `read` fetches: it is called with an offset and
    /// must fill the slice with the bytes that stand there, or fail. The range is always within
    /// `len`; calls come from several threads.
    pub fn ranged(
        len: u64,
        read: impl Fn(u64, &mut [u8]) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Blob(Source::Ranged(Arc::new(Ranged {
            len,
            read: Box::new(read),
        })))
    }

    /// Makes a blob of a file's bytes, mapped, and the function that reads a range of them.
    pub(crate) fn mapped(
        bytes: Bytes,
        read: impl Fn(u64, &mut [u8]) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let ranged = Ranged {
            len: bytes.len() as u64,
            read: Box::new(read),
        };
        Blob(Source::Mapped(bytes, Arc::new(ranged)))
    }

    /// Returns the length in bytes.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Source::Bytes(bytes) | Source::Mapped(bytes, _) => bytes.len() as u64,
            Source::Ranged(ranged) => ranged.len,
        }
    }

    /// Says whether there are no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns all bytes, if they are there without reading.
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.0 {
            Source::Bytes(bytes) | Source::Mapped(bytes, _) => Some(bytes),
            Source::Ranged(_) => None,
        }
    }

    /// Returns `len` bytes from `offset` on: a share of what is there, or a fresh copy.
    ///
    /// # Errors
    ///
    /// `Malformed` if the range leaves the blob (before any memory is taken for it), `Io` if
    /// reading fails.
    pub fn read(&self, offset: u64, len: u64) -> Result<Bytes> {
        let end = self.check(offset, len)?;
        match &self.0 {
            // Within a slice, so within `usize`.
            Source::Bytes(bytes) | Source::Mapped(bytes, _) => {
                Ok(bytes.slice(offset as usize..end as usize))
            }
            Source::Ranged(ranged) => {
                let mut buffer = Buffer::new(len)?;
                (ranged.read)(offset, &mut buffer)
                    .map_err(|error| Error::from(error).at(offset))?;
                Ok(buffer.into_bytes())
            }
        }
    }

    /// Returns `len` bytes from `offset` on as a blob of their own; nothing is read.
    ///
    /// # Errors
    ///
    /// `Malformed` if the range leaves the blob.
    #[cfg(feature = "npz")]
    pub(crate) fn part(&self, offset: u64, len: u64) -> Result<Blob> {
        let end = self.check(offset, len)?;
        let shifted = |ranged: &Arc<Ranged>| {
            let ranged = ranged.clone();
            move |at, out: &mut [u8]| (ranged.read)(offset + at, out)
        };
        Ok(match &self.0 {
            // Within a slice, so within `usize`.
            Source::Bytes(bytes) => Blob::from_bytes(bytes.slice(offset as usize..end as usize)),
            Source::Mapped(bytes, ranged) => {
                let bytes = bytes.slice(offset as usize..end as usize);
                Blob::mapped(bytes, shifted(ranged))
            }
            Source::Ranged(ranged) => Blob::ranged(len, shifted(ranged)),
        })
    }

    /// Fills `out` with the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn read_into(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let end = self.check(offset, out.len() as u64)?;
        match &self.0 {
            Source::Mapped(_, ranged) if out.len() >= LONG => {
                (ranged.read)(offset, out).map_err(|error| Error::from(error).at(offset))?;
            }
            Source::Bytes(bytes) | Source::Mapped(bytes, _) => {
                out.copy_from_slice(&bytes[offset as usize..end as usize]);
            }
            Source::Ranged(ranged) => {
                (ranged.read)(offset, out).map_err(|error| Error::from(error).at(offset))?;
            }
        }
        Ok(())
    }

    /// Proves that a range lies inside; returns its end.
    fn check(&self, offset: u64, len: u64) -> Result<u64> {
        match offset.checked_add(len) {
            Some(end) if end <= self.len() => Ok(end),
            _ => Err(Error::malformed(format!(
                "{len} bytes are expected here, but the file ends at byte {}",
                self.len()
            ))
            .at(offset)
            .remedy("the file is cut short or the place is wrong: copy it again from its source")),
        }
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Source::Bytes(_) => "in memory",
            Source::Mapped(..) => "mapped",
            Source::Ranged(_) => "read by ranges",
        };
        write!(f, "Blob({} bytes, {kind})", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_read_the_same() {
        let bytes: Vec<u8> = (0..100).collect();
        let copy = bytes.clone();
        let ranged = Blob::ranged(100, move |offset, out| {
            out.copy_from_slice(&copy[offset as usize..][..out.len()]);
            Ok(())
        });
        for blob in [Blob::from_bytes(bytes), ranged] {
            assert_eq!((blob.len(), blob.is_empty()), (100, false));
            assert_eq!(blob.read(10, 3).unwrap(), [10, 11, 12][..]);
            assert_eq!(blob.read(100, 0).unwrap(), [][..]);
            let mut out = [0; 2];
            blob.read_into(98, &mut out).unwrap();
            assert_eq!(out, [98, 99]);
            for (offset, len) in [
                (99, 2),
                (101, 0),
                (u64::MAX, 1),
                (1, u64::MAX),
                (0, 1 << 60),
            ] {
                let error = blob.read(offset, len).unwrap_err();
                assert_eq!(error.offset(), Some(offset));
            }
            assert!(blob.read_into(99, &mut out).is_err());
        }
    }

    #[cfg(feature = "npz")]
    #[test]
    fn a_part_is_a_blob_of_its_own() {
        let bytes: Vec<u8> = (0..100).collect();
        let copy = bytes.clone();
        let read = move |offset: u64, out: &mut [u8]| {
            out.copy_from_slice(&copy[offset as usize..][..out.len()]);
            Ok(())
        };
        let mapped = Blob::mapped(bytes.clone().into(), read.clone());
        for blob in [Blob::from_bytes(bytes), mapped, Blob::ranged(100, read)] {
            let part = blob.part(10, 20).unwrap().part(5, 10).unwrap();
            assert_eq!(
                (part.len(), part.read(9, 1).unwrap()),
                (10, vec![24].into())
            );
            let mut out = [0; 2];
            part.read_into(0, &mut out).unwrap();
            assert_eq!(out, [15, 16]);
            assert!(part.read(9, 2).is_err());
            assert!(blob.part(90, 11).is_err());
        }
    }

    #[test]
    fn a_failing_reader_is_heard() {
        let blob = Blob::ranged(4, |_, _| Err(io::Error::other("link is down")));
        assert!(
            blob.read(0, 4)
                .unwrap_err()
                .to_string()
                .contains("link is down")
        );
    }
}
