use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use super::in_file;
use super::versions::{IgnoredReason, ModelVersions, ServableVersion, UNFINISHED, fault_of};
use crate::error::{Error, Result};
use crate::store::disk;

impl ModelVersions {
    /// Removes old versions: all below the `keep_latest` highest that hold a model. Returns those that
    /// were removed, ascending.
    ///
    /// Each gets a name first that is no number, `temp-removed-…`, so that no server finds half a
    /// version. What is ignored stays, and so does a version without a model, which may be anything;
    /// an older one under a second name of its number goes with it. Of a symbolic link only the link
    /// is removed.
    ///
    /// ```
    /// use savedmodel::serving::ModelVersions;
    ///
    /// # let base = std::env::temp_dir().join(format!("savedmodel-prune-{}", std::process::id()));
    /// for name in ["1", "2", "3"] {
    ///     std::fs::create_dir_all(base.join(name))?;
    ///     std::fs::write(base.join(name).join("saved_model.pb"), b"")?;
    /// }
    /// let mut versions = ModelVersions::read(&base)?;
    /// let removed = versions.prune(2)?;
    /// assert_eq!(removed[0].number, 1);
    /// assert_eq!(versions.versions().len(), 2);
    /// # std::fs::remove_dir_all(base)?;
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` to keep none; `Io` as the system has it. What was removed before is gone then,
    /// and what has the name that is no number can be removed by hand.
    pub fn prune(&mut self, keep_latest: usize) -> Result<Vec<ServableVersion>> {
        if keep_latest == 0 {
            return Err(
                Error::invalid_argument("a model without versions cannot be served")
                    .in_file(self.base())
                    .remedy("keep one at least"),
            );
        }
        let sound = self.versions().iter().rev();
        let mut sound = sound.filter(|version| version.fault.is_none());
        let Some(lowest) = sound.nth(keep_latest - 1).map(|version| version.number) else {
            return Ok(Vec::new());
        };
        let second_names = self
            .ignored()
            .iter()
            .filter_map(|entry| match entry.reason {
                IgnoredReason::SameNumber(number) => Some(ServableVersion {
                    number,
                    path: entry.path.clone(),
                    fault: fault_of(&entry.path),
                }),
                _ => None,
            });
        let mut old: Vec<ServableVersion> = self.versions().to_vec();
        // A second name before the first: it must not become the version.
        old.extend(second_names);
        old.retain(|version| version.number < lowest && version.fault.is_none());
        old.sort_by(|a, b| (a.number, &a.path).cmp(&(b.number, &b.path)));
        for version in &old {
            remove_version(self.base(), &version.path)?;
        }
        if !old.is_empty() {
            disk::sync_directory(self.base()).map_err(in_file(self.base()))?;
        }
        *self = ModelVersions::read(self.base())?;
        Ok(old)
    }
}

fn remove_version(base: &Path, path: &Path) -> Result<()> {
    let mut aside = OsString::from(UNFINISHED);
    aside.push("removed-");
    aside.push(path.file_name().unwrap_or_default());
    aside.push(format!(".{}", crate::store::random_number()));
    let aside = base.join(aside);
    disk::rename_new(path, &aside).map_err(in_file(path))?;
    remove_all(&aside)
}

/// Removes what is there and all below. Links are not followed.
fn remove_all(path: &Path) -> Result<()> {
    let is_directory = path.symlink_metadata().map_err(in_file(path))?.is_dir();
    if !is_directory {
        return remove_link_or_file(path).map_err(in_file(path));
    }
    for entry in fs::read_dir(path).map_err(in_file(path))? {
        remove_all(&entry.map_err(in_file(path))?.path())?;
    }
    disk::remove_directory(path).map_err(in_file(path))
}

fn remove_link_or_file(path: &Path) -> io::Result<()> {
    match disk::remove(path) {
        // On Windows a link to a directory goes as directories do.
        Err(_) if path.is_dir() && cfg!(windows) => disk::remove_directory(path),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::platform::TestDirectory;

    fn model(base: &Path, name: &str) {
        fs::create_dir_all(base.join(name).join("variables")).unwrap();
        fs::write(base.join(name).join("saved_model.pb"), "x").unwrap();
        fs::write(base.join(name).join("variables/v"), "x").unwrap();
    }

    fn names(base: &Path) -> Vec<String> {
        let entries = fs::read_dir(base).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn prune(base: &Path, keep: usize) -> Vec<i64> {
        let mut versions = ModelVersions::read(base).unwrap();
        let removed = versions.prune(keep).unwrap();
        assert_eq!(versions, ModelVersions::read(base).unwrap());
        removed.iter().map(|version| version.number).collect()
    }

    #[test]
    fn the_latest_that_hold_a_model_stay() {
        let directory = TestDirectory::new("prune");
        let base = directory.path();
        for name in ["1", "2", "02", "3", "10", "temp-4", "notes"] {
            model(base, name);
        }
        // Nobody knows what these are.
        fs::create_dir(base.join("0")).unwrap();
        fs::create_dir(base.join("11")).unwrap();
        assert!(prune(base, 5).is_empty());
        assert_eq!(prune(base, 2), [1, 2, 2]);
        assert_eq!(names(base), ["0", "10", "11", "3", "notes", "temp-4"]);
        assert_eq!(prune(base, 1), [3]);
        assert!(prune(base, 1).is_empty());
        assert_eq!(names(base), ["0", "10", "11", "notes", "temp-4"]);
        assert!(ModelVersions::read(base).unwrap().prune(0).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn what_links_lead_to_stays() {
        let directory = TestDirectory::new("prune");
        let (base, elsewhere) = (directory.path().join("base"), directory.path().join("1"));
        model(&elsewhere, ".");
        model(&base, "2");
        model(&base, "3");
        std::os::unix::fs::symlink(&elsewhere, base.join("1")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, base.join("2/link")).unwrap();
        assert_eq!(prune(&base, 1), [1, 2]);
        assert_eq!(names(&base), ["3"]);
        assert_eq!(fs::read(elsewhere.join("variables/v")).unwrap(), b"x");
    }
}
