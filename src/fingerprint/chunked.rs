//! The hashes of a model that is split into chunks, which are others than those of the same model in
//! one piece.

use super::farmhash::{Fingerprint64, fingerprint_cat64, fingerprint64};
use super::hashes::{ModelHashes, canonical_hash, first};
use super::{field, no_fingerprint, parts};
use crate::chunked::{ChunkedField, ChunkedMessage, ChunkedProto, FieldIndex};
use crate::error::{Error, ErrorKind, Result};
use crate::wire::canonical::{Encoder, MapOrder, Space};

/// A path in the first meta graph, of which one hash is.
fn path(number: u32) -> [FieldIndex; 3] {
    [
        FieldIndex::Field(field::META_GRAPHS),
        FieldIndex::Index(0),
        FieldIndex::Field(number),
    ]
}

impl ModelHashes {
    /// Hashes the chunks below each part as they are stored, and what is left of the part merged
    /// and in order. Nothing is regularized.
    ///
    /// READ in `tensorflow/cc/saved_model/fingerprinting_utils.cc`.
    pub(super) fn of_chunked(file: &ChunkedProto) -> Result<Self> {
        let root = &file.metadata().message;
        let [graph, signatures, objects] = [
            path(field::GRAPH_DEF),
            path(field::SIGNATURE_DEF),
            path(field::OBJECT_GRAPH_DEF),
        ];
        let saved_model_checksum =
            fingerprint_cat64(hash_fields(file, root, &[])?, fingerprint64(b""));

        let mut left = LARGEST_TREE;
        let pruned = pruned(root, &[&graph, &signatures, &objects], &mut left)?;
        let merged = file.merge_message(&pruned, "tensorflow.SavedModel")?;
        let space = Space::new(&merged, &[])?;
        let mut encoder = Encoder::new(space, MapOrder::Cpp);
        let Some(meta_graph) = first(space, space.input(), field::META_GRAPHS)? else {
            return Err(no_fingerprint("the model has no meta graph"));
        };
        let part = parts::messages(space, &[meta_graph], field::GRAPH_DEF)?;
        let own = canonical_hash(&mut encoder, &part, "tensorflow.GraphDef")?;
        let graph_def_program_hash = fingerprint_cat64(own, hash_fields(file, root, &graph)?);

        let below = hash_fields(file, root, &signatures)?;
        let mut signature_def_hash = 0;
        for (key, signature) in parts::map(space, &[meta_graph], field::SIGNATURE_DEF)? {
            let own = canonical_hash(&mut encoder, &signature, "tensorflow.SignatureDef")?;
            let entry = fingerprint_cat64(fingerprint64(key), own);
            signature_def_hash = fingerprint_cat64(signature_def_hash, entry);
            signature_def_hash = fingerprint_cat64(signature_def_hash, below);
        }

        let part = parts::messages(space, &[meta_graph], field::OBJECT_GRAPH_DEF)?;
        let own = canonical_hash(&mut encoder, &part, "tensorflow.SavedObjectGraph")?;
        Ok(ModelHashes {
            saved_model_checksum,
            graph_def_checksum: None,
            graph_def_program_hash,
            signature_def_hash,
            nameless_signature_def_hash: signature_def_hash,
            saved_object_graph_hash: fingerprint_cat64(own, hash_fields(file, root, &objects)?),
            object_graph_is_certain: true,
        })
    }
}

/// Joins the hashes of the chunks at a path and below it, in the order in which they are stored.
fn hash_fields(
    file: &ChunkedProto,
    message: &ChunkedMessage,
    target: &[FieldIndex],
) -> Result<u64> {
    let mut hash = 0;
    for ChunkedField { field_tag, message } in &message.chunked_fields {
        let shared = shared_len(field_tag, target);
        if shared == target.len() {
            let below = match message.chunk_index {
                Some(index) => {
                    let mut hasher = Fingerprint64::new();
                    hasher.update(&file.chunk(index)?);
                    hasher.finish()
                }
                None => hash_fields(file, message, target)?,
            };
            hash = fingerprint_cat64(hash, below);
        } else if shared == field_tag.len() {
            if message.chunk_index.is_some() {
                hash = fingerprint_cat64(hash, hash_fields(file, message, target)?);
            } else {
                for inner in &message.chunked_fields {
                    hash = fingerprint_cat64(hash, hash_fields(file, &inner.message, target)?);
                }
            }
        }
    }
    Ok(hash)
}

/// How many parts are merged at most. A part with an empty path counts once for each target, at
/// every depth.
const LARGEST_TREE: usize = 100_000;

/// Leaves the parts that lead to a target or are one, once for each.
fn pruned(
    message: &ChunkedMessage,
    targets: &[&[FieldIndex]],
    left: &mut usize,
) -> Result<ChunkedMessage> {
    let mut kept = ChunkedMessage {
        chunk_index: message.chunk_index,
        chunked_fields: Vec::new(),
    };
    for inner in &message.chunked_fields {
        for target in targets {
            if shared_len(&inner.field_tag, target) != inner.field_tag.len() {
                continue;
            }
            *left = left.checked_sub(1).ok_or_else(|| {
                Error::new(ErrorKind::TooLarge {
                    what: "number of parts that are merged for a fingerprint".to_owned(),
                    size: LARGEST_TREE as u64 + 1,
                    limit: LARGEST_TREE as u64,
                })
            })?;
            kept.chunked_fields.push(ChunkedField {
                field_tag: inner.field_tag.clone(),
                message: pruned(&inner.message, targets, left)?,
            });
        }
    }
    Ok(kept)
}

fn shared_len(a: &[FieldIndex], b: &[FieldIndex]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
