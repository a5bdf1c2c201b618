use std::collections::HashMap;
use std::sync::Arc;

use prost::bytes::Bytes;

use super::contents::Held;
use super::file::{ChunkedProto, expect_size};
use super::plan::{Node, Piece, Plan};
use super::riegeli::{ChunkHeader, Values};
use super::rope::field_len;
use crate::error::{Error, Result};
use crate::store::platform::Buffer;
use crate::wire::{Message, varint};

/// How long every message is, and the work that is left: to copy parts of chunks.
pub(super) struct Layout<'a> {
    file: &'a ChunkedProto,
    nodes: Vec<Node>,
    lengths: Vec<u64>,
    held: HashMap<u64, Arc<Held>>,
    /// The records of all chunks that take part.
    places: HashMap<u32, (ChunkHeader, u64)>,
}

/// A part of a chunk, and where it goes.
#[derive(Clone, Copy)]
struct Part {
    chunk: u32,
    start: u64,
    end: u64,
    to: u64,
}

impl<'a> Layout<'a> {
    pub(super) fn new(file: &'a ChunkedProto, plan: Plan<'_>) -> Result<Self> {
        let (nodes, held) = (plan.nodes, plan.held);
        // Proves that the lengths of chunks are what the file has.
        let places = places(file, &nodes)?;
        let mut lengths = vec![0u64; nodes.len()];
        // What stands in a message comes after it.
        for (at, node) in nodes.iter().enumerate().rev() {
            let mut len = 0u64;
            for piece in &node.pieces {
                len = len.saturating_add(match piece {
                    Piece::Span { start, end, .. } => end - start,
                    Piece::Node { number, node } => field_len(*number, lengths[*node as usize]),
                    Piece::Leaf { number, chunk } => field_len(*number, file.size(*chunk)),
                    Piece::Inline(bytes) => bytes.len() as u64,
                    Piece::Gone => 0,
                });
            }
            lengths[at] = len;
        }
        file.check_limit("the merged message", lengths[0])?;
        Ok(Layout {
            file,
            nodes,
            lengths,
            held,
            places,
        })
    }

    /// Takes memory for the message and fills it.
    pub(super) fn fill(mut self) -> Result<Bytes> {
        let places = std::mem::take(&mut self.places);
        let mut out = Buffer::new(self.lengths[0])?;
        let (mut parts, unchecked) = self.draw(&mut out);
        drop(std::mem::take(&mut self.nodes));
        // In the order of the file, so that everything is read once.
        parts.sort_unstable_by_key(|part| (self.file.position(part.chunk), part.start));
        let mut spent = 0u64;
        let mut rest = &parts[..];
        while let Some(first) = rest.first() {
            let Some((header, _)) = places.get(&first.chunk) else {
                return Err(changed());
            };
            spent = spent.saturating_add(header.decoded_size);
            let same = |part: &&Part| {
                places
                    .get(&part.chunk)
                    .is_some_and(|p| p.0.begin == header.begin)
            };
            let count = rest.iter().take_while(same).count();
            let (now, later) = rest.split_at(count);
            self.file.check_limit("what chunks decompress to", spent)?;
            self.copy(*header, now, &places, &mut out)?;
            rest = later;
        }
        for (start, end) in unchecked {
            check_fields(out.get(start as usize..end as usize).unwrap_or(&[]))?;
        }
        Ok(out.into_bytes())
    }

    /// Writes what is not in chunks; returns the parts that are, and the places of those that have
    /// not been looked into: whole messages or fields of one.
    fn draw(&self, out: &mut [u8]) -> (Vec<Part>, Vec<(u64, u64)>) {
        let mut pen = Pen { out, position: 0 };
        let (mut parts, mut unchecked): (Vec<Part>, _) = (Vec::new(), Vec::new());
        let mut add = |chunk, start, end, to| match parts.last_mut() {
            Some(last)
                if last.chunk == chunk
                    && last.end == start
                    && last.to + (start - last.start) == to =>
            {
                last.end = end;
            }
            // Nothing to copy; an empty chunk is read all the same.
            _ if start == end && start != 0 => {}
            _ => parts.push(Part {
                chunk,
                start,
                end,
                to,
            }),
        };
        let mut open = vec![(0u32, 0usize)];
        while let Some((node, next)) = open.last_mut() {
            let node = &self.nodes[*node as usize];
            let Some(piece) = node.pieces.get(*next) else {
                open.pop();
                continue;
            };
            *next += 1;
            match piece {
                Piece::Span { chunk, start, end } => {
                    add(*chunk, *start, *end, pen.position);
                    if !node.is_looked_into() {
                        unchecked.push((pen.position, pen.position + (end - start)));
                    }
                    pen.position += end - start;
                }
                Piece::Node { number, node } => {
                    pen.header(*number, self.lengths[*node as usize]);
                    open.push((*node, 0));
                }
                Piece::Leaf { number, chunk } => {
                    let size = self.file.size(*chunk);
                    pen.header(*number, size);
                    add(*chunk, 0, size, pen.position);
                    pen.position += size;
                }
                Piece::Inline(bytes) => pen.put(bytes),
                Piece::Gone => {}
            }
        }
        (parts, unchecked)
    }

    /// Copies the parts of one Riegeli chunk.
    fn copy(
        &mut self,
        header: ChunkHeader,
        parts: &[Part],
        places: &HashMap<u32, (ChunkHeader, u64)>,
        out: &mut [u8],
    ) -> Result<()> {
        let mut starts: HashMap<u32, u64> = HashMap::new();
        if let Some(held) = self.held.remove(&header.begin) {
            for part in parts {
                let (start, len) = held.record(index_of(part, places)?, &header)?;
                expect_size(Some(self.file.size(part.chunk)), len, &header)?;
                starts.insert(part.chunk, start);
            }
            return copy_held(held, parts, &starts, out);
        }
        let values = self.file.records().values(header)?;
        self.find_starts(&values, header, parts, places, &mut starts)?;
        let of = |part: &Part| {
            starts
                .get(&part.chunk)
                .map_or(0, |start| start + part.start)
        };
        let len = |part: &Part| part.end - part.start;
        if parts
            .windows(2)
            .any(|pair| of(&pair[0]) + len(&pair[0]) > of(&pair[1]))
        {
            // Something is wanted twice.
            drop(values);
            return copy_held(self.file.hold(header)?, parts, &starts, out);
        }
        let mut values = values;
        for part in parts {
            values.skip_to(of(part))?;
            let target = out.get_mut(part.to as usize..(part.to + len(part)) as usize);
            values.read_exact(target.ok_or_else(changed)?)?;
        }
        values.finish()
    }

    /// Finds where the records begin that the parts are of.
    fn find_starts(
        &self,
        values: &Values,
        header: ChunkHeader,
        parts: &[Part],
        places: &HashMap<u32, (ChunkHeader, u64)>,
        starts: &mut HashMap<u32, u64>,
    ) -> Result<()> {
        let mut lengths = values.lengths();
        let (mut index, mut start, mut len) = (0, 0, lengths.next());
        // Parts are sorted by the position of their records.
        for part in parts {
            let wanted = index_of(part, places)?;
            while index < wanted {
                start += len.ok_or_else(changed)?;
                len = lengths.next();
                index += 1;
            }
            expect_size(
                Some(self.file.size(part.chunk)),
                len.ok_or_else(changed)?,
                &header,
            )?;
            starts.insert(part.chunk, start);
        }
        Ok(())
    }
}

/// Finds the records of all chunks that take part.
fn places(file: &ChunkedProto, nodes: &[Node]) -> Result<HashMap<u32, (ChunkHeader, u64)>> {
    let pieces = nodes.iter().flat_map(|node| &node.pieces);
    let mut chunks: Vec<u32> = pieces
        .filter_map(|piece| match piece {
            Piece::Span { chunk, .. } | Piece::Leaf { chunk, .. } => Some(*chunk),
            _ => None,
        })
        .collect();
    chunks.sort_unstable_by_key(|chunk| (file.position(*chunk), *chunk));
    chunks.dedup();
    let place = |chunk| Ok((chunk, file.place(chunk)?));
    chunks.into_iter().map(place).collect()
}

fn index_of(part: &Part, places: &HashMap<u32, (ChunkHeader, u64)>) -> Result<u64> {
    places
        .get(&part.chunk)
        .map(|place| place.1)
        .ok_or_else(changed)
}

/// Copies parts of records in memory, and gives back what nobody needs any more.
fn copy_held(
    mut held: Arc<Held>,
    parts: &[Part],
    starts: &HashMap<u32, u64>,
    out: &mut [u8],
) -> Result<()> {
    let of = |part: &Part| {
        starts
            .get(&part.chunk)
            .map_or(0, |start| start + part.start)
    };
    for (i, part) in parts.iter().enumerate() {
        let needed = parts.get(i + 1).map_or(u64::MAX, of);
        let (mut from, mut to) = (of(part), part.to);
        let end = part.to + (part.end - part.start);
        while to < end {
            let len = (end - to).min(STRIDE);
            let target = out.get_mut(to as usize..(to + len) as usize);
            held.copy(from, target.ok_or_else(changed)?);
            from += len;
            to += len;
            if let Some(held) = Arc::get_mut(&mut held) {
                held.release(from.min(needed));
            }
        }
    }
    Ok(())
}

/// After so many bytes memory is given back.
const STRIDE: u64 = 4 << 20;

/// Proves that bytes are fields from the first to the last.
fn check_fields(bytes: &[u8]) -> Result<()> {
    match Message::new(bytes).fields().find_map(Result::err) {
        Some(_) => Err(Error::malformed("a chunk is not the message it should be")),
        None => Ok(()),
    }
}

fn changed() -> Error {
    Error::malformed("the file changed while it was read")
}

/// Writes the message's own bytes.
struct Pen<'a> {
    out: &'a mut [u8],
    position: u64,
}

impl Pen<'_> {
    fn header(&mut self, number: u32, len: u64) {
        let mut header = Vec::with_capacity(20);
        varint::write_u64(&mut header, u64::from(number) << 3 | 2);
        varint::write_u64(&mut header, len);
        self.put(&header);
    }

    fn put(&mut self, bytes: &[u8]) {
        let start = self.position as usize;
        if let Some(target) = self.out.get_mut(start..start + bytes.len()) {
            target.copy_from_slice(bytes);
        }
        self.position += bytes.len() as u64;
    }
}
