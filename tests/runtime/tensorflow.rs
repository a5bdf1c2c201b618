//! The TensorFlow that the environment names, and its Python.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use prost::Message;
use savedmodel::runtime::{LoadOptions, Runtime, SavedModelBundle};
use savedmodel::{Result, proto};

const PYTHON: &str = "SAVEDMODEL_TF_PYTHON";

/// Returns the library; `None`, said aloud, where no TensorFlow is at hand.
pub(crate) fn runtime(test: &str) -> Option<Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let package = package(test)?;
    let runtime = RUNTIME.get_or_init(|| Runtime::open(package).unwrap());
    Some(*runtime)
}

/// Returns the directory of the Python package.
pub(crate) fn package(test: &str) -> Option<PathBuf> {
    let Some(python) = std::env::var_os(PYTHON).filter(|python| !python.is_empty()) else {
        // To the handle itself, so that it is shown even for a test that passes.
        let _ = writeln!(
            std::io::stderr().lock(),
            "SKIPPED: no TensorFlow, {PYTHON} is not set: runtime::{test} runs nothing"
        );
        return None;
    };
    let code = "import importlib.util; print(importlib.util.find_spec('tensorflow').submodule_search_locations[0])";
    let output = Command::new(python).args(["-c", code]).output().unwrap();
    let package = String::from_utf8(output.stdout).unwrap();
    Some(PathBuf::from(package.trim()))
}

/// Runs a script of `tests/interop`.
pub(crate) fn run(script: &str, arguments: &[&Path]) {
    let python = std::env::var_os(PYTHON).unwrap();
    let output = Command::new(python)
        .arg(root().join("tests/interop").join(script))
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} failed:\n{stderr}");
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures").join(name)
}

pub(crate) fn golden(name: &str) -> PathBuf {
    root().join("tests/cli-goldens/models").join(name)
}

pub(crate) fn load(runtime: Runtime, directory: &Path) -> Result<SavedModelBundle> {
    LoadOptions::default().load(runtime, directory, ["serve"])
}

/// A directory that goes away with the test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("savedmodel-runtime-{name}-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    /// A directory with this model in it.
    pub(crate) fn model(name: &str, model: &proto::SavedModel) -> Self {
        let scratch = Scratch::new(name);
        std::fs::write(scratch.0.join("saved_model.pb"), model.encode_to_vec()).unwrap();
        scratch
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
