use std::collections::BTreeSet;

use super::{Capability, Severity};
use crate::error::{Error, Result};

/// What is allowed and what is denied, and from which severity on a model is refused.
///
/// As a file it is text, one rule a line; `#` begins a comment:
///
/// ```text
/// fail-on medium      # or none
/// allow   file-read   # a capability
/// allow   RegexSplitWithOffsets  # an op, TensorFlow's or another
/// deny    ReadFile
/// ```
///
/// A rule about an op goes before one about its capability, and of two about the same thing the denial
/// counts. What is denied is critical wherever it stands; what is allowed is reported, and refuses
/// nothing.
///
/// ```
/// use savedmodel::scan::{Policy, Severity};
///
/// let policy = Policy::parse("fail-on low\nallow PrintV2")?;
/// assert_eq!(policy.fail_on(), Some(Severity::Low));
/// assert!(Policy::parse("allow file-wirte").is_err());
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    allowed: BTreeSet<String>,
    denied: BTreeSet<String>,
    fail_on: Option<Severity>,
}

/// Allows and denies nothing, and refuses what is high or critical.
impl Default for Policy {
    fn default() -> Self {
        Policy {
            allowed: BTreeSet::new(),
            denied: BTreeSet::new(),
            fail_on: Some(Severity::High),
        }
    }
}

/// What a policy says of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Verdict {
    /// Nothing: the severity counts.
    Open,
    /// It is allowed.
    Allowed,
    /// It is denied.
    Denied,
}

impl Policy {
    /// Reads the text of a policy.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`, with the line, for what is no rule.
    pub fn parse(text: &str) -> Result<Policy> {
        let mut policy = Policy::default();
        for (number, line) in text.lines().enumerate() {
            let rule = line.split('#').next().unwrap_or_default();
            let words: Vec<&str> = rule.split_whitespace().collect();
            let result = match words[..] {
                [] => Ok(()),
                ["allow", name] => policy.allow(name),
                ["deny", name] => policy.deny(name),
                ["fail-on", "none"] => {
                    policy.set_fail_on(None);
                    Ok(())
                }
                ["fail-on", severity] => severity
                    .parse()
                    .map(|severity| policy.set_fail_on(Some(severity))),
                _ => Err(Error::invalid_argument(format!(
                    "`{}` is no rule",
                    rule.trim().escape_debug()
                ))
                .remedy("a rule is allow NAME, deny NAME or fail-on SEVERITY")),
            };
            result.map_err(|error| {
                Error::invalid_argument(format!("line {} of the policy: {error}", number + 1))
            })?;
        }
        Ok(policy)
    }

    /// Allows an op or a capability.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for what can be the name of neither.
    pub fn allow(&mut self, name: &str) -> Result<()> {
        self.allowed.insert(check(name)?);
        Ok(())
    }

    /// Denies an op or a capability.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for what can be the name of neither.
    pub fn deny(&mut self, name: &str) -> Result<()> {
        self.denied.insert(check(name)?);
        Ok(())
    }

    /// Sets from which severity on a model is refused; `None` for never, but for what is denied.
    pub fn set_fail_on(&mut self, severity: Option<Severity>) {
        self.fail_on = severity;
    }

    /// Returns from which severity on a model is refused.
    pub fn fail_on(&self) -> Option<Severity> {
        self.fail_on
    }

    /// Returns whether an op is denied by its name.
    pub(super) fn denies_op(&self, op: &str) -> bool {
        !self.denied.is_empty() && self.denied.contains(op)
    }

    /// Says what it says of an op with a capability.
    pub fn verdict(&self, op: Option<&str>, capability: Capability) -> Verdict {
        for name in op.into_iter().chain([capability.name()]) {
            if self.denied.contains(name) {
                return Verdict::Denied;
            }
            if self.allowed.contains(name) {
                return Verdict::Allowed;
            }
        }
        Verdict::Open
    }
}

/// Capabilities have a dash or are written small, ops are neither.
fn check(name: &str) -> Result<String> {
    let is_capability = name.contains('-') || name.starts_with(|c: char| c.is_ascii_lowercase());
    let is_op = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'>' | b'.' | b'/'));
    if Capability::find(name).is_some() || (is_op && !is_capability) {
        return Ok(name.to_owned());
    }
    let known: Vec<&str> = Capability::ALL.iter().map(|known| known.name()).collect();
    Err(Error::invalid_argument(format!(
        "`{}` is neither an op nor a capability",
        name.escape_debug()
    ))
    .remedy(format!("the capabilities are {}", known.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_op_goes_before_its_capability_and_a_denial_before_a_leave() {
        let policy = Policy::parse(
            "allow file-read # all of it\ndeny ReadFile\n\nallow Abort\ndeny Abort\ndeny network\nallow RpcCall",
        )
        .unwrap();
        for (op, capability, verdict) in [
            ("ReadFile", Capability::FileRead, Verdict::Denied),
            ("LMDBReader", Capability::FileRead, Verdict::Allowed),
            ("Abort", Capability::KillOrStall, Verdict::Denied),
            ("RpcCall", Capability::Network, Verdict::Allowed),
            ("RpcClient", Capability::Network, Verdict::Denied),
            ("WriteFile", Capability::FileWrite, Verdict::Open),
        ] {
            assert_eq!(policy.verdict(Some(op), capability), verdict, "{op}");
        }
        assert_eq!(policy.fail_on(), Some(Severity::High));
    }

    #[test]
    fn what_is_no_rule_is_refused_with_its_line() {
        for (text, part) in [
            ("allow", "line 1"),
            ("\nallow a b", "line 2"),
            ("deny file-wirte", "neither an op nor a capability"),
            ("deny netwrok", "neither an op nor a capability"),
            ("deny \u{1b}[0m", "neither an op nor a capability"),
            ("fail-on worst", "there is no severity"),
        ] {
            let error = Policy::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
            assert!(!error.contains('\u{1b}'));
        }
        assert_eq!(Policy::parse("fail-on none").unwrap().fail_on(), None);
    }
}
