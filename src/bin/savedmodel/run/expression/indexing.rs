use super::array::{Array, strides};
use super::functions::Context;

/// One of the things between the brackets behind an array.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Index {
    /// One place, from the end if negative; the dimension is gone.
    At(i128),
    /// From, to and by how many.
    Slice(Option<i128>, Option<i128>, Option<i128>),
    /// `None` or `np.newaxis`: another dimension of one.
    New,
    /// `...`: all dimensions that nothing is said of.
    Rest,
}

const ALL: Index = Index::Slice(None, None, None);

/// Takes a part of an array, by what numpy calls basic indexing.
pub(super) fn part(
    array: &Array,
    indices: &[Index],
    context: &mut Context,
) -> Result<Array, String> {
    let rank = array.shape().len();
    let said = |index: &&Index| matches!(index, Index::At(_) | Index::Slice(..));
    let count_said = indices.iter().filter(said).count();
    if count_said > rank {
        return Err(format!(
            "too many indices for array: array is {rank}-dimensional, but {count_said} were indexed"
        ));
    }
    let mut full = Vec::new();
    let mut has_rest = false;
    for index in indices {
        match index {
            Index::Rest if has_rest => {
                return Err("an index can only have a single ellipsis ('...')".to_owned());
            }
            Index::Rest => {
                has_rest = true;
                full.extend(std::iter::repeat_n(ALL, rank - count_said));
            }
            index => full.push(*index),
        }
    }
    if !has_rest {
        full.extend(std::iter::repeat_n(ALL, rank - count_said));
    }
    let mut dims = array.shape().iter().zip(strides(array.shape()));
    let mut shape = Vec::new();
    // Places in each dimension of the part, in elements.
    let mut places: Vec<Vec<u64>> = Vec::new();
    for index in full {
        let (from, to, step) = match index {
            Index::New | Index::Rest => {
                shape.push(1);
                continue;
            }
            Index::At(at) => (Some(at), None, None),
            Index::Slice(from, to, step) => (from, to, step),
        };
        let (&size, stride) = dims.next().ok_or_else(|| "too many indices".to_owned())?;
        if let Index::At(at) = index {
            let place = if at < 0 { at + i128::from(size) } else { at };
            let place = u64::try_from(place).ok().filter(|place| *place < size);
            let place =
                place.ok_or_else(|| format!("index {at} is out of bounds for a size of {size}"))?;
            places.push(vec![place.saturating_mul(stride)]);
        } else {
            let chosen = sliced(size, from, to, step.unwrap_or(1), context)?;
            shape.push(chosen.len() as u64);
            places.push(
                chosen
                    .into_iter()
                    .map(|at| at.saturating_mul(stride))
                    .collect(),
            );
        }
    }
    let total = context.charge_shape(&shape)?;
    let mut chosen = vec![0u64];
    // Of dimensions before one of 0 there may be more places than there is memory.
    let places = places.into_iter().take_while(|_| total > 0);
    chosen.truncate(total);
    for places in places {
        chosen = chosen
            .iter()
            .flat_map(|start| places.iter().map(move |place| start.saturating_add(*place)))
            .collect();
    }
    let chosen: Vec<usize> = chosen.into_iter().map(|index| index as usize).collect();
    Array::new(shape, array.elements().picked(&chosen)).ok_or_else(String::new)
}

/// Returns the places that a slice takes of so many, as Python's `slice.indices` counts them.
fn sliced(
    size: u64,
    from: Option<i128>,
    to: Option<i128>,
    step: i128,
    context: &mut Context,
) -> Result<Vec<u64>, String> {
    let size = i128::from(size);
    let (low, high) = match step {
        0 => return Err("slice step cannot be zero".to_owned()),
        1.. => (0, size),
        _ => (-1, size - 1),
    };
    let bound = |at: i128| match at {
        ..0 => at.saturating_add(size).clamp(low, high),
        _ => at.clamp(low, high),
    };
    let (first, end) = match step {
        1.. => (from.map_or(low, bound), to.map_or(high, bound)),
        _ => (from.map_or(high, bound), to.map_or(low, bound)),
    };
    let apart = if step > 0 { end - first } else { first - end };
    let length = match apart {
        1.. => (apart.unsigned_abs() - 1) / step.unsigned_abs() + 1,
        _ => 0,
    };
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    context.charge(length)?;
    Ok((0..i128::from(length))
        .map(|index| (first + index * step) as u64)
        .collect())
}
