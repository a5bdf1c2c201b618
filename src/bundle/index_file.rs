use std::io::{self, BufWriter, Write};
use std::sync::{Mutex, PoisonError};

use super::header::Header;
use super::index_merge::{self, ShardNumbers};
use super::parallel;
use super::pending_entries::{PendingEntries, SortedEntries};
use crate::error::Result;
use crate::store::PendingFile;
use crate::table;

/// Several blocks of an index are written at once.
const BUFFER: usize = 1 << 20;

/// Writes an index: the header and what `fill` adds.
pub(crate) fn write(
    file: PendingFile,
    block_size: usize,
    header: &[u8],
    fill: impl FnOnce(&mut table::Writer<BufWriter<PendingFile>>) -> Result<()>,
) -> Result<PendingFile> {
    let buffered = BufWriter::with_capacity(BUFFER, file);
    let mut table = table::Writer::new(buffered).with_block_size(block_size);
    table.add(b"", header)?;
    fill(&mut table)?;
    let mut file = table.finish()?;
    file.flush()?;
    Ok(file.into_inner().map_err(io::IntoInnerError::into_error)?)
}

/// Writes the index of a bundle whose entries are in several lists, each with the numbers that its
/// shards have.
pub(crate) fn write_lists(
    file: PendingFile,
    block_size: usize,
    num_shards: u32,
    lists: Vec<PendingEntries>,
    numbers: &[ShardNumbers],
) -> Result<PendingFile> {
    let mut sorted = sort_all(lists);
    let header = Header {
        num_shards,
        ..Header::WRITTEN
    };
    write(file, block_size, &header.encode(), |table| {
        match &mut sorted[..] {
            // All numbers stay as they are.
            [entries] if num_shards == 1 => {
                while let Some((key, entry)) = entries.current() {
                    table.add(key, entry)?;
                    entries.advance();
                }
                Ok(())
            }
            lists => index_merge::merge(lists, numbers, |key, entry| table.add(key, entry)),
        }
    })
}

/// Puts the entries of all lists in order, each list on a thread of its own: there were as many
/// at work before.
fn sort_all(lists: Vec<PendingEntries>) -> Vec<SortedEntries> {
    let lists: Vec<_> = lists
        .into_iter()
        .map(|list| Mutex::new((list, None)))
        .collect();
    parallel::for_each(lists.len(), lists.len(), |i| {
        let mut list = lists[i].lock().unwrap_or_else(PoisonError::into_inner);
        list.1 = Some(std::mem::take(&mut list.0).into_sorted());
    });
    let lists = lists.into_iter().map(|list| {
        let (entries, sorted) = list.into_inner().unwrap_or_else(PoisonError::into_inner);
        sorted.unwrap_or_else(|| entries.into_sorted())
    });
    lists.collect()
}
