//! What TensorFlow writes to standard error while it and a model are loaded: what it is built for,
//! which graphics cards there are not, how far it has come.

#[cfg(target_os = "linux")]
use std::fs::File;
#[cfg(target_os = "linux")]
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, OwnedFd};

/// While it lives, standard error leads nowhere, unless the environment says how much TensorFlow is
/// to write. Errors come back by another way.
pub(super) struct Noise {
    #[cfg(target_os = "linux")]
    stderr: Option<OwnedFd>,
}

/// TensorFlow's own variable: messages below this level are left out.
#[cfg(target_os = "linux")]
const VARIABLE: &str = "TF_CPP_MIN_LOG_LEVEL";

#[cfg(target_os = "linux")]
impl Noise {
    pub(super) fn suppress() -> Self {
        let is_wanted = std::env::var_os(VARIABLE).is_some();
        let redirect = || -> io::Result<OwnedFd> {
            let stderr = io::stderr().as_fd().try_clone_to_owned()?;
            let nowhere = File::options().write(true).open("/dev/null")?;
            rustix::stdio::dup2_stderr(&nowhere)?;
            Ok(stderr)
        };
        Noise {
            // Where that fails, there is noise.
            stderr: (!is_wanted).then(redirect).and_then(Result::ok),
        }
    }
}

#[cfg(target_os = "linux")]
impl Drop for Noise {
    fn drop(&mut self) {
        if let Some(stderr) = &self.stderr {
            let _ = rustix::stdio::dup2_stderr(stderr);
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Noise {
    pub(super) fn suppress() -> Self {
        Noise {}
    }
}
