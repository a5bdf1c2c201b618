use std::collections::VecDeque;

/// Where objects stand in a tree: each at the end of the shortest way from the root, and at all other
/// places a reference.
pub(super) struct Layout<'g> {
    /// The edges of each object that has a place in the tree.
    edges: Vec<Vec<Edge<'g>>>,
    /// For each object the edge at whose end it stands: the object it starts from, and its index.
    first: Vec<Option<(usize, usize)>>,
    root: usize,
    depth: u32,
}

/// What leads to an object.
#[derive(Clone, Copy)]
pub(super) struct Edge<'g> {
    pub(super) label: Label<'g>,
    pub(super) object: usize,
}

#[derive(Clone, Copy)]
pub(super) enum Label<'g> {
    /// Nothing: the tree begins here.
    Root,
    /// A name.
    Child(&'g str),
    /// An optimizer keeps it under this name for a variable.
    Slot { name: &'g str, of: usize },
}

/// A place in the tree.
pub(super) struct Place<'g> {
    pub(super) edge: Edge<'g>,
    pub(super) depth: u32,
    /// Whether the object stands here, and not just a reference.
    pub(super) is_first: bool,
}

impl<'g> Layout<'g> {
    /// Lays out `count` objects; `edges` answers what leads away from one.
    pub(super) fn new(
        count: usize,
        root: usize,
        depth: Option<u32>,
        edges_of: impl Fn(usize) -> Vec<Edge<'g>>,
    ) -> Self {
        let mut layout = Layout {
            edges: (0..count).map(|_| Vec::new()).collect(),
            first: vec![None; count],
            root,
            depth: depth.unwrap_or(u32::MAX),
        };
        let mut met = vec![false; count];
        if let Some(met) = met.get_mut(root) {
            *met = true;
        }
        let mut queue = VecDeque::from([root]);
        // A name is nearer than a slot, however many steps it takes: first all that names lead to.
        let mut optimizers = Vec::new();
        while let Some(id) = queue.pop_front() {
            if layout.edges[id].is_empty() {
                layout.edges[id] = edges_of(id);
            }
            for (index, edge) in layout.edges[id].iter().enumerate() {
                if let Label::Slot { .. } = edge.label {
                    optimizers.push((id, index));
                } else if !std::mem::replace(&mut met[edge.object], true) {
                    layout.first[edge.object] = Some((id, index));
                    queue.push_back(edge.object);
                }
            }
            if queue.is_empty() {
                for (id, index) in optimizers.drain(..) {
                    let object = layout.edges[id][index].object;
                    if !std::mem::replace(&mut met[object], true) {
                        layout.first[object] = Some((id, index));
                        queue.push_back(object);
                    }
                }
            }
        }
        layout
    }

    /// Walks the places depth first.
    pub(super) fn into_places(self) -> impl Iterator<Item = Place<'g>> {
        let mut root = Some(Place {
            edge: Edge {
                label: Label::Root,
                object: self.root,
            },
            depth: 0,
            is_first: true,
        });
        // Where the walk is: objects, and the index of the edge to take next.
        let mut open: Vec<(usize, usize)> = Vec::new();
        std::iter::from_fn(move || {
            if let Some(root) = root.take() {
                if self.depth > 0 {
                    open.push((self.root, 0));
                }
                return Some(root);
            }
            loop {
                let (id, next) = open.last_mut()?;
                let (from, index) = (*id, *next);
                let Some(edge) = self.edges[from].get(index).copied() else {
                    open.pop();
                    continue;
                };
                *next += 1;
                let depth = open.len() as u32;
                let is_first = self.first[edge.object] == Some((from, index));
                if is_first && depth < self.depth {
                    open.push((edge.object, 0));
                }
                return Some(Place {
                    edge,
                    depth,
                    is_first,
                });
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(edges: &[&[(&'static str, usize)]], root: usize, depth: Option<u32>) -> Vec<String> {
        let edges_of = |id: usize| {
            let edge = |&(name, object): &(&'static str, usize)| Edge {
                label: match name.strip_prefix("slot ") {
                    Some(name) => Label::Slot { name, of: 0 },
                    None => Label::Child(name),
                },
                object,
            };
            edges[id].iter().map(edge).collect()
        };
        let layout = Layout::new(edges.len(), root, depth, edges_of);
        let text = |place: Place<'_>| {
            let name = match place.edge.label {
                Label::Root => "root",
                Label::Child(name) | Label::Slot { name, .. } => name,
            };
            let mark = if place.is_first { "" } else { "*" };
            format!("{}{name}{mark}", " ".repeat(place.depth as usize))
        };
        layout.into_places().map(text).collect()
    }

    #[test]
    fn objects_stand_at_the_end_of_the_shortest_way() {
        let edges: &[&[(&str, usize)]] = &[
            &[("a", 1), ("b", 2)],
            &[("deep", 3), ("self", 1)],
            &[("c", 3), ("up", 0)],
            &[("d", 4)],
            &[],
        ];
        assert_eq!(
            places(edges, 0, None),
            [
                "root", " a", "  deep", "   d", "  self*", " b", "  c*", "  up*"
            ]
        );
        assert_eq!(places(edges, 0, Some(1)), ["root", " a", " b"]);
        assert_eq!(
            places(edges, 2, Some(2)),
            ["root", " c", "  d", " up", "  a", "  b*"]
        );
        assert_eq!(places(edges, 4, None), ["root"]);
        assert_eq!(places(edges, 0, Some(0)), ["root"]);
    }

    #[test]
    fn slot_variables_stand_under_their_optimizer_unless_they_have_a_name() {
        let edges: &[&[(&str, usize)]] = &[
            &[("o", 1), ("deep", 4)],
            &[("slot m", 2), ("slot v", 3)],
            &[],
            &[],
            &[("v", 3)],
        ];
        assert_eq!(
            places(edges, 0, None),
            ["root", " o", "  m", "  v*", " deep", "  v"]
        );
    }

    #[test]
    fn a_long_row_and_a_wide_circle_end() {
        let count = 100_000;
        let edges_of = |id: usize| {
            let edge = |object| Edge {
                label: Label::Child("x"),
                object,
            };
            vec![edge((id + 1) % count), edge(0)]
        };
        let layout = Layout::new(count, 0, None, edges_of);
        assert_eq!(layout.into_places().count(), 2 * count + 1);
    }
}
