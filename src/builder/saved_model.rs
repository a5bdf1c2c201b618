use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use prost::Message;

use super::asset_names::AssetNames;
use super::constants::*;
use super::declared_variable::DeclaredVariable;
use super::extra_assets::{Content, ExtraAssets};
use super::meta_graph::{Assembled, MetaGraphBuilder};
use super::object_model::ObjectModelBuilder;
use super::saved_model_options::SavedModelBuilderOptions;
use super::variable_value::VariableValue;
use super::variable_values::{ObjectValues, check_values};
use super::{object_program, restored_keys};
use crate::bundle::BundleWriter;
use crate::error::{Error, Result};
use crate::model::Signature;
use crate::object_graph::Trackable;
use crate::proto::{GraphDebugInfo, MetaGraphDef, SavedModel};
use crate::serving::{SavedModelConfig, VersionNaming, WarmupRequests, move_to_version};
use crate::store::{StagedDirectory, disk, in_file};
use crate::tensor::{Tensor, TensorSlice};
use crate::wire::{Canonical, MapOrder};

/// Builds the directory of a SavedModel, as `tf.compat.v1.saved_model.Builder` does.
///
/// Everything is written to a directory beside the place; [`save`](Self::save) completes it, the
/// program last, and moves it there. Whoever looks sees no model or the whole one. A builder that is
/// dropped before removes what it wrote.
///
/// ```
/// use savedmodel::builder::{MetaGraphBuilder, SavedModelBuilder, constants};
/// use savedmodel::graph::GraphBuilder;
/// use savedmodel::{DType, PartialShape, SavedModel, Shape, Signature, Tensor};
///
/// # let directory = std::env::temp_dir().join(format!("savedmodel-builder-{}", std::process::id()));
/// let mut graph = GraphBuilder::new();
/// let x = graph.placeholder("x", DType::FLOAT, PartialShape::new(&[None, Some(3)])?)?;
/// let w = graph.variable("w", DType::FLOAT, Shape::new(&[3, 1])?)?;
/// let value = graph.read(&w)?;
/// let y = graph.op("MatMul").name("y").input(&x).input(&value).output()?;
///
/// let weights = Tensor::from_slice([3, 1], &[1f32, 2., 3.])?;
/// let signature = Signature::predict([("x", &x)], [("y", &y)])?;
/// let mut builder = SavedModelBuilder::new(directory.join("1"))?;
/// builder.add_meta_graph_and_variables(
///     MetaGraphBuilder::new(graph, [constants::SERVING]).signature("serving_default", signature),
///     [("w", weights)],
/// )?;
/// builder.save()?;
///
/// let model = SavedModel::open(directory.join("1"))?;
/// assert_eq!(model.variables()?.tensor("w")?.shape().dims(), [3, 1]);
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// What TensorFlow's builder lets pass and its loaders trip over is refused: two meta graphs of the
/// same tags, a signature whose tensors the graph does not have, an asset that is no file, a variable
/// without a value. In TensorFlow: `tensorflow/python/saved_model/builder_impl.py`.
#[derive(Debug)]
pub struct SavedModelBuilder {
    /// Where the model goes; the base directory of one that is to be a version.
    target: PathBuf,
    naming: Option<VersionNaming>,
    pub(super) staged: StagedDirectory,
    pub(super) options: SavedModelBuilderOptions,
    meta_graphs: Vec<MetaGraphDef>,
    /// What the variables are that were written, once they were.
    variables: Option<Vec<DeclaredVariable>>,
    assets: AssetNames,
    extra: ExtraAssets,
    warmup_requests: Option<WarmupRequests>,
    /// An encoded `GraphDebugInfo`.
    debug_info: Option<Vec<u8>>,
}

impl SavedModelBuilder {
    /// Begins the model of a directory: `models/mnist/1`. Missing directories above are made.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the directory is there and not empty, or no directory; `Io` as the system
    /// has it.
    pub fn new(directory: impl AsRef<Path>) -> Result<Self> {
        Self::options().create(directory)
    }

    /// Begins a new version of the model in a base directory: `models/mnist` gets `models/mnist/3` if
    /// `2` is the highest number there.
    ///
    /// The number is chosen when [`save`](Self::save) moves the model there; whoever comes second gets
    /// the next one. [`create_version`](SavedModelBuilderOptions::create_version) numbers by time.
    ///
    /// # Errors
    ///
    /// `Io` as the system has it.
    pub fn next_version(base: impl AsRef<Path>) -> Result<Self> {
        Self::options().create_version(base, VersionNaming::Next)
    }

    pub(super) fn begin(
        options: SavedModelBuilderOptions,
        target: PathBuf,
        naming: Option<VersionNaming>,
        staged: StagedDirectory,
    ) -> SavedModelBuilder {
        SavedModelBuilder {
            target,
            naming,
            staged,
            options,
            meta_graphs: Vec::new(),
            variables: None,
            assets: AssetNames::default(),
            extra: ExtraAssets::default(),
            warmup_requests: None,
            debug_info: None,
        }
    }

    /// Returns the options with which [`new`](Self::new) works, to be changed.
    pub fn options() -> SavedModelBuilderOptions {
        SavedModelBuilderOptions::default()
    }

    /// Adds the first meta graph, and writes the values of its variables, by their names: tensors, or
    /// whatever a [`VariableValue`] comes from.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if it was called before; if a variable has no value, a value no variable, or
    /// one of another type or shape; if a given graph restores what has no value; and as for
    /// [`add_meta_graph`](Self::add_meta_graph). Nothing was written then. What reading the values
    /// answers, and what [`BundleWriter`] answers.
    pub fn add_meta_graph_and_variables<'v, K: AsRef<str>>(
        &mut self,
        meta_graph: MetaGraphBuilder,
        values: impl IntoIterator<Item = (K, impl Into<VariableValue<'v>>)>,
    ) -> Result<()> {
        if !self.meta_graphs.is_empty() {
            return Err(Error::invalid_argument(
                "variables and assets were saved before; `add_meta_graph` adds further graphs",
            ));
        }
        self.check_tags(&meta_graph)?;
        let Assembled {
            meta_graph,
            variables,
        } = meta_graph.assemble(&mut self.assets)?;
        let values: Vec<(String, VariableValue<'v>)> = values
            .into_iter()
            .map(|(key, value)| (key.as_ref().to_owned(), value.into()))
            .collect();
        check_values(variables.as_deref(), &values)?;
        let dtypes: BTreeMap<&str, _> = values.iter().map(|it| (&*it.0, it.1.dtype())).collect();
        restored_keys::check(&meta_graph, |key| dtypes.get(key).copied())?;
        let directory = self.staged.path().join(VARIABLES_DIRECTORY);
        disk::create_directories(&directory).map_err(in_file(&directory))?;
        let variables = variables.unwrap_or_else(|| {
            let values = values.iter();
            values
                .map(|(key, value)| DeclaredVariable {
                    key: key.clone(),
                    dtype: value.dtype(),
                    shape: value.shape().clone(),
                    slices: Vec::new(),
                })
                .collect()
        });
        if !values.is_empty() {
            let mut bundle = BundleWriter::options()
                .durability(self.options.durability)
                .create(directory.join(VARIABLES_FILENAME))?;
            let slices = variables.iter().map(|it| (&*it.key, &*it.slices));
            let slices: BTreeMap<&str, &[TensorSlice]> = slices.collect();
            for (key, value) in values {
                let slices = slices.get(&*key).copied().unwrap_or_default();
                value.write_slices_into(&mut bundle, key.as_bytes(), slices)?;
            }
            bundle.finish()?;
        }
        self.variables = Some(variables);
        self.meta_graphs.push(meta_graph);
        Ok(())
    }

    /// Adds the one meta graph of a model of TensorFlow 2, and writes the values of its variables.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is a meta graph already; if a variable has no value; if the root does
    /// not lead to an object, or to one that is captured or has attributes; `Unsupported` for a mutable table in
    /// the tree. Nothing was written then.
    pub fn add_object_model(&mut self, model: ObjectModelBuilder) -> Result<()> {
        self.add_object_model_and_variables(model, Vec::<(Trackable, Tensor)>::new())
    }

    /// Adds the one meta graph of a model of TensorFlow 2, and writes the values of its variables: those
    /// that the tree has, and `values` of those that were described
    /// [without](crate::object_graph::DescribedVariable::without_value).
    ///
    /// ```
    /// use savedmodel::builder::{ObjectModelBuilder, SavedModelBuilder, VariableValue};
    /// use savedmodel::object_graph::{DescribedVariable, ObjectTree};
    /// use savedmodel::{BundleReader, DType, SavedModel, Shape};
    ///
    /// # let directory = std::env::temp_dir().join(format!("savedmodel-object-values-{}", std::process::id()));
    /// let mut tree = ObjectTree::new();
    /// let kernel = DescribedVariable::without_value(DType::FLOAT, Shape::new(&[4, 6])?);
    /// let kernel = tree.track(tree.root(), "kernel", kernel)?;
    ///
    /// let checkpoint = BundleReader::open("tests/fixtures/keras3_saved/variables/variables")?;
    /// let value = VariableValue::from_bundle(&checkpoint, "_operations/1/_kernel/.ATTRIBUTES/VARIABLE_VALUE")?;
    /// let mut builder = SavedModelBuilder::new(directory.join("1"))?;
    /// builder.add_object_model_and_variables(ObjectModelBuilder::new(tree)?, [(kernel, value)])?;
    /// builder.save()?;
    ///
    /// let model = SavedModel::open(directory.join("1"))?;
    /// assert!(model.variables()?.contains("kernel/.ATTRIBUTES/VARIABLE_VALUE")?);
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`add_object_model`](Self::add_object_model); `InvalidArgument` if a value is for no
    /// variable of the tree, for one that has a value, or of another type or shape: nothing was
    /// written then. What reading the values answers, and what [`BundleWriter`] answers.
    pub fn add_object_model_and_variables<'v>(
        &mut self,
        model: ObjectModelBuilder,
        values: impl IntoIterator<Item = (Trackable, impl Into<VariableValue<'v>>)>,
    ) -> Result<()> {
        if !self.meta_graphs.is_empty() {
            return Err(Error::invalid_argument(
                "a model of objects has one meta graph, and there is one already",
            ));
        }
        let values = values
            .into_iter()
            .map(|(variable, value)| (variable, value.into()));
        let values = ObjectValues::new(model.tree(), values)?;
        let meta_graph = object_program::assemble(&model, values.object_graph(), &mut self.assets)?;
        let directory = self.staged.path().join(VARIABLES_DIRECTORY);
        disk::create_directories(&directory).map_err(in_file(&directory))?;
        let mut bundle = BundleWriter::options()
            .durability(self.options.durability)
            .create(directory.join(VARIABLES_FILENAME))?;
        values.write_into(&mut bundle)?;
        bundle.finish()?;
        self.variables = Some(Vec::new());
        self.meta_graphs.push(meta_graph);
        Ok(())
    }

    /// Adds a further meta graph, which shares the variables and assets of the first.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if no first one was added, if one has the same tags, if a variable of the graph
    /// was not saved with the first, if a signature names tensors that the graph does not have or
    /// that are of another type; `NotFound` for a missing asset. Nothing was added then.
    pub fn add_meta_graph(&mut self, meta_graph: MetaGraphBuilder) -> Result<()> {
        let Some(saved) = &self.variables else {
            return Err(Error::invalid_argument(
                "the first graph is added with its variables, by `add_meta_graph_and_variables`",
            ));
        };
        let mut there = self.meta_graphs.iter();
        if there.any(|meta_graph| meta_graph.object_graph_def.is_some()) {
            return Err(Error::invalid_argument(
                "a model of objects has one meta graph: with a second TensorFlow would not see the objects",
            ));
        }
        self.check_tags(&meta_graph)?;
        let assembled = meta_graph.assemble(&mut self.assets)?;
        for variable in assembled.variables.iter().flatten() {
            if !saved.iter().any(|saved| saved.is_same_tensor(variable)) {
                return Err(Error::invalid_argument(
                    "the variable was not saved with the first graph, or has another type or shape there",
                )
                .for_key(variable.key.as_bytes()));
            }
        }
        let dtypes: BTreeMap<&str, _> = saved.iter().map(|it| (&*it.key, it.dtype)).collect();
        restored_keys::check(&assembled.meta_graph, |key| dtypes.get(key).copied())?;
        self.meta_graphs.push(assembled.meta_graph);
        Ok(())
    }

    /// Adds a file for the serving system, which TensorFlow never reads: it is copied to `assets.extra`
    /// under `name`, as in `tf_serving_warmup_requests`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the name leaves that directory or is taken.
    pub fn add_extra_asset(&mut self, name: &str, path: impl Into<PathBuf>) -> Result<()> {
        self.extra.add(name, Content::File(path.into()))
    }

    /// Adds a file for the serving system, as [`add_extra_asset`](Self::add_extra_asset) does, with
    /// these bytes in it.
    ///
    /// # Errors
    ///
    /// As for `add_extra_asset`.
    pub fn add_extra_asset_bytes(&mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Result<()> {
        self.extra.add(name, Content::Bytes(bytes.into()))
    }

    /// Adds requests that TensorFlow Serving warms the model up with. [`save`](Self::save) proves that
    /// the meta graph it serves, that of the tag `serve`, answers them
    /// ([`check`](WarmupRequests::check)).
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there are some already.
    pub fn add_warmup_requests(&mut self, requests: WarmupRequests) -> Result<()> {
        self.add_extra_asset_bytes(WarmupRequests::FILE, requests.to_bytes()?)?;
        self.warmup_requests = Some(requests);
        Ok(())
    }

    /// Adds what the model asks of TensorFlow Serving.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if it is there already.
    pub fn add_saved_model_config(&mut self, config: &SavedModelConfig) -> Result<()> {
        self.add_extra_asset_bytes(SavedModelConfig::FILE, config.encode())
    }

    /// Adds where in source files the nodes of the graph were made: `debug/saved_model_debug_info.pb`, as
    /// `save_debug_info` of `tf.saved_model.SaveOptions` has it written. Nodes of functions are called
    /// `node@function` there.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is some already.
    pub fn add_debug_info(&mut self, info: &GraphDebugInfo) -> Result<()> {
        let encoded = info.encode_to_vec();
        let ordered = Canonical::new(&encoded, "tensorflow.GraphDebugInfo", MapOrder::Python)?;
        self.add_debug_info_bytes(ordered.to_vec())
    }

    /// Adds debug information that is encoded already, as [`add_debug_info`](Self::add_debug_info)
    /// does; the bytes stay as they are.
    ///
    /// # Errors
    ///
    /// As for `add_debug_info`; `Malformed` if it is no `GraphDebugInfo`.
    pub fn add_debug_info_bytes(&mut self, bytes: impl Into<Vec<u8>>) -> Result<()> {
        let bytes = bytes.into();
        if self.debug_info.is_some() {
            return Err(Error::invalid_argument("the model has debug info already"));
        }
        GraphDebugInfo::decode(&bytes[..])
            .map_err(|error| Error::malformed(format!("not a GraphDebugInfo: {error}")))?;
        self.debug_info = Some(bytes);
        Ok(())
    }

    /// Adds the debug information in a file, of another model it may be, as
    /// [`add_debug_info_bytes`](Self::add_debug_info_bytes) does.
    ///
    /// # Errors
    ///
    /// As for `add_debug_info_bytes`; `NotFound` and `Io` as the system has them.
    pub fn add_debug_info_file(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(in_file(path))?;
        self.add_debug_info_bytes(bytes)
            .map_err(|error| error.in_file(path))
    }

    /// Completes the model and moves it to its place; returns its directory.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` without a meta graph, or if something came to be in the place; `TooLarge` for a
    /// program of 2 GiB or more, which no TensorFlow reads, unless it may be
    /// [split](SavedModelBuilderOptions::split_proto); `Unsupported` for what cannot be; `NotFound` and
    /// `Io` as the system has them. What was written is removed.
    pub fn save(mut self) -> Result<PathBuf> {
        if self.meta_graphs.is_empty() {
            return Err(Error::invalid_argument("a model has a meta graph"));
        }
        self.check_warmup_requests()?;
        self.copy_assets()?;
        if let Some(info) = &self.debug_info {
            let name = format!("{DEBUG_DIRECTORY}/{DEBUG_INFO_FILENAME_PB}");
            self.staged.write(name, |out| Ok(out.write_all(info)?))?;
        }
        let model = SavedModel {
            saved_model_schema_version: SAVED_MODEL_SCHEMA_VERSION,
            meta_graphs: std::mem::take(&mut self.meta_graphs),
        };
        let encoded = model.encode_to_vec();
        drop(model);
        self.write_program(&encoded)?;
        let Some(naming) = self.naming else {
            self.staged.publish()?;
            return Ok(self.target);
        };
        let base = &self.target;
        self.staged
            .publish_by(|staged| move_to_version(staged, base, naming))
    }

    fn check_tags(&self, meta_graph: &MetaGraphBuilder) -> Result<()> {
        let tags: BTreeSet<&str> = meta_graph.tags().iter().map(String::as_str).collect();
        let same = self.meta_graphs.iter().any(|there| {
            let info = there.meta_info_def.iter();
            tags == info
                .flat_map(|info| &info.tags)
                .map(String::as_str)
                .collect()
        });
        match same {
            false => Ok(()),
            true => Err(Error::invalid_argument(format!(
                "there is a meta graph with the tags {tags:?} already, and only the first would be found"
            ))),
        }
    }

    fn check_warmup_requests(&self) -> Result<()> {
        let is_served = |meta_graph: &&MetaGraphDef| {
            let info = meta_graph.meta_info_def.iter();
            let mut tags = info.flat_map(|info| &info.tags).peekable();
            tags.peek().is_some() && tags.all(|tag| tag == SERVING)
        };
        let served = self.meta_graphs.iter().find(is_served);
        let (Some(requests), Some(served)) = (&self.warmup_requests, served) else {
            return Ok(());
        };
        let signatures = served.signature_def.iter().map(|entry| {
            let signature = entry.value.clone().unwrap_or_default();
            (entry.key().to_owned(), Signature::from_proto(signature))
        });
        requests.check(&signatures.collect::<BTreeMap<_, _>>())
    }

    fn copy_assets(&self) -> Result<()> {
        let assets = self.assets.files();
        let assets = assets.map(|(name, path)| {
            let content = Content::File(path.to_owned());
            (format!("{ASSETS_DIRECTORY}/{name}"), content)
        });
        for (name, content) in assets {
            self.staged.write(name, |out| content.write_to(out))?;
        }
        for (name, content) in self.extra.iter() {
            let name = format!("{EXTRA_ASSETS_DIRECTORY}/{name}");
            self.staged.write(name, |out| content.write_to(out))?;
        }
        Ok(())
    }
}
