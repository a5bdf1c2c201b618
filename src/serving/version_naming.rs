use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::in_file;
use super::versions::ModelVersions;
use crate::error::{Error, Result};
use crate::store::disk;

/// Which number a new version gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum VersionNaming {
    /// The one behind the highest, 1 for the first: [`ModelVersions::next_version`].
    #[default]
    Next,
    /// The seconds since 1970: [`ModelVersions::timestamp_version`].
    Timestamp,
}

/// So many numbers are tried, as by Estimator.
const TIMESTAMPS: usize = 10;
/// So many others may take the number that was to be ours.
const RACES: usize = 100;

/// Moves a finished directory to its place among the versions of a base directory, over nobody's:
/// where another version came first, this one gets another number.
pub(crate) fn move_to_version(from: &Path, base: &Path, naming: VersionNaming) -> Result<PathBuf> {
    for _ in 0..RACES {
        let versions = ModelVersions::read(base)?;
        let number = match naming {
            VersionNaming::Next => versions.next_version()?,
            VersionNaming::Timestamp => versions.timestamp_version()?,
        };
        let place = base.join(number.to_string());
        match disk::rename_new(from, &place) {
            Ok(()) => return Ok(place),
            // Systems have several words for a name that is taken.
            Err(error) if place.symlink_metadata().is_err() => return Err(in_file(&place)(error)),
            Err(_) => {}
        }
    }
    Err(in_file(base)(io::ErrorKind::AlreadyExists.into()))
}

pub(super) fn free_timestamp(versions: &ModelVersions) -> Result<i64> {
    let now = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.unwrap_or_default()
    };
    free_second(versions, now, std::thread::sleep)
}

fn free_second(
    versions: &ModelVersions,
    mut now: impl FnMut() -> Duration,
    mut sleep: impl FnMut(Duration),
) -> Result<i64> {
    for attempt in 0..TIMESTAMPS {
        if attempt > 0 {
            let into = Duration::from_nanos(now().subsec_nanos().into());
            sleep(Duration::from_secs(1).saturating_sub(into));
        }
        let number = i64::try_from(now().as_secs()).unwrap_or(i64::MAX);
        if !versions.has(number) {
            return Ok(number);
        }
    }
    Err(
        Error::invalid_argument("there are versions for these seconds already")
            .in_file(versions.base()),
    )
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;

    use super::*;
    use crate::store::platform::TestDirectory;

    #[test]
    fn a_second_that_is_taken_is_waited_out() {
        let directory = TestDirectory::new("timestamps");
        let take = |number: i64| fs::create_dir(directory.path().join(number.to_string())).unwrap();
        (1000..1003).for_each(take);
        let versions = ModelVersions::read(directory.path()).unwrap();
        let clock = Cell::new(Duration::from_millis(1_000_250));
        let sleep = |duration| clock.set(clock.get() + duration);
        let found = free_second(&versions, || clock.get(), sleep);
        assert_eq!(found.unwrap(), 1003);
        assert_eq!(clock.get(), Duration::from_secs(1003));

        (1003..1010).for_each(take);
        let versions = ModelVersions::read(directory.path()).unwrap();
        clock.set(Duration::from_secs(1000));
        assert!(free_second(&versions, || clock.get(), sleep).is_err());
    }

    #[test]
    fn nobody_is_written_over() {
        let directory = TestDirectory::new("naming");
        let base = directory.path();
        for expected in 1..4 {
            let staged = base.join("temp-x");
            fs::create_dir(&staged).unwrap();
            fs::write(staged.join("f"), expected.to_string()).unwrap();
            let place = move_to_version(&staged, base, VersionNaming::Next).unwrap();
            assert_eq!(place, base.join(expected.to_string()));
        }
        assert_eq!(fs::read(base.join("1/f")).unwrap(), b"1");
        let missing = move_to_version(&base.join("none"), base, VersionNaming::Next);
        assert!(missing.is_err());
    }

    #[test]
    fn threads_that_publish_at_once_get_a_number_each() {
        let directory = TestDirectory::new("naming");
        let base = directory.path();
        std::thread::scope(|scope| {
            for i in 0..8 {
                scope.spawn(move || {
                    let staged = base.join(format!("temp-{i}"));
                    fs::create_dir(&staged).unwrap();
                    // An empty directory may be replaced by another one.
                    fs::write(staged.join("f"), b"").unwrap();
                    move_to_version(&staged, base, VersionNaming::Next).unwrap();
                });
            }
        });
        let versions = ModelVersions::read(base).unwrap();
        let numbers = versions.versions().iter().map(|version| version.number);
        assert!(numbers.eq(1..9));
    }
}
