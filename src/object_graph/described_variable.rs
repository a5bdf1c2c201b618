use super::described_object::Child;
use super::variable::{VariableAggregation, VariableSynchronization};
use crate::tensor::{DType, PartialShape, Tensor};

/// A variable to be put into an [`ObjectTree`](super::ObjectTree), with what `tf.Variable` takes.
///
/// ```
/// # use savedmodel::Tensor;
/// # use savedmodel::object_graph::{DescribedVariable, ObjectTree};
/// let mut tree = ObjectTree::new();
/// let mean = DescribedVariable::new(Tensor::scalar(0.5f32))
///     .named("norm/moving_mean")
///     .trainable(false);
/// tree.track(tree.root(), "moving_mean", mean)?;
/// assert_eq!(tree.trainable_variables().count(), 0);
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DescribedVariable {
    pub(super) full_name: Box<str>,
    pub(super) value: Option<Tensor>,
    pub(super) traits: VariableTraits,
}

/// What stays of a variable when its value changes.
#[derive(Clone, Debug)]
pub(super) struct VariableTraits {
    pub(super) dtype: DType,
    pub(super) shape: PartialShape,
    pub(super) trainable: bool,
    pub(super) synchronization: VariableSynchronization,
    pub(super) aggregation: VariableAggregation,
}

impl DescribedVariable {
    /// Describes a variable of that value, which is shared and not copied. It is called `Variable`
    /// and trainable, as with `tf.Variable(value)`.
    pub fn new(value: Tensor) -> DescribedVariable {
        let mut variable = Self::without_value(value.dtype(), value.shape());
        variable.value = Some(value);
        variable
    }

    /// Describes a variable whose value will be given by
    /// [`ObjectTree::set_value`](super::ObjectTree::set_value), before the tree is written.
    pub fn without_value(dtype: DType, shape: impl Into<PartialShape>) -> DescribedVariable {
        DescribedVariable {
            full_name: "Variable".into(),
            value: None,
            traits: VariableTraits {
                dtype,
                shape: shape.into(),
                trainable: true,
                synchronization: VariableSynchronization::AUTO,
                aggregation: VariableAggregation::NONE,
            },
        }
    }

    /// Sets the name that Python code would see, without `:0`: `dense/kernel`. It need not be unique,
    /// and has nothing to do with the key of the value. TensorFlow keeps it as `full_name`, for
    /// programs that read by it what their ancestors, of TensorFlow 1, wrote under it.
    pub fn named(mut self, name: &str) -> Self {
        self.full_name = name.into();
        self
    }

    /// Sets whether training changes it. Checkpoints do not say, models do.
    pub fn trainable(mut self, trainable: bool) -> Self {
        self.traits.trainable = trainable;
        self
    }

    /// Sets the shape that all its values have to have, where that is less than the one of its
    /// first: `tf.Variable(..., shape=[None, 4])`.
    pub fn shape(mut self, shape: impl Into<PartialShape>) -> Self {
        self.traits.shape = shape.into();
        self
    }

    /// Sets when replicas agree on its value. Checkpoints do not say, models do.
    pub fn synchronization(mut self, synchronization: VariableSynchronization) -> Self {
        self.traits.synchronization = synchronization;
        self
    }

    /// Sets how replicas' changes of it are put together. Checkpoints do not say, models do.
    pub fn aggregation(mut self, aggregation: VariableAggregation) -> Self {
        self.traits.aggregation = aggregation;
        self
    }
}

impl From<DescribedVariable> for Child {
    fn from(variable: DescribedVariable) -> Self {
        Child::Variable(Box::new(variable))
    }
}

/// Makes a variable of that value, called `Variable`.
impl From<Tensor> for Child {
    fn from(value: Tensor) -> Self {
        DescribedVariable::new(value).into()
    }
}
