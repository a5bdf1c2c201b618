use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use prost::bytes::Bytes;

use crate::error::{Error, Result};
use crate::tensor::slice::{Run, Runs, copy_region};
use crate::tensor::{DType, Element, Shape, Strings, TensorSlice};

/// Holds the values of a tensor: a [`DType`], a [`Shape`] and shared bytes.
///
/// The bytes may lie in a mapped file, in a message or on the heap; cloning counts a reference and
/// keeps them alive. Elements are row-major. Those of fixed size are little-endian whatever the
/// machine, and take [`DType::size`] bytes each, as in a tensor bundle
/// (`tensorflow/core/util/tensor_bundle/tensor_bundle.cc`).
///
/// Two tensors are equal if dtype, shape and bytes are: NaN equals itself, 0.0 is not −0.0.
///
/// ```
/// use savedmodel::{DType, Tensor};
///
/// let tensor = Tensor::from_slice([2, 2], &[1f32, 2., 3., 4.])?;
/// assert_eq!(tensor.dtype(), DType::FLOAT);
/// assert_eq!(tensor.values::<f32>()?[3], 4.0);
///
/// let column = tensor.slice(&"-:1,1".parse()?)?;
/// assert_eq!(column.shape().to_string(), "[2, 1]");
/// assert_eq!(*column.values::<f32>()?, [2.0, 4.0]);
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Tensor {
    dtype: DType,
    shape: Shape,
    data: Data,
}

#[derive(Clone, PartialEq, Eq)]
enum Data {
    /// `elements × size` bytes.
    Dense(Bytes),
    /// One byte string per element: STRING.
    Strings(Strings),
    /// One serialized message per element: VARIANT and RESOURCE.
    Opaque(Strings),
}

impl Tensor {
    /// Makes a tensor of these values, of the dtype that belongs to their type.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the shape has another number of elements, and what
    /// [`Shape::new`] answers.
    pub fn from_slice<T: Element>(
        shape: impl TryInto<Shape, Error: Into<Error>>,
        values: &[T],
    ) -> Result<Tensor> {
        Tensor::from_slice_as(T::DTYPE, shape, values)
    }

    /// Makes a tensor of these values, of any dtype that their type [reads](Element).
    ///
    /// ```
    /// # use savedmodel::{DType, Tensor};
    /// let tensor = Tensor::from_slice_as(DType::INT4, [3], &[-8i8, -1, 7])?;
    /// assert_eq!(tensor.bytes(), Some(&[0x08, 0x0f, 0x07][..]));
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the type does not belong to the dtype, a value does not fit a dtype
    /// narrower than a byte, or the shape has another number of elements; and what [`Shape::new`]
    /// answers.
    pub fn from_slice_as<T: Element>(
        dtype: DType,
        shape: impl TryInto<Shape, Error: Into<Error>>,
        values: &[T],
    ) -> Result<Tensor> {
        check_reads::<T>(dtype)?;
        let shape = convert(shape)?;
        check_count(dtype, &shape, values.len())?;
        let bytes = T::encode(dtype, values)?;
        Ok(Tensor {
            dtype,
            shape,
            data: Data::Dense(bytes.into()),
        })
    }

    /// Makes a scalar of this value, of the dtype that belongs to its type.
    pub fn scalar<T: Element>(value: T) -> Tensor {
        let bytes = T::encode(T::DTYPE, &[value]).unwrap_or_default();
        Tensor {
            dtype: T::DTYPE,
            shape: Shape::SCALAR,
            data: Data::Dense(bytes.into()),
        }
    }

    /// Makes a STRING tensor of these values, which are copied into an arena.
    ///
    /// ```
    /// # use savedmodel::{DType, Tensor};
    /// let tensor = Tensor::from_strings([2], ["hello", "wo"])?;
    /// assert_eq!(tensor.dtype(), DType::STRING);
    /// assert_eq!(tensor.strings().and_then(|strings| strings.get(0)), Some(&b"hello"[..]));
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the shape has another number of elements, and what [`Shape::new`]
    /// answers.
    pub fn from_strings<S: AsRef<[u8]>>(
        shape: impl TryInto<Shape, Error: Into<Error>>,
        values: impl IntoIterator<Item = S>,
    ) -> Result<Tensor> {
        Tensor::from_shared_strings(shape, values.into_iter().collect())
    }

    /// Makes a STRING tensor of elements that are already in an arena, which is shared.
    ///
    /// # Errors
    ///
    /// As [`from_strings`](Self::from_strings).
    pub fn from_shared_strings(
        shape: impl TryInto<Shape, Error: Into<Error>>,
        elements: Strings,
    ) -> Result<Tensor> {
        let shape = convert(shape)?;
        check_count(DType::STRING, &shape, elements.len())?;
        Ok(Tensor {
            dtype: DType::STRING,
            shape,
            data: Data::Strings(elements),
        })
    }

    /// Makes a VARIANT or RESOURCE tensor of one serialized message per element.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for any other dtype or if the shape has another number of elements, and
    /// what [`Shape::new`] answers.
    pub fn from_opaque(
        dtype: DType,
        shape: impl TryInto<Shape, Error: Into<Error>>,
        elements: Strings,
    ) -> Result<Tensor> {
        if !matches!(dtype, DType::VARIANT | DType::RESOURCE) {
            return Err(Error::invalid_argument(format!(
                "{dtype} elements are not opaque messages"
            )));
        }
        let shape = convert(shape)?;
        check_count(dtype, &shape, elements.len())?;
        Ok(Tensor {
            dtype,
            shape,
            data: Data::Opaque(elements),
        })
    }

    /// Makes a tensor of stored bytes, which are shared: row-major, little-endian,
    /// [`DType::size`] bytes per element.
    ///
    /// ```
    /// # use savedmodel::{DType, Tensor};
    /// let tensor = Tensor::from_bytes(DType::BFLOAT16, [2], vec![0x80, 0x3f, 0x00, 0xc0])?;
    /// assert_eq!(*tensor.values::<u16>()?, [0x3f80, 0xc000]);
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Unsupported` for a dtype whose elements have no fixed size, `InvalidArgument` if the number
    /// of bytes is not that of the shape, `Malformed` if a byte of a BOOL tensor is neither 0 nor
    /// 1; and what [`Shape::new`] answers.
    pub fn from_bytes(
        dtype: DType,
        shape: impl TryInto<Shape, Error: Into<Error>>,
        bytes: impl Into<Bytes>,
    ) -> Result<Tensor> {
        let (shape, bytes): (Shape, Bytes) = (convert(shape)?, bytes.into());
        check_size(dtype, &shape, bytes.len())?;
        if dtype == DType::BOOL {
            check_bools(&bytes)?;
        }
        Ok(Tensor {
            dtype,
            shape,
            data: Data::Dense(bytes),
        })
    }

    /// Returns the type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Returns the size in each dimension.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Returns the number of elements.
    pub fn elements(&self) -> u64 {
        self.shape.elements()
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

    /// Returns what [`bytes`](Self::bytes) does as a counted reference.
    pub fn bytes_shared(&self) -> Option<Bytes> {
        match &self.data {
            Data::Dense(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }

    /// Returns the elements where they lie, without a copy.
    ///
    /// `None` if `T` does not [read](Element) the dtype, and if the elements cannot be borrowed as
    /// they are: at an address that is not a multiple of `T`'s alignment, as is common in a mapped
    /// bundle, on a big-endian machine, or narrower than a byte. [`values`](Self::values) copies
    /// then.
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        let bytes = self.bytes()?;
        (T::reads(self.dtype) && !self.dtype.is_sub_byte()).then(|| T::view(bytes))?
    }

    /// Returns the elements, borrowed if they can be and copied if they must.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if `T` does not [read](Element) the dtype.
    pub fn values<T: Element>(&self) -> Result<Cow<'_, [T]>> {
        check_reads::<T>(self.dtype)?;
        Ok(match self.as_slice() {
            Some(values) => Cow::Borrowed(values),
            None => Cow::Owned(T::decode(self.dtype, self.bytes().unwrap_or_default())),
        })
    }

    /// Returns the elements of a STRING tensor.
    pub fn strings(&self) -> Option<&Strings> {
        match &self.data {
            Data::Strings(elements) => Some(elements),
            _ => None,
        }
    }

    /// Returns the elements of a VARIANT or RESOURCE tensor: a serialized `VariantTensorDataProto`
    /// or `ResourceHandleProto` each.
    pub fn opaque(&self) -> Option<&Strings> {
        match &self.data {
            Data::Opaque(elements) => Some(elements),
            _ => None,
        }
    }

    /// Returns the same elements in another shape, sharing the bytes.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the shape has another number of elements, and what [`Shape::new`]
    /// answers.
    pub fn reshape(&self, shape: impl TryInto<Shape, Error: Into<Error>>) -> Result<Tensor> {
        let shape = convert(shape)?;
        if shape.elements() != self.elements() {
            return Err(Error::invalid_argument(format!(
                "shape {} cannot become {shape}",
                self.shape
            )));
        }
        Ok(Tensor {
            dtype: self.dtype,
            shape,
            data: self.data.clone(),
        })
    }

    /// Cuts a box from the tensor. The bytes are shared if they lie in one piece, as when only the
    /// first dimension is cut, and copied otherwise.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the slice does not lie within the shape.
    pub fn slice(&self, slice: &TensorSlice) -> Result<Tensor> {
        let cut = Cut {
            whole: TensorSlice::full(self.shape.rank()).resolve(&self.shape)?,
            part: slice.resolve(&self.shape)?,
            shape: slice.shape_in(&self.shape)?,
        };
        let data = match &self.data {
            Data::Dense(bytes) => Data::Dense(cut.bytes(bytes, dense_size(self.dtype)?)?),
            Data::Strings(elements) => Data::Strings(cut.strings(elements)?),
            Data::Opaque(elements) => Data::Opaque(cut.strings(elements)?),
        };
        Ok(Tensor {
            dtype: self.dtype,
            shape: cut.shape,
            data,
        })
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Tensor({} {}, {} bytes)",
            self.dtype,
            self.shape,
            self.byte_len()
        )
    }
}

/// A box to cut from a tensor, with the box of all of it.
///
/// Indices of elements in memory fit `usize`.
struct Cut {
    whole: Vec<(u64, u64)>,
    part: Vec<(u64, u64)>,
    shape: Shape,
}

impl Cut {
    fn bytes(&self, bytes: &Bytes, size: usize) -> Result<Bytes> {
        if let Some(run) = self.in_one_run()? {
            return Ok(bytes.slice(run.start * size..run.end * size));
        }
        let mut cut = vec![0; self.shape.elements() as usize * size];
        copy_region(bytes, &self.whole, &mut cut, &self.part, size)?;
        Ok(cut.into())
    }

    fn strings(&self, elements: &Strings) -> Result<Strings> {
        if let Some(shared) = self.in_one_run()?.and_then(|run| elements.range(run)) {
            return Ok(shared);
        }
        let indices = Runs::new(&self.whole, &self.part)?.flat_map(Run::source_indices);
        Ok(indices.filter_map(|index| elements.get(index)).collect())
    }

    /// Returns the indices of the elements, if they lie one behind the other.
    fn in_one_run(&self) -> Result<Option<Range<usize>>> {
        Ok(match Runs::new(&self.whole, &self.part)?.next() {
            None => Some(0..0),
            Some(run) if run.length == self.shape.elements() => Some(run.source_indices()),
            Some(_) => None,
        })
    }
}

pub(super) fn convert(shape: impl TryInto<Shape, Error: Into<Error>>) -> Result<Shape> {
    shape.try_into().map_err(Into::into)
}

pub(super) fn check_reads<T: Element>(dtype: DType) -> Result<()> {
    if T::reads(dtype) {
        return Ok(());
    }
    Err(Error::invalid_argument(format!(
        "{} is not the type of {dtype} elements",
        std::any::type_name::<T>()
    )))
}

pub(super) fn check_count(dtype: DType, shape: &Shape, count: usize) -> Result<()> {
    if shape.elements() == count as u64 {
        return Ok(());
    }
    Err(Error::invalid_argument(format!(
        "{count} values for a {dtype} tensor of shape {shape}"
    )))
}

/// Refuses a number of bytes that is not that of the shape.
pub(super) fn check_size(dtype: DType, shape: &Shape, len: usize) -> Result<()> {
    let size = dense_size(dtype)?;
    if shape.elements().checked_mul(size as u64) == Some(len as u64) {
        return Ok(());
    }
    Err(Error::invalid_argument(format!(
        "{len} bytes for a {dtype} tensor of shape {shape}"
    )))
}

fn dense_size(dtype: DType) -> Result<usize> {
    dtype
        .size()
        .ok_or_else(|| Error::unsupported(format!("{dtype} elements have no fixed size in bytes")))
}

/// Refuses bytes other than 0 and 1. Combining a chunk before looking at it keeps the check at the
/// speed of memory.
pub(super) fn check_bools(bytes: &[u8]) -> Result<()> {
    const CHUNK: usize = 4096;
    let is_bad = |byte: &u8| *byte > 1;
    let chunk = bytes
        .chunks(CHUNK)
        .position(|chunk| chunk.iter().fold(0, |all, byte| all | byte) > 1);
    let Some(start) = chunk.map(|chunk| chunk * CHUNK) else {
        return Ok(());
    };
    let index = bytes[start..]
        .iter()
        .position(is_bad)
        .map_or(start, |index| start + index);
    Err(Error::malformed(format!(
        "element {index} of a bool tensor is {:#04x}, neither 0 nor 1",
        bytes[index]
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_tensor_is_small_and_can_be_shared() {
        fn assert_shareable<T: Send + Sync + 'static>() {}
        assert_shareable::<Tensor>();
        assert!(size_of::<Tensor>() <= 96, "{}", size_of::<Tensor>());
    }

    #[test]
    fn values_come_back() {
        let tensor = Tensor::from_slice([2, 2], &[1i64, -2, i64::MAX, 0]).unwrap();
        assert_eq!(*tensor.values::<i64>().unwrap(), [1, -2, i64::MAX, 0]);
        assert_eq!((tensor.elements(), tensor.byte_len()), (4, 32));
        let error = tensor.values::<f64>().unwrap_err();
        assert_eq!(error.to_string(), "f64 is not the type of int64 elements");
        assert_eq!(tensor.as_slice::<u64>(), None);
        assert_eq!(*Tensor::scalar(true).values::<bool>().unwrap(), [true]);
        assert_eq!(Tensor::scalar([1f64, 2.0]).dtype(), DType::COMPLEX128);
    }

    #[test]
    fn misaligned_bytes_are_copied() {
        let bytes = Bytes::from(vec![0u8; 17]);
        let offset = bytes.as_ptr().align_offset(8) + 1;
        let shifted = bytes.slice(offset % 8..offset % 8 + 8);
        let tensor = Tensor::from_bytes(DType::DOUBLE, [1], shifted.clone()).unwrap();
        assert_eq!(tensor.as_slice::<f64>(), None);
        assert!(matches!(tensor.values::<f64>().unwrap(), Cow::Owned(values) if values == [0.0]));
        assert_eq!(tensor.bytes_shared().unwrap().as_ptr(), shifted.as_ptr());
    }

    #[test]
    fn aligned_bytes_are_borrowed() {
        let tensor = Tensor::from_bytes(DType::QUINT8, [3], vec![1, 2, 255]).unwrap();
        assert!(matches!(
            tensor.values::<u8>().unwrap(),
            Cow::Borrowed([1, 2, 255])
        ));
        let narrow = Tensor::from_bytes(DType::UINT4, [2], vec![1, 0xf2]).unwrap();
        assert_eq!(*narrow.values::<u8>().unwrap(), [1, 2]);
    }

    #[test]
    fn bytes_must_fill_the_shape() {
        for (dtype, length) in [(DType::FLOAT, 23), (DType::FLOAT, 25), (DType::INT4, 3)] {
            let error = Tensor::from_bytes(dtype, [2, 3], vec![0; length]).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }));
        }
        let forged = Tensor::from_bytes(DType::FLOAT, [1u64 << 62], Bytes::new());
        assert!(forged.is_err());
        for dtype in [
            DType::STRING,
            DType::VARIANT,
            DType::from_number(99),
            DType::INVALID,
        ] {
            let error = Tensor::from_bytes(dtype, [0], Bytes::new()).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }));
        }
        assert!(Tensor::from_bytes(DType::COMPLEX128, [0, 7], Bytes::new()).is_ok());
    }

    #[test]
    fn bools_are_zero_or_one() {
        let mut bytes = vec![1; 10_000];
        assert!(Tensor::from_bytes(DType::BOOL, [10_000], bytes.clone()).is_ok());
        bytes[9_000] = 2;
        let error = Tensor::from_bytes(DType::BOOL, [10_000], bytes).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Malformed { .. }));
        assert_eq!(
            error.to_string(),
            "element 9000 of a bool tensor is 0x02, neither 0 nor 1"
        );
    }

    #[test]
    fn slices_of_leading_rows_share_the_bytes() {
        let tensor =
            Tensor::from_slice([4, 3], &[0u16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]).unwrap();
        let rows = tensor.slice(&"1,2:-".parse().unwrap()).unwrap();
        assert_eq!(*rows.values::<u16>().unwrap(), [3, 4, 5, 6, 7, 8]);
        assert_eq!(
            rows.bytes().unwrap().as_ptr(),
            tensor.bytes().unwrap()[6..].as_ptr()
        );
        let columns = tensor.slice(&"-:1,2".parse().unwrap()).unwrap();
        assert_eq!(
            *columns.values::<u16>().unwrap(),
            [1, 2, 4, 5, 7, 8, 10, 11]
        );
        let nothing = TensorSlice::new([
            crate::Extent::Range {
                start: 4,
                length: 0,
            },
            crate::Extent::Full,
        ]);
        assert_eq!(tensor.slice(&nothing).unwrap().byte_len(), 0);
        assert!(tensor.slice(&"3,2:-".parse().unwrap()).is_err());
    }

    #[test]
    fn slices_of_strings() {
        let tensor = Tensor::from_strings([2, 2], ["a", "bb", "", "c"]).unwrap();
        let row = tensor.slice(&"0,1:-".parse().unwrap()).unwrap();
        assert_eq!(row, Tensor::from_strings([1, 2], ["a", "bb"]).unwrap());
        let column = tensor.slice(&"-:1,1".parse().unwrap()).unwrap();
        assert_eq!(column, Tensor::from_strings([2, 1], ["bb", "c"]).unwrap());
        assert_eq!((tensor.byte_len(), tensor.bytes()), (4, None));
    }

    #[test]
    fn opaque_elements_are_kept_apart_from_strings() {
        let elements: Strings = ["message"].into_iter().collect();
        let tensor = Tensor::from_opaque(DType::VARIANT, Shape::SCALAR, elements.clone()).unwrap();
        assert_eq!((tensor.opaque(), tensor.strings()), (Some(&elements), None));
        assert!(Tensor::from_opaque(DType::FLOAT, Shape::SCALAR, elements.clone()).is_err());
        assert!(Tensor::from_shared_strings([2], elements).is_err());
    }

    #[test]
    fn equality_is_bit_for_bit() {
        let nan = Tensor::scalar(f32::NAN);
        assert_eq!(nan, nan.clone());
        assert_ne!(Tensor::scalar(0f32), Tensor::scalar(-0f32));
        assert_ne!(nan, nan.reshape([1]).unwrap());
        assert!(nan.reshape([2]).is_err());
        assert_eq!(format!("{nan:?}"), "Tensor(float32 [], 4 bytes)");
    }
}
