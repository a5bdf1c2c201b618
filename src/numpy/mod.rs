//! Arrays in numpy's files: `.npy`, one array; `.npz`, several in a zip archive (feature `npz`).
//!
//! ```text
//! magic      "\x93NUMPY"
//! version    two bytes: 1 0, 2 0 or 3 0
//! length     of the header: u16 in version 1, u32 after it, little-endian
//! header     a Python dict, blanks and a newline up to a multiple of 64 bytes of the file:
//!            {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
//! elements   one behind the other
//! ```
//!
//! The format is that of `numpy/lib/format.py`. Files of all versions, byte orders and element
//! orders are read; what is written is what `np.save` writes of the same array, but for
//! [FLOAT8_E5M2](crate::DType::FLOAT8_E5M2), of which numpy writes a header that it refuses to read.
//!
//! | TensorFlow | written as | read from |
//! |---|---|---|
//! | BOOL, integers, HALF, FLOAT, DOUBLE, COMPLEX64, COMPLEX128 | `\|b1`, `<i4`, `<f2`, … | the same, of either byte order |
//! | BFLOAT16 | `<V2` | any `V2`, if [told so](NpyReader::with_void_dtype) |
//! | FLOAT8_*, FLOAT4_E2M1FN, integers of 4 and 2 bits | `<V1` | any `V1`, if told which; `f1` is FLOAT8_E5M2 |
//! | QINT8, … | `[('qint8', '\|i1')]`, … | the same |
//! | STRING | as [`StringForm`] says | `S`; `U`, as UTF-8; `\|O` of strings |
//! | RESOURCE, VARIANT | – | – |
//!
//! What `pickle.dump` wrote of arrays, numbers, texts and containers of them is read by
//! [`PickledValue`]; [`ArrayText`] is a tensor as `print` shows an array.
//!
//! `V` is numpy's word for bytes it knows nothing of, and it writes the types of `ml_dtypes` so: which
//! one it was is not in the file. Arrays of Python objects (`|O`) are pickles, programs that numpy
//! runs when it is told `allow_pickle=True`. Here nothing is run: they are written of byte strings
//! alone, and read as [values](NpyReader::value), those of texts and byte strings as tensors too.
//!
//! ```
//! use savedmodel::Tensor;
//! use savedmodel::numpy::{NpyReader, StringForm, write_npy};
//! use savedmodel::store::Blob;
//!
//! let tensor = Tensor::from_slice([2, 2], &[1f32, 2., 3., 4.])?;
//! let mut file = Vec::new();
//! write_npy(&mut file, &tensor, StringForm::FixedWidth)?;
//! assert!(file.starts_with(b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', "));
//! assert_eq!(NpyReader::new(Blob::from_bytes(file))?.tensor()?, tensor);
//! # Ok::<(), savedmodel::Error>(())
//! ```

mod descr;
mod elements;
mod header;
mod layout;
mod literal;
mod npy_file;
#[cfg(feature = "npz")]
mod npz_reader;
#[cfg(feature = "npz")]
mod npz_writer;
mod object_array;
mod pickle;
mod reader;
mod text;
mod writer;

pub use descr::is_void;
pub use npy_file::{NpyOptions, save_npy};
#[cfg(feature = "npz")]
pub use npz_reader::{ArrayInfo, NpzReader};
#[cfg(feature = "npz")]
pub use npz_writer::NpzWriter;
#[cfg(feature = "npz")]
pub(crate) use npz_writer::check_array_name;
pub use pickle::PickledValue;
pub use reader::NpyReader;
pub use text::{ArrayRepr, ArrayText};
pub use writer::{StringForm, supports, write_npy};
