use std::fmt;
use std::ops::{Index, Range};
use std::sync::Arc;

use prost::bytes::Bytes;

use crate::error::{Error, Result};

/// The elements of a string tensor: byte strings one behind the other in one arena.
///
/// ```text
/// bytes  h e l l o w o
/// ends           5   7      element i is bytes[ends[i - 1]..ends[i]]
/// ```
///
/// So any number of strings takes two allocations, and none for the bytes if they lie in a mapped
/// file. Elements are arbitrary bytes, not necessarily UTF-8, as in TensorFlow
/// (`tensorflow/core/platform/tstring.h`). Cloning counts a reference.
///
/// ```
/// use savedmodel::Strings;
///
/// let strings: Strings = ["hello", "wo"].into_iter().collect();
/// assert_eq!(strings.len(), 2);
/// assert_eq!(&strings[1], b"wo");
/// assert_eq!(strings.iter().map(<[u8]>::len).sum::<usize>(), 7);
/// ```
#[derive(Clone)]
pub struct Strings {
    /// Where each element ends in `bytes`: never descending, the last one `bytes.len()`.
    ends: Arc<Vec<u64>>,
    bytes: Bytes,
}

impl Strings {
    /// Puts together elements that end at `ends` of `bytes`.
    ///
    /// # Errors
    ///
    /// `Malformed` if an end lies before the one before it, or the last is not the length of
    /// `bytes`.
    pub(crate) fn from_parts(ends: Vec<u64>, bytes: Bytes) -> Result<Strings> {
        if !ends.is_sorted() {
            return Err(Error::malformed("the ends of strings descend"));
        }
        let end = ends.last().copied().unwrap_or(0);
        if end != bytes.len() as u64 {
            return Err(Error::malformed(format!(
                "strings end at byte {end} of {} bytes",
                bytes.len()
            )));
        }
        Ok(Strings {
            ends: Arc::new(ends),
            bytes,
        })
    }

    /// Returns the number of elements.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the bytes of all elements, one behind the other.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the element at `index`, or `None` if there are not so many.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        self.bytes.get(self.start(index)? as usize..end as usize)
    }

    /// Returns the element at `index` without copying it, sharing the arena.
    pub fn get_shared(&self, index: usize) -> Option<Bytes> {
        self.get(index).map(|element| self.bytes.slice_ref(element))
    }

    /// Iterates over the elements.
    pub fn iter(&self) -> Iter<'_> {
        Iter {
            strings: self,
            front: 0,
            back: self.len(),
        }
    }

    /// Returns the elements at these indices, sharing the arena, or `None` if there are not so many.
    pub(crate) fn range(&self, indices: Range<usize>) -> Option<Strings> {
        let from = self.start(indices.start)?;
        let ends = self.ends.get(indices)?;
        let to = ends.last().copied().unwrap_or(from);
        Some(Strings {
            ends: Arc::new(ends.iter().map(|end| end - from).collect()),
            bytes: self.bytes.slice(from as usize..to as usize),
        })
    }

    fn start(&self, index: usize) -> Option<u64> {
        match index.checked_sub(1) {
            None => Some(0),
            Some(before) => self.ends.get(before).copied(),
        }
    }
}

impl PartialEq for Strings {
    fn eq(&self, other: &Self) -> bool {
        self.ends == other.ends && self.bytes == other.bytes
    }
}

impl Eq for Strings {}

impl Default for Strings {
    fn default() -> Self {
        Strings {
            ends: Arc::default(),
            bytes: Bytes::new(),
        }
    }
}

impl fmt::Debug for Strings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self
            .iter()
            .map(|element| element.escape_ascii().to_string());
        f.debug_list().entries(shown).finish()
    }
}

impl Index<usize> for Strings {
    type Output = [u8];

    /// # Panics
    ///
    /// If there are not so many elements, as a slice does.
    fn index(&self, index: usize) -> &[u8] {
        match self.get(index) {
            Some(element) => element,
            None => panic!("index {index} of {} strings", self.len()),
        }
    }
}

impl<S: AsRef<[u8]>> FromIterator<S> for Strings {
    fn from_iter<I: IntoIterator<Item = S>>(elements: I) -> Strings {
        let mut ends = Vec::new();
        let mut bytes = Vec::new();
        for element in elements {
            bytes.extend_from_slice(element.as_ref());
            ends.push(bytes.len() as u64);
        }
        Strings {
            ends: Arc::new(ends),
            bytes: bytes.into(),
        }
    }
}

impl<'a> IntoIterator for &'a Strings {
    type Item = &'a [u8];
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Iterates over the elements of [`Strings`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    strings: &'a Strings,
    front: usize,
    back: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.front == self.back {
            return None;
        }
        let element = self.strings.get(self.front)?;
        self.front += 1;
        Some(element)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.back - self.front;
        (left, Some(left))
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front == self.back {
            return None;
        }
        self.back -= 1;
        self.strings.get(self.back)
    }
}

impl ExactSizeIterator for Iter<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_back() {
        let elements: [&[u8]; 4] = [b"", b"a", b"\xff\x00b", b""];
        let strings: Strings = elements.into_iter().collect();
        assert_eq!(strings.iter().collect::<Vec<_>>(), elements);
        assert!(strings.iter().rev().eq(elements.into_iter().rev()));
        assert_eq!((strings.iter().len(), strings.get(4)), (4, None));
        assert_eq!(strings.get_shared(2).unwrap(), elements[2]);
        assert_eq!(strings.bytes(), b"a\xff\x00b");
    }

    #[test]
    fn parts_must_agree() {
        let bytes = Bytes::from_static(b"abc");
        assert_eq!(
            &Strings::from_parts(vec![1, 1, 3], bytes.clone()).unwrap()[2],
            b"bc"
        );
        assert!(Strings::from_parts(vec![2, 1, 3], bytes.clone()).is_err());
        assert!(Strings::from_parts(vec![1, 4], bytes.clone()).is_err());
        assert!(Strings::from_parts(vec![1, 2], bytes.clone()).is_err());
        assert!(Strings::from_parts(vec![], bytes).is_err());
        assert!(
            Strings::from_parts(vec![], Bytes::new())
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn equality_is_of_elements() {
        let whole: Strings = ["x", "ab", "c"].into_iter().collect();
        let part: Strings = ["ab", "c"].into_iter().collect();
        assert_eq!(whole.range(1..3), Some(part));
        assert_eq!(whole.range(3..3), Some(Strings::default()));
        assert_eq!(whole.range(2..4), None);
        assert_ne!(whole, ["xa", "b", "c"].into_iter().collect());
    }

    #[test]
    fn clones_share_the_arena() {
        let strings: Strings = ["a", "b"].into_iter().collect();
        assert_eq!(strings.clone().bytes().as_ptr(), strings.bytes().as_ptr());
        assert_eq!(format!("{strings:?}"), r#"["a", "b"]"#);
    }
}
