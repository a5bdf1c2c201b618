use std::collections::BTreeSet;

use super::trace::CheckedTrace;
use crate::error::{Error, Result};
use crate::object_graph::{FullArgSpec, StructuredValue};

/// Returns the parameters that a trace itself names.
pub(super) fn parameters(trace: &CheckedTrace) -> FullArgSpec {
    let mut taken = BTreeSet::new();
    let arguments = trace.arguments.iter().enumerate();
    let names: Vec<String> = arguments
        .map(|(i, argument)| {
            let name = match argument {
                StructuredValue::TensorSpec(spec) => spec.name.clone(),
                _ => None,
            };
            let name = name.filter(|name| is_identifier(name) && taken.insert(name.clone()));
            name.unwrap_or_else(|| format!("arg{i}"))
        })
        .collect();
    let keywords = trace.keywords.iter();
    keywords.fold(FullArgSpec::new(names), |spec, (name, _)| {
        spec.keyword_only(name, None)
    })
}

fn is_identifier(name: &str) -> bool {
    let starts = |c: char| c.is_alphabetic() || c == '_';
    name.starts_with(starts) && name.chars().all(|c| starts(c) || c.is_alphanumeric())
}

/// Refuses a trace that no call of a function with these parameters can match.
pub(super) fn check_parameters(spec: &FullArgSpec, trace: &CheckedTrace) -> Result<()> {
    let wrong = |what: String| {
        let what = format!("function `{}`: {what}", trace.name());
        Err(Error::invalid_argument(what))
    };
    let (given, takes) = (trace.arguments.len(), spec.args.len());
    if given < takes || (given > takes && spec.varargs.is_none()) {
        return wrong(format!(
            "the trace has {given} arguments, and there are {takes} parameters ({})",
            spec.args.join(", ")
        ));
    }
    if spec.defaults.as_ref().is_some_and(|it| it.len() > takes) {
        return wrong("there are more defaults than parameters".to_owned());
    }
    let has = |name: &String| trace.keywords.iter().any(|(keyword, _)| keyword == name);
    if let Some(missing) = spec.kwonlyargs.iter().find(|name| !has(name)) {
        return wrong(format!("the trace has nothing for the keyword `{missing}`"));
    }
    let mut keywords = trace.keywords.iter().map(|(keyword, _)| keyword);
    match keywords.find(|name| spec.varkw.is_none() && !spec.kwonlyargs.contains(name)) {
        None => Ok(()),
        Some(name) => wrong(format!(
            "no parameter takes `{name}` by keyword alone; others are given by `arguments`"
        )),
    }
}
