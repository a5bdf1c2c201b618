use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::format::Format;
use super::source::{SourceTensor, TensorSource};
use crate::bundle::{BundleWriterOptions, Key};
#[cfg(feature = "npz")]
use crate::bundle::{Durability, Existing};
use crate::error::{Error, Printable, Result};
#[cfg(feature = "npz")]
use crate::numpy::{NpzWriter, StringForm, check_array_name};
#[cfg(feature = "npz")]
use crate::output::Output;
#[cfg(feature = "safetensors")]
use crate::safetensors::SafetensorsWriter;
use crate::tensor::{DType, Shape, Tensor};

/// So many tensors are named that cannot be written.
const MAX_NAMED: usize = 5;

/// Tensors of a source that are to be written, in what order, under what names and as what dtypes.
///
/// Begins with all tensors as they are. What cannot be written to a format is refused before there
/// is a file, each tensor by name; [`leave_out`](Self::leave_out) removes it instead.
///
/// ```
/// # let directory = std::env::temp_dir().join(format!("savedmodel-conversion-{}", std::process::id()));
/// # let prefix = directory.join("ckpt-1");
/// use savedmodel::exchange::{Conversion, Format};
/// use savedmodel::{BundleReader, BundleWriter};
///
/// let bundle = BundleReader::open("tests/fixtures/ckpt_manager/ckpt-2")?;
/// let mut conversion = Conversion::new(&bundle)?;
/// conversion.on_progress(|progress| println!("{} of {} bytes", progress.done, progress.total));
/// for left in conversion.leave_out(Format::Safetensors) {
///     println!("{} is {} and stays behind", left.key(), left.stored_type());
/// }
/// conversion.write_bundle(&prefix, BundleWriter::options())?;
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), savedmodel::Error>(())
/// ```
pub struct Conversion<'s> {
    source: &'s dyn TensorSource,
    tensors: Vec<Converted>,
    on_progress: Option<Report<'s>>,
}

type Report<'s> = Box<dyn FnMut(Progress<'_>) + 's>;

/// One tensor of a conversion.
#[derive(Clone, Debug)]
pub struct Converted {
    source: SourceTensor,
    key: Key,
    dtype: Option<DType>,
}

/// How far a conversion has come.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress<'c> {
    /// The tensor that was written.
    pub tensor: &'c Converted,
    /// The bytes of this one and all before it. Those of strings are not counted.
    pub done: u64,
    /// The bytes of all.
    pub total: u64,
}

impl Converted {
    /// Returns the name in the source.
    pub fn source_key(&self) -> &Key {
        &self.source.key
    }

    /// Returns the name under which it is written.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Returns the dtype as which it is written; `None` if the source has something that TensorFlow
    /// has not.
    pub fn dtype(&self) -> Option<DType> {
        self.dtype
    }

    /// Returns the type of the elements in the words of the source.
    pub fn stored_type(&self) -> &str {
        &self.source.stored_type
    }

    /// Returns the shape.
    pub fn shape(&self) -> &Shape {
        &self.source.shape
    }

    /// Returns the bytes of the elements as they are written; 0 where their size is not fixed.
    pub fn byte_len(&self) -> u64 {
        let size = self.dtype.and_then(DType::size).unwrap_or(0);
        self.shape().elements().saturating_mul(size as u64)
    }

    fn can_be_in(&self, format: Format) -> bool {
        self.dtype.is_some_and(|dtype| format.supports(dtype))
    }
}

impl<'s> Conversion<'s> {
    /// Makes a conversion of all tensors of a source.
    ///
    /// # Errors
    ///
    /// What listing them answers.
    pub fn new(source: &'s dyn TensorSource) -> Result<Self> {
        let tensors = source.list()?.into_iter().map(|tensor| Converted {
            key: tensor.key.clone(),
            dtype: tensor.dtype,
            source: tensor,
        });
        Ok(Conversion {
            source,
            tensors: tensors.collect(),
            on_progress: None,
        })
    }

    /// Returns the tensors, in the order in which a bundle or an archive has them.
    pub fn tensors(&self) -> &[Converted] {
        &self.tensors
    }

    /// Keeps only the tensors for which `keep` says so.
    pub fn retain(&mut self, keep: impl FnMut(&Converted) -> bool) {
        self.tensors.retain(keep);
    }

    /// Removes the tensors that cannot be written to a format, as the strings among a checkpoint's
    /// tensors that the safetensors format has no type for; returns them.
    pub fn leave_out(&mut self, format: Format) -> Vec<Converted> {
        let can_be = |tensor: &mut Converted| !tensor.can_be_in(format);
        self.tensors.extract_if(.., can_be).collect()
    }

    /// Gives every tensor the name that `name` says, and sorts them by it.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if two would have the same name. Nothing is changed then.
    pub fn rename<K: AsRef<[u8]>>(&mut self, mut name: impl FnMut(&Converted) -> K) -> Result<()> {
        let mut renamed: BTreeMap<Key, &Converted> = BTreeMap::new();
        for tensor in &self.tensors {
            let key = Key::from(name(tensor).as_ref());
            if let Some(other) = renamed.insert(key.clone(), tensor) {
                return Err(Error::invalid_argument(format!(
                    "`{}` and `{}` would both have this name",
                    other.source_key(),
                    tensor.source_key()
                ))
                .for_key(&key));
            }
        }
        let renamed = renamed.into_iter().map(|(key, tensor)| Converted {
            key,
            ..tensor.clone()
        });
        self.tensors = renamed.collect();
        Ok(())
    }

    /// Has every tensor of a floating-point dtype written as `dtype`; others stay as they are.
    /// Rounding is that of [`Tensor::cast`].
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if `dtype` is not a floating-point one.
    pub fn cast(&mut self, dtype: DType) -> Result<()> {
        if !dtype.is_floating() || dtype.is_ref() {
            return Err(Error::invalid_argument(format!(
                "cannot cast to {dtype}: it is not a floating-point dtype"
            )));
        }
        for tensor in &mut self.tensors {
            if tensor.dtype.is_some_and(DType::is_floating) {
                tensor.dtype = Some(dtype);
            }
        }
        Ok(())
    }

    /// Has `report` called after each tensor that is written.
    pub fn on_progress(&mut self, report: impl FnMut(Progress<'_>) + 's) {
        self.on_progress = Some(Box::new(report));
    }

    /// Writes a tensor bundle.
    ///
    /// # Errors
    ///
    /// `Unsupported` for tensors that a bundle cannot hold, by name; what reading the source and
    /// [`BundleWriter`](crate::BundleWriter) answer.
    pub fn write_bundle(
        &mut self,
        prefix: impl AsRef<Path>,
        options: BundleWriterOptions,
    ) -> Result<()> {
        self.check(Format::Bundle)?;
        let mut bundle = options.create(prefix)?;
        self.for_each(|key, tensor| bundle.add(key, &tensor))?;
        bundle.finish()
    }

    /// Writes a file of the safetensors format, or several, as the writer says.
    ///
    /// # Errors
    ///
    /// `Unsupported` for tensors that the format cannot hold, by name; `InvalidArgument` for a key
    /// that is not UTF-8; what reading the source and [`SafetensorsWriter`] answer.
    #[cfg(feature = "safetensors")]
    pub fn write_safetensors(
        &mut self,
        path: impl AsRef<Path>,
        mut writer: SafetensorsWriter,
    ) -> Result<()> {
        self.check(Format::Safetensors)?;
        let mut by_name = BTreeMap::new();
        for (number, tensor) in self.tensors.iter().enumerate() {
            let name = name_of(&tensor.key)?;
            writer.declare(name, tensor.dtype.unwrap_or_default(), tensor.shape())?;
            by_name.insert(name.to_owned(), number);
        }
        let mut steps = self.steps();
        writer.write(path, |name| match by_name.get(name) {
            Some(number) => steps.tensor(*number),
            None => Err(Error::not_found("tensor")),
        })?;
        steps.end();
        Ok(())
    }

    /// Writes an archive of numpy's arrays, which appears when it is complete. STRING tensors become
    /// what `strings` says.
    ///
    /// # Errors
    ///
    /// `Unsupported` for tensors that numpy has not, by name; `InvalidArgument` for a key that is
    /// not UTF-8 or that no archive should have, and if there is a file already that is to stay; what reading the source and
    /// [`NpzWriter`] answer. There is no file then.
    #[cfg(feature = "npz")]
    pub fn write_npz(
        &mut self,
        path: impl AsRef<Path>,
        strings: StringForm,
        existing: Existing,
        durability: Durability,
    ) -> Result<()> {
        self.check(Format::Npz)?;
        for tensor in &self.tensors {
            check_array_name(name_of(&tensor.key)?)?;
        }
        let mut output = Output::new(existing, durability);
        let size = self.total();
        output.write(path.as_ref(), size, |file| {
            let mut archive = NpzWriter::new(file).with_strings(strings);
            self.for_each(|key, tensor| archive.add(name_of(key)?, &tensor))?;
            archive.finish().map(|_| ())
        })?;
        output.finish()
    }

    /// Refuses tensors that a format cannot hold.
    fn check(&self, format: Format) -> Result<()> {
        let refused: Vec<&Converted> = self
            .tensors
            .iter()
            .filter(|tensor| !tensor.can_be_in(format))
            .collect();
        let named: Vec<String> = refused
            .iter()
            .take(MAX_NAMED)
            .map(|tensor| {
                let dtype = tensor.dtype.map(|dtype| dtype.to_string());
                let name = dtype.unwrap_or_else(|| tensor.stored_type().to_owned());
                format!("`{}` ({})", tensor.source_key(), Printable(&name))
            })
            .collect();
        let Some(first) = refused.first() else {
            return Ok(());
        };
        let more = match refused.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Err(
            Error::unsupported(format!("{format} cannot hold {}{more}", named.join(", ")))
                .for_key(first.source_key())
                .remedy("leave them out"),
        )
    }

    fn for_each(&mut self, mut write: impl FnMut(&Key, Tensor) -> Result<()>) -> Result<()> {
        let mut steps = self.steps();
        for (number, wanted) in steps.tensors.iter().enumerate() {
            let tensor = steps.tensor(number)?;
            write(&wanted.key, tensor).map_err(|error| error.for_key(&wanted.key))?;
        }
        steps.end();
        Ok(())
    }

    fn total(&self) -> u64 {
        self.tensors
            .iter()
            .fold(0, |sum, tensor| sum.saturating_add(tensor.byte_len()))
    }

    fn steps(&mut self) -> Steps<'_, 's> {
        Steps {
            total: self.total(),
            source: self.source,
            tensors: &self.tensors,
            on_progress: &mut self.on_progress,
            last: None,
            done: 0,
        }
    }
}

/// The tensors of a conversion as they are written, one by one.
struct Steps<'c, 's> {
    source: &'s dyn TensorSource,
    tensors: &'c [Converted],
    on_progress: &'c mut Option<Report<'s>>,
    /// The tensor that is being written.
    last: Option<usize>,
    done: u64,
    total: u64,
}

impl Steps<'_, '_> {
    /// Reads the next one. Whoever asks has written the one before it.
    fn tensor(&mut self, number: usize) -> Result<Tensor> {
        self.end();
        let Some(wanted) = self.tensors.get(number) else {
            return Err(Error::not_found("tensor"));
        };
        self.last = Some(number);
        let tensor = self.source.tensor(wanted.source_key())?;
        match wanted.dtype {
            Some(dtype) if dtype != tensor.dtype() => tensor
                .cast(dtype)
                .map_err(|error| error.for_key(wanted.source_key())),
            _ => Ok(tensor),
        }
    }

    /// Reports the tensor that was written.
    fn end(&mut self) {
        let Some(tensor) = self.last.take().and_then(|last| self.tensors.get(last)) else {
            return;
        };
        self.done = self.done.saturating_add(tensor.byte_len());
        if let Some(report) = self.on_progress {
            report(Progress {
                tensor,
                done: self.done,
                total: self.total,
            });
        }
    }
}

#[cfg(any(feature = "npz", feature = "safetensors"))]
fn name_of(key: &Key) -> Result<&str> {
    key.as_str().ok_or_else(|| {
        Error::invalid_argument("the key is not UTF-8, which names of that format are")
            .for_key(key)
            .remedy("give it another name")
    })
}

impl fmt::Debug for Conversion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversion")
            .field("tensors", &self.tensors)
            .finish_non_exhaustive()
    }
}
