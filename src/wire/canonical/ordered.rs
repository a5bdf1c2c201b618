use std::cmp::Ordering;

use super::MAX_DEPTH;
use super::encode::{Encoder, Outcome};
use super::entries::{VALUE, compare};
use super::rope::{Span, header_len};
use super::scan::{Child, Proof};
use crate::error::Result;
use crate::wire::descriptor::Message;

/// Messages whose fields are in order, so that only messages in them change, and entries of maps
/// their places.
impl Encoder<'_> {
    /// Whether a message and all in it are as they would be written.
    pub(super) fn is_final(&mut self, span: Span, message: &'static Message, depth: usize) -> bool {
        let Span { start, end } = self.proven;
        if span.is_empty() {
            return true;
        }
        // What a look has passed is not looked at again, nor what it ended in.
        if start <= span.start && span.start < end {
            return span.end <= end;
        }
        let mut proof = Proof::new(self.space, self.order, span.start);
        if proof.holds(span, message, depth) {
            return true;
        }
        self.proven = Span {
            start: span.start,
            end: proof.end,
        };
        false
    }

    /// Encodes a message whose fields are in order; the messages in it are `children` from `first`
    /// on.
    pub(super) fn ordered(&mut self, span: Span, first: usize) -> Result<Outcome> {
        let mut unwritten = span.start;
        let mut len = span.len();
        for index in first..self.children.len() {
            let Some(&child) = self.children.get(index) else {
                break;
            };
            self.child_in_place(child, &mut unwritten, &mut len)?;
        }
        if unwritten == span.start {
            return Ok(Outcome::Same);
        }
        self.raw_between(unwritten, span.end);
        Ok(Outcome::Made(len))
    }

    /// Encodes a message whose fields are in order, but for entries of maps, which `children` has
    /// in their order.
    pub(super) fn shuffled(&mut self, span: Span, first: usize) -> Result<Outcome> {
        let mut unwritten = span.start;
        let mut len = span.len();
        let mut index = first;
        let count = self.children.len();
        while let Some(&child) = self.children.get(index).filter(|_| index < count) {
            let same = self.children.get(index..count).unwrap_or_default().iter();
            let same = same.take_while(|other| other.number == child.number);
            let end = index + same.count();
            let same = self.children.get(index..end).unwrap_or_default();
            if !same.iter().any(|entry| entry.is_late) {
                for index in index..end {
                    if let Some(&child) = self.children.get(index) {
                        self.child_in_place(child, &mut unwritten, &mut len)?;
                    }
                }
                index = end;
                continue;
            }
            // There is nothing between them.
            let starts = same.iter().map(|entry| entry.span.start);
            let start = starts.min().unwrap_or(unwritten);
            let ends = same.iter().map(|entry| entry.span.end);
            let next = ends.max().unwrap_or(unwritten);
            self.raw_between(unwritten, start);
            unwritten = next;
            for index in index..end {
                if let Some(&entry) = self.children.get(index) {
                    let mut unwritten = entry.span.start;
                    self.child_in_place(entry, &mut unwritten, &mut len)?;
                    self.raw_between(unwritten, entry.span.end);
                }
            }
            index = end;
        }
        self.raw_between(unwritten, span.end);
        Ok(Outcome::Made(len))
    }

    /// Puts the entries of each map in order; returns whether no two of them have one key.
    pub(super) fn sort_entries(&mut self, first: usize) -> bool {
        let (space, order) = (self.space, self.order);
        let keys = |a: &Child, b: &Child| match (a.key, b.key) {
            (Some(a), Some(b)) => compare(space, order, a, b),
            _ => Ordering::Equal,
        };
        let children = self.children.get_mut(first..).unwrap_or_default();
        let mut maps = children.chunk_by_mut(|a, b| a.number == b.number);
        maps.all(|same| {
            if !same.iter().any(|entry| entry.is_late) {
                return true;
            }
            same.sort_by(keys);
            same.is_sorted_by(|a, b| keys(a, b).is_lt())
        })
    }

    /// Encodes a message in a message whose fields are in order. If it changes, everything from
    /// `unwritten` to its end is written, and `len` becomes that of the changed message around it.
    pub(super) fn child_in_place(
        &mut self,
        child: Child,
        unwritten: &mut u32,
        len: &mut u64,
    ) -> Result<()> {
        let Some(message) = child.message else {
            return Ok(());
        };
        if child.body.is_empty() && child.depth <= MAX_DEPTH {
            return Ok(());
        }
        let slot = self.rope.reserve(match child.key {
            Some(_) => 4,
            None => 2,
        });
        let Outcome::Made(made) = self.message(&[child.body], message, child.depth)? else {
            self.rope.truncate(slot);
            return Ok(());
        };
        let start = std::mem::replace(unwritten, child.span.end);
        let mut end = child.span.start;
        if made == child.body.len() {
            // Tags, lengths and the key stay as well.
            end = child.body.start;
        } else if child.key.is_some() {
            let key = child.key_field;
            let entry_len = key.len() + header_len(VALUE, made) + made;
            let header = self.rope.set_header(slot + 1, child.number, entry_len);
            self.rope.set_raw(slot + 2, key);
            self.rope.set_header(slot + 3, VALUE, made);
            *len = *len - child.span.len() + header + entry_len;
        } else {
            let header = self.rope.set_header(slot + 1, child.number, made);
            *len = *len - child.span.len() + header + made;
        }
        self.rope.set_raw(slot, Span { start, end });
        Ok(())
    }

    fn raw_between(&mut self, start: u32, end: u32) {
        self.rope.raw(self.space, Span { start, end });
    }
}
