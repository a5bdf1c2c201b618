use super::MapOrder;
use super::entries::{Key, compare, whole_entry};
use super::field::{Cursor, LENGTH};
use super::rope::{Space, Span};
use super::scalar::{accepts, check_string, is_default, is_normal, packed_is_normal, wire_type};
use crate::error::Result;
use crate::wire::descriptor::{Kind, Message, Rule};

/// What a look at a message's own fields, not at those of the messages in it, says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// C++ would write these bytes; there are no messages in them.
    Final,
    /// It would write these fields in this order, if the messages in them are as it writes them.
    Ordered,
    /// It would write something else.
    Disordered,
}

/// Looks whether a message is as it would be written. What ends the look early is left to those who
/// put it in order, its faults too.
pub(super) fn form(
    space: Space<'_>,
    span: Span,
    message: &'static Message,
    order: MapOrder,
    depth: usize,
) -> Result<Form> {
    let mut fields = Cursor::new(space, span, depth);
    let mut last = 0;
    let mut oneofs = 0_u64;
    let mut previous_key: Option<Key> = None;
    let mut form = Form::Final;
    let mut seen_unknown = false;
    while let Some(raw) = fields.next()? {
        if !raw.minimal {
            return Ok(Form::Disordered);
        }
        let known = message.field(raw.number);
        let Some(field) = known.filter(|field| accepts(field, raw.wire_type)) else {
            seen_unknown = true;
            continue;
        };
        if seen_unknown || raw.number < last {
            return Ok(Form::Disordered);
        }
        let again = raw.number == last;
        last = raw.number;
        match field.rule {
            Rule::Packed => {
                if again
                    || raw.wire_type != LENGTH
                    || raw.body().is_empty()
                    || !packed_is_normal(space, field.kind, raw.body())?
                {
                    return Ok(Form::Disordered);
                }
                continue;
            }
            Rule::Repeated => {
                if raw.wire_type != wire_type(field.kind) {
                    return Ok(Form::Disordered);
                }
            }
            Rule::Implicit if again || is_default(space, field.kind, &raw) => {
                return Ok(Form::Disordered);
            }
            Rule::Explicit if again => return Ok(Form::Disordered),
            Rule::Implicit | Rule::Explicit => {}
        }
        if let Some(oneof) = field.oneof {
            let member = 1 << (oneof & 63);
            if oneofs & member != 0 {
                return Ok(Form::Disordered);
            }
            oneofs |= member;
        }
        match field.kind {
            Kind::Message(_) => {
                form = Form::Ordered;
                let Some(entry) = field.kind.message().filter(|inner| inner.is_map_entry) else {
                    continue;
                };
                let Some(whole) = whole_entry(space, raw.body(), entry, depth)? else {
                    return Ok(Form::Disordered);
                };
                if !again {
                    previous_key = None;
                }
                if previous_key.is_some_and(|key| compare(space, order, key, whole.key).is_ge()) {
                    return Ok(Form::Disordered);
                }
                previous_key = Some(whole.key);
            }
            Kind::String => check_string(space, message, field, &raw)?,
            Kind::Bytes => {}
            kind if !is_normal(kind, &raw) => return Ok(Form::Disordered),
            _ => {}
        }
    }
    Ok(form)
}
