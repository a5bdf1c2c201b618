use std::collections::{BTreeMap, BTreeSet};

use super::bundle::Contents;
use super::oddity::{Oddity, OddityCode, counted};
use super::program::Program;
use super::raw_node::node_of;
use super::variable_flow::{Reached, VariableFlow};
use crate::error::Result;
use crate::model::MetaGraph;
use crate::object_graph::{CheckpointGraph, ObjectGraph};
use crate::op;

/// The look at one meta graph.
pub(super) struct Look<'l, 'm> {
    pub(super) meta_graph: &'l MetaGraph<'m>,
    pub(super) program: &'l Program<'m>,
    pub(super) objects: Option<&'l ObjectGraph>,
    pub(super) contents: Option<&'l Contents>,
    pub(super) has_variables: bool,
}

impl Look<'_, '_> {
    /// Adds what is odd; returns the keys of the bundle that the graph or the objects read.
    pub(super) fn collect(&self, oddities: &mut Vec<Oddity>) -> Result<BTreeSet<Vec<u8>>> {
        self.look_at_ops(oddities);
        self.look_at_paths(oddities);
        self.look_at_objects(oddities);
        let mut flow = VariableFlow::new(self.program);
        self.look_at_signature_tensors(oddities)?;
        self.look_at_variables(&mut flow, oddities)
    }

    fn look_at_ops(&self, oddities: &mut Vec<Oddity>) {
        let ops = self.program.ops.iter().map(|op| op.name);
        let mut custom: Vec<String> = ops
            .filter(|op| self.program.find(op).is_none() && !is_known(op))
            .map(text)
            .collect();
        custom.sort_unstable();
        if !custom.is_empty() {
            oddities.push(Oddity::about(
                OddityCode::CustomOps,
                custom,
                |count| {
                    format!(
                        "{} {} none of TensorFlow 2.21",
                        counted(count, "op"),
                        if count == 1 { "is" } else { "are" }
                    )
                },
                "load the library that has them first, as tensorflow_text or \
                 `tf.load_op_library` does",
            ));
        }
        let ops = self.program.ops.iter().map(|op| op.name);
        let mut callbacks: Vec<String> = ops
            .filter(|op| matches!(*op, b"PyFunc" | b"PyFuncStateless" | b"EagerPyFunc"))
            .map(text)
            .collect();
        callbacks.sort_unstable();
        if !callbacks.is_empty() {
            oddities.push(Oddity::about(
                OddityCode::PythonCallback,
                callbacks,
                |_| {
                    "nodes call Python functions of the process that saved the model: they fail in \
                     every other"
                        .to_owned()
                },
                "write with TensorFlow's ops what `tf.py_function` or `tf.numpy_function` does, and \
                 save again",
            ));
        }
        let missing = self.program.missing.iter();
        let mut missing: Vec<String> = missing
            .map(|(name, caller)| format!("{} (called by {})", text(name), text(caller)))
            .collect();
        missing.sort_unstable();
        if !missing.is_empty() {
            oddities.push(Oddity::about(
                OddityCode::FunctionMissing,
                missing,
                |count| {
                    format!(
                        "nodes call {} that the library does not have",
                        counted(count, "function")
                    )
                },
                "save the model again: what cut it down left the calls",
            ));
        }
    }

    fn look_at_paths(&self, oddities: &mut Vec<Oddity>) {
        let paths = self.program.paths.iter();
        let mut by_path = BTreeMap::<&str, String>::new();
        for (node, path) in paths {
            let node = text(node);
            let first = by_path.entry(path).or_insert_with(|| node.clone());
            if node < *first {
                *first = node;
            }
        }
        if by_path.is_empty() {
            return;
        }
        oddities.push(Oddity::about(
            OddityCode::AbsolutePath,
            by_path
                .into_iter()
                .map(|(path, node)| format!("{path} (node {node})")),
            |count| {
                format!(
                    "{} of the machine that saved the model {} in the graph",
                    counted(count, "path"),
                    if count == 1 { "is" } else { "are" }
                )
            },
            "nothing is read from there if the files are assets of the model, but the names tell of \
             that machine: save from a directory that tells nothing",
        ));
    }

    fn look_at_objects(&self, oddities: &mut Vec<Oddity>) {
        let Some(objects) = self.objects else {
            return;
        };
        let faults = objects.faults();
        if !faults.is_empty() {
            oddities.push(Oddity::about(
                OddityCode::ObjectGraphFault,
                faults.into_iter().map(|fault| fault.message),
                |count| {
                    format!(
                        "{} of the object graph keep tf.saved_model.load from loading it",
                        counted(count, "fault")
                    )
                },
                "save the model again; what goes by signatures may work all the same",
            ));
        }
    }

    fn look_at_signature_tensors(&self, oddities: &mut Vec<Oddity>) -> Result<()> {
        let mut missing = Vec::new();
        for (key, signature) in self.meta_graph.signatures()? {
            let infos = signature.inputs.iter().chain(&signature.outputs);
            for (name, info) in infos {
                for tensor in info.tensor_names() {
                    let node = node_of(tensor.as_bytes());
                    if self.program.nodes.find(node).is_none() {
                        missing.push(format!("{tensor} ({name} of {key})"));
                    }
                }
            }
        }
        if !missing.is_empty() {
            oddities.push(Oddity::about(
                OddityCode::SignatureTensorMissing,
                missing,
                |count| {
                    format!(
                        "signatures name {} that the graph does not have",
                        counted(count, "tensor")
                    )
                },
                "save the model again with signatures of this graph",
            ));
        }
        Ok(())
    }

    fn look_at_variables(
        &self,
        flow: &mut VariableFlow<'_, '_>,
        oddities: &mut Vec<Oddity>,
    ) -> Result<BTreeSet<Vec<u8>>> {
        let fault = |error| self.meta_graph.view.fault(error);
        let saver = self.meta_graph.saver_def().ok().flatten();
        let restore_op = saver.map(|saver| saver.restore_op_name).unwrap_or_default();
        let init = self.meta_graph.init_op().ok().flatten();
        let init_op = init.map(|init| init.name).unwrap_or_default();
        // The restore op alone runs against the bundle.
        let restored = flow.reach([restore_op.as_bytes()], true).map_err(fault)?;
        let initialized = flow.reach([init_op.as_bytes()], true).map_err(fault)?;
        let mut outputs = Vec::new();
        for (key, signature) in self.meta_graph.signatures()? {
            let is_call = !is_mark(&key);
            let tensors = signature.outputs.values().filter(|_| is_call);
            for tensor in tensors.flat_map(|info| info.tensor_names()) {
                outputs.push(tensor.to_owned());
            }
        }
        let used = flow
            .reach(outputs.iter().map(String::as_bytes), false)
            .map_err(fault)?;
        let (run, all) = flow.restored_keys(&restored).map_err(fault)?;
        if !self.has_variables {
            let needs = !restored.assigned.is_empty() || !run.is_empty();
            if needs || (!used.variables.is_empty() && initialized.assigned.is_empty()) {
                oddities.push(variables_missing(&used, &restored));
            }
            return Ok(BTreeSet::new());
        }
        let unrestored: Vec<String> = used
            .variables
            .iter()
            .filter(|name| !restored.assigned.contains(*name))
            .filter(|name| !initialized.assigned.contains(*name))
            .map(|name| text(name))
            .collect();
        if !unrestored.is_empty() {
            oddities.push(Oddity::about(
                OddityCode::UnrestoredVariables,
                unrestored,
                |count| {
                    format!(
                        "signatures use {} that neither the restore op nor the init op assigns: \
                         TensorFlow Serving, C++ and `saved_model_cli run` fail with \"Could not \
                         find variable\"",
                        counted(count, "variable")
                    )
                },
                match self.objects {
                    Some(_) => {
                        "tf.saved_model.load works; of a Keras 3 model save \
                                `model.export(path)` instead"
                    }
                    None => "save the model again with a Saver of all its variables",
                },
            ));
        }
        Ok(match self.contents {
            Some(contents) => self.look_at_keys(contents, &run, &all, oddities),
            None => BTreeSet::new(),
        })
    }

    fn look_at_keys(
        &self,
        contents: &Contents,
        run: &BTreeSet<&[u8]>,
        all: &BTreeSet<&[u8]>,
        oddities: &mut Vec<Oddity>,
    ) -> BTreeSet<Vec<u8>> {
        let is_objects = |key: &[u8]| key == CheckpointGraph::KEY.as_bytes();
        let missing: Vec<String> = run
            .iter()
            .filter(|key| !is_objects(key) && contents.get(key).is_none())
            .map(|key| text(key))
            .collect();
        if !missing.is_empty() && contents.error.is_none() {
            oddities.push(Oddity::about(
                OddityCode::KeysMissing,
                missing,
                |count| {
                    format!(
                        "the restore op reads {} that the variables' index does not have",
                        counted(count, "key")
                    )
                },
                "the directory `variables` is that of another model: copy both from one save",
            ));
        }
        let mut read: BTreeSet<Vec<u8>> = all.iter().map(|key| key.to_vec()).collect();
        if let Some(graph) = self.objects.and_then(ObjectGraph::checkpoint) {
            for object in graph.objects() {
                let keys = object.attributes().map(|it| it.checkpoint_key.as_bytes());
                read.extend(keys.map(<[u8]>::to_vec));
            }
        }
        read
    }
}

/// Looks for tensors that nothing reads, given the keys that are read.
pub(super) fn of_unread(contents: &Contents, read: &BTreeSet<Vec<u8>>) -> Option<Oddity> {
    let keys = contents.tensors.iter().map(|tensor| tensor.key.as_bytes());
    let unread: Vec<String> = keys.filter(|key| !read.contains(*key)).map(text).collect();
    (!read.is_empty() && !unread.is_empty()).then(|| {
        Oddity::about(
            OddityCode::UnreadVariables,
            unread,
            |count| {
                format!(
                    "the bundle has {} that neither a graph nor the objects read",
                    counted(count, "tensor")
                )
            },
            "they only take space",
        )
    })
}

fn variables_missing(used: &Reached<'_>, restored: &Reached<'_>) -> Oddity {
    let names: BTreeSet<&[u8]> = used.variables.union(&restored.assigned).copied().collect();
    Oddity::about(
        OddityCode::VariablesMissing,
        names.into_iter().map(text),
        |count| match count {
            0 => "the graph restores a bundle, and there is no `variables/variables.index`"
                .to_owned(),
            _ => format!(
                "the graph has {} to restore, and there is no `variables/variables.index`",
                counted(count, "variable")
            ),
        },
        "copy the directory `variables` from where the model was saved",
    )
}

/// Says whether a signature's key only marks an op.
pub(super) fn is_mark(key: &str) -> bool {
    matches!(key, "__saved_model_init_op" | "__saved_model_train_op")
}

fn is_known(op: &[u8]) -> bool {
    std::str::from_utf8(op).is_ok_and(|op| op::find(op).is_some())
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
