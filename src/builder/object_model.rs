use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::constants::SERVING;
use super::parameters::{check_parameters, parameters};
use super::saved_model::SavedModelBuilder;
use super::static_table::StaticTable;
use super::trace::{Capture, CaptureType, CheckedTrace, Trace};
use super::variable_value::VariableValue;
use crate::error::{Error, Printable, Result};
use crate::graph::Function;
use crate::object_graph::{FullArgSpec, FunctionSpec, ObjectTree, Trackable};
use crate::tensor::{DType, Tensor};

/// Describes a model of TensorFlow 2: a tree of objects, and what they have besides variables, that is
/// functions, assets, tables and constants. `tf.saved_model.load` gives the same attributes again.
///
/// ```
/// use savedmodel::builder::{ObjectModelBuilder, Trace};
/// use savedmodel::graph::{GraphBuilder, Variable};
/// use savedmodel::object_graph::ObjectTree;
/// use savedmodel::{DType, PartialShape, SavedModel, Shape, Tensor};
///
/// # let directory = std::env::temp_dir().join(format!("savedmodel-objects-{}", std::process::id()));
/// let mut tree = ObjectTree::new();
/// let w = tree.track(tree.root(), "w", Tensor::from_slice([3, 1], &[1f32, 2., 3.])?)?;
///
/// // What a function uses of the model comes as its last arguments.
/// let mut body = GraphBuilder::function();
/// let x = body.argument("x", DType::FLOAT, PartialShape::new(&[None, Some(3)])?)?;
/// let handle = body.argument("w", DType::RESOURCE, PartialShape::UNKNOWN)?;
/// let kernel = Variable::from_handle(&handle, DType::FLOAT, Shape::new(&[3, 1])?)?;
/// let kernel = body.read(&kernel)?;
/// let y = body.op("MatMul").input(&x).input(&kernel).output()?;
/// let call = body.into_function("call", [("y", &y)])?;
///
/// let root = tree.root();
/// let mut model = ObjectModelBuilder::new(tree)?;
/// model.function(root, "__call__", [Trace::new(&call).capture(w)])?;
/// model.signature("serving_default", "call")?;
/// model.save(directory.join("1"))?;
///
/// let model = SavedModel::open(directory.join("1"))?;
/// let signature = model.meta_graph(["serve"])?.signature("serving_default")?;
/// assert!(signature.inputs.contains_key("x") && signature.outputs.contains_key("output_0"));
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// | in Python | here |
/// |---|---|
/// | `self.w = tf.Variable(...)`, modules, lists, dicts | [`ObjectTree::track`] |
/// | a method that is a `tf.function` | [`function`](Self::function) |
/// | one that takes `training=False` | [`function_with_spec`](Self::function_with_spec) with a [`Trace`] for each value |
/// | `self.vocabulary = tf.saved_model.Asset(path)` | [`asset`](Self::asset) and [`attach`](Self::attach) |
/// | `tf.lookup.StaticHashTable` | [`table`](Self::table) |
/// | `signatures=` of `tf.saved_model.save` | [`signature`](Self::signature) |
/// | `trainable_variables`, `regularization_losses` | lists in the tree, of objects that are there, or of functions under `"0"`, `"1"` |
///
/// The directory runs by the session loaders too: the main graph has the variables, the tables, and a
/// call for each signature. In TensorFlow: `tensorflow/python/saved_model/save.py`.
pub struct ObjectModelBuilder {
    number: u32,
    pub(super) tree: ObjectTree,
    pub(super) tags: Vec<String>,
    pub(super) traces: Vec<ModelTrace>,
    pub(super) parts: Vec<Part>,
    pub(super) attached: Vec<(Trackable, String, usize)>,
    /// The trace of each signature's wrapper.
    pub(super) signatures: BTreeMap<String, usize>,
    /// By the name that the caller gave each function.
    pub(super) by_name: BTreeMap<String, usize>,
    /// The alias of each trace that has one.
    pub(super) aliases: BTreeMap<usize, String>,
    uid: u64,
}

/// An object of a model that is not in its tree: an asset, a table, a constant or a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModelObject {
    builder: u32,
    index: usize,
}

/// One of those.
#[derive(Debug)]
pub(super) enum Part {
    Asset(PathBuf),
    Constant(Tensor),
    Table {
        table: StaticTable,
        shared_name: String,
        /// What makes, fills and destroys it, once they are there.
        functions: Vec<(&'static str, usize)>,
        /// The trace that fills it.
        initializer: usize,
    },
    Function {
        spec: FunctionSpec,
        traces: Vec<usize>,
    },
}

/// A concrete function of the model.
#[derive(Debug)]
pub(super) struct ModelTrace {
    pub(super) checked: CheckedTrace,
    pub(super) captures: Vec<Captured>,
    /// The parameters of the function whose trace it is.
    pub(super) parameters: FullArgSpec,
    /// Whether it is a signature, whose tensors are given by keyword alone.
    pub(super) is_signature: bool,
}

/// Something that functions can capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Captured {
    Variable(Trackable),
    Part(usize),
}

const SIGNATURES: &str = "signatures";

impl ObjectModelBuilder {
    /// Begins the model of a tree, with the tag `serve`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the root is no module, or has an attribute `signatures`, which is the
    /// model's own.
    pub fn new(tree: ObjectTree) -> Result<ObjectModelBuilder> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if !tree.is_module(tree.root())? {
            return Err(Error::invalid_argument("the root of a model is a module"));
        }
        if tree.has_child(tree.root(), SIGNATURES)? {
            return Err(Error::invalid_argument(
                "the root has a child `signatures`, which is what a model calls its signatures",
            ));
        }
        Ok(ObjectModelBuilder {
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            tree,
            tags: vec![SERVING.to_owned()],
            traces: Vec::new(),
            parts: Vec::new(),
            attached: Vec::new(),
            signatures: BTreeMap::new(),
            by_name: BTreeMap::new(),
            aliases: BTreeMap::new(),
            uid: 0,
        })
    }

    /// Sets the tags in place of `serve`.
    pub fn tags<T: Into<String>>(&mut self, tags: impl IntoIterator<Item = T>) -> &mut Self {
        self.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// Returns the tree.
    pub fn tree(&self) -> &ObjectTree {
        &self.tree
    }

    /// Adds a file that is copied into the model. A function that captures it has its path, a string.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such file.
    pub fn asset(&mut self, path: impl Into<PathBuf>) -> Result<ModelObject> {
        let path = path.into();
        if !path.is_file() {
            return Err(Error::not_found("asset").in_file(path));
        }
        Ok(self.push(Part::Asset(path)))
    }

    /// Adds a constant, which functions can capture. It is a node of the graph, so what is large belongs
    /// into a variable.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a dtype that a `TensorProto` cannot hold.
    pub fn constant(&mut self, value: Tensor) -> Result<ModelObject> {
        value.to_proto()?;
        Ok(self.push(Part::Constant(value)))
    }

    /// Lets an object of the tree have a function. Its parameters are those of the first trace, by position
    /// or by name, without defaults.
    ///
    /// The traces are tried in order, and the first is taken whose arguments match a call.
    ///
    /// # Errors
    ///
    /// As for [`function_with_spec`](Self::function_with_spec).
    pub fn function(
        &mut self,
        object: Trackable,
        name: &str,
        traces: impl IntoIterator<Item = Trace>,
    ) -> Result<ModelObject> {
        self.add_function(object, name, None, traces.into_iter().collect())
    }

    /// Lets an object of the tree have a function of those parameters.
    ///
    /// ```
    /// # use savedmodel::builder::{ObjectModelBuilder, Trace};
    /// # use savedmodel::graph::{Function, GraphBuilder};
    /// # use savedmodel::object_graph::{FullArgSpec, ObjectTree, StructuredValue, TensorSpec};
    /// # use savedmodel::{DType, PartialShape};
    /// # fn body(name: &str, op: &str) -> savedmodel::Result<Function> {
    /// #     let mut body = GraphBuilder::function();
    /// #     let x = body.argument("x", DType::FLOAT, PartialShape::UNKNOWN)?;
    /// #     let y = body.op(op).input(&x).output()?;
    /// #     body.into_function(name, [("y", &y)])
    /// # }
    /// let (inference, training) = (body("call", "Relu")?, body("call_training", "Elu")?);
    /// let x = StructuredValue::from(TensorSpec::new(DType::FLOAT, PartialShape::UNKNOWN).named("x"));
    ///
    /// let tree = ObjectTree::new();
    /// let root = tree.root();
    /// let mut model = ObjectModelBuilder::new(tree)?;
    /// // def __call__(self, x, training=False)
    /// model.function_with_spec(
    ///     root,
    ///     "__call__",
    ///     FullArgSpec::new(["x", "training"]).defaults([false.into()]),
    ///     [
    ///         Trace::new(&inference).arguments([x.clone(), false.into()]),
    ///         Trace::new(&training).arguments([x, true.into()]),
    ///     ],
    /// )?;
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` without a trace; if a trace does not have the arguments that the parameters call
    /// for, or its structures not the tensors of the graph's function; if captures and the last
    /// arguments differ in number or type; if something is captured that is no variable or of another
    /// model; if two functions have one name; and as for [`attach`](Self::attach). Nothing was added
    /// then.
    pub fn function_with_spec(
        &mut self,
        object: Trackable,
        name: &str,
        spec: impl Into<FunctionSpec>,
        traces: impl IntoIterator<Item = Trace>,
    ) -> Result<ModelObject> {
        self.add_function(
            object,
            name,
            Some(spec.into()),
            traces.into_iter().collect(),
        )
    }

    /// Adds a concrete function that no object has; a [`signature`](Self::signature) can be made of it.
    ///
    /// # Errors
    ///
    /// As for [`function_with_spec`](Self::function_with_spec).
    pub fn concrete_function(&mut self, trace: Trace) -> Result<()> {
        let checkpoint = self.checkpoint();
        self.add_named(trace)
            .map(drop)
            .inspect_err(|_| self.roll_back(checkpoint))
    }

    /// Lets an object of the tree have an asset, a table, a constant or a function under a name.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if it has something else of that name; if it is a variable; if the name is empty,
    /// or `signatures` at the root; if one of the two is of another model.
    pub fn attach(&mut self, object: Trackable, name: &str, part: ModelObject) -> Result<()> {
        self.part(part)?;
        self.check_attribute(object, name)?;
        self.attached.push((object, name.to_owned(), part.index));
        Ok(())
    }

    /// Writes the model to a new directory, as [`SavedModelBuilder`] does; returns the directory.
    ///
    /// # Errors
    ///
    /// As for [`SavedModelBuilder::add_object_model`] and [`SavedModelBuilder::save`].
    pub fn save(self, directory: impl AsRef<Path>) -> Result<PathBuf> {
        let mut builder = SavedModelBuilder::new(directory)?;
        builder.add_object_model(self)?;
        builder.save()
    }

    /// Writes the model to a new directory with values of variables that the tree has not;
    /// returns the directory.
    ///
    /// # Errors
    ///
    /// As for [`SavedModelBuilder::add_object_model_and_variables`] and [`SavedModelBuilder::save`].
    pub fn save_with_variables<'v>(
        self,
        directory: impl AsRef<Path>,
        values: impl IntoIterator<Item = (Trackable, impl Into<VariableValue<'v>>)>,
    ) -> Result<PathBuf> {
        let mut builder = SavedModelBuilder::new(directory)?;
        builder.add_object_model_and_variables(self, values)?;
        builder.save()
    }

    fn add_function(
        &mut self,
        object: Trackable,
        name: &str,
        spec: Option<FunctionSpec>,
        traces: Vec<Trace>,
    ) -> Result<ModelObject> {
        self.check_attribute(object, name)?;
        if traces.is_empty() {
            let what = format!("`{}` is a function without traces", Printable(name));
            return Err(Error::invalid_argument(what));
        }
        let checkpoint = self.checkpoint();
        let add = || -> Result<ModelObject> {
            let mut added = Vec::new();
            for trace in traces {
                added.push(self.add_named(trace)?);
            }
            let spec = match spec {
                Some(spec) => spec,
                None => self.traces[added[0]].parameters.clone().into(),
            };
            for &index in &added {
                let trace = &mut self.traces[index];
                check_parameters(&spec.fullargspec, &trace.checked)
                    .map_err(|error| error.for_key(name.as_bytes()))?;
                trace.parameters = spec.fullargspec.clone();
            }
            spec.to_proto()?;
            Ok(self.push(Part::Function {
                spec,
                traces: added,
            }))
        };
        let function = add().inspect_err(|_| self.roll_back(checkpoint))?;
        self.attached
            .push((object, name.to_owned(), function.index));
        Ok(function)
    }

    fn add_named(&mut self, trace: Trace) -> Result<usize> {
        let name = trace.name().to_owned();
        if self.by_name.contains_key(&name) {
            let what = format!("there is another function `{name}` already");
            return Err(Error::invalid_argument(what)
                .remedy("`attach` gives an object a function that is there"));
        }
        let index = self.add(trace, false)?;
        self.by_name.insert(name, index);
        Ok(index)
    }

    pub(super) fn add(&mut self, trace: Trace, is_signature: bool) -> Result<usize> {
        let (mut captures, mut types) = (Vec::new(), Vec::new());
        for (i, capture) in trace.captures().iter().enumerate() {
            let (captured, kind) = self.captured(capture).map_err(|error| {
                let what = format!("function `{}`, capture {i}: {error}", trace.name());
                Error::invalid_argument(what)
            })?;
            captures.push(captured);
            types.push(kind);
        }
        let name = self.model_name(trace.name())?;
        let checked = trace.check(&name, &types)?;
        self.traces.push(ModelTrace {
            parameters: parameters(&checked),
            checked,
            captures,
            is_signature,
        });
        Ok(self.traces.len() - 1)
    }

    /// Returns the name that a function has in the model. The number at its end is what fingerprints sort
    /// functions by.
    fn model_name(&mut self, given: &str) -> Result<String> {
        let is_taken = |name: &str| self.traces.iter().any(|it| it.checked.name() == name);
        let number = given.rsplit('_').next().unwrap_or_default();
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        if given.starts_with("__inference_") && is_number && number.parse::<i64>().is_ok() {
            return match is_taken(given) {
                false => Ok(given.to_owned()),
                true => Err(Error::invalid_argument(format!(
                    "there is another function `{given}` already"
                ))),
            };
        }
        let mut uid = self.uid;
        let name = loop {
            uid += 1;
            let name = format!("__inference_{given}_{uid}");
            if !is_taken(&name) {
                break name;
            }
        };
        self.uid = uid;
        Ok(name)
    }

    fn captured(&mut self, capture: &Capture) -> Result<(Captured, CaptureType)> {
        let (captured, dtype) = match capture {
            Capture::Variable(variable) => {
                let Some(kind) = self.tree.variable_type(*variable)? else {
                    return Err(Error::invalid_argument("the object is no variable"));
                };
                let kind = CaptureType {
                    dtype: DType::RESOURCE,
                    variable: Some(kind),
                };
                return Ok((Captured::Variable(*variable), kind));
            }
            Capture::Object(object) => {
                let dtype = match self.part(*object)? {
                    Part::Asset(_) => DType::STRING,
                    Part::Constant(value) => value.dtype(),
                    Part::Table { .. } => DType::RESOURCE,
                    Part::Function { .. } => {
                        return Err(Error::invalid_argument("a function cannot be captured")
                            .remedy("call it in the body"));
                    }
                };
                (Captured::Part(object.index), dtype)
            }
            Capture::Constant(value) => {
                let constant = self.constant(value.clone())?;
                (Captured::Part(constant.index), value.dtype())
            }
        };
        let kind = CaptureType {
            dtype,
            variable: None,
        };
        Ok((captured, kind))
    }

    fn check_attribute(&self, object: Trackable, name: &str) -> Result<()> {
        let refuse = |what: String| Err(Error::invalid_argument(what));
        if self.tree.variable_type(object)?.is_some() {
            return refuse(format!(
                "`{}` is to be an attribute of a variable, which has none",
                Printable(name)
            ));
        }
        if name.is_empty() || (object == self.tree.root() && name == SIGNATURES) {
            return refuse(format!("no attribute can be called {name:?}"));
        }
        let mut attached = self.attached.iter();
        let is_attached = attached.any(|(there, it, _)| (*there, it.as_str()) == (object, name));
        match is_attached || self.tree.has_child(object, name)? {
            false => Ok(()),
            true => refuse(format!("the object has a `{}` already", Printable(name))),
        }
    }

    pub(super) fn part(&self, object: ModelObject) -> Result<&Part> {
        let part = self.parts.get(object.index);
        part.filter(|_| object.builder == self.number)
            .ok_or_else(|| Error::invalid_argument("the object is of another model"))
    }

    pub(super) fn push(&mut self, part: Part) -> ModelObject {
        self.parts.push(part);
        self.object(self.parts.len() - 1)
    }

    pub(super) fn object(&self, index: usize) -> ModelObject {
        ModelObject {
            builder: self.number,
            index,
        }
    }

    fn checkpoint(&self) -> (usize, usize) {
        (self.traces.len(), self.parts.len())
    }

    /// Takes back what was added since.
    fn roll_back(&mut self, (traces, parts): (usize, usize)) {
        self.traces.truncate(traces);
        self.parts.truncate(parts);
        self.by_name.retain(|_, index| *index < traces);
    }
}

impl fmt::Debug for ObjectModelBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectModelBuilder")
            .field("tree", &self.tree)
            .field("functions", &self.by_name.keys())
            .field("signatures", &self.signatures.keys())
            .finish_non_exhaustive()
    }
}

impl ModelObject {
    /// Returns its place among the parts of the model.
    pub(super) fn index(self) -> usize {
        self.index
    }
}

impl ModelTrace {
    pub(super) fn function(&self) -> &Function {
        &self.checked.function
    }
}
