use super::look::text;
use super::program::Program;
use super::reach::Reach;
use crate::error::{Error, Result};
use crate::model::{Graph, MetaGraph};
use crate::op::{self, Release};
use crate::wire::merged::messages;
use crate::wire::{Message, Value};

/// The ops of a meta graph: how many nodes of each there are, where, and which TensorFlow has them.
///
/// ```
/// use savedmodel::SavedModel;
/// use savedmodel::inspect::OpCensus;
///
/// let model = SavedModel::open("tests/fixtures/keras3_saved")?;
/// let census = OpCensus::of(model.meta_graph(["serve"])?)?;
/// let matmul = census.ops.iter().find(|op| op.op == "MatMul").unwrap();
/// assert_eq!(matmul.in_graph, 0);
/// assert!(matmul.in_functions > 0);
/// assert_eq!(census.oldest_release.unwrap().name(), "2.10");
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OpCensus {
    /// The version of the TensorFlow that wrote the meta graph, as `2.21.0`; empty if not stored.
    pub tensorflow_version: String,
    /// The version of the graph format: what the graph's nodes were made for.
    pub producer: i32,
    /// TensorFlow of an earlier graph format refuses the graph.
    pub min_consumer: i32,
    /// The first release of TensorFlow that writes the graph's format, or a later one.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serialize_release"))]
    pub producer_release: Option<Release>,
    /// The first release that has all of TensorFlow's ops in here, and takes the graph format;
    /// 1.15 stands for all up to it. It is a lower bound: attrs of nodes may ask for a later one,
    /// and custom ops for what registers them. `None` if no release takes the format.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serialize_release"))]
    pub oldest_release: Option<Release>,
    /// How many nodes stand in the graph itself.
    pub graph_nodes: u64,
    /// How many nodes stand in functions.
    pub function_nodes: u64,
    /// How many functions there are.
    pub functions: u64,
    /// How many functions nothing calls.
    pub unreached_functions: u64,
    /// The ops, ascending by name.
    pub ops: Vec<OpCount>,
}

/// The nodes of one op.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OpCount {
    /// The op, or the function that nodes call by name.
    pub op: String,
    /// Whose it is.
    pub origin: OpOrigin,
    /// How many nodes stand in the graph itself.
    pub in_graph: u64,
    /// How many nodes stand in functions.
    pub in_functions: u64,
    /// How many of those in functions stand in functions that nothing calls.
    pub unreached: u64,
    /// The names of the first nodes in the graph itself, at most three.
    pub first_nodes: Vec<String>,
    /// The names of the first functions that have such nodes, at most three; here and in other
    /// references, names are cut after 1,000 characters.
    pub first_functions: Vec<String>,
    /// How many functions have such nodes.
    pub function_count: u64,
    /// The first release of TensorFlow that has the op; 1.15 stands for all up to it. `None` if the
    /// op is not TensorFlow's.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serialize_release"))]
    pub since: Option<Release>,
    /// The version of the graph format from which on new graphs may not use the op.
    pub deprecated: Option<i32>,
    /// Whether a node has effects, or a state. `None` if the op is not TensorFlow's.
    pub stateful: Option<bool>,
}

/// Whose op it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum OpOrigin {
    /// TensorFlow 2.21 has it.
    TensorFlow,
    /// It is a function of the library, called by its name.
    Function,
    /// Neither: a library that is loaded beside TensorFlow has to register it, or TensorFlow has
    /// it no more.
    Custom,
}

/// A node of an op that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OpLocation {
    /// The function whose body has the node; `None` if it stands in the graph itself.
    pub function: Option<String>,
    /// The node's name.
    pub node: String,
    /// Where the node should run; mostly empty, for anywhere.
    pub device: String,
}

impl OpCensus {
    /// Counts the ops of a meta graph, its functions included.
    ///
    /// Nothing but the names of nodes and ops is read, and those attrs that name functions.
    ///
    /// # Errors
    ///
    /// `Malformed`, with the file and the byte, if the graph is damaged.
    pub fn of(meta_graph: MetaGraph<'_>) -> Result<Self> {
        let graph = meta_graph.graph();
        let program = Program::read(graph)?;
        program.check_names()?;
        let reach = Reach::of(
            &program,
            object_functions(meta_graph, &program)?.into_iter(),
        );
        let tallies = tally(&program, &reach);
        let versions = &program.versions;
        let mut ops: Vec<OpCount> = program
            .ops
            .iter()
            .zip(tallies)
            .map(|(used, tally)| {
                let op = text(used.name);
                let facts = op::find(&op);
                let origin = match (program.find(used.name), facts) {
                    (Some(_), _) => OpOrigin::Function,
                    (None, Some(_)) => OpOrigin::TensorFlow,
                    (None, None) => OpOrigin::Custom,
                };
                let facts = facts.filter(|_| origin == OpOrigin::TensorFlow);
                OpCount {
                    op,
                    origin,
                    in_graph: used.in_graph,
                    in_functions: tally.nodes,
                    unreached: tally.unreached,
                    first_nodes: used.first_nodes.iter().map(|name| text(name)).collect(),
                    first_functions: tally
                        .first_functions
                        .into_iter()
                        .map(|function| program.reference(function))
                        .collect(),
                    function_count: tally.functions,
                    since: facts.and_then(|facts| facts.since()),
                    deprecated: facts.and_then(|facts| facts.deprecation()),
                    stateful: facts.map(|facts| facts.is_stateful()),
                }
            })
            .collect();
        ops.sort_by(|a, b| a.op.cmp(&b.op));
        let format = Release::of_producer(versions.min_consumer);
        let newest_op = ops.iter().filter_map(|op| op.since).max();
        Ok(OpCensus {
            tensorflow_version: meta_graph.tensorflow_version()?.to_owned(),
            producer: versions.producer,
            min_consumer: versions.min_consumer,
            producer_release: Release::of_producer(versions.producer),
            oldest_release: format.map(|format| newest_op.map_or(format, |op| op.max(format))),
            graph_nodes: program.main.nodes,
            function_nodes: program.function_nodes(),
            functions: program.functions.len() as u64,
            unreached_functions: unreached(&reach),
            ops,
        })
    }

    /// Walks the ops that no release of TensorFlow is known to have.
    pub fn custom_ops(&self) -> impl Iterator<Item = &OpCount> {
        self.ops.iter().filter(|op| op.origin == OpOrigin::Custom)
    }
}

/// The nodes of an op that stand in functions.
#[derive(Default)]
struct Tally {
    nodes: u64,
    unreached: u64,
    functions: u64,
    first_functions: Vec<usize>,
}

/// Counts them for each op of a program.
fn tally(program: &Program<'_>, reach: &[Reach]) -> Vec<Tally> {
    let mut tallies: Vec<Tally> = program.ops.iter().map(|_| Tally::default()).collect();
    for (function, reach) in reach.iter().enumerate() {
        for (op, nodes) in program.ops_of(function) {
            let tally = &mut tallies[op];
            tally.nodes += nodes;
            tally.functions += 1;
            if *reach == Reach::Nothing {
                tally.unreached += nodes;
            }
            if tally.first_functions.len() < FIRST_FUNCTIONS {
                tally.first_functions.push(function);
            }
        }
    }
    tallies
}

/// Finds all nodes of an op, those of the graph itself first; else the functions' in the order of the
/// file.
///
/// # Errors
///
/// `NotFound`, with the ops that come closest, if there is no such node; `Malformed`.
pub fn locate_op(graph: Graph<'_>, op: &str) -> Result<Vec<OpLocation>> {
    let mut found = Vec::new();
    for node in graph.nodes() {
        let node = node?;
        if node.op() == op {
            found.push(location(None, node.name(), node.device()));
        }
    }
    for function in graph.functions() {
        let function = function?;
        for node in function.nodes() {
            let node = node?;
            if node.op() == op {
                found.push(location(Some(function.name()), node.name(), node.device()));
            }
        }
    }
    if found.is_empty() {
        let ops = graph.ops()?.into_keys().map(str::to_owned);
        let error = Error::not_found_among("node of the op", op, ops.take(MAX_SEARCHED));
        return Err(graph.fault(error.for_key(op.as_bytes())));
    }
    Ok(found)
}

fn location(function: Option<&str>, node: &str, device: &str) -> OpLocation {
    OpLocation {
        function: function.map(super::program::reference),
        node: node.to_owned(),
        device: device.to_owned(),
    }
}

/// So many functions are named for an op.
const FIRST_FUNCTIONS: usize = 3;
/// A search for near names looks at so many.
const MAX_SEARCHED: usize = 50_000;

pub(super) fn unreached(reach: &[Reach]) -> u64 {
    let nothing = reach.iter().filter(|reach| **reach == Reach::Nothing);
    nothing.count() as u64
}

/// Returns the functions that objects hold as concrete ones, without decoding any object.
pub(super) fn object_functions(
    meta_graph: MetaGraph<'_>,
    program: &Program<'_>,
) -> Result<Vec<usize>> {
    let Some(objects) = meta_graph.object_graph_bytes()? else {
        return Ok(Vec::new());
    };
    let mut functions = Vec::new();
    let mut read = || -> Result<()> {
        for object in messages(Message::new(&objects).fields(), saved_object_graph::NODES) {
            for kind in object?.fields() {
                let kind = kind?;
                if !saved_object::FUNCTIONS.contains(&kind.number()) {
                    continue;
                }
                for name in kind.message().into_iter().flat_map(Message::fields) {
                    let name = name?;
                    if let (saved_object::FUNCTION_NAME, Value::Bytes(name)) =
                        (name.number(), name.value())
                    {
                        functions.extend(program.find(name));
                    }
                }
            }
        }
        Ok(())
    };
    // Where the object graph stands in the file is not known here.
    read().map_err(|error| meta_graph.graph().fault(error.without_offset()))?;
    Ok(functions)
}

mod saved_object_graph {
    pub(super) const NODES: u32 = 1;
}

/// The fields of `SavedObject`, and of the functions in it.
mod saved_object {
    /// `function` and `bare_concrete_function`.
    pub(super) const FUNCTIONS: [u32; 2] = [6, 8];
    /// The names of its concrete functions in the one, its name in the other.
    pub(super) const FUNCTION_NAME: u32 = 1;
}

/// Serializes a release as its name.
#[cfg(feature = "serde")]
pub(super) fn serialize_release<S: serde::Serializer>(
    release: &Option<Release>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serde::Serialize::serialize(&release.map(Release::name), serializer)
}
