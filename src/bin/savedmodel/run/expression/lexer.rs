use super::fault::{Fault, fault};
use super::number;
use super::string;
use super::{Grammar, Value};

/// A part of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// A number, or a string or bytes without what stands beside it.
    Constant(Value),
    Name(&'a str),
    Mark(&'static str),
    /// `@path`: the bytes of a file.
    File(String),
    /// The end of a line outside brackets.
    Newline,
    End,
}

/// Longer ones first.
const MARKS: [&str; 23] = [
    "...", "**", "//", "+", "-", "*", "/", "%", "(", ")", "[", "]", "{", "}", ",", ":", ".", "=",
    "~", "!", "<", ">", "|",
];

/// Cuts an expression into tokens, each with the byte it begins at, as Python's tokenizer does
/// (`Parser/tokenizer.c`). The last is the end.
pub(super) fn tokens(text: &str, grammar: Grammar) -> Result<Vec<(usize, Token<'_>)>, Fault> {
    let mut lexer = Lexer {
        text,
        at: 0,
        open: Vec::new(),
        grammar,
        tokens: Vec::new(),
    };
    if grammar == Grammar::Stock {
        lexer.check_indentation()?;
    }
    while lexer.step()? {}
    lexer.tokens.push((text.len(), Token::End));
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Brackets that are open, as what closes them.
    open: Vec<u8>,
    grammar: Grammar,
    tokens: Vec<(usize, Token<'a>)>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Reads one token, or what stands between two; false at the end.
    fn step(&mut self) -> Result<bool, Fault> {
        let rest = self.rest();
        let start = self.at;
        let Some(first) = rest.chars().next() else {
            return Ok(false);
        };
        match first {
            ' ' | '\t' | '\x0c' => self.at += 1,
            '#' => self.at += rest.find(['\n', '\r']).unwrap_or(rest.len()),
            '\n' | '\r' => self.newline()?,
            '\\' => {
                let end = ["\\\r\n", "\\\n", "\\\r"]
                    .iter()
                    .find(|end| rest.starts_with(**end));
                let end = end.ok_or_else(|| fault(start, "a backslash outside a string"))?;
                if rest.len() == end.len() {
                    return Err(fault(start, "a backslash before the end"));
                }
                self.at += end.len();
            }
            '0'..='9' => self.number()?,
            '.' if rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit) => self.number()?,
            '\'' | '"' => self.string("")?,
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                let (name, behind) = rest.split_at(length);
                match behind.starts_with(['\'', '"']) {
                    true => self.string(name)?,
                    false => {
                        self.at += length;
                        self.tokens.push((start, Token::Name(name)));
                    }
                }
            }
            '@' if self.grammar == Grammar::Ours => self.file()?,
            _ => self.mark(first)?,
        }
        Ok(true)
    }

    fn newline(&mut self) -> Result<(), Fault> {
        let rest = self.rest();
        self.at += if rest.starts_with("\r\n") { 2 } else { 1 };
        if !self.open.is_empty() || self.grammar == Grammar::Ours {
            return Ok(());
        }
        if !self.tokens.is_empty() {
            self.tokens.push((self.at - 1, Token::Newline));
        }
        self.check_indentation()
    }

    /// Refuses blanks at the beginning of a line outside brackets, unless nothing or a comment follows
    /// in it. At the end of the text something would have to follow.
    fn check_indentation(&self) -> Result<(), Fault> {
        let (mut column, mut continued) = (0, 0);
        let mut rest = self.rest();
        loop {
            let mut chars = rest.chars();
            match chars.next() {
                Some(' ' | '\t') => column += 1,
                Some('\x0c') => column = 0,
                Some('\\') if chars.as_str().starts_with(['\n', '\r']) => {
                    // The first line counts, if there are blanks in it.
                    continued = if continued > 0 { continued } else { column };
                    let behind = chars.as_str();
                    let behind = behind.strip_prefix('\r').unwrap_or(behind);
                    chars = behind.strip_prefix('\n').unwrap_or(behind).chars();
                }
                Some('#' | '\n' | '\r') => return Ok(()),
                _ if column.max(continued) > 0 => {
                    return Err(fault(self.at, "an indented line"));
                }
                _ => return Ok(()),
            }
            rest = chars.as_str();
        }
    }

    fn number(&mut self) -> Result<(), Fault> {
        let (length, value) = number::read(self.rest()).map_err(|what| fault(self.at, what))?;
        self.tokens.push((self.at, Token::Constant(value)));
        self.at += length;
        Ok(())
    }

    fn string(&mut self, prefix: &str) -> Result<(), Fault> {
        let start = self.at;
        let (length, value) =
            string::read(self.rest(), prefix).map_err(|error| error.shifted(start))?;
        self.tokens.push((start, Token::Constant(value)));
        self.at += length;
        Ok(())
    }

    /// Reads `@path` or `@"path"`.
    fn file(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.at += 1;
        let rest = self.rest();
        let path = if rest.starts_with(['\'', '"']) {
            match string::read(rest, "").map_err(|error| error.shifted(start + 1))? {
                (length, Value::Str(path)) => {
                    self.at += length;
                    path
                }
                _ => String::new(),
            }
        } else {
            let end = |c: char| c.is_whitespace() || ",;()[]{}'\"".contains(c);
            let length = rest.find(end).unwrap_or(rest.len());
            self.at += length;
            rest.get(..length).unwrap_or_default().to_owned()
        };
        if path.is_empty() {
            return Err(fault(start, "`@` without the name of a file"));
        }
        self.tokens.push((start, Token::File(path)));
        Ok(())
    }

    fn mark(&mut self, first: char) -> Result<(), Fault> {
        let rest = self.rest();
        let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) else {
            return Err(fault(self.at, format!("unexpected `{first}`")));
        };
        match first {
            '(' => self.open.push(b')'),
            '[' => self.open.push(b']'),
            '{' => self.open.push(b'}'),
            ')' | ']' | '}' if self.open.pop() != Some(first as u8) => {
                return Err(fault(self.at, format!("`{first}` closes nothing")));
            }
            _ => {}
        }
        if self.open.len() > super::MAX_DEPTH {
            return Err(fault(self.at, "too many brackets in each other"));
        }
        self.tokens.push((self.at, Token::Mark(mark)));
        self.at += mark.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_where_they_begin() {
        let found = tokens("np.ones( 2,\n3) # end", Grammar::Ours).unwrap();
        let int = |value| Token::Constant(Value::Int(value));
        assert_eq!(
            found,
            [
                (0, Token::Name("np")),
                (2, Token::Mark(".")),
                (3, Token::Name("ones")),
                (7, Token::Mark("(")),
                (9, int(2)),
                (10, Token::Mark(",")),
                (12, int(3)),
                (13, Token::Mark(")")),
                (20, Token::End),
            ]
        );
        let found = tokens("@a/b.jpg,@'c d'", Grammar::Ours).unwrap();
        assert_eq!(found[0].1, Token::File("a/b.jpg".into()));
        assert_eq!(found[2].1, Token::File("c d".into()));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in [
            "$", "é", "1 \\", "1 \\x", "'a", "(]", "]", "1a", "@1", "\n 1",
        ] {
            assert!(tokens(text, Grammar::Stock).is_err(), "{text}");
        }
        assert!(tokens(&"[".repeat(201), Grammar::Ours).is_err());
        assert!(tokens("@", Grammar::Ours).is_err());
    }
}
