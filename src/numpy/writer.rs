use std::io::Write;

use super::{descr, header, object_array};
use crate::error::{Error, Result};
use crate::tensor::{DType, Strings, Tensor};

/// Says as what kind of array the elements of a STRING tensor are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StringForm {
    /// Byte strings of the width of the longest, `|S5`, filled up with zeros. `np.load` reads them
    /// as they are. A string that ends with a zero byte would lose it, so it is refused.
    #[default]
    FixedWidth,
    /// Python objects, as numpy has the strings that come out of TensorFlow: a pickle, byte for byte
    /// that of `np.save`. `np.load` wants `allow_pickle=True`. Strings of any kind are possible.
    Objects,
}

/// Writes a tensor as `np.save` does, a copy of nothing but the header.
///
/// Each element type has the `descr` that the [module](super) names. Strings go out one by one, so
/// give it a [`BufWriter`](std::io::BufWriter) if the target is a file.
///
/// # Errors
///
/// `Unsupported` for RESOURCE and VARIANT tensors; `InvalidArgument` for a string that
/// [`StringForm::FixedWidth`] cannot hold; `Io` as the target has it, which may hold a part of the
/// file then.
pub fn write_npy(target: &mut impl Write, tensor: &Tensor, strings: StringForm) -> Result<()> {
    match (
        tensor.bytes(),
        descr::written(tensor.dtype()),
        tensor.strings(),
    ) {
        (Some(bytes), Some(descr), _) => {
            target.write_all(&header::encode(&descr, tensor.shape()))?;
            target.write_all(bytes)?;
        }
        (_, _, Some(elements)) if strings == StringForm::Objects => {
            target.write_all(&header::encode("'|O'", tensor.shape()))?;
            object_array::write(target, elements, tensor.shape())?;
        }
        (_, _, Some(elements)) => {
            let width = fixed_width(elements)?;
            let descr = format!("'|S{width}'");
            target.write_all(&header::encode(&descr, tensor.shape()))?;
            for element in elements {
                target.write_all(element)?;
                write_zeros(target, width - element.len())?;
            }
        }
        _ => {
            return Err(Error::unsupported(format!(
                "numpy has no arrays of {} elements",
                tensor.dtype()
            )));
        }
    }
    Ok(())
}

/// Says whether numpy has arrays of a dtype, so that [`write_npy`] writes them: all but RESOURCE and
/// VARIANT.
pub fn supports(dtype: DType) -> bool {
    dtype == DType::STRING || descr::written(dtype).is_some()
}

/// Returns the length of the longest string; numpy has none of width 0.
pub(super) fn fixed_width(elements: &Strings) -> Result<usize> {
    let mut width = 1;
    for (index, element) in elements.iter().enumerate() {
        if element.last() == Some(&0) {
            return Err(Error::invalid_argument(format!(
                "string {index} ends with a zero byte, which numpy's `S` type cannot keep"
            ))
            .remedy("write the strings as objects: `StringForm::Objects`"));
        }
        width = width.max(element.len());
    }
    Ok(width)
}

fn write_zeros(target: &mut impl Write, mut count: usize) -> std::io::Result<()> {
    const ZEROS: [u8; 1024] = [0; 1024];
    while count > 0 {
        let piece = count.min(ZEROS.len());
        target.write_all(&ZEROS[..piece])?;
        count -= piece;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::numpy::NpyReader;
    use crate::store::Blob;
    use crate::tensor::Shape;

    fn written(tensor: &Tensor) -> Vec<u8> {
        let mut file = Vec::new();
        write_npy(&mut file, tensor, StringForm::FixedWidth).unwrap();
        file
    }

    #[test]
    fn every_dtype_comes_back() {
        for dtype in DType::known() {
            let Some(size) = dtype.size() else { continue };
            for dims in [&[][..], &[3], &[2, 0], &[1, 2, 3]] {
                let shape = Shape::new(dims).unwrap();
                let length = shape.elements() as usize * size;
                let bytes: Vec<u8> = (0..length).map(|index| (index % 2) as u8).collect();
                let tensor = Tensor::from_bytes(dtype, &shape, bytes).unwrap();
                let mut array = NpyReader::new(Blob::from_bytes(written(&tensor))).unwrap();
                if array.dtype().is_none() {
                    array = array.with_void_dtype(dtype).unwrap();
                }
                assert_eq!(array.tensor().unwrap(), tensor);
            }
        }
    }

    #[test]
    fn strings_are_of_the_width_of_the_longest() {
        let tensor = Tensor::from_strings([2, 2], ["a", "", "x\0y", "日本"]).unwrap();
        let array = NpyReader::new(Blob::from_bytes(written(&tensor))).unwrap();
        assert_eq!((array.descr(), array.tensor().unwrap()), ("|S6", tensor));
        let empty = Tensor::from_strings([1], [""]).unwrap();
        assert_eq!(written(&empty)[128..], [0]);
    }

    #[test]
    fn what_numpy_cannot_keep_is_refused() {
        let zero = Tensor::from_strings([2], ["a", "b\0"]).unwrap();
        let error = write_npy(&mut Vec::new(), &zero, StringForm::FixedWidth).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }));
        assert!(error.to_string().contains("string 1"), "{error}");
        let variant = Tensor::from_opaque(DType::VARIANT, [0], Strings::default()).unwrap();
        let error = write_npy(&mut Vec::new(), &variant, StringForm::Objects).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }));
    }
}
