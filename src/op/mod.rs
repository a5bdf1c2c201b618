//! The ops of TensorFlow 2.21: names, inputs, outputs, attrs, flags.
//!
//! A graph's node names its op and holds attrs; how many outputs it has, which attrs may be absent
//! and what they are then, is only known to the op's registration. This floor has those of the 1,908
//! ops that every build of TensorFlow 2.21 registers, printed from its registry
//! (`tensorflow/core/framework/op.h`) by `print_op_facts.py` beside this file.
//!
//! ```
//! use savedmodel::op;
//!
//! let matmul = op::find("MatMul").unwrap();
//! let inputs: Vec<_> = matmul.inputs().map(|arg| arg.name()).collect();
//! assert_eq!(inputs, ["a", "b"]);
//! assert!(!matmul.is_stateful());
//! assert!(op::find("MyOwnOp").is_none());
//! assert_eq!(op::all().count(), 1908);
//! ```
//!
//! | part | holds |
//! |---|---|
//! | `facts` | [`OpFacts`], [`ArgFacts`], [`AttrFacts`] |
//! | `releases` | [`Release`], and since which one an op is there |
//! | `text` | the language of the table's columns |
//!
//! # The table
//!
//! `op_facts.tsv` is text, an op a line, sorted by name, in the words of TensorFlow's own op
//! registrations; a new release shows as a diff people can read. The lines are embedded as they are
//! and found by bisecting the bytes: no index, no work before the first question, and an answer
//! reads one line.
//!
//! `op_releases.tsv` has the releases of TensorFlow since 1.15, a line each, with the ops that were
//! new; `print_op_releases.py` prints it from the packages of all of them.

mod facts;
mod releases;
mod text;

use std::cmp::Ordering;

pub use facts::{ArgFacts, AttrFacts, OpFacts};
pub use releases::Release;

/// Its first line is a remark that says where it comes from.
static TABLE: &str = include_str!("op_facts.tsv");

/// Returns the facts of the op of that name, or `None` if TensorFlow 2.21 has no such op: a custom
/// op, or the name of a function.
pub fn find(name: &str) -> Option<OpFacts> {
    let mut lines = lines();
    while !lines.is_empty() {
        let middle = lines.len() / 2;
        // All of the table is ASCII, which a test holds, so that every byte is a boundary.
        let start = lines[..middle].rfind('\n').map_or(0, |end| end + 1);
        let length = lines[start..].find('\n')?;
        let line = &lines[start..start + length];
        // The name alone is cut off here: most lines on the way are not the one.
        match line.split('\t').next()?.cmp(name) {
            Ordering::Equal => return Some(OpFacts::of_line(line)),
            Ordering::Less => lines = &lines[start + length + 1..],
            Ordering::Greater => lines = &lines[..start],
        }
    }
    None
}

/// Returns the facts of all ops, sorted by name.
pub fn all() -> impl DoubleEndedIterator<Item = OpFacts> + Clone {
    lines().lines().map(OpFacts::of_line)
}

fn lines() -> &'static str {
    TABLE.split_once('\n').map_or("", |(_remark, ops)| ops)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_ascii_sorted_and_ends_its_lines() {
        assert!(TABLE.is_ascii());
        assert!(TABLE.ends_with('\n'));
        assert!(!TABLE.contains('\r'));
        let names: Vec<_> = all().map(|op| op.name()).collect();
        assert_eq!(names.len(), 1908);
        assert!(names.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn every_op_is_found_and_nothing_else() {
        for op in all() {
            let name = op.name();
            assert_eq!(find(name).unwrap().name(), name);
            assert!(find(&format!("{name}\t")).is_none());
            assert!(find(&name[1..]).is_none_or(|other| other.name() == &name[1..]));
        }
        for name in ["", "#", "A ", "_", "zzz", "\u{e9}", "MatMul\n", "matmul"] {
            assert!(find(name).is_none(), "{name}");
        }
    }
}
