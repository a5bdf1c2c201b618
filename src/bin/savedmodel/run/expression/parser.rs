use std::fs::File;
use std::io::Read;

use super::arguments::{Arguments, Term, integer};
use super::arithmetic::{Operator, binary, negated};
use super::fault::{Fault, fault};
use super::functions::{self, Context};
use super::indexing::{self, Index};
use super::lexer::{Token, tokens};
use super::{Grammar, MAX_DEPTH, Value};

/// Files named in expressions may be so large.
const MAX_FILE: u64 = 1 << 28;

/// Evaluates an expression of [our grammar](super::Grammar::Ours) while reading it.
pub(super) fn evaluate(text: &str, context: &mut Context) -> Result<Value, Fault> {
    let mut parser = Parser {
        tokens: tokens(text, Grammar::Ours)?,
        at: 0,
        depth: 0,
        context,
    };
    let at = parser.offset();
    let term = parser.tuple(None)?;
    value(term, at)
}

struct Parser<'a, 'c> {
    tokens: Vec<(usize, Token<'a>)>,
    at: usize,
    depth: usize,
    context: &'c mut Context,
}

impl<'a> Parser<'a, '_> {
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

    fn expect(&mut self, marks: &[&str]) -> Result<(), Fault> {
        if marks.iter().any(|mark| self.accept(mark)) {
            return Ok(());
        }
        let marks: Vec<String> = marks.iter().map(|mark| format!("`{mark}`")).collect();
        Err(self.unexpected(&marks.join(" or ")))
    }

    fn unexpected(&self, wanted: &str) -> Fault {
        let found = match self.peek() {
            Token::Constant(value) => value.repr(),
            Token::Name(name) => format!("`{name}`"),
            Token::Mark(mark) => format!("`{mark}`"),
            Token::File(path) => format!("`@{path}`"),
            Token::Newline | Token::End => "the end".to_owned(),
        };
        fault(self.offset(), format!("expected {wanted}, found {found}"))
    }

    /// Reads what is one level deeper.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth == MAX_DEPTH {
            return Err(fault(self.offset(), "too much in each other"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Reads `a, b` as a tuple and `a` as itself, up to a bracket, which is read too, or to the end.
    fn tuple(&mut self, end: Option<&str>) -> Result<Term, Fault> {
        let mut all = Vec::new();
        if end.is_some_and(|end| self.accept(end)) {
            return Ok(Term::Value(Value::Tuple(all)));
        }
        loop {
            let at = self.offset();
            let term = self.sum()?;
            let is_more = self.accept(",");
            let is_end = match end {
                Some(end) => self.accept(end),
                None => *self.peek() == Token::End,
            };
            match (is_more, is_end) {
                (false, true) if all.is_empty() => return Ok(term),
                (false, false) => {
                    return Err(match end {
                        Some(end) => self.unexpected(&format!("`,` or `{end}`")),
                        None => self.unexpected("an operator or the end"),
                    });
                }
                _ => all.push(value(term, at)?),
            }
            if is_end {
                return Ok(Term::Value(Value::Tuple(all)));
            }
        }
    }

    fn sum(&mut self) -> Result<Term, Fault> {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek() {
                Token::Mark("+") => Operator::Add,
                Token::Mark("-") => Operator::Subtract,
                _ => return Ok(left),
            };
            left = self.apply(operator, left, Self::product)?;
        }
    }

    fn product(&mut self) -> Result<Term, Fault> {
        let mut left = self.signed()?;
        loop {
            let operator = match self.peek() {
                Token::Mark("*") => Operator::Multiply,
                Token::Mark("/") => Operator::Divide,
                Token::Mark("//") => Operator::Floor,
                Token::Mark("%") => Operator::Remainder,
                _ => return Ok(left),
            };
            left = self.apply(operator, left, Self::signed)?;
        }
    }

    /// Reads what stands right of an operator, and computes.
    fn apply(
        &mut self,
        operator: Operator,
        left: Term,
        right: impl FnOnce(&mut Self) -> Result<Term, Fault>,
    ) -> Result<Term, Fault> {
        let at = self.offset();
        self.at += 1;
        let behind = self.offset();
        let right = right(self)?;
        let (left, right) = (value(left, at)?, value(right, behind)?);
        let context = &mut *self.context;
        binary(operator, left, right, &mut |count| context.charge(count))
            .map(Term::Value)
            .map_err(|what| fault(at, what))
    }

    fn signed(&mut self) -> Result<Term, Fault> {
        let at = self.offset();
        let is_minus = self.accept("-");
        if !is_minus && !self.accept("+") {
            return self.power();
        }
        let term = self.deeper(Self::signed)?;
        let value = value(term, at)?;
        if is_minus {
            return negated(value)
                .map(Term::Value)
                .map_err(|what| fault(at, what));
        }
        match value {
            Value::Bool(value) => Ok(Term::Value(Value::Int(value.into()))),
            Value::Int(_) | Value::Float(_) | Value::Complex(_) | Value::Array(_) => {
                Ok(Term::Value(value))
            }
            other => Err(fault(
                at,
                format!("bad operand type for unary +: '{}'", other.type_name()),
            )),
        }
    }

    fn power(&mut self) -> Result<Term, Fault> {
        let left = self.trailed()?;
        match self.peek() {
            Token::Mark("**") => {
                self.apply(Operator::Power, left, |parser| parser.deeper(Self::signed))
            }
            _ => Ok(left),
        }
    }

    /// Reads an atom with calls and attributes behind it.
    fn trailed(&mut self) -> Result<Term, Fault> {
        let mut at = self.offset();
        let mut term = self.atom()?;
        loop {
            if let Term::Name(name) = &term
                && self.accept("(")
            {
                let arguments = self.arguments()?;
                term = functions::call(name, arguments, self.context)
                    .map(Term::Value)
                    .map_err(|what| fault(at, what))?;
            } else if self.accept(".") {
                at = self.offset();
                term = self.attribute(term)?;
            } else if let Term::Value(Value::Array(array)) = &term
                && self.accept("[")
            {
                at = self.offset();
                let indices = self.deeper(Self::indices)?;
                term = indexing::part(array, &indices, self.context)
                    .map(|array| Term::Value(Value::Array(array)))
                    .map_err(|what| fault(at, what))?;
            } else {
                return Ok(term);
            }
        }
    }

    /// Reads what is between the brackets behind an array.
    fn indices(&mut self) -> Result<Vec<Index>, Fault> {
        let mut indices = Vec::new();
        while !self.accept("]") {
            indices.push(self.index()?);
            if !self.accept(",") {
                self.expect(&["]"])
                    .map_err(|_| self.unexpected("`,` or `]`"))?;
                break;
            }
        }
        Ok(indices)
    }

    fn index(&mut self) -> Result<Index, Fault> {
        let mut bounds = [None; 3];
        let mut colons = 0;
        for bound in &mut bounds {
            let at = self.offset();
            let is_left_out = matches!(self.peek(), Token::Mark(":" | "," | "]"));
            if !is_left_out {
                let value = self.element()?;
                match value {
                    Value::Ellipsis if colons == 0 => return Ok(Index::Rest),
                    Value::None if colons == 0 && *self.peek() != Token::Mark(":") => {
                        return Ok(Index::New);
                    }
                    Value::None => {}
                    value => {
                        let number = integer(&value).map_err(|what| fault(at, what))?;
                        *bound = Some(number);
                    }
                }
            }
            if colons == 2 || !self.accept(":") {
                break;
            }
            colons += 1;
        }
        match (colons, bounds) {
            (0, [Some(at), ..]) => Ok(Index::At(at)),
            (0, _) => Err(self.unexpected("an index")),
            (_, [from, to, step]) => Ok(Index::Slice(from, to, step)),
        }
    }

    fn attribute(&mut self, term: Term) -> Result<Term, Fault> {
        let at = self.offset();
        let Token::Name(name) = *self.peek() else {
            return Err(self.unexpected("a name"));
        };
        self.at += 1;
        let array = match term {
            Term::Value(Value::Array(array)) => array,
            Term::Value(other) => {
                return Err(fault(
                    at,
                    format!("'{}' has no attribute `{name}` here", other.type_name()),
                ));
            }
            Term::Name(of) => return Err(fault(at, format!("`{of}` has no `{name}` here"))),
        };
        if name == "T" {
            return Ok(Term::Value(Value::Array(array.transposed())));
        }
        if !self.accept("(") {
            return Err(fault(at, functions::no_method(name)));
        }
        let arguments = self.arguments()?;
        functions::method(array, name, arguments, self.context)
            .map(Term::Value)
            .map_err(|what| fault(at, what))
    }

    /// Reads arguments up to the closing bracket.
    fn arguments(&mut self) -> Result<Arguments, Fault> {
        let mut arguments = Arguments::default();
        while !self.accept(")") {
            let is_named = matches!(self.tokens.get(self.at + 1), Some((_, Token::Mark("="))));
            match *self.peek() {
                Token::Name(name) if is_named => {
                    self.at += 2;
                    let term = self.deeper(Self::sum)?;
                    arguments.named.push((name.to_owned(), term));
                }
                _ if arguments.named.is_empty() => {
                    let term = self.deeper(Self::sum)?;
                    arguments.positional.push(term);
                }
                _ => return Err(self.unexpected("an argument by name")),
            }
            if !self.accept(",") {
                self.expect(&[")"])?;
                break;
            }
        }
        Ok(arguments)
    }

    fn atom(&mut self) -> Result<Term, Fault> {
        let at = self.offset();
        let token = self.peek().clone();
        let value = match token {
            Token::Constant(mut value) => {
                self.at += 1;
                while let Token::Constant(next) = self.peek() {
                    let joined = value.beside(next.clone());
                    value = joined.map_err(|what| fault(self.offset(), what))?;
                    self.at += 1;
                }
                value
            }
            Token::File(path) => {
                self.at += 1;
                let bytes = read(&path).map_err(|what| fault(at, what))?;
                self.charge(at, bytes.len() as u64)?;
                Value::Bytes(bytes)
            }
            Token::Mark("...") => {
                self.at += 1;
                Value::Ellipsis
            }
            Token::Mark("(") => {
                self.at += 1;
                return self.deeper(|parser| parser.tuple(Some(")")));
            }
            Token::Mark("[") => {
                self.at += 1;
                self.deeper(Self::list)?
            }
            Token::Mark("{") => {
                self.at += 1;
                let entries = self.deeper(Self::entries)?;
                Value::of_braces(entries).map_err(|what| fault(at, what))?
            }
            Token::Name(name) => {
                self.at += 1;
                return self.name(name, at);
            }
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Term::Value(value))
    }

    fn charge(&mut self, at: usize, count: u64) -> Result<(), Fault> {
        self.context.charge(count).map_err(|what| fault(at, what))
    }

    fn name(&mut self, name: &str, at: usize) -> Result<Term, Fault> {
        let value = match name {
            "True" => Value::Bool(true),
            "False" => Value::Bool(false),
            "None" => Value::None,
            _ => {
                let mut path = name.to_owned();
                if matches!(name, "np" | "numpy") {
                    "np".clone_into(&mut path);
                    self.part(&mut path)?;
                    if path == "np.random" {
                        self.part(&mut path)?;
                    }
                }
                match functions::constant(&path) {
                    Some(value) => value,
                    None if *self.peek() == Token::Mark("(")
                        || super::arguments::ElementType::named(&path).is_some() =>
                    {
                        return Ok(Term::Name(path));
                    }
                    None => return Err(fault(at, format!("`{path}` is not known here"))),
                }
            }
        };
        Ok(Term::Value(value))
    }

    /// Reads `.name` and adds it to a path.
    fn part(&mut self, path: &mut String) -> Result<(), Fault> {
        self.expect(&["."])?;
        let Token::Name(name) = *self.peek() else {
            return Err(self.unexpected("a name"));
        };
        self.at += 1;
        path.push('.');
        path.push_str(name);
        Ok(())
    }

    fn list(&mut self) -> Result<Value, Fault> {
        let mut all = Vec::new();
        while !self.accept("]") {
            all.push(self.element()?);
            if !self.accept(",") {
                self.expect(&["]"])
                    .map_err(|_| self.unexpected("`,` or `]`"))?;
                break;
            }
        }
        Ok(Value::List(all))
    }

    fn element(&mut self) -> Result<Value, Fault> {
        let at = self.offset();
        let term = self.sum()?;
        value(term, at)
    }

    fn entries(&mut self) -> Result<Vec<(Value, Option<Value>)>, Fault> {
        let mut entries = Vec::new();
        while !self.accept("}") {
            let key = self.element()?;
            let value = match self.accept(":") {
                true => Some(self.element()?),
                false => None,
            };
            entries.push((key, value));
            if !self.accept(",") {
                self.expect(&["}"])
                    .map_err(|_| self.unexpected("`,` or `}`"))?;
                break;
            }
        }
        Ok(entries)
    }
}

/// Returns what a term is, if it is a value.
fn value(term: Term, at: usize) -> Result<Value, Fault> {
    match term {
        Term::Value(value) => Ok(value),
        Term::Name(name) => Err(fault(
            at,
            format!("`{name}` is a function or type, not a value"),
        )),
    }
}

fn read(path: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read {path}: {error}"))?;
    match bytes.len() as u64 > MAX_FILE {
        true => Err(format!("{path} has more than {MAX_FILE} bytes")),
        false => Ok(bytes),
    }
}
