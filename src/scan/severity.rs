use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// How bad a [`Finding`](super::Finding) is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Severity {
    /// Worth knowing; honest models have it.
    Info,
    /// It costs time or prints something.
    Low,
    /// It reaches beyond the graph, or nobody can say what it does.
    Medium,
    /// It reads, writes or sends what a model has no business with.
    High,
    /// It does so as the model is loaded, before anybody calls it; or a policy denies it.
    Critical,
}

impl Severity {
    /// All severities, the least first.
    pub const ALL: &'static [Severity] = &[
        Severity::Info,
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];

    /// Returns the name, as `high`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// Returns the next lower severity: that of what nothing leads to.
    pub(super) fn lowered(self) -> Severity {
        match self {
            Severity::Info | Severity::Low => Severity::Info,
            Severity::Medium => Severity::Low,
            Severity::High => Severity::Medium,
            Severity::Critical => Severity::High,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads the name of a severity.
impl FromStr for Severity {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Severity::ALL.iter().find(|known| known.name() == name);
        found.copied().ok_or_else(|| {
            Error::invalid_argument(format!("there is no severity `{}`", name.escape_debug()))
                .remedy("it is one of info, low, medium, high and critical")
        })
    }
}
