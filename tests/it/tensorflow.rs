//! TensorFlow itself, in the Pythons that `SAVEDMODEL_TF_PYTHON` names, and of older releases
//! `SAVEDMODEL_OLDER_TF_PYTHON` and `SAVEDMODEL_TF1_PYTHON`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs a script of `tests/interop` and returns its standard output; `None`, said aloud, where no
/// TensorFlow is at hand.
pub(crate) fn run(script: &str, arguments: &[&Path]) -> Option<Vec<u8>> {
    run_in("SAVEDMODEL_TF_PYTHON", script, arguments)
}

/// Runs it with an older release of TensorFlow, 2.12.
pub(crate) fn run_older(script: &str, arguments: &[&Path]) -> Option<Vec<u8>> {
    run_in("SAVEDMODEL_OLDER_TF_PYTHON", script, arguments)
}

/// Runs it with the last release of TensorFlow 1, 1.15.
pub(crate) fn run_first(script: &str, arguments: &[&Path]) -> Option<Vec<u8>> {
    run_in("SAVEDMODEL_TF1_PYTHON", script, arguments)
}

fn run_in(variable: &str, script: &str, arguments: &[&Path]) -> Option<Vec<u8>> {
    let Some(python) = std::env::var_os(variable).filter(|python| !python.is_empty()) else {
        // To the handle itself, so that it is shown even for a test that passes.
        let line =
            format!("SKIPPED: no TensorFlow, {variable} is not set: {script} compares nothing\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
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

/// Returns the directory of its package, where the library is; `None`, said aloud, where there is none,
/// and where the crate was built without what loads it.
#[cfg(feature = "cli")]
pub(crate) fn library() -> Option<PathBuf> {
    let package = String::from_utf8(run("library_directory.py", &[])?).unwrap();
    cfg!(feature = "tf-runtime").then(|| package.trim().into())
}
