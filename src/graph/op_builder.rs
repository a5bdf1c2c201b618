use std::collections::BTreeMap;
use std::sync::Arc;

use super::attr::Attr;
use super::builder::GraphBuilder;
use super::output::{Operation, Output, Source};
use crate::error::{Error, Result};
use crate::op::{self, ArgFacts, AttrFacts, OpFacts};
use crate::proto::attr_value::Value;
use crate::proto::{NodeDef, node_def};
use crate::tensor::{DType, PartialShape};

/// A node about to be added to a graph; [`GraphBuilder::op`] begins it.
#[must_use = "the node is added by `build` or `output`"]
#[derive(Debug)]
pub struct OpBuilder<'g> {
    graph: &'g mut GraphBuilder,
    op: String,
    name: Option<String>,
    inputs: Vec<Input>,
    attrs: BTreeMap<String, Attr>,
    control: Vec<(super::output::GraphId, String)>,
    device: String,
    /// Of an op that is not registered.
    declared: Option<Vec<(String, DType)>>,
}

/// What one input argument of the op gets.
#[derive(Debug)]
enum Input {
    One(Output),
    List(Vec<Output>),
}

impl<'g> OpBuilder<'g> {
    pub(super) fn new(graph: &'g mut GraphBuilder, op: &str) -> Self {
        OpBuilder {
            graph,
            op: op.to_owned(),
            name: None,
            inputs: Vec::new(),
            attrs: BTreeMap::new(),
            control: Vec::new(),
            device: String::new(),
            declared: None,
        }
    }

    /// Names the node. Default: the name of the op. A name that is taken gets a number, and the scope
    /// comes before it.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Sets the next input.
    pub fn input(mut self, tensor: &Output) -> Self {
        self.inputs.push(Input::One(tensor.clone()));
        self
    }

    /// Sets the next input, of an op that takes a list there: `values` of `ConcatV2`.
    pub fn inputs<'a>(mut self, tensors: impl IntoIterator<Item = &'a Output>) -> Self {
        let tensors = tensors.into_iter().cloned().collect();
        self.inputs.push(Input::List(tensors));
        self
    }

    /// Sets an attr. Those that follow from the inputs need not be set.
    pub fn attr(mut self, name: &str, value: impl Into<Attr>) -> Self {
        self.attrs.insert(name.to_owned(), value.into());
        self
    }

    /// Lets the node wait for another one.
    pub fn control(mut self, operation: &Operation) -> Self {
        self.control
            .push((operation.graph, operation.name.to_string()));
        self
    }

    /// Sets where the node is to run, `/device:CPU:0`.
    pub fn device(mut self, device: &str) -> Self {
        device.clone_into(&mut self.device);
        self
    }

    /// Declares an output of an op that TensorFlow does not register itself, a custom op of a
    /// library. Nothing else of such a node is checked; its inputs are taken as they come.
    pub fn declare_output(mut self, name: &str, dtype: DType) -> Self {
        let declared = self.declared.get_or_insert_default();
        declared.push((name.to_owned(), dtype));
        self
    }

    /// Adds the node; returns its only output.
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build), and `InvalidArgument` if it has no output or several.
    pub fn output(self) -> Result<Output> {
        self.build()?.output()
    }

    /// Adds the node.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown op, with names that come close; `InvalidArgument` if inputs, attrs
    /// or name are not what the op takes, or belong to another graph. Nothing was added then.
    pub fn build(mut self) -> Result<Operation> {
        let wanted = match &self.name {
            Some(name) => name.clone(),
            None => self.op.clone(),
        };
        self.check(&wanted)
            .map_err(|error| error.for_key(wanted.as_bytes()))
    }

    fn check(&mut self, wanted: &str) -> Result<Operation> {
        let outputs = match (op::find(&self.op), self.declared.take()) {
            (Some(facts), None) => self.registered(&facts)?,
            (None, Some(declared)) => declared,
            (Some(_), Some(_)) => {
                return Err(self.wrong("is registered: its outputs need no declaration"));
            }
            (None, None) => {
                let names = op::all().map(|op| op.name().to_owned());
                let what = format!("op `{}`", self.op);
                return Err(Error::not_found_among(what, &self.op, names)
                    .remedy("declare the outputs of a custom op"));
            }
        };
        for input in self.inputs.iter().flat_map(Input::tensors) {
            self.graph.check_own(input)?;
        }
        if let Some((_, name)) = self.control.iter().find(|it| it.0 != self.graph.id()) {
            let what = format!("node `{name}`, which it waits for, belongs to another graph");
            return Err(Error::invalid_argument(what));
        }
        self.check_functions()?;
        let name = self.graph.name_node(wanted)?;
        Ok(self.add(name, outputs))
    }

    fn add(&mut self, name: String, outputs: Vec<(String, DType)>) -> Operation {
        let in_function = self.graph.is_function();
        let tensors = self.inputs.iter().flat_map(Input::tensors);
        let mut input: Vec<_> = tensors
            .map(|tensor| tensor.reference(in_function))
            .collect();
        input.extend(self.control.iter().map(|(_, name)| format!("^{name}")));
        let is_stateful = self.is_stateful();
        let attrs = std::mem::take(&mut self.attrs);
        let node = NodeDef {
            name: name.clone(),
            op: self.op.clone(),
            input,
            device: std::mem::take(&mut self.device),
            attr: attrs
                .into_iter()
                .map(|(key, value)| node_def::AttrEntry {
                    key: Some(key),
                    value: Some(value.into_proto()),
                })
                .collect(),
            ..NodeDef::default()
        };
        self.graph.push(node, is_stateful);
        let name: Arc<str> = name.into();
        let mut last: Option<(Arc<str>, usize)> = None;
        let outputs = outputs
            .into_iter()
            .enumerate()
            .map(|(index, (arg, dtype))| {
                let (arg, arg_index) = match &last {
                    Some((there, count)) if **there == *arg => (there.clone(), count + 1),
                    _ => (arg.into(), 0),
                };
                last = Some((arg.clone(), arg_index));
                Output {
                    graph: self.graph.id(),
                    source: Source::Node {
                        name: name.clone(),
                        index,
                        arg,
                        arg_index,
                    },
                    dtype,
                    shape: PartialShape::UNKNOWN,
                }
            });
        let outputs = outputs.collect();
        Operation {
            graph: self.graph.id(),
            name,
            op: self.op.as_str().into(),
            outputs,
        }
    }

    /// Checks inputs and attrs, fills in the attrs that follow, and says what the outputs are.
    fn registered(&mut self, facts: &OpFacts) -> Result<Vec<(String, DType)>> {
        let inputs: Vec<ArgFacts> = facts.inputs().collect();
        if let Some(missing) = inputs.get(self.inputs.len()) {
            return Err(self.wrong(&format!("input `{}` is missing", missing.name())));
        }
        if self.inputs.len() > inputs.len() {
            let (given, takes) = (self.inputs.len(), inputs.len());
            return Err(self.wrong(&format!("takes {takes} inputs, not {given}")));
        }
        for (i, arg) in inputs.iter().enumerate() {
            let (dtypes, is_list) = match &self.inputs[i] {
                Input::One(tensor) => (vec![tensor.dtype()], false),
                Input::List(tensors) => (tensors.iter().map(Output::dtype).collect(), true),
            };
            self.infer(arg, &dtypes, is_list)?;
        }
        let mut known = 0;
        for attr in facts.attrs() {
            if let Some(value) = self.attrs.get(attr.name()) {
                known += 1;
                self.check_attr(&attr, value)?;
            } else if attr.default().is_none() {
                return Err(self.wrong(&format!("attr `{attr}` is missing")));
            }
        }
        if known < self.attrs.len() {
            let unknown = self.attrs.keys().find(|name| facts.attr(name).is_none());
            let name = unknown.map_or("", String::as_str);
            let names = facts.attrs().map(|attr| attr.name().to_owned());
            let what = format!("attr `{name}` of op {}", self.op);
            return Err(Error::not_found_among(what, name, names));
        }
        let outputs = facts.output_tensors(|name| self.attrs.get(name).map(Attr::to_proto))?;
        let outputs = outputs.into_iter();
        Ok(outputs
            .map(|(arg, dtype)| (arg.to_owned(), dtype))
            .collect())
    }

    /// Takes the attrs that one input says something of.
    fn infer(&mut self, arg: &ArgFacts, dtypes: &[DType], is_list: bool) -> Result<()> {
        let name = arg.name();
        let takes_list = arg.number_attr().is_some() || arg.type_list_attr().is_some();
        if takes_list != is_list {
            return Err(self.wrong(&format!(
                "input `{name}` is {}",
                match takes_list {
                    true => "a list of tensors, which `inputs` sets",
                    false => "one tensor, which `input` sets",
                }
            )));
        }
        if arg.is_ref() && dtypes.iter().any(|dtype| !dtype.is_ref()) {
            return Err(self.wrong(&format!("input `{name}` is a reference to a variable")));
        }
        let base: Vec<DType> = dtypes.iter().map(|dtype| dtype.base()).collect();
        if let Some(attr) = arg.type_list_attr() {
            return self.determine(name, attr, base.into());
        }
        if let Some(attr) = arg.number_attr() {
            self.determine(name, attr, (base.len() as i64).into())?;
        }
        let Some(&dtype) = base.first() else {
            return Ok(());
        };
        if let Some(other) = base.iter().find(|&&other| other != dtype) {
            return Err(self.wrong(&format!(
                "input `{name}` has tensors of {dtype} and of {other}"
            )));
        }
        match (arg.dtype(), arg.type_attr()) {
            (Some(expected), _) if expected.base() != dtype => Err(self.wrong(&format!(
                "input `{name}` is of {}, not {dtype}",
                expected.base()
            ))),
            (_, Some(attr)) => self.determine(name, attr, dtype.into()),
            _ => Ok(()),
        }
    }

    /// Notes the value of an attr that follows from an input.
    fn determine(&mut self, input: &str, attr: &str, value: Attr) -> Result<()> {
        match self.attrs.get(attr) {
            None => {
                self.attrs.insert(attr.to_owned(), value);
                Ok(())
            }
            Some(there) if *there == value => Ok(()),
            // What no element says the kind of.
            Some(there) if there.list_len() == Some(0) && value.list_len() == Some(0) => Ok(()),
            Some(there) => Err(self.wrong(&format!(
                "input `{input}` makes attr `{attr}` {}, and it is {} already",
                shown(&value),
                shown(there)
            ))),
        }
    }

    fn check_attr(&self, facts: &AttrFacts, value: &Attr) -> Result<()> {
        let name = facts.name();
        if !value.kind().fits(facts.type_name()) {
            return Err(self.wrong(&format!(
                "attr `{name}` is of type {}, not {}",
                facts.type_name(),
                value.kind()
            )));
        }
        if let Some(minimum) = facts.minimum() {
            let too_small = match (value.list_len(), value.value()) {
                (Some(len), _) => (len as i64) < minimum,
                (None, Some(Value::I(number))) => *number < minimum,
                _ => false,
            };
            if too_small {
                return Err(self.wrong(&format!("attr `{facts}` is {}", shown(value))));
            }
        }
        if let Some(allowed) = facts.allowed_values() {
            let allowed = Attr::from_proto(allowed).elements();
            if let Some(other) = value.elements().iter().find(|it| !allowed.contains(it)) {
                let other = Attr::from_proto(crate::proto::AttrValue {
                    value: Some(other.clone()),
                });
                return Err(self.wrong(&format!(
                    "attr `{name}` cannot be {}: `{facts}`",
                    shown(&other)
                )));
            }
        }
        Ok(())
    }

    /// Refuses functions that the library does not have.
    fn check_functions(&self) -> Result<()> {
        for value in self.attrs.values().filter_map(Attr::value) {
            let missing = match value {
                Value::Func(func) => Some(&func.name),
                Value::List(list) => list.func.iter().map(|func| &func.name).next(),
                _ => None,
            };
            if let Some(name) = missing.filter(|name| !self.graph.has_function(name)) {
                return Err(self
                    .wrong(&format!("function `{name}` is not in the library"))
                    .remedy("add it with `add_function`"));
            }
        }
        Ok(())
    }

    /// Whether a node has effects beyond its outputs, so that in a function it must run.
    fn is_stateful(&self) -> bool {
        let calls_stateful = self.attrs.values().filter_map(Attr::value).any(|value| {
            let is_stateful = |name: &str| self.graph.has_stateful_function(name);
            match value {
                Value::Func(func) => is_stateful(&func.name),
                Value::List(list) => list.func.iter().any(|func| is_stateful(&func.name)),
                _ => false,
            }
        });
        match op::find(&self.op) {
            // These are stateful for the sake of functions that are.
            Some(_)
                if matches!(
                    &*self.op,
                    "StatefulPartitionedCall" | "If" | "While" | "Case"
                ) =>
            {
                calls_stateful
            }
            // A node that is fed has no effect.
            Some(_) if self.op == "Placeholder" => false,
            Some(facts) => facts.is_stateful() || calls_stateful,
            None => true,
        }
    }

    fn wrong(&self, what: &str) -> Error {
        Error::invalid_argument(format!("op {}: {what}", self.op))
    }
}

impl Input {
    fn tensors(&self) -> &[Output] {
        match self {
            Input::One(tensor) => std::slice::from_ref(tensor),
            Input::List(tensors) => tensors,
        }
    }
}

/// An attr's value in a message.
fn shown(value: &Attr) -> String {
    let element = |value: &Value| match value {
        Value::Type(number) => DType::from_number(*number).name().into_owned(),
        Value::S(text) => format!("\"{}\"", text.escape_ascii()),
        Value::I(number) => number.to_string(),
        Value::F(number) => number.to_string(),
        Value::B(truth) => truth.to_string(),
        Value::Func(func) => func.name.clone(),
        _ => value_kind(value).to_owned(),
    };
    let elements: Vec<_> = value.elements().iter().map(element).collect();
    match value.list_len() {
        Some(_) => format!("[{}]", elements.join(", ")),
        None => elements.concat(),
    }
}

fn value_kind(value: &Value) -> &'static str {
    match value {
        Value::Shape(_) => "a shape",
        Value::Tensor(_) => "a tensor",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::tensor::{Shape, Tensor};

    fn float(graph: &mut GraphBuilder, name: &str) -> Output {
        let shape = PartialShape::UNKNOWN;
        graph.placeholder(name, DType::FLOAT, shape).unwrap()
    }

    fn attr<'a>(graph: &'a GraphBuilder, node: &str, name: &str) -> Option<&'a Value> {
        let node = graph.nodes().iter().find(|it| it.name == node).unwrap();
        let entry = node
            .attr
            .iter()
            .find(|it| it.key.as_deref() == Some(name))?;
        entry.value.as_ref()?.value.as_ref()
    }

    #[test]
    fn attrs_follow_from_inputs() {
        let mut graph = GraphBuilder::new();
        let (a, b) = (float(&mut graph, "a"), float(&mut graph, "b"));
        let axis = graph.constant("axis", &Tensor::scalar(0i64)).unwrap();
        let joined = graph
            .op("ConcatV2")
            .inputs([&a, &b])
            .input(&axis)
            .output()
            .unwrap();
        assert_eq!(joined.dtype(), DType::FLOAT);
        assert_eq!(attr(&graph, "ConcatV2", "N"), Some(&Value::I(2)));
        assert_eq!(attr(&graph, "ConcatV2", "T"), Some(&Value::Type(1)));
        assert_eq!(attr(&graph, "ConcatV2", "Tidx"), Some(&Value::Type(9)));
        assert_eq!(graph.nodes()[3].input, ["a", "b", "axis"]);

        let matmul = graph.op("MatMul").input(&a).input(&b).build().unwrap();
        assert_eq!(
            attr(&graph, "MatMul", "transpose_a"),
            None,
            "left at its default"
        );
        let after = graph
            .op("Identity")
            .input(&a)
            .control(&matmul)
            .build()
            .unwrap();
        let node = graph.nodes().last().unwrap();
        assert_eq!(node.input, ["a", "^MatMul"]);
        assert_eq!(after.output().unwrap().tensor_name(), "Identity:0");
    }

    #[test]
    fn outputs_are_known() {
        let mut graph = GraphBuilder::new();
        let x = float(&mut graph, "x");
        let axis = graph.constant("axis", &Tensor::scalar(0i32)).unwrap();
        let split = graph
            .op("Split")
            .input(&axis)
            .input(&x)
            .attr("num_split", 3);
        let split = split.build().unwrap();
        assert_eq!(split.outputs().len(), 3);
        assert_eq!(split.named("output").len(), 3);
        assert_eq!(split.outputs()[2].tensor_name(), "Split:2");
        assert!(split.output().is_err() && split.named("x").is_empty());

        let unique = graph.op("UniqueWithCounts").input(&x).build().unwrap();
        let dtypes: Vec<_> = unique.outputs().iter().map(Output::dtype).collect();
        assert_eq!(dtypes, [DType::FLOAT, DType::INT32, DType::INT32]);
        assert_eq!(unique.named("count")[0].tensor_name(), "UniqueWithCounts:2");
        let old = graph
            .op("VariableV2")
            .attr("shape", &Shape::SCALAR)
            .attr("dtype", DType::FLOAT);
        assert!(old.output().unwrap().dtype().is_ref());
    }

    #[test]
    fn what_an_op_does_not_take_is_refused() {
        let mut graph = GraphBuilder::new();
        let x = float(&mut graph, "x");
        let i = graph.constant("i", &Tensor::scalar(0i32)).unwrap();
        let before = graph.len();
        let foreign = float(&mut GraphBuilder::new(), "y");
        let mut refused = |op: &str, set: &dyn Fn(OpBuilder<'_>) -> OpBuilder<'_>, why: &str| {
            let error = set(graph.op(op)).build().unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            error
        };
        let error = refused("MatMull", &|op| op, "did you mean");
        assert!(matches!(error.kind(), ErrorKind::NotFound { .. }));
        refused("MatMul", &|op| op.input(&x), "input `b` is missing");
        refused("Abs", &|op| op.input(&x).input(&x), "takes 1 inputs, not 2");
        refused(
            "MatMul",
            &|op| op.input(&x).input(&i),
            "attr `T` int32, and it is float32",
        );
        refused("Abs", &|op| op.inputs([&x]), "is one tensor");
        refused("AddN", &|op| op.input(&x), "is a list of tensors");
        refused(
            "AddN",
            &|op| op.inputs([&x, &i]),
            "tensors of float32 and of int32",
        );
        refused("AddN", &|op| op.inputs([]), "is 0");
        refused("LogicalNot", &|op| op.input(&x), "is of bool, not float32");
        refused(
            "LookupTableFindV2",
            &|op| op.input(&x).input(&x).input(&x),
            "is of resource",
        );
        refused("Invert", &|op| op.input(&x), "attr `T` cannot be float32");
        refused("Cast", &|op| op.input(&x), "attr `DstT: type` is missing");
        refused(
            "Cast",
            &|op| op.input(&x).attr("DstT", 3),
            "is of type type, not int",
        );
        refused(
            "Abs",
            &|op| op.input(&x).attr("Tt", DType::FLOAT),
            "did you mean",
        );
        refused(
            "Conv2D",
            &|op| {
                let op = op.input(&x).input(&x).attr("strides", [1i64, 1, 1, 1]);
                op.attr("padding", "same")
            },
            "cannot be \"same\"",
        );
        refused("Abs", &|op| op.input(&foreign), "belongs to another graph");
        refused("Abs", &|op| op.input(&x).name("_x"), "cannot be the name");
        refused(
            "PartitionedCall",
            &|op| {
                let f = crate::graph::Attr::function_named("f");
                op.inputs([]).attr("Tout", Vec::<DType>::new()).attr("f", f)
            },
            "not in the library",
        );
        refused("Assign", &|op| op.input(&x).input(&x), "is a reference");
        refused(
            "Abs",
            &|op| op.input(&x).declare_output("y", DType::FLOAT),
            "is registered",
        );
        assert_eq!(graph.len(), before, "nothing was added");
        let custom = graph
            .op("MyOwnOp")
            .input(&x)
            .declare_output("y", DType::HALF);
        assert_eq!(custom.output().unwrap().dtype(), DType::HALF);
    }
}
