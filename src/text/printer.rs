use std::cmp::Ordering;
use std::io::Write;

use super::MAX_DEPTH;
use super::fault::excerpt;
use super::number::{write_double, write_float, write_integer};
use crate::error::{Error, Result};
use crate::wire::descriptor::{Enum, Field, Kind, Message, Rule};
use crate::wire::{self, Value, varint};

/// Prints an encoded message of the type `message`, as `tensorflow.SavedModel`, as text.
///
/// The text is that of TensorFlow 2.21's own printer, byte for byte: of Python's `str` of a message,
/// with which `tf.compat.v1.saved_model.Builder.save(as_text=True)` writes
/// (`upb/text/encode.c`). Fields ascend by number; of the entries of a map, numbers ascend and
/// strings descend. Of a scalar that stands there twice the last one is printed, and no other looked
/// at.
///
/// ```
/// let bytes = savedmodel::text::parse("dim { size: 2 } dim { size: -1 }", "tensorflow.TensorShapeProto")?;
/// let text = savedmodel::text::print(&bytes, "tensorflow.TensorShapeProto")?;
/// assert_eq!(text, "dim {\n  size: 2\n}\ndim {\n  size: -1\n}\n");
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// # Errors
///
/// As for [`Printer::print`].
pub fn print(bytes: impl AsRef<[u8]>, message: &str) -> Result<String> {
    let mut text = Vec::new();
    Printer::new(message)?.print(bytes, &mut text)?;
    String::from_utf8(text).map_err(|error| {
        Error::malformed("the text is not UTF-8").at(error.utf8_error().valid_up_to() as u64)
    })
}

/// Says what becomes of fields that the schema does not have, and of those whose wire type is not
/// that of the schema.
///
/// Text has names only for what is known, and its readers refuse bare numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownFields {
    /// Nothing is printed, and the error says which field it is.
    #[default]
    Refuse,
    /// They are left out, as by TensorFlow's printer. An entry of a map keeps what is known of it,
    /// as in C++; Python would leave it out.
    Drop,
}

/// Prints encoded messages of one type.
///
/// ```
/// use savedmodel::text::{Printer, UnknownFields};
///
/// // A field 99 with the value 1, which no version of the schema has.
/// let shape = [0x12, 2, 8, 3, 0x98, 0x06, 1];
/// let printer = Printer::new("tensorflow.TensorShapeProto")?;
/// let mut text = Vec::new();
/// let error = printer.print(shape, &mut text).unwrap_err();
/// assert!(error.to_string().contains("field 99"));
///
/// let mut text = Vec::new();
/// printer.unknown_fields(UnknownFields::Drop).print(shape, &mut text)?;
/// assert_eq!(text, b"dim {\n  size: 3\n}\n");
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Printer {
    message: &'static Message,
    unknown: UnknownFields,
}

impl Printer {
    /// Makes a printer for messages of that type; all of [`proto`](crate::proto) are known by their
    /// full names.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the schema has no message of that name.
    pub fn new(message: &str) -> Result<Self> {
        Ok(Printer {
            message: Message::required(message)?,
            unknown: UnknownFields::default(),
        })
    }

    /// Sets what becomes of unknown fields. Default: [`UnknownFields::Refuse`].
    pub fn unknown_fields(mut self, unknown: UnknownFields) -> Self {
        self.unknown = unknown;
        self
    }

    /// Prints a message. The text goes to `out` in pieces and is never in memory as a whole.
    ///
    /// # Errors
    ///
    /// `Malformed` if the bytes are no such message, if a string in it is not UTF-8, or if messages
    /// nest deeper than 100 levels; `Unsupported` if there is an unknown field; each with its offset.
    /// `Io` is what `out` says. What was printed before is in `out` then.
    pub fn print(&self, bytes: impl AsRef<[u8]>, out: &mut impl Write) -> Result<()> {
        let mut printing = Printing {
            message: self.message,
            to: out,
            out: Vec::with_capacity(2 * PIECE),
            found: Vec::new(),
            path: Vec::new(),
            unknown: self.unknown,
        };
        let whole = wire::Message::new(bytes.as_ref());
        printing.message(&[whole], self.message)?;
        Ok(printing.to.write_all(&printing.out)?)
    }
}

/// So much text is gathered before it goes on its way.
const PIECE: usize = 1 << 18;

struct Printing<'a, W> {
    message: &'static Message,
    to: &'a mut W,
    out: Vec<u8>,
    /// The fields of all open messages, the outermost first: one list for all, to save allocations.
    found: Vec<Found<'a>>,
    /// The fields that hold the open messages.
    path: Vec<&'static Field>,
    unknown: UnknownFields,
}

#[derive(Clone, Copy)]
struct Found<'a> {
    /// Into the fields of the message type.
    index: u16,
    field: wire::Field<'a>,
}

impl<'a, W: Write> Printing<'a, W> {
    /// Prints the fields of a message, which a file may hold in several pieces.
    fn message(&mut self, pieces: &[wire::Message<'a>], schema: &'static Message) -> Result<()> {
        let base = self.found.len();
        self.gather(pieces, schema)?;
        if !schema.oneofs.is_empty() {
            self.settle_oneofs(base, schema);
        }
        if !self.found[base..].is_sorted_by_key(|found| found.index) {
            self.found[base..].sort_by_key(|found| found.index);
        }
        let end = self.found.len();
        let mut start = base;
        while start < end {
            let index = self.found[start].index;
            let same = self.found[start..end].partition_point(|found| found.index == index);
            self.field(&schema.fields[usize::from(index)], start, start + same)?;
            start += same;
        }
        self.found.truncate(base);
        Ok(())
    }

    /// Appends the known fields of a message to `found`, in the order of the file.
    fn gather(&mut self, pieces: &[wire::Message<'a>], schema: &'static Message) -> Result<()> {
        let mut guess = 0;
        for piece in pieces {
            for field in piece.fields() {
                let field = field?;
                let known = schema.field_numbered(field.number(), guess);
                let Some(index) = known.filter(|&i| schema.fields[i].may_hold(field.value()))
                else {
                    self.check_unknown(schema, &field)?;
                    continue;
                };
                guess = index + usize::from(!schema.fields[index].repeats());
                self.found.push(Found {
                    index: index as u16,
                    field,
                });
            }
        }
        Ok(())
    }

    /// Removes the members of oneofs that a later one replaced.
    fn settle_oneofs(&mut self, base: usize, schema: &'static Message) {
        let oneof = |found: &Found<'_>| schema.fields[usize::from(found.index)].oneof;
        for number in 0..schema.oneofs.len() {
            let found = &self.found[base..];
            let is_member = |found: &&Found<'_>| oneof(found) == Some(number as u8);
            let Some(last) = found.iter().rev().find(is_member).map(|found| found.index) else {
                continue;
            };
            let replaced = found
                .iter()
                .rposition(|found| oneof(found) == Some(number as u8) && found.index != last);
            if let Some(replaced) = replaced {
                let mut position = 0;
                let members = self.found.split_off(base);
                self.found.extend(members.into_iter().filter(|found| {
                    position += 1;
                    position > replaced + 1 || oneof(found) != Some(number as u8)
                }));
            }
        }
    }

    /// Prints a field, which stands in `found[start..end]`.
    fn field(&mut self, field: &'static Field, start: usize, end: usize) -> Result<()> {
        if self.out.len() >= PIECE {
            self.flush()?;
        }
        let Some(schema) = field.kind.message() else {
            return self.scalars(field, start, end);
        };
        if schema.is_map_entry {
            return self.map(field, schema, start, end);
        }
        if field.repeats() || end - start == 1 {
            for i in start..end {
                if let Some(message) = self.found[i].field.message() {
                    self.block(field, &[message], schema)?;
                }
            }
            return Ok(());
        }
        let pieces = self.found[start..end].iter();
        let pieces: Vec<_> = pieces.filter_map(|found| found.field.message()).collect();
        self.block(field, &pieces, schema)
    }

    fn scalars(&mut self, field: &'static Field, start: usize, end: usize) -> Result<()> {
        if !field.repeats() {
            // The last one counts.
            let last = self.found[end - 1].field;
            if field.rule == Rule::Implicit && is_default(field.kind, last.value()) {
                return Ok(());
            }
            return self.line(field, last.value(), last.offset());
        }
        for i in start..end {
            let found = self.found[i].field;
            match found.value() {
                Value::Bytes(bytes) if !matches!(field.kind, Kind::String | Kind::Bytes) => {
                    self.packed(field, bytes, &found)?;
                }
                value => self.line(field, value, found.offset())?,
            }
        }
        Ok(())
    }

    /// Prints the values of a packed field, each on a line of its own.
    fn packed(
        &mut self,
        field: &'static Field,
        bytes: &[u8],
        found: &wire::Field<'_>,
    ) -> Result<()> {
        let header = (found.raw().len() - bytes.len()) as u64;
        let mut rest = bytes;
        while !rest.is_empty() {
            let offset = found.offset() + header + (bytes.len() - rest.len()) as u64;
            let cut = || Error::malformed("a packed field ends within a value").at(offset);
            let (value, len) = match field.kind {
                Kind::Fixed32 | Kind::Sfixed32 | Kind::Float => {
                    let bytes = rest.first_chunk().ok_or_else(cut)?;
                    (Value::Fixed32(u32::from_le_bytes(*bytes)), 4)
                }
                Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => {
                    let bytes = rest.first_chunk().ok_or_else(cut)?;
                    (Value::Fixed64(u64::from_le_bytes(*bytes)), 8)
                }
                _ => {
                    let (value, len) = varint::read_u64(rest).ok_or_else(cut)?;
                    (Value::Varint(value), len)
                }
            };
            self.line(field, value, offset)?;
            rest = &rest[len..];
            if self.out.len() >= PIECE {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Prints a map: of entries with the same key the last, in the order of upb.
    fn map(
        &mut self,
        field: &'static Field,
        schema: &'static Message,
        start: usize,
        end: usize,
    ) -> Result<()> {
        let [key_field, value_field] = schema.fields else {
            return Err(Error::malformed("a map's entry is a key and a value"));
        };
        let mut entries = Vec::with_capacity(end - start);
        for i in start..end {
            if let Some(message) = self.found[i].field.message() {
                self.path.push(field);
                let key = self.key(message, key_field, schema)?;
                self.path.pop();
                entries.push((key, message));
            }
        }
        entries.sort_by(|a, b| a.0.compare(&b.0));
        for (i, (key, message)) in entries.iter().enumerate() {
            let replaced = entries.get(i + 1).is_some_and(|next| next.0 == *key);
            if !replaced {
                self.entry(field, key, key_field, value_field, *message)?;
            }
        }
        Ok(())
    }

    /// Finds the key of an entry; a missing one is the default.
    fn key(
        &mut self,
        entry: wire::Message<'a>,
        key_field: &'static Field,
        schema: &'static Message,
    ) -> Result<MapKey<'a>> {
        let mut key = MapKey {
            value: default_value(key_field.kind),
            offset: entry.start(),
        };
        for field in entry.fields() {
            let field = field?;
            let known = schema.field_numbered(field.number(), 0);
            let Some(index) = known.filter(|&i| schema.fields[i].may_hold(field.value())) else {
                self.check_unknown(schema, &field)?;
                continue;
            };
            if index == 0 {
                key = MapKey {
                    value: field.value(),
                    offset: field.offset(),
                };
            }
        }
        key.value = narrowed(key_field.kind, key.value);
        Ok(key)
    }

    fn entry(
        &mut self,
        field: &'static Field,
        key: &MapKey<'a>,
        key_field: &'static Field,
        value_field: &'static Field,
        entry: wire::Message<'a>,
    ) -> Result<()> {
        let values = entry.fields().filter_map(Result::ok).filter(|found| {
            found.number() == value_field.number && value_field.may_hold(found.value())
        });
        self.open(field)?;
        self.line(key_field, key.value, key.offset)?;
        match value_field.kind.message() {
            Some(schema) => {
                let pieces: Vec<_> = values.filter_map(|found| found.message()).collect();
                self.block(value_field, &pieces, schema)?;
            }
            None => match values.last() {
                Some(found) => self.line(value_field, found.value(), found.offset())?,
                None => {
                    self.line(value_field, default_value(value_field.kind), entry.start())?;
                }
            },
        }
        self.close();
        Ok(())
    }

    /// Prints a message with its name and braces.
    fn block(
        &mut self,
        field: &'static Field,
        pieces: &[wire::Message<'a>],
        schema: &'static Message,
    ) -> Result<()> {
        self.open(field)?;
        self.message(pieces, schema)?;
        self.close();
        Ok(())
    }

    fn open(&mut self, field: &'static Field) -> Result<()> {
        if self.path.len() >= MAX_DEPTH {
            return Err(Error::malformed(format!(
                "messages nest deeper than {MAX_DEPTH} levels in `{}`",
                field.name
            )));
        }
        self.indent();
        self.out.extend_from_slice(field.name.as_bytes());
        self.out.extend_from_slice(b" {\n");
        self.path.push(field);
        Ok(())
    }

    fn close(&mut self) {
        self.path.pop();
        self.indent();
        self.out.extend_from_slice(b"}\n");
    }

    /// Prints a scalar with its name.
    #[inline]
    fn line(&mut self, field: &'static Field, value: Value<'_>, offset: u64) -> Result<()> {
        self.indent();
        self.out.extend_from_slice(field.name.as_bytes());
        self.out.extend_from_slice(b": ");
        match (field.kind, value) {
            (Kind::Bytes, Value::Bytes(bytes)) => self.bytes(bytes)?,
            (Kind::String, Value::Bytes(bytes)) => self.string(field, bytes, offset)?,
            (kind, Value::Varint(value)) => self.integer(kind, value),
            (Kind::Float, Value::Fixed32(bits)) => {
                write_float(&mut self.out, f32::from_bits(bits));
            }
            (Kind::Double, Value::Fixed64(bits)) => {
                write_double(&mut self.out, f64::from_bits(bits));
            }
            (Kind::Sfixed32, Value::Fixed32(bits)) => self.signed((bits as i32).into()),
            (Kind::Sfixed64, Value::Fixed64(bits)) => self.signed(bits as i64),
            (_, Value::Fixed32(bits)) => write_integer(&mut self.out, bits.into(), false),
            (_, Value::Fixed64(bits)) => write_integer(&mut self.out, bits, false),
            // `may_hold` lets nothing else pass.
            _ => {
                let what = format!("`{}` has an impossible wire type", self.path_of(field));
                return Err(Error::malformed(what).at(offset));
            }
        }
        self.out.push(b'\n');
        Ok(())
    }

    fn integer(&mut self, kind: Kind, value: u64) {
        match kind {
            Kind::Bool => {
                let text: &[u8] = if value == 0 { b"false" } else { b"true" };
                self.out.extend_from_slice(text);
            }
            Kind::Enum(index) => match Enum::at(index).name_of(value as i32) {
                Some(name) => self.out.extend_from_slice(name.as_bytes()),
                None => self.signed((value as i32).into()),
            },
            Kind::Int32 => self.signed((value as i32).into()),
            Kind::Int64 => self.signed(value as i64),
            Kind::Sint32 => {
                let value = value as u32;
                self.signed(((value >> 1) as i32 ^ -((value & 1) as i32)).into());
            }
            Kind::Sint64 => self.signed((value >> 1) as i64 ^ -((value & 1) as i64)),
            Kind::Uint32 => write_integer(&mut self.out, (value as u32).into(), false),
            _ => write_integer(&mut self.out, value, false),
        }
    }

    fn signed(&mut self, value: i64) {
        write_integer(&mut self.out, value.unsigned_abs(), value < 0);
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.push(b'"');
        for piece in bytes.chunks(PIECE / 4) {
            for &byte in piece {
                if matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\'' | b'\\') {
                    self.out.push(byte);
                } else {
                    self.escape(byte);
                }
            }
            if self.out.len() >= PIECE {
                self.flush()?;
            }
        }
        self.out.push(b'"');
        Ok(())
    }

    fn string(&mut self, field: &'static Field, bytes: &[u8], offset: u64) -> Result<()> {
        self.out.push(b'"');
        for chunk in bytes.utf8_chunks() {
            for &byte in chunk.valid().as_bytes() {
                if matches!(byte, 0..b' ' | 0x7f | b'"' | b'\'' | b'\\') {
                    self.escape(byte);
                } else {
                    self.out.push(byte);
                }
            }
            if !chunk.invalid().is_empty() && self.innermost().checks_utf8 {
                let what = format!("string `{}` is not UTF-8", self.path_of(field));
                return Err(Error::malformed(what).at(offset));
            }
            for &byte in chunk.invalid() {
                self.escape(byte);
            }
        }
        self.out.push(b'"');
        Ok(())
    }

    /// The type of the message that is being printed.
    fn innermost(&self) -> &'static Message {
        let field = self.path.last().and_then(|field| field.kind.message());
        field.unwrap_or(self.message)
    }

    fn escape(&mut self, byte: u8) {
        let octal = |shift: u8| b'0' + (byte >> shift & 7);
        match byte {
            b'\n' => self.out.extend_from_slice(b"\\n"),
            b'\r' => self.out.extend_from_slice(b"\\r"),
            b'\t' => self.out.extend_from_slice(b"\\t"),
            b'"' | b'\'' | b'\\' => self.out.extend_from_slice(&[b'\\', byte]),
            _ => self
                .out
                .extend_from_slice(&[b'\\', octal(6), octal(3), octal(0)]),
        }
    }

    fn indent(&mut self) {
        const SPACES: [u8; 2 * MAX_DEPTH] = [b' '; 2 * MAX_DEPTH];
        let width = (2 * self.path.len()).min(SPACES.len());
        self.out.extend_from_slice(&SPACES[..width]);
    }

    fn flush(&mut self) -> Result<()> {
        self.to.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    fn check_unknown(&self, schema: &'static Message, field: &wire::Field<'_>) -> Result<()> {
        if self.unknown == UnknownFields::Drop {
            return Ok(());
        }
        let names: Vec<_> = self.path.iter().map(|field| field.name).collect();
        let place = match names.is_empty() {
            true => String::new(),
            false => format!(" in `{}`", names.join(".")),
        };
        let what = format!(
            "field {} of {}{place} is unknown, and text cannot carry it",
            field.number(),
            schema.name
        );
        Err(Error::unsupported(what)
            .at(field.offset())
            .remedy("keep the binary form, or ask for unknown fields to be dropped"))
    }

    fn path_of(&self, field: &'static Field) -> String {
        let names = self.path.iter().chain([&field]).map(|field| field.name);
        names.collect::<Vec<_>>().join(".")
    }
}

/// The key of a map's entry, cut to the bits its type has.
struct MapKey<'a> {
    value: Value<'a>,
    offset: u64,
}

impl MapKey<'_> {
    /// The order of upb: numbers ascend as if they had no sign, strings descend, but one that
    /// begins another comes before it.
    fn compare(&self, other: &Self) -> Ordering {
        match (self.value, other.value) {
            (Value::Bytes(a), Value::Bytes(b)) => {
                let len = a.len().min(b.len());
                b[..len].cmp(&a[..len]).then(a.len().cmp(&b.len()))
            }
            _ => self.number().cmp(&other.number()),
        }
    }

    fn number(&self) -> u64 {
        match self.value {
            Value::Varint(value) | Value::Fixed64(value) => value,
            Value::Fixed32(value) => value.into(),
            _ => 0,
        }
    }
}

impl PartialEq for MapKey<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.compare(other) == Ordering::Equal
    }
}

impl Field {
    fn repeats(&self) -> bool {
        matches!(self.rule, Rule::Repeated | Rule::Packed)
    }

    /// Whether the wire type is one the field may have: with another one it is an unknown field.
    #[inline]
    fn may_hold(&self, value: Value<'_>) -> bool {
        match (self.kind, value) {
            (Kind::String | Kind::Bytes | Kind::Message(_), value) => {
                matches!(value, Value::Bytes(_))
            }
            (_, Value::Bytes(_)) => self.repeats(),
            (kind, value) => {
                std::mem::discriminant(&value) == std::mem::discriminant(&default_value(kind))
            }
        }
    }
}

fn default_value(kind: Kind) -> Value<'static> {
    match kind {
        Kind::String | Kind::Bytes | Kind::Message(_) => Value::Bytes(b""),
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => Value::Fixed32(0),
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => Value::Fixed64(0),
        _ => Value::Varint(0),
    }
}

/// Cuts a number to the bits its type has: more may stand on the wire.
fn narrowed(kind: Kind, value: Value<'_>) -> Value<'_> {
    match (kind, value) {
        (Kind::Bool, Value::Varint(value)) => Value::Varint((value != 0).into()),
        (Kind::Int32 | Kind::Enum(_), Value::Varint(value)) => {
            Value::Varint(i64::from(value as i32) as u64)
        }
        (Kind::Uint32 | Kind::Sint32, Value::Varint(value)) => Value::Varint((value as u32).into()),
        _ => value,
    }
}

fn is_default(kind: Kind, value: Value<'_>) -> bool {
    match narrowed(kind, value) {
        Value::Varint(value) | Value::Fixed64(value) => value == 0,
        Value::Fixed32(value) => value == 0,
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::Group(_) => false,
    }
}

impl Message {
    /// Finds a message type that a caller names.
    pub(super) fn required(name: &str) -> Result<&'static Message> {
        Message::named(name).ok_or_else(|| {
            Error::invalid_argument(format!("the schema has no message `{}`", excerpt(name)))
        })
    }
}
