use std::io::{self, Write};

use crate::text;

/// To which side of its column a cell keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Text in columns. All rows are [measured](Self::measure) before the first is written, so a table
/// of any length needs no memory of its rows.
pub(crate) struct Table {
    columns: Vec<Column>,
}

struct Column {
    title: &'static str,
    align: Align,
    width: usize,
}

impl Table {
    pub(crate) fn new<const N: usize>(columns: [(&'static str, Align); N]) -> Self {
        let columns = columns.map(|(title, align)| Column {
            title,
            align,
            width: text::width(title),
        });
        Table {
            columns: columns.into(),
        }
    }

    /// Makes the columns as wide as this row needs them.
    pub(crate) fn measure(&mut self, cells: &[impl AsRef<str>]) {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.width = column.width.max(text::width(cell.as_ref()));
        }
    }

    pub(crate) fn write_titles(&self, out: &mut impl Write) -> io::Result<()> {
        let titles: Vec<&str> = self.columns.iter().map(|column| column.title).collect();
        self.write(out, &titles)
    }

    /// Writes a row. Cells behind the last column are written as they are.
    pub(crate) fn write(&self, out: &mut impl Write, cells: &[impl AsRef<str>]) -> io::Result<()> {
        // Padding waits for a cell with text, so that no line ends in blanks.
        let mut padding = 0;
        for (i, cell) in cells.iter().enumerate() {
            let cell = cell.as_ref();
            let column = self.columns.get(i);
            let room = column.map_or(0, |column| column.width.saturating_sub(text::width(cell)));
            let before = match column {
                Some(column) if column.align == Align::Right => room,
                _ => 0,
            };
            if !cell.is_empty() {
                write_blanks(out, padding + before)?;
                out.write_all(cell.as_bytes())?;
                padding = room - before + GAP;
            } else {
                padding += room + GAP;
            }
        }
        out.write_all(b"\n")
    }
}

/// Blanks between columns.
const GAP: usize = 2;

fn write_blanks(out: &mut impl Write, mut count: usize) -> io::Result<()> {
    const BLANKS: [u8; 64] = [b' '; 64];
    while count > 0 {
        let some = count.min(BLANKS.len());
        out.write_all(&BLANKS[..some])?;
        count -= some;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["模型", "", "1", ""], ["w", "x", "12", "note"]];
        let mut table = Table::new([
            ("key", Align::Left),
            ("b", Align::Left),
            ("size", Align::Right),
        ]);
        rows.iter().for_each(|row| table.measure(row));
        let mut out = Vec::new();
        table.write_titles(&mut out).unwrap();
        for row in &rows {
            table.write(&mut out, row).unwrap();
        }
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "key   b  size\n模型        1\nw     x    12  note\n"
        );
    }
}
