use std::fmt;

use crate::error::{Error, Printable, Result};

/// Marks the end of an object's path in a checkpoint key, before the name of what is stored of it.
pub(super) const ATTRIBUTES: &str = "/.ATTRIBUTES/";
/// Stands in the key of a slot variable between the variable's path and the optimizer's.
pub(super) const OPTIMIZER_SLOT: &str = "/.OPTIMIZER_SLOT/";

const NONE: u32 = u32::MAX;

/// Named edges between objects, and the shortest way from the root to each.
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// The objects that the root leads to, breadth first.
    order: Vec<u32>,
    /// For each object the edge that its shortest path ends with.
    last: Vec<Edge>,
    /// For each object where its edges are in `incoming`, and the end behind the last object.
    starts: Vec<u32>,
    incoming: Vec<Edge>,
    /// For each object its place in a walk of the tree of shortest paths that meets parents before
    /// children, and how many objects are below it there, itself counted.
    spans: Vec<(u32, u32)>,
}

/// One object: what it holds, by name.
pub(super) struct Node {
    pub(super) children: Box<[Reference]>,
    pub(super) container: Container,
}

/// An edge to another object. The number is as the file has it and may be of no object.
pub(super) struct Reference {
    pub(super) node_id: i32,
    pub(super) local_name: Box<str>,
}

/// How Python code gets at an object's children.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Attributes,
    List,
    Dict,
}

/// The reference of that index among the children of that object.
#[derive(Clone, Copy)]
struct Edge {
    parent: u32,
    index: u32,
}

impl Edge {
    const NONE: Edge = Edge {
        parent: NONE,
        index: NONE,
    };
}

impl Tree {
    /// # Errors
    ///
    /// `Malformed` if there is no object, which is no graph, or more than a file can number.
    pub(super) fn new(nodes: Vec<Node>) -> Result<Tree> {
        if nodes.is_empty() {
            return Err(Error::malformed(
                "the object graph is empty, but object 0 has to be its root",
            ));
        }
        if i32::try_from(nodes.len()).is_err() {
            return Err(Error::malformed(
                "the object graph has more objects than 2^31",
            ));
        }
        let mut tree = Tree {
            order: Vec::with_capacity(nodes.len()),
            last: vec![Edge::NONE; nodes.len()],
            starts: vec![0; nodes.len() + 1],
            incoming: Vec::new(),
            spans: vec![(0, 0); nodes.len()],
            nodes,
        };
        tree.find_shortest_paths();
        tree.find_spans();
        tree.collect_incoming();
        Ok(tree)
    }

    fn find_shortest_paths(&mut self) {
        let mut seen = vec![false; self.nodes.len()];
        seen[0] = true;
        self.order.push(0);
        let mut next = 0;
        while let Some(&parent) = self.order.get(next) {
            next += 1;
            let children = &self.nodes[parent as usize].children;
            for (index, reference) in children.iter().enumerate() {
                let Some(child) = self.index(reference.node_id) else {
                    continue;
                };
                if !std::mem::replace(&mut seen[child], true) {
                    self.last[child] = Edge {
                        parent,
                        index: index as u32,
                    };
                    self.order.push(child as u32);
                }
            }
        }
    }

    fn find_spans(&mut self) {
        for &id in self.order.iter().rev() {
            let size = self.spans[id as usize].1 + 1;
            self.spans[id as usize].1 = size;
            let parent = self.last[id as usize].parent;
            if parent != NONE {
                self.spans[parent as usize].1 += size;
            }
        }
        let mut free = vec![1; self.nodes.len()];
        for &id in &self.order {
            let parent = self.last[id as usize].parent;
            if parent == NONE {
                continue;
            }
            let offset = free[parent as usize];
            free[parent as usize] += self.spans[id as usize].1;
            self.spans[id as usize].0 = self.spans[parent as usize].0 + offset;
        }
    }

    fn collect_incoming(&mut self) {
        let mut edges = Vec::new();
        for &parent in &self.order {
            let children = &self.nodes[parent as usize].children;
            for (index, reference) in children.iter().enumerate() {
                // A name that leads through the object itself says nothing new about it.
                if let Some(child) = self.index(reference.node_id)
                    && !self.is_below(parent as usize, child)
                {
                    let index = index as u32;
                    edges.push((child as u32, Edge { parent, index }));
                    self.starts[child + 1] += 1;
                }
            }
        }
        for id in 0..self.nodes.len() {
            self.starts[id + 1] += self.starts[id];
        }
        // Stable: the edges of one object stay in the order in which a breadth-first walk meets them.
        edges.sort_by_key(|(child, _)| *child);
        self.incoming = edges.into_iter().map(|(_, edge)| edge).collect();
    }

    /// Says whether the shortest path of object `id` leads through `ancestor`.
    fn is_below(&self, id: usize, ancestor: usize) -> bool {
        let (start, size) = self.spans[ancestor];
        (start..start + size).contains(&self.spans[id].0)
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Turns a number of the file into an index, if there is such an object.
    pub(super) fn index(&self, node_id: i32) -> Option<usize> {
        usize::try_from(node_id)
            .ok()
            .filter(|&index| index < self.nodes.len())
    }

    pub(super) fn children(&self, id: usize) -> &[Reference] {
        &self.nodes[id].children
    }

    pub(super) fn container(&self, id: usize) -> Container {
        self.nodes[id].container
    }

    /// Walks the objects that the root leads to, breadth first, with their shortest paths.
    pub(super) fn walk(&self) -> impl ExactSizeIterator<Item = (usize, ObjectPath<'_>)> {
        self.order.iter().map(|&id| {
            let end = self.last_edge(id as usize);
            (id as usize, ObjectPath { tree: self, end })
        })
    }

    pub(super) fn shortest_path(&self, id: usize) -> Option<ObjectPath<'_>> {
        let end = self.last_edge(id);
        (id == 0 || end.is_some()).then_some(ObjectPath { tree: self, end })
    }

    fn last_edge(&self, id: usize) -> Option<Edge> {
        Some(self.last[id]).filter(|edge| edge.parent != NONE)
    }

    /// Returns all names of an object, one for each edge that leads to it.
    pub(super) fn paths(&self, id: usize) -> impl ExactSizeIterator<Item = ObjectPath<'_>> {
        let range = match id {
            0 => 0..1,
            _ => self.starts[id] as usize..self.starts[id + 1] as usize,
        };
        range.map(move |place| ObjectPath {
            tree: self,
            end: match id {
                0 => None,
                _ => Some(self.incoming[place]),
            },
        })
    }

    /// Finds a child by its name; the last one if the name is given twice, as `setattr` would.
    ///
    /// # Errors
    ///
    /// `Malformed` if the child is no object of this graph.
    pub(super) fn child(&self, id: usize, name: &str) -> Result<Option<usize>> {
        let mut children = self.nodes[id].children.iter();
        let Some(reference) = children.rfind(|child| *child.local_name == *name) else {
            return Ok(None);
        };
        match self.index(reference.node_id) {
            Some(child) => Ok(Some(child)),
            None => Err(Error::malformed(format!(
                "the child `{}` of object {id} is object {}, but there are {} objects",
                Printable(name),
                reference.node_id,
                self.len(),
            ))),
        }
    }

    /// Finds an object by a path of any form that [`ObjectPath`] describes.
    pub(super) fn find(&self, path: &str) -> Result<usize> {
        self.follow(path, split_path(path)?)
    }

    /// Finds an object by a path as it begins the keys of a bundle.
    pub(super) fn find_key(&self, path: &str) -> Result<usize> {
        self.follow(path, split_key(path))
    }

    fn follow(&self, path: &str, names: Vec<String>) -> Result<usize> {
        let mut id = 0;
        for name in names {
            id = match self.child(id, &name)? {
                Some(child) => child,
                None => return Err(self.no_such_child(path, id, &name)),
            };
        }
        Ok(id)
    }

    fn no_such_child(&self, path: &str, id: usize, name: &str) -> Error {
        let children = self.nodes[id].children.iter();
        no_such_child(path, id, name, children.map(|child| &*child.local_name))
    }
}

/// Returns the error for a path that ends before its time, at object `id`, which has `children`.
pub(super) fn no_such_child<'a>(
    path: &str,
    id: usize,
    name: &str,
    children: impl ExactSizeIterator<Item = &'a str>,
) -> Error {
    const SHOWN: usize = 8;
    let count = children.len();
    let mut has = match count {
        0 => "has no children".to_owned(),
        _ => "has".to_owned(),
    };
    for (index, child) in children.take(SHOWN).enumerate() {
        let separator = if index == 0 { " " } else { ", " };
        has += &format!("{separator}`{}`", Printable(child));
    }
    if count > SHOWN {
        has += " and others";
    }
    Error::not_found(format!(
        "object `{}`: `{}` of object {id} ({has})",
        Printable(path),
        Printable(name),
    ))
}

/// A name of an object: the names of the edges that lead to it from the root.
///
/// There are two ways to write it. Both, shown here for the same object, are understood where this
/// crate takes a path:
///
/// | form | written by | looks like |
/// |---|---|---|
/// | Python | [`Display`](fmt::Display) | `root.layers[2].kernel`, `root.by_name['a.b/c']` |
/// | checkpoint key | [`to_key`](Self::to_key) | `layers/2/kernel`, `by_name/a..b.Sc` |
///
/// In the first, elements of lists and tuples are in brackets, keys of dicts and names that Python
/// would not accept after a dot in brackets and quotes. `root` may be left out. In the second, which
/// is that of keys in a bundle, a dot in a name is two dots and a slash is `.S`, as in
/// `tensorflow/python/trackable/trackable_utils.py`. A path with a slash outside of brackets is read
/// as the second.
#[derive(Clone, Copy)]
pub struct ObjectPath<'g> {
    tree: &'g Tree,
    end: Option<Edge>,
}

impl<'g> ObjectPath<'g> {
    /// Returns the names, outermost first; none for the root.
    pub fn names(self) -> Vec<&'g str> {
        let edges = self.edges();
        edges.into_iter().map(|edge| self.name(edge)).collect()
    }

    /// Returns how many names there are: 0 for the root.
    pub fn depth(self) -> usize {
        self.edges().len()
    }

    /// Returns the path as it begins the keys of a bundle: `layers/2/kernel`.
    pub fn to_key(self) -> String {
        let names = self.names();
        let escaped: Vec<_> = names.into_iter().map(escape_local_name).collect();
        escaped.join("/")
    }

    fn edges(self) -> Vec<Edge> {
        let mut edges = Vec::new();
        let mut end = self.end;
        while let Some(edge) = end {
            edges.push(edge);
            end = self.tree.last_edge(edge.parent as usize);
        }
        edges.reverse();
        edges
    }

    fn name(self, edge: Edge) -> &'g str {
        &self.tree.children(edge.parent as usize)[edge.index as usize].local_name
    }
}

impl fmt::Display for ObjectPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("root")?;
        for edge in self.edges() {
            let name = self.name(edge);
            match self.tree.container(edge.parent as usize) {
                Container::List if is_index(name) => write!(f, "[{name}]")?,
                Container::Attributes if is_identifier(name) => write!(f, ".{name}")?,
                _ => write!(f, "[{}]", Quoted(name))?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ObjectPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text in Python's quotes, as `repr` writes it.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = match self.0.contains('\'') && !self.0.contains('"') {
            true => '"',
            false => '\'',
        };
        write!(f, "{quote}")?;
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if c == quote => write!(f, "\\{c}")?,
                c if !is_hidden(c) => write!(f, "{c}")?,
                c if (c as u32) < 0x100 => write!(f, "\\x{:02x}", c as u32)?,
                c if (c as u32) < 0x10000 => write!(f, "\\u{:04x}", c as u32)?,
                c => write!(f, "\\U{:08x}", c as u32)?,
            }
        }
        write!(f, "{quote}")
    }
}

/// Says whether a character is one that changes what a terminal shows and is not seen itself:
/// control and format characters, which `repr` escapes too.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Says whether a name is an index as lists have them: decimal digits without leading zeros.
pub(super) fn is_index(name: &str) -> bool {
    name == "0"
        || (!name.is_empty() && !name.starts_with('0') && name.bytes().all(|b| b.is_ascii_digit()))
}

fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_')
}

/// `escape_local_name` in `tensorflow/python/trackable/trackable_utils.py`.
pub(super) fn escape_local_name(name: &str) -> String {
    name.replace('.', "..").replace('/', ".S")
}

/// Splits a path of any form that [`ObjectPath`] describes into names.
pub(super) fn split_path(path: &str) -> Result<Vec<String>> {
    if let Some((path, _)) = path.split_once(ATTRIBUTES) {
        return Ok(split_key(path));
    }
    match has_bare_slash(path) {
        true => Ok(split_key(path)),
        false => split_python(path),
    }
}

fn split_key(path: &str) -> Vec<String> {
    let names = path.split('/').filter(|name| !name.is_empty());
    names.map(unescape_local_name).collect()
}

fn unescape_local_name(escaped: &str) -> String {
    let mut name = String::with_capacity(escaped.len());
    let mut chars = escaped.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('.', Some('.')) => {
                chars.next();
                name.push('.');
            }
            ('.', Some('S')) => {
                chars.next();
                name.push('/');
            }
            _ => name.push(c),
        }
    }
    name
}

fn has_bare_slash(path: &str) -> bool {
    let mut rest = path;
    while let Some(place) = rest.find(['/', '[']) {
        if rest.as_bytes()[place] == b'/' {
            return true;
        }
        let Some((_, end)) = bracket(&rest[place..]) else {
            return rest[place..].contains('/');
        };
        rest = &rest[place + end..];
    }
    false
}

fn split_python(path: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if rest.starts_with('[') {
            let Some((name, end)) = bracket(rest) else {
                return Err(Error::invalid_argument(format!(
                    "path `{}`: a bracket is not closed, or holds no number and no text in quotes",
                    Printable(path)
                )));
            };
            names.push(name);
            rest = &rest[end..];
            continue;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        if end == 0 {
            return Err(Error::invalid_argument(format!(
                "path `{}`: there is no name after a dot",
                Printable(path)
            )));
        }
        names.push(rest[..end].to_owned());
        rest = &rest[end..];
    }
    if names.first().is_some_and(|name| name == "root") {
        names.remove(0);
    }
    Ok(names)
}

/// Reads the bracket that `text` begins with: the name in it, and its length.
fn bracket(text: &str) -> Option<(String, usize)> {
    let inside = text.strip_prefix('[')?;
    let Some(quote) = inside.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
        let end = inside.find(']')?;
        return is_index(&inside[..end]).then(|| (inside[..end].to_owned(), end + 2));
    };
    let mut name = String::new();
    let mut chars = inside.char_indices().skip(1);
    while let Some((place, c)) = chars.next() {
        match c {
            '\\' => name.push(unescape_char(&mut chars, inside)?),
            c if c == quote => {
                let closed = inside[place + 1..].starts_with(']');
                return closed.then_some((name, place + 3));
            }
            c => name.push(c),
        }
    }
    None
}

fn unescape_char(chars: &mut impl Iterator<Item = (usize, char)>, inside: &str) -> Option<char> {
    Some(match chars.next()? {
        (_, 'n') => '\n',
        (_, 'r') => '\r',
        (_, 't') => '\t',
        (place, kind @ ('x' | 'u' | 'U')) => {
            let length = match kind {
                'x' => 2,
                'u' => 4,
                _ => 8,
            };
            let digits = inside.get(place + 1..place + 1 + length)?;
            chars.nth(length - 1)?;
            char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
        }
        (_, c) => c,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(nodes: &[(Container, &[(&str, i32)])]) -> Tree {
        let nodes = nodes.iter().map(|(container, children)| Node {
            container: *container,
            children: children
                .iter()
                .map(|(name, node_id)| Reference {
                    node_id: *node_id,
                    local_name: (*name).into(),
                })
                .collect(),
        });
        Tree::new(nodes.collect()).unwrap()
    }

    fn example() -> Tree {
        use Container::{Attributes, Dict, List};
        tree(&[
            (Attributes, &[("layers", 1), ("by_name", 2), ("layer-0", 3)]),
            (List, &[("0", 3), ("10", 4)]),
            (Dict, &[("a.b/c's", 4), ("x\n'\"\\", 3)]),
            (Attributes, &[("kernel", 5), ("parent", 0), ("self", 3)]),
            (Attributes, &[("größe", 5), ("gone", 9), ("gone too", -1)]),
            (Attributes, &[]),
            (Attributes, &[("kernel", 5)]),
        ])
    }

    fn shown(tree: &Tree, id: usize) -> Vec<String> {
        tree.paths(id).map(|path| path.to_string()).collect()
    }

    #[test]
    fn all_names_in_breadth_first_order() {
        let tree = example();
        assert_eq!(shown(&tree, 0), ["root"]);
        assert_eq!(
            shown(&tree, 3),
            [
                "root['layer-0']",
                "root.layers[0]",
                "root.by_name['x\\n\\'\"\\\\']"
            ]
        );
        assert_eq!(
            shown(&tree, 4),
            ["root.layers[10]", "root.by_name[\"a.b/c's\"]"]
        );
        assert_eq!(
            shown(&tree, 5),
            ["root['layer-0'].kernel", "root.layers[10].größe"]
        );
        assert!(tree.shortest_path(6).is_none());
        let order: Vec<_> = tree.walk().map(|(id, _)| id).collect();
        assert_eq!(order, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn every_form_leads_back() {
        let tree = example();
        for id in 0..6 {
            for path in tree.paths(id) {
                assert_eq!(tree.find(&path.to_string()).unwrap(), id, "{path}");
                assert_eq!(tree.find(&path.to_key()).unwrap(), id, "{path}");
            }
        }
        assert_eq!(tree.find("layers.0.kernel").unwrap(), 5);
        assert_eq!(tree.find("by_name/a..b.Sc's").unwrap(), 4);
        assert_eq!(tree.find("layers/10/.ATTRIBUTES/x").unwrap(), 4);
    }

    #[test]
    fn what_is_not_there_is_said() {
        let tree = example();
        for (path, message) in [
            ("layers[1]", "(has `0`, `10`)"),
            ("layers[10].gone", "object 9, but there are 7 objects"),
            ("layers[10]['gone too']", "is object -1"),
            ("layers[", "not closed"),
            ("layers[x]", "not closed"),
            ("a..b", "no name after a dot"),
            ("layers['a", "not closed"),
            ("layers['\\x", "not closed"),
            ("layers['a'", "not closed"),
            ("layer-0/kernel/x", "(has no children)"),
        ] {
            let error = tree.find(path).unwrap_err().to_string();
            assert!(error.contains(message), "{path}: {error}");
        }
    }
}
