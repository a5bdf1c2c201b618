use std::io::{self, Read};
use std::path::PathBuf;

use super::assemble::Assembly;
use super::entry::{BundleEntry, Kind, Place};
use super::header::Endianness;
use super::reader::BundleReader;
use super::split;
use super::values::Values;
use super::writer::BundleWriter;
use crate::error::{Error, ErrorKind, Result};
use crate::store::Blob;
use crate::tensor::{TensorSlice, TensorView};

impl BundleWriter {
    /// Copies a tensor of another bundle, under the same key or another one.
    ///
    /// Its bytes go through a buffer of 1 MiB and are summed once, on their way: they must have the
    /// checksum that the other bundle has for them. A partitioned tensor stays one, of the same pieces,
    /// if TensorFlow's reader can put tensors of its dtype together; otherwise it is put together here.
    ///
    /// ```
    /// use savedmodel::{BundleReader, BundleWriter};
    ///
    /// # let directory = std::env::temp_dir().join(format!("savedmodel-copy-{}", std::process::id()));
    /// let source = BundleReader::open("tests/fixtures/two_shards/variables/variables")?;
    /// let mut bundle = BundleWriter::create(directory.join("ckpt-1"))?;
    /// bundle.copy("v0", &source, "v0/.ATTRIBUTES/VARIABLE_VALUE")?;
    /// bundle.finish()?;
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`add`](Self::add), and as for [`BundleReader::tensor`]. After what the other bundle is
    /// to blame for this one can go on, unless some pieces of the tensor were copied.
    pub fn copy(
        &mut self,
        key: impl AsRef<[u8]>,
        from: &BundleReader,
        source_key: impl AsRef<[u8]>,
    ) -> Result<()> {
        let source_key = source_key.as_ref();
        let entry = from.entry(source_key)?;
        self.copy_entry(key.as_ref(), from, source_key, &entry)
    }

    /// Copies the tensor of an entry that was looked up.
    pub(crate) fn copy_entry(
        &mut self,
        key: &[u8],
        from: &BundleReader,
        source_key: &[u8],
        entry: &BundleEntry,
    ) -> Result<()> {
        if !entry.is_partitioned() {
            return self.copy_stored(key, from, source_key, entry, None);
        }
        if !split::can_be_cut(entry.dtype()) {
            return self.add(key, &from.tensor_of(source_key, entry)?);
        }
        // Proves that the pieces are the whole tensor, and each element in one of them.
        let whole = TensorSlice::full(entry.shape().rank());
        Assembly::plan(from, source_key, entry, &whole)
            .map_err(|error| from.for_tensor(error, source_key))?;
        let pieces = from.pieces(source_key, entry)?;
        for (i, (slice, piece)) in entry.slices().iter().zip(&pieces).enumerate() {
            let of = Some((entry, slice));
            if let Err(error) = self.copy_stored(key, from, source_key, piece, of) {
                if i > 0 {
                    // Some of what was added is no tensor.
                    self.failed = true;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Copies what stands in one place: a tensor, or a piece of one.
    fn copy_stored(
        &mut self,
        key: &[u8],
        from: &BundleReader,
        source_key: &[u8],
        entry: &BundleEntry,
        of: Option<(&BundleEntry, &TensorSlice)>,
    ) -> Result<()> {
        let place = entry.place(from.header());
        let place = place.map_err(|error| from.for_tensor(error, source_key))?;
        let is_dense = matches!(place.kind, Kind::Dense { .. });
        if !is_dense || from.endianness() == Endianness::Big || self.is_too_long(place.size) {
            let tensor = from.tensor_of(source_key, entry)?;
            return self.add_part(key, of, Values::View(TensorView::from(&tensor)));
        }
        let mut bytes = PlaceReader::new(from, place)?;
        let (dtype, shape) = (entry.dtype(), entry.shape().clone());
        let values = match from.shards().verifies() {
            true => Values::Stored(dtype, shape, &mut bytes, entry.crc32c()),
            false => Values::Reader(dtype, shape, &mut bytes),
        };
        let Err(error) = self.add_part(key, of, values) else {
            return Ok(());
        };
        Err(match (bytes.failure, error.kind()) {
            (Some(failure), _) => from.for_tensor(failure, source_key),
            (None, ErrorKind::ChecksumMismatch { .. } | ErrorKind::Malformed { .. }) => {
                from.shards().in_shard(error.at(place.offset), place.shard)
            }
            _ => error,
        })
    }

    fn add_part(
        &mut self,
        key: &[u8],
        of: Option<(&BundleEntry, &TensorSlice)>,
        values: Values<'_>,
    ) -> Result<()> {
        match of {
            None => self.add_whole(key, values),
            Some((whole, slice)) => self.add_piece(key, whole.shape(), slice, values),
        }
    }
}

/// Reads the bytes of a tensor as they stand in a shard.
struct PlaceReader {
    /// `None` where there are no bytes.
    blob: Option<Blob>,
    path: PathBuf,
    offset: u64,
    end: u64,
    failure: Option<Error>,
}

impl PlaceReader {
    fn new(from: &BundleReader, place: Place) -> Result<Self> {
        let blob = match place.size {
            0 => None,
            _ => Some(from.shards().open_range(place)?),
        };
        Ok(PlaceReader {
            blob,
            path: from.shards().path(place.shard),
            offset: place.offset,
            end: place.offset.saturating_add(place.size),
            failure: None,
        })
    }
}

impl Read for PlaceReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = (self.end - self.offset).min(out.len() as u64) as usize;
        let (Some(blob), 1..) = (&self.blob, len) else {
            return Ok(0);
        };
        if let Err(error) = blob.read_into(self.offset, &mut out[..len]) {
            self.failure = Some(error.in_file(&self.path));
            return Err(io::Error::other("the other bundle cannot be read"));
        }
        self.offset += len as u64;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::platform::TestDirectory;
    use crate::store::{LocalStore, Mapping};
    use crate::tensor::{DType, Tensor};

    fn vectors() -> Vec<std::path::PathBuf> {
        let bundles = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/bundles");
        let entries = std::fs::read_dir(bundles).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn copies_of_all_bundles_have_the_same_tensors() {
        let directory = TestDirectory::new("bundle-copy");
        let (mut whole, mut partitioned) = (0, 0);
        for path in vectors() {
            for mapping in [Mapping::Auto, Mapping::Never] {
                let store = LocalStore::new(&path).with_mapping(mapping);
                let source = BundleReader::open_in(std::sync::Arc::new(store), "b").unwrap();
                let name = path.file_name().unwrap().to_str().unwrap();
                let prefix = directory.path().join(format!("{name}-{mapping:?}"));
                let mut copy = BundleWriter::create(&prefix).unwrap();
                let mut keys = Vec::new();
                for item in source.entries() {
                    let (key, entry) = item.unwrap();
                    copy.copy([b"new/", &key[..]].concat(), &source, &key)
                        .unwrap();
                    keys.push((key, entry));
                }
                copy.finish().unwrap();
                let copy = BundleReader::open(&prefix).unwrap();
                assert_eq!(copy.entries().count(), keys.len());
                for (key, entry) in keys {
                    let new = [b"new/", &key[..]].concat();
                    assert_eq!(copy.tensor(&new).unwrap(), source.tensor(&key).unwrap());
                    let copied = copy.entry(&new).unwrap();
                    let is_kept = entry.is_partitioned() && split::can_be_cut(entry.dtype());
                    assert_eq!(copied.is_partitioned(), is_kept, "{name} {key}");
                    if is_kept {
                        assert_eq!(copied.slices(), entry.slices());
                        partitioned += 1;
                    } else if source.endianness() == Endianness::Little && !entry.is_partitioned() {
                        assert_eq!(copied.size(), entry.size());
                        assert_eq!(copied.crc32c(), entry.crc32c());
                        whole += 1;
                    }
                }
                assert!(copy.verify().unwrap().is_sound());
            }
        }
        assert!(whole > 500 && partitioned > 2, "{whole} {partitioned}");
    }

    #[test]
    fn damaged_bytes_are_not_copied_and_the_bundle_goes_on() {
        let directory = TestDirectory::new("bundle-copy-damaged");
        let prefix = directory.path().join("source");
        let mut source = BundleWriter::create(&prefix).unwrap();
        let zeros = Tensor::from_bytes(DType::FLOAT, [300_000], vec![0; 1_200_000]).unwrap();
        source.add("a", &zeros).unwrap();
        source.add("b", &Tensor::scalar(2f32)).unwrap();
        let shape = crate::tensor::Shape::new(&[2]).unwrap();
        for (i, slice) in ["0,1", "1,1"].iter().enumerate() {
            let piece = Tensor::from_slice([1], &[i as f32]).unwrap();
            source
                .add_slice("c", &shape, &slice.parse().unwrap(), &piece)
                .unwrap();
        }
        source.finish().unwrap();
        let shard = directory.path().join("source.data-00000-of-00001");
        let sound = std::fs::read(&shard).unwrap();
        let mut bytes = sound.clone();
        bytes[700_000] ^= 1;
        // The second piece of `c`.
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&shard, bytes).unwrap();

        let source = BundleReader::open(&prefix).unwrap();
        let mut copy = BundleWriter::create(directory.path().join("copy")).unwrap();
        let error = copy.copy("x", &source, "a").unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::ChecksumMismatch { .. }),
            "{error}"
        );
        assert_eq!(error.path(), Some(&*shard));
        assert_eq!(error.offset(), Some(0));
        copy.copy("x", &source, "b").unwrap();
        let error = copy.copy("x", &source, "b").unwrap_err();
        assert!(error.to_string().contains("added before"), "{error}");
        let error = copy.copy("y", &source, "bb").unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::NotFound { .. }),
            "{error}"
        );
        copy.finish().unwrap();
        let copied = std::fs::metadata(directory.path().join("copy.data-00000-of-00001"));
        assert_eq!(copied.unwrap().len(), 4);

        // Of a tensor whose first piece is there already nothing can be taken back.
        let mut copy = BundleWriter::create(directory.path().join("pieces")).unwrap();
        let error = copy.copy("c", &source, "c").unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::ChecksumMismatch { .. }),
            "{error}"
        );
        assert!(copy.finish().is_err());

        // Unverified, bytes are copied as they are.
        let reader = BundleReader::options().checksums(crate::bundle::Checksums::Skip);
        let mut copy = BundleWriter::create(directory.path().join("unverified")).unwrap();
        copy.copy("x", &reader.open(&prefix).unwrap(), "a").unwrap();
        copy.finish().unwrap();
    }

    #[test]
    fn what_is_too_long_for_a_shard_is_cut_as_ever() {
        let directory = TestDirectory::new("bundle-copy-cut");
        let prefix = directory.path().join("source");
        let mut source = BundleWriter::create(&prefix).unwrap();
        let values: Vec<i32> = (0..20).collect();
        let tensor = Tensor::from_slice([10, 2], &values).unwrap();
        source.add("a", &tensor).unwrap();
        source.finish().unwrap();
        let source = BundleReader::open(&prefix).unwrap();
        let cut = |name: &str| {
            let writer = BundleWriter::options().max_shard_size(24);
            writer.create(directory.path().join(name)).unwrap()
        };
        let (mut copied, mut added) = (cut("copied"), cut("added"));
        copied.copy("a", &source, "a").unwrap();
        added.add("a", &tensor).unwrap();
        copied.finish().unwrap();
        added.finish().unwrap();
        let index = |name: &str| std::fs::read(directory.path().join(name)).unwrap();
        assert!(index("copied.index") == index("added.index"));
    }
}
