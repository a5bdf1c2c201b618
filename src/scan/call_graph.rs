use std::collections::HashMap;

use super::{Capability, Severity};
use crate::error::{Error, Result};
use crate::model::{Function, MetaGraph, Node};
use crate::op;
use crate::proto::attr_value::Value;

/// No edge, no root.
pub(super) const NONE: u32 = u32::MAX;

/// A meta graph as the scan sees it: what leads to what.
///
/// Vertices are the nodes of the graph itself and, behind them, the functions; the nodes of a function
/// run with it. An edge leads from a node to what must run before it, and from all that calls a
/// function to it.
pub(super) struct CallGraph<'m> {
    pub(super) nodes: Vec<Node<'m>>,
    node_index: HashMap<&'m str, u32>,
    pub(super) functions: Vec<Function<'m>>,
    function_index: HashMap<&'m str, u32>,
    pub(super) edges: Vec<Edge>,
    /// Where the edges of each vertex begin; they are sorted by it.
    starts: Vec<u32>,
    pub(super) calls: Vec<Call<'m>>,
    /// The nodes to be judged.
    pub(super) suspects: Vec<Suspect<'m>>,
    /// How many nodes there are, those of functions included.
    pub(super) count: u64,
}

#[derive(Clone, Copy)]
pub(super) struct Edge {
    pub(super) from: u32,
    pub(super) to: u32,
    /// The call that it is, or `NONE` for an input.
    pub(super) call: u32,
}

/// A node that names a function in an attr.
#[derive(Clone, Copy)]
pub(super) struct Call<'m> {
    pub(super) node: Node<'m>,
    pub(super) how: How,
}

/// What a called function is to the one that calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum How {
    /// It is called, or given to an op that calls it.
    Function,
    /// A branch of `If` or `Case`.
    Branch,
    /// The condition of a loop.
    Condition,
    /// The body of a loop.
    Body,
    /// What a dataset does with its elements.
    Dataset,
    /// The gradient of what calls it.
    Gradient,
}

impl How {
    /// Returns the word for it.
    pub fn name(self) -> &'static str {
        match self {
            How::Function => "function",
            How::Branch => "branch",
            How::Condition => "condition",
            How::Body => "body",
            How::Dataset => "dataset function",
            How::Gradient => "gradient",
        }
    }

    fn of(op: &str, attr: &str) -> How {
        match op {
            "If" | "StatelessIf" | "_If" | "Case" | "StatelessCase" => How::Branch,
            "While" | "StatelessWhile" | "_While" if attr == "cond" => How::Condition,
            "While" | "StatelessWhile" | "_While" => How::Body,
            _ if op.contains("Dataset") => How::Dataset,
            _ => How::Function,
        }
    }
}

/// A node whose op can do something.
pub(super) struct Suspect<'m> {
    pub(super) node: Node<'m>,
    /// The vertex that it is, or that has it.
    pub(super) vertex: u32,
    pub(super) capability: Capability,
    pub(super) severity: Severity,
}

/// What is known of an op by its name.
#[derive(Clone, Copy)]
struct OpInfo {
    suspicion: Option<(Capability, Severity)>,
    /// The function of that name.
    function: Option<u32>,
    may_call: bool,
}

impl<'m> CallGraph<'m> {
    /// Reads all nodes. `denied` says of which ops every node is to be judged.
    pub(super) fn read(meta_graph: MetaGraph<'m>, denied: impl Fn(&str) -> bool) -> Result<Self> {
        let graph = meta_graph.graph();
        let mut this = CallGraph {
            nodes: graph.nodes().collect::<Result<_>>()?,
            node_index: HashMap::new(),
            functions: graph.functions().collect::<Result<_>>()?,
            function_index: HashMap::new(),
            edges: Vec::new(),
            starts: Vec::new(),
            calls: Vec::new(),
            suspects: Vec::new(),
            count: 0,
        };
        let vertices = this.nodes.len() + this.functions.len();
        if u32::try_from(vertices).is_err() {
            return Err(Error::malformed("the graph has more than 2^32 nodes"));
        }
        for (i, node) in this.nodes.iter().enumerate() {
            this.node_index.entry(node.name()).or_insert(i as u32);
        }
        for (i, function) in this.functions.iter().enumerate() {
            let vertex = (this.nodes.len() + i) as u32;
            this.function_index.entry(function.name()).or_insert(vertex);
        }
        let mut gradients = HashMap::new();
        for gradient in graph.registered_gradients()? {
            if let Some(function) = this.function_index.get(gradient.gradient_func.as_str()) {
                gradients.insert(gradient.registered_op_type, *function);
            }
        }
        let mut walk = Walk {
            graph: this,
            ops: HashMap::new(),
            gradients,
            denied,
        };
        for i in 0..walk.graph.nodes.len() {
            let node = walk.graph.nodes[i];
            walk.node(node, i as u32)?;
            for input in node.inputs() {
                if let Some(to) = walk.graph.find_node(input) {
                    let from = i as u32;
                    walk.graph.edges.push(Edge {
                        from,
                        to,
                        call: NONE,
                    });
                }
            }
        }
        for i in 0..walk.graph.functions.len() {
            let function = walk.graph.functions[i];
            let vertex = (walk.graph.nodes.len() + i) as u32;
            for node in function.nodes() {
                walk.node(node?, vertex)?;
            }
        }
        let mut this = walk.graph;
        for gradient in graph.gradients()? {
            let find = |name: &str| this.function_index.get(name).copied();
            if let (Some(from), Some(to)) =
                (find(&gradient.function_name), find(&gradient.gradient_func))
            {
                // No node calls it: it belongs to the function.
                this.edges.push(Edge {
                    from,
                    to,
                    call: NONE,
                });
            }
        }
        this.sort_edges(vertices);
        Ok(this)
    }

    fn sort_edges(&mut self, vertices: usize) {
        self.edges.sort_by_key(|edge| edge.from);
        self.starts = vec![0; vertices + 1];
        for edge in &self.edges {
            self.starts[edge.from as usize + 1] += 1;
        }
        for i in 0..vertices {
            self.starts[i + 1] += self.starts[i];
        }
    }

    /// Returns the numbers of the edges that leave a vertex.
    pub(super) fn leaving(&self, vertex: u32) -> std::ops::Range<u32> {
        let vertex = vertex as usize;
        self.starts[vertex]..self.starts[vertex + 1]
    }

    pub(super) fn vertices(&self) -> usize {
        self.nodes.len() + self.functions.len()
    }

    /// Finds the node of the graph itself that `node:1` or `^node` refers to.
    pub(super) fn find_node(&self, tensor: &str) -> Option<u32> {
        self.node_index.get(node_name(tensor)).copied()
    }

    pub(super) fn find_function(&self, name: &str) -> Option<u32> {
        self.function_index.get(name).copied()
    }

    /// Returns the function that a vertex is.
    pub(super) fn function(&self, vertex: u32) -> Option<Function<'m>> {
        let index = (vertex as usize).checked_sub(self.nodes.len())?;
        self.functions.get(index).copied()
    }
}

/// Returns the node's name in `node`, `node:1`, `node:out:0` and `^node`.
pub(super) fn node_name(tensor: &str) -> &str {
    let tensor = tensor.strip_prefix('^').unwrap_or(tensor);
    tensor.split(':').next().unwrap_or(tensor)
}

struct Walk<'m, D> {
    graph: CallGraph<'m>,
    ops: HashMap<&'m str, OpInfo>,
    /// Gradients that nodes name in an attr.
    gradients: HashMap<String, u32>,
    denied: D,
}

impl<'m, D: Fn(&str) -> bool> Walk<'m, D> {
    fn node(&mut self, node: Node<'m>, vertex: u32) -> Result<()> {
        self.graph.count += 1;
        let op = node.op();
        let info = match self.ops.get(op) {
            Some(info) => *info,
            None => {
                let info = self.info(op);
                self.ops.insert(op, info);
                info
            }
        };
        if let Some((capability, severity)) = info.suspicion {
            self.graph.suspects.push(Suspect {
                node,
                vertex,
                capability,
                severity,
            });
        }
        if let Some(function) = info.function {
            self.call(node, vertex, function, How::Function);
        }
        if info.may_call {
            for attr in node.attrs() {
                let (name, value) = attr?;
                let how = How::of(op, name);
                match value.value {
                    Some(Value::Func(called)) => self.call_named(node, vertex, &called.name, how),
                    Some(Value::List(list)) => {
                        for called in list.func {
                            self.call_named(node, vertex, &called.name, how);
                        }
                    }
                    _ => {}
                }
            }
        }
        if !self.gradients.is_empty()
            && let Some(value) = node.attr("_gradient_op_type")?
            && let Some(Value::S(name)) = value.value
            && let Ok(name) = std::str::from_utf8(&name)
            && let Some(function) = self.gradients.get(name).copied()
        {
            self.call(node, vertex, function, How::Gradient);
        }
        Ok(())
    }

    fn info(&self, op: &str) -> OpInfo {
        let facts = op::find(op);
        let function = self.graph.function_index.get(op).copied();
        let suspicion = Capability::of_op(op);
        let suspicion = match (suspicion, facts, function) {
            (None, _, _) if (self.denied)(op) => {
                Some((Capability::DeniedOp, Capability::DeniedOp.severity()))
            }
            (None, None, None) => Some((Capability::CustomOp, Capability::CustomOp.severity())),
            (suspicion, _, _) => suspicion,
        };
        OpInfo {
            suspicion,
            function,
            // What attrs an op of others has is not known.
            may_call: facts.is_none_or(|facts| {
                let mut attrs = facts.attrs();
                attrs.any(|attr| matches!(attr.type_name(), "func" | "list(func)"))
            }),
        }
    }

    fn call_named(&mut self, node: Node<'m>, vertex: u32, function: &str, how: How) {
        if let Some(function) = self.graph.function_index.get(function).copied() {
            self.call(node, vertex, function, how);
        }
    }

    fn call(&mut self, node: Node<'m>, vertex: u32, function: u32, how: How) {
        let call = self.graph.calls.len() as u32;
        self.graph.calls.push(Call { node, how });
        self.graph.edges.push(Edge {
            from: vertex,
            to: function,
            call,
        });
    }
}
