use std::collections::{HashMap, HashSet};
use std::fmt;

use super::checkpoint::CheckpointGraph;
use super::described_object::{Attribute, Kind, PYTHON_STATE, Slot, VARIABLE_VALUE};
use super::object_tree::{ObjectTree, Trackable};
use super::path::{ATTRIBUTES, Node, OPTIMIZER_SLOT, Reference, Tree, escape_local_name};
use crate::bundle::{BundleWriter, Key};
use crate::error::{Error, ErrorKind, Printable, Result};
use crate::proto::trackable_object_graph::trackable_object::{
    ObjectReference, SerializedTensor, SlotVariableReference,
};
use crate::proto::well_known::BoolValue;
use crate::tensor::{Shape, Tensor};
use crate::wire::varint;

/// An [`ObjectTree`] in the form that a checkpoint has: keys with tensors, and the
/// `TrackableObjectGraph` that says whose they are.
///
/// ```
/// # use savedmodel::Tensor;
/// # use savedmodel::object_graph::{CheckpointGraph, Child, ObjectTree};
/// let mut tree = ObjectTree::new();
/// let net = tree.track(tree.root(), "net", Child::Module)?;
/// tree.track(net, "w/b.c", Tensor::scalar(1f32))?;
///
/// let serialized = tree.serialize()?;
/// let keys: Vec<_> = serialized.tensors().map(|(key, _)| key.to_string()).collect();
/// assert_eq!(keys, ["net/w.Sb..c/.ATTRIBUTES/VARIABLE_VALUE"]);
/// let graph = CheckpointGraph::decode(&serialized.object_graph().to_vec().into())?;
/// assert_eq!(graph.object("net['w/b.c']")?.id(), 2);
/// # Ok::<(), savedmodel::Error>(())
/// ```
pub struct SerializedTree<'t> {
    tensors: Vec<(Key, &'t Tensor)>,
    object_graph: Vec<u8>,
}

/// The values of a tree in the order of the data file, some of which may not be there yet.
pub(crate) struct TreeValues<'t> {
    pub(crate) values: Vec<TreeValue<'t>>,
    /// The serialized `TrackableObjectGraph`.
    pub(crate) object_graph: Vec<u8>,
}

pub(crate) struct TreeValue<'t> {
    pub(crate) key: Key,
    /// The variable whose value it is; `None` for what belongs to anything else.
    pub(crate) variable: Option<Trackable>,
    /// `None` for a variable that was given none.
    pub(crate) value: Option<&'t Tensor>,
}

impl ObjectTree {
    /// Numbers the objects, names their values and describes both in a `TrackableObjectGraph`, as
    /// `serialize_graph_view` in `tensorflow/python/checkpoint/save_util.py` does.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if a variable has no value, if an object was described and neither the root
    /// leads to it nor an optimizer has it as a slot variable, or if two values have the same key,
    /// which happens to keys of foreign writers only; `TooLarge` if the message is of 2 GiB, more than
    /// protobuf reads.
    pub fn serialize(&self) -> Result<SerializedTree<'_>> {
        let TreeValues {
            values,
            object_graph,
        } = self.serialize_values()?;
        let mut tensors = Vec::with_capacity(values.len());
        for TreeValue { key, value, .. } in values {
            let Some(value) = value else {
                return Err(Error::invalid_argument("the variable has no value")
                    .for_key(&key)
                    .remedy("give it one with `set_value`"));
            };
            tensors.push((key, value));
        }
        Ok(SerializedTree {
            tensors,
            object_graph,
        })
    }

    /// As [`serialize`](Self::serialize), of variables without a value too.
    pub(crate) fn serialize_values(&self) -> Result<TreeValues<'_>> {
        let numbering = Numbering::new(self)?;
        let (mut nodes, mut values, mut states) = (Vec::new(), Vec::new(), Vec::new());
        for &index in &numbering.order {
            for attribute in &self.objects[index as usize].attributes {
                let key = numbering.key(index, attribute)?;
                // What Python adds to the tensors of all other objects is the states.
                let values = match *attribute.name == *PYTHON_STATE {
                    true => &mut states,
                    false => &mut values,
                };
                let is_value = *attribute.name == *VARIABLE_VALUE;
                for (ending, value) in &attribute.parts {
                    values.push(TreeValue {
                        key: Key::from(&*format!("{key}{ending}")),
                        variable: is_value.then(|| self.trackable(index as usize)),
                        value: value.as_ref(),
                    });
                }
            }
            nodes.push(numbering.node(index)?);
        }
        let has_values = numbering.with_checkpoint_values();
        let mut object_graph = Vec::new();
        for ((mut node, has_values), &index) in
            nodes.into_iter().zip(has_values).zip(&numbering.order)
        {
            // The message is there either way: with false it is one without fields.
            put_message(&mut node, 5, &BoolValue { value: has_values }, &[]);
            node.extend_from_slice(&self.objects[index as usize].unknown);
            put_bytes(&mut object_graph, 1, &node);
        }
        object_graph.extend_from_slice(&self.unknown);
        if i32::try_from(object_graph.len()).is_err() {
            return Err(Error::new(ErrorKind::TooLarge {
                what: "the object graph, which is one message,".to_owned(),
                size: object_graph.len() as u64,
                limit: i32::MAX as u64,
            }));
        }
        values.append(&mut states);
        values.extend(self.others.iter().map(|(key, tensor)| TreeValue {
            key: key.clone(),
            variable: None,
            value: Some(tensor),
        }));
        check_unique(&values)?;
        Ok(TreeValues {
            values,
            object_graph,
        })
    }

    /// Adds all values and the object graph to a bundle, which may have or get other tensors.
    ///
    /// # Errors
    ///
    /// As for [`serialize`](Self::serialize), in which case nothing was added, and for
    /// [`BundleWriter::add`].
    pub fn write_into(&self, bundle: &mut BundleWriter) -> Result<()> {
        self.serialize()?.write_into(bundle)
    }
}

impl SerializedTree<'_> {
    /// Walks the tensors under their keys, in the order of the data file.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = (&Key, &Tensor)> {
        self.tensors.iter().map(|(key, tensor)| (key, *tensor))
    }

    /// Returns the serialized `TrackableObjectGraph`, which a bundle has last, under
    /// [`CheckpointGraph::KEY`].
    pub fn object_graph(&self) -> &[u8] {
        &self.object_graph
    }

    /// Adds all of it to a bundle.
    ///
    /// # Errors
    ///
    /// As for [`BundleWriter::add`].
    pub fn write_into(&self, bundle: &mut BundleWriter) -> Result<()> {
        let object_graph = Tensor::from_strings(Shape::SCALAR, [&self.object_graph])?;
        for (key, tensor) in self.tensors() {
            bundle.add(key, tensor)?;
        }
        bundle.add(CheckpointGraph::KEY, &object_graph)
    }
}

impl fmt::Debug for SerializedTree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerializedTree({} tensors)", self.tensors.len())
    }
}

/// Which number each object has in the file, and what its values are called.
pub(super) struct Numbering<'t> {
    tree: &'t ObjectTree,
    paths: Tree,
    /// The objects in the order of their numbers.
    order: Vec<u32>,
    /// How many of them the root leads to; they come first.
    reached: usize,
    /// The number of each object, -1 until it has one.
    numbers: Vec<i32>,
    /// The slots of each optimizer that has some, in the order of the file.
    slots: HashMap<u32, Vec<&'t Slot>>,
    /// For each slot variable what its key begins with.
    slot_paths: HashMap<u32, String>,
}

impl<'t> Numbering<'t> {
    pub(super) fn new(tree: &'t ObjectTree) -> Result<Self> {
        let nodes = tree.objects.iter().map(|object| Node {
            children: object
                .children
                .iter()
                .map(|child| Reference {
                    node_id: child.child as i32,
                    local_name: child.local_name.clone(),
                })
                .collect(),
            container: object.container(),
        });
        let mut numbering = Numbering {
            tree,
            paths: Tree::new(nodes.collect())?,
            order: Vec::with_capacity(tree.objects.len()),
            reached: 0,
            numbers: vec![-1; tree.objects.len()],
            slots: HashMap::new(),
            slot_paths: HashMap::new(),
        };
        let reached: Vec<u32> = numbering.paths.walk().map(|(id, _)| id as u32).collect();
        reached.iter().for_each(|&index| numbering.push(index));
        numbering.reached = numbering.order.len();
        for optimizer in reached {
            numbering.push_slots(optimizer);
        }
        numbering.push_rest()?;
        Ok(numbering)
    }

    fn push(&mut self, index: u32) {
        if self.number(index) < 0 {
            self.numbers[index as usize] = self.order.len() as i32;
            self.order.push(index);
        }
    }

    /// `serialize_slot_variables` in `tensorflow/python/checkpoint/util.py`: by the names of slots,
    /// and for each by the number of the variable that it is kept for.
    fn push_slots(&mut self, optimizer: u32) {
        let slots = &self.tree.objects[optimizer as usize].slots;
        if slots.is_empty() {
            return;
        }
        let mut places = HashMap::new();
        for slot in slots {
            let next = places.len();
            places.entry(&*slot.slot_name).or_insert(next);
        }
        let mut slots: Vec<&Slot> = slots.iter().collect();
        slots.sort_by_key(|slot| (places[&*slot.slot_name], self.number(slot.original)));
        for slot in &slots {
            self.push(slot.variable);
            let original = self.paths.shortest_path(slot.original as usize);
            let path = self.paths.shortest_path(optimizer as usize);
            if let (Some(original), Some(path)) = (original, path) {
                let path = format!(
                    "{}{OPTIMIZER_SLOT}{}/{}",
                    original.to_key(),
                    path.to_key(),
                    escape_local_name(&slot.slot_name)
                );
                self.slot_paths.entry(slot.variable).or_insert(path);
            }
        }
        self.slots.insert(optimizer, slots);
    }

    /// What a file has and nothing leads to stays in it, at the end.
    fn push_rest(&mut self) -> Result<()> {
        for (index, object) in self.tree.objects.iter().enumerate() {
            let index = index as u32;
            if !object.slots.is_empty() {
                let slots = || object.slots.iter().collect();
                self.slots.entry(index).or_insert_with(slots);
            }
            if self.number(index) < 0 && !object.is_stored {
                let what = match object.kind {
                    Kind::Variable(_) => "a variable",
                    Kind::List => "a list",
                    Kind::Dict => "a dict",
                    Kind::Tuple | Kind::NamedTuple { .. } => "a tuple",
                    Kind::PythonState => "a Python state",
                    Kind::Table => "a table",
                    Kind::Module => "a module",
                };
                return Err(Error::invalid_argument(format!(
                    "the root does not lead to object {index}, {what}, so TensorFlow would not save it"
                )));
            }
            self.push(index);
        }
        Ok(())
    }

    /// Returns the objects that the root leads to, in the order of their numbers.
    pub(super) fn reached(&self) -> &[u32] {
        &self.order[..self.reached]
    }

    pub(super) fn into_numbers(self) -> Vec<i32> {
        self.numbers
    }

    pub(super) fn number(&self, index: u32) -> i32 {
        self.numbers[index as usize]
    }

    /// Returns a `TrackableObject` up to its field 4.
    fn node(&self, index: u32) -> Result<Vec<u8>> {
        let object = &self.tree.objects[index as usize];
        let mut node = Vec::new();
        for child in &object.children {
            let reference = ObjectReference {
                node_id: self.number(child.child),
                local_name: child.local_name.to_string(),
            };
            put_message(&mut node, 1, &reference, &child.unknown);
        }
        for attribute in &object.attributes {
            let serialized = SerializedTensor {
                name: attribute.name.to_string(),
                full_name: attribute.full_name.to_string(),
                checkpoint_key: self.key(index, attribute)?,
            };
            put_message(&mut node, 2, &serialized, &attribute.unknown);
        }
        for slot in self.slots.get(&index).into_iter().flatten() {
            let reference = SlotVariableReference {
                original_variable_node_id: self.number(slot.original),
                slot_name: slot.slot_name.to_string(),
                slot_variable_node_id: self.number(slot.variable),
            };
            put_message(&mut node, 3, &reference, &slot.unknown);
        }
        if let Some(saver) = &object.registered_saver {
            put_message(&mut node, 4, &saver.0, &saver.1);
        }
        Ok(node)
    }

    /// Returns the key of an attribute, without the endings of its parts.
    pub(super) fn key(&self, index: u32, attribute: &Attribute) -> Result<String> {
        if let Some(key) = &attribute.key {
            return Ok(key.to_string());
        }
        let path = match self.paths.shortest_path(index as usize) {
            Some(path) => path.to_key(),
            None => match self.slot_paths.get(&index) {
                Some(path) => path.clone(),
                None => {
                    return Err(Error::invalid_argument(format!(
                        "the root does not lead to object {index}, so its attribute `{}` has no key",
                        Printable(&*attribute.name)
                    )));
                }
            },
        };
        Ok(format!("{path}{ATTRIBUTES}{}", attribute.name))
    }

    /// Says of each object, by number, whether it or anything below it has values
    /// (`add_checkpoint_values_check` in `tensorflow/python/checkpoint/util.py`).
    fn with_checkpoint_values(&self) -> Vec<bool> {
        let objects = &self.tree.objects;
        let mut parents = vec![Vec::new(); objects.len()];
        let mut has = vec![false; objects.len()];
        let mut left = Vec::new();
        for (index, object) in objects.iter().enumerate() {
            for child in &object.children {
                parents[child.child as usize].push(index);
            }
            let is_empty = object.attributes.is_empty() && object.slots.is_empty();
            if !is_empty || object.registered_saver.is_some() {
                has[index] = true;
                left.push(index);
            }
        }
        while let Some(index) = left.pop() {
            for &parent in &parents[index] {
                if !std::mem::replace(&mut has[parent], true) {
                    left.push(parent);
                }
            }
        }
        self.order
            .iter()
            .map(|&index| has[index as usize])
            .collect()
    }
}

fn check_unique(values: &[TreeValue<'_>]) -> Result<()> {
    let mut keys = HashSet::with_capacity(values.len() + 1);
    keys.insert(CheckpointGraph::KEY.as_bytes());
    for TreeValue { key, .. } in values {
        if !keys.insert(key) {
            let error = Error::invalid_argument("two values of the tree have this key");
            return Err(error.for_key(key));
        }
    }
    Ok(())
}

/// Appends a message as a field, its own fields first and `unknown` ones behind them.
fn put_message(out: &mut Vec<u8>, number: u32, message: &impl prost::Message, unknown: &[u8]) {
    varint::write_u64(out, u64::from(number << 3 | 2));
    varint::write_u64(out, (message.encoded_len() + unknown.len()) as u64);
    // A vector grows as needed, so that nothing can fail.
    let _ = message.encode(out);
    out.extend_from_slice(unknown);
}

fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    varint::write_u64(out, u64::from(number << 3 | 2));
    varint::write_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object_graph::{Child, DescribedVariable};

    #[test]
    fn numbers_are_breadth_first_and_slots_come_last() {
        let mut tree = ObjectTree::new();
        let root = tree.root();
        let variable = |name: &str| DescribedVariable::new(Tensor::scalar(1f32)).named(name);
        let optimizer = tree.track(root, "opt", Child::Module).unwrap();
        let deep = tree.track(optimizer, "x", Child::Dict).unwrap();
        let far = tree.track(deep, "far", variable("far")).unwrap();
        let near = tree.track(root, "near", variable("near")).unwrap();
        tree.track(near, "x", far).unwrap_err();
        // `v` first, though not alphabetic; for each name, the nearer variable first.
        tree.add_slot(optimizer, "v", far, variable("v of far"))
            .unwrap();
        tree.add_slot(optimizer, "m", far, variable("m of far"))
            .unwrap();
        tree.add_slot(optimizer, "v", near, variable("v of near"))
            .unwrap();
        let serialized = tree.serialize().unwrap();
        let keys = serialized.tensors().map(|(key, _)| key.to_string());
        let ending = "/.ATTRIBUTES/VARIABLE_VALUE";
        assert_eq!(
            keys.map(|key| key.replace(ending, "")).collect::<Vec<_>>(),
            [
                "near",
                "opt/x/far",
                "near/.OPTIMIZER_SLOT/opt/v",
                "opt/x/far/.OPTIMIZER_SLOT/opt/v",
                "opt/x/far/.OPTIMIZER_SLOT/opt/m",
            ]
        );
        let graph = CheckpointGraph::decode(&serialized.object_graph.clone().into()).unwrap();
        let slots = graph.slot_variables();
        let slots = slots.map(|slot| (slot.slot_name, slot.original.id(), slot.variable.id()));
        assert_eq!(
            slots.collect::<Vec<_>>(),
            [("v", 2, 5), ("v", 4, 6), ("m", 4, 7)]
        );
    }

    #[test]
    fn only_what_leads_to_a_value_has_values() {
        let mut tree = ObjectTree::new();
        let root = tree.root();
        let cycle = tree.track(root, "a", Child::Module).unwrap();
        tree.track(cycle, "a", cycle).unwrap();
        tree.track(root, "b", Child::List).unwrap();
        let leads = tree.track(root, "c", Child::Module).unwrap();
        tree.track(leads, "up", root).unwrap();
        tree.track(leads, "state", Child::PythonState("x".into()))
            .unwrap();
        let numbering = Numbering::new(&tree).unwrap();
        let has = numbering.with_checkpoint_values();
        assert_eq!(has, [true, false, false, true, true]);
    }
}
