use std::fmt;

use super::builder::GraphBuilder;
use super::output::Output;
use super::variable::Variable;
use crate::error::{Error, Result};
use crate::tensor::{DType, Extent, PartialShape, Shape, Tensor, TensorSlice};

/// A variable in slices along one dimension, each a variable of its own: `table/part_0`, `table/part_1`.
///
/// In a bundle they are one tensor, `table`. In TensorFlow: `PartitionedVariable` in
/// `tensorflow/python/ops/variables.py`.
#[derive(Clone, Debug)]
pub struct PartitionedVariable {
    name: String,
    shape: Shape,
    axis: usize,
    slices: Vec<Variable>,
}

/// What a variable is a slice of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaveSliceInfo {
    /// The name of the whole, under which a bundle has it.
    pub full_name: String,
    /// The shape of the whole.
    pub full_shape: Shape,
    /// Which part of it the variable is.
    pub slice: TensorSlice,
}

/// Writes what the nodes that save and restore are told: `4 2 0,2:0,2`.
impl fmt::Display for SaveSliceInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for dim in self.full_shape.dims() {
            write!(f, "{dim} ")?;
        }
        write!(f, "{}", self.slice)
    }
}

impl PartitionedVariable {
    /// Returns the name of the whole.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the shape of the whole.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Returns the dimension that is cut.
    pub fn axis(&self) -> usize {
        self.axis
    }

    /// Returns the slices, in their order.
    pub fn slices(&self) -> &[Variable] {
        &self.slices
    }
}

impl GraphBuilder {
    /// Adds a variable in up to `num_shards` slices along a dimension, as `tf.compat.v1.get_variable`
    /// does with `fixed_size_partitioner(num_shards, axis)`: none is empty, and they differ by one at
    /// most. Its value is given as a whole, under its name.
    ///
    /// ```
    /// use savedmodel::graph::GraphBuilder;
    /// use savedmodel::{DType, Shape};
    ///
    /// let mut graph = GraphBuilder::new();
    /// let table = graph.partitioned_variable("table", DType::FLOAT, Shape::new(&[7, 2])?, 3, 0)?;
    /// let [first, .., last] = table.slices() else { unreachable!() };
    /// assert_eq!((first.name(), first.shape().dims()), ("table/part_0", &[3, 2][..]));
    /// assert_eq!((last.name(), last.shape().dims()), ("table/part_2", &[2, 2][..]));
    /// assert_eq!(last.save_slice_info().unwrap().to_string(), "7 2 5,2:0,2");
    /// let whole = graph.read_partitioned(&table)?;
    /// # let _ = whole;
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` without shards, or if the shape has no such dimension, or nothing in it;
    /// otherwise as for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn partitioned_variable(
        &mut self,
        name: &str,
        dtype: DType,
        shape: Shape,
        num_shards: u64,
        axis: usize,
    ) -> Result<PartitionedVariable> {
        self.add_partitioned(name, dtype, shape, (num_shards, axis), true)
    }

    /// Adds a variable in slices that training does not change.
    ///
    /// # Errors
    ///
    /// As for [`partitioned_variable`](Self::partitioned_variable).
    pub fn untrained_partitioned_variable(
        &mut self,
        name: &str,
        dtype: DType,
        shape: Shape,
        num_shards: u64,
        axis: usize,
    ) -> Result<PartitionedVariable> {
        self.add_partitioned(name, dtype, shape, (num_shards, axis), false)
    }

    fn add_partitioned(
        &mut self,
        name: &str,
        dtype: DType,
        shape: Shape,
        (num_shards, axis): (u64, usize),
        trainable: bool,
    ) -> Result<PartitionedVariable> {
        let refuse = |what: String| Err(Error::invalid_argument(what).for_key(name.as_bytes()));
        let Some(&dim) = shape.dims().get(axis) else {
            return refuse(format!("shape {shape} has no dimension {axis} to be cut"));
        };
        let count = num_shards.min(dim);
        if count == 0 || shape.elements() == 0 {
            return refuse(format!(
                "shape {shape} cannot be cut into {num_shards} slices"
            ));
        }
        let (length, longer) = (dim / count, dim % count);
        // The name of the scope is that of the whole, which nothing else has then.
        let (full_name, slices) = self.scope(name, |graph| {
            let full_name = graph.scope_name().to_owned();
            let (mut slices, mut start) = (Vec::new(), 0);
            for i in 0..count {
                let length = length + u64::from(i < longer);
                let extents = shape
                    .dims()
                    .iter()
                    .enumerate()
                    .map(|(at, &dim)| match at == axis {
                        true => Extent::Range { start, length },
                        false => Extent::Range {
                            start: 0,
                            length: dim,
                        },
                    });
                let info = SaveSliceInfo {
                    full_name: full_name.clone(),
                    full_shape: shape.clone(),
                    slice: TensorSlice::new(extents.collect::<Vec<_>>()),
                };
                slices.push(graph.add_slice_variable(
                    &format!("part_{i}"),
                    dtype,
                    info,
                    trainable,
                )?);
                start += length;
            }
            Ok((full_name, slices))
        })?;
        Ok(PartitionedVariable {
            name: full_name,
            shape,
            axis,
            slices,
        })
    }

    /// Adds nodes that read all slices and join them: `ReadVariableOp`, `ConcatV2`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn read_partitioned(&mut self, variable: &PartitionedVariable) -> Result<Output> {
        let mut slices = Vec::with_capacity(variable.slices.len());
        for slice in &variable.slices {
            slices.push(self.read(slice)?);
        }
        if let [only] = &slices[..] {
            return Ok(only.clone());
        }
        let name = format!("{}/ConcatPartitions", self.below_scope(&variable.name));
        let axis = Tensor::scalar(variable.axis as i32);
        let axis = self.constant(&format!("{name}/concat/axis"), &axis)?;
        let whole = self
            .op("ConcatV2")
            .name(&format!("{name}/concat"))
            .inputs(&slices)
            .input(&axis)
            .output()?;
        Ok(whole.with_shape(PartialShape::from(variable.shape.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_those_of_tensorflows_partitioner() {
        let mut graph = GraphBuilder::new();
        let mut parts = |dims: &[u64], num_shards, axis| {
            let shape = Shape::new(dims).unwrap();
            let variable = graph.partitioned_variable("v", DType::INT32, shape, num_shards, axis);
            let slices = variable.map(|variable| {
                let info = variable
                    .slices()
                    .iter()
                    .map(|it| it.save_slice_info().unwrap());
                info.map(|info| format!("{} {info}", info.full_name))
                    .collect::<Vec<_>>()
            });
            slices.map_err(|error| error.to_string())
        };
        assert_eq!(
            parts(&[2, 5], 2, 1).unwrap(),
            ["v 2 5 0,2:0,3", "v 2 5 0,2:3,2"]
        );
        assert_eq!(parts(&[2], 9, 0).unwrap(), ["v_1 2 0,1", "v_1 2 1,1"]);
        assert_eq!(parts(&[4], 1, 0).unwrap(), ["v_2 4 0,4"]);
        assert!(parts(&[4], 0, 0).unwrap_err().contains("into 0 slices"));
        assert!(parts(&[4, 0], 2, 0).unwrap_err().contains("into 2 slices"));
        assert!(parts(&[4], 2, 1).unwrap_err().contains("no dimension 1"));
        // Nothing else gets the name of the whole.
        let other = graph.variable("v", DType::INT32, Shape::SCALAR).unwrap();
        assert_eq!(other.name(), "v_3");
    }
}
