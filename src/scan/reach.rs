use std::collections::{BTreeMap, BTreeSet};

use super::call_graph::{CallGraph, NONE};
use crate::error::Result;
use crate::model::MetaGraph;
use crate::object_graph::{ObjectGraph, ObjectKind};
use crate::proto::collection_def::Kind;

/// From where a program is entered. The earlier one is told of if several lead to the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum EntryKind {
    /// The op that initializes, as the model is loaded.
    InitOp,
    /// A function of an object that Python calls as it loads the model: it makes or fills a table.
    Initializer,
    /// The op that restores variables, as the model is loaded.
    Restore,
    /// A signature.
    Signature,
    /// The op that trains.
    TrainOp,
    /// A function of an object, which can be called from Python.
    Object,
    /// The op that saves variables.
    Save,
    /// A node of the graph that none of these needs: only who knows its name can run it.
    Graph,
}

impl EntryKind {
    /// All of them, in the order in which they are told of.
    const ALL: [EntryKind; 8] = [
        EntryKind::InitOp,
        EntryKind::Initializer,
        EntryKind::Restore,
        EntryKind::Signature,
        EntryKind::TrainOp,
        EntryKind::Object,
        EntryKind::Save,
        EntryKind::Graph,
    ];

    /// Returns whether what it leads to runs as the model is loaded.
    pub fn is_loading(self) -> bool {
        matches!(
            self,
            EntryKind::InitOp | EntryKind::Initializer | EntryKind::Restore
        )
    }

    /// Returns the word for it.
    pub fn name(self) -> &'static str {
        match self {
            EntryKind::InitOp => "init op",
            EntryKind::Initializer => "initializer",
            EntryKind::Restore => "restore op",
            EntryKind::Signature => "signature",
            EntryKind::TrainOp => "train op",
            EntryKind::Object => "object",
            EntryKind::Save => "save op",
            EntryKind::Graph => "graph",
        }
    }
}

/// A place where the program is entered.
pub(super) struct Entry {
    pub(super) kind: EntryKind,
    pub(super) name: String,
    vertices: Vec<u32>,
}

/// Finds all entries but those of kind `Graph`.
pub(super) fn entries(
    meta_graph: MetaGraph<'_>,
    objects: Option<&ObjectGraph>,
    graph: &CallGraph<'_>,
) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut tensor = |kind, name: &str, tensors: &[&str]| {
        let vertices = tensors.iter().filter_map(|tensor| graph.find_node(tensor));
        entries.push(Entry {
            kind,
            name: name.to_owned(),
            vertices: vertices.collect(),
        });
    };
    // All places that any loader looks at, whichever wins.
    for (key, collection) in meta_graph.collections()? {
        let kind = match key.as_str() {
            "saved_model_main_op" | "legacy_init_op" => EntryKind::InitOp,
            "saved_model_train_op" => EntryKind::TrainOp,
            // `tf.compat.v1.saved_model.load` leaves these to the user.
            _ => continue,
        };
        if let Some(Kind::NodeList(list)) = collection.kind {
            for name in &list.value {
                tensor(kind, name, &[name]);
            }
        }
    }
    for (key, signature) in meta_graph.signatures()? {
        let kind = match key.as_str() {
            "__saved_model_init_op" => EntryKind::InitOp,
            "__saved_model_train_op" => EntryKind::TrainOp,
            _ => EntryKind::Signature,
        };
        let outputs = signature.outputs.values();
        let names: Vec<&str> = outputs.flat_map(|info| info.tensor_names()).collect();
        tensor(kind, &key, &names);
    }
    if let Some(saver) = meta_graph.saver_def()? {
        let (save, restore) = (&saver.save_tensor_name, &saver.restore_op_name);
        tensor(EntryKind::Restore, restore, &[restore]);
        tensor(EntryKind::Save, save, &[save]);
    }
    if let Some(objects) = objects {
        entries.extend(object_entries(objects, graph));
    }
    Ok(entries)
}

fn object_entries(objects: &ObjectGraph, graph: &CallGraph<'_>) -> Vec<Entry> {
    let mut paths: BTreeMap<usize, String> = BTreeMap::new();
    for (path, object) in objects.paths() {
        paths
            .entry(object.id())
            .or_insert_with(|| cut(&path.to_string()));
    }
    let mut initializers = BTreeSet::new();
    for object in objects.objects() {
        for name in ["_initialize", "_create_resource"] {
            initializers.extend(object.child(name).map(|child| child.id()));
        }
    }
    let mut entries = Vec::new();
    for object in objects.objects() {
        let names: Vec<&str> = match object.kind() {
            ObjectKind::Function(function) => function.concrete_function_names().collect(),
            ObjectKind::BareConcreteFunction(function) => {
                vec![function.concrete_function_name()]
            }
            _ => continue,
        };
        let vertices = names.iter().filter_map(|name| graph.find_function(name));
        let name = match paths.get(&object.id()) {
            Some(path) => path.clone(),
            None => format!("object {}", object.id()),
        };
        entries.push(Entry {
            kind: match initializers.contains(&object.id()) {
                true => EntryKind::Initializer,
                false => EntryKind::Object,
            },
            name,
            vertices: vertices.collect(),
        });
    }
    entries
}

/// A name is told of with at most so many characters.
pub(super) fn cut(name: &str) -> String {
    const LIMIT: usize = 300;
    match name.char_indices().nth(LIMIT) {
        None => name.to_owned(),
        Some((end, _)) => format!("{}…", &name[..end]),
    }
}

/// What the entries of one kind lead to.
pub(super) struct Reached {
    pub(super) kind: EntryKind,
    /// For each vertex the entry that leads to it, or `NONE`.
    entry: Vec<u32>,
    /// For each function the edge by which it was reached first, or `NONE`.
    edge: Vec<u32>,
    /// For each function how many functions are on the way to it, itself included.
    depth: Vec<u32>,
}

impl Reached {
    /// Follows the edges from the entries of each kind in turn; every vertex is met once for each kind.
    pub(super) fn all(entries: &[Entry], graph: &CallGraph<'_>) -> Vec<Reached> {
        let mut all: Vec<Reached> = Vec::new();
        for kind in EntryKind::ALL {
            let mut reached = Reached {
                kind,
                entry: vec![NONE; graph.vertices()],
                edge: vec![NONE; graph.functions.len()],
                depth: vec![1; graph.functions.len()],
            };
            let mut open = Vec::new();
            let mut start = |vertex: u32, entry: u32, reached: &mut Reached| {
                let place = &mut reached.entry[vertex as usize];
                if *place == NONE {
                    *place = entry;
                    open.push(vertex);
                }
            };
            if kind == EntryKind::Graph {
                for vertex in 0..graph.nodes.len() {
                    if all.iter().all(|other| other.entry[vertex] == NONE) {
                        // There is no entry of that number, and it is not asked for.
                        start(vertex as u32, NONE - 1, &mut reached);
                    }
                }
            }
            for (i, entry) in entries.iter().enumerate() {
                if entry.kind == kind {
                    for vertex in &entry.vertices {
                        start(*vertex, i as u32, &mut reached);
                    }
                }
            }
            if open.is_empty() {
                continue;
            }
            reached.follow(graph, open);
            all.push(reached);
        }
        all
    }

    /// Breadth first, so that paths are short.
    fn follow(&mut self, graph: &CallGraph<'_>, mut open: Vec<u32>) {
        while !open.is_empty() {
            let mut next = Vec::new();
            for vertex in open {
                let entry = self.entry[vertex as usize];
                for number in graph.leaving(vertex) {
                    let edge = graph.edges[number as usize];
                    let place = &mut self.entry[edge.to as usize];
                    if *place != NONE {
                        continue;
                    }
                    *place = entry;
                    if let Some(function) = (edge.to as usize).checked_sub(graph.nodes.len()) {
                        self.edge[function] = number;
                        let from = (edge.from as usize).checked_sub(graph.nodes.len());
                        self.depth[function] = 1 + from.map_or(0, |from| self.depth[from]);
                    }
                    next.push(edge.to);
                }
            }
            open = next;
        }
    }

    pub(super) fn reaches(&self, vertex: u32) -> bool {
        self.entry[vertex as usize] != NONE
    }

    /// Returns the entry that leads to a vertex.
    pub(super) fn entry<'e>(&self, vertex: u32, entries: &'e [Entry]) -> Option<&'e Entry> {
        entries.get(self.entry[vertex as usize] as usize)
    }

    /// Returns the edge by which a function was reached first.
    pub(super) fn edge(&self, vertex: u32, graph: &CallGraph<'_>) -> Option<u32> {
        let function = (vertex as usize).checked_sub(graph.nodes.len())?;
        let edge = *self.edge.get(function)?;
        (edge != NONE).then_some(edge)
    }

    /// Returns how many functions are on the way to one, itself included.
    pub(super) fn depth(&self, vertex: u32, graph: &CallGraph<'_>) -> u64 {
        let function = (vertex as usize).checked_sub(graph.nodes.len());
        let depth = function.and_then(|function| self.depth.get(function));
        depth.map_or(0, |depth| u64::from(*depth))
    }
}
