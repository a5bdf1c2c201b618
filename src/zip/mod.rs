//! Zip archives, as far as numpy's are: members stored or deflated, one behind the other.
//!
//! ```text
//! member       local header: name, sizes, checksum; then its bytes      once per member
//! directory    name, sizes, checksum, place of the local header         once per member
//! end          number of members, place and size of the directory
//! ```
//!
//! A reader begins at the end. Sizes and places beyond 32 bits stand in extra fields and in a longer
//! end record before the ordinary one (zip64). The format is described in PKWARE's `APPNOTE.TXT`;
//! what numpy writes comes from Python's `zipfile`. Not here: encryption, archives in several files,
//! other compression.

mod archive;
mod archive_writer;
mod member;

pub(crate) use archive::{Archive, Entry};
pub(crate) use archive_writer::{ArchiveWriter, check_name};
pub(crate) use member::Member;

const LOCAL_HEADER: u32 = 0x0403_4b50;
const DIRECTORY_HEADER: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const END_64_LOCATOR: u32 = 0x0706_4b50;

/// The lengths of the records, names and other parts of any length left out.
const LOCAL_HEADER_LEN: u64 = 30;
const DIRECTORY_HEADER_LEN: u64 = 46;
const END_LEN: u64 = 22;
const END_64_LEN: u64 = 56;
const END_64_LOCATOR_LEN: u64 = 20;

/// The extra field with what does not fit 32 bits.
const EXTRA_64: u16 = 0x0001;
/// The bit of a member's flags that says its name is UTF-8.
const UTF_8: u16 = 1 << 11;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
