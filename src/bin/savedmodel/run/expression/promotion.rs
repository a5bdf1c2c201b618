use savedmodel::DType;

use super::Value;

/// Returns the smallest dtype that has the values of both: numpy's `promote_types`
/// (`numpy/_core/src/multiarray/convert_datatype.c`).
///
/// Types that numpy has from the package `ml_dtypes` meet others as FLOAT at least.
pub(super) fn promoted(one: DType, other: DType) -> DType {
    if one == other || other == DType::BOOL {
        return one;
    }
    if one == DType::BOOL {
        return other;
    }
    let bits = |dtype: DType| dtype.bits().unwrap_or(64);
    match (class(one), class(other)) {
        (Class::Integer, Class::Integer) => {
            let (narrow, wide) = match bits(one) <= bits(other) {
                true => (one, other),
                false => (other, one),
            };
            match (is_signed(narrow), is_signed(wide)) {
                (true, true) | (false, false) | (false, true) if bits(narrow) < bits(wide) => wide,
                _ => match bits(wide) {
                    ..8 => DType::INT8,
                    8 => DType::INT16,
                    16 => DType::INT32,
                    32 => DType::INT64,
                    _ => DType::DOUBLE,
                },
            }
        }
        (Class::Integer, Class::Floating) => promoted(floating_for(one), other),
        (Class::Floating, Class::Integer) => promoted(one, floating_for(other)),
        (Class::Floating, Class::Floating) => match (one, other) {
            (DType::DOUBLE, _) | (_, DType::DOUBLE) => DType::DOUBLE,
            _ => DType::FLOAT,
        },
        _ => {
            let is_wide = |dtype: DType| match class(dtype) {
                Class::Complex => dtype == DType::COMPLEX128,
                Class::Integer => floating_for(dtype) == DType::DOUBLE,
                Class::Floating => dtype == DType::DOUBLE,
            };
            match is_wide(one) || is_wide(other) {
                true => DType::COMPLEX128,
                false => DType::COMPLEX64,
            }
        }
    }
}

/// Returns the dtype of an array of `dtype` after arithmetic with a number of Python, which gives
/// way to it (NEP 50); `None` if the value is no number.
pub(super) fn promoted_with(dtype: DType, value: &Value) -> Option<DType> {
    Some(match (value, class(dtype)) {
        (Value::Bool(_), _) => dtype,
        (Value::Int(_), _) if dtype == DType::BOOL => DType::INT64,
        (Value::Int(_), _) => dtype,
        (Value::Float(_), Class::Integer) => DType::DOUBLE,
        (Value::Float(_), _) => dtype,
        (Value::Complex(_), Class::Complex) => dtype,
        (Value::Complex(_), Class::Floating) if dtype != DType::DOUBLE => DType::COMPLEX64,
        (Value::Complex(_), _) => DType::COMPLEX128,
        _ => return None,
    })
}

enum Class {
    Integer,
    Floating,
    Complex,
}

fn class(dtype: DType) -> Class {
    match dtype {
        _ if dtype.is_complex() => Class::Complex,
        _ if dtype.is_floating() => Class::Floating,
        _ => Class::Integer,
    }
}

fn is_signed(dtype: DType) -> bool {
    !dtype.name().starts_with('u') && !dtype.name().starts_with("qu")
}

/// Returns the smallest floating-point dtype of numpy that has the values of an integer one.
fn floating_for(dtype: DType) -> DType {
    match dtype.bits() {
        Some(..=8) => DType::HALF,
        Some(16) => DType::FLOAT,
        _ => DType::DOUBLE,
    }
}

/// Returns the dtype that a name has in numpy or TensorFlow, or a code such as `<f4`.
///
/// `None` for texts and objects, and for names of nothing.
pub(super) fn dtype_named(name: &str) -> Option<DType> {
    let plain = name.strip_prefix(['<', '=', '|']).unwrap_or(name);
    Some(match plain {
        "bool" | "bool_" | "?" | "b1" => DType::BOOL,
        "int8" | "byte" | "b" | "i1" => DType::INT8,
        "int16" | "short" | "h" | "i2" => DType::INT16,
        "int32" | "intc" | "i" | "i4" => DType::INT32,
        "int64" | "int" | "int_" | "intp" | "longlong" | "long" | "l" | "q" | "i8" => DType::INT64,
        "uint8" | "ubyte" | "B" | "u1" => DType::UINT8,
        "uint16" | "ushort" | "H" | "u2" => DType::UINT16,
        "uint32" | "uintc" | "I" | "u4" => DType::UINT32,
        "uint64" | "uint" | "uintp" | "ulonglong" | "ulong" | "L" | "Q" | "u8" => DType::UINT64,
        "float16" | "half" | "e" | "f2" => DType::HALF,
        "float32" | "single" | "f" | "f4" => DType::FLOAT,
        "float64" | "double" | "float" | "float_" | "d" | "f8" => DType::DOUBLE,
        "complex64" | "csingle" | "F" | "c8" => DType::COMPLEX64,
        "complex128" | "cdouble" | "complex" | "D" | "c16" => DType::COMPLEX128,
        _ => plain.parse().ok().filter(|dtype: &DType| {
            *dtype != DType::STRING && plain == dtype.name() && dtype.size().is_some()
        })?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promotion_goes_both_ways() {
        use DType as D;
        for (one, other, both) in [
            (D::BOOL, D::UINT8, D::UINT8),
            (D::INT8, D::UINT8, D::INT16),
            (D::UINT8, D::INT32, D::INT32),
            (D::INT32, D::UINT32, D::INT64),
            (D::INT64, D::UINT64, D::DOUBLE),
            (D::INT8, D::HALF, D::HALF),
            (D::INT16, D::HALF, D::FLOAT),
            (D::INT32, D::FLOAT, D::DOUBLE),
            (D::HALF, D::BFLOAT16, D::FLOAT),
            (D::INT32, D::COMPLEX64, D::COMPLEX128),
            (D::INT16, D::COMPLEX64, D::COMPLEX64),
            (D::DOUBLE, D::COMPLEX64, D::COMPLEX128),
            (D::INT4, D::UINT4, D::INT8),
        ] {
            assert_eq!(promoted(one, other), both, "{one} {other}");
            assert_eq!(promoted(other, one), both, "{other} {one}");
        }
    }

    #[test]
    fn dtypes_have_several_names() {
        assert_eq!(dtype_named("<f4"), Some(DType::FLOAT));
        assert_eq!(dtype_named("int"), Some(DType::INT64));
        assert_eq!(dtype_named("bfloat16"), Some(DType::BFLOAT16));
        assert_eq!(dtype_named("string"), None);
        assert_eq!(dtype_named("DT_FLOAT"), None);
    }
}
