use std::collections::{HashMap, HashSet};

use crate::error::Result;
use crate::model::{Graph, Node};
use crate::wire::{Field, Message};

/// Which functions of a graph's library call which, by op or in an attribute.
pub(super) struct CallGraph<'m> {
    names: Vec<&'m str>,
    callees: Vec<Vec<usize>>,
}

impl<'m> CallGraph<'m> {
    pub(super) fn read(graph: Graph<'m>) -> Result<Self> {
        let functions: Vec<_> = graph.functions().collect::<Result<_>>()?;
        let names: Vec<&str> = functions.iter().map(|function| function.name()).collect();
        let places: HashMap<&str, usize> = names.iter().copied().zip(0..).collect();
        let mut callees = vec![Vec::new(); names.len()];
        for (function, callees) in functions.iter().zip(&mut callees) {
            for node in function.nodes() {
                let node = node?;
                callees.extend(places.get(node.op()).copied());
                let called = called_functions(&node)?;
                callees.extend(called.iter().filter_map(|name| places.get(name).copied()));
            }
            callees.sort_unstable();
            callees.dedup();
        }
        Ok(CallGraph { names, callees })
    }

    /// Returns functions each of which calls the next, and the last the first, if these nodes lead
    /// to such.
    pub(super) fn cycle_below(
        &self,
        nodes: impl Iterator<Item = Result<Node<'m>>>,
    ) -> Result<Option<Vec<&'m str>>> {
        let mut called = Vec::new();
        for node in nodes {
            let node = node?;
            called.push(node.op());
            called.extend(called_functions(&node)?);
        }
        let called: HashSet<&str> = called.into_iter().collect();
        let places = 0..self.names.len();
        Ok(self.cycle_from(places.filter(|place| called.contains(self.names[*place]))))
    }

    /// Returns such functions, if the one of that name leads to them.
    pub(super) fn cycle_from_function(&self, name: &str) -> Option<Vec<&'m str>> {
        self.cycle_from(
            self.names
                .iter()
                .position(|known| *known == name)
                .into_iter(),
        )
    }

    fn cycle_from(&self, starts: impl Iterator<Item = usize>) -> Option<Vec<&'m str>> {
        // What is on the path that is being walked, and what has been walked from to all ends.
        let mut is_on_path = vec![false; self.names.len()];
        let mut is_done = vec![false; self.names.len()];
        for start in starts {
            let mut path = vec![(start, 0)];
            while let Some(&(function, next)) = path.last() {
                if is_done[function] {
                    path.pop();
                    continue;
                }
                is_on_path[function] = true;
                let Some(&callee) = self.callees[function].get(next) else {
                    is_on_path[function] = false;
                    is_done[function] = true;
                    path.pop();
                    continue;
                };
                if let Some((_, next)) = path.last_mut() {
                    *next += 1;
                }
                if is_on_path[callee] {
                    let cycle = path.iter().skip_while(|(function, _)| *function != callee);
                    return Some(cycle.map(|(function, _)| self.names[*function]).collect());
                }
                path.push((callee, 0));
            }
        }
        None
    }
}

/// The fields of `NodeDef`, `AttrValue` and its `ListValue`, and `NameAttrList`.
mod field {
    pub(super) const NODE_ATTR: u32 = 5;
    pub(super) const VALUE: u32 = 2;
    pub(super) const LIST: u32 = 1;
    pub(super) const FUNC: u32 = 10;
    pub(super) const LIST_FUNC: u32 = 9;
    pub(super) const NAME: u32 = 1;
    pub(super) const FUNC_ATTR: u32 = 2;
}

/// Returns the functions that a node's attributes name, in the order of the file. Other attributes,
/// which may be large, are not decoded.
pub(super) fn called_functions<'m>(node: &Node<'m>) -> Result<Vec<&'m str>> {
    let mut names = Vec::new();
    // Functions may be given attributes that name functions.
    let mut values: Vec<Message<'m>> = entries(node.message(), field::NODE_ATTR)?;
    while let Some(value) = values.pop() {
        let mut functions = Vec::new();
        for attr in messages(value, field::VALUE)? {
            functions.extend(messages(attr, field::FUNC)?);
            for list in messages(attr, field::LIST)? {
                functions.extend(messages(list, field::LIST_FUNC)?);
            }
        }
        for function in functions {
            for name in messages(function, field::NAME)? {
                names.extend(std::str::from_utf8(name.bytes()));
            }
            values.extend(entries(function, field::FUNC_ATTR)?);
        }
    }
    Ok(names)
}

/// Returns the entries of a map in the order in which `pop` takes them.
fn entries(message: Message<'_>, number: u32) -> Result<Vec<Message<'_>>> {
    let mut entries = messages(message, number)?;
    entries.reverse();
    Ok(entries)
}

fn messages(message: Message<'_>, number: u32) -> Result<Vec<Message<'_>>> {
    let fields = message.fields().filter_map(|field| match field {
        Ok(field) if field.number() == number => Field::message(&field).map(Ok),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    });
    fields.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(callees: &[&[usize]]) -> CallGraph<'static> {
        CallGraph {
            names: ["a", "b", "c", "d"][..callees.len()].to_vec(),
            callees: callees.iter().map(|callees| callees.to_vec()).collect(),
        }
    }

    #[test]
    fn circles_are_found_where_they_can_be_reached() {
        let none = graph(&[&[1, 2], &[3], &[3], &[]]);
        assert_eq!(none.cycle_from(0..4), None);
        let own = graph(&[&[0]]);
        assert_eq!(own.cycle_from_function("a"), Some(vec!["a"]));
        let behind = graph(&[&[1], &[2], &[3], &[1]]);
        assert_eq!(behind.cycle_from_function("a"), Some(vec!["b", "c", "d"]));
        let aside = graph(&[&[1], &[], &[3], &[2]]);
        assert_eq!(aside.cycle_from_function("a"), None);
        assert_eq!(aside.cycle_from_function("nope"), None);
        assert_eq!(aside.cycle_from_function("d"), Some(vec!["d", "c"]));
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let long = CallGraph {
            names: vec!["f"; 1_000_000],
            callees: (1..1_000_000)
                .map(|next| vec![next])
                .chain([vec![]])
                .collect(),
        };
        assert_eq!(long.cycle_from(0..1), None);
    }
}
