use std::fmt;

use super::call_graph::How;
use super::reach::EntryKind;
use super::{Capability, Severity, Verdict};

/// Something that a model can do besides computing, and what leads to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Finding {
    /// What it lets the model do; programs tell by it.
    pub capability: Capability,
    /// How bad it is.
    pub severity: Severity,
    /// What the policy says of it.
    pub verdict: Verdict,
    /// What is so, in one sentence.
    pub message: String,
    /// The tags of the meta graph, if it is in one.
    pub tags: Option<Vec<String>>,
    /// The op; `None` if it is no node.
    pub op: Option<String>,
    /// The node, or the asset, or the layer's path.
    pub name: String,
    /// The function that has the node; `None` if it stands in the graph itself.
    pub function: Option<String>,
    /// What leads to it, if anything does.
    pub path: Option<CallPath>,
    /// By which kinds of entry it can be reached; empty if nothing leads to it.
    pub reached_from: Vec<EntryKind>,
    /// Constant texts that the op takes, such as the path of a file, and assets: at most ten.
    pub arguments: Vec<String>,
}

/// The way from where a program is entered to a node.
///
/// Shown it is `signature serving_default → __inference_f_12 → branch g`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CallPath {
    /// Where it is entered.
    pub entry: EntryKind,
    /// The signature's key, the object's path, or the node's name.
    pub entry_name: String,
    /// How many functions were left out behind the entry, of a very long path.
    pub omitted: u64,
    /// The functions, the outermost first.
    pub steps: Vec<PathStep>,
}

/// A function on the way to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PathStep {
    /// What the function is to the one before.
    pub how: How,
    /// The function.
    pub function: String,
    /// The node that calls it; `None` if it is called from outside, or is a gradient.
    pub called_by: Option<String>,
}

impl fmt::Display for CallPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.entry.name())?;
        if !self.entry_name.is_empty() {
            write!(f, " {}", self.entry_name)?;
        }
        if self.omitted > 0 {
            write!(f, " → … {} more …", self.omitted)?;
        }
        for step in &self.steps {
            match step.how {
                How::Function => write!(f, " → {}", step.function)?,
                how => write!(f, " → {} {}", how.name(), step.function)?,
            }
        }
        Ok(())
    }
}

impl Finding {
    /// Says where it is: the way to it, and the node.
    ///
    /// Names are as the file has them; for a terminal they must be escaped.
    pub fn place(&self) -> String {
        let node = match &self.op {
            Some(op) => format!("{op} node {}", self.name),
            None => self.name.clone(),
        };
        match (&self.path, &self.function) {
            (Some(path), _) => format!("{path} → {node}"),
            (None, Some(function)) => format!("function {function}, which nothing calls → {node}"),
            (None, None) => node,
        }
    }
}
