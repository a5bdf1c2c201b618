use crate::error::Result;
use crate::wire::{Message, Value, varint};

/// The fields of `NodeDef`, of map entries, of `AttrValue`, `NameAttrList` and `TensorProto`.
mod field {
    pub(super) const NAME: u32 = 1;
    pub(super) const OP: u32 = 2;
    pub(super) const INPUT: u32 = 3;
    pub(super) const ATTR: u32 = 5;
    pub(super) const KEY: u32 = 1;
    pub(super) const VALUE: u32 = 2;
    pub(super) const LIST: u32 = 1;
    pub(super) const BYTES: u32 = 2;
    pub(super) const TENSOR: u32 = 8;
    pub(super) const FUNC: u32 = 10;
    pub(super) const LIST_FUNC: u32 = 9;
    pub(super) const FUNC_NAME: u32 = 1;
    pub(super) const DTYPE: u32 = 1;
    pub(super) const STRING_VAL: u32 = 8;
}

const DT_STRING: u64 = 7;

/// The op that reads tensors from a bundle.
pub(super) const RESTORE: &[u8] = b"RestoreV2";

/// The attr that names the gradient of a node: the type under which it is registered.
pub(super) const GRADIENT_OP_TYPE: &[u8] = b"_gradient_op_type";

/// A node as the walks of this module need it: name and op as bytes, the rest found when asked for.
#[derive(Clone, Copy)]
pub(super) struct RawNode<'m> {
    message: Message<'m>,
    pub(super) name: &'m [u8],
    pub(super) op: &'m [u8],
    /// Where the op stands in the file.
    pub(super) op_at: u64,
    /// The fields from the first attribute on.
    attrs: Message<'m>,
    /// Whether an attribute may name its gradient.
    pub(super) has_gradient: bool,
}

impl<'m> RawNode<'m> {
    // As a call it takes a sixth of the time of a walk only to pass its argument and result.
    #[inline(always)]
    pub(super) fn read(message: Message<'m>) -> Result<Self> {
        let (mut name, mut op): (&[u8], &[u8]) = (b"", b"");
        let (mut op_at, mut attrs_at) = (message.start(), None);
        let mut has_gradient = false;
        for field in message.fields() {
            let field = field?;
            if let Value::Bytes(bytes) = field.value() {
                match field.number() {
                    field::NAME => name = bytes,
                    field::OP => (op, op_at) = (bytes, field.offset()),
                    field::ATTR => {
                        attrs_at.get_or_insert(field.offset());
                        // Two bytes of tag and length, then the key: all writers put it first.
                        if let Some((_, key)) = bytes.split_first_chunk::<2>()
                            && key.first_chunk() == GRADIENT_OP_TYPE.first_chunk::<8>()
                        {
                            has_gradient |= key.starts_with(GRADIENT_OP_TYPE);
                        }
                    }
                    _ => {}
                }
            }
        }
        let start = attrs_at.map_or(message.bytes().len(), |at| (at - message.start()) as usize);
        let attrs = message.bytes().get(start..).unwrap_or_default();
        Ok(RawNode {
            message,
            name,
            op,
            op_at,
            attrs: Message::at(attrs, message.start() + start as u64),
            has_gradient,
        })
    }

    /// Returns the inputs, as `node`, `node:1`, `^node`, or in functions `node:output:0`.
    pub(super) fn inputs(&self) -> Result<Vec<&'m [u8]>> {
        let mut inputs = Vec::new();
        self.each_input(|input| inputs.push(input))?;
        Ok(inputs)
    }

    /// Calls `each` with the inputs.
    pub(super) fn each_input(&self, mut each: impl FnMut(&'m [u8])) -> Result<()> {
        for field in self.message.fields() {
            let field = field?;
            if let (field::INPUT, Value::Bytes(bytes)) = (field.number(), field.value()) {
                each(bytes);
            }
        }
        Ok(())
    }

    /// Calls `each` with the attributes.
    pub(super) fn each_attr(
        &self,
        mut each: impl FnMut(&'m [u8], AttrValue<'m>) -> Result<()>,
    ) -> Result<()> {
        for field in self.attrs.fields() {
            let field = field?;
            if field.number() != field::ATTR {
                continue;
            }
            let Some(entry) = field.message() else {
                continue;
            };
            let (mut key, mut value): (&[u8], _) = (b"", None);
            for part in entry.fields() {
                let part = part?;
                match (part.number(), part.value()) {
                    (field::KEY, Value::Bytes(bytes)) => key = bytes,
                    (field::VALUE, Value::Bytes(_)) => value = part.message(),
                    _ => {}
                }
            }
            if let Some(value) = value {
                each(key, AttrValue { message: value })?;
            }
        }
        Ok(())
    }

    /// Returns an attribute, if it is there.
    pub(super) fn attr(&self, name: &[u8]) -> Result<Option<AttrValue<'m>>> {
        let mut found = None;
        self.each_attr(|key, value| {
            if key == name {
                found = Some(value);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Returns the string of a `Const` node that holds exactly one.
    pub(super) fn only_string(&self) -> Result<Option<&'m [u8]>> {
        // Most constants are numbers, and that their first bytes tell.
        for field in self.attrs.fields() {
            if let Value::Bytes(entry) = field?.value()
                && is_of_numbers(entry)
            {
                return Ok(None);
            }
        }
        match self.attr(b"value")? {
            Some(value) => value.only_string(),
            None => Ok(None),
        }
    }

    /// Returns the functions that its attributes name.
    pub(super) fn functions(&self) -> Result<Vec<&'m [u8]>> {
        let mut functions = Vec::new();
        self.each_attr(|_, value| value.each_function(|name| functions.push(name)))?;
        Ok(functions)
    }

    /// Returns the strings of a `Const` node of dtype string.
    pub(super) fn strings(&self) -> Result<Vec<&'m [u8]>> {
        let mut strings = Vec::new();
        if let Some(value) = self.attr(b"value")? {
            value.each_string(|string| strings.push(string))?;
        }
        Ok(strings)
    }
}

/// The value of an attribute, not decoded.
#[derive(Clone, Copy)]
pub(super) struct AttrValue<'m> {
    message: Message<'m>,
}

impl<'m> AttrValue<'m> {
    /// Returns the bytes, if it is a string.
    pub(super) fn bytes(self) -> Result<Option<&'m [u8]>> {
        let last = self.message.last(field::BYTES)?;
        Ok(match last.map(|field| field.value()) {
            Some(Value::Bytes(bytes)) => Some(bytes),
            _ => None,
        })
    }

    /// Calls `each` with the names of functions in it.
    pub(super) fn each_function(self, mut each: impl FnMut(&'m [u8])) -> Result<()> {
        for value in self.message.fields() {
            let value = value?;
            match value.number() {
                field::FUNC => name_of(value.message(), &mut each)?,
                field::LIST => {
                    let Some(list) = value.message() else {
                        continue;
                    };
                    for item in list.fields() {
                        let item = item?;
                        if item.number() == field::LIST_FUNC {
                            name_of(item.message(), &mut each)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Calls `each` with the strings of a tensor, if it is one of strings.
    fn each_string(self, mut each: impl FnMut(&'m [u8])) -> Result<()> {
        let Some(tensor) = self.message.last(field::TENSOR)? else {
            return Ok(());
        };
        let Some(tensor) = tensor.message() else {
            return Ok(());
        };
        let mut is_string = false;
        for field in tensor.fields() {
            let field = field?;
            match (field.number(), field.value()) {
                (field::DTYPE, Value::Varint(dtype)) => is_string = dtype == DT_STRING,
                // The dtype stands first in every file that a writer made; in another nothing is lost
                // but a remark.
                _ if !is_string => return Ok(()),
                (field::STRING_VAL, Value::Bytes(bytes)) => each(bytes),
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the string of a tensor that has exactly one.
    fn only_string(self) -> Result<Option<&'m [u8]>> {
        let (mut only, mut count) = (None, 0);
        self.each_string(|string| {
            only = Some(string);
            count += 1;
        })?;
        Ok(only.filter(|_| count == 1))
    }
}

/// Says whether an attribute is a `value` with a tensor of numbers, encoded as all writers do: the key
/// first, and the dtype first in the tensor.
#[inline]
fn is_of_numbers(entry: &[u8]) -> bool {
    let dtype = || {
        let rest = entry.strip_prefix(b"\x0a\x05value\x12")?;
        let (_, len) = varint::read_u64(rest)?;
        let rest = rest[len..].strip_prefix(b"\x42")?;
        let (_, len) = varint::read_u64(rest)?;
        let rest = rest[len..].strip_prefix(b"\x08")?;
        Some(u64::from(*rest.first()?))
    };
    dtype().is_some_and(|dtype| dtype != DT_STRING)
}

fn name_of<'m>(function: Option<Message<'m>>, each: &mut impl FnMut(&'m [u8])) -> Result<()> {
    let Some(function) = function else {
        return Ok(());
    };
    if let Some(last) = function.last(field::FUNC_NAME)?
        && let Value::Bytes(bytes) = last.value()
        && !bytes.is_empty()
    {
        each(bytes);
    }
    Ok(())
}

/// Splits an input into the node's name and whether it is only waited for: `^node`, `node:1`.
pub(super) fn node_of(input: &[u8]) -> &[u8] {
    let input = input.strip_prefix(b"^").unwrap_or(input);
    match input.iter().position(|byte| *byte == b':') {
        Some(end) => &input[..end],
        None => input,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_name_their_node() {
        for (input, node) in [
            ("a/b", "a/b"),
            ("a/b:1", "a/b"),
            ("^a/b", "a/b"),
            ("a:output:0", "a"),
        ] {
            assert_eq!(node_of(input.as_bytes()), node.as_bytes());
        }
    }
}
