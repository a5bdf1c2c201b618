//! Models where TensorFlow Serving finds them: directories of versions, warm-up requests, settings.
//!
//! ```text
//! models/mnist/                 the base directory, ModelVersions
//!     1/  2/                    versions; the highest number is served
//!     3/
//!         saved_model.pb …
//!         assets.extra/
//!             tf_serving_warmup_requests   WarmupRequests
//!             saved_model_config.pb        SavedModelConfig
//!     temp-version.8512…/       being written: no number, so nobody loads it
//! models.config                 ModelServerConfig: several models for one server
//! ```
//!
//! ```
//! use savedmodel::serving::ModelVersions;
//!
//! # let base = std::env::temp_dir().join(format!("savedmodel-serving-{}", std::process::id()));
//! # std::fs::create_dir_all(base.join("2"))?;
//! # std::fs::create_dir_all(base.join("temp-3"))?;
//! let versions = ModelVersions::read(&base)?;
//! assert_eq!(versions.latest().map(|version| version.number), Some(2));
//! assert_eq!(versions.next_version()?, 3);
//! for entry in versions.ignored() {
//!     println!("{}: {}", entry.path.display(), entry.reason);
//! }
//! # std::fs::remove_dir_all(base)?;
//! # Ok::<(), savedmodel::Error>(())
//! ```
//!
//! | part | holds |
//! |---|---|
//! | `versions` | [`ModelVersions`]: which versions there are, and what is ignored |
//! | `version_naming` | [`VersionNaming`]: the number of a version to come, and moving it there |
//! | `prune` | removing old versions |
//! | `warmup` | [`WarmupRequests`]: what a server asks a model before others may |
//! | `warmup_check` | whether a model answers them |
//! | `saved_model_config` | [`SavedModelConfig`]: what a model asks of the server |
//! | `model_server_config` | [`ModelServerConfig`]: which models a server has |

mod model_server_config;
mod prune;
mod saved_model_config;
mod version_naming;
mod versions;
mod warmup;
mod warmup_check;

use std::io;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};
use crate::store::{LocalStore, PendingFile, Store, disk};

pub use model_server_config::{ModelServerConfig, ServedModel, VersionPolicy};
pub use saved_model_config::{SavedModelConfig, SessionOverrides};
pub use version_naming::VersionNaming;
pub(crate) use version_naming::move_to_version;
pub use versions::{IgnoredEntry, IgnoredReason, ModelVersions, ServableVersion, VersionFault};
pub use warmup::{RequestKind, WarmupRequest, WarmupRequests};

/// The directory in a model's that is for the serving system.
const EXTRA_ASSETS_DIRECTORY: &str = "assets.extra";

/// Returns what makes the system's word an error of that file.
fn in_file(path: &Path) -> impl Fn(io::Error) -> Error {
    move |error| Error::from(error).in_file(path)
}

/// Opens a file of `assets.extra`; `None` if there is none.
fn open_extra(model: &Path, name: &str) -> Result<Option<crate::store::Blob>> {
    let name = format!("{EXTRA_ASSETS_DIRECTORY}/{name}");
    match LocalStore::new(model).open(&name) {
        Ok(blob) => Ok(Some(blob)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(in_file(&model.join(name))(error)),
    }
}

/// Writes a file of `assets.extra` beside its place and moves it there.
fn write_extra(model: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    if !model.is_dir() {
        return Err(Error::not_found("directory of a model").in_file(model));
    }
    let directory = model.join(EXTRA_ASSETS_DIRECTORY);
    disk::create_directories(&directory).map_err(in_file(&directory))?;
    let path = directory.join(name);
    let write = || {
        let mut file = PendingFile::create(&path)?;
        file.write_all(bytes)?;
        file.sync()?;
        file.move_to(&path)?;
        disk::sync_directory(&directory)
    };
    write().map_err(in_file(&path))
}
