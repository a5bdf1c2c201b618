use std::fmt;

use super::object::Object;
use super::path::ObjectPath;
use crate::error::{Error, Result};
use crate::proto::SavedVariable;
use crate::tensor::{DType, PartialShape};

/// A saved variable.
#[derive(Clone, Copy)]
pub struct Variable<'g> {
    object: Object<'g>,
    stored: &'g StoredVariable,
}

/// What an optimizer keeps for a variable.
#[derive(Clone, Copy, Debug)]
pub struct SlotVariable<'g> {
    /// The optimizer.
    pub optimizer: Object<'g>,
    /// What is kept: `momentum`, `m`, `v`.
    pub slot_name: &'g str,
    /// The variable for which it is kept.
    pub original: Object<'g>,
    /// The variable that keeps it.
    pub variable: Object<'g>,
}

/// When replicas agree on a variable's value: a number of `VariableSynchronization`, known or not.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VariableSynchronization(pub i32);

/// How replicas' changes of a variable are put together: a number of `VariableAggregation`, known or
/// not.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VariableAggregation(pub i32);

pub(super) struct StoredVariable {
    proto: SavedVariable,
    shape: PartialShape,
    components: Box<[StoredVariable]>,
}

impl<'g> Variable<'g> {
    pub(super) fn new(object: Object<'g>, stored: &'g StoredVariable) -> Self {
        Variable { object, stored }
    }

    /// Returns the object that the variable is. That of a [component](Self::components) is the
    /// distributed variable's.
    pub fn object(&self) -> Object<'g> {
        self.object
    }

    /// Returns the shortest of its names, as [`Object::path`].
    pub fn path(&self) -> Option<ObjectPath<'g>> {
        self.object.path()
    }

    /// Returns the name that Python code gave it, without `:0`. It need not be unique.
    pub fn name(&self) -> &'g str {
        &self.stored.proto.name
    }

    /// Returns the element type.
    pub fn dtype(&self) -> DType {
        DType::from_number(self.stored.proto.dtype)
    }

    /// Returns the shape that all its values have to have.
    pub fn shape(&self) -> &'g PartialShape {
        &self.stored.shape
    }

    /// Says whether training changes it.
    pub fn trainable(&self) -> bool {
        self.stored.proto.trainable
    }

    /// Returns when replicas agree on its value.
    pub fn synchronization(&self) -> VariableSynchronization {
        VariableSynchronization(self.stored.proto.synchronization)
    }

    /// Returns how replicas' changes of it are put together.
    pub fn aggregation(&self) -> VariableAggregation {
        VariableAggregation(self.stored.proto.aggregation)
    }

    /// Returns the device it was on, empty if that was not saved.
    pub fn device(&self) -> &'g str {
        &self.stored.proto.device
    }

    /// Walks the variables that a distributed variable consists of.
    pub fn components(&self) -> impl ExactSizeIterator<Item = Variable<'g>> {
        let object = self.object;
        let components = self.stored.components.iter();
        components.map(move |stored| Variable { object, stored })
    }

    /// Returns the key of its value in the bundle, if
    /// [`with_checkpoint`](super::ObjectGraph::with_checkpoint) found one.
    pub fn checkpoint_key(&self) -> Option<&'g str> {
        let checkpoint = self.object.graph.checkpoint.as_ref()?;
        if checkpoint.matches.is_named(self.object.id()) {
            return Some(self.name());
        }
        let object = self.object.checkpoint_object()?;
        let mut attributes = object.attributes();
        let value = attributes.find(|attribute| attribute.name == "VARIABLE_VALUE")?;
        Some(value.checkpoint_key)
    }
}

impl fmt::Debug for Variable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Variable({:?}, {} {}",
            self.name(),
            self.dtype(),
            self.shape()
        )?;
        match self.path() {
            Some(path) => write!(f, ", {path})"),
            None => f.write_str(")"),
        }
    }
}

impl VariableSynchronization {
    /// TensorFlow decides.
    pub const AUTO: Self = VariableSynchronization(0);
    /// There is one copy, so there is nothing to agree on.
    pub const NONE: Self = VariableSynchronization(1);
    /// At each change.
    pub const ON_WRITE: Self = VariableSynchronization(2);
    /// When it is read or saved.
    pub const ON_READ: Self = VariableSynchronization(3);

    /// Returns the name, as `tf.VariableSynchronization` has it.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::AUTO => "AUTO",
            Self::NONE => "NONE",
            Self::ON_WRITE => "ON_WRITE",
            Self::ON_READ => "ON_READ",
            _ => return None,
        })
    }
}

impl VariableAggregation {
    /// They may not differ.
    pub const NONE: Self = VariableAggregation(0);
    /// They are added.
    pub const SUM: Self = VariableAggregation(1);
    /// Their mean counts.
    pub const MEAN: Self = VariableAggregation(2);
    /// That of the first replica counts.
    pub const ONLY_FIRST_REPLICA: Self = VariableAggregation(3);

    /// Returns the name, as `tf.VariableAggregation` has it.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NONE => "NONE",
            Self::SUM => "SUM",
            Self::MEAN => "MEAN",
            Self::ONLY_FIRST_REPLICA => "ONLY_FIRST_REPLICA",
            _ => return None,
        })
    }
}

impl fmt::Debug for VariableSynchronization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "VariableSynchronization({})", self.0),
        }
    }
}

impl fmt::Debug for VariableAggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "VariableAggregation({})", self.0),
        }
    }
}

impl StoredVariable {
    pub(super) fn new(id: usize, mut proto: SavedVariable) -> Result<StoredVariable> {
        // A shape that was not written is a scalar's, which is the message's default.
        let shape = proto.shape.take().unwrap_or_default();
        let shape = PartialShape::from_proto(&shape)
            .map_err(|error| Error::malformed(format!("object {id}, a variable: {error}")))?;
        let components = std::mem::take(&mut proto.experimental_distributed_variable_components);
        // Components have no components in TensorFlow, and protobuf ends the nesting at 100.
        let components = components
            .into_iter()
            .map(|component| StoredVariable::new(id, component))
            .collect::<Result<_>>()?;
        Ok(StoredVariable {
            proto,
            shape,
            components,
        })
    }
}
