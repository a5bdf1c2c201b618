//! Layers of networks: activations, norms, embeddings, attention.

use super::builder::GraphBuilder;
use super::known_shape::with_size;
use super::math::elementwise;
use super::output::Output;
use super::variable::Variable;
use crate::error::{Error, Result};
use crate::tensor::{DType, PartialShape};

elementwise! {
    /// Replaces negative elements by 0: `Relu`.
    relu "Relu";
    /// Brings elements between 0 and 6: `Relu6`.
    relu6 "Relu6";
    /// Computes exp(x) − 1 of negative elements: `Elu`.
    elu "Elu";
    /// Computes the scaled exponential linear unit: `Selu`.
    selu "Selu";
    /// Computes 1 / (1 + exp(−x)): `Sigmoid`.
    sigmoid "Sigmoid";
    /// Computes the hyperbolic tangent: `Tanh`.
    tanh "Tanh";
    /// Computes log(1 + exp(x)): `Softplus`.
    softplus "Softplus";
    /// Computes x / (1 + |x|): `Softsign`.
    softsign "Softsign";
    /// Makes probabilities of logits along the last dimension: `Softmax`.
    softmax "Softmax";
    /// Makes logarithms of probabilities of logits along the last dimension: `LogSoftmax`.
    log_softmax "LogSoftmax";
}

impl GraphBuilder {
    /// Adds a vector to the last dimension: `BiasAdd`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn bias_add(&mut self, value: &Output, bias: &Output) -> Result<Output> {
        let output = self.op("BiasAdd").input(value).input(bias).output()?;
        Ok(output.with_shape(value.shape().clone()))
    }

    /// Multiplies negative elements with `alpha`: `LeakyRelu`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn leaky_relu(&mut self, x: &Output, alpha: f32) -> Result<Output> {
        let output = self
            .op("LeakyRelu")
            .input(x)
            .attr("alpha", alpha)
            .output()?;
        Ok(output.with_shape(x.shape().clone()))
    }

    /// Computes x · sigmoid(x), which is also called SiLU: `Sigmoid` and `Mul`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn swish(&mut self, x: &Output) -> Result<Output> {
        self.scope("swish", |graph| {
            let gate = graph.sigmoid(x)?;
            graph.mul(x, &gate)
        })
    }

    /// Computes the Gaussian error linear unit, x · Φ(x): `Erf` or, approximated, `Tanh`, with `Mul` and
    /// `AddV2` as in `tf.nn.gelu` (`tensorflow/python/ops/nn_ops.py`).
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn gelu(&mut self, x: &Output, approximate: bool) -> Result<Output> {
        self.scope("gelu", |graph| {
            let dtype = x.dtype();
            let inner = match approximate {
                true => {
                    let coefficient = graph.number("coefficient", dtype, 0.044715)?;
                    let three = graph.number("three", dtype, 3.0)?;
                    let factor = (2.0 / std::f64::consts::PI).sqrt();
                    let factor = graph.number("factor", dtype, factor)?;
                    let cube = graph.pow(x, &three)?;
                    let cube = graph.mul(&coefficient, &cube)?;
                    let sum = graph.add(x, &cube)?;
                    let scaled = graph.mul(&factor, &sum)?;
                    graph.tanh(&scaled)?
                }
                false => {
                    let root = graph.number("root", dtype, std::f64::consts::SQRT_2)?;
                    let scaled = graph.div(x, &root)?;
                    graph.erf(&scaled)?
                }
            };
            let one = graph.number("one", dtype, 1.0)?;
            let half = graph.number("half", dtype, 0.5)?;
            let inner = graph.add(&one, &inner)?;
            let halved = graph.mul(&half, x)?;
            graph.mul(&halved, &inner)
        })
    }

    /// Passes a tensor on, which is what dropout does outside of training: `Identity`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn dropout(&mut self, x: &Output) -> Result<Output> {
        self.identity("dropout", x)
    }

    /// Normalizes with a mean and a variance that training has found: `Rsqrt`, `Mul`, `Sub` and `AddV2` as
    /// in `tf.nn.batch_normalization` (`tensorflow/python/ops/nn_impl.py`). The parameters are vectors of
    /// the last dimension.
    ///
    /// # Errors
    ///
    /// As for [`add`](Self::add).
    pub fn batch_norm(
        &mut self,
        x: &Output,
        mean: &Output,
        variance: &Output,
        offset: &Output,
        scale: &Output,
        epsilon: f32,
    ) -> Result<Output> {
        self.scope("batch_norm", |graph| {
            graph.normalized(x, mean, variance, offset, scale, epsilon)
        })
    }

    /// Normalizes each vector of the last dimension with its own mean and variance, then scales and
    /// shifts it: `Mean`, `SquaredDifference`, `Rsqrt`, `Mul`, `Sub` and `AddV2`.
    ///
    /// ```
    /// use savedmodel::graph::GraphBuilder;
    /// use savedmodel::{DType, PartialShape, Shape};
    ///
    /// let mut graph = GraphBuilder::new();
    /// let x = graph.placeholder("x", DType::FLOAT, PartialShape::try_from([-1, 8, 64])?)?;
    /// let scale = graph.variable("gamma", DType::FLOAT, Shape::new(&[64])?)?;
    /// let offset = graph.variable("beta", DType::FLOAT, Shape::new(&[64])?)?;
    /// let (scale, offset) = (graph.read(&scale)?, graph.read(&offset)?);
    /// let y = graph.layer_norm(&x, &offset, &scale, 1e-6)?;
    /// assert_eq!(y.shape(), x.shape());
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`add`](Self::add).
    pub fn layer_norm(
        &mut self,
        x: &Output,
        offset: &Output,
        scale: &Output,
        epsilon: f32,
    ) -> Result<Output> {
        self.scope("layer_norm", |graph| {
            let mean = graph.reduce_mean(x, &[-1], true)?;
            let squares = graph.squared_difference(x, &mean)?;
            let variance = graph.reduce_mean(&squares, &[-1], true)?;
            graph.normalized(x, &mean, &variance, offset, scale, epsilon)
        })
    }

    fn normalized(
        &mut self,
        x: &Output,
        mean: &Output,
        variance: &Output,
        offset: &Output,
        scale: &Output,
        epsilon: f32,
    ) -> Result<Output> {
        let epsilon = self.number("epsilon", variance.dtype(), epsilon.into())?;
        let variance = self.add(variance, &epsilon)?;
        let inverse = self.rsqrt(&variance)?;
        let inverse = self.mul(&inverse, scale)?;
        let scaled = self.mul(x, &inverse)?;
        let mean = self.mul(mean, &inverse)?;
        let shift = self.sub(offset, &mean)?;
        self.add(&scaled, &shift)
    }

    /// Normalizes images like [`batch_norm`](Self::batch_norm), in one node: `FusedBatchNormV3`, not
    /// training. `x` is `[batch, height, width, channels]`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn fused_batch_norm(
        &mut self,
        x: &Output,
        mean: &Output,
        variance: &Output,
        offset: &Output,
        scale: &Output,
        epsilon: f32,
    ) -> Result<Output> {
        let op = self.op("FusedBatchNormV3").input(x);
        let op = op.input(scale).input(offset).input(mean).input(variance);
        let op = op.attr("epsilon", epsilon).attr("is_training", false);
        Ok(op.build()?.tensor("y")?.with_shape(x.shape().clone()))
    }

    /// Takes the rows of a variable that `ids` name: `ResourceGather`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the variable is a scalar; otherwise as for
    /// [`OpBuilder::build`](super::OpBuilder::build).
    pub fn embedding_lookup(&mut self, table: &Variable, ids: &Output) -> Result<Output> {
        let Some((_, row)) = table.shape().dims().split_first() else {
            let what = format!("variable `{}` is a scalar and has no rows", table.name());
            return Err(Error::invalid_argument(what));
        };
        let shape = match ids.shape().dims() {
            Some(dims) => {
                let row = row.iter().copied().map(Some);
                let dims: Vec<_> = dims.iter().copied().chain(row).collect();
                PartialShape::new(&dims)?
            }
            None => PartialShape::UNKNOWN,
        };
        let op = self.op("ResourceGather").name("embedding_lookup");
        let op = op.input(table.handle()).input(ids);
        Ok(op.attr("dtype", table.dtype()).output()?.with_shape(shape))
    }

    /// Computes scaled dot-product attention, softmax(q kᵀ / √d) v: `BatchMatMulV2`, `Mul`, `SelectV2` and
    /// `Softmax`.
    ///
    /// Queries are `[…, to, d]`, keys `[…, from, d]`, values `[…, from, e]`, the result `[…, to, e]`. Where
    /// the mask, of truth values, is false, a query does not see a key; its shape is broadcast to
    /// `[…, to, from]`. A query that sees none sees all alike.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the mask has no truth values, if the tensors are not of floating-point
    /// numbers, or the shapes, as far as they are known, do not go together.
    pub fn attention(
        &mut self,
        query: &Output,
        key: &Output,
        value: &Output,
        mask: Option<&Output>,
    ) -> Result<Output> {
        let dtype = query.dtype();
        if !dtype.is_floating() {
            let what = format!("attention is for floating-point numbers, not {dtype}");
            return Err(Error::invalid_argument(what));
        }
        self.scope("attention", |graph| {
            let last = key
                .shape()
                .dims()
                .and_then(|dims| dims.last().copied().flatten());
            let scale = match last {
                Some(depth) => graph.number("scale", dtype, 1.0 / (depth as f64).sqrt())?,
                None => {
                    let shape = graph.shape(key)?;
                    let depth = graph.strided_slice(&shape, &[(-1).into()])?;
                    let depth = graph.cast(&depth, dtype)?;
                    graph.rsqrt(&depth)?.with_shape(PartialShape::new(&[])?)
                }
            };
            let scores = graph.batch_matmul_adjoint(query, false, key, true)?;
            let mut scores = graph.mul(&scores, &scale)?;
            if let Some(mask) = mask {
                // Not minus infinity: of a row of those the softmax is not a number.
                let lowest = match dtype {
                    DType::HALF => -65504.0,
                    // The largest of float32 would be rounded to infinity.
                    DType::BFLOAT16 => -3.38e38,
                    _ => f64::from(f32::MIN),
                };
                let lowest = graph.number("lowest", dtype, lowest)?;
                scores = graph.select(mask, &scores, &lowest)?;
            }
            let weights = graph.softmax(&scores)?;
            graph.batch_matmul(&weights, value)
        })
    }

    /// Applies a dense layer to the last dimension, x · kernel + bias: `MatMul`, or `BatchMatMulV2` where
    /// `x` is not known to be a matrix, and `BiasAdd`.
    ///
    /// # Errors
    ///
    /// As for [`matmul`](Self::matmul).
    pub fn dense(&mut self, x: &Output, kernel: &Output, bias: &Output) -> Result<Output> {
        let product = match x.shape().rank() {
            Some(2) => self.matmul(x, kernel)?,
            _ => self.batch_matmul(x, kernel)?,
        };
        let units = bias
            .shape()
            .dims()
            .and_then(|dims| dims.first().copied().flatten());
        let shape = with_size("BiasAdd", product.shape(), -1, units)?;
        Ok(self.bias_add(&product, bias)?.with_shape(shape))
    }
}
