use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::tensor::Shape;

/// A box cut from a tensor: for each dimension all of it, or a range.
///
/// Partitioned variables are stored as such slices. The text is TensorFlow's
/// (`tensorflow/core/framework/tensor_slice.cc`): dimensions joined by `:`, each `-` for all of it
/// or `start,length`.
///
/// ```
/// use savedmodel::{Extent, Shape, TensorSlice};
///
/// let slice: TensorSlice = "-:0,2".parse()?;
/// assert_eq!(slice.extents(), [Extent::Full, Extent::Range { start: 0, length: 2 }]);
/// assert_eq!(slice.shape_in(&Shape::new(&[4, 5])?)?, Shape::new(&[4, 2])?);
/// assert_eq!(slice.to_string(), "-:0,2");
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TensorSlice(Vec<Extent>);

/// What a [`TensorSlice`] takes of one dimension.
///
/// All of a dimension and a range that happens to cover it are different in a file, though they
/// select the same elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Extent {
    /// All of it.
    Full,
    /// The `length` indices from `start` on.
    Range {
        /// The first index.
        start: u64,
        /// How many indices.
        length: u64,
    },
}

impl TensorSlice {
    /// Makes a slice of these extents, outermost dimension first.
    pub fn new(extents: impl Into<Vec<Extent>>) -> TensorSlice {
        TensorSlice(extents.into())
    }

    /// Makes the slice of `rank` dimensions that takes all of each.
    pub fn full(rank: usize) -> TensorSlice {
        TensorSlice(vec![Extent::Full; rank])
    }

    /// Parses what the `SaveV2` and `RestoreV2` ops take for one tensor: nothing for the whole
    /// tensor, or its full shape followed by a slice of it, as in `4 5 0,2:-`.
    ///
    /// The rules are those of `ParseShapeAndSlice` in
    /// `tensorflow/core/util/saved_tensor_slice_util.cc`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the text is not of this form or the slice leaves the shape,
    /// `Unsupported` for a shape that is too large.
    pub fn parse_shape_and_slice(text: &str) -> Result<Option<(Shape, TensorSlice)>> {
        if text.is_empty() {
            return Ok(None);
        }
        let Some((dims, slice)) = text.rsplit_once(' ') else {
            return Err(Error::invalid_argument(format!(
                "`{}` is not dimensions followed by a slice",
                text.escape_debug()
            )));
        };
        let dims = dims
            .split(' ')
            .map(|dim| number(dim, text))
            .collect::<Result<Vec<u64>>>()?;
        let (shape, slice) = (Shape::new(&dims)?, slice.parse::<TensorSlice>()?);
        slice.resolve(&shape)?;
        Ok(Some((shape, slice)))
    }

    /// Returns the extents, outermost dimension first.
    pub fn extents(&self) -> &[Extent] {
        &self.0
    }

    /// Returns the number of dimensions.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// Returns the start and length of the slice in each dimension of `shape`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the ranks differ or a range ends beyond its dimension.
    pub fn resolve(&self, shape: &Shape) -> Result<Vec<(u64, u64)>> {
        if self.rank() != shape.rank() {
            return Err(Error::invalid_argument(format!(
                "slice `{self}` has {} dimensions, shape {shape} has {}",
                self.rank(),
                shape.rank()
            )));
        }
        let resolved = self
            .0
            .iter()
            .zip(shape.dims())
            .map(|(extent, &dim)| match *extent {
                Extent::Full => Some((0, dim)),
                Extent::Range { start, length } => start
                    .checked_add(length)
                    .filter(|end| *end <= dim)
                    .map(|_| (start, length)),
            });
        resolved.collect::<Option<_>>().ok_or_else(|| {
            Error::invalid_argument(format!("slice `{self}` reaches beyond shape {shape}"))
        })
    }

    /// Returns the shape of the slice when it is cut from a tensor of `shape`.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    pub fn shape_in(&self, shape: &Shape) -> Result<Shape> {
        let lengths: Vec<u64> = self
            .resolve(shape)?
            .iter()
            .map(|(_, length)| *length)
            .collect();
        Shape::new(&lengths)
    }

    /// Returns whether every extent is [`Extent::Full`].
    pub fn is_full(&self) -> bool {
        self.0.iter().all(|extent| *extent == Extent::Full)
    }
}

impl fmt::Display for TensorSlice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, extent) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ":" };
            match extent {
                Extent::Full => write!(f, "{separator}-")?,
                Extent::Range { start, length } => write!(f, "{separator}{start},{length}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for TensorSlice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TensorSlice({self})")
    }
}

impl FromStr for TensorSlice {
    type Err = Error;

    /// Empty parts between colons or commas are skipped, as TensorFlow does.
    fn from_str(text: &str) -> Result<TensorSlice> {
        let items = text.split(':').filter(|item| !item.is_empty());
        items
            .map(|item| parse_extent(item, text))
            .collect::<Result<_>>()
            .map(TensorSlice)
    }
}

fn parse_extent(item: &str, text: &str) -> Result<Extent> {
    if item == "-" {
        return Ok(Extent::Full);
    }
    let mut numbers = item.split(',').filter(|number| !number.is_empty());
    let (Some(start), Some(length), None) = (numbers.next(), numbers.next(), numbers.next()) else {
        return Err(Error::invalid_argument(format!(
            "`{}` in slice `{}` is neither `-` nor `start,length`",
            item.escape_debug(),
            text.escape_debug()
        )));
    };
    let (start, length) = (number(start, text)?, number(length, text)?);
    if length == 0 {
        return Err(Error::invalid_argument(format!(
            "slice `{}` has an extent of length 0",
            text.escape_debug()
        )));
    }
    Ok(Extent::Range { start, length })
}

/// Parses a number that TensorFlow holds in a non-negative int64.
fn number(part: &str, text: &str) -> Result<u64> {
    match part.trim_ascii().parse::<i64>().map(u64::try_from) {
        Ok(Ok(number)) => Ok(number),
        _ => Err(Error::invalid_argument(format!(
            "`{}` in `{}` is not a number from 0 to 2^63 - 1",
            part.escape_debug(),
            text.escape_debug()
        ))),
    }
}

/// Returns the start and length of what two boxes of one tensor share in each dimension, or `None`
/// if they share no element or their ranks differ.
pub(crate) fn intersect(left: &[(u64, u64)], right: &[(u64, u64)]) -> Option<Vec<(u64, u64)>> {
    if left.len() != right.len() {
        return None;
    }
    let pairs = left.iter().zip(right);
    pairs.map(|(left, right)| overlap(*left, *right)).collect()
}

fn overlap(left: (u64, u64), right: (u64, u64)) -> Option<(u64, u64)> {
    let start = left.0.max(right.0);
    let end = left
        .0
        .saturating_add(left.1)
        .min(right.0.saturating_add(right.1));
    end.checked_sub(start)
        .filter(|length| *length > 0)
        .map(|length| (start, length))
}

/// Consecutive elements of a source buffer that belong together in a destination buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Index of the first element in the source.
    pub(crate) source: u64,
    /// Index of the first element in the destination.
    pub(crate) destination: u64,
    /// How many elements.
    pub(crate) length: u64,
}

impl Run {
    /// Returns the indices in a source that is in memory.
    pub(crate) fn source_indices(self) -> Range<usize> {
        self.source as usize..(self.source + self.length) as usize
    }
}

/// Enumerates the elements that two row-major buffers share, as runs that are as long as possible.
///
/// Each buffer holds a box of the same tensor, given as start and length per dimension as
/// [`TensorSlice::resolve`] returns them. Runs come in ascending order of both buffers.
#[derive(Debug)]
pub(crate) struct Runs {
    /// The loops around a run, innermost first.
    axes: Vec<Axis>,
    next: Option<Run>,
}

#[derive(Debug)]
struct Axis {
    length: u64,
    source_stride: u64,
    destination_stride: u64,
    position: u64,
}

impl Runs {
    /// # Errors
    ///
    /// `InvalidArgument` if the ranks differ or a box has more than 2^64 − 1 elements.
    pub(crate) fn new(source: &[(u64, u64)], destination: &[(u64, u64)]) -> Result<Runs> {
        if source.len() != destination.len() {
            return Err(Error::invalid_argument(format!(
                "slices of {} and {} dimensions",
                source.len(),
                destination.len()
            )));
        }
        let Some(shared) = intersect(source, destination) else {
            return Ok(Runs {
                axes: Vec::new(),
                next: None,
            });
        };
        Runs::of_shared(source, destination, &shared)
            .ok_or_else(|| Error::invalid_argument("a slice has more than 2^64 - 1 elements"))
    }

    fn of_shared(
        source: &[(u64, u64)],
        destination: &[(u64, u64)],
        shared: &[(u64, u64)],
    ) -> Option<Runs> {
        let mut run = Run {
            source: 0,
            destination: 0,
            length: 1,
        };
        let mut axes: Vec<Axis> = Vec::new();
        let (mut source_stride, mut destination_stride) = (1u64, 1u64);
        for ((source, destination), shared) in source.iter().zip(destination).zip(shared).rev() {
            let skipped = (shared.0 - source.0).checked_mul(source_stride)?;
            run.source = run.source.checked_add(skipped)?;
            let skipped = (shared.0 - destination.0).checked_mul(destination_stride)?;
            run.destination = run.destination.checked_add(skipped)?;
            match axes.last_mut() {
                _ if shared.1 == 1 => {}
                // The loops so far step through both buffers without a gap, so this one continues
                // the outermost of them.
                Some(last)
                    if last.source_stride.checked_mul(last.length) == Some(source_stride)
                        && last.destination_stride.checked_mul(last.length)
                            == Some(destination_stride) =>
                {
                    last.length = last.length.checked_mul(shared.1)?;
                }
                _ => axes.push(Axis {
                    length: shared.1,
                    source_stride,
                    destination_stride,
                    position: 0,
                }),
            }
            source_stride = source_stride.checked_mul(source.1)?;
            destination_stride = destination_stride.checked_mul(destination.1)?;
        }
        if axes
            .first()
            .is_some_and(|axis| axis.source_stride == 1 && axis.destination_stride == 1)
        {
            run.length = axes.remove(0).length;
        }
        Some(Runs {
            axes,
            next: Some(run),
        })
    }

    /// Moves `run` to the next position of the loops; `None` after the last one.
    ///
    /// No sum here exceeds the element count of a box, which was proven to fit.
    fn advance(&mut self, mut run: Run) -> Option<Run> {
        for axis in &mut self.axes {
            if axis.position + 1 < axis.length {
                axis.position += 1;
                run.source += axis.source_stride;
                run.destination += axis.destination_stride;
                return Some(run);
            }
            run.source -= axis.position * axis.source_stride;
            run.destination -= axis.position * axis.destination_stride;
            axis.position = 0;
        }
        None
    }
}

impl Iterator for Runs {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        let run = self.next?;
        self.next = self.advance(run);
        Some(run)
    }
}

/// Copies the elements that two row-major buffers share, and returns how many there are.
///
/// Each buffer holds a box of the same tensor, given as start and length per dimension as
/// [`TensorSlice::resolve`] returns them.
///
/// # Errors
///
/// `InvalidArgument` if the ranks differ or a buffer is not as long as its box.
pub(crate) fn copy_region(
    source: &[u8],
    source_box: &[(u64, u64)],
    destination: &mut [u8],
    destination_box: &[(u64, u64)],
    element_size: usize,
) -> Result<u64> {
    check_length(source.len(), source_box, element_size)?;
    check_length(destination.len(), destination_box, element_size)?;
    let mut copied = 0;
    for run in Runs::new(source_box, destination_box)? {
        // Both buffers are in memory, so byte offsets within them fit `usize`.
        let length = run.length as usize * element_size;
        let from = run.source as usize * element_size;
        let to = run.destination as usize * element_size;
        destination[to..to + length].copy_from_slice(&source[from..from + length]);
        copied += run.length;
    }
    Ok(copied)
}

fn check_length(length: usize, region: &[(u64, u64)], element_size: usize) -> Result<()> {
    let needed = if region.iter().any(|(_, length)| *length == 0) {
        Some(0)
    } else {
        region
            .iter()
            .try_fold(element_size as u64, |size, (_, length)| {
                size.checked_mul(*length)
            })
    };
    if needed == Some(length as u64) {
        return Ok(());
    }
    Err(Error::invalid_argument(format!(
        "a buffer of {length} bytes for a slice of another size"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(dims: &[u64]) -> Shape {
        Shape::new(dims).unwrap()
    }

    #[test]
    fn text_comes_back() {
        for text in ["", "-", "-:0,2", "0,1:3,9223372036854775807:-"] {
            let slice: TensorSlice = text.parse().unwrap();
            assert_eq!(slice.to_string(), text);
        }
        let skipping: TensorSlice = ":-::0,,2:".parse().unwrap();
        assert_eq!(skipping.to_string(), "-:0,2");
    }

    #[test]
    fn text_outside_the_rules_is_refused() {
        for text in [
            "x",
            "--",
            "1",
            "1,2,3",
            "-1,2",
            "0,0",
            "0,-1",
            "0,9223372036854775808",
            "0;2",
        ] {
            assert!(text.parse::<TensorSlice>().is_err(), "{text}");
        }
    }

    #[test]
    fn shape_and_slice_text() {
        let parse = TensorSlice::parse_shape_and_slice;
        let (full, slice) = parse("4 5 0,2:-").unwrap().unwrap();
        assert_eq!(
            (full, slice.to_string()),
            (shape(&[4, 5]), "0,2:-".to_owned())
        );
        assert!(parse("").unwrap().is_none());
        // Odd, and taken by TensorFlow 2.21 too.
        for text in ["+4 5 -:+0,2", "4\t 5 -:0,\t2", "4 5 -:-0,2", "4 5 -::0,,2:"] {
            let (full, slice) = parse(text).unwrap().unwrap();
            assert_eq!(
                (full, slice.to_string()),
                (shape(&[4, 5]), "-:0,2".to_owned()),
                "{text}"
            );
        }
        for text in [
            "4",
            "4 5 0,2",
            "4 5 0,2:- ",
            "4  5 -:-",
            "4 x -:-",
            "-4 -",
            "4 3,2",
            " -",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn slices_stay_within_the_shape() {
        let slice = |text: &str| text.parse::<TensorSlice>().unwrap();
        let full = shape(&[4, 5]);
        assert_eq!(slice("1,3:-").resolve(&full).unwrap(), [(1, 3), (0, 5)]);
        assert_eq!(slice("1,3:-").shape_in(&full).unwrap(), shape(&[3, 5]));
        assert!(slice("2,3:-").resolve(&full).is_err());
        assert!(slice("-").resolve(&full).is_err());
        let huge = TensorSlice::new([
            Extent::Range {
                start: u64::MAX,
                length: 2,
            },
            Extent::Full,
        ]);
        assert!(huge.resolve(&full).is_err());
        assert!(TensorSlice::full(2).is_full() && !slice("0,4:-").is_full());
    }

    #[test]
    fn boxes_intersect() {
        assert_eq!(
            intersect(&[(0, 4), (2, 3)], &[(3, 9), (0, 3)]),
            Some(vec![(3, 1), (2, 1)])
        );
        assert_eq!(intersect(&[(0, 4)], &[(4, 4)]), None);
        assert_eq!(intersect(&[(0, 0)], &[(0, 4)]), None);
        assert_eq!(intersect(&[], &[]), Some(vec![]));
        assert_eq!(intersect(&[(0, 1)], &[]), None);
    }

    fn runs(source: &[(u64, u64)], destination: &[(u64, u64)]) -> Vec<(u64, u64, u64)> {
        let runs = Runs::new(source, destination).unwrap();
        runs.map(|run| (run.source, run.destination, run.length))
            .collect()
    }

    #[test]
    fn runs_are_merged() {
        // Rows 2..4 of a [4, 3, 5] tensor lie in one piece.
        assert_eq!(
            runs(&[(2, 2), (0, 3), (0, 5)], &[(0, 4), (0, 3), (0, 5)]),
            [(0, 30, 30)]
        );
        // Columns 1..3 of [2, 4].
        assert_eq!(
            runs(&[(0, 2), (0, 4)], &[(0, 2), (1, 2)]),
            [(1, 0, 2), (5, 2, 2)]
        );
        // The middle dimension is cut: one run for each outer index.
        assert_eq!(
            runs(&[(0, 2), (1, 2), (0, 5)], &[(0, 2), (0, 3), (0, 5)]),
            [(0, 5, 10), (10, 20, 10)]
        );
        // A column of one element: single elements.
        assert_eq!(
            runs(&[(0, 3), (0, 4)], &[(0, 3), (3, 1)]),
            [(3, 0, 1), (7, 1, 1), (11, 2, 1)]
        );
        assert_eq!(runs(&[], &[]), [(0, 0, 1)]);
        assert_eq!(runs(&[(0, 2)], &[(2, 2)]), []);
        assert_eq!(runs(&[(0, 1); 254], &[(0, 1); 254]), [(0, 0, 1)]);
    }

    #[test]
    fn copies_agree_with_an_element_by_element_copy() {
        let dims = [3u64, 4, 2, 3];
        let strides = [24u64, 6, 3, 1];
        let whole: Vec<u8> = (0..72).collect();
        let whole_box: Vec<_> = dims.iter().map(|dim| (0, *dim)).collect();
        let ranges: Vec<Vec<(u64, u64)>> = dims
            .iter()
            .map(|&dim| {
                (0..dim)
                    .flat_map(|s| (1..=dim - s).map(move |l| (s, l)))
                    .collect()
            })
            .collect();
        for a in &ranges[0] {
            for b in &ranges[1] {
                for c in &ranges[2] {
                    for d in &ranges[3] {
                        let part_box = [*a, *b, *c, *d];
                        let mut expected = Vec::new();
                        for index in 0..72u64 {
                            let inside = |axis: usize| {
                                let at = index / strides[axis] % dims[axis];
                                (part_box[axis].0..part_box[axis].0 + part_box[axis].1)
                                    .contains(&at)
                            };
                            if (0..4).all(inside) {
                                expected.push(index as u8);
                            }
                        }
                        let mut part = vec![0; expected.len()];
                        let copied =
                            copy_region(&whole, &whole_box, &mut part, &part_box, 1).unwrap();
                        assert_eq!((&part, copied), (&expected, expected.len() as u64));
                        let mut back = vec![255; 72];
                        copy_region(&part, &part_box, &mut back, &whole_box, 1).unwrap();
                        assert!(expected.iter().all(|index| back[*index as usize] == *index));
                        assert_eq!(back.iter().filter(|b| **b != 255).count(), expected.len());
                    }
                }
            }
        }
    }

    #[test]
    fn buffers_must_fit_their_boxes() {
        let (mut out, region) = ([0u8; 8], [(0, 2), (0, 2)]);
        assert!(copy_region(&[0; 8], &region, &mut out, &region, 2).is_ok());
        assert!(copy_region(&[0; 7], &region, &mut out, &region, 2).is_err());
        assert!(copy_region(&[0; 8], &region, &mut out[..4], &region, 2).is_err());
        assert!(copy_region(&[0; 8], &[(0, 4)], &mut out, &region, 2).is_err());
        let overflowing = [(0, 1 << 40), (0, 1 << 40)];
        assert!(copy_region(&[], &overflowing, &mut [], &overflowing, 1).is_err());
        let empty = [(0, 0), (0, 1 << 40), (0, 1 << 40)];
        assert_eq!(copy_region(&[], &empty, &mut [], &empty, 1).unwrap(), 0);
    }
}
