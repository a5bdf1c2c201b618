use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::reader::NpyReader;
use crate::error::{Error, Result};
use crate::store::{Blob, LocalStore, Store};
use crate::tensor::{DType, Shape, Tensor};
use crate::zip::{Archive, Entry};

/// What the name of an array's member ends in, beside the name of the array.
pub(super) const SUFFIX: &str = ".npy";

/// Reads a `.npz` file: arrays in a zip archive, as `np.savez` and `np.savez_compressed` write them.
///
/// Opening reads the archive's directory. An array that is not compressed is a view of the file where
/// [`NpyReader`] makes one; its checksum is verified when it is read. A compressed one is unpacked
/// into memory, of which it can take 1,032 times its bytes in the file. Members that are no arrays
/// are not listed. Names are names: nothing is unpacked to files.
///
/// ```
/// use savedmodel::numpy::{NpzReader, NpzWriter};
/// use savedmodel::store::Blob;
/// use savedmodel::Tensor;
///
/// let mut writer = NpzWriter::new(Vec::new());
/// writer.add("layer/kernel", &Tensor::from_slice([2], &[1f32, 2.])?)?;
/// let archive = NpzReader::new(Blob::from_bytes(writer.finish()?))?;
/// assert_eq!(archive.names().collect::<Vec<_>>(), ["layer/kernel"]);
/// assert_eq!(archive.info("layer/kernel")?.shape.dims(), [2]);
/// assert_eq!(*archive.tensor("layer/kernel")?.values::<f32>()?, [1., 2.]);
/// # Ok::<(), savedmodel::Error>(())
/// ```
pub struct NpzReader {
    archive: Archive,
    /// Name → place in the archive's directory.
    arrays: BTreeMap<String, usize>,
    /// Which dtypes `V1` and `V2` are.
    void_dtypes: Vec<DType>,
    /// How messages call the file.
    path: Option<PathBuf>,
}

/// What the header of an array says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArrayInfo {
    /// The type of the elements as the file has it: `<f4`.
    pub descr: String,
    /// The dtype of the tensor; `None` if none can be made of the array.
    pub dtype: Option<DType>,
    /// The shape.
    pub shape: Shape,
}

impl NpzReader {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// `NotFound` and `Io` as the system has them, and what [`new`](Self::new) answers.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let in_file = |error: Error| error.in_file(path);
        let (store, name) = LocalStore::of_file(path)?;
        let blob = store.open(name).map_err(|error| in_file(error.into()))?;
        let mut archive = NpzReader::new(blob).map_err(in_file)?;
        archive.path = Some(path.to_owned());
        Ok(archive)
    }

    /// Reads the directory of an archive.
    ///
    /// # Errors
    ///
    /// `Malformed` if it is no zip archive, contradicts itself or has two arrays of one name;
    /// `Unsupported` for an archive in several files and for names that are no UTF-8.
    pub fn new(blob: Blob) -> Result<Self> {
        let archive = Archive::open(blob)?;
        let mut arrays = BTreeMap::new();
        for (index, entry) in archive.entries().iter().enumerate() {
            if let Some(name) = entry.name().strip_suffix(SUFFIX)
                && arrays.insert(name.to_owned(), index).is_some()
            {
                return Err(Error::malformed("the archive has two arrays of this name")
                    .for_key(name.as_bytes()));
            }
        }
        Ok(NpzReader {
            archive,
            arrays,
            void_dtypes: Vec::new(),
            path: None,
        })
    }

    /// Says of which dtype elements of type `V1` or `V2` are, whichever has the dtype's size; see
    /// [`NpyReader::with_void_dtype`]. Can be said once for each size.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if numpy writes the dtype under its own name.
    pub fn with_void_dtype(mut self, dtype: DType) -> Result<Self> {
        super::descr::check_void(dtype)?;
        self.void_dtypes.insert(0, dtype);
        Ok(self)
    }

    /// Returns the names of all arrays, sorted by their bytes.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.arrays.keys().map(String::as_str)
    }

    /// Says what the header of an array says; the elements are not looked at.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no array of that name, otherwise as for [`array`](Self::array).
    pub fn info(&self, name: &str) -> Result<ArrayInfo> {
        let info = || {
            let member = self.archive.member(self.entry(name)?)?;
            let array = match member.stored() {
                Some(blob) => {
                    NpyReader::new(blob.clone()).map_err(|error| error.shifted(member.place()))?
                }
                None => NpyReader::header_of_stream(member.reader())?,
            };
            let array = self.named(array);
            Ok(ArrayInfo {
                descr: array.descr().to_owned(),
                dtype: array.dtype(),
                shape: array.shape().clone(),
            })
        };
        info().map_err(|error| self.of_array(error, name))
    }

    /// Returns an array, its checksum verified.
    ///
    /// # Errors
    ///
    /// `NotFound`, with the names that come closest, if there is none of that name; `Malformed` if
    /// the member contradicts the archive's directory or is no array; `ChecksumMismatch`;
    /// `Unsupported` if it is encrypted or compressed in another way than deflate.
    pub fn array(&self, name: &str) -> Result<NpyReader> {
        let array = || {
            let member = self.archive.member(self.entry(name)?)?;
            if let Some(blob) = member.stored() {
                member.verify_stored()?;
                return NpyReader::new(blob.clone()).map_err(|error| error.shifted(member.place()));
            }
            let mut reader = member.reader();
            let array = NpyReader::from_stream(&mut reader)?;
            // The checksum is that of all bytes.
            std::io::copy(&mut reader, &mut std::io::sink())?;
            Ok(array)
        };
        array()
            .map(|array| self.named(array).of_file(self.path.as_deref(), name))
            .map_err(|error| self.of_array(error, name))
    }

    /// Returns an array as a tensor.
    ///
    /// # Errors
    ///
    /// As for [`array`](Self::array) and [`NpyReader::tensor`].
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        self.array(name)?.tensor()
    }

    /// Reads the bytes of an array's member as they come, the header first, unpacked if need be. The
    /// end is an error if the checksum is not theirs.
    ///
    /// # Errors
    ///
    /// As for [`array`](Self::array), what reading answers among them.
    pub fn stream(&self, name: &str) -> Result<impl Read + use<>> {
        let member = self
            .entry(name)
            .and_then(|entry| self.archive.member(entry));
        Ok(member.map_err(|error| self.of_array(error, name))?.reader())
    }

    fn of_array(&self, error: Error, name: &str) -> Error {
        let error = error.for_key(name.as_bytes());
        match &self.path {
            Some(path) => error.in_file(path),
            None => error,
        }
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        let entry = self.arrays.get(name);
        entry
            .and_then(|index| self.archive.entries().get(*index))
            .ok_or_else(|| Error::not_found_among("array", name, self.arrays.keys().cloned()))
    }

    fn named(&self, array: NpyReader) -> NpyReader {
        let fitting = self.void_dtypes.iter().find(|dtype| array.can_be(**dtype));
        match fitting {
            Some(dtype) => array.named(*dtype),
            None => array,
        }
    }
}

impl fmt::Debug for NpzReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NpzReader({} arrays)", self.arrays.len())
    }
}
