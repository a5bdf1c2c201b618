use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::metadata::{ChunkInfo, ChunkMetadata, ChunkedField, ChunkedMessage};
use super::riegeli::RecordWriter;
use super::split::{Chunk, Chunks};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{PendingFile, disk};

/// The largest size of TensorFlow's C++ splitter, a little below what protobuf can decode.
const MAX_SIZE: u64 = (1 << 31) - 500;
/// What one message can have at most.
const MAX_BINARY: u64 = (1 << 31) - 1;
/// Small chunks share a Riegeli chunk of this size.
const BATCH: u64 = 64 << 10;

const BINARY: &str = "saved_model.pb";
const TEXT: &str = "saved_model.pbtxt";
const CHUNKED: &str = "saved_model.cpb";

/// Writes models in chunks, `saved_model.cpb`: the only form for a program above 2 GiB.
///
/// **Open-source TensorFlow cannot load such a file**, in no release so far: its loaders do not look
/// for it. Google's internal builds can, programs that link `Merger` of
/// `tensorflow/tools/proto_splitter` can, and this crate can.
///
/// ```
/// use savedmodel::SavedModel;
/// use savedmodel::chunked::{SplitOptions, Written};
///
/// # let directory = std::env::temp_dir().join(format!("savedmodel-split-{}", std::process::id()));
/// let model = SavedModel::open("tests/fixtures/keras3_saved")?;
/// // Small enough for `saved_model.pb`: nothing is written.
/// let written = SplitOptions::new().write(model.bytes()?, &directory)?;
/// assert_eq!(written, Written::NotNeeded);
///
/// let written = SplitOptions::new().max_size(4000).write(model.bytes()?, &directory)?;
/// assert!(matches!(written, Written::Split { chunks: 2.., .. }));
/// let split = SavedModel::open(&directory)?;
/// let serve = split.meta_graph(["serve"])?;
/// assert_eq!(serve.signature_keys()?, model.meta_graph(["serve"])?.signature_keys()?);
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SplitOptions {
    max_size: u64,
    small: Small,
    others: OtherForms,
    sync: bool,
}

/// Says what becomes of a model that need not be split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Small {
    /// Nothing is written: it fits `saved_model.pb`, which everybody can read.
    #[default]
    Leave,
    /// It is written all the same, as one chunk.
    Write,
}

/// Says what happens to model files of another form in the directory that is written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtherForms {
    /// Writing is refused: one of the two would be read in place of the other.
    #[default]
    Refuse,
    /// They stay.
    Keep,
    /// They are removed once the new file is in its place.
    Remove,
}

/// What [`SplitOptions::write`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Written {
    /// Nothing: the model is small enough for `saved_model.pb`.
    NotNeeded,
    /// There is a `saved_model.cpb`.
    Split {
        /// Of so many chunks.
        chunks: usize,
        /// So long.
        bytes: u64,
    },
}

impl Default for SplitOptions {
    fn default() -> Self {
        SplitOptions {
            max_size: MAX_SIZE,
            small: Small::Leave,
            others: OtherForms::Refuse,
            sync: true,
        }
    }
}

impl SplitOptions {
    /// Returns the options of TensorFlow's C++ splitter.
    pub fn new() -> Self {
        SplitOptions::default()
    }

    /// Sets from how many bytes on a model, and each part of it, is split. Default: 2^31 - 500, as
    /// in `tensorflow/tools/proto_splitter/cc/max_size.cc`.
    pub fn max_size(mut self, bytes: u64) -> Self {
        self.max_size = bytes;
        self
    }

    /// Sets what becomes of a smaller model. Default: [`Small::Leave`].
    pub fn small(mut self, small: Small) -> Self {
        self.small = small;
        self
    }

    /// Sets what happens to `saved_model.pb` and `saved_model.pbtxt` in the directory. Default:
    /// [`OtherForms::Refuse`].
    pub fn other_forms(mut self, others: OtherForms) -> Self {
        self.others = others;
        self
    }

    /// Sets whether the file is on the disk, to survive a crash of the system, when it is there.
    /// Default: it is.
    pub fn sync(mut self, sync: bool) -> Self {
        self.sync = sync;
        self
    }

    /// Splits an encoded `SavedModel` and writes `saved_model.cpb` into a directory, which is made
    /// if need be. The file appears whole, in place of an old one, or not at all.
    ///
    /// Only the graph of the first meta graph is split, by the rules of TensorFlow's C++ splitter:
    /// constants from the largest size on lose their elements, nodes and functions from a third of
    /// it on stand alone, all others are grouped. Chunks are not compressed. Memory is taken for
    /// what says where the parts of the model are, and for the elements of constants above the
    /// largest size that are not in `tensor_content`.
    ///
    /// # Errors
    ///
    /// `Unsupported` if a part that cannot be split is too large: a node that is no `Const`, the
    /// object graph; `Malformed` if the model is damaged where it was looked at; `InvalidArgument`
    /// if the directory has a model in another form; `Io`.
    pub fn write(&self, model: &[u8], directory: impl AsRef<Path>) -> Result<Written> {
        let directory = directory.as_ref();
        let is_small = (model.len() as u64) < self.max_size;
        let chunks = match (is_small, self.small) {
            (true, Small::Leave) => return Ok(Written::NotNeeded),
            (true, Small::Write) => vec![Chunk::whole(model)],
            (false, _) => Chunks::cut(model, self.max_size)?.chunks,
        };
        let place = Place {
            sync: self.sync,
            ..Place::new(directory, CHUNKED, &[BINARY, TEXT], self.others)?
        };
        let count = chunks.len();
        let total = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        let bytes = place.write(total, |file| write_chunks(file, model, chunks))?;
        Ok(Written::Split {
            chunks: count,
            bytes,
        })
    }
}

/// Writes an encoded `SavedModel` as `saved_model.pb` into a directory, which is made if need be.
/// The file appears whole and on the disk, in place of an old one, or not at all.
///
/// ```
/// use savedmodel::SavedModel;
/// use savedmodel::chunked::{OtherForms, write_binary};
///
/// # let directory = std::env::temp_dir().join(format!("savedmodel-binary-{}", std::process::id()));
/// let split = SavedModel::open("tests/vectors/chunked/models/nosig_500")?;
/// write_binary(split.bytes()?, &directory, OtherForms::Refuse)?;
/// assert_eq!(SavedModel::open(&directory)?.bytes()?, split.bytes()?);
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// # Errors
///
/// `TooLarge` for a model above 2 GiB, which protobuf cannot decode; `InvalidArgument` if the
/// directory has a model in another form; `Io`.
pub fn write_binary(model: &[u8], directory: impl AsRef<Path>, others: OtherForms) -> Result<()> {
    let len = model.len() as u64;
    if len > MAX_BINARY {
        return Err(Error::new(ErrorKind::TooLarge {
            what: "a model in one message".to_owned(),
            size: len,
            limit: MAX_BINARY,
        })
        .remedy("`SplitOptions::write` writes it in chunks"));
    }
    let place = Place::new(directory.as_ref(), BINARY, &[TEXT, CHUNKED], others)?;
    place.write(len, |mut file| {
        file.write_all(model)?;
        Ok((file, len))
    })?;
    Ok(())
}

fn write_chunks(
    file: PendingFile,
    model: &[u8],
    chunks: Vec<Chunk>,
) -> io::Result<(PendingFile, u64)> {
    let mut records = RecordWriter::new(file, BATCH)?;
    let mut metadata = ChunkMetadata {
        splitter_version: 1,
        ..ChunkMetadata::default()
    };
    metadata.message.chunk_index = Some(0);
    for (index, chunk) in chunks.into_iter().enumerate() {
        metadata.chunks.push(ChunkInfo {
            kind: chunk.kind,
            size: chunk.bytes.len(),
            offset: records.add(&chunk.bytes.parts(model))?,
        });
        if index > 0 {
            let message = ChunkedMessage {
                chunk_index: Some(index as u64),
                chunked_fields: Vec::new(),
            };
            metadata.message.chunked_fields.push(ChunkedField {
                field_tag: chunk.path,
                message,
            });
        }
    }
    records.add(&[&metadata.encode()])?;
    records.finish()
}

/// Where a model file goes.
struct Place<'a> {
    directory: &'a Path,
    path: PathBuf,
    sync: bool,
    /// The files of other forms that are to be removed.
    stale: Vec<PathBuf>,
}

impl<'a> Place<'a> {
    fn new(directory: &'a Path, name: &str, others: &[&str], policy: OtherForms) -> Result<Self> {
        let there: Vec<PathBuf> = others
            .iter()
            .map(|other| directory.join(other))
            .filter(|path| fs::symlink_metadata(path).is_ok())
            .collect();
        if let (OtherForms::Refuse, [other, ..]) = (policy, &there[..]) {
            return Err(Error::invalid_argument(
                "the directory has the model in this form, too: one would be read in place of the other",
            )
            .in_file(other)
            .remedy("`OtherForms` says what is to become of it"));
        }
        Ok(Place {
            directory,
            path: directory.join(name),
            sync: true,
            stale: if policy == OtherForms::Remove {
                there
            } else {
                Vec::new()
            },
        })
    }

    /// Writes the file, of about `len` bytes; returns how long it is.
    fn write(
        &self,
        len: u64,
        write: impl FnOnce(PendingFile) -> io::Result<(PendingFile, u64)>,
    ) -> Result<u64> {
        self.try_write(len, write)
            .map_err(|error| Error::from(error).in_file(&self.path))
    }

    fn try_write(
        &self,
        len: u64,
        write: impl FnOnce(PendingFile) -> io::Result<(PendingFile, u64)>,
    ) -> io::Result<u64> {
        disk::create_directories(self.directory)?;
        let file = PendingFile::create(&self.path)?;
        if len >= LARGE {
            file.preallocate(len)?;
        }
        let (file, len) = write(file)?;
        if self.sync {
            file.sync()?;
        }
        file.move_to(&self.path)?;
        for stale in &self.stale {
            disk::remove(stale)?;
        }
        if self.sync {
            disk::sync_directory(self.directory)?;
        }
        Ok(len)
    }
}

/// From this size on, space is reserved: a full disk is found at once.
const LARGE: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::faults::{Done, Fault, Faults};
    use crate::store::platform::TestDirectory;

    #[test]
    fn a_file_is_waited_for_unless_that_is_not_wanted() {
        for sync in [true, false] {
            let directory = TestDirectory::new("chunked-sync");
            let faults = Faults::below(directory.path(), Fault::None);
            let options = SplitOptions::new().small(Small::Write).sync(sync);
            options.write(b"", directory.path()).unwrap();
            let is_sync = |done: &Done| matches!(done, Done::Sync(_) | Done::SyncDirectory(_));
            assert_eq!(faults.done().iter().any(is_sync), sync);
        }
    }
}
