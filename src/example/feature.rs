use prost::bytes::Bytes;

use crate::proto;
use crate::proto::feature::Kind;
use crate::tensor::DType;

/// The values of a feature: TensorFlow's `Feature` (`tensorflow/core/example/feature.proto`).
///
/// ```
/// use savedmodel::example::Feature;
///
/// assert_eq!(Feature::from([1i64, 2]), Feature::Int64(vec![1, 2]));
/// assert_eq!(Feature::from(["a"]).len(), 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Feature {
    /// No list at all, which parsing treats like a feature that is missing.
    #[default]
    Unset,
    /// `bytes_list`: strings, encoded images, serialized messages.
    Bytes(Vec<Bytes>),
    /// `float_list`.
    Float(Vec<f32>),
    /// `int64_list`: integers and truth values.
    Int64(Vec<i64>),
}

impl Feature {
    /// Returns the number of values.
    pub fn len(&self) -> usize {
        match self {
            Feature::Unset => 0,
            Feature::Bytes(values) => values.len(),
            Feature::Float(values) => values.len(),
            Feature::Int64(values) => values.len(),
        }
    }

    /// Returns whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the element type of a tensor these values make; `None` if no list is set.
    pub fn dtype(&self) -> Option<DType> {
        match self {
            Feature::Unset => None,
            Feature::Bytes(_) => Some(DType::STRING),
            Feature::Float(_) => Some(DType::FLOAT),
            Feature::Int64(_) => Some(DType::INT64),
        }
    }

    pub(super) fn from_proto(proto: proto::Feature) -> Feature {
        match proto.kind {
            None => Feature::Unset,
            Some(Kind::BytesList(list)) => Feature::Bytes(list.value),
            Some(Kind::FloatList(list)) => Feature::Float(list.value),
            Some(Kind::Int64List(list)) => Feature::Int64(list.value),
        }
    }

    pub(super) fn to_proto(&self) -> proto::Feature {
        let kind = match self {
            Feature::Unset => None,
            Feature::Bytes(value) => Some(Kind::BytesList(proto::BytesList {
                value: value.clone(),
            })),
            Feature::Float(value) => Some(Kind::FloatList(proto::FloatList {
                value: value.clone(),
            })),
            Feature::Int64(value) => Some(Kind::Int64List(proto::Int64List {
                value: value.clone(),
            })),
        };
        proto::Feature { kind }
    }
}

macro_rules! from_lists {
    ($($value:ty => $variant:ident, $convert:expr;)*) => {$(
        impl From<Vec<$value>> for Feature {
            fn from(values: Vec<$value>) -> Feature {
                Feature::$variant(values.into_iter().map($convert).collect())
            }
        }

        impl<const N: usize> From<[$value; N]> for Feature {
            fn from(values: [$value; N]) -> Feature {
                Feature::$variant(values.into_iter().map($convert).collect())
            }
        }
    )*};
}

from_lists! {
    f32 => Float, |value| value;
    i64 => Int64, |value| value;
    Bytes => Bytes, |value| value;
    &str => Bytes, |value| Bytes::copy_from_slice(value.as_bytes());
    &[u8] => Bytes, Bytes::copy_from_slice;
    String => Bytes, Bytes::from;
    Vec<u8> => Bytes, Bytes::from;
}
