use std::collections::BTreeMap;
use std::ffi::OsString;

use savedmodel::{BundleReader, Error, ErrorKind, Result};

use super::variable::Variable;

/// Which tensors of a bundle are wanted, in key order.
pub(crate) struct Selection<'b> {
    bundle: &'b BundleReader,
    /// Those that were named, unless all are wanted.
    chosen: Option<Vec<Variable>>,
}

impl<'b> Selection<'b> {
    /// Looks up what is named; all is wanted if nothing is. A key that is there is that tensor, even
    /// if it could be read as a pattern. The ending that keys of variables have in checkpoints of
    /// objects can be left out, as the overview does.
    ///
    /// # Errors
    ///
    /// That of the first key for which there is nothing, with names that come close.
    pub(crate) fn new(bundle: &'b BundleReader, keys: &[OsString]) -> Result<Self> {
        let mut selection = Selection {
            bundle,
            chosen: None,
        };
        if keys.is_empty() {
            return Ok(selection);
        }
        let mut chosen = BTreeMap::new();
        let mut patterns = Vec::new();
        for key in keys {
            let key = key.as_encoded_bytes();
            // A pattern for which nothing is there would be answered with near names, found slowly.
            if is_pattern(key) && !matches!(bundle.contains(key), Ok(true)) {
                patterns.push((key, None));
                continue;
            }
            let whole = [key, ENDING].concat();
            let key = match bundle.contains(key) {
                Ok(false) if matches!(bundle.contains(&whole), Ok(true)) => &whole[..],
                _ => key,
            };
            let variable = match bundle.entry(key) {
                Ok(entry) => Variable::new(bundle, key.into(), entry),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound { .. }) => {
                    return Err(error);
                }
                Err(error) => Variable::undecodable(error)?,
            };
            chosen.insert(variable.key.clone(), variable);
        }
        if !patterns.is_empty() {
            let fault = selection.walk(|variable| {
                let mut wanted = false;
                for (pattern, found) in &mut patterns {
                    if selects(pattern, variable.key.as_bytes()) {
                        found.get_or_insert(());
                        wanted = true;
                    }
                }
                if wanted {
                    chosen.insert(variable.key.clone(), variable);
                }
                Ok::<_, Error>(())
            })?;
            // What lies behind the fault cannot be known to be unwanted.
            if let Some(error) = fault {
                return Err(error);
            }
        }
        if let Some((pattern, _)) = patterns.iter().find(|(_, found)| found.is_none()) {
            // Looking the pattern up as the name it is not makes the error.
            bundle.entry(pattern)?;
        }
        selection.chosen = Some(chosen.into_values().collect());
        Ok(selection)
    }

    /// Returns the tensor wanted, if one was named and no other.
    pub(crate) fn only(&self) -> Option<&Variable> {
        match self.chosen.as_deref() {
            Some([variable]) => Some(variable),
            _ => None,
        }
    }

    /// Calls `each` with every tensor wanted. Returns the error that ended the walk, if the index is
    /// damaged.
    pub(crate) fn for_each<E>(
        &self,
        mut each: impl FnMut(&Variable) -> Result<(), E>,
    ) -> Result<Option<Error>, E> {
        match &self.chosen {
            Some(chosen) => chosen.iter().try_for_each(each).map(|()| None),
            None => self.walk(|variable| each(&variable)),
        }
    }

    /// Returns every tensor wanted, and the error that ended the walk.
    pub(crate) fn into_variables(self) -> (Vec<Variable>, Option<Error>) {
        match self.chosen {
            Some(chosen) => (chosen, None),
            None => {
                let mut variables = Vec::new();
                let fault = self.walk(|variable| {
                    variables.push(variable);
                    Ok::<_, std::convert::Infallible>(())
                });
                let fault = fault.unwrap_or_else(|never| match never {});
                (variables, fault)
            }
        }
    }

    fn walk<E>(&self, mut each: impl FnMut(Variable) -> Result<(), E>) -> Result<Option<Error>, E> {
        for item in self.bundle.entries() {
            let variable = match item {
                Ok((key, entry)) => Ok(Variable::new(self.bundle, key, entry)),
                Err(error) => Variable::undecodable(error),
            };
            match variable {
                Ok(variable) => each(variable)?,
                Err(error) => return Ok(Some(error)),
            }
        }
        Ok(None)
    }
}

/// What keys of variables end with in checkpoints of objects.
const ENDING: &[u8] = b"/.ATTRIBUTES/VARIABLE_VALUE";

/// Says whether a pattern is that of a key, with or without its ending.
fn selects(pattern: &[u8], key: &[u8]) -> bool {
    matches(pattern, key)
        || key
            .strip_suffix(ENDING)
            .is_some_and(|key| matches(pattern, key))
}

fn is_pattern(key: &[u8]) -> bool {
    key.iter().any(|byte| matches!(byte, b'*' | b'?'))
}

/// Says whether a key has the form of a pattern, in which `*` is any text and `?` any character.
pub(crate) fn matches(mut pattern: &[u8], mut key: &[u8]) -> bool {
    // What is left of both behind the last `*`, which may have to take more.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern, key) {
            ([b'*', rest @ ..], _) => {
                retry = Some((rest, key));
                pattern = rest;
                continue;
            }
            ([], []) => return true,
            ([b'?', rest @ ..], [_, ..]) => {
                (pattern, key) = (rest, behind_character(key));
                continue;
            }
            ([wanted, rest @ ..], [byte, others @ ..]) if wanted == byte => {
                (pattern, key) = (rest, others);
                continue;
            }
            _ => {}
        }
        let Some((after, [_, taken @ ..])) = retry else {
            return false;
        };
        retry = Some((after, taken));
        (pattern, key) = (after, taken);
    }
}

/// Passes over a character of UTF-8, or over a byte that is of none.
fn behind_character(text: &[u8]) -> &[u8] {
    let len = match text.utf8_chunks().next() {
        Some(chunk) => chunk.valid().chars().next().map_or(1, char::len_utf8),
        None => 0,
    };
    &text[len..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, key, expected) in [
            ("*", "", true),
            ("?", "", false),
            ("a*b*c", "a/b/b/c", true),
            ("a*b*c", "a/b/b/d", false),
            ("*/kernel", "dense/kernel", true),
            ("*/kernel", "dense/kernel/m", false),
            ("?型", "模型", true),
            ("??", "模", false),
            ("[a]", "a", false),
            ("**a**", "bab", true),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), key.as_bytes()),
                expected,
                "{pattern} {key}"
            );
        }
        assert!(matches(b"a?b", b"a\xffb"));
    }
}
