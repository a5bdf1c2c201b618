use std::fmt;
use std::io::{Read, Write};

use crate::bundle::{BundleEntry, BundleReader, Key};
#[cfg(feature = "safetensors")]
use crate::error::Printable;
use crate::error::{Error, Result};
use crate::object_graph::CheckpointGraph;
#[cfg(feature = "safetensors")]
use crate::safetensors::SafetensorsReader;
use crate::tensor::{DType, Shape, Tensor};

/// The value of a variable that is written into a model: a tensor, or where its bytes come from.
///
/// Nothing is read before the model is written, and then one value after the other, so that memory
/// is that of the largest tensor at most, and of none where bytes are streamed. Dtype and shape are
/// known before, and compared with those of the variable before anything is written.
///
/// | weights that | are |
/// |---|---|
/// | are in memory, or mapped | a [`Tensor`] |
/// | come from a file, a socket, a pipe | [`from_reader`](Self::from_reader) |
/// | are computed piece by piece | [`from_writer`](Self::from_writer) |
/// | are computed as a whole, when their turn comes | [`from_fn`](Self::from_fn) |
/// | are in a checkpoint or another model | [`from_bundle`](Self::from_bundle), [`all_from_bundle`](Self::all_from_bundle) |
/// | are in a safetensors file | `from_safetensors`, `all_from_safetensors` (feature `safetensors`) |
///
/// ```
/// # use savedmodel::builder::VariableValue;
/// # use savedmodel::{BundleReader, DType, Tensor};
/// let checkpoint = BundleReader::open("tests/fixtures/keras3_saved/variables/variables")?;
/// let mut file: &[u8] = &[0; 24];
/// let values = [
///     ("scale", VariableValue::from(Tensor::scalar(0.5f32))),
///     ("dense/kernel", VariableValue::from_bundle(&checkpoint, "_operations/1/_kernel/.ATTRIBUTES/VARIABLE_VALUE")?),
///     ("dense/bias", VariableValue::from_reader(DType::FLOAT, [6], &mut file)?),
///     ("range", VariableValue::from_writer(DType::INT64, [1000], |out| {
///         (0..1000i64).try_for_each(|i| Ok(out.write_all(&i.to_le_bytes())?))
///     })?),
/// ];
/// assert_eq!(values[1].1.shape().dims(), [4, 6]);
/// # Ok::<(), savedmodel::Error>(())
/// ```
pub struct VariableValue<'v> {
    dtype: DType,
    shape: Shape,
    pub(super) source: Source<'v>,
}

/// Where the bytes are.
pub(super) enum Source<'v> {
    Tensor(Tensor),
    Function(Box<MakeTensor<'v>>),
    Reader(Box<dyn Read + 'v>),
    Writer(Box<WriteBytes<'v>>),
    Bundle(&'v BundleReader, Key, BundleEntry),
}

type MakeTensor<'v> = dyn FnOnce() -> Result<Tensor> + 'v;
type WriteBytes<'v> = dyn FnOnce(&mut dyn Write) -> Result<()> + 'v;

impl<'v> VariableValue<'v> {
    /// Takes what a reader has: row-major, little-endian, [`DType::size`] bytes for each element. It
    /// must end behind the last.
    ///
    /// # Errors
    ///
    /// `Unsupported` for elements of no fixed size; `InvalidArgument` if `shape` is none.
    pub fn from_reader(
        dtype: DType,
        shape: impl TryInto<Shape, Error: Into<Error>>,
        reader: impl Read + 'v,
    ) -> Result<Self> {
        Self::stream(dtype, shape, Source::Reader(Box::new(reader)))
    }

    /// Takes what `write` writes, in the form of [`from_reader`](Self::from_reader).
    ///
    /// # Errors
    ///
    /// As for `from_reader`.
    pub fn from_writer(
        dtype: DType,
        shape: impl TryInto<Shape, Error: Into<Error>>,
        write: impl FnOnce(&mut dyn Write) -> Result<()> + 'v,
    ) -> Result<Self> {
        Self::stream(dtype, shape, Source::Writer(Box::new(write)))
    }

    /// Takes the tensor that `make` returns when the value is written: one that is read from elsewhere,
    /// transposed, cast. It must have that dtype and shape.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if `shape` is none.
    pub fn from_fn(
        dtype: DType,
        shape: impl TryInto<Shape, Error: Into<Error>>,
        make: impl FnOnce() -> Result<Tensor> + 'v,
    ) -> Result<Self> {
        Ok(VariableValue {
            dtype,
            shape: shape.try_into().map_err(Into::into)?,
            source: Source::Function(Box::new(make)),
        })
    }

    /// Takes a tensor of a bundle, a checkpoint or the variables of another model. Its bytes are copied
    /// as they are, as by [`BundleWriter::copy`](crate::BundleWriter::copy).
    ///
    /// # Errors
    ///
    /// As for [`BundleReader::entry`].
    pub fn from_bundle(bundle: &'v BundleReader, key: impl AsRef<[u8]>) -> Result<Self> {
        let key = Key::from(key.as_ref());
        let entry = bundle.entry(&key)?;
        Ok(Self::of_entry(bundle, key, entry))
    }

    /// Takes all tensors of a bundle, under their keys, but for the object graph that a checkpoint of
    /// TensorFlow 2 has. `map` renames them, `filter` leaves some out:
    ///
    /// ```
    /// # use savedmodel::builder::VariableValue;
    /// # use savedmodel::BundleReader;
    /// let checkpoint = BundleReader::open("tests/fixtures/ckpt_manager/ckpt-2")?;
    /// let values: Vec<_> = VariableValue::all_from_bundle(&checkpoint)?
    ///     .into_iter()
    ///     .filter_map(|(key, value)| Some((key.strip_suffix("/.ATTRIBUTES/VARIABLE_VALUE")?.to_owned(), value)))
    ///     .collect();
    /// # assert!(!values.is_empty());
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Malformed` or `ChecksumMismatch` for a damaged index; `InvalidArgument` for a key that is not
    /// UTF-8, which no variable is called.
    pub fn all_from_bundle(bundle: &'v BundleReader) -> Result<Vec<(String, Self)>> {
        let mut values = Vec::new();
        for item in bundle.entries() {
            let (key, entry) = item?;
            if *key == *CheckpointGraph::KEY.as_bytes() {
                continue;
            }
            let Some(name) = key.as_str().map(str::to_owned) else {
                let what = "the key is not UTF-8, which names of variables are";
                let error = Error::invalid_argument(what).for_key(&key);
                return Err(error.in_file(bundle.index_path()));
            };
            values.push((name, Self::of_entry(bundle, key, entry)));
        }
        Ok(values)
    }

    /// Takes a tensor of a safetensors file.
    ///
    /// # Errors
    ///
    /// `NotFound`, with the names that come closest; `Unsupported` for a type of elements that
    /// TensorFlow has not.
    #[cfg(feature = "safetensors")]
    pub fn from_safetensors(file: &'v SafetensorsReader, name: &str) -> Result<Self> {
        let info = file.info(name)?;
        let Some(dtype) = info.dtype() else {
            let element = Printable(info.element_type());
            let error = Error::unsupported(format!("TensorFlow has no type for {element}"));
            return Err(error.for_key(name.as_bytes()).in_file(info.path()));
        };
        let name = info.name();
        Self::from_fn(dtype, info.shape().clone(), move || file.tensor(name))
    }

    /// Takes all tensors of a safetensors file, under their names; `map` renames them, `filter` leaves
    /// some out.
    ///
    /// # Errors
    ///
    /// As for [`from_safetensors`](Self::from_safetensors).
    #[cfg(feature = "safetensors")]
    pub fn all_from_safetensors(file: &'v SafetensorsReader) -> Result<Vec<(String, Self)>> {
        let names = file.tensors().map(|info| info.name());
        names
            .map(|name| Ok((name.to_owned(), Self::from_safetensors(file, name)?)))
            .collect()
    }

    /// Has the value written as another floating-point dtype, rounded as by [`Tensor::cast`].
    ///
    /// # Errors
    ///
    /// `Unsupported` for bytes that are streamed.
    pub fn cast(self, dtype: DType) -> Result<Self> {
        if dtype == self.dtype {
            return Ok(self);
        }
        let make: Box<MakeTensor<'v>> = match self.source {
            Source::Tensor(tensor) => Box::new(move || Ok(tensor)),
            Source::Function(make) => {
                let (from, shape) = (self.dtype, self.shape.clone());
                Box::new(move || made(make, from, &shape))
            }
            Source::Bundle(bundle, key, entry) => Box::new(move || bundle.tensor_of(key, &entry)),
            Source::Reader(_) | Source::Writer(_) => {
                return Err(Error::unsupported("bytes that are streamed are not cast")
                    .remedy("cast them before, or use `from_fn`"));
            }
        };
        Self::from_fn(dtype, self.shape, move || make()?.cast(dtype))
    }

    /// Returns the type of its elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Returns its shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    fn stream(
        dtype: DType,
        shape: impl TryInto<Shape, Error: Into<Error>>,
        source: Source<'v>,
    ) -> Result<Self> {
        if dtype.size().is_none() {
            return Err(Error::unsupported(format!(
                "{dtype} elements have no fixed size in bytes, so they cannot be streamed"
            )));
        }
        let shape = shape.try_into().map_err(Into::into)?;
        Ok(VariableValue {
            dtype,
            shape,
            source,
        })
    }

    fn of_entry(bundle: &'v BundleReader, key: Key, entry: BundleEntry) -> Self {
        VariableValue {
            dtype: entry.dtype(),
            shape: entry.shape().clone(),
            source: Source::Bundle(bundle, key, entry),
        }
    }
}

/// Has a tensor made, and proves that it is what was promised.
pub(super) fn made(
    make: impl FnOnce() -> Result<Tensor>,
    dtype: DType,
    shape: &Shape,
) -> Result<Tensor> {
    let tensor = make()?;
    match (tensor.dtype(), tensor.shape()) == (dtype, shape) {
        true => Ok(tensor),
        false => Err(Error::invalid_argument(format!(
            "the function was to make a tensor of {dtype} {shape}, and made one of {} {}",
            tensor.dtype(),
            tensor.shape()
        ))),
    }
}

impl From<Tensor> for VariableValue<'_> {
    fn from(tensor: Tensor) -> Self {
        VariableValue {
            dtype: tensor.dtype(),
            shape: tensor.shape().clone(),
            source: Source::Tensor(tensor),
        }
    }
}

/// Shares the tensor.
impl From<&Tensor> for VariableValue<'_> {
    fn from(tensor: &Tensor) -> Self {
        tensor.clone().into()
    }
}

impl fmt::Debug for VariableValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.source {
            Source::Tensor(_) => "tensor",
            Source::Function(_) => "function",
            Source::Reader(_) => "reader",
            Source::Writer(_) => "writer",
            Source::Bundle(..) => "bundle",
        };
        write!(f, "VariableValue({} {} {source})", self.dtype, self.shape)
    }
}
