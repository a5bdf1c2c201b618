use std::collections::{BTreeMap, HashSet};

use prost::Message as _;
use prost::bytes::Bytes;

use super::checkpoint::{CheckpointGraph, read_object_graph};
use super::described_object::{
    Attribute, DescribedObject, DescribedReference, Kind, PYTHON_STATE, Slot, VARIABLE_VALUE,
};
use super::described_variable::DescribedVariable;
use super::graph::undecodable;
use super::object_tree::ObjectTree;
use crate::bundle::{BundleEntry, BundleReader, Key};
use crate::error::{Error, Result};
use crate::proto::RegisteredSaver;
use crate::proto::trackable_object_graph::TrackableObject;
use crate::tensor::Tensor;
use crate::wire::{Field, Message};

/// What a key can end with behind that of the attribute: nothing, or which tensor of a table it is.
const ENDINGS: [&str; 3] = ["", "-keys", "-values"];

impl ObjectTree {
    /// Reads the objects of a checkpoint, or of a model's variables, with all values, so that they
    /// can be changed and written again.
    ///
    /// Written unchanged it gives the bytes of a checkpoint that TensorFlow wrote as one shard. Keys
    /// stay as they are, also those of tensors that belong to no object, and so do fields that our
    /// schema does not have. Pieces of partitioned tensors are put together.
    ///
    /// ```
    /// # let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    /// use savedmodel::{BundleReader, BundleWriter, Tensor};
    /// use savedmodel::object_graph::ObjectTree;
    ///
    /// # let directory = std::env::temp_dir().join(format!("savedmodel-read-{}", std::process::id()));
    /// let bundle = BundleReader::open(format!("{fixtures}/keras2_slots/ckpt-1"))?;
    /// let mut tree = ObjectTree::read(&bundle)?;
    ///
    /// let bias = tree.object("model.layer-0.bias")?;
    /// let zeros = Tensor::from_slice([5], &[0f32; 5])?;
    /// tree.set_value(bias, zeros)?;
    /// tree.write(directory.join("reset"))?;
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no object graph, as in checkpoints of TensorFlow 1; `Malformed` if it is
    /// no such graph, if it leads to an object that it does not have, if the value of a variable is not
    /// in the bundle or that of another object too; `TooLarge` if tensors overlap in their shards so
    /// much that they take many times as much memory; what [`BundleReader::tensor`] answers.
    pub fn read(bundle: &BundleReader) -> Result<ObjectTree> {
        let graph = read_object_graph(bundle)?;
        let in_graph = |error: Error| {
            let error = error.for_key(CheckpointGraph::KEY.as_bytes());
            error.in_file(bundle.index_path())
        };
        let mut tree = decode(&graph).map_err(in_graph)?;
        let listing = bundle.entries().collect::<Result<BTreeMap<Key, _>>>()?;
        let mut total = 0;
        let mut read = |key: &Key, entry: &BundleEntry| {
            let tensor = bundle.tensor_of(key, entry)?;
            bundle.add_to(&mut total, &tensor)?;
            Ok::<_, Error>(tensor)
        };
        let mut taken = HashSet::from([CheckpointGraph::KEY.as_bytes()]);
        for object in &mut tree.objects {
            for attribute in &mut object.attributes {
                let key = attribute.key.as_deref().unwrap_or_default();
                for ending in ENDINGS {
                    let whole = format!("{key}{ending}");
                    let Some((stored, entry)) = listing.get_key_value(whole.as_bytes()) else {
                        continue;
                    };
                    if !taken.insert(stored.as_bytes()) {
                        let error = Error::malformed("two values of objects have this key");
                        return Err(error.for_key(stored).in_file(bundle.index_path()));
                    }
                    let value = read(stored, entry)?;
                    attribute.parts.push((ending.into(), Some(value)));
                }
                if attribute.parts.is_empty() && *attribute.name == *VARIABLE_VALUE {
                    let error = Error::malformed("a variable's value is not in the bundle");
                    return Err(error.for_key(key.as_bytes()).in_file(bundle.index_path()));
                }
            }
            object.kind = kind(object);
        }
        for (key, entry) in &listing {
            if !taken.contains(key.as_bytes()) {
                tree.others.push((key.clone(), read(key, entry)?));
            }
        }
        tree.index_edges();
        Ok(tree)
    }
}

/// Reads what is in the message; no tensors, and all objects are modules.
fn decode(bytes: &Bytes) -> Result<ObjectTree> {
    let mut objects = Vec::new();
    let mut unknown = Vec::new();
    for field in Message::new(bytes).fields() {
        let field = field?;
        match (field.number(), field.message()) {
            (1, Some(message)) => objects.push(object(objects.len(), message, &field)?),
            _ => unknown.extend_from_slice(field.raw()),
        }
    }
    if objects.is_empty() || i32::try_from(objects.len()).is_err() {
        return Err(Error::malformed(format!(
            "an object graph of {} objects",
            objects.len()
        )));
    }
    for (index, object) in objects.iter().enumerate() {
        let children = object.children.iter().map(|child| child.child);
        let slots = object.slots.iter();
        let slots = slots.flat_map(|slot| [slot.original, slot.variable]);
        // A negative number became one that is too large.
        if let Some(missing) = children
            .chain(slots)
            .find(|&id| id as usize >= objects.len())
        {
            return Err(Error::malformed(format!(
                "object {index} leads to object {}, but there are {} objects",
                missing as i32,
                objects.len()
            )));
        }
    }
    let mut tree = ObjectTree::with_objects(objects);
    tree.unknown = unknown.into();
    Ok(tree)
}

fn object(id: usize, message: Message<'_>, field: &Field<'_>) -> Result<DescribedObject> {
    let proto =
        TrackableObject::decode(message.bytes()).map_err(|error| undecodable(id, error, field))?;
    let mut object = DescribedObject::new(Kind::Module);
    object.is_stored = true;
    let mut unknown_children = unknown_of_each(message, 1, 2)?;
    object.children = proto
        .children
        .into_iter()
        .map(|child| DescribedReference {
            local_name: child.local_name.into(),
            child: child.node_id as u32,
            unknown: unknown_children.next().unwrap_or_default(),
        })
        .collect();
    let mut unknown_attributes = unknown_of_each(message, 2, 3)?;
    object.attributes = proto
        .attributes
        .into_iter()
        .map(|attribute| Attribute {
            name: attribute.name.into(),
            full_name: attribute.full_name.into(),
            key: Some(attribute.checkpoint_key.into()),
            parts: Vec::new(),
            unknown: unknown_attributes.next().unwrap_or_default(),
        })
        .collect();
    let mut unknown_slots = unknown_of_each(message, 3, 3)?;
    object.slots = proto
        .slot_variables
        .into_iter()
        .map(|slot| Slot {
            slot_name: slot.slot_name.into(),
            original: slot.original_variable_node_id as u32,
            variable: slot.slot_variable_node_id as u32,
            unknown: unknown_slots.next().unwrap_or_default(),
        })
        .collect();
    if let Some(saver) = proto.registered_saver {
        let saver = RegisteredSaver {
            name: saver.name,
            object_name: saver.object_name,
        };
        // Of a singular message in pieces the unknown fields of all are kept.
        let unknown: Vec<Box<[u8]>> = unknown_of_each(message, 4, 2)?.collect();
        object.registered_saver = Some(Box::new((saver, unknown.concat().into())));
    }
    object.unknown = unknown_fields(message, 5)?;
    Ok(object)
}

/// Returns for each message that is field `number` those fields whose numbers are above `known`.
fn unknown_of_each(
    message: Message<'_>,
    number: u32,
    known: u32,
) -> Result<impl Iterator<Item = Box<[u8]>>> {
    let mut unknown = Vec::new();
    for field in message.fields() {
        let field = field?;
        if let Some(message) = field.message().filter(|_| field.number() == number) {
            unknown.push(unknown_fields(message, known)?);
        }
    }
    Ok(unknown.into_iter())
}

fn unknown_fields(message: Message<'_>, known: u32) -> Result<Box<[u8]>> {
    let mut unknown = Vec::new();
    for field in message.fields() {
        let field = field?;
        if field.number() > known {
            unknown.extend_from_slice(field.raw());
        }
    }
    Ok(unknown.into())
}

/// Says what an object is, as far as a checkpoint tells.
fn kind(object: &DescribedObject) -> Kind {
    let value = |name: &str| -> Option<&Tensor> {
        let mut attributes = object.attributes.iter();
        let attribute = attributes.find(|attribute| *attribute.name == *name)?;
        attribute.parts.first()?.1.as_ref()
    };
    if let Some(value) = value(VARIABLE_VALUE) {
        return Kind::Variable(Box::new(DescribedVariable::new(value.clone()).traits));
    }
    if value(PYTHON_STATE).is_some() {
        return Kind::PythonState;
    }
    let mut children = object.children.iter().enumerate();
    match !object.children.is_empty()
        && children.all(|(place, child)| *child.local_name == *place.to_string())
    {
        true => Kind::List,
        false => Kind::Module,
    }
}
