use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use prost::bytes::Bytes;

use super::asset::{self, Asset};
use super::graph::Graph;
use super::marked_op::{self, MarkedOp};
use super::signature::Signature;
use super::view::View;
use crate::error::{Error, Result};
use crate::example::ParsingSpec;
use crate::object_graph::ObjectGraph;
use crate::proto::well_known::Any;
use crate::proto::{CollectionDef, MetaGraphDef, OpList, SaverDef};
use crate::wire::Message;

/// The fields of `MetaGraphDef`.
pub(crate) mod field {
    pub(crate) const META_INFO_DEF: u32 = 1;
    pub(crate) const GRAPH_DEF: u32 = 2;
    pub(crate) const SAVER_DEF: u32 = 3;
    pub(crate) const COLLECTION_DEF: u32 = 4;
    pub(crate) const SIGNATURE_DEF: u32 = 5;
    pub(crate) const ASSET_FILE_DEF: u32 = 6;
    pub(crate) const OBJECT_GRAPH_DEF: u32 = 7;
}

/// The meta graphs of a `SavedModel`.
const META_GRAPHS: u32 = 2;

/// The fields of `MetaInfoDef`.
mod info {
    pub(super) const META_GRAPH_VERSION: u32 = 1;
    pub(super) const STRIPPED_OP_LIST: u32 = 2;
    pub(super) const ANY_INFO: u32 = 3;
    pub(super) const TAGS: u32 = 4;
    pub(super) const TENSORFLOW_VERSION: u32 = 5;
    pub(super) const TENSORFLOW_GIT_VERSION: u32 = 6;
    pub(super) const STRIPPED_DEFAULT_ATTRS: u32 = 7;
    pub(super) const FUNCTION_ALIASES: u32 = 8;
}

/// One program of a model, for one use of it (serving, training): a view, decoded as it is asked.
///
/// ```
/// use savedmodel::SavedModel;
///
/// let model = SavedModel::open("tests/fixtures/keras3_saved")?;
/// let meta_graph = model.meta_graph(["serve"])?;
/// assert_eq!(meta_graph.tags()?, ["serve"]);
/// assert_eq!(meta_graph.tensorflow_version()?, "2.21.0");
/// for (key, signature) in meta_graph.signatures()? {
///     println!("{key}: {signature}");
/// }
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// # Errors
///
/// Every function answers `Malformed`, with the file and the byte, if what it must read is damaged;
/// what it need not read does not matter to it.
#[derive(Clone, Copy)]
pub struct MetaGraph<'m> {
    /// Of a split model without what the chunks of the graph have.
    pub(crate) view: View<'m>,
    /// Which of the model's it is.
    index: usize,
}

#[allow(clippy::missing_errors_doc, reason = "said once for all, above")]
impl<'m> MetaGraph<'m> {
    pub(crate) fn new(view: View<'m>, index: usize) -> Self {
        MetaGraph { view, index }
    }

    /// Returns a view of all of it.
    pub(crate) fn whole(self) -> Result<View<'m>> {
        let source = self.view.source;
        if source.split.is_none() {
            return Ok(self.view);
        }
        let model = View::new(source, Message::new(source.whole()?));
        match model.elements(META_GRAPHS).nth(self.index) {
            Some(message) => Ok(View::new(source, message?)),
            None => Err(self.view.fault(Error::malformed("a meta graph got lost"))),
        }
    }

    fn info(self) -> View<'m> {
        self.view.child(field::META_INFO_DEF)
    }

    /// Returns the tags by which the meta graph is found, in the order of the file; it is the set
    /// of them that counts.
    pub fn tags(&self) -> Result<Vec<&'m str>> {
        self.info().strings(info::TAGS).collect()
    }

    pub(crate) fn tag_set(self) -> Result<BTreeSet<&'m str>> {
        self.info().strings(info::TAGS).collect()
    }

    /// Returns the version of the TensorFlow that wrote it, such as `2.21.0`.
    pub fn tensorflow_version(&self) -> Result<&'m str> {
        self.info().string(info::TENSORFLOW_VERSION)
    }

    /// Returns what `git describe` said of the TensorFlow that wrote it.
    pub fn tensorflow_git_version(&self) -> Result<&'m str> {
        self.info().string(info::TENSORFLOW_GIT_VERSION)
    }

    /// Returns the version that the model's author gave it; TensorFlow gives none.
    pub fn meta_graph_version(&self) -> Result<&'m str> {
        self.info().string(info::META_GRAPH_VERSION)
    }

    /// Says whether attributes of nodes that have their default value were left out.
    pub fn stripped_default_attrs(&self) -> Result<bool> {
        self.info().boolean(info::STRIPPED_DEFAULT_ATTRS)
    }

    /// Returns the definitions of the ops that the graph uses, as they were when it was written.
    pub fn stripped_op_list(&self) -> Result<OpList> {
        let list = self.info().child(info::STRIPPED_OP_LIST).decode()?;
        Ok(list.unwrap_or_default())
    }

    /// Returns the names of library functions and what the author called them.
    pub fn function_aliases(&self) -> Result<BTreeMap<String, String>> {
        let mut aliases = BTreeMap::new();
        for entry in self.info().elements(info::FUNCTION_ALIASES) {
            let entry = View::new(self.view.source, entry?);
            aliases.insert(entry.string(1)?.to_owned(), entry.string(2)?.to_owned());
        }
        Ok(aliases)
    }

    /// Returns what the author attached to the meta graph; TensorFlow attaches nothing.
    pub fn any_info(&self) -> Result<Option<Any>> {
        self.info().child(info::ANY_INFO).decode()
    }

    /// Returns all signatures, those that [mark an op](MarkedOp) and cannot be called too, as
    /// `__saved_model_init_op`.
    pub fn signatures(&self) -> Result<BTreeMap<String, Signature>> {
        let mut signatures = BTreeMap::new();
        for entry in self.view.entries(field::SIGNATURE_DEF) {
            let (key, view) = entry?;
            signatures.insert(key.to_owned(), read_signature(view)?);
        }
        Ok(signatures)
    }

    /// Returns the names of all signatures, ascending, without decoding them.
    pub fn signature_keys(&self) -> Result<Vec<String>> {
        let keys: BTreeSet<&str> = self
            .view
            .entries(field::SIGNATURE_DEF)
            .map(|entry| entry.map(|(key, _)| key))
            .collect::<Result<_>>()?;
        Ok(keys.into_iter().map(str::to_owned).collect())
    }

    /// Returns one signature; most models have one called `serving_default`.
    ///
    /// # Errors
    ///
    /// `NotFound`, with the names that come closest, if there is none of that name.
    pub fn signature(&self, key: &str) -> Result<Signature> {
        match self.view.value(field::SIGNATURE_DEF, key)? {
            Some(view) => read_signature(view),
            None => Err(self.no_such("signature", key, self.signature_keys()?)),
        }
    }

    /// Returns the files that the graph reads.
    pub fn assets(&self) -> Result<Vec<Asset>> {
        asset::assets(*self)
    }

    /// Returns all collections: lists of nodes, numbers or messages, in which programs of
    /// TensorFlow 1 keep what belongs together.
    pub fn collections(&self) -> Result<BTreeMap<String, CollectionDef>> {
        let mut collections = BTreeMap::new();
        for entry in self.view.entries(field::COLLECTION_DEF) {
            let (key, view) = entry?;
            collections.insert(key.to_owned(), view.decode()?.unwrap_or_default());
        }
        Ok(collections)
    }

    /// Returns one collection, if it is there.
    pub fn collection(&self, key: &str) -> Result<Option<CollectionDef>> {
        match self.view.value(field::COLLECTION_DEF, key)? {
            Some(view) => Ok(Some(view.decode()?.unwrap_or_default())),
            None => Ok(None),
        }
    }

    /// Returns how the graph restores its variables, if it has any to restore.
    pub fn saver_def(&self) -> Result<Option<SaverDef>> {
        self.view.child(field::SAVER_DEF).decode()
    }

    /// Returns the op that is run once after the variables are restored.
    ///
    /// # Errors
    ///
    /// `Malformed` also if it is marked as TensorFlow refuses it: a signature without the output,
    /// a collection of more or less than one op.
    pub fn init_op(&self) -> Result<Option<MarkedOp>> {
        marked_op::init_op(*self)
    }

    /// Returns the op that does one step of training.
    ///
    /// # Errors
    ///
    /// As for [`init_op`](Self::init_op).
    pub fn train_op(&self) -> Result<Option<MarkedOp>> {
        marked_op::train_op(*self)
    }

    /// Returns the program. It is empty where the file has none.
    pub fn graph(&self) -> Graph<'m> {
        Graph::new(*self)
    }

    /// Returns what the graph and its functions take out of serialized `tf.Example` messages.
    ///
    /// Nothing is decoded unless there is a node that parses examples.
    ///
    /// # Errors
    ///
    /// What [`ParsingSpec::find`] answers.
    pub fn parsing_specs(&self) -> Result<Vec<ParsingSpec>> {
        let graph = self.graph();
        if !graph.ops()?.keys().any(|op| ParsingSpec::is_read_from(op)) {
            return Ok(Vec::new());
        }
        let graph = graph.to_proto()?;
        let functions = graph.library.iter().flat_map(|library| &library.function);
        ParsingSpec::find(&graph.node, functions).map_err(|error| self.view.fault(error))
    }

    /// Says whether there is an object graph: TensorFlow 2 writes one.
    pub fn has_object_graph(&self) -> Result<bool> {
        self.view.child(field::OBJECT_GRAPH_DEF).exists()
    }

    /// Decodes the object graph, if there is one: the Python objects that were saved.
    ///
    /// Keys of variables are not in it; [`SavedModel::object_graph`](super::SavedModel::object_graph)
    /// adds them.
    ///
    /// # Errors
    ///
    /// What [`ObjectGraph::decode`] answers.
    pub fn object_graph(&self) -> Result<Option<ObjectGraph>> {
        match self.object_graph_bytes()? {
            Some(bytes) => ObjectGraph::decode(&bytes)
                .map(Some)
                .map_err(|error| self.view.fault(error)),
            None => Ok(None),
        }
    }

    /// Returns the `SavedObjectGraph`, encoded.
    pub fn object_graph_bytes(&self) -> Result<Option<Bytes>> {
        self.view.child(field::OBJECT_GRAPH_DEF).bytes()
    }

    /// Returns the `MetaGraphDef`, encoded.
    pub fn bytes(&self) -> Result<Bytes> {
        Ok(self.whole()?.bytes()?.unwrap_or_default())
    }

    /// Decodes all of it.
    pub fn to_proto(&self) -> Result<MetaGraphDef> {
        Ok(self.whole()?.decode()?.unwrap_or_default())
    }

    /// Makes the error for a name that is not there.
    pub(crate) fn no_such(self, what: &str, key: &str, names: Vec<String>) -> Error {
        self.view
            .fault(Error::not_found_among(what, key, names).for_key(key.as_bytes()))
    }
}

impl fmt::Debug for MetaGraph<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetaGraph")
            .field("file", &self.view.source.path())
            .field("tags", &self.tags().unwrap_or_default())
            .finish_non_exhaustive()
    }
}

fn read_signature(view: View<'_>) -> Result<Signature> {
    let signature = Signature::from_proto(view.decode()?.unwrap_or_default());
    Ok(signature.with_raw(view.bytes()?.unwrap_or_default()))
}
