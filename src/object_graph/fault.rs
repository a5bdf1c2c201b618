use std::collections::HashMap;
use std::fmt;

use super::graph::ObjectGraph;
use super::object::{Object, ObjectKind};

/// Something in an object graph that keeps TensorFlow from loading the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// The number of the object concerned, if it is one.
    pub object: Option<usize>,
    /// The name of the concrete function concerned, if it is one.
    pub concrete_function: Option<String>,
    /// The whole of it in words, with names and numbers.
    pub message: String,
}

/// What is wrong with an object graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// A reference to an object that does not exist.
    NoSuchObject,
    /// A reference to a concrete function that the object graph does not describe.
    NoSuchFunction,
    /// A function that cannot be decoded: its signature, parameters or result.
    UndecodableFunction,
    /// An object of no kind, or of one this schema does not have.
    UnknownKind,
    /// Objects that each have to be made before the other.
    CyclicDependency,
    /// Lists, tuples or dicts that contain themselves.
    RecursiveContainer,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ObjectGraph {
    /// Looks for everything that keeps TensorFlow from loading the objects. Decodes all functions.
    ///
    /// Cycles of other objects than containers are none of that: a module may well hold itself.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Faults {
            graph: self,
            found: Vec::new(),
        };
        for object in self.objects() {
            faults.check_object(object);
        }
        for name in self.concrete_function_names() {
            faults.check_function(name);
        }
        faults.check_order();
        faults.check_containers();
        faults.found
    }
}

struct Faults<'g> {
    graph: &'g ObjectGraph,
    found: Vec<Fault>,
}

impl Faults<'_> {
    fn check_object(&mut self, object: Object<'_>) {
        let id = object.id();
        for child in self.graph.tree.children(id) {
            self.check_reference(id, "child", &child.local_name, child.node_id);
        }
        if let Some(extras) = object.extras() {
            for it in &extras.dependencies {
                self.check_reference(id, "dependency", &it.local_name, it.node_id);
            }
            for slot in &extras.slot_variables {
                let (name, original) = (&slot.slot_name, slot.original_variable_node_id);
                self.check_reference(id, "original variable of slot", name, original);
                self.check_reference(id, "slot variable", name, slot.slot_variable_node_id);
            }
            for (name, save, restore) in &extras.saveable_objects {
                self.check_reference(id, "save function", name, *save);
                self.check_reference(id, "restore function", name, *restore);
            }
        }
        match object.kind() {
            ObjectKind::Function(function) => {
                for name in function.concrete_function_names() {
                    self.check_function_name(id, name);
                }
                self.check_decodable(id, function.function_spec());
            }
            ObjectKind::BareConcreteFunction(function) => {
                self.check_function_name(id, function.concrete_function_name());
                self.check_decodable(id, function.function_spec());
            }
            ObjectKind::CapturedTensor {
                concrete_function, ..
            } => self.check_function_name(id, concrete_function),
            ObjectKind::Unknown => self.add(
                FaultKind::UnknownKind,
                Some(id),
                format!("object {id} is of no kind, or of one that this schema does not have"),
            ),
            _ => {}
        }
    }

    fn check_reference(&mut self, id: usize, what: &str, name: &str, node_id: i32) {
        if self.graph.tree.index(node_id).is_none() {
            let message = format!(
                "the {what} `{}` of object {id} is object {node_id}, but there are {} objects",
                name.escape_debug(),
                self.graph.len()
            );
            self.add(FaultKind::NoSuchObject, Some(id), message);
        }
    }

    fn check_function_name(&mut self, id: usize, name: &str) {
        if !self.graph.has_concrete_function(name) {
            let message = format!(
                "object {id} needs the concrete function `{}`, which the object graph does not \
                 describe",
                name.escape_debug()
            );
            self.add(FaultKind::NoSuchFunction, Some(id), message);
        }
    }

    fn check_decodable<T>(&mut self, id: usize, result: crate::error::Result<T>) {
        if let Err(error) = result {
            self.add(FaultKind::UndecodableFunction, Some(id), error.to_string());
        }
    }

    fn check_function(&mut self, name: &str) {
        let function = match self.graph.concrete_function(name) {
            Ok(function) => function,
            Err(error) => return self.add_function(FaultKind::UndecodableFunction, name, error),
        };
        for error in function.bound_inputs().filter_map(Result::err) {
            self.add_function(FaultKind::NoSuchObject, name, error);
        }
        for value in [
            function.canonicalized_input_signature(),
            function.output_signature(),
        ] {
            if let Err(error) = value {
                self.add_function(FaultKind::UndecodableFunction, name, error);
            }
        }
    }

    /// `Loader._generate_ordered_node_ids` in `tensorflow/python/saved_model/load.py`.
    fn check_order(&mut self) {
        let graph = self.graph;
        let mut edges = Edges::default();
        // Functions have numbers behind the objects', so that what captures one list of many objects
        // costs one edge and not that many.
        let functions: HashMap<&str, usize> =
            graph.concrete_function_names().zip(graph.len()..).collect();
        for (name, place) in &functions {
            if let Ok(function) = graph.concrete_function(name) {
                for captured in function.bound_inputs().flatten() {
                    edges.add(captured.id(), *place);
                }
            }
        }
        for object in graph.objects() {
            let id = object.id();
            for (_, needed) in object.dependencies() {
                edges.add(needed.id(), id);
            }
            match object.kind() {
                ObjectKind::Function(function) => {
                    let names = function.concrete_function_names();
                    for place in names.filter_map(|name| functions.get(name)) {
                        edges.add(*place, id);
                    }
                }
                ObjectKind::BareConcreteFunction(function) => {
                    if let Some(place) = functions.get(function.concrete_function_name()) {
                        edges.add(*place, id);
                    }
                }
                ObjectKind::Resource { .. } => {
                    if let Some(create) = object.child("_create_resource") {
                        edges.add(create.id(), id);
                    }
                }
                _ => {}
            }
            let mut previous = None;
            for slot in object.slot_variables() {
                let variable = slot.variable.id();
                edges.add(id, variable);
                edges.add(slot.original.id(), variable);
                if let Some(previous) = previous.replace(variable) {
                    edges.add(previous, variable);
                }
            }
        }
        let id = edges.cyclic(graph.len() + functions.len());
        if let Some(id) = id.filter(|&id| id < graph.len()) {
            let message =
                format!("object {id} has to be made before itself: dependencies are a cycle");
            self.add(FaultKind::CyclicDependency, Some(id), message);
        }
    }

    fn check_containers(&mut self) {
        let graph = self.graph;
        let is_container = |object: Object<'_>| {
            object.is_list()
                || matches!(object.kind(), ObjectKind::User(user)
                    if user.identifier() == super::identifier::DICT)
        };
        let mut edges = Edges::default();
        for object in graph.objects().filter(|object| is_container(*object)) {
            let children = object.children().map(|(_, child)| child);
            for child in children.filter(|child| is_container(*child)) {
                edges.add(object.id(), child.id());
            }
        }
        if let Some(id) = edges.cyclic(graph.len()) {
            let message = format!("object {id}, a list, tuple or dict, contains itself");
            self.add(FaultKind::RecursiveContainer, Some(id), message);
        }
    }

    fn add(&mut self, kind: FaultKind, object: Option<usize>, message: String) {
        self.found.push(Fault {
            kind,
            object,
            concrete_function: None,
            message,
        });
    }

    fn add_function(&mut self, kind: FaultKind, name: &str, error: crate::error::Error) {
        self.found.push(Fault {
            kind,
            object: None,
            concrete_function: Some(name.to_owned()),
            message: error.to_string(),
        });
    }
}

/// What comes before what.
#[derive(Default)]
struct Edges(Vec<(u32, u32)>);

impl Edges {
    fn add(&mut self, before: usize, after: usize) {
        self.0.push((before as u32, after as u32));
    }

    /// Returns the least number on a cycle, if there is one.
    fn cyclic(mut self, objects: usize) -> Option<usize> {
        self.0.sort_unstable();
        self.0.dedup();
        let mut pending = vec![0u32; objects];
        for &(_, after) in &self.0 {
            pending[after as usize] += 1;
        }
        let mut ready: Vec<usize> = (0..objects).filter(|&id| pending[id] == 0).collect();
        while let Some(id) = ready.pop() {
            let start = self
                .0
                .partition_point(|&(before, _)| (before as usize) < id);
            let after = self.0[start..]
                .iter()
                .take_while(|(before, _)| *before as usize == id);
            for &(_, after) in after {
                let pending = &mut pending[after as usize];
                *pending -= 1;
                if *pending == 0 {
                    ready.push(after as usize);
                }
            }
        }
        self.on_cycle(&pending)
    }

    /// What is still pending is on a cycle or behind one; going back from there ends on a cycle.
    fn on_cycle(&self, pending: &[u32]) -> Option<usize> {
        let mut before = vec![None; pending.len()];
        for &(first, after) in &self.0 {
            if pending[first as usize] > 0 {
                before[after as usize] = Some(first as usize);
            }
        }
        let mut id = pending.iter().position(|&pending| pending > 0)?;
        let mut seen = vec![false; pending.len()];
        while !std::mem::replace(&mut seen[id], true) {
            id = before[id]?;
        }
        let mut least = id;
        let mut next = before[id]?;
        while next != id {
            least = least.min(next);
            next = before[next]?;
        }
        Some(least)
    }
}
