use std::borrow::Borrow;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use prost::Message;

use super::ffi::{self, Operation, Output};
use super::options::RunOptions;
use crate::error::{Error, Printable, Result};
use crate::proto::RunMetadata;
use crate::tensor::{DType, Tensor};

/// A loaded graph that can be run, by the names of its tensors and nodes. Nothing is checked here
/// but names; a [`SignatureRunner`](super::SignatureRunner) checks dtypes and shapes too.
///
/// Any number of threads may run one session at the same time.
pub struct Session {
    pub(super) raw: ffi::Session,
    /// Whether the graph has variables of TensorFlow 1 that are changed where they lie, so that
    /// outputs may change too after a run.
    has_references: bool,
    /// Counts the nodes that were added, for their names.
    added: AtomicU64,
}

impl Session {
    pub(super) fn new(raw: ffi::Session, has_references: bool) -> Self {
        Session {
            raw,
            has_references,
            added: AtomicU64::new(0),
        }
    }

    /// Feeds tensors, computes what leads to the fetches and the targets, and returns the values of
    /// the fetches in their order; of one that is fed, what was fed. Tensors are named `node:output`, or `node` for output 0; targets
    /// are nodes that are run for what they do.
    ///
    /// ```no_run
    /// # use savedmodel::{Tensor, runtime::SavedModelBundle};
    /// # fn example(bundle: SavedModelBundle) -> savedmodel::Result<()> {
    /// let x = Tensor::scalar(2f32);
    /// let values = bundle.session().run([("x:0", &x)], &["y:0"], &[])?;
    /// println!("{:?}", values[0]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound` for a node or output that the graph does not have; `Unsupported` for a RESOURCE or
    /// VARIANT tensor, which cannot leave TensorFlow; `Runtime` with what TensorFlow says.
    pub fn run<N: AsRef<str>, T: Borrow<Tensor>>(
        &self,
        feeds: impl IntoIterator<Item = (N, T)>,
        fetches: &[&str],
        targets: &[&str],
    ) -> Result<Vec<Tensor>> {
        let (values, _) = self.run_by_name(feeds, fetches, targets, None)?;
        Ok(values)
    }

    /// Runs as [`run`](Self::run) does, with options, and returns what TensorFlow says of the run.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
    pub fn run_with<N: AsRef<str>, T: Borrow<Tensor>>(
        &self,
        options: &RunOptions,
        feeds: impl IntoIterator<Item = (N, T)>,
        fetches: &[&str],
        targets: &[&str],
    ) -> Result<(Vec<Tensor>, RunMetadata)> {
        self.run_by_name(feeds, fetches, targets, Some(options))
    }

    fn run_by_name<N: AsRef<str>, T: Borrow<Tensor>>(
        &self,
        feeds: impl IntoIterator<Item = (N, T)>,
        fetches: &[&str],
        targets: &[&str],
        options: Option<&RunOptions>,
    ) -> Result<(Vec<Tensor>, RunMetadata)> {
        let feeds: Vec<(N, T)> = feeds.into_iter().collect();
        let inputs = feeds.iter().map(|(name, _)| self.tensor(name.as_ref()));
        let inputs: Vec<Output> = inputs.collect::<Result<_>>()?;
        let tensors: Vec<&Tensor> = feeds.iter().map(|(_, tensor)| tensor.borrow()).collect();
        let fetches = fetches.iter().map(|name| {
            let output = self.tensor(name)?;
            self.check_can_leave(name, output).map(|()| output)
        });
        let fetches: Vec<Output> = fetches.collect::<Result<_>>()?;
        let targets = targets.iter().map(|name| self.operation(name));
        let targets: Vec<Operation> = targets.collect::<Result<_>>()?;
        self.run_resolved(options, &inputs, &tensors, &fetches, &targets)
    }

    pub(super) fn run_resolved(
        &self,
        options: Option<&RunOptions>,
        inputs: &[Output],
        tensors: &[&Tensor],
        fetches: &[Output],
        targets: &[Operation],
    ) -> Result<(Vec<Tensor>, RunMetadata)> {
        if fetches.is_empty() && targets.is_empty() {
            // TensorFlow refuses to do nothing.
            return Ok(Default::default());
        }
        let fed = |fetch: &Output| inputs.iter().position(|input| input == fetch);
        if fetches.iter().any(|fetch| fed(fetch).is_some()) {
            // TensorFlow refuses to return what it was fed, which its Python does not.
            let computed = fetches.iter().filter(|fetch| fed(fetch).is_none());
            let computed: Vec<Output> = computed.copied().collect();
            let (results, metadata) =
                self.run_resolved(options, inputs, tensors, &computed, targets)?;
            let mut results = results.into_iter();
            let all = fetches.iter().filter_map(|fetch| match fed(fetch) {
                Some(place) => tensors.get(place).map(|tensor| (*tensor).clone()),
                None => results.next(),
            });
            return Ok((all.collect(), metadata));
        }
        let values = tensors.iter().map(|tensor| self.raw.value(tensor));
        let values: Vec<ffi::Value> = values.collect::<Result<_>>()?;
        let encoded = options.map(RunOptions::encode);
        let mut metadata = options.map(|_| Vec::new());
        let results = self.raw.run(
            encoded.as_deref().unwrap_or_default(),
            (inputs, &values),
            fetches,
            targets,
            metadata.as_mut(),
        )?;
        let results = results.into_iter();
        let tensors = results.map(|value| value.into_tensor(self.has_references));
        let tensors = tensors.collect::<Result<_>>()?;
        let metadata = match metadata {
            Some(bytes) => RunMetadata::decode(&*bytes)
                .map_err(|error| Error::malformed(format!("the run's metadata: {error}")))?,
            None => RunMetadata::default(),
        };
        Ok((tensors, metadata))
    }

    pub(super) fn next_number(&self) -> u64 {
        self.added.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn operation(&self, name: &str) -> Result<Operation> {
        let found = self.raw.operation(name);
        found.ok_or_else(|| Error::not_found(format!("node `{}` of the graph", Printable(name))))
    }

    pub(super) fn tensor(&self, name: &str) -> Result<Output> {
        let (node, index) = match name.rsplit_once(':') {
            Some((node, index)) => (node, index.parse().ok()),
            None => (name, Some(0)),
        };
        let Some(index) = index else {
            return Err(Error::invalid_argument(format!(
                "`{}` is no name of a tensor, which is `node:output`",
                Printable(name)
            )));
        };
        let output = self.raw.output(self.operation(node)?, index);
        output.ok_or_else(|| {
            Error::not_found(format!("output {index} of the node `{}`", Printable(node)))
        })
    }

    /// Returns the dtype of a tensor of the graph; of an old variable's, that of its values.
    pub(super) fn dtype(&self, output: Output) -> DType {
        self.raw.dtype(output).base()
    }

    pub(super) fn check_can_leave(&self, name: &str, output: Output) -> Result<()> {
        match self.dtype(output) {
            dtype @ (DType::RESOURCE | DType::VARIANT) => Err(Error::unsupported(format!(
                "`{}` is of dtype {dtype}, whose values cannot leave TensorFlow",
                Printable(name)
            ))),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
