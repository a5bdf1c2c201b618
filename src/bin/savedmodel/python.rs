//! Values as Python shows them: what `str` and `repr` give in the stock tool.

use std::fmt::Write;

use savedmodel::numpy::ArrayText;
use savedmodel::object_graph::{StructuredValue, TensorSpec, TypeSpec};
use savedmodel::{DType, Extent, PartialShape, Tensor, TensorSlice};
use unicode_general_category::{GeneralCategory, get_general_category};

/// Returns `str(value)`.
pub(crate) fn str_of(value: &StructuredValue) -> String {
    match value {
        StructuredValue::String(text) => text.clone(),
        StructuredValue::DType(dtype) => format!("<dtype: '{}'>", dtype.name()),
        StructuredValue::TensorShape(shape) => shape_str(shape),
        StructuredValue::Tensor(tensor) => tensor_str(tensor),
        StructuredValue::Numpy(array) => array_str(array),
        _ => repr_of(value),
    }
}

/// Returns `repr(value)`.
pub(crate) fn repr_of(value: &StructuredValue) -> String {
    match value {
        StructuredValue::None => "None".to_owned(),
        StructuredValue::Bool(value) => bool_repr(*value).to_owned(),
        StructuredValue::Int(value) => value.to_string(),
        StructuredValue::Float(value) => float_repr(*value),
        StructuredValue::String(text) => text_repr(text),
        StructuredValue::DType(dtype) => dtype_repr(*dtype),
        StructuredValue::TensorShape(shape) => shape_repr(shape),
        StructuredValue::TensorSpec(spec) => format!("TensorSpec({})", spec_fields(spec)),
        StructuredValue::BoundedTensorSpec(bounded) => format!(
            "BoundedTensorSpec({}, minimum={}, maximum={})",
            spec_fields(&bounded.spec),
            array_repr(&bounded.minimum),
            array_repr(&bounded.maximum)
        ),
        StructuredValue::TypeSpec(spec) => type_spec_repr(spec),
        StructuredValue::List(elements) => format!("[{}]", joined(elements)),
        StructuredValue::Tuple(elements) => tuple_repr(elements),
        StructuredValue::Dict(_) => {
            let entries = value.sorted_entries().unwrap_or_default();
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", text_repr(key), repr_of(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        StructuredValue::NamedTuple(tuple) => {
            let fields: Vec<String> = tuple
                .fields
                .iter()
                .map(|(name, value)| format!("{name}={}", repr_of(value)))
                .collect();
            format!("{}({})", tuple.name, fields.join(", "))
        }
        StructuredValue::Tensor(tensor) => tensor_repr(tensor),
        StructuredValue::Numpy(array) => array_repr(array),
        // A kind of a later release.
        _ => "None".to_owned(),
    }
}

fn joined(elements: &[StructuredValue]) -> String {
    elements.iter().map(repr_of).collect::<Vec<_>>().join(", ")
}

fn tuple_repr(elements: &[StructuredValue]) -> String {
    match elements {
        [only] => format!("({},)", repr_of(only)),
        _ => format!("({})", joined(elements)),
    }
}

pub(crate) fn bool_repr(value: bool) -> &'static str {
    match value {
        true => "True",
        false => "False",
    }
}

fn dtype_repr(dtype: DType) -> String {
    format!("tf.{}", dtype.name())
}

fn spec_fields(spec: &TensorSpec) -> String {
    format!(
        "shape={}, dtype={}, name={}",
        shape_str(&spec.shape),
        dtype_repr(spec.dtype),
        spec.name.as_deref().map_or("None".to_owned(), text_repr)
    )
}

fn dims(shape: &[Option<u64>]) -> Vec<String> {
    shape.iter().map(|dim| dim_str(*dim)).collect()
}

pub(crate) fn dim_str(dim: Option<u64>) -> String {
    dim.map_or("None".to_owned(), |dim| dim.to_string())
}

pub(crate) fn shape_str(shape: &PartialShape) -> String {
    match shape.dims() {
        None => "<unknown>".to_owned(),
        Some([dim]) => format!("({},)", dim_str(*dim)),
        Some(shape) => format!("({})", dims(shape).join(", ")),
    }
}

fn shape_repr(shape: &PartialShape) -> String {
    match shape.dims() {
        None => "TensorShape(None)".to_owned(),
        Some(shape) => format!("TensorShape([{}])", dims(shape).join(", ")),
    }
}

fn type_spec_repr(spec: &TypeSpec) -> String {
    let state = match &spec.state {
        StructuredValue::Tuple(state) => state.as_slice(),
        other => std::slice::from_ref(other),
    };
    let name = spec.class.name().unwrap_or(&spec.class_name);
    match (name, state) {
        ("VariableSpec", [shape, dtype, trainable, alias]) => format!(
            "VariableSpec(shape={}, dtype={}, trainable={}, alias_id={})",
            str_of(shape),
            repr_of(dtype),
            repr_of(trainable),
            repr_of(alias)
        ),
        ("RowPartitionSpec", [nrows, nvals, row_length, dtype]) => format!(
            "RowPartitionSpec(nrows={}, nvals={}, uniform_row_length={}, dtype={})",
            first_dim(nrows),
            first_dim(nvals),
            first_dim(row_length),
            repr_of(dtype)
        ),
        _ => format!("{name}{}", tuple_repr(state)),
    }
}

/// Returns the number that a shape of one dimension stands for.
fn first_dim(value: &StructuredValue) -> String {
    match value {
        StructuredValue::TensorShape(shape) => dim_str(
            shape
                .dims()
                .and_then(|dims| dims.first().copied())
                .flatten(),
        ),
        other => repr_of(other),
    }
}

/// Returns `repr` of a float: the fewest digits that read back, an exponent where the number has
/// more than 16 digits before the point or more than three zeros behind it.
pub(crate) fn float_repr(value: f64) -> String {
    array_str(&Tensor::scalar(value))
}

/// Returns `repr` of a text.
pub(crate) fn text_repr(text: &str) -> String {
    let quote = quote_for(text.contains('\''), text.contains('"'));
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\\' => out.push_str("\\\\"),
            _ if c == quote => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ if is_printable(c) => out.push(c),
            // A `String` takes whatever is written to it.
            _ => drop(match c as u32 {
                code @ ..=0xff => write!(out, "\\x{code:02x}"),
                code @ ..=0xffff => write!(out, "\\u{code:04x}"),
                code => write!(out, "\\U{code:08x}"),
            }),
        }
    }
    out.push(quote);
    out
}

/// Returns `repr` of bytes.
pub(crate) fn bytes_repr(bytes: &[u8]) -> String {
    Tensor::from_strings([0u64; 0], [bytes]).map_or_else(|_| String::new(), |it| array_str(&it))
}

fn quote_for(single: bool, double: bool) -> char {
    match single && !double {
        true => '"',
        false => '\'',
    }
}

fn is_printable(c: char) -> bool {
    use GeneralCategory::*;
    !matches!(
        get_general_category(c),
        Control
            | Format
            | Surrogate
            | PrivateUse
            | Unassigned
            | LineSeparator
            | ParagraphSeparator
            | SpaceSeparator
    )
}

/// Returns `repr` of a list of texts.
pub(crate) fn list_repr<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> String {
    let texts: Vec<String> = texts
        .into_iter()
        .map(|text| text_repr(text.as_ref()))
        .collect();
    format!("[{}]", texts.join(", "))
}

/// Returns `repr` of a set of texts, which are given in the order to be shown.
pub(crate) fn set_repr<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> String {
    let texts: Vec<String> = texts
        .into_iter()
        .map(|text| text_repr(text.as_ref()))
        .collect();
    match texts.is_empty() {
        true => "set()".to_owned(),
        false => format!("{{{}}}", texts.join(", ")),
    }
}

/// Returns `str` of each element along the first axis, as a loop over the value meets them; `None` for
/// what has no axis.
pub(crate) fn rows_of(value: &StructuredValue) -> Option<Vec<String>> {
    let (tensor, text): (&Tensor, fn(&Tensor) -> String) = match value {
        StructuredValue::Tensor(tensor) => (tensor, tensor_str),
        StructuredValue::Numpy(array) => (array, array_str),
        _ => return None,
    };
    let (first, inner) = tensor.shape().dims().split_first()?;
    // Without elements there may be as many rows as a file says.
    let count = if tensor.elements() > 0 { *first } else { 0 };
    let row = |start| {
        let mut extents = vec![Extent::Full; inner.len() + 1];
        extents[0] = Extent::Range { start, length: 1 };
        tensor.slice(&TensorSlice::new(extents))?.reshape(inner)
    };
    let rows = (0..count).map(|start| row(start).map(|row| text(&row)));
    rows.collect::<Result<_, _>>().ok()
}

/// Returns `str` of a tensor of TensorFlow.
fn tensor_str(tensor: &Tensor) -> String {
    format!(
        "tf.Tensor({}, shape={}, dtype={})",
        below(array_str(tensor)),
        shape_str(&tensor.shape().into()),
        tensor.dtype().name()
    )
}

/// Returns `repr` of a tensor of TensorFlow.
fn tensor_repr(tensor: &Tensor) -> String {
    let elements = match tensor.shape().is_scalar() {
        true => array_str(tensor),
        false => array_repr(tensor),
    };
    format!(
        "<tf.Tensor: shape={}, dtype={}, numpy={}>",
        shape_str(&tensor.shape().into()),
        tensor.dtype().name(),
        below(elements)
    )
}

/// TensorFlow has the elements begin a line where they take several.
fn below(elements: String) -> String {
    match elements.contains('\n') {
        true => format!("\n{elements}"),
        false => elements,
    }
}

/// Returns `str` of a NumPy array.
fn array_str(tensor: &Tensor) -> String {
    ArrayText::new(tensor).map_or_else(|_| "None".to_owned(), |text| text.to_string())
}

/// Returns `repr` of a NumPy array, as bounds of tensors are shown.
fn array_repr(tensor: &Tensor) -> String {
    ArrayText::new(tensor).map_or_else(|_| "None".to_owned(), |text| text.repr().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (1.234_567_890_123_456_8e17, "1.2345678901234568e+17"),
            (1e22, "1e+22"),
            (1.5e300, "1.5e+300"),
            (5e-324, "5e-324"),
            (0.1, "0.1"),
            (1e-5, "1e-05"),
            (1e-4, "0.0001"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(float_repr(value), text);
        }
    }

    #[test]
    fn texts() {
        for (text, repr) in [
            ("plain", "'plain'"),
            ("it's", "\"it's\""),
            ("q\"q", "'q\"q'"),
            ("both'\"", "'both\\'\"'"),
            ("tab\tnl\n", "'tab\\tnl\\n'"),
            ("é\u{200b}\u{7f}😀", "'é\\u200b\\x7f😀'"),
            ("back\\slash", "'back\\\\slash'"),
            ("\u{a0}\u{feff}\u{378}", "'\\xa0\\ufeff\\u0378'"),
            ("\u{e0001}", "'\\U000e0001'"),
        ] {
            assert_eq!(text_repr(text), repr);
        }
        assert_eq!(bytes_repr(b"it's\xff\n"), "b\"it's\\xff\\n\"");
        assert_eq!(set_repr(["a"; 0]), "set()");
        assert_eq!(list_repr(["serve", "gpu"]), "['serve', 'gpu']");
    }

    #[test]
    fn arrays_are_shown_as_numpy_and_tensorflow_show_them() {
        use StructuredValue::{Numpy, Tensor as Constant};
        let matrix = Tensor::from_slice([2, 2], &[1i32, 2, 3, 4]).unwrap();
        let floats = Tensor::from_slice([2], &[1f32, 2.5]).unwrap();
        for (value, repr, str) in [
            (Numpy(Tensor::scalar(1f64)), "array(1.)", "1.0"),
            (
                Numpy(floats.clone()),
                "array([1. , 2.5], dtype=float32)",
                "[1.  2.5]",
            ),
            (
                Constant(Tensor::from_strings([0u64; 0], ["ab'"]).unwrap()),
                "<tf.Tensor: shape=(), dtype=string, numpy=b\"ab'\">",
                "tf.Tensor(b\"ab'\", shape=(), dtype=string)",
            ),
            (
                Constant(matrix.clone()),
                "<tf.Tensor: shape=(2, 2), dtype=int32, numpy=\narray([[1, 2],\n       [3, 4]], dtype=int32)>",
                "tf.Tensor(\n[[1 2]\n [3 4]], shape=(2, 2), dtype=int32)",
            ),
        ] {
            assert_eq!((&*repr_of(&value), &*str_of(&value)), (repr, str));
        }
        let rows = rows_of(&Numpy(matrix)).unwrap();
        assert_eq!(rows, ["[1 2]", "[3 4]"]);
        let rows = rows_of(&Constant(floats)).unwrap();
        assert_eq!(rows[1], "tf.Tensor(2.5, shape=(), dtype=float32)");
        assert_eq!(rows_of(&Numpy(Tensor::scalar(1f64))), None);
        let none = Tensor::from_slice::<f32>([1u64 << 40, 0], &[]).unwrap();
        assert_eq!(rows_of(&Numpy(none)).unwrap(), [""; 0]);
    }
}
