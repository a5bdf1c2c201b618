use super::object_model::ModelObject;
use crate::error::{Error, Result};
use crate::graph::{Function, GraphBuilder, OpBuilder, Output};
use crate::tensor::{DType, PartialShape, Shape, Tensor};

/// A table that is filled when the model is loaded and does not change: `tf.lookup.StaticHashTable`.
///
/// Functions that [capture](super::Trace::capture) it have its handle, for `LookupTableFindV2`.
///
/// In TensorFlow: `tensorflow/python/ops/lookup_ops.py`.
#[derive(Clone, Debug)]
pub struct StaticTable {
    key_dtype: DType,
    value_dtype: DType,
    content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    TextFile {
        file: ModelObject,
        key_column: i64,
        value_column: i64,
        delimiter: String,
    },
    Tensors {
        keys: Tensor,
        values: Tensor,
    },
}

impl StaticTable {
    /// The column of a text file that is the whole line, a string.
    pub const WHOLE_LINE: i64 = -2;
    /// The column of a text file that is the number of the line, an int64 from 0.
    pub const LINE_NUMBER: i64 = -1;

    /// Describes a vocabulary: the lines of an asset, each with its number from 0.
    pub fn vocabulary(file: ModelObject) -> StaticTable {
        StaticTable {
            key_dtype: DType::STRING,
            value_dtype: DType::INT64,
            content: Content::TextFile {
                file,
                key_column: Self::WHOLE_LINE,
                value_column: Self::LINE_NUMBER,
                delimiter: "\t".to_owned(),
            },
        }
    }

    /// Describes a table of columns of an asset: `tf.lookup.TextFileInitializer`. Columns are counted from
    /// 0, or [`WHOLE_LINE`](Self::WHOLE_LINE) or [`LINE_NUMBER`](Self::LINE_NUMBER).
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a column below those, for a dtype that such a column cannot have, and for a
    /// delimiter that is not one byte.
    pub fn text_file(
        file: ModelObject,
        (key_dtype, key_column): (DType, i64),
        (value_dtype, value_column): (DType, i64),
        delimiter: &str,
    ) -> Result<StaticTable> {
        for (what, dtype, column) in [
            ("keys", key_dtype, key_column),
            ("values", value_dtype, value_column),
        ] {
            let fits = match column {
                Self::WHOLE_LINE => dtype == DType::STRING,
                Self::LINE_NUMBER => dtype == DType::INT64,
                0.. => true,
                _ => false,
            };
            if !fits {
                let what = format!("a table whose {what} are column {column} as {dtype}");
                return Err(Error::invalid_argument(what).remedy(
                    "column -2 is the line, a string; -1 its number, an int64; others count from 0",
                ));
            }
        }
        if delimiter.len() != 1 {
            let what = format!("the delimiter {delimiter:?} is not one byte");
            return Err(Error::invalid_argument(what));
        }
        Ok(StaticTable {
            key_dtype,
            value_dtype,
            content: Content::TextFile {
                file,
                key_column,
                value_column,
                delimiter: delimiter.to_owned(),
            },
        })
    }

    /// Describes a table of those values: `tf.lookup.KeyValueTensorInitializer`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there are not as many keys as values, or they are no vectors.
    pub fn tensors(keys: Tensor, values: Tensor) -> Result<StaticTable> {
        if keys.shape().rank() != 1 || keys.shape() != values.shape() {
            return Err(Error::invalid_argument(format!(
                "a table of keys of shape {} and values of shape {}, which have to be vectors of one \
                 length",
                keys.shape(),
                values.shape()
            )));
        }
        Ok(StaticTable {
            key_dtype: keys.dtype(),
            value_dtype: values.dtype(),
            content: Content::Tensors { keys, values },
        })
    }

    pub(super) fn content(&self) -> &Content {
        &self.content
    }

    /// Adds the op that makes the table, or finds the one that was made under that name.
    pub(super) fn handle(&self, graph: &mut GraphBuilder, shared_name: &str) -> Result<Output> {
        let table = graph.op("HashTableV2").name("hash_table");
        let table = table
            .attr("key_dtype", self.key_dtype)
            .attr("value_dtype", self.value_dtype);
        let table = table.attr("shared_name", shared_name).output()?;
        Ok(table.with_shape(Shape::SCALAR.into()))
    }

    /// Makes the function that returns the table.
    pub(super) fn creator(&self, shared_name: &str) -> Result<Function> {
        let mut body = GraphBuilder::function();
        let table = self.handle(&mut body, shared_name)?;
        body.into_function("_creator", [("table", &table)])
    }

    /// Makes the function that fills the table. It captures the table, and then the file, or keys and values.
    pub(super) fn initializer(&self) -> Result<Function> {
        let mut body = GraphBuilder::function();
        let table = body.argument("table", DType::RESOURCE, PartialShape::UNKNOWN)?;
        let fill: OpBuilder<'_> = match &self.content {
            Content::TextFile {
                key_column,
                value_column,
                delimiter,
                ..
            } => {
                let path = body.argument("path", DType::STRING, Shape::SCALAR.into())?;
                let fill = body.op("InitializeTableFromTextFileV2");
                fill.input(&table)
                    .input(&path)
                    .attr("key_index", *key_column)
                    .attr("value_index", *value_column)
                    .attr("delimiter", delimiter.as_str())
            }
            Content::Tensors { keys, values } => {
                let keys = body.argument("keys", keys.dtype(), keys.shape().into())?;
                let values = body.argument("values", values.dtype(), values.shape().into())?;
                let fill = body.op("LookupTableImportV2").input(&table);
                fill.input(&keys).input(&values)
            }
        };
        fill.build()?;
        done(body, "_initializer")
    }

    /// Makes the function that TensorFlow calls when it is through with the table.
    pub(super) fn destroyer() -> Result<Function> {
        done(GraphBuilder::function(), "_destroyer")
    }
}

fn done(mut body: GraphBuilder, name: &str) -> Result<Function> {
    let one = body.constant("Const", &Tensor::scalar(1i32))?;
    body.into_function(name, [("done", &one)])
}
