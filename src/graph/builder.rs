use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::attr::Attr;
use super::function::Function;
use super::name::{self, Names};
use super::op_builder::OpBuilder;
use super::output::{GraphId, Operation, Output, Source};
use super::variable::Variable;
use crate::error::{Error, Result};
use crate::proto::{FunctionDef, FunctionDefLibrary, GraphDef, NodeDef, VersionDef};
use crate::tensor::{DType, PartialShape, Shape, Tensor};

/// Builds a graph, node by node.
///
/// Every node is checked against the op's registration in TensorFlow 2.21 when it is added: number
/// and types of its inputs, names, types and allowed values of its attrs. Attrs that follow from the
/// inputs are filled in, others that have a default may be left out, so that older releases, which
/// lack the newer attrs, can load the graph.
///
/// ```
/// use savedmodel::graph::GraphBuilder;
/// use savedmodel::{DType, PartialShape, Tensor};
///
/// let mut graph = GraphBuilder::new();
/// let x = graph.placeholder("x", DType::FLOAT, PartialShape::new(&[None, Some(3)])?)?;
/// let w = graph.constant("w", &Tensor::from_slice([3, 1], &[1f32, 2., 3.])?)?;
/// let y = graph.op("MatMul").name("y").input(&x).input(&w).output()?;
/// assert_eq!(y.tensor_name(), "y:0");
/// assert_eq!(y.dtype(), DType::FLOAT);
///
/// let error = graph.op("MatMul").input(&x).output().unwrap_err();
/// assert!(error.to_string().contains("input `b` is missing"));
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// The body of a [`Function`] is a graph too; [`function`](Self::function) begins one.
///
/// In TensorFlow: `tensorflow/core/framework/node_def_builder.cc`,
/// `tensorflow/python/framework/op_def_library.py`.
#[derive(Debug)]
pub struct GraphBuilder {
    id: GraphId,
    nodes: Vec<NodeDef>,
    names: Names,
    /// The scopes that are open, with a slash at the end; empty outside of all.
    scope: String,
    library: BTreeMap<String, FunctionDef>,
    /// Those of the library that change or read state.
    stateful_functions: HashSet<String>,
    /// The names, types and shapes of a function's arguments; `None` in a main graph.
    arguments: Option<Vec<(Arc<str>, DType, PartialShape)>>,
    /// Nodes whose op has effects beyond its outputs.
    stateful: Vec<String>,
    variables: Vec<Variable>,
    assets: Vec<(Output, PathBuf)>,
    initializers: Vec<Operation>,
    producer: i32,
}

/// The graph version of the TensorFlow release that nodes are written for, 2.9: it says which
/// deprecated ops a graph may have.
const PRODUCER: i32 = 1087;
/// What TensorFlow 2 demands of readers of graphs with functions.
const MIN_CONSUMER: i32 = 12;

impl Default for GraphBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl GraphBuilder {
    /// Begins a graph.
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        GraphBuilder {
            id: GraphId(COUNT.fetch_add(1, Ordering::Relaxed)),
            nodes: Vec::new(),
            names: Names::default(),
            scope: String::new(),
            library: BTreeMap::new(),
            stateful_functions: HashSet::new(),
            arguments: None,
            stateful: Vec::new(),
            variables: Vec::new(),
            assets: Vec::new(),
            initializers: Vec::new(),
            producer: PRODUCER,
        }
    }

    /// Begins the body of a function; [`argument`](Self::argument) declares what it takes and
    /// [`into_function`](Self::into_function) completes it.
    pub fn function() -> Self {
        GraphBuilder {
            arguments: Some(Vec::new()),
            ..Self::new()
        }
    }

    /// Sets the graph version of the TensorFlow release that the graph is for
    /// (`tensorflow/core/public/version.h`). Default: 1087, of release 2.9.
    pub fn producer(&mut self, version: i32) -> &mut Self {
        self.producer = version;
        self
    }

    /// Begins a node of that op; [`build`](OpBuilder::build) or [`output`](OpBuilder::output) adds it.
    pub fn op(&mut self, op: &str) -> OpBuilder<'_> {
        OpBuilder::new(self, op)
    }

    /// Adds nodes below a scope: within `body` their names begin with it, as in `dense/MatMul`. A scope
    /// that is taken gets a number, `dense_1`.
    ///
    /// ```
    /// use savedmodel::graph::GraphBuilder;
    /// use savedmodel::Tensor;
    ///
    /// let mut graph = GraphBuilder::new();
    /// let two = graph.scope("numbers", |graph| graph.constant("two", &Tensor::scalar(2i32)))?;
    /// assert_eq!(two.node(), "numbers/two");
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for what cannot be part of a name, and what `body` answers.
    pub fn scope<T>(
        &mut self,
        scope: &str,
        body: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        name::check(scope)?;
        let unique = self.names.unique(&format!("{}{scope}", self.scope));
        let outer = std::mem::replace(&mut self.scope, unique + "/");
        let result = body(self);
        self.scope = outer;
        result
    }

    /// Adds a node that a caller feeds: `Placeholder`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`].
    pub fn placeholder(&mut self, name: &str, dtype: DType, shape: PartialShape) -> Result<Output> {
        let op = self.op("Placeholder").name(name).attr("dtype", dtype);
        Ok(op.attr("shape", &shape).output()?.with_shape(shape))
    }

    /// Adds a constant: `Const`.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a dtype that a `TensorProto` cannot hold; otherwise as for
    /// [`OpBuilder::build`].
    pub fn constant(&mut self, name: &str, value: &Tensor) -> Result<Output> {
        let shape = PartialShape::from(value.shape().clone());
        let op = self.op("Const").name(name).attr("dtype", value.dtype());
        Ok(op
            .attr("value", Attr::tensor(value)?)
            .output()?
            .with_shape(shape))
    }

    /// Adds a node that does nothing but wait for others: `NoOp` behind all of `operations`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`].
    pub fn group<'a>(
        &mut self,
        name: &str,
        operations: impl IntoIterator<Item = &'a Operation>,
    ) -> Result<Operation> {
        let op = operations
            .into_iter()
            .fold(self.op("NoOp").name(name), OpBuilder::control);
        op.build()
    }

    /// Adds a constant that holds the path of a file. When the model is saved the file is copied to its
    /// `assets` directory, and when it is loaded the constant is fed with the path it has there.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` in the body of a function and for a path without a name in Unicode; otherwise as
    /// for [`OpBuilder::build`].
    pub fn asset(&mut self, path: impl Into<PathBuf>) -> Result<Output> {
        let path = path.into();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            let what = "an asset is a file whose name is Unicode";
            return Err(Error::invalid_argument(what).in_file(path));
        };
        if self.is_function() {
            let what = "an asset is fed to the main graph, and a function takes it as an argument";
            return Err(Error::invalid_argument(what).in_file(path));
        }
        // The path itself is of no use in the model, and nobody's business.
        let value = Tensor::from_strings(Shape::SCALAR, [name])?;
        let output = self.constant("asset_path", &value)?;
        self.assets.push((output.clone(), path));
        Ok(output)
    }

    /// Notes an operation that must run after the variables were restored and before anything else: the
    /// one that fills a table.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if it belongs to another graph.
    pub fn initialize_with(&mut self, operation: &Operation) -> Result<()> {
        if operation.graph != self.id {
            let what = format!("node `{}` belongs to another graph", operation.name);
            return Err(Error::invalid_argument(what));
        }
        self.initializers.push(operation.clone());
        Ok(())
    }

    /// Returns the variables that were added, in their order.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// Returns the assets that were added: the constant and the file.
    pub fn assets(&self) -> &[(Output, PathBuf)] {
        &self.assets
    }

    /// Returns what must run before anything else.
    pub fn initializers(&self) -> &[Operation] {
        &self.initializers
    }

    /// Declares the next argument of a function.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if this is no body of a function, or if the name is no argument's or taken.
    pub fn argument(&mut self, name: &str, dtype: DType, shape: PartialShape) -> Result<Output> {
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let unique = self.names.unique(name);
        let Some(arguments) = &mut self.arguments else {
            return Err(Error::invalid_argument(format!(
                "argument `{name}`: only a function has arguments"
            ))
            .remedy("begin its body with `GraphBuilder::function`"));
        };
        if !is_name || unique != name {
            return Err(Error::invalid_argument(format!(
                "{name:?} cannot be the name of an argument: it is taken, or no letter followed by \
                 letters, digits and `_`"
            )));
        }
        let name: Arc<str> = name.into();
        arguments.push((name.clone(), dtype, shape.clone()));
        Ok(Output {
            graph: self.id,
            source: Source::Argument { name },
            dtype,
            shape,
        })
    }

    /// Adds a function, and those that it calls, to the library, where nodes find it by its name.
    /// [`call`](Self::call) and the control flow do so themselves.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the library has another one of that name.
    pub fn add_function(&mut self, function: &Function) -> Result<()> {
        for (name, def) in function.library() {
            match self.library.get(name) {
                Some(there) if *there != *def => {
                    return Err(Error::invalid_argument(format!(
                        "there is another function `{name}` already"
                    )));
                }
                Some(_) => {}
                None => {
                    self.library.insert(name.clone(), def.clone());
                    if def.signature.as_ref().is_some_and(|it| it.is_stateful) {
                        self.stateful_functions.insert(name.clone());
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns how many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Says whether there is no node yet.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Says whether there is a node of that name.
    pub fn contains(&self, node: &str) -> bool {
        self.nodes.iter().any(|there| there.name == node)
    }

    /// Makes the message.
    pub fn to_graph_def(&self) -> GraphDef {
        GraphDef {
            node: self.nodes.clone(),
            library: (!self.library.is_empty()).then(|| FunctionDefLibrary {
                function: self.library.values().cloned().collect(),
                ..FunctionDefLibrary::default()
            }),
            versions: Some(VersionDef {
                producer: self.producer,
                min_consumer: match self.library.is_empty() {
                    true => 0,
                    false => MIN_CONSUMER,
                },
                ..VersionDef::default()
            }),
            ..GraphDef::default()
        }
    }

    pub(super) fn id(&self) -> GraphId {
        self.id
    }

    pub(super) fn is_function(&self) -> bool {
        self.arguments.is_some()
    }

    pub(crate) fn nodes(&self) -> &[NodeDef] {
        &self.nodes
    }

    pub(super) fn arguments(&self) -> Option<&[(Arc<str>, DType, PartialShape)]> {
        self.arguments.as_deref()
    }

    pub(super) fn library(&self) -> &BTreeMap<String, FunctionDef> {
        &self.library
    }

    pub(super) fn stateful(&self) -> &[String] {
        &self.stateful
    }

    pub(super) fn has_stateful_function(&self, name: &str) -> bool {
        self.stateful_functions.contains(name)
    }

    pub(super) fn has_function(&self, name: &str) -> bool {
        self.library.contains_key(name)
    }

    /// Gives a node that was asked to be called `name` its name.
    pub(super) fn name_node(&mut self, name: &str) -> Result<String> {
        let whole = format!("{}{name}", self.scope);
        name::check(&whole)?;
        Ok(self.names.unique(&whole))
    }

    /// Returns the name that the next node to be called `name` will get.
    pub(super) fn next_name(&self, name: &str) -> Result<String> {
        let whole = format!("{}{name}", self.scope);
        name::check(&whole)?;
        Ok(self.names.next(&whole))
    }

    /// Returns the open scope, empty outside of all.
    pub(super) fn scope_name(&self) -> &str {
        self.scope.strip_suffix('/').unwrap_or(&self.scope)
    }

    /// Returns the part of a node's name that is below the open scope, if it is in it.
    pub(super) fn below_scope(&self, node: &str) -> String {
        node.strip_prefix(&self.scope).unwrap_or(node).to_owned()
    }

    pub(super) fn push_variable(&mut self, variable: &Variable) {
        self.variables.push(variable.clone());
    }

    pub(super) fn push(&mut self, node: NodeDef, is_stateful: bool) {
        if is_stateful {
            self.stateful.push(node.name.clone());
        }
        self.nodes.push(node);
    }

    /// Refuses tensors of other graphs.
    pub(super) fn check_own(&self, output: &Output) -> Result<()> {
        match output.graph == self.id {
            true => Ok(()),
            false => Err(Error::invalid_argument(format!(
                "tensor `{output}` belongs to another graph"
            ))
            .remedy("pass it to a function as an argument")),
        }
    }
}
