use crate::error::{Error, Result};

/// A Python literal of the kinds that headers have.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Text(String),
    Integer(u64),
    Boolean(bool),
    Tuple(Vec<Literal>),
    List(Vec<Literal>),
    Dict(Vec<(String, Literal)>),
}

/// So deep literals may nest; those of arrays we read are three deep.
const MAX_DEPTH: u32 = 16;

impl Literal {
    /// Reads a literal that is all of a text but for blanks around it. Nothing is evaluated.
    ///
    /// # Errors
    ///
    /// `Malformed`, at the byte of the text where it is no such literal.
    pub(super) fn parse(text: &str) -> Result<Literal> {
        let mut parser = Parser { text, at: 0 };
        let literal = parser.literal(MAX_DEPTH)?;
        match parser.peek() {
            None => Ok(literal),
            Some(_) => Err(parser.fault("the end of the header is expected")),
        }
    }

    /// Shows the literal as Python does.
    pub(super) fn repr(&self) -> String {
        let all = |parts: &[Literal]| -> String {
            let parts: Vec<String> = parts.iter().map(Literal::repr).collect();
            parts.join(", ")
        };
        match self {
            Literal::Text(text) => format!("'{}'", text.escape_default()),
            Literal::Integer(number) => number.to_string(),
            Literal::Boolean(true) => "True".to_owned(),
            Literal::Boolean(false) => "False".to_owned(),
            Literal::Tuple(parts) if parts.len() == 1 => format!("({},)", all(parts)),
            Literal::Tuple(parts) => format!("({})", all(parts)),
            Literal::List(parts) => format!("[{}]", all(parts)),
            Literal::Dict(parts) => {
                let parts: Vec<String> = parts
                    .iter()
                    .map(|(key, value)| format!("'{}': {}", key.escape_default(), value.repr()))
                    .collect();
                format!("{{{}}}", parts.join(", "))
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn literal(&mut self, depth: u32) -> Result<Literal> {
        let Some(deeper) = depth.checked_sub(1) else {
            return Err(self.fault("the header nests too deep"));
        };
        match self.peek() {
            Some('{') => self.dict(deeper),
            Some('(') => self.sequence('(', ')', deeper),
            Some('[') => self.sequence('[', ']', deeper),
            Some('\'' | '"') => self.string().map(Literal::Text),
            Some('0'..='9') => self.integer(),
            _ if self.take_word("True") => Ok(Literal::Boolean(true)),
            _ if self.take_word("False") => Ok(Literal::Boolean(false)),
            _ => Err(self.fault("a string, number, True, False, tuple or list is expected")),
        }
    }

    fn dict(&mut self, depth: u32) -> Result<Literal> {
        let mut parts: Vec<(String, Literal)> = Vec::new();
        self.expect('{')?;
        while !self.take('}') {
            let start = self.at;
            let key = self.string()?;
            if parts.iter().any(|(other, _)| *other == key) {
                self.at = start;
                return Err(self.fault("a key stands here for the second time"));
            }
            self.expect(':')?;
            parts.push((key, self.literal(depth)?));
            if !self.take(',') {
                self.expect('}')?;
                break;
            }
        }
        Ok(Literal::Dict(parts))
    }

    /// A pair of parentheses around one part, without a comma, is that part.
    fn sequence(&mut self, open: char, close: char, depth: u32) -> Result<Literal> {
        let mut parts = Vec::new();
        let mut has_comma = false;
        self.expect(open)?;
        while !self.take(close) {
            parts.push(self.literal(depth)?);
            if !self.take(',') {
                self.expect(close)?;
                break;
            }
            has_comma = true;
        }
        Ok(match open {
            '[' => Literal::List(parts),
            _ if parts.len() == 1 && !has_comma => parts.remove(0),
            _ => Literal::Tuple(parts),
        })
    }

    fn string(&mut self) -> Result<String> {
        let quote = match self.peek() {
            Some(quote @ ('\'' | '"')) => quote,
            _ => return Err(self.fault("a quoted string is expected")),
        };
        self.at += 1;
        let mut text = String::new();
        let mut escaped = false;
        for (index, c) in self.rest().char_indices() {
            match c {
                '\\' | '\'' | '"' if escaped => text.push(c),
                _ if escaped => {
                    self.at += index;
                    return Err(self.fault("an escape that no header needs"));
                }
                '\\' => {
                    escaped = true;
                    continue;
                }
                '\n' | '\r' => break,
                _ if c == quote => {
                    self.at += index + 1;
                    return Ok(text);
                }
                _ => text.push(c),
            }
            escaped = false;
        }
        Err(self.fault("a string without an end"))
    }

    fn integer(&mut self) -> Result<Literal> {
        let rest = self.rest();
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let Ok(number) = rest[..digits].parse() else {
            return Err(self.fault("a number beyond 64 bits"));
        };
        self.at += digits;
        // As Python 2 wrote long integers.
        if self.rest().starts_with('L') {
            self.at += 1;
        }
        Ok(Literal::Integer(number))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Skips blanks; returns what stands there.
    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
        self.rest().chars().next()
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += if found { c.len_utf8() } else { 0 };
        found
    }

    fn expect(&mut self, c: char) -> Result<()> {
        match self.take(c) {
            true => Ok(()),
            false => Err(self.fault(&format!("`{c}` is expected"))),
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn fault(&self, what: &str) -> Error {
        Error::malformed(format!("the array's header cannot be read: {what}")).at(self.at as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(text: &str) -> Option<u64> {
        Literal::parse(text).unwrap_err().offset()
    }

    #[test]
    fn literals_are_read_and_shown_as_python_does() {
        for text in [
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}",
            "[('qint8', '|i1')]",
            "(1,)",
            "()",
            "[]",
            "{}",
            "True",
            "18446744073709551615",
        ] {
            assert_eq!(Literal::parse(text).unwrap().repr(), text);
        }
        for (text, same) in [
            (" {\"a\":(3L , 4L,),}\n", "{'a': (3, 4)}"),
            ("((5))", "5"),
            (r"'a\\b\'c'", r"'a\\b\'c'"),
        ] {
            assert_eq!(Literal::parse(text).unwrap().repr(), same);
        }
    }

    #[test]
    fn what_is_no_literal_is_placed() {
        for (text, at) in [
            ("", 0),
            ("{", 1),
            ("{'a' 1}", 5),
            ("{'a': 1, 'a': 2}", 9),
            ("{1: 2}", 1),
            ("'a", 1),
            ("'a\nb'", 1),
            (r"'\x41'", 2),
            ("(1 2)", 3),
            ("1 2", 2),
            ("-1", 0),
            ("18446744073709551616", 0),
            ("__import__('os')", 0),
            ("1 + 1", 2),
            ("é", 0),
        ] {
            assert_eq!(offset(text), Some(at), "{text}");
        }
        assert_eq!(offset(&"(".repeat(100_000)), Some(16));
    }
}
