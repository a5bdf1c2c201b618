use crate::error::{Error, Result};
use crate::numpy::descr::is_void;
use crate::tensor::DType;

/// What a pickle may name: the parts of numpy's arrays, and nothing that acts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Global {
    /// `_reconstruct(ndarray, (0,), b'b')`: an array whose state is to be set.
    Reconstruct,
    /// The class of arrays.
    NdArray,
    /// `dtype('f4', False, True)`: a type of elements whose state is to be set.
    DType,
    /// `scalar(dtype, b'…')`
    Scalar,
    /// `_frombuffer(b'…', dtype, shape, 'C')`
    FromBuffer,
    /// `encode('…', 'latin1')`: bytes, in protocols that have none.
    Encode,
    /// `bytes()`: none, in these protocols.
    Bytes,
    /// `complex(1.5, -2.0)`
    Complex,
    /// A type of elements that numpy has from the package `ml_dtypes`, as `bfloat16`.
    Extension(DType),
}

impl Global {
    /// Finds what a name stands for.
    ///
    /// # Errors
    ///
    /// `Unsupported`, with the name, for all others.
    pub(super) fn find(module: &str, name: &str) -> Result<Global> {
        Ok(match (module, name) {
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => {
                Global::Reconstruct
            }
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Global::Scalar,
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Global::FromBuffer,
            ("numpy", "ndarray") => Global::NdArray,
            ("numpy", "dtype") => Global::DType,
            ("_codecs", "encode") => Global::Encode,
            ("__builtin__" | "builtins", "bytes") => Global::Bytes,
            ("__builtin__" | "builtins", "complex") => Global::Complex,
            ("ml_dtypes", name) => match name.parse() {
                Ok(dtype) if is_void(dtype) && dtype.name() == name => Global::Extension(dtype),
                _ => return Err(refusal(module, name)),
            },
            _ => return Err(refusal(module, name)),
        })
    }
}

/// Says that a name is not read.
pub(super) fn refusal(module: &str, name: &str) -> Error {
    /// So much of a name is shown.
    const LONGEST: usize = 80;
    let shown: String = format!("{module}.{name}").chars().take(LONGEST).collect();
    Error::unsupported(format!(
        "{} is not read: of what a pickle can name only the parts of numpy's arrays are",
        shown.escape_debug()
    ))
    .remedy(
        "save the array with `np.save`, or pickle plain arrays, numbers, texts, lists and dicts",
    )
}
