use crate::error::{Error, ErrorKind, Result};

/// What a pickle may take whatever its length.
const BASE: u64 = 64 << 20;
/// And for each of its bytes: strings of one byte take half of that.
const PER_BYTE: u64 = 32;

/// Memory that a pickle explains: what stands in it once can be meant many times, and is copied each
/// time.
pub(super) struct Budget {
    limit: u64,
    left: u64,
}

impl Budget {
    pub(super) fn of_file(len: u64) -> Budget {
        let limit = len.saturating_mul(PER_BYTE).saturating_add(BASE);
        Budget { limit, left: limit }
    }

    /// Takes so many bytes.
    ///
    /// # Errors
    ///
    /// `TooLarge` if they are not there any more.
    pub(super) fn charge(&mut self, bytes: u64) -> Result<()> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Error::new(ErrorKind::TooLarge {
                what: "what a pickle of this length makes of itself".to_owned(),
                size: (self.limit - self.left).saturating_add(bytes),
                limit: self.limit,
            })),
        }
    }
}
