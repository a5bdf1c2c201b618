use std::collections::HashMap;

use super::asset_names::AssetNames;
use super::constants::*;
use super::meta_graph::{Assembled, MetaGraphBuilder};
use super::object_model::{Captured, ModelTrace, ObjectModelBuilder, Part};
use super::object_nodes;
use super::static_table::Content;
use crate::error::{Error, Result};
use crate::graph::{GraphBuilder, Operation, Output, SavedVariable, Variable};
use crate::model::{Signature, TensorInfo};
use crate::object_graph::{CheckpointGraph, SavedObjects, StructuredValue};
use crate::proto::meta_graph_def::SignatureDefEntry;
use crate::proto::{
    AssetFileDef, MetaGraphDef, SaverDef, SignatureDef, TensorInfo as TensorInfoProto,
    TensorShapeProto, signature_def, tensor_info,
};
use crate::tensor::{DType, PartialShape, Shape, Tensor};

/// The main graph of a model of objects, by which session loaders run it, and the meta graph around it.
///
/// In TensorFlow: `_fill_meta_graph_def` in `tensorflow/python/saved_model/save.py`.
pub(super) fn assemble(
    model: &ObjectModelBuilder,
    checkpoint: &[u8],
    names: &mut AssetNames,
) -> Result<MetaGraphDef> {
    check_reached(model)?;
    let objects = model.tree.saved_objects()?;
    let mut program = ObjectProgram::new(model);
    program.add_variables(&objects)?;
    program.add_parts()?;
    let mut signatures = Vec::new();
    for (key, &trace) in &model.signatures {
        let signature = program.add_signature(key, &model.traces[trace]);
        let signature = signature.map_err(|error| error.for_key(key.as_bytes()))?;
        signatures.push((key, signature));
    }
    program.fill_tables()?;
    for trace in &model.traces {
        program.graph.add_function(trace.function())?;
    }
    let main_op = program.graph.group("NoOp", &program.initializers)?;
    let saver = program.add_saver(checkpoint)?;

    let mut meta_graph = MetaGraphBuilder::new(program.graph, model.tags.iter().cloned())
        .main_op(&main_op)
        .function_aliases(model.aliases_by_name()?)
        .strip_default_attrs();
    for (key, signature) in signatures {
        meta_graph = meta_graph.signature(key, signature);
    }
    if let Some(saver) = saver {
        meta_graph = meta_graph.saver(saver);
    }
    let Assembled { mut meta_graph, .. } = meta_graph.assemble(names)?;
    meta_graph.asset_file_def = asset_files(model, &program.assets, names)?;
    let place = meta_graph
        .signature_def
        .partition_point(|entry| entry.key() < INIT_OP_SIGNATURE_KEY);
    meta_graph
        .signature_def
        .insert(place, init_op_signature(main_op.name()));
    meta_graph.object_graph_def = Some(object_nodes::assemble(model, objects, &program.constants)?);
    Ok(meta_graph)
}

struct ObjectProgram<'m> {
    model: &'m ObjectModelBuilder,
    graph: GraphBuilder,
    /// The tensor that stands for what functions capture.
    captured: HashMap<Captured, Output>,
    variables: Vec<(Variable, String)>,
    /// By its part: the placeholder that the path of an asset is fed to.
    assets: HashMap<usize, Output>,
    /// By its part: the node of a constant.
    constants: HashMap<usize, String>,
    initializers: Vec<Operation>,
}

impl<'m> ObjectProgram<'m> {
    fn new(model: &'m ObjectModelBuilder) -> Self {
        ObjectProgram {
            model,
            graph: GraphBuilder::new(),
            captured: HashMap::new(),
            variables: Vec::new(),
            assets: HashMap::new(),
            constants: HashMap::new(),
            initializers: Vec::new(),
        }
    }

    fn add_variables(&mut self, objects: &SavedObjects) -> Result<()> {
        let mut by_number = HashMap::new();
        for variable in &objects.variables {
            let name = node_name(&variable.full_name);
            let handle = self
                .graph
                .variable_handle(&name, variable.dtype, &variable.shape)?;
            by_number.insert(variable.number, handle.clone());
            let handle = Variable::from_handle(&handle, variable.dtype, Shape::SCALAR)?;
            self.variables.push((handle, variable.key.clone()));
        }
        let captures = self.model.traces.iter().flat_map(|it| &it.captures);
        for &captured in captures {
            if let Captured::Variable(variable) = captured {
                let number = objects.number(&self.model.tree, variable)?;
                if let Some(handle) = by_number.get(&number) {
                    self.captured.insert(captured, handle.clone());
                }
            }
        }
        Ok(())
    }

    fn add_parts(&mut self) -> Result<()> {
        for (i, part) in self.model.parts.iter().enumerate() {
            let tensor = match part {
                Part::Asset(_) => self.add_asset(i)?,
                Part::Constant(value) => {
                    let constant = self.graph.constant("Const", value)?;
                    self.constants.insert(i, constant.node().to_owned());
                    constant
                }
                Part::Table {
                    table, shared_name, ..
                } => table.handle(&mut self.graph, shared_name)?,
                Part::Function { .. } => continue,
            };
            self.captured.insert(Captured::Part(i), tensor);
        }
        Ok(())
    }

    /// A path is fed once, when the model is loaded, so a variable keeps it.
    fn add_asset(&mut self, part: usize) -> Result<Output> {
        let scalar = PartialShape::from(Shape::SCALAR);
        let path =
            self.graph
                .placeholder("asset_path_initializer", DType::STRING, scalar.clone())?;
        let handle = self
            .graph
            .variable_handle("asset_path", DType::STRING, &scalar)?;
        let variable = Variable::from_handle(&handle, DType::STRING, Shape::SCALAR)?;
        let assigned = self.graph.assign(&variable, &path)?;
        self.initializers.push(assigned);
        self.assets.insert(part, path);
        self.graph.read(&variable)
    }

    fn fill_tables(&mut self) -> Result<()> {
        for part in &self.model.parts {
            let Part::Table { initializer, .. } = part else {
                continue;
            };
            let trace = &self.model.traces[*initializer];
            let mut inputs = Vec::new();
            for captured in &trace.captures {
                // The variable may not have it yet.
                let path = match captured {
                    Captured::Part(part) => self.assets.get(part),
                    Captured::Variable(_) => None,
                };
                inputs.push(path.map_or_else(|| self.capture(captured), |it| Ok(it.clone()))?);
            }
            let filled = self.graph.call(trace.function(), &inputs)?;
            self.initializers.push(filled);
        }
        Ok(())
    }

    fn add_signature(&mut self, key: &str, trace: &ModelTrace) -> Result<Signature> {
        let (mut inputs, mut tensors) = (Vec::new(), Vec::new());
        for (name, value) in &trace.checked.keywords {
            let StructuredValue::TensorSpec(spec) = value else {
                continue;
            };
            let node = node_name(&format!("{key}_{name}"));
            let input = self
                .graph
                .placeholder(&node, spec.dtype, spec.shape.clone())?;
            tensors.push((name.clone(), TensorInfo::from(&input)));
            inputs.push(input);
        }
        for captured in &trace.captures {
            inputs.push(self.capture(captured)?);
        }
        let call = self.graph.call(trace.function(), &inputs)?;
        let specs = trace.checked.returns.sorted_entries().unwrap_or_default();
        let mut outputs = Vec::new();
        for ((name, spec), output) in specs.into_iter().zip(call.outputs()) {
            if let StructuredValue::TensorSpec(spec) = spec {
                let output = output.clone().with_shape(spec.shape.clone());
                outputs.push((name.to_owned(), TensorInfo::from(output)));
            }
        }
        Ok(Signature::new(tensors, outputs, PREDICT_METHOD_NAME))
    }

    fn capture(&self, captured: &Captured) -> Result<Output> {
        let tensor = self.captured.get(captured).cloned();
        tensor.ok_or_else(|| Error::invalid_argument("the root does not lead to what is captured"))
    }

    fn add_saver(&mut self, checkpoint: &[u8]) -> Result<Option<SaverDef>> {
        if self.variables.is_empty() {
            return Ok(None);
        }
        let variables = self.variables.iter();
        let variables: Vec<SavedVariable<'_>> = variables
            .map(|(variable, key)| SavedVariable {
                variable,
                key: key.clone(),
                shape_and_slice: String::new(),
            })
            .collect();
        let checkpoint = Tensor::from_strings(Shape::SCALAR, [checkpoint])?;
        let constants = [(CheckpointGraph::KEY, checkpoint)];
        self.graph
            .saver_with_constants(&variables, &constants)
            .map(Some)
    }
}

/// Refuses tables and assets that no object has. TensorFlow would load them, and could not save the model
/// again.
fn check_reached(model: &ObjectModelBuilder) -> Result<()> {
    let mut reached = vec![false; model.parts.len()];
    for &(_, _, part) in &model.attached {
        if let Some(reached) = reached.get_mut(part) {
            *reached = true;
        }
        if let Some(Part::Table { table, .. }) = model.parts.get(part)
            && let Content::TextFile { file, .. } = table.content()
            && let Some(reached) = reached.get_mut(file.index())
        {
            *reached = true;
        }
    }
    let mut parts = model.parts.iter().zip(reached);
    let what = parts.find_map(|(part, is_reached)| match part {
        Part::Asset(path) if !is_reached => Some(format!("the asset `{}`", path.display())),
        Part::Table { shared_name, .. } if !is_reached => {
            Some(format!("the table `{shared_name}`"))
        }
        _ => None,
    });
    match what {
        None => Ok(()),
        Some(what) => Err(Error::invalid_argument(format!(
            "no object has {what}, so TensorFlow could not save the model again"
        ))
        .remedy("`attach` it to an object")),
    }
}

/// Makes a name that a node can have.
fn node_name(name: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
    let name: String = name
        .chars()
        .map(|c| if is_allowed(c) { c } else { '_' })
        .collect();
    match name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.') {
        true => name,
        false => format!("Variable{name}"),
    }
}

fn asset_files(
    model: &ObjectModelBuilder,
    placeholders: &HashMap<usize, Output>,
    names: &mut AssetNames,
) -> Result<Vec<AssetFileDef>> {
    let mut files = Vec::new();
    for (i, part) in model.parts.iter().enumerate() {
        if let (Part::Asset(path), Some(placeholder)) = (part, placeholders.get(&i)) {
            let name = tensor_info::Encoding::Name(placeholder.tensor_name());
            files.push(AssetFileDef {
                tensor_info: Some(TensorInfoProto {
                    encoding: Some(name),
                    ..TensorInfoProto::default()
                }),
                filename: names.name(path)?,
            });
        }
    }
    Ok(files)
}

fn init_op_signature(main_op: &str) -> SignatureDefEntry {
    let output = TensorInfoProto {
        encoding: Some(tensor_info::Encoding::Name(main_op.to_owned())),
        tensor_shape: Some(TensorShapeProto {
            unknown_rank: true,
            ..TensorShapeProto::default()
        }),
        ..TensorInfoProto::default()
    };
    SignatureDefEntry {
        key: Some(INIT_OP_SIGNATURE_KEY.to_owned()),
        value: Some(SignatureDef {
            outputs: vec![signature_def::OutputsEntry {
                key: Some(INIT_OP_SIGNATURE_KEY.to_owned()),
                value: Some(output),
            }],
            ..SignatureDef::default()
        }),
    }
}
