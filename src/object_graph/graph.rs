use std::collections::BTreeMap;
use std::fmt;

use prost::Message as _;
use prost::bytes::Bytes;

use super::checkpoint::{CheckpointGraph, Matches};
use super::function::ConcreteFunction;
use super::object::{Object, ObjectKind, Stored};
use super::path::{ATTRIBUTES, OPTIMIZER_SLOT, ObjectPath, Tree, escape_local_name};
use super::variable::{SlotVariable, Variable};
use super::{BareConcreteFunction, identifier};
use crate::bundle::BundleReader;
use crate::error::{Error, Printable, Result};
use crate::proto;
use crate::wire::{Field, Message};

/// The Python objects of a TensorFlow 2 model: the `SavedObjectGraph` of its meta graph.
///
/// Objects have numbers; object 0 is the root, the one that was saved. Named edges lead from object
/// to object, and one object may have several names. What `tf.saved_model.load` makes of it is in
/// `tensorflow/python/saved_model/load.py`.
///
/// References to objects that do not exist are no error here: they are left out where they would
/// appear, and [`faults`](Self::faults) names them.
///
/// ```
/// # let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/module");
/// # let model = savedmodel::model::SavedModel::open(directory)?;
/// # let bytes = model.meta_graph(["serve"])?.object_graph_bytes()?.unwrap();
/// use savedmodel::BundleReader;
/// use savedmodel::object_graph::ObjectGraph;
///
/// let bundle = BundleReader::open(format!("{directory}/variables/variables"))?;
/// let graph = ObjectGraph::decode(&bytes)?.with_checkpoint(&bundle)?;
///
/// let kernel = graph.variable("root.layers[1].w")?;
/// assert_eq!(kernel.shape().to_string(), "[4, 2]");
/// assert_eq!(kernel.checkpoint_key(), Some("layers/1/w/.ATTRIBUTES/VARIABLE_VALUE"));
///
/// let names: Vec<_> = graph.object("layers/0")?.paths().map(|path| path.to_string()).collect();
/// assert_eq!(names, ["root.shared", "root.layers[0]"]);
/// # Ok::<(), savedmodel::Error>(())
/// ```
pub struct ObjectGraph {
    pub(super) tree: Tree,
    pub(super) objects: Vec<Stored>,
    /// `SavedConcreteFunction` messages by name, not decoded.
    functions: BTreeMap<Box<str>, Bytes>,
    pub(super) checkpoint: Option<Checkpoint>,
}

/// What a bundle says about the objects.
pub(super) struct Checkpoint {
    graph: Option<CheckpointGraph>,
    pub(super) matches: Matches,
}

impl ObjectGraph {
    /// Reads a serialized `SavedObjectGraph`, field `object_graph_def` of a meta graph.
    ///
    /// Signatures and specifications of functions are decoded when they are asked for.
    ///
    /// # Errors
    ///
    /// `Malformed` if the bytes are no such message, there is no object, or a variable's shape is
    /// invalid.
    pub fn decode(bytes: &Bytes) -> Result<ObjectGraph> {
        let mut nodes = Vec::new();
        let mut objects = Vec::new();
        let mut functions = BTreeMap::new();
        for field in Message::new(bytes).fields() {
            let field = field?;
            match field.number() {
                1 => {
                    let id = objects.len();
                    let object = proto::SavedObject::decode(content(bytes, &field)?)
                        .map_err(|error| undecodable(id, error, &field))?;
                    let (node, object) = Stored::new(id, object)?;
                    nodes.push(node);
                    objects.push(object);
                }
                2 => {
                    let (name, function) = function_entry(bytes, &field)?;
                    functions.insert(name, function);
                }
                _ => {}
            }
        }
        Ok(ObjectGraph {
            tree: Tree::new(nodes)?,
            objects,
            functions,
            checkpoint: None,
        })
    }

    /// Adds what the model's bundle says: the keys under which variables and tables are stored.
    ///
    /// Objects are matched as when TensorFlow restores a checkpoint
    /// (`tensorflow/python/checkpoint/restore.py`): by the names of edges from the root on, whatever
    /// their numbers. In a bundle without an object graph a variable's key is its name.
    ///
    /// # Errors
    ///
    /// What [`CheckpointGraph::read`] answers, but for `NotFound`.
    pub fn with_checkpoint(mut self, bundle: &BundleReader) -> Result<ObjectGraph> {
        let graph = match bundle.contains(CheckpointGraph::KEY)? {
            true => Some(CheckpointGraph::read(bundle)?),
            false => None,
        };
        let matches = match &graph {
            Some(graph) => Matches::by_edges(&self, graph),
            None => Matches::by_name(&self, bundle)?,
        };
        self.checkpoint = Some(Checkpoint { graph, matches });
        Ok(self)
    }

    /// Returns the object graph of the bundle that [`with_checkpoint`](Self::with_checkpoint) was
    /// given, if there is one.
    pub fn checkpoint(&self) -> Option<&CheckpointGraph> {
        self.checkpoint.as_ref()?.graph.as_ref()
    }

    /// Returns the number of objects, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "there is always a root")]
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Returns the object that was saved, which holds all others.
    pub fn root(&self) -> Object<'_> {
        Object::new(self, 0)
    }

    /// Returns the object of that number, if there is one.
    pub fn get(&self, id: usize) -> Option<Object<'_>> {
        (id < self.len()).then(|| Object::new(self, id))
    }

    /// Finds an object by one of its names, in one of the forms that [`ObjectPath`] describes:
    /// `root.layers[2].kernel`, `layers/2/kernel`, a whole checkpoint key, that of a slot variable
    /// too.
    ///
    /// # Errors
    ///
    /// `NotFound`, with the names that exist where it could not go on; `InvalidArgument` if a bracket
    /// of the path is not closed; `Malformed` if it leads to an object that does not exist.
    pub fn object(&self, path: &str) -> Result<Object<'_>> {
        if let Some(slot) = self.slot_by_key(path) {
            return slot;
        }
        Ok(Object::new(self, self.tree.find(path)?))
    }

    fn slot_by_key(&self, key: &str) -> Option<Result<Object<'_>>> {
        let key = key.split(ATTRIBUTES).next()?;
        let (original, rest) = key.split_once(OPTIMIZER_SLOT)?;
        let (optimizer, slot_name) = rest.rsplit_once('/')?;
        let find = || {
            let original = self.tree.find_key(original)?;
            let optimizer = Object::new(self, self.tree.find_key(optimizer)?);
            let slot = optimizer.slot_variables().find(|slot| {
                slot.original.id() == original && escape_local_name(slot.slot_name) == slot_name
            });
            slot.map(|slot| slot.variable)
                .ok_or_else(|| Error::not_found(format!("slot variable `{}`", Printable(key))))
        };
        Some(find())
    }

    /// Walks all objects in the order of their numbers.
    pub fn objects(&self) -> impl ExactSizeIterator<Item = Object<'_>> {
        (0..self.len()).map(|id| Object::new(self, id))
    }

    /// Walks the objects that the root leads to, breadth first, each once and with the shortest of
    /// its names. Slot variables of optimizers, for one, have no name.
    pub fn paths(&self) -> impl ExactSizeIterator<Item = (ObjectPath<'_>, Object<'_>)> {
        let walk = self.tree.walk();
        walk.map(|(id, path)| (path, Object::new(self, id)))
    }

    /// Walks all variables in the order of their objects' numbers, slot variables included.
    pub fn variables(&self) -> impl Iterator<Item = Variable<'_>> {
        self.objects().filter_map(Object::variable)
    }

    /// Finds a variable by one of its names, as [`object`](Self::object) does. Its key leads to its
    /// value:
    ///
    /// ```
    /// use savedmodel::SavedModel;
    ///
    /// let model = SavedModel::open("tests/fixtures/keras3_saved")?;
    /// let objects = model.object_graph()?.expect("TensorFlow 2 saved it");
    /// let kernel = objects.variable("root._operations[1]._kernel")?;
    /// let key = kernel.checkpoint_key().expect("it is stored with the model");
    /// let values = model.variables()?.tensor(key)?.values::<f32>()?.into_owned();
    /// assert_eq!(values.len(), 24);
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`object`](Self::object), and `InvalidArgument` if the object is no variable.
    pub fn variable(&self, path: &str) -> Result<Variable<'_>> {
        let object = self.object(path)?;
        object.variable().ok_or_else(|| {
            Error::invalid_argument(format!(
                "object `{}` is no variable but {}",
                Printable(path),
                object.kind().name()
            ))
        })
    }

    /// Returns the variables that training changes: those that the root lists under
    /// `trainable_variables`, as Keras models do, or else all whose flag says so, but no slot
    /// variables.
    pub fn trainable_variables(&self) -> Vec<Variable<'_>> {
        match self.root().child("trainable_variables") {
            Some(list) if list.is_list() => list.elements().filter_map(Object::variable).collect(),
            _ => {
                let reachable = |variable: &Variable<'_>| variable.object().path().is_some();
                let variables = self.variables().filter(Variable::trainable);
                variables.filter(reachable).collect()
            }
        }
    }

    /// Returns the functions that compute the losses of Keras' regularizers: those that the root
    /// lists under `regularization_losses`.
    pub fn regularization_losses(&self) -> Vec<Object<'_>> {
        match self.root().child("regularization_losses") {
            Some(list) if list.is_list() => list.elements().collect(),
            _ => Vec::new(),
        }
    }

    /// Walks the slot variables of all optimizers: what they keep for each variable, as a momentum.
    pub fn slot_variables(&self) -> impl Iterator<Item = SlotVariable<'_>> {
        self.objects().flat_map(Object::slot_variables)
    }

    /// Walks the signatures: the functions that the root's `signatures` holds by key. The arguments
    /// of each are [keywords](BareConcreteFunction::argument_keywords).
    pub fn signatures(&self) -> impl Iterator<Item = (&str, BareConcreteFunction<'_>)> {
        let map = self.root().child("signatures").filter(|map| {
            matches!(map.kind(), ObjectKind::User(user) if user.identifier() == identifier::SIGNATURE_MAP)
        });
        let children = map.into_iter().flat_map(Object::children);
        children.filter_map(|(name, child)| match child.kind() {
            ObjectKind::BareConcreteFunction(function) => Some((name, function)),
            _ => None,
        })
    }

    /// Returns the concrete function of that name in the graph's function library.
    ///
    /// # Errors
    ///
    /// `NotFound` if the object graph has none; `Malformed` if its message is damaged.
    pub fn concrete_function(&self, name: &str) -> Result<ConcreteFunction<'_>> {
        match self.functions.get_key_value(name) {
            Some((name, bytes)) => ConcreteFunction::decode(self, name, bytes),
            None => Err(Error::not_found(format!(
                "concrete function `{}` of the object graph",
                Printable(name)
            ))),
        }
    }

    /// Walks the names of all concrete functions, sorted as bytes.
    pub fn concrete_function_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.functions.keys().map(|name| &**name)
    }

    pub(super) fn has_concrete_function(&self, name: &str) -> bool {
        self.functions.contains_key(name)
    }
}

impl fmt::Debug for ObjectGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ObjectGraph({} objects, {} concrete functions)",
            self.len(),
            self.functions.len()
        )
    }
}

/// Returns the bytes of a field that must be a message, sharing them.
fn content(bytes: &Bytes, field: &Field<'_>) -> Result<Bytes> {
    match field.message() {
        Some(message) => Ok(bytes.slice_ref(message.bytes())),
        None => Err(not_a_message(field)),
    }
}

fn not_a_message(field: &Field<'_>) -> Error {
    let number = field.number();
    Error::malformed(format!(
        "field {number} is a number that should be a message"
    ))
    .at(field.offset())
}

/// Reads one entry of the map `concrete_functions`.
fn function_entry(bytes: &Bytes, field: &Field<'_>) -> Result<(Box<str>, Bytes)> {
    let (mut name, mut parts) = (Bytes::new(), Vec::new());
    let Some(entry) = field.message() else {
        return Err(not_a_message(field));
    };
    for part in entry.fields() {
        let part = part?;
        match part.number() {
            1 => name = content(bytes, &part)?,
            // Protobuf merges a message that is there more than once, which is to append it.
            2 => parts.push(content(bytes, &part)?),
            _ => {}
        }
    }
    let name = std::str::from_utf8(&name)
        .map_err(|_| Error::malformed("a function's name is not UTF-8").at(field.offset()))?;
    let function = match parts.len() {
        0 | 1 => parts.pop().unwrap_or_default(),
        _ => parts.concat().into(),
    };
    Ok((name.into(), function))
}

pub(super) fn undecodable(id: usize, error: prost::DecodeError, field: &Field<'_>) -> Error {
    Error::malformed(format!("object {id}: {error}")).at(field.offset())
}
