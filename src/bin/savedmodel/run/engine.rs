//! TensorFlow, as far as it is needed to run a model.

use std::path::Path;
use std::time::{Duration, Instant};

use savedmodel::model::Format;
use savedmodel::runtime::{
    LoadOptions, RunOptions, Runtime, SavedModelBundle, SessionOptions, SignatureRunner,
    UnassignedVariables,
};
use savedmodel::{Error, ErrorKind, SavedModel, Tensor};

use super::engine_options::EngineOptions;
use super::noise::Noise;
use crate::failure::Failure;

/// A model that is loaded.
pub(crate) struct Engine {
    bundle: SavedModelBundle,
    runtime: Runtime,
    load_time: Duration,
}

impl Engine {
    /// Finds TensorFlow, and loads a meta graph of a model into it.
    pub(crate) fn load(
        options: &EngineOptions<'_>,
        model: &SavedModel,
        tags: &[&str],
    ) -> Result<Self, Failure> {
        check_form(model)?;
        let noise = Noise::suppress();
        let runtime = match options.library {
            Some(path) => Runtime::open(path),
            None => Runtime::find(),
        };
        let runtime = runtime.map_err(refused)?;
        for library in options.op_libraries {
            runtime.load_op_library(library).map_err(refused)?;
        }
        let mut session = SessionOptions::default();
        if let Some(threads) = options.threads {
            session = session.threads(threads);
        }
        if options.is_inline {
            session = session.inline();
        }
        let unassigned = match (options.is_stock, options.assigns_variables) {
            (true, _) => UnassignedVariables::Leave,
            (false, true) => UnassignedVariables::Assign,
            (false, false) => UnassignedVariables::Refuse,
        };
        let start = Instant::now();
        let bundle = LoadOptions::default()
            .session_options(session)
            .unassigned_variables(unassigned)
            .load(runtime, model.path(), tags)
            .map_err(refused)?;
        let load_time = start.elapsed();
        drop(noise);
        Ok(Engine {
            bundle,
            runtime,
            load_time,
        })
    }

    /// Returns how long loading the model took, without TensorFlow itself.
    pub(crate) fn load_time(&self) -> Duration {
        self.load_time
    }

    pub(crate) fn version(&self) -> &str {
        self.runtime.version()
    }

    pub(crate) fn library(&self) -> &Path {
        self.runtime.path()
    }

    /// Returns the variables that were given values because nothing else did.
    pub(crate) fn assigned_variables(&self) -> &[String] {
        self.bundle.assigned_variables()
    }

    /// Returns a signature with the outputs that are wanted, all if none is named.
    pub(crate) fn signature(
        &self,
        key: &str,
        outputs: &[String],
        timeout: Option<Duration>,
    ) -> Result<Call, Failure> {
        let runner = self.bundle.signature(key).map_err(refused)?;
        let outputs = match (outputs, timeout) {
            ([], Some(_)) => runner.outputs().map(|(name, ..)| name.to_owned()).collect(),
            (outputs, _) => outputs.to_vec(),
        };
        Ok(Call {
            runner,
            outputs,
            timeout,
        })
    }

    /// Feeds tensors of the graph, and returns others; a name that is no tensor's is run as a node,
    /// and has no value.
    pub(crate) fn run(
        &self,
        feeds: &[(&str, Tensor)],
        fetches: &[&str],
    ) -> Result<Vec<Option<Tensor>>, Failure> {
        let is_tensor = |name: &&&str| name.contains(':');
        let tensors: Vec<&str> = fetches.iter().filter(is_tensor).copied().collect();
        let nodes: Vec<&str> = fetches
            .iter()
            .filter(|name| !is_tensor(name))
            .copied()
            .collect();
        let feeds = feeds.iter().map(|(name, tensor)| (*name, tensor));
        let values = self.bundle.session().run(feeds, &tensors, &nodes);
        let mut values = values.map_err(refused)?.into_iter();
        let values = fetches.iter().map(|name| match is_tensor(&name) {
            true => values.next(),
            false => None,
        });
        Ok(values.collect())
    }
}

/// A signature that is ready to run.
pub(crate) struct Call {
    runner: SignatureRunner,
    /// Those that are wanted; all if none is named, unless there is a limit of time.
    outputs: Vec<String>,
    timeout: Option<Duration>,
}

impl Call {
    /// Runs the signature; outputs come in the order of their names, or of those that are wanted.
    pub(crate) fn run(&self, feeds: &[(&str, &Tensor)]) -> Result<Vec<(String, Tensor)>, Failure> {
        let feeds = feeds.iter().copied();
        let outputs = match (&self.outputs[..], self.timeout) {
            ([], None) => self.runner.run(feeds).map_err(refused)?,
            (wanted, timeout) => {
                let mut options = RunOptions::default();
                if let Some(timeout) = timeout {
                    options = options.timeout(timeout);
                }
                let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
                let outputs = self.runner.run_with(&options, feeds, &wanted);
                outputs.map_err(refused)?.0
            }
        };
        let outputs = outputs.iter();
        Ok(outputs
            .map(|(name, tensor)| (name.to_owned(), tensor.clone()))
            .collect())
    }
}

/// Refuses a program that TensorFlow would not load, or for which it would load another.
fn check_form(model: &SavedModel) -> Result<(), Failure> {
    let (file, directory) = (model.model_path().display(), model.path().display());
    let what = match model.format() {
        Format::Chunked => format!(
            "{file}: TensorFlow does not load split models (`savedmodel convert {directory} OUT \
             --to pb` makes one that it does)"
        ),
        Format::Text if model.other_formats()?.contains(&Format::Binary) => format!(
            "{file}: TensorFlow loads the saved_model.pb beside it instead (name the directory to \
             run that one)"
        ),
        _ => return Ok(()),
    };
    Err(Failure::Missing(what.into()))
}

/// Says in one line what TensorFlow says in several, and in options what helps in a program.
fn refused(error: Error) -> Failure {
    if error
        .help()
        .is_some_and(|help| help.contains("UnassignedVariables::Assign"))
    {
        return Failure::Explained(
            error,
            "tf.saved_model.save writes that for Keras 3; --assign-variables gives them the \
             values of the checkpoint, which TensorFlow Serving and C++ do not"
                .into(),
        );
    }
    match error.kind() {
        ErrorKind::Runtime { .. } => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            Failure::Missing(line.to_owned().into())
        }
        _ => error.into(),
    }
}
