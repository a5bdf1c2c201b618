use std::io::{self, BufWriter, Seek, Write};
use std::path::Path;

use super::writer::{StringForm, fixed_width, write_npy};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{PendingFile, disk};
use crate::tensor::Tensor;

/// How an array is saved by [`save_npy`].
///
/// ```
/// use savedmodel::numpy::{NpyOptions, StringForm};
///
/// let options = NpyOptions::default()
///     .strings(StringForm::Objects)
///     .overwrite(true);
/// ```
#[derive(Clone, Debug, Default)]
pub struct NpyOptions {
    strings: StringForm,
    overwrite: bool,
    sync: bool,
}

impl NpyOptions {
    /// Sets as what strings are written. Default: [`StringForm::FixedWidth`].
    pub fn strings(mut self, form: StringForm) -> Self {
        self.strings = form;
        self
    }

    /// Sets whether a file that is there is replaced. Default: `false`, it is an error.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Sets whether to wait until the file is on the disk. Default: `false`, as `np.save`: the
    /// tensor is still where it came from.
    pub fn sync(mut self, sync: bool) -> Self {
        self.sync = sync;
        self
    }
}

/// What small writes are gathered in.
const BUFFER: usize = 256 << 10;
/// Strings that are filled up may take so many bytes in any case,
const FILLED: u64 = 64 << 20;
/// and else so many times what they have.
const FILLED_TIMES: u64 = 16;

/// Saves a tensor as a file of numpy, and returns the length of the file in bytes.
///
/// The file is written beside its place and moved there when it is complete: no reader sees a part
/// of it. Missing directories are made. The bytes are those of [`write_npy`].
///
/// ```
/// # let directory = std::env::temp_dir().join(format!("savedmodel-npy-{}", std::process::id()));
/// use savedmodel::Tensor;
/// use savedmodel::numpy::{NpyOptions, NpyReader, save_npy};
///
/// let tensor = Tensor::from_slice([2], &[1f32, 2.])?;
/// let path = directory.join("layer/bias.npy");
/// assert_eq!(save_npy(&path, &tensor, &NpyOptions::default())?, 136);
/// assert_eq!(NpyReader::open(&path)?.tensor()?, tensor);
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// # Errors
///
/// `InvalidArgument` if there is a file already, unless it may be
/// [replaced](NpyOptions::overwrite); what [`write_npy`] answers; `TooLarge` for strings of which one
/// is so long that all the others, filled up to its length, would take more than 64 MiB and 16 times
/// what they have; `Io` as the system has it.
pub fn save_npy(path: impl AsRef<Path>, tensor: &Tensor, options: &NpyOptions) -> Result<u64> {
    let path = path.as_ref();
    let in_file = |error: io::Error| Error::from(error).in_file(path);
    refuse_existing(path, options)?;
    check_filled(tensor, options).map_err(|error| error.in_file(path))?;
    let directory = disk::parent_of(path);
    let mut grown = disk::create_directories(directory)
        .map_err(|error| Error::from(error).in_file(directory))?;
    let file = PendingFile::create(path).map_err(in_file)?;
    let mut file = BufWriter::with_capacity(BUFFER, file);
    write_npy(&mut file, tensor, options.strings).map_err(|error| error.in_file(path))?;
    let mut file = file
        .into_inner()
        .map_err(|error| in_file(error.into_error()))?;
    file.flush().map_err(in_file)?;
    let length = file.stream_position().map_err(in_file)?;
    if options.sync {
        file.sync().map_err(in_file)?;
    }
    refuse_existing(path, options)?;
    file.move_to(path).map_err(in_file)?;
    if options.sync {
        grown.push(directory.to_owned());
        for directory in grown {
            disk::sync_directory(&directory)
                .map_err(|error| Error::from(error).in_file(&directory))?;
        }
    }
    Ok(length)
}

fn refuse_existing(path: &Path, options: &NpyOptions) -> Result<()> {
    // A link that leads nowhere would be replaced as well.
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => {
            Err(Error::invalid_argument("there is a directory").in_file(path))
        }
        Ok(_) if !options.overwrite => Err(Error::invalid_argument("there is a file already")
            .in_file(path)
            .remedy("choose another name, or ask for `NpyOptions::overwrite`")),
        _ => Ok(()),
    }
}

/// Refuses strings that would be made far longer than they are.
fn check_filled(tensor: &Tensor, options: &NpyOptions) -> Result<()> {
    let Some(strings) = tensor.strings() else {
        return Ok(());
    };
    if options.strings == StringForm::Objects {
        return Ok(());
    }
    let size = (fixed_width(strings)? as u64).saturating_mul(strings.len() as u64);
    let limit = FILLED.max((strings.bytes().len() as u64).saturating_mul(FILLED_TIMES));
    match size > limit {
        true => Err(Error::new(ErrorKind::TooLarge {
            what: "the array of strings, all as wide as the longest".to_owned(),
            size,
            limit,
        })
        .remedy("write the strings as objects: `StringForm::Objects`")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::platform::TestDirectory;

    fn names(directory: &Path) -> Vec<String> {
        let files = fs::read_dir(directory).unwrap();
        files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_file_is_replaced_when_asked_and_whole() {
        let directory = TestDirectory::new("npy-file");
        let path = directory.path().join("a/b.npy");
        let (one, two) = (Tensor::scalar(1i64), Tensor::scalar(2i64));
        let options = NpyOptions::default().sync(true);
        assert_eq!(save_npy(&path, &one, &options).unwrap(), 136);
        let before = fs::read(&path).unwrap();
        let error = save_npy(&path, &two, &options).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }));
        assert_eq!(fs::read(&path).unwrap(), before);
        save_npy(&path, &two, &options.clone().overwrite(true)).unwrap();
        assert_ne!(fs::read(&path).unwrap(), before);

        let zero = Tensor::from_strings([1], ["b\0"]).unwrap();
        save_npy(&path, &zero, &options.clone().overwrite(true)).unwrap_err();
        assert_ne!(fs::read(&path).unwrap(), before);
        assert_eq!(names(path.parent().unwrap()), ["b.npy"]);
        let error = save_npy(
            directory.path().join("a"),
            &one,
            &options.clone().overwrite(true),
        )
        .unwrap_err();
        assert!(error.to_string().contains("directory"), "{error}");
    }

    #[test]
    fn one_long_string_does_not_fill_the_disk() {
        let directory = TestDirectory::new("npy-filled");
        let path = directory.path().join("strings.npy");
        let mut elements = vec![String::new(); 100_000];
        elements[7] = "x".repeat(1000);
        let tensor = Tensor::from_strings([100_000], &elements).unwrap();
        let options = NpyOptions::default();
        let error = save_npy(&path, &tensor, &options).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooLarge { .. }));
        assert!(error.help().is_some());
        assert!(names(directory.path()).is_empty());
        save_npy(&path, &tensor, &options.strings(StringForm::Objects)).unwrap();
    }
}
