use std::env;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use prost::Message;

use super::ffi;
use super::library::Api;
use super::options::{LoadOptions, RunOptions, SessionOptions};
use super::saved_model_bundle::SavedModelBundle;
use super::search::{Search, VARIABLE};
use crate::error::{Error, Result};
use crate::proto::OpList;

/// TensorFlow's shared library, loaded into this process, where it stays.
///
/// A process has one: whoever asks first decides which. Loading takes about 0.2 s and 300 MB of
/// memory; a `Runtime` itself is a reference that is copied.
///
/// Two variables of the environment, set before the library is loaded, keep it quiet:
/// `TF_CPP_MIN_LOG_LEVEL=1`, and `TF_ENABLE_ONEDNN_OPTS=0`, which also changes how floating-point
/// results are rounded. This crate touches neither.
///
/// # Trust
///
/// The library's code runs in this process, so it must be as trustworthy as the program itself, and
/// so must every place that [`find`](Self::find) looks at. A model is a program too, which
/// TensorFlow does not confine: it may read and write files.
///
/// ```no_run
/// use savedmodel::Tensor;
/// use savedmodel::runtime::{RunOptions, Runtime, SessionOptions};
///
/// let runtime = Runtime::find()?;
/// let bundle = runtime.load_saved_model(
///     &SessionOptions::default(),
///     &RunOptions::default(),
///     "path/to/model",
///     ["serve"],
/// )?;
/// let x = Tensor::from_slice([1, 2], &[1f32, 2.])?;
/// let outputs = bundle.signature("serving_default")?.run([("x", &x)])?;
/// println!("{:?}", outputs["y"].values::<f32>()?);
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Runtime {
    pub(super) api: &'static Api,
}

/// The library of this process.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

impl Runtime {
    /// Returns the library that is loaded already, or finds and loads one.
    ///
    /// If the environment variable `SAVEDMODEL_TF_LIB` names a file or a directory, it is looked
    /// for there alone. Otherwise, one after the other:
    ///
    /// 1. in the Python package `tensorflow` of the environments that `VIRTUAL_ENV` and
    ///    `CONDA_PREFIX` name, and of the first `python3` in `PATH`; Python is not run;
    /// 2. where the system looks for libraries (`LD_LIBRARY_PATH` and so on);
    /// 3. in `/usr/local/lib` and `/usr/lib`.
    ///
    /// # Errors
    ///
    /// `NotFound`, with every place that was looked at and what was wrong there.
    pub fn find() -> Result<Runtime> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        match *loaded {
            Some(runtime) => Ok(runtime),
            None => {
                let runtime = Runtime::load(Search::everywhere(|name| env::var_os(name)))?;
                Ok(*loaded.insert(runtime))
            }
        }
    }

    /// Loads the library from a file, or from a directory: that of the Python package
    /// (`…/site-packages/tensorflow`, or the one above), or an unpacked archive for C.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none, or what is there is no library of TensorFlow 2.5 or later, and
    /// why; `InvalidArgument` if the process has loaded another one.
    pub fn open(file_or_directory: impl AsRef<Path>) -> Result<Runtime> {
        let path = file_or_directory.as_ref();
        let search = Search::of(path);
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = *loaded {
            let mut candidates = search.candidates.iter();
            if candidates.any(|candidate| candidate.path == runtime.path()) {
                return Ok(runtime);
            }
            // What is wrong with the other one comes first: with nothing wrong, there are two.
            let other = Runtime::load(search)?;
            return Err(Error::invalid_argument(format!(
                "this process has loaded TensorFlow {} from {}, and can have but one",
                runtime.version(),
                runtime.path().display()
            ))
            .in_file(other.path()));
        }
        let runtime = Runtime::load(search)?;
        Ok(*loaded.insert(runtime))
    }

    fn load(search: Search) -> Result<Runtime> {
        let mut failures = search.empty;
        if cfg!(target_endian = "big") {
            failures
                .push("this machine is big-endian, for which tensors are not translated".into());
            return Err(not_found(failures));
        }
        for candidate in search.candidates {
            let place = match &*candidate.origin {
                "" => candidate.path.display().to_string(),
                origin => format!("{origin}, {}", candidate.path.display()),
            };
            match Api::open(&candidate.path).and_then(supported) {
                Ok(api) => return Ok(Runtime { api }),
                Err(what) => failures.push(format!("{place}: {what}")),
            }
        }
        Err(not_found(failures))
    }

    /// Returns TensorFlow's version, for instance `2.21.0`.
    pub fn version(&self) -> &'static str {
        self.api.version()
    }

    /// Returns the library's file, or the name by which the system found it.
    pub fn path(&self) -> &'static Path {
        self.api.path()
    }

    /// Returns the definitions of all ops that are registered, those of libraries that were
    /// [loaded](Self::load_op_library) too.
    ///
    /// # Errors
    ///
    /// `Malformed` if what the library says cannot be decoded.
    pub fn registered_ops(&self) -> Result<OpList> {
        decode_ops(&ffi::all_ops(self.api))
    }

    /// Loads a library of custom ops, as `tf.load_op_library` does, and returns their definitions.
    /// It is trusted as TensorFlow's own library is.
    ///
    /// # Errors
    ///
    /// `Runtime` with what TensorFlow says: that there is no such file, or that it does not fit.
    pub fn load_op_library(&self, path: impl AsRef<Path>) -> Result<OpList> {
        let path = path.as_ref();
        let ops = ffi::load_op_library(self.api, path).map_err(|error| error.in_file(path))?;
        decode_ops(&ops)
    }

    /// Loads a model, as `LoadSavedModel` of `tensorflow/cc/saved_model/loader.cc` does.
    /// [`LoadOptions`] has more to choose.
    ///
    /// # Errors
    ///
    /// As for [`LoadOptions::load`].
    pub fn load_saved_model<T: AsRef<str>>(
        &self,
        session_options: &SessionOptions,
        run_options: &RunOptions,
        export_dir: impl AsRef<Path>,
        tags: impl IntoIterator<Item = T>,
    ) -> Result<SavedModelBundle> {
        LoadOptions::default()
            .session_options(session_options.clone())
            .run_options(run_options.clone())
            .load(*self, export_dir, tags)
    }
}

/// Shows version and file.
impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path().display();
        write!(f, "Runtime(TensorFlow {}, {path})", self.version())
    }
}

/// Strings of the C API are as they are now from 2.5 on.
fn supported(api: &'static Api) -> Result<&'static Api, String> {
    let mut numbers = api.version().split('.').map(|number| number.parse::<u32>());
    match (numbers.next(), numbers.next()) {
        (Some(Ok(2)), Some(Ok(5..))) => Ok(api),
        _ => Err(format!(
            "it is TensorFlow {}; 2.5 or a later 2.x is needed",
            api.version()
        )),
    }
}

fn decode_ops(bytes: &[u8]) -> Result<OpList> {
    OpList::decode(bytes).map_err(|error| Error::malformed(format!("the list of ops: {error}")))
}

fn not_found(failures: Vec<String>) -> Error {
    Error::not_found("TensorFlow's shared library").remedy(format!(
        "looked at {}; install TensorFlow, as with `pip install tensorflow`, or name the library's \
         file or directory in {VARIABLE}",
        failures.join("; ")
    ))
}
