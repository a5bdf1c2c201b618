use std::borrow::Cow;
use std::fmt;
use std::io;
use std::process::ExitCode;

use savedmodel::{Error, ErrorKind};

/// How a command that came to its end found things.
pub(crate) enum Outcome {
    /// Nothing is wrong.
    Sound,
    /// Something is, as this sums up; the output has the particulars.
    Damaged(String),
}

/// What keeps a command from its end.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The model, or what was asked of it.
    Model(Error),
    /// The same, with what can be done about it in words of the command line.
    Advised(Error, Cow<'static, str>),
    /// The same, with the option that helps in place of what helps in a program.
    Explained(Error, Cow<'static, str>),
    /// Options that do not go together.
    Usage(Cow<'static, str>),
    /// What a command needs is not there, or refuses.
    Missing(Cow<'static, str>),
    /// Writing the output.
    Output(io::Error),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Usage(_) => ExitCode::from(2),
            Failure::Model(error) | Failure::Advised(error, _) | Failure::Explained(error, _)
                if matches!(error.kind(), ErrorKind::InvalidArgument { .. }) =>
            {
                ExitCode::from(2)
            }
            _ => ExitCode::from(1),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Model(error) => error.fmt(f),
            Failure::Advised(error, advice) => {
                if let Some(path) = error.path() {
                    write!(f, "{}: ", path.display())?;
                }
                write!(f, "{} ({advice})", error.kind())
            }
            Failure::Explained(error, option) => {
                let text = error.to_string();
                let help = error.help().map(|help| format!(" ({help})"));
                let text = text.strip_suffix(help.as_deref().unwrap_or_default());
                write!(f, "{} ({option})", text.unwrap_or(&error.to_string()))
            }
            Failure::Usage(what) | Failure::Missing(what) => f.write_str(what),
            Failure::Output(error) => write!(f, "cannot write the output: {error}"),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Model(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}
