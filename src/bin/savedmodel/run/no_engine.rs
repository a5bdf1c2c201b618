//! What stands in place of TensorFlow in a program that was built without the feature `tf-runtime`.

use std::path::Path;
use std::time::Duration;

use savedmodel::{SavedModel, Tensor};

use super::engine_options::EngineOptions;
use crate::failure::Failure;

/// A model that is loaded, of which there is none.
pub(crate) enum Engine {}

/// A signature that is ready to run, of which there is none.
pub(crate) enum Call {}

impl Engine {
    pub(crate) fn load(_: &EngineOptions<'_>, _: &SavedModel, _: &[&str]) -> Result<Self, Failure> {
        Err(Failure::Missing(
            "the inputs are right, but this program was built without what runs models: build it \
             with the features `cli` and `tf-runtime`"
                .into(),
        ))
    }

    pub(crate) fn load_time(&self) -> Duration {
        match *self {}
    }

    pub(crate) fn version(&self) -> &str {
        match *self {}
    }

    pub(crate) fn library(&self) -> &Path {
        match *self {}
    }

    pub(crate) fn assigned_variables(&self) -> &[String] {
        match *self {}
    }

    pub(crate) fn signature(
        &self,
        _: &str,
        _: &[String],
        _: Option<Duration>,
    ) -> Result<Call, Failure> {
        match *self {}
    }

    pub(crate) fn run(
        &self,
        _: &[(&str, Tensor)],
        _: &[&str],
    ) -> Result<Vec<Option<Tensor>>, Failure> {
        match *self {}
    }
}

impl Call {
    pub(crate) fn run(&self, _: &[(&str, &Tensor)]) -> Result<Vec<(String, Tensor)>, Failure> {
        match *self {}
    }
}
