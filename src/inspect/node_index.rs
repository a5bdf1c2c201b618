use std::hash::BuildHasher;

use super::name_hash::NameHash;
use super::outline::inside;
use super::pieces::on_threads;
use super::raw_node::RawNode;
use crate::error::Result;
use crate::wire::Message;

/// The nodes outside of functions, by name and by number. Of nodes of one name the last counts.
///
/// There may be a million nodes, of which few are looked for. So they are laid out by the hashes of
/// their names without a look at any of them; names are compared when one is found.
#[derive(Default)]
pub(super) struct NodeIndex<'m> {
    parts: Vec<Message<'m>>,
    marker: NodeMarker,
    /// By the highest bits of hashes; numbers go on from one to the next. None if there are no nodes.
    shelves: Vec<Shelf>,
}

/// A node in few bytes, for they are written for every node: the highest bits of its name's hash, and
/// below them where its field begins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeMark(u64);

/// The marks of nodes, by shelf.
pub(super) type NodeMarks = [Vec<NodeMark>; SHELVES];

/// So many that threads can fill them side by side.
const SHELVES: usize = 8;

/// Nodes whose hashes have the same highest bits.
struct Shelf {
    /// Ascending by the next bits, and among those where these are the same in any order, unless they
    /// are a crowd.
    marks: Vec<NodeMark>,
    /// Where in `marks` those begin whose next bits have each value, and the end.
    starts: Vec<usize>,
    /// So many bits follow those.
    lower: u32,
}

/// Makes marks for the nodes of one graph.
#[derive(Clone, Default)]
pub(super) struct NodeMarker {
    hash: NameHash,
    /// So many bits tell a place in the graph's file.
    place_bits: u32,
}

impl NodeMarker {
    /// Makes one for a graph that may be in parts.
    pub(super) fn new(hash: NameHash, parts: &[Message<'_>]) -> Self {
        let ends = parts
            .iter()
            .map(|part| part.start() + part.bytes().len() as u64);
        let end = ends.max().unwrap_or_default();
        NodeMarker {
            hash,
            // No memory has as many bytes as the other bits can count.
            place_bits: (u64::BITS - end.leading_zeros()).min(u64::BITS - SHELVES.ilog2()),
        }
    }

    /// Returns the mark of a node by its name, and where its field begins.
    #[inline]
    pub(super) fn mark(&self, name: &[u8], place: u64) -> NodeMark {
        NodeMark(self.hash_bits(self.hash.hash_one(name)) | place)
    }

    fn hash_bits(&self, word: u64) -> u64 {
        word >> self.place_bits << self.place_bits
    }

    fn place(&self, mark: NodeMark) -> u64 {
        mark.0 ^ self.hash_bits(mark.0)
    }
}

impl NodeMark {
    #[inline]
    pub(super) fn shelf(self) -> usize {
        (self.0 >> (u64::BITS - SHELVES.ilog2())) as usize
    }
}

/// Returns the bits of a hash or a mark between those that tell the shelf and so many lower ones.
#[inline]
fn next_bits(bits: u64, lower: u32) -> usize {
    (bits << SHELVES.ilog2() >> SHELVES.ilog2() >> lower) as usize
}

/// About so many nodes have the same bits.
const TOGETHER: usize = 16;
/// So many have them by no accident, but because there are many of one name.
const CROWD: usize = 20 * TOGETHER;

impl Shelf {
    fn new(marker: &NodeMarker, lists: &[NodeMarks], shelf: usize) -> Self {
        let found = || lists.iter().flat_map(|marks| &marks[shelf]);
        let count: usize = lists.iter().map(|marks| marks[shelf].len()).sum();
        let bits = SHELVES.ilog2() + (count / TOGETHER + 1).next_power_of_two().ilog2();
        let lower = u64::BITS - bits.min(u64::BITS - marker.place_bits);
        let mut starts = vec![0; next_bits(u64::MAX, lower) + 2];
        for mark in found() {
            starts[next_bits(mark.0, lower)] += 1;
        }
        let mut end = 0;
        for start in &mut starts {
            end += *start;
            *start = end;
        }
        // Filled from their ends on, until the ends have become starts.
        let mut marks = vec![NodeMark(0); count];
        for mark in found() {
            let start = &mut starts[next_bits(mark.0, lower)];
            *start -= 1;
            marks[*start] = *mark;
        }
        for range in starts.windows(2) {
            if range[1] - range[0] > CROWD {
                marks[range[0]..range[1]].sort_unstable();
            }
        }
        Shelf {
            marks,
            starts,
            lower,
        }
    }

    /// Returns the place in `marks` of the last node that `is_it`, if it has this hash.
    fn find(
        &self,
        marker: &NodeMarker,
        hash: u64,
        is_it: impl Fn(NodeMark) -> bool,
    ) -> Option<usize> {
        let place = next_bits(hash, self.lower);
        let (start, end) = (self.starts[place], self.starts[place + 1]);
        let hash = marker.hash_bits(hash);
        let hash_of = |mark: &NodeMark| marker.hash_bits(mark.0);
        let is_it = |place: &usize| {
            let mark = self.marks[*place];
            hash_of(&mark) == hash && is_it(mark)
        };
        if end - start > CROWD {
            let crowd = &self.marks[start..end];
            let first = start + crowd.partition_point(|mark| hash_of(mark) < hash);
            let end = start + crowd.partition_point(|mark| hash_of(mark) <= hash);
            return (first..end).rev().find(is_it);
        }
        let found = (start..end).filter(is_it);
        found.max_by_key(|place| self.marks[*place])
    }
}

impl<'m> NodeIndex<'m> {
    /// Makes one of the marks of all nodes of a graph, in lists in any order.
    pub(super) fn new(
        parts: Vec<Message<'m>>,
        marker: NodeMarker,
        lists: &[NodeMarks],
    ) -> Result<Self> {
        let bytes = parts.iter().map(|part| part.bytes().len()).sum();
        let mut shelves = Vec::new();
        if lists.iter().flatten().any(|marks| !marks.is_empty()) {
            let (_, filled) = on_threads(
                bytes,
                |give| {
                    (0..SHELVES).for_each(give);
                    Ok(())
                },
                Vec::new,
                |filled: &mut Vec<_>, shelf| {
                    filled.push((shelf, Shelf::new(&marker, lists, shelf)));
                    Ok(())
                },
            )?;
            let mut filled: Vec<_> = filled.into_iter().flatten().collect();
            filled.sort_by_key(|(shelf, _)| *shelf);
            shelves.extend(filled.into_iter().map(|(_, shelf)| shelf));
        }
        Ok(NodeIndex {
            parts,
            marker,
            shelves,
        })
    }

    /// Returns the number of the node of that name.
    pub(super) fn find(&self, wanted: &[u8]) -> Option<usize> {
        let hash = self.marker.hash.hash_one(wanted);
        let number = NodeMark(hash).shelf();
        let shelf = self.shelves.get(number)?;
        let place = shelf.find(&self.marker, hash, |mark| name(self.marked(mark)) == wanted)?;
        let before = self.shelves[..number].iter().map(|shelf| shelf.marks.len());
        Some(before.sum::<usize>() + place)
    }

    /// Returns a node by its number.
    pub(super) fn node(&self, number: usize) -> Message<'m> {
        let mut place = number;
        for shelf in &self.shelves {
            match shelf.marks.get(place) {
                Some(mark) => return self.marked(*mark),
                None => place -= shelf.marks.len(),
            }
        }
        Message::at(&[], 0)
    }

    fn marked(&self, mark: NodeMark) -> Message<'m> {
        let place = self.marker.place(mark);
        let part = self.parts.partition_point(|part| part.start() <= place) - 1;
        let part = self.parts[part];
        let rest = &part.bytes()[(place - part.start()) as usize..];
        let field = Message::at(rest, place).fields().next();
        let field = field.and_then(Result::ok);
        let node = field.and_then(|field| inside(&field));
        node.unwrap_or(Message::at(&[], place))
    }

    pub(super) fn len(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.marks.len()).sum()
    }
}

/// Returns the name of a node, all of which was walked before.
fn name<'m>(node: Message<'m>) -> &'m [u8] {
    RawNode::read(node).map_or(b"", |node| node.name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// A graph of nodes with these names, in two parts, and the index of what so many threads found.
    fn with_index(names: &[String], threads: usize, test: impl Fn(&NodeIndex<'_>, &[u64])) {
        let (mut file, mut places) = (vec![0; 7], Vec::new());
        for name in names {
            places.push(file.len() as u64);
            let len = name.len() as u8;
            file.extend([0x0a, len + 2, 0x0a, len]);
            file.extend(name.as_bytes());
        }
        let middle = places.get(names.len() / 2).map_or(7, |place| *place);
        let (first, second) = file.split_at(middle as usize);
        let parts = vec![Message::at(&first[7..], 7), Message::at(second, middle)];
        let marker = NodeMarker::new(NameHash::default(), &parts);
        let mut lists: Vec<NodeMarks> = (0..threads).map(|_| NodeMarks::default()).collect();
        for (number, (name, place)) in names.iter().zip(&places).enumerate() {
            let mark = marker.mark(name.as_bytes(), *place);
            lists[number * 7 % threads][mark.shelf()].push(mark);
        }
        let index = NodeIndex::new(parts, marker, &lists).unwrap();
        assert_eq!(index.len(), names.len());
        // A node begins after its tag and its length.
        places.iter_mut().for_each(|place| *place += 2);
        test(&index, &places);
    }

    #[test]
    fn nodes_are_found_whoever_found_them_and_of_doubles_the_last() {
        // 2,000 nodes of one name are a crowd, and their hash has neighbours.
        let mut names: Vec<String> = (0..3000).map(|i| format!("n{}", i % 2500)).collect();
        names.extend((0..2000).map(|_| "crowd".to_owned()));
        names.extend((0..30_000).map(|i| format!("a/longer/name/than/others/{i}")));
        names.insert(100, String::new());
        let last_of: HashMap<&String, usize> = names.iter().zip(0..).collect();
        for threads in [1, 2, 5] {
            with_index(&names, threads, |index, places| {
                let mut numbers = vec![false; names.len()];
                for name in &names {
                    let number = index.find(name.as_bytes()).unwrap();
                    assert_eq!(index.node(number).start(), places[last_of[name]], "{name}");
                    numbers[number] = true;
                }
                let found = numbers.iter().filter(|found| **found).count();
                assert_eq!(found, 2500 + 1 + 30_000 + 1);
                for name in ["n2500", "crow", "a/longer/name/than/others/30000"] {
                    assert_eq!(index.find(name.as_bytes()), None);
                }
            });
        }
    }

    #[test]
    fn without_nodes_none_is_found() {
        with_index(&[], 2, |index, _| assert_eq!(index.find(b""), None));
        assert_eq!(NodeIndex::default().find(b"a"), None);
    }

    #[test]
    fn places_at_the_end_of_a_huge_file_fit() {
        for end in [1, 1 << 20, 1 << 40, u64::MAX >> SHELVES.ilog2()] {
            let parts = [Message::at(&[], end)];
            let marker = NodeMarker::new(NameHash::default(), &parts);
            let mark = marker.mark(b"a name", end);
            assert_eq!(marker.place(mark), end);
            let hash = NodeMark(marker.hash.hash_one(&b"a name"[..]));
            assert_eq!(mark.shelf(), hash.shelf());
        }
    }
}
