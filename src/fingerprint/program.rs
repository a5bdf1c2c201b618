//! The graph without what changes from one save to the next.

use super::parts;
use super::uid::{suffix_uid, without_uid};
use super::{field, no_fingerprint};
use crate::error::{Error, Result};
use crate::wire::canonical::{Cursor, RawField, Space, Span};
use crate::wire::varint;

/// A graph with the changes TensorFlow makes before it hashes one, as parts that merged are the
/// changed graph.
pub(super) struct Regularized {
    /// The nodes that have changed, and what replaces the library and the versions.
    pub(super) added: Vec<u8>,
    pub(super) parts: Vec<Span>,
}

const DT_STRING: i32 = 7;

impl Regularized {
    /// Changes a graph: functions that are called lose the number at the end of their names, calls
    /// their configuration, constant strings their values, and the library and versions go.
    ///
    /// TensorFlow has it as `SimpleDelete` in
    /// `tensorflow/core/graph/regularization/simple_delete.cc`. Where that crashes, this is an
    /// error.
    pub(super) fn new(space: Space<'_>, graph: &[Span]) -> Result<Self> {
        let mut regularized = Regularized {
            added: Vec::new(),
            parts: Vec::new(),
        };
        for &part in graph {
            let mut fields = Cursor::new(space, part, 0);
            while let Some(raw) = fields.next()? {
                match (raw.number, raw.length_delimited()) {
                    (field::LIBRARY | field::VERSIONS, Some(_)) => {}
                    (field::NODE, Some(node)) => {
                        let edit = NodeEdit::of(space, node)?;
                        let span = match edit.filter(|edit| !edit.attrs.is_empty()) {
                            Some(edit) => {
                                let start = regularized.added.len();
                                edit.write(space, node, &mut regularized.added)?;
                                Space::added(start..regularized.added.len())
                            }
                            None => raw.span,
                        };
                        regularized.keep(span);
                    }
                    _ => regularized.keep(raw.span),
                }
            }
        }
        let start = regularized.added.len();
        write_bytes(&mut regularized.added, field::LIBRARY, b"");
        write_bytes(&mut regularized.added, field::VERSIONS, b"");
        regularized.keep(Space::added(start..regularized.added.len()));
        Ok(regularized)
    }

    fn keep(&mut self, span: Span) {
        match self.parts.last_mut() {
            Some(last) if last.end == span.start => last.end = span.end,
            _ => self.parts.push(span),
        }
    }
}

/// What changes in a node: attributes, by name, with their new values.
#[derive(Default)]
struct NodeEdit {
    attrs: Vec<(&'static [u8], Vec<u8>)>,
}

impl NodeEdit {
    fn of(space: Space<'_>, node: Span) -> Result<Option<Self>> {
        match parts::string(space, &[node], field::OP)? {
            b"PartitionedCall" | b"StatefulPartitionedCall" => Self::of_call(space, node),
            b"Const" => Self::of_constant(space, node),
            _ => return Ok(None),
        }
        .map(Some)
    }

    fn of_call(space: Space<'_>, node: Span) -> Result<Self> {
        let attrs = parts::map(space, &[node], field::ATTR)?;
        let mut edit = NodeEdit::default();
        let Some(f) = attrs.get(&b"f"[..]) else {
            return Err(missing_attr(space, node, "a call", "f"));
        };
        if let Some(function) = Member::of(space, f)?
            && function.number == field::FUNC
        {
            let name = parts::string(space, &function.parts, field::NAME)?;
            if let Some(uid) = suffix_uid(name) {
                let mut renamed = Vec::new();
                write_bytes(&mut renamed, field::NAME, without_uid(name, uid));
                let mut value = joined(space, f);
                // Merged into the function that is there.
                write_bytes(&mut value, field::FUNC, &renamed);
                edit.attrs.push((b"f", value));
            }
        }
        if let Some(config) = attrs.get(&b"config_proto"[..]) {
            let mut value = without_members(space, config)?;
            write_bytes(&mut value, field::STRING, b"");
            edit.attrs.push((b"config_proto", value));
        }
        Ok(edit)
    }

    fn of_constant(space: Space<'_>, node: Span) -> Result<Self> {
        let attrs = parts::map(space, &[node], field::ATTR)?;
        let mut edit = NodeEdit::default();
        let Some(dtype) = attrs.get(&b"dtype"[..]) else {
            return Err(missing_attr(space, node, "a constant", "dtype"));
        };
        let dtype = Member::of(space, dtype)?;
        if dtype.is_some_and(|member| {
            member.number == field::TYPE
                && member.value.map(|value| value as i32) == Some(DT_STRING)
        }) {
            let Some(value) = attrs.get(&b"value"[..]) else {
                return Err(missing_attr(space, node, "a constant string", "value"));
            };
            edit.attrs.push((b"value", without_members(space, value)?));
        }
        Ok(edit)
    }

    /// Writes the node as a field of its graph. What is replaced is left out, for it may be large.
    fn write(&self, space: Space<'_>, node: Span, out: &mut Vec<u8>) -> Result<()> {
        let mut changed = Vec::new();
        let mut fields = Cursor::new(space, node, 0);
        while let Some(raw) = fields.next()? {
            if !self.replaces(space, &raw)? {
                changed.extend_from_slice(space.get(raw.span));
            }
        }
        for (name, value) in &self.attrs {
            let mut entry = Vec::new();
            write_bytes(&mut entry, field::KEY, name);
            write_bytes(&mut entry, field::VALUE, value);
            write_bytes(&mut changed, field::ATTR, &entry);
        }
        write_bytes(out, field::NODE, &changed);
        Ok(())
    }

    fn replaces(&self, space: Space<'_>, raw: &RawField) -> Result<bool> {
        let Some(entry) = raw.length_delimited().filter(|_| raw.number == field::ATTR) else {
            return Ok(false);
        };
        let name = parts::string(space, &[entry], field::KEY)?;
        Ok(self.attrs.iter().any(|(replaced, _)| *replaced == name))
    }
}

/// The member of an `AttrValue`'s oneof that is set.
struct Member {
    number: u32,
    /// Of a message.
    parts: Vec<Span>,
    /// Of an integer or an enum.
    value: Option<u64>,
}

impl Member {
    /// The last member counts. It clears the others, and if it is a message it merges with what it
    /// was before, unless another one has been set between.
    fn of(space: Space<'_>, value: &[Span]) -> Result<Option<Self>> {
        let mut found: Option<Member> = None;
        for &part in value {
            let mut fields = Cursor::new(space, part, 0);
            while let Some(raw) = fields.next()? {
                if !field::is_attr_member(&raw) {
                    continue;
                }
                let number = raw.number;
                if found.as_ref().is_none_or(|member| member.number != number) {
                    found = Some(Member {
                        number,
                        parts: Vec::new(),
                        value: None,
                    });
                }
                if let Some(member) = &mut found {
                    member.parts.extend(raw.length_delimited());
                    member.value = raw.varint();
                }
            }
        }
        Ok(found)
    }
}

fn missing_attr(space: Space<'_>, node: Span, what: &str, attr: &str) -> Error {
    let name = parts::string(space, &[node], field::NAME).unwrap_or_default();
    no_fingerprint(format!("{what} has no attribute `{attr}`")).for_key(name)
}

/// Clears the oneof of an `AttrValue`, which leaves the unknown fields.
fn without_members(space: Space<'_>, value: &[Span]) -> Result<Vec<u8>> {
    let mut left = Vec::new();
    for &part in value {
        let mut fields = Cursor::new(space, part, 0);
        while let Some(raw) = fields.next()? {
            if !field::is_attr_member(&raw) {
                left.extend_from_slice(space.get(raw.span));
            }
        }
    }
    Ok(left)
}

fn joined(space: Space<'_>, parts: &[Span]) -> Vec<u8> {
    let parts = parts.iter().flat_map(|&part| space.get(part));
    parts.copied().collect()
}

fn write_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    varint::write_u64(out, u64::from(number) << 3 | 2);
    varint::write_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
