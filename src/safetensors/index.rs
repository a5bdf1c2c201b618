use std::collections::BTreeMap;

use super::header::{Texts, offset, quoted};
use crate::error::{Error, ErrorKind, Result};

/// What the name of an index ends in.
pub(super) const SUFFIX: &str = ".index.json";
/// An index has no more to say than the headers of its files, of which each has this limit.
const MAX_INDEX: u64 = 100_000_000;

/// Which tensor is in which file.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The name of a tensor → that of a file beside the index.
    pub(super) weight_map: BTreeMap<String, String>,
    /// The bytes of all tensors.
    pub(super) total_size: u64,
}

impl Index {
    /// Reads an index. What it says beside the weight map is not looked at: writers disagree on
    /// whether the total size counts a tensor with two names twice.
    pub(super) fn parse(text: &[u8]) -> Result<Index> {
        if text.len() as u64 > MAX_INDEX {
            return Err(Error::new(ErrorKind::TooLarge {
                what: "the index of safetensors files".to_owned(),
                size: text.len() as u64,
                limit: MAX_INDEX,
            }));
        }
        let text = std::str::from_utf8(text).map_err(|error| {
            Error::malformed("the index is not UTF-8").at(error.valid_up_to() as u64)
        })?;
        let parts: Parts = serde_json::from_str(text).map_err(|error| {
            let place = offset(text, error.line(), error.column());
            Error::malformed(format!("the index cannot be read: {error}")).at(place as u64)
        })?;
        Ok(Index {
            weight_map: parts.0.0,
            total_size: 0,
        })
    }

    /// Returns the text, as Python's `huggingface_hub` writes it.
    pub(super) fn encode(&self) -> String {
        let mut text = format!(
            "{{\n  \"metadata\": {{\n    \"total_size\": {}\n  }},\n  \"weight_map\": {{",
            self.total_size
        );
        for (number, (name, file)) in self.weight_map.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            text += &format!("{comma}\n    {}: {}", quoted(name), quoted(file));
        }
        text += if self.weight_map.is_empty() {
            "}\n}\n"
        } else {
            "\n  }\n}\n"
        };
        text
    }
}

/// The members of an index.
struct Parts(Texts);

impl<'de> serde::Deserialize<'de> for Parts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> serde::de::Visitor<'de> for Members {
            type Value = Parts;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object with a `weight_map`")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Parts, A::Error> {
                let mut weight_map = None;
                while let Some(member) = map.next_key::<String>()? {
                    match &*member {
                        "weight_map" if weight_map.is_some() => {
                            return Err(serde::de::Error::duplicate_field("weight_map"));
                        }
                        "weight_map" => weight_map = Some(map.next_value::<Texts>()?),
                        _ => {
                            map.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                let missing = || serde::de::Error::missing_field("weight_map");
                weight_map.map(Parts).ok_or_else(missing)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_comes_back() {
        let index = Index {
            weight_map: [("b", "x-1"), ("a\"", "x-2")]
                .map(|(name, file)| (name.to_owned(), file.to_owned()))
                .into(),
            total_size: 7,
        };
        let text = index.encode();
        assert_eq!(
            text,
            "{\n  \"metadata\": {\n    \"total_size\": 7\n  },\n  \"weight_map\": {\n    \"a\\\"\": \"x-2\",\n    \"b\": \"x-1\"\n  }\n}\n"
        );
        assert_eq!(
            Index::parse(text.as_bytes()).unwrap().weight_map,
            index.weight_map
        );
        let empty = Index::default().encode();
        assert!(
            Index::parse(empty.as_bytes())
                .unwrap()
                .weight_map
                .is_empty()
        );
    }

    #[test]
    fn what_is_no_index_is_placed() {
        for (text, message) in [
            ("{}", "missing field `weight_map`"),
            ("[", "an object with a `weight_map`"),
            ("{\"weight_map\": {\"a\": 1}}", "a string"),
            ("{\"weight_map\": {}, \"weight_map\": {}}", "duplicate"),
            (
                "{\"weight_map\": {\"a\": \"x\", \"a\": \"y\"}}",
                "`a` stands there twice",
            ),
        ] {
            let error = Index::parse(text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
            assert!(error.offset().is_some_and(|at| at <= text.len() as u64));
        }
        assert_eq!(Index::parse(b"{\xff").unwrap_err().offset(), Some(1));
    }
}
