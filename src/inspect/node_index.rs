use std::hash::BuildHasher;

use super::name_hash::{NameHash, NameSlots};
use super::raw_node::RawNode;
use crate::wire::Message;

/// The nodes outside of functions, by name and by number. Of nodes of one name the last counts.
#[derive(Default)]
pub(super) struct NodeIndex<'m> {
    /// In the order of the file, each with the hash of its name.
    nodes: Vec<(u64, Message<'m>)>,
    hash: NameHash,
    slots: NameSlots,
}

impl<'m> NodeIndex<'m> {
    /// Makes one of nodes and hashes of their names.
    pub(super) fn new(hash: NameHash, mut nodes: Vec<(u64, Message<'m>)>) -> Self {
        nodes.sort_by_key(|(_, node)| node.start());
        // No file has so many.
        nodes.truncate(u32::MAX as usize - 1);
        let mut slots = NameSlots::new(nodes.len());
        for (number, (hash, node)) in nodes.iter().enumerate() {
            slots.insert(*hash, number, |other| name(nodes[other].1) == name(*node));
        }
        NodeIndex { nodes, hash, slots }
    }

    /// Returns the number of the node of that name.
    pub(super) fn find(&self, wanted: &[u8]) -> Option<usize> {
        let is_it = |number: usize| name(self.nodes[number].1) == wanted;
        self.slots.find(self.hash.hash_one(wanted), is_it)
    }

    /// Returns a node by its number.
    pub(super) fn node(&self, number: usize) -> Message<'m> {
        self.nodes[number].1
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }
}

/// Returns the name of a node, all of which was walked before.
fn name<'m>(node: Message<'m>) -> &'m [u8] {
    RawNode::read(node).map_or(b"", |node| node.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_numbered_by_place_whoever_found_them() {
        let encoded: Vec<Vec<u8>> = ["a", "bb", "a", ""]
            .iter()
            .map(|name| [&[0x0a, name.len() as u8], name.as_bytes()].concat())
            .collect();
        let hash = NameHash::default();
        let nodes = encoded.iter().enumerate();
        let nodes = nodes.map(|(i, node)| (hash.hash_one(&node[2..]), Message::at(node, i as u64)));
        let index = NodeIndex::new(hash.clone(), nodes.rev().collect());
        assert_eq!(index.len(), 4);
        for (name, number) in [("a", Some(2)), ("bb", Some(1)), ("", Some(3)), ("b", None)] {
            assert_eq!(index.find(name.as_bytes()), number, "{name}");
        }
        assert_eq!(index.node(1).bytes(), encoded[1]);
        assert_eq!(NodeIndex::default().find(b""), None);
    }
}
