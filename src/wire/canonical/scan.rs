use super::entries::{Key, VALUE, WholeEntry, compare, whole_entry};
use super::field::{Cursor, LENGTH, RawField};
use super::rope::{Space, Span};
use super::scalar::{accepts, check_string, is_default, is_normal, packed_is_normal, wire_type};
use super::{MAX_DEPTH, MapOrder};
use crate::error::Result;
use crate::wire::descriptor::{Kind, Message, Rule};

/// What a look at a message's own fields, not at those of the messages in it, says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// C++ would write these fields in this order, if the messages in them are as it writes them.
    Ordered,
    /// The same, but for the order of the entries of a map.
    Shuffled,
    /// It would write something else.
    Disordered,
}

/// A message in a message, or the entry of a map.
#[derive(Clone, Copy)]
pub(super) struct Child {
    pub(super) number: u32,
    /// The whole field.
    pub(super) span: Span,
    /// The key of an entry with its tag; empty if it is none.
    pub(super) key_field: Span,
    /// The message, in an entry that is its value.
    pub(super) body: Span,
    /// What the body is; an entry may have a value that is no message.
    pub(super) message: Option<&'static Message>,
    /// How deep the body stands.
    pub(super) depth: usize,
    /// Of an entry.
    pub(super) key: Option<Key>,
    /// Whether it is an entry that has its place before the one it follows.
    pub(super) is_late: bool,
}

impl Child {
    fn new(raw: &RawField, message: &'static Message, depth: usize) -> Self {
        let body = raw.body();
        Child {
            number: raw.number,
            span: raw.span,
            key_field: Span {
                start: body.start,
                end: body.start,
            },
            body,
            message: Some(message),
            depth: depth + 1,
            key: None,
            is_late: false,
        }
    }

    /// `depth` is that of the message that has the entry.
    pub(super) fn of_entry(
        raw: &RawField,
        entry: &'static Message,
        whole: &WholeEntry,
        depth: usize,
    ) -> Self {
        Child {
            number: raw.number,
            span: raw.span,
            key_field: Span {
                start: raw.body().start,
                end: whole.value.start,
            },
            body: whole.body,
            message: entry.field(VALUE).and_then(|value| value.kind.message()),
            depth: depth + 2,
            key: Some(whole.key),
            is_late: false,
        }
    }
}

/// Is shown what a look comes across.
pub(super) trait Visitor {
    /// Says whether the look goes on.
    fn child(&mut self, child: Child) -> bool;
}

impl Visitor for Vec<Child> {
    fn child(&mut self, child: Child) -> bool {
        self.push(child);
        true
    }
}

/// Looks at a message and all messages in it, in the order of the file, up to the first that is not
/// as it would be written.
///
/// A message that ends in this range has been looked at and is as it would be written.
pub(super) struct Proof<'a> {
    space: Space<'a>,
    order: MapOrder,
    /// The end of the last message that was looked at to its end.
    pub(super) end: u32,
}

impl<'a> Proof<'a> {
    pub(super) fn new(space: Space<'a>, order: MapOrder, start: u32) -> Self {
        Proof {
            space,
            order,
            end: start,
        }
    }

    /// Faults are left to those who put the message in order.
    pub(super) fn holds(&mut self, span: Span, message: &'static Message, depth: usize) -> bool {
        let form = form(self.space, span, message, self.order, depth, self);
        let holds = matches!(form, Ok(Form::Ordered));
        if holds {
            self.end = span.end;
        }
        holds
    }
}

impl Visitor for Proof<'_> {
    fn child(&mut self, child: Child) -> bool {
        let Some(message) = child.message else {
            return !child.is_late;
        };
        !child.is_late
            && child.depth <= MAX_DEPTH
            && (child.body.is_empty() || self.holds(child.body, message, child.depth))
    }
}

/// Looks whether a message is as it would be written. What ends the look early is left to those who
/// put it in order, its faults too; so is what `visitor` ends, which is called disordered.
pub(super) fn form(
    space: Space<'_>,
    span: Span,
    message: &'static Message,
    order: MapOrder,
    depth: usize,
    visitor: &mut impl Visitor,
) -> Result<Form> {
    let mut fields = Cursor::new(space, span, depth);
    let mut last = 0;
    let mut oneofs = 0_u64;
    let mut previous_key: Option<Key> = None;
    let mut form = Form::Ordered;
    let mut seen_unknown = false;
    while let Some(raw) = fields.next_here()? {
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
                let Some(inner) = field.kind.message() else {
                    return Ok(Form::Disordered);
                };
                let child = match inner.is_map_entry {
                    false => Child::new(&raw, inner, depth),
                    true => {
                        let body = raw.body();
                        let Some(whole) = whole_entry(space, body, inner, order, depth)? else {
                            return Ok(Form::Disordered);
                        };
                        let mut child = Child::of_entry(&raw, inner, &whole, depth);
                        let before = previous_key.filter(|_| again);
                        child.is_late = before
                            .is_some_and(|before| compare(space, order, before, whole.key).is_ge());
                        if child.is_late {
                            form = Form::Shuffled;
                        }
                        previous_key = Some(whole.key);
                        child
                    }
                };
                if !visitor.child(child) {
                    return Ok(Form::Disordered);
                }
            }
            Kind::String => check_string(space, message, field, &raw)?,
            Kind::Bytes => {}
            kind if !is_normal(kind, &raw) => return Ok(Form::Disordered),
            _ => {}
        }
    }
    Ok(form)
}
