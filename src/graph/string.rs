//! Strings: joined, changed, and read as numbers.

use super::builder::GraphBuilder;
use super::math::elementwise;
use super::output::Output;
use super::parsing::SparseOutput;
use crate::error::Result;
use crate::tensor::{DType, Shape, Tensor};

elementwise! {
    /// Removes white space at both ends: `StringStrip`.
    string_strip "StringStrip";
    /// Writes numbers and truth values as text: `AsString`.
    as_string "AsString";
}

impl GraphBuilder {
    /// Joins strings, element by element, with a separator between them: `StringJoin`.
    ///
    /// ```
    /// use savedmodel::graph::GraphBuilder;
    /// use savedmodel::{DType, PartialShape};
    ///
    /// let mut graph = GraphBuilder::new();
    /// let first = graph.placeholder("first", DType::STRING, PartialShape::new(&[None])?)?;
    /// let last = graph.placeholder("last", DType::STRING, PartialShape::new(&[None])?)?;
    /// let name = graph.string_join([&first, &last], " ")?;
    /// assert_eq!(name.dtype(), DType::STRING);
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn string_join<'a>(
        &mut self,
        inputs: impl IntoIterator<Item = &'a Output>,
        separator: &str,
    ) -> Result<Output> {
        let op = self.op("StringJoin").inputs(inputs);
        op.attr("separator", separator).output()
    }

    /// Makes letters small, of all scripts: `StringLower` with UTF-8.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn string_lower(&mut self, x: &Output) -> Result<Output> {
        self.of_text("StringLower", x)
    }

    /// Makes letters capital, of all scripts: `StringUpper` with UTF-8.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn string_upper(&mut self, x: &Output) -> Result<Output> {
        self.of_text("StringUpper", x)
    }

    fn of_text(&mut self, op: &str, x: &Output) -> Result<Output> {
        let op = self.op(op).input(x).attr("encoding", "utf-8");
        Ok(op.output()?.with_shape(x.shape().clone()))
    }

    /// Counts the bytes of strings, as int32: `StringLength`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn string_length(&mut self, x: &Output) -> Result<Output> {
        self.elementwise("StringLength", x)
    }

    /// Takes `len` bytes of each string from byte `pos` on, which counts from the end where it is negative:
    /// `Substr`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn substr(&mut self, x: &Output, pos: i32, len: i32) -> Result<Output> {
        let pos = self.constant("Substr/pos", &Tensor::scalar(pos))?;
        let len = self.constant("Substr/len", &Tensor::scalar(len))?;
        let output = self
            .op("Substr")
            .input(x)
            .input(&pos)
            .input(&len)
            .output()?;
        Ok(output.with_shape(x.shape().clone()))
    }

    /// Replaces what a regular expression of RE2 finds, all of it: `StaticRegexReplace`. In `rewrite`
    /// `\1` stands for what the first group found.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn regex_replace(&mut self, x: &Output, pattern: &str, rewrite: &str) -> Result<Output> {
        let op = self.op("StaticRegexReplace").input(x);
        let op = op.attr("pattern", pattern).attr("rewrite", rewrite);
        Ok(op.output()?.with_shape(x.shape().clone()))
    }

    /// Says which strings a regular expression of RE2 describes from end to end: `StaticRegexFullMatch`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn regex_full_match(&mut self, x: &Output, pattern: &str) -> Result<Output> {
        let op = self.op("StaticRegexFullMatch").input(x);
        Ok(op
            .attr("pattern", pattern)
            .output()?
            .with_shape(x.shape().clone()))
    }

    /// Reads numbers from text: `StringToNumber`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn string_to_number(&mut self, x: &Output, dtype: DType) -> Result<Output> {
        let op = self.op("StringToNumber").input(x).attr("out_type", dtype);
        Ok(op.output()?.with_shape(x.shape().clone()))
    }

    /// Gives each string one of `count` numbers, which depends on nothing else:
    /// `StringToHashBucketFast`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn string_to_hash_bucket(&mut self, x: &Output, count: i64) -> Result<Output> {
        let op = self.op("StringToHashBucketFast").input(x);
        Ok(op
            .attr("num_buckets", count)
            .output()?
            .with_shape(x.shape().clone()))
    }

    /// Cuts a vector of strings at a separator, at white space if that is empty, into a sparse matrix with a
    /// row for each: `StringSplitV2`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn string_split(&mut self, x: &Output, separator: &str) -> Result<SparseOutput> {
        let separator = Tensor::from_strings(Shape::SCALAR, [separator])?;
        let separator = self.constant("StringSplit/sep", &separator)?;
        let op = self.op("StringSplitV2").name("StringSplit");
        let split = op.input(x).input(&separator).build()?;
        Ok(SparseOutput {
            indices: split.tensor("indices")?,
            values: split.tensor("values")?,
            dense_shape: split.tensor("shape")?,
        })
    }
}
