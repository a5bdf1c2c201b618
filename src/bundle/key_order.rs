//! Sorting by keys that have much in common, as names of variables do.

use crate::table;

/// Up to this many items are compared key by key.
const FEW: usize = 24;

/// Sorts items by their keys, no two of which are equal.
///
/// What all keys of a group share is passed over, the next eight bytes of each are compared as one
/// number, and where those are equal the items are a group again. So of a key only the part that
/// tells it apart is looked at, where a comparison of two keys would walk through all that
/// they share.
pub(crate) fn sort<'k, T: Copy>(items: &mut [T], key: impl Fn(T) -> &'k [u8]) {
    let mut words: Vec<(u64, T)> = items.iter().map(|&item| (0, item)).collect();
    // Where a group lies, and how much its keys are known to share. Not the stack of calls, whose
    // depth would be for the keys to say.
    let mut groups = vec![(0..words.len(), 0)];
    while let Some((range, shared)) = groups.pop() {
        let group = &mut words[range.clone()];
        if group.len() <= FEW {
            group.sort_unstable_by(|a, b| rest(key(a.1), shared).cmp(rest(key(b.1), shared)));
            continue;
        }
        let shared = shared + shared_by_all(group, shared, &key);
        for (word, item) in group.iter_mut() {
            *word = word_at(key(*item), shared);
        }
        group.sort_unstable_by_key(|(word, _)| *word);
        let mut start = 0;
        for same in group.chunk_by_mut(|a, b| a.0 == b.0) {
            let len = same.len();
            if len > 1 {
                // A key that ends within the word is the beginning of those that do not.
                same.sort_unstable_by_key(|(_, item)| key(*item).len().min(shared + 9));
                let ended = same.partition_point(|(_, item)| key(*item).len() <= shared + 8);
                let from = range.start + start;
                groups.push((from + ended..from + len, shared + 8));
            }
            start += len;
        }
    }
    for (item, (_, sorted)) in items.iter_mut().zip(words) {
        *item = sorted;
    }
}

/// Returns how many bytes behind the first `shared` are the same in all keys.
fn shared_by_all<'k, T: Copy>(
    group: &[(u64, T)],
    shared: usize,
    key: &impl Fn(T) -> &'k [u8],
) -> usize {
    let Some((first, others)) = group.split_first() else {
        return 0;
    };
    let first = rest(key(first.1), shared);
    others.iter().fold(first.len(), |len, (_, item)| match len {
        0 => 0,
        _ => table::shared_len(&first[..len], rest(key(*item), shared)),
    })
}

fn rest(key: &[u8], from: usize) -> &[u8] {
    key.get(from..).unwrap_or_default()
}

/// Returns the eight bytes from `at` on as a number that orders as they do, zeros behind the end.
fn word_at(key: &[u8], at: usize) -> u64 {
    let rest = rest(key, at);
    match rest.first_chunk() {
        Some(word) => u64::from_be_bytes(*word),
        None => {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            u64::from_be_bytes(word)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keys: &[Vec<u8>]) {
        let mut items: Vec<usize> = (0..keys.len()).collect();
        let mut expected = items.clone();
        sort(&mut items, |i| &keys[i]);
        expected.sort_by(|a, b| keys[*a].cmp(&keys[*b]));
        assert_eq!(items, expected);
    }

    #[test]
    fn keys_are_in_the_order_of_their_bytes() {
        let names = |count: u32, step: u32| -> Vec<Vec<u8>> {
            (0..count)
                .map(|i| i * step % count)
                .map(|i| format!("model/block_{}/layer-{}/kernel", i / 100, i % 100).into())
                .collect()
        };
        check(&[]);
        check(&names(1, 1));
        check(&names(5000, 1));
        check(&names(5000, 1237));
        // Ends and zeros, which a word does not tell apart.
        let mut zeros: Vec<Vec<u8>> = (0..60).map(|len| vec![0; len]).collect();
        zeros.extend((0..60).map(|len| [vec![0; len], vec![1]].concat()));
        zeros.extend((0..60).map(|len| [vec![0; len], vec![0xff]].concat()));
        check(&zeros);
        // A chain: each the beginning of the next.
        let chain: Vec<Vec<u8>> = (0..300).rev().map(|len| vec![b'a'; 5 * len]).collect();
        check(&chain);
        let ends = |i: usize| (b'a'..=b'z').map(move |end| [vec![b'a'; 5 * i], vec![end]].concat());
        check(&(0..100).flat_map(ends).collect::<Vec<_>>());
    }
}
