//! Export outputs: the signatures made of them, here and by TensorFlow.

use std::collections::{BTreeMap, HashMap};

use prost::Message;
use savedmodel::builder::{
    ClassificationOutput, ExportOutput, ExportOutputs, PredictOutput, RegressionOutput,
    ServingInputReceiver, SupervisedOutput,
};
use savedmodel::graph::{GraphBuilder, Operation, Output};
use savedmodel::{DType, Error, PartialShape, Result, Shape, Signature, Tensor, TensorInfo, proto};
use serde_json::{Value as Json, json};

use crate::scratch::Scratch;
use crate::tensorflow;

/// A graph whose tensors can be heads, and those tensors by their names.
struct Network {
    graph: GraphBuilder,
    tensors: HashMap<String, Output>,
    update: Operation,
}

fn network() -> Result<Network> {
    let mut graph = GraphBuilder::new();
    let batch = || PartialShape::new(&[None]).unwrap();
    let wide = || PartialShape::new(&[None, Some(3)]).unwrap();
    let pairs = || PartialShape::new(&[None, Some(2)]).unwrap();
    let two = || PartialShape::new(&[Some(2)]).unwrap();
    let examples = graph.placeholder("examples", DType::STRING, batch())?;
    let x = graph.placeholder("x", DType::FLOAT, wide())?;
    let other = graph.op("Placeholder").name("other");
    let other = other.attr("dtype", DType::FLOAT).attr("shape", batch());
    let other = other.build()?;
    let mut unary = |name: &str, op: &str, input: &Output, shape| -> Result<Output> {
        let node = graph.op(op).name(name).input(input);
        Ok(node.output()?.with_shape(shape))
    };
    let lines = unary("lines", "Identity", &examples, batch())?;
    let parsed = unary("parsed", "StringToNumber", &lines, batch())?;
    let features = unary("features", "Identity", &parsed, batch())?;
    let score = unary("score", "Neg", &features, batch())?;
    let names = unary("names", "AsString", &score, batch())?;
    let raw = unary("raw", "Neg", &x, wide())?;
    let cast = |graph: &mut GraphBuilder, name: &str, dtype: DType| -> Result<Output> {
        let node = graph.op("Cast").name(name).input(&score);
        Ok(node.attr("DstT", dtype).output()?.with_shape(batch()))
    };
    let double = cast(&mut graph, "double", DType::DOUBLE)?;
    let whole = cast(&mut graph, "whole", DType::INT64)?;
    let with_other = graph.op("AddV2").name("sum").input(&score);
    let sum = with_other
        .input(&other.output()?)
        .output()?
        .with_shape(batch());
    let waits = graph.op("Identity").name("waits").input(&score);
    let waits = waits.control(&other).output()?.with_shape(batch());
    let nothing = graph.constant("nothing", &Tensor::from_slice([1], &[0f32])?)?;
    let optional = graph.op("PlaceholderWithDefault").name("optional");
    let optional = optional.input(&nothing).attr("shape", batch());
    let optional = optional.output()?.with_shape(batch());
    let more = graph.op("AddV2").name("more").input(&optional);
    let more = more.input(&score).output()?.with_shape(batch());
    let loss = graph.constant("loss", &Tensor::scalar(1f32))?;
    let update = graph.group("update", [])?;
    let indices = graph.placeholder("sparse/indices", DType::INT64, pairs())?;
    let values = graph.placeholder("sparse/values", DType::FLOAT, batch())?;
    let words = graph.placeholder("sparse/words", DType::STRING, batch())?;
    let shape = graph.placeholder("sparse/shape", DType::INT64, two())?;
    let negative = graph.op("Neg").name("negative").input(&values);
    let negative = negative.output()?.with_shape(batch());
    let tensors = [
        examples,
        x,
        lines,
        parsed,
        features,
        score,
        names,
        raw,
        double,
        whole,
        sum,
        waits,
        optional,
        more,
        loss,
        indices,
        values,
        words,
        shape,
        negative,
        other.output()?.with_shape(batch()),
    ];
    let tensors = tensors.map(|tensor| (tensor.node().to_owned(), tensor));
    Ok(Network {
        graph,
        tensors: tensors.into(),
        update,
    })
}

impl Network {
    fn tensor(&self, name: &Json) -> &Output {
        &self.tensors[name.as_str().unwrap()]
    }

    fn info(&self, name: &Json) -> TensorInfo {
        let Some(parts) = name.as_array() else {
            return self.tensor(name).into();
        };
        let [indices, values, shape] = [0, 1, 2].map(|part| self.tensor(&parts[part]));
        TensorInfo::sparse(
            values,
            indices,
            shape,
            &PartialShape::new(&[None, None]).unwrap(),
        )
    }

    fn infos<'j>(&self, named: &'j Json) -> Vec<(&'j str, TensorInfo)> {
        let named = named.as_object().unwrap().iter();
        named.map(|(key, name)| (&**key, self.info(name))).collect()
    }

    fn output(&self, described: &Json) -> Result<ExportOutput> {
        if let Some(tensors) = described.get("predict") {
            return Ok(match tensors.is_object() {
                true => PredictOutput::new(self.infos(tensors)).into(),
                false => PredictOutput::single(self.info(tensors)).into(),
            });
        }
        if let Some(value) = described.get("regression") {
            return Ok(RegressionOutput::new(self.tensor(value))?.into());
        }
        let tensor = |name: &str| described.get(name).map(|name| self.tensor(name));
        let output = match (tensor("classes"), tensor("scores")) {
            (Some(classes), Some(scores)) => ClassificationOutput::new(classes, scores),
            (Some(classes), None) => ClassificationOutput::of_classes(classes),
            (_, scores) => ClassificationOutput::of_scores(scores.unwrap()),
        };
        Ok(output?.into())
    }

    fn outputs<'j>(&self, described: &'j Json) -> Result<Vec<(&'j str, ExportOutput)>> {
        let outputs = described.as_object().unwrap().iter();
        let outputs = outputs.map(|(key, output)| Ok((&**key, self.output(output)?)));
        outputs.collect()
    }

    fn supervised(&mut self, described: &Json) -> Result<SupervisedOutput> {
        let mut output = SupervisedOutput::new();
        let several = |what: &str| described.get(what).and_then(Json::as_object).cloned();
        for (name, loss) in several("loss").unwrap_or_default() {
            output = output.named_loss(&name, self.tensor(&loss));
        }
        for (name, prediction) in several("predictions").unwrap_or_default() {
            output = output.named_prediction(&name, self.tensor(&prediction));
        }
        let one = |what: &str| described.get(what).filter(|it| !it.is_object());
        if let Some(loss) = one("loss") {
            output = output.loss(self.tensor(loss));
        }
        if let Some(prediction) = one("predictions") {
            output = output.prediction(self.tensor(prediction));
        }
        let only = one("metrics").map(|pair| ("metrics".to_owned(), pair.clone()));
        let metrics = several("metrics").unwrap_or_default();
        for (name, pair) in metrics.into_iter().chain(only) {
            let value = self.tensor(&pair[0]).clone();
            output = match &pair[1] {
                update if *update == "^update" => {
                    let update = self.update.clone();
                    output.metric_updated_by(&mut self.graph, &name, &value, &update)?
                }
                update => output.metric(&name, &value, self.tensor(update)),
            };
        }
        Ok(output)
    }

    fn signatures(mut self, case: &Json) -> Result<BTreeMap<String, Signature>> {
        let outputs = if let Some(described) = case.get("supervised") {
            let output = self.supervised(described)?;
            match case["mode"] == "train" {
                true => ExportOutputs::training(output),
                false => ExportOutputs::evaluation(output),
            }
        } else if let Some(heads) = case.get("heads") {
            let heads = heads.as_array().unwrap().iter();
            let heads = heads.map(|head| Ok((head[0].as_str().unwrap(), self.outputs(&head[1])?)));
            ExportOutputs::heads(heads.collect::<Result<Vec<_>>>()?)?
        } else {
            ExportOutputs::serving(self.outputs(&case["outputs"])?)?
        };
        let receiver = &case["receiver"];
        let mut receiver = match receiver.is_object() {
            true => ServingInputReceiver::new(self.infos(receiver)),
            false => ServingInputReceiver::single(self.info(receiver)),
        };
        for (name, tensors) in case
            .get("alternatives")
            .and_then(Json::as_object)
            .into_iter()
            .flatten()
        {
            receiver = match tensors.is_object() {
                true => receiver.alternative(name, self.infos(tensors)),
                false => receiver.alternative(name, [("input", self.info(tensors))]),
            };
        }
        Ok(outputs.signatures(&self.graph, &receiver)?.included)
    }
}

/// What is exported, and the keys of its signatures; none where it is refused.
fn cases() -> Vec<(Json, &'static [&'static str])> {
    let examples = || json!({"examples": "examples"});
    let serving = |receiver: Json, outputs: Json| json!({"mode": "serving", "receiver": receiver, "outputs": outputs});
    let raw = |receiver: Json, alternatives: Json, outputs: Json| json!({"mode": "serving", "receiver": receiver, "alternatives": alternatives, "outputs": outputs});
    let supervised = |mode: &str, receiver: Json, output: Json| json!({"mode": mode, "receiver": receiver, "supervised": output});
    let heads = |alternatives: Json, heads: Json| {
        json!({"mode": "serving", "receiver": {"examples": "examples"}, "alternatives": alternatives,
               "heads": heads})
    };
    let score = || json!({"regression": "score"});
    let predict = || json!({"predict": {"score": "score", "names": "names"}});
    let sparse = |values: &str| json!({"s": ["sparse/indices", values, "sparse/shape"]});
    vec![
        // The default.
        (
            serving(examples(), json!({"sales": score()})),
            &["sales", "serving_default"],
        ),
        (
            serving(examples(), json!({"serving_default": score()})),
            &["serving_default"],
        ),
        (
            serving(examples(), json!({"a": score(), "b": predict()})),
            &[],
        ),
        (
            serving(
                examples(),
                json!({"serving_default": score(), "b": predict()}),
            ),
            &["b", "serving_default"],
        ),
        // The kinds, with the names they have.
        (
            serving(
                examples(),
                json!({"serving_default": {"classes": "names"}, "scores": {"scores": "score"},
                       "both": {"classes": "names", "scores": "score"}, "r": score()}),
            ),
            &["both", "r", "scores", "serving_default"],
        ),
        (
            serving(json!("examples"), json!({"one": {"predict": "score"}})),
            &["one", "serving_default"],
        ),
        // What cannot be asked for is left out.
        (
            serving(
                json!({"x": "x"}),
                json!({"serving_default": {"predict": {"raw": "raw"}}, "r": {"regression": "raw"}}),
            ),
            &["serving_default"],
        ),
        (
            serving(json!({"x": "x"}), json!({"r": {"regression": "raw"}})),
            &[],
        ),
        (
            serving(
                examples(),
                json!({"serving_default": {"predict": {}}, "r": score()}),
            ),
            &["r"],
        ),
        (serving(json!({}), json!({"p": predict()})), &[]),
        // What is not fed.
        (
            serving(
                examples(),
                json!({"serving_default": score(), "sum": {"predict": "sum"}}),
            ),
            &["serving_default"],
        ),
        (
            serving(
                json!({"examples": "examples", "other": "other"}),
                json!({"serving_default": score(), "sum": {"predict": "sum"}}),
            ),
            &["sum"],
        ),
        (
            serving(
                examples(),
                json!({"serving_default": {"regression": "waits"}, "more": {"regression": "more"}}),
            ),
            &["more", "serving_default"],
        ),
        // Alternatives.
        (
            raw(
                examples(),
                json!({"raw": {"features": "features"}, "lines": "lines"}),
                json!({"serving_default": score(), "p": predict(), "c": {"scores": "score"}}),
            ),
            &[
                "c",
                "lines:c",
                "lines:p",
                "lines:serving_default",
                "p",
                "raw:p",
                "serving_default",
            ],
        ),
        (
            raw(
                examples(),
                json!({"raw": {"features": "features"}}),
                json!({"same": {"predict": "features"}}),
            ),
            &["same", "serving_default"],
        ),
        // Sparse tensors are fed too, but are no examples.
        (
            serving(
                sparse("sparse/values"),
                json!({"p": {"predict": "negative"}}),
            ),
            &["p", "serving_default"],
        ),
        (
            serving(sparse("sparse/words"), json!({"r": {"regression": "loss"}})),
            &[],
        ),
        (
            serving(
                json!({"s": "sparse/values"}),
                json!({"p": {"predict": "negative"}}),
            ),
            &["p", "serving_default"],
        ),
        // Other types.
        (
            serving(examples(), json!({"r": {"regression": "double"}})),
            &[],
        ),
        (
            serving(examples(), json!({"r": {"regression": "whole"}})),
            &[],
        ),
        (serving(examples(), json!({"c": {"scores": "double"}})), &[]),
        (serving(examples(), json!({"c": {"scores": "names"}})), &[]),
        (serving(examples(), json!({"c": {"classes": "whole"}})), &[]),
        (
            serving(
                examples(),
                json!({"c": {"classes": "whole", "scores": "score"}}),
            ),
            &[],
        ),
        // Training and evaluation.
        (
            supervised(
                "train",
                examples(),
                json!({"loss": "loss", "predictions": "score", "metrics": ["loss", "score"]}),
            ),
            &["train"],
        ),
        (
            supervised(
                "eval",
                json!("examples"),
                json!({"loss": {"l2": "loss", "loss_of_all": "loss"},
                       "predictions": {"head/score": "score", "predictions": "names"},
                       "metrics": {"auc": ["loss", "^update"], "metrics/mean": ["loss", "^update"]}}),
            ),
            &["eval"],
        ),
        (supervised("train", examples(), json!({})), &["train"]),
        (supervised("eval", examples(), json!({"loss": "sum"})), &[]),
        // Heads.
        (
            heads(
                json!({"raw": {"features": "features"}}),
                json!([
                    ["sales", {"serving_default": score(), "regression": score(),
                               "predict": {"predict": {"predictions": "score"}}}],
                    ["churn", {"serving_default": {"scores": "score"}, "predict": {"predict": {"names": "names"}}}],
                ]),
            ),
            &[
                "churn",
                "churn/predict",
                "predict",
                "raw:churn/predict",
                "raw:predict",
                "raw:sales/predict",
                "sales",
                "sales/predict",
                "sales/regression",
                "serving_default",
            ],
        ),
        (
            heads(
                json!({}),
                json!([["a", {"only": score()}], ["b", {"x": predict()}]]),
            ),
            &["a/only", "b/x", "serving_default"],
        ),
        (
            heads(json!({}), json!([["a", {"x": score(), "y": predict()}]])),
            &[],
        ),
    ]
}

#[test]
fn of_each_output_and_way_of_feeding_there_is_the_signature_it_can_have() {
    for (case, keys) in cases() {
        let signatures = network().unwrap().signatures(&case).unwrap_or_default();
        assert_eq!(signatures.keys().collect::<Vec<_>>(), keys, "{case:#}");
    }
}

#[test]
fn what_cannot_be_exported_says_why() {
    let why = |case: &Json| -> Error { network().unwrap().signatures(case).unwrap_err() };
    let case = |receiver: &str, outputs: Json| json!({"mode": "serving", "receiver": {"t": receiver}, "outputs": outputs});
    for (case, message) in [
        (
            case(
                "examples",
                json!({"a": {"predict": "score"}, "b": {"predict": "score"}}),
            ),
            "none of the 2 outputs has the key `serving_default`",
        ),
        (
            case("examples", json!({"a": {"regression": "whole"}})),
            "the values of a regression are of float32, and the tensor `whole:0` is of int64",
        ),
        (
            case("examples", json!({"a": {"classes": "whole"}})),
            "classes are of string, and the tensor `whole:0` is of int64",
        ),
        (
            case("examples", json!({"a": {"scores": "double"}})),
            "scores are of float32, and the tensor `double:0` is of float64",
        ),
        (
            case("examples", json!({"a": {"predict": "sum"}})),
            "needs a placeholder that is not fed: `other` -> `sum`",
        ),
        (
            case("x", json!({"a": {"regression": "raw"}})),
            "examples are of float32, not string",
        ),
        (case("examples", json!({})), "a model has an output"),
        (
            case("examples", json!({"": {"predict": "score"}})),
            "an output has a key",
        ),
    ] {
        let error = why(&case).to_string();
        assert!(error.contains(message), "{error}");
    }
    let network = network().unwrap();
    let score = || {
        RegressionOutput::new(&network.tensors["score"])
            .unwrap()
            .into()
    };
    let twice = ExportOutputs::heads([("a", vec![("x", score())]), ("a", vec![("x", score())])]);
    assert!(
        twice
            .unwrap_err()
            .to_string()
            .contains("two outputs have this key")
    );
    let foreign = GraphBuilder::new();
    let outputs = ExportOutputs::serving([("a", score())]).unwrap();
    let receiver = ServingInputReceiver::new([("examples", &network.tensors["examples"])]);
    let error = outputs.signatures(&foreign, &receiver).unwrap_err();
    assert!(error.to_string().contains("tensor `score:0`"), "{error}");
    let excluded = ExportOutputs::serving([
        ("serving_default", score()),
        ("p", PredictOutput::default().into()),
    ]);
    let signatures = excluded
        .unwrap()
        .signatures(&network.graph, &receiver)
        .unwrap();
    assert_eq!(signatures.included.len(), 1);
    assert!(
        signatures.excluded["p"]
            .to_string()
            .contains("has an input and an output")
    );
}

#[test]
fn an_operation_that_updates_a_metric_is_waited_for_by_a_tensor() {
    let mut network = network().unwrap();
    let (loss, update) = (network.tensors["loss"].clone(), network.update.clone());
    let output = SupervisedOutput::new()
        .metric_updated_by(&mut network.graph, "auc", &loss, &update)
        .unwrap();
    assert_eq!(
        output.outputs()["metrics/auc/update_op"].name(),
        Some("metric_op_wrapper:0")
    );
    let graph = network.graph.to_graph_def();
    assert_eq!(graph.node.last().unwrap().input, ["^update"]);
    assert_eq!(loss.shape(), &PartialShape::from(Shape::SCALAR));
}

/// Compares with an installation of TensorFlow; returns how many cases it had an answer to.
fn compare(run: fn(&str, &[&std::path::Path]) -> Option<Vec<u8>>) -> Option<usize> {
    let scratch = Scratch::new("export-outputs");
    let (graph, file) = (
        scratch.path().join("graph.pb"),
        scratch.path().join("cases.json"),
    );
    let message = network().unwrap().graph.to_graph_def().encode_to_vec();
    std::fs::write(&graph, message).unwrap();
    let cases = cases();
    let documents: Json = cases.iter().map(|(case, _)| case.clone()).collect();
    std::fs::write(&file, documents.to_string()).unwrap();
    let answers: Vec<Option<BTreeMap<String, String>>> =
        serde_json::from_slice(&run("export_outputs.py", &[&graph, &file])?).unwrap();
    assert_eq!(answers.len(), cases.len());
    let mut compared = 0;
    for ((case, _), theirs) in cases.iter().zip(answers) {
        let Some(theirs) = theirs else { continue };
        compared += 1;
        let ours = network().unwrap().signatures(case);
        if ours.is_err() && (theirs.is_empty() || theirs.contains_key("error")) {
            continue;
        }
        let theirs: BTreeMap<String, Signature> = theirs
            .into_iter()
            .map(|(key, hex)| {
                let bytes: Vec<u8> = (0..hex.len() / 2)
                    .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
                    .collect();
                let message = proto::SignatureDef::decode(&bytes[..]).unwrap();
                (key, Signature::from_proto(message))
            })
            .collect();
        assert_eq!(ours.unwrap(), theirs, "{case:#}");
    }
    Some(compared)
}

#[test]
fn interop_signatures_of_export_outputs_are_those_of_tensorflow() {
    let Some(compared) = compare(tensorflow::run) else {
        return;
    };
    let without_heads = cases()
        .iter()
        .filter(|it| it.0.get("heads").is_none())
        .count();
    assert_eq!(compared, without_heads);
}

#[test]
fn interop_heads_are_merged_as_by_the_estimator_of_an_older_release() {
    let Some(compared) = compare(tensorflow::run_older) else {
        return;
    };
    assert_eq!(compared, cases().len());
}
