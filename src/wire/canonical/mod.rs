//! Messages as TensorFlow's own programs write them, made from any encoding of them.

mod encode;
mod entries;
mod field;
mod ordered;
mod rope;
mod scalar;
mod scan;

use std::fmt;
use std::io::{self, Write};

pub(crate) use encode::Encoder;
pub(crate) use field::{Cursor, RawField};
pub(crate) use rope::{Space, Span};

use super::descriptor::Message;
use crate::error::{Error, Result};

/// How deep messages may nest, entries of maps included: readers of the binary format stop there.
const MAX_DEPTH: usize = 100;

/// In which order the entries of maps are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MapOrder {
    /// Keys ascend: numbers by value, strings by bytes. C++ writes so when it is told to be
    /// deterministic; fingerprints are hashes of this form.
    #[default]
    Cpp,
    /// Numbers descend, and strings ascend with a string after those it begins. Protobuf's Python
    /// package (4 and later, upb) writes so when it is told to be deterministic, as
    /// `tf.saved_model.save` does.
    Python,
}

/// A message encoded as TensorFlow's own programs would encode it, made without decoding it.
///
/// There are many encodings of one message: fields in any order or more than once, defaults written
/// out, lists packed or not, maps in any order and with a key twice, numbers longer than they must
/// be. This is the one that C++ gives after it has read any of them and was told to be
/// deterministic: known fields ascend by number; of a singular scalar the last occurrence stays,
/// messages are merged; maps have one entry for each key, with key and value even if they are
/// defaults; unknown fields come last, as they came.
///
/// What is in this form already stays a part of the input, so a constant of a gigabyte is not
/// copied; besides there are a few bytes for each message that had to change.
///
/// ```
/// use savedmodel::wire::{Canonical, MapOrder};
///
/// // A NodeDef: op `B`, then name `a`, then the empty device.
/// let bytes = [0x12, 1, b'B', 0x0a, 1, b'a', 0x22, 0];
/// let node = Canonical::new(&bytes, "tensorflow.NodeDef", MapOrder::Cpp)?;
/// assert_eq!(node.to_vec(), [0x0a, 1, b'a', 0x12, 1, b'B']);
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// C++ has its side in `tensorflow/core/lib/strings/proto_serialization.cc` and in
/// `google/protobuf/io/coded_stream.h`.
pub struct Canonical<'a> {
    encoder: Encoder<'a>,
    len: u64,
}

impl<'a> Canonical<'a> {
    /// Encodes `bytes`, an encoded message of the type `message`: `tensorflow.SavedModel`.
    ///
    /// # Errors
    ///
    /// `Malformed`, with the offset, if C++ could not read the message: it is damaged, nests deeper
    /// than 100 messages, or has a string that is not UTF-8. `TooLarge` beyond 2 GiB.
    /// `InvalidArgument` if the schema has no message of that name.
    pub fn new(bytes: &'a [u8], message: &str, order: MapOrder) -> Result<Self> {
        let message = Message::named(message).ok_or_else(|| {
            Error::invalid_argument(format!("the schema has no message `{message}`"))
        })?;
        let space = Space::new(bytes, &[])?;
        let mut encoder = Encoder::new(space, order);
        let len = encoder.encode(&[space.input()], message)?;
        Ok(Canonical { encoder, len })
    }

    /// Returns the length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Says whether the message is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Walks the bytes, piece by piece.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.encoder.pieces()
    }

    /// Returns the bytes in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len as usize);
        self.pieces().for_each(|piece| out.extend_from_slice(piece));
        out
    }

    /// Writes the bytes.
    ///
    /// # Errors
    ///
    /// What `out` answers.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        self.pieces().try_for_each(|piece| out.write_all(piece))
    }
}

/// Two are equal if their bytes are.
impl PartialEq for Canonical<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && {
            let (mut ours, mut theirs) = (self.pieces(), other.pieces());
            let (mut a, mut b): (&[u8], &[u8]) = (&[], &[]);
            loop {
                if a.is_empty() {
                    a = ours.next().unwrap_or_default();
                }
                if b.is_empty() {
                    b = theirs.next().unwrap_or_default();
                }
                let shared = a.len().min(b.len());
                if a[..shared] != b[..shared] {
                    return false;
                }
                if shared == 0 {
                    return a.len() == b.len();
                }
                (a, b) = (&a[shared..], &b[shared..]);
            }
        }
    }
}

impl fmt::Debug for Canonical<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Canonical({} bytes)", self.len)
    }
}

/// Says whether two encodings are of the same message, unknown fields included: a program that
/// reads both cannot tell them apart.
///
/// ```
/// use savedmodel::wire::means_the_same;
///
/// let (a, b) = ([0x0a, 1, b'a', 0x12, 1, b'B'], [0x12, 1, b'B', 0x0a, 1, b'a']);
/// assert!(means_the_same(&a, &b, "tensorflow.NodeDef")?);
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// # Errors
///
/// As for [`Canonical::new`].
pub fn means_the_same(a: &[u8], b: &[u8], message: &str) -> Result<bool> {
    let a = Canonical::new(a, message, MapOrder::Cpp)?;
    Ok(a == Canonical::new(b, message, MapOrder::Cpp)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(bytes: &[u8], message: &str, order: MapOrder) -> Result<Vec<u8>> {
        let encoded = Canonical::new(bytes, message, order)?;
        let out = encoded.to_vec();
        assert_eq!(out.len() as u64, encoded.len());
        // What has been put in order is in order.
        let again = Canonical::new(&out, message, order)?;
        assert_eq!(again.pieces().count(), usize::from(!out.is_empty()));
        assert_eq!(again.to_vec(), out);
        Ok(out)
    }

    fn cpp(bytes: &[u8], message: &str) -> Vec<u8> {
        encode(bytes, message, MapOrder::Cpp).unwrap()
    }

    const NODE: &str = "tensorflow.NodeDef";
    const VALUE: &str = "tensorflow.AttrValue";

    #[test]
    fn fields_ascend_and_defaults_go() {
        let node = [
            0x22, 0, // device: empty
            0x12, 1, b'A', // op, overwritten
            0x0a, 0x81, 0x00, b'n', // name, with a length of two bytes
            0x12, 1, b'B', // op
        ];
        assert_eq!(cpp(&node, NODE), [0x0a, 1, b'n', 0x12, 1, b'B']);
        // -0.0 is no default.
        let saver = [0x35, 0, 0, 0, 0x80];
        assert_eq!(cpp(&saver, "tensorflow.SaverDef"), saver);
        assert!(cpp(&[0x35, 0, 0, 0, 0], "tensorflow.SaverDef").is_empty());
    }

    #[test]
    fn a_member_clears_the_others_and_merges_with_itself() {
        // s: "x", then a shape of one dimension, then another: the shapes are one.
        let shapes = [0x12, 1, b'x', 0x3a, 2, 0x12, 0, 0x3a, 4, 0x12, 2, 0x08, 3];
        assert_eq!(cpp(&shapes, VALUE), [0x3a, 6, 0x12, 0, 0x12, 2, 0x08, 3]);
        // A shape, an integer, a shape: only the second shape is left.
        let cleared = [0x3a, 2, 0x12, 0, 0x18, 5, 0x3a, 2, 0x18, 1];
        assert_eq!(cpp(&cleared, VALUE), [0x3a, 2, 0x18, 1]);
        // What nothing is left of must be sound all the same.
        assert!(encode(&[0x3a, 1, 0x12, 0x18, 5], VALUE, MapOrder::Cpp).is_err());
        // A member is written even if it is a default.
        assert_eq!(cpp(&[0x18, 0], VALUE), [0x18, 0]);
    }

    #[test]
    fn lists_are_packed_and_numbers_are_cut() {
        // AttrValue.ListValue: type (6) of enums, unpacked, packed and empty; i (3) of int64.
        let list = [0x30, 1, 0x32, 2, 2, 3, 0x32, 0, 0x1a, 2, 0x81, 0x00];
        let packed = [0x1a, 1, 1, 0x32, 3, 1, 2, 3];
        assert_eq!(cpp(&list, "tensorflow.AttrValue.ListValue"), packed);
        // An enum of more than 32 bits.
        let large = [0x30, 0x81, 0x80, 0x80, 0x80, 0x10];
        assert_eq!(cpp(&large, VALUE), [0x30, 1]);
        let negative = [0x30, 0xff, 0xff, 0xff, 0xff, 0x0f];
        let whole = [
            0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
        ];
        assert_eq!(cpp(&negative, VALUE), whole);
    }

    /// A node with attributes of these names, without values.
    fn node(names: &[&str]) -> Vec<u8> {
        let attr = |name: &&str| {
            let len = name.len() as u8;
            [&[0x2a, len + 4, 0x0a, len][..], name.as_bytes(), &[0x12, 0]].concat()
        };
        names.iter().flat_map(attr).collect()
    }

    #[test]
    fn maps_have_an_order_and_whole_entries() {
        let names = ["T", "", "Tshape", "S"];
        let ordered = |order| encode(&node(&names), NODE, order).unwrap();
        assert_eq!(ordered(MapOrder::Cpp), node(&["", "S", "T", "Tshape"]));
        assert_eq!(ordered(MapOrder::Python), node(&["S", "Tshape", "T", ""]));
        // Of two entries the last stays; key and value are written, and nothing else.
        let twice = [0x2a, 2, 0x12, 0, 0x2a, 6, 0x48, 1, 0x12, 2, 0x18, 7];
        assert_eq!(cpp(&twice, NODE), [0x2a, 6, 0x0a, 0, 0x12, 2, 0x18, 7]);
        assert_eq!(cpp(&[0x2a, 0], NODE), [0x2a, 4, 0x0a, 0, 0x12, 0]);

        // FunctionDef.arg_attr, by numbers; 0 is left out of its entry.
        let numbers = [
            0x3a, 4, 0x08, 2, 0x12, 0, 0x3a, 2, 0x12, 0, 0x3a, 4, 0x08, 1, 0x12, 0,
        ];
        let entry = |key| [0x3a, 4, 0x08, key, 0x12, 0];
        let function = |order| encode(&numbers, "tensorflow.FunctionDef", order).unwrap();
        assert_eq!(function(MapOrder::Cpp), [0, 1, 2].map(entry).concat());
        assert_eq!(function(MapOrder::Python), [2, 1, 0].map(entry).concat());
    }

    #[test]
    fn entries_that_change_places_change_inside() {
        let name = [0x0a, 1, b'n'];
        // `b` has a list of one number that is not packed; it gets longer.
        let b = [0x2a, 9, 0x0a, 1, b'b', 0x12, 4, 0x0a, 2, 0x18, 5];
        let longer = [0x2a, 10, 0x0a, 1, b'b', 0x12, 5, 0x0a, 3, 0x1a, 1, 5];
        // `c` has a function with attributes out of order; it stays as long.
        let c = |first, second| {
            let attrs = [node(&[first]), node(&[second])].concat();
            // NameAttrList has its attributes in field 2.
            let attrs = attrs
                .iter()
                .map(|&byte| if byte == 0x2a { 0x12 } else { byte });
            let head = [0x2a, 21, 0x0a, 1, b'c', 0x12, 16, 0x52, 14];
            [head.to_vec(), attrs.collect()].concat()
        };
        let a = [0x2a, 7, 0x0a, 1, b'a', 0x12, 2, 0x30, 1];
        let device = [0x22, 1, b'd'];
        let mut bytes = name.to_vec();
        bytes.extend([&c("y", "x")[..], &b, &a].concat());
        let mut expected = name.to_vec();
        expected.extend([&a[..], &longer, &c("x", "y")].concat());
        // Attributes come last; a device before them keeps its place.
        bytes.splice(3..3, device);
        expected.splice(3..3, device);
        assert_eq!(cpp(&bytes, NODE), expected);
    }

    #[test]
    fn what_is_not_known_comes_last() {
        let bytes = [
            0xa0, 0x06, 0x81, 0x00, // 100: 1, in two bytes
            0x08, 5, // name as a number
            0xa3, 0x06, 0x08, 1, 0xa4, 0x06, // group 100 { 1: 1 }
            0x0a, 1, b'n', // name
        ];
        let expected = [
            0x0a, 1, b'n', 0xa0, 0x06, 1, 0x08, 5, 0xa3, 0x06, 0x08, 1, 0xa4, 0x06,
        ];
        assert_eq!(cpp(&bytes, NODE), expected);
    }

    #[test]
    fn strings_are_checked_where_they_are_checked_in_cpp() {
        let error = encode(&[0x12, 0, 0x0a, 1, 0xff], NODE, MapOrder::Cpp).unwrap_err();
        assert_eq!(error.offset(), Some(2));
        assert!(error.to_string().contains("`name`"), "{error}");
        assert_eq!(cpp(&[0x12, 1, 0xff], VALUE), [0x12, 1, 0xff], "bytes");
        let debug = "tensorflow.GraphDebugInfo";
        assert_eq!(cpp(&[0x0a, 1, 0xff], debug), [0x0a, 1, 0xff], "proto2");
    }

    #[test]
    fn depth_has_its_limit() {
        // StructuredValue.list_value.values, each a message.
        let nested = |depth: usize| {
            (0..depth).fold(Vec::new(), |inner, level| {
                let mut outer = Vec::new();
                rope::write_header(
                    &mut outer,
                    if level % 2 == 0 { 1 } else { 51 },
                    inner.len() as u64,
                );
                [outer, inner].concat()
            })
        };
        let value = "tensorflow.StructuredValue";
        assert!(encode(&nested(100), value, MapOrder::Cpp).is_ok());
        let error = encode(&nested(102), value, MapOrder::Cpp).unwrap_err();
        assert!(error.to_string().contains("nest too deep"), "{error}");
    }

    #[test]
    fn a_large_value_is_not_copied() {
        let mut bytes = vec![0x12, 1, b'B'];
        let input = vec![b'x'; 1000];
        rope::write_header(&mut bytes, 3, 1000);
        bytes.extend(&input);
        bytes.extend([0x0a, 1, b'n']);
        let encoded = Canonical::new(&bytes, NODE, MapOrder::Cpp).unwrap();
        let range = bytes.as_ptr_range();
        let large = encoded.pieces().find(|piece| piece.len() >= 1000).unwrap();
        assert!(range.contains(&large.as_ptr()));
        let mut out = Vec::new();
        encoded.write_to(&mut out).unwrap();
        assert_eq!(out, encoded.to_vec());
    }
}
