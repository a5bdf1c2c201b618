use std::fmt::{self, Write};

use crate::tensor::Shape;

/// Lines are no longer, unless a single element is.
pub(super) const LINE: usize = 75;
/// Of more elements than these, the middles of long axes are left out.
const MOST_ELEMENTS: u64 = 1000;
/// So many are shown at either end of an axis whose middle is left out.
const EDGE: usize = 3;
const ELLIPSIS: &str = "...";

/// What stands around an array and between its elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) separator: &'static str,
    /// How many characters stand before the array, below which no line begins.
    pub(super) prefix: usize,
    /// How long lines are, without what stands behind the array.
    pub(super) line: usize,
}

impl Layout {
    /// An array that stands alone.
    pub(super) const PLAIN: Layout = Layout {
        separator: " ",
        prefix: 0,
        line: LINE,
    };
}

/// Where the elements of an array stand: brackets, lines and what is left out.
#[derive(Debug)]
pub(super) struct Grid {
    dims: Vec<usize>,
    /// How many elements apart neighbours on each axis are.
    strides: Vec<usize>,
    is_summarized: bool,
    layout: Layout,
}

impl Grid {
    /// Returns nothing for an array without elements, which has no places.
    pub(super) fn new(shape: &Shape, layout: Layout) -> Option<Grid> {
        if shape.elements() == 0 {
            return None;
        }
        // The elements are in memory, so `usize` counts them.
        let dims: Vec<usize> = shape.dims().iter().map(|&dim| dim as usize).collect();
        let mut strides = vec![1; dims.len()];
        for axis in (1..dims.len()).rev() {
            strides[axis - 1] = strides[axis] * dims[axis];
        }
        Some(Grid {
            dims,
            strides,
            is_summarized: Grid::is_summarized(shape),
            layout,
        })
    }

    /// Says whether elements of such an array are left out.
    pub(super) fn is_summarized(shape: &Shape) -> bool {
        shape.elements() > MOST_ELEMENTS
    }

    /// Calls `each` with the places of all elements that are shown.
    pub(super) fn for_each_shown(&self, mut each: impl FnMut(usize)) {
        self.walk(0, 0, &mut each);
    }

    fn walk(&self, axis: usize, start: usize, each: &mut impl FnMut(usize)) {
        if axis == self.dims.len() {
            return each(start);
        }
        for step in self.steps(axis).flatten() {
            self.walk(axis + 1, start + step * self.strides[axis], each);
        }
    }

    /// Writes all that is shown. `word` appends the text of the element at a place.
    pub(super) fn write(
        &self,
        out: &mut impl Write,
        word: &mut impl FnMut(usize, &mut String),
    ) -> fmt::Result {
        self.write_axis(out, 0, 0, word)
    }

    fn write_axis(
        &self,
        out: &mut impl Write,
        axis: usize,
        start: usize,
        word: &mut impl FnMut(usize, &mut String),
    ) -> fmt::Result {
        out.write_char('[')?;
        let axes_left = self.dims.len() - axis;
        if axes_left == 1 {
            let mut row = Row::new(axis, self.layout);
            let mut text = String::new();
            for step in self.steps(axis) {
                text.clear();
                match step {
                    Some(step) => word(start + step * self.strides[axis], &mut text),
                    None => text.push_str(ELLIPSIS),
                }
                row.push(out, &text)?;
            }
            row.end(out)?;
        } else {
            for (count, step) in self.steps(axis).enumerate() {
                if count > 0 {
                    out.write_str(self.layout.separator.trim_end())?;
                    for _ in 1..axes_left {
                        out.write_char('\n')?;
                    }
                    write!(out, "{:1$}", "", indent(axis) + self.layout.prefix)?;
                }
                match step {
                    Some(step) => {
                        self.write_axis(out, axis + 1, start + step * self.strides[axis], word)?;
                    }
                    None => out.write_str(ELLIPSIS)?,
                }
            }
        }
        out.write_char(']')
    }

    /// Iterates over an axis; nothing stands for what is left out.
    fn steps(&self, axis: usize) -> impl Iterator<Item = Option<usize>> + use<> {
        let dim = self.dims[axis];
        let (start, end) = match self.is_summarized && dim > 2 * EDGE {
            true => (0..EDGE, Some(dim - EDGE..dim)),
            false => (0..dim, None),
        };
        let gap = end.is_some().then_some(None);
        let end = end.into_iter().flatten();
        start.map(Some).chain(gap).chain(end.map(Some))
    }
}

/// Returns how far from the left the parts of an axis stand: behind the open brackets.
fn indent(axis: usize) -> usize {
    axis + 1
}

/// Elements of the innermost axis, in as many lines as they need.
struct Row {
    line: String,
    indent: usize,
    /// A line that would be longer is ended before: brackets will be closed behind it.
    limit: usize,
    separator: &'static str,
    is_first_line: bool,
    is_first_word: bool,
}

impl Row {
    fn new(axis: usize, layout: Layout) -> Row {
        let indent = indent(axis) + layout.prefix;
        Row {
            line: " ".repeat(indent),
            indent,
            limit: layout.line.saturating_sub(axis + 1),
            separator: layout.separator,
            is_first_line: true,
            is_first_word: true,
        }
    }

    fn push(&mut self, out: &mut impl Write, word: &str) -> fmt::Result {
        if !self.is_first_word {
            self.line.push_str(self.separator);
        }
        self.is_first_word = false;
        if self.line.len() + word.len() > self.limit && self.line.len() > self.indent {
            out.write_str(self.text().trim_end())?;
            out.write_char('\n')?;
            self.is_first_line = false;
            self.line.truncate(self.indent);
        }
        self.line.push_str(word);
        Ok(())
    }

    fn end(self, out: &mut impl Write) -> fmt::Result {
        out.write_str(self.text())
    }

    /// Returns the line; brackets stand where the first one is indented.
    fn text(&self) -> &str {
        match self.is_first_line {
            true => &self.line[self.indent..],
            false => &self.line,
        }
    }
}
