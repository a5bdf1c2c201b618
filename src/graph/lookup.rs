//! Tables: from words to numbers, and back.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use prost::Message;

use super::builder::GraphBuilder;
use super::output::Output;
use crate::error::{Error, Result};
use crate::tensor::{DType, Shape, Tensor};

/// A table of a graph, which is filled when the model is loaded and does not change.
///
/// In TensorFlow: `tensorflow/core/ops/lookup_ops.cc`, `tensorflow/python/ops/lookup_ops.py`.
#[derive(Clone, Debug)]
pub struct LookupTable {
    handle: Output,
    key_dtype: DType,
    /// What is found for a key that the table lacks.
    default: Tensor,
    /// Such keys are spread over this many numbers behind those of the table.
    buckets: Option<i64>,
}

/// The numbers of words that a vocabulary lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfVocabulary {
    /// One for all of them.
    Id(i64),
    /// One of so many, behind those of the vocabulary; which one depends on the word alone. That is
    /// `num_oov_buckets` of `tf.lookup.StaticVocabularyTable`.
    Buckets(u32),
}

impl LookupTable {
    /// Returns the handle, which functions take as an argument.
    pub fn handle(&self) -> &Output {
        &self.handle
    }

    /// Returns the type of keys.
    pub fn key_dtype(&self) -> DType {
        self.key_dtype
    }

    /// Returns the type of values.
    pub fn value_dtype(&self) -> DType {
        self.default.dtype()
    }

    /// Returns the same table by another handle: in the body of a function by the argument that stands for
    /// it.
    pub fn by_handle(&self, handle: &Output) -> LookupTable {
        LookupTable {
            handle: handle.clone(),
            ..self.clone()
        }
    }
}

impl GraphBuilder {
    /// Adds a table from words to their numbers, by a file with a word on each line, numbered from 0:
    /// `HashTableV2`, `InitializeTableFromTextFileV2`. The file becomes an [asset](Self::asset) of the model.
    ///
    /// ```
    /// use savedmodel::graph::{GraphBuilder, OutOfVocabulary};
    /// use savedmodel::{DType, PartialShape};
    ///
    /// # let path = std::env::temp_dir().join(format!("savedmodel-words-{}", std::process::id()));
    /// std::fs::write(&path, "to\nbe\nor\n")?;
    /// let mut graph = GraphBuilder::new();
    /// let words = graph.placeholder("words", DType::STRING, PartialShape::new(&[None])?)?;
    /// let table = graph.vocabulary_table("vocabulary", &path, OutOfVocabulary::Buckets(2))?;
    /// let ids = graph.lookup(&table, &words)?;
    /// assert_eq!(ids.dtype(), DType::INT64);
    /// assert_eq!(graph.initializers().len(), 1);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Io` if the file cannot be read; `InvalidArgument` for no buckets; otherwise as for
    /// [`asset`](Self::asset) and [`OpBuilder::build`](super::OpBuilder::build).
    pub fn vocabulary_table(
        &mut self,
        name: &str,
        path: impl AsRef<Path>,
        out_of_vocabulary: OutOfVocabulary,
    ) -> Result<LookupTable> {
        let (default, buckets) = match out_of_vocabulary {
            OutOfVocabulary::Id(id) => (id, None),
            OutOfVocabulary::Buckets(0) => {
                return Err(Error::invalid_argument(format!(
                    "table `{name}`: there are no buckets for words it lacks"
                )));
            }
            OutOfVocabulary::Buckets(count) => (-1, Some(i64::from(count))),
        };
        let default = Tensor::scalar(default);
        let table = self.table_of_lines(name, path.as_ref(), DType::STRING, default, [-2, -1])?;
        Ok(LookupTable { buckets, ..table })
    }

    /// Adds a table from numbers to words, by a file with a word on each line, numbered from 0; `default`
    /// is found for other numbers: `HashTableV2`, `InitializeTableFromTextFileV2`.
    ///
    /// # Errors
    ///
    /// As for [`vocabulary_table`](Self::vocabulary_table).
    pub fn inverse_vocabulary_table(
        &mut self,
        name: &str,
        path: impl AsRef<Path>,
        default: &str,
    ) -> Result<LookupTable> {
        let default = Tensor::from_strings(Shape::SCALAR, [default])?;
        self.table_of_lines(name, path.as_ref(), DType::INT64, default, [-1, -2])
    }

    /// `indices` say what is key and value: −1 is the number of a line, −2 the line itself.
    fn table_of_lines(
        &mut self,
        name: &str,
        path: &Path,
        key_dtype: DType,
        default: Tensor,
        indices: [i64; 2],
    ) -> Result<LookupTable> {
        let content = hash_of_file(path).map_err(|error| Error::from(error).in_file(path))?;
        let file = self.asset(path)?;
        let table = self.table(name, key_dtype, default, content)?;
        let [key_index, value_index] = indices;
        let node = self.below_scope(table.handle.node());
        let filled = self
            .op("InitializeTableFromTextFileV2")
            .name(&format!("{node}/Initialize"))
            .input(&table.handle)
            .input(&file)
            .attr("key_index", key_index)
            .attr("value_index", value_index)
            .build()?;
        self.initialize_with(&filled)?;
        Ok(table)
    }

    /// Adds a table of these keys and values, two vectors, and a scalar that is found for other keys:
    /// `HashTableV2`, `InitializeTableV2`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if keys and values are no vectors of one length, or the default is no scalar of the
    /// values' type; otherwise as for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn hash_table(
        &mut self,
        name: &str,
        keys: &Tensor,
        values: &Tensor,
        default: &Tensor,
    ) -> Result<LookupTable> {
        let wrong = |what: String| Error::invalid_argument(format!("table `{name}`: {what}"));
        if keys.shape().rank() != 1 || keys.shape() != values.shape() {
            let (keys, values) = (keys.shape(), values.shape());
            return Err(wrong(format!(
                "keys {keys} and values {values} are no pairs"
            )));
        }
        if !default.shape().is_scalar() || default.dtype() != values.dtype() {
            let (is, wanted) = (default.dtype(), values.dtype());
            let what = format!(
                "the default is {is} {}, not a scalar of {wanted}",
                default.shape()
            );
            return Err(wrong(what));
        }
        let mut content = FNV_OFFSET;
        for tensor in [keys, values] {
            hash(&mut content, &tensor.to_proto()?.encode_to_vec());
        }
        let table = self.table(name, keys.dtype(), default.clone(), content)?;
        let node = self.below_scope(table.handle.node());
        let keys = self.constant(&format!("{node}/keys"), keys)?;
        let values = self.constant(&format!("{node}/values"), values)?;
        let op = self
            .op("InitializeTableV2")
            .name(&format!("{node}/Initialize"));
        let filled = op
            .input(&table.handle)
            .input(&keys)
            .input(&values)
            .build()?;
        self.initialize_with(&filled)?;
        Ok(table)
    }

    /// Adds the table itself. Where it is shared by name, tables of equal content may meet: a loader that
    /// keeps the tables of several models in one place refuses to fill one twice with different things.
    fn table(
        &mut self,
        name: &str,
        key_dtype: DType,
        default: Tensor,
        content: u64,
    ) -> Result<LookupTable> {
        if self.is_function() {
            let what = format!("table `{name}` is filled by the main graph, and belongs there");
            return Err(Error::invalid_argument(what)
                .remedy("pass its handle to the function, and see `LookupTable::by_handle`"));
        }
        let node = self.next_name(name)?;
        let handle = self
            .op("HashTableV2")
            .name(name)
            .attr("key_dtype", key_dtype)
            .attr("value_dtype", default.dtype())
            .attr("shared_name", format!("{node}_{content:016x}"))
            .output()?
            .with_shape(Shape::SCALAR.into());
        Ok(LookupTable {
            handle,
            key_dtype,
            default,
            buckets: None,
        })
    }

    /// Finds keys in a table: `LookupTableFindV2`; where it has buckets for keys it lacks, with
    /// `StringToHashBucketFast` as `tf.lookup.StaticVocabularyTable`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if keys are of another type than the table's.
    pub fn lookup(&mut self, table: &LookupTable, keys: &Output) -> Result<Output> {
        if keys.dtype().base() != table.key_dtype {
            return Err(Error::invalid_argument(format!(
                "table `{}` has keys of {}, and `{keys}` is of {}",
                table.handle.node(),
                table.key_dtype,
                keys.dtype()
            )));
        }
        self.scope("lookup", |graph| {
            let default = graph.constant("default", &table.default)?;
            let op = graph.op("LookupTableFindV2");
            let op = op.input(&table.handle).input(keys).input(&default);
            let found = op.output()?.with_shape(keys.shape().clone());
            let Some(buckets) = table.buckets else {
                return Ok(found);
            };
            let size = graph.table_size(table)?;
            let bucket = graph.string_to_hash_bucket(keys, buckets)?;
            let bucket = graph.add(&bucket, &size)?;
            let is_there = graph.not_equal(&found, &default)?;
            graph.select(&is_there, &found, &bucket)
        })
    }

    /// Counts the entries of a table, as int64: `LookupTableSizeV2`.
    ///
    /// # Errors
    ///
    /// As for [`OpBuilder::build`](super::OpBuilder::build).
    pub fn table_size(&mut self, table: &LookupTable) -> Result<Output> {
        let output = self.op("LookupTableSizeV2").input(&table.handle).output()?;
        Ok(output.with_shape(Shape::SCALAR.into()))
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// Adds bytes to a hash, by the rules of FNV-1a.
fn hash(hash: &mut u64, bytes: &[u8]) {
    for byte in bytes {
        *hash = (*hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
}

fn hash_of_file(path: &Path) -> std::io::Result<u64> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 16];
    let mut content = FNV_OFFSET;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(content);
        }
        hash(&mut content, &buffer[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::PartialShape;

    #[test]
    fn hashes_are_those_of_fnv() {
        for (text, expected) in [("", FNV_OFFSET), ("a", 0xaf63_dc4c_8601_ec8c)] {
            let mut content = FNV_OFFSET;
            hash(&mut content, text.as_bytes());
            assert_eq!(content, expected);
        }
    }

    #[test]
    fn pairs_of_other_lengths_and_types_are_refused() {
        let mut graph = GraphBuilder::new();
        let keys = Tensor::from_strings([2], ["a", "b"]).unwrap();
        let values = Tensor::from_slice([2], &[1i64, 2]).unwrap();
        let mut add = |keys: &Tensor, values: &Tensor, default: &Tensor| {
            graph.hash_table("t", keys, values, default)
        };
        let none = Tensor::scalar(0i64);
        let short = Tensor::from_slice([1], &[1i64]).unwrap();
        assert!(add(&keys, &short, &none).is_err());
        assert!(add(&none, &none, &none).is_err());
        assert!(add(&keys, &values, &Tensor::scalar(0f32)).is_err());
        let table = add(&keys, &values, &none).unwrap();
        let ids = graph.constant("ids", &values).unwrap();
        let error = graph.lookup(&table, &ids).unwrap_err().to_string();
        assert!(error.contains("has keys of string"), "{error}");
        assert!(
            graph
                .vocabulary_table("v", "no/such/file", OutOfVocabulary::Id(-1))
                .is_err()
        );
    }

    #[test]
    fn functions_take_tables_as_arguments() {
        let keys = Tensor::from_slice([1], &[7i64]).unwrap();
        let none = Tensor::scalar(0i64);
        let mut body = GraphBuilder::function();
        assert!(body.hash_table("t", &keys, &keys, &none).is_err());

        let mut graph = GraphBuilder::new();
        let table = graph.hash_table("t", &keys, &keys, &none).unwrap();
        let mut argument = |name, dtype| body.argument(name, dtype, PartialShape::UNKNOWN).unwrap();
        let handle = argument("table", DType::RESOURCE);
        let ids = argument("ids", DType::INT64);
        assert!(body.lookup(&table, &ids).is_err(), "it is of another graph");
        let found = body.lookup(&table.by_handle(&handle), &ids).unwrap();
        let function = body.into_function("find", [("found", &found)]).unwrap();
        let ids = graph.constant("ids", &keys).unwrap();
        let call = graph.call(&function, [table.handle(), &ids]).unwrap();
        assert_eq!(call.output().unwrap().dtype(), DType::INT64);
    }
}
