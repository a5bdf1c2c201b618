use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};
use crate::wire::varint;

/// Where bytes stand in a [`Space`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn len(self) -> u64 {
        u64::from(self.end.saturating_sub(self.start))
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start >= self.end
    }
}

/// Two stretches of bytes under one numbering: what is encoded again, and what a caller puts beside
/// it to stand in places of it.
#[derive(Clone, Copy)]
pub(crate) struct Space<'a> {
    input: &'a [u8],
    added: &'a [u8],
}

/// Protobuf's own limit, and what lets a [`Span`] say which stretch it is in.
pub(crate) const MAX_LEN: u64 = i32::MAX as u64;
const ADDED: u32 = 1 << 31;

impl<'a> Space<'a> {
    pub(crate) fn new(input: &'a [u8], added: &'a [u8]) -> Result<Self> {
        check_len(input.len() as u64)?;
        check_len(added.len() as u64)?;
        Ok(Space { input, added })
    }

    pub(crate) fn input(self) -> Span {
        Span {
            start: 0,
            end: self.input.len() as u32,
        }
    }

    /// Names a range of what was added.
    pub(crate) fn added(range: Range<usize>) -> Span {
        Span {
            start: ADDED | range.start as u32,
            end: ADDED | range.end as u32,
        }
    }

    #[inline]
    pub(crate) fn get(self, span: Span) -> &'a [u8] {
        let (bytes, start, end) = match span.start < ADDED {
            true => (self.input, span.start, span.end),
            false => (self.added, span.start & !ADDED, span.end & !ADDED),
        };
        bytes.get(start as usize..end as usize).unwrap_or_default()
    }
}

/// Refuses messages beyond protobuf's limit.
pub(crate) fn check_len(len: u64) -> Result<()> {
    match len <= MAX_LEN {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::TooLarge {
            what: "bytes of a protobuf message".to_owned(),
            size: len,
            limit: MAX_LEN,
        })),
    }
}

/// Encoded bytes as a list of pieces: parts of the [`Space`], and what was made between them.
#[derive(Default)]
pub(super) struct Rope {
    pieces: Vec<Piece>,
    made: Vec<u8>,
}

/// Below [`MADE`] it lies in the space, from there on in [`Rope::made`].
#[derive(Clone, Copy)]
struct Piece {
    start: u64,
    len: u64,
}

const MADE: u64 = 1 << 32;
/// A place in the list for a piece that is not known yet.
const RESERVED: Piece = Piece {
    start: u64::MAX,
    len: 0,
};
/// Shorter pieces are copied where that makes one piece of two.
const SHORT: u64 = 32;

impl Rope {
    pub(super) fn clear(&mut self) {
        self.pieces.clear();
        self.made.clear();
    }

    /// Appends bytes of the space.
    #[inline]
    pub(super) fn raw(&mut self, space: Space<'_>, span: Span) {
        if span.is_empty() {
            return;
        }
        let made_end = self.made_end();
        if let Some(last) = self.pieces.last_mut() {
            let end = last.start.wrapping_add(last.len);
            if end == u64::from(span.start) && last.start < MADE {
                last.len += span.len();
                return;
            }
            if end == made_end && last.start >= MADE && span.len() <= SHORT {
                last.len += span.len();
                self.made.extend_from_slice(space.get(span));
                return;
            }
        }
        self.pieces.push(Piece {
            start: u64::from(span.start),
            len: span.len(),
        });
    }

    /// Appends bytes that are made.
    pub(super) fn make(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> u64 {
        let start = self.made_end();
        write(&mut self.made);
        let len = self.made_end() - start;
        match self.pieces.last_mut() {
            Some(last) if last.start >= MADE && last.start.wrapping_add(last.len) == start => {
                last.len += len;
            }
            _ => self.pieces.push(Piece { start, len }),
        }
        len
    }

    /// Appends places for pieces and returns the first.
    #[inline]
    pub(super) fn reserve(&mut self, count: usize) -> usize {
        let slot = self.pieces.len();
        self.pieces.extend(std::iter::repeat_n(RESERVED, count));
        slot
    }

    /// Takes back all pieces from `slot` on.
    #[inline]
    pub(super) fn truncate(&mut self, slot: usize) {
        self.pieces.truncate(slot);
    }

    /// Puts bytes of the space in a place that was reserved.
    pub(super) fn set_raw(&mut self, slot: usize, span: Span) {
        if let Some(piece) = self.pieces.get_mut(slot) {
            *piece = Piece {
                start: u64::from(span.start),
                len: span.len(),
            };
        }
    }

    /// Puts a tag and a length in a place that was reserved; returns how long they are.
    pub(super) fn set_header(&mut self, slot: usize, number: u32, len: u64) -> u64 {
        let start = self.made_end();
        write_header(&mut self.made, number, len);
        let header = self.made_end() - start;
        if let Some(piece) = self.pieces.get_mut(slot) {
            *piece = Piece { start, len: header };
        }
        header
    }

    pub(super) fn pieces<'s>(&'s self, space: Space<'s>) -> impl Iterator<Item = &'s [u8]> {
        let held = self.pieces.iter().filter(|piece| piece.len > 0);
        held.map(move |&Piece { start, len }| match start.checked_sub(MADE) {
            Some(start) => {
                let end = start.saturating_add(len) as usize;
                self.made.get(start as usize..end).unwrap_or_default()
            }
            None => space.get(Span {
                start: start as u32,
                end: (start + len) as u32,
            }),
        })
    }

    fn made_end(&self) -> u64 {
        MADE + self.made.len() as u64
    }
}

pub(super) fn header_len(number: u32, len: u64) -> u64 {
    (varint::len_u64(u64::from(number) << 3) + varint::len_u64(len)) as u64
}

pub(super) fn write_header(out: &mut Vec<u8>, number: u32, len: u64) {
    varint::write_u64(out, u64::from(number) << 3 | 2);
    varint::write_u64(out, len);
}
