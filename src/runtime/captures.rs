use std::collections::HashMap;
use std::sync::Arc;

use super::call_graph::called_functions;
use super::ffi::{NodeAttr, NodeInput, Operation, Output};
use super::saved_model_bundle::SavedModelBundle;
use super::session::Session;
use super::soundness;
use super::variable_flow::VariableFlow;
use crate::error::{Error, Printable, Result};
use crate::model::{MetaGraph, Node};
use crate::object_graph::{Object, ObjectGraph, ObjectKind, Variable};
use crate::proto::attr_value::Value;
use crate::tensor::{DType, PartialShape, Tensor};

/// Which tensors of the graph stand for which objects: for a variable or a table its handle.
///
/// The graph's calls tell: after a function's arguments come the objects it captures, whose numbers
/// the object graph has.
pub(super) struct Handles(HashMap<usize, String>);

impl Handles {
    pub(super) fn read(meta_graph: MetaGraph<'_>, objects: &ObjectGraph) -> Result<Self> {
        let mut handles = HashMap::new();
        for node in meta_graph.graph().nodes() {
            let node = node?;
            if !matches!(node.op(), "PartitionedCall" | "StatefulPartitionedCall") {
                continue;
            }
            for function in called_functions(&node)? {
                let Ok(function) = objects.concrete_function(function) else {
                    continue;
                };
                let inputs = node.inputs().filter(|input| !input.starts_with('^'));
                let inputs: Vec<&str> = inputs.collect();
                let captured = function.bound_inputs();
                let arguments = inputs.len().saturating_sub(captured.len());
                for (object, input) in captured.zip(&inputs[arguments..]) {
                    handles
                        .entry(object?.id())
                        .or_insert_with(|| (*input).to_owned());
                }
            }
        }
        Ok(Handles(handles))
    }

    /// Returns the objects by the nodes of variables.
    pub(super) fn by_variable<'m>(&self, flow: &VariableFlow<'m>) -> HashMap<&'m str, usize> {
        let handles = self.0.iter();
        handles
            .filter_map(|(id, tensor)| Some((flow.variable(tensor)?, *id)))
            .collect()
    }
}

/// What was added to the graph for calls of functions, and what it captures.
#[derive(Default)]
pub(super) struct Captures {
    handles: Option<Handles>,
    outputs: HashMap<usize, Output>,
    calls: HashMap<String, Arc<Call>>,
}

/// A node that calls a function, and placeholders for its arguments.
pub(super) struct Call {
    pub(super) operation: Operation,
    pub(super) arguments: Vec<Output>,
    pub(super) dtypes: Vec<DType>,
    pub(super) results: Vec<Output>,
    /// Assets that the function captures: they have their paths only while they are fed.
    pub(super) assets: Vec<(Output, Tensor)>,
}

/// How many functions deep a table may be made.
const MAX_DEPTH: usize = 8;

impl Captures {
    /// Returns the node that calls a concrete function, which is added the first time.
    pub(super) fn call(
        &mut self,
        bundle: &SavedModelBundle,
        objects: &ObjectGraph,
        function: &str,
    ) -> Result<Arc<Call>> {
        self.call_within(MAX_DEPTH, bundle, objects, function)
    }

    fn call_within(
        &mut self,
        depth: usize,
        bundle: &SavedModelBundle,
        objects: &ObjectGraph,
        function: &str,
    ) -> Result<Arc<Call>> {
        if let Some(call) = self.calls.get(function) {
            return Ok(Arc::clone(call));
        }
        let fault =
            |what: &str| Error::malformed(format!("function `{}`: {what}", Printable(function)));
        let session = bundle.shared_session();
        soundness::check_function(bundle.meta_graph()?, function)?;
        let signature = bundle
            .meta_graph()?
            .graph()
            .function(function)?
            .signature()?;
        let inputs: Vec<DType> = dtypes(signature.input_arg.iter().map(|arg| arg.r#type));
        let outputs: Vec<DType> = dtypes(signature.output_arg.iter().map(|arg| arg.r#type));
        if inputs
            .iter()
            .chain(&outputs)
            .any(|dtype| *dtype == DType::INVALID)
        {
            return Err(fault("its arguments or results have no dtype"));
        }
        let concrete = objects.concrete_function(function)?;
        let captured: Vec<Object<'_>> = concrete.bound_inputs().collect::<Result<_>>()?;
        let Some(arguments) = inputs.len().checked_sub(captured.len()) else {
            return Err(fault("it captures more than it takes"));
        };
        let mut given = Vec::with_capacity(inputs.len());
        for dtype in &inputs[..arguments] {
            given.push(session.placeholder(*dtype)?);
        }
        let arguments = given.clone();
        let mut assets = Vec::new();
        for (object, dtype) in captured.into_iter().zip(&inputs[arguments.len()..]) {
            let output = self.capture(depth, bundle, object)?;
            if session.dtype(output) != *dtype {
                return Err(fault("it captures an object of another dtype"));
            }
            if let ObjectKind::Asset {
                asset_file_def_index,
            } = object.kind()
            {
                assets.push((output, asset_path(bundle, asset_file_def_index)?));
            }
            given.push(output);
        }
        let operation = session.add(
            "StatefulPartitionedCall",
            "call",
            &[NodeInput::List(&given)],
            &[
                ("Tin", NodeAttr::Types(&inputs)),
                ("Tout", NodeAttr::Types(&outputs)),
                ("f", NodeAttr::Function(function)),
            ],
        )?;
        let results = (0..outputs.len() as u32).filter_map(|i| session.raw.output(operation, i));
        let call = Arc::new(Call {
            operation,
            dtypes: inputs[..arguments.len()].to_vec(),
            results: results.collect(),
            arguments,
            assets,
        });
        self.calls.insert(function.to_owned(), Arc::clone(&call));
        Ok(call)
    }

    /// Returns the tensor of the graph that stands for an object.
    fn capture(
        &mut self,
        depth: usize,
        bundle: &SavedModelBundle,
        object: Object<'_>,
    ) -> Result<Output> {
        if let Some(output) = self.outputs.get(&object.id()) {
            return Ok(*output);
        }
        let handles = match &mut self.handles {
            Some(handles) => handles,
            none => none.insert(Handles::read(bundle.meta_graph()?, object.graph())?),
        };
        let known = handles.0.get(&object.id());
        let session = bundle.shared_session();
        let output = match (known, object.kind()) {
            (_, ObjectKind::Constant { operation }) => session.tensor(operation)?,
            (
                _,
                ObjectKind::Asset {
                    asset_file_def_index,
                },
            ) => session.tensor(&asset(bundle, asset_file_def_index)?.tensor_name)?,
            (Some(tensor), _) => session.tensor(tensor)?,
            (None, ObjectKind::Variable(variable)) => new_variable(bundle, variable)?,
            (None, ObjectKind::Resource { .. }) if depth > 0 => {
                return self.new_resource(depth - 1, bundle, object);
            }
            (None, kind) => {
                return Err(Error::unsupported(format!(
                    "the function captures {object:?}, a {}, which the graph does not have",
                    kind.name()
                )));
            }
        };
        self.outputs.insert(object.id(), output);
        Ok(output)
    }

    /// Makes a table or the like, as Python does: by its function `_create_resource`, and then
    /// `_initialize` once.
    fn new_resource(
        &mut self,
        depth: usize,
        bundle: &SavedModelBundle,
        object: Object<'_>,
    ) -> Result<Output> {
        let session = bundle.shared_session();
        let function = |name: &str| -> Option<&str> {
            match object.child(name)?.kind() {
                ObjectKind::Function(function) => function.concrete_function_names().next(),
                ObjectKind::BareConcreteFunction(function) => {
                    Some(function.concrete_function_name())
                }
                _ => None,
            }
        };
        let unsupported =
            || Error::unsupported(format!("{object:?} has no function that creates it"));
        let create = function("_create_resource").ok_or_else(unsupported)?;
        if let Some(node) = same_resource(bundle, create)? {
            let output = session.tensor(&node)?;
            self.outputs.insert(object.id(), output);
            return Ok(output);
        }
        if object.saveable_objects().next().is_some() || !object.checkpoint_keys().is_empty() {
            return Err(Error::unsupported(format!(
                "{object:?} has contents in the bundle, which the graph does not restore"
            )));
        }
        let created = self.call_within(depth, bundle, object.graph(), create)?;
        let output = *created.results.first().ok_or_else(unsupported)?;
        self.outputs.insert(object.id(), output);
        if let Some(initialize) = function("_initialize") {
            let call = self.call_within(depth, bundle, object.graph(), initialize)?;
            session.run_call(&call, &[], &[])?;
        }
        Ok(output)
    }
}

/// Returns the node of the graph that stands for the resource which a function creates: both know
/// it by the same name. What the bundle has of it was restored there.
fn same_resource(bundle: &SavedModelBundle, function: &str) -> Result<Option<String>> {
    let graph = bundle.meta_graph()?.graph();
    let shared_name = |node: &Node<'_>| {
        let value = node.attr("shared_name")?.and_then(|attr| attr.value);
        Ok::<_, Error>(match value {
            Some(Value::S(name)) if !name.is_empty() => Some(name),
            _ => None,
        })
    };
    for inside in graph.function(function)?.nodes() {
        let inside = inside?;
        let Some(name) = shared_name(&inside)? else {
            continue;
        };
        for node in graph.nodes() {
            let node = node?;
            if node.op() == inside.op() && shared_name(&node)?.as_ref() == Some(&name) {
                return Ok(Some(node.name().to_owned()));
            }
        }
    }
    Ok(None)
}

fn dtypes(numbers: impl Iterator<Item = i32>) -> Vec<DType> {
    numbers.map(DType::from_number).collect()
}

fn asset(bundle: &SavedModelBundle, index: i32) -> Result<crate::model::Asset> {
    let assets = bundle.meta_graph()?.assets()?;
    let asset = usize::try_from(index)
        .ok()
        .and_then(|index| assets.into_iter().nth(index));
    asset.ok_or_else(|| Error::malformed(format!("a function captures asset {index}, of none")))
}

fn asset_path(bundle: &SavedModelBundle, index: i32) -> Result<Tensor> {
    let path = bundle.model().path().join(asset(bundle, index)?.path()?);
    Tensor::from_strings([0i64; 0], [path.as_os_str().as_encoded_bytes()])
}

/// Makes a variable that no call of the graph shows, with its value from the bundle.
fn new_variable(bundle: &SavedModelBundle, variable: Variable<'_>) -> Result<Output> {
    let Some(key) = variable.checkpoint_key() else {
        return Err(Error::unsupported(format!(
            "the bundle has no value of {variable:?}"
        )));
    };
    let value = bundle.model().variables()?.tensor(key)?;
    let session = bundle.shared_session();
    // A name of its own, by which the session knows the variable.
    let shared_name = format!("{NAMES}/variable_{}", variable.object().id());
    let handle = session.add(
        "VarHandleOp",
        "variable",
        &[],
        &[
            ("dtype", NodeAttr::Type(variable.dtype())),
            ("shape", NodeAttr::Shape(variable.shape())),
            ("shared_name", NodeAttr::String(&shared_name)),
        ],
    )?;
    let handle = session.first_output(handle)?;
    session.assign(&[(handle, value)])?;
    Ok(handle)
}

/// The scope of the nodes that are added.
const NAMES: &str = "savedmodel_runtime";

impl Session {
    /// Adds a node under a name of its own.
    fn add(
        &self,
        op: &str,
        name: &str,
        inputs: &[NodeInput<'_>],
        attrs: &[(&str, NodeAttr<'_>)],
    ) -> Result<Operation> {
        let name = format!("{NAMES}/{name}_{}", self.next_number());
        self.raw.add(op, &name, inputs, attrs)
    }

    fn first_output(&self, operation: Operation) -> Result<Output> {
        let output = self.raw.output(operation, 0);
        output.ok_or_else(|| Error::malformed("a node without outputs"))
    }

    fn placeholder(&self, dtype: DType) -> Result<Output> {
        let attrs = [
            ("dtype", NodeAttr::Type(dtype)),
            ("shape", NodeAttr::Shape(&PartialShape::UNKNOWN)),
        ];
        self.first_output(self.add("Placeholder", "argument", &[], &attrs)?)
    }

    /// Gives variables values.
    pub(super) fn assign(&self, assignments: &[(Output, Tensor)]) -> Result<()> {
        let (mut inputs, mut values, mut targets) = (Vec::new(), Vec::new(), Vec::new());
        for (handle, value) in assignments {
            if self.dtype(*handle) != DType::RESOURCE {
                return Err(Error::unsupported(
                    "a variable of TensorFlow 1 without a value",
                ));
            }
            let placeholder = self.placeholder(value.dtype())?;
            targets.push(self.add(
                "AssignVariableOp",
                "assign",
                &[NodeInput::One(*handle), NodeInput::One(placeholder)],
                &[("dtype", NodeAttr::Type(value.dtype()))],
            )?);
            inputs.push(placeholder);
            values.push(value);
        }
        self.run_resolved(None, &inputs, &values, &[], &targets)?;
        Ok(())
    }

    /// Runs a call with these arguments and returns these of its results.
    pub(super) fn run_call(
        &self,
        call: &Call,
        arguments: &[&Tensor],
        results: &[Output],
    ) -> Result<Vec<Tensor>> {
        let (mut inputs, mut values) = (call.arguments.clone(), arguments.to_vec());
        for (output, path) in &call.assets {
            inputs.push(*output);
            values.push(path);
        }
        let (tensors, _) = self.run_resolved(None, &inputs, &values, results, &[call.operation])?;
        Ok(tensors)
    }
}
