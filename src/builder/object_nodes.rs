use std::collections::HashMap;

use super::object_model::{Captured, ModelTrace, ObjectModelBuilder, Part};
use super::static_table::Content;
use crate::error::Result;
use crate::object_graph::{FunctionSpec, SavedObjects, StructuredValue, identifier, user_object};
use crate::proto::saved_object::Kind;
use crate::proto::saved_object_graph::ConcreteFunctionsEntry;
use crate::proto::trackable_object_graph::trackable_object::ObjectReference;
use crate::proto::{
    SavedAsset, SavedBareConcreteFunction, SavedConcreteFunction, SavedConstant, SavedFunction,
    SavedObject, SavedObjectGraph, SavedResource,
};

/// Makes the `SavedObjectGraph`: the objects of the tree in the order of the checkpoint, what is
/// attached to them, the traces of functions, and the map of signatures.
///
/// In TensorFlow: `_serialize_object_graph` in `tensorflow/python/saved_model/save.py`.
pub(super) fn assemble(
    model: &ObjectModelBuilder,
    mut objects: SavedObjects,
    constants: &HashMap<usize, String>,
) -> Result<SavedObjectGraph> {
    let numbers = Numbers {
        first_part: objects.nodes.len() as i32,
        first_trace: (objects.nodes.len() + model.parts.len()) as i32,
    };
    for (object, name, part) in &model.attached {
        let parent = objects.number(&model.tree, *object)?;
        let reference = reference(name, numbers.part(*part));
        objects.nodes[parent as usize].children.push(reference);
    }
    let mut functions = Vec::new();
    for trace in &model.traces {
        let mut bound = Vec::new();
        for captured in &trace.captures {
            bound.push(match captured {
                Captured::Variable(variable) => objects.number(&model.tree, *variable)?,
                Captured::Part(part) => numbers.part(*part),
            });
        }
        functions.push(concrete_function(trace, bound)?);
    }
    let mut nodes = objects.nodes;
    let first_free = nodes.len() + model.parts.len() + model.traces.len();
    let mut last = Vec::new();
    let mut assets = 0;
    for (i, part) in model.parts.iter().enumerate() {
        let (kind, children) = match part {
            Part::Asset(_) => {
                let asset_file_def_index = assets;
                assets += 1;
                let asset = SavedAsset {
                    asset_file_def_index,
                };
                (Kind::Asset(asset), Vec::new())
            }
            Part::Constant(_) => {
                let operation = constants.get(&i).cloned().unwrap_or_default();
                (Kind::Constant(SavedConstant { operation }), Vec::new())
            }
            Part::Table {
                table, functions, ..
            } => {
                let own = functions.iter();
                let mut children: Vec<_> = own
                    .map(|(name, part)| reference(name, numbers.part(*part)))
                    .collect();
                if let Content::TextFile { file, .. } = table.content() {
                    children.push(reference("_initializer", (first_free + last.len()) as i32));
                    last.push(SavedObject {
                        children: vec![reference("_filename", numbers.part(file.index()))],
                        kind: Some(user_object(identifier::GENERIC)),
                        ..SavedObject::default()
                    });
                }
                (Kind::Resource(SavedResource::default()), children)
            }
            Part::Function { spec, traces } => {
                let names = traces.iter();
                let names = names.map(|&it| model.traces[it].checked.name().to_owned());
                let function = SavedFunction {
                    concrete_functions: names.collect(),
                    function_spec: Some(spec.to_proto()?),
                };
                let traces = traces.iter().enumerate();
                let traces = traces
                    .map(|(i, &it)| reference(&format!("trace_{i}"), numbers.trace(it)))
                    .collect();
                (Kind::Function(Box::new(function)), traces)
            }
        };
        nodes.push(SavedObject {
            dependencies: match kind {
                Kind::Function(_) => children.clone(),
                _ => Vec::new(),
            },
            children,
            kind: Some(kind),
            ..SavedObject::default()
        });
    }
    for trace in &model.traces {
        nodes.push(bare_function(trace, &numbers)?);
    }
    nodes.append(&mut last);
    let signatures = model.signatures.iter();
    let signatures = signatures.map(|(key, &trace)| reference(key, numbers.trace(trace)));
    let map = SavedObject {
        children: signatures.collect(),
        kind: Some(user_object(identifier::SIGNATURE_MAP)),
        ..SavedObject::default()
    };
    let number = nodes.len() as i32;
    nodes.push(map);
    if let Some(root) = nodes.first_mut() {
        root.children.push(reference("signatures", number));
    }
    functions.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(SavedObjectGraph {
        nodes,
        concrete_functions: functions,
    })
}

/// Where what is no object of the tree stands among the objects.
struct Numbers {
    first_part: i32,
    first_trace: i32,
}

impl Numbers {
    fn part(&self, part: usize) -> i32 {
        self.first_part + part as i32
    }

    fn trace(&self, trace: usize) -> i32 {
        self.first_trace + trace as i32
    }
}

fn reference(name: &str, node_id: i32) -> ObjectReference {
    ObjectReference {
        node_id,
        local_name: name.to_owned(),
    }
}

fn concrete_function(trace: &ModelTrace, bound_inputs: Vec<i32>) -> Result<ConcreteFunctionsEntry> {
    let checked = &trace.checked;
    let input = StructuredValue::Tuple(vec![
        StructuredValue::Tuple(checked.arguments.clone()),
        StructuredValue::Dict(checked.keywords.clone()),
    ]);
    Ok(ConcreteFunctionsEntry {
        key: Some(checked.name().to_owned()),
        value: Some(SavedConcreteFunction {
            bound_inputs,
            canonicalized_input_signature: Some(input.to_proto()?),
            output_signature: Some(checked.returns.to_proto()?),
        }),
    })
}

fn bare_function(trace: &ModelTrace, numbers: &Numbers) -> Result<SavedObject> {
    let names = trace.checked.tensor_names()?;
    let positional = match trace.is_signature {
        true => usize::from(names.len() == 1),
        false => names.len(),
    };
    let captures = trace.captures.iter().enumerate();
    let captures = captures.filter_map(|(i, captured)| match captured {
        Captured::Part(part) => Some(reference(&format!("capture_{i}"), numbers.part(*part))),
        Captured::Variable(_) => None,
    });
    Ok(SavedObject {
        children: captures.collect(),
        kind: Some(Kind::BareConcreteFunction(Box::new(
            SavedBareConcreteFunction {
                concrete_function_name: trace.checked.name().to_owned(),
                argument_keywords: names,
                allowed_positional_arguments: positional as i64,
                function_spec: Some(FunctionSpec::from(trace.parameters.clone()).to_proto()?),
            },
        ))),
        ..SavedObject::default()
    })
}
