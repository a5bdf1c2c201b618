//! TensorFlow itself, in the Python that `SAVEDMODEL_TF_PYTHON` names.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs a script of `tests/interop` and returns its standard output; `None`, said aloud, where no
/// TensorFlow is at hand.
pub(crate) fn run(script: &str, arguments: &[&Path]) -> Option<Vec<u8>> {
    let Some(python) = std::env::var_os("SAVEDMODEL_TF_PYTHON") else {
        eprintln!("skipped: SAVEDMODEL_TF_PYTHON names no Python that has TensorFlow");
        return None;
    };
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(python)
        .arg(root.join("tests/interop").join(script))
        .args(arguments)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} failed:\n{stderr}");
    Some(output.stdout)
}
