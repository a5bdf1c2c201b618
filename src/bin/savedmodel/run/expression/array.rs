use savedmodel::{DType, Tensor};

use super::Value;
use super::elements::Elements;
use crate::failure::Failure;

/// numpy has no more dimensions.
pub(super) const MAX_DIMENSIONS: usize = 64;

/// An array of numpy: a shape and elements of one type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    shape: Vec<u64>,
    elements: Elements,
}

impl Array {
    /// Makes an array; `None` if the shape has another number of elements.
    pub(super) fn new(shape: Vec<u64>, elements: Elements) -> Option<Array> {
        (count(&shape) == Some(elements.len() as u64)).then_some(Array { shape, elements })
    }

    pub(super) fn scalar(elements: Elements) -> Array {
        Array {
            shape: Vec::new(),
            elements,
        }
    }

    /// Makes an array of a tensor, strings being bytes.
    ///
    /// # Errors
    ///
    /// If numpy has no such elements: variants and resources.
    pub(crate) fn of_tensor(tensor: &Tensor) -> Result<Array, Failure> {
        let elements = Elements::of_tensor(tensor)?;
        Ok(Array {
            shape: tensor.shape().dims().to_vec(),
            elements,
        })
    }

    /// Makes an array of as many values as its shape has elements.
    pub(crate) fn of_objects(shape: &[u64], values: Vec<Value>) -> Array {
        Array {
            shape: shape.to_vec(),
            elements: Elements::Objects(values),
        }
    }

    pub(crate) fn shape(&self) -> &[u64] {
        &self.shape
    }

    pub(crate) fn elements(&self) -> &Elements {
        &self.elements
    }

    pub(super) fn into_elements(self) -> Elements {
        self.elements
    }

    /// Returns the name of the type of the elements: `float32`, `str`.
    pub(crate) fn type_name(&self) -> String {
        self.elements.type_name()
    }

    /// Returns the type of the elements, if they are numbers.
    pub(super) fn dtype(&self) -> Option<DType> {
        self.elements.dtype()
    }

    /// Returns the same elements in another shape, of which one dimension may be -1, for what remains.
    pub(super) fn reshaped(self, dims: &[i128]) -> Result<Array, String> {
        check_rank(dims.len())?;
        let total = self.elements.len() as i128;
        let shown = || {
            let dims: Vec<String> = dims.iter().map(i128::to_string).collect();
            format!(
                "cannot reshape array of size {total} into shape ({})",
                dims.join(",")
            )
        };
        let known = dims
            .iter()
            .filter(|dim| **dim != -1)
            .try_fold(1i128, |product, dim| product.checked_mul(*dim))
            .ok_or_else(shown)?;
        let unknown = dims.iter().filter(|dim| **dim == -1).count();
        let rest = match (unknown, known) {
            (0, _) => 0,
            (1, 1..) if total % known == 0 => total / known,
            _ => return Err(shown()),
        };
        let shape: Option<Vec<u64>> = dims
            .iter()
            .map(|dim| u64::try_from(if *dim == -1 { rest } else { *dim }).ok())
            .collect();
        shape
            .and_then(|shape| Array::new(shape, self.elements))
            .ok_or_else(shown)
    }

    /// Returns the array with its dimensions in the opposite order.
    pub(super) fn transposed(&self) -> Array {
        let shape: Vec<u64> = self.shape.iter().rev().copied().collect();
        let mut strides = strides(&self.shape);
        strides.reverse();
        Array {
            elements: self.elements.picked(&indices(&shape, &strides)),
            shape,
        }
    }

    /// Returns what `tolist()` does: nested lists of Python's values.
    pub(super) fn to_list(&self) -> Value {
        nested(&self.shape, &self.elements, &mut 0)
    }
}

fn nested(shape: &[u64], elements: &Elements, next: &mut usize) -> Value {
    match shape {
        [] => {
            let value = elements.value(*next);
            *next += 1;
            value
        }
        [length, inner @ ..] => Value::List(
            (0..*length)
                .map(|_| nested(inner, elements, next))
                .collect(),
        ),
    }
}

/// Refuses more dimensions than numpy has: what walks through them goes one level deeper for each.
pub(super) fn check_rank(rank: usize) -> Result<(), String> {
    match rank > MAX_DIMENSIONS {
        true => Err(format!("an array has at most {MAX_DIMENSIONS} dimensions")),
        false => Ok(()),
    }
}

/// Returns the number of elements of a shape; `None` if no memory could hold them.
pub(super) fn count(shape: &[u64]) -> Option<u64> {
    shape
        .iter()
        .try_fold(1u64, |product, dim| product.checked_mul(*dim))
        .filter(|count| *count <= i64::MAX as u64)
}

/// Returns how many elements lie between neighbours of each dimension.
pub(super) fn strides(shape: &[u64]) -> Vec<u64> {
    let mut strides = vec![1u64; shape.len()];
    for index in (1..shape.len()).rev() {
        // Beside a 0 other sizes may be of any size; nothing is found by such strides.
        strides[index - 1] = strides[index].saturating_mul(shape[index].max(1));
    }
    strides
}

/// Returns the index of each element, in order, where dimensions have these strides.
pub(super) fn indices(shape: &[u64], strides: &[u64]) -> Vec<usize> {
    let Some(total) = count(shape) else {
        return Vec::new();
    };
    let mut all = Vec::with_capacity(total as usize);
    let mut position = vec![0u64; shape.len()];
    let mut index = 0u64;
    for _ in 0..total {
        all.push(index as usize);
        let dims = position.iter_mut().zip(shape).zip(strides);
        for ((position, size), stride) in dims.rev() {
            *position += 1;
            index += stride;
            if *position < *size {
                break;
            }
            index -= stride * size;
            *position = 0;
        }
    }
    all
}
