use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::load::{self, Format, SAVED_MODEL};
use super::saved_model::SavedModel;
use crate::bundle::{Durability, Existing};
use crate::chunked::{OtherForms, Small, SplitOptions, Written};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{StagedDirectory, disk, in_file, write_file};
use crate::text::{Printer, UnknownFields};
use crate::wire::{Canonical, MapOrder};

impl SavedModel {
    /// Copies the model to a directory, its program in that form, all else as it is.
    ///
    /// ```
    /// use savedmodel::SavedModel;
    /// use savedmodel::model::Format;
    ///
    /// # let directory = std::env::temp_dir().join(format!("savedmodel-save-as-{}", std::process::id()));
    /// let model = SavedModel::open("tests/fixtures/keras3_saved")?;
    /// model.save_as(directory.join("text"), Format::Text)?;
    ///
    /// let text = SavedModel::open(directory.join("text"))?;
    /// assert_eq!(text.format(), Format::Text);
    /// text.save_as(directory.join("binary"), Format::Binary)?;
    /// assert_eq!(SavedModel::open(directory.join("binary"))?.bytes()?, model.bytes()?);
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`ModelCopy::write`].
    pub fn save_as(&self, directory: impl AsRef<Path>, format: Format) -> Result<CopiedModel> {
        ModelCopy::new(self).format(format).write(directory)
    }
}

/// Writes a model again: its program in the same form or in another one, all else byte for byte.
///
/// All else is every file and directory, known or not: variables, assets, `assets.extra`, `debug`,
/// `fingerprint.pb`, `keras_metadata.pb`. Hashes in the fingerprint are those of the program
/// whatever its form is.
///
/// | from | to | the program |
/// |---|---|---|
/// | any | the same | is the same file, byte for byte |
/// | any | `saved_model.pb` | is encoded in the order in which TensorFlow writes since 2.12: a file that came from there, went through other forms and back is the same, byte for byte |
/// | any | `saved_model.pbtxt` | is printed as TensorFlow prints it; unknown fields, which text cannot carry, are refused |
/// | any | `saved_model.cpb` | is one chunk, or split as TensorFlow's splitter does from 2 GiB on: what was really split means the same when it is merged, in other bytes |
///
/// ```
/// use savedmodel::SavedModel;
/// use savedmodel::model::{Format, ModelCopy};
/// use savedmodel::text::UnknownFields;
///
/// # let directory = std::env::temp_dir().join(format!("savedmodel-copy-{}", std::process::id()));
/// let model = SavedModel::open("tests/fixtures/vocabulary")?;
/// let copied = ModelCopy::new(&model)
///     .format(Format::Text)
///     .unknown_fields(UnknownFields::Drop)
///     .write(&directory)?;
/// assert_eq!(copied.program, directory.join("saved_model.pbtxt"));
/// assert!(copied.files > 1);
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), savedmodel::Error>(())
/// ```
pub struct ModelCopy<'m> {
    model: &'m SavedModel,
    format: Format,
    unknown: UnknownFields,
    max_chunk_size: Option<u64>,
    durability: Durability,
    existing: Existing,
    others: OtherForms,
    on_progress: Option<Report<'m>>,
}

type Report<'m> = Box<dyn FnMut(CopyProgress<'_>) + 'm>;

/// How far the copy of a model has come.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CopyProgress<'c> {
    /// The file that is being written, relative to the model's directory.
    pub file: &'c str,
    /// The bytes that were copied.
    pub done: u64,
    /// The bytes of all files but the program, which comes last.
    pub total: u64,
}

/// What [`ModelCopy::write`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopiedModel {
    /// The model file.
    pub program: PathBuf,
    /// Its form.
    pub format: Format,
    /// Its length in bytes.
    pub program_bytes: u64,
    /// How many other files were copied; none within one directory.
    pub files: u64,
    /// How long they are together.
    pub file_bytes: u64,
    /// Forms of the program that the source has besides, and that were not copied or were removed:
    /// they may have said something else.
    pub left_out: Vec<Format>,
}

impl<'m> ModelCopy<'m> {
    /// Begins a copy of a model, in the form that it has.
    pub fn new(model: &'m SavedModel) -> Self {
        ModelCopy {
            model,
            format: model.format(),
            unknown: UnknownFields::default(),
            max_chunk_size: None,
            durability: Durability::default(),
            existing: Existing::default(),
            others: OtherForms::default(),
            on_progress: None,
        }
    }

    /// Sets the form of the program. Default: the one that was opened.
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Sets what becomes of unknown fields in text. Default: [`UnknownFields::Refuse`].
    pub fn unknown_fields(mut self, unknown: UnknownFields) -> Self {
        self.unknown = unknown;
        self
    }

    /// Sets from how many bytes on a program is split, as [`SplitOptions::max_size`] does.
    pub fn max_chunk_size(mut self, bytes: u64) -> Self {
        self.max_chunk_size = Some(bytes);
        self
    }

    /// Sets whether the copy survives a crash of the machine. Default: [`Durability::Sync`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets whether a model may be in the place already, which is replaced then with all that is in
    /// its directory. Default: [`Existing::Refuse`].
    pub fn existing(mut self, existing: Existing) -> Self {
        self.existing = existing;
        self
    }

    /// Sets what becomes of the program's other forms when a model is converted where it lies.
    /// Default: [`OtherForms::Refuse`] if there are any besides the one that was opened, which is
    /// removed. [`OtherForms::Keep`] keeps that one, too.
    pub fn other_forms(mut self, others: OtherForms) -> Self {
        self.others = others;
        self
    }

    /// Has `report` called as files are copied.
    pub fn on_progress(mut self, report: impl FnMut(CopyProgress<'_>) + 'm) -> Self {
        self.on_progress = Some(Box::new(report));
        self
    }

    /// Writes the model to a directory: a new or an empty one, or the one it lies in.
    ///
    /// A new one is written beside its place and moved there, whole or not at all. Of a directory that
    /// is replaced, a crash leaves the old one, the new one, or the old one beside under a name that
    /// begins with `replaced-`. In the model's own directory only the model file is written, and the
    /// old one removed when the new one is on the disk.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is something in the place, or in the model's own directory another
    /// form of the program; `TooLarge` for a `saved_model.pb` above 2 GiB, and beyond 100 000 files;
    /// `Unsupported` for unknown fields in a text, with their offset, for a file whose name is not
    /// Unicode, and for what [`SplitOptions::write`] cannot split; `Malformed` if the program is
    /// damaged; `Io`.
    pub fn write(mut self, directory: impl AsRef<Path>) -> Result<CopiedModel> {
        let directory = resolve_link(directory.as_ref());
        if self.is_own(&directory) {
            return self.convert_in_place(&directory);
        }
        let replaced = self.check_replaced(&directory)?;
        let listing = Listing::of(self.model)?;
        let staged = StagedDirectory::create(&directory, self.sync())?;
        for name in &listing.directories {
            let path = staged.path().join(name);
            disk::create_directories(&path).map_err(in_file(&path))?;
        }
        let mut done = 0;
        for (name, _) in &listing.files {
            staged.write(name, |out| {
                copy_file(self.model, name, out, |bytes| {
                    done += bytes;
                    self.report(name, done, listing.bytes);
                })
            })?;
        }
        self.report(self.format.file_name(), done, listing.bytes);
        let program_bytes = self.write_program(staged.path())?;
        match replaced {
            true => staged.replace()?,
            false => staged.publish()?,
        }
        Ok(CopiedModel {
            program: directory.join(self.format.file_name()),
            format: self.format,
            program_bytes,
            files: listing.files.len() as u64,
            file_bytes: done,
            left_out: self.model.other_formats()?,
        })
    }

    fn convert_in_place(&self, directory: &Path) -> Result<CopiedModel> {
        let others = self.model.other_formats()?;
        if let (OtherForms::Refuse, Some(other)) = (self.others, others.first()) {
            return Err(Error::invalid_argument(
                "the directory has the program in this form, too, which may say something else",
            )
            .in_file(directory.join(other.file_name()))
            .remedy("remove it, or write to another directory"));
        }
        let path = directory.join(self.format.file_name());
        let opened = self.model.format();
        let program_bytes = match self.format == opened {
            true => fs::metadata(&path).map_err(in_file(&path))?.len(),
            false => self.write_program(directory)?,
        };
        self.settle(directory)?;
        let stale = others.into_iter().chain([opened]);
        let stale: Vec<Format> = stale.filter(|form| *form != self.format).collect();
        if self.others != OtherForms::Keep {
            for form in &stale {
                let path = directory.join(form.file_name());
                disk::remove(&path).map_err(in_file(&path))?;
            }
            self.settle(directory)?;
        }
        Ok(CopiedModel {
            program: path,
            format: self.format,
            program_bytes,
            files: 0,
            file_bytes: 0,
            left_out: stale.into_iter().filter(|form| *form != opened).collect(),
        })
    }

    /// Writes the model file, on the disk when it is there; returns how long it is.
    fn write_program(&self, directory: &Path) -> Result<u64> {
        let path = directory.join(self.format.file_name());
        if self.format == self.model.format() {
            let name = self.format.file_name();
            return write_file(&path, self.sync(), |out| {
                copy_file(self.model, name, out, |_| {})
            });
        }
        let bytes = self.model.bytes()?;
        let of_model = |error: Error| error.in_file(self.model.model_path());
        match self.format {
            Format::Binary => {
                refuse_large(bytes.len() as u64).map_err(of_model)?;
                let program = Canonical::new(bytes, SAVED_MODEL, MapOrder::Python);
                let program = program.map_err(of_model)?;
                write_file(&path, self.sync(), |out| Ok(program.write_to(out)?))
            }
            Format::Text => {
                let printer = Printer::new(SAVED_MODEL)?.unknown_fields(self.unknown);
                write_file(&path, self.sync(), |out| {
                    printer
                        .print(bytes, out)
                        .map_err(|error| match error.kind() {
                            // What the disk says is of the new file.
                            ErrorKind::Io { .. } => error,
                            _ => of_model(error),
                        })
                })
            }
            Format::Chunked => {
                let mut options = SplitOptions::new()
                    .small(Small::Write)
                    .sync(self.sync())
                    .other_forms(OtherForms::Keep);
                if let Some(size) = self.max_chunk_size {
                    options = options.max_size(size);
                }
                match options.write(bytes, directory)? {
                    Written::Split { bytes, .. } => Ok(bytes),
                    Written::NotNeeded => Ok(0),
                }
            }
        }
    }

    /// Says whether a directory that is not free is to be replaced.
    fn check_replaced(&self, directory: &Path) -> Result<bool> {
        let free = crate::store::refuse_occupied(directory);
        let (Err(error), Existing::Replace) = (&free, self.existing) else {
            return free.map(|()| false);
        };
        let has_model = |file: &str| directory.join(file).is_file();
        if !load::MODEL_FILES.iter().any(|(file, _)| has_model(file)) {
            return match error.again() {
                Some(error) => {
                    Err(error.better_remedy("only a model is replaced, and this is none"))
                }
                None => free.map(|()| false),
            };
        }
        let source = self
            .model
            .local_directory()
            .and_then(|it| fs::canonicalize(it).ok());
        let target = fs::canonicalize(directory).map_err(in_file(directory))?;
        match source.is_some_and(|source| source.starts_with(&target)) {
            true => Err(
                Error::invalid_argument("the model to be copied lies in this directory")
                    .in_file(directory)
                    .remedy("write it to another one"),
            ),
            false => Ok(true),
        }
    }

    fn is_own(&self, directory: &Path) -> bool {
        let source = self.model.local_directory();
        let source = source.and_then(|source| fs::canonicalize(source).ok());
        source.is_some() && source == fs::canonicalize(directory).ok()
    }

    fn sync(&self) -> bool {
        self.durability == Durability::Sync
    }

    fn settle(&self, directory: &Path) -> Result<()> {
        match self.sync() {
            true => disk::sync_directory(directory).map_err(in_file(directory)),
            false => Ok(()),
        }
    }

    fn report(&mut self, file: &str, done: u64, total: u64) {
        if let Some(report) = &mut self.on_progress {
            report(CopyProgress { file, done, total });
        }
    }
}

impl fmt::Debug for ModelCopy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelCopy")
            .field("model", &self.model)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// What is copied as it is, by names relative to the model's directory.
#[derive(Debug, Default)]
struct Listing {
    directories: Vec<String>,
    files: Vec<(String, u64)>,
    bytes: u64,
}

impl Listing {
    fn of(model: &SavedModel) -> Result<Self> {
        let mut listing = Listing::default();
        listing.add(model, "", 0)?;
        Ok(listing)
    }

    fn add(&mut self, model: &SavedModel, inside: &str, depth: usize) -> Result<()> {
        let (store, directory) = model.store();
        let name = match inside {
            "" => directory.to_owned(),
            _ => load::join(directory, inside),
        };
        let in_directory = |error: io::Error| Error::from(error).in_file(store.display(&name));
        let names = match store.list(&name) {
            Ok(names) => names,
            Err(error) if load::is_absence(&error) && depth > 0 => {
                // What cannot be listed is a file.
                let len = store.open(&name).map_err(in_directory)?.len();
                self.bytes = self.bytes.saturating_add(len);
                self.files.push((inside.to_owned(), len));
                return Ok(());
            }
            Err(error) => return Err(in_directory(error)),
        };
        if let Some(path) = model.local_directory() {
            refuse_unnamable(&path.join(inside))?;
        }
        if depth > 0 {
            self.directories.push(inside.to_owned());
        }
        for name in names {
            let is_program = |(file, _): &(&str, _)| depth == 0 && *file == name;
            if load::MODEL_FILES.iter().any(is_program) {
                continue;
            }
            let count = self.files.len() + self.directories.len();
            if depth == MAX_DEPTH || count >= MAX_FILES {
                return Err(Error::new(ErrorKind::TooLarge {
                    what: match depth == MAX_DEPTH {
                        true => "depth of directories".to_owned(),
                        false => "number of files".to_owned(),
                    },
                    size: if depth == MAX_DEPTH { depth } else { count } as u64 + 1,
                    limit: if depth == MAX_DEPTH {
                        MAX_DEPTH
                    } else {
                        MAX_FILES
                    } as u64,
                })
                .in_file(model.path().join(inside)));
            }
            self.add(model, &load::join(inside, &name), depth + 1)?;
        }
        Ok(())
    }
}

/// Symbolic links may make circles.
const MAX_DEPTH: usize = 16;
const MAX_FILES: usize = 100_000;
/// What protobuf reads at most.
const MAX_BINARY: u64 = i32::MAX as u64;
/// So much is copied at once.
const PIECE: u64 = 8 << 20;

/// Refuses a file that a store has no name for, and that would be lost.
fn refuse_unnamable(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory).map_err(in_file(directory))? {
        let name = entry.map_err(in_file(directory))?.file_name();
        if name.to_str().is_none() {
            return Err(Error::unsupported("the file's name is not Unicode")
                .in_file(directory.join(name))
                .remedy("give it another name, or take it out of the model's directory"));
        }
    }
    Ok(())
}

fn refuse_large(size: u64) -> Result<()> {
    match size > MAX_BINARY {
        true => Err(Error::new(ErrorKind::TooLarge {
            what: "a program in one message".to_owned(),
            size,
            limit: MAX_BINARY,
        })
        .remedy("`saved_model.cpb` has no such limit")),
        false => Ok(()),
    }
}

/// Copies a file of the model; `copied` is called with the length of each piece.
fn copy_file(
    model: &SavedModel,
    inside: &str,
    out: &mut impl Write,
    mut copied: impl FnMut(u64),
) -> Result<()> {
    let (store, directory) = model.store();
    let name = load::join(directory, inside);
    let of_source = |error: Error| error.in_file(store.display(&name));
    let blob = store.open(&name).map_err(Error::from).map_err(of_source)?;
    let mut at = 0;
    while at < blob.len() {
        let len = PIECE.min(blob.len() - at);
        let bytes = blob.read(at, len).map_err(of_source)?;
        out.write_all(&bytes)?;
        at += len;
        copied(len);
    }
    Ok(())
}

/// Follows a link to a directory, which is to stay a link.
fn resolve_link(directory: &Path) -> PathBuf {
    match directory.is_symlink() {
        true => fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned()),
        false => directory.to_owned(),
    }
}
