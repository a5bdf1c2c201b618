//! What `savedmodel run --json` prints.

use std::time::Duration;

use savedmodel::Tensor;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::engine::Engine;
use super::feeds::Feed;
use super::given::Source;
use super::latency::Latency;
use crate::element;
use crate::failure::Failure;

#[derive(Serialize)]
pub(super) struct Document<'a> {
    pub(super) path: String,
    pub(super) tags: Vec<&'a str>,
    pub(super) signature: &'a str,
    pub(super) inputs: Vec<Input<'a>>,
    /// None if nothing was run.
    pub(super) outputs: Option<Vec<Output<'a>>>,
    pub(super) tensorflow: Option<TensorFlow>,
    pub(super) latency: Option<&'a Latency>,
}

#[derive(Serialize)]
pub(super) struct Input<'a> {
    name: &'a str,
    dtype: String,
    shape: &'a [u64],
    source: Source,
}

#[derive(Serialize)]
pub(super) struct Output<'a> {
    pub(super) name: &'a str,
    dtype: String,
    shape: &'a [u64],
    values: Values<'a>,
    pub(super) file: Option<String>,
}

#[derive(Serialize)]
pub(super) struct TensorFlow {
    version: String,
    library: String,
    load_seconds: f64,
    call_seconds: f64,
    assigned_variables: Vec<String>,
}

impl<'a> Input<'a> {
    pub(super) fn of(feed: &'a Feed) -> Self {
        Input {
            name: &feed.name,
            dtype: feed.tensor.dtype().to_string(),
            shape: feed.tensor.shape().dims(),
            source: feed.source,
        }
    }
}

impl<'a> Output<'a> {
    pub(super) fn of(name: &'a str, tensor: &'a Tensor, file: Option<String>) -> Self {
        Output {
            name,
            dtype: tensor.dtype().to_string(),
            shape: tensor.shape().dims(),
            values: Values(tensor),
            file,
        }
    }
}

impl TensorFlow {
    pub(super) fn of(engine: &Engine, call: Duration) -> Self {
        TensorFlow {
            version: engine.version().to_owned(),
            library: engine.library().to_string_lossy().into_owned(),
            load_seconds: engine.load_time().as_secs_f64(),
            call_seconds: call.as_secs_f64(),
            assigned_variables: engine.assigned_variables().to_vec(),
        }
    }
}

/// Elements in row-major order, as `savedmodel variables` writes them.
struct Values<'a>(&'a Tensor);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = vec![b'['];
        let written = element::for_each::<Failure>(self.0, self.0.elements(), |index, element| {
            if index > 0 {
                text.extend(b", ");
            }
            Ok(element.write_json(&mut text)?)
        });
        written.map_err(S::Error::custom)?;
        text.push(b']');
        let text = String::from_utf8(text).map_err(S::Error::custom)?;
        RawValue::from_string(text)
            .map_err(S::Error::custom)?
            .serialize(serializer)
    }
}
