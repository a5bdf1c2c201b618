/// Returns elements that stand with the first index varying fastest in row-major order. `bytes` has
/// as many elements of `size` bytes as `dims` say.
pub(super) fn row_major(bytes: &[u8], dims: &[u64], size: usize) -> Vec<u8> {
    let dims = counted(dims);
    let strides = dims.iter().scan(size, |stride, dim| {
        let this = *stride;
        *stride = stride.saturating_mul(*dim);
        Some(this)
    });
    gathered(bytes, &dims, &strides.collect::<Vec<_>>(), size)
}

/// Returns the dimensions and elements of an array whose axes are put in another order, in row-major
/// order as they were before. `bytes` has as many elements of `size` bytes as `dims` say, and `axes`
/// each axis once.
pub(super) fn transposed(
    bytes: &[u8],
    dims: &[u64],
    axes: &[usize],
    size: usize,
) -> (Vec<u64>, Vec<u8>) {
    let counts = counted(dims);
    let mut strides = vec![size; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(counts[axis]);
    }
    let moved = |of: &[usize]| axes.iter().map(|&axis| of[axis]).collect::<Vec<_>>();
    let elements = gathered(bytes, &moved(&counts), &moved(&strides), size);
    (axes.iter().map(|&axis| dims[axis]).collect(), elements)
}

/// Dimensions whose elements are in memory are within `usize`, unless there are none.
fn counted(dims: &[u64]) -> Vec<usize> {
    dims.iter().map(|&dim| dim as usize).collect()
}

/// Returns elements in row-major order that are `strides` bytes apart on each axis.
fn gathered(bytes: &[u8], dims: &[usize], strides: &[usize], size: usize) -> Vec<u8> {
    let mut out = vec![0; bytes.len()];
    let (Some((&last, outer)), Some((&step, outer_strides))) =
        (dims.split_last(), strides.split_last())
    else {
        return bytes.to_vec();
    };
    if bytes.is_empty() || size == 0 {
        return out;
    }
    let mut index = vec![0; outer.len()];
    for row in out.chunks_exact_mut(last * size) {
        let mut from: usize = index
            .iter()
            .zip(outer_strides)
            .map(|(at, stride)| at * stride)
            .sum();
        for slot in row.chunks_exact_mut(size) {
            slot.copy_from_slice(&bytes[from..from + size]);
            from += step;
        }
        for (at, dim) in index.iter_mut().zip(outer).rev() {
            *at += 1;
            if *at < *dim {
                break;
            }
            *at = 0;
        }
    }
    out
}

/// Reverses the bytes of each number.
pub(super) fn swap(bytes: &mut [u8], width: usize) {
    if width > 1 {
        for number in bytes.chunks_exact_mut(width) {
            number.reverse();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fortran_order_is_turned_around() {
        // Element (i, j, k) of shape [2, 3, 2] is the number ijk.
        let fortran = [0, 100, 10, 110, 20, 120, 1, 101, 11, 111, 21, 121];
        let row = [0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121];
        assert_eq!(row_major(&fortran, &[2, 3, 2], 1), row);
        let wide = |numbers: [u8; 12]| numbers.map(|number| [number, 7]).concat();
        assert_eq!(row_major(&wide(fortran), &[2, 3, 2], 2), wide(row));
        assert_eq!(row_major(&[1, 2, 3], &[3], 1), [1, 2, 3]);
        assert_eq!(row_major(&[1, 2], &[], 2), [1, 2]);
        assert!(row_major(&[], &[2, 0, 3], 4).is_empty());
    }

    #[test]
    fn axes_are_put_in_another_order() {
        // Element (i, j, k) of shape [2, 1, 3] is the number ijk.
        let elements = [0, 1, 2, 100, 101, 102];
        let (dims, moved) = transposed(&elements, &[2, 1, 3], &[2, 0, 1], 1);
        assert_eq!((dims, moved), (vec![3, 2, 1], vec![0, 100, 1, 101, 2, 102]));
        assert_eq!(transposed(&[7], &[], &[], 1), (vec![], vec![7]));
        assert_eq!(transposed(&[], &[0, 9], &[1, 0], 4).0, [9, 0]);
    }

    #[test]
    fn numbers_are_swapped() {
        let mut bytes = [1, 2, 3, 4];
        swap(&mut bytes, 2);
        assert_eq!(bytes, [2, 1, 4, 3]);
        swap(&mut bytes, 1);
        assert_eq!(bytes, [2, 1, 4, 3]);
    }
}
