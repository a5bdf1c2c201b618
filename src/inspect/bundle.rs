use std::collections::BTreeMap;

use super::oddity::{Oddity, OddityCode, counted};
use super::type_text::TypeText;
use crate::bundle::{BundleReader, Key};
use crate::error::{Error, Result};
use crate::object_graph::CheckpointGraph;
use crate::tensor::DType;

/// The tensors of a bundle in numbers. The checkpoint's description of its objects, which is stored
/// like a tensor, is not counted.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BundleReport {
    /// The index file, as errors show it.
    pub index: String,
    /// How many data files there are.
    pub shards: u32,
    /// How many tensors there are.
    pub tensors: u64,
    /// How many elements they have together.
    pub elements: u64,
    /// How many bytes they take.
    pub bytes: u64,
    /// The same for each dtype, that of the most bytes first.
    pub dtypes: Vec<DTypeReport>,
    /// The tensors of the most bytes, at most five.
    pub largest: Vec<StoredTensor>,
    /// Why not all tensors are counted: damage that ended the walk through the index.
    pub error: Option<String>,
}

/// The tensors of one dtype.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DTypeReport {
    /// The element type.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "super::type_text::serialize_dtype")
    )]
    pub dtype: DType,
    /// How many tensors there are.
    pub tensors: u64,
    /// How many elements they have together.
    pub elements: u64,
    /// How many bytes they take.
    pub bytes: u64,
}

/// A tensor of a bundle by name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct StoredTensor {
    /// The name; escaped if it is not UTF-8.
    pub key: String,
    /// The element type.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "super::type_text::serialize_dtype")
    )]
    pub dtype: DType,
    /// The dimensions.
    pub shape: Vec<u64>,
    /// The bytes that it takes.
    pub bytes: u64,
}

impl StoredTensor {
    /// Returns the type in readable form: `float32[3, 3, 64]`.
    pub fn type_text(&self) -> String {
        let dims: Vec<Option<i64>> = self
            .shape
            .iter()
            .map(|dim| i64::try_from(*dim).ok())
            .collect();
        TypeText(self.dtype, Some(&dims)).to_string()
    }
}

/// What a walk through an index keeps of each tensor.
pub(super) struct Stored {
    pub(super) key: Key,
    pub(super) dtype: DType,
    pub(super) elements: u64,
    pub(super) bytes: u64,
    /// Of one that is not partitioned.
    pub(super) crc32c: Option<u32>,
    shape: Vec<u64>,
}

/// All tensors of a bundle, ascending by key, and why there are no more.
pub(super) struct Contents {
    pub(super) tensors: Vec<Stored>,
    pub(super) error: Option<Error>,
}

impl Contents {
    /// Walks through the index; no data file is read.
    pub(super) fn read(bundle: &BundleReader) -> Contents {
        let mut tensors = Vec::new();
        let mut error = None;
        for item in bundle.entries() {
            let (key, entry) = match item {
                Ok(item) => item,
                Err(fault) => {
                    // One entry that cannot be decoded does not end the walk.
                    error.get_or_insert(fault);
                    continue;
                }
            };
            if key.as_bytes() == CheckpointGraph::KEY.as_bytes() {
                continue;
            }
            let bytes = match entry.is_partitioned() {
                false => u64::try_from(entry.size()).unwrap_or(0),
                true => bundle.pieces(&key, &entry).map_or(0, |pieces| {
                    let sizes = pieces
                        .iter()
                        .map(|piece| u64::try_from(piece.size()).unwrap_or(0));
                    sizes.fold(0, u64::saturating_add)
                }),
            };
            tensors.push(Stored {
                dtype: entry.dtype(),
                elements: entry.shape().elements(),
                bytes,
                crc32c: (!entry.is_partitioned()).then(|| entry.crc32c()),
                shape: entry.shape().dims().to_vec(),
                key,
            });
        }
        Contents { tensors, error }
    }

    /// Finds a tensor by its key.
    pub(super) fn get(&self, key: &[u8]) -> Option<&Stored> {
        let place = self
            .tensors
            .binary_search_by(|stored| stored.key.as_bytes().cmp(key));
        self.tensors.get(place.ok()?)
    }

    pub(super) fn report(&self, bundle: &BundleReader) -> BundleReport {
        let mut dtypes = BTreeMap::<i32, DTypeReport>::new();
        for tensor in &self.tensors {
            let of = dtypes
                .entry(tensor.dtype.number())
                .or_insert_with(|| DTypeReport {
                    dtype: tensor.dtype,
                    tensors: 0,
                    elements: 0,
                    bytes: 0,
                });
            of.tensors += 1;
            of.elements = of.elements.saturating_add(tensor.elements);
            of.bytes = of.bytes.saturating_add(tensor.bytes);
        }
        let mut dtypes: Vec<DTypeReport> = dtypes.into_values().collect();
        dtypes.sort_by_key(|of| std::cmp::Reverse(of.bytes));
        let mut by_size: Vec<&Stored> = self.tensors.iter().collect();
        by_size.sort_by_key(|tensor| std::cmp::Reverse(tensor.bytes));
        let sum = |of: fn(&Stored) -> u64| self.tensors.iter().map(of).fold(0, u64::saturating_add);
        BundleReport {
            index: bundle.index_path().to_string_lossy().into_owned(),
            shards: bundle.num_shards(),
            tensors: self.tensors.len() as u64,
            elements: sum(|tensor| tensor.elements),
            bytes: sum(|tensor| tensor.bytes),
            dtypes,
            largest: by_size
                .iter()
                .take(MAX_LARGEST)
                .map(|tensor| StoredTensor {
                    key: tensor.key.to_string(),
                    dtype: tensor.dtype,
                    shape: tensor.shape.clone(),
                    bytes: tensor.bytes,
                })
                .collect(),
            error: self.error.as_ref().map(Error::to_string),
        }
    }

    /// Looks for what keeps the tensors from being read: damage of the index, shards that are not
    /// among the `names` of the directory.
    pub(super) fn oddities(&self, bundle: &BundleReader, names: &[String]) -> Vec<Oddity> {
        let mut oddities = Vec::new();
        if let Some(error) = &self.error {
            oddities.push(Oddity::of_all(
                OddityCode::VariablesUnreadable,
                format!("the index of the variables is damaged: {error}"),
                "copy the files again from their source; `savedmodel variables PATH --verify` tells more",
            ));
        }
        let index = bundle
            .index_path()
            .file_name()
            .and_then(|name| name.to_str());
        let Some(prefix) = index.and_then(|name| name.strip_suffix(".index")) else {
            return oddities;
        };
        let shards = bundle.num_shards();
        let there: std::collections::BTreeSet<&str> = names.iter().map(String::as_str).collect();
        // A header may claim any number.
        let missing: Vec<String> = (0..shards.min(MAX_SHARDS))
            .map(|shard| format!("{prefix}.data-{shard:05}-of-{shards:05}"))
            .filter(|name| !there.contains(name.as_str()))
            .collect();
        if !missing.is_empty() && !self.tensors.is_empty() {
            oddities.push(Oddity::about(
                OddityCode::ShardsMissing,
                missing,
                |count| {
                    format!(
                        "{} of {shards} with the variables' values {} not there",
                        counted(count, "data file"),
                        if count == 1 { "is" } else { "are" }
                    )
                },
                "copy them from where the model was saved",
            ));
        }
        oddities
    }
}

const MAX_LARGEST: usize = 5;
const MAX_SHARDS: u32 = 100_000;

/// Returns whether there is a description of objects in a bundle.
pub(super) fn is_object_based(bundle: &BundleReader) -> Result<bool> {
    bundle.contains(CheckpointGraph::KEY)
}
