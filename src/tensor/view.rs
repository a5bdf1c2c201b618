use std::borrow::Cow;
use std::fmt;

use super::tensor::{check_bools, check_count, check_reads, check_size, convert};
use crate::error::{Error, Result};
use crate::tensor::{DType, Element, Shape, Strings, Tensor};

/// A tensor whose values are borrowed: a [`DType`], a [`Shape`] and bytes that somebody else has.
///
/// What [`BundleWriter::add`](crate::BundleWriter::add) takes, so that values are written from
/// where they are. A `&Tensor` becomes one by itself.
///
/// ```
/// use savedmodel::{DType, TensorView};
///
/// let weights = vec![0.5f32; 6];
/// let view = TensorView::from_slice([2, 3], &weights)?;
/// assert_eq!((view.dtype(), view.byte_len()), (DType::FLOAT, 24));
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone)]
pub struct TensorView<'a> {
    dtype: DType,
    shape: Shape,
    data: Data<'a>,
}

#[derive(Clone)]
enum Data<'a> {
    /// Owned where values are stored otherwise than the machine has them.
    Dense(Cow<'a, [u8]>),
    Strings(&'a Strings),
    Opaque(&'a Strings),
}

impl<'a> TensorView<'a> {
    /// Views values as a tensor of the dtype that belongs to their type.
    ///
    /// # Errors
    ///
    /// As for [`Tensor::from_slice`].
    pub fn from_slice<T: Element>(
        shape: impl TryInto<Shape, Error: Into<Error>>,
        values: &'a [T],
    ) -> Result<Self> {
        Self::from_slice_as(T::DTYPE, shape, values)
    }

    /// Views values as a tensor of any dtype that their type [reads](Element).
    ///
    /// They are copied if the dtype is narrower than a byte, and on big-endian machines.
    ///
    /// # Errors
    ///
    /// As for [`Tensor::from_slice_as`].
    pub fn from_slice_as<T: Element>(
        dtype: DType,
        shape: impl TryInto<Shape, Error: Into<Error>>,
        values: &'a [T],
    ) -> Result<Self> {
        check_reads::<T>(dtype)?;
        let shape = convert(shape)?;
        check_count(dtype, &shape, values.len())?;
        let bytes = match T::as_bytes(values) {
            Some(bytes) if !dtype.is_sub_byte() => Cow::Borrowed(bytes),
            _ => Cow::Owned(T::encode(dtype, values)?),
        };
        Ok(TensorView {
            dtype,
            shape,
            data: Data::Dense(bytes),
        })
    }

    /// Views stored bytes as a tensor: row-major, little-endian, [`DType::size`] bytes per element.
    ///
    /// # Errors
    ///
    /// As for [`Tensor::from_bytes`].
    pub fn from_bytes(
        dtype: DType,
        shape: impl TryInto<Shape, Error: Into<Error>>,
        bytes: &'a [u8],
    ) -> Result<Self> {
        let shape = convert(shape)?;
        check_size(dtype, &shape, bytes.len())?;
        if dtype == DType::BOOL {
            check_bools(bytes)?;
        }
        Ok(TensorView {
            dtype,
            shape,
            data: Data::Dense(Cow::Borrowed(bytes)),
        })
    }

    /// Views bytes that are known to be elements of that dtype, and as many as the shape has.
    pub(crate) fn of_checked_bytes(dtype: DType, shape: Shape, bytes: &'a [u8]) -> Self {
        TensorView {
            dtype,
            shape,
            data: Data::Dense(Cow::Borrowed(bytes)),
        }
    }

    pub(crate) fn into_shape(self) -> Shape {
        self.shape
    }

    /// Returns the type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Returns the size in each dimension.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Returns the bytes of all elements together, lengths of strings left out.
    pub fn byte_len(&self) -> u64 {
        match &self.data {
            Data::Dense(bytes) => bytes.len() as u64,
            Data::Strings(elements) | Data::Opaque(elements) => elements.bytes().len() as u64,
        }
    }

    /// Returns the stored bytes, row-major and little-endian, if elements have a fixed size.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.data {
            Data::Dense(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns the elements of a STRING tensor.
    pub fn strings(&self) -> Option<&'a Strings> {
        match self.data {
            Data::Strings(elements) => Some(elements),
            _ => None,
        }
    }

    /// Returns the elements of a VARIANT or RESOURCE tensor.
    pub fn opaque(&self) -> Option<&'a Strings> {
        match self.data {
            Data::Opaque(elements) => Some(elements),
            _ => None,
        }
    }
}

impl<'a> From<&'a Tensor> for TensorView<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        let data = match (tensor.bytes(), tensor.strings(), tensor.opaque()) {
            (_, Some(elements), _) => Data::Strings(elements),
            (_, _, Some(elements)) => Data::Opaque(elements),
            (bytes, ..) => Data::Dense(Cow::Borrowed(bytes.unwrap_or_default())),
        };
        TensorView {
            dtype: tensor.dtype(),
            shape: tensor.shape().clone(),
            data,
        }
    }
}

impl fmt::Debug for TensorView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "TensorView({} {}, {} bytes)",
            self.dtype,
            self.shape,
            self.byte_len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_have_what_tensors_have() {
        let values = [1i16, -2, 3];
        let view = TensorView::from_slice([3], &values).unwrap();
        let tensor = Tensor::from_slice([3], &values).unwrap();
        assert_eq!(view.bytes(), tensor.bytes());
        assert_eq!(TensorView::from(&tensor).bytes(), tensor.bytes());
        if cfg!(target_endian = "little") {
            assert_eq!(
                view.bytes().unwrap().as_ptr(),
                values.as_ptr().cast(),
                "nothing is copied"
            );
        }
        let narrow = TensorView::from_slice_as(DType::INT4, [2], &[-1i8, 7]).unwrap();
        assert_eq!(narrow.bytes(), Some(&[0x0f, 0x07][..]));
        let bools = TensorView::from_slice([2], &[true, false]).unwrap();
        assert_eq!(bools.bytes(), Some(&[1, 0][..]));

        let strings = Tensor::from_strings([1], ["a"]).unwrap();
        let view = TensorView::from(&strings);
        assert_eq!((view.strings(), view.bytes()), (strings.strings(), None));
    }

    #[test]
    fn what_does_not_agree_is_refused() {
        assert!(TensorView::from_slice([2], &[1f32]).is_err());
        assert!(TensorView::from_slice_as(DType::INT4, [1], &[8i8]).is_err());
        assert!(TensorView::from_slice_as(DType::FLOAT, [1], &[8i8]).is_err());
        assert!(TensorView::from_bytes(DType::FLOAT, [1], &[0; 5]).is_err());
        assert!(TensorView::from_bytes(DType::STRING, [0], &[]).is_err());
        assert!(TensorView::from_bytes(DType::BOOL, [1], &[2]).is_err());
    }
}
