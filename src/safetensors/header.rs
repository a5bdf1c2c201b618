use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::element_type::ElementType;
use crate::error::{Error, ErrorKind, Printable, Result};
use crate::store::Blob;
use crate::tensor::Shape;

/// The length of the header's length.
pub(super) const PREFIX: u64 = 8;
/// What the reference implementation accepts, and we.
const MAX_HEADER: u64 = 100_000_000;
/// The name that is no tensor's.
pub(super) const METADATA: &str = "__metadata__";

/// What stands before the data.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) metadata: BTreeMap<String, String>,
    /// In the order of the data.
    pub(super) tensors: Vec<Stored>,
}

/// A tensor, as the header has it.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) element_type: String,
    pub(super) shape: Shape,
    /// Its bytes, counted from the start of the data.
    pub(super) range: Range<u64>,
}

impl Header {
    /// Reads the header of a file and proves that the tensors are the data: one behind the other,
    /// without a gap, each as long as its type and shape say, the last up to the end. Returns it
    /// with where the data begins.
    ///
    /// # Errors
    ///
    /// `Malformed` if it contradicts the format or itself; `TooLarge` beyond 100 MB.
    pub(super) fn read(blob: &Blob) -> Result<(Header, u64)> {
        let mut length = [0; PREFIX as usize];
        blob.read_into(0, &mut length)?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER {
            return Err(Error::new(ErrorKind::TooLarge {
                what: "the header of a safetensors file, unless this is none,".to_owned(),
                size: length,
                limit: MAX_HEADER,
            })
            .at(0));
        }
        let text = blob.read(PREFIX, length)?;
        let text = std::str::from_utf8(&text).map_err(|error| {
            Error::malformed("the header is not UTF-8").at(PREFIX + error.valid_up_to() as u64)
        })?;
        let mut header: Header = serde_json::from_str(text).map_err(|error| {
            let place = offset(text, error.line(), error.column());
            Error::malformed(format!("the header cannot be read: {error}"))
                .at(PREFIX + place as u64)
        })?;
        header
            .tensors
            .sort_by_key(|tensor| (tensor.range.start, tensor.range.end));
        let start = PREFIX + length;
        header.check(blob.len() - start)?;
        Ok((header, start))
    }

    fn check(&self, data: u64) -> Result<()> {
        let mut end = 0;
        for tensor in &self.tensors {
            tensor
                .check(end)
                .map_err(|error| error.at(PREFIX).for_key(tensor.name.as_bytes()))?;
            end = tensor.range.end;
        }
        match end == data {
            true => Ok(()),
            false => Err(Error::malformed(format!(
                "the tensors have {end} bytes, and {data} are behind the header"
            ))
            .at(PREFIX)
            .remedy("the file is cut short or was added to: copy it again from its source")),
        }
    }

    /// Returns everything before the data, as the reference implementation writes it.
    ///
    /// # Errors
    ///
    /// `TooLarge` beyond 100 MB, where no reader would take it.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let mut text = String::from("{");
        if !self.metadata.is_empty() {
            text += &format!("\"{METADATA}\":{{");
            for (index, (key, value)) in self.metadata.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                text += &format!("{comma}{}:{}", quoted(key), quoted(value));
            }
            text += "}";
        }
        for tensor in &self.tensors {
            let comma = if text.len() > 1 { "," } else { "" };
            let dims: Vec<String> = tensor.shape.dims().iter().map(u64::to_string).collect();
            text += &format!(
                "{comma}{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                quoted(&tensor.name),
                tensor.element_type,
                dims.join(","),
                tensor.range.start,
                tensor.range.end
            );
        }
        text += "}";
        let length = text.len().next_multiple_of(PREFIX as usize) as u64;
        if length > MAX_HEADER {
            return Err(Error::new(ErrorKind::TooLarge {
                what: "the header of a safetensors file".to_owned(),
                size: length,
                limit: MAX_HEADER,
            })
            .remedy("write several files: a smaller size limit for each"));
        }
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(text.as_bytes());
        bytes.resize((PREFIX + length) as usize, b' ');
        Ok(bytes)
    }
}

impl Stored {
    /// Proves that the tensor begins at `start` and has the length of its type and shape.
    fn check(&self, start: u64) -> Result<()> {
        let Range { start: from, end } = self.range;
        if from != start || end < from {
            return Err(Error::malformed(format!(
                "its data is from {from} to {end}, where it begins at {start} if data has neither gaps nor overlaps"
            )));
        }
        // Of types of next year we know no size.
        let Some(element) = ElementType::named(&self.element_type) else {
            return Ok(());
        };
        match element.byte_len(self.shape.elements()) {
            Some(length) if length == end - from => Ok(()),
            Some(length) => Err(Error::malformed(format!(
                "a tensor `{}` of shape {} has {length} bytes, and the header says {}",
                self.element_type,
                self.shape,
                end - from
            ))),
            None => Err(Error::malformed(format!(
                "a tensor `{}` of shape {} is no whole number of bytes",
                self.element_type, self.shape
            ))),
        }
    }
}

/// Shows text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Returns the place of a line's column, both counted from 1.
pub(super) fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    (before + column.saturating_sub(1)).min(text.len())
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;

        impl<'de> Visitor<'de> for Parts {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a member for each tensor")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut metadata: Option<Texts> = None;
                let mut tensors = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == METADATA {
                        refuse_second(&metadata, METADATA)?;
                        metadata = Some(map.next_value::<Option<Texts>>()?.unwrap_or_default());
                        continue;
                    }
                    let Facts {
                        element_type,
                        shape,
                        range,
                    } = map.next_value()?;
                    tensors.push(Stored {
                        name,
                        element_type,
                        shape,
                        range,
                    });
                }
                let mut names: Vec<&str> = tensors.iter().map(|tensor| &*tensor.name).collect();
                names.sort_unstable();
                if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                    return Err(twice(pair[0]));
                }
                Ok(Header {
                    metadata: metadata.unwrap_or_default().0,
                    tensors,
                })
            }
        }

        deserializer.deserialize_map(Parts)
    }
}

/// Texts under names, each name once.
#[derive(Default)]
pub(super) struct Texts(pub(super) BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object whose members are all strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
                let mut texts = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    if texts.contains_key(&key) {
                        return Err(twice(&key));
                    }
                    texts.insert(key, value);
                }
                Ok(Texts(texts))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

/// What stands under a tensor's name. Members that are not known say nothing of the bytes.
struct Facts {
    element_type: String,
    shape: Shape,
    range: Range<u64>,
}

impl<'de> Deserialize<'de> for Facts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Facts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with `dtype`, `shape` and `data_offsets`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Facts, A::Error> {
                let (mut element_type, mut dims, mut offsets) = (None, None, None);
                while let Some(member) = map.next_key::<String>()? {
                    match &*member {
                        "dtype" => {
                            refuse_second(&element_type, &member)?;
                            element_type = Some(map.next_value::<String>()?);
                        }
                        "shape" => {
                            refuse_second(&dims, &member)?;
                            dims = Some(map.next_value::<Vec<i64>>()?);
                        }
                        "data_offsets" => {
                            refuse_second(&offsets, &member)?;
                            offsets = Some(map.next_value::<[u64; 2]>()?);
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                let missing = de::Error::missing_field;
                let dims = dims.ok_or_else(|| missing("shape"))?;
                let [start, end] = offsets.ok_or_else(|| missing("data_offsets"))?;
                Ok(Facts {
                    element_type: element_type.ok_or_else(|| missing("dtype"))?,
                    shape: Shape::stored(&dims).map_err(de::Error::custom)?,
                    range: start..end,
                })
            }
        }

        deserializer.deserialize_map(Members)
    }
}

fn refuse_second<T, E: de::Error>(first: &Option<T>, name: &str) -> Result<(), E> {
    match first {
        None => Ok(()),
        Some(_) => Err(twice(name)),
    }
}

fn twice<E: de::Error>(name: &str) -> E {
    E::custom(format_args!("`{}` stands there twice", Printable(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str, data: usize) -> Blob {
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        Blob::from_bytes(bytes)
    }

    fn fault(text: &str, data: usize) -> String {
        Header::read(&file(text, data)).unwrap_err().to_string()
    }

    const TWO: &str = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a\"":{"dtype":"BOOL","shape":[],"data_offsets":[8,9]}}"#;

    #[test]
    fn a_header_is_written_as_it_was() {
        let (header, start) = Header::read(&file(TWO, 9)).unwrap();
        assert_eq!(start, 8 + TWO.len() as u64);
        assert_eq!(header.metadata["format"], "pt");
        let names: Vec<&str> = header.tensors.iter().map(|tensor| &*tensor.name).collect();
        assert_eq!(names, ["b", "a\""]);
        let bytes = header.encode().unwrap();
        assert_eq!(bytes.len() % 8, 0);
        assert_eq!(bytes[..8], (bytes.len() as u64 - 8).to_le_bytes());
        let text = std::str::from_utf8(&bytes[8..]).unwrap();
        assert_eq!(text.trim_end_matches(' '), TWO);
    }

    #[test]
    fn blanks_may_stand_around_it() {
        assert!(
            Header::read(&file("\t\n{}\r ", 0))
                .unwrap()
                .0
                .tensors
                .is_empty()
        );
        let text = "{\"__metadata__\": null,\n \"x\": {\"shape\": [2, 0], \"new\": [{}], \"dtype\": \"I32\", \"data_offsets\": [0, 0]}}";
        let (header, _) = Header::read(&file(text, 0)).unwrap();
        assert_eq!(header.tensors[0].shape.dims(), [2, 0]);
        assert_eq!(
            Header::default().encode().unwrap(),
            b"\x08\0\0\0\0\0\0\0{}      "
        );
    }

    fn with(dtype: &str, shape: &str, offsets: &str) -> String {
        format!(r#"{{"x":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    }

    #[test]
    fn tensors_are_all_of_the_data() {
        assert!(Header::read(&file(&with("I32", "[2,2]", "[0,16]"), 16)).is_ok());
        for (dtype, shape, offsets, data, message) in [
            ("I32", "[2,2]", "[0,16]", 17, "16 bytes, and 17"),
            ("I32", "[2,2]", "[0,16]", 15, "16 bytes, and 15"),
            (
                "I32",
                "[2,2]",
                "[0,4]",
                4,
                "has 16 bytes, and the header says 4",
            ),
            ("I32", "[2,2]", "[4,20]", 20, "begins at 0"),
            ("I32", "[2,2]", "[16,0]", 0, "begins at 0"),
            ("F4", "[3]", "[0,2]", 2, "no whole number of bytes"),
            ("I32", "[2,-1]", "[0,16]", 16, "negative"),
            ("I32", "[2,9223372036854775807]", "[0,16]", 16, "2^63"),
            (
                "U64",
                "[4611686018427387904]",
                "[0,16]",
                16,
                "no whole number",
            ),
        ] {
            let fault = fault(&with(dtype, shape, offsets), data);
            assert!(fault.contains(message), "{fault}");
        }
        let pair = r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}"#;
        assert!(fault(pair, 6).contains("key `b`"));
    }

    #[test]
    fn what_is_no_header_is_placed() {
        for (text, place, message) in [
            ("", 8, "EOF"),
            ("{", 8, "EOF"),
            ("[]", 8, "an object with a member for each tensor"),
            ("{\n\"x\": 1}", 15, "an object with `dtype`"),
            (
                "{\"x\":{\"dtype\":\"U8\",\"shape\":[]}}",
                37,
                "data_offsets",
            ),
            ("{\"__metadata__\":{\"a\":1}}", 29, "a string"),
            (
                "{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}",
                38,
                "`a` stands there twice",
            ),
            ("{} {}", 11, "trailing"),
        ] {
            let error = Header::read(&file(text, 0)).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
            assert_eq!(error.offset(), Some(place), "{error}");
        }
        let x = r#""x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"#;
        assert!(fault(&format!("{{{x},{x}}}"), 0).contains("`x` stands there twice"));
        assert!(fault("\u{0}", 0).contains("at byte 8"));
        assert!(fault(&"[".repeat(1000), 0).contains("cannot be read"));
    }

    #[test]
    fn a_file_is_at_least_as_long_as_its_header() {
        for bytes in [&b""[..], &[0; 7], &[1, 0, 0, 0, 0, 0, 0, 0]] {
            assert!(Header::read(&Blob::from_bytes(bytes.to_vec())).is_err());
        }
        let error = Header::read(&Blob::from_bytes(vec![0xff; 64])).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooLarge { .. }));
        let error = Header::read(&Blob::from_bytes(&b"\x01\0\0\0\0\0\0\0\xff"[..])).unwrap_err();
        assert_eq!(error.offset(), Some(8));
    }
}
