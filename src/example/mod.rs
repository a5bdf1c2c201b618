//! `tf.Example`: named lists of values, and what a model expects in them.
//!
//! An [`Example`] maps names to lists of bytes, floats or integers. Many models take examples,
//! serialized, as a vector of strings, and their graphs begin with a node that parses them; its
//! [`ParsingSpec`] says which features it takes, of which type and shape, and what counts where one
//! is missing.
//!
//! ```
//! use savedmodel::example::{Example, Feature};
//!
//! let example = Example::new()
//!     .with("age", [42i64])
//!     .with("name", ["Ada"])
//!     .with("weights", [0.5f32, 1.5]);
//! let bytes = example.to_bytes();
//!
//! let read = Example::from_bytes(&bytes)?;
//! assert_eq!(read.feature("age"), Some(&Feature::Int64(vec![42])));
//! # Ok::<(), savedmodel::Error>(())
//! ```
//!
//! | part | holds |
//! |---|---|
//! | `feature` | [`Feature`], a list of values |
//! | `example` | [`Example`] and [`SequenceExample`], to and from bytes |
//! | `parsing_spec` | [`ParsingSpec`], what a graph takes out of examples |
//! | `node` | inputs and attrs of a parsing node by the names its op gives them |

#[expect(
    clippy::module_inception,
    reason = "the floor is named for its main type"
)]
mod example;
mod feature;
mod node;
mod parsing_spec;

pub use example::{Example, SequenceExample};
pub use feature::Feature;
pub use parsing_spec::{DefaultValue, FeatureSpec, Layout, ParsingSpec};
