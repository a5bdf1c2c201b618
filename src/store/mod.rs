//! Where the bytes of a model come from: a local directory, memory, or a caller's own store.
//!
//! A [`Store`] opens named objects and lists directories. What it opens is a [`Blob`]: bytes that
//! are there already (mapped or in memory), or a length and a function that reads a range. Names
//! are relative and use `/`, whatever the machine.
//!
//! A store of one's own needs two functions:
//!
//! ```
//! use savedmodel::store::{Blob, Store};
//! use std::io;
//!
//! /// A store whose objects are fetched range by range.
//! #[derive(Debug)]
//! struct Remote;
//!
//! impl Store for Remote {
//!     fn open(&self, name: &str) -> io::Result<Blob> {
//!         let length = 1 << 20; // ask the server
//!         Ok(Blob::ranged(length, move |offset, out| {
//!             out.fill(offset as u8); // fetch `out.len()` bytes from `offset` on
//!             Ok(())
//!         }))
//!     }
//!
//!     fn list(&self, directory: &str) -> io::Result<Vec<String>> {
//!         Ok(vec!["variables.index".to_owned()])
//!     }
//! }
//!
//! let blob = Remote.open("variables.index")?;
//! assert_eq!(blob.read(7, 2)?, [7, 7][..]);
//! # Ok::<(), savedmodel::Error>(())
//! ```

mod blob;
pub(crate) mod disk;
#[cfg(test)]
pub(crate) mod faults;
mod local;
mod memory;
mod moves;
mod pending;
pub(crate) mod platform;
mod staged;

use std::fmt;
use std::io;
use std::path::PathBuf;

pub use blob::Blob;
pub use local::{LocalStore, Mapping};
pub use memory::MemoryStore;
pub(crate) use moves::{Moves, Stuck};
pub(crate) use pending::{PendingFile, random_number};
pub(crate) use staged::{StagedDirectory, in_file, refuse_occupied, write_file};

/// Opens named objects and lists directories.
pub trait Store: fmt::Debug + Send + Sync {
    /// Opens the object of that name, for instance `variables/variables.index`.
    ///
    /// # Errors
    ///
    /// `io::ErrorKind::NotFound` where there is none; anything else as it comes.
    fn open(&self, name: &str) -> io::Result<Blob>;

    /// Returns the names, without the directory, of all objects and directories directly in
    /// `directory`; the empty string is the store's own root.
    ///
    /// # Errors
    ///
    /// `io::ErrorKind::NotFound` where there is no such directory; anything else as it comes.
    fn list(&self, directory: &str) -> io::Result<Vec<String>>;

    /// Returns how messages should call the object, for instance with the directory it lies in.
    fn display(&self, name: &str) -> PathBuf {
        PathBuf::from(name)
    }
}

/// Says whether every part of a name stays inside the store: no root, no `..`, nothing empty.
pub(crate) fn stays_inside(name: &str) -> bool {
    let foreign = |c: char| c == '\0' || cfg!(windows) && matches!(c, '\\' | ':');
    !name.contains(foreign) && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn refuse_name(name: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("the name {name:?} leaves the directory it is relative to"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        for name in [
            "a",
            "variables/variables.index",
            "ü/日本",
            "..a",
            "a..",
            "a b",
        ] {
            assert!(stays_inside(name), "{name}");
        }
        for name in [
            "", "/", "/a", "a/", "a//b", "..", "a/../b", "./a", "a/.", "a\0b",
        ] {
            assert!(!stays_inside(name), "{name}");
        }
    }
}
