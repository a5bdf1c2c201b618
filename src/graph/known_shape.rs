//! What is known of the shapes of results, from what is known of those of inputs.

use crate::error::{Error, Result};
use crate::tensor::PartialShape;

type Dim = Option<u64>;

/// Returns the shape of an op that repeats dimensions of 1 until its inputs are of one shape
/// (`tensorflow/core/util/bcast.h`).
pub(super) fn broadcast(op: &str, x: &PartialShape, y: &PartialShape) -> Result<PartialShape> {
    let (Some(x_dims), Some(y_dims)) = (x.dims(), y.dims()) else {
        return Ok(PartialShape::UNKNOWN);
    };
    let rank = x_dims.len().max(y_dims.len());
    // Dimensions count from the last; those that one lacks are 1.
    let at = |dims: &[Dim], i: usize| match (i + dims.len()).checked_sub(rank) {
        Some(place) => dims.get(place).copied().flatten(),
        None => Some(1),
    };
    let joined = |i: usize| match (at(x_dims, i), at(y_dims, i)) {
        (Some(1), dim) | (dim, Some(1)) => Ok(dim),
        (Some(a), Some(b)) if a != b => Err(Error::invalid_argument(format!(
            "op {op}: shapes {x} and {y} do not go together"
        ))),
        (Some(dim), _) | (_, Some(dim)) => Ok(Some(dim)),
        (None, None) => Ok(None),
    };
    let dims: Vec<Dim> = (0..rank).map(joined).collect::<Result<_>>()?;
    PartialShape::new(&dims)
}

/// Returns which dimension an axis is, that may count from the end; `None` if the rank is unknown.
pub(super) fn dimension(op: &str, shape: &PartialShape, axis: i32) -> Result<Option<usize>> {
    let Some(rank) = shape.rank() else {
        return Ok(None);
    };
    place(op, rank, axis).map(Some)
}

fn place(op: &str, rank: usize, axis: i32) -> Result<usize> {
    let signed = rank as i64;
    let at = match i64::from(axis) {
        axis if axis < 0 => axis + signed,
        axis => axis,
    };
    match usize::try_from(at) {
        Ok(place) if place < rank => Ok(place),
        _ => Err(Error::invalid_argument(format!(
            "op {op}: there is no axis {axis} among {rank}"
        ))),
    }
}

/// Returns the shape without some dimensions, or with 1 in their places.
pub(super) fn reduced(
    op: &str,
    shape: &PartialShape,
    axes: &[i32],
    keep_dims: bool,
) -> Result<PartialShape> {
    let Some(dims) = shape.dims() else {
        return Ok(PartialShape::UNKNOWN);
    };
    let gone: Vec<usize> = axes
        .iter()
        .map(|&axis| place(op, dims.len(), axis))
        .collect::<Result<_>>()?;
    let kept =
        dims.iter()
            .enumerate()
            .filter_map(|(i, dim)| match (gone.contains(&i), keep_dims) {
                (false, _) => Some(*dim),
                (true, true) => Some(Some(1)),
                (true, false) => None,
            });
    PartialShape::new(&kept.collect::<Vec<_>>())
}

/// Returns the shape with one more dimension; `axis` is its place in the new shape.
pub(super) fn with_dimension(
    op: &str,
    shape: &PartialShape,
    axis: i32,
    size: Dim,
) -> Result<PartialShape> {
    let Some(dims) = shape.dims() else {
        return Ok(PartialShape::UNKNOWN);
    };
    let at = place(op, dims.len() + 1, axis)?;
    let mut dims = dims.to_vec();
    dims.insert(at, size);
    PartialShape::new(&dims)
}

/// Returns the shape with another size of one dimension.
pub(super) fn with_size(
    op: &str,
    shape: &PartialShape,
    axis: i32,
    size: Dim,
) -> Result<PartialShape> {
    let (Some(dims), Some(at)) = (shape.dims(), dimension(op, shape, axis)?) else {
        return Ok(PartialShape::UNKNOWN);
    };
    let mut dims = dims.to_vec();
    dims.iter_mut().skip(at).take(1).for_each(|dim| *dim = size);
    PartialShape::new(&dims)
}

/// Returns the shape that elements of `shape` get; one dimension may be −1, the rest of them.
pub(super) fn reshaped(shape: &PartialShape, dims: &[i64]) -> Result<PartialShape> {
    let wrong = |what: String| Err(Error::invalid_argument(format!("op Reshape: {what}")));
    if dims.iter().any(|dim| *dim < -1) || dims.iter().filter(|dim| **dim == -1).count() > 1 {
        return wrong(format!("{dims:?} is no shape with one dimension to find"));
    }
    let mut new: Vec<Dim> = dims.iter().map(|dim| u64::try_from(*dim).ok()).collect();
    let known = PartialShape::new(&new)?;
    let Some(elements) = shape.to_shape().map(|shape| shape.elements()) else {
        return Ok(known);
    };
    let product: u64 = new.iter().flatten().product();
    let rest = match product {
        0 => None,
        product => (elements % product == 0).then_some(elements / product),
    };
    let fits = match new.iter_mut().find(|dim| dim.is_none()) {
        Some(dim) => {
            *dim = rest;
            rest.is_some()
        }
        None => product == elements,
    };
    match fits {
        true => PartialShape::new(&new),
        false => wrong(format!("{elements} elements do not make {dims:?}")),
    }
}

/// Returns the shape of a matrix product, of the last two dimensions; those before are broadcast.
pub(super) fn product(
    op: &str,
    a: (&PartialShape, bool),
    b: (&PartialShape, bool),
) -> Result<PartialShape> {
    let (Some((a_batch, a_rows, a_columns)), Some((b_batch, b_rows, b_columns))) =
        (matrix(op, a)?, matrix(op, b)?)
    else {
        return Ok(PartialShape::UNKNOWN);
    };
    if a_columns.zip(b_rows).is_some_and(|(a, b)| a != b) {
        return Err(Error::invalid_argument(format!(
            "op {op}: shapes {} and {} do not go together",
            a.0, b.0
        )));
    }
    let batch = broadcast(op, &a_batch, &b_batch)?;
    let mut dims = batch.dims().unwrap_or_default().to_vec();
    dims.extend([a_rows, b_columns]);
    PartialShape::new(&dims)
}

/// Divides a shape into that of a batch, rows and columns.
fn matrix(
    op: &str,
    (shape, transposed): (&PartialShape, bool),
) -> Result<Option<(PartialShape, Dim, Dim)>> {
    match shape.dims() {
        None => Ok(None),
        Some([batch @ .., rows, columns]) => {
            let batch = PartialShape::new(batch)?;
            Ok(Some(match transposed {
                false => (batch, *rows, *columns),
                true => (batch, *columns, *rows),
            }))
        }
        Some(_) => Err(Error::invalid_argument(format!(
            "op {op}: a tensor of shape {shape} is no matrix"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(dims: &[i64]) -> PartialShape {
        PartialShape::try_from(dims).unwrap()
    }

    #[test]
    fn shapes_are_broadcast_from_the_last_dimension() {
        let unknown = PartialShape::UNKNOWN;
        for (x, y, both) in [
            (shape(&[2, 3]), shape(&[3]), shape(&[2, 3])),
            (shape(&[-1, 1]), shape(&[4]), shape(&[-1, 4])),
            (shape(&[-1]), shape(&[4]), shape(&[4])),
            (shape(&[-1]), shape(&[1]), shape(&[-1])),
            (shape(&[]), shape(&[0]), shape(&[0])),
            (unknown.clone(), shape(&[2]), unknown.clone()),
        ] {
            assert_eq!(broadcast("Mul", &x, &y).unwrap(), both);
            assert_eq!(broadcast("Mul", &y, &x).unwrap(), both);
        }
        let error = broadcast("Mul", &shape(&[2, 3]), &shape(&[2])).unwrap_err();
        assert!(error.to_string().contains("[2, 3] and [2]"), "{error}");
    }

    #[test]
    fn axes_count_from_either_end() {
        let x = shape(&[2, -1, 4]);
        assert_eq!(reduced("Sum", &x, &[0, -1], false).unwrap(), shape(&[-1]));
        assert_eq!(reduced("Sum", &x, &[1], true).unwrap(), shape(&[2, 1, 4]));
        assert!(reduced("Sum", &x, &[3], true).is_err());
        assert!(reduced("Sum", &x, &[-4], true).is_err());
        let wider = with_dimension("ExpandDims", &x, -1, Some(1)).unwrap();
        assert_eq!(wider, shape(&[2, -1, 4, 1]));
        assert_eq!(
            with_size("Split", &x, -1, Some(2)).unwrap(),
            shape(&[2, -1, 2])
        );
    }

    #[test]
    fn one_dimension_is_found() {
        assert_eq!(reshaped(&shape(&[2, 6]), &[3, -1]).unwrap(), shape(&[3, 4]));
        assert_eq!(
            reshaped(&shape(&[-1, 6]), &[3, -1]).unwrap(),
            shape(&[3, -1])
        );
        for dims in [&[5, -1][..], &[13], &[-1, -1], &[-2, 6], &[0, -1]] {
            assert!(reshaped(&shape(&[2, 6]), dims).is_err(), "{dims:?}");
        }
    }

    #[test]
    fn products_of_matrices() {
        let (a, b) = (shape(&[-1, 2, 3]), shape(&[3, 4]));
        let of = |a, b| product("M", a, b).map(|shape| shape.to_string());
        assert_eq!(of((&a, false), (&b, false)).unwrap(), "[?, 2, 4]");
        assert_eq!(of((&b, true), (&a, true)).unwrap(), "[?, 4, 2]");
        assert!(of((&b, false), (&a, false)).is_err());
        assert!(of((&shape(&[3]), false), (&b, false)).is_err());
    }
}
