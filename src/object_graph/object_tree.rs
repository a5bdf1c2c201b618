use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use super::described_object::{
    Attribute, Child, DescribedObject, DescribedReference, Kind, Slot, VARIABLE_VALUE, check_value,
};
use super::described_variable::DescribedVariable;
use super::path::{is_index, no_such_child, split_path};
use crate::bundle::Key;
use crate::error::{Error, Printable, Result};
use crate::tensor::Tensor;

const SAVE_COUNTER: &str = "save_counter";
/// `extract_local_name` in `tensorflow/python/trackable/trackable_utils.py` takes the first one in a key
/// for the mark that ends the path.
const UNRESTORABLE: &str = ".ATTRIBUTES";

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
/// | `Point(x=a, y=b)` of `collections.namedtuple` | [`Child::NamedTuple`] and [`track`](Self::track) |
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
    slots: HashSet<(u32, u32, Box<str>)>,
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

    /// Returns the value of a variable; `None` if it has none, or is none.
    pub fn value(&self, variable: Trackable) -> Option<&Tensor> {
        let object = &self.objects[self.index(variable).ok()?];
        let attributes = &mut object.attributes.iter();
        let value = attributes.find(|attribute| *attribute.name == *VARIABLE_VALUE)?;
        value.parts.first()?.1.as_ref()
    }

    /// Lets `parent` hold `child` under a name, as `parent.name = child` in a `tf.Module`, or
    /// `parent["name"] = child` in a dict. Returns the child.
    ///
    /// The elements of lists and tuples are called by their index, and [`append`](Self::append) finds
    /// it. Elements that are not saved, as numbers, have one too, and `track` can leave it out.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the name is empty, ends with `.ATTRIBUTES`, or the parent has it already; if the parent is a list or
    /// tuple, and the name is no index beyond those before; if the parent is a variable, other than
    /// the root; if the child is a slot variable; if an object is of another tree.
    pub fn track(
        &mut self,
        parent: Trackable,
        name: &str,
        child: impl Into<Child>,
    ) -> Result<Trackable> {
        let parent = self.index(parent)?;
        match self.objects[parent].kind {
            Kind::List | Kind::Tuple => self.check_element_name(parent, name)?,
            Kind::Variable(_) if parent != 0 => {
                return Err(Error::invalid_argument(format!(
                    "`{}` is tracked in a variable, which holds no objects",
                    Printable(name)
                )));
            }
            _ => {}
        }
        self.check_child_name(parent, name)?;
        let child = self.tracked(child.into())?;
        let Kind::NamedTuple { fields } = self.objects[parent].kind else {
            self.add_edge(parent, name, child, self.objects[parent].children.len());
            return Ok(self.trackable(child));
        };
        // All names come before all indices.
        self.add_edge(parent, name, child, fields as usize);
        let end = self.objects[parent].children.len();
        self.add_edge(parent, &fields.to_string(), child, end);
        self.objects[parent].kind = Kind::NamedTuple { fields: fields + 1 };
        Ok(self.trackable(child))
    }

    /// Adds an element to a list or tuple. Returns it.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if `list` is neither, if the child is a slot variable, or an object is of
    /// another tree.
    pub fn append(&mut self, list: Trackable, child: impl Into<Child>) -> Result<Trackable> {
        let list = self.index(list)?;
        if !matches!(self.objects[list].kind, Kind::List | Kind::Tuple) {
            return Err(
                Error::invalid_argument("only lists and tuples are appended to")
                    .remedy("use `track` to give the child a name"),
            );
        }
        let name = self.next_index(list).to_string();
        self.track(self.trackable(list), &name, child)
    }

    /// Adds what an optimizer keeps for a variable, its `slot_name`: `m`, `momentum`. Returns the
    /// slot variable.
    ///
    /// Slots are written in the order in which `get_slot_names` of the optimizer has their names,
    /// which is that in which the first slot of each name is added here.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the name is empty, if the optimizer has such a slot, if `original` or
    /// `variable` is no variable, if `variable` is tracked or a slot already, which TensorFlow does
    /// not allow, or an object is of another tree.
    pub fn add_slot(
        &mut self,
        optimizer: Trackable,
        slot_name: &str,
        original: Trackable,
        variable: impl Into<Child>,
    ) -> Result<Trackable> {
        let refuse = |what: &str| {
            let what = format!("slot `{}`: {what}", Printable(slot_name));
            Err(Error::invalid_argument(what))
        };
        let (optimizer, original) = (self.index(optimizer)?, self.index(original)?);
        if slot_name.is_empty() {
            return refuse("it has no name");
        }
        if !self.objects[original].is_variable() {
            return refuse("what it is kept for is no variable");
        }
        let slot = (optimizer as u32, original as u32, Box::from(slot_name));
        if self.slots.contains(&slot) {
            return refuse("the optimizer has one for this variable already");
        }
        let variable = match variable.into() {
            Child::Existing(variable) => {
                let variable = self.index(variable)?;
                let object = &self.objects[variable];
                if !object.is_variable() {
                    return refuse("what is kept is no variable");
                }
                if object.is_tracked || object.is_slot {
                    return refuse("the variable is tracked, or in another slot, already");
                }
                variable
            }
            Child::Variable(variable) => self.add(Child::Variable(variable))?,
            _ => return refuse("what is kept is no variable"),
        };
        self.objects[variable].is_slot = true;
        self.slots.insert(slot);
        self.objects[optimizer].slots.push(Slot {
            slot_name: slot_name.into(),
            original: original as u32,
            variable: variable as u32,
            unknown: Box::default(),
        });
        Ok(self.trackable(variable))
    }

    /// Gives a variable its value, or another one. The tensor is shared, not copied.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the dtype or the shape is not the variable's, or the object is none, or
    /// of another tree.
    pub fn set_value(&mut self, variable: Trackable, value: Tensor) -> Result<()> {
        let index = self.index(variable)?;
        let object = &mut self.objects[index];
        let Kind::Variable(traits) = &object.kind else {
            return Err(Error::invalid_argument("only a variable has a value")
                .remedy("use `set_attribute` for other objects"));
        };
        check_value(traits, &value)?;
        let mut attributes = object.attributes.iter_mut();
        if let Some(attribute) = attributes.find(|found| *found.name == *VARIABLE_VALUE) {
            attribute.parts = vec![(Box::default(), Some(value))];
        }
        Ok(())
    }

    /// Sets what an object serializes itself as under a name, besides its children:
    /// `_serialize_to_tensors` of the Python class gives such names. For a `PythonState` that was read
    /// it is `py_state`, for a table `table-keys` and `table-values`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the name is empty or has a `.` or `/` in it, for a variable's value, or if the object is of another
    /// tree.
    pub fn set_attribute(&mut self, object: Trackable, name: &str, value: Tensor) -> Result<()> {
        let index = self.index(object)?;
        if name.is_empty() {
            return Err(Error::invalid_argument("an attribute needs a name"));
        }
        if name == VARIABLE_VALUE {
            return Err(
                Error::invalid_argument("`VARIABLE_VALUE` is the value of a variable")
                    .remedy("use `set_value`, or track a variable"),
            );
        }
        // It escapes them twice in the key that it writes, and once in the one that it looks for.
        if name.contains(['.', '/']) {
            return Err(Error::invalid_argument(format!(
                "`{}`: TensorFlow saves attributes with `.` or `/` in the name, but cannot restore them",
                Printable(name)
            )));
        }
        let object = &mut self.objects[index];
        for attribute in &mut object.attributes {
            for (ending, part) in &mut attribute.parts {
                if name.strip_prefix(&*attribute.name) == Some(ending) {
                    *part = Some(value);
                    return Ok(());
                }
            }
        }
        object
            .attributes
            .push(Attribute::new(name, "", "", Some(value)));
        Ok(())
    }

    /// Returns the variable that counts how often the tree was [saved](Self::save), as
    /// `tf.train.Checkpoint.save_counter`. It is made, last of the root's children, if there is none.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the root has something else of that name, or holds nothing by name.
    pub fn save_counter(&mut self) -> Result<Trackable> {
        match self.objects[0].by_name.get(SAVE_COUNTER) {
            Some(&index) => Ok(self.trackable(index as usize)),
            None => {
                let counter = DescribedVariable::new(Tensor::scalar(0i64));
                let counter = counter.named(SAVE_COUNTER).trainable(false);
                self.track(self.root(), SAVE_COUNTER, counter)
            }
        }
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

    fn check_child_name(&self, parent: usize, name: &str) -> Result<()> {
        if name.is_empty() {
            return Err(Error::invalid_argument(
                "an object cannot be tracked without a name",
            ));
        }
        if name.ends_with(UNRESTORABLE) {
            return Err(Error::invalid_argument(format!(
                "`{}`: TensorFlow saves names that end with `{UNRESTORABLE}`, but cannot restore them",
                Printable(name)
            )));
        }
        match self.objects[parent].by_name.contains_key(name) {
            true => Err(Error::invalid_argument(format!(
                "object {parent} has a child `{}` already",
                Printable(name)
            ))),
            false => Ok(()),
        }
    }

    fn check_element_name(&self, list: usize, name: &str) -> Result<()> {
        let next = self.next_index(list);
        match name.parse::<u64>() {
            Ok(index) if is_index(name) && index >= next => Ok(()),
            _ => Err(Error::invalid_argument(format!(
                "`{}` is tracked in a list or tuple, whose next index is {next}",
                Printable(name)
            ))
            .remedy("use `append`")),
        }
    }

    /// Returns the index of the next element of a list or tuple.
    fn next_index(&self, list: usize) -> u64 {
        let last = self.objects[list].children.last();
        let last = last.and_then(|child| child.local_name.parse::<u64>().ok());
        last.map_or(0, |last| last.saturating_add(1))
    }

    /// Returns the index of an object that is going to be tracked.
    fn tracked(&mut self, child: Child) -> Result<usize> {
        let index = match child {
            Child::Existing(object) => self.index(object)?,
            child => self.add(child)?,
        };
        let object = &mut self.objects[index];
        if object.is_slot {
            return Err(Error::invalid_argument(
                "a slot variable belongs to its optimizer, and cannot be tracked",
            ));
        }
        object.is_tracked = true;
        Ok(index)
    }

    fn add(&mut self, child: Child) -> Result<usize> {
        let index = self.objects.len();
        if i32::try_from(index).is_err() {
            return Err(Error::invalid_argument(
                "the tree has more objects than 2^31",
            ));
        }
        let object = match child {
            Child::Existing(object) => return self.index(object),
            child => DescribedObject::of(child)?,
        };
        self.objects.push(object);
        Ok(index)
    }

    pub(super) fn add_edge(&mut self, parent: usize, name: &str, child: usize, place: usize) {
        let object = &mut self.objects[parent];
        object.by_name.insert(name.into(), child as u32);
        let reference = DescribedReference {
            local_name: name.into(),
            child: child as u32,
            unknown: Box::default(),
        };
        object.children.insert(place, reference);
    }

    /// Takes over edges and slots that were put into the objects themselves.
    pub(super) fn index_edges(&mut self) {
        let (mut tracked, mut slots) = (Vec::new(), Vec::new());
        for (index, object) in self.objects.iter_mut().enumerate() {
            let children = object.children.iter();
            object.by_name = children
                .map(|reference| (reference.local_name.clone(), reference.child))
                .collect();
            tracked.extend(object.by_name.values().copied());
            for slot in &object.slots {
                slots.push(slot.variable);
                let slot = (index as u32, slot.original, slot.slot_name.clone());
                self.slots.insert(slot);
            }
        }
        tracked
            .into_iter()
            .for_each(|index| self.objects[index as usize].is_tracked = true);
        slots
            .into_iter()
            .for_each(|index| self.objects[index as usize].is_slot = true);
    }
}
