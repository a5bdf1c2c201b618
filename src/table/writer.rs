use std::fmt;
use std::io::Write;

use super::block_builder::BlockBuilder;
use super::footer::{BlockHandle, Footer, TRAILER_LEN};
use crate::error::{Error, ErrorKind, Result};
use crate::wire::crc;

/// Writes a sorted string table, entry by entry in key order, uncompressed.
///
/// The bytes are those of TensorFlow's `TableBuilder` without compression
/// (`tensorflow/core/lib/io/table_builder.cc`), as bundle indexes have them. A block goes to the
/// target when it is full, in two writes, so memory is one block and the index of blocks.
///
/// ```
/// use savedmodel::store::Blob;
/// use savedmodel::table::{Reader, Writer};
///
/// let mut table = Writer::new(Vec::new());
/// table.add(b"a", b"1")?;
/// table.add(b"b", b"2")?;
/// let bytes = table.finish()?;
///
/// let table = Reader::new(Blob::from_bytes(bytes))?;
/// assert_eq!(table.get(b"b")?.as_deref(), Some(&b"2"[..]));
/// # Ok::<(), savedmodel::Error>(())
/// ```
pub struct Writer<W> {
    target: W,
    /// How much was written.
    offset: u64,
    block_size: usize,
    data: BlockBuilder,
    index: BlockBuilder,
    /// The last block written, until the next key says what separates it from what follows.
    pending: Option<BlockHandle>,
    /// The last key, if there is one.
    last: Option<Vec<u8>>,
    /// Whether a write failed, so that nobody knows what the target holds.
    failed: bool,
}

/// What TensorFlow's bundles have (`table::Options::block_size`).
const BLOCK_SIZE: usize = 262_144;

/// A block of this size and the largest entry stay below the 32 bits of a restart.
const MAX_BLOCK_SIZE: usize = 1 << 30;
const MAX_ENTRY: u64 = 2 << 30;

/// Entries from one that shares nothing to the next, of data blocks and of the index block.
const RESTART_INTERVAL: u32 = 16;
const INDEX_RESTART_INTERVAL: u32 = 1;

impl<W: Write> Writer<W> {
    /// Writes a table to `target`, which is its beginning.
    pub fn new(target: W) -> Self {
        Writer {
            target,
            offset: 0,
            block_size: BLOCK_SIZE,
            data: BlockBuilder::new(RESTART_INTERVAL),
            index: BlockBuilder::new(INDEX_RESTART_INTERVAL),
            pending: None,
            last: None,
            failed: false,
        }
    }

    /// Sets how many bytes a block has at least, unless it is the last; at most 1 GiB. Default:
    /// 262,144.
    pub fn with_block_size(mut self, block_size: usize) -> Self {
        self.block_size = block_size.min(MAX_BLOCK_SIZE);
        self
    }

    /// Appends an entry, whose key must be above the last one's.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`, naming both keys, if it is not above, and `TooLarge` for an entry of more
    /// than 2 GiB: nothing was added then. `Io` is what the target says; the table cannot go on
    /// after it.
    pub fn add(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.refuse_after_failure()?;
        let size = key.len() as u64 + value.len() as u64;
        if size > MAX_ENTRY {
            return Err(Error::new(ErrorKind::TooLarge {
                what: "an entry of a table".to_owned(),
                size,
                limit: MAX_ENTRY,
            })
            .for_key(key));
        }
        if let Some(last) = &self.last {
            if key <= last.as_slice() {
                return Err(Error::invalid_argument(format!(
                    "the keys of a table ascend, and this one is not above `{}` before it",
                    last.escape_ascii()
                ))
                .for_key(key));
            }
            if size >= 2 * self.block_size as u64 {
                self.flush_block()?;
            }
        }
        if let (Some(handle), Some(last)) = (self.pending, &self.last) {
            // Only an index of 4 GiB has no place for it.
            self.failed = true;
            add_handle(&mut self.index, separator(last, key), handle)?;
            self.failed = false;
            self.pending = None;
        }
        self.data.add(key, value)?;
        let last = self.last.get_or_insert_default();
        last.clear();
        last.extend_from_slice(key);
        if self.data.len() >= self.block_size {
            self.flush_block()?;
        }
        Ok(())
    }

    /// Writes what is left and the footer; returns the target, not flushed.
    ///
    /// # Errors
    ///
    /// `Io`: what the target says.
    pub fn finish(mut self) -> Result<W> {
        self.refuse_after_failure()?;
        self.flush_block()?;
        let metaindex = self.write_block(BlockBuilder::new(RESTART_INTERVAL).finish())?;
        if let (Some(handle), Some(last)) = (self.pending, &self.last) {
            add_handle(&mut self.index, successor(last), handle)?;
        }
        let mut index =
            std::mem::replace(&mut self.index, BlockBuilder::new(INDEX_RESTART_INTERVAL));
        let index = self.write_block(index.finish())?;
        self.target.write_all(&Footer::encode(metaindex, index))?;
        Ok(self.target)
    }

    fn flush_block(&mut self) -> Result<()> {
        if self.data.is_empty() {
            return Ok(());
        }
        let mut data = std::mem::replace(&mut self.data, BlockBuilder::new(RESTART_INTERVAL));
        let handle = self.write_block(data.finish());
        data.clear();
        self.data = data;
        self.pending = Some(handle?);
        Ok(())
    }

    fn write_block(&mut self, contents: &[u8]) -> Result<BlockHandle> {
        const UNCOMPRESSED: u8 = 0;
        let sum = crc::extend(crc::crc32c(contents), &[UNCOMPRESSED]);
        let [a, b, c, d] = crc::mask(sum).to_le_bytes();
        let written = self
            .target
            .write_all(contents)
            .and_then(|()| self.target.write_all(&[UNCOMPRESSED, a, b, c, d]));
        self.failed = written.is_err();
        written?;
        let handle = BlockHandle {
            offset: self.offset,
            size: contents.len() as u64,
        };
        self.offset += handle.size + TRAILER_LEN;
        Ok(handle)
    }

    fn refuse_after_failure(&self) -> Result<()> {
        match self.failed {
            true => Err(Error::invalid_argument(
                "the table cannot go on: writing a part of it failed",
            )),
            false => Ok(()),
        }
    }
}

impl<W> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("written", &self.offset)
            .field("block_size", &self.block_size)
            .finish_non_exhaustive()
    }
}

fn add_handle(index: &mut BlockBuilder, mut key: Vec<u8>, handle: BlockHandle) -> Result<()> {
    let at = key.len();
    handle.encode(&mut key);
    index.add(&key[..at], &key[at..])
}

/// Returns a short key that is not below `a` and is below `b`.
fn separator(a: &[u8], b: &[u8]) -> Vec<u8> {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    match (a.get(same), b.get(same)) {
        (Some(&x), Some(&y)) if x < 0xff && x + 1 < y => [&a[..same], &[x + 1]].concat(),
        _ => a.to_vec(),
    }
}

/// Returns a short key that is not below `a`.
fn successor(a: &[u8]) -> Vec<u8> {
    match a.iter().position(|&byte| byte != 0xff) {
        Some(at) => [&a[..at], &[a[at] + 1]].concat(),
        None => a.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::store::Blob;
    use crate::table::Reader;

    #[test]
    fn short_keys_between_blocks() {
        for (a, b, between) in [
            (&b"abc"[..], &b"abf"[..], &b"abd"[..]),
            (b"abc", b"abd", b"abc"),
            (b"abc", b"abcd", b"abc"),
            (b"ab\xfe", b"ab\xff", b"ab\xfe"),
            (b"", b"a", b""),
        ] {
            assert_eq!(separator(a, b), between);
        }
        for (a, after) in [
            (&b"z"[..], &b"{"[..]),
            (b"\xff\xffab", b"\xff\xffb"),
            (b"\xff", b"\xff"),
            (b"", b""),
        ] {
            assert_eq!(successor(a), after);
        }
    }

    #[test]
    fn keys_ascend() {
        let mut table = Writer::new(Vec::new());
        table.add(b"b", b"").unwrap();
        for key in [&b"b"[..], b"a", b""] {
            let error = table.add(key, b"").unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }));
            assert_eq!(error.key(), Some(key));
            assert!(error.to_string().contains("`b`"), "{error}");
        }
        table.add(b"c", b"").unwrap();
        let table = Reader::new(Blob::from_bytes(table.finish().unwrap())).unwrap();
        assert!(table.get(b"c").unwrap().is_some());
    }

    #[test]
    fn what_is_written_is_found_whatever_the_size_of_blocks() {
        let pairs: Vec<(Vec<u8>, Vec<u8>)> = (0..1000u32)
            .map(|i| {
                let value = vec![i as u8; (i * 37 % 300) as usize];
                (format!("layer/{i:05}/kernel").into(), value)
            })
            .collect();
        for block_size in [0, 1, 100, 1000, 4096, 262_144] {
            let mut table = Writer::new(Vec::new()).with_block_size(block_size);
            for (key, value) in &pairs {
                table.add(key, value).unwrap();
            }
            let table = Reader::new(Blob::from_bytes(table.finish().unwrap())).unwrap();
            table.verify().unwrap();
            for (key, value) in &pairs {
                assert_eq!(table.get(key).unwrap().unwrap(), *value);
            }
            let mut cursor = table.cursor();
            let mut count = 0;
            while let Some((key, _)) = cursor.next_entry().unwrap() {
                assert_eq!(key, pairs[count].0);
                count += 1;
            }
            assert_eq!(count, pairs.len());
        }
    }

    #[test]
    fn a_large_entry_has_a_block_to_itself() {
        let mut table = Writer::new(Vec::new()).with_block_size(100);
        table.add(b"a", b"1").unwrap();
        table.add(b"b", &[0; 199]).unwrap();
        let table = Reader::new(Blob::from_bytes(table.finish().unwrap())).unwrap();
        assert_eq!(table.blocks(), 2);
    }

    #[test]
    fn a_table_does_not_go_on_after_a_failed_write() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut table = Writer::new(Full).with_block_size(1);
        let error = table.add(b"a", b"").unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Io { .. }));
        assert!(table.add(b"b", b"").is_err());
        assert!(table.finish().is_err());
    }
}
