use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::ops::Range;

use super::absolute_path::{absolute_path, path_in_table_name};
use super::name_hash::{NameHash, NameMap, NameNumbers};
use super::node_index::{NodeMarker, NodeMarks};
use super::outline::{self, Piece, inside};
use super::raw_node::{GRADIENT_OP_TYPE, RESTORE, RawNode, node_of};
use crate::error::Result;
use crate::op;
use crate::wire::{Message, Value};

/// The fields of `FunctionDef` and `OpDef` that are read.
mod field {
    pub(super) const SIGNATURE: u32 = 1;
    pub(super) const NODE: u32 = 3;
    pub(super) const OP_DEF_NAME: u32 = 1;
}

/// What one thread finds in pieces of a graph and its library.
///
/// Every field of a node is jumped over once. Inputs and tensors are not looked into, nor attrs but
/// of ops whose attrs tell something.
///
/// Names are bytes as the file has them.
#[derive(Default)]
pub(super) struct Walk<'m> {
    /// The ops, by number.
    pub(super) ops: Vec<OpFound<'m>>,
    pub(super) functions: Vec<FunctionFound<'m>>,
    /// How often each op is in a function, for all functions.
    pub(super) op_counts: Vec<OpCount>,
    /// Functions that attrs name, by number.
    pub(super) callees: NameNumbers<'m>,
    /// By number of a function: the first node that calls it.
    pub(super) callers: Vec<Option<First<'m>>>,
    /// The callees of nodes in functions.
    pub(super) calls: Vec<usize>,
    /// Types under which gradients of nodes are registered, by number.
    pub(super) gradient_types: NameNumbers<'m>,
    /// Those of nodes in functions.
    pub(super) gradients: Vec<usize>,
    pub(super) graph: GraphFound,
    /// Names of nodes with an absolute path in them, and the paths.
    pub(super) paths: Paths<'m>,
    /// The nodes outside of functions that read tensors from a bundle.
    pub(super) restores: Vec<Restore<'m>>,
    /// Keys of a bundle that nodes in functions read, by number.
    pub(super) keys: NameNumbers<'m>,
    /// Those of each function, for all functions.
    pub(super) restored: Vec<usize>,
    /// The bytes that nodes of the op `Const` take.
    pub(super) constant_bytes: u64,
    /// The constants of the function that is walked, by name.
    constants: Vec<(&'m [u8], Message<'m>)>,
    /// Names of nodes there that say which keys a node reads.
    key_inputs: Vec<&'m [u8]>,
    op_numbers: NameNumbers<'m>,
    hash: NameHash,
    /// Set if the nodes outside of functions are wanted by name.
    marker: Option<NodeMarker>,
}

/// What was found outside of functions.
#[derive(Default)]
pub(super) struct GraphFound {
    pub(super) nodes: u64,
    pub(super) calls: BTreeSet<usize>,
    pub(super) gradients: BTreeSet<usize>,
    /// Marks of the nodes, if they are wanted by name.
    pub(super) marks: NodeMarks,
}

/// The nodes of one op.
pub(super) struct OpFound<'m> {
    pub(super) name: &'m [u8],
    /// Where a node names it, the first of all.
    pub(super) at: u64,
    /// How many nodes stand outside of functions.
    pub(super) in_graph: u64,
    /// The first of those by name.
    pub(super) first_nodes: InOrder<&'m [u8], 3>,
    interest: Interest,
    /// Where in `op_counts` it is counted for the function that was walked last.
    counted: usize,
}

/// How many nodes of an op are in a function.
#[derive(Clone, Copy)]
pub(super) struct OpCount {
    pub(super) op: u32,
    pub(super) nodes: u32,
}

/// A function, with ranges of the lists of all functions.
pub(super) struct FunctionFound<'m> {
    pub(super) message: Message<'m>,
    pub(super) name: &'m [u8],
    /// The hash of its name.
    pub(super) hash: u64,
    /// Where its name stands in the file, if it is not UTF-8.
    pub(super) fault: Option<u64>,
    pub(super) nodes: u64,
    pub(super) op_counts: Range<usize>,
    pub(super) calls: Range<usize>,
    pub(super) gradients: Range<usize>,
    /// The keys that its nodes read.
    pub(super) restored: Range<usize>,
}

/// A node of the op `RestoreV2` outside of functions.
#[derive(Clone, Copy)]
pub(super) struct Restore<'m> {
    /// Where it stands.
    pub(super) at: u64,
    /// The name of the node that says which keys it reads, if it has that input.
    pub(super) keys: Option<&'m [u8]>,
}

/// The node with that name, and where it stands.
pub(super) type First<'m> = (u64, &'m [u8]);

/// Names of nodes, and paths in them.
pub(super) type Paths<'m> = InOrder<(&'m [u8], &'m str), 1000>;

impl<'m> Walk<'m> {
    /// Makes the walk of a thread, which may mark the nodes outside of functions.
    pub(super) fn new(hash: NameHash, marker: Option<NodeMarker>) -> Self {
        Walk {
            hash,
            marker,
            ..Walk::default()
        }
    }

    pub(super) fn piece(&mut self, piece: Piece<'m>) -> Result<()> {
        match piece {
            Piece::Graph(fields) => self.graph_nodes(fields),
            Piece::Library(fields) => {
                for field in fields.fields() {
                    let field = field?;
                    if field.number() == outline::field::FUNCTION
                        && let Some(function) = inside(&field)
                    {
                        self.function(function)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn graph_nodes(&mut self, fields: Message<'m>) -> Result<()> {
        let (calls, gradients) = (self.calls.len(), self.gradients.len());
        for field in fields.fields() {
            let field = field?;
            if field.number() == outline::field::NODE
                && let Some(message) = inside(&field)
            {
                let node = RawNode::read(message)?;
                let op = self.node(message, &node, false)?;
                let op = &mut self.ops[op];
                op.in_graph += 1;
                op.first_nodes.insert(message.start(), node.name);
                self.graph.nodes += 1;
                if let Some(marker) = &self.marker {
                    let mark = marker.mark(node.name, field.offset());
                    self.graph.marks[mark.shelf()].push(mark);
                }
            }
        }
        self.graph.calls.extend(self.calls.drain(calls..));
        self.graph
            .gradients
            .extend(self.gradients.drain(gradients..));
        Ok(())
    }

    fn function(&mut self, message: Message<'m>) -> Result<()> {
        let (mut name, mut name_at): (&[u8], _) = (b"", message.start());
        let start = (self.op_counts.len(), self.calls.len(), self.gradients.len());
        self.constants.clear();
        self.key_inputs.clear();
        let mut nodes = 0;
        for field in message.fields() {
            let field = field?;
            match (field.number(), inside(&field)) {
                (field::SIGNATURE, Some(signature)) => {
                    if let Some(last) = signature.last(field::OP_DEF_NAME)?
                        && let Value::Bytes(bytes) = last.value()
                    {
                        (name, name_at) = (bytes, last.offset());
                    }
                }
                (field::NODE, Some(node)) => {
                    nodes += 1;
                    let op = self.node(node, &RawNode::read(node)?, true)?;
                    self.count(op, start.0);
                }
                _ => {}
            }
        }
        let restored = self.restored.len();
        self.find_keys()?;
        self.functions.push(FunctionFound {
            message,
            name,
            hash: self.hash.hash_one(name),
            fault: str::from_utf8(name).is_err().then_some(name_at),
            nodes,
            op_counts: start.0..self.op_counts.len(),
            calls: start.1..self.calls.len(),
            gradients: start.2..self.gradients.len(),
            restored: restored..self.restored.len(),
        });
        Ok(())
    }

    /// Finds the keys that nodes of the function just walked read from a bundle.
    fn find_keys(&mut self) -> Result<()> {
        if self.key_inputs.is_empty() {
            return Ok(());
        }
        let mut by_name = NameMap::with_hasher(self.hash.clone());
        by_name.extend(self.constants.iter().copied());
        // Nodes may share a constant, which is read once then.
        let names: BTreeSet<&[u8]> = self.key_inputs.drain(..).collect();
        let mut keys = BTreeSet::new();
        for constant in names.into_iter().filter_map(|name| by_name.get(name)) {
            let strings = RawNode::read(*constant)?.strings()?;
            keys.extend(strings.into_iter().map(|key| self.keys.number(key)));
        }
        self.restored.extend(keys);
        Ok(())
    }

    /// Counts a node of the function whose counts begin there.
    fn count(&mut self, op: usize, start: usize) {
        let place = &mut self.ops[op].counted;
        match self.op_counts.get_mut(*place) {
            Some(count) if *place >= start => count.nodes = count.nodes.saturating_add(1),
            _ => {
                *place = self.op_counts.len();
                let op = op as u32;
                self.op_counts.push(OpCount { op, nodes: 1 });
            }
        }
    }

    /// Looks at a node; returns the number of its op.
    #[inline]
    fn node(
        &mut self,
        message: Message<'m>,
        node: &RawNode<'m>,
        is_in_function: bool,
    ) -> Result<usize> {
        let number = self.op_numbers.number(node.op);
        if number == self.ops.len() {
            self.ops.push(OpFound {
                name: node.op,
                at: node.op_at,
                in_graph: 0,
                first_nodes: InOrder::default(),
                interest: Interest::of(node.op),
                counted: usize::MAX,
            });
        }
        let op = &mut self.ops[number];
        op.at = op.at.min(node.op_at);
        match op.interest {
            Interest::None => {}
            Interest::Calls => self.called(message, node)?,
            Interest::Const => {
                self.constant_bytes += message.bytes().len() as u64;
                // Lists of strings are vocabularies and keys of variables, not paths.
                let path = node.only_string()?.and_then(absolute_path);
                self.path(message, node, path);
                if is_in_function {
                    self.constants.push((node.name, message));
                }
            }
            Interest::Table => {
                let path = match node.attr(b"shared_name")? {
                    Some(name) => name.bytes()?.and_then(path_in_table_name),
                    None => None,
                };
                self.path(message, node, path);
            }
            Interest::Restore => {
                let keys = node.inputs()?.get(1).map(|input| node_of(input));
                match is_in_function {
                    true => self.key_inputs.extend(keys),
                    false => self.restores.push(Restore {
                        at: message.start(),
                        keys,
                    }),
                }
            }
        }
        if node.has_gradient
            && let Some(value) = node.attr(GRADIENT_OP_TYPE)?
            && let Some(name) = value.bytes()?
        {
            self.gradients.push(self.gradient_types.number(name));
        }
        Ok(number)
    }

    /// Notes the functions that a node's attrs name.
    fn called(&mut self, message: Message<'m>, node: &RawNode<'m>) -> Result<()> {
        node.each_attr(|key, value| match key {
            // Long lists in nearly every node.
            b"Tin" | b"Tout" | b"_output_shapes" => Ok(()),
            _ => value.each_function(|name| {
                let number = self.callees.number(name);
                self.calls.push(number);
                if number == self.callers.len() {
                    self.callers.push(None);
                }
                // What is only noted may be gone.
                let caller = &mut self.callers[number];
                let is_first = caller.is_none_or(|(at, _)| message.start() < at);
                if is_first && !key.starts_with(b"_") {
                    *caller = Some((message.start(), node.name));
                }
            }),
        })
    }

    fn path(&mut self, message: Message<'m>, node: &RawNode<'m>, path: Option<&'m str>) {
        if let Some(path) = path {
            self.paths.insert(message.start(), (node.name, path));
        }
    }
}

impl<'m> OpFound<'m> {
    /// Adds what another thread found.
    pub(super) fn add(&mut self, other: OpFound<'m>) {
        self.at = self.at.min(other.at);
        self.in_graph += other.in_graph;
        self.first_nodes.extend(other.first_nodes);
    }
}

/// What is to be looked for in nodes of an op.
#[derive(Clone, Copy)]
enum Interest {
    None,
    /// Functions that attrs name.
    Calls,
    /// A path in the value.
    Const,
    /// A path in the name.
    Table,
    /// The node itself.
    Restore,
}

impl Interest {
    fn of(op: &[u8]) -> Self {
        match op {
            b"Const" => return Interest::Const,
            b"HashTable" | b"HashTableV2" => return Interest::Table,
            RESTORE => return Interest::Restore,
            _ => {}
        }
        let facts = std::str::from_utf8(op).ok().and_then(op::find);
        // What attrs an op of others has is not known.
        let may_call = facts.is_none_or(|facts| {
            let mut attrs = facts.attrs();
            attrs.any(|attr| matches!(attr.type_name(), "func" | "list(func)"))
        });
        match may_call {
            true => Interest::Calls,
            false => Interest::None,
        }
    }
}

/// The first of something by place in the file, so many: threads meet pieces in any order.
pub(super) struct InOrder<T, const LIMIT: usize> {
    found: Vec<(u64, T)>,
}

impl<T, const LIMIT: usize> Default for InOrder<T, LIMIT> {
    fn default() -> Self {
        InOrder { found: Vec::new() }
    }
}

impl<T, const LIMIT: usize> InOrder<T, LIMIT> {
    #[inline]
    fn insert(&mut self, at: u64, one: T) {
        let is_late = self.found.last().is_some_and(|(last, _)| *last < at);
        if is_late && self.found.len() >= LIMIT {
            return;
        }
        let place = self.found.partition_point(|(other, _)| *other < at);
        self.found.insert(place, (at, one));
        self.found.truncate(LIMIT);
    }

    pub(super) fn extend(&mut self, other: Self) {
        for (at, one) in other.found {
            self.insert(at, one);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.found.iter().map(|(_, one)| one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_kept_in_order() {
        let mut first = InOrder::<_, 3>::default();
        for at in [5, 3, 9, 1, 7, 2] {
            first.insert(at, at * 10);
        }
        assert!(first.iter().eq(&[10, 20, 30]));
        let mut other = InOrder::<_, 3>::default();
        other.insert(0, 0);
        other.insert(4, 40);
        first.extend(other);
        assert!(first.iter().eq(&[0, 10, 20]));
    }
}
