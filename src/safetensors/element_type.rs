use crate::tensor::DType;

/// A type of elements that the format names.
#[derive(Debug, PartialEq)]
pub(super) struct ElementType {
    pub(super) name: &'static str,
    pub(super) bits: u64,
    pub(super) dtype: Option<DType>,
}

/// All types, in the order in which the reference implementation has them: data is written from the
/// last to the first.
static TYPES: [ElementType; 22] = [
    known("BOOL", 8, DType::BOOL),
    known("F4", 4, DType::FLOAT4_E2M1FN),
    foreign("F6_E2M3", 6),
    foreign("F6_E3M2", 6),
    known("U8", 8, DType::UINT8),
    known("I8", 8, DType::INT8),
    known("F8_E5M2", 8, DType::FLOAT8_E5M2),
    known("F8_E4M3", 8, DType::FLOAT8_E4M3FN),
    foreign("F8_E8M0", 8),
    known("F8_E4M3FNUZ", 8, DType::FLOAT8_E4M3FNUZ),
    known("F8_E5M2FNUZ", 8, DType::FLOAT8_E5M2FNUZ),
    known("I16", 16, DType::INT16),
    known("U16", 16, DType::UINT16),
    known("F16", 16, DType::HALF),
    known("BF16", 16, DType::BFLOAT16),
    known("I32", 32, DType::INT32),
    known("U32", 32, DType::UINT32),
    known("F32", 32, DType::FLOAT),
    known("C64", 64, DType::COMPLEX64),
    known("F64", 64, DType::DOUBLE),
    known("I64", 64, DType::INT64),
    known("U64", 64, DType::UINT64),
];

const fn known(name: &'static str, bits: u64, dtype: DType) -> ElementType {
    ElementType {
        name,
        bits,
        dtype: Some(dtype),
    }
}

/// A type that TensorFlow has not.
const fn foreign(name: &'static str, bits: u64) -> ElementType {
    ElementType {
        name,
        bits,
        dtype: None,
    }
}

impl ElementType {
    /// Returns the type of that name, if this release knows it.
    pub(super) fn named(name: &str) -> Option<&'static ElementType> {
        TYPES.iter().find(|element| element.name == name)
    }

    /// Returns the type of a dtype, if the format has one.
    pub(super) fn of(dtype: DType) -> Option<&'static ElementType> {
        TYPES.iter().find(|element| element.dtype == Some(dtype))
    }

    /// Returns where the type is in the order of the reference implementation.
    pub(super) fn rank(&self) -> usize {
        TYPES
            .iter()
            .position(|element| element.name == self.name)
            .unwrap_or(TYPES.len())
    }

    /// Returns the bytes of so many elements; `None` if they are not whole bytes or too many.
    pub(super) fn byte_len(&self, elements: u64) -> Option<u64> {
        let bits = elements.checked_mul(self.bits)?;
        bits.is_multiple_of(8).then_some(bits / 8)
    }
}

/// Puts elements of four bits into a byte of their own each. Two are packed in one, the first in the
/// lower half, as in PyTorch's `Float4_e2m1fn_x2`.
pub(super) fn unpack(packed: &[u8]) -> Vec<u8> {
    let halves = |byte: &u8| [byte & 0x0f, byte >> 4];
    packed.iter().flat_map(halves).collect()
}

/// Undoes [`unpack`].
pub(super) fn pack(elements: &[u8]) -> Vec<u8> {
    let pairs = elements.as_chunks::<2>().0.iter();
    pairs.map(|[low, high]| low & 0x0f | high << 4).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_bits_of_their_dtypes() {
        for element in &TYPES {
            assert_eq!(ElementType::named(element.name), Some(element));
            if let Some(dtype) = element.dtype {
                assert_eq!(dtype.bits(), Some(element.bits as u32), "{dtype}");
                assert_eq!(ElementType::of(dtype), Some(element));
            }
        }
        assert_eq!(TYPES[0].rank(), 0);
        assert_eq!(ElementType::named("F99"), None);
        assert_eq!(ElementType::of(DType::STRING), None);
    }

    #[test]
    fn lengths_are_whole_bytes() {
        let length = |name, elements| ElementType::named(name).unwrap().byte_len(elements);
        assert_eq!(length("F4", 6), Some(3));
        assert_eq!(length("F4", 5), None);
        assert_eq!(length("F6_E2M3", 4), Some(3));
        assert_eq!(length("U64", 1 << 58), Some(1 << 61).filter(|_| false));
        assert_eq!(length("U64", 1 << 57), Some(1 << 60));
    }

    #[test]
    fn halves_of_bytes() {
        assert_eq!(unpack(&[0x21, 0xf3]), [1, 2, 3, 15]);
        assert_eq!(pack(&[1, 2, 3, 15]), [0x21, 0xf3]);
    }
}
