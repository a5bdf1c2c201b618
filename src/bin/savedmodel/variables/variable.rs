use savedmodel::bundle::Key;
use savedmodel::{BundleEntry, BundleReader, Error, Result, Tensor};

use super::Request;

/// One tensor as the index describes it, damaged or not.
pub(crate) struct Variable {
    pub(crate) key: Key,
    /// The entry as it is stored, if it could be decoded.
    pub(crate) entry: Option<BundleEntry>,
    /// The entries of the pieces of a partitioned tensor.
    pub(crate) pieces: Vec<BundleEntry>,
    /// Why it cannot be read; once it was tried, that too.
    pub(crate) fault: Option<Error>,
}

impl Variable {
    pub(crate) fn new(bundle: &BundleReader, key: Key, entry: BundleEntry) -> Self {
        let (pieces, fault) = match bundle.pieces(&key, &entry) {
            Ok(pieces) => (pieces, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        Variable {
            key,
            entry: Some(entry),
            pieces,
            fault,
        }
    }

    /// Makes one of an entry that could not even be decoded.
    ///
    /// # Errors
    ///
    /// The error, if it is not about one entry.
    pub(crate) fn undecodable(error: Error) -> Result<Self> {
        match error.key() {
            Some(key) => Ok(Variable {
                key: key.into(),
                entry: None,
                pieces: Vec::new(),
                fault: Some(error),
            }),
            None => Err(error),
        }
    }

    pub(crate) fn elements(&self) -> u64 {
        self.entry
            .as_ref()
            .map_or(0, |entry| entry.shape().elements())
    }

    /// Returns how many bytes of the shards the tensor takes.
    pub(crate) fn bytes(&self) -> u64 {
        let own = self.entry.iter().filter(|entry| !entry.is_partitioned());
        own.chain(&self.pieces)
            .map(|entry| u64::try_from(entry.size()).unwrap_or(0))
            .fold(0, u64::saturating_add)
    }

    /// Reads the values wanted of the tensor; notes why not, if they cannot be read.
    pub(crate) fn read(&mut self, request: &Request<'_>) -> Option<Tensor> {
        if self.fault.is_some() {
            return None;
        }
        match request.read(self) {
            Ok(tensor) => Some(tensor),
            Err(error) => {
                self.fault = Some(error);
                None
            }
        }
    }

    /// Returns what is wrong, in which file unless that is the index, without the key.
    pub(crate) fn reason(&self, bundle: &BundleReader) -> Option<String> {
        let error = self.fault.as_ref()?;
        let mut reason = String::new();
        if let Some(path) = error.path()
            && path != bundle.index_path()
        {
            reason.push_str(&format!("{}: ", path.display()));
            if let Some(offset) = error.offset() {
                reason.push_str(&format!("at byte {offset}: "));
            }
        }
        Some(reason + &error.kind().to_string())
    }
}
