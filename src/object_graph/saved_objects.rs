use super::described_object::{Kind, VARIABLE_VALUE};
use super::identifier;
use super::object_tree::{ObjectTree, Trackable};
use super::serialized_tree::Numbering;
use crate::error::{Error, Result};
use crate::proto::saved_object::Kind as SavedKind;
use crate::proto::trackable_object_graph::trackable_object::ObjectReference;
use crate::proto::{SavedObject, SavedUserObject, SavedVariable, VersionDef};
use crate::tensor::{DType, PartialShape};

/// The objects of an [`ObjectTree`] as the `SavedObjectGraph` of a model has them.
pub(crate) struct SavedObjects {
    /// Those that the root leads to, in the order of the checkpoint.
    pub(crate) nodes: Vec<SavedObject>,
    /// The variables among them.
    pub(crate) variables: Vec<ModelVariable>,
    /// The number of each object of the tree.
    numbers: Vec<i32>,
}

/// A variable of a model.
pub(crate) struct ModelVariable {
    /// Its number among the objects.
    pub(crate) number: i32,
    /// Where its value stands in the bundle.
    pub(crate) key: String,
    pub(crate) full_name: String,
    pub(crate) dtype: DType,
    pub(crate) shape: PartialShape,
}

impl ObjectTree {
    /// Makes the objects of a model. What optimizers keep for variables is in the checkpoint alone:
    /// TensorFlow needs their Python classes to load a model with it.
    ///
    /// In TensorFlow: `_SaveableView` in `tensorflow/python/saved_model/save.py`.
    pub(crate) fn saved_objects(&self) -> Result<SavedObjects> {
        let numbering = Numbering::new(self)?;
        let (mut nodes, mut variables) = (Vec::new(), Vec::new());
        for (number, &index) in numbering.reached().iter().enumerate() {
            let object = &self.objects[index as usize];
            let kind = match &object.kind {
                Kind::Module | Kind::PythonState => user_object(identifier::GENERIC),
                Kind::List => user_object(identifier::LIST),
                Kind::Dict => user_object(identifier::DICT),
                Kind::Tuple | Kind::NamedTuple { .. } => user_object(identifier::TUPLE),
                Kind::Table => {
                    return Err(Error::unsupported(format!(
                        "object {index}, a mutable table, is for checkpoints, and not for models"
                    )));
                }
                Kind::Variable(traits) => {
                    let mut attributes = object.attributes.iter();
                    let Some(value) = attributes.find(|it| *it.name == *VARIABLE_VALUE) else {
                        let what = format!("object {index}, a variable, has no value");
                        return Err(Error::invalid_argument(what));
                    };
                    variables.push(ModelVariable {
                        number: number as i32,
                        key: numbering.key(index, value)?,
                        full_name: value.full_name.to_string(),
                        dtype: traits.dtype,
                        shape: traits.shape.clone(),
                    });
                    SavedKind::Variable(SavedVariable {
                        dtype: traits.dtype.number(),
                        shape: Some(traits.shape.to_proto()),
                        trainable: traits.trainable,
                        synchronization: traits.synchronization.0,
                        aggregation: traits.aggregation.0,
                        name: value.full_name.to_string(),
                        ..SavedVariable::default()
                    })
                }
            };
            let children = object.children.iter();
            nodes.push(SavedObject {
                children: children
                    .map(|child| ObjectReference {
                        node_id: numbering.number(child.child),
                        local_name: child.local_name.to_string(),
                    })
                    .collect(),
                kind: Some(kind),
                ..SavedObject::default()
            });
        }
        Ok(SavedObjects {
            nodes,
            variables,
            numbers: numbering.into_numbers(),
        })
    }

    /// Returns type and shape of a variable; `None` for another object.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the object is of another tree.
    pub(crate) fn variable_type(&self, object: Trackable) -> Result<Option<(DType, PartialShape)>> {
        Ok(match &self.objects[self.index(object)?].kind {
            Kind::Variable(traits) => Some((traits.dtype, traits.shape.clone())),
            _ => None,
        })
    }

    /// Returns whether an object holds another of that name.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the object is of another tree.
    pub(crate) fn has_child(&self, object: Trackable, name: &str) -> Result<bool> {
        Ok(self.objects[self.index(object)?].by_name.contains_key(name))
    }

    /// Returns whether an object is one whose attributes are set by name.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the object is of another tree.
    pub(crate) fn is_module(&self, object: Trackable) -> Result<bool> {
        let kind = &self.objects[self.index(object)?].kind;
        Ok(matches!(kind, Kind::Module | Kind::PythonState))
    }
}

impl SavedObjects {
    /// Returns the number of an object.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the root does not lead to it, or it is of another tree.
    pub(crate) fn number(&self, tree: &ObjectTree, object: Trackable) -> Result<i32> {
        let number = self.numbers.get(tree.index(object)?).copied();
        let is_there = |number: &i32| (*number as usize) < self.nodes.len();
        number
            .filter(is_there)
            .ok_or_else(|| Error::invalid_argument("the root does not lead to the object"))
    }
}

/// Returns an object of a class that TensorFlow knows by that name. Without the version it would not
/// take it for one.
pub(crate) fn user_object(identifier: &str) -> SavedKind {
    SavedKind::UserObject(SavedUserObject {
        identifier: identifier.to_owned(),
        version: Some(VersionDef {
            producer: 1,
            min_consumer: 1,
            ..VersionDef::default()
        }),
        ..SavedUserObject::default()
    })
}
