use super::absolute_path::{absolute_path, path_in_table_name};
use super::name_hash::NameMap;
use super::raw_node::RawNode;
use super::shares::on_threads;
use crate::error::Result;
use crate::model::MetaGraph;
use crate::op;
use crate::wire::{Message, Value};

/// The fields of `MetaGraphDef`, `GraphDef`, `FunctionDefLibrary`, `FunctionDef` and `OpDef` that lead
/// to nodes.
mod field {
    pub(super) const GRAPH_DEF: u32 = 2;
    pub(super) const NODE: u32 = 1;
    pub(super) const LIBRARY: u32 = 2;
    pub(super) const FUNCTION: u32 = 1;
    pub(super) const FUNCTION_SIGNATURE: u32 = 1;
    pub(super) const FUNCTION_NODE: u32 = 3;
    pub(super) const OP_DEF_NAME: u32 = 1;
}

/// What one walk over all nodes of a meta graph finds, those of functions included.
///
/// Names are bytes as the file has them: whether they are UTF-8 is for those to find out who decode
/// the node.
#[derive(Default)]
pub(super) struct GraphScan<'m> {
    /// The nodes outside of functions.
    pub(super) nodes: Vec<Message<'m>>,
    /// The functions of the library by name.
    pub(super) functions: NameMap<'m, Message<'m>>,
    /// What was found in nodes.
    pub(super) found: Found<'m>,
}

/// What was found in nodes.
#[derive(Default)]
pub(super) struct Found<'m> {
    /// How many nodes there are.
    pub(super) nodes: u64,
    /// How often each op is there.
    pub(super) ops: NameMap<'m, u64>,
    /// Functions that nodes call, each with the name of one of the nodes.
    pub(super) calls: NameMap<'m, &'m [u8]>,
    /// Names of nodes with an absolute path in them, and the paths.
    pub(super) paths: Vec<(&'m [u8], &'m str)>,
    /// The nodes that read tensors from a bundle.
    pub(super) restores: Vec<Restore<'m>>,
    /// The bytes that nodes of the op `Const` take.
    pub(super) constant_bytes: u64,
}

/// A node of the op `RestoreV2`.
#[derive(Clone, Copy)]
pub(super) struct Restore<'m> {
    /// The node.
    pub(super) node: Message<'m>,
    /// The function it is in.
    pub(super) function: Option<Message<'m>>,
}

impl<'m> GraphScan<'m> {
    /// Walks the graph of a meta graph; large ones on several threads.
    ///
    /// # Errors
    ///
    /// `Malformed`, with the file and the byte, if the graph is damaged where it is walked.
    pub(super) fn of(meta_graph: &MetaGraph<'m>) -> Result<Self> {
        let view = meta_graph.view;
        let graph = view.child(field::GRAPH_DEF);
        let mut scan = GraphScan::default();
        for node in graph.elements(field::NODE) {
            scan.nodes.push(node?);
        }
        let mut functions = Vec::new();
        for function in graph.child(field::LIBRARY).elements(field::FUNCTION) {
            functions.push(function?);
        }
        let nodes = scan.nodes.chunks(PART).map(Part::Nodes);
        let parts: Vec<Part<'m, '_>> = nodes
            .chain(functions.iter().map(|function| Part::Function(*function)))
            .collect();
        let found = walk(&parts).map_err(|error| view.fault(error))?;
        scan.found = found.0;
        scan.functions = found.1;
        Ok(scan)
    }
}

/// Threads take so many nodes at a time.
const PART: usize = 2048;

/// What one thread takes.
#[derive(Clone, Copy)]
enum Part<'m, 's> {
    Nodes(&'s [Message<'m>]),
    Function(Message<'m>),
}

type FoundAndFunctions<'m> = (Found<'m>, NameMap<'m, Message<'m>>);

fn walk<'m>(parts: &[Part<'m, '_>]) -> Result<FoundAndFunctions<'m>> {
    let walkers = on_threads(
        parts,
        |part| match part {
            Part::Nodes(nodes) => nodes.iter().map(|node| node.bytes().len()).sum(),
            Part::Function(function) => function.bytes().len(),
        },
        Walker::over,
    );
    let mut all = Walker::default();
    for (i, walker) in walkers.into_iter().enumerate() {
        match i {
            0 => all = walker?,
            _ => all.take(walker?),
        }
    }
    Ok((all.found(), all.functions))
}

/// What is to be looked for in nodes of an op.
#[derive(Clone, Copy, Default)]
struct Interest {
    /// It calls functions.
    calls: bool,
    is_const: bool,
    is_table: bool,
    is_restore: bool,
}

impl Interest {
    fn of(op: &[u8]) -> Self {
        let facts = std::str::from_utf8(op).ok().and_then(op::find);
        Interest {
            calls: facts.is_none_or(|facts| {
                facts
                    .attrs()
                    .any(|attr| matches!(attr.type_name(), "func" | "list(func)"))
            }),
            is_const: op == b"Const",
            is_table: matches!(op, b"HashTable" | b"HashTableV2"),
            is_restore: op == b"RestoreV2",
        }
    }

    fn needs_attrs(self) -> bool {
        self.calls || self.is_const || self.is_table
    }
}

/// One thread's walk.
#[derive(Default)]
struct Walker<'m> {
    ops: NameMap<'m, usize>,
    counts: Vec<(&'m [u8], u64, Interest)>,
    /// Places in `counts` of ops met lately: most nodes are of few ops.
    recent: Vec<usize>,
    functions: NameMap<'m, Message<'m>>,
    found: Found<'m>,
}

impl<'m> Walker<'m> {
    const RECENT: usize = 64;
    /// So many paths are told of.
    const MAX_PATHS: usize = 1000;

    fn over(parts: &[Part<'m, '_>]) -> Result<Self> {
        let mut walker = Walker::default();
        let functions = parts
            .iter()
            .filter(|part| matches!(part, Part::Function(_)));
        let functions = functions.count();
        // Most functions are called by one node.
        walker.functions.reserve(functions);
        walker.found.calls.reserve(functions);
        for part in parts {
            match part {
                Part::Nodes(nodes) => {
                    for node in *nodes {
                        walker.node(*node, None)?;
                    }
                }
                Part::Function(function) => walker.function(*function)?,
            }
        }
        Ok(walker)
    }

    fn function(&mut self, function: Message<'m>) -> Result<()> {
        let mut name: &[u8] = b"";
        for field in function.fields() {
            let field = field?;
            match (field.number(), field.value()) {
                (field::FUNCTION_SIGNATURE, Value::Bytes(_)) => {
                    if let Some(signature) = field.message()
                        && let Some(last) = signature.last(field::OP_DEF_NAME)?
                        && let Value::Bytes(bytes) = last.value()
                    {
                        name = bytes;
                    }
                }
                (field::FUNCTION_NODE, Value::Bytes(_)) => {
                    if let Some(node) = field.message() {
                        self.node(node, Some(function))?;
                    }
                }
                _ => {}
            }
        }
        self.functions.insert(name, function);
        Ok(())
    }

    fn node(&mut self, message: Message<'m>, function: Option<Message<'m>>) -> Result<()> {
        self.found.nodes += 1;
        let node = RawNode::read(message)?;
        let place = self.place(node.op);
        let (_, count, interest) = &mut self.counts[place];
        *count += 1;
        let interest = *interest;
        if interest.is_const {
            self.found.constant_bytes += message.bytes().len() as u64;
        }
        if interest.is_restore {
            let node = message;
            self.found.restores.push(Restore { node, function });
        }
        if !interest.needs_attrs() {
            return Ok(());
        }
        if interest.calls {
            let calls = &mut self.found.calls;
            node.each_attr(|key, value| match key {
                // Long lists in nearly every node, of types and shapes.
                [b'_', ..] | b"Tin" | b"Tout" => Ok(()),
                _ => value.each_function(|called| {
                    calls.entry(called).or_insert(node.name);
                }),
            })?;
        }
        let path = match (interest.is_const, interest.is_table) {
            (true, _) => only_string(&node)?.and_then(absolute_path),
            (_, true) => match node.attr(b"shared_name")? {
                Some(name) => name.bytes()?.and_then(path_in_table_name),
                None => None,
            },
            _ => None,
        };
        if let Some(path) = path
            && self.found.paths.len() < Self::MAX_PATHS
        {
            self.found.paths.push((node.name, path));
        }
        Ok(())
    }

    /// Returns the place of an op in `counts`.
    #[inline]
    fn place(&mut self, op: &'m [u8]) -> usize {
        let slot = match op {
            [first, .., last] => {
                op.len() * 7
                    + usize::from(*first) * 31
                    + usize::from(*last) * 3
                    + usize::from(op[op.len() / 2])
            }
            _ => op.len(),
        } % Self::RECENT;
        if self.recent.is_empty() {
            self.recent = vec![usize::MAX; Self::RECENT];
        }
        let place = self.recent[slot];
        if let Some((known, ..)) = self.counts.get(place)
            && *known == op
        {
            return place;
        }
        let counts = &mut self.counts;
        let place = *self.ops.entry(op).or_insert_with(|| {
            counts.push((op, 0, Interest::of(op)));
            counts.len() - 1
        });
        self.recent[slot] = place;
        place
    }

    fn take(&mut self, other: Walker<'m>) {
        for (op, count, _) in other.counts {
            let place = self.place(op);
            self.counts[place].1 += count;
        }
        self.functions.extend(other.functions);
        self.found.nodes += other.found.nodes;
        self.found.constant_bytes += other.found.constant_bytes;
        for (called, caller) in other.found.calls {
            self.found.calls.entry(called).or_insert(caller);
        }
        let room = Self::MAX_PATHS.saturating_sub(self.found.paths.len());
        self.found
            .paths
            .extend(other.found.paths.into_iter().take(room));
        self.found.restores.extend(other.found.restores);
    }

    fn found(&mut self) -> Found<'m> {
        let mut found = std::mem::take(&mut self.found);
        found.ops = self
            .counts
            .iter()
            .map(|(op, count, _)| (*op, *count))
            .collect();
        found
    }
}

/// Returns the string of a `Const` node that holds exactly one. Lists of strings are vocabularies
/// and keys of variables, not paths.
fn only_string<'m>(node: &RawNode<'m>) -> Result<Option<&'m [u8]>> {
    let Some(value) = node.attr(b"value")? else {
        return Ok(None);
    };
    value.only_string()
}
