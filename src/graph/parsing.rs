//! Examples taken apart, in the graph.

use std::collections::BTreeMap;

use super::builder::GraphBuilder;
use super::output::{Operation, Output};
use crate::error::{Error, Result};
use crate::example::{DefaultValue, FeatureSpec, Layout};
use crate::tensor::{DType, PartialShape, Tensor};

/// A sparse tensor in a graph: TensorFlow's `SparseTensor`, as three tensors.
#[derive(Clone, Debug)]
pub struct SparseOutput {
    /// Where the values are, a row for each: int64.
    pub indices: Output,
    /// The values.
    pub values: Output,
    /// The shape of the whole: int64.
    pub dense_shape: Output,
}

/// A ragged tensor in a graph: TensorFlow's `RaggedTensor`, as two tensors.
#[derive(Clone, Debug)]
pub struct RaggedOutput {
    /// The values of all rows.
    pub values: Output,
    /// Where rows begin, and the last one ends.
    pub row_splits: Output,
}

/// What the features of examples became; [`GraphBuilder::parse_example`] makes it.
#[derive(Clone, Debug)]
pub struct ParsedExample {
    dense: BTreeMap<String, Output>,
    sparse: BTreeMap<String, SparseOutput>,
    ragged: BTreeMap<String, RaggedOutput>,
}

impl ParsedExample {
    /// Returns the tensor of a dense feature.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no dense feature of that name.
    pub fn dense(&self, key: &str) -> Result<&Output> {
        find("dense", &self.dense, key)
    }

    /// Returns the sparse tensor of a feature of variable length.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no sparse feature of that name.
    pub fn sparse(&self, key: &str) -> Result<&SparseOutput> {
        find("sparse", &self.sparse, key)
    }

    /// Returns the ragged tensor of a feature.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no ragged feature of that name.
    pub fn ragged(&self, key: &str) -> Result<&RaggedOutput> {
        find("ragged", &self.ragged, key)
    }
}

fn find<'m, T>(kind: &str, all: &'m BTreeMap<String, T>, key: &str) -> Result<&'m T> {
    all.get(key).ok_or_else(|| {
        let what = format!("{kind} feature `{key}`");
        Error::not_found_among(what, key, all.keys().cloned())
    })
}

impl GraphBuilder {
    /// Takes features out of serialized examples, a vector of strings or one: `ParseExampleV2`.
    ///
    /// ```
    /// use savedmodel::example::FeatureSpec;
    /// use savedmodel::graph::GraphBuilder;
    /// use savedmodel::{DType, PartialShape, Tensor};
    ///
    /// let mut graph = GraphBuilder::new();
    /// let examples = graph.placeholder("examples", DType::STRING, PartialShape::new(&[None])?)?;
    /// let age = FeatureSpec::fixed_len("age", DType::FLOAT, [1])?;
    /// let age = age.with_default(Tensor::from_slice([1], &[30f32])?)?;
    /// let parsed = graph.parse_example(&examples, &[age, FeatureSpec::var_len("tags", DType::STRING)])?;
    /// assert_eq!(parsed.dense("age")?.shape().to_string(), "[?, 1]");
    /// assert_eq!(parsed.sparse("tags")?.values.dtype(), DType::STRING);
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// In TensorFlow: `tensorflow/core/ops/parsing_ops.cc`, `tensorflow/python/ops/parsing_ops.py`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if two features have one name, and for a type other than float32, int64 and
    /// string; `Unsupported` for a default that another graph computes; otherwise as for
    /// [`OpBuilder::build`](super::OpBuilder::build).
    pub fn parse_example(
        &mut self,
        serialized: &Output,
        features: &[FeatureSpec],
    ) -> Result<ParsedExample> {
        for (place, feature) in features.iter().enumerate() {
            let key = feature.key();
            if features[..place].iter().any(|other| other.key() == key) {
                let what = "two features have this name";
                return Err(Error::invalid_argument(what).for_key(key.as_bytes()));
            }
            if ![DType::FLOAT, DType::INT64, DType::STRING].contains(&feature.dtype()) {
                let what = format!(
                    "a feature is of float32, int64 or string, not {}",
                    feature.dtype()
                );
                return Err(Error::invalid_argument(what)
                    .for_key(key.as_bytes())
                    .remedy("cast what was parsed"));
            }
        }
        self.scope("ParseExample", |graph| graph.parse(serialized, features))
    }

    fn parse(&mut self, serialized: &Output, features: &[FeatureSpec]) -> Result<ParsedExample> {
        let (mut dense, mut sparse, mut ragged) = (Vec::new(), Vec::new(), Vec::new());
        let (mut shapes, mut defaults, mut splits) = (Vec::new(), Vec::new(), Vec::new());
        for feature in features {
            match feature.layout() {
                Layout::Dense(shape) => {
                    let default = default_of(feature)
                        .map_err(|error| error.for_key(feature.key().as_bytes()))?;
                    let name = format!("dense_default_{}", dense.len());
                    defaults.push(self.constant(&name, &default)?);
                    shapes.push(shape.clone());
                    dense.push(feature);
                }
                Layout::Sparse => sparse.push(feature),
                Layout::Ragged { row_splits } => {
                    splits.push(*row_splits);
                    ragged.push(feature);
                }
            }
        }
        let names = self.strings("names", &[])?;
        let sparse_keys = self.strings("sparse_keys", &sparse)?;
        let dense_keys = self.strings("dense_keys", &dense)?;
        let ragged_keys = self.strings("ragged_keys", &ragged)?;
        let dtypes =
            |of: &[&FeatureSpec]| -> Vec<DType> { of.iter().map(|it| it.dtype()).collect() };
        let op = self.op("ParseExampleV2").input(serialized).input(&names);
        let op = op
            .input(&sparse_keys)
            .input(&dense_keys)
            .input(&ragged_keys);
        let parsed = op
            .inputs(&defaults)
            .attr("num_sparse", sparse.len() as i64)
            .attr("sparse_types", dtypes(&sparse))
            .attr("ragged_value_types", dtypes(&ragged))
            .attr("ragged_split_types", splits)
            .attr("dense_shapes", shapes.clone())
            .build()?;
        let batch = serialized.shape().dims();
        let with_batch = |shape: &PartialShape| match (batch, shape.dims()) {
            (Some(batch), Some(dims)) => PartialShape::new(&[batch, dims].concat()),
            _ => Ok(PartialShape::UNKNOWN),
        };
        let mut outputs = ParsedExample {
            dense: BTreeMap::new(),
            sparse: BTreeMap::new(),
            ragged: BTreeMap::new(),
        };
        for ((feature, tensor), shape) in
            dense.iter().zip(parsed.named("dense_values")).zip(&shapes)
        {
            let tensor = tensor.clone().with_shape(with_batch(shape)?);
            outputs.dense.insert(feature.key().to_owned(), tensor);
        }
        for (place, feature) in sparse.iter().enumerate() {
            let tensor = SparseOutput {
                indices: nth(&parsed, "sparse_indices", place)?,
                values: nth(&parsed, "sparse_values", place)?,
                dense_shape: nth(&parsed, "sparse_shapes", place)?,
            };
            outputs.sparse.insert(feature.key().to_owned(), tensor);
        }
        for (place, feature) in ragged.iter().enumerate() {
            let tensor = RaggedOutput {
                values: nth(&parsed, "ragged_values", place)?,
                row_splits: nth(&parsed, "ragged_row_splits", place)?,
            };
            outputs.ragged.insert(feature.key().to_owned(), tensor);
        }
        Ok(outputs)
    }

    /// Makes a dense tensor of a sparse one, with a scalar where that has nothing: `SparseToDense`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn sparse_to_dense(&mut self, sparse: &SparseOutput, default: &Output) -> Result<Output> {
        let op = self.op("SparseToDense").input(&sparse.indices);
        let op = op.input(&sparse.dense_shape).input(&sparse.values);
        op.input(default).output()
    }

    fn strings(&mut self, name: &str, features: &[&FeatureSpec]) -> Result<Output> {
        let keys = features.iter().map(|feature| feature.key());
        self.constant(name, &Tensor::from_strings([features.len()], keys)?)
    }
}

fn nth(parsed: &Operation, arg: &str, place: usize) -> Result<Output> {
    let tensor = parsed.named(arg).get(place).cloned();
    tensor.ok_or_else(|| Error::not_found(format!("output {place} of `{arg}`")))
}

/// Returns the tensor that stands for what is missing; an empty one if nothing does.
fn default_of(feature: &FeatureSpec) -> Result<Tensor> {
    let dtype = feature.dtype();
    match feature.default() {
        DefaultValue::Value(tensor) => Ok(tensor.clone()),
        DefaultValue::Computed(by) => Err(Error::unsupported(format!(
            "the default is computed by `{by}`, which is not in this graph"
        ))),
        // What pads the shorter ones.
        DefaultValue::None if feature.is_variable_length() => match dtype {
            DType::STRING => Tensor::from_strings([1], [""]),
            DType::INT64 => Tensor::from_slice([1], &[0i64]),
            _ => Tensor::from_slice([1], &[0f32]),
        },
        DefaultValue::None => match dtype {
            DType::STRING => Tensor::from_strings([0], [""; 0]),
            DType::INT64 => Tensor::from_slice::<i64>([0], &[]),
            _ => Tensor::from_slice::<f32>([0], &[]),
        },
    }
}
