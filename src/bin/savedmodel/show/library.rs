//! The function library of a graph, as far as listing its functions needs it: found on the wire,
//! tensors and everything else in it left undecoded.

use std::collections::{BTreeSet, HashMap, HashSet};

use savedmodel::model::{Graph, Node};
use savedmodel::wire::{Field, Message, Value};
use savedmodel::{Result, op};

/// A graph's functions and what they need to be loaded in order.
pub(crate) struct Library<'m> {
    functions: Vec<Function<'m>>,
    by_name: HashMap<&'m str, usize>,
    /// From the op type under which a gradient is registered to the function that computes it.
    gradients: HashMap<String, String>,
    registered_gradients: u64,
}

struct Function<'m> {
    name: &'m str,
    inputs: u64,
    outputs: u64,
    nodes: Vec<Node<'m>>,
}

/// Walks a node's attrs: name and undecoded value.
fn attrs<'m>(node: &Node<'m>) -> impl Iterator<Item = Result<(&'m str, Message<'m>)>> + use<'m> {
    node.message().fields().filter_map(|field| {
        let entry = match field {
            Ok(field) if field.number() == 5 => field.message()?,
            Ok(_) => return None,
            Err(error) => return Some(Err(error)),
        };
        Some(read_entry(entry))
    })
}

fn attr<'m>(node: &Node<'m>, name: &str) -> Result<Option<Message<'m>>> {
    let mut last = None;
    for attr in attrs(node) {
        let (key, value) = attr?;
        if key == name {
            last = Some(value);
        }
    }
    Ok(last)
}

/// Returns the function that attr `f` of a call names.
fn called_function<'m>(node: &Node<'m>) -> Result<Option<&'m str>> {
    match attr(node, "f")? {
        Some(value) => match value.last(10)? {
            Some(function) => function_name(&function),
            None => Ok(None),
        },
        None => Ok(None),
    }
}

fn is_call(node: &Node<'_>) -> bool {
    matches!(node.op(), "PartitionedCall" | "StatefulPartitionedCall")
}

fn text<'m>(field: &Field<'m>) -> &'m str {
    match field.value() {
        Value::Bytes(bytes) => std::str::from_utf8(bytes).unwrap_or(""),
        _ => "",
    }
}

fn read_entry<'m>(entry: Message<'m>) -> Result<(&'m str, Message<'m>)> {
    let (mut key, mut value) = ("", Message::new(&[]));
    for field in entry.fields() {
        let field = field?;
        match field.number() {
            1 => key = text(&field),
            2 => value = field.message().unwrap_or(value),
            _ => {}
        }
    }
    Ok((key, value))
}

fn function_name<'m>(name_attr_list: &Field<'m>) -> Result<Option<&'m str>> {
    match name_attr_list.message() {
        Some(function) => Ok(function.last(1)?.map(|name| text(&name))),
        None => Ok(None),
    }
}

impl<'m> Library<'m> {
    /// Reads the library of a graph.
    pub(crate) fn read(graph: Graph<'m>) -> Result<Self> {
        let functions = graph
            .functions()
            .map(|function| Function::read(&function?))
            .collect::<Result<Vec<_>>>()?;
        let names = functions.iter().enumerate();
        let registered = graph.registered_gradients()?;
        let registered = registered
            .into_iter()
            .filter(|gradient| !gradient.registered_op_type.is_empty());
        let mut library = Library {
            by_name: names.map(|(i, function)| (function.name, i)).collect(),
            functions,
            gradients: HashMap::new(),
            registered_gradients: 0,
        };
        for gradient in registered {
            library.registered_gradients += 1;
            library
                .gradients
                .insert(gradient.registered_op_type, gradient.gradient_func);
        }
        Ok(library)
    }

    /// Returns the ops of a meta graph as the stock tool collects them: those of the graph's nodes
    /// and of the functions they call, the bodies of loops and branches not among them.
    pub(crate) fn ops(&self, graph: Graph<'m>) -> Result<BTreeSet<&'m str>> {
        let mut ops = BTreeSet::new();
        let mut met = HashSet::new();
        let mut queue = Vec::new();
        for node in graph.nodes() {
            self.visit(node?, &mut ops, &mut met, &mut queue)?;
        }
        while let Some(function) = queue.pop() {
            for node in self.nodes_of(function) {
                self.visit(*node, &mut ops, &mut met, &mut queue)?;
            }
        }
        ops.retain(|op| !self.contains(op));
        Ok(ops)
    }

    fn visit(
        &self,
        node: Node<'m>,
        ops: &mut BTreeSet<&'m str>,
        met: &mut HashSet<&'m str>,
        queue: &mut Vec<&'m str>,
    ) -> Result<()> {
        ops.insert(node.op());
        let called = match is_call(&node) {
            true => called_function(&node)?,
            false => None,
        };
        for function in [Some(node.op()), called].into_iter().flatten() {
            if self.contains(function) && met.insert(function) {
                queue.push(function);
            }
        }
        Ok(())
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    pub(crate) fn nodes_of(&self, name: &str) -> &[Node<'m>] {
        match self.by_name.get(name) {
            Some(function) => &self.functions[*function].nodes,
            None => &[],
        }
    }

    /// Says whether every op in the functions is one of TensorFlow's or a function.
    pub(crate) fn is_all_known(&self) -> bool {
        let mut known: HashSet<&str> = HashSet::new();
        self.functions
            .iter()
            .flat_map(|function| &function.nodes)
            .all(|node| {
                let op = node.op();
                known.contains(op)
                    || (op::find(op).is_some() || self.contains(op)) && known.insert(op)
            })
    }

    /// Returns the names that the functions get when TensorFlow loads the model, which end with a
    /// number; the options of a function are in the order of these names. `None` if functions
    /// depend on each other in a circle, which TensorFlow cannot load.
    pub(crate) fn loaded_names(&self) -> Result<Option<HashMap<&'m str, String>>> {
        let Some(order) = self.load_order()? else {
            return Ok(None);
        };
        let mut names = HashMap::with_capacity(order.len());
        let mut counts = OutputCounts::default();
        // TensorFlow counts everything that it makes, these functions first.
        let mut uid = 1 + self.registered_gradients;
        for function in order {
            let function = &self.functions[function];
            uid += 1 + function.inputs;
            for node in &function.nodes {
                uid = uid.saturating_add(self.outputs_of(node, &mut counts)?);
            }
            uid += 1;
            let loaded = format!("__inference_{}_{uid}", base_name(function.name));
            names.insert(function.name, loaded);
        }
        Ok(Some(names))
    }

    fn outputs_of(&self, node: &Node<'m>, counts: &mut OutputCounts<'m>) -> Result<u64> {
        if let Some(function) = self.by_name.get(node.op()) {
            return Ok(self.functions[*function].outputs);
        }
        let mut outputs = counts.of(node)?;
        if node.op() == "HashTableV2" {
            let sharing = match attr(node, "use_node_name_sharing")? {
                Some(value) => match value.last(5)?.map(|field| field.value()) {
                    Some(Value::Varint(flag)) => flag != 0,
                    _ => false,
                },
                None => false,
            };
            outputs += u64::from(!sharing);
        }
        Ok(outputs)
    }

    /// Returns the functions so that each comes after those it depends on, in TensorFlow's order.
    fn load_order(&self) -> Result<Option<Vec<usize>>> {
        let count = self.functions.len();
        let mut users = vec![Vec::new(); count];
        let mut pending = vec![0; count];
        for (i, function) in self.functions.iter().enumerate() {
            let mut needed = BTreeSet::new();
            for node in &function.nodes {
                self.dependencies(node, &mut needed)?;
            }
            pending[i] = needed.len();
            for function in needed {
                users[function].push(i);
            }
        }
        let mut stack: Vec<usize> = (0..count).filter(|i| pending[*i] == 0).collect();
        let mut order = Vec::with_capacity(count);
        while let Some(function) = stack.pop() {
            order.push(function);
            for user in &users[function] {
                pending[*user] -= 1;
                if pending[*user] == 0 {
                    stack.push(*user);
                }
            }
        }
        Ok((order.len() == count).then_some(order))
    }

    fn dependencies(&self, node: &Node<'m>, needed: &mut BTreeSet<usize>) -> Result<()> {
        if let Some(function) = self.by_name.get(node.op()) {
            needed.insert(*function);
            return Ok(());
        }
        let mut functions = Vec::new();
        let mut gradient = None;
        for attr in attrs(node) {
            let (name, value) = attr?;
            for field in value.fields() {
                let field = field?;
                match field.number() {
                    2 if name == "_gradient_op_type" => {
                        gradient = self.gradients.get(text(&field));
                    }
                    10 => functions.extend(function_name(&field)?),
                    1 => {
                        for item in field.message().into_iter().flat_map(Message::fields) {
                            let item = item?;
                            if item.number() == 9 {
                                functions.extend(function_name(&item)?);
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        if let Some(gradient) = gradient
            && !is_call(node)
        {
            needed.extend(self.by_name.get(gradient.as_str()));
            return Ok(());
        }
        needed.extend(functions.iter().filter_map(|name| self.by_name.get(name)));
        Ok(())
    }
}

impl<'m> Function<'m> {
    fn read(function: &savedmodel::model::Function<'m>) -> Result<Self> {
        let (mut inputs, mut outputs) = (0, 0);
        if let Some(signature) = function
            .message()
            .last(1)?
            .and_then(|field| field.message())
        {
            for field in signature.fields() {
                match field?.number() {
                    2 => inputs += 1,
                    3 => outputs += 1,
                    _ => {}
                }
            }
        }
        Ok(Function {
            name: function.name(),
            inputs,
            outputs,
            nodes: function.nodes().collect::<Result<_>>()?,
        })
    }
}

/// How many outputs ops have, those whose number hangs on attrs aside.
#[derive(Default)]
struct OutputCounts<'m>(HashMap<&'m str, Option<u64>>);

impl<'m> OutputCounts<'m> {
    fn of(&mut self, node: &Node<'m>) -> Result<u64> {
        let fixed = *self.0.entry(node.op()).or_insert_with(|| {
            let facts = op::find(node.op())?;
            let varies = facts
                .outputs()
                .any(|output| output.number_attr().is_some() || output.type_list_attr().is_some());
            (!varies).then(|| facts.outputs().count() as u64)
        });
        if let Some(fixed) = fixed {
            return Ok(fixed);
        }
        // Nothing is known of an op that is not TensorFlow's; the list is then not shown.
        let Some(facts) = op::find(node.op()) else {
            return Ok(0);
        };
        facts.output_count(|name| node.attr(name).ok().flatten())
    }
}

/// Returns what a function is called without what loading and saving put around it.
fn base_name(name: &str) -> &str {
    let inner = name.strip_prefix("__inference_").and_then(|rest| {
        let (base, number) = rest.rsplit_once('_')?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then_some(base)
    });
    inner.unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_names() {
        for (name, base) in [
            ("__inference_f_12", "f"),
            ("__inference__traced_save_7", "_traced_save"),
            ("__inference_f", "__inference_f"),
            ("__inference_f_x", "__inference_f_x"),
            ("f_12", "f_12"),
        ] {
            assert_eq!(base_name(name), base);
        }
    }
}
