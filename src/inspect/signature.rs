use std::fmt;

use super::structure::Structure;
use super::type_text::{TypeText, dims_of_stored};
use crate::error::{Printable, Result};
use crate::model::{Encoding, Signature, TensorInfo};
use crate::object_graph::StructuredValue;
use crate::proto::structured_value::Kind;
use crate::proto::{self, TypeSpecProto};
use crate::tensor::DType;

/// One signature: what can be fed and fetched by which name.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SignatureReport {
    /// The key by which callers choose it, as `serving_default`.
    pub key: String,
    /// Which kind of request it answers, as `tensorflow/serving/predict`.
    pub method_name: String,
    /// What must be fed, ascending by name.
    pub inputs: Vec<SignatureTensor>,
    /// What can be fetched, ascending by name.
    pub outputs: Vec<SignatureTensor>,
}

/// One input or output of a signature. Shown it is `x: float32[?, 224, 224, 3]`.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SignatureTensor {
    /// The name that callers use.
    pub name: String,
    /// The type in readable form: `float32[?, 3]`, `sparse int64[?, 10]`, `ragged string[?, ?]`.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub type_text: String,
    /// Which tensors of the graph carry the value.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub encoding: SignatureEncoding,
    /// Whether the signature has a value for it, so that it need not be fed.
    pub has_default: bool,
}

/// How the tensors of a graph carry the value of an input or output.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(tag = "encoding", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum SignatureEncoding {
    /// One tensor is the value.
    Dense {
        /// The element type.
        #[cfg_attr(
            feature = "serde",
            serde(serialize_with = "super::type_text::serialize_dtype")
        )]
        dtype: DType,
        /// The dimensions, `None` for an unknown one; `None` if their number is unknown.
        shape: Option<Vec<Option<i64>>>,
        /// The tensor: `node:output`.
        tensor: String,
    },
    /// Three tensors are a sparse value.
    Sparse {
        /// The element type.
        #[cfg_attr(
            feature = "serde",
            serde(serialize_with = "super::type_text::serialize_dtype")
        )]
        dtype: DType,
        /// The dimensions of the whole.
        shape: Option<Vec<Option<i64>>>,
        /// The tensor of the values that are not zero.
        values: String,
        /// The tensor of their coordinates.
        indices: String,
        /// The tensor of the shape of the whole.
        dense_shape: String,
    },
    /// Several tensors are a value of a Python type.
    Composite {
        /// Which type, as `RaggedTensorSpec`, and how it is put together; `None` if the file does
        /// not say, or says what cannot be read.
        type_spec: Option<Box<Structure>>,
        /// Its parts in flattened order; their names are their numbers.
        components: Vec<SignatureTensor>,
    },
    /// The file does not say which: the value can be neither fed nor fetched.
    Unset {
        /// The element type.
        #[cfg_attr(
            feature = "serde",
            serde(serialize_with = "super::type_text::serialize_dtype")
        )]
        dtype: DType,
        /// The dimensions.
        shape: Option<Vec<Option<i64>>>,
    },
}

impl SignatureReport {
    /// Makes the report of a signature that goes by `key`.
    pub fn of(key: &str, signature: &Signature) -> Self {
        let tensor = |(name, info): (&String, &TensorInfo)| {
            let has_default = signature.defaults.contains_key(name);
            SignatureTensor::of(name, info, has_default)
        };
        SignatureReport {
            key: key.to_owned(),
            method_name: signature.method_name.clone(),
            inputs: signature.inputs.iter().map(tensor).collect(),
            outputs: signature
                .outputs
                .iter()
                .map(|(name, info)| SignatureTensor::of(name, info, false))
                .collect(),
        }
    }
}

impl SignatureTensor {
    /// Makes the report of one input or output.
    pub fn of(name: &str, info: &TensorInfo, has_default: bool) -> Self {
        let shape = dims_of_stored(info.stored_dims());
        let text = TypeText(info.dtype, shape.as_deref()).to_string();
        let dtype = info.dtype;
        let (type_text, encoding) = match &info.encoding {
            Encoding::Name(tensor) => {
                let tensor = tensor.clone();
                let encoding = SignatureEncoding::Dense {
                    dtype,
                    shape,
                    tensor,
                };
                (text, encoding)
            }
            Encoding::CooSparse {
                values,
                indices,
                dense_shape,
            } => {
                let encoding = SignatureEncoding::Sparse {
                    dtype,
                    shape,
                    values: values.clone(),
                    indices: indices.clone(),
                    dense_shape: dense_shape.clone(),
                };
                (format!("sparse {text}"), encoding)
            }
            Encoding::Composite {
                type_spec,
                components,
            } => {
                let components: Vec<_> = components
                    .iter()
                    .enumerate()
                    .map(|(i, info)| SignatureTensor::of(&i.to_string(), info, false))
                    .collect();
                let type_spec = type_spec
                    .as_deref()
                    .and_then(|proto| read_type_spec(proto).ok());
                let text = match &type_spec {
                    Some(spec) => spec.to_string(),
                    None => format!("composite of {} tensors", components.len()),
                };
                let type_spec = type_spec.map(Box::new);
                let encoding = SignatureEncoding::Composite {
                    type_spec,
                    components,
                };
                (text, encoding)
            }
            Encoding::Unset => (text, SignatureEncoding::Unset { dtype, shape }),
        };
        SignatureTensor {
            name: name.to_owned(),
            type_text,
            encoding,
            has_default,
        }
    }
}

impl fmt::Display for SignatureTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, text) = (Printable(&self.name), Printable(&self.type_text));
        write!(f, "{name}: {text}")?;
        match self.has_default {
            true => f.write_str(" (has a default)"),
            false => Ok(()),
        }
    }
}

fn read_type_spec(spec: &TypeSpecProto) -> Result<Structure> {
    let value = StructuredValue::from_proto(&proto::StructuredValue {
        kind: Some(Kind::TypeSpecValue(Box::new(spec.clone()))),
    })?;
    Ok(Structure::of(&value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::PartialShape;

    #[test]
    fn each_encoding_has_its_text() {
        let shape = PartialShape::new(&[None, Some(3)]).unwrap();
        let dense = TensorInfo::new("x:0", DType::FLOAT, &shape);
        let with = |encoding| {
            let mut info = dense.clone();
            info.encoding = encoding;
            info
        };
        let sparse = with(Encoding::CooSparse {
            values: "v:0".to_owned(),
            indices: "i:0".to_owned(),
            dense_shape: "s:0".to_owned(),
        });
        let composite = with(Encoding::Composite {
            type_spec: None,
            components: vec![dense.clone(), sparse.clone()],
        });
        for (info, text) in [
            (&dense, "x: float32[?, 3] (has a default)"),
            (&sparse, "x: sparse float32[?, 3] (has a default)"),
            (&composite, "x: composite of 2 tensors (has a default)"),
            (&with(Encoding::Unset), "x: float32[?, 3] (has a default)"),
        ] {
            assert_eq!(SignatureTensor::of("x", info, true).to_string(), text);
        }
    }
}
