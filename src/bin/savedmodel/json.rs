use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

/// Writes a report as a document: an object that begins with the name of its form,
/// `savedmodel.COMMAND/VERSION`, the definition of that name in the schema.
///
/// What is added keeps the version; what changes or goes needs another.
pub(crate) fn document(
    out: &mut impl Write,
    command: &str,
    version: u32,
    report: &impl Serialize,
) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'a, R> {
        schema: String,
        #[serde(flatten)]
        report: &'a R,
    }
    let document = Document {
        schema: format!("savedmodel.{command}/{version}"),
        report,
    };
    let mut serializer = Serializer::with_formatter(&mut *out, Shallow { depth: 0 });
    document.serialize(&mut serializer)?;
    out.write_all(b"\n")
}

/// Breaks lines between the elements of the outer levels, so that a tensor or a node has a line.
struct Shallow {
    depth: usize,
}

impl Shallow {
    const BROKEN: usize = 2;

    fn open<W: Write + ?Sized>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        out.write_all(bracket)
    }

    fn close<W: Write + ?Sized>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        if self.depth <= Self::BROKEN {
            out.write_all(b"\n")?;
        }
        self.depth -= 1;
        out.write_all(bracket)
    }

    fn separate<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(match (first, self.depth <= Self::BROKEN) {
            (true, true) => b"\n",
            (true, false) => b"",
            (false, true) => b",\n",
            (false, false) => b", ",
        })
    }
}

impl Formatter for Shallow {
    fn begin_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"[")
    }

    fn end_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"]")
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.separate(out, first)
    }

    fn begin_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"{")
    }

    fn end_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"}")
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.separate(out, first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}

/// Writes a string with its quotes.
pub(crate) fn string(out: &mut impl Write, text: &str) -> io::Result<()> {
    serde_json::to_writer(out, text).map_err(io::Error::from)
}

/// Writes a floating-point number; what JSON has no number for as a string.
pub(crate) fn float(out: &mut impl Write, value: f64) -> io::Result<()> {
    match special(value) {
        Some(name) => write!(out, "\"{name}\""),
        None => write!(out, "{value:?}"),
    }
}

/// Returns the name of a value that is not finite.
pub(crate) fn special(value: f64) -> Option<&'static str> {
    match value {
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        _ if value.is_nan() => Some("NaN"),
        _ => None,
    }
}

/// Writes a floating-point number, or `null` where there is none.
pub(crate) fn optional_float(out: &mut impl Write, value: Option<f64>) -> io::Result<()> {
    match value {
        Some(value) => float(out, value),
        None => out.write_all(b"null"),
    }
}

/// Writes bytes as a string of hexadecimal digits.
pub(crate) fn hex(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(b"\"")?;
    for byte in bytes {
        write!(out, "{byte:02x}")?;
    }
    out.write_all(b"\"")
}

/// Writes a list of what `item` writes.
pub(crate) fn list<W: Write, T>(
    out: &mut W,
    items: impl IntoIterator<Item = T>,
    mut item: impl FnMut(&mut W, T) -> io::Result<()>,
) -> io::Result<()> {
    out.write_all(b"[")?;
    for (i, value) in items.into_iter().enumerate() {
        if i > 0 {
            out.write_all(b", ")?;
        }
        item(out, value)?;
    }
    out.write_all(b"]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_of_a_list_has_a_line() {
        #[derive(Serialize)]
        struct Report {
            tensors: Vec<[Option<u8>; 2]>,
            tags: [(); 0],
        }
        let report = Report {
            tensors: vec![[None, Some(3)], [Some(1), None]],
            tags: [],
        };
        let mut out = Vec::new();
        document(&mut out, "nothing", 1, &report).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\n\"schema\": \"savedmodel.nothing/1\",\n\"tensors\": [\n[null, 3],\n[1, null]\n],\n\"tags\": [\n]\n}\n"
        );
    }
}
