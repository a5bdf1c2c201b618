use std::fmt;

use crate::error::{Printable, Result};
use crate::proto::tensor_info::{self, CompositeTensor, CooSparse};
use crate::proto::{self, TensorShapeProto, TypeSpecProto};
use crate::tensor::{DType, PartialShape};

/// One input or output of a signature: where the graph has it, of which dtype and shape.
///
/// ```
/// use savedmodel::{DType, PartialShape, TensorInfo};
///
/// let info = TensorInfo::new("x:0", DType::FLOAT, &PartialShape::try_from([-1, 3])?);
/// assert_eq!(info.name(), Some("x:0"));
/// assert_eq!(info.to_string(), "float32 [?, 3] x:0");
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Default)]
#[non_exhaustive]
pub struct TensorInfo {
    /// Which tensors of the graph carry the value.
    pub encoding: Encoding,
    /// The type of the elements; `INVALID` is usual where `encoding` is composite.
    pub dtype: DType,
    /// The shape as the file has it; absent reads as a scalar's.
    stored_shape: Option<TensorShapeProto>,
}

/// Which tensors of the graph carry the value of an input or output.
#[derive(Clone, Debug, PartialEq, Default)]
#[non_exhaustive]
pub enum Encoding {
    /// None is named. TensorFlow writes no such signature, but reads it.
    #[default]
    Unset,
    /// One tensor: `node:output`.
    Name(String),
    /// The three tensors of a sparse one in coordinate form.
    CooSparse {
        /// The values that are not zero, rank 1.
        values: String,
        /// Where they stand, one row of coordinates each.
        indices: String,
        /// The shape of the whole.
        dense_shape: String,
    },
    /// The tensors that a value of a Python type such as `RaggedTensor` is made of.
    Composite {
        /// Which type, and how it is put together.
        type_spec: Option<Box<TypeSpecProto>>,
        /// Its parts in flattened order.
        components: Vec<TensorInfo>,
    },
}

impl TensorInfo {
    /// Makes the description of a dense tensor of the graph; `name` is `node:output`.
    pub fn new(name: impl Into<String>, dtype: DType, shape: &PartialShape) -> Self {
        TensorInfo {
            encoding: Encoding::Name(name.into()),
            dtype,
            stored_shape: Some(shape.to_proto()),
        }
    }

    /// Takes the description out of its message.
    pub fn from_proto(proto: proto::TensorInfo) -> Self {
        let encoding = match proto.encoding {
            None => Encoding::Unset,
            Some(tensor_info::Encoding::Name(name)) => Encoding::Name(name),
            Some(tensor_info::Encoding::CooSparse(sparse)) => Encoding::CooSparse {
                values: sparse.values_tensor_name,
                indices: sparse.indices_tensor_name,
                dense_shape: sparse.dense_shape_tensor_name,
            },
            Some(tensor_info::Encoding::CompositeTensor(composite)) => Encoding::Composite {
                type_spec: composite.type_spec.map(Box::new),
                components: composite
                    .components
                    .into_iter()
                    .map(TensorInfo::from_proto)
                    .collect(),
            },
        };
        TensorInfo {
            encoding,
            dtype: DType::from_number(proto.dtype),
            stored_shape: proto.tensor_shape,
        }
    }

    /// Makes the message of this description.
    pub fn to_proto(&self) -> proto::TensorInfo {
        let encoding = match &self.encoding {
            Encoding::Unset => None,
            Encoding::Name(name) => Some(tensor_info::Encoding::Name(name.clone())),
            Encoding::CooSparse {
                values,
                indices,
                dense_shape,
            } => Some(tensor_info::Encoding::CooSparse(CooSparse {
                values_tensor_name: values.clone(),
                indices_tensor_name: indices.clone(),
                dense_shape_tensor_name: dense_shape.clone(),
            })),
            Encoding::Composite {
                type_spec,
                components,
            } => Some(tensor_info::Encoding::CompositeTensor(CompositeTensor {
                type_spec: type_spec.as_deref().cloned(),
                components: components.iter().map(TensorInfo::to_proto).collect(),
            })),
        };
        proto::TensorInfo {
            encoding,
            dtype: self.dtype.number(),
            tensor_shape: self.stored_shape.clone(),
        }
    }

    /// Returns the tensor's name, `node:output`, if one tensor carries the value.
    pub fn name(&self) -> Option<&str> {
        match &self.encoding {
            Encoding::Name(name) => Some(name),
            _ => None,
        }
    }

    /// Returns the names of all tensors that carry the value, those of components too.
    pub fn tensor_names(&self) -> Vec<&str> {
        match &self.encoding {
            Encoding::Unset => Vec::new(),
            Encoding::Name(name) => vec![name],
            Encoding::CooSparse {
                values,
                indices,
                dense_shape,
            } => vec![values, indices, dense_shape],
            Encoding::Composite { components, .. } => components
                .iter()
                .flat_map(TensorInfo::tensor_names)
                .collect(),
        }
    }

    /// Returns the shape. Where the file has none it is that of a scalar, as TensorFlow reads it.
    ///
    /// # Errors
    ///
    /// `Malformed` or `Unsupported` for a shape that no tensor can have;
    /// [`stored_dims`](Self::stored_dims) has it all the same.
    pub fn shape(&self) -> Result<PartialShape> {
        match &self.stored_shape {
            Some(shape) => PartialShape::from_proto(shape),
            None => PartialShape::new(&[]),
        }
    }

    /// Sets the shape.
    pub fn set_shape(&mut self, shape: &PartialShape) {
        self.stored_shape = Some(shape.to_proto());
    }

    /// Returns the dimensions as the file has them, −1 usually for an unknown one, or `None` if
    /// the rank is unknown.
    pub fn stored_dims(&self) -> Option<Vec<i64>> {
        match &self.stored_shape {
            Some(shape) if shape.unknown_rank => None,
            Some(shape) => Some(shape.dim.iter().map(|dim| dim.size).collect()),
            None => Some(Vec::new()),
        }
    }
}

/// Shows dtype, shape and tensors, names from the file with control characters escaped.
impl fmt::Display for TensorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Encoding::Composite { components, .. } = &self.encoding {
            f.write_str("composite {")?;
            for (i, component) in components.iter().enumerate() {
                write!(f, "{}{component}", if i == 0 { "" } else { ", " })?;
            }
            return f.write_str("}");
        }
        write!(f, "{} ", self.dtype)?;
        match (self.shape(), self.stored_dims()) {
            (Ok(shape), _) => write!(f, "{shape}")?,
            (Err(_), Some(dims)) => write!(f, "{dims:?}")?,
            (Err(_), None) => write!(f, "{}", PartialShape::UNKNOWN)?,
        }
        match &self.encoding {
            Encoding::CooSparse {
                values,
                indices,
                dense_shape,
            } => write!(
                f,
                " sparse {{values {}, indices {}, dense_shape {}}}",
                Printable(values),
                Printable(indices),
                Printable(dense_shape)
            ),
            Encoding::Name(name) => write!(f, " {}", Printable(name)),
            Encoding::Unset | Encoding::Composite { .. } => Ok(()),
        }
    }
}
