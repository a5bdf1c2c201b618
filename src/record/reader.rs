use prost::bytes::Bytes;

use super::{FOOTER, HEADER};
use crate::error::{Error, ErrorKind, Result};
use crate::store::Blob;
use crate::wire::crc;

/// Reads the records of a TFRecord file, in order, their checksums verified.
///
/// Data that is in memory or mapped is borrowed; otherwise each record is read into memory of its
/// own. Iteration ends after an error, because where the next record begins is then unknown.
///
/// ```
/// use savedmodel::record::RecordReader;
/// use savedmodel::store::Blob;
///
/// let mut reader = RecordReader::new(Blob::from_bytes(&b"not a TFRecord file"[..]));
/// assert!(reader.next().unwrap().is_err());
/// assert!(reader.next().is_none());
/// ```
#[derive(Clone, Debug)]
pub struct RecordReader {
    blob: Blob,
    position: u64,
    failed: bool,
}

/// One record of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    offset: u64,
    data: Bytes,
}

impl RecordReader {
    /// Reads the records of `blob` from its first byte on. Nothing is read before the first is
    /// asked for.
    pub fn new(blob: Blob) -> Self {
        RecordReader {
            blob,
            position: 0,
            failed: false,
        }
    }

    /// Reads the next record, or `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// `ChecksumMismatch` if the length or the data is not what was written, `Malformed` if the file
    /// ends inside a record, `Unsupported` if the file is compressed, `Io` if reading fails. Errors
    /// count offsets from the start of the file.
    pub fn next_record(&mut self) -> Result<Option<Record>> {
        if self.failed || self.position == self.blob.len() {
            return Ok(None);
        }
        let offset = self.position;
        let record = self.read(offset);
        self.failed = record.is_err();
        record.map(Some)
    }

    fn read(&mut self, offset: u64) -> Result<Record> {
        // No longer than what is left, so that what the message says is about the record.
        let left = self.blob.len() - offset;
        let header = self.blob.read(offset, left.min(HEADER))?;
        let Some((length, check)) = split_header(&header) else {
            let cut = || cut(format!("the file ends {left} bytes into a record"));
            let error = self.compressed(&header, offset).unwrap_or_else(cut);
            return Err(error.at(offset));
        };
        if let Err(error) = verify("the length of a record", &length, check) {
            return Err(self.compressed(&header, offset).unwrap_or(error).at(offset));
        }
        let length = u64::from_le_bytes(length);
        let start = offset + HEADER;
        let after = self.blob.len() - start;
        if after < FOOTER || after - FOOTER < length {
            return Err(cut(format!(
                "a record of {length} bytes stands here, but {after} bytes are left for it and its checksum"
            ))
            .at(offset));
        }
        let mut data = self.blob.read(start, length + FOOTER)?;
        let check = data.split_off(length as usize);
        let check = u32::from_le_bytes([check[0], check[1], check[2], check[3]]);
        verify("the data of a record", &data, check).map_err(|error| error.at(start))?;
        self.position = start + length + FOOTER;
        Ok(Record { offset, data })
    }

    /// Says so if the file begins like one that was written with compression. Asked only where the
    /// file is no TFRecord file as it stands, for a length may look like this too.
    fn compressed(&self, header: &[u8], offset: u64) -> Option<Error> {
        let (kind, remedy) = match header {
            _ if offset > 0 => return None,
            [0x1f, 0x8b, ..] => ("gzip", "decompress it first: gzip -dc FILE > OTHER"),
            [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => (
                "zlib",
                "decompress it first, for instance with Python's zlib.decompress",
            ),
            _ => return None,
        };
        let what = format!("a TFRecord file with {kind} compression");
        Some(Error::unsupported(what).remedy(remedy))
    }
}

fn split_header(header: &[u8]) -> Option<([u8; 8], u32)> {
    let (length, check) = header.split_first_chunk::<8>()?;
    Some((*length, u32::from_le_bytes(*check.first_chunk()?)))
}

fn cut(what: String) -> Error {
    Error::malformed(what).remedy("the file is cut short: copy it again from its source")
}

fn verify(what: &str, bytes: &[u8], masked: u32) -> Result<()> {
    let (stored, computed) = (crc::unmask(masked), crc::crc32c(bytes));
    match stored == computed {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::ChecksumMismatch {
            what: what.to_owned(),
            stored,
            computed,
        })),
    }
}

impl Iterator for RecordReader {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().transpose()
    }
}

impl std::iter::FusedIterator for RecordReader {}

impl Record {
    /// Returns the offset of the record's first byte, that of its length, in the file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the data, without length and checksums.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// Returns the data, giving up the rest.
    pub fn into_data(self) -> Bytes {
        self.data
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::record::RecordWriter;

    /// As `tf.io.TFRecordWriter` writes it.
    const ONE: [u8; 20] = [
        0x04, 0, 0, 0, 0, 0, 0, 0, // length 4
        0x42, 0x45, 0x52, 0x04, // its checksum
        b'a', b'b', b'c', b'd', // data
        0x68, 0x10, 0xe6, 0xb6, // its checksum
    ];

    fn file(records: &[&[u8]]) -> Vec<u8> {
        let mut writer = RecordWriter::new(Vec::new());
        for record in records {
            writer.write(record).unwrap();
        }
        writer.into_inner()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Bytes>> {
        RecordReader::new(Blob::from_bytes(bytes.to_vec()))
            .map(|record| record.map(Record::into_data))
            .collect()
    }

    #[test]
    fn a_record_byte_by_byte() {
        assert_eq!(file(&[b"abcd"]), ONE);
        assert_eq!(read(&ONE).unwrap(), [&b"abcd"[..]]);
        assert!(read(&[]).unwrap().is_empty());
    }

    #[test]
    fn ranges_read_the_same_and_bytes_are_borrowed() {
        let long = vec![7; 100_000];
        let bytes = Bytes::from(file(&[b"", &long, b"end"]));
        let shared = bytes.clone();
        let ranged = Blob::ranged(bytes.len() as u64, move |offset, out| {
            out.copy_from_slice(&shared[offset as usize..][..out.len()]);
            Ok(())
        });
        for blob in [Blob::from_bytes(bytes.clone()), ranged] {
            let records: Vec<Record> = RecordReader::new(blob).collect::<Result<_>>().unwrap();
            let offsets: Vec<u64> = records.iter().map(Record::offset).collect();
            assert_eq!(offsets, [0, 16, 100_032]);
            assert_eq!(records[1].data()[..], long);
        }
        let mut reader = RecordReader::new(Blob::from_bytes(bytes.clone()));
        let record = reader.nth(2).unwrap().unwrap();
        assert_eq!(record.data().as_ptr(), bytes[100_044..].as_ptr());
    }

    #[test]
    fn every_changed_byte_is_noticed_and_placed() {
        let whole = file(&[b"abcd", b"efgh"]);
        for place in 0..whole.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[place] ^= change;
                let error = read(&bytes).unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::ChecksumMismatch { .. }));
                let expected = [0, 12, 20, 32][place / 20 * 2 + usize::from(place % 20 >= 12)];
                assert_eq!(error.offset(), Some(expected), "byte {place}");
            }
        }
    }

    #[test]
    fn every_cut_is_noticed_and_placed() {
        let whole = file(&[b"abcd", b"efgh"]);
        for length in 0..whole.len() {
            let mut reader = RecordReader::new(Blob::from_bytes(whole[..length].to_vec()));
            let records = reader.by_ref().take_while(Result::is_ok).count();
            assert_eq!(records, length / 20);
            assert!(reader.next().is_none());
            if length % 20 != 0 {
                let error = read(&whole[..length]).unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::Malformed { .. }));
                assert_eq!(error.offset(), Some(length as u64 / 20 * 20));
            }
        }
    }

    #[test]
    fn a_forged_length_takes_no_memory() {
        for length in [u64::MAX, u64::MAX - 3, 1 << 62, 5] {
            let mut bytes = length.to_le_bytes().to_vec();
            let check = crc::mask(crc::crc32c(&bytes));
            bytes.extend(check.to_le_bytes());
            bytes.extend([0; 8]);
            let error = read(&bytes).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Malformed { .. }));
        }
    }

    #[test]
    fn compressed_files_are_named() {
        for (bytes, kind) in [
            (
                &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x63, 0, 0][..],
                "gzip",
            ),
            (&[0x78, 0x9c, 3, 0, 0, 0, 0, 1], "zlib"),
        ] {
            let error = read(bytes).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }));
            assert!(error.to_string().contains(kind), "{error}");
        }
        // A record may have a length that looks like gzip.
        let record = vec![0; 0x8b1f];
        assert_eq!(read(&file(&[&record])).unwrap(), [record]);
    }

    #[test]
    fn a_failing_store_ends_the_walk() {
        let blob = Blob::ranged(40, |_, _| Err(io::Error::other("link is down")));
        let mut reader = RecordReader::new(blob);
        assert!(reader.next().unwrap().is_err());
        assert!(reader.next().is_none());
    }
}
