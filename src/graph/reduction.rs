//! Sums, extremes and their places along dimensions.

use super::builder::GraphBuilder;
use super::known_shape::{reduced, with_size};
use super::output::Output;
use crate::error::Result;
use crate::tensor::{DType, Tensor};

/// Writes methods for ops that take dimensions away.
macro_rules! reductions {
    ($($(#[$doc:meta])* $name:ident $op:literal;)*) => {
        impl GraphBuilder {$(
            $(#[$doc])*
            /// A negative axis counts from the last; where `keep_dims` is set the dimensions stay, as 1.
            ///
            /// # Errors
            ///
            /// `InvalidArgument` if there is no such axis; otherwise as for
            /// [`OpBuilder::build`](super::OpBuilder::build).
            pub fn $name(&mut self, x: &Output, axes: &[i32], keep_dims: bool) -> Result<Output> {
                self.reduction($op, x, axes, keep_dims)
            }
        )*}
    };
}

reductions! {
    /// Sums along some dimensions: `Sum`.
    reduce_sum "Sum";
    /// Takes means along some dimensions: `Mean`. Those of integers are rounded toward zero.
    reduce_mean "Mean";
    /// Takes the largest elements along some dimensions: `Max`.
    reduce_max "Max";
    /// Takes the smallest elements along some dimensions: `Min`.
    reduce_min "Min";
    /// Multiplies along some dimensions: `Prod`.
    reduce_prod "Prod";
    /// Says whether all are true along some dimensions: `All`.
    reduce_all "All";
    /// Says whether one is true along some dimensions: `Any`.
    reduce_any "Any";
}

impl GraphBuilder {
    fn reduction(&mut self, op: &str, x: &Output, axes: &[i32], keep_dims: bool) -> Result<Output> {
        let shape = reduced(op, x.shape(), axes, keep_dims)?;
        let axes = Tensor::from_slice([axes.len()], axes)?;
        let axes = self.constant(&format!("{op}/reduction_indices"), &axes)?;
        let op = self.op(op).input(x).input(&axes);
        Ok(op.attr("keep_dims", keep_dims).output()?.with_shape(shape))
    }

    /// Finds the place of the largest element along a dimension, as int64; of equal ones the first:
    /// `ArgMax`.
    ///
    /// ```
    /// use savedmodel::graph::GraphBuilder;
    /// use savedmodel::{DType, PartialShape};
    ///
    /// let mut graph = GraphBuilder::new();
    /// let logits = graph.placeholder("x", DType::FLOAT, PartialShape::new(&[None, Some(10)])?)?;
    /// let class = graph.argmax(&logits, -1)?;
    /// assert_eq!((class.dtype(), class.shape().to_string()), (DType::INT64, "[?]".to_owned()));
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is no such axis; otherwise as for
    /// [`OpBuilder::build`](super::OpBuilder::build).
    pub fn argmax(&mut self, x: &Output, axis: i32) -> Result<Output> {
        self.place_of_extreme("ArgMax", x, axis)
    }

    /// Finds the place of the smallest element along a dimension, as int64; of equal ones the first:
    /// `ArgMin`.
    ///
    /// # Errors
    ///
    /// As for [`argmax`](Self::argmax).
    pub fn argmin(&mut self, x: &Output, axis: i32) -> Result<Output> {
        self.place_of_extreme("ArgMin", x, axis)
    }

    fn place_of_extreme(&mut self, op: &str, x: &Output, axis: i32) -> Result<Output> {
        let shape = reduced(op, x.shape(), &[axis], false)?;
        let axis = self.constant(&format!("{op}/dimension"), &Tensor::scalar(axis))?;
        let op = self.op(op).input(x).input(&axis);
        Ok(op
            .attr("output_type", DType::INT64)
            .output()?
            .with_shape(shape))
    }

    /// Finds the `k` largest elements of the last dimension, largest first, and their places, as int32:
    /// `TopKV2`.
    ///
    /// # Errors
    ///
    /// As for [`argmax`](Self::argmax).
    pub fn top_k(&mut self, x: &Output, k: u32) -> Result<(Output, Output)> {
        let shape = with_size("TopKV2", x.shape(), -1, Some(k.into()))?;
        let k = i32::try_from(k).unwrap_or(i32::MAX);
        let k = self.constant("TopKV2/k", &Tensor::scalar(k))?;
        let top = self.op("TopKV2").input(x).input(&k).build()?;
        Ok((
            top.tensor("values")?.with_shape(shape.clone()),
            top.tensor("indices")?.with_shape(shape),
        ))
    }

    /// Sums elements up to each along a dimension: `Cumsum`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn cumsum(&mut self, x: &Output, axis: i32) -> Result<Output> {
        let axis = self.constant("Cumsum/axis", &Tensor::scalar(axis))?;
        let output = self.op("Cumsum").input(x).input(&axis).output()?;
        Ok(output.with_shape(x.shape().clone()))
    }
}
