use super::constant::{self, ATTR, ATTR_KEY, TENSOR, TENSOR_CONTENT};
use super::list::List;
use super::metadata::{ChunkKind, FieldIndex, MapKey};
use super::rope::{Rope, Span, field_len};
use crate::error::{Error, Printable, Result};
use crate::wire::{Field, Message, Value};

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
    model: &'a [u8],
    max: u64,
    pub(super) chunks: Vec<Chunk>,
}

pub(super) struct Chunk {
    pub(super) kind: ChunkKind,
    /// Where it is merged; empty for the root.
    pub(super) path: Vec<FieldIndex>,
    pub(super) bytes: Rope,
}

/// The graph of the first meta graph, all its parts together.
struct Graph {
    nodes: List,
    functions: List,
    has_library: bool,
    /// Everything else.
    rest: Rope,
    library_rest: Rope,
}

impl Chunk {
    /// A chunk of the whole model.
    pub(super) fn whole(model: &[u8]) -> Self {
        Chunk {
            kind: ChunkKind::Message,
            path: Vec::new(),
            bytes: Rope::new(Span {
                start: 0,
                len: model.len() as u64,
            }),
        }
    }
}

impl<'a> Chunks<'a> {
    /// Cuts a `SavedModel` that is not shorter than `max`.
    pub(super) fn cut(model: &'a [u8], max: u64) -> Result<Self> {
        let mut chunks = Chunks {
            model,
            max,
            chunks: Vec::new(),
        };
        let (mut before, mut first, mut after) = (Rope::default(), None, Rope::default());
        for field in Message::new(model).fields() {
            let field = field?;
            match (&first, field.value()) {
                (None, Value::Bytes(_)) if field.number() == META_GRAPHS => first = field.message(),
                (None, _) => before.push(Span::of(&field)),
                (Some(_), _) => after.push(Span::of(&field)),
            }
        }
        let mut root = before;
        if let Some(meta_graph) = first {
            let room = max.saturating_sub(root.len() + after.len());
            root.push_field(META_GRAPHS, chunks.cut_meta_graph(meta_graph, room)?);
        }
        root.append(after);
        chunks.add(0, ChunkKind::Message, Vec::new(), root);
        chunks.check()?;
        Ok(chunks)
    }

    /// Returns the meta graph without what became chunks; `room` is what it may take.
    fn cut_meta_graph(&mut self, meta_graph: Message<'_>, room: u64) -> Result<Rope> {
        let (mut rest, mut graph) = (Rope::default(), Graph::new());
        let mut has_graph = false;
        for field in meta_graph.fields() {
            let field = field?;
            match (field.value(), field.message()) {
                (Value::Bytes(_), Some(part)) if field.number() == GRAPH_DEF => {
                    graph.add(part)?;
                    has_graph = true;
                }
                _ => rest.push(Span::of(&field)),
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

    fn cut_graph(&mut self, mut graph: Graph) -> Result<Rope> {
        let library_len = graph.library_len();
        let nodes_len = graph.len() - library_len;
        // The larger part first; the other only if it must be.
        if library_len > nodes_len {
            self.cut_functions(&mut graph.functions)?;
            if nodes_len + graph.library_len() > self.max {
                self.cut_nodes(&mut graph.nodes, NODE, &graph_path(&[]))?;
            }
        } else {
            self.cut_nodes(&mut graph.nodes, NODE, &graph_path(&[]))?;
            if library_len + graph.rest.len() + graph.nodes.len() > self.max {
                self.cut_functions(&mut graph.functions)?;
            }
        }
        let mut library = graph.library_rest;
        graph.functions.into_message(&mut library);
        let mut shell = Rope::default();
        graph.nodes.into_message(&mut shell);
        if shell.len() + graph.rest.len() + field_len(LIBRARY, library.len()) > self.max {
            let bytes = std::mem::take(&mut library);
            let path = graph_path(&[FieldIndex::Field(LIBRARY)]);
            self.add(0, ChunkKind::Message, path, bytes);
        }
        if graph.has_library {
            shell.push_field(LIBRARY, library);
        }
        shell.append(graph.rest);
        Ok(shell)
    }

    /// Cuts the nodes in field `number` of the message at `path`.
    fn cut_nodes(&mut self, nodes: &mut List, number: u32, path: &[FieldIndex]) -> Result<()> {
        let mut changes = Vec::new();
        for (index, node) in nodes.values().enumerate() {
            if node.len < self.max && node.len <= self.max / 3 {
                continue;
            }
            let mut body = Rope::new(node);
            if node.len >= self.max {
                let (rest, content) = part_constant(self.message(node))?;
                let leaf = [
                    FieldIndex::Field(ATTR),
                    FieldIndex::MapKey(MapKey::String(ATTR_KEY.to_owned())),
                    FieldIndex::Field(TENSOR),
                    FieldIndex::Field(TENSOR_CONTENT),
                ];
                let place = [&element_path(path, number, index)[..], &leaf].concat();
                self.push(ChunkKind::Bytes, place, content);
                body = rest;
            }
            if body.len() > self.max / 3 {
                let place = element_path(path, number, index);
                self.push(ChunkKind::Message, place, std::mem::take(&mut body));
            }
            changes.push((index, body));
        }
        nodes.change(changes);
        self.group(nodes, number, path);
        Ok(())
    }

    fn cut_functions(&mut self, functions: &mut List) -> Result<()> {
        let path = graph_path(&[FieldIndex::Field(LIBRARY)]);
        let mut changes = Vec::new();
        for (index, function) in functions.values().enumerate() {
            let place = || element_path(&path, FUNCTION, index);
            if function.len >= self.max {
                changes.push((index, self.cut_function(function, &place())?));
            } else if function.len > self.max / 3 {
                self.push(ChunkKind::Message, place(), Rope::new(function));
                changes.push((index, Rope::default()));
            }
        }
        functions.change(changes);
        self.group(functions, FUNCTION, &path);
        Ok(())
    }

    fn cut_function(&mut self, function: Span, path: &[FieldIndex]) -> Result<Rope> {
        let (mut rest, mut nodes) = (Rope::default(), List::new(NODE_DEF));
        for field in self.message(function).fields() {
            let field = field?;
            match field.value() {
                Value::Bytes(_) if field.number() == NODE_DEF => nodes.push(&field),
                _ => rest.push(Span::of(&field)),
            }
        }
        self.cut_nodes(&mut nodes, NODE_DEF, path)?;
        nodes.into_message(&mut rest);
        Ok(rest)
    }

    /// Brings the elements of a list into chunks of their message, as many to each as fit, unless
    /// all fit where they are.
    fn group(&mut self, list: &mut List, number: u32, path: &[FieldIndex]) {
        let (mut starts, mut total) = (Vec::new(), 0);
        for (i, len) in list.lens().enumerate() {
            if total + len > self.max && i > 0 {
                starts.push(i);
                total = 0;
            }
            total += len + EXTRA;
        }
        if starts.is_empty() {
            return;
        }
        let (mut starts, mut slice) = (starts.into_iter().peekable(), Rope::default());
        for (i, item) in list.drain().enumerate() {
            if starts.next_if_eq(&i).is_some() {
                let bytes = std::mem::take(&mut slice);
                self.push(ChunkKind::Message, path.to_vec(), bytes);
            }
            item.into_message(number, &mut slice);
        }
        self.push(ChunkKind::Message, path.to_vec(), slice);
    }

    fn push(&mut self, kind: ChunkKind, path: Vec<FieldIndex>, bytes: Rope) {
        self.add(self.chunks.len(), kind, path, bytes);
    }

    fn add(&mut self, at: usize, kind: ChunkKind, path: Vec<FieldIndex>, bytes: Rope) {
        self.chunks.insert(at, Chunk { kind, path, bytes });
    }

    /// Returns the message that stands there in the model.
    fn message(&self, span: Span) -> Message<'a> {
        Message::at(span.get(self.model), span.start)
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

impl Graph {
    fn new() -> Self {
        Graph {
            nodes: List::new(NODE),
            functions: List::new(FUNCTION),
            has_library: false,
            rest: Rope::default(),
            library_rest: Rope::default(),
        }
    }

    /// Adds a part of the graph; all of them are merged.
    fn add(&mut self, part: Message<'_>) -> Result<()> {
        for field in part.fields() {
            let field = field?;
            match (field.number(), field.value()) {
                (NODE, Value::Bytes(_)) => self.nodes.push(&field),
                (LIBRARY, Value::Bytes(_)) => self.add_library(&field)?,
                _ => self.rest.push(Span::of(&field)),
            }
        }
        Ok(())
    }

    fn add_library(&mut self, library: &Field<'_>) -> Result<()> {
        self.has_library = true;
        for field in library.message().into_iter().flat_map(Message::fields) {
            let field = field?;
            match field.value() {
                Value::Bytes(_) if field.number() == FUNCTION => self.functions.push(&field),
                _ => self.library_rest.push(Span::of(&field)),
            }
        }
        Ok(())
    }

    fn library_len(&self) -> u64 {
        self.library_rest.len() + self.functions.len()
    }

    fn len(&self) -> u64 {
        let library = match self.has_library {
            true => field_len(LIBRARY, self.library_len()),
            false => 0,
        };
        self.rest.len() + self.nodes.len() + library
    }

    fn whole(self) -> Rope {
        let mut whole = Rope::default();
        self.nodes.into_message(&mut whole);
        if self.has_library {
            let mut library = self.library_rest;
            self.functions.into_message(&mut library);
            whole.push_field(LIBRARY, library);
        }
        whole.append(self.rest);
        whole
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

/// Returns the path of the element of that index of a field of the message at `path`.
fn element_path(path: &[FieldIndex], number: u32, index: usize) -> Vec<FieldIndex> {
    let step = [FieldIndex::Field(number), FieldIndex::Index(index as u64)];
    [path, &step].concat()
}

fn part_constant(node: Message<'_>) -> Result<(Rope, Rope)> {
    let text = |number| -> Result<&[u8]> {
        Ok(match node.last(number)?.map(|field| field.value()) {
            Some(Value::Bytes(text)) => text,
            _ => &[],
        })
    };
    let (name, op) = (text(NODE_NAME)?, text(NODE_OP)?);
    if op != b"Const" {
        return Err(Error::unsupported(format!(
            "the node `{}` has {} bytes and the op `{}`: only Const can be split",
            Printable(name),
            node.bytes().len(),
            Printable(op)
        )));
    }
    constant::part(node).map_err(|error| error.for_key(name))
}
