use std::collections::BTreeMap;

use prost::bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::example::{
    DefaultValue, Example, Feature, FeatureSpec, Layout, ParsingSpec, SequenceExample,
};
use crate::model::{Encoding, Signature, TensorInfo};
use crate::tensor::{DType, Tensor};

/// A value for an input of a signature.
pub(super) struct SampleInput {
    pub(super) name: String,
    pub(super) dtype: DType,
    pub(super) shape: Vec<u64>,
    pub(super) values: SampleValues,
    /// Whether the signature has a value for it.
    pub(super) has_default: bool,
}

pub(super) enum SampleValues {
    /// Zeros, `false` or empty strings.
    Zeros,
    /// Those that the signature has as its default.
    Default(Tensor),
    /// Serialized examples, one for each element.
    Examples(Bytes),
}

/// So many elements may a sample have, over all inputs.
pub(super) const MAX_ELEMENTS: u64 = 1 << 20;

impl SampleInput {
    /// Makes up a value for each input, in the order of their names. What is unknown of a first
    /// dimension becomes `batch`, of others 1.
    pub(super) fn all(
        signature: &Signature,
        batch: u64,
        example: impl Fn(&str) -> Option<Bytes>,
    ) -> Result<Vec<SampleInput>> {
        let mut inputs = Vec::new();
        let mut elements = 0u64;
        for (name, info) in &signature.inputs {
            let input = SampleInput::of(signature, name, info, batch, &example)
                .map_err(|error| error.for_key(name.as_bytes()))?;
            elements = elements.saturating_add(input.elements());
            if let SampleValues::Examples(example) = &input.values {
                check_size(input.elements(), example.len())?;
            }
            inputs.push(input);
        }
        if elements > MAX_ELEMENTS {
            return Err(Error::new(ErrorKind::TooLarge {
                what: "the number of elements of a sample request".to_owned(),
                size: elements,
                limit: MAX_ELEMENTS,
            }));
        }
        fit_sparse(&mut inputs)?;
        Ok(inputs)
    }

    fn of(
        signature: &Signature,
        name: &str,
        info: &TensorInfo,
        batch: u64,
        example: impl Fn(&str) -> Option<Bytes>,
    ) -> Result<SampleInput> {
        let refuse = |what: &str| {
            Error::unsupported(format!("TensorFlow Serving has no requests for {what}"))
        };
        match &info.encoding {
            Encoding::Name(_) => {}
            Encoding::CooSparse { .. } => return Err(refuse("sparse inputs")),
            Encoding::Composite { .. } => return Err(refuse("composite inputs")),
            Encoding::Unset => return Err(refuse("inputs that name no tensor")),
        }
        let dtype = info.dtype;
        if zero_field(dtype).is_none() {
            return Err(refuse(&format!("inputs of dtype {dtype}")));
        }
        let has_default = signature.defaults.contains_key(name);
        if let Some(tensor) = signature.default_value(name)? {
            return Ok(SampleInput {
                name: name.to_owned(),
                dtype: tensor.dtype(),
                shape: tensor.shape().dims().to_vec(),
                values: SampleValues::Default(tensor),
                has_default,
            });
        }
        let shape = match info.shape()?.dims() {
            Some(dims) => {
                let dims = dims.iter().enumerate();
                dims.map(|(i, dim)| dim.unwrap_or(if i == 0 { batch } else { 1 }))
                    .collect()
            }
            None => vec![batch],
        };
        let example = example(name).filter(|_| dtype == DType::STRING);
        Ok(SampleInput {
            name: name.to_owned(),
            dtype,
            shape,
            values: example.map_or(SampleValues::Zeros, SampleValues::Examples),
            has_default,
        })
    }

    pub(super) fn elements(&self) -> u64 {
        let dims = self.shape.iter();
        dims.fold(1u64, |product, dim| product.saturating_mul(*dim))
    }
}

/// Fits inputs to each other that are parts of a sparse tensor: `sp`, its indices, `sp_1`, the values,
/// and `sp_2`, its shape. TensorFlow makes three inputs of one so when a function that takes it becomes
/// a signature. Zeros alone would be elements of a tensor without any.
fn fit_sparse(inputs: &mut [SampleInput]) -> Result<()> {
    let without_values = |input: &SampleInput| matches!(input.values, SampleValues::Zeros);
    let places: BTreeMap<String, usize> = inputs
        .iter()
        .enumerate()
        .filter(|(_, input)| without_values(input))
        .map(|(place, input)| (input.name.clone(), place))
        .collect();
    for (name, &indices) in &places {
        let part = |number| places.get(&format!("{name}_{number}")).copied();
        let (Some(values), Some(shape)) = (part(1), part(2)) else {
            continue;
        };
        let are_int64 = [indices, shape].map(|at| inputs[at].dtype == DType::INT64);
        let [count, rank] = inputs[indices].shape[..] else {
            continue;
        };
        let fit = inputs[values].shape == [count] && inputs[shape].shape == [rank];
        if are_int64 != [true, true] || !fit || rank == 0 {
            continue;
        }
        let row = |i: u64| (0..rank).map(move |dim| if dim == 0 { i as i64 } else { 0 });
        let rows: Vec<i64> = (0..count).flat_map(row).collect();
        let dims: Vec<i64> = (0..rank)
            .map(|dim| if dim == 0 { count as i64 } else { 1 })
            .collect();
        inputs[indices].values = SampleValues::Default(Tensor::from_slice([count, rank], &rows)?);
        inputs[shape].values = SampleValues::Default(Tensor::from_slice([rank], &dims)?);
    }
    Ok(())
}

/// Refuses examples that take too much together.
pub(super) fn check_size(count: u64, len: usize) -> Result<()> {
    const LIMIT: u64 = 16 << 20;
    // Every one takes some bytes around it.
    let size = count.saturating_mul(len as u64 + 64);
    match size > LIMIT {
        false => Ok(()),
        true => Err(Error::new(ErrorKind::TooLarge {
            what: "the size of the examples of a sample request".to_owned(),
            size,
            limit: LIMIT,
        })),
    }
}

/// Returns the field of `TensorProto` that holds elements of a dtype, and a zero in it; `None` for
/// what no request can hold.
pub(super) fn zero_field(dtype: DType) -> Option<(&'static str, &'static str)> {
    Some(match dtype {
        DType::FLOAT => ("float_val", "0"),
        DType::DOUBLE => ("double_val", "0"),
        DType::INT64 => ("int64_val", "0"),
        DType::UINT32 => ("uint32_val", "0"),
        DType::UINT64 => ("uint64_val", "0"),
        DType::BOOL => ("bool_val", "false"),
        DType::STRING => ("string_val", "\"\""),
        DType::HALF | DType::BFLOAT16 => ("half_val", "0"),
        DType::COMPLEX64 => ("scomplex_val", "0"),
        DType::COMPLEX128 => ("dcomplex_val", "0"),
        DType::INT32 | DType::INT16 | DType::INT8 | DType::UINT16 | DType::UINT8 => {
            ("int_val", "0")
        }
        _ => return None,
    })
}

/// Makes an example for a form: each feature that the graph looks for, with its default or a zero.
pub(super) fn sample_example(spec: &ParsingSpec) -> Result<Example> {
    let mut example = Example::new();
    for feature in spec.features() {
        example.insert(feature.key(), sample_feature(feature)?);
    }
    Ok(example)
}

/// Makes a sequence for a form, of one step.
pub(super) fn sample_sequence(spec: &ParsingSpec) -> Result<SequenceExample> {
    let mut example = SequenceExample::default();
    for feature in spec.features() {
        let values = sample_feature(feature)?;
        example.context.insert(feature.key().to_owned(), values);
    }
    for list in spec.feature_lists() {
        let values = vec![sample_feature(list)?];
        example.feature_lists.insert(list.key().to_owned(), values);
    }
    Ok(example)
}

fn sample_feature(spec: &FeatureSpec) -> Result<Feature> {
    // A feature without a fixed number of values is padded; one value will do.
    if let (DefaultValue::Value(tensor), false) = (spec.default(), spec.is_variable_length()) {
        return feature_of(tensor);
    }
    let count = match spec.layout() {
        Layout::Dense(shape) => {
            let known = shape.dims().unwrap_or_default().iter().flatten();
            known.fold(1u64, |product, dim| product.saturating_mul(*dim))
        }
        _ => 1,
    };
    if count > MAX_ELEMENTS {
        return Err(Error::new(ErrorKind::TooLarge {
            what: "the number of values of a feature".to_owned(),
            size: count,
            limit: MAX_ELEMENTS,
        })
        .for_key(spec.key().as_bytes()));
    }
    let count = count as usize;
    Ok(match spec.dtype() {
        DType::FLOAT => Feature::Float(vec![0.0; count]),
        DType::INT64 => Feature::Int64(vec![0; count]),
        _ => Feature::Bytes(vec![Bytes::new(); count]),
    })
}

fn feature_of(tensor: &Tensor) -> Result<Feature> {
    Ok(match (tensor.dtype(), tensor.strings()) {
        (_, Some(strings)) => Feature::Bytes(strings.iter().map(Bytes::copy_from_slice).collect()),
        (DType::FLOAT, _) => Feature::Float(tensor.values::<f32>()?.into_owned()),
        _ => Feature::Int64(tensor.values::<i64>()?.into_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_sparse_tensor_fit_each_other() {
        let input = |name: &str, dtype, shape: &[u64]| SampleInput {
            name: name.to_owned(),
            dtype,
            shape: shape.to_vec(),
            values: SampleValues::Zeros,
            has_default: false,
        };
        let mut inputs = [
            input("other", DType::INT64, &[2, 3]),
            input("sp", DType::INT64, &[2, 3]),
            input("sp_1", DType::FLOAT, &[2]),
            input("sp_2", DType::INT64, &[3]),
        ];
        fit_sparse(&mut inputs).unwrap();
        let values = |at: usize| match &inputs[at].values {
            SampleValues::Default(tensor) => tensor.values::<i64>().unwrap().into_owned(),
            _ => Vec::new(),
        };
        assert_eq!(values(1), [0, 0, 0, 1, 0, 0]);
        assert_eq!(values(3), [2, 1, 1]);
        assert!(values(0).is_empty() && values(2).is_empty());
    }
}
