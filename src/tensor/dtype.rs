use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Names the type of a tensor's elements: TensorFlow's `DataType`.
///
/// The set is open: a file may hold a number that this release has not heard of, so every number
/// is a `DType`. Unknown ones are printed as `DT_99` and have no [`size`](Self::size). A *reference
/// type* is its base type's number plus 100; graphs of TensorFlow 1 use them for variables.
///
/// Numbers and names are those of TensorFlow 2.21: `tensorflow/core/framework/types.proto` and
/// `tensorflow/python/framework/dtypes.py`.
///
/// ```
/// use savedmodel::DType;
///
/// let dtype: DType = "bfloat16".parse()?;
/// assert_eq!(dtype, DType::BFLOAT16);
/// assert_eq!(dtype.proto_name(), "DT_BFLOAT16");
/// assert_eq!(dtype.size(), Some(2));
/// assert_eq!(DType::from_number(101).to_string(), "float32_ref");
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DType(i32);

impl DType {
    /// No type: the default of a field that was not written.
    pub const INVALID: DType = DType(0);
    /// IEEE 754 binary32.
    pub const FLOAT: DType = DType(1);
    /// IEEE 754 binary64.
    pub const DOUBLE: DType = DType(2);
    /// Signed 32-bit integer.
    pub const INT32: DType = DType(3);
    /// Unsigned 8-bit integer.
    pub const UINT8: DType = DType(4);
    /// Signed 16-bit integer.
    pub const INT16: DType = DType(5);
    /// Signed 8-bit integer.
    pub const INT8: DType = DType(6);
    /// A string of arbitrary bytes.
    pub const STRING: DType = DType(7);
    /// Complex number of two binary32 parts, real part first.
    pub const COMPLEX64: DType = DType(8);
    /// Signed 64-bit integer.
    pub const INT64: DType = DType(9);
    /// Truth value, one byte of 0 or 1.
    pub const BOOL: DType = DType(10);
    /// Quantized signed 8-bit integer.
    pub const QINT8: DType = DType(11);
    /// Quantized unsigned 8-bit integer.
    pub const QUINT8: DType = DType(12);
    /// Quantized signed 32-bit integer.
    pub const QINT32: DType = DType(13);
    /// The upper half of a binary32: 8 exponent bits, 7 mantissa bits.
    pub const BFLOAT16: DType = DType(14);
    /// Quantized signed 16-bit integer.
    pub const QINT16: DType = DType(15);
    /// Quantized unsigned 16-bit integer.
    pub const QUINT16: DType = DType(16);
    /// Unsigned 16-bit integer.
    pub const UINT16: DType = DType(17);
    /// Complex number of two binary64 parts, real part first.
    pub const COMPLEX128: DType = DType(18);
    /// IEEE 754 binary16.
    pub const HALF: DType = DType(19);
    /// Handle of a resource in a running session.
    pub const RESOURCE: DType = DType(20);
    /// A value of a type registered with TensorFlow, such as a tensor list.
    pub const VARIANT: DType = DType(21);
    /// Unsigned 32-bit integer.
    pub const UINT32: DType = DType(22);
    /// Unsigned 64-bit integer.
    pub const UINT64: DType = DType(23);
    /// 8-bit float: 5 exponent bits, 2 mantissa bits, as IEEE 754.
    pub const FLOAT8_E5M2: DType = DType(24);
    /// 8-bit float: 4 exponent bits, 3 mantissa bits, no infinities.
    pub const FLOAT8_E4M3FN: DType = DType(25);
    /// 8-bit float: as [`FLOAT8_E4M3FN`](Self::FLOAT8_E4M3FN) with bias 8, one NaN, no negative zero.
    pub const FLOAT8_E4M3FNUZ: DType = DType(26);
    /// 8-bit float: as [`FLOAT8_E4M3FNUZ`](Self::FLOAT8_E4M3FNUZ) with bias 11.
    pub const FLOAT8_E4M3B11FNUZ: DType = DType(27);
    /// 8-bit float: 5 exponent bits with bias 16, 2 mantissa bits, no infinities, one NaN, no
    /// negative zero.
    pub const FLOAT8_E5M2FNUZ: DType = DType(28);
    /// Signed 4-bit integer.
    pub const INT4: DType = DType(29);
    /// Unsigned 4-bit integer.
    pub const UINT4: DType = DType(30);
    /// Signed 2-bit integer.
    pub const INT2: DType = DType(31);
    /// Unsigned 2-bit integer.
    pub const UINT2: DType = DType(32);
    /// 4-bit float: 2 exponent bits, 1 mantissa bit, neither infinities nor NaN.
    pub const FLOAT4_E2M1FN: DType = DType(33);

    /// Returns the type of this number in `types.proto`, known or not.
    pub const fn from_number(number: i32) -> Self {
        DType(number)
    }

    /// Returns every type this release knows, reference types left out, in the order of their
    /// numbers.
    pub fn known() -> impl ExactSizeIterator<Item = DType> {
        (1..FACTS.len() as i32).map(DType)
    }

    /// Returns the number in `types.proto`.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// Returns TensorFlow's short name, as `tf.as_dtype(..).name`: `float32`, `string`,
    /// `float32_ref`. A number without a name is `DT_99`.
    pub fn name(self) -> Cow<'static, str> {
        match (self.base().facts(), self.is_ref()) {
            (Some(facts), false) => facts.name.into(),
            (Some(facts), true) => format!("{}_ref", facts.name).into(),
            (None, _) => format!("DT_{}", self.0).into(),
        }
    }

    /// Returns the name in `types.proto`: `DT_FLOAT`, `DT_FLOAT_REF`. A number without a name is
    /// `DT_99`.
    pub fn proto_name(self) -> Cow<'static, str> {
        match (self.base().facts(), self.is_ref()) {
            (Some(facts), false) => facts.proto_name.into(),
            (Some(facts), true) => format!("{}_REF", facts.proto_name).into(),
            (None, _) => format!("DT_{}", self.0).into(),
        }
    }

    /// Returns whether this release knows the type, or the base of the reference type.
    /// [`INVALID`](Self::INVALID) is not known.
    pub fn is_known(self) -> bool {
        self.base()
            .facts()
            .is_some_and(|facts| facts.class != Class::Invalid)
    }

    /// Returns whether this is a reference type.
    pub const fn is_ref(self) -> bool {
        self.0 > REF_OFFSET
    }

    /// Returns the reference type of this one, as the variables of TensorFlow 1 have it.
    pub const fn to_ref(self) -> Self {
        if self.is_ref() {
            self
        } else {
            DType(self.0 + REF_OFFSET)
        }
    }

    /// Returns the type that a reference type refers to; any other type itself.
    pub const fn base(self) -> Self {
        if self.is_ref() {
            DType(self.0 - REF_OFFSET)
        } else {
            self
        }
    }

    /// Returns the bytes one element takes in a tensor bundle and in a [`Tensor`](crate::Tensor).
    ///
    /// Types narrower than a byte take a whole one. `None` where elements have no fixed size
    /// ([`STRING`](Self::STRING), [`VARIANT`](Self::VARIANT), [`RESOURCE`](Self::RESOURCE)), for
    /// reference types, which hold no data, and for unknown types.
    pub const fn size(self) -> Option<usize> {
        match self.bits() {
            Some(bits) => Some(bits.div_ceil(8) as usize),
            None => None,
        }
    }

    /// Returns the bits of an element that carry its value: 4 or 2 for the types narrower than a
    /// byte, otherwise eight times the [`size`](Self::size).
    pub const fn bits(self) -> Option<u32> {
        match self.facts() {
            Some(Facts { bits: 1.., .. }) if self.is_ref() => None,
            Some(facts) if facts.bits > 0 => Some(facts.bits),
            _ => None,
        }
    }

    /// Returns whether elements are plain integers, quantized ones left out, as
    /// `tf.DType.is_integer`.
    pub fn is_integer(self) -> bool {
        matches!(self.class(), Class::Signed | Class::Unsigned)
    }

    /// Returns whether elements are real floating-point numbers, as `tf.DType.is_floating`.
    pub fn is_floating(self) -> bool {
        self.class() == Class::Floating
    }

    /// Returns whether elements are complex numbers, as `tf.DType.is_complex`.
    pub fn is_complex(self) -> bool {
        self.class() == Class::Complex
    }

    /// Returns whether elements are quantized integers, as `tf.DType.is_quantized`.
    pub fn is_quantized(self) -> bool {
        self.class() == Class::Quantized
    }

    /// Returns whether the value occupies only the low bits of each stored byte.
    pub(crate) fn is_sub_byte(self) -> bool {
        self.bits().is_some_and(|bits| bits < 8)
    }

    fn class(self) -> Class {
        self.base()
            .facts()
            .map_or(Class::Invalid, |facts| facts.class)
    }

    const fn facts(self) -> Option<&'static Facts> {
        if self.0 >= 0 && (self.0 as usize) < FACTS.len() {
            Some(&FACTS[self.0 as usize])
        } else {
            None
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

impl fmt::Debug for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.proto_name())
    }
}

/// Parses both kinds of names, `float32` and `DT_FLOAT`, with their reference forms, the number of
/// an unknown type (`DT_99`) and the C++ names `float`, `double` and `half`, which `tf.as_dtype`
/// takes too.
impl FromStr for DType {
    type Err = Error;

    fn from_str(text: &str) -> Result<DType> {
        let base = text.strip_suffix("_ref").or(text.strip_suffix("_REF"));
        let name = match base.unwrap_or(text) {
            "float" => "float32",
            "double" => "float64",
            "half" => "float16",
            name => name,
        };
        let known = FACTS
            .iter()
            .position(|facts| facts.name == name || facts.proto_name == name);
        let number = match (known, base) {
            (Some(number), None) => Some(number as i32),
            (Some(number), Some(_)) if number > 0 => Some(number as i32 + REF_OFFSET),
            (None, None) => text
                .strip_prefix("DT_")
                .and_then(|number| number.parse().ok()),
            _ => None,
        };
        number.map(DType).ok_or_else(|| {
            Error::invalid_argument(format!(
                "`{}` is not the name of a dtype",
                text.escape_debug()
            ))
        })
    }
}

/// `kDataTypeRefOffset` of `tensorflow/core/framework/types.h`.
const REF_OFFSET: i32 = 100;

/// What there is to know about the type of one number.
struct Facts {
    name: &'static str,
    proto_name: &'static str,
    bits: u32,
    class: Class,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Invalid,
    Signed,
    Unsigned,
    Floating,
    Complex,
    Quantized,
    Bool,
    Other,
}

const fn facts(name: &'static str, proto_name: &'static str, bits: u32, class: Class) -> Facts {
    Facts {
        name,
        proto_name,
        bits,
        class,
    }
}

/// Indexed by the type's number.
static FACTS: [Facts; 34] = [
    facts("invalid", "DT_INVALID", 0, Class::Invalid),
    facts("float32", "DT_FLOAT", 32, Class::Floating),
    facts("float64", "DT_DOUBLE", 64, Class::Floating),
    facts("int32", "DT_INT32", 32, Class::Signed),
    facts("uint8", "DT_UINT8", 8, Class::Unsigned),
    facts("int16", "DT_INT16", 16, Class::Signed),
    facts("int8", "DT_INT8", 8, Class::Signed),
    facts("string", "DT_STRING", 0, Class::Other),
    facts("complex64", "DT_COMPLEX64", 64, Class::Complex),
    facts("int64", "DT_INT64", 64, Class::Signed),
    facts("bool", "DT_BOOL", 8, Class::Bool),
    facts("qint8", "DT_QINT8", 8, Class::Quantized),
    facts("quint8", "DT_QUINT8", 8, Class::Quantized),
    facts("qint32", "DT_QINT32", 32, Class::Quantized),
    facts("bfloat16", "DT_BFLOAT16", 16, Class::Floating),
    facts("qint16", "DT_QINT16", 16, Class::Quantized),
    facts("quint16", "DT_QUINT16", 16, Class::Quantized),
    facts("uint16", "DT_UINT16", 16, Class::Unsigned),
    facts("complex128", "DT_COMPLEX128", 128, Class::Complex),
    facts("float16", "DT_HALF", 16, Class::Floating),
    facts("resource", "DT_RESOURCE", 0, Class::Other),
    facts("variant", "DT_VARIANT", 0, Class::Other),
    facts("uint32", "DT_UINT32", 32, Class::Unsigned),
    facts("uint64", "DT_UINT64", 64, Class::Unsigned),
    facts("float8_e5m2", "DT_FLOAT8_E5M2", 8, Class::Floating),
    facts("float8_e4m3fn", "DT_FLOAT8_E4M3FN", 8, Class::Floating),
    facts("float8_e4m3fnuz", "DT_FLOAT8_E4M3FNUZ", 8, Class::Floating),
    facts(
        "float8_e4m3b11fnuz",
        "DT_FLOAT8_E4M3B11FNUZ",
        8,
        Class::Floating,
    ),
    facts("float8_e5m2fnuz", "DT_FLOAT8_E5M2FNUZ", 8, Class::Floating),
    facts("int4", "DT_INT4", 4, Class::Signed),
    facts("uint4", "DT_UINT4", 4, Class::Unsigned),
    facts("int2", "DT_INT2", 2, Class::Signed),
    facts("uint2", "DT_UINT2", 2, Class::Unsigned),
    facts("float4_e2m1fn", "DT_FLOAT4_E2M1FN", 4, Class::Floating),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_parse_back() {
        for number in (0..34)
            .chain(101..134)
            .chain([34, 99, 100, 134, 200, -1, i32::MAX])
        {
            let dtype = DType::from_number(number);
            assert_eq!(dtype.name().parse::<DType>().unwrap(), dtype);
            assert_eq!(dtype.proto_name().parse::<DType>().unwrap(), dtype);
        }
        assert_eq!("half".parse::<DType>().unwrap(), DType::HALF);
        assert_eq!(
            "double_ref".parse::<DType>().unwrap(),
            DType::from_number(102)
        );
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "_ref",
            "DT_",
            "DT_x",
            "float33",
            "FLOAT32",
            "invalid_ref",
            "DT_99_REF",
        ] {
            assert!(text.parse::<DType>().is_err(), "{text}");
        }
    }

    #[test]
    fn classes_are_those_of_tensorflow() {
        let named = |test: fn(DType) -> bool| {
            let names: Vec<_> = DType::known()
                .filter(|dtype| test(*dtype))
                .map(|d| d.name())
                .collect();
            names.join(" ")
        };
        assert_eq!(
            named(DType::is_integer),
            "int32 uint8 int16 int8 int64 uint16 uint32 uint64 int4 uint4 int2 uint2"
        );
        assert_eq!(
            named(DType::is_floating),
            "float32 float64 bfloat16 float16 float8_e5m2 float8_e4m3fn float8_e4m3fnuz \
             float8_e4m3b11fnuz float8_e5m2fnuz float4_e2m1fn"
        );
        assert_eq!(named(DType::is_complex), "complex64 complex128");
        assert_eq!(
            named(DType::is_quantized),
            "qint8 quint8 qint32 qint16 quint16"
        );
        assert!(DType::from_number(101).is_floating());
    }

    #[test]
    fn sizes_are_those_in_a_bundle() {
        let unsized_types = [DType::STRING, DType::RESOURCE, DType::VARIANT];
        for dtype in DType::known() {
            assert_eq!(
                dtype.size().is_none(),
                unsized_types.contains(&dtype),
                "{dtype}"
            );
            assert!(dtype.is_known());
        }
        assert_eq!(DType::COMPLEX128.size(), Some(16));
        assert_eq!((DType::INT2.size(), DType::INT2.bits()), (Some(1), Some(2)));
        for number in [0, 34, 99, 100, 101, 134, -1, i32::MIN] {
            assert_eq!(DType::from_number(number).size(), None);
        }
    }

    #[test]
    fn references_know_their_base() {
        let float_ref = DType::from_number(101);
        assert!(float_ref.is_ref() && float_ref.is_known());
        assert_eq!(float_ref.base(), DType::FLOAT);
        assert_eq!(float_ref.proto_name(), "DT_FLOAT_REF");
        assert!(!DType::from_number(100).is_ref());
        assert!(!DType::INVALID.is_known() && !DType::from_number(134).is_known());
    }
}
