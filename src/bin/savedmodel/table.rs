use std::io::{self, Write};

use crate::terminal::{self, Role};
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
    /// How long a line may be.
    limit: Option<usize>,
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
            limit: terminal::width(),
        }
    }

    /// Makes the columns as wide as this row needs them.
    pub(crate) fn measure(&mut self, cells: &[impl AsRef<str>]) {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.width = column.width.max(text::width(cell.as_ref()));
        }
    }

    /// Writes the titles, after all rows were measured; on a terminal, makes wide columns narrower so
    /// that rows fit.
    pub(crate) fn write_titles(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.fit();
        let titles: Vec<&str> = self.columns.iter().map(|column| column.title).collect();
        self.write_row(out, &titles, Some(Role::Heading))
    }

    /// Narrows the widest columns of text until all fit. Numbers are never cut.
    fn fit(&mut self) {
        let Some(limit) = self.limit else {
            return;
        };
        let gaps = GAP * self.columns.len().saturating_sub(1);
        let widths = self.columns.iter().map(|column| column.width);
        let mut surplus = (widths.sum::<usize>() + gaps).saturating_sub(limit);
        while surplus > 0 {
            let texts = |column: &&mut Column| column.align == Align::Left;
            let mut widths: Vec<usize> = self
                .columns
                .iter_mut()
                .filter(texts)
                .map(|it| it.width)
                .collect();
            widths.sort_unstable_by(|a, b| b.cmp(a));
            let Some(widest) = widths.first().copied().filter(|width| *width > NARROW) else {
                return;
            };
            let next = widths.iter().find(|width| **width < widest);
            let goal = next.map_or(NARROW, |next| *next.max(&NARROW));
            for column in self.columns.iter_mut().filter(texts) {
                if column.width == widest {
                    let cut = surplus.min(widest - goal);
                    column.width -= cut;
                    surplus -= cut;
                }
            }
        }
    }

    /// Writes a row. Cells behind the last column are written as they are.
    pub(crate) fn write(&self, out: &mut impl Write, cells: &[impl AsRef<str>]) -> io::Result<()> {
        self.write_row(out, cells, None)
    }

    fn write_row(
        &self,
        out: &mut impl Write,
        cells: &[impl AsRef<str>],
        role: Option<Role>,
    ) -> io::Result<()> {
        // Padding waits for a cell with text, so that no line ends in blanks.
        let mut padding = 0;
        for (i, cell) in cells.iter().enumerate() {
            let cell = cell.as_ref();
            let column = self.columns.get(i);
            let cell = &*match (column, self.limit) {
                (Some(column), Some(_)) => text::elided(cell, column.width),
                _ => cell.into(),
            };
            let room = column.map_or(0, |column| column.width.saturating_sub(text::width(cell)));
            let before = match column {
                Some(column) if column.align == Align::Right => room,
                _ => 0,
            };
            if !cell.is_empty() {
                write_blanks(out, padding + before)?;
                match role {
                    Some(role) => write!(out, "{}", terminal::paint(role, cell))?,
                    None => out.write_all(cell.as_bytes())?,
                }
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
/// No column is made narrower.
const NARROW: usize = 12;

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

    #[test]
    fn wide_columns_are_cut_to_fit() {
        let rows = [
            [
                "optimizer/_variables/10/.ATTRIBUTES/VALUE",
                "123456",
                "in one place and another",
            ],
            ["short", "1", "here"],
        ];
        let mut table = Table::new([
            ("key", Align::Left),
            ("size", Align::Right),
            ("where", Align::Left),
        ]);
        table.limit = Some(50);
        rows.iter().for_each(|row| table.measure(row));
        let mut out = Vec::new();
        table.write_titles(&mut out).unwrap();
        for row in &rows {
            table.write(&mut out, row).unwrap();
        }
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "key                 size  where\n\
             optimize…S/VALUE  123456  in one place and another\n\
             short                  1  here\n"
        );
        assert!(text.lines().all(|line| text::width(line) <= 50), "{text}");
    }
}
