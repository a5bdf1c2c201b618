use std::collections::BTreeMap;

use super::object_model::{ModelObject, ObjectModelBuilder, Part};
use crate::error::{Error, Printable, Result};

/// Where loaded models have them.
const ATTRIBUTE: &str = "function_aliases";

impl ObjectModelBuilder {
    /// Gives all traces of a function an alias, a name that stays when the model is saved again:
    /// `function_aliases` of `tf.saved_model.SaveOptions`. Loaded with
    /// `experimental_load_function_aliases`, the model has them in `function_aliases`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the object is no function, or of another model, if the alias is empty, or if a
    /// trace has an alias already.
    pub fn function_alias(&mut self, alias: &str, function: ModelObject) -> Result<()> {
        let Part::Function { traces, .. } = self.part(function)? else {
            return Err(
                Error::invalid_argument("only functions have aliases").for_key(alias.as_bytes())
            );
        };
        let traces = traces.clone();
        self.add_alias(alias, &traces)
    }

    /// Gives one trace an alias, as [`function_alias`](Self::function_alias) does; it is found by the
    /// name that the function of the graph was made with.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no function of that name; otherwise as for `function_alias`.
    pub fn concrete_function_alias(&mut self, alias: &str, function: &str) -> Result<()> {
        let Some(&trace) = self.by_name.get(function) else {
            let names = self.by_name.keys().cloned();
            let what = format!("function `{}`", Printable(function));
            let error = Error::not_found_among(what, function, names);
            return Err(error.for_key(alias.as_bytes()));
        };
        self.add_alias(alias, &[trace])
    }

    fn add_alias(&mut self, alias: &str, traces: &[usize]) -> Result<()> {
        let refuse = |what: String| Err(Error::invalid_argument(what).for_key(alias.as_bytes()));
        if alias.is_empty() {
            return refuse("an alias is not empty".to_owned());
        }
        let mut named = traces.iter().filter_map(|trace| self.aliases.get(trace));
        if let Some(other) = named.next() {
            let other = Printable(other);
            return refuse(format!("the function has the alias `{other}` already"));
        }
        for &trace in traces {
            self.aliases.insert(trace, alias.to_owned());
        }
        Ok(())
    }

    /// Returns the aliases by the names that functions have in the model.
    pub(super) fn aliases_by_name(&self) -> Result<BTreeMap<String, String>> {
        let root = self.tree.root();
        let mut attached = self.attached.iter();
        let is_taken = self.tree.has_child(root, ATTRIBUTE)?
            || attached.any(|(object, name, _)| (*object, name.as_str()) == (root, ATTRIBUTE));
        if is_taken && !self.aliases.is_empty() {
            return Err(Error::invalid_argument(
                "the root has an attribute `function_aliases`, which is where TensorFlow puts aliases",
            ));
        }
        let aliases = self.aliases.iter();
        Ok(aliases
            .filter_map(|(&trace, alias)| {
                let name = self.traces.get(trace)?.checked.name();
                Some((name.to_owned(), alias.clone()))
            })
            .collect())
    }
}
