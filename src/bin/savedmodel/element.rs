use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

use savedmodel::wire::{Message, Value};
use savedmodel::{DType, Element as Stored, Result, Tensor};

use crate::decimal::{Neighbours, shortest};
use crate::json;
use crate::text::{Escaped, Quoted};

/// One element of a tensor, to be shown.
pub(crate) enum Element<'t> {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    /// Kept apart, for its shortest digits are fewer than those of the same number as `f64`.
    Single(f32),
    Complex([f64; 2]),
    SingleComplex([f32; 2]),
    Bytes(Cow<'t, [u8]>),
    /// A serialized `VariantTensorDataProto` or `ResourceHandleProto`.
    Message(DType, Cow<'t, [u8]>),
}

/// Calls `each` with the first `count` elements in row-major order.
///
/// Elements are taken in small parts, so that no copy of a large tensor is made.
pub(crate) fn for_each<E: From<savedmodel::Error>>(
    tensor: &Tensor,
    count: u64,
    mut each: impl FnMut(u64, Element<'_>) -> Result<(), E>,
) -> Result<(), E> {
    const PART: u64 = 4096;
    if let Some(strings) = tensor.strings().or(tensor.opaque()) {
        let is_text = tensor.strings().is_some();
        for (i, bytes) in (0..count).zip(strings) {
            let bytes = Cow::Borrowed(bytes);
            each(
                i,
                match is_text {
                    true => Element::Bytes(bytes),
                    false => Element::Message(tensor.dtype(), bytes),
                },
            )?;
        }
        return Ok(());
    }
    let (Some(bytes), Some(size)) = (tensor.bytes_shared(), tensor.dtype().size()) else {
        return Ok(());
    };
    let neighbours = Neighbours::new(tensor.dtype())?;
    let mut start = 0;
    while start < count {
        let end = count.min(start + PART);
        // The tensor is in memory, so its bytes are counted by `usize`.
        let range = start as usize * size..end as usize * size;
        let part = Tensor::from_bytes(tensor.dtype(), [end - start], bytes.slice(range))?;
        for (i, element) in (start..).zip(elements(&part, neighbours.as_ref())?) {
            each(i, element)?;
        }
        start = end;
    }
    Ok(())
}

fn elements(part: &Tensor, neighbours: Option<&Neighbours>) -> Result<Vec<Element<'static>>> {
    if let Some(neighbours) = neighbours {
        let shorten = |value| Element::Float(neighbours.shorten(value));
        return Ok(part.to_f64s()?.map(shorten).collect());
    }
    fn all<T: Stored>(
        part: &Tensor,
        show: fn(T) -> Element<'static>,
    ) -> Result<Vec<Element<'static>>> {
        Ok(part
            .values::<T>()?
            .iter()
            .map(|value| show(*value))
            .collect())
    }
    match part.dtype() {
        dtype if i8::reads(dtype) => all(part, |v: i8| Element::Signed(v.into())),
        dtype if i16::reads(dtype) => all(part, |v: i16| Element::Signed(v.into())),
        dtype if i32::reads(dtype) => all(part, |v: i32| Element::Signed(v.into())),
        dtype if i64::reads(dtype) => all(part, Element::Signed),
        dtype if u8::reads(dtype) => all(part, |v: u8| Element::Unsigned(v.into())),
        dtype if u16::reads(dtype) => all(part, |v: u16| Element::Unsigned(v.into())),
        dtype if u32::reads(dtype) => all(part, |v: u32| Element::Unsigned(v.into())),
        dtype if u64::reads(dtype) => all(part, Element::Unsigned),
        DType::FLOAT => all(part, Element::Single),
        DType::COMPLEX64 => all(part, Element::SingleComplex),
        DType::COMPLEX128 => all(part, Element::Complex),
        DType::BOOL => all(part, Element::Bool),
        _ => all(part, Element::Float),
    }
}

impl Element<'_> {
    /// Returns the text of the element, of strings no more than `max` bytes.
    pub(crate) fn to_text(&self, max: usize) -> String {
        match self {
            Element::Bool(value) => value.to_string(),
            Element::Signed(value) => value.to_string(),
            Element::Unsigned(value) => value.to_string(),
            Element::Float(value) => lower_special(shortest(*value)),
            Element::Single(value) => lower_special(format!("{value:?}")),
            Element::Complex(parts) => complex(parts),
            Element::SingleComplex(parts) => complex(parts),
            Element::Bytes(bytes) if bytes.len() > max => {
                format!("{}...({} bytes)", Quoted(cut(bytes, max)), bytes.len())
            }
            Element::Bytes(bytes) => Quoted(bytes).to_string(),
            Element::Message(dtype, bytes) => match type_name(*dtype, bytes) {
                Some(name) => format!("<{}, {} bytes>", Escaped(name), bytes.len()),
                None => format!("<{dtype}, {} bytes>", bytes.len()),
            },
        }
    }

    /// Writes the element as JSON.
    pub(crate) fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Element::Float(value) => json::float(out, *value),
            Element::Single(value) => single(out, *value),
            Element::Complex([re, im]) => {
                out.write_all(b"[")?;
                json::float(out, *re)?;
                out.write_all(b", ")?;
                json::float(out, *im)?;
                out.write_all(b"]")
            }
            Element::SingleComplex([re, im]) => {
                out.write_all(b"[")?;
                single(out, *re)?;
                out.write_all(b", ")?;
                single(out, *im)?;
                out.write_all(b"]")
            }
            Element::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => json::string(out, text),
                Err(_) => {
                    out.write_all(b"{\"hex\": ")?;
                    json::hex(out, bytes)?;
                    out.write_all(b"}")
                }
            },
            Element::Message(dtype, bytes) => {
                out.write_all(b"{")?;
                if let Some(name) = type_name(*dtype, bytes) {
                    out.write_all(b"\"type_name\": ")?;
                    json::string(out, &String::from_utf8_lossy(name))?;
                    out.write_all(b", ")?;
                }
                out.write_all(b"\"hex\": ")?;
                json::hex(out, bytes)?;
                out.write_all(b"}")
            }
            _ => out.write_all(self.to_text(0).as_bytes()),
        }
    }
}

fn single(out: &mut impl Write, value: f32) -> io::Result<()> {
    match value.is_finite() {
        true => write!(out, "{value:?}"),
        false => json::float(out, value.into()),
    }
}

fn complex(parts: &[impl fmt::Debug; 2]) -> String {
    let [re, im] = parts
        .each_ref()
        .map(|part| lower_special(format!("{part:?}")));
    let plus = if im.starts_with('-') { "" } else { "+" };
    format!("{re}{plus}{im}j")
}

/// Writes `nan` as it is written nearly everywhere else.
fn lower_special(text: String) -> String {
    match text.as_str() {
        "NaN" => "nan".to_owned(),
        _ => text,
    }
}

/// Returns the first `max` bytes, fewer where that would cut a character.
fn cut(bytes: &[u8], max: usize) -> &[u8] {
    let is_start = |at: usize| bytes.get(at).is_none_or(|byte| byte & 0xc0 != 0x80);
    let end = (max.saturating_sub(3)..=max).rev().find(|at| is_start(*at));
    bytes.get(..end.unwrap_or(max)).unwrap_or(bytes)
}

/// Returns which type of TensorFlow's a VARIANT holds.
fn type_name(dtype: DType, bytes: &[u8]) -> Option<&[u8]> {
    if dtype != DType::VARIANT {
        return None;
    }
    match Message::new(bytes).last(1).ok()??.value() {
        Value::Bytes(name) => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let bytes = |text: &'static str| Element::Bytes(text.as_bytes().into());
        for (element, text) in [
            (Element::Single(0.1), "0.1"),
            (Element::Single(1e20), "1e20"),
            (Element::Float(f64::NAN), "nan"),
            (Element::Complex([1.5, -0.0]), "1.5-0.0j"),
            (Element::SingleComplex([-1.0, f32::INFINITY]), "-1.0+infj"),
            (Element::Bool(true), "true"),
            (bytes("abcdef"), "\"abcd\"...(6 bytes)"),
            (bytes("abc模"), "\"abc\"...(6 bytes)"),
            (bytes("abcd"), "\"abcd\""),
            (
                Element::Message(DType::VARIANT, b"\x0a\x02Hi"[..].into()),
                "<Hi, 4 bytes>",
            ),
            (
                Element::Message(DType::RESOURCE, b"\x0a\x02Hi"[..].into()),
                "<resource, 4 bytes>",
            ),
        ] {
            assert_eq!(element.to_text(4), text);
        }
    }
}
