use std::fmt;

use prost::Message as _;
use prost::bytes::Bytes;

use super::graph::ObjectGraph;
use super::object::Object;
use super::structured_value::StructuredValue;
use crate::error::{Error, Printable, Result};
use crate::proto;

/// A polymorphic function: a `tf.function` and its traces.
///
/// When it is called, its concrete functions are tried in order, and the first one wins whose
/// arguments match (`tensorflow/python/saved_model/function_deserialization.py`).
#[derive(Clone, Copy)]
pub struct Function<'g> {
    object: Object<'g>,
    proto: &'g proto::SavedFunction,
}

/// One trace of a function, callable by itself.
#[derive(Clone, Copy)]
pub struct BareConcreteFunction<'g> {
    object: Object<'g>,
    proto: &'g proto::SavedBareConcreteFunction,
}

/// A function for arguments of certain types: how one of the graph's functions is called.
pub struct ConcreteFunction<'g> {
    graph: &'g ObjectGraph,
    name: &'g str,
    proto: proto::SavedConcreteFunction,
}

/// The parameters of a Python function.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionSpec {
    /// What Python's `inspect` says of it.
    pub fullargspec: FullArgSpec,
    /// Whether it was saved as a method with the object as its first parameter. Old files alone
    /// have such, and [`FullArgSpec::args`] is without that parameter.
    pub is_method: bool,
    /// The `input_signature` that `tf.function` was given, if it was: a tuple of specs.
    pub input_signature: Option<StructuredValue>,
    /// Whether the function is compiled by XLA.
    pub jit_compile: JitCompile,
}

/// Names and defaults of parameters: Python's `inspect.FullArgSpec`.
#[derive(Clone, Debug, PartialEq)]
pub struct FullArgSpec {
    /// The parameters that can be given by position.
    pub args: Vec<String>,
    /// The name of the parameter that takes further ones by position.
    pub varargs: Option<String>,
    /// The name of the parameter that takes further ones by keyword.
    pub varkw: Option<String>,
    /// The defaults of the last of `args`, or `None` if there are none.
    pub defaults: Option<Vec<StructuredValue>>,
    /// The parameters that can be given by keyword alone.
    pub kwonlyargs: Vec<String>,
    /// The defaults of `kwonlyargs`, or `None` if there are none.
    pub kwonlydefaults: Option<Vec<(String, StructuredValue)>>,
}

/// Whether a function is compiled by XLA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JitCompile {
    /// Whoever runs it decides.
    Default,
    /// It is.
    On,
    /// It is not.
    Off,
}

impl<'g> Function<'g> {
    pub(super) fn new(object: Object<'g>, proto: &'g proto::SavedFunction) -> Self {
        Function { object, proto }
    }

    /// Returns the object that the function is.
    pub fn object(self) -> Object<'g> {
        self.object
    }

    /// Walks the names of its concrete functions, in the order in which they are tried.
    pub fn concrete_function_names(self) -> impl ExactSizeIterator<Item = &'g str> {
        self.proto.concrete_functions.iter().map(String::as_str)
    }

    /// Walks its concrete functions, in the order in which they are tried.
    ///
    /// # Errors
    ///
    /// For each what [`ObjectGraph::concrete_function`] answers.
    pub fn concrete_functions(self) -> impl ExactSizeIterator<Item = Result<ConcreteFunction<'g>>> {
        let graph = self.object.graph;
        self.concrete_function_names()
            .map(move |name| graph.concrete_function(name))
    }

    /// Returns its parameters.
    ///
    /// # Errors
    ///
    /// `Malformed` if they are not what Python's `FullArgSpec` is, or missing.
    pub fn function_spec(self) -> Result<FunctionSpec> {
        match &self.proto.function_spec {
            Some(spec) => FunctionSpec::from_proto(spec),
            None => Err(Error::malformed("a function has no specification")),
        }
        .map_err(|error| in_object(self.object, error))
    }
}

impl fmt::Debug for Function<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.concrete_function_names())
            .finish()
    }
}

impl<'g> BareConcreteFunction<'g> {
    pub(super) fn new(object: Object<'g>, proto: &'g proto::SavedBareConcreteFunction) -> Self {
        BareConcreteFunction { object, proto }
    }

    /// Returns the object that the function is.
    pub fn object(self) -> Object<'g> {
        self.object
    }

    /// Returns the name of its concrete function.
    pub fn concrete_function_name(self) -> &'g str {
        &self.proto.concrete_function_name
    }

    /// Returns its concrete function.
    ///
    /// # Errors
    ///
    /// As for [`ObjectGraph::concrete_function`].
    pub fn concrete_function(self) -> Result<ConcreteFunction<'g>> {
        let graph = self.object.graph;
        graph.concrete_function(self.concrete_function_name())
    }

    /// Walks the keywords for its tensors, in the order of the graph's function.
    pub fn argument_keywords(self) -> impl ExactSizeIterator<Item = &'g str> {
        self.proto.argument_keywords.iter().map(String::as_str)
    }

    /// Returns how many tensors may be given by position.
    pub fn allowed_positional_arguments(self) -> i64 {
        self.proto.allowed_positional_arguments
    }

    /// Returns the parameters of the Python function, if they were saved.
    ///
    /// # Errors
    ///
    /// `Malformed` if they are not what Python's `FullArgSpec` is.
    pub fn function_spec(self) -> Result<Option<FunctionSpec>> {
        let spec = self.proto.function_spec.as_ref();
        spec.map(FunctionSpec::from_proto)
            .transpose()
            .map_err(|error| in_object(self.object, error))
    }
}

impl fmt::Debug for BareConcreteFunction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.concrete_function_name(), f)
    }
}

impl<'g> ConcreteFunction<'g> {
    pub(super) fn decode(graph: &'g ObjectGraph, name: &'g str, bytes: &Bytes) -> Result<Self> {
        match proto::SavedConcreteFunction::decode(bytes.clone()) {
            Ok(proto) => Ok(ConcreteFunction { graph, name, proto }),
            Err(error) => Err(in_function(name, &error)),
        }
    }

    /// Returns the name of the graph's function.
    pub fn name(&self) -> &'g str {
        self.name
    }

    /// Walks the captured inputs, in the order of the graph function's last arguments: variables,
    /// constants, assets and tables that the function uses.
    ///
    /// # Errors
    ///
    /// `Malformed` for each one that is no object of the graph.
    pub fn bound_inputs(&self) -> impl ExactSizeIterator<Item = Result<Object<'g>>> {
        let (graph, name) = (self.graph, self.name);
        self.proto.bound_inputs.iter().map(move |&node_id| {
            graph.at(node_id).ok_or_else(|| {
                let there = graph.len();
                in_function(
                    name,
                    &format!("it captures object {node_id}, but there are {there} objects"),
                )
            })
        })
    }

    /// Returns the types of the arguments: a tuple of a tuple, those by position, and a dict, those
    /// by keyword. Values that are no types have to be equal in a call. `None` if it was not saved.
    ///
    /// # Errors
    ///
    /// What [`StructuredValue::from_proto`] answers.
    pub fn canonicalized_input_signature(&self) -> Result<Option<StructuredValue>> {
        self.value(self.proto.canonicalized_input_signature.as_ref())
    }

    /// Returns the structure of the result. `None` if it was not saved.
    ///
    /// # Errors
    ///
    /// What [`StructuredValue::from_proto`] answers.
    pub fn output_signature(&self) -> Result<Option<StructuredValue>> {
        self.value(self.proto.output_signature.as_ref())
    }

    fn value(&self, proto: Option<&proto::StructuredValue>) -> Result<Option<StructuredValue>> {
        proto
            .map(StructuredValue::from_proto)
            .transpose()
            .map_err(|error| in_function(self.name, &error))
    }
}

impl fmt::Debug for ConcreteFunction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConcreteFunction({:?})", self.name)
    }
}

impl FunctionSpec {
    /// Reads the message as TensorFlow does when it loads a model: the parameter `self` of a method
    /// is left out.
    ///
    /// # Errors
    ///
    /// `Malformed` if `fullargspec` is not the named tuple that it has to be.
    pub fn from_proto(proto: &proto::FunctionSpec) -> Result<FunctionSpec> {
        let fullargspec = proto.fullargspec.as_ref().map(StructuredValue::from_proto);
        let Some(fullargspec) = fullargspec.transpose()? else {
            return Err(Error::malformed(
                "a function specification has no fullargspec",
            ));
        };
        let mut fullargspec = FullArgSpec::from_value(&fullargspec)?;
        let has_self = fullargspec.args.first().is_some_and(|name| name == "self");
        if proto.is_method && fullargspec.args.is_empty() {
            return Err(Error::malformed("a method has no parameter for its object"));
        }
        if proto.is_method || has_self {
            fullargspec.args.remove(0);
        }
        let input_signature = match &proto.input_signature {
            Some(value) => match StructuredValue::from_proto(value)? {
                StructuredValue::None => None,
                value => Some(value),
            },
            None => None,
        };
        Ok(FunctionSpec {
            fullargspec,
            is_method: proto.is_method,
            input_signature,
            jit_compile: match proto.jit_compile() {
                proto::function_spec::JitCompile::Default => JitCompile::Default,
                proto::function_spec::JitCompile::On => JitCompile::On,
                proto::function_spec::JitCompile::Off => JitCompile::Off,
            },
        })
    }
}

impl FullArgSpec {
    /// Reads the named tuple that stands for it in a file.
    ///
    /// # Errors
    ///
    /// `Malformed` if it is no named tuple, or a field is missing or of a type that it cannot be.
    pub fn from_value(value: &StructuredValue) -> Result<FullArgSpec> {
        let field = |name: &str| {
            value
                .get(name)
                .ok_or_else(|| Error::malformed(format!("a FullArgSpec has no `{name}`")))
        };
        Ok(FullArgSpec {
            args: names("args", field("args")?)?,
            varargs: optional_name("varargs", field("varargs")?)?,
            varkw: optional_name("varkw", field("varkw")?)?,
            defaults: match field("defaults")? {
                StructuredValue::None => None,
                StructuredValue::Tuple(values) | StructuredValue::List(values) => {
                    Some(values.clone())
                }
                _ => return Err(unexpected("defaults")),
            },
            kwonlyargs: names("kwonlyargs", field("kwonlyargs")?)?,
            kwonlydefaults: match field("kwonlydefaults")? {
                StructuredValue::None => None,
                StructuredValue::Dict(entries) => Some(entries.clone()),
                _ => return Err(unexpected("kwonlydefaults")),
            },
        })
    }
}

fn names(field: &str, value: &StructuredValue) -> Result<Vec<String>> {
    let names = value.elements().ok_or_else(|| unexpected(field))?;
    let names = names.iter().map(StructuredValue::as_str);
    let names: Option<Vec<_>> = names.map(|name| name.map(str::to_owned)).collect();
    names.ok_or_else(|| unexpected(field))
}

fn optional_name(field: &str, value: &StructuredValue) -> Result<Option<String>> {
    match value {
        StructuredValue::None => Ok(None),
        StructuredValue::String(name) => Ok(Some(name.clone())),
        _ => Err(unexpected(field)),
    }
}

fn unexpected(field: &str) -> Error {
    Error::malformed(format!(
        "`{field}` of a FullArgSpec is of a type that it cannot be"
    ))
}

fn in_object(object: Object<'_>, error: Error) -> Error {
    // Not the path: as long as a file wants it to be, it would be in each of as many messages.
    Error::malformed(format!("object {}: {error}", object.id()))
}

pub(super) fn in_function(name: &str, error: &dyn fmt::Display) -> Error {
    Error::malformed(format!(
        "concrete function `{}`: {error}",
        Printable(excerpt(name))
    ))
}

/// Cuts a name: a function may have one fault for each byte of its captures.
fn excerpt(name: &str) -> &str {
    const SHOWN: usize = 200;
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => &name[..end],
        None => name,
    }
}
