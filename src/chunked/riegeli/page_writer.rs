use std::io::{self, IoSlice, Seek, SeekFrom, Write};

/// The largest page that the system's cache of a file has. A write that begins and ends between such
/// pages is kept in whole ones; others are kept in ever smaller pages towards their ends, which take
/// longer to get, to fill and to bring to the disk.
const PAGE: u64 = 2 << 20;

/// Shorter slices are copied: to hand one over costs more than that.
const SHORT: usize = 4 << 10;

/// Writes a file from its beginning in pieces that are pages of the cache.
pub(super) struct PageWriter<W> {
    out: W,
    /// What is written, a multiple of the page.
    written: u64,
    /// What follows, less than a page.
    buffer: Vec<u8>,
}

impl<W: Write + Seek> PageWriter<W> {
    pub(super) fn new(out: W) -> Self {
        PageWriter {
            out,
            written: 0,
            buffer: Vec::with_capacity(PAGE as usize),
        }
    }

    /// Appends slices, none of which crosses a page's end, so that the file is `end` bytes long. Those
    /// that fill pages are written from where they lie.
    pub(super) fn append<'s>(
        &mut self,
        slices: impl Iterator<Item = &'s [u8]>,
        end: u64,
    ) -> io::Result<()> {
        let last_page = end - end % PAGE;
        let mut position = self.written + self.buffer.len() as u64;
        let mut lent = Vec::new();
        for slice in slices {
            match slice.len() >= SHORT && position < last_page {
                true => lent.push((self.buffer.len(), slice)),
                false => self.buffer.extend_from_slice(slice),
            }
            position += slice.len() as u64;
            if position.is_multiple_of(PAGE) {
                self.write(&lent)?;
                lent.clear();
                self.written = position;
            }
        }
        Ok(())
    }

    /// Puts other bytes in place of those at `start`, which are on one page.
    pub(super) fn patch(&mut self, start: u64, bytes: &[u8]) -> io::Result<()> {
        if let Some(at) = start.checked_sub(self.written) {
            let to = self.buffer.iter_mut().skip(at as usize);
            to.zip(bytes).for_each(|(to, from)| *to = *from);
            return Ok(());
        }
        self.out.seek(SeekFrom::Start(start))?;
        self.out.write_all(bytes)?;
        self.out.seek(SeekFrom::Start(self.written))?;
        Ok(())
    }

    /// Writes the rest; returns the file.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.write(&[])?;
        Ok(self.out)
    }

    /// Writes the buffer and, between its bytes, slices: each stands behind so many of them.
    fn write(&mut self, lent: &[(usize, &[u8])]) -> io::Result<()> {
        let mut slices = Vec::with_capacity(2 * lent.len() + 1);
        let (mut left, mut done) = (&self.buffer[..], 0);
        for (behind, slice) in lent {
            let (before, after) = left.split_at(behind - done);
            slices.extend([IoSlice::new(before), IoSlice::new(slice)]);
            (left, done) = (after, *behind);
        }
        slices.push(IoSlice::new(left));
        slices.retain(|slice| !slice.is_empty());
        write_all(&mut self.out, &mut slices)?;
        self.buffer.clear();
        Ok(())
    }
}

fn write_all(out: &mut impl Write, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    while !slices.is_empty() {
        match out.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(len) => IoSlice::advance_slices(&mut slices, len),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Remembers how long its file was after each write, and takes as many bytes as it likes.
    #[derive(Default)]
    struct Cut {
        bytes: io::Cursor<Vec<u8>>,
        most: usize,
        ends: Vec<u64>,
    }

    impl Write for Cut {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.write_vectored(&[IoSlice::new(bytes)])
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            let len = all.len().min(self.most);
            self.bytes.write_all(&all[..len])?;
            self.ends.push(self.bytes.position());
            Ok(len)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for Cut {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.bytes.seek(to)
        }
    }

    fn cut(most: usize) -> Cut {
        Cut {
            most,
            ..Cut::default()
        }
    }

    /// Slices of many lengths, of three pages and a half.
    fn slices(source: &[u8]) -> Vec<&[u8]> {
        let lens = [1, 5000, 24, 60_000, SHORT, SHORT - 1, 65_512];
        let (mut slices, mut start) = (Vec::new(), 0);
        for len in lens.into_iter().cycle() {
            let in_page = PAGE as usize - start % PAGE as usize;
            let end = (start + len.min(in_page)).min(source.len());
            slices.push(&source[start..end]);
            start = end;
            if start == source.len() {
                return slices;
            }
        }
        slices
    }

    #[test]
    fn all_writes_end_where_pages_do() {
        let source: Vec<u8> = (0..7 * PAGE / 2).map(|i| ((i * 131) >> 5) as u8).collect();
        let slices = slices(&source);
        for at in [0, 1, 40, 41, slices.len() / 2, slices.len()] {
            let (one, two) = slices.split_at(at);
            let len = |slices: &[&[u8]]| slices.iter().map(|slice| slice.len()).sum::<usize>();
            let mut writer = PageWriter::new(cut(usize::MAX));
            for (slices, end) in [(one, len(one)), (two, source.len())] {
                let slices = slices.iter().copied();
                writer.append(slices, end as u64).unwrap();
            }
            let out = writer.finish().unwrap();
            assert!(out.bytes.into_inner() == source, "cut at {at}");
            assert_eq!(out.ends, [PAGE, 2 * PAGE, 3 * PAGE, source.len() as u64]);
        }
    }

    #[test]
    fn what_takes_less_gets_the_rest_again() {
        let source: Vec<u8> = (0..7 * PAGE / 2).map(|i| ((i * 131) >> 5) as u8).collect();
        let mut writer = PageWriter::new(cut(77_777));
        let slices = slices(&source).into_iter();
        writer.append(slices, source.len() as u64).unwrap();
        assert!(writer.finish().unwrap().bytes.into_inner() == source);

        let mut full = PageWriter::new(cut(0));
        full.append([&b"abc"[..]].into_iter(), 3).unwrap();
        let error = full.finish().err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }

    #[test]
    fn bytes_are_replaced_wherever_they_are() {
        let mut source = vec![7; 5 * PAGE as usize / 2];
        let mut writer = PageWriter::new(cut(usize::MAX));
        for slice in source.chunks(1 << 16) {
            let end = writer.written + writer.buffer.len() as u64 + slice.len() as u64;
            writer.append([slice].into_iter(), end).unwrap();
        }
        for at in [3, PAGE - 2, 2 * PAGE, 2 * PAGE + 99] {
            writer.patch(at, &[1, 2]).unwrap();
            source[at as usize..][..2].copy_from_slice(&[1, 2]);
        }
        writer.append([&[9; 70][..]].into_iter(), 0).unwrap();
        source.extend([9; 70]);
        assert!(writer.finish().unwrap().bytes.into_inner() == source);
    }
}
