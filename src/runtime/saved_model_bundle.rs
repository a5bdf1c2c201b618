use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use prost::Message;

use super::captures::{Captures, Handles};
use super::ffi;
use super::installation::Runtime;
use super::options::{LoadOptions, UnassignedVariables};
use super::restored_function::RestoredFunction;
use super::session::Session;
use super::signature_runner::SignatureRunner;
use super::soundness;
use super::variable_flow::{VariableFlow, is_variable};
use crate::error::{Error, Printable, Result};
use crate::model::{MetaGraph, SavedModel};
use crate::object_graph::ObjectGraph;

/// A model that is loaded into TensorFlow: a session with its variables restored and its init op
/// run, and the model's own description. C++ has it under the same name
/// (`tensorflow/cc/saved_model/loader.h`).
///
/// Any number of threads may use it at the same time. Dropping it closes the session, as soon as
/// the runners of its signatures are gone too.
pub struct SavedModelBundle {
    model: SavedModel,
    tags: Vec<String>,
    session: Arc<Session>,
    /// Variables that were given values here because nothing else did.
    assigned: Vec<String>,
    objects: OnceLock<ObjectGraph>,
    pub(super) captures: Mutex<Captures>,
}

impl SavedModelBundle {
    pub(super) fn load(
        runtime: Runtime,
        options: &LoadOptions,
        directory: &Path,
        tags: Vec<String>,
    ) -> Result<Self> {
        let model = SavedModel::open(directory)?;
        let restores = model.has_variables()?;
        let (has_references, unassigned) = {
            let meta_graph = model.meta_graph(&tags)?;
            soundness::check(&model, meta_graph, &tags)?;
            let mut has_references = false;
            for node in meta_graph.graph().nodes() {
                has_references |= is_reference_variable(node?.op());
            }
            let unassigned = match options.unassigned {
                UnassignedVariables::Leave => BTreeMap::new(),
                _ => VariableFlow::read(meta_graph.graph())?.unassigned(meta_graph, restores)?,
            };
            (has_references, unassigned)
        };
        let refuses = options.unassigned == UnassignedVariables::Refuse || !restores;
        if !unassigned.is_empty() && refuses {
            return Err(refusal(&model, &unassigned, restores));
        }
        let tag_names: Vec<&str> = tags.iter().map(String::as_str).collect();
        let session = ffi::Session::load(
            runtime.api,
            (
                &options.session.config.encode_to_vec(),
                &options.session.target,
            ),
            &options.run.encode(),
            directory,
            &tag_names,
        );
        let session = Session::new(
            session.map_err(|error| error.in_file(directory))?,
            has_references,
        );
        let mut bundle = SavedModelBundle {
            session: Arc::new(session),
            assigned: Vec::new(),
            objects: OnceLock::new(),
            captures: Mutex::default(),
            tags,
            model,
        };
        if !unassigned.is_empty() {
            let mut variables: Vec<String> = unassigned.into_values().flatten().collect();
            variables.sort_unstable();
            variables.dedup();
            bundle.assign(&variables)?;
            bundle.assigned = variables;
        }
        Ok(bundle)
    }

    /// Gives variables of the graph the values of the objects that signatures know them as.
    fn assign(&self, variables: &[String]) -> Result<()> {
        let meta_graph = self.meta_graph()?;
        let in_file = |error: Error| error.in_file(self.model.model_path());
        let Some(objects) = self.model.object_graph()? else {
            return Err(in_file(Error::unsupported(
                "the model has variables without a value, and no object graph that says which \
                 values are theirs",
            )));
        };
        let flow = VariableFlow::read(meta_graph.graph())?;
        let handles = Handles::read(meta_graph, &objects)?.by_variable(&flow);
        let mut assignments = Vec::new();
        for name in variables {
            let object = handles.get(&**name).and_then(|id| objects.get(*id));
            let variable = object.and_then(|object| object.variable());
            let key = variable.and_then(|variable| variable.checkpoint_key());
            let Some(key) = key else {
                return Err(in_file(Error::unsupported(format!(
                    "the variable `{}` has no value, and the bundle none for it",
                    Printable(name)
                ))));
            };
            let handle = self.session.tensor(name)?;
            assignments.push((handle, self.model.variables()?.tensor(key)?));
        }
        self.session.assign(&assignments)
    }

    /// Returns the model's description, read by this crate.
    ///
    /// # Errors
    ///
    /// None in practice: loading has found it.
    pub fn meta_graph(&self) -> Result<MetaGraph<'_>> {
        self.model.meta_graph(&self.tags)
    }

    /// Returns the model as it is on disk.
    pub fn model(&self) -> &SavedModel {
        &self.model
    }

    /// Returns the session, to run parts of the graph by the names of tensors and nodes.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Returns the objects of the model, read the first time.
    pub(super) fn objects(&self) -> Result<&ObjectGraph> {
        if let Some(objects) = self.objects.get() {
            return Ok(objects);
        }
        let Some(objects) = self.model.object_graph()? else {
            return Err(Error::not_found("object graph").remedy(
                "models of TensorFlow 1, and those of several meta graphs, have no functions that \
                 can be called by path, but signatures",
            ));
        };
        Ok(self.objects.get_or_init(|| objects))
    }

    pub(super) fn shared_session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Returns the nodes of the variables that [`UnassignedVariables::Assign`] has given values.
    pub fn assigned_variables(&self) -> &[String] {
        &self.assigned
    }

    /// Returns a signature, ready to run.
    ///
    /// # Errors
    ///
    /// `NotFound`, with the keys that come closest, if there is none of that key; `Malformed` if a
    /// dtype or output is not that of the graph, or a default not what the input takes;
    /// `Unsupported` if an output is of a dtype whose values cannot leave TensorFlow.
    pub fn signature(&self, key: &str) -> Result<SignatureRunner> {
        let meta_graph = self.meta_graph()?;
        let signature = meta_graph.signature(key)?;
        let mut with_default = HashSet::new();
        for node in meta_graph.graph().nodes() {
            let node = node?;
            if node.op() == "PlaceholderWithDefault" {
                with_default.insert(node.name());
            }
        }
        let is_optional = |node: &str| with_default.contains(node);
        SignatureRunner::new(&self.session, key, &signature, is_optional)
            .map_err(|error| error.in_file(self.model.model_path()))
    }

    /// Returns a function of the model's objects by its path, as
    /// [`ObjectGraph::object`](crate::object_graph::ObjectGraph::object) finds it:
    /// `layers[0].call`. The path of an object that can be called leads to its `__call__`; that of
    /// the root is `root`.
    ///
    /// Python restores the same functions (`tensorflow/python/saved_model/load.py`); C++ does not.
    ///
    /// ```no_run
    /// # use savedmodel::{Tensor, runtime::SavedModelBundle};
    /// # fn example(bundle: SavedModelBundle) -> savedmodel::Result<()> {
    /// let x = Tensor::from_slice([1, 2], &[1f32, 2.])?;
    /// let y = bundle.function("layers[0]")?.call([x.into()], [("training", false.into())])?;
    /// println!("{y:?}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound`, with the names that exist, if the path leads nowhere, and if the model has no
    /// objects; `InvalidArgument` if the object is no function; `Malformed` if what the model says
    /// of it is damaged.
    pub fn function(&self, path: &str) -> Result<RestoredFunction<'_>> {
        RestoredFunction::find(self, path).map_err(|error| error.in_file(self.model.model_path()))
    }
}

impl fmt::Debug for SavedModelBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedModelBundle")
            .field("path", &self.model.path())
            .field("tags", &self.tags)
            .finish_non_exhaustive()
    }
}

fn is_reference_variable(op: &str) -> bool {
    is_variable(op) && op != "VarHandleOp" || op == "TemporaryVariable"
}

/// Explains why a model that TensorFlow loads cannot run.
fn refusal(
    model: &SavedModel,
    unassigned: &BTreeMap<String, Vec<String>>,
    restores: bool,
) -> Error {
    /// So many names are told.
    const TOLD: usize = 3;
    let (key, variables) = match unassigned.first_key_value() {
        Some((key, variables)) => (&**key, &variables[..]),
        None => ("", &[][..]),
    };
    let told: Vec<String> = variables
        .iter()
        .take(TOLD)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = match variables.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let what = format!(
        "signature `{}` reads the variables {}{more}, to which loading gives no value",
        Printable(key),
        Printable(&told.join(", "))
    );
    match restores {
        true => Error::malformed(what).in_file(model.model_path()).remedy(
            "TensorFlow's C++ loader and TensorFlow Serving load such a model and cannot run it; \
             `tf.saved_model.save` writes it for Keras 3, `model.export` does not. Load it with \
             `UnassignedVariables::Assign` to have the values put in from the bundle",
        ),
        false => Error::not_found(format!("file of variables; {what}"))
            .in_file(model.path().join("variables/variables.index"))
            .remedy("copy the directory `variables` of the model too"),
    }
}
