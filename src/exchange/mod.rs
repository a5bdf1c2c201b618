//! Tensors from one format to another: bundles, safetensors, archives of numpy.
//!
//! A [`TensorSource`] lists named tensors and gives them one by one. A [`Conversion`] is the list of
//! those that are to be written: less some, under other names, as other dtypes. It writes them to any
//! [`Format`] one after the other, so that memory is what one tensor takes; none, where the source is
//! mapped and nothing is cast or put together from pieces.
//!
//! ```
//! # let directory = std::env::temp_dir().join(format!("savedmodel-exchange-{}", std::process::id()));
//! # let prefix = directory.join("small/ckpt-1");
//! use savedmodel::exchange::{Conversion, Format, open_source};
//! use savedmodel::{BundleReader, BundleWriter, DType};
//!
//! let model = open_source("tests/fixtures/keras3_saved")?;
//! let mut conversion = Conversion::new(&*model)?;
//! conversion.retain(|tensor| tensor.dtype() != Some(DType::STRING));
//! conversion.rename(|tensor| tensor.key().to_string().replace("/.ATTRIBUTES/VARIABLE_VALUE", ""))?;
//! conversion.cast(DType::BFLOAT16)?;
//! conversion.write_bundle(&prefix, BundleWriter::options())?;
//!
//! let small = BundleReader::open(&prefix)?;
//! assert_eq!(small.entry("_operations/1/_kernel")?.dtype(), DType::BFLOAT16);
//! # std::fs::remove_dir_all(directory)?;
//! # Ok::<(), savedmodel::Error>(())
//! ```

mod conversion;
mod format;
mod source;

pub use conversion::{Conversion, Converted, Progress};
pub use format::Format;
pub use source::{SourceTensor, TensorSource, open_source};
