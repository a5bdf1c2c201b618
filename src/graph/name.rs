use std::collections::HashMap;

use crate::error::{Error, Result};

/// The names of a graph's nodes: each is given once, as `unique_name` of
/// `tensorflow/python/framework/ops.py` does.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// By the name in lower case: how often it was asked for.
    used: HashMap<String, u32>,
}

impl Names {
    /// Returns the name that [`unique`](Self::unique) would give.
    pub(super) fn next(&self, name: &str) -> String {
        let key = name.to_lowercase();
        match self.used.get(&key) {
            None => name.to_owned(),
            Some(&count) => (count..)
                .map(|number| format!("{name}_{number}"))
                .find(|candidate| !self.used.contains_key(&candidate.to_lowercase()))
                .unwrap_or_default(),
        }
    }

    /// Returns the name, or where it is taken the name with the first free number behind it.
    pub(super) fn unique(&mut self, name: &str) -> String {
        let given = self.next(name);
        if given != name {
            let number = given
                .rsplit('_')
                .next()
                .and_then(|number| number.parse().ok());
            self.used
                .insert(name.to_lowercase(), number.unwrap_or(0) + 1);
        }
        self.used.insert(given.to_lowercase(), 1);
        given
    }
}

/// Refuses what cannot be the name of a node.
pub(super) fn check(name: &str) -> Result<()> {
    let starts = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let goes_on = |c: char| starts(c) || matches!(c, '_' | '\\' | '/' | '>' | '-');
    if name.starts_with(starts) && name.chars().all(goes_on) {
        return Ok(());
    }
    Err(Error::invalid_argument(format!(
        "{name:?} cannot be the name of a node: it begins with a letter, digit or `.`, and goes on \
         with those, `_`, `-`, `/`, `\\` and `>`"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_whatever_their_case() {
        let mut names = Names::default();
        let given = ["a", "a", "A", "a_1", "a", "b/a", "b/a"].map(|name| names.unique(name));
        assert_eq!(given, ["a", "a_1", "A_2", "a_1_1", "a_3", "b/a", "b/a_1"]);
    }

    #[test]
    fn names_of_nodes() {
        for name in ["a", "0", ".x", "a/b", "a-b_c.d", "A\\b", "a>b"] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in ["", "_a", "/a", "a:0", "a b", "^a", "ä", "a\n"] {
            assert!(check(name).is_err(), "{name}");
        }
    }
}
