use std::collections::{BTreeMap, HashMap, HashSet};

use super::constants::{
    DEFAULT_EVAL_SIGNATURE_DEF_KEY, DEFAULT_SERVING_SIGNATURE_DEF_KEY,
    DEFAULT_TRAIN_SIGNATURE_DEF_KEY,
};
use super::export_output::{ExportOutput, PredictOutput, SupervisedOutput};
use crate::error::{Error, Result};
use crate::graph::GraphBuilder;
use crate::model::{Signature, TensorInfo};
use crate::proto::NodeDef;

/// The outputs of a model, of which Estimator makes its signatures.
///
/// ```
/// use savedmodel::builder::{
///     ExportOutputs, PredictOutput, RegressionOutput, ServingInputReceiver,
/// };
/// use savedmodel::graph::GraphBuilder;
/// use savedmodel::{DType, PartialShape};
///
/// let mut graph = GraphBuilder::new();
/// let batch = PartialShape::new(&[None])?;
/// let examples = graph.placeholder("examples", DType::STRING, batch)?;
/// let length = graph.op("StringLength").input(&examples).output()?;
/// let length = graph.cast(&length, DType::FLOAT)?;
/// let outputs = ExportOutputs::serving([
///     ("serving_default", RegressionOutput::new(&length)?.into()),
///     ("predict", PredictOutput::new([("length", &length)]).into()),
/// ])?;
/// let receiver = ServingInputReceiver::new([("examples", &examples)]);
/// let signatures = outputs.signatures(&graph, &receiver)?;
/// let keys: Vec<_> = signatures.included.keys().collect();
/// assert_eq!(keys, ["predict", "serving_default"]);
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// In TensorFlow: `tensorflow/python/saved_model/model_utils/export_utils.py`.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportOutputs {
    outputs: BTreeMap<String, ExportOutput>,
    /// Whether only what TensorFlow Serving can be asked for becomes a signature.
    serving_only: bool,
}

/// The tensors that are fed to a model, and others further down that may be fed instead.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServingInputReceiver {
    tensors: BTreeMap<String, TensorInfo>,
    alternatives: BTreeMap<String, BTreeMap<String, TensorInfo>>,
}

/// The signatures of a model, and those that there cannot be.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ExportedSignatures {
    /// Signatures by their keys, for [`MetaGraphBuilder::signatures`](super::MetaGraphBuilder::signatures).
    pub included: BTreeMap<String, Signature>,
    /// Why there is no signature under the other keys. It is nothing unusual: classes and numbers are
    /// got from serialized examples only.
    pub excluded: BTreeMap<String, Error>,
}

impl ServingInputReceiver {
    /// Says what is fed.
    pub fn new<'a, T: Into<TensorInfo>>(tensors: impl IntoIterator<Item = (&'a str, T)>) -> Self {
        ServingInputReceiver {
            tensors: by_name(tensors),
            alternatives: BTreeMap::new(),
        }
    }

    /// Says that one tensor is fed, under the name that it then has: `input`.
    pub fn single(tensor: impl Into<TensorInfo>) -> Self {
        Self::new([("input", tensor)])
    }

    /// Adds tensors that may be fed instead, as what was parsed of examples instead of the examples.
    /// The signatures that take them have keys that begin with the name of the alternative and a
    /// colon: `raw:predict`.
    pub fn alternative<'a, T: Into<TensorInfo>>(
        mut self,
        name: &str,
        tensors: impl IntoIterator<Item = (&'a str, T)>,
    ) -> Self {
        self.alternatives.insert(name.to_owned(), by_name(tensors));
        self
    }
}

impl ExportOutputs {
    /// Takes the outputs that are served, by the keys of their signatures. An only one is the default
    /// too, under `serving_default`; of several, one has that key.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` without outputs, if two have one key or one has none, or if none of several
    /// is the default.
    pub fn serving<'a>(outputs: impl IntoIterator<Item = (&'a str, ExportOutput)>) -> Result<Self> {
        let outputs = outputs.into_iter();
        Self::of_serving(outputs.map(|(key, output)| (key.to_owned(), output)))
    }

    /// Takes the outputs of several heads, each by its name and with its own outputs, and merges them
    /// as `MultiHead` of Estimator does. The default of a head gets the name of the head as its key,
    /// and others are named below it: `sales/predict`. The default of the first head is that of the
    /// model. All tensors of outputs with the key `predict` are those of another one, `predict`, where
    /// they are named below their heads too.
    ///
    /// In TensorFlow: `tensorflow_estimator/python/estimator/head/multi_head.py`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` without heads, for a head without a default among several outputs, and if two
    /// outputs come to have one key.
    pub fn heads<'a, H>(heads: impl IntoIterator<Item = (&'a str, H)>) -> Result<Self>
    where
        H: IntoIterator<Item = (&'a str, ExportOutput)>,
    {
        let mut merged = Vec::new();
        let mut predictions = Vec::new();
        for (head, outputs) in heads {
            let outputs: BTreeMap<_, _> = keyed(outputs)?;
            let first = outputs.values().next();
            let default = match outputs.get(DEFAULT_SERVING_SIGNATURE_DEF_KEY) {
                Some(default) => Some(default),
                None => first.filter(|_| outputs.len() == 1),
            };
            let Some(default) = default else {
                let what = format!(
                    "none of the {} outputs of the head is `{DEFAULT_SERVING_SIGNATURE_DEF_KEY}`",
                    outputs.len()
                );
                return Err(Error::invalid_argument(what).for_key(head.as_bytes()));
            };
            if merged.is_empty() {
                let key = DEFAULT_SERVING_SIGNATURE_DEF_KEY.to_owned();
                merged.push((key, default.clone()));
            }
            for (key, output) in &outputs {
                if let (PREDICT, ExportOutput::Predict(output)) = (*key, output) {
                    let tensors = output.outputs().iter();
                    predictions.extend(
                        tensors.map(|(name, info)| (format!("{head}/{name}"), info.clone())),
                    );
                }
                let key = match *key {
                    DEFAULT_SERVING_SIGNATURE_DEF_KEY => head.to_owned(),
                    key => format!("{head}/{key}"),
                };
                merged.push((key, output.clone()));
            }
        }
        if !predictions.is_empty() {
            let tensors = predictions.iter();
            let output = PredictOutput::new(tensors.map(|(key, info)| (&**key, info.clone())));
            merged.push((PREDICT.to_owned(), output.into()));
        }
        Self::of_serving(merged)
    }

    /// Takes the output of training, whose signature has the key `train`; it goes into a meta graph of
    /// its own, with the tag `train`.
    pub fn training(output: SupervisedOutput) -> Self {
        let output = ExportOutput::Train(output);
        Self::supervised(DEFAULT_TRAIN_SIGNATURE_DEF_KEY, output)
    }

    /// Takes the output of evaluation, whose signature has the key `eval`; it goes into a meta graph of
    /// its own, with the tag `eval`.
    pub fn evaluation(output: SupervisedOutput) -> Self {
        let output = ExportOutput::Eval(output);
        Self::supervised(DEFAULT_EVAL_SIGNATURE_DEF_KEY, output)
    }

    fn supervised(key: &str, output: ExportOutput) -> Self {
        ExportOutputs {
            outputs: BTreeMap::from([(key.to_owned(), output)]),
            serving_only: false,
        }
    }

    fn of_serving(outputs: impl IntoIterator<Item = (String, ExportOutput)>) -> Result<Self> {
        let default = DEFAULT_SERVING_SIGNATURE_DEF_KEY;
        let mut outputs = keyed(outputs)?;
        let first = outputs.values().next().cloned();
        match (first, outputs.len()) {
            (Some(only), 1) => drop(outputs.entry(default.to_owned()).or_insert(only)),
            (None, _) => return Err(Error::invalid_argument("a model has an output")),
            _ if outputs.contains_key(default) => {}
            (Some(_), count) => {
                return Err(Error::invalid_argument(format!(
                    "none of the {count} outputs has the key `{default}`"
                ))
                .remedy("give one of them that key too"));
            }
        }
        Ok(ExportOutputs {
            outputs,
            serving_only: true,
        })
    }

    /// Returns the outputs by their keys.
    pub fn outputs(&self) -> &BTreeMap<String, ExportOutput> {
        &self.outputs
    }

    /// Makes the signatures, one for each output and each way of feeding: `build_all_signature_defs`.
    /// Left out are those of which no request of TensorFlow Serving could be answered, and those that
    /// need a placeholder which is not fed.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if no signature is left, with the reason for one of them; TensorFlow exports
    /// such a model, which nobody can run. `NotFound` if a tensor is not in the graph.
    pub fn signatures(
        &self,
        graph: &GraphBuilder,
        receiver: &ServingInputReceiver,
    ) -> Result<ExportedSignatures> {
        let nodes = graph.nodes().iter();
        let nodes = nodes.map(|node| (&*node.name, node)).collect();
        let ways = std::iter::once((None, &receiver.tensors)).chain(
            receiver
                .alternatives
                .iter()
                .map(|(name, tensors)| (Some(name), tensors)),
        );
        let mut signatures = ExportedSignatures::default();
        for (way, fed) in ways {
            for (key, output) in &self.outputs {
                let key = match way {
                    Some(way) => format!("{way}:{key}"),
                    None => key.clone(),
                };
                match self.signature(output, fed, &nodes) {
                    Ok(signature) => drop(signatures.included.insert(key, signature)),
                    Err(error) => drop(signatures.excluded.insert(key, error)),
                }
            }
        }
        match signatures.included.is_empty() {
            false => Ok(signatures),
            true => Err(signatures.excluded.into_iter().next().map_or_else(
                || Error::invalid_argument("a model has an output"),
                |(key, error)| error.for_key(key.as_bytes()),
            )),
        }
    }

    fn signature(
        &self,
        output: &ExportOutput,
        fed: &BTreeMap<String, TensorInfo>,
        nodes: &HashMap<&str, &NodeDef>,
    ) -> Result<Signature> {
        let signature = output.signature(fed)?;
        check_fed(&signature, nodes)?;
        match !self.serving_only || signature.kind().is_some() {
            true => Ok(signature),
            false => Err(Error::invalid_argument(
                "no request of TensorFlow Serving is answered by such a signature",
            )),
        }
    }
}

/// The key that the heads of Estimator give to all they predict.
const PREDICT: &str = "predict";

fn by_name<'a, T: Into<TensorInfo>>(
    tensors: impl IntoIterator<Item = (&'a str, T)>,
) -> BTreeMap<String, TensorInfo> {
    let tensors = tensors.into_iter();
    tensors
        .map(|(name, tensor)| (name.to_owned(), tensor.into()))
        .collect()
}

fn keyed<K: Ord + AsRef<str>>(
    outputs: impl IntoIterator<Item = (K, ExportOutput)>,
) -> Result<BTreeMap<K, ExportOutput>> {
    let mut by_key = BTreeMap::new();
    for (key, output) in outputs {
        if key.as_ref().is_empty() {
            return Err(Error::invalid_argument("an output has a key"));
        }
        if by_key.contains_key(&key) {
            let what = "two outputs have this key";
            return Err(Error::invalid_argument(what).for_key(key.as_ref().as_bytes()));
        }
        by_key.insert(key, output);
    }
    Ok(by_key)
}

/// Refuses outputs that depend on a placeholder that no input feeds: `_ensure_servable`. What a node
/// only waits for is not followed, nor what functions do.
fn check_fed<'n>(signature: &Signature, nodes: &HashMap<&'n str, &'n NodeDef>) -> Result<()> {
    let inputs = signature.inputs.values();
    let fed: HashSet<&str> = inputs.flat_map(TensorInfo::tensor_names).collect();
    let mut needed_by: HashMap<&str, Option<&str>> = HashMap::new();
    let mut open = Vec::new();
    for tensor in signature
        .outputs
        .values()
        .flat_map(TensorInfo::tensor_names)
    {
        let node = tensor.rsplit_once(':').map_or(tensor, |(node, _)| node);
        let Some((&node, _)) = nodes.get_key_value(node) else {
            let names = nodes.keys().map(|name| format!("{name}:0"));
            let what = format!("tensor `{tensor}`, which is an output");
            return Err(Error::not_found_among(what, tensor, names));
        };
        if needed_by.insert(node, None).is_none() {
            open.push(node);
        }
    }
    while let Some(name) = open.pop() {
        let Some(node) = nodes.get(name) else {
            continue;
        };
        if node.op == "Placeholder" && !fed.contains(&*format!("{name}:0")) {
            return Err(unfed(name, &needed_by));
        }
        for input in node.input.iter().filter(|input| !input.starts_with('^')) {
            let (producer, is_fed) = match input.rsplit_once(':') {
                Some((producer, _)) => (producer, fed.contains(&**input)),
                None => (&**input, fed.contains(&*format!("{input}:0"))),
            };
            if !is_fed && !needed_by.contains_key(producer) {
                needed_by.insert(producer, Some(name));
                open.push(producer);
            }
        }
    }
    Ok(())
}

fn unfed(placeholder: &str, needed_by: &HashMap<&str, Option<&str>>) -> Error {
    let mut path = format!("`{placeholder}`");
    let mut place = placeholder;
    while let Some(Some(next)) = needed_by.get(place) {
        path.push_str(&format!(" -> `{next}`"));
        place = next;
    }
    Error::invalid_argument(format!(
        "the output needs a placeholder that is not fed: {path}"
    ))
    .remedy("feed it, or tensors behind it")
}
