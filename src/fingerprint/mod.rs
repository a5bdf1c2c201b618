//! The identity of a model: `fingerprint.pb`, read, computed and compared.
//!
//! A [`Fingerprint`] is five hashes, each of a part of the model:
//!
//! ```text
//! saved_model.pb ──────────────────────────────▶ saved_model_checksum
//!   first meta graph
//!     graph, regularized ──────────────────────▶ graph_def_program_hash  ┐
//!     signatures, by key ──────────────────────▶ signature_def_hash      │
//!     functions of the object graph, by number ▶ saved_object_graph_hash │ singleprint
//! variables/variables.index ───────────────────▶ checkpoint_hash         ┘
//! ```
//!
//! Every message is hashed in the one form that [`Canonical`](crate::wire::Canonical) gives it, not
//! as it stands in the file: TensorFlow writes maps in one order and hashes them in another. The
//! hash is FarmHash's [`fingerprint64`], joined by [`fingerprint_cat64`].
//!
//! The rules have changed with releases: see [`FingerprintRelease`]. TensorFlow's own are in
//! `tensorflow/cc/saved_model/fingerprinting.cc`. It reads the file for its logs alone, so a wrong
//! one keeps no model from being loaded.
//!
//! | part | holds |
//! |---|---|
//! | `fingerprint` | [`Fingerprint`]: the message, read and written |
//! | `compute` | which file is hashed, and by which rules |
//! | `verify` | [`FingerprintVerification`]: stored hashes beside computed ones |
//! | `release` | [`FingerprintRelease`] |
//! | `hashes` | the hashes of an encoded model |
//! | `chunked` | those of a model in chunks, which are others |
//! | `program` | the graph without what changes from save to save |
//! | `uid` | numbers at the end of functions' names |
//! | `parts` | messages in messages, found without decoding |
//! | `farmhash` | the hash |

mod chunked;
mod compute;
mod farmhash;
mod field;
#[expect(clippy::module_inception, reason = "the noun of this module")]
mod fingerprint;
mod hashes;
mod parts;
mod program;
mod release;
mod uid;
mod verify;

pub use farmhash::{Fingerprint64, fingerprint_cat64, fingerprint64};
pub use fingerprint::Fingerprint;
pub use release::FingerprintRelease;
pub use verify::{FingerprintVerification, HashComparison, HashVerdict};

use crate::error::Error;

/// Says why TensorFlow fails, or crashes, where it should compute a fingerprint.
fn no_fingerprint(what: impl Into<String>) -> Error {
    Error::unsupported(what).remedy("TensorFlow computes no fingerprint for such a model")
}
