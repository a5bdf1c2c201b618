//! Running models through TensorFlow's own library, which is loaded when asked for (feature
//! `tf-runtime`).
//!
//! ```text
//! Runtime            libtensorflow_cc.so.2, found and loaded once
//!   └ load_saved_model(options, directory, tags)
//!     SavedModelBundle       meta graph, and a session with variables restored
//!       ├ signature("serving_default")   SignatureRunner: names, dtypes, shapes checked
//!       ├ function("layers[0].call")     RestoredFunction: Python's arguments and results
//!       └ session()                      Session: any tensor, any node
//! ```
//!
//! Nothing is linked, so this builds and starts where there is no TensorFlow, and works with the
//! one that is there: from the Python package or the archive for C, from version 2.5 on. It talks
//! to the C API (`tensorflow/c/c_api.h`) and takes from it no more than running; models are read,
//! and checked, by this crate.
//!
//! ```no_run
//! use savedmodel::Tensor;
//! use savedmodel::runtime::{RunOptions, Runtime, SessionOptions};
//!
//! let runtime = Runtime::find()?;
//! let (session, run) = (SessionOptions::default(), RunOptions::default());
//! let bundle = runtime.load_saved_model(&session, &run, "path/to/model", ["serve"])?;
//! let signature = bundle.signature("serving_default")?;
//! let x = Tensor::from_slice([1, 2], &[1f32, 2.])?;
//! for (name, tensor) in signature.run([("x", &x)])?.iter() {
//!     println!("{name}: {tensor:?}");
//! }
//! # Ok::<(), savedmodel::Error>(())
//! ```
//!
//! | part | holds |
//! |---|---|
//! | `installation`, `search` | [`Runtime`], and where it is looked for |
//! | `library`, `ffi` | the library's functions, and calls of them: all unsafe code |
//! | `options` | [`SessionOptions`], [`RunOptions`], [`LoadOptions`] |
//! | `saved_model_bundle` | [`SavedModelBundle`] |
//! | `soundness`, `call_graph` | what is checked before TensorFlow sees a model |
//! | `variable_flow` | which variables a graph reads, and which it gives values |
//! | `session`, `signature_runner`, `outputs` | [`Session`], [`SignatureRunner`], [`Outputs`] |
//! | `restored_function`, `arguments`, `captures` | [`RestoredFunction`] |

mod arguments;
mod call_graph;
mod captures;
mod ffi;
mod installation;
mod library;
mod options;
mod outputs;
mod restored_function;
mod saved_model_bundle;
mod search;
mod session;
mod signature_runner;
mod soundness;
mod variable_flow;

pub use installation::Runtime;
pub use options::{LoadOptions, RunOptions, SessionOptions, UnassignedVariables};
pub use outputs::Outputs;
pub use restored_function::RestoredFunction;
pub use saved_model_bundle::SavedModelBundle;
pub use session::Session;
pub use signature_runner::SignatureRunner;
