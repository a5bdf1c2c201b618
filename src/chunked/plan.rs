use std::collections::HashMap;
use std::sync::Arc;

use super::contents::{Contents, FieldAt, Held, Walk};
use super::file::ChunkedProto;
use super::metadata::{ChunkedField, ChunkedMessage, FieldIndex, MapKey};
use super::order::sorted;
use super::scalar;
use crate::error::{Error, Result};
use crate::wire::descriptor::{Field, Kind, Message, Rule};

/// How deep messages may nest; protobuf's own readers stop there.
const MAX_DEPTH: u32 = 100;
/// The fields of every map entry.
const KEY: u32 = 1;
const VALUE: u32 = 2;

/// Where everything goes: the message as a tree of pieces of chunks.
///
/// Merging messages is joining their bytes, in protobuf, so a chunk is added to a message by its
/// number. A message is looked into only if a path leads through it, and then no further than its
/// own fields.
pub(super) struct Plan<'a> {
    file: &'a ChunkedProto,
    pub(super) nodes: Vec<Node>,
    contents: HashMap<u32, Contents>,
    /// The records in memory, under the begin of their Riegeli chunk.
    pub(super) held: HashMap<u64, Arc<Held>>,
}

/// A message in the making. Those that stand in it have higher numbers.
pub(super) struct Node {
    message: &'static Message,
    depth: u32,
    pub(super) pieces: Vec<Piece>,
    /// Present once every piece is one field.
    fields: Option<Fields>,
}

/// A piece of a message.
pub(super) enum Piece {
    /// Whole fields, from one byte of a chunk to another.
    Span { chunk: u32, start: u64, end: u64 },
    /// A message in the making.
    Node { number: u32, node: u32 },
    /// A field whose value is a whole chunk.
    Leaf { number: u32, chunk: u32 },
    /// A field as it is.
    Inline(Box<[u8]>),
    /// What a later piece took the place of.
    Gone,
}

/// Where the fields of a message are.
#[derive(Default)]
struct Fields {
    /// The pieces that are known fields, under their numbers.
    pieces: HashMap<u32, Vec<u32>>,
    maps: HashMap<u32, Keys>,
}

/// The entries of a map, by their keys.
#[derive(Default)]
struct Keys {
    /// How many of the field's pieces have been read.
    read: usize,
    entries: HashMap<MapKey, u32>,
}

/// What a path leads to.
enum Target {
    Message(u32),
    /// Set, and done.
    Value,
}

impl Node {
    pub(super) fn is_looked_into(&self) -> bool {
        self.fields.is_some()
    }
}

impl<'a> Plan<'a> {
    pub(super) fn new(file: &'a ChunkedProto, message: &'static Message) -> Self {
        let root = Node {
            message,
            depth: 0,
            pieces: Vec::new(),
            fields: None,
        };
        Plan {
            file,
            nodes: vec![root],
            contents: HashMap::new(),
            held: HashMap::new(),
        }
    }

    /// Puts the whole message together.
    pub(super) fn merge(&mut self, message: &ChunkedMessage) -> Result<()> {
        self.merge_into(0, message)
    }

    fn merge_into(&mut self, node: u32, message: &ChunkedMessage) -> Result<()> {
        if message.chunk_index.is_some() {
            self.append_chunk(node, message.chunk_index)?;
        }
        for field in sorted(&message.chunked_fields)? {
            self.place(node, field)?;
        }
        Ok(())
    }

    /// Brings a chunked field to where its path leads from a message.
    fn place(&mut self, root: u32, field: &ChunkedField) -> Result<()> {
        let chunk = field.message.chunk_index;
        if field.field_tag.is_empty() {
            // What stands in such a field is not looked at, as in TensorFlow.
            return match chunk {
                Some(_) => self.append_chunk(root, chunk),
                None => Ok(()),
            };
        }
        let (mut path, mut node) = (&field.field_tag[..], root);
        while !path.is_empty() {
            match self.step(node, &mut path, chunk)? {
                Target::Message(next) => node = next,
                Target::Value => return Ok(()),
            }
        }
        self.merge_into(node, &field.message)
    }

    /// Takes one step of a path: a field, with an index or key.
    fn step(&mut self, node: u32, path: &mut &[FieldIndex], chunk: Option<u64>) -> Result<Target> {
        let [FieldIndex::Field(number), rest @ ..] = *path else {
            return Err(Error::malformed(
                "a path has an index or key without a field",
            ));
        };
        let message = self.nodes[node as usize].message;
        let Some(field) = field_of(message, *number) else {
            return Err(Error::malformed(format!(
                "a path leads through field {number} of {}, which there is not",
                message.name
            )));
        };
        let (selector, rest) = match rest {
            [FieldIndex::Field(_), ..] | [] => (None, rest),
            [selector, rest @ ..] => (Some(selector), rest),
        };
        *path = rest;
        let is_repeated = matches!(field.rule, Rule::Repeated | Rule::Packed);
        let entry = field.kind.message().filter(|message| message.is_map_entry);
        match (entry, selector) {
            (Some(entry), Some(FieldIndex::MapKey(key))) => {
                let node = self.entry(node, field, entry, key)?;
                match entry.fields.iter().find(|field| field.number == VALUE) {
                    Some(value) => self.singular(node, value, rest, chunk),
                    None => Err(wrong_step(message, field)),
                }
            }
            (None, Some(FieldIndex::Index(index))) if is_repeated => {
                self.element(node, field, *index, rest, chunk)
            }
            (None, None) if !is_repeated => self.singular(node, field, rest, chunk),
            _ => Err(wrong_step(message, field)),
        }
    }

    /// Goes into a singular message, or sets a value, with which a path must end.
    fn singular(
        &mut self,
        node: u32,
        field: &Field,
        rest: &[FieldIndex],
        chunk: Option<u64>,
    ) -> Result<Target> {
        if let Some(message) = field.kind.message() {
            return self.only(node, field, message).map(Target::Message);
        }
        self.look_into(node)?;
        let piece = self.value(node, field, rest, chunk)?;
        if let Some(last) = self
            .pieces_of(node, field.number)
            .and_then(|at| at.last().copied())
        {
            self.nodes[node as usize].pieces[last as usize] = Piece::Gone;
        }
        self.push(node, field.number, piece);
        Ok(Target::Value)
    }

    /// Makes the piece for a value that is a whole chunk.
    fn value(
        &mut self,
        node: u32,
        field: &Field,
        rest: &[FieldIndex],
        chunk: Option<u64>,
    ) -> Result<Piece> {
        if !rest.is_empty() {
            return Err(wrong_step(self.nodes[node as usize].message, field));
        }
        let (id, size) = self.file.check(chunk)?;
        let number = field.number;
        match field.kind {
            Kind::Bytes | Kind::String => Ok(Piece::Leaf { number, chunk: id }),
            kind => {
                if size > scalar::MAX_TEXT {
                    return Err(Error::malformed("a chunk is too long for a number"));
                }
                let text = self.file.chunk(u64::from(id))?;
                Ok(Piece::Inline(scalar::encode(kind, number, &text)?.into()))
            }
        }
    }

    /// Returns the singular message of a field: all that there is of it, in one place.
    fn only(&mut self, node: u32, field: &Field, message: &'static Message) -> Result<u32> {
        self.look_into(node)?;
        // What stands before another member of the same oneof was cleared by it.
        let cleared = self.last_rival(node, field);
        let there = self
            .pieces_of(node, field.number)
            .map_or(&[][..], Vec::as_slice);
        let first = there.partition_point(|at| cleared.is_some_and(|cleared| *at < cleared));
        let there = there[first..].to_vec();
        let [first, others @ ..] = &there[..] else {
            let child = self.new_node(node, message, Vec::new())?;
            let number = field.number;
            self.push(
                node,
                number,
                Piece::Node {
                    number,
                    node: child,
                },
            );
            return Ok(child);
        };
        let child = self.child(node, *first, message)?;
        for other in others {
            if let Piece::Span { chunk, start, end } =
                self.nodes[node as usize].pieces[*other as usize]
            {
                let value = self.field_in(chunk, start, end)?.value;
                self.append(child, chunk, value, end)?;
                self.nodes[node as usize].pieces[*other as usize] = Piece::Gone;
            }
        }
        if let Some(fields) = &mut self.nodes[node as usize].fields {
            fields.pieces.insert(field.number, vec![*first]);
        }
        Ok(child)
    }

    /// Returns the last piece that is another member of the field's oneof.
    fn last_rival(&self, node: u32, field: &Field) -> Option<u32> {
        let oneof = field.oneof?;
        let fields = self.nodes[node as usize].message.fields.iter();
        let rivals = fields.filter(|f| f.oneof == Some(oneof) && f.number != field.number);
        rivals
            .filter_map(|rival| self.pieces_of(node, rival.number)?.last().copied())
            .max()
    }

    /// Goes to an element of a list, or makes the one behind the last.
    fn element(
        &mut self,
        node: u32,
        field: &Field,
        index: u64,
        rest: &[FieldIndex],
        chunk: Option<u64>,
    ) -> Result<Target> {
        self.look_into(node)?;
        let count = self.pieces_of(node, field.number).map_or(0, Vec::len);
        let at = usize::try_from(index).ok().and_then(|index| {
            let pieces = self.pieces_of(node, field.number)?;
            pieces.get(index).copied()
        });
        match (field.kind.message(), at) {
            (Some(message), Some(at)) => self.child(node, at, message).map(Target::Message),
            (Some(message), None) if index == count as u64 => {
                let child = self.new_node(node, message, Vec::new())?;
                let number = field.number;
                self.push(
                    node,
                    number,
                    Piece::Node {
                        number,
                        node: child,
                    },
                );
                Ok(Target::Message(child))
            }
            (None, Some(at)) if matches!(field.kind, Kind::Bytes | Kind::String) => {
                let piece = self.value(node, field, rest, chunk)?;
                self.nodes[node as usize].pieces[at as usize] = piece;
                Ok(Target::Value)
            }
            (None, Some(_)) => Err(wrong_step(self.nodes[node as usize].message, field)),
            _ => Err(Error::malformed(format!(
                "a path leads to element {index} of `{}`, which has {count}",
                field.name
            ))),
        }
    }

    /// Returns the entry of a map under a key; a new one if there is none.
    fn entry(
        &mut self,
        node: u32,
        field: &Field,
        entry: &'static Message,
        key: &MapKey,
    ) -> Result<u32> {
        let Some(key_field) = field_of(entry, KEY) else {
            return Err(wrong_step(entry, field));
        };
        let key = scalar::normal_key(key_field.kind, key)
            .ok_or_else(|| wrong_step(self.nodes[node as usize].message, field))?;
        self.look_into(node)?;
        self.read_keys(node, field.number, key_field.kind)?;
        let keys = self.keys(node, field.number);
        if let Some(at) = keys.and_then(|keys| keys.entries.get(&key).copied()) {
            return self.child(node, at, entry);
        }
        let child = self.new_node(node, entry, Vec::new())?;
        self.look_into(child)?;
        let inline = scalar::encode_key(key_field.kind, KEY, &key).into();
        self.push(child, KEY, Piece::Inline(inline));
        let at = self.nodes[node as usize].pieces.len() as u32;
        let number = field.number;
        self.push(
            node,
            number,
            Piece::Node {
                number,
                node: child,
            },
        );
        if let Some(keys) = self.keys(node, number) {
            keys.entries.insert(key, at);
            keys.read += 1;
        }
        Ok(child)
    }

    fn keys(&mut self, node: u32, number: u32) -> Option<&mut Keys> {
        let fields = self.nodes[node as usize].fields.as_mut()?;
        Some(fields.maps.entry(number).or_default())
    }

    /// Reads the keys of entries that were not read yet. Of equal ones the last counts.
    fn read_keys(&mut self, node: u32, number: u32, kind: Kind) -> Result<()> {
        let read = self.keys(node, number).map_or(0, |keys| keys.read);
        let there = self.pieces_of(node, number).map_or(&[][..], Vec::as_slice);
        let unread = there[read.min(there.len())..].to_vec();
        for at in unread {
            let Piece::Span { chunk, start, end } = self.nodes[node as usize].pieces[at as usize]
            else {
                continue;
            };
            let value = self.field_in(chunk, start, end)?.value;
            let contents = self.contents(chunk)?;
            let mut walk = Walk::new(&contents, self.file.records(), value, end);
            let mut key = scalar::default_key(kind);
            while let Some(field) = walk.next_field()? {
                if field.number != KEY || !scalar::fits(kind, Rule::Explicit, field.wire_type) {
                    continue;
                }
                key = match kind {
                    Kind::String => {
                        let mut text = vec![0; (field.end - field.value) as usize];
                        contents.copy(self.file.records(), field.value, &mut text)?;
                        match String::from_utf8(text) {
                            Ok(text) => MapKey::String(text),
                            Err(_) => return Err(Error::malformed("a map's key is not UTF-8")),
                        }
                    }
                    _ => MapKey::Integer(field.varint),
                };
            }
            let key = scalar::normal_key(kind, &key).unwrap_or(key);
            if let Some(keys) = self.keys(node, number) {
                keys.entries.insert(key, at);
            }
        }
        let count = self.pieces_of(node, number).map_or(0, Vec::len);
        if let Some(keys) = self.keys(node, number) {
            keys.read = count;
        }
        Ok(())
    }

    /// Returns the node of a piece that is a message, and makes it one.
    fn child(&mut self, node: u32, at: u32, message: &'static Message) -> Result<u32> {
        match self.nodes[node as usize].pieces[at as usize] {
            Piece::Node { node, .. } => Ok(node),
            Piece::Span { chunk, start, end } => {
                let field = self.field_in(chunk, start, end)?;
                let start = field.value;
                let child =
                    self.new_node(node, message, vec![Piece::Span { chunk, start, end }])?;
                self.nodes[node as usize].pieces[at as usize] = Piece::Node {
                    number: field.number,
                    node: child,
                };
                Ok(child)
            }
            _ => Err(Error::malformed("a path leads through what is no message")),
        }
    }

    fn new_node(
        &mut self,
        parent: u32,
        message: &'static Message,
        pieces: Vec<Piece>,
    ) -> Result<u32> {
        let depth = self.nodes[parent as usize].depth + 1;
        let number = u32::try_from(self.nodes.len()).ok();
        match number.filter(|_| depth <= MAX_DEPTH) {
            Some(number) => {
                self.nodes.push(Node {
                    message,
                    depth,
                    pieces,
                    fields: None,
                });
                Ok(number)
            }
            None => Err(Error::malformed("a path leads too deep")),
        }
    }

    fn append_chunk(&mut self, node: u32, chunk: Option<u64>) -> Result<()> {
        let (id, size) = self.file.check(chunk)?;
        self.append(node, id, 0, size)
    }

    /// Merges a part of a chunk into a message.
    fn append(&mut self, node: u32, chunk: u32, start: u64, end: u64) -> Result<()> {
        match self.nodes[node as usize].fields {
            Some(_) => self.append_fields(node, chunk, start, end),
            None => {
                let pieces = &mut self.nodes[node as usize].pieces;
                pieces.push(Piece::Span { chunk, start, end });
                Ok(())
            }
        }
    }

    /// Makes every piece of a message one field.
    fn look_into(&mut self, node: u32) -> Result<()> {
        let there = &mut self.nodes[node as usize];
        if there.fields.is_some() {
            return Ok(());
        }
        there.fields = Some(Fields::default());
        for piece in std::mem::take(&mut there.pieces) {
            if let Piece::Span { chunk, start, end } = piece {
                self.append_fields(node, chunk, start, end)?;
            }
        }
        Ok(())
    }

    fn append_fields(&mut self, node: u32, chunk: u32, start: u64, end: u64) -> Result<()> {
        let contents = self.contents(chunk)?;
        let message = self.nodes[node as usize].message;
        let mut walk = Walk::new(&contents, self.file.records(), start, end);
        while let Some(FieldAt {
            number,
            wire_type,
            start,
            end,
            ..
        }) = walk.next_field()?
        {
            let piece = Piece::Span { chunk, start, end };
            let known = field_of(message, number)
                .is_some_and(|field| scalar::fits(field.kind, field.rule, wire_type));
            match known {
                true => self.push(node, number, piece),
                // To TensorFlow, and to all who read it, an unknown field.
                false => self.nodes[node as usize].pieces.push(piece),
            }
        }
        Ok(())
    }

    fn push(&mut self, node: u32, number: u32, piece: Piece) {
        let node = &mut self.nodes[node as usize];
        let at = node.pieces.len() as u32;
        node.pieces.push(piece);
        if let Some(fields) = &mut node.fields {
            fields.pieces.entry(number).or_default().push(at);
        }
    }

    fn pieces_of(&self, node: u32, number: u32) -> Option<&Vec<u32>> {
        self.nodes[node as usize]
            .fields
            .as_ref()?
            .pieces
            .get(&number)
    }

    /// Reads the field that a span is.
    fn field_in(&mut self, chunk: u32, start: u64, end: u64) -> Result<FieldAt> {
        let contents = self.contents(chunk)?;
        let mut walk = Walk::new(&contents, self.file.records(), start, end);
        let field = walk.next_field()?;
        field.ok_or_else(|| Error::malformed("a chunk changed while it was read"))
    }

    fn contents(&mut self, chunk: u32) -> Result<Contents> {
        if let Some(contents) = self.contents.get(&chunk) {
            return Ok(contents.clone());
        }
        let contents = self.file.contents(chunk, &mut self.held)?;
        let size = self.held.values().map(|held| held.len()).sum();
        self.file.check_limit("what chunks decompress to", size)?;
        self.contents.insert(chunk, contents.clone());
        Ok(contents)
    }
}

fn field_of(message: &'static Message, number: u32) -> Option<&'static Field> {
    let found = message
        .fields
        .binary_search_by_key(&number, |field| field.number);
    found.ok().map(|at| &message.fields[at])
}

fn wrong_step(message: &Message, field: &Field) -> Error {
    Error::malformed(format!(
        "a path leads through `{}` of {} in a way that its type does not have",
        field.name, message.name
    ))
}
