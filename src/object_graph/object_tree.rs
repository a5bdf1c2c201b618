use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use super::described_object::{Child, DescribedObject, Kind, VARIABLE_VALUE};
use super::path::{no_such_child, split_path};
use crate::bundle::Key;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Objects of TensorFlow as a program describes them: modules, lists and dicts that lead to variables,
/// under the names that Python code has for them.
///
/// It is what `tf.train.Checkpoint` sees of a Python program, and is written as that would write it:
/// the same keys, the same order, the same `TrackableObjectGraph`, so that
/// `tf.train.Checkpoint(net=net).restore(path).assert_consumed()` holds for a `net` of the same
/// structure. [`read`](Self::read) makes it of a checkpoint, so that values can be changed and the
/// rest kept.
///
/// A network of two layers, as a checkpoint:
///
/// ```
/// use savedmodel::object_graph::{CheckpointGraph, Child, DescribedVariable, ObjectTree};
/// use savedmodel::{BundleReader, Tensor};
///
/// # let directory = std::env::temp_dir().join(format!("savedmodel-tree-{}", std::process::id()));
/// let mut tree = ObjectTree::new();
/// let net = tree.track(tree.root(), "net", Child::Module)?;
/// let layers = tree.track(net, "layers", Child::List)?;
/// for (inputs, outputs) in [(3, 4), (4, 2)] {
///     let layer = tree.append(layers, Child::Module)?;
///     let kernel = Tensor::from_slice([inputs, outputs], &vec![0.5f32; inputs * outputs])?;
///     tree.track(layer, "kernel", DescribedVariable::new(kernel).named("kernel"))?;
///     let bias = Tensor::from_slice([outputs], &vec![0f32; outputs])?;
///     tree.track(layer, "bias", DescribedVariable::new(bias).named("bias"))?;
/// }
/// // As `tf.train.Checkpoint(net=net).save("ckpt")`: the first is `ckpt-1`.
/// let path = tree.save(directory.join("ckpt"))?;
///
/// let bundle = BundleReader::open(path)?;
/// let kernel = bundle.tensor("net/layers/1/kernel/.ATTRIBUTES/VARIABLE_VALUE")?;
/// assert_eq!(kernel.shape().dims(), [4, 2]);
/// assert_eq!(CheckpointGraph::read(&bundle)?.len(), 10);
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// # What TensorFlow saves of Python objects
///
/// | in Python | here |
/// |---|---|
/// | `self.name = object` in a module, a layer, a model | [`track`](Self::track) |
/// | `tf.train.Checkpoint(net=a, step=b)` | [`track`](Self::track) at the root, in the order of names |
/// | `[a, b]`, `(a, b)` | [`Child::List`], [`Child::Tuple`] and [`append`](Self::append) |
/// | `Point(x=a, y=b)` of `collections.namedtuple` | [`Child::NamedTuple`] and [`track`](Self::track) of all fields |
/// | `{"key": a}` | [`Child::Dict`] and [`track`](Self::track); TensorFlow saves no other keys than text |
/// | the same object twice, or one that holds itself | [`track`](Self::track) of the [`Trackable`] |
/// | numbers, text, `None` in any of them | nothing |
/// | slots of optimizers | [`add_slot`](Self::add_slot) |
/// | `_serialize_to_tensors` of one's own class | [`set_attribute`](Self::set_attribute) |
///
/// Objects with registered savers are kept when they are read, and cannot be described.
///
/// The walk is `TrackableView` in `tensorflow/python/checkpoint/trackable_view.py`, the rest
/// `tensorflow/python/checkpoint/save_util.py`.
#[derive(Clone)]
pub struct ObjectTree {
    /// Tells the objects of one tree from those of another.
    number: u32,
    pub(super) objects: Vec<DescribedObject>,
    /// The optimizer, the original and the name of each slot.
    pub(super) slots: HashSet<(u32, u32, Box<str>)>,
    /// What was read and belongs to no object.
    pub(super) others: Vec<(Key, Tensor)>,
    /// Fields of the message that are not in our schema.
    pub(super) unknown: Box<[u8]>,
}

/// One object of an [`ObjectTree`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Trackable {
    tree: u32,
    index: u32,
}

impl ObjectTree {
    /// Makes a tree of a root alone, which is a module: a `tf.train.Checkpoint`, or what is given to
    /// one as its `root`.
    pub fn new() -> ObjectTree {
        ObjectTree::with_objects(vec![DescribedObject::new(Kind::Module)])
    }

    /// Makes a tree of that root: `tf.train.Checkpoint(root=variable)` has a variable there.
    ///
    /// ```
    /// # use savedmodel::Tensor;
    /// # use savedmodel::object_graph::ObjectTree;
    /// let tree = ObjectTree::with_root(Tensor::scalar(1f32))?;
    /// let serialized = tree.serialize()?;
    /// let (key, _) = serialized.tensors().next().unwrap();
    /// assert_eq!(key.to_string(), "/.ATTRIBUTES/VARIABLE_VALUE");
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the root is an object of another tree, or one that
    /// [`track`](Self::track) would refuse to make.
    pub fn with_root(root: impl Into<Child>) -> Result<ObjectTree> {
        match root.into() {
            Child::Existing(_) => Err(Error::invalid_argument("the object is of another tree")),
            root => Ok(ObjectTree::with_objects(vec![DescribedObject::of(root)?])),
        }
    }

    pub(super) fn with_objects(mut objects: Vec<DescribedObject>) -> ObjectTree {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        objects[0].is_tracked = true;
        ObjectTree {
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            objects,
            slots: HashSet::new(),
            others: Vec::new(),
            unknown: Box::default(),
        }
    }

    /// Returns the object that holds all others.
    pub fn root(&self) -> Trackable {
        self.trackable(0)
    }

    /// Returns the number of objects, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "there is always a root")]
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Walks all objects, in the order in which they were described or stand in the file.
    pub fn objects(&self) -> impl ExactSizeIterator<Item = Trackable> {
        (0..self.objects.len()).map(|index| self.trackable(index))
    }

    /// Walks the variables that are trainable. Of those read from a checkpoint, which does not say,
    /// all are taken to be.
    pub fn trainable_variables(&self) -> impl Iterator<Item = Trackable> {
        let objects = self.objects.iter().enumerate();
        objects.filter_map(|(index, object)| match &object.kind {
            Kind::Variable(traits) if traits.trainable => Some(self.trackable(index)),
            _ => None,
        })
    }

    /// Finds an object by one of its names, in any form of [`ObjectPath`](super::ObjectPath):
    /// `net.layers[0].kernel`, `net/layers/0/kernel`.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none, `InvalidArgument` if it is no path.
    pub fn object(&self, path: &str) -> Result<Trackable> {
        let mut index = 0;
        for name in split_path(path)? {
            let object = &self.objects[index];
            index = match object.by_name.get(&*name) {
                Some(&child) => child as usize,
                None => {
                    let children = object.children.iter().map(|child| &*child.local_name);
                    return Err(no_such_child(path, index, &name, children));
                }
            };
        }
        Ok(self.trackable(index))
    }

    /// Walks what an object holds, with names; nothing for an object of another tree.
    pub fn children(&self, object: Trackable) -> impl Iterator<Item = (&str, Trackable)> {
        let object = self.index(object).ok().map(|index| &self.objects[index]);
        let children = object
            .map(|object| &object.children[..])
            .unwrap_or_default();
        children
            .iter()
            .map(|child| (&*child.local_name, self.trackable(child.child as usize)))
    }

    /// Walks the slots of an optimizer: their names, for which variables they are kept, and the
    /// variables that keep them. Nothing for an object of another tree.
    pub fn slots(
        &self,
        optimizer: Trackable,
    ) -> impl Iterator<Item = (&str, Trackable, Trackable)> {
        let object = self.index(optimizer).ok().map(|index| &self.objects[index]);
        let slots = object.map(|object| &object.slots[..]).unwrap_or_default();
        slots.iter().map(|slot| {
            let original = self.trackable(slot.original as usize);
            let variable = self.trackable(slot.variable as usize);
            (&*slot.slot_name, original, variable)
        })
    }

    /// Returns the value of a variable; `None` if it has none, or is none.
    pub fn value(&self, variable: Trackable) -> Option<&Tensor> {
        self.attribute(variable, VARIABLE_VALUE)
    }

    /// Returns what an object serializes itself as under a name, as
    /// [`set_attribute`](Self::set_attribute) has it.
    pub fn attribute(&self, object: Trackable, name: &str) -> Option<&Tensor> {
        let object = &self.objects[self.index(object).ok()?];
        let attributes = object.attributes.iter();
        attributes
            .flat_map(|attribute| attribute.parts.iter().map(|part| (&attribute.name, part)))
            .find(|(beginning, (ending, _))| name.strip_prefix(&***beginning) == Some(ending))
            .and_then(|(_, (_, value))| value.as_ref())
    }
}

impl Default for ObjectTree {
    fn default() -> Self {
        ObjectTree::new()
    }
}

impl fmt::Debug for ObjectTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectTree({} objects)", self.len())
    }
}

impl fmt::Debug for Trackable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trackable({})", self.index)
    }
}

impl ObjectTree {
    pub(super) fn trackable(&self, index: usize) -> Trackable {
        Trackable {
            tree: self.number,
            index: index as u32,
        }
    }

    pub(super) fn index(&self, object: Trackable) -> Result<usize> {
        let index = object.index as usize;
        match object.tree == self.number && index < self.objects.len() {
            true => Ok(index),
            false => Err(Error::invalid_argument("the object is of another tree")),
        }
    }
}
