use std::fmt;
use std::io::Write;

use super::npz_reader::SUFFIX;
use super::writer::{StringForm, write_npy};
use crate::error::Result;
use crate::tensor::Tensor;
use crate::zip::{self, ArchiveWriter};

/// Writes a `.npz` file: arrays in a zip archive, not compressed, as `np.savez` does.
///
/// An array goes out as it is added, straight from the tensor's bytes; memory is the archive's
/// directory. The target need not be a file: each array is summed before it is written, so nothing
/// is put right later. The elements of each begin at a multiple of 64 bytes, so that a map of the
/// file has them aligned. The same arrays in the same order are the same bytes.
///
/// ```
/// # let path = std::env::temp_dir().join(format!("savedmodel-npz-{}.npz", std::process::id()));
/// use std::fs::File;
/// use std::io::BufWriter;
/// use savedmodel::numpy::{NpzReader, NpzWriter};
/// use savedmodel::Tensor;
///
/// let mut writer = NpzWriter::new(BufWriter::new(File::create(&path)?));
/// writer.add("kernel", &Tensor::from_slice([2, 2], &[1f32, 2., 3., 4.])?)?;
/// writer.add("names", &Tensor::from_strings([2], ["hello", "wo"])?)?;
/// writer.finish()?.into_inner().map_err(|error| error.into_error())?;
/// assert_eq!(NpzReader::open(&path)?.names().len(), 2);
/// # std::fs::remove_file(path)?;
/// # Ok::<(), savedmodel::Error>(())
/// ```
pub struct NpzWriter<W> {
    archive: ArchiveWriter<W>,
    strings: StringForm,
}

impl<W: Write> NpzWriter<W> {
    /// Writes an archive to `target`, which is at its beginning.
    pub fn new(target: W) -> Self {
        NpzWriter {
            archive: ArchiveWriter::new(target),
            strings: StringForm::default(),
        }
    }

    /// Sets as what STRING tensors are written. Default: [`StringForm::FixedWidth`].
    pub fn with_strings(mut self, strings: StringForm) -> Self {
        self.strings = strings;
        self
    }

    /// Writes a tensor as the member `NAME.npy`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the name was there before or is one under which some would unpack the
    /// member outside of their directory (with empty parts, `.`, `..`, backslashes, zero bytes), and
    /// what [`write_npy`] answers: nothing was written then. `Io` is what the target says; the
    /// archive cannot go on after it.
    pub fn add(&mut self, name: &str, tensor: &Tensor) -> Result<()> {
        let member = member_name(name);
        let strings = self.strings;
        self.archive
            .add(&member, |mut target| {
                write_npy(&mut target, tensor, strings)
            })
            .map_err(|error| error.for_key(name.as_bytes()))
    }

    /// Completes the archive; returns the target, not flushed.
    ///
    /// # Errors
    ///
    /// `Io` as the target has it.
    pub fn finish(self) -> Result<W> {
        Ok(self.archive.finish()?)
    }
}

/// Refuses a name that [`NpzWriter::add`] would.
pub(crate) fn check_array_name(name: &str) -> Result<()> {
    zip::check_name(&member_name(name)).map_err(|error| error.for_key(name.as_bytes()))
}

fn member_name(name: &str) -> String {
    format!("{name}{SUFFIX}")
}

impl<W> fmt::Debug for NpzWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NpzWriter").finish_non_exhaustive()
    }
}
