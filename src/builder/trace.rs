use std::collections::BTreeSet;

use super::object_model::ModelObject;
use crate::error::{Error, Result};
use crate::graph::{Attr, Function};
use crate::object_graph::{StructuredValue, TensorSpec, Trackable};
use crate::proto::function_def::arg_attrs::AttrEntry as ArgAttr;
use crate::proto::function_def::{ArgAttrEntry, ArgAttrs, AttrEntry};
use crate::proto::resource_handle_proto::DtypeAndShape;
use crate::tensor::{DType, PartialShape, Shape, Tensor};

/// A function of the graph as Python code calls it: which of its arguments are tensors of the caller, in
/// which structure, and what the others are bound to. `tf.function` makes one for each kind of
/// arguments, and calls it a concrete function.
///
/// The captures are the function's last arguments. Those before them are, if nothing else is
/// [said](Self::arguments), parameters under the same names; what it returns is one tensor, or a tuple
/// of all.
///
/// ```
/// use savedmodel::builder::Trace;
/// use savedmodel::graph::{GraphBuilder, Variable};
/// use savedmodel::object_graph::ObjectTree;
/// use savedmodel::{DType, PartialShape, Shape, Tensor};
///
/// let mut tree = ObjectTree::new();
/// let w = tree.track(tree.root(), "w", Tensor::scalar(2f32))?;
///
/// let mut body = GraphBuilder::function();
/// let x = body.argument("x", DType::FLOAT, PartialShape::UNKNOWN)?;
/// let handle = body.argument("w", DType::RESOURCE, PartialShape::UNKNOWN)?;
/// let value = body.read(&Variable::from_handle(&handle, DType::FLOAT, Shape::SCALAR)?)?;
/// let y = body.op("Mul").input(&x).input(&value).output()?;
/// let scale = Trace::new(&body.into_function("scale", [("y", &y)])?).capture(w);
/// # let _ = scale;
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// In TensorFlow: `tensorflow/core/protobuf/saved_object_graph.proto`, `SavedConcreteFunction`.
#[derive(Clone, Debug)]
pub struct Trace {
    function: Function,
    captures: Vec<Capture>,
    arguments: Option<Vec<StructuredValue>>,
    keywords: Vec<(String, StructuredValue)>,
    returns: Option<StructuredValue>,
}

/// What an argument of a function is bound to, whoever calls it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Capture {
    /// A variable of the tree: its handle.
    Variable(Trackable),
    /// An asset, whose path it is; a table, whose handle; a constant, whose value.
    Object(ModelObject),
    /// A constant: its value.
    Constant(Tensor),
}

impl From<Trackable> for Capture {
    fn from(variable: Trackable) -> Self {
        Capture::Variable(variable)
    }
}

impl From<ModelObject> for Capture {
    fn from(object: ModelObject) -> Self {
        Capture::Object(object)
    }
}

impl From<Tensor> for Capture {
    fn from(value: Tensor) -> Self {
        Capture::Constant(value)
    }
}

/// The type that an argument has to have for what is captured.
pub(super) struct CaptureType {
    pub(super) dtype: DType,
    /// What a variable's handle leads to.
    pub(super) variable: Option<(DType, PartialShape)>,
}

/// A trace whose structures are known and fit the function.
#[derive(Debug)]
pub(super) struct CheckedTrace {
    /// The function under the name that it has in the model.
    pub(super) function: Function,
    /// How many of its arguments are the caller's.
    pub(super) tensors: usize,
    /// The arguments that can be given by position.
    pub(super) arguments: Vec<StructuredValue>,
    pub(super) keywords: Vec<(String, StructuredValue)>,
    pub(super) returns: StructuredValue,
}

impl Trace {
    /// Describes how a function is called that captures nothing.
    pub fn new(function: &Function) -> Trace {
        Trace {
            function: function.clone(),
            captures: Vec::new(),
            arguments: None,
            keywords: Vec::new(),
            returns: None,
        }
    }

    /// Binds the next one of the function's last arguments.
    pub fn capture(mut self, capture: impl Into<Capture>) -> Trace {
        self.captures.push(capture.into());
        self
    }

    /// Sets what is given by position, or by the name of the parameter: structures of
    /// [`TensorSpec`]s, and values that a call has to have for this trace to be taken, as `true` for
    /// `training`. The tensors in them are the function's first arguments, in the order of
    /// [`StructuredValue::flatten`].
    pub fn arguments(mut self, values: impl IntoIterator<Item = StructuredValue>) -> Trace {
        self.arguments = Some(values.into_iter().collect());
        self
    }

    /// Adds what is given to a parameter that takes it by keyword alone. Its tensors follow those of
    /// [`arguments`](Self::arguments), in the order of keywords.
    pub fn keyword(mut self, name: &str, value: impl Into<StructuredValue>) -> Trace {
        self.keywords.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the structure of the result. The tensors in it are what the function returns, in the order of
    /// [`StructuredValue::flatten`]: those of a dict by sorted key.
    pub fn returns(mut self, structure: impl Into<StructuredValue>) -> Trace {
        self.returns = Some(structure.into());
        self
    }

    pub(super) fn name(&self) -> &str {
        self.function.name()
    }

    pub(super) fn captures(&self) -> &[Capture] {
        &self.captures
    }

    /// Checks that all of it fits, and names the function `name`. `captured` has the types of the captures.
    pub(super) fn check(self, name: &str, captured: &[CaptureType]) -> Result<CheckedTrace> {
        let own = self.function.name().to_owned();
        let wrong = |what: String| Error::invalid_argument(format!("function `{own}`: {what}"));
        let inputs = self.function.inputs();
        let Some(tensors) = inputs.len().checked_sub(captured.len()) else {
            return Err(wrong(format!(
                "it has {} arguments, and {} captures",
                inputs.len(),
                captured.len()
            )));
        };
        for ((argument, dtype), capture) in inputs[tensors..].iter().zip(captured) {
            if dtype.base() != capture.dtype {
                return Err(wrong(format!(
                    "argument `{argument}` is of {dtype}, and what is captured for it of {}",
                    capture.dtype
                ))
                .remedy("captures are the last arguments, in their order"));
            }
        }
        let arguments = self.arguments.unwrap_or_else(|| {
            let specs = inputs[..tensors].iter().zip(self.function.input_shapes());
            let specs = specs.map(|((name, dtype), shape)| {
                TensorSpec::new(dtype.base(), shape.clone()).named(name)
            });
            specs.map(StructuredValue::TensorSpec).collect()
        });
        let mut keywords = self.keywords;
        keywords.sort_by(|(a, _), (b, _)| a.cmp(b));
        if let Some(pair) = keywords.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(wrong(format!("keyword `{}` comes twice", pair[0].0)));
        }
        let given = arguments.iter().chain(keywords.iter().map(|(_, it)| it));
        let leaves: Vec<_> = given.flat_map(StructuredValue::flatten).collect();
        check_leaves(&leaves, &inputs[..tensors])
            .map_err(|what| wrong(format!("of what it is given, {what}")))?;
        let outputs = self.function.outputs();
        let returns = self.returns.unwrap_or_else(|| {
            let specs = outputs.iter().zip(self.function.output_shapes());
            let specs =
                specs.map(|((_, dtype), shape)| TensorSpec::new(dtype.base(), shape.clone()));
            let mut specs: Vec<StructuredValue> = specs.map(Into::into).collect();
            match specs.len() {
                0 => StructuredValue::None,
                1 => specs.remove(0),
                _ => StructuredValue::Tuple(specs),
            }
        });
        check_leaves(&returns.flatten(), outputs)
            .map_err(|what| wrong(format!("of what it returns, {what}")))?;
        Ok(CheckedTrace {
            function: described(&self.function, name, tensors, captured),
            tensors,
            arguments,
            keywords,
            returns,
        })
    }
}

impl CheckedTrace {
    pub(super) fn name(&self) -> &str {
        self.function.name()
    }

    /// Returns what callers name each tensor: as the structure does, or else the argument.
    pub(super) fn tensor_names(&self) -> Result<Vec<String>> {
        let given = self
            .arguments
            .iter()
            .chain(self.keywords.iter().map(|(_, it)| it));
        let mut names = Vec::new();
        let arguments = &self.function.inputs()[..self.tensors];
        for leaf in given.flat_map(StructuredValue::flatten) {
            let own = arguments[names.len()..].iter().take(tensors_of(leaf));
            match leaf {
                StructuredValue::TensorSpec(TensorSpec {
                    name: Some(name), ..
                }) => names.push(name.clone()),
                _ => names.extend(own.map(|(name, _)| name.clone())),
            }
        }
        let mut unique = BTreeSet::new();
        match names.iter().find(|name| !unique.insert(*name)) {
            None => Ok(names),
            Some(name) => Err(Error::invalid_argument(format!(
                "function `{}`: two tensors that it is given are called `{name}`",
                self.name()
            ))),
        }
    }

    /// Returns the names that a signature of it has for what it returns.
    pub(super) fn output_names(&self) -> Result<Vec<String>> {
        let numbered = |count| (0..count).map(|i| format!("output_{i}")).collect();
        let names = match &self.returns {
            StructuredValue::TensorSpec(_) => Some(numbered(1)),
            StructuredValue::Tuple(values) | StructuredValue::List(values) => {
                is_flat(values.iter()).then(|| numbered(values.len()))
            }
            StructuredValue::Dict(_) => {
                let entries = self.returns.sorted_entries().unwrap_or_default();
                is_flat(entries.iter().map(|(_, it)| *it))
                    .then(|| entries.iter().map(|(key, _)| (*key).to_owned()).collect())
            }
            StructuredValue::NamedTuple(tuple) => {
                let fields = &tuple.fields;
                is_flat(fields.iter().map(|(_, it)| it))
                    .then(|| fields.iter().map(|(name, _)| name.clone()).collect())
            }
            _ => None,
        };
        names
            .filter(|names: &Vec<String>| !names.is_empty())
            .ok_or_else(|| {
                Error::invalid_argument(format!(
                    "function `{}` returns no tensors, or nested ones, and a signature has outputs by \
                     name",
                    self.name()
                ))
                .remedy("let it return a dict of tensors")
            })
    }
}

fn is_flat<'a>(mut values: impl Iterator<Item = &'a StructuredValue>) -> bool {
    values.all(|value| matches!(value, StructuredValue::TensorSpec(_)))
}

/// Returns of how many tensors a value is made; 0 if it is no type of tensors.
fn tensors_of(leaf: &StructuredValue) -> usize {
    match leaf {
        StructuredValue::TensorSpec(_) | StructuredValue::BoundedTensorSpec(_) => 1,
        StructuredValue::TypeSpec(spec) => usize::try_from(spec.num_flat_components).unwrap_or(0),
        _ => 0,
    }
}

/// Says what does not fit between structures and the tensors of a function.
fn check_leaves(
    leaves: &[&StructuredValue],
    tensors: &[(String, DType)],
) -> std::result::Result<(), String> {
    let count: usize = leaves.iter().map(|leaf| tensors_of(leaf)).sum();
    if count != tensors.len() {
        return Err(format!(
            "the structure has {count} tensors, and the function {}",
            tensors.len()
        ));
    }
    let mut at = 0;
    for leaf in leaves {
        let spec = match leaf {
            StructuredValue::TensorSpec(spec) => Some(spec),
            StructuredValue::BoundedTensorSpec(bounded) => Some(&bounded.spec),
            _ => None,
        };
        if let (Some(spec), Some((name, dtype))) = (spec, tensors.get(at))
            && spec.dtype != dtype.base()
        {
            return Err(format!(
                "tensor {at} is of {} in the structure, and `{name}` of {dtype}",
                spec.dtype
            ));
        }
        at += tensors_of(leaf);
    }
    Ok(())
}

/// Gives a function its name, and says in its message what Python code would know of the arguments, from
/// which TensorFlow infers the shapes of what it returns.
fn described(
    function: &Function,
    name: &str,
    tensors: usize,
    captured: &[CaptureType],
) -> Function {
    let mut def = function.to_proto();
    let scalar = PartialShape::from(Shape::SCALAR);
    let inputs = function.inputs().iter().zip(function.input_shapes());
    let shapes: Vec<PartialShape> = inputs
        .map(|((_, dtype), shape)| match *dtype == DType::RESOURCE {
            true => scalar.clone(),
            false => shape.clone(),
        })
        .collect();
    let mut arguments = Vec::new();
    for (i, (argument, dtype)) in function.inputs().iter().enumerate() {
        let mut attrs = vec![("_user_specified_name", Attr::from(argument.as_str()))];
        if *dtype != DType::RESOURCE {
            attrs.push(("_output_shapes", Attr::from(vec![shapes[i].clone()])));
        }
        let attrs = attrs.into_iter().map(|(key, value)| ArgAttr {
            key: Some(key.to_owned()),
            value: Some(value.to_proto()),
        });
        arguments.push(ArgAttrEntry {
            key: Some(i as u32),
            value: Some(ArgAttrs {
                attr: attrs.collect(),
            }),
        });
    }
    def.arg_attr = arguments;
    let attrs = [
        ("_construction_context", Attr::from("kEagerRuntime")),
        ("_input_shapes", Attr::from(shapes)),
    ];
    for (key, value) in attrs {
        def.attr.push(AttrEntry {
            key: Some(key.to_owned()),
            value: Some(value.to_proto()),
        });
    }
    if let Some(signature) = &mut def.signature {
        name.clone_into(&mut signature.name);
        for (argument, capture) in signature.input_arg.iter_mut().skip(tensors).zip(captured) {
            if let Some((dtype, shape)) = &capture.variable {
                argument.handle_data = vec![DtypeAndShape {
                    dtype: dtype.number(),
                    shape: Some(shape.to_proto()),
                }];
            }
        }
    }
    function.clone().with_proto(def)
}
