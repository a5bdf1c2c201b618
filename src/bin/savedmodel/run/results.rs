//! Results as text, and as files.

use std::path::{Path, PathBuf};

use savedmodel::Tensor;
use savedmodel::numpy::{ArrayText, NpyOptions, StringForm, save_npy};

use crate::failure::Failure;

/// Returns the text that numpy prints for a result.
pub(crate) fn text(tensor: &Tensor) -> Result<String, Failure> {
    Ok(ArrayText::new(tensor)?.to_string())
}

/// The directory of files of results.
pub(crate) struct OutputDirectory<'a> {
    pub(crate) directory: &'a Path,
    pub(crate) overwrite: bool,
    pub(crate) strings: StringForm,
}

impl OutputDirectory<'_> {
    /// Returns the file of an output. Parts of a key between slashes are directories; none may lead
    /// elsewhere, as keys come from the model.
    pub(crate) fn file(&self, key: &str) -> Result<PathBuf, Failure> {
        let refuse = |why: &str| {
            Failure::Usage(
                format!(
                    "output `{key}` cannot be a file below {}: {why}",
                    self.directory.display()
                )
                .into(),
            )
        };
        let mut path = self.directory.to_owned();
        let name = format!("{key}.npy");
        let mut parts = name.split('/').peekable();
        while let Some(part) = parts.next() {
            let leads_out = matches!(part, "" | "." | "..")
                || part.contains('\0')
                || cfg!(windows) && part.contains(['\\', ':']);
            if leads_out {
                return Err(refuse("the key leads out of it"));
            }
            path.push(part);
            if parts.peek().is_some() && path.is_symlink() {
                return Err(refuse(&format!(
                    "{} is a symbolic link, which may lead out of it",
                    path.display()
                )));
            }
        }
        Ok(path)
    }

    /// Returns the file of an output that may be written.
    pub(crate) fn free_file(&self, key: &str) -> Result<PathBuf, Failure> {
        let path = self.file(key)?;
        match !self.overwrite && path.symlink_metadata().is_ok() {
            true => Err(Failure::Usage(
                format!(
                    "Output file {} already exists. Add \"--overwrite\" to overwrite the existing \
                     output files.",
                    path.display()
                )
                .into(),
            )),
            false => Ok(path),
        }
    }

    /// Writes an output beside its place and moves it there; returns its file.
    pub(crate) fn save(&self, key: &str, tensor: &Tensor) -> Result<PathBuf, Failure> {
        let path = self.free_file(key)?;
        let options = NpyOptions::default()
            .overwrite(self.overwrite)
            .strings(self.strings);
        save_npy(&path, tensor, &options)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_files_below_the_directory() {
        let directory = OutputDirectory {
            directory: Path::new("out"),
            overwrite: false,
            strings: StringForm::Objects,
        };
        let file = |key| directory.file(key).map(|path| path.display().to_string());
        assert_eq!(file("y").ok().as_deref(), Some("out/y.npy"));
        assert_eq!(file("a/b c").ok().as_deref(), Some("out/a/b c.npy"));
        assert_eq!(file("..").ok().as_deref(), Some("out/...npy"));
        for key in ["../x", "/etc/x", "a/../../x", "a//b", "./x", "a\0b"] {
            let failure = directory.file(key).unwrap_err().to_string();
            assert!(failure.contains("leads out"), "{failure}");
        }
    }
}
