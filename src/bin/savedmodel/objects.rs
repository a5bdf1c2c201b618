use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};

use savedmodel::inspect::{
    ConcreteFunctionReport, ObjectDetail, ObjectEntry, ObjectTree, ObjectTreeOptions, Parameters,
    StoredAttribute,
};
use savedmodel::model::{Located, locate};
use savedmodel::{BundleReader, Result};
use serde::Serialize;

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::text::Escaped;
use crate::variables::{counted, matches};
use crate::{json, path};

/// `savedmodel objects`.
pub(crate) fn run(args: &args::Objects, out: &mut impl Write) -> Result<Outcome, Failure> {
    let mut options = ObjectTreeOptions::default();
    if let Some(root) = &args.root {
        options = options.root(root);
    }
    if let Some(depth) = args.depth {
        options = options.depth(depth);
    }
    let (name, mut tree) = match locate(&args.path)? {
        Located::Model(_) => {
            let model = path::model(&args.path)?;
            (model.path().to_owned(), options.of_model(&model)?)
        }
        Located::Checkpoint(prefix) => {
            let bundle = BundleReader::open(&prefix)?;
            (prefix, options.of_checkpoint(&bundle)?)
        }
    };
    if let Some(pattern) = &args.filter {
        let names = names_like(&tree, pattern);
        tree.entries.retain(|entry| is_like(entry, pattern));
        if tree.entries.is_empty() {
            return Err(Failure::Missing(
                format!(
                    "{}: no object has a name or kind like `{pattern}`{}",
                    name.display(),
                    match &names[..] {
                        [] => " (`savedmodel objects PATH` shows all)".to_owned(),
                        names => format!("; did you mean {}?", names.join(", ")),
                    }
                )
                .into(),
            ));
        }
    }
    if args.json {
        let path = name.to_string_lossy().into_owned();
        json::document(out, "objects", 1, &Document { path, tree: &tree })?;
        return Ok(Outcome::Sound);
    }
    let described = tree.entries.iter().filter(|entry| entry.detail.is_some());
    let described = described.count() as u64;
    if args.filter.is_none() {
        drop_shown_traces(&mut tree);
    }
    let text = Text::new(&tree, described);
    match args.filter {
        Some(_) => text.write_list(out)?,
        None => text.write_tree(out)?,
    }
    Ok(Outcome::Sound)
}

/// What `savedmodel objects --json` prints.
#[derive(Serialize)]
struct Document<'t> {
    path: String,
    #[serde(flatten)]
    tree: &'t ObjectTree,
}

/// Says whether an object is described there whose name or kind is like a pattern.
fn is_like(entry: &ObjectEntry, pattern: &str) -> bool {
    let Some(detail) = &entry.detail else {
        return false;
    };
    let path = entry.path.as_deref().unwrap_or(&entry.name);
    [
        path,
        path.strip_prefix("root.").unwrap_or(path),
        &entry.name,
        detail.kind(),
    ]
    .iter()
    .any(|name| matches(pattern.as_bytes(), name.as_bytes()))
}

/// Returns the names and kinds in a tree that come closest to one that none has, in quotes.
fn names_like(tree: &ObjectTree, wanted: &str) -> Vec<String> {
    let described = tree.entries.iter().filter_map(|entry| {
        let detail = entry.detail.as_ref()?;
        Some([entry.name.as_str(), detail.kind()])
    });
    let names: BTreeSet<&str> = described.flatten().collect();
    let near = path::near_names(wanted, names);
    near.iter().map(|name| format!("`{name}`")).collect()
}

/// Drops the objects that are the traces of a function: the function's lines have them already. Those
/// that hold something stay.
fn drop_shown_traces(tree: &mut ObjectTree) {
    let mut in_function = vec![false];
    let is_trace: Vec<bool> = tree
        .entries
        .iter()
        .enumerate()
        .map(|(index, entry)| {
            let depth = entry.depth as usize;
            in_function.truncate(depth + 1);
            let below_function = in_function[depth.min(in_function.len() - 1)];
            let detail = entry.detail.as_ref();
            in_function.push(matches!(detail, Some(ObjectDetail::Function { .. })));
            let next = tree.entries.get(index + 1);
            below_function
                && entry.name.starts_with("trace_")
                && matches!(detail, Some(ObjectDetail::BareConcreteFunction { .. }))
                && next.is_none_or(|next| next.depth <= entry.depth)
        })
        .collect();
    let mut is_trace = is_trace.into_iter();
    tree.entries.retain(|_| !is_trace.next().unwrap_or(false));
}

struct Text<'t> {
    tree: &'t ObjectTree,
    /// How many objects are described, traces that are shown with their functions too.
    described: u64,
    functions: HashMap<&'t str, &'t ConcreteFunctionReport>,
    /// The names of objects by number.
    paths: HashMap<u64, &'t str>,
}

impl<'t> Text<'t> {
    fn new(tree: &'t ObjectTree, described: u64) -> Self {
        let functions = tree.concrete_functions.iter();
        let paths = tree.entries.iter();
        Text {
            tree,
            described,
            functions: functions.map(|it| (it.name.as_str(), it)).collect(),
            paths: paths
                .filter_map(|entry| Some((entry.object, entry.path.as_deref()?)))
                .collect(),
        }
    }

    fn write_list(&self, out: &mut impl Write) -> io::Result<()> {
        for entry in &self.tree.entries {
            let name = entry.path.as_deref().unwrap_or(&entry.name);
            let lines = self.describe(entry);
            writeln!(out, "{}: {}", Escaped(name.as_bytes()), lines[0])?;
            for line in &lines[1..] {
                writeln!(out, "    {line}")?;
            }
        }
        Ok(())
    }

    fn write_tree(&self, out: &mut impl Write) -> io::Result<()> {
        let lasts = lasts(&self.tree.entries);
        // For each level whether more follows on it.
        let mut continues: Vec<bool> = Vec::new();
        for (index, (entry, last)) in self.tree.entries.iter().zip(&lasts).enumerate() {
            let depth = entry.depth as usize;
            continues.truncate(depth.saturating_sub(1));
            for goes_on in continues.iter().take(MAX_INDENT) {
                out.write_all(if *goes_on { "│  " } else { "   " }.as_bytes())?;
            }
            if depth > 0 {
                out.write_all(if *last { "└─ " } else { "├─ " }.as_bytes())?;
                continues.push(!last);
            }
            let lines = self.describe(entry);
            writeln!(out, "{}: {}", self.name(entry), lines[0])?;
            let next = self.tree.entries.get(index + 1);
            let has_children = next.is_some_and(|next| next.depth > entry.depth);
            for line in &lines[1..] {
                for goes_on in continues.iter().take(MAX_INDENT) {
                    out.write_all(if *goes_on { "│  " } else { "   " }.as_bytes())?;
                }
                let bar = if has_children { "│  " } else { "   " };
                writeln!(out, "{bar}{line}")?;
            }
        }
        self.write_totals(out)
    }

    fn write_totals(&self, out: &mut impl Write) -> io::Result<()> {
        let shown = self
            .tree
            .entries
            .iter()
            .filter(|entry| entry.detail.is_some());
        let (mut variables, mut functions) = (0, 0);
        for entry in shown {
            match &entry.detail {
                Some(ObjectDetail::Variable { .. }) => variables += 1,
                Some(ObjectDetail::Stored { attributes }) => {
                    variables += u64::from(value_of(attributes).is_some());
                }
                Some(ObjectDetail::Function { .. }) => functions += 1,
                _ => {}
            }
        }
        write!(out, "\n{}", counted(self.tree.objects, "object"))?;
        if self.described != self.tree.objects {
            write!(out, ", {} shown", self.described)?;
        }
        write!(out, ": {}", counted(variables, "variable"))?;
        if functions > 0 {
            write!(out, ", {}", counted(functions, "function"))?;
        }
        match self.tree.unnamed {
            0 => writeln!(out),
            unnamed => writeln!(out, "; no name leads to {unnamed}"),
        }
    }

    fn name(&self, entry: &ObjectEntry) -> String {
        let name = Escaped(entry.name.as_bytes());
        match entry.slot_of {
            Some(variable) => format!("{name} for {}", self.path(variable)),
            None if entry.depth == 0 => match &entry.path {
                Some(path) => Escaped(path.as_bytes()).to_string(),
                None => format!("object {}", entry.object),
            },
            None => name.to_string(),
        }
    }

    fn path(&self, object: u64) -> String {
        match self.paths.get(&object) {
            Some(path) => Escaped(path.as_bytes()).to_string(),
            None => format!("object {object}"),
        }
    }

    /// Describes an object in a line, and in more lines the traces of a function.
    fn describe(&self, entry: &ObjectEntry) -> Vec<String> {
        let Some(detail) = &entry.detail else {
            return vec![format!("see {}", self.path(entry.object))];
        };
        let escaped = |text: &str| Escaped(text.as_bytes()).to_string();
        vec![match detail {
            ObjectDetail::UserObject {
                class,
                registered_name,
                checkpoint_keys,
            } => {
                let mut text = class_name(class).map_or_else(|| escaped(class), str::to_owned);
                if let Some(name) = registered_name {
                    text += &format!(", registered as {}", escaped(name));
                }
                text + &stored_as(checkpoint_keys)
            }
            ObjectDetail::Asset { filename } => match filename {
                Some(name) => format!("asset {}", escaped(name)),
                None => "asset that the meta graph does not have".to_owned(),
            },
            ObjectDetail::Function {
                parameters,
                concrete_functions,
            } => return self.describe_function(parameters.as_ref(), concrete_functions),
            ObjectDetail::BareConcreteFunction {
                concrete_function, ..
            } => {
                format!("concrete function {}", self.call(concrete_function, None))
            }
            ObjectDetail::Variable {
                variable_name,
                type_text,
                trainable,
                checkpoint_key,
                ..
            } => {
                let mut text = format!("variable {}", escaped(type_text));
                if !variable_name.is_empty() {
                    text += &format!(" '{}'", escaped(variable_name));
                }
                if !trainable {
                    text += ", not trainable";
                }
                if checkpoint_key.is_none() {
                    text += ", no value stored";
                }
                text
            }
            ObjectDetail::Constant { operation } => format!("constant {}", escaped(operation)),
            ObjectDetail::Resource {
                device,
                checkpoint_keys,
            } => {
                let mut text = "resource".to_owned();
                if !device.is_empty() {
                    text += &format!(" on {}", escaped(device));
                }
                text + &stored_as(checkpoint_keys)
            }
            ObjectDetail::CapturedTensor {
                tensor,
                concrete_function,
            } => format!(
                "tensor {} of {}",
                escaped(tensor),
                escaped(concrete_function)
            ),
            ObjectDetail::Stored { attributes } => describe_stored(attributes),
            _ => "of no kind that TensorFlow knows".to_owned(),
        }]
    }

    fn describe_function(&self, parameters: Option<&Parameters>, traces: &[String]) -> Vec<String> {
        let declared = match parameters {
            Some(parameters) => Escaped(parameters.to_string().as_bytes()).to_string(),
            None => "(?)".to_owned(),
        };
        match traces {
            [] => vec![format!("function {declared}, never traced")],
            [trace] => vec![format!("function {}", self.call(trace, parameters))],
            traces => {
                let mut lines = vec![format!("function {declared}, {} traces", traces.len())];
                let shown = traces.iter().take(SHOWN);
                lines.extend(shown.map(|trace| self.call(trace, parameters)));
                if traces.len() > SHOWN {
                    lines.push(format!("and {} more", traces.len() - SHOWN));
                }
                lines
            }
        }
    }

    fn call(&self, function: &str, parameters: Option<&Parameters>) -> String {
        match self.functions.get(function) {
            Some(report) => {
                let mut text = report.call(parameters).to_string();
                if let Some((end, _)) = text.char_indices().nth(LONGEST) {
                    text.truncate(end);
                    text.push('…');
                }
                Escaped(text.as_bytes()).to_string()
            }
            None => Escaped(function.as_bytes()).to_string(),
        }
    }
}

/// So many traces of a function are shown; `--json` has all.
const SHOWN: usize = 8;
/// The arguments and results of a function take no more characters of a line.
const LONGEST: usize = 600;
/// No line is indented by more levels.
const MAX_INDENT: usize = 40;

/// Says for each entry whether it is the last one under its parent.
fn lasts(entries: &[ObjectEntry]) -> Vec<bool> {
    let mut lasts = vec![true; entries.len()];
    // For each level whether an entry has been met there, from behind, under the same parent.
    let mut met: Vec<bool> = Vec::new();
    for (entry, last) in entries.iter().zip(&mut lasts).rev() {
        let depth = entry.depth as usize;
        met.resize(depth + 1, false);
        *last = !met[depth];
        met[depth] = true;
    }
    lasts
}

fn class_name(class: &str) -> Option<&'static str> {
    Some(match class {
        "_generic_user_object" => "object",
        "trackable_list_wrapper" => "list",
        "trackable_dict_wrapper" => "dict",
        "trackable_tuple_wrapper" => "tuple",
        "signature_map" => "signatures",
        _ => return None,
    })
}

fn stored_as(keys: &[String]) -> String {
    let keys: Vec<String> = keys
        .iter()
        .map(|key| Escaped(key.as_bytes()).to_string())
        .collect();
    match keys.is_empty() {
        true => String::new(),
        false => format!(", stored as {}", keys.join(", ")),
    }
}

fn value_of(attributes: &[StoredAttribute]) -> Option<&StoredAttribute> {
    let mut values = attributes.iter();
    values.find(|attribute| attribute.name == "VARIABLE_VALUE")
}

fn describe_stored(attributes: &[StoredAttribute]) -> String {
    let missing = "missing in the bundle";
    match (value_of(attributes), attributes) {
        (_, []) => "object".to_owned(),
        (Some(value), [_]) => {
            let type_text = value.type_text.as_deref().unwrap_or(missing);
            match value.full_name.is_empty() {
                true => format!("variable {type_text}"),
                false => {
                    let name = Escaped(value.full_name.as_bytes());
                    format!("variable {type_text} '{name}'")
                }
            }
        }
        (_, attributes) => {
            let parts: Vec<String> = attributes
                .iter()
                .map(|attribute| {
                    let type_text = attribute.type_text.as_deref().unwrap_or(missing);
                    format!("{} {type_text}", Escaped(attribute.name.as_bytes()))
                })
                .collect();
            parts.join(", ")
        }
    }
}
