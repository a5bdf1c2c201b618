use std::collections::{BTreeMap, BTreeSet};

use super::warmup::{WarmupRequest, WarmupRequests};
use crate::error::{Error, Result};
use crate::model::{Signature, SignatureKind};
use crate::proto::serving::prediction_log::LogType;
use crate::proto::serving::{Input, ModelSpec, MultiInferenceRequest, PredictRequest, input};
use crate::tensor::Tensor;

/// The signature of requests that name none.
const DEFAULT_SIGNATURE: &str = "serving_default";

impl WarmupRequests {
    /// Proves that a model with these signatures answers every request: that each is of a kind which is
    /// replayed, names a signature, and feeds it what it takes.
    ///
    /// TensorFlow Serving does not load a model of which a warm-up request fails. What the graph does
    /// with the values is not looked at, so that a request which passes may fail there.
    ///
    /// ```
    /// use savedmodel::serving::WarmupRequests;
    /// use savedmodel::{SavedModel, Tensor};
    ///
    /// let model = SavedModel::open("tests/fixtures/keras3_saved")?;
    /// let mut requests = WarmupRequests::new("m");
    /// let x = Tensor::from_slice([1, 4], &[0f64; 4])?;
    /// requests.predict("serving_default", [("inputs", x)])?;
    /// let error = requests.check(&model.meta_graph(["serve"])?.signatures()?).unwrap_err();
    /// assert!(error.to_string().contains("float64"));
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound` for a signature, an input or an output that is not there, `InvalidArgument` for
    /// everything else that will fail, `Malformed` for what is no request.
    pub fn check(&self, signatures: &BTreeMap<String, Signature>) -> Result<()> {
        for (i, request) in self.requests().iter().enumerate() {
            let which = || format!("warm-up request {i}");
            check_request(request, signatures)
                .map_err(|error| error.for_key(which().as_bytes()))?;
        }
        Ok(())
    }
}

fn check_request(request: &WarmupRequest, signatures: &BTreeMap<String, Signature>) -> Result<()> {
    let missing = || Error::invalid_argument("the log has no request");
    let log = request.to_proto()?;
    match &log.log_type {
        Some(LogType::PredictLog(log)) => {
            let request = log.request.as_ref().ok_or_else(missing)?;
            let (_, signature) = signature_of(request.model_spec.as_ref(), signatures)?;
            check_predict(request, signature)
        }
        Some(LogType::ClassifyLog(log)) => {
            let request = log.request.as_ref().ok_or_else(missing)?;
            let spec = request.model_spec.as_ref();
            check_examples(request.input.as_ref())?;
            check_kind(spec, signatures, SignatureKind::Classify).map(drop)
        }
        Some(LogType::RegressLog(log)) => {
            let request = log.request.as_ref().ok_or_else(missing)?;
            let spec = request.model_spec.as_ref();
            check_examples(request.input.as_ref())?;
            check_kind(spec, signatures, SignatureKind::Regress).map(drop)
        }
        Some(LogType::MultiInferenceLog(log)) => {
            check_multi_inference(log.request.as_ref().ok_or_else(missing)?, signatures)
        }
        Some(LogType::SessionRunLog(_) | LogType::PredictStreamedLog(_)) => Err(
            Error::invalid_argument("TensorFlow Serving does not replay requests of this kind"),
        ),
        None => Err(Error::invalid_argument("the request is of no known kind")),
    }
}

fn signature_of<'a>(
    spec: Option<&'a ModelSpec>,
    signatures: &'a BTreeMap<String, Signature>,
) -> Result<(&'a str, &'a Signature)> {
    let name = match spec.map(|spec| spec.signature_name.as_str()) {
        None | Some("") => DEFAULT_SIGNATURE,
        Some(name) => name,
    };
    match signatures.get(name) {
        Some(signature) => Ok((name, signature)),
        None => {
            let what = format!("signature `{name}`");
            let names = signatures.keys().cloned();
            Err(Error::not_found_among(what, name, names))
        }
    }
}

fn check_predict(request: &PredictRequest, signature: &Signature) -> Result<()> {
    let mut fed = BTreeSet::new();
    for entry in &request.inputs {
        let key = entry.key();
        fed.insert(key);
        let Some(info) = signature.inputs.get(key) else {
            let names = signature.inputs.keys().cloned();
            return Err(Error::not_found_among(format!("input `{key}`"), key, names));
        };
        let refuse = |what: String| Err(Error::invalid_argument(format!("input `{key}` {what}")));
        if info.name().is_none() {
            return refuse("is no dense tensor, and cannot be fed".to_owned());
        }
        let value = Tensor::from_proto(entry.value.as_ref().unwrap_or(&Default::default()))?;
        if value.dtype() != info.dtype {
            return refuse(format!(
                "takes {}, and is fed {}",
                info.dtype,
                value.dtype()
            ));
        }
        let shape = info.shape()?;
        if !shape.is_compatible_with(value.shape()) {
            return refuse(format!("takes {shape}, and is fed {}", value.shape()));
        }
    }
    let missing = signature.inputs.keys().find(|key| {
        let key = key.as_str();
        !fed.contains(key) && !signature.defaults.contains_key(key)
    });
    if let Some(key) = missing {
        let what = format!("input `{key}` is not fed, and has no default");
        return Err(Error::invalid_argument(what));
    }
    let mut filter = request.output_filter.iter();
    match filter.find(|name| !signature.outputs.contains_key(*name)) {
        Some(name) => {
            let names = signature.outputs.keys().cloned();
            Err(Error::not_found_among(
                format!("output `{name}`"),
                name,
                names,
            ))
        }
        None => Ok(()),
    }
}

fn check_kind<'a>(
    spec: Option<&'a ModelSpec>,
    signatures: &'a BTreeMap<String, Signature>,
    kind: SignatureKind,
) -> Result<(&'a str, &'a Signature)> {
    let (name, signature) = signature_of(spec, signatures)?;
    match signature.kind() == Some(kind) {
        true => Ok((name, signature)),
        false => Err(Error::invalid_argument(format!(
            "signature `{name}` is none of the method {}",
            kind.method_name()
        ))),
    }
}

fn check_examples(input: Option<&Input>) -> Result<()> {
    let count = match input.and_then(|input| input.kind.as_ref()) {
        Some(input::Kind::ExampleList(list)) => list.examples.len(),
        Some(input::Kind::ExampleListWithContext(list)) => list.examples.len(),
        None => 0,
    };
    match count {
        0 => Err(Error::invalid_argument("the request has no examples")),
        _ => Ok(()),
    }
}

fn check_multi_inference(
    request: &MultiInferenceRequest,
    signatures: &BTreeMap<String, Signature>,
) -> Result<()> {
    check_examples(request.input.as_ref())?;
    let refuse = |what: &str| Err(Error::invalid_argument(what));
    let (mut names, mut models, mut inputs) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for task in &request.tasks {
        let spec = task.model_spec.as_ref();
        let kinds = [SignatureKind::Classify, SignatureKind::Regress];
        let kind = kinds
            .into_iter()
            .find(|kind| kind.method_name() == task.method_name);
        let Some(kind) = kind else {
            return refuse("a task is to classify or to regress");
        };
        let (name, signature) = check_kind(spec, signatures, kind)?;
        models.insert(spec.map_or("", |spec| spec.name.as_str()));
        if !names.insert(name) {
            return refuse("a signature is asked twice");
        }
        inputs.extend(signature.inputs.values().map(|info| info.name()));
    }
    match (models.first(), models.len(), inputs.len()) {
        (None, ..) => refuse("the request has no tasks"),
        (Some(&""), ..) => refuse("a task names no model"),
        (_, 2.., _) => refuse("the tasks name several models"),
        (_, _, 2..) => refuse("the signatures take their examples from several tensors"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Example;
    use crate::model::TensorInfo;
    use crate::proto::serving::{PredictionLog, SessionRunLog};
    use crate::tensor::{DType, PartialShape};

    fn info(name: &str, dtype: DType) -> TensorInfo {
        let shape = PartialShape::new(&[None]).unwrap();
        TensorInfo::new(name, dtype, &shape)
    }

    fn signatures() -> BTreeMap<String, Signature> {
        let signature = |input: (&str, TensorInfo), output: (&str, TensorInfo), kind| {
            let own = |(key, info): (&str, TensorInfo)| [(key.to_owned(), info)];
            Signature::new(own(input), own(output), SignatureKind::method_name(kind))
        };
        let examples = |tensor: &str| ("inputs", info(tensor, DType::STRING));
        let scores = || ("scores", info("s:0", DType::FLOAT));
        let outputs = || ("outputs", info("r:0", DType::FLOAT));
        [
            (
                "serving_default",
                signature(
                    ("x", info("x:0", DType::FLOAT)),
                    outputs(),
                    SignatureKind::Predict,
                ),
            ),
            (
                "c",
                signature(examples("e:0"), scores(), SignatureKind::Classify),
            ),
            (
                "r",
                signature(examples("e:0"), outputs(), SignatureKind::Regress),
            ),
            (
                "other",
                signature(examples("f:0"), outputs(), SignatureKind::Regress),
            ),
        ]
        .map(|(key, signature)| (key.to_owned(), signature))
        .into()
    }

    fn fault(fill: impl FnOnce(&mut WarmupRequests) -> Result<()>) -> String {
        let mut requests = WarmupRequests::new("m");
        fill(&mut requests).unwrap();
        match requests.check(&signatures()) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn requests_that_the_model_answers_pass() {
        let example = || [Example::new()];
        let all = fault(|requests| {
            requests.predict("", [("x", Tensor::from_slice([2], &[1f32, 2.])?)])?;
            requests.classify("c", example())?;
            requests.regress("r", example())?;
            let both = [
                ("c", SignatureKind::Classify),
                ("r", SignatureKind::Regress),
            ];
            requests.multi_inference(both, example())
        });
        assert_eq!(all, "");
    }

    #[test]
    fn requests_that_would_fail_are_named() {
        let example = || [Example::new()];
        let vector = || Tensor::from_slice([1], &[1f32]);
        let regress = SignatureKind::Regress;
        for (fault, word) in [
            (
                fault(|it| it.predict("d", [("x", vector()?)])),
                "signature `d`",
            ),
            (fault(|it| it.predict("", [("y", vector()?)])), "input `y`"),
            (fault(|it| it.predict::<&str>("", [])), "not fed"),
            (
                fault(|it| it.predict("", [("x", Tensor::scalar(1f32))])),
                "takes [?]",
            ),
            (
                fault(|it| it.predict("", [("x", Tensor::from_slice([1], &[1i32])?)])),
                "is fed int32",
            ),
            (fault(|it| it.classify("r", example())), "classify"),
            (fault(|it| it.regress("c", example())), "regress"),
            (
                fault(|it| it.multi_inference([("r", regress), ("r", regress)], example())),
                "twice",
            ),
            (
                fault(|it| it.multi_inference([("r", regress), ("other", regress)], example())),
                "several tensors",
            ),
            (
                fault(|it| {
                    it.push(&PredictionLog {
                        log_type: Some(LogType::SessionRunLog(SessionRunLog::default())),
                        ..Default::default()
                    })
                }),
                "replay",
            ),
            (
                fault(|it| it.push(&PredictionLog::default())),
                "no known kind",
            ),
        ] {
            assert!(fault.contains(word), "{word}: {fault}");
        }
    }
}
