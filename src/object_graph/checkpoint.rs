use std::collections::{HashMap, HashSet};
use std::fmt;

use prost::Message as _;
use prost::bytes::Bytes;

use super::graph::{ObjectGraph, undecodable};
use super::object::references;
use super::path::{
    ATTRIBUTES, Container, Node, OPTIMIZER_SLOT, ObjectPath, Tree, escape_local_name, is_index,
};
use crate::bundle::BundleReader;
use crate::error::{Error, Result};
use crate::proto::trackable_object_graph::TrackableObject;
use crate::proto::trackable_object_graph::trackable_object::{
    SerializedTensor, SlotVariableReference,
};
use crate::tensor::DType;
use crate::wire::Message;

/// The objects of a TensorFlow 2 checkpoint, as the checkpoint itself describes them: its
/// `TrackableObjectGraph`.
///
/// It says which keys of the bundle belong to which object, under all names that the object has,
/// but not what kind of object that is.
///
/// ```
/// # let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
/// use savedmodel::BundleReader;
/// use savedmodel::object_graph::CheckpointGraph;
///
/// let bundle = BundleReader::open(format!("{fixtures}/keras2_slots/ckpt-1"))?;
/// let graph = CheckpointGraph::read(&bundle)?;
///
/// let kernel = graph.object("model/layer-0/kernel")?;
/// let key = kernel.checkpoint_key().unwrap();
/// assert_eq!(bundle.tensor(key)?.shape().dims(), [4, 5]);
///
/// let slots: Vec<_> = graph.object("optimizer")?.slot_variables().collect();
/// assert_eq!((slots[0].slot_name, slots[0].original), ("m", kernel));
/// # Ok::<(), savedmodel::Error>(())
/// ```
pub struct CheckpointGraph {
    tree: Tree,
    objects: Vec<StoredObject>,
}

struct StoredObject {
    attributes: Box<[SerializedTensor]>,
    slot_variables: Box<[SlotVariableReference]>,
    registered_saver: Option<Box<(String, String)>>,
}

/// One object of a checkpoint: a view of a [`CheckpointGraph`].
#[derive(Clone, Copy)]
pub struct CheckpointObject<'g> {
    graph: &'g CheckpointGraph,
    id: usize,
}

/// Something that a checkpoint stores of an object, as one tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointAttribute<'g> {
    /// What it is: `VARIABLE_VALUE`, `table-keys`.
    pub name: &'g str,
    /// The name that a variable had in Python; empty for anything else.
    pub full_name: &'g str,
    /// The key of the tensor in the bundle.
    pub checkpoint_key: &'g str,
}

/// What an optimizer keeps for a variable, in a checkpoint.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointSlotVariable<'g> {
    /// The optimizer.
    pub optimizer: CheckpointObject<'g>,
    /// What is kept: `momentum`, `m`, `v`.
    pub slot_name: &'g str,
    /// The variable for which it is kept.
    pub original: CheckpointObject<'g>,
    /// The variable that keeps it.
    pub variable: CheckpointObject<'g>,
}

impl CheckpointGraph {
    /// The key of the object graph in a bundle.
    pub const KEY: &'static str = "_CHECKPOINTABLE_OBJECT_GRAPH";

    /// Reads the object graph of a checkpoint, or of a SavedModel's variables.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none, as in checkpoints of TensorFlow 1; `Malformed` if it is no such
    /// graph; what [`BundleReader::tensor`] answers.
    pub fn read(bundle: &BundleReader) -> Result<CheckpointGraph> {
        let graph = read_object_graph(bundle)?;
        CheckpointGraph::decode(&graph).map_err(|error| {
            let error = error.for_key(Self::KEY.as_bytes());
            error.in_file(bundle.index_path())
        })
    }

    /// Reads a serialized `TrackableObjectGraph`.
    ///
    /// # Errors
    ///
    /// `Malformed` if the bytes are no such message, or there is no object.
    pub fn decode(bytes: &Bytes) -> Result<CheckpointGraph> {
        let (mut nodes, mut objects) = (Vec::new(), Vec::new());
        for field in Message::new(bytes).fields() {
            let field = field?;
            let (1, Some(message)) = (field.number(), field.message()) else {
                continue;
            };
            let object = TrackableObject::decode(message.bytes())
                .map_err(|error| undecodable(objects.len(), error, &field))?;
            let children = references(object.children);
            let is_list =
                !children.is_empty() && children.iter().all(|child| is_index(&child.local_name));
            nodes.push(Node {
                children,
                container: match is_list {
                    true => Container::List,
                    false => Container::Attributes,
                },
            });
            objects.push(StoredObject {
                attributes: object.attributes.into(),
                slot_variables: object.slot_variables.into(),
                registered_saver: object
                    .registered_saver
                    .map(|saver| Box::new((saver.name, saver.object_name))),
            });
        }
        Ok(CheckpointGraph {
            tree: Tree::new(nodes)?,
            objects,
        })
    }

    /// Returns the number of objects, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "there is always a root")]
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Returns the object that was saved, which holds all others.
    pub fn root(&self) -> CheckpointObject<'_> {
        CheckpointObject { graph: self, id: 0 }
    }

    /// Returns the object of that number, if there is one.
    pub fn get(&self, id: usize) -> Option<CheckpointObject<'_>> {
        (id < self.len()).then_some(CheckpointObject { graph: self, id })
    }

    /// Finds an object by one of its names, as [`ObjectGraph::object`] does.
    ///
    /// # Errors
    ///
    /// As for [`ObjectGraph::object`].
    pub fn object(&self, path: &str) -> Result<CheckpointObject<'_>> {
        let id = self.tree.find(path)?;
        Ok(CheckpointObject { graph: self, id })
    }

    /// Walks all objects in the order of their numbers.
    pub fn objects(&self) -> impl ExactSizeIterator<Item = CheckpointObject<'_>> {
        (0..self.len()).map(|id| CheckpointObject { graph: self, id })
    }

    /// Walks the slot variables of all optimizers.
    pub fn slot_variables(&self) -> impl Iterator<Item = CheckpointSlotVariable<'_>> {
        self.objects().flat_map(CheckpointObject::slot_variables)
    }
}

/// Returns the serialized object graph of a bundle.
pub(super) fn read_object_graph(bundle: &BundleReader) -> Result<Bytes> {
    const KEY: &str = CheckpointGraph::KEY;
    let tensor = bundle.tensor(KEY)?;
    let graph = match (tensor.dtype(), tensor.strings()) {
        (DType::STRING, Some(strings)) if strings.len() == 1 => strings.get_shared(0),
        _ => None,
    };
    graph.ok_or_else(|| {
        Error::malformed(format!(
            "a checkpoint's object graph is one string, but this is {} {}",
            tensor.dtype(),
            tensor.shape()
        ))
        .for_key(KEY.as_bytes())
        .in_file(bundle.index_path())
    })
}

impl fmt::Debug for CheckpointGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckpointGraph({} objects)", self.len())
    }
}

impl<'g> CheckpointObject<'g> {
    /// Returns the object's number, 0 for the root.
    pub fn id(self) -> usize {
        self.id
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
    pub fn children(self) -> impl Iterator<Item = (&'g str, CheckpointObject<'g>)> {
        let graph = self.graph;
        graph
            .tree
            .children(self.id)
            .iter()
            .filter_map(move |child| Some((&*child.local_name, graph.at(child.node_id)?)))
    }

    /// Returns what the object holds under that name.
    pub fn child(self, name: &str) -> Option<CheckpointObject<'g>> {
        let id = self.graph.tree.child(self.id, name).ok()??;
        self.graph.get(id)
    }

    /// Walks what is stored of the object.
    pub fn attributes(self) -> impl ExactSizeIterator<Item = CheckpointAttribute<'g>> {
        let attributes = self.graph.objects[self.id].attributes.iter();
        attributes.map(|attribute| CheckpointAttribute {
            name: &attribute.name,
            full_name: &attribute.full_name,
            checkpoint_key: &attribute.checkpoint_key,
        })
    }

    /// Returns the key of its value, if it is a variable.
    pub fn checkpoint_key(self) -> Option<&'g str> {
        let mut attributes = self.attributes();
        let value = attributes.find(|attribute| attribute.name == "VARIABLE_VALUE")?;
        Some(value.checkpoint_key)
    }

    /// Walks the slot variables of an optimizer.
    pub fn slot_variables(self) -> impl Iterator<Item = CheckpointSlotVariable<'g>> {
        let graph = self.graph;
        let slots = graph.objects[self.id].slot_variables.iter();
        slots.filter_map(move |slot| {
            Some(CheckpointSlotVariable {
                optimizer: self,
                slot_name: &slot.slot_name,
                original: graph.at(slot.original_variable_node_id)?,
                variable: graph.at(slot.slot_variable_node_id)?,
            })
        })
    }

    /// Returns the class that saved the object in its own way, and the name it gave the object.
    pub fn registered_saver(self) -> Option<(&'g str, &'g str)> {
        let saver = self.graph.objects[self.id].registered_saver.as_deref()?;
        Some((&saver.0, &saver.1))
    }
}

impl CheckpointSlotVariable<'_> {
    /// Returns the key that TensorFlow gives the slot variable's value: the variable's path, the
    /// optimizer's and the name of the slot. `None` if the root leads to one of them not.
    pub fn expected_key(&self) -> Option<String> {
        let (original, optimizer) = (self.original.path()?, self.optimizer.path()?);
        Some(format!(
            "{}{OPTIMIZER_SLOT}{}/{}{ATTRIBUTES}VARIABLE_VALUE",
            original.to_key(),
            optimizer.to_key(),
            escape_local_name(self.slot_name)
        ))
    }
}

/// Two objects are equal if they are the same one of the same graph.
impl PartialEq for CheckpointObject<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.graph, other.graph) && self.id == other.id
    }
}

impl Eq for CheckpointObject<'_> {}

impl fmt::Debug for CheckpointObject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path() {
            Some(path) => write!(f, "CheckpointObject({}, {path})", self.id),
            None => write!(f, "CheckpointObject({})", self.id),
        }
    }
}

impl CheckpointGraph {
    fn at(&self, node_id: i32) -> Option<CheckpointObject<'_>> {
        self.get(self.tree.index(node_id)?)
    }
}

/// Which object of a model is restored from what.
pub(super) enum Matches {
    /// From these objects of a checkpoint; indexed by the model's objects.
    ByEdges(Vec<Option<u32>>),
    /// From the keys that are the names of these variables.
    ByName(HashSet<usize>),
}

impl Matches {
    pub(super) fn object(&self, id: usize) -> Option<usize> {
        match self {
            Matches::ByEdges(matches) => matches.get(id)?.map(|id| id as usize),
            Matches::ByName(_) => None,
        }
    }

    pub(super) fn is_named(&self, id: usize) -> bool {
        matches!(self, Matches::ByName(named) if named.contains(&id))
    }

    /// Walks both graphs at once from their roots. The first checkpoint object that an object is
    /// bound to is the one it is restored from; later ones only lead on.
    pub(super) fn by_edges(graph: &ObjectGraph, checkpoint: &CheckpointGraph) -> Matches {
        let mut walk = Walk {
            graph,
            checkpoint,
            bound: vec![None; checkpoint.len()],
            matches: vec![None; graph.len()],
            queue: Vec::new(),
            edges: edges(graph),
        };
        walk.bind(0, 0);
        let mut next = 0;
        while let Some(&id) = walk.queue.get(next) {
            next += 1;
            walk.bind_children(id);
        }
        walk.bind_slot_variables();
        Matches::ByEdges(walk.matches)
    }

    pub(super) fn by_name(graph: &ObjectGraph, bundle: &BundleReader) -> Result<Matches> {
        let mut named = HashSet::new();
        for variable in graph.variables() {
            if !variable.name().is_empty() && bundle.contains(variable.name())? {
                named.insert(variable.object().id());
            }
        }
        Ok(Matches::ByName(named))
    }
}

struct Walk<'a> {
    graph: &'a ObjectGraph,
    checkpoint: &'a CheckpointGraph,
    /// For each object of the checkpoint the model's.
    bound: Vec<Option<u32>>,
    /// For each object of the model the checkpoint's.
    matches: Vec<Option<u32>>,
    /// Objects of the checkpoint whose children have not been looked at.
    queue: Vec<usize>,
    /// All edges of the model. One map for all of them: many objects of a checkpoint may be bound to
    /// one and the same object, whose children are then not looked through again for each.
    edges: HashMap<(u32, &'a str), i32>,
}

fn edges(graph: &ObjectGraph) -> HashMap<(u32, &str), i32> {
    let children = |id: usize| graph.tree.children(id).iter();
    (0..graph.len())
        .flat_map(|id| {
            children(id).map(move |child| ((id as u32, &*child.local_name), child.node_id))
        })
        .collect()
}

impl Walk<'_> {
    fn bind(&mut self, id: usize, object: usize) {
        if self.bound[id].is_none() {
            self.bound[id] = Some(object as u32);
            self.matches[object].get_or_insert(id as u32);
            self.queue.push(id);
        }
    }

    fn bind_children(&mut self, id: usize) {
        let Some(object) = self.bound[id] else { return };
        let (checkpoint, graph) = (self.checkpoint, self.graph);
        for child in checkpoint.tree.children(id) {
            let theirs = checkpoint.tree.index(child.node_id);
            let ours = self.edges.get(&(object, &*child.local_name));
            let ours = ours.and_then(|&node_id| graph.tree.index(node_id));
            if let (Some(theirs), Some(ours)) = (theirs, ours) {
                self.bind(theirs, ours);
            }
        }
    }

    fn bind_slot_variables(&mut self) {
        let graph = self.graph;
        let slots: HashMap<(usize, usize, &str), usize> = graph
            .slot_variables()
            .map(|slot| {
                let key = (slot.optimizer.id(), slot.original.id(), slot.slot_name);
                (key, slot.variable.id())
            })
            .collect();
        for slot in self.checkpoint.slot_variables() {
            let optimizer = self.bound[slot.optimizer.id];
            let original = self.bound[slot.original.id];
            if let (Some(optimizer), Some(original)) = (optimizer, original)
                && let Some(&variable) =
                    slots.get(&(optimizer as usize, original as usize, slot.slot_name))
            {
                self.bind(slot.variable.id, variable);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::saved_object::Kind;
    use crate::proto::trackable_object_graph::trackable_object::ObjectReference;
    use crate::proto::{SavedObject, SavedObjectGraph, SavedUserObject, TrackableObjectGraph};

    type Edges<'a> = &'a [(&'a str, i32)];

    fn children(children: Edges<'_>) -> Vec<ObjectReference> {
        let reference = |(name, node_id): &(&str, i32)| ObjectReference {
            node_id: *node_id,
            local_name: (*name).to_owned(),
        };
        children.iter().map(reference).collect()
    }

    fn slot(original: i32, slot_name: &str, variable: i32) -> Vec<SlotVariableReference> {
        vec![SlotVariableReference {
            original_variable_node_id: original,
            slot_name: slot_name.to_owned(),
            slot_variable_node_id: variable,
        }]
    }

    fn model(nodes: &[(Edges<'_>, Vec<SlotVariableReference>)]) -> ObjectGraph {
        let nodes = nodes.iter().map(|(edges, slot_variables)| SavedObject {
            children: children(edges),
            slot_variables: slot_variables.clone(),
            kind: Some(Kind::UserObject(SavedUserObject::default())),
            ..Default::default()
        });
        let graph = SavedObjectGraph {
            nodes: nodes.collect(),
            ..Default::default()
        };
        ObjectGraph::decode(&graph.encode_to_vec().into()).unwrap()
    }

    fn checkpoint(nodes: &[(Edges<'_>, Vec<SlotVariableReference>)]) -> CheckpointGraph {
        let nodes = nodes.iter().map(|(edges, slot_variables)| TrackableObject {
            children: children(edges),
            slot_variables: slot_variables.clone(),
            ..Default::default()
        });
        let graph = TrackableObjectGraph {
            nodes: nodes.collect(),
        };
        CheckpointGraph::decode(&graph.encode_to_vec().into()).unwrap()
    }

    fn matches(model: &ObjectGraph, checkpoint: &CheckpointGraph) -> Vec<Option<usize>> {
        let matches = Matches::by_edges(model, checkpoint);
        (0..model.len()).map(|id| matches.object(id)).collect()
    }

    #[test]
    fn objects_match_by_edges_and_not_by_number() {
        let model = model(&[
            (&[("opt", 1), ("w", 2), ("new", 4), ("self", 0)], vec![]),
            (&[], slot(2, "m", 3)),
            (&[], vec![]),
            (&[], vec![]),
            (&[], vec![]),
        ]);
        let checkpoint = checkpoint(&[
            (
                &[("old", 1), ("w", 4), ("opt", 3), ("self", 0), ("gone", 77)],
                vec![],
            ),
            (&[("w", 4)], vec![]),
            (&[], vec![]),
            (&[], slot(4, "m", 2)),
            (&[], vec![]),
        ]);
        assert_eq!(
            matches(&model, &checkpoint),
            [Some(0), Some(3), Some(4), Some(2), None]
        );
    }

    #[test]
    fn a_variable_of_two_names_is_restored_from_the_first_object_met() {
        let model = model(&[(&[("a", 1), ("b", 1)], vec![]), (&[], vec![])]);
        let apart = [
            (&[("b", 2), ("a", 1)][..], vec![]),
            (&[][..], vec![]),
            (&[][..], vec![]),
        ];
        assert_eq!(matches(&model, &checkpoint(&apart)), [Some(0), Some(2)]);
    }
}
