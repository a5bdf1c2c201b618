//! What a model holds, summed up: for people, and for programs in other languages.
//!
//! Everything here is read with the other modules of this crate and put into plain structs, the
//! *reports*. Their lists are in an order that does not change from run to run, and with the feature
//! `serde` they can be serialized. The command line tool prints them as tables, and as they are with
//! `--json`; its schema (`savedmodel schema`) describes the form they have there.
//!
//! ```
//! use savedmodel::SavedModel;
//! use savedmodel::inspect::SignatureReport;
//!
//! let model = SavedModel::open("tests/fixtures/keras3_saved")?;
//! let signature = model.meta_graph(["serve"])?.signature("serving_default")?;
//! let report = SignatureReport::of("serving_default", &signature);
//! assert_eq!(report.inputs[0].to_string(), "inputs: float32[?, 4]");
//! # Ok::<(), savedmodel::Error>(())
//! ```
//!
//! | part | holds |
//! |---|---|
//! | `number` | [`Number`]: a float, also where JSON has none |
//! | `signature` | [`SignatureReport`]: what can be run |
//! | `structure` | [`Structure`]: the types of a function's arguments and results |
//! | `type_text` | [`TypeText`]: `float32[?, 224, 224, 3]` |

mod number;
mod signature;
mod structure;
mod type_text;

pub use number::Number;
pub use signature::{SignatureEncoding, SignatureReport, SignatureTensor};
pub use structure::{NamedStructure, Structure};
pub use type_text::TypeText;
