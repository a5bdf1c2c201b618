use std::fmt;

use crate::error::{Error, Result};
use crate::proto::TensorShapeProto;
use crate::proto::tensor_shape_proto::Dim;

/// The size of a tensor in each dimension: TensorFlow's `TensorShape`.
///
/// Row-major order: the last dimension varies fastest. A scalar has no dimensions and one element.
/// Up to four dimensions are held without an allocation.
///
/// The limits are TensorFlow's (`tensorflow/core/framework/tensor_shape.cc`): at most 254
/// dimensions, and no product of leading dimensions above `i64::MAX`. So `[0, 2^40, 2^40]` is a
/// shape and `[2^40, 2^40, 0]` is not.
///
/// ```
/// use savedmodel::Shape;
///
/// let shape = Shape::new(&[2, 3])?;
/// assert_eq!(shape.elements(), 6);
/// assert_eq!(shape.to_string(), "[2, 3]");
/// assert_eq!(shape, Shape::try_from([2, 3])?);
/// assert_eq!(Shape::SCALAR.elements(), 1);
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone)]
pub struct Shape(Dims);

#[derive(Clone)]
enum Dims {
    Inline { rank: u8, dims: [u64; INLINE_RANK] },
    Boxed(Box<[u64]>),
}

impl Shape {
    /// The shape of a single element: no dimensions.
    pub const SCALAR: Shape = Shape(Dims::Inline {
        rank: 0,
        dims: [0; INLINE_RANK],
    });

    /// Makes a shape of these dimensions, outermost first.
    ///
    /// # Errors
    ///
    /// `Unsupported` beyond 254 dimensions, `InvalidArgument` if a product of leading dimensions
    /// exceeds `i64::MAX`.
    pub fn new(dims: &[u64]) -> Result<Shape> {
        Shape::checked(dims, Error::invalid_argument)
    }

    /// Makes a shape of dimensions found in a file, where what is wrong is the file's fault.
    ///
    /// # Errors
    ///
    /// `Unsupported` beyond 254 dimensions, `Malformed` if a dimension is negative or a product of
    /// leading dimensions exceeds `i64::MAX`.
    pub(crate) fn stored(dims: &[i64]) -> Result<Shape> {
        // First, so that no message shows a million dimensions.
        check_rank(dims.len())?;
        let dims: Vec<u64> = dims
            .iter()
            .map(|&dim| {
                u64::try_from(dim).map_err(|_| {
                    Error::malformed(format!("shape {dims:?} has a negative dimension"))
                })
            })
            .collect::<Result<_>>()?;
        Shape::checked(&dims, Error::malformed)
    }

    /// Makes a shape of the first `rank` of these dimensions, the others being 0, without an
    /// allocation; `None` if it is no shape.
    #[inline(always)]
    pub(crate) fn short(rank: u8, dims: [u64; INLINE_RANK]) -> Option<Shape> {
        // Four such dimensions have no product that is too large.
        let all_small = dims.iter().fold(0, |all, dim| all | dim) < 1 << 15;
        (all_small || Shape::is_countable(&dims[..usize::from(rank)]))
            .then_some(Shape(Dims::Inline { rank, dims }))
    }

    #[inline(never)]
    fn is_countable(dims: &[u64]) -> bool {
        let mut product = 1u64;
        dims.iter().all(|&dim| {
            product = product.saturating_mul(dim);
            // Behind a 0 any number would do for the product, a negative one too.
            product <= i64::MAX as u64 && dim <= i64::MAX as u64
        })
    }

    /// Reads the shape of a tensor that is stored, which has no unknown parts. An unknown rank counts
    /// as a scalar, as it does for TensorFlow; names of dimensions are left out.
    ///
    /// # Errors
    ///
    /// `Unsupported` beyond 254 dimensions, `Malformed` if a dimension is negative or a product of
    /// leading dimensions exceeds `i64::MAX`.
    pub fn from_proto(proto: &TensorShapeProto) -> Result<Shape> {
        Shape::stored(&sizes(proto))
    }

    /// Makes the message of this shape.
    pub fn to_proto(&self) -> TensorShapeProto {
        PartialShape::from(self).to_proto()
    }

    fn checked(dims: &[u64], fault: fn(String) -> Error) -> Result<Shape> {
        check_rank(dims.len())?;
        dims.iter()
            .try_fold(1u64, |product, &dim| {
                product
                    .checked_mul(dim)
                    .filter(|product| *product <= i64::MAX as u64)
            })
            .ok_or_else(|| fault(format!("shape {dims:?} has more than 2^63 - 1 elements")))?;
        Ok(Shape(Dims::new(dims)))
    }

    /// Returns the dimensions, outermost first.
    #[inline]
    pub fn dims(&self) -> &[u64] {
        match &self.0 {
            Dims::Inline { rank, dims } => &dims[..usize::from(*rank)],
            Dims::Boxed(dims) => dims,
        }
    }

    /// Returns the number of dimensions.
    pub fn rank(&self) -> usize {
        self.dims().len()
    }

    /// Returns the number of elements: the product of the dimensions, at most `i64::MAX`.
    #[inline]
    pub fn elements(&self) -> u64 {
        self.dims().iter().product()
    }

    /// Returns whether there are no dimensions.
    pub fn is_scalar(&self) -> bool {
        self.rank() == 0
    }
}

impl Dims {
    fn new(dims: &[u64]) -> Dims {
        let mut inline = [0; INLINE_RANK];
        match inline.get_mut(..dims.len()) {
            Some(start) => {
                start.copy_from_slice(dims);
                Dims::Inline {
                    rank: dims.len() as u8,
                    dims: inline,
                }
            }
            None => Dims::Boxed(dims.into()),
        }
    }
}

impl Default for Shape {
    fn default() -> Self {
        Shape::SCALAR
    }
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.dims() == other.dims()
    }
}

impl Eq for Shape {}

impl std::hash::Hash for Shape {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.dims().hash(state);
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, dim) in self.dims().iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{dim}")?;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Shape {
        shape.clone()
    }
}

impl<T: Dimension, const N: usize> TryFrom<[T; N]> for Shape {
    type Error = Error;

    fn try_from(dims: [T; N]) -> Result<Shape> {
        Shape::try_from(&dims[..])
    }
}

impl<T: Dimension, const N: usize> TryFrom<&[T; N]> for Shape {
    type Error = Error;

    fn try_from(dims: &[T; N]) -> Result<Shape> {
        Shape::try_from(&dims[..])
    }
}

impl<T: Dimension> TryFrom<Vec<T>> for Shape {
    type Error = Error;

    fn try_from(dims: Vec<T>) -> Result<Shape> {
        Shape::try_from(&dims[..])
    }
}

impl<T: Dimension> TryFrom<&[T]> for Shape {
    type Error = Error;

    fn try_from(dims: &[T]) -> Result<Shape> {
        let dims: Option<Vec<u64>> = dims.iter().map(|dim| dim.size()).collect();
        let dims =
            dims.ok_or_else(|| Error::invalid_argument("a shape has a negative dimension"))?;
        Shape::new(&dims)
    }
}

/// A shape of which some dimensions, or all of it, may be unknown: TensorFlow's
/// `PartialTensorShape`.
///
/// Signatures have such shapes, often with an unknown first dimension for the batch. Unknown is
/// not the same as absent: a scalar has rank 0, an unknown rank is any rank.
///
/// ```
/// use savedmodel::{PartialShape, Shape};
///
/// let batch = PartialShape::try_from([None, Some(224)])?;
/// assert_eq!(batch.to_string(), "[?, 224]");
/// assert!(batch.is_compatible_with(&Shape::new(&[32, 224])?));
/// assert_eq!(PartialShape::try_from([-1, 224])?, batch);
/// assert_eq!(PartialShape::UNKNOWN.to_string(), "<unknown>");
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PartialShape(Option<Box<[Option<u64>]>>);

impl PartialShape {
    /// The shape of which not even the rank is known.
    pub const UNKNOWN: PartialShape = PartialShape(None);

    /// Makes a shape of these dimensions, outermost first; `None` where one is unknown.
    ///
    /// # Errors
    ///
    /// `Unsupported` beyond 254 dimensions, `InvalidArgument` if the known dimensions multiply to
    /// more than `i64::MAX`.
    pub fn new(dims: &[Option<u64>]) -> Result<PartialShape> {
        PartialShape::checked(dims.into(), Error::invalid_argument)
    }

    /// Makes a shape of dimensions as files have them, −1 for an unknown one.
    ///
    /// # Errors
    ///
    /// `Unsupported` beyond 254 dimensions, `Malformed` if a dimension is less than −1 or the known
    /// dimensions multiply to more than `i64::MAX`.
    pub(crate) fn stored(dims: &[i64]) -> Result<PartialShape> {
        check_rank(dims.len())?;
        let dims = dims
            .iter()
            .map(|&dim| match dim {
                -1 => Ok(None),
                dim => u64::try_from(dim).map(Some).map_err(|_| {
                    Error::malformed(format!("shape {dims:?} has a dimension less than -1"))
                }),
            })
            .collect::<Result<_>>()?;
        PartialShape::checked(dims, Error::malformed)
    }

    /// Reads the shape of a signature, node or other thing of which parts may be unknown; names of
    /// dimensions are left out.
    ///
    /// # Errors
    ///
    /// `Unsupported` beyond 254 dimensions, `Malformed` if a dimension is less than −1 or the known
    /// dimensions multiply to more than `i64::MAX`.
    pub fn from_proto(proto: &TensorShapeProto) -> Result<PartialShape> {
        if proto.unknown_rank {
            return Ok(PartialShape::UNKNOWN);
        }
        PartialShape::stored(&sizes(proto))
    }

    /// Makes the message of this shape.
    pub fn to_proto(&self) -> TensorShapeProto {
        let dims = self.to_signed();
        TensorShapeProto {
            unknown_rank: dims.is_none(),
            dim: dims
                .unwrap_or_default()
                .into_iter()
                .map(|size| Dim {
                    size,
                    ..Default::default()
                })
                .collect(),
        }
    }

    fn checked(dims: Box<[Option<u64>]>, fault: fn(String) -> Error) -> Result<PartialShape> {
        check_rank(dims.len())?;
        let product = dims.iter().flatten().try_fold(1u64, |product, &dim| {
            product
                .checked_mul(dim)
                .filter(|product| *product <= i64::MAX as u64)
        });
        let shape = PartialShape(Some(dims));
        match product {
            Some(_) => Ok(shape),
            None => Err(fault(format!(
                "shape {shape} has more than 2^63 - 1 elements"
            ))),
        }
    }

    /// Returns the dimensions, outermost first, or `None` if the rank is unknown.
    pub fn dims(&self) -> Option<&[Option<u64>]> {
        self.0.as_deref()
    }

    /// Returns the dimensions as files have them, −1 for an unknown one, or `None` if the rank is
    /// unknown.
    pub fn to_signed(&self) -> Option<Vec<i64>> {
        let signed = |dim: &Option<u64>| dim.map_or(-1, |dim| dim as i64);
        Some(self.dims()?.iter().map(signed).collect())
    }

    /// Returns the number of dimensions, or `None` if it is unknown.
    pub fn rank(&self) -> Option<usize> {
        self.dims().map(<[_]>::len)
    }

    /// Returns the shape if all of it is known.
    pub fn to_shape(&self) -> Option<Shape> {
        let dims: Vec<u64> = self.dims()?.iter().copied().collect::<Option<_>>()?;
        Shape::new(&dims).ok()
    }

    /// Returns whether a tensor of `shape` has this shape: equal rank and dimensions wherever they
    /// are known.
    pub fn is_compatible_with(&self, shape: &Shape) -> bool {
        let Some(dims) = self.dims() else {
            return true;
        };
        dims.len() == shape.rank()
            && dims
                .iter()
                .zip(shape.dims())
                .all(|(dim, size)| dim.is_none_or(|dim| dim == *size))
    }
}

impl fmt::Display for PartialShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(dims) = self.dims() else {
            return f.write_str("<unknown>");
        };
        f.write_str("[")?;
        for (index, dim) in dims.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            match dim {
                Some(dim) => write!(f, "{separator}{dim}")?,
                None => write!(f, "{separator}?")?,
            }
        }
        f.write_str("]")
    }
}

impl fmt::Debug for PartialShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<&PartialShape> for PartialShape {
    fn from(shape: &PartialShape) -> PartialShape {
        shape.clone()
    }
}

impl From<&Shape> for PartialShape {
    fn from(shape: &Shape) -> PartialShape {
        PartialShape(Some(shape.dims().iter().copied().map(Some).collect()))
    }
}

impl From<Shape> for PartialShape {
    fn from(shape: Shape) -> PartialShape {
        PartialShape::from(&shape)
    }
}

impl<const N: usize> TryFrom<[Option<u64>; N]> for PartialShape {
    type Error = Error;

    fn try_from(dims: [Option<u64>; N]) -> Result<PartialShape> {
        PartialShape::new(&dims)
    }
}

/// A negative dimension is an unknown one if it is −1 and refused otherwise.
impl<T: Dimension, const N: usize> TryFrom<[T; N]> for PartialShape {
    type Error = Error;

    fn try_from(dims: [T; N]) -> Result<PartialShape> {
        PartialShape::try_from(&dims[..])
    }
}

/// A negative dimension is an unknown one if it is −1 and refused otherwise.
impl<T: Dimension> TryFrom<&[T]> for PartialShape {
    type Error = Error;

    fn try_from(dims: &[T]) -> Result<PartialShape> {
        let dims = dims
            .iter()
            .map(|dim| match dim.size() {
                None if !dim.is_unknown() => Err(Error::invalid_argument(
                    "a shape has a dimension less than -1",
                )),
                size => Ok(size),
            })
            .collect::<Result<_>>()?;
        PartialShape::checked(dims, Error::invalid_argument)
    }
}

/// The integer types that dimensions can be given in: `i32`, `i64`, `u32`, `u64` and `usize`.
///
/// `i32` is there so that a literal such as `[2, 3]` needs no suffix.
pub trait Dimension: Copy + private::Sealed {
    /// Returns the dimension, or `None` if it is negative.
    #[doc(hidden)]
    fn size(self) -> Option<u64>;

    /// Returns whether the dimension is −1.
    #[doc(hidden)]
    fn is_unknown(self) -> bool;
}

macro_rules! dimension {
    ($($integer:ty)*) => {$(
        impl private::Sealed for $integer {}

        impl Dimension for $integer {
            fn size(self) -> Option<u64> {
                self.try_into().ok()
            }

            fn is_unknown(self) -> bool {
                i64::try_from(self) == Ok(-1)
            }
        }
    )*};
}

dimension!(i32 i64 u32 u64 usize);

mod private {
    pub trait Sealed {}
}

fn sizes(proto: &TensorShapeProto) -> Vec<i64> {
    proto.dim.iter().map(|dim| dim.size).collect()
}

fn check_rank(rank: usize) -> Result<()> {
    match rank {
        0..=MAX_RANK => Ok(()),
        _ => Err(Error::unsupported(format!(
            "a shape of {rank} dimensions: TensorFlow's limit is {MAX_RANK}"
        ))),
    }
}

/// `TensorShape::MaxDimensions()` of `tensorflow/core/framework/tensor_shape.h`.
const MAX_RANK: usize = 254;

const INLINE_RANK: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_shape_is_small() {
        assert!(size_of::<Shape>() <= 40);
        assert_eq!(size_of::<PartialShape>(), 16);
    }

    #[test]
    fn dimensions_come_back() {
        for rank in [0, 1, 4, 5, 254] {
            let dims: Vec<u64> = (0..rank).map(|dim| 1 + u64::from(dim == 3)).collect();
            let shape = Shape::new(&dims).unwrap();
            assert_eq!((shape.dims(), shape.rank()), (&dims[..], dims.len()));
            assert_eq!(shape, Shape::try_from(dims).unwrap());
        }
        assert_eq!(Shape::new(&[]).unwrap(), Shape::default());
        assert_eq!(Shape::SCALAR.to_string(), "[]");
        assert_eq!(
            Shape::new(&[1, 2, 3, 4, 5]).unwrap().to_string(),
            "[1, 2, 3, 4, 5]"
        );
    }

    #[test]
    fn the_product_is_checked_from_the_left() {
        assert_eq!(Shape::new(&[0, 1 << 40, 1 << 40]).unwrap().elements(), 0);
        assert_eq!(
            Shape::new(&[i64::MAX as u64]).unwrap().elements(),
            i64::MAX as u64
        );
        for dims in [
            &[1 << 40, 1 << 40, 0][..],
            &[1 << 63],
            &[1 << 32, 1 << 31],
            &[u64::MAX, 2],
        ] {
            let error = Shape::new(dims).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::InvalidArgument { .. }),
                "{error}"
            );
        }
        let error = Shape::stored(&[1 << 40, 1 << 40]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Malformed { .. }));
    }

    #[test]
    fn too_many_dimensions_are_unsupported() {
        for error in [
            Shape::new(&[1; 255]).unwrap_err(),
            PartialShape::new(&[None; 255]).unwrap_err(),
        ] {
            assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }));
        }
    }

    #[test]
    fn negative_dimensions_are_refused() {
        assert!(Shape::stored(&[2, -1]).is_err());
        assert!(Shape::try_from([2, -1]).is_err());
        assert!(PartialShape::stored(&[-2]).is_err());
        assert!(PartialShape::try_from([-2i64]).is_err());
    }

    #[test]
    fn any_integer_makes_a_shape() {
        let shape = Shape::new(&[2, 3]).unwrap();
        assert_eq!(Shape::try_from([2usize, 3]).unwrap(), shape);
        assert_eq!(Shape::try_from(&[2u32, 3]).unwrap(), shape);
        assert_eq!(Shape::try_from(vec![2i64, 3]).unwrap(), shape);
        assert_eq!(Shape::try_from(&[2u64, 3][..]).unwrap(), shape);
    }

    #[test]
    fn unknown_dimensions_are_minus_one_in_files() {
        let shape = PartialShape::stored(&[-1, 224, 0]).unwrap();
        assert_eq!(shape.dims().unwrap(), [None, Some(224), Some(0)]);
        assert_eq!(shape.to_signed().unwrap(), [-1, 224, 0]);
        assert_eq!(shape.to_string(), "[?, 224, 0]");
        assert_eq!(PartialShape::UNKNOWN.to_signed(), None);
        assert_eq!(
            PartialShape::try_from([None, None]).unwrap().rank(),
            Some(2)
        );
    }

    #[test]
    fn compatibility_is_equality_where_known() {
        let shape = PartialShape::try_from([None, Some(2)]).unwrap();
        for (dims, compatible) in [
            (&[7, 2][..], true),
            (&[7, 3], false),
            (&[2], false),
            (&[], false),
        ] {
            assert_eq!(
                shape.is_compatible_with(&Shape::new(dims).unwrap()),
                compatible
            );
        }
        assert!(PartialShape::UNKNOWN.is_compatible_with(&Shape::SCALAR));
        assert_eq!(shape.to_shape(), None);
        let full = Shape::new(&[7, 2]).unwrap();
        assert_eq!(PartialShape::from(&full).to_shape(), Some(full));
    }
}
