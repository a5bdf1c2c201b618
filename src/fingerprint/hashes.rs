//! The hashes of a model that is one message.

use std::collections::BTreeMap;

use super::farmhash::{Fingerprint64, fingerprint_cat64, fingerprint64};
use super::program::Regularized;
use super::uid::{suffix_uid, without_uid};
use super::{field, no_fingerprint, parts};
use crate::error::{Error, Result};
use crate::wire::canonical::{Cursor, Encoder, MapOrder, Space, Span};
use crate::wire::descriptor::Message;

/// The hashes of an encoded `SavedModel`, by all rules there have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ModelHashes {
    pub(super) saved_model_checksum: u64,
    /// What TensorFlow 2.11 has in place of the first; only if asked for.
    pub(super) graph_def_checksum: Option<u64>,
    pub(super) graph_def_program_hash: u64,
    pub(super) signature_def_hash: u64,
    /// The same without the names of signatures, as before TensorFlow 2.14.
    pub(super) nameless_signature_def_hash: u64,
    pub(super) saved_object_graph_hash: u64,
    /// Whether TensorFlow gives that hash, or one of several at random.
    pub(super) object_graph_is_certain: bool,
}

impl ModelHashes {
    /// READ in `tensorflow/cc/saved_model/fingerprinting.cc`.
    pub(super) fn new(model: &[u8], wants_graph_def_checksum: bool) -> Result<Self> {
        let space = Space::new(model, &[])?;
        let mut encoder = Encoder::new(space, MapOrder::Cpp);
        // First, for it proves that the whole message is sound.
        let saved_model_checksum =
            canonical_hash(&mut encoder, &[space.input()], "tensorflow.SavedModel")?;
        let Some(meta_graph) = first(space, space.input(), field::META_GRAPHS)? else {
            return Err(no_fingerprint("the model has no meta graph"));
        };
        let graph = parts::messages(space, &[meta_graph], field::GRAPH_DEF)?;
        let graph_def_checksum = match wants_graph_def_checksum {
            true => Some(canonical_hash(&mut encoder, &graph, "tensorflow.GraphDef")?),
            false => None,
        };
        let graph_def_program_hash = program_hash(model, space, &graph)?;

        let signatures = parts::map(space, &[meta_graph], field::SIGNATURE_DEF)?;
        let (mut named, mut nameless) = (0, 0);
        for (key, signature) in &signatures {
            let hash = canonical_hash(&mut encoder, signature, "tensorflow.SignatureDef")?;
            named = fingerprint_cat64(named, fingerprint64(key));
            named = fingerprint_cat64(named, hash);
            nameless = fingerprint_cat64(nameless, hash);
        }

        let objects = parts::messages(space, &[meta_graph], field::OBJECT_GRAPH_DEF)?;
        let functions = ConcreteFunctions::new(space, &objects)?;
        Ok(ModelHashes {
            saved_model_checksum,
            graph_def_checksum,
            graph_def_program_hash,
            signature_def_hash: named,
            nameless_signature_def_hash: nameless,
            saved_object_graph_hash: functions.hash(&mut encoder)?,
            object_graph_is_certain: !functions.has_twins,
        })
    }
}

fn program_hash(model: &[u8], space: Space<'_>, graph: &[Span]) -> Result<u64> {
    let Regularized { added, parts } = Regularized::new(space, graph)?;
    let mut encoder = Encoder::new(Space::new(model, &added)?, MapOrder::Cpp);
    canonical_hash(&mut encoder, &parts, "tensorflow.GraphDef")
}

/// The functions of an object graph, ascending by the numbers in their names.
struct ConcreteFunctions<'a> {
    by_uid: BTreeMap<i64, (&'a [u8], Vec<Span>)>,
    /// Whether several have one number, of which TensorFlow keeps any.
    has_twins: bool,
}

impl<'a> ConcreteFunctions<'a> {
    fn new(space: Space<'a>, objects: &[Span]) -> Result<Self> {
        let mut functions = ConcreteFunctions {
            by_uid: BTreeMap::new(),
            has_twins: false,
        };
        for (name, function) in parts::map(space, objects, field::CONCRETE_FUNCTIONS)? {
            let Some(uid) = suffix_uid(name) else {
                let error = no_fingerprint("the function's name does not end in `_` and a number");
                return Err(error.for_key(name));
            };
            // Names come ascending, so that the smallest stays.
            match functions.by_uid.contains_key(&uid) {
                true => functions.has_twins = true,
                false => {
                    functions.by_uid.insert(uid, (name, function));
                }
            }
        }
        Ok(functions)
    }

    fn hash(&self, encoder: &mut Encoder<'_>) -> Result<u64> {
        let mut hash = 0;
        for (&uid, (name, function)) in &self.by_uid {
            let content = canonical_hash(encoder, function, "tensorflow.SavedConcreteFunction")?;
            hash = fingerprint_cat64(hash, fingerprint64(without_uid(name, uid)));
            hash = fingerprint_cat64(hash, content);
        }
        Ok(hash)
    }
}

/// Hashes the message that its parts merged are, in the form that C++ gives it.
pub(super) fn canonical_hash(
    encoder: &mut Encoder<'_>,
    parts: &[Span],
    message: &str,
) -> Result<u64> {
    let message = Message::named(message)
        .ok_or_else(|| Error::invalid_argument(format!("the schema has no message `{message}`")))?;
    encoder.encode(parts, message)?;
    let mut hasher = Fingerprint64::new();
    encoder.pieces().for_each(|piece| hasher.update(piece));
    Ok(hasher.finish())
}

pub(super) fn first(space: Space<'_>, parent: Span, number: u32) -> Result<Option<Span>> {
    let mut fields = Cursor::new(space, parent, 0);
    while let Some(field) = fields.next()? {
        if field.number == number
            && let Some(body) = field.length_delimited()
        {
            return Ok(Some(body));
        }
    }
    Ok(None)
}
