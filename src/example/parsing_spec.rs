use std::collections::HashSet;
use std::fmt;

use super::node::{ParsingNode, Scope, parses_examples};
use super::{Example, Feature};
use crate::error::{Error, ErrorKind, Printable, Result};
use crate::proto::{FunctionDef, NodeDef};
use crate::tensor::{DType, PartialShape, Repeats, Shape, Tensor};

/// What a node of a graph takes out of serialized examples.
///
/// Nodes of `ParseExample`, `ParseExampleV2`, `ParseSingleExample`, `ParseSequenceExample`,
/// `ParseSequenceExampleV2`, `ParseSingleSequenceExample` and `ParseExampleDataset` have one
/// (`tensorflow/core/ops/parsing_ops.cc`). Names of features and default values are constants
/// beside the node; they are followed through nodes that pass values on.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsingSpec {
    node: String,
    op: String,
    function: Option<String>,
    serialized: Option<String>,
    features: Vec<FeatureSpec>,
    feature_lists: Vec<FeatureSpec>,
}

/// A feature that parsing looks for.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureSpec {
    key: String,
    dtype: DType,
    layout: Layout,
    default: DefaultValue,
    missing_assumed_empty: bool,
}

/// The tensors that a feature becomes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Layout {
    /// One tensor of this shape per example, or per step. Where the first dimension is unknown the
    /// number of values may be any multiple of the rest, and examples of a batch are padded.
    Dense(PartialShape),
    /// A `SparseTensor`, of any number of values.
    Sparse,
    /// A `RaggedTensor`, of any number of values.
    Ragged {
        /// The type of its row splits, INT32 or INT64.
        row_splits: DType,
    },
}

/// What a dense feature is given in place of values it lacks.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DefaultValue {
    /// Nothing.
    None,
    /// This tensor: the whole of a feature that is missing, or the one value that pads it.
    Value(Tensor),
    /// What the graph computes at this output.
    Computed(String),
}

impl ParsingSpec {
    /// Finds all that parses examples in the nodes of a graph and in the functions of its library,
    /// where TensorFlow 2 puts it, in their order.
    ///
    /// ```
    /// use savedmodel::example::ParsingSpec;
    /// use savedmodel::proto::SavedModel;
    /// # use prost::Message;
    ///
    /// let bytes = std::fs::read("tests/fixtures/tf115_estimator/saved_model.pb")?;
    /// let model = SavedModel::decode(&bytes[..])?;
    /// let graph = model.meta_graphs[0].graph_def.as_ref().unwrap();
    /// let specs = ParsingSpec::find(&graph.node, [])?;
    /// assert_eq!(specs[0].features()[0].to_string(), "x: float32 [2], required");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Malformed` if such a node contradicts its op, `Unsupported` if the graph computes the names
    /// of features; both name the node. `TooLarge` if constants that repeat a value take more than
    /// 64 MiB together.
    pub fn find<'a>(
        nodes: impl IntoIterator<Item = &'a NodeDef>,
        library: impl IntoIterator<Item = &'a FunctionDef>,
    ) -> Result<Vec<ParsingSpec>> {
        let mut specs = Vec::new();
        let repeats = Repeats::up_to(MAX_REPEATED);
        find_in(nodes, None, &repeats, &mut specs)?;
        for function in library {
            let name = function.signature.as_ref().map_or("", |op| &op.name);
            find_in(&function.node_def, Some(name), &repeats, &mut specs)?;
        }
        Ok(specs)
    }

    /// Says whether nodes of this op parse examples.
    pub fn is_read_from(op: &str) -> bool {
        parses_examples(op)
    }

    /// Returns the name of the node.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Returns the op of the node.
    pub fn op(&self) -> &str {
        &self.op
    }

    /// Returns the function whose body has the node; `None` if it stands in the graph itself.
    pub fn function(&self) -> Option<&str> {
        self.function.as_deref()
    }

    /// Returns the node's input that the serialized examples come from, as it is spelt in the graph
    /// or the function; `None` where a dataset brings them.
    pub fn serialized(&self) -> Option<&str> {
        self.serialized.as_deref()
    }

    /// Returns the features of an `Example`, or of a `SequenceExample`'s context.
    pub fn features(&self) -> &[FeatureSpec] {
        &self.features
    }

    /// Returns the feature lists of a `SequenceExample`; shapes are those of one step.
    pub fn feature_lists(&self) -> &[FeatureSpec] {
        &self.feature_lists
    }

    /// Returns whether the node parses `SequenceExample` messages, not `Example` ones.
    pub fn takes_sequences(&self) -> bool {
        self.op.contains("Sequence")
    }

    /// Checks that parsing will accept an example.
    ///
    /// The rules are those of `tensorflow/core/util/example_proto_fast_parsing.cc`. Features that
    /// the spec does not have are ignored.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` with the name of the first feature that is missing, of another type or of
    /// a wrong number of values; also if the node takes sequences.
    pub fn check(&self, example: &Example) -> Result<()> {
        if self.takes_sequences() {
            return Err(Error::invalid_argument(format!(
                "node `{}` takes a SequenceExample, not an Example",
                Printable(&self.node)
            )));
        }
        self.features.iter().try_for_each(|spec| {
            spec.check(example.feature(&spec.key).unwrap_or(&Feature::Unset))
                .map_err(|error| error.for_key(spec.key.as_bytes()))
        })
    }

    /// Makes an example that has all features a model requires, their values zero or empty: a form
    /// to fill in.
    ///
    /// # Errors
    ///
    /// `TooLarge` if a feature has more than 2^24 values.
    pub fn placeholder(&self) -> Result<Example> {
        let mut example = Example::new();
        for spec in self.features.iter().filter(|spec| spec.is_required()) {
            let count = spec
                .placeholder_len()
                .map_err(|error| error.for_key(spec.key.as_bytes()))?;
            let feature = match spec.dtype {
                DType::FLOAT => Feature::Float(vec![0.0; count]),
                DType::INT64 => Feature::Int64(vec![0; count]),
                _ => Feature::Bytes(vec![prost::bytes::Bytes::new(); count]),
            };
            example.insert(&*spec.key, feature);
        }
        Ok(example)
    }
}

/// How many bytes all constants may take beyond those that the graph has.
const MAX_REPEATED: u64 = 64 << 20;

fn find_in<'a>(
    nodes: impl IntoIterator<Item = &'a NodeDef>,
    function: Option<&str>,
    repeats: &Repeats,
    specs: &mut Vec<ParsingSpec>,
) -> Result<()> {
    let nodes: Vec<&NodeDef> = nodes.into_iter().collect();
    // Most graphs parse nothing, and need no map of their nodes.
    if !nodes.iter().any(|node| parses_examples(&node.op)) {
        return Ok(());
    }
    let scope = Scope::new(&nodes, repeats);
    for node in nodes.iter().filter(|node| parses_examples(&node.op)) {
        if let Some(node) = ParsingNode::new(node, &scope) {
            specs.push(spec_of(&node, function)?);
        }
    }
    Ok(())
}

fn spec_of(node: &ParsingNode<'_>, function: Option<&str>) -> Result<ParsingSpec> {
    let is_sequence = node.node.op.contains("Sequence");
    let (features, feature_lists) = match is_sequence {
        false => (features(node, "", "Tdense")?, Vec::new()),
        true => (
            features(node, "context_", "Tcontext_dense")?,
            features(node, "feature_list_", "feature_list_dense_types")?,
        ),
    };
    Ok(ParsingSpec {
        node: node.node.name.clone(),
        op: node.node.op.clone(),
        function: function.map(str::to_owned),
        serialized: node
            .inputs("serialized")?
            .first()
            .map(|&input| input.to_owned()),
        features,
        feature_lists,
    })
}

/// Reads the inputs and attrs whose names begin with `prefix`, and the element types of dense
/// features from the attr `dense_types`, which each op calls something else.
fn features(node: &ParsingNode<'_>, prefix: &str, dense_types: &str) -> Result<Vec<FeatureSpec>> {
    let named = |name: &str| format!("{prefix}{name}");
    let mut features = Vec::new();
    let mut add = |key, dtype: i32, layout, default, missing_assumed_empty| {
        features.push(FeatureSpec {
            key,
            dtype: DType::from_number(dtype),
            layout,
            default,
            missing_assumed_empty,
        });
    };

    let keys = node.strings(&named("sparse_keys"))?;
    let types = node.list(&named("sparse_types")).r#type;
    check_lengths(node, "sparse", prefix, keys.len(), [types.len()])?;
    for (key, dtype) in keys.into_iter().zip(types) {
        add(key, dtype, Layout::Sparse, DefaultValue::None, false);
    }

    let keys = node.strings(&named("dense_keys"))?;
    let types = node.list(dense_types).r#type;
    let shapes = node.list(&named("dense_shapes")).shape;
    let lengths = [types.len(), shapes.len()];
    check_lengths(node, "dense", prefix, keys.len(), lengths)?;
    let defaults = node.inputs(&named("dense_defaults"))?;
    let may_miss = missing_assumed_empty(node, &named("dense_missing_assumed_empty"), &keys)?;
    for (index, (key, dtype)) in keys.into_iter().zip(types).enumerate() {
        let shape = PartialShape::from_proto(&shapes[index])
            .map_err(|error| error.for_key(key.as_bytes()))?;
        let default = match defaults.get(index) {
            None => DefaultValue::None,
            Some(input) => match node.constant(input)? {
                None => DefaultValue::Computed((*input).to_owned()),
                Some(tensor) if tensor.elements() == 0 => DefaultValue::None,
                Some(tensor) => DefaultValue::Value(tensor),
            },
        };
        add(key, dtype, Layout::Dense(shape), default, may_miss[index]);
    }

    let keys = node.strings(&named("ragged_keys"))?;
    let types = node.list(&named("ragged_value_types")).r#type;
    let splits = node.list(&named("ragged_split_types")).r#type;
    let lengths = [types.len(), splits.len()];
    check_lengths(node, "ragged", prefix, keys.len(), lengths)?;
    for ((key, dtype), splits) in keys.into_iter().zip(types).zip(splits) {
        let row_splits = DType::from_number(splits);
        add(
            key,
            dtype,
            Layout::Ragged { row_splits },
            DefaultValue::None,
            false,
        );
    }
    Ok(features)
}

/// Returns for each dense key whether a missing list counts as an empty one. Two of the ops list
/// such keys, one has a truth value for each key.
fn missing_assumed_empty(node: &ParsingNode<'_>, name: &str, keys: &[String]) -> Result<Vec<bool>> {
    if node.node.op != "ParseSequenceExampleV2" || !node.has_input(name) {
        let listed: HashSet<String> = node.strings(name)?.into_iter().collect();
        return Ok(keys.iter().map(|key| listed.contains(key)).collect());
    }
    let constant = match node.inputs(name)?.first() {
        Some(input) => node.constant(input)?,
        None => None,
    };
    match constant.as_ref().map(|tensor| tensor.values::<bool>()) {
        Some(Ok(flags)) if flags.len() == keys.len() => Ok(flags.into_owned()),
        Some(_) => Err(node.fault(format!("{name} is no vector of {} bools", keys.len()))),
        None => Ok(vec![false; keys.len()]),
    }
}

fn check_lengths<const N: usize>(
    node: &ParsingNode<'_>,
    kind: &str,
    prefix: &str,
    keys: usize,
    lengths: [usize; N],
) -> Result<()> {
    if lengths.iter().all(|length| *length == keys) {
        return Ok(());
    }
    Err(node.fault(format!(
        "{keys} {prefix}{kind}_keys, but its attrs describe {lengths:?} of them"
    )))
}

impl FeatureSpec {
    /// Describes a feature that every example has, of just as many values as the shape has elements:
    /// `tf.io.FixedLenFeature`.
    ///
    /// ```
    /// use savedmodel::example::FeatureSpec;
    /// use savedmodel::{DType, Tensor};
    ///
    /// let spec = FeatureSpec::fixed_len("x", DType::FLOAT, [2])?;
    /// assert_eq!(spec.to_string(), "x: float32 [2], required");
    /// let spec = spec.with_default(Tensor::from_slice([2], &[0f32, 0.])?)?;
    /// assert_eq!(spec.to_string(), "x: float32 [2], default 0.0, … (2 values)");
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What [`Shape::new`] answers.
    pub fn fixed_len(
        key: impl Into<String>,
        dtype: DType,
        shape: impl TryInto<Shape, Error: Into<Error>>,
    ) -> Result<FeatureSpec> {
        let shape = shape.try_into().map_err(Into::into)?;
        Ok(FeatureSpec::of(key, dtype, Layout::Dense(shape.into())))
    }

    /// Describes a feature of any number of rows of that shape; those of a batch are padded, with zeros
    /// or empty strings unless a [default](Self::with_default) says otherwise:
    /// `tf.io.FixedLenSequenceFeature`.
    ///
    /// # Errors
    ///
    /// What [`PartialShape::new`] answers.
    pub fn fixed_len_sequence(
        key: impl Into<String>,
        dtype: DType,
        shape: impl TryInto<Shape, Error: Into<Error>>,
    ) -> Result<FeatureSpec> {
        let row: Shape = shape.try_into().map_err(Into::into)?;
        let mut dims = vec![None];
        dims.extend(row.dims().iter().copied().map(Some));
        let layout = Layout::Dense(PartialShape::new(&dims)?);
        Ok(FeatureSpec::of(key, dtype, layout))
    }

    /// Describes a feature of any number of values, which becomes a sparse tensor:
    /// `tf.io.VarLenFeature`.
    pub fn var_len(key: impl Into<String>, dtype: DType) -> FeatureSpec {
        FeatureSpec::of(key, dtype, Layout::Sparse)
    }

    /// Describes a feature of any number of values, which becomes a ragged tensor with splits of int32:
    /// `tf.io.RaggedFeature`.
    pub fn ragged(key: impl Into<String>, dtype: DType) -> FeatureSpec {
        let row_splits = DType::INT32;
        FeatureSpec::of(key, dtype, Layout::Ragged { row_splits })
    }

    /// Sets what stands in for values that are missing: of a feature of fixed length all of them, of a
    /// sequence the one that pads it.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the feature has no default, or one of another type or shape.
    pub fn with_default(mut self, value: Tensor) -> Result<FeatureSpec> {
        let fits = match &self.layout {
            Layout::Dense(_) if self.is_variable_length() => value.elements() == 1,
            Layout::Dense(shape) => shape.is_compatible_with(value.shape()),
            _ => false,
        };
        if !fits || value.dtype() != self.dtype {
            return Err(Error::invalid_argument(format!(
                "{} {} is no default of the feature ({self})",
                value.dtype(),
                value.shape()
            ))
            .for_key(self.key.as_bytes()));
        }
        self.default = DefaultValue::Value(value);
        Ok(self)
    }

    fn of(key: impl Into<String>, dtype: DType, layout: Layout) -> FeatureSpec {
        FeatureSpec {
            key: key.into(),
            dtype,
            layout,
            default: DefaultValue::None,
            missing_assumed_empty: false,
        }
    }

    /// Returns the name of the feature.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the element type: FLOAT, INT64 or STRING.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Returns which tensors it becomes.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns what stands in for values that are missing.
    pub fn default(&self) -> &DefaultValue {
        &self.default
    }

    /// Returns whether an example without it is refused.
    pub fn is_required(&self) -> bool {
        match &self.layout {
            Layout::Dense(_) if self.is_variable_length() => false,
            Layout::Dense(_) => self.default == DefaultValue::None && !self.missing_assumed_empty,
            _ => false,
        }
    }

    /// Returns whether it is dense and takes any number of rows: the first dimension is unknown.
    pub fn is_variable_length(&self) -> bool {
        match &self.layout {
            Layout::Dense(shape) => shape.dims().is_some_and(|dims| dims.first() == Some(&None)),
            _ => false,
        }
    }

    fn check(&self, feature: &Feature) -> Result<()> {
        let Some(dtype) = feature.dtype() else {
            return match self.is_required() {
                true => Err(Error::invalid_argument(format!(
                    "the feature ({self}) is missing"
                ))),
                false => Ok(()),
            };
        };
        if dtype != self.dtype {
            let what = format!("the values are {dtype}, but the feature is {self}");
            return Err(Error::invalid_argument(what));
        }
        let Layout::Dense(shape) = &self.layout else {
            return Ok(());
        };
        let known = shape.dims().unwrap_or_default().iter().flatten();
        let product = known.fold(1u64, |product, dim| product.saturating_mul(*dim));
        let count = feature.len() as u64;
        let fits = match self.is_variable_length() {
            true => count.checked_rem(product).unwrap_or(count) == 0,
            false => count == product,
        };
        match fits {
            true => Ok(()),
            false => Err(Error::invalid_argument(format!(
                "{count} values do not make the shape of the feature ({self})"
            ))),
        }
    }

    fn placeholder_len(&self) -> Result<usize> {
        const LIMIT: u64 = 1 << 24;
        let Layout::Dense(shape) = &self.layout else {
            return Ok(0);
        };
        let known = shape.dims().unwrap_or_default().iter().flatten();
        let size = known.fold(1u64, |product, dim| product.saturating_mul(*dim));
        if size > LIMIT {
            return Err(Error::new(ErrorKind::TooLarge {
                what: "the number of values of a feature".to_owned(),
                size,
                limit: LIMIT,
            }));
        }
        Ok(size as usize)
    }
}

/// Shows where the node is, then its features, a line each.
impl fmt::Display for ParsingSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} node `{}`", self.op, Printable(&self.node))?;
        if let Some(function) = &self.function {
            write!(f, " in function `{}`", Printable(function))?;
        }
        for feature in &self.features {
            write!(f, "\n  {feature}")?;
        }
        for list in &self.feature_lists {
            write!(f, "\n  list of {list}")?;
        }
        Ok(())
    }
}

/// Shows the feature in a line: `x: float32 [2], required`.
impl fmt::Display for FeatureSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Printable(&self.key), self.dtype)?;
        match &self.layout {
            Layout::Dense(shape) => write!(f, " {shape}")?,
            Layout::Sparse => f.write_str(", sparse")?,
            Layout::Ragged { .. } => f.write_str(", ragged")?,
        }
        if self.is_required() {
            f.write_str(", required")?;
        }
        let kind = match self.is_variable_length() {
            true => "padding",
            false => "default",
        };
        match &self.default {
            DefaultValue::None => Ok(()),
            DefaultValue::Computed(output) => {
                write!(f, ", {kind} computed by `{}`", Printable(output))
            }
            DefaultValue::Value(tensor) => write!(f, ", {kind} {}", Values(tensor)),
        }
    }
}

/// Shows the value of a tensor that has one, or the first of more.
struct Values<'a>(&'a Tensor);

impl fmt::Display for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tensor = self.0;
        match (tensor.dtype(), tensor.strings()) {
            (_, Some(strings)) => {
                let first = strings.get(0).unwrap_or_default();
                write!(f, "\"{}\"", Printable(first))?;
            }
            (DType::FLOAT, _) => match tensor.values::<f32>().as_deref() {
                Ok([first, ..]) => write!(f, "{first:?}")?,
                _ => f.write_str("?")?,
            },
            _ => match tensor.values::<i64>().as_deref() {
                Ok([first, ..]) => write!(f, "{first}")?,
                _ => f.write_str("?")?,
            },
        }
        match tensor.elements() {
            0 | 1 => Ok(()),
            count => write!(f, ", … ({count} values)"),
        }
    }
}
