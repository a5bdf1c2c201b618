use std::collections::{BTreeSet, HashMap};

use super::name_hash::NameMap;
use super::shares::on_threads;
use crate::error::{Error, Result};
use crate::model::{Function, Graph};
use crate::op;
use crate::wire::{Field, Message, Value};

/// The fields of the messages that the walk looks into.
mod field {
    pub(super) const NODE_NAME: u32 = 1;
    pub(super) const NODE_OP: u32 = 2;
    pub(super) const NODE_ATTR: u32 = 5;
    pub(super) const ENTRY_KEY: u32 = 1;
    pub(super) const ENTRY_VALUE: u32 = 2;
    pub(super) const ATTR_LIST: u32 = 1;
    pub(super) const ATTR_S: u32 = 2;
    pub(super) const ATTR_FUNC: u32 = 10;
    pub(super) const LIST_FUNC: u32 = 9;
    pub(super) const FUNC_NAME: u32 = 1;
}

/// The attr that names the gradient of a node: the type under which it is registered.
const GRADIENT_OP_TYPE: &str = "_gradient_op_type";

/// A graph and its library, walked once: which ops are where, and which function calls which.
///
/// Inputs, tensors and all attrs that hold no functions are jumped over.
pub(super) struct Program<'m> {
    /// The ops by first appearance.
    pub(super) ops: Vec<OpUse<'m>>,
    /// The nodes outside of functions.
    pub(super) graph: Body,
    /// The functions in the order of the file.
    pub(super) functions: Vec<ProgramFunction<'m>>,
    by_name: HashMap<&'m str, usize>,
    /// For functions that have one the function that is its gradient.
    pub(super) gradients: HashMap<usize, usize>,
    /// Functions that are the gradient of nodes, by the type under which they are registered.
    registered_gradients: HashMap<String, usize>,
}

/// Where the nodes of an op are.
pub(super) struct OpUse<'m> {
    pub(super) op: &'m str,
    /// How many nodes stand outside of functions.
    pub(super) in_graph: u64,
    /// The first of those by name.
    pub(super) first_nodes: Vec<&'m str>,
    /// The functions that have such nodes, in the order of the file, and how many.
    pub(super) in_functions: Vec<(usize, u64)>,
    calls: Calls,
}

/// What a node of an op may call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Calls {
    /// Nothing.
    Never,
    /// What its attrs name.
    ByAttr,
    /// The function that the op is.
    ByName(usize),
}

/// Nodes that stand together.
#[derive(Default)]
pub(super) struct Body {
    pub(super) nodes: u64,
    /// The functions that they call, ascending.
    pub(super) calls: BTreeSet<usize>,
    /// The functions that are their gradients, ascending.
    pub(super) gradients: BTreeSet<usize>,
}

pub(super) struct ProgramFunction<'m> {
    pub(super) function: Function<'m>,
    pub(super) body: Body,
}

/// How a function can come to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Reach {
    /// Nodes of the graph call it, or functions that they call: signatures lead to it.
    Graph,
    /// Objects do: after `tf.saved_model.load` it can be called from Python, and in no other way.
    Objects,
    /// It is the gradient of something that can run, and runs in training alone.
    Gradients,
    /// Nothing calls it.
    Nothing,
}

impl Reach {
    /// Returns the word for it, as it is serialized.
    pub fn name(self) -> &'static str {
        match self {
            Reach::Graph => "graph",
            Reach::Objects => "objects",
            Reach::Gradients => "gradients",
            Reach::Nothing => "nothing",
        }
    }
}

/// How many of an op's nodes are kept by name.
pub(super) const FIRST_NODES: usize = 3;

impl<'m> Program<'m> {
    pub(super) fn read(graph: Graph<'m>) -> Result<Self> {
        let mut program = Program {
            ops: Vec::new(),
            graph: Body::default(),
            functions: Vec::new(),
            by_name: HashMap::new(),
            gradients: HashMap::new(),
            registered_gradients: HashMap::new(),
        };
        let messages: Vec<Message<'m>> = graph.function_messages().collect::<Result<_>>()?;
        let functions = on_threads(
            &messages,
            |message| message.bytes().len(),
            |messages| {
                let functions = messages.iter().map(|message| graph.function_of(*message));
                functions.collect::<Result<Vec<_>>>()
            },
        );
        for function in functions.into_iter().collect::<Result<Vec<_>>>()?.concat() {
            let index = program.functions.len();
            program.by_name.insert(function.name(), index);
            program.functions.push(ProgramFunction {
                function,
                body: Body::default(),
            });
        }
        program.read_gradients(graph)?;
        let nodes: Vec<Message<'m>> = graph.node_messages().collect::<Result<_>>()?;
        let parts = nodes.chunks(PART).map(Part::Nodes);
        let parts: Vec<Part<'m, '_>> = parts
            .chain((0..program.functions.len()).map(Part::Function))
            .collect();
        let walks = on_threads(
            &parts,
            |part| match part {
                Part::Nodes(nodes) => nodes.iter().map(|node| node.bytes().len()).sum(),
                Part::Function(index) => program.functions[*index].function.message().bytes().len(),
            },
            |parts| Walk::over(graph, &program, parts),
        );
        let walks: Vec<Walked<'m>> = walks.into_iter().collect::<Result<_>>()?;
        let mut interned: NameMap<'m, usize> = NameMap::default();
        for walked in walks {
            program.take(walked, &mut interned);
        }
        Ok(program)
    }

    /// Adds what the next part of the file has.
    fn take(&mut self, walked: Walked<'m>, interned: &mut NameMap<'m, usize>) {
        for used in walked.ops {
            let place = interned.entry(used.op.as_bytes());
            let place = *place.or_insert(self.ops.len());
            match self.ops.get_mut(place) {
                None => self.ops.push(used),
                Some(known) => {
                    known.in_graph += used.in_graph;
                    known.in_functions.extend(used.in_functions);
                    let room = FIRST_NODES.saturating_sub(known.first_nodes.len());
                    known
                        .first_nodes
                        .extend(used.first_nodes.into_iter().take(room));
                }
            }
        }
        self.graph.nodes += walked.graph.nodes;
        self.graph.calls.extend(walked.graph.calls);
        self.graph.gradients.extend(walked.graph.gradients);
        for (index, body) in walked.functions {
            self.functions[index].body = body;
        }
    }

    fn read_gradients(&mut self, graph: Graph<'m>) -> Result<()> {
        for gradient in graph.gradients()? {
            let pair = (
                self.find(&gradient.function_name),
                self.find(&gradient.gradient_func),
            );
            if let (Some(of), Some(by)) = pair {
                self.gradients.insert(of, by);
            }
        }
        for gradient in graph.registered_gradients()? {
            if let Some(by) = self.find(&gradient.gradient_func) {
                self.registered_gradients
                    .insert(gradient.registered_op_type, by);
            }
        }
        Ok(())
    }

    /// Returns the index of the function of that name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(super) fn name(&self, function: usize) -> &'m str {
        self.functions[function].function.name()
    }

    /// Returns for each function how it can come to run; `from_objects` are those that objects hold.
    pub(super) fn reach(&self, from_objects: impl Iterator<Item = usize>) -> Vec<Reach> {
        let mut reach = vec![Reach::Nothing; self.functions.len()];
        self.spread(Reach::Graph, self.graph.calls.iter().copied(), &mut reach);
        self.spread(Reach::Objects, from_objects, &mut reach);
        let mut next: Vec<usize> = self.graph.gradients.iter().copied().collect();
        let mut done = vec![false; reach.len()];
        loop {
            self.spread(Reach::Gradients, next.drain(..), &mut reach);
            for (function, done) in done.iter_mut().enumerate() {
                if reach[function] != Reach::Nothing && !std::mem::replace(done, true) {
                    next.extend(self.gradients.get(&function));
                    next.extend(&self.functions[function].body.gradients);
                }
            }
            if next.is_empty() {
                return reach;
            }
        }
    }

    /// Marks functions, and all that they call, unless they are marked already.
    fn spread(&self, mark: Reach, from: impl Iterator<Item = usize>, reach: &mut [Reach]) {
        let mut open: Vec<usize> = from.collect();
        while let Some(function) = open.pop() {
            if reach[function] == Reach::Nothing {
                reach[function] = mark;
                open.extend(&self.functions[function].body.calls);
            }
        }
    }
}

/// Threads take so many nodes of the graph at a time.
const PART: usize = 2048;

/// What a thread takes.
enum Part<'m, 's> {
    Nodes(&'s [Message<'m>]),
    /// The function of this index.
    Function(usize),
}

/// What one thread finds.
#[derive(Default)]
struct Walked<'m> {
    ops: Vec<OpUse<'m>>,
    graph: Body,
    functions: Vec<(usize, Body)>,
}

struct Walk<'p, 'm> {
    graph: Graph<'m>,
    /// The functions, not walked yet.
    program: &'p Program<'m>,
    walked: Walked<'m>,
    /// The ops by name; bytes, so that a name is checked when it is first met.
    interned: NameMap<'m, usize>,
    /// Whether nodes may name their gradients.
    has_gradients: bool,
}

impl<'p, 'm> Walk<'p, 'm> {
    fn over(
        graph: Graph<'m>,
        program: &'p Program<'m>,
        parts: &[Part<'m, '_>],
    ) -> Result<Walked<'m>> {
        let mut walk = Walk {
            graph,
            program,
            walked: Walked::default(),
            interned: NameMap::default(),
            has_gradients: !program.registered_gradients.is_empty(),
        };
        for part in parts {
            match part {
                Part::Nodes(nodes) => walk.graph_nodes(nodes)?,
                Part::Function(index) => walk.function_nodes(*index)?,
            }
        }
        Ok(walk.walked)
    }

    fn graph_nodes(&mut self, nodes: &[Message<'m>]) -> Result<()> {
        let mut body = std::mem::take(&mut self.walked.graph);
        for node in nodes {
            let (op, name) = self.node(*node, &mut body)?;
            let op = &mut self.walked.ops[op];
            op.in_graph += 1;
            if op.first_nodes.len() < FIRST_NODES {
                op.first_nodes.push(read_name(name).unwrap_or(""));
            }
        }
        self.walked.graph = body;
        Ok(())
    }

    fn function_nodes(&mut self, index: usize) -> Result<()> {
        let mut body = Body::default();
        let function = self.program.functions[index].function;
        for node in function.node_messages() {
            let (op, _) = self.node(node?, &mut body)?;
            let places = &mut self.walked.ops[op].in_functions;
            match places.last_mut() {
                Some((last, count)) if *last == index => *count += 1,
                _ => places.push((index, 1)),
            }
        }
        self.walked.functions.push((index, body));
        Ok(())
    }

    /// Reads a node; returns its op, and its name as it stands there.
    fn node(&mut self, node: Message<'m>, body: &mut Body) -> Result<(usize, &'m [u8])> {
        let (mut name, mut op): (&[u8], &[u8]) = (b"", b"");
        let mut op_offset = node.start();
        let mut gradient = false;
        for field in node.fields() {
            let field = field.map_err(|error| self.graph.fault(error))?;
            let Value::Bytes(bytes) = field.value() else {
                continue;
            };
            match field.number() {
                field::NODE_NAME => name = bytes,
                field::NODE_OP => (op, op_offset) = (bytes, field.offset()),
                field::NODE_ATTR if self.has_gradients => {
                    // Two bytes of tag and length, then the key: all writers put it first.
                    gradient |= bytes
                        .get(2..)
                        .is_some_and(|rest| rest.starts_with(GRADIENT_OP_TYPE.as_bytes()));
                }
                _ => {}
            }
        }
        let op = match self.interned.get(op) {
            Some(op) => *op,
            None => self.intern(op, op_offset)?,
        };
        body.nodes += 1;
        match self.walked.ops[op].calls {
            Calls::ByName(function) => {
                body.calls.insert(function);
            }
            Calls::Never if !gradient => {}
            Calls::Never | Calls::ByAttr => self.attrs(node, body)?,
        }
        Ok((op, name))
    }

    fn intern(&mut self, bytes: &'m [u8], offset: u64) -> Result<usize> {
        let op = std::str::from_utf8(bytes).map_err(|_| {
            let error = Error::malformed("the name of an op is not UTF-8");
            self.graph.fault(error.at(offset))
        })?;
        let calls = match (self.program.find(op), op::find(op)) {
            (Some(function), _) => Calls::ByName(function),
            // What attrs an op of others has is not known.
            (None, None) => Calls::ByAttr,
            (None, Some(facts)) => {
                let may_call = facts
                    .attrs()
                    .any(|attr| matches!(attr.type_name(), "func" | "list(func)"));
                match may_call {
                    true => Calls::ByAttr,
                    false => Calls::Never,
                }
            }
        };
        let index = self.walked.ops.len();
        self.walked.ops.push(OpUse {
            op,
            in_graph: 0,
            first_nodes: Vec::new(),
            in_functions: Vec::new(),
            calls,
        });
        self.interned.insert(bytes, index);
        Ok(index)
    }

    /// Notes the functions that a node's attrs name.
    fn attrs(&self, node: Message<'m>, body: &mut Body) -> Result<()> {
        let fault = |error| self.graph.fault(error);
        for entry in messages(node, field::NODE_ATTR) {
            let (mut key, mut values): (&[u8], Vec<Message<'m>>) = (b"", Vec::new());
            for field in entry.map_err(fault)?.fields() {
                let field = field.map_err(fault)?;
                match (field.number(), field.value()) {
                    (field::ENTRY_KEY, Value::Bytes(bytes)) => key = bytes,
                    (field::ENTRY_VALUE, Value::Bytes(_)) => values.extend(field.message()),
                    _ => {}
                }
            }
            for value in values {
                self.value(key == GRADIENT_OP_TYPE.as_bytes(), value, body)
                    .map_err(fault)?;
            }
        }
        Ok(())
    }

    fn value(&self, is_gradient: bool, value: Message<'m>, body: &mut Body) -> Result<()> {
        for field in value.fields() {
            let field = field?;
            match (field.number(), field.value()) {
                (field::ATTR_FUNC, Value::Bytes(_)) => self.call(&field, body)?,
                (field::ATTR_LIST, Value::Bytes(_)) => {
                    for item in field.message().into_iter().flat_map(Message::fields) {
                        let item = item?;
                        if item.number() == field::LIST_FUNC {
                            self.call(&item, body)?;
                        }
                    }
                }
                (field::ATTR_S, Value::Bytes(bytes)) if is_gradient => {
                    let name = std::str::from_utf8(bytes).ok();
                    let registered = &self.program.registered_gradients;
                    body.gradients
                        .extend(name.and_then(|name| registered.get(name)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn call(&self, name_attr_list: &Field<'m>, body: &mut Body) -> Result<()> {
        let Some(function) = name_attr_list.message() else {
            return Ok(());
        };
        if let Some(name) = function.last(field::FUNC_NAME)?
            && let Value::Bytes(bytes) = name.value()
            && let Some(name) = read_name(bytes)
        {
            body.calls.extend(self.program.find(name));
        }
        Ok(())
    }
}

/// Returns a name as reports refer to it from many places: one of more than 1,000 characters is cut, or the file's few bytes
/// of a name would be as many as it has references.
pub(super) fn reference(name: &str) -> String {
    const LIMIT: usize = 1000;
    match name.char_indices().nth(LIMIT) {
        None => name.to_owned(),
        Some((end, _)) => format!("{}…", &name[..end]),
    }
}

fn read_name(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Walks the messages in a field.
pub(super) fn messages<'m>(
    message: Message<'m>,
    number: u32,
) -> impl Iterator<Item = Result<Message<'m>>> + use<'m> {
    message.fields().filter_map(move |field| match field {
        Ok(field) if field.number() == number => match field.value() {
            Value::Bytes(_) => field.message().map(Ok),
            _ => None,
        },
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}
