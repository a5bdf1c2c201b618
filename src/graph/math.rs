//! Arithmetic, comparisons, logic and matrix products.

use super::builder::GraphBuilder;
use super::known_shape::{broadcast, product};
use super::output::Output;
use crate::error::{Error, Result};
use crate::tensor::{DType, Tensor};

/// Writes methods for ops of one tensor whose result has the shape of that.
macro_rules! elementwise {
    ($($(#[$doc:meta])* $name:ident $op:literal;)*) => {
        impl GraphBuilder {$(
            $(#[$doc])*
            ///
            /// # Errors
            ///
            /// As for [`OpBuilder::build`](super::OpBuilder::build).
            pub fn $name(&mut self, x: &Output) -> Result<Output> {
                self.elementwise($op, x)
            }
        )*}
    };
}
pub(super) use elementwise;

/// Writes methods for ops of two tensors that are broadcast.
macro_rules! broadcasting {
    ($($(#[$doc:meta])* $name:ident $op:literal;)*) => {
        impl GraphBuilder {$(
            $(#[$doc])*
            ///
            /// # Errors
            ///
            /// `InvalidArgument` if the shapes, as far as they are known, cannot be broadcast; otherwise
            /// as for [`OpBuilder::build`](super::OpBuilder::build).
            pub fn $name(&mut self, x: &Output, y: &Output) -> Result<Output> {
                self.broadcasting($op, x, y)
            }
        )*}
    };
}

elementwise! {
    /// Negates a tensor: `Neg`.
    neg "Neg";
    /// Takes absolute values: `Abs`.
    abs "Abs";
    /// Says whether elements are below, at or above zero, as −1, 0 and 1: `Sign`.
    sign "Sign";
    /// Multiplies elements with themselves: `Square`.
    square "Square";
    /// Takes square roots: `Sqrt`.
    sqrt "Sqrt";
    /// Takes reciprocals of square roots: `Rsqrt`.
    rsqrt "Rsqrt";
    /// Takes powers of e: `Exp`.
    exp "Exp";
    /// Takes natural logarithms: `Log`.
    log "Log";
    /// Takes natural logarithms of 1 + x, precise near zero: `Log1p`.
    log1p "Log1p";
    /// Computes the Gauss error function: `Erf`.
    erf "Erf";
    /// Takes sines: `Sin`.
    sin "Sin";
    /// Takes cosines: `Cos`.
    cos "Cos";
    /// Rounds down: `Floor`.
    floor "Floor";
    /// Rounds up: `Ceil`.
    ceil "Ceil";
    /// Rounds to the nearest integer, halves to the even one: `Round`.
    round "Round";
    /// Says which elements are not a number: `IsNan`.
    is_nan "IsNan";
    /// Negates truth values: `LogicalNot`.
    logical_not "LogicalNot";
}

broadcasting! {
    /// Adds two tensors: `AddV2`.
    add "AddV2";
    /// Subtracts the second tensor from the first: `Sub`.
    sub "Sub";
    /// Multiplies two tensors, element by element: `Mul`.
    mul "Mul";
    /// Divides two tensors of floating-point or complex numbers: `RealDiv`.
    div "RealDiv";
    /// Divides and rounds down: `FloorDiv`.
    floor_div "FloorDiv";
    /// Computes the rest of [`floor_div`](Self::floor_div), of the sign of the divisor: `FloorMod`.
    floor_mod "FloorMod";
    /// Raises the first tensor to powers: `Pow`.
    pow "Pow";
    /// Takes the larger of two elements: `Maximum`.
    maximum "Maximum";
    /// Takes the smaller of two elements: `Minimum`.
    minimum "Minimum";
    /// Computes (x − y)²: `SquaredDifference`.
    squared_difference "SquaredDifference";
    /// Says which elements are equal: `Equal`.
    equal "Equal";
    /// Says which elements are not equal: `NotEqual`.
    not_equal "NotEqual";
    /// Says which elements of the first tensor are less: `Less`.
    less "Less";
    /// Says which elements of the first tensor are less or equal: `LessEqual`.
    less_equal "LessEqual";
    /// Says which elements of the first tensor are greater: `Greater`.
    greater "Greater";
    /// Says which elements of the first tensor are greater or equal: `GreaterEqual`.
    greater_equal "GreaterEqual";
    /// Says where both are true: `LogicalAnd`.
    logical_and "LogicalAnd";
    /// Says where one is true: `LogicalOr`.
    logical_or "LogicalOr";
}

impl GraphBuilder {
    /// Multiplies two matrices: `MatMul`.
    ///
    /// ```
    /// use savedmodel::graph::GraphBuilder;
    /// use savedmodel::{DType, PartialShape, Tensor};
    ///
    /// let mut graph = GraphBuilder::new();
    /// let x = graph.placeholder("x", DType::FLOAT, PartialShape::new(&[None, Some(3)])?)?;
    /// let w = graph.constant("w", &Tensor::from_slice([3, 1], &[1f32, 2., 3.])?)?;
    /// let y = graph.matmul(&x, &w)?;
    /// assert_eq!(y.shape().to_string(), "[?, 1]");
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the shapes, as far as they are known, are not those of matrices that go
    /// together; otherwise as for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn matmul(&mut self, a: &Output, b: &Output) -> Result<Output> {
        self.matmul_transposed(a, false, b, false)
    }

    /// Multiplies two matrices, each of which may be transposed first: `MatMul`.
    ///
    /// # Errors
    ///
    /// As for [`matmul`](Self::matmul).
    pub fn matmul_transposed(
        &mut self,
        a: &Output,
        transpose_a: bool,
        b: &Output,
        transpose_b: bool,
    ) -> Result<Output> {
        for x in [a, b] {
            if x.shape().rank().is_some_and(|rank| rank != 2) {
                let what = format!("op MatMul: a tensor of shape {} is no matrix", x.shape());
                return Err(Error::invalid_argument(what).remedy("see `batch_matmul`"));
            }
        }
        let shape = product("MatMul", (a.shape(), transpose_a), (b.shape(), transpose_b))?;
        let op = self.op("MatMul").input(a).input(b);
        let op = op.attr("transpose_a", transpose_a);
        Ok(op
            .attr("transpose_b", transpose_b)
            .output()?
            .with_shape(shape))
    }

    /// Multiplies the matrices in the last two dimensions; those before them are broadcast:
    /// `BatchMatMulV2`.
    ///
    /// # Errors
    ///
    /// As for [`matmul`](Self::matmul).
    pub fn batch_matmul(&mut self, x: &Output, y: &Output) -> Result<Output> {
        self.batch_matmul_adjoint(x, false, y, false)
    }

    /// Multiplies the matrices in the last two dimensions, each of which may be transposed, and complex
    /// ones conjugated, first: `BatchMatMulV2`.
    ///
    /// # Errors
    ///
    /// As for [`matmul`](Self::matmul).
    pub fn batch_matmul_adjoint(
        &mut self,
        x: &Output,
        adj_x: bool,
        y: &Output,
        adj_y: bool,
    ) -> Result<Output> {
        let shape = product("BatchMatMulV2", (x.shape(), adj_x), (y.shape(), adj_y))?;
        let op = self.op("BatchMatMulV2").input(x).input(y);
        let op = op.attr("adj_x", adj_x).attr("adj_y", adj_y);
        Ok(op.output()?.with_shape(shape))
    }

    /// Adds tensors of one shape: `AddN`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn add_n<'a>(&mut self, tensors: impl IntoIterator<Item = &'a Output>) -> Result<Output> {
        let tensors: Vec<&Output> = tensors.into_iter().collect();
        let known = tensors.iter().find(|it| it.shape().to_shape().is_some());
        let shape = known.map(|tensor| tensor.shape().clone());
        let output = self.op("AddN").inputs(tensors).output()?;
        Ok(match shape {
            Some(shape) => output.with_shape(shape),
            None => output,
        })
    }

    /// Brings elements between two bounds, which are scalars or of the tensor's shape: `ClipByValue`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn clip_by_value(&mut self, x: &Output, min: &Output, max: &Output) -> Result<Output> {
        let op = self.op("ClipByValue").input(x).input(min).input(max);
        Ok(op.output()?.with_shape(x.shape().clone()))
    }

    /// Converts elements to another type: `Cast`. A tensor of that type already is returned as it is.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn cast(&mut self, x: &Output, dtype: DType) -> Result<Output> {
        if x.dtype() == dtype {
            return Ok(x.clone());
        }
        let op = self.op("Cast").input(x).attr("DstT", dtype);
        Ok(op.output()?.with_shape(x.shape().clone()))
    }

    /// Takes elements of `then` where `condition` is true, and of `otherwise` elsewhere; all three are
    /// broadcast: `SelectV2`, which Python calls `tf.where`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the shapes, as far as they are known, cannot be broadcast; otherwise as for
    /// [`OpBuilder::build`](super::OpBuilder::build).
    pub fn select(
        &mut self,
        condition: &Output,
        then: &Output,
        otherwise: &Output,
    ) -> Result<Output> {
        let values = broadcast("SelectV2", then.shape(), otherwise.shape())?;
        let shape = broadcast("SelectV2", condition.shape(), &values)?;
        let op = self.op("SelectV2").input(condition).input(then);
        Ok(op.input(otherwise).output()?.with_shape(shape))
    }

    pub(super) fn elementwise(&mut self, op: &str, x: &Output) -> Result<Output> {
        let output = self.op(op).input(x).output()?;
        Ok(output.with_shape(x.shape().clone()))
    }

    fn broadcasting(&mut self, op: &str, x: &Output, y: &Output) -> Result<Output> {
        let shape = broadcast(op, x.shape(), y.shape())?;
        Ok(self.op(op).input(x).input(y).output()?.with_shape(shape))
    }

    /// Adds a scalar of a type that is known only here.
    pub(super) fn number(&mut self, name: &str, dtype: DType, value: f64) -> Result<Output> {
        let value = match dtype.base() {
            DType::INT8 => Tensor::scalar(value as i8),
            DType::INT16 => Tensor::scalar(value as i16),
            DType::INT32 => Tensor::scalar(value as i32),
            DType::INT64 => Tensor::scalar(value as i64),
            DType::UINT8 => Tensor::scalar(value as u8),
            DType::UINT16 => Tensor::scalar(value as u16),
            DType::UINT32 => Tensor::scalar(value as u32),
            DType::UINT64 => Tensor::scalar(value as u64),
            DType::BOOL => Tensor::scalar(value != 0.0),
            other => Tensor::scalar(value).cast(other)?,
        };
        self.constant(name, &value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::PartialShape;

    #[test]
    fn what_does_not_go_together_is_refused() {
        let mut graph = GraphBuilder::new();
        let mut input = |name: &str, dims: &[i64]| {
            let shape = PartialShape::try_from(dims).unwrap();
            graph.placeholder(name, DType::FLOAT, shape).unwrap()
        };
        let (a, b, c) = (
            input("a", &[-1, 3]),
            input("b", &[4, 3]),
            input("c", &[2, 4]),
        );
        assert_eq!(graph.add(&a, &b).unwrap().shape().to_string(), "[4, 3]");
        assert!(graph.add(&b, &c).is_err());
        assert!(graph.matmul(&a, &b).is_err());
        let y = graph.matmul_transposed(&a, false, &b, true).unwrap();
        assert_eq!(y.shape().to_string(), "[?, 4]");
        assert_eq!(graph.less(&a, &b).unwrap().dtype(), DType::BOOL);
        let before = graph.len();
        assert_eq!(graph.cast(&a, DType::FLOAT).unwrap().node(), "a");
        assert_eq!(graph.len(), before);
        for dtype in [
            DType::HALF,
            DType::BFLOAT16,
            DType::DOUBLE,
            DType::UINT8,
            DType::INT64,
        ] {
            assert_eq!(graph.number("n", dtype, 2.0).unwrap().dtype(), dtype);
        }
        assert!(graph.number("n", DType::STRING, 2.0).is_err());
    }
}
