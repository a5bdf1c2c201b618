use super::builder::GraphBuilder;
use super::output::{Operation, Output};
use super::partitioned_variable::SaveSliceInfo;
use crate::error::{Error, Result};
use crate::tensor::{DType, PartialShape, Shape};

/// A variable of a graph: a handle, and what it holds.
///
/// In TensorFlow: `tensorflow/core/ops/resource_variable_ops.cc`.
#[derive(Clone, Debug)]
pub struct Variable {
    name: String,
    handle: Output,
    dtype: DType,
    shape: Shape,
    trainable: bool,
    slice: Option<Box<SaveSliceInfo>>,
}

impl Variable {
    /// Takes a handle for a variable: in the body of a function the argument that stands for it.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if it is no handle.
    pub fn from_handle(handle: &Output, dtype: DType, shape: Shape) -> Result<Variable> {
        if handle.dtype() != DType::RESOURCE {
            return Err(Error::invalid_argument(format!(
                "tensor `{handle}` is of {}, and a variable's handle is a resource",
                handle.dtype()
            )));
        }
        Ok(Variable {
            name: handle.node().to_owned(),
            handle: handle.clone(),
            dtype,
            shape,
            trainable: true,
            slice: None,
        })
    }

    /// Returns the name, that of the node with the handle.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the handle, which functions take as an argument.
    pub fn handle(&self) -> &Output {
        &self.handle
    }

    /// Returns the type of its elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Returns its shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Returns whether training changes it.
    pub fn is_trainable(&self) -> bool {
        self.trainable
    }

    /// Returns what it is a slice of, if it is one of a
    /// [partitioned variable](GraphBuilder::partitioned_variable).
    pub fn save_slice_info(&self) -> Option<&SaveSliceInfo> {
        self.slice.as_deref()
    }
}

impl GraphBuilder {
    /// Adds a variable: `VarHandleOp`. It has no value before one is restored or assigned.
    ///
    /// ```
    /// use savedmodel::graph::GraphBuilder;
    /// use savedmodel::{DType, Shape};
    ///
    /// let mut graph = GraphBuilder::new();
    /// let w = graph.variable("w", DType::FLOAT, Shape::new(&[3, 1])?)?;
    /// let value = graph.read(&w)?;
    /// assert_eq!(value.tensor_name(), "w/Read/ReadVariableOp:0");
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn variable(&mut self, name: &str, dtype: DType, shape: Shape) -> Result<Variable> {
        self.add_variable(name, dtype, shape, true)
    }

    /// Adds a variable that training does not change: a counter, a moving average.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn untrained_variable(
        &mut self,
        name: &str,
        dtype: DType,
        shape: Shape,
    ) -> Result<Variable> {
        self.add_variable(name, dtype, shape, false)
    }

    fn add_variable(
        &mut self,
        name: &str,
        dtype: DType,
        shape: Shape,
        trainable: bool,
    ) -> Result<Variable> {
        let handle = self.variable_handle(name, dtype, &PartialShape::from(&shape))?;
        let variable = Variable {
            name: handle.node().to_owned(),
            handle,
            dtype,
            shape,
            trainable,
            slice: None,
        };
        self.push_variable(&variable);
        Ok(variable)
    }

    /// Adds a variable that is a slice of another one.
    pub(super) fn add_slice_variable(
        &mut self,
        name: &str,
        dtype: DType,
        info: SaveSliceInfo,
        trainable: bool,
    ) -> Result<Variable> {
        let shape = info.slice.shape_in(&info.full_shape)?;
        let handle = self.variable_handle(name, dtype, &PartialShape::from(&shape))?;
        let variable = Variable {
            name: handle.node().to_owned(),
            handle,
            dtype,
            shape,
            trainable,
            slice: Some(Box::new(info)),
        };
        self.push_variable(&variable);
        Ok(variable)
    }

    /// Adds a handle alone, of a variable that this graph does not declare.
    pub(crate) fn variable_handle(
        &mut self,
        name: &str,
        dtype: DType,
        shape: &PartialShape,
    ) -> Result<Output> {
        // The resource is found by this name, so two variables must not share one.
        let node = self.next_name(name)?;
        let handle = self.op("VarHandleOp").name(name).attr("dtype", dtype);
        let handle = handle.attr("shape", shape);
        let handle = handle.attr("shared_name", node.as_str()).output()?;
        Ok(handle.with_shape(PartialShape::from(Shape::SCALAR)))
    }

    /// Adds a node that reads a variable: `ReadVariableOp`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn read(&mut self, variable: &Variable) -> Result<Output> {
        let name = self.below_scope(&variable.name);
        Ok(self
            .op("ReadVariableOp")
            .name(&format!("{name}/Read/ReadVariableOp"))
            .input(&variable.handle)
            .attr("dtype", variable.dtype)
            .output()?
            .with_shape(variable.shape.clone().into()))
    }

    /// Adds a node that gives a variable a value: `AssignVariableOp`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the value is of another type; otherwise as for
    /// [`OpBuilder::build`](super::OpBuilder::build).
    pub fn assign(&mut self, variable: &Variable, value: &Output) -> Result<Operation> {
        let name = self.below_scope(&variable.name);
        self.assign_named(&format!("{name}/Assign"), variable, value)
    }

    pub(super) fn assign_named(
        &mut self,
        name: &str,
        variable: &Variable,
        value: &Output,
    ) -> Result<Operation> {
        if value.dtype().base() != variable.dtype {
            return Err(Error::invalid_argument(format!(
                "variable `{}` is of {}, and `{value}` of {}",
                variable.name,
                variable.dtype,
                value.dtype()
            )));
        }
        self.op("AssignVariableOp")
            .name(name)
            .input(&variable.handle)
            .input(value)
            .attr("dtype", variable.dtype)
            .build()
    }
}
