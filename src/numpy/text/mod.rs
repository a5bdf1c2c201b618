use std::fmt;

use self::elements::Elements;
use self::format::Format;
use self::grid::Grid;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

mod byte_string;
mod complex;
mod decimal;
mod elements;
mod float;
mod format;
mod grid;

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
}

impl fmt::Display for ArrayText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = self.tensor.shape();
        if shape.is_scalar() {
            let mut word = String::new();
            self.elements.write_scalar(&mut word);
            return f.write_str(&word);
        }
        let Some(grid) = Grid::new(shape) else {
            return f.write_str("[]");
        };
        let format = Format::new(&self.elements, &grid);
        grid.write(f, &mut |index, word| {
            format.write(&self.elements, index, word)
        })
    }
}

#[cfg(test)]
mod tests;
