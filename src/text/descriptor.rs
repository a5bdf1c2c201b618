//! The schema as static tables, which `build.rs` writes from `protos/`.

/// A message type of the schema.
pub(crate) struct Message {
    /// The full name: `tensorflow.NodeDef`, `tensorflow.NodeDef.AttrEntry`.
    pub(crate) name: &'static str,
    /// Whether it is the entry of a map, made from `map<K, V>`: key 1, value 2.
    pub(crate) is_map_entry: bool,
    /// Ascending by number.
    pub(crate) fields: &'static [Field],
    /// Indices into `fields`, ascending by name.
    by_name: &'static [u16],
    /// The names that [`Field::oneof`] points to.
    pub(crate) oneofs: &'static [&'static str],
}

/// A field of a message type.
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
}

include!(concat!(env!("OUT_DIR"), "/descriptor_tables.rs"));

impl Message {
    /// Finds a message type by its full name.
    pub(crate) fn named(name: &str) -> Option<&'static Message> {
        let found = MESSAGES.binary_search_by(|message| message.name.cmp(name));
        found.ok().map(|i| &MESSAGES[i])
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
            }
        }
        for kind in ENUMS {
            assert!(kind.values.is_sorted_by(|a, b| a.0 < b.0), "{}", kind.name);
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
        assert!(Message::named("tensorflow.Node").is_none());
        assert!(node.field_named("attrs").is_none());
        let Kind::Enum(kind) = value.field_named("type").unwrap().1.kind else {
            panic!("an enum");
        };
        assert_eq!(Enum::at(kind).number("DT_FLOAT"), Some(1));
    }
}
