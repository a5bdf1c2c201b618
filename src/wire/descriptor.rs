//! The schema as static tables, which `build.rs` writes from `protos/`.

/// A message type of the schema.
#[derive(Debug)]
pub(crate) struct Message {
    /// The full name: `tensorflow.NodeDef`, `tensorflow.NodeDef.AttrEntry`.
    pub(crate) name: &'static str,
    /// Whether it is the entry of a map, made from `map<K, V>`: key 1, value 2.
    pub(crate) is_map_entry: bool,
    /// Whether a string in it that is not UTF-8 makes the whole message unreadable.
    pub(crate) checks_utf8: bool,
    /// Ascending by number.
    pub(crate) fields: &'static [Field],
    /// Indices into `fields`, ascending by name.
    by_name: &'static [u16],
    /// The names that [`Field::oneof`] points to.
    pub(crate) oneofs: &'static [&'static str],
}

/// A field of a message type.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) rule: Rule,
    /// The oneof it is a member of, as an index into [`Message::oneofs`].
    pub(crate) oneof: Option<u8>,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(dead_code, reason = "the schema does not use every scalar type")]
pub(crate) enum Kind {
    Double,
    Float,
    Int64,
    Uint64,
    Int32,
    Fixed64,
    Fixed32,
    Bool,
    String,
    Bytes,
    Uint32,
    Sfixed32,
    Sfixed64,
    Sint32,
    Sint64,
    /// Of that index among the enums; see [`Kind::enumeration`].
    Enum(u16),
    /// Of that index among the messages; see [`Kind::message`].
    Message(u16),
}

/// How often a field may stand in a message, and whether its default value is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    /// Once; the default value is the same as none.
    Implicit,
    /// Once; set to its default value is different from not set.
    Explicit,
    Repeated,
    /// Repeated, and on the wire one field holds all values.
    Packed,
}

/// An enum of the schema. All are open: numbers without a name are values too.
pub(crate) struct Enum {
    pub(crate) name: &'static str,
    /// Ascending by name.
    values: &'static [(&'static str, i32)],
    /// Indices into `values`, ascending by number.
    by_number: &'static [u16],
}

include!(concat!(env!("OUT_DIR"), "/descriptor_tables.rs"));

impl Message {
    /// Finds a message type by its full name.
    pub(crate) fn named(name: &str) -> Option<&'static Message> {
        let found = MESSAGES.binary_search_by(|message| message.name.cmp(name));
        found.ok().map(|i| &MESSAGES[i])
    }

    /// Finds a field by its number.
    #[inline]
    pub(crate) fn field(&self, number: u32) -> Option<&'static Field> {
        // Most messages number their fields from 1 without a gap.
        let guess = self.fields.get(number.wrapping_sub(1) as usize);
        if let Some(field) = guess.filter(|field| field.number == number) {
            return Some(field);
        }
        let found = self
            .fields
            .binary_search_by(|field| field.number.cmp(&number));
        found.ok().and_then(|i| self.fields.get(i))
    }

    /// Finds a field by its name; returns its index in `fields` too.
    #[inline]
    pub(crate) fn field_named(&self, name: &str) -> Option<(usize, &'static Field)> {
        let found = self
            .by_name
            .binary_search_by(|&i| self.fields[usize::from(i)].name.cmp(name))
            .ok()?;
        let index = usize::from(self.by_name[found]);
        Some((index, &self.fields[index]))
    }

    /// Finds a field by its number; returns its index in `fields`. `guess` is tried first.
    #[inline]
    pub(crate) fn field_numbered(&self, number: u32, guess: usize) -> Option<usize> {
        if self
            .fields
            .get(guess)
            .is_some_and(|field| field.number == number)
        {
            return Some(guess);
        }
        let found = self
            .fields
            .binary_search_by(|field| field.number.cmp(&number));
        found.ok()
    }
}

impl Kind {
    /// The type of a message field.
    #[inline]
    pub(crate) fn message(self) -> Option<&'static Message> {
        match self {
            Kind::Message(index) => MESSAGES.get(usize::from(index)),
            _ => None,
        }
    }
}

impl Enum {
    /// The enum of that index.
    pub(crate) fn at(index: u16) -> &'static Enum {
        &ENUMS[usize::from(index)]
    }

    /// Finds the number of a value by its name.
    pub(crate) fn number(&self, name: &str) -> Option<i32> {
        let found = self.values.binary_search_by(|value| value.0.cmp(name));
        found.ok().map(|i| self.values[i].1)
    }

    /// Finds the name of a number; where it has several, the one declared first.
    pub(crate) fn name_of(&self, number: i32) -> Option<&'static str> {
        let value = |i: &u16| self.values[usize::from(*i)];
        let first = self.by_number.partition_point(|i| value(i).1 < number);
        let (name, found) = value(self.by_number.get(first)?);
        (found == number).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_as_their_searches_need() {
        assert!(MESSAGES.is_sorted_by(|a, b| a.name < b.name));
        for message in MESSAGES {
            assert!(message.fields.is_sorted_by(|a, b| a.number < b.number));
            for (index, field) in message.fields.iter().enumerate() {
                assert_eq!(message.field_named(field.name).unwrap().0, index);
                assert_eq!(message.field(field.number).unwrap().name, field.name);
            }
        }
        for kind in ENUMS {
            assert!(kind.values.is_sorted_by(|a, b| a.0 < b.0), "{}", kind.name);
            for (name, number) in kind.values {
                assert_eq!(kind.name_of(*number), Some(*name), "{}", kind.name);
            }
        }
    }

    #[test]
    fn fields_are_what_the_schema_says() {
        let node = Message::named("tensorflow.NodeDef").unwrap();
        let attr = node.field_named("attr").unwrap().1;
        assert_eq!((attr.number, attr.rule), (5, Rule::Repeated));
        let entry = attr.kind.message().unwrap();
        assert_eq!(entry.name, "tensorflow.NodeDef.AttrEntry");
        assert!(entry.is_map_entry);

        let shape = Message::named("tensorflow.AttrValue.ListValue").unwrap();
        assert_eq!(shape.field_named("i").unwrap().1.rule, Rule::Packed);
        let value = Message::named("tensorflow.AttrValue").unwrap();
        let f = value.field_named("f").unwrap().1;
        assert_eq!((f.rule, f.oneof), (Rule::Explicit, Some(0)));
        assert_eq!(value.oneofs, ["value"]);
        let name = node.field_named("name").unwrap().1;
        assert_eq!((name.rule, name.kind), (Rule::Implicit, Kind::String));

        let trace = Message::named("tensorflow.GraphDebugInfo.FileLineCol").unwrap();
        let line = trace.field_named("line").unwrap().1;
        assert_eq!(line.rule, Rule::Explicit, "proto2");
        assert!(!trace.checks_utf8 && node.checks_utf8);
        assert!(node.field(0).is_none() && node.field(99).is_none());
        assert!(Message::named("tensorflow.Node").is_none());
        assert!(node.field_named("attrs").is_none());
        let Kind::Enum(kind) = value.field_named("type").unwrap().1.kind else {
            panic!("an enum");
        };
        assert_eq!(Enum::at(kind).number("DT_FLOAT"), Some(1));
        assert_eq!(Enum::at(kind).name_of(1), Some("DT_FLOAT"));
        assert_eq!(Enum::at(kind).name_of(99), None);
        assert_eq!(node.field_numbered(5, 0), Some(4));
        assert_eq!(node.field_numbered(5, 4), Some(4));
        assert_eq!(node.field_numbered(99, 4), None);
    }
}
