use super::constant::{self, ATTR, ATTR_KEY, TENSOR, TENSOR_CONTENT};
use super::metadata::{ChunkKind, FieldIndex, MapKey};
use super::rope::{Rope, field_len};
use crate::error::{Error, Printable, Result};
use crate::wire::{Message, Value};

const META_GRAPHS: u32 = 2;
const GRAPH_DEF: u32 = 2;
const NODE: u32 = 1;
const LIBRARY: u32 = 2;
const FUNCTION: u32 = 1;
const NODE_DEF: u32 = 3;
const NODE_NAME: u32 = 1;
const NODE_OP: u32 = 2;

/// What every element of a list counts beside its length, for its tag and length.
const EXTRA: u64 = 5;
/// No chunk that is a message can be longer: nobody could decode it.
const MAX_MESSAGE: u64 = i32::MAX as u64;

/// The chunks of a model, in the order of their indices.
///
/// The rules are those of TensorFlow's C++ splitter (`graph_def_splitter.cc` and
/// `repeated_field_splitter.cc` in `tensorflow/tools/proto_splitter/cc`): only the graph of the
/// first meta graph is cut, into messages that are shorter than the largest size.
pub(super) struct Chunks<'a> {
    max: u64,
    pub(super) chunks: Vec<Chunk<'a>>,
}

pub(super) struct Chunk<'a> {
    pub(super) kind: ChunkKind,
    /// Where it is merged; empty for the root.
    pub(super) path: Vec<FieldIndex>,
    pub(super) bytes: Rope<'a>,
}

/// The elements of a list that stay where they are, in order; `None` if all were moved.
type Staying<'a> = Option<Vec<Rope<'a>>>;

/// The graph of the first meta graph, all its parts together.
#[derive(Default)]
struct Graph<'a> {
    nodes: Vec<&'a [u8]>,
    functions: Vec<&'a [u8]>,
    has_library: bool,
    /// Everything else.
    rest: Rope<'a>,
    library_rest: Rope<'a>,
}

impl<'a> Chunks<'a> {
    /// Cuts a `SavedModel` that is not shorter than `max`.
    pub(super) fn cut(model: &'a [u8], max: u64) -> Result<Self> {
        let mut chunks = Chunks {
            max,
            chunks: Vec::new(),
        };
        let (mut before, mut first, mut after) = (Rope::default(), None, Rope::default());
        for field in Message::new(model).fields() {
            let field = field?;
            match (&first, field.value()) {
                (None, Value::Bytes(graph)) if field.number() == META_GRAPHS => first = Some(graph),
                (None, _) => before.push(field.raw()),
                (Some(_), _) => after.push(field.raw()),
            }
        }
        let mut root = before;
        if let Some(meta_graph) = first {
            let room = max.saturating_sub(root.len() + after.len());
            root.push_field(META_GRAPHS, chunks.cut_meta_graph(meta_graph, room)?);
        }
        after.parts_into(&mut root);
        chunks.add(0, ChunkKind::Message, Vec::new(), root);
        chunks.check()?;
        Ok(chunks)
    }

    /// Returns the meta graph without what became chunks; `room` is what it may take.
    fn cut_meta_graph(&mut self, meta_graph: &'a [u8], room: u64) -> Result<Rope<'a>> {
        let (mut rest, mut graph) = (Rope::default(), Graph::default());
        let mut has_graph = false;
        for field in Message::new(meta_graph).fields() {
            let field = field?;
            match field.value() {
                Value::Bytes(part) if field.number() == GRAPH_DEF => {
                    graph.add(part)?;
                    has_graph = true;
                }
                _ => rest.push(field.raw()),
            }
        }
        if !has_graph {
            return Ok(rest);
        }
        let mut shell = match graph.len() < self.max {
            true => graph.whole(),
            false => self.cut_graph(graph)?,
        };
        if field_len(META_GRAPHS, rest.len() + field_len(GRAPH_DEF, shell.len())) >= room {
            let bytes = std::mem::take(&mut shell);
            self.add(0, ChunkKind::Message, graph_path(&[]), bytes);
        }
        rest.push_field(GRAPH_DEF, shell);
        Ok(rest)
    }

    fn cut_graph(&mut self, graph: Graph<'a>) -> Result<Rope<'a>> {
        let library_len = graph.library_len();
        let nodes_len = graph.len() - library_len;
        let (nodes, functions);
        let whole = |list: &[&'a [u8]]| Some(list.iter().map(|item| Rope::new(item)).collect());
        let kept = |staying: &Staying<'a>, number| {
            let items = staying.iter().flatten();
            items.map(|item| field_len(number, item.len())).sum::<u64>()
        };
        // The larger part first; the other only if it must be.
        if library_len > nodes_len {
            functions = self.cut_functions(&graph.functions)?;
            let left = graph.library_rest.len() + kept(&functions, FUNCTION);
            nodes = match nodes_len + left > self.max {
                true => self.cut_nodes(&graph.nodes, NODE, &graph_path(&[]))?,
                false => whole(&graph.nodes),
            };
        } else {
            nodes = self.cut_nodes(&graph.nodes, NODE, &graph_path(&[]))?;
            let left = graph.rest.len() + kept(&nodes, NODE);
            functions = match library_len + left > self.max {
                true => self.cut_functions(&graph.functions)?,
                false => whole(&graph.functions),
            };
        }
        let mut library = graph.library_rest;
        push_all(&mut library, FUNCTION, functions);
        let mut shell = Rope::default();
        push_all(&mut shell, NODE, nodes);
        if shell.len() + graph.rest.len() + field_len(LIBRARY, library.len()) > self.max {
            let bytes = std::mem::take(&mut library);
            self.add(
                0,
                ChunkKind::Message,
                graph_path(&[FieldIndex::Field(LIBRARY)]),
                bytes,
            );
        }
        if graph.has_library {
            shell.push_field(LIBRARY, library);
        }
        graph.rest.parts_into(&mut shell);
        Ok(shell)
    }

    /// Cuts the nodes in field `number` of the message at `path`.
    fn cut_nodes(
        &mut self,
        nodes: &[&'a [u8]],
        number: u32,
        path: &[FieldIndex],
    ) -> Result<Staying<'a>> {
        let mut bodies = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let place = [
                path,
                &[FieldIndex::Field(number), FieldIndex::Index(index as u64)],
            ]
            .concat();
            let mut body = Rope::new(node);
            if body.len() >= self.max {
                let (rest, content) = part_constant(node)?;
                let leaf = [
                    FieldIndex::Field(ATTR),
                    FieldIndex::MapKey(MapKey::String(ATTR_KEY.to_owned())),
                    FieldIndex::Field(TENSOR),
                    FieldIndex::Field(TENSOR_CONTENT),
                ];
                self.push(ChunkKind::Bytes, [&place[..], &leaf].concat(), content);
                body = rest;
            }
            if body.len() > self.max / 3 {
                self.push(ChunkKind::Message, place, std::mem::take(&mut body));
            }
            bodies.push(body);
        }
        Ok(self.group(bodies, number, path))
    }

    fn cut_functions(&mut self, functions: &[&'a [u8]]) -> Result<Staying<'a>> {
        let path = graph_path(&[FieldIndex::Field(LIBRARY)]);
        let mut bodies = Vec::with_capacity(functions.len());
        for (index, function) in functions.iter().enumerate() {
            let mut body = Rope::new(function);
            let step = [FieldIndex::Field(FUNCTION), FieldIndex::Index(index as u64)];
            let place = [&path[..], &step].concat();
            if body.len() >= self.max {
                body = self.cut_function(function, &place)?;
            } else if body.len() > self.max / 3 {
                self.push(ChunkKind::Message, place, std::mem::take(&mut body));
            }
            bodies.push(body);
        }
        Ok(self.group(bodies, FUNCTION, &path))
    }

    fn cut_function(&mut self, function: &'a [u8], path: &[FieldIndex]) -> Result<Rope<'a>> {
        let (mut rest, mut nodes) = (Rope::default(), Vec::new());
        for field in Message::new(function).fields() {
            let field = field?;
            match field.value() {
                Value::Bytes(node) if field.number() == NODE_DEF => nodes.push(node),
                _ => rest.push(field.raw()),
            }
        }
        let nodes = self.cut_nodes(&nodes, NODE_DEF, path)?;
        push_all(&mut rest, NODE_DEF, nodes);
        Ok(rest)
    }

    /// Brings the elements of a list into chunks of their message, as many to each as fit, unless
    /// all fit where they are.
    fn group(&mut self, bodies: Vec<Rope<'a>>, number: u32, path: &[FieldIndex]) -> Staying<'a> {
        let (mut starts, mut total) = (Vec::new(), 0);
        for (i, body) in bodies.iter().enumerate() {
            if total + body.len() > self.max && i > 0 {
                starts.push(i);
                total = 0;
            }
            total += body.len() + EXTRA;
        }
        if starts.is_empty() {
            return Some(bodies);
        }
        starts.push(bodies.len());
        let mut bodies = bodies.into_iter();
        let mut start = 0;
        for end in starts {
            let mut slice = Rope::default();
            for body in bodies.by_ref().take(end - start) {
                slice.push_field(number, body);
            }
            self.push(ChunkKind::Message, path.to_vec(), slice);
            start = end;
        }
        None
    }

    fn push(&mut self, kind: ChunkKind, path: Vec<FieldIndex>, bytes: Rope<'a>) {
        self.add(self.chunks.len(), kind, path, bytes);
    }

    fn add(&mut self, at: usize, kind: ChunkKind, path: Vec<FieldIndex>, bytes: Rope<'a>) {
        self.chunks.insert(at, Chunk { kind, path, bytes });
    }

    fn check(&self) -> Result<()> {
        let mut messages = self
            .chunks
            .iter()
            .filter(|chunk| chunk.kind == ChunkKind::Message);
        match messages.find(|chunk| chunk.bytes.len() > MAX_MESSAGE) {
            Some(chunk) => Err(Error::unsupported(format!(
                "a part of the model has {} bytes and cannot be split: only nodes, functions and the elements of constants in the graph of the first meta graph can",
                chunk.bytes.len()
            ))),
            None => Ok(()),
        }
    }
}

impl<'a> Graph<'a> {
    /// Adds a part of the graph; all of them are merged.
    fn add(&mut self, part: &'a [u8]) -> Result<()> {
        for field in Message::new(part).fields() {
            let field = field?;
            match (field.number(), field.value()) {
                (NODE, Value::Bytes(node)) => self.nodes.push(node),
                (LIBRARY, Value::Bytes(library)) => {
                    self.has_library = true;
                    for field in Message::new(library).fields() {
                        let field = field?;
                        match field.value() {
                            Value::Bytes(function) if field.number() == FUNCTION => {
                                self.functions.push(function);
                            }
                            _ => self.library_rest.push(field.raw()),
                        }
                    }
                }
                _ => self.rest.push(field.raw()),
            }
        }
        Ok(())
    }

    fn library_len(&self) -> u64 {
        let functions = self.functions.iter();
        let functions = functions.map(|function| field_len(FUNCTION, function.len() as u64));
        self.library_rest.len() + functions.sum::<u64>()
    }

    fn len(&self) -> u64 {
        let nodes = self
            .nodes
            .iter()
            .map(|node| field_len(NODE, node.len() as u64));
        let library = match self.has_library {
            true => field_len(LIBRARY, self.library_len()),
            false => 0,
        };
        self.rest.len() + nodes.sum::<u64>() + library
    }

    fn whole(self) -> Rope<'a> {
        let mut whole = Rope::default();
        let all = |list: Vec<&'a [u8]>| Some(list.into_iter().map(Rope::new).collect());
        push_all(&mut whole, NODE, all(self.nodes));
        if self.has_library {
            let mut library = self.library_rest;
            push_all(&mut library, FUNCTION, all(self.functions));
            whole.push_field(LIBRARY, library);
        }
        self.rest.parts_into(&mut whole);
        whole
    }
}

fn push_all<'a>(rope: &mut Rope<'a>, number: u32, staying: Staying<'a>) {
    for item in staying.into_iter().flatten() {
        rope.push_field(number, item);
    }
}

/// Returns the path of the graph, and on from there.
fn graph_path(steps: &[FieldIndex]) -> Vec<FieldIndex> {
    let mut path = vec![
        FieldIndex::Field(META_GRAPHS),
        FieldIndex::Index(0),
        FieldIndex::Field(GRAPH_DEF),
    ];
    path.extend_from_slice(steps);
    path
}

fn part_constant(node: &[u8]) -> Result<(Rope<'_>, Rope<'_>)> {
    let text = |number| -> Result<&[u8]> {
        Ok(
            match Message::new(node).last(number)?.map(|field| field.value()) {
                Some(Value::Bytes(text)) => text,
                _ => &[],
            },
        )
    };
    let (name, op) = (text(NODE_NAME)?, text(NODE_OP)?);
    if op != b"Const" {
        return Err(Error::unsupported(format!(
            "the node `{}` has {} bytes and the op `{}`: only Const can be split",
            Printable(name),
            node.len(),
            Printable(op)
        )));
    }
    constant::part(node).map_err(|error| error.for_key(name))
}
