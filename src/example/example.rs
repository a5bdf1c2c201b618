use std::collections::BTreeMap;

use prost::Message;

use super::Feature;
use crate::error::{Error, Result};
use crate::proto;
use crate::proto::feature_lists::FeatureListEntry;
use crate::proto::features::FeatureEntry;

/// Named features: TensorFlow's `Example` (`tensorflow/core/example/example.proto`).
///
/// Features are kept and written sorted by name, so equal examples have equal bytes: those of
/// `SerializeToStringDeterministic` (`tensorflow/core/lib/strings/proto_serialization.cc`). Python's
/// `SerializeToString(deterministic=True)` may differ in one way: where a name is the beginning of
/// another, today's implementation puts the longer one first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Example {
    features: BTreeMap<String, Feature>,
}

impl Example {
    /// Makes an example without features.
    pub fn new() -> Self {
        Example::default()
    }

    /// Reads a serialized `Example`. Of features of one name the last counts.
    ///
    /// # Errors
    ///
    /// `Malformed` if the bytes are no such message.
    pub fn from_bytes(bytes: &[u8]) -> Result<Example> {
        let example = proto::Example::decode(bytes).map_err(|error| fault("Example", &error))?;
        Ok(Example {
            features: features_from_proto(example.features),
        })
    }

    /// Serializes it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let features = features_to_proto(&self.features);
        proto::Example { features }.encode_to_vec()
    }

    /// Puts a feature in, in place of one of the same name.
    pub fn insert(&mut self, name: impl Into<String>, feature: impl Into<Feature>) {
        self.features.insert(name.into(), feature.into());
    }

    /// Puts a feature in and returns the example, for building one in a row.
    pub fn with(mut self, name: impl Into<String>, feature: impl Into<Feature>) -> Self {
        self.insert(name, feature);
        self
    }

    /// Takes a feature out.
    pub fn remove(&mut self, name: &str) -> Option<Feature> {
        self.features.remove(name)
    }

    /// Returns the feature of that name.
    pub fn feature(&self, name: &str) -> Option<&Feature> {
        self.features.get(name)
    }

    /// Returns all features, sorted by name.
    pub fn features(&self) -> impl ExactSizeIterator<Item = (&str, &Feature)> {
        self.features
            .iter()
            .map(|(name, feature)| (name.as_str(), feature))
    }
}

/// A context of named features and named lists of features, one per step: TensorFlow's
/// `SequenceExample` (`tensorflow/core/example/example.proto`).
///
/// ```
/// use savedmodel::example::{Feature, SequenceExample};
///
/// let mut example = SequenceExample::default();
/// example.context.insert("id".into(), [7i64].into());
/// example.feature_lists.insert("words".into(), vec![["to"].into(), ["be"].into()]);
/// assert_eq!(SequenceExample::from_bytes(&example.to_bytes())?, example);
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SequenceExample {
    /// Features of the whole.
    pub context: BTreeMap<String, Feature>,
    /// Features step by step.
    pub feature_lists: BTreeMap<String, Vec<Feature>>,
}

impl SequenceExample {
    /// Reads a serialized `SequenceExample`. Of features of one name the last counts.
    ///
    /// # Errors
    ///
    /// `Malformed` if the bytes are no such message.
    pub fn from_bytes(bytes: &[u8]) -> Result<SequenceExample> {
        let example = proto::SequenceExample::decode(bytes)
            .map_err(|error| fault("SequenceExample", &error))?;
        let lists = example.feature_lists.unwrap_or_default().feature_list;
        let feature_lists = lists.into_iter().map(|entry| {
            let steps = entry.value.unwrap_or_default().feature;
            let steps = steps.into_iter().map(Feature::from_proto).collect();
            (entry.key.unwrap_or_default(), steps)
        });
        Ok(SequenceExample {
            context: features_from_proto(example.context),
            feature_lists: feature_lists.collect(),
        })
    }

    /// Serializes it, everything sorted by name.
    pub fn to_bytes(&self) -> Vec<u8> {
        let entries = self.feature_lists.iter().map(|(name, steps)| {
            let feature = steps.iter().map(Feature::to_proto).collect();
            FeatureListEntry {
                key: Some(name.clone()),
                value: Some(proto::FeatureList { feature }),
            }
        });
        let feature_list: Vec<_> = entries.collect();
        let lists = (!feature_list.is_empty()).then_some(proto::FeatureLists { feature_list });
        proto::SequenceExample {
            context: features_to_proto(&self.context),
            feature_lists: lists,
        }
        .encode_to_vec()
    }
}

fn features_from_proto(features: Option<proto::Features>) -> BTreeMap<String, Feature> {
    let entries = features.unwrap_or_default().feature.into_iter();
    entries
        .map(|entry| {
            let feature = Feature::from_proto(entry.value.unwrap_or_default());
            (entry.key.unwrap_or_default(), feature)
        })
        .collect()
}

fn features_to_proto(features: &BTreeMap<String, Feature>) -> Option<proto::Features> {
    let entries = features.iter().map(|(name, feature)| FeatureEntry {
        key: Some(name.clone()),
        value: Some(feature.to_proto()),
    });
    let feature: Vec<_> = entries.collect();
    (!feature.is_empty()).then_some(proto::Features { feature })
}

fn fault(message: &str, error: &prost::DecodeError) -> Error {
    Error::malformed(format!("not a serialized {message}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_byte_by_byte() {
        let bytes = [
            0x0a, 0x1c, // features, 28 bytes
            0x0a, 0x0c, // feature, 12 bytes
            0x0a, 0x01, b'a', // key "a"
            0x12, 0x07, // value, 7 bytes
            0x1a, 0x05, // int64_list, 5 bytes
            0x0a, 0x03, 0x01, 0xac, 0x02, // value, packed: 1, 300
            0x0a, 0x0c, // feature, 12 bytes
            0x0a, 0x01, b'b', // key "b"
            0x12, 0x07, // value, 7 bytes
            0x0a, 0x05, // bytes_list, 5 bytes
            0x0a, 0x01, b'x', // value "x"
            0x0a, 0x00, // value ""
        ];
        let example = Example::new().with("b", ["x", ""]).with("a", [1i64, 300]);
        assert_eq!(example.to_bytes(), bytes);
        assert_eq!(Example::from_bytes(&bytes).unwrap(), example);
    }

    #[test]
    fn absent_parts_count_as_empty_and_the_last_name_counts() {
        assert_eq!(Example::from_bytes(&[]).unwrap(), Example::new());
        assert!(Example::new().to_bytes().is_empty());
        let bytes = [
            0x0a, 0x0a, // features, 10 bytes
            0x0a, 0x06, // feature, 6 bytes
            0x12, 0x04, // value, 4 bytes; no key
            0x1a, 0x02, // int64_list, 2 bytes
            0x08, 0x05, // value, not packed: 5
            0x0a, 0x00, // feature without key and value
        ];
        let example = Example::from_bytes(&bytes).unwrap();
        assert_eq!(example.feature(""), Some(&Feature::Unset));
        assert_eq!(
            Example::from_bytes(&bytes[..8])
                .unwrap_err()
                .to_string()
                .split(':')
                .next(),
            Some("not a serialized Example")
        );
    }
}
