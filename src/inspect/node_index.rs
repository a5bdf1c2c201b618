use std::hash::BuildHasher;

use super::name_hash::{NameHash, NameSlots};
use super::raw_node::RawNode;
use crate::wire::Message;

/// The nodes outside of functions, by name and by number. Of nodes of one name the last counts.
#[derive(Default)]
pub(super) struct NodeIndex<'m> {
    /// What each thread found, in the order of the file; numbers go on from one to the next.
    lists: Vec<Found<'m>>,
    hash: NameHash,
    slots: NameSlots,
}

/// Nodes, each with the hash of its name.
pub(super) type Found<'m> = Vec<(u64, Message<'m>)>;

impl<'m> NodeIndex<'m> {
    /// Makes one of nodes and hashes of their names, which may stand mixed in the lists.
    pub(super) fn new(hash: NameHash, lists: Vec<Found<'m>>) -> Self {
        let count = lists.iter().map(Vec::len).sum();
        let mut slots = NameSlots::new(count);
        // No file has as many as there are numbers.
        let all = lists.iter().flatten().take(u32::MAX as usize - 1);
        for (number, (hash, node)) in all.enumerate() {
            let is_same = |other| name(at(&lists, other)) == name(*node);
            let is_before = |other| at(&lists, other).start() < node.start();
            slots.insert(*hash, number, is_same, is_before);
        }
        NodeIndex { lists, hash, slots }
    }

    /// Returns the number of the node of that name.
    pub(super) fn find(&self, wanted: &[u8]) -> Option<usize> {
        let is_it = |number: usize| name(self.node(number)) == wanted;
        self.slots.find(self.hash.hash_one(wanted), is_it)
    }

    /// Returns a node by its number.
    pub(super) fn node(&self, number: usize) -> Message<'m> {
        at(&self.lists, number)
    }

    pub(super) fn len(&self) -> usize {
        self.lists.iter().map(Vec::len).sum()
    }
}

/// Returns the node of a number, which there is.
fn at<'m>(lists: &[Found<'m>], mut number: usize) -> Message<'m> {
    for list in lists {
        match list.get(number) {
            Some((_, node)) => return *node,
            None => number -= list.len(),
        }
    }
    Message::at(&[], 0)
}

/// Returns the name of a node, all of which was walked before.
fn name<'m>(node: Message<'m>) -> &'m [u8] {
    RawNode::read(node).map_or(b"", |node| node.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_found_whoever_found_them_and_of_doubles_the_last() {
        let encoded: Vec<Vec<u8>> = ["a", "bb", "a", "", "bb"]
            .iter()
            .map(|name| [&[0x0a, name.len() as u8], name.as_bytes()].concat())
            .collect();
        let hash = NameHash::default();
        let nodes = (0..).zip(&encoded);
        let nodes: Vec<_> = nodes
            .map(|(i, node)| (hash.hash_one(&node[2..]), Message::at(node, i)))
            .collect();
        let of = |numbers: &[usize]| numbers.iter().map(|number| nodes[*number]).collect();
        for lists in [
            vec![of(&[0, 1, 2, 3, 4])],
            vec![of(&[2, 4]), of(&[]), of(&[0, 1, 3])],
            vec![of(&[0, 3]), of(&[1, 2, 4])],
        ] {
            let index = NodeIndex::new(hash.clone(), lists);
            assert_eq!(index.len(), 5);
            for (name, place) in [("a", Some(2)), ("bb", Some(4)), ("", Some(3)), ("b", None)] {
                let node = index.find(name.as_bytes()).map(|number| index.node(number));
                assert_eq!(node.map(|node| node.start()), place, "{name}");
            }
        }
        assert_eq!(NodeIndex::default().find(b""), None);
    }
}
