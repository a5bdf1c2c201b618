use prost::bytes::Bytes;

use super::array::{Arrays, ElementType};
use super::budget::Budget;
use super::code::{self, Code};
use super::global::{self, Global};
use super::memo::Memo;
use super::object::{Node, Object, Text};
use super::tree::Tree;
use super::value::PickledValue;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// The last protocol that is known.
const LAST_PROTOCOL: u8 = 5;

/// Carries out the opcodes of a pickle.
///
/// Each opcode puts at most one object of a fixed size on the stack, so memory is bounded by the length
/// of the file; what copies more is charged to the budget.
pub(super) struct Machine {
    code: Code,
    stack: Vec<Object>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: Memo,
    nodes: Vec<Node>,
    budget: Budget,
}

impl Machine {
    pub(super) fn new(pickle: Bytes) -> Machine {
        Machine {
            budget: Budget::of_file(pickle.len() as u64),
            code: Code::new(pickle),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Memo::default(),
            nodes: Vec::new(),
        }
    }

    /// Reads up to the opcode that stops, and returns the value.
    pub(super) fn run(mut self) -> Result<PickledValue> {
        loop {
            let start = self.code.position();
            let opcode = self.code.u8().map_err(|error| error.at(start))?;
            if opcode == b'.' {
                let value = self.pop().and_then(|object| {
                    let mut tree = Tree::new(&self.nodes, &mut self.budget);
                    tree.value(&object)
                });
                return value.map_err(|error| error.at(start));
            }
            self.step(opcode).map_err(|error| error.at(start))?;
        }
    }

    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            0x80 => self.protocol(),
            0x95 => self.frame(),
            b'(' | b'0' | b'1' | b'2' => self.arrange(opcode),
            b'p' | b'q' | b'r' | 0x94 | b'g' | b'h' | b'j' => self.remember(opcode),
            b']' | b')' | b'}' | b'l' | b't' | b'd' | 0x85..=0x87 => self.contain(opcode),
            b'a' | b'e' | b's' | b'u' => self.fill(opcode),
            b'c' | 0x93 | b'R' | b'b' => self.call(opcode),
            _ => {
                let object = self.scalar(opcode)?;
                self.stack.push(object);
                Ok(())
            }
        }
    }

    fn protocol(&mut self) -> Result<()> {
        match self.code.u8()? {
            0..=LAST_PROTOCOL => Ok(()),
            later => Err(Error::unsupported(format!(
                "protocol {later} of pickles, where 0 to {LAST_PROTOCOL} are known"
            ))),
        }
    }

    /// Frames only say how much may be read at once.
    fn frame(&mut self) -> Result<()> {
        self.code.u64().map(|_| ())
    }

    /// Reads what stands in the pickle itself.
    fn scalar(&mut self, opcode: u8) -> Result<Object> {
        let code = &mut self.code;
        Ok(match opcode {
            b'N' => Object::None,
            0x88 => Object::Bool(true),
            0x89 => Object::Bool(false),
            b'I' | b'L' => code.integer_line()?,
            b'J' => Object::Int(code.i32()?.into()),
            b'K' => Object::Int(code.u8()?.into()),
            b'M' => Object::Int(code.u16()?.into()),
            0x8a => {
                let length = code.u8()?;
                code::integer(&code.take(length.into())?)?
            }
            0x8b => {
                let length = code.signed_length()?;
                code::integer(&code.take(length)?)?
            }
            b'F' => Object::Float(code.number()?),
            b'G' => Object::Float(code.f64()?),
            b'S' => code::native(code::quoted(&code.line()?)?),
            b'T' => {
                let length = code.signed_length()?;
                code::native(code.take(length)?)
            }
            b'U' => {
                let length = code.u8()?;
                code::native(code.take(length.into())?)
            }
            b'V' => Object::Str(code::raw_unicode_escape(&code.line()?)?),
            b'X' => {
                let length = code.u32()?;
                code.text(length.into())?
            }
            0x8c => {
                let length = code.u8()?;
                code.text(length.into())?
            }
            0x8d => {
                let length = code.u64()?;
                code.text(length)?
            }
            b'B' => {
                let length = code.u32()?;
                Object::Bytes(code.take(length.into())?)
            }
            b'C' => {
                let length = code.u8()?;
                Object::Bytes(code.take(length.into())?)
            }
            0x8e | 0x96 => {
                let length = code.u64()?;
                Object::Bytes(code.take(length)?)
            }
            _ => return Err(self.refusal(opcode)),
        })
    }

    fn refusal(&mut self, opcode: u8) -> Error {
        let what = match opcode {
            b'i' => match (self.code.line(), self.code.line()) {
                (Ok(module), Ok(name)) => {
                    let [module, name] =
                        [module, name].map(|part| String::from_utf8_lossy(&part).into_owned());
                    return global::refusal(&module, &name);
                }
                _ => "an object of a class",
            },
            b'o' | 0x81 | 0x92 => "an object of a class",
            0x82..=0x84 => "a name that only the writer's registry has",
            b'P' | b'Q' => "an object that is outside of the pickle",
            0x8f..=0x91 => "a set",
            0x97 | 0x98 => "a buffer that is outside of the pickle",
            _ => {
                return Error::malformed(format!(
                    "the byte 0x{opcode:02x} is no opcode of a pickle"
                ));
            }
        };
        Error::unsupported(format!("{what} is not read from a pickle"))
    }

    fn arrange(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            b'(' => self.marks.push(self.stack.len()),
            b'0' if self.marks.last() == Some(&self.stack.len()) => drop(self.marks.pop()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            _ => {
                let top = self.top()?.clone();
                self.stack.push(top);
            }
        }
        Ok(())
    }

    fn remember(&mut self, opcode: u8) -> Result<()> {
        let number = match opcode {
            b'p' | b'g' => self.code.number()?,
            b'q' | b'h' => self.code.u8()?.into(),
            b'r' | b'j' => self.code.u32()?,
            _ => u32::try_from(self.memo.len())
                .map_err(|_| Error::malformed("more objects are remembered than have numbers"))?,
        };
        if matches!(opcode, b'g' | b'h' | b'j') {
            let Some(object) = self.memo.get(number) else {
                return Err(Error::malformed(format!(
                    "object {number} is meant, which was not remembered"
                )));
            };
            self.stack.push(object.clone());
        } else {
            let object = self.top()?.clone();
            self.memo.put(number, object);
        }
        Ok(())
    }

    fn contain(&mut self, opcode: u8) -> Result<()> {
        let node = match opcode {
            b']' => Node::List(Vec::new()),
            b')' => Node::Tuple(Vec::new()),
            b'}' => Node::Dict(Vec::new()),
            b'l' => Node::List(self.pop_to_mark()?),
            b't' => Node::Tuple(self.pop_to_mark()?),
            b'd' => Node::Dict(pairs(self.pop_to_mark()?)?),
            _ => {
                let count = usize::from(opcode - 0x84);
                let floor = self.floor();
                match self.stack.len().checked_sub(count) {
                    Some(start) if start >= floor => {
                        Node::Tuple(self.stack.drain(start..).collect())
                    }
                    _ => return Err(underflow()),
                }
            }
        };
        self.push_node(node);
        Ok(())
    }

    /// Adds to the list or dict that lies below what is added.
    fn fill(&mut self, opcode: u8) -> Result<()> {
        let items = match opcode {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.pop_to_mark()?,
        };
        let place = self.top_node()?;
        match (opcode, self.nodes.get_mut(place)) {
            (b'a' | b'e', Some(Node::List(list))) => list.extend(items),
            (b's' | b'u', Some(Node::Dict(dict))) => dict.extend(pairs(items)?),
            _ => {
                return Err(Error::malformed(
                    "something is added to what is no list or dict",
                ));
            }
        }
        Ok(())
    }

    fn call(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            b'c' => {
                let [module, name] = [self.code.line()?, self.code.line()?];
                let [module, name] = [&module, &name].map(|part| String::from_utf8_lossy(part));
                self.stack
                    .push(Object::Global(Global::find(&module, &name)?));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Object::Str(module), Object::Str(name)) = (module, name) else {
                    return Err(Error::malformed("a name that is no text"));
                };
                let global = Global::find(module.as_str(), name.as_str())?;
                self.stack.push(Object::Global(global));
            }
            b'R' => self.reduce()?,
            _ => self.build()?,
        }
        Ok(())
    }

    /// Calls a function with a tuple of arguments.
    fn reduce(&mut self) -> Result<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let bad = || Error::malformed("a call is not made of a function and a tuple of arguments");
        let Object::Global(function) = function else {
            return Err(bad());
        };
        let Object::Node(arguments) = arguments else {
            return Err(bad());
        };
        let Some(Node::Tuple(arguments)) = self.nodes.get(arguments) else {
            return Err(bad());
        };
        let mut arrays = Arrays {
            nodes: &self.nodes,
            budget: &mut self.budget,
        };
        let unknown = || {
            Error::unsupported(format!(
                "{function:?} is called with what numpy does not give it"
            ))
        };
        let object = match (function, &arguments[..]) {
            (Global::Encode, [Object::Str(text), Object::Str(encoding)]) => {
                if !matches!(encoding.as_str(), "latin1" | "latin-1") {
                    return Err(unknown());
                }
                self.budget.charge(text.as_bytes().len() as u64)?;
                Object::Bytes(latin1(text)?)
            }
            (Global::Complex, [Object::Float(real), Object::Float(imaginary)]) => {
                Object::Tensor(Box::new(Tensor::scalar([*real, *imaginary])))
            }
            (Global::Bytes, []) => Object::Bytes(Bytes::new()),
            (Global::Reconstruct, [Object::Global(Global::NdArray), ..]) => {
                self.push_node(Node::Array(None));
                return Ok(());
            }
            (Global::DType, [Object::Str(code), ..]) => {
                let element_type = ElementType::new(code.as_str())?;
                self.push_node(Node::ElementType(element_type));
                return Ok(());
            }
            (Global::DType, [Object::Global(Global::Extension(dtype)), ..]) => {
                let element_type = ElementType::extension(*dtype);
                self.push_node(Node::ElementType(element_type));
                return Ok(());
            }
            (Global::Scalar, arguments) => Object::Tensor(Box::new(arrays.scalar(arguments)?)),
            (Global::FromBuffer, arguments) => {
                Object::Tensor(Box::new(arrays.of_buffer(arguments)?))
            }
            _ => return Err(unknown()),
        };
        self.stack.push(object);
        Ok(())
    }

    /// Sets the state of the object below it.
    fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        let place = self.top_node()?;
        let bad = || Error::unsupported("a state is set of what is neither an array nor a dtype");
        let Object::Node(state) = state else {
            return Err(bad());
        };
        let Some(Node::Tuple(state)) = self.nodes.get(state) else {
            return Err(bad());
        };
        let node = match self.nodes.get(place) {
            Some(Node::ElementType(element_type)) => {
                let mut element_type = element_type.clone();
                element_type.set_state(state, &self.nodes)?;
                Node::ElementType(element_type)
            }
            Some(Node::Array(_) | Node::Objects(..)) => {
                let mut arrays = Arrays {
                    nodes: &self.nodes,
                    budget: &mut self.budget,
                };
                arrays.of_state(state)?
            }
            _ => return Err(bad()),
        };
        self.nodes[place] = node;
        Ok(())
    }

    fn push_node(&mut self, node: Node) {
        self.stack.push(Object::Node(self.nodes.len()));
        self.nodes.push(node);
    }

    /// Returns the height that the stack does not fall below: that of the last mark.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<&Object> {
        match self.stack.last() {
            Some(top) if self.stack.len() > self.floor() => Ok(top),
            _ => Err(underflow()),
        }
    }

    fn top_node(&self) -> Result<usize> {
        match self.top()? {
            Object::Node(place) => Ok(*place),
            _ => Err(Error::malformed(
                "something is added to what is no container",
            )),
        }
    }

    fn pop(&mut self) -> Result<Object> {
        match self.stack.len() > self.floor() {
            true => self.stack.pop().ok_or_else(underflow),
            false => Err(underflow()),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Object>> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.drain(mark..).collect()),
            _ => Err(Error::malformed("the stack of the pickle has no mark")),
        }
    }
}

fn underflow() -> Error {
    Error::malformed("the stack of the pickle is empty")
}

fn pairs(items: Vec<Object>) -> Result<Vec<(Object, Object)>> {
    if !items.len().is_multiple_of(2) {
        return Err(Error::malformed("a dict has a key without a value"));
    }
    let mut items = items.into_iter();
    let mut pairs = Vec::with_capacity(items.len() / 2);
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// Returns the bytes of which each is a character.
fn latin1(text: &Text) -> Result<Bytes> {
    if text.as_bytes().is_ascii() {
        return Ok(text.bytes());
    }
    let bytes: Option<Vec<u8>> = text
        .as_str()
        .chars()
        .map(|c| u8::try_from(c).ok())
        .collect();
    bytes
        .map(Bytes::from)
        .ok_or_else(|| Error::malformed("a text that stands for bytes has other characters"))
}
