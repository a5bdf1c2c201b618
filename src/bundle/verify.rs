use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::assemble::Assembly;
use super::cursor::is_piece;
use super::entry::{BundleEntry, Place};
use super::key::Key;
use super::parallel;
use super::reader::BundleReader;
use crate::error::{Error, Result};
use crate::tensor::TensorSlice;

/// What [`BundleReader::verify`] found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Verification {
    /// How many tensors there are, a partitioned one counted once.
    pub tensors: u64,
    /// How many bytes of tensors were compared with their checksums.
    pub bytes: u64,
    /// What keeps tensors from being read, in key order; and what is wrong with parts of the index
    /// that reading has no use for.
    pub faults: Vec<Error>,
    /// What can be read but should not be so: tensors whose bytes overlap in a shard, the first
    /// thousand.
    pub remarks: Vec<Error>,
}

impl Verification {
    /// Says whether every tensor can be read and has the bytes that were written.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Entries are handed to threads by so many bytes of tensors, or one that has more.
const BATCH_BYTES: u64 = 4 << 20;
const BATCH_ENTRIES: usize = 1024;

/// Overlaps come in hordes, and a few tell as much.
const MAX_REMARKS: usize = 1000;

/// A tensor of this size is worked on by all threads together.
const LARGE: u64 = 64 << 20;

pub(crate) fn verify(
    bundle: &BundleReader,
    progress: impl Fn(u64, u64) + Sync,
) -> Result<Verification> {
    let mut found = Verification::default();
    let mut stored: Vec<(Key, BundleEntry, Place)> = Vec::new();
    let mut partitioned = Vec::new();
    let mut last_name = None;
    let mut cursor = bundle.cursor();
    loop {
        match cursor.next_entry() {
            Ok(None) => break,
            Ok(Some((key, entry))) => {
                found.tensors += u64::from(!is_piece(bundle, key, &mut last_name));
                match entry.is_partitioned() {
                    true => partitioned.push((Key::from(key), entry)),
                    false => match entry.place(bundle.header()) {
                        Ok(place) => stored.push((key.into(), entry, place)),
                        Err(error) => found.faults.push(bundle.for_tensor(error, key)),
                    },
                }
            }
            Err(error) => found.faults.push(error),
        }
    }
    if let Err(error) = bundle.table().verify_unread() {
        found.faults.push(bundle.in_index(error));
    }
    stored.sort_unstable_by_key(|(_, _, place)| (place.shard, place.offset));
    found.remarks = overlaps(bundle, &stored);
    found.bytes = readable(bundle, &stored);
    if let Err(error) = bundle.shards().check_total(found.bytes) {
        found.bytes = 0;
        found.faults.push(bundle.in_index(error));
        return Ok(found);
    }

    let (checked, total) = (AtomicU64::new(0), found.bytes);
    let faults = Mutex::new(&mut found.faults);
    let note = |error: Error, key: &Key| {
        let mut faults = faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.push(bundle.for_tensor(error, key));
    };
    let check = |(key, entry, place): &(Key, BundleEntry, Place)| {
        if let Err(error) = bundle.stored_tensor(entry, *place) {
            note(error, key);
        }
        place.size
    };
    // What a shard does not have counts too, but not for the total.
    let check_all = |stored: &mut dyn Iterator<Item = &(Key, BundleEntry, Place)>| {
        let bytes = stored.map(check).fold(0, u64::saturating_add);
        let before = checked.fetch_add(bytes, Ordering::Relaxed);
        progress(before.saturating_add(bytes).min(total), total);
    };
    let batches = batches(&stored);
    parallel::for_each(batches.len(), bundle.shards().threads(), |i| {
        check_all(&mut batches[i].iter());
    });
    // Only now, so that no more threads are at work than were asked for.
    for large in stored.iter().filter(|(_, _, place)| place.size >= LARGE) {
        check_all(&mut std::iter::once(large));
    }
    for (key, entry) in &partitioned {
        let whole = TensorSlice::full(entry.shape().rank());
        if let Err(error) = Assembly::plan(bundle, key, entry, &whole) {
            note(error, key);
        }
    }
    found.faults.sort_by(|a, b| a.key().cmp(&b.key()));
    Ok(found)
}

/// Cuts the entries, large ones left out, into parts of some work each.
fn batches(stored: &[(Key, BundleEntry, Place)]) -> Vec<&[(Key, BundleEntry, Place)]> {
    let mut batches = Vec::new();
    for run in stored.split(|(_, _, place)| place.size >= LARGE) {
        let (mut start, mut bytes) = (0, 0);
        for (i, (_, _, place)) in run.iter().enumerate() {
            bytes += place.size;
            if bytes >= BATCH_BYTES || i - start == BATCH_ENTRIES {
                batches.push(&run[start..=i]);
                (start, bytes) = (i + 1, 0);
            }
        }
        batches.push(&run[start..]);
    }
    batches
}

/// Returns how many bytes reading all tensors that lie in their shards takes; `stored` is in file
/// order.
fn readable(bundle: &BundleReader, stored: &[(Key, BundleEntry, Place)]) -> u64 {
    let mut bytes = 0u64;
    let of_one_shard = |a: &(_, _, Place), b: &(_, _, Place)| a.2.shard == b.2.shard;
    for run in stored.chunk_by(of_one_shard) {
        // One that is missing is a fault of each of its tensors.
        let len = match run.first() {
            Some((_, _, place)) => bundle
                .shards()
                .open(place.shard)
                .map_or(0, |blob| blob.len()),
            None => 0,
        };
        let sizes = run.iter().filter_map(|(_, _, place)| {
            (place.offset.checked_add(place.size)? <= len).then_some(place.size)
        });
        bytes = sizes.fold(bytes, u64::saturating_add);
    }
    bytes
}

/// Finds tensors that begin before the one before them ends; `stored` is in file order.
fn overlaps(bundle: &BundleReader, stored: &[(Key, BundleEntry, Place)]) -> Vec<Error> {
    let mut remarks = Vec::new();
    let mut last: Option<(&Key, u32, u64)> = None;
    for (key, _, place) in stored.iter().filter(|(_, _, place)| place.size > 0) {
        let end = place.offset.saturating_add(place.size);
        if let Some((other, shard, other_end)) = last
            && shard == place.shard
            && place.offset < other_end
        {
            if remarks.len() == MAX_REMARKS {
                break;
            }
            let error = Error::malformed(format!("its bytes are also those of `{other}`"))
                .at(place.offset)
                .for_key(key)
                .in_file(bundle.shards().path(shard));
            remarks.push(error);
        }
        if last.is_none_or(|(_, shard, other_end)| shard != place.shard || other_end < end) {
            last = Some((key, place.shard, end));
        }
    }
    remarks
}
