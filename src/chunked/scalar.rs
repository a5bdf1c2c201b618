//! Numbers and keys of maps: what a path or a chunk says, and what stands in a message.

use super::metadata::MapKey;
use crate::error::{Error, Result};
use crate::wire::descriptor::{Enum, Kind, Rule};
use crate::wire::varint;

/// The longest text that can be a number.
pub(super) const MAX_TEXT: u64 = 400;

/// Says whether a field of this kind has this wire type; with another it is an unknown field.
pub(super) fn fits(kind: Kind, rule: Rule, wire_type: u8) -> bool {
    let own = wire_type_of(kind);
    wire_type == own || matches!(rule, Rule::Repeated | Rule::Packed) && own != 2 && wire_type == 2
}

fn wire_type_of(kind: Kind) -> u8 {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => 1,
        Kind::String | Kind::Bytes | Kind::Message(_) => 2,
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => 5,
        _ => 0,
    }
}

/// Encodes a field whose value is text: decimal, `true` or `false`, or the name of an enum's value.
///
/// No writer is known that splits such a field off; TensorFlow's reader has the rules
/// (`SetFieldElement` in `tensorflow/tools/proto_splitter/cc/util.cc`).
pub(super) fn encode(kind: Kind, number: u32, text: &[u8]) -> Result<Vec<u8>> {
    let text = std::str::from_utf8(text).map_err(|_| no_number())?;
    let mut out = Vec::new();
    varint::write_u64(
        &mut out,
        u64::from(number) << 3 | u64::from(wire_type_of(kind)),
    );
    let mut put = |value| varint::write_u64(&mut out, value);
    match kind {
        Kind::Int32 => put(parse::<i32>(text)? as u64),
        Kind::Int64 => put(parse::<i64>(text)? as u64),
        Kind::Uint32 => put(u64::from(parse::<u32>(text)?)),
        Kind::Uint64 => put(parse(text)?),
        Kind::Bool => put(match text {
            "true" => 1,
            "false" => 0,
            _ => return Err(no_number()),
        }),
        Kind::Enum(kind) => put(Enum::at(kind).number(text).ok_or_else(no_number)? as u64),
        Kind::Float => out.extend(parse::<f32>(text)?.to_le_bytes()),
        Kind::Double => out.extend(parse::<f64>(text)?.to_le_bytes()),
        _ => {
            return Err(Error::unsupported(
                "a field of this type in a chunk of its own",
            ));
        }
    }
    Ok(out)
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| no_number())
}

fn no_number() -> Error {
    Error::malformed("the chunk of a field that holds a number is no such number")
}

/// Returns the key as a map of this kind has it; `None` if it cannot have it.
pub(super) fn normal_key(kind: Kind, key: &MapKey) -> Option<MapKey> {
    Some(match (kind, key) {
        (Kind::String, MapKey::String(_)) => key.clone(),
        (Kind::Bool, MapKey::Integer(value)) => MapKey::Integer(u64::from(*value != 0)),
        (Kind::Int32, MapKey::Integer(value)) => MapKey::Integer(*value as i32 as u64),
        (Kind::Uint32, MapKey::Integer(value)) => MapKey::Integer(u64::from(*value as u32)),
        (Kind::Int64 | Kind::Uint64, MapKey::Integer(_)) => key.clone(),
        _ => return None,
    })
}

/// Returns the key of an entry that has none.
pub(super) fn default_key(kind: Kind) -> MapKey {
    match kind {
        Kind::String => MapKey::String(String::new()),
        _ => MapKey::Integer(0),
    }
}

/// Encodes a key as the field of that number.
pub(super) fn encode_key(kind: Kind, number: u32, key: &MapKey) -> Vec<u8> {
    let mut out = Vec::new();
    varint::write_u64(
        &mut out,
        u64::from(number) << 3 | u64::from(wire_type_of(kind)),
    );
    match key {
        MapKey::String(text) => {
            varint::write_u64(&mut out, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
        }
        MapKey::Integer(value) => varint::write_u64(&mut out, *value),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_numbers() {
        for (kind, text, encoded) in [
            (Kind::Int64, "1", &[0x08, 1][..]),
            (Kind::Uint32, "300", &[0x08, 0xac, 2]),
            (Kind::Bool, "true", &[0x08, 1]),
            (Kind::Float, "1", &[0x0d, 0, 0, 0x80, 0x3f]),
            (
                Kind::Int32,
                "-1",
                &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
            ),
        ] {
            assert_eq!(encode(kind, 1, text.as_bytes()).unwrap(), encoded, "{text}");
        }
        for (kind, text) in [
            (Kind::Int32, "4294967296"),
            (Kind::Bool, "1"),
            (Kind::Uint64, ""),
            (Kind::Double, "\u{ff11}"),
        ] {
            assert!(encode(kind, 1, text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_are_compared_as_the_map_has_them() {
        let wide = MapKey::Integer(u64::MAX);
        assert_eq!(
            normal_key(Kind::Uint32, &wide),
            Some(MapKey::Integer(u32::MAX.into()))
        );
        assert_eq!(normal_key(Kind::Int32, &wide), Some(wide.clone()));
        assert_eq!(normal_key(Kind::Bool, &wide), Some(MapKey::Integer(1)));
        assert_eq!(normal_key(Kind::String, &wide), None);
    }
}
