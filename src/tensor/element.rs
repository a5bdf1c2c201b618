use byteorder::{ByteOrder, LittleEndian};

use crate::error::{Error, Result};
use crate::tensor::DType;

/// The Rust types that the elements of a tensor are read and written as.
///
/// A type reads every dtype of its layout:
///
/// | type | dtypes |
/// |---|---|
/// | `f32` | FLOAT |
/// | `f64` | DOUBLE |
/// | `i8` | INT8, QINT8; INT4 and INT2, sign-extended |
/// | `i16` | INT16, QINT16 |
/// | `i32` | INT32, QINT32 |
/// | `i64` | INT64 |
/// | `u8` | UINT8, QUINT8; UINT4 and UINT2; the bits of FLOAT8_* and FLOAT4_E2M1FN |
/// | `u16` | UINT16, QUINT16; the bits of HALF and BFLOAT16 |
/// | `u32`, `u64` | UINT32, UINT64 |
/// | `bool` | BOOL |
/// | `[f32; 2]`, `[f64; 2]` | COMPLEX64, COMPLEX128: real and imaginary part |
///
/// The dtype named first is the one that [`Tensor::from_slice`](crate::Tensor::from_slice) makes.
/// The trait is sealed.
pub trait Element: Copy + private::Sealed {
    /// The dtype that values of this type become unless another is asked for.
    const DTYPE: DType;

    /// Returns whether this type reads elements of `dtype`.
    fn reads(dtype: DType) -> bool;
}

pub(crate) mod private {
    use super::{DType, Result};

    /// How an element type is stored. Bytes are little-endian and a whole number of elements.
    pub trait Sealed: Sized {
        /// Views stored bytes as elements, if they are aligned and in the machine's byte order.
        fn view(bytes: &[u8]) -> Option<&[Self]>;

        /// Views elements as they are stored, if the machine has them so.
        fn as_bytes(values: &[Self]) -> Option<&[u8]>;

        /// Reads stored bytes of `dtype`.
        fn decode(dtype: DType, bytes: &[u8]) -> Vec<Self>;

        /// Stores elements as `dtype`.
        fn encode(dtype: DType, values: &[Self]) -> Result<Vec<u8>>;
    }
}

macro_rules! bytes {
    ($($element:ty, $dtype:ident $(, $also:ident)*; narrow: $($narrow:ident)*;)*) => {$(
        impl Element for $element {
            const DTYPE: DType = DType::$dtype;

            fn reads(dtype: DType) -> bool {
                matches!(dtype, DType::$dtype $(| DType::$also)* $(| DType::$narrow)*)
            }
        }

        impl private::Sealed for $element {
            fn view(bytes: &[u8]) -> Option<&[Self]> {
                bytemuck::try_cast_slice(bytes).ok()
            }

            fn as_bytes(values: &[Self]) -> Option<&[u8]> {
                Some(bytemuck::cast_slice(values))
            }

            fn decode(dtype: DType, bytes: &[u8]) -> Vec<Self> {
                // Shifting up and down again clears, or fills with the sign, the bits above the
                // value, which a foreign writer may have left in any state.
                let shift = unused_bits(dtype);
                bytes.iter().map(|byte| ((byte << shift) as $element) >> shift).collect()
            }

            fn encode(dtype: DType, values: &[Self]) -> Result<Vec<u8>> {
                let shift = unused_bits(dtype);
                let fits = |value: $element| (value << shift) >> shift == value;
                if let Some(index) = values.iter().position(|value| !fits(*value)) {
                    return Err(Error::invalid_argument(format!(
                        "{} at index {index} does not fit {dtype}", values[index]
                    )));
                }
                Ok(values.iter().map(|value| (*value as u8) & (u8::MAX >> shift)).collect())
            }
        }
    )*};
}

bytes! {
    i8, INT8, QINT8; narrow: INT4 INT2;
    u8, UINT8, QUINT8, FLOAT8_E5M2, FLOAT8_E4M3FN, FLOAT8_E4M3FNUZ, FLOAT8_E4M3B11FNUZ,
        FLOAT8_E5M2FNUZ; narrow: UINT4 UINT2 FLOAT4_E2M1FN;
}

fn unused_bits(dtype: DType) -> u32 {
    8 - dtype.bits().unwrap_or(8).min(8)
}

macro_rules! words {
    ($($element:ty as $part:ty, $read:ident $write:ident, $dtype:ident $(, $also:ident)*;)*) => {$(
        impl Element for $element {
            const DTYPE: DType = DType::$dtype;

            fn reads(dtype: DType) -> bool {
                matches!(dtype, DType::$dtype $(| DType::$also)*)
            }
        }

        impl private::Sealed for $element {
            fn view(bytes: &[u8]) -> Option<&[Self]> {
                if cfg!(target_endian = "big") {
                    return None;
                }
                bytemuck::try_cast_slice(bytes).ok()
            }

            fn as_bytes(values: &[Self]) -> Option<&[u8]> {
                (!cfg!(target_endian = "big")).then(|| bytemuck::cast_slice(values))
            }

            fn decode(_: DType, bytes: &[u8]) -> Vec<Self> {
                let mut values = vec![Self::default(); bytes.len() / size_of::<Self>()];
                LittleEndian::$read(bytes, bytemuck::cast_slice_mut::<Self, $part>(&mut values));
                values
            }

            fn encode(_: DType, values: &[Self]) -> Result<Vec<u8>> {
                let mut bytes = vec![0; size_of_val(values)];
                LittleEndian::$write(bytemuck::cast_slice::<Self, $part>(values), &mut bytes);
                Ok(bytes)
            }
        }
    )*};
}

words! {
    i16 as i16, read_i16_into write_i16_into, INT16, QINT16;
    i32 as i32, read_i32_into write_i32_into, INT32, QINT32;
    i64 as i64, read_i64_into write_i64_into, INT64;
    u16 as u16, read_u16_into write_u16_into, UINT16, QUINT16, HALF, BFLOAT16;
    u32 as u32, read_u32_into write_u32_into, UINT32;
    u64 as u64, read_u64_into write_u64_into, UINT64;
    f32 as f32, read_f32_into write_f32_into, FLOAT;
    f64 as f64, read_f64_into write_f64_into, DOUBLE;
    [f32; 2] as f32, read_f32_into write_f32_into, COMPLEX64;
    [f64; 2] as f64, read_f64_into write_f64_into, COMPLEX128;
}

impl Element for bool {
    const DTYPE: DType = DType::BOOL;

    fn reads(dtype: DType) -> bool {
        dtype == DType::BOOL
    }
}

impl private::Sealed for bool {
    fn view(bytes: &[u8]) -> Option<&[bool]> {
        bytemuck::checked::try_cast_slice(bytes).ok()
    }

    fn as_bytes(values: &[bool]) -> Option<&[u8]> {
        Some(bytemuck::cast_slice(values))
    }

    fn decode(_: DType, bytes: &[u8]) -> Vec<bool> {
        bytes.iter().map(|byte| *byte != 0).collect()
    }

    fn encode(_: DType, values: &[bool]) -> Result<Vec<u8>> {
        Ok(values.iter().map(|value| u8::from(*value)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::private::Sealed;
    use super::*;

    #[test]
    fn words_are_little_endian() {
        assert_eq!(
            i32::encode(DType::INT32, &[1, -2]).unwrap(),
            [1, 0, 0, 0, 0xfe, 255, 255, 255]
        );
        assert_eq!(u16::decode(DType::HALF, &[0x34, 0x12]), [0x1234]);
        let complex = <[f32; 2]>::encode(DType::COMPLEX64, &[[1.0, -1.0]]).unwrap();
        assert_eq!(complex, [0, 0, 0x80, 0x3f, 0, 0, 0x80, 0xbf]);
        assert_eq!(
            <[f32; 2]>::decode(DType::COMPLEX64, &complex),
            [[1.0, -1.0]]
        );
    }

    #[test]
    fn narrow_integers_keep_only_their_bits() {
        assert_eq!(
            i8::decode(DType::INT4, &[0x08, 0x0f, 0x07, 0xf7]),
            [-8, -1, 7, 7]
        );
        assert_eq!(
            i8::decode(DType::INT2, &[0x02, 0x03, 0x01, 0xfd]),
            [-2, -1, 1, 1]
        );
        assert_eq!(u8::decode(DType::UINT4, &[0x08, 0xff]), [8, 15]);
        assert_eq!(u8::decode(DType::UINT8, &[0x08, 0xff]), [8, 255]);
        assert_eq!(
            i8::encode(DType::INT4, &[-8, -1, 7]).unwrap(),
            [0x08, 0x0f, 0x07]
        );
        assert_eq!(i8::encode(DType::INT8, &[-128, 127]).unwrap(), [0x80, 0x7f]);
        assert!(i8::encode(DType::INT4, &[0, 8]).is_err());
        assert!(i8::encode(DType::INT2, &[-3]).is_err());
        assert!(u8::encode(DType::UINT2, &[4]).is_err());
    }

    #[test]
    fn each_type_reads_its_dtypes() {
        assert!(i8::reads(DType::QINT8) && i8::reads(DType::INT2) && !i8::reads(DType::UINT8));
        assert!(u8::reads(DType::FLOAT4_E2M1FN) && !u8::reads(DType::BOOL));
        assert!(u16::reads(DType::BFLOAT16) && !u16::reads(DType::INT16));
        assert!(bool::reads(DType::BOOL) && !bool::reads(DType::UINT8));
        for dtype in DType::known().filter(|dtype| dtype.size().is_some()) {
            let readers = [
                i8::reads(dtype),
                i16::reads(dtype),
                i32::reads(dtype),
                i64::reads(dtype),
                u8::reads(dtype),
                u16::reads(dtype),
                u32::reads(dtype),
                u64::reads(dtype),
                f32::reads(dtype),
                f64::reads(dtype),
                bool::reads(dtype),
                <[f32; 2]>::reads(dtype),
                <[f64; 2]>::reads(dtype),
            ];
            assert_eq!(readers.iter().filter(|reads| **reads).count(), 1, "{dtype}");
        }
    }
}
