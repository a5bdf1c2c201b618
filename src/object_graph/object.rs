use std::fmt;

use super::checkpoint::CheckpointObject;
use super::function::{BareConcreteFunction, Function};
use super::graph::ObjectGraph;
use super::identifier;
use super::path::{Container, Node, ObjectPath, Reference, is_index};
use super::variable::{SlotVariable, StoredVariable, Variable};
use crate::error::Result;
use crate::proto::saved_object::Kind;
use crate::proto::trackable_object_graph::trackable_object::{
    ObjectReference, SlotVariableReference,
};
use crate::proto::{
    CapturedTensor, SavedBareConcreteFunction, SavedFunction, SavedObject, SavedUserObject,
    VersionDef,
};

/// One saved Python object: a view of an [`ObjectGraph`].
#[derive(Clone, Copy)]
pub struct Object<'g> {
    pub(super) graph: &'g ObjectGraph,
    id: usize,
}

/// What an object is; each kind with what only such objects have.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ObjectKind<'g> {
    /// An object of a Python class: a module, a list, a dict, an optimizer.
    User(UserObject<'g>),
    /// A file that belongs to the model.
    Asset {
        /// The index of the file in the meta graph's `asset_file_def`; not checked.
        asset_file_def_index: i32,
    },
    /// A `tf.function` with all its traces.
    Function(Function<'g>),
    /// A variable.
    Variable(Variable<'g>),
    /// One trace of a function, to be called by itself, as signatures are.
    BareConcreteFunction(BareConcreteFunction<'g>),
    /// A constant tensor.
    Constant {
        /// The name of the `Const` node in the main graph that holds the value.
        operation: &'g str,
    },
    /// A lookup table or the like, made by a function when the model is loaded.
    Resource {
        /// Where it is to be made; often empty.
        device: &'g str,
    },
    /// A tensor inside of another function, which a custom gradient needs.
    CapturedTensor {
        /// The tensor in that function.
        name: &'g str,
        /// The name of that function.
        concrete_function: &'g str,
    },
    /// None of these. TensorFlow refuses to load such a model.
    Unknown,
}

impl ObjectKind<'_> {
    /// Returns the name of the kind's field in `SavedObject`, as `user_object`; `unknown` if there
    /// is none.
    pub fn name(&self) -> &'static str {
        match self {
            ObjectKind::User(_) => "user_object",
            ObjectKind::Asset { .. } => "asset",
            ObjectKind::Function(_) => "function",
            ObjectKind::Variable(_) => "variable",
            ObjectKind::BareConcreteFunction(_) => "bare_concrete_function",
            ObjectKind::Constant { .. } => "constant",
            ObjectKind::Resource { .. } => "resource",
            ObjectKind::CapturedTensor { .. } => "captured_tensor",
            ObjectKind::Unknown => "unknown",
        }
    }
}

/// What is saved of an object of a Python class.
#[derive(Clone, Copy)]
pub struct UserObject<'g> {
    proto: &'g SavedUserObject,
}

impl<'g> UserObject<'g> {
    /// Returns which class it is: one of the names in [`identifier`], or another.
    pub fn identifier(self) -> &'g str {
        &self.proto.identifier
    }

    /// Returns the version of what is saved of it. TensorFlow revives an object without one as a
    /// generic object.
    pub fn version(self) -> Option<&'g VersionDef> {
        self.proto.version.as_ref()
    }

    /// Returns what the class saved about itself: JSON of Keras up to TensorFlow 2.4, or nothing.
    pub fn metadata(self) -> &'g str {
        &self.proto.metadata
    }
}

impl fmt::Debug for UserObject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserObject({:?})", self.identifier())
    }
}

/// The pair of functions that save and restore what an object holds besides variables.
#[derive(Clone, Copy, Debug)]
pub struct Saveable<'g> {
    /// The name under which the object knows them; `.TENSORS` or that of a factory, as `table`.
    pub name: &'g str,
    /// The function that returns what is to be saved.
    pub save_function: Object<'g>,
    /// The function that is given what was saved.
    pub restore_function: Object<'g>,
}

impl<'g> Object<'g> {
    pub(super) fn new(graph: &'g ObjectGraph, id: usize) -> Self {
        Object { graph, id }
    }

    /// Returns the object's number, 0 for the root.
    pub fn id(self) -> usize {
        self.id
    }

    /// Returns the graph that the object is of.
    pub fn graph(self) -> &'g ObjectGraph {
        self.graph
    }

    /// Returns what the object is.
    pub fn kind(self) -> ObjectKind<'g> {
        match &self.stored().kind {
            StoredKind::User(proto) => ObjectKind::User(UserObject { proto }),
            StoredKind::Asset(index) => ObjectKind::Asset {
                asset_file_def_index: *index,
            },
            StoredKind::Function(proto) => ObjectKind::Function(Function::new(self, proto)),
            StoredKind::Variable(stored) => ObjectKind::Variable(Variable::new(self, stored)),
            StoredKind::BareConcreteFunction(proto) => {
                ObjectKind::BareConcreteFunction(BareConcreteFunction::new(self, proto))
            }
            StoredKind::Constant(operation) => ObjectKind::Constant { operation },
            StoredKind::Resource(device) => ObjectKind::Resource { device },
            StoredKind::CapturedTensor(proto) => ObjectKind::CapturedTensor {
                name: &proto.name,
                concrete_function: &proto.concrete_function,
            },
            StoredKind::Unknown => ObjectKind::Unknown,
        }
    }

    /// Returns the object as a variable, if it is one.
    pub fn variable(self) -> Option<Variable<'g>> {
        match self.kind() {
            ObjectKind::Variable(variable) => Some(variable),
            _ => None,
        }
    }

    /// Returns the object as a polymorphic function, if it is one.
    pub fn function(self) -> Option<Function<'g>> {
        match self.kind() {
            ObjectKind::Function(function) => Some(function),
            _ => None,
        }
    }

    /// Returns the shortest of the object's names, or `None` if the root does not lead to it.
    pub fn path(self) -> Option<ObjectPath<'g>> {
        self.graph.tree.shortest_path(self.id)
    }

    /// Returns all names of the object, the shortest first: one for each edge to it. Names that lead
    /// through the object itself are left out.
    pub fn paths(self) -> impl ExactSizeIterator<Item = ObjectPath<'g>> {
        self.graph.tree.paths(self.id)
    }

    /// Walks what the object holds, with names, in the order of the file.
    pub fn children(self) -> impl Iterator<Item = (&'g str, Object<'g>)> {
        let graph = self.graph;
        graph
            .tree
            .children(self.id)
            .iter()
            .filter_map(move |child| Some((&*child.local_name, graph.at(child.node_id)?)))
    }

    /// Returns what the object holds under that name.
    pub fn child(self, name: &str) -> Option<Object<'g>> {
        let child = self.graph.tree.child(self.id, name).ok()??;
        Some(Object::new(self.graph, child))
    }

    /// Says whether it is a list or tuple, whose children are named by index.
    pub fn is_list(self) -> bool {
        self.graph.tree.container(self.id) == Container::List
    }

    /// Says whether it is a dict or signature map, whose children are named by key.
    pub fn is_dict(self) -> bool {
        self.graph.tree.container(self.id) == Container::Dict
    }

    /// Walks the elements of a list or tuple by index. Nothing else has any.
    pub fn elements(self) -> impl Iterator<Item = Object<'g>> {
        let children = self.children().filter(move |_| self.is_list());
        let mut elements: Vec<(u64, Object<'g>)> = children
            .filter(|(name, _)| is_index(name))
            .filter_map(|(name, child)| Some((name.parse().ok()?, child)))
            .collect();
        elements.sort_by_key(|(index, _)| *index);
        elements.into_iter().map(|(_, element)| element)
    }

    /// Walks the objects that have to be made before this one, with the names under which it knows
    /// them.
    pub fn dependencies(self) -> impl Iterator<Item = (&'g str, Object<'g>)> {
        let graph = self.graph;
        self.extras()
            .map(|extras| &extras.dependencies[..])
            .unwrap_or_default()
            .iter()
            .filter_map(move |it| Some((it.local_name.as_str(), graph.at(it.node_id)?)))
    }

    /// Walks the slot variables of an optimizer.
    pub fn slot_variables(self) -> impl Iterator<Item = SlotVariable<'g>> {
        let graph = self.graph;
        self.extras()
            .map(|extras| &extras.slot_variables[..])
            .unwrap_or_default()
            .iter()
            .filter_map(move |slot| {
                Some(SlotVariable {
                    optimizer: self,
                    slot_name: &slot.slot_name,
                    original: graph.at(slot.original_variable_node_id)?,
                    variable: graph.at(slot.slot_variable_node_id)?,
                })
            })
    }

    /// Walks the functions that save and restore what the object holds besides variables.
    pub fn saveable_objects(self) -> impl Iterator<Item = Saveable<'g>> {
        let graph = self.graph;
        self.extras()
            .map(|extras| &extras.saveable_objects[..])
            .unwrap_or_default()
            .iter()
            .filter_map(move |(name, save, restore)| {
                Some(Saveable {
                    name,
                    save_function: graph.at(*save)?,
                    restore_function: graph.at(*restore)?,
                })
            })
    }

    /// Returns the name under which the Python class is registered, if it is.
    pub fn registered_name(self) -> Option<&'g str> {
        let extras = self.extras()?;
        (!extras.registered_name.is_empty()).then_some(&extras.registered_name)
    }

    /// Returns the name of the class that saves the object in its own way, if one does.
    pub fn registered_saver(self) -> Option<&'g str> {
        let extras = self.extras()?;
        (!extras.registered_saver.is_empty()).then_some(&extras.registered_saver)
    }

    /// Returns the message that a registered class saved, as the name of its type and its bytes.
    pub fn serialized_user_proto(self) -> Option<(&'g str, &'g [u8])> {
        let any = self.extras()?.serialized_user_proto.as_ref()?;
        Some((&any.type_url, &any.value))
    }

    /// Returns the object of the checkpoint that this one is restored from, if
    /// [`with_checkpoint`](ObjectGraph::with_checkpoint) found one.
    pub fn checkpoint_object(self) -> Option<CheckpointObject<'g>> {
        let checkpoint = self.graph.checkpoint.as_ref()?;
        let id = checkpoint.matches.object(self.id)?;
        self.graph.checkpoint()?.get(id)
    }

    /// Returns the keys under which the bundle holds what is stored of the object: `VARIABLE_VALUE`
    /// of a variable, `table-keys` and `table-values` of a table, each with its key. Empty without
    /// [`with_checkpoint`](ObjectGraph::with_checkpoint).
    pub fn checkpoint_keys(self) -> Vec<(&'g str, &'g str)> {
        match self.checkpoint_object() {
            Some(object) => object
                .attributes()
                .map(|attribute| (attribute.name, attribute.checkpoint_key))
                .collect(),
            None => Vec::new(),
        }
    }

    fn stored(self) -> &'g Stored {
        &self.graph.objects[self.id]
    }

    pub(super) fn extras(self) -> Option<&'g Extras> {
        self.stored().extras.as_deref()
    }
}

/// Two objects are equal if they are the same one of the same graph.
impl PartialEq for Object<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.graph, other.graph) && self.id == other.id
    }
}

impl Eq for Object<'_> {}

impl fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({}, {}", self.id, self.kind().name())?;
        match self.path() {
            Some(path) => write!(f, ", {path})"),
            None => f.write_str(")"),
        }
    }
}

impl ObjectGraph {
    /// Returns the object of a number that a file gave.
    pub(super) fn at(&self, node_id: i32) -> Option<Object<'_>> {
        Some(Object::new(self, self.tree.index(node_id)?))
    }
}

/// A `SavedObject` in less memory; its children are in the tree.
pub(super) struct Stored {
    pub(super) kind: StoredKind,
    extras: Option<Box<Extras>>,
}

pub(super) enum StoredKind {
    User(Box<SavedUserObject>),
    Asset(i32),
    Function(Box<SavedFunction>),
    Variable(Box<StoredVariable>),
    BareConcreteFunction(Box<SavedBareConcreteFunction>),
    Constant(Box<str>),
    Resource(Box<str>),
    CapturedTensor(Box<CapturedTensor>),
    Unknown,
}

/// What few objects have.
pub(super) struct Extras {
    pub(super) dependencies: Vec<ObjectReference>,
    pub(super) slot_variables: Vec<SlotVariableReference>,
    /// Name, save function, restore function.
    pub(super) saveable_objects: Vec<(Box<str>, i32, i32)>,
    registered_name: String,
    registered_saver: String,
    serialized_user_proto: Option<crate::proto::well_known::Any>,
}

impl Stored {
    pub(super) fn new(id: usize, object: SavedObject) -> Result<(Node, Stored)> {
        let container = match &object.kind {
            Some(Kind::UserObject(user)) => container(&user.identifier),
            _ => Container::Attributes,
        };
        let children = references(object.children);
        let extras = Extras {
            dependencies: object.dependencies,
            slot_variables: object.slot_variables,
            saveable_objects: object
                .saveable_objects
                .into_iter()
                .map(|entry| {
                    let functions = entry.value.unwrap_or_default();
                    (
                        entry.key.unwrap_or_default().into(),
                        functions.save_function,
                        functions.restore_function,
                    )
                })
                .collect(),
            registered_name: object.registered_name,
            registered_saver: object.registered_saver,
            serialized_user_proto: object.serialized_user_proto,
        };
        let kind = match object.kind {
            Some(Kind::UserObject(user)) => StoredKind::User(Box::new(user)),
            Some(Kind::Asset(asset)) => StoredKind::Asset(asset.asset_file_def_index),
            Some(Kind::Function(function)) => StoredKind::Function(function),
            Some(Kind::Variable(variable)) => {
                StoredKind::Variable(Box::new(StoredVariable::new(id, variable)?))
            }
            Some(Kind::BareConcreteFunction(function)) => {
                StoredKind::BareConcreteFunction(function)
            }
            Some(Kind::Constant(constant)) => StoredKind::Constant(constant.operation.into()),
            Some(Kind::Resource(resource)) => StoredKind::Resource(resource.device.into()),
            Some(Kind::CapturedTensor(tensor)) => StoredKind::CapturedTensor(Box::new(tensor)),
            None => StoredKind::Unknown,
        };
        let stored = Stored {
            kind,
            extras: (!extras.is_empty()).then(|| Box::new(extras)),
        };
        Ok((
            Node {
                children,
                container,
            },
            stored,
        ))
    }
}

impl Extras {
    fn is_empty(&self) -> bool {
        self.dependencies.is_empty()
            && self.slot_variables.is_empty()
            && self.saveable_objects.is_empty()
            && self.registered_name.is_empty()
            && self.registered_saver.is_empty()
            && self.serialized_user_proto.is_none()
    }
}

pub(super) fn references(references: Vec<ObjectReference>) -> Box<[Reference]> {
    references
        .into_iter()
        .map(|reference| Reference {
            node_id: reference.node_id,
            local_name: reference.local_name.into(),
        })
        .collect()
}

fn container(name: &str) -> Container {
    match name {
        identifier::LIST | identifier::TUPLE => Container::List,
        identifier::DICT | identifier::SIGNATURE_MAP => Container::Dict,
        _ => Container::Attributes,
    }
}
