//! Tensors in files of the safetensors format, which much of the world outside of TensorFlow reads.
//!
//! ```text
//! length     of the header: u64, little-endian
//! header     JSON, and blanks up to a multiple of 8 bytes:
//!            {"__metadata__": {"format": "pt"},
//!             "layer/kernel": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …}
//! data       of the tensors, one behind the other, row-major and little-endian
//! ```
//!
//! A large model is several such files beside an index in JSON, `NAME.safetensors.index.json`, that
//! says which tensor is in which (`weight_map`). The rules, and the order in which data is written,
//! are those of the reference implementation (`huggingface/safetensors`, `safetensors/src/tensor.rs`):
//! what it refuses is refused, and the same tensors are the same bytes. But a type of elements that
//! neither knows is listed here, and only reading it fails.
//!
//! | safetensors | TensorFlow |
//! |---|---|
//! | BOOL, U8, I8, U16, I16, U32, I32, U64, I64 | BOOL, UINT8, INT8, …, INT64 |
//! | F64, F32, F16, BF16, C64 | DOUBLE, FLOAT, HALF, BFLOAT16, COMPLEX64 |
//! | F8_E5M2, F8_E4M3, F8_E4M3FNUZ, F8_E5M2FNUZ | FLOAT8_E5M2, FLOAT8_E4M3FN, FLOAT8_E4M3FNUZ, FLOAT8_E5M2FNUZ |
//! | F4, two in a byte | FLOAT4_E2M1FN |
//! | F6_E2M3, F6_E3M2, F8_E8M0 | – |
//! | – | COMPLEX128, STRING, quantized types, FLOAT8_E4M3B11FNUZ, integers below 8 bits, RESOURCE, VARIANT |

mod element_type;
mod file;
mod header;
mod index;
mod reader;
mod writer;

pub use reader::{SafetensorsReader, TensorInfo};
pub use writer::SafetensorsWriter;

use crate::tensor::DType;

/// Says whether the format has a type for elements of a dtype.
pub fn supports(dtype: DType) -> bool {
    element_type::ElementType::of(dtype).is_some()
}
