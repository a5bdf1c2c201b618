use std::path::Path;

use prost::Message;
use prost::bytes::Bytes;

use super::{open_extra, write_extra};
use crate::error::{Error, ErrorKind, Result};
use crate::example::Example;
use crate::model::SignatureKind;
use crate::proto::serving::predict_request::InputsEntry;
use crate::proto::serving::prediction_log::LogType;
use crate::proto::serving::{
    ClassificationRequest, ClassifyLog, ExampleList, InferenceTask, Input, ModelSpec,
    MultiInferenceLog, MultiInferenceRequest, PredictLog, PredictRequest, PredictionLog,
    RegressLog, RegressionRequest, input,
};
use crate::record::{RecordReader, RecordWriter};
use crate::store::Blob;
use crate::tensor::Tensor;

/// Requests that TensorFlow Serving sends a model when it is loaded, before anybody else may: the file
/// `assets.extra/tf_serving_warmup_requests`.
///
/// A request is kept as it is encoded, so that one which was read is written as it was.
///
/// ```
/// use savedmodel::Tensor;
/// use savedmodel::example::Example;
/// use savedmodel::serving::WarmupRequests;
///
/// let mut requests = WarmupRequests::new("mnist");
/// let x = Tensor::from_slice([1, 2], &[1f32, 2.])?;
/// requests.predict("serving_default", [("x", x)])?;
/// requests.classify("classify", [Example::new().with("x", [1f32, 2.])])?;
/// assert_eq!(requests.len(), 2);
/// let again = WarmupRequests::from_bytes(requests.to_bytes()?)?;
/// assert_eq!(again.to_bytes()?, requests.to_bytes()?);
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// [`SavedModelBuilder::add_warmup_requests`](crate::builder) puts them into a model. In TensorFlow
/// Serving: `tensorflow_serving/servables/tensorflow/saved_model_warmup_util.cc`; the messages are those
/// of `tensorflow_serving/apis/prediction_log.proto`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WarmupRequests {
    model_name: String,
    requests: Vec<WarmupRequest>,
}

/// One warm-up request: a `PredictionLog`, encoded.
#[derive(Clone, Debug, PartialEq)]
pub struct WarmupRequest {
    bytes: Bytes,
}

/// What a warm-up request asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestKind {
    /// Outputs for tensors.
    Predict,
    /// Classes for examples.
    Classify,
    /// Numbers for examples.
    Regress,
    /// Several of the two above for the same examples.
    MultiInference,
    /// A run of the session, which TensorFlow Serving does not replay.
    SessionRun,
    /// A stream of requests, which it does not replay either.
    PredictStreamed,
    /// Nothing that this version knows.
    Unknown,
}

impl WarmupRequests {
    /// The file in a model's `assets.extra`.
    pub const FILE: &str = "tf_serving_warmup_requests";
    /// So many requests may be in a file; with more the model does not load.
    pub const MAX: usize = 1000;

    /// Starts without requests. The name is that under which the model is served; requests carry it.
    pub fn new(model_name: impl Into<String>) -> Self {
        WarmupRequests {
            model_name: model_name.into(),
            requests: Vec::new(),
        }
    }

    /// Adds a Predict request: a value for each input of a signature.
    ///
    /// # Errors
    ///
    /// `TooLarge` behind the last request that there may be; as for [`Tensor::to_proto`].
    pub fn predict<K: Into<String>>(
        &mut self,
        signature: &str,
        inputs: impl IntoIterator<Item = (K, Tensor)>,
    ) -> Result<()> {
        let mut entries = Vec::new();
        for (key, value) in inputs {
            let key = key.into();
            let proto = value.to_proto();
            let proto = proto.map_err(|error| error.for_key(key.as_bytes()))?;
            entries.push(InputsEntry {
                key: Some(key),
                value: Some(proto),
            });
        }
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        if let Some(same) = entries.windows(2).find(|two| two[0].key == two[1].key) {
            return Err(Error::invalid_argument("the input has two values")
                .for_key(same[0].key().as_bytes()));
        }
        let request = PredictRequest {
            model_spec: Some(self.model_spec(signature)),
            inputs: entries,
            ..Default::default()
        };
        self.add(LogType::PredictLog(PredictLog {
            request: Some(request),
            response: None,
        }))
    }

    /// Adds a Classify request: examples for a signature of that kind.
    ///
    /// # Errors
    ///
    /// `TooLarge` behind the last request that there may be; `InvalidArgument` without examples.
    pub fn classify(
        &mut self,
        signature: &str,
        examples: impl IntoIterator<Item = Example>,
    ) -> Result<()> {
        let request = ClassificationRequest {
            model_spec: Some(self.model_spec(signature)),
            input: Some(input_of(examples)?),
        };
        self.add(LogType::ClassifyLog(ClassifyLog {
            request: Some(request),
            response: None,
        }))
    }

    /// Adds a Regress request: examples for a signature of that kind.
    ///
    /// # Errors
    ///
    /// As for [`classify`](Self::classify).
    pub fn regress(
        &mut self,
        signature: &str,
        examples: impl IntoIterator<Item = Example>,
    ) -> Result<()> {
        let request = RegressionRequest {
            model_spec: Some(self.model_spec(signature)),
            input: Some(input_of(examples)?),
        };
        self.add(LogType::RegressLog(RegressLog {
            request: Some(request),
            response: None,
        }))
    }

    /// Adds a MultiInference request: the same examples for several signatures that classify or
    /// regress, each with its kind.
    ///
    /// # Errors
    ///
    /// As for [`classify`](Self::classify); `InvalidArgument` without a signature, for one that
    /// predicts, and for a model without a name, which TensorFlow Serving refuses here.
    pub fn multi_inference<'a>(
        &mut self,
        signatures: impl IntoIterator<Item = (&'a str, SignatureKind)>,
        examples: impl IntoIterator<Item = Example>,
    ) -> Result<()> {
        let mut tasks = Vec::new();
        for (signature, kind) in signatures {
            if kind == SignatureKind::Predict {
                return Err(Error::invalid_argument(
                    "such a request classifies and regresses alone",
                )
                .for_key(signature.as_bytes()));
            }
            tasks.push(InferenceTask {
                model_spec: Some(self.model_spec(signature)),
                method_name: kind.method_name().to_owned(),
            });
        }
        if tasks.is_empty() || self.model_name.is_empty() {
            return Err(Error::invalid_argument(
                "such a request names a model and a signature of it at least",
            ));
        }
        let request = MultiInferenceRequest {
            tasks,
            input: Some(input_of(examples)?),
        };
        self.add(LogType::MultiInferenceLog(MultiInferenceLog {
            request: Some(request),
            response: None,
        }))
    }

    /// Adds a request in its message, as it was logged for instance.
    ///
    /// # Errors
    ///
    /// `TooLarge` behind the last request that there may be.
    pub fn push(&mut self, log: &PredictionLog) -> Result<()> {
        self.push_bytes(log.encode_to_vec().into())
    }

    /// Returns how many requests there are.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Returns the requests in their order.
    pub fn requests(&self) -> &[WarmupRequest] {
        &self.requests
    }

    /// Reads the requests of the model in a directory; `None` if it has none.
    ///
    /// # Errors
    ///
    /// As for [`from_bytes`](Self::from_bytes), and `Io`.
    pub fn read(model: impl AsRef<Path>) -> Result<Option<Self>> {
        let model = model.as_ref();
        let Some(blob) = open_extra(model, Self::FILE)? else {
            return Ok(None);
        };
        let read = Self::from_blob(blob).map(Some);
        let path = || model.join(super::EXTRA_ASSETS_DIRECTORY).join(Self::FILE);
        read.map_err(|error| error.in_file(path()))
    }

    /// Reads the requests of a file's bytes.
    ///
    /// # Errors
    ///
    /// `ChecksumMismatch` and `Malformed` if it is no sound TFRecord file, `TooLarge` for more requests
    /// than there may be.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Self> {
        Self::from_blob(Blob::from_bytes(bytes))
    }

    fn from_blob(blob: Blob) -> Result<Self> {
        let mut read = WarmupRequests::default();
        for record in RecordReader::new(blob) {
            let record = record?;
            let offset = record.offset();
            let pushed = read.push_bytes(record.into_data());
            pushed.map_err(|error| error.at(offset))?;
        }
        Ok(read)
    }

    /// Returns the bytes of the file.
    ///
    /// # Errors
    ///
    /// None today; the writer of records may have some.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut writer = RecordWriter::new(Vec::new());
        for request in &self.requests {
            writer.write(&request.bytes)?;
        }
        Ok(writer.into_inner())
    }

    /// Writes the file of the model in a directory, in place of one that is there.
    ///
    /// # Errors
    ///
    /// `NotFound` without that directory, `Io` as the system has it.
    pub fn write(&self, model: impl AsRef<Path>) -> Result<()> {
        write_extra(model.as_ref(), Self::FILE, &self.to_bytes()?)
    }

    fn model_spec(&self, signature: &str) -> ModelSpec {
        ModelSpec {
            name: self.model_name.clone(),
            signature_name: signature.to_owned(),
            ..Default::default()
        }
    }

    fn add(&mut self, log_type: LogType) -> Result<()> {
        self.push(&PredictionLog {
            log_type: Some(log_type),
            ..Default::default()
        })
    }

    fn push_bytes(&mut self, bytes: Bytes) -> Result<()> {
        if self.requests.len() == Self::MAX {
            return Err(Error::new(ErrorKind::TooLarge {
                what: "number of warm-up requests".to_owned(),
                size: Self::MAX as u64 + 1,
                limit: Self::MAX as u64,
            })
            .remedy("a model with more does not load"));
        }
        self.requests.push(WarmupRequest { bytes });
        Ok(())
    }
}

impl WarmupRequest {
    /// Returns the `PredictionLog` as it is encoded.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Decodes the request; what the schema does not know is not in it.
    ///
    /// # Errors
    ///
    /// `Malformed` if the bytes are no such message.
    pub fn to_proto(&self) -> Result<PredictionLog> {
        PredictionLog::decode(self.bytes.clone())
            .map_err(|error| Error::malformed(format!("no PredictionLog: {error}")))
    }

    /// Returns what the request asks.
    ///
    /// # Errors
    ///
    /// As for [`to_proto`](Self::to_proto).
    pub fn kind(&self) -> Result<RequestKind> {
        Ok(match self.to_proto()?.log_type {
            Some(LogType::PredictLog(_)) => RequestKind::Predict,
            Some(LogType::ClassifyLog(_)) => RequestKind::Classify,
            Some(LogType::RegressLog(_)) => RequestKind::Regress,
            Some(LogType::MultiInferenceLog(_)) => RequestKind::MultiInference,
            Some(LogType::SessionRunLog(_)) => RequestKind::SessionRun,
            Some(LogType::PredictStreamedLog(_)) => RequestKind::PredictStreamed,
            None => RequestKind::Unknown,
        })
    }
}

fn input_of(examples: impl IntoIterator<Item = Example>) -> Result<Input> {
    let mut messages = Vec::new();
    for example in examples {
        let message = crate::proto::Example::decode(&*example.to_bytes());
        messages.push(message.map_err(|error| Error::malformed(error.to_string()))?);
    }
    match messages.is_empty() {
        true => Err(Error::invalid_argument(
            "TensorFlow Serving refuses a request without examples",
        )),
        false => Ok(Input {
            kind: Some(input::Kind::ExampleList(ExampleList { examples: messages })),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_a_thousand_at_most() {
        let mut requests = WarmupRequests::new("m");
        for _ in 0..WarmupRequests::MAX {
            let x = Tensor::scalar(1f32);
            requests.predict("serving_default", [("x", x)]).unwrap();
        }
        let error = requests.push(&PredictionLog::default()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooLarge { .. }));
        let mut file = requests.to_bytes().unwrap();
        assert_eq!(
            WarmupRequests::from_bytes(file.clone()).unwrap().len(),
            1000
        );
        let mut one_more = RecordWriter::new(Vec::new());
        one_more.write(b"").unwrap();
        file.extend(one_more.into_inner());
        let error = WarmupRequests::from_bytes(file).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooLarge { .. }));
    }

    #[test]
    fn what_is_read_is_written_as_it_was() {
        // A field 99, which no version of the schema has, and one of a later kind of request.
        let record = [0x98, 0x06, 1, 0x42, 0];
        let mut writer = RecordWriter::new(Vec::new());
        writer.write(&record).unwrap();
        let file = writer.into_inner();
        let requests = WarmupRequests::from_bytes(file.clone()).unwrap();
        assert_eq!(requests.requests()[0].kind().unwrap(), RequestKind::Unknown);
        assert_eq!(requests.to_bytes().unwrap(), file);
        let mut damaged = file;
        damaged[14] ^= 1;
        assert!(WarmupRequests::from_bytes(damaged).is_err());
    }

    #[test]
    fn requests_that_serving_refuses_are_not_made() {
        let mut requests = WarmupRequests::new("");
        let example = || [Example::new()];
        assert!(requests.classify("c", []).is_err());
        assert!(requests.regress("c", []).is_err());
        let two = [("c", SignatureKind::Classify)];
        assert!(requests.multi_inference(two, example()).is_err());
        requests.model_name = "m".to_owned();
        assert!(requests.multi_inference(two, []).is_err());
        assert!(requests.multi_inference([], example()).is_err());
        let predict = [("p", SignatureKind::Predict)];
        assert!(requests.multi_inference(predict, example()).is_err());
        let twice = [("x", Tensor::scalar(1)), ("x", Tensor::scalar(2))];
        assert!(requests.predict("p", twice).is_err());
        assert!(requests.is_empty());
    }
}
