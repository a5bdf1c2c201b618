use super::object_model::{ModelObject, ObjectModelBuilder, Part};
use super::trace::{Capture, Trace};
use crate::error::{Error, Result};
use crate::graph::{Function, GraphBuilder, OpBuilder, Output};
use crate::object_graph::{FullArgSpec, FunctionSpec, StructuredValue};
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

impl ObjectModelBuilder {
    /// Adds a table. A function that captures it has its handle, a resource.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the file of which it is filled is no asset of this model; as for
    /// [`constant`](Self::constant) if it is filled of tensors.
    pub fn table(&mut self, table: StaticTable) -> Result<ModelObject> {
        let content: Vec<Capture> = match table.content().clone() {
            Content::TextFile { file, .. } => match self.part(file)? {
                Part::Asset(_) => vec![file.into()],
                _ => {
                    return Err(Error::invalid_argument(
                        "the file of which a table is filled is no asset",
                    ));
                }
            },
            Content::Tensors { keys, values } => {
                vec![self.constant(keys)?.into(), self.constant(values)?.into()]
            }
        };
        // Each loader makes it unique among models; in one, no two tables may share it.
        let shared_name = format!("hash_table_{}", self.parts.len());
        let creator = table.creator(&shared_name)?;
        let initializer = table.initializer()?;
        let object = self.push(Part::Table {
            table,
            shared_name,
            functions: Vec::new(),
            initializer: 0,
        });
        let fill = Trace::new(&initializer).capture(object);
        let fill = content.into_iter().fold(fill, Trace::capture);
        let mut made = Vec::new();
        for (name, trace) in [
            ("_create_resource", Trace::new(&creator)),
            ("_initialize", fill),
            ("_destroy_resource", Trace::new(&StaticTable::destroyer()?)),
        ] {
            let trace = self.add(trace, false)?;
            let spec = FunctionSpec {
                input_signature: Some(StructuredValue::Tuple(Vec::new())),
                ..FullArgSpec::new::<String>([]).into()
            };
            let function = self.push(Part::Function {
                spec,
                traces: vec![trace],
            });
            made.push((name, function.index(), trace));
        }
        if let Some(Part::Table {
            functions,
            initializer,
            ..
        }) = self.parts.get_mut(object.index())
        {
            *initializer = made[1].2;
            *functions = made
                .into_iter()
                .map(|(name, part, _)| (name, part))
                .collect();
        }
        Ok(object)
    }
}

fn done(mut body: GraphBuilder, name: &str) -> Result<Function> {
    let one = body.constant("Const", &Tensor::scalar(1i32))?;
    body.into_function(name, [("done", &one)])
}
