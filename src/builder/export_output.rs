use std::collections::BTreeMap;

use super::constants::{SUPERVISED_EVAL_METHOD_NAME, SUPERVISED_TRAIN_METHOD_NAME};
use crate::error::{Error, Result};
use crate::graph::{GraphBuilder, Operation, Output};
use crate::model::{Signature, TensorInfo};
use crate::tensor::{DType, Tensor};

/// What a model gives to those who ask in one way: Estimator's word for a head of a network.
///
/// It becomes a signature once it is known what is fed.
///
/// In TensorFlow: `tensorflow/python/saved_model/model_utils/export_output.py`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ExportOutput {
    /// Any tensors.
    Predict(PredictOutput),
    /// Classes and their scores.
    Classification(ClassificationOutput),
    /// A number for each example.
    Regression(RegressionOutput),
    /// What training gives: TensorFlow's `TrainOutput`.
    Train(SupervisedOutput),
    /// What evaluation gives: TensorFlow's `EvalOutput`.
    Eval(SupervisedOutput),
}

/// Any tensors by their names, for the Predict requests of TensorFlow Serving.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PredictOutput {
    outputs: BTreeMap<String, TensorInfo>,
}

/// Classes, their scores or both, for its Classify requests.
///
/// Classes alone are the best ones, the best first. Scores alone are those of all classes, in
/// their order. Of both, each score is that of the class at the same place.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassificationOutput {
    classes: Option<TensorInfo>,
    scores: Option<TensorInfo>,
}

/// A number for each example, for its Regress requests.
#[derive(Clone, Debug, PartialEq)]
pub struct RegressionOutput {
    value: TensorInfo,
}

/// Losses, predictions and metrics of training or evaluation.
///
/// ```
/// use savedmodel::builder::SupervisedOutput;
/// use savedmodel::graph::GraphBuilder;
/// use savedmodel::{DType, Shape};
///
/// let mut graph = GraphBuilder::new();
/// let loss = graph.placeholder("loss", DType::FLOAT, Shape::SCALAR.into())?;
/// let auc = graph.placeholder("auc", DType::FLOAT, Shape::SCALAR.into())?;
/// let output = SupervisedOutput::new().loss(&loss).metric("auc", &auc, &auc);
/// let names: Vec<_> = output.outputs().keys().collect();
/// assert_eq!(names, ["loss", "metrics/auc/update_op", "metrics/auc/value"]);
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SupervisedOutput {
    outputs: BTreeMap<String, TensorInfo>,
}

impl ExportOutput {
    /// Makes the signature by which the output is got when these tensors are fed:
    /// `as_signature_def`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if nothing is fed; if an output of classes or numbers is to be got from
    /// anything but one tensor of serialized examples; if a prediction has no tensors.
    pub fn signature(&self, receiver_tensors: &BTreeMap<String, TensorInfo>) -> Result<Signature> {
        match self {
            ExportOutput::Predict(output) => Signature::predict(
                borrowed(receiver_tensors),
                output
                    .outputs
                    .iter()
                    .map(|(key, info)| (&**key, info.clone())),
            ),
            ExportOutput::Classification(output) => {
                let (classes, scores) = (output.classes.clone(), output.scores.clone());
                Signature::classify(examples(receiver_tensors)?, classes, scores)
            }
            ExportOutput::Regression(output) => {
                Signature::regress(examples(receiver_tensors)?, output.value.clone())
            }
            ExportOutput::Train(output) => {
                output.signature(receiver_tensors, SUPERVISED_TRAIN_METHOD_NAME)
            }
            ExportOutput::Eval(output) => {
                output.signature(receiver_tensors, SUPERVISED_EVAL_METHOD_NAME)
            }
        }
    }
}

impl PredictOutput {
    /// Makes an output of named tensors.
    pub fn new<'a, T: Into<TensorInfo>>(outputs: impl IntoIterator<Item = (&'a str, T)>) -> Self {
        let outputs = outputs.into_iter();
        PredictOutput {
            outputs: outputs
                .map(|(key, tensor)| (key.to_owned(), tensor.into()))
                .collect(),
        }
    }

    /// Makes an output of one tensor, under the name that it then has: `output`.
    pub fn single(tensor: impl Into<TensorInfo>) -> Self {
        Self::new([("output", tensor)])
    }

    /// Returns the tensors by their names.
    pub fn outputs(&self) -> &BTreeMap<String, TensorInfo> {
        &self.outputs
    }
}

impl ClassificationOutput {
    /// Makes an output of classes and their scores.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the classes are no strings, or the scores no float32.
    pub fn new(classes: &Output, scores: &Output) -> Result<Self> {
        let (of_classes, of_scores) = (Self::of_classes(classes)?, Self::of_scores(scores)?);
        Ok(ClassificationOutput {
            scores: of_scores.scores,
            ..of_classes
        })
    }

    /// Makes an output of classes alone.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if they are no strings: numbers of classes are not their names.
    pub fn of_classes(classes: &Output) -> Result<Self> {
        check("classes", classes, DType::STRING)?;
        Ok(ClassificationOutput {
            classes: Some(classes.into()),
            scores: None,
        })
    }

    /// Makes an output of scores alone.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if they are no float32. TensorFlow takes other floating-point numbers
    /// here, and then leaves the signature out.
    pub fn of_scores(scores: &Output) -> Result<Self> {
        check("scores", scores, DType::FLOAT)?;
        Ok(ClassificationOutput {
            classes: None,
            scores: Some(scores.into()),
        })
    }
}

impl RegressionOutput {
    /// Makes an output of numbers.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if they are no float32. TensorFlow takes other floating-point numbers
    /// here, and then leaves the signature out.
    pub fn new(value: &Output) -> Result<Self> {
        check("the values of a regression", value, DType::FLOAT)?;
        Ok(RegressionOutput {
            value: value.into(),
        })
    }
}

impl SupervisedOutput {
    /// Makes an output of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the only loss, under the name `loss`.
    pub fn loss(self, loss: &Output) -> Self {
        self.named_loss("loss", loss)
    }

    /// Adds one of several losses: `l2` becomes `loss/l2`.
    pub fn named_loss(self, name: &str, loss: &Output) -> Self {
        self.with(prefixed("loss", name), loss)
    }

    /// Adds the only prediction, under the name `predictions`.
    pub fn prediction(self, prediction: &Output) -> Self {
        self.named_prediction("predictions", prediction)
    }

    /// Adds one of several predictions: `logits` becomes `predictions/logits`.
    pub fn named_prediction(self, name: &str, prediction: &Output) -> Self {
        self.with(prefixed("predictions", name), prediction)
    }

    /// Adds a metric and the tensor that updates it when it is fetched: `auc` becomes
    /// `metrics/auc/value` and `metrics/auc/update_op`.
    pub fn metric(self, name: &str, value: &Output, update: &Output) -> Self {
        let name = prefixed("metrics", name);
        let (of_value, of_update) = (format!("{name}/value"), format!("{name}/update_op"));
        self.with(of_value, value).with(of_update, update)
    }

    /// Adds a metric that an operation updates. A signature names tensors only, so the graph gets an
    /// empty constant that waits for the operation: `metric_op_wrapper`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](crate::graph::OpBuilder::build).
    pub fn metric_updated_by(
        self,
        graph: &mut GraphBuilder,
        name: &str,
        value: &Output,
        update: &Operation,
    ) -> Result<Self> {
        let nothing = Tensor::from_slice::<f32>([0], &[])?;
        let wrapper = graph
            .op("Const")
            .name("metric_op_wrapper")
            .attr("dtype", DType::FLOAT)
            .attr("value", crate::graph::Attr::tensor(&nothing)?)
            .control(update)
            .output()?
            .with_shape(nothing.shape().clone().into());
        Ok(self.metric(name, value, &wrapper))
    }

    /// Returns the tensors by the names they have in a signature.
    pub fn outputs(&self) -> &BTreeMap<String, TensorInfo> {
        &self.outputs
    }

    fn with(mut self, key: String, tensor: &Output) -> Self {
        self.outputs.insert(key, tensor.into());
        self
    }

    fn signature(&self, inputs: &BTreeMap<String, TensorInfo>, method: &str) -> Result<Signature> {
        if inputs.is_empty() {
            return Err(Error::invalid_argument(
                "training and evaluation are fed something",
            ));
        }
        Ok(Signature::new(inputs.clone(), self.outputs.clone(), method))
    }
}

macro_rules! from_output {
    ($($output:ident $variant:ident),*) => {$(
        impl From<$output> for ExportOutput {
            fn from(output: $output) -> Self {
                ExportOutput::$variant(output)
            }
        }
    )*};
}

from_output!(PredictOutput Predict, ClassificationOutput Classification, RegressionOutput Regression);

/// Names that begin with the kind of output already are kept.
fn prefixed(kind: &str, name: &str) -> String {
    match name.starts_with(kind) {
        true => name.to_owned(),
        false => format!("{kind}/{name}"),
    }
}

fn borrowed(
    tensors: &BTreeMap<String, TensorInfo>,
) -> impl Iterator<Item = (&str, TensorInfo)> + '_ {
    tensors.iter().map(|(key, info)| (&**key, info.clone()))
}

/// The only tensor that is fed.
fn examples(receiver_tensors: &BTreeMap<String, TensorInfo>) -> Result<TensorInfo> {
    let mut tensors = receiver_tensors.values();
    match (tensors.next(), tensors.next()) {
        (Some(examples), None) => Ok(examples.clone()),
        _ => Err(Error::invalid_argument(format!(
            "classes and numbers are got from one tensor of serialized examples, and {} are fed",
            receiver_tensors.len()
        ))
        .remedy(
            "feed one tensor of strings, and take it apart with `GraphBuilder::parse_example`",
        )),
    }
}

fn check(what: &str, output: &Output, dtype: DType) -> Result<()> {
    match output.dtype().base() == dtype {
        true => Ok(()),
        false => Err(Error::invalid_argument(format!(
            "{what} are of {dtype}, and the tensor `{output}` is of {}",
            output.dtype()
        ))),
    }
}
