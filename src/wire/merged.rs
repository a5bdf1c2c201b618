use super::message::{Field, Fields, Message, Value};
use crate::error::Result;

/// How many singular messages may stand one in the other.
const MAX_PATH: usize = 3;

/// A singular message field, found by the path of field numbers that leads to it.
///
/// A file may hold such a field more than once, and protobuf then merges all of them into one
/// message. The merged message's fields are those of its parts one after the other, so they can be
/// walked without making it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Merged<'a> {
    root: Message<'a>,
    path: [u32; MAX_PATH],
    depth: usize,
}

impl<'a> Merged<'a> {
    /// Starts a path at a message that is there once, such as an element of a repeated field.
    pub(crate) fn new(root: Message<'a>) -> Self {
        Merged {
            root,
            path: [0; MAX_PATH],
            depth: 0,
        }
    }

    /// Returns the message at the start of the path.
    pub(crate) fn root(self) -> Message<'a> {
        self.root
    }

    /// Returns the singular message in field `number` of this one.
    pub(crate) fn child(mut self, number: u32) -> Self {
        debug_assert!(self.depth < MAX_PATH);
        if let Some(step) = self.path.get_mut(self.depth) {
            *step = number;
            self.depth += 1;
        }
        self
    }

    /// Walks the fields of all parts.
    pub(crate) fn fields(self) -> MergedFields<'a> {
        let mut open = [const { None }; MAX_PATH + 1];
        open[0] = Some(self.root.fields());
        MergedFields {
            path: self.path,
            depth: self.depth,
            level: 0,
            open,
        }
    }

    /// Returns the messages that are merged; none if the field is absent.
    pub(crate) fn parts(self) -> Result<Vec<Message<'a>>> {
        let Some(last) = self.depth.checked_sub(1) else {
            return Ok(vec![self.root]);
        };
        let parent = Merged {
            depth: last,
            ..self
        };
        messages(parent.fields(), self.path[last]).collect()
    }

    /// Returns the last bytes or string in field `number`, which is the one that counts.
    pub(crate) fn last_bytes(self, number: u32) -> Result<Option<(&'a [u8], u64)>> {
        let mut last = None;
        for field in self.fields() {
            let field = field?;
            if let Value::Bytes(bytes) = field.value()
                && field.number() == number
            {
                last = Some((bytes, field.offset()));
            }
        }
        Ok(last)
    }

    /// Returns the last integer in field `number`, or 0.
    pub(crate) fn last_varint(self, number: u32) -> Result<u64> {
        let mut last = 0;
        for field in self.fields() {
            let field = field?;
            if let Value::Varint(value) = field.value()
                && field.number() == number
            {
                last = value;
            }
        }
        Ok(last)
    }
}

/// Picks the messages in field `number`. One of another wire type is an unknown field to
/// TensorFlow, and so it is here.
pub(crate) fn messages<'a>(
    fields: impl Iterator<Item = Result<Field<'a>>>,
    number: u32,
) -> impl Iterator<Item = Result<Message<'a>>> {
    fields.filter_map(move |field| match field {
        Ok(field) if field.number() == number => match field.value() {
            Value::Bytes(_) => field.message().map(Ok),
            _ => None,
        },
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

/// The walk over the fields of a merged message; ends after the first error.
#[derive(Clone, Debug)]
pub(crate) struct MergedFields<'a> {
    path: [u32; MAX_PATH],
    depth: usize,
    /// How far down the path the walk is; the fields given out are those at `depth`.
    level: usize,
    open: [Option<Fields<'a>>; MAX_PATH + 1],
}

impl<'a> Iterator for MergedFields<'a> {
    type Item = Result<Field<'a>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.open[self.level].as_mut().and_then(Iterator::next) {
                None if self.level == 0 => return None,
                None => self.level -= 1,
                Some(Ok(field)) if self.level == self.depth => return Some(Ok(field)),
                Some(Ok(field)) => {
                    if field.number() == self.path[self.level]
                        && let Value::Bytes(_) = field.value()
                        && let Some(message) = field.message()
                    {
                        self.level += 1;
                        self.open[self.level] = Some(message.fields());
                    }
                }
                Some(Err(error)) => {
                    self.level = 0;
                    self.open[0] = None;
                    return Some(Err(error));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_walked_as_one_message() {
        let bytes = [
            0x12, 0x06, // 2: message of 6 bytes
            0x0a, 0x02, 0x08, 0x01, //   1: { 1: 1 }
            0x18, 0x07, //   3: 7
            0x10, 0x05, // 2 again, as a varint: unknown
            0x12, 0x04, // 2: message of 4 bytes
            0x0a, 0x02, 0x10, 0x02, //   1: { 2: 2 }
        ];
        let outer = Merged::new(Message::new(&bytes)).child(2);
        let numbers = |merged: Merged<'_>| -> Vec<(u32, u64)> {
            merged
                .fields()
                .map(|field| field.map(|field| (field.number(), field.offset())).unwrap())
                .collect()
        };
        assert_eq!(numbers(outer), [(1, 2), (3, 6), (1, 12)]);
        assert_eq!(numbers(outer.child(1)), [(1, 4), (2, 14)]);
        assert_eq!(outer.child(1).parts().unwrap().len(), 2);
        assert!(outer.child(9).parts().unwrap().is_empty());
        assert_eq!(outer.last_varint(3).unwrap(), 7);
    }

    #[test]
    fn damage_inside_ends_the_walk() {
        let bytes = [
            0x12, 0x01, 0x08, // 2: { 1: a varint that is cut }
            0x12, 0x02, 0x08, 0x01, // 2: { 1: 1 }
        ];
        let mut fields = Merged::new(Message::new(&bytes)).child(2).fields();
        assert_eq!(fields.next().unwrap().unwrap_err().offset(), Some(2));
        assert!(fields.next().is_none());
    }
}
