use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::entry::BundleEntry;
use super::header::Header;
use super::key::{Key, piece_key, read_piece_key};
use super::payload;
use super::publication::Publication;
use super::shard_writer::ShardWriter;
use crate::error::{Error, Result};
use crate::store::PendingFile;
use crate::table;
use crate::tensor::{DType, Extent, Shape, Tensor, TensorSlice};

/// Writes a tensor bundle of one shard: a checkpoint, or the `variables/` of a SavedModel.
///
/// Tensors go to the data file as they are added, summed on the way, so memory is their entries
/// and a buffer of 1 MiB. [`finish`](Self::finish) writes the index. Until then both files are
/// beside their places under names that no reader looks for; a writer that is dropped removes
/// them.
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
    index_path: PathBuf,
    data_path: PathBuf,
    data: ShardWriter,
    entries: BTreeMap<Key, BundleEntry>,
    publication: Publication,
    /// Whether a write failed, so that nobody knows what the data file holds.
    failed: bool,
}

/// Says whether a finished bundle survives a crash of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// When [`BundleWriter::finish`] returns, the new bundle is on the disk. If the machine crashes
    /// before, one bundle is there complete: the new one, or the old one, in place or set aside
    /// where [`recover`](super::recover) finds it. Costs a sync of each file, and three or four of
    /// the directory.
    #[default]
    Sync,
    /// The system writes when it likes, as with TensorFlow's writer. A process that dies still
    /// leaves one bundle complete; a machine that crashes may leave any mixture.
    None,
}

/// Says what happens to a bundle that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Existing {
    /// It stays, and writing is refused: when an index or any data file of the prefix is there, or a
    /// bundle that is set aside, both as the bundle is begun and as it is finished.
    #[default]
    Refuse,
    /// It is replaced when the new bundle is finished, and a crash loses neither: its index, and then
    /// the data files that this names, are set aside under names like `ckpt-1.index.set-aside-0-4711`
    /// which no reader looks for; the new data files come, then the new index; and what was set
    /// aside is removed. Of an index that cannot be read, all data files of the prefix are replaced.
    ///
    /// What a crash leaves is the old bundle, the new one, or the old one set aside, and never parts
    /// of both. From the last, [`recover`](super::recover) puts the old one back, and a writer with
    /// this option goes on. Where an operation fails, the old bundle is put back at once.
    Replace,
}

/// How a bundle is written; [`BundleWriter::options`] gives the defaults.
#[derive(Clone, Debug)]
pub struct BundleWriterOptions {
    alignment: u64,
    durability: Durability,
    existing: Existing,
}

impl BundleWriterOptions {
    /// Sets of how many bytes the place of every tensor in the data file is a multiple. Zeros fill
    /// the gaps. Default: 1, no gaps, as in all checkpoints of TensorFlow.
    pub fn alignment(mut self, bytes: u64) -> Self {
        self.alignment = bytes.max(1);
        self
    }

    /// Sets whether the finished bundle survives a crash. Default: [`Durability::Sync`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets what happens to a bundle that is there. Default: [`Existing::Refuse`].
    pub fn existing(mut self, existing: Existing) -> Self {
        self.existing = existing;
        self
    }

    /// Begins the bundle of that prefix, as [`BundleWriter::create`] does.
    ///
    /// # Errors
    ///
    /// As for [`BundleWriter::create`].
    pub fn create(self, prefix: impl AsRef<Path>) -> Result<BundleWriter> {
        let publication = Publication::new(prefix.as_ref(), self.existing, self.durability)?;
        let (index_path, data_path) = (publication.index_path(), publication.shard_path(0, 1));
        let data = ShardWriter::create(&data_path).map_err(in_file(&data_path))?;
        Ok(BundleWriter {
            options: self,
            index_path,
            data_path,
            data,
            entries: BTreeMap::new(),
            publication,
            failed: false,
        })
    }
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
        BundleWriterOptions {
            alignment: 1,
            durability: Durability::default(),
            existing: Existing::default(),
        }
    }

    /// Writes a tensor.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the key is empty, was added before, or has the form of those under which
    /// pieces of partitioned tensors stand; `Unsupported` for a dtype that bundles do not store, as
    /// RESOURCE: nothing was added then. `Io` is what the system says; the bundle cannot go on
    /// after it.
    pub fn add(&mut self, key: impl AsRef<[u8]>, tensor: &Tensor) -> Result<()> {
        let key = key.as_ref();
        self.check_name(key)?;
        self.check_new(key, None)?;
        self.put(key, tensor).map_err(|error| error.for_key(key))
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
    pub fn add_slice(
        &mut self,
        key: impl AsRef<[u8]>,
        full_shape: &Shape,
        slice: &TensorSlice,
        tensor: &Tensor,
    ) -> Result<()> {
        let key = key.as_ref();
        self.check_name(key)?;
        let refuse = |what: String| Err(Error::invalid_argument(what).for_key(key));
        let shape = slice
            .shape_in(full_shape)
            .map_err(|error| error.for_key(key))?;
        let is_empty = |extent: &Extent| matches!(extent, Extent::Range { length: 0, .. });
        if slice.extents().iter().any(is_empty) {
            return refuse(format!("slice `{slice}` has an extent of length 0"));
        }
        if *tensor.shape() != shape {
            return refuse(format!(
                "slice `{slice}` of shape {full_shape} has shape {shape}, and the tensor {}",
                tensor.shape()
            ));
        }
        if shape == *full_shape {
            return self.add(key, tensor);
        }
        let piece = piece_key(key, slice);
        match self.entries.get(key) {
            Some(whole) if !whole.is_partitioned() => self.check_new(key, None)?,
            Some(whole) if (whole.dtype(), whole.shape()) != (tensor.dtype(), full_shape) => {
                return refuse(format!(
                    "this piece is of dtype {} and full shape {full_shape}, and earlier ones of {} and {}",
                    tensor.dtype(),
                    whole.dtype(),
                    whole.shape()
                ));
            }
            _ => self.check_new(&piece, Some((key, slice)))?,
        }
        self.put(&piece, tensor)
            .map_err(|error| error.for_key(key))?;
        self.entries
            .entry(key.into())
            .or_insert_with(|| BundleEntry::partitioned(tensor.dtype(), full_shape.clone()))
            .push_slice(slice.clone());
        Ok(())
    }

    /// Completes the bundle: writes its index, and moves both files to their places, the index
    /// last. A bundle that is there is [replaced](Existing::Replace) now. What was written is on the disk then, unless
    /// [told not to](BundleWriterOptions::durability).
    ///
    /// # Errors
    ///
    /// `Io` as the system has it, and `InvalidArgument` if an earlier write failed, or if a file
    /// came to be in the way. What was written is removed then, and what was there is there again;
    /// if even that fails, the error says where it is. Only if removing what was replaced is what
    /// fails, the new bundle is in place, and the error says so.
    pub fn finish(mut self) -> Result<()> {
        self.refuse_after_failure()?;
        let data = self.data.finish().map_err(in_file(&self.data_path))?;
        self.publication.shard(data);
        let index = write_index(&self.index_path, &self.entries)
            .map_err(|error| error.in_file(&self.index_path))?;
        self.publication.publish(index)
    }

    /// Writes a tensor's bytes and notes its entry under a key that was found free.
    fn put(&mut self, key: &[u8], tensor: &Tensor) -> Result<()> {
        self.refuse_after_failure()?;
        let dtype = tensor.dtype();
        if dtype.size().is_none() && dtype != DType::STRING && dtype != DType::VARIANT {
            return Err(Error::unsupported(format!(
                "tensors of dtype {dtype} are never stored in a bundle"
            )));
        }
        let offset = self.data.len();
        self.failed = true;
        let in_data = in_file(&self.data_path);
        let crc = payload::write(tensor, &mut self.data).map_err(&in_data)?;
        let size = self.data.len() - offset;
        self.data.pad(self.options.alignment).map_err(in_data)?;
        self.failed = false;
        let entry = BundleEntry::stored(dtype, tensor.shape().clone(), offset, size, crc);
        self.entries.insert(key.into(), entry);
        Ok(())
    }

    fn check_name(&self, key: &[u8]) -> Result<()> {
        if key.is_empty() {
            return Err(Error::invalid_argument(
                "a tensor needs a name: the empty key is the header's",
            ));
        }
        if read_piece_key(key).is_some() {
            return Err(Error::invalid_argument(
                "a key of this form is that of a piece of a partitioned tensor",
            )
            .for_key(key)
            .remedy("`add_slice` makes such keys"));
        }
        Ok(())
    }

    fn check_new(&self, key: &[u8], piece: Option<(&[u8], &TensorSlice)>) -> Result<()> {
        if !self.entries.contains_key(key) {
            return Ok(());
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
            .in_file(&self.index_path)),
            false => Ok(()),
        }
    }
}

fn write_index(path: &Path, entries: &BTreeMap<Key, BundleEntry>) -> Result<PendingFile> {
    let mut table = table::Writer::new(BufWriter::new(PendingFile::create(path)?));
    table.add(b"", &Header::WRITTEN.encode())?;
    for (key, entry) in entries {
        table.add(key, &entry.encode())?;
    }
    let mut file = table.finish()?;
    file.flush()?;
    Ok(file.into_inner().map_err(io::IntoInnerError::into_error)?)
}

/// Returns what makes the system's word an error of that file.
fn in_file(path: &Path) -> impl Fn(io::Error) -> Error {
    move |error| Error::from(error).in_file(path)
}

impl fmt::Debug for BundleWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BundleWriter")
            .field("index", &self.index_path)
            .field("entries", &self.entries.len())
            .field("bytes", &self.data.len())
            .finish_non_exhaustive()
    }
}
