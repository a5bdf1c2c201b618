use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};
use crate::store::{LocalStore, PendingFile, Store};
use crate::wire::{Message, Value, varint};

/// The file in a model's directory.
pub(super) const FILE: &str = "fingerprint.pb";

/// The identity of a model: hashes of its parts, as in the file `fingerprint.pb`.
///
/// [`read`](Self::read) returns what a file says, [`compute`](Self::compute) what it should say,
/// and [`verify`](Self::verify) whether they agree.
///
/// ```
/// use savedmodel::Fingerprint;
///
/// let stored = Fingerprint::read("tests/fixtures/keras3_saved")?.unwrap();
/// let computed = Fingerprint::compute("tests/fixtures/keras3_saved")?;
/// assert_eq!(stored, computed);
/// println!("{}", stored.singleprint());
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// Two are equal if their five hashes are, as in Python. The message is `FingerprintDef` of
/// `tensorflow/core/protobuf/fingerprint.proto`.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Fingerprint {
    /// The hash of the whole model, which differs from save to save. TensorFlow 2.11 has that of
    /// the first meta graph's graph here.
    pub saved_model_checksum: u64,
    /// The hash of the first meta graph's graph, without the names and options that differ from
    /// save to save, and without its functions.
    pub graph_def_program_hash: u64,
    /// The hash of the first meta graph's signatures; 0 if it has none.
    pub signature_def_hash: u64,
    /// The hash of the first meta graph's functions that objects refer to; 0 if it has none.
    pub saved_object_graph_hash: u64,
    /// The hash of `variables/variables.index`; 0 if there is none.
    pub checkpoint_hash: u64,
    /// Which rules the hashes follow: 0 and 1 in TensorFlow 2.11 to 2.20, 4 from 2.21 on, 2 for a
    /// model in chunks, 5 for one that TensorFlow 2.21 computes no hashes of.
    pub producer: i32,
    /// A random number in decimal, of this save alone; empty before TensorFlow 2.19.
    pub uuid: String,
    /// Fields that this version does not know, as they stand in the file.
    pub(super) unknown: Vec<u8>,
    /// The same of the field `version`.
    pub(super) version_rest: Vec<u8>,
    /// Whether there is a `version`, which may be empty.
    pub(super) has_version: bool,
}

/// The fields of `FingerprintDef`.
mod field {
    pub(super) const VERSION: u32 = 6;
    pub(super) const UUID: u32 = 7;
    /// Of the `VersionDef`.
    pub(super) const PRODUCER: u32 = 1;
}

impl Fingerprint {
    /// Reads `fingerprint.pb` in a model's directory; `None` if there is none, as in models of
    /// TensorFlow before 2.11 and of its builder for version 1.
    ///
    /// # Errors
    ///
    /// `Malformed` if the file is damaged, `Io`.
    pub fn read(directory: impl AsRef<Path>) -> Result<Option<Self>> {
        Self::read_in(&LocalStore::new(directory.as_ref()), "")
    }

    /// Reads `fingerprint.pb` in a directory of a store; the store's root is the empty directory.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn read_in(store: &dyn Store, directory: &str) -> Result<Option<Self>> {
        let Some((blob, path)) = super::compute::open_if_there(store, directory, FILE)? else {
            return Ok(None);
        };
        let bytes = blob.read(0, blob.len());
        let read = bytes.and_then(|bytes| Fingerprint::decode(&bytes));
        read.map(Some).map_err(|error| error.in_file(path))
    }

    /// Decodes a `FingerprintDef`.
    ///
    /// # Errors
    ///
    /// `Malformed`, with the offset, if it is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut decoded = Fingerprint::default();
        for field in Message::new(bytes).fields() {
            let field = field?;
            match (field.number(), field.value()) {
                (1, Value::Varint(value)) => decoded.saved_model_checksum = value,
                (2, Value::Varint(value)) => decoded.graph_def_program_hash = value,
                (3, Value::Varint(value)) => decoded.signature_def_hash = value,
                (4, Value::Varint(value)) => decoded.saved_object_graph_hash = value,
                (5, Value::Varint(value)) => decoded.checkpoint_hash = value,
                (field::VERSION, Value::Bytes(version)) => {
                    decoded.has_version = true;
                    for inner in Message::at(version, field.offset()).fields() {
                        let inner = inner?;
                        match (inner.number(), inner.value()) {
                            (field::PRODUCER, Value::Varint(value)) => {
                                decoded.producer = value as i32;
                            }
                            _ => decoded.version_rest.extend_from_slice(inner.raw()),
                        }
                    }
                }
                (field::UUID, Value::Bytes(uuid)) => {
                    let text = std::str::from_utf8(uuid).map_err(|_| {
                        Error::malformed("the uuid is not UTF-8").at(field.offset())
                    })?;
                    decoded.uuid = text.to_owned();
                }
                _ => decoded.unknown.extend_from_slice(field.raw()),
            }
        }
        Ok(decoded)
    }

    /// Encodes a `FingerprintDef`, with whatever was decoded and is not understood.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, (_, hash)) in (1..).zip(self.hashes()) {
            write_varint(&mut out, number, hash);
        }
        if self.has_version || self.producer != 0 {
            let mut version = Vec::new();
            write_varint(
                &mut version,
                field::PRODUCER,
                i64::from(self.producer) as u64,
            );
            version.extend_from_slice(&self.version_rest);
            write_bytes(&mut out, field::VERSION, &version);
        }
        if !self.uuid.is_empty() {
            write_bytes(&mut out, field::UUID, self.uuid.as_bytes());
        }
        out.extend_from_slice(&self.unknown);
        out
    }

    /// Writes `fingerprint.pb` into a model's directory: beside its place first, then moved there,
    /// so that it is never there in part.
    ///
    /// # Errors
    ///
    /// `NotFound` without the directory, `Io`.
    pub fn write(&self, directory: impl AsRef<Path>) -> Result<()> {
        let path = directory.as_ref().join(FILE);
        let written = PendingFile::create(&path).and_then(|mut file| {
            file.write_all(&self.encode())?;
            file.sync()?;
            file.move_to(&path)
        });
        written.map_err(|error| Error::from(error).in_file(path))
    }

    /// Returns the five hashes with their names, in the order of the message.
    pub fn hashes(&self) -> [(&'static str, u64); 5] {
        [
            ("saved_model_checksum", self.saved_model_checksum),
            ("graph_def_program_hash", self.graph_def_program_hash),
            ("signature_def_hash", self.signature_def_hash),
            ("saved_object_graph_hash", self.saved_object_graph_hash),
            ("checkpoint_hash", self.checkpoint_hash),
        ]
    }

    /// Returns the four hashes that stay the same when a model is saved again, in decimal and
    /// joined by `/`: a name for what the model computes.
    ///
    /// ```
    /// assert_eq!(savedmodel::Fingerprint::default().singleprint(), "0/0/0/0");
    /// ```
    ///
    /// It is what `Fingerprint.singleprint()` returns in Python, and
    /// `tensorflow/cc/saved_model/fingerprinting.cc` in C++.
    pub fn singleprint(&self) -> String {
        format!(
            "{}/{}/{}/{}",
            self.graph_def_program_hash,
            self.signature_def_hash,
            self.saved_object_graph_hash,
            self.checkpoint_hash
        )
    }

    /// Gives the fingerprint a new identifier: 128 random bits in decimal, at least 20 digits.
    pub(super) fn randomize(&mut self) {
        // Each `RandomState` has keys of its own, and those come from the operating system.
        let [high, low] = [1, 2].map(|word| RandomState::new().hash_one(word));
        let number = u128::from(high) << 64 | u128::from(low);
        self.uuid = format!("{number:020}");
    }
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        self.hashes() == other.hashes()
    }
}

impl Eq for Fingerprint {}

/// Shows what `str()` of TensorFlow's own class shows.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SavedModel Fingerprint")?;
        for (name, hash) in self.hashes() {
            write!(f, "\n  {name}: {hash}")?;
        }
        Ok(())
    }
}

fn write_varint(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        varint::write_u64(out, u64::from(number) << 3);
        varint::write_u64(out, value);
    }
}

fn write_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    varint::write_u64(out, u64::from(number) << 3 | 2);
    varint::write_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_survives() {
        let bytes = [
            0x08, 0x05, // saved_model_checksum: 5
            0x32, 0x04, 0x08, 0x04, 0x10, 0x09, // version { producer: 4 min_consumer: 9 }
            0x3a, 0x01, b'7', // uuid
            0x42, 0x02, b'h', b'i', // 8: unknown
        ];
        let fingerprint = Fingerprint::decode(&bytes).unwrap();
        assert_eq!(fingerprint.saved_model_checksum, 5);
        assert_eq!((fingerprint.producer, &fingerprint.uuid[..]), (4, "7"));
        assert_eq!(fingerprint.encode(), bytes);
        assert!(Fingerprint::decode(&[]).unwrap().encode().is_empty());
        assert_eq!(Fingerprint::decode(&[0x32, 0]).unwrap().encode(), [0x32, 0]);
    }

    #[test]
    fn damage_has_its_byte() {
        for (bytes, offset) in [
            (&[0x08][..], 0),
            (&[0x08, 1, 0x3a, 1, 0xff], 2),
            (&[0x08, 1, 0x32, 1, 0x08], 2),
        ] {
            let error = Fingerprint::decode(bytes).unwrap_err();
            assert_eq!(error.offset(), Some(offset), "{error}");
        }
    }

    #[test]
    fn text_is_that_of_python() {
        let fingerprint = Fingerprint {
            saved_model_checksum: 1,
            checkpoint_hash: u64::MAX,
            ..Fingerprint::default()
        };
        assert_eq!(fingerprint.singleprint(), "0/0/0/18446744073709551615");
        assert_eq!(
            fingerprint.to_string(),
            "SavedModel Fingerprint\n  saved_model_checksum: 1\n  graph_def_program_hash: 0\n  \
             signature_def_hash: 0\n  saved_object_graph_hash: 0\n  checkpoint_hash: \
             18446744073709551615"
        );
    }

    #[test]
    fn identifiers_differ() {
        let [mut a, mut b] = [Fingerprint::default(), Fingerprint::default()];
        a.randomize();
        b.randomize();
        assert_ne!(a.uuid, b.uuid);
        assert!(a.uuid.len() >= 20 && a.uuid.parse::<u128>().is_ok());
        assert_eq!(a, b, "no hash");
    }
}
