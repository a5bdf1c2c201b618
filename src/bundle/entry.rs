use super::header::Header;
use crate::error::{Error, Result};
use crate::tensor::{DType, Extent, Shape, TensorSlice};
use crate::wire::{Field, Message, Value, crc, varint};

/// What the index says of one tensor: its dtype, its shape and where its bytes are.
///
/// `BundleEntryProto` in `tensorflow/core/protobuf/tensor_bundle.proto`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleEntry {
    dtype: DType,
    shape: Shape,
    shard_id: i32,
    offset: i64,
    size: i64,
    masked_crc32c: u32,
    slices: Vec<TensorSlice>,
}

impl BundleEntry {
    /// Reads an entry. Numbers that cannot be are refused by [`Self::place`], so that a listing can
    /// show them.
    #[inline(always)]
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        match Self::decode_usual(bytes) {
            Some(entry) => Ok(entry),
            None => Self::decode_any(bytes),
        }
    }

    /// Reads an entry as every writer so far leaves it: fields in order, none twice, a shape of few
    /// dimensions, no slices. `None` for any other, sound or not.
    #[inline(always)]
    pub(crate) fn decode_usual(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let dtype = take_varint(&mut rest, 0x08)?;
        let shape = match *rest {
            [0x12, 0, ref after @ ..] => {
                rest = after;
                Shape::SCALAR
            }
            [0x12, len @ 0..0x80, ref after @ ..] => {
                let (shape, after) = after.split_at_checked(usize::from(len))?;
                rest = after;
                read_usual_shape(shape)?
            }
            _ => Shape::SCALAR,
        };
        let shard_id = take_varint(&mut rest, 0x18)?;
        let offset = take_varint(&mut rest, 0x20)?;
        let size = take_varint(&mut rest, 0x28)?;
        let masked_crc32c = match *rest {
            [0x35, a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
            [] => 0,
            _ => return None,
        };
        Some(BundleEntry {
            dtype: DType::from_number(dtype as i32),
            shape,
            shard_id: shard_id as i32,
            offset: offset as i64,
            size: size as i64,
            masked_crc32c,
            slices: Vec::new(),
        })
    }

    #[cold]
    fn decode_any(bytes: &[u8]) -> Result<Self> {
        let mut entry = BundleEntry {
            dtype: DType::INVALID,
            shape: Shape::SCALAR,
            shard_id: 0,
            offset: 0,
            size: 0,
            // What a protobuf reader makes of an absent field.
            masked_crc32c: 0,
            slices: Vec::new(),
        };
        let mut dims = Vec::new();
        for field in Message::new(bytes).fields() {
            let field = field?;
            match (field.number(), field.value()) {
                (1, Value::Varint(value)) => entry.dtype = DType::from_number(value as i32),
                // Protobuf merges a message that is there more than once: its dimensions add up.
                (2, Value::Bytes(_)) => read_dims(&field, &mut dims)?,
                (3, Value::Varint(value)) => entry.shard_id = value as i32,
                (4, Value::Varint(value)) => entry.offset = value as i64,
                (5, Value::Varint(value)) => entry.size = value as i64,
                (6, Value::Fixed32(value)) => entry.masked_crc32c = value,
                (7, Value::Bytes(_)) => entry.slices.push(read_slice(&field)?),
                _ => {}
            }
        }
        entry.shape = Shape::stored(&dims)?;
        Ok(entry)
    }

    /// Makes the entry of a tensor whose bytes are in shard 0.
    pub(crate) fn stored(dtype: DType, shape: Shape, offset: u64, size: u64, crc: u32) -> Self {
        BundleEntry {
            dtype,
            shape,
            shard_id: 0,
            // No file is longer.
            offset: offset as i64,
            size: size as i64,
            masked_crc32c: crc::mask(crc),
            slices: Vec::new(),
        }
    }

    /// Makes the entry of a partitioned tensor, without slices so far.
    pub(crate) fn partitioned(dtype: DType, shape: Shape) -> Self {
        BundleEntry {
            dtype,
            shape,
            shard_id: 0,
            offset: 0,
            size: 0,
            masked_crc32c: 0,
            slices: Vec::new(),
        }
    }

    /// Says that the bytes are in another shard than 0.
    pub(crate) fn in_shard(self, shard_id: i32) -> Self {
        BundleEntry { shard_id, ..self }
    }

    /// Appends a slice to those that a partitioned tensor is saved in.
    pub(crate) fn push_slice(&mut self, slice: TensorSlice) {
        self.slices.push(slice);
    }

    /// Returns the bytes that TensorFlow writes for the entry.
    #[cfg(test)]
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_into(&mut out);
        out
    }

    /// Appends the bytes that TensorFlow writes for the entry: fields in order, none that is zero,
    /// but always a shape.
    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        put_varint(out, 0x08, i64::from(self.dtype.number()));
        put_message(out, 0x12, |shape| {
            for &dim in self.shape.dims() {
                put_message(shape, 0x12, |out| put_varint(out, 0x08, dim as i64));
            }
        });
        put_varint(out, 0x18, self.shard_id.into());
        put_varint(out, 0x20, self.offset);
        put_varint(out, 0x28, self.size);
        if self.masked_crc32c != 0 {
            out.push(0x35);
            out.extend_from_slice(&self.masked_crc32c.to_le_bytes());
        }
        for slice in &self.slices {
            put_message(out, 0x3a, |out| {
                for extent in slice.extents() {
                    put_message(out, 0x0a, |out| put_extent(out, *extent));
                }
            });
        }
    }

    /// Returns the element type. It can be one that this crate does not know.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Returns the shape; of a partitioned tensor, that of the whole.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Returns the number of the shard, from 0, that holds the bytes.
    pub fn shard_id(&self) -> i32 {
        self.shard_id
    }

    /// Returns where in the shard the bytes begin.
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// Returns how many bytes of the shard the tensor takes; 0 for a partitioned one, whose pieces
    /// have entries of their own.
    pub fn size(&self) -> i64 {
        self.size
    }

    /// Returns the CRC-32C of the bytes, its masking undone. For strings and variants it is
    /// computed in a way of their own.
    pub fn crc32c(&self) -> u32 {
        crc::unmask(self.masked_crc32c)
    }

    /// Returns the slices that a partitioned tensor was saved in; nothing for any other.
    pub fn slices(&self) -> &[TensorSlice] {
        &self.slices
    }

    /// Says whether the tensor was saved in pieces.
    pub fn is_partitioned(&self) -> bool {
        !self.slices.is_empty()
    }

    /// Proves that the numbers of an entry with bytes of its own agree with each other, so that
    /// only the length of the shard is left to compare.
    pub(crate) fn place(&self, header: &Header) -> Result<Place> {
        let impossible = |what: String| Err(Error::malformed(what));
        let Ok(size) = u64::try_from(self.size) else {
            return impossible(format!("the entry has {} bytes", self.size));
        };
        let Ok(offset) = u64::try_from(self.offset) else {
            return impossible(format!("the entry begins at byte {}", self.offset));
        };
        let shard = match u32::try_from(self.shard_id) {
            Ok(shard) if shard < header.num_shards => shard,
            _ => {
                return impossible(format!(
                    "the entry is in shard {}, but the shards are 0 to {}",
                    self.shard_id,
                    header.num_shards - 1
                ));
            }
        };
        let elements = self.shape.elements();
        let (kind, fits) = match (self.dtype, self.dtype.size()) {
            (_, Some(element_size)) => (
                Kind::Dense { element_size },
                elements.checked_mul(element_size as u64) == Some(size),
            ),
            // Every length takes a byte at least, the checksum of the lengths four. TensorFlow
            // also reads no strings from no bytes.
            (DType::STRING, _) => (
                Kind::Strings,
                size >= elements.saturating_add(4) || elements == 0 && size == 0,
            ),
            (DType::VARIANT, _) => (Kind::Variants, size >= elements.saturating_mul(5)),
            (dtype, _) => {
                return Err(Error::unsupported(format!(
                    "tensors of dtype {dtype} (number {}) are never stored in a bundle, or this version does not know how",
                    dtype.number()
                )));
            }
        };
        if !fits {
            return impossible(format!(
                "the entry has {size} bytes, which is not what a {} tensor of shape {} takes",
                self.dtype, self.shape
            ));
        }
        if elements == 0 && kind != Kind::Strings && size != 0 {
            return impossible(format!("the entry has {size} bytes but no elements"));
        }
        Ok(Place {
            shard,
            offset,
            size,
            kind,
        })
    }
}

/// Where the bytes of a tensor are and how they are to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) shard: u32,
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) kind: Kind,
}

/// How elements are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One behind the other, each of so many bytes.
    Dense { element_size: usize },
    /// All lengths, their checksum, all bytes.
    Strings,
    /// Each with its length and a checksum.
    Variants,
}

/// Takes the varint behind `tag`, or 0 if another field stands there.
#[inline(always)]
fn take_varint(rest: &mut &[u8], tag: u8) -> Option<u64> {
    match *rest {
        [first, after @ ..] if *first == tag => {
            let (value, len) = varint::read_u64(after)?;
            *rest = &after[len..];
            Some(value)
        }
        _ => Some(0),
    }
}

/// Reads a shape of few dimensions, each as 12, length, 08, varint.
#[inline(always)]
fn read_usual_shape(bytes: &[u8]) -> Option<Shape> {
    // Not an array under an index: this stays in registers, and so does the entry.
    let mut rest = bytes;
    let a = take_usual_dim(&mut rest)?;
    if rest.is_empty() {
        return Shape::short(1, [a, 0, 0, 0]);
    }
    let b = take_usual_dim(&mut rest)?;
    if rest.is_empty() {
        return Shape::short(2, [a, b, 0, 0]);
    }
    let c = take_usual_dim(&mut rest)?;
    if rest.is_empty() {
        return Shape::short(3, [a, b, c, 0]);
    }
    let d = take_usual_dim(&mut rest)?;
    match rest.is_empty() {
        true => Shape::short(4, [a, b, c, d]),
        false => None,
    }
}

#[inline(always)]
fn take_usual_dim(rest: &mut &[u8]) -> Option<u64> {
    let [0x12, len, 0x08, after @ ..] = *rest else {
        return None;
    };
    let (size, size_len) = varint::read_u64(after)?;
    *rest = &after[size_len..];
    (usize::from(*len) == size_len + 1).then_some(size)
}

/// Reads a `TensorShapeProto`. Names of dimensions are passed over, as TensorFlow does here.
fn read_dims(shape: &Field<'_>, dims: &mut Vec<i64>) -> Result<()> {
    for field in shape.message().into_iter().flat_map(Message::fields) {
        let field = field?;
        let (2, Value::Bytes(_), Some(dim)) = (field.number(), field.value(), field.message())
        else {
            continue;
        };
        let size = match dim.last(1)?.map(|field| field.value()) {
            Some(Value::Varint(size)) => size as i64,
            _ => 0,
        };
        dims.push(size);
    }
    Ok(())
}

/// Appends a number with its tag, unless it is 0.
fn put_varint(out: &mut Vec<u8>, tag: u8, value: i64) {
    if value != 0 {
        out.push(tag);
        varint::write_u64(out, value as u64);
    }
}

/// Appends a message with its tag and length.
fn put_message(out: &mut Vec<u8>, tag: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[tag, 0]);
    let start = out.len();
    write(out);
    let len = out.len() - start;
    match u8::try_from(len) {
        Ok(len @ 0..0x80) => out[start - 1] = len,
        // Its length takes more than the byte that was left for it.
        _ => {
            let message = out.split_off(start);
            out.pop();
            varint::write_u64(out, message.len() as u64);
            out.extend_from_slice(&message);
        }
    }
}

/// Appends the fields of an `ExtentProto`. A length has its place in a `oneof`, so it is written
/// even if it is 0, and a whole dimension has none.
fn put_extent(out: &mut Vec<u8>, extent: Extent) {
    if let Extent::Range { start, length } = extent {
        put_varint(out, 0x08, start as i64);
        out.push(0x10);
        varint::write_u64(out, length);
    }
}

/// As many dimensions as a [`Shape`] can have.
const MAX_SLICE_RANK: usize = 254;

fn read_slice(field: &Field<'_>) -> Result<TensorSlice> {
    let mut extents = Vec::new();
    for field in field.message().into_iter().flat_map(Message::fields) {
        let field = field?;
        if let (1, Value::Bytes(_), Some(extent)) = (field.number(), field.value(), field.message())
        {
            extents.push(read_extent(extent)?);
            if extents.len() > MAX_SLICE_RANK {
                return Err(Error::malformed(
                    "a slice of more dimensions than any tensor has",
                ));
            }
        }
    }
    Ok(TensorSlice::new(extents))
}

fn read_extent(extent: Message<'_>) -> Result<Extent> {
    let (mut start, mut length) = (0, None);
    for field in extent.fields() {
        let field = field?;
        match (field.number(), field.value()) {
            (1, Value::Varint(value)) => start = value as i64,
            (2, Value::Varint(value)) => length = Some(value as i64),
            _ => {}
        }
    }
    match (u64::try_from(start), length.map(u64::try_from)) {
        (Ok(0), None) => Ok(Extent::Full),
        (Ok(start), Some(Ok(length @ 1..))) => Ok(Extent::Range { start, length }),
        _ => Err(Error::malformed(format!(
            "a slice begins at {start} and has {} elements",
            length.map_or("all".to_owned(), |length| length.to_string())
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries that TensorFlow wrote.
    #[test]
    fn real_entries() {
        let bytes = [
            0x08, 0x01, // FLOAT
            0x12, 0x04, 0x12, 0x02, 0x08, 0x02, // shape [2]
            0x28, 0x08, // size
            0x35, 0x3d, 0x33, 0xc8, 0xf4, // checksum
        ];
        let shape = Shape::new(&[2]).unwrap();
        let crc = crc::unmask(0xf4c8_333d);
        let entry = BundleEntry::stored(DType::FLOAT, shape, 0, 8, crc);
        assert_eq!(entry.encode(), bytes);
        assert_eq!(BundleEntry::decode(&bytes).unwrap(), entry);

        let empty = [
            0x08, 0x01, // FLOAT
            0x12, 0x02, 0x12, 0x00, // shape [0]
            0x20, 0x1d, // offset
            0x35, 0xd8, 0xea, 0x82, 0xa2, // checksum
        ];
        let entry = BundleEntry::stored(DType::FLOAT, Shape::new(&[0]).unwrap(), 29, 0, 0);
        assert_eq!(entry.encode(), empty);
        assert_eq!(BundleEntry::decode(&empty).unwrap(), entry);

        let partitioned = [
            0x08, 0x05, // INT16
            0x12, 0x04, 0x12, 0x02, 0x08, 0x04, // shape [4]
            0x3a, 0x04, 0x0a, 0x02, 0x10, 0x02, // slice [0, 2)
            0x3a, 0x06, 0x0a, 0x04, 0x08, 0x02, 0x10, 0x02, // slice [2, 4)
            0x3a, 0x02, 0x0a, 0x00, // all
        ];
        let mut entry = BundleEntry::partitioned(DType::INT16, Shape::new(&[4]).unwrap());
        for slice in ["0,2", "2,2", "-"] {
            entry.push_slice(slice.parse().unwrap());
        }
        assert_eq!(entry.encode(), partitioned);
        assert_eq!(BundleEntry::decode(&partitioned).unwrap(), entry);

        let scalar = BundleEntry::stored(DType::INT8, Shape::SCALAR, 0, 1, 0);
        assert_eq!(scalar.encode()[..4], [0x08, 0x06, 0x12, 0x00]);
    }

    #[test]
    fn a_shape_in_pieces_is_merged() {
        let bytes = [
            0x08, 0x01, // dtype FLOAT
            0x12, 0x04, 0x12, 0x02, 0x08, 0x02, // shape { dim { size 2 } }
            0x12, 0x04, 0x12, 0x02, 0x08, 0x03, // shape { dim { size 3 } }
            0x28, 0x18, // size 24
        ];
        let entry = BundleEntry::decode(&bytes).unwrap();
        assert_eq!(entry.shape().dims(), [2, 3]);
    }
}
