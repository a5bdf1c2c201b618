use std::fmt;

use crate::numpy;
#[cfg(feature = "safetensors")]
use crate::safetensors;
use crate::tensor::DType;

/// A format that tensors are exchanged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// A tensor bundle, TensorFlow's own.
    Bundle,
    /// The safetensors format, in one file or several (feature `safetensors`).
    Safetensors,
    /// Arrays of numpy in a zip archive (feature `npz`).
    Npz,
}

impl Format {
    /// Says whether tensors of a dtype can be written.
    pub fn supports(self, dtype: DType) -> bool {
        match self {
            Format::Bundle => {
                dtype.size().is_some() || matches!(dtype, DType::STRING | DType::VARIANT)
            }
            #[cfg(feature = "safetensors")]
            Format::Safetensors => safetensors::supports(dtype),
            #[cfg(not(feature = "safetensors"))]
            Format::Safetensors => false,
            Format::Npz => cfg!(feature = "npz") && numpy::supports(dtype),
        }
    }
}

/// Shows the format as a sentence has it: `a tensor bundle`.
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Bundle => "a tensor bundle",
            Format::Safetensors => "the safetensors format",
            Format::Npz => "an archive of numpy",
        })
    }
}
