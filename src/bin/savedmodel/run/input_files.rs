//! Arrays in files, for `--inputs`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use savedmodel::numpy::{NpyReader, NpzReader, PickledValue};

use super::expression::{Array, Value};
use super::given::Given;
use crate::failure::Failure;

/// Reads the files of `KEY=FILE` or `KEY=FILE[NAME]`, semicolons between them, in the order in which
/// keys are first named; of equal keys the last counts.
pub(super) fn read(
    text: &str,
    warn: &mut impl FnMut(String),
) -> Result<Vec<(String, Given)>, Failure> {
    let mut places: Vec<Place<'_>> = Vec::new();
    for segment in text.split(';').filter(|segment| !segment.is_empty()) {
        let place = Place::parse(segment)?;
        match places.iter_mut().find(|known| known.key == place.key) {
            Some(known) => *known = place,
            None => places.push(place),
        }
    }
    let read = |place: &Place<'_>| Ok((place.key.to_owned(), place.read(warn)?));
    places.iter().map(read).collect()
}

/// Where the value of an input is.
#[derive(Debug, PartialEq)]
struct Place<'a> {
    key: &'a str,
    file: &'a str,
    /// One of several values in the file.
    name: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn parse(segment: &'a str) -> Result<Self, Failure> {
        let parse = || {
            let (key, place) = segment.split_once('=')?;
            let (file, name) = match place.strip_suffix(']') {
                Some(place) => {
                    let (file, name) = place.split_once('[')?;
                    (file, Some(name))
                }
                None => (place, None),
            };
            let has_brackets = |text: &str| text.contains(['[', ']']);
            let is_sound = !key.is_empty()
                && !file.is_empty()
                && !has_brackets(file)
                && !name.is_some_and(|name| name.is_empty() || has_brackets(name));
            is_sound.then_some(Place { key, file, name })
        };
        parse().ok_or_else(|| {
            Failure::Usage(
                format!(
                    "--inputs \"{segment}\" format is incorrect. Please follow\"<input_key>=\
                     <filename>\", or\"<input_key>=<filename>[<variable_name>]\""
                )
                .into(),
            )
        })
    }

    /// Reads the value; what the file is, its first bytes say.
    fn read(&self, warn: &mut impl FnMut(String)) -> Result<Given, Failure> {
        let path = Path::new(self.file);
        let first = first_bytes(path).map_err(|error| self.unreadable(&error))?;
        match first {
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => {
                if let Some(name) = self.name {
                    warn(self.name_ignored(name));
                }
                array(NpyReader::open(path)?)
            }
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => {
                let archive = NpzReader::open(path)?;
                array(archive.array(self.member(&archive)?)?)
            }
            _ => self.unpickle(path, warn),
        }
    }

    /// Returns the name of the array that is meant.
    fn member<'n>(&'n self, archive: &'n NpzReader) -> Result<&'n str, Failure> {
        let mut names = archive.names();
        let Some(name) = self.name else {
            return match (names.len(), names.next()) {
                (1, Some(only)) => Ok(only),
                _ => Err(Failure::Usage(
                    format!(
                        "Input file {} contains more than one ndarrays. Please specify the name \
                         of ndarray to use.",
                        self.file
                    )
                    .into(),
                )),
            };
        };
        // As numpy has it, with the ending or without.
        let stem = name.strip_suffix(".npy");
        let found = names.find(|known| *known == name || Some(*known) == stem);
        found.ok_or_else(|| self.no_variable(name))
    }

    fn unreadable(&self, error: &io::Error) -> Failure {
        Failure::Missing(match error.kind() {
            io::ErrorKind::NotFound => format!("{}; No such file or directory", self.file).into(),
            _ => format!("{}; {error}", self.file).into(),
        })
    }

    fn no_variable(&self, name: &str) -> Failure {
        Failure::Usage(
            format!(
                "Input file {} does not contain variable with name \"{name}\".",
                self.file
            )
            .into(),
        )
    }

    /// Reads what Python pickled: a value, or one under a name of a dict.
    fn unpickle(&self, path: &Path, warn: &mut impl FnMut(String)) -> Result<Given, Failure> {
        let value = PickledValue::open(path)?;
        match (self.name, &value) {
            (None, _) => unpickled(value),
            (Some(name), PickledValue::Array(_) | PickledValue::Objects { .. }) => {
                warn(self.name_ignored(name));
                unpickled(value)
            }
            (Some(name), _) => match value.get(name) {
                Some(value) => unpickled(value.clone()),
                None => Err(self.no_variable(name)),
            },
        }
    }

    fn name_ignored(&self, name: &str) -> String {
        format!(
            "Input file {} contains a single ndarray. Name key \"{name}\" ignored.",
            self.file
        )
    }
}

fn array(array: NpyReader) -> Result<Given, Failure> {
    match array.dtype().is_none() && array.descr().contains('V') {
        true => Ok(Given::Void(array)),
        false => unpickled(array.value()?),
    }
}

fn unpickled(value: PickledValue) -> Result<Given, Failure> {
    match value {
        PickledValue::Array(tensor) => Ok(Given::Tensor(tensor)),
        value => Ok(Given::Value(value_of(value)?)),
    }
}

fn value_of(value: PickledValue) -> Result<Value, Failure> {
    let all = |values: Vec<PickledValue>| {
        let values = values.into_iter().map(value_of);
        values.collect::<Result<Vec<Value>, Failure>>()
    };
    Ok(match value {
        PickledValue::None => Value::None,
        PickledValue::Bool(value) => Value::Bool(value),
        PickledValue::Int(value) => Value::Int(value),
        PickledValue::Float(value) => Value::Float(value),
        PickledValue::Str(text) => Value::Str(text),
        PickledValue::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        PickledValue::List(values) => Value::List(all(values)?),
        PickledValue::Tuple(values) => Value::Tuple(all(values)?),
        PickledValue::Dict(entries) => {
            let entries = entries.into_iter();
            let entries = entries.map(|(key, value)| Ok((value_of(key)?, value_of(value)?)));
            Value::Dict(entries.collect::<Result<_, Failure>>()?)
        }
        PickledValue::Array(tensor) => Value::Array(Array::of_tensor(&tensor)?),
        PickledValue::Objects { shape, elements } => {
            Value::Array(Array::of_objects(shape.dims(), all(elements)?))
        }
        _ => return Err(Failure::Usage("a pickled value of no known kind".into())),
    })
}

/// Reads as many bytes as tell what a file is.
fn first_bytes(path: &Path) -> io::Result<[u8; 8]> {
    let mut first = [0; 8];
    let mut file = File::open(path)?;
    let mut filled = 0;
    while filled < first.len() {
        match file.read(&mut first[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_key_a_file_and_perhaps_a_name() {
        let place = |key, file, name| Place { key, file, name };
        for (text, expected) in [
            ("x=a.npy", place("x", "a.npy", None)),
            ("x=a=b.npy", place("x", "a=b.npy", None)),
            (" x = a.npz[b]", place(" x ", " a.npz", Some("b"))),
        ] {
            assert_eq!(Place::parse(text).ok(), Some(expected), "{text}");
        }
        for text in [
            "x:y",
            "=a.npy",
            "x=",
            "x=a[",
            "x=a]",
            "x=a[]",
            "x=[b]",
            "x=a[b]c",
            "x=a[b][c]",
        ] {
            let failure = Place::parse(text).unwrap_err().to_string();
            assert!(
                failure.contains(&format!("--inputs \"{text}\" format")),
                "{failure}"
            );
        }
    }
}
