use std::fmt;

use crate::tensor::{DType, PartialShape};

/// Shows a tensor's type in one word: `float32[?, 224, 224, 3]`, `int64[]` for a scalar,
/// `string[...]` where not even the number of dimensions is known.
///
/// ```
/// use savedmodel::DType;
/// use savedmodel::inspect::TypeText;
///
/// assert_eq!(TypeText(DType::FLOAT, Some(&[None, Some(3)])).to_string(), "float32[?, 3]");
/// assert_eq!(TypeText(DType::INT64, Some(&[])).to_string(), "int64[]");
/// assert_eq!(TypeText(DType::STRING, None).to_string(), "string[...]");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeText<'a>(
    /// The element type.
    pub DType,
    /// The dimensions, `None` for an unknown one; `None` if their number is unknown.
    pub Option<&'a [Option<i64>]>,
);

impl fmt::Display for TypeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let Some(dims) = self.1 else {
            return f.write_str("[...]");
        };
        f.write_str("[")?;
        for (i, dim) in dims.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            match dim {
                Some(dim) => write!(f, "{separator}{dim}")?,
                None => write!(f, "{separator}?")?,
            }
        }
        f.write_str("]")
    }
}

/// Returns the dimensions of a report: `None` for those that are unknown, what makes no sense as
/// the file has it.
pub(super) fn dims_of_stored(stored: Option<Vec<i64>>) -> Option<Vec<Option<i64>>> {
    let dims = stored?;
    Some(
        dims.into_iter()
            .map(|dim| (dim != -1).then_some(dim))
            .collect(),
    )
}

/// Returns the dimensions of a report.
pub(super) fn dims_of(shape: &PartialShape) -> Option<Vec<Option<i64>>> {
    dims_of_stored(shape.to_signed())
}

/// Serializes an element type as its name.
#[cfg(feature = "serde")]
pub(super) fn serialize_dtype<S: serde::Serializer>(
    dtype: &DType,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&dtype.name())
}
