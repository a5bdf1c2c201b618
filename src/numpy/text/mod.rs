use std::fmt;

use self::elements::Elements;
use self::format::Format;
use self::grid::{Grid, Layout};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

mod byte_string;
mod complex;
mod decimal;
mod elements;
mod float;
mod format;
mod grid;
mod repr;

pub use self::repr::ArrayRepr;

/// A tensor as `print` shows it in Python when it is an array of numpy: the text that
/// `saved_model_cli run` prints of each result.
///
/// The rules are those of numpy 2.4 (`numpy/_core/arrayprint.py`): columns of equal width, lines of
/// 75 characters, three elements at either end of each axis where there are more than 1000 in all,
/// as few digits as tell a number from its neighbours, at most eight behind the point. A tensor of
/// no dimensions is shown as a scalar of numpy, which has other rules. Byte strings are shown as
/// Python literals, the small floating-point types as C++ prints them in six digits.
///
/// The text is made while it is written, and only of the elements that are shown.
///
/// ```
/// use savedmodel::Tensor;
/// use savedmodel::numpy::ArrayText;
///
/// let tensor = Tensor::from_slice([2, 2], &[0.5f32, 1.25, -3.0, 100.0])?;
/// let text = ArrayText::new(&tensor)?.to_string();
/// assert_eq!(text, "[[  0.5    1.25]\n [ -3.   100.  ]]");
/// assert_eq!(ArrayText::new(&Tensor::scalar(0.1f32))?.to_string(), "0.1");
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ArrayText<'t> {
    tensor: &'t Tensor,
    elements: Elements<'t>,
}

impl<'t> ArrayText<'t> {
    /// Makes the text of a tensor, to be written.
    ///
    /// # Errors
    ///
    /// `Unsupported` for dtypes of which numpy has no arrays: RESOURCE and VARIANT.
    pub fn new(tensor: &'t Tensor) -> Result<Self> {
        match Elements::of(tensor) {
            Some(elements) => Ok(ArrayText { tensor, elements }),
            None => Err(Error::unsupported(format!(
                "numpy has no arrays of {}, so they have no text",
                tensor.dtype()
            ))),
        }
    }

    /// Returns the text that `repr` has of the array, as which Python shows it within other values:
    /// with commas, and with the dtype where the elements leave it open.
    ///
    /// ```
    /// use savedmodel::Tensor;
    /// use savedmodel::numpy::ArrayText;
    ///
    /// let tensor = Tensor::from_slice([2], &[1f32, 2.5])?;
    /// let repr = ArrayText::new(&tensor)?.repr().to_string();
    /// assert_eq!(repr, "array([1. , 2.5], dtype=float32)");
    /// assert_eq!(ArrayText::new(&Tensor::scalar(1f64))?.repr().to_string(), "array(1.)");
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    pub fn repr(&self) -> ArrayRepr<'t> {
        ArrayRepr {
            tensor: self.tensor,
            elements: self.elements.clone(),
        }
    }
}

impl fmt::Display for ArrayText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = self.tensor.shape();
        if shape.is_scalar() {
            let mut word = String::new();
            self.elements.write_scalar(&mut word);
            return f.write_str(&word);
        }
        let Some(grid) = Grid::new(shape, Layout::PLAIN) else {
            return f.write_str("[]");
        };
        let format = Format::new(&self.elements, &grid);
        grid.write(f, &mut |index, word| {
            format.write(&self.elements, index, word)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::DType;

    fn text(tensor: &Tensor) -> String {
        ArrayText::new(tensor).unwrap().to_string()
    }

    #[test]
    fn rows_are_wrapped_before_what_would_be_too_long() {
        let tensor = Tensor::from_slice([1, 30], &(0..30).collect::<Vec<i64>>()).unwrap();
        let first = "[[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23";
        assert_eq!(text(&tensor), format!("{first}\n  24 25 26 27 28 29]]"));
    }

    #[test]
    fn the_middles_of_long_axes_are_left_out() {
        let tensor = Tensor::from_slice([501, 2], &(0..1002).collect::<Vec<i16>>()).unwrap();
        assert_eq!(
            text(&tensor),
            "[[   0    1]\n [   2    3]\n [   4    5]\n ...\n [ 996  997]\n [ 998  999]\n [1000 1001]]"
        );
        // What is left out has no say in how wide columns are.
        let mut values = vec![1.0; 1001];
        values[500] = 1e30;
        let tensor = Tensor::from_slice([1001], &values).unwrap();
        assert_eq!(text(&tensor), "[1. 1. 1. ... 1. 1. 1.]");
    }

    #[test]
    fn arrays_within_other_values_say_what_they_are_of() {
        let repr = |tensor: Tensor| ArrayText::new(&tensor).unwrap().repr().to_string();
        let thirds: Vec<f32> = (0..40).map(|index| index as f32 / 3.0).collect();
        let lines = repr(Tensor::from_slice([40], &thirds).unwrap());
        assert!(
            lines.starts_with("array([ 0.        ,  0.33333334,  0.6666667 ,  1.        ,  1.3333334 ,\n        1.6666666 ,"),
            "{lines}"
        );
        assert!(
            lines.ends_with("12.666667  , 13.        ],\n      dtype=float32)"),
            "{lines}"
        );
        let many = Tensor::from_slice([2000], &(0..2000).collect::<Vec<i64>>()).unwrap();
        for (tensor, text) in [
            (
                many,
                "array([   0,    1,    2, ..., 1997, 1998, 1999], shape=(2000,))",
            ),
            (
                Tensor::from_slice([2, 2, 2], &(0..8).map(f64::from).collect::<Vec<_>>()).unwrap(),
                "array([[[0., 1.],\n        [2., 3.]],\n\n       [[4., 5.],\n        [6., 7.]]])",
            ),
            (
                Tensor::from_slice::<i32>([2, 0], &[]).unwrap(),
                "array([], shape=(2, 0), dtype=int32)",
            ),
            (
                Tensor::from_slice::<f64>([0], &[]).unwrap(),
                "array([], dtype=float64)",
            ),
            (Tensor::scalar(true), "array(True)"),
            (
                Tensor::from_slice([1], &[[1f64, 2.0]]).unwrap(),
                "array([1.+2.j])",
            ),
            (
                Tensor::from_strings([2], ["a", "b'"]).unwrap(),
                "array([b'a', b\"b'\"], dtype=object)",
            ),
            (
                Tensor::from_bytes(DType::FLOAT8_E5M2, [1], vec![0x3c]).unwrap(),
                "array([1], dtype='float8_e5m2')",
            ),
            (
                Tensor::from_bytes(DType::QINT16, [1], vec![1, 0]).unwrap(),
                "array([(1,)], dtype=[('qint16', '<i2')])",
            ),
        ] {
            assert_eq!(repr(tensor), text);
        }
    }

    #[test]
    fn dimensions_beside_a_0_cost_nothing() {
        let tensor = Tensor::from_slice::<f32>([1u64 << 40, 0], &[]).unwrap();
        assert_eq!(text(&tensor), "[]");
    }

    #[test]
    fn halfway_between_two_numbers_of_fewest_digits_is_the_even_one() {
        assert_eq!(
            text(&Tensor::scalar(f64::from(1u32 << 25).powi(2) + 0.25)),
            "1125899906842624.2"
        );
        assert_eq!(
            text(&Tensor::scalar((1u32 << 21) as f32 + 0.25)),
            "2.0971522e+06"
        );
    }

    #[test]
    fn byte_strings_are_literals() {
        let tensor = Tensor::from_strings([3], [&b"it's"[..], b"\"'", b"\xff\n\\\x7f"]).unwrap();
        assert_eq!(text(&tensor), r#"[b"it's" b'"\'' b'\xff\n\\\x7f']"#);
    }

    #[test]
    fn quantized_numbers_are_structures() {
        let tensor = Tensor::from_bytes(DType::QINT8, [2], vec![1, 0x9c]).unwrap();
        assert_eq!(text(&tensor), "[(   1,) (-100,)]");
    }

    #[test]
    fn what_numpy_has_no_arrays_of_is_refused() {
        let handles = [""; 1].into_iter().collect();
        let tensor = Tensor::from_opaque(DType::RESOURCE, [1], handles).unwrap();
        let error = ArrayText::new(&tensor).unwrap_err().to_string();
        assert_eq!(
            error,
            "numpy has no arrays of resource, so they have no text"
        );
    }
}
