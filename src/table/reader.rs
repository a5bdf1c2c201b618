use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use prost::bytes::Bytes;

use super::block::{Block, Walk};
use super::footer::{BlockHandle, Footer};
use crate::error::{Error, Result};
use crate::store::Blob;

/// Reads a sorted string table: looks keys up, walks all entries.
///
/// Opening reads the footer and the index block; a data block is read when it is first touched.
/// Then its checksum is verified, and every entry of it before the first answer, so that "not
/// found" is never said because of damage.
///
/// ```no_run
/// use savedmodel::store::{LocalStore, Store};
/// use savedmodel::table::Reader;
///
/// let file = LocalStore::new("model/variables").open("variables.index")?;
/// let table = Reader::new(file)?;
/// let mut cursor = table.cursor();
/// while let Some((key, value)) = cursor.next_entry()? {
///     println!("{}: {} bytes", key.escape_ascii(), value.len());
/// }
/// # Ok::<(), savedmodel::Error>(())
/// ```
pub struct Reader {
    file: Blob,
    footer: Footer,
    /// The index block's keys, one behind the other.
    separators: Vec<u8>,
    slots: Vec<Slot>,
}

/// A data block: where it is, what the index says of its keys, and itself once it was read.
struct Slot {
    handle: BlockHandle,
    /// In `separators`: a key not below the block's last.
    separator: Range<usize>,
    block: OnceLock<Block>,
    /// Whether every entry was checked.
    sound: AtomicBool,
    /// What the check found. Kept, or each of many lookups would read a bad block again.
    fault: OnceLock<Error>,
}

impl Reader {
    /// Opens a table: reads its footer and index block.
    ///
    /// # Errors
    ///
    /// `Malformed` or `ChecksumMismatch`, with the offset, if it is no table or its footer or index
    /// is damaged.
    pub fn new(file: Blob) -> Result<Self> {
        let footer = Footer::read(&file)?;
        let index = Block::read(&file, footer.index)?;
        let mut separators = Vec::new();
        let mut slots: Vec<Slot> = Vec::new();
        let mut end = 0;
        let mut walk = Walk::from_run(0);
        while let Some(value) = walk.next(&index)? {
            let place = index.offset();
            let Some((handle, _)) = BlockHandle::decode(&index.contents()[value]) else {
                return Err(Error::malformed("bad block handle in the index block").at(place));
            };
            if handle.offset < end {
                return Err(Error::malformed(format!(
                    "the table block at byte {} begins inside the one before it",
                    handle.offset
                ))
                .at(place));
            }
            end = match handle.end() {
                Some(end) if end <= file.len() => end,
                _ => {
                    return Err(Error::malformed(format!(
                        "a table block of {} bytes at byte {} does not lie in the file",
                        handle.size, handle.offset
                    ))
                    .at(place));
                }
            };
            let start = separators.len();
            separators.extend_from_slice(walk.key());
            slots.push(Slot {
                handle,
                separator: start..separators.len(),
                block: OnceLock::new(),
                sound: AtomicBool::new(false),
                fault: OnceLock::new(),
            });
        }
        Ok(Reader {
            file,
            footer,
            separators,
            slots,
        })
    }

    /// Returns the length of the file in bytes.
    pub fn file_len(&self) -> u64 {
        self.file.len()
    }

    /// Returns how many data blocks there are.
    pub fn blocks(&self) -> usize {
        self.slots.len()
    }

    /// Returns where the data blocks are.
    pub(crate) fn handles(&self) -> impl Iterator<Item = BlockHandle> + '_ {
        self.slots.iter().map(|slot| slot.handle)
    }

    /// Looks a key up; returns its value.
    ///
    /// # Errors
    ///
    /// `Malformed` or `ChecksumMismatch` if the block that would hold the key is damaged.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.find(key)?.map(|(value, _)| value))
    }

    /// Looks a key up; returns its value and where in the file that stands.
    pub(crate) fn find(&self, key: &[u8]) -> Result<Option<(Bytes, u64)>> {
        let slot = self.slot_for(key);
        if slot < self.slots.len() {
            let block = self.sound_block(slot)?;
            if let Some(value) = block.find(key)? {
                let offset = block.file_offset(value.start);
                return Ok(Some((block.contents().slice(value), offset)));
            }
        }
        // The block before could hold it too, if the index is wrong about its last key.
        if let Some(before) = slot.checked_sub(1) {
            self.sound_block(before)?;
        }
        Ok(None)
    }

    /// Starts a walk before the first entry.
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor {
            table: self,
            slot: 0,
            block: None,
            walk: Walk::from_run(0),
            value: None,
        }
    }

    /// Starts a walk before the first entry whose key is not below `key`.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn cursor_at(&self, key: &[u8]) -> Result<Cursor<'_>> {
        let slot = self.slot_for(key);
        let mut cursor = self.cursor();
        cursor.slot = slot;
        // As for `get`: keys not below could stand in the block before, if the index is wrong.
        if let Some(before) = slot.checked_sub(1) {
            self.sound_block(before)?;
        }
        if slot == self.slots.len() {
            return Ok(cursor);
        }
        let block = self.sound_block(slot)?;
        // Counts the entries below `key`, then walks up to the last of them.
        let run = block.last_run_not_above(key)?;
        let mut ahead = Walk::from_run(run);
        let mut below = 0;
        while ahead.next(block)?.is_some() && ahead.key() < key {
            below += 1;
        }
        cursor.walk = Walk::from_run(run);
        for _ in 0..below {
            cursor.walk.next(block)?;
        }
        cursor.block = Some(block);
        Ok(cursor)
    }

    /// Checks everything, also what reading has no use for: every block, the order of all keys, the
    /// metaindex block, the padding of the footer.
    ///
    /// # Errors
    ///
    /// The first fault.
    pub fn verify(&self) -> Result<()> {
        let mut cursor = self.cursor();
        while cursor.next_entry()?.is_some() {}
        self.verify_unread()
    }

    /// Checks what reading has no use for: the metaindex block and the padding of the footer.
    pub(crate) fn verify_unread(&self) -> Result<()> {
        let metaindex = Block::read(&self.file, self.footer.metaindex)?;
        let mut walk = Walk::from_run(0);
        while walk.next(&metaindex)?.is_some() {}
        match self.footer.padding_is_zero {
            true => Ok(()),
            false => Err(Error::malformed("the padding of the footer is not zero")
                .at(self.file.len() - Footer::LEN)),
        }
    }

    /// Returns the number of the first block whose separator is not below `key`.
    fn slot_for(&self, key: &[u8]) -> usize {
        self.slots
            .partition_point(|slot| self.separator(slot) < key)
    }

    fn separator(&self, slot: &Slot) -> &[u8] {
        &self.separators[slot.separator.clone()]
    }

    /// Returns a block whose checksum holds.
    fn block(&self, slot: usize) -> Result<&Block> {
        let slot = &self.slots[slot];
        if let Some(block) = slot.block.get() {
            return Ok(block);
        }
        let block = Block::read(&self.file, slot.handle)?;
        Ok(slot.block.get_or_init(|| block))
    }

    /// Returns a block every entry of which was checked.
    fn sound_block(&self, slot: usize) -> Result<&Block> {
        if let Some(fault) = self.slots[slot].fault.get().and_then(Error::again) {
            return Err(fault);
        }
        self.check_block(slot).inspect_err(|error| {
            if let Some(fault) = error.again() {
                let _ = self.slots[slot].fault.set(fault);
            }
        })
    }

    fn check_block(&self, slot: usize) -> Result<&Block> {
        let block = self.block(slot)?;
        if !self.slots[slot].sound.load(Ordering::Relaxed) {
            let mut walk = Walk::from_run(0);
            let mut first = true;
            while walk.next(block)?.is_some() {
                if first {
                    self.check_first(slot, &walk, block)?;
                    first = false;
                }
            }
            self.check_last(slot, &walk, block)?;
            self.slots[slot].sound.store(true, Ordering::Relaxed);
        }
        Ok(block)
    }

    /// Proves that a block's first key is above the separator before it.
    fn check_first(&self, slot: usize, walk: &Walk, block: &Block) -> Result<()> {
        match slot
            .checked_sub(1)
            .map(|before| self.separator(&self.slots[before]))
        {
            Some(separator) if walk.key() <= separator => Err(Error::malformed(
                "a table block begins with a key that the index expects in the block before it",
            )
            .at(block.offset())),
            _ => Ok(()),
        }
    }

    /// Proves that a block's last key is not above its separator.
    fn check_last(&self, slot: usize, walk: &Walk, block: &Block) -> Result<()> {
        match walk.key() > self.separator(&self.slots[slot]) {
            true => Err(Error::malformed(
                "a table block ends with a key that the index expects in the block behind it",
            )
            .at(block.offset())),
            false => Ok(()),
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("file", &self.file)
            .field("blocks", &self.slots.len())
            .finish_non_exhaustive()
    }
}

/// A walk over a table's entries in key order.
pub struct Cursor<'t> {
    table: &'t Reader,
    slot: usize,
    block: Option<&'t Block>,
    walk: Walk,
    /// The value of the entry the walk stands on.
    value: Option<Range<usize>>,
}

impl<'t> Cursor<'t> {
    /// Steps to the next entry; returns its key and its value, or `None` behind the last.
    ///
    /// # Errors
    ///
    /// `Malformed` or `ChecksumMismatch`, with the offset, at the first damaged block or entry; the
    /// walk ends there.
    #[inline]
    pub fn next_entry(&mut self) -> Result<Option<(&[u8], &'t [u8])>> {
        self.advance()?;
        Ok(self.current())
    }

    /// Returns the entry that the walk stands on.
    #[inline(always)]
    pub(crate) fn current(&self) -> Option<(&[u8], &'t [u8])> {
        let value = &self.block?.contents()[self.value.clone()?];
        Some((self.walk.key(), value))
    }

    /// Says whether the walk stands on the entry under the empty key.
    #[inline(always)]
    pub(crate) fn is_on_empty_key(&self) -> bool {
        self.walk.key().is_empty() && self.value.is_some()
    }

    /// Returns where in the file the value of the current entry stands.
    pub(crate) fn offset(&self) -> u64 {
        match (self.block, &self.value) {
            (Some(block), Some(value)) => block.file_offset(value.start),
            _ => 0,
        }
    }

    #[inline(always)]
    pub(crate) fn advance(&mut self) -> Result<()> {
        if let Some(block) = self.block
            && let Some(value) = self.walk.next_usual(block)
        {
            self.value = Some(value);
            return Ok(());
        }
        self.advance_any()
    }

    #[inline(never)]
    fn advance_any(&mut self) -> Result<()> {
        let result = self.step();
        if result.is_err() {
            self.slot = self.table.slots.len();
            self.block = None;
        }
        result
    }

    fn step(&mut self) -> Result<()> {
        loop {
            let (block, entered) = match self.block {
                Some(block) => (block, false),
                None if self.slot == self.table.slots.len() => {
                    self.value = None;
                    return Ok(());
                }
                None => {
                    let block = self.table.block(self.slot)?;
                    self.walk.enter_next_block();
                    self.block = Some(block);
                    (block, true)
                }
            };
            self.value = self.walk.next_any(block)?;
            if self.value.is_some() {
                if entered {
                    self.table.check_first(self.slot, &self.walk, block)?;
                }
                return Ok(());
            }
            self.table.check_last(self.slot, &self.walk, block)?;
            self.block = None;
            self.slot += 1;
        }
    }
}

/// Says whether a file ends as a sorted string table does.
pub(crate) fn is_table(file: &Blob) -> bool {
    Footer::read(file).is_ok()
}
