use crate::error::{Error, Result};
use crate::wire::{Field, Message, Value, varint};

/// How deep messages may stand in each other; protobuf's own readers stop there too.
const MAX_DEPTH: usize = 100;

/// Says what the chunks of a file are and how they make one message: `ChunkMetadata` of
/// `tensorflow/tools/proto_splitter/chunk.proto`, the last record of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkMetadata {
    /// The version of the program that split the message, 1 so far.
    pub splitter_version: i32,
    /// The version that a reader must have at least, 0 so far. TensorFlow does not compare it.
    pub join_version: i32,
    /// Versions of readers that cannot read the file.
    pub bad_consumers: Vec<i32>,
    /// The chunks in the order of their indices.
    pub chunks: Vec<ChunkInfo>,
    /// The whole message.
    pub message: ChunkedMessage,
}

/// Where a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkInfo {
    /// What it holds.
    pub kind: ChunkKind,
    /// Its length in bytes.
    pub size: u64,
    /// The position of its record, which is not the place of its first byte.
    pub offset: u64,
}

/// What a chunk holds; it does not matter for merging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChunkKind {
    /// Not said, or a number that is not known.
    Unspecified,
    /// An encoded message.
    Message,
    /// The bytes of a field.
    Bytes,
}

/// A message that is put together from a chunk and from fields that have chunks of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkedMessage {
    /// The chunk that is merged into the message first.
    pub chunk_index: Option<u64>,
    /// What is merged then. Their order means nothing: paths are sorted.
    pub chunked_fields: Vec<ChunkedField>,
}

/// A part of a message that has chunks of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkedField {
    /// The path that leads to it; empty for the message itself.
    pub field_tag: Vec<FieldIndex>,
    /// What stands there.
    pub message: ChunkedMessage,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldIndex {
    /// The field of that number.
    Field(u32),
    /// The value of that key, after the field of a map.
    MapKey(MapKey),
    /// The element of that index, after a repeated field.
    Index(u64),
}

/// The key of a map's entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MapKey {
    /// A string.
    String(String),
    /// An integer or boolean, as a varint has it.
    Integer(u64),
}

impl ChunkMetadata {
    /// Reads the message. What it does not know it refuses: the last record of a file that was cut
    /// may be any other message.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut metadata = ChunkMetadata::default();
        let mut has_message = false;
        for field in Message::new(bytes).fields() {
            let field = field?;
            match (field.number(), field.value()) {
                (1, Value::Bytes(version)) => metadata.decode_version(version)?,
                (2, Value::Bytes(info)) => metadata.chunks.push(ChunkInfo::decode(info)?),
                (3, Value::Bytes(message)) if !has_message => {
                    metadata.message = ChunkedMessage::decode(message, 1)?;
                    has_message = true;
                }
                _ => return Err(unknown("ChunkMetadata", field)),
            }
        }
        match metadata.message == ChunkedMessage::default() {
            false => Ok(metadata),
            true => Err(Error::malformed(
                "the metadata does not say what the message is",
            )),
        }
    }

    fn decode_version(&mut self, bytes: &[u8]) -> Result<()> {
        for field in Message::new(bytes).fields() {
            let field = field?;
            match (field.number(), field.value()) {
                (1, Value::Varint(version)) => self.splitter_version = version as i32,
                (2, Value::Varint(version)) => self.join_version = version as i32,
                (3, Value::Varint(version)) => self.bad_consumers.push(version as i32),
                (3, Value::Bytes(mut packed)) => {
                    while let Some((version, len)) = varint::read_u64(packed) {
                        self.bad_consumers.push(version as i32);
                        packed = &packed[len..];
                    }
                    if !packed.is_empty() {
                        return Err(unknown("VersionDef", field));
                    }
                }
                _ => return Err(unknown("VersionDef", field)),
            }
        }
        Ok(())
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_message(&mut out, 1, |out| {
            put_integer(out, 1, self.splitter_version as u64);
            if self.join_version != 0 {
                put_integer(out, 2, self.join_version as u64);
            }
            for bad in &self.bad_consumers {
                put_integer(out, 3, *bad as u64);
            }
        });
        for chunk in &self.chunks {
            put_message(&mut out, 2, |out| chunk.encode(out));
        }
        put_message(&mut out, 3, |out| self.message.encode(out));
        out
    }
}

impl ChunkInfo {
    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut info = ChunkInfo {
            kind: ChunkKind::Unspecified,
            size: 0,
            offset: 0,
        };
        for field in Message::new(bytes).fields() {
            let field = field?;
            match (field.number(), field.value()) {
                (1, Value::Varint(1)) => info.kind = ChunkKind::Message,
                (1, Value::Varint(2)) => info.kind = ChunkKind::Bytes,
                (1, Value::Varint(_)) => info.kind = ChunkKind::Unspecified,
                (2, Value::Varint(size)) => info.size = size,
                (3, Value::Varint(offset)) => info.offset = offset,
                _ => return Err(unknown("ChunkInfo", field)),
            }
        }
        Ok(info)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self.kind {
            ChunkKind::Unspecified => {}
            ChunkKind::Message => put_integer(out, 1, 1),
            ChunkKind::Bytes => put_integer(out, 1, 2),
        }
        put_integer(out, 2, self.size);
        put_integer(out, 3, self.offset);
    }
}

impl ChunkedMessage {
    fn decode(bytes: &[u8], depth: usize) -> Result<Self> {
        if depth > MAX_DEPTH {
            return Err(Error::malformed(
                "chunked messages stand in each other too deep",
            ));
        }
        let mut message = ChunkedMessage::default();
        for field in Message::new(bytes).fields() {
            let field = field?;
            match (field.number(), field.value()) {
                (1, Value::Varint(index)) => message.chunk_index = Some(index),
                (2, Value::Bytes(bytes)) => {
                    message
                        .chunked_fields
                        .push(ChunkedField::decode(bytes, depth)?);
                }
                _ => return Err(unknown("ChunkedMessage", field)),
            }
        }
        Ok(message)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        if let Some(index) = self.chunk_index {
            put_integer(out, 1, index);
        }
        for field in &self.chunked_fields {
            put_message(out, 2, |out| field.encode(out));
        }
    }
}

impl ChunkedField {
    fn decode(bytes: &[u8], depth: usize) -> Result<Self> {
        let mut chunked = ChunkedField::default();
        let mut has_message = false;
        for field in Message::new(bytes).fields() {
            let field = field?;
            match (field.number(), field.value()) {
                (1, Value::Bytes(bytes)) => chunked.field_tag.push(FieldIndex::decode(bytes)?),
                (3, Value::Bytes(bytes)) if !has_message => {
                    chunked.message = ChunkedMessage::decode(bytes, depth + 1)?;
                    has_message = true;
                }
                _ => return Err(unknown("ChunkedField", field)),
            }
        }
        // It takes a few bytes to say, so that many fields need a file that is not small.
        match has_message {
            true => Ok(chunked),
            false => Err(Error::malformed(
                "a chunked field does not say what stands there",
            )),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        for tag in &self.field_tag {
            put_message(out, 1, |out| tag.encode(out));
        }
        put_message(out, 3, |out| self.message.encode(out));
    }
}

impl FieldIndex {
    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut index = None;
        for field in Message::new(bytes).fields() {
            let field = field?;
            index = Some(match (field.number(), field.value()) {
                (1, Value::Varint(number)) => FieldIndex::Field(number as u32),
                (2, Value::Bytes(key)) => FieldIndex::MapKey(MapKey::decode(key)?),
                (3, Value::Varint(index)) => FieldIndex::Index(index),
                _ => return Err(unknown("FieldIndex", field)),
            });
        }
        index.ok_or_else(|| Error::malformed("a step of a path says nothing"))
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            FieldIndex::Field(number) => put_integer(out, 1, u64::from(*number)),
            FieldIndex::Index(index) => put_integer(out, 3, *index),
            FieldIndex::MapKey(key) => put_message(out, 2, |out| key.encode(out)),
        }
    }
}

impl MapKey {
    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut key = None;
        for field in Message::new(bytes).fields() {
            let field = field?;
            key = Some(match (field.number(), field.value()) {
                (1, Value::Bytes(text)) => match std::str::from_utf8(text) {
                    Ok(text) => MapKey::String(text.to_owned()),
                    Err(_) => return Err(Error::malformed("a key in a path is not UTF-8")),
                },
                (2, Value::Varint(value)) => MapKey::Integer(u64::from(value != 0)),
                (3..=6, Value::Varint(value)) => MapKey::Integer(value),
                _ => return Err(unknown("MapKey", field)),
            });
        }
        key.ok_or_else(|| Error::malformed("a key in a path says nothing"))
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            MapKey::String(text) => put_bytes(out, 1, text.as_bytes()),
            MapKey::Integer(value) => put_integer(out, 6, *value),
        }
    }
}

fn unknown(message: &str, field: Field<'_>) -> Error {
    Error::malformed(format!(
        "the last record is no metadata of chunks: field {} of {message} is not known",
        field.number()
    ))
    .remedy("the file may be cut short: copy it again from its source")
}

fn put_integer(out: &mut Vec<u8>, number: u32, value: u64) {
    varint::write_u64(out, u64::from(number << 3));
    varint::write_u64(out, value);
}

/// Encodes a message where it is to stand; its length is put in front of it then.
fn put_message(out: &mut Vec<u8>, number: u32, encode: impl FnOnce(&mut Vec<u8>)) {
    varint::write_u64(out, u64::from(number << 3 | 2));
    let start = out.len();
    encode(out);
    let len = out.len() - start;
    varint::write_u64(out, len as u64);
    out[start..].rotate_left(len);
}

fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    varint::write_u64(out, u64::from(number << 3 | 2));
    varint::write_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(field_tag: Vec<FieldIndex>, index: u64) -> ChunkedField {
        ChunkedField {
            field_tag,
            message: ChunkedMessage {
                chunk_index: Some(index),
                chunked_fields: Vec::new(),
            },
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let metadata = ChunkMetadata {
            splitter_version: 1,
            join_version: 9,
            bad_consumers: vec![0, 3],
            chunks: vec![
                ChunkInfo {
                    kind: ChunkKind::Message,
                    size: 70,
                    offset: 64,
                },
                ChunkInfo {
                    kind: ChunkKind::Bytes,
                    size: 1 << 40,
                    offset: 65,
                },
            ],
            message: ChunkedMessage {
                chunk_index: Some(0),
                chunked_fields: vec![
                    leaf(vec![FieldIndex::Field(2), FieldIndex::Index(0)], 1),
                    leaf(vec![FieldIndex::MapKey(MapKey::String("value".into()))], 0),
                    leaf(vec![FieldIndex::MapKey(MapKey::Integer(u64::MAX))], 0),
                    leaf(vec![], 1),
                ],
            },
        };
        let bytes = metadata.encode();
        assert_eq!(ChunkMetadata::decode(&bytes).unwrap(), metadata);
        // Root chunk 0 is said, not left out.
        assert!(bytes.windows(2).any(|pair| pair == [0x08, 0x00]));
    }

    #[test]
    fn another_message_is_refused() {
        for bytes in [
            &b""[..],
            &[0x0a, 0x00],                         // a version, no message
            &[0x1a, 0x00, 0x1a, 0x00],             // two messages
            &[0x1a, 0x02, 0x08, 0x00, 0x20, 0x01], // field 4
            &[0x1a, 0x04, 0x12, 0x02, 0x0a, 0x00], // a step of nothing
            b"junk",
        ] {
            assert!(ChunkMetadata::decode(bytes).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn depth_is_limited() {
        let mut message = ChunkedMessage::default();
        for _ in 0..200 {
            let field_tag = Vec::new();
            message = ChunkedMessage {
                chunk_index: None,
                chunked_fields: vec![ChunkedField { field_tag, message }],
            };
        }
        let metadata = ChunkMetadata {
            message,
            ..ChunkMetadata::default()
        };
        let error = ChunkMetadata::decode(&metadata.encode()).unwrap_err();
        assert!(error.to_string().contains("too deep"), "{error}");
    }
}
