use std::io;
use std::path::{Path, PathBuf};

use super::checkpoint_state::latest_checkpoint;
use super::prefix::is_index_aside;
use super::reader::BundleReader;
use crate::error::{Error, ErrorKind, MAX_NEAR, Printable, Result, nearest};
use crate::store::{Blob, LocalStore, Store};

/// Finds the prefix of the bundle that a path means.
///
/// The path can be a SavedModel's directory, a `variables` directory, a directory of checkpoints
/// (the latest is taken, as its `checkpoint` file says), an index or data file, or a prefix.
///
/// ```
/// # let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/bundles/empty");
/// use savedmodel::bundle::locate_bundle;
///
/// let prefix = locate_bundle(vectors)?; // the only bundle in that directory
/// assert!(prefix.ends_with("b"));
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// # Errors
///
/// `NotFound` if there is no bundle, `InvalidArgument` if there are several and nothing says which,
/// and what reading the `checkpoint` file answers.
pub fn locate_bundle(path: impl AsRef<Path>) -> Result<PathBuf> {
    let path = path.as_ref();
    if with_suffix(path, ".index").is_file() {
        return Ok(path.to_owned());
    }
    if path.is_dir() {
        return locate_in(path);
    }
    if let Some(prefix) = prefix_of(path)
        && path.is_file()
    {
        return Ok(prefix);
    }
    // Also a file of another kind: opening says of which.
    Ok(path.to_owned())
}

fn locate_in(directory: &Path) -> Result<PathBuf> {
    for inside in ["variables/variables", "variables"] {
        let prefix = directory.join(inside);
        if with_suffix(&prefix, ".index").is_file() {
            return Ok(prefix);
        }
    }
    if let Some(latest) = latest_checkpoint(directory)? {
        return Ok(latest);
    }
    let mut prefixes = Vec::new();
    let files =
        std::fs::read_dir(directory).map_err(|error| Error::from(error).in_file(directory))?;
    for file in files {
        let file = file.map_err(|error| Error::from(error).in_file(directory))?;
        if let Some(name) = file.file_name().to_str()
            && let Some(name) = name.strip_suffix(".index")
        {
            prefixes.push(name.to_owned());
        }
    }
    prefixes.sort_unstable();
    match &prefixes[..] {
        [prefix] => Ok(directory.join(prefix)),
        [] => {
            let error = Error::not_found("tensor bundle").in_file(directory);
            let aside = ["", "variables"].into_iter().find_map(|inside| {
                let names = LocalStore::new(directory).list(inside).ok()?;
                names.iter().find(|name| is_index_aside(name)).cloned()
            });
            let is_model = directory.join("saved_model.pb").is_file();
            Err(match (aside, is_model) {
                (Some(aside), _) => error.remedy(put_back(&aside)),
                (None, true) => {
                    error.remedy("it is a SavedModel without `variables/variables.index`")
                }
                (None, false) => error,
            })
        }
        _ => Err(Error::invalid_argument(format!(
            "there are several tensor bundles: {}{}",
            Printable(&prefixes[..prefixes.len().min(MAX_NAMED)].join(", ")),
            if prefixes.len() > MAX_NAMED {
                ", …"
            } else {
                ""
            }
        ))
        .in_file(directory)
        .remedy("name one of them")),
    }
}

/// So many of several bundles are named: a long training leaves hundreds.
const MAX_NAMED: usize = 10;

/// Returns the prefix that an index or data file's name begins with.
fn prefix_of(file: &Path) -> Option<PathBuf> {
    let name = file.file_name()?.to_str()?;
    let prefix = name.strip_suffix(".index").or_else(|| {
        let (prefix, numbers) = name.rsplit_once(".data-")?;
        let (shard, count) = numbers.split_once("-of-")?;
        let digits = |text: &str| text.len() >= 5 && text.bytes().all(|b| b.is_ascii_digit());
        (digits(shard) && digits(count)).then_some(prefix)
    })?;
    Some(file.with_file_name(prefix))
}

fn with_suffix(prefix: &Path, suffix: &str) -> PathBuf {
    let mut name = prefix.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes of the answer to opening an index what the user should know: that it is a checkpoint of
/// the first format, or something else, or what else is there.
pub(crate) fn no_index(error: io::Error, store: &dyn Store, prefix: &str) -> Error {
    if error.kind() != io::ErrorKind::NotFound {
        return error.into();
    }
    let (directory, name) = match prefix.rsplit_once('/') {
        Some((directory, name)) => (directory, name),
        None => ("", prefix),
    };
    let names = store.list(directory).unwrap_or_default();
    let in_directory = |name: &str| match directory {
        "" => name.to_owned(),
        _ => format!("{directory}/{name}"),
    };
    let candidates = names.iter().filter(|candidate| {
        candidate
            .strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || is_v1_shard(rest))
    });
    for candidate in candidates {
        let Ok(blob) = store.open(&in_directory(candidate)) else {
            continue;
        };
        if crate::table::is_table(&blob) {
            return Error::unsupported(
                "a checkpoint of TensorFlow's first format (V1), one table without index and shards, is not supported",
            )
            .in_file(store.display(&in_directory(candidate)))
            .remedy("restore it with TensorFlow and save it again: tf.compat.v1.train.Saver writes V2");
        }
        if let Some(kind) = foreign_kind(&blob) {
            return Error::malformed("the file is no tensor bundle")
                .in_file(store.display(&in_directory(candidate)))
                .remedy(kind);
        }
    }
    let near = names
        .iter()
        .filter_map(|name| name.strip_suffix(".index"))
        .take(MAX_NEAR)
        .map(str::to_owned)
        .collect();
    let error = Error::new(ErrorKind::NotFound {
        what: "index of a tensor bundle".to_owned(),
        near,
    });
    let is_its_index = |aside: &&String| {
        is_index_aside(aside)
            && aside
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(".index."))
    };
    match names.iter().find(is_its_index) {
        Some(aside) => error.remedy(put_back(aside)),
        None => error,
    }
}

fn put_back(aside: &str) -> String {
    format!(
        "replacing a bundle was cut short, and the old one is set aside as `{}`: put it back with `bundle::recover`",
        Printable(aside)
    )
}

fn is_v1_shard(rest: &str) -> bool {
    let mut parts = rest.split('-');
    let number = |part: Option<&str>| {
        part.is_some_and(|part| part.len() == 5 && part.bytes().all(|b| b.is_ascii_digit()))
    };
    parts.next() == Some("")
        && number(parts.next())
        && parts.next() == Some("of")
        && number(parts.next())
        && parts.next().is_none()
}

/// Says what a file is that stands in the place of an index or a shard.
pub(crate) fn foreign_kind(blob: &Blob) -> Option<&'static str> {
    let head = blob.read(0, blob.len().min(64)).ok()?;
    let kinds: [(&[u8], &str); 8] = [
        (
            b"version https://git-lfs",
            "it is a Git LFS pointer, not the file itself: run `git lfs pull`",
        ),
        (b"<!DOCTYPE", "it is an HTML page: the download failed"),
        (b"<!doctype", "it is an HTML page: the download failed"),
        (b"<html", "it is an HTML page: the download failed"),
        (b"<?xml", "it is an XML document: the download failed"),
        (
            b"\x89HDF\r\n\x1a\n",
            "it is an HDF5 file, as Keras writes with the ending .h5",
        ),
        (b"PK\x03\x04", "it is a zip archive: unpack it first"),
        (b"\x1f\x8b", "it is compressed with gzip: unpack it first"),
    ];
    let text = head.trim_ascii_start();
    kinds
        .iter()
        .find(|(magic, _)| text.starts_with(magic))
        .map(|(_, kind)| *kind)
}

/// A search for near names looks at so many.
const MAX_SEARCHED: usize = 50_000;

/// Returns the names that come closest to one that is not there, best first.
pub(crate) fn near_keys(bundle: &BundleReader, key: &[u8]) -> Vec<String> {
    let names = bundle
        .entries()
        .take(MAX_SEARCHED)
        .filter_map(|item| Some(item.ok()?.0.to_string()));
    nearest(
        &String::from_utf8_lossy(key),
        names,
        "/.ATTRIBUTES/VARIABLE_VALUE",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_bundle_name_their_prefix() {
        for (file, prefix) in [
            ("m/variables.index", Some("m/variables")),
            ("m/variables.data-00000-of-00001", Some("m/variables")),
            ("ckpt-7.data-00012-of-100000", Some("ckpt-7")),
            ("m/saved_model.pb", None),
            ("m/x.data-0-of-1", None),
        ] {
            assert_eq!(
                prefix_of(Path::new(file)),
                prefix.map(PathBuf::from),
                "{file}"
            );
        }
    }

    #[test]
    fn shards_of_the_first_format() {
        assert!(is_v1_shard("-00000-of-00002"));
        for rest in [
            "",
            "-0-of-1",
            "-00000-of-00002x",
            ".data-00000-of-00001",
            "-00000-of-00002-",
        ] {
            assert!(!is_v1_shard(rest), "{rest}");
        }
    }

    #[test]
    fn other_kinds_of_files() {
        let kind = |bytes: &'static [u8]| foreign_kind(&Blob::from_bytes(bytes));
        assert!(
            kind(b"version https://git-lfs.github.com/spec/v1\n")
                .unwrap()
                .contains("LFS")
        );
        assert!(kind(b"\n  <!DOCTYPE html>").unwrap().contains("HTML"));
        assert!(kind(b"\x89HDF\r\n\x1a\n\0\0").unwrap().contains("HDF5"));
        assert_eq!(kind(b""), None);
        assert_eq!(kind(b"\0\0\x06\x08\x01"), None);
    }
}
