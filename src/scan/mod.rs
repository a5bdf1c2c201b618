//! Looking for what a model can do besides computing: files, network, other people's code.
//!
//! ```
//! use savedmodel::SavedModel;
//! use savedmodel::scan::{Policy, ScanReport};
//!
//! let model = SavedModel::open("tests/fixtures/keras3_saved")?;
//! let report = ScanReport::of(&model, &Policy::default())?;
//! assert!(!report.refused);
//! # Ok::<(), savedmodel::Error>(())
//! ```
//!
//! | part | holds |
//! |---|---|
//! | `report` | [`ScanReport`]: all findings of a model |
//! | `finding` | [`Finding`], [`CallPath`]: what was found, and what leads to it |
//! | `capability` | [`Capability`]: what an op lets a model do |
//! | `severity` | [`Severity`] |
//! | `policy` | [`Policy`]: what is allowed and denied |
//! | `call_graph` | nodes and functions, and what leads to what |
//! | `reach` | [`EntryKind`]: where a program is entered, and what is reached from there |
//! | `argument` | inputs followed to the constants that they come from |
//! | `assess` | what a node amounts to, with its attrs and arguments |
//! | `keras` | Lambda layers in the metadata of Keras |

mod argument;
mod assess;
mod call_graph;
mod capability;
mod finding;
mod keras;
mod policy;
mod reach;
mod report;
mod severity;

pub use call_graph::How;
pub use capability::Capability;
pub use finding::{CallPath, Finding, PathStep};
pub use policy::{Policy, Verdict};
pub use reach::EntryKind;
pub use report::ScanReport;
pub use severity::Severity;
