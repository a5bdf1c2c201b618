use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use super::entry::BundleEntry;
use super::index_file;
use super::index_merge::ShardNumbers;
use super::key::{Key, piece_key, read_piece_key};
use super::payload;
use super::pending_entries::{NewKey, PendingEntries};
use super::publication::Publication;
use super::shard_writer::ShardWriter;
use super::split::Pieces;
use super::values::{Values, read_error};
use super::writer_options::BundleWriterOptions;
use crate::error::{Error, Result};
use crate::store::PendingFile;
use crate::tensor::{DType, Extent, Shape, TensorSlice, TensorView};

/// Writes a tensor bundle: a checkpoint, or the `variables/` of a SavedModel.
///
/// Tensors go to the data file as they are added, summed on the way, so memory is their entries,
/// about 30 bytes and the key each, and a buffer of 1 MiB. [`finish`](Self::finish) writes the
/// index. Until then all files are beside their places under names that no reader looks for; a
/// writer that is dropped removes them.
///
/// One writer makes one shard, unless [told](BundleWriterOptions::max_shard_size) how large they
/// may be. Several writers, on threads of their own, make a shard each and are
/// [finished together](Self::finish_together); what several processes wrote is
/// [merged](super::merge_bundles).
///
/// Files are the same, byte for byte, as those of TensorFlow's own writer
/// (`tensorflow/core/util/tensor_bundle/tensor_bundle.cc`, `BundleWriter`) for the same tensors in
/// the same order.
///
/// ```
/// use savedmodel::{BundleReader, BundleWriter, Tensor};
///
/// # let directory = std::env::temp_dir().join(format!("savedmodel-doc-{}", std::process::id()));
/// let prefix = directory.join("ckpt-1");
/// let mut bundle = BundleWriter::create(&prefix)?;
/// bundle.add("layer/kernel", &Tensor::from_slice([2, 2], &[1f32, 2., 3., 4.])?)?;
/// bundle.add("names", &Tensor::from_strings([2], ["hello", "wo"])?)?;
/// bundle.finish()?;
///
/// let kernel = BundleReader::open(&prefix)?.tensor("layer/kernel")?;
/// assert_eq!(*kernel.values::<f32>()?, [1., 2., 3., 4.]);
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), savedmodel::Error>(())
/// ```
pub struct BundleWriter {
    options: BundleWriterOptions,
    publication: Publication,
    /// The shards that are full.
    full: Vec<PendingFile>,
    pub(super) data: ShardWriter,
    entries: PendingEntries,
    /// How many of them there were when the shard was begun.
    entries_before: usize,
    /// The entries of partitioned tensors as wholes, which get a slice with each piece.
    partitioned: BTreeMap<Key, BundleEntry>,
    /// Whether a write failed, so that nobody knows what the data file holds.
    pub(super) failed: bool,
    /// Memory for an encoded entry.
    encoded: Vec<u8>,
}

impl BundleWriter {
    /// Begins the bundle of a prefix: `model/variables/variables`, `checkpoints/ckpt-7`. Missing
    /// directories are made.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if one of its files exists, or the prefix ends with no name; `Io` and
    /// `NotFound` as the system has them.
    pub fn create(prefix: impl AsRef<Path>) -> Result<Self> {
        Self::options().create(prefix)
    }

    /// Returns the options with which [`create`](Self::create) works, to be changed.
    pub fn options() -> BundleWriterOptions {
        BundleWriterOptions::default()
    }

    pub(super) fn begin(options: BundleWriterOptions, prefix: &Path) -> Result<Self> {
        let publication = Publication::new(prefix, options.existing, options.durability)?;
        let data_path = publication.shard_path(0, 1);
        let data = ShardWriter::create(&data_path, options.threads).map_err(in_file(&data_path))?;
        Ok(BundleWriter {
            options,
            publication,
            full: Vec::new(),
            data,
            entries: PendingEntries::default(),
            entries_before: 0,
            partitioned: BTreeMap::new(),
            failed: false,
            encoded: Vec::new(),
        })
    }

    /// Writes a tensor: a [`Tensor`](crate::Tensor), or values that are [borrowed](TensorView).
    ///
    /// ```
    /// # use savedmodel::{BundleWriter, TensorView};
    /// # let directory = std::env::temp_dir().join(format!("savedmodel-view-{}", std::process::id()));
    /// # let mut bundle = BundleWriter::create(directory.join("ckpt-1"))?;
    /// let weights = vec![0.5f32; 1000];
    /// bundle.add("dense/kernel", TensorView::from_slice([10, 100], &weights)?)?;
    /// # bundle.finish()?;
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the key is empty, was added before, or has the form of those under which
    /// pieces of partitioned tensors stand; `Unsupported` for a dtype that bundles do not store, as
    /// RESOURCE: nothing was added then. `Io` is what the system says; the bundle cannot go on
    /// after it.
    pub fn add<'t>(
        &mut self,
        key: impl AsRef<[u8]>,
        tensor: impl Into<TensorView<'t>>,
    ) -> Result<()> {
        self.add_whole(key.as_ref(), Values::View(tensor.into()))
    }

    /// Writes a tensor whose values a reader has: row-major, little-endian, [`DType::size`] bytes
    /// for each element, as in the file. It may be larger than the memory.
    ///
    /// ```
    /// # use savedmodel::{BundleReader, BundleWriter, DType};
    /// # let directory = std::env::temp_dir().join(format!("savedmodel-stream-{}", std::process::id()));
    /// # let prefix = directory.join("ckpt-1");
    /// # let mut bundle = BundleWriter::create(&prefix)?;
    /// let mut source = &[0, 0, 0x80, 0x3f, 0, 0, 0, 0x40][..]; // any `Read`: a file, a socket
    /// bundle.add_from_reader("dense/bias", DType::FLOAT, [2], &mut source)?;
    /// # bundle.finish()?;
    /// # let bias = BundleReader::open(&prefix)?.tensor("dense/bias")?;
    /// # assert_eq!(*bias.values::<f32>()?, [1., 2.]);
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`add`](Self::add); `InvalidArgument` if the reader has fewer or more bytes than the
    /// tensor, `Malformed` for a BOOL that is neither 0 nor 1, `Unsupported` for elements of no fixed
    /// size, `Io` for what the reader says. After these the bundle is as it was before and can go
    /// on, unless the tensor was being cut because shards have a
    /// [maximum size](BundleWriterOptions::max_shard_size).
    pub fn add_from_reader(
        &mut self,
        key: impl AsRef<[u8]>,
        dtype: DType,
        shape: impl TryInto<Shape, Error: Into<Error>>,
        mut reader: impl Read,
    ) -> Result<()> {
        let key = key.as_ref();
        let shape = shape
            .try_into()
            .map_err(|error| error.into().for_key(key))?;
        self.add_whole(key, Values::Reader(dtype, shape, &mut reader))
    }

    /// Writes a piece of a partitioned tensor: `slice` of the tensor `key`, which as a whole has
    /// `full_shape`.
    ///
    /// A piece that is everything is written as [`add`](Self::add) does. That the pieces cover the
    /// tensor and do not overlap is not checked, because other bundles that this one is merged with
    /// may have the others.
    ///
    /// ```
    /// # use savedmodel::{BundleReader, BundleWriter, Shape, Tensor};
    /// # let directory = std::env::temp_dir().join(format!("savedmodel-slices-{}", std::process::id()));
    /// # let prefix = directory.join("ckpt-1");
    /// let mut bundle = BundleWriter::create(&prefix)?;
    /// let shape = Shape::new(&[4])?;
    /// bundle.add_slice("v", &shape, &"0,3".parse()?, &Tensor::from_slice([3], &[1i64, 2, 3])?)?;
    /// bundle.add_slice("v", &shape, &"3,1".parse()?, &Tensor::from_slice([1], &[4i64])?)?;
    /// bundle.finish()?;
    /// let whole = BundleReader::open(&prefix)?.tensor("v")?;
    /// assert_eq!(*whole.values::<i64>()?, [1, 2, 3, 4]);
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`add`](Self::add); and `InvalidArgument` if the slice does not lie in the full shape,
    /// or is empty, if the tensor is not of the slice's shape, or if earlier pieces have another
    /// dtype or full shape.
    pub fn add_slice<'t>(
        &mut self,
        key: impl AsRef<[u8]>,
        full_shape: &Shape,
        slice: &TensorSlice,
        tensor: impl Into<TensorView<'t>>,
    ) -> Result<()> {
        let view = tensor.into();
        self.add_piece(key.as_ref(), full_shape, slice, Values::View(view))
    }

    /// Writes a piece of a partitioned tensor, as [`add_slice`](Self::add_slice) does, whose values a
    /// reader has, as in [`add_from_reader`](Self::add_from_reader). Its shape is the slice's.
    ///
    /// # Errors
    ///
    /// Those of both.
    pub fn add_slice_from_reader(
        &mut self,
        key: impl AsRef<[u8]>,
        full_shape: &Shape,
        slice: &TensorSlice,
        dtype: DType,
        mut reader: impl Read,
    ) -> Result<()> {
        let key = key.as_ref();
        let shape = slice
            .shape_in(full_shape)
            .map_err(|error| error.for_key(key))?;
        self.add_piece(
            key,
            full_shape,
            slice,
            Values::Reader(dtype, shape, &mut reader),
        )
    }

    /// Completes the bundle: writes its index, and moves all files to their places, the index
    /// last. What was written is on the disk then, unless
    /// [told not to](BundleWriterOptions::durability).
    ///
    /// # Errors
    ///
    /// `Io` as the system has it, and `InvalidArgument` if an earlier write failed, or if a file
    /// came to be in the way. What was written is removed then, and what was there is there again;
    /// if even that fails, the error says where it is. Only if removing what was
    /// [replaced](super::Existing::Replace) is what fails, the new bundle is in place, and the error
    /// says so.
    pub fn finish(self) -> Result<()> {
        Self::finish_together([self])
    }

    /// Completes one bundle of what several writers of its prefix wrote, each a shard, in this order
    /// or, if they have a maximum size, several. Options are those of the first.
    ///
    /// The pieces of a partitioned tensor may be anywhere. A writer to which nothing was added makes
    /// no shard. The files are those that TensorFlow makes of the same tensors when it
    /// [merges](super::merge_bundles) one bundle for each writer.
    ///
    /// ```
    /// use savedmodel::{BundleReader, BundleWriter, Tensor};
    ///
    /// # let directory = std::env::temp_dir().join(format!("savedmodel-shards-{}", std::process::id()));
    /// let prefix = directory.join("ckpt-1");
    /// let writers = std::thread::scope(|scope| {
    ///     let threads = [0, 1].map(|i| {
    ///         let prefix = &prefix;
    ///         scope.spawn(move || {
    ///             let mut shard = BundleWriter::create(prefix)?;
    ///             shard.add(format!("layer_{i}/bias"), &Tensor::scalar(i))?;
    ///             Ok(shard)
    ///         })
    ///     });
    ///     let writers = threads.map(|thread| thread.join().expect("no thread panics"));
    ///     writers.into_iter().collect::<savedmodel::Result<Vec<_>>>()
    /// })?;
    /// BundleWriter::finish_together(writers)?;
    /// assert_eq!(BundleReader::open(&prefix)?.num_shards(), 2);
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`finish`](Self::finish); and `InvalidArgument` if there is no writer, if they have
    /// different prefixes, if two of them have a tensor under the same key, or pieces of a
    /// partitioned tensor that overlap or disagree about its dtype or full shape.
    pub fn finish_together(writers: impl IntoIterator<Item = BundleWriter>) -> Result<()> {
        let writers: Vec<BundleWriter> = writers.into_iter().collect();
        let Some(first) = writers.first() else {
            return Err(Error::invalid_argument("no writer, so no bundle"));
        };
        let (options, index_path) = (first.options.clone(), first.publication.index_path());
        for writer in &writers {
            writer.refuse_after_failure()?;
            let path = writer.publication.index_path();
            if path != index_path {
                return Err(Error::invalid_argument(format!(
                    "this is the index of another bundle than {}",
                    index_path.display()
                ))
                .in_file(path));
            }
        }
        let mut publication: Option<Publication> = None;
        let (mut numbers, mut pending, mut unused) = (Vec::new(), Vec::new(), None);
        let mut num_shards = 0;
        for writer in writers {
            let finished = writer.close()?;
            let publication = match &mut publication {
                None => publication.insert(finished.publication),
                Some(publication) => {
                    publication.join(finished.publication);
                    publication
                }
            };
            let mut shards = Vec::with_capacity(finished.shards.len());
            for (id, (file, is_used)) in (0..).zip(finished.shards) {
                if is_used {
                    shards.push((id, num_shards));
                    publication.shard(file);
                    num_shards += 1;
                } else {
                    unused.get_or_insert(file);
                }
            }
            numbers.push(ShardNumbers::new(shards));
            pending.push(finished.entries);
        }
        let Some(mut publication) = publication else {
            return Err(Error::invalid_argument("no writer, so no bundle"));
        };
        // A bundle without tensors has a shard without bytes.
        if let Some(file) = unused.filter(|_| num_shards == 0) {
            publication.shard(file);
            num_shards = 1;
        }
        let index = PendingFile::create(&index_path).map_err(in_file(&index_path))?;
        let index =
            index_file::write_lists(index, options.block_size, num_shards, pending, &numbers);
        publication.publish(index.map_err(|error| error.in_file(&index_path))?)
    }

    pub(super) fn add_whole(&mut self, key: &[u8], values: Values<'_>) -> Result<()> {
        self.check_name(key)?;
        let new = self.check_new(key, None)?;
        let max = self.options.max_shard_size.unwrap_or(u64::MAX);
        let put = match values.dense_len() {
            Some(len) if len > max && values.can_be_cut() => self.put_in_pieces(key, values, max),
            _ => self.put(key, new, values),
        };
        put.map_err(|error| error.for_key(key))
    }

    pub(super) fn add_piece(
        &mut self,
        key: &[u8],
        full_shape: &Shape,
        slice: &TensorSlice,
        values: Values<'_>,
    ) -> Result<()> {
        self.check_name(key)?;
        let refuse = |what: String| Err(Error::invalid_argument(what).for_key(key));
        let shape = slice
            .shape_in(full_shape)
            .map_err(|error| error.for_key(key))?;
        let is_empty = |extent: &Extent| matches!(extent, Extent::Range { length: 0, .. });
        if slice.extents().iter().any(is_empty) {
            return refuse(format!("slice `{slice}` has an extent of length 0"));
        }
        if *values.shape() != shape {
            return refuse(format!(
                "slice `{slice}` of shape {full_shape} has shape {shape}, and the tensor {}",
                values.shape()
            ));
        }
        if shape == *full_shape {
            return self.add_whole(key, values);
        }
        match self.partitioned.get(key) {
            None => {
                self.check_new(key, None)?;
            }
            Some(whole) if (whole.dtype(), whole.shape()) != (values.dtype(), full_shape) => {
                return refuse(format!(
                    "this piece is of dtype {} and full shape {full_shape}, and earlier ones of {} and {}",
                    values.dtype(),
                    whole.dtype(),
                    whole.shape()
                ));
            }
            Some(_) => {}
        }
        self.put_piece(key, full_shape, slice, values)
            .map_err(|error| error.for_key(key))
    }

    /// Writes a piece under a key that was found free, and notes it in the entry of the whole.
    fn put_piece(
        &mut self,
        key: &[u8],
        full_shape: &Shape,
        slice: &TensorSlice,
        values: Values<'_>,
    ) -> Result<()> {
        let dtype = values.dtype();
        let piece = piece_key(key, slice);
        let new = self.check_new(&piece, Some((key, slice)))?;
        self.put(&piece, new, values)?;
        let shard = self.full.len() as i32;
        self.partitioned
            .entry(key.into())
            .or_insert_with(|| BundleEntry::partitioned(dtype, full_shape.clone()).in_shard(shard))
            .push_slice(slice.clone());
        Ok(())
    }

    /// Writes a tensor as pieces of up to `max` bytes.
    fn put_in_pieces(&mut self, key: &[u8], values: Values<'_>, max: u64) -> Result<()> {
        let (dtype, shape) = (values.dtype(), values.shape().clone());
        let size = dtype.size().unwrap_or(1) as u64;
        let pieces = Pieces::new(&shape, max / size);
        // A scalar, or what has no elements.
        if shape.elements() <= 1 {
            let new = self.check_new(key, None)?;
            return self.put(key, new, values);
        }
        match values {
            Values::View(view) => {
                let mut rest = view.bytes().unwrap_or_default();
                for slice in pieces {
                    let part = slice.shape_in(&shape)?;
                    let len = part.elements() * size;
                    // They lie one behind the other, and take up all of it.
                    let (bytes, behind) = rest.split_at(len as usize);
                    rest = behind;
                    let part = TensorView::of_checked_bytes(dtype, part, bytes);
                    self.put_piece(key, &shape, &slice, Values::View(part))?;
                }
            }
            Values::Reader(.., reader) => {
                for slice in pieces {
                    let part = slice.shape_in(&shape)?;
                    let mut reader = reader.take(part.elements() * size);
                    let values = Values::Reader(dtype, part, &mut reader);
                    let put = self.put_piece(key, &shape, &slice, values);
                    // The pieces before it stay.
                    self.failed |= put.is_err();
                    put?;
                }
                if let Err(failure) = ShardWriter::check_end(reader) {
                    self.failed = true;
                    return Err(read_error(failure, shape.elements() * size, dtype));
                }
            }
            Values::Stored(..) | Values::Written(..) => {
                let new = self.check_new(key, None)?;
                return self.put(key, new, values);
            }
        }
        Ok(())
    }

    /// Writes a tensor's bytes and notes its entry under a key that was found free.
    fn put(&mut self, key: &[u8], new: NewKey, values: Values<'_>) -> Result<()> {
        self.refuse_after_failure()?;
        let dtype = values.dtype();
        if dtype.size().is_none() && dtype != DType::STRING && dtype != DType::VARIANT {
            return Err(Error::unsupported(format!(
                "tensors of dtype {dtype} are never stored in a bundle"
            )));
        }
        self.make_room(&values)?;
        let offset = self.data.len();
        self.failed = true;
        let (shape, written) = match values {
            Values::View(view) => {
                let written = payload::write(&view, &mut self.data);
                (
                    view.into_shape(),
                    written.map_err(|error| self.in_data(error))?,
                )
            }
            Values::Reader(_, shape, reader) => {
                let written = self.copy_from(reader, dtype, &shape, offset, None)?;
                (shape, written)
            }
            Values::Stored(_, shape, reader, crc) => {
                let written = self.copy_from(reader, dtype, &shape, offset, Some(crc))?;
                (shape, written)
            }
            Values::Written(_, shape, write) => {
                let written = self.take_from(write, dtype, &shape, offset)?;
                (shape, written)
            }
        };
        let size = self.data.len() - offset;
        let padded = self.data.pad(self.options.alignment);
        padded.map_err(|error| self.in_data(error))?;
        self.failed = false;
        self.encoded.clear();
        BundleEntry::stored(dtype, shape, offset, size, written)
            .in_shard(self.full.len() as i32)
            .encode_into(&mut self.encoded);
        self.entries.insert(key, new, &self.encoded)
    }

    /// Begins another shard if these values would make this one longer than it may be.
    fn make_room(&mut self, values: &Values<'_>) -> Result<()> {
        let Some(max) = self.options.max_shard_size else {
            return Ok(());
        };
        let len = match values {
            Values::View(view) => payload::stored_len(view),
            _ => values.dense_len().unwrap_or_default(),
        };
        let end = self.data.len().saturating_add(len);
        let end = end.checked_next_multiple_of(self.options.alignment);
        if self.data.len() == 0 || end.is_some_and(|end| end <= max) {
            return Ok(());
        }
        let shards = self.full.len() + 1;
        let path = self.publication.shard_path(shards, shards + 1);
        let next = ShardWriter::create(&path, self.options.threads).map_err(in_file(&path))?;
        self.failed = true;
        let full = std::mem::replace(&mut self.data, next).finish();
        let mut full = full.map_err(in_file(&path))?;
        full.close();
        self.full.push(full);
        self.entries_before = self.entries.len();
        self.failed = false;
        Ok(())
    }

    /// Completes the data files and the list of entries.
    fn close(mut self) -> Result<Closed> {
        for (key, entry) in &self.partitioned {
            self.encoded.clear();
            entry.encode_into(&mut self.encoded);
            if let Some(new) = self.entries.new_key(key) {
                self.entries.insert(key, new, &self.encoded)?;
            }
        }
        let is_used = self.entries.len() > self.entries_before;
        let path = self
            .publication
            .shard_path(self.full.len(), self.full.len() + 1);
        let last = self.data.finish().map_err(in_file(&path))?;
        let full = self.full.into_iter().map(|file| (file, true));
        Ok(Closed {
            publication: self.publication,
            shards: full.chain([(last, is_used)]).collect(),
            entries: self.entries,
        })
    }

    /// Says whether so many bytes are more than a shard may have.
    pub(super) fn is_too_long(&self, len: u64) -> bool {
        self.options.max_shard_size.is_some_and(|max| len > max)
    }

    fn check_name(&self, key: &[u8]) -> Result<()> {
        if key.is_empty() {
            return Err(Error::invalid_argument(
                "a tensor needs a name: the empty key is the header's",
            ));
        }
        if key.first() == Some(&0) && read_piece_key(key).is_some() {
            return Err(Error::invalid_argument(
                "a key of this form is that of a piece of a partitioned tensor",
            )
            .for_key(key)
            .remedy("`add_slice` makes such keys"));
        }
        Ok(())
    }

    fn check_new(&self, key: &[u8], piece: Option<(&[u8], &TensorSlice)>) -> Result<NewKey> {
        let new = self.entries.new_key(key);
        if let Some(new) = new.filter(|_| !self.partitioned.contains_key(key)) {
            return Ok(new);
        }
        Err(match piece {
            None => Error::invalid_argument("the key was added before").for_key(key),
            Some((name, slice)) => {
                Error::invalid_argument(format!("slice `{slice}` was added before")).for_key(name)
            }
        })
    }

    fn refuse_after_failure(&self) -> Result<()> {
        match self.failed {
            true => Err(Error::invalid_argument(
                "the bundle cannot go on: writing a tensor failed",
            )
            .in_file(self.publication.index_path())),
            false => Ok(()),
        }
    }

    /// Makes the system's word an error of the data file.
    pub(super) fn in_data(&self, error: io::Error) -> Error {
        let shard = self.full.len();
        Error::from(error).in_file(self.publication.shard_path(shard, shard + 1))
    }
}

impl fmt::Debug for BundleWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BundleWriter")
            .field("index", &self.publication.index_path())
            .field("entries", &(self.entries.len() + self.partitioned.len()))
            .field("shard", &self.full.len())
            .field("bytes", &self.data.len())
            .finish_non_exhaustive()
    }
}

/// What a writer leaves when it is done.
struct Closed {
    publication: Publication,
    /// Each with whether it has an entry.
    shards: Vec<(PendingFile, bool)>,
    entries: PendingEntries,
}

/// Returns what makes the system's word an error of that file.
fn in_file(path: &Path) -> impl Fn(io::Error) -> Error {
    move |error| Error::from(error).in_file(path)
}
