//! The functions of a model's root object and what they can be called with.

use std::collections::HashMap;
use std::io::{self, Write};
use std::rc::Rc;

use savedmodel::object_graph::{Object, ObjectGraph, ObjectKind, StructuredValue};

use super::Style;
use super::library::Library;
use crate::python;

/// Why a model's functions are not listed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NotListed {
    CustomOps,
    Unknown,
}

impl NotListed {
    pub(crate) fn text(self) -> &'static str {
        match self {
            NotListed::CustomOps => {
                " N/A (could not be listed due to the existence of custom ops in the SavedModel)"
            }
            NotListed::Unknown => " N/A (could not be listed due to unknown reasons)",
        }
    }
}

/// A function of the root object.
pub(crate) struct Listed {
    name: String,
    options: Rc<[Arguments]>,
}

/// What one concrete function is called with.
struct Arguments {
    positional: Vec<StructuredValue>,
    /// Only their names are shown.
    named: Vec<String>,
}

/// Reads the functions of the root object, sorted by name, their options in the order of the names
/// they would be loaded under. In the stock tool's style everything that TensorFlow cannot load is a
/// reason to list nothing; in our own whatever can be told is listed.
pub(crate) fn list(
    objects: &ObjectGraph,
    library: &Library<'_>,
    style: Style,
) -> Result<Vec<Listed>, NotListed> {
    let strict = style == Style::Stock;
    if strict && !library.is_all_known() {
        return Err(NotListed::CustomOps);
    }
    let unknown = |_| NotListed::Unknown;
    if strict {
        check_loadable(objects)?;
    }
    let loaded = match library.loaded_names().map_err(unknown)? {
        Some(names) => names,
        None if strict => return Err(NotListed::Unknown),
        None => HashMap::new(),
    };
    let mut listed = Vec::new();
    // By object: an object may have as many names as the file has room for.
    let mut known: HashMap<usize, Rc<[Arguments]>> = HashMap::new();
    for (name, child) in objects.root().children() {
        let options = match known.get(&child.id()) {
            Some(options) => options.clone(),
            None => match options_of(child, &loaded, strict)? {
                Some(options) => known.entry(child.id()).or_insert(options).clone(),
                None => continue,
            },
        };
        let name = name.to_owned();
        listed.push(Listed { name, options });
    }
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(listed)
}

/// Reads what a function can be called with; `None` for an object that is none.
fn options_of(
    object: Object<'_>,
    loaded: &HashMap<&str, String>,
    strict: bool,
) -> Result<Option<Rc<[Arguments]>>, NotListed> {
    let (mut functions, keywords): (Vec<_>, Vec<&str>) = match object.kind() {
        ObjectKind::Function(function) => (function.concrete_functions().collect(), Vec::new()),
        ObjectKind::BareConcreteFunction(function) => (
            vec![function.concrete_function()],
            function.argument_keywords().collect(),
        ),
        _ => return Ok(None),
    };
    functions.sort_by_key(|function| function.as_ref().ok().map(|f| loaded.get(f.name())));
    let mut options = Vec::new();
    for function in functions {
        let signature = match function.and_then(|f| f.canonicalized_input_signature()) {
            Ok(signature) => signature.unwrap_or(StructuredValue::None),
            Err(_) if strict => return Err(NotListed::Unknown),
            Err(_) => StructuredValue::None,
        };
        options.push(Arguments::new(signature, &keywords));
    }
    Ok(Some(options.into()))
}

/// Answers `Unknown` if there is an object or an argument that TensorFlow has no class for.
fn check_loadable(objects: &ObjectGraph) -> Result<(), NotListed> {
    let unknown = |_| NotListed::Unknown;
    let is_unknown = |object: Object<'_>| matches!(object.kind(), ObjectKind::Unknown);
    if objects.objects().any(is_unknown) {
        return Err(NotListed::Unknown);
    }
    for name in objects.concrete_function_names() {
        let function = objects.concrete_function(name).map_err(unknown)?;
        let input = function.canonicalized_input_signature().map_err(unknown)?;
        let output = function.output_signature().map_err(unknown)?;
        if ![input, output].iter().flatten().all(is_loadable) {
            return Err(NotListed::Unknown);
        }
    }
    Ok(())
}

/// Says whether TensorFlow finds a class for every type spec in a value.
fn is_loadable(value: &StructuredValue) -> bool {
    match value {
        StructuredValue::TypeSpec(spec) => spec.class.name().is_some() && is_loadable(&spec.state),
        StructuredValue::List(elements) | StructuredValue::Tuple(elements) => {
            elements.iter().all(is_loadable)
        }
        StructuredValue::Dict(entries) => entries.iter().all(|(_, value)| is_loadable(value)),
        StructuredValue::NamedTuple(tuple) => {
            tuple.fields.iter().all(|(_, value)| is_loadable(value))
        }
        _ => true,
    }
}

impl Arguments {
    fn new(signature: StructuredValue, keywords: &[&str]) -> Self {
        match signature {
            StructuredValue::Tuple(parts) if parts.len() == 2 => {
                let mut parts = parts.into_iter();
                let positional = match parts.next() {
                    Some(StructuredValue::Tuple(elements) | StructuredValue::List(elements)) => {
                        elements
                    }
                    _ => Vec::new(),
                };
                let mut named: Vec<String> = match parts.next() {
                    Some(StructuredValue::Dict(entries)) => {
                        entries.into_iter().map(|(name, _)| name).collect()
                    }
                    _ => Vec::new(),
                };
                named.sort_unstable();
                Arguments { positional, named }
            }
            _ => Arguments {
                positional: keywords
                    .iter()
                    .map(|keyword| StructuredValue::String((*keyword).to_owned()))
                    .collect(),
                named: Vec::new(),
            },
        }
    }
}

/// Writes the functions as the stock tool does. No newline follows the last line of the heading:
/// each function begins with one.
pub(crate) fn write(out: &mut impl Write, listed: &[Listed], style: Style) -> io::Result<()> {
    for function in listed {
        write!(out, "\n  Function Name: '{}'\n", style.name(&function.name))?;
        for (i, option) in function.options.iter().enumerate() {
            if !option.positional.is_empty() {
                write!(out, "    Option #{}\n      Callable with:\n", i + 1)?;
                for (i, argument) in option.positional.iter().enumerate() {
                    writeln!(out, "        Argument #{}", i + 1)?;
                    write_argument(out, argument, style)?;
                }
            }
            for (i, name) in option.named.iter().enumerate() {
                write!(
                    out,
                    "        Named Argument #{}\n          {}\n",
                    i + 1,
                    style.name(name)
                )?;
            }
        }
    }
    Ok(())
}

fn write_argument(out: &mut impl Write, value: &StructuredValue, style: Style) -> io::Result<()> {
    const INDENT: &str = "          ";
    let spec = match value {
        StructuredValue::String(text) => return writeln!(out, "{INDENT}{}", style.name(text)),
        StructuredValue::TensorSpec(spec) => Some(spec),
        StructuredValue::BoundedTensorSpec(bounded) => Some(&bounded.spec),
        _ => None,
    };
    if let Some(spec) = spec {
        let name = spec.name.as_deref().unwrap_or("None");
        let repr = python::repr_of(value);
        return writeln!(out, "{INDENT}{}: {repr}", style.name(name));
    }
    let kind = match value {
        StructuredValue::None => "NoneType",
        StructuredValue::Bool(_) => "bool",
        StructuredValue::Int(_) => "int",
        StructuredValue::Float(_) => "float",
        StructuredValue::DType(_) => "DType",
        StructuredValue::TensorShape(_) => "TensorShape",
        StructuredValue::List(_) => "list",
        StructuredValue::Tuple(_) => "tuple",
        StructuredValue::Dict(_) => "dict",
        StructuredValue::NamedTuple(tuple) => &tuple.name,
        StructuredValue::TypeSpec(spec) => spec.class.name().unwrap_or(&spec.class_name),
        StructuredValue::Tensor(_) => "EagerTensor",
        _ => "ndarray",
    };
    writeln!(out, "{INDENT}DType: {}", style.name(kind))?;
    let text = match value {
        StructuredValue::List(elements) | StructuredValue::Tuple(elements) => {
            listed("[", elements.iter().map(quoted), "]", style)
        }
        StructuredValue::NamedTuple(tuple) => {
            let values = tuple.fields.iter().map(|(_, value)| quoted(value));
            listed("[", values, "]", style)
        }
        StructuredValue::TensorShape(shape) => match shape.dims() {
            Some(dims) => {
                let dims = dims.iter().map(|dim| python::dim_str(*dim));
                listed("[", dims, "]", style)
            }
            None => "None".to_owned(),
        },
        StructuredValue::Dict(_) => {
            let entries = value.sorted_entries().unwrap_or_default();
            let entries = entries
                .iter()
                .map(|(key, value)| format!("'{key}': {}", quoted(value)));
            listed("{", entries, "}", style)
        }
        _ => match python::rows_of(value) {
            Some(rows) => listed("[", rows.into_iter(), "]", style),
            None => python::str_of(value),
        },
    };
    writeln!(out, "{INDENT}Value: {}", style.name(&text))
}

/// Joins elements with commas. The stock tool writes one behind every element, and takes the last one
/// and its blank back with two backspaces.
fn listed(open: &str, elements: impl Iterator<Item = String>, close: &str, style: Style) -> String {
    let elements: Vec<String> = elements.collect();
    let mut text = open.to_owned() + &elements.join(", ");
    if style == Style::Stock {
        if !elements.is_empty() {
            text += ", ";
        }
        text += "\u{8}\u{8}";
    }
    text + close
}

/// Returns a text between plain quotes, anything else as `str` shows it.
fn quoted(value: &StructuredValue) -> String {
    match value {
        StructuredValue::String(text) => format!("'{text}'"),
        _ => python::str_of(value),
    }
}
