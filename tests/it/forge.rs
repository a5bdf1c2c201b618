//! Makes tables and bundles byte by byte, sound or not, always with right checksums: damage that
//! a checksum would catch tests nothing but the checksum.

#![allow(
    dead_code,
    reason = "the fuzz targets share this file and need parts of it"
)]

use std::collections::BTreeMap;

use savedmodel::store::MemoryStore;

pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn read_varint(bytes: &[u8], position: &mut usize) -> Option<u64> {
    let mut value = 0;
    for i in 0..10 {
        let byte = *bytes.get(*position)?;
        *position += 1;
        value |= u64::from(byte & 0x7f).checked_shl(7 * i)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

pub(crate) fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

pub(crate) fn masked_crc(bytes: &[u8]) -> u32 {
    masked(crc32c::crc32c(bytes))
}

/// A block under construction, entry by entry, honest or not.
#[derive(Default)]
pub(crate) struct Block {
    bytes: Vec<u8>,
    restarts: Vec<u32>,
    last: Vec<u8>,
}

impl Block {
    /// Appends an entry that says of itself what it is told to say.
    pub(crate) fn raw(&mut self, shared: u32, own: &[u8], value: &[u8]) {
        self.bytes.extend(varint(shared.into()));
        self.bytes.extend(varint(own.len() as u64));
        self.bytes.extend(varint(value.len() as u64));
        self.bytes.extend_from_slice(own);
        self.bytes.extend_from_slice(value);
    }

    pub(crate) fn restart(&mut self) {
        self.restarts.push(self.bytes.len() as u32);
        self.last.clear();
    }

    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) {
        let same = key.iter().zip(&self.last).take_while(|(a, b)| a == b);
        let shared = same.count();
        self.raw(shared as u32, &key[shared..], value);
        self.last = key.to_vec();
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        if self.restarts.is_empty() {
            self.restarts.push(0);
        }
        let count = self.restarts.len() as u32;
        for restart in self.restarts.into_iter().chain([count]) {
            self.bytes.extend(restart.to_le_bytes());
        }
        self.bytes
    }
}

/// A block of these entries with a restart before each `interval`th.
pub(crate) fn block<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    entries: impl IntoIterator<Item = (K, V)>,
    interval: usize,
) -> Vec<u8> {
    let mut block = Block::default();
    for (i, (key, value)) in entries.into_iter().enumerate() {
        if i % interval == 0 {
            block.restart();
        }
        block.add(key.as_ref(), value.as_ref());
    }
    block.finish()
}

/// Place and size of a block, as an index block has them.
pub(crate) fn handle(offset: usize, size: usize) -> Vec<u8> {
    [varint(offset as u64), varint(size as u64)].concat()
}

/// A table file under construction.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) bytes: Vec<u8>,
    pub(crate) index: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Table {
    /// Appends a block as it is with its trailer; returns its handle.
    pub(crate) fn put(&mut self, contents: &[u8], compression: u8) -> Vec<u8> {
        let place = handle(self.bytes.len(), contents.len());
        let start = self.bytes.len();
        self.bytes.extend_from_slice(contents);
        self.bytes.push(compression);
        let crc = masked_crc(&self.bytes[start..]);
        self.bytes.extend(crc.to_le_bytes());
        place
    }

    /// Appends a data block, all keys of which are up to `separator`.
    pub(crate) fn data(&mut self, separator: &[u8], contents: &[u8], compression: u8) {
        let place = self.put(contents, compression);
        self.index.push((separator.to_vec(), place));
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        let index = block(std::mem::take(&mut self.index), 1);
        self.finish_with(&index, 0)
    }

    /// Ends the file with an index block of one's own.
    pub(crate) fn finish_with(mut self, index: &[u8], compression: u8) -> Vec<u8> {
        let metaindex = self.put(&Block::default().finish(), 0);
        let index = self.put(index, compression);
        let mut footer = [metaindex, index].concat();
        footer.resize(40, 0);
        footer.extend(0xdb47_7524_8b80_fb57u64.to_le_bytes());
        self.bytes.extend(footer);
        self.bytes
    }
}

/// A table of these entries, which are in key order, in one block as TensorFlow lays it out.
pub(crate) fn table<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    entries: impl IntoIterator<Item = (K, V)>,
) -> Vec<u8> {
    let mut table = Table::default();
    table.data(&[0xff; 9], &block(entries, 16), 0);
    table.finish()
}

pub(crate) fn field(number: u64, value: i64) -> Vec<u8> {
    [varint(number << 3), varint(value as u64)].concat()
}

pub(crate) fn bytes_field(number: u64, value: &[u8]) -> Vec<u8> {
    [
        &varint(number << 3 | 2)[..],
        &varint(value.len() as u64),
        value,
    ]
    .concat()
}

pub(crate) fn header(num_shards: i64) -> Vec<u8> {
    [field(1, num_shards), bytes_field(3, &[0x08, 0x01])].concat()
}

/// What an index says of a tensor.
#[derive(Clone, Default)]
pub(crate) struct Entry {
    pub(crate) dtype: i64,
    pub(crate) dims: Vec<i64>,
    pub(crate) shard: i64,
    pub(crate) offset: i64,
    pub(crate) size: i64,
    pub(crate) crc: u32,
    pub(crate) slices: Vec<Slice>,
}

/// Start and length in each dimension; `None` for all of it.
pub(crate) type Slice = Vec<Option<(i64, i64)>>;

impl Entry {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let dims: Vec<u8> = self
            .dims
            .iter()
            .flat_map(|&dim| bytes_field(2, &field(1, dim)))
            .collect();
        let mut out = [field(1, self.dtype), bytes_field(2, &dims)].concat();
        for (number, value) in [(3, self.shard), (4, self.offset), (5, self.size)] {
            if value != 0 {
                out.extend(field(number, value));
            }
        }
        if self.slices.is_empty() {
            out.push(0x35);
            out.extend(self.crc.to_le_bytes());
        }
        for slice in &self.slices {
            let extents: Vec<u8> = slice
                .iter()
                .flat_map(|extent| match extent {
                    None => bytes_field(1, &[]),
                    Some((start, length)) => {
                        bytes_field(1, &[field(1, *start), field(2, *length)].concat())
                    }
                })
                .collect();
            out.extend(bytes_field(7, &extents));
        }
        out
    }
}

/// The key of a piece of a partitioned tensor. Numbers are small, names without 00 and ff.
pub(crate) fn piece_key(name: &[u8], slice: &[Option<(i64, i64)>]) -> Vec<u8> {
    let mut key = vec![0];
    key.extend_from_slice(name);
    key.extend([0, 1]);
    match slice.len() {
        0 => key.push(0),
        rank => key.extend([1, rank as u8]),
    }
    for extent in slice {
        let (start, length) = extent.unwrap_or((0, -1));
        for number in [start, length] {
            key.extend(ordered(number));
        }
    }
    key
}

fn ordered(number: i64) -> Vec<u8> {
    match number {
        -1 => vec![0x7f],
        0..64 => vec![0x80 | number as u8],
        64..8192 => (0xc000 | number as u16).to_be_bytes().to_vec(),
        8192..0x10_0000 => (0x00e0_0000 | number as u32).to_be_bytes()[1..].to_vec(),
        _ => panic!("{number} is not small"),
    }
}

/// A bundle under construction.
pub(crate) struct Bundle {
    pub(crate) entries: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) shards: Vec<Vec<u8>>,
}

impl Default for Bundle {
    fn default() -> Self {
        Bundle::of_shards([Vec::new()])
    }
}

impl Bundle {
    pub(crate) fn of_shards(shards: impl Into<Vec<Vec<u8>>>) -> Self {
        let shards = shards.into();
        Bundle {
            entries: [(Vec::new(), header(shards.len() as i64))].into(),
            shards,
        }
    }

    pub(crate) fn entry(&mut self, key: impl AsRef<[u8]>, entry: &Entry) -> &mut Self {
        self.entries.insert(key.as_ref().to_vec(), entry.encode());
        self
    }

    /// Adds a tensor and its bytes, with their checksum.
    pub(crate) fn dense(
        &mut self,
        key: impl AsRef<[u8]>,
        dtype: i64,
        dims: &[i64],
        bytes: &[u8],
    ) -> &mut Self {
        let offset = self.shards[0].len() as i64;
        self.shards[0].extend_from_slice(bytes);
        self.entry(
            key,
            &Entry {
                dtype,
                dims: dims.to_vec(),
                offset,
                size: bytes.len() as i64,
                crc: masked_crc(bytes),
                ..Entry::default()
            },
        )
    }

    pub(crate) fn index(&self) -> Vec<u8> {
        table(&self.entries)
    }

    pub(crate) fn store(&self) -> MemoryStore {
        self.store_with(self.index())
    }

    /// Puts the shards beside an index of one's own.
    pub(crate) fn store_with(&self, index: Vec<u8>) -> MemoryStore {
        let mut store = MemoryStore::new();
        store.insert("b.index", index);
        for (i, shard) in self.shards.iter().enumerate() {
            let name = format!("b.data-{i:05}-of-{:05}", self.shards.len());
            store.insert(name, shard.clone());
        }
        store
    }
}

/// The payload of a string tensor with its two checksums: the bytes, and the masked one of the
/// entry.
pub(crate) fn string_payload(strings: &[&[u8]]) -> (Vec<u8>, u32) {
    let (mut payload, mut crc) = (Vec::new(), 0);
    for string in strings {
        payload.extend(varint(string.len() as u64));
        crc = crc32c::crc32c_append(crc, &(string.len() as u32).to_le_bytes());
    }
    let lengths = masked(crc).to_le_bytes();
    crc = crc32c::crc32c_append(crc, &lengths);
    payload.extend(lengths);
    for string in strings {
        payload.extend_from_slice(string);
        crc = crc32c::crc32c_append(crc, string);
    }
    (payload, masked(crc))
}

/// Puts right the magic number and the checksums of all blocks that a table leads to, as far as it
/// can be followed.
pub(crate) fn reseal(table: &mut [u8]) {
    let Some(footer) = table.len().checked_sub(48) else {
        return;
    };
    table[footer + 40..].copy_from_slice(&0xdb47_7524_8b80_fb57u64.to_le_bytes());
    let mut position = footer;
    let handles: Vec<_> = std::iter::from_fn(|| read_varint(table, &mut position))
        .take(4)
        .collect();
    let &[meta_offset, meta_size, offset, size] = &handles[..] else {
        return;
    };
    seal_block(table, meta_offset, meta_size);
    let Some(index) = seal_block(table, offset, size) else {
        return;
    };
    let mut position = 0;
    while let Some((offset, size)) = next_handle(&index, &mut position) {
        seal_block(table, offset, size);
    }
}

/// Reads the handle out of an entry of an index block.
fn next_handle(index: &[u8], position: &mut usize) -> Option<(u64, u64)> {
    let _shared = read_varint(index, position)?;
    let own = usize::try_from(read_varint(index, position)?).ok()?;
    let len = usize::try_from(read_varint(index, position)?).ok()?;
    let mut value = position.checked_add(own)?;
    *position = value.checked_add(len)?;
    Some((
        read_varint(index, &mut value)?,
        read_varint(index, &mut value)?,
    ))
}

/// Puts a block's checksum right; returns its contents.
fn seal_block(table: &mut [u8], offset: u64, size: u64) -> Option<Vec<u8>> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(size).ok()?)?;
    let covered = table.get(start..=end)?;
    let (contents, compression) = covered.split_at(end - start);
    let contents = match compression {
        [0] => contents.to_vec(),
        // Also keeps a bomb from going off here.
        _ if snap::raw::decompress_len(contents).ok()? > 1 << 20 => return None,
        _ => snap::raw::Decoder::new().decompress_vec(contents).ok()?,
    };
    let crc = masked_crc(covered);
    let stored = table.get_mut(end + 1..end + 5)?;
    stored.copy_from_slice(&crc.to_le_bytes());
    Some(contents)
}
