use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::meta_graph::{MetaGraph, field};
use super::view::{Source, View, read_str};
use crate::error::{Error, Printable, Result};
use crate::proto::function_def::{ArgAttrEntry, ArgAttrs};
use crate::proto::{
    AttrValue, FunctionDef, GradientDef, GraphDef, NodeDef, OpDef, RegisteredGradient, VersionDef,
};
use crate::wire::{Message, Value};

/// The fields of `GraphDef`.
mod graph_def {
    pub(super) const NODE: u32 = 1;
    pub(super) const LIBRARY: u32 = 2;
    pub(super) const VERSIONS: u32 = 4;
}

/// The fields of `FunctionDefLibrary`.
mod library {
    pub(super) const FUNCTION: u32 = 1;
    pub(super) const GRADIENT: u32 = 2;
    pub(super) const REGISTERED_GRADIENTS: u32 = 3;
}

/// The fields of `FunctionDef`.
mod function_def {
    pub(super) const SIGNATURE: u32 = 1;
    pub(super) const NODE_DEF: u32 = 3;
    pub(super) const RET: u32 = 4;
    pub(super) const ATTR: u32 = 5;
    pub(super) const CONTROL_RET: u32 = 6;
    pub(super) const ARG_ATTR: u32 = 7;
}

/// The fields of `NodeDef`.
mod node_def {
    pub(super) const NAME: u32 = 1;
    pub(super) const OP: u32 = 2;
    pub(super) const INPUT: u32 = 3;
    pub(super) const DEVICE: u32 = 4;
    pub(super) const ATTR: u32 = 5;
}

/// The program of a meta graph: nodes, and a library of functions that nodes call. A view.
///
/// ```
/// use savedmodel::SavedModel;
///
/// let model = SavedModel::open("tests/fixtures/keras3_saved")?;
/// let graph = model.meta_graph(["serve"])?.graph();
/// for node in graph.nodes() {
///     let node = node?;
///     println!("{} = {}({})", node.name(), node.op(), node.inputs().collect::<Vec<_>>().join(", "));
/// }
/// assert!(graph.ops()?["MatMul"] > 0);
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// # Errors
///
/// Every function answers `Malformed`, with the file and the byte, if what it must read is damaged.
/// The first one of a split model reads all of its chunks, and answers what that does.
#[derive(Clone, Copy)]
pub struct Graph<'m> {
    meta_graph: MetaGraph<'m>,
}

#[allow(clippy::missing_errors_doc, reason = "said once for all, above")]
impl<'m> Graph<'m> {
    pub(crate) fn new(meta_graph: MetaGraph<'m>) -> Self {
        Graph { meta_graph }
    }

    fn view(self) -> Result<View<'m>> {
        Ok(self.meta_graph.whole()?.child(field::GRAPH_DEF))
    }

    fn library(self) -> Result<View<'m>> {
        Ok(self.view()?.child(graph_def::LIBRARY))
    }

    /// Returns the `GraphDef` messages, encoded, that are the graph together: mostly one.
    pub(crate) fn parts(self) -> Result<Vec<Message<'m>>> {
        self.view()?.parts()
    }

    /// Decodes one of the messages in it, which may be in parts.
    pub(crate) fn merge<M: prost::Message + Default>(parts: &[Message<'_>]) -> Result<M> {
        let mut message = M::default();
        for part in parts {
            let merged = message.merge(part.bytes());
            merged.map_err(|error| Error::malformed(error.to_string()).at(part.start()))?;
        }
        Ok(message)
    }

    /// Encodes a message for a test.
    #[cfg(test)]
    pub(crate) fn encode(message: &impl prost::Message) -> Vec<u8> {
        message.encode_to_vec()
    }

    /// Adds the file to an error.
    pub(crate) fn fault(self, error: Error) -> Error {
        self.meta_graph.view.fault(error)
    }

    /// Walks the nodes outside of functions, in the order of the file, which means nothing.
    pub fn nodes(&self) -> impl Iterator<Item = Result<Node<'m>>> + use<'m> {
        walk(self.view(), |view| nodes(view, graph_def::NODE))
    }

    /// Looks up a node outside of functions. Reads all of them; for many look-ups make a map.
    ///
    /// # Errors
    ///
    /// `NotFound`, with the names that come closest, if there is none of that name.
    pub fn node(&self, name: &str) -> Result<Node<'m>> {
        for node in self.nodes() {
            let node = node?;
            if node.name == name {
                return Ok(node);
            }
        }
        let names = self.nodes().flatten().map(|node| node.name.to_owned());
        let error = Error::not_found_among("node", name, names.take(MAX_SEARCHED));
        Err(self.fault(error.for_key(name.as_bytes())))
    }

    /// Walks the functions of the library, in the order of the file.
    pub fn functions(&self) -> impl Iterator<Item = Result<Function<'m>>> + use<'m> {
        let graph = *self;
        walk(self.library(), |view| view.elements(library::FUNCTION))
            .map(move |message| graph.function_of(message?))
    }

    /// Makes a function of one of those messages.
    pub(crate) fn function_of(self, message: Message<'m>) -> Result<Function<'m>> {
        Function::read(View::new(self.meta_graph.view.source, message))
    }

    /// Looks up a function of the library. Reads all of them; for many look-ups make a map.
    ///
    /// # Errors
    ///
    /// `NotFound`, with the names that come closest, if there is none of that name.
    pub fn function(&self, name: &str) -> Result<Function<'m>> {
        for function in self.functions() {
            let function = function?;
            if function.name == name {
                return Ok(function);
            }
        }
        let names = self.functions().flatten();
        let names = names.map(|function| function.name.to_owned());
        let error = Error::not_found_among("function", name, names.take(MAX_SEARCHED));
        Err(self.fault(error.for_key(name.as_bytes())))
    }

    /// Returns which versions of TensorFlow the graph was made by and for.
    pub fn versions(&self) -> Result<VersionDef> {
        let versions = self.view()?.child(graph_def::VERSIONS).decode()?;
        Ok(versions.unwrap_or_default())
    }

    /// Returns which functions are gradients of which, by name.
    pub fn gradients(&self) -> Result<Vec<GradientDef>> {
        let library = self.library()?;
        let elements = library.elements(library::GRADIENT);
        elements
            .map(|message| decode(library.source, message?))
            .collect()
    }

    /// Returns the gradients that the author registered under names of their own.
    pub fn registered_gradients(&self) -> Result<Vec<RegisteredGradient>> {
        let library = self.library()?;
        let elements = library.elements(library::REGISTERED_GRADIENTS);
        elements
            .map(|message| decode(library.source, message?))
            .collect()
    }

    /// Counts the nodes of each op, those of all functions included, whether anything calls them
    /// or not. Where a node calls a function by name, that name is its op.
    pub fn ops(&self) -> Result<BTreeMap<&'m str, u64>> {
        let view = self.view()?;
        let mut counts = HashMap::new();
        for node in view.elements(graph_def::NODE) {
            count_op(&mut counts, view, node?)?;
        }
        for function in view.child(graph_def::LIBRARY).elements(library::FUNCTION) {
            let function = View::new(view.source, function?);
            for node in function.elements(function_def::NODE_DEF) {
                count_op(&mut counts, view, node?)?;
            }
        }
        counts
            .into_iter()
            .map(|(op, (count, offset))| match read_str(op, offset) {
                Ok(op) => Ok((op, count)),
                Err(error) => Err(self.fault(error)),
            })
            .collect()
    }

    /// Decodes all of it.
    pub fn to_proto(&self) -> Result<GraphDef> {
        Ok(self.view()?.decode()?.unwrap_or_default())
    }
}

impl fmt::Debug for Graph<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph")
            .field("file", &self.meta_graph.view.source.path())
            .finish_non_exhaustive()
    }
}

/// Walks what a view has; of one that cannot be had the error is all.
fn walk<'m, T, W: Iterator<Item = Result<T>>>(
    view: Result<View<'m>>,
    elements: fn(View<'m>) -> W,
) -> impl Iterator<Item = Result<T>> + use<'m, T, W> {
    let (elements, error) = match view {
        Ok(view) => (Some(elements(view)), None),
        Err(error) => (None, Some(Err(error))),
    };
    error.into_iter().chain(elements.into_iter().flatten())
}

/// A search for near names looks at so many.
const MAX_SEARCHED: usize = 50_000;

fn nodes<'m>(view: View<'m>, number: u32) -> impl Iterator<Item = Result<Node<'m>>> + use<'m> {
    let source = view.source;
    view.elements(number)
        .map(move |message| Node::read(source, message?))
}

fn decode<M: prost::Message + Default>(source: &Source, message: Message<'_>) -> Result<M> {
    Ok(View::new(source, message).decode()?.unwrap_or_default())
}

/// The operations counted, each with the place where one of its nodes names it.
type Counts<'m> = HashMap<&'m [u8], (u64, u64)>;

fn count_op<'m>(counts: &mut Counts<'m>, view: View<'m>, node: Message<'m>) -> Result<()> {
    let mut op: (&[u8], u64) = (b"", node.start());
    for field in node.fields() {
        let field = field.map_err(|error| view.fault(error))?;
        if field.number() == node_def::OP
            && let Value::Bytes(bytes) = field.value()
        {
            op = (bytes, field.offset());
        }
    }
    counts.entry(op.0).or_insert((0, op.1)).0 += 1;
    Ok(())
}

/// One operation of a graph or function. A view whose names have been read.
#[derive(Clone, Copy)]
pub struct Node<'m> {
    view: View<'m>,
    name: &'m str,
    op: &'m str,
    device: &'m str,
}

impl<'m> Node<'m> {
    /// Reads the names, and proves that the inputs are strings.
    fn read(source: &'m Source, message: Message<'m>) -> Result<Self> {
        let mut node = Node {
            view: View::new(source, message),
            name: "",
            op: "",
            device: "",
        };
        for field in message.fields() {
            let field = field.map_err(|error| source.fault(error))?;
            let (Value::Bytes(bytes), node_def::NAME..=node_def::DEVICE) =
                (field.value(), field.number())
            else {
                continue;
            };
            let text = read_str(bytes, field.offset()).map_err(|error| source.fault(error))?;
            match field.number() {
                node_def::NAME => node.name = text,
                node_def::OP => node.op = text,
                node_def::DEVICE => node.device = text,
                _ => {}
            }
        }
        Ok(node)
    }

    /// Returns the node's name, unique in its graph or function.
    pub fn name(&self) -> &'m str {
        self.name
    }

    /// Returns what it does: the name of an op, or of a library function.
    pub fn op(&self) -> &'m str {
        self.op
    }

    /// Returns where it should run; mostly empty, for anywhere.
    pub fn device(&self) -> &'m str {
        self.device
    }

    /// Walks the inputs: `node` or `node:1` in a graph, `node:output:0` or the name of an argument
    /// in a function, `^node` for one that must run before.
    pub fn inputs(&self) -> impl Iterator<Item = &'m str> + use<'m> {
        // None is damaged: all were read when the node was.
        self.view.strings(node_def::INPUT).filter_map(Result::ok)
    }

    /// Decodes one attribute, if it is there.
    ///
    /// # Errors
    ///
    /// `Malformed` if the attribute, or the way to it, is damaged.
    pub fn attr(&self, name: &str) -> Result<Option<AttrValue>> {
        attr(self.view, node_def::ATTR, name)
    }

    /// Decodes the attributes one after the other, in the order of the file.
    ///
    /// # Errors
    ///
    /// As for [`attr`](Self::attr).
    pub fn attrs(&self) -> impl Iterator<Item = Result<(&'m str, AttrValue)>> + use<'m> {
        attrs(self.view, node_def::ATTR)
    }

    /// Returns the `NodeDef`, encoded.
    pub fn message(&self) -> Message<'m> {
        self.view.root()
    }

    /// Decodes all of it.
    ///
    /// # Errors
    ///
    /// `Malformed` if any of it is damaged.
    pub fn to_proto(&self) -> Result<NodeDef> {
        Ok(self.view.decode()?.unwrap_or_default())
    }
}

/// Shows `name = Op(inputs)`.
impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}(", Printable(self.name), Printable(self.op))?;
        for (i, input) in self.inputs().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{}", Printable(input))?;
        }
        f.write_str(")")
    }
}

/// One function of a graph's library. A view whose name has been read.
#[derive(Clone, Copy)]
pub struct Function<'m> {
    view: View<'m>,
    name: &'m str,
}

impl<'m> Function<'m> {
    fn read(view: View<'m>) -> Result<Self> {
        let name = view.child(function_def::SIGNATURE).string(OP_DEF_NAME)?;
        Ok(Function { view, name })
    }

    /// Returns the function's name.
    pub fn name(&self) -> &'m str {
        self.name
    }

    /// Decodes its arguments and results, which have the form of an op's definition.
    ///
    /// # Errors
    ///
    /// `Malformed` if they are damaged.
    pub fn signature(&self) -> Result<OpDef> {
        let signature = self.view.child(function_def::SIGNATURE).decode()?;
        Ok(signature.unwrap_or_default())
    }

    /// Walks the nodes of the body, in the order of the file.
    ///
    /// # Errors
    ///
    /// As for [`Graph::nodes`].
    pub fn nodes(&self) -> impl Iterator<Item = Result<Node<'m>>> + use<'m> {
        nodes(self.view, function_def::NODE_DEF)
    }

    /// Returns which output of a node of the body each result is.
    ///
    /// # Errors
    ///
    /// `Malformed` if it is damaged.
    pub fn ret(&self) -> Result<BTreeMap<&'m str, &'m str>> {
        self.names(function_def::RET)
    }

    /// Returns which node of the body each control output stands for.
    ///
    /// # Errors
    ///
    /// `Malformed` if it is damaged.
    pub fn control_ret(&self) -> Result<BTreeMap<&'m str, &'m str>> {
        self.names(function_def::CONTROL_RET)
    }

    fn names(&self, number: u32) -> Result<BTreeMap<&'m str, &'m str>> {
        self.view
            .elements(number)
            .map(|entry| {
                let entry = View::new(self.view.source, entry?);
                Ok((entry.string(1)?, entry.string(2)?))
            })
            .collect()
    }

    /// Decodes one attribute, if it is there.
    ///
    /// # Errors
    ///
    /// `Malformed` if the attribute, or the way to it, is damaged.
    pub fn attr(&self, name: &str) -> Result<Option<AttrValue>> {
        attr(self.view, function_def::ATTR, name)
    }

    /// Decodes the attributes one after the other, in the order of the file.
    ///
    /// # Errors
    ///
    /// As for [`attr`](Self::attr).
    pub fn attrs(&self) -> impl Iterator<Item = Result<(&'m str, AttrValue)>> + use<'m> {
        attrs(self.view, function_def::ATTR)
    }

    /// Decodes the attributes of its arguments, which have their index.
    pub(crate) fn arg_attrs(self) -> Result<Vec<(u32, ArgAttrs)>> {
        self.view
            .elements(function_def::ARG_ATTR)
            .map(|entry| {
                let entry: ArgAttrEntry = decode(self.view.source, entry?)?;
                Ok((
                    entry.key.unwrap_or_default(),
                    entry.value.unwrap_or_default(),
                ))
            })
            .collect()
    }

    /// Returns the `FunctionDef`, encoded.
    pub fn message(&self) -> Message<'m> {
        self.view.root()
    }

    /// Decodes all of it.
    ///
    /// # Errors
    ///
    /// `Malformed` if any of it is damaged.
    pub fn to_proto(&self) -> Result<FunctionDef> {
        Ok(self.view.decode()?.unwrap_or_default())
    }
}

impl fmt::Debug for Function<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({})", Printable(self.name))
    }
}

const OP_DEF_NAME: u32 = 1;

fn attr(view: View<'_>, number: u32, name: &str) -> Result<Option<AttrValue>> {
    match view.value(number, name)? {
        Some(value) => Ok(Some(value.decode()?.unwrap_or_default())),
        None => Ok(None),
    }
}

fn attrs<'m>(
    view: View<'m>,
    number: u32,
) -> impl Iterator<Item = Result<(&'m str, AttrValue)>> + use<'m> {
    view.entries(number).map(|entry| {
        let (key, value) = entry?;
        Ok((key, value.decode()?.unwrap_or_default()))
    })
}
