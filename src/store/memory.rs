use std::collections::{BTreeMap, BTreeSet};
use std::io;

use prost::bytes::Bytes;

use super::{Blob, Store};

/// A store of named byte strings in memory.
///
/// ```
/// use savedmodel::store::{MemoryStore, Store};
///
/// let store: MemoryStore = [("m/saved_model.pb", &b"\x08\x01"[..])].into_iter().collect();
/// assert_eq!(store.open("m/saved_model.pb")?.len(), 2);
/// assert_eq!(store.list("m")?, ["saved_model.pb"]);
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    objects: BTreeMap<String, Bytes>,
}

impl MemoryStore {
    /// Makes an empty store.
    pub fn new() -> Self {
        MemoryStore::default()
    }

    /// Puts an object in, in place of one of the same name.
    pub fn insert(&mut self, name: impl Into<String>, bytes: impl Into<Bytes>) {
        self.objects.insert(name.into(), bytes.into());
    }
}

impl<N: Into<String>, B: Into<Bytes>> FromIterator<(N, B)> for MemoryStore {
    fn from_iter<I: IntoIterator<Item = (N, B)>>(objects: I) -> Self {
        MemoryStore {
            objects: objects
                .into_iter()
                .map(|(name, bytes)| (name.into(), bytes.into()))
                .collect(),
        }
    }
}

impl Store for MemoryStore {
    fn open(&self, name: &str) -> io::Result<Blob> {
        match self.objects.get(name) {
            Some(bytes) => Ok(Blob::from_bytes(bytes.clone())),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let prefix = match directory {
            "" => String::new(),
            directory => format!("{directory}/"),
        };
        let names: BTreeSet<&str> = self
            .objects
            .range(prefix.clone()..)
            .map_while(|(name, _)| name.strip_prefix(&prefix))
            .filter_map(|rest| rest.split('/').next())
            .collect();
        match names.is_empty() && !directory.is_empty() {
            true => Err(io::ErrorKind::NotFound.into()),
            false => Ok(names.into_iter().map(str::to_owned).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_what_names_imply() {
        let store: MemoryStore = [
            ("a/b", &b"1"[..]),
            ("a/c/d", b"2"),
            ("a/c/e", b"3"),
            ("f", b""),
        ]
        .into_iter()
        .collect();
        assert_eq!(store.list("").unwrap(), ["a", "f"]);
        assert_eq!(store.list("a").unwrap(), ["b", "c"]);
        assert_eq!(store.list("a/c").unwrap(), ["d", "e"]);
        assert_eq!(store.list("g").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(store.open("a").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(MemoryStore::new().list("").unwrap().is_empty());
    }
}
