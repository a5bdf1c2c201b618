use std::io::Write;

use savedmodel::example::{DefaultValue, FeatureSpec, Layout, ParsingSpec};
use savedmodel::inspect::{SignatureReport, Structure};
use savedmodel::object_graph::{ConcreteFunction, ObjectGraph, ObjectKind};
use savedmodel::{MetaGraph, Result, SavedModel, Signature, Tensor};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::args;
use crate::element;
use crate::failure::{Failure, Outcome};
use crate::json;

/// What `savedmodel show --json` prints.
#[derive(Serialize)]
struct Document {
    path: String,
    meta_graphs: Vec<Shown>,
}

/// One meta graph, as far as was asked.
#[derive(Serialize)]
struct Shown {
    tags: Vec<String>,
    signatures: Vec<ShownSignature>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ops: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    functions: Option<Vec<ShownFunction>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parsing: Option<Vec<ShownParsing>>,
}

#[derive(Serialize)]
struct ShownSignature {
    #[serde(flatten)]
    report: SignatureReport,
    /// Values of inputs that need not be fed, ascending by name.
    defaults: Vec<ShownDefault>,
}

#[derive(Serialize)]
struct ShownDefault {
    name: String,
    value: ShownTensor,
}

/// A tensor with all its elements, or the first of them.
#[derive(Serialize)]
struct ShownTensor {
    dtype: String,
    shape: Vec<u64>,
    values: Box<RawValue>,
    truncated: bool,
}

/// A function of the root object, with each concrete function that it may become.
#[derive(Serialize)]
struct ShownFunction {
    name: String,
    concrete_functions: Vec<ShownConcreteFunction>,
}

#[derive(Serialize)]
struct ShownConcreteFunction {
    name: String,
    /// A tuple of a tuple, the arguments by position, and a dict, those by keyword.
    arguments: Option<Structure>,
    result: Option<Structure>,
    /// The names of tensors, of a function that takes tensors alone, as signatures do.
    keywords: Vec<String>,
}

/// What a node takes out of serialized examples.
#[derive(Serialize)]
struct ShownParsing {
    node: String,
    op: String,
    function: Option<String>,
    features: Vec<ShownFeature>,
    feature_lists: Vec<ShownFeature>,
}

#[derive(Serialize)]
struct ShownFeature {
    key: String,
    dtype: String,
    layout: &'static str,
    /// Of a dense feature, for each example or step.
    shape: Option<Vec<Option<i64>>>,
    required: bool,
    default: Option<ShownTensor>,
    /// The tensor that computes the default.
    default_tensor: Option<String>,
}

pub(super) fn write(
    args: &args::Show,
    model: &SavedModel,
    meta_graphs: &[MetaGraph<'_>],
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let mut shown = Vec::new();
    for meta_graph in meta_graphs {
        shown.push(read(args, *meta_graph)?);
    }
    let document = Document {
        path: model.path().to_string_lossy().into_owned(),
        meta_graphs: shown,
    };
    json::document(out, "show", 1, &document)?;
    Ok(Outcome::Sound)
}

fn read(args: &args::Show, meta_graph: MetaGraph<'_>) -> Result<Shown, Failure> {
    let signatures = match &args.signature {
        Some(key) => vec![signature(key, &meta_graph.signature(key)?)?],
        None => {
            let mut shown = Vec::new();
            for (key, of) in &meta_graph.signatures()? {
                shown.push(signature(key, of)?);
            }
            shown
        }
    };
    let ops = match args.ops || args.all {
        true => {
            let ops = super::stock_ops(meta_graph)?;
            Some(ops.into_iter().map(str::to_owned).collect())
        }
        false => None,
    };
    let (mut listed, mut parsing) = (None, None);
    if args.all {
        if let Some(objects) = meta_graph.object_graph()? {
            listed = Some(functions(&objects)?);
        }
        let specs = meta_graph.parsing_specs()?;
        parsing = Some(specs.iter().map(parsing_of).collect::<Result<_, _>>()?);
    }
    Ok(Shown {
        tags: meta_graph.tags()?.into_iter().map(str::to_owned).collect(),
        signatures,
        ops,
        functions: listed,
        parsing,
    })
}

fn signature(key: &str, signature: &Signature) -> Result<ShownSignature, Failure> {
    let mut defaults = Vec::new();
    for name in signature.defaults.keys() {
        if let Some(value) = signature.default_value(name)? {
            defaults.push(ShownDefault {
                name: name.clone(),
                value: tensor(&value)?,
            });
        }
    }
    Ok(ShownSignature {
        report: SignatureReport::of(key, signature),
        defaults,
    })
}

/// So many elements of a tensor are shown.
const MAX_ELEMENTS: u64 = 1000;

fn tensor(tensor: &Tensor) -> Result<ShownTensor, Failure> {
    let shown = tensor.elements().min(MAX_ELEMENTS);
    let mut text = b"[".to_vec();
    element::for_each::<Failure>(tensor, shown, |index, element| {
        if index > 0 {
            text.extend(b", ");
        }
        Ok(element.write_json(&mut text)?)
    })?;
    text.push(b']');
    let text = String::from_utf8(text).map_err(std::io::Error::other)?;
    Ok(ShownTensor {
        dtype: tensor.dtype().name().into_owned(),
        shape: tensor.shape().dims().to_vec(),
        values: RawValue::from_string(text).map_err(std::io::Error::from)?,
        truncated: shown < tensor.elements(),
    })
}

/// Reads the functions of the root object, ascending by name.
fn functions(objects: &ObjectGraph) -> Result<Vec<ShownFunction>> {
    let mut shown = Vec::new();
    for (name, child) in objects.root().children() {
        let mut concrete_functions = Vec::new();
        match child.kind() {
            ObjectKind::Function(function) => {
                for function in function.concrete_functions() {
                    concrete_functions.push(concrete_function(&function?, Vec::new())?);
                }
            }
            ObjectKind::BareConcreteFunction(function) => {
                let keywords = function.argument_keywords().map(str::to_owned).collect();
                let function = function.concrete_function()?;
                concrete_functions.push(concrete_function(&function, keywords)?);
            }
            _ => continue,
        }
        shown.push(ShownFunction {
            name: name.to_owned(),
            concrete_functions,
        });
    }
    shown.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(shown)
}

fn concrete_function(
    function: &ConcreteFunction<'_>,
    keywords: Vec<String>,
) -> Result<ShownConcreteFunction> {
    let arguments = function.canonicalized_input_signature()?;
    let result = function.output_signature()?;
    Ok(ShownConcreteFunction {
        name: function.name().to_owned(),
        arguments: arguments.as_ref().map(Structure::of),
        result: result.as_ref().map(Structure::of),
        keywords,
    })
}

fn parsing_of(spec: &ParsingSpec) -> Result<ShownParsing, Failure> {
    let all = |features: &[FeatureSpec]| features.iter().map(feature).collect::<Result<_, _>>();
    Ok(ShownParsing {
        node: spec.node().to_owned(),
        op: spec.op().to_owned(),
        function: spec.function().map(str::to_owned),
        features: all(spec.features())?,
        feature_lists: all(spec.feature_lists())?,
    })
}

fn feature(spec: &FeatureSpec) -> Result<ShownFeature, Failure> {
    let (layout, shape) = match spec.layout() {
        Layout::Dense(shape) => ("dense", shape.to_signed()),
        Layout::Sparse => ("sparse", None),
        Layout::Ragged { .. } => ("ragged", None),
        _ => ("other", None),
    };
    let (mut default, mut default_tensor) = (None, None);
    match spec.default() {
        DefaultValue::Value(value) => default = Some(tensor(value)?),
        DefaultValue::Computed(name) => default_tensor = Some(name.clone()),
        _ => {}
    }
    Ok(ShownFeature {
        key: spec.key().to_owned(),
        dtype: spec.dtype().name().into_owned(),
        layout,
        shape: shape.map(|dims| {
            let dims = dims.into_iter();
            dims.map(|dim| (dim != -1).then_some(dim)).collect()
        }),
        required: spec.is_required(),
        default,
        default_tensor,
    })
}
