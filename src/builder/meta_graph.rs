use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use prost::Message;

use super::asset_names::AssetNames;
use super::constants::*;
use super::declared_variable::DeclaredVariable;
use super::{default_attrs, trained_variables};
use crate::error::{Error, Result};
use crate::graph::{GraphBuilder, Operation, SavedVariable};
use crate::model::{Encoding, Signature, TensorInfo};
use crate::op;
use crate::proto::collection_def::{AnyList, BytesList, Kind, NodeList};
use crate::proto::meta_graph_def::meta_info_def::FunctionAliasesEntry;
use crate::proto::meta_graph_def::{CollectionDefEntry, MetaInfoDef, SignatureDefEntry};
use crate::proto::well_known::Any;
use crate::proto::{
    AssetFileDef, CollectionDef, FunctionDef, GraphDef, MetaGraphDef, NodeDef, OpList, SaverDef,
    TensorInfo as TensorInfoProto, attr_value, tensor_info,
};
use crate::tensor::DType;

/// Describes one meta graph: a graph, the tags it is found by, its signatures.
///
/// What the loaders need besides is made of the graph itself: the nodes that save and restore its
/// variables, the collections that name them, the op that fills its tables, its assets.
///
/// ```
/// use savedmodel::builder::{MetaGraphBuilder, constants};
/// use savedmodel::graph::GraphBuilder;
/// use savedmodel::{DType, PartialShape, Signature};
///
/// let mut graph = GraphBuilder::new();
/// let x = graph.placeholder("x", DType::FLOAT, PartialShape::UNKNOWN)?;
/// let y = graph.op("Neg").input(&x).output()?;
/// let meta_graph = MetaGraphBuilder::new(graph, [constants::SERVING])
///     .signature("serving_default", Signature::predict([("x", &x)], [("y", &y)])?);
/// # let _ = meta_graph;
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Debug)]
pub struct MetaGraphBuilder {
    program: Program,
    tags: Vec<String>,
    signatures: BTreeMap<String, Signature>,
    main_op: Option<String>,
    clear_devices: bool,
    strip_default_attrs: bool,
    collections: BTreeMap<String, CollectionDef>,
    assets: Vec<(String, PathBuf)>,
    saver: Option<SaverDef>,
    function_aliases: BTreeMap<String, String>,
}

#[derive(Debug)]
enum Program {
    Built(Box<GraphBuilder>),
    Given(Box<GraphDef>),
}

/// A complete meta graph, and what it needs beside it.
#[derive(Debug)]
pub(super) struct Assembled {
    pub(super) meta_graph: MetaGraphDef,
    /// `None` for a given graph, whose variables nobody declared.
    pub(super) variables: Option<Vec<DeclaredVariable>>,
}

impl MetaGraphBuilder {
    /// Describes the meta graph of a graph.
    pub fn new<T: Into<String>>(graph: GraphBuilder, tags: impl IntoIterator<Item = T>) -> Self {
        Self::of(Program::Built(Box::new(graph)), tags)
    }

    /// Describes the meta graph of a graph that is there already, taken from another program. Its
    /// [saver](Self::saver), [collections](Self::collection) and [assets](Self::asset) have to be
    /// given too.
    pub fn from_graph_def<T: Into<String>>(
        graph: GraphDef,
        tags: impl IntoIterator<Item = T>,
    ) -> Self {
        Self::of(Program::Given(Box::new(graph)), tags)
    }

    fn of<T: Into<String>>(program: Program, tags: impl IntoIterator<Item = T>) -> Self {
        MetaGraphBuilder {
            program,
            tags: tags.into_iter().map(Into::into).collect(),
            signatures: BTreeMap::new(),
            main_op: None,
            clear_devices: false,
            strip_default_attrs: false,
            collections: BTreeMap::new(),
            assets: Vec::new(),
            saver: None,
            function_aliases: BTreeMap::new(),
        }
    }

    /// Adds a signature, in place of another under that key.
    pub fn signature(mut self, key: &str, signature: Signature) -> Self {
        self.signatures.insert(key.to_owned(), signature);
        self
    }

    /// Adds signatures by their keys, as [`signature`](Self::signature) does one.
    pub fn signatures(mut self, signatures: impl IntoIterator<Item = (String, Signature)>) -> Self {
        self.signatures.extend(signatures);
        self
    }

    /// Sets the operation that is run after the variables were restored, in place of the one that runs
    /// all [initializers](GraphBuilder::initialize_with).
    pub fn main_op(mut self, operation: &Operation) -> Self {
        self.main_op = Some(operation.name().to_owned());
        self
    }

    /// Sets the node of a given graph that is run after the variables were restored.
    pub fn main_op_named(mut self, node: &str) -> Self {
        self.main_op = Some(node.to_owned());
        self
    }

    /// Removes the devices of all nodes of the main graph.
    pub fn clear_devices(mut self) -> Self {
        self.clear_devices = true;
        self
    }

    /// Removes attrs that are at their default, so that older releases, which do not know the newer
    /// attrs, can load the model.
    pub fn strip_default_attrs(mut self) -> Self {
        self.strip_default_attrs = true;
        self
    }

    /// Adds a collection, in place of another under that name.
    pub fn collection(mut self, name: &str, collection: CollectionDef) -> Self {
        self.collections.insert(name.to_owned(), collection);
        self
    }

    /// Adds an asset of a given graph: the tensor, `asset:0`, that is fed with its path.
    pub fn asset(mut self, tensor: &str, path: impl Into<PathBuf>) -> Self {
        self.assets.push((tensor.to_owned(), path.into()));
        self
    }

    /// Sets which nodes save and restore the variables. Of a [built](Self::new) graph they are made.
    pub fn saver(mut self, saver: SaverDef) -> Self {
        self.saver = Some(saver);
        self
    }

    /// Gives functions of the library another name: the function's name → the alias.
    pub(super) fn function_aliases(mut self, aliases: BTreeMap<String, String>) -> Self {
        self.function_aliases = aliases;
        self
    }

    pub(super) fn tags(&self) -> &[String] {
        &self.tags
    }

    /// Completes the graph and makes the message. Assets get their names.
    pub(super) fn assemble(mut self, names: &mut AssetNames) -> Result<Assembled> {
        for key in [INIT_OP_SIGNATURE_KEY, TRAIN_OP_SIGNATURE_KEY] {
            if self.signatures.contains_key(key) {
                let what = format!("the signature key `{key}` is TensorFlow's own");
                return Err(Error::invalid_argument(what));
            }
        }
        let mut variables = None;
        if let Program::Built(graph) = &mut self.program {
            variables = Some(DeclaredVariable::all_of(graph)?);
            if !graph.variables().is_empty() {
                if self.saver.is_none() {
                    let own = graph.variables().to_vec();
                    let saved: Vec<_> = own.iter().map(SavedVariable::named).collect();
                    self.saver = Some(graph.saver(&saved)?);
                }
                add_variable_collections(graph, &mut self.collections)?;
            }
            if self.main_op.is_none() && !graph.initializers().is_empty() {
                let operations = graph.initializers().to_vec();
                let group = graph.group("init_all_tables", &operations)?;
                self.main_op = Some(group.name().to_owned());
            }
            let assets = graph.assets().iter();
            let own = assets.map(|(tensor, path)| (tensor.tensor_name(), path.clone()));
            self.assets.splice(..0, own);
        }
        let mut graph_def = match &self.program {
            Program::Built(graph) => graph.to_graph_def(),
            Program::Given(graph) => (**graph).clone(),
        };
        let nodes = Nodes::of(&graph_def)?;
        for (key, signature) in &self.signatures {
            check_signature(signature, &nodes).map_err(|error| error.for_key(key.as_bytes()))?;
        }
        self.mark_main_op(&nodes)?;
        self.add_assets(names, &nodes)?;
        if let Some(saver) = &self.saver {
            check_saver(saver, &nodes)?;
        }
        if self.clear_devices {
            graph_def
                .node
                .iter_mut()
                .for_each(|node| node.device.clear());
            // TensorFlow copies the graph for this, and leaves an empty library behind.
            graph_def.library.get_or_insert_default();
        }
        if self.strip_default_attrs {
            default_attrs::strip(&mut graph_def);
        }
        let meta_graph = MetaGraphDef {
            meta_info_def: Some(MetaInfoDef {
                stripped_op_list: Some(used_ops(&graph_def)),
                tags: self.tags,
                tensorflow_version: TENSORFLOW_VERSION.to_owned(),
                tensorflow_git_version: concat!("savedmodel ", env!("CARGO_PKG_VERSION"))
                    .to_owned(),
                stripped_default_attrs: self.strip_default_attrs,
                function_aliases: self
                    .function_aliases
                    .into_iter()
                    .map(|(function, alias)| FunctionAliasesEntry {
                        key: Some(function),
                        value: Some(alias),
                    })
                    .collect(),
                ..MetaInfoDef::default()
            }),
            graph_def: Some(graph_def),
            saver_def: self.saver,
            collection_def: self
                .collections
                .into_iter()
                .map(|(key, value)| CollectionDefEntry {
                    key: Some(key),
                    value: Some(value),
                })
                .collect(),
            signature_def: self
                .signatures
                .iter()
                .map(|(key, signature)| SignatureDefEntry {
                    key: Some(key.clone()),
                    value: Some(signature.to_proto()),
                })
                .collect(),
            ..MetaGraphDef::default()
        };
        Ok(Assembled {
            meta_graph,
            variables,
        })
    }

    fn mark_main_op(&mut self, nodes: &Nodes<'_>) -> Result<()> {
        let Some(main_op) = &self.main_op else {
            return Ok(());
        };
        for key in [MAIN_OP_KEY, LEGACY_INIT_OP_KEY] {
            if self.collections.contains_key(key) {
                let what = format!("the collection `{key}` names an op to be run already");
                return Err(Error::invalid_argument(what));
            }
        }
        if !nodes.0.contains_key(&**main_op) {
            let what = format!("the main op `{main_op}` is not in the graph");
            return Err(Error::invalid_argument(what));
        }
        self.collections
            .insert(MAIN_OP_KEY.to_owned(), node_list([main_op.clone()]));
        Ok(())
    }

    fn add_assets(&mut self, names: &mut AssetNames, nodes: &Nodes<'_>) -> Result<()> {
        let mut records = Vec::new();
        let mut tensors = BTreeSet::new();
        for (tensor, path) in &self.assets {
            nodes.check_tensor("an asset", tensor)?;
            if !tensors.insert(tensor) {
                // Python loads such a model, and TensorFlow Serving does not.
                let what = format!("the tensor `{tensor}` stands for two assets");
                return Err(Error::invalid_argument(what).in_file(path));
            }
            let record = AssetFileDef {
                tensor_info: Some(TensorInfoProto {
                    encoding: Some(tensor_info::Encoding::Name(tensor.clone())),
                    ..TensorInfoProto::default()
                }),
                filename: names.name(path)?,
            };
            records.push(Any {
                type_url: "type.googleapis.com/tensorflow.AssetFileDef".to_owned(),
                value: record.encode_to_vec().into(),
            });
        }
        if !records.is_empty() {
            let list = Kind::AnyList(AnyList { value: records });
            let collection = CollectionDef { kind: Some(list) };
            self.collections.insert(ASSETS_KEY.to_owned(), collection);
        }
        Ok(())
    }
}

/// The release whose ops the graph is made of.
const TENSORFLOW_VERSION: &str = "2.21.0";

fn add_variable_collections(
    graph: &mut GraphBuilder,
    collections: &mut BTreeMap<String, CollectionDef>,
) -> Result<()> {
    let (mut all, mut trainable) = (Vec::new(), Vec::new());
    for variable in graph.variables().to_vec() {
        let def = trained_variables::describe(graph, &variable)?;
        let encoded = trained_variables::encode(&def);
        if def.trainable {
            trainable.push(encoded.clone());
        }
        all.push(encoded);
    }
    for (key, value) in [("variables", all), ("trainable_variables", trainable)] {
        if !value.is_empty() && !collections.contains_key(key) {
            let kind = Some(Kind::BytesList(BytesList { value }));
            collections.insert(key.to_owned(), CollectionDef { kind });
        }
    }
    Ok(())
}

fn node_list(value: impl IntoIterator<Item = String>) -> CollectionDef {
    CollectionDef {
        kind: Some(Kind::NodeList(NodeList {
            value: value.into_iter().collect(),
        })),
    }
}

/// Returns the registrations of the ops of a graph and of the functions it calls, sorted by name; of
/// custom ops nothing is known. What only branches and loops lead to is left out, as by
/// `ops_used_by_graph_def` in `tensorflow/python/framework/meta_graph.py`.
fn used_ops(graph: &GraphDef) -> OpList {
    let functions = graph.library.iter().flat_map(|library| &library.function);
    let functions: HashMap<&str, &FunctionDef> = functions
        .filter_map(|function| Some((function.signature.as_ref()?.name.as_str(), function)))
        .collect();
    let mut used = BTreeSet::new();
    let mut open: Vec<&[NodeDef]> = vec![&graph.node];
    while let Some(nodes) = open.pop() {
        for node in nodes {
            let called = match &*node.op {
                "PartitionedCall" | "StatefulPartitionedCall" => called_function(node),
                _ => None,
            };
            for name in [Some(&*node.op), called].into_iter().flatten() {
                if used.insert(name)
                    && let Some(function) = functions.get(name)
                {
                    open.push(&function.node_def);
                }
            }
        }
    }
    let ops = used
        .into_iter()
        .filter(|name| !functions.contains_key(name));
    let ops = ops.filter_map(op::find);
    OpList {
        op: ops.map(|facts| facts.to_proto()).collect(),
    }
}

fn called_function(node: &NodeDef) -> Option<&str> {
    let attr = node.attr.iter().find(|it| it.key.as_deref() == Some("f"))?;
    match attr.value.as_ref()?.value.as_ref()? {
        attr_value::Value::Func(function) => Some(&function.name),
        _ => None,
    }
}

/// The nodes of a graph by their names.
struct Nodes<'g>(BTreeMap<&'g str, &'g crate::proto::NodeDef>);

impl<'g> Nodes<'g> {
    fn of(graph: &'g GraphDef) -> Result<Self> {
        let mut nodes = BTreeMap::new();
        for node in &graph.node {
            if nodes.insert(node.name.as_str(), node).is_some() {
                let what = format!("the graph has two nodes `{}`", node.name);
                return Err(Error::invalid_argument(what));
            }
        }
        Ok(Nodes(nodes))
    }

    /// Refuses the name of a tensor that the graph does not have.
    fn check_tensor(&self, whose: &str, tensor: &str) -> Result<Option<DType>> {
        let Some((node, output)) = tensor.rsplit_once(':') else {
            return Err(Error::invalid_argument(format!(
                "{whose} is the tensor {tensor:?}, whose name ends with no output, as in `x:0`"
            )));
        };
        let (Some(node), Ok(output)) = (self.0.get(node), output.parse::<usize>()) else {
            return Err(Error::not_found_among(
                format!("tensor `{tensor}`, which is {whose}"),
                tensor,
                self.0.keys().map(|name| format!("{name}:0")),
            ));
        };
        let Some(facts) = op::find(&node.op) else {
            return Ok(None);
        };
        let attr = |name: &str| {
            let entry = node.attr.iter().find(|it| it.key.as_deref() == Some(name));
            entry.and_then(|entry| entry.value.as_ref())
        };
        let outputs = facts.output_tensors(attr)?;
        match outputs.get(output) {
            Some((_, dtype)) => Ok(Some(*dtype)),
            None => Err(Error::invalid_argument(format!(
                "{whose} is the tensor `{tensor}`, and the node has {} outputs",
                outputs.len()
            ))),
        }
    }
}

fn check_signature(signature: &Signature, nodes: &Nodes<'_>) -> Result<()> {
    for (kind, infos) in [("input", &signature.inputs), ("output", &signature.outputs)] {
        for (key, info) in infos {
            check_info(&format!("{kind} `{key}`"), info, nodes)?;
        }
    }
    Ok(())
}

fn check_info(whose: &str, info: &TensorInfo, nodes: &Nodes<'_>) -> Result<()> {
    match &info.encoding {
        Encoding::Unset => {
            return Err(Error::invalid_argument(format!(
                "{whose} says of no tensor that it is it"
            )));
        }
        Encoding::Composite { components, .. } => {
            return components
                .iter()
                .try_for_each(|component| check_info(whose, component, nodes));
        }
        Encoding::Name(_) | Encoding::CooSparse { .. } => {}
    }
    if info.dtype == DType::INVALID {
        return Err(Error::invalid_argument(format!("{whose} has no dtype")));
    }
    for name in info.tensor_names() {
        let dtype = nodes.check_tensor(whose, name)?;
        if let (Some(dtype), Encoding::Name(_)) = (dtype, &info.encoding)
            && dtype.base() != info.dtype.base()
        {
            return Err(Error::invalid_argument(format!(
                "{whose} is of {}, and the tensor `{name}` of {dtype}",
                info.dtype
            )));
        }
    }
    Ok(())
}

fn check_saver(saver: &SaverDef, nodes: &Nodes<'_>) -> Result<()> {
    nodes.check_tensor("the saver's file name", &saver.filename_tensor_name)?;
    nodes.check_tensor("the saver's save tensor", &saver.save_tensor_name)?;
    match nodes.0.contains_key(&*saver.restore_op_name) {
        true => Ok(()),
        false => Err(Error::invalid_argument(format!(
            "the saver's restore op `{}` is not in the graph",
            saver.restore_op_name
        ))),
    }
}
