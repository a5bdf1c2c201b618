//! Messages as TensorFlow's own programs write them, made from any encoding of them.

mod encode;
mod entries;
mod field;
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
