use std::collections::BTreeMap;

use super::concrete_function::{ConcreteFunctionReport, Parameters};
use super::object_layout::{Edge, Label, Layout};
use super::program::reference;
use super::type_text::{TypeText, dims_of};
use crate::bundle::BundleReader;
use crate::error::{Error, Result};
use crate::model::SavedModel;
use crate::object_graph::{
    CheckpointGraph, CheckpointObject, Object, ObjectGraph, ObjectKind, ObjectPath,
};
use crate::tensor::DType;

/// The objects of a model or of a checkpoint as a tree.
///
/// Each object is described where the shortest way from the root leads to it; where it appears
/// besides, that place is referred to. So the tree ends, whatever circles the objects go round.
///
/// ```
/// use savedmodel::SavedModel;
/// use savedmodel::inspect::{ObjectDetail, ObjectTree};
///
/// let model = SavedModel::open("tests/fixtures/module")?;
/// let tree = ObjectTree::of_model(&model)?;
/// let kernel = tree.entries.iter().find(|e| e.path.as_deref() == Some("root.layers[1].w"));
/// let Some(ObjectDetail::Variable { type_text, .. }) = &kernel.unwrap().detail else {
///     panic!("it is a variable");
/// };
/// assert_eq!(type_text, "float32[4, 2]");
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ObjectTree {
    /// How many objects there are, those outside of the tree too.
    pub objects: u64,
    /// How many objects no name leads to, from the root of all; slot variables do not count.
    pub unnamed: u64,
    /// The places in the tree, depth first; each lies under the last one before it that is less deep.
    pub entries: Vec<ObjectEntry>,
    /// The concrete functions that objects in the tree hold, ascending by name.
    pub concrete_functions: Vec<ConcreteFunctionReport>,
}

/// A place in the tree of objects.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ObjectEntry {
    /// How many names lead from the tree's root to here.
    pub depth: u32,
    /// The last of those names; that of the root is `root`.
    pub name: String,
    /// The object's number, 0 for the root of all.
    pub object: u64,
    /// The object's whole name, `root.layers[0].kernel`, if it is described here; `None` also where
    /// names are so long that all of them together would take more than 64 MiB.
    pub path: Option<String>,
    /// For slot variables of an optimizer the number of the variable they are kept for.
    pub slot_of: Option<u64>,
    /// What the object is, if it is described here: it is at the first place in the shortest way
    /// from the root.
    pub detail: Option<ObjectDetail>,
}

/// What an object is; each kind with what only such objects have.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ObjectDetail {
    /// An object of a Python class.
    UserObject {
        /// Which class, as TensorFlow calls it: `_generic_user_object`, `trackable_list_wrapper`.
        class: String,
        /// The name under which the class is registered, if it is.
        registered_name: Option<String>,
        /// The keys under which the bundle holds what is stored of it, beside variables.
        checkpoint_keys: Vec<String>,
    },
    /// A file that belongs to the model.
    Asset {
        /// Its name in `assets/`; `None` if the meta graph has no such asset.
        filename: Option<String>,
    },
    /// A `tf.function`.
    Function {
        /// The parameters of the Python function; `None` if they are not stored as they have to be.
        parameters: Option<Parameters>,
        /// The names of its traces, in the order in which they are tried.
        concrete_functions: Vec<String>,
    },
    /// One trace of a function, to be called by itself, as signatures are.
    BareConcreteFunction {
        /// Its name.
        concrete_function: String,
        /// The keywords for its tensors.
        keywords: Vec<String>,
    },
    /// A variable.
    Variable {
        /// The name that Python code gave it.
        variable_name: String,
        /// The element type.
        #[cfg_attr(
            feature = "serde",
            serde(serialize_with = "super::type_text::serialize_dtype")
        )]
        dtype: DType,
        /// The dimensions, `None` for an unknown one; `None` if their number is unknown.
        shape: Option<Vec<Option<i64>>>,
        /// Both in readable form: `float32[?, 3]`.
        #[cfg_attr(feature = "serde", serde(rename = "type"))]
        type_text: String,
        /// Whether training changes it.
        trainable: bool,
        /// The key of its value in the bundle, if there is one.
        checkpoint_key: Option<String>,
    },
    /// A constant tensor.
    Constant {
        /// The node of the main graph that holds the value.
        operation: String,
    },
    /// A lookup table or the like, made by a function when the model is loaded.
    Resource {
        /// Where it is to be made; often empty.
        device: String,
        /// The keys under which the bundle holds what is stored of it.
        checkpoint_keys: Vec<String>,
    },
    /// A tensor inside of another function.
    CapturedTensor {
        /// The tensor.
        tensor: String,
        /// The function.
        concrete_function: String,
    },
    /// An object of a checkpoint, which does not say what it is, only what is stored of it.
    Stored {
        /// What is stored of it.
        attributes: Vec<StoredAttribute>,
    },
    /// None of these. TensorFlow refuses to load such a model.
    Unknown,
}

/// Something that a checkpoint stores of an object, as one tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct StoredAttribute {
    /// What it is: `VARIABLE_VALUE`, `table-keys`.
    pub name: String,
    /// The name that a variable had in Python; empty for anything else.
    pub full_name: String,
    /// The key of the tensor in the bundle.
    pub checkpoint_key: String,
    /// Its type in readable form, `float32[2, 3]`; `None` if the bundle has no such tensor.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub type_text: Option<String>,
}

impl ObjectDetail {
    /// Returns the name of the kind, as it is serialized.
    pub fn kind(&self) -> &'static str {
        match self {
            ObjectDetail::UserObject { .. } => "user_object",
            ObjectDetail::Asset { .. } => "asset",
            ObjectDetail::Function { .. } => "function",
            ObjectDetail::BareConcreteFunction { .. } => "bare_concrete_function",
            ObjectDetail::Variable { .. } => "variable",
            ObjectDetail::Constant { .. } => "constant",
            ObjectDetail::Resource { .. } => "resource",
            ObjectDetail::CapturedTensor { .. } => "captured_tensor",
            ObjectDetail::Stored { .. } => "stored",
            ObjectDetail::Unknown => "unknown",
        }
    }
}

/// Which part of the objects makes the tree; the default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectTreeOptions {
    root: Option<String>,
    depth: Option<u32>,
}

impl ObjectTreeOptions {
    /// Sets the object that the tree begins with, by one of its names.
    pub fn root(mut self, path: impl Into<String>) -> Self {
        self.root = Some(path.into());
        self
    }

    /// Sets how many names may lead from the tree's root to a place in it.
    pub fn depth(mut self, depth: u32) -> Self {
        self.depth = Some(depth);
        self
    }

    /// Makes the tree of a model's objects.
    ///
    /// # Errors
    ///
    /// As for [`ObjectTree::of_model`]; what [`ObjectGraph::object`] answers for the root.
    pub fn of_model(&self, model: &SavedModel) -> Result<ObjectTree> {
        let Some(objects) = model.object_graph()? else {
            return Err(Error::not_found("object graph")
                .in_file(model.model_path())
                .remedy(NO_OBJECTS));
        };
        let assets: Vec<String> = match model.meta_graphs().next() {
            Some(meta_graph) => {
                let assets = meta_graph?.assets()?.into_iter();
                assets.map(|asset| asset.filename).collect()
            }
            None => Vec::new(),
        };
        let root = match &self.root {
            Some(path) => objects.object(path)?.id(),
            None => 0,
        };
        let edges = |id: usize| model_edges(&objects, id);
        let layout = Layout::new(objects.len(), root, self.depth, edges);
        let mut functions = BTreeMap::new();
        let mut names = Names::new();
        let entries = layout.into_places().map(|place| {
            let object = objects.get(place.edge.object).filter(|_| place.is_first);
            ObjectEntry {
                path: object.and_then(|object| names.take(object.path()?)),
                detail: object.map(|object| describe(object, &assets, &mut functions)),
                ..entry(place.depth, place.edge)
            }
        });
        Ok(ObjectTree {
            objects: objects.len() as u64,
            entries: entries.collect(),
            unnamed: unnamed(
                objects.objects().map(|object| object.path().is_some()),
                objects.slot_variables().map(|slot| slot.variable.id()),
            ),
            concrete_functions: functions.into_values().collect(),
        })
    }

    /// Makes the tree of a checkpoint's objects.
    ///
    /// # Errors
    ///
    /// As for [`ObjectTree::of_checkpoint`]; what [`CheckpointGraph::object`] answers for the root.
    pub fn of_checkpoint(&self, bundle: &BundleReader) -> Result<ObjectTree> {
        if !bundle.contains(CheckpointGraph::KEY)? {
            return Err(Error::not_found("object graph")
                .in_file(bundle.index_path())
                .remedy("checkpoints of TensorFlow 1 have none; `variables` lists their tensors"));
        }
        let objects = CheckpointGraph::read(bundle)?;
        let root = match &self.root {
            Some(path) => objects.object(path)?.id(),
            None => 0,
        };
        let edges = |id: usize| checkpoint_edges(&objects, id);
        let layout = Layout::new(objects.len(), root, self.depth, edges);
        let mut names = Names::new();
        let entries = layout.into_places().map(|place| {
            let object = objects.get(place.edge.object).filter(|_| place.is_first);
            ObjectEntry {
                path: object.and_then(|object| names.take(object.path()?)),
                detail: object.map(|object| stored(object, bundle)),
                ..entry(place.depth, place.edge)
            }
        });
        Ok(ObjectTree {
            objects: objects.len() as u64,
            entries: entries.collect(),
            unnamed: unnamed(
                objects.objects().map(|object| object.path().is_some()),
                objects.slot_variables().map(|slot| slot.variable.id()),
            ),
            concrete_functions: Vec::new(),
        })
    }
}

const NO_OBJECTS: &str = "models of TensorFlow 1 have none, and TensorFlow reads none from a model of several meta graphs";

impl ObjectTree {
    /// Makes the tree of all objects of a model.
    ///
    /// # Errors
    ///
    /// `NotFound` if the model has no objects; what [`SavedModel::object_graph`] answers.
    pub fn of_model(model: &SavedModel) -> Result<Self> {
        ObjectTreeOptions::default().of_model(model)
    }

    /// Makes the tree of all objects of a checkpoint.
    ///
    /// # Errors
    ///
    /// `NotFound` if the checkpoint has no objects; what [`CheckpointGraph::read`] answers.
    pub fn of_checkpoint(bundle: &BundleReader) -> Result<Self> {
        ObjectTreeOptions::default().of_checkpoint(bundle)
    }
}

fn entry(depth: u32, edge: Edge<'_>) -> ObjectEntry {
    let (name, slot_of) = match edge.label {
        Label::Root => ("root", None),
        Label::Child(name) => (name, None),
        Label::Slot { name, of } => (name, Some(of as u64)),
    };
    ObjectEntry {
        depth,
        name: name.to_owned(),
        object: edge.object as u64,
        path: None,
        slot_of,
        detail: None,
    }
}

fn model_edges(objects: &ObjectGraph, id: usize) -> Vec<Edge<'_>> {
    let Some(object) = objects.get(id) else {
        return Vec::new();
    };
    let children = object.children().map(|(name, child)| Edge {
        label: Label::Child(name),
        object: child.id(),
    });
    let slots = object.slot_variables().map(|slot| Edge {
        label: Label::Slot {
            name: slot.slot_name,
            of: slot.original.id(),
        },
        object: slot.variable.id(),
    });
    children.chain(slots).collect()
}

fn checkpoint_edges(objects: &CheckpointGraph, id: usize) -> Vec<Edge<'_>> {
    let Some(object) = objects.get(id) else {
        return Vec::new();
    };
    let children = object.children().map(|(name, child)| Edge {
        label: Label::Child(name),
        object: child.id(),
    });
    let slots = object.slot_variables().map(|slot| Edge {
        label: Label::Slot {
            name: slot.slot_name,
            of: slot.original.id(),
        },
        object: slot.variable.id(),
    });
    children.chain(slots).collect()
}

/// Writes names out, as long as they do not take too much together: in a long row of objects each
/// has the names of all before it in its own.
pub(super) struct Names {
    left: usize,
}

impl Names {
    pub(super) fn new() -> Self {
        Names { left: 64 << 20 }
    }

    pub(super) fn take(&mut self, path: ObjectPath<'_>) -> Option<String> {
        if self.left == 0 {
            return None;
        }
        let text = path.to_string();
        match self.left.checked_sub(text.len()) {
            Some(left) => {
                self.left = left;
                Some(text)
            }
            None => {
                self.left = 0;
                None
            }
        }
    }
}

fn describe(
    object: Object<'_>,
    assets: &[String],
    functions: &mut BTreeMap<String, ConcreteFunctionReport>,
) -> ObjectDetail {
    let mut note = |name: &str| {
        if !functions.contains_key(name) {
            let report = ConcreteFunctionReport::of(object.graph(), name);
            functions.insert(name.to_owned(), report);
        }
    };
    let keys = || {
        let keys = object.checkpoint_keys().into_iter();
        keys.map(|(_, key)| key.to_owned()).collect()
    };
    match object.kind() {
        ObjectKind::User(user) => ObjectDetail::UserObject {
            class: user.identifier().to_owned(),
            registered_name: object.registered_name().map(str::to_owned),
            checkpoint_keys: keys(),
        },
        ObjectKind::Asset {
            asset_file_def_index,
        } => {
            let index = usize::try_from(asset_file_def_index).ok();
            ObjectDetail::Asset {
                filename: index.and_then(|index| Some(reference(assets.get(index)?))),
            }
        }
        ObjectKind::Function(function) => {
            function.concrete_function_names().for_each(&mut note);
            let spec = function.function_spec().ok();
            let names = function.concrete_function_names();
            ObjectDetail::Function {
                parameters: spec.as_ref().map(Parameters::of),
                concrete_functions: names.map(str::to_owned).collect(),
            }
        }
        ObjectKind::BareConcreteFunction(function) => {
            note(function.concrete_function_name());
            ObjectDetail::BareConcreteFunction {
                concrete_function: function.concrete_function_name().to_owned(),
                keywords: function.argument_keywords().map(str::to_owned).collect(),
            }
        }
        ObjectKind::Variable(variable) => {
            let shape = dims_of(variable.shape());
            ObjectDetail::Variable {
                variable_name: variable.name().to_owned(),
                dtype: variable.dtype(),
                type_text: TypeText(variable.dtype(), shape.as_deref()).to_string(),
                shape,
                trainable: variable.trainable(),
                checkpoint_key: variable.checkpoint_key().map(str::to_owned),
            }
        }
        ObjectKind::Constant { operation } => ObjectDetail::Constant {
            operation: operation.to_owned(),
        },
        ObjectKind::Resource { device } => ObjectDetail::Resource {
            device: device.to_owned(),
            checkpoint_keys: keys(),
        },
        ObjectKind::CapturedTensor {
            name,
            concrete_function,
        } => ObjectDetail::CapturedTensor {
            tensor: name.to_owned(),
            concrete_function: concrete_function.to_owned(),
        },
        ObjectKind::Unknown => ObjectDetail::Unknown,
    }
}

fn stored(object: CheckpointObject<'_>, bundle: &BundleReader) -> ObjectDetail {
    let attributes = object.attributes().map(|attribute| StoredAttribute {
        name: attribute.name.to_owned(),
        full_name: attribute.full_name.to_owned(),
        checkpoint_key: attribute.checkpoint_key.to_owned(),
        type_text: type_of(bundle, attribute.checkpoint_key),
    });
    ObjectDetail::Stored {
        attributes: attributes.collect(),
    }
}

fn type_of(bundle: &BundleReader, key: &str) -> Option<String> {
    // A key that is not there would be answered with near names, found slowly.
    if !bundle.contains(key).unwrap_or(false) {
        return None;
    }
    let entry = bundle.entry(key).ok()?;
    let dims = entry.shape().dims().iter();
    let dims: Vec<Option<i64>> = dims.map(|&dim| i64::try_from(dim).ok()).collect();
    Some(TypeText(entry.dtype(), Some(&dims)).to_string())
}

/// Counts the objects that have no name and are no slot variables.
fn unnamed(have_names: impl Iterator<Item = bool>, slots: impl Iterator<Item = usize>) -> u64 {
    let mut known: Vec<bool> = have_names.collect();
    for slot in slots {
        if let Some(known) = known.get_mut(slot) {
            *known = true;
        }
    }
    known.iter().filter(|known| !**known).count() as u64
}
