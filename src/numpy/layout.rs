/// Returns elements that stand with the first index varying fastest in row-major order. `bytes` has
/// as many elements of `size` bytes as `dims` say.
pub(super) fn row_major(bytes: &[u8], dims: &[u64], size: usize) -> Vec<u8> {
    let mut out = vec![0; bytes.len()];
    // Of dimensions whose elements are in memory, so within `usize`.
    let dims: Vec<usize> = dims.iter().map(|&dim| dim as usize).collect();
    let Some((&last, outer)) = dims.split_last() else {
        return bytes.to_vec();
    };
    if bytes.is_empty() || size == 0 {
        return out;
    }
    let strides: Vec<usize> = dims
        .iter()
        .scan(size, |stride, dim| {
            let this = *stride;
            *stride *= dim;
            Some(this)
        })
        .collect();
    let step = strides[outer.len()];
    let mut index = vec![0; outer.len()];
    for row in out.chunks_exact_mut(last * size) {
        let mut from: usize = index
            .iter()
            .zip(&strides)
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
    fn numbers_are_swapped() {
        let mut bytes = [1, 2, 3, 4];
        swap(&mut bytes, 2);
        assert_eq!(bytes, [2, 1, 4, 3]);
        swap(&mut bytes, 1);
        assert_eq!(bytes, [2, 1, 4, 3]);
    }
}
