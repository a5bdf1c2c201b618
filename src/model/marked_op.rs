use super::meta_graph::{MetaGraph, field};
use super::signature::Signature;
use crate::error::{Error, Result};
use crate::proto::collection_def::Kind;

/// A node of the graph that the meta graph marks for a purpose, and where it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MarkedOp {
    /// The node's name, or that of one of its outputs (`node:0`), as the file has it.
    pub name: String,
    /// Where the file names it.
    pub place: OpPlace,
}

/// Where a meta graph names the op to run after loading, or the op to train; writers of different
/// times used different places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpPlace {
    /// A signature with the op under its own key: `__saved_model_init_op`,
    /// `__saved_model_train_op`. TensorFlow 2, and Estimator.
    Signature,
    /// The collection `saved_model_main_op`.
    MainOp,
    /// The collection `legacy_init_op`, before TensorFlow 1.13.
    LegacyInitOp,
    /// The collection `saved_model_train_op`.
    TrainOp,
}

impl OpPlace {
    /// Returns the names in signatures or collections under which such an op stands, init first.
    fn keys(self) -> &'static [&'static str] {
        match self {
            OpPlace::Signature => &["__saved_model_init_op", "__saved_model_train_op"],
            OpPlace::MainOp => &["saved_model_main_op"],
            OpPlace::LegacyInitOp => &["legacy_init_op"],
            OpPlace::TrainOp => &["saved_model_train_op"],
        }
    }
}

/// Returns the op that initializes, in the order of `GetInitOp` in
/// `tensorflow/cc/saved_model/loader_util.cc`.
pub(crate) fn init_op(graph: MetaGraph<'_>) -> Result<Option<MarkedOp>> {
    if let Some(op) = signature_op(graph, OpPlace::Signature.keys()[0])? {
        return Ok(Some(op));
    }
    for place in [OpPlace::MainOp, OpPlace::LegacyInitOp] {
        if let Some(op) = collection_op(graph, place)? {
            return Ok(Some(op));
        }
    }
    Ok(None)
}

/// Returns the op that trains, in the order of `get_train_op` in
/// `tensorflow/python/saved_model/loader_impl.py`.
pub(crate) fn train_op(graph: MetaGraph<'_>) -> Result<Option<MarkedOp>> {
    match signature_op(graph, OpPlace::Signature.keys()[1])? {
        Some(op) => Ok(Some(op)),
        None => collection_op(graph, OpPlace::TrainOp),
    }
}

fn signature_op(graph: MetaGraph<'_>, key: &str) -> Result<Option<MarkedOp>> {
    let Some(def) = graph.view.value(field::SIGNATURE_DEF, key)? else {
        return Ok(None);
    };
    let signature = Signature::from_proto(def.decode()?.unwrap_or_default());
    match signature.outputs.get(key) {
        Some(output) => Ok(Some(MarkedOp {
            name: output.name().unwrap_or_default().to_owned(),
            place: OpPlace::Signature,
        })),
        None => Err(graph.view.fault(Error::malformed(format!(
            "the signature `{key}` has no output of that name"
        )))),
    }
}

fn collection_op(graph: MetaGraph<'_>, place: OpPlace) -> Result<Option<MarkedOp>> {
    let key = place.keys()[0];
    let Some(collection) = graph.collection(key)? else {
        return Ok(None);
    };
    let names = match collection.kind {
        Some(Kind::NodeList(list)) => list.value,
        _ => Vec::new(),
    };
    match <[String; 1]>::try_from(names) {
        Ok([name]) => Ok(Some(MarkedOp { name, place })),
        Err(names) => Err(graph.view.fault(Error::malformed(format!(
            "the collection `{key}` must name exactly one op and names {}",
            names.len()
        )))),
    }
}
