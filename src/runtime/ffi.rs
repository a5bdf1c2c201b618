//! The calls of TensorFlow's C API, made safe: what is created is deleted, what is passed lives
//! long enough, and a thing of one graph is never handed to another.
//!
//! Contract of the API: `tensorflow/c/c_api.h`, `tf_tensor.h`, `tf_tstring.h`. All calls stand here, so
//! that who checks the unsafe code of this crate reads one file for them.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};

use prost::bytes::Bytes;

use super::library::{
    Api, TfBuffer, TfGraph, TfOperation, TfOperationDescription, TfOutput, TfSession,
    TfSessionOptions, TfStatus, TfString, TfTensor,
};
use crate::error::{Error, ErrorKind, Result};
use crate::tensor::{DType, PartialShape, Shape, Strings, Tensor};

// Every block here calls a function of the table, which is there as long as the process and has
// the type its header says (`library.rs`). What each call needs beyond that is said above it.

/// Where a call says how it went.
struct Status {
    api: &'static Api,
    raw: *mut TfStatus,
}

impl Status {
    fn new(api: &'static Api) -> Self {
        // SAFETY: takes nothing; never null.
        #[allow(unsafe_code)]
        let raw = unsafe { (api.new_status)() };
        Status { api, raw }
    }

    fn check(&self) -> Result<()> {
        // SAFETY: the status lives until `self` is dropped.
        #[allow(unsafe_code)]
        let code = unsafe { (self.api.get_code)(self.raw) };
        if code == 0 {
            return Ok(());
        }
        // SAFETY: as above; the text ends with zero and lives as long as the status, and is copied.
        #[allow(unsafe_code)]
        let message = unsafe { CStr::from_ptr((self.api.message)(self.raw)) };
        Err(Error::new(ErrorKind::Runtime {
            code,
            message: message.to_string_lossy().into_owned(),
        }))
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        // SAFETY: created by `new_status`, deleted here alone.
        #[allow(unsafe_code)]
        unsafe {
            (self.api.delete_status)(self.raw);
        }
    }
}

/// A `TF_Buffer` that shows bytes of ours.
fn borrowed(bytes: &[u8]) -> TfBuffer {
    TfBuffer {
        data: bytes.as_ptr().cast(),
        length: bytes.len(),
        deallocator: None,
    }
}

/// Copies what a buffer of the library's shows.
fn copied(buffer: &TfBuffer) -> Vec<u8> {
    if buffer.data.is_null() {
        return Vec::new();
    }
    // SAFETY: the library keeps `length` bytes at `data` as long as the buffer lives, which is
    // borrowed here.
    #[allow(unsafe_code)]
    unsafe { slice::from_raw_parts(buffer.data.cast::<u8>(), buffer.length) }.to_vec()
}

/// Returns the definitions of all registered ops, an encoded `OpList`.
pub(super) fn all_ops(api: &'static Api) -> Vec<u8> {
    // SAFETY: takes nothing; the buffer is ours and deleted once, after its bytes are copied.
    #[allow(unsafe_code)]
    unsafe {
        let buffer = (api.get_all_op_list)();
        let bytes = copied(&*buffer);
        (api.delete_buffer)(buffer);
        bytes
    }
}

/// Opens a library of ops and returns their definitions, an encoded `OpList`.
pub(super) fn load_op_library(api: &'static Api, path: &Path) -> Result<Vec<u8>> {
    let (path, status) = (path_text(path)?, Status::new(api));
    // SAFETY: path and status live through the call. It runs the initializers of the library, which
    // the caller vouches for as in `library.rs`. The handle is never deleted, so that the list it
    // owns lives.
    #[allow(unsafe_code)]
    unsafe {
        let library = (api.load_library)(path.as_ptr(), status.raw);
        status.check()?;
        Ok(copied(&(api.get_op_list)(library)))
    }
}

/// A session, and the graph it runs.
pub(super) struct Session {
    api: &'static Api,
    raw: *mut TfSession,
    graph: *mut TfGraph,
    /// Tells the graphs of a process apart, those that are gone too.
    id: u64,
}

// SAFETY: `tensorflow/core/public/session.h` allows `Run` from any number of threads, and the
// functions on a graph take its own lock. Closing and deleting happen in `drop`, when nobody else
// has the session.
#[allow(unsafe_code)]
unsafe impl Send for Session {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for Session {}

/// A node of a session's graph.
#[derive(Clone, Copy)]
pub(super) struct Operation {
    raw: *mut TfOperation,
    id: u64,
}

/// One output of a node. It is there: [`Session::output`] has counted.
#[derive(Clone, Copy)]
pub(super) struct Output {
    raw: TfOutput,
    id: u64,
}

impl PartialEq for Output {
    fn eq(&self, other: &Self) -> bool {
        (self.id, self.raw.oper, self.raw.index) == (other.id, other.raw.oper, other.raw.index)
    }
}

// SAFETY: both are names of what a graph owns. They are looked into only together with the session
// of that graph, which `id` proves, so that it lives, and only by calls that any thread may make.
#[allow(unsafe_code)]
unsafe impl Send for Operation {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for Operation {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Send for Output {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for Output {}

/// What a new node takes.
pub(super) enum NodeInput<'a> {
    One(Output),
    List(&'a [Output]),
}

/// What is set of a new node.
pub(super) enum NodeAttr<'a> {
    Type(DType),
    Types(&'a [DType]),
    Shape(&'a PartialShape),
    String(&'a str),
    Function(&'a str),
}

impl Session {
    /// Loads a model; `config` and `run_options` are encoded messages.
    pub(super) fn load(
        api: &'static Api,
        (config, target): (&[u8], &str),
        run_options: &[u8],
        directory: &Path,
        tags: &[&str],
    ) -> Result<Session> {
        let status = Status::new(api);
        let options = Options::new(api, config, target)?;
        let directory = path_text(directory)?;
        let tags = tags.iter().map(|tag| text(tag));
        let tags: Vec<CString> = tags.collect::<Result<_>>()?;
        let tags: Vec<*const c_char> = tags.iter().map(|tag| tag.as_ptr()).collect();
        let run_options_buffer = borrowed(run_options);
        let run_options = match run_options {
            [] => ptr::null(),
            _ => &raw const run_options_buffer,
        };
        let tag_count = count(tags.len())?;
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // SAFETY: takes nothing; never null.
        #[allow(unsafe_code)]
        let graph = unsafe { (api.new_graph)() };
        // SAFETY: everything passed lives through the call, and `tags` has as many pointers as is
        // said. The graph is new and empty, as it must be. A null meta graph is one not asked for.
        #[allow(unsafe_code)]
        let raw = unsafe {
            (api.load_session)(
                options.raw,
                run_options,
                directory.as_ptr(),
                tags.as_ptr(),
                tag_count,
                graph,
                ptr::null_mut(),
                status.raw,
            )
        };
        let session = Session {
            api,
            raw,
            graph,
            id: COUNT.fetch_add(1, Ordering::Relaxed),
        };
        status.check().map(|()| session)
    }

    /// Finds a node.
    pub(super) fn operation(&self, name: &str) -> Option<Operation> {
        let name = CString::new(name).ok()?;
        // SAFETY: graph and name live through the call.
        #[allow(unsafe_code)]
        let raw = unsafe { (self.api.operation_by_name)(self.graph, name.as_ptr()) };
        (!raw.is_null()).then_some(Operation { raw, id: self.id })
    }

    /// Returns one output of a node, if it has so many.
    pub(super) fn output(&self, operation: Operation, index: u32) -> Option<Output> {
        if operation.id != self.id {
            return None;
        }
        let index = c_int::try_from(index).ok()?;
        // SAFETY: the node is of this graph, which lives.
        #[allow(unsafe_code)]
        let outputs = unsafe { (self.api.num_outputs)(operation.raw) };
        let raw = TfOutput {
            oper: operation.raw,
            index,
        };
        (index < outputs).then_some(Output { raw, id: self.id })
    }

    /// Returns the type of an output.
    pub(super) fn dtype(&self, output: Output) -> DType {
        if output.id != self.id {
            return DType::INVALID;
        }
        // SAFETY: the node is of this graph, which lives, and has that output.
        #[allow(unsafe_code)]
        DType::from_number(unsafe { (self.api.output_type)(output.raw) })
    }

    /// Adds a node to the graph.
    pub(super) fn add(
        &self,
        op: &str,
        name: &str,
        inputs: &[NodeInput<'_>],
        attrs: &[(&str, NodeAttr<'_>)],
    ) -> Result<Operation> {
        let (op, name) = (text(op)?, text(name)?);
        let status = Status::new(self.api);
        let attrs: Vec<(CString, &NodeAttr<'_>)> = attrs
            .iter()
            .map(|(name, attr)| Ok((text(name)?, attr)))
            .collect::<Result<_>>()?;
        for input in inputs {
            let outputs = match input {
                NodeInput::One(output) => slice::from_ref(output),
                NodeInput::List(outputs) => outputs,
            };
            self.own(outputs.iter().map(|output| output.id))?;
            count(outputs.len())?;
        }
        // SAFETY: graph and names live through the call. The description is finished below whatever
        // happens, which is what frees it.
        #[allow(unsafe_code)]
        let raw = unsafe { (self.api.new_operation)(self.graph, op.as_ptr(), name.as_ptr()) };
        for input in inputs {
            match input {
                // SAFETY: the output is one of this graph, as was checked above.
                #[allow(unsafe_code)]
                NodeInput::One(output) => unsafe { (self.api.add_input)(raw, output.raw) },
                NodeInput::List(outputs) => {
                    let list: Vec<TfOutput> = outputs.iter().map(|output| output.raw).collect();
                    // SAFETY: as above; the list is as long as is said, and copied by the call.
                    #[allow(unsafe_code)]
                    unsafe {
                        (self.api.add_input_list)(raw, list.as_ptr(), list.len() as c_int);
                    }
                }
            }
        }
        for (name, attr) in &attrs {
            self.set_attr(raw, name, attr);
        }
        // SAFETY: the description is the one from above; the call frees it and it is not used again.
        #[allow(unsafe_code)]
        let raw = unsafe { (self.api.finish_operation)(raw, status.raw) };
        status.check()?;
        Ok(Operation { raw, id: self.id })
    }

    fn set_attr(&self, node: *mut TfOperationDescription, name: &CStr, attr: &NodeAttr<'_>) {
        let name = name.as_ptr();
        // SAFETY: `add` passes a description that is not finished yet. Names and values live
        // through the calls, are as long as is said, and are copied.
        #[allow(unsafe_code)]
        unsafe {
            match attr {
                NodeAttr::Type(dtype) => (self.api.set_attr_type)(node, name, dtype.number()),
                NodeAttr::Types(dtypes) => {
                    let list: Vec<c_int> = dtypes.iter().map(|dtype| dtype.number()).collect();
                    (self.api.set_attr_type_list)(node, name, list.as_ptr(), list.len() as c_int);
                }
                NodeAttr::Shape(shape) => {
                    let (dims, rank) = match shape.to_signed() {
                        Some(dims) => (dims.clone(), dims.len() as c_int),
                        None => (Vec::new(), -1),
                    };
                    (self.api.set_attr_shape)(node, name, dims.as_ptr(), rank);
                }
                NodeAttr::String(value) => {
                    (self.api.set_attr_string)(node, name, value.as_ptr().cast(), value.len());
                }
                NodeAttr::Function(value) => {
                    (self.api.set_attr_function)(node, name, value.as_ptr().cast(), value.len());
                }
            }
        }
    }

    /// Runs what leads to the fetches and targets, and returns the values of the fetches and, if
    /// they are asked for, those of the encoded `RunMetadata`.
    pub(super) fn run(
        &self,
        run_options: &[u8],
        feeds: (&[Output], &[Value]),
        fetches: &[Output],
        targets: &[Operation],
        metadata: Option<&mut Vec<u8>>,
    ) -> Result<Vec<Value>> {
        let (inputs, values) = feeds;
        self.own(inputs.iter().chain(fetches).map(|output| output.id))?;
        self.own(targets.iter().map(|target| target.id))?;
        if inputs.len() != values.len() {
            return Err(Error::invalid_argument("a value for each input is needed"));
        }
        let inputs: Vec<TfOutput> = inputs.iter().map(|output| output.raw).collect();
        let values: Vec<*mut TfTensor> = values.iter().map(|value| value.raw.as_ptr()).collect();
        let outputs: Vec<TfOutput> = fetches.iter().map(|output| output.raw).collect();
        let targets: Vec<*const TfOperation> = targets
            .iter()
            .map(|target| target.raw.cast_const())
            .collect();
        let mut results = vec![ptr::null_mut(); fetches.len()];
        let counts = [inputs.len(), outputs.len(), targets.len()];
        let [input_count, output_count, target_count] = counts.map(|len| len as c_int);
        counts
            .into_iter()
            .try_for_each(|len| count(len).map(drop))?;
        let run_options_buffer = borrowed(run_options);
        let run_options = match run_options {
            [] => ptr::null(),
            _ => &raw const run_options_buffer,
        };
        let told = match metadata {
            // SAFETY: takes nothing; never null. Deleted below.
            #[allow(unsafe_code)]
            Some(_) => unsafe { (self.api.new_buffer)() },
            None => ptr::null_mut(),
        };
        let status = Status::new(self.api);
        // SAFETY: all nodes are of this session's graph, as was just checked, and all outputs
        // exist. The lists are as long as is said and, with the values, live through the call;
        // afterwards the library holds references of its own.
        #[allow(unsafe_code)]
        unsafe {
            (self.api.session_run)(
                self.raw,
                run_options,
                inputs.as_ptr(),
                values.as_ptr(),
                input_count,
                outputs.as_ptr(),
                results.as_mut_ptr(),
                output_count,
                targets.as_ptr(),
                target_count,
                told,
                status.raw,
            );
        }
        // Before anything can fail: these are ours now. After a failure all are null.
        let results: Vec<Option<Value>> = results
            .into_iter()
            .map(|raw| Value::own(self.api, raw))
            .collect();
        if let Some(metadata) = metadata {
            // SAFETY: the buffer from above, which the call has filled; deleted once.
            #[allow(unsafe_code)]
            unsafe {
                *metadata = copied(&*told);
                (self.api.delete_buffer)(told);
            }
        }
        status.check()?;
        let results: Option<Vec<Value>> = results.into_iter().collect();
        results.ok_or_else(|| Error::malformed("TensorFlow returned no tensor for an output"))
    }

    /// Makes the library's form of a tensor.
    pub(super) fn value(&self, tensor: &Tensor) -> Result<Value> {
        Value::new(self.api, tensor)
    }

    fn own(&self, mut ids: impl Iterator<Item = u64>) -> Result<()> {
        match ids.all(|id| id == self.id) {
            true => Ok(()),
            false => Err(Error::invalid_argument(
                "a node of another session's graph was given",
            )),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let status = Status::new(self.api);
        // SAFETY: nobody else has the session, so no run is under way. It is null if loading
        // failed. Session before graph: the one looks into the other. What closing says is of no
        // use to anybody.
        #[allow(unsafe_code)]
        unsafe {
            if !self.raw.is_null() {
                (self.api.close_session)(self.raw, status.raw);
                (self.api.delete_session)(self.raw, status.raw);
            }
            (self.api.delete_graph)(self.graph);
        }
    }
}

/// How a session is made.
struct Options {
    api: &'static Api,
    raw: *mut TfSessionOptions,
}

impl Options {
    fn new(api: &'static Api, config: &[u8], target: &str) -> Result<Self> {
        let target = text(target)?;
        // SAFETY: takes nothing; never null.
        #[allow(unsafe_code)]
        let raw = unsafe { (api.new_session_options)() };
        let (options, status) = (Options { api, raw }, Status::new(api));
        // SAFETY: everything passed lives through the calls and is copied by them.
        #[allow(unsafe_code)]
        unsafe {
            (api.set_target)(raw, target.as_ptr());
            (api.set_config)(raw, config.as_ptr().cast(), config.len(), status.raw);
        }
        status.check().map(|()| options)
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: created by `new_session_options`, deleted here alone; sessions keep a copy.
        #[allow(unsafe_code)]
        unsafe {
            (self.api.delete_session_options)(self.raw);
        }
    }
}

/// A tensor of the library's.
pub(super) struct Value {
    api: &'static Api,
    raw: NonNull<TfTensor>,
}

// SAFETY: a tensor is a counted reference to memory that nobody writes: the library changes a
// buffer in place only if it is its sole owner, and one that was made of our bytes never
// (`TF_ManagedBuffer` in `tensorflow/c/tf_tensor.cc`). The count is atomic. What old reference
// variables do is up to `Session::run` of `session.rs`, which copies.
#[allow(unsafe_code)]
unsafe impl Send for Value {}
// SAFETY: as above; through a shared reference it is only read.
#[allow(unsafe_code)]
unsafe impl Sync for Value {}

/// The alignment from which on TensorFlow shares the memory of an input.
const SHARED_ALIGNMENT: usize = 64;
/// From this length on sharing costs less than copying.
const SHARED_LENGTH: usize = 1024;

impl Value {
    fn own(api: &'static Api, raw: *mut TfTensor) -> Option<Self> {
        NonNull::new(raw).map(|raw| Value { api, raw })
    }

    fn new(api: &'static Api, tensor: &Tensor) -> Result<Self> {
        let dtype = tensor.dtype();
        let dims: Vec<i64> = tensor
            .shape()
            .dims()
            .iter()
            .map(|&dim| dim as i64)
            .collect();
        if let Some(strings) = tensor.strings() {
            return Self::from_strings(api, &dims, strings);
        }
        let (Some(bytes), Some(size)) = (tensor.bytes(), dtype.size()) else {
            return Err(Error::unsupported(format!(
                "{dtype} values cannot be given to TensorFlow from outside"
            )));
        };
        // SAFETY: takes a number, whatever it is.
        #[allow(unsafe_code)]
        let known = unsafe { (api.data_type_size)(dtype.number()) };
        if known != size {
            return Err(Error::unsupported(format!(
                "TensorFlow {} does not know the dtype {dtype}",
                api.version()
            )));
        }
        let is_aligned = bytes.as_ptr().addr().is_multiple_of(SHARED_ALIGNMENT);
        if is_aligned
            && bytes.len() >= SHARED_LENGTH
            && let Some(bytes) = tensor.bytes_shared()
        {
            return Self::sharing(api, dtype, &dims, bytes);
        }
        let value = Self::allocate(api, dtype, &dims, bytes.len())?;
        // SAFETY: the new tensor has at least as many bytes as were asked for, and nobody else
        // knows of it. Of zero bytes neither pointer is looked at.
        #[allow(unsafe_code)]
        unsafe {
            let data = (api.tensor_data)(value.raw.as_ptr());
            if !bytes.is_empty() {
                ptr::copy_nonoverlapping(bytes.as_ptr(), data.cast::<u8>(), bytes.len());
            }
        }
        Ok(value)
    }

    /// Hands over a reference to the bytes.
    fn sharing(api: &'static Api, dtype: DType, dims: &[i64], bytes: Bytes) -> Result<Self> {
        let (data, len) = (bytes.as_ptr().cast_mut().cast::<c_void>(), bytes.len());
        let owner = Box::into_raw(Box::new(bytes));
        // SAFETY: the bytes stay where they are until the owner is dropped, which the library lets
        // `drop_bytes` do once it is done with them, on any thread: `Bytes` is `Send`. It does not
        // write to them (see `Send` above), so the cast to `mut` is one of type only.
        #[allow(unsafe_code)]
        let raw = unsafe {
            (api.new_tensor)(
                dtype.number(),
                dims.as_ptr(),
                dims.len() as c_int,
                data,
                len,
                drop_bytes,
                owner.cast(),
            )
        };
        // It is null for a length that is not that of the shape alone, and ours is.
        Value::own(api, raw).ok_or_else(|| Error::malformed("TensorFlow refuses a tensor"))
    }

    fn allocate(api: &'static Api, dtype: DType, dims: &[i64], len: usize) -> Result<Self> {
        let rank = dims.len() as c_int;
        // SAFETY: there are as many dimensions as is said.
        #[allow(unsafe_code)]
        let raw = unsafe { (api.allocate_tensor)(dtype.number(), dims.as_ptr(), rank, len) };
        Value::own(api, raw).ok_or_else(out_of_memory)
    }

    fn from_strings(api: &'static Api, dims: &[i64], strings: &Strings) -> Result<Self> {
        let size = size_of::<TfString>();
        let len = strings.len().checked_mul(size);
        let len = len.ok_or_else(out_of_memory)?;
        let value = Self::allocate(api, DType::STRING, dims, len)?;
        // SAFETY: the new tensor has room for as many strings as were asked for, aligned as
        // TensorFlow aligns its memory, and nobody else knows of it. All of them are initialized
        // before any other call, because deleting the tensor destroys each.
        #[allow(unsafe_code)]
        unsafe {
            let first = (api.tensor_data)(value.raw.as_ptr()).cast::<TfString>();
            for index in 0..strings.len() {
                (api.string_init)(first.add(index));
            }
            for (index, element) in strings.iter().enumerate() {
                (api.string_copy)(first.add(index), element.as_ptr().cast(), element.len());
            }
        }
        Ok(value)
    }

    /// Takes the values out; `copy` for bytes of our own, else the tensor keeps the library's.
    pub(super) fn into_tensor(self, copy: bool) -> Result<Tensor> {
        let (dtype, shape) = (self.dtype(), self.shape()?);
        match dtype {
            DType::STRING => Tensor::from_shared_strings(shape, self.strings()?),
            DType::RESOURCE | DType::VARIANT => Err(Error::unsupported(format!(
                "{dtype} values cannot be taken out of TensorFlow"
            ))),
            _ if copy => Tensor::from_bytes(dtype, shape, Dense(self).as_ref().to_vec()),
            _ => Tensor::from_bytes(dtype, shape, Bytes::from_owner(Dense(self))),
        }
    }

    fn dtype(&self) -> DType {
        // SAFETY: the tensor lives until `self` is dropped.
        #[allow(unsafe_code)]
        DType::from_number(unsafe { (self.api.tensor_type)(self.raw.as_ptr()) })
    }

    fn shape(&self) -> Result<Shape> {
        let raw = self.raw.as_ptr();
        // SAFETY: as above.
        #[allow(unsafe_code)]
        let rank = unsafe { (self.api.num_dims)(raw) };
        let dim = |index| {
            // SAFETY: as above, and the dimension is below the rank.
            #[allow(unsafe_code)]
            let dim = unsafe { (self.api.dim)(raw, index) };
            dim as u64
        };
        let dims: Vec<u64> = (0..rank).map(dim).collect();
        Shape::new(&dims)
    }

    /// Where the buffer is and how long.
    fn data(&self) -> (*const u8, usize) {
        let raw = self.raw.as_ptr();
        // SAFETY: the tensor lives until `self` is dropped.
        #[allow(unsafe_code)]
        unsafe {
            let data = (self.api.tensor_data)(raw).cast::<u8>();
            (data, (self.api.tensor_byte_size)(raw))
        }
    }

    fn strings(&self) -> Result<Strings> {
        let (data, len) = self.data();
        let first = data.cast::<TfString>();
        let mut ends = Vec::new();
        let mut arena = Vec::new();
        for index in 0..len / size_of::<TfString>() {
            // SAFETY: the tensor is one of strings, which its buffer holds one behind the other,
            // each initialized. Pointer and size are those of one string, which lives as long as
            // the tensor.
            #[allow(unsafe_code)]
            let element = unsafe {
                let string = first.add(index);
                let (data, size) = (
                    (self.api.string_data)(string),
                    (self.api.string_size)(string),
                );
                match size {
                    0 => &[][..],
                    _ => slice::from_raw_parts(data.cast::<u8>(), size),
                }
            };
            arena.extend_from_slice(element);
            ends.push(arena.len() as u64);
        }
        Strings::from_parts(ends, arena.into())
    }
}

/// The bytes of all elements, as the owner of a [`Bytes`] shows them.
struct Dense(Value);

impl AsRef<[u8]> for Dense {
    fn as_ref(&self) -> &[u8] {
        match self.0.data() {
            // Zero bytes may have no address.
            (data, len) if data.is_null() || len == 0 => &[],
            // SAFETY: the buffer is as long as it says, lives as long as `self`, and is one of
            // numbers, all of whose bytes the kernel that made it has written.
            #[allow(unsafe_code)]
            (data, len) => unsafe { slice::from_raw_parts(data, len) },
        }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: ours alone, deleted here alone.
        #[allow(unsafe_code)]
        unsafe {
            (self.api.delete_tensor)(self.raw.as_ptr());
        }
    }
}

/// Called by the library when it is done with bytes that it shared. For its eyes only.
#[allow(unsafe_code)]
unsafe extern "C" fn drop_bytes(_: *mut c_void, _: usize, owner: *mut c_void) {
    // SAFETY: `owner` is the box that `Value::sharing` made, and the library calls this once.
    #[allow(unsafe_code)]
    drop(unsafe { Box::from_raw(owner.cast::<Bytes>()) });
}

fn out_of_memory() -> Error {
    std::io::Error::from(std::io::ErrorKind::OutOfMemory).into()
}

fn text(text: &str) -> Result<CString> {
    CString::new(text)
        .map_err(|_| Error::invalid_argument("a name for TensorFlow has a zero byte in it"))
}

fn path_text(path: &Path) -> Result<CString> {
    match path.to_str() {
        Some(path) => text(path),
        #[cfg(unix)]
        None => {
            use std::os::unix::ffi::OsStrExt;
            CString::new(path.as_os_str().as_bytes())
                .map_err(|_| Error::invalid_argument("a path has a zero byte in it"))
        }
        #[cfg(not(unix))]
        None => Err(Error::invalid_argument("the path is not Unicode")),
    }
}

fn count(len: usize) -> Result<c_int> {
    c_int::try_from(len).map_err(|_| Error::invalid_argument("more than 2^31 - 1 of them"))
}
