use super::program::Program;
use crate::error::Result;
use crate::model::{MetaGraph, OpPlace, SavedModel};
use crate::object_graph::{Object, ObjectGraph, ObjectKind};

/// Who wrote a model: which TensorFlow, and which library on top of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct WriterReport {
    /// The version of TensorFlow, as `2.21.0`; empty if the file does not say.
    pub tensorflow_version: String,
    /// What `git describe` said of it.
    pub tensorflow_git_version: String,
    /// The version of graphs that it wrote, `producer` of the graph's versions; 0 if unknown.
    pub producer: i32,
    /// The lowest version of graphs that a reader must know.
    pub min_consumer: i32,
    /// What was saved, as far as can be told.
    pub framework: Framework,
    /// By what it is told.
    pub evidence: Vec<String>,
}

/// A library, and its way to save models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Framework {
    /// `model.export` of Keras 3.
    Keras3Export,
    /// A model of Keras 3 given to `tf.saved_model.save`.
    Keras3,
    /// `model.save` of Keras 2, or `tf_keras`; `export_saved_model` of `tf.keras` in TensorFlow 1.
    Keras2,
    /// JAX, by `jax2tf` or another writer of StableHLO.
    Jax,
    /// A module for TensorFlow Hub, of its first format or with the interface of the second.
    TfHub,
    /// `export_saved_model` of an Estimator.
    Estimator,
    /// A `tf.Module` or another object given to `tf.saved_model.save`.
    Tensorflow2,
    /// The builder of TensorFlow 1.
    Tensorflow1,
    /// Nothing tells.
    Unknown,
}

/// The file in which `export_saved_model` of `tf.keras` keeps the layers of a model.
pub(super) const KERAS_1_JSON: &str = "assets/saved_model.json";

impl Framework {
    /// Returns the name that people know.
    pub fn title(self) -> &'static str {
        match self {
            Framework::Keras3Export => "Keras 3 (model.export)",
            Framework::Keras3 => "Keras 3 (tf.saved_model.save)",
            Framework::Keras2 => "Keras 2",
            Framework::Jax => "JAX (StableHLO)",
            Framework::TfHub => "TensorFlow Hub",
            Framework::Estimator => "Estimator",
            Framework::Tensorflow2 => "TensorFlow 2 (tf.saved_model.save)",
            Framework::Tensorflow1 => "TensorFlow 1 (SavedModelBuilder)",
            Framework::Unknown => "an unknown writer",
        }
    }
}

/// Reads what the first meta graph says.
pub(super) fn report(
    model: &SavedModel,
    meta_graph: &MetaGraph<'_>,
    program: &Program<'_>,
    objects: Option<&ObjectGraph>,
    names: &[String],
) -> Result<WriterReport> {
    let versions = &program.versions;
    let (framework, evidence) = framework(model, meta_graph, program, objects, names)?;
    Ok(WriterReport {
        tensorflow_version: meta_graph.tensorflow_version()?.to_owned(),
        tensorflow_git_version: meta_graph.tensorflow_git_version()?.to_owned(),
        producer: versions.producer,
        min_consumer: versions.min_consumer,
        framework,
        evidence,
    })
}

fn framework(
    model: &SavedModel,
    meta_graph: &MetaGraph<'_>,
    program: &Program<'_>,
    objects: Option<&ObjectGraph>,
    names: &[String],
) -> Result<(Framework, Vec<String>)> {
    let mut evidence = Vec::new();
    let root = objects.map(ObjectGraph::root);
    let has_file = |name: &str| names.iter().any(|file| file == name);
    let has_children = |wanted: &[&str]| {
        root.is_some_and(|root| wanted.iter().all(|name| root.child(name).is_some()))
    };
    let stable_hlo = program.ops.iter().any(|op| op.name == b"XlaCallModule");
    if stable_hlo {
        evidence.push("the op XlaCallModule, which runs StableHLO".to_owned());
    }
    if let Some(identifier) = root.and_then(keras_identifier) {
        evidence.push(format!("the root object is a `{identifier}`"));
        if let Some(version) = keras_version(model, root)? {
            evidence.push(format!("its metadata says Keras {version}"));
        }
        return Ok((Framework::Keras2, evidence));
    }
    if has_file("keras_metadata.pb") {
        evidence.push("there is keras_metadata.pb".to_owned());
        return Ok((Framework::Keras2, evidence));
    }
    if has_children(&["_all_variables", "_misc_assets"]) {
        evidence.push("the root object has `_all_variables` and `_misc_assets`".to_owned());
        return Ok((Framework::Keras3Export, evidence));
    }
    if has_children(&["_inbound_nodes", "_build_shapes_dict"])
        || has_children(&["_tracked", "_losses_override"])
    {
        evidence.push("the root object has what layers of Keras 3 have: `_tracked`".to_owned());
        return Ok((Framework::Keras3, evidence));
    }
    if stable_hlo {
        return Ok((Framework::Jax, evidence));
    }
    if has_file("tfhub_module.pb") {
        evidence.push("there is tfhub_module.pb".to_owned());
        return Ok((Framework::TfHub, evidence));
    }
    if has_children(&[
        "__call__",
        "variables",
        "trainable_variables",
        "regularization_losses",
    ]) {
        evidence.push(
            "the root object has `__call__`, `variables`, `trainable_variables` and \
             `regularization_losses`, the interface of reusable models"
                .to_owned(),
        );
        return Ok((Framework::TfHub, evidence));
    }
    if objects.is_some() || meta_graph.has_object_graph()? {
        evidence.push("there is an object graph".to_owned());
        return Ok((Framework::Tensorflow2, evidence));
    }
    if has_file(KERAS_1_JSON) {
        evidence.push(format!(
            "there is {KERAS_1_JSON}, of tf.keras in TensorFlow 1"
        ));
        return Ok((Framework::Keras2, evidence));
    }
    let init = meta_graph.init_op().ok().flatten();
    if init.is_some_and(|init| init.place == OpPlace::Signature) {
        evidence.push("the init op is a signature, and there is no object graph".to_owned());
        return Ok((Framework::Estimator, evidence));
    }
    for (_, signature) in meta_graph.signatures()? {
        if signature.method_name.starts_with("tensorflow/supervised/") {
            evidence.push(format!("a signature for `{}`", signature.method_name));
            return Ok((Framework::Estimator, evidence));
        }
    }
    if meta_graph.stripped_default_attrs()? && program.nodes.find(b"global_step").is_some() {
        evidence.push("default attrs are stripped, and there is `global_step`".to_owned());
        return Ok((Framework::Estimator, evidence));
    }
    if program.main.nodes == 0 {
        return Ok((Framework::Unknown, evidence));
    }
    evidence.push("there is no object graph".to_owned());
    Ok((Framework::Tensorflow1, evidence))
}

/// Returns the identifier of a Keras 2 model or layer.
fn keras_identifier<'g>(root: Object<'g>) -> Option<&'g str> {
    match root.kind() {
        ObjectKind::User(user) => {
            Some(user.identifier()).filter(|name| name.starts_with("_tf_keras_"))
        }
        _ => None,
    }
}

/// Finds the version of Keras in the metadata of the root: JSON of any size, of which one member is
/// wanted.
fn keras_version(model: &SavedModel, root: Option<Object<'_>>) -> Result<Option<String>> {
    let of = |text: &str| {
        let (_, rest) = text.split_once("\"keras_version\": \"")?;
        let (version, _) = rest.split_once('"')?;
        (version.len() < 32).then(|| version.to_owned())
    };
    if let Some(ObjectKind::User(user)) = root.map(Object::kind)
        && let Some(version) = of(user.metadata())
    {
        return Ok(Some(version));
    }
    let metadata = model.keras_metadata().ok().flatten();
    let nodes = metadata.map(|metadata| metadata.nodes).unwrap_or_default();
    Ok(nodes.iter().find_map(|node| of(&node.metadata)))
}
