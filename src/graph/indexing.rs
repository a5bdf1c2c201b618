//! Parts of tensors, by their places.

use std::ops::{Range, RangeFrom, RangeFull, RangeTo};

use super::builder::GraphBuilder;
use super::known_shape::dimension;
use super::output::Output;
use crate::error::{Error, Result};
use crate::tensor::{DType, PartialShape, Tensor};

/// What [`GraphBuilder::strided_slice`] takes of a dimension, as Python's `x[…]` has it.
///
/// It is made from a number, which takes the dimension away, and from ranges. Negative numbers count
/// from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// One place: `x[3]`.
    At(i64),
    /// Every `step`th place of a range, backwards if it is negative: `x[begin:end:step]`.
    Range {
        /// The first place; `None` for the first there is, in the direction of the step.
        begin: Option<i64>,
        /// The place behind the last; `None` to go on as long as there is one.
        end: Option<i64>,
        /// From one to the next. Not zero.
        step: i64,
    },
    /// A new dimension of 1: `x[tf.newaxis]`.
    NewAxis,
}

impl Index {
    /// Makes a range of every place: `x[begin:end]`. Clippy takes a Rust range whose end counts from the
    /// last, `1..-1`, for an empty one; `Index::range(1, -1)` it does not.
    pub fn range(begin: impl Into<Option<i64>>, end: impl Into<Option<i64>>) -> Index {
        Index::Range {
            begin: begin.into(),
            end: end.into(),
            step: 1,
        }
    }
}

impl From<i64> for Index {
    fn from(place: i64) -> Index {
        Index::At(place)
    }
}

impl From<Range<i64>> for Index {
    fn from(range: Range<i64>) -> Index {
        Index::range(range.start, range.end)
    }
}

impl From<RangeFrom<i64>> for Index {
    fn from(range: RangeFrom<i64>) -> Index {
        Index::range(range.start, None)
    }
}

impl From<RangeTo<i64>> for Index {
    fn from(range: RangeTo<i64>) -> Index {
        Index::range(None, range.end)
    }
}

impl From<RangeFull> for Index {
    fn from(_: RangeFull) -> Index {
        Index::range(None, None)
    }
}

impl GraphBuilder {
    /// Takes a part of a tensor, dimension by dimension: `StridedSlice`. Dimensions that are not named
    /// are taken whole.
    ///
    /// ```
    /// use savedmodel::graph::{GraphBuilder, Index};
    /// use savedmodel::{DType, PartialShape};
    ///
    /// let mut graph = GraphBuilder::new();
    /// let x = graph.placeholder("x", DType::FLOAT, PartialShape::try_from([-1, 8, 3])?)?;
    /// // In Python: x[:, 2:-1, 0] and x[:, ::-1]
    /// let part = graph.strided_slice(&x, &[(..).into(), Index::range(2, -1), 0.into()])?;
    /// let backwards = Index::Range { begin: None, end: None, step: -1 };
    /// let turned = graph.strided_slice(&x, &[(..).into(), backwards])?;
    /// # let _ = (part, turned);
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a step of 0 and for more than 63 dimensions; otherwise as for
    /// [`OpBuilder::build`](super::OpBuilder::build).
    pub fn strided_slice(&mut self, x: &Output, indices: &[Index]) -> Result<Output> {
        let wrong = |what: &str| Error::invalid_argument(format!("op StridedSlice: {what}"));
        if indices.len() > 63 {
            return Err(wrong("more dimensions than its masks have bits"));
        }
        let (mut begins, mut ends, mut strides) = (Vec::new(), Vec::new(), Vec::new());
        let mut masks = [0i64; 4];
        let [begin_mask, end_mask, new_axis_mask, shrink_axis_mask] = &mut masks;
        for (place, index) in indices.iter().enumerate() {
            let bit = 1i64 << place;
            let (begin, end, step) = match *index {
                Index::At(at) => {
                    *shrink_axis_mask |= bit;
                    // The end is not looked at.
                    (at, at.saturating_add(1), 1)
                }
                Index::NewAxis => {
                    *new_axis_mask |= bit;
                    (0, 0, 1)
                }
                Index::Range { begin, end, step } => {
                    if begin.is_none() {
                        *begin_mask |= bit;
                    }
                    if end.is_none() {
                        *end_mask |= bit;
                    }
                    (begin.unwrap_or(0), end.unwrap_or(0), step)
                }
            };
            if step == 0 {
                return Err(wrong("a step of 0 leads nowhere"));
            }
            begins.push(begin);
            ends.push(end);
            strides.push(step);
        }
        let dtype = index_dtype(&[&begins, &ends, &strides]);
        let begins = self.vector_of(dtype, "strided_slice/stack", &begins)?;
        let ends = self.vector_of(dtype, "strided_slice/stack_1", &ends)?;
        let strides = self.vector_of(dtype, "strided_slice/stack_2", &strides)?;
        let mut op = self.op("StridedSlice").name("strided_slice").input(x);
        op = op.input(&begins).input(&ends).input(&strides);
        let names = [
            "begin_mask",
            "end_mask",
            "new_axis_mask",
            "shrink_axis_mask",
        ];
        for (name, mask) in names.into_iter().zip(masks) {
            op = op.attr(name, mask);
        }
        op.output()
    }

    /// Takes a box of a tensor, from `begin` on; a size of −1 goes to the end: `Slice`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn slice(&mut self, x: &Output, begin: &[i64], size: &[i64]) -> Result<Output> {
        let dims: Vec<Option<u64>> = size.iter().map(|size| u64::try_from(*size).ok()).collect();
        let dtype = index_dtype(&[begin, size]);
        let begin = self.vector_of(dtype, "Slice/begin", begin)?;
        let size = self.vector_of(dtype, "Slice/size", size)?;
        let op = self.op("Slice").input(x).input(&begin).input(&size);
        Ok(op.output()?.with_shape(PartialShape::new(&dims)?))
    }

    /// Takes the slices of a tensor that `indices` name along a dimension: `GatherV2`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is no such axis; otherwise as for
    /// [`OpBuilder::build`](super::OpBuilder::build).
    pub fn gather(&mut self, params: &Output, indices: &Output, axis: i32) -> Result<Output> {
        let at = dimension("GatherV2", params.shape(), axis)?;
        let shape = match (params.shape().dims(), indices.shape().dims(), at) {
            (Some(dims), Some(indices), Some(at)) => {
                let (before, from) = dims.split_at(at);
                let behind = from.get(1..).unwrap_or_default();
                PartialShape::new(&[before, indices, behind].concat())?
            }
            _ => PartialShape::UNKNOWN,
        };
        let axis = self.constant("GatherV2/axis", &Tensor::scalar(axis))?;
        let op = self.op("GatherV2").input(params).input(indices);
        Ok(op.input(&axis).output()?.with_shape(shape))
    }

    /// Takes the elements, or slices, whose places stand in the last dimension of `indices`: `GatherNd`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn gather_nd(&mut self, params: &Output, indices: &Output) -> Result<Output> {
        self.op("GatherNd").input(params).input(indices).output()
    }

    /// Adds a vector of indices: int32 as TensorFlow has it, or int64 where that does not do.
    pub(super) fn vector(&mut self, name: &str, values: &[i64]) -> Result<Output> {
        self.vector_of(index_dtype(&[values]), name, values)
    }

    fn vector_of(&mut self, dtype: DType, name: &str, values: &[i64]) -> Result<Output> {
        let value = match dtype {
            DType::INT32 => {
                let narrow: Vec<i32> = values.iter().map(|value| *value as i32).collect();
                Tensor::from_slice([values.len()], &narrow)?
            }
            _ => Tensor::from_slice([values.len()], values)?,
        };
        self.constant(name, &value)
    }
}

/// Returns the type that holds all of them.
fn index_dtype(vectors: &[&[i64]]) -> DType {
    let mut all = vectors.iter().flat_map(|values| values.iter());
    match all.all(|value| i32::try_from(*value).is_ok()) {
        true => DType::INT32,
        false => DType::INT64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_that_cannot_be_are_refused() {
        let mut graph = GraphBuilder::new();
        let x = graph
            .placeholder("x", DType::FLOAT, PartialShape::UNKNOWN)
            .unwrap();
        let nowhere = Index::Range {
            begin: None,
            end: None,
            step: 0,
        };
        assert!(graph.strided_slice(&x, &[nowhere]).is_err());
        assert!(graph.strided_slice(&x, &[Index::NewAxis; 64]).is_err());
        assert_eq!(graph.len(), 1, "nothing was added");
    }

    #[test]
    fn indices_are_of_32_bits_where_that_does() {
        assert_eq!(index_dtype(&[&[1, -1], &[2]]), DType::INT32);
        assert_eq!(index_dtype(&[&[1, -1], &[1 << 31]]), DType::INT64);
    }
}
