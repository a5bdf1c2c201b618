use std::ops::Range;

use prost::bytes::Bytes;

use super::compression;
use super::footer::{BlockHandle, TRAILER_LEN};
use crate::error::{Error, ErrorKind, Result};
use crate::store::Blob;
use crate::wire::{crc, varint};

/// A block whose checksum was verified: its entries and where their runs start.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    contents: Bytes,
    /// Length of the entries; the restarts follow.
    entries: usize,
    /// Where in the file the block stands, for messages.
    offset: u64,
    /// Whether places in the contents are places in the file.
    compressed: bool,
    /// How long all its keys may be together.
    key_budget: u64,
}

/// By how much keys may outgrow the block that stores them. Sixteen entries share a prefix at most
/// in anything TensorFlow or LevelDB writes; without a limit a block of a megabyte could hold ten
/// thousand keys of half a megabyte.
const MAX_SHARING: u64 = 32;

/// How many entries a run may have. TensorFlow and LevelDB write sixteen; looking a key up walks a
/// run, so that one of a million entries would make looking all of them up quadratic.
const MAX_RUN: u32 = 256;

impl Block {
    /// Reads a block, verifies its checksum and decompresses it.
    pub(crate) fn read(file: &Blob, handle: BlockHandle) -> Result<Self> {
        let outside = || {
            Error::malformed(format!(
                "a table block of {} bytes at byte {} does not lie in the file",
                handle.size, handle.offset
            ))
        };
        match handle.end() {
            Some(end) if end <= file.len() => {}
            _ => return Err(outside().at(handle.offset)),
        }
        let stored = file.read(handle.offset, handle.size + TRAILER_LEN)?;
        // The range lies in the file and was read, so the size fits.
        let size = handle.size as usize;
        let Some((trailer, [])) = stored[size..].split_first_chunk::<5>() else {
            return Err(outside().at(handle.offset));
        };
        let [compression, masked @ ..] = *trailer;
        let expected = crc::unmask(u32::from_le_bytes(masked));
        let computed = crc::crc32c(&stored[..size + 1]);
        if computed != expected {
            return Err(Error::new(ErrorKind::ChecksumMismatch {
                what: "a table block".to_owned(),
                stored: expected,
                computed,
            })
            .at(handle.offset));
        }
        let contents = compression::decompress(stored.slice(..size), compression)
            .map_err(|error| error.at(handle.offset))?;
        let mut block = Self::new(contents, handle.offset, compression != 0)?;
        // That contents are large may be all that compression says, so they count less.
        block.key_budget = MAX_SHARING * size as u64 + block.contents.len() as u64;
        Ok(block)
    }

    fn new(contents: Bytes, offset: u64, compressed: bool) -> Result<Self> {
        let entries = contents.split_last_chunk().and_then(|(rest, count)| {
            let count = u32::from_le_bytes(*count) as usize;
            rest.len().checked_sub(count.checked_mul(4)?)
        });
        match entries {
            Some(entries) if entries + 8 <= contents.len() => Ok(Block {
                key_budget: MAX_SHARING * contents.len() as u64,
                contents,
                entries,
                offset,
                compressed,
            }),
            _ => Err(Error::malformed("bad block contents: no place for its restarts").at(offset)),
        }
    }

    /// Returns where the block stands in the file.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns where in the file a place of the contents is; of a compressed block, the block.
    pub(crate) fn file_offset(&self, position: usize) -> u64 {
        match self.compressed {
            true => self.offset,
            false => self.offset + position as u64,
        }
    }

    /// Returns the contents; the ranges that [`Walk`] gives are in it.
    pub(crate) fn contents(&self) -> &Bytes {
        &self.contents
    }

    /// Returns how many runs of entries there are; at least one, which may be empty.
    fn restarts(&self) -> usize {
        (self.contents.len() - self.entries) / 4 - 1
    }

    /// Returns where run `i` of the entries starts.
    fn restart(&self, i: usize) -> Option<usize> {
        let bytes = self.contents.get(self.entries + 4 * i..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes) as usize)
    }

    /// Returns the value of `key`, as a range of the contents.
    pub(crate) fn find(&self, key: &[u8]) -> Result<Option<Range<usize>>> {
        let mut walk = Walk::from_run(self.last_run_not_above(key)?);
        while let Some(value) = walk.next(self)? {
            match walk.key().cmp(key) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Ok(Some(value)),
                std::cmp::Ordering::Greater => break,
            }
        }
        Ok(None)
    }

    /// Finds the last run that starts with a key not above `key`, or the first.
    pub(crate) fn last_run_not_above(&self, key: &[u8]) -> Result<usize> {
        let (mut low, mut high) = (0, self.restarts() - 1);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.first_key(middle)? <= key {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(low)
    }

    fn first_key(&self, run: usize) -> Result<&[u8]> {
        let start = self.restart(run).unwrap_or(self.entries);
        match Header::read(&self.contents[..self.entries], start) {
            Some(header) if header.shared == 0 => Ok(&self.contents[header.key..header.value]),
            _ => Err(self.bad("a restart that is no entry", start)),
        }
    }

    #[cold]
    fn bad(&self, what: &str, position: usize) -> Error {
        Error::malformed(format!("bad entry in table block: {what}")).at(self.file_offset(position))
    }
}

/// One entry's lengths, resolved to places in the block.
struct Header {
    shared: usize,
    key: usize,
    value: usize,
    end: usize,
}

impl Header {
    /// Reads the header of the entry at `start`; proves that its key and value lie in `entries`.
    #[inline(always)]
    fn read(entries: &[u8], start: usize) -> Option<Self> {
        let rest = entries.get(start..)?;
        let (shared, non_shared, value_len, len) = match *rest {
            [a @ 0..0x80, b @ 0..0x80, c @ 0..0x80, ..] => (a.into(), b.into(), c.into(), 3),
            _ => Self::read_long(rest)?,
        };
        // Three 32-bit lengths: no overflow where `usize` has 64 bits, checked where it has not.
        let key = start + len;
        let value = key.checked_add(non_shared)?;
        let end = value.checked_add(value_len)?;
        (end <= entries.len()).then_some(Header {
            shared,
            key,
            value,
            end,
        })
    }

    fn read_long(bytes: &[u8]) -> Option<(usize, usize, usize, usize)> {
        let (shared, a) = varint::read_u32(bytes)?;
        let (non_shared, b) = varint::read_u32(&bytes[a..])?;
        let (value_len, c) = varint::read_u32(&bytes[a + b..])?;
        Some((
            shared.try_into().ok()?,
            non_shared.try_into().ok()?,
            value_len.try_into().ok()?,
            a + b + c,
        ))
    }
}

/// A walk over the entries of one block after the other, with the key it stands on.
///
/// Every step proves what a sound table promises: the entry lies in the block, shares no more than
/// the key before it has, its key is above that key, and runs start where the restarts say. It also
/// keeps the limits that make work and memory proportional to the file: `MAX_RUN`, `MAX_SHARING`.
#[derive(Debug)]
pub(crate) struct Walk {
    /// The key and anything behind it, so that a short one is changed by a copy of fixed length.
    buffer: Vec<u8>,
    key_len: usize,
    /// Whether the key is that of an entry, so that the next must be above it.
    standing: bool,
    /// Whether `at` is not known yet: the walk is before run `next_run` of a block.
    entering: bool,
    /// Where the next entry starts.
    at: usize,
    /// Where the next run starts, or the entries end; 0 before the first step in a block.
    stop: usize,
    next_run: usize,
    /// Entries since the last restart.
    in_run: u32,
    /// What is left of the block's budget for keys.
    key_budget: u64,
}

/// Of a key, how much a step copies at once.
const COPY: usize = 64;
const MAX_OWN: u8 = COPY as u8;

impl Walk {
    /// Starts before a run of entries, not knowing what comes before it.
    pub(crate) fn from_run(run: usize) -> Self {
        Walk {
            buffer: Vec::new(),
            key_len: 0,
            standing: false,
            entering: true,
            at: 0,
            stop: 0,
            next_run: run,
            in_run: 0,
            key_budget: 0,
        }
    }

    /// Goes on to the first entry of the next block, whose key must be above the last one's.
    pub(crate) fn enter_next_block(&mut self) {
        (self.entering, self.next_run, self.stop) = (true, 0, 0);
    }

    /// Returns the key of the entry that the walk stands on.
    #[inline(always)]
    pub(crate) fn key(&self) -> &[u8] {
        &self.buffer[..self.key_len]
    }

    /// Steps to the next entry: its key is in `key`, the place of its value is returned. `None`
    /// at the end of the block.
    #[inline]
    pub(crate) fn next(&mut self, block: &Block) -> Result<Option<Range<usize>>> {
        match self.next_usual(block) {
            Some(value) => Ok(Some(value)),
            None => self.next_any(block),
        }
    }

    /// Steps to an entry within a run as every writer leaves it: short, sharing all it can. `None`,
    /// and nothing has changed, at any other.
    #[inline(always)]
    pub(crate) fn next_usual(&mut self, block: &Block) -> Option<Range<usize>> {
        if self.at >= self.stop {
            return None;
        }
        let contents = &block.contents[..];
        let &[shared, own @ 1..=MAX_OWN, value_len @ 0..0x80, ..] = contents.get(self.at..)? else {
            return None;
        };
        // As one byte of a varint; more than the key before has is refused below.
        if shared >= 0x80 {
            return None;
        }
        let (shared, key) = (usize::from(shared), self.at + 3);
        let value = key + usize::from(own);
        let end = value + usize::from(value_len);
        let source: &[u8; COPY] = contents.get(key..)?.first_chunk()?;
        let key_len = shared + usize::from(own);
        let target: &mut [u8; COPY] = self.buffer.get_mut(shared..)?.first_chunk_mut()?;
        let is_above = shared == self.key_len || shared < self.key_len && source[0] > target[0];
        if !is_above
            || end > block.entries
            || self.key_budget < key_len as u64
            || self.in_run >= MAX_RUN
        {
            return None;
        }
        *target = *source;
        self.key_len = key_len;
        self.key_budget -= key_len as u64;
        self.in_run += 1;
        self.at = end;
        Some(value..end)
    }

    /// Steps to any entry, sound or not.
    #[inline(never)]
    pub(crate) fn next_any(&mut self, block: &Block) -> Result<Option<Range<usize>>> {
        let entries = &block.contents[..block.entries];
        let restarts = block.restarts();
        if self.entering {
            let start = block.restart(self.next_run).unwrap_or(block.entries);
            if self.next_run == 0 && start != 0 {
                return Err(block.bad("the first run does not start at the beginning", start));
            }
            self.key_budget = block.key_budget;
            (self.entering, self.at, self.stop) = (false, start, start);
        }
        let at = self.at;
        if at == entries.len() {
            // An empty block has one restart, which points at its end.
            return match restarts.saturating_sub(self.next_run) {
                0 => Ok(None),
                1 if entries.is_empty() => Ok(None),
                _ => Err(block.bad("a restart behind the last entry", at)),
            };
        }
        let Some(header) = Header::read(entries, at) else {
            return Err(block.bad("its lengths lead out of the block", at));
        };
        // The entries end elsewhere, so a run starts here, or should have before.
        let starts_run = at >= self.stop;
        if starts_run && (header.shared != 0 || block.restart(self.next_run) != Some(at)) {
            return Err(block.bad("a restart does not point at it, or it shares key bytes", at));
        }
        if header.shared > self.key_len {
            return Err(block.bad("it shares more than the key before it has", at));
        }
        let own = &entries[header.key..header.value];
        if self.standing && !is_above(own, &self.key()[header.shared..]) {
            return Err(block.bad("keys are not in ascending order", at));
        }
        if starts_run {
            self.in_run = 0;
            self.next_run += 1;
            self.stop = match self.next_run < restarts {
                true => block.restart(self.next_run).unwrap_or(0).min(entries.len()),
                false => entries.len(),
            };
        }
        self.key_len = header.shared + own.len();
        if self.buffer.len() < self.key_len + COPY {
            self.buffer.resize(self.key_len + COPY, 0);
        }
        self.buffer[header.shared..self.key_len].copy_from_slice(own);
        self.in_run += 1;
        self.key_budget = match self.key_budget.checked_sub(self.key_len as u64) {
            Some(left) if self.in_run <= MAX_RUN => left,
            _ => return Err(self.too_large(block, at)),
        };
        self.standing = true;
        self.at = header.end;
        Ok(Some(header.value..header.end))
    }
}

impl Walk {
    #[cold]
    fn too_large(&self, block: &Block, at: usize) -> Error {
        let (what, size, limit) = match self.in_run > MAX_RUN {
            true => (
                "the entries of a table block that share a key's bytes in one run",
                self.in_run.into(),
                MAX_RUN.into(),
            ),
            false => (
                "the keys of a table block",
                block.key_budget - self.key_budget + self.key_len as u64,
                block.key_budget,
            ),
        };
        Error::new(ErrorKind::TooLarge {
            what: what.to_owned(),
            size,
            limit,
        })
        .at(block.file_offset(at))
    }
}

/// Says whether `a > b`; the first byte decides nearly always, without a call.
#[inline(always)]
fn is_above(a: &[u8], b: &[u8]) -> bool {
    match (a.first(), b.first()) {
        (Some(a), Some(b)) if a != b => a > b,
        _ => a > b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(contents: &[u8]) -> Result<Block> {
        Block::new(Bytes::copy_from_slice(contents), 1000, false)
    }

    fn entries(contents: &[u8]) -> Result<Vec<(String, String)>> {
        let block = block(contents)?;
        let mut walk = Walk::from_run(0);
        let mut all = Vec::new();
        while let Some(value) = walk.next(&block)? {
            all.push((
                String::from_utf8_lossy(walk.key()).into_owned(),
                String::from_utf8_lossy(&block.contents()[value]).into_owned(),
            ));
        }
        Ok(all)
    }

    const ENTRIES: [u8; 18] = [
        0, 3, 1, b'a', b'b', b'c', b'1', // abc = 1
        2, 1, 0, b'd', // abd = (empty)
        0, 2, 2, b'a', b'c', b'2', b'3', // ac = 23, starts run 1
    ];

    fn good() -> Vec<u8> {
        [&ENTRIES[..], &[0, 0, 0, 0], &[11, 0, 0, 0], &[2, 0, 0, 0]].concat()
    }

    #[test]
    fn entries_and_lookups() {
        let pairs = [("abc", "1"), ("abd", ""), ("ac", "23")];
        let all = entries(&good()).unwrap();
        assert_eq!(
            all.iter()
                .map(|(k, v)| (&k[..], &v[..]))
                .collect::<Vec<_>>(),
            pairs
        );
        let block = block(&good()).unwrap();
        for (key, value) in pairs {
            let found = block.find(key.as_bytes()).unwrap().unwrap();
            assert_eq!(block.contents()[found], *value.as_bytes());
        }
        for key in ["", "ab", "abcd", "abe", "b"] {
            assert!(block.find(key.as_bytes()).unwrap().is_none(), "{key}");
        }
    }

    #[test]
    fn an_empty_block_has_one_run() {
        assert_eq!(entries(&[0, 0, 0, 0, 1, 0, 0, 0]).unwrap(), []);
    }

    #[test]
    fn structure_is_checked() {
        let mut cases = vec![
            vec![],                               // nothing
            vec![b'a', b'b'],                     // two bytes
            vec![0, 0, 0, 0],                     // no restart
            vec![0, 0, 0, 0, 255, 255, 255, 255], // 2^32 - 1 restarts
            vec![4, 0, 0, 0, 1, 0, 0, 0],         // empty, but its run starts at byte 4
        ];
        for (position, byte) in [
            (0, 1),     // first entry shares
            (1, 99),    // key leads out
            (2, 99),    // value leads out
            (7, 4),     // shares more than there is
            (10, b'c'), // the same key again
            (10, b'a'), // descending
            (11, 1),    // start of run 1 shares
            (18, 7),    // run 0 does not start at 0
            (22, 7),    // run 1 starts elsewhere
            (22, 18),   // run 1 starts at the end
            (22, 200),  // run 1 starts outside
            (23, 1),
            (26, 1), // one restart fewer: its bytes become entries
        ] {
            let mut bytes = good();
            bytes[position] = byte;
            cases.push(bytes);
        }
        for bytes in cases {
            assert!(entries(&bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn long_varints_are_read() {
        let bytes = [
            &[0x80, 0x00, 0x81, 0x00, 0x80, 0x00, b'k'][..],
            &[0, 0, 0, 0, 1, 0, 0, 0],
        ]
        .concat();
        assert_eq!(entries(&bytes).unwrap(), [("k".to_owned(), String::new())]);
    }
}
