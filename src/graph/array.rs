//! Shapes of tensors: what moves elements and leaves them as they are.

use super::builder::GraphBuilder;
use super::known_shape::{dimension, reduced, reshaped, with_dimension, with_size};
use super::math::elementwise;
use super::output::Output;
use crate::error::{Error, Result};
use crate::tensor::{DType, PartialShape, Tensor};

elementwise! {
    /// Makes zeros of the type and shape of a tensor: `ZerosLike`.
    zeros_like "ZerosLike";
    /// Makes ones of the type and shape of a tensor: `OnesLike`.
    ones_like "OnesLike";
    /// Passes a tensor on, but nothing back to it in training: `StopGradient`.
    stop_gradient "StopGradient";
}

impl GraphBuilder {
    /// Passes a tensor on under a name of its own, by which signatures can call it: `Identity`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn identity(&mut self, name: &str, x: &Output) -> Result<Output> {
        let output = self.op("Identity").name(name).input(x).output()?;
        Ok(output.with_shape(x.shape().clone()))
    }

    /// Gives a tensor another shape; one dimension may be −1, the rest of the elements: `Reshape`.
    ///
    /// ```
    /// use savedmodel::graph::GraphBuilder;
    /// use savedmodel::{DType, PartialShape};
    ///
    /// let mut graph = GraphBuilder::new();
    /// let x = graph.placeholder("x", DType::FLOAT, PartialShape::try_from([2, 6])?)?;
    /// assert_eq!(graph.reshape(&x, &[3, -1])?.shape().to_string(), "[3, 4]");
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the elements, as far as their number is known, do not make that shape;
    /// otherwise as for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn reshape(&mut self, x: &Output, shape: &[i64]) -> Result<Output> {
        let known = reshaped(x.shape(), shape)?;
        let shape = self.vector("Reshape/shape", shape)?;
        Ok(self.reshape_to(x, &shape)?.with_shape(known))
    }

    /// Gives a tensor a shape that the graph computes: `Reshape`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn reshape_to(&mut self, x: &Output, shape: &Output) -> Result<Output> {
        self.op("Reshape").input(x).input(shape).output()
    }

    /// Returns the shape of a tensor, as int32: `Shape`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn shape(&mut self, x: &Output) -> Result<Output> {
        let rank = x.shape().rank().map(|rank| rank as u64);
        let output = self.op("Shape").input(x).output()?;
        Ok(output.with_shape(PartialShape::new(&[rank])?))
    }

    /// Joins tensors along a dimension: `ConcatV2`. A single one is returned as it is.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn concat<'a>(
        &mut self,
        tensors: impl IntoIterator<Item = &'a Output>,
        axis: i32,
    ) -> Result<Output> {
        let tensors: Vec<&Output> = tensors.into_iter().collect();
        if let [one] = tensors[..] {
            return Ok(one.clone());
        }
        let mut size = Some(0u64);
        for tensor in &tensors {
            let at = dimension("ConcatV2", tensor.shape(), axis)?;
            let dims = tensor.shape().dims().unwrap_or_default();
            let there = at.and_then(|at| dims.get(at).copied().flatten());
            size = size
                .zip(there)
                .map(|(size, there)| size.saturating_add(there));
        }
        let shape = match tensors.first() {
            Some(first) => with_size("ConcatV2", first.shape(), axis, size)?,
            None => PartialShape::UNKNOWN,
        };
        let axis = self.constant("concat/axis", &Tensor::scalar(axis))?;
        let op = self.op("ConcatV2").name("concat").inputs(tensors);
        Ok(op.input(&axis).output()?.with_shape(shape))
    }

    /// Cuts a tensor into `count` equal parts along a dimension: `Split`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn split(&mut self, x: &Output, count: u32, axis: i32) -> Result<Vec<Output>> {
        let at = dimension("Split", x.shape(), axis)?;
        let dims = x.shape().dims().unwrap_or_default();
        let size = match at.and_then(|at| dims.get(at).copied().flatten()) {
            Some(size) if size.checked_rem(count.into()) != Some(0) => {
                let what = format!("op Split: {size} is not divided by {count}");
                return Err(Error::invalid_argument(what));
            }
            size => size.and_then(|size| size.checked_div(count.into())),
        };
        let shape = with_size("Split", x.shape(), axis, size)?;
        let axis = self.constant("split/split_dim", &Tensor::scalar(axis))?;
        let op = self.op("Split").name("split").input(&axis).input(x);
        let parts = op.attr("num_split", i64::from(count)).build()?;
        let parts = parts.outputs().iter().cloned();
        Ok(parts.map(|part| part.with_shape(shape.clone())).collect())
    }

    /// Cuts a tensor into parts of these sizes along a dimension; one may be −1, the rest: `SplitV`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn split_sizes(&mut self, x: &Output, sizes: &[i64], axis: i32) -> Result<Vec<Output>> {
        let shapes = sizes.iter().map(|size| {
            let size = u64::try_from(*size).ok();
            with_size("SplitV", x.shape(), axis, size)
        });
        let shapes: Vec<PartialShape> = shapes.collect::<Result<_>>()?;
        let count = sizes.len() as i64;
        let sizes = self.vector("split/size_splits", sizes)?;
        let axis = self.constant("split/split_dim", &Tensor::scalar(axis))?;
        let op = self.op("SplitV").name("split").input(x).input(&sizes);
        let parts = op.input(&axis).attr("num_split", count).build()?;
        let parts = parts.outputs().iter().cloned().zip(shapes);
        Ok(parts.map(|(part, shape)| part.with_shape(shape)).collect())
    }

    /// Takes dimensions of 1 away; all there are if none is named: `Squeeze`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is no such axis, or it is not of 1; otherwise as for
    /// [`OpBuilder::build`](super::OpBuilder::build).
    pub fn squeeze(&mut self, x: &Output, axes: &[i32]) -> Result<Output> {
        let shape = match (axes, x.shape().to_shape()) {
            ([], Some(shape)) => {
                let dims = shape.dims().iter().filter(|dim| **dim != 1);
                PartialShape::new(&dims.copied().map(Some).collect::<Vec<_>>())?
            }
            ([], None) => PartialShape::UNKNOWN,
            (axes, _) => reduced("Squeeze", x.shape(), axes, false)?,
        };
        for &axis in axes {
            let dims = x.shape().dims().unwrap_or_default();
            let at = dimension("Squeeze", x.shape(), axis)?;
            if let Some(Some(size @ (0 | 2..))) = at.and_then(|at| dims.get(at).copied()) {
                let what = format!("op Squeeze: axis {axis} is of {size}, not 1");
                return Err(Error::invalid_argument(what));
            }
        }
        let axes: Vec<i64> = axes.iter().map(|axis| (*axis).into()).collect();
        let op = self.op("Squeeze").input(x).attr("squeeze_dims", axes);
        Ok(op.output()?.with_shape(shape))
    }

    /// Adds a dimension of 1, which is at `axis` then: `ExpandDims`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is no such place; otherwise as for
    /// [`OpBuilder::build`](super::OpBuilder::build).
    pub fn expand_dims(&mut self, x: &Output, axis: i32) -> Result<Output> {
        let shape = with_dimension("ExpandDims", x.shape(), axis, Some(1))?;
        let axis = self.constant("ExpandDims/dim", &Tensor::scalar(axis))?;
        let op = self.op("ExpandDims").input(x).input(&axis);
        Ok(op.output()?.with_shape(shape))
    }

    /// Puts dimensions in another order: dimension `perm[i]` becomes dimension `i`: `Transpose`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if `perm` does not name every dimension once; otherwise as for
    /// [`OpBuilder::build`](super::OpBuilder::build).
    pub fn transpose(&mut self, x: &Output, perm: &[u32]) -> Result<Output> {
        let mut sorted = perm.to_vec();
        sorted.sort_unstable();
        let is_whole = sorted.iter().zip(0..).all(|(there, place)| *there == place);
        if !is_whole || x.shape().rank().is_some_and(|rank| rank != perm.len()) {
            return Err(Error::invalid_argument(format!(
                "op Transpose: {perm:?} is no order of the dimensions of {}",
                x.shape()
            )));
        }
        let shape = match x.shape().dims() {
            Some(dims) => {
                let dims = perm
                    .iter()
                    .map(|from| dims.get(*from as usize).copied().flatten());
                PartialShape::new(&dims.collect::<Vec<_>>())?
            }
            None => PartialShape::new(&vec![None; perm.len()])?,
        };
        let perm: Vec<i64> = perm.iter().map(|from| (*from).into()).collect();
        let perm = self.vector("transpose/perm", &perm)?;
        let op = self.op("Transpose").name("transpose").input(x).input(&perm);
        Ok(op.output()?.with_shape(shape))
    }

    /// Surrounds a tensor with zeros, so many before and behind in each dimension: `Pad`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn pad(&mut self, x: &Output, paddings: &[[i64; 2]]) -> Result<Output> {
        let paddings = self.paddings("Pad/paddings", paddings)?;
        self.op("Pad").input(x).input(&paddings).output()
    }

    /// Surrounds a tensor with a scalar, so many before and behind in each dimension: `PadV2`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn pad_with(
        &mut self,
        x: &Output,
        paddings: &[[i64; 2]],
        value: &Output,
    ) -> Result<Output> {
        let paddings = self.paddings("PadV2/paddings", paddings)?;
        let op = self.op("PadV2").input(x).input(&paddings);
        op.input(value).output()
    }

    fn paddings(&mut self, name: &str, paddings: &[[i64; 2]]) -> Result<Output> {
        let flat = paddings.as_flattened();
        self.constant(name, &Tensor::from_slice([paddings.len(), 2], flat)?)
    }

    /// Repeats a tensor, so often in each dimension: `Tile`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn tile(&mut self, x: &Output, multiples: &[i64]) -> Result<Output> {
        let multiples = self.vector("Tile/multiples", multiples)?;
        self.op("Tile").input(x).input(&multiples).output()
    }

    /// Puts tensors of one shape beside each other, in a new dimension: `Pack`, which Python calls
    /// `tf.stack`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn stack<'a>(
        &mut self,
        tensors: impl IntoIterator<Item = &'a Output>,
        axis: i32,
    ) -> Result<Output> {
        let tensors: Vec<&Output> = tensors.into_iter().collect();
        let count = Some(tensors.len() as u64);
        let shape = match tensors.first() {
            Some(first) => with_dimension("Pack", first.shape(), axis, count)?,
            None => PartialShape::UNKNOWN,
        };
        let op = self.op("Pack").name("stack").inputs(tensors);
        Ok(op.attr("axis", i64::from(axis)).output()?.with_shape(shape))
    }

    /// Cuts a tensor along a dimension of `count`, which goes away: `Unpack`, which Python calls
    /// `tf.unstack`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is no such axis; otherwise as for
    /// [`OpBuilder::build`](super::OpBuilder::build).
    pub fn unstack(&mut self, x: &Output, count: u32, axis: i32) -> Result<Vec<Output>> {
        let shape = reduced("Unpack", x.shape(), &[axis], false)?;
        let op = self.op("Unpack").name("unstack").input(x);
        let op = op.attr("num", i64::from(count));
        let parts = op.attr("axis", i64::from(axis)).build()?;
        let parts = parts.outputs().iter().cloned();
        Ok(parts.map(|part| part.with_shape(shape.clone())).collect())
    }

    /// Makes of each number a vector of `depth`, 1 at its place and 0 elsewhere: `OneHot`.
    ///
    /// # Errors
    ///
    /// `Unsupported` if there are no numbers of that type; otherwise as for
    /// [`OpBuilder::build`](super::OpBuilder::build).
    pub fn one_hot(&mut self, indices: &Output, depth: u32, dtype: DType) -> Result<Output> {
        let shape = with_dimension("OneHot", indices.shape(), -1, Some(depth.into()))?;
        let depth = i32::try_from(depth).unwrap_or(i32::MAX);
        let depth = self.constant("one_hot/depth", &Tensor::scalar(depth))?;
        let on = self.number("one_hot/on_value", dtype, 1.0)?;
        let off = self.number("one_hot/off_value", dtype, 0.0)?;
        let op = self.op("OneHot").name("one_hot").input(indices);
        let op = op.input(&depth).input(&on).input(&off);
        Ok(op.output()?.with_shape(shape))
    }

    /// Makes a tensor of one scalar, of a shape that the graph computes: `Fill`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn fill(&mut self, shape: &Output, value: &Output) -> Result<Output> {
        self.op("Fill").input(shape).input(value).output()
    }

    /// Counts from `start` to below `limit` in steps of `delta`, which are scalars: `Range`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn range(&mut self, start: &Output, limit: &Output, delta: &Output) -> Result<Output> {
        let op = self.op("Range").name("range").input(start);
        let output = op.input(limit).input(delta).output()?;
        Ok(output.with_shape(PartialShape::new(&[None])?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused() {
        let mut graph = GraphBuilder::new();
        let shape = PartialShape::try_from([-1, 6]).unwrap();
        let x = graph.placeholder("x", DType::FLOAT, shape).unwrap();
        let before = graph.len();
        assert!(graph.squeeze(&x, &[1]).is_err());
        assert!(graph.split(&x, 4, 1).is_err());
        assert!(graph.split(&x, 0, 1).is_err());
        assert!(graph.transpose(&x, &[0, 0]).is_err());
        assert!(graph.transpose(&x, &[0, 1, 2]).is_err());
        assert!(graph.expand_dims(&x, 3).is_err());
        assert!(graph.concat([&x, &x], 2).is_err());
        assert_eq!(graph.len(), before, "nothing was added");
        let parts = graph.split(&x, 3, -1).unwrap();
        assert_eq!(parts[2].shape().to_string(), "[?, 2]");
        assert_eq!(graph.squeeze(&x, &[0]).unwrap().shape().to_string(), "[6]");
    }
}
