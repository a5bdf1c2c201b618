//! The file of the program, and the fingerprint beside it.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::io::{self, Write};

use super::constants::*;
use super::saved_model::SavedModelBuilder;
use super::saved_model_options::SplitProto;
use crate::chunked::{Small, SplitOptions, Written};
use crate::error::{Error, ErrorKind, Result};
use crate::fingerprint::{Fingerprint, FingerprintRelease, fingerprint64};
use crate::store::in_file;
use crate::text;
use crate::wire::{Canonical, MapOrder};

const MESSAGE: &str = "tensorflow.SavedModel";

impl SavedModelBuilder {
    /// Writes the program and its fingerprint, in the form that the options ask for.
    pub(super) fn write_program(&self, encoded: &[u8]) -> Result<()> {
        let is_text = self.options.as_text;
        match (is_text, self.options.split_proto) {
            (true, SplitProto::Always) => {
                return Err(Error::invalid_argument(
                    "the program is to be text, and to be split: text is never split",
                ));
            }
            (true, _) | (false, SplitProto::Never) => {}
            (false, split) => {
                if self.write_split(encoded, split)? {
                    return Ok(());
                }
            }
        }
        if encoded.len() as u64 > i32::MAX as u64 {
            return Err(Error::new(ErrorKind::TooLarge {
                what: "the program".to_owned(),
                size: encoded.len() as u64,
                limit: i32::MAX as u64,
            })
            .remedy(
                "make constants of the graph variables; `split_proto` writes it in chunks, which open-source TensorFlow cannot load",
            ));
        }
        if is_text {
            self.staged.write(SAVED_MODEL_FILENAME_PBTXT, |out| {
                text::Printer::new(MESSAGE)?.print(encoded, out)
            })?;
            return Ok(());
        }
        let program = Canonical::new(encoded, MESSAGE, MapOrder::Python)?;
        // A graph for which TensorFlow computes none loads without one.
        if let Ok(fingerprint) = Fingerprint::of(encoded, FingerprintRelease::V2_21) {
            self.write_fingerprint(fingerprint)?;
        }
        self.staged
            .write(SAVED_MODEL_FILENAME_PB, |out| Ok(program.write_to(out)?))?;
        Ok(())
    }

    /// Writes the program in chunks, if it is to be; says whether it did. The hashes of a split model
    /// are those of its chunks.
    fn write_split(&self, encoded: &[u8], split: SplitProto) -> Result<bool> {
        let mut options = SplitOptions::new().small(match split {
            SplitProto::Always => Small::Write,
            _ => Small::Leave,
        });
        if let Some(bytes) = self.options.max_proto_size {
            options = options.max_size(bytes);
        }
        if options.write(encoded, self.staged.path())? == Written::NotNeeded {
            return Ok(false);
        }
        if let Ok(fingerprint) = Fingerprint::compute(self.staged.path()) {
            self.write_fingerprint(fingerprint)?;
        }
        Ok(true)
    }

    fn write_fingerprint(&self, mut fingerprint: Fingerprint) -> Result<()> {
        let index = self
            .staged
            .path()
            .join(VARIABLES_DIRECTORY)
            .join("variables.index");
        match fs::read(&index) {
            Ok(bytes) => fingerprint.checkpoint_hash = fingerprint64(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(in_file(&index)(error)),
        }
        fingerprint.uuid = self.options.uuid.clone().unwrap_or_else(random_uuid);
        self.staged.write("fingerprint.pb", |out| {
            Ok(out.write_all(&fingerprint.encode())?)
        })?;
        Ok(())
    }
}

/// Returns a random number of 128 bits, as TensorFlow writes it.
fn random_uuid() -> String {
    let word = || u128::from(RandomState::new().hash_one(std::process::id()));
    format!("{:020}", word() << 64 | word())
}
