use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::ops::Range;

use super::name_hash::{NameHash, NameMap, NameNumbers, NameSlots};
use super::node_index::{NodeIndex, NodeMarker};
use super::outline::Outline;
use super::pieces::on_threads;
use super::walk::{First, FunctionFound, OpCount, OpFound, Paths, Restore, Walk};
use crate::error::{Error, Result};
use crate::model::{Function, Graph};
use crate::proto::{GradientDef, RegisteredGradient, VersionDef};
use crate::wire::Message;

/// A graph and its library, walked once: which ops are where, which function calls which, and what
/// nodes tell that reports are made of.
///
/// Names are bytes as the file has them: whether they are UTF-8, [`check_names`](Self::check_names)
/// says.
pub(super) struct Program<'m> {
    graph: Graph<'m>,
    pub(super) versions: VersionDef,
    /// The ops, in no order.
    pub(super) ops: Vec<OpFound<'m>>,
    /// The nodes outside of functions.
    pub(super) main: Body,
    /// Those nodes by name; empty if they were not asked for.
    pub(super) nodes: NodeIndex<'m>,
    /// The functions in the order of the file.
    pub(super) functions: Vec<ProgramFunction<'m>>,
    op_counts: Vec<OpCount>,
    by_name: NameSlots,
    hash: NameHash,
    /// For functions that have one the function that is its gradient.
    pub(super) gradients: HashMap<usize, usize>,
    /// Functions that nodes call and the library does not have, each with the first node that does.
    pub(super) missing: Vec<(&'m [u8], &'m [u8])>,
    /// Names of nodes with an absolute path in them, and the paths.
    pub(super) paths: Paths<'m>,
    /// The nodes outside of functions that read tensors from a bundle, in the order of the file.
    pub(super) restores: Vec<Restore<'m>>,
    /// The keys that functions read, by index of the function.
    pub(super) function_keys: BTreeMap<usize, Vec<&'m [u8]>>,
    /// All of those.
    pub(super) keys: BTreeSet<&'m [u8]>,
    /// The bytes that nodes of the op `Const` take.
    pub(super) constant_bytes: u64,
}

/// Nodes that stand together.
#[derive(Default)]
pub(super) struct Body {
    pub(super) nodes: u64,
    /// The functions that they call, ascending.
    pub(super) calls: Vec<usize>,
    /// The functions that are their gradients, ascending.
    pub(super) gradients: Vec<usize>,
}

pub(super) struct ProgramFunction<'m> {
    pub(super) message: Message<'m>,
    pub(super) name: &'m [u8],
    /// Where its name stands in the file, if it is not UTF-8.
    fault: Option<u64>,
    pub(super) body: Body,
    op_counts: Range<usize>,
}

impl<'m> From<&FunctionFound<'m>> for ProgramFunction<'m> {
    fn from(found: &FunctionFound<'m>) -> Self {
        ProgramFunction {
            message: found.message,
            name: found.name,
            fault: found.fault,
            body: Body {
                nodes: found.nodes,
                ..Body::default()
            },
            op_counts: 0..0,
        }
    }
}

/// Where in the file a function begins, and who found it. Ordered by the file.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    start: u64,
    thread: usize,
    number: usize,
}

impl Place {
    fn of<'w, 'm>(&self, walks: &'w [Walk<'m>]) -> &'w FunctionFound<'m> {
        &walks[self.thread].functions[self.number]
    }
}

/// What numbers of a thread mean.
struct Numbers {
    /// By number of an op its place in `ops`.
    ops: Vec<u32>,
    /// By number of a function that is called its index, if it is there.
    callees: Vec<Option<usize>>,
    /// By number of a type of gradients the function that is registered for it.
    gradients: Vec<Option<usize>>,
}

impl<'m> Program<'m> {
    /// Walks a graph; a large one on several threads.
    ///
    /// # Errors
    ///
    /// `Malformed`, with the file and the byte, if the graph is damaged where it is walked.
    pub(super) fn read(graph: Graph<'m>) -> Result<Self> {
        Self::walk(graph, false).map_err(|error| graph.fault(error))
    }

    /// The same, with the nodes outside of functions by name.
    pub(super) fn with_nodes(graph: Graph<'m>) -> Result<Self> {
        Self::walk(graph, true).map_err(|error| graph.fault(error))
    }

    fn walk(graph: Graph<'m>, keeps_nodes: bool) -> Result<Self> {
        let parts = graph.parts()?;
        let hash = NameHash::default();
        let marker = keeps_nodes.then(|| NodeMarker::new(hash.clone(), &parts));
        let (outline, mut walks) = on_threads(
            parts.iter().map(|part| part.bytes().len()).sum(),
            |give| Outline::read(&parts, give),
            || Walk::new(hash.clone(), marker.clone()),
            Walk::piece,
        )?;
        let mut marks = Vec::new();
        let mut places = Vec::new();
        for (thread, walk) in walks.iter_mut().enumerate() {
            marks.push(std::mem::take(&mut walk.graph.marks));
            let places_of = |(number, it): (_, &FunctionFound<'_>)| Place {
                start: it.message.start(),
                thread,
                number,
            };
            places.extend(walk.functions.iter().enumerate().map(places_of));
        }
        places.sort_unstable();
        let found = places.iter().map(|place| place.of(&walks));
        let functions: Vec<ProgramFunction<'_>> = found.clone().map(|it| it.into()).collect();
        let mut by_name = NameSlots::new(functions.len());
        for (number, it) in found.enumerate() {
            let is_same = |other: usize| functions[other].name == it.name;
            by_name.insert(it.hash, number, is_same, |other| other < number);
        }
        let mut program = Program {
            graph,
            versions: Graph::merge(&outline.versions)?,
            ops: Vec::new(),
            main: Body::default(),
            nodes: match marker {
                Some(marker) => NodeIndex::new(parts, marker, &marks)?,
                None => NodeIndex::default(),
            },
            functions,
            op_counts: Vec::new(),
            by_name,
            hash,
            gradients: HashMap::new(),
            missing: Vec::new(),
            paths: Paths::default(),
            restores: Vec::new(),
            function_keys: BTreeMap::new(),
            keys: BTreeSet::new(),
            constant_bytes: 0,
        };
        let registered = program.read_gradients(&outline)?;
        let numbers = program.take(&mut walks, &registered);
        program.fill_functions(&walks, &numbers, &places);
        program.call_by_op();
        Ok(program)
    }

    /// Reads which functions are gradients; returns those of types of nodes.
    fn read_gradients(&mut self, outline: &Outline<'m>) -> Result<HashMap<Vec<u8>, usize>> {
        for message in &outline.gradients {
            let gradient: GradientDef = Graph::merge(&[*message])?;
            let function = self.find(gradient.function_name.as_bytes());
            let by = self.find(gradient.gradient_func.as_bytes());
            if let (Some(function), Some(by)) = (function, by) {
                self.gradients.insert(function, by);
            }
        }
        let mut registered = HashMap::new();
        for message in &outline.registered_gradients {
            let gradient: RegisteredGradient = Graph::merge(&[*message])?;
            if let Some(by) = self.find(gradient.gradient_func.as_bytes()) {
                registered.insert(gradient.registered_op_type.into_bytes(), by);
            }
        }
        Ok(registered)
    }

    /// Brings together what the threads found, but for the bodies of functions; returns for each
    /// thread what its numbers mean.
    fn take(
        &mut self,
        walks: &mut [Walk<'m>],
        registered: &HashMap<Vec<u8>, usize>,
    ) -> Vec<Numbers> {
        let mut op_numbers = NameNumbers::default();
        let mut missing: NameMap<'m, First<'m>> = NameMap::default();
        let mut all = Vec::new();
        for walk in walks {
            let callees = walk.callees.names.iter();
            let types = walk.gradient_types.names.iter();
            let numbers = Numbers {
                callees: callees.map(|name| self.find(name)).collect(),
                gradients: types.map(|name| registered.get(*name).copied()).collect(),
                ops: walk
                    .ops
                    .drain(..)
                    .map(|op| self.take_op(op, &mut op_numbers))
                    .collect(),
            };
            self.main.nodes += walk.graph.nodes;
            let calls = walk.graph.calls.iter();
            let calls = calls.filter_map(|number| numbers.callees[*number]);
            self.main.calls.extend(calls);
            let gradients = walk.graph.gradients.iter();
            let gradients = gradients.filter_map(|number| numbers.gradients[*number]);
            self.main.gradients.extend(gradients);
            for (number, caller) in walk.callers.iter().enumerate() {
                if let (None, Some(caller)) = (numbers.callees[number], *caller) {
                    let name = walk.callees.names[number];
                    let first = missing.entry(name).or_insert(caller);
                    *first = caller.min(*first);
                }
            }
            self.constant_bytes += walk.constant_bytes;
            self.restores.append(&mut walk.restores);
            self.keys.extend(&walk.keys.names);
            self.paths.extend(std::mem::take(&mut walk.paths));
            all.push(numbers);
        }
        self.restores.sort_by_key(|restore| restore.at);
        let missing = missing.into_iter();
        self.missing = missing.map(|(name, (_, caller))| (name, caller)).collect();
        all
    }

    /// Adds an op that a thread found; returns its place in `ops`.
    fn take_op(&mut self, op: OpFound<'m>, numbers: &mut NameNumbers<'m>) -> u32 {
        let number = numbers.number(op.name);
        match self.ops.get_mut(number) {
            Some(known) => known.add(op),
            None => self.ops.push(op),
        }
        number as u32
    }

    fn fill_functions(&mut self, walks: &[Walk<'m>], numbers: &[Numbers], places: &[Place]) {
        let counts = walks.iter().map(|walk| walk.op_counts.len());
        self.op_counts.reserve_exact(counts.sum());
        for (index, (function, place)) in self.functions.iter_mut().zip(places).enumerate() {
            let (walk, numbers) = (&walks[place.thread], &numbers[place.thread]);
            let found = place.of(walks);
            let start = self.op_counts.len();
            let counts = walk.op_counts[found.op_counts.clone()].iter();
            self.op_counts.extend(counts.map(|count| OpCount {
                op: numbers.ops[count.op as usize],
                ..*count
            }));
            function.op_counts = start..self.op_counts.len();
            let calls = walk.calls[found.calls.clone()].iter();
            let calls = calls.filter_map(|number| numbers.callees[*number]);
            function.body.calls.extend(calls);
            let gradients = walk.gradients[found.gradients.clone()].iter();
            let gradients = gradients.filter_map(|number| numbers.gradients[*number]);
            function.body.gradients.extend(gradients);
            if !found.restored.is_empty() {
                let keys = walk.restored[found.restored.clone()].iter();
                let keys = keys.map(|number| walk.keys.names[*number]).collect();
                self.function_keys.insert(index, keys);
            }
        }
    }

    /// Adds the calls of nodes whose op is a function, and puts all calls in order.
    fn call_by_op(&mut self) {
        let ops = self.ops.iter();
        let called: Vec<Option<usize>> = ops.map(|op| self.find(op.name)).collect();
        for (op, function) in self.ops.iter().zip(&called) {
            self.main.calls.extend(function.filter(|_| op.in_graph > 0));
        }
        self.main.sort();
        for function in &mut self.functions {
            let counts = &self.op_counts[function.op_counts.clone()];
            let by_op = counts.iter().filter_map(|count| called[count.op as usize]);
            function.body.calls.extend(by_op);
            function.body.sort();
        }
    }

    /// Proves that the names of ops and functions are UTF-8, as TensorFlow's parser does.
    pub(super) fn check_names(&self) -> Result<()> {
        let is_text = |name: &[u8]| std::str::from_utf8(name).is_ok();
        let ops = self.ops.iter().filter(|op| !is_text(op.name));
        let ops = ops.map(|op| (op.at, "an op"));
        let functions = self.functions.iter().filter_map(|it| it.fault);
        match ops.chain(functions.map(|at| (at, "a function"))).min() {
            None => Ok(()),
            Some((at, whose)) => {
                let error = Error::malformed(format!("the name of {whose} is not UTF-8"));
                Err(self.graph.fault(error.at(at)))
            }
        }
    }

    /// Returns the index of the function of that name; of several the last counts.
    pub(super) fn find(&self, name: &[u8]) -> Option<usize> {
        let is_it = |number: usize| self.functions[number].name == name;
        self.by_name.find(self.hash.hash_one(name), is_it)
    }

    /// Returns the function of that index as a view.
    ///
    /// # Errors
    ///
    /// `Malformed` if its name is no UTF-8.
    pub(super) fn function(&self, index: usize) -> Result<Function<'m>> {
        self.graph.function_of(self.functions[index].message)
    }

    /// Returns the name of a function as reports refer to it from many places: one of more than
    /// 1,000 characters is cut, or the file's few bytes of a name would be as many as it has
    /// references.
    pub(super) fn reference(&self, function: usize) -> String {
        reference(&String::from_utf8_lossy(self.functions[function].name))
    }

    /// Walks the ops of a function: their places in `ops`, and how many nodes of each it has.
    pub(super) fn ops_of(&self, function: usize) -> impl Iterator<Item = (usize, u64)> {
        let counts = &self.op_counts[self.functions[function].op_counts.clone()];
        counts
            .iter()
            .map(|count| (count.op as usize, u64::from(count.nodes)))
    }

    /// Returns how many nodes stand in functions.
    pub(super) fn function_nodes(&self) -> u64 {
        let functions = self.functions.iter();
        functions.map(|function| function.body.nodes).sum()
    }
}

impl Body {
    fn sort(&mut self) {
        for functions in [&mut self.calls, &mut self.gradients] {
            functions.sort_unstable();
            functions.dedup();
        }
    }
}

/// Cuts a name of more than 1,000 characters.
pub(super) fn reference(name: &str) -> String {
    const LIMIT: usize = 1000;
    // Counting characters takes longer than all else here, and no name has more of them than bytes.
    if name.len() <= LIMIT {
        return name.to_owned();
    }
    match name.char_indices().nth(LIMIT) {
        None => name.to_owned(),
        Some((end, _)) => format!("{}…", &name[..end]),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::SavedModel;
    use crate::proto::attr_value::Value;
    use crate::proto::{self, FunctionDef, NodeDef};
    use crate::store::MemoryStore;

    /// The models of the tests, and one that is large enough for several threads.
    fn models() -> Vec<(String, SavedModel)> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let mut models = Vec::new();
        for directory in ["fixtures", "fixtures/model_parts", "cli-goldens/models"] {
            let directory = tests.join(directory);
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if let Ok(model) = SavedModel::open(&path) {
                    models.push((path.display().to_string(), model));
                }
            }
        }
        assert!(models.len() > 20);
        let original = SavedModel::open(tests.join("fixtures/keras2_saved")).unwrap();
        let mut many = original.to_proto().unwrap();
        let graph = many.meta_graphs[0].graph_def.as_mut().unwrap();
        let nodes = graph.node.clone();
        let library = graph.library.as_mut().unwrap();
        let functions = library.function.clone();
        for copy in 0..80 {
            graph.node.extend(nodes.iter().cloned().map(|mut node| {
                node.name = format!("{copy}/{}", node.name);
                node
            }));
            library
                .function
                .extend(functions.iter().cloned().map(|mut function| {
                    function.signature.get_or_insert_default().name += &copy.to_string();
                    function
                }));
        }
        models.push(("many".to_owned(), in_memory(Graph::encode(&many)).unwrap()));
        models
    }

    fn in_memory(bytes: Vec<u8>) -> Result<SavedModel> {
        let mut store = MemoryStore::new();
        store.insert("saved_model.pb", bytes);
        SavedModel::open_in(Arc::new(store), "")
    }

    fn count_ops(nodes: &[NodeDef]) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for node in nodes {
            *counts.entry(node.op.clone()).or_default() += 1;
        }
        counts
    }

    /// The known functions that nodes name, as op or in attrs.
    fn called(nodes: &[NodeDef], known: &BTreeSet<&str>) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for node in nodes {
            names.insert(node.op.clone());
            for attr in &node.attr {
                match attr.value.as_ref().and_then(|it| it.value.as_ref()) {
                    Some(Value::Func(function)) => _ = names.insert(function.name.clone()),
                    Some(Value::List(list)) => {
                        names.extend(list.func.iter().map(|function| function.name.clone()));
                    }
                    _ => {}
                }
            }
        }
        names.retain(|name| known.contains(&**name));
        names
    }

    fn name_of(function: &FunctionDef) -> &str {
        let signature = function.signature.as_ref();
        signature.map_or("", |signature| &signature.name)
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn names(program: &Program<'_>, functions: &[usize]) -> BTreeSet<String> {
        let names = functions.iter().map(|it| text(program.functions[*it].name));
        names.collect()
    }

    /// The keys of a bundle that nodes of a function read.
    fn restored_keys(nodes: &[NodeDef]) -> BTreeSet<&[u8]> {
        let restores = nodes.iter().filter(|node| node.op == "RestoreV2");
        let names = restores.map(|node| node.input[1].split(':').next().unwrap());
        let constants = names.flat_map(|name| nodes.iter().filter(move |node| node.name == name));
        let attrs = constants.flat_map(|node| &node.attr);
        attrs
            .filter_map(|attr| match attr.value.as_ref()?.value.as_ref()? {
                Value::Tensor(tensor) => Some(tensor.string_val.iter().map(|key| &key[..])),
                _ => None,
            })
            .flatten()
            .collect()
    }

    fn compare(program: &Program<'_>, graph: &proto::GraphDef) {
        let library = graph.library.clone().unwrap_or_default().function;
        let known: BTreeSet<&str> = library.iter().map(name_of).collect();
        let ops = |counts: &mut dyn Iterator<Item = (usize, u64)>| -> BTreeMap<String, u64> {
            let counts = counts.filter(|(_, count)| *count > 0);
            counts
                .map(|(op, count)| (text(program.ops[op].name), count))
                .collect()
        };
        let in_graph = program.ops.iter().map(|op| op.in_graph).enumerate();
        assert_eq!(ops(&mut in_graph.clone()), count_ops(&graph.node));
        for op in &program.ops {
            let with_op = graph
                .node
                .iter()
                .filter(|node| node.op.as_bytes() == op.name);
            let first = with_op.map(|node| node.name.as_bytes()).take(3);
            assert!(op.first_nodes.iter().copied().eq(first));
        }
        assert_eq!(program.main.nodes, graph.node.len() as u64);
        assert_eq!(
            names(program, &program.main.calls),
            called(&graph.node, &known)
        );
        assert_eq!(program.functions.len(), library.len());
        for (index, (found, function)) in program.functions.iter().zip(&library).enumerate() {
            assert_eq!(text(found.name), name_of(function));
            assert_eq!(program.find(found.name), Some(index));
            assert_eq!(found.body.nodes, function.node_def.len() as u64);
            assert_eq!(
                ops(&mut program.ops_of(index)),
                count_ops(&function.node_def)
            );
            assert_eq!(
                names(program, &found.body.calls),
                called(&function.node_def, &known)
            );
        }
        let bodies = library.iter().flat_map(|function| &function.node_def);
        let all = graph.node.iter().chain(bodies);
        let constants = all.filter(|node| node.op == "Const");
        let bytes: usize = constants.map(|node| Graph::encode(node).len()).sum();
        assert_eq!(program.constant_bytes, bytes as u64);
        let restores = graph.node.iter().filter(|node| node.op == "RestoreV2");
        assert_eq!(program.restores.len(), restores.count());
        let mut all_keys = BTreeSet::new();
        for (index, function) in library.iter().enumerate() {
            let keys = restored_keys(&function.node_def);
            all_keys.extend(keys.clone());
            let found = program.function_keys.get(&index).into_iter().flatten();
            assert_eq!(found.copied().collect::<BTreeSet<_>>(), keys);
        }
        assert_eq!(program.keys, all_keys);
        for node in &graph.node {
            let number = program.nodes.find(node.name.as_bytes()).unwrap();
            let found: NodeDef = Graph::merge(&[program.nodes.node(number)]).unwrap();
            assert_eq!(found, *node);
        }
        assert_eq!(program.nodes.find(b"no such node"), None);
        assert_eq!(program.versions, graph.versions.clone().unwrap_or_default());
    }

    #[test]
    fn one_walk_finds_what_a_decoded_model_has() {
        for (name, model) in models() {
            println!("{name}");
            let decoded = model.to_proto().unwrap();
            for (meta_graph, decoded) in model.meta_graphs().zip(&decoded.meta_graphs) {
                let graph = meta_graph.unwrap().graph();
                let program = Program::with_nodes(graph).unwrap();
                program.check_names().unwrap();
                compare(&program, &decoded.graph_def.clone().unwrap_or_default());
                assert_eq!(Program::read(graph).unwrap().nodes.len(), 0);
            }
        }
    }

    #[test]
    fn a_large_model_cut_anywhere_is_one_error_at_its_first_fault() {
        let (_, large) = models().pop().unwrap();
        let mut bytes = large.bytes().unwrap().to_vec();
        // Nothing in the model is so long that there is no tag or length in these bytes.
        let (first, second) = (bytes.len() / 3, bytes.len() / 2);
        for at in [first, second] {
            bytes[at..at + 64].fill(0xff);
        }
        let read = |bytes: &[u8]| {
            let model = in_memory(bytes.to_vec()).unwrap();
            let graph = model.meta_graphs().next().unwrap().unwrap().graph();
            Program::read(graph).map(|_| ()).unwrap_err()
        };
        let error = read(&bytes);
        assert!(error.offset().unwrap() <= first as u64 + 64, "{error}");
        for _ in 0..10 {
            assert_eq!(read(&bytes).to_string(), error.to_string());
        }
    }
}
