use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, Write};

use savedmodel::inspect::{BundleReport, Oddity, ParametersReport, Severity};

use crate::decimal::binary_size;
use crate::terminal::{self, Role, paint};
use crate::text::{Escaped, width};

/// Columns of the labels.
const LABEL: usize = 13;
/// Sentences are broken before so many columns.
const LINE: usize = 100;

/// Writes a line with a label; one without a label belongs to the line before.
pub(super) fn line(out: &mut impl Write, label: &str, text: &str) -> io::Result<()> {
    let text = Escaped(text.as_bytes()).to_string();
    // Padding belongs to what follows, so that no line ends in blanks.
    let indented = format!("{:1$}{text}", "", LABEL.saturating_sub(width(label)));
    if !label.is_empty() {
        write!(out, "{}", paint(Role::Heading, label))?;
    }
    writeln!(out, "{}", broken(indented.trim_end(), width(label)))
}

/// Breaks a text that is too long for the terminal's line, of which so many columns are taken, before
/// words; each further line stands behind the labels.
fn broken(text: &str, taken: usize) -> Cow<'_, str> {
    let Some(limit) = terminal::width().filter(|limit| *limit > 2 * LABEL) else {
        return text.into();
    };
    if taken + width(text) <= limit {
        return text.into();
    }
    let mut lines = String::new();
    let mut column = taken;
    for word in text.split_inclusive(' ') {
        // The text begins with blanks, before which no line is broken.
        if column > 2 * LABEL && column + width(word.trim_end()) > limit {
            lines.truncate(lines.trim_end().len());
            lines += &format!("\n{:1$}", "", LABEL + 2);
            column = LABEL + 2;
        }
        lines += word;
        column += width(word);
    }
    lines.into()
}

/// Writes the line of the parameters.
pub(super) fn parameters(out: &mut impl Write, of: &ParametersReport) -> io::Result<()> {
    let mut text = grouped(of.total);
    if let Some(trainable) = of.trainable {
        text += &format!(", {} trainable", grouped(trainable));
    }
    if of.optimizer > 0 {
        text += &format!("; an optimizer has {} more", grouped(of.optimizer));
    }
    if of.metrics > 0 {
        text += &format!("; metrics have {} more", grouped(of.metrics));
    }
    line(out, "parameters", &text)
}

/// Writes the lines of a bundle's tensors, dtypes and largest tensors.
pub(super) fn tensors(out: &mut impl Write, of: &BundleReport) -> io::Result<()> {
    let shards = counted(of.shards.into(), "shard");
    let text = format!(
        "{}, {} in {shards}",
        counted(of.tensors, "tensor"),
        size(of.bytes)
    );
    line(out, "variables", &text)?;
    if of.dtypes.len() > 1 {
        for dtype in &of.dtypes {
            let text = format!(
                "  {}: {}, {}",
                dtype.dtype,
                counted(dtype.tensors, "tensor"),
                size(dtype.bytes)
            );
            line(out, "", &text)?;
        }
    }
    let types: Vec<String> = of.largest.iter().map(|it| it.type_text()).collect();
    let columns = types.iter().map(|text| text.len()).max().unwrap_or(0);
    for (i, (tensor, text)) in of.largest.iter().zip(&types).enumerate() {
        let label = if i == 0 { "largest" } else { "" };
        let key = tensor.key.trim_end_matches("/.ATTRIBUTES/VARIABLE_VALUE");
        let bytes = size(tensor.bytes);
        line(out, label, &format!("{text:columns$}  {bytes:>11}  {key}"))?;
    }
    Ok(())
}

/// Writes what is odd, each with its remedy.
pub(super) fn oddities(out: &mut impl Write, oddities: &[Oddity]) -> io::Result<()> {
    if oddities.is_empty() {
        return line(out, "odd", "nothing");
    }
    for oddity in oddities {
        writeln!(out)?;
        let role = match oddity.severity {
            Severity::Warning => Role::Warning,
            Severity::Note => Role::Note,
            _ => Role::Error,
        };
        paragraph(out, "", &oddity.to_string(), Some(role))?;
        for example in &oddity.examples {
            writeln!(out, "    {}", Escaped(example.as_bytes()))?;
        }
        let more = oddity.count.saturating_sub(oddity.examples.len() as u64);
        if more > 0 && !oddity.examples.is_empty() {
            writeln!(out, "    and {more} more")?;
        }
        paragraph(out, "  ", &format!("→ {}", oddity.remedy), None)?;
    }
    Ok(())
}

/// Writes a text of several lines, all but the first further in; its first word may have a colour.
fn paragraph(out: &mut impl Write, indent: &str, text: &str, role: Option<Role>) -> io::Result<()> {
    let text = Escaped(text.as_bytes()).to_string();
    let limit = terminal::width().map_or(LINE, |width| width.clamp(LINE / 3, LINE));
    let mut column = 0;
    for word in text.split(' ') {
        if column == 0 {
            match role {
                Some(role) => write!(out, "{indent}{}", paint(role, word))?,
                None => write!(out, "{indent}{word}")?,
            }
            column = indent.len() + width(word);
        } else if column + 1 + width(word) > limit {
            write!(out, "\n{indent}  {word}")?;
            column = indent.len() + 2 + width(word);
        } else {
            write!(out, " {word}")?;
            column += 1 + width(word);
        }
    }
    writeln!(out)
}

/// Shows a size in bytes or, from a kibibyte on, in larger units.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => counted(bytes, "byte"),
        _ => binary_size(bytes),
    }
}

pub(super) fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{} {noun}s", grouped(count)),
    }
}

/// Shows a number with a comma after each three digits.
pub(super) fn grouped(number: impl Display) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_in_groups() {
        for (number, text) in [
            (0u64, "0"),
            (999, "999"),
            (1000, "1,000"),
            (25636712, "25,636,712"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn paragraphs_are_broken_between_words() {
        let mut out = Vec::new();
        paragraph(&mut out, "  ", &"word ".repeat(40), None).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().count() > 1);
        assert!(text.lines().all(|line| line.len() <= LINE + 1), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("    ")));
    }
}
