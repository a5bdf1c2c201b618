use std::collections::HashMap;
use std::fmt;

use super::function::in_function;
use super::graph::ObjectGraph;
use super::object::{Object, ObjectKind};
use crate::error::{Error, Printable, Result};

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
                Printable(name),
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
                Printable(name)
            );
            self.add(FaultKind::NoSuchFunction, Some(id), message);
        }
    }

    fn check_decodable<T>(&mut self, id: usize, result: Result<T>) {
        if let Err(error) = result {
            self.add(FaultKind::UndecodableFunction, Some(id), error.to_string());
        }
    }

    fn check_function(&mut self, name: &str) {
        let function = match self.graph.concrete_function(name) {
            Ok(function) => function,
            Err(error) => return self.add_function(FaultKind::UndecodableFunction, name, error),
        };
        let missing = function.bound_inputs().filter_map(Result::err);
        for error in missing.take(MAX_MISSING) {
            self.add_function(FaultKind::NoSuchObject, name, error);
        }
        for (what, value) in [
            (
                "canonicalized_input_signature",
                function.canonicalized_input_signature(),
            ),
            ("output_signature", function.output_signature()),
        ] {
            let error = match value {
                Ok(Some(_)) => continue,
                Ok(None) => in_function(name, &format!("it has no {what}")),
                Err(error) => error,
            };
            self.add_function(FaultKind::UndecodableFunction, name, error);
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

    fn add_function(&mut self, kind: FaultKind, name: &str, error: Error) {
        self.found.push(Fault {
            kind,
            object: None,
            concrete_function: Some(name.to_owned()),
            message: error.to_string(),
        });
    }
}

/// So many captured objects that do not exist are told of one function: each time with its name,
/// which may be long.
const MAX_MISSING: usize = 10;

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

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::proto::saved_object::Kind;
    use crate::proto::trackable_object_graph::trackable_object::{
        ObjectReference, SlotVariableReference,
    };
    use crate::proto::{
        SavedBareConcreteFunction, SavedConcreteFunction, SavedFunction, SavedObject,
        SavedObjectGraph, SavedResource, SavedUserObject, saved_object_graph,
    };

    fn references(references: &[(&str, i32)]) -> Vec<ObjectReference> {
        let reference = |(name, node_id): &(&str, i32)| ObjectReference {
            node_id: *node_id,
            local_name: (*name).to_owned(),
        };
        references.iter().map(reference).collect()
    }

    fn user(identifier: &str, children: &[(&str, i32)]) -> SavedObject {
        SavedObject {
            children: references(children),
            kind: Some(Kind::UserObject(SavedUserObject {
                identifier: identifier.to_owned(),
                ..Default::default()
            })),
            ..Default::default()
        }
    }

    fn of_kind(kind: Kind) -> SavedObject {
        SavedObject {
            kind: Some(kind),
            ..Default::default()
        }
    }

    fn function(name: &str, bound_inputs: &[i32]) -> saved_object_graph::ConcreteFunctionsEntry {
        saved_object_graph::ConcreteFunctionsEntry {
            key: Some(name.to_owned()),
            value: Some(SavedConcreteFunction {
                bound_inputs: bound_inputs.to_vec(),
                ..Default::default()
            }),
        }
    }

    fn bare(name: &str) -> SavedObject {
        of_kind(Kind::BareConcreteFunction(Box::new(
            SavedBareConcreteFunction {
                concrete_function_name: name.to_owned(),
                ..Default::default()
            },
        )))
    }

    fn graph(
        nodes: Vec<SavedObject>,
        concrete_functions: Vec<saved_object_graph::ConcreteFunctionsEntry>,
    ) -> ObjectGraph {
        let graph = SavedObjectGraph {
            nodes,
            concrete_functions,
        };
        ObjectGraph::decode(&graph.encode_to_vec().into()).unwrap()
    }

    fn kinds(graph: &ObjectGraph) -> Vec<(FaultKind, Option<usize>)> {
        let faults = graph.faults().into_iter();
        faults.map(|fault| (fault.kind, fault.object)).collect()
    }

    #[test]
    fn an_empty_graph_has_no_root() {
        let error = ObjectGraph::decode(&Default::default()).unwrap_err();
        assert!(error.to_string().contains("object 0"), "{error}");
    }

    #[test]
    fn references_to_nothing() {
        let mut root = user("optimizer", &[("gone", 7), ("below", -1)]);
        root.dependencies = references(&[("gone", 7)]);
        root.slot_variables = vec![SlotVariableReference {
            original_variable_node_id: 0,
            slot_name: "m".to_owned(),
            slot_variable_node_id: 9,
        }];
        let graph = graph(
            vec![
                root,
                bare("f"),
                bare("g"),
                of_kind(Kind::Function(Box::default())),
            ],
            vec![function("f", &[4])],
        );
        let faults: Vec<_> = graph.faults().iter().map(Fault::to_string).collect();
        assert_eq!(
            faults,
            [
                "the child `gone` of object 0 is object 7, but there are 4 objects",
                "the child `below` of object 0 is object -1, but there are 4 objects",
                "the dependency `gone` of object 0 is object 7, but there are 4 objects",
                "the slot variable `m` of object 0 is object 9, but there are 4 objects",
                "object 2 needs the concrete function `g`, which the object graph does not describe",
                "object 3: a function has no specification",
                "concrete function `f`: it captures object 4, but there are 4 objects",
                "concrete function `f`: it has no canonicalized_input_signature",
                "concrete function `f`: it has no output_signature",
            ]
        );
        let root = graph.root();
        assert_eq!(root.children().count() + root.dependencies().count(), 0);
        assert_eq!(root.slot_variables().count(), 0);
        assert!(root.child("gone").is_none());
        assert!(graph.object("root.gone").is_err());
    }

    #[test]
    fn cycles() {
        let held = graph(
            vec![
                user("", &[("self", 0), ("list", 1)]),
                user("", &[("up", 0)]),
            ],
            vec![],
        );
        assert_eq!(kinds(&held), [], "objects may hold each other");

        let list = "trackable_list_wrapper";
        let recursive = graph(
            vec![
                user("", &[("a", 1)]),
                user(list, &[("0", 2)]),
                user(list, &[("0", 1)]),
            ],
            vec![],
        );
        assert_eq!(
            kinds(&recursive),
            [(FaultKind::RecursiveContainer, Some(1))]
        );

        let mut table = of_kind(Kind::Resource(SavedResource::default()));
        table.children = references(&[("_create_resource", 2)]);
        let captured = graph(
            vec![
                user("", &[("table", 1)]),
                table,
                of_kind(Kind::Function(Box::new(SavedFunction {
                    concrete_functions: vec!["create".to_owned()],
                    ..Default::default()
                }))),
            ],
            vec![function("create", &[1])],
        );
        let cyclic: Vec<_> = captured
            .faults()
            .into_iter()
            .filter(|fault| fault.kind == FaultKind::CyclicDependency)
            .map(|fault| fault.message)
            .collect();
        assert_eq!(
            cyclic,
            ["object 1 has to be made before itself: dependencies are a cycle"]
        );
    }

    #[test]
    fn a_long_chain_takes_no_stack_and_little_time() {
        const LENGTH: i32 = 200_000;
        let list = "trackable_list_wrapper";
        let nodes = (1..=LENGTH).map(|next| user(list, &[("0", next % LENGTH)]));
        let graph = graph(nodes.collect(), vec![]);
        assert_eq!(kinds(&graph), [(FaultKind::RecursiveContainer, Some(0))]);
        let last = graph.get(LENGTH as usize - 1).unwrap();
        let path = last.path().unwrap();
        assert_eq!(path.depth(), LENGTH as usize - 1);
        assert_eq!(graph.object(&path.to_key()).unwrap(), last);
    }
}
