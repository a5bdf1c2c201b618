//! TensorFlow's shared library, opened, with the functions of its C API that this crate calls.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::fmt::Write;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use libloading::Library;

/// What the C API shows as pointers only. `tensorflow/c/c_api.h` and the headers it includes.
macro_rules! opaque {
    ($($name:ident)*) => {$(
        #[repr(C)]
        pub(super) struct $name {
            _private: [u8; 0],
        }
    )*};
}

opaque! {
    TfStatus TfSessionOptions TfGraph TfSession TfOperation TfOperationDescription TfTensor TfLibrary
}

/// `TF_Buffer` of `tensorflow/c/tf_buffer.h`.
#[repr(C)]
pub(super) struct TfBuffer {
    pub(super) data: *const c_void,
    pub(super) length: usize,
    pub(super) deallocator: Option<unsafe extern "C" fn(*mut c_void, usize)>,
}

/// `TF_Output` of `tensorflow/c/c_api.h`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct TfOutput {
    pub(super) oper: *mut TfOperation,
    pub(super) index: c_int,
}

/// `TF_TString` of `tensorflow/core/platform/ctstring_internal.h`, whose contents only the library's
/// own functions touch: they differ between releases.
#[repr(C, align(8))]
pub(super) struct TfString {
    _private: [u8; 24],
}

pub(super) type Deallocator = unsafe extern "C" fn(*mut c_void, usize, *mut c_void);

/// Declares the table of functions and how it is filled from a library.
macro_rules! api {
    ($($field:ident = $symbol:literal: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions, and the library that they are in, which stays loaded.
        pub(super) struct Api {
            $(pub(super) $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
            path: PathBuf,
            version: String,
            _library: ManuallyDrop<Library>,
        }

        impl Api {
            fn from_library(library: ManuallyDrop<Library>, path: PathBuf) -> Result<Api, String> {
                Ok(Api {
                    $($field: {
                        // SAFETY: the type is that of the function of this name in TensorFlow's C
                        // API, whose headers promise not to change it. The library is TensorFlow:
                        // `TF_Version` was found first. The pointer stays valid because nothing
                        // drops the `Library`.
                        #[allow(unsafe_code)]
                        let symbol = unsafe { library.get(concat!($symbol, "\0")) };
                        *symbol.map_err(|error| missing($symbol, &error))?
                    },)*
                    path,
                    version: String::new(),
                    _library: library,
                })
            }
        }
    };
}

api! {
    version_text = "TF_Version": fn() -> *const c_char;
    new_status = "TF_NewStatus": fn() -> *mut TfStatus;
    delete_status = "TF_DeleteStatus": fn(*mut TfStatus);
    get_code = "TF_GetCode": fn(*const TfStatus) -> c_int;
    message = "TF_Message": fn(*const TfStatus) -> *const c_char;
    delete_buffer = "TF_DeleteBuffer": fn(*mut TfBuffer);
    get_all_op_list = "TF_GetAllOpList": fn() -> *mut TfBuffer;
    load_library = "TF_LoadLibrary": fn(*const c_char, *mut TfStatus) -> *mut TfLibrary;
    get_op_list = "TF_GetOpList": fn(*mut TfLibrary) -> TfBuffer;
    new_session_options = "TF_NewSessionOptions": fn() -> *mut TfSessionOptions;
    delete_session_options = "TF_DeleteSessionOptions": fn(*mut TfSessionOptions);
    set_target = "TF_SetTarget": fn(*mut TfSessionOptions, *const c_char);
    set_config = "TF_SetConfig": fn(*mut TfSessionOptions, *const c_void, usize, *mut TfStatus);
    new_graph = "TF_NewGraph": fn() -> *mut TfGraph;
    delete_graph = "TF_DeleteGraph": fn(*mut TfGraph);
    load_session = "TF_LoadSessionFromSavedModel": fn(
        *const TfSessionOptions, *const TfBuffer, *const c_char, *const *const c_char, c_int,
        *mut TfGraph, *mut TfBuffer, *mut TfStatus
    ) -> *mut TfSession;
    close_session = "TF_CloseSession": fn(*mut TfSession, *mut TfStatus);
    delete_session = "TF_DeleteSession": fn(*mut TfSession, *mut TfStatus);
    session_run = "TF_SessionRun": fn(
        *mut TfSession, *const TfBuffer, *const TfOutput, *const *mut TfTensor, c_int,
        *const TfOutput, *mut *mut TfTensor, c_int, *const *const TfOperation, c_int,
        *mut TfBuffer, *mut TfStatus
    );
    new_buffer = "TF_NewBuffer": fn() -> *mut TfBuffer;
    operation_by_name = "TF_GraphOperationByName": fn(*mut TfGraph, *const c_char) -> *mut TfOperation;
    num_outputs = "TF_OperationNumOutputs": fn(*mut TfOperation) -> c_int;
    output_type = "TF_OperationOutputType": fn(TfOutput) -> c_int;
    new_operation = "TF_NewOperation": fn(
        *mut TfGraph, *const c_char, *const c_char
    ) -> *mut TfOperationDescription;
    add_input = "TF_AddInput": fn(*mut TfOperationDescription, TfOutput);
    add_input_list = "TF_AddInputList": fn(*mut TfOperationDescription, *const TfOutput, c_int);
    set_attr_type = "TF_SetAttrType": fn(*mut TfOperationDescription, *const c_char, c_int);
    set_attr_type_list = "TF_SetAttrTypeList": fn(
        *mut TfOperationDescription, *const c_char, *const c_int, c_int
    );
    set_attr_shape = "TF_SetAttrShape": fn(
        *mut TfOperationDescription, *const c_char, *const i64, c_int
    );
    set_attr_string = "TF_SetAttrString": fn(
        *mut TfOperationDescription, *const c_char, *const c_void, usize
    );
    set_attr_function = "TF_SetAttrFuncName": fn(
        *mut TfOperationDescription, *const c_char, *const c_char, usize
    );
    finish_operation = "TF_FinishOperation": fn(
        *mut TfOperationDescription, *mut TfStatus
    ) -> *mut TfOperation;
    allocate_tensor = "TF_AllocateTensor": fn(c_int, *const i64, c_int, usize) -> *mut TfTensor;
    new_tensor = "TF_NewTensor": fn(
        c_int, *const i64, c_int, *mut c_void, usize, Deallocator, *mut c_void
    ) -> *mut TfTensor;
    delete_tensor = "TF_DeleteTensor": fn(*mut TfTensor);
    tensor_type = "TF_TensorType": fn(*const TfTensor) -> c_int;
    num_dims = "TF_NumDims": fn(*const TfTensor) -> c_int;
    dim = "TF_Dim": fn(*const TfTensor, c_int) -> i64;
    tensor_byte_size = "TF_TensorByteSize": fn(*const TfTensor) -> usize;
    tensor_data = "TF_TensorData": fn(*const TfTensor) -> *mut c_void;
    data_type_size = "TF_DataTypeSize": fn(c_int) -> usize;
    string_init = "TF_StringInit": fn(*mut TfString);
    string_copy = "TF_StringCopy": fn(*mut TfString, *const c_char, usize);
    string_data = "TF_StringGetDataPointer": fn(*const TfString) -> *const c_char;
    string_size = "TF_StringGetSize": fn(*const TfString) -> usize;
}

impl Api {
    /// Opens a library, of which the path or the name for the system's search is given, and finds
    /// the functions in it. What fails is said in words.
    ///
    /// The library stays in memory from then on, whatever the answer: TensorFlow leaves exit
    /// handlers behind that point into it.
    pub(super) fn open(path: &Path) -> Result<&'static Api, String> {
        let library = ManuallyDrop::new(open(path)?);
        let is_tensorflow = {
            // SAFETY: nothing is called; a symbol of any kind answers the question.
            #[allow(unsafe_code)]
            let version =
                unsafe { library.get::<unsafe extern "C" fn() -> *const c_char>(c"TF_Version") };
            version.is_ok()
        };
        if !is_tensorflow {
            return Err("it is a library, but not TensorFlow's: it has no `TF_Version`".to_owned());
        }
        let mut api = Api::from_library(library, path.to_owned())?;
        // SAFETY: the function takes nothing and returns a text that ends with zero and is never
        // freed.
        #[allow(unsafe_code)]
        let version = unsafe { CStr::from_ptr((api.version_text)()) };
        api.version = version.to_string_lossy().into_owned();
        Ok(Box::leak(Box::new(api)))
    }

    /// The file, or the name under which the system found it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// TensorFlow's version: `2.21.0`.
    pub(super) fn version(&self) -> &str {
        &self.version
    }
}

#[cfg(unix)]
fn open(path: &Path) -> Result<Library, String> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    // SAFETY: opening runs the library's initializers, and nothing can prove what those do. That
    // the file is to be trusted like the program itself is the contract `Runtime` states.
    #[allow(unsafe_code)]
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
    library.map(Into::into).map_err(|error| explain(&error))
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<Library, String> {
    // SAFETY: opening runs the library's initializers, and nothing can prove what those do. That
    // the file is to be trusted like the program itself is the contract `Runtime` states.
    #[allow(unsafe_code)]
    let library = unsafe { Library::new(path) };
    library.map_err(|error| explain(&error))
}

/// Joins what the crate says with its causes, which hold the system's own words.
fn explain(error: &libloading::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    if text.contains("undefined symbol") {
        text.push_str(" (is the library beside it, libtensorflow_framework, of the same version?)");
    }
    text
}

fn missing(symbol: &str, error: &libloading::Error) -> String {
    format!(
        "it lacks `{symbol}`; TensorFlow 2.5 or later is needed: {}",
        explain(error)
    )
}
