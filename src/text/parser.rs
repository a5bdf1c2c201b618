use super::MAX_DEPTH;
use super::encoder::{Encoder, Scalar};
use super::fault::{Fault, excerpt};
use super::lexer::{self, Lexer, Token, TokenKind};
use crate::error::{Error, Result};
use crate::wire::descriptor::{Enum, Field, Kind, Message, Rule};

const ANY: &str = "google.protobuf.Any";

/// The prefixes C++ knows; with another one it finds no type.
const URL_PREFIXES: [&str; 2] = ["type.googleapis.com/", "type.googleprod.com/"];

/// Turns text into the bytes of a message of the type `message`: `tensorflow.SavedModel`.
///
/// The bytes are those C++ would serialize: fields ascend by number, scalars at their default are
/// left out, map entries have both key and value. Maps keep the order of the text; of entries with
/// the same key the last stays. All types of [`proto`](crate::proto) have their full names here,
/// and may stand in a `google.protobuf.Any` as `[type.googleapis.com/tensorflow.T] { ... }`.
///
/// What is accepted is what TensorFlow's C++ reader accepts, `google/protobuf/text_format.cc`, but
/// for texts that are not UTF-8, which Python refuses, messages nested deeper than 100 levels,
/// which nobody could read again, and names the schema has reserved. Unknown names are errors, so
/// text is not for exchange between versions.
///
/// ```
/// let bytes = savedmodel::text::parse("dim { size: 2 } dim { size: -1 }", "tensorflow.TensorShapeProto")?;
/// assert_eq!(bytes[..4], [0x12, 0x02, 0x08, 0x02]);
///
/// let error = savedmodel::text::parse("dims { }", "tensorflow.TensorShapeProto").unwrap_err();
/// assert_eq!(
///     error.kind().to_string(),
///     "1:1 : Message type \"tensorflow.TensorShapeProto\" has no field named \"dims\"."
/// );
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// # Errors
///
/// `Malformed` with the offset, and with line and column in front of the message, if the text is no
/// such message; `InvalidArgument` if the schema has no message of that name.
pub fn parse(text: impl AsRef<[u8]>, message: &str) -> Result<Vec<u8>> {
    let message = Message::required(message)?;
    let text = std::str::from_utf8(text.as_ref()).map_err(|error| {
        Error::malformed("the text is not UTF-8").at(error.valid_up_to() as u64)
    })?;
    Parser::new(text, message)
        .and_then(Parser::parse)
        .map_err(|fault| fault.in_text(text))
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The token that is next, not yet taken.
    token: Token,
    /// Where the last token that was taken starts.
    previous: usize,
    encoder: Encoder,
    levels: Vec<Level>,
    /// A bit for each field of each open message: whether it is set.
    set: Vec<u64>,
    /// The value of a string, kept for its memory.
    string: Vec<u8>,
}

/// An open message. A list and not recursion, so that depth costs no stack.
struct Level {
    message: &'static Message,
    /// Where its bits in `set` begin.
    set: usize,
    /// What closes it.
    end: u8,
    /// The field that holds it, if that is a list `[{}, {}]`.
    list: Option<&'static Field>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, message: &'static Message) -> Result<Self, Fault> {
        let mut lexer = Lexer::new(text);
        let token = lexer.next()?;
        let mut parser = Parser {
            lexer,
            token,
            previous: 0,
            encoder: Encoder::new(message),
            levels: Vec::new(),
            set: Vec::new(),
            string: Vec::new(),
        };
        parser.push_level(message, 0, None);
        Ok(parser)
    }

    fn parse(mut self) -> Result<Vec<u8>, Fault> {
        while let Some(level) = self.levels.last() {
            let (end, message, depth) = (level.end, level.message, self.levels.len());
            match self.token.kind {
                TokenKind::End if depth == 1 => break,
                TokenKind::End => {
                    let end = char::from(end);
                    return Err(self.fault_before(format!("Expected \"{end}\".")));
                }
                TokenKind::Symbol(symbol) if depth > 1 && symbol == end => self.close()?,
                TokenKind::Symbol(b'[') if message.name == ANY => self.expanded_any(message)?,
                _ => self.field(message)?,
            }
        }
        Ok(self.encoder.finish())
    }

    /// Reads a field up to its end, or up to the opening brace of the message in it.
    fn field(&mut self, message: &'static Message) -> Result<(), Fault> {
        let name = self.token_text();
        match self.token.kind {
            TokenKind::Identifier | TokenKind::Number => self.advance()?,
            TokenKind::Symbol(b'[') => {
                let what = format!(
                    "Message type \"{}\" does not have extensions.",
                    message.name
                );
                return Err(Fault::new(self.token.start, what));
            }
            _ => {
                let what = format!("Expected identifier or number, got {}.", excerpt(name));
                return Err(self.fault_here(what));
            }
        }
        let Some((index, field)) = message.field_named(name) else {
            return Err(self.fault_before(format!(
                "Message type \"{}\" has no field named \"{}\".",
                message.name,
                excerpt(name)
            )));
        };
        self.check_oneof(message, index, field)?;
        let repeats = matches!(field.rule, Rule::Repeated | Rule::Packed);

        if let Some(kind) = field.kind.message() {
            self.take(b':')?;
            let list = repeats && self.take(b'[')?;
            if list && self.take(b']')? {
                return self.end_field();
            }
            let end = self.opening_brace()?;
            if !repeats {
                self.mark_once(message, index, field)?;
            }
            return self.open(field, kind, end, list.then_some(field));
        }

        self.expect(b':')?;
        if !repeats {
            let is_default = self.scalar(field)?;
            if !is_default || field.rule == Rule::Explicit {
                self.mark_once(message, index, field)?;
            } else if self.is_set(index) {
                return Err(self.twice(message, field));
            }
        } else if self.take(b'[')? {
            if !self.take(b']')? {
                loop {
                    self.scalar(field)?;
                    if self.take(b']')? {
                        break;
                    }
                    self.expect(b',')?;
                }
            }
        } else {
            self.scalar(field)?;
        }
        self.end_field()
    }

    /// Reads `[type.googleapis.com/tensorflow.T] {` in a `google.protobuf.Any`.
    fn expanded_any(&mut self, any: &'static Message) -> Result<(), Fault> {
        self.expect(b'[')?;
        let mut url = self.identifier()?.to_owned();
        while self.take(b'.')? {
            url.push('.');
            url.push_str(self.identifier()?);
        }
        self.expect(b'/')?;
        url.push('/');
        let prefix = url.len();
        url.push_str(self.identifier()?);
        while self.take(b'.')? {
            url.push('.');
            url.push_str(self.identifier()?);
        }
        self.expect(b']')?;
        self.take(b':')?;

        let (prefix, name) = url.split_at(prefix);
        let known = URL_PREFIXES.contains(&prefix);
        let Some(message) = Message::named(name).filter(|_| known) else {
            return Err(self.fault_before(format!(
                "Could not find type \"{}\" stored in google.protobuf.Any.",
                excerpt(&url)
            )));
        };
        let [type_url, value] = any.fields else {
            return Err(self.fault_before("google.protobuf.Any is not what it was".to_owned()));
        };
        self.mark_once(any, 0, type_url)?;
        self.mark_once(any, 1, value)?;
        self.encoder.scalar(type_url, Scalar::Bytes(url.as_bytes()));
        let end = self.opening_brace()?;
        self.open(value, message, end, None)
    }

    fn identifier(&mut self) -> Result<&'a str, Fault> {
        let text = self.token_text();
        if self.token.kind != TokenKind::Identifier {
            return Err(self.fault_here("Expected identifier.".to_owned()));
        }
        self.advance()?;
        Ok(text)
    }

    /// Takes the brace that begins a message; returns the one that ends it.
    fn opening_brace(&mut self) -> Result<u8, Fault> {
        if self.take(b'<')? {
            return Ok(b'>');
        }
        self.expect(b'{')?;
        Ok(b'}')
    }

    fn open(
        &mut self,
        field: &'static Field,
        message: &'static Message,
        end: u8,
        list: Option<&'static Field>,
    ) -> Result<(), Fault> {
        if self.levels.len() > MAX_DEPTH {
            return Err(self.fault_before(format!(
                "Message is too deep, the parser exceeded the configured recursion limit of {MAX_DEPTH}."
            )));
        }
        self.encoder.open(field, message);
        self.push_level(message, end, list);
        Ok(())
    }

    /// Ends the innermost message, whose closing brace is next.
    fn close(&mut self) -> Result<(), Fault> {
        self.advance()?;
        self.encoder.close();
        let Some(level) = self.levels.pop() else {
            return Ok(());
        };
        self.set.truncate(level.set);
        match level.list {
            Some(field) if !self.take(b']')? => {
                self.expect(b',')?;
                let end = self.opening_brace()?;
                self.open(field, level.message, end, level.list)
            }
            _ => self.end_field(),
        }
    }

    fn push_level(&mut self, message: &'static Message, end: u8, list: Option<&'static Field>) {
        let set = self.set.len();
        self.levels.push(Level {
            message,
            set,
            end,
            list,
        });
        let words = message.fields.len().div_ceil(64);
        self.set.resize(set + words, 0);
    }

    fn end_field(&mut self) -> Result<(), Fault> {
        if !self.take(b',')? {
            self.take(b';')?;
        }
        Ok(())
    }

    fn is_set(&self, index: usize) -> bool {
        let start = self.levels.last().map_or(0, |level| level.set);
        self.set[start + index / 64] >> (index % 64) & 1 == 1
    }

    /// Notes that a singular field is set; refuses it if it is so already.
    fn mark_once(
        &mut self,
        message: &'static Message,
        index: usize,
        field: &'static Field,
    ) -> Result<(), Fault> {
        if self.is_set(index) {
            return Err(self.twice(message, field));
        }
        let start = self.levels.last().map_or(0, |level| level.set);
        self.set[start + index / 64] |= 1 << (index % 64);
        Ok(())
    }

    fn twice(&self, message: &'static Message, field: &'static Field) -> Fault {
        self.fault_before(format!(
            "Message type \"{}\" should not have multiple \"{}\" fields.",
            message.name, field.name
        ))
    }

    fn check_oneof(
        &self,
        message: &'static Message,
        index: usize,
        field: &'static Field,
    ) -> Result<(), Fault> {
        let Some(oneof) = field.oneof else {
            return Ok(());
        };
        for (other_index, other) in message.fields.iter().enumerate() {
            if other.oneof == field.oneof && other_index != index && self.is_set(other_index) {
                return Err(self.fault_before(format!(
                    "Field \"{}\" is specified along with field \"{}\", another member of oneof \
                     \"{}\" for message type \"{}\".",
                    field.name,
                    other.name,
                    message.oneofs.get(usize::from(oneof)).unwrap_or(&""),
                    message.name
                )));
            }
        }
        Ok(())
    }

    /// Reads a scalar and writes it; returns whether it is the default one.
    #[inline]
    fn scalar(&mut self, field: &'static Field) -> Result<bool, Fault> {
        let scalar = match field.kind {
            Kind::String | Kind::Bytes => {
                let checks_utf8 = self
                    .levels
                    .last()
                    .is_none_or(|level| level.message.checks_utf8);
                self.read_string(checks_utf8 && field.kind == Kind::String)?;
                Scalar::Bytes(&self.string)
            }
            Kind::Int32 => Scalar::Varint(self.signed(i32::MAX as u64)? as u64),
            Kind::Int64 => Scalar::Varint(self.signed(i64::MAX as u64)? as u64),
            Kind::Uint32 => Scalar::Varint(self.unsigned(u32::MAX.into())?),
            Kind::Uint64 => Scalar::Varint(self.unsigned(u64::MAX)?),
            Kind::Sint32 => Scalar::Varint(zigzag(self.signed(i32::MAX as u64)?)),
            Kind::Sint64 => Scalar::Varint(zigzag(self.signed(i64::MAX as u64)?)),
            Kind::Fixed32 => Scalar::Fixed32(self.unsigned(u32::MAX.into())? as u32),
            Kind::Fixed64 => Scalar::Fixed64(self.unsigned(u64::MAX)?),
            Kind::Sfixed32 => Scalar::Fixed32(self.signed(i32::MAX as u64)? as u32),
            Kind::Sfixed64 => Scalar::Fixed64(self.signed(i64::MAX as u64)? as u64),
            Kind::Float => Scalar::Fixed32(narrowed(self.float()?)),
            Kind::Double => Scalar::Fixed64(self.float()?.to_bits()),
            Kind::Bool => Scalar::Varint(self.boolean()?.into()),
            Kind::Enum(index) => Scalar::Varint(self.enumeration(Enum::at(index))? as u64),
            // `field` goes another way with messages.
            Kind::Message(_) => return Err(self.fault_here("Expected \"{\".".to_owned())),
        };
        self.encoder.scalar(field, scalar);
        Ok(scalar.is_default())
    }

    /// Reads one string or several in a row, which are one, into `self.string`.
    fn read_string(&mut self, must_be_utf8: bool) -> Result<(), Fault> {
        let start = self.token;
        self.string.clear();
        if start.kind != TokenKind::String {
            let found = excerpt(self.token_text());
            return Err(self.fault_here(format!("Expected string but found: '{found}'")));
        }
        while self.token.kind == TokenKind::String {
            lexer::unescape(self.lexer.text(self.token), &mut self.string)
                .map_err(|what| self.fault_here(what.to_owned()))?;
            self.advance()?;
        }
        if must_be_utf8 && let Err(error) = std::str::from_utf8(&self.string) {
            let what = format!("Couldn't parse string: {error}");
            return Err(Fault::new(start.start, what).showing_line());
        }
        Ok(())
    }

    fn unsigned(&mut self, max: u64) -> Result<u64, Fault> {
        let token = self.token;
        let negative = self.take(b'-')?;
        let value = self.magnitude(token, negative)?;
        if negative || value > max {
            return Err(self.out_of_range(token, negative, value));
        }
        self.advance()?;
        Ok(value)
    }

    fn signed(&mut self, max: u64) -> Result<i64, Fault> {
        let token = self.token;
        let negative = self.take(b'-')?;
        let value = self.magnitude(token, negative)?;
        if value > max + u64::from(negative) {
            return Err(self.out_of_range(token, negative, value));
        }
        self.advance()?;
        Ok(if negative {
            (value as i64).wrapping_neg()
        } else {
            value as i64
        })
    }

    /// Reads the digits that are next, but does not take them; `start` is the token they began at.
    fn magnitude(&self, start: Token, negative: bool) -> Result<u64, Fault> {
        let number = self.token_text();
        let sign = if negative { "-" } else { "" };
        let read = match self.token.kind {
            TokenKind::Number => lexer::integer(number),
            _ => None,
        };
        let what = match read {
            Some(Ok(value)) => return Ok(value),
            Some(Err(_)) => format!("Value out of range: {sign}{}", excerpt(number)),
            None => format!("Couldn't parse integer: {sign}{}", excerpt(number)),
        };
        Err(Fault::new(start.start, what).showing_line())
    }

    fn out_of_range(&self, start: Token, negative: bool, value: u64) -> Fault {
        let sign = if negative { "-" } else { "" };
        Fault::new(start.start, format!("Value out of range: {sign}{value}")).showing_line()
    }

    fn float(&mut self) -> Result<f64, Fault> {
        let start = self.token.start;
        let negative = self.take(b'-')?;
        let word = self.token_text();
        let value = match self.token.kind {
            TokenKind::Number => lexer::float(word),
            TokenKind::Identifier if word.eq_ignore_ascii_case("nan") => {
                Some(f64::from_bits(0x7ff8 << 48))
            }
            TokenKind::Identifier
                if word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("infinity") =>
            {
                Some(f64::INFINITY)
            }
            _ => None,
        };
        let Some(value) = value else {
            let sign = if negative { "-" } else { "" };
            let what = format!("Couldn't parse float: {sign}{}", excerpt(word));
            return Err(Fault::new(start, what).showing_line());
        };
        self.advance()?;
        Ok(if negative { -value } else { value })
    }

    fn boolean(&mut self) -> Result<bool, Fault> {
        let word = self.token_text();
        let value = match (self.token.kind, word) {
            (TokenKind::Identifier, "true" | "True" | "t") => Some(true),
            (TokenKind::Identifier, "false" | "False" | "f") => Some(false),
            (TokenKind::Number, number) => match lexer::integer(number) {
                Some(Ok(0)) => Some(false),
                Some(Ok(1)) => Some(true),
                _ => None,
            },
            _ => None,
        };
        let expected = || self.fault_here("Expected \"true\" or \"false\".".to_owned());
        let value = value.ok_or_else(expected)?;
        self.advance()?;
        Ok(value)
    }

    fn enumeration(&mut self, kind: &Enum) -> Result<i64, Fault> {
        if self.token.kind != TokenKind::Identifier
            && self.token.kind != TokenKind::Number
            && self.token.kind != TokenKind::Symbol(b'-')
        {
            return Err(self.no_such_value(kind));
        }
        if self.token.kind != TokenKind::Identifier {
            return self.signed(i32::MAX as u64);
        }
        let number = kind.number(self.token_text());
        let number = number.ok_or_else(|| self.no_such_value(kind))?;
        self.advance()?;
        Ok(number.into())
    }

    fn no_such_value(&self, kind: &Enum) -> Fault {
        self.fault_here(format!(
            "Enum type \"{}\" has no value named {}.",
            kind.name,
            excerpt(self.token_text())
        ))
    }

    #[inline]
    fn token_text(&self) -> &'a str {
        self.lexer.text(self.token)
    }

    #[inline]
    fn advance(&mut self) -> Result<(), Fault> {
        self.previous = self.token.start;
        self.token = self.lexer.next()?;
        Ok(())
    }

    /// Takes the symbol if it is next.
    #[inline]
    fn take(&mut self, symbol: u8) -> Result<bool, Fault> {
        let found = self.token.kind == TokenKind::Symbol(symbol);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    #[inline]
    fn expect(&mut self, symbol: u8) -> Result<(), Fault> {
        if self.take(symbol)? {
            return Ok(());
        }
        Err(self.fault_here(format!("Expected \"{}\".", char::from(symbol))))
    }

    /// A fault at the token that is next.
    fn fault_here(&self, what: String) -> Fault {
        Fault::new(self.token.start, what).showing_line()
    }

    /// A fault at the token that was taken last.
    fn fault_before(&self, what: String) -> Fault {
        Fault::new(self.previous, what)
    }
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

/// The bits of a value as `float`; not a number stays what C++ makes of it.
fn narrowed(value: f64) -> u32 {
    if value.is_nan() {
        let sign = u32::from(value.is_sign_negative()) << 31;
        return sign | 0x7fc0_0000;
    }
    (value as f32).to_bits()
}
