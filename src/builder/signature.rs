use std::collections::BTreeMap;

use super::constants::*;
use crate::error::{Error, Result};
use crate::graph::Output;
use crate::model::{Encoding, Signature, TensorInfo};
use crate::tensor::{DType, PartialShape, Tensor};

/// A tensor by its name, type and what is known of its shape: `build_tensor_info`.
impl From<&Output> for TensorInfo {
    fn from(output: &Output) -> TensorInfo {
        TensorInfo::new(output.tensor_name(), output.dtype().base(), output.shape())
    }
}

impl From<Output> for TensorInfo {
    fn from(output: Output) -> TensorInfo {
        TensorInfo::from(&output)
    }
}

impl TensorInfo {
    /// Makes the description of a sparse tensor of three tensors, as
    /// `tf.compat.v1.saved_model.build_tensor_info` does for a `tf.SparseTensor`.
    pub fn sparse(
        values: &Output,
        indices: &Output,
        dense_shape: &Output,
        shape: &PartialShape,
    ) -> TensorInfo {
        let mut info = TensorInfo::new("", values.dtype(), shape);
        info.encoding = Encoding::CooSparse {
            values: values.tensor_name(),
            indices: indices.tensor_name(),
            dense_shape: dense_shape.tensor_name(),
        };
        info
    }
}

/// The helpers of `tensorflow/python/saved_model/signature_def_utils_impl.py`.
impl Signature {
    /// Makes a signature with the method name of those that predict: `predict_signature_def`.
    ///
    /// ```
    /// use savedmodel::graph::GraphBuilder;
    /// use savedmodel::{DType, PartialShape, Signature};
    ///
    /// let mut graph = GraphBuilder::new();
    /// let x = graph.placeholder("x", DType::FLOAT, PartialShape::new(&[None, Some(3)])?)?;
    /// let y = graph.op("Neg").input(&x).output()?;
    /// let signature = Signature::predict([("x", &x)], [("y", &y)])?;
    /// assert_eq!(signature.to_string(), "(x: float32 [?, 3] x:0) -> (y: float32 <unknown> Neg:0)");
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` without inputs or without outputs.
    pub fn predict<'a, I: Into<TensorInfo>, O: Into<TensorInfo>>(
        inputs: impl IntoIterator<Item = (&'a str, I)>,
        outputs: impl IntoIterator<Item = (&'a str, O)>,
    ) -> Result<Signature> {
        let inputs = infos(inputs);
        let outputs = infos(outputs);
        if inputs.is_empty() || outputs.is_empty() {
            return Err(Error::invalid_argument(
                "a signature that predicts has an input and an output",
            ));
        }
        Ok(Signature::new(inputs, outputs, PREDICT_METHOD_NAME))
    }

    /// Makes a signature that gives each serialized example a number: `regression_signature_def`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if `examples` are no strings, or `predictions` no float32.
    pub fn regress(
        examples: impl Into<TensorInfo>,
        predictions: impl Into<TensorInfo>,
    ) -> Result<Signature> {
        let (examples, predictions) = (examples.into(), predictions.into());
        check_examples(&examples)?;
        check("predictions", &predictions, DType::FLOAT)?;
        Ok(Signature::new(
            [(REGRESS_INPUTS.to_owned(), examples)],
            [(REGRESS_OUTPUTS.to_owned(), predictions)],
            REGRESS_METHOD_NAME,
        ))
    }

    /// Makes a signature that classifies serialized examples: `classification_signature_def`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` without classes and scores, if `examples` or `classes` are no strings, or
    /// `scores` no float32.
    pub fn classify(
        examples: impl Into<TensorInfo>,
        classes: Option<TensorInfo>,
        scores: Option<TensorInfo>,
    ) -> Result<Signature> {
        let examples = examples.into();
        check_examples(&examples)?;
        let mut outputs = Vec::new();
        if let Some(classes) = classes {
            check("classes", &classes, DType::STRING)?;
            outputs.push((CLASSIFY_OUTPUT_CLASSES.to_owned(), classes));
        }
        if let Some(scores) = scores {
            check("scores", &scores, DType::FLOAT)?;
            outputs.push((CLASSIFY_OUTPUT_SCORES.to_owned(), scores));
        }
        if outputs.is_empty() {
            return Err(Error::invalid_argument(
                "a signature that classifies has classes, scores or both",
            ));
        }
        let inputs = [(CLASSIFY_INPUTS.to_owned(), examples)];
        Ok(Signature::new(inputs, outputs, CLASSIFY_METHOD_NAME))
    }

    /// Sets the value of an input that need not be fed.
    ///
    /// The graph has to have that value too: the input is the output of a `PlaceholderWithDefault`.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such input, `InvalidArgument` if the value is of another type.
    pub fn with_default(mut self, input: &str, value: &Tensor) -> Result<Signature> {
        let Some(info) = self.inputs.get(input) else {
            let names = self.inputs.keys().cloned();
            return Err(Error::not_found_among(
                format!("input `{input}`"),
                input,
                names,
            ));
        };
        if info.dtype != value.dtype() {
            return Err(Error::invalid_argument(format!(
                "input `{input}` is of {}, and its default of {}",
                info.dtype,
                value.dtype()
            )));
        }
        self.defaults.insert(input.to_owned(), value.to_proto()?);
        Ok(self)
    }
}

fn infos<'a, I: Into<TensorInfo>>(
    pairs: impl IntoIterator<Item = (&'a str, I)>,
) -> BTreeMap<String, TensorInfo> {
    let pairs = pairs.into_iter();
    pairs
        .map(|(key, info)| (key.to_owned(), info.into()))
        .collect()
}

fn check_examples(info: &TensorInfo) -> Result<()> {
    check("examples", info, DType::STRING)?;
    match info.encoding {
        Encoding::Name(_) => Ok(()),
        _ => Err(Error::invalid_argument(
            "examples are one tensor, and not a sparse or composite one",
        )),
    }
}

fn check(what: &str, info: &TensorInfo, dtype: DType) -> Result<()> {
    match info.dtype == dtype {
        true => Ok(()),
        false => Err(Error::invalid_argument(format!(
            "{what} are of {}, not {dtype}",
            info.dtype
        ))),
    }
}
