use super::builder::GraphBuilder;
use super::function::{Function, check_arguments};
use super::output::{Operation, Output};
use crate::error::{Error, Result};
use crate::tensor::DType;

impl GraphBuilder {
    /// Adds a branch: runs `then_branch` if `condition` is true and `else_branch` otherwise, both with
    /// `inputs`. The op is `If`, or `StatelessIf` where neither has effects.
    ///
    /// ```
    /// use savedmodel::graph::{Function, GraphBuilder};
    /// use savedmodel::{DType, PartialShape};
    ///
    /// fn unary(op: &str) -> savedmodel::Result<Function> {
    ///     let mut body = GraphBuilder::function();
    ///     let x = body.argument("x", DType::FLOAT, PartialShape::UNKNOWN)?;
    ///     let y = body.op(op).input(&x).output()?;
    ///     body.into_function(&format!("branch_{op}"), [("y", &y)])
    /// }
    /// let mut graph = GraphBuilder::new();
    /// let x = graph.placeholder("x", DType::FLOAT, PartialShape::UNKNOWN)?;
    /// let negative = graph.placeholder("negative", DType::BOOL, PartialShape::new(&[])?)?;
    /// let y = graph.if_then_else(&negative, &unary("Neg")?, &unary("Abs")?, [&x])?.output()?;
    /// assert_eq!(y.dtype(), DType::FLOAT);
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the branches do not take `inputs`, or return different types.
    pub fn if_then_else<'a>(
        &mut self,
        condition: &Output,
        then_branch: &Function,
        else_branch: &Function,
        inputs: impl IntoIterator<Item = &'a Output>,
    ) -> Result<Operation> {
        let inputs: Vec<&Output> = inputs.into_iter().collect();
        self.add_branches(&[then_branch, else_branch], &inputs)?;
        let op = match then_branch.is_stateful() || else_branch.is_stateful() {
            true => "If",
            false => "StatelessIf",
        };
        self.op(op)
            .input(condition)
            .inputs(inputs)
            .attr("Tout", then_branch.output_dtypes())
            .attr("then_branch", then_branch)
            .attr("else_branch", else_branch)
            .build()
    }

    /// Adds a choice: runs the branch whose number is `index`, an int32 scalar, and the last one for
    /// a number that none has. The op is `Case`, or `StatelessCase`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is no branch, if they do not take `inputs`, or return different types.
    pub fn case<'a>(
        &mut self,
        index: &Output,
        branches: &[&Function],
        inputs: impl IntoIterator<Item = &'a Output>,
    ) -> Result<Operation> {
        let inputs: Vec<&Output> = inputs.into_iter().collect();
        let Some(first) = branches.first() else {
            return Err(Error::invalid_argument("a case needs a branch"));
        };
        self.add_branches(branches, &inputs)?;
        let op = match branches.iter().any(|branch| branch.is_stateful()) {
            true => "Case",
            false => "StatelessCase",
        };
        self.op(op)
            .input(index)
            .inputs(inputs)
            .attr("Tout", first.output_dtypes())
            .attr("branches", branches.to_vec())
            .build()
    }

    /// Adds a loop: as long as `condition` returns true of them, replaces the tensors, which at first are
    /// `inputs`, by what `body` returns of them. The op is `While`, or `StatelessWhile`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if condition and body do not take `inputs`, the condition does not return
    /// one boolean, or the body other types than it takes.
    pub fn while_loop<'a>(
        &mut self,
        condition: &Function,
        body: &Function,
        inputs: impl IntoIterator<Item = &'a Output>,
    ) -> Result<Operation> {
        let inputs: Vec<&Output> = inputs.into_iter().collect();
        check_arguments(condition, &inputs, "is the condition of a loop")?;
        check_arguments(body, &inputs, "is the body of a loop")?;
        if condition.output_dtypes() != [DType::BOOL] {
            return Err(Error::invalid_argument(format!(
                "function `{}` is the condition of a loop, and does not return one bool",
                condition.name()
            )));
        }
        if body.output_dtypes() != body.input_dtypes() {
            return Err(Error::invalid_argument(format!(
                "function `{}` is the body of a loop, and does not return what it takes",
                body.name()
            )));
        }
        self.add_function(condition)?;
        self.add_function(body)?;
        let op = match condition.is_stateful() || body.is_stateful() {
            true => "While",
            false => "StatelessWhile",
        };
        self.op(op)
            .inputs(inputs)
            .attr("cond", condition)
            .attr("body", body)
            .build()
    }

    fn add_branches(&mut self, branches: &[&Function], inputs: &[&Output]) -> Result<()> {
        for branch in branches {
            check_arguments(branch, inputs, "is a branch")?;
            let returns = branches.first().map(|first| first.output_dtypes());
            if returns.is_some_and(|returns| returns != branch.output_dtypes()) {
                return Err(Error::invalid_argument(format!(
                    "function `{}` is a branch, and returns other types than the first",
                    branch.name()
                )));
            }
            self.add_function(branch)?;
        }
        Ok(())
    }
}
