use std::collections::BTreeSet;
use std::io::{self, Write};

use super::{
    DIRECTORY_HEADER, END, END_64, END_64_LEN, END_64_LOCATOR, EXTRA_64, LOCAL_HEADER,
    LOCAL_HEADER_LEN, STORED, UTF_8,
};
use crate::error::{Error, Result};
use crate::wire::crc::Crc32;

/// The bytes of members begin at a multiple of this, so that a map of the archive has them aligned.
const ALIGNMENT: u64 = 64;
/// The extra field that fills up to there, as other writers have it.
const EXTRA_ALIGNMENT: u16 = 0xd935;
/// The first day there is, so that the same members are the same archive.
const DATE: u16 = 0x0021;
/// Read and written by the owner, as Python's `zipfile` has it.
const ATTRIBUTES: u32 = 0o600 << 16;

/// Writes an archive of stored members to a target that need not be a file.
#[derive(Debug)]
pub(crate) struct ArchiveWriter<W> {
    target: W,
    written: u64,
    names: BTreeSet<String>,
    directory: Vec<u8>,
    entries: u64,
    /// Numbers from this one on stand in extra fields.
    long: u64,
}

impl<W: Write> ArchiveWriter<W> {
    pub(crate) fn new(target: W) -> Self {
        ArchiveWriter {
            target,
            written: 0,
            names: BTreeSet::new(),
            directory: Vec::new(),
            entries: 0,
            long: u32::MAX.into(),
        }
    }

    /// Writes a member. `contents` is called twice, to sum and to write, and must write the same
    /// bytes both times.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the name was there before, would leave the directory that somebody
    /// unpacks the archive to, or is longer than 65,535 bytes; what `contents` answers; `Io` as the
    /// target has it.
    pub(crate) fn add(
        &mut self,
        name: &str,
        mut contents: impl FnMut(&mut dyn Write) -> Result<()>,
    ) -> Result<()> {
        check_name(name)?;
        if self.names.contains(name) {
            return Err(Error::invalid_argument(
                "the archive has a member of that name",
            ));
        }
        let mut sum = Sum::default();
        contents(&mut sum)?;
        let header = self.local_header(name, &sum);
        let place = self.written;
        self.write(&header)?;
        self.written += sum.length;
        let mut again = Sum {
            target: Some(&mut self.target),
            ..Sum::default()
        };
        contents(&mut again)?;
        if (again.length, again.crc.value()) != (sum.length, sum.crc.value()) {
            return Err(Error::invalid_argument(
                "the member changed while it was written",
            ));
        }
        self.note(name, &sum, place);
        Ok(())
    }

    /// Writes the directory; returns the target, not flushed.
    ///
    /// # Errors
    ///
    /// What the target says.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let place = self.written;
        let directory = std::mem::take(&mut self.directory);
        self.write(&directory)?;
        let length = directory.len() as u64;
        let most = u64::from(u16::MAX).min(self.long);
        let mut end = Vec::new();
        if self.entries >= most || length >= self.long || place >= self.long {
            end.extend(END_64.to_le_bytes());
            end.extend((END_64_LEN - 12).to_le_bytes());
            put_16(&mut end, [0x032d, 45]);
            end.extend([0; 8]); // the only file, where the directory begins
            for number in [self.entries, self.entries, length, place] {
                end.extend(number.to_le_bytes());
            }
            end.extend(END_64_LOCATOR.to_le_bytes());
            end.extend([0; 4]);
            end.extend(self.written.to_le_bytes());
            end.extend(1u32.to_le_bytes());
        }
        let entries = if self.entries >= most {
            u16::MAX
        } else {
            self.entries as u16
        };
        end.extend(END.to_le_bytes());
        put_16(&mut end, [0, 0, entries, entries]);
        end.extend(self.short(length).to_le_bytes());
        end.extend(self.short(place).to_le_bytes());
        put_16(&mut end, [0]);
        self.write(&end)?;
        Ok(self.target)
    }

    fn local_header(&self, name: &str, sum: &Sum<'_>) -> Vec<u8> {
        let mut extra = Vec::new();
        if sum.length >= self.long {
            put_16(&mut extra, [EXTRA_64, 16]);
            extra.extend(sum.length.to_le_bytes());
            extra.extend(sum.length.to_le_bytes());
        }
        let unaligned = self.written + LOCAL_HEADER_LEN + (name.len() + extra.len() + 6) as u64;
        let padding = (unaligned.next_multiple_of(ALIGNMENT) - unaligned) as u16;
        put_16(&mut extra, [EXTRA_ALIGNMENT, 2 + padding, ALIGNMENT as u16]);
        extra.extend(std::iter::repeat_n(0, padding.into()));
        let mut header = LOCAL_HEADER.to_le_bytes().to_vec();
        self.put_facts(&mut header, name, sum, sum.length >= self.long);
        put_16(&mut header, [name.len() as u16, extra.len() as u16]);
        header.extend(name.as_bytes());
        header.extend(extra);
        header
    }

    /// Adds a member to the directory.
    fn note(&mut self, name: &str, sum: &Sum<'_>, place: u64) {
        let mut long = Vec::new();
        for number in [sum.length, sum.length, place] {
            if number >= self.long {
                long.extend(number.to_le_bytes());
            }
        }
        let mut extra = Vec::new();
        if !long.is_empty() {
            put_16(&mut extra, [EXTRA_64, long.len() as u16]);
            extra.extend(long);
        }
        let mut entry = DIRECTORY_HEADER.to_le_bytes().to_vec();
        put_16(&mut entry, [0x0314 + if extra.is_empty() { 0 } else { 25 }]);
        self.put_facts(&mut entry, name, sum, !extra.is_empty());
        put_16(&mut entry, [name.len() as u16, extra.len() as u16, 0, 0, 0]);
        entry.extend(ATTRIBUTES.to_le_bytes());
        entry.extend(self.short(place).to_le_bytes());
        entry.extend(name.as_bytes());
        entry.extend(extra);
        self.directory.extend(entry);
        self.entries += 1;
        self.names.insert(name.to_owned());
    }

    /// Puts what a member's local header and its entry in the directory have in common.
    fn put_facts(&self, record: &mut Vec<u8>, name: &str, sum: &Sum<'_>, is_long: bool) {
        let version = if is_long { 45 } else { 20 };
        let flags = if name.is_ascii() { 0 } else { UTF_8 };
        put_16(record, [version, flags, STORED, 0, DATE]);
        record.extend(sum.crc.value().to_le_bytes());
        let short = self.short(sum.length).to_le_bytes();
        record.extend(short);
        record.extend(short);
    }

    fn short(&self, number: u64) -> u32 {
        if number >= self.long {
            u32::MAX
        } else {
            number as u32
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.target.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

fn put_16<const N: usize>(record: &mut Vec<u8>, numbers: [u16; N]) {
    for number in numbers {
        record.extend(number.to_le_bytes());
    }
}

/// Refuses a name unless everybody unpacks it to the directory he chose, and Python reads it as it is.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let leaves = name.split('/').any(|part| matches!(part, "" | "." | ".."));
    if leaves || name.contains(['\0', '\\']) || u16::try_from(name.len()).is_err() {
        return Err(Error::invalid_argument(
            "no archive can have a member of that name: some would unpack it outside of their directory, or under another name",
        )
        .remedy("give it another name, without empty parts, `.`, `..`, backslashes and zero bytes"));
    }
    Ok(())
}

/// Counts and sums what is written, and passes it on.
#[derive(Default)]
struct Sum<'t> {
    target: Option<&'t mut dyn Write>,
    length: u64,
    crc: Crc32,
}

impl Write for Sum<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match &mut self.target {
            Some(target) => target.write(bytes)?,
            None => bytes.len(),
        };
        self.crc.update(&bytes[..count]);
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::error::ErrorKind;
    use crate::store::Blob;
    use crate::zip::Archive;

    fn archive(long: u64, members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ArchiveWriter::new(Vec::new());
        writer.long = long;
        for (name, bytes) in members {
            let contents = |target: &mut dyn Write| Ok(target.write_all(bytes)?);
            writer.add(name, contents).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn members_come_back_aligned() {
        let members = [("a", &b"first"[..]), ("b/é.npy", b""), ("c", &[7; 1000])];
        // With everything in extra fields, some of it, nothing.
        for long in [0, 2, 100, u32::MAX.into()] {
            let bytes = archive(long, &members);
            let archive = Archive::open(Blob::from_bytes(bytes)).unwrap();
            assert_eq!(archive.entries().len(), 3);
            for (entry, (name, contents)) in archive.entries().iter().zip(&members) {
                assert_eq!(entry.name(), *name);
                let member = archive.member(entry).unwrap();
                assert_eq!(member.place() % 64, 0);
                let stored = member.stored().unwrap();
                assert_eq!(stored.read(0, stored.len()).unwrap(), contents[..]);
                member.verify_stored().unwrap();
                let mut read = Vec::new();
                member.reader().read_to_end(&mut read).unwrap();
                assert_eq!(read, *contents);
            }
        }
    }

    #[test]
    fn every_changed_byte_of_a_member_is_noticed() {
        let whole = archive(u32::MAX.into(), &[("a", b"abcd")]);
        let start = whole.len() - 22 - 47 - 4;
        assert_eq!(whole[start..start + 4], *b"abcd");
        for place in start..start + 4 {
            let mut bytes = whole.clone();
            bytes[place] ^= 1;
            let archive = Archive::open(Blob::from_bytes(bytes)).unwrap();
            let member = archive.member(&archive.entries()[0]).unwrap();
            let error = member.verify_stored().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::ChecksumMismatch { .. }));
            assert!(member.reader().read_to_end(&mut Vec::new()).is_err());
        }
    }

    #[test]
    fn what_is_changed_anywhere_is_an_error_or_harmless() {
        for long in [0, u32::MAX.into()] {
            let whole = archive(long, &[("a", b"abcd"), ("b", &[1; 70])]);
            for place in 0..whole.len() {
                for change in [0x01, 0x80, 0xff] {
                    let mut bytes = whole.clone();
                    bytes[place] ^= change;
                    let Ok(archive) = Archive::open(Blob::from_bytes(bytes)) else {
                        continue;
                    };
                    for entry in archive.entries() {
                        if let Ok(member) = archive.member(entry) {
                            let mut read = Vec::new();
                            let ended = member.reader().read_to_end(&mut read).is_ok();
                            assert!(
                                !ended || read == b"abcd" || read == [1; 70] || read.is_empty()
                            );
                        }
                    }
                }
            }
            for length in 0..whole.len() {
                assert!(Archive::open(Blob::from_bytes(whole[..length].to_vec())).is_err());
            }
        }
    }

    #[test]
    fn names_that_leave_a_directory_are_refused() {
        let mut writer = ArchiveWriter::new(Vec::new());
        let long = "x".repeat(65_536);
        for name in [
            "", "/a", "../a", "a/../b", "a//b", "./a", "a/", "a\\b", "a\0b", &long,
        ] {
            let error = writer.add(name, |_| Ok(())).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::InvalidArgument { .. }),
                "{name}"
            );
        }
        for name in ["a", "a/.ATTRIBUTES/VARIABLE_VALUE", "..a", "é"] {
            writer.add(name, |_| Ok(())).unwrap();
        }
        assert!(writer.add("a", |_| Ok(())).is_err());
    }
}
