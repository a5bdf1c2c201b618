use std::fmt;

use super::structure::{NamedStructure, Structure};
use super::type_text::TypeText;
use crate::error::{Printable, Result};
use crate::object_graph::{ConcreteFunction, FunctionSpec, ObjectGraph, StructuredValue};

/// A concrete function: what one trace of a Python function is called with.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ConcreteFunctionReport {
    /// The name of the graph's function.
    pub name: String,
    /// The arguments by position; `None` if the file does not say, or says what cannot be read.
    pub arguments: Option<Vec<Structure>>,
    /// The arguments by keyword, ascending by name.
    pub keywords: Vec<NamedStructure>,
    /// The structure of the result.
    pub result: Option<Structure>,
    /// How many variables, constants and the like it takes from outside.
    pub captures: u64,
}

/// The parameters of a Python function.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Parameters {
    /// Those that can be given by position; of methods without `self`.
    pub names: Vec<String>,
    /// The defaults of the last of `names`.
    pub defaults: Vec<Structure>,
    /// The name of the parameter that takes further ones by position.
    pub varargs: Option<String>,
    /// The name of the parameter that takes further ones by keyword.
    pub varkw: Option<String>,
    /// Those that can be given by keyword alone.
    pub keyword_only: Vec<String>,
}

impl ConcreteFunctionReport {
    pub(super) fn of(objects: &ObjectGraph, name: &str) -> Self {
        let mut report = ConcreteFunctionReport {
            name: name.to_owned(),
            arguments: None,
            keywords: Vec::new(),
            result: None,
            captures: 0,
        };
        // What is damaged in one of them must not hide all others.
        if let Ok(function) = objects.concrete_function(name) {
            report.captures = function.bound_inputs().len() as u64;
            report.result = function
                .output_signature()
                .ok()
                .flatten()
                .map(|result| Structure::of(&result));
            if let Ok(Some(arguments)) = arguments(&function) {
                (report.arguments, report.keywords) = (Some(arguments.0), arguments.1);
            }
        }
        report
    }

    /// Shows the call as Python would declare it: `(x: float32[?, 3], training: bool = False) ->
    /// float32[?, 1]`. What stands behind `=` is the value for which the function was traced.
    pub fn call<'r>(&'r self, parameters: Option<&'r Parameters>) -> impl fmt::Display {
        Call {
            function: self,
            parameters,
        }
    }
}

/// What a function is called with: by position, and by keyword.
type CallArguments = (Vec<Structure>, Vec<NamedStructure>);

fn arguments(function: &ConcreteFunction<'_>) -> Result<Option<CallArguments>> {
    let Some(signature) = function.canonicalized_input_signature()? else {
        return Ok(None);
    };
    let Some([positional, keywords]) = signature.elements() else {
        return Ok(None);
    };
    let positional = match positional.elements() {
        Some(elements) => elements.iter().map(Structure::of).collect(),
        None => return Ok(None),
    };
    let keywords = match Structure::of(keywords) {
        Structure::Dict { entries } => entries,
        _ => Vec::new(),
    };
    Ok(Some((positional, keywords)))
}

impl Parameters {
    pub(super) fn of(spec: &FunctionSpec) -> Self {
        let spec_names = &spec.fullargspec;
        let names = match spec_names.args.split_first() {
            // A method's first parameter is there in files of some releases, and never given.
            Some((first, rest)) if first == "self" => rest,
            _ => &spec_names.args[..],
        };
        let defaults = spec_names.defaults.iter().flatten();
        Parameters {
            names: names.to_vec(),
            defaults: defaults
                .map(|value: &StructuredValue| Structure::of(value))
                .collect(),
            varargs: spec_names.varargs.clone(),
            varkw: spec_names.varkw.clone(),
            keyword_only: spec_names.kwonlyargs.clone(),
        }
    }
}

/// Shows the parameters as Python declares them: `(x, training=False, *args, **kwargs)`.
impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first_default = self.names.len().saturating_sub(self.defaults.len());
        let mut separator = "(";
        for (i, name) in self.names.iter().enumerate() {
            write!(f, "{separator}{}", Printable(name))?;
            let default = i.checked_sub(first_default);
            if let Some(default) = default.and_then(|i| self.defaults.get(i)) {
                write!(f, "={default}")?;
            }
            separator = ", ";
        }
        if let Some(name) = &self.varargs {
            write!(f, "{separator}*{}", Printable(name))?;
            separator = ", ";
        } else if !self.keyword_only.is_empty() {
            write!(f, "{separator}*")?;
            separator = ", ";
        }
        for name in &self.keyword_only {
            write!(f, "{separator}{}", Printable(name))?;
            separator = ", ";
        }
        if let Some(name) = &self.varkw {
            write!(f, "{separator}**{}", Printable(name))?;
            separator = ", ";
        }
        f.write_str(if separator == "(" { "()" } else { ")" })
    }
}

struct Call<'r> {
    function: &'r ConcreteFunctionReport,
    parameters: Option<&'r Parameters>,
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function.arguments {
            Some(arguments) => self.write_arguments(f, arguments)?,
            None => f.write_str("(?)")?,
        }
        match &self.function.result {
            Some(result) => {
                f.write_str(" -> ")?;
                write_typed(f, result)
            }
            None => Ok(()),
        }
    }
}

impl Call<'_> {
    fn write_arguments(&self, f: &mut fmt::Formatter<'_>, arguments: &[Structure]) -> fmt::Result {
        let names = self.parameters.map_or(&[][..], |it| &it.names[..]);
        f.write_str("(")?;
        let mut separator = "";
        for (i, value) in arguments.iter().enumerate() {
            f.write_str(separator)?;
            let own_name = match value {
                Structure::Tensor { name, .. } => name.as_ref(),
                _ => None,
            };
            match (names.get(i).or(own_name), value) {
                (Some(name), value) => write_argument(f, name, value)?,
                (None, value) => write_typed(f, value)?,
            }
            separator = ", ";
        }
        for keyword in &self.function.keywords {
            f.write_str(separator)?;
            write_argument(f, &keyword.name, &keyword.value)?;
            separator = ", ";
        }
        f.write_str(")")
    }
}

fn write_argument(f: &mut fmt::Formatter<'_>, name: &str, value: &Structure) -> fmt::Result {
    write!(f, "{}", Printable(name))?;
    let type_name = match value {
        Structure::None => return f.write_str(": None"),
        Structure::Bool { .. } => "bool",
        Structure::Int { .. } => "int",
        Structure::Float { .. } => "float",
        Structure::String { .. } => "str",
        Structure::DType { .. } => "dtype",
        Structure::Shape { .. } => "shape",
        _ => {
            f.write_str(": ")?;
            return write_typed(f, value);
        }
    };
    write!(f, ": {type_name} = {value}")
}

/// Writes a type without the name that the tensor itself has.
fn write_typed(f: &mut fmt::Formatter<'_>, value: &Structure) -> fmt::Result {
    match value {
        Structure::Tensor { dtype, shape, .. } => {
            write!(f, "{}", TypeText(*dtype, shape.as_deref()))
        }
        Structure::Dict { entries } => {
            f.write_str("{")?;
            for (i, entry) in entries.iter().enumerate() {
                let separator = if i == 0 { "" } else { ", " };
                write!(f, "{separator}{}: ", Printable(&entry.name))?;
                write_typed(f, &entry.value)?;
            }
            f.write_str("}")
        }
        Structure::List { elements } => write_elements(f, "[", elements, "]"),
        Structure::Tuple { elements } => write_elements(f, "(", elements, ")"),
        value => write!(f, "{value}"),
    }
}

fn write_elements(
    f: &mut fmt::Formatter<'_>,
    open: &str,
    elements: &[Structure],
    close: &str,
) -> fmt::Result {
    f.write_str(open)?;
    for (i, element) in elements.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { ", " })?;
        write_typed(f, element)?;
    }
    f.write_str(close)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::DType;

    fn tensor(name: &str) -> Structure {
        Structure::Tensor {
            name: Some(name.to_owned()),
            dtype: DType::FLOAT,
            shape: Some(vec![None, Some(3)]),
        }
    }

    #[test]
    fn a_call_reads_like_a_declaration() {
        let report = ConcreteFunctionReport {
            name: "f_1".to_owned(),
            arguments: Some(vec![
                tensor("inputs"),
                Structure::Bool { value: false },
                Structure::None,
            ]),
            keywords: vec![NamedStructure {
                name: "scale".to_owned(),
                value: Structure::List {
                    elements: vec![tensor("a"), Structure::Int { value: 2 }],
                },
            }],
            result: Some(Structure::Dict {
                entries: vec![NamedStructure {
                    name: "y".to_owned(),
                    value: tensor("y"),
                }],
            }),
            captures: 2,
        };
        assert_eq!(
            report.call(None).to_string(),
            "(inputs: float32[?, 3], False, None, scale: [float32[?, 3], 2]) -> {y: float32[?, 3]}"
        );
        let parameters = Parameters {
            names: ["x", "training", "mask"].map(str::to_owned).to_vec(),
            defaults: vec![Structure::Bool { value: true }, Structure::None],
            varargs: None,
            varkw: Some("more".to_owned()),
            keyword_only: vec!["scale".to_owned()],
        };
        assert_eq!(
            report.call(Some(&parameters)).to_string(),
            "(x: float32[?, 3], training: bool = False, mask: None, scale: [float32[?, 3], 2]) -> \
             {y: float32[?, 3]}"
        );
        assert_eq!(
            parameters.to_string(),
            "(x, training=True, mask=None, *, scale, **more)"
        );
    }
}
