use std::fmt;

use super::OpFacts;

/// Its first line is a remark that says where it comes from.
static TABLE: &str = include_str!("op_releases.tsv");

/// A release of TensorFlow, as `2.13`. Later ones are greater.
///
/// ```
/// use savedmodel::op::{self, Release};
///
/// let op = op::find("XlaCallModule").unwrap();
/// assert_eq!(op.since().unwrap().name(), "2.10");
/// assert_eq!(Release::of_producer(1286).unwrap().name(), "2.11");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    index: usize,
    name: &'static str,
    graph_def_version: i32,
}

impl Release {
    /// Returns all releases that the table of ops knows, ascending. The first, 1.15, stands for all
    /// up to it.
    pub fn all() -> impl Iterator<Item = Release> {
        let releases = lines().map(|(release, _)| release);
        releases.filter(|release| release.is_known())
    }

    /// Returns the number, without that of corrections: `2.13`.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Returns the version of the graph format that it writes: `TF_GRAPH_DEF_VERSION`, in graphs
    /// `versions.producer`.
    pub fn graph_def_version(self) -> i32 {
        self.graph_def_version
    }

    /// Says whether it is one, and not the line of the ops of which nothing is known.
    fn is_known(self) -> bool {
        self.graph_def_version > 0
    }

    /// Returns the first release that writes the graph format of this version or a later one, `None`
    /// if all write earlier ones. Between releases the version changes nearly every day: a graph of
    /// a version that no release has comes from a build made before the release returned.
    pub fn of_producer(version: i32) -> Option<Release> {
        Release::all().find(|release| release.graph_def_version >= version)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl OpFacts {
    /// Returns the release of TensorFlow from which on the op is there: it and all later ones up to
    /// 2.21 register it. 1.15 says that the op is there since then or longer. What attrs it had then
    /// is not said. `None` for ops of TensorFlow's own tests, which its libraries do not have.
    pub fn since(&self) -> Option<Release> {
        let has = |(_, ops): &(Release, &str)| ops.split(' ').any(|op| op == self.name());
        match lines().find(has) {
            Some((release, _)) => release.is_known().then_some(release),
            None => Release::all().next(),
        }
    }
}

/// Walks the releases with the ops that are new in each.
fn lines() -> impl Iterator<Item = (Release, &'static str)> {
    let lines = TABLE.lines().skip(1).enumerate();
    lines.map(|(index, line)| {
        let mut columns = line.splitn(3, '\t');
        let mut column = || columns.next().unwrap_or("");
        let release = Release {
            index,
            name: column(),
            graph_def_version: column().parse().unwrap_or(0),
        };
        (release, column())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op;

    #[test]
    fn every_op_of_the_table_is_one_and_there_once() {
        let mut seen = std::collections::BTreeSet::new();
        for (_, ops) in lines() {
            for op in ops.split(' ').filter(|op| !op.is_empty()) {
                assert!(op::find(op).is_some(), "{op}");
                assert!(seen.insert(op), "{op}");
            }
        }
        let names: Vec<_> = Release::all().map(Release::name).collect();
        assert_eq!((names[0], names.len()), ("1.15", 23));
        assert_eq!(names.last(), Some(&"2.21"));
    }

    #[test]
    fn ops_are_there_since_a_release() {
        for (op, since) in [
            ("MatMul", "1.15"),
            ("StatelessWhile", "1.15"),
            ("XlaCallModule", "2.10"),
        ] {
            assert_eq!(op::find(op).unwrap().since().unwrap().name(), since, "{op}");
        }
        assert_eq!(op::find("TwoIntOutputs").unwrap().since(), None);
        let [old, new] = ["2.9", "2.10"]
            .map(|name| Release::all().find(|release| release.name == name).unwrap());
        assert!(old < new);
    }

    #[test]
    fn producers_are_releases_or_builds_between() {
        for (version, release) in [
            (0, Some("1.15")),
            (24, Some("1.15")),
            (134, Some("1.15")),
            (561, Some("2.4")),
            (562, Some("2.5")),
            (2474, Some("2.21")),
            (i32::MAX, None),
        ] {
            let found = Release::of_producer(version).map(Release::name);
            assert_eq!(found, release, "{version}");
        }
    }
}
