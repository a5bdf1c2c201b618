use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::file::{File, element_of};
use super::header::Stored;
use super::index::{Index, SUFFIX};
use crate::error::{Error, Result};
use crate::store::{Blob, LocalStore, Store};
use crate::tensor::{DType, Shape, Tensor};

/// Reads tensors of the safetensors format, from one file or from several with an index.
///
/// Opening reads the headers and proves that they agree with the length of their files. A tensor is
/// then a view of the file, if that is mapped or in memory: nothing is copied. The format has no
/// checksums.
///
/// ```
/// # let path = std::env::temp_dir().join(format!("savedmodel-read-{}.safetensors", std::process::id()));
/// use savedmodel::Tensor;
/// use savedmodel::safetensors::{SafetensorsReader, SafetensorsWriter};
///
/// let kernel = Tensor::from_slice([2], &[1f32, 2.])?;
/// SafetensorsWriter::new().write_tensors(&path, [("layer/kernel", &kernel)])?;
///
/// let file = SafetensorsReader::open(&path)?;
/// for info in file.tensors() {
///     println!("{}: {} {}", info.name(), info.element_type(), info.shape());
/// }
/// assert_eq!(file.tensor("layer/kernel")?, kernel);
/// # std::fs::remove_file(path)?;
/// # Ok::<(), savedmodel::Error>(())
/// ```
pub struct SafetensorsReader {
    files: Vec<File>,
    /// The name of a tensor → the number of its file, and its own there.
    places: BTreeMap<String, (usize, usize)>,
}

/// What a header says of a tensor.
#[derive(Clone, Copy)]
pub struct TensorInfo<'r> {
    stored: &'r Stored,
    file: &'r File,
}

impl SafetensorsReader {
    /// Opens a file, or the files of an index, whose name ends in `.index.json`; in a directory
    /// `model.safetensors` or, where there is none, `model.safetensors.index.json`.
    ///
    /// # Errors
    ///
    /// `NotFound` if a file is missing; `Malformed` if one contradicts the format or itself or has
    /// not the tensors that the index says, or if the index names a file outside of its directory;
    /// `TooLarge` for a header beyond 100 MB, as anything else has that is no such file; `Io`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if path.is_dir() {
            let store = LocalStore::new(path);
            let single = "model.safetensors";
            return match path.join(single).exists() {
                true => SafetensorsReader::open_in(&store, single),
                false => SafetensorsReader::open_in(&store, &format!("{single}{SUFFIX}")),
            };
        }
        let (store, name) = LocalStore::of_file(path)?;
        SafetensorsReader::open_in(&store, name)
    }

    /// Opens a file or the files of an index in a store: memory, an archive, a remote one.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn open_in(store: &dyn Store, name: &str) -> Result<Self> {
        let open = |name: &str| {
            let blob = store.open(name);
            blob.map_err(|error| Error::from(error).in_file(store.display(name)))
        };
        if !name.ends_with(SUFFIX) {
            return SafetensorsReader::of(File::open(open(name)?, store.display(name))?);
        }
        let in_index = |error: Error| error.in_file(store.display(name));
        let blob = open(name)?;
        let index = blob
            .read(0, blob.len())
            .and_then(|text| Index::parse(&text));
        let index = index.map_err(in_index)?;
        let directory = name.rfind('/').map_or("", |slash| &name[..=slash]);
        let mut reader = SafetensorsReader {
            files: Vec::new(),
            places: BTreeMap::new(),
        };
        // The name of a file → its number, and its tensors by name.
        let mut opened: BTreeMap<&str, (usize, BTreeMap<String, usize>)> = BTreeMap::new();
        for (tensor, file) in &index.weight_map {
            if !opened.contains_key(&**file) {
                let path = format!("{directory}{file}");
                let new = File::open(open(&path)?, store.display(&path))?;
                opened.insert(file, (reader.files.len(), by_name(&new)));
                reader.files.push(new);
            }
            let place = opened
                .get(&**file)
                .and_then(|(number, tensors)| tensors.get(tensor).map(|tensor| (*number, *tensor)));
            let place = place.ok_or_else(|| {
                let what = format!("the index says this tensor is in `{file}`, which has it not");
                in_index(Error::malformed(what).for_key(tensor.as_bytes()))
            })?;
            reader.places.insert(tensor.clone(), place);
        }
        Ok(reader)
    }

    /// Reads one file that is a blob.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn new(blob: Blob) -> Result<Self> {
        let path = Path::new("safetensors");
        SafetensorsReader::of(File::open(blob, path.to_owned())?)
    }

    fn of(file: File) -> Result<Self> {
        let places = by_name(&file)
            .into_iter()
            .map(|(name, tensor)| (name, (0, tensor)))
            .collect();
        Ok(SafetensorsReader {
            files: vec![file],
            places,
        })
    }

    /// Returns all tensors, sorted by the bytes of their names. What a file has that the index does
    /// not name is left out.
    pub fn tensors(&self) -> impl Iterator<Item = TensorInfo<'_>> {
        self.places.values().filter_map(|place| self.at(*place))
    }

    /// Looks a tensor up.
    ///
    /// # Errors
    ///
    /// `NotFound`, with the names that come closest, if there is none.
    pub fn info(&self, name: &str) -> Result<TensorInfo<'_>> {
        let place = self.places.get(name);
        place.and_then(|place| self.at(*place)).ok_or_else(|| {
            let error = Error::not_found_among("tensor", name, self.places.keys().cloned());
            let error = error.for_key(name.as_bytes());
            match self.files.first() {
                Some(file) => error.in_file(&file.path),
                None => error,
            }
        })
    }

    /// Returns a tensor: a view of the file if that is mapped or in memory, otherwise a copy.
    ///
    /// # Errors
    ///
    /// `NotFound`, with the names that come closest, if there is none; `Unsupported` for a type of
    /// elements that TensorFlow has not; `Malformed` for truth values other than 0 and 1; `Io`.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        let info = self.info(name)?;
        info.file
            .tensor(info.stored)
            .map_err(|error| error.for_key(name.as_bytes()).in_file(&info.file.path))
    }

    /// Returns what `__metadata__` of the files holds; where several disagree, what the first one by
    /// tensor says.
    pub fn metadata(&self) -> BTreeMap<&str, &str> {
        let mut all = BTreeMap::new();
        for file in &self.files {
            for (key, value) in &file.header.metadata {
                all.entry(&**key).or_insert(&**value);
            }
        }
        all
    }

    fn at(&self, (file, tensor): (usize, usize)) -> Option<TensorInfo<'_>> {
        let file = self.files.get(file)?;
        let stored = file.header.tensors.get(tensor)?;
        Some(TensorInfo { stored, file })
    }
}

fn by_name(file: &File) -> BTreeMap<String, usize> {
    let tensors = file.header.tensors.iter().enumerate();
    tensors
        .map(|(number, tensor)| (tensor.name.clone(), number))
        .collect()
}

impl<'r> TensorInfo<'r> {
    /// Returns the name.
    pub fn name(&self) -> &'r str {
        &self.stored.name
    }

    /// Returns the type of the elements as the file has it: `F32`.
    pub fn element_type(&self) -> &'r str {
        &self.stored.element_type
    }

    /// Returns the dtype of the tensor; `None` if TensorFlow has none for the type.
    pub fn dtype(&self) -> Option<DType> {
        element_of(self.stored).map(|(_, dtype)| dtype)
    }

    /// Returns the shape.
    pub fn shape(&self) -> &'r Shape {
        &self.stored.shape
    }

    /// Returns the bytes that the elements take in the file.
    pub fn byte_len(&self) -> u64 {
        self.stored.range.end - self.stored.range.start
    }

    /// Returns the path of the file, as errors show it.
    pub fn path(&self) -> &'r Path {
        &self.file.path
    }
}

impl fmt::Debug for TensorInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stored {
            name,
            element_type,
            shape,
            ..
        } = self.stored;
        write!(f, "TensorInfo({name:?} {element_type} {shape})")
    }
}

impl fmt::Debug for SafetensorsReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tensors, files) = (self.places.len(), self.files.len());
        write!(f, "SafetensorsReader({tensors} tensors, {files} files)")
    }
}
