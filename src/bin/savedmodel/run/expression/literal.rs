use super::Grammar;
use super::Value;
use super::fault::{Fault, fault};
use super::lexer::{Token, tokens};

/// Reads a literal as Python's `ast.literal_eval` does (`Lib/ast.py`): no names, calls or arithmetic
/// but what complex numbers are written with, and `set()`.
pub(super) fn parse(text: &str) -> Result<Value, Fault> {
    let start = text.trim_start_matches([' ', '\t']);
    let mut literal = Literal {
        tokens: tokens(start, Grammar::Stock)?,
        at: 0,
    };
    let value = literal.all();
    value.map_err(|error| error.shifted(text.len() - start.len()))
}

struct Literal<'a> {
    tokens: Vec<(usize, Token<'a>)>,
    at: usize,
}

/// What a part is to a sign or sum around it.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// A constant, in parentheses or not.
    Constant,
    /// A constant with one sign.
    Signed,
    Other,
}

impl<'a> Literal<'a> {
    fn peek(&self) -> &Token<'a> {
        self.tokens.get(self.at).map_or(&Token::End, |it| &it.1)
    }

    fn offset(&self) -> usize {
        self.tokens.get(self.at).map_or(0, |it| it.0)
    }

    fn accept(&mut self, mark: &str) -> bool {
        let found = matches!(self.peek(), Token::Mark(found) if *found == mark);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, mark: &str) -> Result<(), Fault> {
        match self.accept(mark) {
            true => Ok(()),
            false => Err(fault(self.offset(), format!("expected `{mark}`"))),
        }
    }

    fn all(&mut self) -> Result<Value, Fault> {
        let (value, _) = self.tuple(None)?;
        while *self.peek() == Token::Newline {
            self.at += 1;
        }
        match self.peek() {
            Token::End => Ok(value),
            _ => Err(fault(self.offset(), "expected the end")),
        }
    }

    /// Reads `a, b` as a tuple and `a` as itself, up to a bracket that is read too, or to the end.
    fn tuple(&mut self, end: Option<&str>) -> Result<(Value, Part), Fault> {
        let mut all = Vec::new();
        if end.is_some_and(|end| self.accept(end)) {
            return Ok((Value::Tuple(all), Part::Other));
        }
        loop {
            let (value, part) = self.sum()?;
            let is_more = self.accept(",");
            let is_end = match end {
                Some(end) => self.accept(end),
                None => matches!(self.peek(), Token::End | Token::Newline),
            };
            match (is_more, is_end) {
                (false, true) if all.is_empty() => return Ok((value, part)),
                (false, false) => return Err(fault(self.offset(), "expected `,`")),
                _ => all.push(value),
            }
            if is_end {
                return Ok((Value::Tuple(all), Part::Other));
            }
        }
    }

    fn sum(&mut self) -> Result<(Value, Part), Fault> {
        let at = self.offset();
        let (left, part) = self.signed()?;
        let sign = match self.peek() {
            Token::Mark("+") => 1.0,
            Token::Mark("-") => -1.0,
            _ => return Ok((left, part)),
        };
        self.at += 1;
        let left = match left {
            Value::Int(value) if part != Part::Other => value as f64,
            Value::Float(value) if part != Part::Other => value,
            _ => return Err(fault(at, "only numbers and imaginary parts are added")),
        };
        let at = self.offset();
        match self.primary()? {
            (Value::Complex([real, imaginary]), Part::Constant) => Ok((
                Value::Complex([left + sign * real, 0.0 + sign * imaginary]),
                Part::Other,
            )),
            _ => Err(fault(at, "expected an imaginary part")),
        }
    }

    fn signed(&mut self) -> Result<(Value, Part), Fault> {
        let is_minus = self.accept("-");
        if !is_minus && !self.accept("+") {
            return self.primary();
        }
        let at = self.offset();
        let value = match self.primary()? {
            (Value::Int(value), Part::Constant) => {
                Value::Int(if is_minus { -value } else { value })
            }
            (Value::Float(value), Part::Constant) => {
                Value::Float(if is_minus { -value } else { value })
            }
            (Value::Complex(parts), Part::Constant) => Value::Complex(match is_minus {
                true => parts.map(|part| -part),
                false => parts,
            }),
            _ => return Err(fault(at, "a sign before what is no number")),
        };
        Ok((value, Part::Signed))
    }

    fn primary(&mut self) -> Result<(Value, Part), Fault> {
        let at = self.offset();
        let token = self.peek().clone();
        self.at += 1;
        let constant = |value| Ok((value, Part::Constant));
        match token {
            Token::Constant(mut value) => {
                while let Token::Constant(next) = self.peek() {
                    value = value.beside(next.clone()).map_err(|what| fault(at, what))?;
                    self.at += 1;
                }
                constant(value)
            }
            Token::Name("True") => constant(Value::Bool(true)),
            Token::Name("False") => constant(Value::Bool(false)),
            Token::Name("None") => constant(Value::None),
            Token::Mark("...") => constant(Value::Ellipsis),
            Token::Name("set") => {
                self.expect("(")?;
                self.expect(")")?;
                Ok((Value::Set(Vec::new()), Part::Other))
            }
            Token::Mark("(") => self.tuple(Some(")")),
            Token::Mark("[") => {
                let mut all = Vec::new();
                while !self.accept("]") {
                    all.push(self.sum()?.0);
                    if !self.accept(",") {
                        self.expect("]")?;
                        break;
                    }
                }
                Ok((Value::List(all), Part::Other))
            }
            Token::Mark("{") => Ok((self.braces(at)?, Part::Other)),
            _ => Err(fault(at, "expected a literal")),
        }
    }

    fn braces(&mut self, at: usize) -> Result<Value, Fault> {
        let mut entries = Vec::new();
        while !self.accept("}") {
            let key = self.sum()?.0;
            let value = match self.accept(":") {
                true => Some(self.sum()?.0),
                false => None,
            };
            entries.push((key, value));
            if !self.accept(",") {
                self.expect("}")?;
                break;
            }
        }
        Value::of_braces(entries).map_err(|what| fault(at, what))
    }
}
