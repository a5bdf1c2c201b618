use super::field::{FIXED32, FIXED64, LENGTH, RawField, VARINT, read_varint};
use super::rope::{Space, Span};
use crate::error::{Error, Result};
use crate::wire::descriptor::{Field, Kind, Message, Rule};
use crate::wire::varint;

/// The wire type of one value.
#[inline]
pub(super) fn wire_type(kind: Kind) -> u8 {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => FIXED64,
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => FIXED32,
        Kind::String | Kind::Bytes | Kind::Message(_) => LENGTH,
        _ => VARINT,
    }
}

/// Whether a field of the schema can hold what stands on the wire; otherwise it is unknown.
#[inline]
pub(super) fn accepts(field: &Field, wire: u8) -> bool {
    let own = wire_type(field.kind);
    own == wire || wire == LENGTH && matches!(field.rule, Rule::Packed | Rule::Repeated)
}

/// What remains of a varint in a field of that kind.
#[inline]
pub(super) fn normal(kind: Kind, value: u64) -> u64 {
    match kind {
        Kind::Int32 | Kind::Enum(_) => i64::from(value as i32) as u64,
        Kind::Uint32 | Kind::Sint32 => u64::from(value as u32),
        Kind::Bool => u64::from(value != 0),
        _ => value,
    }
}

/// Whether a value, which is one varint or a number of fixed width, would be written just so.
#[inline]
pub(super) fn is_normal(kind: Kind, raw: &RawField) -> bool {
    raw.minimal && (raw.wire_type != VARINT || normal(kind, raw.value) == raw.value)
}

/// Whether a value is the same as none.
#[inline]
pub(super) fn is_default(space: Space<'_>, kind: Kind, raw: &RawField) -> bool {
    match raw.wire_type {
        VARINT => normal(kind, raw.value) == 0,
        LENGTH => raw.body().is_empty(),
        _ => space.get(raw.body()).iter().all(|&byte| byte == 0),
    }
}

/// Refuses a string that C++ refuses.
#[inline]
pub(super) fn check_string(
    space: Space<'_>,
    message: &Message,
    field: &Field,
    raw: &RawField,
) -> Result<()> {
    if field.kind != Kind::String || !message.checks_utf8 {
        return Ok(());
    }
    let bytes = space.get(raw.body());
    if bytes.is_ascii() || std::str::from_utf8(bytes).is_ok() {
        return Ok(());
    }
    Err(Error::malformed(format!(
        "the string `{}` in field `{}` of {} is not UTF-8",
        bytes[..bytes.len().min(64)].escape_ascii(),
        field.name,
        message.name,
    ))
    .at(u64::from(raw.span.start)))
}

/// How long packed values are as C++ writes them.
pub(super) fn packed_len(space: Space<'_>, kind: Kind, body: Span) -> Result<u64> {
    let bytes = space.get(body);
    let fault = |what: &str| Err(Error::malformed(what).at(u64::from(body.start)));
    let size = match wire_type(kind) {
        FIXED64 => 8,
        FIXED32 => 4,
        _ => 1,
    };
    if size > 1 {
        return match bytes.len() % size {
            0 => Ok(bytes.len() as u64),
            _ => fault("packed numbers are cut"),
        };
    }
    let (mut rest, mut len) = (bytes, 0);
    while !rest.is_empty() {
        let Some((value, digits)) = read_varint(rest) else {
            return fault("a packed varint is cut or too long");
        };
        len += varint::len_u64(normal(kind, value)) as u64;
        rest = rest.get(digits..).unwrap_or_default();
    }
    Ok(len)
}

/// Whether packed values would be written just so. Faults are left to [`packed_len`].
pub(super) fn packed_is_normal(space: Space<'_>, kind: Kind, body: Span) -> Result<bool> {
    let bytes = space.get(body);
    if wire_type(kind) != VARINT {
        packed_len(space, kind, body)?;
        return Ok(true);
    }
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        if first < 0x80 {
            if kind == Kind::Bool && first > 1 {
                return Ok(false);
            }
            rest = &rest[1..];
            continue;
        }
        match read_varint(rest) {
            Some((value, digits)) if digits == varint::len_u64(normal(kind, value)) => {
                if normal(kind, value) != value {
                    return Ok(false);
                }
                rest = rest.get(digits..).unwrap_or_default();
            }
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// Writes packed values, which [`packed_len`] has walked.
pub(super) fn write_packed(bytes: &[u8], kind: Kind, mut each: impl FnMut(u64)) {
    let mut rest = bytes;
    while let Some((value, digits)) = read_varint(rest) {
        each(normal(kind, value));
        rest = rest.get(digits..).unwrap_or_default();
    }
}
