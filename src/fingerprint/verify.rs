use std::path::Path;

use super::compute::{
    BINARY, CHUNKED, CHUNKED_PRODUCER, NO_HASHES, checkpoint_hash, open_if_there, read_if_there,
};
use super::fingerprint::{FILE, Fingerprint};
use super::hashes::ModelHashes;
use super::release::FingerprintRelease;
use crate::chunked::ChunkedProto;
use crate::error::{Error, Result};
use crate::store::{LocalStore, Store};

/// What comparing a stored fingerprint with the model beside it found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FingerprintVerification {
    /// What was compared: the hashes in the order of the message.
    pub hashes: Vec<HashComparison>,
    /// The producer in the file, which says by which rules the hashes were computed.
    pub producer: i32,
    /// The file the hashes were computed of, relative to the model's directory; `None` if none was.
    pub model_file: Option<String>,
}

/// One hash, as it is stored and as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HashComparison {
    /// The field of `FingerprintDef`.
    pub name: &'static str,
    /// What the file says.
    pub stored: u64,
    /// What it should say, if that is known.
    pub computed: Option<u64>,
    /// What follows.
    pub verdict: HashVerdict,
    /// Why there is nothing to compare with, or by which of several rules the hashes are equal.
    pub note: Option<&'static str>,
}

/// Whether a stored hash is the model's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashVerdict {
    /// It is.
    Equal,
    /// It is not: the model or the fingerprint was changed.
    Different,
    /// Nobody can say.
    NotComparable,
}

impl FingerprintVerification {
    /// Says whether all hashes that could be compared are equal, and at least one could.
    pub fn is_verified(&self) -> bool {
        !self.has(HashVerdict::Different) && self.has(HashVerdict::Equal)
    }

    /// Says whether a hash is not the model's.
    pub fn is_different(&self) -> bool {
        self.has(HashVerdict::Different)
    }

    fn has(&self, verdict: HashVerdict) -> bool {
        self.hashes.iter().any(|hash| hash.verdict == verdict)
    }
}

impl Fingerprint {
    /// Compares `fingerprint.pb` in a model's directory with the model.
    ///
    /// By which rules, the file says itself, in its producer; where one producer has had two rules,
    /// either will do. TensorFlow never compares: it loads a model whose fingerprint is another's.
    ///
    /// ```
    /// use savedmodel::Fingerprint;
    ///
    /// assert!(Fingerprint::verify("tests/fixtures/module")?.is_verified());
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound` without `fingerprint.pb`; what [`read`](Self::read) and
    /// [`compute`](Self::compute) answer.
    pub fn verify(directory: impl AsRef<Path>) -> Result<FingerprintVerification> {
        Self::verify_in(&LocalStore::new(directory.as_ref()), "")
    }

    /// Compares `fingerprint.pb` in a directory of a store with the model there; the store's root
    /// is the empty directory.
    ///
    /// # Errors
    ///
    /// As for [`verify`](Self::verify).
    pub fn verify_in(store: &dyn Store, directory: &str) -> Result<FingerprintVerification> {
        match Self::read_in(store, directory)? {
            Some(stored) => stored.compare_in(store, directory),
            None => {
                let path = store.display(directory).join(FILE);
                Err(Error::not_found("fingerprint").in_file(path))
            }
        }
    }

    /// Compares this fingerprint with the model in a directory of a store.
    ///
    /// # Errors
    ///
    /// What [`compute`](Self::compute) answers.
    pub fn compare_in(
        &self,
        store: &dyn Store,
        directory: &str,
    ) -> Result<FingerprintVerification> {
        let mut comparison = Comparison::new(self);
        if self.producer == NO_HASHES {
            comparison.note_all("TensorFlow computed no hashes of this model");
            return Ok(comparison.done());
        }
        if self.producer == CHUNKED_PRODUCER {
            self.compare_chunked(store, directory, &mut comparison)?;
        } else if let Some((model, path)) = read_if_there(store, directory, BINARY)? {
            comparison.model_file = Some(BINARY.to_owned());
            let hashes = ModelHashes::new(&model, self.producer == 0);
            let hashes = hashes.map_err(|error| error.in_file(path))?;
            comparison.of_model(&hashes);
        } else {
            comparison.note_model("the hashes are of `saved_model.pb`, and that is not there");
        }
        comparison.one(CHECKPOINT, checkpoint_hash(store, directory)?);
        Ok(comparison.done())
    }

    fn compare_chunked(
        &self,
        store: &dyn Store,
        directory: &str,
        comparison: &mut Comparison,
    ) -> Result<()> {
        match open_if_there(store, directory, CHUNKED)? {
            Some((blob, path)) => {
                comparison.model_file = Some(CHUNKED.to_owned());
                let file = ChunkedProto::open(blob);
                let hashes = file.and_then(|file| ModelHashes::of_chunked(&file));
                comparison.of_model(&hashes.map_err(|error| error.in_file(path))?);
                Ok(())
            }
            None => {
                comparison.note_model("the hashes are of `saved_model.cpb`, and that is not there");
                Ok(())
            }
        }
    }
}

/// Where the hashes stand in [`Fingerprint::hashes`].
const SAVED_MODEL: usize = 0;
const PROGRAM: usize = 1;
const SIGNATURES: usize = 2;
const OBJECT_GRAPH: usize = 3;
const CHECKPOINT: usize = 4;

/// A verification under construction.
struct Comparison {
    hashes: Vec<HashComparison>,
    producer: i32,
    model_file: Option<String>,
}

impl Comparison {
    fn new(stored: &Fingerprint) -> Self {
        let hashes = stored.hashes().map(|(name, stored)| HashComparison {
            name,
            stored,
            computed: None,
            verdict: HashVerdict::NotComparable,
            note: None,
        });
        Comparison {
            hashes: hashes.into(),
            producer: stored.producer,
            model_file: None,
        }
    }

    fn of_model(&mut self, hashes: &ModelHashes) {
        let checksum = match self.producer {
            0 => hashes.graph_def_checksum,
            _ => None,
        };
        self.one(SAVED_MODEL, checksum.unwrap_or(hashes.saved_model_checksum));
        self.one(PROGRAM, hashes.graph_def_program_hash);
        self.signatures(hashes);
        self.one(OBJECT_GRAPH, hashes.saved_object_graph_hash);
        if !hashes.object_graph_is_certain
            && let Some(hash) = self.hashes.get_mut(OBJECT_GRAPH)
        {
            hash.verdict = HashVerdict::NotComparable;
            hash.note = Some(
                "two functions end in one number, and TensorFlow hashes either of them, at random",
            );
        }
    }

    /// Of producers 0 and 1 there are files by either rule.
    fn signatures(&mut self, hashes: &ModelHashes) {
        let named = FingerprintRelease::V2_14.producer();
        self.one(SIGNATURES, hashes.signature_def_hash);
        let Some(hash) = self.hashes.get_mut(SIGNATURES) else {
            return;
        };
        let is_nameless = hash.stored == hashes.nameless_signature_def_hash
            && hash.verdict == HashVerdict::Different;
        if self.producer <= named && is_nameless {
            hash.computed = Some(hashes.nameless_signature_def_hash);
            hash.verdict = HashVerdict::Equal;
            hash.note = Some("without the names of signatures, as before TensorFlow 2.14");
        }
    }

    fn one(&mut self, index: usize, computed: u64) {
        if let Some(hash) = self.hashes.get_mut(index) {
            hash.computed = Some(computed);
            hash.verdict = match hash.stored == computed {
                true => HashVerdict::Equal,
                false => HashVerdict::Different,
            };
        }
    }

    fn note_model(&mut self, note: &'static str) {
        for hash in self.hashes.iter_mut().take(CHECKPOINT) {
            hash.note = Some(note);
        }
    }

    fn note_all(&mut self, note: &'static str) {
        for hash in &mut self.hashes {
            hash.note = Some(note);
        }
    }

    fn done(self) -> FingerprintVerification {
        FingerprintVerification {
            hashes: self.hashes,
            producer: self.producer,
            model_file: self.model_file,
        }
    }
}
