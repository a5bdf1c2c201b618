//! TensorFlow's C++ side.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Result;

/// How the peer is started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Plain,
    /// With its pool of memory, which oneDNN switches on: what an earlier restore freed is not
    /// fresh for the next one. A process that restores once never sees the gain.
    #[allow(dead_code, reason = "not every bench needs it")]
    Pooled,
    /// With TensorFlow's cache of index blocks, which is off by default, holding all of them.
    #[allow(dead_code, reason = "not every bench needs it")]
    BlockCache,
}

impl Peer {
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let (pool, cache) = match self {
            Peer::Plain => ("0", "0"),
            Peer::Pooled => ("1", "0"),
            Peer::BlockCache => ("0", "512"),
        };
        command
            .env("TF_ENABLE_ONEDNN_OPTS", pool)
            .env("TF_TABLE_INDEX_CACHE_SIZE_IN_MB", cache)
            // It logs before it reads its log level.
            .stderr(Stdio::null());
        command
    }
}

pub(crate) fn build(python: &str, directory: &Path) -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/tf_peer/build_peer.sh");
    let status = Command::new("sh")
        .arg(script)
        .args([python.as_ref(), directory.as_os_str()])
        .stdout(Stdio::null())
        .status()?;
    match status.success() {
        true => Ok(directory.join("tf_peer")),
        false => Err("the peer could not be built".into()),
    }
}
