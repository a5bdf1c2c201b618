use std::collections::{BTreeMap, HashMap};

use super::object_tree::Names;
use super::op_census::{object_functions, unreached};
use super::pieces::on_threads;
use super::program::{Program, reference};
use super::reach::Reach;
use super::type_text::{TypeText, dims_of_stored};
use crate::error::{Error, Result};
use crate::model::{Function, MetaGraph};
use crate::object_graph::{ObjectGraph, ObjectKind};
use crate::proto::TensorShapeProto;
use crate::proto::attr_value::Value;
use crate::proto::op_def::ArgDef;
use crate::tensor::DType;

/// The function library of a meta graph: what each function takes and gives, who calls it, and as
/// what it is known to the objects.
///
/// ```
/// use savedmodel::SavedModel;
/// use savedmodel::inspect::{FunctionLibrary, Reach};
///
/// let model = SavedModel::open("tests/fixtures/keras3_saved")?;
/// let library = FunctionLibrary::of(model.meta_graph(["serve"])?)?;
/// let saver = library.functions.iter().find(|f| f.name.contains("traced_save")).unwrap();
/// assert_eq!(saver.reach, Reach::Graph);
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FunctionLibrary {
    /// How many nodes the functions have together.
    pub nodes: u64,
    /// How many bytes the functions take in the file together.
    pub bytes: u64,
    /// How many of them nothing calls.
    pub unreached_functions: u64,
    /// The functions, ascending by name.
    pub functions: Vec<FunctionReport>,
}

/// One function of the library.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FunctionReport {
    /// The name by which nodes call it.
    pub name: String,
    /// The arguments in order, captured variables and the like last.
    pub arguments: Vec<FunctionArgument>,
    /// The results in order.
    pub results: Vec<FunctionArgument>,
    /// How many nodes the body has.
    pub nodes: u64,
    /// How many bytes it takes in the file.
    pub bytes: u64,
    /// Whether it is marked as one that has effects, or a state.
    pub stateful: bool,
    /// How it can come to run.
    pub reach: Reach,
    /// Whether nodes of the graph itself call it.
    pub called_by_graph: bool,
    /// The functions that call it, ascending; here and in other references, names are cut after
    /// 1,000 characters.
    pub called_by: Vec<String>,
    /// The functions that it calls, ascending; gradients are not among them.
    pub calls: Vec<String>,
    /// The functions that are its gradient, or that of its nodes, ascending.
    pub gradients: Vec<String>,
    /// The objects that hold it as a concrete function, by name: `root.__call__`.
    pub objects: Vec<String>,
}

/// An argument or a result of a function of the library.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FunctionArgument {
    /// Its name in the function's signature.
    pub name: String,
    /// Its type in readable form: `float32[?, 3]`; where the file has no shape, `float32` alone.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub type_text: String,
}

/// One function with its nodes.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FunctionBody {
    /// What the library says of it.
    pub function: FunctionReport,
    /// The nodes in the order of the file.
    pub nodes: Vec<FunctionNode>,
    /// Which output of a node each result is, ascending by name of the result.
    pub returns: Vec<FunctionReturn>,
}

/// A node of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FunctionNode {
    /// The node's name.
    pub name: String,
    /// What it does: an op, or a function.
    pub op: String,
    /// Its inputs as the file has them: arguments, `node:output:0`, `^node`.
    pub inputs: Vec<String>,
    /// Where it should run; mostly empty, for anywhere.
    pub device: String,
}

/// Which output of a node a result is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FunctionReturn {
    /// The result.
    pub result: String,
    /// The output, `node:output:0`, or an argument.
    pub output: String,
}

impl FunctionLibrary {
    /// Reads the library of a meta graph. Objects are named if the meta graph has them.
    ///
    /// # Errors
    ///
    /// `Malformed`, with the file and the byte, if the graph or the object graph is damaged.
    pub fn of(meta_graph: MetaGraph<'_>) -> Result<Self> {
        let reader = Reader::new(meta_graph)?;
        let functions = &reader.program.functions;
        let (_, reports) = on_threads(
            functions.iter().map(|it| it.message.bytes().len()).sum(),
            |give| {
                let starts = (0..functions.len()).step_by(PIECE);
                starts.for_each(|start| give(start..functions.len().min(start + PIECE)));
                Ok(())
            },
            Vec::new,
            |reports: &mut Vec<_>, piece| {
                for index in piece {
                    reports.push((index, reader.report(index)?));
                }
                Ok(())
            },
        )?;
        let mut functions: Vec<_> = reports.into_iter().flatten().collect();
        // Of one name in the order of the file.
        functions.sort_unstable_by(|(i, a), (j, b)| (&a.name, i).cmp(&(&b.name, j)));
        let functions: Vec<FunctionReport> = functions.into_iter().map(|(_, it)| it).collect();
        Ok(FunctionLibrary {
            nodes: functions.iter().map(|function| function.nodes).sum(),
            bytes: functions.iter().map(|function| function.bytes).sum(),
            unreached_functions: unreached(&reader.reach),
            functions,
        })
    }
}

/// Threads take so many functions at a time.
const PIECE: usize = 64;

impl FunctionBody {
    /// Reads one function of a meta graph's library.
    ///
    /// # Errors
    ///
    /// As for [`FunctionLibrary::of`], and `NotFound`, with the names that come closest.
    pub fn of(meta_graph: MetaGraph<'_>, name: &str) -> Result<Self> {
        let reader = Reader::new(meta_graph)?;
        let Some(index) = reader.program.find(name.as_bytes()) else {
            return match meta_graph.graph().function(name) {
                // Of functions of one name the last counts.
                Ok(_) => Err(Error::malformed("a function is there and is not")),
                Err(error) => Err(error),
            };
        };
        let function = reader.program.function(index)?;
        let mut nodes = Vec::new();
        for node in function.nodes() {
            let node = node?;
            nodes.push(FunctionNode {
                name: node.name().to_owned(),
                op: node.op().to_owned(),
                inputs: node.inputs().map(str::to_owned).collect(),
                device: node.device().to_owned(),
            });
        }
        let returns = function.ret()?.into_iter();
        Ok(FunctionBody {
            function: reader.report(index)?,
            nodes,
            returns: returns
                .map(|(result, output)| FunctionReturn {
                    result: result.to_owned(),
                    output: output.to_owned(),
                })
                .collect(),
        })
    }
}

struct Reader<'m> {
    program: Program<'m>,
    reach: Vec<Reach>,
    callers: Vec<Vec<usize>>,
    /// For names of functions the objects that hold them.
    objects: HashMap<String, Vec<String>>,
}

impl<'m> Reader<'m> {
    fn new(meta_graph: MetaGraph<'m>) -> Result<Self> {
        let program = Program::read(meta_graph.graph())?;
        program.check_names()?;
        let reach = Reach::of(
            &program,
            object_functions(meta_graph, &program)?.into_iter(),
        );
        let mut callers = vec![Vec::new(); program.functions.len()];
        for (caller, function) in program.functions.iter().enumerate() {
            for callee in &function.body.calls {
                callers[*callee].push(caller);
            }
        }
        let objects = meta_graph.object_graph()?;
        Ok(Reader {
            objects: objects.map(|it| holders(&it)).unwrap_or_default(),
            program,
            reach,
            callers,
        })
    }

    fn report(&self, index: usize) -> Result<FunctionReport> {
        let function = self.program.function(index)?;
        let body = &self.program.functions[index].body;
        let types = ArgumentTypes::read(function)?;
        let names = |functions: &mut dyn Iterator<Item = usize>| {
            let mut names: Vec<String> = functions
                .map(|function| self.program.reference(function))
                .collect();
            names.sort();
            names.dedup();
            names
        };
        let own_gradient = self.program.gradients.get(&index);
        let gradients = own_gradient.into_iter().chain(&body.gradients);
        Ok(FunctionReport {
            name: function.name().to_owned(),
            arguments: types.arguments,
            results: types.results,
            nodes: body.nodes,
            bytes: function.message().bytes().len() as u64,
            stateful: types.stateful,
            reach: self.reach[index],
            called_by_graph: self.program.main.calls.binary_search(&index).is_ok(),
            called_by: names(&mut self.callers[index].iter().copied()),
            calls: names(&mut body.calls.iter().copied()),
            gradients: names(&mut gradients.copied()),
            objects: self
                .objects
                .get(function.name())
                .cloned()
                .unwrap_or_default(),
        })
    }
}

/// Returns for each concrete function the objects that hold it, by the shortest of their names.
fn holders(objects: &ObjectGraph) -> HashMap<String, Vec<String>> {
    let mut holders: HashMap<String, Vec<String>> = HashMap::new();
    let mut names = Names::new();
    for (path, object) in objects.paths() {
        let mut add = |name: &str| {
            if let Some(path) = names.take(path) {
                let held = holders.entry(name.to_owned()).or_default();
                held.push(reference(&path));
            }
        };
        match object.kind() {
            ObjectKind::Function(function) => function.concrete_function_names().for_each(add),
            ObjectKind::BareConcreteFunction(function) => add(function.concrete_function_name()),
            _ => {}
        }
    }
    holders
}

/// What the signature of a function says.
struct ArgumentTypes {
    arguments: Vec<FunctionArgument>,
    results: Vec<FunctionArgument>,
    stateful: bool,
}

impl ArgumentTypes {
    fn read(function: Function<'_>) -> Result<Self> {
        let signature = function.signature()?;
        let shapes = argument_shapes(function)?;
        let argument = |(index, arg): (usize, &ArgDef)| FunctionArgument {
            name: arg.name.clone(),
            type_text: type_text(arg, shapes.get(&index)),
        };
        Ok(ArgumentTypes {
            arguments: signature
                .input_arg
                .iter()
                .enumerate()
                .map(argument)
                .collect(),
            results: signature
                .output_arg
                .iter()
                .map(|arg| FunctionArgument {
                    name: arg.name.clone(),
                    type_text: type_text(arg, None),
                })
                .collect(),
            stateful: signature.is_stateful,
        })
    }
}

fn type_text(arg: &ArgDef, shape: Option<&TensorShapeProto>) -> String {
    let text = if !arg.type_attr.is_empty() {
        arg.type_attr.clone()
    } else if !arg.type_list_attr.is_empty() {
        arg.type_list_attr.clone()
    } else {
        let dtype = DType::from_number(arg.r#type);
        match shape {
            Some(shape) => {
                let stored = match shape.unknown_rank {
                    true => None,
                    false => Some(shape.dim.iter().map(|dim| dim.size).collect()),
                };
                TypeText(dtype, dims_of_stored(stored).as_deref()).to_string()
            }
            None => dtype.to_string(),
        }
    };
    match (arg.is_ref, arg.number_attr.is_empty()) {
        (false, true) => text,
        (true, true) => format!("Ref({text})"),
        (_, false) => format!("{} * {text}", arg.number_attr),
    }
}

/// Returns the shapes that TensorFlow noted for arguments in `arg_attr`, by their index.
fn argument_shapes(function: Function<'_>) -> Result<BTreeMap<usize, TensorShapeProto>> {
    let mut shapes = BTreeMap::new();
    for (index, attrs) in function.arg_attrs()? {
        let shape = attrs.attr.into_iter().find_map(|entry| {
            let is_shape = entry.key.as_deref() == Some(OUTPUT_SHAPES);
            match entry.value.and_then(|value| value.value) {
                Some(Value::List(list)) if is_shape => list.shape.into_iter().next(),
                _ => None,
            }
        });
        if let (Ok(index), Some(shape)) = (usize::try_from(index), shape) {
            shapes.insert(index, shape);
        }
    }
    Ok(shapes)
}

/// The attr of arguments that holds their shape, in a list of one.
const OUTPUT_SHAPES: &str = "_output_shapes";
