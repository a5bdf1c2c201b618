use std::path::Path;
use std::time::Duration;

use prost::Message;

use super::installation::Runtime;
use super::saved_model_bundle::SavedModelBundle;
use crate::error::Result;
use crate::proto::{self, ConfigProto};

/// How a session is made: threads, devices, optimizers.
///
/// ```
/// use savedmodel::runtime::SessionOptions;
///
/// // Two threads within an op, ops one after the other in the thread that calls.
/// let options = SessionOptions::default().threads(2).inline();
/// assert_eq!(options.config.intra_op_parallelism_threads, 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SessionOptions {
    /// Everything that TensorFlow lets one choose: `tensorflow/core/protobuf/config.proto`.
    pub config: ConfigProto,
    /// The server that runs the session; empty for this process.
    pub target: String,
}

impl SessionOptions {
    /// Sets how many threads work on one op. Default: as many as there are cores. The first session
    /// of a process decides for all.
    pub fn threads(mut self, threads: u16) -> Self {
        self.config.intra_op_parallelism_threads = threads.into();
        self
    }

    /// Runs ops one after the other in the thread that calls, instead of in a pool. A call of a
    /// small model is three to ten times as fast then.
    pub fn inline(mut self) -> Self {
        self.config.inter_op_parallelism_threads = -1;
        self
    }

    /// Leaves graphics cards alone.
    pub fn cpu_only(mut self) -> Self {
        let gpus = proto::config_proto::DeviceCountEntry {
            key: Some("GPU".to_owned()),
            value: Some(0),
        };
        self.config.device_count.push(gpus);
        self
    }
}

/// How one run is done: time limit, tracing.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RunOptions {
    /// Everything that TensorFlow lets one choose: `tensorflow/core/protobuf/config.proto`.
    pub proto: proto::RunOptions,
}

impl RunOptions {
    /// Ends a run with `DEADLINE_EXCEEDED` after so long.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        let milliseconds = timeout.as_millis().clamp(1, i64::MAX as u128);
        self.proto.timeout_in_ms = milliseconds as i64;
        self
    }

    /// Asks for what was run, where and how long, in the run's metadata.
    pub fn full_trace(mut self) -> Self {
        self.proto
            .set_trace_level(proto::run_options::TraceLevel::FullTrace);
        self
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        self.proto.encode_to_vec()
    }
}

/// What to do about variables that a signature reads and that nothing gives a value.
///
/// `tf.saved_model.save` of a Keras 3 model writes such: the function that restores assigns other
/// handles than the signatures capture. Python, which goes by objects, runs them; TensorFlow's C++
/// loader, and so TensorFlow Serving, loads them and then fails with `Could not find variable`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnassignedVariables {
    /// Loading fails and says which they are.
    #[default]
    Refuse,
    /// They get the values that the model's bundle has for the objects they belong to.
    Assign,
    /// Nothing: the signatures that read them fail when they are run.
    Leave,
}

/// How a model is loaded. [`Runtime::load_saved_model`] takes the defaults.
///
/// ```no_run
/// use savedmodel::runtime::{LoadOptions, Runtime, SessionOptions, UnassignedVariables};
///
/// let bundle = LoadOptions::default()
///     .session_options(SessionOptions::default().inline())
///     .unassigned_variables(UnassignedVariables::Assign)
///     .load(Runtime::find()?, "path/to/keras3_model", ["serve"])?;
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    pub(super) session: SessionOptions,
    pub(super) run: RunOptions,
    pub(super) unassigned: UnassignedVariables,
}

impl LoadOptions {
    /// Sets how the session is made.
    pub fn session_options(mut self, options: SessionOptions) -> Self {
        self.session = options;
        self
    }

    /// Sets how the ops that restore and initialize are run.
    pub fn run_options(mut self, options: RunOptions) -> Self {
        self.run = options;
        self
    }

    /// Sets what to do about variables without a value. Default:
    /// [`Refuse`](UnassignedVariables::Refuse).
    pub fn unassigned_variables(mut self, policy: UnassignedVariables) -> Self {
        self.unassigned = policy;
        self
    }

    /// Loads the first meta graph that has exactly these tags, restores its variables and runs its
    /// init op. The model is checked before TensorFlow sees it.
    ///
    /// # Errors
    ///
    /// What [`SavedModel::open`](crate::SavedModel::open) and
    /// [`meta_graph`](crate::SavedModel::meta_graph) answer. `Malformed` for what TensorFlow does
    /// not notice, or does not survive: several meta graphs with these tags, signatures of tensors
    /// that are not in the graph, variables without a value, functions that call each other in a
    /// circle, assets outside of the model. `NotFound` if the file of variables or of an asset is
    /// missing. `Runtime` with what TensorFlow says.
    pub fn load<T: AsRef<str>>(
        &self,
        runtime: Runtime,
        export_dir: impl AsRef<Path>,
        tags: impl IntoIterator<Item = T>,
    ) -> Result<SavedModelBundle> {
        let tags = tags
            .into_iter()
            .map(|tag| tag.as_ref().to_owned())
            .collect();
        SavedModelBundle::load(runtime, self, export_dir.as_ref(), tags)
    }
}
