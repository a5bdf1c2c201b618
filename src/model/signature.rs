use std::collections::BTreeMap;
use std::fmt;

use prost::bytes::Bytes;

use super::tensor_info::TensorInfo;
use crate::error::{Error, Printable, Result};
use crate::proto::signature_def::{DefaultsEntry, InputsEntry, OutputsEntry};
use crate::proto::{SignatureDef, TensorProto};
use crate::tensor::{DType, Tensor};

/// What can be run in a model: named inputs, named outputs, and which tensors of the graph they are.
///
/// ```
/// use savedmodel::SavedModel;
///
/// let model = SavedModel::open("tests/fixtures/keras3_saved")?;
/// let signature = model.meta_graph(["serve"])?.signature("serving_default")?;
/// for (name, info) in &signature.inputs {
///     println!("{name}: {info}");
/// }
/// assert_eq!(signature.method_name, "tensorflow/serving/predict");
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Signature {
    /// What must be fed, by the names that callers use.
    pub inputs: BTreeMap<String, TensorInfo>,
    /// What can be fetched, by the names that callers use.
    pub outputs: BTreeMap<String, TensorInfo>,
    /// Which kind of request it answers, for instance `tensorflow/serving/predict`.
    pub method_name: String,
    /// Values of inputs that need not be fed. [`default_value`](Self::default_value) reads them.
    pub defaults: BTreeMap<String, TensorProto>,
    raw: Bytes,
}

/// The kinds of signatures that TensorFlow Serving has requests for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureKind {
    /// Any inputs, any outputs.
    Predict,
    /// Serialized examples in, classes and their scores out.
    Classify,
    /// Serialized examples in, one number each out.
    Regress,
}

impl SignatureKind {
    /// Returns the method name of signatures of this kind.
    pub fn method_name(self) -> &'static str {
        match self {
            SignatureKind::Predict => "tensorflow/serving/predict",
            SignatureKind::Classify => "tensorflow/serving/classify",
            SignatureKind::Regress => "tensorflow/serving/regress",
        }
    }
}

impl Signature {
    /// Makes a signature that expects exactly these inputs.
    pub fn new(
        inputs: impl IntoIterator<Item = (String, TensorInfo)>,
        outputs: impl IntoIterator<Item = (String, TensorInfo)>,
        method_name: impl Into<String>,
    ) -> Self {
        Signature {
            inputs: inputs.into_iter().collect(),
            outputs: outputs.into_iter().collect(),
            method_name: method_name.into(),
            ..Default::default()
        }
    }

    /// Takes a signature out of its message. Of two entries with one key the last counts.
    pub fn from_proto(proto: SignatureDef) -> Self {
        Signature {
            inputs: proto
                .inputs
                .into_iter()
                .map(|entry| info(entry.key, entry.value))
                .collect(),
            outputs: proto
                .outputs
                .into_iter()
                .map(|entry| info(entry.key, entry.value))
                .collect(),
            method_name: proto.method_name,
            defaults: proto
                .defaults
                .into_iter()
                .map(|entry| {
                    (
                        entry.key.unwrap_or_default(),
                        entry.value.unwrap_or_default(),
                    )
                })
                .collect(),
            raw: Bytes::new(),
        }
    }

    pub(crate) fn with_raw(mut self, raw: Bytes) -> Self {
        self.raw = raw;
        self
    }

    /// Makes the message of this signature, maps in ascending order. Fields that this crate does
    /// not know are not in it; [`raw`](Self::raw) has them.
    pub fn to_proto(&self) -> SignatureDef {
        SignatureDef {
            inputs: self
                .inputs
                .iter()
                .map(|(key, info)| InputsEntry {
                    key: Some(key.clone()),
                    value: Some(info.to_proto()),
                })
                .collect(),
            outputs: self
                .outputs
                .iter()
                .map(|(key, info)| OutputsEntry {
                    key: Some(key.clone()),
                    value: Some(info.to_proto()),
                })
                .collect(),
            method_name: self.method_name.clone(),
            defaults: self
                .defaults
                .iter()
                .map(|(key, value)| DefaultsEntry {
                    key: Some(key.clone()),
                    value: Some(value.clone()),
                })
                .collect(),
        }
    }

    /// Returns the `SignatureDef` as the model has it, encoded; empty if the signature was made in
    /// memory. Changes of the other fields do not show in it.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// Returns the value an input has if it is not fed.
    ///
    /// # Errors
    ///
    /// As for [`Tensor::from_proto`].
    pub fn default_value(&self, input: &str) -> Result<Option<Tensor>> {
        let value = self.defaults.get(input).map(Tensor::from_proto);
        value
            .transpose()
            .map_err(|error| Error::for_key(error, input.as_bytes()))
    }

    /// Returns which kind of request the signature answers, if it has the method name and the
    /// inputs and outputs of that kind: `is_valid_signature` in
    /// `tensorflow/python/saved_model/signature_def_utils_impl.py`.
    pub fn kind(&self) -> Option<SignatureKind> {
        let kind = [
            SignatureKind::Predict,
            SignatureKind::Classify,
            SignatureKind::Regress,
        ]
        .into_iter()
        .find(|kind| kind.method_name() == self.method_name)?;
        let of_dtype = |infos: &BTreeMap<String, TensorInfo>, key: &str, dtype| {
            infos.get(key).is_some_and(|info| info.dtype == dtype)
        };
        let examples_only =
            self.inputs.len() == 1 && of_dtype(&self.inputs, "inputs", DType::STRING);
        let fits = match kind {
            SignatureKind::Predict => !self.inputs.is_empty() && !self.outputs.is_empty(),
            SignatureKind::Regress => {
                examples_only
                    && self.outputs.len() == 1
                    && of_dtype(&self.outputs, "outputs", DType::FLOAT)
            }
            SignatureKind::Classify => {
                let known = [("classes", DType::STRING), ("scores", DType::FLOAT)]
                    .into_iter()
                    .filter(|(key, dtype)| of_dtype(&self.outputs, key, *dtype))
                    .count();
                examples_only && known > 0 && known == self.outputs.len()
            }
        };
        fits.then_some(kind)
    }
}

fn info(key: Option<String>, value: Option<crate::proto::TensorInfo>) -> (String, TensorInfo) {
    (
        key.unwrap_or_default(),
        value.map(TensorInfo::from_proto).unwrap_or_default(),
    )
}

/// Shows inputs and outputs: `(x: float32 [?, 3] x:0) -> (y: float32 [?, 1] y:0)`.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (arrow, infos) in [("", &self.inputs), (" -> ", &self.outputs)] {
            write!(f, "{arrow}(")?;
            for (i, (key, info)) in infos.iter().enumerate() {
                let separator = if i == 0 { "" } else { ", " };
                write!(f, "{separator}{}: {info}", Printable(key))?;
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}
