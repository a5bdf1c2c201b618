use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use prost::Message as _;
use prost::bytes::Bytes;

use super::load::{self, Format, LoadOptions};
use super::meta_graph::MetaGraph;
use super::view::{Source, View};
use crate::bundle::{BundleOptions, BundleReader, Checksums};
use crate::error::{Error, Printable, Result};
use crate::fingerprint::Fingerprint;
use crate::object_graph::ObjectGraph;
use crate::proto;
use crate::proto::keras::SavedMetadata;
use crate::store::{LocalStore, Mapping, Store};

/// The fields of `SavedModel`.
mod field {
    pub(super) const SCHEMA_VERSION: u32 = 1;
    pub(super) const META_GRAPHS: u32 = 2;
}

/// A model on disk, or wherever a [`Store`] has it.
///
/// Opening reads nothing but where the meta graphs stand in the model file. It can be shared by
/// threads.
///
/// ```
/// use savedmodel::SavedModel;
///
/// let model = SavedModel::open("tests/fixtures/keras3_saved")?;
/// for (key, signature) in model.meta_graph(["serve"])?.signatures()? {
///     println!("{key}: {signature}");
/// }
/// let kernel = model.variables()?.tensor("_operations/1/_kernel/.ATTRIBUTES/VARIABLE_VALUE")?;
/// assert_eq!(kernel.shape().dims(), [4, 6]);
/// # Ok::<(), savedmodel::Error>(())
/// ```
pub struct SavedModel {
    source: Source,
    store: Arc<dyn Store>,
    /// The model's directory in the store.
    directory: String,
    /// The directory as messages call it.
    path: PathBuf,
    /// Whether that is where it is on this machine.
    is_local: bool,
    bundle_options: BundleOptions,
    variables: OnceLock<BundleReader>,
}

/// How a model is opened; [`SavedModel::options`] gives the defaults.
#[derive(Clone, Debug, Default)]
pub struct SavedModelOptions {
    mapping: Mapping,
    bundle: BundleOptions,
    load: LoadOptions,
}

impl SavedModelOptions {
    /// Sets in which form the model file must be written. Default: the first there is of
    /// `saved_model.pb`, `saved_model.pbtxt` and `saved_model.cpb`.
    pub fn format(mut self, format: Format) -> Self {
        self.load.format = Some(format);
        self
    }

    /// Sets how many bytes a split model may be put together to, and its chunks decompressed to.
    /// Default: 64 MiB and 1024 times the length of `saved_model.cpb`.
    pub fn merge_limit(mut self, bytes: u64) -> Self {
        self.load.merge_limit = Some(bytes);
        self
    }

    /// Sets whether local files are mapped into memory. Default: [`Mapping::Auto`].
    pub fn mapping(mut self, mapping: Mapping) -> Self {
        self.mapping = mapping;
        self
    }

    /// Sets whether variables are compared with their checksums. Default: [`Checksums::Verify`].
    pub fn checksums(mut self, checksums: Checksums) -> Self {
        self.bundle = self.bundle.checksums(checksums);
        self
    }

    /// Sets how many threads may read variables, as [`BundleOptions::threads`] does.
    pub fn threads(mut self, threads: usize) -> Self {
        self.bundle = self.bundle.threads(threads);
        self
    }

    /// Opens a model's directory, as [`SavedModel::open`] does.
    ///
    /// # Errors
    ///
    /// As for [`SavedModel::open`].
    pub fn open(self, directory: impl AsRef<Path>) -> Result<SavedModel> {
        let path = directory.as_ref();
        let store = LocalStore::new(path).with_mapping(self.mapping);
        let opened = self.open_at(Arc::new(store), "", path.to_owned());
        let opened = opened.map(|model| SavedModel {
            is_local: true,
            ..model
        });
        opened.map_err(|error| match path.is_file() {
            true => load::explain_file(path, error),
            false => error,
        })
    }

    /// Opens a model in a store, as [`SavedModel::open_in`] does.
    ///
    /// # Errors
    ///
    /// As for [`SavedModel::open`].
    pub fn open_in(self, store: Arc<dyn Store>, directory: &str) -> Result<SavedModel> {
        let directory = directory.trim_end_matches('/');
        let path = store.display(directory);
        self.open_at(store, directory, path)
    }

    fn open_at(self, store: Arc<dyn Store>, directory: &str, path: PathBuf) -> Result<SavedModel> {
        let source = load::open(&*store, directory, self.load);
        let source = source.map_err(|error| error.in_file(&path))?;
        Ok(SavedModel {
            source,
            store,
            directory: directory.to_owned(),
            path,
            is_local: false,
            bundle_options: self.bundle,
            variables: OnceLock::new(),
        })
    }
}

impl SavedModel {
    /// Opens a model's directory, the one with `saved_model.pb` in it. Without it
    /// `saved_model.pbtxt` is opened, then `saved_model.cpb`.
    ///
    /// Nothing else need be there: what is missing shows when it is asked for. Of a split model,
    /// `saved_model.cpb`, the chunks of graphs are read when a graph is, all of them then.
    ///
    /// # Errors
    ///
    /// `NotFound` without the directory or without a model file in it; `Malformed` if the file is
    /// cut or something else, with what it seems to be; for a split model also `Unsupported` and
    /// `TooLarge`, as for [`ChunkedProto::open`](crate::chunked::ChunkedProto::open).
    pub fn open(directory: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(directory)
    }

    /// Opens a model in a store: memory, an archive, a remote one. The store's root is the empty
    /// directory.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn open_in(store: Arc<dyn Store>, directory: &str) -> Result<Self> {
        Self::options().open_in(store, directory)
    }

    /// Returns the options with which [`open`](Self::open) works, to be changed.
    pub fn options() -> SavedModelOptions {
        SavedModelOptions::default()
    }

    /// Returns the model's directory, as errors show it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the model file, as errors show it.
    pub fn model_path(&self) -> &Path {
        self.source.path()
    }

    /// Returns in which form the model file is written.
    pub fn format(&self) -> Format {
        self.source.format
    }

    /// Returns the other forms that the model is written in, which were not opened: they may say
    /// something else.
    ///
    /// # Errors
    ///
    /// `Io` if the store cannot say.
    pub fn other_formats(&self) -> Result<Vec<Format>> {
        load::others(&*self.store, &self.directory, self.format())
    }

    /// Returns the `SavedModel` message, encoded: the model file, unless that is a text or split.
    ///
    /// # Errors
    ///
    /// Of a split model, whose chunks are read now: what
    /// [`ChunkedProto::merge`](crate::chunked::ChunkedProto::merge) answers.
    pub fn bytes(&self) -> Result<&Bytes> {
        self.source.whole()
    }

    /// Returns the store the model lies in, and its directory there.
    pub fn store(&self) -> (&Arc<dyn Store>, &str) {
        (&self.store, &self.directory)
    }

    /// Returns where the model lies, if it was opened as a directory of this machine.
    pub(super) fn local_directory(&self) -> Option<&Path> {
        self.is_local.then_some(&*self.path)
    }

    /// Returns the version of the schema, 1 for all so far.
    ///
    /// # Errors
    ///
    /// None in practice: opening has walked the same fields.
    pub fn schema_version(&self) -> Result<i64> {
        self.view().integer(field::SCHEMA_VERSION)
    }

    fn view(&self) -> View<'_> {
        View::new(&self.source, self.source.message())
    }

    /// Walks the meta graphs in the order of the file.
    ///
    /// # Errors
    ///
    /// None in practice: opening has walked the same fields.
    pub fn meta_graphs(&self) -> impl Iterator<Item = Result<MetaGraph<'_>>> {
        self.view()
            .elements(field::META_GRAPHS)
            .enumerate()
            .map(|(index, message)| Ok(MetaGraph::new(View::new(&self.source, message?), index)))
    }

    /// Returns the first meta graph that has exactly these tags, in any order.
    ///
    /// # Errors
    ///
    /// `NotFound`, with the sets there are, if none has; `Malformed` if the tags are damaged.
    pub fn meta_graph<T: AsRef<str>>(
        &self,
        tags: impl IntoIterator<Item = T>,
    ) -> Result<MetaGraph<'_>> {
        let tags: Vec<T> = tags.into_iter().collect();
        let wanted: BTreeSet<&str> = tags.iter().map(AsRef::as_ref).collect();
        for meta_graph in self.meta_graphs() {
            let meta_graph = meta_graph?;
            if meta_graph.tag_set()? == wanted {
                return Ok(meta_graph);
            }
        }
        Err(self.no_such_tags(tags.iter().map(AsRef::as_ref)))
    }

    fn no_such_tags<'a>(&self, tags: impl Iterator<Item = &'a str>) -> Error {
        let error = Error::not_found(format!(
            "meta graph with the tags {}",
            TagSet(tags.collect())
        ))
        .in_file(self.model_path());
        // One more than is told, to know whether there are more.
        let mut sets: Vec<String> = self
            .meta_graphs()
            .filter_map(|graph| Some(TagSet(graph.ok()?.tags().ok()?).to_string()))
            .take(MAX_SETS + 1)
            .collect();
        if let Some(more) = sets.get_mut(MAX_SETS) {
            *more = "others".to_owned();
        }
        error.remedy(match (self.seems_to_be(), &sets[..]) {
            (Some(kind), _) => kind.to_owned(),
            (None, []) if self.source.bytes.is_empty() => "the file is empty".to_owned(),
            (None, []) => "the model has no meta graphs".to_owned(),
            (None, sets) => format!("the model has {}", sets.join(", ")),
        })
    }

    /// Says what the model file looks like, if it is another of TensorFlow's messages under a
    /// model's name. TensorFlow reads a bare `GraphDef`, for instance, as a model without meta
    /// graphs, and so does this crate.
    pub fn seems_to_be(&self) -> Option<&'static str> {
        load::foreign_message(self.source.message())
    }

    /// Decodes the whole model file: all of it as structs, to be looked at or changed.
    ///
    /// A model is changed in three steps: copied with all its files, its program written anew, its
    /// fingerprint made to fit. Here an input of a signature gets another name. What goes by
    /// signatures sees that, as TensorFlow Serving and `saved_model_cli`; `tf.saved_model.load` takes
    /// the signatures of a TensorFlow 2 model from its objects.
    ///
    /// The structs have the fields that TensorFlow 2.21 knows. Others, of a later release, are not in
    /// them and so not in what is encoded of them; [`save_as`](Self::save_as) keeps them, and
    /// [`wire::Message`](crate::wire::Message) shows them.
    ///
    /// ```
    /// use savedmodel::chunked::{OtherForms, write_binary};
    /// use savedmodel::model::Format;
    /// use savedmodel::proto::Message as _;
    /// use savedmodel::{Fingerprint, SavedModel};
    ///
    /// # let edited = std::env::temp_dir().join(format!("savedmodel-edited-{}", std::process::id()));
    /// let model = SavedModel::open("tests/fixtures/keras3_export")?;
    /// model.save_as(&edited, Format::Binary)?;
    ///
    /// let mut signature = model.meta_graph(["serve"])?.signature("serving_default")?;
    /// let input = signature.inputs.remove("features").expect("it is there");
    /// signature.inputs.insert("x".to_owned(), input);
    /// let mut program = model.to_proto()?;
    /// for entry in &mut program.meta_graphs[0].signature_def {
    ///     if entry.key() == "serving_default" {
    ///         entry.value = Some(signature.to_proto());
    ///     }
    /// }
    ///
    /// write_binary(&program.encode_to_vec(), &edited, OtherForms::Refuse)?;
    /// Fingerprint::compute(&edited)?.write(&edited)?;
    /// let signatures = SavedModel::open(&edited)?.meta_graph(["serve"])?.signatures()?;
    /// assert!(signatures["serving_default"].inputs.contains_key("x"));
    /// # std::fs::remove_dir_all(edited)?;
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Malformed` if any of it is damaged.
    pub fn to_proto(&self) -> Result<proto::SavedModel> {
        proto::SavedModel::decode(self.bytes()?.clone()).map_err(|error| {
            let error = self.source.fault(Error::malformed(error.to_string()));
            match self.seems_to_be() {
                Some(kind) => error.remedy(kind),
                None => error,
            }
        })
    }

    /// Returns the variables, opened the first time they are asked for.
    ///
    /// # Errors
    ///
    /// As for [`BundleReader::open`]: `NotFound` for a model without variables.
    pub fn variables(&self) -> Result<&BundleReader> {
        if let Some(bundle) = self.variables.get() {
            return Ok(bundle);
        }
        let prefix = self.name(VARIABLES);
        let bundle = self
            .bundle_options
            .clone()
            .open_in(Arc::clone(&self.store), &prefix)?;
        Ok(self.variables.get_or_init(|| bundle))
    }

    /// Returns the objects of a TensorFlow 2 model, variables with the keys of their values; `None`
    /// for a model that has none: one of TensorFlow 1, or of several meta graphs.
    ///
    /// ```
    /// use savedmodel::SavedModel;
    ///
    /// let objects = SavedModel::open("tests/fixtures/module")?.object_graph()?.unwrap();
    /// for variable in objects.variables() {
    ///     println!("{}: {} {}", variable.name(), variable.dtype(), variable.shape());
    /// }
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What [`MetaGraph::object_graph`], [`variables`](Self::variables) and
    /// [`ObjectGraph::with_checkpoint`] answer. A model without `variables/` has no keys.
    pub fn object_graph(&self) -> Result<Option<ObjectGraph>> {
        let mut meta_graphs = self.meta_graphs();
        let (Some(only), None) = (meta_graphs.next(), meta_graphs.next()) else {
            return Ok(None);
        };
        match only?.object_graph()? {
            Some(objects) if self.has_variables()? => {
                objects.with_checkpoint(self.variables()?).map(Some)
            }
            objects => Ok(objects),
        }
    }

    /// Says whether there are variables: whether `variables/variables.index` exists.
    ///
    /// # Errors
    ///
    /// `Io` if the store cannot say.
    pub fn has_variables(&self) -> Result<bool> {
        self.has_file(&format!("{VARIABLES}.index"))
    }

    /// Returns what `fingerprint.pb` says, as it is stored; `None` without the file. Nothing is
    /// computed: [`Fingerprint::verify`] does that.
    ///
    /// # Errors
    ///
    /// `Malformed` if the file is damaged, `Io`.
    pub fn fingerprint(&self) -> Result<Option<Fingerprint>> {
        Fingerprint::read_in(&*self.store, &self.directory)
    }

    /// Returns what Keras 2 wrote of itself into `keras_metadata.pb`.
    ///
    /// # Errors
    ///
    /// `Malformed` if the file is damaged, `Io`.
    pub fn keras_metadata(&self) -> Result<Option<SavedMetadata>> {
        self.message("keras_metadata.pb")
    }

    /// Says whether there is `debug/saved_model_debug_info.pb`, which says which line of the
    /// author's program made which node.
    ///
    /// # Errors
    ///
    /// `Io` if the store cannot say.
    pub fn has_debug_info(&self) -> Result<bool> {
        self.has_file("debug/saved_model_debug_info.pb")
    }

    /// Returns the paths, relative to the model's directory and ascending, of the files in
    /// `assets.extra`, which are for the serving system.
    ///
    /// # Errors
    ///
    /// `TooLarge` beyond 10 000 files, `Io`.
    pub fn assets_extra(&self) -> Result<Vec<String>> {
        let mut files = Vec::new();
        self.list_files("assets.extra", 0, &mut files)?;
        files.sort_unstable();
        Ok(files)
    }

    fn list_files(&self, inside: &str, depth: usize, files: &mut Vec<String>) -> Result<()> {
        let names = match self.store.list(&self.name(inside)) {
            Ok(names) => names,
            Err(error) if load::is_absence(&error) => {
                // What cannot be listed is a file, but for the directory we began with.
                if depth > 0 {
                    files.push(inside.to_owned());
                }
                return Ok(());
            }
            Err(error) => return Err(Error::from(error).in_file(self.display(inside))),
        };
        for name in names {
            if depth == MAX_DEPTH || files.len() == MAX_FILES {
                return Err(Error::new(crate::error::ErrorKind::TooLarge {
                    what: "number of files, or depth of directories".to_owned(),
                    size: files.len().max(depth) as u64 + 1,
                    limit: if depth == MAX_DEPTH {
                        MAX_DEPTH
                    } else {
                        MAX_FILES
                    } as u64,
                })
                .in_file(self.display(inside)));
            }
            self.list_files(&load::join(inside, &name), depth + 1, files)?;
        }
        Ok(())
    }

    /// Reads a file of the model by its path relative to the model's directory.
    pub(crate) fn read_file(&self, inside: &str) -> Result<Bytes> {
        let blob = self.store.open(&self.name(inside)).map_err(Error::from);
        blob.and_then(|blob| blob.read(0, blob.len()))
            .map_err(|error| error.in_file(self.display(inside)))
    }

    fn message<M: prost::Message + Default>(&self, inside: &str) -> Result<Option<M>> {
        let Some(blob) = load::open_if_there(&*self.store, &self.name(inside))? else {
            return Ok(None);
        };
        let decoded = blob.read(0, blob.len()).and_then(|bytes| {
            M::decode(bytes).map_err(|error| Error::malformed(error.to_string()))
        });
        decoded
            .map(Some)
            .map_err(|error| error.in_file(self.display(inside)))
    }

    fn has_file(&self, inside: &str) -> Result<bool> {
        Ok(load::open_if_there(&*self.store, &self.name(inside))?.is_some())
    }

    fn name(&self, inside: &str) -> String {
        load::join(&self.directory, inside)
    }

    fn display(&self, inside: &str) -> PathBuf {
        self.store.display(&self.name(inside))
    }
}

/// The bundle's prefix in a model's directory.
const VARIABLES: &str = "variables/variables";
/// So many sets of tags are told.
const MAX_SETS: usize = 10;
/// Symbolic links may make circles.
const MAX_DEPTH: usize = 16;
const MAX_FILES: usize = 10_000;

impl fmt::Debug for SavedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedModel")
            .field("path", &self.path)
            .field("format", &self.source.format)
            .field("bytes", &self.source.bytes.len())
            .finish_non_exhaustive()
    }
}

/// Shows tags as messages do: `{gpu, serve}`.
struct TagSet<'a>(Vec<&'a str>);

impl fmt::Display for TagSet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, tag) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{}", Printable(tag))?;
        }
        f.write_str("}")
    }
}
