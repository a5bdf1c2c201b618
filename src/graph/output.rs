use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::tensor::{DType, PartialShape};

/// A tensor of a graph under construction: an output of a node, or an argument of a function.
///
/// Shown it is the name by which signatures and feeds call it, `MatMul:0`.
#[derive(Clone, Debug)]
pub struct Output {
    /// Of which graph it is.
    pub(super) graph: GraphId,
    pub(super) source: Source,
    pub(super) dtype: DType,
    pub(super) shape: PartialShape,
}

/// Tells graphs of one program apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GraphId(pub(super) u64);

#[derive(Clone, Debug)]
pub(super) enum Source {
    Node {
        name: Arc<str>,
        /// Among all outputs of the node.
        index: usize,
        /// The output argument of the op, and the place among the tensors of it.
        arg: Arc<str>,
        arg_index: usize,
    },
    Argument {
        name: Arc<str>,
    },
}

impl Output {
    /// Returns the element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Returns what is known of the shape: that of placeholders, constants and variables, and where it
    /// follows from those in a simple way. It is not inferred for every op; somebody who knows
    /// [says so](Self::with_shape).
    pub fn shape(&self) -> &PartialShape {
        &self.shape
    }

    /// Returns the same tensor with a shape that the caller knows; it stands in signatures, and
    /// nobody checks it here.
    pub fn with_shape(mut self, shape: PartialShape) -> Output {
        self.shape = shape;
        self
    }

    /// Returns the name of the node, or of the argument.
    pub fn node(&self) -> &str {
        match &self.source {
            Source::Node { name, .. } | Source::Argument { name } => name,
        }
    }

    /// Returns the name of the tensor: that of the node, and which of its outputs it is.
    pub fn tensor_name(&self) -> String {
        self.to_string()
    }

    /// Returns how nodes of the same graph name it as their input.
    pub(super) fn reference(&self, in_function: bool) -> String {
        match &self.source {
            Source::Argument { name } => name.to_string(),
            Source::Node {
                name,
                arg,
                arg_index,
                ..
            } if in_function => format!("{name}:{arg}:{arg_index}"),
            Source::Node { name, index: 0, .. } => name.to_string(),
            Source::Node { name, index, .. } => format!("{name}:{index}"),
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Node { name, index, .. } => write!(f, "{name}:{index}"),
            Source::Argument { name } => write!(f, "{name}:0"),
        }
    }
}

/// A node of a graph under construction: its name and its outputs.
#[derive(Clone, Debug)]
pub struct Operation {
    pub(super) graph: GraphId,
    pub(super) name: Arc<str>,
    pub(super) op: Arc<str>,
    pub(super) outputs: Vec<Output>,
}

impl Operation {
    /// Returns the name of the node.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name of its op.
    pub fn op(&self) -> &str {
        &self.op
    }

    /// Returns all outputs, in the order of the op's registration.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Returns the tensors of one output argument: one, or as many as a list has; none if the op
    /// has no such output.
    ///
    /// ```
    /// use savedmodel::graph::GraphBuilder;
    /// use savedmodel::{DType, PartialShape};
    ///
    /// let mut graph = GraphBuilder::new();
    /// let x = graph.placeholder("x", DType::FLOAT, PartialShape::UNKNOWN)?;
    /// let top = graph.op("TopKV2").input(&x).input(&graph_k(&mut GraphBuilder::new())?).build();
    /// # fn graph_k(graph: &mut GraphBuilder) -> savedmodel::Result<savedmodel::graph::Output> {
    /// #     graph.constant("k", &savedmodel::Tensor::scalar(3i32))
    /// # }
    /// // The constant is of another graph, which is an error.
    /// assert!(top.is_err());
    ///
    /// let k = graph.constant("k", &savedmodel::Tensor::scalar(3i32))?;
    /// let top = graph.op("TopKV2").input(&x).input(&k).build()?;
    /// assert_eq!(top.named("indices")[0].dtype(), DType::INT32);
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    pub fn named(&self, arg: &str) -> &[Output] {
        let of_arg = |output: &Output| match &output.source {
            Source::Node { arg: name, .. } => **name == *arg,
            Source::Argument { .. } => false,
        };
        let start = self.outputs.iter().position(of_arg).unwrap_or(0);
        let count = self.outputs[start..]
            .iter()
            .take_while(|o| of_arg(o))
            .count();
        &self.outputs[start..start + count]
    }

    /// Returns the tensor of an output argument that is no list.
    ///
    /// # Errors
    ///
    /// `NotFound` if the op has no such output, `InvalidArgument` if it is a list of another length
    /// than one.
    pub fn tensor(&self, arg: &str) -> Result<Output> {
        match self.named(arg) {
            [output] => Ok(output.clone()),
            [] => Err(Error::not_found(format!(
                "output `{arg}` of node `{}`, of op {}",
                self.name, self.op
            ))),
            outputs => Err(Error::invalid_argument(format!(
                "output `{arg}` of node `{}` is a list of {}",
                self.name,
                outputs.len()
            ))),
        }
    }

    /// Returns the output, of an op that has just one.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if it has none or several.
    pub fn output(&self) -> Result<Output> {
        match &self.outputs[..] {
            [output] => Ok(output.clone()),
            outputs => Err(Error::invalid_argument(format!(
                "node `{}` of op {} has {} outputs, and one was expected",
                self.name,
                self.op,
                outputs.len()
            ))),
        }
    }
}
