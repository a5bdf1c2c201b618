//! What output looks like on a terminal: colours, and how much goes into a line. Elsewhere there are
//! no colours, and lines are as long as they are.

use std::env;
use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use clap::ValueEnum;

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless NO_COLOR is set; elsewhere if CLICOLOR_FORCE is
    Auto,
    /// Wherever output goes to
    Always,
    /// Not at all
    Never,
}

/// What a piece of text is, and so which colour it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Heading,
    Error,
    Warning,
    Note,
}

impl Role {
    fn code(self) -> &'static str {
        match self {
            Role::Heading => "\x1b[1m",
            Role::Error => "\x1b[1;31m",
            Role::Warning => "\x1b[1;33m",
            Role::Note => "\x1b[1;36m",
        }
    }
}

const END: &str = "\x1b[0m";

static OUTPUT_IS_COLORED: AtomicBool = AtomicBool::new(false);
static ERRORS_ARE_COLORED: AtomicBool = AtomicBool::new(false);
static IS_QUIET: AtomicBool = AtomicBool::new(true);
/// Columns of a line; 0 for any number.
static WIDTH: AtomicUsize = AtomicUsize::new(0);

/// Finds out what the terminal is, if there is one. Until then there is none.
pub(crate) fn set_up(color: When, quiet: bool) {
    set_colors(color);
    IS_QUIET.store(quiet, Ordering::Relaxed);
    if io::stdout().is_terminal() {
        let columns = env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        let columns = columns.filter(|columns| *columns > 0).or_else(|| {
            let (width, _) = terminal_size::terminal_size()?;
            Some(usize::from(width.0))
        });
        WIDTH.store(columns.unwrap_or(0), Ordering::Relaxed);
    }
}

/// Decides on colours alone, for errors that come before the command line is understood.
pub(crate) fn set_colors(color: When) {
    let is_on = |is_terminal: bool| match color {
        When::Auto => is_wanted(is_terminal, |name| env::var(name).ok()),
        When::Always => true,
        When::Never => false,
    };
    OUTPUT_IS_COLORED.store(is_on(io::stdout().is_terminal()), Ordering::Relaxed);
    ERRORS_ARE_COLORED.store(is_on(io::stderr().is_terminal()), Ordering::Relaxed);
}

/// Says whether the environment wants colours.
fn is_wanted(is_terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name| variable(name).filter(|text| !text.is_empty());
    if set("NO_COLOR").is_some() {
        return false;
    }
    if set("CLICOLOR_FORCE").is_some_and(|text| text != "0") {
        return true;
    }
    // The consoles of Windows that know no colours have neither of these.
    let is_able = match set("TERM") {
        Some(term) => term != "dumb",
        None => !cfg!(windows) || set("WT_SESSION").is_some(),
    };
    is_terminal && is_able && set("CLICOLOR").is_none_or(|text| text != "0")
}

/// Returns how many columns a line of output has, if not any number.
pub(crate) fn width() -> Option<usize> {
    match WIDTH.load(Ordering::Relaxed) {
        0 => None,
        width => Some(width),
    }
}

/// Says whether standard error is for errors alone.
pub(crate) fn is_quiet() -> bool {
    IS_QUIET.load(Ordering::Relaxed)
}

/// Says whether someone sees how work goes on.
pub(crate) fn shows_progress() -> bool {
    let is_dumb = || env::var_os("TERM").is_some_and(|term| term == "dumb");
    !is_quiet() && io::stderr().is_terminal() && !is_dumb()
}

/// Text in the colour of its role.
pub(crate) struct Painted<T> {
    role: Option<Role>,
    text: T,
}

/// Colours text for standard output.
pub(crate) fn paint<T: fmt::Display>(role: Role, text: T) -> Painted<T> {
    painted(role, text, &OUTPUT_IS_COLORED)
}

/// Colours text for standard error.
pub(crate) fn paint_error<T: fmt::Display>(role: Role, text: T) -> Painted<T> {
    painted(role, text, &ERRORS_ARE_COLORED)
}

fn painted<T>(role: Role, text: T, is_colored: &AtomicBool) -> Painted<T> {
    let role = is_colored.load(Ordering::Relaxed).then_some(role);
    Painted { role, text }
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.role {
            Some(role) => write!(f, "{}{}{END}", role.code(), self.text),
            None => self.text.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides() {
        for (is_terminal, variables, wanted) in [
            (true, &[("TERM", "xterm")][..], true),
            (false, &[("TERM", "xterm")], false),
            (true, &[("TERM", "dumb")], false),
            (true, &[("TERM", "xterm"), ("NO_COLOR", "1")], false),
            (true, &[("TERM", "xterm"), ("NO_COLOR", "")], true),
            (true, &[("TERM", "xterm"), ("CLICOLOR", "0")], false),
            (false, &[("CLICOLOR_FORCE", "1")], true),
            (false, &[("CLICOLOR_FORCE", "0")], false),
            (true, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        ] {
            let variable = |name: &str| {
                let found = variables.iter().find(|(other, _)| *other == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(is_wanted(is_terminal, variable), wanted, "{variables:?}");
        }
    }

    #[test]
    fn text_without_a_role_is_as_it_is() {
        let painted = |role| Painted { role, text: "x" }.to_string();
        assert_eq!(painted(None), "x");
        assert_eq!(painted(Some(Role::Error)), "\x1b[1;31mx\x1b[0m");
    }
}
