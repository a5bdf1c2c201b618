use super::example_input::input_parsing_specs;
use super::sample_input::{SampleInput, check_size, sample_example, sample_sequence};
use super::sample_json::{Text, example_object, examples_body, predict_body, write_feature};
use super::sample_text::{examples_request, predict_request};
use super::signature::SignatureReport;
use crate::error::{Error, Result};
use crate::example::{Example, ParsingSpec, SequenceExample};
use crate::model::{MetaGraph, Signature, SignatureKind};

/// Requests that a signature answers in TensorFlow Serving, made up: a form to fill in.
///
/// Numbers are zero and texts empty, but for inputs of which the signature has a default. Inputs that
/// the graph parses as `tf.Example` hold one with every feature it looks for.
///
/// ```
/// use savedmodel::SavedModel;
/// use savedmodel::inspect::SampleOptions;
///
/// let model = SavedModel::open("tests/fixtures/keras3_saved")?;
/// let meta_graph = model.meta_graph(["serve"])?;
/// let sample = SampleOptions::new("my_model").of(meta_graph, "serving_default")?;
/// assert_eq!(sample.url_path, "/v1/models/my_model:predict");
/// assert_eq!(
///     sample.rest.unwrap(),
///     r#"{"signature_name": "serving_default", "instances": [[0.0, 0.0, 0.0, 0.0]]}"#
/// );
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SampleRequest {
    /// The signature that is asked.
    pub signature: SignatureReport,
    /// Where a REST request goes: `/v1/models/NAME:predict`.
    pub url_path: String,
    /// The body of a REST request, JSON; `None` if there can be none.
    pub rest: Option<String>,
    /// Why there is no REST request.
    pub rest_obstacle: Option<String>,
    /// The gRPC method that a request is for: `tensorflow.serving.PredictionService/Predict`.
    pub grpc_method: String,
    /// A gRPC request as protobuf text: a `PredictRequest`, or what the method takes; `None` if there
    /// can be none.
    pub grpc: Option<String>,
    /// Why there is no gRPC request.
    pub grpc_obstacle: Option<String>,
    /// The examples that are in the requests, ascending by input.
    pub examples: Vec<InputExample>,
}

/// The example that a sample request has for an input.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct InputExample {
    /// The input that takes serialized examples.
    pub input: String,
    /// Whether it takes `tf.SequenceExample` messages, not `tf.Example` ones.
    pub sequence: bool,
    /// The features, one a line, as `x: float32 [2], required`.
    pub features: Vec<String>,
    /// The example as JSON: an object with a value or a list of values for each feature, of a
    /// sequence one with `context` and `feature_lists`.
    pub example: String,
}

/// What sample requests are made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleOptions {
    model_name: String,
    batch: u64,
}

/// An example, of one of the two kinds.
enum AnyExample {
    Example(Example),
    Sequence(SequenceExample),
}

impl AnyExample {
    fn of(spec: &ParsingSpec) -> Result<Self> {
        Ok(match spec.takes_sequences() {
            true => AnyExample::Sequence(sample_sequence(spec)?),
            false => AnyExample::Example(sample_example(spec)?),
        })
    }

    fn to_bytes(&self) -> Vec<u8> {
        match self {
            AnyExample::Example(example) => example.to_bytes(),
            AnyExample::Sequence(example) => example.to_bytes(),
        }
    }

    fn to_json(&self) -> String {
        let sequence = match self {
            AnyExample::Example(example) => return example_object(example),
            AnyExample::Sequence(sequence) => sequence,
        };
        let mut context = Example::new();
        for (name, feature) in &sequence.context {
            context.insert(name, feature.clone());
        }
        let mut lists = Vec::new();
        for (name, steps) in &sequence.feature_lists {
            let mut texts = Vec::new();
            for step in steps {
                let mut text = String::new();
                write_feature(&mut text, step);
                texts.push(text);
            }
            lists.push(format!("{}: [{}]", Text(name), texts.join(", ")));
        }
        format!(
            "{{\"context\": {}, \"feature_lists\": {{{}}}}}",
            example_object(&context),
            lists.join(", ")
        )
    }
}

impl SampleOptions {
    /// Starts with requests of one instance for a model of that name.
    pub fn new(model_name: impl Into<String>) -> Self {
        SampleOptions {
            model_name: model_name.into(),
            batch: 1,
        }
    }

    /// Sets how many instances a request has, where the signature leaves it open.
    pub fn batch(mut self, batch: u64) -> Self {
        self.batch = batch;
        self
    }

    /// Makes requests for a signature of a meta graph.
    ///
    /// What keeps a request from being made, as an input that TensorFlow Serving cannot be sent, is
    /// no error but an obstacle.
    ///
    /// # Errors
    ///
    /// What [`MetaGraph::signature`] and [`MetaGraph::parsing_specs`] answer; `InvalidArgument` for
    /// a batch of none.
    pub fn of(&self, meta_graph: MetaGraph<'_>, key: &str) -> Result<SampleRequest> {
        if self.batch == 0 {
            return Err(Error::invalid_argument(
                "a request of no instances asks nothing",
            ));
        }
        let signature = meta_graph.signature(key)?;
        let specs = input_parsing_specs(meta_graph, &signature)?;
        let mut examples = Vec::new();
        let mut shown = Vec::new();
        for (input, spec) in &specs {
            let example = AnyExample::of(spec)?;
            shown.push(InputExample {
                input: input.clone(),
                sequence: spec.takes_sequences(),
                features: features(spec),
                example: example.to_json(),
            });
            examples.push((input.clone(), example));
        }
        let (method, grpc_method) = match signature.method_name.as_str() {
            name if name == SignatureKind::Classify.method_name() => ("classify", "Classify"),
            name if name == SignatureKind::Regress.method_name() => ("regress", "Regress"),
            _ => ("predict", "Predict"),
        };
        let (rest, grpc) = match method {
            "predict" => self.predict(key, &signature, &examples),
            _ => self.of_examples(key, &examples),
        };
        let (rest, rest_obstacle) = parted(rest);
        let (grpc, grpc_obstacle) = parted(grpc);
        Ok(SampleRequest {
            signature: SignatureReport::of(key, &signature),
            url_path: format!("/v1/models/{}:{method}", in_url(&self.model_name)),
            rest,
            rest_obstacle,
            grpc_method: format!("tensorflow.serving.PredictionService/{grpc_method}"),
            grpc,
            grpc_obstacle,
            examples: shown,
        })
    }

    fn predict(
        &self,
        key: &str,
        signature: &Signature,
        examples: &[(String, AnyExample)],
    ) -> (Result<String>, Result<String>) {
        let example = |name: &str| {
            let (_, example) = examples.iter().find(|(input, _)| input == name)?;
            Some(example.to_bytes().into())
        };
        if signature.inputs.is_empty() {
            let none = || Error::unsupported("TensorFlow Serving has no requests without inputs");
            return (Err(none()), Err(none()));
        }
        match SampleInput::all(signature, self.batch, example) {
            Ok(inputs) => (
                predict_body(key, &inputs, |rows| answers_rows(signature, rows)),
                Ok(predict_request(&self.model_name, key, &inputs)),
            ),
            Err(error) => {
                let other = Error::unsupported(error.to_string());
                (Err(error), Err(other))
            }
        }
    }

    fn of_examples(
        &self,
        key: &str,
        examples: &[(String, AnyExample)],
    ) -> (Result<String>, Result<String>) {
        match examples {
            [(_, AnyExample::Example(example))] => {
                let checked = || check_size(self.batch, example.to_bytes().len());
                let model = &self.model_name;
                (
                    checked().map(|()| examples_body(key, example, self.batch)),
                    checked().map(|()| examples_request(model, key, example, self.batch)),
                )
            }
            _ => {
                let unknown =
                    || Error::unsupported("the graph does not say which features it takes");
                (Err(unknown()), Err(unknown()))
            }
        }
    }
}

/// Says whether every output can be as many rows. A request by rows is answered by rows, and the
/// answer is an error if the first dimension of an output is another.
fn answers_rows(signature: &Signature, rows: u64) -> bool {
    signature.outputs.values().all(|info| {
        let shape = info.shape().ok();
        match shape.as_ref().and_then(|shape| shape.dims()) {
            Some(dims) => dims
                .first()
                .is_some_and(|dim| dim.is_none_or(|dim| dim == rows)),
            None => true,
        }
    })
}

/// Writes a name as it stands in a URL.
fn in_url(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            byte => text += &format!("%{byte:02X}"),
        }
    }
    text
}

fn parted(result: Result<String>) -> (Option<String>, Option<String>) {
    match result {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(error.to_string())),
    }
}

fn features(spec: &ParsingSpec) -> Vec<String> {
    let features = spec.features().iter().map(|feature| feature.to_string());
    let lists = spec.feature_lists().iter();
    features
        .chain(lists.map(|list| format!("list of {list}")))
        .collect()
}
