use super::entry::BundleEntry;
use super::key::{Key, read_piece_key};
use super::reader::BundleReader;
use crate::error::{Error, Result};
use crate::table;

/// A walk over everything in a bundle's index, names borrowed from the walk.
pub struct Cursor<'b> {
    bundle: &'b BundleReader,
    table: table::Cursor<'b>,
}

impl<'b> Cursor<'b> {
    pub(crate) fn new(bundle: &'b BundleReader) -> Self {
        Cursor {
            bundle,
            table: bundle.table().cursor(),
        }
    }

    /// Steps to the next entry; returns its key and itself, or `None` behind the last.
    ///
    /// # Errors
    ///
    /// As for [`BundleReader::entries`].
    #[inline(always)]
    pub fn next_entry(&mut self) -> Result<Option<(&[u8], BundleEntry)>> {
        self.advance()?;
        // The header; only it has no name.
        if self.table.is_on_empty_key() {
            self.advance()?;
        }
        let Some((key, value)) = self.table.current() else {
            return Ok(None);
        };
        // Two ways out, so that the usual entry is made where the caller wants it.
        if let Some(entry) = BundleEntry::decode_usual(value) {
            return Ok(Some((key, entry)));
        }
        match BundleEntry::decode(value) {
            Ok(entry) => Ok(Some((key, entry))),
            Err(error) => Err(self.in_entry(error, key)),
        }
    }

    #[cold]
    fn in_entry(&self, error: Error, key: &[u8]) -> Error {
        let error = error.shifted(self.table.offset());
        self.bundle.for_tensor(error, key)
    }

    #[inline(always)]
    fn advance(&mut self) -> Result<()> {
        match self.table.advance() {
            Err(error) => Err(self.bundle.in_index(error)),
            Ok(()) => Ok(()),
        }
    }
}

/// The walk over a bundle's tensors; see [`BundleReader::entries`].
pub struct Entries<'b> {
    cursor: Cursor<'b>,
    /// The last name of which pieces were met, and whether it is a partitioned tensor.
    partitioned: Option<(Vec<u8>, bool)>,
}

impl<'b> Entries<'b> {
    pub(crate) fn new(bundle: &'b BundleReader) -> Self {
        Entries {
            cursor: Cursor::new(bundle),
            partitioned: None,
        }
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<(Key, BundleEntry)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let bundle = self.cursor.bundle;
            match self.cursor.next_entry() {
                Ok(None) => return None,
                Ok(Some((key, entry))) => {
                    if !is_piece(bundle, key, &mut self.partitioned) {
                        return Some(Ok((key.into(), entry)));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Says whether a key is that of a piece of a partitioned tensor, and not a name that begins with
/// a zero byte as well.
pub(crate) fn is_piece(
    bundle: &BundleReader,
    key: &[u8],
    partitioned: &mut Option<(Vec<u8>, bool)>,
) -> bool {
    if key.first() != Some(&0) {
        return false;
    }
    let Some((name, _)) = read_piece_key(key) else {
        return false;
    };
    if let Some((last, answer)) = partitioned
        && *last == name
    {
        return *answer;
    }
    let whole = bundle.stored_entry(&name);
    let answer = matches!(whole, Ok(Some(entry)) if entry.is_partitioned());
    *partitioned = Some((name, answer));
    answer
}
