//! Partitioned tensors put together from their pieces.
//!
//! TensorFlow does this for thirteen dtypes (`tensorflow/core/util/tensor_slice_set.cc`); nothing
//! in the format keeps the others from it.

use prost::bytes::Bytes;

use super::entry::{BundleEntry, Kind, Place};
use super::key::piece_key;
use super::payload::{arena_tensor, swap_in_place, swap_width};
use super::reader::BundleReader;
use crate::error::{Error, Result};
use crate::store::platform::Buffer;
use crate::tensor::{Runs, Shape, Strings, Tensor, TensorSlice, copy_region};

/// Start and length in each dimension.
type Region = Vec<(u64, u64)>;

/// One piece of a partitioned tensor, as the index describes it.
struct Piece {
    key: Vec<u8>,
    entry: BundleEntry,
    place: Place,
    /// What it is of the whole tensor.
    region: Region,
}

/// What is wanted of a partitioned tensor, and the pieces that have some of it.
pub(crate) struct Assembly<'r> {
    reader: &'r BundleReader,
    entry: &'r BundleEntry,
    region: Region,
    shape: Shape,
    pieces: Vec<Piece>,
}

/// Returns the entries of all pieces of a partitioned tensor, in the order of its slices, after
/// proving what the index alone can prove.
pub(crate) fn pieces(
    reader: &BundleReader,
    key: &[u8],
    entry: &BundleEntry,
) -> Result<Vec<BundleEntry>> {
    let mut covered = 0u64;
    let mut pieces = Vec::with_capacity(entry.slices().len());
    for slice in entry.slices() {
        let region = resolve_stored(slice, entry.shape())?;
        let volume = region
            .iter()
            .fold(1u64, |volume, (_, length)| volume.saturating_mul(*length));
        covered = covered.saturating_add(volume);
        pieces.push(Piece::find(reader, key, entry, slice, region)?.entry);
    }
    check_covered(covered, entry.shape())?;
    Ok(pieces)
}

fn resolve_stored(slice: &TensorSlice, whole: &Shape) -> Result<Region> {
    slice.resolve(whole).map_err(|_| {
        Error::malformed(format!(
            "the tensor was saved in slices, of which `{slice}` does not lie in its shape {whole}"
        ))
    })
}

fn check_covered(covered: u64, wanted: &Shape) -> Result<()> {
    match covered == wanted.elements() {
        true => Ok(()),
        false => Err(Error::malformed(format!(
            "the slices that the tensor was saved in have {covered} of the {} elements wanted",
            wanted.elements()
        ))),
    }
}

impl<'r> Assembly<'r> {
    /// Finds the pieces that make up `slice` of the tensor, and proves that they cover it exactly
    /// and that the shards can hold them: what is allocated later is no more than that.
    pub(crate) fn plan(
        reader: &'r BundleReader,
        key: &[u8],
        entry: &'r BundleEntry,
        slice: &TensorSlice,
    ) -> Result<Self> {
        let whole = entry.shape();
        let region = slice.resolve(whole)?;
        let shape = slice.shape_in(whole)?;
        let mut pieces = Vec::new();
        let mut covered = 0u64;
        for stored in entry.slices() {
            let piece = resolve_stored(stored, whole)?;
            let shared = intersection(&piece, &region);
            if shared == 0 {
                continue;
            }
            covered = covered.saturating_add(shared);
            // Said at once, so that no more pieces are looked up than the tensor can have.
            if covered > shape.elements() {
                return Err(Error::malformed(
                    "slices that the tensor was saved in overlap",
                ));
            }
            pieces.push(Piece::find(reader, key, entry, stored, piece)?);
        }
        check_covered(covered, &shape)?;
        let assembly = Assembly {
            reader,
            entry,
            region,
            shape,
            pieces,
        };
        assembly.check_sizes()?;
        assembly.check_disjoint()?;
        Ok(assembly)
    }

    /// Proves that all pieces together are no larger than the shards they are in, as they must be
    /// unless they overlap there.
    fn check_sizes(&self) -> Result<()> {
        let mut shards: Vec<u32> = self.pieces.iter().map(|piece| piece.place.shard).collect();
        shards.sort_unstable();
        shards.dedup();
        let mut room = 0u64;
        for shard in shards {
            room = room.saturating_add(self.reader.shards().open(shard)?.len());
        }
        let sizes = self.pieces.iter().map(|piece| piece.place.size);
        match sizes.fold(0u64, u64::saturating_add) > room {
            true => Err(Error::malformed(
                "the pieces of the tensor are larger than the shards that hold them",
            )),
            false => Ok(()),
        }
    }

    /// Proves that no element is in two pieces. As many elements are covered as there are, so this
    /// also proves that none is missing.
    fn check_disjoint(&self) -> Result<()> {
        if self.pieces.len() < 2 {
            return Ok(());
        }
        let mut taken = Bitmap::new(self.shape.elements())?;
        for piece in &self.pieces {
            for run in Runs::new(&piece.region, &self.region)? {
                if !taken.take(run.destination, run.length) {
                    return Err(Error::malformed(
                        "slices that the tensor was saved in overlap",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Reads the pieces and puts them together. What is all of one piece stays a share of it.
    pub(crate) fn into_tensor(self) -> Result<Tensor> {
        if let [piece] = &self.pieces[..]
            && piece.region == self.region
        {
            let tensor = piece.read(self.reader)?;
            return tensor.reshape(self.shape);
        }
        self.into_owned_tensor()
    }

    /// Reads the pieces and puts them together in fresh memory.
    pub(crate) fn into_owned_tensor(self) -> Result<Tensor> {
        match self.pieces.first().map(|piece| piece.place.kind) {
            Some(Kind::Strings | Kind::Variants) => self.strings(),
            Some(Kind::Dense { element_size }) => {
                let mut buffer = Buffer::new(self.shape.elements() * element_size as u64)?;
                self.copy_into(&mut buffer)?;
                Tensor::from_bytes(self.entry.dtype(), self.shape, buffer.into_bytes())
            }
            // Nothing is wanted, so nothing was needed.
            None if self.entry.dtype().size().is_some() => {
                Tensor::from_bytes(self.entry.dtype(), self.shape, Bytes::new())
            }
            None => arena_tensor(self.entry.dtype(), self.shape, Strings::default()),
        }
    }

    /// Reads the pieces into memory of the length of what is wanted.
    pub(crate) fn copy_into(&self, out: &mut [u8]) -> Result<()> {
        for piece in &self.pieces {
            let Kind::Dense { element_size } = piece.place.kind else {
                return Err(Error::invalid_argument(format!(
                    "{} elements have no fixed size",
                    self.entry.dtype()
                )));
            };
            // A piece whose elements are neighbours in the whole is read to where they belong.
            let mut runs = Runs::new(&piece.region, &self.region)?;
            match (runs.next(), runs.next()) {
                (Some(run), None) if run.length == piece.entry.shape().elements() => {
                    let start = run.destination as usize * element_size;
                    let part = &mut out[start..start + run.length as usize * element_size];
                    piece.read_into(self.reader, part)?;
                }
                _ => {
                    let tensor = piece.read(self.reader)?;
                    let bytes = tensor.bytes().unwrap_or_default();
                    copy_region(bytes, &piece.region, out, &self.region, element_size)?;
                }
            }
        }
        Ok(())
    }

    fn strings(self) -> Result<Tensor> {
        let mut elements: Vec<Bytes> = vec![Bytes::new(); self.shape.elements() as usize];
        for piece in &self.pieces {
            let tensor = piece.read(self.reader)?;
            let Some(strings) = tensor.strings().or_else(|| tensor.opaque()) else {
                continue;
            };
            for run in Runs::new(&piece.region, &self.region)? {
                for i in 0..run.length {
                    if let Some(element) = strings.get_shared((run.source + i) as usize) {
                        elements[(run.destination + i) as usize] = element;
                    }
                }
            }
        }
        let elements = elements.into_iter().collect();
        arena_tensor(self.entry.dtype(), self.shape, elements)
    }
}

impl Piece {
    fn find(
        reader: &BundleReader,
        name: &[u8],
        whole: &BundleEntry,
        slice: &TensorSlice,
        region: Region,
    ) -> Result<Self> {
        let key = piece_key(name, slice);
        let missing = || {
            Error::malformed(format!(
                "the tensor was saved in slices, of which `{slice}` is not in the index"
            ))
        };
        let entry = reader.stored_entry(&key)?.ok_or_else(missing)?;
        let shape = slice.shape_in(whole.shape())?;
        if entry.dtype() != whole.dtype() || *entry.shape() != shape {
            return Err(Error::malformed(format!(
                "slice `{slice}` of a {} tensor of shape {} is stored as {} of shape {}",
                whole.dtype(),
                whole.shape(),
                entry.dtype(),
                entry.shape()
            )));
        }
        let place = entry.place(reader.header())?;
        Ok(Piece {
            key,
            entry,
            place,
            region,
        })
    }

    fn read(&self, reader: &BundleReader) -> Result<Tensor> {
        reader
            .stored_tensor(&self.entry, self.place)
            .map_err(|error| error.for_key(&self.key))
    }

    fn read_into(&self, reader: &BundleReader, out: &mut [u8]) -> Result<()> {
        read_into(reader, &self.entry, self.place, out).map_err(|error| error.for_key(&self.key))
    }
}

/// Reads a dense tensor into memory of its length.
pub(crate) fn read_into(
    reader: &BundleReader,
    entry: &BundleEntry,
    place: Place,
    out: &mut [u8],
) -> Result<()> {
    let Kind::Dense { element_size } = place.kind else {
        return Err(Error::invalid_argument(format!(
            "{} elements have no fixed size",
            entry.dtype()
        )));
    };
    let shards = reader.shards();
    let crc = shards.copy_into(place, out)?;
    shards.compare(entry.crc32c(), crc, place)?;
    let width = swap_width(entry.dtype(), element_size, reader.header().endianness);
    swap_in_place(out, width);
    Ok(())
}

/// Returns how many elements two regions share.
fn intersection(a: &[(u64, u64)], b: &[(u64, u64)]) -> u64 {
    a.iter().zip(b).fold(1, |shared, (a, b)| {
        let end = (a.0 + a.1).min(b.0 + b.1);
        shared * end.saturating_sub(a.0.max(b.0))
    })
}

/// Which elements were taken, one bit each.
struct Bitmap(Buffer);

impl Bitmap {
    fn new(elements: u64) -> Result<Self> {
        Ok(Bitmap(Buffer::new(elements.div_ceil(8))?))
    }

    /// Takes `length` elements from `start` on; says whether all were free.
    fn take(&mut self, start: u64, length: u64) -> bool {
        let (mut bit, end) = (start, start + length);
        while bit < end {
            let (byte, low) = ((bit / 8) as usize, bit % 8);
            let high = (end - bit + low).min(8);
            let mask = (0xffu16 << low) as u8 & (0xffu16 >> (8 - high)) as u8;
            if self.0[byte] & mask != 0 {
                return false;
            }
            self.0[byte] |= mask;
            bit += high - low;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bitmap_knows_what_was_taken() {
        let mut taken = Bitmap::new(100).unwrap();
        assert!(taken.take(0, 3));
        assert!(taken.take(5, 30));
        assert!(taken.take(3, 2));
        assert!(taken.take(99, 1));
        for (start, length) in [(2, 1), (0, 1), (34, 2), (98, 2), (0, 100)] {
            assert!(!taken.take(start, length), "{start}, {length}");
        }
        assert!(taken.take(35, 50));
        assert!(taken.take(40, 0));
    }

    #[test]
    fn shared_elements_are_counted() {
        let count = |a: &[(u64, u64)], b: &[(u64, u64)]| intersection(a, b);
        assert_eq!(count(&[], &[]), 1);
        assert_eq!(count(&[(0, 2), (0, 5)], &[(1, 5), (3, 1)]), 1);
        assert_eq!(count(&[(0, 2)], &[(2, 2)]), 0);
    }
}
