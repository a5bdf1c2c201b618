//! TensorFlow itself, in the Python that `SAVEDMODEL_TF_PYTHON` names.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs a script of `tests/interop` and returns its standard output; `None`, said aloud, where no
/// TensorFlow is at hand.
pub(crate) fn run(script: &str, arguments: &[&Path]) -> Option<Vec<u8>> {
    let Some(python) = std::env::var_os("SAVEDMODEL_TF_PYTHON").filter(|python| !python.is_empty())
    else {
        // To the handle itself, so that it is shown even for a test that passes.
        let _ = writeln!(
            std::io::stderr().lock(),
            "SKIPPED: no TensorFlow, SAVEDMODEL_TF_PYTHON is not set: {script} compares nothing"
        );
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
