use prost::Message as _;

use super::rope::{Rope, Span};
use crate::error::{Error, Result};
use crate::proto::TensorProto;
use crate::tensor::Tensor;
use crate::wire::{Field, Message, Value, varint};

/// The way to a constant's elements: `attr`, its key and value, `tensor`, `tensor_content`.
pub(super) const ATTR: u32 = 5;
pub(super) const ATTR_KEY: &str = "value";
pub(super) const TENSOR: u32 = 8;
pub(super) const TENSOR_CONTENT: u32 = 4;
const ENTRY_KEY: u32 = 1;
const ENTRY_VALUE: u32 = 2;

/// Parts a `Const` node from its elements: returns the node without them, and them, as
/// `tensor_content` has them.
pub(super) fn part(node: Message<'_>) -> Result<(Rope, Rope)> {
    let mut at = None;
    for field in node.fields() {
        let field = field?;
        if field.number() == ATTR
            && let Some(entry) = field.message()
            && let Some(key) = entry.last(ENTRY_KEY)?
            && matches!(key.value(), Value::Bytes(key) if key == ATTR_KEY.as_bytes())
        {
            at = Some(field.offset());
        }
    }
    let Some(at) = at else {
        return Err(no_value());
    };
    let mut content = None;
    let rest = replace(node, |field| field.offset() == at, &mut |entry| {
        replace(entry, |field| field.number() == ENTRY_VALUE, &mut |value| {
            replace(value, |field| field.number() == TENSOR, &mut |tensor| {
                content = Some(elements(tensor)?);
                without_values(tensor)
            })
        })
    })?;
    Ok((rest, content.ok_or_else(no_value)?))
}

fn no_value() -> Error {
    Error::malformed("a Const node has no value")
}

/// Makes a message anew with another value in the one field that is meant.
fn replace<'a>(
    message: Message<'a>,
    is_meant: impl Fn(&Field<'a>) -> bool,
    new: &mut dyn FnMut(Message<'a>) -> Result<Rope>,
) -> Result<Rope> {
    let mut rope = Rope::default();
    let mut count = 0;
    for field in message.fields() {
        let field = field?;
        match (field.value(), field.message()) {
            (Value::Bytes(_), Some(value)) if is_meant(&field) => {
                rope.push_field(field.number(), new(value)?);
                count += 1;
            }
            _ => rope.push(Span::of(&field)),
        }
    }
    match count {
        1 => Ok(rope),
        0 => Err(no_value()),
        _ => Err(Error::unsupported(
            "a constant whose value stands in pieces",
        )),
    }
}

/// Keeps of a `TensorProto` what is not elements: dtype, shape, version, and what is not known.
fn without_values(tensor: Message<'_>) -> Result<Rope> {
    let mut rope = Rope::default();
    for field in tensor.fields() {
        let field = field?;
        if !(TENSOR_CONTENT..=18).contains(&field.number()) {
            rope.push(Span::of(&field));
        }
    }
    Ok(rope)
}

/// Returns the elements of a `TensorProto` in the form of `tensor_content`.
///
/// The form stays when the model is merged, as with TensorFlow's splitter. So a model that had
/// other values can come back with another length: a scalar string has its own length once more, in
/// front of its bytes.
fn elements(tensor: Message<'_>) -> Result<Rope> {
    if let Some(field) = tensor.last(TENSOR_CONTENT)?
        && let Value::Bytes(content) = field.value()
        && !content.is_empty()
    {
        return Ok(Rope::new(Span::of_value(&field)));
    }
    let proto =
        TensorProto::decode(tensor.bytes()).map_err(|error| Error::malformed(error.to_string()))?;
    let tensor = Tensor::from_proto(&proto)?;
    if let Some(bytes) = tensor.bytes() {
        return Ok(Rope::made(bytes.to_vec()));
    }
    let Some(strings) = tensor.strings() else {
        return Err(Error::unsupported(format!(
            "a constant of dtype {} that is too large for one chunk",
            tensor.dtype()
        )));
    };
    let mut content = Vec::new();
    for string in strings.iter() {
        varint::write_u64(&mut content, string.len() as u64);
    }
    content.extend_from_slice(strings.bytes());
    Ok(Rope::made(content))
}
