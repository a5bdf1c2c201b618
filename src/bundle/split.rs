//! Tensors too large for a shard, cut into pieces.

use crate::tensor::{DType, Extent, Shape, TensorSlice};

/// Says whether TensorFlow's reader puts partitioned tensors of that dtype together
/// (`tensorflow/core/util/tensor_bundle/tensor_bundle.cc`, `BundleReader::GetSliceValue`).
pub(crate) fn can_be_cut(dtype: DType) -> bool {
    matches!(
        dtype,
        DType::FLOAT
            | DType::DOUBLE
            | DType::INT32
            | DType::UINT8
            | DType::INT16
            | DType::INT8
            | DType::COMPLEX64
            | DType::INT64
            | DType::BOOL
            | DType::QINT8
            | DType::QUINT8
            | DType::QINT32
            | DType::BFLOAT16
            | DType::COMPLEX128
            | DType::INT4
            | DType::UINT4
    )
}

/// The slices of a shape that have up to so many elements, in row-major order: each lies in one
/// piece, behind the one before it.
#[derive(Debug)]
pub(crate) struct Pieces<'s> {
    dims: &'s [u64],
    /// The dimension that is cut: of those before it, a piece has one index, of those behind it all.
    axis: usize,
    /// How many indices of that dimension a piece has at most.
    length: u64,
    /// Where the next piece starts, in the dimensions up to that one; `None` behind the last.
    start: Option<Vec<u64>>,
}

impl<'s> Pieces<'s> {
    pub(crate) fn new(shape: &'s Shape, max_elements: u64) -> Self {
        let dims = shape.dims();
        let elements_behind = |axis: usize| dims[axis + 1..].iter().product::<u64>();
        let axis = (0..dims.len()).find(|&axis| elements_behind(axis) <= max_elements);
        let (axis, length) = match axis {
            Some(axis) => (axis, max_elements / elements_behind(axis).max(1)),
            None => (0, 1),
        };
        Pieces {
            dims,
            axis,
            length: length.max(1),
            start: (!dims.contains(&0) && !dims.is_empty()).then(|| vec![0; axis + 1]),
        }
    }

    /// Goes on to the piece behind one of `length` indices.
    fn step(&self, mut start: Vec<u64>, length: u64) -> Option<Vec<u64>> {
        *start.last_mut()? += length;
        for axis in (0..start.len()).rev() {
            if start[axis] < self.dims[axis] {
                return Some(start);
            }
            start[axis] = 0;
            *start.get_mut(axis.checked_sub(1)?)? += 1;
        }
        None
    }
}

impl Iterator for Pieces<'_> {
    type Item = TensorSlice;

    fn next(&mut self) -> Option<TensorSlice> {
        let start = self.start.take()?;
        let mut extents = Vec::with_capacity(self.dims.len());
        for (axis, &dim) in self.dims.iter().enumerate() {
            extents.push(match start.get(axis) {
                Some(&start) if axis == self.axis => Extent::Range {
                    start,
                    length: self.length.min(dim - start),
                },
                Some(&start) => Extent::Range { start, length: 1 },
                None => Extent::Range {
                    start: 0,
                    length: dim,
                },
            });
        }
        let taken = self.length.min(self.dims[self.axis] - start[self.axis]);
        self.start = self.step(start, taken);
        Some(TensorSlice::new(extents))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(dims: &[u64], max_elements: u64) -> Vec<String> {
        let shape = Shape::new(dims).unwrap();
        let pieces = Pieces::new(&shape, max_elements);
        pieces.map(|piece| piece.to_string()).collect()
    }

    #[test]
    fn pieces_lie_one_behind_the_other() {
        assert_eq!(pieces(&[5, 2], 4), ["0,2:0,2", "2,2:0,2", "4,1:0,2"]);
        assert_eq!(
            pieces(&[2, 5], 4),
            ["0,1:0,4", "0,1:4,1", "1,1:0,4", "1,1:4,1"]
        );
        assert_eq!(
            pieces(&[2, 2], 1),
            ["0,1:0,1", "0,1:1,1", "1,1:0,1", "1,1:1,1"]
        );
        assert_eq!(pieces(&[3], 0), ["0,1", "1,1", "2,1"]);
        assert_eq!(pieces(&[3, 4], 100), ["0,3:0,4"]);
        assert_eq!(pieces(&[], 1), [""; 0]);
        assert_eq!(pieces(&[3, 0], 1), [""; 0]);
        assert_eq!(
            pieces(&[2, 1, 3], 2),
            ["0,1:0,1:0,2", "0,1:0,1:2,1", "1,1:0,1:0,2", "1,1:0,1:2,1"]
        );
    }
}
