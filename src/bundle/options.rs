use std::path::Path;
use std::sync::Arc;
use std::thread;

use super::header::Header;
use super::locate;
use super::reader::BundleReader;
use super::shard::{Checksums, Shards};
use crate::error::{Error, Result};
use crate::store::{LocalStore, Mapping, Store};
use crate::table;

/// How a bundle is opened; [`BundleReader::options`] gives the defaults.
#[derive(Clone, Debug, Default)]
pub struct BundleOptions {
    checksums: Checksums,
    mapping: Mapping,
    threads: Option<usize>,
}

impl BundleOptions {
    /// Sets whether tensors are compared with their checksums. Default: [`Checksums::Verify`].
    pub fn checksums(mut self, checksums: Checksums) -> Self {
        self.checksums = checksums;
        self
    }

    /// Sets whether local files are mapped into memory. Default: [`Mapping::Auto`].
    pub fn mapping(mut self, mapping: Mapping) -> Self {
        self.mapping = mapping;
        self
    }

    /// Sets how many threads may work on a tensor of more than 16 MiB and in
    /// [`verify`](BundleReader::verify). Default: one for each processor. 1 keeps all work on the
    /// calling thread.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Opens the bundle of that prefix, as [`BundleReader::open`] does.
    ///
    /// # Errors
    ///
    /// As for [`BundleReader::open`].
    pub fn open(self, prefix: impl AsRef<Path>) -> Result<BundleReader> {
        let prefix = prefix.as_ref();
        let Some(name) = prefix.file_name().and_then(|name| name.to_str()) else {
            return Err(Error::invalid_argument(
                "a bundle's prefix ends with a name in Unicode, as in `variables/variables`",
            )
            .in_file(prefix));
        };
        let directory = prefix.parent().unwrap_or(Path::new(""));
        let store = LocalStore::new(directory).with_mapping(self.mapping);
        self.open_in(Arc::new(store), name)
    }

    /// Opens the bundle of that prefix in a store, as [`BundleReader::open_in`] does.
    ///
    /// # Errors
    ///
    /// As for [`BundleReader::open`].
    pub fn open_in(self, store: Arc<dyn Store>, prefix: &str) -> Result<BundleReader> {
        let index = format!("{prefix}.index");
        let index_path = store.display(&index);
        let in_index = |error: Error| error.in_file(&index_path);
        let blob = store
            .open(&index)
            .map_err(|error| in_index(locate::no_index(error, &*store, prefix)))?;
        let table = table::Reader::new(blob.clone()).map_err(|error| {
            in_index(match locate::foreign_kind(&blob) {
                Some(kind) => error.better_remedy(kind),
                None => error,
            })
        })?;
        let header = read_header(&table).map_err(in_index)?;
        let threads = self
            .threads
            .unwrap_or_else(|| thread::available_parallelism().map_or(1, std::num::NonZero::get));
        let shards = Shards::new(
            store,
            prefix.to_owned(),
            header.num_shards,
            self.checksums,
            threads,
        );
        Ok(BundleReader::new(table, header, shards, index_path))
    }
}

pub(super) fn read_header(table: &table::Reader) -> Result<Header> {
    let mut cursor = table.cursor();
    cursor.advance()?;
    match cursor.current() {
        Some((b"", value)) => Header::decode(value).map_err(|error| error.shifted(cursor.offset())),
        _ => Err(Error::malformed(
            "the table has no header under the empty key, so it is no index of a tensor bundle",
        )
        .at(0)),
    }
}
