use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use prost::bytes::Bytes;

use super::entry::{Kind, Place};
use super::parallel;
use crate::error::{Error, ErrorKind, Result};
use crate::store::platform::Buffer;
use crate::store::{Blob, Store};
use crate::wire::crc;

/// Says whether what is read is compared with the checksums stored for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checksums {
    /// Every tensor on every read.
    #[default]
    Verify,
    /// Those of tensors never, for files that were verified already; those of the index always.
    Skip,
}

/// How many shards are kept open. Bundles with more exist, and processes have a limit.
const MAX_OPEN: usize = 256;

/// How many of them are found without taking turns and without counting who uses them.
const FIRST: u32 = 64;

/// Bytes are copied and summed in pieces that stay in a core's own cache between the two.
const PIECE: usize = 256 << 10;

/// What one thread takes at a time from a large tensor.
const PART: usize = 16 << 20;

#[derive(Debug, Default)]
struct Open {
    blobs: HashMap<u32, Blob>,
    /// Every one that was ever open.
    seen: HashSet<u32>,
}

/// How many times the shards' length all tensors together may take. Tensors that do not overlap
/// take it once, or nine times if all are empty strings, whose lengths need eight bytes in memory.
const MAX_OVERLAP: u64 = 32;

/// The data files of a bundle.
#[derive(Debug)]
pub(crate) struct Shards {
    store: Arc<dyn Store>,
    prefix: String,
    count: u32,
    /// The first shards; nearly always all of them.
    first: Box<[OnceLock<Blob>]>,
    /// Any others.
    open: Mutex<Open>,
    /// The lengths of all shards that were ever open, together.
    seen_len: AtomicU64,
    checksums: Checksums,
    threads: usize,
}

impl Shards {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        prefix: String,
        count: u32,
        checksums: Checksums,
        threads: usize,
    ) -> Self {
        Shards {
            store,
            prefix,
            count,
            first: (0..count.min(FIRST)).map(|_| OnceLock::new()).collect(),
            open: Mutex::default(),
            seen_len: AtomicU64::new(0),
            checksums,
            threads,
        }
    }

    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    fn name(&self, shard: u32) -> String {
        format!("{}.data-{shard:05}-of-{:05}", self.prefix, self.count)
    }

    /// Returns how messages call a shard.
    pub(crate) fn path(&self, shard: u32) -> PathBuf {
        self.store.display(&self.name(shard))
    }

    /// Opens a shard, or returns the one that is open.
    #[inline]
    pub(crate) fn open(&self, shard: u32) -> Result<Cow<'_, Blob>> {
        match self.first.get(shard as usize) {
            Some(slot) => match slot.get() {
                Some(blob) => Ok(Cow::Borrowed(blob)),
                None => {
                    let blob = self.open_file(shard)?;
                    let len = blob.len();
                    if slot.set(blob.clone()).is_ok() {
                        self.seen_len.fetch_add(len, Ordering::Relaxed);
                    }
                    Ok(Cow::Owned(blob))
                }
            },
            None => self.open_other(shard).map(Cow::Owned),
        }
    }

    fn open_other(&self, shard: u32) -> Result<Blob> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(blob) = open.blobs.get(&shard) {
            return Ok(blob.clone());
        }
        let blob = self.open_file(shard)?;
        if open.blobs.len() == MAX_OPEN - FIRST as usize {
            open.blobs.clear();
        }
        open.blobs.insert(shard, blob.clone());
        if open.seen.insert(shard) {
            self.seen_len.fetch_add(blob.len(), Ordering::Relaxed);
        }
        Ok(blob)
    }

    fn open_file(&self, shard: u32) -> Result<Blob> {
        self.store.open(&self.name(shard)).map_err(|error| {
            let is_missing = error.kind() == io::ErrorKind::NotFound;
            let error = Error::from(error).in_file(self.path(shard));
            match is_missing {
                true => error.remedy(format!(
                    "the index needs shard {shard} of {}: copy the data files along with the index",
                    self.count
                )),
                false => error,
            }
        })
    }

    /// Refuses to go on when tensors took far more memory, or would take far more work, than the
    /// shards opened so far have bytes: their entries all point at the same ones.
    pub(crate) fn check_total(&self, total: u64) -> Result<()> {
        let limit = self
            .seen_len
            .load(Ordering::Relaxed)
            .saturating_mul(MAX_OVERLAP);
        if total <= limit {
            return Ok(());
        }
        Err(Error::new(ErrorKind::TooLarge {
            what: "all tensors together, which overlap in their shards".to_owned(),
            size: total,
            limit,
        })
        .remedy("read tensors one by one instead"))
    }

    /// Returns a tensor's bytes as they are stored: a share of what is mapped or in memory, or read
    /// into fresh memory. Those of elements without bytes are found without a shard.
    #[inline]
    pub(crate) fn share(&self, place: Place) -> Result<(Bytes, u32)> {
        if place.size == 0 {
            return Ok((Bytes::new(), 0));
        }
        let blob = self.open(place.shard)?;
        if blob.bytes().is_none() {
            return self.copy(place);
        }
        self.check_range(place, &blob)?;
        let bytes = blob.read(place.offset, place.size)?;
        let crc = match place.kind {
            Kind::Dense { .. } => self.checksum(&bytes),
            // Theirs is not that of the bytes as they stand.
            Kind::Strings | Kind::Variants => 0,
        };
        Ok((bytes, crc))
    }

    /// Returns a tensor's bytes in fresh memory.
    pub(crate) fn copy(&self, place: Place) -> Result<(Bytes, u32)> {
        if place.size == 0 {
            return Ok((Bytes::new(), 0));
        }
        let blob = self.open(place.shard)?;
        self.check_range(place, &blob)?;
        let mut buffer = Buffer::new(place.size)?;
        let crc = self.fill(&blob, place, &mut buffer)?;
        Ok((buffer.into_bytes(), crc))
    }

    /// Reads a tensor's bytes into memory of their length; returns their checksum.
    pub(crate) fn copy_into(&self, place: Place, out: &mut [u8]) -> Result<u32> {
        if place.size == 0 {
            return Ok(0);
        }
        let blob = self.open(place.shard)?;
        self.fill(&blob, place, out)
    }

    /// Opens the shard of a place, which lies in it.
    pub(crate) fn open_range(&self, place: Place) -> Result<Blob> {
        let blob = self.open(place.shard)?;
        self.check_range(place, &blob)?;
        Ok(blob.into_owned())
    }

    /// Proves that a place lies in its shard, before memory is taken for it.
    #[inline]
    fn check_range(&self, place: Place, blob: &Blob) -> Result<()> {
        match place.offset.checked_add(place.size) {
            Some(end) if end <= blob.len() => Ok(()),
            _ => {
                let error = Error::malformed(format!(
                    "the tensor's {} bytes reach beyond the end of the shard at byte {}",
                    place.size,
                    blob.len()
                ));
                Err(self
                    .in_shard(error.at(place.offset), place.shard)
                    .remedy("the shard is cut short: copy it again from its source"))
            }
        }
    }

    fn fill(&self, blob: &Blob, place: Place, out: &mut [u8]) -> Result<u32> {
        self.check_range(place, blob)?;
        let in_shard = |error: Error| error.in_file(self.path(place.shard));
        if out.len() <= PART || self.threads == 1 {
            return self
                .fill_part(blob, place.kind, place.offset, out)
                .map_err(in_shard);
        }
        let parts: Vec<_> = out
            .chunks_mut(PART)
            .map(|part| Mutex::new((part, Ok(0))))
            .collect();
        parallel::for_each(parts.len(), self.threads, |i| {
            let mut part = parts[i].lock().unwrap_or_else(PoisonError::into_inner);
            let (out, crc) = &mut *part;
            *crc = self.fill_part(blob, place.kind, place.offset + (i * PART) as u64, out);
        });
        let mut whole = 0;
        for part in parts {
            let (out, crc) = part.into_inner().unwrap_or_else(PoisonError::into_inner);
            whole = join(whole, crc.map_err(in_shard)?, out.len());
        }
        Ok(whole)
    }

    fn fill_part(&self, blob: &Blob, kind: Kind, offset: u64, out: &mut [u8]) -> Result<u32> {
        // The checksum of strings and variants is not that of the bytes as they stand.
        if self.checksums == Checksums::Skip || !matches!(kind, Kind::Dense { .. }) {
            blob.read_into(offset, out)?;
            return Ok(0);
        }
        let mut crc = 0;
        let mut offset = offset;
        for piece in out.chunks_mut(PIECE) {
            blob.read_into(offset, piece)?;
            crc = crc::extend(crc, piece);
            offset += piece.len() as u64;
        }
        Ok(crc)
    }

    /// Returns the checksum of bytes in memory, or anything if none is wanted.
    fn checksum(&self, bytes: &[u8]) -> u32 {
        if self.checksums == Checksums::Skip {
            return 0;
        }
        if bytes.len() <= PART || self.threads == 1 {
            return crc::crc32c(bytes);
        }
        let parts: Vec<&[u8]> = bytes.chunks(PART).collect();
        let crcs: Vec<AtomicU32> = parts.iter().map(|_| AtomicU32::new(0)).collect();
        parallel::for_each(parts.len(), self.threads, |i| {
            crcs[i].store(crc::crc32c(parts[i]), Ordering::Relaxed);
        });
        let crcs = crcs.into_iter().map(AtomicU32::into_inner);
        parts
            .iter()
            .zip(crcs)
            .fold(0, |whole, (part, crc)| join(whole, crc, part.len()))
    }

    /// Compares a checksum with the one in the entry.
    #[inline]
    pub(crate) fn compare(&self, stored: u32, computed: u32, place: Place) -> Result<()> {
        if self.checksums == Checksums::Skip || stored == computed {
            return Ok(());
        }
        Err(self.mismatch(stored, computed, place))
    }

    #[cold]
    fn mismatch(&self, stored: u32, computed: u32, place: Place) -> Error {
        let error = Error::new(ErrorKind::ChecksumMismatch {
            what: format!("the tensor's {} bytes", place.size),
            stored,
            computed,
        });
        self.in_shard(error.at(place.offset), place.shard)
    }

    pub(crate) fn verifies(&self) -> bool {
        self.checksums == Checksums::Verify
    }

    /// Adds the file's name to an error of its contents, and what the file is if it is no shard.
    #[cold]
    pub(crate) fn in_shard(&self, error: Error, shard: u32) -> Error {
        let error = error.in_file(self.path(shard));
        let blob = self.open(shard).ok();
        match blob.and_then(|blob| super::locate::foreign_kind(&blob)) {
            Some(kind) => error.better_remedy(kind),
            None => error,
        }
    }
}

fn join(before: u32, part: u32, part_len: usize) -> u32 {
    match before {
        // The checksum of nothing, which is where every sum begins.
        0 => part,
        _ => crc::combine(before, part, part_len as u64),
    }
}
