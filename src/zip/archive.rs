use super::{
    DEFLATED, DIRECTORY_HEADER, DIRECTORY_HEADER_LEN, END, END_64, END_64_LEN, END_64_LOCATOR,
    END_64_LOCATOR_LEN, END_LEN, EXTRA_64, LOCAL_HEADER, LOCAL_HEADER_LEN, Member, STORED,
};
use crate::error::{Error, Result};
use crate::store::Blob;

/// So long may the comment behind the end record be.
const LONGEST_COMMENT: u64 = u16::MAX as u64;
/// Deflate makes at most so many bytes of one.
const MAX_RATIO: u64 = 1032;

/// An archive whose directory was read.
#[derive(Debug)]
pub(crate) struct Archive {
    blob: Blob,
    /// In the order of the directory.
    entries: Vec<Entry>,
    /// Where the directory begins, so that members end before it.
    directory: u64,
}

/// What the directory says of a member.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    name: String,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    /// Where its local header is.
    place: u64,
}

impl Archive {
    /// Reads the directory of an archive.
    ///
    /// # Errors
    ///
    /// `Malformed` if it is none or contradicts itself; `Unsupported` for one in several files and
    /// for names that are no UTF-8.
    pub(crate) fn open(blob: Blob) -> Result<Self> {
        let end = End::find(&blob)?;
        let bytes = blob.read(end.directory, end.length)?;
        let mut fields = Fields::new(&bytes);
        // As many as there can be, whatever the number says.
        let most = end.length / DIRECTORY_HEADER_LEN;
        let mut entries = Vec::with_capacity(end.entries.min(most) as usize);
        for _ in 0..end.entries {
            let entry = Entry::read(&mut fields).map_err(|error| error.shifted(end.directory))?;
            entries.push(entry);
        }
        Ok(Archive {
            blob,
            entries,
            directory: end.directory,
        })
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the bytes of a member, not unpacked yet.
    ///
    /// # Errors
    ///
    /// `Malformed` if its local header says something else than the directory or its bytes reach
    /// into the directory; `Unsupported` if it is encrypted or compressed in another way than
    /// deflate.
    pub(crate) fn member(&self, entry: &Entry) -> Result<Member> {
        let refuse = |what: String| Err(Error::unsupported(what).at(entry.place));
        if entry.flags & 1 != 0 {
            return refuse(format!("`{}` is encrypted", entry.name));
        }
        if entry.method != STORED && entry.method != DEFLATED {
            return refuse(format!(
                "`{}` is compressed by method {}, where 0 (stored) and 8 (deflated) are known",
                entry.name, entry.method
            ));
        }
        let malformed = |what: &str| Err(Error::malformed(what).at(entry.place));
        let header = self.blob.read(entry.place, LOCAL_HEADER_LEN)?;
        let mut fields = Fields::new(&header);
        if fields.u32()? != LOCAL_HEADER {
            return malformed("no member of the archive begins here");
        }
        fields.skip(22)?;
        let (name, extra) = (u64::from(fields.u16()?), u64::from(fields.u16()?));
        let stored_name = self.blob.read(entry.place + LOCAL_HEADER_LEN, name)?;
        if stored_name != entry.name.as_bytes() {
            return malformed("the member has another name than in the archive's directory");
        }
        let start = entry.place + LOCAL_HEADER_LEN + name + extra;
        if start
            .checked_add(entry.packed)
            .is_none_or(|end| end > self.directory)
        {
            return malformed("the member reaches into the archive's directory");
        }
        let is_deflated = entry.method == DEFLATED;
        let possible = match is_deflated {
            true => entry.size <= entry.packed.saturating_mul(MAX_RATIO),
            false => entry.size == entry.packed,
        };
        if !possible {
            return malformed("the member cannot have the size that the archive's directory says");
        }
        let packed = self.blob.part(start, entry.packed)?;
        Ok(Member::new(
            packed,
            start,
            entry.size,
            entry.crc,
            is_deflated,
        ))
    }
}

impl Entry {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn read(fields: &mut Fields<'_>) -> Result<Entry> {
        let start = fields.at;
        let fault = |what: &str| Error::malformed(what).at(start as u64);
        if fields.u32()? != DIRECTORY_HEADER {
            return Err(fault("no entry of the archive's directory begins here"));
        }
        fields.skip(4)?;
        let (flags, method) = (fields.u16()?, fields.u16()?);
        fields.skip(4)?;
        let crc = fields.u32()?;
        let (packed, size) = (fields.u32()?, fields.u32()?);
        let (name, extra, comment) = (fields.u16()?, fields.u16()?, fields.u16()?);
        fields.skip(8)?;
        let place = fields.u32()?;
        let name = fields.take(name.into())?;
        let extra = fields.take(extra.into())?;
        fields.skip(comment.into())?;
        let name = std::str::from_utf8(name).map_err(|_| {
            Error::unsupported("the name of a member is not UTF-8").at(start as u64)
        })?;
        // In this order, and only those that are not where they belong.
        let mut long = Fields::new(extra_64(extra));
        let mut wide = |short: u32| match short {
            u32::MAX if !long.is_empty() => long.u64(),
            short => Ok(short.into()),
        };
        let numbers = (|| Ok((wide(size)?, wide(packed)?, wide(place)?)))();
        let (size, packed, place) =
            numbers.map_err(|_: Error| fault("the long sizes of a member are cut short"))?;
        Ok(Entry {
            name: name.to_owned(),
            flags,
            method,
            crc,
            packed,
            size,
            place,
        })
    }
}

/// Finds the field with long sizes among the extra ones; nothing where there is none.
fn extra_64(extra: &[u8]) -> &[u8] {
    let mut fields = Fields::new(extra);
    while let (Ok(kind), Ok(length)) = (fields.u16(), fields.u16()) {
        match fields.take(length.into()) {
            Ok(field) if kind == EXTRA_64 => return field,
            Ok(_) => {}
            Err(_) => break,
        }
    }
    &[]
}

/// Where the directory is.
struct End {
    entries: u64,
    directory: u64,
    length: u64,
}

impl End {
    fn find(blob: &Blob) -> Result<End> {
        let start = blob.len().saturating_sub(END_LEN + LONGEST_COMMENT);
        let tail = blob.read(start, blob.len() - start)?;
        let is_end = |at: &usize| {
            let comment = tail.get(at + 20..at + 22);
            let comment = comment.map(|bytes| usize::from(bytes[0]) | usize::from(bytes[1]) << 8);
            tail[*at..].starts_with(&END.to_le_bytes())
                && comment.is_some_and(|length| at + END_LEN as usize + length == tail.len())
        };
        // From behind, for a comment or a member may look like one.
        let at = (0..tail.len()).rev().find(is_end).ok_or_else(|| {
            Error::malformed("not a zip archive, or one cut short: the end record is missing")
        })?;
        let place = start + at as u64;
        let end = End::read(blob, &tail[at..], place).map_err(|error| error.at(place))?;
        match end.directory.checked_add(end.length) {
            Some(last) if last <= place => Ok(end),
            _ => Err(
                Error::malformed("the archive's directory reaches beyond its end record").at(place),
            ),
        }
    }

    fn read(blob: &Blob, record: &[u8], place: u64) -> Result<End> {
        let mut fields = Fields::new(record);
        fields.skip(4)?;
        let disks = (fields.u16()?, fields.u16()?);
        let (here, entries) = (fields.u16()?, fields.u16()?);
        let (length, directory) = (fields.u32()?, fields.u32()?);
        let several = || Err(Error::unsupported("a zip archive in several files"));
        if let Some(end) = End::read_64(blob, place)? {
            return match end {
                (0, 0, end) => Ok(end),
                _ => several(),
            };
        }
        match disks == (0, 0) && here == entries {
            true => Ok(End {
                entries: entries.into(),
                directory: directory.into(),
                length: length.into(),
            }),
            false => several(),
        }
    }

    /// Reads the longer record, if there is a locator of one before the end record.
    fn read_64(blob: &Blob, place: u64) -> Result<Option<(u32, u32, End)>> {
        let Some(locator) = place.checked_sub(END_64_LOCATOR_LEN) else {
            return Ok(None);
        };
        let bytes = blob.read(locator, END_64_LOCATOR_LEN)?;
        let mut fields = Fields::new(&bytes);
        if fields.u32()? != END_64_LOCATOR {
            return Ok(None);
        }
        fields.skip(4)?;
        let bytes = blob.read(fields.u64()?, END_64_LEN)?;
        let mut fields = Fields::new(&bytes);
        if fields.u32()? != END_64 {
            return Err(Error::malformed(
                "the archive's long end record is not where it should be",
            ));
        }
        fields.skip(12)?;
        let disks = (fields.u32()?, fields.u32()?);
        fields.skip(8)?;
        let entries = fields.u64()?;
        let (length, directory) = (fields.u64()?, fields.u64()?);
        let end = End {
            entries,
            directory,
            length,
        };
        Ok(Some((disks.0, disks.1, end)))
    }
}

/// Little-endian numbers, one behind the other.
struct Fields<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Fields<'b> {
    fn new(bytes: &'b [u8]) -> Self {
        Fields { bytes, at: 0 }
    }

    fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8]> {
        let bytes = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.get(..length));
        let bytes = bytes.ok_or_else(|| {
            Error::malformed("the archive's directory is cut short").at(self.at as u64)
        })?;
        self.at += length;
        Ok(bytes)
    }

    fn skip(&mut self, length: usize) -> Result<()> {
        self.take(length).map(|_| ())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }
}
