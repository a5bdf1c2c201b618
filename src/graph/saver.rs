use super::builder::GraphBuilder;
use super::output::{Operation, Output};
use super::variable::Variable;
use crate::error::{Error, Result};
use crate::proto::{SaverDef, saver_def};
use crate::tensor::{DType, PartialShape, Shape, Tensor};

/// A variable and where its value stands in the bundle.
#[derive(Clone, Debug)]
pub struct SavedVariable<'a> {
    /// The variable.
    pub variable: &'a Variable,
    /// The key in the bundle; in a model of TensorFlow 1 that is the variable's name.
    pub key: String,
    /// Of a variable that is a piece of a partitioned tensor, the shape of the whole and the
    /// slice: `"4 2 2,2:0,2"`. Empty for any other.
    pub shape_and_slice: String,
}

impl<'a> SavedVariable<'a> {
    /// Saves a variable under its name, a slice under the name of the whole.
    pub fn named(variable: &'a Variable) -> Self {
        let slice = variable.save_slice_info();
        SavedVariable {
            variable,
            key: slice.map_or_else(|| variable.name().to_owned(), |it| it.full_name.clone()),
            shape_and_slice: slice.map(ToString::to_string).unwrap_or_default(),
        }
    }
}

impl GraphBuilder {
    /// Adds the nodes that save variables to a bundle and restore them from one, below the scope
    /// `save`; the loaders run them by what the returned `SaverDef` says.
    ///
    /// ```
    /// use savedmodel::graph::{GraphBuilder, SavedVariable};
    /// use savedmodel::{DType, Shape};
    ///
    /// let mut graph = GraphBuilder::new();
    /// let w = graph.variable("w", DType::FLOAT, Shape::new(&[3])?)?;
    /// let saver = graph.saver(&[SavedVariable::named(&w)])?;
    /// assert_eq!(saver.restore_op_name, "save/restore_all");
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// The nodes are those of `tf.compat.v1.train.Saver` (`tensorflow/python/training/saver.py`) with
    /// one shard.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there are no variables, or two under one key and slice.
    pub fn saver(&mut self, variables: &[SavedVariable<'_>]) -> Result<SaverDef> {
        self.saver_with_constants(variables, &[])
    }

    /// As [`saver`](Self::saver), for bundles that have tensors which are always the same.
    pub(crate) fn saver_with_constants(
        &mut self,
        variables: &[SavedVariable<'_>],
        constants: &[(&str, Tensor)],
    ) -> Result<SaverDef> {
        if variables.is_empty() {
            return Err(Error::invalid_argument(
                "there are no variables to save; a model without any has no saver",
            ));
        }
        for (i, saved) in variables.iter().enumerate() {
            let same = |other: &SavedVariable<'_>| {
                (&other.key, &other.shape_and_slice) == (&saved.key, &saved.shape_and_slice)
            };
            if variables[..i].iter().any(same) {
                return Err(Error::invalid_argument("two variables have this key")
                    .for_key(saved.key.as_bytes()));
            }
        }
        self.scope("save", |graph| {
            let scalar = PartialShape::from(Shape::SCALAR);
            let default = graph.constant(
                "filename/input",
                &Tensor::from_strings(Shape::SCALAR, ["model"])?,
            )?;
            let prefix = graph
                .op("PlaceholderWithDefault")
                .name("Const")
                .input(&default)
                .attr("shape", &scalar)
                .output()?;
            let saved = graph.save_half(&prefix, variables, constants)?;
            let restore = graph.restore_half(&prefix, variables)?;
            Ok(SaverDef {
                filename_tensor_name: prefix.tensor_name(),
                save_tensor_name: saved.tensor_name(),
                restore_op_name: restore.name().to_owned(),
                max_to_keep: 5,
                sharded: true,
                keep_checkpoint_every_n_hours: 10_000.0,
                version: saver_def::CheckpointFormatVersion::V2.into(),
            })
        })
    }

    fn save_half(
        &mut self,
        prefix: &Output,
        variables: &[SavedVariable<'_>],
        constants: &[(&str, Tensor)],
    ) -> Result<Output> {
        let string = |text: &str| Tensor::from_strings(Shape::SCALAR, [text]);
        let part = self.constant("StringJoin/inputs_1", &string("_temp/part")?)?;
        let part = self.op("StringJoin").inputs([prefix, &part]).output()?;
        let num_shards = self.constant("num_shards", &Tensor::scalar(1i32))?;
        let shard = self.constant("ShardedFilename/shard", &Tensor::scalar(0i32))?;
        let file = self
            .op("ShardedFilename")
            .input(&part)
            .input(&shard)
            .input(&num_shards)
            .output()?;
        let (names, slices) = self.names_and_slices("SaveV2", variables, constants)?;
        let mut values = Vec::with_capacity(variables.len());
        for saved in variables {
            let read = self
                .op("ReadVariableOp")
                .name("Read/ReadVariableOp")
                .input(saved.variable.handle())
                .attr("dtype", saved.variable.dtype());
            values.push(read.output()?);
        }
        for (_, constant) in constants {
            values.push(self.constant("Const", constant)?);
        }
        let save = self
            .op("SaveV2")
            .input(&file)
            .input(&names)
            .input(&slices)
            .inputs(&values)
            .build()?;
        let written = self
            .op("Identity")
            .name("control_dependency")
            .input(&file)
            .control(&save)
            .output()?;
        let files = self
            .op("Pack")
            .name("MergeV2Checkpoints/checkpoint_prefixes")
            .inputs([&written])
            .output()?;
        let merge = self
            .op("MergeV2Checkpoints")
            .input(&files)
            .input(prefix)
            .build()?;
        let whole = self.op("Identity").input(prefix).control(&merge);
        whole.output()
    }

    fn restore_half(
        &mut self,
        prefix: &Output,
        variables: &[SavedVariable<'_>],
    ) -> Result<Operation> {
        let (names, slices) = self.names_and_slices("RestoreV2", variables, &[])?;
        let dtypes: Vec<DType> = variables
            .iter()
            .map(|saved| saved.variable.dtype())
            .collect();
        let values = self
            .op("RestoreV2")
            .input(prefix)
            .input(&names)
            .input(&slices)
            .attr("dtypes", dtypes)
            .device("/device:CPU:0")
            .build()?;
        let mut assigned = Vec::with_capacity(variables.len());
        for (saved, value) in variables.iter().zip(values.outputs()) {
            assigned.push(self.assign_named("AssignVariableOp", saved.variable, value)?);
        }
        self.group("restore_all", &assigned)
    }

    fn names_and_slices(
        &mut self,
        op: &str,
        variables: &[SavedVariable<'_>],
        constants: &[(&str, Tensor)],
    ) -> Result<(Output, Output)> {
        let shape = Shape::new(&[(variables.len() + constants.len()) as u64])?;
        let keys = variables.iter().map(|saved| &*saved.key);
        let keys = keys.chain(constants.iter().map(|(key, _)| *key));
        let names = Tensor::from_strings(shape.clone(), keys)?;
        let slices = variables.iter().map(|saved| &*saved.shape_and_slice);
        let slices = slices.chain(constants.iter().map(|_| ""));
        let slices = Tensor::from_strings(shape, slices)?;
        Ok((
            self.constant(&format!("{op}/tensor_names"), &names)?,
            self.constant(&format!("{op}/shape_and_slices"), &slices)?,
        ))
    }
}
