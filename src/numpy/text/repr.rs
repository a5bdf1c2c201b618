use std::fmt;

use super::elements::Elements;
use super::format::Format;
use super::grid::{Grid, LINE, Layout};
use crate::tensor::{DType, Tensor};

const OPEN: &str = "array(";
const CLOSE: &str = ")";

const LAYOUT: Layout = Layout {
    separator: ", ",
    prefix: OPEN.len(),
    line: LINE - CLOSE.len(),
};

/// A tensor as Python shows an array that is part of something else: `array([1., 2.5])`.
///
/// Made by [`ArrayText::repr`](super::ArrayText::repr). The rules are those of `array_repr` in numpy
/// 2.4 (`numpy/_core/arrayprint.py`).
#[derive(Clone, Debug)]
pub struct ArrayRepr<'t> {
    pub(super) tensor: &'t Tensor,
    pub(super) elements: Elements<'t>,
}

impl ArrayRepr<'_> {
    fn elements_text(&self) -> String {
        let shape = self.tensor.shape();
        let mut text = String::new();
        let Some(grid) = Grid::new(shape, LAYOUT) else {
            return "[]".to_owned();
        };
        let format = Format::new(&self.elements, &grid);
        if shape.is_scalar() {
            format.write(&self.elements, 0, &mut text);
            return text.trim_start().to_owned();
        }
        // A `String` takes whatever is written to it.
        let _ = grid.write(&mut text, &mut |index, word| {
            format.write(&self.elements, index, word)
        });
        text
    }

    /// Returns what the elements do not say of themselves.
    fn extras(&self) -> Vec<String> {
        let (shape, dtype) = (self.tensor.shape(), self.tensor.dtype());
        let is_empty = shape.elements() == 0;
        let mut extras = Vec::new();
        if (is_empty && shape.dims() != [0]) || Grid::is_summarized(shape) {
            let dims: Vec<String> = shape.dims().iter().map(u64::to_string).collect();
            let comma = if dims.len() == 1 { "," } else { "" };
            extras.push(format!("shape=({}{comma})", dims.join(", ")));
        }
        let is_implied = matches!(
            dtype,
            DType::BOOL | DType::INT64 | DType::DOUBLE | DType::COMPLEX128
        );
        if is_empty || !is_implied {
            extras.push(format!("dtype={}", dtype_text(dtype)));
        }
        extras
    }
}

impl fmt::Display for ArrayRepr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.elements_text();
        let extras = self.extras();
        if extras.is_empty() {
            return write!(f, "{OPEN}{text}{CLOSE}");
        }
        let extras = extras.join(", ") + CLOSE;
        let last_line = match text.rfind('\n') {
            Some(end) => text.len() - end - 1,
            None => OPEN.len() + text.len(),
        };
        write!(f, "{OPEN}{text},")?;
        match last_line + ",".len() + extras.len() + 1 > LINE {
            true => write!(f, "\n{:1$}{extras}", "", OPEN.len()),
            false => write!(f, " {extras}"),
        }
    }
}

/// Returns the name of numpy's type: between quotes where Python could not read it as a name.
fn dtype_text(dtype: DType) -> String {
    let name = match dtype {
        DType::STRING => "object".to_owned(),
        DType::QINT8 | DType::QUINT8 | DType::QINT16 | DType::QUINT16 | DType::QINT32 => {
            let kind = if dtype.name().starts_with("qu") {
                'u'
            } else {
                'i'
            };
            let size = dtype.size().unwrap_or(1);
            let order = if size > 1 { "<" } else { "" };
            return format!("[('{dtype}', '{order}{kind}{size}')]");
        }
        dtype => dtype.name().into_owned(),
    };
    match name.contains('_') {
        true => format!("'{name}'"),
        false => name,
    }
}
