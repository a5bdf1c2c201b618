use std::fmt;

/// Something about a model or checkpoint that is not as it should be, or that its owner should know.
///
/// Shown it is `warning: absolute-path: …`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Oddity {
    /// Which kind it is; programs tell by it.
    pub code: OddityCode,
    /// How bad it is.
    pub severity: Severity,
    /// What is so, in one sentence.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// Names of what is concerned, as the file has them: at most ten.
    pub examples: Vec<String>,
    /// How many are concerned.
    pub count: u64,
}

/// How bad an [`Oddity`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Severity {
    /// Something cannot be loaded or run.
    Error,
    /// It works, but not as its owner would want.
    Warning,
    /// Worth knowing.
    Note,
}

/// The kinds of [`Oddity`]. Their names, as `absolute-path`, do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum OddityCode {
    /// The file is another of TensorFlow's messages under a model's name.
    ForeignMessage,
    /// There is no meta graph, so nothing can be loaded.
    NoMetaGraphs,
    /// The graph restores variables, but there is no `variables/variables.index`.
    VariablesMissing,
    /// Data files of the variables are not there.
    ShardsMissing,
    /// The index of the variables cannot be read to its end.
    VariablesUnreadable,
    /// The graph restores variables that the bundle does not have.
    KeysMissing,
    /// Signatures use variables that neither the restore op nor the init op assigns.
    UnrestoredVariables,
    /// An asset that the graph reads is not there, or its name leads out of the directory.
    AssetMissing,
    /// A signature names a tensor whose node the graph does not have.
    SignatureTensorMissing,
    /// A node calls a function that the library does not have.
    FunctionMissing,
    /// The object graph is damaged, or refers to what is not there.
    ObjectGraphFault,
    /// A meta graph has no signature, so that servers have nothing to call.
    NoSignatures,
    /// Two meta graphs have the same tags; the second cannot be loaded.
    DuplicateTags,
    /// Several model files lie in the directory; one of them wins.
    SeveralModelFiles,
    /// Ops that TensorFlow 2.21 does not have: a library must be loaded first.
    CustomOps,
    /// Ops that call a Python function, which is not in the model.
    PythonCallback,
    /// Variables are stored twice.
    DoubledVariables,
    /// The bundle has variables that nothing reads.
    UnreadVariables,
    /// Optimizer state is stored with a model for serving.
    OptimizerState,
    /// Paths of the machine that saved the model are left in the graph.
    AbsolutePath,
    /// Files that a save did not finish, or left behind.
    LeftoverFiles,
    /// `fingerprint.pb` cannot be read.
    FingerprintUnreadable,
}

impl OddityCode {
    /// All codes, in the order in which they are reported.
    pub const ALL: &'static [OddityCode] = &[
        OddityCode::ForeignMessage,
        OddityCode::NoMetaGraphs,
        OddityCode::VariablesMissing,
        OddityCode::ShardsMissing,
        OddityCode::VariablesUnreadable,
        OddityCode::KeysMissing,
        OddityCode::UnrestoredVariables,
        OddityCode::AssetMissing,
        OddityCode::SignatureTensorMissing,
        OddityCode::FunctionMissing,
        OddityCode::ObjectGraphFault,
        OddityCode::NoSignatures,
        OddityCode::DuplicateTags,
        OddityCode::SeveralModelFiles,
        OddityCode::CustomOps,
        OddityCode::PythonCallback,
        OddityCode::DoubledVariables,
        OddityCode::UnreadVariables,
        OddityCode::OptimizerState,
        OddityCode::AbsolutePath,
        OddityCode::LeftoverFiles,
        OddityCode::FingerprintUnreadable,
    ];

    /// Returns the name, as `absolute-path`.
    pub fn name(self) -> &'static str {
        match self {
            OddityCode::ForeignMessage => "foreign-message",
            OddityCode::NoMetaGraphs => "no-meta-graphs",
            OddityCode::VariablesMissing => "variables-missing",
            OddityCode::ShardsMissing => "shards-missing",
            OddityCode::VariablesUnreadable => "variables-unreadable",
            OddityCode::KeysMissing => "keys-missing",
            OddityCode::UnrestoredVariables => "unrestored-variables",
            OddityCode::AssetMissing => "asset-missing",
            OddityCode::SignatureTensorMissing => "signature-tensor-missing",
            OddityCode::FunctionMissing => "function-missing",
            OddityCode::ObjectGraphFault => "object-graph-fault",
            OddityCode::NoSignatures => "no-signatures",
            OddityCode::DuplicateTags => "duplicate-tags",
            OddityCode::SeveralModelFiles => "several-model-files",
            OddityCode::CustomOps => "custom-ops",
            OddityCode::PythonCallback => "python-callback",
            OddityCode::DoubledVariables => "doubled-variables",
            OddityCode::UnreadVariables => "unread-variables",
            OddityCode::OptimizerState => "optimizer-state",
            OddityCode::AbsolutePath => "absolute-path",
            OddityCode::LeftoverFiles => "leftover-files",
            OddityCode::FingerprintUnreadable => "fingerprint-unreadable",
        }
    }

    /// Returns how bad such a thing is.
    pub fn severity(self) -> Severity {
        match self {
            OddityCode::NoSignatures
            | OddityCode::DuplicateTags
            | OddityCode::SeveralModelFiles
            | OddityCode::PythonCallback
            | OddityCode::AbsolutePath
            | OddityCode::FingerprintUnreadable => Severity::Warning,
            OddityCode::CustomOps
            | OddityCode::DoubledVariables
            | OddityCode::UnreadVariables
            | OddityCode::OptimizerState
            | OddityCode::LeftoverFiles => Severity::Note,
            _ => Severity::Error,
        }
    }
}

impl fmt::Display for OddityCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Severity {
    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Oddity {
    /// Makes one about `names`; it counts them and keeps the first ten as examples.
    pub(super) fn about<T: Into<String>>(
        code: OddityCode,
        names: impl IntoIterator<Item = T>,
        message: impl FnOnce(u64) -> String,
        remedy: &str,
    ) -> Oddity {
        let (mut examples, mut count) = (Vec::new(), 0);
        for name in names {
            count += 1;
            if examples.len() < MAX_EXAMPLES {
                examples.push(name.into());
            }
        }
        Oddity {
            code,
            severity: code.severity(),
            message: message(count),
            remedy: remedy.to_owned(),
            examples,
            count,
        }
    }

    /// Makes one that is about the whole.
    pub(super) fn of_all(code: OddityCode, message: String, remedy: &str) -> Oddity {
        Oddity {
            count: 1,
            ..Oddity::about(code, [""; 0], |_| message, remedy)
        }
    }
}

const MAX_EXAMPLES: usize = 10;

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.severity, self.code, self.message)
    }
}

/// Puts what was found into the order in which it is reported: the worst first.
pub(super) fn sort(oddities: &mut [Oddity]) {
    oddities.sort_by_key(|oddity| (oddity.severity, oddity.code));
}

/// Says how many there are of what, in words: `1 variable`, `3 variables`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_have_names_of_their_own() {
        assert!(OddityCode::ALL.is_sorted());
        let names: std::collections::BTreeSet<_> =
            OddityCode::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), OddityCode::ALL.len());
        for code in OddityCode::ALL {
            let spelled = format!("{code:?}").to_lowercase();
            assert_eq!(code.name().replace('-', ""), spelled);
        }
    }

    #[test]
    fn ten_of_many_are_examples() {
        let names = (0..30).map(|i| i.to_string());
        let oddity = Oddity::about(
            OddityCode::CustomOps,
            names,
            |count| counted(count, "op"),
            "none",
        );
        assert_eq!((oddity.count, oddity.examples.len()), (30, 10));
        assert_eq!(oddity.to_string(), "note: custom-ops: 30 ops");
    }
}
