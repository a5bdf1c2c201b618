use std::ops::Range;

use prost::bytes::Bytes;

use super::block::{Block, Walk};
use super::footer::{BlockHandle, TRAILER_LEN};
use super::reader::Reader;
use crate::error::{Error, Result};
use crate::store::Blob;
use crate::wire::crc;

/// What can still be had of a damaged table.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    /// Key, value and the place of the value in the file, in the order of the file.
    pub(crate) entries: Vec<(Vec<u8>, Bytes, u64)>,
    /// Parts of the file whose entries are lost, and why.
    pub(crate) lost: Vec<(Range<u64>, Error)>,
    /// Whether what is lost at the end of the file had no entries.
    pub(crate) complete: bool,
}

/// Takes every entry from the blocks of a table whose checksums hold.
///
/// Where footer and index block are sound they say where the blocks are. Otherwise the blocks are
/// looked for: each ends with its restarts and its checksum, and the next begins right behind.
///
/// # Errors
///
/// Only that the file cannot be read.
pub(crate) fn recover(file: &Blob) -> Result<Recovery> {
    let mut recovery = Recovery::default();
    match Reader::new(file.clone()) {
        Ok(table) => {
            for handle in table.handles() {
                if let Err(error) = take(&mut recovery, file, handle) {
                    let end = handle.end().unwrap_or(file.len());
                    recovery.lost.push((handle.offset..end, error));
                }
            }
            return Ok(recovery);
        }
        Err(error) => recovery.lost.push((file.len()..file.len(), error)),
    }
    let bytes = file.read(0, file.len())?;
    let mut scan = Scan {
        bytes: &bytes,
        attempts: MAX_ATTEMPTS,
    };
    let mut start = 0;
    while start < bytes.len() {
        let found = scan.block_at(start).or_else(|| scan.block_behind(start));
        let (begin, size) = found.unwrap_or((bytes.len(), 0));
        if begin > start && found.is_some() {
            let error = Error::malformed("no block of the table is sound here").at(start as u64);
            recovery.lost.push((start as u64..begin as u64, error));
        }
        let Some(handle) = found.map(|(begin, size)| BlockHandle {
            offset: begin as u64,
            size: size as u64,
        }) else {
            break;
        };
        let before = recovery.entries.len();
        if let Err(error) = take(&mut recovery, file, handle) {
            recovery
                .lost
                .push((handle.offset..handle.offset + handle.size, error));
        } else if recovery.entries.len() == before {
            // The metaindex block, which every writer leaves empty: what follows is the index.
            recovery.complete = true;
            start = begin;
            break;
        }
        start = begin + size + TRAILER_LEN as usize;
    }
    // The end of the file was found wanting at first, and begins where the blocks end.
    if let Some((range, _)) = recovery.lost.first_mut() {
        range.start = start as u64;
    }
    Ok(recovery)
}

/// Appends the entries of a block, all or none.
fn take(recovery: &mut Recovery, file: &Blob, handle: BlockHandle) -> Result<()> {
    let block = Block::read(file, handle)?;
    let before = recovery.entries.len();
    let mut walk = Walk::from_run(0);
    loop {
        match walk.next(&block) {
            Ok(Some(value)) => {
                let offset = block.file_offset(value.start);
                let value = block.contents().slice(value);
                recovery.entries.push((walk.key().to_vec(), value, offset));
            }
            Ok(None) => return Ok(()),
            Err(error) => {
                recovery.entries.truncate(before);
                return Err(error);
            }
        }
    }
}

/// How often a block is looked for at all, so that no file keeps us for ever.
const MAX_ATTEMPTS: usize = 1000;
/// How long a block is expected to be at most: TensorFlow ends one behind the entry that makes it
/// longer than 256 KiB.
const MAX_BLOCK: usize = 16 << 20;

/// Looks for blocks without an index of them.
struct Scan<'a> {
    bytes: &'a [u8],
    attempts: usize,
}

impl Scan<'_> {
    /// Finds the block that begins at `start`; returns that and its size.
    fn block_at(&mut self, start: usize) -> Option<(usize, usize)> {
        self.attempts = self.attempts.checked_sub(1)?;
        let mut crc = 0;
        let mut summed = start;
        for end in start + 8..self.limit(start) {
            let compression = self.bytes[end];
            let may_end = match compression {
                0 => self.has_restarts(start, end),
                1 => true,
                _ => false,
            };
            if !may_end {
                continue;
            }
            crc = crc::extend(crc, &self.bytes[summed..end]);
            summed = end;
            let stored = self.bytes[end + 1..].first_chunk()?;
            if crc::extend(crc, &[compression]) == crc::unmask(u32::from_le_bytes(*stored)) {
                return Some((start, end - start));
            }
        }
        None
    }

    /// Finds the first sound block behind a damaged one that begins at `start`.
    fn block_behind(&mut self, start: usize) -> Option<(usize, usize)> {
        for end in start + 8..self.limit(start) {
            if self.bytes[end] == 0 && self.has_restarts(start, end) {
                let found = self.block_at(end + TRAILER_LEN as usize);
                if found.is_some() || self.attempts == 0 {
                    return found;
                }
            }
        }
        None
    }

    /// Where the byte that says how a block is compressed can stand at the latest, for one that
    /// begins at `start`.
    fn limit(&self, start: usize) -> usize {
        let last = self.bytes.len().saturating_sub(TRAILER_LEN as usize - 1);
        last.min(start.saturating_add(MAX_BLOCK))
    }

    /// Whether an uncompressed block from `start` to `end` would end with restarts as a block does.
    fn has_restarts(&self, start: usize, end: usize) -> bool {
        let contents = &self.bytes[start..end];
        let Some((rest, count)) = contents.split_last_chunk::<4>() else {
            return false;
        };
        let count = u32::from_le_bytes(*count) as usize;
        let Some(entries) = count
            .checked_mul(4)
            .and_then(|len| rest.len().checked_sub(len))
        else {
            return false;
        };
        let (restarts, _) = rest[entries..].as_chunks::<4>();
        let mut restarts = restarts
            .iter()
            .map(|bytes| u32::from_le_bytes(*bytes) as usize);
        restarts.next() == Some(0) && restarts.is_sorted() && restarts_end_below(rest, entries)
    }
}

/// Whether the last restart lies among the entries.
fn restarts_end_below(rest: &[u8], entries: usize) -> bool {
    let last = rest
        .last_chunk()
        .map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize);
    last == 0 || last < entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Writer;

    fn table() -> Vec<u8> {
        let mut table = Writer::new(Vec::new()).with_block_size(100);
        for i in 0..100 {
            let key = format!("key{i:04}");
            table.add(key.as_bytes(), &[i; 7]).unwrap();
        }
        table.finish().unwrap()
    }

    fn keys(recovery: &Recovery) -> Vec<usize> {
        let keys = recovery.entries.iter().map(|(key, value, _)| {
            let key: usize = std::str::from_utf8(&key[3..]).unwrap().parse().unwrap();
            assert_eq!(**value, [key as u8; 7]);
            key
        });
        keys.collect()
    }

    #[test]
    fn everything_is_there_whatever_became_of_the_end() {
        let bytes = table();
        let blocks = Reader::new(Blob::from_bytes(bytes.clone())).unwrap();
        let last = blocks.handles().last().unwrap();
        for cut in last.end().unwrap() as usize..bytes.len() {
            let recovery = recover(&Blob::from_bytes(bytes[..cut].to_vec())).unwrap();
            assert_eq!(keys(&recovery), (0..100).collect::<Vec<_>>(), "{cut}");
            assert_eq!(recovery.lost.len(), 1);
            assert_eq!(recovery.lost[0].0.end, cut as u64);
        }
        let mut damaged = bytes.clone();
        let footer = damaged.len() - 48;
        damaged[footer] ^= 1;
        let recovery = recover(&Blob::from_bytes(damaged)).unwrap();
        assert_eq!(keys(&recovery).len(), 100);
        assert!(recover(&Blob::from_bytes(bytes)).unwrap().lost.is_empty());
    }

    #[test]
    fn a_damaged_block_takes_no_other_along() {
        let bytes = table();
        let blocks = Reader::new(Blob::from_bytes(bytes.clone())).unwrap();
        let handles: Vec<_> = blocks.handles().collect();
        for (i, handle) in handles.iter().enumerate() {
            for ending in [true, false] {
                let mut damaged = bytes.clone();
                damaged[handle.offset as usize + 10] ^= 0x40;
                if !ending {
                    damaged.truncate(bytes.len() - 1);
                }
                let recovery = recover(&Blob::from_bytes(damaged)).unwrap();
                let kept = keys(&recovery);
                assert!(kept.len() < 100 && kept.len() > 85, "{i} {kept:?}");
                assert!(kept.is_sorted_by(|a, b| a < b));
                let range = &recovery.lost.last().unwrap().0;
                if ending || i + 1 < handles.len() {
                    assert_eq!(*range, handle.offset..handle.end().unwrap());
                } else {
                    assert_eq!(range.start, handle.offset);
                }
            }
        }
    }

    #[test]
    fn nothing_is_found_in_what_is_no_table() {
        for bytes in [
            vec![],
            vec![0; 1000],
            vec![1; 100_000],
            b"no table".to_vec(),
        ] {
            let recovery = recover(&Blob::from_bytes(bytes)).unwrap();
            assert!(recovery.entries.is_empty());
            assert!(!recovery.lost.is_empty());
        }
    }
}
