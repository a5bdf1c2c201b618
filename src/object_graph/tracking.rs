use super::described_object::{
    Attribute, Child, DescribedObject, DescribedReference, Kind, Slot, VARIABLE_VALUE, check_value,
};
use super::described_variable::DescribedVariable;
use super::object_tree::{ObjectTree, Trackable};
use super::path::is_index;
use crate::error::{Error, Printable, Result};
use crate::tensor::Tensor;

const SAVE_COUNTER: &str = "save_counter";
/// `extract_local_name` in `tensorflow/python/trackable/trackable_utils.py` takes the first one in a key
/// for the mark that ends the path.
const UNRESTORABLE: &str = ".ATTRIBUTES";

impl ObjectTree {
    /// Lets `parent` hold `child` under a name, as `parent.name = child` in a `tf.Module`, or
    /// `parent["name"] = child` in a dict. Returns the child.
    ///
    /// The elements of lists and tuples are called by their index, and [`append`](Self::append) finds
    /// it. Elements that are not saved, as numbers, have one too, and `track` can leave it out.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the name is empty, ends with `.ATTRIBUTES`, or the parent has it already;
    /// if the parent is a list or tuple, and the name is no index beyond those before; if it is a
    /// named tuple, and the name is an index; if it is a variable, other than the root; if the child is
    /// a slot variable; if an object is of another tree.
    pub fn track(
        &mut self,
        parent: Trackable,
        name: &str,
        child: impl Into<Child>,
    ) -> Result<Trackable> {
        let parent = self.index(parent)?;
        match self.objects[parent].kind {
            Kind::List | Kind::Tuple => self.check_element_name(parent, name)?,
            Kind::NamedTuple { .. } if is_index(name) => {
                return Err(Error::invalid_argument(format!(
                    "`{name}` is tracked in a named tuple, which counts its fields itself"
                )));
            }
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

impl ObjectTree {
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
