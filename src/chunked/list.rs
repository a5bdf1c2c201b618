use super::rope::{Rope, Span, field_len};
use crate::wire::Field;

/// The elements of a repeated field of messages: where they stand in the model, and what some of them
/// became.
#[derive(Debug)]
pub(super) struct List {
    number: u32,
    elements: Vec<Element>,
    /// Elements that are others now, by index, in order.
    changed: Vec<(usize, Rope)>,
    len: u64,
}

#[derive(Clone, Copy, Debug)]
struct Element {
    value: Span,
    /// How long the tag and length in front of it are.
    header: u32,
}

/// An element on its way into a message.
pub(super) enum Item {
    /// As it was.
    Same { field: Span, value: Span },
    /// What it became.
    Changed(Rope),
}

impl List {
    pub(super) fn new(number: u32) -> Self {
        List {
            number,
            elements: Vec::new(),
            changed: Vec::new(),
            len: 0,
        }
    }

    /// Appends an element as it stands in the model.
    #[inline]
    pub(super) fn push(&mut self, field: &Field<'_>) {
        let value = Span::of_value(field);
        self.len += field_len(self.number, value.len);
        self.elements.push(Element {
            value,
            header: (field.raw().len() as u64 - value.len) as u32,
        });
    }

    /// Returns how much all elements take in their message, tags and lengths included.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Returns where the elements stand in the model, without tags and lengths.
    pub(super) fn values(&self) -> impl Iterator<Item = Span> + '_ {
        self.elements.iter().map(|element| element.value)
    }

    /// Puts other messages in place of the elements of those indices, which are in order and behind
    /// all that were changed before.
    pub(super) fn change(&mut self, changes: Vec<(usize, Rope)>) {
        for (index, message) in changes {
            if let Some(element) = self.elements.get(index) {
                self.len -= field_len(self.number, element.value.len);
                self.len += field_len(self.number, message.len());
                self.changed.push((index, message));
            }
        }
    }

    /// Returns how long each element is, tag and length not counted.
    pub(super) fn lens(&self) -> impl Iterator<Item = u64> + '_ {
        let mut changed = self.changed.iter().peekable();
        self.values().enumerate().map(move |(index, value)| {
            let now = changed.next_if(|(at, _)| *at == index);
            now.map_or(value.len, |(_, message)| message.len())
        })
    }

    /// Takes all elements out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Item> {
        let elements = std::mem::take(&mut self.elements);
        let mut changed = std::mem::take(&mut self.changed).into_iter().peekable();
        self.len = 0;
        elements
            .into_iter()
            .enumerate()
            .map(
                move |(index, element)| match changed.next_if(|(at, _)| *at == index) {
                    Some((_, message)) => Item::Changed(message),
                    None => Item::Same {
                        value: element.value,
                        field: Span {
                            start: element.value.start - u64::from(element.header),
                            len: element.value.len + u64::from(element.header),
                        },
                    },
                },
            )
    }

    /// Appends all elements to a message.
    pub(super) fn into_message(mut self, message: &mut Rope) {
        let number = self.number;
        self.drain()
            .for_each(|item| item.into_message(number, message));
    }
}

impl Item {
    /// Appends the element to a message.
    pub(super) fn into_message(self, number: u32, message: &mut Rope) {
        match self {
            // Tags and lengths can take more bytes than they need; those are written anew.
            Item::Same { field, value } if field.len == field_len(number, value.len) => {
                message.push(field);
            }
            Item::Same { value, .. } => message.push_field(number, Rope::new(value)),
            Item::Changed(value) => message.push_field(number, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Message;

    /// Elements `a`, `bb`, nothing and `ccc`; the length of `bb` has two bytes where one is enough.
    const MODEL: &[u8] = b"\x0a\x01a\x0a\x82\x00bb\x0a\x00\x0a\x03ccc";

    fn list() -> List {
        let mut list = List::new(1);
        for field in Message::new(MODEL).fields() {
            list.push(&field.unwrap());
        }
        list
    }

    #[test]
    fn what_is_together_in_the_model_stays_one_part() {
        let (list, mut message) = (list(), Rope::default());
        assert_eq!(list.lens().collect::<Vec<_>>(), [1, 2, 0, 3]);
        assert_eq!(list.len(), 3 + 4 + 2 + 5);
        list.into_message(&mut message);
        // The end of `bb` is followed by the element behind it.
        let parts: [&[u8]; 3] = [b"\x0a\x01a", b"\x0a\x02", b"bb\x0a\x00\x0a\x03ccc"];
        assert_eq!(message.parts(MODEL), parts);
        assert_eq!(message.len(), 14);
    }

    #[test]
    fn elements_become_others() {
        let (mut list, mut message) = (list(), Rope::default());
        list.change(vec![(0, Rope::default()), (2, Rope::made(b"new".to_vec()))]);
        assert_eq!(list.lens().collect::<Vec<_>>(), [0, 2, 3, 3]);
        assert_eq!(list.len(), 2 + 4 + 5 + 5);
        for (i, item) in list.drain().enumerate() {
            assert_eq!(matches!(item, Item::Changed(_)), i % 2 == 0);
            item.into_message(1, &mut message);
        }
        assert_eq!(message.len(), 16);
        let bytes = message.parts(MODEL).concat();
        assert_eq!(bytes, b"\x0a\x00\x0a\x02bb\x0a\x03new\x0a\x03ccc");
        assert_eq!((list.len(), list.lens().count()), (0, 0));
    }
}
