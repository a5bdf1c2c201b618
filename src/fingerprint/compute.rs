//! Fingerprints of directories.

use std::path::{Path, PathBuf};

use super::farmhash::Fingerprint64;
use super::fingerprint::Fingerprint;
use super::hashes::ModelHashes;
use super::release::FingerprintRelease;
use crate::chunked::ChunkedProto;
use crate::error::{Error, Result};
use crate::store::{Blob, LocalStore, Store};

pub(super) const BINARY: &str = "saved_model.pb";
const TEXT: &str = "saved_model.pbtxt";
pub(super) const CHUNKED: &str = "saved_model.cpb";
const INDEX: &str = "variables/variables.index";

/// What TensorFlow 2.21 writes of a model that it computes no hashes of.
pub(super) const NO_HASHES: i32 = 5;
/// What it writes of a model in chunks.
pub(super) const CHUNKED_PRODUCER: i32 = 2;

impl Fingerprint {
    /// Computes the fingerprint of the model in a directory, as TensorFlow 2.21 does.
    ///
    /// A model in chunks (`saved_model.cpb`) comes before one in a piece beside it, and has other
    /// hashes than the same model in a piece: those of its chunks.
    ///
    /// Of a model that is only there as text (`saved_model.pbtxt`) TensorFlow computes no hashes:
    /// all are 0, and the producer is 5. [`of`](Self::of) computes them of the same model's binary
    /// form.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no model. `Malformed`, with the offset, where TensorFlow cannot read
    /// the model. `Unsupported` where it can, but fails or crashes before it has a fingerprint: no
    /// meta graph, a function without a number at the end of its name, a call or a constant without
    /// the attributes that make it one. `TooLarge` beyond 2 GiB.
    pub fn compute(directory: impl AsRef<Path>) -> Result<Self> {
        let store = LocalStore::new(directory.as_ref());
        Self::compute_in(&store, "", FingerprintRelease::default())
    }

    /// Computes the fingerprint of the model in a directory of a store, by the rules of a release;
    /// the store's root is the empty directory.
    ///
    /// # Errors
    ///
    /// As for [`compute`](Self::compute).
    pub fn compute_in(
        store: &dyn Store,
        directory: &str,
        release: FingerprintRelease,
    ) -> Result<Self> {
        if let Some((blob, path)) = open_if_there(store, directory, CHUNKED)? {
            let computed = Self::of_chunked(blob, release);
            let mut computed = computed.map_err(|error| error.in_file(path))?;
            computed.checkpoint_hash = checkpoint_hash(store, directory)?;
            return Ok(computed);
        }
        let mut computed = match read_if_there(store, directory, BINARY)? {
            Some((model, path)) => {
                Self::of(&model, release).map_err(|error| error.in_file(path))?
            }
            None => Self::without_hashes(store, directory, release)?,
        };
        if computed.producer != NO_HASHES {
            computed.checkpoint_hash = checkpoint_hash(store, directory)?;
        }
        Ok(computed)
    }

    /// Computes the fingerprint of an encoded `SavedModel` without variables, by the rules of a
    /// release; `checkpoint_hash` is left 0.
    ///
    /// # Errors
    ///
    /// As for [`compute`](Self::compute), without a file.
    pub fn of(saved_model: &[u8], release: FingerprintRelease) -> Result<Self> {
        let is_first = release == FingerprintRelease::V2_11;
        let hashes = ModelHashes::new(saved_model, is_first)?;
        Ok(Self::of_hashes(&hashes, release, release.producer()))
    }

    /// Computes that of a file of chunks, which TensorFlow can since 2.15.
    fn of_chunked(blob: Blob, release: FingerprintRelease) -> Result<Self> {
        if release < FingerprintRelease::V2_14 {
            return Err(Error::unsupported(
                "before TensorFlow 2.15 there is no fingerprint of a model in chunks",
            ));
        }
        let hashes = ModelHashes::of_chunked(&ChunkedProto::open(blob)?)?;
        Ok(Self::of_hashes(&hashes, release, CHUNKED_PRODUCER))
    }

    fn of_hashes(hashes: &ModelHashes, release: FingerprintRelease, producer: i32) -> Self {
        let mut computed = Fingerprint {
            saved_model_checksum: hashes
                .graph_def_checksum
                .unwrap_or(hashes.saved_model_checksum),
            graph_def_program_hash: hashes.graph_def_program_hash,
            signature_def_hash: match release.hashes_signature_names() {
                true => hashes.signature_def_hash,
                false => hashes.nameless_signature_def_hash,
            },
            saved_object_graph_hash: hashes.saved_object_graph_hash,
            producer,
            has_version: true,
            ..Fingerprint::default()
        };
        if release >= FingerprintRelease::V2_21 {
            computed.randomize();
        }
        computed
    }

    fn without_hashes(
        store: &dyn Store,
        directory: &str,
        release: FingerprintRelease,
    ) -> Result<Self> {
        let name = join(directory, BINARY);
        if open_if_there(store, directory, TEXT)?.is_none() {
            let error = Error::not_found(format!("SavedModel (`{BINARY}`)"));
            return Err(error.in_file(store.display(&name)));
        }
        if release < FingerprintRelease::V2_21 {
            return Err(Error::unsupported(
                "before TensorFlow 2.21 there is no fingerprint of a model that is text",
            )
            .in_file(store.display(&name)));
        }
        let mut computed = Fingerprint {
            producer: NO_HASHES,
            ..Fingerprint::default()
        };
        computed.randomize();
        Ok(computed)
    }
}

/// Hashes the index of the variables; it has the checksum of each.
pub(super) fn checkpoint_hash(store: &dyn Store, directory: &str) -> Result<u64> {
    /// As much is read at a time where the file is not mapped.
    const STEP: u64 = 1 << 20;
    let Some((index, path)) = open_if_there(store, directory, INDEX)? else {
        return Ok(0);
    };
    let mut hasher = Fingerprint64::new();
    let mut offset = 0;
    while offset < index.len() {
        let len = STEP.min(index.len() - offset);
        let bytes = index.read(offset, len);
        hasher.update(&bytes.map_err(|error| error.in_file(&path))?);
        offset += len;
    }
    Ok(hasher.finish())
}

pub(super) fn read_if_there(
    store: &dyn Store,
    directory: &str,
    name: &str,
) -> Result<Option<(prost::bytes::Bytes, PathBuf)>> {
    let Some((blob, path)) = open_if_there(store, directory, name)? else {
        return Ok(None);
    };
    match blob.read(0, blob.len()) {
        Ok(bytes) => Ok(Some((bytes, path))),
        Err(error) => Err(error.in_file(path)),
    }
}

pub(super) fn open_if_there(
    store: &dyn Store,
    directory: &str,
    name: &str,
) -> Result<Option<(Blob, PathBuf)>> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    let name = join(directory, name);
    let path = store.display(&name);
    match store.open(&name) {
        Ok(blob) => Ok(Some((blob, path))),
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(None),
        Err(error) => Err(Error::from(error).in_file(path)),
    }
}

fn join(directory: &str, name: &str) -> String {
    match directory {
        "" => name.to_owned(),
        directory => format!("{}/{name}", directory.trim_end_matches('/')),
    }
}
