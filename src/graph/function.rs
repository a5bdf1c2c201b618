use std::collections::{BTreeMap, HashSet};

use super::builder::GraphBuilder;
use super::output::{Operation, Output};
use crate::error::{Error, Result};
use crate::proto::op_def::ArgDef;
use crate::proto::{FunctionDef, OpDef, function_def};
use crate::tensor::{DType, PartialShape};

/// A complete function: what it takes, what it returns, and its body.
///
/// ```
/// use savedmodel::graph::GraphBuilder;
/// use savedmodel::{DType, PartialShape};
///
/// let mut body = GraphBuilder::function();
/// let x = body.argument("x", DType::FLOAT, PartialShape::UNKNOWN)?;
/// let y = body.op("AddV2").input(&x).input(&x).output()?;
/// let double = body.into_function("double", [("y", &y)])?;
///
/// let mut graph = GraphBuilder::new();
/// let x = graph.placeholder("x", DType::FLOAT, PartialShape::UNKNOWN)?;
/// let call = graph.call(&double, [&x])?;
/// assert_eq!(call.op(), "PartitionedCall");
/// assert_eq!(call.output()?.dtype(), DType::FLOAT);
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// In TensorFlow: `tensorflow/core/framework/function.proto`.
#[derive(Clone, Debug)]
pub struct Function {
    name: String,
    inputs: Vec<(String, DType)>,
    outputs: Vec<(String, DType)>,
    input_shapes: Vec<PartialShape>,
    output_shapes: Vec<PartialShape>,
    is_stateful: bool,
    /// Itself, and the functions it calls.
    library: BTreeMap<String, FunctionDef>,
}

impl Function {
    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns names and types of the arguments.
    pub fn inputs(&self) -> &[(String, DType)] {
        &self.inputs
    }

    /// Returns names and types of what it returns.
    pub fn outputs(&self) -> &[(String, DType)] {
        &self.outputs
    }

    /// Returns what its body knows of the shapes of the arguments.
    pub fn input_shapes(&self) -> &[PartialShape] {
        &self.input_shapes
    }

    /// Returns what its body knows of the shapes of what it returns; see [`Output::shape`].
    pub fn output_shapes(&self) -> &[PartialShape] {
        &self.output_shapes
    }

    /// Returns whether running it has effects, or reads what others change.
    pub fn is_stateful(&self) -> bool {
        self.is_stateful
    }

    /// Returns the message; of the functions it calls only the names are in it.
    pub fn to_proto(&self) -> FunctionDef {
        self.library.get(&self.name).cloned().unwrap_or_default()
    }

    /// Returns the same function with that message in place of its own, which may give it another name.
    pub(crate) fn with_proto(mut self, def: FunctionDef) -> Function {
        self.library.remove(&self.name);
        let signature = def.signature.as_ref();
        self.name = signature.map_or_else(String::new, |signature| signature.name.clone());
        self.library.insert(self.name.clone(), def);
        self
    }

    pub(super) fn library(&self) -> &BTreeMap<String, FunctionDef> {
        &self.library
    }

    pub(super) fn input_dtypes(&self) -> Vec<DType> {
        self.inputs.iter().map(|(_, dtype)| *dtype).collect()
    }

    pub(super) fn output_dtypes(&self) -> Vec<DType> {
        self.outputs.iter().map(|(_, dtype)| *dtype).collect()
    }
}

impl GraphBuilder {
    /// Completes the body of a function. Nodes with effects run in every call, also those that
    /// no output needs; their order is that of data and control inputs alone.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if this was not begun as a body of a function, if the name is taken by one
    /// it calls or is no function's, if an output belongs to another graph or its name comes twice.
    pub fn into_function<'a>(
        self,
        name: &str,
        outputs: impl IntoIterator<Item = (&'a str, &'a Output)>,
    ) -> Result<Function> {
        let wrong = |what: String| Error::invalid_argument(format!("function `{name}`: {what}"));
        let Some(arguments) = self.arguments() else {
            return Err(wrong("its body is a main graph".to_owned())
                .remedy("begin the body with `GraphBuilder::function`"));
        };
        super::name::check(name.trim_start_matches('_'))
            .map_err(|_| wrong("the name is no function's".to_owned()))?;
        if self.library().contains_key(name) || crate::op::find(name).is_some() {
            return Err(wrong("the name is taken".to_owned()));
        }
        let mut names = HashSet::new();
        let mut returned = Vec::new();
        let mut output_shapes = Vec::new();
        let mut ret = Vec::new();
        for (output, tensor) in outputs {
            self.check_own(tensor)?;
            let is_name = output.starts_with(|c: char| c.is_ascii_alphabetic())
                && output
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !is_name || !names.insert(output) {
                return Err(wrong(format!(
                    "{output:?} cannot be the name of an output: it comes twice, or is no letter \
                     followed by letters, digits and `_`"
                )));
            }
            returned.push((output.to_owned(), tensor.dtype()));
            output_shapes.push(tensor.shape().clone());
            ret.push(function_def::RetEntry {
                key: Some(output.to_owned()),
                value: Some(tensor.reference(true)),
            });
        }
        let inputs: Vec<(String, DType)> = arguments
            .iter()
            .map(|(name, dtype, _)| (name.to_string(), *dtype))
            .collect();
        let input_shapes = arguments.iter().map(|(_, _, shape)| shape.clone());
        let input_shapes = input_shapes.collect();
        let is_stateful = !self.stateful().is_empty();
        let def = FunctionDef {
            signature: Some(OpDef {
                name: name.to_owned(),
                input_arg: inputs.iter().map(arg_def).collect(),
                output_arg: returned.iter().map(arg_def).collect(),
                control_output: self.stateful().to_vec(),
                is_stateful,
                ..OpDef::default()
            }),
            node_def: self.nodes().to_vec(),
            ret,
            control_ret: self
                .stateful()
                .iter()
                .map(|node| function_def::ControlRetEntry {
                    key: Some(node.clone()),
                    value: Some(node.clone()),
                })
                .collect(),
            ..FunctionDef::default()
        };
        let mut library = self.library().clone();
        library.insert(name.to_owned(), def);
        Ok(Function {
            name: name.to_owned(),
            inputs,
            outputs: returned,
            input_shapes,
            output_shapes,
            is_stateful,
            library,
        })
    }

    /// Adds a call of a function: `PartitionedCall`, or `StatefulPartitionedCall` if it has effects.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the tensors are not of the types of its arguments; otherwise as for
    /// [`OpBuilder::build`](super::OpBuilder::build).
    pub fn call<'a>(
        &mut self,
        function: &Function,
        inputs: impl IntoIterator<Item = &'a Output>,
    ) -> Result<Operation> {
        let inputs: Vec<&Output> = inputs.into_iter().collect();
        check_arguments(function, &inputs, "is called")?;
        self.add_function(function)?;
        let op = match function.is_stateful() {
            true => "StatefulPartitionedCall",
            false => "PartitionedCall",
        };
        self.op(op)
            .inputs(inputs)
            .attr("Tout", function.output_dtypes())
            .attr("f", function)
            .build()
    }
}

fn arg_def((name, dtype): &(String, DType)) -> ArgDef {
    ArgDef {
        name: name.clone(),
        r#type: dtype.number(),
        ..ArgDef::default()
    }
}

/// Refuses tensors that are not of the types of a function's arguments.
pub(super) fn check_arguments(function: &Function, inputs: &[&Output], used: &str) -> Result<()> {
    let given: Vec<DType> = inputs.iter().map(|input| input.dtype().base()).collect();
    let takes = function.input_dtypes();
    if given == takes {
        return Ok(());
    }
    let list = |dtypes: &[DType]| {
        let names: Vec<_> = dtypes.iter().map(|dtype| dtype.name()).collect();
        format!("({})", names.join(", "))
    };
    Err(Error::invalid_argument(format!(
        "function `{}` takes {}, and {used} with {}",
        function.name(),
        list(&takes),
        list(&given)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{PartialShape, Shape};

    #[test]
    fn bodies_name_tensors_by_output_arguments() {
        let mut body = GraphBuilder::function();
        let x = body
            .argument("x", DType::INT32, PartialShape::UNKNOWN)
            .unwrap();
        let unique = body.op("Unique").input(&x).build().unwrap();
        let index = &unique.named("idx")[0];
        let sum = body.op("AddV2").input(index).input(&x).output().unwrap();
        let function = body.into_function("f", [("sum", &sum), ("x", &x)]).unwrap();
        let def = function.to_proto();
        assert_eq!(def.node_def[0].input, ["x"]);
        assert_eq!(def.node_def[1].input, ["Unique:idx:0", "x"]);
        let ret = |i: usize| def.ret[i].value.as_deref().unwrap().to_owned();
        assert_eq!([ret(0), ret(1)], ["AddV2:z:0", "x"]);
        assert!(!function.is_stateful());
        assert_eq!(function.output_dtypes(), [DType::INT32; 2]);
    }

    #[test]
    fn effects_are_kept_and_reach_the_callers() {
        let mut body = GraphBuilder::function();
        let handle = body
            .argument("w", DType::RESOURCE, PartialShape::UNKNOWN)
            .unwrap();
        let w = crate::graph::Variable::from_handle(&handle, DType::FLOAT, Shape::SCALAR).unwrap();
        let value = body.read(&w).unwrap();
        body.assign(&w, &value).unwrap();
        let inner = body.into_function("inner", []).unwrap();
        assert!(inner.is_stateful());
        let kept = inner.to_proto().signature.unwrap().control_output;
        assert_eq!(kept, ["w/Read/ReadVariableOp", "w/Assign"]);

        let mut body = GraphBuilder::function();
        let w = body
            .argument("w", DType::RESOURCE, PartialShape::UNKNOWN)
            .unwrap();
        body.call(&inner, [&w]).unwrap();
        let outer = body.into_function("outer", []).unwrap();
        assert!(outer.is_stateful());
        let mut graph = GraphBuilder::new();
        let w = graph.variable("w", DType::FLOAT, Shape::SCALAR).unwrap();
        assert_eq!(
            graph.call(&outer, [w.handle()]).unwrap().op(),
            "StatefulPartitionedCall"
        );
        let library = graph.to_graph_def().library.unwrap();
        assert_eq!(library.function.len(), 2);
        assert!(
            graph
                .call(&outer, [])
                .unwrap_err()
                .to_string()
                .contains("(resource)")
        );
    }

    #[test]
    fn names_are_taken_once() {
        let function = |op: &str| {
            let mut body = GraphBuilder::function();
            let x = body
                .argument("x", DType::FLOAT, PartialShape::UNKNOWN)
                .unwrap();
            let y = body.op(op).input(&x).output().unwrap();
            body.into_function("f", [("y", &y)])
        };
        let mut graph = GraphBuilder::new();
        graph.add_function(&function("Abs").unwrap()).unwrap();
        graph.add_function(&function("Abs").unwrap()).unwrap();
        assert!(graph.add_function(&function("Neg").unwrap()).is_err());

        let taken = |name: &str| GraphBuilder::function().into_function(name, []).is_err();
        assert!(taken("Abs") && taken("") && taken("a b") && !taken("__inference_f_12"));
        let mut body = GraphBuilder::function();
        let shape = PartialShape::UNKNOWN;
        assert!(body.argument("x", DType::FLOAT, shape.clone()).is_ok());
        assert!(body.argument("x", DType::FLOAT, shape.clone()).is_err());
        assert!(body.argument("1", DType::FLOAT, shape.clone()).is_err());
        assert!(
            GraphBuilder::new()
                .argument("x", DType::FLOAT, shape)
                .is_err()
        );
        assert!(GraphBuilder::new().into_function("g", []).is_err());
    }
}
