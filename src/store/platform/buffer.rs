use std::io;
use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;
use prost::bytes::Bytes;

use super::native::advise_huge;

/// From this length on fresh memory comes in huge pages: with ordinary ones, the first touch of
/// each 4 KiB takes two thirds of the time of reading a large tensor.
const LARGE: usize = 4 << 20;
const HUGE_PAGE: usize = 2 << 20;

/// Fresh zeroed memory of a fixed length, to be filled and then shared as `Bytes`.
pub(crate) enum Buffer {
    Heap(Vec<u8>),
    Pages(Pages),
}

/// A map that begins at a huge page's boundary.
pub(crate) struct Pages {
    map: MmapMut,
    start: usize,
    len: usize,
}

impl Buffer {
    /// Takes memory for `len` bytes.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` if there is not so much.
    pub(crate) fn new(len: u64) -> io::Result<Self> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        if len >= LARGE
            && cfg!(not(savedmodel_portable))
            && let Some(pages) = Pages::new(len)
        {
            return Ok(Buffer::Pages(pages));
        }
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(len)
            .map_err(|_| io::ErrorKind::OutOfMemory)?;
        bytes.resize(len, 0);
        Ok(Buffer::Heap(bytes))
    }

    /// Freezes the memory into shared bytes; nothing is copied.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Buffer::Heap(bytes) => bytes.into(),
            Buffer::Pages(pages) => Bytes::from_owner(pages),
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Buffer::Heap(bytes) => bytes,
            Buffer::Pages(pages) => pages.as_ref(),
        }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Buffer::Heap(bytes) => bytes,
            Buffer::Pages(Pages { map, start, len }) => &mut map[*start..*start + *len],
        }
    }
}

impl Pages {
    fn new(len: usize) -> Option<Self> {
        let map = MmapMut::map_anon(len.checked_add(HUGE_PAGE)?).ok()?;
        // Advice, as the word says: without huge pages the memory is as good, only slower.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        let start = map.as_ptr().align_offset(HUGE_PAGE);
        (start <= HUGE_PAGE).then_some(Pages { map, start, len })
    }
}

/// Returns an empty `Vec` with room for `count` elements, in huge pages if that is much.
///
/// The limit is above the one up to which allocators cut memory from what they share, so that the
/// advice is for this memory alone.
pub(crate) fn reserve<T>(count: usize) -> Vec<T> {
    let vec: Vec<T> = Vec::with_capacity(count);
    let len = size_of::<T>() * vec.capacity();
    let first = vec.as_ptr().addr().next_multiple_of(HUGE_PAGE);
    let end = (vec.as_ptr().addr() + len) / HUGE_PAGE * HUGE_PAGE;
    if len >= OWN_MAP && first < end {
        advise_huge(first, end - first);
    }
    vec
}

const OWN_MAP: usize = 64 << 20;

impl AsRef<[u8]> for Pages {
    fn as_ref(&self) -> &[u8] {
        &self.map[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_buffers_are_zeroed_writable_and_shared() {
        for len in [0, 1, LARGE - 1, LARGE, LARGE + 1, 3 * HUGE_PAGE + 17] {
            let mut buffer = Buffer::new(len as u64).unwrap();
            assert_eq!(buffer.len(), len);
            assert!(buffer.iter().all(|&byte| byte == 0));
            if let Some(last) = buffer.last_mut() {
                *last = 7;
            }
            let bytes = buffer.into_bytes();
            assert_eq!(
                (bytes.len(), bytes.last().copied()),
                (len, (len > 0).then_some(7))
            );
        }
    }

    #[test]
    fn reserved_room_is_ordinary_room() {
        for count in [0, 1, OWN_MAP / 8, OWN_MAP / 8 + 77] {
            let mut numbers: Vec<u64> = reserve(count);
            assert!(numbers.capacity() >= count);
            let room = numbers.as_ptr();
            numbers.extend(0..count as u64);
            assert_eq!(numbers.as_ptr(), room);
            assert_eq!(numbers.last().copied(), (count as u64).checked_sub(1));
        }
    }

    #[test]
    fn too_much_is_an_error() {
        assert_eq!(
            Buffer::new(1 << 62).map(drop).unwrap_err().kind(),
            io::ErrorKind::OutOfMemory
        );
        assert_eq!(
            Buffer::new(u64::MAX).map(drop).unwrap_err().kind(),
            io::ErrorKind::OutOfMemory
        );
    }
}
